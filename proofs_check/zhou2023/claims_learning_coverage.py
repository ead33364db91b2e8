"""How often the confidence box misses the truth: exact binomial sums, and the union over all boxes.

X ~ Bin(n, p), p̂ = X/n; e^{−ι} = (δ/2MSAHK)².
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from typing import Any

from rltheory.checks import CERTIFIED, Claim, Leq, Loose, Mutant, Reader, Tight, decoded, run_module
from rltheory.kernels import ball

from .setting import PAPER


@dataclass(frozen=True)
class Coins:
    """Let X ~ Bin(n, p) and λ > 0."""

    n: int
    p: F
    lam: F

    def failure(self, square: F, low: F) -> Any:
        """Pr(|p̂ − p| > √(square·p̂λ/n) + low·λ/n), the failing counts found in rationals."""
        with ball.precision(200):
            p, total = ball.to_arb(self.p), ball.to_arb(0)
            mass = (1 - p) ** self.n
            for k in range(self.n + 1):
                if self.p == 1:
                    mass = ball.to_arb(int(k == self.n))
                off = abs(k - self.n * self.p) - low * self.lam
                if off > 0 and off**2 > square * k * self.lam:
                    total += mass
                mass = mass * (self.n - k) / (k + 1) * p / (1 - p)
            return total

    def bound(self, c: int = 2) -> Any:
        """c·e^{−λ}."""
        with ball.precision(200):
            return c * (-ball.to_arb(self.lam)).exp()


def read_coins(read: Reader) -> Coins:
    """Rare and frequent events, small samples and larger ones, often just past where no success fails."""
    edge = read.below(3)
    if edge == 0:
        lam, n = read.pick([F(8), F(4)]), read.pick([800, 400, 1000])
        return Coins(n, read.pick([F(9, 10), F(1, 2), F(2), F(1)]) * lam / n * F(10_001, 10_000), lam)
    lam = read.pick([F(1, 2), F(1), F(2), F(4), F(8)])
    n = read.pick([1, 10, 60, 200, 3, 25]) + read.below(5)
    return Coins(n, F(1 + read.below(99), 100) if edge == 1 else min(F(1), 2 * lam / n * F(1001, 1000)), lam)


EDGE = Coins(1000, F(72001, 10**7), F(8))
box_coverage: Claim[Coins] = Claim(
    statement="X ~ Bin(n,p): Pr(|p̂ − p| > √(2p̂λ/n) + 2λ/n) ≤ 2e^{−λ}, and with (2,5) for (√2,2) all the more",
    source=PAPER.at("the confidence set; derived from Chernoff's bound"),
    let=decoded(read_coins, size=16),
    assume=[],
    then=Leq(
        lhs=lambda y: [y.failure(F(2), F(2)), y.failure(F(4), F(5))],
        rhs=lambda y: [y.bound(), y.bound()],
    ),
    tight=Loose(0.75, "the largest failure probability found is 0.62e^{−λ}; Chernoff's bound loses a factor"),
    named={
        "edge": EDGE,
        "one coin": Coins(1, F(1, 100), F(8)),
        "later edge": Coins(1000, F(40001, 10**7), F(8)),
        "zero successes": Coins(1000, F(500001, 10**9), F(1, 2)),
    },
    mutants=[
        Mutant("(√2, 0)", lhs=lambda y: [y.failure(F(2), F(0))] * 2),
        Mutant("(√2, 0.9)", lhs=lambda y: [y.failure(F(2), F(9, 10))] * 2),
        Mutant("(2, 0.9)", lhs=lambda y: [y.failure(F(4), F(9, 10))] * 2),
        Mutant("(1, ½)", lhs=lambda y: [y.failure(F(1), F(1, 2))] * 2),
        Mutant(
            "(2, 1) with probability e^{−λ}",
            then=Leq(lambda y: y.failure(F(4), F(1)), lambda y: y.bound(1)),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Sizes:
    """Let M, S, A, H, K ≥ 1 and 0 < δ < 1."""

    M: int
    S: int
    A: int
    H: int
    K: int
    delta: F

    def missed(self, power: int = 2) -> F:
        """2e^{−ι} over all (m, s, a, s') and n ≤ HK, with e^{−ι} = (δ/2MSAHK)^power."""
        each = (self.delta / (2 * self.M * self.S * self.A * self.H * self.K)) ** power
        return 2 * self.M * self.S**2 * self.A * self.H * self.K * each


def read_sizes(read: Reader) -> Sizes:
    """Sizes from one up."""
    M, S, A, H = (1 + read.below(6) for _ in range(4))
    return Sizes(M, S, A, H, 1 + read.below(200), F(1 + read.below(9), 10))


box_coverage_union: Claim[Sizes] = Claim(
    statement="ι = 2 ln(2MSAHK/δ): all boxes with n ≤ HK hold together w.p. ≥ 1 − δ²/(2MAHK) ≥ 1 − δ",
    source=PAPER.at("ι and the confidence set; derived: union over MS²AHK events of 2e^{−ι}"),
    let=decoded(read_sizes, size=8),
    assume=[],
    then=Leq(
        lhs=lambda y: [y.missed(), y.delta**2 / (2 * y.M * y.A * y.H * y.K)],
        rhs=lambda y: [y.delta**2 / (2 * y.M * y.A * y.H * y.K), y.delta],
    ),
    tight=Tight(Sizes(2, 3, 2, 4, 100, F(1, 10)), within=0),
    mutants=[
        Mutant("ι = ln(2MSAHK/δ): ≤ δ", then=Leq(lambda y: y.missed(1), lambda y: y.delta)),
        Mutant("≤ δ²/(2MSAHK)", rhs=lambda y: [y.delta**2 / (2 * y.M * y.S * y.A * y.H * y.K), y.delta]),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
