"""Polynomial diffusions, functions of time and state, and what learners on linear families converge to."""

from __future__ import annotations

import itertools
import math
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.kernels import ball
from rltheory.models.processes import PolynomialDiffusion
from rltheory.operators import TimePolynomial, coordinates, diffusion, exponential
from rltheory.operators.time_polynomial import trace_decay
from rltheory.solvers import (
    CTDRoot,
    GMMRoot,
    MartingaleLossRoot,
    MeanSquareTDRoot,
    ValueFamily,
)
from rltheory.solvers.martingale_grid import Grid

F = Fraction
BETA = F(3, 10)
PROCESSES = {
    "Brownian motion": (PolynomialDiffusion(F(1, 2), 0, 1), F(1, 4)),
    "OU": (PolynomialDiffusion(F(1, 5), F(-4, 5), F(9, 25)), F(2, 5)),
    "GBM": (PolynomialDiffusion(0, F(1, 20), 0, 0, F(1, 25)), F(1)),
    "CIR": (PolynomialDiffusion(F(1, 2), -1, 0, F(1, 4)), F(1, 2)),
    "Jacobi": (PolynomialDiffusion(F(1, 4), F(-1, 2), 0, F(1, 2), F(-1, 2)), F(1, 3)),
    "linear feedback": (PolynomialDiffusion(F(1, 8), F(-1, 4), F(1, 16), F(1, 8), F(1, 4)), F(1, 2)),
    "no noise": (PolynomialDiffusion(1, F(-1, 2), 0), F(1)),
}
both = pytest.mark.parametrize(("process", "x0"), PROCESSES.values(), ids=list(PROCESSES))


def family(process: PolynomialDiffusion, x0: F, beta: F = BETA) -> ValueFamily:
    t, x, tau = coordinates(F(3, 4))
    return ValueFamily(process, x0, F(3, 4), [tau * (1 + x), tau * tau * x], x * x - t, x * x * F(1, 2), beta)


# ---- the process -----------------------------------------------------------------------------
def test_state_spaces() -> None:
    assert PolynomialDiffusion(0, 0, 1).interval(3) == (-math.inf, math.inf)
    assert PolynomialDiffusion(F(1, 2), -1, 0, 1).interval(1) == (0, math.inf)
    assert PolynomialDiffusion(F(1, 4), F(-1, 2), 0, 1, -1).interval(F(1, 2)) == (0, 1)
    with pytest.raises(InvalidArgument, match="leads out of it"):
        PolynomialDiffusion(F(-1, 2), -1, 0, 1).interval(1)
    with pytest.raises(InvalidArgument, match="start inside"):
        PolynomialDiffusion(F(1, 2), -1, 0, 1).interval(-1)


def test_bad_coefficients() -> None:
    with pytest.raises(InvalidModel, match="negative for every x"):
        PolynomialDiffusion(0, 0, -1)
    with pytest.raises(InvalidModel, match="s1=nan"):
        PolynomialDiffusion(0, 0, 1, math.nan)


# ---- operators -------------------------------------------------------------------------------
@both
def test_generator_matrix_against_derivatives(process: PolynomialDiffusion, x0: F) -> None:
    p = np.polynomial.Polynomial([0.5, -1.0, 2.0, 0.25, -0.125])
    G = diffusion.generator_matrix(process.float(), 4)
    y = np.linspace(-2, 2, 9)
    slow = process.float().drift(y) * p.deriv()(y) + process.float().variance(y) * p.deriv(2)(y) / 2
    assert np.polynomial.Polynomial(G @ p.coef)(y) == pytest.approx(slow, abs=1e-12)


@both
def test_semigroup_against_scipy(process: PolynomialDiffusion, x0: F) -> None:
    G = diffusion.generator_matrix(process, 5).astype(float)
    step = diffusion.semigroup(process, F(7, 10), 5)
    assert step.value.astype(float) == pytest.approx(expm(0.7 * G), abs=1e-12)
    assert step.error == 0 if process.is_nilpotent else 0 < step.error < 1e-14
    row = np.array([float(x0) ** k for k in range(6)])
    mean = diffusion.moments(process, x0, F(7, 10), 5)
    assert mean.value.astype(float) == pytest.approx(row @ expm(0.7 * G), abs=1e-12)


