"""The portfolio: which path, why, and what happens when a path fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.operators._arrays import csr_arrays
from rltheory.results.solution import Status
from rltheory.solvers import choice
from rltheory.solvers.choice import Portfolio, choose
from rltheory.solvers.probe import components, probe

CASES = {
    "Topological": [
        lambda: rl.gallery.layered_dag(layers=20, width=15, gamma=0.95),
        lambda: rl.gallery.multi_scc(components=9, size=60, gamma=0.999),
    ],
    "BandedPolicyIteration": [
        lambda: rl.gallery.river_swim(S=300, gamma=0.9999),
        lambda: rl.gallery.queue(n=200, gamma=0.99),
    ],
    "ModifiedPolicyIteration": [
        lambda: rl.gallery.random_garnet(S=600, A=4, branching=5, gamma=0.99, seed=0),
        lambda: rl.gallery.random_mdp(S=150, A=4, gamma=0.99, seed=0, support=150),
    ],
    "SmallDense": [lambda: rl.gallery.river_swim(S=20, gamma=0.99)],
    "InexactPolicyIteration": [
        lambda: rl.gallery.tandem_queue(n=20, gamma=0.999),
        lambda: rl.gallery.maze(size=25, gamma=0.999),
    ],
}


@pytest.mark.parametrize(("name", "make"), [(name, f) for name, fs in CASES.items() for f in fs])
def test_each_structure_gets_its_path_and_the_right_values(name: str, make: Any) -> None:
    mdp = make()
    sol = Portfolio().run(mdp)
    assert sol.solver == name and sol.status is Status.SOLVED and sol.reason
    other = rl.PolicyIteration(keep_trace=False, pi0=sol.pi).run(mdp)
    assert (sol.lower <= other.upper).all() and (other.lower <= sol.upper).all()


@dataclass(frozen=True)
class _Refuses:
    """Ends at its limit with useless values."""

    tol: float = 1e-8
    max_iter: int = 1
    V0: Any = None

    def run(self, mdp: Any) -> Any:
        return rl.ValueIteration(tol=self.tol, max_iter=1).run(mdp)


def test_a_path_that_fails_hands_over_and_the_reason_says_so(monkeypatch: Any) -> None:
    mdp = rl.gallery.river_swim(S=160, gamma=0.999)
    exact = rl.PolicyIteration(keep_trace=False).run(mdp)
    monkeypatch.setattr(choice, "BandedPolicyIteration", _Refuses)
    sol = Portfolio().run(mdp)
    assert sol.solver == "InexactPolicyIteration" and sol.status is Status.SOLVED
    assert "MAX_ITER" in sol.reason and "took over" in sol.reason
    assert (sol.lower <= exact.upper).all() and (exact.lower <= sol.upper).all()
    monkeypatch.setattr(choice, "InexactPolicyIteration", _Refuses)
    monkeypatch.setattr(choice, "ModifiedPolicyIteration", _Refuses)
    monkeypatch.setattr(choice, "DIRECT", 1)
    lost = Portfolio().run(mdp)
    assert lost.status is Status.MAX_ITER and "smallest error" in lost.reason
    assert (lost.lower <= exact.upper).all() and (exact.lower <= lost.upper).all()


def test_nothing_certifies_the_impossible() -> None:
    mdp = rl.gallery.river_swim(S=130, gamma=1 - 1e-6)
    sol = Portfolio(tol=1e-15).run(mdp)
    exact = rl.PolicyIteration(keep_trace=False).run(mdp.exact()).V
    assert not sol.status.ok and (sol.lower <= exact).all() and (exact <= sol.upper).all()


HARD = {
    "chain, 1e-6 from undiscounted": lambda: rl.gallery.river_swim(S=40, gamma=1 - 1e-6),
    "queue, 1e-6 from undiscounted": lambda: rl.gallery.queue(n=40, gamma=1 - 1e-6),
    "components, 1e-6 from undiscounted": lambda: rl.gallery.multi_scc(components=4, size=9, gamma=1 - 1e-6),
    "maze, 1e-6 from undiscounted": lambda: rl.gallery.maze(size=6, gamma=1 - 1e-6),
    "garnet, 1e-6 from undiscounted": lambda: rl.gallery.random_garnet(
        S=30, A=3, branching=4, gamma=1 - 1e-6, seed=3
    ),
    "local, 1e-6 from undiscounted": lambda: rl.gallery.random_garnet(
        S=40, A=3, branching=3, gamma=1 - 1e-6, seed=4, window=3
    ),
    "nearly decomposable": lambda: _nearly_split(1e-9, 1 - 1e-6),
    "nearly absorbing": lambda: _nearly_split(1e-12, 0.999),
    "rewards of all magnitudes": lambda: _magnitudes(rl.gallery.tandem_queue(n=5, gamma=0.9999)),
}
"""Models with a near-singular I − γP, or badly scaled."""
EXACT: dict[str, Any] = {}
FIRST = {
    "Topological": lambda k: rl.solvers.Topological(1e-8, k),
    "BandedPolicyIteration": lambda k: rl.solvers.BandedPolicyIteration(1e-8, k),
    "ModifiedPolicyIteration": lambda k: rl.ModifiedPolicyIteration(1e-8, k),
    "GaussSeidel": lambda k: rl.solvers.GaussSeidel(1e-8, k),
    "InexactPolicyIteration": lambda k: rl.solvers.InexactPolicyIteration(1e-8, k),
}


@pytest.mark.parametrize("model", HARD)
@pytest.mark.parametrize("name", FIRST)
def test_every_path_hands_over_with_bounds_that_hold(name: str, model: str) -> None:
    """The first path gets one improvement, which none of these models allows to suffice."""
    mdp = HARD[model]()
    if model not in EXACT:
        EXACT[model] = rl.PolicyIteration(keep_trace=False).run(mdp.exact()).V
    exact, known = EXACT[model], probe(mdp)
    told = set()
    for patience in (1, 2, 200):
        first = FIRST[name](patience)
        sol = choice.first_solved(mdp, [("first", first), *choice.others(mdp, first, known, 1e-8)])
        assert (sol.lower <= exact).all() and (exact <= sol.upper).all()
        assert sol.status is Status.SOLVED, (sol.reason, sol.error)
        assert sol.error <= 1e-8 * max(1, abs(exact).max())
        told.add("took over" in sol.reason)
        assert ("took over" in sol.reason) == (sol.solver != name) == ("ended" in sol.reason)
    assert True in told


def _nearly_split(leak: float, gamma: float) -> Any:
    """Two rings joined by a leak: an eigenvalue 1 − leak beside 1."""
    n = 12
    P, R = np.zeros((2 * n, 2, 2 * n)), np.zeros((2 * n, 2))
    for s in range(2 * n):
        half, i = divmod(s, n)
        P[s, 0, half * n + (i + 1) % n] = P[s, 1, half * n + (i + 5) % n] = 1 - leak
        P[s, 0, (1 - half) * n + i] = P[s, 1, (1 - half) * n + (3 * i) % n] = leak
        R[s] = half + 0.1 * i, 1.3 - half + 0.03 * i
    return rl.MDP(P, R, gamma)


def _magnitudes(mdp: Any) -> Any:
    """The same model paid in units of 10⁻⁶ to 10⁶."""
    return mdp.replace(R=mdp.R_pairs * 10.0 ** (np.arange(mdp.N) % 13 - 6))


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_extreme_rewards_stay_enclosed(scale: float) -> None:
    mdp = _scaled(rl.gallery.maze(size=6, gamma=0.9), scale)
    sol = choice.structured(mdp, 1e-8)
    exact = rl.PolicyIteration(keep_trace=False).run(mdp.exact()).V
    assert (sol.lower <= exact).all() and (exact <= sol.upper).all()


def _scaled(mdp: Any, scale: float) -> Any:
    return rl.MDP.from_pairs(
        mdp.csr,
        mdp.R_pairs * scale,
        mdp.gamma,
        pair_state=mdp.pair_state,
        pair_action=mdp.pair_action,
        S=mdp.S,
        terminal=mdp.terminal,
    )


def test_probe_reads_structure() -> None:
    maze = probe(rl.gallery.maze(size=10, gamma=0.99))
    assert maze.absorbing == 1 and maze.band == 10 and not maze.ordered
    chain = probe(rl.gallery.river_swim(S=30, gamma=0.9))
    assert chain.band == 1 and chain.absorbing == 0 and not chain.ordered
    layers = probe(rl.gallery.layered_dag(layers=4, width=3, gamma=0.9))
    assert layers.ordered
    parts = components(rl.gallery.multi_scc(components=5, size=6, gamma=0.9))
    assert parts.count >= 5 and parts.largest <= 6
    fast_model = rl.gallery.random_garnet(S=500, A=3, branching=6, gamma=0.99, seed=0)
    fast = probe(fast_model)
    slow = probe(rl.gallery.tandem_queue(n=12, gamma=0.99))
    assert fast.contraction < 0.75 < slow.contraction
    assert np.abs(fast.V - rl.solve(fast_model).V).max() < 2.0  # shifted to where V* lies


def test_a_goal_far_away_is_approached_by_sweeps(monkeypatch: Any) -> None:
    mdp = rl.gallery.maze(size=30, gamma=0.999)
    known = probe(mdp)
    why, near = choose(mdp, known, 1e-8)
    assert why == "absorbing states: 1, approached by Krylov evaluation"
    assert type(near) is rl.solvers.InexactPolicyIteration and near.reorder
    monkeypatch.setattr(choice, "FAR", 899)
    assert type(choose(mdp, known, 1e-8)[1]) is rl.solvers.GaussSeidel


def test_slow_modes_show_in_the_last_sweeps() -> None:
    """Spans of a local model shrink fast for a while, then slowly; modified policy iteration would crawl."""
    local = rl.gallery.random_garnet(S=10_000, A=4, branching=5, gamma=0.999, seed=1, window=200)
    known = probe(local)
    assert known.contraction < choice.FAST and known.late > known.contraction + choice.RISE
    assert type(choose(local, known, 1e-9)[1]).__name__ == "InexactPolicyIteration"
    assert type(choose(local, replace(known, late=known.contraction), 1e-9)[1]).__name__ == (
        "ModifiedPolicyIteration"
    )


def test_a_policy_that_mixes_slowly_later_is_not_swept_for_ever() -> None:
    """The first policy of this cart and pole mixes fast, the best one does not: it took 10⁵ sweeps."""
    mdp = rl.gallery.cart_pole((9, 9, 9, 9), actions=10, gamma=0.9999).float()
    assert type(choose(mdp, probe(mdp), 1e-8)[1]) is rl.ModifiedPolicyIteration
    sol = Portfolio().run(mdp)
    assert sol.status is Status.SOLVED and sol.solver == "Topological" and sol.backups < 1500
    assert "modified policy iteration, which ended MAX_ITER; Topological took over" in sol.reason
    other = rl.PolicyIteration(keep_trace=False, pi0=sol.pi).run(mdp)
    assert (sol.lower <= other.upper).all() and (other.lower <= sol.upper).all()


def test_krylov_evaluation_starts_from_the_bounds_of_the_path_before(monkeypatch: Any) -> None:
    starts: list[Any] = []
    run = choice.InexactPolicyIteration.run
    monkeypatch.setattr(
        choice.InexactPolicyIteration, "run", lambda self, mdp: (starts.append(self.V0), run(self, mdp))[1]
    )
    mdp = rl.gallery.tandem_queue(n=12, gamma=0.999)
    first = rl.ModifiedPolicyIteration(max_sweeps=5)
    second = choice.InexactPolicyIteration()
    sol = choice.first_solved(mdp, [("sweeps", first), ("took over", second)])
    assert sol.solver == "InexactPolicyIteration" and sol.status is Status.SOLVED
    assert (starts[0] == first.run(mdp).lower).all() and second.V0 is None
    assert choice.first_solved(mdp, [("alone", second)]).status is Status.SOLVED and starts[1] is None


def test_after_sweeps_in_vain_structure_is_looked_at() -> None:
    mdp = rl.gallery.multi_scc(components=40, size=60, gamma=0.999)
    known = replace(probe(mdp), contraction=0.5, late=0.5)
    swept = choose(mdp, known, 1e-8)[1]
    after = [type(x).__name__ for _, x in choice.others(mdp, swept, known, 1e-8)]
    assert type(swept) is rl.ModifiedPolicyIteration
    assert after == ["Topological", "InexactPolicyIteration", "PolicyIteration"]
    dense = rl.gallery.random_mdp(S=150, A=4, gamma=0.99, seed=0, support=150)
    swept = choose(dense, probe(dense), 1e-8)[1]
    after = [type(x).__name__ for _, x in choice.others(dense, swept, probe(dense), 1e-8)]
    assert type(swept) is rl.ModifiedPolicyIteration
    assert after == ["InexactPolicyIteration", "PolicyIteration"]  # each path once
    slow = replace(known, contraction=1.0, late=1.0)
    assert [type(x).__name__ for _, x in choice.others(mdp, choose(mdp, slow, 1e-8)[1], slow, 1e-8)] == [
        "InexactPolicyIteration",
        "ModifiedPolicyIteration",
        "PolicyIteration",
    ]


def test_many_actions_make_slow_sweeps_cheap() -> None:
    mdp = rl.gallery.inventory(n=150, gamma=0.995, demand=[1 / 20] * 20)
    known = probe(mdp)
    slow = replace(known, contraction=0.98, late=0.98)
    assert type(choose(mdp, slow, 1e-8)[1]).__name__ == "ModifiedPolicyIteration"
    few = replace(slow, N=4 * known.S)
    assert type(choose(mdp, few, 1e-8)[1]).__name__ == "InexactPolicyIteration"


def test_rounding_is_refined_away() -> None:
    mdp = rl.gallery.queue(n=200, gamma=0.9999)
    sol = Portfolio(tol=1e-15).run(mdp)
    assert "refined" in sol.reason and sol.info["refined"]
    coarse = rl.solvers.BandedPolicyIteration(tol=1e-15).run(mdp)
    assert coarse.status is Status.STALLED and sol.error < 0.1 * coarse.error
    assert (sol.lower <= coarse.upper).all() and (coarse.lower <= sol.upper).all()


def test_one_way_models_need_no_search_for_components() -> None:
    from rltheory.solvers.topological import one_way

    down = rl.gallery.layered_dag(layers=4, width=3, gamma=0.9)
    for mdp in (down, _numbered_backwards(down)):
        _, indices, indptr, _, _, _ = csr_arrays(mdp)
        parts = one_way(mdp)
        assert parts is not None and (parts.count, parts.largest) == (mdp.S, 1)
        place = np.empty(mdp.S, int)
        place[parts.order.astype(int)] = np.arange(mdp.S)
        source = np.repeat(mdp.pair_state, np.diff(indptr.astype(np.int64)))
        assert (place[indices.astype(int)] <= place[source]).all()
    assert one_way(rl.gallery.river_swim(S=9, gamma=0.9)) is None


def _numbered_backwards(mdp: Any) -> Any:
    P, R = mdp.P_pairs[::-1, ::-1], mdp.R_pairs[::-1]
    return rl.MDP.from_pairs(
        P,
        R,
        mdp.gamma,
        pair_state=mdp.S - 1 - mdp.pair_state[::-1],
        pair_action=mdp.A - 1 - mdp.pair_action[::-1],
    )


def test_rational_models_end_exactly() -> None:
    assert Portfolio().run(rl.gallery.river_swim(S=4, gamma=0.9).exact()).status is Status.EXACT


def test_choice_can_be_asked_for() -> None:
    mdp = rl.gallery.maze(size=20, gamma=0.99)
    why, solver = choose(mdp, probe(mdp), 1e-6)
    assert "absorbing" in why and solver.tol == 1e-6
