"""Occupancies of finite-horizon policies, ratios of laws, and clipped concentrability.

Definitions.  d_h(s, a) = Pr^π(s_h = s, a_h = a).  d/μ is 0 where d = 0 and ∞ where d > 0 = μ;
clip_γ[w] = min{w, γ}, so min{∞, γ} = γ.  CC(d, μ, γ) = E_d[min{d/μ, γ}].  Exact arrays give `Fraction`s, in
which ∞ is `math.inf`; no operation forms ∞·0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Entries, Real, float_array, plain_array, to_fraction
from ..errors import InvalidArgument
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.policy import Policy

Array = NDArray[Any]


def horizon_occupancy(model: FiniteHorizonMDP, pi: Policy | ArrayLike) -> Array:
    """d_h(s, a) = Pr^π(s_h = s, a_h = a) from the start law μ; every layer has mass 1.

    Parameters
    ----------
    model
        Finite-horizon model; its discount and rewards play no part.
    pi
        (H, S) action ids, (H, S, A) probabilities, or a stationary policy.

    Returns
    -------
    (H, S, A) array; exact when the model is.

    Raises
    ------
    InvalidArgument, InvalidModel
        As `evaluate_horizon`.

    Complexity: O(H·S²A).

    Examples
    --------
    >>> leave = FiniteHorizonMDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[0.0], [0.0]], H=2, mu=[1, 0])
    >>> horizon_occupancy(leave, [0, 0])[1, :, 0]
    array([0.5, 0.5])
    """
    weights = step_policies(model, pi)
    out = np.zeros(weights.shape, dtype=model.mu.dtype)
    law = model.mu
    for h in range(model.H):
        out[h] = law[:, None] * weights[h]
        law = np.einsum("sa,sat->t", out[h], model.P[h])
    return out


def step_policies(model: FiniteHorizonMDP, pi: Policy | ArrayLike) -> Array:
    """π as (H, S, A) probabilities in the model's numbers, validated; arguments as `horizon_occupancy`."""
    arr = plain_array(pi._pi if isinstance(pi, Policy) else pi, name="pi")
    H, S, A = model.H, model.S, model.A
    integers = arr.dtype.kind in "iu"
    if arr.ndim == (1 if integers else 2):
        arr = np.broadcast_to(arr, (H, *arr.shape))
    if arr.shape != ((H, S) if integers else (H, S, A)):
        raise InvalidArgument(
            f"policy: shape={arr.shape}, must be (S,) or (H, S) action ids, or (S, A) or (H, S, A) "
            f"probabilities, with H={H}, S={S}, A={A}"
        )
    if integers:
        if arr.size and not (arr.min() >= 0 and arr.max() < A):
            wrong = int(arr.max()) if arr.max() >= A else int(arr.min())
            raise InvalidArgument(f"policy: action {wrong}, actions are 0..{A - 1}")
        arr = np.eye(A, dtype=np.int64)[arr]
    else:
        for h in range(H):
            Policy(arr[h])  # rows are laws
    if model.is_exact:
        out = np.empty(arr.shape, dtype=object)
        out.reshape(-1)[:] = [to_fraction(v) for v in arr.reshape(-1).tolist()]
        return out
    return arr.astype(np.float64)


def density_ratio(d: Entries, mu: Entries) -> Array:
    """d/μ entrywise, with 0/0 = 0 and x/0 = ∞.

    Raises
    ------
    InvalidArgument
        Different shapes, or a negative or NaN entry (the first is named).

    Examples
    --------
    >>> density_ratio([0.5, 0.0, 0.5], [0.25, 0.0, 0.0])
    array([ 2.,  0., inf])
    """
    a, b = _laws(d, mu)
    if a.dtype == object:
        out = np.empty(a.shape, dtype=object)
        out.reshape(-1)[:] = [
            to_fraction(0) if x == 0 else math.inf if y == 0 else to_fraction(x) / to_fraction(y)
            for x, y in zip(a.reshape(-1), b.reshape(-1), strict=True)
        ]
        return out
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(a == 0, 0.0, a / b)


