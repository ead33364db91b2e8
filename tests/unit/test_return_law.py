"""ReturnLaw against definitions evaluated slowly, by hand and with SciPy."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

import rltheory as rl
from rltheory.errors import InvalidArgument

COIN = rl.ReturnLaw([-1, 1], [F(1, 2), F(1, 2)])
SKEW = rl.ReturnLaw([0, 3], [F(7, 10), F(3, 10)])


def random_law(rng: np.random.Generator, exact: bool) -> rl.ReturnLaw:
    n = int(rng.integers(1, 8))
    x = [F(int(v), 4) for v in rng.integers(-20, 20, n)]
    w = rng.integers(1, 9, n)
    p = [F(int(v), int(w.sum())) for v in w]
    return rl.ReturnLaw(x, p) if exact else rl.ReturnLaw([float(v) for v in x], [float(v) for v in p])


def slow_quantile(law: rl.ReturnLaw, u: F) -> Any:
    """min{x : P(G ≤ x) ≥ u}, every atom tried."""
    return min(x for x, _ in law if sum(p for y, p in law if y <= x) >= u)


def levels(*laws: rl.ReturnLaw) -> list[F]:
    """Every value any of the distribution functions takes, and 0."""
    found = {F(0)}
    for law in laws:
        for x, _ in law:
            found.add(sum((p for y, p in law if y <= x), F(0)))
    return sorted(found)


def slow_transport(a: rl.ReturnLaw, b: rl.ReturnLaw) -> tuple[F, F, float]:
    """(w₁, w_∞, w₂) by integrating quantile functions over the pieces where both are constant."""
    cuts = levels(a, b)
    pieces = [
        (hi - lo, abs(slow_quantile(a, (lo + hi) / 2) - slow_quantile(b, (lo + hi) / 2)))
        for lo, hi in zip(cuts, cuts[1:], strict=False)
    ]
    return (
        sum((m * d for m, d in pieces), F(0)),
        max(d for _, d in pieces),
        math.sqrt(sum(m * d * d for m, d in pieces)),
    )


def slow_cramer(a: rl.ReturnLaw, b: rl.ReturnLaw) -> F:
    points = sorted({x for law in (a, b) for x, _ in law})
    total = F(0)
    for lo, hi in zip(points, points[1:], strict=False):
        total += (hi - lo) * (a.cdf(lo) - b.cdf(lo)) ** 2
    return total


def test_construction_sorts_merges_and_drops_zeros() -> None:
    law = rl.ReturnLaw([3, -1, 3, 7], [F(1, 4), F(1, 2), F(1, 4), 0])
    assert list(law) == [(-1, F(1, 2)), (3, F(1, 2))]
    assert law == rl.ReturnLaw.from_pairs([(-1, F(1, 2)), (3, F(1, 2))])
    assert hash(law) == hash(rl.ReturnLaw([-1, 3], [F(1, 2), F(1, 2)]))
    assert law.is_exact and law.kind == "exact" and not law.atoms.flags.writeable
    assert not rl.ReturnLaw([0, 1.5], [F(1, 2), F(1, 2)]).is_exact


@pytest.mark.parametrize(
    ("atoms", "probs", "more", "said"),
    [
        ([0, 1], [F(1, 2), F(1, 3)], {}, "5/6"),
        ([0.0, 1.0], [0.5, 0.4999], {}, "must be 1"),
        ([0, 1], [F(3, 2), F(-1, 2)], {}, r"probs\[1\]=-1/2"),
        ([0.0, math.nan], [0.5, 0.5], {}, "atom 1"),
        ([0.0, math.inf], [0.5, 0.5], {}, "finite"),
        ([0], [F(1, 2), F(1, 2)], {}, "1 atoms, 2 masses"),
        ([], [], {}, "at least one"),
        ([[0, 1]], [1, 0], {}, "flat"),
        ([0], [1], {"error": -1}, "error=-1"),
        ([0.0], [1.0], {"error": math.nan}, "error=nan"),
    ],
)
def test_what_is_not_a_law_is_refused(atoms: Any, probs: Any, more: Any, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        rl.ReturnLaw(atoms, probs, **more)


def test_sums_within_rounding_pass() -> None:
    assert rl.ReturnLaw(np.arange(10.0), np.full(10, 0.1)).cumulative[-1] == 1.0


@pytest.mark.parametrize("tau", [0, -0.5, 1.5, F(0)])
@pytest.mark.parametrize("name", ["quantile", "cvar", "upper_cvar"])
def test_levels_outside_the_unit_interval_are_refused(name: str, tau: Any) -> None:
    with pytest.raises(InvalidArgument, match="0 < τ ≤ 1"):
        getattr(SKEW, name)(tau)


def test_quantiles_take_the_lower_atom_on_ties() -> None:
    assert COIN.quantile(F(1, 2)) == -1
    tenths = rl.ReturnLaw([0.0, 1.0, 2.0], [0.7, 0.1, 0.2])  # 0.7 + 0.1 < 0.8 in doubles
    assert 0.7 + 0.1 < 0.8
    assert tenths.quantile(0.8) == 1.0
    assert tenths.quantile([0.7, 0.71, 1.0]).tolist() == [0.0, 1.0, 2.0]


def test_partial_atoms_count_in_tails() -> None:
    assert COIN.cvar(F(3, 4)) == F(-1, 3)
    assert SKEW.cvar(F(9, 10)) == F(2, 3)
    assert SKEW.cvar(F(1, 2)) == 0
    assert SKEW.upper_cvar(F(1, 2)) == F(9, 5)
    assert SKEW.cvar(1) == SKEW.mean == SKEW.upper_cvar(1)


@pytest.mark.parametrize("seed", range(25))
def test_statistics_and_distances_by_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = random_law(rng, True), random_law(rng, True)
    x = a.atoms.astype(float)
    assert a.mean == sum(p * v for v, p in a)
    assert a.var == sum(p * v * v for v, p in a) - a.mean**2
    assert a.std == pytest.approx(math.sqrt(a.var))
    for tau in (F(1, 7), F(1, 3), F(1, 2), F(6, 7), F(1)):
        assert a.quantile(tau) == slow_quantile(a, tau)
        # the variational forms: a maximum (minimum) over return atoms
        assert a.cvar(tau) == max(v - a.expect(lambda g, v=v: max(v - g, 0)) / tau for v, _ in a)
        assert a.upper_cvar(tau) == min(v + a.expect(lambda g, v=v: max(g - v, 0)) / tau for v, _ in a)
    w1, w_inf, w2 = slow_transport(a, b)
    assert a.wasserstein(b) == b.wasserstein(a) == w1
    assert a.wasserstein(b, math.inf) == w_inf
    assert a.wasserstein(b, 2) == pytest.approx(w2)
    assert a.cramer(b) == slow_cramer(a, b)
    fa = rl.ReturnLaw(x, a.probs.astype(float))
    fb = rl.ReturnLaw(b.atoms.astype(float), b.probs.astype(float))
    assert fa.wasserstein(fb) == pytest.approx(wasserstein_distance(fa.atoms, fb.atoms, fa.probs, fb.probs))
    assert fa.wasserstein(fb) == pytest.approx(float(w1), abs=1e-13)
    assert fa.wasserstein(fb, math.inf) == pytest.approx(float(w_inf))
    assert fa.wasserstein(fb, 2) == pytest.approx(w2)
    assert fa.cramer(fb) == pytest.approx(float(a.cramer(b)), abs=1e-13)
    assert fa.cvar(0.3) == pytest.approx(float(a.cvar(F(3, 10))), abs=1e-12)
    assert a.cdf(x).tolist() == a.cumulative.tolist()
    assert a.cdf(a.atoms[0] - 1) == 0


def test_rounding_slivers_do_not_count_as_quantile_gaps() -> None:
    a = rl.ReturnLaw([0.0, 100.0], [0.1 + 0.2, 0.7])
    b = rl.ReturnLaw([0.0, 100.0], [0.3, 0.7])
    assert a.wasserstein(b, math.inf) == 0.0


def test_distances_of_a_law_to_itself_and_of_single_points() -> None:
    assert COIN.wasserstein(COIN) == COIN.cramer(COIN) == COIN.wasserstein(COIN, math.inf) == 0
    assert rl.ReturnLaw.dirac(2).wasserstein(rl.ReturnLaw.dirac(2)) == 0
    assert rl.ReturnLaw.dirac(F(1, 3)).wasserstein(rl.ReturnLaw.dirac(2)) == F(5, 3)
    with pytest.raises(InvalidArgument, match="1 ≤ p"):
        COIN.wasserstein(COIN, 0.5)


def test_maps_and_mixtures() -> None:
    assert list(SKEW.shift(F(1, 2))) == [(F(1, 2), F(7, 10)), (F(7, 2), F(3, 10))]
    assert list(SKEW.scale(-2)) == [(-6, F(3, 10)), (0, F(7, 10))]
    assert list(SKEW.scale(0)) == [(0, 1)]
    mixed = rl.ReturnLaw.mixture([F(1, 4), F(3, 4)], [COIN, SKEW])
    assert list(mixed) == [(-1, F(1, 8)), (0, F(21, 40)), (1, F(1, 8)), (3, F(9, 40))]
    step = rl.ReturnLaw.backup([F(1, 2), F(1, 2)], [1, -1], [COIN, SKEW], F(1, 2))
    assert list(step) == [(-1, F(7, 20)), (F(1, 2), F(1, 4) + F(3, 20)), (F(3, 2), F(1, 4))]
    floats = rl.ReturnLaw.backup([0.5, 0.5], [1, -1], [COIN, SKEW], 0.5)
    assert floats.wasserstein(step) <= 1e-15 and not floats.is_exact and 0 < floats.error < 1e-14
    with pytest.raises(InvalidArgument, match="one weight per law"):
        rl.ReturnLaw.mixture([1], [COIN, SKEW])
    with pytest.raises(InvalidArgument, match="3/4"):
        rl.ReturnLaw.mixture([F(1, 4), F(1, 2)], [COIN, SKEW])


def test_errors_travel_with_the_law() -> None:
    vague = rl.ReturnLaw([0, 1], [F(1, 2), F(1, 2)], error=F(1, 8), kind="quantile")
    assert vague.shift(3).error == F(1, 8) and vague.shift(3).kind == "quantile"
    assert vague.scale(F(-1, 2)).error == F(1, 16)
    assert rl.ReturnLaw.mixture([F(1, 4), F(3, 4)], [vague, COIN]).error == F(1, 32)
    assert vague.categorical([0, 2]).error == F(1, 8) + F(1, 2)  # mass ½ at 1, a cell's middle
    assert vague.quantized(1).error == F(1, 8) + F(1, 2)


def test_projections_by_hand() -> None:
    law = rl.ReturnLaw([F(-3), F(1, 2), F(5)], [F(1, 4), F(1, 2), F(1, 4)])
    assert list(law.categorical([-1, 0, 2])) == [(-1, F(1, 4)), (0, F(3, 8)), (2, F(3, 8))]  # clips both ends
    assert law.categorical([-1, 0, 2]).kind == "categorical"
    assert list(law.categorical([7])) == [(7, 1)]
    assert list(law.quantized(2)) == [
        (-3, F(1, 2)),
        (F(1, 2), F(1, 2)),
    ]  # levels ¼ (a tie: lower) and ¾ (too)
    assert list(law.quantized(3)) == [(-3, F(1, 3)), (F(1, 2), F(1, 3)), (5, F(1, 3))]
    for bad in ([], [0, 0], [1, 0]):
        with pytest.raises(InvalidArgument, match="strictly increasing"):
            law.categorical(bad)
    with pytest.raises(InvalidArgument, match="m=0"):
        law.quantized(0)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("exact", [True, False])
def test_projections_keep_what_they_promise(seed: int, exact: bool) -> None:
    rng = np.random.default_rng(seed)
    law, other = random_law(rng, exact), random_law(rng, exact)
    step = F(int(rng.integers(1, 9)), 3)
    grid = [-6 + step * k for k in range(40)]
    cat, m = law.categorical(grid), int(rng.integers(1, 7))
    slack = 0 if exact else 1e-13
    assert abs(cat.mean - law.mean) <= slack
    assert law.wasserstein(cat) <= cat.error <= step / 2 + slack
    assert law.cramer(cat) <= step / 4 + slack
    assert cat.wasserstein(other.categorical(grid)) <= law.wasserstein(other) + slack
    # orthogonal in ℓ₂: Pythagoras against any law on the grid
    there = other.categorical(grid)
    assert abs(law.cramer(there) - law.cramer(cat) - cat.cramer(there)) <= 10 * slack
    quant = law.quantized(m)
    assert law.wasserstein(quant) <= quant.error <= (law.atoms[-1] - law.atoms[0]) / (2 * m) + slack


def test_enclosures_of_functionals() -> None:
    vague = rl.ReturnLaw([0, 1], [F(1, 2), F(1, 2)], error=F(1, 8))
    box = vague.enclose(lambda law: law.cvar(F(1, 2)), 2)
    assert (box.lower, box.upper) == (F(-1, 4), F(1, 4))
    assert SKEW.enclose(lambda law: law.mean).width == 0
    root = SKEW.enclose(lambda law: law.expect(lambda g: math.sin(float(g))))
    assert 0 < root.width < 1e-13 and 0.3 * math.sin(3.0) in root


def test_shown_and_tabulated() -> None:
    assert "0: 7/10" in repr(SKEW) and "<table>" in SKEW._repr_html_()
    assert SKEW.to_dataframe()["cdf"].tolist() == [F(7, 10), 1]
    assert len(SKEW.plot().collections) == 1
    assert SKEW.prob(lambda g: g > 0) == F(3, 10)