@both
def test_moments_as_functions_of_time(process: PolynomialDiffusion, x0: F) -> None:
    functions = diffusion.moment_functions(process, x0, 4)
    numbers = diffusion.moments(process, x0, F(1, 3), 4)
    for f, value in zip(functions, numbers.balls, strict=True):
        at = f.at_time(F(1, 3)).number()
        assert abs(ball.to_arb(at) - ball.to_arb(value)) < 1e-14


def test_brownian_moments_are_rational() -> None:
    value = diffusion.moments(PolynomialDiffusion(0, 0, F(4, 9)), 0, F(1, 2), 4).value
    assert value.tolist() == [1, 0, F(2, 9), 0, F(4, 27)]


def test_long_explosive_moments_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="not representable"):
        diffusion.moments(PolynomialDiffusion(0, 1, 0, 0, 4), 1, 100, 8)


def test_products_that_do_not_fit() -> None:
    assert diffusion.multiply([1, 2], [0, 3], 2).tolist() == [0, 3, 6]
    with pytest.raises(InvalidArgument, match="degrees 2 and 2 does not fit degree=3"):
        diffusion.multiply([0, 0, 1], [0, 0, 1], 3)
    _, x, _ = coordinates(1)
    with pytest.raises(InvalidArgument, match="above 64"):
        (x**40) * (x**40)
    with pytest.raises(InvalidArgument, match="raise the degree"):
        diffusion.expectation(x * x, diffusion.moment_functions(PolynomialDiffusion(0, 0, 1), 0, 1))


# ---- functions of time and state -------------------------------------------------------------
def test_calculus_of_time_polynomials() -> None:
    t, x, tau = coordinates(2)
    f = (t * t - 3 * x) * tau * exponential(F(1, 2)) + x * exponential(-1, 2)
    assert f.antiderivative().d_t() == f
    assert (f * x).d_x() == f + x * f.d_x()
    assert f.at_time(2) == x * exponential(0, 0)
    assert exponential(-1, 2).at_time(2) == 1
    assert float(f.at(F(1, 2), 3)) == pytest.approx(float(f(0.5, 3.0)), rel=1e-13)
    assert float(f.at(F(1, 2), 3)) == pytest.approx(-8.75 * 1.5 * math.exp(0.25) + 3 * math.exp(1.5))
    assert (f - f).terms == {} and f.degree == 1
    with pytest.raises(InvalidArgument, match="not constant"):
        t.number()


def test_functions_travel_between_processes_and_threads() -> None:
    """Exponents are numbered in each process: a pickled function carries them, not their numbers."""
    _, x, _ = coordinates(1)
    f = exponential(F(2, 17), F(1, 5)) * x + exponential(F(-1, 19)) * trace_decay(F(1, 3)) * F(1, 7)
    g = f * TimePolynomial.constant(ball.to_arb(2).log())
    words = (
        "import pickle, sys\n"
        "from rltheory.operators import exponential\n"
        "for k in range(50): exponential(100 + k, k)\n"
        "for h in pickle.load(sys.stdin.buffer): print(repr(float(h.at(1, 2))))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", words], input=pickle.dumps([f, g]), capture_output=True, check=True
    )
    want = 2 * math.exp(2 / 17 + 1 / 5) + math.exp(-1 / 19) / 21
    assert [float(v) for v in run.stdout.split()] == pytest.approx([want, want * math.log(2)], rel=1e-14)
    assert pickle.loads(pickle.dumps(f)) == f

    noisy = family(*PROCESSES["OU"])
    sol = CTDRoot(lam=F(1, 2)).run(noisy)
    again = pickle.loads(pickle.dumps(sol))
    assert np.array_equal(again.theta, sol.theta) and again.error == sol.error
    assert all(a.contains(b) and a.rad() < 1e-40 for a, b in zip(again.balls, sol.balls, strict=True))
    assert again.A.shape == (2, 2) and again.A[0, 1].contains(sol.A[0, 1])
    step = diffusion.semigroup(noisy.process, 1, 3)
    assert np.array_equal(pickle.loads(pickle.dumps(step)).value, step.value)

    def build(k: int) -> float:
        return float(sum((exponential(F(1, 1000 + j), k) for j in range(200)), x * 0).at(1, 0))

    with ThreadPoolExecutor(8) as pool:
        sums = list(pool.map(build, range(16)))
    base = sum(math.exp(1 / (1000 + j)) for j in range(200))
    assert sums == pytest.approx([base * math.exp(k) for k in range(16)], rel=1e-13)


