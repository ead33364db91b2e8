"""Empirical lookaheads from a generative model: N sampled next states a pair, averaged over V.

    out[i] = R[k] + γ/N Σ_n V(s'_n),   s'_n ~ P(·|k), k = pairs[i].

Few draws walk the row once per draw; many are split over the row's entries by binomials in turn, which is
the multinomial law of the counts, so the cost does not grow with N.  Rows need not sum to one exactly:
what is missing falls to the last entry.
"""

from __future__ import annotations

from typing import Any

from ._jit import njit

WALK = 64
"""Largest N for which draws are made one by one."""


@njit(cache=True, error_model="numpy")
def lookahead(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, V: Any, pairs: Any, N: Any, rng: Any, out: Any
) -> Any:
    """Fill `out` (one number a pair of `pairs`); `rng` is a NumPy Generator, advanced in place."""
    for i in range(pairs.size):
        k = pairs[i]
        start, end = indptr[k], indptr[k + 1]
        total = 0.0
        if end == start + 1:
            total = N * V[indices[start]]
        elif N <= WALK:
            for _ in range(N):
                u = rng.random()
                j = start
                u -= data[j]
                while u >= 0.0 and j + 1 < end:
                    j += 1
                    u -= data[j]
                total += V[indices[j]]
        else:
            left, mass = N, 1.0
            for j in range(start, end):
                if left == 0:
                    break
                share = 1.0
                if j + 1 < end and data[j] < mass:
                    share = data[j] / mass
                count = left if j + 1 == end or share >= 1.0 else rng.binomial(left, share)
                total += count * V[indices[j]]
                left -= count
                mass -= data[j]
        out[i] = R[k] + gamma * (total / N)
