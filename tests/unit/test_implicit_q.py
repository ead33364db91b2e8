"""V_τ against enumeration of threshold policies, its own value iteration, rationals and closed forms."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP, ImplicitQ, Policy, Status
from rltheory.errors import InvalidArgument, InvalidModel, NotConverged
from rltheory.models.random import random_mdp
from rltheory.operators import implicit_bellman, one_level_bellman
from rltheory.solvers import ImplicitQIteration, in_support_optimum, revealed, support_model

F = Fraction


def exact_model(seed: int, S: int = 3, A: int = 2) -> tuple[MDP, Policy]:
    """A dense rational model with a behaviour that leaves out some actions."""
    rng = np.random.default_rng(seed)
    law = rng.integers(0, 5, (S, A, S)) + np.eye(S, dtype=int)[:, None, :]
    P = rl.exact_array(law) / rl.exact_array(law.sum(axis=2))[:, :, None]
    w = rng.integers(0, 4, (S, A)) * rng.integers(0, 2, (S, A))
    w[np.arange(S), rng.integers(0, A, S)] += 1
    mu = Policy(rl.exact_array(w) / rl.exact_array(w.sum(axis=1))[:, None])
    return MDP(P, rl.exact_array(rng.integers(-3, 4, (S, A))), F(9, 10)), mu


def threshold_values(mdp: MDP, mu: Policy, tau: Fraction) -> list[Any]:
    """V^π of every policy with π(·|s) ∝ μ(·|s)·(τ on a set of actions, 1 − τ off it)."""
    rows = []
    for s in range(mdp.S):
        options = {}
        for sides in product((tau, 1 - tau), repeat=mdp.A):
            w = mu.matrix()[s] * np.array(sides, dtype=object)
            options[tuple(w / w.sum())] = None
        rows.append(list(options))
    return [rl.evaluate(mdp, Policy(np.array(table, dtype=object))).V for table in product(*rows)]


@pytest.mark.parametrize("tau", [F(1, 5), F(1, 2), F(9, 10), F(999, 1000)])
@pytest.mark.parametrize("seed", range(4))
def test_the_value_is_the_best_over_all_threshold_policies(seed: int, tau: Fraction) -> None:
    mdp, mu = exact_model(seed)
    sol = ImplicitQ(mu, tau).run(mdp)
    every = np.array(threshold_values(mdp, mu, tau))
    best = every.max(axis=0) if tau >= F(1, 2) else every.min(axis=0)
    assert (best == sol.V).all()
    assert sol.status is Status.EXACT
    assert (best == rl.evaluate(mdp, sol.pi).V).all()
    assert (rl.q_values(mdp, best) == sol.Q).all()


@pytest.mark.parametrize("tau", [0.05, 0.5, 0.9, 1 - 1e-10])
@pytest.mark.parametrize("gamma", [0.0, 0.9, 0.9995])
def test_float_enclosures_contain_the_rational_value(tau: float, gamma: float) -> None:
    for seed in range(4):
        mdp = random_mdp(5, 3, gamma=gamma, seed=seed)
        rng = np.random.default_rng(seed)
        mu = Policy(rng.dirichlet(np.full(3, 0.3), size=5))
        exact = ImplicitQ(mu, tau).run(mdp.exact())
        sol = ImplicitQ(mu, tau).run(mdp).raise_if_failed()
        assert (sol.lower <= exact.V).all()
        assert (sol.upper >= exact.V).all()
        assert sol.error <= 1e-8 * max(1, rl.sup_norm(sol.V))
        assert exact.error == 0
        if gamma < 0.99:
            sweeps = ImplicitQIteration(mu, tau, tol=1e-9).run(mdp).raise_if_failed()
            assert (sweeps.lower <= exact.V).all()
            assert (sweeps.upper >= exact.V).all()
            assert pytest.approx(sol.V, abs=1e-8) == sweeps.V


def test_value_iteration_on_a_rational_model_is_certified_in_rationals() -> None:
    mdp, mu = exact_model(1)
    sol = ImplicitQIteration(mu, F(4, 5), tol=1e-10).run(mdp)
    V = ImplicitQ(mu, F(4, 5)).run(mdp).V
    assert all(isinstance(x, Fraction) for x in (*sol.V, *sol.lower, *sol.upper))
    assert (sol.lower <= V).all()
    assert (sol.upper >= V).all()
    residual = rl.sup_norm(implicit_bellman(mdp, mu, F(4, 5))(sol.V) - sol.V)
    assert (sol.upper - sol.lower == 2 * residual / (1 - mdp.gamma)).all()


def test_iteration_limits_are_never_silent() -> None:
    mdp, mu = exact_model(2)
    for model, behaviour in ((mdp, mu), (mdp.float(), mu.float())):
        sol = rl.solve(model, ImplicitQIteration(behaviour, 0.9, max_iter=3), throw=False)
        assert sol.status is Status.MAX_ITER
        assert (sol.lower <= ImplicitQ(mu, 0.9).run(mdp).V).all()
        with pytest.raises(NotConverged):
            rl.solve(model, ImplicitQIteration(behaviour, 0.9, max_iter=3))
    loop = rl.gallery.two_state_chain(F(9, 10))
    assert ImplicitQ([0, 0], 0.5, max_iter=1).run(loop).status is Status.EXACT


def test_levels_beyond_doubles_need_rationals() -> None:
    tau, p = 1 - F(1, 10**30), F(1, 10**400)
    loops = MDP(rl.exact_array([[[1], [1]]]), rl.exact_array([[1, 0]]), F(1, 2))
    mu = Policy(np.array([[p, 1 - p]]))
    m = tau * p / (tau * p + (1 - tau) * (1 - p))
    assert ImplicitQ(mu, tau).run(loops).V[0] == 2 * m
    with pytest.raises(InvalidArgument, match="rounds to"):
        ImplicitQ([[0.5, 0.5]], tau).run(loops.float())


def test_policy_iteration_goes_on_until_nothing_changes() -> None:
    tau = 1 - F(1, 10**30)  # beyond doubles, so nothing is known in advance
    steps = set()
    for seed in range(8):
        mdp, mu = exact_model(seed, S=3, A=3)
        sol = ImplicitQ(mu, tau).run(mdp)
        steps.add(sol.iterations)
        assert (implicit_bellman(mdp, mu, tau)(sol.V) == sol.V).all()
        assert (np.array(threshold_values(mdp, mu, tau)).max(axis=0) == sol.V).all()
    assert max(steps) >= 2


def test_terminal_states_and_ragged_actions() -> None:
    maze = rl.gallery.u_maze(7, F(9, 10))
    uniform = Policy(np.where(maze.allowed, rl.exact_array(F(1) / maze.allowed.sum(axis=1))[:, None], F(0)))
    exact = ImplicitQ(uniform, F(9, 10)).run(maze)
    sol = ImplicitQ(uniform.float(), 0.9).run(maze.float())
    assert exact.V[0] == sol.V[0] == 0
    assert np.abs(sol.V - exact.V.astype(float)).max() < 1e-13
    assert (implicit_bellman(maze, uniform, F(9, 10))(exact.V) == exact.V).all()


def test_the_in_support_optimum_is_the_best_deterministic_policy_of_the_support() -> None:
    for seed in range(6):
        mdp, mu = exact_model(seed, S=3, A=3)
        choices = [np.flatnonzero(row > 0) for row in mu.matrix()]
        best = np.array([rl.evaluate(mdp, np.array(d)).V for d in product(*choices)]).max(axis=0)
        sol = in_support_optimum(mdp, mu)
        assert (best == sol.V).all()
        assert all(mu.matrix()[s, a] > 0 for s, a in enumerate(sol.pi.actions))
        assert support_model(mdp, mu).A == mdp.A
        floats = in_support_optimum(mdp.float(), mu.float())
        assert (floats.lower <= best).all()
        assert (best <= floats.upper).all()


def test_the_one_level_fixed_point_is_implicit_q_on_the_revealed_model() -> None:
    mdp, mu = exact_model(3)
    sol = ImplicitQ(*reversed((F(3, 4), revealed(mdp, mu)[1]))).run(revealed(mdp, mu)[0])
    assert (one_level_bellman(mdp, mu, F(3, 4))(sol.V) == sol.V).all()
    model, behaviour = revealed(mdp.float(), mu.float())
    assert pytest.approx(sol.V.astype(float), abs=1e-12) == ImplicitQ(behaviour, 0.75).run(model).V
    lifted = mdp.float().exact()  # rows and start law sum to one only up to rounding
    assert lifted.mu.sum() != 1
    small, behaviour = revealed(lifted, mu.float().exact())
    assert pytest.approx(sol.V.astype(float), abs=1e-12) == ImplicitQ(behaviour, 0.75).run(small).V.astype(
        float
    )


@pytest.mark.parametrize("tau", [0.0, 1.0, -1, 2, float("nan"), "0.9", None])
def test_levels_outside_the_unit_interval_are_refused(tau: Any) -> None:
    with pytest.raises(InvalidArgument, match="tau="):
        ImplicitQ([[0.5, 0.5]], tau)
    with pytest.raises(InvalidArgument, match="tau="):
        ImplicitQIteration([[0.5, 0.5]], tau)


@pytest.mark.parametrize(
    "mu",
    [
        [[0.5, 0.6]] * 3,
        [[1.5, -0.5]] * 3,
        [[0.0, 0.0]] * 3,
        [[np.nan, 1.0]] * 3,
        [[0.5, 0.5]] * 2,
        [[0.2, 0.3, 0.5]] * 3,
    ],
)
def test_what_is_no_behaviour_is_refused(mu: Any) -> None:
    mdp = exact_model(0)[0].float()
    with pytest.raises((InvalidModel, InvalidArgument)):
        ImplicitQ(mu, 0.9).run(mdp)
    with pytest.raises((InvalidModel, InvalidArgument)):
        in_support_optimum(mdp, mu)


def test_restricting_keeps_numbers_and_refuses_empty_states() -> None:
    mdp, mu = exact_model(4, S=4, A=3)
    keep = mu.matrix() > 0
    small = mdp.restrict(keep)
    assert (small.allowed == keep).all()
    assert (np.where(keep[:, :, None], mdp.P, 0) == small.P).all()
    assert (small.R_pairs == mdp.R[keep]).all()
    assert small.restrict(np.ones(small.N, dtype=bool)) == small
    keep[2] = False
    with pytest.raises(InvalidModel, match="state 2 keeps no action"):
        mdp.restrict(keep)
    with pytest.raises(InvalidModel, match="shape"):
        mdp.restrict(keep[:2])
