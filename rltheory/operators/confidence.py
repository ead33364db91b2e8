"""Confidence sequences: intervals for a mean that hold at every sample size at once.

    Pr(for all t ≥ 1: lo_t ≤ μ ≤ hi_t) ≥ 1 − α,   E[X_t | X_1 … X_{t−1}] = μ,

so one may look after every observation and stop at will.  All of them are Ville's inequality for a
nonnegative supermartingale M_t(μ) with M_0 = 1: exclude every m with M_t(m) ≥ 1/α.

Sub-Gaussian (E exp(λ(X − μ)) ≤ exp(λ²σ²/2)), S_t = Σ(X_i − μ), V = tσ²:

    mixture    |S_t| < √((V + ρ) ln((V + ρ)/(ρα²))),  from ∫ exp(λS − λ²V/2) N(dλ; 0, 1/ρ)
    stitched   |S_t| < 1.7 σ√(t(ln ln 2t + 0.72 ln(10.4/α)))

Bounded (X in [lower, upper], scaled to [0, 1]), with predictable bets λ_i:

    empirical-bernstein   |Σλ_i(X_i − μ)| < ln(2/α) + Σ (X_i − μ̂_{i−1})²(−ln(1 − λ_i) − λ_i)
    betting               Π(1 + λ_i⁺(m)(X_i − m)) < 2/α and Π(1 − λ_i⁻(m)(X_i − m)) < 2/α
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InvalidArgument

Method = Literal["mixture", "stitched", "empirical-bernstein", "betting"]
"""Names of the constructions."""

Floats = NDArray[np.float64]

LARGEST_BET = 0.5
"""Cap on λ of the empirical Bernstein sequence, and on the share of wealth a bet may lose."""

GRID = 1000
"""Candidates for a mean in [0, 1] that betting decides; ends are rounded outwards to them."""


def confidence_sequence(
    x: ArrayLike,
    *,
    lower: float | None = None,
    upper: float | None = None,
    sigma: float | None = None,
    alpha: float = 0.05,
    method: Method | None = None,
    best_at: float | None = None,
    intersect: bool = True,
) -> tuple[Floats, Floats]:
    """Pr(lo_t ≤ μ ≤ hi_t for every t) ≥ 1 − α.

    Parameters
    ----------
    x
        (n, ...) observations in the order seen; other axes hold separate sequences, each at level α.
    lower, upper
        Bounds on every observation, known beforehand (never the smallest and largest seen).
    sigma
        Sub-Gaussian scale instead of bounds; (upper − lower)/2 is one for bounded observations.
    alpha
        Chance of ever excluding the mean, in (0, 1).
    method
        "empirical-bernstein" (with bounds; default) or "betting" (narrower, costs `GRID` times as much);
        "mixture" (with sigma; default) or "stitched".
    best_at
        Sample size at which "mixture" is narrowest; n if not given.  Choose it before looking.
    intersect
        Keep the best ends so far.  Should lo_t > hi_t then happen, the assumptions are refuted at level α.

    Returns
    -------
    lo, hi
        Arrays of the shape of `x`; entry t − 1 is the interval after t observations, within the bounds.

    Raises
    ------
    InvalidArgument
        Without exactly one of bounds and sigma; α outside (0, 1); no observations, or one
        outside its bounds or NaN.

    Notes
    -----
    Complexity: O(n) a sequence, O(`GRID`·n) by betting.

    Source: mixture, Robbins (1970) and the two-sided normal mixture of Howard, Ramdas, McAuliffe and Sekhon
    (2021); stitched, the same authors' bound for 1-sub-Gaussian means; empirical Bernstein and betting,
    Waudby-Smith and Ramdas (2024), theorems 2 and 3 with the bets proposed there.

    Examples
    --------
    >>> lo, hi = confidence_sequence([0.0, 1.0] * 200, lower=0, upper=1)
    >>> bool(lo[-1] < 0.5 < hi[-1])
    True
    """
    try:
        X = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise InvalidArgument(f"confidence_sequence: x is no array of numbers ({exc})") from exc
    if X.ndim == 0 or X.size == 0:
        what = "a single number" if X.ndim == 0 else f"empty, of shape {X.shape}"
        raise InvalidArgument(f"confidence_sequence: x is {what}; need observations along axis 0")
    if not 0 < alpha < 1:
        raise InvalidArgument(f"confidence_sequence: alpha={alpha} is outside (0, 1); use 0.05 for 95 %")
    if not np.isfinite(X).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(X))[0])
        raise InvalidArgument(
            f"confidence_sequence: x{list(where)}={X[where]} is not finite; drop it or find its cause"
        )
    flat = X.reshape(len(X), -1)
    if sigma is not None:
        if lower is not None or upper is not None:
            raise InvalidArgument("confidence_sequence: sigma and bounds are both given; give one of them")
        lo, hi = _sub_gaussian(flat, sigma, alpha, method or "mixture", best_at)
    else:
        if best_at is not None:
            raise InvalidArgument(
                f"confidence_sequence: best_at={best_at} goes with sigma only; leave it out"
            )
        lo, hi = _bounded(flat, lower, upper, alpha, method or "empirical-bernstein")
    if intersect:
        lo, hi = np.maximum.accumulate(lo, axis=0), np.minimum.accumulate(hi, axis=0)
    return lo.reshape(X.shape), hi.reshape(X.shape)


def mixture_radius(t: ArrayLike, sigma: float, alpha: float, best_at: float) -> Floats:
    """√((V + ρ) ln((V + ρ)/(ρα²)))/t at V = tσ²: half-width of the normal-mixture interval.

    ρ = best_at·σ²/(2 ln(1/α) + ln(1 + 2 ln(1/α))) makes it nearly narrowest at t = best_at.
    """
    n = np.asarray(t, dtype=np.float64)
    rho = best_at * sigma**2 / (2 * np.log(1 / alpha) + np.log1p(2 * np.log(1 / alpha)))
    V = n * sigma**2
    radius: Floats = np.sqrt((V + rho) * (np.log1p(V / rho) - 2 * np.log(alpha))) / n
    return radius


def stitched_radius(t: ArrayLike, sigma: float, alpha: float) -> Floats:
    """1.7 σ √((ln ln 2t + 0.72 ln(10.4/α))/t): half-width whose growth is that of the iterated logarithm."""
    n = np.asarray(t, dtype=np.float64)
    radius: Floats = 1.7 * sigma * np.sqrt((np.log(np.log(2 * n)) + 0.72 * np.log(10.4 / alpha)) / n)
    return radius


def _sub_gaussian(
    X: Floats, sigma: float, alpha: float, method: Method, best_at: float | None
) -> tuple[Floats, Floats]:
    if not (np.isfinite(sigma) and sigma > 0):
        raise InvalidArgument(f"confidence_sequence: sigma={sigma} must be positive and finite")
    if best_at is not None and not 0 < best_at < np.inf:
        raise InvalidArgument(f"confidence_sequence: best_at={best_at} must be a positive sample size")
    t = np.arange(1, len(X) + 1, dtype=np.float64)
    if method == "mixture":
        radius = mixture_radius(t, sigma, alpha, len(X) if best_at is None else best_at)
    elif method == "stitched":
        radius = stitched_radius(t, sigma, alpha)
    else:
        raise InvalidArgument(
            f"confidence_sequence: method={method!r} does not go with sigma; use 'mixture' or 'stitched'"
        )
    mean = np.cumsum(X, axis=0) / t[:, None]
    return mean - radius[:, None], mean + radius[:, None]


def _bounded(
    X: Floats, lower: float | None, upper: float | None, alpha: float, method: Method
) -> tuple[Floats, Floats]:
    if lower is None or upper is None:
        raise InvalidArgument(
            f"confidence_sequence: lower={lower}, upper={upper}; give both bounds, or sigma instead"
        )
    if not (np.isfinite(lower) and np.isfinite(upper) and lower < upper and np.isfinite(upper - lower)):
        raise InvalidArgument(
            f"confidence_sequence: lower={lower}, upper={upper}; need lower < upper, finite, "
            "their difference too"
        )
    outside = ~((lower <= X) & (upper >= X))
    if outside.any():
        i, j = (int(k) for k in np.argwhere(outside)[0])
        raise InvalidArgument(
            f"confidence_sequence: observation {i} is {X[i, j]!r}, outside [{lower}, {upper}]; "
            "the bounds must hold for every value that can occur"
        )
    Y = (X - lower) / (upper - lower)
    if method == "empirical-bernstein":
        lo, hi = _empirical_bernstein(Y, alpha)
    elif method == "betting":
        lo, hi = np.empty_like(Y), np.empty_like(Y)
        for j in range(Y.shape[1]):
            lo[:, j], hi[:, j] = _betting(Y[:, j], alpha)
    else:
        raise InvalidArgument(
            f"confidence_sequence: method={method!r} does not go with bounds; "
            "use 'empirical-bernstein' or 'betting'"
        )
    width = upper - lower
    return lower + width * np.clip(lo, 0, 1), lower + width * np.clip(hi, 0, 1)


def _bets(Y: Floats, alpha: float) -> tuple[Floats, Floats]:
    """μ̂_{t−1} and √(2 ln(2/α)/(σ̂²_{t−1} t ln(1 + t))), both functions of the past only."""
    n = len(Y)
    t = np.arange(1, n + 1, dtype=np.float64)[:, None]
    mean = (0.5 + np.cumsum(Y, axis=0)) / (t + 1)
    var = (0.25 + np.cumsum((Y - mean) ** 2, axis=0)) / (t + 1)
    before = np.concatenate([np.full((1, Y.shape[1]), 0.5), mean[:-1]])
    var_before = np.concatenate([np.full((1, Y.shape[1]), 0.25), var[:-1]])
    return before, np.sqrt(2 * np.log(2 / alpha) / (var_before * t * np.log1p(t)))


def _empirical_bernstein(Y: Floats, alpha: float) -> tuple[Floats, Floats]:
    before, bets = _bets(Y, alpha)
    lam = np.minimum(bets, LARGEST_BET)
    total = np.cumsum(lam, axis=0)
    cost = np.cumsum((Y - before) ** 2 * (-np.log1p(-lam) - lam), axis=0)
    centre, radius = np.cumsum(lam * Y, axis=0) / total, (np.log(2 / alpha) + cost) / total
    return centre - radius, centre + radius


def _betting(y: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Ends rounded outwards to the grid: wealth against "μ ≤ m" falls with m, against "μ ≥ m" it rises."""
    _, bets = _bets(y[:, None], alpha)
    m = np.linspace(0, 1, GRID + 1)
    up, down = np.zeros_like(m), np.zeros_like(m)
    lo, hi = np.empty_like(y), np.empty_like(y)
    most_up = LARGEST_BET / np.maximum(m, 1e-300)
    most_down = LARGEST_BET / np.maximum(1 - m, 1e-300)
    limit = np.log(2 / alpha)
    for i, value in enumerate(y):
        up += np.log1p(np.minimum(bets[i], most_up) * (value - m))
        down += np.log1p(-np.minimum(bets[i], most_down) * (value - m))
        low, high = np.flatnonzero(up >= limit), np.flatnonzero(down >= limit)
        lo[i] = m[low[-1]] if low.size else 0.0
        hi[i] = m[high[0]] if high.size else 1.0
    return lo, hi
