"""Block G: finite horizons and stochastic shortest paths.

Definitions.  Finite horizon: V_H = g, V_h = max_a [R_h + P_h V_{h+1}], h = H−1..0 (h steps already taken);
a policy may look at the whole history.  Shortest path: total reward until a terminal state, no discount,
T v = max_a [R + P v], v = 0 at terminal states; a policy is proper when it terminates with probability one
from everywhere, and w(s) is the largest expected number of steps from s over all policies.
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
from rltheory.checks import (
    CERTIFIED,
    PROVED,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Mutant,
    NotShown,
    Tight,
    run_module,
)
from rltheory.checks import strategies as ck
from rltheory.solvers import all_proper, evaluate_horizon

from .lets import PAPER, exact

F = Fraction


# ---- finite horizon ------------------------------------------------------------------------
@dataclass(frozen=True)
class Horizon:
    """Let M be a model of 2 states, 2 actions, H = 3 steps, that starts in state 0."""

    M: rl.FiniteHorizonMDP

    @cached_property
    def optimum(self) -> Any:
        """V_0(0) by backward induction."""
        return rl.solve(self.M).V[0, 0]

    @cached_property
    def trees(self) -> list[Any]:
        """Expected total of each of the 2·2²·2⁴ decision trees, summed over its eight paths."""
        P, R, g = self.M.P, self.M.R, self.M.terminal_reward
        histories = [(0, *tail) for h in range(3) for tail in product(range(2), repeat=h)]
        number = {history: i for i, history in enumerate(histories)}
        totals = []
        for tree in product(range(2), repeat=len(histories)):
            total = F(0)
            for path in product(range(2), repeat=3):
                states, weight, earned = (0, *path), F(1), g[path[-1]]
                for h in range(3):
                    a = tree[number[states[: h + 1]]]
                    weight, earned = weight * P[h, states[h], a, states[h + 1]], earned + R[h, states[h], a]
                    if weight == 0:
                        break
                total += weight * earned
            totals.append(total)
        return totals

    @cached_property
    def best_stationary(self) -> Any:
        """The best of the four policies that repeat one decision rule."""
        return max(evaluate_horizon(self.M, np.array(d)).V[0, 0] for d in product(range(2), repeat=2))

    @cached_property
    def best_open_loop(self) -> Any:
        """The best of the eight action sequences that do not look at the state."""
        plans = product(range(2), repeat=3)
        return max(evaluate_horizon(self.M, np.array([[a, a] for a in plan])).V[0, 0] for plan in plans)


@st.composite
def horizons(draw: st.DrawFn) -> Horizon:
    """Models whose steps differ, with a terminal reward; or one step repeated."""
    steps = 3 if draw(st.booleans()) else 1
    stages = [draw(ck.mdps(S=2, A=2, rewards=(-1.0, 1.0), exact=True)) for _ in range(steps)]
    last = rl.exact_array(draw(ck.vectors(2, min_value=-1.0, max_value=1.0)))
    return Horizon(rl.FiniteHorizonMDP.from_stages(stages, 3, terminal_reward=last))


def cash_out() -> rl.FiniteHorizonMDP:
    """State 0 stays for 3/5 (action 0) or cashes 1 and dies (action 1); three steps."""
    P = exact([[[1, 0], [0, 1]], [[0, 1], [0, 1]]])
    return rl.FiniteHorizonMDP(P, exact([F(3, 5), 1], [0, 0]), 3)


CASH = Horizon(cash_out())

finite_horizon: Claim[Horizon] = Claim(
    statement="backward induction's V_0 is the best expected total over all history-dependent policies "
    "(all 128 decision trees, H = 3)",
    source=PAPER.at("Theorems 4.3.2 and 4.4.2"),
    let=horizons(),
    assume=[],
    then=Eq(lhs=lambda x: max(x.trees), rhs=lambda x: x.optimum),
    tight=Tight(CASH, within=0),
    mutants=[
        Mutant("some stationary policy attains the optimum", lhs=lambda x: x.best_stationary),
        Mutant("some action sequence attains the optimum", lhs=lambda x: x.best_open_loop),
    ],
    expect=CERTIFIED,
    draws=200,
)


@dataclass(frozen=True)
class Cash:
    """Let p_h be the probability of cashing at step h of the cash-out model."""

    p: tuple[Fraction, Fraction, Fraction]

    def value(self, *p: Any) -> Any:
        """Expected total when step h cashes with probability p_h."""
        rules = exact([[[1 - q, q], [1, 0]] for q in p])
        return evaluate_horizon(cash_out(), rules).V[0, 0]

    @cached_property
    def stationary(self) -> Any:
        """The first probability at every step."""
        return self.value(*[self.p[0]] * 3)

    @cached_property
    def varying(self) -> Any:
        """All three."""
        return self.value(*self.p)


CHANCES = ck.dyadics(0, 1, denominator=128).map(Fraction)
CASHES = st.tuples(CHANCES, CHANCES, CHANCES).map(Cash)

finite_horizon_stationary: Claim[Cash] = Claim(
    statement="cash-out model, H = 3: every stationary mixture earns ≤ 9/5, the optimum is 11/5",
    source=PAPER.at("derived: (1 − 2q/5)(1 + q + q²) increases in q = 1 − p"),
    let=CASHES,
    assume=[],
    then=Leq(lhs=lambda x: [x.stationary, x.varying], rhs=lambda x: [F(9, 5), F(11, 5)]),
    tight=Tight([Cash((F(0), F(0), F(0))), Cash((F(0), F(0), F(1)))], within=0),
    mutants=[Mutant("mixtures that change with time earn ≤ 9/5 too", lhs=lambda x: [x.varying, x.varying])],
    expect=CERTIFIED,
)


# ---- shortest paths ------------------------------------------------------------------------
@dataclass(frozen=True)
class Paths:
    """Let M be a shortest path problem and u, v be values, 0 at the terminal state 0."""

    M: rl.SSP
    u: StateVec
    v: StateVec

    def T(self, v: StateVec) -> StateVec:
        """max_a [R + P v], without discount."""
        out: StateVec = (self.M.R + self.M.P @ v).max(axis=1)
        return out

    @cached_property
    def w(self) -> StateVec:
        """(S−1,) largest expected number of steps from states 1..S−1."""
        every_step = rl.SSP(self.M.P, exact([[int(s > 0)] * self.M.A for s in range(self.M.S)]), [0])
        return rl.solve(every_step).V[1:]

    def norm(self, x: StateVec) -> Any:
        """‖x‖_w = max |x(s)|/w(s)."""
        return sup_norm(x[1:] / self.w)

    @cached_property
    def moved(self) -> StateVec:
        """T u − T v."""
        return self.T(self.u) - self.T(self.v)

    @cached_property
    def moduli(self) -> StateVec:
        """(w − 1)/w."""
        out: StateVec = (self.w - 1) / self.w
        return out


@st.composite
def proper_paths(draw: st.DrawFn) -> Paths:
    """All policies proper: every step goes down by one with probability ≥ ½, or always goes down."""
    S, A = draw(st.integers(2, 5)), draw(st.integers(1, 3))
    downhill = draw(st.booleans())
    P = exact([[[0] * S for _ in range(A)] for _ in range(S)])
    for s, a in product(range(1, S), range(A)):
        if downhill:
            P[s, a, :s] = rl.exact_array(draw(ck.laws(s)))
        else:
            P[s, a] = rl.exact_array(draw(ck.laws(S))) / 2
            P[s, a, s - 1] += F(1, 2)
    P[0, :, 0] = F(1)
    R = exact([[0] * A] + [[F(draw(st.integers(-16, 16)), 8) for _ in range(A)] for _ in range(1, S)])
    u, v = (rl.exact_array(draw(ck.vectors(S))) for _ in range(2))
    u[0] = v[0] = F(0)
    return Paths(rl.SSP(P, R, [0]), u, v)


def countdown(n: int = 5) -> Paths:
    """n, n−1, …, 1, terminal: w(s) = s, and u − v = w."""
    chain = rl.gallery.countdown(n)
    return Paths(chain, exact(list(range(n + 1))), exact([0] * (n + 1)))


ssp_weighted: Claim[Paths] = Claim(
    statement="all policies proper: ‖T u − T v‖_w ≤ max_s (w(s)−1)/w(s) · ‖u − v‖_w",
    source=PAPER.at("Bertsekas and Tsitsiklis 1996, Proposition 2.2"),
    let=proper_paths(),
    assume=[
        Assumption(
            "every policy is proper",
            lambda x: all_proper(x.M),
            fails_without=NotShown("w is infinite then, and the norm is not defined"),
        ),
        Assumption(
            "u and v vanish at the terminal state",
            lambda x: x.u[0] == x.v[0] == 0,
            fails_without=Paths(rl.gallery.countdown(1), exact([1, 0]), exact([0, 0])),
        ),
    ],
    then=Leq(lhs=lambda x: x.norm(x.moved), rhs=lambda x: x.moduli.max() * x.norm(x.u - x.v)),
    tight=Tight(countdown(), within=0),
    mutants=[
        Mutant(
            "the plain sup norm",
            then=Leq(lambda x: sup_norm(x.moved), lambda x: x.moduli.max() * sup_norm(x.u - x.v)),
        ),
        Mutant("min for max", rhs=lambda x: x.moduli.min() * x.norm(x.u - x.v)),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Improper:
    """Let one state stay for 0 or end for −c, and let gap ≥ 0 measure a value's distance from −c."""

    c: Fraction
    gap: Fraction

    @cached_property
    def M(self) -> rl.SSP:
        """The model."""
        return rl.gallery.ssp_improper(self.c)

    def sweeps(self, v: Fraction, n: int) -> Any:
        """n sweeps of value iteration at the one state, from v."""
        for _ in range(n):
            v = max(v, -self.c)  # stay pays 0 and keeps v, go pays −c and ends
        return v

    @cached_property
    def T(self) -> list[Any]:
        """T at −c + gap and at −c − gap, from the model's arrays."""
        s = int(np.flatnonzero(~self.M.terminal)[0])
        pairs = range(*self.M.mdp.state_ptr[s : s + 2])
        rows, pay = self.M.mdp.P_pairs, self.M.R_pairs
        return [max(pay[k] + rows[k, s] * v for k in pairs) for v in (-self.c + self.gap, -self.c - self.gap)]

    @cached_property
    def solved(self) -> list[Any]:
        """The solver's value at the one state, and 1 if it reports an improper policy."""
        out = rl.solve(self.M)
        s = int(np.flatnonzero(~self.M.terminal)[0])
        return [out.V[s], int(out.info["some_improper"])]


