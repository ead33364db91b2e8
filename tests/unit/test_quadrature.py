"""Quadrature rules: closed forms, the stable method against balls, worst-case errors, refusals."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest
from flint import arb
from scipy.integrate import quad

from rltheory.arrays import exact_array
from rltheory.errors import InvalidArgument
from rltheory.kernels import ball
from rltheory.kernels.covariance import even_derivatives, matern, matern_double, matern_primitive
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
from rltheory.operators._weights import ball_error, ball_weights, dense_weights, state_space_weights

NUS = (0.5, 1.5, 2.5, 3.5)


@pytest.mark.parametrize("p", range(4))
def test_integrals_of_the_covariances(p: int) -> None:
    c, T = 1.7, 0.8
    single = quad(lambda s: matern(p, c, s), 0, T, epsabs=1e-13)[0]
    assert matern_primitive(p, c, T) == pytest.approx(single, rel=1e-11)
    double = quad(lambda t: matern_primitive(p, c, t) + matern_primitive(p, c, T - t), 0, T, epsabs=1e-13)[0]
    assert matern_double(p, c, T) == pytest.approx(double, rel=1e-11)


@pytest.mark.parametrize("p", range(4))
def test_derivatives_at_zero_against_differences(p: int) -> None:
    with ball.precision(400):
        h = arb(2) ** -20
        values = [matern(p, arb(1), abs(h * k)) for k in range(-4, 5)]
        for k in range(min(p, 2) + 1):
            n = 2 * k
            total = (
                sum(((-1) ** j * math.comb(n, j) * values[4 - k + j] for j in range(n + 1)), arb(0)) / h**n
            )
            assert float((-1) ** k * total.mid()) == pytest.approx(float(even_derivatives(p)[k]), abs=1e-4)


@pytest.mark.parametrize("nu", NUS)
@pytest.mark.parametrize("nugget", [0.0, 1e-6])
def test_state_space_is_dense_on_uneven_nodes(nu: float, nugget: float) -> None:
    nodes = [F(1, 10), F(1, 4), F(2, 5), F(3, 4), F(4, 5)]
    floats = np.array([float(t) for t in nodes])
    exact = bayesian_quadrature(nodes, Matern(nu, F(3, 5)), window=(0, 1), nugget=F(nugget), method="balls")
    fast = bayesian_quadrature(floats, Matern(nu, 0.6), window=(0.0, 1.0), nugget=nugget)
    dense = bayesian_quadrature(floats, Matern(nu, 0.6), window=(0.0, 1.0), nugget=nugget, method="dense")
    np.testing.assert_allclose(fast.weights, exact.weights.astype(float), rtol=0, atol=1e-13)
    np.testing.assert_allclose(dense.weights, exact.weights.astype(float), rtol=0, atol=1e-11)
    assert fast.method == "state space" and dense.method == "dense, doubles" and exact.radius < F(1, 10**24)
    if not nugget:
        assert fast.variance == pytest.approx(float(exact.variance.mid), rel=1e-10)
        assert fast.error() == pytest.approx(float(exact.error()), rel=1e-10)
    else:
        assert fast.variance is None and fast.nugget == nugget and "nugget=1e-06" in repr(fast)


@pytest.mark.parametrize("nu", NUS)
def test_the_window_may_start_anywhere(nu: float) -> None:
    base = bayesian_quadrature(np.linspace(0, 0.5, 6), Matern(nu, 0.3))
    moved = bayesian_quadrature(np.linspace(2, 2.5, 6), Matern(nu, 0.3))
    np.testing.assert_allclose(moved.weights, base.weights, atol=1e-14)


def test_wiener_gives_the_trapezoid_exactly() -> None:
    nodes = [1, F(5, 4), F(7, 4), 2]
    for cov in (Wiener(), Wiener(3)):
        out = bayesian_quadrature(nodes, cov)
        assert out.weights.tolist() == trapezoid(nodes).weights.tolist() and out.radius == 0
        assert out.variance == sum(F(k) ** 3 / 12 for k in (F(1, 4), F(1, 2), F(1, 4)))
    fast = bayesian_quadrature(np.array([1.0, 1.25, 1.75, 2.0]), Wiener())
    np.testing.assert_allclose(fast.weights, [1 / 8, 3 / 8, 3 / 8, 1 / 8], atol=1e-15)
    pinned = bayesian_quadrature([0, F(1, 2), 1], Wiener())
    assert pinned.weights.tolist() == [0, F(1, 2), F(1, 4)]


def test_wiener_without_an_end() -> None:
    last = bayesian_quadrature([0, F(1, 4), F(3, 4)], Wiener(1), window=(0, 1))
    assert last.weights.tolist() == [F(1, 8), F(3, 8), F(1, 2)]
    first = bayesian_quadrature([F(1, 4), F(3, 4), 1], Wiener(1), window=(0, 1))
    assert first.weights.tolist() == [F(19, 40), F(3, 8), F(1, 8)]
    nugget = bayesian_quadrature([F(1, 4), 1], Wiener(1), window=(0, 1), nugget=F(1, 8))
    K = exact_array([[F(11, 8), F(5, 4)], [F(5, 4), F(17, 8)]])
    assert (K @ nugget.weights).tolist() == [1 + F(1, 4) - F(1, 32), 1 + F(1, 2)]


def test_classical_rules() -> None:
    assert simpson(even_nodes(1, 5)).weights.tolist() == [F(k, 12) for k in (1, 4, 2, 4, 1)]
    assert simpson(even_nodes(F(2), 3)).integrate([t**3 for t in even_nodes(2, 3)]) == 4
    assert trapezoid([0, 1, 3]).weights.tolist() == [F(1, 2), F(3, 2), 1]
    x = gauss_legendre(2.0, 3, start=1.0)
    assert x.integrate(x.nodes**5) == pytest.approx((3**6 - 1) / 6, rel=1e-14)
    assert x.step is None and trapezoid(even_nodes(0.3, 4)).step == pytest.approx(0.1)
    assert trapezoid([0.0, 0.1, 0.3]).step is None


@pytest.mark.parametrize("nu", NUS)
def test_worst_case_error_two_ways(nu: float) -> None:
    rule = trapezoid(np.linspace(0, 1, 9))
    cov = Matern(nu, 0.5)
    K = cov.cov(rule.nodes[:, None], rule.nodes[None, :])
    z = cov.embedding(rule.nodes, 1.0)
    w = rule.weights
    assert rule.error(cov) == pytest.approx(math.sqrt(cov.variance(1.0) - 2 * w @ z + w @ K @ w), rel=1e-8)
    exact = worst_case_error(even_nodes(1, 9), trapezoid(even_nodes(1, 9)).weights, Matern(F(nu), F(1, 2)))
    assert float(exact) == pytest.approx(rule.error(cov), rel=1e-12) and exact.width < F(1, 10**12)


def test_the_extremal_function_attains_the_error() -> None:
    nodes, cov = np.array([0.0, 0.3, 1.0]), Matern(1.5, 0.4)
    rule = bayesian_quadrature(nodes, cov)

    def f(t: float) -> float:
        return float(cov.embedding(t, 1.0) - sum(w * cov.cov(t, s) for w, s in zip(rule.weights, nodes)))

    error = quad(f, 0, 1, points=[0.3], epsabs=1e-14)[0] - rule.integrate([f(t) for t in nodes])
    assert error == pytest.approx(rule.variance, rel=1e-9)


def test_folded_and_plain_solves_agree() -> None:
    nodes = [F(i, 6) for i in range(7)]
    with ball.precision(256):
        w, e2 = ball_weights(nodes, F(1), Matern(F(5, 2), F(1, 2)))  # mirrored: half the unknowns
        again = ball_error(nodes, w, F(1), Matern(F(5, 2), F(1, 2)))
        plain, _ = ball_weights([*nodes[:-1], F(99, 100)], F(1), Matern(F(5, 2), F(1, 2)))
    assert abs(float((e2 - again).mid())) < 1e-60
    assert len(plain) == 7 and float(w[0]) == float(w[6])


def test_dense_in_doubles_is_refused_where_it_is_noise() -> None:
    nodes = np.linspace(0, 1, 33)
    with pytest.raises(InvalidArgument, match=r"cond K = .*state-space"):
        bayesian_quadrature(nodes, Matern(3.5, 3.0), method="dense")
    w, _ = dense_weights(nodes, 1.0, Matern(3.5, 3.0), 1e-8)
    v, _ = state_space_weights(nodes, 1.0, Matern(3.5, 3.0), 1e-8)
    np.testing.assert_allclose(w, v, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Matern(2, 1.0), ("nu=2", "7/2")),
        (lambda: Matern(1.5, 0.0), ("lengthscale=0.0", "positive")),
        (lambda: Wiener(-1), ("offset=-1",)),
        (lambda: even_nodes(1.0, 1), ("N=1", "one trapezoid")),
        (lambda: even_nodes(-1.0, 3), ("T=-1.0",)),
        (lambda: trapezoid([0.0, 0.0]), ("nodes[0]=0.0", "must increase")),
        (lambda: trapezoid([0.0, np.nan]), ("nodes[1]", "finite")),
        (lambda: simpson([0.0, 0.5, 1.0, 1.5]), ("N=4", "odd")),
        (lambda: simpson([0.0, 0.4, 1.0]), ("not evenly spaced",)),
        (lambda: gauss_legendre(1.0, 0), ("N=0",)),
        (lambda: bayesian_quadrature([0.0, 1.0], Matern(1.5, 1.0), nugget=-1.0), ("nugget=-1.0",)),
        (lambda: bayesian_quadrature([0.0, 1.0], Matern(1.5, 1.0), window=(0.5, 1.0)), ("window", "contain")),
        (lambda: bayesian_quadrature([-1.0, 1.0], Wiener()), ("starts at -1.0",)),
        (lambda: bayesian_quadrature([0.0, 1.0], Wiener(1), method="lu"), ("method='lu'", "state-space")),  # type: ignore[arg-type]
        (lambda: worst_case_error([0.0, 1.0], [1.0], Wiener(1)), ("weights: shape=(1,)",)),
        (lambda: trapezoid([0.0, 1.0]).error(), ("no covariance",)),
    ],
)
def test_refusals(call: object, words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        call()  # type: ignore[operator]
    for word in words:
        assert word in str(caught.value)
