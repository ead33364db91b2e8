"""Pruning of sets of alpha vectors: which of n vectors in M coordinates can matter.

Pareto: x goes if another y has y ≥ x in every coordinate (up to `tol`); of equal ones the first stays.
Hull: x goes if a mixture Σλ_i y_i of the others has Σλ_i y_i ≥ x.  That is the value of a matrix game,

    max_b min_i (x − y_i)·b  =  min_λ max_m (x − Σλ_i y_i)_m ≤ tol,

solved by the simplex method with M rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit


@njit(cache=True)
def pareto(x: Any, tol: Any) -> Any:
    """(n,) mask of the vectors that stay; x (n, M) of doubles or of 64-bit integers (tol 0).

    Complexity: n × kept × M.
    """
    n, M = x.shape
    total = np.zeros(n, x.dtype)
    for i in range(n):
        for m in range(M):
            total[i] += x[i, m]
    order = np.argsort(-total, kind="mergesort")
    kept = np.empty(n, np.int64)
    k = 0
    for i in order:
        gone = False
        for j in range(k):
            y = kept[j]
            above = True
            for m in range(M):
                if x[y, m] < x[i, m] - tol:
                    above = False
                    break
            if above:
                gone = True
                if i < y:  # equal up to rounding: the first of them stays
                    same = True
                    for m in range(M):
                        if x[y, m] > x[i, m] + tol:
                            same = False
                            break
                    if same:
                        kept[j] = i
                break
        if not gone:
            kept[k] = i
            k += 1
    mask = np.zeros(n, np.bool_)
    for j in range(k):
        mask[kept[j]] = True
    return mask


@njit(cache=True, error_model="numpy")
def advantage(x: Any, alive: Any, i: int) -> Any:
    """max_b min_{j ≠ i, alive} (x_i − x_j)·b over beliefs b; infinite if there is no other vector.

    Simplex method on max Σλ subject to Gλ ≤ 1, λ ≥ 0, G = (x_i − x_j)_m + shift > 0, one row a coordinate;
    lowest-index rule after a hundred pivots.
    """
    n, M = x.shape
    cols = np.empty(n, np.int64)
    k = 0
    low, high = 0.0, 0.0
    for j in range(n):
        if alive[j] and j != i:
            cols[k] = j
            k += 1
            for m in range(M):
                low = min(low, x[i, m] - x[j, m])
                high = max(high, x[i, m] - x[j, m])
    if k == 0:
        return np.inf
    scale = max(high - low, 1e-300)
    shift = 1.0 - low / scale
    T = np.zeros((M + 1, k + M + 1))
    for c in range(k):
        for m in range(M):
            T[m, c] = (x[i, m] - x[cols[c], m]) / scale + shift
        T[M, c] = -1.0
    for m in range(M):
        T[m, k + m] = 1.0
        T[m, k + M] = 1.0
    for pivot in range(10_000):
        enter, best = -1, -1e-13
        for c in range(k + M):
            if T[M, c] < best:
                enter = c
                if pivot > 100:
                    break
                best = T[M, c]
        if enter < 0:
            break
        row, ratio = -1, np.inf
        for m in range(M):
            if T[m, enter] > 1e-13:
                r = T[m, k + M] / T[m, enter]
                if r < ratio:
                    row, ratio = m, r
        if row < 0:
            break
        p = T[row, enter]
        for c in range(k + M + 1):
            T[row, c] /= p
        for m in range(M + 1):
            f = T[m, enter]
            if m != row and f != 0.0:
                for c in range(k + M + 1):
                    T[m, c] -= f * T[row, c]
    return (1.0 / T[M, k + M] - shift) * scale


@njit(cache=True, error_model="numpy")
def hull(x: Any, tol: float) -> Any:
    """(mask of what no mixture of the others covers, what is lost); x (n, M) doubles, Pareto-pruned.

    Vectors best by more than `tol` at a corner or at the centre stay without a game; the others are tried
    from last to first, so that the first of equals stays.  A removal costs at most its advantage at any
    belief, and removals add up.
    """
    n, M = x.shape
    alive = np.ones(n, np.bool_)
    sure = np.zeros(n, np.bool_)
    for m in range(M + 1):
        best, second, at = -np.inf, -np.inf, 0
        for i in range(n):
            v = 0.0
            if m < M:
                v = x[i, m]
            else:
                for k in range(M):
                    v += x[i, k] / M
            if v > best:
                best, second, at = v, best, i
            elif v > second:
                second = v
        if best > second + 2.0 * tol:
            sure[at] = True
    lost = 0.0
    for i in range(n - 1, -1, -1):
        if not sure[i]:
            more = advantage(x, alive, i)
            if more <= tol:
                alive[i] = False
                lost += max(more, 0.0) + 1e-15
    return alive, lost
