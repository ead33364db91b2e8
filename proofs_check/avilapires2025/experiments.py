"""Pictures with their data: how fast laws converge, what atoms cost, and a lower side that is truly linear.

Every function returns the numbers with a `plot` method; `python -m proofs_check.avilapires2025.experiments
FOLDER` writes the pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rltheory.models.gallery import outcome_family
from rltheory.models.outcomes import OutcomeMDP
from rltheory.operators import objectives
from rltheory.reports.plot import INK, PALETTE, STEEL
from rltheory.solvers.distributional import CategoricalEvaluation, QuantileEvaluation
from rltheory.solvers.stock import StockDP

from .control import Control, cascade
from .definitions import F, log_periodic, project, quantized
from .setting import family

Floats = NDArray[np.float64]


def new_axis(ax: Any, width: float = 5.0, height: float = 3.4) -> Any:
    """`ax`, or the axis of a new figure."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


# ---- convergence -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Convergence:
    """‖Fη_n − F*‖ over states and stocks, from η_0 = δ_0, with C̄γ^n and an instance that attains it."""

    gamma: tuple[float, ...]
    n: Floats
    error: Floats
    bound: Floats
    tight: Floats

    def plot(self, ax: Any = None) -> Any:
        """One colour a discount: solid the error, dashed the bound, dots the tight instance."""
        ax = new_axis(ax)
        for i, g in enumerate(self.gamma):
            ax.semilogy(self.n, self.bound[i], "--", color=PALETTE[i], linewidth=1)
            ax.semilogy(self.n, self.tight[i], ".", color=PALETTE[i], markersize=4)
            ax.semilogy(self.n, self.error[i], color=PALETTE[i], linewidth=2, label=rf"$\gamma={g:g}$")
        ax.set(
            xlabel=r"sweeps $n$   (dashed: $\bar{C}\gamma^n$, dots: one state that attains it)",
            ylabel=r"$\|F\eta_n-F^*\|_\infty$",
            ylim=(1e-7, 60),
        )
        ax.legend(loc="lower left")
        return ax


def convergence(
    gammas: Sequence[float] = (0.5, 0.8, 0.9), sweeps: int = 40, cells: int = 4000
) -> Convergence:
    """FM(3,2,2,3), f = −|x|, stocks on a fine grid, to the fixed point of the same grid."""
    n = np.arange(sweeps + 1.0)
    errors, bounds, tight = [], [], []
    for g in gammas:
        table = _iterates(outcome_family(3, 2, 2, 3, g), g, cells, sweeps)
        errors.append(table)
        top = 2 / (1 - g)
        bounds.append(top * g**n)
        paid = 2 * (1 - g**n) / (1 - g)  # one state, reward 2, f = x₊, stock 0
        tight.append(top - paid)
    return Convergence(tuple(gammas), n, np.array(errors), np.array(bounds), np.array(tight))


def _iterates(M: OutcomeMDP, gamma: float, cells: int, sweeps: int) -> Floats:
    """sup |V_n − V_∞| over |c| ≤ C̄, n ≤ sweeps, of V ← max_a γ Σ p V(s', (c+r)/γ) from V_0 = f = −|c|.

    Beyond 2C̄ the total c + G keeps its sign, and V_n is c plus the largest, or −c plus the least E G_n.
    """
    top = 4 / (1 - gamma)
    c = np.linspace(-top, top, cells + 1)
    rows = [[[(float(p), int(t), float(r)) for p, t, r in o] for o in _actions(M, s)] for s in range(M.S)]
    V, low, high = np.tile(-abs(c), (M.S, 1)), np.zeros(M.S), np.zeros(M.S)
    path = [V]
    for _ in range(max(sweeps, int(np.ceil(np.log(1e-10) / np.log(gamma))))):
        V = np.array([np.max([_moved(o, V, low, high, c, gamma) for o in a], axis=0) for a in rows])
        low = np.array([max(sum(p * (r + gamma * low[t]) for p, t, r in o) for o in a) for a in rows])
        high = np.array([max(sum(p * (gamma * high[t] - r) for p, t, r in o) for o in a) for a in rows])
        path.append(V)
    half = abs(c) <= top / 2
    return np.array([abs(path[k] - V)[:, half].max() for k in range(sweeps + 1)])


def _actions(M: OutcomeMDP, s: int) -> list[Any]:
    return [M.lists[s][a] for a in M.lists[s]]


def _moved(
    outcomes: list[tuple[float, int, float]], V: Floats, low: Floats, high: Floats, c: Floats, gamma: float
) -> Floats:
    total = np.zeros_like(c)
    for p, t, r in outcomes:
        x = (c + r) / gamma
        inside = np.interp(x, c, V[t])
        inside = np.where(x < c[0], x + low[t], np.where(x > c[-1], high[t] - x, inside))
        total += p * gamma * inside
    return total


