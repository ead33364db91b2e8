"""Finite horizons: backward induction over (state, stock) is optimal among all history-dependent policies.

The library's solvers on one side; on the other the best of *all* return laws of deterministic
history-dependent policies, listed from the definition, or recursions written here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import CERTIFIED, PROVED, Assumption, Claim, Eq, Every, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.operators.objective import Objective
from rltheory.solvers.stock_baselines import StockBlind
from rltheory.solvers.stock_exact import ExactStockSolution, StockInduction

from .definitions import (
    FACTOR,
    HALF,
    LIPSCHITZ,
    ONE,
    UTILITIES,
    ZERO,
    Exact,
    F,
    Law,
    Pairs,
    Utility,
    cvar,
    expect,
    log_periodic,
    push,
    quantile,
)
from .monotonicity import mean_minus_std
from .setting import PAPER, Model, Reader, decoded, family, model, precise

Functional = Callable[[Law], Any]
TINY = F(1, 2**100)


def _objective(name: str) -> Objective:
    return objectives.expected_utility(
        UTILITIES[name],
        name=name,
        factor=FACTOR.get(name),
        lipschitz=1 if name in (*LIPSCHITZ, "|x|", "min(x,1)", "−|x−1|", "clip") else None,
        continuous="1{" not in name,
    )


OBJECTIVES: dict[str, Objective] = {
    **{name: _objective(name) for name in UTILITIES if name not in ("−e^−x", "sign(x)√|x|")},
    "x": objectives.mean(),
    "x₋": objectives.shortfall(),
    "x₊": objectives.surplus(),
    "−|x|": objectives.target(),
    "−x²": objectives.negative_square(),
    "1{x≥0}": objectives.success(),
}
"""The library's objectives of the rational utilities."""

ANY = ("x₋", "x₊", "−|x|", "−x²", "x³", "1{x≥1}", "clip", "min(x,1)", "−|x−1|")
"""Utilities optimised at γ = 1."""
SCALING = ("x₋", "x₊", "−|x|", "−x²", "x³", "1{x>0}", "1{x≥0}")
"""Utilities with f̃(γx) = a f̃(x) at every γ."""
CURVED = ("−|x−1|", "min(x,1)", "1{x≥1}", "clip")
"""Utilities without."""
CHOICE = Model(
    (
        (((ONE, 1, ZERO),),),
        (((ONE, 2, ONE),), ((F(3, 5), 2, F(2)), (F(2, 5), 2, ZERO))),
        (((ONE, 2, ZERO),),),
    ),
    HALF,
)
"""Nothing, then 1, or 2 with probability 3/5."""


def own(gamma: Fraction) -> Fraction:
    """The γ whose log-periodic utility is used: the model's, or 4/5 at γ = 1."""
    return gamma if gamma < 1 else F(4, 5)


@dataclass(frozen=True)
class Finite(Exact):
    """Let M be a model, H ≤ 3 a horizon, c0 a stock, f a utility by name, s0 a state."""

    M: Model
    H: int
    c0: Fraction
    f: str
    s0: int = 0

    @cached_property
    def utility(self) -> Utility:
        """f."""
        return log_periodic(own(self.M.gamma)) if self.f == "wave" else UTILITIES[self.f]

    def K(self, law: Law) -> Any:
        """U_f."""
        return expect(law, self.utility)

    def optimum(self, K: Functional | None = None) -> Any:
        """sup of K(law(c₀ + G)) over history-dependent policies, by listing their laws."""
        values = [(K or self.K)(push(law, self.c0)) for law in self.M.laws(self.s0, self.H)]
        return max(values) if not hasattr(values[0], "mid") else ball.maximum(values)

    def solved(
        self, K: Objective | None = None, *, time_indexed: bool = False, laws: bool = False
    ) -> ExactStockSolution:
        """Backward induction by the library; `laws` carries laws where values would do."""
        K = K or OBJECTIVES[self.f]
        solver = StockInduction(K, time_indexed=time_indexed, laws=laws, unchecked=True)
        return solver.run(StockMDP(self.M.library, self.H))

    def found(self, K: Objective | None = None) -> Law:
        """Law of c₀ + G under the policy the library finds by comparing K(c + law) everywhere."""
        law = self.solved(K, laws=True).law(self.s0, self.c0)
        assert isinstance(law, rl.ReturnLaw)
        return push(dict(law), self.c0)

    @cached_property
    def value(self) -> Any:
        """Backward induction's value at (s₀, c₀), by the library."""
        return self.solved().value(self.s0, self.c0)

    @cached_property
    def indifferent(self) -> bool:
        """f̃(γx) = a f̃(x) for some a at this γ."""
        return self.M.gamma == 1 or self.f in FACTOR or self.f == "wave"


