"""Targets, mixed attitudes to risk, lexicographic pairs: expected utilities that a stock makes solvable.

f = −|x| with stock −g: the law of the return comes as near to a sure g as it can, in w₁.
f = αx₋ + βx₊; pairs of utilities compared lexicographically.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import rltheory as rl
from rltheory.checks import CERTIFIED, PROVED, Assumption, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.operators.objective import Objective
from rltheory.solvers.stock import StockDP
from rltheory.solvers.stock_baselines import StockEvaluation
from rltheory.solvers.stock_exact import StockInduction, StockValueIteration

from .definitions import (
    HALF,
    ONE,
    UTILITIES,
    ZERO,
    Exact,
    F,
    Law,
    Pairs,
    dirac,
    expect,
    kinked,
    library,
    mean,
    push,
    w1,
)
from .setting import PAPER, Model, Reader, chain, decoded, family, model


# ---- targets -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Aim(Exact):
    """Let M be a model, H ≤ 3 a horizon, s0 a state, g the return wanted."""

    M: Model
    H: int
    s0: int
    g: Fraction

    @cached_property
    def laws(self) -> list[Law]:
        """N(s₀)."""
        return self.M.laws(self.s0, self.H)

    def value(self, stock: Fraction) -> Fraction:
        """sup −E|c + G|, by the library."""
        return F(StockDP(objectives.target(), progress=False).run(self.augmented).value(self.s0, stock))

    @cached_property
    def augmented(self) -> StockMDP:
        """The library's stock-augmented model."""
        return StockMDP(self.M.library, self.H)

    @cached_property
    def found(self) -> list[Any]:
        """−F*, and whether it is 0."""
        v = -self.value(-self.g)
        return [v, int(v == 0)]

    @cached_property
    def nearest(self) -> Fraction:
        """min w₁(law G, δ_g) over history-dependent policies."""
        return min(w1(law, dirac(self.g)) for law in self.laws)

    @cached_property
    def surely(self) -> int:
        """Whether some policy returns g surely."""
        return int(dirac(self.g) in self.laws)

    @cached_property
    def possibly(self) -> int:
        """Whether some policy returns g with positive probability."""
        return int(any(self.g in law for law in self.laws))


def aims(read: Reader) -> Aim:
    """Small models, a third of them without chance."""
    M = model(read, gammas=(ONE, HALF), B=1 + (read.below(3) > 0))
    return Aim(M, read.pick((1, 2, 2, 3)), read.below(M.S), read.number(2))


AIM = Aim(family(3, 2, 2, 9, 1), 3, 0, F(-1))

