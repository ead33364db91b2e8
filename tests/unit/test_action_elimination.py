"""Pairs left out of a backup because they cannot be greedy yet, and policies that drain into a closed set."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP
from rltheory.kernels import action_elimination as elimination
from rltheory.kernels import bellman_runs, policy_sweeps, small
from rltheory.operators._arrays import csr_arrays, pair_arrays, row_bounds, small_model
from rltheory.solvers import ModifiedPolicyIteration


def model(S: int, seed: int, layout: str) -> MDP:
    """Random rows: full, runs of consecutive columns, or scattered; some actions nearly tie."""
    rng = np.random.default_rng(seed)
    A = 5
    P = np.zeros((S * A, S))
    for k, row in enumerate(P):
        if layout == "dense":
            row[:] = rng.dirichlet(np.ones(S))
        else:
            n = int(rng.integers(1, min(S, 9) + 1))
            start = int(rng.integers(0, S - n + 1))
            at = start + np.arange(n) if layout == "runs" else rng.choice(S, n, replace=False)
            row[at] = rng.dirichlet(np.ones(n))
        if k % A == 1:  # a twin of the action before, worse or better by little
            row[:] = P[k - 1]
    P /= P.sum(axis=1, keepdims=True)
    R = rng.normal(size=(S, A))
    R[:, 1] = R[:, 0] + rng.choice([-1e-3, 0.0, 1e-3, 1e-9], S)
    return MDP(P.reshape(S, A, S), R, 0.9)


def rows_of(mdp: MDP, layout: str) -> tuple[Any, ...]:
    """The arrays of rows of consecutive columns: those of all states, or the ones that are stored."""
    csr, N, S = csr_arrays(mdp), mdp.N, mdp.S
    if layout == "dense":
        ptr = (S * np.arange(N + 1)).astype(np.uint64)
        return (mdp.P_pairs.reshape(-1), np.zeros(N, np.uint32), ptr, *csr[3:])
    runs, first = bellman_runs.first_columns(*csr[1:3])
    assert runs
    return (csr[0], first, *csr[2:])


def drifting(V: np.ndarray, rng: np.random.Generator) -> Any:
    """Points that drift less and less, each with a constant added, and γ times the span of each step."""
    for size in (3.0, 1.0, 0.3, 0.1, 1e-2, 1e-3, 1e-6, 0.0):
        step = size * rng.normal(size=V.size)
        V = V + step + 100 * rng.normal()
        yield V, 0.9 * float(np.ptp(step)) * (1 + 1e-12) + 1e-12


@pytest.mark.parametrize("layout", ["dense", "runs"])
@pytest.mark.parametrize("seed", range(8))
def test_pairs_left_out_are_never_missed(layout: str, seed: int) -> None:
    mdp = model(40, seed, layout)
    rng = np.random.default_rng(seed)
    P, R = mdp.P_pairs, mdp.R_pairs
    args = rows_of(mdp, layout)
    until, q, now, looked = np.zeros(mdp.N), np.empty(mdp.N), 0.0, []
    out, arg = np.empty(40), np.empty(40, np.uint32)
    for V, moved in drifting(rng.normal(size=40), rng):
        now += moved if looked else 0.0
        lo, hi = elimination.open_pairs_backup(*args, now, until, V, out, arg, q)
        looked.append(int(np.isfinite(q).sum()))
        full = (R + 0.9 * (P @ V)).reshape(40, 5)
        np.testing.assert_allclose(out, full.max(axis=1), rtol=0, atol=1e-11)
        assert (
            abs(lo - (full.max(axis=1) - V).min()) <= 1e-11
            and abs(hi - (full.max(axis=1) - V).max()) <= 1e-11
        )
        np.testing.assert_allclose(full.reshape(-1)[arg], out, rtol=0, atol=1e-11)
    assert looked[0] == mdp.N and looked[-1] < 0.5 * mdp.N  # it does leave pairs out


@pytest.mark.parametrize("seed", range(8))
def test_states_left_out_are_never_missed(seed: int) -> None:
    mdp = model(60, seed, "scattered")
    rng = np.random.default_rng(seed)
    args = csr_arrays(mdp)
    P, R, S = mdp.P_pairs, mdp.R_pairs, 60
    arg, lead, out = np.asarray(args[-1][:-1]).astype(np.uint32), np.full(S, -1.0, np.float32), np.empty(S)
    data, columns, length = np.empty(args[0].size), np.empty(args[0].size, np.uint32), np.zeros(S, np.uint32)
    now, left_out, size = -1.0, [], 0
    for V, moved in drifting(rng.normal(size=S), rng):
        before = arg.copy()
        if now < 0:
            lo, hi = elimination.open_states_backup(*args, np.inf, 0.0, V, out, arg, lead)
            assert (lead < 0).all()  # no row is stored
            now = 0.0
        else:
            now += moved
            left_out.append(int((lead > now).sum()))
            policy_sweeps.policy_backup(data, columns, length, R, arg, 0.9, size, V, out)
            lo, hi = elimination.open_states_backup(*args, now, now, V, out, arg, lead)
            np.testing.assert_array_equal(lead < 0, arg != before)
        _, size = policy_sweeps.policy_rows(*args[:3], arg, lead, data, columns, length)
        full = (R + 0.9 * (P @ V)).reshape(S, 5)
        np.testing.assert_allclose(out, full.max(axis=1), rtol=0, atol=1e-11)
        assert (
            abs(lo - (full.max(axis=1) - V).min()) <= 1e-11
            and abs(hi - (full.max(axis=1) - V).max()) <= 1e-11
        )
        np.testing.assert_allclose(full.reshape(-1)[arg], out, rtol=0, atol=1e-11)
    assert left_out[-1] > S // 4


@pytest.mark.parametrize("layout", ["dense", "runs", "scattered"])
def test_the_greedy_action_changes_as_soon_as_it_can(layout: str) -> None:
    """State 0 compares V(1) + 1 with V(2), whose difference moves by just more than the last lead."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 1] = P[2, :, 2] = 1.0
    mdp = MDP(P, [[1.0, 0.0], [0.0, -9.0], [0.0, -9.0]], 0.5)
    args = csr_arrays(mdp) if layout == "scattered" else rows_of(mdp, layout)
    until, q, now, before = np.zeros(6), np.empty(6), 0.0, 0.0
    out, arg, lead = np.empty(3), np.array([0, 2, 4], np.uint32), np.full(3, -1.0, np.float32)
    for x in (0.0, 1.01, 0.98, 1.01, 0.5, 1.001, 0.9995):
        V = np.array([0.0, -x, x])  # 0.5·(V(2) − V(1)) = x
        now += abs(x - before)
        before = x
        if layout != "scattered":
            elimination.open_pairs_backup(*args, now, until, V, out, arg, q)
        else:
            out[:] = mdp.R_pairs[arg] + 0.5 * (mdp.P_pairs[arg] @ V)
            elimination.open_states_backup(*args, np.inf if x == 0.0 else now, now, V, out, arg, lead)
        lead = abs(lead)
        assert arg[0] == (1 if x > 1 else 0) and out[0] == max(1 - 0.5 * x, 0.5 * x)


