"""Sides with exponentials: floats while searching, balls on exact models; soft values and soft policies.

A quantity of an exact model that needs exp or log is a ball.  Two balls around equal numbers only overlap,
so inequalities with such sides are checked up to `NEAR`: lhs ≤ rhs + NEAR, and equalities within `NEAR`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from scipy.special import logsumexp

import rltheory as rl
from rltheory.arrays import StateVec
from rltheory.checks import Eq, Leq
from rltheory.checks import strategies as ck
from rltheory.checks.balls import precise_side
from rltheory.kernels import ball
from rltheory.solvers.regularised import SoftPolicyIteration

BITS = 192
"""Working precision of balls."""
NEAR = Fraction(1, 2**50)
"""Balls closer than this count as equal."""
TEMPERATURES = (1 / 64, 1 / 8, 1 / 2, 1.0, 4.0)

X = TypeVar("X")
Side = Callable[[X], Any]


def precise(side: Side[X]) -> Side[X]:
    """`precise_side` at `BITS` bits."""
    return precise_side(side, BITS)


def leq(lhs: Side[X], rhs: Side[X]) -> Leq[X]:
    """lhs ≤ rhs + NEAR."""

    def above(x: X) -> Any:
        values = np.asarray(rhs(x), dtype=object)
        return values + np.array([_near(v) for v in values.reshape(-1)]).reshape(values.shape)

    return Leq(lhs=precise(lhs), rhs=precise(above))


def eq(lhs: Side[X], rhs: Side[X]) -> Eq[X]:
    """|lhs − rhs| ≤ NEAR."""
    return Eq(lhs=precise(lhs), rhs=precise(rhs), within=NEAR)


def _near(v: Any) -> Any:
    if type(v).__name__ == "arb":
        return ball.to_arb(NEAR)
    return NEAR if isinstance(v, Fraction) else float(NEAR)


# ---- one notation for floats and balls ---------------------------------------------------------
def reals(M: rl.MDP, x: Any) -> Any:
    """`x` as floats, or as balls if M is exact; scalars stay scalars."""
    if M.is_exact:
        return ball.to_arb(x) if np.ndim(x) == 0 else ball.balls(x)
    return float(x) if np.ndim(x) == 0 else np.asarray(x, dtype=np.float64)


def log(x: Any) -> Any:
    """log x, entrywise."""
    if isinstance(x, np.ndarray):
        return ball.log(x) if x.dtype == object else np.log(x)
    return x.log() if type(x).__name__ == "arb" else float(np.log(x))


def sup(x: Any) -> Any:
    """‖x‖ of floats or balls."""
    arr = np.asarray(x)
    return ball.sup_norm(arr) if arr.dtype == object else float(np.abs(arr).max())


def log_mean_exp(x: Any, weights: Any) -> Any:
    """(S,) log Σ_a w(a|s) e^{x(s,a)}; balls: as written, floats: shifted by scipy."""
    if x.dtype != object:
        return logsumexp(x, axis=1, b=np.broadcast_to(weights, x.shape))
    return log((np.broadcast_to(weights, x.shape) * ball.exp(x)).sum(axis=1))


def ahead(M: rl.MDP, v: Any) -> Any:
    """(S, A) R + γPv for values that may be balls."""
    return reals(M, M.R) + reals(M, M.gamma) * (reals(M, M.P) @ v)


def value(M: rl.MDP, pi: Any) -> Any:
    """v^π of (S, A) probabilities that may be balls: (I − γP_π)⁻¹ r_π."""
    P, r = (pi[:, :, None] * reals(M, M.P)).sum(axis=1), (pi * reals(M, M.R)).sum(axis=1)
    A = reals(M, np.eye(M.S, dtype=np.int64)) - reals(M, M.gamma) * P
    return ball.solve_linear(A, r) if M.is_exact else np.linalg.solve(A, r)


def span_ball(sol: rl.Solution) -> Any:
    """V of a solution: floats, or balls around [lower, upper]."""
    if not sol.mdp.is_exact:
        return sol.V
    out = np.empty(len(sol.V), dtype=object)
    out[:] = [ball.to_arb(a).union(ball.to_arb(b)) for a, b in zip(sol.lower, sol.upper, strict=True)]
    return out


# ---- instances ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Soft:
    """Let M be an MDP, tau > 0 a temperature and mu a positive reference policy, or none (weights 1)."""

    M: rl.MDP
    tau: Any
    mu: rl.Policy | None

    @cached_property
    def heat(self) -> Any:
        """τ as a real."""
        return reals(self.M, self.tau)

    @cached_property
    def horizon(self) -> Any:
        """1/(1−γ)."""
        return reals(self.M, 1 / (1 - self.M.gamma))

    @cached_property
    def weights(self) -> Any:
        """(S, A) μ, or ones."""
        M = self.M
        table = np.ones((M.S, M.A), dtype=np.int64) if self.mu is None else self.mu.matrix(M.A)
        return reals(M, table)

    @cached_property
    def V_star(self) -> StateVec:
        """v*."""
        return reals(self.M, rl.solve(self.M).V)

    @cached_property
    def solution(self) -> rl.Solution:
        """The solver's answer."""
        return SoftPolicyIteration(self.tau, self.mu).run(self.M)

    @cached_property
    def V(self) -> Any:
        """v*_τ."""
        return span_ball(self.solution)

    @cached_property
    def q(self) -> Any:
        """q*_τ = R + γPv*_τ."""
        return ahead(self.M, self.V)

    def T(self, v: Any) -> Any:
        """τ log Σ_a μ(a|s) e^{(R + γPv)/τ}, from the definition."""
        return self.heat * log_mean_exp(ahead(self.M, v) / self.heat, self.weights)

    @cached_property
    def log_pi(self) -> Any:
        """log π*_τ = log μ + (q*_τ − v*_τ)/τ."""
        return log(self.weights) + (self.q - self.V[:, None]) / self.heat

    @cached_property
    def pi(self) -> Any:
        """π*_τ."""
        return ball.exp(self.log_pi) if self.M.is_exact else np.exp(self.log_pi)


