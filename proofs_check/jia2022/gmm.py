"""Generalised method of moments: least mᵀWm for m(θ) = E∫ξ dM^θ, and squares of single samples.

With W = (E∫ξξᵀdt)⁻¹ and β = 0 the objective is the squared length of the projection of g^θ on span ξ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.errors import InvalidArgument
from rltheory.operators import TimePolynomial
from rltheory.solvers import CTDRoot, GMMRoot, MeanSquareTDRoot, ValueFamily
from rltheory.solvers.martingale_grid import Grid, plus, times

from .setting import (
    BM_TOY,
    PAPER,
    Feature,
    Setting,
    brownian,
    in_powers,
    mixed,
    numbers,
)


@dataclass(frozen=True)
class Moments:
    """Let β = 0, ξ = (ξ_1, …, ξ_p) be test functions and θ any."""

    x: Setting
    tests: tuple[Feature, ...]
    scale: F = F(1)

    @cached_property
    def functions(self) -> list[TimePolynomial]:
        """ξ."""
        return [self.x.function(f) * self.scale for f in self.tests]

    @cached_property
    def m(self) -> Any:
        """m(θ)."""
        return np.array([mixed(self.x.family.moment(f, self.x.theta)) for f in self.functions], dtype=object)

    @cached_property
    def gram(self) -> Any:
        """E∫ξξᵀdt."""
        f = self.x.family
        return np.array(
            [[mixed(f.integral(u * v)) for v in self.functions] for u in self.functions], dtype=object
        )

    @property
    def objective(self) -> Any:
        """mᵀWm with the library's W = (E∫ξξᵀ)⁻¹."""
        W = GMMRoot(self.functions, W="gram").weight(self.x.family)
        return self.m.dot(W).dot(self.m)

    @property
    def plain(self) -> Any:
        """mᵀm."""
        return self.m.dot(self.m)

    @property
    def drift(self) -> Any:
        """‖g^θ‖²."""
        return self.x.family.integral(self.x.g * self.x.g)

    @property
    def projected(self) -> Any:
        """‖Π_ξ g^θ‖² by Gram–Schmidt."""
        f, total = self.x.family, mixed(0)
        basis: list[tuple[TimePolynomial, Any]] = []
        for u in self.functions:
            for e, size in basis:
                u = u - e * (f.integral(u * e) / size)
            size = f.integral(u * u)
            if size == 0:
                continue
            basis.append((u, size))
            total = total + mixed(f.integral(u * self.x.g)) ** 2 / mixed(size)
        return total

    def root(self, W: Any) -> list[Any]:
        """θ of GMM."""
        return [mixed(v) for v in GMMRoot(self.functions, W=W).run(self.x.family).balls]


def independent(x: Moments) -> bool:
    """True when the roots below exist."""
    try:
        return bool(x.root("gram") and x.root("identity"))
    except InvalidArgument:
        return False


INDEPENDENT = Assumption[Moments](
    "tests are independent and determine θ", independent, NotShown("the solver refuses anything else")
)


def moments(read: Reader) -> Moments:
    """Brownian, two to three tests."""
    x = brownian(read)
    tests: tuple[Feature, ...] = ((1, (F(1), read.number(1))), (1, (read.number(1), F(1))))
    if read.below(2):
        tests = (*tests, (0, (read.number(1), read.number(1), F(1))))
    return Moments(x, tests, read.pick((F(1), F(4))))


BIG = Moments(replace(BM_TOY, theta=(F(0), F(0))), ((1, (F(1),)), (1, (F(0), F(1)))), F(10))
"""θ = 0, ξ = 10(τ, τx): m_1² = (10·3/16)² > ‖g‖² ⊇ E∫X⁴."""
SPANNED = Moments(
    replace(BM_TOY, theta=(F(0), F(0))), ((0, (F(0), F(0), F(1))), (0, (F(1),))),
)  # fmt: skip
"""g = x² ∈ span(x², 1)."""

gmm: Claim[Moments] = Claim(
    statement="W = (E∫ξξᵀdt)⁻¹, β = 0: mᵀWm = ‖Π_ξ g^θ‖² ≤ ‖g^θ‖²",
    source=PAPER.at("generalised method of moments (objective seen); projection derived"),
    let=decoded(moments, 50),
    assume=[INDEPENDENT],
    then=Leq(
        lhs=numbers(lambda x: [x.objective, -x.objective, x.objective]),
        rhs=numbers(lambda x: [x.projected, -x.projected, x.drift]),
    ),
    tight=Tight(SPANNED, within=0),
    named={"ξ = 10φ": BIG},
    mutants=[
        Mutant("W = I", lhs=numbers(lambda x: [x.plain, -x.plain, x.plain])),
        Mutant("mᵀm ≤ ‖g‖²", then=Leq(numbers(lambda x: x.plain), numbers(lambda x: x.drift))),
        Mutant("equality", then=Eq(numbers(lambda x: x.objective), numbers(lambda x: x.drift))),
    ],
    expect=CERTIFIED,
    draws=60,
)


