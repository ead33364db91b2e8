"""GLOW and HyGLOW on the noisy lock: the numbers behind the page's pictures.

The lock has H = 4 layers and code (1, 0, 1, 1); the models are the locks of all 16 codes.  Lazy grids solve
the version space at t_{j+1} = max(t_j + 1, ⌊1.05 t_j⌋) only, which the regret theorem does not cover.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.results.axes import axes
from rltheory.solvers import GLOW, H2O, MLE, GLOWRun, HybridRun, ModelClasses, hyglow, optimal_concentrability

CODE = (1, 0, 1, 1)
LAZY = 1.05


@cache
def locks(H: int = 4, sequences: int = 0) -> tuple[tuple[rl.FiniteHorizonMDP, ...], ModelClasses]:
    """All locks of H layers and the classes made of them."""
    models = tuple(rl.gallery.noisy_locks(H))
    return models, ModelClasses(models, sequences)


def index(code: Sequence[int]) -> int:
    """Place of a code among all of its length."""
    return list(itertools.product((0, 1), repeat=len(code))).index(tuple(code))


def lock_runs(
    T: int, seeds: Iterable[int], *, code: Sequence[int] = CODE, sequences: int = 0, **options: Any
) -> list[GLOWRun]:
    """Runs of GLOW on a lock."""
    models, classes = locks(len(code), sequences)
    return GLOW(classes, T=T, **options).runs(models[index(code)], seeds)


def lock_run(T: int, *, seed: int = 0, **options: Any) -> GLOWRun:
    """One run."""
    return lock_runs(T, [seed], **options)[0]


# ---- E1 --------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Exploration:
    """E1: runs by name."""

    runs: dict[str, GLOWRun]

    def to_dataframe(self) -> Any:
        """pandas frame: a row a run."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "run": name,
                    "T": r.T,
                    "regret": r.regret,
                    "flat from": r.flat_from / r.T,
                    "|F^(T)|": int(r.surviving[-1]),
                    "Q* lost": r.q_star_lost is not None,
                }
                for name, r in self.runs.items()
            ]
        )

    def plot(self, ax: Any = None) -> Any:
        """Regret against the round."""
        ax = axes(ax)
        for name, r in self.runs.items():
            t, total = r.curve
            (line,) = ax.plot(t[1:], total[1:], label=name)
            ax.plot(r.flat_from, r.regret, "o", color=line.get_color(), markersize=5)
            if "⁶" in name:
                rate = 12 * np.sqrt(3.8 * r.T * r.log_term)
                ax.plot(r.T, rate, "v", color=line.get_color(), markersize=6)
        ax.plot([], [], "kv", markersize=6, label="3H√(C_cov Tℓ) at T")
        ax.set(xscale="log", yscale="log", xlabel="round (lazy grid 1.05)", ylabel="regret")
        ax.legend(fontsize=8)
        return ax

    def plot_space(self, ax: Any = None) -> Any:
        """|F^(t)| against the round."""
        ax = axes(ax)
        for name, r in self.runs.items():
            ax.step(r.rounds, [*r.surviving, r.surviving[-1]], where="post", label=name)
        ax.set(xscale="log", xlabel="round (lazy grid 1.05)", ylabel="|F^(t)|", ylim=(0, None))
        return ax


def exploration(seed: int = 0) -> Exploration:
    """E1: published constants for long runs, thresholds scaled by 0.02 for short ones."""
    runs = {
        "T = 2·10⁶": lock_run(2 * 10**6, lazy=LAZY, seed=seed),
        "T = 8·10⁶": lock_run(8 * 10**6, lazy=LAZY, seed=seed),
        "T = 32·10⁶": lock_run(32 * 10**6, lazy=LAZY, seed=seed),
        "T = 2·10⁵, K = 20": lock_run(2 * 10**5, K=20, lazy=LAZY, seed=seed),
        "T = 20000, scale 0.02": lock_run(20_000, scale=0.02, lazy=LAZY, seed=seed),
        "T = 1000, scale 0.02": lock_run(1000, scale=0.02, lazy=LAZY, seed=seed),
    }
    return Exploration(runs)


