"""Instances decoded from bytes: the random search mutates bytes, shrinking drives them to zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from ..arrays import exact_array

T = TypeVar("T")
R = TypeVar("R", bound="Reader")


class Reader:
    """Numbers read one after another from a byte string; zeros once it is used up.

    Examples
    --------
    >>> read = Reader(bytes([7, 2]))
    >>> read.below(5), read.number(), read.below(9)
    (2, Fraction(1, 2), 0)
    """

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def byte(self) -> int:
        """Next byte."""
        self.at += 1
        return self.raw[self.at - 1] if self.at <= len(self.raw) else 0

    def below(self, n: int) -> int:
        """0..n−1."""
        return self.byte() % n

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.byte() % len(values)]

    def number(self, most: int = 4, denominator: int = 2) -> Fraction:
        """Multiple of 1/denominator in [−most, most]; byte 0 gives 0."""
        k = self.byte() % (2 * most * denominator + 1)
        return Fraction((k + 1) // 2 * (-1 if k % 2 else 1), denominator)

    def numbers(self, *shape: int, most: int = 3, denominator: int = 1) -> NDArray[Any]:
        """Array of `number`s."""
        flat = [self.number(most, denominator) for _ in range(int(np.prod(shape)))]
        return exact_array(flat).reshape(shape)

    def weights(self, n: int) -> tuple[Fraction, ...]:
        """n positive rationals that sum to one."""
        w = [1 + self.byte() % 4 for _ in range(n)]
        return tuple(Fraction(k, sum(w)) for k in w)


def decoded(build: Callable[[R], T], size: int = 120, reader: type[R] | None = None) -> SearchStrategy[T]:
    """Instances built from `size` random bytes by `build(reader)`; shrinks towards zeros."""
    make: Any = reader or Reader
    return st.binary(min_size=size, max_size=size).map(lambda raw: build(make(raw)))
