"""Finitely supported laws on the line as a pair of arrays: atoms x_1 < … < x_n, masses p_i > 0.

Every function works in either number system (float64, or object arrays of Fractions) and never
leaves it.  F is the distribution function, q the lower quantile q(u) = min{x : F(x) ≥ u}.  In
doubles a mass below `SLACK` is taken for rounding wherever a jump of F decides between two atoms.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vec = NDArray[Any]

SLACK = 1e-13
"""Mass that rounding of cumulative sums may shift; zero for rationals."""


def slack(probs: Vec) -> Any:
    """`SLACK` for doubles, 0 for rationals."""
    return Fraction(0) if probs.dtype == object else SLACK


def merged(atoms: Vec, probs: Vec) -> tuple[Vec, Vec]:
    """The same law with strictly increasing atoms and positive masses; equal atoms add up."""
    keep = probs > 0
    atoms, probs = atoms[keep], probs[keep]
    order = np.argsort(atoms, kind="stable")
    atoms, probs = atoms[order], probs[order]
    first = np.ones(len(atoms), dtype=bool)
    first[1:] = atoms[1:] != atoms[:-1]
    starts = np.flatnonzero(first)
    if len(starts) == len(atoms):
        return atoms, probs
    return atoms[starts], np.add.reduceat(probs, starts)


def cumulative(probs: Vec) -> Vec:
    """F at the atoms, closed: the last entry is exactly one."""
    cum = np.cumsum(probs)
    if probs.dtype == object:
        cum[-1] = Fraction(1)
        return cum
    np.minimum(cum, 1.0, out=cum)
    cum[-1] = 1.0
    return cum


def lower_quantile(atoms: Vec, cum: Vec, tau: Vec) -> Vec:
    """q(τ) for each τ in (0, 1]; in doubles F(x) ≥ τ − SLACK counts as reached."""
    index = np.searchsorted(cum, tau - slack(cum), side="left")
    return atoms[np.minimum(index, len(atoms) - 1)]  # type: ignore[no-any-return]


def tail_integral(atoms: Vec, probs: Vec, cum: Vec, tau: Any) -> Any:
    """∫_0^τ q(u) du: the lowest τ of the mass, the last atom taken in part."""
    k = int(np.searchsorted(cum, tau, side="left"))
    whole = (atoms[:k] * probs[:k]).sum() if k else tau * 0
    before = cum[k - 1] if k else tau * 0
    return whole + (tau - before) * atoms[min(k, len(atoms) - 1)]


def cdf_difference(x: Vec, p: Vec, y: Vec, q: Vec) -> tuple[Vec, Vec]:
    """(F − G on the cells between consecutive atoms of both laws, the widths of those cells)."""
    points = np.concatenate([x, y])
    order = np.argsort(points, kind="stable")
    jumps = np.concatenate([p, -q])[order]
    points = points[order]
    return np.cumsum(jumps)[:-1], points[1:] - points[:-1]


def wasserstein_1(x: Vec, p: Vec, y: Vec, q: Vec) -> Any:
    """w₁ = ∫ |F − G|."""
    gap, width = cdf_difference(x, p, y, q)
    return (abs(gap) * width).sum() + 0 * x[0]


def cramer_squared(x: Vec, p: Vec, y: Vec, q: Vec) -> Any:
    """ℓ₂² = ∫ (F − G)²."""
    gap, width = cdf_difference(x, p, y, q)
    return (gap * gap * width).sum() + 0 * x[0]


def coupling(x: Vec, p: Vec, y: Vec, q: Vec) -> tuple[Vec, Vec]:
    """(mass, |q_F(u) − q_G(u)|) over the pieces of (0, 1) where both quantile functions are constant."""
    F, G = cumulative(p), cumulative(q)
    levels = np.unique(np.concatenate([F, G]))
    mass = levels.copy()
    mass[1:] = levels[1:] - levels[:-1]
    middle = levels - mass / 2
    gap = abs(x[np.searchsorted(F, middle)] - y[np.searchsorted(G, middle)])
    real = mass > slack(p)
    return mass[real], gap[real]


def two_hot(grid: Vec, atoms: Vec, probs: Vec) -> Vec:
    """Π_C: masses on `grid` (m,), each atom clipped to it and split linearly between its neighbours."""
    m = len(grid)
    out = np.zeros(m, dtype=probs.dtype)
    if m == 1:
        out[0] = probs.sum()
        return out
    x = np.minimum(np.maximum(atoms, grid[0]), grid[-1])
    j = np.minimum(np.maximum(np.searchsorted(grid, x, side="right") - 1, 0), m - 2)
    up = (x - grid[j]) / (grid[j + 1] - grid[j])
    np.add.at(out, j, probs * (1 - up))
    np.add.at(out, j + 1, probs * up)
    return out


def midpoint_levels(m: int, *, exact: bool) -> Vec:
    """τ_i = (2i−1)/(2m), i = 1..m."""
    if exact:
        levels = np.empty(m, dtype=object)
        levels[:] = [Fraction(2 * i + 1, 2 * m) for i in range(m)]
        return levels
    return (2.0 * np.arange(m) + 1.0) / (2.0 * m)
