"""Structured solvers: exact answers on small models of each structure, agreement on medium ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse import csgraph

import rltheory as rl
from rltheory.errors import InvalidArgument
from rltheory.kernels import blocks, ordering
from rltheory.kernels.graph import strong_components
from rltheory.operators._arrays import csr_arrays
from rltheory.results.solution import Status
from rltheory.solvers import (
    BandedPolicyIteration,
    GaussSeidel,
    InexactPolicyIteration,
    PolicyIteration,
    Topological,
    probe,
    topological,
)
from rltheory.solvers._blocks import BANDED, KRYLOV, SWEEPS, goals
from rltheory.solvers.probe import one_large_component

SOLVERS = {
    "gauss-seidel": GaussSeidel,
    "topological": Topological,
    "banded": BandedPolicyIteration,
    "krylov": InexactPolicyIteration,
}
SMALL = {
    "maze": lambda: rl.gallery.maze(size=5, gamma=0.99),
    "chain": lambda: rl.gallery.river_swim(S=12, gamma=0.99),
    "queue": lambda: rl.gallery.queue(n=15, gamma=0.95),
    "tandem": lambda: rl.gallery.tandem_queue(n=3, gamma=0.99),
    "layers": lambda: rl.gallery.layered_dag(layers=5, width=4, gamma=0.95),
    "components": lambda: rl.gallery.multi_scc(components=4, size=5, gamma=0.99),
    "garnet": lambda: rl.gallery.random_garnet(S=20, A=3, branching=4, gamma=0.9, seed=1),
    "local": lambda: rl.gallery.random_garnet(S=24, A=2, branching=3, gamma=0.99, seed=2, window=4),
    "inventory": lambda: rl.gallery.inventory(n=12, gamma=0.95),
    "pendulum": lambda: rl.gallery.pendulum(angles=5, speeds=5, gamma=0.9),
    "dense": lambda: rl.gallery.random_mdp(S=8, A=3, gamma=0.95, seed=3),
    "one": lambda: rl.MDP([[[1.0], [1.0]]], [[1.0, 2.0]], 0.75),
}
MEDIUM = {
    "maze": lambda: rl.gallery.maze(size=40, gamma=0.999),
    "chain": lambda: rl.gallery.river_swim(S=1500, gamma=0.9999),
    "queue": lambda: rl.gallery.queue(n=1500, gamma=0.999),
    "tandem": lambda: rl.gallery.tandem_queue(n=30, gamma=0.999),
    "components": lambda: rl.gallery.multi_scc(components=20, size=60, gamma=0.999),
    "layers": lambda: rl.gallery.layered_dag(layers=20, width=60, gamma=0.999),
    "local": lambda: rl.gallery.random_garnet(S=1200, A=3, branching=4, gamma=0.999, seed=5, window=8),
    "pendulum": lambda: rl.gallery.pendulum(angles=33, speeds=33, gamma=0.99),
}
EXACT: dict[str, Any] = {}


@pytest.mark.parametrize("family", SMALL)
@pytest.mark.parametrize("name", SOLVERS)
def test_bounds_hold_the_exact_values(name: str, family: str) -> None:
    mdp = SMALL[family]()
    if family not in EXACT:
        EXACT[family] = rl.PolicyIteration(keep_trace=False).run(mdp.exact()).V
    sol = SOLVERS[name](tol=1e-9).run(mdp)
    assert sol.status is Status.SOLVED
    assert (sol.lower <= EXACT[family]).all() and (EXACT[family] <= sol.upper).all()
    assert sol.error <= 1e-9 * max(1, abs(EXACT[family]).max())


@pytest.mark.parametrize("family", MEDIUM)
def test_solvers_agree_on_medium_models(family: str) -> None:
    mdp = MEDIUM[family]()
    sols = [make(tol=1e-8).run(mdp) for make in SOLVERS.values()]
    assert all(sol.status is Status.SOLVED for sol in sols)
    lower, upper = np.max([s.lower for s in sols], axis=0), np.min([s.upper for s in sols], axis=0)
    assert (lower <= upper).all()
    reference = rl.PolicyIteration(keep_trace=False, pi0=sols[0].pi).run(mdp)
    assert (reference.lower <= upper).all() and (lower <= reference.upper).all()


@pytest.mark.parametrize("name", SOLVERS)
def test_rational_models_are_enclosed_in_rationals(name: str) -> None:
    mdp = rl.gallery.river_swim(S=5, gamma=0.9).exact()
    sol = SOLVERS[name]().run(mdp)
    exact = rl.solve(mdp).V
    assert sol.V.dtype == object and sol.status is Status.SOLVED
    assert all(a <= v <= b for a, v, b in zip(sol.lower, exact, sol.upper, strict=True))


@pytest.mark.parametrize("name", SOLVERS)
def test_near_singular_models_end_honestly(name: str) -> None:
    mdp = rl.gallery.river_swim(S=30, gamma=1 - 1e-6)
    exact = rl.PolicyIteration(keep_trace=False).run(mdp.exact()).V
    sol = SOLVERS[name](tol=1e-6, max_iter=20_000).run(mdp)
    assert (sol.lower <= exact).all() and (exact <= sol.upper).all()
    assert sol.status is (Status.SOLVED if sol.error <= 1e-6 * max(1, abs(sol.V).max()) else sol.status)
    if name != "gauss-seidel":
        assert sol.status is Status.SOLVED


@pytest.mark.parametrize("name", SOLVERS)
def test_a_limit_is_reported(name: str) -> None:
    mdp = rl.gallery.random_garnet(S=60, A=3, branching=4, gamma=0.999, seed=0, window=5)
    sol = SOLVERS[name](tol=1e-9, max_iter=1).run(mdp)
    assert sol.status is Status.MAX_ITER and sol.error > 1e-9
    exact = rl.PolicyIteration(keep_trace=False).run(mdp)
    assert (sol.lower <= exact.upper).all() and (exact.lower <= sol.upper).all()


@pytest.mark.parametrize("make", SOLVERS.values())
def test_bad_arguments_are_refused(make: Any) -> None:
    with pytest.raises(InvalidArgument, match="tol"):
        make(tol=0)
    with pytest.raises(InvalidArgument, match="max_iter"):
        make(max_iter=0)
    with pytest.raises(InvalidArgument, match="direction"):
        GaussSeidel(direction="sideways")  # type: ignore[arg-type]


@pytest.mark.parametrize("direction", ["goal-first", "forward", "backward", "alternating"])
def test_every_direction_gives_the_same_values(direction: Any) -> None:
    mdp = rl.gallery.maze(size=12, gamma=0.99)
    sol = GaussSeidel(direction=direction).run(mdp)
    reference = rl.PolicyIteration(keep_trace=False).run(mdp)
    assert sol.status is Status.SOLVED
    assert np.abs(sol.V - reference.V).max() <= 1e-5


def test_elimination_is_used_on_chains_and_refused_elsewhere() -> None:
    chain = BandedPolicyIteration().run(rl.gallery.river_swim(S=400, gamma=0.99))
    assert chain.info["eliminations"] >= 1
    wide = BandedPolicyIteration().run(rl.gallery.random_garnet(S=400, A=3, branching=4, gamma=0.99, seed=0))
    assert wide.info["eliminations"] == 0 and wide.status is Status.SOLVED


def test_a_shuffled_chain_is_put_in_order() -> None:
    rng = np.random.default_rng(0)
    plain = rl.gallery.river_swim(S=600, gamma=0.999)
    data, indices, indptr, R, gamma, state_ptr = csr_arrays(plain)
    order = rng.permutation(600).astype(np.uint32)
    x, col, ptr, rew, sptr = ordering.permuted(data, indices, indptr, R, state_ptr, order, np.uint64(0))
    mixed = rl.MDP.from_pairs(
        (x, col.astype(np.int32), ptr.astype(np.int64)),
        rew,
        gamma,
        pair_state=np.repeat(np.arange(600), np.diff(sptr.astype(np.int64))),
        pair_action=plain.pair_action,
        S=600,
    )
    sol = BandedPolicyIteration().run(mixed)
    assert sol.info["eliminations"] >= 1 and sol.status is Status.SOLVED
    assert np.abs(sol.V - BandedPolicyIteration().run(plain).V[order]).max() <= 1e-5


def test_components_come_successors_first() -> None:
    mdp = rl.gallery.multi_scc(components=6, size=7, gamma=0.9)
    _data, indices, indptr, _, _, state_ptr = csr_arrays(mdp)
    order, ends = ordering.strong_order(indices, indptr, state_ptr)
    label = np.empty(mdp.S, dtype=int)
    for b in range(len(ends) - 1):
        label[order[ends[b] : ends[b + 1]]] = b
    source = np.repeat(mdp.pair_state, np.diff(indptr.astype(np.int64)))
    assert (label[source] >= label[indices]).all()
    count, known = strong_components(source, indices.astype(np.int64), mdp.S)
    assert count == len(ends) - 1
    assert all(np.unique(known[order[a:b]]).size == 1 for a, b in zip(ends, ends[1:], strict=False))


def scattered(S: int, seed: int, *, reach: int) -> rl.MDP:
    """A model of a few transitions a pair, to states at most `reach` away, so that components vary."""
    rng = np.random.default_rng(seed)
    step = [rng.integers(-reach, reach + 1, rng.integers(1 + reach // 10, 7)) for _ in range(S)]
    rows = [np.unique(np.clip(s + step[s], 0, S - 1)) for s in range(S)]
    data = np.concatenate([np.full(r.size, 1 / r.size) for r in rows])
    ptr = np.concatenate([[0], np.cumsum([r.size for r in rows])])
    R = rng.integers(0, 5, S) / 4
    return rl.MDP.from_pairs((data, np.concatenate(rows), ptr), R, 0.9, **_single(S))


@pytest.mark.parametrize("seed", range(12))
def test_order_and_component_of_the_goal_by_scipy(seed: int) -> None:
    mdp = scattered(200, seed, reach=(1, 2, 5, 40)[seed % 4])
    _data, indices, indptr, R, _, state_ptr = csr_arrays(mdp)
    ones, ptr = np.ones(indices.size), indptr.astype(np.int32)
    graph = sp.csr_array((ones, indices.astype(np.int32), ptr), shape=(200, 200))
    start, into = ordering.predecessors(indices, indptr, state_ptr)
    for s in range(200):
        assert sorted(into[start[s] : start[s + np.uint64(1)]]) == sorted(graph[:, [s]].nonzero()[0])
    source = goals(mdp)
    absorbing = np.array([set(graph[[s], :].nonzero()[1]) == {s} for s in range(200)])
    np.testing.assert_array_equal(source, absorbing if absorbing.any() else R.max() == R)
    order, n = ordering.breadth_first(start, into, source, 200, 200)
    steps = csgraph.dijkstra(graph.T, indices=np.flatnonzero(source), unweighted=True, min_only=True)
    assert n == np.isfinite(steps).sum() and sorted(order) == list(range(200))
    assert (np.diff(steps[order[:n]]) >= 0).all() and not np.isfinite(steps[order[n:]]).any()
    _, label = csgraph.connected_components(graph, connection="strong")
    large = 2 * (label == label[np.argmax(source)]).sum() >= 200
    found = one_large_component(mdp)
    assert found is None or large  # it may give up, not be wrong
    if found is not None:
        np.testing.assert_array_equal(found, order)


@pytest.mark.parametrize(("m", "large"), [(99, False), (100, True), (150, True)])
def test_component_of_the_goal_at_one_half(m: int, large: bool) -> None:
    """A ring of m states with the goal among them, which leads into a ring of the others or is led into."""
    ring = np.where(np.arange(200) == m - 1, 0, np.arange(200) + 1)
    ring[-1] = m
    for goal_first_ring in (True, False):
        P, R = np.zeros((200, 1, 200)), np.zeros((200, 1))
        P[np.arange(200), 0, ring] = 1.0
        leak = (0, m) if goal_first_ring else (m, 0)
        P[leak[0], 0] *= 0.5
        P[leak[0], 0, leak[1]] += 0.5
        R[3] = 1.0
        found = one_large_component(rl.MDP.from_pairs(P[:, 0], R[:, 0], 0.9, **_single(200)))
        assert (found is not None) == large


def _single(S: int) -> dict[str, Any]:
    return {"pair_state": np.arange(S), "pair_action": np.zeros(S, int), "S": S}


def test_both_answers_about_the_component_occur() -> None:
    models = [scattered(200, seed, reach=(1, 2, 5, 40)[seed % 4]) for seed in range(12)]
    assert {one_large_component(mdp) is None for mdp in models} == {True, False}


@pytest.mark.parametrize("order", [[0, 1, 1], [0, 1], [0, 1, 3], [-1, 0, 1], [0.0, 1.0, 2.0], [[0, 1, 2]]])
def test_an_order_that_is_none_is_refused(order: Any) -> None:
    mdp = rl.MDP(np.full((3, 1, 3), 1 / 3), [[1.0], [0.0], [0.0]], 0.5)
    with pytest.raises(InvalidArgument, match="does not hold state"):
        InexactPolicyIteration(reorder=True, order=np.array(order)).run(mdp)
    sol = InexactPolicyIteration(reorder=True, order=np.array([2, 0, 1])).run(mdp)
    np.testing.assert_allclose(sol.V, [4 / 3, 1 / 3, 1 / 3], rtol=0, atol=1e-7)


def test_elimination_is_right_to_the_rounding_of_one_backup() -> None:
    """A chain with 1/(1 − γ) = 10⁴: the error is within the unit roundoff times that, hardly more."""
    mdp = rl.gallery.queue(n=9_999, gamma=0.9999)
    refined = rl.solve(mdp, rl.solvers.Portfolio(1e-14), throw=False)
    size = np.abs(refined.V).max()
    assert refined.error <= 1e-15 * size
    V = BandedPolicyIteration().run(mdp).V
    assert np.abs(V - refined.V).max() <= 1.5 * 2.0**-53 / (1 - 0.9999) * size


def test_a_layered_model_needs_no_sweeps() -> None:
    mdp = rl.gallery.layered_dag(layers=8, width=9, gamma=0.95)
    sol = Topological().run(mdp)
    assert sol.iterations == sol.evaluations == 0 and sol.error <= 1e-12


def test_not_a_number_ends_a_block() -> None:
    mdp = rl.gallery.random_garnet(S=10, A=2, branching=3, gamma=0.9, seed=0)
    model = csr_arrays(mdp)
    scale = blocks.self_loop_scales(*model[:3], *model[4:])
    V, arg = np.full(10, np.nan), model[5][:-1].copy()
    how = blocks.solve_blocks(
        *model, scale, np.arange(10, dtype=np.uint32), np.array([0, 10]), V, arg, 1e-9, 0.0, 1.0, 100, False,
        0.25, np.empty(5), np.empty((5, 10)), None,
    )[0]  # fmt: skip
    assert how == 3


def shuffled(mdp: rl.MDP, copies: int, seed: int) -> rl.MDP:
    """`copies` of a model beside one another, their states in random order."""
    P = np.kron(np.eye(copies), mdp.P.reshape(-1, mdp.S)).reshape(mdp.S * copies, -1, mdp.S * copies)
    place = np.random.default_rng(seed).permutation(mdp.S * copies)
    return rl.MDP(P[place][:, :, place], np.tile(mdp.R, (copies, 1))[place], mdp.gamma)


@pytest.mark.parametrize("S", [3, 17, 40, 60])
def test_elimination_is_kept_where_components_are_bands(S: int) -> None:
    """Chains that do not reach one another: a search along a chain shows it as a band in any numbering."""
    mdp = shuffled(rl.gallery.river_swim(S, 0.99).float(), 6, seed=S)
    sol = Topological().run(mdp)
    assert sol.info["blocks"] == 6 and sol.info["eliminations"] > 0 and sol.status is Status.SOLVED
    np.testing.assert_allclose(sol.V, PolicyIteration().run(mdp).V, rtol=0, atol=1e-7)


def test_elimination_is_left_out_where_no_component_is_a_band() -> None:
    """A state is wide if all of its pairs are, a component if one of its states is."""
    for components, size, evaluation in ((20, 100, KRYLOV), (20, 12, BANDED), (20, 1, SWEEPS)):
        mdp = rl.gallery.multi_scc(components, size, 3, 0.99, branching=min(3, size), seed=1)
        parts = probe.components(mdp)
        assert topological._evaluation(mdp, parts.order, parts.ends) == evaluation
        sol = Topological().run(mdp)
        np.testing.assert_allclose(sol.V, PolicyIteration().run(mdp).V, rtol=0, atol=1e-7)
    S = 60
    P = np.full((S, 2, S), 1 / S)
    P[:, 0] = np.eye(S)[np.minimum(np.arange(S) + 1, S - 1)]
    order, ends = np.arange(S, dtype=np.uint32), np.array([0, S])
    assert topological._evaluation(rl.MDP(P, np.zeros((S, 2)), 0.9), order, ends) == BANDED
    P[: S // 2, 0] = 1 / S
    assert topological._evaluation(rl.MDP(P, np.zeros((S, 2)), 0.9), order, ends) == KRYLOV
