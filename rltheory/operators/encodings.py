"""Categorical encodings of scalar targets: two-hot, one-hot, HL-Gauss, C51; and reading a scalar back.

Definitions.  *Atoms* z_1 < … < z_m carry probabilities p, the readout is Σp_i z_i.  Two conventions:

    two-hot, one-hot, C51   m atoms from v_min to v_max, spacing ς = (v_max − v_min)/(m − 1)
    HL-Gauss                m bins between m + 1 edges from v_min to v_max, width ς = (v_max − v_min)/m,
                            readout at bin centres: from v_min + ς/2 to v_max − ς/2

HL-Gauss gives bin i the mass of N(y, σ²) in [e_i, e_{i+1}], divided by the mass in [v_min, v_max]; σ = ρς.

Number systems.  Doubles give doubles.  With `Fraction`s two-hot, one-hot and C51 are exact; HL-Gauss gives
python-flint `arb` balls at the working precision (`kernels.ball.precision`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..arrays import Entries, Real, exact_array, float_array, plain_array, to_fraction
from ..errors import InvalidArgument
from ..kernels import ball


# ---- arguments ---------------------------------------------------------------------------
def _numbers(x: Entries, name: str, *, balls: bool = False) -> NDArray[Any]:
    """`x` as float64, or as an object array of Fractions (and balls); NaN and infinities refused."""
    arr = plain_array(x, name=name)
    if arr.dtype != object:
        arr = float_array(arr, name)
        bad = ~np.isfinite(arr.reshape(-1))
        if bad.any():
            i = int(np.argmax(bad))
            raise InvalidArgument(f"{name}: entry {i} is {arr.reshape(-1)[i]}, must be a finite number")
        return arr
    out = np.empty(arr.shape, dtype=object)
    out.reshape(-1)[:] = [_exact_number(v, name, balls) for v in arr.reshape(-1)]
    return out


def _exact_number(v: object, name: str, balls: bool) -> Any:
    if isinstance(v, arb) and balls and v.is_finite():
        return v
    try:
        return to_fraction(v)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgument(f"{name}: {v!r} is not a finite real number here") from error


def _together(*arrays: NDArray[Any]) -> list[NDArray[Any]]:
    """All in doubles, or all as objects if one is."""
    if any(a.dtype == object for a in arrays):
        return [a if a.dtype == object else exact_array(a) for a in arrays]
    return list(arrays)


def _grid(x: Entries, name: str) -> NDArray[Any]:
    arr = _numbers(x, name)
    if arr.ndim != 1 or arr.size < 2:
        raise InvalidArgument(f"{name}: shape {arr.shape}, must be (m,) with m ≥ 2")
    if not all(a < b for a, b in zip(arr[:-1], arr[1:], strict=True)):
        raise InvalidArgument(f"{name}: must be strictly increasing")
    return arr


def _targets(y: Entries, low: Any, high: Any, clip: bool, what: str, *, balls: bool = False) -> NDArray[Any]:
    """y within [low, high]: refused (certainly) outside, or moved to the nearer end if `clip`."""
    arr = _numbers(y, f"{what}: y", balls=balls)
    flat = arr.reshape(-1)
    if clip:
        out = np.empty(arr.shape, dtype=arr.dtype)
        out.reshape(-1)[:] = [_clipped(v, low, high) for v in flat]
        return out
    for i, v in enumerate(flat.tolist()):
        below, above = _ends(v, low, high)
        if v < below or v > above:
            raise InvalidArgument(
                f"{what}: y[{i}]={v} is outside [{low}, {high}]; widen the range, or pass clip=True"
            )
    return arr


def _ends(v: Any, low: Any, high: Any) -> tuple[Any, Any]:
    return (ball.to_arb(low), ball.to_arb(high)) if isinstance(v, arb) else (low, high)


def _clipped(v: Any, low: Any, high: Any) -> Any:
    if not isinstance(v, arb):
        return min(max(v, low), high)
    below, above = _ends(v, low, high)
    return v.max(below).min(above)


# ---- encodings ---------------------------------------------------------------------------
def equally_spaced(v_min: Real, v_max: Real, n: int) -> NDArray[Any]:
    """(n,) points from v_min to v_max; rational if an end is a `Fraction`.

    Raises
    ------
    InvalidArgument
        If n < 2 or not v_min < v_max.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise InvalidArgument(f"equally_spaced: n={n!r}, must be an integer ≥ 2")
    if not v_min < v_max:
        raise InvalidArgument(f"equally_spaced: v_min={v_min}, v_max={v_max}; need v_min < v_max")
    if isinstance(v_min, Fraction) or isinstance(v_max, Fraction):
        low, high = to_fraction(v_min), to_fraction(v_max)
        return exact_array([low + (high - low) * Fraction(i, int(n) - 1) for i in range(n)])
    return np.linspace(float(v_min), float(v_max), int(n))


