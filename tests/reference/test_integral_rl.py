"""Reference values of the integral-RL page, each to the digits printed there."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest

import rltheory as rl
from proofs_check.cao2024 import experiments as ex
from proofs_check.cao2024.inexact import Bounded, constant_error
from proofs_check.cao2024.meshes import leading, limit, realised
from proofs_check.cao2024.newton import FROM_ZERO, TRAPEZOID_01
from proofs_check.cao2024.setting import evaluated, scalar, system, third_order
from rltheory.checks import Reader
from rltheory.kernels import ball, lq
from rltheory.operators import Matern, bayesian_quadrature, even_nodes, trapezoid
from rltheory.solvers import IntegralRL, Kleinman, QuadratureIteration, solve_riccati

P_STAR = [
    [2.355030933091255, 2.238452370854354, 0.904987562112089],
    [2.238452370854354, 4.241942496771641, 1.893095222031231],
    [0.904987562112089, 1.893095222031231, 1.596995960828504],
]


def test_optimum_of_the_linear_benchmark() -> None:
    out = solve_riccati(rl.gallery.third_order_lqr())
    np.testing.assert_allclose(out.X.astype(float), P_STAR, rtol=0, atol=6e-16)
    np.testing.assert_allclose(
        rl.gallery.third_order_lqr().gain(out.X)[0].astype(float), P_STAR[2], atol=6e-16
    )


def test_leading_matrix_of_the_trapezoid() -> None:
    with ball.precision(256):
        L = leading()
        assert float(lq.frobenius(L).mid()) == pytest.approx(1.882356612374, rel=1e-12)
        expected = [[0.2420783, 0.3898325, 0.43121967], [0.3898325, 0.92028907, 0.78431612]]
        np.testing.assert_allclose(lq.to_array(L)[:2], expected, atol=5e-9)
        assert float(L[2, 2].mid()) == pytest.approx(0.85533001, abs=5e-9)


@pytest.mark.parametrize(
    ("n", "error", "cost"),
    [
        (20, 4.723470899072e-3, 2.6475315440e-6),
        (40, 1.177567469023e-3, 1.6468133776e-7),
        (80, 2.941865682323e-4, 1.0280322408e-8),
        (140, 9.604588850884e-5, None),
    ],
)
def test_fixed_points_of_the_trapezoid(n: int, error: float, cost: float | None) -> None:
    with ball.precision(256):
        assert float(lq.frobenius(limit(n)).mid()) == pytest.approx(error, rel=1e-12)
    if cost is not None:
        assert float(realised(n).mid()) == pytest.approx(cost, rel=1e-10)


def test_evaluation_of_zero_gain_by_trapezoid() -> None:
    from proofs_check.cao2024.evaluation import benchmark

    x = benchmark(F(1, 20), 2)
    with ball.precision(256):
        first = lq.scaled(lq.ball_matrix(x.lie(x.Mq)), F(-1, 12))
        assert float(lq.frobenius(first).mid()) == pytest.approx(0.1763834, abs=5e-8)
        rest = x.by_trapezoid - lq.ball_matrix(x.true) - lq.scaled(first, x.h**2)
        assert 0.9 * 0.00606 < float(lq.frobenius(rest).mid()) / 0.05**4 <= 0.00606


def test_smoother_kernels_do_not_glue() -> None:
    from proofs_check.cao2024.evaluation import benchmark

    for p, expected in ((1, 1.1e-2), (3, 6.6e-4)):
        x = benchmark(F(1, 20), 3, Matern(F(2 * p + 1, 2), F(3, 10)))
        with ball.precision(256):
            gap = x.by_rule(3) - x.by_rule(5)
            change = max(float(abs(v).mid()) for v in gap.entries())
        assert change == pytest.approx(expected, rel=0.05)


def test_kleinman_from_zero() -> None:
    out = Kleinman(max_iter=7, tol=0).run(rl.gallery.third_order_lqr().float())
    errors = [float(np.linalg.norm(P - np.array(P_STAR))) for P in out.values]
    expected = [22.872153696596, 10.000613864538, 3.893876170837, 1.285786124518719, 0.266683585536]
    np.testing.assert_allclose(errors[:5], expected, rtol=1e-11)
    np.testing.assert_allclose(errors[5:], [1.0177232153e-2, 1.08859786e-5], rtol=1e-8)
    with ball.precision(256):
        start = [float(lq.norm(lq.lyapunov(FROM_ZERO.x.A, lq.identity(3, FROM_ZERO.x.A))).mid())]
        kappa = start + [float(v.mid()) for v in FROM_ZERO.kappa(FROM_ZERO.exact)]
    np.testing.assert_allclose(kappa[:7], [28.06, 5.25, 5.39, 5.41, 5.11, 4.84, 4.80], atol=5.1e-3)


def test_trapezoid_is_not_monotone() -> None:
    with ball.precision(256):
        path = [evaluated(third_order(), lq.ball_matrix(np.zeros((3, 3))), TRAPEZOID_01)]
        for _ in range(10):
            path.append(evaluated(third_order(), path[-1], TRAPEZOID_01))
        low = float(lq.extreme_eigenvalues(path[9] - path[10])[0].mid())
    assert low == pytest.approx(-5.54e-8, abs=5e-11)


def test_linear_convergence_of_the_trapezoid() -> None:
    x = scalar(F(1, 2), 1, 2, F(1, 2))
    with ball.precision(256):
        from proofs_check.cao2024.setting import fixed_point, rule_of

        rule = rule_of(F(1, 5), 2, "trapezoid")
        star = fixed_point(x, rule)
        near = evaluated(x, star + lq.ball_matrix(np.array([[2.0**-60]])), rule)
        factor = float(((near - star)[0, 0] * 2**60).mid())
        benchmark = fixed_point(third_order(), rule_of(F(1, 10), 2, "trapezoid"))
        J = max(abs(v) for v in np.linalg.eigvals(_jacobian(benchmark)))
    assert abs(factor) == pytest.approx(0.22990305, abs=5e-9)
    assert pytest.approx(0.018, abs=1e-3) == J


def _jacobian(P: object) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    x = third_order()
    cells = [(i, j) for i in range(3) for j in range(i, 3)]
    columns = []
    for i, j in cells:
        E = np.zeros((3, 3))
        E[i, j] = E[j, i] = 2.0**-40
        up = evaluated(x, P + lq.ball_matrix(E), TRAPEZOID_01)  # type: ignore[operator]
        down = evaluated(x, P - lq.ball_matrix(E), TRAPEZOID_01)  # type: ignore[operator]
        D = up - down
        columns.append([float((D[a, b] * 2**39).mid()) for a, b in cells])
    return np.array(columns).T


def test_bounded_errors_on_the_linear_benchmark() -> None:
    x = third_order()
    for eps, error, root in (
        (F(1, 10000), 1.00009930e-4, 1.0004809e-4),
        (F(1, 1000), 1.00099302e-3, 1.0048936794650e-3),
        (F(1, 50), 0.0203972, 0.0233839),
    ):
        s = constant_error(eps, x=x, steps=25)
        assert float(s.k.mid()) == pytest.approx(4.799387990541, rel=1e-12)
        assert float(s.run[0][-1].mid()) == pytest.approx(error, rel=3e-6)
        assert float(s.roots[0].mid()) == pytest.approx(root, rel=3e-6)
    s = constant_error(F(1, 1000), x=x, steps=1)
    assert float(s.roots[0].mid()) == pytest.approx(1.0048936794650e-3, rel=1e-13)
    assert float((s.roots[1] / (6 * s.k)).mid()) == pytest.approx(0.0691150728643, rel=1e-12)


def test_the_quadratic_alone_is_not_the_smallness_condition() -> None:
    # (1 + 2z)² ≥ 12z holds again for z = kε ≥ 1 + √3/2, where the first step already loses stability
    s: Bounded = constant_error(F(15, 4), -1, steps=3)
    z = float(s.k.mid()) * 3.75
    assert z == pytest.approx(1.875) and (1 + 2 * z) ** 2 >= 12 * z
    assert not s.small and s.run[1] == 1


@pytest.mark.parametrize(
    ("p", "weights", "e", "trap"),
    [
        (0, [0.0621765008858, 0.124353001772, 0.124353001772], 0.0719443244963, 0.0720500705413),
        (1, [0.0524417212879, 0.138237845841, 0.121505812567, 0.125966913874, 0.124516513545],
         0.00846844543315, 0.00994742990098),
        (2, [0.0484922051387, 0.145934990929, 0.115217898650, 0.129722283598, 0.121625863888],
         0.00176493565681, 0.00531061569567),
        (3, [0.0460313713433, 0.152268229919, 0.107606535739, 0.136402544322, 0.115557578161],
         0.000627610287154, 0.00484131279265),
    ],
)  # fmt: skip
def test_weights_of_nine_nodes(p: int, weights: list[float], e: float, trap: float) -> None:
    cov = Matern(F(2 * p + 1, 2), F(1, 2))
    exact = bayesian_quadrature(even_nodes(1, 9), cov)
    fast = bayesian_quadrature(np.linspace(0, 1, 9), Matern(p + 0.5, 0.5))
    np.testing.assert_allclose(exact.weights.astype(float)[: len(weights)], weights, rtol=1e-11)
    np.testing.assert_allclose(fast.weights[: len(weights)], weights, rtol=1e-11)
    assert float(exact.error()) == pytest.approx(e, rel=1e-11)
    assert float(trapezoid(even_nodes(1, 9)).error(cov)) == pytest.approx(trap, rel=1e-11)


@pytest.mark.parametrize(
    ("nu", "expected"),
    [
        (0.5, {5: 96, 15: 1.1e3, 65: 2.2e4}),
        (1.5, {5: 1.2e4, 15: 2.4e6, 65: 1.0e9}),
        (2.5, {5: 5.3e5, 15: 2.8e9}),
        (3.5, {5: 9.5e6}),
    ],
)
def test_condition_of_the_gram_matrix(nu: float, expected: dict[int, float]) -> None:
    for N, cond in expected.items():
        t = np.linspace(0, 1, N)
        K = np.asarray(Matern(nu, 3.0).cov(t[:, None], t[None, :]))
        assert np.linalg.cond(K) == pytest.approx(cond, rel=0.06)


def test_scalar_fixed_points() -> None:
    model = rl.gallery.scalar_lqr()
    best = solve_riccati(model).X[0, 0] / 0.5
    assert best == pytest.approx(2.56155281281, abs=5e-12)
    for h, k in ((0.05, 2.570719666856), (0.1, 2.599423412402), (0.2, 2.737727614080), (0.3, 3.172322161)):
        pair = ex.scalar_fixed_points(h)
        assert pair is not None and pair[0] == pytest.approx(k, rel=3e-10)
        out = QuadratureIteration(h, 2, K0=[[best]], tol=1e-12, max_iter=400).run(model)
        assert out.P[0, 0] / 0.5 == pytest.approx(k, rel=3e-10)
    assert ex.critical_step() == pytest.approx(0.32660803, abs=5e-9)
    known = ((0.5, 0.653216, 6), (0.0, 0.748846553113, 10), (-1.0, 0.8940, 4), (-10.0, 0.99999, 5))
    for a, index, digits in known:
        assert 2 * ex.critical_step(a) == pytest.approx(index, abs=0.51 * 10.0**-digits)


def test_meshes_too_coarse_for_the_linear_benchmark() -> None:
    assert ex.third_order_survives(0.1121456, from_optimum=False)
    assert not ex.third_order_survives(0.1121457, from_optimum=False)
    assert not ex.third_order_survives(0.5432, from_optimum=True)


def test_the_last_fixed_point_of_the_linear_benchmark() -> None:
    # the page says .54306 ± .00002; a fixed point is proved at .54309
    from rltheory.solvers import quadrature_fixed_point

    model = rl.gallery.third_order_lqr()
    start = QuadratureIteration(0.543, 2, K0=model.float().gain(P_STAR), tol=1e-4, max_iter=2000)
    near = start.run(model.float()).P
    for h in (F(543, 1000), F(54308, 100000), F(54309, 100000)):
        out = quadrature_fixed_point(model, h, 2, near=near)
        near = out.X.astype(float)
        assert out.error < F(1, 10**35)


def test_nonlinear_benchmark_errors() -> None:
    expected = [0.644, 7.9e-4, 2.5e-9]
    np.testing.assert_allclose(ex_errors(), expected, rtol=8e-3)


def ex_errors() -> tuple[float, ...]:
    from proofs_check.cao2024.orders import exact_errors

    return exact_errors()


def test_nonlinear_shadow_of_the_trapezoid() -> None:
    """ω̂ − ω* is the least-squares fit of −(h²/12)(d/dt)l, to a few percent of its size."""
    from rltheory.solvers._integral_data import least_squares, nonlinear_windows
    from rltheory.solvers.integral_rl import window_rule

    model = rl.gallery.sine_gain()
    omega, x = np.array([0.5, 0.0, 1.0]), np.array([1.0, 1.0])
    N, h = 5, 0.1 / 4
    Theta, Xi, _ = nonlinear_windows(model, omega, x, window_rule(0.1, N, "trapezoid"), 0.1, 20, 1e-12)
    got, residual, _ = least_squares(Theta, Xi, False)
    from scipy.integrate import solve_ivp

    def slope(_: float, y: np.ndarray[tuple[int], np.dtype[np.float64]]) -> object:
        return model.f(y) + model.g(y) @ model.control(y, omega)

    ends = solve_ivp(slope, (0, 2.0), x, t_eval=np.linspace(0, 2, 21), rtol=1e-12, atol=1e-14).y.T

    def rate(y: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        d = np.asarray(slope(0.0, y)) * 1e-6
        cost = [model.cost(z, model.control(z, omega)) for z in (y + d, y - d)]
        return (cost[0] - cost[1]) / 2e-6

    rates = np.array([rate(y) for y in ends])
    shadow, *_ = np.linalg.lstsq(Theta, -(h * h) / 12 * (rates[:-1] - rates[1:]), rcond=None)
    np.testing.assert_allclose(got - omega, shadow, atol=0.02 * np.linalg.norm(shadow))
    assert residual > 1e-10


def test_the_bound_by_the_pseudo_inverse_is_loose() -> None:
    out = ex.looseness()
    assert out.singular_values[-1] < 1e-6 and out.bound > 1e6 * out.error
    assert out.error == pytest.approx(1.0e-3, rel=0.05)


def test_duplicated_features_and_published_settings() -> None:
    run = IntegralRL((2.0, -2.0, 3.0), 0.1, 5, windows=10, tol=1e-3).run(rl.gallery.third_order_lqr())
    error = float(np.linalg.norm(run.P - np.array(P_STAR)))
    assert run.ending == "solved" and error == pytest.approx(1.1776104e-3, rel=1e-4)


def test_gains_and_values_as_published() -> None:
    run = QuadratureIteration(0.1, 5, tol=1e-3).run(rl.gallery.third_order_lqr().float())
    gap = run.P - np.array(P_STAR)
    assert np.linalg.norm(gap[2]) == pytest.approx(7.74515e-4, rel=3e-4)
    assert 1e4 * np.trace(gap) == pytest.approx(12.6224, rel=3e-4)


def test_orders_of_the_plot() -> None:
    out = ex.orders((8, 11, 16, 22))
    for name, expected in (("trapezoid", 2), ("Matérn-1/2", 2), ("Matérn-3/2", 3), ("Matérn-5/2", 4)):
        slope, band = out.slope(name)
        assert slope == pytest.approx(expected, abs=0.06) and band < 0.05
    assert out.slope("Matérn-7/2")[0] > 4.8 and out.slope("Matérn-7/2, nugget 1e-8")[0] < 1.6


def test_rational_systems_have_their_optimum() -> None:
    for raw in (bytes(range(1, 91)), bytes(range(90, 180))):
        x = system(Reader(raw))
        assert x.best is not None
        assert not any(v != 0 for v in x.ric(x.star).entries())
        near = solve_riccati(x.model.float())
        assert np.abs(near.X - x.best.astype(float)).max() <= 1e-9 * (1 + math.fabs(float(x.best[0, 0])))
