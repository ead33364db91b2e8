"""What a solver returns: values between rigorous bounds, a policy, and how it got there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np

from ..arrays import Real, StateAction, StateVec
from ..errors import NotConverged
from ..models.policy import Policy
from ..portable import Portable
from .enclosure import Enclosure


class Status(Enum):
    """How a solver ended; the text is the remedy."""

    SOLVED = "enclosure width is within the tolerance asked for"
    EXACT = "solved in rational arithmetic; the error is zero"
    MAX_ITER = "iteration limit reached; raise max_iter or use PolicyIteration()"
    STALLED = "rounding stops further progress; the enclosure is as tight as doubles allow: use mdp.exact()"
    FAILED = "no usable value (NaN or singular system); use PolicyIteration() or mdp.exact()"

    @property
    def ok(self) -> bool:
        """True when the requested accuracy was certified."""
        return self in (Status.SOLVED, Status.EXACT)


@dataclass(frozen=True)
class Step(Portable):
    """One iterate of a policy method: π_k and, where it was evaluated, v_k = V^{π_k}."""

    pi: Policy
    V: StateVec | None = None


def error_bound(V: StateVec, lower: StateVec, upper: StateVec) -> Real:
    """max_s max(upper − V, V − lower), rounded up; exact for rationals; infinite if V is not finite."""
    with np.errstate(all="ignore"):
        worst: Real = np.maximum(upper - V, V - lower).max()
    if V.dtype == object:
        return worst
    gap = float(worst)
    if math.isnan(gap):
        return math.inf
    return math.nextafter(gap, math.inf) if gap > 0 else gap  # the differences themselves were rounded


@dataclass(frozen=True, repr=False, eq=False)
class Solution(Portable):
    """V* (or V^π) of a discounted model, with lower ≤ V* ≤ upper componentwise.

    The bounds hold for the real-number model given by the stored doubles, rounding of the
    certificate included; for exact models lower = V = upper.

    Attributes
    ----------
    V
        (S,) value estimate; discounted sum of rewards, first reward undiscounted.
    lower, upper
        (S,) rigorous componentwise bounds.
    pi
        The policy: greedy (control) or the one evaluated.
    status
        `Status`; its value is a remedy.
    solver
        Name of the algorithm that produced `V`.
    reason
        Why it was chosen, when `solve` chose.
    iterations, backups, evaluations
        Improvement steps (sweeps for value iteration), Bellman backups, policy evaluations.
    residuals
        ‖Tv − v‖ (or the span, see the solver) after each iteration.
    trace
        Policies visited, for policy iterations asked for it.
    mdp
        The model solved.
    info
        Solver-specific extras, documented there (LP dual and gap, action elimination, …).
    """

    V: StateVec
    lower: StateVec
    upper: StateVec
    pi: Policy
    status: Status
    solver: str
    mdp: Any
    reason: str = ""
    iterations: int = 0
    backups: int = 0
    evaluations: int = 0
    residuals: tuple[float, ...] = ()
    trace: tuple[Step, ...] = ()
    info: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def error(self) -> Real:
        """max_s max(upper − V, V − lower): a bound on ‖V − V*‖; zero for exact solutions."""
        return error_bound(self.V, self.lower, self.upper)

    @property
    def Q(self) -> StateAction:
        """(S, A) state-action values r + γPV of the reported V; −inf where not allowed."""
        mdp = self.mdp
        data, indices, indptr = mdp.csr
        terms = data * self.V[indices]
        sums = np.zeros(mdp.N, dtype=terms.dtype)
        np.add.at(sums, np.repeat(np.arange(mdp.N), np.diff(indptr)), terms)
        return mdp.unpair(mdp.R_pairs + mdp.gamma * sums)  # type: ignore[no-any-return]

    def value(self, s: int | None = None) -> Enclosure:
        """Enclosure of V*(s), or of Σ μ(s)V*(s) when `s` is None, the rounding of that sum included."""
        if s is not None:
            return Enclosure(self.lower[s], self.upper[s])
        mu = self.mdp.mu
        lo, hi = (mu * self.lower).sum(), (mu * self.upper).sum()
        if self.mdp.is_exact:
            return Enclosure(lo, hi)
        slack = (
            4 * len(mu) * 2.0**-53 * float((mu * np.abs(np.maximum(-self.lower, self.upper))).sum() + 1e-300)
        )
        return Enclosure(lo - slack, hi + slack)

    def raise_if_failed(self) -> Solution:
        """`self`, or `NotConverged` with the status, the error reached and the remedy."""
        if not self.status.ok:
            raise NotConverged(
                f"{self.solver}: error ≤ {float(self.error):.3g} after {self.iterations} iterations; "
                f"{self.status.value}; or pass throw=False to get this result"
            )
        return self

    def to_dataframe(self) -> Any:
        """pandas frame, one row a state: V, lower, upper, action.  Raises `MissingBackend` without pandas."""
        from ..errors import MissingBackend

        try:
            import pandas as pd
        except ImportError as exc:
            raise MissingBackend("to_dataframe needs pandas: pip install rltheory[io]") from exc
        cols: dict[str, Any] = {"V": self.V, "lower": self.lower, "upper": self.upper}
        if self.pi.is_deterministic:
            cols["action"] = self.pi.actions
        return pd.DataFrame(cols, index=list(self.mdp.states) if self.mdp.states else None)

    def __repr__(self) -> str:
        V = ", ".join(f"{float(v):.6g}" for v in self.V[:4]) + (", …" if len(self.V) > 4 else "")
        return (
            f"Solution(V=[{V}], error={float(self.error):.2g}, {self.status.name}, "
            f"{self.solver}, iterations={self.iterations})"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{self.mdp.states[s] if self.mdp.states else s}</td><td>{float(self.V[s]):.10g}</td>"
            f"<td>{float(self.lower[s]):.10g}</td><td>{float(self.upper[s]):.10g}</td></tr>"
            for s in range(min(len(self.V), 20))
        )
        return (
            f"<p>{self!r}</p><table><tr><th>s</th><th>V</th><th>lower</th><th>upper</th></tr>{rows}</table>"
        )
