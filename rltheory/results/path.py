"""Policies visited by a policy-gradient method, with their values between bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from ..arrays import Real
from ..models.policy import Policy
from ..portable import Portable


@dataclass(frozen=True, repr=False, eq=False)
class PolicyPath(Portable):
    """π_0, …, π_T of a softmax method and V^{π_t} with lower ≤ V^{π_t} ≤ upper.

    Attributes
    ----------
    V, lower, upper
        (T+1, S) values (regularised, where the method is) and rigorous bounds.  In doubles they speak
        of the policies as stored; on exact models of the exact iterates, and are rationals.
    Q
        (T+1, S, A) R + γPV of the values reported; −inf where not allowed.
    pi, log_pi
        (T+1, S, A) probabilities and their logarithms (doubles; logarithms do not underflow).
    log_Z
        (T, S) log Σ_a π_t exp(step·advantage), the log-normaliser of each update.
    eta
        (T,) step sizes used.
    solver, mdp
        Name of the method; the model.
    balls
        On exact models, python-flint balls of the exact iterates over the N pairs: "pi", "log_pi",
        "q" (T+1 lists of N), "V" (T+1 lists of S), "log_Z" (T lists of S), "eta" (list of T).
    """

    V: NDArray[Any]
    lower: NDArray[Any]
    upper: NDArray[Any]
    Q: NDArray[Any]
    pi: NDArray[Any]
    log_pi: NDArray[Any]
    log_Z: NDArray[Any]
    eta: NDArray[Any]
    solver: str
    mdp: Any
    balls: Mapping[str, list[Any]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def T(self) -> int:
        """Number of updates."""
        return int(self.V.shape[0]) - 1

    @property
    def error(self) -> Real:
        """Largest distance of a value to its bounds."""
        gap: Real = max((self.upper - self.V).max(), (self.V - self.lower).max())
        return gap

    def policy(self, t: int = -1) -> Policy:
        """π_t in doubles."""
        return Policy(self.pi[t] / self.pi[t].sum(axis=1, keepdims=True))

    def __repr__(self) -> str:
        first, last = (float(self.V[t].sum()) / self.V.shape[1] for t in (0, -1))
        error = float(self.error)
        return f"PolicyPath(T={self.T}, mean V: {first:.6g} → {last:.6g}, error={error:.2g}, {self.solver})"
