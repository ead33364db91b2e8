"""Matrix equations with proved errors, and integral policy iteration three ways."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

import rltheory as rl
from rltheory.arrays import exact_array
from rltheory.errors import InvalidArgument, InvalidModel, NotConverged
from rltheory.kernels import ball, lq
from rltheory.kernels.exact import to_fmpq_mat
from rltheory.models import LQR, ControlAffine
from rltheory.operators import Matern, Wiener
from rltheory.solvers import (
    IntegralRL,
    Kleinman,
    QuadratureIteration,
    quadrature_fixed_point,
    solve_discrete_lyapunov,
    solve_lyapunov,
    solve_riccati,
    window_rule,
)

RNG = np.random.default_rng(5)


def stable(n: int) -> np.ndarray[Any, Any]:
    G = RNG.normal(size=(n, n))
    return np.asarray(G - (1 + np.abs(np.linalg.eigvals(G)).max()) * np.eye(n))


def kronecker(F_: np.ndarray[Any, Any], M: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    n, eye = len(F_), np.eye(len(F_))
    return np.linalg.solve(np.kron(eye, F_.T) + np.kron(F_.T, eye), -M.reshape(-1)).reshape(n, n)


def spectral(X: Any) -> float:
    return float(np.linalg.norm(np.asarray(X).astype(np.float64), 2))


# ---- matrix equations --------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_lyapunov_error_is_proved(n: int) -> None:
    A, G = stable(n), RNG.normal(size=(n, n))
    M = G + G.T
    out = solve_lyapunov(A, M)
    np.testing.assert_allclose(out.X, kronecker(A, M), atol=1e-10)
    if n <= 5:
        true = solve_lyapunov(exact_array(A), exact_array(M))
        assert true.error == 0
        assert spectral(exact_array(out.X) - true.X) <= out.error < 1e-11


@pytest.mark.parametrize("n", [1, 3, 6])
def test_discrete_lyapunov_error_is_proved(n: int) -> None:
    Phi = expm(stable(n) / 4)
    W = np.eye(n)
    out = solve_discrete_lyapunov(Phi, W)
    total, power = np.zeros((n, n)), np.eye(n)
    for _ in range(400):
        total += power.T @ W @ power
        power = power @ Phi
    np.testing.assert_allclose(out.X, total, rtol=1e-11)
    if n <= 3:
        true = solve_discrete_lyapunov(exact_array(Phi), exact_array(W))
        assert spectral(exact_array(out.X) - true.X) <= out.error < 1e-10


def test_riccati_in_doubles_against_balls() -> None:
    model = rl.gallery.third_order_lqr()
    true, fast = solve_riccati(model), solve_riccati(model.float())
    # the stored doubles of .1, .5, .7 are not the rationals: compare with the exact solution of the doubles
    same = solve_riccati(model.float().exact())
    assert spectral(exact_array(fast.X) - same.X) <= fast.error + float(same.error) < 1e-13
    assert true.error < F(1, 10**40)
    P = to_fmpq_mat(true.X)
    A, S, Q = (to_fmpq_mat(X) for X in (model.A, model.S, model.Q))
    with ball.precision(300):
        assert float(lq.frobenius(lq.riccati_residual(A, S, Q, P)).mid()) < 1e-60


def test_a_bound_too_small_would_be_seen() -> None:
    A, M = np.array([[-1.0, 30.0], [0.0, -1.0]]), np.array([[1.0, 0.3], [0.3, 0.7]])
    out, true = solve_lyapunov(A, M), solve_lyapunov(exact_array(A), exact_array(M))
    gap = spectral(exact_array(out.X) - true.X)
    assert 0 < gap <= out.error < 1e4 * gap


@pytest.mark.parametrize("exact", [False, True])
def test_refused_with_the_eigenvalue(exact: bool) -> None:
    def lift(x: Any) -> Any:
        return exact_array(x) if exact else np.asarray(x, dtype=np.float64)

    with pytest.raises(InvalidModel, match=r"eigenvalue 1.*real part < 0"):
        solve_lyapunov(lift([[-2, 0], [0, 1]]), lift(np.eye(2, dtype=int)))
    with pytest.raises(InvalidModel, match=r"eigenvalue 2.*modulus < 1"):
        solve_discrete_lyapunov(lift([[2]]), lift([[1]]))
    unmoved = LQR(lift([[3, 0], [0, -1]]), lift([[0], [1]]), lift(np.eye(2, dtype=int)), lift([[1]]))
    with pytest.raises(InvalidModel, match=r"not stabilisable.*eigenvalue 3"):
        solve_riccati(unmoved)
    unseen = LQR(lift([[0, 1], [-1, 0]]), lift([[0], [1]]), lift(np.zeros((2, 2), dtype=int)), lift([[1]]))
    with pytest.raises(InvalidModel, match="does not see the undamped"):
        solve_riccati(unseen)


def test_models_are_checked() -> None:
    eye = np.eye(2)
    with pytest.raises(InvalidModel, match=r"Q\[0, 1\]=1.0 and Q\[1, 0\]=0.0"):
        LQR(eye, eye, [[1.0, 1.0], [0.0, 1.0]], eye)
    with pytest.raises(InvalidModel, match="R has the eigenvalue 0"):
        LQR(eye, eye, eye, np.zeros((2, 2)))
    with pytest.raises(InvalidModel, match=r"B has shape \(3, 2\)"):
        LQR(eye, np.ones((3, 2)), eye, eye)
    with pytest.raises(InvalidModel, match=r"A\[0, 1\]=nan"):
        LQR([[1.0, np.nan], [0.0, 1.0]], eye, eye, eye)
    with pytest.raises(InvalidModel, match=r"features\(0\)\[0\]=1"):
        ControlAffine(
            f=lambda x: -x,
            g=lambda x: np.ones((1, 1)),
            q=lambda x: float(x @ x),
            R=np.eye(1),
            features=lambda x: np.cos(x),
            gradient=lambda x: -np.sin(x)[None],
            n=1,
        )
    with pytest.raises(InvalidArgument, match="must be symmetric"):
        solve_lyapunov(-eye, [[0.0, 1.0], [0.0, 0.0]])


# ---- norms and enclosures ----------------------------------------------------------------------
def test_extreme_eigenvalues_enclose() -> None:
    for n in (1, 2, 4):
        G = RNG.integers(-9, 9, size=(n, n))
        X = exact_array(G + G.T)
        values = np.linalg.eigvalsh((G + G.T).astype(float))
        with ball.precision(128):
            low, high = (ball.to_arb(v) for v in lq.extreme_eigenvalues(to_fmpq_mat(X)))
            assert abs(float(low.mid()) - values[0]) < 1e-12 and float(low.rad()) < 1e-12
            assert abs(float(high.mid()) - values[-1]) < 1e-12
    with ball.precision(128):  # √2 is inside
        low, high = lq.extreme_eigenvalues(to_fmpq_mat(exact_array([[1, 1], [1, -1]])))
        assert high.contains(ball.to_arb(2).sqrt().mid())


def test_derivative_of_a_step_against_differences() -> None:
    model = rl.gallery.third_order_lqr()
    rule = window_rule(F(1, 10), 3, "trapezoid", exact=True)
    with ball.precision(400):
        A, S, Q = (lq.ball_matrix(to_fmpq_mat(X)) for X in (model.A, model.S, model.Q))
        P = lq.ball_matrix(solve_riccati(model).X)
        E = lq.ball_matrix(np.array([[1.0, 0.5, 0], [0.5, 0, -1], [0, -1, 2]]))
        nodes, w = [F(t) for t in rule.nodes], rule.balls()

        def step(X: Any) -> Any:
            return lq.quadrature_step(A, S, Q, X, F(1, 10), nodes, w)

        eps = F(1, 2**60)
        slope = lq.scaled(step(P + lq.scaled(E, eps)) - step(P - lq.scaled(E, eps)), 1 / (2 * eps))
        D = lq.quadrature_step_derivative(A, S, Q, P, F(1, 10), nodes, w, E)
        assert float(lq.frobenius(slope - D).mid()) < 1e-30


def test_fixed_points_are_what_the_iteration_reaches() -> None:
    model = rl.gallery.third_order_lqr()
    for rule, nugget in (("trapezoid", 0), (Matern(2.5, 0.3), 0), (Matern(3.5, 0.3), F(1, 10**8))):
        limit = quadrature_fixed_point(model, F(1, 10), 5, rule, nugget=nugget)  # type: ignore[arg-type]
        run = QuadratureIteration(0.1, 5, rule, float(nugget), tol=1e-13).run(model.float())  # type: ignore[arg-type]
        assert run.nugget == float(nugget) and run.ending == "solved"
        assert np.abs(run.P - limit.X.astype(float)).max() < 1e-12 and limit.error < F(1, 10**30)
    with pytest.raises(NotConverged, match="refine the mesh"):
        quadrature_fixed_point(model, F(6, 5), 3)


# ---- three iterations --------------------------------------------------------------------------
def test_kleinman_in_three_number_systems() -> None:
    model = rl.gallery.third_order_lqr()
    exact = Kleinman(max_iter=3, tol=0).run(model)
    floats = Kleinman(max_iter=3, tol=0).run(model.float())
    assert exact.error == 0 and exact.ending == "max_iter"
    for a, b in zip(exact.values, floats.values, strict=True):
        np.testing.assert_allclose(b, a.astype(float), rtol=1e-12)
    K = exact.gains[2]
    F_, M = model.closed_loop(K), model.cost(K)
    assert not (F_.T @ exact.P + exact.P @ F_ + M).any()
    done = Kleinman().run(model.float())
    assert done.ending == "solved"
    assert spectral(done.P - solve_riccati(model.float()).X) < 1e-13


def test_quadrature_iteration_in_doubles_against_balls() -> None:
    model = rl.gallery.third_order_lqr()
    for rule in ("trapezoid", "simpson", Wiener(1), Matern(3.5, 0.3)):
        a = QuadratureIteration(F(1, 10), 5, rule, max_iter=4, tol=0).run(model)  # type: ignore[arg-type]
        b = QuadratureIteration(0.1, 5, rule, max_iter=4, tol=0).run(model.float())  # type: ignore[arg-type]
        assert a.error < F(1, 10**20)
        for x, y in zip(a.values, b.values, strict=True):
            np.testing.assert_allclose(y, x.astype(float), atol=1e-10)


def test_the_declared_error_of_a_step_in_doubles() -> None:
    model = rl.gallery.third_order_lqr().float()
    out = QuadratureIteration(0.1, 5, max_iter=3, tol=0).run(model)
    exact, K = model.exact(), exact_array(out.gains[-1])
    assert out.rule is not None
    with ball.precision(256):
        true = lq.quadrature_evaluation(
            lq.ball_matrix(exact.closed_loop(K)),
            lq.ball_matrix(exact.cost(K)),
            F(0.1),
            [F(float(t)) for t in out.rule.nodes],
            out.rule.balls(),
        )
        gap = float(lq.frobenius(lq.ball_matrix(out.P) - true).mid())
    assert 0 < gap <= out.error < 1e-10


def test_gauss_nodes_in_doubles() -> None:
    model = rl.gallery.third_order_lqr().float()
    out = QuadratureIteration(0.5, 6, "gauss", tol=1e-12).run(model)
    assert spectral(out.P - solve_riccati(model).X) < 1e-12


@pytest.mark.parametrize("rule", ["trapezoid", "simpson", Matern(2.5, 0.3)])
def test_data_and_model_agree_for_linear_systems(rule: Any) -> None:
    model = LQR([[0.0, 1.0], [-1.0, -0.4]], [[0.0], [1.0]], np.eye(2), [[1.0]])
    by_model = QuadratureIteration(0.5, 5, rule, tol=1e-12).run(model)
    for x0, windows in (((1.0, -2.0), 6), ((3.0, 1.0), 12)):
        by_data = IntegralRL(x0, 0.5, 5, rule, windows=windows, tol=1e-10).run(model)
        np.testing.assert_allclose(by_data.P, by_model.P, rtol=1e-8)
        assert max(by_data.residuals) < 1e-11 and by_data.error is None


def test_data_along_one_direction_does_not_determine_the_value() -> None:
    model = LQR([[-1.0, 0.0], [0.0, -2.0]], [[1.0], [0.0]], np.eye(2), [[1.0]])
    out = IntegralRL((1.0, 0.0), 0.5, 5, windows=6, max_iter=1).run(model)
    assert out.singular_values[1] < 1e-14
    with pytest.raises(NotConverged, match="max_iter"):
        out.raise_if_failed()


def test_refused_runs() -> None:
    unstable = LQR([[0.5]], [[1.0]], [[2.0]], [[0.5]])
    for solver in (Kleinman(), QuadratureIteration(), IntegralRL((1.0,), windows=1)):
        with pytest.raises(InvalidArgument, match=r"K0: A − BK0 has the eigenvalue 0\.5"):
            solver.run(unstable)
    with pytest.raises(InvalidArgument, match=r"K0: shape=\(2, 1\)"):
        Kleinman(K0=np.ones((2, 1))).run(unstable)
    with pytest.raises(InvalidArgument, match="2 rows for 6 unknowns"):
        IntegralRL((1.0, 0.0, 0.0), windows=2).run(rl.gallery.third_order_lqr())
    with pytest.raises(InvalidArgument, match="omega0 is not given"):
        IntegralRL((1.0, 1.0)).run(rl.gallery.sine_gain())
    with pytest.raises(InvalidArgument, match="odd"):
        QuadratureIteration(N=4, rule="simpson").run(rl.gallery.third_order_lqr())
    with pytest.raises(InvalidArgument, match="Bayesian rules only"):
        window_rule(0.1, 5, "trapezoid", 1e-8)
    with pytest.raises(InvalidArgument, match="rule='euler'"):
        window_rule(0.1, 5, "euler")  # type: ignore[arg-type]


def test_a_coarse_mesh_loses_stability_and_says_so() -> None:
    model = rl.gallery.scalar_lqr().float()
    out = QuadratureIteration(0.4, 2, K0=[[2.5615528]], max_iter=100).run(model)
    assert out.ending == "diverged" and "refine the mesh" in out.message
    with pytest.raises(NotConverged, match="diverged"):
        out.raise_if_failed()
    lost = QuadratureIteration(2.0, 1, "gauss", K0=[[2.5615528]]).run(model)
    assert lost.ending == "unstable" and "closed-loop eigenvalue" in lost.message
