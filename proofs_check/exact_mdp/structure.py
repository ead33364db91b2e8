"""Block K: a lower bound for span methods, constrained MDPs, Gittins indices."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import sup_norm
from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.solvers.constrained import ConstrainedLP, ConstrainedSolution
from rltheory.solvers.gittins import bandit_mdp, gittins_index, index_policy

from .lets import PAPER, exact


# ---- span methods on the chain ----------------------------------------------------------------
@dataclass(frozen=True)
class Chain:
    """Let state 1 of n pay 1 and end, state i ≥ 2 move to i − 1; let v live on states 1..k, v_0 = 0, k < n.

    After k steps every method with v_k ∈ span{Bv_0, …, Bv_{k−1}} is such a v, and ‖v_0 − v*‖ = 1.
    """

    gamma: Any
    v: Any

    @property
    def k(self) -> int:
        """Steps taken: the support of v."""
        return len(self.v)

    @cached_property
    def M(self) -> rl.MDP:
        """The chain with n = k + 1 states and the terminal state 0."""
        return chain(self.gamma, self.k + 1)

    def error(self, v: Any) -> Any:
        """‖B v‖ for v given on states 1..k."""
        full = np.concatenate([[0 * self.gamma], v, [0 * self.gamma]])
        return sup_norm(rl.bellman(self.M)(full) - full)

    @cached_property
    def bound(self) -> Any:
        """γ^k / Σ_{i≤k} γ^i."""
        return self.gamma**self.k / sum(self.gamma**i for i in range(self.k + 1))

    @cached_property
    def anchored(self) -> Any:
        """v_k of anchored value iteration from 0: v_k = (1−β_k) T v_{k−1}, β_k = 1/Σ_{i≤k} γ^{−2i}."""
        T, v = rl.bellman(self.M), 0 * self.M.R[:, 0]
        for k in range(1, self.k + 1):
            beta = 1 / sum(self.gamma ** (-2 * i) for i in range(k + 1))
            v = (1 - beta) * T(v)
        return v[1:-1]

    @cached_property
    def plain(self) -> Any:
        """v_k of value iteration from 0."""
        T, v = rl.bellman(self.M), 0 * self.M.R[:, 0]
        for _ in range(self.k):
            v = T(v)
        return v[1:-1]

    @cached_property
    def factor(self) -> Any:
        """(1+γ)(1+2γ−γ^{k+1})/(1+γ^{k+1}) < 6."""
        g = self.gamma ** (self.k + 1)
        return (1 + self.gamma) * (1 + 2 * self.gamma - g) / (1 + g)


def chain(gamma: Any, n: int) -> rl.MDP:
    """States 0 (terminal), 1, …, n."""
    P = np.zeros((n + 1, 1, n + 1), dtype=np.int64)
    for i in range(n + 1):
        P[i, 0, max(i - 1, 0)] = 1
    R = np.zeros((n + 1, 1), dtype=np.int64)
    R[1, 0] = 1
    if isinstance(gamma, Fraction):
        return rl.MDP(rl.exact_array(P), rl.exact_array(R), gamma, terminal=[0])
    return rl.MDP(P, R, gamma, terminal=[0])


def best(gamma: Fraction, k: int) -> Chain:
    """The v of equality: v(1) = 1 − e, v(i) = γ v(i−1) − e with e the bound."""
    e = gamma**k / sum(gamma**i for i in range(k + 1))
    v = [1 - e]
    for _ in range(k - 1):
        v.append(gamma * v[-1] - e)
    return Chain(gamma, rl.exact_array(np.array(v, dtype=object)))


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Random supports and values in [0, 1]."""
    k = draw(st.integers(1, 4))
    return Chain(draw(ck.discounts(positive=True)), draw(ck.vectors(k, min_value=0.0, max_value=1.0)))


