"""Backups of large models whose rows have one to three entries in no order, such as mazes with slip.

Where a row ends is then a branch that no predictor learns, and each wrong guess costs as much as the row.
These twins of two kernels of `bellman_csr`, which calls them, always read three entries (`short_row`):
.9 to 1.0 ns a non-zero where the loops there take 1.4 (maze of 10⁵ states).  Up to some 10⁵ rows the
predictor learns them by heart, and its guesses are cheaper.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit
from ._row import row, short_row

MANY, PROBES, SHORT = 1 << 17, 64, np.uint64(3)
"""Rows from which it pays, states looked at, and entries of a short row."""


@njit(cache=True)
def unpredictable(indptr: Any, state_ptr: Any) -> Any:
    """True if there are `MANY` rows, short ones on average, whose lengths vary from state to state.

    Complexity: `PROBES` pairs of states.
    """
    N, S = indptr.size - 1, state_ptr.size - 1
    if N < MANY or S < 2 * PROBES or indptr[N] < SHORT or indptr[N] > SHORT * np.uint64(N):
        return False
    one, differ = np.uint64(1), 0
    for i in range(PROBES):
        s = np.uint64(i * ((S - 1) // PROBES))
        k, end, last = state_ptr[s], state_ptr[s + one], state_ptr[s + one + one]
        m, same = end, end - k == last - end
        while same and k < end:
            same = indptr[k + one] - indptr[k] == indptr[m + one] - indptr[m]
            k += one
            m += one
        differ += not same
    return 4 * differ > PROBES


@njit(cache=True)
def short_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, out: Any, arg: Any
) -> Any:
    """`bellman_csr.backup` for rows of mostly three entries at most."""
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    k, j = np.uint64(0), np.uint64(0)
    inside = np.uint64(indices.size) - SHORT
    for s in range(V.size):
        best, pick = -np.inf, k
        end = state_ptr[s + 1]
        while k < end:
            stop = indptr[k + one]
            if j <= inside and stop - j <= SHORT:
                x = short_row(data, indices, V, j, stop)
            else:
                x = row(data, indices, V, j, stop)
            q = R[k] + gamma * x
            j = stop
            if q > best:
                best, pick = q, k
            k += one
        d = best - V[s]
        out[s] = best
        arg[s] = pick
        check += 0.0 * d
        if d < lo:
            lo = d
        if d > hi:
            hi = d
    return lo + check, hi + check


@njit(cache=True)
def short_greedy_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, slack: Any,
    out: Any, arg: Any,
) -> Any:  # fmt: skip
    """`bellman_csr.greedy_backup` for rows of mostly three entries at most."""
    one = np.uint64(1)
    lo, hi, check, short = np.inf, -np.inf, 0.0, 0.0
    k, j = np.uint64(0), np.uint64(0)
    inside = np.uint64(indices.size) - SHORT
    for s in range(V.size):
        best, pick, chosen = -np.inf, k, -np.inf
        end = state_ptr[s + 1]
        while k < end:
            stop = indptr[k + one]
            if j <= inside and stop - j <= SHORT:
                x = short_row(data, indices, V, j, stop)
            else:
                x = row(data, indices, V, j, stop)
            q = R[k] + gamma * x
            j = stop
            check += 0.0 * q
            best = max(best, q)
            if q > chosen + slack:
                chosen, pick = q, k
            k += one
        d = best - V[s]
        out[s] = best
        arg[s] = pick
        short = max(short, best - chosen)
        lo, hi = min(lo, d), max(hi, d)
    return lo + check, hi + check, short + check
