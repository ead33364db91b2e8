"""Outcome lists: what is stored, what is refused, conversions, and the instances of the gallery."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidModel
from rltheory.models import OutcomeMDP
from rltheory.models import gallery as G

HALF = F(1, 2)
NAMES: dict[str, Any] = {"OutcomeMDP": OutcomeMDP, "Fraction": F}
COIN = [[[(HALF, 0, 1), (HALF, 0, -1)]]]


def changed(**swap: Any) -> list[Any]:
    """Two states; state 0 has two actions; one number of outcome 1 of (0, 1) swapped."""
    p, t, r = swap.get("p", 0.5), swap.get("t", 1), swap.get("r", 2.0)
    return [[[(1.0, 0, 0.5)], [(0.5, 0, 1.0), (p, t, r)]], [[(1.0, 1, 0.0)]]]


def test_the_layout_is_that_of_pairs() -> None:
    m = OutcomeMDP.from_lists(changed(), 0.9)
    assert (m.S, m.A, m.N, m.K, m.m, m.is_exact) == (2, 2, 3, 4, None, False)
    assert m.state_ptr.tolist() == [0, 2, 3]
    assert m.outcome_ptr.tolist() == [0, 1, 3, 4]
    assert m.outcomes(0, 1) == ((0.5, 0, 1.0), (0.5, 1, 2.0))
    assert m.allowed.tolist() == [[True, True], [True, False]]
    assert (m.r_min, m.r_max) == (0.0, 2.0)
    again = OutcomeMDP(
        m.prob, m.next_state, m.reward, 0.9,
        pair_state=m.pair_state, pair_action=m.pair_action, outcome_ptr=m.outcome_ptr,
    )  # fmt: skip
    assert again == m
    assert hash(again) == hash(m)
    assert again != m.replace(gamma=0.8)
    assert again != m.exact()
    with pytest.raises(AttributeError, match=r"replace\(gamma="):
        m.gamma = 0.5


@pytest.mark.parametrize("system", ["exact", "float"])
def test_a_literal_rebuilds_the_model(system: str) -> None:
    ragged = OutcomeMDP.from_lists(
        [{1: [(F(1, 3), 1, 1), (F(2, 3), 0, F(1, 7))], 0: [(1, 1, 0)]}, {2: [(1, 0, 3)]}, []],
        F(3, 4),
        terminal=[2],
        mu=[HALF, HALF, 0],
    )
    assert list(ragged.lists[0]) == [0, 1]
    whole = OutcomeMDP.from_lists([[[(1, 0, 1)]]], 1)  # integers only: exact
    assert whole.is_exact
    for m in (ragged, whole, G.outcome_family_vector(gamma=HALF), G.outcome_family(q=5)):
        model = m if system == "exact" else m.float()
        assert model.is_exact == (system == "exact")
        assert eval(model.literal(), NAMES) == model


def test_integers_with_a_float_discount_are_doubles() -> None:
    assert not OutcomeMDP.from_lists([[[(1, 0, 1)]]], 0.5).is_exact
    assert OutcomeMDP.from_lists([[[(1, 0, 1)]]], HALF).is_exact
    assert not OutcomeMDP.from_lists([[[(1.0, 0, 1)]]], HALF).is_exact
    assert OutcomeMDP.from_lists(COIN, 0.5).gamma == HALF


def test_outcomes_of_probability_zero_are_dropped() -> None:
    m = OutcomeMDP.from_lists([[[(1, 0, 1), (0, 0, 99)]]], HALF)
    assert (m.K, m.r_max) == (1, 1)


def test_terminal_states_get_their_loop_and_count_in_the_reward_range() -> None:
    m = OutcomeMDP.from_lists([[[(1, 1, 5)]], []], HALF, terminal=[1])
    assert m.outcomes(1, 0) == ((1, 1, 0),)
    assert (m.r_min, m.r_max) == (0, 5)
    v = OutcomeMDP.from_lists([None, [[(1, 0, (5, 1))]]], HALF, terminal=[0])
    assert v.outcomes(0, 0) == ((1, 0, (0, 0)),)
    assert v.r_max.tolist() == [5, 1]
    assert v.component(1).outcomes(1, 0) == ((1, 0, 1),)


def test_mean_rewards_keep_means_and_nothing_else() -> None:
    coin = OutcomeMDP.from_lists([[[(HALF, 0, 1), (HALF, 0, -1)], [(1, 0, 0)]]], HALF)
    mdp = coin.to_mdp()
    assert mdp.R.tolist() == [[0, 0]]
    assert rl.solve(mdp).V.tolist() == [0]
    assert OutcomeMDP.from_mdp(mdp).outcomes(0, 0) == ((1, 0, 0),)
    m = G.outcome_family(3, 3, 3, 4, gamma=F(3, 4))
    mdp = m.to_mdp()
    for s in range(3):
        for a in range(3):
            for t in range(3):
                assert mdp.P[s, a, t] == sum(p for p, u, _ in m.outcomes(s, a) if u == t)
            assert mdp.R[s, a] == sum(p * r for p, _, r in m.outcomes(s, a))


def test_rewards_per_transition_become_outcomes() -> None:
    mdp = rl.MDP([[[HALF, HALF]], [[0, 1]]], [[[3, -3]], [[0, 0]]], HALF)
    m = OutcomeMDP.from_mdp(mdp)
    assert m.outcomes(0, 0) == ((HALF, 0, 3), (HALF, 1, -3))
    assert m.outcomes(1, 0) == ((1, 1, 0),)  # the zero of the dense row is no outcome
    assert OutcomeMDP.from_mdp(mdp, gamma=1).gamma == 1
    lake = rl.gallery.frozen_lake(gamma=0.9)
    kept = OutcomeMDP.from_mdp(lake)
    assert np.abs(kept.to_mdp().R_pairs - lake.R_pairs).max() < 1e-15
    assert OutcomeMDP.from_mdp(mdp.float()) == m.float()


@pytest.mark.parametrize(
    ("lists", "gamma", "says"),
    [
        (changed(r=float("nan")), 0.9, ["outcome 1 of (s=0, a=1)", "reward=nan", "finite"]),
        (changed(r=-float("inf")), 0.9, ["outcome 1 of (s=0, a=1)", "reward=-inf", "leave an action out"]),
        (changed(p=float("nan")), 0.9, ["outcome 1 of (s=0, a=1)", "probability=nan"]),
        (changed(p="0.5"), 0.9, ["outcome 1 of (s=0, a=1)", "probability='0.5'", "Fraction"]),
        (changed(p=-0.5), 0.9, ["outcome 1 of (s=0, a=1)", "probability=-0.5", "≥ 0"]),
        (changed(p=0.4), 0.9, ["2 outcomes of (s=0, a=1)", "sum to 0.9", "divide them"]),
        (changed(p=0.5 + 1e-11), 0.9, ["outcomes of (s=0, a=1)", "off by 1", "must be 1"]),
        ([[[(F(1, 3), 0, 0), (F(1, 3), 0, 1)]]], 1, ["(s=0, a=0)", "sum to 2/3", "must be 1 exactly"]),
        ([[[(F(1, 3), 0, 0), (2 / 3, 0, 1)]]], 1, ["(s=0, a=0)", "must be 1 exactly"]),
        (changed(t=2), 0.9, ["outcome 1 of (s=0, a=1)", "next state 2", "0..1"]),
        (changed(t=1.0), 0.9, ["outcome 1 of (s=0, a=1)", "next state 1.0", "in this order"]),
        (changed(r=(1.0, 2.0)), 0.9, ["outcome 1 of (s=0, a=1)", "a vector of 2", "a number"]),
        ([[[(1, 0, (1, 2)), (0, 0, (1,))]]], 1, ["outcome 1 of (s=0", "a vector of 1", "a vector of 2"]),
        (changed(), 0, ["gamma=0", "(0, 1]", "H=1"]),
        (changed(), 1.5, ["gamma=1.5", "(0, 1]"]),
        (changed(), float("nan"), ["gamma=nan", "(0, 1]"]),
        (changed(), "1", ["gamma='1'", "not a real number"]),
        ([[[]]], 1, ["(s=0, a=0) has no outcomes", "leave the action out"]),
        ([[[(1, 1, 0)]], []], 1, ["state 1 has no action", "terminal="]),
        ([[[(1, 0)]]], 1, ["outcome 0 of (s=0, a=0)", "(1, 0)", "triple (p, s', r)"]),
        ([{"up": [(1, 0, 0)]}], 1, ["outcomes[0]", "'up'", "integer"]),
        ([], 1, ["no states"]),
    ],
)  # fmt: skip
def test_bad_lists_are_refused(lists: Any, gamma: Any, says: list[str]) -> None:
    with pytest.raises(InvalidModel) as caught:
        OutcomeMDP.from_lists(lists, gamma)
    for text in says:
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OutcomeMDP.from_lists(COIN, 1, terminal=[0]), ["outcome 0 of (s=0, a=0) pays 1"]),
        (
            lambda: OutcomeMDP.from_lists([[[(1, 1, 0)]], [[(1, 0, 0)]]], 1, terminal=[1]),
            ["outcome 0 of (s=1, a=0) moves to 0"],
        ),
        (lambda: OutcomeMDP.from_lists(COIN, 1, mu=[HALF]), ["mu: sums to 1/2"]),
        (lambda: OutcomeMDP.from_lists(COIN, 1, states=["a", "b"]), ["2 labels for 1 states"]),
        (lambda: OutcomeMDP.from_lists(COIN, 1).outcomes(0, 1), ["(s=0, a=1) is not a pair"]),
        (lambda: OutcomeMDP.from_lists(COIN, 1).to_mdp(), ["gamma=1", "FiniteHorizonMDP"]),
        (lambda: G.homeostasis(HALF).to_mdp(), ["m=2", "component(i)"]),
        (lambda: G.homeostasis().component(2), ["i=2", "0 ≤ i < m"]),
        (lambda: OutcomeMDP.from_mdp(rl.MDP([[[1.0]]], [[1.0]], gamma=0)), ["gamma=0.0", "(0, 1]"]),
        (lambda: OutcomeMDP.from_lists(COIN, 1).replace(reward=[1]), ["reward (1,)", "prob (2,)"]),
        (lambda: OutcomeMDP.from_lists(COIN, 1).replace(reward=["x", 1]), ["reward", "not real"]),
        (
            lambda: OutcomeMDP(
                [1, 1], [0, 0], [0, 0], 1, pair_state=[0, 0], pair_action=[0, 0], outcome_ptr=[0, 1, 2]
            ),
            ["pair 1 (s=0, a=0) follows (s=0, a=0)", "sorted"],
        ),
        (
            lambda: OutcomeMDP([1], [0], [0], 1, pair_state=[0], pair_action=[0], outcome_ptr=[0, 2]),
            ["outcome_ptr", "end at the number of outcomes, 1"],
        ),
    ],
)
def test_other_bad_input_is_refused(make: Any, says: list[str]) -> None:
    with pytest.raises(InvalidModel) as caught:
        make()
    for text in says:
        assert text in str(caught.value)


def test_the_family_is_the_printed_one() -> None:
    """FM(3,2,2,3), and pair (1, 0) of FMV(3,2,2,2), as printed with their definition."""
    printed = [
        [[(F(1, 4), 0, 1), (F(3, 4), 1, -2)], [(F(3, 5), 1, 2), (F(2, 5), 2, -1)]],
        [[(F(2, 3), 2, -2), (F(1, 3), 1, -2)], [(F(1, 4), 1, -1), (F(3, 4), 0, -1)]],
        [[(F(3, 5), 1, 0), (F(2, 5), 1, -2)], [(F(2, 3), 1, 1), (F(1, 3), 1, -1)]],
    ]
    assert G.outcome_family(3, 2, 2, 3) == OutcomeMDP.from_lists(printed, 1)
    assert G.outcome_family_vector(3, 2, 2, 2).outcomes(1, 0) == (
        (F(1, 4), 1, (2, -2)),
        (F(3, 4), 0, (1, -2)),
    )
    assert G.outcome_family_vector(3, 2, 3, 4).component(1) == G.outcome_family(3, 2, 3, 4).replace(
        reward=G.outcome_family_vector(3, 2, 3, 4).reward[:, 1]
    )


def test_the_grid_slips_and_pays_on_entering() -> None:
    m = G.slippery_grid()
    assert (m.S, m.A, m.terminal.tolist().index(True)) == (16, 4, 15)
    assert m.outcomes(0, 0) == ((F(9, 10), 0, -1), (F(1, 10), 1, -1))  # up: wall, left: wall
    assert m.outcomes(4, 1) == ((F(1, 10), 0, -1), (F(4, 5), 5, -4), (F(1, 10), 8, -1))
    assert m.outcomes(14, 1) == ((F(1, 10), 10, -4), (F(1, 10), 14, -1), (F(4, 5), 15, 7))
