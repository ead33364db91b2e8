"""Levels b on a grid, V* known to an error, infinite horizons: CVaR between two bounds.

φ(b) = b + V*(s₀, −b)/τ has slopes in [1 − 1/τ, 1] for each law, so a cell of width ε hides at most (1−τ)ε.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.operators import objectives
from rltheory.results.stock import StockSolution
from rltheory.solvers.stock import StockDP

from .definitions import HALF, ONE, ZERO, Exact, F
from .risk import LEVELS, Tail, tail, tails
from .setting import PAPER, Model, Reader, chain, decoded, family, layered


# ---- levels on a grid ---------------------------------------------------------------------------
@dataclass(frozen=True)
class OnGrid(Exact):
    """Let b run through the multiples of eps plus an offset, around all returns; noise spoils V* there.

    noise holds numbers in [−1, 1], used in turn, times e.
    """

    at: Tail
    eps: Fraction
    offset: Fraction
    noise: tuple[Fraction, ...] = (ZERO,)
    e: Fraction = ZERO

    @cached_property
    def grid(self) -> list[Fraction]:
        """b_0 ≤ G_min < … < G_max ≤ b_n."""
        lo, hi = self.at.atoms[0], self.at.atoms[-1]
        first = math.floor((lo - self.offset) / self.eps)
        last = max(first + 1, math.ceil((hi - self.offset) / self.eps))
        return [self.offset + k * self.eps for k in range(first, last + 1)]

    @cached_property
    def phi(self) -> list[Fraction]:
        """φ at the levels, V* off by at most e."""
        n = len(self.noise)
        spoiled = [self.e * self.noise[i % n] / self.at.tau for i in range(len(self.grid))]
        return [self.at.phi(b) + z for b, z in zip(self.grid, spoiled, strict=True)]

    @cached_property
    def loss(self) -> Fraction:
        """Optimum minus the best level of the grid."""
        return self.at.best - max(self.phi)

    @property
    def clean(self) -> OnGrid:
        """The same with V* known."""
        return replace(self, e=ZERO)

    @cached_property
    def rounded(self) -> Fraction:
        """Optimum minus φ at the level of the grid nearest to the best b, upwards from the middle."""
        k = math.floor((self.at.level - self.offset) / self.eps + HALF)
        return self.at.best - self.at.phi(self.offset + k * self.eps)

    def upper(self, width: Fraction | None = None) -> Fraction:
        """max_i (1−τ)φ(b_i) + τφ(b_{i+1}), plus (1−τ)ε."""
        tau, width = self.at.tau, self.eps if width is None else width
        pairs = zip(self.phi, self.phi[1:], strict=False)
        return max((1 - tau) * a + tau * b for a, b in pairs) + (1 - tau) * width


def grids(read: Reader) -> OnGrid:
    """Coarse grids anywhere; every third model pays a sure return."""
    at = tails(read)
    if read.below(3) == 0:
        at = Tail(chain((read.number(2, 8),), gamma=1), 1, at.tau)
    eps = read.pick((HALF, ONE, F(3, 4), F(2)))
    return OnGrid(at, eps, eps * F(read.below(20), 20))


def sure(tau: Any, at: Any) -> OnGrid:
    """A sure return at this fraction of its cell; ε = 1."""
    return OnGrid(Tail(chain((at,), gamma=1), 1, tau), ONE, ZERO)


NINE = sure(F(1, 10), F(9, 10))

cvar_grid: Claim[OnGrid] = Claim(
    statement="b on a grid of step ε around all returns: the best level loses at most (1−τ)ε",
    source=PAPER.at("CVaR on a grid of levels; derived"),
    let=decoded(grids, 96),
    assume=[],
    then=Leq(lhs=lambda x: x.loss, rhs=lambda x: (1 - x.at.tau) * x.eps),
    tight=Tight([NINE, sure(F(1, 4), F(3, 4)), sure(HALF, HALF)], within=0),
    mutants=[
        Mutant("ε/2", rhs=lambda x: x.eps / 2),
        Mutant("(1−τ)ε/2", rhs=lambda x: (1 - x.at.tau) * x.eps / 2),
    ],
    expect=CERTIFIED,
    draws=60,
)

cvar_rounding: Claim[OnGrid] = Claim(
    statement="rounding the best b to the nearest level of a grid loses at most (ε/2)·max(1, 1/τ − 1)",
    source=PAPER.at("CVaR on a grid of levels; derived"),
    let=decoded(grids, 96),
    assume=[],
    then=Leq(lhs=lambda x: x.rounded, rhs=lambda x: x.eps / 2 * max(ONE, 1 / x.at.tau - 1)),
    tight=Tight([sure(F(1, 4), HALF), sure(HALF, HALF)], within=0),
    mutants=[
        Mutant("ε/2", rhs=lambda x: x.eps / 2),
        Mutant("(ε/2)(1/τ − 1)", rhs=lambda x: x.eps / 2 * (1 / x.at.tau - 1)),
        Mutant("(ε/4)·max(1, 1/τ − 1)", rhs=lambda x: x.eps / 4 * max(ONE, 1 / x.at.tau - 1)),
    ],
    expect=CERTIFIED,
    draws=60,
)


def spoiled(read: Reader) -> OnGrid:
    """The same, V* spoilt in half of the cases."""
    x = grids(read)
    noise = tuple(F(read.below(9) - 4, 4) for _ in range(4))
    return replace(x, noise=noise, e=read.pick((ZERO, ZERO, F(1, 8), HALF)))


SPOILT = replace(sure(HALF, HALF), noise=(-ONE,), e=F(1, 8))

cvar_enclosure: Claim[OnGrid] = Claim(
    statement="V* known to e: max φ − e/τ ≤ sup CVaR_τ ≤ max_i[(1−τ)φ(b_i) + τφ(b_{i+1})] + (1−τ)ε + e/τ",
    source=PAPER.at("CVaR enclosed from levels on a grid; derived"),
    let=decoded(spoiled, 96),
    assume=[],
    then=Leq(
        lhs=lambda x: [max(x.phi) - x.e / x.at.tau, x.at.best],
        rhs=lambda x: [x.at.best, x.upper() + x.e / x.at.tau],
    ),
    tight=Tight([NINE, sure(F(1, 4), F(3, 4)), SPOILT], within=0),
    mutants=[
        Mutant("max φ(b_i) is exact", then=Eq(lambda x: max(x.clean.phi), lambda x: x.at.best)),
        Mutant("no (1−τ)ε", rhs=lambda x: [x.at.best, x.upper(ZERO) + x.e / x.at.tau]),
        Mutant("e for e/τ", then=Leq(lambda x: x.at.best, lambda x: x.upper() + x.e)),
        Mutant("no widening below", then=Leq(lambda x: max(x.phi), lambda x: x.at.best)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Forever(Exact):
    """Let M end after S − 1 steps, solved for an infinite horizon on stocks of this spacing; s_0 = 0."""

    M: Model
    tau: Fraction
    spacing: Fraction

    @cached_property
    def best(self) -> Fraction:
        """max CVaR_τ over history-dependent policies."""
        return max(tail(law, self.tau) for law in self.M.laws(0, self.M.S - 1))

    @cached_property
    def solution(self) -> StockSolution:
        """The library's search over levels, 1/γ an integer: exact values on a lattice."""
        return StockDP(objectives.cvar(self.tau), spacing=self.spacing).run(self.M.library)

    @cached_property
    def bounds(self) -> tuple[Fraction, Fraction]:
        """The library's enclosure."""
        out = self.solution.enclosure(0)
        return F(out.lower), F(out.upper)


