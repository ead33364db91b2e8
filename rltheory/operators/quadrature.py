"""Quadrature on a window: trapezoid, Simpson, Gauss–Legendre, and the rule that is best in a Hilbert space.

A rule is nodes t_i and weights w_i in a window [a, b]: ∫_a^b f ≈ Σ w_i f(t_i).  In the space H of a
covariance k, sup over ‖f‖_H ≤ 1 of |∫f − Σ w_i f(t_i)| is the worst-case error e(w),

    e(w)² = ∫∫k − 2wᵀz + wᵀKw,    K_ij = k(t_i, t_j),    z_i = ∫ k(t_i, s) ds,

least at the Bayesian weights w = K⁻¹z.  A nugget δ replaces K by K + δI: the best weights for values with
noise of variance δ, and no longer the best without noise (every rule says which nugget it carries).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..arrays import Entries, exact_array, float_array, plain_array, to_fraction
from ..errors import InvalidArgument
from ..kernels import ball
from ._weights import (
    ball_error,
    ball_weights,
    dense_weights,
    is_sparse,
    state_space_weights,
    wiener_weights,
)
from .covariances import Covariance, Matern, Wiener

Method = Literal["auto", "state-space", "dense", "balls"]


@dataclass(frozen=True, eq=False)
class Quadrature:
    """Nodes, weights and what is known of their error.

    Attributes
    ----------
    name
        "trapezoid", "Matérn-7/2", …
    nodes, weights
        (N,) doubles or rationals.
    window
        (a, b).
    cov
        Covariance the weights are best for; None for classical rules.
    nugget
        δ added to the diagonal of K.
    method
        How the weights were found.
    radius
        Bound on every |w_i − true weight|; None where it is not known (doubles), 0 where w is exact.
    variance
        e(w)² in the space of `cov` if it came with the weights (for nugget 0); else None.
    """

    name: str
    nodes: NDArray[Any]
    weights: NDArray[Any]
    window: tuple[Any, Any]
    cov: Covariance | None = None
    nugget: Any = 0
    method: str = "closed form"
    radius: Any = None
    variance: Any = None

    @property
    def N(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @property
    def T(self) -> Any:
        """Length of the window."""
        return self.window[1] - self.window[0]

    @cached_property
    def step(self) -> Any:
        """h if the nodes are evenly spaced and include both ends, else None."""
        if self.N < 2:
            return None
        h = self.T / (self.N - 1)
        gaps = self.nodes[1:] - self.nodes[:-1]
        slack: Any = 0
        if not isinstance(h, Fraction):  # gaps far from 0 are known up to the rounding of their ends
            ulp = 4 * float(np.spacing(max(abs(self.nodes[0]), abs(self.nodes[-1]))))
            slack = min(max(1e-12 * h, ulp), 1e-6 * h)
        even = all(abs(g - h) <= slack for g in gaps)
        at_ends = self.nodes[0] == self.window[0] and abs(self.nodes[-1] - self.window[1]) <= 1e-12 * self.T
        return h if even and at_ends else None

    def integrate(self, values: Entries) -> Any:
        """Σ w_i f(t_i) for values (..., N)."""
        f = np.asarray(values)
        if f.ndim == 0 or f.shape[-1] != self.N:
            raise InvalidArgument(f"integrate: values have shape {f.shape}, must be (..., {self.N})")
        return f @ self.weights

    def balls(self) -> list[arb]:
        """The weights as balls that contain the true ones (the stored ones where `radius` is not known)."""
        spread = arb(0, ball.to_arb(self.radius)) if self.radius else arb(0)
        return [ball.to_arb(w) + spread for w in self.weights]

    def error(self, cov: Covariance | None = None) -> Any:
        """e(w) in the space of `cov` (its own if not given); see `worst_case_error`."""
        k = cov or self.cov
        if k is None:
            raise InvalidArgument(f"{self.name}: no covariance given; pass cov=Matern(...) or Wiener(...)")
        if k == self.cov and self.variance is not None and not self.nugget:
            return _root(self.variance)
        return worst_case_error(self.nodes, self.weights, k, window=self.window)

    def __repr__(self) -> str:
        nugget = f", nugget={float(self.nugget):g}" if self.nugget else ""
        return f"Quadrature({self.name}, N={self.N}, T={float(self.T):g}{nugget}; {self.method})"


def _root(x: Any) -> Any:
    from ..results.enclosure import Enclosure

    if isinstance(x, Enclosure):
        with ball.precision(400):
            both = [ball.to_arb(max(to_fraction(v), Fraction(0))).sqrt() for v in (x.lower, x.upper)]
            return Enclosure(Enclosure.ball(both[0]).lower, Enclosure.ball(both[1]).upper)
    return math.sqrt(max(x, 0.0))


def even_nodes(T: Any, N: int, *, start: Any = 0) -> NDArray[Any]:
    """start + iT/(N − 1), i = 0..N−1: both ends included.

    Raises
    ------
    InvalidArgument
        N < 2 or not an integer, T ≤ 0, or start is not finite.
    """
    if not (isinstance(N, int | np.integer) and N >= 2):
        raise InvalidArgument(f"N={N}: a window has both its ends for nodes, so N ≥ 2 (N=2 is one trapezoid)")
    if not (math.isfinite(T) and T > 0 and math.isfinite(start)):
        raise InvalidArgument(f"T={T}, start={start}: a window has a finite length > 0 and a finite start")
    if isinstance(T, (Fraction, int)):
        return exact_array([to_fraction(start) + Fraction(i, N - 1) * T for i in range(N)])
    return np.linspace(float(start), float(start) + float(T), N)


def _nodes(nodes: Entries, window: tuple[Any, Any] | None, least: int) -> tuple[NDArray[Any], Any]:
    t = plain_array(nodes, name="nodes")
    if t.ndim != 1 or len(t) < least:
        raise InvalidArgument(f"nodes: shape={t.shape}, need at least {least} of them in one dimension")
    t = exact_array(t) if t.dtype == object or t.dtype.kind in "iu" else float_array(t, "nodes")
    if t.dtype != object and not np.isfinite(t).all():
        raise InvalidArgument(f"nodes[{int(np.argmin(np.isfinite(t)))}] is not finite")
    bad = [i for i in range(len(t) - 1) if not t[i] < t[i + 1]]
    if bad:
        i = bad[0]
        raise InvalidArgument(f"nodes[{i}]={t[i]} and nodes[{i + 1}]={t[i + 1]}: must increase; sort them")
    a, b = window or (t[0], t[-1])
    if not (a <= t[0] and t[-1] <= b and a < b and math.isfinite(a) and math.isfinite(b)):
        raise InvalidArgument(f"window=({a}, {b}) must be finite and contain the nodes {t[0]} … {t[-1]}")
    return t, (a, b)


def trapezoid(nodes: Entries) -> Quadrature:
    """w_i = (t_{i+1} − t_{i−1})/2 on any increasing nodes; exact for rational nodes.

    Raises
    ------
    InvalidArgument
        Fewer than two nodes, or nodes that do not increase.
    """
    t, window = _nodes(nodes, None, 2)
    gaps = (t[1:] - t[:-1]) / 2
    w = np.zeros(len(t), dtype=t.dtype) if t.dtype != object else exact_array([0] * len(t))
    w[:-1] = w[:-1] + gaps
    w[1:] = w[1:] + gaps
    return Quadrature("trapezoid", t, w, window, radius=0 if t.dtype == object else None)


def simpson(nodes: Entries) -> Quadrature:
    """h/3·(1, 4, 2, 4, …, 4, 1) on an odd number of evenly spaced nodes.

    Raises
    ------
    InvalidArgument
        An even number of nodes, or nodes that are not evenly spaced.
    """
    t, window = _nodes(nodes, None, 3)
    rule = Quadrature("Simpson", t, t, window)
    if len(t) % 2 == 0:
        raise InvalidArgument(f"simpson: N={len(t)} nodes, must be odd; use trapezoid or one node more")
    if rule.step is None:
        raise InvalidArgument(
            "simpson: the nodes are not evenly spaced; use trapezoid or bayesian_quadrature"
        )
    pattern = [1] + [4 if i % 2 else 2 for i in range(1, len(t) - 1)] + [1]
    w = exact_array(pattern) if t.dtype == object else np.array(pattern, dtype=np.float64)
    return Quadrature("Simpson", t, w * (rule.step / 3), window, radius=0 if t.dtype == object else None)


def gauss_legendre(T: Any, N: int, *, start: Any = 0) -> Quadrature:
    """The N-point rule exact for polynomials of degree 2N − 1; nodes inside the window, in doubles.

    Raises
    ------
    InvalidArgument
        N < 1 or not an integer, T ≤ 0, or start is not finite.
    """
    if not (isinstance(N, int | np.integer) and N >= 1 and math.isfinite(T) and T > 0):
        raise InvalidArgument(f"gauss_legendre: N={N}, T={T}; need a whole N ≥ 1 and T > 0")
    if not math.isfinite(start):
        raise InvalidArgument(f"gauss_legendre: start={start}, must be finite")
    x, w = np.polynomial.legendre.leggauss(N)
    a, half = float(start), float(T) / 2
    return Quadrature("Gauss–Legendre", a + half * (1 + x), half * w, (a, a + float(T)))


def bayesian_quadrature(
    nodes: Entries,
    cov: Covariance,
    *,
    window: tuple[Any, Any] | None = None,
    nugget: Any = 0,
    method: Method = "auto",
    bits: int = 0,
) -> Quadrature:
    """w = (K + δI)⁻¹z: the rule of least worst-case error in the space of `cov` (for δ = 0).

    Parameters
    ----------
    nodes
        (N,) increasing; doubles, or rationals.
    cov
        `Matern` or `Wiener`; the lengthscale is in the units of the nodes.
    window
        (a, b) ⊇ nodes; from the first node to the last if not given.
    nugget
        δ ≥ 0, as a share of the covariance's variance.
    method
        "state-space": O(N) in doubles, stable (relative error of weights seen below 1e-5 for Matérn-7/2 with
        129 nodes); "dense": Cholesky in doubles, refused where K is too ill-conditioned; "balls": dense, with
        a proved radius.  "auto" takes balls for rational nodes and state space for doubles (dense where
        nodes are 1e4 lengthscales apart: K is nearly the identity, derivatives would overflow).
    bits
        Working precision of balls; 2·(40 + N)·log₂10, doubled until the radius is below 1e-25, if 0.

    Returns
    -------
    `Quadrature` with the nugget and the method in it; its `variance` is e² (for δ = 0).

    Raises
    ------
    InvalidArgument
        nugget < 0, an unknown method, "dense" with cond K > 1e12, or nodes too close together for the state
        space in doubles.

    Complexity: O(N) for state space, O(N³) else.

    Source: Cao and Pan 2024, section 4; Matérn state space: Hartikainen and Särkkä 2010.

    Examples
    --------
    >>> from fractions import Fraction
    >>> bayesian_quadrature([1, Fraction(5, 4), Fraction(7, 4), 2], Wiener()).weights.tolist()
    [Fraction(1, 8), Fraction(3, 8), Fraction(3, 8), Fraction(1, 8)]
    """
    t, (a, b) = _nodes(nodes, window, 1)
    if not (math.isfinite(nugget) and nugget >= 0):
        raise InvalidArgument(f"nugget={nugget}, must be finite and ≥ 0 (0 for exact values)")
    if method not in ("auto", "state-space", "dense", "balls"):
        raise InvalidArgument(f"method={method!r}, must be one of auto, state-space, dense, balls")
    if method == "auto":
        sparse = is_sparse(float(b - a) / max(len(t) - 1, 1), cov)
        method = "balls" if t.dtype == object else "dense" if sparse else "state-space"
    name = f"Matérn-{to_fraction(cov.nu)}" if isinstance(cov, Matern) else "Wiener"
    seen = cov.shifted(a)
    if not (bits == 0 or bits >= 2):
        raise InvalidArgument(f"bits={bits}, must be ≥ 2 (0: as many as it takes)")
    if method == "balls":
        return _in_balls(name, t, (a, b), cov, seen, nugget, bits)
    u = np.asarray(t, dtype=np.float64) - float(a)
    T = float(b) - float(a)
    u, w, variance, label = (
        (u, *state_space_weights(u, T, seen, float(nugget)), "state space")
        if method == "state-space"
        else (u, *dense_weights(u, T, seen, float(nugget)), "dense, doubles")
    )
    exact = None if nugget else variance
    return Quadrature(name, t.astype(np.float64), w, (float(a), float(b)), cov, nugget, label, None, exact)


def _in_balls(
    name: str, t: NDArray[Any], window: Any, cov: Covariance, seen: Covariance, nugget: Any, bits: int
) -> Quadrature:
    from ..results.enclosure import Enclosure

    a = to_fraction(window[0])
    u = [to_fraction(v) - a for v in t]
    T = to_fraction(window[1]) - a
    if isinstance(seen, Wiener):
        weights, e2 = wiener_weights(u, T, seen, to_fraction(nugget))
        return Quadrature(name, exact_array(t), weights, window, cov, nugget, "exact", 0, e2)
    precision = bits or int(2 * 3.33 * (40 + len(u)) / 2)
    while True:
        with ball.precision(precision):
            try:
                w, e2_ball = ball_weights(u, T, seen, nugget)
            except ZeroDivisionError:
                w = []
            radius = max((v.rad() for v in w), default=arb(1))
            if w and radius < arb("1e-25") and e2_ball.is_finite():
                middle = ball.midpoints(w)
                bound = Enclosure.ball(2 * radius).upper
                e2 = None if nugget else Enclosure.ball(e2_ball)
                return Quadrature(
                    name, exact_array(t), middle, window, cov, nugget, f"balls, {precision} bits", bound, e2
                )
        precision *= 2


def worst_case_error(
    nodes: Entries, weights: Entries, cov: Covariance, *, window: tuple[Any, Any] | None = None
) -> Any:
    """e(w) = √(∫∫k − 2wᵀz + wᵀKw): the largest error over the unit ball of the space of `cov`.

    Evaluated in balls, whatever the conditioning of K.

    Returns
    -------
    An `Enclosure` for rational nodes; a float, correctly rounded up to 1e-12 relative, for doubles.
    """
    from ..results.enclosure import Enclosure

    t, (a, b) = _nodes(nodes, window, 1)
    w = np.asarray(weights)
    if w.shape != t.shape:
        raise InvalidArgument(f"weights: shape={w.shape}, one a node: {t.shape}")
    if not np.isfinite(w.astype(np.float64)).all():
        raise InvalidArgument(f"weights: {w.tolist()}, must be finite")
    seen = cov.shifted(to_fraction(a))
    u = [to_fraction(v) - to_fraction(a) for v in t]
    bits = 256
    while True:
        with ball.precision(bits):
            e2 = ball_error(u, [to_fraction(v) for v in w], to_fraction(b) - to_fraction(a), seen)
            e = e2.nonnegative_part().sqrt()
            if e.rad() < arb("1e-12") * abs(e.mid()) or bits >= 4096:
                return float(e.mid()) if t.dtype != object else Enclosure.ball(e)
        bits *= 2
