"""Rows of consecutive columns: the kernels agree with CSR's, and models that have them are recognised."""

from __future__ import annotations

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP
from rltheory.kernels import bellman_csr, bellman_runs
from rltheory.operators._arrays import chosen_rows, csr_arrays, pair_arrays
from rltheory.solvers.base import float_bounds


def banded(S: int, seed: int, *, least: int = 1, most: int | None = None, A: int = 3) -> MDP:
    """A model whose rows are runs of `least` to `most` columns at random places."""
    rng = np.random.default_rng(seed)
    P, R = np.zeros((S * A, S)), rng.normal(size=S * A)
    for row in P:
        n = int(rng.integers(least, (most or S) + 1))
        start = int(rng.integers(0, S - n + 1))
        row[start : start + n] = rng.dirichlet(np.ones(n)) + 1e-3
        row /= row.sum()
    pairs = np.flatnonzero(P)
    indptr = np.searchsorted(pairs, np.arange(S * A + 1) * S)
    triple = (P.reshape(-1)[pairs], pairs % S, indptr)
    state, action = np.divmod(np.arange(S * A), A)
    return MDP.from_pairs(triple, R, 0.9, pair_state=state, pair_action=action, S=S)


def as_runs(mdp: MDP) -> tuple:
    model = csr_arrays(mdp)
    runs, first = bellman_runs.first_columns(*model[1:3])
    assert runs
    return (model[0], first, *model[2:])


@pytest.mark.parametrize("S", [1, 2, 3, 4, 5, 15, 16, 17, 31, 40, 70])
def test_kernels_agree_with_csr(S: int) -> None:
    mdp = banded(S, S)
    csr, runs = csr_arrays(mdp), as_runs(mdp)
    rng = np.random.default_rng(S)
    V, order = rng.normal(size=S), rng.permutation(S).astype(np.uint64)
    rows = (np.arange(S) * 3 + rng.integers(0, 3, S)).astype(np.uint32)
    weights = rng.random(mdp.N) * (rng.random(mdp.N) < 0.7)

    def outputs(k, model):
        q, z, near, own, mixed, swept = (np.empty(n) for n in (mdp.N, *[S] * 5))
        arg, pick = np.empty(S, np.uint32), np.empty(S, np.int64)
        k.q_values(*model, V, q)
        ends = [*k.backup(*model, V, z, arg), *k.greedy_backup(*model, V, 0.0, near, pick)]
        ends += [*k.chosen_backup(*model, rows, V, own), *k.weighted_backup(*model, weights, V, mixed)]
        swept[:] = V
        ends += [*k.gauss_seidel(*model, order, swept)]
        return q, z, arg, near, pick, own, mixed, swept, np.array(ends)

    for ours, theirs in zip(outputs(bellman_runs, runs), outputs(bellman_csr, csr), strict=True):
        assert np.abs(ours.astype(float) - theirs).max() <= 1e-14 * (1 + np.abs(theirs).max())


@pytest.mark.parametrize("loop", ["value_iteration", "gauss_seidel_iteration", "modified_policy_iteration"])
def test_loops_reach_the_same_values(loop: str) -> None:
    mdp = banded(60, 7)
    best = rl.solve(mdp, rl.PolicyIteration()).V
    order = (np.arange(60).astype(np.uint64),) if "gauss" in loop else ()
    tail = (0, np.inf) if "modified" in loop else ()
    V, spans = np.zeros(60), np.empty(500)
    out = getattr(bellman_runs, loop)(*as_runs(mdp), *order, V, 1e-10, 1e-16, 3.0, 500, *tail, spans)
    assert out[0] == bellman_csr.CONVERGED
    shift = 0.9 / 0.1 * (out[2] + out[3]) / 2
    assert np.abs(V + shift - best).max() < 1e-8
    assert spans[0] > spans[out[1] - 1]


def test_models_are_recognised_and_solved() -> None:
    mdp = banded(200, 3, least=20, most=60)
    pairs = pair_arrays(mdp)
    assert pairs.runs
    assert pairs.kernels is bellman_runs
    assert pairs.model[0] is csr_arrays(mdp)[0]
    sol = rl.solve(mdp)
    assert sol.status.ok
    assert "consecutive columns" in sol.reason
    reference = rl.solve(mdp, rl.PolicyIteration()).V
    assert (sol.lower - 1e-9 <= reference).all()
    assert (reference <= sol.upper + 1e-9).all()
    rows = np.searchsorted(mdp.pair_state * mdp.A + mdp.pair_action, np.arange(200) * mdp.A + sol.pi.actions)
    own = chosen_rows(pairs, rows)
    assert own.runs
    low, high = float_bounds(mdp, own, sol.V)
    assert (low <= sol.V).all()
    assert (high >= sol.V).all()


def test_one_gap_in_one_row_is_seen() -> None:
    mdp = banded(200, 3, least=20, most=60)
    _, indices, indptr, *_ = csr_arrays(mdp)
    for row in (0, 77, mdp.N - 1):
        last = int(indptr[row + 1]) - 1
        for at in (last, last - 5):
            holed = indices.copy()
            holed[at : last + 1] = np.where(holed[at : last + 1] + 1 < 200, holed[at : last + 1] + 1, 0)
            assert not bellman_runs.first_columns(holed, indptr)[0]
    assert not pair_arrays(rl.gallery.random_garnet(S=100, A=2, branching=10, gamma=0.9, seed=0)).runs
