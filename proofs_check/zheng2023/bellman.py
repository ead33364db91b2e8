"""One backup under two models: Kantorovich–Rubinstein with the Lipschitz constant of V."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.operators import Metric, lipschitz, wasserstein_1

from .setting import HALF, PAPER, Laws, Table, TwoModels, law, laws, metric, pair, table, two_models


@dataclass(frozen=True, eq=False)
class Backup:
    """Let V be any function on the states of two models."""

    models: TwoModels
    V: Table

    @cached_property
    def pointwise(self) -> Table:
        """γ|(P − P̂)V|, (S, A), from the definition."""
        x = self.models
        return np.asarray(x.gamma * np.abs(((x.M.P - x.M_hat.P) * self.V).sum(axis=-1)))

    @cached_property
    def gap(self) -> F:
        """‖TV − T̂V‖."""
        x = self.models
        return F(rl.sup_norm(rl.bellman(x.M)(self.V) - rl.bellman(x.M_hat)(self.V)))

    @cached_property
    def sides(self) -> list[Any]:
        """Both left sides."""
        return [self.gap, *self.pointwise.reshape(-1)]

    def bound(self, L: F, W: Table, factor: F | int = 1) -> list[Any]:
        """factor·γ·L·W, its maximum first."""
        values = (factor * self.models.gamma * L * W).reshape(-1)
        return [values.max(), *values]

    @cached_property
    def tv(self) -> Table:
        """(S, A) total variation."""
        x = self.models
        return np.asarray(np.abs(x.M.P - x.M_hat.P).sum(axis=-1) / 2)

    @property
    def L(self) -> F:
        """L(V)."""
        return F(lipschitz(self.V, self.models.metric))

    @property
    def neighbours(self) -> F:
        """The largest slope between consecutive indices."""
        D, V = self.models.metric.D, self.V
        return max(abs(V[i + 1] - V[i]) / D[i, i + 1] for i in range(len(V) - 1))


def worst_potential(x: TwoModels) -> Table:
    """An optimal potential of the pair (s, a) where the models are furthest apart."""
    s, a = np.unravel_index(int(np.argmax(x.W)), x.W.shape)
    phi = wasserstein_1(x.M.P[s, a], x.M_hat.P[s, a], x.metric).potential
    assert phi is not None
    return phi


def backup(read: Reader) -> Backup:
    """V is random, or the potential of the worst pair plus noise."""
    x = two_models(read)
    V = read.numbers(x.M.S)
    if read.below(2):
        V = worst_potential(x) + V * F(read.below(3), 16)
    return Backup(x, V)


def planar() -> Backup:
    """Points (0, 0), (1, 0), (0, 1/10), V = (0, 0, 1); P goes to the third point, P̂ to the first."""
    x = [(F(0), F(0)), (F(1), F(0)), (F(0), F(1, 10))]
    D = table([[abs(a - c) + abs(b - d) for c, d in x] for a, b in x])
    to = [[[F(int(k == t)) for k in range(3)]] for t in (0, 1, 2)]
    return Backup(pair([to[2]] * 3, [to[0]] * 3, [[0], [0], [0]], F(9, 10), Metric(D)), table([0, 0, 1]))


def one_action() -> Backup:
    """The line 0, 1/4, 1 with laws (½, 3/10, 1/5) and (1/5, 3/10, ½), V its potential."""
    p, q = [[HALF, F(3, 10), F(1, 5)]], [[F(1, 5), F(3, 10), HALF]]
    x = pair([p] * 3, [q] * 3, [[0], [1], [0]], F(9, 10), Metric.line([0, F(1, 4), 1]))
    return Backup(x, worst_potential(x))


def two_actions() -> Backup:
    """The same with a second action that nobody would take."""
    x = one_action().models
    P, P_hat = (np.concatenate([M.P, M.P[:, :, ::-1]], axis=1) for M in (x.M, x.M_hat))
    y = pair(P, P_hat, [[0, -99], [1, -99], [0, -99]], F(9, 10), x.metric)
    return Backup(y, worst_potential(x))


FAR = Backup(pair([[[1, 0]]] * 2, [[[0, 1]]] * 2, [[0], [0]], HALF, Metric.line([0, 2])), table([0, 2]))

bellman_gap: Claim[Backup] = Claim(
    statement="‖TV − T̂V‖ ≤ γL(V)W̄, and γ|(P − P̂)V|(s, a) ≤ γL(V)W₁(P, P̂)(s, a) for each pair",
    source=PAPER.at("the bound named in the abstract, in Kantorovich–Rubinstein form"),
    let=decoded(backup),
    assume=[],
    then=Leq(lhs=lambda x: x.sides, rhs=lambda x: x.bound(x.L, x.models.W)),
    tight=Tight([one_action(), two_actions(), FAR], within=0),
    named={"planar": planar()},
    mutants=[
        Mutant("slopes between consecutive indices only", rhs=lambda x: x.bound(x.neighbours, x.models.W)),
        Mutant("TV for W₁, diameter above 1", rhs=lambda x: x.bound(x.L, x.tv)),
        Mutant("γ/2", rhs=lambda x: x.bound(x.L, x.models.W, HALF)),
    ],
    expect=CERTIFIED,
)


# ---- the discrete metric ---------------------------------------------------------------------
def discrete_laws(read: Reader) -> Laws:
    """Distance 1 between any two of up to five points."""
    n = 2 + read.below(4)
    return laws(read, n=n, space=Metric.discrete(n))


OPPOSITE = Laws(Metric.discrete(2), table([1, 0]), table([0, 1]), table([1, -1]))

discrete_metric: Claim[Laws] = Claim(
    statement="D = 1 − I: W₁(p, q) = ½Σ|p − q| and L(V) = span V",
    source=PAPER.at("Kantorovich–Rubinstein for the discrete metric (standard)"),
    let=decoded(discrete_laws),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.W1, F(lipschitz(x.V, x.metric))],
        rhs=lambda x: [x.tv, F(rl.span(x.V))],
    ),
    tight=Tight(OPPOSITE, within=0),
    mutants=[
        Mutant("W₁ = Σ|p − q|", rhs=lambda x: [2 * x.tv, F(rl.span(x.V))]),
        Mutant("L(V) = ‖V‖", rhs=lambda x: [x.tv, F(rl.sup_norm(x.V))]),
    ],
    expect=CERTIFIED,
)

discrete_metric_gap: Claim[Laws] = Claim(
    statement="|(p − q)V| ≤ span(V)·TV(p, q)",
    source=PAPER.at("the simulation lemma's step, from the discrete metric (standard)"),
    let=decoded(discrete_laws),
    assume=[],
    then=Leq(lhs=lambda x: x.gap, rhs=lambda x: F(rl.span(x.V)) * x.tv),
    tight=Tight(OPPOSITE, within=0),
    mutants=[Mutant("‖V‖ for span(V)", rhs=lambda x: F(rl.sup_norm(x.V)) * x.tv)],
    expect=CERTIFIED,
)


# ---- ensembles -------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Ensemble:
    """Let p be the true law and the rows of `members` the laws of an ensemble."""

    metric: Metric
    p: Table
    members: Table

    @cached_property
    def mean(self) -> F:
        """W₁ to the mean law."""
        return F(wasserstein_1(self.p, self.members.sum(axis=0) / len(self.members), self.metric).value)

    @cached_property
    def each(self) -> list[F]:
        """W₁ to each member."""
        return [F(wasserstein_1(self.p, q, self.metric).value) for q in self.members]


def ensemble(read: Reader) -> Ensemble:
    """Up to four members."""
    n, K = 2 + read.below(3), 1 + read.below(4)
    space, p = metric(read, n), table(law(read, n))
    return Ensemble(space, p, table([law(read, n) for _ in range(K)]))


ALIGNED = Ensemble(Metric.line([0, 1, 3]), table([1, 0, 0]), table([[0, 1, 0], [0, 0, 1]]))
ALONE = Ensemble(Metric.line([0, 1, 3]), table([1, 0, 0]), table([[0, HALF, HALF]]))

mixture: Claim[Ensemble] = Claim(
    statement="W₁(P, mean of P̂_k) ≤ mean of W₁(P, P̂_k)",
    source=PAPER.at("derived: W₁ is convex"),
    let=decoded(ensemble),
    assume=[],
    then=Leq(lhs=lambda x: x.mean, rhs=lambda x: sum(x.each, F(0)) / len(x.each)),
    tight=Tight([ALIGNED, ALONE], within=0),
    named={"one member is exact": Ensemble(Metric.line([0, 1]), table([1, 0]), table([[1, 0], [0, 1]]))},
    mutants=[Mutant("the best member", rhs=lambda x: min(x.each))],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
