"""Conditional value at risk: one stock problem for f = x₋ answers it at every level b at once.

CVaR_τ(ν) = max_b b + E_ν(X − b)₋/τ, so its optimum is max_b φ(b), φ(b) = b + V*(s₀, −b)/τ.  Listed laws of
all history-dependent policies, and tail means from the definition, are the other side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.results.law import ReturnLaw
from rltheory.results.stock import StockSolution
from rltheory.solvers.stock import StockDP
from rltheory.solvers.stock_baselines import StockBlind
from rltheory.solvers.stock_exact import ExactStockSolution, StockInduction

from .definitions import HALF, ONE, ZERO, Exact, F, Law, expect, mix
from .setting import PAPER, Model, Reader, decoded, family, model

LEVELS = (F(1, 10), F(1, 4), F(1, 3), HALF, F(3, 4), F(9, 10), ONE)


def tail(law: Law, tau: Fraction) -> Fraction:
    """Mean of the lowest τ of the mass, the last atom taken in part."""
    left, total = tau, ZERO
    for x in sorted(law):
        taken = min(left, law[x])
        total, left = total + taken * x, left - taken
    return total / tau


@dataclass(frozen=True)
class Tail(Exact):
    """Let M be a model, H ≤ 3 a horizon, tau in (0, 1], s0 a state."""

    M: Model
    H: int
    tau: Fraction
    s0: int = 0

    @cached_property
    def augmented(self) -> StockMDP:
        """The library's stock-augmented model."""
        return StockMDP(self.M.library, self.H)

    @cached_property
    def laws(self) -> list[Law]:
        """N(s₀)."""
        return self.M.laws(self.s0, self.H)

    @cached_property
    def best(self) -> Fraction:
        """max CVaR_τ over history-dependent policies."""
        return max(tail(law, self.tau) for law in self.laws)

    @cached_property
    def atoms(self) -> list[Fraction]:
        """Every return that can occur."""
        return sorted({x for law in self.laws for x in law})

    @cached_property
    def solution(self) -> StockSolution:
        """The library's search over initial stocks."""
        return StockDP(objectives.cvar(self.tau), progress=False).run(self.augmented)

    @cached_property
    def induction(self) -> ExactStockSolution:
        """The library's backward induction for f = x₋."""
        return StockInduction(objectives.shortfall()).run(self.augmented)

    def phi(self, b: Fraction) -> Fraction:
        """b + V*(s₀, −b)/τ."""
        return b + F(self.induction.value(self.s0, -b)) / self.tau

    @cached_property
    def level(self) -> Fraction:
        """The best b, lowest on ties."""
        return max(self.atoms, key=self.phi)

    @cached_property
    def nested(self) -> Fraction:
        """CVaR_τ of the policy greedy for CVaR_τ of the return to go at every step, without a stock."""
        law = StockBlind(objectives.cvar(self.tau), seen="zero").run(self.augmented).law(self.s0)
        assert isinstance(law, ReturnLaw)
        return tail(dict(law), self.tau)

    def found(self) -> list[Fraction]:
        """The library's value, and what its policy attains; max φ, and what the policy of its b attains."""
        law, other = self.solution.law(self.s0), self.induction.law(self.s0, -self.level)
        assert isinstance(other, ReturnLaw)
        value, phi = F(self.solution.value(self.s0)), self.phi(self.level)
        return [value, tail(dict(law), self.tau), phi, tail(dict(other), self.tau)]


def tails(read: Reader) -> Tail:
    """Small models, integer rewards, γ = 1 or 1/2."""
    M = model(read, gammas=(ONE, HALF))
    return Tail(M, read.pick((1, 2, 2, 3)), read.pick(LEVELS), read.below(M.S))


NESTED = Tail(family(3, 2, 2, 5, HALF), 2, F(1, 4), 2)
BENT = Tail(family(3, 2, 2, 8, 1), 2, F(1, 4))
PRINTED = Tail(family(3, 2, 2, 9, 1), 3, HALF)


def _bends(x: Tail) -> list[Fraction]:
    """Second differences of φ of step 1/4."""
    points = [F(k, 4) for k in range(math.floor(x.atoms[0]) * 4, math.ceil(x.atoms[-1]) * 4 + 1)]
    phi = [x.phi(b) for b in points]
    return [a + c - 2 * b for a, b, c in zip(phi, phi[1:], phi[2:], strict=False)] or [ZERO]


