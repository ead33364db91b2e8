"""Comparison with printed numbers.

Decimals of up to 15 significant digits are compared with the rational answer rounded to as many; longer
ones are doubles, and must be the double nearest to the answer, unless a number of ulps is stated: those
were printed by programs working in doubles, and the exact answer here is the better one.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction as F
from typing import Any

import numpy as np


def digits(x: Any, printed: str) -> bool:
    """True when the rational `x`, rounded to the digits of `printed`, reads `printed`."""
    places = -Decimal(printed).as_tuple().exponent
    exact = F(x)
    value = Context(prec=60, rounding=ROUND_HALF_EVEN).divide(
        Decimal(exact.numerator), Decimal(exact.denominator)
    )
    return value.quantize(Decimal(1).scaleb(-places)) == Decimal(printed)


def double(x: Any, printed: str, ulps: int = 0) -> bool:
    """True when the double nearest to the rational `x` is at most `ulps` from `printed`."""
    return abs(float(x) - float(printed)) <= ulps * np.spacing(abs(float(printed)))


def close(x: Any, *printed: str) -> bool:
    """Doubles printed by another program: equal to their last digit but two."""
    return all(
        abs(float(v) - float(p)) <= 5e-14 * max(1, abs(float(p))) for v, p in zip(x, printed, strict=True)
    )
