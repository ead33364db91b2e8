"""Pictures: policies on grids and tables, values between their bounds, curves under their theorems.

Every function returns a `matplotlib.figure.Figure` and touches no global state; `save` writes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatVec, float_array
from ..errors import InvalidArgument
from ..models import MDP, Policy
from ..results import Solution
from .grid import GOAL, Coordinates, Grid, coordinates, find_grid, likeliest, numeric, pairs_of, signs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PAPER, STEEL, WALL = "#1b1b1b", "#ffffff", "#5b6770", "#c9ced2"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Line colours that colour-blind readers can tell apart (Okabe and Ito)."""
VALUES, ACTIONS = "viridis", "coolwarm"


def save(fig: Figure, path: str | Path, *, dpi: int = 150) -> Path:
    """Write the figure; the format is the file's suffix."""
    out = Path(path)
    fig.savefig(out, dpi=dpi, facecolor=PAPER)
    return out


def _figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained")
    axes = [fig.add_subplot(1, panels, i + 1) for i in range(panels)]
    return fig, axes


# ---- policies ----------------------------------------------------------------------------
def policy(sol: Solution, *, title: str | None = None) -> Figure:
    """The policy of a solution in the picture that suits its model.

    Arrows on a grid; a heat map of actions where states are labelled by pairs of numbers (panels
    for two kinds of state, as in blackjack); otherwise values with their bounds.
    """
    mdp = pairs_of(sol)
    grid = find_grid(mdp)
    if grid is not None:
        return grid_policy(mdp, sol.V, sol.pi, grid, title=title)
    if mdp.states is not None:
        table = coordinates(mdp.states)
        if table is not None:
            return action_map(mdp, sol.pi, table, title=title)
    return enclosure(sol, title=title)


def grid_policy(mdp: MDP, V: ArrayLike, pi: Policy, grid: Grid, *, title: str | None = None) -> Figure:
    """V as colour and number, π as arrows (length = probability), terminal states as signs."""
    values, marks = float_array(V), signs(mdp, grid)
    shown = np.full((grid.rows, grid.cols), np.nan)
    for s, r, c in grid.inside():
        if s not in marks:
            shown[r, c] = values[s]
    size = max(0.3, min(0.9, 9 / max(grid.rows, grid.cols)))
    fig, (ax,) = _figure(size * grid.cols + 1.3, size * grid.rows + (0.7 if title else 0.3))
    ax.set_facecolor(WALL)
    image = ax.imshow(shown, cmap=VALUES)
    bar = ax.inset_axes((1 + 0.12 / (size * grid.cols), 0, 0.16 / (size * grid.cols), 1))
    fig.colorbar(image, cax=bar, label="V")
    prob = pi.matrix(mdp.A, exact=False)
    numbers = size > 0.6
    for s, r, c in grid.inside():
        if s in marks:
            _sign(ax, r, c, marks[s], size)
            continue
        ink = _ink_on(image, values[s])
        lift = 0.13 if numbers else 0.0
        for a, (dr, dc) in enumerate(grid.moves):
            _arrow(ax, c, r - lift, dr, dc, float(prob[s, a]), ink, size)
        if numbers:
            ax.text(c, r + 0.36, f"{values[s]:.3g}", ha="center", va="center", color=ink, fontsize=9 * size)
    ax.set_xticks(np.arange(grid.cols + 1) - 0.5, labels=[])
    ax.set_yticks(np.arange(grid.rows + 1) - 0.5, labels=[])
    ax.grid(color=PAPER, linewidth=1)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    if title:
        ax.set_title(title)
    return fig


def _sign(ax: Axes, r: int, c: int, mark: str, size: float) -> None:
    from matplotlib.patches import Rectangle

    colour = "#ffd166" if mark == GOAL else "#3a3f44"
    ax.add_patch(Rectangle((c - 0.5, r - 0.5), 1, 1, facecolor=colour, edgecolor=PAPER))
    if mark == GOAL:
        ax.text(c, r, GOAL, ha="center", va="center", color=INK, weight="bold", fontsize=16 * size)