def square(read: Reader) -> Moments:
    """p = q = 2."""
    x = moments(read)
    return replace(x, tests=x.tests[:2])


WEIGHT = np.array([[2, 1], [1, 3]])

gmm_square: Claim[Moments] = Claim(
    statement="as many tests as features: GMM is the root of m for every W; with more it depends on W",
    source=PAPER.at("generalised method of moments (seen)"),
    let=decoded(square, 50),
    assume=[INDEPENDENT],
    then=Eq(
        lhs=numbers(lambda x: [*x.root("identity"), *x.root("gram"), *x.root(WEIGHT)]),
        rhs=numbers(lambda x: [mixed(v) for v in CTDRoot(tests=x.functions).run(x.x.family).balls] * 3),
    ),
    tight=Tight(Moments(BM_TOY, ((1, (F(1),)), (1, (F(0), F(1))))), within=0),
    mutants=[
        Mutant(
            "GMM does not depend on W with one test more",
            then=Eq(
                numbers(lambda x: replace(x, tests=(*x.tests, (0, (F(0), F(0), F(1))))).root("identity")),
                numbers(lambda x: replace(x, tests=(*x.tests, (0, (F(0), F(0), F(1))))).root("gram")),
            ),
        ),
        Mutant(
            "the root of CTD(0) with ξ = φ",
            rhs=numbers(lambda x: [mixed(v) for v in CTDRoot().run(x.x.family).balls] * 3),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- squares of single samples ---------------------------------------------------------------
@dataclass(frozen=True)
class Single:
    """Let ξ_iD_i be squared sample by sample (rational instances)."""

    x: Setting
    test: Feature

    @cached_property
    def xi(self) -> TimePolynomial:
        """ξ."""
        return self.x.function(self.test)

    @cached_property
    def limit(self) -> F:
        """Constant coefficient in Δ of EΣ|ξ_iD_i|²."""
        return in_powers(lambda n: Grid(self.x.alone, n).square(0, 0, self.xi), self.x.T, 1)[0]

    @property
    def variation(self) -> Any:
        """E∫ξ²d⟨M^θ⟩."""
        f = self.x.family
        return f.integral(self.xi * self.xi * self.x.gamma(self.x.candidate, self.x.candidate))

    @property
    def squared_moment(self) -> Any:
        """m(θ)²."""
        return mixed(self.x.family.moment(self.xi, self.x.theta)) ** 2


def single(read: Reader) -> Single:
    """Tests of degree ≤ 1."""
    return Single(brownian(read), (read.below(2), (1 + abs(read.number(1)), read.number(1))))


gmm_single_sample: Claim[Single] = Claim(
    statement="EΣ|ξ_iD_i|² → E∫ξ²d⟨M^θ⟩: the mean of squares is a variation, not |m(θ)|²",
    source=PAPER.at("derived"),
    let=decoded(single, 40),
    assume=[],
    then=Eq(lhs=lambda x: x.limit, rhs=numbers(lambda x: x.variation)),
    tight=Tight(Single(BM_TOY, (1, (F(1),))), within=0),
    mutants=[
        Mutant("|m(θ)|²", rhs=numbers(lambda x: x.squared_moment)),
        Mutant("half of it", rhs=numbers(lambda x: mixed(x.variation) / 2)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Descent:
    """Let X = √s2·W from 0, r = ax, J^θ = θxτ (truth a), ξ = 1, on n ≥ 2 steps."""

    a: F
    s2: F
    n: int

    @cached_property
    def family(self) -> ValueFamily:
        """The family."""
        x = replace(
            BM_TOY,
            process=(F(0), F(0), self.s2, F(0), F(0)),
            r=(F(0), self.a),
            features=((1, (F(0), F(1))),),
            theta=(F(0),),
        )
        return x.family

    @property
    def minimiser(self) -> Any:
        """Of EΣ|ξ_iD_i|²."""
        H = Grid(self.family, self.n).square_form(TimePolynomial.constant(1))
        return -H[0, 1] / H[1, 1]


gmm_single_sample_argmin: Claim[Descent] = Claim(
    statement="with ξ = 1 it is 2Δ·MSTDE: on W1 its minimiser is 3a/(2(n+1))",
    source=PAPER.at("derived"),
    let=decoded(
        lambda read: Descent(F(1) + abs(read.number(4, 4)), F(1 + read.below(8), 4), 2 + read.below(9)), 8
    ),
    assume=[],
    then=Eq(
        lhs=numbers(lambda x: [x.minimiser, MeanSquareTDRoot(n=x.n).run(x.family).theta[0]]),
        rhs=lambda x: [3 * x.a / (2 * (x.n + 1))] * 2,
    ),
    tight=Tight(Descent(F(13, 10), F(1), 5), within=0),
    mutants=[Mutant("descending the mean of squares gives θ°", rhs=lambda x: [x.a, x.a])],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Episode:
    """Let X = x0 + √s2·W, r = ax, J^θ = θxτ (truth a), ξ = x, on n steps; whole episodes are squared."""

    a: F
    s2: F
    x0: F
    n: int

    @cached_property
    def grid(self) -> Grid:
        """The grid, with T = 1."""
        flat = replace(Descent(self.a, self.s2, self.n).family, x0=self.x0)
        return Grid(flat, self.n)

    def products(self, k: int, m: int) -> Any:
        """E[Σ_i ξ_iD_i^k · Σ_j ξ_jD_j^m], backwards: F and C are means of sums and products from X_i on."""
        g = self.grid
        xi = g.sample(TimePolynomial.polynomial([0, 1]))
        one: Any = [mixed(F(1))]
        F_k, F_m, C = ([mixed(F(0))] for _ in range(3))
        for i in range(self.n - 1, -1, -1):
            now, after = (g.start[i][k], g.start[i][m]), (g.a[i + 1][k], g.a[i + 1][m])

            def step(u: Any, before: Any, ahead: Any) -> Any:
                """E[(u(X_{i+1}) − before)·ahead(X_{i+1}) | X_i]."""
                return plus(g.P(times(u, ahead)), times(before, g.P(ahead)), -1)

            pair = plus(step(after[0], now[0], after[1]), times(now[1], step(after[0], now[0], one)), -1)
            cross = plus(step(after[0], now[0], F_m), step(after[1], now[1], F_k))
            C = plus(plus(g.P(C), times(xi[i], cross)), times(times(xi[i], xi[i]), pair))
            F_k, F_m = (
                plus(times(xi[i], step(u, b, one)), g.P(v))
                for u, b, v in zip(after, now, (F_k, F_m), strict=True)
            )
        return g.mean(0, C)

    @property
    def slope(self) -> Any:
        """½d/dθ E(Σ_i ξ_iD_i)² at θ = a."""
        return self.products(0, 1) + mixed(self.a) * self.products(1, 1)

    @property
    def moment(self) -> Any:
        """E Σ_i ξ_iD_i at θ = a."""
        row = self.grid.left([TimePolynomial.polynomial([0, 1])])[0]
        return row[0] + mixed(self.a) * row[1]

    @property
    def formula(self) -> F:
        """−as²Δ Σ_i E X_i² τ_{i+1}²."""
        dt = F(1, self.n)
        terms = ((self.x0**2 + self.s2 * dt * i) * (1 - dt * (i + 1)) ** 2 for i in range(self.n))
        return -self.a * self.s2 * dt * sum(terms, F(0))


def whole(read: Reader) -> Episode:
    """n from 3 to 6 (from 0 in two steps the slope is 0)."""
    return Episode(F(1) + abs(read.number(4, 4)), F(1 + read.below(8), 4), read.number(2), 3 + read.below(4))


gmm_single_sample_episode: Claim[Episode] = Claim(
    statement=(
        "squares of whole episodes miss as well: on W1 with ξ = x, E Σξ_iD_i = 0 at the truth but "
        "½d/dθ E(Σξ_iD_i)² = −as²ΔΣE X_i² τ_{i+1}² < 0"
    ),
    source=PAPER.at("derived: E(Σξ_iD_i)² = m_n² + variance, and the variance moves with θ"),
    let=decoded(whole, 12),
    assume=[],
    then=Eq(lhs=numbers(lambda x: [x.slope, 1 + x.moment]), rhs=lambda x: [x.formula, F(1)]),
    tight=Tight(Episode(F(13, 10), F(1), F(0), 4), within=0),
    mutants=[
        Mutant("descending the mean of squares gives θ°", rhs=lambda x: [F(0), F(1)]),
        Mutant("the opposite sign: later increments do not matter", rhs=lambda x: [-x.formula, F(1)]),
    ],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