vi_lower_bound: Claim[Chain] = Claim(
    statement="v_k ∈ span{Bv_0, …, Bv_{k−1}}, v_0 = 0, k < n ⇒ ‖Bv_k‖ ≥ γ^k/Σ_{i≤k} γ^i · ‖v_0 − v*‖",
    source=PAPER.at("Lee, Ryu 2023, Theorem 5"),
    let=chains(),
    assume=[],
    then=Leq(lhs=lambda x: x.bound, rhs=lambda x: x.error(x.v)),
    tight=Tight([best(Fraction(9, 10), k) for k in (1, 3, 6)], within=0),
    mutants=[
        Mutant("twice the bound", lhs=lambda x: 2 * x.bound),
        Mutant("‖Bv_k‖ ≥ γ^k", lhs=lambda x: x.gamma**x.k),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

GAMMAS = [Fraction(1, 2), Fraction(9, 10), Fraction(99, 100), Fraction(999, 1000)]
STEPS = [best(g, k) for g in GAMMAS for k in range(1, 13)]

vi_lower_bound_anchored: Claim[Chain] = Claim(
    statement="anchored value iteration is within (1+γ)(1+2γ−γ^{k+1})/(1+γ^{k+1}) < 6 of the lower bound",
    source=PAPER.at("Lee, Ryu 2023, Theorem 1 and Theorem 5"),
    let=Every("γ ∈ {½, 0.9, 0.99, 0.999}, k = 1..12", len(STEPS), STEPS),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.bound, x.error(x.anchored), x.factor],
        rhs=lambda x: [x.error(x.anchored), x.factor * x.bound, 6],
    ),
    tight=Tight(best(Fraction(999, 1000), 12), within=0.01),  # the factor itself approaches its bound 6
    mutants=[
        Mutant(
            "anchored value iteration attains the bound",
            then=Leq(lambda x: x.error(x.anchored), lambda x: x.bound),
        ),
        Mutant(
            "so is plain value iteration", then=Leq(lambda x: x.error(x.plain), lambda x: x.factor * x.bound)
        ),
    ],
    expect=PROVED,
)


# ---- constrained MDPs -------------------------------------------------------------------------
@dataclass(frozen=True)
class Constrained:
    """Let costs (K, S, A) have budgets that the policy pi meets exactly."""

    M: rl.MDP
    costs: Any
    pi: rl.Policy

    @cached_property
    def K(self) -> int:
        """Number of constraints."""
        return len(self.costs)

    def totals(self, pi: Any) -> Any:
        """⟨x^π, c_k⟩, unnormalised occupancies from the start law."""
        x = rl.state_action_occupancy(self.M, pi, normalised=False)
        return np.array([(x * c).sum() for c in self.costs])

    @cached_property
    def budgets(self) -> Any:
        """What pi spends."""
        return self.totals(self.pi)

    @cached_property
    def solution(self) -> ConstrainedSolution:
        """A basic optimal solution."""
        return ConstrainedLP(self.costs, self.budgets, self.M.mu).run(self.M)

    @cached_property
    def deterministic(self) -> Any:
        """Best total reward of a deterministic policy within the budgets; −1 if there is none."""
        found = [0 * self.budgets[0] - 1]
        for d in product(range(self.M.A), repeat=self.M.S):
            if (self.totals(np.array(d)) <= self.budgets).all():
                x = rl.state_action_occupancy(self.M, np.array(d), normalised=False)
                found.append((x * self.M.R).sum())
        return max(found)

    @cached_property
    def own(self) -> Any:
        """Total reward of pi."""
        return (self.M.mu * rl.evaluate(self.M, self.pi).V).sum()

    @cached_property
    def priced(self) -> Any:
        """T for the reward R − Σ λ_k c_k, at the dual variables V."""
        lam = self.solution.multipliers
        R = self.M.R - sum(lam[k] * self.costs[k] for k in range(self.K))
        return rl.bellman(self.M.exact().replace(R=R))(self.solution.V)


@st.composite
def constrained_problems(draw: st.DrawFn) -> Constrained:
    """Random feasible instances, one or two constraints, in rationals: rounded budgets may be infeasible."""
    M = draw(ck.mdps(S=st.integers(1, 3), A=st.integers(2, 3)))
    K = draw(st.integers(1, 2))
    c = draw(ck.vectors(2 * 3 * 3, min_value=0.0, max_value=1.0))[: K * M.S * M.A].reshape(K, M.S, M.A)
    return Constrained(M.exact(), rl.exact_array(c), draw(ck.policies(M.S, M.A)).exact())


def half_budget() -> Constrained:
    """One state, r = c = (1, 0), budget half of what always spending costs."""
    M = rl.MDP([[[1], [1]]], exact([1, 0])[None, :], Fraction(9, 10))
    return Constrained(M, exact([1, 0])[None, None, :], rl.Policy(exact([1, 1])[None, :] / 2))


