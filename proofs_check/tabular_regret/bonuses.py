"""The bonus of MVP: monotone in the next values as a maximum, not as the sum that is added.

f(p, v) = p·v + max{c₁√(𝕍(p, v)x), c₂x} and g(p, v) = p·v + C₁√(𝕍(p, v)x) + C₃x, with c₁ = 20/3,
c₂ = 400/9 = c₁², C₁ = 460/9, C₃ = 544/9 and x = λ/N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from flint import arb, fmpq

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

from .setting import PAPER, law

SOURCE = PAPER.at("Zhang, Ji, Du (2021), monotone bonus; constants of Zhang, Chen, Lee, Du (2023)")
C1, C2, SUM1, SUM3 = F(20, 3), F(400, 9), F(460, 9), F(544, 9)


def ball(q: F) -> arb:
    """A rational as a ball."""
    return arb(fmpq(q.numerator, q.denominator))


def root(q: F) -> Any:
    """√q for q ≥ 0: rational where it is, else a ball."""
    square = q.numerator * q.denominator
    r = math.isqrt(square)
    return F(r, q.denominator) if r * r == square else ball(q).sqrt()


@dataclass(frozen=True)
class Step:
    """Let p be a law, 0 ≤ v ≤ w ≤ 1 values of the next states, and x = λ/N > 0."""

    p: tuple[F, ...]
    v: tuple[F, ...]
    w: tuple[F, ...]
    x: F

    @staticmethod
    def mean(p: tuple[F, ...], v: tuple[F, ...]) -> F:
        """p·v."""
        return sum((a * b for a, b in zip(p, v, strict=True)), F(0))

    def var(self, v: tuple[F, ...]) -> F:
        """𝕍(p, v)."""
        return self.mean(self.p, tuple(b * b for b in v)) - self.mean(self.p, v) ** 2

    def maximum(self, v: tuple[F, ...], c1: F = C1, c2: F = C2) -> Any:
        """p·v + max{c₁√(𝕍x), c₂x}; which term is larger is decided in rationals."""
        square, flat = c1 * c1 * self.var(v) * self.x, c2 * self.x
        if square <= flat * flat:
            return self.mean(self.p, v) + flat
        return _plus(self.mean(self.p, v), root(square))

    def total(self, v: tuple[F, ...], c1: F = SUM1, c3: F = SUM3) -> Any:
        """p·v + c₁√(𝕍x) + c₃x."""
        return _plus(self.mean(self.p, v) + c3 * self.x, root(c1 * c1 * self.var(v) * self.x))

    @cached_property
    def moves(self) -> bool:
        """v and w differ where p is positive."""
        return self.mean(self.p, self.v) < self.mean(self.p, self.w)


def _plus(a: F, b: Any) -> Any:
    return a + b if isinstance(b, F) else ball(a) + b


def step(read: Reader) -> Step:
    """2 or 3 states, values on 1/16, x between 2⁻¹² and 1."""
    n = 2 + read.below(2)
    p = law(read, n)
    v = [F(read.below(17), 16) for _ in range(n)]
    w = [a + (1 - a) * F(read.below(5), 4) for a in v]
    return Step(tuple(p), tuple(v), tuple(w), F(1 + read.below(3), 2 ** (2 + read.below(11))))


def kink(read: Reader, c1: F = C1, c2: F = C2) -> Step:
    """p = (1−η, η), v = (1, 0) → (1, κ/2), x = (1−κ)²(c₁/c₂)²η(1−η): just below the kink of the maximum."""
    eta, kappa = F(1, 8 + read.below(200)), F(1, 8 + read.below(200))
    x = (1 - kappa) ** 2 * (c1 / c2) ** 2 * eta * (1 - eta)
    return Step((1 - eta, eta), (F(1), F(0)), (F(1), kappa / 2), x)


def either(read: Reader) -> Step:
    """Any step, or one at the kink of smaller constants."""
    if read.below(2):
        return kink(read, C1, C2 * F(8 + read.below(3), 10))
    return step(read)


NEAR = kink(Reader(bytes([192, 192])))
ASSUME = Assumption("v ≤ w ≤ 1, v ≠ w on the support of p", lambda x: x.moves and max(x.w) <= 1, Step(
    (F(99, 100), F(1, 100)), (F(2), F(0)), (F(2), F(1, 1000)),
    F(99, 100) ** 2 * C1**2 / C2**2 * 4 * F(99, 10000),
))  # fmt: skip


mvp_monotone: Claim[Step] = Claim(
    statement="p·v + max{(20/3)√(𝕍(p, v)x), (400/9)x} is nondecreasing in v on [0, 1]^S; for general "
    "constants iff c₁² ≤ c₂",
    source=SOURCE,
    let=decoded(either, 24),
    assume=[ASSUME],
    then=Leq(lhs=lambda x: x.maximum(x.v), rhs=lambda x: x.maximum(x.w)),
    tight=Tight(NEAR, within=1e-4),
    mutants=[
        Mutant(
            "0.9·400/9",
            then=Leq(
                lambda x: x.maximum(x.v, C1, C2 * F(9, 10)), lambda x: x.maximum(x.w, C1, C2 * F(9, 10))
            ),
        ),
        Mutant(
            "the root alone", then=Leq(lambda x: x.maximum(x.v, C1, F(0)), lambda x: x.maximum(x.w, C1, F(0)))
        ),
    ],
    named={
        f"0.9·400/9, η = κ = 1/{n}": kink(Reader(bytes([n - 8, n - 8])), C1, C2 * F(9, 10)) for n in (100, 40)
    },
    expect=CERTIFIED,
)


# ---- the sum ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Drop(Step):
    """Let p = (1−η, η), v = (1, 1−τ) and w = (1, 1)."""

    @property
    def eta(self) -> F:
        """η."""
        return self.p[1]


def drop(eta: F, tau: F, x: F) -> Drop:
    """The instance of η, τ and x = λ/N."""
    return Drop((1 - eta, eta), (F(1), 1 - tau), (F(1), F(1)), x)


def drops(read: Reader) -> Drop:
    """η below the critical value or at it."""
    eta = F(1, 2 + read.below(250))
    least = eta / (SUM1**2 * (1 - eta))
    return drop(eta, F(1 + read.below(16), 16), least * F(9 + read.below(40), 8))


PRINTED = drop(F(1, 1000), F(1, 10), F(1, 10**6))

mvp_sum_not_monotone: Claim[Drop] = Claim(
    statement="raising v = (1, 1−τ) to (1, 1) lowers p·v + (460/9)√(𝕍x) + (544/9)x whenever "
    "(460/9)²(1−η)x > η",
    source=SOURCE,
    let=decoded(drops, 8),
    assume=[
        Assumption(
            "(460/9)²(1−η)x > η",
            lambda x: SUM1**2 * (1 - x.eta) * x.x > x.eta,
            drop(F(1, 2), F(1, 2), F(1, 10**6)),
        )
    ],
    then=Leq(lhs=lambda x: x.total(x.w), rhs=lambda x: x.total(x.v)),
    tight=Tight([PRINTED, drop(F(1, 2), F(1, 16), F(1, 2600))], within=0.001),
    mutants=[
        Mutant("the sum form is monotone", then=Leq(lambda x: x.total(x.v), lambda x: x.total(x.w))),
        Mutant("with ten times the mean", rhs=lambda x: x.total(x.v, SUM1 / 10)),
    ],
    expect=CERTIFIED,
)


mvp_sum_covers: Claim[Step] = Claim(
    statement="the bonus added is at least the monotone one: g(p, w) ≥ f(p, w) ≥ f(p, v) for w ≥ v",
    source=SOURCE,
    let=decoded(step, 24),
    assume=[Assumption("v ≤ w ≤ 1, v ≠ w on the support of p", lambda x: x.moves, Step(
        (F(99, 100), F(1, 100)), (F(1), F(0)), (F(0), F(0)), F(1, 10**9)
    ))],
    then=Leq(lhs=lambda x: [x.maximum(x.v), x.maximum(x.w)], rhs=lambda x: [x.maximum(x.w), x.total(x.w)]),
    tight=Tight(Step((F(1), F(0)), (F(1, 2), F(0)), (F(1), F(0)), F(1, 10**6)), within=0.001),
    mutants=[
        Mutant("at least twice the root", rhs=lambda x: [
            x.maximum(x.w), x.total(x.w, F(1), F(1))
        ]),
    ],
    expect=CERTIFIED,
)  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
