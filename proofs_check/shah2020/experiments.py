"""The experiments of the paper on control tasks: spectra of Q*, equal budgets, error curves, a phase diagram.

Tasks are `rltheory.gallery` grids, 25²×50 in two dimensions and 7⁴×40 in four, γ = .9.  Errors are
‖Q − Q*‖ over all entries, divided by max Q* − min Q*: the largest ("sup") and the mean.  Samples are next
states; every sweep draws its own.  Medians over seeds come with the interval between two order statistics,
whose coverage 1 − 2 P(Bin(n, ½) < k) holds for any law.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

import rltheory as rl
from rltheory.kernels.generative import lookahead
from rltheory.operators import cross_estimate
from rltheory.results.axes import axes
from rltheory.solvers import LowRankQ, alternating_least_squares, soft_impute

Array = NDArray[np.float64]
Method = Literal["full", "anchors", "redrawn", "soft warm", "soft cold", "soft kept", "ALS"]
FLAT = ("inverted_pendulum", "mountain_car", "double_integrator")
TASKS = (*FLAT, "cart_pole", "acrobot")
SHARES = (0.99, 0.999, 0.9999, 0.999999)
ANCHORS, RANK, SEEN = 10, 3, 0.2
BUDGET: dict[Method, tuple[int, int]] = {
    "full": (9, 10), "anchors": (45, 40), "redrawn": (45, 40), "soft warm": (48, 48), "soft cold": (48, 48),
    "soft kept": (48, 48), "ALS": (48, 48),
}  # fmt: skip
"""Samples an entry in two and in four dimensions that spend about the same budget."""


@dataclass(frozen=True, eq=False)
class Task:
    """A grid model with its Q*, the sweeps it is given, and errors relative to the range of Q*."""

    name: str
    mdp: rl.MDP
    Q: Array
    T: int

    @property
    def size(self) -> float:
        """max Q* − min Q*."""
        return float(np.ptp(self.Q))

    @property
    def top(self) -> float:
        """max|R|/(1 − γ), where V is clipped."""
        return float(np.abs(self.mdp.R_pairs).max() / (1 - self.mdp.gamma))

    def errors(self, Q: Array) -> tuple[float, float]:
        """(sup, mean) error."""
        gap = np.abs(Q - self.Q)
        return float(gap.max()) / self.size, float(gap.mean()) / self.size


@lru_cache(maxsize=8)
def control_task(name: str) -> Task:
    """The task at the size of the experiments; Q* from value iteration to 1e-9."""
    mdp = getattr(rl.gallery, name)()
    V = rl.solve(mdp, rl.ValueIteration(tol=1e-9)).V
    return Task(name, mdp, rl.q_values(mdp, V), 40 if name in FLAT else 60)


# ---- E1 --------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Spectra:
    """Singular values of Q* a task, and the sup error/range of its best Frobenius truncations."""

    sigma: dict[str, Array]
    truncated: dict[str, dict[int, float]]
    size: dict[str, float]

    def rank(self, name: str, share: float) -> int:
        """Smallest k with Σ_{i≤k} σ_i² ≥ share·Σ σ_i²."""
        energy = np.cumsum(self.sigma[name] ** 2)
        return int(np.searchsorted(energy, share * energy[-1])) + 1

    def to_dataframe(self) -> Any:
        """pandas frame: one row a task."""
        import pandas as pd

        rows = [
            {"task": k, "range": self.size[k]}
            | {f"rank {p}": self.rank(k, p) for p in SHARES}
            | {f"sup error, rank {r}": e for r, e in self.truncated[k].items()}
            for k in self.sigma
        ]
        return pd.DataFrame(rows)

    def plot(self, ax: Any = None) -> Any:
        """σ_k/σ_1 on a logarithmic axis."""
        ax = axes(ax)
        for name, s in self.sigma.items():
            ax.semilogy(np.arange(1, len(s) + 1), s / s[0], ".-", label=name.replace("_", " "))
        ax.set(xlabel="k", ylabel="σ_k/σ_1 of Q*", xlim=(0, 20.5), ylim=(1e-8, 2))
        ax.legend(fontsize=8)
        return ax


def spectra(names: Sequence[str] = TASKS, ranks: Sequence[int] = (3, 4)) -> Spectra:
    """E1: how close Q* is to low rank."""
    sigma, truncated, size = {}, {}, {}
    for name in names:
        task = control_task(name)
        U, s, Vt = np.linalg.svd(task.Q, full_matrices=False)
        sigma[name], size[name] = s, task.size
        truncated[name] = {r: task.errors((U[:, :r] * s[:r]) @ Vt[:r])[0] for r in ranks}
    return Spectra(sigma, truncated, size)


# ---- runs ------------------------------------------------------------------------------------
class Run(NamedTuple):
    """One run: errors of its last estimate, draws in all, and the sup error after every sweep (if known)."""

    task: str
    method: str
    N: int
    seed: int
    sup: float
    mean: float
    draws: int
    sweeps: tuple[float, ...] = ()


class Interval(NamedTuple):
    """A median between two order statistics that hold it between them with probability `coverage`."""

    low: float
    median: float
    high: float
    coverage: float


def median_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """Median and X_(k)..X_(n+1−k), k the largest with coverage 1 − 2 P(Bin(n, ½) < k) ≥ level (else k = 1).

    Examples
    --------
    >>> median_interval(range(1, 10))
    Interval(low=2.0, median=5.0, high=8.0, coverage=0.9609375)
    """
    x = np.sort(np.asarray(list(values), dtype=np.float64))
    n = x.size
    coverage = [1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2**n for k in range(1, (n + 1) // 2 + 1)]
    k = max([k for k, c in enumerate(coverage, 1) if c >= level], default=1)
    return Interval(float(x[k - 1]), float(np.median(x)), float(x[n - k]), coverage[k - 1])


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs over tasks, methods, samples an entry and seeds."""

    runs: tuple[Run, ...]
    reference: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def of(self, task: str, method: str, N: int | None = None) -> list[Run]:
        """The runs of one cell of the table."""
        found = [r for r in self.runs if (r.task, r.method) == (task, method) and N in (None, r.N)]
        if not found:
            raise rl.errors.InvalidArgument(f"Runs.of: no run of {method!r} on {task!r} with N={N}")
        return found

    def sup(self, task: str, method: str, N: int | None = None) -> Interval:
        """Median sup error over seeds."""
        return median_interval(r.sup for r in self.of(task, method, N))

    def mean(self, task: str, method: str, N: int | None = None) -> Interval:
        """Median over seeds of the mean error."""
        return median_interval(r.mean for r in self.of(task, method, N))

    @property
    def tasks(self) -> list[str]:
        """Tasks, in order."""
        return list(dict.fromkeys(r.task for r in self.runs))

    @property
    def methods(self) -> list[str]:
        """Methods, in order."""
        return list(dict.fromkeys(r.method for r in self.runs))

    def to_dataframe(self) -> Any:
        """pandas frame: one row a run (without its sweeps)."""
        import pandas as pd

        return pd.DataFrame([r[:-1] for r in self.runs], columns=Run._fields[:-1])


