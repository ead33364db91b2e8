"""Functions of time and state whose integrals along polynomial diffusions are closed forms.

A `TimePolynomial` is a finite sum

    f(t, x) = Σ c · x^k · t^j · e^{αt + γ}

with rational c, α, γ (doubles are lifted to the rationals they store).  The class is closed under sums,
products, ∂_t, ∂_x, generators of polynomial diffusions, antiderivatives in t and the solution of backward
equations, so nothing is ever rounded: a number comes out as a `Fraction` when no exponential is left in it,
else as a ball of any radius.  For distinct rational exponents e^γ are linearly independent over the
rationals (Lindemann–Weierstrass): a number is zero exactly when its sum is empty.

A trace parameter λ enters by one more exponent, log(1/λ): then exponents are pairs (q, m) meaning
q + m·log(1/λ), and coefficients become balls where such an exponent is divided by.  A function has one λ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import Any, TypeAlias

import flint
from flint import arb, fmpq

from ..arrays import Real
from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels.exact import from_fmpq, to_fmpq
from .exponents import exponent, exponent_multiple, exponent_parts, exponent_sum, exponent_text

Key: TypeAlias = tuple[int, int, int, int]
"""(k, j, number of α, number of γ): exponents are numbered, because keys of rationals hash slowly."""

BITS = 256
"""Working precision of balls unless the caller has set a higher one."""
MAX_DEGREE = 64
"""Largest power of x; a product beyond it is refused."""


class TimePolynomial:
    """f(t, x) = Σ c x^k t^j e^{αt + γ}, a finite sum; immutable.

    Build one from `coordinates` and `exponential` by arithmetic rather than from its terms.

    Parameters
    ----------
    terms
        {(k, j, α, γ): c}; exact zeros are dropped (a ball around zero stays).
    log
        log(1/λ) as a ball when exponents use it, else None.
    """

    __slots__ = ("log", "terms")

    def __init__(self, terms: Mapping[Key, Any], log: Any = None) -> None:
        self.terms = {key: c for key, c in terms.items() if not is_zero(c)}
        self.log = log

    # ---- building ------------------------------------------------------------------------
    @classmethod
    def constant(cls, value: Any) -> TimePolynomial:
        """The same number everywhere."""
        if isinstance(value, TimePolynomial):
            return value
        return cls({(0, 0, 0, 0): value if isinstance(value, arb) else to_fmpq(value)})

    @classmethod
    def polynomial(cls, coefficients: Any) -> TimePolynomial:
        """Σ_k c_k x^k from (c_0, c_1, …)."""
        return cls({(k, 0, 0, 0): to_fmpq(c) for k, c in enumerate(coefficients)})

    def _merged(self, other: TimePolynomial) -> Any:
        if self.log is None or other.log is None:
            return self.log if self.log is not None else other.log
        if not self.log.overlaps(other.log):
            raise InvalidArgument(
                f"TimePolynomial: two values of λ, log(1/λ) = {float(self.log):.6g} and "
                f"{float(other.log):.6g}; a function has room for one"
            )
        return self.log

    def __add__(self, other: object) -> TimePolynomial:
        right = TimePolynomial.constant(other)
        out = dict(self.terms)
        for key, c in right.terms.items():
            out[key] = out[key] + c if key in out else c
        return TimePolynomial(out, self._merged(right))

    __radd__ = __add__

    def __neg__(self) -> TimePolynomial:
        return TimePolynomial({key: -c for key, c in self.terms.items()}, self.log)

    def __sub__(self, other: object) -> TimePolynomial:
        return self + (-TimePolynomial.constant(other))

    def __rsub__(self, other: object) -> TimePolynomial:
        return TimePolynomial.constant(other) - self

    def __mul__(self, other: object) -> TimePolynomial:
        right = TimePolynomial.constant(other)
        if self.degree + right.degree > MAX_DEGREE:
            raise InvalidArgument(
                f"TimePolynomial: a product of degrees {self.degree} and {right.degree} in x is above "
                f"{MAX_DEGREE}; lower the degrees of features and rewards"
            )
        out: dict[Key, Any] = {}
        for (k, j, a, g), c in self.terms.items():
            for (k2, j2, a2, g2), c2 in right.terms.items():
                key = (k + k2, j + j2, exponent_sum(a, a2), exponent_sum(g, g2))
                out[key] = out[key] + c * c2 if key in out else c * c2
        return TimePolynomial(out, self._merged(right))

    __rmul__ = __mul__

    def __truediv__(self, other: Real) -> TimePolynomial:
        out: TimePolynomial = self * (1 / to_fmpq(other))
        return out

    def __pow__(self, n: int) -> TimePolynomial:
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise InvalidArgument(f"TimePolynomial: power {n!r}, must be an integer ≥ 0")
        out: TimePolynomial = TimePolynomial.constant(1)
        for _ in range(n):
            out = out * self
        return out

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (TimePolynomial, int, Fraction)) and not (
            isinstance(other, float) and math.isfinite(other)
        ):
            return NotImplemented
        return not (self - other).terms

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        """Exponents themselves, not their numbers, which differ between processes; balls by their ends."""
        terms = [
            (k, j, *exponent_parts(a), *exponent_parts(g), ball.packed(c))
            for (k, j, a, g), c in self.terms.items()
        ]
        return _rebuilt, (terms, ball.packed(self.log))

    def __repr__(self) -> str:
        return f"TimePolynomial({self.text()})"

    def text(self) -> str:
        """The sum, written out."""
        if not self.terms:
            return "0"
        out = ""
        for (k, j, a, g), c in sorted(self.terms.items(), key=lambda item: (-item[0][0], *item[0][1:])):
            factors = [f"t^{j}" if j > 1 else "t"] * (j > 0) + [f"x^{k}" if k > 1 else "x"] * (k > 0)
            if a or g:
                powers = [f"{exponent_text(a)}·t"] * bool(a) + [exponent_text(g)] * bool(g)
                factors.append(f"e^({' + '.join(powers)})")
            minus = bool(c < 0)
            size = -c if minus else c
            if not factors or not is_zero(size - 1):
                factors.insert(0, str(size))
            out += (" − " if minus else " + ") + "·".join(factors)
        return out[3:] if out.startswith(" + ") else "−" + out[3:]

    # ---- reading -------------------------------------------------------------------------
    @property
    def degree(self) -> int:
        """Largest power of x; 0 for the zero function."""
        return max((key[0] for key in self.terms), default=0)

    def coefficient(self, k: int) -> TimePolynomial:
        """The factor of x^k: a function of time."""
        kept = {(0, *key[1:]): c for key, c in self.terms.items() if key[0] == k}
        return TimePolynomial(kept, self.log)

    def coefficients(self) -> Iterator[tuple[int, TimePolynomial]]:
        """(k, factor of x^k) of the powers present."""
        parts: dict[int, dict[Key, Any]] = {}
        for key, c in self.terms.items():
            parts.setdefault(key[0], {})[(0, *key[1:])] = c
        return ((k, TimePolynomial(terms, self.log)) for k, terms in parts.items())

    @property
    def has_time(self) -> bool:
        """True when f depends on t."""
        return any(j or a for _, j, a, _ in self.terms)

    def number(self) -> Any:
        """A constant function as `Fraction`, or as a ball computed at 256 bits or more.

        Raises
        ------
        InvalidArgument
            If f depends on t or x.
        """
        with precise():
            return self._number()

    def _number(self) -> Any:
        total, exact = None, True
        for (k, j, a, g), c in self.terms.items():
            if k or j or a:
                raise InvalidArgument(
                    f"TimePolynomial.number: {self.text()[:80]} is not constant; use at(t, x)"
                )
            if g:
                exact, c = False, ball_exp(self.value(g)) * c
            total = c if total is None else total + c
        if total is None:
            return Fraction(0)
        return from_fmpq(total) if exact and isinstance(total, fmpq) else total

    def value(self, exponent: int) -> Any:
        """The exponent q + m·log(1/λ) of that number as fmpq, or as a ball when m ≠ 0."""
        q, m = exponent_parts(exponent)
        return q if m == 0 else arb(q) + arb(m) * self.log

    # ---- substituting --------------------------------------------------------------------
    def at_time(self, s: Real) -> TimePolynomial:
        """f(s, ·)."""
        u = to_fmpq(s)
        powers: dict[int, Any] = {0: fmpq(1)}
        out: dict[Key, Any] = {}
        for (k, j, a, g), c in self.terms.items():
            if j not in powers:
                powers[j] = u**j
            key = (k, 0, 0, exponent_sum(g, exponent_multiple(a, u)))
            out[key] = out[key] + c * powers[j] if key in out else c * powers[j]
        return TimePolynomial(out, self.log)

    def at_state(self, x: Real) -> TimePolynomial:
        """f(·, x)."""
        y = to_fmpq(x)
        out: dict[Key, Any] = {}
        for (k, j, a, g), c in self.terms.items():
            key = (0, j, a, g)
            c = c * y**k
            out[key] = out[key] + c if key in out else c
        return TimePolynomial(out, self.log)

    def at(self, t: Real, x: Real) -> Any:
        """f(t, x) as `Fraction` or ball."""
        return self.at_time(t).at_state(x).number()

    def __call__(self, t: Any, x: Any) -> Any:
        """f(t, x) in doubles; t and x are numbers or arrays that broadcast."""
        import numpy as np

        out = np.zeros(np.broadcast_shapes(np.shape(t), np.shape(x)))
        for (k, j, a, g), c in self.terms.items():
            rate, shift = float(self.value(a)), float(self.value(g))
            out = out + float(c) * np.asarray(x, float) ** k * np.asarray(t, float) ** j * np.exp(
                rate * np.asarray(t, float) + shift
            )
        return out

    # ---- calculus ------------------------------------------------------------------------
    def d_t(self) -> TimePolynomial:
        """∂_t f."""
        out: dict[Key, Any] = {}
        for (k, j, a, g), c in self.terms.items():
            for key, d in (((k, j - 1, a, g), c * j), ((k, j, a, g), c * self.value(a))):
                if not is_zero(d):
                    out[key] = out[key] + d if key in out else d
        return TimePolynomial(out, self.log)

    def d_x(self) -> TimePolynomial:
        """∂_x f."""
        return TimePolynomial(
            {(k - 1, j, a, g): c * k for (k, j, a, g), c in self.terms.items() if k}, self.log
        )

    def antiderivative(self) -> TimePolynomial:
        """An antiderivative in t."""
        out: dict[Key, Any] = {}
        for (k, j, a, g), c in self.terms.items():
            key: Key
            if not a:
                key = (k, j + 1, 0, g)
                d = c / (j + 1)
                out[key] = out[key] + d if key in out else d
                continue
            rate, d = self.value(a), c
            for i in range(j, -1, -1):
                d = d / rate
                key = (k, i, a, g)
                out[key] = out[key] + d if key in out else d
                d = -d * i
        return TimePolynomial(out, self.log)

    def integral(self, start: Real, end: Real) -> TimePolynomial:
        """∫_start^end f(t, ·)dt."""
        F = self.antiderivative()
        return F.at_time(end) - F.at_time(start)


def _rebuilt(terms: Any, log: Any) -> TimePolynomial:
    """A pickled function, its exponents numbered as here."""
    out = {(k, j, exponent(q, m), exponent(r, s)): ball.unpacked(c) for k, j, q, m, r, s, c in terms}
    return TimePolynomial(out, ball.unpacked(log))


def is_zero(c: Any) -> bool:
    """True for an exact zero; a ball around zero is not one (and `!=` of such a ball is false, too)."""
    return bool(c == 0)


def precise() -> AbstractContextManager[Any]:
    """Context with at least `BITS` bits."""
    return ball.precision(max(BITS, flint.ctx.prec))


def ball_exp(x: Any) -> Any:
    """e^x as a ball."""
    return ball.to_arb(x).exp()


def coordinates(T: Real) -> tuple[TimePolynomial, TimePolynomial, TimePolynomial]:
    """The functions t, x and τ = T − t, from which others are built by arithmetic.

    Examples
    --------
    >>> t, x, tau = coordinates(1)
    >>> (tau * x**2).at(0, 3)
    Fraction(9, 1)
    """
    t = TimePolynomial({(0, 1, 0, 0): fmpq(1)})
    x = TimePolynomial({(1, 0, 0, 0): fmpq(1)})
    return t, x, T - t


def exponential(rate: Real, shift: Real = 0) -> TimePolynomial:
    """e^{rate·t + shift}, a function of time; e^{rate·τ} is `exponential(-rate, rate * T)`."""
    return TimePolynomial(
        {(0, 0, exponent(to_fmpq(rate), fmpq(0)), exponent(to_fmpq(shift), fmpq(0))): fmpq(1)}
    )


def trace_decay(lam: Real, power: Real = 1) -> TimePolynomial:
    """λ^{power·t}; for λ = 1 the constant 1.

    Raises
    ------
    InvalidArgument
        λ ∉ (0, 1].
    """
    if not 0 < lam <= 1:
        raise InvalidArgument(f"trace_decay: lam={lam}, must lie in (0, 1]")
    if lam == 1:
        return TimePolynomial.constant(1)
    with precise():
        log = -ball.to_arb(to_fmpq(lam)).log()
    return TimePolynomial({(0, 0, exponent(fmpq(0), -to_fmpq(power)), 0): fmpq(1)}, log)
