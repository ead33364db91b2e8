"""Published settings of martingale learners: same data and three learners, CLSTD on 200 000 exact episodes.

The instance is the public Ornstein–Uhlenbeck one: dX = −.8X dt + .6 dW, x0 = .4, T = 1, β = .3, r = h = x²,
J^θ = x² + (T − t)(θ1 + θ2 x²).  Numbers in comments are those of the theory page.
"""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from rltheory.models.processes import GBM, OU, BrownianMotion
from rltheory.operators.time_polynomial import coordinates
from rltheory.solvers import (
    CLSTDLearner,
    CTDLearner,
    CTDRoot,
    LeastSquaresLearner,
    LinearCandidate,
    MartingaleLossLearner,
    MartingaleLossRoot,
    MeanSquareTDRoot,
    ResidualGradientLearner,
    Schedule,
    SmoothCandidate,
    ValueFamily,
)


def square(t: Any, x: Any) -> Any:
    return x * x


def task() -> LinearCandidate:
    return LinearCandidate(
        OU(0.8, 0.0, 0.6), 0.4, 1.0, [lambda t, x: (1 - t) + 0 * x, lambda t, x: (1 - t) * x * x], square,
        np.square, 0.3, square,
    )  # fmt: skip


def exact(root: Any) -> Any:
    _, x, left = coordinates(1)
    process = OU(F(4, 5), F(0), F(3, 5)).polynomial()
    family = ValueFamily(process, F(2, 5), F(1), [left, left * x * x], x * x, x * x, F(3, 10))
    return np.array([float(v) for v in root.run(family).theta])


def test_least_squares_on_200_000_episodes() -> None:
    theta = exact(CTDRoot(n=16))
    assert theta == pytest.approx([0.22030932, -0.41451508], abs=5e-9)
    found = CLSTDLearner(16, episodes=200_000, seed=2022).run(task())
    assert found.std_error == pytest.approx([6.6e-4, 3.95e-3], rel=0.05)
    assert np.abs(found.z(theta)).max() < 4.5


def test_least_squares_is_not_at_the_projection() -> None:
    """20 000 episodes tell the roots of two objectives apart: |z| about 15 in the first component."""
    found = CLSTDLearner(16, episodes=20_000, seed=2022).run(task())
    assert np.abs(found.z(exact(CTDRoot(n=16)))).max() < 4.5
    assert 6 < abs(found.z(exact(MartingaleLossRoot()))[0]) < 25


@pytest.mark.slow
def test_same_data_three_learners() -> None:
    """24 runs of 100 000 episodes of 16 steps, α = 1/(1 + e/1000), θ from 0: means, and how runs scatter."""
    kinds = {"ctd": CTDLearner, "residual": ResidualGradientLearner, "loss": MartingaleLossLearner}
    found = {k: make(16, episodes=100_000, runs=24, seed=7).run(task()) for k, make in kinds.items()}
    scatter = {k: f.runs.std(axis=0, ddof=1) for k, f in found.items()}
    ctd, residual, loss = exact(CTDRoot(n=16)), exact(MeanSquareTDRoot(n=16)), exact(MartingaleLossRoot(n=16))
    assert residual == pytest.approx([0.37699695, -1.39409731], abs=5e-9)
    assert loss == pytest.approx([0.2479, -0.4837], abs=5e-5)
    assert (np.abs(found["ctd"].theta - ctd) < 4.5 * found["ctd"].std_error + 0.005).all()  # .220, −.415
    assert (np.abs(found["residual"].theta - residual) < 4.5 * found["residual"].std_error).all()
    for k, page in (("ctd", (0.015, 0.022)), ("residual", (0.005, 0.007)), ("loss", (0.017, 0.013))):
        assert (scatter[k] / page > 0.6).all(), k  # χ² with 23 degrees: .6 and 1.6 are beyond 99.9 %
        assert (scatter[k] / page < 1.7).all(), k
    assert abs(found["loss"].theta[1] + 0.476) < 0.013  # still on its way to −.4837
    at_once = LeastSquaresLearner(16, episodes=100_000, seed=7).run(task())
    assert np.abs(at_once.z(loss)).max() < 4.5
    assert abs(at_once.theta[1] - loss[1]) < 4.5 * at_once.std_error[1] < 0.05


