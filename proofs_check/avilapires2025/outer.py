"""Optimistic CVaR, an infimum of expected utilities: a coin at time 0 may be worth something.

The mean of the highest τ of the mass is inf_b b + E(X − b)₊/τ.  On the other side every mixture of two of the
listed laws of deterministic history-dependent policies.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from itertools import combinations
from typing import Any

from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.results.stock import StockSolution
from rltheory.solvers.stock import StockDP

from .definitions import HALF, ONE, ZERO, Exact, F, Law, mix
from .setting import PAPER, Model, Reader, decoded, family, model

LEVELS = (F(1, 4), HALF, F(3, 4), F(1, 3), F(9, 10))


def top(law: Law, tau: Fraction) -> Fraction:
    """Mean of the highest τ of the mass, the last atom taken in part."""
    left, total = tau, ZERO
    for x in sorted(law, reverse=True):
        taken = min(left, law[x])
        total, left = total + taken * x, left - taken
    return total / tau


def listed(M: Model, H: int, s0: int) -> list[Law]:
    """N_H(s₀), in a fixed order."""
    return sorted(M.laws(s0, H), key=lambda law: sorted(law.items()))


# ---- optimistic CVaR -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Hopeful(Exact):
    """Let M be a model, H ≤ 2 a horizon, tau in (0, 1], s0 a state."""

    M: Model
    H: int
    tau: Fraction
    s0: int = 0

    @cached_property
    def laws(self) -> list[Law]:
        """N(s₀)."""
        return listed(self.M, self.H, self.s0)

    @cached_property
    def solution(self) -> StockSolution:
        """The library's cutting planes."""
        return StockDP(objectives.optimistic_cvar(self.tau), progress=False).run(
            StockMDP(self.M.library, self.H)
        )

    def found(self) -> list[Fraction]:
        """The library's value, and the upper tail mean of the law it plays."""
        return [F(self.solution.value(self.s0)), top(dict(self.solution.law(self.s0)), self.tau)]

    @cached_property
    def deterministic(self) -> Fraction:
        """The best law without a coin."""
        return max(top(law, self.tau) for law in self.laws)

    @cached_property
    def pairs(self) -> Fraction:
        """The best mixture of two laws: piecewise linear in the weight, which bends where τ meets an atom."""
        best = self.deterministic
        for one, two in combinations(self.laws, 2):
            for x in {*one, *two}:
                a = sum((p for y, p in one.items() if y >= x), ZERO)
                b = sum((p for y, p in two.items() if y >= x), ZERO)
                if a != b and 0 < (w := (self.tau - b) / (a - b)) < 1:
                    best = max(best, top(mix([(w, one), (1 - w, two)]), self.tau))
        return best

    def above(self, b: Fraction) -> Fraction:
        """b + sup_π E(G − b)₊/τ."""
        return b + max(self.surplus(i, b) for i in range(len(self.laws))) / self.tau

    def surplus(self, i: int, b: Fraction) -> Fraction:
        """E(G − b)₊ of law i."""
        return sum((p * (x - b) for x, p in self.laws[i].items() if x > b), ZERO)

    @cached_property
    def atoms(self) -> list[Fraction]:
        """Every return."""
        return sorted({x for law in self.laws for x in law})

    @cached_property
    def dual(self) -> Fraction:
        """min over real b: at an atom, or where two laws cross between neighbouring atoms."""
        best, n = self.on_atoms, len(self.laws)
        for lo, hi in zip(self.atoms, self.atoms[1:], strict=False):
            low = [self.surplus(i, lo) for i in range(n)]
            high = [self.surplus(i, hi) for i in range(n)]
            for i, j in combinations(range(n), 2):
                left, right = low[i] - low[j], high[i] - high[j]
                if left * right < 0:
                    best = min(best, self.above(lo + (hi - lo) * left / (left - right)))
        return best

    @cached_property
    def on_atoms(self) -> Fraction:
        """min over atoms b only."""
        return min(self.above(b) for b in self.atoms)


def hopeful(read: Reader) -> Hopeful:
    """Small models, horizons 1 and 2."""
    M = model(read, gammas=(ONE, HALF))
    return Hopeful(M, 1 + read.below(2), read.pick(LEVELS), read.below(M.S))


ONCE = Hopeful(
    Model(((((ONE, 1, ONE),), ((F(3, 10), 1, F(3)), (F(7, 10), 1, ZERO))), (((ONE, 1, ZERO),),)), ONE),
    1,
    HALF,
)
"""1 surely, or 3 with probability 3/10."""
TWICE = Hopeful(family(3, 2, 2, 3, 1), 2, HALF)

