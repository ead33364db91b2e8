"""Optimal transport between two finite measures by successive shortest paths.

Primal: min Σ C_ij X_ij over X ≥ 0 with row sums a and column sums b; entries with C_ij < 0 are forbidden.
Dual: max Σ a_i u_i + Σ b_j v_j subject to u_i + v_j ≤ C_ij.  Each round sends mass from one row along a
shortest path of reduced costs C − u − v; these stay ≥ 0, and vanish where X > 0, so the end is optimal.

The loops use +, −, comparisons and the numbers given only: compiled for doubles, and as plain Python
(`transport.py_func`) on object arrays of integers, where nothing rounds.
"""

from __future__ import annotations

from typing import Any

from ._jit import njit


@njit(cache=True)
def transport(
    a: Any, b: Any, C: Any, X: Any, u: Any, v: Any, dist: Any, prev: Any, seen: Any, drop: Any
) -> int:
    """Fill X (m, n), u (m,), v (n,) with an optimal plan and its dual; −1, or a row that cannot be emptied.

    Parameters
    ----------
    a, b
        (m,), (n,) masses ≥ 0; overwritten by what is left.
    C
        (m, n) costs; negative: forbidden.
    X, u, v
        Outputs, zero on entry.
    dist, prev, seen
        (m + n,) work space: distances (of the type of C), predecessors and flags (integers).
    drop
        Mass not worth a path (0 for exact numbers): rounding leaves some.

    Returns
    -------
    −1 when every row is empty (up to `drop`) or all columns are full.  Otherwise a row whose mass finds no
    allowed way: then `seen[:m]` marks a set of rows with more mass than the columns they can reach.

    Complexity: O((m + n)²) a path, in practice about m + n paths.
    """
    m, n = C.shape
    for j in range(n):  # v_j = least allowed cost: reduced costs start ≥ 0
        first = True
        for i in range(m):
            if C[i, j] >= 0 and (first or C[i, j] < v[j]):
                v[j] = C[i, j]
                first = False
    for source in range(m):
        while a[source] > drop:
            for k in range(m + n):
                seen[k] = 0
                prev[k] = -1
            prev[source] = source
            dist[source] = u[source] - u[source]
            end = -1
            while True:
                best = -1
                for k in range(m + n):
                    if seen[k] == 0 and prev[k] >= 0 and (best < 0 or dist[k] < dist[best]):
                        best = k
                if best < 0:
                    break
                seen[best] = 1
                if best >= m:
                    j = best - m
                    if b[j] > drop:
                        end = j
                        break
                    for i in range(m):
                        if seen[i] == 0 and X[i, j] > 0 and (prev[i] < 0 or dist[best] < dist[i]):
                            dist[i] = dist[best]
                            prev[i] = best
                else:
                    for j in range(n):
                        if seen[m + j] == 0 and C[best, j] >= 0:
                            step = C[best, j] - u[best] - v[j]
                            if step < 0:  # rounding
                                step = step - step
                            step = dist[best] + step
                            if prev[m + j] < 0 or step < dist[m + j]:
                                dist[m + j] = step
                                prev[m + j] = best
            if end < 0:
                room = False
                for j in range(n):
                    room = room or b[j] > drop
                return source if room else -1
            reach = dist[m + end]
            for i in range(m):
                if seen[i] == 1:
                    u[i] = u[i] + (reach - dist[i])
            for j in range(n):
                if seen[m + j] == 1:
                    v[j] = v[j] - (reach - dist[m + j])
            amount = a[source] if a[source] < b[end] else b[end]
            k = m + end
            while k != source:
                if k < m and X[k, prev[k] - m] < amount:
                    amount = X[k, prev[k] - m]
                k = prev[k]
            k = m + end
            while k != source:
                if k >= m:
                    X[prev[k], k - m] = X[prev[k], k - m] + amount
                else:
                    X[k, prev[k] - m] = X[k, prev[k] - m] - amount
                k = prev[k]
            a[source] = a[source] - amount
            b[end] = b[end] - amount
    return -1
