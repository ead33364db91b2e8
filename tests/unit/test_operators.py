"""Operators against sums written out by hand, dense and CSR, float and rational."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP, Policy
from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.kernels import bellman_csr, bellman_dense
from rltheory.operators._arrays import csr_arrays, pair_arrays, read_only, state_pointer
from tests.instances import wild_model


def ragged() -> MDP:
    """Three states; state 0 allows actions {0, 2}, state 1 {1}, state 2 is terminal."""
    P = [[0.5, 0.5, 0.0], [0.0, 0.25, 0.75], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    return MDP.from_pairs(
        np.array(P), [1.0, 2.0, 3.0, 0.0], 0.5,
        pair_state=[0, 0, 1, 2], pair_action=[0, 2, 1, 0], terminal=[2],
    )  # fmt: skip


def by_hand(mdp: MDP, V: np.ndarray) -> dict[tuple[int, int], object]:
    return {
        (int(s), int(a)): r + mdp.gamma * sum(p * v for p, v in zip(row, V))
        for s, a, r, row in zip(mdp.pair_state, mdp.pair_action, mdp.R_pairs, mdp.P_pairs)
    }


def test_values_by_hand() -> None:
    mdp, V = ragged(), np.array([4.0, 8.0, 0.0])
    Q = rl.q_values(mdp, V)
    assert Q.tolist() == [[4.0, -np.inf, 3.0], [-np.inf, 5.0, -np.inf], [0.0, -np.inf, -np.inf]]
    assert rl.bellman(mdp)(V).tolist() == [4.0, 5.0, 0.0]
    assert rl.bellman(mdp, [2, 1, 0])(V).tolist() == [3.0, 5.0, 0.0]
    mixed = [[0.25, 0, 0.75], [0, 1, 0], [1, 0, 0]]
    assert rl.bellman(mdp, mixed)(V).tolist() == [3.25, 5.0, 0.0]
    assert rl.greedy(mdp, V).actions.tolist() == [0, 1, 0]
    assert rl.transition_matrix(mdp, mixed).tolist() == [[0.125, 0.3125, 0.5625], [1, 0, 0], [0, 0, 1]]
    assert rl.transition_matrix(mdp, mixed, sparse=True).toarray().tolist() == [
        [0.125, 0.3125, 0.5625], [1, 0, 0], [0, 0, 1],
    ]  # fmt: skip
    assert rl.reward_vector(mdp, mixed).tolist() == [1.75, 3.0, 0.0]
    assert rl.reward_vector(mdp, [2, 1, 0]).tolist() == [2.0, 3.0, 0.0]


@pytest.mark.parametrize("seed", range(30))
def test_layouts_and_number_systems_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mdp = wild_model(rng)
    scale = max(1.0, float(np.abs(mdp.R_pairs).max()))
    V = rng.normal(size=mdp.S) * scale
    hand = by_hand(mdp.exact(), rl.exact_array(V))
    Q, exact_Q = rl.q_values(mdp, V), rl.q_values(mdp.exact(), V)
    T, exact_T = rl.bellman(mdp)(V), rl.bellman(mdp.exact())(V)
    for (s, a), q in hand.items():
        assert exact_Q[s, a] == q
        assert abs(Fraction(Q[s, a]) - q) <= 1e-14 * scale
    assert ((exact_Q == -np.inf) == ~mdp.allowed).all()
    for s in range(mdp.S):
        best = max(q for (t, _), q in hand.items() if t == s)
        assert exact_T[s] == best
        assert abs(Fraction(T[s]) - best) <= 1e-14 * scale
    acts = [int(rng.choice(np.flatnonzero(mdp.allowed[s]))) for s in range(mdp.S)]
    one_hot = Policy(acts, A=mdp.A).matrix()
    for pi in (acts, one_hot):
        assert np.allclose(rl.bellman(mdp, pi)(V), [float(hand[s, a]) for s, a in enumerate(acts)], 1e-13)
        assert rl.bellman(mdp.exact(), pi)(V).tolist() == [hand[s, a] for s, a in enumerate(acts)]
        assert (rl.transition_matrix(mdp, pi) == rl.transition_matrix(mdp, pi, sparse=True).toarray()).all()


@pytest.mark.parametrize("S", [1, 2, 3, 4, 5, 7, 8, 9, 33])
def test_kernels_of_both_layouts_agree_with_numpy(S: int) -> None:
    rng = np.random.default_rng(S)
    A = 3
    P, R, gamma = rng.dirichlet(np.ones(S), S * A), rng.normal(size=S * A), 0.9
    mdp = MDP(P.reshape(S, A, S), R.reshape(S, A), gamma)
    V = rng.normal(size=S)
    q = R + gamma * P @ V
    table = q.reshape(S, A)
    dense = (read_only(mdp.P_pairs), read_only(mdp.R_pairs), gamma, state_pointer(mdp))
    order = read_only(rng.permutation(S).astype(np.uint32))
    expected = V.copy()
    for s in order:
        expected[s] = max(R[s * A + a] + gamma * P[s * A + a] @ expected for a in range(A))
    for kernels, model in ((bellman_dense, dense), (bellman_csr, csr_arrays(mdp))):
        out, arg = np.empty(S), np.empty(S, np.uint64)
        scratch = (np.empty(S * A),) if kernels is bellman_dense else ()
        lo, hi = kernels.backup(*model, V, out, arg, *scratch)
        assert np.allclose(out, table.max(axis=1), rtol=0, atol=1e-14 * S)
        assert (arg == np.arange(S) * A + table.argmax(axis=1)).all()
        assert np.allclose([lo, hi], [(out - V).min(), (out - V).max()], rtol=0, atol=0)
        got = np.empty(S * A)
        kernels.q_values(*model, V, got)
        assert np.allclose(got, q, rtol=0, atol=1e-14 * S)
        x = V.copy()
        lo, hi = kernels.gauss_seidel(*model, order, x)
        assert np.allclose(x, expected, rtol=0, atol=1e-14 * S)
        assert np.allclose([lo, hi], [(x - V).min(), (x - V).max()], rtol=0, atol=0)


@pytest.mark.parametrize("S", [17, 30, 1031])
def test_dense_products_of_any_length_agree_with_numpy(S: int) -> None:
    A, rng = 2, np.random.default_rng(0)
    P = rng.random((S * A, S))
    R, V, q = rng.random(S * A), rng.random(S), np.empty(S * A)
    ptr = read_only((np.arange(S + 1) * A).astype(np.uint64))
    bellman_dense.q_values(read_only(P), read_only(R), 0.9, ptr, V, q)
    assert np.allclose(q, R + 0.9 * P @ V, rtol=1e-13)


def test_mostly_zero_dense_models_run_on_csr() -> None:
    S = 70
    P = np.zeros((S, 1, S))
    P[np.arange(S), 0, (np.arange(S) + 1) % S] = 1
    mdp = MDP(P, np.ones((S, 1)), 0.5)
    assert not pair_arrays(mdp).dense
    assert np.allclose(rl.solve(mdp).V, 2)


def test_nan_in_a_backup_is_reported() -> None:
    mdp = ragged()
    out, arg = np.empty(3), np.empty(3, np.uint64)
    lo, hi = bellman_csr.backup(*csr_arrays(mdp), np.array([0.0, np.nan, 0.0]), out, arg)
    assert np.isnan(lo)
    assert np.isnan(hi)


def test_greedy_ties() -> None:
    mdp = MDP([[[1.0]] * 3], [[1.0, 1.0 + 1e-15, 0.5]], 0.5)
    assert rl.greedy(mdp, [0.0]).actions.tolist() == [0]
    assert rl.greedy(mdp, [0.0], keep=Policy([1])).actions.tolist() == [1]
    assert rl.greedy(mdp, [0.0], keep=Policy([2])).actions.tolist() == [0]
    assert rl.greedy(mdp.exact(), [0]).actions.tolist() == [1]
    near = MDP([[[1.0]] * 2], [[1.0, 1.0 + 1e-9]], 0.5)
    assert rl.greedy(near, [0.0]).actions.tolist() == [1]


def test_occupancies() -> None:
    mdp = rl.gallery.puterman_two_state(gamma=Fraction(9, 10))
    pi = [0, 0]
    # from state 0: stays with ½; d(0) = Σ (9/20)^n = 20/11 unnormalised
    d = rl.occupancy(mdp, pi, mu=[1, 0], normalised=False)
    assert d.tolist() == [Fraction(20, 11), 10 - Fraction(20, 11)]
    assert rl.occupancy(mdp, pi).sum() == 1
    table = rl.state_action_occupancy(mdp, pi, normalised=False)
    assert table.sum() == 10
    assert table[0, 1] == 0
    float_d = rl.occupancy(mdp.float(), pi, mu=[1, 0], normalised=False)
    assert np.allclose(float_d, d.astype(float), rtol=1e-14)


@pytest.mark.parametrize("seed", range(10))
def test_occupancy_pairs_with_values(seed: int) -> None:
    """μ·V^π = Σ d(s, a) R(s, a), an identity of two different linear solves."""
    rng = np.random.default_rng(seed)
    mdp = wild_model(rng, (0.0, 0.9, 0.99))
    table = mdp.allowed / mdp.allowed.sum(axis=1, keepdims=True)
    for m in (mdp, mdp.exact()):
        mu = np.eye(mdp.S, dtype=int)[seed % mdp.S]
        d = rl.state_action_occupancy(m, table, mu, normalised=False)
        paid = (d[m.pair_state, m.pair_action] * m.R_pairs).sum()
        value = (rl.evaluate(m, table).V * mu).sum()
        if m.is_exact:
            assert paid == value
        else:
            assert abs(paid - value) <= 1e-11 * max(1.0, float(np.abs(mdp.R_pairs).max()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: rl.bellman(m, [1, 1, 0]), r"pi\[0\]=1.*not allowed.*\[0, 2\]"),
        (lambda m: rl.bellman(m, [0, 1, 7]), r"pi\[2\]=7"),
        (lambda m: rl.bellman(m, [0, 1]), r"2 states, the model has S=3"),
        (lambda m: rl.evaluate(m, [[0.5, 0.5, 0], [0, 1, 0], [1, 0, 0]]), r"pi\[0, 1\]=0.5.*not allowed"),
        (lambda m: rl.q_values(m, [1.0, 2.0]), r"shape=\(2,\), must be \(3,\)"),
        (lambda m: rl.occupancy(m, [0, 1, 0], mu=[1, 1, 0]), r"mu: sums to 2"),
        (lambda m: rl.transition_matrix(m.exact(), [0, 1, 0], sparse=True), r"sparse=True with an exact"),
    ],
)
def test_refusals(call: object, message: str) -> None:
    with pytest.raises((InvalidArgument, InvalidModel), match=message):
        call(ragged())
