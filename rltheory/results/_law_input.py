"""What a law is made from: arrays of one number system, refused when they are not a law."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Entries, Real, exact_array, float_array, plain_array
from ..errors import InvalidArgument

UNIT = 2.0**-53
"""Unit roundoff of a double."""


def up(x: float) -> float:
    """The next double above a positive x; zero stays."""
    return math.nextafter(x, math.inf) if x > 0 else x


def is_rational(x: object) -> bool:
    """True for ints and Fractions."""
    return isinstance(x, (int, Fraction, np.integer))


def numbers(a: Entries, b: Entries) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as fresh 1-D arrays of one number system: Fractions if all entries are ints or Fractions."""
    lists = (v if isinstance(v, np.ndarray) else list(v) for v in (a, b))  # type: ignore[arg-type]
    first, second = (
        plain_array(v, name=name).copy() for v, name in zip(lists, ("atoms", "masses"), strict=True)
    )
    if first.ndim != 1 or second.ndim != 1:
        raise InvalidArgument(
            f"ReturnLaw: shapes {first.shape} and {second.shape}; atoms and masses are flat lists"
        )
    if all(v.dtype.kind in "iu" or (v.dtype == object and all(map(is_rational, v))) for v in (first, second)):
        return exact_array(first), exact_array(second)
    return float_array(first, "atoms"), float_array(second, "masses")


def check(x: NDArray[Any], p: NDArray[Any], error: Real) -> None:
    """Refuse atoms, masses and an error bound that are not those of a law."""
    if len(x) != len(p) or not len(x):
        raise InvalidArgument(
            f"ReturnLaw: {len(x)} atoms, {len(p)} masses; give one mass per atom, at least one"
        )
    if x.dtype != object:
        bad = ~(np.isfinite(x) & np.isfinite(p))
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise InvalidArgument(f"ReturnLaw: atom {i} is {x[i]} with mass {p[i]}; both must be finite")
    if (p < 0).any():
        i = int(np.flatnonzero(p < 0)[0])
        raise InvalidArgument(f"ReturnLaw: probs[{i}]={p[i]}, masses are ≥ 0; check the sign")
    total = p.sum()
    tolerance: Any = 0 if x.dtype == object else max(1e-12, 2 * len(p) * UNIT)
    if abs(total - 1) > tolerance:
        raise InvalidArgument(
            f"ReturnLaw: masses sum to {total}, must be 1; divide by their sum or use Fractions"
        )
    if not error >= 0:
        raise InvalidArgument(f"ReturnLaw: error={error}, a bound on a distance is ≥ 0")