GRID = [Improper(F(c, 2), F(k, 8)) for c in (1, 2, 4) for k in range(41)]

ssp_improper: Claim[Improper] = Claim(
    statement="stay for 0 or end for −c: T v = v for every v ≥ −c, T v = −c for v ≤ −c; the solver returns "
    "the best proper value −c and reports the improper policy",
    source=PAPER.at("Bertsekas and Tsitsiklis 1991; example derived"),
    let=Every("c ∈ {1/2, 1, 2}, v = −c ± k/8, k = 0..40", 123, GRID),
    assume=[],
    then=Eq(lhs=lambda x: [*x.T, *x.solved], rhs=lambda x: [-x.c + x.gap, -x.c, -x.c, 1]),
    tight=Tight([Improper(F(1), F(1)), Improper(F(1), F(4))], within=0),
    mutants=[
        Mutant(
            "value iteration from any start reaches −c",
            then=Eq(lambda x: x.sweeps(-x.c + x.gap, 100), lambda x: -x.c),
        ),
        Mutant("value iteration from 0 does", then=Eq(lambda x: x.sweeps(F(0), 100), lambda x: -x.c)),
        Mutant("the solver returns the best over all policies, 0", rhs=lambda x: [-x.c + x.gap, -x.c, 0, 1]),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
