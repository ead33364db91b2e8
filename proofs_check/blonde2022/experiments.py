"""True gradients in units of both bounds, a value without slope, preconditioning, and a pendulum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltheory.reports.plot import INK, PALETTE, STEEL

Floats = NDArray[np.float64]


def new_axis(ax: Any, width: float = 5.2, height: float = 3.4) -> Any:
    """`ax`, or the axis of a new figure."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


# ---- random linear systems -------------------------------------------------------------------
@dataclass(frozen=True)
class Ratios:
    """‖∇Q_∞‖ over the corrected and over the summarised bound, on systems with ρ < 1 and γ²C < 1."""

    corrected: Floats
    summarised: Floats
    broken: float

    def plot(self, ax: Any = None) -> Any:
        """Two histograms; beyond 1 a bound is broken."""
        ax = new_axis(ax)
        bins = np.geomspace(0.03, max(20, self.summarised.max()), 60)
        for row, name, color in (
            (self.corrected, "$\\delta/(1-\\rho)$", PALETTE[0]),
            (self.summarised, "$\\delta/\\sqrt{1-\\gamma^2C}$ (as summarised)", PALETTE[1]),
        ):
            ax.hist(row, bins=bins, histtype="step", color=color, label=name)
        ax.axvline(1, color=INK, linewidth=0.9)
        ax.set(xscale="log", yscale="log", xlabel="$\\|\\nabla Q\\|$ / bound", ylabel="systems")
        ax.legend(fontsize=8, loc="upper left")
        return ax


def ratios(count: int = 20_000, seed: int = 0) -> Ratios:
    """Gaussian (M N), K, ∇r in up to three dimensions each; (M N) scaled so that ρ is uniform in (0, 1)."""
    rng = np.random.default_rng(seed)
    right, told, both = [], [], 0
    for _ in range(count):
        n, m = (int(k) for k in rng.integers(1, 4, 2))
        Df, K, c = rng.standard_normal((n, n + m)), rng.standard_normal((m, n)), rng.standard_normal(n + m)
        gamma, rho = float(rng.uniform(0.3, 1)), float(rng.uniform(0, 1))
        Df *= rho / (gamma * np.linalg.norm(Df, 2) * math.hypot(1, np.linalg.norm(K, 2)))
        J = Df.T @ np.hstack([np.eye(n), K.T])
        q = np.linalg.norm(np.linalg.solve(np.eye(n + m) - gamma * J, c)) / np.linalg.norm(c)
        right.append(q * (1 - rho))
        square = gamma**2 * (Df**2).sum() * max(1.0, (K**2).sum())
        if square < 1:
            told.append(q * math.sqrt(1 - square))
            both += int(told[-1] > 1)
    return Ratios(np.array(right), np.array(told), both / len(told))


# ---- tripling --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Quotients:
    """D_j for several γ."""

    j: NDArray[np.int64]
    gammas: tuple[float, ...]
    D: Floats

    def plot(self, ax: Any = None) -> Any:
        """D_j against j, dotted its lower bound."""
        ax = new_axis(ax)
        for k, (g, row) in enumerate(zip(self.gammas, self.D, strict=True)):
            ax.semilogy(self.j, row, color=PALETTE[k], label=f"$\\gamma={g:g}$")
            ax.semilogy(self.j, 1.5 / g * (3 * g) ** self.j, ":", color=PALETTE[k], linewidth=1)
        ax.set(xlabel="$j$", ylabel="$|V(3^{-j})-V(0)|\\,/\\,3^{-j}$")
        ax.legend(fontsize=8)
        return ax


def quotients(gammas: tuple[float, ...] = (0.9, 0.6, 0.5, 0.34, 0.25), J: int = 16) -> Quotients:
    """D_j = 2·3^j Σ_{k<j} γ^k sin²(π3^{k−j})."""
    j = np.arange(1, J + 1)
    D = [
        [2 * 3.0**i * sum(g**k * math.sin(math.pi * 3.0 ** (k - i)) ** 2 for k in range(i)) for i in j]
        for g in gammas
    ]
    return Quotients(j, gammas, np.array(D))


# ---- preconditioning -------------------------------------------------------------------------
@dataclass(frozen=True)
class Sweep:
    """Largest slope of κr for κ = ½(1 + sin ωs), r = 1 + ½ sin s, against ω, and two bounds."""

    omega: Floats
    found: Floats
    product: Floats
    timed: float

    def plot(self, ax: Any = None) -> Any:
        """Slope, product rule, and what a factor of time would allow."""
        ax = new_axis(ax)
        ax.plot(self.omega, self.found, color=PALETTE[0], label="largest slope found")
        ax.plot(self.omega, self.product, color=INK, linewidth=0.9, label="product rule")
        ax.axhline(
            self.timed, color=PALETTE[1], linestyle="--", label="$\\bar\\kappa\\delta$: factors of time only"
        )
        ax.set(
            xlabel="frequency $\\omega$ of $\\kappa(s)=\\frac{1}{2}(1+\\sin\\omega s)$",
            ylabel="slope of $\\kappa r$",
        )
        ax.legend(fontsize=8)
        return ax


