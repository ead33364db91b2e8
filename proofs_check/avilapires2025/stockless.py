"""Dynamic programming without a stock: greedy for E f(c₀ + G) at every stage, G the return still to come.

It optimises f on every model iff f(r + γx) = α_r f(x) + β_r with α_r > 0: affine f, and for γ = 1 ±e^{βx}.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from flint import arb

from rltheory.checks import (
    CERTIFIED,
    PROVED,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Mutant,
    NotShown,
    Tight,
    run_module,
)
from rltheory.kernels import ball
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.solvers.stock_baselines import StockBlind

from .definitions import (
    HALF,
    ONE,
    UTILITIES,
    ZERO,
    Exact,
    F,
    Law,
    Outcomes,
    Utility,
    dirac,
    expect,
    mix,
    push,
)
from .scaling import Six, six
from .setting import PAPER, Model, Reader, decoded, family, model, precise

TINY = F(1, 2**180)


@dataclass(frozen=True)
class Start(Exact):
    """Let M be a model, H ≤ 3 a horizon, c0 a stock and f the name of a utility; s_0 = 0 unless said."""

    M: Model
    H: int
    c0: Fraction
    f: str
    s0: int = 0

    def utility(self, name: str | None = None) -> Utility:
        """f."""
        name = name or self.f
        return EXPONENTIAL[name] if name in EXPONENTIAL else UTILITIES[name]

    def best(self, name: str | None = None) -> Any:
        """sup of E f(c₀ + G) over history-dependent policies, by listing their laws."""
        f = self.utility(name)
        values = [expect(push(law, self.c0), f) for law in self.M.laws(self.s0, self.H)]
        return ball.maximum(values) if isinstance(values[0], arb) else max(values)

    def blind(self, name: str | None = None) -> Any:
        """E f(c₀ + G) of the policy greedy for E f(c₀ + ·) at every stage, ties to the lowest action."""
        f = self.utility(name)
        if not isinstance(f(self.c0), arb):
            solver = StockBlind(objectives.expected_utility(f), seen="initial")
            return solver.run(StockMDP(self.M.library, self.H)).value(self.s0, self.c0)

        def at(s: int, h: int) -> Law:
            if h == 0:
                return dirac(0)
            laws = [
                mix((p, push(at(t, h - 1), r, self.M.gamma)) for p, t, r in o) for o in self.M.outcomes[s]
            ]
            best, value = laws[0], expect(push(laws[0], self.c0), f)
            for law in laws[1:]:
                v = expect(push(law, self.c0), f)
                if bool(v > value):
                    best, value = law, v
            return best

        return expect(push(at(self.s0, self.H), self.c0), f)

    @cached_property
    def closed(self) -> bool:
        """f(r + γx) = α_r f(x) + β_r with α_r > 0."""
        return self.f == "x" or (self.M.gamma == 1 and self.f in EXPONENTIAL and self.f != "−e^−x/2")


EXPONENTIAL: dict[str, Utility] = {
    "2^x": lambda x: F(2) ** x,
    "−2^x": lambda x: -(F(2) ** x),
    "2^−x": lambda x: F(2) ** -x,
    "−2^−x": lambda x: -(F(2) ** -x),
}


def starts(read: Reader) -> Start:
    """Small models; integer rewards keep 2^x rational at γ = 1."""
    gamma = read.pick((ONE, ONE, ONE, HALF, F(3, 4)))
    names = ("2^x", "−2^x", "2^−x", "−2^−x", "x", "−|x|") if gamma == 1 else ("x", "x", "x₋")
    M = model(read, gammas=(gamma,))
    return Start(M, 1 + read.below(3), F(read.below(5) - 2), read.pick(names))


CLOSED = "f affine, or γ = 1 and f = ±2^{±x}"
HAND = Start(
    Model(
        (
            (((HALF, 1, ONE), (HALF, 1, F(-1))),),
            tuple(((ONE, 2, F(r)),) for r in (-1, 0, 1)),
            (((ONE, 2, ZERO),),),
        ),
        ONE,
    ),
    2,
    ZERO,
    "−|x|",
)
DISCOUNTED = Start(
    Model(
        (
            (((ONE, 1, ZERO),),),
            (((ONE, 2, ZERO),), ((HALF, 2, F(2)), (HALF, 2, F(-9, 10)))),
            (((ONE, 2, ZERO),),),
        ),
        HALF,
    ),
    2,
    ZERO,
    "−e^−x",
)
FAMILY = Start(family(3, 2, 2, 9, 1), 3, ONE, "−|x|")

no_stock: Claim[Start] = Claim(
    statement="f affine, or γ = 1 and f = ±e^{βx}: no stock is needed, the value is optimal over histories",
    source=PAPER.at("recalled: Bellemare, Dabney, Rowland; Marthe, Garivier, Vernade 2023"),
    let=decoded(starts, 96),
    assume=[Assumption(CLOSED, lambda x: x.closed, fails_without=HAND)],
    then=Eq(lambda x: x.blind(), lambda x: x.best()),
    tight=Tight(Start(family(3, 2, 2, 9, 1), 3, ONE, "2^x"), within=0),
    named={"halved lottery": replace(DISCOUNTED, f="x")},
    mutants=[
        Mutant("any utility", drop=CLOSED),
        Mutant("f = −|x|", then=Eq(lambda x: x.blind("−|x|"), lambda x: x.best("−|x|"))),
        Mutant("f = x₋", then=Eq(lambda x: x.blind("x₋"), lambda x: x.best("x₋"))),
        Mutant(
            "exponential utility for γ < 1",
            then=Eq(precise(lambda x: x.blind("−e^−x")), precise(lambda x: x.best("−e^−x")), within=TINY),
        ),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Delayed(Exact):
    """Let f have three values at 0, 1, 2 and three at 10, 10 + γ, 10 + 2γ; f(1) lies between f(0) and f(2).

    A first reward of 10, then 1, or 0 with probability p and 2 otherwise.
    """

    f: tuple[Fraction, Fraction, Fraction]
    g: tuple[Fraction, Fraction, Fraction]
    gamma: Fraction

    @cached_property
    def six(self) -> Six:
        """The numbers of the construction."""
        return Six(self.f, self.g)

    @cached_property
    def start(self) -> Start:
        """The model, its lottery moved by the construction."""
        p = self.six.moved
        lottery: Outcomes = ((p, 2, ZERO), (1 - p, 2, F(2)))
        choice = (tuple(o for o in lottery if o[0]), ((ONE, 2, ONE),))
        rows: tuple[tuple[Outcomes, ...], ...] = ((((ONE, 1, F(10)),),), choice, (((ONE, 2, ZERO),),))
        return Start(Model(rows, self.gamma), 2, ZERO, "")

    def utility(self, x: Fraction) -> Fraction:
        """f; 0 where no return lies."""
        points = [*map(F, range(3)), *[10 + self.gamma * k for k in range(3)]]
        return dict(zip(points, (*self.f, *self.g), strict=True)).get(x, ZERO)

    @cached_property
    def loss(self) -> Fraction:
        """Optimum minus the value without stock, by the library."""
        f = objectives.expected_utility(self.utility)
        model = StockMDP(self.start.M.library, 2)
        best = max(expect(law, self.utility) for law in self.start.M.laws(0, 2))
        return best - StockBlind(f, seen="initial").run(model).value(0, 0)


def delayed(read: Reader) -> Delayed:
    """Any six values, f(1) strictly between."""
    x = six(read)
    return Delayed(x.f, x.g, read.pick((HALF, F(3, 4), ONE)))


no_stock_converse: Claim[Delayed] = Claim(
    statement="f(r + γ·) no increasing affine image of f at three points: no stock loses |D|/2 somewhere",
    source=PAPER.at("the other direction; derived"),
    let=decoded(delayed),
    assume=[
        Assumption(
            "f(1) lies strictly between f(0) and f(2)",
            lambda x: 0 < x.six.p < 1,
            fails_without=NotShown("then no lottery of 0 and 2 ties with 1"),
        )
    ],
    then=Leq(lhs=lambda x: abs(x.six.D) / 2, rhs=lambda x: x.loss),
    tight=Tight(Delayed((ZERO, HALF, ONE), (ZERO, ZERO, ONE), HALF), within=0),
    mutants=[Mutant("|D|", lhs=lambda x: abs(x.six.D))],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Gap(Exact):
    """Let the optimum and the value without stock be the numbers printed."""

    at: Start
    optimum: Fraction
    blind: Fraction


GAPS = (
    Gap(FAMILY, F(-2, 5), F(-31, 15)),
    Gap(HAND, ZERO, F(-1)),
    Gap(Start(family(3, 2, 2, 3, 1), 3, ONE, "x₋"), F(-4, 15), F(-4, 15)),
    Gap(Start(family(3, 2, 2, 3, 1), 3, ONE, "−|x|"), F(-29, 48), F(-483, 400)),
    Gap(Start(family(3, 2, 2, 3, 1), 3, ONE, "x₊"), F(141, 100), F(63, 50)),
    Gap(Start(family(3, 2, 2, 4, HALF), 3, F(-1), "−|x|", 2), ZERO, F(-3, 4)),
    Gap(Start(family(3, 2, 2, 4, HALF), 3, F(-1), "−x²", 2), ZERO, F(-9, 16)),
)

no_stock_gap: Claim[Gap] = Claim(
    statement="optimum over all histories, and what dynamic programming without stock attains",
    source=PAPER.at("derived; reference values"),
    let=Every("the printed instances", len(GAPS), GAPS),
    assume=[],
    then=Eq(lambda x: [x.at.best(), x.at.blind()], lambda x: [x.optimum, x.blind]),
    tight=Tight(GAPS[0], within=0),
    mutants=[
        Mutant("no gap", then=Eq(lambda x: x.at.blind(), lambda x: x.optimum)),
        Mutant(
            "f at the last stage only, greedy for the mean before",
            then=Eq(lambda x: x.at.blind("x"), lambda x: x.blind),
        ),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
