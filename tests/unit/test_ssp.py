"""SSP solver against enumeration of proper policies; refusals, bounds, lifted policies."""

import itertools
from fractions import Fraction as F

import numpy as np
import pytest

import rltheory as rl
from rltheory.arrays import exact_array
from rltheory.errors import ImproperPolicy, InvalidArgument
from rltheory.models import gallery
from rltheory.results import Status
from rltheory.solvers import ssp_float
from rltheory.solvers.ssp import SSPSolver, all_proper, evaluate_ssp, expected_steps, is_proper

METHODS = ["policy-iteration", "value-iteration"]


def random_ssp(rng, rewards):
    """Small random SSP with sparse rows, self-loops and cycles; state S−1 terminal."""
    S, A = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    w = exact_array((rng.random((S, A, S)) < 0.4) * rng.integers(1, 4, (S, A, S)))
    idx = np.indices((S, A))
    w[idx[0], idx[1], rng.integers(0, S, (S, A))] += 1
    P = w / w.sum(-1, keepdims=True)
    P[-1], R = 0, exact_array(rng.choice(rewards, (S, A)))
    R[-1] = 0
    return rl.SSP(P, R, [S - 1])


def proper_by_powers(ssp, pi):
    Q = np.array([ssp.P[s, pi[s]] for s in range(ssp.S - 1)])[:, :-1].astype(float)
    return np.linalg.matrix_power(np.eye(ssp.S - 1) * 1e-9 + Q * (1 - 1e-9), 20000).max() < 1e-6


def brute_force(ssp):
    """Componentwise best V^π over proper deterministic policies, or None without one."""
    best = None
    for pi in itertools.product(range(ssp.A), repeat=ssp.S):
        if is_proper(ssp, np.array(pi)):
            V = evaluate_ssp(ssp, np.array(pi)).V
            best = V if best is None else np.maximum(best, V)
    return best


def test_properness_against_matrix_powers():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        ssp = random_ssp(rng, [0])
        answers = []
        for pi in itertools.product(range(ssp.A), repeat=ssp.S):
            answers.append(is_proper(ssp, np.array(pi)))
            assert answers[-1] == proper_by_powers(ssp, pi)
        assert all_proper(ssp) == all(answers)
        seen.add(all(answers))
    assert seen == {True, False}


@pytest.mark.parametrize("rewards", [[-1, -2], [-1, 0], [0, 1], [-3, -1, 0, 1]])
def test_best_proper_policy_is_found(rewards):
    rng = np.random.default_rng(1)
    solved = refused = 0
    for _ in range(60):
        ssp = random_ssp(rng, rewards)
        try:
            sol = SSPSolver().run(ssp)
        except ImproperPolicy as error:
            refused += 1
            message = str(error)
            assert "cannot reach" in message or "unbounded" in message or "cancel" in message
            assert ("cannot reach" in message) == (brute_force(ssp) is None)
            continue
        solved += 1
        assert (brute_force(ssp) == sol.V).all()
        assert is_proper(ssp, sol.pi)
        assert (evaluate_ssp(ssp, sol.pi).V == sol.V).all()
        assert sol.info["some_improper"] != all_proper(ssp)
        for method in METHODS:
            f = SSPSolver(method).run(ssp.float())
            assert f.status is Status.SOLVED
            exact = SSPSolver().run(ssp.float().exact()).V
            assert (exact_array(f.lower) <= exact).all()
            assert (exact <= exact_array(f.upper)).all()
            assert is_proper(ssp, f.pi)
    assert solved >= 20
    assert refused >= 1


def test_stochastic_policies_and_enclosures():
    rng = np.random.default_rng(2)
    done = 0
    while done < 15:
        ssp = random_ssp(rng, [-1, 0, 1])
        pi = rng.dirichlet(np.ones(ssp.A), ssp.S)
        if not is_proper(ssp, pi):
            with pytest.raises(ImproperPolicy, match="from state"):
                evaluate_ssp(ssp, pi)
            continue
        done += 1
        f = evaluate_ssp(ssp.float(), pi)
        exact = evaluate_ssp(ssp.float().exact(), pi)
        assert (exact_array(f.lower) <= exact.V).all()
        assert (exact_array(f.upper) >= exact.V).all()
        M = np.einsum("sa,sat->st", rl.Policy(pi).exact().matrix(), ssp.P)[:-1, :-1]
        r = (rl.Policy(pi).exact().matrix() * ssp.R).sum(1)[:-1]
        assert np.allclose(f.V[:-1], np.linalg.solve(np.eye(len(M)) - M.astype(float), r.astype(float)))


def test_spurious_fixed_points_are_reported():
    """Stay (0) or leave (−1): every v ≥ −1 is a fixed point of T; the best proper value is −1."""
    ssp = rl.SSP(exact_array([[[1, 0], [0, 1]], [[0, 1], [0, 1]]]), exact_array([[0, -1], [0, 0]]), [1])
    for model, methods in ((ssp, METHODS[:1]), (ssp.float(), METHODS)):
        for method in methods:
            sol = SSPSolver(method).run(model)
            assert sol.V.tolist() == [-1, 0]
            assert sol.info["merged"] == ((0,),)
            assert "several fixed points" in sol.reason
            assert sol.pi[0] == 1


