"""Fixed points of two models, what acting on the wrong one costs, and when V* is Lipschitz at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.checks.strategies import lift_fields
from rltheory.operators import Metric, dynamics_lipschitz, kernel_distance, lipschitz, lipschitz_envelope

from .setting import GAMMAS, HALF, PAPER, TwoModels, law, metric, misled, mixing, slip, table, two_models


def horizon(x: TwoModels, power: int = 1) -> Any:
    """γ/(1−γ)^power."""
    return x.gamma / (1 - x.gamma) ** power


def near_equality(read: Reader) -> TwoModels:
    """Random models, or neighbours of the instances that make these bounds equalities."""
    kind = read.below(4)
    gamma, eps = GAMMAS[read.below(4)], F(1 + read.below(7), 16)
    if kind == 0:
        return mixing(eps, gamma, F(1 + read.below(4), 2))
    if kind == 1:
        return slip(eps, gamma)
    if kind == 2:
        return misled(min(HALF - eps, eps) * F(1 + read.below(16), 16), eps, gamma, F(1 + read.below(4), 2))
    return two_models(read)


value_gap: Claim[TwoModels] = Claim(
    statement="‖V* − V̂*‖ ≤ γ/(1−γ)·min(L(V*), L(V̂*))·W̄",
    source=PAPER.at("standard: Müller 1996, Asadi, Misra and Littman 2018; the constant derived"),
    let=decoded(near_equality),
    assume=[],
    then=Leq(lhs=lambda x: x.gap, rhs=lambda x: horizon(x) * x.least_L * x.W_bar),
    certify=lift_fields,
    tight=Tight([mixing(), mixing(F(3, 10), HALF, F(2)), slip(), slip(F(1, 4), HALF)], within=0),
    mutants=[
        Mutant("without 1/(1−γ)", rhs=lambda x: x.gamma * x.least_L * x.W_bar),
        Mutant("L(r) for L(V)", rhs=lambda x: horizon(x) * rewards_lipschitz(x.M, x.metric) * x.W_bar),
        Mutant("½·min(L(V*), L(V̂*))", rhs=lambda x: horizon(x) * x.least_L * x.W_bar / 2),
    ],
    expect=CERTIFIED,
)


def rewards_lipschitz(M: rl.MDP, space: Metric) -> Any:
    """max_a L(r(·, a))."""
    return max(lipschitz(M.R[:, a], space) for a in range(M.A))


policy_loss: Claim[TwoModels] = Claim(
    statement="V* − V^π̂ ≤ 2γ/(1−γ)·L(V̂*)·W̄ in every state",
    source=PAPER.at("standard: two value gaps, one of π̂ and one of π*, both with L(V̂*)"),
    let=decoded(near_equality),
    assume=[],
    then=Leq(lhs=lambda x: x.loss, rhs=lambda x: 2 * horizon(x) * x.L(x.V_hat) * x.W_bar),
    certify=lift_fields,
    tight=Tight([misled(), misled(F(1, 10_000), F(3, 10), HALF, F(2))], within=0.002),
    mutants=[
        Mutant("γ/(1−γ) for 2γ/(1−γ)", rhs=lambda x: horizon(x) * x.L(x.V_hat) * x.W_bar),
        Mutant("without 1/(1−γ)", rhs=lambda x: 2 * x.gamma * x.L(x.V_hat) * x.W_bar),
    ],
    expect=CERTIFIED,
)


# ---- the Lipschitz constant of V* ------------------------------------------------------------
@dataclass(frozen=True)
class Smooth:
    """Let M be a model on a metric space; L_r = max_a L(r(·, a)), K the W₁-Lipschitz constant of P."""

    M: rl.MDP
    metric: Metric

    @cached_property
    def K(self) -> Any:
        """max_a W₁(P(·|s, a), P(·|s', a))/D(s, s')."""
        return dynamics_lipschitz(self.M, self.metric)

    @cached_property
    def least_K(self) -> Any:
        """min_a of the same."""
        S, D = self.M.S, self.metric
        pairs = [(s, t) for s in range(S) for t in range(s)]
        each = [kernel_distance(self.M.P[s], self.M.P[t], D) / D.D[s, t] for s, t in pairs]
        return np.max(each, axis=0).min()

    @cached_property
    def L_r(self) -> Any:
        """max_a L(r(·, a))."""
        return rewards_lipschitz(self.M, self.metric)

    @cached_property
    def L_star(self) -> Any:
        """L(V*)."""
        return lipschitz(rl.solve(self.M).V, self.metric)

    def bound(self, contraction: Any) -> Any:
        """L_r/(1 − contraction), of either sign; NaN at 1."""
        return self.L_r / (1 - contraction) if contraction != 1 else math.nan


def drift(K: F, gamma: F = F(9, 10), *, spare: bool = False) -> Smooth:
    """S = {0, 1}: P(1|1) = K, P(0|0) = 1, r = s; a spare action leads to 0 and pays −9."""
    P: list[list[list[Any]]] = [[[1, 0]], [[1 - K, K]]]
    r = [[0], [1]]
    if spare:
        P, r = [[[1, 0], P[0][0]], [[1, 0], P[1][0]]], [[-9, 0], [-9, 1]]
    return Smooth(rl.MDP(table(P), table(r), gamma), Metric.line([0, 1]))


def stretch(step: F = F(1, 20), gamma: F = F(9, 10)) -> Smooth:
    """S = {0, 1, 1 + step}: 0 → 0, 1 → 1 + step → itself, r = s; K = 1 + step."""
    P, x = [[[1, 0, 0]], [[0, 0, 1]], [[0, 0, 1]]], [F(0), F(1), 1 + step]
    return Smooth(rl.MDP(table(P), table([[v] for v in x]), gamma), Metric.line(x))


def smooth(read: Reader) -> Smooth:
    """Random models with similar rows, deterministic maps of a line, drifts, stretched lines."""
    gamma, kind = GAMMAS[read.below(4)], read.below(4)
    if kind == 0:
        return drift(F(1 + read.below(16), 16), gamma, spare=bool(read.below(2)))
    if kind == 1:
        return stretch(F(1 + read.below(12), 64), gamma)
    n, m = 2 + read.below(3), 1 + read.below(2)
    space = metric(read, n)
    if kind == 2:
        P: Any = [[[F(int(t == (s + a) % n)) for t in range(n)] for a in range(m)] for s in range(n)]
    else:
        share = F(1 + read.below(8), 8)
        base = [law(read, n) for _ in range(m)]
        own = table([[law(read, n) for _ in range(m)] for _ in range(n)])
        P = (1 - share) * table([base] * n) + share * own
    return Smooth(rl.MDP(table(P), read.numbers(n, m), gamma), space)


lipschitz_of_Vstar: Claim[Smooth] = Claim(
    statement="L(r(·, a)) ≤ L_r, W₁(P(·|s, a), P(·|s', a)) ≤ K·D(s, s'), γK < 1: L(V*) ≤ L_r/(1 − γK)",
    source=PAPER.at("standard: Hinderer 2005; Asadi, Misra and Littman 2018"),
    let=decoded(smooth),
    assume=[
        Assumption("γK < 1", lambda x: x.M.gamma * x.K < 1, fails_without=stretch(F(1, 4))),
    ],
    then=Leq(lhs=lambda x: x.L_star, rhs=lambda x: x.bound(x.M.gamma * x.K)),
    certify=lift_fields,
    tight=Tight([drift(K, g) for K in (F(0), F(1, 4), HALF, F(1)) for g in (HALF, F(9, 10))], within=0),
    named={"stretched": stretch(), "an action to spare": drift(HALF, spare=True)},
    mutants=[
        Mutant("K² for K", rhs=lambda x: x.bound(x.M.gamma * x.K**2)),
        Mutant("K dropped: L_r/(1−γ)", rhs=lambda x: x.bound(x.M.gamma)),
        Mutant("K of the calmest action", rhs=lambda x: x.bound(x.M.gamma * x.least_K)),
        Mutant("any K", drop="γK < 1"),
    ],
    expect=CERTIFIED,
)


# ---- value iteration with a Lipschitz cap ----------------------------------------------------
@dataclass(frozen=True)
class Capped:
    """Let every sweep under the model M_hat be followed by the c-Lipschitz envelope, c = excess·L(V̂*)."""

    models: TwoModels
    excess: F

    @cached_property
    def V_hat(self) -> Any:
        """V̂*."""
        return self.models.V_hat

    @property
    def c(self) -> F:
        """excess·L(V̂*)."""
        return F(self.excess * self.models.L(self.V_hat))

    @cached_property
    def after(self) -> Any:
        """One capped sweep from V̂*."""
        return lipschitz_envelope(rl.bellman(self.models.M_hat)(self.V_hat), self.models.metric, self.c)


def capped(read: Reader) -> Capped:
    """c between a quarter of L(V̂*) and three times that."""
    return Capped(two_models(read), F(1 + read.below(12), 4))


envelope: Claim[Capped] = Claim(
    statement="for c ≥ L(V̂*) value iteration under T̂ followed by the c-Lipschitz envelope converges to V̂*",
    source=PAPER.at("derived: the envelope is 1-Lipschitz in the sup norm and leaves V̂* alone"),
    let=decoded(capped),
    assume=[Assumption("c ≥ L(V̂*)", lambda x: x.excess >= 1, fails_without=Capped(mixing(), HALF))],
    then=Eq(lhs=lambda x: x.after, rhs=lambda x: x.V_hat),
    tight=Tight(Capped(mixing(), F(1)), within=0),
    mutants=[
        Mutant("any c", drop="c ≥ L(V̂*)"),
        Mutant(
            "the envelope with c/2",
            lhs=lambda x: lipschitz_envelope(x.V_hat, x.models.metric, x.c / 2 / x.excess),
        ),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
