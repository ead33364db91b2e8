"""The exact eluder dimension of a finite class of functions on few points.

Definition (Russo and Van Roy).  x is ε-independent of x_1, …, x_n if some f, f' ∈ F have √Σ(f − f')²(x_i) ≤ ε
and |f(x) − f'(x)| > ε.  dim_E(F, ε) is the length of the longest sequence in which, for one common ε' ≥ ε,
every element is ε'-independent of its predecessors.  No point can appear twice.

Method.  Only the set of predecessors matters, and conditions change only at ε' = ε and ε' = √Σ_S(f − f')²:
for each such ε', the longest chain ∅ ⊂ … of sets is found over all 2^|X| sets.
"""

from __future__ import annotations

from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Entries, Real, exact_array, to_fraction
from ..errors import InvalidArgument
from ..kernels.subsets import longest_chain, subset_sums

MOST_POINTS = 12


def eluder_dimension(F: Entries, eps: Real = 0) -> int:
    """dim_E(F, ε) of a finite class.

    Parameters
    ----------
    F
        (n, X) values of n functions at X ≤ 12 points; doubles are the rationals they store.
    eps
        ε ≥ 0.

    Returns
    -------
    The dimension, exactly: comparisons are made over integers.

    Raises
    ------
    InvalidArgument
        No function, more than 12 points, values that are not finite, ε < 0.

    Complexity: O(2^X·X·n²) for each of the different values Σ_S(f − f')² below max (f − f')².

    Source: Russo and Van Roy (2013).

    Examples
    --------
    >>> eluder_dimension([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], 0.5)
    3
    """
    try:
        values = exact_array(F)
        level = to_fraction(eps)
    except (ValueError, OverflowError, TypeError):
        raise InvalidArgument("eluder_dimension: F and eps must be finite real numbers") from None
    if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] == 0:
        raise InvalidArgument(
            f"eluder_dimension: F has shape {values.shape}; give at least one function, (n, X)"
        )
    if values.shape[1] > MOST_POINTS:
        raise InvalidArgument(
            f"eluder_dimension: {values.shape[1]} points, at most {MOST_POINTS} (2^X sets are visited); "
            "a subset of the points gives a lower bound"
        )
    if level < 0:
        raise InvalidArgument(f"eluder_dimension: eps={eps}, must be ≥ 0")
    gaps = squared_gaps(values)
    if gaps.shape[0] == 0:
        return 0
    scale = lcm(*(v.denominator for v in gaps.reshape(-1)), (level**2).denominator)
    whole = [[int(v * scale) for v in row] for row in gaps]
    floor = int(level**2 * scale)
    dtype: Any = np.int64 if max(sum(row) for row in whole) < 2**62 and floor < 2**62 else object
    table = np.array(whole, dtype=dtype)
    if dtype is object:
        return _in_python(table, floor)
    sums = subset_sums(table)
    top = table.max()
    levels = np.unique(sums[(sums >= floor) & (sums < top)])
    levels = np.unique(np.concatenate([levels, np.array([floor], dtype=np.int64)]))
    return int(longest_chain(table, sums, levels[levels < top])) if floor < top else 0


def squared_gaps(values: NDArray[Any]) -> NDArray[Any]:
    """(pairs, X) different rows (f − f')² over all pairs of functions, without zero rows."""
    rows = {tuple((a - b) ** 2) for i, a in enumerate(values) for b in values[i + 1 :] if (a != b).any()}
    return np.array(sorted(rows), dtype=object).reshape(-1, values.shape[1])


def _in_python(table: NDArray[Any], floor: int) -> int:
    """The same with Python integers, for denominators that do not fit 64 bits."""
    n = table.shape[1]
    sums = [[0] * len(table)]
    for S in range(1, 1 << n):
        low = (S & -S).bit_length() - 1
        sums.append([s + row[low] for s, row in zip(sums[S & (S - 1)], table, strict=True)])
    top = int(table.max())
    best = 0
    for level in sorted({floor, *(s for row in sums for s in row if floor <= s)}):
        if level >= top:
            break
        chain = [-1] * (1 << n)
        chain[0] = 0
        for S in range(1 << n):
            if chain[S] < 0:
                continue
            best = max(best, chain[S])
            for x in range(n):
                if not S >> x & 1 and any(s <= level < row[x] for s, row in zip(sums[S], table, strict=True)):
                    chain[S | 1 << x] = max(chain[S | 1 << x], chain[S] + 1)
    return best
