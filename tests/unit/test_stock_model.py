"""The stock-augmented model: its identity along paths, its windows, spacing, sources and refusals."""

from __future__ import annotations

import itertools
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.models import OutcomeMDP, StockMDP
from rltheory.models import gallery as G


@pytest.mark.parametrize("gamma", [F(1, 2), F(3, 4), F(1)])
def test_the_scaled_stock_is_the_return_so_far(gamma: F) -> None:
    """γ^t c_t = c_0 + Σ_{i<t} γ^i r_{i+1} on every path of depth 4 of two policies."""
    model = rl.stock_augmented(G.outcome_family(gamma=gamma), H=4)
    for a in (0, 1):
        for path in itertools.product(range(2), repeat=4):
            s, c, total = 0, F(-3, 2), F(-3, 2)
            for t, k in enumerate(path):
                total += gamma**t * model.base.outcomes(s, a)[k][2]
                _, s, c = model.step(s, c, a, t)[k]
                assert gamma ** (t + 1) * c == total


def test_reachable_stocks_lie_in_the_window() -> None:
    for gamma in (F(1), F(1, 2)):
        model = rl.stock_augmented(G.outcome_family(q=5, gamma=gamma), H=4)
        layers = model.reachable(0, 1)
        assert len(layers[0]) == 1
        assert len(layers) == 5
        for t, layer in enumerate(layers):
            low, high = model.window(t, 1, 1)
            assert all(low <= gamma**t * c <= high for _, c in layer)
    assert model.float().reachable(0, 1)[4] == layers[4]  # doubles that are dyadic: the same stocks


def test_the_window_is_attained() -> None:
    for gamma in (F(1), F(2, 3)):
        model = rl.stock_augmented(G.gambler_chain(gamma), H=3)
        for t, layer in enumerate(model.reachable(0, F(1, 2))):
            scaled = [gamma**t * c for _, c in layer]
            assert (min(scaled), max(scaled)) == model.window(t, F(1, 2), F(1, 2))


def test_a_chain_reaches_exactly_the_multiples() -> None:
    model = rl.stock_augmented(G.gambler_chain(), H=2)
    assert model.reachable(0, F(1, 2))[1] == tuple((0, F(1, 2) + r) for r in (-1, 0, 2, 6))
    assert model.spacing() == 1


def test_spacing_is_the_largest_common_step() -> None:
    def of(*rewards: Any) -> Any:
        return StockMDP(OutcomeMDP.from_lists([[[(1, 0, r)] for r in rewards]], 0.5)).spacing()

    assert of(F(1, 2), F(-1, 3), 0) == F(1, 6)
    assert of(0.25, -0.1) == F(1, 20)
    assert of(0, 0) == 1
    assert of(1.0, 1e-9) is None
    assert rl.stock_augmented(G.homeostasis(), H=2).spacing() == (1, 1)


def test_every_kind_of_model_is_accepted() -> None:
    mdp = rl.MDP([[[F(1, 2), F(1, 2)]], [[0, 1]]], [[[3, -3]], [[1, 1]]], F(1, 2))
    model = rl.stock_augmented(mdp)
    assert (model.H, model.gamma, model.stationary) == (None, F(1, 2), True)
    assert model.step(0, 1, 0) == [(F(1, 2), 0, 8), (F(1, 2), 1, -4)]
    undiscounted = rl.stock_augmented(mdp, H=3, gamma=1)
    assert undiscounted.step(0, 1, 0) == [(F(1, 2), 0, 4), (F(1, 2), 1, -2)]
    finite = rl.FiniteHorizonMDP.from_mdp(mdp, 3, terminal_reward=[5, 0])
    model = rl.stock_augmented(finite)
    assert (model.H, model.gamma, model.stationary) == (3, 1, False)
    assert model.step(0, 0, 0, t=1) == [(F(1, 2), 0, 3), (F(1, 2), 1, -3)]
    assert model.step(0, 0, 0, t=2) == [(F(1, 2), 0, 8), (F(1, 2), 1, -3)]
    assert rl.stock_augmented(rl.FiniteHorizonMDP.from_mdp(mdp, 3)).stationary
    ends = rl.MDP.from_pairs(
        [[0.0, 1.0]], [1.0], 0.5, pair_state=[0], pair_action=[0], terminal=[1]
    )  # fmt: skip
    paid = rl.stock_augmented(rl.FiniteHorizonMDP.from_mdp(ends, 2, terminal_reward=[0.0, 4.0]))
    assert paid.step(1, 0.0, 0, t=0) == [(1.0, 1, 0.0)]
    assert paid.step(1, 0.0, 0, t=1) == [(1.0, 1, 4.0)]


