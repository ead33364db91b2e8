"""Gain, bias and Laurent terms against averages of powers, enumeration and discounted values."""

import itertools
from fractions import Fraction as F

import numpy as np
import pytest

import rltheory as rl
from rltheory.arrays import exact_array
from rltheory.errors import InvalidArgument
from rltheory.kernels import chain
from rltheory.kernels import exact as ex
from rltheory.models import gallery
from rltheory.results import Status
from rltheory.solvers.average_reward import AverageReward, average_value, gain_bounds, policy_laurent
from rltheory.solvers.hitting import diameter, hitting_times


def sparse_chain(rng, S):
    """Random stochastic matrix, often periodic, multichain or with transient states."""
    w = exact_array((rng.random((S, S)) < 0.3) * rng.integers(1, 4, (S, S)))
    w[np.arange(S), rng.integers(0, S, S)] += 1
    return w / w.sum(1, keepdims=True)


def sparse_mdp(rng, S, A, gamma=F(9, 10)):
    P = np.stack([sparse_chain(rng, S) for _ in range(A)], axis=1)
    return rl.MDP(P, exact_array(rng.integers(0, 3, (S, A))), gamma)


def every_policy(m):
    return [np.array(p) for p in itertools.product(range(m.A), repeat=m.S)]


def test_limiting_matrix_is_the_cesaro_limit():
    rng = np.random.default_rng(0)
    for _ in range(40):
        P = sparse_chain(rng, int(rng.integers(1, 6)))
        star = chain.limiting_matrix(P)
        p, power, total, n = P.astype(float), np.eye(len(P)), np.zeros(P.shape), 5040  # a multiple of periods
        for _ in range(n):
            total += power
            power = power @ p
        total = 0 * total
        for _ in range(n):  # from here on the transient part is gone
            total += power
            power = power @ p
        assert np.allclose(star.astype(float), total / n, atol=2e-3)
        assert np.allclose(chain.limiting_matrix(p), star.astype(float), atol=1e-12)


def test_identities_of_the_deviation_matrix():
    rng = np.random.default_rng(1)
    for _ in range(30):
        P = sparse_chain(rng, int(rng.integers(1, 6)))
        S, H, I = chain.limiting_matrix(P), chain.deviation_matrix(P), exact_array(np.eye(len(P), dtype=int))
        for left, right in (
            (S.dot(P), S), (P.dot(S), S), (S.dot(S), S), (H.dot(S), 0 * S), (S.dot(H), 0 * S),
            ((I - P).dot(H), I - S), (chain.fundamental_matrix(P), H + S),
        ):  # fmt: skip
            assert (left == right).all()
        assert np.allclose(chain.deviation_matrix(P.astype(float)), H.astype(float), atol=1e-9)


def test_laurent_series_sums_to_the_discounted_value():
    rng = np.random.default_rng(2)
    for _ in range(15):
        S = int(rng.integers(1, 5))
        P, R = sparse_chain(rng, S), exact_array(rng.integers(-3, 4, S))
        radius = max(
            1, int(np.ceil(np.abs(np.linalg.eigvals(chain.deviation_matrix(P).astype(float))).max()))
        )
        rho = F(1, 10 * radius)
        gamma = 1 / (1 + rho)
        y = chain.laurent_terms(P, R, 30)
        partial = (1 + rho) * sum(rho ** (k - 1) * y[k] for k in range(len(y)))
        V = ex.solve_linear(exact_array(np.eye(S, dtype=int)) - gamma * P, R)
        assert np.abs(partial - V).max() < F(1, 10**24)


def test_gain_bias_and_blackwell_optimality_by_enumeration():
    rng = np.random.default_rng(3)
    multichain = separated = 0
    for _ in range(120):
        m = sparse_mdp(rng, int(rng.integers(2, 4)), 2)
        table = [(pi, policy_laurent(m, pi, 1)) for pi in every_policy(m)]
        best = np.max([y[0] for _, y in table], axis=0)
        multichain += len(set(best)) > 1
        assert (AverageReward("gain").run(m).gain == best).all()
        good = [(pi, y) for pi, y in table if (y[0] == best).all()]
        top = np.max([y[1] for _, y in good], axis=0)
        sol = AverageReward("bias").run(m)
        assert (sol.gain == best).all()
        assert (sol.bias == top).all()
        separated += any((y[1] != top).any() for _, y in good)
        near_one = m.replace(gamma=1 - F(1, 10**40))
        pi = AverageReward("blackwell").run(m).pi
        V = rl.PolicyIteration().run(near_one).V
        assert (rl.evaluate(near_one, pi).V == V).all()
        f = AverageReward("bias").run(m.float())
        assert f.status is Status.SOLVED
        exact = AverageReward("gain").run(m.float().exact()).gain
        assert (exact_array(f.lower) <= exact).all()
        assert (exact <= exact_array(f.upper)).all()
    assert multichain >= 3
    assert separated >= 3


