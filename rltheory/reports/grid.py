"""Models that live on a grid or a table: found by their labels and transitions, drawn as text.

A model is a *grid* when every move leaves a cell for itself or a horizontal or vertical neighbour (moves
into start or terminal states may jump, as a fall off a cliff does), and both kinds of move occur.  Cells
come from labels "(row,col)", or are numbered row by row.  An action's arrow is the direction of its mean
displacement, so slip does not hide it.  A model is a *table* when its labels hold two numbers (and
perhaps a kind), as in "(3,7)" or "soft 18 v A".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import IntVec
from ..models import MDP, Policy
from ..results import Solution

ARROWS = {(0, -1): "←", (1, 0): "↓", (0, 1): "→", (-1, 0): "↑", (0, 0): "·"}
"""Unit displacement (row, column) to its arrow."""
GOAL, STOP, WALL = "G", "■", " "


@dataclass(frozen=True, eq=False)
class Grid:
    """State s lies in cell `cells[s]` = (row, column); `moves[a]` is the unit displacement of action a."""

    rows: int
    cols: int
    moves: tuple[tuple[int, int], ...]
    cells: IntVec


@dataclass(frozen=True, eq=False)
class Coordinates:
    """State s sits at (row[s], col[s]) of panel `kinds[kind[s]]`; kind −1 marks states left out."""

    row: IntVec
    col: IntVec
    kind: IntVec
    kinds: tuple[str, ...]
    axes: tuple[str, str]


def pairs_of(sol: Solution) -> MDP:
    """The model whose pairs, labels and start law describe a solution's states (that inside an `SSP`)."""
    mdp: MDP = sol.mdp if isinstance(sol.mdp, MDP) else sol.mdp.mdp
    return mdp


def find_grid(mdp: MDP) -> Grid | None:
    """The grid that makes all moves of `mdp` local, or None; O(nnz) per divisor of S."""
    table = coordinates(mdp.states) if mdp.states is not None else None
    if table is not None and len(table.kinds) == 1 and (table.kind == 0).all():
        return _as_grid(mdp, np.stack([table.row - table.row.min(), table.col - table.col.min()], axis=1))
    s = np.arange(mdp.S)
    for w in range(2, mdp.S // 2 + 1):
        if mdp.S % w == 0 and (grid := _as_grid(mdp, np.stack(np.divmod(s, w), axis=1))) is not None:
            return grid
    return None


def _as_grid(mdp: MDP, cells: IntVec) -> Grid | None:
    data, cols, ptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(ptr))
    src, dst = mdp.pair_state[owner], np.asarray(cols, dtype=np.int64)
    live = (data > 0) & ~mdp.terminal[src] & (src != dst)
    start = np.asarray(mdp.mu != 0, dtype=np.bool_)
    may_jump = mdp.terminal if start.all() else mdp.terminal | start
    step = cells[dst] - cells[src]
    near = np.abs(step).sum(axis=1) == 1
    if (live & ~near & ~may_jump[dst]).any():
        return None
    seen = live & near
    if not (seen & (step[:, 0] != 0)).any() or not (seen & (step[:, 1] != 0)).any():
        return None
    if 2 * seen.sum() < live.sum():
        return None
    mean = np.zeros((mdp.A, 2))
    np.add.at(mean, mdp.pair_action[owner], step * np.where(seen, data.astype(np.float64), 0.0)[:, None])
    rows, width = (int(x) + 1 for x in cells.max(axis=0))
    return Grid(rows, width, tuple(_unit(d, r) for d, r in mean), cells)


def _unit(down: float, right: float) -> tuple[int, int]:
    if max(abs(down), abs(right)) < 1e-9:
        return (0, 0)
    return (int(np.sign(down)), 0) if abs(down) > abs(right) else (0, int(np.sign(right)))


