"""Block B: value iteration and its bounds.

Definitions: v_k = T^k v_0; π is greedy for v when it maximises q_v = R + γPv in every state;
Δ is the smallest positive gap v*(s) − q*(s, a).  Gauss–Seidel sweeps and anchoring have a module of
their own, `value_iteration_variants`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateAction, StateVec, span, sup_norm
from rltheory.checks import CERTIFIED, PROVED, Assumption, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels import ball

from .lets import PAPER, exact, swap_chain

GAMMA = Fraction(9, 10)
SWAP = swap_chain(GAMMA)
STAY = rl.gallery.span_tight(GAMMA)  # v* = (100, 100)


@dataclass(frozen=True)
class Guess:
    """Let M be an MDP and v a guess of its values; let pi be greedy for v."""

    M: rl.MDP
    v: StateVec

    @cached_property
    def V_star(self) -> StateVec:
        """v*."""
        return rl.solve(self.M).V

    @cached_property
    def Tv(self) -> StateVec:
        """T v."""
        return rl.bellman(self.M)(self.v)

    @cached_property
    def Bv(self) -> StateVec:
        """B v."""
        return self.Tv - self.v

    @cached_property
    def B_Tv(self) -> StateVec:
        """B(T v)."""
        return rl.bellman(self.M)(self.Tv) - self.Tv

    @cached_property
    def V_pi(self) -> StateVec:
        """v^π of the greedy policy."""
        return rl.evaluate(self.M, rl.greedy(self.M, self.v)).V

    @property
    def horizon(self) -> Any:
        """1/(1−γ)."""
        return 1 / (1 - self.M.gamma)

    def lower(self, power: int = 1) -> Any:
        """Tv + γ^power/(1−γ)·min Bv."""
        return self.Tv + self.M.gamma**power * self.horizon * self.Bv.min()

    def upper(self, power: int = 1) -> Any:
        """Tv + γ^power/(1−γ)·max Bv."""
        return self.Tv + self.M.gamma**power * self.horizon * self.Bv.max()

    def bracket(self, power: int = 1) -> tuple[Any, Any]:
        """The chains v + min Bv/(1−γ) ≤ Tv + … ≤ T²v + … and, above, T²v + … ≤ Tv + … ≤ v + max Bv/(1−γ)."""
        T2v, c = self.Tv + self.B_Tv, self.M.gamma**power * self.horizon
        low = [self.v + self.Bv.min() * self.horizon, self.lower(power), T2v + c * self.B_Tv.min()]
        high = [T2v + c * self.B_Tv.max(), self.upper(power), self.v + self.Bv.max() * self.horizon]
        return np.concatenate([*low[:2], *high[:2]]), np.concatenate([*low[1:], *high[1:]])


@st.composite
def guesses(draw: st.DrawFn, /, **model: Any) -> Guess:
    """Random models and values in [−8, 8]."""
    M = draw(ck.mdps(**model))
    return Guess(M, draw(ck.vectors(M.S)))


@dataclass(frozen=True)
class Sweeps(Guess):
    """Let k sweeps of value iteration start from v."""

    k: int

    @cached_property
    def error(self) -> Any:
        """‖v_k − v*‖."""
        T, w = rl.bellman(self.M), self.v
        for _ in range(self.k):
            w = T(w)
        return sup_norm(w - self.V_star)


@st.composite
def sweeps(draw: st.DrawFn, /, k_max: int = 8, **model: Any) -> Sweeps:
    """Random models, starts and numbers of sweeps."""
    x = draw(guesses(**model))
    return Sweeps(x.M, x.v, draw(st.integers(0, k_max)))


vi_rate: Claim[Sweeps] = Claim(
    statement="‖v_k − v*‖ ≤ γ^k ‖v_0 − v*‖",
    source=PAPER.at("Section 6.3"),
    let=sweeps(),
    assume=[],
    then=Leq(lhs=lambda x: x.error, rhs=lambda x: x.M.gamma**x.k * sup_norm(x.v - x.V_star)),
    tight=Tight(Sweeps(STAY, exact([101, 101]), 5), within=0),
    mutants=[Mutant("γ^(k+1)", rhs=lambda x: x.M.gamma ** (x.k + 1) * sup_norm(x.v - x.V_star))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

SHIFTED = Guess(STAY, exact([101, 101]))  # v* + 1: every bound is v*

mp_bounds: Claim[Guess] = Claim(
    statement="π greedy for v: Tv + γ/(1−γ)·min Bv ≤ v^π ≤ v* ≤ Tv + γ/(1−γ)·max Bv",
    source=PAPER.at("Section 6.6; MacQueen 1966, Porteus 1971"),
    let=guesses(),
    assume=[],
    then=Leq(
        lhs=lambda x: np.concatenate([x.lower(), x.V_pi, x.V_star]),
        rhs=lambda x: np.concatenate([x.V_pi, x.V_star, x.upper()]),
    ),
    tight=Tight(SHIFTED, within=0),
    mutants=[
        Mutant("γ²/(1−γ) in the lower bound", lhs=lambda x: np.concatenate([x.lower(2), x.V_pi, x.V_star])),
        Mutant("γ²/(1−γ) in the upper bound", rhs=lambda x: np.concatenate([x.V_pi, x.V_star, x.upper(2)])),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

mp_bounds_nested: Claim[Guess] = Claim(
    statement="v + min Bv/(1−γ) ≤ Tv + γ/(1−γ)·min Bv ≤ T²v + γ/(1−γ)·min B(Tv), and dually above",
    source=PAPER.at("Section 6.6; Porteus 1971"),
    let=guesses(),
    assume=[],
    then=Leq(lhs=lambda x: x.bracket()[0], rhs=lambda x: x.bracket()[1]),
    tight=Tight(SHIFTED, within=0),
    mutants=[Mutant("γ²/(1−γ) throughout", then=Leq(lambda x: x.bracket(2)[0], lambda x: x.bracket(2)[1]))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def off_centre(x: Guess) -> Any:
    """‖midpoint of the two bounds − v*‖."""
    return sup_norm((x.lower() + x.upper()) / 2 - x.V_star)


mp_bounds_midpoint: Claim[Guess] = Claim(
    statement="‖½(lower + upper) − v*‖ ≤ γ/(2(1−γ))·sp(Bv)",
    source=PAPER.at("Section 6.6; Porteus 1971"),
    let=guesses(),
    assume=[],
    then=Leq(lhs=off_centre, rhs=lambda x: x.M.gamma * x.horizon * span(x.Bv) / 2),
    # two absorbing states, v − v* = (1, 0): one bound is v* in each state
    tight=Tight(Guess(rl.gallery.two_absorbing(GAMMA), exact([1, 0])), within=0),
    mutants=[Mutant("a quarter for a half", rhs=lambda x: x.M.gamma * x.horizon * span(x.Bv) / 4)],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def tolerance(M: rl.MDP, V: StateVec) -> Any:
    """Ties: equality in rationals, 1e-9·max(1, ‖V‖) in doubles."""
    return 0 if M.is_exact else 1e-9 * max(1.0, float(sup_norm(V)))


@dataclass(frozen=True)
class Bounded(Guess):
    """Let L = v* − below and U = v* + above be valid bounds; let v be a guess of the values."""

    below: StateVec
    above: StateVec

    @cached_property
    def optimal(self) -> tuple[Any, Any]:
        """States and actions of the optimal pairs: q*(s, a) = v*(s)."""
        Q = rl.q_values(self.M, self.V_star)
        s, a = np.nonzero(Q - self.V_star[:, None] >= -tolerance(self.M, self.V_star))
        return s, a

    def at_optimal(self, L: StateVec) -> Any:
        """L(s) over the optimal pairs."""
        return L[self.optimal[0]]

    def q_at_optimal(self, U: StateVec) -> Any:
        """R + γPU over the optimal pairs."""
        return rl.q_values(self.M, U)[self.optimal]


@st.composite
def bounded(draw: st.DrawFn, /) -> Bounded:
    """Random models, guesses and valid bounds, tight ones included."""
    x = draw(guesses())
    slack = [draw(ck.vectors(x.M.S, min_value=0.0, max_value=2.0)) for _ in range(2)]
    return Bounded(x.M, x.v, *slack)


action_elimination: Claim[Bounded] = Claim(
    statement="L ≤ v* ≤ U and R(s,a) + γP(s,a)·U < L(s) ⇒ a is in no optimal policy at s "
    "(for every optimal pair, L(s) ≤ R(s,a) + γP(s,a)·U)",
    source=PAPER.at("Section 6.7; MacQueen"),
    let=bounded(),
    assume=[
        Assumption(
            "L ≤ v* ≤ U",
            lambda x: (x.below >= 0).all() and (x.above >= 0).all(),
            fails_without=Bounded(STAY, exact([0, 0]), exact([-1, -1]), exact([0, 0])),
        )
    ],
    then=Leq(
        lhs=lambda x: x.at_optimal(x.V_star - x.below), rhs=lambda x: x.q_at_optimal(x.V_star + x.above)
    ),
    tight=Tight(Bounded(STAY, exact([0, 0]), exact([0, 0]), exact([0, 0])), within=0),
    mutants=[
        Mutant(
            "the iterate Tv for both bounds",
            then=Leq(lambda x: x.at_optimal(x.Tv), lambda x: x.q_at_optimal(x.Tv)),
        ),
        Mutant("L on both sides", rhs=lambda x: x.q_at_optimal(x.V_star - x.below)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Near:
    """Let v = v* + theta·Δ/(2γ)·e with entries of e in {−1, 0, 1}."""

    M: rl.MDP
    e: tuple[int, ...]
    theta: Any

    @cached_property
    def V_star(self) -> StateVec:
        """v*."""
        return rl.solve(self.M).V

    @cached_property
    def gaps(self) -> StateAction:
        """v*(s) − q*(s, a)."""
        return self.V_star[:, None] - rl.q_values(self.M, self.V_star)

    @cached_property
    def delta(self) -> Any:
        """Δ, or 0 when every action is optimal (then v = v* and nothing is said)."""
        positive = self.gaps[self.gaps > tolerance(self.M, self.V_star)]
        return positive.min() if positive.size else 0 * self.M.gamma

    @cached_property
    def v(self) -> Any:
        """The perturbed values."""
        return self.V_star + self.theta * self.delta / (2 * self.M.gamma) * np.array(self.e)

    @cached_property
    def errs(self) -> bool:
        """True when some policy greedy for v is not optimal."""
        Q = rl.q_values(self.M, self.v)
        greedy = Q - Q.max(axis=1)[:, None] >= -tolerance(self.M, self.v)
        return bool((self.gaps[greedy] > tolerance(self.M, self.V_star)).any())


@st.composite
def near(
    draw: st.DrawFn, /, rows: ck.Rows = "mixed", signs: tuple[int, ...] = (-1, 0, 1), theta: float = 4
) -> Near:
    """Random models with v on the boundary of a box around v*."""
    M = draw(ck.mdps(S=st.integers(2, 4), A=st.integers(2, 3), rows=rows))
    e = draw(st.tuples(*[st.sampled_from(signs)] * M.S))
    return Near(M, e, draw(ck.dyadics(0.5, theta, denominator=8)))


vi_identification: Claim[Near] = Claim(
    statement="‖v − v*‖ < Δ/(2γ) ⇒ every policy greedy for v is optimal",
    source=PAPER.at("derived: |q_v − q*| ≤ γ‖v − v*‖"),
    let=st.one_of(near(), near(rows="deterministic", signs=(-1, 1), theta=2)),
    assume=[],
    then=Leq(
        lhs=lambda x: x.delta / (2 * x.M.gamma) if x.errs else 0 * x.delta,
        rhs=lambda x: sup_norm(x.v - x.V_star),
    ),
    # Singh and Yee: Δ = 2γε, v = v* + (ε, −ε) ties
    tight=Tight(Near(rl.gallery.singh_yee(GAMMA), (1, -1), Fraction(1)), within=0),
    mutants=[
        Mutant("Δ/γ for Δ/(2γ)", lhs=lambda x: x.delta / x.M.gamma if x.errs else 0 * x.delta),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class TemptingReward:
    """Let state 0 choose 1 (pays 1 for ever) for nothing, or 2 (pays nothing) for γ/(1−γ) − 2^−j."""

    j: int
    gamma: Fraction

    @cached_property
    def M(self) -> rl.MDP:
        """The model."""
        return rl.gallery.feinberg_huang(self.j, self.gamma)

    @cached_property
    def wrong_sweeps(self) -> int:
        """Sweeps of value iteration from 0 that choose the wrong action."""
        T, v = rl.bellman(self.M), exact([0, 0, 0])
        k = 0
        while rl.greedy(self.M, v)[0] == 1:
            v, k = T(v), k + 1
        return k

    @cached_property
    def formula(self) -> int:
        """⌊log((1−γ)2^−j)/log γ⌋."""
        with ball.precision(256):
            x = ball.to_arb((1 - self.gamma) / 2**self.j).log() / ball.to_arb(self.gamma).log()
            return int(x.floor().unique_fmpz())

    @cached_property
    def howard(self) -> int:
        """Policy changes of Howard's method from the wrong action."""
        return rl.solve(self.M, rl.PolicyIteration(pi0=[1, 0, 0])).iterations


DISCOUNTS = (Fraction(3, 10), Fraction(7, 10), GAMMA)  # no γ^k = (1−γ)2^−j: the actions never tie

vi_not_strongly_polynomial: Claim[TemptingReward] = Claim(
    statement="value iteration chooses the wrong action for exactly ⌊log((1−γ)2^−j)/log γ⌋ sweeps, unbounded "
    "in j; Howard's method changes it at once",
    source=PAPER.at("Feinberg and Huang 2014; instance derived"),
    let=Every(
        "γ ∈ {3/10, 7/10, 9/10}, 1 ≤ j ≤ 24",
        72,
        [TemptingReward(j, g) for g in DISCOUNTS for j in range(1, 25)],
    ),
    assume=[],
    then=Eq(lhs=lambda x: [x.wrong_sweeps, x.howard], rhs=lambda x: [x.formula, 1]),
    tight=Tight(TemptingReward(24, GAMMA), within=0),
    mutants=[
        Mutant(
            "a bound on the sweeps in N and γ alone, N/(1−γ)",
            then=Leq(lambda x: x.wrong_sweeps, lambda x: x.M.N / (1 - x.gamma)),
        ),
        Mutant("one sweep more", rhs=lambda x: [x.formula + 1, 1]),
    ],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
