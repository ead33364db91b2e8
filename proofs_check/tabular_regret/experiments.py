"""The experiments: regret against the horizon, learners on RiverSwim, the worst gap of a bandit.

E1  sticky MDP, total reward at most 1, K = 3000: final regret at H = 8, …, 128, every learner.
E2  RiverSwim, S = 4, H = 10, K = 2000, rewards in [0, 1]: published constants against scaled ones.
E3  needle MDP, N = 4, gaps ¼, …, 8 times √(N/K): which gap costs a learner most, in units of √(NK).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rltheory as rl
from rltheory.errors import InvalidArgument
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

from .setting import played_needles

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


MULTIPLES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


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


def gap_multiples(
    K: int = 2**10,
    seeds: int = 100,
    multiples: Sequence[float] = MULTIPLES,
    learners: Sequence[Any] = (UCBVI(scale=0.02), BernsteinBonus(scale=0.3)),
) -> dict[Any, dict[float, float]]:
    """E3: learner → multiple of the gap √(4/K) → mean regret over √(4K); the gap may be at most ½."""
    if max(multiples) * math.sqrt(4 / K) > 0.5:
        raise InvalidArgument(f"gap_multiples: multiples={multiples}, gaps > ½ at K={K}; take more episodes")
    unit = math.sqrt(4 * K)
    return {a: {x: float(played_needles(a, K, seeds, x).mean()) / unit for x in multiples} for a in learners}