def coordinates(states: Sequence[str]) -> Coordinates | None:
    """Where labels of one form put their states; None if fewer than two values a side, or two share a place.

    "(3,7)" is row 3, column 7; "soft 18 v A" is row 18, column 1 of the panel "soft".  Labels of another
    form (an end state) are left out, but at most a tenth of all.
    """
    forms = (
        (r"()\(?(-?\d+)\s*[,/ ]\s*(-?\d+)\)?", ("first coordinate", "second coordinate")),
        (r"(\w+) (\d+) v (A|\d+)", ("player's sum", "dealer's card (ace = 1)")),
    )
    for form, axes in forms:
        hits = [re.fullmatch(form, label) for label in states]
        if sum(h is None for h in hits) > max(1, 0.1 * len(hits)) or not any(hits):
            continue
        kinds = tuple(dict.fromkeys(h[1] for h in hits if h))
        place = np.array(
            [
                (kinds.index(h[1]), int(h[2]), 1 if h[3] == "A" else int(h[3])) if h else (-1, 0, 0)
                for h in hits
            ]
        )
        found = [tuple(p) for p in place.tolist() if p[0] >= 0]
        if len(set(found)) == len(found) and all(len(set(place[place[:, 0] >= 0, j])) > 1 for j in (1, 2)):
            return Coordinates(place[:, 1], place[:, 2], place[:, 0], kinds, axes)
    return None


def signs(mdp: MDP) -> dict[int, str]:
    """{terminal state: sign}: a goal is a terminal state whose every entry pays the most, unless all do.

    What a state pays on entry is the least R(s, a)/P(t | s, a) over the pairs that enter it.
    """
    data, cols, ptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(ptr))
    enters = mdp.terminal[cols] & ~mdp.terminal[mdp.pair_state[owner]] & (data > 0)
    pays = {int(t): np.inf for t in np.flatnonzero(mdp.terminal)}
    for k, t, p in zip(owner[enters], cols[enters], data[enters]):
        pays[int(t)] = min(pays[int(t)], float(mdp.R_pairs[k]) / float(p))
    entered = [v for v in pays.values() if v < np.inf]
    top = max(entered, default=0.0)
    split = len(entered) == 1 or min(entered, default=0.0) < top - 1e-9
    return {t: GOAL if split and top - 1e-9 <= v < np.inf else STOP for t, v in pays.items()}


def likeliest(mdp: MDP, pi: Policy) -> Any:
    """(S,) the action of each state, or its likeliest one under a stochastic policy."""
    return pi.actions if pi.is_deterministic else np.argmax(pi.matrix(mdp.A, exact=False), axis=1)


def arrows(mdp: MDP, pi: Policy, grid: Grid) -> str:
    """The policy as one line of arrows a row; goals are G, other terminal states ■, walls blank."""
    marks, act = signs(mdp), likeliest(mdp, pi)
    text = [[WALL] * grid.cols for _ in range(grid.rows)]
    for s, (r, c) in enumerate(grid.cells.tolist()):
        text[r][c] = marks.get(s) or ARROWS[grid.moves[int(act[s])]]
    return "\n".join(" ".join(line).rstrip() for line in text)


def letters(mdp: MDP, pi: Policy, table: Coordinates) -> str:
    """The policy as one character a state over two coordinates, largest row on top, with its legend."""
    names = mdp.actions or tuple(str(a) for a in range(mdp.A))
    short = [n[:1].upper() for n in names]
    if len(set(short)) < len(names):
        short = [format(a, "X") if len(names) <= 16 else chr(ord("a") + a % 26) for a in range(len(names))]
    act, blocks = likeliest(mdp, pi), []
    for k, kind in enumerate(table.kinds):
        here = np.flatnonzero((table.kind == k) & ~mdp.terminal)
        rows, cols = sorted(set(table.row[here]), reverse=True), sorted(set(table.col[here]))
        at = {(int(table.row[s]), int(table.col[s])): short[int(act[s])] for s in here}
        side = max(len(str(r)) for r in rows)
        lines = [
            f"{r:>{side}} │ "
            + " ".join(f"{at.get((int(r), int(c)), ' '):>{len(str(c))}}" for c in cols).rstrip()
            for r in rows
        ]
        foot = " " * side + " └ " + " ".join(str(c) for c in cols)
        blocks.append("\n".join(([kind] if kind else []) + [*lines, foot]))
    used = sorted({int(a) for a in act[~mdp.terminal]})
    key = f"{table.axes[0]} up, {table.axes[1]} across; " + ", ".join(
        f"{short[a]} = {names[a]}" for a in used
    )
    return "\n\n".join(blocks) + "\n" + key
