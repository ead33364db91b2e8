"""Projected categorical backups on a card; twin of `rltheory.kernels.categorical`.

One thread a cell of the result: it gathers the atoms that land within one cell of its grid point, so
nothing is written twice and no atomics are needed.  On a uniform grid those are at most 2/γ + 1 neighbours
an outcome; on any other grid they are found by bisection.  Arguments and results are those of the twin.
"""

from __future__ import annotations

import math
from typing import Any

from numba import cuda

from ..categorical import EDGE, TIE
from ._device import THREADS, blocks_for, deliver
from ._loops import place

__all__ = ["backup_grid", "backup_uniform", "greedy", "mix"]


def backup_uniform(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: float, lo: float, step: float,
    laws: Any, out: Any, clipped: Any,
) -> None:  # fmt: skip
    """out[i] = Π_C Σ_k p_k law(r_k + γ Z_{s'_k}) on the grid lo + j·step, into `out` (n, m)."""
    rows, ptr, prob, next_state, reward, laws, new, lost = place(
        rows, ptr, prob, next_state, reward, laws, out, clipped
    )
    n, m = new.shape
    _uniform[blocks_for(n * m), THREADS](rows, ptr, prob, next_state, reward, gamma, lo, step, laws, new)
    _outside_uniform[blocks_for(n), THREADS](rows, ptr, prob, next_state, reward, gamma, lo, step, laws, lost)
    deliver(new, out)
    deliver(lost, clipped)


def backup_grid(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: float, grid: Any,
    laws: Any, out: Any, clipped: Any,
) -> None:  # fmt: skip
    """`backup_uniform` on any strictly increasing grid (m,)."""
    rows, ptr, prob, next_state, reward, grid, laws, new, lost = place(
        rows, ptr, prob, next_state, reward, grid, laws, out, clipped
    )
    n, m = new.shape
    _on_grid[blocks_for(n * m), THREADS](rows, ptr, prob, next_state, reward, gamma, grid, laws, new)
    _outside_grid[blocks_for(n), THREADS](rows, ptr, prob, next_state, reward, gamma, grid, laws, lost)
    deliver(new, out)
    deliver(lost, clipped)


def mix(rows: Any, ptr: Any, prob: Any, next_state: Any, laws: Any, out: Any) -> None:
    """out[i] = Σ_k p_k laws[s'_k] over the outcomes of pair rows[i]."""
    rows, ptr, prob, next_state, laws, new = place(rows, ptr, prob, next_state, laws, out)
    n, m = new.shape
    _mix[blocks_for(n * m), THREADS](rows, ptr, prob, next_state, laws, new)
    deliver(new, out)


def greedy(
    state_ptr: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: float, means: Any, q: Any,
    arg: Any,
) -> None:  # fmt: skip
    """q = Σ_k p_k (r_k + γ mean_{s'_k}) per pair and the first of each state's best pairs."""
    state_ptr, ptr, prob, next_state, reward, means, value, best = place(
        state_ptr, ptr, prob, next_state, reward, means, q, arg
    )
    _greedy[blocks_for(best.shape[0]), THREADS](
        state_ptr, ptr, prob, next_state, reward, gamma, means, value, best
    )
    deliver(value, q)
    deliver(best, arg)


# ---- kernels -------------------------------------------------------------------------------
@cuda.jit
def _uniform(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: Any, lo: Any, step: Any, laws: Any,
    out: Any,
) -> None:  # fmt: skip
    n, m = out.shape
    top = m - 1.0
    for cell in range(cuda.grid(1), n * m, cuda.gridsize(1)):
        row = cell // m
        i = cell - row * m
        total = 0.0
        for k in range(ptr[rows[row]], ptr[rows[row] + 1]):
            o = (reward[k] + gamma * lo - lo) / step
            first, last = 0, m  # atoms first ≤ j < last are less than a cell away
            if gamma > 0.0:
                if i > 0:
                    first = int(min(max(math.floor((i - 1.0 - o) / gamma), 0.0), float(m)))
                if i < m - 1:
                    last = int(min(max(math.ceil((i + 1.0 - o) / gamma) + 1.0, 0.0), float(m)))
            part = 0.0
            for j in range(first, last):
                t = min(max(o + gamma * j, 0.0), top)
                part += laws[next_state[k], j] * max(1.0 - abs(t - i), 0.0)
            total += prob[k] * part
        out[row, i] = total


