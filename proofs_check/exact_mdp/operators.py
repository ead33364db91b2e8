"""Block A: the Bellman operators T and T^π."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, span, sup_norm
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck

from .lets import PAPER, Policies, Values, constant, exact, ordered_values, policies, swap_chain, values

GAMMA = Fraction(9, 10)
SWAP = swap_chain(GAMMA)

monotone: Claim[Values] = Claim(
    statement="u ≤ v ⇒ T u ≤ T v",
    source=PAPER.at("Lemma 6.2.2"),
    let=ordered_values(),
    assume=[
        Assumption(
            "u ≤ v",
            lambda x: (x.u <= x.v).all(),
            fails_without=Values(SWAP, exact([2, 2]), exact([1, 1])),
        )
    ],
    then=Leq(lhs=lambda x: x.Tu, rhs=lambda x: x.Tv),
    tight=Tight(Values(SWAP, exact([1, 2]), exact([1, 2])), within=0),
    mutants=[
        # Σu ≤ Σv is all that survives when v is rotated; it does not order the sums of T
        Mutant(
            "Σu ≤ Σv ⇒ Σ T u ≤ Σ T v",
            then=Leq(lambda x: x.Tu.sum(), lambda x: rl.bellman(x.M)(np.roll(x.v, 1)).sum()),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

shift: Claim[Values] = Claim(
    statement="T(v + c·1) = T v + γ c·1",
    source=PAPER.at("Section 6.2"),
    let=values(),
    assume=[],
    then=Eq(lhs=lambda x: rl.bellman(x.M)(x.v + x.u[0]), rhs=lambda x: x.Tv + x.M.gamma * x.u[0]),
    tight=Tight(Values(SWAP, exact([1, 1]), exact([1, 2])), within=0),
    mutants=[Mutant("T(v + c·1) = T v + c·1", rhs=lambda x: x.Tv + x.u[0])],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Mixed(Values):
    """Let also 0 ≤ lam ≤ 1 be a mixing weight."""

    lam: Any

    @cached_property
    def T_mix(self) -> StateVec:
        """T(λu + (1−λ)v)."""
        return rl.bellman(self.M)(self.lam * self.u + (1 - self.lam) * self.v)

    @cached_property
    def mix_T(self) -> StateVec:
        """λTu + (1−λ)Tv."""
        return self.lam * self.Tu + (1 - self.lam) * self.Tv

    @cached_property
    def T_max(self) -> StateVec:
        """T(max(u, v))."""
        return rl.bellman(self.M)(np.maximum(self.u, self.v))


@st.composite
def mixed(draw: st.DrawFn) -> Mixed:
    """Values with a mixing weight."""
    x = draw(values())
    return Mixed(x.M, x.u, x.v, draw(ck.dyadics(0, 1)))


convex: Claim[Mixed] = Claim(
    statement="T(λu + (1−λ)v) ≤ λ T u + (1−λ) T v, and max(T u, T v) ≤ T(max(u, v))",
    source=PAPER.at("folklore; T is a maximum of affine maps"),
    let=mixed(),
    assume=[],
    then=Leq(
        lhs=lambda x: np.concatenate([x.T_mix, np.maximum(x.Tu, x.Tv)]),
        rhs=lambda x: np.concatenate([x.mix_T, x.T_max]),
    ),
    tight=Tight(
        Mixed(SWAP, exact([1, 2]), exact([3, 4]), Fraction(1, 2)), within=0
    ),  # one action: T is affine
    mutants=[
        Mutant("T is concave", then=Leq(lhs=lambda x: x.mix_T, rhs=lambda x: x.T_mix)),
        Mutant(
            "T(max(u, v)) ≤ max(T u, T v)",
            then=Leq(lhs=lambda x: x.T_max, rhs=lambda x: np.maximum(x.Tu, x.Tv)),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

contraction: Claim[Values] = Claim(
    statement="‖T u − T v‖ ≤ γ ‖u − v‖",
    source=PAPER.at("Proposition 6.2.4"),
    let=values(),
    assume=[],
    then=Leq(lhs=lambda x: sup_norm(x.Tu - x.Tv), rhs=lambda x: x.M.gamma * sup_norm(x.u - x.v)),
    tight=Tight(Values(SWAP, exact([3, 4]), exact([1, 2])), within=0),
    mutants=[
        Mutant("γ² for γ", rhs=lambda x: x.M.gamma**2 * sup_norm(x.u - x.v)),
        Mutant(
            "a contraction in ℓ2 (squared)",
            then=Leq(lambda x: ((x.Tu - x.Tv) ** 2).sum(), lambda x: x.M.gamma**2 * ((x.u - x.v) ** 2).sum()),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Delta(Values):
    """Let δ be the largest total variation distance between two transition rows."""

    def tv(self, pairs: Any) -> list[Any]:
        """½‖P(k) − P(l)‖₁ over the given pairs of rows."""
        rows = self.M.P_pairs
        return [abs(rows[k] - rows[l]).sum() / 2 for k, l in pairs]

    @cached_property
    def all_tv(self) -> list[Any]:
        """Distances between every two rows."""
        return self.tv(product(range(self.M.N), repeat=2))

    @cached_property
    def delta(self) -> Any:
        """max over pairs of pairs."""
        return max(self.all_tv)

    @cached_property
    def same_action_delta(self) -> Any:
        """max over rows of one action only."""
        a = self.M.pair_action
        return max(self.tv((k, l) for k, l in product(range(self.M.N), repeat=2) if a[k] == a[l]))


def stay_or_go() -> rl.MDP:
    """Two states; action a moves to state a; R(s, a) = 10·1{s = a}."""
    return rl.MDP([[[1, 0], [0, 1]]] * 2, exact([10, 0], [0, 10]), GAMMA)


span_contraction: Claim[Delta] = Claim(
    statement="sp(T u − T v) ≤ γ δ sp(u − v), δ = max over all pairs of ½‖P(s,a) − P(s',a')‖₁",
    source=PAPER.at("Theorem 6.6.6"),
    let=values().map(lambda x: Delta(x.M, x.u, x.v)),
    assume=[],
    then=Leq(lhs=lambda x: span(x.Tu - x.Tv), rhs=lambda x: x.M.gamma * x.delta * span(x.u - x.v)),
    tight=Tight(Delta(stay_or_go(), exact([1, 2]), exact([2, 1])), within=0),
    mutants=[
        Mutant("δ² for δ", rhs=lambda x: x.M.gamma * x.delta**2 * span(x.u - x.v)),
        Mutant(
            "mean over pairs for max",
            rhs=lambda x: x.M.gamma * sum(x.all_tv) / len(x.all_tv) * span(x.u - x.v),
        ),
        Mutant(
            "δ over pairs of one action only",
            rhs=lambda x: x.M.gamma * x.same_action_delta * span(x.u - x.v),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Model:
    """Let M be a small MDP."""

    M: rl.MDP

    @cached_property
    def optimum(self) -> rl.Solution:
        """v* by policy iteration."""
        return rl.solve(self.M)

    @cached_property
    def of_policies(self) -> list[StateVec]:
        """v^π of every deterministic stationary policy."""
        every = product(range(self.M.A), repeat=self.M.S)
        return [rl.evaluate(self.M, np.array(d)).V for d in every]

    @cached_property
    def best_policy(self) -> StateVec:
        """v^π of the policy with the largest Σ_s v^π(s): one policy, all states."""
        return max(self.of_policies, key=lambda v: v.sum())

    @cached_property
    def best_constant(self) -> StateVec:
        """Statewise best v^π over policies that use one action everywhere."""
        same = [rl.evaluate(self.M, np.full(self.M.S, a)).V for a in range(self.M.A)]
        return np.array(same).max(axis=0)


optimal_stationary: Claim[Model] = Claim(
    statement="v* = Tv* is v^π of one deterministic stationary π, and no other exceeds it in any state",
    source=PAPER.at("Theorem 6.2.7, Theorem 6.2.9"),
    let=ck.mdps(S=st.integers(1, 3), A=st.integers(1, 3)).map(Model),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([x.optimum.V, x.optimum.V, x.optimum.V]),
        rhs=lambda x: np.concatenate(
            [rl.bellman(x.M)(x.optimum.V), x.best_policy, np.array(x.of_policies).max(axis=0)]
        ),
    ),
    tight=Tight(Model(stay_or_go()), within=0),
    mutants=[
        Mutant(
            "some policy that uses one action everywhere attains v*",
            rhs=lambda x: np.tile(x.best_constant, 3),
        )
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Tree(Model):
    """Let the horizon be 3, with two states and two actions, starting in state 0."""

    H: int = 3

    @cached_property
    def dynamic_programming(self) -> Any:
        """V_0(0) by backward induction, undiscounted."""
        V = self.M.R[:, 0] * 0
        for _ in range(self.H):
            V = (self.M.R + self.M.P @ V).max(axis=1)
        return V[0]

    @cached_property
    def best_tree(self) -> Any:
        """max over all rules of the history (s_0..s_t): 2·2²·2⁴ trees, each summed over its paths."""
        M, start = self.M, 0
        nodes = [(start, *tail) for t in range(self.H) for tail in product(range(M.S), repeat=t)]
        best = None
        for choice in product(range(M.A), repeat=len(nodes)):
            act = dict(zip(nodes, choice, strict=True))
            total = M.R[0, 0] * 0
            for path in product(range(M.S), repeat=self.H - 1):
                states, prob = (start, *path), 1 + M.R[0, 0] * 0
                earned = M.R[0, 0] * 0
                for t in range(self.H):
                    a = act[states[: t + 1]]
                    earned = earned + M.R[states[t], a]
                    if t + 1 < self.H:
                        prob = prob * M.P[states[t], a, states[t + 1]]
                total = total + prob * earned
            best = total if best is None else max(best, total)
        return best

    @cached_property
    def best_stationary(self) -> Any:
        """max over stationary deterministic policies."""
        best = None
        for d in product(range(self.M.A), repeat=self.M.S):
            V = self.M.R[:, 0] * 0
            for _ in range(self.H):
                V = np.array([self.M.R[s, d[s]] + self.M.P[s, d[s]] @ V for s in range(self.M.S)])
            best = V[0] if best is None else max(best, V[0])
        return best


optimal_stationary_history: Claim[Tree] = Claim(
    statement="H = 3: no policy of the whole history beats backward induction (all 128 decision trees)",
    source=PAPER.at("Theorem 4.3.2"),
    let=ck.mdps(S=2, A=2).map(Tree),
    assume=[],
    then=Eq(lhs=lambda x: x.best_tree, rhs=lambda x: x.dynamic_programming),
    tight=Tight(Tree(stay_or_go()), within=0),
    mutants=[Mutant("a stationary policy does as well", rhs=lambda x: x.best_stationary)],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)

residual: Claim[Values] = Claim(
    statement="‖B v‖/(1+γ) ≤ ‖v − v*‖ ≤ ‖B v‖/(1−γ)",
    source=PAPER.at("Theorem 6.3.1 and Section 6.3"),
    let=values(),
    assume=[],
    then=Leq(
        lhs=lambda x: [sup_norm(x.Bv) / (1 + x.M.gamma), sup_norm(x.v - x.V_star)],
        rhs=lambda x: [sup_norm(x.v - x.V_star), sup_norm(x.Bv) / (1 - x.M.gamma)],
    ),
    tight=Tight(
        [Values(SWAP, exact([0, 0]), exact([1, 1])), Values(SWAP, exact([0, 0]), exact([1, -1]))], within=0
    ),
    mutants=[
        Mutant(
            "1/(1−γ²) for 1/(1−γ)",
            rhs=lambda x: [sup_norm(x.v - x.V_star), sup_norm(x.Bv) / (1 - x.M.gamma**2)],
        ),
        Mutant("‖Bv‖ ≤ ‖v − v*‖", lhs=lambda x: [sup_norm(x.Bv), sup_norm(x.v - x.V_star)]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Shaped(Policies):
    """Let Phi be a potential."""

    Phi: StateVec

    def shaped(self, factor: Any) -> rl.MDP:
        """Reward R + factor·PΦ − Φ."""
        M = self.M
        return M.replace(R=M.R + factor * (M.P @ self.Phi) - self.Phi[:, None])

    def gap(self, factor: Any) -> Any:
        """v^π and q^π of the shaped model, stacked."""
        M = self.shaped(factor)
        V = rl.evaluate(M, self.pi).V
        return np.concatenate([V, rl.q_values(M, V).ravel()])

    @cached_property
    def predicted(self) -> Any:
        """v^π − Φ and q^π − Φ, stacked."""
        return np.concatenate([self.V - self.Phi, (rl.q_values(self.M, self.V) - self.Phi[:, None]).ravel()])


@st.composite
def shaped(draw: st.DrawFn) -> Shaped:
    """Random models, policies and potentials."""
    x = draw(policies())
    return Shaped(x.M, x.pi, x.pi2, draw(ck.vectors(x.M.S)))


shaping: Claim[Shaped] = Claim(
    statement="R' = R + γPΦ − Φ ⇒ v'^π = v^π − Φ and q'^π = q^π − Φ for every π",
    source=PAPER.at("Ng, Harada, Russell 1999, Theorem 1"),
    let=shaped(),
    assume=[],
    then=Eq(lhs=lambda x: x.gap(x.M.gamma), rhs=lambda x: x.predicted),
    tight=Tight(Shaped(SWAP, rl.Policy([0, 0], 1), rl.Policy([0, 0], 1), exact([1, 2])), within=0),
    mutants=[Mutant("R' = R + PΦ − Φ", lhs=lambda x: x.gap(1))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def killed_value(x: Policies, survival: Any) -> StateVec:
    """Expected undiscounted total reward of π when the process survives a transition with `survival`.

    Summed by first-step analysis of the killed chain: one extra absorbing state, no discount anywhere.
    """
    P, r = rl.transition_matrix(x.M, x.pi), rl.reward_vector(x.M, x.pi)
    S = x.M.S
    Q = np.vstack([np.hstack([survival * P, np.full((S, 1), 1 - survival)]), [[0] * S + [1]]])
    chain = rl.SSP(Q[:, None, :], np.append(r, 0)[:, None], terminal=[S])
    return rl.solve(chain).V[:S]


killing: Claim[Policies] = Claim(
    statement="v^π is the undiscounted total reward when each transition survives with probability γ",
    source=PAPER.at("Section 5.3"),
    let=policies(),
    assume=[],
    then=Eq(lhs=lambda x: killed_value(x, x.M.gamma), rhs=lambda x: x.V),
    tight=Tight(Policies(stay_or_go(), rl.Policy([0, 1], 2), rl.Policy([0, 0], 2)), within=0),
    mutants=[Mutant("survival probability 1 − γ", lhs=lambda x: killed_value(x, 1 - x.M.gamma))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Truncated(Policies):
    """Let v^π_H be the first H rewards' part of v^π."""

    H: int

    @cached_property
    def tail(self) -> StateVec:
        """v^π − v^π_H."""
        B, v = rl.bellman(self.M, self.pi), 0 * self.V
        for _ in range(self.H):
            v = B(v)
        return self.V - v


