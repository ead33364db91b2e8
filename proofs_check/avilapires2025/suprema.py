"""Quantiles, variance, mean − variance, mean − std: suprema of expected utilities, a stock problem a b.

K = sup_b E u_b is convex in the law, so deterministic policies suffice: solve for each b, keep the best.  On
the other side the functional of every listed law of a history-dependent policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import isqrt
from typing import Any

from flint import arb

import rltheory as rl
from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.operators.objective import Objective
from rltheory.solvers.stock import StockDP
from rltheory.solvers.stock_exact import StockInduction

from .definitions import HALF, ONE, Exact, F, Law, expect, mean, quantile
from .outer import LEVELS, listed
from .setting import PAPER, Model, Reader, decoded, family, model, precise


def variance(law: Law) -> Fraction:
    """E X² − (E X)²."""
    return F(expect(law, lambda x: x * x)) - mean(law) ** 2


@dataclass(frozen=True)
class Sought(Exact):
    """Let K be a quantile of level p, minus the variance, or mean − p·variance; H ≤ 2 but where named."""

    M: Model
    H: int
    kind: str
    p: Fraction
    s0: int = 0

    @cached_property
    def augmented(self) -> StockMDP:
        """The library's stock-augmented model."""
        return StockMDP(self.M.library, self.H)

    @cached_property
    def laws(self) -> list[Law]:
        """N(s₀)."""
        return listed(self.M, self.H, self.s0)

    def K(self, law: Law) -> Fraction:
        """The functional, from its definition."""
        if self.kind == "quantile":
            return quantile(law, self.p)
        return -variance(law) if self.kind == "variance" else mean(law) - self.p * variance(law)

    @cached_property
    def best(self) -> Fraction:
        """max K over history-dependent policies."""
        return max(map(self.K, self.laws))

    def solve(self, K: Objective) -> Callable[[Fraction], Fraction]:
        """c ↦ sup E f(c + G), by the library's backward induction with E f(γ^t ·) at step t."""
        found = StockInduction(K, time_indexed=True).run(self.augmented)
        return lambda c: F(found.value(self.s0, c))

    @cached_property
    def searched(self) -> Fraction:
        """The supremum over b, written out."""
        means = sorted({mean(law) for law in self.laws})
        if self.kind == "quantile":
            V = self.solve(objectives.success())
            return max(b for b in {x for law in self.laws for x in law} if 1 - V(-b) < self.p)
        if self.kind == "variance":
            return max(map(self.solve(objectives.negative_square()), [-m for m in means]))
        return max(m + V for m, V in zip(means, map(self.parabola, means), strict=True))

    def parabola(self, m: Fraction) -> Fraction:
        """max_π E(Y − pY²), Y = G − m."""
        return self._curved(-m)

    @cached_property
    def _curved(self) -> Callable[[Fraction], Fraction]:
        return self.solve(objectives.expected_utility(lambda x: x - self.p * x * x, factor=lambda g: None))

    def found(self) -> list[Fraction]:
        """The library's search, the functional of the law it plays, the supremum written out."""
        K = objectives.variance()
        if self.kind != "variance":
            K = (objectives.quantile if self.kind == "quantile" else objectives.mean_variance)(self.p)
        sol = StockDP(K, progress=False).run(self.augmented)
        return [F(sol.value(self.s0)), self.K(dict(sol.law(self.s0))), self.searched]

    @cached_property
    def direct(self) -> Fraction:
        """The p-quantile of the policy greedy for the p-quantile of c + law at every (s, c)."""
        found = StockInduction(objectives.quantile(self.p), unchecked=True, laws=True).run(self.augmented)
        law = found.law(self.s0, 0)
        assert isinstance(law, rl.ReturnLaw)
        return quantile(dict(law), self.p)

    @cached_property
    def centred(self) -> Fraction:
        """max E −(G − m)², m the largest mean."""
        return self.solve(objectives.negative_square())(-max(map(mean, self.laws)))


