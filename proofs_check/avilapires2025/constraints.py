"""Constraints by a price on a second stock: f = x₁ + λ(x₂)₋ from (0, −b) keeps G₂ ≥ b surely for large λ.

The library's backward induction on one side; on the other the laws of the vector return under all
history-dependent policies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, PROVED, Assumption, Claim, Eq, Every, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.operators.objective import Objective
from rltheory.solvers.stock_exact import StockInduction

from .definitions import ONE, ZERO, Exact, F
from .setting import PAPER, Reader, decoded
from .vector import Plane, VectorModel, vector_family, vector_model


@dataclass(frozen=True)
class Bound(Exact):
    """Let G₂ ≥ b be required, λ = lam the price on what falls short, δ = 1, γ = 1."""

    M: VectorModel
    H: int
    s0: int
    b: Fraction
    lam: Fraction

    @cached_property
    def laws(self) -> list[Plane]:
        """N(s₀)."""
        return self.M.laws(self.s0, self.H)

    def risk(self, law: Plane) -> Fraction:
        """P(G₂ < b)."""
        return sum((p for (_, y), p in law.items() if y < self.b), ZERO)

    @cached_property
    def feasible(self) -> bool:
        """Some policy keeps G₂ ≥ b surely."""
        return any(self.risk(law) == 0 for law in self.laws)

    @cached_property
    def best(self) -> Fraction:
        """The largest E G₁ among those."""
        return max(first(law) for law in self.laws if self.risk(law) == 0)

    @cached_property
    def threshold(self) -> Fraction:
        """R₁/(p_min δ)."""
        values = [x for law in self.laws for x, _ in law]
        return (max(values) - min(values)) / self.rarest(self.s0, self.H)

    def rarest(self, s: int, h: int) -> Fraction:
        """The smallest probability of a path of h steps."""
        if h == 0:
            return ONE
        return min(p * self.rarest(t, h - 1) for outcomes in self.M.outcomes[s] for p, t, _ in outcomes)

    def solved(self, K: Objective) -> Plane:
        """Law of G under the library's policy for K from stock (0, −b)."""
        sol = StockInduction(K).run(StockMDP(self.M.library, self.H))
        return dict(sol.law(self.s0, (ZERO, -self.b)))

    @cached_property
    def found(self) -> list[Fraction]:
        """(E G₁, P(G₂ < b)) for f = x₁ + λ(x₂)₋."""
        law = self.solved(objectives.constraint(self.lam))
        return [first(law), self.risk(law)]

    @cached_property
    def cheap(self) -> list[Fraction]:
        """The same for λ = 1/4."""
        law = self.solved(objectives.constraint(F(1, 4)))
        return [first(law), self.risk(law)]


def first(law: Plane) -> Fraction:
    """E G₁."""
    return sum((x * p for (x, _), p in law.items()), ZERO)


def bounds(read: Reader) -> Bound:
    """Small models at γ = 1; one λ in five is too small."""
    M = vector_model(read, (ONE,))
    x = Bound(M, 1 + read.below(2), read.below(len(M.outcomes)), F(read.below(5) - 3), ONE)
    lam = x.threshold + 1 if read.below(5) else F(1, 4)
    return Bound(x.M, x.H, x.s0, x.b, lam)


DEAR, SOME = "λ > R₁/(p_min δ)", "some policy keeps G₂ ≥ b surely"
STRICT = Bound(vector_family(2), 3, 1, F(-3), F(385))
LAX = Bound(vector_family(2), 3, 1, F(-3), F(1, 4))
NEVER = Bound(vector_family(2), 3, 1, F(100), F(10**4))

