"""A posteriori: how near a value is to the optimum by its residual, and what its greedy policy loses.

f(γx) = γf(x); BV(s, c) = max_a γ E V(s', c'), without a reward; ρ = ‖BV − V‖.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Leq, Loose, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.models.outcomes import OutcomeMDP
from rltheory.models.stock import StockMDP
from rltheory.solvers.stock_iteration import ClassicReduction, classic_reduction

from .definitions import HALF, ONE, UTILITIES, ZERO, Exact, F, expect, push
from .optimality import OBJECTIVES
from .setting import PAPER, Model, Reader, decoded, layered, precise
from .stock_grids import Stocks, stocks
from .value_iteration import staying


@dataclass(frozen=True)
class Guess(Exact):
    """Let M end surely in its last state, c0 be a stock, f(γx) = γf(x) by name, and W = F* + noise.

    The noise of the i-th augmented state reached from (0, c₀) is the i-th of `noise`, round and round.
    """

    M: Model
    c0: Fraction
    f: str
    noise: tuple[Fraction, ...]
    ends: bool = True

    @cached_property
    def reduction(self) -> ClassicReduction:
        """The ordinary problem, by the library."""
        terminal = [self.M.S - 1] if self.ends else []
        model = StockMDP(OutcomeMDP.from_lists(self.M.outcomes, gamma=self.M.gamma, terminal=terminal))
        return classic_reduction(model, OBJECTIVES[self.f], 0, self.c0)

    @cached_property
    def optimum(self) -> list[Fraction]:
        """F* at every augmented state: the best law of any history-dependent policy."""
        f, out = UTILITIES[self.f], []
        for _, s, c in self.reduction.augmented.nodes:
            laws = self.M.laws(s, self.M.S - 1) if self.ends else [{ZERO: ONE}]
            out.append(max(F(expect(push(law, c), f)) for law in laws))
        return out

    @cached_property
    def errors(self) -> list[Fraction]:
        """W − F*; 0 where nothing more happens if the model ends."""
        moves = self.reduction.augmented.moves
        return [self.noise[i % len(self.noise)] if row else ZERO for i, row in enumerate(moves)]

    def centred(self, errors: list[Fraction]) -> Any:
        """W − f(c) as a value of the ordinary problem."""
        offset = self.reduction.offset
        return rl.exact_array([b + e - o for b, e, o in zip(self.optimum, errors, offset, strict=True)])

    @cached_property
    def backup(self) -> list[Fraction]:
        """BW, by the library's Bellman operator on the ordinary problem."""
        mdp = self.reduction.mdp
        assert isinstance(mdp, rl.MDP)
        TV = rl.bellman(mdp)(self.centred(self.errors))
        return [v + o for v, o in zip(TV.tolist(), self.reduction.offset, strict=True)]

    @cached_property
    def residual(self) -> Fraction:
        """ρ = ‖BW − W‖."""
        rows = zip(self.backup, self.optimum, self.errors, strict=True)
        return max(abs(new - best - e) for new, best, e in rows)

    @cached_property
    def off(self) -> list[Fraction]:
        """‖W − F*‖ and ‖BW − F*‖."""
        after = max(abs(new - best) for new, best in zip(self.backup, self.optimum, strict=True))
        return [max(map(abs, self.errors)), after]


def guesses(read: Reader) -> Guess:
    """Models of at most three steps, or one that never ends and pays nothing."""
    f, noise = read.pick(("−|x|", "x₋", "x₊", "x")), tuple(read.number(2, 4) for _ in range(5))
    if read.below(4) == 1:
        return still(read.pick((HALF, F(3, 4), F(9, 10))), F(1 + read.below(64), 8), f)
    M = layered(read, A=2, gammas=(HALF, F(3, 4), F(9, 10)), denominator=1)
    return Guess(M, read.number(2), f, noise)


def still(gamma: Fraction, error: Fraction, f: str = "x") -> Guess:
    """One state, one action, no reward: W = F* + const."""
    return Guess(Model(((((ONE, 0, ZERO),),),), gamma), ZERO, f, (error,), ends=False)


