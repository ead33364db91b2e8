"""The martingale loss ML(θ) = ½E∫ (M_T^θ − M_t^θ)²dt, and what its minimiser is.

ML(θ) = ½E∫ e^{−2βt}(J − J^θ)²dt + ½E∫ t d⟨M⟩_t: the projection of J, plus a constant.  The left side comes
from first and second moments of the reward to come (two backward equations), the right side from J.
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
from rltheory.kernels import ball
from rltheory.operators import TimePolynomial, coordinates
from rltheory.operators.time_polynomial import precise
from rltheory.solvers import CTDRoot, MartingaleLossRoot, MeanSquareTDRoot
from rltheory.solvers.martingale_grid import Grid

from .setting import BM_TOY, OU, PAPER, TINY, Setting, brownian, mixed, numbers, setting


def slope_weighted(x: Setting, weight: TimePolynomial) -> Any:
    """½E∫ w(t) d⟨M⟩_t of the true martingale."""
    J = x.family.J
    return mixed(x.family.integral(weight * x.family.discount(2) * x.gamma(J, J))) / 2


def half_error(x: Setting) -> Any:
    """½E∫ e^{−2βt}(J − J^θ)²dt."""
    gap = x.family.J - x.candidate
    return mixed(x.family.integral(x.family.discount(2) * gap * gap)) / 2


def time(x: Setting) -> TimePolynomial:
    """t."""
    return coordinates(x.T)[0]


BASIC = replace(OU, theta=(F(1, 3), F(-2)))

ml_identity: Claim[Setting] = Claim(
    statement="ML(θ) = ½E∫e^{−2βt}(J − J^θ)²dt + ½E∫t d⟨M⟩_t",
    source=PAPER.at("martingale loss is mean-square value error (seen); constant derived"),
    let=decoded(lambda read: setting(read, feature_degree=1), 40),
    assume=[],
    then=Eq(
        lhs=numbers(lambda x: x.family.martingale_loss(x.theta)),
        rhs=numbers(lambda x: half_error(x) + slope_weighted(x, time(x))),
        within=TINY,
    ),
    tight=Tight([BASIC, BM_TOY], within=0),
    mutants=[
        Mutant(
            "constant ½T·E⟨M⟩_T",
            rhs=numbers(lambda x: half_error(x) + slope_weighted(x, TimePolynomial.constant(x.T))),
        ),
        Mutant(
            "constant ½E∫(T − t)d⟨M⟩", rhs=numbers(lambda x: half_error(x) + slope_weighted(x, x.T - time(x)))
        ),
        Mutant(
            "½ in front of neither", rhs=numbers(lambda x: 2 * half_error(x) + slope_weighted(x, time(x)))
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- the minimiser ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Fitted:
    """Let the features be independent and λ ∈ (0, 1]."""

    x: Setting
    lam: F = F(1)

    @cached_property
    def minimiser(self) -> list[Any]:
        """Of ML, by the library."""
        return [mixed(v) for v in MartingaleLossRoot().run(self.x.family).balls]

    @cached_property
    def from_values(self) -> list[Any]:
        """Of the quadratic through ML at 0, e_k, e_j + e_k: no normal equations."""
        q = len(self.x.features)

        def at(*ones: int) -> Any:
            theta = [F(ones.count(k)) for k in range(q)]
            return mixed(self.x.family.martingale_loss(theta))

        zero, unit = at(), [at(k) for k in range(q)]
        H = np.array(
            [[at(k, m) - unit[k] - unit[m] + zero for m in range(q)] for k in range(q)], dtype=object
        )
        linear = [unit[k] - zero - H[k, k] / 2 for k in range(q)]
        return list(ball.solve_linear(H, [-v for v in linear]))

    @cached_property
    def undiscounted(self) -> list[Any]:
        """Projection of J with weight 1."""
        f = self.x.family
        gap = f.J - f.phi0
        H = [[f.integral(u * v) for v in f.features] for u in f.features]
        return list(ball.solve_linear(ball.balls(H), ball.balls([f.integral(u * gap) for u in f.features])))

    @property
    def independent(self) -> bool:
        """True when every root is determined."""
        try:
            return bool(self.minimiser and self.traced)
        except InvalidArgument:
            return False

    @cached_property
    def traced(self) -> list[Any]:
        """θ of CTD(λ)."""
        return [mixed(v) for v in CTDRoot(lam=self.lam).run(self.x.family).balls]

    def error(self, theta: list[Any]) -> Any:
        """MSVE, from its definition."""
        f = self.x.family
        gap = f.J - f.candidate(theta)
        return mixed(f.integral(f.discount(2) * gap * gap))

    @cached_property
    def untraced(self) -> list[Any]:
        """θ of CTD(0), ξ = φ."""
        return [mixed(v) for v in CTDRoot().run(self.x.family).balls]

    @cached_property
    def flattest(self) -> list[Any]:
        """θ of least quadratic variation; 0 where it does not matter."""
        return [mixed(0 if v is None else v) for v in MeanSquareTDRoot().run(self.x.family).balls]


DETERMINED = Assumption[Fitted](
    "features are independent and the conditions determine θ",
    lambda x: x.independent,
    NotShown("without it there is no θ to speak of: the solver refuses"),
)


def discounted(read: Reader) -> Fitted:
    """β > 0, Brownian motion or OU."""
    x = setting(read, feature_degree=1)
    return Fitted(replace(x, beta=read.pick((F(1, 2), F(1))), r=(*x.r[:2], F(1) + abs(x.r[2]))))


ml_identity_argmin: Claim[Fitted] = Claim(
    statement="argmin ML is the projection of J in L²(e^{−2βt}dt ⊗ P)",
    source=PAPER.at("martingale loss is mean-square value error (seen)"),
    let=decoded(discounted, 40),
    assume=[DETERMINED],
    then=Eq(lhs=numbers(lambda x: x.from_values), rhs=numbers(lambda x: x.minimiser), within=TINY),
    tight=Tight(Fitted(OU), within=0),
    mutants=[
        Mutant("with the undiscounted weight", rhs=numbers(lambda x: x.undiscounted)),
        Mutant("it is the root of CTD(0)", rhs=numbers(lambda x: x.untraced)),
    ],
    expect=CERTIFIED,
    draws=60,
)


def misfitted(read: Reader) -> Fitted:
    """λ = 1 for Brownian motion, where everything is rational; λ < 1 elsewhere; one feature is free of x."""
    lam = read.pick((F(1), F(1, 2), F(1, 8), F(3, 4)))
    x = brownian(read) if lam == 1 else setting(read, feature_degree=1)
    features = ((1 + read.below(2), (F(1),)), (1, (read.number(1), F(2))))
    return Fitted(replace(x, features=features, r=(*x.r[:2], F(1) + abs(x.r[2]))), lam)


ml_offmodel_best: Claim[Fitted] = Claim(
    statement="MSVE(θ_ML) ≤ MSVE(θ_CTD(λ)) for every λ, ≤ MSVE of CTD(0) and of least quadratic variation",
    source=PAPER.at("martingale loss is best in mean square (seen)"),
    let=decoded(misfitted, 40),
    assume=[DETERMINED],
    then=Leq(
        lhs=numbers(lambda x: [x.error(x.minimiser)] * 3),
        rhs=numbers(lambda x: [x.error(x.traced), x.error(x.untraced), x.error(x.flattest)]),
    ),
    tight=Tight(Fitted(BM_TOY), within=0),
    named={"OU, λ = ½": Fitted(OU, F(1, 2))},
    mutants=[
        Mutant(
            "by a thousandth at least, for every λ",
            lhs=numbers(lambda x: [mixed(F(1001, 1000)) * x.error(x.minimiser), mixed(0), mixed(0)]),
        ),
        Mutant(
            "CTD(0) is better",
            then=Leq(numbers(lambda x: x.error(x.untraced)), numbers(lambda x: x.error(x.minimiser))),
        ),
    ],
    expect=CERTIFIED,
    draws=70,
)


# ---- CTD(1) ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Systems:
    """Let n be a number of steps."""

    x: Setting
    n: int

    def columns(self, lam: F) -> list[Any]:
        """Columns of the moments of CTD(λ): continuous, then on the grid."""
        return [CTDRoot(lam=lam).columns(self.x.family), CTDRoot(lam=lam, n=self.n).columns(self.x.family)]

    @property
    def gradients(self) -> list[Any]:
        """−∇ML as columns of (1, θ), from the projection; and of ML_n from values of the sampled problem."""
        with precise():
            H = self.x.family.error_form
            return [np.array([[-mixed(v) for v in row] for row in H[1:]]), Grid(self.x.family, self.n).loss()]


def flat(parts: list[Any]) -> list[Any]:
    """All entries."""
    return [mixed(v) for part in parts for v in np.asarray(part, dtype=object).reshape(-1)]


pathwise_ctd1_systems: Claim[Systems] = Claim(
    statement="E∫(∫_0^t ξ_s ds)dM_t^θ = −∇ML(θ), ξ_s = e^{−βs}φ; on grids too: CTD(1) and ML have one system",
    source=PAPER.at("CTD(1) and the martingale loss (equality of objectives seen); identity derived"),
    let=decoded(lambda read: Systems(setting(read, feature_degree=1), 1 + read.below(4)), 40),
    assume=[],
    then=Eq(
        lhs=numbers(lambda x: flat(x.columns(F(1)))), rhs=numbers(lambda x: flat(x.gradients)), within=TINY
    ),
    tight=Tight(Systems(OU, 8), within=0),
    mutants=[
        Mutant("so has CTD(½)", lhs=numbers(lambda x: flat(x.columns(F(1, 2))))),
        Mutant("−½∇ML", rhs=numbers(lambda x: [v / 2 for v in flat(x.gradients)])),
    ],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
