"""Covariances on the line: Matérn of smoothness ½ to 7/2, and Wiener, with their integrals over a window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from ..arrays import to_fraction
from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels.covariance import matern, matern_double, matern_primitive

_SMOOTHNESS = {Fraction(1, 2): 0, Fraction(3, 2): 1, Fraction(5, 2): 2, Fraction(7, 2): 3}


@dataclass(frozen=True)
class Matern:
    """k(t, t') = Matérn-ν of |t − t'|/ℓ, unit variance; its space is that of ν + ½ derivatives in L².

    Parameters
    ----------
    nu
        1/2, 3/2, 5/2 or 7/2.
    lengthscale
        ℓ > 0, in units of time.

    Raises
    ------
    InvalidArgument
        Another ν, or ℓ ≤ 0.
    """

    nu: Any
    lengthscale: Any

    def __post_init__(self) -> None:
        if not math.isfinite(self.nu) or to_fraction(self.nu) not in _SMOOTHNESS:
            raise InvalidArgument(f"Matern: nu={self.nu}, must be 1/2, 3/2, 5/2 or 7/2")
        if not (math.isfinite(self.lengthscale) and self.lengthscale > 0):
            raise InvalidArgument(f"Matern: lengthscale={self.lengthscale}, must be finite and positive")

    @property
    def p(self) -> int:
        """ν − ½."""
        return _SMOOTHNESS[to_fraction(self.nu)]

    @property
    def order(self) -> int:
        """b = ν + ½: the worst-case error of N evenly spaced nodes falls like N^(−b)."""
        return self.p + 1

    def rate(self, like: Any = 0.0) -> Any:
        """c = √(2ν)/ℓ, a ball if `like` is one."""
        if isinstance(like, arb):
            return arb(2 * self.p + 1).sqrt() / ball.to_arb(to_fraction(self.lengthscale))
        return math.sqrt(2 * self.p + 1) / float(self.lengthscale)

    def cov(self, s: Any, t: Any) -> Any:
        """k(s, t), for floats, arrays or balls."""
        return matern(self.p, self.rate(s), abs(s - t))

    def embedding(self, t: Any, T: Any) -> Any:
        """∫_0^T k(t, s) ds for t in [0, T]."""
        c = self.rate(t)
        return matern_primitive(self.p, c, t) + matern_primitive(self.p, c, T - t)

    def variance(self, T: Any) -> Any:
        """∫∫ k over [0, T]²."""
        return matern_double(self.p, self.rate(T), T)

    def shifted(self, a: Any) -> Matern:
        """The same covariance seen from a window that starts at a."""
        return self


@dataclass(frozen=True)
class Wiener:
    """k(t, t') = offset + min(t, t'); the space of ∫f'² with f(0) = 0 (offset 0) or f(0) free at a price.

    Raises
    ------
    InvalidArgument
        offset < 0.
    """

    offset: Any = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.offset) and self.offset >= 0):
            raise InvalidArgument(f"Wiener: offset={self.offset}, must be finite and ≥ 0")

    @property
    def order(self) -> int:
        """1: the worst-case error of N evenly spaced nodes is T^(3/2)/(√12 (N − 1))."""
        return 1

    def _offset(self, like: Any) -> Any:
        if isinstance(like, arb):
            return ball.to_arb(to_fraction(self.offset))
        return to_fraction(self.offset) if isinstance(like, (Fraction, int)) else float(self.offset)

    def cov(self, s: Any, t: Any) -> Any:
        """k(s, t), for floats, arrays, rationals or balls."""
        if isinstance(s, arb):
            return self._offset(s) + s.min(t)
        if isinstance(s, np.ndarray) or isinstance(t, np.ndarray):
            return float(self.offset) + np.minimum(s, t)
        return self._offset(s) + min(s, t)

    def embedding(self, t: Any, T: Any) -> Any:
        """∫_0^T k(t, s) ds = offset·T + tT − t²/2."""
        return self._offset(T) * T + t * T - t * t / 2

    def variance(self, T: Any) -> Any:
        """∫∫ k over [0, T]² = offset·T² + T³/3."""
        return self._offset(T) * T * T + T * T * T / 3

    def shifted(self, a: Any) -> Wiener:
        """The same covariance seen from a window that starts at a: offset + a."""
        if a < 0:
            raise InvalidArgument(f"Wiener: the window starts at {a}; min(t, t') needs a start ≥ 0")
        return Wiener(to_fraction(self.offset) + to_fraction(a))


Covariance = Matern | Wiener
"""Either."""
