"""Numbers of the papers on Lipschitz values and value gradients, computed a second way where that can be."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from proofs_check.blonde2022.gradients import Turning, summarised, summarised_finite, summarised_limit
from proofs_check.blonde2022.necessity import BEST, Tripling
from proofs_check.blonde2022.setting import Linear, aligned, scalar, table, turning
from proofs_check.voelcker2022.fits import DISTRACTED, SPREAD
from proofs_check.voelcker2022.losses import AXIS
from proofs_check.voelcker2022.noise import Noisy
from proofs_check.voelcker2022.setting import Batch, curved
from proofs_check.voelcker2022.values import mixing as chains
from proofs_check.zheng2023.local import FAR_MASS
from proofs_check.zheng2023.setting import misled, mixing, slip
from proofs_check.zheng2023.smoothing import step
from proofs_check.zheng2023.values import drift, rewards_lipschitz, stretch
from rltheory.arrays import to_fraction
from rltheory.checks import check_erratum
from rltheory.operators import Metric, lipschitz, wasserstein_1


# ---- Lipschitz models ------------------------------------------------------------------------
def test_the_line_of_three_points() -> None:
    m = Metric.line([0, F(1, 4), 1])
    p, q = rl.exact_array([F(1, 2), F(3, 10), F(1, 5)]), rl.exact_array([F(1, 5), F(3, 10), F(1, 2)])
    t = wasserstein_1(p, q, m)
    assert t.value == F(3, 10)
    V = rl.exact_array([0, 1, 1])
    assert (lipschitz(V, m), abs((p - q) @ V)) == (4, F(3, 10))
    assert lipschitz(V, m) * t.value == F(12, 10)
    assert abs((p - q) @ m.points) == F(3, 10)


def test_value_gaps_and_losses() -> None:
    x = mixing(F(3, 10), F(1, 2))
    assert x.gap == F(3, 10)
    y = misled(F(1, 10**6), F(3, 10), F(1, 2))
    assert y.loss.tolist() == [F(6, 10)] * 2
    z = misled(F(1, 100))
    assert z.loss[0] == F(18, 10)
    assert 2 * z.gamma / (1 - z.gamma) * z.L(z.V_hat) * z.W_bar == F(18, 10) * (1 + F(1, 10))
    s = slip()
    assert float(s.gap) == pytest.approx(3.2142857143, abs=1e-10)
    assert s.gap == s.gamma / (1 - s.gamma) * s.L(s.V_hat) * s.W_bar
    assert s.L(s.V_star) == 10
    assert s.gamma / (1 - s.gamma) * rewards_lipschitz(s.M, s.metric) * s.W_bar == F(9, 10)


def test_lipschitz_constants_of_optimal_values() -> None:
    half = drift(F(1, 2))
    assert float(half.L_star) == pytest.approx(1.818, abs=1e-3)
    assert float(half.bound(F(9, 10) / 4)) == pytest.approx(1.290, abs=1e-3)
    x = stretch()
    assert float(x.L_star) == pytest.approx(10.45, abs=1e-9)
    assert F(21, 20) == x.K
    assert float(x.bound(x.M.gamma * x.K)) == pytest.approx(18.18, abs=2e-3)


def test_slopes_between_neighbours_by_index_are_not_enough() -> None:
    at = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.1]])
    D = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=-1))
    V = np.array([0.0, 0.0, 1.0])
    assert max(abs(np.diff(V)) / [D[0, 1], D[1, 2]]) == pytest.approx(0.995, abs=1e-3)
    assert lipschitz(V, Metric(D)) == pytest.approx(10)


def test_a_little_mass_far_away() -> None:
    x = FAR_MASS
    assert (x.W1, x.L_at(x.W1), x.gap) == (F(1, 100), 0, 1)


@pytest.mark.parametrize(("sigma", "slope"), [(0.01, 39.894228), (0.03, 13.298076), (0.05, 7.978846)])
def test_slope_of_a_smoothed_step(sigma: float, slope: float) -> None:
    scaled = float(step(F(sigma).limit_denominator(100)).slope(F(0)).mid())
    assert scaled / (sigma * math.sqrt(2 * math.pi)) == pytest.approx(slope, abs=1e-6)


# ---- Lipschitz imitation ---------------------------------------------------------------------
def size(x: Linear) -> float:
    """‖∇Q_∞‖."""
    return math.sqrt(to_fraction(x.limit2))


def corrected(x: Linear) -> float:
    """δ/(1 − ρ), in doubles from the Jacobians."""
    A = np.linalg.norm(x.Df.astype(float), 2)
    B = np.linalg.norm(x.K.astype(float), 2)
    delta = np.linalg.norm(x.dr.astype(float))
    return float(delta / (1 - float(x.gamma) * A * math.sqrt(1 + B * B)))


def summary(x: Linear) -> float:
    """δ/√(1 − γ²C)."""
    return math.sqrt(to_fraction(summarised_limit(x)))


def test_the_line_that_refutes_the_summary() -> None:
    x = scalar(F(1), F(3, 5))
    assert (size(x), summary(x), corrected(x)) == pytest.approx((2.5, 1.25, 2.5))
    y = scalar(F(1), F(3, 4), 2)
    assert to_fraction(y.squared(2)) == F(49, 16)
    assert to_fraction(y.summarised(2)) == F(25, 16)
    for erratum in (summarised, summarised_finite):
        report = check_erratum(erratum)
        assert report.as_expected
        assert report.statement.startswith("[commonly summarised, false]")
        assert "Theorem" not in report.source


def test_turning_systems() -> None:
    x = turning(F(3, 5))
    assert (size(x), summary(x)) == pytest.approx((6.25, 1.25))
    assert corrected(x) == pytest.approx(6.601886205085, abs=1e-11)
    assert Turning(3, 4, 5, F(4, 5), 1).growth == F(28, 25)
    root = math.sqrt(0.5)
    for gamma, value, told in (
        (0.6, 6.601886205085, 1.25),
        (0.65, 12.382185906726, 1.3159033899),
        (0.7, 99.497, 1.4),
    ):
        J = np.array([[root, root], [root, root]])  # Df' [I K'] of f = (s + a)/√2, μ = s
        q = np.linalg.solve(np.eye(2) - gamma * J, [root, root])
        assert np.linalg.norm(q) == pytest.approx(value, abs=2e-3 if gamma == 0.7 else 1e-10)
        assert 1 / math.sqrt(1 - gamma**2) == pytest.approx(told, abs=1e-3 if gamma == 0.7 else 1e-9)


def test_scalar_systems_and_tight_ones() -> None:
    for c, value, told in ((F(1, 2), 1.8181818182, 1.1197850219), (F(99, 100), 9.1743119266, 2.2026271423)):
        x = scalar(c, F(9, 10))
        assert (size(x), summary(x)) == pytest.approx((value, told), abs=1e-9)
    x = scalar(F(9, 10), F(9, 10))
    assert (size(x), summary(x)) == pytest.approx((5.263, 1.705), abs=1e-3)
    for A, B, gamma, value in ((0.7, 0.8, 0.9, 5.1758134258), (0.5, 1.5, 0.8, 3.5856463648)):
        h = math.hypot(1, B)
        v = np.array([1, B]) / h
        J = A * np.outer(v, np.array([1, B]))
        q = np.linalg.solve(np.eye(2) - gamma * J, v)
        assert np.linalg.norm(q) == pytest.approx(value, abs=1e-9)
        assert 1 / (1 - gamma * A * h) == pytest.approx(value, abs=1e-9)
    assert size(aligned(F(3, 4), 0, F(1, 2))) == pytest.approx(1 / (1 - 0.5 * 0.75 * 1.25))


def test_tripling() -> None:
    for gamma, front in ((0.9, 1.1986231), (0.6, 1.3212589), (0.5, 1.4044430), (0.34, 1.6899633)):
        x = Tripling(F(str(gamma)), 1)
        assert float(x.c.mid()) * 2 * gamma / 3 == pytest.approx(front, abs=1e-7)
        assert to_fraction(x.quotient) == F(9, 2)
    x = Tripling(F(1, 2), 12)
    s = 3.0**-12
    direct = sum(0.5**k * (math.cos(2 * math.pi * (3.0**k * s % 1)) - 1) for k in range(12))
    assert float(x.quotient.mid()) == pytest.approx(abs(direct) / s, rel=1e-6)
    assert float(x.quotient.mid()) > 100


def test_the_largest_slope_on_a_grid() -> None:
    assert float(BEST.bound(F(3, 4)).mid()) == pytest.approx(25.13, abs=5e-3)
    N = 20_000
    total, phase = np.zeros(N), np.arange(N)
    for k in range(160):
        total += 0.75**k * np.sin(2 * np.pi * phase / N)
        phase = 3 * phase % N
    top = np.abs(2 * np.pi * total)
    assert int(np.argmax(top)) in (
        N // 8,
        3 * N // 8,
        5 * N // 8,
        7 * N // 8,
    )  # 1/8 → 3/8 → 1/8: all terms agree
    assert top.max() == pytest.approx(4 * math.sqrt(2) * math.pi, abs=1e-9)
    assert float(BEST.derivative.mid()) == pytest.approx(17.771531752633, abs=1e-6)


def random_system(rng: np.random.Generator) -> tuple[Any, float]:
    """A Gaussian linear system and γ scaled so that ρ is uniform in (0, 1)."""
    n, m = rng.integers(1, 4, 2)
    M, N, K = rng.standard_normal((n, n)), rng.standard_normal((n, m)), rng.standard_normal((m, n))
    A = np.linalg.norm(np.hstack([M, N]), 2) * math.hypot(1, np.linalg.norm(K, 2))
    gamma = rng.uniform(0.3, 1)
    shrink = rng.uniform(0, 1) / (A * gamma)
    return (M * shrink, N * shrink, K, rng.standard_normal(n + m)), gamma


def test_how_often_random_systems_refute_the_summary() -> None:
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(4000):
        (M, N, K, c), gamma = random_system(rng)
        Df = np.hstack([M, N])
        J = Df.T @ np.hstack([np.eye(len(M)), K.T])
        q = np.linalg.norm(np.linalg.solve(np.eye(len(J)) - gamma * J, c))
        rho = gamma * np.linalg.norm(Df, 2) * math.hypot(1, np.linalg.norm(K, 2))
        C = (Df**2).sum() * max(1, (K**2).sum())
        ratios.append(
            (q * (1 - rho) / np.linalg.norm(c), q * math.sqrt(max(0, 1 - gamma**2 * C)) / np.linalg.norm(c))
        )
    right, told = np.array(ratios).T
    assert right.max() <= 1
    assert 0.05 < (told > 1).mean() < 0.5


# ---- value gradients -------------------------------------------------------------------------
def test_the_sample_with_two_coordinates() -> None:
    x = Batch(curved(2, 6), table([[1, 2]]), table([[F(1, 10), F(-1, 5)]]))
    moved = x.V(x.S[0] + x.E[0]) - x.V(x.S[0])
    first = (x.g[0] * x.E[0]).sum()
    assert (moved, first) == (F(-207, 100), F(-22, 10))
    assert (x.vaml, x.linear, x.vg, 2 * x.vg) == (F(42849, 10_000), F(484, 100), F(58, 10), F(116, 10))
    assert x.V.H == 6
    assert 3 * x.mse == F(15, 100)
    assert abs(moved - first) == F(13, 100)


def test_bias_phase_and_rank_one() -> None:
    assert Noisy(F(1, 2), F(1)).fitted == F(13, 10)
    far = Noisy(F(1, 2), F(1000)).fitted
    assert float(far) == pytest.approx(1.5, abs=1e-5)
    x = DISTRACTED
    assert x.without_x == (1, 3, 12)
    assert x.without_d == (4, F(48, 100), F(192, 100))
    assert x.keeps_x == [0, 2, 2]
    assert float(SPREAD.squares[1]) == pytest.approx(1.2288)
    assert (AXIS.batch.vg, AXIS.image.vg > 0) == (0, True)
    root = math.sqrt(0.5)
    turned = (np.array([root, root]) ** 2 * np.array([-root, root]) ** 2).sum()
    assert turned == pytest.approx(0.5)


def test_two_states_with_one_error() -> None:
    assert chains().gap.tolist() == [F(9, 10)] * 2
