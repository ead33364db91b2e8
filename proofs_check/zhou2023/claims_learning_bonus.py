"""Bonuses and confidence boxes: what holds for one law.

𝕍(p, v) = Σpv² − (Σpv)²; x = ι/n.  The box around P̂ holds the laws with |p − P̂| ≤ 2√(P̂x) + 5x.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Leq,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)

from .learning import UP, Law, less, mean, plus, read_law, root, square_root, variance
from .setting import PAPER


# ---- 12: the bonus is monotone -------------------------------------------------------------
@dataclass(frozen=True)
class Raise:
    """Let p be a law, v ≤ w values, x > 0, and c₁², c₂ constants of f(v) = p·v + max{c₁√(𝕍(p,v)x), c₂x}."""

    p: Law
    v: Law
    w: Law
    x: F
    c1sq: F
    c2: F

    def fall(self, c1sq: F | None = None, c2: F | None = None) -> Any:
        """Fall of the bonus from v to w."""
        a, b = self.c1sq if c1sq is None else c1sq, self.c2 if c2 is None else c2
        before, after = (max(a * variance(self.p, y) * self.x, (b * self.x) ** 2) for y in (self.v, self.w))
        return F(0) if before == after else less(square_root(before), square_root(after))

    @property
    def gain(self) -> F:
        """p·(w − v)."""
        return mean(self.p, self.w) - mean(self.p, self.v)


def kink(eta: F, kappa: F, c1sq: F, c2: F, *, at: tuple[F, F] | None = None) -> Raise:
    """The witness: p = (1−η, η), x just below the kink, v = (1,0) → (1,κ/2); constants `at` if given."""
    x = (1 - kappa) ** 2 * c1sq / c2**2 * eta * (1 - eta)
    one, two = (c1sq, c2) if at is None else at
    return Raise((1 - eta, eta), (F(1), F(0)), (F(1), kappa / 2), x, one, two)


def read_raise(read: Reader) -> Raise:
    """Near the kink, or anything."""
    c1sq = read.pick([F(1), F(2), F(16), F(32), F(1, 4)])
    c2 = c1sq * read.pick([F(1), F(99, 100), F(1), F(3, 2), F(1, 2)])
    if read.below(2):
        eta, kappa = (read.pick([F(1, 10), F(1, 100), F(1, 400), F(1, 3)]) for _ in range(2))
        return kink(eta, kappa, c1sq, c2)
    n = 2 + read.below(3)
    p = tuple(read_law(read, n))
    v = tuple(F(read.below(9), 8) for _ in range(n))
    w = tuple(a + (1 - a) * F(read.below(5), 16) for a in v)
    return Raise(p, v, w, F(1 + read.below(20), read.pick([10, 100, 1000])), c1sq, c2)


SHARP = "c₁² ≤ c₂"
monotone_bonus: Claim[Raise] = Claim(
    statement="c₁² ≤ c₂, 0 ≤ v ≤ w ≤ 1: the bonus max{c₁√(𝕍(p,v)x), c₂x} falls by at most p·(w − v)",
    source=PAPER.at("monotonicity of the bonus; derived: where the root is active √(x/𝕍) ≤ c₁/c₂"),
    let=decoded(read_raise, size=40),
    assume=[
        Assumption(
            SHARP, lambda y: y.c1sq <= y.c2, fails_without=kink(F(1, 400), F(1, 400), F(1), F(99, 100))
        ),
        Assumption(
            "0 ≤ v ≤ w ≤ 1",
            lambda y: all(0 <= a <= b <= 1 for a, b in zip(y.v, y.w)),
            fails_without=Raise(
                (F(99, 100), F(1, 100)),
                (F(2), F(0)),
                (F(2), F(1, 1000)),
                4 * (1 - F(1, 100)) ** 2 * F(99, 10_000),
                F(1),
                F(1),
            ),
        ),
    ],
    then=Leq(lhs=lambda y: y.fall(), rhs=lambda y: y.gain),
    tight=Tight(kink(F(1, 1000), F(1, 1000), F(1), F(1)), within=0.0021),
    named={"Γ = 2 just below the kink": kink(F(1, 10), F(1, 10), F(32), F(16), at=(F(32), F(32)))},
    mutants=[
        Mutant("c₂ = 0.99c₁²", drop=SHARP),
        Mutant("c₂ = 16 with Γ = 2", then=Leq(lambda y: y.fall(F(32), F(16)), lambda y: y.gain)),
        Mutant("by at most (1 − c₁²/c₂) p·(w − v)", rhs=lambda y: (1 - y.c1sq / y.c2) * y.gain),
    ],
    expect=CERTIFIED,
)


# ---- 13: the bonus dominates the box ---------------------------------------------------------
@dataclass(frozen=True)
class Box:
    """Let P̂ be a law on S states, x = ι/n > 0 and v in [0,1]^S."""

    P_hat: Law
    x: F
    v: Law

    @property
    def S(self) -> int:
        """Number of states."""
        return len(self.v)

    @cached_property
    def support(self) -> int:
        """|supp P̂|."""
        return sum(1 for p in self.P_hat if p != 0)

    @cached_property
    def gain(self) -> F:
        """max{(P − P̂)·v : P in the box}, half-widths rounded up."""
        half = [root(4 * p * self.x, UP) + 5 * self.x for p in self.P_hat]
        law = [max(F(0), p - h) for p, h in zip(self.P_hat, half)]
        left = 1 - sum(law)
        for u in sorted(range(self.S), key=lambda u: self.v[u], reverse=True):
            step = min(left, min(F(1), self.P_hat[u] + half[u]) - law[u])
            law[u], left = law[u] + step, left - step
        return mean(tuple(law), self.v) - mean(self.P_hat, self.v)

    @cached_property
    def u(self) -> F:
        """|supp P̂|·𝕍(P̂, v)·x."""
        return self.support * variance(self.P_hat, self.v) * self.x

    @property
    def width(self) -> Any:
        """2√(|supp P̂|𝕍x) + 5Sx."""
        return plus(square_root(4 * self.u), 5 * self.S * self.x)

    def larger(self, c: int, d: int) -> F:
        """The square of max{c√(|supp P̂|𝕍x), dSx}."""
        return max(c**2 * self.u, (d * self.S * self.x) ** 2)


HALVES = (F(1, 2), F(1, 2))
CORNER = Box(HALVES, F(1, 10**6), (F(1), F(0)))
MEET = Box(HALVES, F(1, 50), (F(1), F(0)))


def read_box(read: Reader) -> Box:
    """A law, a rate of any size, values."""
    n = 2 + read.below(3)
    x = F(1 + read.below(9), read.pick([10**4, 10**6, 10**2, 10, 10**3]))
    return Box(tuple(read_law(read, n)), x, tuple(F(read.pick([0, 8, 4, 1, 7, 2, 5]), 8) for _ in range(n)))


bonus_dominates_box: Claim[Box] = Claim(
    statement="P in the box, v ∈ [0,1]^S: (P − P̂)·v ≤ 2√(|supp P̂|·𝕍(P̂,v)·ι/n) + 5Sι/n",
    source=PAPER.at("optimism of the value bonus; derived: centre v, Cauchy–Schwarz on supp P̂"),
    let=decoded(read_box, size=30),
    assume=[],
    then=Leq(lhs=lambda y: y.gain, rhs=lambda y: y.width),
    tight=Tight(CORNER, within=0.0036),
    mutants=[
        Mutant(
            "without |supp P̂|",
            rhs=lambda y: plus(square_root(4 * y.u / y.support), 5 * y.S * y.x),
        ),
        Mutant("1 for 2 in the root, 0 for 5S", rhs=lambda y: square_root(y.u)),
    ],
    expect=CERTIFIED,
)

bonus_dominates_box_chain: Claim[Box] = Claim(
    statement="2√u + 5Sx ≤ max{4√u, 10Sx} ≤ max{4√u, 16Sx} = B,  u = |supp P̂|·𝕍(P̂,v)·x",
    source=PAPER.at("optimism of the value bonus; derived"),
    let=decoded(read_box, size=30),
    assume=[],
    then=Leq(
        lhs=lambda y: [y.width, y.larger(4, 10)],
        rhs=lambda y: [square_root(y.larger(4, 10)), y.larger(4, 16)],
    ),
    tight=Tight(MEET, within=0),
    mutants=[
        Mutant(
            "max{3√u, 10Sx} is enough",
            then=Leq(lambda y: y.width, lambda y: square_root(y.larger(3, 10))),
        ),
        Mutant("max{4√u, 9Sx} is enough", then=Leq(lambda y: y.width, lambda y: square_root(y.larger(4, 9)))),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
