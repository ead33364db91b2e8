"""Policy evaluation on every structure: closed forms, and agreement between unlike methods."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp

import rltheory as rl
from rltheory import MDP, Policy, Status
from rltheory.errors import InvalidArgument
from rltheory.kernels import evaluate as ev
from rltheory.models.random import garnet, random_garnet


def chain_model(n: int, gamma: float, p: float = 0.6) -> MDP:
    """Lazy reflecting walk on 0..n−1, reward 1 at the right end; tridiagonal."""
    s = np.arange(n)
    data = np.tile([1 - p, p], n)
    cols = np.stack([np.maximum(s - 1, 0), np.minimum(s + 1, n - 1)], axis=1).reshape(-1)
    P = sp.csr_array((data, cols, 2 * np.arange(n + 1)), shape=(n, n))
    P.sum_duplicates()
    return MDP.from_pairs(P, (s == n - 1).astype(float), gamma, pair_state=s, pair_action=0 * s)


def test_exact_values() -> None:
    # two-state chain of the reference sheet: P = ((¾, ¼), (½, ½)), r = (1, 0), γ = 9/10
    mdp = rl.gallery.two_state_chain(gamma=Fraction(9, 10))
    sol = rl.evaluate(mdp, [0, 0])
    assert sol.V.tolist() == [Fraction(220, 31), Fraction(180, 31)]
    assert (sol.status, sol.error) == (Status.EXACT, 0)
    # uniform policy of the 5×5 gridworld, Sutton and Barto fig. 3.2
    grid = rl.gallery.gridworld_5x5(gamma=0.9)
    V = rl.evaluate(grid, np.full((25, 4), 0.25)).V
    assert abs(V[1] - 8.789291862596121) < 1e-12


def test_float_policy_on_an_exact_model_is_lifted() -> None:
    mdp = garnet(3, 4, 3, 2, Fraction(9, 10))
    table = np.random.default_rng(0).dirichlet(np.ones(3), 4)
    V = rl.evaluate(mdp, table).V
    assert all(isinstance(v, Fraction) for v in V)
    assert V.tolist() == rl.evaluate(mdp, Policy(table).exact()).V.tolist()


def test_advantage() -> None:
    mdp = garnet(3, 4, 3, 2, Fraction(9, 10))
    table = np.full((4, 3), Fraction(1, 3), dtype=object)
    adv = rl.advantage(mdp, table)
    assert all((row * Fraction(1, 3)).sum() == 0 for row in adv)
    optimal = rl.solve(mdp)
    assert (rl.advantage(mdp, optimal.pi).max(axis=1) == 0).all()


@pytest.mark.parametrize("gamma", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("n", [5, 400, 5000])
def test_chains_dense_lu_and_sparse_lu(n: int, gamma: float) -> None:
    """Closed form away from the ends: interior values solve v = γ(q v₋ + p v₊), a geometric mix."""
    mdp = chain_model(n, gamma)
    sol = rl.evaluate(mdp, np.zeros(n, dtype=int))
    assert sol.status is Status.SOLVED
    p, q = 0.6, 0.4
    if gamma == 0.0:
        assert sol.V.tolist() == [0.0] * (n - 1) + [1.0]
        return
    up = (1 + np.sqrt(1 - 4 * p * q * gamma**2)) / (2 * p * gamma)  # roots of γp x² − x + γq
    down = q / p / up
    # V = a up^(s−n+1) + b down^s, fixed by the two ends
    M = np.array([
        [up ** (1.0 - n) - gamma * (q * up ** (1.0 - n) + p * up ** (2.0 - n)), 1 - gamma * (q + p * down)],
        [1 - gamma * (q / up + p), down ** (n - 1) - gamma * (q * down ** (n - 2) + p * down ** (n - 1))],
    ])  # fmt: skip
    a, b = np.linalg.solve(M, [0.0, 1.0])
    s = np.arange(n)
    closed = a * up ** (s - n + 1.0) + b * down ** s.astype(float)
    assert np.abs(sol.V - closed).max() <= float(sol.error) + 1e-9 * max(1.0, closed.max())


def test_every_linear_route_agrees() -> None:
    """Dense LU, sparse LU, BiCGSTAB and sweeps on one chain."""
    mdp = random_garnet(300, 2, 4, gamma=0.95, seed=1, window=5)
    P = rl.transition_matrix(mdp, np.zeros(300, dtype=int), sparse=True)
    b = np.random.default_rng(0).normal(size=300)
    dense = np.linalg.solve(np.eye(300) - 0.95 * P.toarray(), b)
    lu = ev._direct(P, b, 0.95, ev._sparse_factor(P, 0.95))
    krylov = ev._krylov(P, b, 0.95, b, False)
    sweeps = ev._neumann(P, b, 0.95, b, False)
    for x in (lu, krylov, sweeps, ev.solve_discounted(P, b, 0.95)):
        assert np.abs(x - dense).max() <= 1e-11
    dense = np.linalg.solve(np.eye(300) - 0.95 * P.toarray().T, b)
    krylov = ev._krylov(P.T, b, 0.95, b, True)
    sweeps = ev._neumann(P.T, b, 0.95, b / 0.05, True)
    for x in (krylov, sweeps, ev.solve_discounted(P.T, b, 0.95, transposed=True)):
        assert np.abs(x - dense).max() <= 1e-11


def test_little_fill_tells_chains_from_expanders() -> None:
    chain = rl.transition_matrix(chain_model(5000, 0.9), np.zeros(5000, dtype=int), sparse=True)
    assert ev.little_fill(chain)
    wild = rl.transition_matrix(
        random_garnet(5000, 1, 4, gamma=0.9, seed=0), np.zeros(5000, dtype=int), sparse=True
    )
    assert not ev.little_fill(wild)


@pytest.mark.parametrize("gamma", [0.9, 0.9999])
def test_large_expanders_and_occupancies(gamma: float) -> None:
    mdp = random_garnet(5000, 2, 4, gamma=gamma, seed=0)
    pi = np.zeros(5000, dtype=int)
    sol = rl.evaluate(mdp, pi)
    assert sol.status is Status.SOLVED
    d = rl.occupancy(mdp, pi)
    assert abs(d.sum() - 1) <= 1e-10
    R = rl.reward_vector(mdp, pi)
    assert abs(d @ R / (1 - gamma) - mdp.mu @ sol.V) <= 2 * sol.error + 1e-9 / (1 - gamma)


def test_high_discount_stalls_honestly_or_is_solved() -> None:
    mdp = chain_model(50, 1 - 1e-12)
    sol = rl.evaluate(mdp, np.zeros(50, dtype=int))
    assert sol.status in (Status.SOLVED, Status.STALLED)
    exact = rl.evaluate(mdp.exact(), np.zeros(50, dtype=int)).V
    assert (rl.exact_array(sol.lower) <= exact).all()
    assert (rl.exact_array(sol.upper) >= exact).all()


def test_policies_with_lost_probabilities_are_refused() -> None:
    mdp = rl.gallery.puterman_two_state(gamma=0.9)
    tiny = Fraction(1, 10**400)
    pi = Policy([[1 - tiny, tiny], [Fraction(1), Fraction(0)]])
    with pytest.raises(InvalidArgument, match="below 1e-300"):
        rl.evaluate(mdp, pi)
    assert rl.evaluate(mdp.exact(), pi).error == 0