def test_a_state_of_one_action_is_left_out_for_good() -> None:
    mdp = MDP([[[0.5, 0.5]], [[1.0, 0.0]]], [[1.0], [0.0]], 0.9)
    lead, out, arg = np.ones(2, np.float32), np.empty(2), np.array([0, 1], np.uint32)
    elimination.open_states_backup(*csr_arrays(mdp), np.inf, 0.0, np.zeros(2), out, arg, lead)
    assert np.isinf(lead).all() and (lead > 0).all()


def test_a_lead_is_rounded_down() -> None:
    """Single precision rounds 1 + 2⁻²⁴ + 2⁻²⁶ up and 1e-60 to 0; a lead stays below, with its sign."""
    for gap in (1 + 2.0**-24 + 2.0**-26, 1e-60, 0.0, 3.3e7 + 1.0):
        mdp = MDP([[[1.0], [1.0]]], [[0.0, gap]], 0.5)
        lead, out, arg = np.ones(1, np.float32), np.empty(1), np.zeros(1, np.uint32)
        elimination.open_states_backup(*csr_arrays(mdp), np.inf, 0.0, np.zeros(1), out, arg, lead)
        assert (lead[0] < 0) == (gap > 0) and 0 < abs(float(lead[0])) <= max(gap, 2e-37)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_values_of_models_with_far_starts(seed: int, scale: float) -> None:
    """V0 far from V*, rewards tiny or huge: leads and drifts of very different sizes meet."""
    for layout in ("dense", "runs", "scattered"):
        mdp = model(200 if layout == "scattered" else 60, seed, layout)
        mdp = mdp.replace(R=np.asarray(mdp.R) * scale)
        start = np.random.default_rng(seed).normal(size=mdp.S) * 1e6 * scale
        tol = 1e-8 if scale >= 1 else 1e-16
        sol = rl.solve(mdp, ModifiedPolicyIteration(tol=tol, V0=start), throw=False)
        exact = rl.solve(mdp, rl.solvers.ValueIteration(tol=tol), throw=False).V
        assert np.abs(sol.V - exact).max() <= 2 * tol * max(1.0, np.abs(exact).max())