@cuda.jit
def _outside_uniform(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: Any, lo: Any, step: Any, laws: Any,
    clipped: Any,
) -> None:  # fmt: skip
    m = laws.shape[1]
    for row in range(cuda.grid(1), clipped.shape[0], cuda.gridsize(1)):
        total = 0.0
        for k in range(ptr[rows[row]], ptr[rows[row] + 1]):
            o = (reward[k] + gamma * lo - lo) / step
            part, j = 0.0, 0
            while j < m and o + gamma * j <= -EDGE:
                part += laws[next_state[k], j]
                j += 1
            h = m - 1
            while h >= j and o + gamma * h >= m - 1.0 + EDGE:
                part += laws[next_state[k], h]
                h -= 1
            total += prob[k] * part
        clipped[row] = total


@cuda.jit
def _on_grid(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: Any, grid: Any, laws: Any, out: Any
) -> None:
    n, m = out.shape
    for cell in range(cuda.grid(1), n * m, cuda.gridsize(1)):
        row = cell // m
        i = cell - row * m
        z = grid[i]
        total = 0.0
        for k in range(ptr[rows[row]], ptr[rows[row] + 1]):
            r = reward[k]
            a, b = 0, m  # the first atom right of the neighbour below
            if i > 0:
                while a < b:
                    c = (a + b) // 2
                    if r + gamma * grid[c] > grid[i - 1]:
                        b = c
                    else:
                        a = c + 1
            part, j = 0.0, a
            while j < m:
                y = r + gamma * grid[j]
                if y < z:
                    part += laws[next_state[k], j] * (
                        1.0 if i == 0 else (y - grid[i - 1]) / (z - grid[i - 1])
                    )
                elif i == m - 1 or y == z:
                    part += laws[next_state[k], j]
                elif y < grid[i + 1]:
                    part += laws[next_state[k], j] * (1.0 - (y - z) / (grid[i + 1] - z))
                else:
                    break
                j += 1
            total += prob[k] * part
        out[row, i] = total


@cuda.jit
def _outside_grid(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: Any, grid: Any, laws: Any,
    clipped: Any,
) -> None:  # fmt: skip
    m = grid.shape[0]
    low = grid[0] - EDGE * (grid[1] - grid[0])
    high = grid[m - 1] + EDGE * (grid[m - 1] - grid[m - 2])
    for row in range(cuda.grid(1), clipped.shape[0], cuda.gridsize(1)):
        total = 0.0
        for k in range(ptr[rows[row]], ptr[rows[row] + 1]):
            part, j = 0.0, 0
            while j < m and reward[k] + gamma * grid[j] < low:
                part += laws[next_state[k], j]
                j += 1
            h = m - 1
            while h >= j and reward[k] + gamma * grid[h] > high:
                part += laws[next_state[k], h]
                h -= 1
            total += prob[k] * part
        clipped[row] = total


@cuda.jit
def _mix(rows: Any, ptr: Any, prob: Any, next_state: Any, laws: Any, out: Any) -> None:
    n, m = out.shape
    for cell in range(cuda.grid(1), n * m, cuda.gridsize(1)):
        row = cell // m
        i = cell - row * m
        total = 0.0
        for k in range(ptr[rows[row]], ptr[rows[row] + 1]):
            total += prob[k] * laws[next_state[k], i]
        out[row, i] = total


@cuda.jit
def _greedy(
    state_ptr: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: Any, means: Any, q: Any,
    arg: Any,
) -> None:  # fmt: skip
    for s in range(cuda.grid(1), arg.shape[0], cuda.gridsize(1)):
        best = -math.inf
        for n in range(state_ptr[s], state_ptr[s + 1]):
            total = 0.0
            for k in range(ptr[n], ptr[n + 1]):
                total += prob[k] * (reward[k] + gamma * means[next_state[k]])
            q[n] = total
            best = max(best, total)
        floor = best - TIE * (1.0 + abs(best))
        first = state_ptr[s]
        while first + 1 < state_ptr[s + 1] and not q[first] >= floor:
            first += 1
        arg[s] = first
