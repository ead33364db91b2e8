"""Block D: the linear programs of a discounted model.

Definitions.  Primal: min ρ·v subject to v(s) ≥ R(s,a) + γ Σ P(t|s,a) v(t).  Dual: max Σ x(s,a)R(s,a)
over x ≥ 0 with Σ_a x(t,a) = ρ(t) + γ Σ x(s,a)P(t|s,a).  Occupancies are not normalised here: their
mass is 1/(1−γ).  A basic solution of the dual solves its S equations with S of its N columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import rltheory as rl
from rltheory import gallery
from rltheory.arrays import PairVec, StateAction, StateVec
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels.exact import solve_linear

from .lets import PAPER, exact

GAMMA = Fraction(9, 10)


@dataclass(frozen=True)
class Program:
    """Let M be an MDP and rho a law of start states."""

    M: rl.MDP
    rho: StateVec

    @cached_property
    def optimum(self) -> rl.Solution:
        """The primal and dual optimum by the simplex method."""
        return rl.LinearProgram(rho=self.rho).run(self.M)

    @cached_property
    def x(self) -> PairVec:
        """(N,) dual optimum."""
        dual: StateAction = self.optimum.info["dual"]
        return dual[self.M.pair_state, self.M.pair_action]

    @cached_property
    def V_star(self) -> StateVec:
        """v* by policy iteration."""
        return rl.solve(self.M).V

    @cached_property
    def value(self) -> Any:
        """ρ·v*."""
        return (self.rho * self.V_star).sum()

    @cached_property
    def balance(self) -> StateVec:
        """Σ_a x(t,a) − γ Σ x(s,a)P(t|s,a) for every t."""
        M = self.M
        stay: StateVec = np.add.reduceat(self.x, M.state_ptr[:-1])
        return stay - M.gamma * (self.x[:, None] * M.P_pairs).sum(axis=0)

    @cached_property
    def optimal(self) -> Any:
        """(N,) mask of the actions with q*(s,a) = v*(s)."""
        M = self.M
        gap = self.V_star[M.pair_state] - (M.R_pairs + M.gamma * (M.P_pairs * self.V_star).sum(axis=1))
        return gap <= (0 if M.is_exact else 1e-9)

    @cached_property
    def wasted(self) -> Any:
        """Dual mass on actions that are not optimal."""
        return self.x[~self.optimal].sum()

    def found(self, mass: Any) -> Any:
        """What the theorem says of the numbers in `computed`."""
        return np.concatenate([self.V_star, self.rho, [self.value, self.value, mass, 0]])

    @cached_property
    def computed(self) -> Any:
        """Primal point, balance of the dual point, both objectives, the dual mass, its wasted part."""
        primal, objective = self.optimum.info["primal"], self.optimum.info["primal_objective"]
        dual = (self.x * self.M.R_pairs).sum()
        return np.concatenate([primal, self.balance, [objective, dual, self.x.sum(), self.wasted]])


@st.composite
def programs(draw: st.DrawFn, /, *, zeros: bool = False, **model: Any) -> Program:
    """Random models with a start law that is positive, or may also have zeros."""
    M = draw(ck.mdps(**model))
    return Program(M, draw(ck.laws(M.S, positive=not zeros or draw(st.booleans()))))


def two_actions() -> Program:
    """Stay or swap, rewards 0 and 1, in two states."""
    swap = rl.MDP([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], exact([0, 1], [1, 0]), GAMMA)
    return Program(swap, exact([Fraction(1, 3), Fraction(2, 3)]))


TWO_ABSORBING = Program(gallery.two_absorbing(GAMMA), exact([1, 0]))
POSITIVE = "ρ > 0"

lp: Claim[Program] = Claim(
    statement="ρ > 0, Σρ = 1: the primal optimum is v*; the dual optimum is a flow of value ρ·v* and mass "
    "1/(1−γ), positive on optimal actions only",
    source=PAPER.at("Section 6.9"),
    let=programs(S=st.integers(1, 5)),
    assume=[],
    then=Eq(lhs=lambda x: x.computed, rhs=lambda x: x.found(1 / (1 - x.M.gamma))),
    tight=Tight([two_actions(), Program(gallery.howard_taxicab(GAMMA), rl.uniform(3, exact=True))], within=0),
    mutants=[
        Mutant("dual mass 1", rhs=lambda x: x.found(1 + 0 * x.M.gamma)),
        Mutant(
            "the dual optimum charges every optimal action",
            then=Eq(lambda x: int((x.x > 0).sum()), lambda x: int(x.optimal.sum())),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def basic_points(G: NDArray[Any], h: NDArray[Any]) -> list[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """(rows, v) for every set of S independent rows of G (N, S): the v with G v = h on these rows."""
    out: list[tuple[tuple[int, ...], tuple[Any, ...]]] = []
    for rows in combinations(range(len(h)), G.shape[1]):
        try:
            out.append((rows, tuple(solve_linear(G[list(rows)], h[list(rows)]))))
        except ZeroDivisionError:
            continue
    return out


@dataclass(frozen=True)
class Vertices(Program):
    """Let the polyhedra of both programs be enumerated vertex by vertex, in rationals."""

    @cached_property
    def constraints(self) -> NDArray[Any]:
        """(N, S) rows e_s − γP(·|s,a)."""
        M = self.M.exact()
        unit = rl.exact_array(np.eye(M.S, dtype=np.int64))[M.pair_state]
        out: NDArray[Any] = unit - M.gamma * M.P_pairs
        return out

    @cached_property
    def dual_vertices(self) -> set[tuple[Any, ...]]:
        """Basic feasible solutions of the dual: S columns solve the flow equations with x ≥ 0."""
        found, G, rho = set(), self.constraints, rl.exact_array(self.rho)
        for cols in combinations(range(self.M.N), self.M.S):
            try:
                part = solve_linear(G[list(cols)].T, rho)
            except ZeroDivisionError:
                continue
            if (part >= 0).all():
                x = [Fraction(0)] * self.M.N
                for k, value in zip(cols, part, strict=True):
                    x[k] = value
                found.add(tuple(x))
        return found

    @cached_property
    def occupancies(self) -> set[tuple[Any, ...]]:
        """Occupancies of the deterministic policies."""
        M, found = self.M.exact(), set()
        for choice in product(*(range(i, j) for i, j in zip(M.state_ptr[:-1], M.state_ptr[1:], strict=True))):
            pi = rl.Policy(M.pair_action[list(choice)], M.A)
            x = rl.state_action_occupancy(M, pi, rl.exact_array(self.rho), normalised=False)
            found.add(tuple(x[M.pair_state, M.pair_action]))
        return found

    @cached_property
    def policies(self) -> int:
        """Number of deterministic policies, mⁿ."""
        return int(np.prod(np.diff(self.M.state_ptr)))

    @cached_property
    def best_vertex(self) -> Any:
        """Largest Σ xR over the vertices."""
        R = self.M.exact().R_pairs
        return max((np.array(x, dtype=object) * R).sum() for x in self.dual_vertices)

    @cached_property
    def primal_optima(self) -> set[tuple[Any, ...]]:
        """Vertices of {v ≥ T v, v ≤ v* + 1} with the least ρ·v: one of them iff the optimum is unique."""
        M, rho = self.M.exact(), rl.exact_array(self.rho)
        ceiling = rl.solve(M).V + 1
        G = np.vstack([self.constraints, -rl.exact_array(np.eye(M.S, dtype=np.int64))])
        h = np.concatenate([M.R_pairs, -ceiling])
        feasible = {v for _, v in basic_points(G, h) if (G @ np.array(v, dtype=object) >= h).all()}
        least = min((rho * np.array(v, dtype=object)).sum() for v in feasible)
        return {v for v in feasible if (rho * np.array(v, dtype=object)).sum() == least}


@st.composite
def vertices(draw: st.DrawFn) -> Vertices:
    """Two or three states with at most seven pairs; the start law may have zeros."""
    S = draw(st.integers(2, 3))
    x = draw(programs(zeros=True, S=S, A=2 if S == 3 else st.integers(2, 3)))
    return Vertices(x.M, x.rho)


def as_vertices(x: Program) -> Vertices:
    """The same instance."""
    return Vertices(x.M, x.rho)


def positive(x: Program) -> bool:
    """ρ > 0."""
    return bool((x.rho > 0).all())


def crossing() -> Vertices:
    """Two absorbing states with two rewards each; the start law misses the second."""
    stay = [[[1, 0], [1, 0]], [[0, 1], [0, 1]]]
    return Vertices(rl.MDP(stay, exact([0, 1], [0, 1]), GAMMA), exact([1, 0]))


lp_vertices: Claim[Vertices] = Claim(
    statement="ρ > 0: the basic feasible solutions of the dual are the occupancies of the deterministic "
    "policies, exactly Π m_s of them, and the best has value ρ·v*",
    source=PAPER.at("Section 6.9"),
    let=vertices(),
    assume=[Assumption(POSITIVE, positive, fails_without=crossing())],
    then=Eq(
        lhs=lambda x: [len(x.dual_vertices), len(x.dual_vertices & x.occupancies), x.best_vertex],
        rhs=lambda x: [x.policies, x.policies, x.value],
    ),
    tight=Tight(as_vertices(two_actions()), within=0),
    mutants=[
        Mutant("some ρ(s) may be 0", drop=POSITIVE),
        Mutant(
            "every choice of S columns is feasible: C(N, S) vertices",
            rhs=lambda x: [comb(x.M.N, x.M.S), x.policies, x.value],
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

lp_unique: Claim[Vertices] = Claim(
    statement="ρ > 0: v* is the only primal optimum (one optimal vertex even within v ≤ v* + 1)",
    source=PAPER.at("Section 6.9"),
    let=vertices(),
    assume=[Assumption(POSITIVE, positive, fails_without=as_vertices(TWO_ABSORBING))],
    then=Eq(lhs=lambda x: len(x.primal_optima), rhs=lambda x: 1),
    tight=Tight(as_vertices(two_actions()), within=0),
    mutants=[Mutant("unique even when some ρ(s) = 0", drop=POSITIVE)],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Mixture:
    """Let rho be a start law, pi and pi2 policies, 0 ≤ lam ≤ 1."""

    M: rl.MDP
    pi: rl.Policy
    pi2: rl.Policy
    rho: StateVec
    lam: Any

    def occupancy(self, pi: rl.Policy) -> StateAction:
        """x(s,a) of π, mass 1/(1−γ)."""
        return rl.state_action_occupancy(self.M, pi, self.rho, normalised=False)

    def inflow(self, x: StateAction) -> StateVec:
        """Σ_a x(t,a) − γ Σ x(s,a)P(t|s,a)."""
        M = self.M
        out = [(x * M.P[:, :, t]).sum() for t in range(M.S)]
        left: StateVec = x.sum(axis=1) - M.gamma * np.array(out, dtype=x.dtype)
        return left

    def J(self, pi: rl.Policy) -> Any:
        """Return ρ·v^π, by policy evaluation."""
        return (self.rho * rl.evaluate(self.M, pi).V).sum()

    def recovered(self, x: StateAction) -> rl.Policy:
        """π(a|s) = x(s,a)/Σ_a x(s,a); the first action where the state is never visited."""
        rows = x.copy()
        rows[:, 0] = np.where(x.sum(axis=1) == 0, 1 + 0 * x[:, 0], x[:, 0])
        return rl.Policy(rows / rows.sum(axis=1)[:, None])

    def again(self, x: StateAction) -> PairVec:
        """Occupancy of the policy recovered from x, state by state."""
        return self.occupancy(self.recovered(x)).reshape(-1)

    @cached_property
    def x(self) -> StateAction:
        """Occupancy of π."""
        return self.occupancy(self.pi)

    @cached_property
    def mixed(self) -> StateAction:
        """λx^π + (1−λ)x^π2."""
        x: StateAction = self.lam * self.x + (1 - self.lam) * self.occupancy(self.pi2)
        return x

    @cached_property
    def average(self) -> Any:
        """λJ(π) + (1−λ)J(π2)."""
        return self.lam * self.J(self.pi) + (1 - self.lam) * self.J(self.pi2)

    @cached_property
    def rowwise(self) -> rl.Policy:
        """λπ + (1−λ)π2."""
        A = self.M.A
        return rl.Policy(self.lam * self.pi.matrix(A) + (1 - self.lam) * self.pi2.matrix(A))


@st.composite
def mixtures(draw: st.DrawFn) -> Mixture:
    """Random models, start laws with zeros among them, and policies."""
    M = draw(ck.mdps(S=st.integers(2, 4), A=st.integers(2, 3)))
    pair = [draw(ck.policies(M.S, M.A)) for _ in range(2)]
    return Mixture(M, pair[0], pair[1], draw(ck.laws(M.S)), draw(ck.dyadics(1 / 64, 63 / 64)))


def detour() -> Mixture:
    """Deterministic policies that meet in no state, mixed half and half."""
    x = two_actions()
    return Mixture(x.M, rl.Policy([0, 0], 2), rl.Policy([1, 1], 2), x.rho, Fraction(1, 2))


occupancy: Claim[Mixture] = Claim(
    statement="x^π solves Σ_a x(t,a) = ρ(t) + γ Σ x P(t|·), pays Σ xR = ρ·v^π, and gives π when normalised",
    source=PAPER.at("Section 6.9"),
    let=mixtures(),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([x.inflow(x.x), [(x.x * x.M.R).sum()], x.again(x.x)]),
        rhs=lambda x: np.concatenate([x.rho, [x.J(x.pi)], x.x.ravel()]),
    ),
    tight=Tight(detour(), within=0),
    mutants=[
        Mutant(
            "the normalised occupancy solves the same equations",
            then=Eq(lambda x: x.inflow((1 - x.M.gamma) * x.x), lambda x: x.rho),
        )
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

occupancy_mixing: Claim[Mixture] = Claim(
    statement="every flow is an occupancy: λx^π + (1−λ)x^π2 is that of its own normalisation, of return "
    "λJ(π) + (1−λ)J(π2)",
    source=PAPER.at("Section 6.9; convexity of the dual's feasible set"),
    let=mixtures(),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([x.inflow(x.mixed), x.again(x.mixed), [x.J(x.recovered(x.mixed))]]),
        rhs=lambda x: np.concatenate([x.rho, x.mixed.ravel(), [x.average]]),
    ),
    tight=Tight(detour(), within=0),
    mutants=[
        Mutant(
            "the row-wise mixture of the policies has the average return",
            then=Eq(lambda x: x.J(x.rowwise), lambda x: x.average),
        )
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
