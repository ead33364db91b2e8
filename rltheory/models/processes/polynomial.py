"""Polynomial diffusions on the line: dX = (b0 + b1 X)dt + √(s0 + s1 X + s2 X²) dW.

The generator L f = (b0 + b1 x)f' + ½(s0 + s1 x + s2 x²)f'' maps polynomials of degree m to polynomials of
degree m, so every moment solves a finite linear system; `rltheory.operators.diffusion` computes with it.
Brownian motion (b1 = s1 = s2 = 0), Ornstein–Uhlenbeck (s1 = s2 = 0), geometric Brownian motion
(b0 = s0 = s1 = 0), CIR (s0 = s2 = 0), Jacobi (s2 < 0) and linear feedback with multiplicative noise are
cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ...arrays import Real, to_fraction
from ...errors import InvalidArgument, InvalidModel
from .exact import ScalarDiffusion

_FIELDS = ("b0", "b1", "s0", "s1", "s2")


@dataclass(frozen=True)
class PolynomialDiffusion(ScalarDiffusion):
    """dX = (b0 + b1 X)dt + √(s0 + s1 X + s2 X²) dW.

    Parameters
    ----------
    b0, b1
        Drift b0 + b1 x, per unit of time; doubles or rationals.
    s0, s1, s2
        Squared volatility s0 + s1 x + s2 x², per unit of time.

    Raises
    ------
    InvalidModel
        If a coefficient is not a finite real number, or the squared volatility is negative everywhere.

    Examples
    --------
    >>> PolynomialDiffusion(0, -1, 1, 0, 0).growth(2)
    -2
    """

    b0: Real
    b1: Real
    s0: Real
    s1: Real = 0
    s2: Real = 0

    def __post_init__(self) -> None:
        for name in _FIELDS:
            value = getattr(self, name)
            try:
                finite = not isinstance(value, bool) and math.isfinite(value)
            except (TypeError, ValueError):
                finite = False
            if not finite:
                raise InvalidModel(
                    f"PolynomialDiffusion: {name}={value!r} is not a finite real number; "
                    "give an int, float or Fraction"
                )
        if self.s2 <= 0 and not self._somewhere():
            raise InvalidModel(
                f"PolynomialDiffusion: s0={self.s0}, s1={self.s1}, s2={self.s2} make σ² = s0 + s1 x + s2 x² "
                "negative for every x; change the signs"
            )

    def _somewhere(self) -> bool:
        s0, s1, s2 = (to_fraction(v) for v in (self.s0, self.s1, self.s2))
        if s2 == 0:
            return s1 != 0 or s0 >= 0
        return s1 * s1 - 4 * s2 * s0 >= 0

    @property
    def is_exact(self) -> bool:
        """True when every coefficient is an int or a Fraction."""
        return not any(isinstance(getattr(self, name), float) for name in _FIELDS)

    def exact(self) -> PolynomialDiffusion:
        """The same process over the rationals (a double is the rational it stores)."""
        return PolynomialDiffusion(*(to_fraction(getattr(self, name)) for name in _FIELDS))

    def float(self) -> PolynomialDiffusion:
        """The same process in doubles."""
        return PolynomialDiffusion(*(float(getattr(self, name)) for name in _FIELDS))

    def polynomial(self) -> PolynomialDiffusion:
        """Itself: named one-dimensional processes convert to this type by the same method."""
        return self

    def drift(self, x: Any) -> Any:
        """b(x) = b0 + b1 x, for numbers and arrays."""
        return self.b0 + self.b1 * x

    def variance(self, x: Any) -> Any:
        """σ²(x) = s0 + s1 x + s2 x², for numbers and arrays; not clipped at 0."""
        return self.s0 + (self.s1 + self.s2 * x) * x

    def growth(self, m: int) -> Real:
        """m b1 + ½m(m−1)s2: the eigenvalue of L on degree m, so E X_t^m has the term e^{growth(m)t}."""
        if self.is_exact:
            q = m * to_fraction(self.b1) + Fraction(m * (m - 1), 2) * to_fraction(self.s2)
            return int(q) if q.denominator == 1 else q
        return m * self.b1 + m * (m - 1) * self.s2 / 2

    @property
    def is_nilpotent(self) -> bool:
        """True when L lowers degrees (b1 = s2 = 0): rational data then have rational moments."""
        return self.b1 == 0 and self.s2 == 0

    @property
    def is_deterministic(self) -> bool:
        """True when σ = 0 everywhere."""
        return self.s0 == 0 and self.s1 == 0 and self.s2 == 0

    def interval(self, x0: Real) -> tuple[Real, Real]:
        """Ends of the interval around x0 on which σ² ≥ 0, as doubles; ±inf where there is none.

        Raises
        ------
        InvalidArgument
            If σ²(x0) < 0, or the drift leads out of the interval at an end: the process is not defined there.
        """
        value = self.variance(x0)
        if not value >= 0:
            raise InvalidArgument(
                f"PolynomialDiffusion: σ²(x0) = {value} at x0={x0}, must be ≥ 0; start inside the state space"
            )
        low: Real = -math.inf
        high: Real = math.inf
        for r in self._sign_changes():
            if r <= x0 and self._grows_at(r):
                low = max(low, r)
            elif r >= x0 and not self._grows_at(r):
                high = min(high, r)
        for end, sign in ((low, 1), (high, -1)):
            inward = sign * self.drift(end) if math.isfinite(end) else 0
            if inward < -1e-12 * max(1.0, abs(float(self.b0))):
                raise InvalidArgument(
                    f"PolynomialDiffusion: the drift at the end {end:.6g} of the state space is "
                    f"{float(self.drift(end)):.6g} and leads out of it; change b0 or b1 (CIR needs b0 ≥ 0)"
                )
        return low, high

    def _grows_at(self, r: Real) -> bool:
        return self.s1 + 2 * self.s2 * r > 0

    def _sign_changes(self) -> list[Real]:
        s0, s1, s2 = float(self.s0), float(self.s1), float(self.s2)
        if s2 == 0:
            return [] if s1 == 0 else [-s0 / s1]
        square = s1 * s1 - 4 * s2 * s0
        if square <= 0:
            return []
        q = -(s1 + math.copysign(math.sqrt(square), s1)) / 2
        return sorted({q / s2, s0 / q})
