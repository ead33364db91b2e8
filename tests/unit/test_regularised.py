"""Soft values and policy-gradient paths against naive high-precision iteration and closed forms."""

import math
from fractions import Fraction as F

import mpmath
import numpy as np
import pytest

import rltheory as rl
from rltheory.arrays import exact_array
from rltheory.errors import InvalidArgument
from rltheory.models import gallery
from rltheory.results import Status
from rltheory.solvers.policy_gradient import NaturalPolicyGradient, PolicyMirrorDescent
from rltheory.solvers.regularised import (
    SoftPolicyIteration,
    SoftValueIteration,
    soft_bellman,
    soft_evaluate,
    soft_policy,
)

mp = mpmath.mp.clone()
mp.dps = 90


def num(x):
    x = F(x)
    return mp.mpf(x.numerator) / x.denominator


def inside(lower, upper, x):
    return num(lower) <= x <= num(upper)


def naive_soft_value(m, tau, mu=None):
    """Fixed-point iteration of the definition with 90 digits."""
    V, t, gamma = [mp.mpf(0)] * m.S, num(tau), num(m.gamma)
    for _ in range(int(90 / -math.log10(float(m.gamma)))):
        V = [
            t * mp.log(sum(
                (1 if mu is None else num(mu[s][a])) * mp.exp(
                    (num(m.R[s, a]) + gamma * sum(num(p) * v for p, v in zip(m.P[s, a], V))) / t)
                for a in range(m.A) if m.allowed[s, a]))
            for s in range(m.S)
        ]  # fmt: skip
    return V


def ragged(gamma=F(1, 2)):
    P = exact_array([[F(1, 3), F(2, 3)], [1, 0], [F(1, 2), F(1, 2)]])
    return rl.MDP.from_pairs(P, exact_array([1, 2, -1]), gamma, pair_state=[0, 0, 1], pair_action=[0, 2, 1])


@pytest.mark.parametrize("mu", [None, [[F(1, 4), F(3, 4)], [1, 0], [F(1, 2), F(1, 2)]]])
def test_soft_value_is_the_fixed_point(mu):
    m, tau = gallery.garnet(3, 3, 2, 2, F(7, 10)), F(1, 5)
    want = naive_soft_value(m, tau, mu)
    reference = None if mu is None else exact_array(mu)
    for solver in (SoftValueIteration, SoftPolicyIteration):
        for model in (m, m.float()):
            sol = solver(tau, reference).run(model)
            assert sol.status is Status.SOLVED
            if model.is_exact:
                assert all(inside(lo, hi, v) for lo, hi, v in zip(sol.lower, sol.upper, want))
            else:
                assert np.allclose(sol.V, [float(v) for v in want], atol=2e-8)
    tight = SoftPolicyIteration(tau, reference, bits=200).run(m)
    assert tight.error < F(1, 2**190)
    assert (tight.lower < tight.upper).all()


def test_float_bounds_hold_for_the_stored_doubles():
    m = gallery.garnet(3, 3, 2, 2, F(7, 10)).float()
    want = naive_soft_value(m.exact(), 0.3)
    for solver in (SoftValueIteration(0.3, tol=1e-4), SoftPolicyIteration(0.3)):
        sol = solver.run(m)
        assert all(inside(lo, hi, v) for lo, hi, v in zip(sol.lower, sol.upper, want))


def test_ragged_model_and_closed_form():
    m = ragged()
    want = naive_soft_value(m, F(1, 3))
    sol = SoftPolicyIteration(F(1, 3)).run(m)
    assert all(inside(lo, hi, v) for lo, hi, v in zip(sol.lower, sol.upper, want))
    arms = rl.MDP([[[1.0]] * 5], [[2.0] * 5], 0.75)
    assert math.isclose(
        SoftValueIteration(0.25).run(arms).V[0], (2 + 0.25 * math.log(5)) / 0.25, rel_tol=1e-9
    )


