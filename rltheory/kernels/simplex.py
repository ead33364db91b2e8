"""The simplex method in rationals: optimal *basic* solutions of small linear programs.

Problem: max c·x subject to Ax = b, x ≥ 0, with A (m, n) of full row rank.  A basis is m columns whose
matrix B is invertible; it is feasible if B⁻¹b ≥ 0 and optimal if no reduced cost c_j − y·A_j
(y = B⁻ᵀc_B) is positive.  The entering column has the largest reduced cost, or the lowest index with a
positive one after a step that did not move (Bland), so the method ends.  Everything is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import ArrayLike, NDArray

from . import exact as ex


@dataclass(frozen=True, eq=False)
class Basic:
    """An optimal basic solution.

    Attributes
    ----------
    x, y
        (n,) primal and (m,) dual solution, `Fraction`s; c·x = b·y.
    basis
        The m basic columns.
    pivots
        Number of exchanges made.
    """

    x: NDArray[np.object_]
    y: NDArray[np.object_]
    basis: tuple[int, ...]
    pivots: int


class Infeasible(ValueError):
    """No x ≥ 0 satisfies Ax = b."""


class Unbounded(ValueError):
    """c·x has no maximum."""


def maximise(A: ArrayLike, b: ArrayLike, c: ArrayLike, basis: Sequence[int] | None = None) -> Basic:
    """Optimal basic solution of max c·x, Ax = b, x ≥ 0.

    Parameters
    ----------
    A, b, c
        (m, n), (m,), (n,) reals (doubles are the rationals they store); A of full row rank.
    basis
        m columns to start from; ignored if they are dependent or infeasible.

    Raises
    ------
    Infeasible, Unbounded
        ValueErrors.

    Complexity: three m × m rational solves a pivot.

    Examples
    --------
    >>> maximise([[1, 1]], [2], [1, 3]).x.tolist()
    [Fraction(0, 1), Fraction(2, 1)]
    """
    M, rhs, cost = ex.to_fmpq_mat(A), ex.to_fmpq_list(b), ex.to_fmpq_list(c)
    m, n = M.nrows(), M.ncols()
    columns = [[M[i, j] for i in range(m)] for j in range(n)]
    start = None if basis is None or len(basis) != m else list(basis)
    if start is None or not _feasible(columns, rhs, start):
        start = _phase_one(columns, rhs, n)
    found, pivots = _pivot(columns, rhs, cost, start)
    x = [fmpq(0)] * n
    B = _matrix(columns, found)
    for j, v in zip(found, B.solve(ex.column(rhs)).entries(), strict=True):
        x[j] = v
    y = B.transpose().solve(ex.column([cost[j] for j in found])).entries()
    return Basic(ex.from_fmpq_list(x), ex.from_fmpq_list(y), tuple(found), pivots)


def _matrix(columns: list[list[fmpq]], basis: Sequence[int]) -> fmpq_mat:
    m = len(basis)
    return fmpq_mat(m, m, [columns[j][i] for i in range(m) for j in basis])


def _feasible(columns: list[list[fmpq]], b: list[fmpq], basis: list[int]) -> bool:
    try:
        values = _matrix(columns, basis).solve(ex.column(b)).entries()
    except ZeroDivisionError:
        return False
    return all(v >= 0 for v in values)


def _phase_one(columns: list[list[fmpq]], b: list[fmpq], n: int) -> list[int]:
    """Feasible basis found with one artificial column a row, driven to zero."""
    m = len(b)
    artificial = [[fmpq((1 if b[i] >= 0 else -1) * (i == k)) for i in range(m)] for k in range(m)]
    cost = [fmpq(0)] * n + [fmpq(-1)] * m
    wide = columns + artificial
    basis, _ = _pivot(wide, b, cost, list(range(n, n + m)))
    values = _matrix(wide, basis).solve(ex.column(b)).entries()
    if any(j >= n and v > 0 for j, v in zip(basis, values, strict=True)):
        raise Infeasible("no x ≥ 0 satisfies Ax = b; relax a constraint")
    for place, j in enumerate(basis):
        if j < n:
            continue
        B = _matrix(wide, basis)
        for k in range(n):
            if k not in basis and B.solve(ex.column(wide[k])).entries()[place] != 0:
                basis[place] = k
                break
        else:
            raise Infeasible("A has dependent rows; drop the redundant equations")
    return basis


def _pivot(
    columns: list[list[fmpq]], b: list[fmpq], cost: list[fmpq], basis: list[int]
) -> tuple[list[int], int]:
    n, m = len(columns), len(b)
    table = fmpq_mat(n, m, [v for col in columns for v in col])
    pivots, stalled = 0, False
    while True:
        B = _matrix(columns, basis)
        y = B.transpose().solve(ex.column([cost[j] for j in basis]))
        reduced = [c - p for c, p in zip(cost, (table * y).entries(), strict=True)]
        gainful = [j for j in range(n) if reduced[j] > 0]
        if not gainful:
            return basis, pivots
        enter = gainful[0] if stalled else max(gainful, key=lambda j: (reduced[j], -j))
        both = B.solve(fmpq_mat(m, 2, [v for pair in zip(b, columns[enter], strict=True) for v in pair]))
        rows = [(both[i, 0] / both[i, 1], basis[i], i) for i in range(m) if both[i, 1] > 0]
        if not rows:
            raise Unbounded("c·x is unbounded; add a constraint")
        step, _, place = min(rows)
        stalled = step == 0
        basis[place] = enter
        pivots += 1
