"""Sweeps of one policy over its own rows of P, copied out of the model and stored one after another.

A policy visits one row in A, so sweeping the model's arrays would read most of them in vain.

Loops are those of `bellman_csr`: flat and unsigned.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit
from ._row import row
from ._touch import AHEAD, CACHED, LINES, asking, touch, touch_block


@njit(cache=True)
def policy_rows(
    data: Any, indices: Any, indptr: Any, rows: Any, lead: Any, pdata: Any, pidx: Any, plen: Any
) -> Any:
    """Rows rows[s] of P one after another, into `pdata` and `pidx`, and their lengths into `plen`.

    Only those with lead[s] < 0, which loses its sign, and those whose place moved: the others are stored
    already, and `plen` holds the length of what is.  Returns (nothing changed, entries).
    """
    one = np.uint64(1)
    same, i, was = True, np.uint64(0), np.uint64(0)
    for s in range(rows.size):
        n = np.uint64(plen[s])
        stored = lead[s] > 0.0
        if stored and i == was:
            i += n
            was += n
            continue
        was += n
        same = same and stored
        lead[s] = abs(lead[s])
        k = np.uint64(rows[s])
        j, stop = indptr[k], indptr[k + one]
        plen[s] = stop - j
        while j < stop:
            pdata[i] = data[j]
            pidx[i] = indices[j]
            i += one
            j += one
    return same, i


@njit(cache=True)
def policy_backup(
    pdata: Any, pidx: Any, plen: Any, R: Any, rows: Any, gamma: Any, size: Any, V: Any, out: Any
) -> Any:
    """out = T^πV for π(s) = rows[s]; returns (min, max) of T^πV − V.

    The rows of P, of plen[s] entries, are stored one after another, `size` in all; R is the model's.
    """
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    j, s, S, size = np.uint64(0), np.uint64(0), np.uint64(V.size), np.uint64(size)
    ask, large, step = asking(pidx, size, V.size, CACHED)
    while s < S:
        upto, until = min(s + step, S), min(j + LINES + LINES, size)
        while ask < until:
            touch(V, pidx[ask])
            ask += one
        entry = j + AHEAD
        while large and entry < j + AHEAD + LINES:
            entry = touch_block(pdata, pidx, entry)
        while s < upto:
            stop = j + np.uint64(plen[s])
            x = R[rows[s]] + gamma * row(pdata, pidx, V, j, stop)
            j = stop
            d = x - V[s]
            out[s] = x
            check += 0.0 * d
            if d < lo:
                lo = d
            if d > hi:
                hi = d
            s += one
    return lo + check, hi + check
