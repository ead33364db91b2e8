"""Learners on exact paths against the exact roots of their own grids, and against each other path by path."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rltheory.errors import InvalidArgument, NotConverged
from rltheory.kernels import martingale_learners as kernels
from rltheory.models.processes import CIR, GBM, OU, BrownianMotion, LinearSDE
from rltheory.operators.time_polynomial import coordinates
from rltheory.solvers import (
    CLSTDLearner,
    CTDLearner,
    CTDRoot,
    GMMLearner,
    GMMRoot,
    GradientTDLearner,
    LeastSquaresLearner,
    LinearCandidate,
    MartingaleLossLearner,
    MartingaleLossRoot,
    MeanSquareTDRoot,
    ResidualGradientLearner,
    Schedule,
    SmoothCandidate,
    ValueFamily,
    time_step_bias,
)
from rltheory.solvers import martingale_data as data
from rltheory.solvers.martingale_estimate import of_runs
from rltheory.solvers.martingale_least_squares import traces

Z = 4.5
"""Standard errors allowed at fixed seeds."""


def tau(t: Any, x: Any) -> Any:
    return (1.0 - t) + 0.0 * x


def tau_square(t: Any, x: Any) -> Any:
    return (1.0 - t) * x * x


def square(t: Any, x: Any) -> Any:
    return x * x


def ou_task(**changes: Any) -> LinearCandidate:
    """The public Ornstein–Uhlenbeck instance."""
    given: dict[str, Any] = {
        "process": OU(0.8, 0.0, 0.6), "x0": 0.4, "T": 1.0, "features": [tau, tau_square], "reward": square,
        "terminal": np.square, "beta": 0.3, "base": square,
    }  # fmt: skip
    return LinearCandidate(**(given | changes))


def ou_family() -> ValueFamily:
    """The same for the exact engine."""
    _, x, left = coordinates(1)
    process = OU(F(4, 5), F(0), F(3, 5)).polynomial()
    return ValueFamily(process, F(2, 5), F(1), [left, left * x * x], x * x, x * x, F(3, 10))


def toy(a: float = 1.3, x0: float = 0.0) -> LinearCandidate:
    """J^θ = θx(T − t) for reward a·x: the truth is in the family."""
    return LinearCandidate(BrownianMotion(), x0, 1.0, [lambda t, x: (1 - t) * x], lambda t, x: a * x)


def doubles(theta: Any) -> Any:
    return np.array([float(v) for v in theta])


WEALTH = SmoothCandidate(
    GBM(-0.16, 0.4), 1.0, 1.0, lambda th, t, y: y * y * np.exp(-th[0] * (1 - t)), [0.5], terminal=np.square
)


# ---- least squares -------------------------------------------------------------------------
FAMILY = ou_family()


@pytest.mark.parametrize(
    ("learner", "root"),
    [
        (CLSTDLearner(4), CTDRoot(n=4)),
        (CLSTDLearner(8, weighted=True), CTDRoot(n=8, weighted=True)),
        (CLSTDLearner(8, lam=0.5), CTDRoot(n=8, lam=F(1, 2))),
        (CLSTDLearner(8, lam=1.0), MartingaleLossRoot(n=8)),
        (LeastSquaresLearner(8), MartingaleLossRoot(n=8)),
        (LeastSquaresLearner(8, "square td"), MeanSquareTDRoot(n=8)),
    ],
    ids=["CLSTD", "weighted", "trace", "trace 1", "martingale loss", "square TD"],
)
def test_sample_roots_lie_around_the_exact_roots_of_their_grid(learner: Any, root: Any) -> None:
    many = replace(learner, episodes=100_000, seed=5)
    truth = doubles(root.run(FAMILY).theta)
    found = many.run(FAMILY)
    assert np.abs(found.z(truth)).max() < Z
    assert found.std_error.max() < 0.02
    low, high = found.interval(1 - 1e-5)
    assert (low < truth).all()
    assert (truth < high).all()


@pytest.mark.parametrize("W", ["identity", "gram"])
def test_generalised_moments(W: Any) -> None:
    _, x, left = coordinates(1)
    tests = [left, left * x * x, x]
    truth = doubles(GMMRoot(tests, W, n=16).run(FAMILY).theta)
    found = GMMLearner(16, tests, W, episodes=100_000, seed=5).run(FAMILY)
    assert np.abs(found.z(truth)).max() < Z
    other = GMMRoot(tests, "gram" if W == "identity" else "identity", n=16).run(FAMILY).theta
    assert not np.allclose(doubles(other), truth, atol=1e-3)


def test_standard_errors_are_those_of_repetitions() -> None:
    """χ² of the spread of 60 estimates against their own standard errors; GMM includes the error of W."""
    _, x, left = coordinates(1)
    for learner in (
        CLSTDLearner(8, episodes=2000),
        LeastSquaresLearner(8, "square td", episodes=2000),
        GMMLearner(8, [left, left * x * x, x], "gram", episodes=2000),
    ):
        found = [replace(learner, seed=s).run(ou_task()) for s in range(60)]
        thetas = np.array([f.theta for f in found])
        expected = np.mean([f.covariance for f in found], axis=0)
        for k in range(2):
            ratio = thetas[:, k].var(ddof=1) / expected[k, k]
            assert stats.chi2(59).ppf(1e-4) < 59 * ratio < stats.chi2(59).ppf(1 - 1e-4), (learner, ratio)


def test_a_wrong_target_is_seen() -> None:
    """CLSTD on 16 steps is not at the continuous-time root, nor at the minimiser of the martingale loss."""
    found = CLSTDLearner(16, episodes=100_000, seed=5).run(ou_task())
    assert np.abs(found.z([0.254640074914, -0.518370627487])).max() > 6
    assert np.abs(found.z(doubles(MeanSquareTDRoot(n=16).run(FAMILY).theta))).max() > 50


def test_intervals() -> None:
    found = of_runs(np.array([[1.0], [2.0], [3.0]]), 4, 30, 0)
    low, high = found.interval(0.95)
    assert (low[0], high[0]) == pytest.approx(stats.ttest_1samp([1, 2, 3], 0).confidence_interval(0.95))
    one = CLSTDLearner(4, episodes=1000).run(toy())
    low, high = one.interval(0.99)
    assert high[0] - low[0] == pytest.approx(2 * stats.norm.ppf(0.995) * one.std_error[0])
    assert "±" in repr(one)
    with pytest.raises(InvalidArgument, match=r"level=1\.0, must lie in"):
        one.interval(1.0)


# ---- path by path --------------------------------------------------------------------------
def batch_of(task: LinearCandidate, n: int, count: int) -> data.LinearEpisodes:
    return data.linear_episodes(task, data.episodes(task, n, count, 3, 0))


def test_increments_by_hand() -> None:
    task = ou_task()
    batch = batch_of(task, 5, 3)
    theta = np.array([0.7, -0.4])
    path = batch.path
    for e in range(3):
        for i in range(5):
            x, y, t, s = path.x[e, i], path.x[e, i + 1], path.t[i], path.t[i + 1]
            now = x * x + (1 - t) * (theta[0] + theta[1] * x * x)
            then = y * y + (1 - s) * (theta[0] + theta[1] * y * y) if i < 4 else y * y
            want = math.exp(-0.3 * s) * then - math.exp(-0.3 * t) * now + math.exp(-0.3 * t) * x * x * 0.2
            assert batch.D[e, i] + theta @ batch.dpsi[e, i] == pytest.approx(want, abs=1e-14)
    assert (batch.psi[:, -1] == 0).all()


def test_the_trace_of_lambda_one_makes_the_step_of_gradient_monte_carlo() -> None:
    batch, dt = batch_of(ou_task(), 16, 50), 1 / 16
    for e in range(50):
        one = [x[e : e + 1] for x in (batch.psi, batch.dpsi, batch.D)]
        a, b = np.array([0.3, 0.1]), np.array([0.3, 0.1])
        total = np.zeros(2)
        kernels.gradient_monte_carlo(a, *one, dt, np.ones(1), 0, total)
        kernels.temporal_difference(b, one[0], one[1], one[2], 1.0, dt, False, np.ones(1), 0, total)
        assert np.allclose(a, b, atol=1e-14)
        assert np.allclose(total, a + b, atol=1e-14)
    late = np.concatenate([np.zeros((50, 1, 2)), traces(batch.psi, 1.0, dt)[:, :-1]], axis=1)
    assert not np.allclose(late[:, :, 0].sum(), traces(batch.psi, 1.0, dt)[:, :, 0].sum())


def test_kernels_against_plain_loops() -> None:
    batch = batch_of(ou_task(), 6, 4)
    alpha, zeta, dt = np.array([0.5, 0.4, 0.3, 0.2]), np.array([0.9, 0.8, 0.7, 0.6]), 1 / 6
    for lam in (0.0, 0.3):
        for live in (True, False):
            theta, z = np.zeros(2), np.zeros(2)
            for e in range(4):
                z, step = np.zeros(2), np.zeros(2)
                for i in range(6):
                    z = lam**dt * z + batch.psi[e, i] * dt if lam else batch.phi[e, i]
                    d = batch.D[e, i] + theta @ batch.dpsi[e, i]
                    theta, step = (theta + alpha[e] * z * d, step) if live else (theta, step + z * d)
                theta = theta + alpha[e] * step
            out, total = np.zeros(2), np.zeros(2)
            tests, decay, gain = (batch.psi, lam**dt, dt) if lam else (batch.phi, 0.0, 1.0)
            kernels.temporal_difference(out, tests, batch.dpsi, batch.D, decay, gain, live, alpha, 3, total)
            assert np.allclose(out, theta, atol=1e-14)
            assert np.allclose(total, theta, atol=1e-14)
    theta = np.zeros(2)
    for e in range(4):
        theta = theta - alpha[e] * (batch.D[e] + batch.dpsi[e] @ theta) @ batch.dpsi[e]
    out, total = np.zeros(2), np.zeros(2)
    kernels.residual_gradient(out, batch.dpsi, batch.D, alpha, 3, total)
    assert np.allclose(out, theta, atol=1e-14)
    for gram, live in ((True, True), (False, True), (True, False), (False, False)):
        theta, u = np.zeros(2), np.zeros(2)
        for e in range(4):
            du, dtheta = np.zeros(2), np.zeros(2)
            for i in range(6):
                xi, d = batch.phi[e, i], batch.D[e, i] + theta @ batch.dpsi[e, i]
                inner = xi @ u
                du = du + zeta[e] * (xi * d - dt * (xi * inner if gram else u))
                dtheta = dtheta - alpha[e] * batch.dpsi[e, i] * inner
                if live or i == 5:
                    u, theta, du, dtheta = u + du, theta + dtheta, np.zeros(2), np.zeros(2)
        out, v, arrays = np.zeros(2), np.zeros(2), (batch.phi, batch.dpsi, batch.D)
        kernels.gradient_td(out, v, *arrays, dt, gram, live, alpha, zeta, 3, np.zeros(2))
        assert np.allclose(out, theta, atol=1e-14)
        assert np.allclose(v, u, atol=1e-14)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0])
def test_smooth_families_repeat_linear_ones(lam: float, live: bool) -> None:
    """The same family written as J(θ, t, x): the same runs to rounding, gradient given or not."""
    linear = CTDLearner(6, lam=lam, online=live, episodes=60, runs=3, seed=2).run(ou_task())
    smooth = SmoothCandidate(
        OU(0.8, 0.0, 0.6), 0.4, 1.0, lambda th, t, x: x * x + (1 - t) * (th[0] + th[1] * x * x), [0.0, 0.0],
        square, np.square, 0.3,
    )  # fmt: skip
    found = CTDLearner(6, lam=lam, online=live, episodes=60, runs=3, seed=2).run(smooth)
    assert np.allclose(found.runs, linear.runs, atol=1e-7)
    if lam == 0 and live:
        for make in (MartingaleLossLearner, ResidualGradientLearner):
            a = make(6, episodes=60, runs=3, seed=2, average=0.5)
            assert np.allclose(a.run(smooth).runs, a.run(ou_task()).runs, atol=1e-7)


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CTDLearner(8, episodes=500, runs=2, average=0.3).run(ou_task())
    roots = CLSTDLearner(8, episodes=500).run(ou_task())
    monkeypatch.setattr(data, "ENTRIES", 9 * 10 * 37)
    assert np.array_equal(CTDLearner(8, episodes=500, runs=2, average=0.3).run(ou_task()).runs, whole.runs)
    again = CLSTDLearner(8, episodes=500).run(ou_task())
    assert np.allclose(again.theta, roots.theta, rtol=1e-10)
    assert np.allclose(again.covariance, roots.covariance, rtol=1e-8)


def test_a_generator_is_drawn_from_once() -> None:
    """The seed kept in the result repeats the run, and batches do not matter to it."""
    for learner, family in (
        (CTDLearner(8, episodes=20, runs=2), ou_task()),
        (CLSTDLearner(8, episodes=20), ou_task()),
        (GMMLearner(8, [tau, tau_square], episodes=20), ou_task()),
        (LeastSquaresLearner(8, episodes=20), ou_task()),
        (CTDLearner(4, episodes=20, runs=2), WEALTH),
    ):
        rng = np.random.default_rng(3)
        found = replace(learner, seed=rng).run(family)
        assert isinstance(found.seed, int)
        assert np.array_equal(replace(learner, seed=found.seed).run(family).runs, found.runs)
        assert rng.integers(2**40) != np.random.default_rng(3).integers(2**40)
        assert not np.array_equal(replace(learner, seed=rng).run(family).runs, found.runs)


# ---- iterations ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("learner", "truth"),
    [
        (CTDLearner(10, online=False, average=0.5), 1.3),
        (CTDLearner(10, lam=0.3, online=False, average=0.5, alpha=Schedule(10.0)), 1.3),
        (CTDLearner(10, lam=1.0, online=False, average=0.5, alpha=Schedule(10.0)), 1.3),
        (MartingaleLossLearner(10, average=0.5, alpha=Schedule(10.0)), 1.3),
        (GradientTDLearner(10), 1.3),
        (GradientTDLearner(10, weight="identity"), 1.3),
        (ResidualGradientLearner(10, average=0.5), 39 / 220),
    ],
    ids=["CTD(0)", "CTD(.3)", "CTD(1)", "ML", "CGTD2", "CGTD", "residual"],
)
def test_where_iterations_end(learner: Any, truth: float) -> None:
    """On the Brownian toy all find the truth on any grid; residual gradients find 3a/(2(n + 1))."""
    found = replace(learner, episodes=20_000, runs=16, seed=8).run(toy())
    assert abs(found.z([truth])[0]) < Z
    assert found.std_error[0] < 0.01
    assert found.freedom == 15
    assert found.episodes == 320_000


def test_online_steps_have_a_bias_of_their_own_order() -> None:
    """Changing θ within an episode moves its limit by some −.2α on the toy; half the step, half of it."""
    bias = {}
    for a in (0.2, 0.1):
        learner = CTDLearner(10, alpha=Schedule(a, power=0.0), episodes=40_000, runs=8, average=0.75, seed=8)
        found = learner.run(toy())
        assert found.std_error[0] < 0.002
        bias[a] = found.theta[0] - 1.3
        quiet = replace(learner, online=False).run(toy())
        assert abs(quiet.z([1.3])[0]) < Z
    assert 1.5 < bias[0.2] / bias[0.1] < 2.7
    assert -0.3 < bias[0.2] / 0.2 < -0.1


def test_finer_is_worse_for_residual_gradients_only() -> None:
    task = toy()
    worse = time_step_bias(LeastSquaresLearner(1, "square td", episodes=30_000), task, [2, 5, 10], [1.3])
    for n, bias, error in worse:
        assert abs(bias[0] + 1.3 - 3 * 1.3 / (2 * (n + 1))) < Z * error[0]
    for n, bias, error in time_step_bias(CLSTDLearner(1, episodes=30_000), task, [2, 5, 10], [1.3]):
        assert abs(bias[0]) < Z * error[0], n


def test_bias_of_the_grid_has_order_one() -> None:
    """CLSTD on the OU instance: n·bias within noise of the exact coefficient −A⁻¹c for every n."""
    root = [0.222633715412, -0.432272575165]
    for n, bias, error in time_step_bias(CLSTDLearner(1, episodes=100_000, seed=1), ou_task(), [4, 16], root):
        exact = doubles(CTDRoot(n=n).run(FAMILY).theta) - root
        assert (np.abs(bias - exact) < Z * error).all()
        assert exact[1] * n == pytest.approx(0.2690142744 * (1 + 1.01 / n), rel=0.01)


# ---- non-linear ----------------------------------------------------------------------------
def test_a_growth_rate_is_learnt_by_martingales_and_not_by_td_errors() -> None:
    """Mean–variance wealth: J^θ = y²e^{−θ(T−t)}, true θ = .16; square TD on 8 steps is least at 1.98."""
    wealth = SmoothCandidate(
        GBM(-0.16, 0.4), 1.0, 1.0, lambda th, t, y: y * y * np.exp(-th[0] * (1 - t)), [0.5],
        terminal=np.square, lower=[-1.0], upper=[4.0],
    )  # fmt: skip
    step = Schedule(0.1, 500.0)  # E y⁸ is large: steps must be small before their bias is
    loss = MartingaleLossLearner(8, alpha=step, episodes=2000, average=0.5).run(wealth)
    ctd = CTDLearner(8, online=False, alpha=step, episodes=2000, average=0.5).run(wealth)
    wrong = ResidualGradientLearner(8, alpha=Schedule(0.5, 2000.0), episodes=4000, average=0.5)
    assert abs(loss.z([0.16])[0]) < Z
    assert abs(ctd.z([0.16])[0]) < Z
    assert max(loss.std_error[0], ctd.std_error[0]) < 0.03
    assert 1.5 < wrong.run(wealth).theta[0] < 2.3


def test_the_box_is_kept() -> None:
    wealth = SmoothCandidate(
        GBM(-0.16, 0.4), 1.0, 1.0, lambda th, t, y: y * y * np.exp(-th[0] * (1 - t)), [0.5],
        terminal=np.square, lower=[0.3], upper=[0.6],
    )  # fmt: skip
    found = CTDLearner(4, alpha=Schedule(0.1), episodes=2000, runs=4, average=0.5).run(wealth)
    assert (found.runs >= 0.3).all()
    assert found.theta[0] == pytest.approx(0.3, abs=0.08)


def test_vectors_and_other_processes() -> None:
    """A two-dimensional oscillator with its exact quadratic value in the family, and CIR."""
    process = LinearSDE([[-0.5, 1.0], [-1.0, -0.5]], sigma=[[0.0], [0.6]])
    task = LinearCandidate(  # E x1² + x2² for h = |x|²: e^{−τ}|x|² + .36(1 − e^{−τ})
        process, [1.0, 0.5], 1.0,
        [lambda t, x: (np.exp(t - 1) - 1) * (x**2).sum(-1), lambda t, x: (1 - np.exp(t - 1)) + 0 * x[..., 0]],
        terminal=lambda x: (x**2).sum(-1),
    )  # fmt: skip
    found = CLSTDLearner(5, episodes=40_000, seed=4).run(task)
    assert np.abs(found.z([1.0, 0.36])).max() < Z
    cir = LinearCandidate(  # E ∫X for X at level: r = x, J = m·τ + (x − m)(1 − e^{−κτ})/κ
        CIR(2.0, 0.5, 0.6), 0.4, 1.0, [tau, lambda t, x: (1 - np.exp(-2 * (1 - t))) * (x - 0.5) / 2],
        lambda t, x: x,
    )  # fmt: skip
    rows = time_step_bias(CLSTDLearner(1, episodes=20_000, seed=4), cir, [4, 64], [0.5, 1.0])
    assert abs(rows[0][1][1]) > 6 * rows[0][2][1]  # first order: rewards are left Riemann sums
    assert abs(rows[1][1][1]) < 0.1 * abs(rows[0][1][1])


# ---- refusals ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CTDLearner(0), r"CTDLearner: n=0, must be an integer ≥ 1"),
        (lambda: CTDLearner(4, lam=1.5), r"lam=1\.5, must lie in \(0, 1\]"),
        (lambda: CLSTDLearner(4, lam=-0.1), r"lam=-0\.1, must lie in \(0, 1\]"),
        (lambda: CTDLearner(4, lam=0.5, weighted=True), r"lam=0\.5 fixes the test process"),
        (lambda: CTDLearner(4, average=1.0), r"average=1\.0, must lie in \[0, 1\)"),
        (lambda: GradientTDLearner(4, alpha=Schedule(power=0.5)), r"give alpha the larger power"),
        (lambda: Schedule(alpha=0.0), r"Schedule: alpha=0\.0"),
        (lambda: ou_task(T=0.0), r"T=0\.0, must be a finite number > 0"),
        (lambda: ou_task(beta=-0.1), r"beta=-0\.1, must be ≥ 0; pass allow_growth=True"),
        (lambda: ou_task(features=[]), r"features is empty"),
        (
            lambda: CLSTDLearner(4).run(ou_task(features=[square])),
            r"features\[0\] is .* at T=1\.0, must be 0",
        ),
        (lambda: CTDLearner(4).run(ou_task(base=tau_square)), r"base differs by .* from the terminal reward"),
        (
            lambda: CLSTDLearner(4, episodes=100).run(ou_task(features=[tau, tau])),
            r"A is degenerate, condition=.*; drop dependent features",
        ),
        (lambda: GMMLearner(4, [tau]).run(ou_task()), r"1 tests for 2 features; give as many or more"),
        (lambda: CLSTDLearner(4, tests=[tau]).run(ou_task()), r"1 tests for 2 features; GMMLearner takes"),
        (lambda: SmoothCandidate(OU(1), 0.0, 1.0, tau, [0.5], lower=[1.0]), r"start=\[0\.5\] is outside"),
        (lambda: LeastSquaresLearner(4, "td"), r"loss='td'; give 'martingale' or 'square td'"),  # type: ignore[arg-type]
    ],
)
def test_bad_requests_are_refused(make: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        make()


def test_divergence_is_named() -> None:
    with pytest.raises(NotConverged, match=r"θ is not finite .* take a smaller alpha"):
        CTDLearner(16, alpha=Schedule(1e3, 1e9), episodes=3000, runs=1).run(ou_task())