def test_relative_vi_on_periodic_and_transient_models():
    for m in (gallery.two_cycle(), gallery.river_swim(6, 0.9), gallery.puterman_two_state(0.9)):
        sol = AverageReward("gain", "relative-vi").run(m)
        exact = AverageReward("gain").run(m.exact()).gain
        assert sol.status is Status.SOLVED
        assert (exact_array(sol.lower) <= exact).all()
        assert (exact <= exact_array(sol.upper)).all()


def test_relative_vi_reports_a_gain_that_differs_by_state():
    m = rl.MDP([[[1.0, 0]], [[0, 1]]], [[1.0], [0]], 0.9)
    sol = AverageReward("gain", "relative-vi", max_iter=100).run(m)
    assert sol.status is Status.MAX_ITER
    with pytest.raises(rl.errors.NotConverged):
        sol.raise_if_failed()
    assert AverageReward().run(m).gain.tolist() == [1, 0]


def test_relative_vi_agrees_with_policy_iteration():
    m = gallery.garnet(2, 30, 3, 3, F(9, 10)).float()
    a, b = AverageReward("gain").run(m), AverageReward("gain", "relative-vi").run(m)
    assert abs(a.gain[0] - b.gain[0]) <= a.error + b.error
    assert "relative-vi" in b.solver


def test_policy_gain_is_enclosed():
    rng = np.random.default_rng(4)
    for _ in range(20):
        m = sparse_mdp(rng, 3, 2).float()
        pi = rng.dirichlet([1, 1], 3)
        sol, exact = average_value(m, pi), average_value(m.exact(), pi)
        assert (exact_array(sol.lower) <= exact.gain).all()
        assert (exact.gain <= exact_array(sol.upper)).all()
        assert np.allclose(sol.bias, exact.bias.astype(float), atol=1e-8)


def test_gain_bounds_hold_for_any_vector():
    rng = np.random.default_rng(5)
    m = gallery.river_swim(4, 0.9)
    g = AverageReward("gain").run(m.exact()).gain[0]
    for _ in range(50):
        lower, upper = gain_bounds(m, rng.normal(size=4) * 10 ** rng.uniform(-3, 6))
        assert F(lower[0]) <= g <= F(upper[0])


def brute_hitting(m, t):
    best = np.full(m.S, np.inf, dtype=object)
    for pi in every_policy(m):
        P = np.array([m.P[s, pi[s]] for s in range(m.S)])
        P[t] = 0
        P[t, t] = 1
        star = chain.limiting_matrix(P)
        sure = star[:, t] == 1
        rest = sure & (np.arange(m.S) != t)
        Q = P[np.ix_(rest, rest)]
        tau = np.full(m.S, np.inf, dtype=object)
        tau[t] = F(0)
        if rest.any():
            ones = exact_array(np.ones(len(Q), dtype=int))
            tau[rest] = ex.solve_linear(exact_array(np.eye(len(Q), dtype=int)) - Q, ones)
        best = np.minimum(best, tau)
    return best


def test_hitting_times_against_every_policy():
    rng = np.random.default_rng(6)
    infinite = 0
    for _ in range(30):
        m = sparse_mdp(rng, 3, 2)
        table = [brute_hitting(m, t) for t in range(3)]
        for t in range(3):
            assert (hitting_times(m, t) == table[t]).all()
            assert np.allclose(hitting_times(m.float(), t), table[t].astype(float), rtol=1e-8)
        worst = max(table[t][s] for t in range(3) for s in range(3))
        infinite += worst == np.inf
        assert diameter(m) == worst
    assert 0 < infinite < 30


def test_hitting_a_set_and_bad_targets():
    m = gallery.river_swim(6, F(9, 10))
    assert hitting_times(m, range(6)).tolist() == [0] * 6
    assert (hitting_times(m, [0, 5]) <= hitting_times(m, 5)).all()
    assert hitting_times(m.float().exact(), 0).tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(InvalidArgument, match="target"):
        hitting_times(m, [])
    with pytest.raises(InvalidArgument, match="target"):
        hitting_times(m, 6)


def test_bad_arguments():
    for kwargs in ({"criterion": "best"}, {"method": "vi"}, {"method": "relative-vi"}, {"tau": 1.0}):
        with pytest.raises(InvalidArgument):
            AverageReward(**kwargs)
    with pytest.raises(InvalidArgument, match="doubles"):
        AverageReward("gain", "relative-vi").run(gallery.two_cycle(gamma=F(1, 2)))
