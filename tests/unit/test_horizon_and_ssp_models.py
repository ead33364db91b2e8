"""FiniteHorizonMDP and SSP: validation, number systems, identity, round trips."""

from fractions import Fraction as F

import numpy as np
import pytest

import rltheory as rl
from rltheory.arrays import exact_array
from rltheory.errors import InvalidModel

P = np.array([[[0.5, 0.5], [1, 0]], [[0, 1], [0.25, 0.75]]])
R = np.array([[1.0, 2], [0, -1]])


def namespace():
    return {"MDP": rl.MDP, "SSP": rl.SSP, "FiniteHorizonMDP": rl.FiniteHorizonMDP, "Fraction": F}


def test_stationary_and_staged_views():
    m = rl.FiniteHorizonMDP(P, R, 3, terminal_reward=[1, 2])
    assert m.stationary
    assert m.P.shape == (3, 2, 2, 2)
    assert (m.stage(2).R_pairs == R.reshape(-1)).all()
    t = rl.FiniteHorizonMDP(P, np.stack([R, 2 * R]), 2)
    assert not t.stationary
    assert (np.stack([R, 2 * R]) == t.R).all()
    assert (t.P[1] == P).all()
    n = rl.FiniteHorizonMDP(np.stack([P, P[::-1]]), R, 2)
    assert (P[::-1] == n.stage(1).P).all()
    with pytest.raises(InvalidModel, match=r"h=2, steps are 0\.\.1"):
        n.stage(2)


def test_transition_rewards_are_averaged_and_kept():
    full = np.arange(16.0).reshape(2, 2, 2, 2)
    m = rl.FiniteHorizonMDP(P, full, 2)
    assert np.allclose(m.R[1], (P * full[1]).sum(-1))
    assert (m.stage(1).R_next == full[1]).all()


def test_state_rewards():
    assert (rl.FiniteHorizonMDP(P, [3.0, 4.0], 2).R[0] == [[3, 3], [4, 4]]).all()


def test_ragged_stages():
    m = rl.MDP.from_pairs([[1.0, 0], [0, 1]], [1.0, 2.0], 0.5, pair_state=[0, 1], pair_action=[1, 0])
    h = rl.FiniteHorizonMDP.from_stages([rl.MDP(P, R, 0.9), m])
    assert h.H == 2
    assert np.isneginf(h.R[1, 0, 0])
    assert h.R[1, 0, 1] == 1
    assert rl.FiniteHorizonMDP.from_mdp(m, 4).stage(3).N == 2


@pytest.mark.parametrize("H", [0, -1, 2.0, True])
def test_bad_horizon(H):
    with pytest.raises(InvalidModel, match="integer ≥ 1"):
        rl.FiniteHorizonMDP(P, R, H)


def test_bad_arrays_are_named():
    with pytest.raises(InvalidModel, match="H=3"):
        rl.FiniteHorizonMDP(np.stack([P, P]), R, 3)
    with pytest.raises(InvalidModel, match=r"R: shape=\(2, 2, 2\)"):
        rl.FiniteHorizonMDP(P, np.ones((2, 2, 2)), 3)
    bad = np.stack([P, P]).copy()
    bad[1, 0, 0] = [0.5, 0.6]
    with pytest.raises(InvalidModel, match=r"step h=1: P: row \(s=0, a=0\) sums to 1\.1"):
        rl.FiniteHorizonMDP(bad, R, 2)
    with pytest.raises(InvalidModel, match="terminal_reward"):
        rl.FiniteHorizonMDP(P, R, 2, terminal_reward=[1, np.nan])
    with pytest.raises(InvalidModel, match=r"outside \[0, 1\]"):
        rl.FiniteHorizonMDP(P, R, 2, gamma=1.5)
    with pytest.raises(InvalidModel, match="1 or H"):
        rl.FiniteHorizonMDP.from_stages([rl.MDP(P, R, 0.5)] * 2, 3)
    with pytest.raises(InvalidModel, match="number system"):
        rl.FiniteHorizonMDP.from_stages([rl.MDP(P, R, 0.5), rl.MDP(P, R, 0.5).exact()])


def test_immutable():
    for m in (rl.FiniteHorizonMDP(P, R, 2), rl.SSP(P * [[[1], [1]], [[0], [0]]], R * [[1], [0]], [1])):
        with pytest.raises(AttributeError):
            m.mu = None


def test_literal_exact_float_round_trip():
    h = rl.FiniteHorizonMDP(P, R, 3, gamma=0.5, terminal_reward=[0, 0.1], mu=[0.25, 0.75])
    s = rl.SSP(P * [[[1], [1]], [[0], [0]]], R * [[1], [0]], [1], mu=[1.0, 0])
    for m in (h, s):
        for x in (m, m.exact()):
            again = eval(x.literal(), namespace())
            assert again == x
            assert hash(again) == hash(x)
        assert m.exact().float() == m
        assert m.exact() != m
        assert m.exact().is_exact
        assert m.exact().exact() is not None
    assert h.exact().terminal_reward[1] == F(0.1)
    assert h != rl.FiniteHorizonMDP(P, R, 4, gamma=0.5, terminal_reward=[0, 0.1], mu=[0.25, 0.75])
    assert h != rl.FiniteHorizonMDP(P, R, 3, gamma=0.5, terminal_reward=[0, 0.2], mu=[0.25, 0.75])


def test_ssp_needs_a_terminal_that_pays_nothing():
    with pytest.raises(InvalidModel, match="no terminal state"):
        rl.SSP(P, R, [])
    with pytest.raises(InvalidModel, match="terminal"):
        rl.SSP(P, R, [1])
    s = rl.SSP(P * [[[1], [1]], [[0], [0]]], R * [[1], [0]], [1])
    with pytest.raises(InvalidModel, match="terminal state 1 pays"):
        s.replace(R=R)


@pytest.mark.parametrize("exact", [False, True])
def test_killing_has_the_discounted_value(exact):
    m = rl.MDP(P, R, 0.75)
    m = m.exact() if exact else m
    k = rl.SSP.killing(m)
    assert k.S == 3
    assert list(np.flatnonzero(k.terminal)) == [2]
    assert (k.mdp.P_pairs[:4, :2] == m.gamma * m.P_pairs).all()
    assert (k.mdp.P_pairs.sum(axis=1) == 1).all()
    t = rl.MDP(P * [[[1], [1]], [[0], [0]]], R * [[1], [0]], 0.5, terminal=[1])
    t = t.exact() if exact else t
    assert list(np.flatnonzero(rl.SSP.killing(t).terminal)) == [1, 2]


def test_exact_arrays_make_exact_models():
    m = rl.FiniteHorizonMDP(exact_array(P), R, 2)
    assert m.is_exact
    assert m.gamma == 1
    assert isinstance(m.gamma, F)
