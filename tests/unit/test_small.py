"""The one-call kernels against the solvers that share no code with them; bounds are in `property/`."""

from __future__ import annotations

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP, Policy, Status
from rltheory.errors import InvalidArgument
from rltheory.kernels import small
from rltheory.kernels.evaluate import solve_discounted
from rltheory.models.random import random_garnet
from rltheory.operators._arrays import small_model
from rltheory.solvers import SmallDense
from rltheory.solvers.base import policy_bounds
from tests.instances import wild_model


def models(n: int) -> list[MDP]:
    rng = np.random.default_rng(11)
    return [wild_model(rng) for _ in range(n)] + [rl.gallery.river_swim(30, gamma=0.9999)]


def test_agrees_with_policy_iteration() -> None:
    evaluated = swept = 0
    for mdp in models(300):
        sol, ref = SmallDense().run(mdp), rl.PolicyIteration().run(mdp)
        assert np.abs(sol.V - ref.V).max() <= sol.error + ref.error
        assert sol.status.ok >= ref.status.ok
        own = policy_bounds(mdp, sol.pi, rl.evaluate(mdp, sol.pi).V)
        slack = (ref.upper - ref.lower).max() + 2 * ref.error
        assert (ref.upper - own.lower).max() <= sol.info["loss"] + slack
        evaluated += sol.evaluations > 0
        swept += sol.evaluations == 0
        assert len(sol.residuals) + sol.evaluations == sol.iterations
    assert min(evaluated, swept) > 30


def test_results_are_read_only_and_ties_take_the_lowest_action() -> None:
    mdp = MDP([[[1.0, 0.0]] * 3, [[0.0, 1.0]] * 3], [[0.0, 1.0, 1.0], [2.0, 2.0, 2.0]], 0.5)
    sol = rl.solve(mdp)
    assert sol.solver == "SmallDense"
    assert sol.pi == Policy([1, 0])
    assert sol.pi.A == 3
    for x in (sol.V, sol.lower, sol.upper, sol.pi.actions):
        assert not x.flags.writeable


def test_a_copy_with_other_numbers_is_solved_anew() -> None:
    mdp = random_garnet(10, 3, 4, gamma=0.9, seed=3)
    first = rl.solve(mdp)
    other = mdp.replace(R=-mdp.R_pairs, gamma=0.5)
    assert np.abs(rl.solve(other).V - rl.PolicyIteration().run(other).V).max() < 1e-6
    assert (rl.solve(mdp).V == first.V).all()


def test_large_and_hopeless_models() -> None:
    with pytest.raises(InvalidArgument, match="S=129"):
        SmallDense().run(random_garnet(129, 2, 3, gamma=0.9, seed=0))
    huge = MDP([[[1.0]]], [[1e308]], 0.999)
    assert SmallDense().run(huge).status is Status.FAILED
    assert SmallDense(tol=1e-19).run(rl.gallery.river_swim(6, gamma=0.99)).status is Status.STALLED
    sol = rl.solve(huge, throw=False)
    assert not sol.status.ok
    assert "SmallDense" in sol.reason or "no better" in sol.reason


def test_evaluation_agrees_with_lapack() -> None:
    rng = np.random.default_rng(12)
    for mdp in models(200):
        table = mdp.allowed * rng.dirichlet(np.ones(mdp.A), mdp.S)
        table /= table.sum(axis=1, keepdims=True)
        first = Policy(mdp.pair_action[mdp.state_ptr[:-1]], A=mdp.A)
        for pi in (Policy(table), Policy(np.asfortranarray(table)), first):
            sol = rl.evaluate(mdp, pi)
            P, r = rl.transition_matrix(mdp, pi), rl.reward_vector(mdp, pi)
            V = np.linalg.solve(np.eye(mdp.S) - mdp.gamma * P, r)
            scale = max(1.0, float(np.abs(V).max())) / (1 - mdp.gamma)
            assert np.abs(sol.V - V).max() <= sol.error + 1e-14 * scale
            d = rl.occupancy(mdp, pi)
            ref = solve_discounted(P.T, mdp.mu, mdp.gamma, transposed=True) * (1 - mdp.gamma)
            assert np.abs(d - ref).sum() < 1e-15 * mdp.S / (1 - mdp.gamma) + 1e-13


def test_policies_of_another_model_are_refused_as_ever() -> None:
    mdp = MDP.from_pairs(
        np.eye(2)[[0, 1, 1]], [0.0, 1.0, 2.0], 0.5, pair_state=[0, 0, 1], pair_action=[0, 2, 1]
    )
    for bad in ([1, 1], [0, 0], [0], [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]], [[1.0, 0, 0, 0], [0, 1.0, 0, 0]]):
        with pytest.raises(InvalidArgument):
            rl.evaluate(mdp, bad)
        with pytest.raises(InvalidArgument):
            rl.occupancy(mdp, bad)
    assert rl.evaluate(mdp, [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]).V[1] == 4.0


def test_elimination_refuses_what_has_no_positive_pivot() -> None:
    assert not small.eliminate(np.array([[0.0, 1.0], [1.0, 0.0]]))
    mdp = random_garnet(5, 2, 3, gamma=0.9, seed=0)
    P, R, _, ptr, ids, terminal = small_model(mdp)  # type: ignore[misc]
    out = np.empty((3, 5))
    weights = np.array([1.0, 0.0] * 5)
    error, _ = small.evaluate(P, R, 1.5, ptr, ids, terminal, weights, True, out)  # modulus above one
    assert error == np.inf
