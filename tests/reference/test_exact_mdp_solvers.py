"""Published counts and closed forms that exact policy iteration must reproduce, instance by instance."""

from fractions import Fraction as F

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import ImproperPolicy
from rltheory.models import gallery
from rltheory.solvers import PolicyIteration, SSPSolver, average_value, evaluate_ssp

FROM_ONES = {1: 1, 2: 2, 3: 3, 4: 6, 5: 11, 6: 22, 7: 43}


@pytest.mark.parametrize("n", range(1, 8))
def test_simple_policy_iteration_visits_every_policy(n):
    """Melekopoglou–Condon idea: 2ⁿ evaluations with the highest-index rule, discounted and undiscounted."""
    mdp = gallery.simple_pi_exponential(n)
    ones = [0] + [1] * n
    counts = {
        rule: PolicyIteration(rule).run(mdp)
        for rule in ("howard", "dantzig", "simple-highest", "simple-lowest")
    }
    assert counts["howard"].evaluations == n + 1
    assert counts["dantzig"].evaluations == counts["simple-lowest"].evaluations == 2
    every = counts["simple-highest"]
    assert every.evaluations == 2**n == len({step.pi for step in every.trace})
    assert PolicyIteration("simple-highest", pi0=ones).run(mdp).evaluations == FROM_ONES[n]
    zeros = [0] * (n + 1)
    for start, evaluations in ((zeros, 2**n), (ones, FROM_ONES[n])):
        sol = SSPSolver(rule="simple-highest", pi0=start, keep_trace=True).run(mdp)
        assert sol.evaluations == evaluations == len({step.pi for step in sol.trace})
        assert (sol.V == SSPSolver().run(mdp).V).all()
    assert SSPSolver(pi0=zeros, keep_trace=True).run(mdp).evaluations == n + 1
    assert SSPSolver(rule="dantzig", pi0=zeros, keep_trace=True).run(mdp).evaluations == 2
    assert SSPSolver(rule="simple-lowest", pi0=zeros, keep_trace=True).run(mdp).evaluations == 2
    assert SSPSolver(rule="simple-highest", pi0=zeros).run(mdp.float()).evaluations == 2**n


def test_start_must_be_proper():
    mdp = rl.MDP(np.array([[[1.0, 0], [0, 1]], [[0, 1], [0, 1]]]), [[-1.0, -5], [0, 0]], 0.5, terminal=[1])
    with pytest.raises(ImproperPolicy, match="pi0 never terminates from state 0"):
        SSPSolver(pi0=[0, 0]).run(mdp)
    assert SSPSolver(pi0=[1, 0]).run(mdp).V[0] == -5


def test_howard_needs_three_changes():
    sol = PolicyIteration().run(gallery.howard_three_changes())
    assert [step.pi.actions.tolist() for step in sol.trace] == [[0, 0], [1, 1], [1, 2], [0, 2]]
    assert sol.iterations == 3


def test_relay_loses_exactly_one_factor_gamma_an_evaluation():
    gamma = F(9, 10)
    sol = PolicyIteration().run(gallery.relay(6, gamma))
    losses = [np.abs(sol.V - step.V).max() for step in sol.trace]
    assert losses[:-1] == [gamma**k / (1 - gamma) for k in range(len(losses) - 1)]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_dantzig_on_the_ring_is_tight(n):
    gamma = F(7, 10)
    sol = PolicyIteration("dantzig").run(gallery.ring(n, gamma))
    total = [(sol.V - step.V).sum() for step in sol.trace]
    assert total[0] == n / (1 - gamma)
    assert total[1] == n / (1 - gamma) - 1
    assert sol.trace[1].pi.actions.tolist() == [1] + [0] * (n - 1)  # all tie: the lowest state moves
    floats = PolicyIteration("dantzig").run(gallery.ring(n, 0.7))
    assert [step.pi for step in floats.trace] == [step.pi for step in sol.trace]


def test_gambler_bold_play():
    ssp = gallery.gambler(100)
    sol = SSPSolver().run(ssp)
    assert [sol.V[s] for s in (25, 50)] == [F(4, 25), F(2, 5)]
    bold = [int(a) for a in sol.pi.actions]
    for s in range(1, 100):
        stakes = ssp.mdp.pair_action[ssp.mdp.state_ptr[s] : ssp.mdp.state_ptr[s + 1]]
        bold[s] = int(stakes[min(s, 100 - s) - 1])
    assert (evaluate_ssp(ssp, bold).V == sol.V).all()


def test_puterman_bias_separates_gain_optimal_policies():
    mdp = gallery.puterman_two_state(F(9, 10))
    a11, a12 = (average_value(mdp, [a, 0]) for a in (0, 1))
    assert a11.gain.tolist() == a12.gain.tolist() == [-1, -1]
    assert (a11.bias[0], a12.bias[0]) == (12, 11)