def two_hot(y: Entries, atoms: Entries, *, clip: bool = False) -> NDArray[Any]:
    """p with Σp_i z_i = y on the two atoms around y: p_i = (z_{i+1} − y)/(z_{i+1} − z_i).

    Parameters
    ----------
    y
        Targets, any shape; y = v_max puts all mass on the last atom.
    atoms
        (m,) increasing values.
    clip
        Move targets outside [z_1, z_m] to the nearer end instead of refusing them.

    Returns
    -------
    (*y.shape, m) probabilities, exact if a target or an atom is a `Fraction`.

    Raises
    ------
    InvalidArgument
        NaN, fewer than two atoms, atoms not increasing, a target out of range without `clip`.

    Complexity: O(log m) a target, and the output.

    Examples
    --------
    >>> two_hot(0.25, [-1, 0, 1])
    array([0.  , 0.75, 0.25])
    """
    z = _grid(atoms, "two_hot: atoms")
    t, z = _together(_targets(y, z[0], z[-1], clip, "two_hot"), z)
    return _split(t.reshape(-1), z).reshape(*t.shape, z.size)


def _split(t: NDArray[Any], z: NDArray[Any]) -> NDArray[Any]:
    """(n, m) two-hot rows of targets inside the range."""
    m = z.size
    i = np.clip(np.searchsorted(z, t, side="right") - 1, 0, m - 2)
    upper = (t - z[i]) / (z[i + 1] - z[i])
    p = np.zeros((t.size, m), dtype=z.dtype)
    if z.dtype == object:
        p[:] = Fraction(0)
    rows = np.arange(t.size)
    p[rows, i], p[rows, i + 1] = 1 - upper, upper
    return p


def one_hot(y: Entries, atoms: Entries, *, clip: bool = False) -> NDArray[Any]:
    """All mass on the atom nearest to y; half-way on the lower one.

    Arguments, result and refusals as for `two_hot`.

    Examples
    --------
    >>> one_hot([0.5, 0.75], [-1, 0, 1])
    array([[0., 1., 0.],
           [0., 0., 1.]])
    """
    z = _grid(atoms, "one_hot: atoms")
    t, z = _together(_targets(y, z[0], z[-1], clip, "one_hot"), z)
    flat = t.reshape(-1)
    p = np.zeros((flat.size, z.size), dtype=z.dtype)
    if z.dtype == object:
        p[:] = Fraction(0)
    p[np.arange(flat.size), np.searchsorted((z[:-1] + z[1:]) / 2, flat, side="left")] = (
        Fraction(1) if z.dtype == object else 1.0
    )
    return p.reshape(*t.shape, z.size)


def c51(values: Entries, probs: Entries, atoms: Entries, *, clip: bool = False) -> NDArray[Any]:
    """Projection of the law {values_j with probability probs_j} on the atoms: Σ_j probs_j two_hot(values_j).

    Parameters
    ----------
    values
        (n,) values, for instance r + γz.
    probs
        (n,) their probabilities.
    atoms
        (m,) increasing values.
    clip
        As for `two_hot`.

    Returns
    -------
    (m,) probabilities, with the mean of the law if all values are in range.

    Raises
    ------
    InvalidArgument
        As `two_hot`; or shapes differ, a probability is negative, or they do not sum to one (exactly, for
        rationals; to 1e-12 in doubles).

    Complexity: O(n (m + log m)).

    Examples
    --------
    >>> c51([-0.5, 0.25], [0.5, 0.5], [-1, 0, 1])
    array([0.25 , 0.625, 0.125])
    """
    p = _numbers(probs, "c51: probs")
    rows = two_hot(values, atoms, clip=clip)
    if p.ndim != 1 or rows.shape[:-1] != p.shape:
        raise InvalidArgument(f"c51: values have shape {rows.shape[:-1]}, probs {p.shape}; both must be (n,)")
    if (p < 0).any() or abs(p.sum() - 1) > (0 if p.dtype == object else 1e-12):
        raise InvalidArgument(f"c51: probs sum to {p.sum()} or are negative; must be a law")
    p, rows = _together(p, rows)
    return np.asarray(p @ rows)


