"""Value iteration over (state, stock), infinite horizon: how near, how good its greedy policy, and when not.

η_{n+1} = T_* η_n; F* = sup over all policies of K(law(c + G)); η* the law of an optimal policy; w̄ the
largest w₁ over the augmented states concerned.  Models end surely, so that F* is a maximum over finitely many
laws, listed from the definition; those that do not end carry F* in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, PROVED, Assumption, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.errors import InvalidArgument
from rltheory.models.outcomes import OutcomeMDP
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.solvers.stock_exact import ExactStockSolution, StockValueIteration, TieRule
from rltheory.solvers.stock_iteration import StockPolicyIteration

from .definitions import (
    HALF,
    LIPSCHITZ,
    ONE,
    UTILITIES,
    ZERO,
    Exact,
    F,
    Law,
    Pairs,
    dirac,
    expect,
    mix,
    push,
    w1,
)
from .optimality import CHOICE, OBJECTIVES
from .setting import PAPER, Model, Reader, chain, decoded, layered

Node = tuple[int, Fraction]
"""(s, stock)."""


@dataclass(frozen=True)
class Iterated(Exact):
    """Let M end surely (its last state absorbs), f be a utility by name, eta the start, n sweeps, c0 a stock.

    s_0 = 0; ties go to the highest action if `highest`, else to the lowest.
    """

    M: Model
    f: str
    eta: tuple[Pairs, ...]
    n: int
    c0: Fraction
    highest: bool = False

    # ---- from the definitions ----------------------------------------------------------------
    def K(self, law: Law, c: Fraction) -> Fraction:
        """E f(c + X)."""
        return F(expect(push(law, c), UTILITIES[self.f]))

    def star(self, s: int, c: Fraction) -> Law:
        """η*(s, c): a law of largest E f(c + G) among those of all history-dependent policies."""
        if (s, c) not in self._best:
            self._best[s, c] = max(self.M.laws(s, self.M.S - 1), key=lambda law: self.K(law, c))
        return self._best[s, c]

    @cached_property
    def _best(self) -> dict[Node, Law]:
        return {}

    def after(self, n: int) -> set[Node]:
        """The (s, c) that can be reached in n steps."""
        nodes = {(0, self.c0)}
        for _ in range(n):
            nodes = {
                (t, (c + r) / self.M.gamma) for s, c in nodes for o in self.M.outcomes[s] for _, t, r in o
            }
        return nodes

    @cached_property
    def far(self) -> Fraction:
        """w̄(η_0, η*) over the (s, c) reached in n steps."""
        return max(w1(dict(self.eta[s]), self.star(s, c)) for s, c in self.after(self.n))

    @cached_property
    def best(self) -> Fraction:
        """F*(0, c₀)."""
        return self.K(self.star(0, self.c0), self.c0)

    @cached_property
    def visited(self) -> set[Node]:
        """All (s, c) within n steps and as many as the model lasts."""
        return set().union(*(self.after(k) for k in range(self.n + self.M.S)))

    @cached_property
    def spread(self) -> Fraction:
        """‖F* − F η_0‖ over the augmented states visited."""
        return max(abs(self.K(self.star(s, c), c) - self.K(dict(self.eta[s]), c)) for s, c in self.visited)

    @cached_property
    def spread_far(self) -> Fraction:
        """w̄(η_0, η*) over the same."""
        return max(w1(dict(self.eta[s]), self.star(s, c)) for s, c in self.visited)

    def followed(self, s: int, c: Fraction) -> Law:
        """Law of the return under the library's stationary greedy policy, from (s, c)."""
        if s == self.M.S - 1:
            return dirac(0)
        o, g = self.M.outcomes[s][self.solved.action(s, c)], self.M.gamma
        return mix((p, push(self.followed(t, (c + r) / g), r, g)) for p, t, r in o)

    @cached_property
    def loss(self) -> Fraction:
        """F*(0, c₀) − F η^{π_n}(0, c₀)."""
        return self.best - self.K(self.followed(0, self.c0), self.c0)

    # ---- by the library ----------------------------------------------------------------------
    def run(self, off: Fraction) -> ExactStockSolution:
        """Value iteration, told that η_0 is `off` away."""
        tie: TieRule = "highest" if self.highest else "lowest"
        solver = StockValueIteration(
            OBJECTIVES[self.f], n=self.n, start=lambda s, c: self.eta[s], off=off, tie=tie, unchecked=True
        )
        return solver.run(StockMDP(self.M.library))

    @cached_property
    def solved(self) -> ExactStockSolution:
        """η_n."""
        return self.run(self.far)

    @cached_property
    def error(self) -> Fraction:
        """|F η_n − F*| at (0, c₀)."""
        return abs(F(self.solved.value(0, self.c0)) - self.best)

    # ---- conditions --------------------------------------------------------------------------
    @property
    def indifferent(self) -> bool:
        """f̃(γx) = a f̃(x) for some a, at every γ."""
        return self.f in (*LIPSCHITZ, "−x²", "1{x>0}", "1{x≥0}")

    @property
    def lipschitz(self) -> bool:
        """L = 1."""
        return self.f in (*LIPSCHITZ, "min(x,1)", "−|x−1|", "clip")

    def bound(self, power: int) -> Fraction:
        """L γ^power w̄(η_0, η*)."""
        return self.M.gamma**power * self.far


