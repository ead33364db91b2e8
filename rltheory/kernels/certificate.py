"""Rigorous enclosures of V* and V^π from one float value vector: rounding is part of the bound.

Model.  The stored doubles P(k,t) ≥ 0, R(k), γ are taken as exact real numbers over pairs k.  Row
sums σ_k = Σ_t P(k,t) need not be one; put β = γ·min σ ≤ α = γ·max σ < 1.  T is monotone, and
T(V + c1) lies between TV + αc and TV + βc, whichever order the sign of c gives.

Residual.  For a row of n entries, any order of summation and any use of fused operations,
    |fl(R + γ·fl(Σ p v)) − (R + γ Σ p v)| ≤ (n+4)u·γ·Σ p|v| + 4u·|q| + (n+4)·2⁻¹⁰⁷⁴,  u = 2⁻⁵³,
with q the computed value: the n products, n−1 sums, two roundings of r + γ·, the final q ± e and
the rounding of the bound itself (u is inflated by 2⁻⁹ for that) are all inside.  The last term is
underflow.  Anything not finite becomes an infinite bound, so overflow and NaN never certify.

Enclosure (MacQueen 1966, Porteus 1971, with rows that sum to one only up to rounding).  Let
h = max(TV − V).  Then V + c1 is a super-solution for c = h/(1−α) if h ≥ 0, c = h/(1−β) if h < 0,
whence V* ≤ T(V + c1) ≤ TV + (αc or βc).  Dually below with l = min(TV − V).  Every operation is
rounded outward by `nextafter`.

With ``with_rounding=False`` all of this is dropped: what is left is the textbook formula in
doubles, which is *not* a bound.  It exists so that a test can watch it fail.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

U = 2.0**-53 * (1 + 2.0**-9)
"""Unit roundoff, inflated to cover the rounding of the error bounds themselves."""
ETA = 2.0**-1074
"""Smallest positive double: twice the largest error of an underflowing product."""


@njit(cache=True)
def enclose_backup_dense(
    P: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, lo: Any, hi: Any, with_rounding: Any
) -> Any:
    """lo ≤ TV ≤ hi for dense pair rows.

    Parameters
    ----------
    P, R, gamma, state_ptr
        (N, S), (N,), scalar, (S+1,) uint64.
    V
        (S,) any doubles.
    lo, hi
        (S,) outputs.
    with_rounding
        False drops the rounding terms (for tests).

    Returns
    -------
    (smin, smax), bounds on the row sums.
    """
    one, two = np.uint64(1), np.uint64(2)
    S = V.size
    n = np.uint64(S)
    rows = P.reshape(-1)
    scale = (S + 4) * 2.0**-53 * (1 + 2.0**-9) if with_rounding else 0.0
    tiny = (S + 4) * 5e-324 if with_rounding else 0.0
    rel = 4 * 2.0**-53 * (1 + 2.0**-9) if with_rounding else 0.0
    smin, smax = np.inf, 0.0
    k, base = np.uint64(0), np.uint64(0)
    for s in range(S):
        low, high = -np.inf, -np.inf
        end = state_ptr[s + 1]
        while k < end:
            dot, mass, total, t = 0.0, 0.0, 0.0, np.uint64(0)
            dot1, mass1, total1 = 0.0, 0.0, 0.0
            while t + one < n:
                p, p1 = rows[base + t], rows[base + t + one]
                x, x1 = p * V[t], p1 * V[t + one]
                dot += x
                dot1 += x1
                mass += abs(x)
                mass1 += abs(x1)
                total += p
                total1 += p1
                t += two
            if t < n:
                x = rows[base + t] * V[t]
                dot += x
                mass += abs(x)
                total += rows[base + t]
            dot, mass, total = dot + dot1, mass + mass1, total + total1
            base += n
            q = R[k] + gamma * dot
            e = scale * (gamma * mass) + rel * abs(q) + tiny
            if np.isfinite(q) and np.isfinite(e):
                low = max(low, q - e)
                high = max(high, q + e)
            else:
                high = np.inf
            smin, smax = min(smin, total), max(smax, total)
            k += one
        lo[s] = low
        hi[s] = high
    smin, smax = smin * (1 - scale), smax * (1 + scale)
    if with_rounding:
        smin, smax = np.nextafter(smin, -np.inf), np.nextafter(smax, np.inf)
    return smin, smax


@njit(cache=True)
def enclose_backup_csr(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any,
    lo: Any, hi: Any, with_rounding: Any,
) -> Any:  # fmt: skip
    """lo ≤ TV ≤ hi for CSR pair rows; arguments and result as `enclose_backup_dense`."""
    one = np.uint64(1)
    unit = 2.0**-53 * (1 + 2.0**-9) if with_rounding else 0.0
    eta = 5e-324 if with_rounding else 0.0
    smin, smax, longest = np.inf, 0.0, 0.0
    k, j = np.uint64(0), np.uint64(0)
    for s in range(V.size):
        low, high = -np.inf, -np.inf
        end = state_ptr[s + 1]
        while k < end:
            stop = indptr[k + one]
            n = np.float64(stop - j) + 4.0
            dot, mass, total = 0.0, 0.0, 0.0
            while j < stop:
                p = data[j]
                x = p * V[indices[j]]
                dot += x
                mass += abs(x)
                total += p
                j += one
            q = R[k] + gamma * dot
            e = n * unit * (gamma * mass) + 4 * unit * abs(q) + n * eta
            if np.isfinite(q) and np.isfinite(e):
                low = max(low, q - e)
                high = max(high, q + e)
            else:
                high = np.inf
            smin, smax, longest = min(smin, total), max(smax, total), max(longest, n)
            k += one
        lo[s] = low
        hi[s] = high
    smin, smax = smin * (1 - longest * unit), smax * (1 + longest * unit)
    if with_rounding:
        smin, smax = np.nextafter(smin, -np.inf), np.nextafter(smax, np.inf)
    return smin, smax


@njit(cache=True)
def enclose_policy_backup_csr(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, weights: Any, V: Any,
    lo: Any, hi: Any, with_rounding: Any,
) -> Any:  # fmt: skip
    """lo ≤ T^πV ≤ hi for CSR pair rows and π as (N,) weights ≥ 0 of the pairs.

    The weights may themselves be roundings (relative error u) of the real probabilities meant;
    pairs of weight zero are skipped.  Returns (smin, smax), bounds on the row sums of P_π.
    """
    one = np.uint64(1)
    unit = 2.0**-53 * (1 + 2.0**-9) if with_rounding else 0.0
    eta = 5e-324 if with_rounding else 0.0
    smin, smax, longest = np.inf, 0.0, 0.0
    k, j = np.uint64(0), np.uint64(0)
    for s in range(V.size):
        q, mass, total, n = 0.0, 0.0, 0.0, 0.0
        end = state_ptr[s + 1]
        while k < end:
            stop = indptr[k + one]
            w = weights[k]
            if w == 0.0:
                j = stop
                k += one
                continue
            n += np.float64(stop - j) + 8.0
            d, m, t = 0.0, 0.0, 0.0
            while j < stop:
                p = data[j]
                x = p * V[indices[j]]
                d += x
                m += abs(x)
                t += p
                j += one
            q += w * (R[k] + gamma * d)
            mass += w * (abs(R[k]) + gamma * m)
            total += w * t
            k += one
        e = n * unit * mass + 4 * unit * abs(q) + n * eta
        if np.isfinite(q) and np.isfinite(e):
            lo[s] = q - e
            hi[s] = q + e
        else:
            lo[s] = -np.inf
            hi[s] = np.inf
        smin, smax, longest = min(smin, total), max(smax, total), max(longest, n)
    smin, smax = smin * (1 - longest * unit), smax * (1 + longest * unit)
    if with_rounding:
        smin, smax = np.nextafter(smin, -np.inf), np.nextafter(smax, np.inf)
    return smin, smax


@njit(cache=True)
def enclose_fixed_point(
    V: Any, lo: Any, hi: Any, gamma: Any, smin: Any, smax: Any, terminal: Any, with_rounding: Any
) -> Any:
    """(lower, upper) on the fixed point of T from lo ≤ TV ≤ hi, outward rounded.

    Parameters
    ----------
    V, lo, hi
        (S,) point and the enclosure of its backup.
    gamma, smin, smax
        Discount and bounds on the row sums.
    terminal
        (S,) mask of absorbing states of value zero.
    with_rounding
        False rounds to nearest (for tests).

    Returns
    -------
    lower, upper
        (S,), infinite where γ·smax ≥ 1 or the input was not finite.
    """
    S = V.size
    down = -np.inf if with_rounding else np.nan
    up = np.inf if with_rounding else np.nan
    alpha, beta = gamma * smax, gamma * smin
    h, low = -np.inf, np.inf
    bad = False
    for s in range(S):
        a, b = lo[s] - V[s], hi[s] - V[s]
        if np.isnan(a) or np.isnan(b):
            bad = True
        low, h = min(low, a), max(h, b)
    if with_rounding:
        alpha, beta = np.nextafter(alpha, up), np.nextafter(beta, down)
        low, h = np.nextafter(low, down), np.nextafter(h, up)
    tight, loose = 1.0 - alpha, 1.0 - beta  # 1 − α ≤ 1 − β
    if with_rounding:
        tight, loose = np.nextafter(tight, down), np.nextafter(loose, up)
    if bad or not tight > 0.0 or np.isnan(h) or np.isnan(low):
        h, low = np.inf, -np.inf
    add, sub = np.inf, -np.inf
    if np.isfinite(h):
        add = h / tight if h >= 0.0 else h / loose
        if with_rounding:
            add = np.nextafter(add, up)
        add *= alpha if add >= 0.0 else beta
        if with_rounding:
            add = np.nextafter(add, up)
    if np.isfinite(low):
        sub = low / tight if low <= 0.0 else low / loose
        if with_rounding:
            sub = np.nextafter(sub, down)
        sub *= alpha if sub <= 0.0 else beta
        if with_rounding:
            sub = np.nextafter(sub, down)
    lower, upper = np.empty(S), np.empty(S)
    for s in range(S):
        a, b = lo[s] + sub, hi[s] + add
        if with_rounding:
            a, b = np.nextafter(a, down), np.nextafter(b, up)
        lower[s] = -np.inf if np.isnan(a) else a
        upper[s] = np.inf if np.isnan(b) else b
        if terminal[s]:
            lower[s] = 0.0
            upper[s] = 0.0
    return lower, upper
