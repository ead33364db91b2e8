"""Shape aliases and the two number systems of the library.

Every array is either *float* (dtype float64) or *exact* (dtype object, entries
`fractions.Fraction`).  The aliases name shapes; the number system is that of the model.
"""

from __future__ import annotations

import numbers
import sys
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InvalidArgument, InvalidModel

Entries: TypeAlias = ArrayLike | Sequence[object]
"""Anything an array can be made of: arrays, or nested sequences of ints, floats and Fractions."""

Real: TypeAlias = int | float | Fraction
"""A scalar of either number system."""

StateVec: TypeAlias = NDArray[Any]
"""(S,) values of states."""
StateAction: TypeAlias = NDArray[Any]
"""(S, A) values of state-action pairs."""
PairVec: TypeAlias = NDArray[Any]
"""(N,) values of the N allowed state-action pairs, in order of state, then action."""
Transition: TypeAlias = NDArray[Any]
"""(S, A, S) transition probabilities, rows sum to one."""
FloatVec: TypeAlias = NDArray[np.float64]
"""Float64 array of any stated shape."""
IntVec: TypeAlias = NDArray[np.int64]
"""Integer array of any stated shape."""
BoolVec: TypeAlias = NDArray[np.bool_]
"""Boolean array of any stated shape."""


def is_exact(x: Entries) -> bool:
    """True when `x` is an array (or scalar) of rationals: dtype object."""
    return np.asarray(x).dtype == object


def is_sparse(x: object) -> bool:
    """True when `x` is a SciPy sparse matrix or array; SciPy is not imported to find out."""
    loaded = sys.modules.get("scipy.sparse")
    return loaded is not None and bool(loaded.issparse(x))


def inside(x: object, low: Real, high: Real) -> bool:
    """Whether x is a real number with low < x < high; False for anything that is none."""
    value: Any = x
    return isinstance(x, numbers.Real) and bool(low < value < high)


def to_fraction(x: object) -> Fraction:
    """The exact rational value of an int, float, Fraction or python-flint rational.

    Raises
    ------
    TypeError
        If `x` is not a real number.
    InvalidArgument
        If it is NaN or infinite.
    """
    if isinstance(x, Fraction):
        return x
    if isinstance(x, (int, np.integer)):
        return Fraction(int(x))
    if isinstance(x, (float, np.floating)):
        if not np.isfinite(x):
            raise InvalidArgument(f"{float(x)} is not a rational number; exact entries must be finite")
        return Fraction(float(x))
    if hasattr(x, "p") and hasattr(x, "q"):  # fmpq
        return Fraction(int(x.p), int(x.q))
    raise TypeError(f"not a real number: {x!r} ({type(x).__name__}); pass int, float or Fraction")


def plain_array(x: Entries, dtype: Any = None, part: str = "", name: str = "entries") -> NDArray[Any]:
    """`np.asarray(x, dtype)` in C order.

    Raises
    ------
    InvalidArgument, InvalidModel
        Lists of different lengths or masked entries, with the place; the latter error if `x` is meant as
        that `part` of a model, called `name` otherwise.
    """
    error, name = (InvalidModel, part) if part else (InvalidArgument, name)
    mask = getattr(x, "mask", None) if isinstance(x, np.ndarray) else None
    if mask is not None and mask.any():
        place = ", ".join(map(str, np.argwhere(mask)[0]))
        raise error(f"{name}: {name}[{place}] is masked, must be a number; fill it first, x.filled(0.0)")
    try:
        return np.asarray(x, dtype=dtype, order="C")
    except (TypeError, ValueError) as exc:
        where = _uneven(x, name)
        if where is None:
            raise error(f"{name}: {exc}; entries must be real numbers") from None
        raise error(f"{where}; rows of an array have one length") from None


def _uneven(x: Any, name: str) -> str | None:
    """Where nested sequences stop being an array, in words; None if they are one."""
    if not isinstance(x, (list, tuple)):
        return None
    for i, v in enumerate(x):
        where = _uneven(v, f"{name}[{i}]")
        if where is not None:
            return where
        if np.shape(v) != np.shape(x[0]):
            return f"{name}[{i}] has shape {np.shape(v)} where {name}[0] has {np.shape(x[0])}"
    return None


