"""Without contraction no smoothness of the reward helps: a value that is Hölder and nowhere Lipschitz.

f(s) = 3s mod 1 on the circle, no action, r(s) = cos 2πs, so V(s) = Σ_k γ^k cos(2π3^k s).  The terms k ≥ j of
V(s + 3^−j) − V(s) cancel exactly.  At s = 0 the difference quotient over 3^−j is
    D_j = 3^j Σ_{k<j} γ^k (1 − cos 2π3^{k−j}) = 2·3^j Σ_{k<j} γ^k sin²(π3^{k−j}).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from typing import Any

from flint import arb, fmpq

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Leq,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.kernels import ball
from rltheory.kernels.exact import to_fmpq

from .setting import PAPER, precise, total


def sine2(k: int) -> Any:
    """sin²(π3^−k), rational where it is."""
    return {0: fmpq(0), 1: fmpq(3, 4)}.get(k) if k < 2 else arb.sin_pi_fmpq(fmpq(1, 3**k)) ** 2


@dataclass(frozen=True)
class Tripling:
    """Let γ < 1 and look at distance 3^−j."""

    gamma: F
    j: int

    @property
    def g(self) -> fmpq:
        """γ."""
        return to_fmpq(self.gamma)

    @property
    @precise
    def quotient(self) -> Any:
        """D_j."""
        j = self.j
        return 2 * fmpq(3**j) * total([self.g**k * sine2(j - k) if k else sine2(j) for k in range(j)])

    @property
    def power(self) -> fmpq:
        """(3γ)^j."""
        return (3 * self.g) ** self.j

    @precise
    def bent(self, exponent: F) -> Any:
        """(3γ)^(exponent·j)."""
        return (ball.to_arb(3 * self.g).log() * ball.to_arb(exponent * self.j)).exp()

    @precise
    def upper(self, power: Any) -> Any:
        """c_γ·power."""
        return self.c * power

    @property
    def front(self) -> fmpq:
        """3/(2γ)."""
        return 3 / (2 * self.g)

    @property
    @precise
    def c(self) -> Any:
        """c_γ = Σ_{i≥1} γ^−i (1 − cos 2π3^−i): 160 terms, the rest at most Σ 2π²(9γ)^−i."""
        head = total([2 * self.g ** (-i) * sine2(i) for i in range(1, 161)])
        tail = 2 * arb.pi() ** 2 * (9 * self.g) ** (-160) / (9 * self.g - 1)
        return head + arb(0, tail.upper())


def tripling(read: Reader) -> Tripling:
    """γ from 22/64 (3γ > 1) to 63/64, j up to 40."""
    return Tripling(F(22 + read.below(42), 64), 1 + read.below(40))


NAMED = {
    f"γ = {float(g)}, j = {j}": Tripling(g, j)
    for g in (F(9, 10), F(3, 5), F(1, 2), F(17, 50))
    for j in (1, 12, 40)
}

necessity: Claim[Tripling] = Claim(
    statement="f(s) = 3s mod 1, r = cos 2πs, γ > 1/9: 3/(2γ)·(3γ)^j ≤ D_j ≤ c_γ(3γ)^j for every j ≥ 1",
    source=PAPER.at(
        "derived from Weierstrass and Hardy; Hölder continuity in general: Harder and Peitz 2024"
    ),
    let=decoded(tripling, 4),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.front * x.power, x.quotient],
        rhs=lambda x: [x.quotient, x.upper(x.power)],
    ),
    tight=Tight([Tripling(g, 1) for g in (F(9, 10), F(3, 5), F(1, 2))], within=0),
    named=NAMED,
    mutants=[
        Mutant("at least like (3γ)^{1.02j}", lhs=lambda x: [x.front * x.bent(F(51, 50)), fmpq(0)]),
        Mutant("at most like (3γ)^{0.98j}", rhs=lambda x: [x.quotient, x.upper(x.bent(F(49, 50)))]),
        Mutant("Lipschitz for 3γ ≥ 1: D_j ≤ 100", then=Leq(lambda x: x.quotient, lambda x: fmpq(100))),
    ],
    expect=CERTIFIED,
)


# ---- below the threshold ---------------------------------------------------------------------
@dataclass(frozen=True)
class Slope:
    """Let 3γ < 1 and look at the slope at s."""

    gamma: F
    s: F

    @property
    @precise
    def derivative(self) -> Any:
        """|V'(s)| = 2π|Σ (3γ)^k sin 2π3^k s|: 60 terms, the rest at most Σ 2π(3γ)^k."""
        g = to_fmpq(self.gamma)
        phase, terms, weight = F(self.s), [], fmpq(1)
        for _ in range(60):
            terms.append(weight * arb.sin_pi_fmpq(to_fmpq(2 * phase)))
            phase, weight = (3 * phase) % 1, weight * 3 * g
        value = 2 * arb.pi() * abs(total(terms))
        return value + arb(0, (2 * arb.pi() * weight / (1 - 3 * g)).upper())

    @precise
    def bound(self, rate: Any) -> Any:
        """2π/(1 − rate)."""
        return 2 * arb.pi() / (1 - to_fmpq(rate))


def slope(read: Reader) -> Slope:
    """γ up to 5/16, s on a grid of 243·8 points."""
    return Slope(F(1 + read.below(20), 64), F(read.below(243) * 8 + read.below(8), 243 * 8))


BEST = Slope(F(1, 4), F(3, 8))
"""3/8 → 1/8 → 3/8: all terms have one sign, and the slope is 4√2π = 17.7715 (bound 25.13)."""

necessity_below: Claim[Slope] = Claim(
    statement="3γ < 1: |V'| ≤ 2π/(1 − 3γ)",
    source=PAPER.at("derived"),
    let=decoded(slope, 4),
    assume=[
        Assumption("3γ < 1", lambda x: 3 * x.gamma < 1, NotShown("without it V has no slope: `necessity`"))
    ],
    then=Leq(lhs=lambda x: x.derivative, rhs=lambda x: x.bound(3 * x.gamma)),
    tight=Tight(Slope(F(1, 1000), F(1, 4)), within=0.01),
    named={"γ = ¼": BEST},
    mutants=[Mutant("2π", rhs=lambda x: x.bound(0)), Mutant("2π/(1 − γ)", rhs=lambda x: x.bound(x.gamma))],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
