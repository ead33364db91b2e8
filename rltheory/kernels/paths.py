"""Recursions that turn rows of normals into paths, in place.

Row p of `out` (paths, n+1) holds the start in column 0 and the normals Z_1..Z_n after it (`..normals`); it
leaves with X_0..X_n.  Vector paths are rows of (n+1)·d numbers, time first.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._jit import njit

BLOCK = 256
"""Numbers handled at a time where a buffer helps."""
FAR = 690.0
"""Exponents from which powers of two may leave the normal doubles."""
LOG2E = 1.4426950408889634
LOG2_HIGH, LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""log 2 in two parts: k·LOG2_HIGH is exact."""
ROUND = 6755399441055744.0
"""Added and taken away, this rounds to the nearest integer."""
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = (1.0 / math.factorial(i) for i in range(2, 14))


@njit(cache=True, nogil=True)
def affine(a: Any, c: Any, s: Any, out: Any) -> Any:
    """X_{i+1} = a·X_i + c + s·Z_{i+1}; four paths at a time, whose chains of operations overlap."""
    paths = out.shape[0]
    whole = paths - paths % 4
    for p in range(0, whole, 4):
        x0, x1, x2, x3 = out[p, 0], out[p + 1, 0], out[p + 2, 0], out[p + 3, 0]
        for i in range(1, out.shape[1]):
            x0 = a * x0 + (c + s * out[p, i])
            x1 = a * x1 + (c + s * out[p + 1, i])
            x2 = a * x2 + (c + s * out[p + 2, i])
            x3 = a * x3 + (c + s * out[p + 3, i])
            out[p, i] = x0
            out[p + 1, i] = x1
            out[p + 2, i] = x2
            out[p + 3, i] = x3
    for p in range(whole, paths):
        x0 = out[p, 0]
        for i in range(1, out.shape[1]):
            x0 = a * x0 + (c + s * out[p, i])
            out[p, i] = x0


@njit(cache=True, nogil=True)
def exponential(c: Any, s: Any, out: Any) -> Any:
    """X_i = X_0·exp(Σ_{j≤i} (c + s·Z_j)).

    e^y = 2^k e^r, r = y − k log 2, with a polynomial of degree 13 for |r| ≤ ½log 2 and k put into the bits:
    four units in the last place, and loops over small buffers that use the vector unit.
    """
    columns = out.shape[1]
    y, power = np.empty(BLOCK), np.empty(BLOCK)
    bits = np.empty(BLOCK, dtype=np.int64)
    scale = bits.view(np.float64)
    for p in range(out.shape[0]):
        x, total = out[p, 0], 0.0
        for start in range(1, columns, BLOCK):
            size = min(BLOCK, columns - start)
            largest = 0.0
            for j in range(size):
                total += c + s * out[p, start + j]
                y[j] = total
                largest = max(largest, abs(total))
            if largest >= FAR:
                for j in range(size):
                    out[p, start + j] = x * math.exp(y[j])
                continue
            for j in range(size):
                k = (y[j] * LOG2E + ROUND) - ROUND
                r = (y[j] - k * LOG2_HIGH) - k * LOG2_LOW
                bits[j] = np.int64(k)
                q = C10 + r * (C11 + r * (C12 + r * C13))
                q = C6 + r * (C7 + r * (C8 + r * (C9 + r * q)))
                q = C2 + r * (C3 + r * (C4 + r * (C5 + r * q)))
                power[j] = 1.0 + r * (1.0 + r * q)
            for j in range(size):
                bits[j] = (bits[j] + 1023) << 52
            for j in range(size):
                out[p, start + j] = x * (power[j] * scale[j])


@njit(cache=True, nogil=True)
def linear(F: Any, g: Any, L: Any, out: Any) -> Any:
    """X_{i+1} = F·X_i + g + L·Z_{i+1} with L lower triangular, d numbers a step."""
    d = g.size
    for p in range(out.shape[0]):
        for lo in range(d, out.shape[1], d):
            for r in range(d - 1, -1, -1):  # L is lower triangular: row r needs Z_0..Z_r only
                x = g[r]
                for j in range(d):
                    x += F[r, j] * out[p, lo - d + j]
                for j in range(r + 1):
                    x += L[r, j] * out[p, lo + j]
                out[p, lo + r] = x


@njit(cache=True, nogil=True)
def square_root(decay: Any, scale: Any, gammas: Any, out: Any) -> Any:
    """X_{i+1} = scale·((Z_{i+1} + √(X_i·decay/scale))² + 2·gammas[p, i]); four paths at a time."""
    ratio = decay / scale
    paths = out.shape[0]
    whole = paths - paths % 4
    for p in range(0, whole, 4):
        x0, x1, x2, x3 = out[p, 0], out[p + 1, 0], out[p + 2, 0], out[p + 3, 0]
        for i in range(1, out.shape[1]):
            z0 = out[p, i] + math.sqrt(x0 * ratio)
            z1 = out[p + 1, i] + math.sqrt(x1 * ratio)
            z2 = out[p + 2, i] + math.sqrt(x2 * ratio)
            z3 = out[p + 3, i] + math.sqrt(x3 * ratio)
            x0 = scale * (z0 * z0 + 2.0 * gammas[p, i - 1])
            x1 = scale * (z1 * z1 + 2.0 * gammas[p + 1, i - 1])
            x2 = scale * (z2 * z2 + 2.0 * gammas[p + 2, i - 1])
            x3 = scale * (z3 * z3 + 2.0 * gammas[p + 3, i - 1])
            out[p, i] = x0
            out[p + 1, i] = x1
            out[p + 2, i] = x2
            out[p + 3, i] = x3
    for p in range(whole, paths):
        x = out[p, 0]
        for i in range(1, out.shape[1]):
            z = out[p, i] + math.sqrt(x * ratio)
            x = scale * (z * z + 2.0 * gammas[p, i - 1])
            out[p, i] = x
