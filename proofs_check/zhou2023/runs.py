"""Runs of learners as instances: a model family, sizes, seeds; their regrets are computed once.

hard(3, 1, 3, M): N = 2 arms a context, needles drawn from the seed.  K episodes, δ = 0.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rltheory.models import gallery
from rltheory.solvers import MVP, LatentOptimism, MergedAgent

Floats = NDArray[np.float64]
Name = Literal["ext", "val", "hoef", "merged", "uniform"]
SCALE = 0.02
"""Multiplier of ι in every run below, unless said otherwise."""


@cache
def needle_regrets(
    name: Name, M: int, K: int, eps: float, rho: float, seeds: int, scale: float
) -> tuple[float, ...]:
    """Final regret for seeds 0, 1, …; needles are `default_rng([seed, 1])`'s."""
    if name == "uniform":  # ε(1 − 1/N) an episode, whatever the seed
        return (K * eps * rho / 2,) * seeds
    agent = MergedAgent(MVP(scale=scale)) if name == "merged" else LatentOptimism(name, scale=scale)
    out = []
    for seed in range(seeds):
        arms = np.random.default_rng([seed, 1]).integers(0, 2, size=M)
        model = gallery.latent_hard(3, 1, 3, M, [(0, int(a)) for a in arms], float(eps), float(rho))
        out.append(float(agent.run(model, K, seed=seed).regret.sum()))
    return tuple(out)


@dataclass(frozen=True)
class Needles:
    """Let `name` play hard(3,1,3,M), uniform needles, gap eps (0: ¼√(NM/K)), K episodes, seeds 0, 1, …"""

    M: int
    K: int
    seeds: int = 24
    name: Name = "ext"
    eps: float = 0.0
    rho: float = 1.0
    scale: float = SCALE

    @property
    def gap(self) -> float:
        """ε."""
        return self.eps or math.sqrt(2 * self.M / self.K) / 4

    @cached_property
    def final(self) -> Floats:
        """Regret of every seed after K episodes."""
        return np.array(needle_regrets(self.name, self.M, self.K, self.gap, self.rho, self.seeds, self.scale))

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(self.final.mean())

    @property
    def error(self) -> float:
        """Standard error of the mean; 0 for the uniform arm, whose regret is a formula."""
        return 0.0 if self.name == "uniform" else float(self.final.std(ddof=1)) / math.sqrt(self.seeds)

    @property
    def root(self) -> float:
        """√(MNK)."""
        return math.sqrt(2 * self.M * self.K)


@cache
def flip_regrets(planner: Literal["ext", "val", "hoef"], H: int, K: int, seeds: int, scale: float) -> Floats:
    """(seeds, K) regret of every episode on WG(.8, .2, .9, .1, w=½)."""
    model = gallery.wait_and_guess(0.8, 0.2, 0.9, 0.1, 0.5, H=H)
    agent = LatentOptimism(planner, scale=scale, prune="hull" if planner == "ext" else "pareto")
    return np.array([agent.run(model, K, seed=s).regret for s in range(seeds)])


@dataclass(frozen=True)
class Flips:
    """Let WG(.8,.2,.9,.1,w=½) with horizon H be played K episodes by `planner`, on seeds 0, 1, …"""

    H: int
    planner: Literal["ext", "val", "hoef"] = "ext"
    K: int = 4000
    seeds: int = 4
    scale: float = SCALE

    @cached_property
    def episodes(self) -> Floats:
        """(seeds, K) regret of every episode."""
        return flip_regrets(self.planner, self.H, self.K, self.seeds, self.scale)

    @property
    def mean(self) -> float:
        """Mean final regret."""
        return float(self.episodes.sum(axis=1).mean())