def test_unbounded_and_cancelling_cycles_are_refused():
    P = exact_array([[[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1]], [[0, 0, 1]] * 2])
    with pytest.raises(ImproperPolicy, match="unbounded"):
        SSPSolver().run(rl.SSP(P, exact_array([[2, 0], [-1, 0], [0, 0]]), [2]))
    for model in (
        rl.SSP(P, exact_array([[1, 0], [-1, 0], [0, 0]]), [2]),
        rl.SSP(P, [[0.1, 0], [-0.1, 0], [0, 0]], [2]),
    ):
        with pytest.raises(ImproperPolicy, match="cancel"):
            SSPSolver().run(model)
    ok = SSPSolver().run(rl.SSP(P, exact_array([[1, 0], [-2, 0], [0, 0]]), [2]))
    assert ok.V.tolist() == [1, 0, 0]
    assert "infinite cost" in ok.reason


def test_trapped_states_are_named():
    P = exact_array([[[1, 0, 0]], [[F(1, 2), 0, F(1, 2)]], [[0, 0, 1]]])
    with pytest.raises(ImproperPolicy, match="state 0 cannot reach"):
        SSPSolver().run(rl.SSP(P, exact_array([[0], [1], [0]]), [2]))


def test_policy_walks_through_a_free_component_to_its_best_exit():
    """Ring of free moves; only state 3 has a paid exit: everyone must walk there."""
    n = 5
    P = np.zeros((n + 1, 2, n + 1))
    for s in range(n):
        P[s, 0, (s + 1) % n] = 1
        P[s, 1, n] = 1
    P[n, :, n] = 1
    R = np.zeros((n + 1, 2))
    R[:n, 1] = [0, 1, 2, 9, 4]
    sol = SSPSolver().run(rl.SSP(exact_array(P), exact_array(R), [n]))
    assert sol.V.tolist() == [9] * n + [0]
    assert sol.pi.actions[:n].tolist() == [0, 0, 0, 1, 0]
    assert is_proper(rl.SSP(P, R, [n]), sol.pi)


def test_expected_steps_of_a_chain_and_of_all_policies():
    n = 6
    P = np.zeros((n, 2, n))
    P[0, :, 0] = 1
    for s in range(1, n):
        P[s, 0, s - 1] = 1
        P[s, 1, max(s - 2, 0)] = 1
    ssp = rl.SSP(exact_array(P), exact_array(np.zeros((n, 2))), [0])
    assert expected_steps(ssp).V.tolist() == list(range(n))
    assert expected_steps(ssp, [1] * n).V.tolist() == [(s + 1) // 2 for s in range(n)]
    with pytest.raises(ImproperPolicy):
        expected_steps(gallery.ssp_improper())


def test_discounting_is_killing():
    rng = np.random.default_rng(3)
    m = gallery.garnet(11, 4, 3, 2, F(7, 10))
    k = SSPSolver().run(rl.SSP.killing(m))
    assert (k.V[:-1] == rl.PolicyIteration().run(m).V).all()
    lifted = SSPSolver().run(rl.SSP.killing(m.float().exact()))
    assert (lifted.V[:-1] == rl.PolicyIteration().run(m.float().exact()).V).all()
    pi = rng.integers(0, 3, 4)
    assert (evaluate_ssp(rl.SSP.killing(m), [*pi, 0]).V[:-1] == rl.evaluate(m, pi).V).all()


def test_limits_and_bad_arguments():
    with pytest.raises(InvalidArgument, match="method="):
        SSPSolver("newton")
    chain = gallery.simple_pi_exponential(3)
    sol = SSPSolver("value-iteration", max_iter=1).run(rl.SSP.from_mdp(chain.float()))
    exact = SSPSolver().run(chain).V
    assert (exact_array(sol.lower) <= exact).all()
    assert (exact <= exact_array(sol.upper)).all()


def test_q_values_of_the_solution_are_undiscounted():
    ssp = gallery.gambler(8)
    sol = SSPSolver().run(ssp)
    assert (np.max(np.where(ssp.mdp.allowed, sol.Q, -1), axis=1) == sol.V).all()


@pytest.mark.parametrize("noise", [1e-13, 1e-9, 1e-4])
def test_bounds_survive_a_wrong_linear_solver(monkeypatch, noise):
    """The bounds are verified, not trusted: values off by `noise` may widen them, never falsify them."""
    rng = np.random.default_rng(7)
    honest = ssp_float.evaluate_float
    monkeypatch.setattr(
        ssp_float,
        "evaluate_float",
        lambda mdp, weights, shift: honest(mdp, weights, shift) * (1 + noise * rng.uniform(-1, 1, mdp.S)),
    )
    finite = 0
    for _ in range(20):
        ssp = gallery.garnet(int(rng.integers(1000)), 4, 2, 2, 0.9)
        ssp = rl.SSP.killing(ssp)
        sol, exact = SSPSolver().run(ssp), SSPSolver().run(ssp.exact()).V
        finite += bool(np.isfinite(sol.upper - sol.lower).all())
        low, high = (
            np.where(np.isfinite(x), x, side * 1e300) for x, side in ((sol.lower, -1), (sol.upper, 1))
        )
        assert (exact_array(low) <= exact).all()
        assert (exact <= exact_array(high)).all()
    assert (finite == 20) == (noise < 1e-5)


def test_proper_but_hopeless_start_is_not_used():
    """On a slippery maze the shortest-path policy is proper and takes about 1e16 steps."""
    ssp = rl.SSP.from_mdp(gallery.maze(60, gamma=0.99))
    a, b = (SSPSolver(method).run(ssp) for method in METHODS)
    assert a.status is b.status is Status.SOLVED
    assert (a.lower <= b.upper).all()
    assert (b.lower <= a.upper).all()
