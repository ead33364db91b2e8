"""Public reference values of categorical encodings and cross-entropy TD.

The numbers were computed independently of this library and are given to all digits known; those of the losses
are compared with numerical derivatives, too.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from proofs_check.farebrother2024 import experiments, loss, plateau
from proofs_check.farebrother2024.chains import family, hl
from rltheory.kernels import ball
from rltheory.operators import HLGauss, OneHot, TwoHot, hl_gauss
from rltheory.operators.encoding_bias import (
    rounding_bias,
    rounding_bias_bound,
    rounding_variance,
    rounding_variance_radius,
    truncated_normal_shift,
)
from rltheory.solvers import CrossEntropyTD

F = Fraction


def test_a_histogram() -> None:
    p = hl_gauss(0.3, [-1, -0.5, 0, 0.5, 1], 0.375)
    assert p == pytest.approx(
        [0.01670710751655, 0.20170755317832, 0.50708321159784, 0.27450212770729], abs=5.1e-15
    )
    assert HLGauss(-1.0, 1.0, 4).mean(0.3) == pytest.approx(0.26969017974793, abs=5.1e-15)


def test_interior_bias_and_bound() -> None:
    assert rounding_bias(0.25, 1.0, 0.3) == pytest.approx(-0.05386583278176, abs=5.1e-15)
    assert rounding_bias_bound(1.0, 0.3) == pytest.approx(0.05901329314212, abs=5.1e-15)
    assert rounding_bias_bound(20 / 51, 0.75 * 20 / 51) == pytest.approx(1.880222071486e-6, rel=3e-13)


@pytest.mark.parametrize(
    ("rho", "largest", "bound"),
    [
        (0.1, 0.2855, 0.54738),
        (0.2, 0.14507, 0.19264),
        (0.3, 0.05386583, 0.05901),
        (0.5, 0.002289248, 0.0022975),
        (0.75, 4.794530e-6, 4.794566e-6),
        (1.0, 8.5157e-10, 8.5157e-10),
    ],
)
def test_the_largest_bias_on_a_grid(rho: float, largest: float, bound: float) -> None:
    y = np.linspace(-1, 1, 401)
    code = HLGauss(-40.5, 40.5, 81, rho=rho)
    digits = 6e-5 if rho < 0.25 else 1.2e-5
    series = max(abs(rounding_bias(v, 1.0, rho)) for v in y)
    assert series == pytest.approx(largest, rel=2e-4 if rho == 0.1 else digits)
    assert np.abs(code.mean(y) - y).max() == pytest.approx(series, abs=5e-14)
    assert rounding_bias_bound(1.0, rho) == pytest.approx(bound, rel=7e-5)


@pytest.mark.parametrize(
    ("y", "bias", "digits"),
    [
        (10.0, -0.270645740989, 6e-13),
        (9.5, -0.0329689170, 6e-11),
        (9.0, -4.029819e-4, 6e-11),
        (8.0, -1.10517e-6, 6e-12),
    ],
)
def test_the_bias_at_the_end(y: float, bias: float, digits: float) -> None:
    code = HLGauss(-10.0, 10.0, 51)
    assert code.mean(y) - y == pytest.approx(bias, abs=digits)
    sigma = code.sigma
    assert truncated_normal_shift(10.0, -10.0, 10.0, sigma) == pytest.approx(
        -sigma * np.sqrt(2 / np.pi), rel=1e-12
    )
    wider = HLGauss(-10.0, 10.0, 51, rho=1.0)
    y = 10 - 5 * wider.sigma
    assert wider.mean(y) - y == pytest.approx(-6.1866e-7, rel=1e-5)
    assert rounding_bias_bound(wider.spacing, wider.sigma) == pytest.approx(3.3395e-10, rel=2e-5)


def test_the_variance_at_a_centre() -> None:
    assert rounding_variance(0.0, 1.0, 0.75) - 0.5625 - 1 / 12 == pytest.approx(-3.541668e-5, abs=6e-12)
    assert rounding_variance_radius(1.0, 0.75) == pytest.approx(3.541724e-5, abs=6e-12)
    with ball.precision(200):
        x = loss.real(rounding_variance(F(0), F(1), F(3, 4)))
        assert abs(x - loss.real(F(5625, 10**4) + F(1, 12))) < 3.5418e-5


def gradient(f: Any, l: np.ndarray, h: float = 1e-6) -> np.ndarray:
    steps = h * np.eye(l.size)
    return np.array([(f(l + e) - f(l - e)) / (2 * h) for e in steps])


def through_readout(l: np.ndarray) -> float:
    p = loss.softmax(l)
    return float((p @ [-1.0, 0.0, 1.0] - 1.0) ** 2 / 2)


@pytest.mark.parametrize(
    ("a", "ce", "mse"),
    [(2, 1.19542, 0.532791), (5, 1.40013, 0.0486242), (10, 1.41412, 3.39658e-4), (20, 1.41421, 1.5424e-8)],
)
def test_the_plateau(a: int, ce: float, mse: float) -> None:
    x = plateau.Wrong(F(a))
    with ball.precision(120):
        assert float(x.ce.sqrt()) == pytest.approx(ce, abs=6e-6)
        assert float(x.mse.sqrt()) == pytest.approx(mse, rel=2e-5)
    l = np.array([float(a), 0.0, 0.0])
    assert np.linalg.norm(gradient(through_readout, l)) == pytest.approx(mse, rel=2e-5, abs=2e-9)
    target = np.array([0.0, 0.0, 1.0])
    numeric = gradient(lambda v: float(loss.cross_entropy(target, v)), l)
    assert np.linalg.norm(numeric) == pytest.approx(ce, abs=1e-5)


def test_the_squared_error_through_a_softmax_is_not_convex() -> None:
    l = np.array([2.0, 0.0, 0.0])
    H = np.array([gradient(lambda v, i=i: gradient(through_readout, v)[i], l, 1e-4) for i in range(3)])
    assert np.linalg.eigvalsh((H + H.T) / 2)[0] == pytest.approx(-0.341, abs=6e-4)


def test_pinsker_is_sharp() -> None:
    x = plateau.two_point(F(1, 1000))
    with ball.precision(120):
        ratio = float(2 * loss.real(x.error) / (loss.real(x.R2) * x.divergence))
    assert ratio == pytest.approx(0.9999993, abs=6e-8)


V = (3.480210567362, 5.217391304348, 5.174497952817, 10.0)


def solved(code: Any, start: float) -> tuple[np.ndarray, float, Any]:
    x = family(code)
    out = CrossEntropyTD(x.still, code, start=start).run(x.M)
    return out.Q, float(np.abs(out.Q - V).max()), out


@pytest.mark.parametrize(
    ("rho", "low", "high", "bound"),
    [
        (F(1, 10), 2.15326, 2.70994, 5.366),
        (F(1, 5), 1.13094, 0.762270, 1.889),
        (F(3, 10), 0.162577, 0.162577, 0.579),
        (F(1, 2), 0.0200856, 0.0200856, 0.0225),
        (F(3, 4), 4.40e-5, 4.40e-5, 4.70e-5),
    ],
)
def test_fixed_points_of_hl_gauss(rho: Fraction, low: float, high: float, bound: float) -> None:
    width = 50 / 51
    for start, value in ((0.0, low), (20.0, high)):
        _, error, out = solved(hl(rho), start)
        assert error == pytest.approx(value, rel=2e-3 if rho == F(3, 4) else 6e-6)
        assert out.error < 1e-11
    assert 10 * rounding_bias_bound(width, float(rho) * width) == pytest.approx(bound, rel=2e-3)


def test_a_fixed_point_in_full() -> None:
    expected = (3.47075459112758, 5.20293070199628, 5.16370643721435, 9.97991436815764)
    Q, _, out = solved(hl(F(1, 2)), 0.0)
    assert np.abs(Q - expected).max() < 2e-13
    assert all(
        a - F(1, 10**12) <= F(v) <= b + F(1, 10**12) for a, v, b in zip(out.lower, expected, out.upper)
    )


def test_fixed_points_of_the_other_encodings() -> None:
    assert solved(TwoHot(F(-20), F(20), 51), 0.0)[1] < 1e-12
    assert solved(TwoHot(F(-3), F(3), 51, clip=True), 0.0)[1] == pytest.approx(7.62, abs=6e-3)
    Q, error, out = solved(OneHot(F(-20), F(20), 51), 0.0)
    assert error == pytest.approx(2.2667, abs=6e-5)
    assert error <= 4
    other, _, _ = solved(OneHot(F(-20), F(20), 51), 20.0)
    assert np.abs(other - Q).max() > 1
    assert (out.lower == out.upper).all()


def test_shifted_targets() -> None:
    x = experiments.Regression()
    assert x.smoothness == pytest.approx(1.00506, abs=6e-6)
    assert x.squared(1.0) == pytest.approx([0.379743] * 5, abs=1.2e-6)
    assert x.squared(2.0)[-1] == pytest.approx(1021, abs=1)
    expected = {
        ("two-hot", 2.0): (0.3709, 0.3531, 0.3481, 0.3556, 0.3616),
        ("HL-Gauss", 2.0): (0.4048, 0.3660, 0.3649, 0.3748, 0.3878),
        ("two-hot", 4.0): (0.3511, 0.3467, 0.3439, 0.3463, 0.3476),
        ("HL-Gauss", 4.0): (0.3660, 0.3561, 0.3560, 0.3582, 0.3609),
    }
    for (kind, step), values in expected.items():
        assert x.classified(kind, step) == pytest.approx(values, abs=6e-5)


def test_the_plots_draw() -> None:
    for data in (
        experiments.bias_curves((0.3,), 4),
        experiments.fixed_point_errors((0.1, 0.5)),
        experiments.noisy_td(50, seeds=1),
        experiments.Encoded(0.3),
        experiments.Shifted({"a": [0.4] * 5}, 0.38),
    ):
        assert data.plot().get_xlabel()
