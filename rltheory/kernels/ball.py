"""Real numbers as balls: python-flint `arb` arrays for quantities with exp, log and square roots.

A ball [m ± r] contains the real number meant, whatever was rounded on the way; comparisons of arbs
are true only when they hold for every point of both balls.  `decide` doubles the working precision
until a sign is certain, so a claim with transcendental sides is settled, not approximated.

Arrays of balls are NumPy object arrays of `arb`.  Precision is FLINT's working precision in bits
(53 by default); run code under `with precision(bits):` to raise it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat
from numpy.typing import ArrayLike, NDArray

from ..errors import InvalidArgument
from .exact import to_fmpq

LONGEST = 1 << 22
"""Bits of the largest numbers that are written out as rationals, half a megabyte each."""


def precision(bits: int) -> AbstractContextManager[Any]:
    """Context in which arb arithmetic carries `bits` bits."""
    return flint.ctx.workprec(bits)  # type: ignore[no-any-return]


def to_arb(x: object) -> arb:
    """Ball around a rational or double (radius: one rounding at the working precision), or `x` itself."""
    return x if isinstance(x, arb) else arb(to_fmpq(x))


def balls(x: ArrayLike) -> NDArray[np.object_]:
    """Array of balls of the exact values of `x`."""
    arr = np.asarray(x)
    out = np.empty(arr.shape, dtype=object)
    out.reshape(-1)[:] = [to_arb(v) for v in arr.reshape(-1).tolist()]
    return out


def _map(f: Callable[[arb], arb], x: ArrayLike) -> NDArray[np.object_]:
    arr = balls(x)
    out = np.empty(arr.shape, dtype=object)
    out.reshape(-1)[:] = [f(v) for v in arr.reshape(-1).tolist()]
    return out


def exp(x: ArrayLike) -> NDArray[np.object_]:
    """e^x, entrywise."""
    return _map(lambda v: v.exp(), x)


def log(x: ArrayLike) -> NDArray[np.object_]:
    """log x, entrywise; a ball touching (−∞, 0] gives a ball that is not finite."""
    return _map(lambda v: v.log(), x)


def sqrt(x: ArrayLike) -> NDArray[np.object_]:
    """√x for x ≥ 0, entrywise; the part of a ball below zero is cut off (it is rounding)."""
    return _map(lambda v: v.nonnegative_part().sqrt(), x)


def maximum(x: Sequence[arb] | NDArray[Any]) -> arb:
    """Ball of the largest of the numbers in `x` (at least one)."""
    values = [to_arb(v) for v in np.asarray(x, dtype=object).reshape(-1)]
    out = values[0]
    for v in values[1:]:
        out = out.max(v)
    return out


def sup_norm(x: ArrayLike) -> arb:
    """‖x‖ = max |x_i|; the zero ball for an empty array."""
    values = [abs(to_arb(v)) for v in np.asarray(x, dtype=object).reshape(-1)]
    return maximum(values) if values else arb(0)


def logsumexp(x: ArrayLike, weights: ArrayLike | None = None) -> arb:
    """log Σ_i w_i e^{x_i} (w = 1 if not given), shifted by the largest entry; zero weights drop out."""
    values = balls(x).reshape(-1)
    w = [None] * len(values) if weights is None else list(np.asarray(weights, dtype=object).reshape(-1))
    kept = [(v, u) for v, u in zip(values, w, strict=True) if u is None or u != 0]
    shift = maximum([v for v, _ in kept]).mid()
    total = arb(0)
    for v, u in kept:
        total += (v - shift).exp() if u is None else (v - shift).exp() * to_arb(u)
    return shift + total.log()


def softmax(x: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.object_]:
    """w_i e^{x_i} / Σ_j w_j e^{x_j} for a 1-D `x`."""
    values = balls(x).reshape(-1)
    w = balls(np.ones(len(values)) if weights is None else weights).reshape(-1)
    shift = maximum(values).mid()
    parts = [u * (v - shift).exp() for v, u in zip(values, w, strict=True)]
    total = sum(parts[1:], parts[0])
    out = np.empty(len(parts), dtype=object)
    out[:] = [p / total for p in parts]
    return out


def dot(x: ArrayLike, y: ArrayLike) -> arb:
    """Σ_i x_i y_i."""
    total = arb(0)
    for a, b in zip(balls(x).reshape(-1), balls(y).reshape(-1), strict=True):
        total += a * b
    return total


def solve_linear(A: ArrayLike, b: ArrayLike) -> NDArray[np.object_]:
    """Balls containing the solution of Ax = b for every matrix and vector in the balls A, b.

    Raises
    ------
    ZeroDivisionError
        If A cannot be shown to be non-singular at the working precision.
    """
    left, right = balls(A), balls(b)
    n, k = left.shape[0], right.shape[1] if right.ndim == 2 else 1
    out = arb_mat(n, n, left.reshape(-1).tolist()).solve(arb_mat(n, k, right.reshape(-1).tolist()))
    flat = np.empty(n * k, dtype=object)
    flat[:] = list(out.entries())
    return flat.reshape(right.shape)


def rational(x: arb, toward: int = 0) -> Fraction:
    """The number that an exact ball, such as a midpoint or an end, stands for.

    A rational of 2^−k takes k bits: what is not zero but within 2^−`LONGEST` of it becomes zero or, where
    `toward` is its sign, ±2^−`LONGEST`.

    Raises
    ------
    InvalidArgument
        If it is not finite, or beyond 2^`LONGEST`; FLINT itself would end the process.
    """
    m, e = _mantissa(x)
    if m.bit_length() + e < -LONGEST:
        return Fraction(toward, 1 << LONGEST) if m * toward > 0 else Fraction(0)
    return Fraction(m << e) if e >= 0 else Fraction(m, 1 << -e)


def _mantissa(x: arb) -> tuple[int, int]:
    """(m, e) with x = m·2^e."""
    if not x.is_finite():
        raise InvalidArgument(f"ball {x} is not finite; raise the precision or check the formula")
    m, e = (int(v) for v in x.man_exp())
    if m.bit_length() + e > LONGEST:
        raise InvalidArgument(f"ball {x} is too large to be written out; scale the numbers down")
    return m, e


def rounded(x: ArrayLike, bits: int) -> NDArray[np.object_]:
    """Array of the midpoints of balls, rounded to multiples of 2^−bits; errors as for `rational`."""
    values = []
    for v in np.asarray(x, dtype=object).reshape(-1):
        m, e = _mantissa(to_arb(v).mid())
        cut = -e - bits
        if cut > 0:
            m = (m + (1 << (cut - 1))) >> cut if cut <= m.bit_length() + 1 else 0
        values.append(Fraction(m << max(0, -cut), 1 << bits))
    return _fractions(values, np.shape(x))


def bounds(x: arb) -> tuple[Fraction, Fraction]:
    """Rational ends of a finite ball, outward where it nearly touches zero; errors as for `rational`."""
    return rational(x.lower(), -1), rational(x.upper(), 1)


class Ends(tuple[Fraction, Fraction]):
    """A ball as its two ends: what can be pickled."""


def packed(x: Any) -> Any:
    """`x`, a number or a list, array or dictionary of them, with balls as `Ends`."""
    if isinstance(x, arb):
        with precision(max(256, flint.ctx.prec)):
            return Ends(bounds(x))
    return _inside(packed, x)


def unpacked(x: Any) -> Any:
    """The opposite of `packed`; a ball comes back as one that contains it."""
    if isinstance(x, Ends):
        with precision(max(256, flint.ctx.prec)):
            return to_arb(x[0]).union(to_arb(x[1]))
    return _inside(unpacked, x)


def _inside(change: Callable[[Any], Any], x: Any) -> Any:
    if isinstance(x, dict):
        return {k: change(v) for k, v in x.items()}
    if isinstance(x, list):
        return [change(v) for v in x]
    if isinstance(x, np.ndarray) and x.dtype == object:
        out = np.empty(x.shape, dtype=object)
        for at in np.ndindex(x.shape):
            out[at] = change(x[at])
        return out
    return x


def midpoints(x: ArrayLike) -> NDArray[np.object_]:
    """Array of the rational midpoints of balls; errors as for `rational`."""
    values = [rational(to_arb(v).mid()) for v in np.asarray(x, dtype=object).reshape(-1)]
    return _fractions(values, np.shape(x))


def _fractions(values: Sequence[Any], shape: tuple[int, ...]) -> NDArray[np.object_]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out.reshape(shape)


def sign(x: arb) -> int | None:
    """+1, −1, 0 (exactly zero), or None when the ball does not tell."""
    if x > 0:
        return 1
    if x < 0:
        return -1
    return 0 if x == 0 else None


def decide(f: Callable[[], arb], max_prec: int = 4096, start: int = 64) -> int | None:
    """Sign of the real number that `f` encloses, certain or None.

    Parameters
    ----------
    f
        Recomputes its ball from exact inputs at the working precision each time it is called.
    max_prec
        Bits at which to give up.
    start
        Bits to begin with; doubled until the sign is certain.

    Returns
    -------
    +1 or −1 when certain; 0 only if the ball is the single point 0; None if undecided at `max_prec`
    (two sides that are equal but not exactly representable stay undecided: that is a tie).
    """
    bits = start
    while True:
        with precision(bits):
            verdict = sign(f())
        if verdict is not None or bits >= max_prec:
            return verdict
        bits = min(2 * bits, max_prec)
