"""The mean-square TD error and its limit, the quadratic variation.

MSTDE_n(θ) = (1/(2Δ))E Σ_i (D_i^θ)², Δ = T/n; QV(θ) = E∫ e^{−2βt}σ²(∂_xJ^θ)²dt;
K₁(θ) = E∫ e^{−2βt}[(g^θ)² + σ² ∂_xJ^θ · ∂_x(g^θ − r)]dt.  So Δ·MSTDE_n = ½QV + ½K₁Δ + O(Δ²).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Mutant,
    NotShown,
    Rate,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.errors import InvalidArgument
from rltheory.operators.time_polynomial import precise
from rltheory.solvers import MeanSquareTDRoot, ValueFamily
from rltheory.solvers.martingale_family import quadratic
from rltheory.solvers.martingale_grid import Grid

from .setting import BM_TOY, OU, PAPER, Setting, brownian, in_powers, law, mixed, numbers, plain, poly


@dataclass(frozen=True)
class Refined:
    """Let n grow at one θ."""

    x: Setting

    @cached_property
    def series(self) -> list[F]:
        """Constant and linear coefficient in Δ of E ΣD² (rational instances)."""
        return in_powers(self.x.squares, self.x.T, 2)

    @property
    def QV(self) -> Any:
        """QV(θ)."""
        weight = self.x.family.discount(2)
        return self.x.family.integral(weight * self.x.gamma(self.x.candidate, self.x.candidate))

    @property
    def drift(self) -> Any:
        """E∫ e^{−2βt}g²dt."""
        return self.x.family.integral(self.x.family.discount(2) * self.x.g * self.x.g)

    @property
    def cross(self) -> Any:
        """E∫ e^{−2βt}Γ(J^θ, g − r)dt."""
        weight = self.x.family.discount(2)
        return self.x.family.integral(weight * self.x.gamma(self.x.candidate, self.x.g - self.x.reward))

    @cached_property
    def K1(self) -> Any:
        """K₁(θ)."""
        return mixed(self.drift) + mixed(self.cross)


RAMP = Setting(
    (F(1), F(0), F(0), F(0), F(0)), F(1), F(1), F(0), (F(0), F(1)), (F(0),), ((1, (F(1),)),), (F(1),)
)
"""dX = dt, r = x."""


def refined(read: Reader) -> Refined:
    """Rational instances; one in four has no noise."""
    x = brownian(read)
    if read.below(4) == 0:
        b0, b1, _, s1, s2 = x.process
        x = replace(x, process=(b0, b1, F(0), s1, s2))
    return Refined(x)


mstde_limit: Claim[Refined] = Claim(
    statement="E ΣD² = QV(θ) + K₁(θ)Δ + O(Δ²); without noise QV = 0 and K₁ = ∫e^{−2βt}g²dt",
    source=PAPER.at("limit of the mean-square TD error (seen); order and K₁ derived"),
    let=decoded(refined, 40),
    assume=[],
    then=Eq(lhs=lambda x: x.series, rhs=lambda x: [x.QV, x.K1]),
    tight=Tight([Refined(BM_TOY), Refined(RAMP)], within=0),
    mutants=[
        Mutant("the limit is E∫e^{−2βt}g²dt (deterministic dynamics)", rhs=lambda x: [x.drift, x.K1]),
        Mutant("the limit is ½QV", rhs=lambda x: [x.QV / 2, x.K1]),
        Mutant("K₁ without its Γ term", rhs=lambda x: [x.QV, x.drift]),
        Mutant("K₁ with ∂_xg for ∂_x(g − r)", rhs=lambda x: [x.QV, x.K1 + with_reward(x)]),
    ],
    expect=CERTIFIED,
    draws=60,
)


def with_reward(x: Refined) -> Any:
    """E∫ Γ(J^θ, r)dt."""
    return mixed(x.x.family.integral(x.x.gamma(x.x.candidate, x.x.reward)))


# ---- the two public instances, with constants ------------------------------------------------
FORMS: dict[tuple[int, int], Any] = {}


@dataclass(frozen=True)
class AtTheta:
    """Let θ ∈ [−1, 1]² in the Brownian (0) or OU (1) instance."""

    which: int
    theta: tuple[F, F]

    @property
    def family(self) -> ValueFamily:
        """The instance."""
        return (BM_TOY, OU)[self.which].family

    def square(self, n: int) -> Any:
        """E ΣD² on n steps; the quadratic form of each n is computed once."""
        with precise():
            if (self.which, n) not in FORMS:
                FORMS[self.which, n] = Grid(self.family, n).square_form()
            return quadratic(FORMS[self.which, n], self.theta)

    @property
    def refined(self) -> Refined:
        """The same with K₁."""
        return Refined(replace((BM_TOY, OU)[self.which], theta=self.theta))

    @property
    def QV(self) -> Any:
        """QV(θ)."""
        return self.family.quadratic_variation(self.theta)

    def gap(self, n: int) -> Any:
        """|E ΣD² − QV|."""
        with precise():
            return plain(abs(mixed(self.square(n)) - mixed(self.QV)))

    @cached_property
    def first(self) -> Any:
        """K₁(θ)."""
        with precise():
            return self.refined.K1

    def remainder(self, n: int) -> Any:
        """|E ΣD² − QV − K₁Δ|."""
        with precise():
            return plain(abs(mixed(self.square(n)) - mixed(self.QV) - mixed(self.first) / n))


def at_theta(which: int) -> Any:
    """θ in sixteenths of [−1, 1]²; one in four near the corner (−1, −1), where the constants are attained."""

    def build(read: Reader) -> AtTheta:
        span = 33 if read.below(4) else 3
        return AtTheta(which, (F(read.below(span) - 16, 16), F(read.below(span) - 16, 16)))

    return decoded(build, 4)


CORNER = (F(-1), F(-1))
STEPS = (4, 8, 16, 32, 64, 128, 256, 512)

mstde_limit_brownian: Claim[AtTheta] = Claim(
    statement="Brownian instance: |E ΣD² − QV(θ)| ≤ (361/80)/n for θ ∈ [−1, 1]² and all n",
    source=PAPER.at("limit of the mean-square TD error (seen); constant derived"),
    let=at_theta(0),
    assume=[],
    then=Rate(
        lhs=lambda x, n: x.gap(n), rhs=lambda n: F(361, 80) / n, over=(1, 2, 3, 4, 8, 16, 32), resolution=0.05
    ),
    tight=Tight(AtTheta(0, CORNER), within=0.04),
    mutants=[
        Mutant(
            "order 1.05 at the same constant",
            then=Leq(
                lambda x: [x.gap(n) for n in (8, 32)], lambda x: [F(str(4.5125 * n**-1.05)) for n in (8, 32)]
            ),
        ),
        Mutant(
            "the limit is ½QV",
            then=Leq(
                lambda x: [abs(x.square(n) - x.QV / 2) for n in (8, 32)],
                lambda x: [F(361, 80) / n for n in (8, 32)],
            ),
        ),
    ],
    expect=CERTIFIED,
)

mstde_limit_ou: Claim[AtTheta] = Claim(
    statement="OU instance: |E ΣD² − QV(θ)| ≤ 1.802Δ for θ ∈ [−1, 1]² and n ≥ 4",
    source=PAPER.at("limit of the mean-square TD error (seen); constant derived"),
    let=at_theta(1),
    assume=[],
    then=Rate(lhs=lambda x, n: x.gap(n), rhs=lambda n: F(1802, 1000) / n, over=STEPS, resolution=0.05),
    tight=Tight(AtTheta(1, CORNER), within=0.001),
    mutants=[
        Mutant(
            "order 1.05 at the same constant",
            then=Leq(
                lambda x: [x.gap(n) for n in (4, 512)],
                lambda x: [F(str(1.802 / 4 * (n / 4) ** -1.05)) for n in (4, 512)],
            ),
        ),
        Mutant(
            "the limit is ½QV",
            then=Leq(
                numbers(lambda x: [abs(mixed(x.square(n)) - mixed(x.QV) / 2) for n in (64, 512)]),
                lambda x: [F(1802, 1000) / n for n in (64, 512)],
            ),
        ),
    ],
    expect=CERTIFIED,
)

mstde_limit_ou_second: Claim[AtTheta] = Claim(
    statement="OU instance: |E ΣD² − QV(θ) − K₁(θ)Δ| ≤ .663Δ² for θ ∈ [−1, 1]² and n ≥ 4",
    source=PAPER.at("derived"),
    let=at_theta(1),
    assume=[],
    then=Rate(
        lhs=lambda x, n: x.remainder(n), rhs=lambda n: F(663, 1000) / n**2, over=STEPS, resolution=0.05
    ),
    tight=Tight(AtTheta(1, (F(1), F(1))), within=0.001),
    mutants=[
        Mutant(
            "K₁ without its Γ term",
            then=Leq(
                numbers(lambda x: abs(mixed(x.square(64)) - mixed(x.QV) - mixed(x.refined.drift) / 64)),
                lambda x: F(663, 1000) / 64**2,
            ),
        ),
        Mutant(
            "E∫e^{−2βt}(g² + Γ(J, g))dt",
            then=Leq(
                numbers(
                    lambda x: abs(
                        mixed(x.square(64)) - mixed(x.QV) - (mixed(x.first) + discounted_reward(x)) / 64
                    )
                ),
                lambda x: F(663, 1000) / 64**2,
            ),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


def discounted_reward(x: AtTheta) -> Any:
    """E∫ e^{−2βt}Γ(J^θ, r)dt."""
    s = x.refined.x
    return mixed(s.family.integral(s.family.discount(2) * s.gamma(s.candidate, s.reward)))


# ---- no noise --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Noiseless:
    """Let dX = (b0 + b1 X)dt and the family contain J = h + θ°φ (φ = (J − h)/θ°)."""

    x: Setting

    @cached_property
    def family(self) -> ValueFamily:
        """φ_1 = J − h, so the truth is θ = 1; φ_2 = τ²x makes it two-dimensional."""
        f = self.x.family
        phi = [f.J - self.x.end, self.x.tau**2 * (self.x.end * 0 + 1)]
        return ValueFamily(f.process, f.x0, f.T, phi, f.reward, f.terminal, f.beta)

    @property
    def determined(self) -> bool:
        """True when the features are independent along the path."""
        try:
            return self.error(4) is not None
        except InvalidArgument:
            return False

    def error(self, n: int) -> Any:
        """n·‖θ_n − θ°‖_∞ of the minimiser of MSTDE_n."""
        theta = MeanSquareTDRoot(n=n).run(self.family).balls
        with precise():
            return n * max(abs(mixed(theta[0]) - 1), abs(mixed(theta[1])))


def noiseless(read: Reader) -> Noiseless:
    """Linear dynamics without noise, moving, with a reward that matters."""
    process, x0 = law(read, read.below(2))
    process = (1 + abs(process[0]), abs(process[1]), F(0), F(0), F(0))  # away from x0, for good
    r = poly(read, 1)
    x = Setting(
        process,
        1 + abs(x0),
        F(1),
        F(0),
        (r[0] + 1, F(1) + abs(r[1])),
        poly(read, 1),
        ((1, (F(1),)),),
        (F(0),),
    )
    return Noiseless(x)


DRIVEN = Noiseless(replace(RAMP, r=(F(1), F(1))))

mstde_limit_deterministic: Claim[Noiseless] = Claim(
    statement="no noise, truth in the family: minimisers of MSTDE_n have n‖θ_n−θ°‖ below 1.5 times that at 4",
    source=PAPER.at("mean-square TD errors are right for deterministic dynamics (recalled); rate derived"),
    let=decoded(noiseless, 30),
    assume=[
        Assumption(
            "the minimisers are determined", lambda x: x.determined, NotShown("there is none to speak of")
        )
    ],
    then=Leq(
        lhs=numbers(lambda x: [x.error(8), x.error(32)]),
        rhs=numbers(lambda x: [x.error(4) * mixed(F(3, 2))] * 2),
    ),
    tight=Tight(DRIVEN, within=0.4),
    mutants=[
        Mutant(
            "order 2",
            then=Leq(numbers(lambda x: x.error(32)), numbers(lambda x: x.error(4) * mixed(F(3, 2)) / 8)),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
