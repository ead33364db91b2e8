"""Velocity fields that carry noise to values: Euler readouts, the exact field of a finite law, mean readouts.

Definitions.  Interpolant Z_t = (1−t)Z_0 + tY, Z_0 noise independent of the target Y.  Least squares on
Y − Z_0 has the minimiser v*(t, z) = E[Y − Z_0 | Z_t = z].  The K-step readout of z_0 is

    ψ_K(z_0) = z_K,   z_{k+1} = z_k + v(k/K, z_k)/K,   k = 0 … K−1,

and it is the last *implied target* ŷ(t, z) = z + (1−t)v(t, z), at t = (K−1)/K; t = 1 is never used.

For noise N(μ₀, s²) and Y = y_i with probability p_i:  w_i ∝ p_i φ((z − ty_i − (1−t)μ₀)/((1−t)s)) and
v*(t, z) = (Σw_i y_i − z)/(1−t).  Then ψ_K is nondecreasing, and nearly a step function for large K.

β_n(c) = Π_{i=1}^n (1 − c/i): what n steps leave of an error when ∂v/∂z = −c/(1−t).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from ..arrays import FloatVec, Real, exact_array, float_array, is_exact, to_fraction
from ..errors import InvalidArgument
from ..kernels import ball
from ..results.enclosure import Enclosure

Field = Callable[[Any, Any], Any]
"""v(t, z): a velocity for a time and a point (or an array of points)."""

REACH = 9.0
"""Noise beyond so many standard deviations is left out of quadratures: 1e-18 of the mass."""


def _check_steps(K: object) -> int:
    if isinstance(K, bool) or not isinstance(K, (int, np.integer)) or K < 1:
        raise InvalidArgument(f"flow: K={K!r}, must be an integer ≥ 1")
    return int(K)


def euler(field: Field, z0: Any, K: int, *, first: int = 0, early: Field | None = None) -> Any:
    """ψ_K(z_0): K Euler steps of size 1/K from t = 0.

    Parameters
    ----------
    field
        v(t, z), called with t = k/K as a `Fraction` when z_0 is one (or an object array), else a float.
    z0
        Start, a number or an array.
    K
        Steps.
    first, early
        Another field for the first steps, as many as `first` says.

    Raises
    ------
    InvalidArgument
        K < 1, or `first` not in 0…K.

    Complexity: K calls of the field.

    Examples
    --------
    >>> from fractions import Fraction as F
    >>> euler(lambda t, z: (3 - z) / (1 - t), F(-1), 4)
    Fraction(3, 1)
    """
    n = _check_steps(K)
    if not 0 <= first <= n or (first and early is None):
        raise InvalidArgument(f"euler: first={first} of K={n} steps; need 0 ≤ first ≤ K and a field early=")
    rational = isinstance(z0, (Fraction, arb)) or is_exact(z0)
    z = z0
    for k in range(n):
        t = Fraction(k, n) if rational else k / n
        v = (early if early is not None and k < first else field)(t, z)
        z = z + _over(v, n)
    return z


def _over(v: Any, n: int) -> Any:
    return v / n


def recovery(n: int, c: Real) -> Any:
    """β_n(c) = Π_{i=1}^n (1 − c/i) = Γ(n+1−c)/(Γ(1−c) n!).

    Parameters
    ----------
    n
        Steps left, n ≥ 0.
    c
        In [0, 1]; 1 gives 0 for n ≥ 1.

    Returns
    -------
    A `Fraction` if c is one or an integer, else a float (log-gamma beyond 10⁴ steps).

    Raises
    ------
    InvalidArgument
        n < 0 or c outside [0, 1].

    Examples
    --------
    >>> recovery(8, 0.5)
    0.196380615234375
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise InvalidArgument(f"recovery: n={n!r}, must be an integer ≥ 0")
    if not 0 <= c <= 1:
        raise InvalidArgument(f"recovery: c={c}, must be in [0, 1]")
    if isinstance(c, (int, Fraction)):
        out = Fraction(1)
        for i in range(1, int(n) + 1):
            out *= 1 - to_fraction(c) / i
        return out
    if n > 10_000:
        return 0.0 if c == 1 else math.exp(math.lgamma(n + 1 - c) - math.lgamma(1 - c) - math.lgamma(n + 1))
    return math.prod(1 - c / i for i in range(1, int(n) + 1))


