"""Backward induction against enumeration of all time-dependent policies; bounds against rationals."""

import itertools
from fractions import Fraction as F

import numpy as np
import pytest

import rltheory as rl
from rltheory.arrays import exact_array
from rltheory.errors import InvalidArgument
from rltheory.solvers.backward_induction import BackwardInduction, evaluate_horizon


def random_model(rng, H, S, A, exact, staged):
    shape = (H, S, A, S) if staged else (S, A, S)
    P = exact_array(rng.integers(0, 4, shape) + np.eye(S, dtype=int)[:, None, :])
    P = P / P.sum(axis=-1, keepdims=True)
    R = exact_array(rng.integers(-5, 6, shape[:-1])) / 3
    g = exact_array(rng.integers(-2, 3, S))
    m = rl.FiniteHorizonMDP(P, R, H, gamma=F(9, 10), terminal_reward=g)
    return m if exact else m.float()


@pytest.mark.parametrize("staged", [False, True])
def test_optimal_among_all_time_dependent_policies(staged):
    rng = np.random.default_rng(1)
    m = random_model(rng, 2, 2, 3, True, staged)
    sol = BackwardInduction().run(m)
    every = [evaluate_horizon(m, np.array(p).reshape(2, 2)).V for p in itertools.product(range(3), repeat=4)]
    assert (np.max(every, axis=0) == sol.V).all()
    assert (evaluate_horizon(m, sol.pi).V == sol.V).all()
    assert sol.error == 0


@pytest.mark.parametrize("staged", [False, True])
def test_float_bounds_contain_the_rational_values(staged):
    rng = np.random.default_rng(2)
    for _ in range(20):
        m = random_model(rng, 7, 4, 3, False, staged)
        for got, want in (
            (BackwardInduction().run(m), BackwardInduction().run(m.exact())),
            (evaluate_horizon(m, p := rng.dirichlet([1, 1, 1], (7, 4))), evaluate_horizon(m.exact(), p)),
        ):
            assert (exact_array(got.lower) <= want.V).all()
            assert (exact_array(got.upper) >= want.V).all()
            assert got.error < 1e-12


def test_bounds_are_not_vacuous():
    m = random_model(np.random.default_rng(3), 5, 3, 2, False, False)
    exact = BackwardInduction().run(m.exact()).V
    rounded = exact_array(BackwardInduction().run(m).V)
    assert (rounded != exact).any()


def test_history_does_not_help():
    """H=3, S=A=2, fixed start: all 2·2²·2⁴ deterministic decision trees."""
    m = random_model(np.random.default_rng(4), 3, 2, 2, True, False)
    P, R, g = m.P[0], m.R[0], m.terminal_reward

    def tree_value(tree, history):
        h, s = len(history) - 1, history[-1]
        if h == 3:
            return g[s]
        a = tree[history]
        return R[s, a] + m.gamma * sum(P[s, a, t] * tree_value(tree, (*history, t)) for t in range(2))

    nodes = [(0,), (0, 0), (0, 1), *((0, i, j) for i in range(2) for j in range(2))]
    best = max(
        tree_value(dict(zip(nodes, choice)), (0,))
        for choice in itertools.product(range(2), repeat=len(nodes))
    )
    assert best == BackwardInduction().run(m).V[0, 0]


def test_evaluation_accepts_every_form_of_policy_and_refuses_the_rest():
    m = random_model(np.random.default_rng(5), 3, 2, 3, False, False)
    V = evaluate_horizon(m, np.array([1, 2])).V
    for pi in (rl.Policy([1, 2]), rl.Policy([1, 2]).matrix(3), np.tile([1, 2], (3, 1)), [[1, 2]] * 3):
        assert np.allclose(evaluate_horizon(m, pi).V, V)
    with pytest.raises(InvalidArgument, match="shape"):
        evaluate_horizon(m, [[1, 2]] * 4)
    with pytest.raises(InvalidArgument, match="not allowed"):
        evaluate_horizon(m, [3, 0])
    ragged = rl.FiniteHorizonMDP.from_mdp(
        rl.MDP.from_pairs([[1.0, 0], [0, 1]], [1.0, 2.0], 0.5, pair_state=[0, 1], pair_action=[0, 1]), 2
    )
    assert (evaluate_horizon(ragged, [0, 1]).V[0] == [2, 4]).all()
    with pytest.raises(InvalidArgument, match=r"action 1 is not allowed in state 0"):
        evaluate_horizon(ragged, [[0.5, 0.5], [0, 1]])


def test_optimal_policies_depend_on_time():
    """State A: stay (0.6) or leave for good (1), H=3: optimum 2.2, best stationary deterministic 1.8."""
    P = exact_array([[[1, 0], [0, 1]], [[0, 1], [0, 1]]])
    m = rl.FiniteHorizonMDP(P, exact_array([[F(3, 5), 1], [0, 0]]), 3)
    sol = BackwardInduction().run(m)
    assert sol.V[0, 0] == F(11, 5)
    assert sol.pi[:, 0].tolist() == [0, 0, 1]
    assert max(evaluate_horizon(m, [a, 0]).V[0, 0] for a in (0, 1)) == F(9, 5)
    for k in range(101):
        p = F(k, 100)
        assert evaluate_horizon(m, exact_array([[1 - p, p], [1, 0]])).V[0, 0] < F(11, 5)


def test_infinite_rewards_never_certify():
    m = rl.FiniteHorizonMDP([[[1.0]]], [[1e308]], 3)
    with np.errstate(over="ignore"):
        sol = BackwardInduction().run(m)
    assert not sol.status.ok
    with pytest.raises(rl.errors.NotConverged):
        sol.raise_if_failed()