def test_a_ball_around_zero_is_not_dropped() -> None:
    f = TimePolynomial.constant(ball.to_arb(F(1, 3)) - ball.to_arb(F(1, 3)))
    assert f.terms and f.number() != F(1) and f.number().rad() > 0


@both
@pytest.mark.parametrize("lam", [1, F(1, 2)])
def test_backward_equations(process: PolynomialDiffusion, x0: F, lam: F) -> None:
    t, x, _ = coordinates(F(3, 4))
    source, end = x**3 - t * x * exponential(F(1, 4)), x * x + 1
    V = diffusion.backward(process, source, end, F(3, 4), F(1, 5), lam=lam)
    rate = F(1, 5) if lam == 1 else TimePolynomial.constant(-ball.to_arb(lam).log() + ball.to_arb(F(1, 5)))
    left = V.d_t() + diffusion.generator(process, V) + source - V * rate
    assert all(abs(float(c)) < 1e-12 for c in left.terms.values())
    assert all(abs(float((V.at_time(F(3, 4)) - end).coefficient(k).number())) < 1e-13 for k in range(4))


def test_trace_decay() -> None:
    assert trace_decay(1) == 1
    assert float(trace_decay(F(1, 2), 2).at_time(F(3, 2)).number()) == pytest.approx(1 / 8)


# ---- families --------------------------------------------------------------------------------
def nodes(n: int) -> list[tuple[Any, float]]:
    """Paths of n Gaussian increments with weights exact for polynomials of degree 13 in each."""
    z, w = np.polynomial.hermite_e.hermegauss(7)
    w = w / w.sum()
    return [(z[list(i)], float(np.prod(w[list(i)]))) for i in itertools.product(range(7), repeat=n)]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("name", ["Brownian motion", "OU"])
def test_grid_expectations_against_enumeration(name: str, n: int) -> None:
    """Every expectation on the grid, path by path from its definition."""
    process, x0 = PROCESSES[name]
    fam = family(process, x0)
    grid, dt, beta, lam = Grid(fam, n), 0.75 / n, 0.3, 0.4
    b0, kappa, s = float(process.b0), -float(process.b1), math.sqrt(process.s0)
    spread = s * math.sqrt(dt if kappa == 0 else -math.expm1(-2 * kappa * dt) / (2 * kappa))
    q, times = 2, np.arange(n + 1) * dt
    left, right, traced, loss = (np.zeros((q, 3)) for _ in range(4))
    form = np.zeros((3, 3))
    for z, weight in nodes(n):
        X = [float(x0)]
        for step in z:
            mean = (
                X[-1] + b0 * dt if kappa == 0 else b0 / kappa + (X[-1] - b0 / kappa) * math.exp(-kappa * dt)
            )
            X.append(mean + spread * step)
        x = np.array(X)
        J = np.array([f(times, x) for f in fam.columns]) * np.exp(-beta * times)
        D = np.diff(J, axis=1)
        D[0] += np.exp(-beta * times[:-1]) * fam.r(times[:-1], x[:-1]) * dt
        phi = np.array([f(times, x) for f in fam.features])
        z_trace = np.zeros(q)
        for i in range(n):
            z_trace = lam**dt * z_trace + J[1:, i] * dt
            traced += weight * np.outer(z_trace, D[:, i])
            loss += weight * dt * np.outer(J[1:, i], D[:, i:].sum(axis=1))
        left += weight * phi[:, :-1] @ D.T
        right += weight * phi[:, 1:] @ D.T
        form += weight * D @ D.T
    for got, want in (
        (grid.left(fam.features), left),
        (grid.right(fam.features), right),
        (grid.traced(F(2, 5)), traced),
        (grid.traced(1), loss),
        (grid.loss(), loss),
        (grid.square_form(), form),
    ):
        assert np.array([[float(v) for v in row] for row in got]) == pytest.approx(want, abs=1e-12)