optimistic_cvar: Claim[Hopeful] = Claim(
    statement="with a coin at time 0, sup OCVaR_τ = min over real b of b + sup_π E(G − b)₊/τ; two laws do",
    source=PAPER.at("optimistic CVaR; derived"),
    let=decoded(hopeful, 96),
    assume=[],
    then=Eq(lhs=lambda x: [*x.found(), x.pairs], rhs=lambda x: x.dual),
    tight=Tight([ONCE, TWICE], within=0),
    mutants=[
        Mutant("deterministic policies suffice", rhs=lambda x: x.deterministic),
        Mutant("b among the returns", rhs=lambda x: x.on_atoms),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Helped(Exact):
    """Let q run over FM(3, 2, 2, q), H = 2, all s₀, γ ∈ {1/2, 1}, τ ∈ {1/4, 1/2, 3/4}: 18 starts."""

    q: int

    @cached_property
    def starts(self) -> list[Hopeful]:
        """All of them."""
        levels = (F(1, 4), HALF, F(3, 4))
        models = [family(3, 2, 2, self.q, g) for g in (HALF, ONE)]
        return [Hopeful(M, 2, tau, s) for M in models for tau in levels for s in range(3)]


FAMILY = tuple(Helped(q) for q in range(12))
HELPS = 22
"""How often a coin helps in 216."""

optimistic_cvar_family: Claim[Helped] = Claim(
    statement="the same on FM(3,2,2,q), q < 12, H = 2, s₀ < 3, γ ∈ {1/2, 1}, τ ∈ {1/4, 1/2, 3/4}",
    source=PAPER.at("optimistic CVaR; family derived"),
    let=Every("FM(3,2,2,q), q < 12, 18 starts each", 12, FAMILY),
    assume=[],
    then=Eq(
        lhs=lambda x: [v for y in x.starts for v in y.found()],
        rhs=lambda x: [v for y in x.starts for v in (y.dual, y.dual)],
    ),
    tight=Tight(Helped(3), within=0),
    mutants=[
        Mutant(
            "deterministic policies suffice",
            rhs=lambda x: [v for y in x.starts for v in (y.deterministic, y.deterministic)],
        ),
        Mutant("b among the returns", rhs=lambda x: [v for y in x.starts for v in (y.on_atoms, y.on_atoms)]),
    ],
    expect=PROVED,
)


@dataclass(frozen=True)
class Coin(Exact):
    """Let the optimum with and without a coin, and over b among the returns, be the numbers printed."""

    at: Hopeful
    value: Fraction
    deterministic: Fraction
    atoms: Fraction
    law: tuple[tuple[Fraction, Fraction], ...]

    def found(self) -> list[Fraction]:
        """The library's optimum, the others from the definition, the law the library plays."""
        law = dict(self.at.solution.law(self.at.s0))
        played = [v for x, p in sorted(law.items()) for v in (x, p)]
        return [F(self.at.solution.value(self.at.s0)), self.at.deterministic, self.at.on_atoms, *played]

    def printed(self, value: Fraction) -> list[Fraction]:
        """The same as printed."""
        return [value, self.deterministic, self.atoms, *[v for pair in self.law for v in pair]]


def _mixed(*parts: tuple[Fraction, dict[Any, Fraction]]) -> tuple[tuple[Fraction, Fraction], ...]:
    return tuple(sorted(mix((w, {F(x): p for x, p in law.items()}) for w, law in parts).items()))


COINS = (
    Coin(
        ONCE,
        F(13, 7),
        F(9, 5),
        F(2),
        _mixed((F(5, 7), {3: F(3, 10), 0: F(7, 10)}), (F(2, 7), {1: ONE})),
    ),
    Coin(
        TWICE,
        F(17, 15),
        ONE,
        F(6, 5),
        _mixed(
            (F(2, 9), {-4: F(3, 4), 0: F(1, 10), 3: F(3, 20)}),
            (F(7, 9), {-2: F(2, 15), 0: F(4, 15), 1: F(3, 5)}),
        ),
    ),
)

optimistic_cvar_values: Claim[Coin] = Claim(
    statement="a coin helps: 13/7 for 9/5 in one step, 17/15 for 1 on FM(3,2,2,3), H = 2; the law played",
    source=PAPER.at("optimistic CVaR; instances derived"),
    let=Every("two printed instances", 2, COINS),
    assume=[],
    then=Eq(lambda x: x.found(), lambda x: x.printed(x.value)),
    tight=Tight(list(COINS), within=0),
    mutants=[
        Mutant("deterministic policies suffice", rhs=lambda x: x.printed(x.deterministic)),
        Mutant("b among the returns", rhs=lambda x: x.printed(x.atoms)),
    ],
    expect=PROVED,
)


@cache
def _helped(coin: bool) -> int:
    """How often the library's value, or the best deterministic one, exceeds the latter."""
    starts = [y for x in FAMILY for y in x.starts]
    return sum((F(y.solution.value(y.s0)) if coin else y.deterministic) > y.deterministic for y in starts)


optimistic_cvar_count: Claim[int] = Claim(
    statement="a coin at time 0 helps in 22 of these 216",
    source=PAPER.at("optimistic CVaR; count derived"),
    let=Every("the whole family", 1, [HELPS]),
    assume=[],
    then=Eq(lambda n: _helped(True), lambda n: n),
    tight=Tight(HELPS, within=0),
    mutants=[Mutant("never", lhs=lambda n: _helped(False))],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
