"""What HL-Gauss does to a target: bias and variance in closed form, with rigorous bounds.

Setting.  Equal bins of width ς, σ = ρς, q = e^{−2π²ρ²}, u = y − (centre of the bin of y).  Far from the ends
the encoding is N(y, σ²) rounded to bin centres; Poisson summation gives

    bias(u)     = −(ς/π) Σ_{k≥1} ((−1)^{k+1}/k) q^{k²} sin(2πku/ς),       |bias| ≤ B = −(ς/π) ln(1 − q)
    variance(u) = σ² + ς²/12 + 2ς² Σ_{k≥1} (−1)^k q^{k²} (2ρ² + 1/(2π²k²)) cos(2πku/ς) − bias(u)²
    slope       ≤ 1 + 2Σ_{k≥1} q^{k²}     of y ↦ readout, attained at bin edges.

Near an end the renormalised histogram is pulled inwards like a truncated normal.

Numbers.  Doubles in, a double out (correct to a few ulp); with a `Fraction` or a ball among the arguments:
an `arb` ball at the working precision that contains the number meant, truncation of the series included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import flint
import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..arrays import Entries, is_exact
from ..errors import InvalidArgument
from ..kernels import ball
from .encodings import _grid

P = ParamSpec("P")
WIDE = 120
"""Bits at which results in doubles are computed."""


def _either(f: Callable[P, arb]) -> Callable[P, Any]:
    """A ball for exact arguments, the nearest double for doubles."""

    @wraps(f)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
        if any(isinstance(v, arb) or is_exact(np.asarray(v)) for v in (*args, *kwargs.values())):
            return f(*args, **kwargs)
        with ball.precision(WIDE):
            return float(f(*args, **kwargs).mid())

    return wrapped


def _scale(spacing: Any, sigma: Any) -> tuple[arb, arb, arb]:
    """(ς, ρ, q), checked."""
    width, spread = ball.to_arb(spacing), ball.to_arb(sigma)
    if not (width > 0 and spread > 0):
        raise InvalidArgument(f"encoding_bias: spacing={spacing}, sigma={sigma}; both must be > 0")
    rho = spread / width
    return width, rho, (-2 * arb.pi() ** 2 * rho**2).exp()


def _series(q: arb, term: Callable[[int], arb], largest: Any) -> arb:
    """Σ_{k≥1} q^{k²} term(k) with |term(k)| ≤ largest, the rest of the series as a radius."""
    total, k = arb(0), 1
    small = arb(2) ** (-flint.ctx.prec - 8)
    while True:
        total += q ** (k * k) * term(k)
        rest = q ** ((k + 1) ** 2) / (1 - q) * largest
        if rest < small:
            return total + arb(0, rest.upper())
        k += 1


@_either
def rounding_bias(u: Any, spacing: Any, sigma: Any) -> Any:
    """Interior bias: mean of the untruncated encoding of y, minus y.

    Parameters
    ----------
    u
        y minus the centre of a bin (any bin: the bias is periodic).
    spacing
        ς > 0.
    sigma
        σ > 0.

    Complexity: O(√(bits)/ρ) terms.
    """
    width, _, q = _scale(spacing, sigma)
    turn = 2 * arb.pi() * ball.to_arb(u) / width
    total = _series(q, lambda k: (1 - 2 * ((k + 1) % 2)) * (k * turn).sin() / k, 1)
    return -width / arb.pi() * total


@_either
def rounding_bias_bound(spacing: Any, sigma: Any) -> Any:
    """B = −(ς/π) ln(1 − e^{−2π²ρ²}): no interior bias is larger; sharp as ρ grows."""
    width, _, q = _scale(spacing, sigma)
    return -width / arb.pi() * (-q).log1p()


@_either
def rounding_variance(u: Any, spacing: Any, sigma: Any) -> Any:
    """Variance of the untruncated encoding of y; arguments as for `rounding_bias`."""
    width, rho, q = _scale(spacing, sigma)
    turn, pi = 2 * arb.pi() * ball.to_arb(u) / width, arb.pi()

    def term(k: int) -> arb:
        return (1 - 2 * (k % 2)) * (2 * rho**2 + 1 / (2 * pi**2 * k**2)) * (k * turn).cos()

    total = _series(q, term, 2 * rho**2 + 1 / (2 * pi**2))
    bias = rounding_bias.__wrapped__(u, spacing, sigma)  # type: ignore[attr-defined]
    return width**2 * (rho**2 + arb(1) / 12 + 2 * total) - bias * bias  # a ball around 0 has no power


@_either
def rounding_variance_radius(spacing: Any, sigma: Any) -> Any:
    """ς²(4ρ² + 1/π²) q/(1−q) + B²: how far the variance is from σ² + ς²/12, at most."""
    width, rho, q = _scale(spacing, sigma)
    B = -width / arb.pi() * (-q).log1p()
    return width**2 * (4 * rho**2 + 1 / arb.pi() ** 2) * q / (1 - q) + B * B


@_either
def rounding_slope(rho: Any) -> Any:
    """1 + 2Σ_{k≥1} e^{−2π²k²ρ²}: the largest interior slope of y ↦ readout; tends to 1 as ρ grows."""
    _, _, q = _scale(1, rho)
    return 1 + 2 * _series(q, lambda k: arb(1), 1)


def _equal_edges(edges: Entries) -> NDArray[Any]:
    e = _grid(edges, "edges")
    gaps = e[1:] - e[:-1]
    if any(abs(g - gaps[0]) > (0 if e.dtype == object else 1e-9 * gaps[0]) for g in gaps):
        raise InvalidArgument("edges: not equally spaced; the closed forms need equal bins")
    return e


def _density(x: arb) -> arb:
    return (-x * x / 2).exp() / (2 * arb.pi()).sqrt()


def _above(x: arb) -> arb:
    """1 − Φ(x)."""
    return (x / arb(2).sqrt()).erfc() / 2


@_either
def hl_gauss_bias_bound(y: Any, edges: Entries, sigma: Any) -> Any:
    """[B + σ(φ(α)+φ(β)) + (ς/2)(o_L+o_R)]/(1−o_L−o_R) ≥ |readout of the renormalised encoding − y|.

    Parameters
    ----------
    y
        Target in [e_0, e_m]: α = (e_0−y)/σ, β = (e_m−y)/σ, o_L = Φ(α), o_R = 1−Φ(β).
    edges
        (m+1,) equally spaced bin edges.
    sigma
        σ > 0.

    Raises
    ------
    InvalidArgument
        Edges not equally spaced (exactly, for rationals), σ ≤ 0.

    Notes
    -----
    Rounding moves an outcome by at most ς/2 outside the range and is unbiased up to B over the whole line;
    leaving the outside out costs the other terms.
    """
    e = _equal_edges(edges)
    width, _, _ = _scale(e[1] - e[0], sigma)
    low, high = _ends(y, e, sigma)
    out = _above(-low) + _above(high)
    B = rounding_bias_bound.__wrapped__(e[1] - e[0], sigma)  # type: ignore[attr-defined]
    edge = ball.to_arb(sigma) * (_density(low) + _density(high)) + width / 2 * out
    return (B + edge) / (1 - out)


@_either
def truncated_normal_shift(y: Any, low: Any, high: Any, sigma: Any) -> Any:
    """σ(φ(α) − φ(β))/(Φ(β) − Φ(α)): mean of N(y, σ²) conditioned to [low, high], minus y."""
    a, b = _ends(y, np.array([low, high], dtype=object), sigma)
    inside = 1 - _above(-a) - _above(b)
    return ball.to_arb(sigma) * (_density(a) - _density(b)) / inside


def _ends(y: Any, edges: NDArray[Any], sigma: Any) -> tuple[arb, arb]:
    """(α, β)."""
    scale, at = ball.to_arb(sigma), ball.to_arb(y)
    return (ball.to_arb(edges[0]) - at) / scale, (ball.to_arb(edges[-1]) - at) / scale