# ---- atoms -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Atoms:
    """w₁ errors and biases of the mean against the number of atoms, a row a discount."""

    gamma: tuple[float, ...]
    m: NDArray[np.int64]
    categorical: Floats
    quantile: Floats
    categorical_bound: Floats
    quantile_bound: Floats
    categorical_bias: Floats
    quantile_bias: Floats

    def plot(self, ax: Any = None, kind: str = "categorical") -> Any:
        """Errors of one kind of atoms (solid) and the bounds reported (dashed), log-log."""
        ax = new_axis(ax)
        error, bound = (
            (self.categorical, self.categorical_bound)
            if kind == "categorical"
            else (self.quantile, self.quantile_bound)
        )
        for i, g in enumerate(self.gamma):
            ax.loglog(self.m, error[i], "o-", color=PALETTE[i], markersize=3, label=rf"$\gamma={g:g}$")
            ax.loglog(self.m, bound[i], "--", color=PALETTE[i], linewidth=1)
        ax.set(
            xlabel=f"{kind} atoms   (dashed: bound)",
            ylabel=r"$\bar{w}_1(\hat\eta,\eta^\pi)$",
            ylim=(3e-3, 8),
        )
        ax.legend(loc="lower left")
        return ax

    def plot_bias(self, ax: Any = None) -> Any:
        """|E η̂ − V^π|, log-log."""
        ax = new_axis(ax)
        for i, g in enumerate(self.gamma):
            bias = np.maximum(self.categorical_bias[i], 1e-16)
            ax.loglog(
                self.m, self.quantile_bias[i], "s-", color=PALETTE[i], markersize=3, label=rf"$\gamma={g:g}$"
            )
            ax.loglog(self.m, bias, "o:", color=PALETTE[i], markersize=3)
        ax.text(self.m[1], 1e-12, "categorical: rounding", fontsize=9)
        ax.text(self.m[1], 1e-4, "quantile", fontsize=9)
        ax.set(xlabel="atoms", ylabel=r"$|E\,\hat\eta - V^\pi|$", ylim=(1e-16, 20))
        ax.legend(loc="center right")
        return ax

    def figure(self) -> Any:
        """Three panels: both kinds of atoms, and the bias."""
        from matplotlib.figure import Figure

        fig = Figure(figsize=(12.0, 3.4), layout="constrained")
        left, middle, right = fig.subplots(1, 3)
        self.plot(left)
        self.plot(middle, "quantile")
        self.plot_bias(right)
        return fig


def atoms(gammas: Sequence[float] = (0.5, 0.8, 0.9), most: int = 8, reference: int = 16_385) -> Atoms:
    """FM(3,2,2,3) under π(s) = s mod 2, m = 5, 9, …, 2^most + 1, against a law on a very fine grid."""
    m = np.array([2**k + 1 for k in range(2, most + 1)])
    rows: dict[str, list[list[float]]] = {k: [] for k in ("c", "q", "cb", "qb", "cm", "qm")}
    for g in gammas:
        M, pi = outcome_family(3, 2, 2, 3, float(g)), [0, 1, 0]
        true = CategoricalEvaluation(atoms=reference, tol=1e-9).run(M, pi)
        cats = [CategoricalEvaluation(atoms=int(k), tol=1e-10).run(M, pi) for k in m]
        quants = [QuantileEvaluation(atoms=int(k), tol=1e-10).run(M, pi) for k in m]
        for name, bound, bias, found in (("c", "cb", "cm", cats), ("q", "qb", "qm", quants)):
            rows[name].append(
                [max(float(a.wasserstein(b)) for a, b in zip(x.laws, true.laws, strict=True)) for x in found]
            )
            rows[bias].append([float(abs(x.V - true.V).max()) for x in found])
            rows[bound].append([float(x.error) for x in found])
    return Atoms(tuple(gammas), m, *(np.array(rows[k]) for k in ("c", "q", "cb", "qb", "cm", "qm")))


# ---- the lower side --------------------------------------------------------------------------
@dataclass(frozen=True)
class LowerSide:
    """(V* − V̂)/Δ against the horizon: the cascade, the worst of a random family, and two bounds."""

    H: NDArray[np.int64]
    cascade: Floats
    family_H: NDArray[np.int64]
    family: Floats

    def plot(self, ax: Any = None) -> Any:
        """Losses as dots, H/2 and √H/2 as lines."""
        ax = new_axis(ax)
        H = np.linspace(0, float(self.H[-1]) + 0.5, 200)
        ax.plot(H, H / 2, "--", color=INK, linewidth=1, label=r"$H/2$: the bound")
        ax.plot(H, np.sqrt(H) / 2, ":", color=STEEL, linewidth=1.5, label=r"$\sqrt{H}/2$: false below $V^*$")
        ax.plot(self.H, self.cascade, "o", color=PALETTE[1], markersize=5, label="cascade, $D=10^4$")
        ax.plot(self.family_H, self.family, "s", color=PALETTE[0], markersize=4, label="worst of a family")
        ax.set(xlabel="horizon $H$", ylabel=r"$(V^*-\hat V)/\Delta$", xlim=(0, None), ylim=(0, None))
        ax.legend(loc="upper left")
        return ax


