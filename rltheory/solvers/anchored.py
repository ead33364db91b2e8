"""Anchored value iteration: every backup is pulled back towards the start, less and less.

Definition.  V_k = β_k V_0 + (1 − β_k) T V_{k−1}, β_k = 1/Σ_{i=0}^{k} γ^{−2i}
(= γ^{2k}(1 − γ²)/(1 − γ^{2k+2}); β_k = 0 for k ≥ 1 when γ = 0).

Rate.  ‖TV_k − V_k‖ ≤ (γ⁻¹ − γ)(1 + 2γ − γ^{k+1})/(γ^{−(k+1)} − γ^{k+1}) · max(‖V_0 − V*‖, ‖V_0 − V̂‖),
V̂ the fixed point of the operator with min for max; as γ → 1 that is 2/(k+1) times the maximum,
where plain value iteration may not move at all.

Stopping.  As value iteration, from the span of TV_k − V_k.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import span, sup_norm
from ..kernels.bellman_csr import CONVERGED, STALLED
from ..models.mdp import MDP
from ..operators._arrays import pair_arrays
from ..operators.bellman import bellman
from ..results.solution import Solution
from .base import TOL, certified, check_max_iter, check_tol, start_vector


@dataclass(frozen=True)
class AnchoredValueIteration:
    """V_k = β_k V_0 + (1 − β_k) T V_{k−1}.

    Parameters
    ----------
    tol
        Error allowed, relative to max(1, ‖V‖).
    max_iter
        Backups allowed; reaching it is Status.MAX_ITER.
    V0
        (S,) start and anchor; zeros if None.

    Notes
    -----
    `Solution.residuals[k]` is ‖TV_k − V_k‖, k = 0, 1, …, the quantity of the rate.  Exact models are
    iterated in rationals.

    Complexity: O(nnz(P)) a backup.

    Source: Lee and Ryu 2023.
    """

    tol: float = TOL
    max_iter: int = 1_000_000
    V0: ArrayLike | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_tol(self.tol)
        check_max_iter(self.max_iter)

    @np.errstate(all="ignore")
    def run(self, mdp: MDP, /) -> Solution:
        """Solve a discounted model in either number system."""
        T, gamma = bellman(mdp), mdp.gamma
        anchor = start_vector(mdp, self.V0)
        one: Any = Fraction(1) if mdp.is_exact else 1.0
        noise, rmax = (0.0, 0.0) if mdp.is_exact else (pair_arrays(mdp).noise, float(sup_norm(mdp.R_pairs)))
        V, TV, k, how = anchor.copy(), T(anchor), 0, 0
        residuals = [float(sup_norm(TV - V))]
        tol = Fraction(self.tol) if mdp.is_exact else self.tol
        while True:
            how = _stop(gamma, TV, TV - V, tol, noise, rmax)
            if how != 0 or k + 1 >= self.max_iter:
                break
            k += 1
            beta = gamma ** (2 * k) * (one - gamma * gamma) / (one - gamma ** (2 * k + 2))
            V = beta * anchor + (one - beta) * TV
            TV = T(V)
            residuals.append(float(sup_norm(TV - V)))
        B = TV - V
        shift = gamma / (one - gamma) * (B.max() + B.min()) / 2 if how in (CONVERGED, STALLED) else 0 * one
        return certified(
            mdp, TV + shift, solver=type(self).__name__, tol=self.tol, midpoint=True,
            max_iter_reached=how == 0, iterations=k + 1, backups=k + 1, residuals=residuals,
        )  # fmt: skip


def _stop(gamma: Any, V: Any, B: Any, tol: Any, noise: float, rmax: float) -> int:
    """The stopping rule of `kernels.bellman_csr`; NaN stops as a failure."""
    if B.dtype != object and not np.isfinite(B).all():
        return 3
    factor, width = gamma / (1 - gamma), span(B)
    shift = factor * (B.max() + B.min()) / 2
    norm = max(abs(V.max() + shift), abs(V.min() + shift))
    if factor * width <= 2 * tol * max(1, norm):
        return CONVERGED
    return STALLED if width <= noise * (norm + rmax) and noise > 0 else 0
