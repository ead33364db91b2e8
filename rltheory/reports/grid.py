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

from ..arrays import BoolVec, IntVec
from ..models import MDP, Policy
from ..results import Solution

ARROWS = {(0, -1): "←", (1, 0): "↓", (0, 1): "→", (-1, 0): "↑", (0, 0): "·"}
"""Unit displacement (row, column) to its arrow."""
GOAL, STOP, WALL = "G", "■", " "


@dataclass(frozen=True, eq=False)
class Grid:
    """State s lies in cell `cells[s]` = (row, column); `moves[a]` is the unit displacement of action a.

    `end` is a state outside the grid, entered when an episode ends, or None.
    """

    rows: int
    cols: int
    moves: tuple[tuple[int, int], ...]
    cells: IntVec
    end: int | None = None

    def inside(self) -> list[tuple[int, int, int]]:
        """(state, row, column) of every state that has a cell."""
        return [(s, r, c) for s, (r, c) in enumerate(self.cells.tolist()) if s != self.end]


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
    """The grid that makes all moves of `mdp` local, or None; O(nnz) per divisor of S.

    The last state may be an end outside the grid, as in models read from Gymnasium.
    """
    table = coordinates(mdp.states) if mdp.states is not None else None
    if table is not None and len(table.kinds) == 1 and (table.kind == 0).all():
        return _as_grid(mdp, np.stack([table.row - table.row.min(), table.col - table.col.min()], axis=1))
    last = mdp.S - 1
    for end in (None, last) if mdp.terminal[last] and mdp.terminal.sum() == 1 else (None,):
        n = mdp.S if end is None else last
        for w in range(2, n // 2 + 1):
            if n % w:
                continue
            cells = np.stack(np.divmod(np.arange(mdp.S), w), axis=1)
            if (grid := _as_grid(mdp, cells, end)) is not None:
                return grid
    return None


def _as_grid(mdp: MDP, cells: IntVec, end: int | None = None) -> Grid | None:
    data, cols, ptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(ptr))
    src, dst = mdp.pair_state[owner], np.asarray(cols, dtype=np.int64)
    live = (data > 0) & ~mdp.terminal[src] & (src != dst)
    start = np.asarray(mdp.mu != 0, dtype=np.bool_)
    may_jump = mdp.terminal if start.all() else mdp.terminal | start
    step = cells[dst] - cells[src]
    near = np.abs(step).sum(axis=1) == 1
    if end is not None:
        near &= dst != end
    if (live & ~near & ~may_jump[dst]).any():
        return None
    seen = live & near
    if not (seen & (step[:, 0] != 0)).any() or not (seen & (step[:, 1] != 0)).any():
        return None
    if 2 * seen.sum() < live.sum():
        return None
    mean = np.zeros((mdp.A, 2))
    np.add.at(mean, mdp.pair_action[owner], step * np.where(seen, data.astype(np.float64), 0.0)[:, None])
    inside = cells if end is None else np.delete(cells, end, axis=0)
    rows, width = (int(x) + 1 for x in inside.max(axis=0))
    return Grid(rows, width, tuple(_unit(d, r) for d, r in mean), cells, end)


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


def signs(mdp: MDP, grid: Grid) -> dict[int, str]:
    """{state: sign} of the cells in which nothing is decided: goals, other terminal cells.

    With terminal states on the grid, a goal is one whose every entry pays the most (unless all do), an
    entry paying R(s, a)/P(t | s, a).  With an `end` outside the grid, the cells never reached from the
    start stand for the ends; a goal is one all of whose reached neighbours can end with the most reward.
    """
    pays = _entry_pay(mdp) if grid.end is None else _neighbour_pay(mdp, grid)
    known = [v for v in pays.values() if abs(v) < np.inf]
    top = max(known, default=0.0)
    split = len(pays) == 1 or min(pays.values(), default=0.0) < top - 1e-9
    return {t: GOAL if split and top - 1e-9 <= v < np.inf else STOP for t, v in pays.items()}


def _entry_pay(mdp: MDP) -> dict[int, float]:
    data, cols, ptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(ptr))
    enters = mdp.terminal[cols] & ~mdp.terminal[mdp.pair_state[owner]] & (data > 0)
    pays = {int(t): np.inf for t in np.flatnonzero(mdp.terminal)}
    for k, t, p in zip(owner[enters], cols[enters], data[enters]):
        pays[int(t)] = min(pays[int(t)], float(mdp.R_pairs[k]) / float(p))
    return pays


