"""R + γPV − V over the pairs in doubled precision, for values that plain rounding keeps from a tolerance.

Products are split into a double and its rounding error (Dekker 1971, by Veltkamp's splitting, so no
fused operation is needed), sums into a double and theirs (Knuth); errors are added up in doubles and
meet the sum at the end (Ogita, Rump and Oishi 2005, Dot2).  With m = max|R| + (γσ + 1)‖V‖,
    |computed r − real r| ≤ 2u|r| + 8(n+8)²u²·m + 8(n+8)·2⁻¹⁰⁷⁴,  u = 2⁻⁵³,
for rows of at most n entries and sums at most σ: r is as good as one rounding, however much cancels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit


@njit(cache=True)
def residual_rewards(
    data: Any, columns: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, consecutive: Any, V: Any, r: Any
) -> Any:
    """r = R + γPV − V(s) over the pairs, into r (N,); returns max |r|, NaN if any is.

    Parameters
    ----------
    columns, consecutive
        (nnz,) columns of CSR, or the first of each row where all rows' columns are consecutive.
    """
    one, split = np.uint64(1), 134217729.0
    worst, check = 0.0, 0.0
    x = split * gamma
    g1 = x - (x - gamma)
    g2 = gamma - g1
    k, j = np.uint64(0), np.uint64(0)
    for s in range(V.size):
        end = state_ptr[s + 1]
        while k < end:
            stop, at = indptr[k + one], np.uint64(columns[k]) if consecutive else np.uint64(0)
            total, errors = 0.0, 0.0
            while j < stop:
                t = at if consecutive else np.uint64(columns[j])
                p, v = data[j], V[t]
                h = p * v
                x = split * p
                p1 = x - (x - p)
                p2 = p - p1
                x = split * v
                v1 = x - (x - v)
                v2 = v - v1
                errors += p2 * v2 - (((h - p1 * v1) - p2 * v1) - p1 * v2)
                y = total + h
                x = y - total
                errors += (total - (y - x)) + (h - x)
                total = y
                at += one
                j += one
            h = gamma * total
            x = split * total
            v1 = x - (x - total)
            v2 = total - v1
            errors = gamma * errors + (g2 * v2 - (((h - g1 * v1) - g2 * v1) - g1 * v2))
            a = R[k]
            y = a + h
            x = y - a
            errors += (a - (y - x)) + (h - x)
            total = y - V[s]
            x = total - y
            errors += (y - (total - x)) - (V[s] + x)
            r[k] = total + errors
            worst = max(worst, abs(r[k]))
            check += 0.0 * r[k]
            k += one
    return worst + check


@njit(cache=True)
def residual_error(worst: Any, longest: Any, gamma: Any, smax: Any, norm: Any, rmax: Any) -> Any:
    """Bound on |computed r − real r| for every pair; infinite where the splitting may overflow or on NaN."""
    u, n = 2.0**-53 * (1 + 2.0**-9), longest + 8.0
    m = rmax + (gamma * smax + 1.0) * norm
    e = 2 * u * worst + 8 * (n * u) ** 2 * m + 8 * n * 5e-324
    return e if m < 1e290 and n < 1e6 and not np.isnan(e) else np.inf
