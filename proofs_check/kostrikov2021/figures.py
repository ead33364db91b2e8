"""Pictures of the paper's statements: expectiles, V_τ, the one-step threshold, the U-maze.

Every function draws on a matplotlib axis (a new one if none is given) and returns it, or returns a figure.
`python -m proofs_check.kostrikov2021.figures FOLDER` writes them all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import rltheory as rl
from rltheory.reports.grid import find_grid
from rltheory.reports.plot import INK, PALETTE, STEEL, WALL

from .expectile import REFERENCE
from .experiments import Maze, awr_hurts, limit_slope, u_maze_sampled
from .gadgets import page, threshold
from .lets import Law, Offline, three_states

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def new_axis(ax: Axes | None, width: float = 5.0, height: float = 3.4) -> Axes:
    """`ax`, or the axis of a new figure."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def side_by_side(*draw: Callable[..., Any], width: float = 4.6, height: float = 3.3) -> Figure:
    """One figure, an axis for each function that takes `ax`."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width * len(draw), height), layout="constrained")
    for f, ax in zip(draw, fig.subplots(1, len(draw), squeeze=False)[0], strict=True):
        f(ax=ax)
    return fig


def expectile_and_quantile(law: Law = REFERENCE, ax: Axes | None = None) -> Axes:
    """m_τ (smooth) and the τ-quantile (a staircase) of a law, against τ."""
    ax = new_axis(ax)
    x, p = law.x.astype(np.float64), law.p.astype(np.float64)
    order = np.argsort(x)
    tau = np.linspace(0.002, 0.998, 499)
    ax.plot(
        tau, [rl.expectile(x, p, t) for t in tau], color=PALETTE[0], linewidth=2, label=r"expectile $m_\tau$"
    )
    cdf = np.concatenate([[0.0], np.cumsum(p[order])])
    ax.step(cdf, np.append(x[order], x[order[-1]]), where="post", color=PALETTE[1], label=r"$\tau$-quantile")
    ax.plot([0.5], [float(law.mean)], "o", color=INK, label="mean")
    ax.set(xlabel=r"$\tau$", ylabel="value", xlim=(0, 1))
    ax.legend(loc="upper left")
    return ax


def below_the_expectile(ax: Axes | None = None) -> Axes:
    """P(X < m_τ) against τ for three two-atom laws: a quantile would follow the diagonal."""
    ax = new_axis(ax)
    tau = np.linspace(0.002, 0.998, 300)
    for i, top in enumerate((0.05, 0.3, 0.9)):
        m = [rl.expectile([0.0, 1.0], [1 - top, top], t) for t in tau]
        mass = [(1 - top) * (v > 0.0) + top * (v > 1.0) for v in m]
        ax.plot(tau, mass, color=PALETTE[i], label=f"X = 1 with probability {top:g}")
    ax.plot([0, 1], [0, 1], color=STEEL, linestyle="--", label=r"a $\tau$-quantile")
    ax.set(xlabel=r"$\tau$", ylabel=r"$P(X<m_\tau)$", xlim=(0, 1), ylim=(0, 1))
    ax.legend(loc=(0.46, 0.17), fontsize=8)
    return ax


def values_against_tau(x: Offline | None = None, ax: Axes | None = None) -> Axes:
    """V_τ in every state against τ, from the worst in-support value to V*_μ; the one-level value dashed."""
    ax = new_axis(ax)
    base = x or three_states()
    M, mu = base.M.float(), base.mu.float()
    tau = np.concatenate([np.linspace(0.01, 0.99, 50), 1 - np.logspace(-2.2, -4, 8)])
    at = [Offline(M, mu, float(t)) for t in tau]
    for s in range(M.S):
        ax.plot(tau, [y.V[s] for y in at], color=PALETTE[s], label=rf"$V_\tau({s})$")
        ax.plot([1], [float(base.best.V[s])], "o", color=PALETTE[s], clip_on=False, zorder=5)
        ax.plot([0.5], [float(base.V_mu[s])], "s", color=PALETTE[s], markersize=4)
    ax.plot(tau, [y.N[0] for y in at], color=PALETTE[0], linestyle="--", label=r"one-level $N_\tau(0)$")
    ax.set(xlabel=r"$\tau$   (squares: $V^\mu$, dots: $V^*_\mu$)", ylabel="value", xlim=(0, 1))
    ax.legend(loc="upper left")
    return ax


def one_step_threshold(ax: Axes | None = None) -> Axes:
    """Q_τ of the two actions of state 0 in the gadget with threshold 45/49, against τ."""
    ax = new_axis(ax)
    at = page(Fraction(1, 2))
    tau0 = float(threshold(at))
    tau = np.linspace(0.5, 0.999, 200)
    p, gamma = float(at.p), float(at.gamma)
    ax.plot(
        tau,
        gamma * tau * p / (tau * p + (1 - tau) * (1 - p)),
        color=PALETTE[0],
        label=r"$Q_\tau(0,a)$: go on",
    )
    ax.axhline(float(at.b), color=PALETTE[1], label=r"$Q_\tau(0,b)$: take 1/2")
    ax.axvline(tau0, color=INK, linestyle="--", linewidth=1, label="45/49")
    ax.axvline(0.9, color=STEEL, linestyle=":", label="quantile level 0.9")
    ax.set(xlabel=r"$\tau$", ylabel="value", xlim=(0.5, 1), ylim=(0, 0.92))
    ax.legend(loc="upper left")
    return ax


def maze_against_tau(maze: Maze | None = None, beta: float = 10.0, ax: Axes | None = None) -> Axes:
    """At the start of the U-maze: V_τ, and what greedy and AWR extraction earn, against τ."""
    ax = new_axis(ax)
    x = maze or Maze()
    tau = np.concatenate([np.linspace(0.5, 0.95, 19), [0.96, 0.97, 0.98, 0.99]])
    s = x.start
    ax.plot(tau, [x.greedy(t).V[s] for t in tau], color=PALETTE[2], label=r"greedy policy of $Q_\tau$")
    ax.plot(tau, [x.awr(t, beta).V[s] for t in tau], color=PALETTE[0], label=rf"AWR policy, $\beta={beta:g}$")
    ax.plot(
        tau, [x.implicit(t).V[s] for t in tau], color=PALETTE[1], linestyle="--", label=r"$V_\tau$ itself"
    )
    ax.axhline(float(x.optimum.V[s]), color=STEEL, linestyle=":", label=r"$V^*$")
    ax.set(xlabel=r"$\tau$", ylabel="value at the start", ylim=(-0.05, 3.6))
    ax.legend(loc="upper left", ncols=2, fontsize=8)
    return ax


def maze_maps(maze: Maze | None = None, beta: float = 10.0, taus: tuple[float, ...] = (0.5, 0.9)) -> Figure:
    """V_τ over the maze on one logarithmic scale, with the AWR policy as arrows; V* and π* last."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    x = maze or Maze()
    panels: list[tuple[str, Any, rl.Policy]] = [
        (rf"$V_{{{tau:g}}}$ and its AWR policy", x.implicit(tau).V, x.awr(tau, beta).pi) for tau in taus
    ]
    panels.append(("$V^*$ and optimal moves", x.optimum.V, x.expert))
    fig = Figure(figsize=(3.6 * len(panels) + 0.8, 3.9), layout="constrained")
    axes = fig.subplots(1, len(panels))
    norm = LogNorm(vmin=min(float(V[~x.M.terminal].min()) for _, V, _ in panels), vmax=10)
    image: Any = None
    for ax, (title, V, pi) in zip(axes, panels, strict=True):
        image = _draw_maze(ax, x.M, V, pi, norm)
        ax.set_title(title)
    fig.colorbar(image, ax=axes, label="value", shrink=0.8)
    return fig


