"""Value-aware losses and fits refuse what has no loss."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from rltheory.errors import InvalidArgument
from rltheory.solvers import clipped_gradients, fit_linear_model, linear_loss, mse_loss, value_gradient_loss

E = [[1.0, 1.0], [2.0, 2.0]]


@pytest.mark.parametrize("weights", [[1.0], [[1.0], [2.0]], [1.0, 2.0, 3.0], [-1.0, 1.0], [math.nan, 1.0]])
def test_weights_are_one_a_sample(weights: Any) -> None:
    for loss in (lambda: mse_loss(E, weights=weights), lambda: linear_loss(E, E, weights=weights)):
        with pytest.raises(InvalidArgument, match="weights"):
            loss()
    with pytest.raises(InvalidArgument, match="weights"):
        fit_linear_model(E, E, weights=weights)


def test_weights_count() -> None:
    half = [Fraction(1, 2), Fraction(1, 2)]
    assert mse_loss([[1, 1], [2, 2]], weights=half) == mse_loss([[1, 1], [2, 2]]) == 5


@pytest.mark.parametrize("bad", [np.zeros((0, 2)), [[math.nan, 1.0]], [[math.inf, 1.0]]])
def test_samples_are_finite_and_there_is_one(bad: Any) -> None:
    for loss in (mse_loss, clipped_gradients, lambda x: value_gradient_loss(x, x)):
        with pytest.raises(InvalidArgument, match="must"):
            loss(bad)
    with pytest.raises(InvalidArgument, match="must"):
        fit_linear_model(np.ones((len(bad), 1)), bad)
    with pytest.raises(InvalidArgument, match="must"):
        fit_linear_model(bad, np.ones((len(bad), 1)))


def test_a_quantile_is_a_share() -> None:
    with pytest.raises(InvalidArgument, match="quantile=2"):
        clipped_gradients(E, 2)


@pytest.mark.parametrize("options", [{"max_iter": 0}, {"restarts": -1}, {"rank": 1.5}, {"rank": 0}])
def test_a_low_rank_fit_alternates_at_least_once(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    Z, S = rng.standard_normal((9, 2)), rng.standard_normal((9, 2))
    with pytest.raises(InvalidArgument, match="="):
        fit_linear_model(Z, S, **{"rank": 1, **options})
    best = fit_linear_model(Z, S, rank=1, restarts=0)  # Eckart–Young: no W of rank 1 is better
    for _ in range(20):
        W = np.outer(rng.standard_normal(2), rng.standard_normal(2))
        assert best.lower <= mse_loss(Z @ W.T - S) * (1 + 1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e7])
def test_the_bound_of_a_low_rank_fit_holds_for_features_of_any_scale(scale: float) -> None:
    rng = np.random.default_rng(0)
    Z, S = rng.standard_normal((12, 2)), rng.standard_normal((12, 3))
    scaled = fit_linear_model(Z * [1.0, scale], S, rank=1)
    assert scaled.lower <= scaled.loss
    Q = np.linalg.qr(Z)[0]
    sizes = np.linalg.svd(Q.T @ S, compute_uv=False)
    optimum = ((S**2).sum() - sizes[0] ** 2) / len(S)
    assert scaled.loss == pytest.approx(optimum, rel=1e-9)
    assert np.linalg.matrix_rank(scaled.W) == 1
