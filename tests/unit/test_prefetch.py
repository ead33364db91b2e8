"""Backups of models whose values do not fit in the cache, where columns are asked for ahead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numba import njit

import rltheory as rl
from rltheory.kernels import bellman_csr, policy_sweeps
from rltheory.kernels._touch import BLOCK, CACHED, LARGE, LINES, STREAMED, asking, touch_block
from rltheory.operators._arrays import csr_arrays

A, B = 2, 3


@pytest.fixture(scope="module")
def big() -> tuple[tuple[Any, ...], Any, Any]:
    """(kernel arrays, P, R) of a garnet with more values than `CACHED`; some rows have no or more entries."""
    rng = np.random.default_rng(0)
    S = CACHED + 1001
    N = S * A
    width = rng.integers(0, 2 * B, N)
    ptr = np.append(0, np.cumsum(width)).astype(np.uint64)
    data, columns = rng.random(int(ptr[-1])), rng.integers(0, S, int(ptr[-1])).astype(np.uint32)
    R = rng.normal(size=N)
    model = (data, columns, ptr, R, 0.9, np.arange(0, N + 1, A).astype(np.uint64))
    return model, sp.csr_array((data, columns.astype(np.int64), ptr.astype(np.int64)), shape=(N, S)), R


@njit
def next_block(data: Any, indices: Any, j: Any) -> Any:
    return touch_block(data, indices, j)


def test_values_are_asked_for_only_where_it_pays(big: Any) -> None:
    columns, S = big[0][1], big[0][3].size // A
    size = columns.size

    def value(columns: Any, S: int, cached: int) -> int:
        return int(asking(columns, columns.size, S, cached)[0])

    assert value(columns, S, CACHED) == 0
    assert value(columns, STREAMED, STREAMED) > size
    assert value(np.sort(columns), S, CACHED) > size
    assert value(columns[:5], S, CACHED) > 5


def test_rows_are_asked_for_where_they_are_many(big: Any) -> None:
    columns = np.zeros(9, np.uint32)
    for size, n in ((LARGE + 1, LARGE // 10), (LARGE, LARGE // 10), (0, 7), (7, 7)):
        value, rows, states = asking(columns, size, n, n)
        assert value > size and rows == (size > LARGE)
        assert states == (LINES * np.uint64(n) // np.uint64(size) if size > LARGE else n)
    assert asking(columns, LARGE + 1, 3, 3)[2] == 1  # rows longer than what is asked for at once
    for far in (0, 2**40):
        assert next_block(np.zeros(3), columns, np.uint64(far)) == far + BLOCK


def test_backups_out_of_cache_by_scipy(big: Any) -> None:
    model, P, R = big
    S = R.size // A
    V = np.random.default_rng(1).normal(size=S)
    q = (R + 0.9 * (P @ V)).reshape(S, A)
    out, arg, wide = np.empty(S), np.empty(S, np.uint32), np.empty(R.size)
    bellman_csr.q_values(*model, V, wide)
    np.testing.assert_allclose(wide.reshape(S, A), q, rtol=0, atol=1e-12)
    lo, hi = bellman_csr.backup(*model, V, out, arg)
    np.testing.assert_allclose(out, q.max(axis=1), rtol=0, atol=1e-12)
    assert lo == (out - V).min() and hi == (out - V).max()
    np.testing.assert_array_equal(arg, A * np.arange(S) + q.argmax(axis=1))
    rows = np.empty(S, np.int64)
    bellman_csr.greedy_backup(*model, V, 0.0, out, rows)
    np.testing.assert_allclose(out, q.max(axis=1), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(rows, arg)


def test_rows_of_a_policy_that_changes(big: Any) -> None:
    """Rows that stay where they are are not copied again; all others are, whatever their lengths."""
    model, P, R = big
    S, rng = R.size // A, np.random.default_rng(2)
    V = rng.normal(size=S)
    q = (R + 0.9 * (P @ V)).reshape(S, A)
    rows, columns = np.full(model[0].size, np.nan), np.empty(model[0].size, np.uint32)
    width, lead = np.zeros(S, np.uint32), np.full(S, -1.0, np.float32)
    choice = np.zeros(S, np.int64)
    for changed in (1.0, 0.3, 0.001, 0.0):
        flip = rng.random(S) < changed
        choice[flip] = rng.integers(0, A, int(flip.sum()))
        lead[flip] *= -np.sign(lead[flip])
        use = (A * np.arange(S) + choice).astype(np.uint32)
        different = bool((lead < 0).any())
        same, size = policy_sweeps.policy_rows(*model[:3], use, lead, rows, columns, width)
        assert same is not different and size == width.sum() and (lead > 0).all()
        out = np.empty(S)
        policy_sweeps.policy_backup(rows, columns, width, R, use, 0.9, size, V, out)
        np.testing.assert_allclose(out, q[np.arange(S), choice], rtol=0, atol=1e-12)


def test_a_large_garnet_is_solved() -> None:
    mdp = rl.gallery.random_garnet(S=CACHED + 1, A=2, branching=2, gamma=0.9, seed=0)
    sol = rl.solve(mdp)
    data, columns, ptr, R, gamma, _ = csr_arrays(mdp)
    P = sp.csr_array((data, columns.astype(np.int64), ptr.astype(np.int64)), shape=(mdp.N, mdp.S))
    residual = (R + gamma * (P @ sol.V)).reshape(mdp.S, 2).max(axis=1) - sol.V
    assert np.abs(residual).max() <= 2e-8 * np.abs(sol.V).max() and sol.status.ok