def _arrow(ax: Axes, c: float, r: float, dr: int, dc: int, p: float, ink: str, size: float) -> None:
    if p <= 1e-3:
        return
    if dr == dc == 0:
        ax.plot([c], [r], "o", color=ink, markersize=3 * math.sqrt(p))
        return
    half = 0.12 + 0.14 * p
    ax.annotate(
        "",
        xy=(c + half * dc, r + half * dr),
        xytext=(c - half * dc, r - half * dr) if p > 0.999 else (c, r),
        arrowprops={
            "arrowstyle": "-|>",
            "color": ink,
            "lw": 1.5 * min(1, size + 0.2),
            "mutation_scale": (6 + 5 * p) * min(1, size + 0.1),
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


def _ink_on(image: Any, value: float) -> str:
    """Dark or light ink, whichever reads better on the colour of `value`."""
    red, green, blue, _ = image.cmap(image.norm(value))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else PAPER


def action_map(mdp: MDP, pi: Policy, table: Coordinates, *, title: str | None = None) -> Figure:
    """π as a coloured table over two state coordinates, one panel a kind of state.

    Numeric action labels share one colour scale, others get a colour and a legend entry each.
    """
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    labels = mdp.actions or tuple(str(a) for a in range(mdp.A))
    numbers = numeric(labels)
    scale = np.array(range(mdp.A) if numbers is None else numbers, dtype=np.float64)
    live = (table.kind >= 0) & ~mdp.terminal
    layers = [k for k in range(len(table.kinds)) if _is_wide(table, live & (table.kind == k))]
    fig, panels = _figure(1.4 + 4.2 * len(layers), 4.2 if title is None else 4.5, len(layers))
    act = likeliest(mdp, pi)
    for ax, k in zip(panels, layers):
        pick = live & (table.kind == k)
        rows, cols = table.row[pick], table.col[pick]
        picture = np.full((np.ptp(rows) + 1, np.ptp(cols) + 1), np.nan)
        picture[rows - rows.min(), cols - cols.min()] = scale[act[pick]]
        box = (cols.min() - 0.5, cols.max() + 0.5, rows.min() - 0.5, rows.max() + 0.5)
        image = ax.imshow(
            picture,
            origin="lower",
            extent=box,
            cmap=ACTIONS,
            vmin=scale.min(),
            vmax=scale.max(),
            aspect="auto",
        )
        ax.set_xlabel(table.axes[1])
        ax.set_ylabel(table.axes[0])
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        if table.kinds[k]:
            ax.set_title(table.kinds[k], fontsize=10)
    if numbers is not None:
        bar = fig.colorbar(image, ax=panels, label=labels[0].rpartition(" ")[0] or "action")
        if len(scale) <= 12:
            bar.set_ticks(sorted(scale))
    else:
        used = sorted({int(a) for a in act[live]})
        patches = [Patch(color=image.cmap(image.norm(scale[a])), label=labels[a]) for a in used]
        fig.legend(handles=patches, loc="outside right upper", frameon=False)
    if title:
        fig.suptitle(title)
    return fig


def _is_wide(table: Coordinates, pick: Any) -> bool:
    """True for a kind of state that fills more than one row; a single row has no picture worth a panel."""
    return pick.any() and len(set(table.row[pick].tolist())) > 1


# ---- values and their bounds -------------------------------------------------------------
def enclosure(sol: Solution, *, title: str | None = None) -> Figure:
    """V with its rigorous bounds, and below it the width upper − lower on a log axis."""
    from matplotlib.figure import Figure

    V, lo, hi = (float_array(x) for x in (sol.V, sol.lower, sol.upper))
    width = np.array([float(w) for w in sol.upper - sol.lower])
    s = np.arange(len(V))
    fig = Figure(figsize=(7, 4.6), layout="constrained")
    top, low = fig.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    style = "-" if len(V) > 60 else "o"
    top.vlines(s, lo, hi, color=PALETTE[0], linewidth=4, alpha=0.35)
    top.plot(s, V, style, color=PALETTE[0], linewidth=1, markersize=4)
    top.set_ylabel("V")
    if (width > 0).any():
        low.semilogy(s, np.where(width > 0, width, np.nan), style, color=STEEL, markersize=3)
        low.set_ylim(width[width > 0].min() / 10, width.max() * 10)
    else:
        low.text(0.5, 0.5, "exact: the width is zero", transform=low.transAxes, ha="center", va="center")
        low.set_yticks([])
    low.set_ylabel("upper − lower")
    low.set_xlabel("state")
    labels = pairs_of(sol).states
    if labels is not None and len(V) <= 16:
        low.set_xticks(s, labels=list(labels), rotation=45, ha="right")
    top.set_title(title or f"{sol.solver}, error ≤ {float(sol.error):.1e}", fontsize=11)
    _plain(top)
    _plain(low)
    return fig


def residuals(sols: Sequence[Solution], *, title: str | None = None) -> Figure:
    """‖Tv − v‖ after each iteration, log scale, one line a solver."""
    lines = [
        Curve(sol.solver, np.arange(1, len(sol.residuals) + 1), np.array(sol.residuals))
        for sol in sols
        if sol.residuals
    ]
    if not lines:
        raise InvalidArgument("residuals: no solution holds residuals, pick an iterative solver")
    return curves(lines, x="iteration", y="residual", ylog=True, title=title)


# ---- curves ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Curve:
    """One line: y over x, an optional band [low, high], drawn dashed if it is a bound."""

    label: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    kind: Literal["line", "points", "bound"] = "line"


def curves(
    lines: Sequence[Curve],
    *,
    x: str,
    y: str,
    xlog: bool = False,
    ylog: bool = False,
    title: str | None = None,
) -> Figure:
    """Curves with bands, theorems dashed in ink; log axes drop what is not positive.

    Raises
    ------
    InvalidArgument
        If a curve's arrays differ in length, or nothing is left to draw.
    """
    fig, (ax,) = _figure(6.4, 4.2)
    colours = iter(PALETTE * (1 + len(lines) // len(PALETTE)))
    drawn = 0
    for line in lines:
        xs, ys = float_array(line.x), float_array(line.y)
        if xs.shape != ys.shape or xs.ndim != 1:
            raise InvalidArgument(
                f"curves: {line.label!r} has x of shape {xs.shape}, y of {ys.shape}; need equal lengths"
            )
        keep = np.isfinite(ys) & ((xs > 0) | (not xlog)) & ((ys > 0) | (not ylog))
        if not keep.any():
            continue
        drawn += 1
        if line.kind == "bound":
            ax.plot(xs[keep], ys[keep], "--", color=INK, linewidth=1.4, label=line.label)
            continue
        colour = next(colours)
        style = "o" if line.kind == "points" else "-"
        ax.plot(xs[keep], ys[keep], style, color=colour, linewidth=1.6, markersize=4, label=line.label)
        if line.low is not None and line.high is not None:
            floor = ys[keep].min() * 1e-3 if ylog else -np.inf
            low = np.maximum(float_array(line.low)[keep], floor)
            ax.fill_between(
                xs[keep], low, float_array(line.high)[keep], color=colour, alpha=0.18, linewidth=0
            )
    if not drawn:
        raise InvalidArgument(
            "curves: nothing to draw, every value is missing (or not positive on a log axis)"
        )
    if xlog:
        ax.set_xscale("log")
    if ylog:
        ax.set_yscale("log")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    if title:
        ax.set_title(title, fontsize=11)
    if len(lines) > 1:
        ax.legend(frameon=False)
    _plain(ax)
    return fig


def worst_case_progress(evaluations: ArrayLike, ratios: ArrayLike, *, title: str | None = None) -> Figure:
    """Best lhs/rhs found so far against evaluations, with the theorem at 1."""
    n, r = float_array(evaluations), float_array(ratios)
    best: FloatVec = np.maximum.accumulate(r)
    ends = np.array([n.min(), n.max()])
    fig = curves(
        [Curve("best ratio found", n, best), Curve("the claim: 1", ends, np.ones(2), kind="bound")],
        x="evaluations",
        y="lhs / rhs",
        xlog=bool(n.min() > 0 and n.max() > 100 * n.min()),
        title=title,
    )
    fig.axes[0].set_ylim(bottom=0)
    return fig


def _plain(ax: Axes) -> None:
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
