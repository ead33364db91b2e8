"""Projected quantile backups on a card; twin of `rltheory.kernels.quantile`.

One thread an atom of the result.  In each outcome's sorted row it bisects for the first atom whose
cumulative mass over all outcomes, itself counted by bisection in each of their rows, reaches the level;
the smallest of these is the quantile.  No sort, no shared memory: (b log m)² steps of one thread.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda

from ._device import THREADS, blocks_for, deliver, host_array
from ._loops import place

__all__ = ["backup"]


def backup(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: float, laws: Any, out: Any
) -> None:
    """out[i] = Π_Q Σ_k p_k law(r_k + γ θ_{s'_k}) over the outcomes of pair rows[i], into `out` (n, m)."""
    widest = int(np.diff(host_array(ptr).astype(np.int64)).max())
    rows, ptr, prob, next_state, reward, laws, new = place(rows, ptr, prob, next_state, reward, laws, out)
    n, m = new.shape
    slack = m * max(1e-13, 4 * 2.0**-53 * widest * m)
    _quantiles[blocks_for(n * m), THREADS](rows, ptr, prob, next_state, reward, gamma, laws, slack, new)
    deliver(new, out)


@cuda.jit
def _quantiles(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: Any, laws: Any, slack: Any, out: Any
) -> None:
    n, m = out.shape
    for cell in range(cuda.grid(1), n * m, cuda.gridsize(1)):
        row = cell // m
        level = cell - row * m + 0.5 - slack  # m times the level
        start, end = ptr[rows[row]], ptr[rows[row] + 1]
        best, largest = math.inf, -math.inf
        for k in range(start, end):
            if prob[k] <= 0.0:
                continue
            largest = max(largest, reward[k] + gamma * laws[next_state[k], m - 1])
            a, b = 0, m
            while a < b:
                c = (a + b) // 2
                x = reward[k] + gamma * laws[next_state[k], c]
                mass = 0.0
                if x < best:  # atoms that cannot improve count as reaching the level
                    for h in range(start, end):
                        u, v = 0, m
                        while u < v:
                            w = (u + v) // 2
                            if reward[h] + gamma * laws[next_state[h], w] <= x:
                                u = w + 1
                            else:
                                v = w
                        mass += prob[h] * u
                if x >= best or mass >= level:
                    b = c
                else:
                    a = c + 1
            if a < m:
                best = min(best, reward[k] + gamma * laws[next_state[k], a])
        out[row, cell - row * m] = best if best < math.inf else largest
