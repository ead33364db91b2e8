"""The gallery's tight instances do what their docstrings say, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.kernels.exact import matmul, solve_linear
from rltheory.solvers import diameter

G = rl.gallery
GAMMA = F(9, 10)
ZERO, ONE = F(0), F(1)


def zeros(n: int) -> Any:
    return np.array([ZERO] * n, dtype=object)


def loss(m: rl.MDP, pi: Any) -> Any:
    return rl.solve(m).V - rl.evaluate(m, np.asarray(pi)).V


def policy_parts(m: rl.MDP, pi: Any) -> tuple[Any, Any]:
    policy = rl.Policy(np.asarray(pi), A=m.A)
    return rl.transition_matrix(m, policy), rl.reward_vector(m, policy)


# ---- value iteration ---------------------------------------------------------------------


def test_swap_chain_anchored_and_plain() -> None:
    g, m = 0.999, G.swap_chain(0.999)
    B, v0 = rl.bellman(m), np.array([1.0, -1.0])
    plain, anchored, total = v0, v0, 1.0
    for k in range(1, 101):
        total += g ** (-2 * k)
        plain = B(plain)
        anchored = v0 / total + (1 - 1 / total) * B(anchored)
        if k in (10, 100):
            errors = rl.sup_norm(B(anchored) - anchored), rl.sup_norm(B(plain) - plain)
            assert [round(e, n) for e, n in zip(errors, (5, 3), strict=True)] == {
                10: [0.18082, 1.979],
                100: [0.01882, 1.809],
            }[k]


def test_span_tight() -> None:
    m = G.span_tight(GAMMA)
    B, u, v = rl.bellman(m), zeros(2), np.array([F(1, 3), -F(1, 7)], dtype=object)
    assert rl.span(B(u) - B(v)) == GAMMA * rl.span(u - v)


@pytest.mark.parametrize(("j", "sweeps"), [(2, 35), (6, 61), (12, 100), (24, 179)])
def test_feinberg_huang(j: int, sweeps: int) -> None:
    m = G.feinberg_huang(j, GAMMA)
    B, v, wrong = rl.bellman(m), zeros(3), 0
    while rl.greedy(m, v).actions[0] == 1:
        v, wrong = B(v), wrong + 1
    assert wrong == sweeps
    assert rl.PolicyIteration(pi0=[1, 0, 0]).run(m).iterations == 1


def test_lower_bound_chain() -> None:
    m = G.lower_bound_chain(6, GAMMA)
    B, plain, anchored, total = rl.bellman(m), zeros(7), zeros(7), ONE
    for k in range(1, 4):
        total += GAMMA ** (-2 * k)
        plain, anchored = B(plain), (1 - 1 / total) * B(anchored)
    assert rl.sup_norm(B(plain) - plain) == F(729, 1000)
    assert round(float(rl.sup_norm(B(anchored) - anchored)), 10) == 0.2431993424
    bound = GAMMA**3 / sum(GAMMA**i for i in range(4))
    assert round(float(bound), 10) == 0.2119802268
    assert rl.sup_norm(rl.solve(m).V) == 1


# ---- policy iteration --------------------------------------------------------------------


def test_relay() -> None:
    n, m = 6, G.relay(6, GAMMA)
    sol = rl.PolicyIteration(pi0=np.zeros(n, dtype=int)).run(m)
    gaps = [rl.sup_norm(sol.V - step.V) for step in sol.trace]
    assert gaps[:n] == [GAMMA**k / (1 - GAMMA) for k in range(n)]


def test_ring() -> None:
    n, m = 5, G.ring(5, GAMMA)
    sol = rl.PolicyIteration(rule="dantzig", pi0=np.zeros(n, dtype=int)).run(m)
    totals = [(sol.V - step.V).sum() for step in sol.trace]
    assert totals[:2] == [n / (1 - GAMMA), n / (1 - GAMMA) - 1]


def test_howard_three_changes() -> None:
    sol = rl.PolicyIteration(pi0=[0, 0]).run(G.howard_three_changes())
    assert [tuple(step.pi.actions) for step in sol.trace] == [(0, 0), (1, 1), (1, 2), (0, 2)]


def test_quit_or_go() -> None:
    eta = F(1, 1000)
    m = G.quit_or_go(GAMMA, eta)
    sol = rl.PolicyIteration(pi0=[0, 0, 0]).run(m)
    norms = []
    for step in sol.trace:
        P, R = policy_parts(m, step.pi)
        norms.append(rl.sup_norm(sol.V - R - GAMMA * matmul(P, sol.V)))
    assert norms[:2] == [1, GAMMA / (1 - GAMMA) - eta]


@pytest.mark.parametrize("n", range(1, 7))
def test_simple_policy_iteration_is_exponential(n: int) -> None:
    m = G.simple_pi_exponential(n)
    start = np.zeros(n + 1, dtype=int)

    def count(rule: Any, pi0: Any) -> int:
        return rl.PolicyIteration(rule=rule, pi0=pi0).run(m).evaluations

    run = rl.PolicyIteration(rule="simple-highest", pi0=start).run(m)
    assert run.evaluations == 2**n == len({step.pi for step in run.trace})
    assert count("howard", start) == n + 1
    assert count("dantzig", start) == count("simple-lowest", start) == 2
    assert count("simple-highest", np.array([0] + [1] * n)) == [1, 2, 3, 6, 11, 22][n - 1]


# ---- approximation -----------------------------------------------------------------------


def test_singh_yee() -> None:
    eps = F(1)
    m, v = G.singh_yee(GAMMA, eps), G.singh_yee_values(GAMMA, eps)
    assert rl.solve(m).V.tolist() == [0, 0]
    assert rl.q_values(m, v)[0, 0] == rl.q_values(m, v)[0, 1]
    pi = rl.greedy(m, v)
    assert pi[0] == 0  # "stay" wins the tie
    assert loss(m, pi.actions)[0] == 2 * GAMMA * eps / (1 - GAMMA)
    P, R = policy_parts(m, pi)
    w, expected = v, {1: F("0.9"), 2: F("2.61"), 4: F("5.5341"), 10: F("11.375109638")}
    for k in range(1, 11):
        w = R + GAMMA * matmul(P, w)
        if k in expected:
            error = rl.sup_norm(w)
            assert error == expected[k] or abs(error - expected[k]) < F(1, 2 * 10**9)
    q = G.singh_yee(GAMMA, eps, for_q=True)
    assert loss(q, [0, 0])[0] == 2 * eps / (1 - GAMMA)


def test_williams_baird() -> None:
    eps = F(1, 3)
    m, v = G.williams_baird(GAMMA, eps), G.williams_baird_values(GAMMA, eps)
    assert (rl.bellman(m)(v) - v).tolist() == [-eps, eps]
    assert rl.q_values(m, v)[0, 0] == rl.q_values(m, v)[0, 1]
    assert loss(m, rl.greedy(m, v).actions)[0] == 2 * GAMMA * eps / (1 - GAMMA)


def test_approximate_value_and_policy_iteration() -> None:
    N, eps = 14, F(1)
    m = G.avi_api_chain(N, GAMMA, eps)
    B, v = rl.bellman(m), zeros(N)
    policies = []
    for k in range(1, 13):
        pi = rl.greedy(m, v).actions
        policies.append(pi)
        bound = 2 * (GAMMA - GAMMA**k) * eps / (1 - GAMMA) ** 2
        assert (pi == 0).nonzero()[0].tolist() == ([0] if k == 1 else [0, k - 1])
        assert loss(m, pi)[k - 1] == bound
        # the same policy comes from approximate policy iteration
        errors = G.avi_api_errors(k, N, GAMMA, eps)
        api = rl.evaluate(m, pi).V + errors
        v = B(v) + errors
        assert (rl.greedy(m, api).actions == rl.greedy(m, v).actions).all()
    assert round(float(bound), 10) == 123.5140927038
    # the last ℓ policies, latest first, cyclically
    for ell in (2, 3, 5):
        cycle = policies[::-1][:ell]
        P, R = np.array([[ONE * (i == j) for j in range(N)] for i in range(N)], dtype=object), zeros(N)
        for t, pi in enumerate(cycle):
            Pi, Ri = policy_parts(m, pi)
            R, P = R + GAMMA**t * matmul(P, Ri), matmul(P, Pi)
        eye = np.array([[ONE * (i == j) for j in range(N)] for i in range(N)], dtype=object)
        value = solve_linear(eye - GAMMA**ell * P, R)
        assert max(-value) == 2 * (GAMMA - GAMMA**12) * eps / (1 - GAMMA)


# ---- perturbation ------------------------------------------------------------------------


def test_leaving_chain() -> None:
    d = F(1, 1000)
    m = G.leaving_chain(d, GAMMA)
    stay, leave = (rl.evaluate(m, pi).V[0] for pi in ([0, 0], [1, 0]))
    assert leave - stay == GAMMA * d / ((1 - GAMMA) * (1 - GAMMA + GAMMA * d))


def test_simulation_tight() -> None:
    d = F(1, 50)
    M, wrong = G.simulation_tight(d, GAMMA)
    V, W = rl.solve(M).V, rl.solve(wrong).V
    both = GAMMA * d / ((1 - GAMMA) * (1 - GAMMA + GAMMA * d))
    assert rl.sup_norm(V - W) == both == GAMMA * (2 * d) * rl.span(W) / 2 / (1 - GAMMA)


def test_policy_loss_tight() -> None:
    e, slack = F(1, 10), F(1, 1000)
    M, wrong = G.policy_loss_tight(e, GAMMA, slack=slack)
    assert rl.span(rl.solve(M).V) == 0
    pi = rl.solve(wrong).pi.actions
    assert pi[0] == 1
    assert loss(M, pi)[0] == (1 - slack) * GAMMA * e / (1 - GAMMA) ** 2
    assert loss(M, pi)[0] > 2 * e / (1 - GAMMA)  # the bound with sp(V*) = 0


def test_diameter_two_state() -> None:
    d = F(1, 7)
    m = G.diameter_two_state(d, GAMMA)
    average = rl.AverageReward().run(m)
    assert average.gain.tolist() == [1, 1]
    assert diameter(m) == 1 / d == rl.span(average.bias)


# ---- variance, horizons, shortest paths --------------------------------------------------


def test_coin() -> None:
    m = G.coin(GAMMA)
    returns = [rl.evaluate(m, [a, 0, 0]).V[0] for a in (0, 1)]
    assert ((returns[1] - returns[0]) / 2) ** 2 == 1 / (4 * (1 - GAMMA) ** 2)
    t = G.coin(GAMMA, where="transition")
    v = rl.solve(t).V
    assert (GAMMA * (v[2] - v[1]) / 2) ** 2 == GAMMA**2 / (4 * (1 - GAMMA) ** 2)


@pytest.mark.parametrize(("up", "down", "limit"), [(0.5, 0.5, 8**-0.5), (0.535, 0.219, 0.371195)])
def test_slow_switch(up: float, down: float, limit: float) -> None:
    g = 1 - 1e-6
    m = G.slow_switch(g, up=up, down=down)
    P, v = m.P[:, 0], rl.solve(m).V
    deviation = np.sqrt(P[:, 0] * P[:, 1]) * abs(v[1] - v[0])
    weighed = np.linalg.solve(np.eye(2) - g * P, deviation).max()
    assert abs(weighed * (1 - g) ** 1.5 - limit) < 2e-6


def test_azar_loop() -> None:
    m = G.azar_loop(GAMMA)
    p = (4 * GAMMA - 1) / (3 * GAMMA)
    assert rl.solve(m).V[0] == 1 / (1 - GAMMA * p) == 3 / (4 * (1 - GAMMA))


def test_cash_out() -> None:
    model = G.cash_out()
    assert rl.BackwardInduction().run(model).V[0, 0] == F(11, 5)
    stage = model.stage(0)
    best = []
    for a in (0, 1):
        P, R = policy_parts(stage, [a, 0])
        v = zeros(2)
        for _ in range(3):
            v = R + matmul(P, v)
        best.append(v[0])
    assert max(best) == F(9, 5)


def test_countdown_and_improper() -> None:
    assert rl.SSPSolver().run(G.countdown(4)).V.tolist() == [0, -1, -2, -3, -4]
    sol = rl.SSPSolver().run(G.ssp_improper())
    assert sol.V.tolist() == [-1, 0]
    assert sol.info["some_improper"]


# ---- closed forms of the families --------------------------------------------------------


def test_closed_forms() -> None:
    g = GAMMA
    assert rl.solve(G.one_state((1, F(1, 2)), g)).V[0] == 10
    assert rl.solve(G.two_cycle(g)).V.tolist() == [1 / (1 - g**2), g / (1 - g**2)]
    assert rl.solve(G.combination_lock(6, 3, g)).V.tolist() == [g ** (5 - s) for s in range(6)] + [0]
    assert rl.solve(G.combination_lock(6, 3, g, seed=1)).V.tolist() == [g ** (5 - s) for s in range(6)] + [0]
    room = rl.solve(G.gridworld(3, 4, g)).V
    assert room.tolist() == [-(1 - g ** (5 - r - c)) / (1 - g) for r in range(3) for c in range(4)]
    assert rl.BackwardInduction().run(G.deep_sea(5)).V[0, 0] == F(99, 100)
    assert rl.BackwardInduction().run(G.deep_sea(5, seed=3)).V[0, 0] == F(99, 100)
    keep = rl.solve(G.machine_replacement(12, g)).pi.actions
    assert all(a <= b for a, b in pairwise(keep))
    assert 0 < keep.sum() < 12
