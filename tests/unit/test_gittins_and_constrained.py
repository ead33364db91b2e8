"""Indices by stopping sets and on the joint MDP; constrained optima proved by Lagrangian duality."""

import itertools
from fractions import Fraction as F

import numpy as np
import pytest

import rltheory as rl
from rltheory.arrays import exact_array
from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.kernels import exact as ex
from rltheory.kernels import simplex
from rltheory.solvers.constrained import ConstrainedLP
from rltheory.solvers.gittins import bandit_mdp, gittins_index, index_policy


def arm(rng, n):
    w = exact_array((rng.random((n, n)) < 0.6) * rng.integers(1, 5, (n, n)))
    w[np.arange(n), rng.integers(0, n, n)] += 1
    return w / w.sum(1, keepdims=True), exact_array(rng.integers(0, 10, n))


def index_by_stopping(P, r, gamma, s):
    """Best ratio over all sets in which play continues after the first step."""
    n, best = len(r), None
    for keep in itertools.product([0, 1], repeat=n):
        Q = P * exact_array(np.array(keep, dtype=int))  # stop on leaving the set
        A = exact_array(np.eye(n, dtype=int)) - gamma * Q
        reward = ex.solve_linear(A, r)
        time = ex.solve_linear(A, exact_array(np.ones(n, dtype=int)))
        ratio = reward[s] / time[s]
        best = ratio if best is None else max(best, ratio)
    return best


def test_index_is_the_best_stopping_ratio():
    rng = np.random.default_rng(0)
    for gamma in (F(1, 2), F(9, 10), F(0)):
        for _ in range(6):
            P, r = arm(rng, 3)
            got = gittins_index(P, r, gamma)
            assert got.index.tolist() == [index_by_stopping(P, r, gamma, s) for s in range(3)]
            f = gittins_index(P.astype(float), r.astype(float), float(gamma))
            assert np.allclose(f.index, got.index.astype(float))


def test_float_index_is_enclosed():
    P, r = exact_array([[F(1, 4), F(3, 4)], [F(1, 2), F(1, 2)]]), exact_array([0.1, 0.7])
    exact = gittins_index(P, r, F(0.9)).index
    f = gittins_index(P.astype(float), r.astype(float), 0.9)
    assert (exact_array(f.lower) <= exact).all()
    assert (exact <= exact_array(f.upper)).all()


def test_index_policy_is_optimal_in_the_joint_model_and_the_myopic_rule_is_not():
    rng = np.random.default_rng(1)
    myopic_fails = 0
    for gamma in (F(1, 2), F(9, 10)):
        for _ in range(12):
            arms = [arm(rng, int(rng.integers(2, 4))) for _ in range(2)]
            joint = bandit_mdp(arms, gamma)
            best = rl.PolicyIteration(keep_trace=False).run(joint).V
            indices = [gittins_index(P, r, gamma).index for P, r in arms]
            assert (best == rl.evaluate(joint, index_policy(arms, indices)).V).all()
            myopic = index_policy(arms, [r for _, r in arms])
            myopic_fails += (best != rl.evaluate(joint, myopic).V).any()
    assert myopic_fails >= 3


def test_joint_model_moves_one_arm():
    P = [exact_array([[0, 1], [1, 0]]), exact_array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])]
    m = bandit_mdp([(P[0], exact_array([1, 2])), (P[1], exact_array([3, 4, 5]))], F(1, 2))
    assert m.S == 6
    assert np.flatnonzero(m.P[1, 0]).tolist() == [4]  # (0, 1) → (1, 1)
    assert np.flatnonzero(m.P[1, 1]).tolist() == [2]  # (0, 1) → (0, 2)
    assert m.R[5].tolist() == [2, 5]


def test_bad_arms():
    with pytest.raises(InvalidModel, match="arm"):
        gittins_index([[1.0]], [1.0, 2.0], 0.5)
    with pytest.raises(InvalidArgument, match="empty"):
        bandit_mdp([], 0.5)
    with pytest.raises(InvalidArgument, match="index_policy"):
        index_policy([([[1.0]], [1.0])], [[1.0, 2.0]])


def constrained_model(rng, S=3, A=3, K=2):
    w = exact_array(rng.integers(0, 4, (S, A, S)) + np.eye(S, dtype=int)[:, None])
    m = rl.MDP(w / w.sum(-1, keepdims=True), exact_array(rng.integers(0, 10, (S, A))), F(4, 5))
    costs = exact_array(rng.integers(0, 10, (K, S, A)))
    pi = exact_array(rng.integers(1, 5, (S, A)))
    x = rl.state_action_occupancy(m, pi / pi.sum(1, keepdims=True), normalised=False)
    return m, costs, (costs * x).sum((1, 2))  # met by one policy, so feasible


