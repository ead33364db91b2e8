"""Inner products of sparse rows: every length, nothing read from the neighbours, ragged models."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numba import njit
from numba.core.errors import TypingError

import rltheory as rl
from rltheory.kernels import bellman_csr
from rltheory.kernels._row import row, short_row
from rltheory.kernels.short_rows import MANY, unpredictable
from rltheory.operators._arrays import csr_arrays


@njit
def general(data: Any, indices: Any, V: Any, j: Any, stop: Any) -> Any:
    return row(data, indices, V, j, stop)


@njit
def short(data: Any, indices: Any, V: Any, j: Any, stop: Any) -> Any:
    return short_row(data, indices, V, j, stop)


def two_sums(data: Any, indices: Any, V: Any, j: int, stop: int) -> float:
    """Even entries into one sum, odd ones into another, then both together."""
    sums = [0.0, 0.0]
    for i in range(j, stop):
        sums[(i - j) % 2] += data[i] * V[indices[i]]
    return sums[0] + sums[1]


def entries(size: int, spoilt: float) -> tuple[Any, Any, Any]:
    """Entries, their columns and values, all of them `spoilt` outside entries 4..4+size−1."""
    rng = np.random.default_rng(size)
    data, V = rng.normal(size=size + 8), rng.normal(size=50)
    columns = rng.permutation(50)[: size + 8].astype(np.uint32)
    V[columns[:4]] = V[columns[4 + size :]] = spoilt
    return data, columns, V


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, 0.0])
@pytest.mark.parametrize("size", range(20))
def test_every_length_bit_by_bit(size: int, spoilt: float) -> None:
    data, columns, V = entries(size, spoilt)
    j, stop = np.uint64(4), np.uint64(4 + size)
    expected = two_sums(data, columns, V, 4, 4 + size)
    assert np.isfinite(expected) and general(data, columns, V, j, stop) == expected
    cut = general(data[4 : 4 + size].copy(), columns[4 : 4 + size].copy(), V, np.uint64(0), np.uint64(size))
    assert cut == expected
    if size <= 3:
        assert short(data, columns, V, j, stop) == expected


def test_its_own_values_are_not_hidden() -> None:
    for size, bad in itertools.product(range(1, 8), (np.nan, np.inf)):
        for at in range(size):
            data, columns, V = entries(size, 0.0)
            V[columns[4 + at]] = bad
            kernels = (general, short) if size <= 3 else (general,)
            for kernel in kernels:
                assert not np.isfinite(kernel(data, columns, V, np.uint64(4), np.uint64(4 + size)))


def test_arrays_of_another_type_are_refused() -> None:
    data, columns, V = entries(3, 0.0)
    for kernel in (general, short):
        for args in ((data, columns.astype(np.int64), V), (data.astype(np.float32), columns, V)):
            with pytest.raises(TypingError):
                kernel(*args, np.uint64(0), np.uint64(3))


def ragged(S: int, longer: int = 0) -> tuple[tuple[Any, ...], Any]:
    """(kernel arrays, P) of 1 to 3 rows a state of 0 to 3 entries, but `longer` of them of 7."""
    rng = np.random.default_rng(0)
    state_ptr = np.append(0, np.cumsum(rng.integers(1, 4, S)))
    N = int(state_ptr[-1])
    width = rng.integers(0, 4, N)
    width[rng.integers(0, N, longer)] = 7
    width[-1] = 1
    ptr = np.append(0, np.cumsum(width))
    data, columns = rng.random(int(ptr[-1])), rng.integers(0, S, int(ptr[-1]))
    P = sp.csr_array((data, columns, ptr), shape=(N, S))
    model = (data, columns.astype(np.uint32), ptr.astype(np.uint64), rng.normal(size=N), 0.9)
    return (*model, state_ptr.astype(np.uint64)), P


@pytest.mark.parametrize("longer", [0, 500])
def test_large_ragged_models_by_scipy(longer: int) -> None:
    model, P = ragged(MANY, longer)
    R, ptr = model[3], model[5].astype(np.int64)
    S = ptr.size - 1
    assert unpredictable(model[2], model[5])
    V = np.random.default_rng(1).normal(size=S)
    q = R + 0.9 * (P @ V)
    best = np.maximum.reduceat(q, ptr[:-1])
    out, arg, rows = np.empty(S), np.empty(S, np.uint64), np.empty(S, np.int64)
    lo, hi = bellman_csr.backup(*model, V, out, arg)
    np.testing.assert_allclose(out, best, rtol=0, atol=1e-14)
    np.testing.assert_allclose(q[arg.astype(np.int64)], best, rtol=0, atol=1e-14)
    assert lo == (out - V).min() and hi == (out - V).max()
    same, low, high = out.copy(), lo, hi
    lo, hi, short_of = bellman_csr.greedy_backup(*model, V, 0.0, out, rows)
    assert (lo, hi, short_of) == (low, high, 0.0)
    np.testing.assert_array_equal(out, same)
    np.testing.assert_array_equal(rows, arg)
    lo, hi, short_of = bellman_csr.greedy_backup(*model, V, 0.5, out, rows)
    np.testing.assert_array_equal(out, same)
    assert 0.0 < short_of <= 0.5 and (rows <= arg).all() and (rows < arg).any()
    assert short_of == pytest.approx((best - q[rows]).max(), abs=1e-14)


def test_a_value_that_is_no_number_spoils_only_what_reads_it() -> None:
    model, P = ragged(MANY)
    S = model[5].size - 1
    V, out, arg = np.ones(S), np.empty(S), np.empty(S, np.uint64)
    V[17] = np.nan
    assert np.isnan(bellman_csr.backup(*model, V, out, arg)).all()
    reads = np.bincount(P.tocoo().row[P.tocoo().col == 17], minlength=P.shape[0]) > 0
    ptr = model[5].astype(np.int64)
    sound = ~np.logical_or.reduceat(reads, ptr[:-1])
    assert not sound.all() and np.isfinite(out[sound]).all()


def test_where_short_rows_are_taken() -> None:
    side = int(np.sqrt(MANY / 4)) + 9
    maze = csr_arrays(rl.gallery.maze(side, gamma=0.99, seed=0))
    assert unpredictable(maze[2], maze[5])
    ptr, states = np.arange(0, 3 * MANY + 1, 3), np.arange(0, MANY + 1, 2)
    ptr, states = ptr.astype(np.uint64), states.astype(np.uint64)
    assert not unpredictable(ptr, states)  # all rows alike
    assert not unpredictable(ptr[: MANY // 2 + 1], states[: MANY // 4 + 1])  # and too few
    assert not unpredictable(maze[2][: MANY + 1 - 4], maze[5][: MANY // 4])  # too few
    assert not unpredictable(np.uint64(2) * maze[2], maze[5])  # too long
    assert not unpredictable(np.minimum(maze[2], np.uint64(2)), maze[5])  # three entries cannot be read
    assert not unpredictable(maze[2], np.array([0, 9, maze[3].size], np.uint64))  # too few states
