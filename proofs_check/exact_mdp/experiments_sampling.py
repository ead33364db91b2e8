"""Experiment 4: root-mean-square error of the plug-in value of a self-loop against the horizon 1/(1−γ)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rltheory.reports.plot import PALETTE
from rltheory.results.axes import axes

from .sampling import LIMIT, SelfLoop

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class AzarScaling:
    """RMSE·√N by horizon, at the hard p = (4γ−1)/(3γ) and at p = ½, with fitted slopes."""

    horizons: tuple[float, ...]
    hard: tuple[float, ...]
    easy: tuple[float, ...]

    def slope(self, y: tuple[float, ...]) -> float:
        """Least-squares slope of log y against log horizon."""
        return float(np.polyfit(np.log(self.horizons), np.log(y), 1)[0])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Both curves on logarithmic axes, with the limit 9/(16√3)·horizon^1.5."""
        ax = axes(ax, 6.0, 3.8)
        h = np.array(self.horizons)
        ax.plot(h, LIMIT * h**1.5, "--", color="0.6", label=r"$\frac{9}{16\sqrt{3}}(1-\gamma)^{-3/2}$")
        for i, (y, name) in enumerate([(self.hard, r"$p=(4\gamma-1)/(3\gamma)$"), (self.easy, r"$p=1/2$")]):
            ax.plot(h, y, "os"[i], color=PALETTE[i], mfc="none", label=f"{name}: slope {self.slope(y):.2f}")
        ax.set(xscale="log", yscale="log", xlabel=r"horizon $1/(1-\gamma)$", ylabel=r"RMSE $\cdot\sqrt{N}$")
        ax.legend(fontsize=8)
        return ax


def azar_scaling(N: int = 200_000, points: int = 12) -> AzarScaling:
    """Exact binomial sums for horizons between 10 and 500."""
    loop = SelfLoop(N)
    horizons = tuple(float(h) for h in np.geomspace(10, 500, points))
    return AzarScaling(
        horizons, tuple(loop.scaled(h) for h in horizons), tuple(loop.easy(h) for h in horizons)
    )
