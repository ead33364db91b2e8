"""Policy iteration over (state, stock): it never gets worse, and gains a factor γ an iteration.

The augmented states (t, s, c) reached from one start are finitely many: horizons are finite, or models end
surely.  Values and laws of policies follow from the definition here; the iterates are the library's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.models.outcomes import OutcomeMDP
from rltheory.models.stock import StockMDP
from rltheory.solvers.stock_iteration import StockIterates, StockPolicyIteration

from .definitions import (
    HALF,
    ONE,
    UTILITIES,
    ZERO,
    Exact,
    F,
    Law,
    dirac,
    expect,
    mix,
    push,
    w1,
)
from .optimality import OBJECTIVES, fm
from .setting import PAPER, Model, Reader, decoded, layered, model

Node = tuple[int, int, Fraction]
"""(t, s, stock); t = 0 throughout for an infinite horizon."""


@dataclass(frozen=True)
class Iterates(Exact):
    """Let M be a model and H a horizon; or H = 0 for an infinite one, M ending in its last state.

    π_0 takes action `first`, the last where there are fewer; c0 is a stock, f a utility by name, s_0 = 0.
    """

    M: Model
    H: int
    c0: Fraction
    f: str
    first: int

    # ---- by the library ----------------------------------------------------------------------
    @cached_property
    def solved(self) -> StockIterates:
        """Policy iteration from π_0."""
        pi0 = lambda s, c, t: min(self.first, len(self.M.outcomes[s]) - 1)  # noqa: E731
        solver = StockPolicyIteration(OBJECTIVES[self.f], 0, self.c0, pi0=pi0, unchecked=True)
        ends = [] if self.H else [self.M.S - 1]
        return solver.run(
            StockMDP(
                OutcomeMDP.from_lists(self.M.outcomes, gamma=self.M.gamma, terminal=ends), self.H or None
            )
        )

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The augmented states, in the library's order."""
        return self.solved.augmented.nodes

    @cached_property
    def values(self) -> list[list[Fraction]]:
        """F η^{π_k} at every node, k = 0, 1, …, by the library."""
        return [[F(v) for v in row] for row in self.solved.values]

    # ---- from the definition -----------------------------------------------------------------
    def ended(self, node: Node) -> bool:
        """Nothing more is paid."""
        t, s, _ = node
        return t == self.H if self.H else s == self.M.S - 1

    @cached_property
    def optimum(self) -> list[Fraction]:
        """F* at every node; by recursion on γ^t c_t, which needs no condition on f."""
        known: dict[Node, Fraction] = {}
        f, g = UTILITIES[self.f], self.M.gamma

        def at(k: int, s: int, x: Fraction, left: int) -> Fraction:
            # k steps after the node, x = c + Σ γ^i r, `left` to go
            if left == 0:
                return F(f(x))
            if (k, s, x) not in known:
                known[k, s, x] = max(
                    sum((p * at(k + 1, u, x + g**k * r, left - 1) for p, u, r in o), ZERO)
                    for o in self.M.outcomes[s]
                )
            return known[k, s, x]

        out = []
        for t, s, c in self.nodes:
            known.clear()
            out.append(at(0, s, c, self.H - t if self.H else self.M.S))
        return out

    def laws(self, k: int) -> list[Law]:
        """Law of the return of π_k at every node."""
        index = {node: i for i, node in enumerate(self.nodes)}
        known: dict[Node, Law] = {}

        def at(node: Node) -> Law:
            t, s, c = node
            if self.ended(node):
                return dirac(0)
            if node not in known:
                o, g = self.M.outcomes[s][self.solved.policies[k][index[node]]], self.M.gamma
                step = t + 1 if self.H else 0
                if not self.H and c == 0 and o == ((ONE, s, ZERO),):  # stays for ever
                    return dirac(0)
                known[node] = mix((p, push(at((step, u, (c + r) / g)), r, g)) for p, u, r in o)
            return known[node]

        return [at(node) for node in self.nodes]

    @cached_property
    def evaluated(self) -> list[list[Fraction]]:
        """F η^{π_k} at every node from the laws."""
        f = UTILITIES[self.f]
        out = []
        for k in range(len(self.solved.policies)):
            pairs = zip(self.laws(k), self.nodes, strict=True)
            out.append([F(expect(push(law, c), f)) for law, (_, _, c) in pairs])
        return out

    @cached_property
    def losses(self) -> list[Fraction]:
        """‖F* − F η^{π_k}‖, k = 0, 1, …."""
        return [max(b - v for b, v in zip(self.optimum, row, strict=True)) for row in self.evaluated]

    @cached_property
    def far(self) -> Fraction:
        """w̄(η^{π_0}, η^{π*}), π* the last policy."""
        first, last = self.laws(0), self.laws(len(self.solved.policies) - 1)
        return max(w1(a, b) for a, b in zip(first, last, strict=True))

    @property
    def steps(self) -> range:
        """0, 1, … over the policies."""
        return range(len(self.evaluated))

    def stuck(self) -> int:
        """How often a node that is not optimal fails to improve."""
        rows = zip(self.evaluated, self.evaluated[1:], strict=False)
        return sum(b > v and w <= v for x, y in rows for b, v, w in zip(self.optimum, x, y, strict=True))


def iterates(read: Reader) -> Iterates:
    """Models that end, horizons 2 and 3, or chains."""
    f, kind = read.pick(("−|x|", "x₋", "x₊", "x")), read.below(8)
    if kind == 1 or kind == 2:
        return chains(read)
    if kind < 5:
        M = layered(read, A=2, gammas=(HALF, F(3, 4), F(9, 10)), denominator=1)
        return Iterates(M, 0, read.number(2), f, read.below(2))
    M = model(read, gammas=(HALF, F(3, 4)))
    return Iterates(M, 2 + read.below(2), read.number(2), f, read.below(2))