certificate: Claim[Guess] = Claim(
    statement="ρ = ‖BV − V‖: |V − V*| ≤ ρ/(1−γ), |BV − V*| ≤ γρ/(1−γ)",
    source=PAPER.at("a posteriori bounds of the stock-augmented recursion; standard"),
    let=decoded(guesses, 96),
    assume=[],
    then=Leq(
        lhs=lambda x: x.off,
        rhs=lambda x: [x.residual / (1 - x.M.gamma), x.M.gamma * x.residual / (1 - x.M.gamma)],
    ),
    tight=Tight(still(HALF, ONE), within=0),
    mutants=[
        Mutant("|V − V*| ≤ ρ", then=Leq(lambda x: x.off[0], lambda x: x.residual)),
        Mutant("|BV − V*| ≤ ρ·γ", then=Leq(lambda x: x.off[1], lambda x: x.M.gamma * x.residual)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Greedy(Guess):
    """The noise counts where nothing more happens, too."""

    @cached_property
    def eps(self) -> Fraction:
        """ε = ‖W − F*‖."""
        return max(map(abs, self.noisy))

    @cached_property
    def noisy(self) -> list[Fraction]:
        """W − F* everywhere: the last of the noise at the end."""
        moves = self.reduction.augmented.moves
        return [
            self.noise[i % (len(self.noise) - 1)] if row else self.noise[-1] for i, row in enumerate(moves)
        ]

    @cached_property
    def loss(self) -> Fraction:
        """max over augmented states of F* − F of the policy greedy for W (greedy by the library)."""
        aug, mdp, f = self.reduction.augmented, self.reduction.mdp, UTILITIES[self.f]
        assert isinstance(mdp, rl.MDP)
        act = rl.greedy(mdp, self.centred(self.noisy)).actions.tolist()
        known: dict[int, Fraction] = {}

        def value(i: int) -> Fraction:
            if not aug.moves[i]:
                return F(f(aug.nodes[i][2]))
            if i not in known:
                known[i] = self.M.gamma * sum((p * value(j) for p, j, _ in aug.moves[i][act[i]]), ZERO)
            return known[i]

        return max(best - value(i) for i, best in enumerate(self.optimum))


def stay(N: int, eps: Fraction, gamma: Fraction) -> Greedy:
    """The instance of value iteration's greedy policy, staying listed first."""
    M = staying(N, eps, gamma).M
    rows = tuple(tuple(reversed(actions)) for actions in M.outcomes)
    return Greedy(Model(rows, gamma), ZERO, "x", (eps, -eps))


def greedy_guesses(read: Reader) -> Greedy:
    """One in four of that kind."""
    if read.below(4) == 1:
        return stay(4 + read.below(4), F(1 + read.below(32), 8), read.pick((HALF, F(1, 3))))
    M = layered(read, A=2, gammas=(HALF, F(3, 4), F(9, 10)), denominator=1)
    noise = tuple(read.number(2, 4) for _ in range(6))
    return Greedy(M, read.number(2), read.pick(("−|x|", "x₋", "x₊", "x")), noise)


certificate_policy: Claim[Greedy] = Claim(
    statement="‖W − V*‖ ≤ ε: a policy greedy for W loses ≤ 2γε/(1−γ) at every (s, c)",
    source=PAPER.at("a posteriori bounds of the stock-augmented recursion; standard"),
    let=decoded(greedy_guesses, 96),
    assume=[],
    then=Leq(lhs=lambda x: x.loss, rhs=lambda x: 2 * x.M.gamma * x.eps / (1 - x.M.gamma)),
    tight=Tight(stay(10, ONE, HALF), within=0.002),
    mutants=[Mutant("γε/(1−γ)", rhs=lambda x: x.M.gamma * x.eps / (1 - x.M.gamma))],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Swept(Stocks):
    """Let also k sweeps be made on the nodes from V_0 = f, ends and beyond as known."""

    k: int

    def read(self, V: dict[tuple[int, int], Fraction], s: int, c: Fraction) -> Fraction:
        """V at any stock: by interpolation inside, the risk-neutral value of the library outside."""
        if abs(c) >= self.reach:
            return F(self.grid.value(s, c))
        j, rest = divmod(c + self.reach, self.delta)
        ends = []
        for i in (int(j), int(j) + 1):
            node = -self.reach + i * self.delta
            ends.append(V[s, i] if 0 < i < self.cells else F(self.grid.value(s, node)))
        w = rest / self.delta
        return (1 - w) * ends[0] + w * ends[1]

    @cached_property
    def swept(self) -> list[dict[tuple[int, int], Fraction]]:
        """V_k and V_{k+1} at the inner nodes."""
        g = self.M.gamma
        points = [(s, j + 1, c) for s in range(self.M.S) for j, c in enumerate(self.nodes)]
        now = {(s, j): self.f(c) for s, j, c in points}
        last = now
        for _ in range(self.k + 1):
            last, now = (
                now,
                {
                    (s, j): max(
                        sum((g * p * self.read(now, t, (c + r) / g) for p, t, r in o), ZERO)
                        for o in self.M.outcomes[s]
                    )
                    for s, j, c in points
                },
            )
        return [last, now]

    @cached_property
    def residual(self) -> Fraction:
        """ρ = ‖V_{k+1} − V_k‖ over the nodes."""
        old, new = self.swept
        return max(abs(new[key] - old[key]) for key in old)

    @cached_property
    def worst(self) -> Fraction:
        """max |V_k − V*| at nodes and middles of cells, V_k read by interpolation."""
        points = [c + h for c in self.nodes[:-1] for h in (ZERO, self.delta / 2)]
        return max(
            abs(self.read(self.swept[0], s, c) - self.optimum(s, c)) for s in range(self.M.S) for c in points
        )

    def rounding(self) -> Any:
        """(Lδ/2)·γ/√(1−γ²)."""
        g = self.M.gamma
        return ball.to_arb(self.L * self.delta / 2 * g) / ball.to_arb(1 - g * g).sqrt()


def swept(read: Reader) -> Swept:
    """Few sweeps."""
    x = stocks(read)
    return Swept(x.M, x.down, x.up, x.reach, x.cells, read.below(3))


SLOW = Swept(Model(((((ONE, 1, F(-1)),),), (((ONE, 1, ZERO),),)), HALF), ONE, -ONE, F(2), 32, 0)

certificate_grid: Claim[Swept] = Claim(
    statement="V_k on a grid, read by interpolation: |V_k − V*| ≤ (Lδ/2)(1 + γ/√(1−γ²)) + ρ/(1−γ)",
    source=PAPER.at("a posteriori bounds on a grid of stocks; derived"),
    let=decoded(swept, 81),
    assume=[],
    then=Leq(
        lhs=lambda x: x.worst,
        rhs=precise(lambda x: x.rounding() + ball.to_arb(x.L * x.delta / 2 + x.residual / (1 - x.M.gamma))),
    ),
    tight=Loose(0.6, "both errors at once, on a model whose values a grid cannot hold"),
    mutants=[
        Mutant(
            "ρ without 1/(1−γ), no rounding",
            rhs=lambda x: x.residual,
        ),
        Mutant("no residual", rhs=precise(lambda x: x.rounding() + ball.to_arb(x.L * x.delta / 2))),
    ],
    expect=CERTIFIED,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