def forever(read: Reader) -> Forever:
    """Models that only move on; γ = 1/2 or 1/3."""
    M = layered(read, S=2, A=2, gammas=(HALF, F(1, 3)), denominator=1)
    return Forever(M, read.pick(LEVELS), read.pick((HALF, ONE, F(1, 4))))


ENDLESS = "FM(3,2,2,9), γ = 1/2, s₀ = 0, infinite horizon"

cvar_enclosure_solver: Claim[Forever] = Claim(
    statement="infinite horizon, 1/γ ∈ N: the library's bounds on sup CVaR_τ hold the best policy's",
    source=PAPER.at("CVaR enclosed, infinite horizon; derived"),
    let=decoded(forever, 96),
    assume=[],
    then=Leq(lhs=lambda x: [x.bounds[0], x.best], rhs=lambda x: [x.best, x.bounds[1]]),
    tight=Tight(Forever(chain((1,), gamma=HALF), F(1, 4), HALF), within=0),
    mutants=[
        Mutant("the lower bound is exact", rhs=lambda x: [x.best, x.bounds[0]]),
        Mutant("the upper bound is exact", lhs=lambda x: [x.bounds[1], x.best]),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Endless(Exact):
    """Let M = FM(3, 2, 2, 9), γ = 1/2, levels on Z/k; lower bound, its level, and upper bound as printed."""

    tau: Fraction
    k: int
    lower: Fraction
    b: Fraction
    upper: Fraction

    @cached_property
    def solution(self) -> StockSolution:
        """The library's, spacing 1/k."""
        K = objectives.cvar(self.tau)
        return StockDP(K, spacing=F(1, self.k)).run(family(3, 2, 2, 9, HALF).library)

    def found(self) -> list[Fraction]:
        """Lower bound, its level, upper bound to seven digits."""
        bounds = self.solution.enclosure(0)
        return [F(bounds.lower), -F(self.solution.start(0)), F(round(F(bounds.upper) * 10**7), 10**7)]


ENDS = (
    Endless(HALF, 8, F(403, 2900), HALF, F(1936207, 10**7)),
    Endless(HALF, 64, F(10336359, 74240000), F(33, 64), F(1469097, 10**7)),
    Endless(F(1, 4), 64, F(49537, 3712000), F(1, 16), F(246921, 10**7)),
)

cvar_enclosure_values: Claim[Endless] = Claim(
    statement=f"{ENDLESS}: max φ on Z/8 and Z/64, exact, with the upper bounds",
    source=PAPER.at("CVaR enclosed, infinite horizon; values derived"),
    let=Every("three printed enclosures", 3, ENDS),
    assume=[],
    then=Eq(lambda x: x.found(), lambda x: [x.lower, x.b, x.upper]),
    tight=Tight(list(ENDS), within=0),
    mutants=[Mutant("the lower bound is exact", rhs=lambda x: [x.lower, x.b, x.lower])],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