def ladder(n: int, gamma: Fraction = HALF, pay: Fraction = ONE, *, timed: bool = True) -> Iterates:
    """States 0..n: stay, or advance, for nothing; state n pays 1 (or `pay`) and ends.  π_0 stays.

    Time-expanded, H = n + 2, or for ever.
    """
    rows = [(((ONE, i, ZERO),), ((ONE, i + 1, ZERO),)) for i in range(n)]
    M = Model((*rows, (((ONE, n + 1, pay),),), (((ONE, n + 1, ZERO),),)), gamma)
    return Iterates(M, n + 2 if timed else 0, ZERO, "x", 0)


def chains(read: Reader) -> Iterates:
    """Of length 2 to 5, any pay."""
    return ladder(2 + read.below(4), read.pick((HALF, F(3, 4), F(1, 3))), F(1 + read.below(64), 4))


def _gain(x: Iterates, power: int, times: int = 1) -> list[Fraction]:
    return [x.M.gamma ** (times * k + power) * x.losses[0] for k in x.steps]


def _mutant(says: str, power: int, times: int = 1) -> Mutant[Iterates]:
    return Mutant(says, then=Leq(lambda x: x.losses, lambda x: _gain(x, power, times)))


pi: Claim[Iterates] = Claim(
    statement="F η^{π_{k+1}} ≥ F η^{π_k}; ‖F* − F η^{π_k}‖ ≤ γ^k‖F* − F η^{π_0}‖ and ≤ Lγ^k w̄(η^{π_0}, η*)",
    source=PAPER.at("policy iteration; shape recalled, constants derived"),
    let=decoded(iterates, 96),
    assume=[],
    then=Leq(
        lhs=lambda x: [
            *[v for row in x.evaluated[:-1] for v in row],
            *x.losses,
            *x.losses,
        ],
        rhs=lambda x: [
            *[v for row in x.evaluated[1:] for v in row],
            *_gain(x, 0),
            *[x.M.gamma**k * x.far for k in x.steps],
        ],
    ),
    tight=Tight([ladder(6), ladder(6, timed=False)], within=0),
    mutants=[
        _mutant("γ^{2k}", 0, 2),
        _mutant("γ^{k+1}", 1),
        Mutant("every state that is not optimal improves", then=Leq(lambda x: x.stuck(), lambda x: 0)),
    ],
    expect=CERTIFIED,
    draws=100,
)

pi_values: Claim[Iterates] = Claim(
    statement="the values of the iterates are E f(c + G) under the laws of their policies; the last are F*",
    source=PAPER.at("policy iteration; recalled"),
    let=decoded(iterates, 96),
    assume=[],
    then=Eq(
        lhs=lambda x: [v for row in (*x.values, x.values[-1]) for v in row],
        rhs=lambda x: [v for row in (*x.evaluated, x.optimum) for v in row],
    ),
    tight=Tight(ladder(3), within=0),
    mutants=[
        Mutant(
            "the first is optimal already",
            then=Eq(lambda x: list(x.values[0]), lambda x: list(x.optimum)),
        )
    ],
    expect=CERTIFIED,
    draws=60,
)

LADDERS = tuple(
    ladder(n, g, timed=timed)
    for n in range(1, 7)
    for g in (F(1, 3), HALF, F(3, 4))
    for timed in (True, False)
)

pi_ladder: Claim[Iterates] = Claim(
    statement="on the chain 0..n, π_0 staying: ‖F* − F η^{π_k}‖ = γ^{k+1} for k < n, 0 for k = n",
    source=PAPER.at("policy iteration; tight instance derived"),
    let=Every("n = 1..6, γ = 1/3, 1/2, 3/4, H = n + 2 or ∞", 36, LADDERS),
    assume=[],
    then=Eq(
        lhs=lambda x: [len(x.steps), *x.losses],
        rhs=lambda x: [x.M.S - 1, *[x.M.gamma ** (k + 1) if k < x.M.S - 2 else ZERO for k in x.steps]],
    ),
    tight=Tight(ladder(6), within=0),
    mutants=[
        Mutant(
            "one iteration suffices", then=Eq(lambda x: x.losses[1:], lambda x: [ZERO for _ in x.losses[1:]])
        ),
    ],
    expect=PROVED,
)

FIVE = tuple(
    Iterates(fm(q, g), 5, ZERO, f, 0) for q in range(6) for g in (HALF, F(3, 4)) for f in ("−|x|", "x₋")
)

pi_stops: Claim[Iterates] = Claim(
    statement="FM(3,2,2,q), H = 5, γ = 1/2, 3/4, f = −|x|, x₋: at most 5 improvements reach F* at every node",
    source=PAPER.at("policy iteration; family derived"),
    let=Every("q < 6, c₀ = 0, s₀ = 0, π_0 = 0", len(FIVE), FIVE),
    assume=[],
    then=Leq(
        lhs=lambda x: [len(x.steps), *[abs(a - b) for a, b in zip(x.values[-1], x.optimum, strict=True)]],
        rhs=lambda x: [6, *[ZERO for _ in x.optimum]],
    ),
    tight=Tight(FIVE[0], within=1),
    mutants=[
        Mutant("at most one improvement", then=Leq(lambda x: len(x.steps), lambda x: 2)),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
