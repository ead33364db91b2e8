"""What the average-reward claims let x be: chains, models with every policy's gain and bias.

Definitions.  P* = lim (1/n) Σ_{k<n} P^k, H = (I−P+P*)⁻¹(I−P*) the deviation matrix; gain g = P*r, bias
h = Hr.  T v = max_a [R + P v] is undiscounted here.  Everything is rational; chains may be periodic and
have several recurrent classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec
from rltheory.checks import strategies as ck
from rltheory.kernels import chain
from rltheory.kernels import exact as ex
from rltheory.results.average import AverageSolution

from .lets import exact

HALF = Fraction(1, 2)
SIGNED = (-1.0, 1.0)


@dataclass(frozen=True)
class Chain:
    """Let M be a model with one action: a Markov chain P with rewards r."""

    M: rl.MDP

    @cached_property
    def P(self) -> Any:
        """(S, S) transition matrix."""
        return self.M.P[:, 0, :]

    @cached_property
    def r(self) -> StateVec:
        """(S,) rewards."""
        return self.M.R[:, 0]

    @cached_property
    def eye(self) -> Any:
        """I."""
        return rl.exact_array(np.eye(self.M.S, dtype=np.int64))

    @cached_property
    def P_star(self) -> Any:
        """P*."""
        return chain.limiting_matrix(self.P)

    @cached_property
    def H(self) -> Any:
        """Deviation matrix."""
        return chain.deviation_matrix(self.P)

    @cached_property
    def Z(self) -> Any:
        """Fundamental matrix (I − P + P*)⁻¹."""
        return chain.fundamental_matrix(self.P)

    @cached_property
    def rho(self) -> Fraction:
        """1/(10·rad) rounded down to 1/integer, rad the spectral radius of H; 1/10 if H = 0."""
        rad = max(abs(np.linalg.eigvals(self.H.astype(float))))
        return Fraction(1, max(10, math.ceil(10 * rad * (1 + 1e-9))))

    @property
    def gamma(self) -> Fraction:
        """γ = 1/(1 + ρ)."""
        return 1 / (1 + self.rho)

    @cached_property
    def V(self) -> StateVec:
        """v_γ = (I − γP)⁻¹ r."""
        return rl.evaluate(self.M.replace(gamma=self.gamma), np.zeros(self.M.S, dtype=int)).V

    @cached_property
    def partial_sum(self) -> StateVec:
        """(1+ρ) Σ_{k=−1}^{29} ρ^k y_k with the library's terms."""
        y = chain.laurent_terms(self.P, self.r, 29)
        total: StateVec = sum(self.rho ** (k - 1) * term for k, term in enumerate(y))
        return (1 + self.rho) * total

    def series(self, H: Any, terms: int) -> StateVec:
        """The same from y_{−1} = P*r, y_0 = Hr, y_k = −H y_{k−1} for a given H."""
        y, weight = ex.matmul(H, self.r), Fraction(1)
        total = self.P_star.dot(self.r) / self.rho
        for _ in range(terms + 1):
            total = total + weight * y
            y, weight = -ex.matmul(H, y), weight * self.rho
        return (1 + self.rho) * total


