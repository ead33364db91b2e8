"""Pair rows as arrays: CSR from what users pass, terminal self-loops, rewards per transition."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolVec, IntVec, PairVec, chunks, is_sparse, owned
from ..errors import InvalidModel
from .validate import present


def close_terminal(rows: NDArray[Any], pair_state: IntVec, term: BoolVec, exact: bool) -> None:
    """Put the self-loop into all-zero rows of terminal states; refuse rows that leave."""
    one = Fraction(1) if exact else 1.0
    for k in np.flatnonzero(term[pair_state]):
        s = int(pair_state[k])
        if not (rows[k] != 0).any():
            rows[k, s] = one
        if rows[k, s] != 1:
            t = int(np.argmax((rows[k] != 0) & (np.arange(rows.shape[1]) != s)))
            raise InvalidModel(
                f"terminal: state {s} is terminal but moves to {t} with probability {rows[k, t]}; "
                "make its rows absorbing or all zero, or drop it from terminal="
            )


def as_csr(P: Any, S: int | None) -> tuple[NDArray[Any], NDArray[Any], IntVec, int]:
    """(data, indices, indptr, S) of a sparse matrix, a CSR triple or a full array."""
    if isinstance(P, tuple):
        if S is None:
            raise InvalidModel("from_pairs: S is missing; (data, indices, indptr) need S=...")
        data, indices, indptr = P
    elif is_sparse(P):
        import scipy.sparse as sp

        csr = sp.csr_array(P)
        csr.sum_duplicates()
        data, indices, indptr, S = csr.data, csr.indices, csr.indptr, int(csr.shape[1])
    else:
        full = np.array(P)
        if full.ndim != 2:
            raise InvalidModel(f"from_pairs: P has shape={full.shape}, must be (N, S)")
        nz = full != 0
        data, indices, S = full[nz], np.nonzero(nz)[1], int(full.shape[1])
        indptr = np.concatenate([[0], np.cumsum(nz.sum(axis=1))])
    return owned(data), _narrow(indices, S), owned(indptr, np.int64), S


def _narrow(indices: Any, S: int) -> NDArray[Any]:
    """Column numbers as int32; as they are where one is outside 0..S−1, for `check_pairs` to name it."""
    wide = np.asarray(indices)
    if wide.size and wide.dtype.itemsize > 4 and (wide.min() < 0 or wide.max() >= S):
        return wide
    return owned(indices, np.int32)


def transition_rewards(R: Any, indices: NDArray[Any], indptr: IntVec, S: int) -> NDArray[Any] | None:
    """(nnz,) reward of each stored transition from a (N, S) array or sparse matrix; None for other shapes.

    Raises
    ------
    InvalidModel
        For a two-dimensional R of another shape.
    """
    shape = R.shape if is_sparse(R) else np.shape(R)
    if len(shape) != 2:
        return None
    if shape != (indptr.size - 1, S):
        raise InvalidModel(f"R: shape={shape}, must be ({indptr.size - 1},) or ({indptr.size - 1}, {S})")
    owner = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    if is_sparse(R):
        import scipy.sparse as sp

        R = sp.csr_array(R)
    return np.asarray((R if is_sparse(R) else np.asarray(R))[owner, indices])


def expectation(data: PairVec, rewards: PairVec, indptr: IntVec) -> PairVec:
    """(N,) Σ_j data[j]·rewards[j] over the entries of each row."""
    if data.dtype != object:
        out: PairVec = np.zeros(indptr.size - 1)
        for lo, hi in chunks(indptr.size - 1):
            part, first, last = (
                np.repeat(np.arange(hi - lo), np.diff(indptr[lo : hi + 1])),
                indptr[lo],
                indptr[hi],
            )
            out[lo:hi] = np.bincount(part, weights=data[first:last] * rewards[first:last], minlength=hi - lo)
        return out
    owner = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    out = np.array([Fraction(0)] * (indptr.size - 1), dtype=object)
    np.add.at(out, owner, data * rewards)
    return out


def insert_terminal_loops(
    data: NDArray[Any],
    indices: NDArray[Any],
    indptr: IntVec,
    R: PairVec,
    entries: NDArray[Any] | None,
    ps: IntVec,
    pa: IntVec,
    term: BoolVec,
    exact: bool,
) -> tuple[Any, ...]:
    """Give each terminal state without pairs one absorbing pair of action id 0 and reward 0."""
    if (
        not term.any()
        or indptr.size != ps.size + 1
        or ps.min(initial=0) < 0
        or ps.max(initial=0) >= term.size
    ):
        return data, indices, indptr, R, entries, ps, pa
    missing = np.flatnonzero(term & ~present(ps, term.size))
    if missing.size == 0:
        return data, indices, indptr, R, entries, ps, pa
    at = np.searchsorted(ps, missing)
    one, zero = (Fraction(1), Fraction(0)) if exact else (1.0, 0.0)
    data = np.insert(data, indptr[at], np.array([one] * missing.size, dtype=data.dtype))
    indices = np.insert(indices, indptr[at], missing.astype(indices.dtype))
    if entries is not None:
        entries = np.insert(entries, indptr[at], np.array([zero] * missing.size, dtype=entries.dtype))
    counts = np.insert(np.diff(indptr), at, 1)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    R = np.insert(R, at, np.array([zero] * missing.size, dtype=R.dtype))
    return data, indices, indptr, R, entries, np.insert(ps, at, missing), np.insert(pa, at, 0)
