"""Block E, third part: value and policy iteration with errors, and periodic policies made of their traces.

Definitions.  π_k is greedy for v_{k−1}; AVI sets v_k = T v_{k−1} + e_k, API v_k = v^{π_k} + e_k, ‖e_k‖ ≤ ε
for k ≥ 1; L_k = ‖v* − v^{π_k}‖.  The loop of length ℓ applies π_k, then π_{k−1}, …, π_{k−ℓ+1}, and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import rltheory as rl
from rltheory import gallery
from rltheory.arrays import StateVec, sup_norm
from rltheory.checks import CERTIFIED, Claim, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels.exact import matmul, solve_linear

from .approximation import models, vertex
from .lets import PAPER

GAMMA = Fraction(9, 10)

Scheme = Literal["avi", "api"]


def loop_value(M: rl.MDP, loop: Sequence[rl.Policy]) -> StateVec:
    """Value of the periodic policy that applies loop[0], loop[1], …, loop[−1], loop[0], …

    It is the fixed point x = c + Cx of T^{loop[0]}∘…∘T^{loop[−1]}.
    """
    dot = matmul if M.is_exact else np.matmul
    eye = rl.exact_array(np.eye(M.S, dtype=np.int64)) if M.is_exact else np.eye(M.S)
    C, c = eye, 0 * M.gamma * np.ones(M.S, dtype=eye.dtype)
    for pi in reversed(loop):
        P = rl.transition_matrix(M, pi)
        C, c = M.gamma * dot(P, C), rl.reward_vector(M, pi) + M.gamma * dot(P, c)
    solve = solve_linear if M.is_exact else np.linalg.solve
    out: StateVec = solve(eye - C, c)
    return out


@dataclass(frozen=True)
class Iteration:
    """Let v_0 = v* + start, and let errors[k−1] = e_k for k = 1..K."""

    M: rl.MDP
    start: StateVec
    errors: NDArray[Any]

    @property
    def K(self) -> int:
        """Number of steps."""
        return len(self.errors)

    @cached_property
    def star(self) -> StateVec:
        """v*."""
        return rl.solve(self.M).V

    @cached_property
    def eps(self) -> Any:
        """ε = max ‖e_k‖."""
        return sup_norm(self.errors)

    @cached_property
    def initial(self) -> Any:
        """‖v_0 − v*‖."""
        return sup_norm(self.start)

    def policies(self, scheme: Scheme) -> list[rl.Policy]:
        """π_1, …, π_K."""
        v, out = self.star + self.start, []
        for e in self.errors:
            out.append(rl.greedy(self.M, v))
            v = (rl.bellman(self.M)(v) if scheme == "avi" else rl.evaluate(self.M, out[-1]).V) + e
        return out

    @cached_property
    def avi(self) -> list[rl.Policy]:
        """Policies of approximate value iteration."""
        return self.policies("avi")

    @cached_property
    def L_avi(self) -> list[Any]:
        """L_1..L_K of AVI."""
        return [sup_norm(self.star - rl.evaluate(self.M, pi).V) for pi in self.avi]

    @cached_property
    def L_api(self) -> list[Any]:
        """L_1..L_K of API."""
        return [sup_norm(self.star - rl.evaluate(self.M, pi).V) for pi in self.policies("api")]

    @cached_property
    def L_loops(self) -> list[Any]:
        """Losses of the loops of length ℓ = 1..K of AVI that begin with π_K."""
        loops = [self.avi[self.K - ell :][::-1] for ell in range(1, self.K + 1)]
        return [sup_norm(self.star - loop_value(self.M, loop)) for loop in loops]

    def bounds(self, horizons: int = 2) -> list[Any]:
        """2(γ−γ^k)ε/(1−γ)² + 2γ^k‖v_0−v*‖/(1−γ), k = 1..K."""
        g = self.M.gamma
        return [
            2 * (g - g**k) * self.eps / (1 - g) ** horizons + 2 * g**k * self.initial / (1 - g)
            for k in range(1, self.K + 1)
        ]

    def limit(self, factor: int = 2) -> Any:
        """2γε/(1−γ)², and what is left of the start after K steps."""
        g = self.M.gamma
        return factor * g * self.eps / (1 - g) ** 2 + 2 * g**self.K * self.initial / (1 - g)

    def steps(self, horizons: int = 1) -> list[Any]:
        """γL_k + 2γε/(1−γ), k = 1..K−1, for API."""
        g = self.M.gamma
        return [g * loss + 2 * g * self.eps / (1 - g) ** horizons for loss in self.L_api[:-1]]

    def loop_bounds(self, start: int = 1) -> list[Any]:
        """2/(1−γ^ℓ)·((γ−γ^K)ε/(1−γ) + γ^K‖v_0−v*‖), ℓ = 1..K."""
        g, K = self.M.gamma, self.K
        total = (g - g**K) * self.eps / (1 - g) + start * g**K * self.initial
        return [2 * total / (1 - g**ell) for ell in range(1, K + 1)]


@st.composite
def iterations(draw: st.DrawFn) -> Iteration:
    """Random models, errors ±ε, starts at or near v*."""
    M = draw(models())
    K, eps = draw(st.integers(2, 5)), draw(st.sampled_from([1 / 64, 1 / 4, 1.0]))
    errors = np.array([draw(vertex(M.S, [eps])) for _ in range(K)])
    start = np.zeros(M.S) if draw(st.booleans()) else draw(vertex(M.S))
    return Iteration(M, start, errors)


def chain(K: int = 12, gamma: Fraction = GAMMA, eps: Fraction = Fraction(1)) -> Iteration:
    """Errors −ε at state k and ε at state k+1: π_k stays exactly in state k."""
    errors = np.array([gallery.avi_api_errors(k, K, gamma, eps) for k in range(1, K + 1)])
    return Iteration(gallery.avi_api_chain(K, gamma, eps), rl.exact_array([0] * K), errors)


avi_api: Claim[Iteration] = Claim(
    statement="AVI and API, ‖e_k‖ ≤ ε: L_k ≤ 2(γ−γ^k)ε/(1−γ)² + 2γ^k‖v_0−v*‖/(1−γ); limsup L_k ≤ 2γε/(1−γ)²",
    source=PAPER.at("Bertsekas, Tsitsiklis 1996, Section 6.2; Scherrer, Lesner 2012"),
    let=iterations(),
    assume=[],
    then=Leq(
        lhs=lambda x: [*x.L_avi, *x.L_api, x.L_avi[-1], x.L_api[-1]],
        rhs=lambda x: [*x.bounds(), *x.bounds(), x.limit(), x.limit()],
    ),
    tight=Tight([chain(), chain(5, Fraction(1, 2), Fraction(1, 3))], within=0),
    mutants=[
        Mutant(
            "one horizon: 2(γ−γ^k)ε/(1−γ), also from v_0 = v*",
            then=Leq(lambda x: [*x.L_avi, *x.L_api], lambda x: 2 * x.bounds(horizons=1)),
        ),
        Mutant(
            "γε/(1−γ)² in the limit",
            then=Leq(lambda x: [x.L_avi[-1], x.L_api[-1]], lambda x: x.limit(factor=1)),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

avi_api_step: Claim[Iteration] = Claim(
    statement="API: L_{k+1} ≤ γL_k + 2γε/(1−γ)",
    source=PAPER.at("Bertsekas, Tsitsiklis 1996, Section 6.2"),
    let=iterations(),
    assume=[],
    then=Leq(lhs=lambda x: x.L_api[1:], rhs=lambda x: x.steps()),
    tight=Tight([chain(), chain(5, Fraction(1, 2), Fraction(1, 3))], within=0),
    mutants=[Mutant("2γε for 2γε/(1−γ)", rhs=lambda x: x.steps(horizons=0))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

nonstationary_loop: Claim[Iteration] = Claim(
    statement="AVI: the loop of the last ℓ policies loses ≤ 2/(1−γ^ℓ)·((γ−γ^k)ε/(1−γ) + γ^k‖v_0−v*‖)",
    source=PAPER.at("Scherrer, Lesner 2012 (arXiv 1211.6898)"),
    let=iterations(),
    assume=[],
    then=Leq(lhs=lambda x: x.L_loops, rhs=lambda x: x.loop_bounds()),
    tight=Tight([chain(), chain(5, Fraction(1, 2), Fraction(1, 3))], within=0),  # at ℓ = 1
    mutants=[
        Mutant("without the initial error", rhs=lambda x: x.loop_bounds(start=0)),
        Mutant(
            "half the bound",
            rhs=lambda x: [b / 2 for b in x.loop_bounds()],
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
