"""Block C, continued: Dantzig's rule, single-state rules, modified policy iteration, segments of values.

Definitions: Dantzig's rule switches the one pair of largest advantage; the highest-index rule switches the
highest improvable state; modified policy iteration replaces v by T_π^m v, π greedy for v;
G(π) = Σ_s (v* − v^π)(s); N counts allowed pairs, n states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, get_args

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, sup_norm
from rltheory.checks import CERTIFIED, PROVED, Assumption, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels import ball
from rltheory.kernels.exact import solve_linear
from rltheory.solvers.policy_iteration import Rule

from .lets import PAPER, exact, swap_chain
from .value_iteration_variants import moved_below

GAMMA = Fraction(9, 10)


@dataclass(frozen=True)
class Dantzig:
    """Let Dantzig's rule run on M from the deterministic policy pi0."""

    M: rl.MDP
    pi0: rl.Policy

    @cached_property
    def deficits(self) -> list[Any]:
        """G(π_k), the final 0 included."""
        trace = rl.PolicyIteration(rule="dantzig", pi0=self.pi0).run(self.M).trace
        V_star = rl.solve(self.M).V
        return [(V_star - step.V).sum() for step in trace]

    @property
    def pivots(self) -> int:
        """Policy changes."""
        return len(self.deficits) - 1

    def shrunk(self, factor: Any) -> list[Any]:
        """factor·G(π_k) for each pivot, after a 0."""
        return [0 * self.M.gamma, *(factor * G for G in self.deficits[:-1])]

    @cached_property
    def life(self) -> int:
        """max(1, ⌈(n/(1−γ))·log(n/(1−γ))⌉): pivots after which some action is gone for good."""
        with ball.precision(256):
            h = self.M.S / ball.to_arb(1 - self.M.gamma)
            return max(1, int((h * h.log()).ceil().unique_fmpz()))


@st.composite
def dantzig(draw: st.DrawFn, /, **model: Any) -> Dantzig:
    """Random models and starting policies."""
    M = draw(ck.mdps(S=st.integers(1, 5), A=st.integers(2, 3), **model))
    return Dantzig(M, draw(ck.policies(M.S, M.A, deterministic=True)))


def ring(n: int, gamma: Any = GAMMA) -> Dantzig:
    """The ring from all zeros."""
    return Dantzig(rl.gallery.ring(n, gamma), rl.Policy([0] * n, 2))