target: Claim[Aim] = Claim(
    statement="f = −|x|, c₀ = −g: −F* = min_π w(law G, δ_g); it is 0 iff some policy returns g surely",
    source=PAPER.at("desired returns; recalled application"),
    let=decoded(aims, 96),
    assume=[],
    then=Eq(lambda x: x.found, lambda x: [x.nearest, x.surely]),
    tight=Tight(AIM, within=0),
    named={"a sure return": Aim(chain((1,), (-3,), gamma=1), 2, 0, F(-2))},
    mutants=[
        Mutant("stock +g", lhs=lambda x: [-x.value(x.g), x.surely]),
        Mutant("the mean next to g", rhs=lambda x: [min(abs(mean(law) - x.g) for law in x.laws), x.surely]),
        Mutant("0 iff g is possible", rhs=lambda x: [x.nearest, x.possibly]),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- mixed risk --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Mixed(Exact):
    """Let f = alpha·x₋ + beta·x₊, at a start with stock c."""

    at: Aim
    c: Fraction
    alpha: Fraction
    beta: Fraction

    def value(self) -> Fraction:
        """The optimum, by the library."""
        K = objectives.mixed_risk(self.alpha, self.beta)
        return F(StockDP(K, progress=False).run(self.at.augmented).value(self.at.s0, self.c))

    def best(self, alpha: Fraction, beta: Fraction) -> Fraction:
        """The optimum over history-dependent policies."""
        f = kinked(alpha, beta)
        return max(F(expect(push(law, self.c), f)) for law in self.at.laws)


def mixed(read: Reader) -> Mixed:
    """Slopes 0, 1/2, …, 4."""
    return Mixed(aims(read), read.number(2), F(read.below(9), 2), F(read.below(9), 2))


MIXED = Mixed(AIM, -ONE, F(2), ONE)

target_mixed_risk: Claim[Mixed] = Claim(
    statement="f = αx₋ + βx₊, α, β ≥ 0: the value is the best over histories",
    source=PAPER.at("mixed risk; recalled application"),
    let=decoded(mixed, 96),
    assume=[],
    then=Eq(lambda x: x.value(), lambda x: x.best(x.alpha, x.beta)),
    tight=Tight(MIXED, within=0),
    mutants=[
        Mutant("α and β exchanged", rhs=lambda x: x.best(x.beta, x.alpha)),
        Mutant("αx₋ alone", rhs=lambda x: x.best(x.alpha, ZERO)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Attitude(Exact):
    """Let f = alpha·x₋ + beta·x₊ and nu be a law."""

    alpha: Fraction
    beta: Fraction
    nu: Pairs

    def worth(self, law: Law) -> Fraction:
        """E f, by the library."""
        return F(objectives.mixed_risk(self.alpha, self.beta)(library(law)))

    @cached_property
    def sides(self) -> tuple[Fraction, Fraction]:
        """E f(X) and f(E X)."""
        law = dict(self.nu)
        return self.worth(law), F(kinked(self.alpha, self.beta)(mean(law)))


COIN: Pairs = ((-ONE, HALF), (ONE, HALF))
AVERSE = "α ≥ β"


def attitudes(read: Reader) -> Attitude:
    """Any slopes; α ≥ β in most cases."""
    alpha, beta = F(read.below(9), 2), F(read.below(9), 2)
    if read.below(4) and alpha < beta:
        alpha, beta = beta, alpha
    return Attitude(alpha, beta, read.law())


target_risk_averse: Claim[Attitude] = Claim(
    statement="α ≥ β: E f(X) ≤ f(E X) for every law",
    source=PAPER.at("mixed risk: averse iff α ≥ β; derived"),
    let=decoded(attitudes),
    assume=[Assumption(AVERSE, lambda x: x.alpha >= x.beta, fails_without=Attitude(ONE, F(2), COIN))],
    then=Leq(lambda x: x.sides[0], lambda x: x.sides[1]),
    tight=Tight(Attitude(F(2), ONE, ((ONE, HALF), (F(3), HALF))), within=0),
    mutants=[
        Mutant("any α, β", drop=AVERSE),
        Mutant("risk-seeking", then=Leq(lambda x: x.sides[1], lambda x: x.sides[0])),
    ],
    expect=CERTIFIED,
)


def coin(read: Reader) -> Attitude:
    """Any slopes, a fair coin."""
    t = F(1 + read.below(8), 2)
    return Attitude(F(read.below(9), 2), F(read.below(9), 2), ((-t, HALF), (t, HALF)))


target_risk_coin: Claim[Attitude] = Claim(
    statement="a fair coin ±t, t > 0, is worth (β − α)t/2, 0 is worth 0: averse only if α ≥ β",
    source=PAPER.at("mixed risk: averse iff α ≥ β; derived"),
    let=decoded(coin),
    assume=[],
    then=Eq(
        lambda x: [x.worth(dict(x.nu)), x.worth(dirac(0))],
        lambda x: [(x.beta - x.alpha) * x.nu[1][0] / 2, ZERO],
    ),
    tight=Tight(Attitude(ONE, F(2), COIN), within=0),
    mutants=[
        Mutant("(α − β)t/2", rhs=lambda x: [(x.alpha - x.beta) * x.nu[1][0] / 2, ZERO]),
        Mutant("nothing", rhs=lambda x: ZERO),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Printed(Exact):
    """Let the optimum be the number printed."""

    at: Mixed
    value: Fraction


VALUES = (
    Printed(Mixed(replace(AIM, g=ZERO), ZERO, ONE, ONE), F(849, 400)),
    Printed(MIXED, F(341, 400)),
    Printed(replace(MIXED, alpha=F(3)), F(233, 400)),
    Printed(replace(MIXED, alpha=ONE, beta=F(2)), F(203, 80)),
)

target_values: Claim[Printed] = Claim(
    statement="FM(3,2,2,9), H = 3: largest mean 849/400; from c₀ = −1, (α,β) = (2,1), (3,1), (1,2)",
    source=PAPER.at("applications; values derived"),
    let=Every("four printed optima", 4, VALUES),
    assume=[],
    then=Eq(lambda x: [x.at.value(), x.at.best(x.at.alpha, x.at.beta)], lambda x: x.value),
    tight=Tight(list(VALUES), within=0),
    mutants=[Mutant("α and β exchanged", lhs=lambda x: x.at.best(x.at.beta, x.at.alpha))],
    expect=PROVED,
)


# ---- lexicographic -----------------------------------------------------------------------------------
OF: dict[str, Objective] = {
    "1{x≥0}": objectives.success(),
    "x": objectives.mean(),
    "x₋": objectives.shortfall(),
    "−|x|": objectives.target(),
    "−x²": objectives.negative_square(),
}


@dataclass(frozen=True)
class Ordered(Exact):
    """Let K = (E f, E g), compared lexicographically, from state s0 and stock c."""

    M: Model
    H: int
    s0: int
    c: Fraction
    f: str
    g: str

    def K(self, law: Law) -> tuple[Fraction, Fraction]:
        """(E f, E g) of c + G, from the definition."""
        at = push(law, self.c)
        return F(expect(at, UTILITIES.get(self.f, F))), F(expect(at, UTILITIES.get(self.g, F)))

    def solved(self, K: Objective) -> list[Fraction]:
        """Both utilities of the policy the library finds for K, by comparing laws."""
        sol = StockInduction(K, laws=True).run(StockMDP(self.M.library, self.H))
        law = sol.law(self.s0, self.c)
        assert isinstance(law, rl.ReturnLaw)
        return list(self.K(dict(law)))

    @property
    def both(self) -> Objective:
        """The library's pair."""
        return objectives.lexicographic(OF[self.f], OF[self.g])

    @cached_property
    def best(self) -> list[Fraction]:
        """The best pair over history-dependent policies."""
        return list(max(map(self.K, self.M.laws(self.s0, self.H))))

    @property
    def apart(self) -> list[Fraction]:
        """The best of each utility, by policies of its own."""
        pairs = list(map(self.K, self.M.laws(self.s0, self.H)))
        return [max(a for a, _ in pairs), max(b for _, b in pairs)]


def ordered(read: Reader) -> Ordered:
    """Small models; γ = 1 or 1/2."""
    M = model(read, gammas=(ONE, ONE, HALF))
    f = read.pick(("1{x≥0}", "1{x≥0}", "x₋", "−|x|"))
    return Ordered(M, read.pick((1, 2, 2, 3)), read.below(M.S), read.number(2), f, read.pick(("x", "−x²")))


LEX = Ordered(family(3, 2, 2, 1, 1), 3, 1, -ONE, "1{x≥0}", "x")

constraints_lexicographic: Claim[Ordered] = Claim(
    statement="K = (E f, E g), lexicographic, finite horizon: backward induction attains the best pair",
    source=PAPER.at("lexicographic preferences; derived"),
    let=decoded(ordered, 96),
    assume=[],
    then=Eq(lambda x: x.solved(x.both), lambda x: x.best),
    tight=Tight(LEX, within=0),
    mutants=[
        Mutant("E f alone, ties to the lowest action", lhs=lambda x: x.solved(OF[x.f])),
        Mutant("E g alone", lhs=lambda x: x.solved(OF[x.g])),
        Mutant(
            "each at its own best",
            rhs=lambda x: x.apart,
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

constraints_lexicographic_value: Claim[Ordered] = Claim(
    statement="FM(3,2,2,1), H = 3, s₀ = 1: the best (P(G ≥ 1), E G − 1) is (17/20, 21/200)",
    source=PAPER.at("lexicographic preferences; value derived"),
    let=Every("the printed instance", 1, [LEX]),
    assume=[],
    then=Eq(lambda x: [*x.solved(x.both), *x.best], lambda x: [F(17, 20), F(21, 200)] * 2),
    tight=Tight(LEX, within=0),
    mutants=[Mutant("the mean alone", lhs=lambda x: [*x.solved(OF[x.g]), *x.best])],
    expect=PROVED,
)


@dataclass(frozen=True)
class Sweeps(Exact):
    """Let value iteration run n sweeps from η_0 = δ_0, K = (E x, E x₋), c = −2, γ = 1/2."""

    n: int

    @cached_property
    def model(self) -> Model:
        """Action 0: 1 or 3 fairly, then nothing; action 1: 1 for ever, without a way back."""
        gamble, steady = ((HALF, 2, ONE), (HALF, 2, F(3))), ((ONE, 1, ONE),)
        return Model(((gamble, steady), (steady,), (((ONE, 2, ZERO),),)), HALF)

    def greedy(self, n: int) -> int:
        """The greedy action at (0, −2) after n sweeps, by the library."""
        K = objectives.lexicographic(objectives.mean(), objectives.shortfall())
        sol = StockValueIteration(K, n=n, unchecked=True).run(StockMDP(self.model.library))
        return int(sol.action(0, F(-2)))

    def followed(self, action: int) -> list[Fraction]:
        """(E, E x₋) of −2 + G for ever: closed form, the mean checked against 40 steps by the library."""
        law: Law = {F(1): HALF, F(3): HALF} if action == 0 else dirac(2)
        steps = StockEvaluation((action, 0, 0), objectives.mean()).run(StockMDP(self.model.library, 40))
        assert abs(F(steps.value(0, 0)) - mean(law)) < F(1, 2**38)
        at = push(law, F(-2))
        return [mean(at), F(expect(at, UTILITIES["x₋"]))]


SWEEPS = tuple(Sweeps(n) for n in range(9))

constraints_lexicographic_vi: Claim[Sweeps] = Claim(
    statement="lexicographic value iteration: for every n the greedy policy is 1/2 off in E x₋",
    source=PAPER.at("lexicographic preferences, infinite horizon; counter-example derived"),
    let=Every("n = 0, …, 8 sweeps", len(SWEEPS), SWEEPS),
    assume=[],
    then=Eq(lambda x: [*x.followed(x.greedy(x.n)), *x.followed(1)], lambda x: [ZERO, -HALF, ZERO, ZERO]),
    tight=Tight(SWEEPS[3], within=0),
    mutants=[
        Mutant(
            "value iteration is optimal in the limit",
            then=Eq(lambda x: x.followed(x.greedy(x.n)), lambda x: max(x.followed(0), x.followed(1))),
        ),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
