"""What time discretisation costs: θ_n → θ at order Δ = T/n, with its constant; and when it costs nothing.

On a grid m_n(θ) = m(θ) + c(θ)Δ + O(Δ²), c = −½E∫[ḡ·𝒜ξ + Γ(ξ, ḡ) + ξ·𝒜r̄]dt, ḡ = e^{−βt}g^θ, r̄ = e^{−βt}r,
for smooth test functions ξ(t, X_t); so (θ_n − θ)/Δ → A⁻¹c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cache, cached_property
from typing import Any

import numpy as np
from flint import arb

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.errors import InvalidArgument
from rltheory.kernels import ball
from rltheory.models.processes import PolynomialDiffusion
from rltheory.operators import TimePolynomial, diffusion
from rltheory.operators.time_polynomial import precise
from rltheory.solvers import CTDRoot, GMMRoot, MartingaleLossRoot, ValueFamily
from rltheory.solvers.martingale_grid import Grid

from .setting import (
    BM_TOY,
    OU,
    PAPER,
    TINY,
    Feature,
    Setting,
    brownian,
    in_powers,
    mixed,
    numbers,
    plain,
    poly,
    setting,
)


# ---- the coefficient -------------------------------------------------------------------------
@dataclass(frozen=True)
class Moment:
    """Let ξ be a test function on a rational instance."""

    x: Setting
    test: Feature

    @cached_property
    def xi(self) -> TimePolynomial:
        """ξ."""
        return self.x.function(self.test)

    @cached_property
    def series(self) -> list[F]:
        """Constant and linear coefficient in Δ of m_n(θ)."""
        return in_powers(lambda n: Grid(self.x.alone, n).left([self.xi])[0, 0], self.x.T, 2)

    def coefficient(self, *, gamma: bool = True, reward: bool = True) -> Any:
        """c(θ)."""
        x = self.x
        inside = x.g * x.A(self.xi)
        if gamma:
            inside = inside + x.gamma(self.xi, x.g)
        if reward:
            inside = inside + self.xi * x.A(x.reward)
        return -mixed(x.family.integral(inside)) / 2

    @property
    def limit(self) -> Any:
        """m(θ)."""
        return self.x.family.moment(self.xi, self.x.theta)


def moment(read: Reader) -> Moment:
    """Brownian; ξ = τ^j p(x)."""
    return Moment(brownian(read), (read.below(3), poly(read, 2)))


discretisation_rate_coefficient: Claim[Moment] = Claim(
    statement="m_n(θ) = m(θ) − ½Δ·E∫[ḡ·𝒜ξ + Γ(ξ, ḡ) + ξ·𝒜r̄]dt + O(Δ²)",
    source=PAPER.at("convergence of discretised conditions (seen); order and coefficient derived"),
    let=decoded(moment, 40),
    assume=[],
    then=Eq(lhs=lambda x: x.series, rhs=numbers(lambda x: [x.limit, x.coefficient()])),
    tight=Tight(Moment(BM_TOY, (1, (F(1), F(1)))), within=0),
    mutants=[
        Mutant("without Γ(ξ, ḡ)", rhs=numbers(lambda x: [x.limit, x.coefficient(gamma=False)])),
        Mutant("without ξ·𝒜r̄", rhs=numbers(lambda x: [x.limit, x.coefficient(reward=False)])),
        Mutant("order 2", rhs=numbers(lambda x: [x.limit, 0])),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- the OU instance -------------------------------------------------------------------------
SOLVERS: dict[str, Callable[[int | None], Any]] = {
    "CTD(0)": lambda n: CTDRoot(n=n),
    "CTD(1/2)": lambda n: CTDRoot(lam=F(1, 2), n=n),
    "ML": lambda n: MartingaleLossRoot(n=n),
    "right": lambda n: CTDRoot(endpoint="right", n=n),
}


@cache
def root(name: str, n: int | None) -> tuple[Any, ...]:
    """θ_n of a solver on the OU instance."""
    return tuple(mixed(v) for v in SOLVERS[name](n).run(OU.family).balls)


@dataclass(frozen=True)
class Grids:
    """Let θ_n be the root on n steps of the OU instance."""

    name: str
    n: int

    @property
    def error(self) -> Any:
        """‖θ_n − θ‖_∞."""
        pairs = zip(root(self.name, self.n), root(self.name, None), strict=True)
        return ball.sup_norm(np.array([a - b for a, b in pairs], dtype=object))

    @property
    def extrapolated(self) -> Any:
        """‖2θ_{2n} − θ_n − θ‖_∞."""
        three = zip(root(self.name, 2 * self.n), root(self.name, self.n), root(self.name, None), strict=True)
        return ball.sup_norm(np.array([2 * a - b - c for a, b, c in three], dtype=object))


CONSTANTS = {"CTD(0)": F(2842, 10000), "CTD(1/2)": F(548, 1000), "ML": F(5572, 10000)}
RICHARDSON = {"CTD(0)": (F(1231, 10000), 16), "ML": (F(213, 10000), 64)}
NS = (16, 32, 64, 128, 256, 512, 1024)
GRIDS = [Grids(name, n) for name in CONSTANTS for n in NS]
PAIRS = [Grids(name, n) for name, (_, least) in RICHARDSON.items() for n in NS[:-1] if n >= least]


def power(x: Grids, order: F, start: int = 16) -> Any:
    """start^−1·(start/n)^order in place of 1/n."""
    return mixed(F(1, start)) * (ball.to_arb(F(start, x.n)).log() * mixed(order)).exp()


discretisation_rate: Claim[Grids] = Claim(
    statement="OU: ‖θ_n − θ‖_∞ ≤ .2842/n for CTD(0), .548/n for CTD(½), .5572/n for ML, n ≥ 16",
    source=PAPER.at("convergence of discretised conditions (seen); order and constants derived"),
    let=Every("three solvers, n = 16, 32, …, 1024", len(GRIDS), GRIDS),
    assume=[],
    then=Leq(lhs=numbers(lambda x: x.error), rhs=lambda x: CONSTANTS[x.name] / x.n),
    tight=Tight([Grids("CTD(1/2)", 1024), Grids("ML", 1024)], within=0.0005),
    mutants=[
        Mutant("order 1.05", rhs=numbers(lambda x: mixed(CONSTANTS[x.name]) * power(x, F(21, 20)))),
        Mutant("order 2", rhs=numbers(lambda x: mixed(CONSTANTS[x.name]) * power(x, F(2)))),
        Mutant(
            "the order is ½: ‖θ_n − θ‖_∞ ≥ .2842/(4√n)",
            then=Leq(numbers(lambda x: mixed(F(2842, 40000)) / arb(x.n).sqrt()), numbers(lambda x: x.error)),
        ),
    ],
    expect=CERTIFIED,
)

discretisation_rate_richardson: Claim[Grids] = Claim(
    statement="OU: ‖2θ_{2n} − θ_n − θ‖_∞ ≤ .1231/n² for CTD(0), n ≥ 16; .0213/n² for ML, n ≥ 64",
    source=PAPER.at("derived"),
    let=Every("two solvers, n up to 512", len(PAIRS), PAIRS),
    assume=[],
    then=Leq(lhs=numbers(lambda x: x.extrapolated), rhs=lambda x: RICHARDSON[x.name][0] / x.n**2),
    tight=Tight([Grids("CTD(0)", 512), Grids("ML", 512)], within=0.06),
    mutants=[
        Mutant(
            "order 2.05",
            rhs=numbers(
                lambda x: mixed(RICHARDSON[x.name][0] / 16) * power(x, F(41, 20), RICHARDSON[x.name][1])
                * (16 * mixed(F(1, RICHARDSON[x.name][1])))
            ),
        ),
        Mutant(
            "order 3",
            rhs=numbers(
                lambda x: mixed(RICHARDSON[x.name][0] / RICHARDSON[x.name][1])
                * power(x, F(3), RICHARDSON[x.name][1])
            ),
        ),
    ],
    expect=CERTIFIED,
)  # fmt: skip


# ---- right endpoints -------------------------------------------------------------------------
RIGHTS = [Grids("right", n) for n in NS[:-2]]

right_point: Claim[Grids] = Claim(
    statement=(
        "OU, test functions at the right endpoint: ‖θ_n − θ'‖_∞ ≤ 2.6/n, θ' the root with the covariation "
        "added, (.53889, −2.68106)"
    ),
    source=PAPER.at("derived"),
    let=Every("n = 16, 32, …, 256", len(RIGHTS), RIGHTS),
    assume=[],
    then=Leq(
        lhs=numbers(lambda x: [x.error, abs(root("right", None)[0] - mixed(F(53889, 100000))),
                               abs(root("right", None)[1] + mixed(F(268106, 100000)))]),
        rhs=lambda x: [F(26, 10) / x.n, F(1, 100000), F(1, 100000)],
    ),
    tight=Tight(RIGHTS[-1], within=0.1),
    mutants=[
        Mutant(
            "right-endpoint test functions are also consistent: 2.6/n from the root of CTD(0)",
            lhs=numbers(
                lambda x: ball.sup_norm(
                    np.array([a - b for a, b in zip(root("right", x.n), root("CTD(0)", None), strict=True)])
                )
            ),
        )
    ],
    expect=CERTIFIED,
)  # fmt: skip


# ---- no reward, no bias ----------------------------------------------------------------------
@dataclass(frozen=True)
class Unpaid:
    """Let φ_1 = J − h, so that θ° = (1, 0) whatever r is; φ_2 = τx; n steps."""

    x: Setting
    n: int

    @cached_property
    def family(self) -> ValueFamily:
        """The family."""
        f = self.x.family
        _, x = f.J - self.x.end, TimePolynomial.polynomial([0, 1])
        return ValueFamily(
            f.process, f.x0, f.T, [f.J - self.x.end, self.x.tau * x], f.reward, f.terminal, f.beta
        )

    @cached_property
    def roots(self) -> list[Any]:
        """CTD(0), CTD(½), ML and GMM with three tests, on n steps."""
        tests = [*self.family.features, self.x.tau**2]
        solvers: list[Any] = [
            CTDRoot(n=self.n), CTDRoot(lam=F(1, 2), n=self.n), MartingaleLossRoot(n=self.n),
            GMMRoot(tests, n=self.n),
        ]  # fmt: skip
        return [mixed(v) for s in solvers for v in s.run(self.family).balls]

    @property
    def determined(self) -> bool:
        """True when no system is singular."""
        try:
            return bool(self.roots)
        except InvalidArgument:
            return False

    @property
    def surprise(self) -> Any:
        """E[D_0^{θ°} | X_0 = x0]."""
        with precise():
            f = self.family
            alone = ValueFamily(
                f.process, f.x0, f.T, [self.x.tau], f.reward, f.terminal, f.beta, base=f.candidate([1, 0])
            )
            grid = Grid(alone, self.n)
            return grid.mean(0, grid.drift[0][0])


def unpaid(read: Reader) -> Unpaid:
    """r = 0, h of degree 2, any process."""
    x = setting(read, q=1, feature_degree=1)
    h = (x.h[0], x.h[1], 1 + abs(x.h[2]))
    return Unpaid(replace(x, r=(F(0),), h=h), 2 + read.below(4))


def paid(read: Reader) -> Unpaid:
    """r = x² + 1."""
    x = unpaid(read)
    return replace(x, x=replace(x.x, r=(F(1), F(0), F(1))))


def decaying(kappa: F, beta: F, n: int) -> Unpaid:
    """OU with mean 0, h = x: J = e^{−(κ+β)τ}x and φ_1 = (e^{−(κ+β)τ} − 1)x."""
    x = Setting(
        (F(0), -kappa, F(9, 25), F(0), F(0)),
        F(2, 5),
        F(1),
        beta,
        (F(0),),
        (F(0), F(1)),
        ((1, (F(1),)),),
        (F(0),),
    )
    return Unpaid(x, n)


DETERMINED = Assumption[Unpaid](
    "A is not singular", lambda x: x.determined, NotShown("there is no root then")
)
TOY = Unpaid(
    replace(BM_TOY, x0=F(1), r=(F(0),), h=(F(0), F(0), F(1)), features=((1, (F(1),)),), theta=(F(0),)), 3
)

no_reward_no_bias: Claim[Unpaid] = Claim(
    statement="r = 0, truth in the family: CTD(0), CTD(λ), ML and GMM on any grid return θ° exactly",
    source=PAPER.at("derived: M at the grid points is a martingale on every grid"),
    let=decoded(unpaid, 40),
    assume=[DETERMINED],
    then=Eq(
        lhs=numbers(lambda x: [*x.roots, 1 + x.surprise]),
        rhs=lambda x: [F(1), F(0)] * 4 + [F(1)],
        within=TINY,
    ),
    tight=Tight([decaying(F(4, 5), F(3, 10), 2), TOY], within=0),
    mutants=[
        Mutant("so they do with a reward", let=decoded(paid, 40)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Squared:
    """Let X = x0 + W, r = x², h = 0, J^θ = θ(τx² + τ²/2), θ° = 1, on n steps."""

    x0: F
    n: int

    @cached_property
    def surprises(self) -> list[Any]:
        """Coefficients of 1, x, x² in E[D_i^{θ°} | X_i = x] for all i."""
        x = Setting(
            (F(0), F(0), F(1), F(0), F(0)),
            self.x0,
            F(1),
            F(0),
            (F(0), F(0), F(1)),
            (F(0),),
            ((1, (F(0), F(0), F(1))),),
            (F(1),),
        )
        f = x.family
        truth = ValueFamily(f.process, f.x0, f.T, [x.tau], f.reward, base=f.J)
        return [plain(c) for row in Grid(truth, self.n).drift for c in (*row[0], 0, 0)[:3]]


no_reward_no_bias_toy: Claim[Squared] = Claim(
    statement="with r = x² on a Brownian motion E[D_i | F_{t_i}] = −½Δ² ≠ 0 at the truth, whatever the path",
    source=PAPER.at("derived"),
    let=decoded(lambda read: Squared(read.number(3, 8), 1 + read.below(8)), 4),
    assume=[],
    then=Eq(lhs=lambda x: x.surprises, rhs=lambda x: [-F(1, 2 * x.n**2), F(0), F(0)] * x.n),
    tight=Tight(Squared(F(0), 4), within=0),
    mutants=[
        Mutant("E[D_i | F_{t_i}] = 0", rhs=lambda x: [F(0)] * (3 * x.n)),
        Mutant("−Δ²", rhs=lambda x: [-F(1, x.n**2), F(0), F(0)] * x.n),
    ],
    expect=CERTIFIED,
)


# ---- infinite horizon ------------------------------------------------------------------------
@dataclass(frozen=True)
class Linear:
    """Let dX = aX dt + cX dW, running cost wx² for ever, discount β, sampled every Δ."""

    a: F
    c: F
    beta: F
    w: F
    dt: F

    @property
    def eta(self) -> F:
        """β − 2a − c²."""
        return self.beta - 2 * self.a - self.c**2

    @property
    def fixed(self) -> Any:
        """p with p = wΔ + e^{−βΔ}E[X_Δ²]p, X_0 = 1."""
        step = diffusion.semigroup_matrix(PolynomialDiffusion(0, self.a, 0, 0, self.c**2), self.dt, 2)
        return mixed(self.w * self.dt) / (1 - (-ball.to_arb(self.beta * self.dt)).exp() * step[2, 2])

    @property
    def formula(self) -> Any:
        """wΔ/(1 − e^{−ηΔ})."""
        return mixed(self.w * self.dt) / (-(-ball.to_arb(self.eta * self.dt)).expm1())

    def expansion(self, order: int, first: F = F(1, 2)) -> F:
        """(w/η)(1 + ηΔ/2 + η²Δ²/12) up to an order."""
        z = self.eta * self.dt
        return self.w / self.eta * (1 + first * z + (z**2 / 12 if order == 2 else 0))


def linear(read: Reader) -> Linear:
    """η ≠ 0, positive or not."""
    x = Linear(
        read.number(1, 4),
        F(1 + read.below(4), 4),
        F(1 + read.below(4), 2),
        F(1 + read.below(3)),
        F(1, 1 + read.below(16)),
    )
    return x if x.eta else replace(x, beta=x.beta + 1)


POSITIVE = Assumption[Linear]("η > 0", lambda x: x.eta > 0, Linear(F(1), F(1), F(1), F(1), F(1, 4)))

infinite_horizon_bias: Claim[Linear] = Claim(
    statement="p_Δ = wΔ/(1 − e^{−ηΔ}), and p(1 + ηΔ/2) ≤ p_Δ ≤ p(1 + ηΔ/2 + η²Δ²/12), p = w/η, η > 0",
    source=PAPER.at("linear-quadratic example; derived"),
    let=decoded(linear, 8),
    assume=[POSITIVE],
    then=Leq(
        lhs=numbers(
            lambda x: [
                mixed(x.expansion(1)),
                x.fixed,
                x.fixed - x.formula - mixed(TINY),
                x.formula - x.fixed - mixed(TINY),
            ]
        ),
        rhs=numbers(lambda x: [x.fixed, mixed(x.expansion(2)), 0, 0]),
    ),
    tight=Tight(Linear(F(-1, 2), F(1, 2), F(1, 2), F(1), F(1, 64)), within=1e-4),
    mutants=[
        Mutant("bias ηΔ", lhs=numbers(lambda x: [mixed(x.expansion(1, F(1))), mixed(0), mixed(0), mixed(0)])),
        Mutant("p_Δ is finite and positive for η ≤ 0 too", drop="η > 0"),
        Mutant("no bias", rhs=numbers(lambda x: [x.fixed, mixed(x.w / x.eta), 0, 0])),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
