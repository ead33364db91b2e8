"""Numbers of the latent-MDP learning claims, recomputed here or against closed forms."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest

from proofs_check.zhou2023 import claims_learning_coverage as coverage
from proofs_check.zhou2023 import claims_learning_optimism as optimism
from proofs_check.zhou2023.claims_learning_bonus import CORNER, kink
from proofs_check.zhou2023.learning import DOWN, UP
from proofs_check.zhou2023.needles import bayes_regret, product_regret, symmetrised_regret
from proofs_check.zhou2023.runs import Flips, Needles
from rltheory.models import gallery
from rltheory.solvers import LatentOptimism


def tuned(N, T):
    return min(1.0, math.sqrt(N / T)) / 4


@pytest.mark.parametrize(
    ("N", "T", "value"),
    [(2, 2, 0.21875), (2, 10, 0.459264), (2, 40, 0.91195746), (3, 10, 0.77417857), (4, 12, 1.12105242)],
)
def test_bayes_regret_of_needle_bandits(N, T, value):
    assert float(bayes_regret(N, tuned(N, T), T)) == pytest.approx(value, abs=1e-6)


def test_bayes_regret_against_all_policies():
    """N = 2, T = 2: the second pull after each result of the first, by enumeration."""
    eps = F(1, 4)
    best = None
    for after_win in range(2):
        for after_loss in range(2):
            cost = F(0)
            for needle in range(2):
                p = F(1, 2) + (eps if needle == 0 else 0)
                cost += F(1, 2) * eps * (needle != 0)
                cost += F(1, 2) * eps * (p * (needle != after_win) + (1 - p) * (needle != after_loss))
            best = cost if best is None else min(best, cost)
    assert bayes_regret(2, eps, 2) == best == F(7, 32)


@pytest.mark.parametrize(
    ("M", "N", "K", "value"),
    [(2, 2, 8, 0.585880089239), (3, 2, 6, 0.634548611111), (2, 2, 12, 0.712032770157)],
)
def test_joint_bayes_regret_is_the_sum_over_contexts(M, N, K, value):
    eps = math.sqrt(N * M / K) / 4
    joint = float(product_regret(M, N, eps, K))
    assert joint == pytest.approx(value, abs=1e-11)
    assert float(symmetrised_regret(M, N, eps, K)) == pytest.approx(joint, abs=1e-12)


def test_product_of_two_bandits_exactly():
    assert product_regret(2, 2, F(1, 5), 4) == F(283, 800)


@pytest.mark.parametrize(
    ("eta", "c1sq", "c2", "fall"),
    [(F(1, 400), F(1), F(99, 100), -1.58e-8), (F(1, 10), F(32), F(16), -3.1e-3)],
)
def test_witnesses_against_monotone_bonuses(eta, c1sq, c2, fall):
    x = kink(eta, eta, c1sq, c2)
    assert float(x.gain - x.fall()) == pytest.approx(fall, rel=0.02)
    assert x.gain - x.fall() == -(eta * eta / 2) * ((1 - eta) * (1 - eta) * c1sq / c2 - 1)


def test_box_against_bonus_at_its_tight_case():
    assert float(CORNER.gain) / float(CORNER.width) == pytest.approx(0.99649, abs=1e-5)


@pytest.mark.parametrize(
    ("at", "square", "low", "in_units"),
    [
        (coverage.EDGE, F(2), F(9, 10), 2.168),
        (coverage.EDGE, F(4), F(9, 10), 2.168),
        (coverage.Coins(1000, F(40001, 10**7), F(8)), F(1), F(1, 2), 54.16),
        (coverage.Coins(1000, F(500001, 10**9), F(1, 2)), F(4), F(1), 1.0028),
    ],
)
def test_failure_probabilities_at_the_edges(at, square, low, in_units):
    from scipy.stats import binom

    chance = float(at.failure(square, low).mid())
    assert chance * math.exp(float(at.lam)) == pytest.approx(in_units, rel=1e-3)
    k = np.arange(at.n + 1)
    off = np.abs(k / at.n - float(at.p)) - np.sqrt(float(square) * k * float(at.lam)) / at.n
    bad = off > float(low * at.lam) / at.n
    assert chance == pytest.approx(binom.pmf(k, at.n, float(at.p))[bad].sum(), rel=1e-9)


def test_one_coin_fails_almost_surely_without_the_lower_order_term():
    one = coverage.Coins(1, F(1, 100), F(8))
    assert float(one.failure(F(2), F(0)).mid()) == pytest.approx(0.99, abs=1e-12)


def test_values_of_the_planners_in_rationals_and_compiled():
    x = optimism.PRECISE
    low, high = (float(x.best(x.ext(way))[0]) for way in (DOWN, UP))
    assert low == pytest.approx(0.702946067812, abs=1e-12)
    assert high == pytest.approx(low, abs=1e-15)
    assert float(x.best(x.val(UP, F(1, 16)))[0]) == pytest.approx(0.697291, abs=1e-6)
    assert float(x.best(x.ext(UP, least=True))[0]) == pytest.approx(0.672054, abs=1e-6)
    assert x.V_star == F(11, 16)
    plan = LatentOptimism("ext").plan(gallery.wait_and_guess(H=4), x.P_hat, x.N, 1.0)
    assert plan.value == pytest.approx(low, abs=1e-12)


def test_the_loss_of_a_plan_at_the_corner():
    width = float(optimism.corner_width(10_000, F(1)))
    assert 2 * width == pytest.approx(0.0292842712, abs=1e-10)
    assert float(optimism.loss(optimism.CORNER)) == pytest.approx(2 * width, abs=1e-15)
    x = optimism.detour()
    assert float(optimism.drift(x)) == pytest.approx(width + width**2, abs=1e-12)
    assert float(optimism.drift(x, "box")) == pytest.approx(width + 2 * width**2, abs=1e-12)


def test_measured_regret_is_as_in_the_first_measurements():
    """Means over other seeds of an independent implementation, with their standard errors."""
    for (M, K), (mean, error) in {
        (1, 500): (0.099, 0.010),
        (1, 2000): (0.129, 0.014),
        (2, 1000): (0.108, 0.009),
        (2, 4000): (0.104, 0.008),
        (4, 2000): (0.113, 0.006),
        (6, 3000): (0.115, 0.006),
    }.items():
        x = Needles(M, K)
        assert abs(x.mean / x.root - mean) <= 4 * math.hypot(error, x.error / x.root)


def test_the_horizon_costs_the_baseline_more():
    assert Flips(3).mean == pytest.approx(10.02, abs=1e-9)
    assert Flips(6).mean == pytest.approx(13.7088, abs=1e-6)
    assert Flips(6, "hoef").mean > 2 * Flips(3, "hoef").mean > 4 * Flips(3).mean