def preconditioning_sweep(points: int = 40) -> Sweep:
    """s on a grid of [−20, 20]; δ = ½, ‖r‖ = 3/2."""
    s = np.linspace(-20, 20, 20_001)
    r, dr = 1 + np.sin(s) / 2, np.cos(s) / 2
    omega = np.linspace(0, 8, points)
    found = [np.abs(w / 2 * np.cos(w * s) * r + (1 + np.sin(w * s)) / 2 * dr).max() for w in omega]
    return Sweep(omega, np.array(found), 0.5 + 1.5 * omega / 2, 0.5)


# ---- a damped pendulum -----------------------------------------------------------------------
@dataclass(frozen=True)
class Pendulum:
    """Largest ‖∇Q_H‖ found on a grid, against δ, with the bounds."""

    delta: Floats
    found: Floats
    corrected: float
    summarised: float

    def plot(self, ax: Any = None) -> Any:
        """All three against δ."""
        ax = new_axis(ax)
        ax.plot(self.delta, self.found, "o-", color=PALETTE[0], markersize=3, label="largest slope found")
        ax.plot(self.delta, self.corrected * self.delta, color=INK, label="$\\delta\\Sigma\\rho^k$")
        ax.plot(
            self.delta,
            self.summarised * self.delta,
            "--",
            color=PALETTE[1],
            label="$\\delta\\sqrt{\\Sigma(\\gamma^2C)^k}$",
        )
        ax.set(
            xlabel="Lipschitz constant $\\delta$ of the reward",
            ylabel="$\\|\\nabla Q_{30}\\|$",
            yscale="log",
            xscale="log",
        )
        ax.grid(alpha=0.3, color=STEEL)
        ax.legend(fontsize=8)
        return ax


STEP, PUSH, DAMPING, GAMMA, HORIZON = 0.1, 1.0, 0.5, 0.7, 30
GAIN = np.array([[-0.5, -0.3]])


def pendulum_gradient(x: Floats, w: Floats) -> Floats:
    """∇Q_H at (θ, θ̇, a) rows of x, for r = tanh(w·(s, a)), s' = pendulum step, μ = tanh(Gs)."""
    steps = []
    for _ in range(HORIZON):
        s, a = x[:, :2], x[:, 2]
        cos = np.cos(s[:, 0])
        N = len(x)
        Df = np.zeros((N, 2, 3))
        Df[:, 0] = [1, STEP, 0]
        Df[:, 1, 0], Df[:, 1, 1], Df[:, 1, 2] = -STEP * cos, 1 - STEP * DAMPING, STEP * PUSH
        force = -np.sin(s[:, 0]) - DAMPING * s[:, 1] + PUSH * a
        nxt = np.stack([s[:, 0] + STEP * s[:, 1], s[:, 1] + STEP * force], axis=1)
        act = np.tanh(nxt @ GAIN.T)
        Dmu = (1 - act**2)[:, :, None] * GAIN[None]
        dr = (1 - np.tanh(x @ w) ** 2)[:, None] * w
        steps.append((Df, Dmu, dr))
        x = np.concatenate([nxt, act], axis=1)
    q = np.zeros_like(x)
    for Df, Dmu, dr in reversed(steps):
        inner = q[:, :2] + np.einsum("ijk,ij->ik", Dmu, q[:, 2:])
        q = dr + GAMMA * np.einsum("ijk,ij->ik", Df, inner)
    return q


def pendulum(points: int = 8, grid: int = 25) -> Pendulum:
    """δ from 1/10 to 10; A is the largest ‖Df‖ over cos θ ∈ [−1, 1]."""
    axes = np.linspace(-3, 3, grid), np.linspace(-2, 2, grid), np.linspace(-1, 1, 9)
    x = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)
    ends = [
        np.array([[1, STEP, 0], [-STEP * c, 1 - STEP * DAMPING, STEP * PUSH]]) for c in np.linspace(-1, 1, 41)
    ]
    A, A_F = max(np.linalg.norm(D, 2) for D in ends), max(np.linalg.norm(D) for D in ends)
    B = float(np.linalg.norm(GAIN))
    rho, square = GAMMA * A * math.hypot(1, B), GAMMA**2 * A_F**2 * max(1.0, B * B)
    delta = np.geomspace(0.1, 10, points)
    w = np.array([0.6, 0.7, 0.3873])
    w /= np.linalg.norm(w)
    found = [float(np.linalg.norm(pendulum_gradient(x, d * w), axis=1).max()) for d in delta]
    powers = np.arange(HORIZON)
    return Pendulum(
        delta, np.array(found), float((rho**powers).sum()), float(np.sqrt((square**powers).sum()))
    )
