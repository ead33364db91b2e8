"""Linear algebra over the rationals by schoolbook elimination: slow, short, and a second witness.

The library solves with python-flint; claims that compare with it solve here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import exact_array

Table = NDArray[Any]


def eliminate(A: Table, B: Table) -> Table:
    """X with AX = B, for B (n,) or (n, k) of Fractions.

    Raises
    ------
    ZeroDivisionError
        If A is singular.

    Examples
    --------
    >>> eliminate(exact_array([[2, 1], [0, 4]]), exact_array([1, 2]))
    array([Fraction(1, 4), Fraction(1, 2)], dtype=object)
    """
    n = len(A)
    M = np.concatenate([A, B.reshape(n, -1)], axis=1)
    for k in range(n):
        p = next((i for i in range(k, n) if M[i, k] != 0), None)
        if p is None:
            raise ZeroDivisionError(f"eliminate: no pivot in column {k}, the matrix is singular")
        M[[k, p]] = M[[p, k]]
        M[k] = M[k] / M[k, k]
        for i in range(n):
            if i != k and M[i, k] != 0:
                M[i] = M[i] - M[i, k] * M[k]
    return np.asarray(M[:, n:].reshape(B.shape))


def inverse(A: Table) -> Table:
    """A⁻¹; raises `ZeroDivisionError` if A is singular."""
    return eliminate(A, exact_array(np.eye(len(A), dtype=int)))


def rank(A: Table) -> int:
    """Rank over the rationals.

    Examples
    --------
    >>> rank(exact_array([[1, 2], [2, 4]]))
    1
    """
    M, r = A.copy(), 0
    for k in range(M.shape[1]):
        p = next((i for i in range(r, len(M)) if M[i, k] != 0), None)
        if p is None:
            continue
        M[[r, p]] = M[[p, r]]
        for i in range(r + 1, len(M)):
            if M[i, k] != 0:
                M[i] = M[i] - M[i, k] / M[r, k] * M[r]
        r += 1
    return r