constrained: Claim[Constrained] = Claim(
    statement="with K constraints a basic optimal policy has Σ_s (actions used at s − 1) ≤ K",
    source=PAPER.at("Altman 1999, Theorem 3.8"),
    let=constrained_problems(),
    assume=[],
    then=Leq(lhs=lambda x: x.solution.randomisation, rhs=lambda x: x.K),
    tight=Tight(half_budget(), within=0),
    mutants=[
        Mutant("Σ ≤ K − 1", rhs=lambda x: x.K - 1),
        Mutant(
            "some deterministic stationary policy is optimal",
            then=Leq(lambda x: x.solution.value, lambda x: x.deterministic),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

constrained_duality: Claim[Constrained] = Claim(
    statement="value = ρ·V + λ·b, V optimal for R − Σ λ_k c_k, λ ≥ 0, and no feasible policy is better",
    source=PAPER.at("Altman 1999, Theorem 3.6"),
    let=constrained_problems(),
    assume=[],
    then=Leq(
        lhs=lambda x: [
            x.solution.value,
            (x.M.mu * x.solution.V).sum() + (x.solution.multipliers * x.budgets).sum(),
            *(x.priced - x.solution.V),
            *(x.solution.V - x.priced),
            *(-x.solution.multipliers),
            x.own,
            *x.totals(x.solution.pi),
        ],
        rhs=lambda x: [
            (x.M.mu * x.solution.V).sum() + (x.solution.multipliers * x.budgets).sum(),
            x.solution.value,
            *(0 * x.priced),
            *(0 * x.priced),
            *(0 * x.solution.multipliers),
            x.solution.value,
            *x.budgets,
        ],
    ),
    tight=Tight(half_budget(), within=0),
    mutants=[
        Mutant(
            "the constraints cost nothing",
            then=Leq(lambda x: (x.M.mu * rl.solve(x.M).V).sum(), lambda x: x.solution.value),
        )
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- Gittins ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Bandit:
    """Let two Markov reward chains be played one at a time."""

    P1: Any
    r1: Any
    P2: Any
    r2: Any
    gamma: Any

    @property
    def arms(self) -> Any:
        """(P, r) of each arm."""
        return [(self.P1, self.r1), (self.P2, self.r2)]

    @cached_property
    def M(self) -> rl.MDP:
        """The joint model: action i plays arm i, the other is frozen."""
        return bandit_mdp(self.arms, self.gamma)

    def indices(self, gamma: Any) -> Any:
        """Gittins indices of both arms at a discount."""
        return [gittins_index(P, r, gamma).index for P, r in self.arms]

    def play(self, indices: Any, M: rl.MDP | None = None) -> Any:
        """Value of playing the arm of largest index, from every joint state."""
        return rl.evaluate(M or self.M, index_policy(self.arms, indices)).V

    @cached_property
    def optimum(self) -> Any:
        """v* of the joint model."""
        return rl.solve(self.M).V

    @cached_property
    def restless(self) -> rl.MDP:
        """The joint model when frozen arms move too."""
        n1, n2 = len(self.r1), len(self.r2)
        both = np.array(
            [
                [self.P1[i, k] * self.P2[j, l] for k in range(n1) for l in range(n2)]
                for i in range(n1)
                for j in range(n2)
            ]
        )
        R = np.array([[self.r1[i], self.r2[j]] for i in range(n1) for j in range(n2)])
        return rl.MDP(np.stack([both, both], axis=1), R, self.gamma)


@st.composite
def bandits(draw: st.DrawFn) -> Bandit:
    """Two arms of two or three states, γ near ½ or 0.9."""
    arms = []
    for _ in range(2):
        n = draw(st.integers(2, 3))
        arms += [
            np.array([draw(ck.laws(n)) for _ in range(n)]),
            draw(ck.vectors(n, min_value=0.0, max_value=1.0)),
        ]
    P1, r1, P2, r2 = arms
    return Bandit(P1, r1, P2, r2, draw(st.sampled_from([1 / 2, 115 / 128])))


_A = exact([[0, 1], [0, 1]])

gittins: Claim[Bandit] = Claim(
    statement="playing the arm of largest index ν is optimal from every joint state",
    source=PAPER.at("Gittins 1979; restart form: Katehakis, Veinott 1987"),
    let=bandits(),
    assume=[],
    then=Eq(lhs=lambda x: x.play(x.indices(x.gamma)), rhs=lambda x: x.optimum),
    tight=Tight(Bandit(_A, exact([0, 1]), _A, exact([Fraction(1, 2), 0]), Fraction(9, 10)), within=0),
    mutants=[
        Mutant("the myopic index r(s)", lhs=lambda x: x.play([x.r1, x.r2])),
        Mutant("ν computed with γ/2", lhs=lambda x: x.play(x.indices(x.gamma / 2))),
        Mutant(
            "frozen arms may move too",
            then=Eq(lambda x: x.play(x.indices(x.gamma), x.restless), lambda x: rl.solve(x.restless).V),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