@pytest.mark.parametrize(("n", "theta"), [(2, 0.65), (5, 0.325), (10, 39 / 220)])
def test_brownian_toy(n: int, theta: float) -> None:
    toy = LinearCandidate(BrownianMotion(0, 0.7), 0.0, 1.0, [lambda t, x: (1 - t) * x], lambda t, x: 1.3 * x)
    wrong = LeastSquaresLearner(n, "square td", episodes=50_000, seed=1).run(toy)
    assert abs(wrong.z([theta])[0]) < 4.5
    right = LeastSquaresLearner(n, episodes=50_000, seed=1).run(toy)
    assert abs(right.z([1.3])[0]) < 4.5
    assert right.std_error[0] < 0.02


def test_drifted_brownian_motion_at_eight_steps() -> None:
    family = LinearCandidate(
        BrownianMotion(0.5, 1.0), 0.0, 1.0, [lambda t, x: (1 - t) + 0 * x, lambda t, x: (1 - t) * x], square
    )
    for learner, truth in (
        (CLSTDLearner(8, episodes=100_000), (11137 / 27136, 957 / 1696)),
        (LeastSquaresLearner(8, episodes=100_000), (131229 / 233984, 9783 / 14624)),
        (LeastSquaresLearner(8, "square td", episodes=100_000), (259 / 512, 437 / 3168)),
    ):
        assert np.abs(learner.run(family).z(truth)).max() < 4.5  # type: ignore[attr-defined]


@pytest.mark.slow
def test_implied_volatility_is_learnt_by_martingales_and_not_by_td_errors() -> None:
    """J^θ is Black and Scholes' price at volatility θ; truth .2.  Square TD on 4 steps is least at .298."""

    def price(th: Any, t: Any, x: Any) -> Any:
        left = 1.0 - t
        spread = th[0] * np.sqrt(left)
        d = (np.log(x) + 0.05 * left) / spread + 0.5 * spread
        return x * ndtr(d) - np.exp(-0.05 * left) * ndtr(d - spread)

    option = SmoothCandidate(
        GBM(0.05, 0.2), 1.0, 1.0, price, [0.3], terminal=lambda x: np.maximum(x - 1.0, 0.0), beta=0.05,
        lower=[0.05], upper=[0.9],
    )  # fmt: skip
    step = {"episodes": 6000, "average": 0.5, "seed": 4}
    loss = MartingaleLossLearner(4, alpha=Schedule(0.5, 1000.0), **step).run(option)  # type: ignore[arg-type]
    ctd = CTDLearner(4, online=False, alpha=Schedule(0.5, 1000.0), **step).run(option)  # type: ignore[arg-type]
    wrong = ResidualGradientLearner(4, alpha=Schedule(3.0, 1000.0), **step).run(option)  # type: ignore[arg-type]
    for found in (loss, ctd):
        assert abs(found.theta[0] - 0.2) < 4.5 * found.std_error[0] + 0.002
        assert found.std_error[0] < 0.004
    assert abs(wrong.theta[0] - 0.2979605) < 4.5 * wrong.std_error[0] + 0.01
    assert wrong.theta[0] > 0.27


def test_price_by_exact_paths() -> None:
    """Black and Scholes: discounted payoffs on geometric paths average to the closed form."""
    x = GBM(0.05, 0.2).sample(1.0, 1.0, 4, 400_000, seed=3)
    gain = np.exp(-0.05) * np.maximum(x[:, -1] - 1, 0)
    assert abs(gain.mean() - 0.104505835722) < 4.5 * gain.std() / np.sqrt(gain.size)
    assert gain.var() == pytest.approx(0.0216660856798, rel=0.01)
