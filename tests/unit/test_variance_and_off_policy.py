"""Return variances and off-policy estimators against second moments, enumeration and hand numbers."""

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest

import rltheory as rl
from rltheory.arrays import exact_array
from rltheory.errors import InvalidArgument
from rltheory.kernels import exact as ex
from rltheory.models import gallery
from rltheory.solvers.backward_induction import BackwardInduction, evaluate_horizon
from rltheory.solvers.off_policy import (
    dr_variance,
    estimate,
    marginal_ratio,
    off_policy_moments,
    policy_table,
    ratio_second_moment,
    trajectories,
    weighted_is_mean,
)
from rltheory.solvers.variance import horizon_variance, return_variance


def law(rng, *shape):
    w = exact_array(rng.integers(0, 4, shape) + 1)
    return w / w.sum(-1, keepdims=True)


def random_mdp(rng, S=3, A=2, gamma=F(4, 5), transition_rewards=False):
    R = exact_array(rng.integers(-3, 4, (S, A, S) if transition_rewards else (S, A)))
    return rl.MDP(law(rng, S, A, S), R, gamma)


@pytest.mark.parametrize("transition_rewards", [False, True])
@pytest.mark.parametrize("stochastic", [False, True])
def test_variance_is_second_moment_minus_squared_mean(transition_rewards, stochastic):
    """E[G²] solves its own system: M = Σ π p (r² + 2γ r v + γ² M)."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        m = random_mdp(rng, transition_rewards=transition_rewards)
        pi = law(rng, 3, 2) if stochastic else rl.Policy(rng.integers(0, 2, 3)).matrix(2, exact=True)
        full = m.R_next if transition_rewards else np.repeat(m.R[:, :, None], 3, axis=2)
        w = pi[:, :, None] * m.P
        P = w.sum(axis=1)
        I = exact_array(np.eye(3, dtype=int))
        v = ex.solve_linear(I - m.gamma * P, (w * full).sum((1, 2)))
        b = (w * (full * full + 2 * m.gamma * full * v)).sum((1, 2))
        second = ex.solve_linear(I - m.gamma**2 * P, b)
        out = return_variance(m, pi)
        assert (out.mean == v).all()
        assert (out.variance == second - v * v).all()
        f = return_variance(m.float(), rl.Policy(pi).float())
        lifted = return_variance(m.float().exact(), rl.Policy(pi).float())
        assert (exact_array(f.lower) <= lifted.variance).all()
        assert (lifted.variance <= exact_array(f.upper)).all()
        assert (exact_array(f.mean_lower) <= lifted.mean).all()
        assert (lifted.mean <= exact_array(f.mean_upper)).all()
        assert f.error < 1e-9


def test_reward_noise_adds():
    m = rl.MDP(exact_array([[[1]]]), exact_array([[2]]), F(1, 2))
    assert return_variance(m, [0], reward_variance=[[3]]).variance[0] == 3 / (1 - F(1, 4))
    with pytest.raises(InvalidArgument, match="reward_variance"):
        return_variance(m, [0], reward_variance=[[-1]])


def test_two_state_chain_reference():
    out = return_variance(gallery.two_state_chain(F(9, 10)), [0, 0])
    assert out.mean.tolist() == [F(220, 31), F(180, 31)]
    assert out.variance.tolist() == [F(8407800, 5824621), F(9023400, 5824621)]


def horizon_model(rng, H=3, gamma=F(9, 10)):
    S, A = 2, 2
    return rl.FiniteHorizonMDP(
        law(rng, H, S, A, S), exact_array(rng.integers(-3, 4, (H, S, A))), H, gamma=gamma,
        terminal_reward=exact_array(rng.integers(-1, 2, S)),
    )  # fmt: skip


def enumerate_returns(m, pi, s):
    """(probability, return) of every path, written as nested loops over the definition."""
    out = []
    for actions in itertools.product(range(2), repeat=m.H):
        for states in itertools.product(range(2), repeat=m.H):
            p, g, at = F(1), F(0), s
            for h in range(m.H):
                p *= pi[h, at, actions[h]] * m.P[h, at, actions[h], states[h]]
                g += m.gamma**h * m.R[h, at, actions[h]]
                at = states[h]
            out.append((p, g + m.gamma**m.H * m.terminal_reward[at]))
    return out


def test_horizon_variance_by_enumeration():
    rng = np.random.default_rng(1)
    for _ in range(8):
        m, pi = horizon_model(rng), law(rng, 3, 2, 2)
        out = horizon_variance(m, pi)
        for s in range(2):
            paths = enumerate_returns(m, pi, s)
            mean = sum(p * g for p, g in paths)
            assert out.mean[0, s] == mean
            assert out.variance[0, s] == sum(p * (g - mean) ** 2 for p, g in paths)
        assert (out.mean == evaluate_horizon(m, pi).V).all()
        f = horizon_variance(m.float(), pi.astype(float))
        lifted = horizon_variance(m.float().exact(), pi.astype(float))
        assert (exact_array(f.lower) <= lifted.variance).all()
        assert (lifted.variance <= exact_array(f.upper)).all()


def test_horizon_variance_of_transition_rewards_and_noise():
    full = exact_array(np.arange(8).reshape(1, 2, 2, 2))
    P = law(np.random.default_rng(2), 2, 2, 2)
    m = rl.FiniteHorizonMDP(P, full, 1)
    row = full[0, 0, 1]
    mean = (P[0, 1] * row).sum()
    want = (P[0, 1] * (row - mean) ** 2).sum()
    assert horizon_variance(m, [1, 1]).variance[0, 0] == want
    assert horizon_variance(m, [1, 1], reward_variance=np.full((2, 2), 5)).variance[0, 0] == want + 5


@pytest.mark.parametrize("kind", ["is", "pdis", "dr"])
def test_estimators_are_unbiased(kind):
    rng = np.random.default_rng(3)
    for _ in range(6):
        m, pi, b = horizon_model(rng), law(rng, 3, 2, 2), law(rng, 3, 2, 2)
        q_hat = exact_array(rng.integers(-3, 4, (3, 2, 2)))
        mean, var = off_policy_moments(m, pi, b, kind, q_hat=q_hat)
        assert (mean == evaluate_horizon(m, pi).V[0]).all()
        assert (var >= 0).all()
        fm, fv = off_policy_moments(m.float(), pi.astype(float), b.astype(float), kind, q_hat=q_hat)
        assert np.allclose(fm, mean.astype(float))
        assert np.allclose(fv, var.astype(float))
        if kind == "dr":
            assert (dr_variance(m, pi, b, q_hat)[0] == var).all()
            zero = off_policy_moments(m, pi, b, "dr")
            assert (zero[1] == off_policy_moments(m, pi, b, "pdis")[1]).all()
            assert (dr_variance(m, pi, b)[0] == zero[1]).all()
            true_q = evaluate_horizon(m, pi).Q
            assert (dr_variance(m, pi, b, true_q) <= dr_variance(m, pi, b, q_hat)).all()


def test_trajectories_carry_their_probability_and_ratios():
    rng = np.random.default_rng(4)
    m, pi, b = horizon_model(rng), law(rng, 3, 2, 2), law(rng, 3, 2, 2)
    paths = list(trajectories(m, b, pi, start=1))
    assert sum(x.prob for x in paths) == 1
    assert len({(x.states, x.actions) for x in paths}) == len(paths) == 4**3
    x = paths[17]
    assert x.ratios == tuple(pi[h, s, a] / b[h, s, a] for h, (s, a) in enumerate(zip(x.states, x.actions)))
    assert sum(x.prob * math.prod(x.ratios) for x in paths) == 1
    square = sum(x.prob * math.prod(x.ratios) ** 2 for x in paths)
    assert square == ratio_second_moment(m, pi, b)[1]
    assert all(x.ratios == (1, 1, 1) for x in trajectories(m, b))


def test_single_state_ratio_moment_is_a_power():
    m = rl.FiniteHorizonMDP(exact_array([[[1], [1]]]), exact_array([[1, 0]]), 4)
    pi, b = exact_array([[F(4, 5), F(1, 5)]]), exact_array([[F(1, 2), F(1, 2)]])
    assert ratio_second_moment(m, pi, b)[0] == (2 * (F(16, 25) + F(1, 25))) ** 4


def test_weighted_is_is_biased():
    """b = (½, ½), π = (⅘, ⅕), r = (1, 0), two samples: 13/20, not 4/5."""
    m = rl.FiniteHorizonMDP(exact_array([[[1], [1]]]), exact_array([[1, 0]]), 1)
    pi, b = exact_array([[F(4, 5), F(1, 5)]]), exact_array([[F(1, 2), F(1, 2)]])
    assert weighted_is_mean(m, pi, b, 2) == F(13, 20)
    assert weighted_is_mean(m, pi, b, 1) == F(1, 2)
    assert weighted_is_mean(m, pi, b, 40) > F(79, 100)
    by_hand = sum(
        F(1, 8) * sum(w[i] * r[i] for i in k) / sum(w[i] for i in k)
        for w, r in [((F(8, 5), F(2, 5)), (1, 0))] for k in itertools.product(range(2), repeat=3)
    )  # fmt: skip
    assert weighted_is_mean(m, pi, b, 3) == by_hand


def test_marginal_ratio_reweights_the_behaviour_occupancy():
    rng = np.random.default_rng(5)
    for _ in range(5):
        m, pi, b, mu = random_mdp(rng), law(rng, 3, 2), law(rng, 3, 2), law(rng, 3)
        w = marginal_ratio(m, pi, b, mu)
        d = rl.state_action_occupancy(m, b, mu)
        assert (d * w * m.R).sum() / (1 - m.gamma) == (mu * rl.evaluate(m, pi).V).sum()
        for t, a in itertools.product(range(3), range(2)):
            inflow = (1 - m.gamma) * mu[t] + m.gamma * (d * w * m.P[:, :, t]).sum()
            assert d[t, a] * w[t, a] == pi[t, a] * inflow


def test_policy_table_and_ragged_models():
    m = gallery.puterman_inventory_finite(2)
    sol = BackwardInduction().run(m)
    table = policy_table(m, sol.pi)
    assert table.shape == (2, 4, 4)
    assert (table.sum(-1) == 1).all()
    uniform = np.where(m.stage(0).allowed, exact_array(np.ones((4, 4), dtype=int)), F(0))
    uniform = uniform / uniform.sum(1, keepdims=True)
    mean, _ = off_policy_moments(m, sol.pi, uniform, "pdis")
    assert (mean == sol.V[0]).all()


def test_refusals():
    m = rl.FiniteHorizonMDP(exact_array([[[1], [1]]]), exact_array([[1, 0]]), 3)
    with pytest.raises(InvalidArgument, match="must cover the target"):
        off_policy_moments(m, [1], [0])
    with pytest.raises(InvalidArgument, match="needs q_hat"):
        estimate(next(trajectories(m, [0])), "dr")
    with pytest.raises(InvalidArgument, match="estimator='wis'"):
        estimate(next(trajectories(m, [0])), "wis")
    with pytest.raises(InvalidArgument, match="start=4"):
        list(trajectories(m, [0], start=4))
    long = rl.FiniteHorizonMDP(exact_array([[[1], [1]]]), exact_array([[1, 0]]), 40)
    with pytest.raises(InvalidArgument, match="shorten the horizon"):
        list(trajectories(long, [[F(1, 2), F(1, 2)]]))
    with pytest.raises(InvalidArgument, match="b never does"):
        marginal_ratio(random_mdp(np.random.default_rng(0)), [0, 0, 0], [1, 1, 1])
    with pytest.raises(InvalidArgument, match="q_hat: shape"):
        off_policy_moments(m, [0], [0], "dr", q_hat=[[1]])