def _draw_maze(ax: Axes, M: rl.MDP, V: Any, pi: rl.Policy, norm: Any) -> Any:
    grid = find_grid(M)
    if grid is None:
        raise ValueError("maze: not a grid")
    shown = np.full((grid.rows, grid.cols), np.nan)
    shown[tuple(grid.cells.T)] = V
    goal = np.flatnonzero(M.terminal)
    shown[tuple(grid.cells[goal].T)] = np.nan
    ax.set_facecolor(WALL)
    image = ax.imshow(shown, norm=norm, cmap="viridis")
    prob = pi.matrix(M.A, exact=False)
    for s, (r, c) in enumerate(grid.cells.tolist()):
        if M.terminal[s]:
            ax.text(c, r, "G", ha="center", va="center", weight="bold", color=INK)
            continue
        for a, (dr, dc) in enumerate(grid.moves):
            if prob[s, a] > 0.05:
                size = 0.12 + 0.3 * float(prob[s, a])
                head = {"arrowstyle": "-|>", "color": "white", "lw": 0.9, "mutation_scale": 5, "shrinkA": 0}
                ax.annotate("", (c + dc * size, r + dr * size), (c, r), arrowprops=head)
    start = grid.cells[int(np.argmax(M.mu))]
    ax.text(start[1] - 0.33, start[0] + 0.3, "S", ha="center", va="center", fontsize=8, color="white")
    ax.set_xticks([])
    ax.set_yticks([])
    return image


def main(folder: str) -> None:
    """Write all pictures as `implicit-q-*.png`."""
    pictures = {
        "expectile": expectile_and_quantile().figure,
        "below": below_the_expectile().figure,
        "values": values_against_tau().figure,
        "rate": limit_slope().plot().figure,
        "threshold": one_step_threshold().figure,
        "maze-maps": maze_maps(),
        "maze-tau": maze_against_tau().figure,
        "maze-sampled": u_maze_sampled().plot().figure,
        "awr-hurts": awr_hurts().plot().figure,
    }
    for name, fig in pictures.items():
        fig.savefig(Path(folder) / f"implicit-q-{name}.png", dpi=110, facecolor="white")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/_static")
