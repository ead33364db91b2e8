"""`solve` chooses, says why, and raises unless told not to."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import rltheory as rl
from rltheory import Status
from rltheory.errors import InvalidArgument, NotConverged
from rltheory.models.random import garnet, random_garnet


def test_choices_and_reasons() -> None:
    small = rl.solve(garnet(1, 5, 3, 3, 0.9))
    assert small.solver == "SmallDense"
    assert "128" in small.reason
    middle = rl.solve(random_garnet(129, 3, 4, gamma=0.99, seed=0))
    assert middle.solver != "SmallDense"
    assert middle.reason
    exact = rl.solve(garnet(1, 5, 3, 3, Fraction(9, 10)))
    assert exact.status is Status.EXACT
    assert "rational" in exact.reason
    large = rl.solve(random_garnet(3000, 3, 4, gamma=0.99, seed=0))
    assert large.solver == "ModifiedPolicyIteration"
    assert large.error <= 1e-8 * np.abs(large.V).max()


def test_other_models() -> None:
    P, R = np.full((2, 1, 2), 0.5), np.ones((2, 1))
    horizon = rl.solve(rl.FiniteHorizonMDP(P, R, H=3))
    assert float(horizon.V[0][0]) == 3
    ssp = rl.solve(rl.gallery.gambler(N=10))
    assert ssp.V is not None


def test_a_hundred_thousand_states_in_one_call() -> None:
    maze = rl.gallery.maze(320, gamma=0.95)
    assert maze.S > 100_000
    sol = rl.solve(maze)
    assert (sol.upper - sol.lower).max() <= 1e-6
    assert np.abs(rl.bellman(maze)(sol.V) - sol.V).max() <= 1e-6


def test_failure_raises_unless_asked_not_to() -> None:
    mdp = rl.gallery.river_swim(S=6, gamma=0.99)
    with pytest.raises(NotConverged, match="max_iter"):
        rl.solve(mdp, rl.ValueIteration(max_iter=2))
    sol = rl.solve(mdp, rl.ValueIteration(max_iter=2), throw=False)
    assert sol.status is Status.MAX_ITER
    assert not sol.status.ok


def test_unknown_models_and_solvers_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="model of type list"):
        rl.solve([1, 2])
    with pytest.raises(InvalidArgument, match="must have a method run"):
        rl.solve(garnet(1, 2, 2, 2, 0.5), "pi")
