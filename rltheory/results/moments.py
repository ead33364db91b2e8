"""Mean and variance of a return, per state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Real, float_array
from ..portable import Portable
from .enclosure import Enclosure


@dataclass(frozen=True, repr=False, eq=False)
class Moments(Portable):
    """E and Var of the return of a policy, lower ≤ Var ≤ upper.

    Attributes
    ----------
    mean, variance
        (S,), or (H+1, S) for finite horizons (return from step h on).
    mean_lower, mean_upper, lower, upper
        Rigorous bounds on the mean and on the variance; equal to them on exact models.
    one_step
        (S,) or (H, S) variance of reward plus discounted value of the next state, given the state.
    mdp
        The model; rows are read as divided by their sums.
    """

    mean: NDArray[Any]
    variance: NDArray[Any]
    mean_lower: NDArray[Any]
    mean_upper: NDArray[Any]
    lower: NDArray[Any]
    upper: NDArray[Any]
    one_step: NDArray[Any]
    mdp: Any

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation, in doubles."""
        out: NDArray[np.float64] = np.sqrt(np.maximum(float_array(self.variance), 0.0))
        return out

    @property
    def error(self) -> Real:
        """Largest distance of a variance to its bounds."""
        gap: Real = max((self.upper - self.variance).max(), (self.variance - self.lower).max())
        return gap

    def value(self, s: int, h: int | None = None) -> Enclosure:
        """Enclosure of the variance at state s (from step h on, for finite horizons)."""
        at = s if h is None else (h, s)
        return Enclosure(self.lower[at], self.upper[at])

    def __repr__(self) -> str:
        first = self.variance if self.variance.ndim == 1 else self.variance[0]
        shown = ", ".join(f"{float(v):.6g}" for v in first[:4]) + (", …" if len(first) > 4 else "")
        return f"Moments(variance=[{shown}], error={float(self.error):.2g})"