# ---- E2 --------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class HybridLearning:
    """E2: runs by (name, T)."""

    runs: dict[tuple[str, int], list[HybridRun]]
    concentrability: float

    def regrets(self, name: str, T: int) -> list[float]:
        """Total regret of every seed."""
        return [float(r.regret[-1]) for r in self.runs[name, T]]

    def to_dataframe(self) -> Any:
        """pandas frame: a row a run."""
        import pandas as pd

        rows = [
            {"learner": name, "T": T, "seed": s, "regret": float(r.regret[-1])}
            for (name, T), runs in self.runs.items()
            for s, r in enumerate(runs)
        ]
        return pd.DataFrame(rows)

    def plot(self, ax: Any = None, T: int = 500) -> Any:
        """Mean regret against the round, and its range over seeds."""
        ax = axes(ax)
        for k, name in enumerate(dict.fromkeys(n for n, _ in self.runs)):
            total = np.array([r.regret for r in self.runs[name, T]])
            t, style = np.arange(1, T + 1), ("-", "-", "--", ":")[k % 4]
            ax.plot(t, total.mean(axis=0), color=f"C{k}", label=name, linestyle=style)
            ax.fill_between(t, total.min(axis=0), total.max(axis=0), color=f"C{k}", alpha=0.15)
        ax.set(xscale="log", yscale="log", xlabel="round", ylabel="regret")
        ax.legend(fontsize=8)
        return ax


def hybrid_learning(Ts: Sequence[int] = (500, 1000), seeds: Iterable[int] = range(5)) -> HybridLearning:
    """E2: HyGLOW with ν = ½d^{π*} + ½ mean of all greedy policies; its penalty as published (burn-in) and
    scaled by 0.02; the MLE as base; and ν without π*.
    """
    models, classes = locks()
    i, chosen = index(CODE), list(seeds)
    offline = np.full(16, 1 / 32)
    offline[i] += 0.5
    missing = np.where(np.arange(16) == i, 0.0, 1 / 15)
    runs: dict[tuple[str, int], list[HybridRun]] = {}
    for T in Ts:
        learners = {
            "HyGLOW, penalty × 0.02": hyglow(models[i], classes, offline, T, scale=0.02),
            "HyGLOW, as published": hyglow(models[i], classes, offline, T),
            "H2O with MLE": H2O(MLE(classes), offline, T),
            "ν without π*, × 0.02": hyglow(models[i], classes, missing, T, scale=0.02, gamma=0.01),
        }
        for name, learner in learners.items():
            runs[name, T] = [learner.run(models[i], s) for s in chosen]
    return HybridLearning(runs, optimal_concentrability(models[i], classes, offline))


# ---- E3 --------------------------------------------------------------------------------------
VARIANTS: dict[str, dict[str, Any]] = {
    "as published": {},
    "no clipping": {"clip": None},
    "α = 0": {"penalty": False},
    "α = 0, no clipping": {"penalty": False, "clip": None},
    "level 1": {"clip": 1.0},
    "level 10": {"clip": 10.0},
}


@dataclass(frozen=True, eq=False)
class Ablation:
    """E3: runs of every variant."""

    runs: dict[str, list[GLOWRun]]

    def lost(self, name: str) -> int:
        """Runs that lost Q*."""
        return sum(r.q_star_lost is not None for r in self.runs[name])

    def mean_regret(self, name: str) -> float:
        """Over the runs that kept Q* (all, if none did)."""
        kept = [r.regret for r in self.runs[name] if r.q_star_lost is None]
        return float(np.mean(kept or [r.regret for r in self.runs[name]]))

    def to_dataframe(self) -> Any:
        """pandas frame: a row a variant."""
        import pandas as pd

        rows = [
            {
                "variant": v,
                "runs": len(r),
                "Q* lost": self.lost(v),
                "mean regret (Q* kept, else all)": self.mean_regret(v),
            }
            for v, r in self.runs.items()
        ]
        return pd.DataFrame(rows)

    def plot(self, ax: Any = None) -> Any:
        """Share of runs that lost Q* (bars), and mean regret of those that kept it (dots, right axis)."""
        ax = axes(ax)
        names = list(self.runs)
        ax.bar(range(len(names)), [self.lost(v) / len(self.runs[v]) for v in names], color="C3", alpha=0.6)
        ax.set_xticks(range(len(names)), names, rotation=25, ha="right", fontsize=8)
        ax.set(ylabel="share of runs that lost Q*", ylim=(0, 1.05))
        right = ax.twinx()
        alive = [i for i, v in enumerate(names) if self.lost(v) < len(self.runs[v])]
        right.plot(alive, [self.mean_regret(names[i]) for i in alive], "o", color="C0")
        right.set(yscale="log", ylabel="mean regret where Q* was kept", ylim=(90, 12_000))
        right.set_yticks([100, 1000, 10_000], ["100", "1000", "10000"], minor=False)
        right.set_yticks([], minor=True)
        return ax


def ablation(seeds: Iterable[int] = range(20), T: int = 20_000, scale: float = 0.05) -> Ablation:
    """E3: what the penalty, the clipping and its growing level are good for."""
    chosen = list(seeds)
    return Ablation(
        {name: lock_runs(T, chosen, scale=scale, lazy=LAZY, **options) for name, options in VARIANTS.items()}
    )
