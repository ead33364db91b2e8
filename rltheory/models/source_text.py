"""Numbers and arrays as Python source, for the one-line literals of models and policies."""

from __future__ import annotations

from fractions import Fraction
from typing import Any


def number(x: Any) -> str:
    """`1`, `Fraction(1, 3)` or `0.5`."""
    if isinstance(x, Fraction):
        return str(x.numerator) if x.denominator == 1 else f"Fraction({x.numerator}, {x.denominator})"
    return repr(x)


def nested(x: Any) -> str:
    """Nested lists of numbers."""
    return "[" + ", ".join(nested(v) for v in x) + "]" if isinstance(x, list) else number(x)