def lower_side(most: int = 16, D: int = 10**4, family_most: int = 5) -> LowerSide:
    """The cascade in rationals; FM(3,2,2,q), q < 12, Δ = 3, c₀ = −2..2, f = −|x|, the same way."""
    H = np.arange(1, most + 1)
    loss = []
    for h in H:
        x = cascade(int(h), D)
        loss.append(float((x.best - x.projected(False)[0]) / x.delta))
    small = np.arange(1, family_most + 1)
    grid = tuple(F(3 * i) for i in range(-12, 13))
    worst = [
        max(
            float((x.best - x.projected(False)[0]) / 3)
            for q in range(12)
            for c in range(-2, 3)
            for x in [Control(family(3, 2, 2, q, 1), int(h), F(c), "−|x|", F(3), grid)]
        )
        for h in small
    ]
    return LowerSide(H, np.array(loss), small, np.array(worst))


# ---- illustrations ---------------------------------------------------------------------------
def values_against_stock(ax: Any = None) -> Any:
    """V*(s, c) of f = −|x| and the action taken, exact on a lattice: FM(3,2,2,3), γ = 1/2."""
    ax = new_axis(ax)
    M = outcome_family(3, 2, 2, 3, Fraction(1, 2))
    solution = StockDP(objectives.target(), spacing=Fraction(1, 16), progress=False).run(M)
    c = np.linspace(-4, 4, 129)
    for s in range(3):
        stocks = [F(float(x)).limit_denominator(16) for x in c]
        V = np.array([float(solution.value(s, x)) for x in stocks])
        a = np.array([solution.policy(s, x) for x in stocks])
        ax.plot(c, V, color=PALETTE[s], label=f"s = {s}")
        ax.plot(c[a == 1], V[a == 1], ".", color=PALETTE[s], markersize=4)
    ax.set(xlabel=r"stock $c$   (dots: action 1)", ylabel=r"$V^*(s,c)=-\min_\pi E\,|c+G^\pi|$")
    ax.legend(loc="lower center")
    return ax


def wave(gamma: Fraction = Fraction(4, 5), ax: Any = None) -> Any:
    """The log-periodic utility, and −|x|: f(γx) = γf(x) without being linear."""
    ax = new_axis(ax)
    f = log_periodic(gamma)
    x = np.linspace(0.02, 2.5, 800)
    ax.plot(
        x,
        [float(f(F(float(v)).limit_denominator(10**6))) for v in x],
        color=PALETTE[0],
        label="log-periodic $f$",
    )
    ax.plot(x, -x, color=STEEL, linestyle=":", label=r"$-|x|$")
    at = [1.7 * float(gamma) ** k for k in range(8)]
    ax.plot(
        at,
        [float(f(F(v).limit_denominator(10**6))) for v in at],
        "o",
        color=PALETTE[1],
        markersize=4,
        label=r"$f(\gamma^k x)=\gamma^k f(x)$",
    )
    ax.set(xlabel="$x$", ylabel="$f(x)$", xlim=(0, None))
    ax.legend(loc="lower left")
    return ax


def projections(ax: Any = None) -> Any:
    """One law, its categorical and its quantile projection, as distribution functions."""
    ax = new_axis(ax)
    law = {F(-3): F(1, 10), F(-7, 4): F(1, 5), F(1, 3): F(1, 4), F(5, 4): F(1, 4), F(14, 5): F(1, 5)}
    shown = (
        ("law", law, INK, "-", 2.0),
        (r"$\Pi_C$, $\Delta=2$", project(law, tuple(F(z) for z in (-4, -2, 0, 2, 4))), PALETTE[0], "-", 1.5),
        (r"$\Pi_Q$, $m=3$", quantized(law, 3), PALETTE[1], "--", 1.5),
    )
    for name, k, color, style, width in shown:
        xs = sorted(k)
        F_values = np.cumsum([float(k[x]) for x in xs])
        ax.step(
            [-5, *map(float, xs), 5],
            [0, *F_values, 1],
            where="post",
            color=color,
            linestyle=style,
            linewidth=width,
            label=name,
        )
    ax.set(xlabel="$x$", ylabel=r"$P(X\leq x)$", xlim=(-4.6, 4.6), ylim=(-0.02, 1.05))
    ax.legend(loc="upper left")
    return ax


def main(folder: str) -> None:
    """Write all pictures as `distributional-dp-*.png`."""
    pictures = {
        "values": values_against_stock().figure,
        "wave": wave().figure,
        "convergence": convergence().plot().figure,
        "projections": projections().figure,
        "atoms": atoms().figure(),
        "lower": lower_side().plot().figure,
    }
    for name, fig in pictures.items():
        fig.savefig(Path(folder) / f"distributional-dp-{name}.png", dpi=110, facecolor="white")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/_static")
