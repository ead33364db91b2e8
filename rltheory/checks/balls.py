"""Sides of claims in balls: a working precision, intervals where it ends, roots that stay rational."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
from flint import arb, fmpq

from ..kernels import ball
from ..kernels.exact import to_fmpq
from ..results.enclosure import Enclosure

Out = TypeVar("Out")
X = TypeVar("X")

BITS = 192
"""Default working precision."""


def at_precision(bits: int = BITS) -> Callable[[Callable[..., Out]], Callable[..., Out]]:
    """Decorator: the function runs with balls of `bits` bits."""

    def decorate(f: Callable[..., Out]) -> Callable[..., Out]:
        @wraps(f)
        def inner(*args: Any, **kwargs: Any) -> Out:
            with ball.precision(bits):
                return f(*args, **kwargs)

        return inner

    return decorate


def precise_side(side: Callable[[X], Any], bits: int = BITS) -> Callable[[X], list[Any]]:
    """A side computed at `bits` bits, flattened, its balls made intervals before the precision drops."""

    def evaluate(x: X) -> list[Any]:
        with ball.precision(bits):
            flat = np.asarray(side(x), dtype=object).reshape(-1)
            return [Enclosure.ball(v) if isinstance(v, arb) else v for v in flat]

    return evaluate


def root(x: Any) -> Any:
    """√x for a ball or a rational ≥ 0: rational for the square of a rational, else a ball.

    Examples
    --------
    >>> from fractions import Fraction
    >>> root(Fraction(9, 4))
    3/2
    """
    if isinstance(x, arb):
        return x.nonnegative_part().sqrt()
    q = to_fmpq(x)
    a, b = math.isqrt(int(q.p)), math.isqrt(int(q.q))
    return fmpq(a, b) if a * a == q.p and b * b == q.q else arb(q).sqrt()