def finite(read: Reader, gammas: tuple[Fraction, ...] = (ONE, HALF, F(3, 4))) -> Finite:
    """Small models, horizons 1 to 3."""
    M = model(read, gammas=gammas)
    names = ANY if M.gamma == 1 else (*SCALING, *CURVED, *CURVED)
    return Finite(M, 1 + read.below(3), read.number(2), read.pick(names), read.below(M.S))


INDIFFERENT = "f̃(γx) = a f̃(x) for some a > 0, or γ = 1"
MEDIAN = Finite(family(3, 2, 2, 1, 1), 3, ZERO, "−|x|", 1)
TAIL = Finite(family(3, 2, 2, 9, 1), 3, ZERO, "−|x|")
SPREAD = Finite(family(3, 2, 2, 10, 1), 3, ZERO, "−|x|")


def _direct(says: str, objective: Objective, K: Functional) -> Mutant[Finite]:
    direct: Eq[Finite] = Eq(
        precise(lambda x: K(x.found(objective))), precise(lambda x: x.optimum(K)), within=TINY
    )
    return Mutant(says, then=direct)


CVAR, MIDDLE, STD = objectives.cvar(HALF), objectives.quantile(HALF), objectives.mean_std(1)


def _cvar(law: Law) -> Fraction:
    return cvar(law, HALF)


def _median(law: Law) -> Fraction:
    return quantile(law, HALF)


finite_exact: Claim[Finite] = Claim(
    statement="K = U_f indifferent to γ: backward induction over (s, c) attains the sup over histories",
    source=PAPER.at("finite horizon optimality; recalled"),
    let=decoded(finite, 96),
    assume=[
        Assumption(INDIFFERENT, lambda x: x.indifferent, fails_without=Finite(CHOICE, 2, ZERO, "min(x,1)")),
    ],
    then=Eq(lhs=lambda x: [x.value, x.K(x.found())], rhs=lambda x: x.optimum()),
    tight=Tight(Finite(family(3, 2, 2, 9, 1), 3, ONE, "−|x|"), within=0),
    named={"median": MEDIAN, "CVaR": TAIL, "mean − std": SPREAD},
    mutants=[
        _direct("K = median", MIDDLE, _median),
        _direct("K = CVaR_{1/2}, directly", CVAR, _cvar),
        _direct("K = mean − std", STD, mean_minus_std),
        Mutant("any utility", drop=INDIFFERENT),
    ],
    expect=CERTIFIED,
    draws=100,
)


@dataclass(frozen=True)
class Gap(Exact):
    """Let backward induction use K directly at this start; what it loses, to three digits."""

    at: Finite
    name: str
    printed: Fraction

    def gap(self, *, swap: bool = False) -> Any:
        """Optimum minus value found; with the library's mean in place of K if `swap`."""
        objective, K = DIRECT[self.name]
        return self.at.optimum(K) - K(self.at.found(OBJECTIVES["x"] if swap else objective))