def sought(read: Reader) -> Sought:
    """Small models; levels and prices in (0, 1)."""
    M = model(read, gammas=(ONE, HALF))
    kind = read.pick(("quantile", "variance", "mean − variance"))
    return Sought(M, 1 + read.below(2), kind, read.pick(LEVELS), read.below(M.S))


ONE_THIRD = F(1, 3)
MEDIAN = Sought(family(3, 2, 2, 1, 1), 3, "quantile", HALF, 1)
STEADY = Sought(family(3, 2, 2, 1, 1), 3, "variance", HALF, 1)
PRICED = Sought(family(3, 2, 2, 1, 1), 3, "mean − variance", ONE_THIRD, 1)

sup_of_eu: Claim[Sought] = Claim(
    statement="K = sup_b E u_b (quantile, −variance, mean − λ·variance): the best stock problem gives max K",
    source=PAPER.at("suprema of expected utilities; derived"),
    let=decoded(sought, 96),
    assume=[],
    then=Eq(lhs=lambda x: x.found(), rhs=lambda x: x.best),
    tight=Tight([MEDIAN, PRICED], within=0),
    named={"variance": STEADY},
    mutants=[
        Mutant(
            "quantile by backward induction on K = q_τ itself",
            then=Eq(lambda x: x.direct, lambda x: max(quantile(law, x.p) for law in x.laws)),
        ),
        Mutant(
            "variance around the largest mean",
            then=Eq(lambda x: x.centred, lambda x: max(-variance(law) for law in x.laws)),
        ),
        Mutant("the largest mean", rhs=lambda x: max(map(mean, x.laws))),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Family(Exact):
    """Let M = FM(3, 2, 2, q) at gamma, H = 2; all s₀, median, variance and mean − variance/3."""

    q: int
    gamma: Fraction

    @cached_property
    def all(self) -> list[Sought]:
        """Every start and functional."""
        M = family(3, 2, 2, self.q, self.gamma)
        kinds = (("quantile", HALF), ("variance", HALF), ("mean − variance", ONE_THIRD))
        return [Sought(M, 2, kind, p, s) for kind, p in kinds for s in range(3)]


FAMILY = tuple(Family(q, g) for q in range(12) for g in (ONE, HALF))

sup_of_eu_family: Claim[Family] = Claim(
    statement="the same on FM(3,2,2,q), q < 12, H = 2, γ = 1, 1/2, s₀ < 3: median, variance, mean − var/3",
    source=PAPER.at("suprema of expected utilities; family derived"),
    let=Every("FM(3,2,2,q), q < 12, γ ∈ {1, 1/2}", len(FAMILY), FAMILY),
    assume=[],
    then=Eq(
        lambda x: [v for y in x.all for v in y.found()], lambda x: [y.best for y in x.all for _ in range(3)]
    ),
    tight=Tight(FAMILY[3], within=0),
    mutants=[
        Mutant(
            "variance around the largest mean",
            then=Eq(lambda x: [y.centred for y in x.all[3:6]], lambda x: [y.best for y in x.all[3:6]]),
        )
    ],
    expect=PROVED,
)

SOUGHT = ((MEDIAN, F(3)), (STEADY, F(-12051, 10000)), (PRICED, F(1684, 1875)))


@dataclass(frozen=True)
class Printed(Exact):
    """Let the optimum be the number printed."""

    at: Sought
    value: Fraction


sup_of_eu_values: Claim[Printed] = Claim(
    statement="FM(3,2,2,1), H = 3, s₀ = 1: median 3, least variance 12051/10000, mean − variance/3 1684/1875",
    source=PAPER.at("suprema of expected utilities; values derived"),
    let=Every("three printed optima", 3, [Printed(*x) for x in SOUGHT]),
    assume=[],
    then=Eq(lambda x: [*x.at.found(), x.at.best], lambda x: x.value),
    tight=Tight(Printed(*SOUGHT[2]), within=0),
    mutants=[
        Mutant("the largest mean", lhs=lambda x: max(map(mean, x.at.laws))),
        Mutant("the median directly", lhs=lambda x: x.at.direct),
    ],
    expect=PROVED,
)


# ---- mean − std ------------------------------------------------------------------------------------
def root(x: Fraction) -> Any:
    """√x as a ball."""
    return ball.to_arb(x).nonnegative_part().sqrt()


@dataclass(frozen=True)
class Spread(Exact):
    """Let K = mean − lam·std; γ = 1."""

    M: Model
    H: int
    lam: Fraction
    s0: int = 0

    @cached_property
    def at(self) -> Sought:
        """The same start for mean − lam·variance."""
        return Sought(self.M, self.H, "mean − variance", self.lam, self.s0)

    def K(self, law: Law) -> arb:
        """mean − lam·std."""
        return ball.to_arb(mean(law)) - ball.to_arb(self.lam) * root(variance(law))

    @property
    def best(self) -> Any:
        """max K over history-dependent policies."""
        return ball.maximum([self.K(law) for law in self.at.laws])

    @cached_property
    def searched(self) -> Fraction:
        """max over (m, d) of m + max_π E[Y − lam(d/2 + Y²/(2d))], Y = G − m, d rational next to the std."""
        out = []
        for law in self.at.laws:
            m, v = mean(law), variance(law)
            d = F(max(1, isqrt(int(v * 10**60))), 10**30)
            out.append(
                m - self.lam * d / 2 + Sought(self.M, self.H, "", self.lam / (2 * d), self.s0).parabola(m)
            )
        return max(out)

    def found(self) -> list[Any]:
        """The library's bounds, K of the law it plays, the supremum written out."""
        sol = StockDP(objectives.mean_std(self.lam), progress=False).run(self.at.augmented)
        return [sol.enclosure(self.s0), self.K(dict(sol.law(self.s0))), self.searched]

    @property
    def direct(self) -> arb:
        """K of the policy greedy for K of c + law at every (s, c)."""
        solver = StockInduction(objectives.mean_std(self.lam), unchecked=True, laws=True)
        law = solver.run(self.at.augmented).law(self.s0, 0)
        assert isinstance(law, rl.ReturnLaw)
        return self.K(dict(law))


def spread(read: Reader) -> Spread:
    """Small models, horizons 1 and 2."""
    M = model(read, gammas=(ONE,))
    return Spread(M, 1 + read.below(2), read.pick((HALF, ONE_THIRD, ONE)), read.below(M.S))


DIRECTLY = Spread(family(3, 2, 2, 10, 1), 3, ONE)
THIRD = Spread(family(3, 2, 2, 1, 1), 3, ONE_THIRD, 1)

sup_of_eu_std: Claim[Spread] = Claim(
    statement="mean − λ·std = sup over m, d > 0 of E[G − λ(d/2 + (G−m)²/(2d))]: the best (m, d) is optimal",
    source=PAPER.at("suprema of expected utilities; derived"),
    let=decoded(spread, 96),
    assume=[],
    then=Eq(precise(lambda x: x.found()), precise(lambda x: [x.best] * 3), within=F(1, 10**11)),
    tight=Tight(THIRD, within=0),
    named={"directly": DIRECTLY},
    mutants=[
        Mutant("backward induction on mean − std itself", lhs=precise(lambda x: [x.direct] * 3)),
        Mutant("the formula of mean − variance", lhs=precise(lambda x: [x.at.searched] * 3)),
    ],
    expect=CERTIFIED,
    draws=70,
)

sup_of_eu_std_value: Claim[Spread] = Claim(
    statement="FM(3,2,2,1), H = 3, s₀ = 1: max mean − std/3 = 1.1694882742 to ten digits",
    source=PAPER.at("suprema of expected utilities; value derived"),
    let=Every("the printed optimum", 1, [THIRD]),
    assume=[],
    then=Eq(precise(lambda x: [*x.found(), x.best]), lambda x: F(11694882742, 10**10), within=F(1, 10**10)),
    tight=Tight(THIRD, within=0),
    mutants=[Mutant("the formula of mean − variance", lhs=lambda x: x.at.searched)],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
