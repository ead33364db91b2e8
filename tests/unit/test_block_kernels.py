"""The parts of block solving: improvement that leaves states out, rows of a policy that changes, products."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import rltheory as rl
from rltheory.kernels import blocks, ordering
from rltheory.operators._arrays import csr_arrays

S, A = 60, 4
GAMMA = 0.95


def ragged(seed: int, *, most: int = 5) -> tuple[tuple[Any, ...], np.ndarray, np.ndarray]:
    """(kernel arrays, P, R): rows of one to `most` entries, some of them self-loops, some explicit zeros."""
    rng = np.random.default_rng(seed)
    rows, data = [], []
    for k in range(S * A):
        columns = rng.choice(S, rng.integers(1, most + 1), replace=False)
        if rng.random() < 0.3:
            columns[0] = k // A
        columns = np.unique(columns)
        p = rng.dirichlet(np.ones(columns.size))
        rows.append(columns)
        data.append(p)
    ptr = np.concatenate([[0], np.cumsum([r.size for r in rows])])
    pairs = {"pair_state": np.repeat(np.arange(S), A), "pair_action": np.tile(np.arange(A), S)}
    mdp = rl.MDP.from_pairs(
        (np.concatenate(data), np.concatenate(rows), ptr), rng.normal(size=S * A), GAMMA, **pairs, S=S
    )
    return csr_arrays(mdp), mdp.P_pairs, mdp.R_pairs


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_improvement_leaves_out_only_states_that_keep_their_pair(seed: int, back: bool) -> None:
    model, P, R = ragged(seed)
    rng = np.random.default_rng(seed)
    scale = blocks.self_loop_scales(*model[:3], *model[4:])
    order = rng.permutation(S).astype(np.uint32)
    arg, lead = model[5][:-1].copy(), np.full(S, -1.0, np.float32)
    V, now, skipped = np.zeros(S), 0.0, 0
    for _ in range(1000):
        V = (R + GAMMA * (P @ V)).reshape(S, A).max(axis=1)
    for n, size in enumerate((0.3, 0.1, 3e-2, 1e-2, 1e-3, 1e-4, 0.1, 1e-5)):
        limit = now if n else np.inf
        out = lead > limit
        kept, before = arg.copy(), V.copy()
        low, high, norm, moved = blocks.improve(
            *model, scale, order, 0, S, back, True, limit, now, V, arg, lead
        )
        changed = V - before
        assert low <= changed.min() + 1e-12 and changed.max() <= high + 1e-12 and (changed[out] == 0).all()
        assert moved == (arg != kept).sum() and (arg[out] == kept[out]).all()
        if n:
            np.testing.assert_array_equal(lead < 0, arg != kept)  # rows to be stored anew
        q = (R + GAMMA * (P @ before)).reshape(S, A)
        own = q.reshape(-1)[kept]
        assert (q.max(axis=1) - own)[out].max(initial=0.0) <= 1e-12
        if not out.any():
            assert norm == np.abs(V).max()
        skipped += int(out.sum())
        now += GAMMA * (high - low)
        lead = abs(lead)
        step = size * rng.normal(size=S) / 3
        V = V + step + size * rng.normal()
        now += GAMMA * float(np.ptp(step)) * (1 + 1e-9) + 1e-12
    assert skipped > S


def test_a_state_is_looked_at_as_soon_as_its_pair_can_change() -> None:
    """State 0 compares V(1) + 1 with V(2), whose difference moves by just more than the last lead; its first
    pair may stay, which changes d but not q."""
    for stay in (0.0, 0.5):
        P = np.zeros((3, 2, 3))
        P[0, 0, 1], P[0, 0, 0] = 1 - stay, stay
        P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1.0
        model = csr_arrays(rl.MDP(P, [[1.0, 0.0], [0.0, -9.0], [0.0, -9.0]], 0.5))
        scale = blocks.self_loop_scales(*model[:3], *model[4:])
        arg, lead = model[5][:-1].copy(), np.full(3, -1.0, np.float32)
        order, now, last = np.arange(3, dtype=np.uint32), 0.0, None
        for x in (0.0, 1.01, 0.98, 1.01, 0.5, 1.001, 0.9995):
            V = np.array([0.0, -x, x])  # without a self-loop, 0.5·(V(2) − V(1)) = x
            v0 = (1 - 0.5 * x * (1 - stay)) / (1 - 0.5 * stay)
            V[0] = max(v0, 0.5 * x)
            if last is not None:
                now += 0.5 * float(np.ptp(V - last))
            last = V.copy()
            blocks.improve(
                *model, scale, order, 0, 1, False, True, np.inf if x == 0.0 else now, now, V, arg, lead
            )
            lead = abs(lead)
            assert arg[0] == (1 if 0.5 * x > v0 else 0), (stay, x)


def test_improvement_in_place_is_gauss_seidel() -> None:
    """All states open: the same values as a loop over the order with self-loops eliminated."""
    model, P, R = ragged(1)
    scale = blocks.self_loop_scales(*model[:3], *model[4:])
    np.testing.assert_allclose(
        scale, 1 / (1 - GAMMA * P[np.arange(S * A), np.arange(S * A) // A]), rtol=1e-15
    )
    order = np.random.default_rng(0).permutation(S).astype(np.uint32)
    V = np.zeros(S)
    arg, lead = model[5][:-1].copy(), np.full(S, -1.0, np.float32)
    blocks.improve(*model, scale, order, 0, S, False, True, np.inf, 0.0, V, arg, lead)
    W = np.zeros(S)
    for s in order:
        k = s * A + np.arange(A)
        W[s] += ((R[k] + GAMMA * (P[k] @ W) - W[s]) * scale[k]).max()
    np.testing.assert_allclose(V, W, rtol=0, atol=1e-12)


@pytest.mark.parametrize("slot", [0, 5])
@pytest.mark.parametrize("first", [0, 13])
def test_rows_of_a_policy_that_changes(slot: int, first: int) -> None:
    """Rows copied where the policy changed stand for the same matrix as all rows copied anew."""
    for seed in range(4):
        model, P, R = ragged(seed)
        rng = np.random.default_rng(seed)
        data, indices, indptr, _, _, _ = model
        scale = blocks.self_loop_scales(*model[:3], *model[4:])
        order = rng.permutation(S).astype(np.uint32)
        place = np.empty(S, np.uint32)
        place[order] = np.arange(S)
        n, inside = S - first, order[first:]
        V, lead = rng.normal(size=S), np.full(S, -1.0, np.float32)
        arg = (A * np.arange(S)).astype(np.uint64)
        room = 5 * n + data.size
        x, col, ptr, rew = (
            np.full(room, np.nan),
            np.zeros(room, np.uint32),
            np.zeros(n + 1, np.uint64),
            np.empty(n),
        )
        for change in (1.0, 0.3, 0.05, 0.0, 0.2):
            flip = rng.random(S) < change
            arg[flip] = A * np.flatnonzero(flip) + rng.integers(0, A, int(flip.sum()))
            lead[flip] = -1.0
            fresh = change == 1.0
            below, above, most, turns, filled, copied = blocks.extract(
                data, indices, indptr, R, GAMMA, scale, order, first, S, place, V, arg, lead, fresh,
                np.uint64(slot), x, col, ptr, rew,
            )  # fmt: skip
            assert (lead[inside] > 0).all()
            rows = P[arg.astype(int)][inside]
            c = scale[arg.astype(int)][inside]
            expected = GAMMA * c[:, None] * rows[:, inside] * (1 - np.eye(n))
            size = int(ptr[-1])
            found = sp.csr_array((x[:size], col[:size].astype(int), ptr.astype(int)), shape=(n, n)).toarray()
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
            outside = np.isin(np.arange(S), inside, invert=True)
            fixed = (R[arg.astype(int)][inside] + GAMMA * (rows[:, outside] @ V[outside])) * c
            np.testing.assert_allclose(rew, fixed, rtol=0, atol=1e-13)
            if fresh:
                length = (expected != 0).sum(axis=1)
                i, j = np.nonzero(expected)
                assert (below, above) == (max(0, (i - j).max()), max(0, (j - i).max()))
                assert most == length.max() and turns == (np.diff(length, prepend=0) != 0).sum()
                assert copied == n and filled == size - length.sum()
                if slot:
                    assert (np.diff(ptr.astype(int)) == slot).all()


def test_a_shorter_row_leaves_the_others_in_place() -> None:
    model, P, R = ragged(5)
    data, indices, indptr, _, _, _ = model
    scale = blocks.self_loop_scales(*model[:3], *model[4:])
    order = np.arange(S, dtype=np.uint32)
    length = (P != 0).sum(axis=1) - (P[np.arange(S * A), np.arange(S * A) // A] != 0)
    arg = (A * np.arange(S) + length.reshape(S, A).argmax(axis=1)).astype(np.uint64)
    lead = np.full(S, -1.0, np.float32)
    x, col, ptr, rew = np.empty(6 * S), np.empty(6 * S, np.uint32), np.zeros(S + 1, np.uint64), np.empty(S)
    rest = (order, 0, S, order, np.zeros(S), arg, lead)
    store = (np.uint64(0), x, col, ptr, rew)
    blocks.extract(data, indices, indptr, R, GAMMA, scale, *rest, True, *store)
    place = ptr.copy()
    short = length.reshape(S, A).argmin(axis=1)
    arg[::7] = (A * np.arange(S) + short)[::7]
    lead[::7] *= -1
    copied = blocks.extract(data, indices, indptr, R, GAMMA, scale, *rest, False, *store)[5]
    np.testing.assert_array_equal(ptr, place)
    assert copied == len(arg[::7])


@pytest.mark.parametrize("branching", [4, 9])
def test_only_rows_that_changed_are_copied(branching: int) -> None:
    """Rows of nearly one length have slots of that length, so a change moves no others."""
    n = 3000
    mdp = rl.gallery.random_garnet(S=n, A=4, branching=branching, gamma=0.999, window=200, seed=1)
    sol = rl.solvers.InexactPolicyIteration(1e-8, reorder=True).run(mdp)
    assert sol.status.ok and sol.iterations > 6
    assert n < sol.info["rows"] < 3 * n < n * (sol.iterations - 1) / 2


@pytest.mark.parametrize("slot", [0, 5])
def test_a_renumbered_model_is_the_same(slot: int) -> None:
    model, P, R = ragged(2)
    order = np.random.default_rng(3).permutation(S).astype(np.uint32)
    data, indices, indptr, _, _, state_ptr = model
    x, col, ptr, rew, sptr = ordering.permuted(data, indices, indptr, R, state_ptr, order, np.uint64(slot))
    assert x.size == col.size == ptr[-1] and (sptr == state_ptr).all() and col.max() < S
    found = sp.csr_array((x, col.astype(int), ptr.astype(int)), shape=(S * A, S)).toarray()
    pairs = (A * order.astype(int)[:, None] + np.arange(A)).reshape(-1)
    np.testing.assert_array_equal(found, P[pairs][:, order])
    np.testing.assert_array_equal(rew, R[pairs])
    if slot:
        assert (np.diff(ptr.astype(int)) == slot).all()


def test_length_to_which_rows_are_filled_up() -> None:
    def told(*lengths: int) -> int:
        return int(ordering.row_length(np.cumsum([0, *lengths]).astype(np.uint64), np.uint64(5)))

    assert told(*[1, 3, 2, 3] * 10) == 3
    assert told(*[4] * 40) == 0  # one length already
    assert told(*[1, 6, 2, 3] * 10) == 0  # too long
    assert told(*[4] * 38, 2, 3) == 0  # hardly any


def test_krylov_solves_the_policy() -> None:
    for seed in range(5):
        model, P, R = ragged(seed)
        data, indices, indptr, _, _, _ = model
        scale = blocks.self_loop_scales(*model[:3], *model[4:])
        order = np.arange(S, dtype=np.uint32)
        arg = (A * np.arange(S) + seed % A).astype(np.uint64)
        x, col, ptr, rew = (
            np.empty(data.size),
            np.empty(data.size, np.uint32),
            np.zeros(S + 1, np.uint64),
            np.empty(S),
        )
        blocks.extract(
            data, indices, indptr, R, GAMMA, scale, order, 0, S, order, np.zeros(S), arg,
            np.full(S, -1.0, np.float32), True, np.uint64(0), x, col, ptr, rew,
        )  # fmt: skip
        v = np.zeros(S)
        done, size = blocks.krylov(x, col, ptr, rew, S, v, 1e-12, 400, False, np.empty((5, S)))
        exact = np.linalg.solve(np.eye(S) - GAMMA * P[arg.astype(int)], R[arg.astype(int)])
        assert size <= 1e-12 and done < 60
        np.testing.assert_allclose(v, exact, rtol=0, atol=1e-9)


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 8, 21])
def test_inner_product_and_largest_in_lanes(n: int) -> None:
    rng = np.random.default_rng(n)
    hat, r = rng.normal(size=n + 2), rng.normal(size=n + 2)
    r[n:] = 100.0  # beyond the block
    dot, largest = blocks.residual_of(hat, r, n)
    assert abs(dot - hat[:n] @ r[:n]) <= 1e-13 and largest == np.abs(r[:n]).max(initial=0.0)


UNEVEN = """S = 24  # every second state: a myopic pair of one or two entries, and a better one of twenty
for s in range(S):
    near = [(s + 1) % S] if s % 4 < 2 else [(s + 1) % S, (s + 5) % S]
    far = [(s + i) % S for i in range(1, 21)] if s % 2 and s < 20 else near
    rows += [sorted(near), sorted(far)]
    R += [0.0, 0.1 * (s % 2 and s < 20)]