def test_soft_policy_attains_the_soft_value_and_no_policy_beats_it():
    m, tau = gallery.garnet(4, 4, 3, 2, F(8, 10)), F(1, 10)
    sol = SoftPolicyIteration(tau).run(m)
    own = soft_evaluate(m, sol.pi, tau)
    assert np.abs(own.V - sol.V).max() < F(1, 2**100)
    rng = np.random.default_rng(0)
    for _ in range(20):
        pi = rng.dirichlet(np.ones(3), 4)
        assert (soft_evaluate(m, pi, tau).upper <= sol.upper).all()
        f = soft_evaluate(m.float(), pi, float(tau))
        assert np.allclose(f.V, soft_evaluate(m, pi, tau).V.astype(float), atol=1e-9)
    assert (soft_evaluate(m, sol.pi, 0).V.astype(float) == rl.evaluate(m, sol.pi).V.astype(float)).all()


def test_soft_maps_by_hand():
    m = rl.MDP([[[1.0, 0], [0, 1]], [[0, 1], [0, 1]]], [[1.0, 0], [0, 0]], 0.5)
    V = np.array([2.0, 4.0])
    tau = 0.7
    assert math.isclose(soft_bellman(m, V, tau)[0], tau * math.log(2 * math.exp(2 / tau)))
    assert np.allclose(soft_policy(m, V, tau).matrix()[0], [0.5, 0.5])
    assert np.allclose(soft_policy(m, V, tau, [[0.9, 0.1], [1, 0]]).matrix(), [[0.9, 0.1], [1, 0]])


def test_low_temperature_does_not_overflow_and_approaches_the_optimum():
    m = gallery.river_swim(6, 0.99)
    sol = SoftPolicyIteration(1e-5).run(m)
    assert sol.status is Status.SOLVED
    best = rl.PolicyIteration().run(m)
    assert (sol.V >= best.V - 1e-9).all()
    assert (best.V + 1e-5 * math.log(2) / (1 - 0.99) + 1e-9 >= sol.V).all()


def test_bad_arguments():
    m = ragged()
    with pytest.raises(InvalidArgument, match="temperature"):
        SoftValueIteration(0)
    with pytest.raises(InvalidArgument, match="relative entropy is infinite"):
        soft_evaluate(
            m, exact_array([[F(1, 2), 0, F(1, 2)], [0, 1, 0]]), 1, exact_array([[1, 0, 0], [0, 1, 0]])
        )
    with pytest.raises(InvalidArgument, match="exceeds"):
        NaturalPolicyGradient(1, 1, tau=1).run(m)
    with pytest.raises(InvalidArgument, match="step sizes"):
        PolicyMirrorDescent(3, eta=[1, 2])
    with pytest.raises(InvalidArgument, match="divides by γ"):
        PolicyMirrorDescent(3).run(m.replace(gamma=0))
    with pytest.raises(InvalidArgument, match="iterations"):
        NaturalPolicyGradient(1, -1)


def naive_path(m, T, eta, tau):
    """The update written on probabilities, with 90 digits."""
    g, S, A = num(m.gamma), m.S, m.A
    pi = [[mp.mpf(1) / A] * A for _ in range(S)]
    out = []
    for _ in range(T + 1):
        P = mp.matrix(S, S)
        r = mp.matrix(S, 1)
        for s in range(S):
            for a in range(A):
                r[s] += pi[s][a] * (num(m.R[s, a]) - (tau * mp.log(pi[s][a]) if tau else 0))
                for t in range(S):
                    P[s, t] += pi[s][a] * num(m.P[s, a, t])
        V = mp.lu_solve(mp.eye(S) - g * P, r)
        out.append(V)
        q = [
            [num(m.R[s, a]) + g * sum(num(m.P[s, a, t]) * V[t] for t in range(S)) for a in range(A)]
            for s in range(S)
        ]
        w = [
            [pi[s][a] ** (1 - eta * tau / (1 - g)) * mp.exp(eta * q[s][a] / (1 - g)) for a in range(A)]
            for s in range(S)
        ]
        pi = [[x / sum(row) for x in row] for row in w]
    return out


@pytest.mark.parametrize("tau", [0, F(1, 10)])
def test_npg_follows_the_update(tau):
    m, eta = gallery.garnet(6, 3, 2, 2, F(3, 4)), F(1, 3)
    want = naive_path(m, 6, num(eta), num(tau))
    exact = NaturalPolicyGradient(eta, 6, tau=tau).run(m)
    for t in range(7):
        assert all(inside(exact.lower[t, s], exact.upper[t, s], want[t][s]) for s in range(3))
    assert exact.error < 2.0**-64
    f = NaturalPolicyGradient(float(eta), 6, tau=float(tau)).run(m.float())
    assert np.allclose(f.V, exact.V.astype(float), atol=1e-12)
    assert np.allclose(f.log_Z, exact.log_Z, atol=1e-12)
    assert np.allclose(f.pi, exact.pi, atol=1e-12)
    if tau == 0:
        assert (np.diff(f.V, axis=0) >= (1 - 0.75) / float(eta) * f.log_Z - 1e-12).all()
        for t in range(7):
            V = rl.evaluate(m.float(), f.policy(t))
            assert np.allclose(f.V[t], V.V, atol=1e-12)
    else:
        soft = SoftPolicyIteration(tau).run(m).V
        assert np.abs(exact.V[-1] - soft).max() < np.abs(exact.V[0] - soft).max() / 10


