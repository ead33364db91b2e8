"""Experiments on learning: regret against the horizon, against the number of contexts, and without contexts.

All runs multiply ι by 0.02 (`runs.SCALE`), δ = 0.1, supports known; every plot says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rltheory.models import gallery
from rltheory.solvers import MVP, PSRL, UCBVI, LatentOptimism, MergedAgent, latent_regret
from rltheory.solvers.regret_curve import RegretCurve

from .runs import SCALE, Floats, Needles

MARKOV_GAP = Fraction(97, 128) - Fraction(185, 256)
"""V* − best Markov value of WG(¾, ¼, ⅞, ⅛, w = ½), H = 5."""


def flips(H: int) -> Any:
    """WG(.8, .2, .9, .1, w = ½) in doubles."""
    return gallery.wait_and_guess(0.8, 0.2, 0.9, 0.1, 0.5, H=H)


def learner(name: str, scale: float = SCALE) -> LatentOptimism:
    """A planner by name; hulls where its backup is convex."""
    planner: Any = name
    return LatentOptimism(planner, scale=scale, prune="hull" if name == "ext" else "pareto")


@dataclass(frozen=True)
class Horizons:
    """E1: curves by planner and horizon, on one family of models."""

    curves: dict[tuple[str, int], RegretCurve]
    family: str

    def table(self) -> list[tuple[str, int, float, float, float, float]]:
        """(planner, H, V*, mean final regret, standard error, share of it in the first K/16 episodes)."""
        rows = []
        for (name, H), c in self.curves.items():
            early = c.pseudo[:, np.searchsorted(c.episodes, c.K // 16)].mean() / c.mean[-1]
            rows.append((name, H, c.optimum, float(c.mean[-1]), float(c.standard_error[-1]), float(early)))
        return rows

    def plot(self, ax: Any) -> Any:
        """Final regret against H, an error bar of two standard errors, and lines ∝ H."""
        names = dict.fromkeys(name for name, _ in self.curves)
        for i, name in enumerate(names):
            H = [h for n, h in self.curves if n == name]
            mean = [float(self.curves[name, h].mean[-1]) for h in H]
            bar = [2 * float(self.curves[name, h].standard_error[-1]) for h in H]
            ax.errorbar(H, mean, bar, fmt="o-", capsize=3, color=f"C{i}", label=name)
        first = [h for n, h in self.curves if n == "ext"]
        base = float(self.curves["ext", first[0]].mean[-1])
        ax.plot(first, [base * h / first[0] for h in first], "k:", linewidth=1, label="∝ H")
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        K = next(iter(self.curves.values())).K
        ax.set(xlabel="horizon H", ylabel="final regret", title=f"{self.family}, K = {K:,}, ι·{SCALE}")
        ax.set_xticks(first, [str(h) for h in first])
        ax.set_ylim(top=4 * ax.get_ylim()[1])
        ax.legend(frameon=False, ncols=2, loc="upper left")
        return ax

    def plot_optimism(self, ax: Any, H: int = 6) -> Any:
        """V_opt − V* of the plan played, against episodes."""
        for name, h in self.curves:
            if h == H:
                c = self.curves[name, h]
                gap = c.gaps.mean(axis=0)
                ax.loglog(c.episodes, np.maximum(gap, 1e-6), drawstyle="steps-post", label=name)
        ax.set(xlabel="episode", ylabel="optimism V_opt − V*", title=f"{self.family}, H = {H}, ι·{SCALE}")
        ax.legend(frameon=False)
        return ax


def horizons(
    K: int = 4000, seeds: int = 4, H: Sequence[int] = (3, 6, 12), others: Sequence[int] = (3, 6)
) -> Horizons:
    """E1: WG, `ext` at every H, `hoef` and `val` at the shorter ones.  V* itself grows with H."""
    return _horizons(flips, "WG", K, seeds, H, others)


def spelling(K: int = 8000, seeds: int = 6, H: Sequence[int] = (5, 10, 20, 40)) -> Horizons:
    """E1 where the optimum does not move with H: the same needles behind a longer and longer word."""
    return _horizons(spelled, "needles behind a word", K, seeds, H, H)


def _horizons(
    family: Any, name: str, K: int, seeds: int, H: Sequence[int], others: Sequence[int]
) -> Horizons:
    jobs = [("ext", h) for h in H] + [(n, h) for n in ("hoef", "val") for h in others]
    return Horizons({(n, h): latent_regret(learner(n), family(h), K=K, seeds=seeds) for n, h in jobs}, name)


def spelled(H: int) -> Any:
    """hard(H − 2, 1, 3, 2), ε = 1/10: the context takes H − 2 steps to spell, the decision is the same."""
    return gallery.latent_hard(H - 2, 1, 3, 2, [(0, 0), (0, 1)], 0.1, 1.0)


def needle_paths(M: int, K: int, seeds: int, eps: float) -> Floats:
    """(seeds, K) cumulative regret of `ext` on hard(3,1,3,M), needles drawn from the seed."""
    out = []
    for seed in range(seeds):
        arms = np.random.default_rng([seed, 1]).integers(0, 2, size=M)
        model = gallery.latent_hard(3, 1, 3, M, [(0, int(a)) for a in arms], eps, 1.0)
        out.append(learner("ext").run(model, K, seed=seed).regret.cumsum())
    return np.array(out)


@dataclass(frozen=True)
class ContextCounts:
    """E2: final regrets on the hard family at gap `eps`, and paths at gap 1/10 that has time to be found."""

    M: tuple[int, ...]
    final: tuple[Floats, ...]
    paths: tuple[Floats, ...]
    eps: float

    def table(self) -> list[tuple[int, float, float, float, float]]:
        """(M, mean regret, standard error, lower bound, trivial maximum εK)."""
        out = []
        for M, x in zip(self.M, self.final):
            K = 2000 * M
            bound = math.sqrt(2 * M * K) / 24 * self.eps / (math.sqrt(2 * M / K) / 4)
            out.append((M, float(x.mean()), float(x.std(ddof=1)) / math.sqrt(x.size), bound, self.eps * K))
        return out

    def plot(self, ax: Any) -> Any:
        """Mean regret against K on log axes, a line a number of contexts, two standard errors around it."""
        k = np.unique(np.geomspace(1, self.paths[0].shape[1], 120).astype(int))
        for i, (M, x) in enumerate(zip(self.M, self.paths)):
            mean, bar = x[:, k - 1].mean(axis=0), 2 * x[:, k - 1].std(axis=0, ddof=1) / math.sqrt(x.shape[0])
            ax.loglog(k, mean, color=f"C{i}", label=f"M = {M}")
            ax.fill_between(
                k, np.maximum(mean - bar, 1e-2), mean + bar, color=f"C{i}", alpha=0.15, linewidth=0
            )
        ax.loglog(k, 0.05 * k, "k:", linewidth=1, label="a guess: εk/2")
        ax.set(xlabel="episode k", ylabel="regret", title=f"hard family, ε = 0.1, ι·{SCALE}")
        ax.legend(frameon=False)
        return ax

    def plot_contexts(self, ax: Any) -> Any:
        """Final regret at K = 2000M against M, the lower bound, the trivial maximum."""
        M, mean, error, bound, most = np.array(self.table()).T
        ax.errorbar(
            M, mean, 2 * error, fmt="o-", capsize=3, label=f"ext, {self.final[0].size} needle draws"
        )
        ax.set_xticks(M, [str(int(m)) for m in M])
        ax.plot(M, bound, "k--", label="lower bound √(MNK)/24, at this ε")
        ax.plot(M, most / 2, "k:", label="a guess: εK/2")
        ax.set(
            xlabel="contexts M", ylabel="regret at K = 2000M", title=f"hard family, ε = {self.eps}, ι·{SCALE}"
        )
        ax.legend(frameon=False)
        return ax


def context_counts(M: Sequence[int] = (1, 2, 4, 6), seeds: int = 24, eps: float = 0.007) -> ContextCounts:
    """E2: K = 2000M, N = 2, ρ = 1, uniform needles."""
    final = tuple(Needles(m, 2000 * m, seeds, eps=eps).final for m in M)
    paths = tuple(needle_paths(m, 8000, seeds, 0.1) for m in M[:3])
    return ContextCounts(tuple(M), final, paths, eps)


@dataclass(frozen=True)
class Control:
    """E3: learners of one MDP on episodes of two contexts."""

    curves: dict[str, RegretCurve]

    @property
    def least(self) -> dict[str, float]:
        """Least mean regret per episode over the last half."""
        out = {}
        for name, c in self.curves.items():
            half = np.searchsorted(c.episodes, c.K // 2)
            rate = (c.pseudo[:, -1] - c.pseudo[:, half]) / (c.episodes[-1] - c.episodes[half])
            out[name] = float(rate.min())
        return out

    def plot(self, ax: Any) -> Any:
        """Cumulative regret, and the line 9/256·k that no Markov policy goes below."""
        for name, c in self.curves.items():
            ax.plot(c.episodes, c.mean, label=name)
        k = next(iter(self.curves.values())).episodes
        ax.plot(k, float(MARKOV_GAP) * k, "k--", label="9/256 an episode")
        ax.set(xlabel="episode", ylabel="regret", title="WG, w = ½, H = 5: contexts merged or told")
        ax.legend(frameon=False)
        return ax


def control(K: int = 2000, seeds: int = 3) -> Control:
    """E3: merged contexts under three agents, against `ext`."""
    model = gallery.wait_and_guess(H=5).float()
    agents: dict[str, Any] = {
        "merged, MVP": MergedAgent(MVP(scale=SCALE)),
        "merged, UCBVI": MergedAgent(UCBVI(scale=SCALE)),
        "merged, PSRL": MergedAgent(PSRL()),
        "ext": learner("ext"),
    }
    return Control({n: latent_regret(a, model, K=K, seeds=seeds) for n, a in agents.items()})