def test_optimality_is_proved_by_duality():
    rng = np.random.default_rng(2)
    randomised = binding = 0
    for _ in range(25):
        m, costs, budgets = constrained_model(rng)
        sol = ConstrainedLP(costs, budgets).run(m)
        x = rl.state_action_occupancy(m, sol.pi, normalised=False)
        assert (x == sol.x).all()
        assert (sol.spent == (costs * x).sum((1, 2))).all()
        assert (sol.spent <= budgets).all()
        assert (sol.multipliers >= 0).all()
        priced = m.replace(R=m.R - (sol.multipliers[:, None, None] * costs).sum(0))
        bound = (m.mu * rl.PolicyIteration().run(priced).V).sum() + (sol.multipliers * budgets).sum()
        assert sol.value.lower == sol.value.upper == bound == (x * m.R).sum()
        assert 0 <= sol.randomisation <= 2
        randomised += sol.randomisation == 2
        binding += (sol.multipliers > 0).any()
        f = ConstrainedLP(costs.astype(float), budgets.astype(float)).run(m.float())
        assert abs(float(f.value) - float(bound)) < 1e-9
    assert randomised >= 3
    assert binding >= 10


def test_without_constraints_it_is_the_ordinary_problem():
    m, *_ = constrained_model(np.random.default_rng(3))
    sol = ConstrainedLP(np.empty((0, 3, 3)), []).run(m)
    assert (rl.PolicyIteration().run(m).V == sol.V).all()
    assert sol.randomisation == 0


def test_one_state_must_randomise():
    m = rl.MDP(exact_array([[[1], [1]]]), exact_array([[1, 0]]), F(9, 10))
    sol = ConstrainedLP([[[1, 0]]], [1 / (2 * (1 - m.gamma))]).run(m)
    assert sol.value.lower == 5
    assert sol.randomisation == 1
    assert sol.pi.matrix().tolist() == [[F(1, 2), F(1, 2)]]


def test_infeasible_and_ill_shaped_problems_are_refused():
    m, costs, _ = constrained_model(np.random.default_rng(4))
    with pytest.raises(InvalidModel, match="no policy meets the budgets"):
        ConstrainedLP(costs + 1, [0, 0]).run(m)
    with pytest.raises(InvalidArgument, match="costs: shape"):
        ConstrainedLP(costs, [1]).run(m)
    with pytest.raises(InvalidArgument, match="rho"):
        ConstrainedLP(costs, [99, 99], rho=[1, 0, 0]).run(m)


def test_ragged_constrained_model():
    m = rl.MDP.from_pairs(
        exact_array([[1, 0], [0, 1], [0, 1]]),
        exact_array([2, 3, 0]),
        F(1, 2),
        pair_state=[0, 0, 1],
        pair_action=[0, 2, 0],
    )
    costs = exact_array(np.zeros((1, 2, 3), dtype=int))
    costs[0, 0, 2] = F(1)
    sol = ConstrainedLP(costs, [F(1, 4)]).run(m)
    assert (sol.x[:, 1] == 0).all()
    assert sol.spent[0] <= F(1, 4)


def brute_lp(A, b, c):
    """Best feasible basic solution by trying every set of columns."""
    m, n = A.shape
    best = None
    for cols in itertools.combinations(range(n), m):
        try:
            x = ex.solve_linear(A[:, cols], b)
        except ZeroDivisionError:
            continue
        if (x >= 0).all():
            value = (c[list(cols)] * x).sum()
            best = value if best is None else max(best, value)
    return best


def test_simplex_against_all_bases():
    rng = np.random.default_rng(5)
    outcomes = set()
    for _ in range(150):
        m, n = int(rng.integers(1, 4)), int(rng.integers(3, 6))
        A = exact_array(rng.integers(-2, 4, (m, n)))
        if np.linalg.matrix_rank(A.astype(float)) < m:
            continue
        b, c = exact_array(rng.integers(-3, 6, m)), exact_array(rng.integers(-4, 5, n))
        want = brute_lp(A, b, c)
        try:
            got = simplex.maximise(A, b, c)
        except simplex.Infeasible:
            assert want is None
            outcomes.add("infeasible")
        except simplex.Unbounded:
            assert want is not None
            outcomes.add("unbounded")
        else:
            assert (A.dot(got.x) == b).all()
            assert (got.x >= 0).all()
            assert (got.y.dot(A) >= c).all()
            assert (c * got.x).sum() == (b * got.y).sum() == want
            again = simplex.maximise(A, b, c, got.basis)
            assert again.pivots == 0
            outcomes.add("solved")
    assert outcomes == {"infeasible", "unbounded", "solved"}


def test_simplex_does_not_cycle_on_beale():
    A = exact_array(
        [[F(1, 4), -60, F(-1, 25), 9, 1, 0, 0], [F(1, 2), -90, F(-1, 50), 3, 0, 1, 0], [0, 0, 1, 0, 0, 0, 1]]
    )
    got = simplex.maximise(A, [0, 0, 1], exact_array([F(3, 4), -150, F(1, 50), -6, 0, 0, 0]), [4, 5, 6])
    assert (got.x * exact_array([F(3, 4), -150, F(1, 50), -6, 0, 0, 0])).sum() == F(1, 20)


def test_dependent_rows_are_refused():
    with pytest.raises(simplex.Infeasible, match="dependent"):
        simplex.maximise([[1, 1], [2, 2]], [1, 2], [1, 0])
