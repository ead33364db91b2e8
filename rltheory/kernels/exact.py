"""Exact rational linear algebra and Bellman backups over FLINT's fmpq.

The public number system is `fractions.Fraction` (object arrays); inside, everything is `fmpq` and
`fmpq_mat`, which clear denominators and solve fraction-free.  Nothing here rounds: every result is
the rational number itself.

Pairs.  The N allowed state-action pairs are numbered by state, then action; those of state s are
`state_ptr[s]:state_ptr[s+1]`.  A backup is q = R + γPV over pairs, then a maximum per state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import ArrayLike, NDArray

from ..arrays import IntVec, to_fraction


def to_fmpq(x: object) -> fmpq:
    """`x` (int, float, Fraction or fmpq) as fmpq; a double is the rational it stores."""
    if isinstance(x, fmpq):
        return x
    if type(x) is Fraction:
        return fmpq(x.numerator, x.denominator)
    q = to_fraction(x)
    return fmpq(q.numerator, q.denominator)


def from_fmpq(q: fmpq) -> Fraction:
    """The `Fraction` equal to an fmpq."""
    return Fraction(int(q.p), int(q.q))


def to_fmpq_list(x: ArrayLike) -> list[fmpq]:
    """Entries of `x`, in row-major order, as fmpq."""
    return [to_fmpq(v) for v in np.asarray(x).reshape(-1).tolist()]


def to_fmpq_mat(x: ArrayLike) -> fmpq_mat:
    """fmpq_mat of a (m, n) array; a (n,) array becomes a column."""
    arr = np.asarray(x)
    rows, cols = arr.shape if arr.ndim == 2 else (arr.shape[0], 1)
    return fmpq_mat(rows, cols, to_fmpq_list(arr))


def column(x: Sequence[fmpq]) -> fmpq_mat:
    """(n, 1) matrix of n rationals."""
    return fmpq_mat(len(x), 1, list(x))


def from_fmpq_mat(mat: fmpq_mat) -> NDArray[np.object_]:
    """(m, n) array of `Fraction`s."""
    return from_fmpq_list(mat.entries()).reshape(mat.nrows(), mat.ncols())


def from_fmpq_list(x: Iterable[fmpq]) -> NDArray[np.object_]:
    """1-D array of `Fraction`s."""
    values = [from_fmpq(q) for q in x]
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def solve_linear(A: ArrayLike, b: ArrayLike) -> NDArray[np.object_]:
    """x with Ax = b, exactly.

    Parameters
    ----------
    A
        (n, n), any reals.
    b
        (n,) or (n, k).

    Returns
    -------
    Array of `Fraction`s of the shape of `b`; error zero.

    Raises
    ------
    ZeroDivisionError
        If A is singular.

    Complexity: O(n³) modular word operations per 60 bits of the answer's numerators.
    """
    rhs = np.asarray(b)
    out = from_fmpq_mat(to_fmpq_mat(A).solve(to_fmpq_mat(rhs)))
    return out if rhs.ndim == 2 else out[:, 0]


def inverse(A: ArrayLike) -> NDArray[np.object_]:
    """A⁻¹, exactly; raises ZeroDivisionError if A is singular."""
    return from_fmpq_mat(to_fmpq_mat(A).inv())


def matmul(A: ArrayLike, x: ArrayLike) -> NDArray[np.object_]:
    """Ax for A (m, n) and x (n,) or (n, k), exactly, as `Fraction`s."""
    right = np.asarray(x)
    out = from_fmpq_mat(to_fmpq_mat(A) * to_fmpq_mat(right))
    return out if right.ndim == 2 else out[:, 0]


@dataclass(frozen=True, eq=False)
class RationalPairs:
    """P, R, γ of a model over pairs, converted to fmpq once.

    Attributes
    ----------
    data, indices, indptr
        CSR rows of the (N, S) transition matrix.
    R
        N rewards.
    gamma
        Discount.
    state_ptr
        (S+1,) first pair of each state.
    """

    data: list[fmpq]
    indices: list[int]
    indptr: list[int]
    R: list[fmpq]
    gamma: fmpq
    state_ptr: list[int]

    @property
    def S(self) -> int:
        """Number of states."""
        return len(self.state_ptr) - 1

    @property
    def N(self) -> int:
        """Number of pairs."""
        return len(self.R)

    @cached_property
    def P(self) -> fmpq_mat:
        """(N, S) transition matrix."""
        out = fmpq_mat(self.N, self.S)
        for k in range(self.N):
            for j in range(self.indptr[k], self.indptr[k + 1]):
                out[k, self.indices[j]] += self.data[j]
        return out

    @cached_property
    def _dense(self) -> bool:
        return 8 * len(self.data) >= self.N * self.S or self.N * self.S <= 4096


def rational_pairs(
    data: NDArray[Any],
    indices: IntVec,
    indptr: IntVec,
    R: NDArray[Any],
    gamma: object,
    state_ptr: IntVec,
) -> RationalPairs:
    """`RationalPairs` of CSR arrays in either number system."""
    return RationalPairs(
        to_fmpq_list(data),
        [int(i) for i in indices],
        [int(i) for i in indptr],
        to_fmpq_list(R),
        to_fmpq(gamma),
        [int(i) for i in state_ptr],
    )


def expected_next(m: RationalPairs, V: Sequence[fmpq]) -> list[fmpq]:
    """(PV)(s, a) = Σ_s' P(s'|s,a) V(s') for the N pairs."""
    if m._dense:
        return list((m.P * column(V)).entries())
    out = []
    for k in range(m.N):
        total = fmpq(0)
        for j in range(m.indptr[k], m.indptr[k + 1]):
            total += m.data[j] * V[m.indices[j]]
        out.append(total)
    return out


def q_pairs(m: RationalPairs, V: Sequence[fmpq]) -> list[fmpq]:
    """q = R + γPV over the N pairs."""
    return [r + m.gamma * e for r, e in zip(m.R, expected_next(m, V), strict=True)]


def maximise(state_ptr: Sequence[int], q: Sequence[fmpq]) -> tuple[list[fmpq], list[int]]:
    """max_a q(s,a) and the lowest pair attaining it, per state."""
    values, best = [], []
    for s in range(len(state_ptr) - 1):
        k = state_ptr[s]
        for j in range(k + 1, state_ptr[s + 1]):
            if q[j] > q[k]:
                k = j
        values.append(q[k])
        best.append(k)
    return values, best


def ties(state_ptr: Sequence[int], q: Sequence[fmpq]) -> list[list[int]]:
    """All maximising pairs of each state."""
    out = []
    for s in range(len(state_ptr) - 1):
        block = range(state_ptr[s], state_ptr[s + 1])
        top = max(q[k] for k in block)
        out.append([k for k in block if q[k] == top])
    return out


def backup(m: RationalPairs, V: Sequence[fmpq]) -> tuple[list[fmpq], list[int]]:
    """TV and the lowest greedy pair of each state."""
    return maximise(m.state_ptr, q_pairs(m, V))


def policy_system(
    m: RationalPairs, weights: Sequence[Sequence[tuple[int, fmpq]]]
) -> tuple[fmpq_mat, fmpq_mat]:
    """P_π (S, S) and R_π (S, 1) of π given per state as (pair, probability) entries."""
    S = len(weights)
    P, R = fmpq_mat(S, S), fmpq_mat(S, 1)
    for s, row in enumerate(weights):
        for k, w in row:
            R[s, 0] += w * m.R[k]
            for j in range(m.indptr[k], m.indptr[k + 1]):
                P[s, m.indices[j]] += w * m.data[j]
    return P, R


def identity(n: int) -> fmpq_mat:
    """(n, n) identity."""
    out = fmpq_mat(n, n)
    for i in range(n):
        out[i, i] = fmpq(1)
    return out


def evaluate_weights(m: RationalPairs, weights: Sequence[Sequence[tuple[int, fmpq]]]) -> list[fmpq]:
    """V^π = (I − γP_π)⁻¹R_π for a stochastic policy given as (pair, probability) entries."""
    P, R = policy_system(m, weights)
    return list((identity(m.S) - P * m.gamma).solve(R).entries())


def evaluate_rows(m: RationalPairs, rows: Sequence[int] | IntVec) -> list[fmpq]:
    """V^π of the deterministic policy that uses pair `rows[s]` in state s."""
    one = fmpq(1)
    return evaluate_weights(m, [[(int(k), one)] for k in rows])
