"""Expectiles of finite laws, many at a time, with their rounding errors.

Definition.  For weights w ≥ 0 with positive sum, m_τ is the root of τ Σ w(x−m)₊ = (1−τ) Σ w(m−x)₊; it
does not change when w is scaled.  With atoms sorted downwards and μ_j the mean of x under weights τw on
the first j atoms and (1−τ)w on the rest,

    m_τ = max_j μ_j for τ ≥ ½,   m_τ = min_j μ_j for τ ≤ ½,   0 ≤ j < n.

A maximum of weighted means cannot pick a wrong threshold by much: its error is that of one mean,
however close τ is to 1.

Rounding.  With d = x − (largest x) and D = max|d|, a computed mean of n terms is within
(3n + 16)u·D + 2u·|m| + n·2⁻¹⁰⁷⁴(1 + 2D)/Σweights of the exact one, any order of summation, u = 2⁻⁵³.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import fmpq

from ._jit import njit

SHORT = 24
"""Laws of at most so many atoms are sorted by insertion."""


@njit(cache=True)
def expectile_rows(x: Any, weights: Any, ptr: Any, tau: Any, out: Any, cut: Any, err: Any) -> None:
    """m_τ of each segment `ptr[i]:ptr[i+1]` of atoms `x` with `weights`, its threshold and its error.

    Parameters
    ----------
    x, weights
        (N,) atoms and weights ≥ 0; atoms of weight zero are dropped.
    ptr
        (n+1,) segment bounds, unsigned.
    tau
        Level in (0, 1), taken as the exact number meant.
    out, cut, err
        (n,) outputs: |out − m_τ| ≤ err for the real numbers stored in `x` and `weights`, and `out` is
        the mean under weights τw on the atoms x ≥ cut, (1−τ)w on the rest (cut is infinite if there
        are none; it tells an atom from the expectile even where `out` rounds to it).  NaN and infinity
        where an atom is not finite or a segment has no weight.
    """
    unit, eta = 2.0**-53 * (1 + 2.0**-9), 5e-324
    low = 1.0 - tau
    longest = np.int64((ptr[1:] - ptr[:-1]).max())
    atoms, w = np.empty(longest), np.empty(longest)
    below, mass = np.empty(longest + 1), np.empty(longest + 1)  # sums over the atoms from j on, lower weights
    for i in range(out.size):
        n = 0
        finite = True
        for k in range(ptr[i], ptr[i + 1]):
            if weights[k] > 0.0:
                finite = finite and np.isfinite(x[k])
                atoms[n] = x[k]
                w[n] = weights[k]
                n += 1
        if n == 0 or not finite:
            out[i], cut[i], err[i] = np.nan, np.inf, np.inf
            continue
        if n <= SHORT:  # insertion, downwards
            for j in range(1, n):
                a, u = atoms[j], w[j]
                h = j
                while h > 0 and atoms[h - 1] < a:
                    atoms[h] = atoms[h - 1]
                    w[h] = w[h - 1]
                    h -= 1
                atoms[h] = a
                w[h] = u
        else:
            order = np.argsort(-atoms[:n])
            atoms[:n] = atoms[:n][order]
            w[:n] = w[:n][order]
        top = atoms[0]
        span = top - atoms[n - 1]
        if not np.isfinite(span):
            out[i], cut[i], err[i] = np.nan, np.inf, np.inf
            continue
        below[n], mass[n] = 0.0, 0.0
        for j in range(n - 1, -1, -1):
            u = low * w[j]
            below[j] = below[j + 1] + u * (atoms[j] - top)
            mass[j] = mass[j + 1] + u
        above, weight = 0.0, 0.0
        best, best_lo, best_hi, edge = 0.0, 0.0, 0.0, np.inf
        for j in range(n):
            total = weight + mass[j]
            mean, e = 0.0, np.inf
            if total > 0.0:
                mean = (above + below[j]) / total
                e = (3 * n + 16) * unit * span + 2 * unit * abs(top + mean)
                e += n * eta * (1 + 2 * span) / total + 4 * eta
            lo, hi = mean - e, mean + e
            better = j == 0 or (mean > best if tau >= 0.5 else mean < best)
            if better:
                best = mean
                edge = atoms[j - 1] if j > 0 else np.inf
            if j == 0:
                best_lo, best_hi = lo, hi
            elif tau >= 0.5:
                best_lo, best_hi = max(best_lo, lo), max(best_hi, hi)
            else:
                best_lo, best_hi = min(best_lo, lo), min(best_hi, hi)
            u = tau * w[j]
            above += u * (atoms[j] - top)
            weight += u
        out[i], cut[i] = top + best, edge
        e = max(best_hi - best, best - best_lo)
        err[i] = e * (1 + 4 * unit) + eta if np.isfinite(e) else np.inf


def expectile_exact(x: Sequence[fmpq], weights: Sequence[fmpq], tau: fmpq) -> fmpq:
    """m_τ over the rationals: the first threshold whose mean does not pass the next atom.

    Complexity: O(n log n).
    """
    pairs = sorted(((a, w) for a, w in zip(x, weights, strict=True) if w != 0), key=lambda p: p[0])
    below, mass = fmpq(0), fmpq(0)
    above, weight = sum((a * w for a, w in pairs), fmpq(0)), sum((w for _, w in pairs), fmpq(0))
    for i, (a, w) in enumerate(pairs[:-1]):
        below, mass, above, weight = below + a * w, mass + w, above - a * w, weight - w
        m = (tau * above + (1 - tau) * below) / (tau * weight + (1 - tau) * mass)
        if m <= pairs[i + 1][0]:
            return m
    return pairs[-1][0]