@st.composite
def truncated(draw: st.DrawFn) -> Truncated:
    """Random models and horizons."""
    x = draw(policies())
    return Truncated(x.M, x.pi, x.pi2, draw(st.integers(0, 12)))


ONES = rl.MDP([[[0, 1]], [[1, 0]]], exact([1], [1]), GAMMA)

truncation: Claim[Truncated] = Claim(
    statement="R ∈ [0,1]: 0 ≤ v^π − v^π_H ≤ γ^H/(1−γ)",
    source=PAPER.at("folklore"),
    let=truncated(),
    assume=[
        Assumption(
            "0 ≤ R ≤ 1",
            lambda x: x.M.R.min() >= 0 and x.M.R.max() <= 1,
            fails_without=Truncated(
                ONES.replace(R=exact([2], [2])), rl.Policy([0, 0], 1), rl.Policy([0, 0], 1), 3
            ),
        )
    ],
    then=Leq(
        lhs=lambda x: np.concatenate([0 * x.V, x.tail]),
        rhs=lambda x: np.concatenate([x.tail, constant(x.M, x.M.gamma**x.H / (1 - x.M.gamma))]),
    ),
    tight=Tight(Truncated(ONES, rl.Policy([0, 0], 1), rl.Policy([0, 0], 1), 3), within=0),
    mutants=[
        Mutant(
            "γ^H without the horizon", rhs=lambda x: np.concatenate([x.tail, constant(x.M, x.M.gamma**x.H)])
        ),
        Mutant(
            "γ^(H+1)/(1−γ)",
            rhs=lambda x: np.concatenate([x.tail, constant(x.M, x.M.gamma ** (x.H + 1) / (1 - x.M.gamma))]),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
