"""Blackwell thresholds: printed values, two methods, and discounted optimality on both sides."""

from fractions import Fraction as F
from itertools import product

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument
from rltheory.kernels import exact as ex
from rltheory.models.random import random_mdp
from rltheory.solvers.blackwell import Blackwell, advantage_numerators, rational_value

HALF = F(1, 2)


def chosen(solution):
    return {tuple(p.actions.tolist()) for p in solution.policies()}


def optimal_policies(mdp, gamma):
    """All deterministic policies with v^π = v*, by enumeration."""
    at = mdp.replace(gamma=gamma)
    V = {d: rl.evaluate(at, np.array(d)).V for d in product(range(mdp.A), repeat=mdp.S)}
    top = np.array(list(V.values())).max(axis=0)
    return {d for d, v in V.items() if (v == top).all()}


def test_puterman_switches_at_ten_elevenths():
    sol = Blackwell().run(rl.gallery.puterman_two_state(HALF))
    assert sol.threshold == F(10, 11)
    assert sol.critical == (0, 1)
    assert chosen(sol) == {(0, 0)}
    assert sol.V(F(10, 11))[0] == 0
    assert sol.V(F(19, 20))[0] == F(-60, 7)


def test_garnet_threshold_digits():
    sol = Blackwell().run(rl.gallery.garnet(5, 3, 2, 2, HALF))
    assert sol.threshold.digits(20) == "0.85196530237844048771"
    assert chosen(sol) == {(0, 1, 0)}
    assert sol.enclosure(F(1, 10**30)).width <= F(1, 10**30)


@pytest.mark.parametrize("seed", range(12))
def test_both_methods_and_discounted_optimality_agree(seed):
    mdp = random_mdp(3, 2, HALF, seed, absorbing=0.3, ties=0.15)
    cheap, pairs = Blackwell().run(mdp), Blackwell("pairs").run(mdp)
    assert cheap.threshold == pairs.threshold
    assert chosen(cheap) == chosen(pairs)
    g = cheap.threshold.refine(F(1, 10**9))
    for t in (F(1, 100), F(1, 3), F(9, 10)):
        assert optimal_policies(mdp, g.upper + (1 - g.upper) * t) >= chosen(cheap)
    assert optimal_policies(mdp, 1 - F(1, 10**12)) == chosen(cheap)
    if g.lower > 0:
        assert not optimal_policies(mdp, g.lower - F(1, 10**9)) & chosen(cheap)


def test_threshold_zero_when_one_policy_dominates():
    one_way = rl.MDP([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], [[1, 0], [0, 0]], HALF)
    sol = Blackwell().run(rl.MDP(rl.exact_array(one_way.P), rl.exact_array(one_way.R), HALF))
    assert sol.threshold == 0
    assert sol.critical is None
    assert sol.count == 2
    assert chosen(sol) == {(0, 0), (0, 1)}
    assert Blackwell("pairs").run(sol.mdp).threshold == 0


def test_rational_functions_reproduce_discounted_values():
    mdp = random_mdp(4, 3, HALF, 7)
    rows = mdp.state_ptr[:-1] + 1
    N, D = rational_value(mdp, rows)
    adv, _, _ = advantage_numerators(mdp, rows)
    for g in (F(1, 7), F(8, 9)):
        at = mdp.replace(gamma=g)
        V = rl.evaluate(at, np.ones(4, dtype=int)).V
        x = ex.to_fmpq(g)
        assert [ex.from_fmpq(n(x) / D(x)) for n in N] == V.tolist()
        q = rl.q_values(at, V) - V[:, None]
        assert [ex.from_fmpq(a(x) / D(x)) for a in adv] == q.reshape(-1).tolist()


def test_float_models_are_lifted_and_normalised():
    exact = rl.gallery.garnet(5, 3, 2, 2, HALF)
    assert float(Blackwell().run(exact.float()).threshold) == pytest.approx(0.85196530237844048, rel=1e-12)


def test_ragged_action_sets_and_multichain_models():
    sol = Blackwell().run(rl.gallery.puterman_inventory(HALF))
    assert chosen(sol) == chosen(Blackwell("pairs").run(rl.gallery.puterman_inventory(HALF)))
    assert rl.AverageReward().run(rl.gallery.puterman_inventory(HALF)).gain.tolist() == [F(97, 44)] * 4


def test_too_many_policies_for_pairs_is_an_error():
    with pytest.raises(InvalidArgument, match="use method='advantages'"):
        Blackwell("pairs").run(rl.gallery.river_swim(12, HALF))
    with pytest.raises(InvalidArgument, match="method"):
        Blackwell("other")
    with pytest.raises(InvalidArgument, match="gamma=1"):
        Blackwell().run(rl.gallery.puterman_two_state(HALF)).V(1)
