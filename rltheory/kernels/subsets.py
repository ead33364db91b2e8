"""Sums over all subsets of a few points, and the longest chain of subsets whose steps some row allows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit


@njit(cache=True)
def subset_sums(table: Any) -> Any:
    """(2^n, m) sums of the rows of `table` (m, n) over every subset of columns, a bit a column."""
    m, n = table.shape
    out = np.zeros((1 << n, m), dtype=table.dtype)
    for S in range(1, 1 << n):
        low = 0
        while not (S >> low) & 1:
            low += 1
        for r in range(m):
            out[S, r] = out[S & (S - 1), r] + table[r, low]
    return out


@njit(cache=True)
def longest_chain(table: Any, sums: Any, levels: Any) -> Any:
    """Largest set reached from ∅, over all levels: x joins S if some row has sum ≤ level < row[x]."""
    m, n = table.shape
    best = 0
    reached = np.zeros(1 << n, dtype=np.bool_)
    for level in levels:
        reached[:] = False
        reached[0] = True
        for S in range(1 << n):
            if not reached[S]:
                continue
            size = 0
            for x in range(n):
                size += (S >> x) & 1
            best = max(best, size)
            for x in range(n):
                if (S >> x) & 1 or reached[S | (1 << x)]:
                    continue
                for r in range(m):
                    if sums[S, r] <= level and table[r, x] > level:
                        reached[S | (1 << x)] = True
                        break
        if best == n:
            break
    return best
