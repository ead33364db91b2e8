"""Batched backward induction and occupancies against one-by-one solves and exact arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP, FiniteHorizonMDP
from rltheory.errors import InvalidArgument, InvalidModel, NotConverged
from rltheory.kernels import horizon
from rltheory.solvers import occupancy_batch, solve_horizon_batch
from tests.instances import inside, to_q


def draw(rng: np.random.Generator, B: int, S: int, A: int) -> tuple[np.ndarray, np.ndarray]:
    P = rng.dirichlet(np.full(S, 0.3), (B, S, A))
    return P, rng.normal(size=(B, S, A)) * 10.0 ** rng.uniform(-3, 3, (B, 1, 1))


@pytest.mark.parametrize(("S", "A"), [(1, 1), (2, 3), (5, 2), (8, 3), (7, 1), (20, 4)])
def test_agrees_with_one_by_one(S: int, A: int) -> None:
    rng = np.random.default_rng(S)
    P, R = draw(rng, 12, S, A)
    gamma, end = rng.choice([0.0, 0.9, 1.0], 12), rng.normal(size=(12, S))
    batch = solve_horizon_batch(P, R, 9, gamma, terminal_reward=end).raise_if_failed()
    for b in range(12):
        one = rl.solve(FiniteHorizonMDP(P[b], R[b], 9, gamma=gamma[b], terminal_reward=end[b]))
        assert np.abs(one.V - batch.V[b]).max() <= one.error + batch.error[b]
        assert (one.pi == batch.pi[b]).all()
    assert (batch.V[:, 9] == end).all()
    assert not batch.pi.flags.writeable


def test_exact_values_are_inside_and_the_bound_is_not_idle() -> None:
    rng = np.random.default_rng(1)
    outside = 0
    for S, A, H in ((1, 2, 30), (3, 2, 12), (5, 3, 6)):
        P, R = draw(rng, 10, S, A)
        gamma = rng.choice([0.5, 0.99, 1.0], 10)
        batch = solve_horizon_batch(P, R, H, gamma)
        assert (batch.error < 1e-12 * np.abs(batch.V).max(axis=(1, 2)) + 1e-300).all()
        for b in range(10):
            V = [to_q(0.0)] * S
            g = to_q(float(gamma[b]))
            for h in reversed(range(H)):
                q = [
                    [
                        to_q(float(R[b, s, a])) + g * sum(to_q(float(P[b, s, a, t])) * V[t] for t in range(S))
                        for a in range(A)
                    ]
                    for s in range(S)
                ]
                V = [max(row) for row in q]
                assert inside(V, batch.lower[b, h], batch.upper[b, h])
                assert to_q(batch.value(b, 0, h).lower) <= V[0] <= to_q(batch.value(b, 0, h).upper)
                outside += not inside(V, batch.V[b, h], batch.V[b, h])
    assert outside > 100


def test_overflow_is_never_certified() -> None:
    P, R = draw(np.random.default_rng(2), 3, 4, 2)
    R[1] = 1e308
    batch = solve_horizon_batch(P, R, 5)
    assert np.isfinite(batch.error).tolist() == [True, False, True]
    assert batch.value(1, 0).upper == np.inf
    assert (batch.lower[1, 0] == -np.inf).all()
    with pytest.raises(NotConverged, match="model 1"):
        batch.raise_if_failed()
    V, bound = np.full((1, 3, 4), np.nan), np.empty((1, 3))
    horizon.horizon_errors(P[:1].reshape(1, 8, 4), R[:1].reshape(1, 8), np.ones(1), V, bound)
    assert (bound[0, :2] == np.inf).all()


def test_occupancies_agree_with_one_by_one() -> None:
    rng = np.random.default_rng(3)
    P, R = draw(rng, 10, 6, 3)
    gamma = rng.choice([0.0, 0.9, 0.999], 10)
    mu = rng.dirichlet(np.ones(6), 10)
    mixed, acts = rng.dirichlet(np.ones(3), (10, 6)), rng.integers(3, size=(10, 6))
    for pi in (mixed, acts):
        d = occupancy_batch(P, gamma, pi, mu)
        raw = occupancy_batch(P, gamma, pi, mu, normalised=False)
        for b in range(10):
            mdp = MDP(P[b], R[b], float(gamma[b]))
            P_pi = rl.transition_matrix(mdp, pi[b])
            ref = np.linalg.solve(np.eye(6) - gamma[b] * P_pi.T, mu[b])
            assert np.abs(raw[b] - ref).sum() < 1e-13 / (1 - gamma[b])
            assert abs(d[b].sum() - 1) < 1e-12
            assert np.abs(d[b] - rl.occupancy(mdp, pi[b], mu[b])).sum() < 1e-12


def test_refusals() -> None:
    P, R = draw(np.random.default_rng(4), 2, 3, 2)
    with pytest.raises(InvalidArgument, match="H=0"):
        solve_horizon_batch(P, R, 0)
    with pytest.raises(InvalidModel, match=r"gamma\[0\]=1.5 is outside \[0, 1\]"):
        solve_horizon_batch(P, R, 2, 1.5)
    with pytest.raises(InvalidModel, match="terminal_reward"):
        solve_horizon_batch(P, R, 2, terminal_reward=[0.0])
    with pytest.raises(InvalidModel, match=r"outside \[0, 1\)"):
        rl.solve_batch(P, R, 1.0)
    with pytest.raises(InvalidArgument, match="mu"):
        occupancy_batch(P, 0.9, np.zeros((2, 3), int), mu=[0.5, 0.5, 0.5])
    with pytest.raises(InvalidArgument, match="mu: shape"):
        occupancy_batch(P, 0.9, np.zeros((2, 3), int), mu=[1.0])
    P[1, 0, 1] = 0.9
    with pytest.raises(InvalidModel, match=r"model 1: row \(s=0, a=1\)"):
        solve_horizon_batch(P, R, 2)
