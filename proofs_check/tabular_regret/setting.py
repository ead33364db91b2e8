"""What the claims share: the collection they come from, random models in rationals, runs computed once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import lru_cache
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import Paper, Reader, Sample
from rltheory.operators.confidence import confidence_sequence
from rltheory.solvers import RegretCurve

PAPER = Paper(
    key="tabular-regret",
    authors="Azar, Osband, Munos; Jin et al.; Zhang et al.; Jaksch et al.; Osband et al.; Zanette, Brunskill",
    title="Regret of tabular episodic reinforcement learning",
    year=2023,
    where="arXiv 1703.05449, 1807.03765, 2009.13503, 2307.13586, 1901.00210, 2010.03531",
)

BUDGET = 1e-6
"""Chance that any statistical claim of this package errs; each side gets `BUDGET/SIDES`."""
SIDES = 100
ALPHA = BUDGET / SIDES


def law(read: Reader, n: int, *, unit: int = 16) -> list[F]:
    """A law on n points: a point mass, two points or spread out, in multiples of 1/unit."""
    style = read.below(3)
    if style == 0:
        k = [0] * n
        k[read.below(n)] = unit
    else:
        k = [read.below(unit) for _ in range(n)]
        if style == 1:
            keep = {read.below(n), read.below(n)}
            k = [v if i in keep else 0 for i, v in enumerate(k)]
        total = sum(k)
        if total == 0:
            k[0], total = 1, 1
        k = [v * unit // total for v in k]
        k[int(np.argmax(k))] += unit - sum(k)
    return [F(v, unit) for v in k]


def model(read: Reader, *, S: int | None = None, A: int = 2, most_steps: int = 4) -> rl.FiniteHorizonMDP:
    """A stationary rational model, rewards in multiples of 1/8 in [0, 1], a random start law."""
    S = 2 + read.below(2) if S is None else S
    H = 1 + read.below(most_steps)
    P = rl.exact_array([[law(read, S) for _ in range(A)] for _ in range(S)])
    R = rl.exact_array([[F(read.below(9), 8) for _ in range(A)] for _ in range(S)])
    return rl.FiniteHorizonMDP(P, R, H, mu=rl.exact_array(law(read, S)))


def mean_interval(values: Any, top: float, alpha: float = ALPHA) -> Sample:
    """Mean of numbers in [0, top] with a betting confidence interval."""
    x = np.asarray(values, dtype=np.float64)
    scaled = np.clip(x / top, 0.0, 1.0)
    lo, hi = confidence_sequence(scaled, lower=0.0, upper=1.0, alpha=alpha, method="betting")
    return Sample(float(x.mean()), float(lo[-1]) * top, float(hi[-1]) * top, x.size, alpha)


@dataclass(frozen=True)
class Runs:
    """Let `agent` play K episodes of gallery model `name` with the seeds 0..seeds−1."""

    agent: Any
    name: str
    size: tuple[Any, ...]
    K: int
    seeds: int = 1
    vmax: float | None = 1

    def __repr__(self) -> str:
        return f"Runs({self.agent!r}, {self.name!r}, {self.size!r}, {self.K}, {self.seeds}, {self.vmax})"

    @property
    def model(self) -> rl.FiniteHorizonMDP:
        """The model played."""
        made: rl.FiniteHorizonMDP = getattr(rl.gallery, self.name)(*self.size)
        return made

    @property
    def curve(self) -> RegretCurve:
        """The curves, computed once."""
        return played(self)


@lru_cache(maxsize=400)
def played(x: Runs) -> RegretCurve:
    """Regret of the runs, recorded half way and at the end."""
    return rl.regret(
        x.agent, x.model, K=x.K, vmax=x.vmax, seeds=range(x.seeds), points=[max(1, x.K // 2)], progress=False
    )


@lru_cache(maxsize=100)
def played_needles(agent: Any, K: int, seeds: int, factor: float) -> Any:
    """(seeds,) final regrets on needle MDPs of 4 arms, ε = factor·√(4/K), needle = seed mod 4."""
    eps, out = factor * float(np.sqrt(4 / K)), np.empty(seeds)
    for at in range(4):
        ids = range(at, seeds, 4)
        needle = rl.gallery.needle(4, eps=F(eps), at=at)
        curve = rl.regret(agent, needle, K=K, vmax=1, seeds=ids, points=[K], progress=False)
        out[at::4] = curve.final
    return out
