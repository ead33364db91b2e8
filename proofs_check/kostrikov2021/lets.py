"""What the claims of this paper let x be: finite laws, and models with a behaviour and a level τ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import rltheory as rl
from rltheory.arrays import StateAction, StateVec
from rltheory.checks import Paper
from rltheory.checks import strategies as ck
from rltheory.checks.balls import precise_side
from rltheory.kernels import ball
from rltheory.solvers import awr, awr_value, greedy_in_support, in_support_optimum, revealed

PAPER = Paper(
    key="iql",
    authors="Kostrikov, Nair, Levine",
    title="Offline Reinforcement Learning with Implicit Q-Learning",
    year=2021,
    where="arXiv 2110.06169",
)

BITS = 256
"""Working precision of sides with exponentials."""

UPPER = (0.5, 5 / 8, 13 / 16, 115 / 128, 253 / 256, 1 - 2.0**-10)
"""Dyadic neighbours of 0.5, 0.6, 0.8, 0.9, 0.99, 0.999."""
LOWER = tuple(1 - t for t in UPPER[1:])
DISCOUNTS = (0.0, 0.5, 115 / 128, 31 / 32)
"""Dyadic neighbours of 0, 0.5, 0.9, 0.97."""

X = TypeVar("X")


def exact(*rows: Any) -> Any:
    """Array of rationals from nested ints and Fractions."""
    return rl.exact_array(np.array(rows if len(rows) > 1 else rows[0], dtype=object))


def levels(*, lower: bool = False) -> SearchStrategy[float]:
    """Dyadic τ ≥ ½, or on both sides of ½."""
    return st.sampled_from([*UPPER, *LOWER] if lower else UPPER)


def precise(side: Callable[[X], Any]) -> Callable[[X], list[Any]]:
    """`precise_side` at `BITS` bits."""
    return precise_side(side, BITS)


@dataclass(frozen=True)
class Law:
    """Let X be a finite law with atoms x and probabilities p, and 0 < tau < 1."""

    x: StateVec
    p: StateVec
    tau: Any

    @cached_property
    def m(self) -> Any:
        """m_τ(X)."""
        return rl.expectile(self.x, self.p, self.tau)

    @cached_property
    def mean(self) -> Any:
        """E X."""
        return (self.p * self.x).sum()


@st.composite
def laws(draw: st.DrawFn, most: int = 6, *, lower: bool = True) -> Law:
    """Random laws of 2 to `most` atoms in [−8, 8], ties included; levels on both sides of ½."""
    size = draw(st.integers(2, most))
    return Law(draw(ck.vectors(size)), draw(ck.laws(size)), draw(levels(lower=lower)))


@dataclass(frozen=True)
class Offline:
    """Let M be an MDP, mu a behaviour and 0 < tau < 1."""

    M: rl.MDP
    mu: rl.Policy
    tau: Any

    @cached_property
    def solution(self) -> rl.Solution:
        """V_τ, Q_τ and π_τ by policy iteration."""
        return rl.ImplicitQ(self.mu, self.tau).run(self.M)

    @cached_property
    def V(self) -> StateVec:
        """V_τ."""
        return self.solution.V

    @cached_property
    def Q(self) -> StateAction:
        """Q_τ."""
        return self.solution.Q

    def V_at(self, tau: Any) -> StateVec:
        """V at another level."""
        return rl.ImplicitQ(self.mu, tau).run(self.M).V

    @cached_property
    def V_mu(self) -> StateVec:
        """V^μ."""
        return rl.evaluate(self.M, self.mu).V

    @cached_property
    def best(self) -> rl.Solution:
        """V*_μ, Q*_μ."""
        return in_support_optimum(self.M, self.mu)

    @cached_property
    def V_star(self) -> StateVec:
        """V*, over all actions."""
        return rl.solve(self.M).V

    @cached_property
    def support(self) -> Any:
        """(S, A) mask μ > 0."""
        return self.mu.matrix() > 0

    def law(self, s: int, Q: StateAction) -> tuple[Any, Any]:
        """In-support values Q(s,·) and their probabilities under μ."""
        at = np.flatnonzero(self.support[s])
        return Q[s, at], self.mu.matrix()[s, at]

    def top_mass(self, s: int, Q: StateAction) -> Any:
        """μ-mass of the in-support maximisers of Q(s,·)."""
        q, p = self.law(s, Q)
        return p[q >= q.max() - (0 if self.M.is_exact else 1e-9)].sum()

    @cached_property
    def delta(self) -> Any:
        """δ_τ = max_s (1−τ)(1−p_s)D_s/(τp_s + (1−τ)(1−p_s)) at Q*_μ."""
        worst = 0 * self.tau
        for s in range(self.M.S):
            q, _ = self.law(s, self.best.Q)
            p, low = self.top_mass(s, self.best.Q), 1 - self.tau
            D = q.max() - q.min()
            worst = max(worst, low * (1 - p) * D / (self.tau * p + low * (1 - p)))
        return worst

    @cached_property
    def widest(self) -> Any:
        """max_s D_s."""
        laws = [self.law(s, self.best.Q)[0] for s in range(self.M.S)]
        return max(q.max() - q.min() for q in laws)

    @cached_property
    def greedy_value(self) -> StateVec:
        """V of the in-support greedy policy of Q_τ."""
        return self.greedy_at(self.tau)

    def greedy_at(self, tau: Any) -> StateVec:
        """V of the in-support greedy policy of Q at another level."""
        Q = rl.ImplicitQ(self.mu, tau).run(self.M).Q
        return rl.evaluate(self.M, greedy_in_support(Q, self.mu)).V

    @cached_property
    def one_level(self) -> tuple[rl.MDP, rl.Policy]:
        """The model and behaviour whose T_τ is the one-level operator N_τ."""
        return revealed(self.M, self.mu)

    @cached_property
    def N(self) -> StateVec:
        """The fixed point of N_τ."""
        model, behaviour = self.one_level
        return rl.ImplicitQ(behaviour, self.tau).run(model).V

    def awr(self, tau: Any, beta: Any) -> Any:
        """V^{AWR_β} from (Q_τ, V_τ): floats, or rationals and balls on an exact model."""
        sol = rl.ImplicitQ(self.mu, tau).run(self.M)
        if self.M.is_exact:
            return awr_value(self.M, self.mu, sol.Q, beta, bits=BITS)
        return rl.evaluate(self.M, awr(self.M, self.mu, sol.Q, sol.V, beta)).V


@dataclass(frozen=True)
class Temperatures(Offline):
    """Let also 0 ≤ beta ≤ beta2 be inverse temperatures."""

    beta: Any
    beta2: Any


def minus(a: Any, b: Any) -> Any:
    """a − b entrywise: rational where both are, balls where one is."""
    out = np.empty(len(a), dtype=object)
    for i, (u, v) in enumerate(zip(a, b, strict=True)):
        balls = "arb" in (type(u).__name__, type(v).__name__)
        out[i] = ball.to_arb(u) - ball.to_arb(v) if balls else u - v
    return out


@st.composite
def behaviours(draw: st.DrawFn, S: int, A: int) -> rl.Policy:
    """Dyadic behaviours, half of them with random support."""
    positive = draw(st.booleans())
    return rl.Policy(np.array([draw(ck.laws(A, positive=positive)) for _ in range(S)]))


@st.composite
def offline(
    draw: st.DrawFn,
    *,
    lower: bool = False,
    S: int = 4,
    A: int | tuple[int, int] = (1, 4),
    rows: Any = "mixed",
) -> Offline:
    """Random models of at most S states with rewards in [−1, 1], a behaviour and a level."""
    actions = A if isinstance(A, int) else st.integers(*A)
    M = draw(
        ck.mdps(st.integers(1, S), actions, gamma=st.sampled_from(DISCOUNTS), rewards=(-1.0, 1.0), rows=rows)
    )
    return Offline(M, draw(behaviours(M.S, M.A)), draw(levels(lower=lower)))


def _snapped(rows: Any, grid: int = 1024) -> Any:
    k = np.floor(rows * grid + 0.5)
    k[np.arange(len(k)), k.argmax(axis=1)] += grid - k.sum(axis=1)
    return k / grid


def _spread(seed: int) -> Offline:
    S, A, rng = 4, 4, np.random.default_rng(seed)
    P = _snapped(rng.dirichlet(np.full(S, 0.3), size=S * A)).reshape(S, A, S)
    R = np.round(rng.uniform(-1, 1, (S, A)) * 64) / 64
    mu = rl.Policy(_snapped(rng.dirichlet(np.full(A, 0.3), size=S)))
    return Offline(rl.MDP(P, R, 127 / 128), mu, float(rng.choice(UPPER)))


def spread() -> SearchStrategy[Offline]:
    """S = A = 4, P and μ Dirichlet(.3), r uniform(−1, 1), γ = 127/128, rounded to dyadic numbers."""
    return st.integers(0, 2**32 - 1).map(_spread)


@st.composite
def rare(draw: st.DrawFn) -> Offline:
    """One state with two self-loops paying 1 and less, the first taken with probability 2^−1 … 2^−36."""
    p, low = 2.0 ** -draw(st.integers(1, 36)), 2.0 ** -draw(st.integers(1, 40))
    R = np.array([[1.0, draw(ck.dyadics(-1, 0.75, denominator=8))]])
    M = rl.MDP(np.ones((1, 2, 1)), R, draw(st.sampled_from(DISCOUNTS)))
    return Offline(M, rl.Policy(np.array([[p, 1 - p]])), 1 - low)


@st.composite
def temperatures(draw: st.DrawFn, let: SearchStrategy[Offline], least: float = 0.0) -> Temperatures:
    """Instances of `let` with two temperatures up to 32."""
    x = draw(let)
    beta, beta2 = sorted([draw(ck.dyadics(least, 32, denominator=4)) for _ in range(2)])
    return Temperatures(x.M, x.mu, x.tau, beta, beta2)


def two_loops(p: Any = Fraction(1, 2), tau: Any = Fraction(9, 10), gamma: Any = Fraction(9, 10)) -> Offline:
    """One state, self-loops paying 1 (probability p) and 0."""
    M = rl.gallery.one_state((1, 0), gamma)
    return Offline(M, rl.Policy(exact([[p, 1 - p]])), tau)


def one_action(tau: Any = Fraction(9, 10)) -> Offline:
    """A chain with one action a state and positive values: nothing to choose."""
    return Offline(rl.gallery.two_state_chain(Fraction(9, 10)), rl.Policy(exact([[1], [1]])), tau)


def tied(tau: Any = Fraction(9, 10)) -> Offline:
    """One state, two self-loops that both pay 1: in-support Q values coincide."""
    mu = rl.Policy(exact([[Fraction(1, 3), Fraction(2, 3)]]))
    return Offline(rl.gallery.one_state((1, 1), Fraction(9, 10)), mu, tau)


def three_states(tau: Any = Fraction(9, 10)) -> Offline:
    """The reference instance: three states, two actions, γ = 9/10."""
    h, q = Fraction(1, 2), Fraction(1, 4)
    P = exact([[h, h, 0], [0, q, 3 * q]], [[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [h, 0, h]])
    mu = exact([h, h], [Fraction(4, 5), Fraction(1, 5)], [q, 3 * q])
    return Offline(rl.MDP(P, exact([1, 0], [0, 2], [-1, h]), Fraction(9, 10)), rl.Policy(mu), tau)