@dataclass(frozen=True)
class Average:
    """Let M be a model; g is its optimal gain and h the bias of a bias-optimal policy."""

    M: rl.MDP

    @cached_property
    def solution(self) -> AverageSolution:
        """Multichain policy iteration down to the bias."""
        return rl.AverageReward(criterion="bias").run(self.M)

    @property
    def g(self) -> StateVec:
        """Optimal gain."""
        return self.solution.gain

    @property
    def h(self) -> StateVec:
        """Bias of a bias-optimal policy."""
        return self.solution.bias

    @property
    def constant_gain(self) -> bool:
        """True when the optimal gain is the same in every state."""
        return bool((self.g == self.g[0]).all())

    def T(self, v: StateVec) -> StateVec:
        """max_a [R(s,a) + Σ P(s'|s,a) v(s')]."""
        out: StateVec = (self.M.R + self.M.P @ v).max(axis=1)
        return out

    def long_run(self, v: StateVec) -> StateVec:
        """P*_π v for the policy found."""
        out: StateVec = chain.limiting_matrix(rl.transition_matrix(self.M, self.solution.pi)) @ v
        return out

    # ---- by enumeration ------------------------------------------------------------------
    @cached_property
    def policies(self) -> list[Any]:
        """All deterministic policies."""
        return [np.array(d) for d in product(range(self.M.A), repeat=self.M.S)]

    @cached_property
    def averages(self) -> list[AverageSolution]:
        """Gain and bias of each of them."""
        return [rl.solvers.average_value(self.M, d) for d in self.policies]

    @cached_property
    def best_gain(self) -> StateVec:
        """max_π g^π, state by state."""
        return np.array([x.gain for x in self.averages]).max(axis=0)

    @cached_property
    def gain_optimal(self) -> list[int]:
        """Indices of the gain-optimal policies."""
        return [i for i, x in enumerate(self.averages) if (x.gain == self.best_gain).all()]

    @cached_property
    def best_bias(self) -> StateVec:
        """max h^π over gain-optimal π, state by state."""
        return np.array([self.averages[i].bias for i in self.gain_optimal]).max(axis=0)

    @cached_property
    def worst(self) -> int:
        """The gain-optimal policy with the least Σ_s h^π(s)."""
        return min(self.gain_optimal, key=lambda i: self.averages[i].bias.sum())

    @cached_property
    def worst_bias(self) -> StateVec:
        """Its bias."""
        return self.averages[self.worst].bias

    @cached_property
    def aperiodic(self) -> rl.MDP:
        """(1−τ)I + τP and τR with τ = ½."""
        return half_time(self.M)


def half_time(M: rl.MDP) -> rl.MDP:
    """The aperiodicity transform with τ = ½: P ← (I + P)/2, R ← R/2."""
    stay = rl.exact_array(np.eye(M.S, dtype=np.int64))[:, None, :]
    return rl.MDP((M.P + stay) / 2, M.R / 2, M.gamma)


Family = Literal["any", "unichain", "absorbing", "tied"]


@st.composite
def models(
    draw: st.DrawFn,
    S: int = 3,
    A: int = 2,
    families: tuple[Family, ...] = ("any", "unichain", "absorbing", "tied"),
    gamma: Any = None,
) -> rl.MDP:
    """Exact models of 2..S states with rewards in [−1, 1].

    "any" has several classes and periods; "unichain" has positive rows; in "absorbing" the last state
    keeps everything that enters it, at reward 0, and is entered from everywhere, so every policy has
    gain 0 and only the bias tells them apart.  In "tied" moves are certain and rewards −1, 0 or 1, so
    different classes often have equal gains.
    """
    family = draw(st.sampled_from(families))
    named: dict[Family, ck.Rows] = {"unichain": "dense", "tied": "deterministic"}
    rows = named.get(family, "mixed")
    size = draw(st.integers(2, S))
    M = draw(ck.mdps(S=size, A=st.integers(1, A), gamma=gamma, rewards=SIGNED, rows=rows, exact=True))
    if family == "tied":
        return M.replace(R=exact([[round(x) for x in row] for row in M.R]))
    if family != "absorbing":
        return M
    P, R = M.P.copy(), M.R.copy()
    P[:, :, -1] += 1
    P = P / 2
    P[-1], R[-1] = exact([0] * (M.S - 1) + [1]), Fraction(0)
    return rl.MDP(P, R, M.gamma)


def puterman(gamma: Any = Fraction(9, 10)) -> rl.MDP:
    """Puterman's two-state example with a second, equal action in state 1."""
    P = exact([[[HALF, HALF], [0, 1]], [[0, 1], [0, 1]]])
    return rl.MDP(P, exact([5, 10], [-1, -1]), gamma)


def descend() -> rl.MDP:
    """State 0 pays 1 and moves to the absorbing state 1, which pays 0: g = 0, h = (1, 0)."""
    return rl.MDP([[[0, 1]], [[0, 1]]], exact([1], [0]), Fraction(9, 10))


def two_cycle(r0: Any = 1, r1: Any = 0) -> rl.MDP:
    """Two states that swap for ever, paying r0 and r1."""
    return rl.MDP([[[0, 1]], [[1, 0]]], exact([r0], [r1]), 0)


def ladder() -> rl.MDP:
    """State 0 moves for 100 to state 1 (0 for ever) or for 0 to state 2 (1 for ever): gains 1, 0, 1."""
    P = exact([[[0, 1, 0], [0, 0, 1]], [[0, 1, 0]] * 2, [[0, 0, 1]] * 2])
    return rl.MDP(P, exact([100, 0], [0, 0], [1, 1]), Fraction(9, 10))
