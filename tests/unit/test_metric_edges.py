"""Metrics and transports at the edge of what they accept: refused in words, or answered."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rltheory.errors import InvalidArgument
from rltheory.operators import (
    Metric,
    lipschitz,
    lipschitz_envelope,
    local_lipschitz,
    value_lipschitz_bound,
    wasserstein_1,
    wasserstein_inf,
)

METRIC = Metric([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]])


@pytest.mark.parametrize("miss", [0.0, 5e-10, -5e-10])
def test_laws_that_sum_to_one_only_nearly_have_a_largest_distance(miss: float) -> None:
    out = wasserstein_inf(np.array([0.5, 0.5, 0.0]) * (1 + miss), [0.0, 0.5, 0.5], METRIC)
    assert out.value == 1.0
    assert out.coupling.sum() == pytest.approx(1, abs=1e-10)


def test_no_mass_may_be_dropped() -> None:
    assert wasserstein_inf([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], METRIC, drop=0.0).value == 2.0


@pytest.mark.parametrize("drop", [-1.0, 1.0, math.nan])
def test_a_drop_that_would_lose_the_laws_is_refused(drop: float) -> None:
    with pytest.raises(InvalidArgument, match="drop="):
        wasserstein_inf([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], METRIC, drop=drop)


@pytest.mark.parametrize("level", [-1.0, math.nan])
def test_levels_are_distances(level: float) -> None:
    with pytest.raises(InvalidArgument, match="within="):
        wasserstein_1([1.0, 0.0, 0.0], [1.0, 0.0, 0.0], METRIC, within=level)
    with pytest.raises(InvalidArgument, match="eps="):
        local_lipschitz([0.0, 1.0, 2.0], METRIC, level)
    assert local_lipschitz([0.0, 1.0, 2.0], METRIC, 0) == 0


def test_values_are_finite() -> None:
    for bad in (math.nan, math.inf):
        with pytest.raises(InvalidArgument, match=r"V\[1\]"):
            lipschitz([0.0, bad, 1.0], METRIC)


def test_an_envelope_of_unlimited_slope_changes_nothing() -> None:
    V = np.array([0.0, 5.0, 1.0])
    np.testing.assert_array_equal(lipschitz_envelope(V, METRIC, math.inf), V)
    exact = Metric.line([0, 1, 2])
    assert lipschitz_envelope([0, 5, 1], exact, math.inf).tolist() == [0, 5, 1]


@pytest.mark.parametrize("arguments", [(-1, 1, 0.5), (1, -3, 0.5), (1, math.nan, 0.5), (1, 1, -0.5)])
def test_constants_of_a_bound_are_not_negative(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(InvalidArgument, match="must be ≥ 0"):
        value_lipschitz_bound(*arguments)
