"""Modified policy iteration: a greedy step, then m sweeps of the greedy policy.

Definition.  π_k greedy for V_k (so T^{π_k}V_k = TV_k), V_{k+1} = (T^{π_k})^{m+1} V_k.  m = 0 is value
iteration, m → ∞ policy iteration.

Stopping.  As value iteration, from the span of the residual at the greedy steps.

Temporary action elimination.  From V to W, q(s,a) gains on q(s,b) at most γ·sp(W − V), so actions that
are further behind are passed over until V has drifted that far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from flint import fmpq
from numpy.typing import ArrayLike

from ..arrays import FloatVec, sup_norm
from ..errors import InvalidArgument
from ..kernels import exact as rational
from ..kernels.pick import Device, check_device
from ..models.mdp import MDP
from ..operators._arrays import PairArrays
from ..operators._device import pairs_on
from ..results.solution import Solution
from .base import (
    TOL,
    certified,
    check_max_iter,
    check_tol,
    exact_stop,
    start_vector,
    sweep_to_tolerance,
)


@dataclass(frozen=True)
class ModifiedPolicyIteration:
    """V ← (T^π)^{m+1} V with π greedy for V, until the span of the residual certifies the tolerance.

    Parameters
    ----------
    tol
        Error allowed, relative to max(1, ‖V‖).
    max_iter
        Greedy steps allowed; reaching it is Status.MAX_ITER.
    sweeps
        m ≥ 1, or "adaptive": sweep until the policy's residual span is a fifth of the step's, at
        most 1000 times; to the tolerance once the policy repeats.  Exact models take 10 for that.
    V0
        (S,) start; zeros if None.
    max_sweeps
        Sweeps allowed in all if `sweeps` is "adaptive"; reaching them is Status.MAX_ITER.
    give_up
        End with Status.MAX_ITER as soon as 16 sweeps of one policy say that at their pace more than twice
        `max_sweeps` would be needed in all.  In doubles on the CPU; elsewhere all are made.
    device
        "cuda" sweeps on a card (models in doubles); the certificate is computed on the CPU as ever.

    Notes
    -----
    `Solution.iterations` counts greedy steps, `evaluations` the policy sweeps, `backups` both;
    `residuals` holds sp(TV − V) at the greedy steps; `info["loss"]` bounds ‖V* − V^π‖.

    Complexity: O(nnz(P)) a greedy step, less once most actions lag behind; O(nnz(P_π)) a sweep.

    Source: Puterman and Shin 1978; Puterman 1994, §6.5 and §6.7; Hastings and van Nunen 1977.
    """

    tol: float = TOL
    max_iter: int = 100_000
    sweeps: int | Literal["adaptive"] = "adaptive"
    V0: ArrayLike | None = field(default=None, compare=False)
    max_sweeps: int | None = None
    give_up: bool = False
    device: Device = "cpu"

    def __post_init__(self) -> None:
        check_device(self.device)
        check_tol(self.tol)
        check_max_iter(self.max_iter)
        if self.sweeps != "adaptive" and (not isinstance(self.sweeps, int) or self.sweeps < 1):
            raise InvalidArgument(
                f"sweeps={self.sweeps!r}, must be 'adaptive' or an integer ≥ 1; for 0 use ValueIteration()"
            )
        if self.max_sweeps is not None and (not isinstance(self.max_sweeps, int) or self.max_sweeps < 1):
            raise InvalidArgument(f"max_sweeps={self.max_sweeps!r}, must be an integer ≥ 1 or None")
        if self.give_up and (self.max_sweeps is None or self.sweeps != "adaptive"):
            raise InvalidArgument("give_up=True: needs max_sweeps and sweeps='adaptive'")

    def run(self, mdp: MDP, /) -> Solution:
        """Solve a discounted model in either number system."""
        if mdp.is_exact and self.device == "cpu":
            return self._exact(mdp)

        def loop(pairs: PairArrays, V: FloatVec, tol: float, max_iter: int, spans: FloatVec) -> Any:
            m = -(self.max_sweeps or 0) if self.sweeps == "adaptive" else self.sweeps
            pace, rmax = 2.0 if self.give_up else math.inf, float(sup_norm(pairs.R))
            return pairs.kernels.modified_policy_iteration(
                *pairs.model, V, tol, pairs.noise, rmax, max_iter, m, pace, spans
            )

        start = start_vector(mdp, self.V0)
        return sweep_to_tolerance(
            mdp, pairs_on(mdp, self.device), loop, start, type(self).__name__, self.tol, self.max_iter
        )

    def _exact(self, mdp: MDP) -> Solution:
        m, V = mdp.rational, rational.to_fmpq_list(start_vector(mdp, self.V0))
        sweeps = 10 if self.sweeps == "adaptive" else self.sweeps
        spans: list[float] = []
        stopped, extra = False, 0
        most = self.max_sweeps if self.max_sweeps and self.sweeps == "adaptive" else math.inf
        while len(spans) < self.max_iter and extra < most and not stopped:
            new, rows = rational.backup(m, V)
            change = [x - v for x, v in zip(new, V)]
            V, lo, hi = new, min(change), max(change)
            spans.append(float(rational.from_fmpq(hi - lo)))
            stopped = exact_stop(m.gamma, V, lo, hi, self.tol)
            for _ in range(0 if stopped else int(min(sweeps, most - extra))):
                V = [
                    m.R[k]
                    + m.gamma
                    * sum((m.data[j] * V[m.indices[j]] for j in range(m.indptr[k], m.indptr[k + 1])), fmpq(0))
                    for k in rows
                ]
                extra += 1
        n = len(spans)
        return certified(
            mdp, rational.from_fmpq_list(V), solver=type(self).__name__, tol=self.tol, midpoint=True,
            max_iter_reached=not stopped, iterations=n, backups=n + extra, evaluations=extra, residuals=spans,
        )  # fmt: skip