def estimate(task: Task, method: Method, N: int, seed: int) -> Run:
    """One run of a method with N samples an observed entry and sweep."""
    if method in ("full", "anchors", "redrawn"):
        solver = LowRankQ(
            RANK, ANCHORS, ANCHORS, samples=N, T=task.T, full=method == "full", redraw=method == "redrawn"
        )
        out = solver.run(task.mdp, seed, reference=task.Q)
        curve = tuple(float(r.error or 0.0) / task.size for r in out.history)
        return Run(task.name, method, N, seed, *task.errors(out.Q), out.samples, curve)
    rng, mdp = np.random.default_rng(seed), task.mdp
    Z, V, draws = np.zeros(task.Q.shape), np.zeros(mdp.S), 0
    U = W = None
    curve = ()
    for _ in range(task.T):
        mask = rng.random(Z.shape) < SEEN
        pairs = np.flatnonzero(mask)
        seen, X = np.empty(pairs.size), np.zeros(Z.shape)
        lookahead(*mdp.csr, mdp.R_pairs, float(mdp.gamma), V, pairs, N, rng, seen)
        X[mask] = seen
        if method == "ALS":
            done, U, W = alternating_least_squares(X, mask, RANK, ridge=1e-2, sweeps=5, U0=U, W0=W, seed=rng)
            Z = done.Z
        else:
            lam = float(np.linalg.svd(X, compute_uv=False)[0]) / 50
            start = None if method == "soft cold" else Z
            Z = soft_impute(X, mask, lam, Z0=start, max_iter=100, tol=1e-3).Z
            if method == "soft kept":
                Z = np.where(mask, X, Z)
        V = np.clip(Z.max(axis=1), -task.top, task.top)
        draws += N * pairs.size
        curve = (*curve, task.errors(Z)[0])
    return Run(task.name, method, N, seed, *task.errors(Z), draws, curve)


