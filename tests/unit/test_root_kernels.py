"""Sturm sequences and algebraic numbers against roots known by construction and against FLINT's own."""

from fractions import Fraction as F
from math import isclose

import numpy as np
import pytest
from flint import fmpq, fmpq_poly, fmpz_poly

from rltheory.kernels.roots import (
    AlgebraicNumber,
    count_roots,
    isolate,
    isolate_all,
    largest_sign_change,
    square_free,
)

x = fmpq_poly([0, 1])


def product(roots):
    p = fmpq_poly([1])
    for r in roots:
        p *= x - fmpq(r.numerator, r.denominator)
    return p


def test_isolation_finds_exactly_the_rational_roots_put_in():
    rng = np.random.default_rng(0)
    for _ in range(40):
        roots = [F(int(a), int(b)) for a, b in zip(rng.integers(-6, 12, 6), rng.integers(1, 9, 6))]
        p = product(roots) * (x * x + 1)
        inside = sorted({r for r in roots if 0 < r < 1})
        found = isolate(p, 0, 1)
        assert [r.minimal().lower for r in found] == inside
        assert found == inside
        assert count_roots(p, 0, 1) == len({r for r in roots if 0 < r <= 1})


def test_irrational_roots_agree_with_flints_certified_roots():
    rng = np.random.default_rng(1)
    for _ in range(30):
        p = fmpz_poly([int(c) for c in rng.integers(-9, 10, 8)])
        if p.degree() < 1:
            continue
        q = square_free(p)
        balls = [r for r, _ in q.complex_roots() if r.imag == 0 and 0 < r.real < 1]
        found = isolate(p, 0, 1)
        assert len(found) == len(balls)
        for r, b in zip(found, sorted(balls, key=lambda b: float(b.real.mid()))):
            assert isclose(float(r), float(b.real.mid()), rel_tol=1e-14)


def test_order_and_equality_of_numbers_given_by_different_polynomials():
    root2 = isolate(2 * x * x - 1, 0, 1)[0]
    again = isolate((2 * x * x - 1) * (x - fmpq(1, 3)), 0, 1)[1]
    assert root2 == again
    assert hash(root2) == hash(again)
    near = F(7071067811865475244, 10**19)
    assert near < root2 < near + F(1, 10**19)
    assert root2 != near
    assert root2.digits(30) == "0.707106781186547524400844362104"
    assert AlgebraicNumber.rational(F(1, 2)) == F(1, 2)
    assert isolate((2 * x - 1) * (x * x + 3), 0, 1)[0] == F(1, 2)


def test_sign_changes_ignore_even_multiplicities():
    half, third = x - fmpq(1, 2), x - fmpq(1, 3)
    assert largest_sign_change(half**2 * third, 0, 1) == F(1, 3)
    assert largest_sign_change(half**3 * third, 0, 1) == F(1, 2)
    assert largest_sign_change(half**2, 0, 1) is None


def test_all_roots_of_several_polynomials_lie_in_disjoint_intervals():
    cuts = isolate_all(
        [2 * x * x - 1, (x - fmpq(1, 2)) ** 2, x * (x - 1), (2 * x * x - 1) * (3 * x - 2)], 0, 1
    )
    assert [float(c) for c in cuts] == pytest.approx([0.5, 2 / 3, 0.5**0.5])
    assert all(a.upper < b.lower for a, b in zip(cuts, cuts[1:]))


def test_the_zero_polynomial_is_refused():
    with pytest.raises(ValueError, match="zero polynomial"):
        isolate(fmpq_poly([0]), 0, 1)