def test_mirror_descent_schedule_and_rate():
    m = gallery.garnet(1, 5, 3, 3, F(9, 10))
    best = rl.PolicyIteration().run(m).V
    for model in (m, m.float()):
        path = PolicyMirrorDescent(6, c0=F(1, 2)).run(model)
        start = np.abs(
            best - path.V[0].astype(object) if model.is_exact else best.astype(float) - path.V[0]
        ).max()
        for t in range(6):
            q = path.Q[t].astype(float)
            greedy = q >= q.max(axis=1, keepdims=True) - 1e-11
            doubt = -np.log((path.pi[t] * greedy).sum(axis=1))
            assert math.isclose(path.eta[t], doubt.max() / (0.9 ** (2 * t + 1) * 0.5), rel_tol=1e-9)
            loss = np.abs(best.astype(float) - path.V[t + 1].astype(float)).max()
            assert loss <= 0.9 ** (t + 1) * (float(start) + 0.5 / 0.1) + 1e-9


def test_mirror_descent_steps_are_finite_when_the_best_action_is_all_but_excluded():
    m = rl.MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.25)
    path = PolicyMirrorDescent(2, c0=0.25, pi0=[[1.0, 5e-324]]).run(m)
    assert math.isclose(path.eta[0], 1074 * math.log(2) / 0.25**2, rel_tol=1e-12)
    assert np.isclose(path.V[-1, 0], 4 / 3)


def test_given_step_sizes_and_start():
    m = gallery.garnet(6, 3, 2, 2, F(3, 4)).float()
    npg = NaturalPolicyGradient(0.25, 3, pi0=[[0.9, 0.1]] * 3).run(m)
    pmd = PolicyMirrorDescent(3, eta=[1.0, 1.0, 1.0], pi0=[[0.9, 0.1]] * 3).run(m)
    assert np.allclose(npg.V, pmd.V)
    assert np.allclose(npg.pi[0], [[0.9, 0.1]] * 3)
    stuck = PolicyMirrorDescent(3, eta=1.0, pi0=[0, 0, 0]).run(m)
    assert np.allclose(stuck.V, stuck.V[0])


def test_log_weights_do_not_underflow():
    m = gallery.garnet(1, 4, 3, 2, 0.99)
    path = NaturalPolicyGradient(1000.0, 20).run(m)
    assert np.isfinite(path.V).all()
    assert path.log_pi.min() < -2000
    best = rl.PolicyIteration().run(m).V
    assert np.allclose(path.V[-1], best)


def test_ragged_path():
    path = NaturalPolicyGradient(F(1, 4), 2).run(ragged())
    assert np.isneginf(path.log_pi[:, 0, 1]).all()
    assert (path.pi[:, 1, 1] == 1).all()
    f = NaturalPolicyGradient(0.25, 2).run(ragged().float())
    assert np.allclose(f.V, path.V.astype(float))


@pytest.mark.parametrize("solver", [SoftValueIteration, SoftPolicyIteration])
@pytest.mark.parametrize("size", [10**6, 10**15, 10**18, 10**30])
@pytest.mark.parametrize("exact", [False, True])
def test_probabilities_too_small_to_write_out(solver, size, exact):
    """The other action has probability e^(−size): as a rational it would take more memory than there is."""
    mdp = rl.MDP([[[1], [1]]], [[F(size), F(0)]], F(1, 2))
    sol = solver(tau=1.0).run(mdp if exact else mdp.float())
    assert sol.status.ok and sol.lower[0] <= 2 * size <= sol.upper[0] + F(2, 2**1000)
    assert sol.pi.matrix().tolist() == [[1, 0]]
    assert isinstance(sol.V[0], F) == exact
