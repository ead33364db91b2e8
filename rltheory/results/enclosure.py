"""Intervals that contain a real number: every quantity that is not exact carries one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..arrays import Real, to_fraction
from ..errors import InvalidArgument
from ..kernels.ball import rational
from ..portable import Portable


@dataclass(frozen=True)
class Enclosure(Portable):
    """lower ≤ x ≤ upper for the real number x meant; ends are floats or rationals.

    Raises
    ------
    InvalidArgument
        If an end is NaN or lower > upper.
    """

    lower: Real
    upper: Real

    def __post_init__(self) -> None:
        if not self.lower <= self.upper:
            raise InvalidArgument(
                f"Enclosure: lower={self.lower}, upper={self.upper}; need lower ≤ upper, no NaN"
            )

    @classmethod
    def exact(cls, x: object) -> Enclosure:
        """The one-point interval of a rational (or of the rational a double stores)."""
        q = to_fraction(x)
        return cls(q, q)

    @classmethod
    def ball(cls, x: Any) -> Enclosure:
        """The rational interval of a python-flint `arb` ball.

        Raises
        ------
        InvalidArgument
            If the ball is not finite.
        """
        if not x.is_finite():
            raise InvalidArgument(
                f"Enclosure.ball: {x} is not finite; raise flint.ctx.prec or check the formula"
            )
        mid, rad = x.mid(), rational(x.rad(), 1)  # exact at any working precision
        return cls(rational(mid, -1) - rad, rational(mid, 1) + rad)

    @property
    def width(self) -> Real:
        """upper − lower."""
        return self.upper - self.lower

    @property
    def mid(self) -> Real:
        """Midpoint."""
        return (self.lower + self.upper) / 2

    @property
    def radius(self) -> float:
        """Half the width, rounded up."""
        half = float(self.width) / 2
        return half if self.width == 0 else math.nextafter(half, math.inf)

    def __contains__(self, x: object) -> bool:
        return to_fraction(self.lower) <= to_fraction(x) <= to_fraction(self.upper)

    def __float__(self) -> float:
        return float(self.mid)

    def __str__(self) -> str:
        if self.width == 0:
            return str(self.lower)
        return f"{float(self.mid):.12g} ± {self.radius:.1e}"


Exactish = Fraction | Enclosure
"""A number whose error is zero or enclosed."""