@both
def test_continuous_integrals_against_quadrature(process: PolynomialDiffusion, x0: F) -> None:
    """E∫ by Gauss–Legendre in time and matrix exponentials of doubles."""
    fam = family(process, x0)
    u, w = np.polynomial.legendre.leggauss(16)
    u, w = (u + 1) * 0.375, w * 0.375
    G = diffusion.generator_matrix(process, 8).astype(float)
    row = np.array([float(x0) ** k for k in range(9)])

    def integral(f: TimePolynomial) -> float:
        means = [row @ expm(s * G) for s in u]
        values = [
            sum(float(c.at_time(F(s)).number()) * m[k] for k, c in f.coefficients())
            for s, m in zip(u, means, strict=True)
        ]
        return float(w @ values)

    theta = [F(1, 2), F(-1, 3)]
    slope = fam.candidate(theta).d_x()
    qv = fam.discount(2) * diffusion.variance(process) * slope * slope
    assert float(fam.quadratic_variation(theta)) == pytest.approx(integral(qv), abs=1e-11)
    gap = fam.J - fam.candidate(theta)
    assert float(fam.value_error(theta)) == pytest.approx(integral(fam.discount(2) * gap * gap), abs=1e-11)
    t, _, _ = coordinates(F(3, 4))
    constant = integral(t * fam.discount(2) * diffusion.variance(process) * fam.J.d_x() * fam.J.d_x()) / 2
    assert float(fam.loss_constant) == pytest.approx(constant, abs=1e-11)
    loss = float(fam.value_error(theta)) / 2 + constant
    assert float(fam.martingale_loss(theta)) == pytest.approx(loss, abs=1e-11)
    xi = fam.features[1]
    m = integral(xi * fam.discount() * fam.residual(theta))
    assert float(fam.moment(xi, theta)) == pytest.approx(m, abs=1e-11)
    root = CTDRoot().run(fam)
    for f in fam.features:
        assert abs(float(fam.moment(f, [ball.to_arb(v) for v in root.balls]))) < 1e-12


@both
def test_grids_converge_to_continuous_time(process: PolynomialDiffusion, x0: F) -> None:
    fam = family(process, x0)
    for solver in (CTDRoot, MartingaleLossRoot):
        limit = solver().run(fam).theta.astype(float)
        coarse, fine = (solver(n=n).run(fam).theta.astype(float) for n in (64, 128))
        assert np.abs(2 * fine - coarse - limit).max() < 0.3 * np.abs(fine - limit).max()


def test_exact_in_exact_out() -> None:
    _, x, tau = coordinates(1)
    fam = ValueFamily(PolynomialDiffusion(F(1, 2), 0, 1), 0, 1, [tau, tau * x], reward=x * x)
    sol = CTDRoot().run(fam)
    assert sol.theta.tolist() == [F(243, 520), F(36, 65)] and sol.error == 0
    assert sol.value == tau * (F(243, 520) + F(36, 65) * x)
    assert isinstance(fam.martingale_loss([F(1), F(2)]), F)
    assert fam.loss_constant == F(7, 80) and float(fam.J(0.0, 0.0)) == pytest.approx(7 / 12)


@pytest.mark.parametrize("beta", [F(0), F(1, 10**12), F(3, 10)])
def test_small_rates_need_no_care(beta: F) -> None:
    """β, κ → 0: nothing is divided by a small number in doubles."""
    _, x, tau = coordinates(1)
    fam = ValueFamily(PolynomialDiffusion(F(1, 2), -beta, 1), 0, 1, [tau, tau * x], reward=x * x, beta=beta)
    theta = CTDRoot().run(fam).theta.astype(float)
    near = abs(theta - np.array([243 / 520, 36 / 65])).max()
    assert near < 1e-11 if beta < F(1, 100) else near > 1e-3


def test_overidentified_systems() -> None:
    fam = family(*PROCESSES["OU"])
    _, x, tau = coordinates(F(3, 4))
    tests = [*fam.features, tau * x * x]
    A = np.array([[fam.integral(-u * g) for g in fam.residual_columns[1:]] for u in tests], dtype=float)
    b = np.array([fam.integral(u * fam.residual_columns[0]) for u in tests], dtype=float)
    assert GMMRoot(tests).run(fam).theta == pytest.approx(np.linalg.lstsq(A, b)[0])
    W = np.diag([1.0, 4.0, 9.0])
    root = np.sqrt(W)
    assert GMMRoot(tests, W=W).run(fam).theta == pytest.approx(np.linalg.lstsq(root @ A, root @ b)[0])
    square = GMMRoot(list(fam.features), W="gram").run(fam)
    assert square.theta == pytest.approx(CTDRoot().run(fam).theta, abs=1e-14)


