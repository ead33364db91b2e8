"""Bounds against gaps, value iteration with a Lipschitz cap, and what smoothing does to slopes.

Random metric models: points of the unit square under ℓ₁, transition rows sparse and random, the model
a mixture of the true rows and other ones; rewards uniform.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rltheory as rl
from rltheory.operators import Metric, kernel_distance, lipschitz, lipschitz_envelope
from rltheory.reports.plot import INK, PALETTE, STEEL

from .smoothing import Curve, ramp, step

Floats = NDArray[np.float64]


def new_axis(ax: Any, width: float = 5.2, height: float = 3.4) -> Any:
    """`ax`, or the axis of a new figure."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


@dataclass(frozen=True)
class RandomModel:
    """A model, its imitation, and the metric."""

    M: rl.MDP
    M_hat: rl.MDP
    metric: Metric


def random_model(rng: np.random.Generator, S: int = 6, A: int = 3, gamma: float = 0.9) -> RandomModel:
    """S points of the unit square; the imitation takes a fifth of its mass from unrelated rows."""
    x = rng.random((S, 2))
    D = np.abs(x[:, None] - x[None]).sum(axis=-1)
    P, other = (rng.dirichlet(np.full(S, 0.4), (S, A)) for _ in range(2))
    R = rng.random((S, A))
    return RandomModel(rl.MDP(P, R, gamma), rl.MDP(0.8 * P + 0.2 * other, R, gamma), Metric(D))


@dataclass(frozen=True)
class Scatter:
    """‖TV − T̂V‖ against γL(V)W̄, and the constants L(V)."""

    gap: Floats
    bound: Floats
    L: Floats

    def plot(self, ax: Any = None) -> Any:
        """A dot a function, coloured by L(V); the line is equality."""
        ax = new_axis(ax)
        dots = ax.scatter(self.bound, self.gap, c=np.log10(self.L), s=7, cmap="viridis")
        ends = [self.bound.min(), self.bound.max()]
        ax.plot(ends, ends, color=INK, linewidth=0.9)
        ax.set(xscale="log", yscale="log", xlabel="$\\gamma L(V)\\,\\bar W$", ylabel="$\\|TV-\\hat TV\\|$")
        ax.figure.colorbar(dots, ax=ax, label="$\\log_{10}L(V)$")
        return ax


def scatter(models: int = 40, functions: int = 12, seed: int = 0) -> Scatter:
    """Random V of growing size, and the c-Lipschitz envelopes of V*."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(models):
        x = random_model(rng)
        W = float(kernel_distance(x.M.P, x.M_hat.P, x.metric).max())
        V_star = rl.solve(x.M).V
        for k in range(functions):
            size = 10 ** rng.uniform(-1.5, 1)
            V = size * rng.random(x.M.S) if k % 2 else lipschitz_envelope(V_star, x.metric, size)
            L = float(lipschitz(V, x.metric))
            if L > 0:
                gap = rl.sup_norm(rl.bellman(x.M)(V) - rl.bellman(x.M_hat)(V))
                rows.append((float(gap), 0.9 * L * W, L))
    return Scatter(*np.array(rows).T)


@dataclass(frozen=True)
class Capped:
    """‖V_c − V*‖ against c/L(V*), one row a model; `floor` is the uncapped error, `where` is L(V̂*)/L(V*)."""

    c: Floats
    errors: Floats
    floor: Floats
    where: Floats

    @property
    def interior(self) -> int:
        """Models whose least error is below that without a cap (by 1e-6 of it)."""
        return int((self.errors.min(axis=1) < self.floor * (1 - 1e-6)).sum())

    def plot(self, ax: Any = None) -> Any:
        """A curve a model, relative to its uncapped error; a dot where the cap stops to matter."""
        ax = new_axis(ax)
        for k, (row, floor, at) in enumerate(zip(self.errors, self.floor, self.where, strict=True)):
            color = PALETTE[k % len(PALETTE)]
            ax.plot(self.c, row / floor, color=color)
            ax.plot([at], [1], "o", color=color, markersize=4)
        ax.axvline(1, color=STEEL, linestyle=":", linewidth=0.9)
        ax.set(xlabel="$c/L(V^*)$", ylabel="error / error without a cap", ylim=(0, 4))
        return ax


def capped_iteration(models: int = 6, seed: int = 0, points: int = 60) -> Capped:
    """Value iteration under the imitation, each sweep followed by the c-Lipschitz envelope, to its end."""
    rng = np.random.default_rng(seed)
    c = np.linspace(0, 2, points)
    errors, floor, where = [], [], []
    for _ in range(models):
        x = random_model(rng)
        V_star, V_hat = rl.solve(x.M).V, rl.solve(x.M_hat).V
        L = float(lipschitz(V_star, x.metric))
        T, row = rl.bellman(x.M_hat), []
        for part in c:
            V = V_hat
            for _ in range(250):  # 0.9^250 < 4e-12
                V = lipschitz_envelope(T(V), x.metric, part * L)
            row.append(float(rl.sup_norm(V - V_star)))
        errors.append(row)
        floor.append(float(rl.sup_norm(V_hat - V_star)))
        where.append(float(lipschitz(V_hat, x.metric)) / L)
    return Capped(c, np.array(errors), np.array(floor), np.array(where))


@dataclass(frozen=True)
class Smoothed:
    """Largest slope of V_σ against σ, for three curves."""

    sigma: Floats
    slopes: dict[str, Floats]

    def plot(self, ax: Any = None) -> Any:
        """Slopes, and the bound osc/(σ√(2π)) for osc = 1."""
        ax = new_axis(ax)
        for k, (name, row) in enumerate(self.slopes.items()):
            ax.loglog(self.sigma, row, color=PALETTE[k], label=name)
        bound = 1 / (self.sigma * np.sqrt(2 * np.pi))
        ax.loglog(self.sigma, bound, "--", color=INK, linewidth=0.9, label="$1/(\\sigma\\sqrt{2\\pi})$")
        ax.set(xlabel="noise $\\sigma$", ylabel="$L(V_\\sigma)$ (oscillation 1)")
        ax.legend(fontsize=8)
        return ax


def smoothing_curve(points: int = 25) -> Smoothed:
    """A step, a ramp of width ¼, and a saw of three teeth."""
    sigma = np.geomspace(0.01, 1, points)
    teeth = Curve(
        tuple(F(k, 4) for k in (0, 1, 1, 2, 2, 3, 3)), tuple(F(k) for k in (0, 1, 0, 1, 0, 1, 0)), F(1)
    )
    shapes = {"step": step(F(1)), "ramp of width ¼": ramp(F(1, 4), F(1)), "saw": teeth}
    slopes: dict[str, Floats] = {}
    for name, shape in shapes.items():
        row = []
        for s in sigma:
            at = Curve(shape.knots, shape.values, F(float(s)))
            mids = at.places if name == "saw" else at.places[1:-1]
            row.append(max(float(at.slope(x).mid()) for x in mids) / (s * np.sqrt(2 * np.pi)))
        slopes[name] = np.array(row)
    return Smoothed(sigma, slopes)
