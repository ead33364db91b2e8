"""Finite metric spaces and Lipschitz constants on them.

Definitions.  D (n, n) is a metric: D_ii = 0 < D_ij = D_ji ≤ D_ik + D_kj.  For V (n,):
    L(V)     = max over i ≠ j of |V_i − V_j| / D_ij
    L_ε(V)   = the same over 0 < D_ij ≤ ε (0 if there is no such pair)
    V_c(i)   = min_j V_j + c D_ij, the largest c-Lipschitz function below V
Wasserstein distances on such spaces are in `transport`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import (
    Entries,
    Real,
    StateVec,
    exact_array,
    float_array,
    frozen,
    is_exact,
    owned,
    plain_array,
    to_fraction,
)
from ..errors import InvalidArgument
from ..portable import Portable

SLACK = 1e-12
"""Triangles of doubles may fail by this much, relative to the largest distance."""


@dataclass(frozen=True, eq=False)
class Metric(Portable):
    """D_ij, the distance of points i and j of a finite metric space.

    Parameters
    ----------
    D
        (n, n) distances: all rational (then everything on it is), or doubles.
    points
        (n,) coordinates of a line with D_ij = |x_i − x_j|, if it is one: distances of laws are then in
        closed form.  Use `Metric.line`.

    Raises
    ------
    InvalidArgument
        Not square, not finite, D_ii ≠ 0, not symmetric, two points at distance 0 (see `quotient`), or a
        triangle D_ij > D_ik + D_kj, which is named; doubles may miss it by 1e-12 of the largest distance.

    Examples
    --------
    >>> Metric([[0, 1, 3], [1, 0, 1], [3, 1, 0]])
    Traceback (most recent call last):
      ...
    rltheory.errors.InvalidArgument: metric: D[0, 2]=3 > D[0, 1] + D[1, 2] = 1 + 1, ... Metric.shortest_paths
    """

    D: NDArray[Any]
    points: NDArray[Any] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        D = plain_array(self.D, name="D")
        D = exact_array(D) if D.dtype == object or D.dtype.kind in "iu" else float_array(D)
        if self.points is not None:
            x = plain_array(self.points, name="points")
            x = exact_array(x) if is_exact(D) else float_array(x)
            _check_points(x, D)
            object.__setattr__(self, "points", frozen(owned(x)))
        object.__setattr__(self, "D", frozen(owned(D)))
        object.__setattr__(self, "_defect", _check(self.D))

    @classmethod
    def line(cls, points: Entries) -> Metric:
        """|x_i − x_j| for distinct points of the line, in any order."""
        x = plain_array(points, name="points")
        x = exact_array(x) if x.dtype == object or x.dtype.kind in "iu" else float_array(x)
        if x.ndim != 1:
            raise InvalidArgument(f"line: points has shape {x.shape}, must be (n,)")
        return cls(np.abs(x[:, None] - x[None, :]), points=x)

    @classmethod
    def discrete(cls, n: int, *, exact: bool = True) -> Metric:
        """1 between any two of n points: W₁ is then total variation and L is the span."""
        D = 1 - np.eye(n, dtype=np.int64)
        return cls(exact_array(D) if exact else D.astype(np.float64))

    @classmethod
    def shortest_paths(cls, lengths: Entries) -> Metric:
        """The largest metric below given (n, n) symmetric positive lengths (∞ in doubles: no edge)."""
        D = np.array(lengths, copy=True)
        D = exact_array(D) if D.dtype == object or D.dtype.kind in "iu" else D.astype(np.float64)
        if D.ndim != 2 or D.shape[0] != D.shape[1]:
            raise InvalidArgument(f"shortest_paths: lengths has shape {D.shape}, must be (n, n)")
        for k in range(len(D)):
            D = np.minimum(D, D[:, k, None] + D[None, k, :])
        return cls(D)

    def __repr__(self) -> str:
        if self.points is not None:
            return f"Metric.line({self.literal_values(self.points)})"
        return f"Metric({self.literal_values(self.D)})"

    def literal(self) -> str:
        """Python source that rebuilds the metric."""
        return repr(self)

    @staticmethod
    def literal_values(x: NDArray[Any]) -> str:
        """Nested lists with rationals as `Fraction(p, q)` and integers plain; rational arrays stay so."""
        if x.dtype != object:
            return repr(x.tolist())

        def show(v: Any) -> str:
            if isinstance(v, list):
                return "[" + ", ".join(show(w) for w in v) + "]"
            return str(v.numerator) if v.denominator == 1 else f"Fraction({v.numerator}, {v.denominator})"

        return show(x.tolist())

    @property
    def n(self) -> int:
        """Number of points."""
        return int(self.D.shape[0])

    @property
    def is_exact(self) -> bool:
        """True when distances are rationals."""
        return is_exact(self.D)

    @property
    def defect(self) -> Real:
        """Largest D_ij − D_ik − D_kj, or 0: what rounding took from the triangle inequality."""
        return self._defect  # type: ignore[attr-defined, no-any-return]

    @cached_property
    def diameter(self) -> Real:
        """max D."""
        return self.D.max()  # type: ignore[no-any-return]

    @cached_property
    def distances(self) -> NDArray[Any]:
        """The distinct positive distances, increasing."""
        return np.array(sorted(set(self.D.reshape(-1).tolist()) - {0}), dtype=self.D.dtype)

    def exact(self) -> Metric:
        """The same distances as rationals; triangles that rounding broke are closed by shortest paths."""
        if self.is_exact:
            return self
        if self.points is not None:
            return Metric.line(exact_array(self.points))
        D = exact_array(self.D)
        return Metric.shortest_paths(D) if self.defect > 0 else Metric(D)

    def float(self) -> Metric:
        """The same distances in doubles."""
        if not self.is_exact:
            return self
        return Metric(float_array(self.D), points=None if self.points is None else float_array(self.points))


def _check_points(x: NDArray[Any], D: NDArray[Any]) -> None:
    if x.ndim != 1 or D.shape != (len(x), len(x)):
        raise InvalidArgument(f"metric: points has shape {x.shape}, D has {D.shape}; use Metric.line(points)")
    off = np.abs(np.abs(x[:, None] - x[None, :]) - D)
    if off.max(initial=0) > (0 if is_exact(D) else SLACK * D.max(initial=0)):
        i, j = (int(k) for k in np.unravel_index(int(np.argmax(off)), D.shape))
        raise InvalidArgument(
            f"metric: D[{i}, {j}]={D[i, j]}, but |points[{i}] − points[{j}]|={abs(x[i] - x[j])}; use "
            "Metric.line(points)"
        )


def _check(D: NDArray[Any]) -> Real:
    """The rules of a metric, and by how much triangles of doubles fail."""
    if D.ndim != 2 or D.shape[0] != D.shape[1] or D.shape[0] == 0:
        raise InvalidArgument(f"metric: D has shape {D.shape}, must be (n, n) with n ≥ 1")
    exact = is_exact(D)
    if not exact and not np.isfinite(D).all():
        i, j = (int(k) for k in np.argwhere(~np.isfinite(D))[0])
        raise InvalidArgument(f"metric: D[{i}, {j}]={D[i, j]}, must be finite")
    if (np.diagonal(D) != 0).any():
        i = int(np.argmax(np.diagonal(D) != 0))
        raise InvalidArgument(f"metric: D[{i}, {i}]={D[i, i]}, must be 0")
    if (D != D.T).any():
        i, j = (int(k) for k in np.argwhere(D != D.T)[0])
        raise InvalidArgument(
            f"metric: D[{i}, {j}]={D[i, j]} ≠ D[{j}, {i}]={D[j, i]}; must be symmetric, try (D + D.T)/2"
        )
    off = D + np.eye(len(D), dtype=np.int64) * D.max(initial=1)
    if (off <= 0).any():
        i, j = (int(k) for k in np.argwhere(off <= 0)[0])
        rule = (
            "must be positive" if D[i, j] < 0 else "the same point twice; merge such points with quotient(D)"
        )
        raise InvalidArgument(f"metric: D[{i}, {j}]={D[i, j]}, {rule}")
    worst: Any = 0
    for k in range(len(D)):
        gap = D - D[:, k, None] - D[None, k, :]
        if gap.max() > worst:
            worst = gap.max()
            i, j = (int(t) for t in np.unravel_index(int(np.argmax(gap)), gap.shape))
            if exact or worst > SLACK * D.max():
                raise InvalidArgument(
                    f"metric: D[{i}, {j}]={D[i, j]} > D[{i}, {k}] + D[{k}, {j}] = {D[i, k]} + {D[k, j]}, the "
                    "triangle inequality fails; close the lengths with Metric.shortest_paths"
                )
    return Fraction(0) if exact else float(worst)


def quotient(D: Entries) -> tuple[Metric, NDArray[np.int64]]:
    """Points at distance 0 merged: the metric between classes, and the class of each point.

    Raises
    ------
    InvalidArgument
        If the classes do not form a metric.
    """
    arr = np.asarray(D)
    if arr.ndim != 2 or arr.shape[0] != arr.shape[1]:
        raise InvalidArgument(f"quotient: D has shape {arr.shape}, must be (n, n)")
    first: list[int] = []
    label = np.zeros(len(arr), dtype=np.int64)
    for i in range(len(arr)):
        at = next((c for c, k in enumerate(first) if arr[i, k] == 0), None)
        label[i] = len(first) if at is None else at
        if at is None:
            first.append(i)
        elif (arr[i] != arr[first[at]]).any():
            j = int(np.argmax(arr[i] != arr[first[at]]))
            raise InvalidArgument(
                f"quotient: points {first[at]} and {i} are at distance 0, but {arr[first[at], j]} and "
                f"{arr[i, j]} away from {j}: the triangle inequality fails"
            )
    return Metric(arr[np.ix_(first, first)]), label


def _values(V: Entries, metric: Metric, name: str = "V") -> StateVec:
    arr = plain_array(V, name=name)
    if arr.shape != (metric.n,):
        raise InvalidArgument(f"{name}: shape {arr.shape}, the metric has n={metric.n}; pass ({metric.n},)")
    if metric.is_exact and (arr.dtype == object or arr.dtype.kind in "iu"):
        return exact_array(arr)
    arr = float_array(arr)
    if not np.isfinite(arr).all():
        i = int(np.argmin(np.isfinite(arr)))
        raise InvalidArgument(f"{name}[{i}]={arr[i]}, must be finite")
    return arr


def slopes(V: Entries, metric: Metric) -> NDArray[Any]:
    """|V_i − V_j| / D_ij, (n, n), 0 on the diagonal; rational when V and the metric are."""
    v = _values(V, metric)
    D = metric.D if v.dtype == object else float_array(metric.D)
    return np.asarray(np.abs(v[:, None] - v[None, :]) / (D + np.eye(metric.n, dtype=np.int64)))


def lipschitz(V: Entries, metric: Metric) -> Real:
    """L(V) = max_{i≠j} |V_i − V_j| / D_ij.

    Returns
    -------
    A `Fraction` when V and the metric are rational; else a float within 4u relative.

    Examples
    --------
    >>> lipschitz([0, 1, 1], Metric.line([0, Fraction(1, 4), 1]))
    Fraction(4, 1)
    """
    return slopes(V, metric).max()  # type: ignore[no-any-return]


def local_lipschitz(V: Entries, metric: Metric, eps: Real) -> Real:
    """L_ε(V): the largest slope over pairs with 0 < D_ij ≤ ε; 0 if there are none.

    Accuracy as for `lipschitz`.

    Raises
    ------
    InvalidArgument
        If eps < 0.
    """
    if not eps >= 0:
        raise InvalidArgument(f"local_lipschitz: eps={eps}, must be a distance ≥ 0")
    q, level = slopes(V, metric), np.asarray(eps)
    return q[np.less_equal(metric.D, level)].max()  # type: ignore[no-any-return]


def lipschitz_envelope(V: Entries, metric: Metric, c: Real) -> StateVec:
    """V_c(i) = min_j V_j + c·D_ij: the largest c-Lipschitz function that is at most V; V itself if c ≥ L(V).

    Monotone in V and 1-Lipschitz in the sup norm, so it may follow any contraction.

    Raises
    ------
    InvalidArgument
        If c < 0.

    Examples
    --------
    >>> lipschitz_envelope([0, 5, 1], Metric.line([0, 1, 2]), 1).tolist()
    [Fraction(0, 1), Fraction(1, 1), Fraction(1, 1)]
    """
    if not c >= 0:
        raise InvalidArgument(f"lipschitz_envelope: c={c}, must be ≥ 0")
    v = _values(V, metric)
    if c == math.inf:
        return v.copy()
    if v.dtype == object:
        return np.asarray((v[None, :] + to_fraction(c) * metric.D).min(axis=1))
    return np.asarray((v[None, :] + float(c) * float_array(metric.D)).min(axis=1))


def value_lipschitz_bound(L_r: Real, K: Real, gamma: Real) -> Real:
    """L_r/(1 − γK): bounds L(V*) when rewards are L_r- and transitions K-Lipschitz; ∞ if γK ≥ 1.

    Raises
    ------
    InvalidArgument
        If L_r, K or gamma is negative or not a number.

    Source: Hinderer 2005; Müller 1996; Asadi, Misra, Littman 2018.

    Examples
    --------
    >>> value_lipschitz_bound(1, 1, Fraction(9, 10)), value_lipschitz_bound(1, 2, 0.5)
    (Fraction(10, 1), inf)
    """
    for name, x in (("L_r", L_r), ("K", K), ("gamma", gamma)):
        if not x >= 0:
            raise InvalidArgument(f"value_lipschitz_bound: {name}={x}, must be ≥ 0")
    left = 1 - gamma * K
    return L_r / left if left > 0 else math.inf
