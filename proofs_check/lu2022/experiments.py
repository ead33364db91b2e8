"""What sharing a representation saves: regret of joint, independent and oracle learners.

phi uniform on spheres, heads unit vectors, |Φ| = 64, X = 8, A = 5, k = 2, σ = ½, δ = 0.1, λ = 1; contexts are
uniform.  Up to 1000 action tuples are enumerated (M ≤ 4); above, a sweep finds local optima.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltheory.models import MultitaskBandit
from rltheory.results.axes import axes
from rltheory.solvers import GFUCB, MultitaskRun

Array = NDArray[np.float64]


def bandit(seed: int, **sizes: Any) -> MultitaskBandit:
    """The instance of a seed."""
    return MultitaskBandit.random(seed, **sizes)


def play(
    M: int, seed: int, learners: Any = "joint", T: int = 200, p: int = 64, **options: Any
) -> MultitaskRun:
    """One run: the instance of seed + 10000, the stream of the seed."""
    return GFUCB(T=T, learners=learners, **options).run(bandit(10_000 + seed, p=p, M=M), seed)


@dataclass(frozen=True, eq=False)
class Sharing:
    """Per-task regret curves (seeds, T) by learner and M, and finals by |Φ|."""

    curves: dict[tuple[str, int], Array]
    sizes: dict[tuple[str, int], Array]

    def final(self, learner: str, M: int) -> tuple[float, float]:
        """Mean and standard error of the last regret per task."""
        last = self.curves[learner, M][:, -1]
        return float(last.mean()), float(last.std(ddof=1) / np.sqrt(last.size))

    def to_dataframe(self) -> Any:
        """pandas frame: mean and standard error a learner and M."""
        import pandas as pd

        rows = [(learner, M, *self.final(learner, M)) for learner, M in self.curves]
        return pd.DataFrame(rows, columns=["learner", "M", "regret per task", "standard error"])

    def plot(self, ax: Any = None) -> Any:
        """Per-task regret of the joint learner against the round, a line a number of tasks."""
        ax = axes(ax)
        for k, M in enumerate(sorted({M for learner, M in self.curves if learner == "joint"})):
            curve = self.curves["joint", M]
            t, mean = np.arange(1, curve.shape[1] + 1), curve.mean(axis=0)
            error = curve.std(axis=0, ddof=1) / np.sqrt(curve.shape[0])
            ax.plot(t, mean, color=f"C{k}", label=f"M = {M}")
            ax.fill_between(t, mean - error, mean + error, color=f"C{k}", alpha=0.2)
        ax.set(xlabel="round", ylabel="regret per task (joint)", ylim=(0, None))
        ax.legend(fontsize=8)
        return ax

    def plot_tasks(self, ax: Any = None) -> Any:
        """Final per-task regret against M."""
        ax = axes(ax)
        for learner, style in (("joint", "o-"), ("independent", "s--"), ("oracle", "^:")):
            Ms = sorted(M for name, M in self.curves if name == learner)
            if Ms:
                mean, error = zip(*(self.final(learner, M) for M in Ms), strict=True)
                ax.errorbar(Ms, mean, error, fmt=style, label=learner, capsize=3)
        ax.set(xscale="log", xlabel="tasks M", ylabel="final regret per task", ylim=(0, None))
        ax.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"], minor=False)
        ax.legend(fontsize=8)
        return ax

    def plot_sizes(self, ax: Any = None) -> Any:
        """Final per-task regret at M = 4 against |Φ|."""
        ax = axes(ax)
        for learner, style in (("joint", "o-"), ("independent", "s--")):
            ps = sorted(p for name, p in self.sizes if name == learner)
            mean = [self.sizes[learner, p].mean() for p in ps]
            error = [self.sizes[learner, p].std(ddof=1) / np.sqrt(self.sizes[learner, p].size) for p in ps]
            ax.errorbar(ps, mean, error, fmt=style, label=f"{learner}, M = 4", capsize=3)
        ax.set(xscale="log", xlabel="|Φ|", ylabel="final regret per task", ylim=(0, None))
        ax.legend(fontsize=8)
        return ax


def sharing(
    seeds: Iterable[int] = range(12), T: int = 200, Ms: Sequence[int] = (1, 2, 4, 8, 16),
    ps: Sequence[int] = (1, 4, 16, 64, 256),
) -> Sharing:  # fmt: skip
    """Curves over M, and finals over |Φ| at M = 4."""
    chosen = list(seeds)
    curves = {
        (learner, M): np.array([play(M, s, learner, T).total / M for s in chosen])
        for learner in ("joint", "independent", "oracle")
        for M in Ms
    }
    sizes = {
        (learner, p): np.array([play(4, s, learner, T, p).total[-1] / 4 for s in chosen])
        for learner in ("joint", "independent")
        for p in ps
    }
    return Sharing(curves, sizes)
