"""Block C: Howard's policy iteration.

Definitions: π_{k+1} is greedy for v_k = v^{π_k} and keeps π_k's action where it ties; a_k = v* − T_{π_k} v*
is what one step of π_k loses; N counts allowed pairs, n states.  Dantzig's and single-state rules, modified
policy iteration and the geometry of values are in `policy_iteration_variants`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, sup_norm
from rltheory.checks import CERTIFIED, PROVED, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels import ball
from rltheory.kernels.exact import solve_linear
from rltheory.results import Step

from .lets import PAPER, exact
from .value_iteration import tolerance

GAMMA = Fraction(9, 10)


@dataclass(frozen=True)
class Howard:
    """Let policy iteration run on M from the deterministic policy pi0."""

    M: rl.MDP
    pi0: rl.Policy

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """(π_k, v_k), k = 0, …, the optimal policy last."""
        return rl.PolicyIteration(pi0=self.pi0).run(self.M).trace

    @cached_property
    def v(self) -> list[Any]:
        """v_0, v_1, …, v*."""
        return [step.V for step in self.steps]

    @property
    def v_next(self) -> list[Any]:
        """v_1, …, v*, v*."""
        return [*self.v[1:], self.v[-1]]

    @cached_property
    def Tv(self) -> list[Any]:
        """T v_k."""
        T = rl.bellman(self.M)
        return [T(v) for v in self.v]

    @property
    def changes(self) -> int:
        """Policy changes: evaluations less one."""
        return len(self.steps) - 1

    @cached_property
    def V_star(self) -> StateVec:
        """v*."""
        return rl.solve(self.M).V

    @cached_property
    def errors(self) -> list[Any]:
        """‖v* − v_k‖."""
        return [sup_norm(self.V_star - v) for v in self.v]

    @cached_property
    def a(self) -> list[Any]:
        """a_k = v* − T_{π_k} v*."""
        return [self.V_star - rl.bellman(self.M, step.pi)(self.V_star) for step in self.steps]

    @cached_property
    def losses(self) -> list[Any]:
        """‖a_k‖."""
        return [sup_norm(a) for a in self.a]

    def contracted(self, horizon: Any) -> tuple[list[Any], list[Any]]:
        """‖a_k‖ and γ^(k−j)·horizon·‖a_j‖ over all j < k; (0, 0) for an optimal start."""
        g, n = self.M.gamma, len(self.losses)
        pairs = [(j, k) for k in range(n) for j in range(k)]
        lhs = [self.losses[k] for _, k in pairs]
        return [0 * g, *lhs], [0 * g, *(g ** (k - j) * horizon * self.losses[j] for j, k in pairs)]

    @property
    def horizon(self) -> Any:
        """1/(1−γ)."""
        return 1 / (1 - self.M.gamma)

    @cached_property
    def K(self) -> int:
        """max(1, ⌈log(1/(1−γ))/(1−γ)⌉)."""
        with ball.precision(256):
            left = ball.to_arb(1 - self.M.gamma)
            return max(1, int((-left.log() / left).ceil().unique_fmpz()))

    def lifetime(self, *, worst_only: bool = True) -> int:
        """Largest number of rounds from some π_j to the last use of its action in a state where it loses.

        Only states where a_j is largest count if `worst_only`.  0 for an optimal start.
        """
        longest = 0
        for j, a in enumerate(self.a[:-1]):
            least = a.max() if worst_only else 2 * tolerance(self.M, self.V_star)
            lossy = (a >= least - tolerance(self.M, self.V_star)) & (a > tolerance(self.M, self.V_star))
            for s in np.flatnonzero(lossy):
                uses = [k for k, step in enumerate(self.steps) if step.pi[s] == self.steps[j].pi[s]]
                longest = max(longest, 1 + uses[-1] - j)
        return longest


@st.composite
def howard(draw: st.DrawFn, /, **model: Any) -> Howard:
    """Random models and starting policies."""
    M = draw(ck.mdps(S=st.integers(1, 5), A=st.integers(2, 3), **model))
    return Howard(M, draw(ck.policies(M.S, M.A, deterministic=True)))


def zeros(M: rl.MDP) -> Howard:
    """Policy iteration from the policy that uses action 0 everywhere."""
    return Howard(M, rl.Policy([0] * M.S, M.A))


# one decision: end with nothing (0) or with a reward of 1 (1)
DECIDE = rl.MDP([[[0, 1]] * 2] * 2, exact([0, 1], [0, 0]), GAMMA, terminal=[1])

pi_monotone: Claim[Howard] = Claim(
    statement="v^{π_k} ≤ T v^{π_k} ≤ v^{π_{k+1}}",
    source=PAPER.at("Proposition 6.4.1"),
    let=howard(),
    assume=[],
    then=Leq(lhs=lambda x: np.concatenate([*x.v, *x.Tv]), rhs=lambda x: np.concatenate([*x.Tv, *x.v_next])),
    tight=Tight(zeros(DECIDE), within=0),
    mutants=[
        Mutant(
            "v^{π_{k+1}} ≤ T v^{π_k}",
            then=Leq(lambda x: np.concatenate(x.v_next), lambda x: np.concatenate(x.Tv)),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def improved_states(x: Howard) -> list[int]:
    """Number of states in which v_{k+1} exceeds v_k, for each change."""
    return [int((w - v > tolerance(x.M, w)).sum()) for v, w in zip(x.v[:-1], x.v[1:], strict=True)]


def policies_of(M: rl.MDP) -> int:
    """Number of deterministic policies."""
    return int(np.prod(np.diff(M.state_ptr)))


pi_monotone_strict: Claim[Howard] = Claim(
    statement="each change of policy improves some state, so at most Π_s |A(s)| policies are evaluated",
    source=PAPER.at("Theorem 6.4.2"),
    let=howard(),
    assume=[],
    then=Leq(
        lhs=lambda x: [*[1] * x.changes, x.changes + 1],
        rhs=lambda x: [*improved_states(x), policies_of(x.M)],
    ),
    tight=Tight(zeros(DECIDE), within=0),
    mutants=[
        Mutant("every state improves", lhs=lambda x: [*[x.M.S] * x.changes, x.changes + 1]),
        Mutant("at most one evaluation a state", rhs=lambda x: [*improved_states(x), x.M.S]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

pi_contraction: Claim[Howard] = Claim(
    statement="‖v* − v^{π_{k+1}}‖ ≤ γ‖v* − v^{π_k}‖",
    source=PAPER.at("Section 6.4; relay instance derived"),
    let=howard(),
    assume=[],
    then=Leq(
        lhs=lambda x: [0 * x.M.gamma, *x.errors[1:]],
        rhs=lambda x: [0 * x.M.gamma, *(x.M.gamma * e for e in x.errors[:-1])],
    ),
    tight=Tight([zeros(rl.gallery.relay(n, GAMMA)) for n in (2, 5)], within=0),
    mutants=[Mutant("γ² for γ", rhs=lambda x: [0 * x.M.gamma, *(x.M.gamma**2 * e for e in x.errors[:-1])])],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Relay:
    """Let state 0 pay 0 or 1 for ever, and state i ≥ 1 stay or move to i − 1, of n states."""

    n: int
    gamma: Fraction

    @cached_property
    def run(self) -> Howard:
        """Policy iteration from all zeros."""
        return zeros(rl.gallery.relay(self.n, self.gamma))

    def predicted(self, power: int) -> list[Any]:
        """γ^(power·k)/(1−γ) for k < n, then 0."""
        return [*(self.gamma ** (power * k) / (1 - self.gamma) for k in range(self.n)), Fraction(0)]


pi_contraction_relay: Claim[Relay] = Claim(
    statement="on the relay ‖v* − v^{π_k}‖ = γ^k/(1−γ) for every k < n: the contraction is attained",
    source=PAPER.at("Section 6.4; derived"),
    let=Every(
        "γ ∈ {1/2, 9/10}, 1 ≤ n ≤ 8", 16, [Relay(n, g) for g in (Fraction(1, 2), GAMMA) for n in range(1, 9)]
    ),
    assume=[],
    then=Eq(lhs=lambda x: [*x.run.errors, x.run.changes], rhs=lambda x: [*x.predicted(1), x.n]),
    tight=Tight(Relay(8, GAMMA), within=0),
    mutants=[Mutant("γ^2k/(1−γ)", rhs=lambda x: [*x.predicted(2), x.n])],
    expect=PROVED,
)


def value_iterates(x: Howard, stride: int = 1) -> list[Any]:
    """T^(stride·k) v_0 for k = 0, …, changes."""
    T, w, out = rl.bellman(x.M), x.v[0], [x.v[0]]
    for _ in range(x.changes):
        for _ in range(stride):
            w = T(w)
        out.append(w)
    return out


pi_contraction_vi: Claim[Howard] = Claim(
    statement="v^{π_k} ≥ T^k v^{π_0}",
    source=PAPER.at("Section 6.4"),
    let=howard(),
    assume=[],
    then=Leq(
        lhs=lambda x: np.concatenate([0 * x.v[0], *value_iterates(x)[1:]]),
        rhs=lambda x: np.concatenate([0 * x.v[0], *x.v[1:]]),
    ),
    tight=Tight(zeros(DECIDE), within=0),
    mutants=[
        Mutant(
            "v^{π_k} ≥ T^2k v^{π_0}", lhs=lambda x: np.concatenate([0 * x.v[0], *value_iterates(x, 2)[1:]])
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def newton(x: Howard, *, new: bool = True) -> Any:
    """v_k + (I − γP)⁻¹(T v_k − v_k) for every change, P of π_{k+1} (of π_k if not `new`)."""
    states, eye = np.arange(x.M.S), np.eye(x.M.S, dtype=np.int64)
    out = [x.v[0]]
    for k in range(x.changes):
        P = x.M.P[states, x.steps[k + new].pi.actions]
        solve: Any = solve_linear if x.M.is_exact else np.linalg.solve
        out.append(x.v[k] + solve(eye - x.M.gamma * P, x.Tv[k] - x.v[k]))
    return np.concatenate(out)


pi_newton: Claim[Howard] = Claim(
    statement="v^{π_{k+1}} = v^{π_k} + (I − γP_{π_{k+1}})⁻¹ B v^{π_k}",
    source=PAPER.at("Section 6.4; Puterman and Brumelle 1979"),
    let=howard(),
    assume=[],
    then=Eq(lhs=lambda x: np.concatenate(x.v), rhs=newton),
    tight=Tight(zeros(rl.gallery.relay(3, GAMMA)), within=0),
    mutants=[Mutant("P of π_k in the inverse", rhs=lambda x: newton(x, new=False))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

QUIT = rl.gallery.quit_or_go(GAMMA, Fraction(1, 1000))
THREE = rl.gallery.howard_three_changes()

pi_elimination: Claim[Howard] = Claim(
    statement="a_k = v* − T_{π_k} v* satisfies 0 ≤ a_k and ‖a_k‖ ≤ ‖v* − v^{π_k}‖",
    source=PAPER.at("Scherrer 2013; derived: a_π = (I − γP_π)(v* − v^π)"),
    let=howard(),
    assume=[],
    then=Leq(
        lhs=lambda x: np.concatenate([*(0 * a for a in x.a), x.losses]),
        rhs=lambda x: np.concatenate([*x.a, x.errors]),
    ),
    tight=Tight(Howard(QUIT, rl.Policy([1, 1, 0], 2)), within=0),  # quitting loses at once all it loses
    mutants=[
        Mutant(
            "‖a_k‖ ≤ γ‖v* − v^{π_k}‖", rhs=lambda x: np.concatenate([*x.a, [x.M.gamma * e for e in x.errors]])
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

pi_elimination_rate: Claim[Howard] = Claim(
    statement="‖a_k‖ ≤ γ^(k−j)/(1−γ)·‖a_j‖ for j ≤ k",
    source=PAPER.at("Scherrer 2013; approached instance derived"),
    let=howard(),
    assume=[],
    then=Leq(lhs=lambda x: x.contracted(x.horizon)[0], rhs=lambda x: x.contracted(x.horizon)[1]),
    tight=Tight(zeros(QUIT), within=0.001),
    mutants=[
        Mutant("without 1/(1−γ)", rhs=lambda x: x.contracted(1)[1]),
        Mutant(
            "1/(1−γ²) for 1/(1−γ)",
            rhs=lambda x: x.contracted(1 / (1 - x.M.gamma**2))[1],
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

pi_elimination_action: Claim[Howard] = Claim(
    statement="the action that π_j uses where a_j is largest is in no π_k, k ≥ j + K, "
    "K = max(1, ⌈log(1/(1−γ))/(1−γ)⌉)",
    source=PAPER.at("Scherrer 2013; derived"),
    let=howard(),
    assume=[],
    then=Leq(lhs=lambda x: x.lifetime(), rhs=lambda x: x.K if x.changes else 0),
    tight=Tight(zeros(THREE), within=0),
    mutants=[
        Mutant("the same in every state where π_j errs", lhs=lambda x: x.lifetime(worst_only=False)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

pi_elimination_count: Claim[Howard] = Claim(
    statement="Howard's method changes its policy at most (N − n)·K times",
    source=PAPER.at("Scherrer 2013; equality instance derived"),
    let=howard(),
    assume=[],
    then=Leq(lhs=lambda x: x.changes, rhs=lambda x: (x.M.N - x.M.S) * x.K),
    tight=Tight(zeros(THREE), within=0),  # (0,0), (1,1), (1,2), (0,2): three changes, N − n = 3, K = 1
    mutants=[
        Mutant("n·K, whatever the number of actions", rhs=lambda x: x.M.S * x.K, named_only=True),
        Mutant("K, whatever the number of states", rhs=lambda x: x.K),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