# ---- E2 --------------------------------------------------------------------------------------
class MatchedBudget(Runs):
    """E2: every method at about the same number of next states."""

    def plot(self, ax: Any = None) -> Any:
        """Mean (filled) and sup (hollow) errors a task and method, with the interval of their median."""
        ax = axes(ax)
        for k, method in enumerate(self.methods):
            for i, task in enumerate(self.tasks):
                if all((r.task, r.method) != (task, method) for r in self.runs):
                    continue
                x = i + 0.12 * (k - (len(self.methods) - 1) / 2)
                for cell, face in ((self.mean(task, method), f"C{k}"), (self.sup(task, method), "white")):
                    ax.plot([x, x], [cell.low, cell.high], color=f"C{k}", linewidth=1)
                    ax.plot(x, cell.median, "o", color=f"C{k}", markerfacecolor=face)
            ax.plot([], [], "o", color=f"C{k}", label=method)
        ax.set_xticks(range(len(self.tasks)), [t.replace("_", " ") for t in self.tasks])
        ax.set(yscale="log", ylabel="error/range: sup (hollow), mean (filled)")
        ax.set_xlim(-0.5, len(self.tasks) - 0.5)
        ax.legend(fontsize=8, ncols=2)
        ax.grid(axis="y", alpha=0.3)
        return ax


def matched_budget(
    names: Sequence[str] = TASKS, seeds: Callable[[str], Iterable[int]] | None = None,
    methods: Sequence[Method] = ("full", "anchors", "soft warm", "soft cold", "soft kept", "ALS"),
    *, progress: Callable[[str], object] | None = None,
) -> MatchedBudget:  # fmt: skip
    """E2: 1.2e7 next states in two dimensions, 5.8e7 in four (completion in two only)."""
    out = []
    for name in names:
        task = control_task(name)
        for method in methods:
            if name not in FLAT and method not in ("full", "anchors", "redrawn"):
                continue
            N = BUDGET[method][name not in FLAT]
            out += [estimate(task, method, N, s) for s in (seeds or published_seeds)(name)]
            if progress is not None:
                progress(f"{name} {method}")
    return MatchedBudget(tuple(out))


def published_seeds(name: str) -> range:
    """0..4, and 0..2 in four dimensions."""
    return range(5 if name in FLAT else 3)


# ---- E3 --------------------------------------------------------------------------------------
class SampleCurves(Runs):
    """E3 (i): error against samples an entry; `reference` has the floor of exact backups a task."""

    def plot(self, ax: Any = None) -> Any:
        """Median sup error against draws a run, with its interval; dashed: the floor of the anchors."""
        ax = axes(ax)
        for k, task in enumerate(self.tasks):
            for method in self.methods:
                Ns = sorted({r.N for r in self.of(task, method)})
                cells = [self.sup(task, method, N) for N in Ns]
                x = [self.of(task, method, N)[0].draws for N in Ns]
                style = "o-" if method == "anchors" else "s:"
                ax.plot(x, [c.median for c in cells], style, color=f"C{k}", markersize=4)
                ax.fill_between(x, [c.low for c in cells], [c.high for c in cells], color=f"C{k}", alpha=0.2)
            ax.plot([], [], "o-", color=f"C{k}", label=task.replace("_", " "))
        ax.plot([], [], "ks:", markersize=4, label="full sampling")
        ax.set(xscale="log", yscale="log", xlabel="next states drawn", ylabel="sup error/range")
        ax.legend(fontsize=7)
        ax.grid(alpha=0.3)
        return ax


