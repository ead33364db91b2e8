"""What a stock solver returns: optimal values over (state, stock) with error bounds, policy, return laws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Real, float_array
from ..errors import InvalidArgument, MissingBackend
from ..portable import Portable
from .axes import axes
from .enclosure import Enclosure
from .law import ReturnLaw
from .solution import Status


@dataclass(frozen=True, repr=False, eq=False)
class StockSolution(Portable):
    """sup_π K(c + G^π) for every state and stock, with the policy that attains it.

    Attributes
    ----------
    objective
        K, as passed to the solver.
    representation
        "lattice" (no interpolation), "grid" (stocks, infinite horizon) or "time" (γ^t-scaled stocks).
    reason
        Why it was chosen.
    inner
        Values and policy of the expected utility E f(c + G) that was solved; `inner.errors` has the parts of
        the error bound.
    model
        The `StockMDP` solved.
    outer
        For CVaR and its like: the search over the initial stock, s ↦ value, bounds and starts.
    moves
        By how much K(c + G) grows with c: 1, or 0 for a variance; None without an outer search.
    """

    objective: Any
    representation: str
    reason: str
    inner: Any
    model: Any
    outer: Callable[[int], Any] | None = None
    moves: int | None = None
    _found: dict[int, Any] = field(default_factory=dict)

    # ---- values ------------------------------------------------------------------------------
    def value(self, s: int, stock: Real = 0) -> Any:
        """Best estimate of sup_π K(c + G^π); exact (a Fraction) where `error` is 0."""
        if self.outer is None:
            return self.inner.read(self._state(s), stock).value
        return self._search(s).value + self._shift(stock)

    def enclosure(self, s: int, stock: Real = 0) -> Enclosure:
        """Rigorous bounds on sup_π K(c + G^π)."""
        if self.outer is None:
            x = self.inner.read(self._state(s), stock)
            return Enclosure(x.lower, x.upper)
        x = self._search(s)
        return Enclosure(x.lower + self._shift(stock), x.upper + self._shift(stock))

    @property
    def error(self) -> float:
        """Bound on |value − optimum|: at nodes of `stocks`; for an outer search, in the start states."""
        if self.outer is None:
            return float(self.inner.errors.total)
        starts = [int(s) for s in np.flatnonzero(self.model.mu != 0)]
        found = [self._search(s) for s in starts]
        return max(float(max(x.upper - x.value, x.value - x.lower)) for x in found)

    @property
    def bound(self) -> str:
        """The error bound of the expected utility and its parts, in words."""
        return str(self.inner.errors)

    @cached_property
    def stocks(self) -> NDArray[Any]:
        """(n,) stocks whose values were computed, ascending."""
        out: NDArray[Any] = self.inner.nodes()
        return out

    @property
    def V(self) -> NDArray[Any]:
        """(S, n) values of the expected utility at `stocks`."""
        out: NDArray[Any] = self.inner.table()
        return out

    @property
    def status(self) -> Status:
        """EXACT where the error is 0, else SOLVED: the bound is printed, and is what was asked for."""
        return Status.EXACT if self.inner.errors.total == 0 else Status.SOLVED

    def raise_if_failed(self) -> StockSolution:
        """`self`: a stock solver refuses or ends with a bound."""
        return self

    # ---- policy and law ----------------------------------------------------------------------
    def starts(self, s: int, stock: Real = 0) -> tuple[tuple[Any, Any], ...]:
        """(weight, internal stock c_0) to start the policy from; two only if randomising once helps."""
        if self.outer is None:
            return ((1, stock),)
        return tuple(self._search(s).starts)

    def start(self, s: int, stock: Real = 0) -> Any:
        """The internal stock c_0 to start the policy from; its likeliest one if there are two."""
        return max(self.starts(s, stock), key=lambda w: w[0])[1]

    def policy(self, s: int, stock: Real, t: int = 0) -> int:
        """Action id in state s with internal stock c_t (start(s) at t = 0, then c' = (c + r)/γ) at step t.

        Optimal on lattices; on grids the action of the nearest node ("time") or the one greedy for
        the interpolated values ("grid").
        """
        return int(self.inner.action(self._state(s), stock, t))

    def law(self, s: int, stock: Real = 0) -> ReturnLaw:
        """Law of the return G^π(s, c) of the policy, by pushing probability forward: c_0 + G = γ^H c_H.

        Its `error` counts rounding to nodes, truncated horizon and floating point.
        """
        parts = self.starts(s, stock)
        laws = [self.inner.law(self._state(s), c) for _, c in parts]
        return laws[0] if len(laws) == 1 else ReturnLaw.mixture([w for w, _ in parts], laws)

    def _search(self, s: int) -> Any:
        s = self._state(s)
        if s not in self._found and self.outer is not None:
            self._found[s] = self.outer(s)
        return self._found[s]

    def _shift(self, stock: Real) -> Any:
        return stock * (self.moves or 0)

    def _state(self, s: int) -> int:
        if not isinstance(s, (int, np.integer)) or not 0 <= s < self.model.S:
            raise InvalidArgument(f"s={s!r}, states are 0..{self.model.S - 1}")
        return int(s)

    # ---- showing -----------------------------------------------------------------------------
    def plot(self, s: int | None = None, ax: Any = None) -> Any:
        """sup_π E f(c + G) against the stock c, between its bounds, for one state or all; returns the axis.

        Raises
        ------
        MissingBackend
            Without matplotlib.
        """
        ax = axes(ax, 5, 3.2)
        c, e = float_array(self.stocks), float(self.inner.errors.total)
        names = self.model.base.states
        for i in range(self.model.S) if s is None else [self._state(s)]:
            V = float_array(self.V[i])
            (line,) = ax.plot(c, V, linewidth=1.4, label=names[i] if names else f"s={i}")
            if e > 0:
                ax.fill_between(c, V - e, V + e, color=line.get_color(), alpha=0.2, linewidth=0)
        ax.set(xlabel="stock c", ylabel="optimal expected utility of c + G")
        if self.model.S <= 10:
            ax.legend(frameon=False)
        return ax

    def to_dataframe(self) -> Any:
        """pandas frame, one row a state and node: state, stock, V, lower, upper.

        Raises
        ------
        MissingBackend
            Without pandas.
        """
        try:
            import pandas as pd
        except ImportError as exc:
            raise MissingBackend("to_dataframe needs pandas: pip install rltheory[io]") from exc
        S, n, e = self.model.S, self.stocks.size, self.inner.errors.total
        V = self.V.reshape(-1)
        columns = {
            "state": np.repeat(np.arange(S), n),
            "stock": np.tile(self.stocks, S),
            "V": V,
            "lower": V - e if e else V,
            "upper": V + e if e else V,
        }
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        return (
            f"StockSolution({_name(self.objective)}, S={self.model.S}, {self.representation} of "
            f"{self.stocks.size} stocks, error {self.bound}; {self.reason})"
        )

    def _repr_html_(self) -> str:
        rows = {
            "objective": _name(self.objective),
            "representation": f"{self.representation}, {self.stocks.size} stocks",
            "why": self.reason,
            "error": self.bound,
        }
        return "<table>" + "".join(f"<tr><th>{k}</th><td>{v}</td></tr>" for k, v in rows.items()) + "</table>"


def _name(objective: Any) -> str:
    return str(getattr(objective, "name", None) or objective)
