"""Rational linear algebra and backups against plain Fraction arithmetic."""

from fractions import Fraction as F

import numpy as np
import pytest

from rltheory import MDP
from rltheory.arrays import exact_array
from rltheory.kernels import exact as ex


def random_exact(rng, *shape):
    return exact_array(rng.integers(-9, 10, shape)) / exact_array(rng.integers(1, 12, shape))


def test_conversions_round_trip_doubles_and_fractions():
    x = exact_array([[0.1, F(2, 7)], [3, -1e-300]])
    assert (ex.from_fmpq_mat(ex.to_fmpq_mat(x)) == x).all()
    assert ex.from_fmpq(ex.to_fmpq(0.1)) == F(0.1) != F(1, 10)


def test_solve_and_matmul_are_inverse():
    rng = np.random.default_rng(0)
    for n in (1, 3, 7):
        A, x = random_exact(rng, n, n) + 20 * exact_array(np.eye(n)), random_exact(rng, n)
        b = ex.matmul(A, x)
        assert (b == A.dot(x)).all()
        assert (ex.solve_linear(A, b) == x).all()
        assert (ex.solve_linear(A, np.stack([b, b], axis=1))[:, 1] == x).all()
        assert (ex.matmul(A, ex.inverse(A)) == exact_array(np.eye(n))).all()


def test_singular_system_is_refused():
    with pytest.raises(ZeroDivisionError):
        ex.solve_linear([[1, 2], [2, 4]], [1, 1])


def mdp(ragged=False):
    P = exact_array(
        np.array([[[F(1, 2), F(1, 2)], [F(1, 3), F(2, 3)]], [[F(1, 2), F(1, 2)], [F(9, 17), F(8, 17)]]])
    )
    R = exact_array(np.array([[F(27, 50), F(18, 25)], [F(11, 20), F(83, 100)]]))
    if not ragged:
        return MDP(P, R, F(9, 10))
    return MDP.from_pairs(
        P.reshape(4, 2)[:3], R.reshape(-1)[:3], F(9, 10), pair_state=[0, 0, 1], pair_action=[0, 1, 0]
    )


@pytest.mark.parametrize("ragged", [False, True])
def test_backup_and_evaluation_match_fractions(ragged):
    m = mdp(ragged)
    V = exact_array([F(1, 3), F(-2, 5)])
    q = m.R_pairs + m.gamma * m.P_pairs.dot(V)
    assert (ex.from_fmpq_list(ex.q_pairs(m.rational, ex.to_fmpq_list(V))) == q).all()
    TV, best = ex.backup(m.rational, ex.to_fmpq_list(V))
    for s in range(2):
        block = q[m.state_ptr[s] : m.state_ptr[s + 1]]
        assert ex.from_fmpq(TV[s]) == block.max()
        assert best[s] == m.state_ptr[s] + list(block).index(block.max())
    rows = [1, 2]
    v = ex.from_fmpq_list(ex.evaluate_rows(m.rational, rows))
    assert (v == m.R_pairs[rows] + m.gamma * m.P_pairs[rows].dot(v)).all()


def test_sparse_and_dense_backup_agree():
    S = 70
    P = np.zeros((S, 1, S))
    P[np.arange(S), 0, (np.arange(S) + 1) % S] = 1
    m = MDP(exact_array(P), exact_array(np.arange(S, dtype=float)), F(1, 2))
    V = ex.to_fmpq_list(np.arange(S) ** 2)
    assert not m.rational._dense
    assert ex.expected_next(m.rational, V) == list((m.rational.P * ex.column(V)).entries())


def test_ties_lists_every_maximiser():
    q = ex.to_fmpq_list([1, 3, 3, 2, 2, 2])
    assert ex.ties([0, 3, 6], q) == [[1, 2], [3, 4, 5]]
    assert ex.maximise([0, 3, 6], q)[1] == [1, 3]


def test_reference_value_garnet_1_2_2_2():
    m = mdp()
    v = ex.from_fmpq_list(ex.evaluate_rows(m.rational, [1, 3]))
    assert list(v) == [F(7761, 1000), F(15709, 2000)]
    assert ex.backup(m.rational, ex.to_fmpq_list(v)) == (ex.to_fmpq_list(v), [1, 3])