constraints: Claim[Bound] = Claim(
    statement="f = x₁ + λ(x₂)₋, c₀ = (0,−b), λ > R₁/(p_min δ): G₂ ≥ b surely, with the best such E G₁",
    source=PAPER.at("constraints by a price; recalled application, constant derived"),
    let=decoded(bounds, 96),
    assume=[
        Assumption(DEAR, lambda x: x.lam > x.threshold, fails_without=LAX),
        Assumption(SOME, lambda x: x.feasible, fails_without=NEVER),
    ],
    then=Eq(lambda x: x.found, lambda x: [x.best if x.feasible else ZERO, ZERO]),
    tight=Tight(STRICT, within=0),
    mutants=[
        Mutant("any λ", drop=DEAR),
        Mutant("λ = 1/4", lhs=lambda x: x.cheap),
        Mutant("the best E G₁ of all policies", rhs=lambda x: [max(map(first, x.laws)), ZERO]),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Starts:
    """Let q be given: FMV(3, 2, 2, q), H = 3, all s₀, b = −4, …, 2 where some policy keeps G₂ ≥ b."""

    q: int

    @cached_property
    def all(self) -> list[Bound]:
        """Every start, λ = R₁/p_min + 1."""
        M, out = vector_family(self.q), []
        for s in range(3):
            price = Bound(M, 3, s, ZERO, ZERO).threshold + 1
            out += [Bound(M, 3, s, F(b), price) for b in range(-4, 3)]
        return [x for x in out if x.feasible]


FAMILY = tuple(Starts(q) for q in range(12))


@dataclass(frozen=True)
class Counted:
    """Let the numbers of starts, and of those where λ = 1/4 violates the constraint, be as printed."""

    starts: int
    violated: int

    def count(self, law: Callable[[Bound], list[Fraction]]) -> list[int]:
        """(starts, starts where the constraint is broken)."""
        every = [x for q in FAMILY for x in q.all]
        return [len(every), sum(law(x)[1] > 0 for x in every)]


constraints_family: Claim[Starts] = Claim(
    statement="the same on FMV(3,2,2,q), q < 12, H = 3, −4 ≤ b ≤ 2, λ = R₁/p_min + 1: 146 starts",
    source=PAPER.at("constraints by a price; family derived"),
    let=Every("FMV(3,2,2,q), q < 12, feasible starts", 12, FAMILY),
    assume=[],
    then=Eq(
        lambda x: [v for y in x.all for v in y.found], lambda x: [v for y in x.all for v in (y.best, ZERO)]
    ),
    tight=Tight(FAMILY[2], within=0),
    mutants=[Mutant("λ = 1/4", lhs=lambda x: [v for y in x.all for v in y.cheap])],
    expect=PROVED,
)

constraints_count: Claim[Counted] = Claim(
    statement="146 such starts; λ = 1/4 violates the constraint in 53",
    source=PAPER.at("constraints by a price; counts derived"),
    let=Every("the whole family", 1, [Counted(146, 53)]),
    assume=[],
    then=Eq(lambda x: x.count(lambda y: y.cheap), lambda x: [x.starts, x.violated]),
    tight=Tight(Counted(146, 53), within=0),
    mutants=[Mutant("the large λ", lhs=lambda x: x.count(lambda y: y.found))],
    expect=PROVED,
)

constraints_values: Claim[Bound] = Claim(
    statement="FMV(3,2,2,2), s₀ = 1, b = −3: E G₁ = 141/50 for λ = 385; λ = 1/4: 249/80, P(G₂ < −3) = 31/80",
    source=PAPER.at("constraints by a price; instance derived"),
    let=Every("the printed instance", 1, [STRICT]),
    assume=[],
    then=Eq(
        lambda x: [*x.found, x.best, *x.cheap, max(map(first, x.laws))],
        lambda x: [F(141, 50), ZERO, F(141, 50), F(249, 80), F(31, 80), F(249, 80)],
    ),
    tight=Tight(STRICT, within=0),
    mutants=[Mutant("λ = 1/4 does", lhs=lambda x: [*x.cheap, x.best, *x.cheap, max(map(first, x.laws))])],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
