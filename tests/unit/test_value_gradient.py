"""Value-aware losses and their fits, against definitions, normal equations and Eckart–Young."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import rltheory as rl
from rltheory.checks import Reader, decoded
from rltheory.checks.elimination import eliminate, rank
from rltheory.errors import InvalidArgument
from rltheory.solvers import (
    clipped_gradients,
    fit_linear_model,
    linear_loss,
    mse_loss,
    value_gradient_loss,
    vaml_loss,
)


def samples(read: Reader) -> tuple[Any, Any, Any]:
    """Features, targets, gradients; sparse gradients one time in two."""
    q, n = 1 + read.below(3), 1 + read.below(3)
    Z, S, g = read.numbers(5, q), read.numbers(5, n), read.numbers(5, n, most=2)
    return Z, S, g * (read.numbers(5, n, most=1) if read.below(2) else 1)


@settings(max_examples=50, deadline=None)
@given(decoded(samples, 80))
def test_losses_are_their_definitions(x: tuple[Any, Any, Any]) -> None:
    _, S, g = x
    e, n = S / 7, S.shape[1]
    rows = range(len(S))
    assert linear_loss(g, e) == sum((g[i] * e[i]).sum() ** 2 for i in rows) / F(5)
    assert value_gradient_loss(g, e) == sum((g[i, j] * e[i, j]) ** 2 for i in rows for j in range(n)) / F(5)
    assert mse_loss(e) == sum(e[i, j] ** 2 for i in rows for j in range(n)) / F(5)
    assert vaml_loss(lambda s: s.sum(), S + e, S) == sum(e[i].sum() ** 2 for i in rows) / F(5)
    w = rl.exact_array([F(1, 2), F(1, 2), 0, 0, 0])
    assert mse_loss(e, weights=w) == mse_loss(e[:2])
    floats = value_gradient_loss(g.astype(float), e.astype(float))
    assert floats == pytest.approx(float(value_gradient_loss(g, e)), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(decoded(samples, 80))
def test_the_rational_fit_solves_the_normal_equations_with_least_norm(x: tuple[Any, Any, Any]) -> None:
    Z, S, g = x
    fit = fit_linear_model(Z, S, g)
    assert fit.loss == fit.lower == value_gradient_loss(g, fit(Z) - S)
    for j in range(S.shape[1]):
        w = g[:, j] ** 2
        M, b = Z.T @ (w[:, None] * Z), Z.T @ (w * S[:, j])
        assert (M @ fit.W[j] == b).all()
        if rank(M) == len(M):
            assert (fit.W[j] == eliminate(M, b)).all()
        null = _null(M)
        assert (null @ fit.W[j] == 0).all()  # orthogonal to all freedom: least norm


def _null(M: Any) -> Any:
    """Rows spanning the null space of a symmetric matrix: I minus the projection, column by column."""
    from rltheory.solvers.value_gradient import _some_solution

    eye = rl.exact_array(np.eye(len(M), dtype=int))
    return np.array([v - M @ _some_solution(M @ M, M @ v) for v in eye])


@settings(max_examples=50, deadline=None)
@given(decoded(samples, 80))
def test_doubles_agree_with_rationals(x: tuple[Any, Any, Any]) -> None:
    exact = fit_linear_model(*x)
    floats = fit_linear_model(*(a.astype(float) for a in x))
    assert floats.loss == pytest.approx(float(exact.loss), abs=1e-10)
    assert pytest.approx(exact.W.astype(float), abs=1e-8) == floats.W


def test_least_squares_of_rank_k_is_that_of_eckart_and_young() -> None:
    rng = np.random.default_rng(0)
    Z, S = rng.standard_normal((80, 5)), rng.standard_normal((80, 4))
    full = fit_linear_model(Z, S)
    cov = np.linalg.cholesky(Z.T @ Z / 80)
    sigma = np.linalg.svd(full.W @ cov, compute_uv=False)
    for k in (1, 2, 3):
        fit = fit_linear_model(Z, S, rank=k)
        assert np.linalg.matrix_rank(fit.W, tol=1e-8) == k
        assert fit.loss == pytest.approx(full.loss + (sigma[k:] ** 2).sum(), rel=1e-10)
        assert fit.lower == fit.loss


def test_a_low_rank_fit_with_gradients_beats_random_ones_and_stays_above_its_bound() -> None:
    rng = np.random.default_rng(1)
    Z, S, g = rng.standard_normal((60, 3)), rng.standard_normal((60, 3)), rng.standard_normal((60, 3))
    fit = fit_linear_model(Z, S, g, rank=1)
    assert len(fit.starts) == 22
    assert fit.lower <= fit.loss == min(fit.starts)
    for _ in range(200):
        W = fit.W + 0.1 * rng.standard_normal((3, 1)) * rng.standard_normal((1, 3))
        u, s, vt = np.linalg.svd(W)
        near = s[0] * np.outer(u[:, 0], vt[0])
        assert value_gradient_loss(g, Z @ near.T - S) >= fit.loss - 1e-12


def test_a_coordinate_without_gradient_gets_the_row_zero() -> None:
    rng = np.random.default_rng(2)
    Z, S = rng.standard_normal((20, 2)), rng.standard_normal((20, 2))
    g = np.stack([np.ones(20), np.zeros(20)], axis=1)
    assert fit_linear_model(Z, S, g).W[1].tolist() == [0.0, 0.0]


def test_clipping_keeps_directions_and_caps_lengths() -> None:
    g = np.array([[3.0, 4.0]] + [[0.0, 1.0]] * 9)
    out = clipped_gradients(g, 0.5)
    assert np.linalg.norm(out, axis=1).max() == pytest.approx(1.0)
    assert out[0] == pytest.approx([0.6, 0.8])
    assert clipped_gradients(g, 1.0) == pytest.approx(g)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: fit_linear_model([[1.0], [2.0]], [[1.0]]), r"Z has shape \(2, 1\), must be \(1, q\)"),
        (lambda: fit_linear_model([[1.0]], [[1.0]], rank=0), "rank=0, must be ≥ 1"),
        (lambda: fit_linear_model([[1, 2]], [[1, 2]], rank=1), "rank=1 of rationals"),
        (lambda: fit_linear_model([[1.0]], [[1.0]], weights=[-1.0]), r"weights must be \(1,\) and ≥ 0"),
        (lambda: linear_loss([[1.0, 2.0]], [[1.0]]), r"e: shape \(1, 1\)"),
    ],
)
def test_wrong_arguments_are_named(call: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        call()
