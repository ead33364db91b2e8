"""Values of finite-horizon models: one vector a step, between bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Real
from ..errors import NotConverged
from ..portable import Portable
from .enclosure import Enclosure
from .solution import Status


@dataclass(frozen=True, repr=False, eq=False)
class HorizonSolution(Portable):
    """V_h for h = 0..H (h = steps already taken, V_H the terminal reward), lower ≤ V_h ≤ upper.

    The bounds hold for the real-number model given by the stored doubles; for exact models
    lower = V = upper.

    Attributes
    ----------
    V, lower, upper
        (H+1, S) values and rigorous bounds: total (discounted) reward from step h on.
    pi
        (H, S) action ids (control, or a deterministic policy evaluated) or (H, S, A) probabilities.
    status, solver
        As in `Solution`.
    mdp
        The `FiniteHorizonMDP` solved.
    backups
        Number of one-step backups, H.
    """

    V: NDArray[Any]
    lower: NDArray[Any]
    upper: NDArray[Any]
    pi: NDArray[Any]
    status: Status
    solver: str
    mdp: Any
    backups: int

    @property
    def error(self) -> Real:
        """max |bound − V|: a bound on the error of every V_h(s); zero for exact models."""
        if not self.status.ok:
            return float("inf")
        gap: Real = max((self.upper - self.V).max(), (self.V - self.lower).max())
        return gap

    @property
    def Q(self) -> NDArray[Any]:
        """(H, S, A) values R_h + γP_h V_{h+1} of the reported V; −inf where not allowed."""
        P, R = self.mdp.P, self.mdp.R
        return np.stack([R[h] + self.mdp.gamma * P[h].dot(self.V[h + 1]) for h in range(self.mdp.H)])

    def value(self, s: int, h: int = 0) -> Enclosure:
        """Enclosure of V_h(s)."""
        return Enclosure(self.lower[h, s], self.upper[h, s])

    def raise_if_failed(self) -> HorizonSolution:
        """`self`, or `NotConverged` when a bound is infinite."""
        if not self.status.ok:
            raise NotConverged(
                f"{self.solver}: error ≤ {float(self.error):.3g}; {self.status.value}; "
                "or pass throw=False to get this result"
            )
        return self

    def __repr__(self) -> str:
        V = ", ".join(f"{float(v):.6g}" for v in self.V[0, :4]) + (", …" if self.V.shape[1] > 4 else "")
        return (
            f"HorizonSolution(V[0]=[{V}], H={self.mdp.H}, error={float(self.error):.2g}, "
            f"{self.status.name}, {self.solver})"
        )
