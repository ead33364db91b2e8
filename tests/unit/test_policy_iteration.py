"""Policy iteration against enumeration of all policies; traces, tie rules, warm start, no cycling."""

import itertools
from fractions import Fraction as F

import numpy as np
import pytest

import rltheory as rl
from rltheory.arrays import exact_array
from rltheory.errors import InvalidArgument
from rltheory.kernels import exact as ex
from rltheory.models import gallery
from rltheory.results import Status
from rltheory.solvers import policy_iteration as module
from rltheory.solvers.policy_iteration import PolicyIteration

RULES = ["howard", "dantzig", "simple-highest", "simple-lowest"]


def best_of_all(mdp):
    """V* by evaluating every deterministic policy."""
    blocks = [range(mdp.state_ptr[s], mdp.state_ptr[s + 1]) for s in range(mdp.S)]
    every = [ex.from_fmpq_list(ex.evaluate_rows(mdp.rational, rows)) for rows in itertools.product(*blocks)]
    return np.max(every, axis=0)


def tied_model(rng):
    """Random exact model with integer rewards in {0, 1}: many ties, sparse rows, ragged actions."""
    S = int(rng.integers(1, 5))
    states = np.sort(np.concatenate([np.arange(S), rng.integers(0, S, int(rng.integers(0, 4)))]))
    actions = [int((states[:k] == states[k]).sum()) for k in range(states.size)]
    w = exact_array(rng.integers(0, 2, (states.size, S)))
    w[np.arange(states.size), rng.integers(0, S, states.size)] += 1
    gamma = F(int(rng.integers(0, 10)), 10)
    R = exact_array(rng.integers(0, 2, states.size))
    return rl.MDP.from_pairs(w / w.sum(1, keepdims=True), R, gamma, pair_state=states, pair_action=actions)


@pytest.mark.parametrize("rule", RULES)
def test_finds_the_best_of_all_policies(rule):
    rng = np.random.default_rng(0)
    for _ in range(30):
        m = tied_model(rng)
        want = best_of_all(m)
        sol = PolicyIteration(rule).run(m)
        assert (want == sol.V).all()
        assert sol.status is Status.EXACT
        assert sol.error == 0
        assert (ex.from_fmpq_list(ex.evaluate_rows(m.rational, module.start_rows(m, sol.pi))) == want).all()
        f = PolicyIteration(rule).run(m.float())
        assert f.status is Status.SOLVED
        exact_float = PolicyIteration(rule).run(m.float().exact()).V
        assert (exact_array(f.lower) <= exact_float).all()
        assert (exact_float <= exact_array(f.upper)).all()


@pytest.mark.parametrize("rule", RULES)
def test_trace_counts_and_single_switches(rule):
    m = gallery.garnet(5, 4, 3, 2, F(9, 10))
    sol = PolicyIteration(rule).run(m)
    assert sol.evaluations == len(sol.trace) == sol.iterations + 1
    assert sol.info["policy_changes"] == sol.iterations
    assert sol.trace[-1].pi == sol.pi
    for step, after in itertools.pairwise(sol.trace):
        assert (after.V >= step.V).all()
        assert (after.V > step.V).any()
        changed = np.flatnonzero(step.pi.actions != after.pi.actions)
        if rule == "howard":
            assert changed.size >= 1
        else:
            (s,) = changed
            q = m.R + m.gamma * m.P.dot(step.V)
            gain = q.max(axis=1) - step.V
            assert after.pi[s] == list(q[s]).index(q[s].max())
            if rule == "dantzig":
                assert s == list(gain).index(gain.max())
            else:
                improvable = np.flatnonzero(gain > 0)
                assert s == (improvable[-1] if rule == "simple-highest" else improvable[0])


def test_current_action_is_kept_on_ties():
    m = gallery.singh_yee(F(9, 10), 1)  # v* = 0 and both actions of every state are compared
    tie = rl.MDP(
        exact_array([[[1, 0], [1, 0], [0, 1]], [[0, 1]] * 3]), exact_array([[0, 0, 1], [0, 0, 0]]), F(1, 2)
    )
    assert PolicyIteration(pi0=[2, 2]).run(tie).pi.actions.tolist() == [2, 2]
    assert PolicyIteration(pi0=[1, 1]).run(tie).pi.actions.tolist() == [2, 1]
    assert PolicyIteration(pi0=[0, 2]).run(tie.float()).pi.actions.tolist() == [2, 2]
    assert PolicyIteration().run(m).V.tolist() == [0, 0]


def test_exact_run_without_trace_starts_from_the_float_policy():
    m = gallery.garnet(7, 12, 4, 3, F(99, 100))
    cold = PolicyIteration().run(m)
    warm = PolicyIteration(keep_trace=False).run(m)
    assert (cold.V == warm.V).all()
    assert cold.evaluations > 1 == warm.evaluations
    assert warm.trace == ()


def test_a_recurring_policy_ends_the_run(monkeypatch):
    """Evaluations wrong enough to swap the ranking for ever must not loop."""
    m = rl.MDP([[[1.0, 0], [0, 1]], [[0, 1], [1, 0]]], [[0.0, 0], [0, 0]], 0.9)
    calls = itertools.count()
    wrong = [np.array([1.0, 0]), np.array([0.0, 1])]
    monkeypatch.setattr(module, "solve_discounted", lambda *_: wrong[next(calls) % 2])
    sol = PolicyIteration().run(m)
    assert sol.info["recurred"]
    assert next(calls) < 6
    assert not sol.status.ok


def test_near_one_discount_terminates_with_honest_bounds():
    for seed in range(5):
        m = gallery.garnet(seed, 6, 3, 2, 1 - 1e-9)
        sol = PolicyIteration().run(m)
        exact = PolicyIteration(keep_trace=False).run(m.exact()).V
        assert (exact_array(sol.lower) <= exact).all()
        assert (exact <= exact_array(sol.upper)).all()


def test_iteration_limit_is_reported_with_bounds():
    m = gallery.simple_pi_exponential(4)
    for model in (m, m.float() if m.is_exact else m.exact()):
        sol = PolicyIteration("simple-highest", max_iter=3).run(model)
        assert sol.status is Status.MAX_ITER
        best = PolicyIteration().run(model.exact()).V
        assert (exact_array(sol.lower) <= best).all()
        assert (best <= exact_array(sol.upper)).all()


def test_bad_arguments():
    m = gallery.garnet(1, 2, 2, 2, F(9, 10))
    with pytest.raises(InvalidArgument, match="rule='newton'"):
        PolicyIteration("newton")
    with pytest.raises(InvalidArgument, match="not allowed"):
        PolicyIteration(pi0=[2, 0]).run(m)
    with pytest.raises(InvalidArgument, match="stochastic"):
        PolicyIteration(pi0=[[0.5, 0.5], [1, 0]]).run(m)


def test_sparse_and_dense_layouts_agree():
    m = gallery.garnet(3, 40, 3, 3, F(95, 100)).float()
    csr = rl.MDP.from_pairs(
        m.csr, m.R_pairs, m.gamma, S=m.S, pair_state=m.pair_state, pair_action=m.pair_action
    )
    a, b = PolicyIteration().run(m), PolicyIteration().run(csr)
    assert a.pi == b.pi
    assert np.allclose(a.V, b.V, rtol=1e-12)
