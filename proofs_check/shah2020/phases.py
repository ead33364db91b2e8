"""The two-state iteration over a grid of γ and FG: where a fixed point of exact rank one attracts.

Q* = (1, F)ᵀ(1, 1/G), only (0, 1) leads to state 1; anchors s♯ = 0, a♯ = 1, no noise.  The error of V(1)
obeys e ← −γFGe/(1 + γGe) while action 0 stays greedy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rltheory.results.axes import axes

Array = NDArray[np.float64]


def two_state_sweep(V0: Array, V1: Array, gamma: Array, F: Array, G: Array) -> tuple[Array, Array]:
    """V(0), V(1) after one noise-free sweep, elementwise; W = Q̂(0, 1) may pass through zero."""
    seen = 1 + gamma * (V0 - 1)  # (0, 0) leads to state 0
    pivot = 1 / G + gamma * (V1 - F)  # (0, 1) leads to state 1
    below = F / G + gamma * (V0 - 1)  # (1, 1) leads to state 0
    with np.errstate(all="ignore"):
        filled = seen * below / pivot
    return np.maximum(seen, pivot), np.maximum(filled, below)


@dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """Growth of |e| over a sweep from e = 1e-4; and where a path over γ ends at F = 4, G = 2.

    Attributes
    ----------
    gammas, products
        Axes of `growth` (len(products), len(gammas)); FG with G = 2.
    path, ends
        γ and the last errors of V(1) after 2000 sweeps from e = 1e-6; (len(path), 64), not finite where
        the iteration explodes.
    """

    gammas: Array
    products: Array
    growth: Array
    path: Array
    ends: Array

    def regime(self, gamma: float) -> str:
        """How the path ends at the nearest γ; the words of `regime`."""
        return regime(self.ends[int(np.argmin(np.abs(self.path - gamma)))])

    def to_dataframe(self) -> Any:
        """pandas frame: γ, FG, growth."""
        import pandas as pd

        g, p = np.meshgrid(self.gammas, self.products)
        return pd.DataFrame({"gamma": g.ravel(), "FG": p.ravel(), "growth": self.growth.ravel()})

    def plot(self, ax: Any = None) -> Any:
        """log10 growth, with the lines γFG = 1 (solid) and 2γc_me = 1 (dashed)."""
        ax = axes(ax)
        shown = np.log10(self.growth)
        top = float(np.abs(shown).max())
        mesh = ax.pcolormesh(self.gammas, self.products, shown, cmap="RdBu_r", vmin=-top, vmax=top)
        ax.figure.colorbar(mesh, ax=ax, label="log10 of |e'|/|e| over a sweep")
        FG = np.linspace(self.products[0], self.products[-1], 400)
        ax.plot(1 / FG, FG, "k-", label="γFG = 1")
        ax.plot(1 / (4 * (1 + FG) ** 2 - 2), FG, "k--", label="2γc_me = 1 (theorem)")
        ax.set(xscale="log", yscale="log", xlabel="γ", ylabel="FG (G = 2)")
        ax.set(xlim=(self.gammas[0], self.gammas[-1]), ylim=(self.products[0], self.products[-1]))
        ax.legend(loc="lower left", fontsize=8)
        return ax

    def plot_path(self, ax: Any = None) -> Any:
        """The last errors of V(1) against γ at F = 4, G = 2."""
        ax = axes(ax)
        x = np.repeat(self.path, self.ends.shape[1])
        y = self.ends.ravel()
        far = ~(np.abs(y) < 30)
        ax.plot(x[~far], y[~far], "k.", markersize=2)
        gone = self.path[~(np.abs(self.ends) < 1e6).all(axis=1)]
        ax.plot(gone, np.full(gone.size, 29.0), "C3|", markersize=4, label="explodes")
        ax.axvline(1 / 8, color="C0", label="γFG = 1")
        ax.axhline(0, color="0.8", zorder=0)
        ax.axhline(-2, color="0.8", linestyle=":", zorder=0)
        ax.set(xlabel="γ (F = 4, G = 2)", ylabel="last errors of V(1)", yscale="symlog")
        ax.legend(fontsize=8, loc="center right")
        return ax


def regime(ends: Array) -> str:
    """What last errors are: "converges", "explodes", "wrong fixed point", "cycle of k", "wanders"."""
    if not (np.abs(ends) < 1e6).all():
        return "explodes"
    if (np.abs(ends) < 1e-12).all() or abs(ends[-1]) < abs(ends[0]) < 1e-6:  # the latter: still shrinking
        return "converges"
    for k in range(1, 33):
        if np.allclose(ends[k:], ends[:-k], rtol=1e-9, atol=1e-9):
            return "wrong fixed point" if k == 1 else f"cycle of {k}"
    return "wanders"


def long_run(gamma: ArrayLike, F: float = 4.0, G: float = 2.0, *, e0: float = 1e-6, T: int = 2000) -> Array:
    """(len(gamma), 64) last errors of V(1) after T unclipped sweeps from V* + (0, e0)."""
    g = np.atleast_1d(np.asarray(gamma, dtype=np.float64))
    f, h = np.full(g.shape, F), np.full(g.shape, G)
    V0, V1, out = np.ones(g.shape), f + e0, []
    for t in range(T):
        V0, V1 = two_state_sweep(V0, V1, g, f, h)
        if t >= T - 64:
            out.append(V1 - F)
    return np.stack(out, axis=1)


def phase_diagram(points: int = 160, path: int = 900) -> PhaseDiagram:
    """E4: growth over one sweep from e = 1e-4 at γ ∈ [1e-5, 1), FG ∈ [4, 100]; long-run regimes over γ."""
    gammas, products = np.geomspace(1e-5, 0.99, points), np.geomspace(4.0, 100.0, points)
    g, p = np.meshgrid(gammas, products)
    F, G = p / 2, np.full(p.shape, 2.0)
    start = F + 1e-4
    after = two_state_sweep(np.ones(p.shape), start, g, F, G)[1]
    line = np.linspace(0.001, 0.999, path)
    return PhaseDiagram(gammas, products, np.abs(after - F) / (start - F), line, long_run(line))