@dataclass(frozen=True, eq=False)
class MarginalField:
    """v*(t, z) = E[Y − Z_0 | Z_t = z] for a finite law of Y and noise N(μ₀, s²).

    Parameters
    ----------
    atoms, probs
        (n,) values of Y and their probabilities > 0.
    s
        Standard deviation of the noise.
    mu0
        Its mean.

    Raises
    ------
    InvalidArgument
        s ≤ 0; shapes differ; probabilities not a law (exactly, for rationals; to 1e-12 in doubles).

    Notes
    -----
    Weights come from differences of exponents to the nearest atom: nothing overflows, and the boundaries
    between atoms are as sharp as doubles allow.  Over the rationals the field is exact at t = 0, and a ball
    for t > 0.
    """

    atoms: Any
    probs: Any
    s: Real = 1.0
    mu0: Real = 0.0

    def __post_init__(self) -> None:
        exact = any(is_exact(np.asarray(v)) for v in (self.atoms, self.probs, self.s, self.mu0))
        y, p = ((exact_array if exact else float_array)(v) for v in (self.atoms, self.probs))
        if y.ndim != 1 or y.shape != p.shape or y.size == 0:
            raise InvalidArgument(f"MarginalField: atoms {y.shape}, probs {p.shape}; both must be (n,)")
        if not (p > 0).all() or abs(p.sum() - 1) > (0 if exact else 1e-12):
            raise InvalidArgument("MarginalField: probs must be positive and sum to 1")
        if not (math.isfinite(self.s) and self.s > 0):
            raise InvalidArgument(f"MarginalField: s={self.s}, must be > 0")
        for name, value in (("atoms", y), ("probs", p)):
            object.__setattr__(self, name, value)
        number = to_fraction if exact else float
        object.__setattr__(self, "s", number(self.s))
        object.__setattr__(self, "mu0", number(self.mu0))

    @property
    def is_exact(self) -> bool:
        """True over the rationals."""
        return bool(self.atoms.dtype == object)

    @property
    def mean(self) -> Any:
        """E Y."""
        return (self.probs * self.atoms).sum()

    def exact(self) -> MarginalField:
        """The same law over the rationals."""
        return MarginalField(
            exact_array(self.atoms), exact_array(self.probs), to_fraction(self.s), to_fraction(self.mu0)
        )

    def target(self, t: Any, z: Any) -> Any:
        """ŷ(t, z) = E[Y | Z_t = z], 0 ≤ t < 1."""
        if t == 0:
            return ball.to_arb(self.mean) if isinstance(z, arb) else self.mean + 0 * z
        if self.is_exact:
            points = np.asarray(z, dtype=object)
            values = [self._ball(t, ball.to_arb(v)) for v in points.reshape(-1)]
            if points.ndim == 0:
                return values[0]
            out = np.empty(len(values), dtype=object)
            out[:] = values
            return out.reshape(points.shape)
        y, x = self.atoms, np.asarray(z, dtype=np.float64)[..., None] - (1 - t) * self.mu0
        near = np.argmin(np.abs(x - t * y), axis=-1)
        ref, base = y[near][..., None], np.log(self.probs)
        e = t * (y - ref) * (x - t * (y + ref) / 2) / ((1 - t) * self.s) ** 2 + base - base[near][..., None]
        w = np.exp(e)
        return (w @ y) / w.sum(axis=-1)

    def _ball(self, t: Any, z: arb) -> arb:
        time = ball.to_arb(t)
        y, p = [ball.to_arb(v) for v in self.atoms], [ball.to_arb(v) for v in self.probs]
        x, scale = z - (1 - time) * ball.to_arb(self.mu0), (1 - time) * ball.to_arb(self.s)
        total, mean = arb(0), arb(0)
        for i, yi in enumerate(y):  # w_i = 1/Σ_j (p_j/p_i) e^{e_j − e_i}
            rest = arb(0)
            for j, yj in enumerate(y):
                rest += (time * (yj - yi) * (x - time * (yj + yi) / 2) / (scale * scale)).exp() * p[j] / p[i]
            total += 1 / rest
            mean += yi / rest
        return mean / total

    def __call__(self, t: Any, z: Any) -> Any:
        """v*(t, z)."""
        target, left = self.target(t, z), 1 - t
        if isinstance(target, arb):
            return (target - ball.to_arb(z)) / ball.to_arb(left)
        if self.is_exact and t != 0 and np.ndim(z) > 0:
            return (target - ball.balls(z)) / ball.to_arb(left)
        return (target - z) / left


def _lobatto(n: int) -> tuple[FloatVec, FloatVec]:
    """Gauss–Lobatto nodes, the ends among them, and weights on [−1, 1]: exact up to degree 2n − 3."""
    P = np.polynomial.Legendre.basis(n - 1)
    x = np.concatenate([[-1.0], np.sort(P.deriv().roots().real), [1.0]])
    return x, 2 / (n * (n - 1) * P(x) ** 2)


