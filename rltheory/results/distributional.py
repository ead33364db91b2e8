"""Laws of the return, a state a law, each with a bound on its distance to the true one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Real
from ..errors import InvalidArgument, MissingBackend, NotConverged
from ..models.policy import Policy
from ..portable import Portable
from .law import ReturnLaw
from .solution import Status


@dataclass(frozen=True, repr=False, eq=False)
class DistributionalSolution(Portable):
    """η(s), the law of the (H-step or infinite) discounted return from every state.

    Attributes
    ----------
    rows
        (S, m) masses on `grid`, or sorted atoms of mass 1/m; a tuple of `ReturnLaw` for exact atoms.
    errors
        (S,) bounds on w₁(η(s), true law of s): projection, iteration and rounding together.
    grid
        (m,) points of a categorical law, else None.
    pi
        The policy evaluated; None where actions were chosen step by step, then see `actions`.
    status
        SOLVED, EXACT (fixed point or recursion in rationals), MAX_ITER or STALLED.
    solver, reason
        Name of the algorithm; which bound `errors` is.
    model, H
        The outcome lists; the horizon, None if infinite.
    iterations
        Backups made.
    residual
        sup-w₁ between the last two iterates; 0 for exact and finite-horizon results.
    bounds
        Parts and alternatives of the error, by name.
    actions
        (H, S) actions chosen at time t (control, finite horizon), else None.
    clipped
        Largest mass a backup moved to the ends of the grid.
    """

    rows: Any
    errors: NDArray[Any]
    grid: NDArray[Any] | None
    pi: Policy | None
    status: Status
    solver: str
    model: Any
    H: int | None = None
    reason: str = ""
    iterations: int = 0
    residual: Real = 0
    bounds: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    actions: NDArray[np.int64] | None = None
    clipped: Real = 0

    def law(self, s: int) -> ReturnLaw:
        """η(s); its `.error` is `errors[s]`."""
        if not 0 <= s < len(self.errors):
            raise InvalidArgument(f"law: s={s}, states are 0..{len(self.errors) - 1}")
        if isinstance(self.rows, tuple):
            law: ReturnLaw = self.rows[s]
            return law
        row, error = self.rows[s], self.errors[s]
        if self.grid is None:
            m = len(row)
            mass = np.full(m, 1.0 / m) if row.dtype != object else _equal(m)
            return ReturnLaw(row, mass, error=error, kind="quantile")
        weights = row if row.dtype == object else row / row.sum()
        return ReturnLaw(self.grid, weights, error=error, kind="categorical")

    @cached_property
    def laws(self) -> tuple[ReturnLaw, ...]:
        """η(0), …, η(S−1)."""
        return tuple(self.law(s) for s in range(len(self.errors)))

    @property
    def error(self) -> Real:
        """max_s errors[s]: a bound on the sup-w₁ distance to the true laws."""
        worst: Real = max(self.errors.tolist())
        return worst

    @property
    def V(self) -> NDArray[Any]:
        """(S,) means of the laws, each within its error of V^π."""
        return np.array([law.mean for law in self.laws])

    def raise_if_failed(self) -> DistributionalSolution:
        """`self`, or `NotConverged` with the residual and the remedy."""
        if not self.status.ok:
            raise NotConverged(
                f"{self.solver}: residual {float(self.residual):.3g} after {self.iterations} backups; "
                f"{self.status.value}"
            )
        return self

    def to_dataframe(self) -> Any:
        """pandas frame, one row a state: mean, std, error, atoms.  Raises `MissingBackend` without pandas."""
        try:
            import pandas as pd
        except ImportError as exc:
            raise MissingBackend("to_dataframe needs pandas: pip install rltheory[io]") from exc
        laws = self.laws
        columns = {
            "mean": [law.mean for law in laws],
            "std": [law.std for law in laws],
            "error": self.errors.tolist(),
            "atoms": [len(law) for law in laws],
        }
        return pd.DataFrame(columns, index=list(self.model.states) if self.model.states else None)

    def __repr__(self) -> str:
        n = "" if isinstance(self.rows, tuple) else f", m={self.rows.shape[1]}"
        horizon = "" if self.H is None else f", H={self.H}"
        return (
            f"DistributionalSolution(S={len(self.errors)}{n}{horizon}, error={float(self.error):.3g}, "
            f"{self.status.name}, {self.solver}: {self.reason})"
        )

    def _repr_html_(self) -> str:
        cells = (
            f"<tr><td>{s}</td><td>{float(law.mean):.6g}</td><td>{law.std:.6g}</td>"
            f"<td>{float(law.error):.3g}</td></tr>"
            for s, law in enumerate(self.laws[:20])
        )
        head = "<tr><th>s</th><th>mean</th><th>std</th><th>w₁ error</th></tr>"
        return f"<p>{self!r}</p><table>{head}{''.join(cells)}</table>"


def _equal(m: int) -> NDArray[Any]:
    from fractions import Fraction

    out = np.empty(m, dtype=object)
    out[:] = [Fraction(1, m)] * m
    return out
