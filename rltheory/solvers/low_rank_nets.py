"""Low-rank Q iteration on the unit cube: nets that refine with the sweep, nearest-centre interpolation.

The sweep and its schedule are those of `low_rank`; sweep t works on nets of radius β_t = V_max θ^t/(8L).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, IntVec, StateAction, frozen
from ..operators.cross import anchors_by_volume, cross_estimate
from ..seeds import generator
from .low_rank import LowRankSchedule

Rng = np.random.Generator


@dataclass(frozen=True)
class UnitCubeTask:
    """A generative model on [0, 1]^d1 × [0, 1]^d2 for `low_rank_continuous`.

    Attributes
    ----------
    d1, d2
        Dimensions of states and actions.
    gamma
        Discount in (0, 1).
    reward
        (n, d1), (n, d2) arrays of points → (n,) rewards.
    draw
        (n, d1), (n, d2), N, generator → (n, N, d1) next states.
    """

    d1: int
    d2: int
    gamma: float
    reward: Callable[[FloatVec, FloatVec], FloatVec]
    draw: Callable[[FloatVec, FloatVec, int, Rng], NDArray[np.float64]]


@dataclass(frozen=True)
class NetEstimate:
    """Q on cell centres, read at any point by its nearest centre."""

    Q: StateAction
    cells: tuple[int, int]
    d1: int
    d2: int
    V_max: float
    bound: float
    samples: int

    def value(self, s: ArrayLike) -> FloatVec:
        """(n,) clipped max_a Q at (n, d1) states."""
        best = np.clip(self.Q.max(axis=1), -self.V_max, self.V_max)
        return np.asarray(best[_nearest(s, self.cells[0], self.d1)])

    def at(self, s: ArrayLike, a: ArrayLike) -> FloatVec:
        """(n,) Q at (n, d1) states and (n, d2) actions."""
        rows, cols = _nearest(s, self.cells[0], self.d1), _nearest(a, self.cells[1], self.d2)
        return np.asarray(self.Q[rows, cols])


def low_rank_continuous(
    task: UnitCubeTask,
    rank: int,
    schedule: LowRankSchedule,
    seed: int | Rng = 0,
    *,
    anchors: Literal["first", "volume"] = "first",
) -> list[NetEstimate]:
    """The iteration of `LowRankQ` on nets of the unit cube that refine with t; one estimate a sweep.

    Parameters
    ----------
    task
        Generative model.
    rank
        Rank r; at least that many cells an axis are used.
    schedule
        With `L`.
    seed
        Seed or generator.
    anchors
        The first r cells, or large volume on the previous estimate.

    Complexity: Σ_t r(n_t + m_t)N_t draws; they are made a row of the net at a time.

    Source: Shah, Song, Xu and Yang 2020, Algorithm 1 (continuous case).
    """
    rng = generator(seed)
    out: list[NetEstimate] = []
    drawn = 0
    for t in range(1, schedule.T + 1):
        cells = max(schedule.cells(t), rank)
        s, a = _centres(cells, task.d1), _centres(cells, task.d2)
        rows, cols = np.arange(rank), np.arange(rank)
        if anchors == "volume" and out:
            rows, cols = anchors_by_volume(out[-1].at(s[:, None], a[None, :]), rank)
        entries = rank * (len(s) + len(a)) - rank * rank
        N = schedule.samples(t, entries)
        Q = np.zeros((len(s), len(a)))
        mask = np.zeros(Q.shape, dtype=np.bool_)
        mask[rows], mask[:, cols] = True, True
        i, j = np.nonzero(mask)
        Q[i, j] = _lookahead(task, s[i], a[j], N, out[-1] if out else None, rng)
        Q = cross_estimate(Q[:, cols], Q[rows], rows, cols)
        drawn += N * entries
        out.append(
            NetEstimate(frozen(Q), (cells, cells), task.d1, task.d2, schedule.V_max, schedule.bound(t), drawn)
        )
    return out


def _lookahead(
    task: UnitCubeTask, s: FloatVec, a: FloatVec, N: int, last: NetEstimate | None, rng: Rng
) -> FloatVec:
    reward = task.reward(s, a)
    if last is None:
        return np.asarray(reward)
    total = np.zeros(len(s))
    step = max(1, (1 << 20) // max(len(s), 1))
    for k in range(0, N, step):
        n = min(step, N - k)
        after = task.draw(s, a, n, rng)
        total += last.value(after.reshape(-1, task.d1)).reshape(len(s), n).sum(axis=1)
    return np.asarray(reward + task.gamma * total / N)


def _centres(cells: int, d: int) -> NDArray[np.float64]:
    line = (np.arange(cells) + 0.5) / cells
    return np.stack([x.ravel() for x in np.meshgrid(*[line] * d, indexing="ij")], axis=1)


def _nearest(x: ArrayLike, cells: int, d: int) -> IntVec:
    at = np.clip((np.asarray(x, dtype=np.float64) * cells).astype(np.int64), 0, cells - 1)
    out = np.zeros(at.shape[:-1], dtype=np.int64)
    for k in range(d):
        out = out * cells + at[..., k]
    return out
