"""Confidence sequences: coverage counted exactly, simulated at a stated budget, and computed a second way."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as F

import numpy as np
import pytest
from scipy import integrate, stats

from rltheory.errors import InvalidArgument
from rltheory.operators import confidence_sequence, mixture_radius, stitched_radius

BUDGET = 1e-6
"""Chance that a right implementation fails one of the simulations below."""


def misses(lo, hi, mean):
    """Number of columns whose interval ever excludes the mean."""
    return int(((lo > mean) | (hi < mean)).any(axis=0).sum())


def most(runs, alpha):
    """A count that runs·α chances exceed with probability BUDGET at most."""
    return stats.binom.isf(BUDGET, runs, alpha)


@pytest.mark.parametrize("method", ["empirical-bernstein", "betting"])
@pytest.mark.parametrize("p", [F(1, 20), F(1, 2), F(4, 5)])
def test_the_chance_of_ever_missing_is_below_alpha_exactly(method, p):
    """All 2¹⁰ sequences of ten coins, weighted in rationals; α large, so that some do miss."""
    coins = np.array(list(itertools.product([0.0, 1.0], repeat=10))).T
    alpha = 0.6
    lo, hi = confidence_sequence(coins, lower=0, upper=1, alpha=alpha, method=method)
    bad = ((lo > float(p)) | (hi < float(p))).any(axis=0)
    heads = coins.sum(axis=0)
    chance = sum((p**k * (1 - p) ** (10 - k) for k in map(int, heads[bad])), F(0))
    assert chance <= F(alpha)
    assert bad.any()


@pytest.mark.parametrize(
    ("method", "alpha"),
    [("empirical-bernstein", 0.1), ("empirical-bernstein", 0.4), ("mixture", 0.1), ("stitched", 0.3)],
)
def test_coverage_at_every_time_at_once(method, alpha):
    rng, runs, n = np.random.default_rng(1), 3000, 1500
    x = rng.choice([-1.0, 1.0], size=(n, runs))
    by = {"lower": -1, "upper": 1} if method == "empirical-bernstein" else {"sigma": 1.0}
    lo, hi = confidence_sequence(
        x, alpha=alpha, method=method, best_at=50 if method == "mixture" else None, **by
    )
    assert misses(lo, hi, 0.0) <= most(runs, alpha)


def test_an_interval_for_one_sample_size_would_not_do():
    """The simulation above can fail: Hoeffding's interval, right at each t, misses at some t."""
    rng, runs, n, alpha = np.random.default_rng(1), 3000, 1500, 0.1
    x = rng.choice([-1.0, 1.0], size=(n, runs))
    t = np.arange(1, n + 1)[:, None]
    mean, radius = np.cumsum(x, axis=0) / t, np.sqrt(2 * np.log(2 / alpha) / t)
    assert misses(mean - radius, mean + radius, 0.0) > most(runs, alpha)


def test_mixture_is_the_integral_it_claims_to_be():
    alpha, best, sigma = 0.05, 30.0, 1.3
    rho = best * sigma**2 / (2 * math.log(1 / alpha) + math.log1p(2 * math.log(1 / alpha)))
    for t in (1, 7, 400):
        S, V = float(mixture_radius(t, sigma, alpha, best)) * t, t * sigma**2

        def integrand(lam, S=S, V=V):
            return math.exp(lam * S - lam**2 * V / 2 - lam**2 * rho / 2) * math.sqrt(rho / (2 * math.pi))

        wealth, _ = integrate.quad(integrand, -40, 40, points=[0.0, S / (V + rho)], limit=200)
        assert wealth == pytest.approx(1 / alpha, rel=1e-6)


def test_stitched_in_its_printed_form():
    for t in (1, 10, 10**6):
        expected = 1.7 * math.sqrt((math.log(math.log(2 * t)) + 0.72 * math.log(10.4 / 0.05)) / t)
        assert float(stitched_radius(t, 1.0, 0.05)) == pytest.approx(expected, rel=1e-14)


def plain_bernstein(x, alpha):
    """Theorem 2 of Waudby-Smith and Ramdas, one observation at a time."""
    lam_sum = lam_x = cost = total = squares = 0.0
    out = []
    for t, value in enumerate(x, 1):
        mean, var = (0.5 + total) / t, (0.25 + squares) / t
        lam = min(0.5, math.sqrt(2 * math.log(2 / alpha) / (var * t * math.log(1 + t))))
        psi = (-math.log(1 - lam) - lam) / 4
        lam_sum, lam_x, cost = lam_sum + lam, lam_x + lam * value, cost + 4 * (value - mean) ** 2 * psi
        total += value
        squares += (value - (0.5 + total) / (t + 1)) ** 2
        radius = (math.log(2 / alpha) + cost) / lam_sum
        out.append((max(0.0, lam_x / lam_sum - radius), min(1.0, lam_x / lam_sum + radius)))
    return np.array(out).T


