"""Generalised policy evaluation: laws of several policies once, then the best of them at every (s, stock)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.operators.objective import Objective
from rltheory.solvers.stock_baselines import GeneralisedPolicy
from rltheory.solvers.stock_exact import ExactStockSolution

from .definitions import HALF, ONE, UTILITIES, ZERO, Exact, F, Law, cvar, dirac, expect, mix, push, quantile
from .optimality import OBJECTIVES, Functional, Starts, fm
from .setting import PAPER, Model, Reader, decoded, model


@dataclass(frozen=True)
class Bases(Exact):
    """Let policy i = 0, 1 always take action i (or the last there is); H ≤ 3, c0 a stock, f by name."""

    M: Model
    H: int
    c0: Fraction
    f: str
    s0: int = 0

    def rule(self, i: int) -> Callable[[int, Any, int], int]:
        """(s, stock, t) ↦ action of policy i."""
        return lambda s, c, t: min(i, len(self.M.outcomes[s]) - 1)

    def K(self, law: Law) -> Any:
        """U_f."""
        return expect(law, UTILITIES[self.f])

    def bases(self, K: Functional | None = None) -> list[Any]:
        """F η^{π_i} at (s₀, c₀)."""
        out = []
        for i in (0, 1):
            eta = [dirac(0)] * self.M.S
            for _ in range(self.H):
                eta = self.M.evaluate(eta, tuple(self.rule(i)(s, 0, 0) for s in range(self.M.S)))
            out.append((K or self.K)(push(eta[self.s0], self.c0)))
        return out

    def run(self, K: Objective | None = None) -> ExactStockSolution:
        """argmax_a max_i K(c + law_a(η^{π_i})), by the library."""
        solver = GeneralisedPolicy([self.rule(0), self.rule(1)], K or OBJECTIVES[self.f], unchecked=True)
        return solver.run(StockMDP(self.M.library, self.H))

    def followed(self, K: Objective | None = None) -> Law:
        """Law of c₀ + G when its actions are followed, from the definition."""
        chosen, g = self.run(K), self.M.gamma

        def at(t: int, s: int, c: Fraction) -> Law:
            if t == self.H:
                return dirac(0)
            o = self.M.outcomes[s][chosen.action(s, c, t)]
            return mix((p, push(at(t + 1, u, (c + r) / g), r, g)) for p, u, r in o)

        return push(at(0, self.s0, self.c0), self.c0)

    @cached_property
    def found(self) -> list[Any]:
        """F of the combined policy: by following it, and as the library says."""
        return [self.K(self.followed()), self.run().value(self.s0, self.c0)]

    @cached_property
    def optimum(self) -> Any:
        """sup over history-dependent policies."""
        return max(self.K(push(law, self.c0)) for law in self.M.laws(self.s0, self.H))


def bases(read: Reader) -> Bases:
    """Small models."""
    M = model(read, gammas=(ONE, HALF, F(3, 4)))
    f = read.pick(("x₋", "−|x|", "x₊", "−x²", "1{x≥0}"))
    return Bases(M, 1 + read.below(3), read.number(2), f, read.below(M.S))


CVAR, MEDIAN = objectives.cvar(HALF), objectives.quantile(HALF)


def _cvar(law: Law) -> Fraction:
    return cvar(law, HALF)


def _median(law: Law) -> Fraction:
    return quantile(law, HALF)


def _combined(says: str, objective: Objective, K: Functional) -> Mutant[Bases]:
    return Mutant(says, then=Leq(lambda x: max(x.bases(K)), lambda x: K(x.followed(objective))))


DIRECT = fm(1, ONE)
SAME = Bases(Model(((((ONE, 0, ONE),), ((ONE, 0, ONE),)),), HALF), 2, ONE, "x₊")

gpi: Claim[Bases] = Claim(
    statement="argmax_a max_i K(c + law_a(η^{π_i})) has F ≥ max_i F η^{π_i} for K with both indifferences",
    source=PAPER.at("generalised policy evaluation; recalled, derived for laws"),
    let=decoded(bases, 96),
    assume=[],
    then=Leq(
        lhs=lambda x: [max(x.bases()), *x.found],
        rhs=lambda x: [x.found[0], x.found[1], x.found[0]],
    ),
    tight=Tight(SAME, within=0),
    named={
        "CVaR": Bases(DIRECT, 3, ZERO, "x₊"),
        "median": Bases(DIRECT, 3, ZERO, "x₊", 1),
    },
    mutants=[
        Mutant("it attains F*", then=Leq(lambda x: x.optimum, lambda x: x.found[0])),
        _combined("K = CVaR_{1/2}", CVAR, _cvar),
        _combined("K = median", MEDIAN, _median),
    ],
    expect=CERTIFIED,
    draws=100,
)


@dataclass(frozen=True)
class Printed(Exact):
    """Let the larger of the two values, that of the combined policy and the optimum be the numbers printed.

    `K` names what is optimised where it is not U_f.
    """

    at: Bases
    K: str
    base: Fraction
    combined: Fraction
    best: Fraction

    def seen(self) -> list[Any]:
        """The same, computed."""
        objective, K = MINDING.get(self.K, (None, self.at.K))
        best = max(K(push(law, self.at.c0)) for law in self.at.M.laws(self.at.s0, self.at.H))
        return [max(self.at.bases(K)), K(self.at.followed(objective)), best]


MINDING: dict[str, tuple[Objective, Functional]] = {"CVaR": (CVAR, _cvar), "median": (MEDIAN, _median)}
PRINTED = (
    Printed(Bases(fm(3, ONE), 3, ONE, "−|x|"), "", F(-503, 300), F(-29, 48), F(-29, 48)),
    Printed(Bases(fm(3, ONE), 3, ONE, "x₋"), "", F(-4, 15), F(-4, 15), F(-4, 15)),
    Printed(Bases(fm(1, ONE), 3, ZERO, "x₊"), "CVaR", F(-57, 80), F(-9, 10), F(-46, 75)),
    Printed(Bases(fm(1, ONE), 3, ZERO, "x₊", 1), "median", F(3), ZERO, F(3)),
)

gpi_values: Claim[Printed] = Claim(
    statement="policies, combined, optimum on FM: −|x|, x₋ (q = 3, c₀ = 1); CVaR_{1/2}, median (q = 1)",
    source=PAPER.at("generalised policy evaluation; values derived"),
    let=Every("the printed instances", len(PRINTED), PRINTED),
    assume=[],
    then=Eq(lhs=lambda x: x.seen(), rhs=lambda x: [x.base, x.combined, x.best]),
    tight=Tight(PRINTED[0], within=0),
    mutants=[Mutant("no gain", then=Eq(lambda x: x.seen()[1], lambda x: x.base))],
    expect=PROVED,
)


@dataclass(frozen=True)
class Count(Exact):
    """Let f and gamma be given; FM(3, 2, 2, q), q < 12, H = 3, every s₀, c₀ = −1, 0, 1, 2."""

    f: str
    gamma: Fraction
    strict: int
    short: int

    @cached_property
    def counts(self) -> list[int]:
        """How often the combined policy beats both, and how often it is not optimal."""
        strict = short = 0
        for q in range(12):
            M = fm(q, self.gamma)
            combined, family = Bases(M, 3, ZERO, self.f).run(), Starts(q, 3, self.gamma)
            best = {(x.s0, x.c0, x.f): v for x, v in zip(family.all, family.optima, strict=True)}
            for s in range(3):
                for c in range(-1, 3):
                    value = combined.value(s, F(c))
                    strict += value > max(Bases(M, 3, F(c), self.f, s).bases())
                    short += value < best[s, F(c), self.f]
        return [strict, short]


COUNTS = (
    Count("−|x|", ONE, 130, 49),
    Count("−|x|", HALF, 125, 18),
    Count("x₋", ONE, 68, 10),
    Count("x₋", HALF, 50, 4),
)

gpi_counts: Claim[Count] = Claim(
    statement="of 576 starts it beats both policies in 130 + 125 + 68 + 50 = 373, is not optimal in 81",
    source=PAPER.at("generalised policy evaluation; counts derived"),
    let=Every("f = −|x|, x₋; γ = 1, 1/2", 4, COUNTS),
    assume=[],
    then=Eq(lhs=lambda x: x.counts, rhs=lambda x: [x.strict, x.short]),
    tight=Tight(COUNTS[0], within=0),
    mutants=[
        Mutant("always better", rhs=lambda x: [144, x.short]),
        Mutant("always optimal", rhs=lambda x: [x.strict, 0]),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
