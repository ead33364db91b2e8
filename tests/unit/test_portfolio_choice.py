"""The portfolio: which path, why, and what happens when a path fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import rltheory as rl
from rltheory.results.solution import Status
from rltheory.solvers import choice
from rltheory.solvers.choice import Portfolio, choose
from rltheory.solvers.probe import components, probe

CASES = {
    "Topological": [
        lambda: rl.gallery.layered_dag(layers=8, width=9, gamma=0.95),
        lambda: rl.gallery.multi_scc(components=9, size=60, gamma=0.999),
    ],
    "BandedPolicyIteration": [
        lambda: rl.gallery.river_swim(S=300, gamma=0.9999),
        lambda: rl.gallery.queue(n=200, gamma=0.99),
    ],
    "ModifiedPolicyIteration": [
        lambda: rl.gallery.random_garnet(S=600, A=4, branching=5, gamma=0.99, seed=0),
        lambda: rl.gallery.random_mdp(S=100, A=4, gamma=0.99, seed=0, support=100),
    ],
    "GaussSeidel": [lambda: rl.gallery.maze(size=25, gamma=0.999)],
    "InexactPolicyIteration": [lambda: rl.gallery.tandem_queue(n=20, gamma=0.999)],
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

    def run(self, mdp: Any) -> Any:
        return rl.ValueIteration(tol=self.tol, max_iter=1).run(mdp)


def test_a_path_that_fails_hands_over_and_the_reason_says_so(monkeypatch: Any) -> None:
    mdp = rl.gallery.river_swim(S=60, gamma=0.999)
    exact = rl.PolicyIteration(keep_trace=False).run(mdp)
    monkeypatch.setattr(choice, "BandedPolicyIteration", _Refuses)
    sol = Portfolio().run(mdp)
    assert sol.solver == "InexactPolicyIteration" and sol.status is Status.SOLVED
    assert "MAX_ITER" in sol.reason and "took over" in sol.reason
    assert (sol.lower <= exact.upper).all() and (exact.lower <= sol.upper).all()
    monkeypatch.setattr(choice, "InexactPolicyIteration", _Refuses)
    monkeypatch.setattr(choice, "ModifiedPolicyIteration", lambda tol, V0: _Refuses(tol))
    monkeypatch.setattr(choice, "DIRECT", 1)
    lost = Portfolio().run(mdp)
    assert lost.status is Status.MAX_ITER and "smallest error" in lost.reason
    assert (lost.lower <= exact.upper).all() and (exact.lower <= lost.upper).all()


def test_nothing_certifies_the_impossible() -> None:
    mdp = rl.gallery.river_swim(S=40, gamma=1 - 1e-6)
    sol = Portfolio(tol=1e-15).run(mdp)
    exact = rl.PolicyIteration(keep_trace=False).run(mdp.exact()).V
    assert not sol.status.ok and (sol.lower <= exact).all() and (exact <= sol.upper).all()


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_extreme_rewards_stay_enclosed(scale: float) -> None:
    mdp = _scaled(rl.gallery.maze(size=6, gamma=0.9), scale)
    sol = Portfolio().run(mdp)
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
    assert maze.absorbing == 1 and maze.band == 10 and not maze.ordered and 0 < maze.loops < 1
    chain = probe(rl.gallery.river_swim(S=30, gamma=0.9))
    assert chain.band == 1 and chain.absorbing == 0 and chain.sure == 30 / 60
    layers = probe(rl.gallery.layered_dag(layers=4, width=3, gamma=0.9))
    assert layers.ordered
    parts = components(rl.gallery.multi_scc(components=5, size=6, gamma=0.9))
    assert parts.count >= 5 and parts.largest <= 6
    fast = probe(rl.gallery.random_garnet(S=500, A=3, branching=6, gamma=0.99, seed=0))
    slow = probe(rl.gallery.tandem_queue(n=12, gamma=0.99))
    assert fast.contraction < 0.75 < slow.contraction


def test_rational_models_end_exactly() -> None:
    assert Portfolio().run(rl.gallery.river_swim(S=4, gamma=0.9).exact()).status is Status.EXACT


def test_choice_can_be_asked_for() -> None:
    mdp = rl.gallery.maze(size=20, gamma=0.99)
    why, solver = choose(mdp, probe(mdp), 1e-6)
    assert "absorbing" in why and solver.tol == 1e-6
