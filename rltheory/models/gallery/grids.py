"""Grid worlds: lakes, cliffs, taxis, rooms with walls, mazes with slip.

Cells are numbered row by row; actions are 0 left, 1 down, 2 right, 3 up.  With slip p the move goes
to the intended side with probability 1 − p and to each perpendicular side with p/2; a move into a
wall or off the grid stays put.  Terminal cells are absorbing and pay nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import BoolVec, IntVec, Real
from ...errors import InvalidArgument
from ...seeds import generator
from .._build import branches, check_size, decimal, is_rational, probability
from ..mdp import MDP

ACTIONS = ("left", "down", "right", "up")
_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))

LAKE_4 = ("SFFF", "FHFH", "FFFH", "HFFG")
LAKE_8 = (
    "SFFFFFFF",
    "FFFFFFFF",
    "FFFHFFFF",
    "FFFFFHFF",
    "FFFHFFFF",
    "FHHFFFHF",
    "FHFFHFHF",
    "FFFHFFFG",
)


def neighbours(rows: int, cols: int, open_: NDArray[np.bool_] | None = None) -> IntVec:
    """(rows·cols, 4) cell reached by each action; `open_[s, a]` says which sides are passable."""
    r, c = np.divmod(np.arange(rows * cols), cols)
    out = np.empty((rows * cols, 4), dtype=np.int64)
    for a, (dr, dc) in enumerate(_STEPS):
        out[:, a] = np.clip(r + dr, 0, rows - 1) * cols + np.clip(c + dc, 0, cols - 1)
    if open_ is not None:
        out = np.where(open_, out, np.arange(rows * cols)[:, None])
    return out


def _slippery(
    where: str,
    sides: IntVec,
    slip: Real,
    gamma: Real,
    *,
    terminal: BoolVec,
    rewards: Sequence[Real],
    entry: IntVec,
    start: int,
    teleport: IntVec | None = None,
    bump: int | None = None,
    states: Sequence[str] | None = None,
) -> MDP:
    """Slip dynamics over `sides` (S, 4); arriving in t pays rewards[entry[t]], bumping rewards[bump]."""
    (p,) = probability(where, slip=slip)
    S = sides.shape[0]
    live = np.flatnonzero(~terminal)
    targets = np.stack([sides, np.roll(sides, 1, axis=1), np.roll(sides, -1, axis=1)], axis=2)[live]
    code = entry[targets]
    if bump is not None:
        code = np.where(targets == live[:, None, None], bump, code)
    if teleport is not None:
        targets = teleport[targets]
    mu = np.zeros(S, dtype=np.int64)
    mu[start] = 1
    return branches(
        targets.reshape(-1, 3),
        [1 - p, p / 2, p / 2],
        gamma,
        S=S,
        pair_state=np.repeat(live, 4),
        pair_action=np.tile(np.arange(4), live.size),
        rewards=rewards,
        reward_code=code.reshape(-1, 3),
        terminal=terminal,
        mu=mu,
        states=states,
        actions=ACTIONS,
    )


def frozen_lake(lake: str | Sequence[str] = "4x4", gamma: Real = 0.99, *, slip: Real = Fraction(2, 3)) -> MDP:
    """Walk from S to G over frozen F cells and around holes H; reaching G pays 1; G and H end it.

    4×4, start value at γ = 9/10: 4348890/63127201; 19/20: 298507551082420/1654041892543499;
    99/100: 868292016472811700/1601938145778704383; undiscounted (`SSP.from_mdp`) 14/17.
    8×8: 0.0064111…, 0.0482502…, 0.4146403… and 1.

    Parameters
    ----------
    lake
        "4x4", "8x8", or rows of S, F, H, G.
    gamma
        Discount in [0, 1).
    slip
        Probability of not moving as intended (half to each perpendicular side).

    Raises
    ------
    InvalidArgument
        Unknown letters, rows of different lengths, not exactly one S, no G.
    """
    rows = {"4x4": LAKE_4, "8x8": LAKE_8}.get(lake, lake) if isinstance(lake, str) else lake
    if isinstance(rows, str):
        raise InvalidArgument(f"frozen_lake: lake={lake!r}, must be '4x4', '8x8' or a sequence of rows")
    cells = _letters("frozen_lake", rows, "SFHG")
    flat = cells.reshape(-1)
    if (flat == "S").sum() != 1 or not (flat == "G").any():
        raise InvalidArgument("frozen_lake: the map needs exactly one S and at least one G; edit its rows")
    return _slippery(
        "frozen_lake",
        neighbours(*cells.shape),
        slip,
        gamma,
        terminal=(flat == "H") | (flat == "G"),
        rewards=[0, 1],
        entry=(flat == "G").astype(np.int64),
        start=int(np.argmax(flat == "S")),
    )


def _letters(where: str, rows: Sequence[str], allowed: str) -> NDArray[Any]:
    if len(rows) == 0 or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise InvalidArgument(
            f"{where}: rows of lengths {[len(r) for r in rows]}, need one common length ≥ 1"
        )
    for i, row in enumerate(rows):
        for j, letter in enumerate(row):
            if letter not in allowed:
                raise InvalidArgument(f"{where}: letter {letter!r} at row {i}, column {j}; use {allowed}")
    return np.array([list(row) for row in rows])


def cliff_walking(gamma: Real = 0.9, *, rows: int = 4, cols: int = 12) -> MDP:
    """From the bottom left to the bottom right corner; the cells between are cliff: −100 and back to
    the start.  Every other move pays −1.

    4×12: −13 from the start undiscounted (`SSP.from_mdp`); −7458134171671/10¹² at γ = 9/10.

    Source: Sutton and Barto (2018), example 6.6.
    """
    check_size("cliff_walking", least=2, rows=rows, cols=cols)
    S, start = rows * cols, (rows - 1) * cols
    terminal = np.zeros(S, dtype=np.bool_)
    terminal[-1] = True
    cliff = np.arange(start + 1, S - 1)
    entry, teleport = np.zeros(S, dtype=np.int64), np.arange(S)
    entry[cliff], teleport[cliff] = 1, start
    sides = neighbours(rows, cols)
    return _slippery(
        "cliff_walking",
        sides,
        0,
        gamma,
        terminal=terminal,
        rewards=[-1, -100],
        entry=entry,
        start=start,
        teleport=teleport,
    )


def gridworld_5x5(gamma: Real = 0.9) -> MDP:
    """Leaving A = (0,1) leads to (4,1) and pays 10, leaving B = (0,3) leads to (2,3) and pays 5;
    a bump into the border pays −1, every other move 0.

    γ = 9/10: V*(A) = 1000000/40951; the uniform policy has V(A) = 8.789291862596121.

    Source: Sutton and Barto (2018), examples 3.5 and 3.8.
    """
    sides = neighbours(5, 5)
    code = (sides == np.arange(25)[:, None]).astype(np.int64)
    sides[1], sides[3], code[1], code[3] = 21, 13, 2, 3
    return branches(
        sides.reshape(-1, 1),
        [1],
        gamma,
        S=25,
        pair_state=np.repeat(np.arange(25), 4),
        pair_action=np.tile(np.arange(4), 25),
        rewards=[0, -1, 10, 5],
        reward_code=code.reshape(-1),
        actions=ACTIONS,
    )


def gridworld(
    rows: int = 5,
    cols: int = 5,
    gamma: Real = 0.95,
    *,
    slip: Real = 0,
    walls: Iterable[tuple[int, int]] = (),
    goal: tuple[int, int] | None = None,
    start: tuple[int, int] = (0, 0),
    step: Real = -1,
    prize: Real = 0,
) -> MDP:
    """A rows × cols room with blocked cells; every move pays `step`, reaching `goal` also `prize`.

    Blocked cells are left out of the state space: states are the open cells in row order, labelled
    "(row,col)".  goal defaults to the last cell and is terminal.  Without slip and walls and with
    step −1, prize 0: V*(s) = −(1 − γ^d)/(1 − γ), d the Manhattan distance to the goal.

    Raises
    ------
    InvalidArgument
        Cells outside the grid; goal or start on a wall.
    """
    check_size("gridworld", rows=rows, cols=cols)
    goal = (rows - 1, cols - 1) if goal is None else goal
    blocked = np.zeros((rows, cols), dtype=np.bool_)
    for name, cells in (("walls", list(walls)), ("goal", [goal]), ("start", [start])):
        for r, c in cells:
            if not (0 <= r < rows and 0 <= c < cols):
                raise InvalidArgument(
                    f"gridworld: {name} has {(r, c)}, cells are 0..{rows - 1} × 0..{cols - 1}"
                )
            if name == "walls":
                blocked[r, c] = True
            elif blocked[r, c]:
                raise InvalidArgument(f"gridworld: {name}={(r, c)} is a wall; move it or drop the wall")
    flat = blocked.reshape(-1)
    number = np.cumsum(~flat) - 1
    cells_open = np.flatnonzero(~flat)
    sides = neighbours(rows, cols)[cells_open]
    sides = number[np.where(flat[sides], cells_open[:, None], sides)]
    S = cells_open.size
    terminal, entry = np.zeros(S, dtype=np.bool_), np.zeros(S, dtype=np.int64)
    end = number[goal[0] * cols + goal[1]]
    terminal[end], entry[end] = True, 1
    labels = [f"({s // cols},{s % cols})" for s in cells_open] if S <= 10_000 else None
    return _slippery(
        "gridworld",
        sides,
        slip,
        gamma,
        terminal=terminal,
        rewards=[step, decimal(step) + decimal(prize)],
        entry=entry,
        start=int(number[start[0] * cols + start[1]]),
        states=labels,
    )


def maze(
    size: int = 20,
    gamma: Real = 0.99,
    *,
    slip: Real = Fraction(1, 10),
    seed: int = 0,
    loops: float = 0.1,
) -> MDP:
    """A random size × size maze, top left to bottom right; −1 a step, the exit is terminal.

    The passages are a random spanning tree of the grid plus a share `loops` of the other walls
    opened.  Every cell is a state.

    Parameters
    ----------
    size
        Side of the square, ≥ 2; size 1000 (10⁶ states) takes seconds.
    gamma
        Discount in [0, 1).
    slip
        Probability of drifting to a perpendicular side.
    seed
        Seed of the walls.
    loops
        Share of non-tree walls opened, in [0, 1].
    """
    check_size("maze", least=2, size=size)
    if not 0 <= loops <= 1:
        raise InvalidArgument(f"maze: loops={loops}, must be a share in [0, 1]")
    rng = generator(seed)
    S, cells = size * size, np.arange(size * size)
    grid = cells.reshape(size, size)
    tail = np.concatenate([grid[:, :-1].reshape(-1), grid[:-1].reshape(-1)])
    head = np.concatenate([grid[:, 1:].reshape(-1), grid[1:].reshape(-1)])
    weight = rng.permutation(tail.size) + 1.0
    import scipy.sparse as sp
    from scipy.sparse.csgraph import minimum_spanning_tree

    tree = minimum_spanning_tree(sp.coo_array((weight, (tail, head)), shape=(S, S)).tocsr())
    passable = np.zeros(tail.size + 1, dtype=np.bool_)
    passable[np.asarray(tree.data, dtype=np.int64)] = True
    passable = passable[weight.astype(np.int64)] | (rng.random(tail.size) < loops)
    open_ = np.zeros((S, 4), dtype=np.bool_)
    right = np.arange(tail.size) < size * (size - 1)
    for a, mask, ends in ((2, right, tail), (0, right, head), (1, ~right, tail), (3, ~right, head)):
        open_[ends[mask], a] = passable[mask]
    terminal = cells == S - 1
    return _slippery(
        "maze",
        neighbours(size, size, open_),
        slip,
        gamma,
        terminal=terminal,
        rewards=[-1],
        entry=np.zeros(S, dtype=np.int64),
        start=0,
    )


_TAXI_WALLS = ((0, 1), (1, 1), (3, 0), (4, 0), (3, 2), (4, 2))
_TAXI_DEPOTS = np.array([0, 4, 20, 23])


def taxi(gamma: Real = 0.99) -> MDP:
    """A taxi on a 5×5 grid fetches a passenger at one of 4 depots and drives to another.

    State ((row·5 + col)·5 + passenger)·4 + destination, passenger 4 = on board; actions 0 south,
    1 north, 2 east, 3 west, 4 pick up, 5 put down.  −1 a step, −10 for a pick-up or put-down that
    is not allowed, +20 for the delivery, which ends the episode.  States whose passenger stands at
    the destination are terminal.  Starts: uniform over the 300 states with a waiting passenger.

    Undiscounted (`SSP.from_mdp`): the mean optimal return over the starts is 793/100, range 3..15.

    Source: Dietterich (2000).
    """
    s = np.arange(500)
    cell, rider, goal = s // 20, s // 4 % 5, s % 4
    row, col = cell // 5, cell % 5
    wall = np.zeros(25, dtype=np.bool_)  # on the east side
    wall[[r * 5 + c for r, c in _TAXI_WALLS]] = True
    moved = np.empty((500, 4), dtype=np.int64)
    moved[:, 0] = np.where(row < 4, cell + 5, cell)
    moved[:, 1] = np.where(row > 0, cell - 5, cell)
    moved[:, 2] = np.where((col < 4) & ~wall[cell], cell + 1, cell)
    moved[:, 3] = np.where((col > 0) & ~wall[np.maximum(cell - 1, 0)], cell - 1, cell)
    nxt, code = np.empty((500, 6), dtype=np.int64), np.zeros((500, 6), dtype=np.int64)
    nxt[:, :4] = moved * 20 + (s % 20)[:, None]
    here = np.where((rider < 4) & (_TAXI_DEPOTS[np.minimum(rider, 3)] == cell), 1, 0).astype(np.bool_)
    nxt[:, 4] = np.where(here, cell * 20 + 16 + goal, s)
    code[:, 4] = np.where(here, 0, 1)
    depot = np.full(25, -1)
    depot[_TAXI_DEPOTS] = np.arange(4)
    down = (rider == 4) & (depot[cell] >= 0)
    nxt[:, 5] = np.where(down, cell * 20 + depot[cell] * 4 + goal, s)
    code[:, 5] = np.where(down, np.where(depot[cell] == goal, 2, 0), 1)
    terminal = rider == goal
    live = np.flatnonzero(~terminal)
    start = ((rider < 4) & ~terminal).astype(np.int64)
    mu: Any = [Fraction(int(x), 300) for x in start] if is_rational(gamma) else start / 300
    return branches(
        nxt[live].reshape(-1, 1),
        [1],
        gamma,
        S=500,
        pair_state=np.repeat(live, 6),
        pair_action=np.tile(np.arange(6), live.size),
        rewards=[-1, -10, 20],
        reward_code=code[live].reshape(-1),
        terminal=terminal,
        mu=mu,
        actions=("south", "north", "east", "west", "pick up", "put down"),
    )