DIRECT: dict[str, tuple[Objective, Functional]] = {
    "median": (MIDDLE, _median),
    "CVaR": (CVAR, _cvar),
    "mean − std": (STD, mean_minus_std),
}
GAPS = (Gap(MEDIAN, "median", F(2)), Gap(TAIL, "CVaR", F(245, 1000)), Gap(SPREAD, "mean − std", F(435, 1000)))

finite_exact_gaps: Claim[Gap] = Claim(
    statement="K = median, CVaR_{1/2}, mean − std used directly: backward induction loses 2, .245, .435",
    source=PAPER.at("finite horizon optimality; instances derived"),
    let=Every("three printed instances", 3, GAPS),
    assume=[],
    then=Eq(precise(lambda x: x.gap()), lambda x: x.printed, within=F(1, 2000)),
    tight=Tight(list(GAPS), within=0),
    mutants=[
        Mutant("greedy for the mean", lhs=precise(lambda x: x.gap(swap=True))),
        Mutant("no gap", rhs=lambda x: ZERO),
    ],
    expect=CERTIFIED,
)


def waves(read: Reader) -> Finite:
    """The log-periodic utility of the model's own γ; at γ = 1 that of 4/5."""
    return replace(finite(read, (HALF, F(4, 5), ONE)), f="wave")


def _wave(gamma: Fraction) -> Objective:
    f = log_periodic(gamma)
    return objectives.expected_utility(lambda x: float(f(x)), name="wave", factor=lambda g: g)


finite_exact_wave: Claim[Finite] = Claim(
    statement="f(x) = −|x|(1 + .15 sin(2π ln|x|/ln γ)) at its own γ: backward induction is optimal",
    source=PAPER.at("finite horizon optimality; the utility derived"),
    let=decoded(waves, 96),
    assume=[],
    then=Eq(
        precise(lambda x: x.K(x.found(_wave(own(x.M.gamma))))),
        precise(lambda x: x.optimum()),
        within=F(1, 10**11),
    ),
    tight=Tight(Finite(family(3, 2, 2, 4, F(4, 5)), 3, F(-1), "wave", 2), within=0),
    mutants=[
        Mutant(
            "the utility of another γ",
            then=Eq(
                precise(lambda x: expect(x.found(_wave(F(3, 5))), log_periodic(F(3, 5)))),
                precise(lambda x: x.optimum(lambda law: expect(law, log_periodic(F(3, 5))))),
                within=F(1, 10**11),
            ),
        ),
    ],
    expect=CERTIFIED,
    draws=50,
)


@cache
def fm(q: int, gamma: Fraction) -> Model:
    """FM(3, 2, 2, q)."""
    return family(3, 2, 2, q, gamma)


