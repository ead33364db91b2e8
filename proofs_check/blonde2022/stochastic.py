"""Random transitions: the Lipschitz constant of Q^π on products of two lines.

States and actions are points of lines, d((s, a), (s', a')) = |s − s'| + |a − a'|; P is K_P-Lipschitz into W₁,
r is L_r-Lipschitz, the deterministic policy is L_π-Lipschitz.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.operators import Metric, wasserstein_1

from .setting import PAPER, Table, table


@dataclass(frozen=True, eq=False)
class OnLines:
    """Let states xs and actions ys be points of lines, P (S, A, S), R (S, A), and pi action ids."""

    xs: tuple[F, ...]
    ys: tuple[F, ...]
    P: Table
    R: Table
    pi: tuple[int, ...]
    gamma: F

    @cached_property
    def apart(self) -> list[tuple[tuple[int, int], tuple[int, int], F]]:
        """Pairs of state-action pairs and their distance."""
        nodes = [(s, a) for s in range(len(self.xs)) for a in range(len(self.ys))]
        return [
            (u, v, abs(self.xs[u[0]] - self.xs[v[0]]) + abs(self.ys[u[1]] - self.ys[v[1]]))
            for i, u in enumerate(nodes)
            for v in nodes[:i]
        ]

    def slope(self, Q: Table) -> F:
        """Lipschitz constant of a function of (s, a)."""
        return max(abs(Q[u] - Q[v]) / d for u, v, d in self.apart)

    @cached_property
    def K(self) -> F:
        """K_P, each W₁ by a linear program that does not know of the line."""
        space = Metric(Metric.line(list(self.xs)).D)
        return max(F(wasserstein_1(self.P[u], self.P[v], space).value) / d for u, v, d in self.apart)

    @cached_property
    def L_r(self) -> F:
        """L_r."""
        return self.slope(self.R)

    @cached_property
    def L_pi(self) -> F:
        """L_π."""
        n = len(self.xs)
        return max(
            abs(self.ys[self.pi[s]] - self.ys[self.pi[t]]) / abs(self.xs[s] - self.xs[t])
            for s in range(n)
            for t in range(s)
        )

    @cached_property
    def L_Q(self) -> F:
        """Lipschitz constant of Q^π."""
        mdp = rl.MDP(self.P, self.R, self.gamma)
        V = rl.evaluate(mdp, rl.Policy(list(self.pi), len(self.ys))).V
        return self.slope(np.asarray(self.R + self.gamma * (self.P @ V)))

    def bound(self, growth: F) -> Any:
        """L_r/(1 − growth), of either sign; NaN at 1."""
        return self.L_r / (1 - growth) if growth != 1 else float("nan")

    @property
    def growth(self) -> F:
        """γK_P(1 + L_π)."""
        return self.gamma * self.K * (1 + self.L_pi)


def shifted(K: F, L_pi: F, gamma: F, L_r: F = F(1)) -> OnLines:
    """S = {0, 1}, actions {0, L_π}: P(1|s, a) = K(s + a), r = L_r(s + a), μ(s) = L_π s."""
    xs, ys = (F(0), F(1)), (F(0), L_pi)
    up = [[K * (s + a) for a in ys] for s in xs]
    P = table([[[1 - p, p] for p in row] for row in up])
    return OnLines(xs, ys, P, table([[L_r * (s + a) for a in ys] for s in xs]), (0, 1), gamma)


def expanding(gamma: F, far: F = F(3)) -> OnLines:
    """States 0, 1 and a far one where 1 goes: beyond contraction."""
    xs = (F(0), F(1), far)
    P = table([[[1, 0, 0]] * 2, [[0, 0, 1]] * 2, [[0, 0, 1]] * 2])
    return OnLines(xs, (F(0), F(1)), P, table([[0, 0], [1, 1], [far, far]]), (0, 0, 0), gamma)


def on_lines(read: Reader) -> OnLines:
    """Shifts, three states whose rows differ by little, and some that expand."""
    gamma = read.pick((F(1, 2), F(3, 4), F(9, 10)))
    if read.below(8) == 0:
        return expanding(gamma, F(9 + read.below(16), 4))
    if read.below(2):
        L_pi = F(1 + read.below(8), 4)
        return shifted(F(1 + read.below(16), 16) / (1 + L_pi), L_pi, gamma, F(1 + read.below(4), 2))
    n, m = 2 + read.below(2), 2
    xs = tuple(F(3 * i + read.below(3), 2) for i in range(n))
    ys = tuple(F(4 * i + read.below(4), 4) for i in range(m))
    share = F(1 + read.below(8), 16)
    own = table([[read.weights(n) for _ in range(m)] for _ in range(n)])
    P = (1 - share) * table([[read.weights(n)] * m] * n) + share * own
    return OnLines(xs, ys, P, read.numbers(n, m), tuple(read.below(m) for _ in range(n)), gamma)


stochastic: Claim[OnLines] = Claim(
    statement="γK_P(1 + L_π) < 1: L_Q ≤ L_r/(1 − γK_P(1 + L_π)) in the sum metric",
    source=PAPER.at("standard: Rachelson and Lagoudakis 2010; Pirotta, Restelli and Bascetta 2015"),
    let=decoded(on_lines),
    assume=[Assumption("γK_P(1 + L_π) < 1", lambda x: x.growth < 1, fails_without=expanding(F(9, 10)))],
    then=Leq(lhs=lambda x: x.L_Q, rhs=lambda x: x.bound(x.growth)),
    tight=Tight(
        [
            shifted(F(2, 5), F(3, 2), F(9, 10)),
            shifted(F(1, 4), F(1), F(1, 2), F(3)),
            shifted(F(1, 2), F(1), F(3, 4)),
        ],
        within=0,
    ),
    mutants=[
        Mutant("without 1 + L_π", rhs=lambda x: x.bound(x.gamma * x.K)),
        Mutant("any K_P", drop="γK_P(1 + L_π) < 1"),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
