"""Rigorous enclosures of V* and V^π from one float value vector: rounding is part of the bound.

Model.  The stored doubles P(k,t) ≥ 0, R(k), γ are taken as exact real numbers over pairs k.  Row
sums σ_k = Σ_t P(k,t) need not be one; put β = γ·min σ ≤ α = γ·max σ < 1.  T is monotone, and
T(V + c1) lies between TV + αc and TV + βc, whichever order the sign of c gives.

Residual.  For a row of n entries, any order of summation and any use of fused operations,
    |fl(R + γ·fl(Σ p v)) − (R + γ Σ p v)| ≤ (n+4)u·γ·Σ p|v| + 4u·|q| + (n+4)·2⁻¹⁰⁷⁴,  u = 2⁻⁵³,
with q the computed value: the n products, n−1 sums, two roundings of r + γ·, the final q ± e and
the rounding of the bound itself (u is inflated by 2⁻⁹ for that) are all inside.  The last term is
underflow.  Anything not finite becomes an infinite bound, so overflow and NaN never certify.

One number for all rows.  Σ p|v| ≤ σ‖V‖, so `backup_error` bounds every row at once from the longest
row, the largest row sum and two norms, none of which a backup has to compute: the certificate costs
one plain backup in any layout, and the row sums once a model.  The enclosure below takes the worst
row anyway, so this loses little.

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

from ._jit import njit

U = 2.0**-53 * (1 + 2.0**-9)
"""Unit roundoff, inflated to cover the rounding of the error bounds themselves."""
ETA = 2.0**-1074
"""Smallest positive double: twice the largest error of an underflowing product."""


@njit(cache=True)
def outward(smin: Any, smax: Any, longest: Any) -> Any:
    """Bounds on the true sums of rows of at most `longest` entries ≥ 0, from the extremes as added up."""
    slack = longest * 2.0**-53 * (1 + 2.0**-9)
    return np.nextafter(smin * (1 - slack), -np.inf), np.nextafter(smax * (1 + slack), np.inf)


@njit(cache=True)
def row_sums(data: Any, indptr: Any) -> Any:
    """(least, largest) sum of the rows of a CSR matrix, rounded outward: lower and upper bounds."""
    one, two = np.uint64(1), np.uint64(2)
    smin, smax, longest = np.inf, 0.0, 0.0
    j = np.uint64(0)
    for k in range(indptr.size - 1):
        stop = indptr[k + 1]
        longest = max(longest, np.float64(stop - j))
        a, b = 0.0, 0.0
        while j + one < stop:
            a += data[j]
            b += data[j + one]
            j += two
        if j < stop:
            a += data[j]
            j += one
        smin, smax = min(smin, a + b), max(smax, a + b)
    return outward(smin, smax, longest)


@njit(cache=True)
def row_sums_dense(P: Any) -> Any:
    """`row_sums` of a dense matrix."""
    smin, smax = np.inf, 0.0
    for k in range(P.shape[0]):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for t in range(0, P.shape[1] - 3, 4):
            a += P[k, t]
            b += P[k, t + 1]
            c += P[k, t + 2]
            d += P[k, t + 3]
        for t in range(P.shape[1] - P.shape[1] % 4, P.shape[1]):
            a += P[k, t]
        total = (a + b) + (c + d)
        smin, smax = min(smin, total), max(smax, total)
    return outward(smin, smax, np.float64(P.shape[1]))


@njit(cache=True)
def backup_error(longest: Any, gamma: Any, smax: Any, norm: Any, rmax: Any) -> Any:
    """(e, size): every computed q differs from R + γΣpv by at most e, and |q| ≤ size; e may be infinite.

    Parameters
    ----------
    longest, smax
        Most entries and largest sum of a row.
    gamma, norm, rmax
        Discount, max |V|, max |R|.
    """
    u, n = 2.0**-53 * (1 + 2.0**-9), longest + 4.0
    mass = gamma * smax * norm
    size = (rmax + mass) * (1.0 + 2.0 * n * u)
    e = n * u * mass + 4 * u * size + n * 5e-324
    return (e if size < 1e307 else np.inf), size  # NaN compares false


@njit(cache=True)
def fixed_point_offsets(
    lo: Any, hi: Any, short: Any, e: Any, size: Any, gamma: Any, smin: Any, smax: Any, with_rounding: Any
) -> Any:
    """(sub, add, loss) with z + sub ≤ V* ≤ z + add even in doubles, for the computed backup z of V.

    Parameters
    ----------
    lo, hi
        (min, max) of z − V, rounded to nearest.
    short
        Most by which the greedy pairs' computed q falls short of z.
    e, size
        From `backup_error`.
    gamma, smin, smax
        Discount and bounds on the row sums.
    with_rounding
        False drops every rounding term (for tests).

    Returns
    -------
    sub, add, loss
        loss ≥ V* − V^π for the greedy pairs; infinite where γ·smax ≥ 1 or the input was not finite.
    """
    up, down = (np.inf, -np.inf) if with_rounding else (np.nan, np.nan)
    alpha, beta = gamma * smax, gamma * smin
    tight, loose = 1.0 - alpha, 1.0 - beta
    low, h, gap = lo, hi, short
    if with_rounding:
        alpha, beta = np.nextafter(alpha, up), np.nextafter(beta, down)
        tight, loose = np.nextafter(1.0 - alpha, down), np.nextafter(1.0 - beta, up)
        low = np.nextafter(np.nextafter(lo, down) - e, down)
        h = np.nextafter(np.nextafter(hi, up) + e, up)
        gap = np.nextafter(short, up) if short > 0.0 else short
    own = np.nextafter(low - gap, down) if with_rounding and gap > 0.0 else low - gap
    if not (np.isfinite(low) and np.isfinite(h) and np.isfinite(own) and tight > 0.0):
        return -np.inf, np.inf, np.inf
    ends = (h, low, own)
    got = np.empty(3)
    for i in range(3):
        x = ends[i]
        outward = up if i == 0 else down
        far = x >= 0.0 if i == 0 else x <= 0.0
        c = x / (tight if far else loose)
        if with_rounding:
            c = np.nextafter(c, outward)
        c *= alpha if far else beta
        if with_rounding:
            c = np.nextafter(c, outward)
        got[i] = c
    add, sub, sub_pi = got[0], got[1], got[2]
    loss = add - sub_pi + gap
    if with_rounding:
        unit = 2.0**-51
        slack = e + unit * (size + max(abs(add), abs(sub)))
        loss = np.nextafter(loss + 2 * e + unit * (abs(add) + abs(sub_pi) + gap), up)
        add, sub = np.nextafter(add + slack, up), np.nextafter(sub - slack, down)
    return sub, add, loss


@njit(cache=True)
def enclose(z: Any, sub: Any, add: Any, terminal: Any, V: Any, midpoint: Any, lower: Any, upper: Any) -> Any:
    """lower, upper = z + sub, z + add, zero at terminal states; V becomes their middle, or moves inside.

    Where the offsets are infinite so are the bounds, and V stays.
    """
    finite = np.isfinite(sub) and np.isfinite(add)
    for s in range(z.size):
        a, b = z[s] + sub, z[s] + add
        if not finite:
            a, b = -np.inf, np.inf
        if terminal[s]:
            a, b = 0.0, 0.0
        if not finite:
            lower[s] = a
            upper[s] = b
            continue
        lower[s] = a
        upper[s] = b
        x = a + 0.5 * (b - a) if midpoint else V[s]
        V[s] = min(max(x, a), b)


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