start = np.where(np.arange(S) % 2, -10.0, 10.0)
"""
NEARLY_EVEN = """S = 40  # the first policy: rows of six and one of five; later two rows of twenty
for s in range(S):
    near = [(s + i) % S for i in range(1, 7 - (s == 11))]
    far = [(s + i) % S for i in range(1, 21)] if s in (5, 7) else near
    rows += [sorted(near), sorted(far)]
    R += [0.0, 0.1 * (s in (5, 7))]
start = np.where((5 < np.arange(S)) & (np.arange(S) < 14), 10.0, -10.0)
"""
CHECK = """
data = np.concatenate([np.full(len(r), 1 / len(r)) for r in rows])
indices = np.concatenate(rows).astype(np.uint32)
indptr = np.cumsum([0, *map(len, rows)]).astype(np.uint64)
state_ptr = np.arange(0, 2 * S + 1, 2).astype(np.uint64)
model = (data, indices, indptr, np.array(R), 0.9, state_ptr)
scale = blocks.self_loop_scales(*model[:3], *model[4:])
P = np.zeros((2 * S, S))
for k, r in enumerate(rows):
    P[k, r] = 1 / len(r)
# the start makes the short rows look better in the first improvement
for work in (None, np.empty((5, S))):
    V = start.copy()
    arg = state_ptr[:-1].copy()
    order, ends = np.arange(S, dtype=np.uint32), np.array([0, S])
    limits = 1e-10, 1e-15, 1.0, 500, False, 0.25, np.empty(5)
    blocks.solve_blocks(*model, scale, order, ends, V, arg, *limits, work, None)
    q = (np.array(R) + 0.9 * (P @ V)).reshape(S, 2).max(axis=1)
    assert abs(q - V).max() < 1e-8
"""


@pytest.mark.parametrize("model", [UNEVEN, NEARLY_EVEN], ids=["uneven", "nearly even"])
def test_rows_of_a_policy_fit_whatever_their_lengths(model: str) -> None:
    """Index checks on: short rows next to long ones are not filled up beyond what was set aside."""
    source = "import numpy as np\nfrom rltheory.kernels import blocks\nrows, R = [], []\n" + model + CHECK
    env = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", source], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1500:]