@dataclass(frozen=True)
class Starts(Exact):
    """Let M = FM(3, 2, 2, q) at gamma, H a horizon, f utilities; all s₀, and c₀ = −1, 0, 1, 2."""

    q: int
    H: int
    gamma: Fraction

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Utilities optimised at this γ."""
        return ANY if self.gamma == 1 else SCALING

    @cached_property
    def all(self) -> tuple[Finite, ...]:
        """Every start and utility."""
        M = fm(self.q, self.gamma)
        starts = [(s, F(c)) for s in range(3) for c in range(-1, 3)]
        return tuple(Finite(M, self.H, c, f, s) for s, c in starts for f in self.names)

    @cached_property
    def optima(self) -> list[Any]:
        """The best over histories."""
        out = []
        for s in range(3):
            laws = fm(self.q, self.gamma).laws(s, self.H)
            points = sorted({x for law in laws for x in law})
            scale = math.lcm(*(p.denominator for law in laws for p in law.values()))
            masses = np.array([[int(law.get(x, ZERO) * scale) for x in points] for law in laws], dtype=object)
            small = masses.astype(np.int64)
            for c in range(-1, 3):
                for f in self.names:
                    v = [F(UTILITIES[f](x + c)) for x in points]
                    unit = math.lcm(*(y.denominator for y in v))
                    whole = np.array([int(y * unit) for y in v], dtype=object)
                    fits = scale * max(abs(whole)) < 2**62
                    best = (small @ whole.astype(np.int64) if fits else masses @ whole).max()
                    out.append(F(int(best), scale * unit))
        return out

    @cached_property
    def blind(self) -> list[Any]:
        """Greedy for E f(c₀ + G) without a stock, by the library."""
        M = StockMDP(fm(self.q, self.gamma).library, self.H)
        found = {f: StockBlind(OBJECTIVES[f], seen="initial").run(M) for f in self.names}
        return [found[x.f].value(x.s0, x.c0) for x in self.all]

    @cached_property
    def values(self) -> list[Any]:
        """Backward induction, by the library: one solution a utility."""
        M = StockMDP(fm(self.q, self.gamma).library, self.H)
        found = {f: StockInduction(OBJECTIVES[f]).run(M) for f in self.names}
        return [found[x.f].value(x.s0, x.c0) for x in self.all]


FAMILY = tuple(Starts(q, H, g) for g in (ONE, HALF) for H in (1, 2, 3) for q in range(12))

finite_exact_family: Claim[Starts] = Claim(
    statement="the same on FM(3,2,2,q), q < 12, H ≤ 3, c₀ ∈ {−1,0,1,2}, γ = 1 (9 utilities) and 1/2 (7)",
    source=PAPER.at("finite horizon optimality; family derived"),
    let=Every("FM(3,2,2,q), q < 12, H ≤ 3, γ ∈ {1, 1/2}", len(FAMILY), FAMILY),
    assume=[],
    then=Eq(lhs=lambda x: x.values, rhs=lambda x: x.optima),
    tight=Tight(Starts(9, 3, ONE), within=0),
    mutants=[Mutant("without a stock", lhs=lambda x: x.blind)],
    expect=PROVED,
)


# ---- reference values ------------------------------------------------------------------------
@dataclass(frozen=True)
class Reference(Exact):
    """Let the optimum, the law of G that attains it and the number of laws be those printed."""

    at: Finite
    best: Fraction
    law: Pairs
    laws: int

    def seen(self) -> list[Any]:
        """Value and masses at the printed atoms, by the library; number of laws, from the definition."""
        x = self.at
        law = dict(push(x.found(), -x.c0))
        masses = [law.get(v, ZERO) for v, _ in self.law]
        return [x.value, *masses, len(x.M.laws(x.s0, x.H)) if self.laws else 0]


REFERENCES = (
    Reference(
        Finite(fm(3, ONE), 3, ONE, "−|x|"),
        F(-29, 48),
        ((F(-3), F(2, 15)), (F(-1), F(181, 240)), (F(2), F(9, 80))),
        128,
    ),
    Reference(Finite(fm(9, ONE), 3, ONE, "−|x|"), F(-2, 5), ((F(-2), F(2, 5)), (F(-1), F(3, 5))), 0),
    Reference(Finite(fm(4, HALF), 3, F(-1), "−|x|", 2), ZERO, (), 116),
    Reference(Finite(fm(9, ONE), 3, ZERO, "x"), F(849, 400), (), 0),
)

finite_exact_values: Claim[Reference] = Claim(
    statement="FM(3,2,2,q), H = 3: optima, laws that attain them, numbers of laws",
    source=PAPER.at("reference values; derived"),
    let=Every("the printed instances", len(REFERENCES), REFERENCES),
    assume=[],
    then=Eq(lhs=lambda x: x.seen(), rhs=lambda x: [x.best, *[p for _, p in x.law], x.laws]),
    tight=Tight(list(REFERENCES), within=0),
    mutants=[
        Mutant("the stock not counted", lhs=lambda x: [x.at.solved().value(x.at.s0, 0), *x.seen()[1:]]),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