def clip_ratio(w: Entries, level: Real) -> Array:
    """min{w, γ} entrywise for w in [0, ∞].

    Raises
    ------
    InvalidArgument
        If level < 0, or an entry of w is negative or NaN (clip first, then change the sign).
    """
    arr = np.asarray(w)
    _check_level(level)
    if arr.size and not (arr >= 0).all():
        i = int(np.argmin(np.asarray(arr >= 0, dtype=bool).reshape(-1)))
        raise InvalidArgument(
            f"clip_ratio: w has {arr.reshape(-1)[i]} at entry {i}, ratios are ≥ 0; clip first, then sign"
        )
    return np.asarray(np.minimum(arr, np.asarray(level)))


@dataclass(frozen=True)
class ClippedRatio:
    """What is known of w = d/μ clipped at γ.

    Attributes
    ----------
    concentrability
        CC = E_d[min{w, γ}].
    second_moment
        E_μ[min{w, γ}²], at most CC.
    clipped
        Pr_d(w > γ), at most CC/γ.
    clipped_mu
        Pr_μ(w > γ).
    """

    concentrability: Real
    second_moment: Real
    clipped: Real
    clipped_mu: Real


def clipped_ratio(d: Entries, mu: Entries, level: Real) -> ClippedRatio:
    """Clipped concentrability of d with respect to μ and the moments that go with it.

    Parameters
    ----------
    d, mu
        Laws (or measures) of one shape.
    level
        γ ≥ 0; `math.inf` for no clipping.

    Raises
    ------
    InvalidArgument
        As `density_ratio`; level < 0.

    Source: Amortila, Foster, Jiang, Sekhari, Xie (2024), Section 4.

    Examples
    --------
    >>> from fractions import Fraction as F
    >>> clipped_ratio([F(1, 2), F(1, 2)], [F(1), F(0)], F(2)).concentrability
    Fraction(5, 4)
    """
    _check_level(level)
    a, b = _laws(d, mu)
    if a.dtype == object and not (isinstance(level, float) and math.isinf(level)):
        level = to_fraction(level)
    w = density_ratio(a, b).reshape(-1)
    a, b = a.reshape(-1), b.reshape(-1)
    c = np.minimum(w, np.asarray(level))
    hit, seen = a > 0, b > 0
    over = np.asarray(w > level, dtype=bool)
    zero = to_fraction(0) if a.dtype == object else 0.0
    return ClippedRatio(
        sum((x * y for x, y in zip(a[hit], c[hit], strict=True)), zero),
        sum((x * y * y for x, y in zip(b[seen], c[seen], strict=True)), zero),
        sum(a[over], zero),
        sum(b[over], zero),
    )


def clipped_concentrability(d: Entries, mu: Entries, level: Real) -> Real:
    """CC = E_d[min{d/μ, γ}]; arguments as `clipped_ratio`."""
    return clipped_ratio(d, mu, level).concentrability


def _laws(d: Entries, mu: Entries) -> tuple[Array, Array]:
    a, b = plain_array(d, name="d"), plain_array(mu, name="mu")
    if a.shape != b.shape:
        raise InvalidArgument(f"density_ratio: d has shape {a.shape}, mu {b.shape}; give laws of one shape")
    if object in (a.dtype, b.dtype):
        a, b = a.astype(object), b.astype(object)
    else:
        a, b = float_array(a, "d"), float_array(b, "mu")
    for name, x in (("d", a), ("mu", b)):
        good = np.asarray(x >= 0, dtype=bool).reshape(-1)
        if not good.all():
            i = int(np.argmin(good))
            raise InvalidArgument(
                f"density_ratio: {name} has {x.reshape(-1)[i]} at entry {i}, must be ≥ 0; give measures"
            )
    return a, b


def _check_level(level: Real) -> None:
    if not level >= 0:
        raise InvalidArgument(f"clipping: level={level}, must be ≥ 0; math.inf clips nothing")