dantzig_contraction: Claim[Dantzig] = Claim(
    statement="a pivot of Dantzig's rule takes G(π) = Σ_s (v* − v^π)(s) to at most (1 − (1−γ)/n)·G(π)",
    source=PAPER.at("after Ye 2011; derived"),
    let=dantzig(),
    assume=[],
    then=Leq(
        lhs=lambda x: [0 * x.M.gamma, *x.deficits[1:]],
        rhs=lambda x: x.shrunk(1 - (1 - x.M.gamma) / x.M.S),
    ),
    tight=Tight([ring(2), ring(5), ring(4, Fraction(1, 2))], within=0),
    mutants=[Mutant("the factor γ", rhs=lambda x: x.shrunk(x.M.gamma))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

ONCE = Dantzig(rl.MDP([[[1], [1]]], exact([[0, 1]]), Fraction(0)), rl.Policy([0], 2))

dantzig_contraction_pivots: Claim[Dantzig] = Claim(
    statement="Dantzig's rule makes at most (N − n)·max(1, ⌈(n/(1−γ))·log(n/(1−γ))⌉) pivots",
    source=PAPER.at("after Ye 2011 (n²(m−1)/(1−γ)·log(n²/(1−γ))); sharpening derived"),
    let=dantzig(),
    assume=[],
    then=Leq(lhs=lambda x: x.pivots, rhs=lambda x: (x.M.N - x.M.S) * x.life),
    tight=Tight(ONCE, within=0),  # one state, γ = 0: one pivot
    mutants=[
        Mutant("1/(1−γ), whatever the size", rhs=lambda x: 1 / (1 - x.M.gamma)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Exponential:
    """Let states n, …, 1 and a sink 0 be such that the highest-index rule visits every policy."""

    n: int

    @cached_property
    def M(self) -> rl.MDP:
        """The model at γ = 1 − 2^−n."""
        return rl.gallery.simple_pi_exponential(self.n)

    def run(self, rule: Rule, start: int = 0) -> rl.Solution:
        """Policy iteration by the library, from the policy that uses action `start` everywhere."""
        return rl.PolicyIteration(rule=rule, pi0=[0] + [start] * self.n).run(self.M)

    @cached_property
    def from_zeros(self) -> dict[Rule, rl.Solution]:
        """Every rule from all zeros."""
        return {rule: self.run(rule) for rule in get_args(Rule)}

    @property
    def evaluations(self) -> dict[Rule, int]:
        """Policies evaluated from all zeros, by rule."""
        return {rule: run.evaluations for rule, run in self.from_zeros.items()}

    @property
    def visited(self) -> int:
        """Number of distinct policies evaluated by the highest-index rule from all zeros."""
        return len({tuple(step.pi.actions) for step in self.from_zeros["simple-highest"].trace})

    def by_hand(self, gamma: Any, start: int = 0) -> int:
        """Evaluations of the highest-index rule, from the definition; also for γ = 1.

        Every move is to a lower state, so v is known state by state.
        """
        n, pi, count = self.n, [start] * (self.n + 1), 0
        while True:
            count += 1
            v, other = [Fraction(0)], [Fraction(0)]
            for i in range(1, n + 1):
                leap = sum((v[max(i - 1 - j, 0)] / 2**j for j in range(1, i + 1)), Fraction(0))
                q = (gamma * v[i - 1], Fraction(1, 2**i) + gamma * leap)
                v.append(q[pi[i]])
                other.append(q[1 - pi[i]])
            better = [i for i in range(1, n + 1) if other[i] > v[i]]
            if not better:
                return count
            pi[better[-1]] = 1 - pi[better[-1]]


FAMILY = [Exponential(n) for n in range(1, 11)]

simple_pi_exponential: Claim[Exponential] = Claim(
    statement="the highest-index rule from all zeros evaluates each of 2^n policies once (γ = 1 − 2^−n or 1)",
    source=PAPER.at("Melekopoglou and Condon 1994 (idea); explicit one-step form derived"),
    let=Every("1 ≤ n ≤ 10", 10, FAMILY),
    assume=[],
    then=Eq(
        lhs=lambda x: [
            x.evaluations["simple-highest"],
            x.visited,
            x.by_hand(x.M.gamma),
            x.by_hand(Fraction(1)),
        ],
        rhs=lambda x: [2**x.n] * 4,
    ),
    tight=Tight(FAMILY[3], within=0),
    mutants=[
        Mutant(
            "single-state rules need at most n·m evaluations",
            then=Leq(lambda x: x.evaluations["simple-highest"], lambda x: 2 * x.n),
        ),
    ],
    expect=PROVED,
)

simple_pi_exponential_from_ones: Claim[Exponential] = Claim(
    statement="from all ones the highest-index rule needs ⌈(2^n + 1)/3⌉ evaluations (1, 2, 3, 6, 11, 22, …)",
    source=PAPER.at("derived"),
    let=Every("1 ≤ n ≤ 10", 10, FAMILY),
    assume=[],
    then=Eq(
        lhs=lambda x: [
            x.run("simple-highest", 1).evaluations,
            x.by_hand(x.M.gamma, 1),
            x.by_hand(Fraction(1), 1),
        ],
        rhs=lambda x: [-(-(2**x.n + 1) // 3)] * 3,
    ),
    tight=Tight(FAMILY[3], within=0),
    mutants=[Mutant("as many as from all zeros", rhs=lambda x: [2**x.n] * 3)],
    expect=PROVED,
)


@dataclass(frozen=True)
class Modified:
    """Let modified policy iteration from v make `sweeps[i]` backups of its i-th policy."""

    M: rl.MDP
    v: StateVec
    sweeps: tuple[int, ...]

    @cached_property
    def V_star(self) -> StateVec:
        """v*."""
        return rl.solve(self.M).V

    @cached_property
    def v_mpi(self) -> Any:
        """v_k, k = number of policies."""
        w = self.v
        for m in self.sweeps:
            T_pi = rl.bellman(self.M, rl.greedy(self.M, w))
            for _ in range(m):
                w = T_pi(w)
        return w

    @cached_property
    def v_vi(self) -> Any:
        """T^k v."""
        T, w = rl.bellman(self.M), self.v
        for _ in self.sweeps:
            w = T(w)
        return w


@st.composite
def modified(draw: st.DrawFn, /, *, below: bool = False) -> Modified:
    """Random models, starts (v ≤ Tv if asked) and numbers of sweeps."""
    M = draw(ck.mdps(S=st.integers(1, 5), A=st.integers(1, 3)))
    v = draw(ck.vectors(M.S))
    sweeps = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    return Modified(M, moved_below(M, v) if below else v, sweeps)


mpi_sandwich: Claim[Modified] = Claim(
    statement="v ≤ Tv ⇒ T^k v ≤ v_k ≤ v* for modified policy iteration",
    source=PAPER.at("Section 6.5"),
    let=st.one_of(modified(), modified(below=True)),
    assume=[
        Assumption(
            "v ≤ Tv",
            lambda x: bool((x.v <= rl.bellman(x.M)(x.v)).all()),
            fails_without=Modified(swap_chain(GAMMA), exact([1, 1]), (2,)),
        )
    ],
    then=Leq(
        lhs=lambda x: np.concatenate([x.v_vi, x.v_mpi]), rhs=lambda x: np.concatenate([x.v_mpi, x.V_star])
    ),
    tight=Tight(Modified(rl.gallery.span_tight(GAMMA), exact([100, 100]), (2, 3)), within=0),
    mutants=[Mutant("for every v", drop="v ≤ Tv")],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Expanding:
    """Let one step of m sweeps start from v* + (ε, −ε) where staying, which is wrong, ties; ε = 1."""

    m: int
    gamma: Fraction = GAMMA

    @cached_property
    def error(self) -> Any:
        """‖v_1 − v*‖; v* = 0."""
        M = rl.gallery.singh_yee(self.gamma)
        step = Modified(M, rl.gallery.singh_yee_values(self.gamma), (self.m,))
        return sup_norm(step.v_mpi - step.V_star)

    def predicted(self, losses: int) -> Any:
        """losses·γ(1 − γ^m)/(1−γ) − γ^m: the m rewards −2γ collected, less what is left of v(0) = 1."""
        g, m = self.gamma, self.m
        return losses * g * (1 - g**m) / (1 - g) - g**m


# m = 1, 2, 4, 10: 9/10, 2.61, 5.5341, 11.3751096381
mpi_not_contraction: Claim[Expanding] = Claim(
    statement="γ = 9/10: one step of modified policy iteration takes an error of 1 to 2γ(1−γ^m)/(1−γ) − γ^m",
    source=PAPER.at("Section 6.5; derived on the instance of Singh and Yee 1994"),
    let=Every("1 ≤ m ≤ 20", 20, [Expanding(m) for m in range(1, 21)]),
    assume=[],
    then=Eq(lhs=lambda x: x.error, rhs=lambda x: x.predicted(2)),
    tight=Tight(Expanding(10), within=0),
    mutants=[
        Mutant("a step never increases ‖v − v*‖", then=Leq(lambda x: x.error, lambda x: 1)),
        Mutant("at most T's own γ", then=Leq(lambda x: x.error, lambda x: x.gamma)),
    ],
    expect=PROVED,
)


@dataclass(frozen=True)
class Segment:
    """Let pi and pi2 be policies; mixtures move pi towards pi2 in the listed states, t ≤ u the weights."""

    M: rl.MDP
    pi: rl.Policy
    pi2: rl.Policy
    at: tuple[int, ...]
    t: Any
    u: Any

    def mixture(self, t: Any) -> rl.Policy:
        """(1−t)·π + t·π2 in the states `at`, π elsewhere."""
        rows = self.pi.matrix(self.M.A).copy()
        for s in self.at:
            rows[s] = (1 - t) * rows[s] + t * self.pi2.matrix(self.M.A)[s]
        return rl.Policy(rows)

    def value(self, t: Any) -> Any:
        """v of the mixture."""
        return rl.evaluate(self.M, self.mixture(t)).V

    @cached_property
    def ends(self) -> tuple[Any, Any]:
        """v at t = 0 and at t = 1."""
        return self.value(0 * self.t), self.value(1 + 0 * self.t)

    @cached_property
    def position(self) -> Any:
        """t(1−γκ)/(1−γtκ), κ = w·x, w = (π2_s − π_s)P_s, x = (I − γP_π)⁻¹e_s, at the first state listed."""
        M, s = self.M, self.at[0]
        w = (self.mixture(1 + 0 * self.t).matrix(M.A)[s] - self.pi.matrix(M.A)[s]) @ M.P[s]
        eye = np.eye(M.S, dtype=np.int64)
        solve: Any = solve_linear if M.is_exact else np.linalg.solve
        x = solve(eye - M.gamma * rl.transition_matrix(M, self.pi), eye[s])
        kappa = w @ x
        return self.t * (1 - M.gamma * kappa) / (1 - M.gamma * self.t * kappa)

    def between(self, position: Any) -> Any:
        """v_0 + position·(v_1 − v_0)."""
        first, last = self.ends
        return first + position * (last - first)

    @cached_property
    def ordered(self) -> tuple[Any, Any]:
        """v at t and at u, in the order of v_0(s) and v_1(s) at the first state listed."""
        s, pair = self.at[0], (self.value(self.t), self.value(self.u))
        return pair if self.ends[0][s] <= self.ends[1][s] else pair[::-1]


@st.composite
def segments(draw: st.DrawFn, /, states: int = 1) -> Segment:
    """Random models, policies, weights, and states to change."""
    M = draw(ck.mdps(S=st.integers(states, 4), A=st.integers(2, 3)))
    pi, pi2 = (rl.Policy(draw(ck.policies(M.S, M.A)).matrix(M.A)) for _ in range(2))
    at = tuple(draw(st.permutations(range(M.S))))[:states]
    t, u = sorted([draw(ck.dyadics(0, 1)), draw(ck.dyadics(0, 1))])
    return Segment(M, pi, pi2, at, t, u)


HALVES = Segment(
    rl.gallery.span_tight(GAMMA),
    rl.Policy(exact([1, 0], [0, 1])),
    rl.Policy(exact([0, 1], [1, 0])),
    (0,),
    Fraction(1, 2),
    Fraction(1, 2),
)

line_theorem: Claim[Segment] = Claim(
    statement="policies that differ at s only: v_t = v_0 + c_t (v_1 − v_0), c_t = t(1−γκ)/(1−γtκ)",
    source=PAPER.at("Dadashi et al. 2019, Theorem 2; coefficient derived"),
    let=segments(),
    assume=[],
    then=Eq(lhs=lambda x: x.value(x.t), rhs=lambda x: x.between(x.position)),
    tight=Tight(HALVES, within=0),
    mutants=[
        Mutant("position t", rhs=lambda x: x.between(x.t)),
        Mutant("policies that differ at two states", let=segments(2)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

line_theorem_monotone: Claim[Segment] = Claim(
    statement="policies that differ at s only: v_t is monotone in t, in the same direction in every state",
    source=PAPER.at("Dadashi et al. 2019, Theorem 2"),
    let=segments(),
    assume=[
        Assumption(
            "0 ≤ t ≤ u ≤ 1",
            lambda x: 0 <= x.t <= x.u <= 1,
            fails_without=replace(HALVES, t=Fraction(3, 4), u=Fraction(1, 4)),
        )
    ],
    then=Leq(lhs=lambda x: x.ordered[0], rhs=lambda x: x.ordered[1]),
    tight=Tight(HALVES, within=0),
    mutants=[
        Mutant("policies that differ at two states", let=segments(2)),
        Mutant("the other direction", then=Leq(lhs=lambda x: x.ordered[1], rhs=lambda x: x.ordered[0])),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