NAMES = ("x₊", "x₋", "−|x|", "1{x>0}")


def iterated(read: Reader, names: tuple[str, ...] = NAMES) -> Iterated:
    """Models of at most three steps; any start law a state.  Gambles below for f = 1{x>0}."""
    f = read.pick(names)
    if f == "1{x>0}":
        return gambles(read)
    M = layered(read, A=2, gammas=(HALF, F(3, 4), F(9, 10)), denominator=1)
    eta = tuple(read.law(3, 2, 2) for _ in range(M.S))
    return Iterated(M, f, eta, read.below(3), read.number(2), bool(read.below(2)))


def _zeros(M: Model) -> tuple[Pairs, ...]:
    return (((ZERO, ONE),),) * M.S


def sure(f: str, n: int, *rewards: int, gamma: Fraction = HALF, c0: Fraction = ZERO) -> Iterated:
    """Rewards without chance or choice; η_0 = δ_0."""
    M = chain(*[(r,) for r in rewards], gamma=gamma)
    return Iterated(M, f, _zeros(M), n, c0)


@dataclass(frozen=True)
class Forever(Iterated):
    """One state that pays the same for ever."""

    def star(self, s: int, c: Fraction) -> Law:
        """δ of r/(1 − γ)."""
        return dirac(self.M.rewards[0] / (1 - self.M.gamma))


def forever(f: str, n: int, r: Fraction, start: Fraction, c0: Fraction = ZERO) -> Forever:
    """γ = 1/2; η_0 = δ_start."""
    return Forever(Model(((((ONE, 0, r),),),), HALF), f, (((start, ONE),),), n, c0)


@dataclass(frozen=True)
class Waiting(Iterated):
    """Waiting costs nothing and never ends; going pays 1 with probability p, −1 otherwise, once.  c₀ = 0."""

    def star(self, s: int, c: Fraction) -> Law:
        """Going, for f = 1{x>0} and stock 0; 0 once gone."""
        return {r: p for p, _, r in self.M.outcomes[0][1]} if s == 0 else dirac(0)


def waiting(f: str, n: int, p: Fraction = F(9, 10), gamma: Fraction = F(9, 10), end: int = 1) -> Waiting:
    """η_0 = δ_1 at the start, δ_end at the end."""
    M = Model(((((ONE, 0, ZERO),), ((p, 1, ONE), (1 - p, 1, F(-1)))), (((ONE, 1, ZERO),),)), gamma)
    return Waiting(M, f, (((ONE, ONE),), ((F(end), ONE),)), n, ZERO)


INDIFFERENT, LIP = "f̃(γx) = a f̃(x) for some a > 0", "f is 1-Lipschitz"

