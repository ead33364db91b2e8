"""A Lipschitz reward makes a Lipschitz value, with the right constant; and the one commonly summarised."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from typing import Any

from flint import fmpq

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Erratum,
    Leq,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.checks.balls import root
from rltheory.kernels.exact import to_fmpq

from .setting import (
    PAPER,
    Linear,
    System,
    aligned,
    linear,
    powers,
    precise,
    scalar,
    spectral2,
    system,
    table,
    turning,
)

TIGHT: list[System] = [aligned(H=H, kind=k) for k in (0, 2, 3) for H in (1, 2, 4)]

finite: Claim[System] = Claim(
    statement="‖∇Q_H‖ ≤ δ Σ_{k<H} ρ^k, ρ = γA√(1 + B²)",
    source=PAPER.at("derived: the triangle inequality along the gradient recursion"),
    let=decoded(system),
    assume=[],
    then=Leq(lhs=lambda x: x.squared(x.H), rhs=lambda x: x.bound(x.rho, x.H)),
    tight=Tight(TIGHT, within=0),
    named={"two steps": scalar(gamma=F(3, 4))},
    mutants=[
        Mutant("as commonly summarised: δ√(Σ_{k<H} (γ²C)^k)", rhs=lambda x: x.summarised(x.H)),
        Mutant("Σ ρ^(k+1)", rhs=lambda x: x.bound(x.rho, x.H, 1)),
        Mutant("max(1, B) for √(1 + B²)", rhs=lambda x: x.bound(x.narrow, x.H)),
    ],
    expect=CERTIFIED,
)


# ---- infinite horizon ------------------------------------------------------------------------
@precise
def signed(delta2: Any, left: Any) -> Any:
    """sign(left)·(δ/left)²: the square of a bound δ/left, negative where the bound is; NaN at 0."""
    if left > 0:
        return delta2 / left**2
    return -delta2 / left**2 if left < 0 else float("nan")


@precise
def summarised_limit(x: Linear) -> Any:
    """δ²/(1 − γ²C) where γ²C < 1; elsewhere the summarised bound says nothing, and neither does this."""
    left = 1 - x.gamma2C
    return x.delta2 / left if left > 0 else x.limit2


def contracting(x: Linear) -> bool:
    """ρ < 1, surely."""
    return bool(x.rho < 1)


ONE, NONE = table([1]), table([0])
CORNER = Linear(table([[0]]), table([[2]]), table([[0]]), ONE, NONE, F(9, 10))

infinite: Claim[Linear] = Claim(
    statement="ρ = γA√(1 + B²) < 1: ‖∇Q_∞‖ ≤ δ/(1 − ρ)",
    source=PAPER.at("derived: the limit of the finite horizons"),
    let=decoded(linear),
    assume=[Assumption("ρ < 1", contracting, fails_without=CORNER)],
    then=Leq(lhs=lambda x: x.limit2, rhs=lambda x: signed(x.delta2, 1 - x.rho)),
    tight=Tight([aligned(kind=k, gamma=F(1, 2), A=F(3, 4)) for k in (0, 2, 3)], within=0),
    named={"f = cs": scalar(F(9, 10), F(9, 10)), "f = r = (3s + 4a)/5, μ = s": turning(F(3, 5))},
    mutants=[
        Mutant("as commonly summarised: δ/√(1 − γ²C)", rhs=summarised_limit),
        Mutant("max(1, B) for √(1 + B²)", rhs=lambda x: signed(x.delta2, 1 - x.narrow)),
        Mutant("any ρ", drop="ρ < 1"),
    ],
    expect=CERTIFIED,
)

SUMMARY = "the bound as commonly summarised, C = A²max(1, B²), γ²C < 1"

summarised: Erratum[Linear] = Erratum(
    statement=(
        "‖∇Q‖ ≤ δ/√(1 − γ²C).  At f(s, a) = s, μ ≡ 0, r(s, a) = s, γ = 3/5: A = δ = C = 1, B = 0, "
        "Q(s, a) = (5/2)s, so ‖∇Q‖ = 5/2 > 5/4; the corrected δ/(1 − γA√(1 + B²)) = 5/2 holds with equality"
    ),
    source=PAPER.at(SUMMARY),
    then=Leq(lambda x: x.limit2, summarised_limit),
    counterexample=scalar(F(1), F(3, 5)),
    corrected=infinite,
    known_as="commonly summarised",
)

summarised_finite: Erratum[System] = Erratum(
    statement=(
        "‖∇Q_H‖ ≤ δ√(Σ_{k<H} (γ²C)^k).  At f(s, a) = s, μ ≡ 0, r(s, a) = s, γ = 3/4, H = 2: 7/4 > 5/4; "
        "the corrected δΣ_{k<H} ρ^k = 7/4 holds with equality"
    ),
    source=PAPER.at(SUMMARY),
    then=Leq(lambda x: x.squared(x.H), lambda x: x.summarised(x.H)),
    counterexample=scalar(F(1), F(3, 4), 2),
    corrected=finite,
    known_as="commonly summarised",
)


# ---- the threshold ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Turning:
    """Let f = r = (ps + qa)/h, p² + q² = h², and μ = s: γ²C = γ² < 1 whatever γ."""

    p: int
    q: int
    h: int
    gamma: F
    H: int

    @property
    def system(self) -> Linear:
        """The system."""
        return turning(self.gamma, self.p, self.q, self.h)

    @property
    def loop(self) -> F:
        """(p + q)/h, the closed loop."""
        return F(self.p + self.q, self.h)

    @property
    def growth(self) -> F:
        """γ(p + q)/h."""
        return self.gamma * self.loop

    @property
    def step2(self) -> fmpq:
        """‖∇(r ∘ one step)‖², γ removed."""
        x = self.system
        g = x.J @ x.dr
        return to_fmpq((g * g).sum())


PYTHAGOREAN = ((3, 4, 5), (5, 12, 13), (20, 21, 29), (8, 15, 17), (7, 24, 25))


def turns(read: Reader) -> Turning:
    """γ from 1/64 to 63/64, or just 1/loop."""
    p, q, h = read.pick(PYTHAGOREAN)
    gamma = F(1 + read.below(63), 64) if read.below(4) else F(h, p + q)
    return Turning(p, q, h, gamma, 1 + read.below(12))


threshold: Claim[Turning] = Claim(
    statement="f = r = (ps + qa)/h, μ = s: γ²C = γ² < 1, yet ‖∇Q_H‖ ≥ H wherever γ(p + q)/h ≥ 1",
    source=PAPER.at("derived: γ²C < 1 does not even imply that ∇Q is finite"),
    let=decoded(turns, 6),
    assume=[
        Assumption("γ(p + q)/h ≥ 1", lambda x: x.growth >= 1, fails_without=Turning(3, 4, 5, F(3, 5), 4)),
        Assumption(
            "γ < 1", lambda x: x.gamma < 1, NotShown("γ ≥ 1 grows as well; but then the summary says nothing")
        ),
    ],
    then=Leq(lhs=lambda x: F(x.H) ** 2, rhs=lambda x: x.system.squared(x.H)),
    tight=Tight([Turning(3, 4, 5, F(5, 7), H) for H in (1, 2, 9)], within=0),
    mutants=[
        Mutant(
            "bounded by the summary, δ/√(1 − γ²C)",
            then=Leq(lambda x: x.system.squared(x.H), lambda x: summarised_limit(x.system)),
        ),
        Mutant(
            "a step costs at most √C: ‖∇(r ∘ step)‖² ≤ C‖∇r‖²",
            then=Leq(lambda x: x.step2, lambda x: x.system.C),
        ),
    ],
    expect=CERTIFIED,
)

threshold_below: Claim[Turning] = Claim(
    statement="the same system below the threshold: ∇Q_∞ = (p, q)/h · 1/(1 − γ(p + q)/h)",
    source=PAPER.at("derived"),
    let=decoded(turns, 6),
    assume=[Assumption("γ(p + q)/h < 1", lambda x: x.growth < 1, fails_without=Turning(3, 4, 5, F(4, 5), 1))],
    then=Eq(
        lhs=lambda x: x.system.limit if x.growth < 1 else x.system.gradient(40),
        rhs=lambda x: [F(k, x.h) / (1 - x.growth) if x.growth != 1 else F(0) for k in (x.p, x.q)],
    ),
    tight=Tight(Turning(3, 4, 5, F(3, 5), 1), within=0),
    mutants=[
        Mutant("closed loop h for p + q", rhs=lambda x: [F(k, x.h) / (1 - x.gamma) for k in (x.p, x.q)]),
    ],
    expect=CERTIFIED,
)


# ---- variants --------------------------------------------------------------------------------
@precise
def sum_of_squares(x: System, times: int) -> Any:
    """times·δ² Σ_{k<H} ρ^{2k}."""
    return times * x.delta2 * powers(x.rho * x.rho, x.H)


cs_variant: Claim[System] = Claim(
    statement="‖∇Q_H‖² ≤ H δ² Σ_{k<H} ρ^{2k}",
    source=PAPER.at("derived: what an argument by sums of squares gives"),
    let=decoded(system),
    assume=[],
    then=Leq(lhs=lambda x: x.squared(x.H), rhs=lambda x: sum_of_squares(x, x.H)),
    tight=Tight([aligned(F(16, 15), 0, F(3, 4), H=H) for H in (1, 2, 5)], within=0),
    mutants=[Mutant("without H", rhs=lambda x: sum_of_squares(x, 1))],
    expect=CERTIFIED,
)


def loop2(x: Linear) -> Any:
    """K_cl² = ‖M + NK‖²."""
    return spectral2(x.loop)


@precise
def loop_bound(x: Linear, *, front: bool = True) -> Any:
    """(δ√(1 + B²)/(1 − γK_cl))²."""
    inside = signed(x.delta2, 1 - to_fmpq(x.gamma) * root(loop2(x)))
    return inside * (1 + x.B2) if front else inside


@precise
def product2(x: Linear) -> Any:
    """A²(1 + B²)."""
    return x.A2 * (1 + x.B2)


SHEAR = Linear(table([[0, 2], [0, 0]]), table([[0], [0]]), table([[0, 0]]), table([1, 0]), NONE, F(9, 10))
"""A nilpotent loop: Q is finite although γK_cl = 9/5."""

closed_loop: Claim[Linear] = Claim(
    statement="γK_cl < 1, K_cl = ‖D_sf + D_af·Dμ‖: ‖∇V‖ ≤ δ√(1 + B²)/(1 − γK_cl); and K_cl ≤ A√(1 + B²)",
    source=PAPER.at("derived"),
    let=decoded(linear),
    assume=[
        Assumption("γK_cl < 1", lambda x: bool(to_fmpq(x.gamma) ** 2 * loop2(x) < 1), fails_without=SHEAR)
    ],
    then=Leq(lhs=lambda x: [x.value2, loop2(x)], rhs=lambda x: [loop_bound(x), product2(x)]),
    tight=Tight([aligned(kind=k, gamma=F(1, 2), A=F(3, 4)) for k in (0, 2)], within=0),
    mutants=[Mutant("without √(1 + B²)", rhs=lambda x: [loop_bound(x, front=False), product2(x)])],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
