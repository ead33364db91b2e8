"""Which coordinate a small model keeps, rank-one models among distractors, losses around one sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltheory.reports.plot import INK, PALETTE, STEEL
from rltheory.solvers import fit_linear_model, mse_loss, value_gradient_loss, vaml_loss

Floats = NDArray[np.float64]


def new_axis(ax: Any, width: float = 5.2, height: float = 3.4) -> Any:
    """`ax`, or the axis of a new figure."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


# ---- phases ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Phases:
    """Share of samples on which x is kept, over α/(βσ) (columns) and p/q (rows), per loss."""

    scale: Floats
    ratio: Floats
    kept: dict[str, Floats]

    def plot(self, axes: Any = None) -> Any:
        """A panel a loss: dark where x is kept; dotted and dashed the two rules."""
        if axes is None:
            from matplotlib.figure import Figure

            axes = Figure(figsize=(9, 3), layout="constrained").subplots(1, 3)
        for ax, (name, kept) in zip(axes, self.kept.items(), strict=True):
            ax.pcolormesh(self.scale, self.ratio, kept, cmap="Blues", vmin=0, vmax=1.4, shading="nearest")
            ax.plot(self.scale, self.scale**-2.0, "--", color=PALETTE[1], linewidth=1.2)
            ax.axvline(1, color=INK, linestyle=":", linewidth=1)
            ax.set(
                xscale="log",
                yscale="log",
                title=name,
                xlabel="$|\\alpha|/(|\\beta|\\sigma)$",
                ylim=(self.ratio[0], self.ratio[-1]),
            )
            ax.set_xticks([0.2, 1, 5], ["0.2", "1", "5"])
            ax.set_xticks([], minor=True)
        axes[0].set_ylabel("$p/q$")
        return axes


def phases(points: int = 21, samples: int = 400, repeats: int = 5, seed: int = 0) -> Phases:
    """Samples of N transitions; for each loss the better of the two one-coordinate models."""
    rng = np.random.default_rng(seed)
    scale, ratio = np.geomspace(0.2, 5, points), np.geomspace(0.05, 20, points)
    kept = {name: np.zeros((points, points)) for name in ("MSE", "VAML", "VaGraM")}
    for i, r in enumerate(ratio):
        for j, a in enumerate(scale):
            for _ in range(repeats):
                S = rng.standard_normal((samples, 2)) * [a, 1.0]
                p, q = r, 1.0
                g = 2 * S * [p, q]
                drop_x, drop_d = -S * [1, 0], -S * [0, 1]
                costs = {
                    "MSE": [mse_loss(e) for e in (drop_x, drop_d)],
                    "VAML": [np.mean((((S + e) ** 2 - S**2) @ [p, q]) ** 2) for e in (drop_x, drop_d)],
                    "VaGraM": [value_gradient_loss(g, e) for e in (drop_x, drop_d)],
                }
                for name, (x, d) in costs.items():
                    kept[name][i, j] += (x > d) / repeats
    return Phases(scale, ratio, kept)


# ---- distractors -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Distractors:
    """L_VAML on fresh samples of rank-one fits, over number and scale of distracting dimensions."""

    number: NDArray[np.int64]
    scale: Floats
    by_number: dict[str, Floats]
    by_scale: dict[str, Floats]

    def plot(self, axes: Any = None) -> Any:
        """Left: scale ½ of each distractor, their number; right: four distractors, their scale."""
        if axes is None:
            from matplotlib.figure import Figure

            axes = Figure(figsize=(9, 3.2), layout="constrained").subplots(1, 2)
        for ax, x, data in ((axes[0], self.number, self.by_number), (axes[1], self.scale, self.by_scale)):
            for k, (name, row) in enumerate(data.items()):
                ax.semilogy(x, np.maximum(row, 1e-32), "o-", color=PALETTE[k], markersize=3, label=name)
            ax.set_ylabel("$L_{VAML}$ of the rank-one fit")
            ax.grid(alpha=0.3, color=STEEL)
        axes[0].set_xlabel("distractors")
        axes[1].set(xlabel="scale $\\sigma$ of four distractors", xscale="log")
        axes[0].legend(fontsize=8)
        return axes


def distracted(
    rng: np.random.Generator, N: int, C: Floats, sigma: float, alpha: float
) -> tuple[Floats, Floats]:
    """States (x, d) and next states (αx, Cd), x ~ N(0, 1), d ~ N(0, σ²)."""
    Z = np.concatenate([rng.standard_normal((N, 1)), sigma * rng.standard_normal((N, len(C)))], axis=1)
    return Z, np.concatenate([alpha * Z[:, :1], Z[:, 1:] @ C.T], axis=1)


