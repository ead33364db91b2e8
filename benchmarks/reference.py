"""The reference of an instance: V* between bounds computed in extended precision, by no solver's code.

Definitions.  For any V, |V − V*| ≤ (‖TV − V‖∞ + ρ)/(1 − α): ρ bounds the rounding of one backup and
α = γ·(largest row sum).  V is kept as the sum of two doubles, and T is evaluated in `np.longdouble` (64
bits of mantissa on x86), so that the radius is far below what doubles alone can tell.

The start V may come from anywhere; it is improved by solving (I − γP_π)e = TV − V for the greedy
policy until the radius is small enough.  A solver's error is then at most max|V − V_ref| + radius.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CHUNK = 1 << 21
"""Non-zeros handled at a time."""
ROUNDS = 6
Extended = np.longdouble


@dataclass(frozen=True, eq=False)
class Reference:
    """V* = high + low up to `radius`; (S,) doubles."""

    high: Any
    low: Any
    radius: float

    def distance(self, V: Any) -> float:
        """A bound on ‖V − V*‖∞; infinite for a wrong shape, NaN or infinity."""
        V = np.asarray(V, dtype=np.float64)
        if V.shape != self.high.shape or not np.isfinite(V).all():
            return float("inf")
        return float(np.abs((V - self.high) - self.low).max()) * (1 + 1e-12) + self.radius

    def save(self, folder: Path) -> None:
        """Beside the instance."""
        np.save(folder / "reference.npy", np.stack([self.high, self.low]))
        (folder / "radius.txt").write_text(repr(self.radius), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Reference | None:
        """What `save` wrote; None if there is none."""
        folder = Path(folder)
        if not (folder / "radius.txt").exists():
            return None
        high, low = np.load(folder / "reference.npy")
        return cls(high, low, float((folder / "radius.txt").read_text(encoding="utf-8")))


def residual(x: Any, V: Any) -> tuple[Any, Any, float]:
    """(TV − V, greedy pairs, radius) in extended precision."""
    unit = Extended(np.finfo(Extended).eps) / 2
    best, rows = np.empty(x.S, Extended), np.empty(x.S, np.int64)
    alpha, rounding, gamma = Extended(0), Extended(0), Extended(x.gamma)
    width = np.diff(x.state_ptr)
    s = 0
    while s < x.S:
        first = int(x.state_ptr[s])
        room = int(np.searchsorted(x.indptr, x.indptr[first] + CHUNK, side="right")) - 1
        end = min(x.S, max(s + 1, int(np.searchsorted(x.state_ptr, room, side="right")) - 1))
        last = int(x.state_ptr[end])
        lo, hi = int(x.indptr[first]), int(x.indptr[last])
        p, v = x.data[lo:hi].astype(Extended), V[x.indices[lo:hi]]
        starts = x.indptr[first:last] - lo
        R = x.R[first:last].astype(Extended)
        q = R + gamma * np.add.reduceat(p * v, starts)
        mass = np.abs(R) + gamma * np.add.reduceat(p * np.abs(v), starts)
        longest = int(np.diff(x.indptr[first : last + 1]).max())
        rounding = max(rounding, (longest + 6) * unit * mass.max())
        alpha = max(alpha, gamma * np.add.reduceat(p, starts).max() * (1 + (longest + 6) * unit))
        ptr = x.state_ptr[s:end] - first
        top = np.maximum.reduceat(q, ptr)
        hit = np.flatnonzero(q == np.repeat(top, width[s:end]))
        rows[s:end] = first + hit[np.searchsorted(hit, ptr)]
        best[s:end] = top
        s = end
    change = best - V
    worst = np.abs(change).max() * (1 + 2 * unit) + rounding
    radius = float(worst / (1 - alpha)) * (1 + 1e-12) if alpha < 1 else float("inf")
    return change, rows, radius


def reference(
    x: Any, V: Any, solve: Callable[[Any, Any, Any], Any] | None = None, enough: float = 1e-9
) -> Reference:
    """Bounds around V, improved by `solve(x, rows, r)`, about (I − γP_rows)⁻¹r, until `radius` ≤ enough."""
    V = np.asarray(V, dtype=Extended)
    change, rows, radius = residual(x, V)
    for _ in range(ROUNDS if solve is not None else 0):
        if radius <= enough:
            break
        size = float(np.abs(change).max())
        step = np.asarray(solve(x, rows, (change / size).astype(np.float64))) * Extended(size)
        new_change, new_rows, new_radius = residual(x, V + step)
        if not new_radius < radius:
            break
        V, change, rows, radius = V + step, new_change, new_rows, new_radius
    high = V.astype(np.float64)
    low = (V - high).astype(np.float64)
    return Reference(high, low, radius + float(np.abs(V).max()) * 2.0**-100)


def evaluate_rows(x: Any, rows: Any, r: Any) -> Any:
    """(I − γP_rows)⁻¹r in doubles, by this library; not trusted, only tried."""
    import rltheory as rl

    part = x.matrix()[rows]
    each = np.arange(x.S)
    model = rl.MDP.from_pairs(
        (part.data, part.indices, part.indptr), r, x.gamma, pair_state=each, pair_action=0 * each, S=x.S
    )
    return rl.solve(model, rl.solvers.Portfolio(tol=1e-6), throw=False).V


def build(x: Any, mdp: Any) -> Reference:
    """The reference of an instance and its model."""
    import rltheory as rl

    return reference(x, rl.solve(mdp, rl.solvers.Portfolio(tol=1e-11), throw=False).V, evaluate_rows)
