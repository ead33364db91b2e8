"""Rounding of latent planning in doubles, and exact trees in integers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..operators.latent import HistoryTree

UNIT = 2.0**-53


def rounding(tree: HistoryTree) -> Any:
    """Bound on the error of a value computed in doubles by any of the latent recursions; 0 for rationals.

    A value is a sum of products of H − 1 factors, a weight and a reward; every term meets at most
    n = H·(4M + C + 16) roundings, C the most children of a pair, so the error is at most
    n·u/(1 − n·u) times the value with |R| for R, u = 2⁻⁵³.
    """
    lmdp = tree.lmdp
    if lmdp.is_exact:
        return 0
    n = lmdp.H * (4 * lmdp.M + tree.width + 16)
    top = np.abs(lmdp.R).max(axis=(1, 2)) * lmdp.H
    size = min(float(top.max()), float(lmdp.largest_total) if (lmdp.R >= 0).all() else math.inf)
    return 1.01 * n * UNIT / (1 - n * UNIT) * size + 1e-300


def outward(x: float, error: float, up: bool) -> float:
    """x ± error, rounded outward."""
    return math.nextafter(x + error, math.inf) if up else math.nextafter(x - error, -math.inf)


@dataclass(frozen=True, eq=False)
class IntegerTree:
    """A rational tree over common denominators: factors are N/D, rewards r/E, start columns b/B."""

    tree: HistoryTree
    factor: list[list[int]]
    R: list[list[list[int]]]
    start: list[list[int]]
    D: int
    E: int
    B: int

    @classmethod
    def of(cls, tree: HistoryTree) -> IntegerTree:
        """Common denominators are least."""
        factor, D = _common(tree.factor)
        R, E = _common(tree.R)
        start, B = _common(tree.start)
        return cls(tree, factor.tolist(), R.tolist(), start.tolist(), D, E, B)


def _common(x: NDArray[Any]) -> tuple[NDArray[Any], int]:
    den = math.lcm(1, *(Fraction(v).denominator for v in x.reshape(-1).tolist()))
    out = np.empty(x.shape, dtype=object)
    out.reshape(-1)[:] = [int(v * den) for v in x.reshape(-1).tolist()]
    return out, den
