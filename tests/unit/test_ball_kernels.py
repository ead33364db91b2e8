"""Balls contain the number meant; comparisons are certain or refused."""

import math
from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
from flint import arb

from rltheory.errors import InvalidArgument
from rltheory.kernels import ball
from rltheory.results import Enclosure


def inside(x, value):
    lo, hi = ball.bounds(x)
    return (
        lo <= F(value) <= hi
        if not isinstance(value, mpmath.mpf)
        else mpmath.mpf(lo.numerator) / lo.denominator <= value
    )


def test_softmax_logsumexp_agree_with_mpmath():
    x, w = [F(3), F(-700), F(1, 3), F(800)], [F(1, 2), F(1, 4), F(1, 8), F(1, 8)]
    with mpmath.workdps(60), ball.precision(150):
        ref = mpmath.log(
            sum(
                mpmath.mpf(b.numerator) / b.denominator * mpmath.exp(mpmath.mpf(a.numerator) / a.denominator)
                for a, b in zip(x, w)
            )
        )
        got = ball.logsumexp(x, w)
        assert abs(mpmath.mpf(str(got.mid().str(50, radius=False))) - ref) < mpmath.mpf(10) ** -38
        p = ball.softmax(x, w)
        assert sum(p[1:], p[0]).contains(1)
        assert p[3] > arb(1) / 4


def test_zero_weight_drops_out_even_where_it_is_largest():
    assert ball.logsumexp([5, 1000], [1, 0]).contains(5)


def test_elementary_maps_contain_doubles():
    x = np.array([0.25, 2.0])
    assert ball.sqrt(x)[0].contains(arb(1) / 2)
    assert ball.exp(np.zeros(1))[0].contains(1)
    assert ball.log(np.ones(1))[0].contains(0)
    assert math.isclose(float(ball.exp(x)[1]), math.exp(2))


def test_solve_contains_exact_solution():
    A, b = [[F(2), F(1, 3)], [F(1), F(7)]], [F(1), F(1)]
    x = ball.solve_linear(A, b)
    from rltheory.kernels.exact import solve_linear

    for got, want in zip(x, solve_linear(A, b)):
        lo, hi = ball.bounds(got)
        assert lo <= want <= hi


def test_decide_doubles_precision_and_admits_ties():
    tiny = F(1, 2**300)
    calls = []

    def f():
        calls.append(1)
        return ball.to_arb(1).exp() - ball.to_arb(1).exp() * (1 - ball.to_arb(tiny))

    assert ball.decide(f) == 1
    assert len(calls) == 4
    assert ball.decide(lambda: -f()) == -1
    assert ball.decide(lambda: arb(2).sqrt() ** 2 - 2, max_prec=512) is None
    assert ball.decide(lambda: arb(0)) == 0


def test_nonfinite_ball_has_no_bounds():
    with pytest.raises(ValueError, match="not finite"):
        ball.bounds(arb(0).log())


def test_numbers_too_small_to_write_out_become_zero_or_the_next_number_outward() -> None:
    """FLINT ends the process, or fills the memory, when asked for e^(−10¹⁵) as a rational."""
    tiny = (-(arb(10) ** 15)).exp()
    assert ball.bounds(tiny) == (0, F(1, 1 << ball.LONGEST))
    assert ball.bounds(-tiny) == (-F(1, 1 << ball.LONGEST), 0)
    assert ball.midpoints([tiny, arb(3), -tiny]).tolist() == [0, 3, 0]
    box = Enclosure.ball(1 - 1 + tiny)
    assert box.lower <= 0 < box.upper <= F(2, 1 << ball.LONGEST)
    small = arb(2) ** -1000
    assert ball.bounds(small) == (F(1, 1 << 1000), F(1, 1 << 1000))


@pytest.mark.parametrize("x", [arb(10) ** (10**8), -(arb(10) ** 18).exp(), arb("nan"), arb("inf")])
def test_numbers_without_a_rational_are_refused(x: arb) -> None:
    for convert in (ball.bounds, ball.midpoints, lambda v: ball.rounded(v, 10)):
        with pytest.raises(InvalidArgument, match=r"too large to be written out|not finite"):
            convert(x)


def test_midpoints_are_rounded_to_a_grid() -> None:
    rng = np.random.default_rng(0)
    for bits in (0, 1, 10, 70):
        x = [F(*map(int, rng.integers(-(2**40), 2**40, 2))) * F(2) ** int(k) for k in range(-60, 60)]
        with ball.precision(200):
            got, mids = ball.rounded(x, bits), ball.midpoints(x)
        assert all((g * 2**bits).denominator == 1 for g in got)
        assert max(abs(g - m) for g, m in zip(got, mids)) <= F(1, 2 ** (bits + 1))
    assert ball.rounded([[arb(1) / 3]], 2).tolist() == [[F(1, 4)]]