def test_empirical_bernstein_against_a_loop():
    x = np.random.default_rng(0).beta(2, 5, size=300)
    lo, hi = confidence_sequence(x, lower=0, upper=1, alpha=0.05, intersect=False)
    other = plain_bernstein(x, 0.05)
    np.testing.assert_allclose(lo, other[0], atol=1e-12)
    np.testing.assert_allclose(hi, other[1], atol=1e-12)


def wealth(x, m, alpha, sign):
    """Π (1 ± λ(X − m)) of the hedged bets, one m at a time."""
    total = squares = 0.0
    out = 1.0
    cap = 0.5 / m if sign > 0 else 0.5 / (1 - m)
    for t, value in enumerate(x, 1):
        lam = math.sqrt(2 * math.log(2 / alpha) / ((0.25 + squares) / t * t * math.log(1 + t)))
        out *= 1 + sign * min(lam, cap) * (value - m)
        total += value
        squares += (value - (0.5 + total) / (t + 1)) ** 2
    return out


def test_betting_ends_are_where_the_wealth_crosses():
    alpha, x = 0.05, np.random.default_rng(0).beta(2, 5, size=200)
    lo, hi = confidence_sequence(x, lower=0, upper=1, alpha=alpha, method="betting", intersect=False)
    step = 1e-3
    assert wealth(x, lo[-1], alpha, 1) >= 2 / alpha > wealth(x, lo[-1] + step, alpha, 1)
    assert wealth(x, hi[-1], alpha, -1) >= 2 / alpha > wealth(x, hi[-1] - step, alpha, -1)
    wide = confidence_sequence(x, lower=0, upper=1, alpha=alpha, intersect=False)
    assert hi[-1] - lo[-1] < wide[1][-1] - wide[0][-1]


def test_units_and_axes():
    x = np.random.default_rng(3).random((60, 2, 3))
    lo, hi = confidence_sequence(x, lower=0, upper=1)
    assert lo.shape == x.shape
    one = confidence_sequence(x[:, 1, 2], lower=0, upper=1)
    np.testing.assert_array_equal(lo[:, 1, 2], one[0])
    scaled = confidence_sequence(10 * x - 4, lower=-4, upper=6)
    np.testing.assert_allclose(scaled[0], 10 * lo - 4, atol=1e-9)
    assert (np.diff(lo, axis=0) >= 0).all()
    assert (np.diff(hi, axis=0) <= 0).all()


@pytest.mark.parametrize(
    ("x", "given", "says"),
    [
        ([0.5], {}, "give both bounds"),
        ([0.5], {"lower": 0}, "give both bounds"),
        ([0.5], {"lower": 0, "upper": 1, "sigma": 1}, "give one of them"),
        ([0.5], {"lower": 1, "upper": 0}, "lower < upper"),
        ([0.5, 1.5], {"lower": 0, "upper": 1}, "observation 1 is"),
        ([0.5, math.nan], {"lower": 0, "upper": 1}, "not finite"),
        ([0.5], {"lower": 0, "upper": 1, "alpha": 1.0}, "alpha=1.0"),
        ([0.5], {"sigma": 0.0}, "sigma=0.0"),
        ([0.5], {"sigma": 1.0, "method": "betting"}, "does not go with sigma"),
        ([0.5], {"lower": 0, "upper": 1, "method": "mixture"}, "does not go with bounds"),
        (0.5, {"sigma": 1.0}, "single number"),
        ([], {"sigma": 1.0}, r"x is empty, of shape \(0,\)"),
        (np.zeros((3, 0)), {"lower": 0, "upper": 1}, r"x is empty, of shape \(3, 0\)"),
        (["a"], {"sigma": 1.0}, "no array of numbers"),
        ([0.5], {"sigma": 1.0, "best_at": math.inf}, "best_at=inf"),
        ([0.5], {"lower": 0, "upper": 1, "best_at": 3}, "goes with sigma only"),
        ([0.5], {"lower": -1e308, "upper": 1e308}, "their difference too"),
    ],
)
def test_refusals(x, given, says):
    with pytest.raises(InvalidArgument, match=says):
        confidence_sequence(x, **given)
