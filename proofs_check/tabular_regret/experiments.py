"""The two experiments: regret against the horizon, and learners on RiverSwim.

E1  sticky MDP, total reward at most 1, K = 3000: final regret at H = 8, …, 128, every learner.
E2  RiverSwim, S = 4, H = 10, K = 2000, rewards in [0, 1]: published constants against scaled ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rltheory as rl
from rltheory.solvers import (
    EULER,
    MVP,
    PSRL,
    QUCB,
    UCBVI,
    BernsteinBonus,
    RandomAgent,
    RegretCurve,
    RegretTable,
    plot_horizons,
    regret_by_horizon,
    regret_table,
)

HORIZONS = (8, 16, 32, 64, 128)
LEARNERS = (UCBVI(scale=0.02), MVP(scale=0.02), BernsteinBonus(scale=0.3), QUCB(scale=0.02), PSRL())
RIVER = (
    UCBVI(),
    UCBVI("bernstein"),
    MVP(),
    EULER(),
    MVP(scale=0.02),
    QUCB(scale=0.05),
    BernsteinBonus(),
    UCBVI("bernstein", scale=0.02),
    PSRL(),
)


@dataclass(frozen=True)
class HorizonScaling:
    """Curves of every learner at every horizon."""

    groups: tuple[tuple[RegretCurve, ...], ...]

    def to_dataframe(self) -> Any:
        """pandas frame: a row a learner, a column a horizon, mean final regret."""
        import pandas as pd

        rows = {
            type(g[0].agent).__name__: {c.task.H: round(float(c.mean[-1]), 1) for c in g} for g in self.groups
        }
        return pd.DataFrame(rows).T

    def plot(self, ax: Any = None) -> Any:
        """Final regret against H; a flat line is horizon-free."""
        return plot_horizons(self.groups, ax)


def horizon_scaling(
    seeds: Sequence[int] = range(3),
    horizons: Sequence[int] = HORIZONS,
    K: int = 3000,
    learners: Sequence[Any] = LEARNERS,
) -> HorizonScaling:
    """E1."""
    return HorizonScaling(
        tuple(
            tuple(regret_by_horizon(a, rl.gallery.sticky, horizons, K=K, vmax=1, seeds=seeds, progress=False))
            for a in learners
        )
    )


@dataclass(frozen=True)
class River:
    """Curves of the learners on RiverSwim."""

    curves: tuple[RegretCurve, ...]

    def table(self) -> RegretTable:
        """Final regrets."""
        return regret_table(self.curves)

    def plot(self, ax: Any = None, *, log: bool = True) -> Any:
        """Mean regret of every learner on logarithmic axes, and the line of the worst policy."""
        for c in self.curves:
            ax = c.plot(ax, band=None, log=log)
        c = self.curves[0]
        ax.plot(c.episodes, c.largest * c.episodes, "k:", linewidth=1, label="worst policy")
        ax.legend(frameon=False, fontsize=8)
        return ax


def river(seeds: Sequence[int] = range(1), K: int = 2000, learners: Sequence[Any] = RIVER) -> River:
    """E2."""
    model = rl.gallery.river_swim_episodes(4, 10)
    agents = (*learners, RandomAgent())
    return River(tuple(rl.regret(a, model, K=K, seeds=seeds, progress=False) for a in agents))