def vaml_fit(Z: Floats, S: Floats, starts: list[Floats]) -> Floats:
    """A rank-one W that makes L_VAML of V = s₁² small, by nonlinear least squares from given W's."""
    from scipy.optimize import least_squares

    n, q = S.shape[1], Z.shape[1]

    def residual(z: Floats) -> Floats:
        return np.asarray(((Z @ z[n:]) * z[0]) ** 2 - S[:, 0] ** 2)

    best, cost = starts[0], np.inf
    for W in starts:
        u, s, vt = np.linalg.svd(W)
        found = least_squares(residual, np.concatenate([u[:, 0] * s[0], vt[0]]), max_nfev=200)
        if found.cost < cost:
            best, cost = found.x[:n, None] * found.x[None, n : n + q], found.cost
    return np.asarray(best)


def distractors(samples: int = 500, repeats: int = 5, seed: int = 0, alpha: float = 0.8) -> Distractors:
    """C has iid N(0, 1) entries; V = s₁².  Medians over the repeats."""
    rng = np.random.default_rng(seed)
    number, scale = np.array([0, 1, 2, 4, 8, 16]), np.geomspace(0.05, 4, 9)

    def one(d: int, sigma: float) -> dict[str, float]:
        C = rng.standard_normal((d, d))
        Z, S = distracted(rng, samples, C, sigma, alpha)
        fresh_Z, fresh_S = distracted(rng, samples, C, sigma, alpha)
        g = np.zeros_like(S)
        g[:, 0] = 2 * S[:, 0]
        fits = {
            "MSE": fit_linear_model(Z, S, rank=1, restarts=20, max_iter=60).W,
            "VaGraM": fit_linear_model(Z, S, g, rank=1, restarts=20, max_iter=60).W,
        }
        fits["VAML"] = vaml_fit(Z, S, [fits["MSE"], *rng.standard_normal((3, d + 1, d + 1))])
        return {k: float(vaml_loss(lambda s: s[0] ** 2, fresh_Z @ W.T, fresh_S)) for k, W in fits.items()}

    def grid(points: list[tuple[int, float]]) -> dict[str, Floats]:
        rows = [[one(d, s) for _ in range(repeats)] for d, s in points]
        return {k: np.array([np.median([r[k] for r in row]) for row in rows]) for k in rows[0][0]}

    by_number = grid([(int(d), 0.5) for d in number])
    return Distractors(number, scale, by_number, grid([(4, float(s)) for s in scale]))


# ---- around one sample -----------------------------------------------------------------------
@dataclass(frozen=True)
class Landscape:
    """Losses of predicting (x, y) where s' is the truth, V = x² − cos y."""

    x: Floats
    y: Floats
    at: tuple[float, float]
    losses: dict[str, Floats]

    def plot(self, axes: Any = None) -> Any:
        """Contours of √loss: level sets of V, an ellipse along the axes, a circle; a strip along g."""
        if axes is None:
            from matplotlib.figure import Figure

            axes = Figure(figsize=(12, 3.2), layout="constrained").subplots(1, len(self.losses))
        for ax, (name, z) in zip(axes, self.losses.items(), strict=True):
            ax.contourf(
                self.x, self.y, np.sqrt(z), levels=np.linspace(0, 2.5, 11), cmap="Blues_r", extend="max"
            )
            ax.contour(self.x, self.y, np.sqrt(z), levels=[0.25], colors=[PALETTE[1]], linewidths=1.2)
            ax.plot(*self.at, "o", color=INK, markersize=4)
            ax.set(title=name, xlabel="$x$")
        axes[0].set_ylabel("$y$")
        return axes


def landscape(at: tuple[float, float] = (0.2, 1.3), width: float = 2.5, points: int = 161) -> Landscape:
    """A window around the true next state."""
    x, y = np.linspace(-width, width, points), np.linspace(at[1] - width, at[1] + width, points)
    X, Y = np.meshgrid(x, y)
    V = X**2 - np.cos(Y) - (at[0] ** 2 - np.cos(at[1]))
    g, e = (2 * at[0], np.sin(at[1])), (X - at[0], Y - at[1])
    losses = {
        "VAML": V**2,
        "first order": (g[0] * e[0] + g[1] * e[1]) ** 2,
        "VaGraM": g[0] ** 2 * e[0] ** 2 + g[1] ** 2 * e[1] ** 2,
        "MSE": e[0] ** 2 + e[1] ** 2,
    }
    return Landscape(x, y, at, losses)
