"""Memory bandwidth of this process, measured as STREAM does: the floor of a Bellman backup.

`triad` is a[i] = b[i] + 3c[i], 24 bytes an element (the write's own read is not counted, as in
STREAM); `read` sums an array, 8 bytes an element.  Both take the best of several passes.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit

DRAM = 1 << 28
"""Bytes of each array of a measurement of main memory: several times any last-level cache here."""


LEAST = 1e9
"""Bytes moved by one timed pass: some 20 ms, so that the clock's own steps do not matter."""


@njit
def _triad(a: Any, b: Any, c: Any, passes: Any) -> Any:
    for _ in range(passes):
        for i in range(a.size):
            a[i] = b[i] + 3.0 * c[i]


@njit
def _read(x: Any, passes: Any) -> Any:
    total = 0.0
    n = x.size - x.size % 16
    for _ in range(passes):
        s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        t0, t1, t2, t3, t4, t5, t6, t7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(0, n, 16):
            s0 += x[i]
            s1 += x[i + 1]
            s2 += x[i + 2]
            s3 += x[i + 3]
            s4 += x[i + 4]
            s5 += x[i + 5]
            s6 += x[i + 6]
            s7 += x[i + 7]
            t0 += x[i + 8]
            t1 += x[i + 9]
            t2 += x[i + 10]
            t3 += x[i + 11]
            t4 += x[i + 12]
            t5 += x[i + 13]
            t6 += x[i + 14]
            t7 += x[i + 15]
        total += s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + t0 + t1 + t2 + t3 + t4 + t5 + t6 + t7
    return total


def _best(call: Any, moved: float, passes: int, repeats: int) -> float:
    best = 0.0
    for _ in range(repeats):
        start = time.process_time()
        call(passes)
        spent = time.process_time() - start
        best = max(best, passes * moved / max(spent, 1e-9))
    return best / 1e9


@lru_cache(maxsize=64)
def triad(nbytes: int = DRAM, repeats: int = 5) -> float:
    """GB/s of the triad over three arrays of `nbytes` in all per CPU second."""
    n = max(64, nbytes // 24)
    a, b, c = np.zeros(n), np.ones(n), np.ones(n)
    passes = max(1, int(LEAST // nbytes))
    _triad(a, b, c, 1)
    return _best(lambda k: _triad(a, b, c, k), 24.0 * n, passes, repeats)


@lru_cache(maxsize=64)
def read(nbytes: int = DRAM, repeats: int = 5) -> float:
    """GB/s of reading one array of `nbytes` again and again; the better of a loop and of BLAS's dot."""
    n = max(64, nbytes // 8)
    x = np.ones(n)
    passes = max(1, int(LEAST // nbytes))
    _read(x, 1)
    loop = _best(lambda k: _read(x, k), 8.0 * n, passes, repeats)

    def dots(k: int) -> None:
        for _ in range(k):
            np.dot(x, x)

    return max(loop, _best(dots, 8.0 * n, passes, repeats))


def measure() -> dict[str, float]:
    """GB/s in main memory, and of reads in 16 MB and 256 kB."""
    return {
        "triad": triad(),
        "read": read(),
        "read_16MB": read(1 << 24),
        "read_256kB": read(1 << 18),
    }
