"""Utilities not indifferent to γ: a stationary recursion fails, K_t(ν) = E f(γ^t ·) at step t repairs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Mutant, Tight, run_module

from .definitions import HALF, UTILITIES, ZERO, Exact, F, Law, dirac, expect, mix, push
from .optimality import CHOICE, CURVED, Finite, finite, fm
from .setting import PAPER, Reader, decoded, family


@dataclass(frozen=True)
class Printed(Exact):
    """Let the optimum and the value of stationary dynamic programming be the numbers printed."""

    at: Finite
    best: Fraction
    stationary: Fraction

    @cached_property
    def repaired(self) -> Fraction:
        """Dynamic programming with K_t(ν) = E f(γ^t ·) at step t, by the library."""
        return F(self.at.solved(time_indexed=True).value(self.at.s0, self.at.c0))


NEEDED = (
    Printed(Finite(CHOICE, 2, ZERO, "min(x,1)"), F(3, 5), HALF),
    Printed(Finite(family(3, 2, 2, 4, HALF), 3, F(-1), "−|x−1|", 2), F(-1, 4), F(-1)),
)

gamma_needed: Claim[Printed] = Claim(
    statement="γ = 1/2, f not homogeneous: stationary recursion gets 1/2 of .6, −1 for −1/4; K_t repairs it",
    source=PAPER.at("indifference to γ is needed; derived"),
    let=Every("the two printed instances", 2, NEEDED),
    assume=[],
    then=Eq(lambda x: [x.at.optimum(), x.at.value, x.repaired], lambda x: [x.best, x.stationary, x.best]),
    tight=Tight(list(NEEDED), within=0),
    mutants=[
        Mutant("no loss", then=Eq(lambda x: x.at.value, lambda x: x.best)),
        Mutant("the repair changes nothing", then=Eq(lambda x: x.repaired, lambda x: x.stationary)),
    ],
    expect=PROVED,
)


def reversed_scale(x: Finite) -> Fraction:
    """E f(c₀ + G) of the policy greedy for E f(γ^{−t}(c + G')) at step t, from the definition."""
    g, H, f = x.M.gamma, x.H, UTILITIES[x.f]
    known: dict[tuple[int, int, Fraction], Law] = {}

    def at(t: int, s: int, c: Fraction) -> Law:
        if t == H:
            return dirac(0)
        if (t, s, c) not in known:
            laws = [mix((p, push(at(t + 1, u, (c + r) / g), r, g)) for p, u, r in o) for o in x.M.outcomes[s]]
            known[t, s, c] = max(laws, key=lambda law: expect(push(law, c), lambda y: f(y / g**t)))
        return known[t, s, c]

    return F(x.K(push(at(0, x.s0, x.c0), x.c0)))


def curved(read: Reader) -> Finite:
    """Utilities that are not homogeneous, γ < 1."""
    x = finite(read, (HALF, F(3, 4)))
    return replace(x, f=read.pick((*CURVED, "x−x²/8")))


gamma_needed_repair: Claim[Finite] = Claim(
    statement="K_t(ν) = E f(γ^t ·) at step t: any f, any γ, the value is optimal over histories",
    source=PAPER.at("time-indexed utilities; derived"),
    let=decoded(curved, 96),
    assume=[],
    then=Eq(lhs=lambda x: x.solved(time_indexed=True).value(x.s0, x.c0), rhs=lambda x: x.optimum()),
    tight=Tight(NEEDED[1].at, within=0),
    named={"nothing, then a choice": NEEDED[0].at},
    mutants=[
        Mutant("γ^−t for γ^t", lhs=reversed_scale),
        Mutant("K at every step", lhs=lambda x: x.value),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Count(Exact):
    """Let f be a utility by name; the 36 starts FM(3, 2, 2, q), q < 12, γ = 1/2, H = 3, c₀ = −1."""

    f: str
    suboptimal: int

    @cached_property
    def starts(self) -> tuple[Finite, ...]:
        """All of them."""
        return tuple(Finite(fm(q, HALF), 3, F(-1), self.f, s) for q in range(12) for s in range(3))

    def count(self, value: Callable[[Finite], Fraction]) -> int:
        """How often the value falls short of the optimum."""
        return sum(value(x) < best for x, best in zip(self.starts, self.optima, strict=True))

    @cached_property
    def optima(self) -> list[Fraction]:
        """The optima."""
        return [x.optimum() for x in self.starts]

    @cached_property
    def reversed(self) -> int:
        """The count for γ^−t."""
        return self.count(reversed_scale)


COUNTS = (Count("−|x−1|", 28), Count("min(x,1)", 17), Count("1{x≥1}", 18), Count("clip", 24))

gamma_needed_counts: Claim[Count] = Claim(
    statement="K_t = E f(γ^−t ·) falls short in 28, 17, 18, 24 of 36: −|x−1|, min(x,1), 1{x≥1}, clip",
    source=PAPER.at("time-indexed utilities; counts derived"),
    let=Every("four utilities", 4, COUNTS),
    assume=[],
    then=Eq(lhs=lambda x: x.reversed, rhs=lambda x: x.suboptimal),
    tight=Tight(COUNTS[0], within=0),
    mutants=[
        Mutant("γ^t", lhs=lambda x: x.count(lambda y: y.solved(time_indexed=True).value(y.s0, y.c0))),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
