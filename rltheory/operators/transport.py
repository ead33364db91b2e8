"""Wasserstein distances between laws on a finite metric space, each with the certificate that proves it.

    W₁(p, q) = min Σ D_ij X_ij over couplings X of p and q = max Σ (p − q)φ over 1-Lipschitz φ
    W_∞(p, q) = the least ε with a coupling supported on D ≤ ε

Rational laws on a rational metric: X and φ are optimal exactly, the value is their common cost.  Doubles:
    Σ(p − q)φ − errors ≤ W₁ ≤ Σ D X + errors,
errors counted: rounding of both sums, masses of X that miss p and q (times the diameter), sums of p and q
that miss 1, triangles that fail by rounding.  On a line φ and X are monotone and known in closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Entries, Real, StateVec, exact_array, float_array, to_fraction
from ..errors import InvalidArgument, MissingBackend
from ..kernels.transport import transport
from ..models.mdp import MDP
from .metric import Metric

U = 2.0**-53
DROP = 1e-14
"""In doubles, mass below this is not carried along a path of its own (it enters the error)."""


@dataclass(frozen=True)
class Transport:
    """An optimal coupling and the potential that proves it.

    Attributes
    ----------
    value
        The distance: a `Fraction`, or a float between `lower` and `upper`.
    lower, upper
        Bounds that hold for the numbers given, rounding included; equal in rationals.
    coupling
        (n, n) mass moved from i to j.
    potential
        (n,) φ, 1-Lipschitz, with Σ(p − q)φ = value up to `error`; None for W_∞ and restricted couplings.
    """

    value: Real
    lower: Real
    upper: Real
    coupling: NDArray[Any]
    potential: StateVec | None = None

    @property
    def error(self) -> Real:
        """Bound on |value − true distance|; 0 in rationals."""
        return max(self.upper - self.value, self.value - self.lower)

    def __float__(self) -> float:
        return float(self.value)


def law(p: Entries, n: int, name: str, *, exact: bool) -> NDArray[Any]:
    """(n,) non-negative entries that sum to one: exactly, or up to 1e-9 in doubles."""
    arr = np.asarray(p)
    if arr.shape != (n,):
        raise InvalidArgument(f"{name}: shape {arr.shape}, the metric has n={n}; pass ({n},)")
    arr = exact_array(arr) if exact else float_array(arr)
    if not exact and not np.isfinite(arr).all():
        i = int(np.argmin(np.isfinite(arr)))
        raise InvalidArgument(f"{name}[{i}]={arr[i]}, must be finite")
    if (arr < 0).any():
        i = int(np.argmax(arr < 0))
        raise InvalidArgument(f"{name}[{i}]={arr[i]}, must be ≥ 0")
    total = arr.sum() if exact else math.fsum(arr)
    if abs(total - 1) > (0 if exact else 1e-9):
        raise InvalidArgument(f"{name}: sums to {total}, must sum to 1; divide it by its sum")
    return arr


def _exactly(p: Entries, q: Entries, metric: Metric) -> bool:
    """True when everything given is rational."""
    return metric.is_exact and all(np.asarray(x).dtype.kind in "Oiu" for x in (p, q))


def wasserstein_1(
    p: Entries,
    q: Entries,
    metric: Metric,
    *,
    within: Real | None = None,
    backend: Literal["compiled", "pot"] = "compiled",
) -> Transport:
    """W₁(p, q) = min Σ D_ij X_ij over couplings X, with its certificate.

    Parameters
    ----------
    p, q
        (n,) laws; in doubles both are meant divided by their sums.
    within
        Allow only pairs with D_ij ≤ within (at least W_∞(p, q)).
    backend
        Who transports doubles on a metric that is no line: the compiled kernel, or the network simplex of
        the POT package (`pip install rltheory[transport]`; a tenth of the time from a few hundred points
        on).  The certificate is evaluated here in either case.

    Returns
    -------
    `Transport`; exact for rational laws and metric, else with bounds a few ulp apart.

    Raises
    ------
    InvalidArgument
        p or q is no law on the points of the metric; no coupling is supported on D ≤ within; POT is asked
        to transport rationals or within a distance.
    MissingBackend
        POT is not installed.

    Complexity: O(n log n) on a line; else O(n³) in practice.

    Examples
    --------
    >>> from fractions import Fraction as F
    >>> m = Metric.line([0, F(1, 4), 1])
    >>> wasserstein_1([F(1, 2), F(3, 10), F(1, 5)], [F(1, 5), F(3, 10), F(1, 2)], m).value
    Fraction(3, 10)
    """
    exact = _exactly(p, q, metric)
    a, b = (law(x, metric.n, name, exact=exact) for x, name in ((p, "p"), (q, "q")))
    if backend not in ("compiled", "pot"):
        raise InvalidArgument(f"backend={backend!r}, must be 'compiled' or 'pot'")
    if backend == "pot" and (exact or within is not None):
        what = "rationals" if exact else f"within={within}"
        raise InvalidArgument(f"wasserstein_1: backend='pot' with {what}; use backend='compiled'")
    if within is not None:
        return _restricted(a, b, metric, within, exact)
    if metric.points is not None:
        X, phi = _monotone(a, b, metric.points, exact)
    else:
        X, phi = _flow(a, b, metric, exact, backend)
    return _certified(a, b, metric, X, phi, exact)


def wasserstein_inf(p: Entries, q: Entries, metric: Metric, *, drop: float = 1e-12) -> Transport:
    """W_∞(p, q): the least ε such that a coupling of p and q is supported on D ≤ ε.

    The value is one of the distances (or 0).  Its certificate is the coupling, and that the next smaller
    distance admits none (a set of points whose mass under p exceeds the mass of q within reach).

    Parameters
    ----------
    p, q
        (n,) laws.
    drop
        In doubles, mass below this is not carried along a path of its own, so up to 4n·drop may be left out:
        W_∞ jumps where a rounding error would have to be moved far.

    Returns
    -------
    `Transport`; in doubles its value is proved for laws that miss p and q by the mass left out, no more: a
    mass of 1e-13 that has to go far is not seen.  Rational laws see everything.

    Raises
    ------
    InvalidArgument
        p or q is no law on the points of the metric, or drop is outside [0, 1e-3/n].

    Complexity: O(log n) transports.
    """
    exact = _exactly(p, q, metric)
    a, b = (law(x, metric.n, name, exact=exact) for x, name in ((p, "p"), (q, "q")))
    if not 0 <= drop <= 1e-3 / metric.n:
        raise InvalidArgument(f"wasserstein_inf: drop={drop}, must be in [0, 1e-3/n]; 1e-12 is for rounding")
    if not exact:  # sums that miss 1 by rounding would leave mass with nowhere to go
        a, b = a / math.fsum(a), b / math.fsum(b)
        drop = max(drop, DROP)
    levels: list[Any] = [0 * metric.D[0, 0], *metric.distances.tolist()]
    low, high = 0, len(levels) - 1
    best = _feasible(a, b, metric, levels[high], exact, drop)
    while low < high:
        mid = (low + high) // 2
        X = _feasible(a, b, metric, levels[mid], exact, drop)
        if X is None:
            low = mid + 1
        else:
            high, best = mid, X
    assert best is not None  # every pair is allowed at the diameter
    eps = levels[high]
    value = to_fraction(eps) if exact else float(eps)
    return Transport(value, value, value, best)


def kernel_distance(P: Entries, P_hat: Entries, metric: Metric) -> NDArray[Any]:
    """(S, A) array of W₁(P(·|s,a), P̂(·|s,a)), for (S, A, S) transitions, or any (..., n) laws.

    Rational for rational arguments; in doubles each entry is within rounding of the true distance (its
    bounds: `wasserstein_1`).

    Raises
    ------
    InvalidArgument
        Shapes differ, or a row is no law.
    """
    A, B = np.asarray(P), np.asarray(P_hat)
    if A.shape != B.shape or A.ndim < 1 or A.shape[-1] != metric.n:
        raise InvalidArgument(
            f"kernel_distance: P has shape {A.shape}, P_hat {B.shape}, the metric n={metric.n}; "
            "must be (..., n), the same for both"
        )
    rows = zip(A.reshape(-1, metric.n), B.reshape(-1, metric.n), strict=True)
    values = [wasserstein_1(p, q, metric).value for p, q in rows]
    return np.array(values, dtype=object if _exactly(A, B, metric) else np.float64).reshape(A.shape[:-1])


def dynamics_lipschitz(mdp: MDP, metric: Metric) -> Real:
    """K = max over a and s ≠ s' of W₁(P(·|s,a), P(·|s',a)) / D(s, s'); 0 for one state.

    Rational for a rational model and metric.

    Raises
    ------
    InvalidArgument
        Action sets that differ by state: no action is then the same in both.
    """
    if not mdp.is_uniform:
        raise InvalidArgument("dynamics_lipschitz: action sets differ by state; give every state all actions")
    P = mdp.P
    best: Any = 0 * metric.D[0, 0]
    for s in range(mdp.S):
        for t in range(s):
            far = kernel_distance(P[s], P[t], metric).max() / metric.D[s, t]
            best = max(best, far)
    return best  # type: ignore[no-any-return]


# ---- couplings and potentials ----------------------------------------------------------------
def _monotone(a: NDArray[Any], b: NDArray[Any], x: NDArray[Any], exact: bool) -> tuple[Any, Any]:
    """On a line: the monotone coupling, and φ with slope −sign(F − G)."""
    n = len(a)
    order = np.argsort(x, kind="stable")
    zero: Any = Fraction(0) if exact else 0.0
    X = np.full((n, n), zero, dtype=a.dtype)
    left, right, i, j = a[order].tolist(), b[order].tolist(), 0, 0
    while i < n and j < n:
        move = min(left[i], right[j])
        X[order[i], order[j]] += move
        left[i] -= move
        right[j] -= move
        if left[i] <= right[j] and i < n:  # at least one of the two is empty
            i += 1
        else:
            j += 1
    phi = np.full(n, zero, dtype=a.dtype)
    gap = zero
    for k in range(1, n):
        gap += a[order[k - 1]] - b[order[k - 1]]
        step = x[order[k]] - x[order[k - 1]]
        phi[order[k]] = phi[order[k - 1]] - (step if gap > 0 else -step if gap < 0 else zero)
    return X, phi


def _network(
    a: NDArray[Any], b: NDArray[Any], C: NDArray[Any], exact: bool, drop: float = DROP
) -> tuple[int, Any, Any, Any]:
    """Status of the kernel, plan, and duals; rationals through integers."""
    m, n = C.shape
    ranks = np.zeros(m + n, dtype=np.int64), np.zeros(m + n, dtype=np.int64)
    if not exact:
        X, u, v, dist = np.zeros((m, n)), np.zeros(m), np.zeros(n), np.zeros(m + n)
        status = transport(a.copy(), b.copy(), np.ascontiguousarray(C), X, u, v, dist, *ranks, drop)
        return int(status), X, u, v
    mass = math.lcm(*(f.denominator for f in (*a.tolist(), *b.tolist())))
    unit = math.lcm(*(f.denominator for f in C.reshape(-1).tolist()))
    ia, ib, iC = (_integers(z, s) for z, s in ((a, mass), (b, mass), (C, unit)))
    zeros = [np.zeros(shape, dtype=object) for shape in ((m, n), (m,), (n,), (m + n,))]
    status = transport.py_func(ia, ib, iC, *zeros, *ranks, 0)
    return int(status), _over(zeros[0], mass), _over(zeros[1], unit), _over(zeros[2], unit)


def _integers(x: NDArray[Any], scale: int) -> NDArray[Any]:
    out = np.empty(x.shape, dtype=object)
    out.reshape(-1)[:] = [int(f * scale) for f in x.reshape(-1).tolist()]
    return out


def _over(x: NDArray[Any], scale: int) -> NDArray[Any]:
    out = np.empty(x.shape, dtype=object)
    out.reshape(-1)[:] = [Fraction(int(k), scale) for k in x.reshape(-1).tolist()]
    return out


def _flow(a: NDArray[Any], b: NDArray[Any], metric: Metric, exact: bool, backend: str) -> tuple[Any, Any]:
    """The mass common to both stays; the rest is transported; φ = min_j D(·, j) − v_j."""
    rows, cols = np.flatnonzero(a > b), np.flatnonzero(b > a)
    D = metric.D if exact else float_array(metric.D)
    X = np.zeros_like(D) if not exact else np.full(D.shape, Fraction(0), dtype=object)
    X[np.arange(metric.n), np.arange(metric.n)] = np.minimum(a, b)
    if not len(rows) or not len(cols):
        return X, 0 * a
    C = D[np.ix_(rows, cols)]
    if backend == "pot":
        plan, v = _pot((a - b)[rows], (b - a)[cols], C)
    else:
        _, plan, _, v = _network((a - b)[rows], (b - a)[cols], C, exact)
    X[np.ix_(rows, cols)] += plan
    return X, np.asarray((D[:, cols] - v[None, :]).min(axis=1))


def _pot(a: NDArray[Any], b: NDArray[Any], C: NDArray[Any]) -> tuple[Any, Any]:
    """Plan and column duals of POT's network simplex, on masses scaled to one."""
    try:
        import ot
    except ImportError as exc:
        raise MissingBackend("backend='pot' needs POT: pip install rltheory[transport]") from exc
    size = a.sum()
    plan, log = ot.emd(a / size, b / b.sum(), np.ascontiguousarray(C), numItermax=10_000_000, log=True)
    return plan * size, log["v"]


def _restricted(a: NDArray[Any], b: NDArray[Any], metric: Metric, within: Real, exact: bool) -> Transport:
    """Least cost over couplings supported on D ≤ within, bounded by the dual of that program."""
    if not within >= 0:
        raise InvalidArgument(f"wasserstein_1: within={within}, must be a distance ≥ 0 (None for any)")
    D = metric.D if exact else float_array(metric.D)
    C = np.where(np.less_equal(metric.D, np.asarray(within)), D, -1 + 0 * D)
    status, X, u, v = _network(a, b, C, exact)
    left = abs(1 - X.sum())
    if status >= 0 and left > (0 if exact else 1e-12):
        raise InvalidArgument(
            f"wasserstein_1: no coupling of p and q is supported on D ≤ {within}; the least is "
            "wasserstein_inf(p, q, metric).value"
        )
    if exact:
        cost, dual = (X * D).sum(), (a * u).sum() + (b * v).sum()
        return Transport(cost, _equal(dual, cost), cost, X)
    cost, dual = math.fsum((X * D).reshape(-1)), math.fsum([*(a * u), *(b * v)])
    off = float(np.abs(X.sum(axis=1) - a).sum() + np.abs(X.sum(axis=0) - b).sum())
    size = float(np.abs(u).max() + np.abs(v).max() + metric.diameter)
    slip = (8 * metric.n + 16) * U * size + (off + _miss(a) + _miss(b)) * size
    violated = float(np.where(C >= 0, u[:, None] + v[None, :] - C, 0.0).max())
    return Transport(cost, max(0.0, dual - violated - slip), cost + slip, X)


def _feasible(
    a: NDArray[Any], b: NDArray[Any], metric: Metric, eps: Any, exact: bool, drop: float
) -> NDArray[Any] | None:
    """A coupling supported on D ≤ eps, or None."""
    allowed = np.less_equal(metric.D, eps)
    zero: Any = exact_array(np.zeros(metric.D.shape, dtype=np.int64)) if exact else np.zeros(metric.D.shape)
    status, X, _, _ = _network(a, b, np.where(allowed, zero, zero - 1), exact, 0.0 if exact else drop)
    if exact:
        return X if status < 0 else None
    return X if abs(1 - X.sum()) <= 4 * metric.n * drop else None


def _equal(dual: Any, cost: Any) -> Any:
    if dual != cost:  # a fault of this module: never seen as a wrong answer
        raise ArithmeticError(f"transport: dual {dual} and cost {cost} differ; please report the instance")
    return cost


def _miss(p: NDArray[Any]) -> float:
    """|1 − Σp|, rounded up."""
    return abs(1 - math.fsum(p)) + 2 * U


def _certified(
    a: NDArray[Any], b: NDArray[Any], metric: Metric, X: NDArray[Any], phi: NDArray[Any], exact: bool
) -> Transport:
    """Both certificates evaluated from the data alone."""
    if exact:
        cost, dual = (X * metric.D).sum(), ((a - b) * phi).sum()
        feasible = (X >= 0).all() and (X.sum(axis=1) == a).all() and (X.sum(axis=0) == b).all()
        lip = (np.abs(phi[:, None] - phi[None, :]) <= metric.D).all()
        _equal(feasible and lip, True)
        return Transport(cost, _equal(dual, cost), cost, X, phi)
    D, n = float_array(metric.D), metric.n
    phi = phi - (phi.max() + phi.min()) / 2
    top = float(np.abs(phi).max())
    wide = float(metric.diameter)
    steep = float((np.abs(phi[:, None] - phi[None, :]) - D).max(initial=0.0))
    miss = _miss(a) + _miss(b)
    dual = math.fsum((a - b) * phi)
    lower = dual - max(0.0, steep + 2 * U * wide) - 4 * U * top - miss * top
    cost = math.fsum((X * D).reshape(-1))
    off = np.abs(X.sum(axis=1) - a).sum() + np.abs(X.sum(axis=0) - b).sum() + miss + 4 * n * U
    upper = cost * (1 + 4 * U) + float(off) * wide + 2 * U * wide
    value = min(max(cost, lower), upper)
    return Transport(value, max(0.0, lower), max(upper, 0.0), X, phi)