def test_quadratic_variation_does_not_see_functions_of_time() -> None:
    _, x, tau = coordinates(1)
    fam = ValueFamily(PROCESSES["OU"][0], F(2, 5), 1, [tau, tau * x * x], reward=x, terminal=x * x)
    sol = MeanSquareTDRoot().run(fam)
    assert np.isnan(sol.theta[0]) and sol.balls[0] is None and np.isfinite(sol.theta[1])
    assert MeanSquareTDRoot(n=4).run(fam).condition > 1


def test_named_processes_and_doubles() -> None:
    """Named processes convert; doubles are the rationals they store: nearby rationals give nearby roots."""
    _, x, tau = coordinates(1)
    exact = ValueFamily(
        PolynomialDiffusion(0, F(-4, 5), F(9, 25)), F(2, 5), 1, [tau, tau * x * x], x * x, x * x, F(3, 10)
    )
    named = ValueFamily(
        rl.processes.OU(kappa=0.8, mean=0.0, sigma=0.6), 0.4, 1, [tau, tau * x * x], x * x, x * x, 0.3
    )
    for solver in (CTDRoot(), CTDRoot(lam=0.5), MartingaleLossRoot(n=8), MeanSquareTDRoot(n=8)):
        a, b = solver.run(exact), solver.run(named)
        assert a.theta == pytest.approx(b.theta, abs=1e-12) and b.error < 1e-15


def test_directions_without_noise_or_discount() -> None:
    """β = 0: a function of time that vanishes at both ends is a null direction of CTD(0)."""
    t, x, tau = coordinates(1)
    fam = ValueFamily(PolynomialDiffusion(0, 0, 1), 1, 1, [tau * t, tau * x], reward=x)
    with pytest.raises(InvalidArgument, match="singular"):
        CTDRoot().run(ValueFamily(fam.process, 1, 1, [tau * t], reward=x))
    A = CTDRoot().run(fam).A
    assert A[0, 0] == 0 and A[1, 1] > 0
    discounted = ValueFamily(fam.process, 1, 1, [tau * t], reward=x, beta=F(1, 10))
    assert CTDRoot().run(discounted).A[0, 0] > 0


# ---- refusals --------------------------------------------------------------------------------
def test_refusals() -> None:
    t, x, tau = coordinates(1)
    bm = PolynomialDiffusion(0, 0, 1)
    for kwargs, words in (
        ({"T": 0}, "T=0"),
        ({"beta": -1}, "beta=-1"),
        ({"features": []}, "features is empty"),
        ({"features": [t * x]}, r"features\[0\]"),
        ({"base": x}, "base is"),
        ({"terminal": t}, "depends on t"),
    ):
        given = {"process": bm, "x0": 0, "T": 1, "features": [tau * x], **kwargs}
        with pytest.raises(InvalidArgument, match=words):
            ValueFamily(**given)
    ValueFamily(bm, 0, 1, [tau * x], beta=-1, allow_growth=True)
    fam = ValueFamily(bm, 0, 1, [tau, tau * x], reward=x)
    for bad in (lambda: CTDRoot(lam=F(3, 2)), lambda: CTDRoot(lam=F(1, 2), weighted=True)):
        with pytest.raises(InvalidArgument, match="lam="):
            bad()
    with pytest.raises(InvalidArgument, match="n=0"):
        CTDRoot(n=0).run(fam)
    with pytest.raises(InvalidArgument, match="GMMRoot"):
        CTDRoot(tests=[tau]).run(fam)
    with pytest.raises(InvalidArgument, match="symmetric"):
        GMMRoot([tau, tau * x], W=[[1, 2], [3, 4]]).run(fam)
    dependent = ValueFamily(bm, 0, 1, [tau * x, 2 * tau * x], reward=x)
    with pytest.raises(InvalidArgument, match="singular, condition="):
        CTDRoot().run(dependent)
    with pytest.raises(InvalidArgument, match="condition="):
        MeanSquareTDRoot(n=1).run(fam)


def test_processes_are_reached_from_the_top() -> None:
    assert rl.processes.PolynomialDiffusion is PolynomialDiffusion