def exact_array(x: Entries) -> NDArray[np.object_]:
    """Array of `Fraction`s with the exact values of `x` (a double is the rational it stores)."""
    arr = plain_array(x)
    out = np.empty(arr.shape, dtype=object)
    out.reshape(-1)[:] = [to_fraction(v) for v in arr.reshape(-1).tolist()]
    return out


def float_array(x: Entries, name: str = "entries") -> NDArray[np.float64]:
    """Float64 array nearest to `x`, which messages call `name`.

    Raises
    ------
    InvalidArgument
        The first entry that is not a real number, with its place; lists of different lengths; masked entries.
    """
    if type(x) is np.ndarray and x.dtype == np.float64:
        return x.copy()
    arr = plain_array(x, name=name)
    if arr.dtype.kind in "biuf":
        return arr.astype(np.float64)
    odd = [at for at in np.ndindex(arr.shape) if not _is_real(arr.item(*at))]
    if odd:
        at = next((p for p in odd if not _reads_as_number(arr.item(*p))), odd[0])
        where = f"{name}[{', '.join(map(str, at))}]" if at else name
        raise InvalidArgument(f"{where}={arr.item(*at)!r}, must be a real number")
    return arr.astype(np.float64)


def doubles(x: Entries, name: str = "entries") -> NDArray[np.float64]:
    """`x` itself if it is a contiguous float64 array, else `float_array(x, name)`; not to be written to."""
    if type(x) is np.ndarray and x.dtype == np.float64 and x.flags.c_contiguous:
        return x
    return float_array(x, name)


def _is_real(x: object) -> bool:
    return isinstance(x, numbers.Real) or hasattr(x, "q")  # an fmpq has p and q


def _reads_as_number(x: object) -> bool:
    """True for text such as "1.0": where one entry is text, NumPy makes all of them text."""
    try:
        return isinstance(x, str) and float(x) == float(x)
    except ValueError:
        return False


def number_array(x: Entries, name: str = "entries") -> NDArray[Any]:
    """`x` in doubles, or in `Fraction`s if an entry is one; errors as for `float_array`."""
    arr = plain_array(x, name=name)
    return exact_array(arr) if arr.dtype == object else float_array(arr, name)


def owned(x: Entries, dtype: Any = None, part: str = "") -> NDArray[Any]:
    """`x` itself if it is read-only, holds its own memory and has that type; else a contiguous copy."""
    if isinstance(x, np.ndarray) and x.base is None and x.flags.c_contiguous and not x.flags.writeable:
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)
    return fresh(x, dtype, part)


def fresh(x: Entries, dtype: Any = None, part: str = "") -> NDArray[Any]:
    """A contiguous array of `x` that shares memory with nothing; errors as for `plain_array`."""
    made = plain_array(x, dtype, part)
    return made if isinstance(x, (list, tuple)) else made.copy()


def chunks(n: int, size: int = 1 << 16) -> Iterator[tuple[int, int]]:
    """(start, end) of the pieces of 0..n−1: what is checked piece by piece needs no copy of the whole."""
    return ((lo, min(lo + size, n)) for lo in range(0, n, size))


def frozen(x: NDArray[Any]) -> NDArray[Any]:
    """`x` made read-only (in place) and returned."""
    x.flags.writeable = False
    return x


def sup_norm(x: Entries) -> Any:
    """‖x‖ = max |x_i|, in the number system of `x`; 0 for an empty array."""
    arr = np.asarray(x)
    if arr.size == 0:
        return 0
    return abs(max(arr.max(), -arr.min())) if arr.dtype == np.float64 else np.abs(arr).max()


def span(x: Entries) -> Any:
    """sp(x) = max x − min x, in the number system of `x`."""
    arr = np.asarray(x)
    return arr.max() - arr.min()


def uniform(n: int, *, exact: bool = False) -> NDArray[Any]:
    """(n,) uniform law, rational if `exact`."""
    return exact_array([Fraction(1, n)] * n) if exact else np.full(n, 1.0 / n)


def fractions(values: Iterable[object]) -> NDArray[np.object_]:
    """1-D exact array from any iterable of reals."""
    return exact_array(np.array([to_fraction(v) for v in values], dtype=object))