def against_samples(
    names: Sequence[str] = TASKS, Ns: Sequence[int] = (4, 40, 400),
    seeds: Callable[[str], Iterable[int]] | None = None, *, progress: Callable[[str], object] | None = None,
) -> SampleCurves:  # fmt: skip
    """E3 (i): full sampling and anchors at N samples an entry, and the rank-3 floor."""
    out, floors = [], {}
    methods: tuple[Method, ...] = ("full", "anchors")
    for name in names:
        task, used = control_task(name), list((seeds or published_seeds)(name))
        for method in methods:
            for N in Ns:
                out += [estimate(task, method, N, s) for s in used]
                if progress is not None:
                    progress(f"{name} {method} N={N}")
        floors[name] = tuple(floor(task, s) for s in used)
    return SampleCurves(tuple(out), floors)


def floor(task: Task, seed: int) -> float:
    """Sup error/range of anchors with exact backups after 80 sweeps, 60 in four dimensions."""
    mdp = task.mdp
    rows = np.random.default_rng(seed).choice(mdp.S, ANCHORS, replace=False)
    cols = np.round(np.linspace(0, mdp.A - 1, ANCHORS)).astype(np.int64)
    Z = np.zeros(task.Q.shape)
    for _ in range(80 if task.name in FLAT else 60):
        Q = rl.q_values(mdp, np.clip(Z.max(axis=1), -task.top, task.top))
        Z = cross_estimate(Q[:, cols], Q[rows], rows, cols, rank=RANK, strict=False)
    return task.errors(Z)[0]


class SweepCurves(Runs):
    """E3 (ii): sup error against the sweep; `reference` has exact value iteration a task."""

    def band(self, task: str, method: str) -> list[Interval]:
        """The interval of the median after every sweep."""
        return [median_interval(x) for x in zip(*(r.sweeps for r in self.of(task, method)), strict=True)]

    def plot(self, ax: Any = None) -> Any:
        """Anchors (with bands) leave exact value iteration (dashed) where noise takes over."""
        ax = axes(ax)
        for k, task in enumerate(self.tasks):
            cells = self.band(task, "anchors")
            t = np.arange(1, len(cells) + 1)
            ax.semilogy(t, [c.median for c in cells], color=f"C{k}", label=task.replace("_", " "))
            ax.fill_between(t, [c.low for c in cells], [c.high for c in cells], color=f"C{k}", alpha=0.2)
            ax.semilogy(t, self.reference[task], "--", color=f"C{k}", linewidth=1)
        ax.plot([], [], "k--", linewidth=1, label="exact value iteration")
        ax.set(xlabel="sweep", ylabel="sup error/range", ylim=(1e-3, 1.2))
        ax.legend(fontsize=7)
        return ax


def value_iteration(task: Task, T: int) -> tuple[float, ...]:
    """Sup error/range of exact value iteration from V = 0 after t = 1..T sweeps."""
    V, out = np.zeros(task.mdp.S), []
    for _ in range(T):
        Q = rl.q_values(task.mdp, V)
        out.append(task.errors(Q)[0])
        V = Q.max(axis=1)
    return tuple(out)


def against_sweeps(
    names: Sequence[str] = TASKS, seeds: Callable[[str], Iterable[int]] | None = None
) -> SweepCurves:
    """E3 (ii): anchors at the samples of E2, beside exact value iteration."""
    out, exact = [], {}
    for name in names:
        task = control_task(name)
        N = BUDGET["anchors"][name not in FLAT]
        out += [estimate(task, "anchors", N, s) for s in (seeds or published_seeds)(name)]
        exact[name] = value_iteration(task, task.T)
    return SweepCurves(tuple(out), exact)
