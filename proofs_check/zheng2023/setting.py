"""Two models on a finite metric space, in rationals.

S = {1..n} with metric D, kernels P and P̂ with the same rewards, W(s, a) = W₁(P, P̂)(s, a), W̄ = max W;
L(V) = max |V_i − V_j|/D_ij; T, V* belong to P and T̂, V̂* to P̂; π̂ is greedy for V̂* in P̂.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rltheory as rl
from rltheory.checks import Paper, Reader
from rltheory.operators import Metric, kernel_distance, lipschitz, wasserstein_1

PAPER = Paper(
    key="lipmodel",
    authors="Zheng, Wang, Xu, Huang",
    title="Is Model Ensemble Necessary? Model-based RL via a Single Model with Lipschitz Regularized Value "
    "Function",
    year=2023,
    where="ICLR 2023, arXiv 2302.01244",
)

Table = NDArray[Any]
HALF = F(1, 2)
GAMMAS = (HALF, F(3, 4), F(9, 10), F(1, 4))

table = rl.exact_array
"""Nested lists as an object array of Fractions."""


# ---- spaces and laws -------------------------------------------------------------------------
def metric(read: Reader, n: int) -> Metric:
    """A line, the discrete metric, points of the plane under ℓ₁, or shortest paths."""
    kind = read.below(4)
    if kind == 0:
        gaps = [F(1 + read.below(8), 4) for _ in range(n - 1)]
        x = [sum(gaps[:k], F(0)) for k in range(n)]
        return Metric.line(x[1:] + x[:1] if read.below(2) else x)
    if kind == 1:
        return Metric(F(1 + read.below(4), 2) * Metric.discrete(n).D)
    if kind == 2:
        at = [(4 * i + read.below(4), read.below(5)) for i in range(n)]
        return Metric(table([[F(abs(a - c) + abs(b - d), 4) for c, d in at] for a, b in at]))
    lengths = [[0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i):
            lengths[i][j] = lengths[j][i] = 1 + read.below(8)
    return Metric.shortest_paths(table(lengths) / 4)


def law(read: Reader, n: int) -> list[F]:
    """n rationals ≥ 0 that sum to one; a point mass one time in four."""
    if read.below(4) == 0:
        k = read.below(n)
        return [F(int(i == k)) for i in range(n)]
    w = [read.below(5) for _ in range(n)]
    w[read.below(n)] += 1
    return [F(k, sum(w)) for k in w]


@dataclass(frozen=True, eq=False)
class Laws:
    """Let p and q be laws on a metric space and V a function on it."""

    metric: Metric
    p: Table
    q: Table
    V: Table

    @cached_property
    def W1(self) -> F:
        """W₁(p, q)."""
        return F(wasserstein_1(self.p, self.q, self.metric).value)

    @cached_property
    def tv(self) -> F:
        """½Σ|p − q|."""
        return F(np.abs(self.p - self.q).sum() / 2)

    @cached_property
    def gap(self) -> F:
        """|(p − q)V|."""
        return F(abs(((self.p - self.q) * self.V).sum()))

    @cached_property
    def L(self) -> F:
        """L(V), from the definition."""
        n = self.metric.n
        pairs = [(i, j) for i in range(n) for j in range(i)]
        return max((abs(self.V[i] - self.V[j]) / self.metric.D[i, j] for i, j in pairs), default=F(0))


def laws(read: Reader, *, n: int | None = None, space: Metric | None = None) -> Laws:
    """Random laws; V is random, or an optimal potential plus noise."""
    n = 2 + read.below(3) if n is None else n
    m = metric(read, n) if space is None else space
    p, q = table(law(read, n)), table(law(read, n))
    V = read.numbers(n)
    if read.below(2):
        V = wasserstein_1(p, q, m).potential + V * F(read.below(3), 16)
    return Laws(m, p, q, V)


# ---- models ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class TwoModels:
    """Let M and M_hat share states, actions, rewards and γ; the states carry a metric."""

    M: rl.MDP
    M_hat: rl.MDP
    metric: Metric

    @property
    def gamma(self) -> Any:
        """γ."""
        return self.M.gamma

    @cached_property
    def W(self) -> Table:
        """(S, A) W₁(P, P̂)."""
        return kernel_distance(self.M.P, self.M_hat.P, self.metric)

    @property
    def W_bar(self) -> Any:
        """W̄."""
        return self.W.max()

    @cached_property
    def V_star(self) -> Table:
        """V*."""
        return rl.solve(self.M).V

    @cached_property
    def V_hat(self) -> Table:
        """V̂*."""
        return rl.solve(self.M_hat).V

    def L(self, V: Table) -> Any:
        """L(V)."""
        return lipschitz(V, self.metric)

    @cached_property
    def gap(self) -> Any:
        """‖V* − V̂*‖."""
        return rl.sup_norm(self.V_star - self.V_hat)

    @cached_property
    def least_L(self) -> Any:
        """min(L(V*), L(V̂*))."""
        return min(self.L(self.V_star), self.L(self.V_hat))

    @cached_property
    def loss(self) -> Table:
        """V* − V^π̂."""
        pi_hat = rl.greedy(self.M_hat, self.V_hat)
        return np.asarray(self.V_star - rl.evaluate(self.M, pi_hat).V)


def pair(P: Any, P_hat: Any, R: Any, gamma: F, space: Metric) -> TwoModels:
    """Two models from nested lists."""
    r = table(R)
    return TwoModels(rl.MDP(table(P), r, gamma), rl.MDP(table(P_hat), r, gamma), space)


def two_models(read: Reader) -> TwoModels:
    """Two to four states: unrelated kernels, a kernel and a nearby one, rows shared by all states, slips."""
    n, m, kind = 2 + read.below(3), 1 + read.below(2), read.below(4)
    space, gamma = metric(read, n), GAMMAS[read.below(4)]
    P = [[law(read, n) for _ in range(m)] for _ in range(n)]
    if kind == 1:
        P = [P[0]] * n
    if kind == 2:
        P = [[[F(int(s == t)) for t in range(n)] for _ in range(m)] for s in range(n)]
    share = F(1 + read.below(8), 16)
    noise = [[law(read, n) for _ in range(m)] for _ in range(n)]
    if kind in (1, 2):
        noise = [[noise[0][0] if kind == 1 else noise[s][0]] * m for s in range(n)]
    P_hat = noise if kind == 0 else (1 - share) * table(P) + share * table(noise)
    return pair(P, P_hat, read.numbers(n, m), gamma, space)


def mixing(eps: F = F(1, 10), gamma: F = F(9, 10), d: F = F(1)) -> TwoModels:
    """Two states at distance d, one action, rows (½ + ε, ½ − ε) against (½, ½), r = (1, 0)."""
    up, flat = [[HALF + eps, HALF - eps]], [[HALF, HALF]]
    return pair([up, up], [flat, flat], [[1], [0]], gamma, Metric.line([F(0), d]))


def slip(eta: F = F(1, 10), gamma: F = F(9, 10)) -> TwoModels:
    """P stays; P̂ slips to the other of two states with probability η; r = (1, 0)."""
    stay, move = [[[1, 0]], [[0, 1]]], [[[1 - eta, eta]], [[eta, 1 - eta]]]
    return pair(stay, move, [[1], [0]], gamma, Metric.line([0, 1]))


def misled(t: F = F(1, 10_000), eps: F = F(1, 10), gamma: F = F(9, 10), d: F = F(1)) -> TwoModels:
    """a mixes (½ + ε, ½ − ε), b (½ − ε, ½ + ε); the model has (½, ½) for a and (½ + t, ½ − t) for b."""

    def row(e: F) -> list[F]:
        return [HALF + e, HALF - e]

    true, model = [row(eps), row(-eps)], [row(F(0)), row(t)]
    return pair([true, true], [model, model], [[1, 1], [0, 0]], gamma, Metric.line([F(0), d]))
