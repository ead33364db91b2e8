"""Quadrature at the edge of what it accepts: refused in words, or right."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from rltheory.errors import InvalidArgument
from rltheory.operators import (
    Matern,
    Wiener,
    bayesian_quadrature,
    even_nodes,
    gauss_legendre,
    simpson,
    trapezoid,
    worst_case_error,
)


@pytest.mark.parametrize("N", [2.5, math.nan])
def test_nodes_are_counted(N: Any) -> None:
    with pytest.raises(InvalidArgument, match="N="):
        even_nodes(1.0, N)
    with pytest.raises(InvalidArgument, match="N="):
        gauss_legendre(1.0, N)


def test_windows_are_finite() -> None:
    with pytest.raises(InvalidArgument, match="start=nan"):
        even_nodes(1.0, 5, start=math.nan)
    with pytest.raises(InvalidArgument, match="start=inf"):
        gauss_legendre(1.0, 5, start=math.inf)
    for window in ((-math.inf, math.inf), (0.0, math.inf), (math.nan, 1.0)):
        with pytest.raises(InvalidArgument, match="window="):
            bayesian_quadrature([0.0, 1.0], Matern(0.5, 1.0), window=window)


def test_values_and_weights_are_one_a_node() -> None:
    rule = trapezoid([0.0, 1.0, 3.0])
    assert rule.integrate([[1.0, 1.0, 1.0], [0.0, 1.0, 3.0]]).tolist() == [3.0, 4.5]
    for values in (1.0, [1.0, 2.0]):
        with pytest.raises(InvalidArgument, match=r"must be \(\.\.\., 3\)"):
            rule.integrate(values)
    with pytest.raises(InvalidArgument, match=r"weights.*finite"):
        worst_case_error([0.0, 1.0], [math.nan, 1.0], Matern(0.5, 1.0))


def test_covariances_and_precision_are_numbers() -> None:
    with pytest.raises(InvalidArgument, match="nu=nan"):
        Matern(math.nan, 1.0)
    with pytest.raises(InvalidArgument, match="bits=-5"):
        bayesian_quadrature([0, 1], Matern(0.5, 1.0), bits=-5)


@pytest.mark.parametrize(("nu", "gap"), [(0.5, 1e-13), (1.5, 1e-13), (2.5, 1e-9), (3.5, 1e-6)])
def test_nodes_too_close_for_doubles_are_refused_and_balls_take_them(nu: float, gap: float) -> None:
    nodes = [0.0, gap, 0.5, 1.0]
    with pytest.raises(InvalidArgument, match="too close together"):
        bayesian_quadrature(nodes, Matern(nu, 0.5))
    rule = bayesian_quadrature(nodes, Matern(nu, 0.5), method="balls")
    assert rule.radius < 1e-24
    merged = bayesian_quadrature([0.0, 0.5, 1.0], Matern(nu, 0.5))
    assert float(rule.error().upper) < merged.error() * (1 + 1e-9)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 3.5])
@pytest.mark.parametrize("nodes", [[0.0, 0.1, 0.2, 1.0], [0.2, 0.5, 0.7], [0.0, 1e-3, 0.999, 1.0]])
def test_doubles_agree_with_balls_on_uneven_nodes(nu: float, nodes: list[float]) -> None:
    cov = Matern(nu, 0.5)
    doubles = bayesian_quadrature(nodes, cov, window=(0.0, 1.0))
    balls = bayesian_quadrature(nodes, cov, window=(0.0, 1.0), method="balls")
    true = balls.weights.astype(np.float64)
    assert np.abs(doubles.weights - true).max() <= 1e-7 * np.abs(true).max()
    assert doubles.error() == pytest.approx(float(balls.error().upper), rel=1e-7)


def test_an_exact_window_keeps_a_covariance_in_doubles_exact() -> None:
    nodes = [F(1, 3), F(1, 2), F(4, 5)]  # 0.1 + 1/3 is no double
    rule = bayesian_quadrature(nodes, Wiener(0.1), window=(F(1, 3), F(1)))
    assert rule.radius == 0
    offset, T = F(0.1) + F(1, 3), F(2, 3)
    u = [t - F(1, 3) for t in nodes]
    for i in range(3):  # K w = z without rounding
        row = sum((offset + min(u[i], u[j])) * rule.weights[j] for j in range(3))
        assert row == offset * T + u[i] * T - u[i] ** 2 / 2


def test_windows_far_from_zero_are_still_evenly_spaced() -> None:
    t = 1e6 + np.linspace(0.0, 0.1, 5)
    assert simpson(t).integrate((t - 1e6) ** 3) == pytest.approx(0.1**4 / 4, rel=1e-7)
    t[2] += 1e-6
    with pytest.raises(InvalidArgument, match="not evenly spaced"):
        simpson(t)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 3.5])
@pytest.mark.parametrize("lengthscale", [1e-3, 1e-6, 1e-12])
def test_lengthscales_far_below_the_mesh_are_right_or_refused(nu: float, lengthscale: float) -> None:
    nodes, cov = np.linspace(0.0, 1.0, 5), Matern(nu, lengthscale)
    balls = bayesian_quadrature(nodes, cov, method="balls")
    rule = bayesian_quadrature(nodes, cov)
    np.testing.assert_allclose(rule.weights, balls.weights.astype(np.float64), rtol=1e-5)
    assert rule.error() == pytest.approx(float(balls.error().upper), rel=1e-5)
    if lengthscale < 1e-5:
        assert rule.method == "dense, doubles"
        with pytest.raises(InvalidArgument, match="too many lengthscales apart"):
            bayesian_quadrature(nodes, cov, method="state-space")