def _neighbour_pay(mdp: MDP, grid: Grid) -> dict[int, float]:
    data, cols, ptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(ptr))
    best = np.full(mdp.S, -np.inf)  # the most a step that may end the episode pays
    for k in owner[(cols == grid.end) & (data > 0)]:
        best[mdp.pair_state[k]] = max(best[mdp.pair_state[k]], float(mdp.R_pairs[k]))
    reached = reachable(mdp)
    at = {(r, c): s for s, r, c in grid.inside()}
    pays = {}
    for s, r, c in grid.inside():
        if not reached[s]:
            around = [at.get((r + dr, c + dc)) for dr, dc in ARROWS if (dr, dc) != (0, 0)]
            pays[s] = min((float(best[n]) for n in around if n is not None and reached[n]), default=-np.inf)
    return pays


def reachable(mdp: MDP) -> BoolVec:
    """(S,) states that some policy reaches from the start law; O(nnz)."""
    data, cols, ptr = mdp.csr
    seen = np.asarray(mdp.mu != 0, dtype=np.bool_)
    front = np.flatnonzero(seen)
    while front.size:
        new = set()
        for s in front:
            lo, hi = ptr[mdp.state_ptr[s]], ptr[mdp.state_ptr[s + 1]]
            new.update(cols[lo:hi][data[lo:hi] > 0].tolist())
        front = np.array([t for t in new if not seen[t]], dtype=np.int64)
        seen[front] = True
    return seen


def likeliest(mdp: MDP, pi: Policy) -> Any:
    """(S,) the action of each state, or its likeliest one under a stochastic policy."""
    return pi.actions if pi.is_deterministic else np.argmax(pi.matrix(mdp.A, exact=False), axis=1)


def arrows(mdp: MDP, pi: Policy, grid: Grid) -> str:
    """The policy as one line of arrows a row; goals are G, other terminal states ■, walls blank."""
    marks, act = signs(mdp, grid), likeliest(mdp, pi)
    text = [[WALL] * grid.cols for _ in range(grid.rows)]
    for s, r, c in grid.inside():
        text[r][c] = marks.get(s) or ARROWS[grid.moves[int(act[s])]]
    return "\n".join(" ".join(line).rstrip() for line in text)


def letters(mdp: MDP, pi: Policy, table: Coordinates) -> str:
    """The policy as a letter or number a state over two coordinates, largest row on top, and a legend."""
    names = mdp.actions or tuple(str(a) for a in range(mdp.A))
    short, key = _abbreviations(names)
    act, blocks = likeliest(mdp, pi), []
    for k, kind in enumerate(table.kinds):
        here = np.flatnonzero((table.kind == k) & ~mdp.terminal)
        rows, cols = sorted(set(table.row[here]), reverse=True), sorted(set(table.col[here]))
        at = {(int(table.row[s]), int(table.col[s])): short[int(act[s])] for s in here}
        side = max(len(str(r)) for r in rows)
        wide = max(max(len(str(c)) for c in cols), max(map(len, at.values())))
        lines = [
            f"{r:>{side}} │ " + " ".join(at.get((int(r), int(c)), "").rjust(wide) for c in cols).rstrip()
            for r in rows
        ]
        foot = " " * side + " └ " + " ".join(str(c).rjust(wide) for c in cols)
        blocks.append("\n".join(([kind] if kind else []) + [*lines, foot]))
    used = sorted({int(a) for a in act[~mdp.terminal]})
    legend = key or ", ".join(f"{short[a]} = {names[a]}" for a in used)
    return "\n\n".join(blocks) + f"\n{table.axes[0]} up, {table.axes[1]} across; {legend}"


def numeric(names: Sequence[str]) -> list[float] | None:
    """The numbers in action labels such as "move -2" or "3"; None unless all labels share one verb."""
    found = [re.fullmatch(r"(?:([a-z]+) )?([-+−]?\d+(?:\.\d+)?)", n) for n in names]
    if not all(found) or len({m[1] for m in found if m}) != 1:
        return None
    return [float(m[2].replace("−", "-")) for m in found if m]


def _abbreviations(names: Sequence[str]) -> tuple[list[str], str]:
    """A short form of each action, and the legend if one phrase explains all."""
    numbers = numeric(names)
    if numbers is not None:
        verb = names[0].rpartition(" ")[0] or "action"
        return [f"{x:g}" for x in numbers], f"number = {verb}"
    short = [n[:1].upper() for n in names]
    if len(set(short)) < len(names):
        short = [chr(ord("a") + a) if len(names) <= 26 else str(a) for a in range(len(names))]
    return short, ""
