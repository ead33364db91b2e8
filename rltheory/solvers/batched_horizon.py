"""Backward induction for thousands of small finite-horizon models in one compiled call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatVec, IntVec, frozen
from ..errors import InvalidArgument, InvalidModel, NotConverged
from ..kernels import batched, horizon
from ..results.enclosure import Enclosure
from .batched import checked_batch


@dataclass(frozen=True, repr=False, eq=False)
class BatchHorizonSolution:
    """V_h of B finite-horizon models, each within a rigorous bound for the stored doubles.

    Attributes
    ----------
    V
        (B, H+1, S) total (discounted) reward from step h on; V[:, H] is the terminal reward.
    bound
        (B, H+1) largest error of V[b, h]: rounding only; infinite where numbers overflowed.
    pi
        (B, H, S) optimal actions.
    """

    V: FloatVec
    bound: FloatVec
    pi: IntVec

    @property
    def error(self) -> FloatVec:
        """(B,) largest `bound` of each model."""
        return np.asarray(self.bound.max(axis=1))

    @property
    def lower(self) -> FloatVec:
        """(B, H+1, S) lower bounds."""
        return self._shifted(-1)

    @property
    def upper(self) -> FloatVec:
        """(B, H+1, S) upper bounds."""
        return self._shifted(1)

    def value(self, b: int, s: int, h: int = 0) -> Enclosure:
        """Enclosure of V_h(s) in model b."""
        x, e = float(self.V[b, h, s]), float(self.bound[b, h])
        if not e < np.inf:
            return Enclosure(-np.inf, np.inf)
        return Enclosure(float(np.nextafter(x - e, -np.inf)), float(np.nextafter(x + e, np.inf)))

    def raise_if_failed(self) -> BatchHorizonSolution:
        """`self`, or `NotConverged` naming the first model whose numbers overflowed."""
        bad = ~np.isfinite(self.error)
        if bad.any():
            raise NotConverged(
                f"solve_horizon_batch: model {int(np.argmax(bad))} overflowed ({bad.sum()} of {len(bad)}); "
                "scale the rewards, or solve it alone with FiniteHorizonMDP(...).exact()"
            )
        return self

    def _shifted(self, sign: int) -> FloatVec:
        far = sign * np.inf
        with np.errstate(invalid="ignore", over="ignore"):
            moved = np.nextafter(self.V + sign * self.bound[:, :, None], far)
        return np.where(np.isfinite(self.bound)[:, :, None], moved, far)

    def __repr__(self) -> str:
        B, steps, S = self.V.shape
        return f"BatchHorizonSolution(B={B}, H={steps - 1}, S={S}, error={self.error.max():.2g})"


def solve_horizon_batch(
    P: ArrayLike,
    R: ArrayLike,
    H: int,
    gamma: float | Sequence[float] | FloatVec = 1.0,
    *,
    terminal_reward: ArrayLike | None = None,
) -> BatchHorizonSolution:
    """V_h = max_a [R + γPV_{h+1}], h = H−1..0, of B stationary models of one shape.

    Parameters
    ----------
    P
        (B, S, A, S) transition probabilities, the same at every step.
    R
        (B, S, A) rewards per step.
    H
        Number of steps, ≥ 1.
    gamma
        Discount in [0, 1], one or (B,).
    terminal_reward
        (S,) or (B, S) values of V_H; zeros if None.

    Returns
    -------
    BatchHorizonSolution
        Values, a time-dependent optimal policy (lowest action within 1e-12·max(1, ‖V_{h+1}‖) of the
        maximum) and rigorous error bounds.

    Raises
    ------
    InvalidModel
        Naming the first offending model, state and action; for terminal rewards that are not finite.
    InvalidArgument
        If H is not an integer ≥ 1.

    Complexity: O(B·H·S²A); memory 16 bytes for each of the B·H·S values and actions.

    Source: Bellman 1957; Puterman 1994, §4.5.

    Examples
    --------
    >>> solve_horizon_batch([[[[1.0]]]], [[[2.0]]], H=3).V[0, :, 0].tolist()
    [6.0, 4.0, 2.0, 0.0]
    """
    if isinstance(H, bool) or not isinstance(H, (int, np.integer)) or H < 1:
        raise InvalidArgument(f"H={H!r}, must be an integer ≥ 1: the number of steps")
    P, R, g = checked_batch(P, R, gamma, largest=1.0)
    B, S, _ = R.shape
    V, pi = np.empty((B, H + 1, S)), np.empty((B, H, S), dtype=np.int64)
    V[:, H] = _terminal(terminal_reward, B, S)
    bound = np.empty((B, H + 1))
    rows, rewards = P.reshape(B, -1, S), R.reshape(B, -1)
    batched.induct_models(rows, rewards, g, V, pi)
    horizon.horizon_errors(rows, rewards, g, V, bound)
    return BatchHorizonSolution(frozen(V), frozen(bound), frozen(pi))


def _terminal(reward: ArrayLike | None, B: int, S: int) -> FloatVec:
    value = np.zeros(S) if reward is None else np.asarray(reward, dtype=np.float64)
    if value.shape not in ((S,), (B, S)) or not np.isfinite(value).all():
        raise InvalidModel(
            f"terminal_reward: shape={value.shape}, must be ({S},) or ({B}, {S}) finite numbers"
        )
    return value
