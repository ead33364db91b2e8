"""Encodings against quadrature, enumeration and their definitions; cross-entropy TD against linear solves."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidModel, NotConverged
from rltheory.kernels import ball
from rltheory.models.outcomes import OutcomeMDP
from rltheory.operators import (
    HLGauss,
    OneHot,
    TwoHot,
    c51,
    encoded_bellman,
    hl_gauss,
    one_hot,
    policy_chain,
    readout,
    two_hot,
)
from rltheory.operators.encoding_bias import (
    hl_gauss_bias_bound,
    rounding_bias,
    rounding_bias_bound,
    rounding_slope,
    rounding_variance,
    truncated_normal_shift,
)
from rltheory.operators.encodings import centres, equally_spaced
from rltheory.solvers import CrossEntropyTD

F = Fraction


@pytest.mark.parametrize("seed", range(3))
def test_two_hot_keeps_the_mean_and_c51_that_of_a_law(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = np.cumsum([F(int(k), 7) for k in rng.integers(1, 9, 6)]) - 3
    y = [z[0] + (z[-1] - z[0]) * F(int(k), 100) for k in rng.integers(0, 101, 20)]
    p = two_hot(y, z)
    assert (readout(p, z) == y).all()
    assert ((p != 0).sum(axis=1) <= 2).all()
    assert (p.sum(axis=1) == 1).all()
    w = [F(1, 20)] * 20
    assert readout(c51(y, w, z), z) == sum(y) / 20
    floats = [float(v) for v in y]
    assert np.abs(two_hot(floats, z.astype(float)) - p.astype(float)).max() < 1e-12


def test_one_hot_is_the_nearest_atom_and_ends_are_ends() -> None:
    z = [F(0), F(1), F(3)]
    for k in range(0, 31):
        y = F(k, 10)
        nearest = min(z, key=lambda a: (abs(a - y), a))
        assert readout(one_hot(y, z), z) == nearest
    assert two_hot(F(3), z).tolist() == [0, 0, 1]
    assert two_hot(5.0, [0.0, 1.0], clip=True).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("y", "rho"), [(0.3, 0.75), (-0.99, 0.3), (1.0, 2.0)])
def test_hl_gauss_is_a_truncated_normal_in_bins(y: float, rho: float) -> None:
    e = np.linspace(-1, 1, 9)
    sigma = rho * 0.25
    total = quad(lambda x: norm.pdf(x, y, sigma), -1, 1, points=[y], epsabs=1e-13)[0]
    mass = [quad(lambda x: norm.pdf(x, y, sigma), a, b, epsabs=1e-13)[0] / total for a, b in zip(e, e[1:])]
    p = hl_gauss(y, e, sigma)
    assert np.abs(p - mass).max() < 1e-9
    with ball.precision(128):
        exact = hl_gauss(F(y), rl.exact_array(e), F(sigma))
        assert np.abs(p / exact.astype(float) - 1).max() < 1e-11


def test_the_right_tail_is_not_zero() -> None:
    e = np.linspace(-60, 20, 81)
    p = hl_gauss(-10.0, e, 1.0)
    assert (p[51:] < p[50:-1]).all()
    assert 0 < p[-1] < 1e-180  # thirty σ away
    assert p[60] == pytest.approx(norm.sf(10) - norm.sf(11), rel=1e-12)
    assert p[60] == pytest.approx(p[39], rel=1e-10)  # ten σ on either side


def test_closed_forms_against_the_histogram() -> None:
    code = HLGauss(F(-81, 2), F(81, 2), 81, rho=F(1, 4))
    with ball.precision(200):
        for y in (F(0), F(1, 8), F(-1, 3), F(1, 2), F(3, 4)):
            p = code.encode(y)
            mean = readout(p, code.points)
            variance = readout(p, code.points**2) - mean**2
            assert abs(mean - ball.to_arb(y) - rounding_bias(y, F(1), F(1, 4))) < 1e-50
            assert abs(variance - rounding_variance(y, F(1), F(1, 4))) < 1e-48
            assert abs(rounding_bias(y, F(1), F(1, 4))) <= rounding_bias_bound(F(1), F(1, 4))
    h = 1e-5
    slope = 1 + (rounding_bias(0.5, 1.0, 0.3) - rounding_bias(0.5 - h, 1.0, 0.3)) / h
    assert slope == pytest.approx(rounding_slope(0.3), rel=1e-4)


def test_truncated_normal_shift_by_quadrature() -> None:
    a, b, y, s = -1.0, 2.0, 1.75, 0.5
    mass, mean = (quad(lambda x, k=k: x**k * norm.pdf(x, y, s), a, b)[0] for k in (0, 1))
    assert truncated_normal_shift(y, a, b, s) == pytest.approx(mean / mass - y, abs=1e-12)
    assert hl_gauss_bias_bound(y, np.linspace(a, b, 4), s) >= abs(HLGauss(a, b, 3, rho=0.5).mean(y) - y)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: two_hot(math.nan, [0, 1]), "finite"),
        (lambda: two_hot([0.5, 1.5], [0, 1]), r"y\[1\]=1.5 is outside \[0.0, 1.0\]"),
        (lambda: two_hot(0.5, [0]), "m ≥ 2"),
        (lambda: two_hot(0.5, [1, 0]), "increasing"),
        (lambda: two_hot(F(3, 2), [F(0), F(1)]), "clip=True"),
        (lambda: two_hot(np.array([math.nan], dtype=object), [F(0), F(1)]), "finite real"),
        (lambda: hl_gauss(0.5, [0, 1], 1.0), "at least 2 bins"),
        (lambda: hl_gauss(0.5, [0, 1, 2], 0.0), "sigma=0.0"),
        (lambda: hl_gauss(0.5, [0, 1, 2], math.nan), "sigma"),
        (lambda: hl_gauss(-0.5, [0, 1, 2], 1.0), "outside"),
        (lambda: c51([0.5], [0.9], [0, 1]), "law"),
        (lambda: c51([0.5], [0.5, 0.5], [0, 1]), "shape"),
        (lambda: readout([0.5, 0.5], [1.0]), "shape"),
        (lambda: equally_spaced(0, 1, 1), "n=1"),
        (lambda: equally_spaced(1, 1, 3), "v_min < v_max"),
        (lambda: TwoHot(0, 1, 1), "m=1"),
        (lambda: TwoHot(1, 0, 3), "v_min"),
        (lambda: HLGauss(0, 1, 3, rho=0), "rho=0"),
        (lambda: hl_gauss_bias_bound(0.5, [0, 1, 3], 1.0), "equally spaced"),
        (lambda: rounding_bias(0.5, 0.0, 1.0), "must be > 0"),
        (lambda: CrossEntropyTD([0], OneHot(0, 1, 3), start="top"), "start"),
    ],
)
def test_refusals(call: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        call()


def chain() -> OutcomeMDP:
    """Two states, two actions, outcomes that repeat a next state with another reward."""
    rows = [
        [[(F(1, 2), 0, 1), (F(1, 2), 0, -1)], [(F(1, 3), 1, 2), (F(2, 3), 0, 0)]],
        [[(F(1), 1, -1)], [(F(1, 4), 0, 1), (F(3, 4), 1, 0)]],
    ]
    return OutcomeMDP.from_lists(rows, gamma=F(4, 5))


def test_a_policy_chain_mixes_outcomes() -> None:
    M, pi = chain(), [[F(1, 2), F(1, 2)], [F(0), F(1)]]
    c = policy_chain(M, pi)
    assert (c.S, c.A, c.K) == (2, 1, 6)
    assert rl.evaluate(c.to_mdp(), [0, 0]).V.tolist() == rl.evaluate(M.to_mdp(), rl.Policy(pi)).V.tolist()
    assert policy_chain(M.to_mdp(), [1, 0]).is_exact
    with pytest.raises(InvalidArgument, match="states"):
        policy_chain(M, [0])
    with pytest.raises(InvalidArgument, match="not allowed"):
        policy_chain(OutcomeMDP.from_lists([[[(1, 0, 0)]], [None, [(1, 0, 0)]]], gamma=0.5), [0, 0])
    with pytest.raises(InvalidModel, match="component"):
        policy_chain(OutcomeMDP.from_lists([[[(1.0, 0, (1.0, 2.0))]]], gamma=0.5), [0])


def test_two_hot_backup_is_the_bellman_backup() -> None:
    M, pi = chain(), [1, 1]
    Q = [F(1, 3), F(-2, 7)]
    T = rl.bellman(M.to_mdp(), pi)
    assert encoded_bellman(M, pi, TwoHot(-10, 10, 5))(Q).tolist() == T(Q).tolist()
    with pytest.raises(InvalidArgument, match="outside"):
        encoded_bellman(M, pi, TwoHot(-1, 1, 5))(Q)
    with pytest.raises(InvalidArgument, match="shape"):
        encoded_bellman(M, pi, TwoHot(-10, 10, 5))([F(0)])


def test_backups_agree_in_both_number_systems() -> None:
    M, pi = chain(), [1, 0]
    for code in (HLGauss(-8, 8, 9, rho=0.3), OneHot(-8, 8, 9), TwoHot(-8, 8, 9)):
        a = encoded_bellman(M.float(), pi, code)([0.3, -0.2])
        b = encoded_bellman(M.exact(), pi, code)([F(0.3), F(-0.2)])
        assert np.abs(a - b.astype(float)).max() < 1e-13


@pytest.mark.parametrize("rho", [0.1, 0.2, 0.4, 0.75])
@pytest.mark.parametrize("start", ["low", "high", 0.0])
def test_a_bracket_holds_a_fixed_point(rho: float, start: Any) -> None:
    M, pi = chain(), [1, 1]
    code = HLGauss(-12, 12, 25, rho=F(rho))
    out = CrossEntropyTD(pi, code, start=start).run(M)
    assert 0 < out.error < 1e-9
    back = encoded_bellman(M.float(), pi, code)(out.Q)
    assert np.abs(back - out.Q).max() < 1e-12
    with ball.precision(120):
        G = encoded_bellman(M, pi, code)
        assert all(a >= ball.to_arb(b) for a, b in zip(G(out.lower), out.lower))
        assert all(a <= ball.to_arb(b) for a, b in zip(G(out.upper), out.upper))


def test_a_model_in_doubles_is_lifted_as_stored() -> None:
    out = CrossEntropyTD([1, 1], HLGauss(-12.0, 12.0, 25)).run(chain().float())  # 1/3 is rounded
    exact = CrossEntropyTD([1, 1], HLGauss(-12, 12, 25)).run(chain())
    assert out.error < 1e-12
    assert np.abs(out.Q - exact.Q).max() < 1e-12


def test_a_repelling_fixed_point_gets_no_bounds() -> None:
    still = OutcomeMDP.from_lists([[[(F(1), 0, F(0))]]], gamma=F(1, 2))
    code = HLGauss(-2, 2, 24, rho=F(1, 8))  # 0 is an edge: slope γ·3.2 there
    out = CrossEntropyTD([0], code, start=0.0).run(still)
    assert out.Q[0] == pytest.approx(0.0, abs=1e-12)
    assert out.error == math.inf
    assert CrossEntropyTD([0], code, start=0.01).run(still).error < 1e-12


@pytest.mark.parametrize("code", [OneHot(-2, 2, 5), HLGauss(-4, 4, 8, rho=F(1, 8))])
def test_two_states_that_lead_to_each_other_can_swap_for_ever(code: Any) -> None:
    swap = OutcomeMDP.from_lists([[[(F(1), 1, F(0))]], [[(F(1), 0, F(0))]]], gamma=F(7, 8))
    low, high = (CrossEntropyTD([0, 0], code, start=s).run(swap) for s in ("low", "high"))
    assert (low.Q < high.Q).all()
    with pytest.raises(NotConverged):
        CrossEntropyTD([0, 0], code, start=[low.Q[0], high.Q[1]], max_iter=2000).run(swap)


def test_one_hot_fixed_points_are_exact_and_can_differ() -> None:
    M, pi = chain(), [1, 1]
    low, high = (CrossEntropyTD(pi, OneHot(-12, 12, 13), start=s).run(M) for s in ("low", "high"))
    G = encoded_bellman(M, pi, OneHot(-12, 12, 13))
    for out in (low, high):
        assert (out.lower == out.upper).all()
        assert (G(out.lower) == out.lower).all()
    assert (low.lower <= high.lower).all()
    assert (low.lower < high.lower).any()


def test_the_solver_refuses_and_gives_up() -> None:
    with pytest.raises(InvalidArgument, match="gamma"):
        CrossEntropyTD([1, 1], TwoHot(-9, 9, 5)).run(chain().replace(gamma=1))
    with pytest.raises(NotConverged, match="raise max_iter"):
        CrossEntropyTD([1, 1], TwoHot(-9, 9, 5), max_iter=3).run(chain())
    with pytest.raises(InvalidArgument, match="start"):
        CrossEntropyTD([1, 1], TwoHot(-9, 9, 5), start=[0.0]).run(chain())


def test_centres_are_midway() -> None:
    assert centres([0, 1, 2]).tolist() == [0.5, 1.5]
    assert HLGauss(0.0, 1.0, 2).points.tolist() == [0.25, 0.75]
    assert TwoHot(F(0), F(1), 3).points.tolist() == [0, F(1, 2), 1]