@pytest.mark.parametrize("seed", range(12))
def test_sweeps_of_small_models_are_value_iteration(seed: int) -> None:
    """Sweep by sweep the same residual spans as backups of all pairs."""
    rng = np.random.default_rng(seed)
    S = 12
    to = rng.integers(0, S, (S, 5))
    P, R = np.eye(S)[to], rng.normal(size=(S, 5))
    if seed % 2:
        P = 0.5 * P + 0.5 * rng.dirichlet(np.ones(S), (S, 5))
    R[:, 1] = R[:, 0] + 1e-3 * rng.normal(size=S)
    mdp = MDP(P, R, 0.7)
    out, actions, spans = np.empty((3, S)), np.empty(S, np.int64), np.empty(small.SWEEPS)
    sweeps, *_ = small.solve(*small_model(mdp), 1e-9, out, actions, spans)
    V = np.zeros(S)
    for n in range(sweeps):
        W = (R + 0.7 * (P @ V)).max(axis=1)
        assert abs(np.ptp(W - V) - spans[n]) <= 1e-13, n
        V = W
    assert sweeps >= 5


def test_a_small_model_whose_greedy_action_changes_late() -> None:
    """State 0 goes to 1 or to 2; what lies behind those turns its choice by just more than the first lead."""
    to = np.array([[1, 2], [3, 3], [4, 4], [5, 5], [5, 5], [5, 5]])
    P, R = np.eye(6)[to], [0.0, 0.0, -1.0, -0.6, 0.6, 0.0]
    mdp = MDP(P, np.repeat(np.array(R)[:, None], 2, axis=1), 0.95)
    out, actions, spans = np.empty((3, 6)), np.empty(6, np.int64), np.empty(small.SWEEPS)
    sweeps, *_ = small.solve(*small_model(mdp), 1e-9, out, actions, spans)
    assert sweeps == 4 and actions[0] == 1
    np.testing.assert_allclose(out[0, 0], 0.95 * (-1 + 0.95 * 0.6), rtol=0, atol=1e-12)
    np.testing.assert_allclose(spans[2], 0.95 * (1 - 0.95 * 0.6), rtol=0, atol=1e-12)