cvar: Claim[Tail] = Claim(
    statement="max_π CVaR_τ(G) = max b + V*(s₀,−b)/τ over returns b; the stock policy of that b attains it",
    source=PAPER.at("CVaR by a search over the initial stock; recalled, Bäuerle and Ott 2011"),
    let=decoded(tails, 96),
    assume=[],
    then=Eq(lhs=lambda x: x.found(), rhs=lambda x: x.best),
    tight=Tight(PRINTED, within=0),
    named={"nested greedy fails": NESTED, "φ bends upwards": BENT},
    mutants=[
        Mutant("nested greedy is optimal", lhs=lambda x: x.nested),
        Mutant("φ is concave", then=Leq(_bends, lambda x: [ZERO] * len(_bends(x)))),
        Mutant("b = 0", lhs=lambda x: x.phi(ZERO)),
        Mutant("no division by τ", lhs=lambda x: max(b + x.tau * (x.phi(b) - b) for b in x.atoms)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Family(Exact):
    """Let M = FM(3, 2, 2, q) at gamma, H = 2; all s₀ and five levels τ."""

    q: int
    gamma: Fraction

    @cached_property
    def all(self) -> list[Tail]:
        """Every start and level."""
        M, levels = family(3, 2, 2, self.q, self.gamma), (F(1, 10), F(1, 4), HALF, F(3, 4), ONE)
        return [Tail(M, 2, tau, s) for tau in levels for s in range(3)]


FAMILY = tuple(Family(q, g) for q in range(12) for g in (ONE, HALF))

cvar_family: Claim[Family] = Claim(
    statement="the same on FM(3,2,2,q), q < 12, H = 2, γ ∈ {1, 1/2}, all s₀, τ ∈ {1/10, 1/4, 1/2, 3/4, 1}",
    source=PAPER.at("CVaR by a search over the initial stock; family derived"),
    let=Every("FM(3,2,2,q), q < 12, γ ∈ {1, 1/2}", len(FAMILY), FAMILY),
    assume=[],
    then=Eq(
        lambda x: [v for y in x.all for v in y.found()], lambda x: [y.best for y in x.all for _ in range(4)]
    ),
    tight=Tight(FAMILY[9], within=0),
    mutants=[
        Mutant(
            "nested greedy is optimal",
            then=Eq(lambda x: [y.nested for y in x.all], lambda x: [y.best for y in x.all]),
        )
    ],
    expect=PROVED,
)


# ---- randomising, and solving the stock problem badly -------------------------------------------
@dataclass(frozen=True)
class Played(Exact):
    """Let a policy draw two of the laws of `at`, numbers i and j, with weights w and 1 − w."""

    at: Tail
    i: int
    j: int
    w: Fraction

    @cached_property
    def law(self) -> Law:
        """Law of the return."""
        laws = sorted(self.at.laws, key=lambda law: sorted(law.items()))
        n = len(laws)
        return mix([(self.w, laws[self.i % n]), (1 - self.w, laws[self.j % n])])

    @cached_property
    def loss(self) -> Fraction:
        """Optimal CVaR_τ, by the library, minus that of the law."""
        return F(self.at.solution.value(self.at.s0)) - tail(self.law, self.at.tau)

    @cached_property
    def missed(self) -> Fraction:
        """V*(s₀, −b) − E(G − b)₋ at the best b."""
        b = self.at.level
        return F(self.at.induction.value(self.at.s0, -b)) - F(expect(self.law, lambda x: min(x - b, ZERO)))


def played(read: Reader) -> Played:
    """Any two laws and any weight."""
    return Played(tails(read), read.byte(), read.byte(), read.weights(2)[0])


BET = Model(((((ONE, 1, ONE),), ((HALF, 1, ZERO), (HALF, 1, ONE))), (((ONE, 1, ZERO),),)), ONE)
"""1 surely, or 0 and 1 fairly."""
FAIR = Played(Tail(BET, 1, HALF), 0, 0, ONE)

cvar_deploy: Claim[Played] = Claim(
    statement="any policy ε short of V*(s₀,−b) at the best b, randomised or not, is 0 to ε/τ short of CVaR_τ",
    source=PAPER.at("CVaR: errors of the stock problem; derived"),
    let=decoded(played, 96),
    assume=[],
    then=Leq(lhs=lambda x: [ZERO, x.loss], rhs=lambda x: [x.loss, x.missed / x.at.tau]),
    tight=Tight(FAIR, within=0),
    mutants=[
        Mutant("ε for ε/τ", rhs=lambda x: [x.loss, x.missed]),
        Mutant("ε/(2τ)", rhs=lambda x: [x.loss, x.missed / (2 * x.at.tau)]),
    ],
    expect=CERTIFIED,
    draws=100,
)


# ---- printed optima ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Optimum(Exact):
    """Let the best CVaR_τ, a best level b and what nested greedy attains be the numbers printed."""

    at: Tail
    value: Fraction
    b: Fraction
    nested: Fraction


def _optima() -> tuple[Optimum, ...]:
    nine, five = family(3, 2, 2, 9, 1), family(3, 2, 2, 5, HALF)
    return (
        Optimum(Tail(nine, 3, F(1, 4)), ZERO, ZERO, ZERO),
        Optimum(Tail(nine, 3, HALF), F(169, 200), F(2), F(3, 5)),
        Optimum(Tail(nine, 3, F(3, 4)), F(449, 300), F(4), F(449, 300)),
        Optimum(Tail(nine, 3, ONE), F(849, 400), F(4), F(849, 400)),
        Optimum(Tail(five, 2, F(1, 10), 2), F(-3, 4), HALF, F(-1)),
        Optimum(Tail(five, 2, F(1, 4), 2), ZERO, HALF, F(-3, 5)),
        Optimum(Tail(five, 2, HALF, 2), HALF, ONE, HALF),
        Optimum(Tail(five, 2, F(3, 4), 2), F(7, 6), F(5, 2), F(7, 6)),
    )


OPTIMA = _optima()

cvar_values: Claim[Optimum] = Claim(
    statement="FM(3,2,2,9), H = 3; FM(3,2,2,5), γ = 1/2, H = 2, s₀ = 2: best CVaR_τ, its b, nested greedy",
    source=PAPER.at("CVaR; values derived"),
    let=Every("the printed optima", len(OPTIMA), OPTIMA),
    assume=[],
    then=Eq(
        lambda x: [*x.at.found(), x.at.best, x.at.phi(x.b), x.at.nested],
        lambda x: [*[x.value] * 6, x.nested],
    ),
    tight=Tight(OPTIMA[1], within=0),
    mutants=[Mutant("nested greedy is optimal", then=Eq(lambda x: x.at.nested, lambda x: x.value))],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
