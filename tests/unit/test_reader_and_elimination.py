"""Instances from bytes, and the schoolbook linear algebra claims use as a second witness."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import find, given

import rltheory as rl
from rltheory.checks import Reader, decoded
from rltheory.checks.elimination import Table, eliminate, inverse, rank
from rltheory.kernels.exact import solve_linear


def test_numbers_in_order_and_zeros_at_the_end() -> None:
    read = Reader(bytes([5, 9, 1, 2]))
    assert (read.below(4), read.pick("abc")) == (1, "a")
    assert read.numbers(2, 2).tolist() == [[-1, 1], [0, 0]]
    assert Reader(b"\x03").number(4, 2) == Fraction(-1)
    assert Reader(b"").weights(3) == (Fraction(1, 3),) * 3


@given(decoded(lambda r: (r.numbers(3, 4, most=2, denominator=3), r.weights(4)), 40))
def test_ranges(drawn: tuple[Table, tuple[Fraction, ...]]) -> None:
    table, weights = drawn
    assert all(abs(x) <= 2 and (3 * x).denominator == 1 for x in table.ravel())
    assert sum(weights) == 1 and min(weights) > 0


def test_shrinks_to_zeros() -> None:
    class Doubled(Reader):
        def twice(self) -> int:
            return 2 * self.below(100)

    assert find(decoded(lambda r: (r.twice(), r.below(50)), 4, Doubled), lambda x: x[0] >= 14) == (14, 0)


@given(decoded(lambda r: (r.numbers(4, 4), r.numbers(4, 2)), 60))
def test_elimination_against_flint(drawn: tuple[Table, Table]) -> None:
    A, B = drawn
    if rank(A) < 4:
        with pytest.raises(ZeroDivisionError):
            eliminate(A, B)
        return
    assert (eliminate(A, B) == solve_linear(A, B)).all()
    assert (A @ inverse(A) == rl.exact_array(np.eye(4, dtype=int))).all()


@given(decoded(lambda r: (r.numbers(5, 2), r.numbers(2, 4)), 60))
def test_rank_of_products(drawn: tuple[Table, Table]) -> None:
    left, right = drawn
    assert rank(left @ right) == np.linalg.matrix_rank((left @ right).astype(float))