# ---- rows added up once ----------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["dense", "runs", "scattered"])
def test_row_bounds_from_validation_enclose_the_sums(layout: str) -> None:
    mdp = model(30, 3, layout)
    if layout != "dense":
        mdp = MDP.from_pairs(
            mdp.csr, mdp.R_pairs, 0.9, pair_state=mdp.pair_state, pair_action=mdp.pair_action, S=30
        )
    assert mdp.row_sums is not None
    data, _, indptr = mdp.csr
    sums = [
        sum(map(Fraction, data[a:b].tolist()), Fraction(0)) for a, b in zip(indptr, indptr[1:], strict=False)
    ]
    known = row_bounds(mdp, pair_arrays(mdp))
    assert known.smin <= min(sums) and max(sums) <= known.smax
    assert known.smax - known.smin <= 1e-13


def test_row_bounds_follow_the_rows() -> None:
    """Kept by a copy with another reward; forgotten where P is rounded or cut."""
    mdp = model(6, 0, "dense")
    assert mdp.replace(gamma=0.5).row_sums == mdp.row_sums is not None
    assert mdp.exact().row_sums is None and mdp.exact().float().row_sums is None
    keep = np.ones((6, 5), bool)
    keep[0, 0] = False
    assert mdp.restrict(keep).row_sums is None
    other = mdp.replace()
    other._set(_rows=np.asarray(mdp.P_pairs) * (1 + 1e-13))  # as no one should
    assert other.row_sums is None
    thirds = rl.gallery.random_mdp(S=3, A=2, gamma=Fraction(1, 2), seed=0)
    assert thirds.is_exact and thirds.row_sums is None


# ---- policies that drain into a closed set ---------------------------------------------------


def drained(S: int, head: int, seed: int) -> tuple[tuple[Any, ...], np.ndarray, np.ndarray]:
    """(arrays, P, R) of one policy: closed below `head`, from there on never up; rows are runs."""
    rng = np.random.default_rng(seed)
    P = np.zeros((S, S))
    for s, row in enumerate(P):
        top = head - 1 if s < head else s
        first = int(rng.integers(0, top + 1))
        n = int(rng.integers(1, top - first + 2))
        row[first : first + n] = rng.dirichlet(np.ones(n))
    if head > 1:
        P[0] = 0.0
        P[0, head - 1] = 1.0  # the head is as large as can be
    R = rng.normal(size=S)
    mdp = MDP(P[:, None, :] / P.sum(axis=1)[:, None, None], R[:, None], 0.95)
    csr = csr_arrays(mdp)
    runs, first = bellman_runs.first_columns(*csr[1:3])
    assert runs
    return (csr[0], first, *csr[2:]), mdp.P_pairs, R


@pytest.mark.parametrize(("S", "head"), [(1, 0), (5, 0), (12, 1), (30, 7), (30, 30), (41, 2)])
def test_closed_head_and_descent(S: int, head: int) -> None:
    for seed in range(5):
        args, P, R = drained(S, head, seed)
        rows = np.arange(S, dtype=np.uint32)
        found = bellman_runs.closed_head(args[1], args[2], rows)
        stays = [c for c in range(S + 1) if not P[:c, c:].any() and not np.triu(P[c:], c + 1).any()]
        assert found == min(stays) <= max(head, 1)
        V = np.linalg.solve(np.eye(S) - 0.95 * P, R)
        guess = V.copy()
        guess[found:] = 1e3
        bellman_runs.descend(*args[:5], rows, found, guess)
        np.testing.assert_allclose(guess, V, rtol=0, atol=1e-11)


def test_inventory_needs_no_sweeps_of_all_states() -> None:
    """Stock drains and is refilled: two full backups and the certificate, whatever the horizon."""
    mdp = rl.gallery.inventory(n=400, gamma=0.999, max_order=40, demand=[1 / 16] * 16)
    sol = rl.solve(mdp, ModifiedPolicyIteration())
    exact = rl.solve(mdp, rl.solvers.PolicyIteration(keep_trace=False)).V
    assert np.abs(sol.V - exact).max() <= sol.error + 1e-9
    assert sol.evaluations <= 40 < ModifiedPolicyIteration(sweeps=1).run(mdp).evaluations