@st.composite
def softs(draw: st.DrawFn, /, *, reference: bool = False, S: int = 4, A: int = 3) -> Soft:
    """Random models with at least two actions, a temperature, and a positive reference if asked."""
    M = draw(ck.mdps(S=st.integers(1, S), A=st.integers(2, A)))
    mu = draw(ck.policies(M.S, M.A, positive=True)) if reference else None
    return Soft(M, draw(st.sampled_from(TEMPERATURES)), mu)


def arms(rewards: Any, gamma: Any) -> rl.MDP:
    """One state with these rewards."""
    rewards = rl.exact_array([rewards])
    return rl.MDP(rl.exact_array(np.ones((1, rewards.shape[1], 1), dtype=np.int64)), rewards, gamma)


def lazy_relay(n: int, gamma: Any, bonus: Any) -> rl.MDP:
    """State 0 is absorbing and pays 0 or 1; state i stays for a small bonus, or goes to i − 1 for nothing.

    Policy iteration from action 0 finds the reward one state further an iteration.
    """
    P = np.zeros((n, 2, n), dtype=np.int64)
    R = np.zeros((n, 2), dtype=object)
    P[0, :, 0] = 1
    R[0, 1] = 1
    for i in range(1, n):
        P[i, 0, i] = P[i, 1, i - 1] = 1
        R[i, 0] = bonus
    return rl.MDP(rl.exact_array(P), rl.exact_array(R), gamma)


def mostly_first(n: int, eps: Fraction) -> rl.Policy:
    """Action 0 with probability 1 − eps in each of n states of two actions."""
    return rl.Policy(rl.exact_array([[1 - eps, eps]] * n))
