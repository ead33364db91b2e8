"""CTD(0) on policy: its matrix has a positive semidefinite symmetric part.

A = −E∫ξ e^{−βt}((∂_t + L − β)φ)ᵀdt with ξ = φ or e^{−βt}φ; f = θᵀφ, f(T, ·) = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from rltheory.checks import (
    CERTIFIED,
    Claim,
    Eq,
    Leq,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.operators import TimePolynomial

from .setting import (
    BM_TOY,
    OU,
    PAPER,
    TINY,
    Feature,
    Setting,
    mixed,
    numbers,
    poly,
    setting,
)


@dataclass(frozen=True)
class Quadratic:
    """Let f = θᵀφ = τ^j p(x) (j ≥ 1 makes f(T) = 0) along a process of `x`."""

    x: Setting
    f: Feature

    @cached_property
    def function(self) -> TimePolynomial:
        """f."""
        return self.x.function(self.f)

    def form(self, weight: int) -> Any:
        """θᵀAθ = −E∫ξ e^{−βt}(∂_t + L − β)f dt with ξ = e^{−(weight−1)βt}f."""
        f = self.x.family
        return -mixed(f.integral(f.discount(weight) * self.function * f.drift_residual(self.function)))

    def formula(self, weight: int, half: F = F(1, 2)) -> Any:
        """½f(0, x0)² + ½E∫e^{−weight·βt}σ²(∂_xf)²dt, and (β/2)E∫e^{−βt}f²dt for weight 1."""
        fam, f = self.x.family, self.function
        out = mixed(f.at(0, self.x.x0)) ** 2 / 2
        out = out + mixed(half) * mixed(fam.integral(fam.discount(weight) * self.x.gamma(f, f)))
        if weight == 1:
            out = out + mixed(self.x.beta) / 2 * mixed(fam.integral(fam.discount() * f * f))
        return out

    def ending(self, weight: int) -> Any:
        """½E e^{−weight·βT}f(T, X_T)²."""
        fam, f = self.x.family, self.function
        return mixed(fam.mean(fam.discount(weight) * f * f).at_time(self.x.T).number()) / 2

    @property
    def frozen(self) -> Any:
        """θᵀAθ when the states learned from never leave x0: −∫e^{−βt}f·(∂_t + L − β)f dt at x0."""
        f = self.x.family
        g = f.discount() * self.function * f.drift_residual(self.function)
        return -mixed(g.at_state(self.x.x0).integral(0, self.x.T).number())


def quadratic(read: Reader) -> Quadratic:
    """Any process."""
    x = setting(read, q=1, feature_degree=1)
    return Quadratic(x, (1 + read.below(2), poly(read, 2)))


def open_ended(read: Reader) -> Quadratic:
    """f(T) ≠ 0."""
    x = quadratic(read)
    return replace(x, f=(0, (1 + abs(x.f[1][0]), *x.f[1][1:])))


def explosive(read: Reader) -> Quadratic:
    """f = τx, target dynamics dX = κX dt, learned from a state that does not move."""
    x = quadratic(read)
    kappa, T = F(1 + read.below(8), 2), F(1 + read.below(3))
    moved = replace(x.x, process=(F(0), kappa, F(0), F(0), F(0)), beta=F(0), T=T, x0=F(1))
    return replace(x, x=moved, f=(1, (F(0), F(1))))


STEEP = Quadratic(replace(OU, T=F(1)), (1, (F(1), F(1), F(1))))

ctd0_positive: Claim[Quadratic] = Claim(
    statement=(
        "on policy, f = θᵀφ: θᵀAθ = ½f(0, x0)² + ½E∫e^{−βt}σ²(∂_xf)²dt + (β/2)E∫e^{−βt}f²dt for ξ = φ, "
        "½f(0, x0)² + ½E∫e^{−2βt}σ²(∂_xf)²dt for ξ = e^{−βt}φ"
    ),
    source=PAPER.at("derived: Itô's formula for e^{−βt}f²"),
    let=decoded(quadratic, 40),
    assume=[],
    then=Eq(
        lhs=numbers(lambda x: [x.form(1), x.form(2)]),
        rhs=numbers(lambda x: [x.formula(1), x.formula(2)]),
        within=TINY,
    ),
    tight=Tight(STEEP, within=0),
    mutants=[
        Mutant("f(T) need not vanish", let=decoded(open_ended, 40)),
        Mutant("1 for ½", rhs=numbers(lambda x: [x.formula(1, F(1)), x.formula(2, F(1))])),
    ],
    expect=CERTIFIED,
    draws=70,
)

ctd0_positive_open: Claim[Quadratic] = Claim(
    statement="f(T) ≠ 0: the two right sides gain −½E e^{−βT}f(T, X_T)² and −½E e^{−2βT}f(T, X_T)²",
    source=PAPER.at("derived: Itô's formula for e^{−βt}f²"),
    let=decoded(open_ended, 40),
    assume=[],
    then=Eq(
        lhs=numbers(lambda x: [x.form(1), x.form(2)]),
        rhs=numbers(lambda x: [x.formula(1) - x.ending(1), x.formula(2) - x.ending(2)]),
        within=TINY,
    ),
    tight=Tight(replace(STEEP, f=(0, (F(1), F(1), F(1)))), within=0),
    mutants=[
        Mutant("nothing is gained", rhs=numbers(lambda x: [x.formula(1), x.formula(2)])),
        Mutant(
            "both gain −½E e^{−βT}f(T, X_T)²",
            rhs=numbers(lambda x: [x.formula(1) - x.ending(1), x.formula(2) - x.ending(1)]),
        ),
    ],
    expect=CERTIFIED,
    draws=70,
)

RISING = replace(
    STEEP, x=replace(OU, process=(F(0), F(2), F(0), F(0), F(0)), beta=F(0), x0=F(1)), f=(1, (F(0), F(1)))
)
"""f = τx, dX = 2X dt: frozen at x0 = 1 the form is ½ − ⅔ < 0."""

ctd0_positive_sign: Claim[Quadratic] = Claim(
    statement="so θᵀAθ ≥ ½f(0, x0)² on policy: the mean ODE of CTD(0) never moves away from its root",
    source=PAPER.at("derived"),
    let=decoded(quadratic, 40),
    assume=[],
    then=Leq(
        lhs=numbers(lambda x: [mixed(x.function.at(0, x.x.x0)) ** 2 / 2] * 2),
        rhs=numbers(lambda x: [x.form(1), x.form(2)]),
    ),
    tight=Tight(Quadratic(BM_TOY, (1, (F(1),))), within=0),
    mutants=[
        Mutant(
            "also when the states learned from stay at x0 (off policy, κT > 3/2)",
            then=Leq(lambda x: 0, numbers(lambda x: x.frozen)),
        ),
        Mutant("f(T) need not vanish", let=decoded(open_ended, 40)),
    ],
    expect=CERTIFIED,
    draws=70,
)


@dataclass(frozen=True)
class OffPolicy:
    """Let f = τx, target generator κx∂_x, and a behaviour that stays at x0."""

    kappa: F
    T: F
    x0: F

    @property
    def quadratic(self) -> Quadratic:
        """The same as a form."""
        x = replace(OU, process=(F(0), self.kappa, F(0), F(0), F(0)), beta=F(0), T=self.T, x0=self.x0)
        return Quadratic(x, (1, (F(0), F(1))))


ctd0_positive_off_policy: Claim[OffPolicy] = Claim(
    statement="off policy A = x0²(T²/2 − κT³/3), negative iff κT > 3/2: CTD(0) then diverges",
    source=PAPER.at("derived"),
    let=decoded(lambda read: OffPolicy(read.number(3), F(1 + read.below(8), 2), F(1 + read.below(4), 2)), 8),
    assume=[],
    then=Eq(
        lhs=numbers(lambda x: x.quadratic.frozen), rhs=lambda x: x.x0**2 * (x.T**2 / 2 - x.kappa * x.T**3 / 3)
    ),
    tight=Tight(OffPolicy(F(2), F(1), F(1)), within=0),
    mutants=[
        Mutant("as on policy: ½x0²T²", rhs=lambda x: x.x0**2 * x.T**2 / 2),
        Mutant("it is never negative", then=Leq(lambda x: 0, numbers(lambda x: x.quadratic.frozen))),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