def hl_gauss(y: Entries, edges: Entries, sigma: Real, *, clip: bool = False) -> NDArray[Any]:
    """p_i = [Φ((e_{i+1}−y)/σ) − Φ((e_i−y)/σ)]/[Φ((e_m−y)/σ) − Φ((e_0−y)/σ)]: a Gaussian histogram.

    Parameters
    ----------
    y
        Targets in [e_0, e_m], any shape.
    edges
        (m+1,) increasing bin edges, m ≥ 2; the readout is at bin centres, `centres(edges)`.
    sigma
        Standard deviation of the Gaussian.
    clip
        As for `two_hot`.

    Returns
    -------
    (*y.shape, m) probabilities.  In doubles each is accurate to a few ulp relative, far tails included:
    differences are taken between tails on the bin's own side of y.  With `Fraction`s or balls among the
    arguments: `arb` balls at the working precision.

    Raises
    ------
    InvalidArgument
        NaN, m < 2, edges not increasing, σ ≤ 0, a target out of range without `clip`.

    Complexity: m + 1 error functions a target.

    Source: Imani and White (2018); Farebrother and others (2024).

    Examples
    --------
    >>> hl_gauss(0.3, [-1, -0.5, 0, 0.5, 1], 0.375).round(4)
    array([0.0167, 0.2017, 0.5071, 0.2745])
    """
    e = _grid(edges, "hl_gauss: edges")
    if e.size < 3:
        raise InvalidArgument(f"hl_gauss: {e.size} edges make {e.size - 1} bin; need at least 2 bins")
    scale = _numbers(np.asarray(sigma), "hl_gauss: sigma")
    if scale.ndim != 0 or not scale[()] > 0:
        raise InvalidArgument(f"hl_gauss: sigma={sigma}, must be a number > 0")
    t, e, scale = _together(_targets(y, e[0], e[-1], clip, "hl_gauss", balls=True), e, scale)
    if e.dtype != object:
        x = (e - t[..., None]) / scale[()]
        mass = _normal_mass(x[..., :-1], x[..., 1:])
        out: NDArray[Any] = mass / _normal_mass(x[..., :1], x[..., -1:])
        return out
    rows = np.empty((t.size, e.size - 1), dtype=object)
    root = ball.to_arb(scale[()]) * arb(2).sqrt()
    cuts = [ball.to_arb(v) for v in e]
    for row, v in zip(rows, t.reshape(-1), strict=True):
        row[:] = _gaussian_balls(ball.to_arb(v), cuts, root)
    return rows.reshape(*t.shape, e.size - 1)


def _normal_mass(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Φ(b) − Φ(a) for a < b, each tail from its own side."""
    from scipy.special import erf, erfc

    r = math.sqrt(0.5)
    right = (erfc(a * r) - erfc(b * r)) / 2
    left = (erfc(-b * r) - erfc(-a * r)) / 2
    middle = (erf(b * r) - erf(a * r)) / 2
    mass: NDArray[Any] = np.where(a >= 0, right, np.where(b <= 0, left, middle))
    return mass


def _gaussian_balls(y: arb, cuts: Sequence[arb], root: arb) -> list[arb]:
    x = [(e - y) / root for e in cuts]
    upper = [v.erfc() for v in x]  # twice the mass above the edge
    lower = [(-v).erfc() for v in x]
    mass = [(upper[i] - upper[i + 1]) if x[i] > 0 else (lower[i + 1] - lower[i]) for i in range(len(x) - 1)]
    total = 2 - lower[0] - upper[-1]
    return [v / total for v in mass]


def centres(edges: Entries) -> NDArray[Any]:
    """(m,) mid-points of m + 1 edges: where HL-Gauss is read out."""
    e = _grid(edges, "centres: edges")
    return np.asarray((e[:-1] + e[1:]) / 2)


def readout(p: Entries, atoms: Entries) -> Any:
    """Σ p_i z_i along the last axis.

    Raises
    ------
    InvalidArgument
        If the last axis of p does not have the length of the atoms.
    """
    a, z = np.asarray(p), np.asarray(atoms)
    if z.ndim != 1 or a.ndim < 1 or a.shape[-1] != z.size:
        raise InvalidArgument(f"readout: p has shape {a.shape}, atoms {z.shape}; need (…, m) and (m,)")
    if a.dtype == object or z.dtype == object:
        z = ball.balls(z) if any(isinstance(v, arb) for v in a.reshape(-1)) else exact_array(z)
        a = a if a.dtype == object else exact_array(a)
    total: Any = a @ z
    return total
