"""The U-shaped maze of offline reinforcement learning: a long way round a wall."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ...arrays import Real
from .._build import branches, check_size, probability
from ..mdp import MDP

ACTIONS = ("up", "left", "down", "right")
_STEPS = ((-1, 0), (0, -1), (1, 0), (0, 1))


def u_maze(n: int = 9, gamma: Real = 0.95, *, slip: Real = Fraction(1, 4), reward: Real = 10) -> MDP:
    """An n × n grid with a wall block from the left edge; start bottom left, goal top left.

    The wall fills rows 3..n−4 and columns 0..n−4, so the only way leads right, up and back left.  A
    move goes as commanded with probability 1 − slip, else in one of the four directions at random;
    a blocked move stays.  Entering the goal pays `reward` and ends the episode.  Actions: 0 up, 1 left,
    2 down, 3 right; states are the open cells, row by row, labelled "(row,col)".

    n = 9, γ = 19/20, slip = 1/4: 63 cells, V*(start) = 2.78335838040.

    Parameters
    ----------
    n
        Side of the grid, ≥ 7.
    gamma
        Discount in [0, 1).
    slip
        Probability of a random direction (the commanded one included).
    reward
        Paid on entering the goal.

    Source: after the toy maze of Kostrikov, Nair and Levine (2021); the exact grid is ours.
    """
    check_size("u_maze", least=7, n=n)
    (p,) = probability("u_maze", slip=slip)
    open_ = np.ones((n, n), dtype=np.bool_)
    open_[3 : n - 3, : n - 3] = False
    cells = np.argwhere(open_)
    S = cells.shape[0]
    number = np.full((n + 2, n + 2), -1, dtype=np.int64)  # a border of walls
    number[tuple(cells.T + 1)] = np.arange(S)
    here = np.arange(S)
    sides = np.empty((S, 4), dtype=np.int64)
    for a, (dr, dc) in enumerate(_STEPS):
        to = number[cells[:, 0] + 1 + dr, cells[:, 1] + 1 + dc]
        sides[:, a] = np.where(to < 0, here, to)
    goal, start = 0, int(number[n, 1])
    live = here[here != goal]
    # branch 0 is the commanded move, branches 1..4 the random ones
    targets = np.concatenate(
        [sides[live][:, :, None], np.repeat(sides[live][:, None, :], 4, axis=1)], axis=2
    ).reshape(-1, 5)
    return branches(
        targets,
        [1 - p, p / 4, p / 4, p / 4, p / 4],
        gamma,
        S=S,
        pair_state=np.repeat(live, 4),
        pair_action=np.tile(np.arange(4), live.size),
        rewards=[0, reward],
        reward_code=(targets == goal).astype(np.int64),
        terminal=here == goal,
        mu=(here == start).astype(np.int64),
        states=tuple(f"({r},{c})" for r, c in cells.tolist()),
        actions=ACTIONS,
    )