_NODES, _WEIGHTS = _lobatto(16)


def mean_readout(
    readout: Callable[[FloatVec], Any], s: Real, mu0: Real = 0.0, *, tol: float = 1e-13
) -> float:
    """E ψ(Z_0), Z_0 ~ N(μ₀, s²), by adaptive bisection of μ₀ ± 9s with 16-point Gauss–Lobatto panels.

    Parameters
    ----------
    readout
        ψ on arrays of starts, for instance `lambda z: euler(field, z, K)`.
    s, mu0
        Noise.
    tol
        A panel is halved while its halves differ from it by more, relative to 1 + max|ψ|.

    Returns
    -------
    The mean in doubles; errors seen are near 1e-12 even where ψ is nearly a step function, which fixed
    rules resolve to 1e-3 only.  Nodes at the ends of panels matter: a rule without them does not see a
    step between its last node and the end, and neither do its halves.

    Complexity: some 10³ values of ψ, more where it is steep.
    """
    at, scale = float(mu0), float(s)
    if not scale > 0:
        raise InvalidArgument(f"mean_readout: s={s}, must be > 0")

    def panels(a: FloatVec, b: FloatVec) -> tuple[FloatVec, float]:
        x = (a + b)[:, None] / 2 + (b - a)[:, None] / 2 * _NODES
        f = float_array(readout((at + scale * x).reshape(-1))).reshape(x.shape)
        density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return (f * density * _WEIGHTS).sum(axis=1) * (b - a) / 2, float(np.abs(f).max())

    edges = np.linspace(-REACH, REACH, 19)
    a, b = edges[:-1], edges[1:]
    whole, size = panels(a, b)
    total = 0.0
    for _ in range(60):
        m = (a + b) / 2
        both, _ = panels(np.concatenate([a, m]), np.concatenate([m, b]))
        left, right = both[: a.size], both[a.size :]
        rough = np.abs(left + right - whole) > tol * (1 + size)
        total += math.fsum((left + right)[~rough])
        if not rough.any():
            break
        a, b = np.concatenate([a[rough], m[rough]]), np.concatenate([m[rough], b[rough]])
        whole = np.concatenate([left[rough], right[rough]])
    return total


def enclose_mean_readout(field: MarginalField, K: int, panels: int = 2000) -> Enclosure:
    """Rational bounds on E ψ_K(Z_0) of an exact field, from ψ_K nondecreasing.

    Between noise quantiles the mean lies between Σψ·ΔΦ at left and at right ends; beyond the outer ones
    ψ_K is between the least and the largest atom, as every implied target is.

    Parameters
    ----------
    field
        Law and noise; lifted into the rationals.
    K
        Steps.
    panels
        Number of panels of (nearly) equal mass; the width is about (range of Y)/panels.

    Complexity: panels · K · n² exponentials of balls.
    """
    f, n = field.exact(), _check_steps(K)
    from scipy.special import ndtri

    x = [Fraction(round(float(v) * 2**20), 2**20) for v in ndtri(np.arange(1, panels) / panels)]
    values = [euler(f, ball.to_arb(f.mu0 + f.s * v), n) for v in x]
    cdf = [arb(0)] + [(-ball.to_arb(v) / arb(2).sqrt()).erfc() / 2 for v in x] + [arb(1)]
    low = [ball.to_arb(min(f.atoms)), *values]
    high = [*values, ball.to_arb(max(f.atoms))]
    mass = [b - a for a, b in zip(cdf[:-1], cdf[1:], strict=True)]
    lower, upper = (ball.dot(mass, v) for v in (low, high))
    return Enclosure(ball.bounds(lower)[0], ball.bounds(upper)[1])


def affine_field(y: Real, mu0: Real, s2: Real) -> tuple[Any, Any]:
    """(a, b) of the time-independent field a + bz fitted by least squares to the Dirac target y.

    b = −(s²/2)/(s²/3 + (y−μ₀)²/12), a = (y − μ₀) − b(μ₀ + y)/2, t uniform, noise of mean μ₀, variance s².

    Parameters
    ----------
    y, mu0
        Target and mean of the noise.
    s2
        Variance of the noise, > 0.

    Returns
    -------
    Exact for `Fraction`s.

    Raises
    ------
    InvalidArgument
        If s2 ≤ 0.

    Examples
    --------
    >>> affine_field(1.0, 0.0, 1 / 12)
    (1.1875, -0.375)
    """
    if not s2 > 0:
        raise InvalidArgument(f"affine_field: s2={s2}, must be > 0")
    b = -(s2 / 2) / (s2 / 3 + (y - mu0) * (y - mu0) / 12)
    return (y - mu0) - b * (mu0 + y) / 2, b