vi_value: Claim[Iterated] = Claim(
    statement="|F η_n − F*| ≤ L γ^n w̄(η_0, η*)",
    source=PAPER.at("value iteration; recalled with sup over all policies, derived with an optimal one"),
    let=decoded(iterated, 96),
    assume=[
        Assumption(
            INDIFFERENT, lambda x: x.indifferent, Iterated(CHOICE, "min(x,1)", _zeros(CHOICE), 2, ZERO)
        ),
        Assumption(LIP, lambda x: x.lipschitz, waiting("1{x>0}", 30)),
    ],
    then=Leq(lhs=lambda x: [x.error, x.error], rhs=lambda x: [x.bound(x.n), x.solved.bound]),
    tight=Tight([forever("x₊", 3, ONE, ZERO), sure("x₊", 2, 1, 2, 3)], within=0),
    mutants=[
        Mutant("γ^{n+1}", then=Leq(lambda x: x.error, lambda x: x.bound(x.n + 1))),
        Mutant("γ^{2n}", then=Leq(lambda x: x.error, lambda x: x.bound(2 * x.n))),
        Mutant("L/2", then=Leq(lambda x: x.error, lambda x: x.bound(x.n) / 2)),
        Mutant("any utility with both indifferences", drop=LIP),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- greedy policies -------------------------------------------------------------------------
def staying(N: int, eps: Fraction, gamma: Fraction, highest: bool = True) -> Iterated:
    """N times: leave for 0, or stay for −2γε; the start flatters staying by ε and belittles leaving by ε."""
    rows = [(((ONE, N, ZERO),), ((ONE, i + 1, -2 * gamma * eps),)) for i in range(N)]
    M = Model((*rows, (((ONE, N, ZERO),),)), gamma)
    eta = (*[((eps, ONE),)] * N, ((-eps, ONE),))
    return Iterated(M, "x", eta, 0, ZERO, highest)


def stayers(read: Reader) -> Iterated:
    """Models where staying ties with leaving, of any length."""
    return staying(4 + read.below(8), F(1 + read.below(9), 4), read.pick((HALF, F(3, 4), F(1, 3))))


def greedy_starts(read: Reader) -> Iterated:
    """One in three of that kind."""
    return stayers(read) if read.below(3) == 0 else iterated(read, LIPSCHITZ)


def _greedy(power: int, factor: int = 2) -> Leq[Iterated]:
    return Leq(
        lambda x: x.loss,
        lambda x: factor * x.M.gamma ** (x.n + power) / (1 - x.M.gamma) * x.spread,
    )


vi_greedy: Claim[Iterated] = Claim(
    statement="f(γx) = γf(x): F* − F η^{π_n} ≤ 2γ^{n+1}/(1−γ)·‖F* − Fη_0‖ for π_n greedy; ‖·‖ ≤ L w̄(η_0, η*)",
    source=PAPER.at("greedy policies of value iteration; shape recalled, constant derived"),
    let=decoded(greedy_starts, 96),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.loss, x.spread, x.loss],
        rhs=lambda x: [
            2 * x.M.gamma ** (x.n + 1) / (1 - x.M.gamma) * x.spread,
            x.spread_far,
            x.run(x.spread_far).policy_bound,
        ],
    ),
    tight=Tight(staying(12, ONE, HALF), within=0.001),
    mutants=[
        Mutant("γ^{n+1}/(1−γ)", then=_greedy(1, 1)),
        Mutant("2γ^{n+2}/(1−γ)", then=_greedy(2)),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- without a Lipschitz constant ------------------------------------------------------------
def seen(x: Waiting) -> list[Fraction]:
    """Library: F η_n; 1 if waiting is its only greedy action; then F* − F of the greedy policy."""
    actions = x.solved.actions(0, 0)
    kept = ZERO if x.solved.action(0, 0) == 0 else x.best
    return [F(x.solved.value(0, 0)), F(int(actions == (0,))), x.best - kept]


def adverse(x: Waiting) -> list[Fraction]:
    """Policy iteration from "go", ties to "wait": F of "go"; 1 if the library moves to waiting for ever."""
    offered: list[tuple[int, ...]] = []

    def wait(t: int, s: int, c: Fraction, tied: Sequence[int]) -> int:
        offered.append(tuple(tied))
        return min(offered[-1])

    M = StockMDP(OutcomeMDP.from_lists(x.M.outcomes, gamma=x.M.gamma, terminal=[1]))
    f = objectives.expected_utility(UTILITIES["1{x>0}"], name="1{x>0}", factor=lambda g: 1, continuous=False)

    def iterate(steps: int) -> StockPolicyIteration:
        return StockPolicyIteration(f, pi0=lambda s, c, t: 1 - s, tie=wait, max_iter=steps, unchecked=True)

    first = F(iterate(1).run(M).values[0][0])
    try:
        iterate(2).run(M)
    except InvalidArgument:  # the value of "wait" is not determined by the recursion
        return [first, F(int((0, 1) in offered))]
    return [first, F(-1)]


def gambles(read: Reader) -> Waiting:
    """Any chance of winning, any discount, up to 30 sweeps, a start that is right or wrong at the end."""
    p, g = F(1 + read.below(18), 20), read.pick((HALF, F(3, 4), F(9, 10), F(4, 5)))
    return waiting("1{x>0}", read.below(31), p, g, read.below(2))


lipschitz_needed: Claim[Waiting] = Claim(
    statement="f = 1{x>0}, η_0 = δ_1: for every n Fη_n = 1, only waiting is greedy, and it loses F* = p",
    source=PAPER.at("a Lipschitz constant is needed; instance derived"),
    let=decoded(gambles, 8),
    assume=[],
    then=Eq(lhs=lambda x: [*seen(x), *adverse(x)], rhs=lambda x: [ONE, ONE, x.best, x.best, ONE]),
    tight=Tight([waiting("1{x>0}", n, end=e) for n in (0, 1, 5, 30) for e in (0, 1)], within=0),
    mutants=[
        Mutant("f = x₊", lhs=lambda x: [*seen(replace(x, f="x₊")), *adverse(x)]),
        Mutant("the values converge to F*", then=Eq(lambda x: seen(x)[0], lambda x: x.best)),
    ],
    expect=CERTIFIED,
    draws=100,
)

SWEEPS = tuple(waiting("1{x>0}", n, end=e) for n in range(1, 31) for e in (0, 1))

lipschitz_needed_control: Claim[Waiting] = Claim(
    statement="the same with f = x₊, p = γ = .9, n ≥ 1: only going is greedy, and nothing is lost",
    source=PAPER.at("a Lipschitz constant is needed; its control, derived"),
    let=Every("n = 1..30, η_0 at the end δ_0 or δ_1", len(SWEEPS), SWEEPS),
    assume=[],
    then=Eq(lhs=lambda x: [*seen(replace(x, f="x₊"))[1:], x.best], rhs=lambda x: [ZERO, ZERO, F(9, 10)]),
    tight=Tight(SWEEPS[0], within=0),
    mutants=[Mutant("f = 1{x>0}", lhs=lambda x: [*seen(x)[1:], x.best])],
    expect=PROVED,
)


@dataclass(frozen=True)
class Ranged(Iterated):
    """f = −x²; M bounds all returns and the start."""

    @cached_property
    def reach(self) -> Fraction:
        """M: the largest |return| of any path from any state, and |atom| of η_0."""
        ends = [abs(x) for s in range(self.M.S) for law in self.M.laws(s, self.M.S - 1) for x in law]
        return max(*ends, *[abs(x) for law in self.eta for x, _ in law])

    def local(self, c: Fraction) -> Fraction:
        """2γ^n (c + 2M) w̄(η_0, η*)."""
        return 2 * self.M.gamma**self.n * (c + 2 * self.reach) * self.far


@dataclass(frozen=True)
class RangedForever(Forever, Ranged):
    """One state that pays M(1 − γ) for ever; η_0 = δ_{−M}."""

    @cached_property
    def reach(self) -> Fraction:
        """M."""
        return max(abs(self.M.rewards[0] / (1 - self.M.gamma)), abs(self.eta[0][0][0]))


def ranged(read: Reader) -> Ranged:
    """Any stock up to 80."""
    x = iterated(read, ("−x²",))
    return Ranged(x.M, x.f, x.eta, x.n, read.pick((ONE, ONE, F(10), F(40))) * read.number(2))


def far_out(n: int, c0: int) -> RangedForever:
    """M = 1, γ = 1/2."""
    return RangedForever(Model(((((ONE, 0, HALF),),),), HALF), "−x²", (((F(-1), ONE),),), n, F(c0))


square_local: Claim[Ranged] = Claim(
    statement="f = −x², returns and η_0 in [−M, M]: |F η_n − F*|(s, c) ≤ 2γ^n(|c| + 2M) w̄(η_0, η*)",
    source=PAPER.at("locally Lipschitz suffices; derived"),
    let=decoded(ranged, 96),
    assume=[],
    then=Leq(lhs=lambda x: x.error, rhs=lambda x: x.local(abs(x.c0))),
    tight=Tight([far_out(10, 100), far_out(20, 10**4)], within=0.02),
    named={"c = 3M": far_out(5, 3)},
    mutants=[
        Mutant("uniform in c", rhs=lambda x: x.local(ZERO)),
        Mutant("γ^n (|c| + 2M)", rhs=lambda x: x.local(abs(x.c0)) / 2),
    ],
    expect=CERTIFIED,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
