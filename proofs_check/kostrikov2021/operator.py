"""The implicit operator T_τ and its fixed point V_τ: the Bellman optimality operator of a policy class.

(T_τV)(s) = m_τ{Q_V(s,a) with probability μ(a|s)}, Q_V = R + γPV;  V_τ = T_τV_τ.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, sup_norm
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.operators import implicit_bellman
from rltheory.solvers import in_support_optimum

from .expectile import sign
from .lets import PAPER, Offline, exact, levels, offline, one_action, three_states, tied

NINE = Fraction(9, 10)
HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Values(Offline):
    """Let also v and w be state values."""

    v: StateVec
    w: StateVec

    @cached_property
    def change(self) -> Any:
        """‖T_τv − T_τw‖."""
        T = implicit_bellman(self.M, self.mu, self.tau)
        return sup_norm(T(self.v) - T(self.w))


@st.composite
def values(draw: st.DrawFn) -> Values:
    """Two value vectors, every second time apart by a constant and a little."""
    x = draw(offline(lower=True))
    v = draw(ck.vectors(x.M.S))
    w = draw(ck.vectors(x.M.S))
    return Values(x.M, x.mu, x.tau, v, v + draw(ck.dyadics(-8, 8)) + w / 64 if draw(st.booleans()) else w)


REFERENCE = three_states()
SHIFTED = Values(REFERENCE.M, REFERENCE.mu, NINE, exact([1, 2, 3]), exact([3, 4, 5]))

contraction: Claim[Values] = Claim(
    statement="‖T_τ V − T_τ W‖ ≤ γ ‖V − W‖",
    source=PAPER.at("derived from the axioms of the expectile"),
    let=values(),
    assume=[],
    then=Leq(lhs=lambda x: x.change, rhs=lambda x: x.M.gamma * sup_norm(x.v - x.w)),
    tight=Tight(SHIFTED, within=0),
    mutants=[
        Mutant("γ max(τ, 1−τ)", rhs=lambda x: x.M.gamma * max(x.tau, 1 - x.tau) * sup_norm(x.v - x.w)),
        Mutant("γ² for γ", rhs=lambda x: x.M.gamma**2 * sup_norm(x.v - x.w)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Enumerated(Offline):
    """Let S, A be small enough to list all policies π(·|s) ∝ μ(·|s)·(τ on a set of actions, 1−τ off it)."""

    @cached_property
    def best_threshold(self) -> StateVec:
        """Statewise best V^π over the list (least for τ < ½): the extreme points of Π_τ."""
        mu, rows = self.mu.matrix(), []
        for s in range(self.M.S):
            row: dict[Any, None] = {}
            for side in product((self.tau, 1 - self.tau), repeat=self.M.A):
                w = mu[s] * np.array(side)
                row[tuple(w / w.sum())] = None
            rows.append(list(row))
        every = np.array([rl.evaluate(self.M, np.array(table)).V for table in product(*rows)])
        return every.max(axis=0) if sign(self.tau) > 0 else every.min(axis=0)

    @cached_property
    def gaps(self) -> list[Any]:
        """Δ_s of the states whose in-support Q_τ takes exactly two values Δ_s apart.

        AWR at β has V^{AWR_β} = V_τ iff E_{π_β(s)} Q_τ(s,·) = V_τ(s) for all s; with two values this
        says βΔ_s = log(τ/(1−τ)), so one β fits all states only if their Δ_s agree.
        """
        out = []
        for s in range(self.M.S):
            q = np.unique(self.law(s, self.Q)[0])
            if q.size == 2 and self.tau != HALF:
                out.append(q[1] - q[0])
        return out or [0 * self.tau]


def small() -> st.SearchStrategy[Enumerated]:
    """Models with at most 3 states and 2 actions: at most 27 policies to list."""
    return offline(lower=True, S=3, A=2).map(lambda x: Enumerated(x.M, x.mu, x.tau))


policy_class: Claim[Enumerated] = Claim(
    statement="V_τ = max over Π_τ of V^π (min for τ < 1/2), attained by π_τ ∝ μ·(τ if Q_τ > V_τ else 1−τ)",
    source=PAPER.at("derived: T_τ is the Bellman optimality operator of Π_τ"),
    let=small(),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([x.V, rl.evaluate(x.M, x.solution.pi).V]),
        rhs=lambda x: np.tile(x.best_threshold, 2),
    ),
    tight=Tight(Enumerated(REFERENCE.M, REFERENCE.mu, NINE), within=0),
    mutants=[
        Mutant("V_τ = V^{AWR_β} for a single β", then=Eq(lambda x: min(x.gaps), lambda x: max(x.gaps))),
        Mutant("V_τ is V^μ", lhs=lambda x: np.tile(x.V_mu, 2)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Member(Offline):
    """Let u (S, A) have entries in [0, 1]: it picks π ∝ μ·((1−u)(1−τ) + uτ), a member of Π_τ."""

    u: Any

    def value(self, low: Any, high: Any) -> StateVec:
        """V^π of π ∝ μ·((1−u)·low + u·high)."""
        w = self.mu.matrix() * (low + self.u * (high - low))
        return rl.evaluate(self.M, rl.Policy(w / w.sum(axis=1)[:, None])).V


@st.composite
def members(draw: st.DrawFn) -> Member:
    """Random members of Π_τ, half of them extreme."""
    x = draw(offline(lower=True))
    u = draw(ck.vectors(x.M.S * x.M.A, min_value=0, max_value=1)).reshape(x.M.S, x.M.A)
    return Member(x.M, x.mu, x.tau, np.round(u) if draw(st.booleans()) else u)


BEST_MEMBER = Member(
    REFERENCE.M, REFERENCE.mu, NINE, rl.exact_array((REFERENCE.V[:, None] < REFERENCE.Q).astype(int))
)

policy_class_members: Claim[Member] = Claim(
    statement="π ∈ Π_τ ⇒ V^π ≤ V_τ for τ ≥ 1/2, ≥ for τ ≤ 1/2",
    source=PAPER.at("derived: T_τ is the Bellman optimality operator of Π_τ"),
    let=members(),
    assume=[
        Assumption(
            "0 ≤ u ≤ 1",
            lambda x: (x.u >= 0).all() and (x.u <= 1).all(),
            fails_without=Member(REFERENCE.M, REFERENCE.mu, NINE, 2 * BEST_MEMBER.u),
        )
    ],
    then=Leq(
        lhs=lambda x: sign(x.tau) * x.value(1 - x.tau, x.tau),
        rhs=lambda x: sign(x.tau) * x.V,
    ),
    tight=Tight(BEST_MEMBER, within=0),
    mutants=[
        Mutant(
            "ratios up to (τ/(1−τ))²",
            lhs=lambda x: sign(x.tau) * x.value((1 - x.tau) ** 2, x.tau**2),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def uniform_in_support(x: Offline) -> StateVec:
    """Value of the policy uniform over the support of μ."""
    share = x.support / x.support.sum(axis=1)[:, None]
    if x.M.is_exact:
        share = np.array([[Fraction(int(k), int(row.sum())) for k in row] for row in x.support], dtype=object)
    return rl.evaluate(x.M, rl.Policy(share)).V


half: Claim[Offline] = Claim(
    statement="V_{1/2} = V^μ",
    source=PAPER.at("τ = 1/2 is SARSA, recalled"),
    let=offline(),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([x.V_at(HALF), implicit_bellman(x.M, x.mu, HALF)(x.V_mu)]),
        rhs=lambda x: np.tile(x.V_mu, 2),
    ),
    tight=Tight(REFERENCE, within=0),
    mutants=[
        Mutant("the uniform in-support policy's value", rhs=lambda x: np.tile(uniform_in_support(x), 2)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Levels(Offline):
    """Let also tau ≤ tau2 < 1."""

    tau2: Any

    @cached_property
    def V2(self) -> StateVec:
        """V_{τ2}."""
        return self.V_at(self.tau2)


@st.composite
def two_levels(draw: st.DrawFn) -> Levels:
    """Models with two levels τ ≤ τ2."""
    x = draw(offline(lower=True))
    tau, tau2 = sorted([x.tau, draw(levels(lower=True))])
    return Levels(x.M, x.mu, tau, tau2)


monotone: Claim[Levels] = Claim(
    statement="τ1 ≤ τ2 ⇒ V_{τ1} ≤ V_{τ2} in every state",
    source=PAPER.at("a lemma of the paper, recalled"),
    let=two_levels(),
    assume=[
        Assumption(
            "τ1 ≤ τ2",
            lambda x: x.tau <= x.tau2,
            fails_without=Levels(REFERENCE.M, REFERENCE.mu, NINE, HALF),
        )
    ],
    then=Leq(lhs=lambda x: x.V, rhs=lambda x: x.V2),
    tight=Tight([Levels(x.M, x.mu, HALF, NINE) for x in (one_action(), tied())], within=0),
    mutants=[
        Mutant(
            "strict increase by 0.01 everywhere",
            then=Leq(lambda x: x.V + Fraction(1, 100) * int(x.tau < x.tau2), lambda x: x.V2),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

upper: Claim[Offline] = Claim(
    statement="V_τ ≤ V*_μ",
    source=PAPER.at("a corollary of the paper, recalled"),
    let=offline(lower=True),
    assume=[],
    then=Leq(lhs=lambda x: x.V, rhs=lambda x: x.best.V),
    tight=Tight([one_action(), tied()], within=0),
    mutants=[Mutant("V_τ ≤ (V^μ + V*_μ)/2", rhs=lambda x: (x.V_mu + x.best.V) / 2)],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

support: Claim[Offline] = Claim(
    statement="V*_μ ≤ V*",
    source=PAPER.at("derived: fewer policies"),
    let=offline(),
    assume=[],
    then=Leq(lhs=lambda x: x.best.V, rhs=lambda x: x.V_star),
    tight=Tight(three_states(), within=0),
    mutants=[Mutant("V*_μ = V*", then=Eq(lambda x: x.best.V, lambda x: x.V_star))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Excluded:
    """Let M be an MDP and mu uniform over all actions, except that in state s it avoids the optimal ones."""

    M: rl.MDP
    s: int

    @cached_property
    def V_star(self) -> StateVec:
        """V*."""
        return rl.solve(self.M).V

    @cached_property
    def Q_star(self) -> Any:
        """Q*(s, ·)."""
        return rl.q_values(self.M, self.V_star)[self.s]

    @cached_property
    def worse(self) -> Any:
        """(A,) mask of the actions that are not optimal in s."""
        return self.Q_star < self.V_star[self.s] - (0 if self.M.is_exact else 1e-9)

    @cached_property
    def gap(self) -> Any:
        """V*(s) − max of Q*(s, ·) over the actions left."""
        return self.V_star[self.s] - self.Q_star[self.worse].max()

    @cached_property
    def loss(self) -> StateVec:
        """V* − V*_μ."""
        used = np.ones((self.M.S, self.M.A), dtype=bool)
        used[self.s] = self.worse
        count = used.sum(axis=1)
        rows = [[Fraction(int(u), int(c)) for u in row] for row, c in zip(used, count, strict=True)]
        return self.V_star - in_support_optimum(self.M, rl.Policy(np.array(rows, dtype=object))).V


@st.composite
def excluded(draw: st.DrawFn) -> Excluded:
    """Models with at least two actions and a state."""
    M = draw(ck.mdps(A=st.integers(2, 4), S=st.integers(1, 4), gamma=st.sampled_from((0.0, 0.5, 115 / 128))))
    return Excluded(M, draw(st.integers(0, M.S - 1)))


ONE_STEP = Excluded(rl.MDP(exact([[[1], [1]]]), exact([[1, 0]]), Fraction(0)), 0)

support_strict: Claim[Excluded] = Claim(
    statement="μ avoids every optimal action in s ⇒ V*(s) − V*_μ(s) ≥ V*(s) − max_{a left} Q*(s,a) > 0",
    source=PAPER.at("derived: V*_μ ≤ V*, one backup at s"),
    let=excluded(),
    assume=[
        Assumption(
            "some action is not optimal in s",
            lambda x: x.worse.any(),
            fails_without=NotShown("then μ has no action left in s"),
        )
    ],
    then=Leq(lhs=lambda x: x.gap, rhs=lambda x: x.loss[x.s]),  # the gap is positive by definition
    tight=Tight(ONE_STEP, within=0),
    mutants=[
        Mutant("the loss is as large in every state", rhs=lambda x: x.loss.min()),
        Mutant("twice the gap", lhs=lambda x: 2 * x.gap),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
