"""A chain of outcomes with an encoding: fixed points between rational bounds, V^π by a linear solve."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, sup_norm
from rltheory.checks import strategies as ck
from rltheory.kernels.exact import solve_linear
from rltheory.models.gallery.outcomes import outcome_family
from rltheory.models.outcomes import OutcomeMDP
from rltheory.operators import HLGauss, encoded_bellman, policy_chain
from rltheory.operators.encoding_bias import hl_gauss_bias_bound
from rltheory.solvers import CrossEntropyTD, EncodedValue

from .lets import biggest, real

F = Fraction


@dataclass(frozen=True)
class Chain:
    """Let M be a chain of outcomes, code an encoding, start where the iteration begins."""

    M: OutcomeMDP
    code: Any
    start: Any

    @property
    def still(self) -> Any:
        """The only policy."""
        return np.zeros(self.M.S, dtype=np.int64)

    @cached_property
    def V(self) -> StateVec:
        """V^π: the solution of (I − γP)V = r, written down from the outcomes."""
        M = self.M
        state = np.repeat(np.arange(M.S), np.diff(M.outcome_ptr))
        A: Any = np.eye(M.S)
        r: Any = np.zeros(M.S)
        if M.is_exact:
            A, r = rl.exact_array(A), rl.exact_array(r)
        np.subtract.at(A, (state, M.next_state), M.gamma * M.prob)
        np.add.at(r, state, M.prob * M.reward)
        return solve_linear(A, r) if M.is_exact else np.linalg.solve(A, r)

    def F(self, Q: Any, code: Any = None) -> Any:
        """FQ."""
        return encoded_bellman(self.M, self.still, code or self.code)(Q)

    def solution(self, start: Any) -> EncodedValue:
        """The fixed point reached from `start`."""
        return CrossEntropyTD(self.still, self.code, start=start).run(self.M)

    @cached_property
    def fixed(self) -> EncodedValue:
        """The one reached from the start given."""
        return self.solution(self.start)

    @cached_property
    def error(self) -> Any:
        """‖Q − V^π‖: between the distances of both ends in rationals, one number in doubles."""
        if not self.M.is_exact:
            return float(sup_norm(self.fixed.Q - self.V))
        ends = (abs(self.fixed.lower - self.V), abs(self.fixed.upper - self.V))
        width = self.fixed.upper - self.fixed.lower
        far = max(np.maximum(*ends))
        return rl.Enclosure(max(F(0), max(np.maximum(*ends) - width)), far)

    @cached_property
    def gap(self) -> Any:
        """How far the greatest fixed point is above the least one, at least."""
        low, high = self.solution("low"), self.solution("high")
        return max(high.lower - low.upper) if self.M.is_exact else float(max(high.Q - low.Q)) - 1e-9

    def targets(self, Q: Any) -> list[Any]:
        """r + γQ(s') of every outcome, clipped to the range if the encoding clips."""
        y = real(self.M.reward) + real(self.M.gamma) * real(Q)[self.M.next_state]
        if self.code.clip:
            low, high = real(self.code.v_min), real(self.code.v_max)
            y = [v.max(low).min(high) if isinstance(v, arb) else min(max(v, low), high) for v in y]
        return list(y)

    @cached_property
    def bias_bound(self) -> Any:
        """B': the two-part bound at the worst target of the fixed point."""
        Q: Any = self.fixed.Q
        if self.M.is_exact:
            Q = np.array(
                [arb(*_middle(a, b)) for a, b in zip(self.fixed.lower, self.fixed.upper, strict=True)]
            )
        return biggest([hl_gauss_bias_bound(y, self.code.edges, self.code.sigma) for y in self.targets(Q)])

    @cached_property
    def horizon(self) -> Any:
        """1/(1−γ)."""
        return 1 / (1 - self.M.gamma)

    @property
    def in_range(self) -> bool:
        """r + γQ stays in range for every readout Q."""
        low, high = self.M.gamma * self.code.v_min, self.M.gamma * self.code.v_max
        return bool(
            self.M.reward.min() + low >= self.code.v_min and self.M.reward.max() + high <= self.code.v_max
        )


def _middle(a: Fraction, b: Fraction) -> tuple[Any, Any]:
    """Mid-point and radius of an interval as balls."""
    return real((a + b) / 2).mid(), real(b - a).upper() + real((a + b) / 2).rad()


@st.composite
def models(draw: st.DrawFn, most: int = 3) -> OutcomeMDP:
    """Chains of up to three states, two outcomes each, rewards in [−1, 1] on a grid of 1/32, γ up to 0.9."""
    S = draw(st.integers(1, most))
    gamma = draw(st.sampled_from((0.5, 45 / 64, 115 / 128)))
    rows = []
    for _ in range(S):
        p = draw(ck.laws(2))
        r, t = draw(st.tuples(*[st.integers(-32, 32)] * 2)), draw(st.tuples(*[st.integers(0, S - 1)] * 2))
        rows.append([[(float(p[j]), t[j], r[j] / 32) for j in range(2)]])
    return OutcomeMDP.from_lists(rows, gamma=gamma)


def reach(M: OutcomeMDP) -> float:
    """A power of two at least 1/(1−γ): the size of values."""
    return 2.0 ** np.ceil(np.log2(1 / (1 - float(M.gamma))))


@st.composite
def chains(draw: st.DrawFn, rhos: tuple[float, ...] = (0.125, 0.25, 0.5, 0.75), clip: bool = False) -> Chain:
    """Chains with HL-Gauss of 8 to 24 bins; with `clip`, one range in four is far too short."""
    M = draw(models())
    top = reach(M) * (1 / 16 if clip and draw(st.integers(0, 3)) == 3 else 1.0)
    m = draw(st.sampled_from((8, 16, 24)))
    start = draw(st.sampled_from(("low", "high")))  # from elsewhere it may go round in circles
    return Chain(M, HLGauss(-top, top, m, clip, draw(st.sampled_from(rhos))), start)


def family(code: Any, start: Any = 0) -> Chain:
    """FM(4, 2, 2, 5) under π = (0, 1, 0, 1), γ = 9/10."""
    return Chain(policy_chain(outcome_family(4, 2, 2, 5, F(9, 10)), [0, 1, 0, 1]), code, start)


def hl(rho: Any, half: int = 25) -> HLGauss:
    """51 bins."""
    return HLGauss(F(-half), F(half), 51, rho=rho)
