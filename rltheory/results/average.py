"""What average-reward solvers return: gain between rigorous bounds, bias, and a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..arrays import Real, StateVec
from ..errors import NotConverged
from ..models.policy import Policy
from ..portable import Portable
from .enclosure import Enclosure
from .solution import Status


@dataclass(frozen=True, repr=False, eq=False)
class AverageSolution(Portable):
    """Optimal gain g*(s) = max_π lim (1/n) E Σ_{t<n} R(s_t, a_t), with lower ≤ g* ≤ upper.

    The bounds hold for the stored doubles with every row divided by its sum; for exact models
    lower = gain = upper.

    Attributes
    ----------
    gain, lower, upper
        (S,) gain, per step, and rigorous bounds on the optimal gain (of the policy, if one is evaluated).
    bias
        (S,) bias of `pi`, normalised by P*_π·bias = 0; relative-vi: relative values, 0 in state 0.
        Exact for exact models; in doubles the rounded result of a linear solve, without a bound.
    pi
        The policy.
    status, solver, mdp, iterations, info
        As in `Solution`.
    """

    gain: StateVec
    lower: StateVec
    upper: StateVec
    bias: StateVec
    pi: Policy
    status: Status
    solver: str
    mdp: Any
    iterations: int = 0
    info: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def error(self) -> Real:
        """max_s max(upper − gain, gain − lower): a bound on ‖gain − g*‖; zero for exact solutions."""
        worst: Real = max((self.upper - self.gain).max(), (self.gain - self.lower).max())
        return worst

    @property
    def constant(self) -> bool:
        """True when the gain is the same in every state (in doubles: within its error)."""
        return bool(self.gain.max() - self.gain.min() <= 2 * self.error)

    def value(self, s: int) -> Enclosure:
        """Enclosure of g*(s)."""
        return Enclosure(self.lower[s], self.upper[s])

    def raise_if_failed(self) -> AverageSolution:
        """`self`, or `NotConverged` with the status, the error reached and the remedy."""
        if not self.status.ok:
            raise NotConverged(
                f"{self.solver}: gain error ≤ {float(self.error):.3g} after {self.iterations} iterations; "
                f"{self.status.value}; or pass throw=False to get this result"
            )
        return self

    def __repr__(self) -> str:
        g = ", ".join(f"{float(v):.6g}" for v in self.gain[:4]) + (", …" if len(self.gain) > 4 else "")
        return (
            f"AverageSolution(gain=[{g}], error={float(self.error):.2g}, {self.status.name}, "
            f"{self.solver}, iterations={self.iterations})"
        )