def test_vector_stocks_move_by_component() -> None:
    model = rl.stock_augmented(G.homeostasis(gamma=F(1, 2)), H=1)
    assert model.step(0, (1, 0), 0)[2] == (F(1, 2), 0, (4, -2))
    assert np.array_equal(model.window(1, np.array([F(0), F(0)]), np.array([F(0), F(0)]))[1], [2, 2])


CHAIN = rl.stock_augmented(G.gambler_chain(), H=2)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: rl.stock_augmented(G.gambler_chain()), InvalidModel, ["gamma=1", "pass H="]),
        (lambda: rl.stock_augmented(G.gambler_chain(), H=0), InvalidModel, ["H=0", "≥ 1"]),
        (lambda: rl.stock_augmented(G.gambler_chain(), H=2.5), InvalidModel, ["H=2.5"]),
        (lambda: StockMDP([G.gambler_chain()] * 2, H=3), InvalidModel, ["2 stages for H=3"]),
        (lambda: StockMDP([]), InvalidModel, ["0 stages"]),
        (lambda: StockMDP([G.gambler_chain(), G.homeostasis()]), InvalidModel, ["stage 1", "stage 0"]),
        (lambda: rl.stock_augmented("chain"), InvalidArgument, ["type str"]),
        (lambda: rl.stock_augmented(rl.MDP([[[1.0]]], [[1.0]], 0)), InvalidModel, ["gamma=0.0", "(0, 1]"]),
        (
            lambda: rl.stock_augmented(rl.FiniteHorizonMDP([[[1.0]]], [[1.0]], 2), H=3),
            InvalidArgument,
            ["H=3", "H=2"],
        ),
        (lambda: CHAIN.step(0, float("nan"), 0), InvalidArgument, ["nan"]),
        (lambda: CHAIN.step(0, (1, 2), 0), InvalidArgument, ["a number"]),
        (lambda: rl.stock_augmented(G.homeostasis(), H=2).step(0, 1, 0), InvalidArgument, ["2 numbers"]),
        (lambda: rl.stock_augmented(G.homeostasis(), H=2).step(0, (1, "x"), 0), InvalidArgument, ["'x'"]),
        (lambda: CHAIN.step(1, 0, 0), InvalidArgument, ["s=1", "0..0"]),
        (lambda: CHAIN.step(0, 0, 7), InvalidModel, ["a=7"]),
        (lambda: CHAIN.step(0, 0, 0, t=2), InvalidArgument, ["t=2"]),
        (lambda: rl.stock_augmented(G.gambler_chain(0.5)).reachable(0, 0), InvalidArgument, ["H="]),
    ],
)  # fmt: skip
def test_bad_input_is_refused(make: Any, error: type[Exception], says: list[str]) -> None:
    with pytest.raises(error) as caught:
        make()
    for text in says:
        assert text in str(caught.value)


def test_models_compare_and_print() -> None:
    model = rl.stock_augmented(G.outcome_family(), H=2)
    assert model == model.with_horizon(2)
    assert hash(model) == hash(model.with_horizon(2))
    assert model != model.with_horizon(3)
    assert model != model.float()
    names = {"StockMDP": StockMDP, "OutcomeMDP": OutcomeMDP, "Fraction": F}
    assert eval(model.literal(), names) == model
    assert "H=2" in repr(model)
    with pytest.raises(AttributeError, match="immutable"):
        model.H = 3
