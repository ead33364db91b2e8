"""Suprema and infima of expected utilities: CVaR, quantile, variance, mean − std, optimistic CVaR.

Definitions.  K(ν) = sup_b E_ν u_b is optimised by deterministic stock policies: solve for each b, keep
the best.  One solve gives sup_π E f(c + G) at every stock c = −b at once.

*CVaR*, φ(b) = b + V(s,−b)/τ with f = x₋; φ_ν has slopes in [1 − 1/τ, 1], so on a cell of width ε
    max_b φ ≤ (1−τ)φ(b_i) + τφ(b_{i+1}) + (1−τ)ε,
and where the b listed hold every return the best of them is exact.
*Quantile*, max q_τ = max{b : 1 − V(s,−b) < τ} with f = 1{x ≥ 0}.
*Variance, mean − λ·variance, mean − λ·std* are convex functions, falling in the second moment, of
(E G, E G²): their optimum is a vertex of the lower hull of the achievable pairs.  The vertices are the
optima of f = −x² from stocks c, found by bisection on c: two neighbours are accepted when the stock
where they tie shows no third.
*Optimistic CVaR* is an infimum over b: see `stock_optimistic`.

Source: distributional-dp, cvar, cvar-enclosure, sup-of-eu.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..arrays import float_array
from ..errors import NotConverged
from ..operators.objective import Objective
from ..operators.objectives import negative_square
from ..results.law import ReturnLaw
from ._stock_model import StockValues, U
from ._stock_search import CUTS, Outer, check_level, is_rational
from .stock_grid import GridValues
from .stock_optimistic import optimistic_cvar
from .stock_time import PassValues

MINUS_SQUARE = negative_square()


@dataclass(frozen=True, eq=False)
class Search:
    """How an objective is searched over the initial stock.

    Attributes
    ----------
    inner
        The expected utility solved.
    run
        (values, (G_min, G_max), state) ↦ `Outer`.
    moves
        By how much K(c + G) grows with c.
    lattice
        True where only an exact lattice of a finite horizon will do.
    says
        In words.
    """

    inner: Objective
    run: Callable[[Any, tuple[Any, Any], int], Outer]
    moves: int
    lattice: bool
    says: str


def search_of(objective: Objective) -> Search | None:
    """The search of CVaR, optimistic CVaR, quantile, variance, mean − variance or mean − std, else None."""
    outer = objective.outer
    if outer is None:
        return None
    if outer.family is not None and outer.family(1).inner is not None:
        lam = 2 * _parabola(outer.family(1).inner)[1]
        return Search(
            MINUS_SQUARE,
            lambda v, span, s: moments(v, span, s, "mean-std", lam),
            1,
            True,
            "initial stock over the hull of mean and second moment",
        )
    inner = outer.inner
    if inner is None:
        return None
    if outer.kind == "sup" and not inner.continuous:
        score = outer.score
        return Search(
            inner, lambda v, span, s: quantile(v, span, s, score), 1, True, "best level b, stock −b"
        )
    if inner.slopes is not None and outer.gain is not None:
        tau = 1 / outer.gain
        if outer.kind == "sup" and tuple(inner.slopes) == (0, 1):
            return Search(
                inner, lambda v, span, s: cvar(v, span, s, tau), 1, False, "best level b, initial stock −b"
            )
        if outer.kind == "inf" and tuple(inner.slopes) == (1, 0):
            return Search(
                inner,
                lambda v, span, s: optimistic_cvar(v, span, s, tau),
                1,
                False,
                "cutting planes over the level b, one coin at time 0 where it helps",
            )
    if outer.kind == "sup" and inner.f is not None:
        slope, curve = _parabola(inner)
        says = "initial stock over the hull of mean and second moment"
        if curve > 0 and slope == 0:
            return Search(MINUS_SQUARE, lambda v, span, s: moments(v, span, s, "variance"), 0, True, says)
        if curve > 0 and slope == 1:
            return Search(
                MINUS_SQUARE, lambda v, span, s: moments(v, span, s, "mean-variance", curve), 1, True, says
            )
    return None


def _parabola(inner: Objective | None) -> tuple[Any, Any]:
    """(a, k) where f(x) = ax − kx²; k = 0 where f is something else."""
    f: Any = inner.f if inner is not None else None
    one = Fraction(1)
    a, k = (f(one) - f(-one)) / 2, -(f(one) + f(-one)) / 2
    return (a, k) if f(3 * one) == 3 * a - 9 * k or abs(float(f(3 * one) - 3 * a + 9 * k)) < 1e-9 else (a, 0)


# ---- CVaR ------------------------------------------------------------------------------------------
def cvar(values: StockValues, span: tuple[Any, Any], s: int, tau: Any) -> Outer:
    """sup_π CVaR_τ(G), enclosed; f = x₋.

    Parameters
    ----------
    values
        Solution for f = x₋ whose nodes cover c = −b for all returns b.
    span
        (G_min, G_max) of all returns.
    s, tau
        Start state; τ in (0, 1].

    Returns
    -------
    Outer
        Exact for rational lattices of a finite horizon.
    """
    check_level("cvar", tau)
    if isinstance(values, GridValues):
        return _attained(_cvar_grid(values, span, s, tau), values, s, tau)
    tau = Fraction(tau) if is_rational(values, tau) else float(tau)
    stocks, row = values.nodes(), values.table()[s]
    b, V = -stocks[::-1], row[::-1]
    b, V = _covering(values, span, s, b, V)
    complete = isinstance(values, PassValues) and values.exact
    out = _enclose_cvar(b, V, tau, values.errors.total, complete)
    return out if values.errors.total == 0 else _attained(out, values, s, tau)


def _attained(out: Outer, values: StockValues, s: int, tau: Any) -> Outer:
    """The lower bound raised to what the law of the policy itself is sure to attain."""
    law = values.law(s, out.starts[0][1])
    sure = float(law.cvar(float(tau))) - float(law.error) / float(tau)
    sure -= 64 * U * (1 + abs(sure)) * len(law)
    return replace(
        out, lower=min(max(out.lower, sure), out.upper), value=min(max(out.value, sure), out.upper)
    )


def _covering(values: StockValues, span: tuple[Any, Any], s: int, b: Any, V: Any) -> tuple[Any, Any]:
    """b and V with the ends of the return range added where the nodes stop short of them."""
    lo, hi = span
    if values.table().dtype != object:
        lo, hi = float(lo), float(hi)
    slack: Any = 0 if b.dtype == object else 1e-9 * max(1.0, float(abs(b).max()))
    if b[0] > lo + slack:
        b, V = np.insert(b, 0, lo), np.insert(V, 0, values.read(s, -lo).value)
    if b[-1] < hi - slack:
        b, V = np.append(b, hi), np.append(V, values.read(s, -hi).value)
    return b, V


def _enclose_cvar(b: Any, V: Any, tau: Any, error: Any, complete: bool) -> Outer:
    """The enclosure from V(s,−b) ± error, error a number or one a level b."""
    if V.dtype != object or isinstance(tau, float):
        b, V, tau = float_array(b), float_array(V), float(tau)
    phi = b + V / tau
    best = int(np.argmax(phi))
    value = phi[best]
    exact = np.ndim(error) == 0 and error == 0
    top = phi if exact else phi + np.broadcast_to(error, phi.shape) / tau
    if complete or len(b) == 1:  # one b: the return is sure
        upper = top.max()
    else:
        width = b[1:] - b[:-1]
        upper = max(top[best], ((1 - tau) * top[:-1] + tau * top[1:] + (1 - tau) * width).max())
    if exact:
        return Outer(value, value, upper, ((1, -b[best]),), f"{len(b)} values of b")
    slack = 16 * U * float(abs(b).max() + abs(V).max() / float(tau))
    lower = float((phi - np.broadcast_to(error, phi.shape) / tau).max()) - slack
    start = b[best] if b.dtype == object else float(b[best])
    return Outer(float(value), lower, float(upper) + slack, ((1, -start),), f"{len(b)} values of b")


def _cvar_grid(values: GridValues, span: tuple[Any, Any], s: int, tau: Any) -> Outer:
    """Stocks between nodes are read as well, with bounds of their own: the spacing of b adds little."""
    lo, hi = float(span[0]), float(span[1])
    points = np.linspace(lo, hi, 16 * values.V.shape[1] + 1)
    _, V, noise = values.look(s, np.ascontiguousarray(-points))
    e = values.errors
    return _enclose_cvar(points, V, float(tau), noise + e.residual + e.rounding, False)


# ---- quantile --------------------------------------------------------------------------------------
def quantile(values: PassValues, span: tuple[Any, Any], s: int, score: Callable[[Any, Any], Any]) -> Outer:
    """max_π q_τ(G), q_τ the lower quantile; f = 1{x ≥ 0} on a lattice.

    `score(b, v)` is b where a probability v to reach b suffices, else −∞.  Where rounding leaves open
    whether it does, the bounds are two values of b.
    """
    b, V = -values.nodes()[::-1], values.table()[s][::-1]
    inside = ((b >= span[0]) & (b <= span[1])).astype(bool)
    b, V = b[inside], V[inside]
    slack: Any = max(values.errors.total, 1e-13) if values.errors.total else 0
    low, high = (max(score(x, v + e) for x, v in zip(b, V, strict=True)) for e in (-slack, slack))
    if low == -math.inf:
        low = b[0]
    return Outer(low, low, high, ((1, -low),), f"{len(b)} values of b")


# ---- functions of mean and second moment -----------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Vertex:
    """A law on the lower hull of (E G, E G²) and the stock whose solution it is."""

    stock: Any
    law: ReturnLaw
    mean: Any
    square: Any

    @property
    def var(self) -> Any:
        """E G² − (E G)²."""
        return self.square - self.mean * self.mean


def hull(values: PassValues, s: int, low: Any, high: Any) -> tuple[list[Vertex], float]:
    """Vertices seen from stocks low ≤ c ≤ high, f = −x², and how far below them the hull may lie in E G²."""
    exact = values.table().dtype == object
    gap = 0.0

    def vertex(c: Any) -> Vertex:
        law = values.law(s, c)
        second = law.expect(lambda x: x * x)
        return Vertex(c, law, law.mean, second)

    def error(c: Any) -> float:
        done, _ = values.locate(c)
        return 0.0 if exact else done.errors(values.snap, 0.0).rounding + 1e-13 * (1 + float(done.largest))

    found = [vertex(low)]
    todo = [vertex(high)]
    while todo:
        left, right = found[-1], todo[-1]
        c = left.stock
        if left.mean != right.mean:
            c = (right.square - left.square) / (2 * (left.mean - right.mean))
        if not left.stock < c < right.stock:  # one law is best at both
            found.append(todo.pop())
            continue
        line = left.square + 2 * c * left.mean
        new = vertex(c)
        e = error(c)
        if not line - (new.square + 2 * c * new.mean) > 4 * e:
            gap = max(gap, 5 * e)
            found.append(todo.pop())
            continue
        todo.append(new)
        if len(found) + len(todo) > CUTS:
            raise NotConverged(f"stock hull: more than {CUTS} vertices; use a coarser spacing")
    return found, gap


def moments(values: PassValues, span: tuple[Any, Any], s: int, kind: str, lam: Any = 0) -> Outer:
    """max_π of −variance, mean − λ·variance or mean − λ·std; f = −x² on a lattice of a finite horizon.

    Parameters
    ----------
    values
        Solution for f = −x².
    span
        (G_min, G_max).
    s
        Start state.
    kind
        "variance", "mean-variance" or "mean-std".
    lam
        λ ≥ 0 (> 0 for the last two).
    """
    extra: Any = 0
    if kind == "mean-variance":
        extra = 1 / (2 * lam)
    elif kind == "mean-std":
        extra = (span[1] - span[0]) / (2 * lam)
    low, high = -span[1] - extra, -span[0]
    if values.table().dtype == object and not all(isinstance(x, (int, Fraction)) for x in (low, high)):
        low, high = Fraction(low), Fraction(high)
    found, gap = hull(values, s, low, high)

    def K(v: Vertex, below: Any = 0) -> Any:
        var = v.var - below
        if kind == "variance":
            return -var
        if kind == "mean-variance":
            return v.mean - lam * var
        return float(v.mean) - float(lam) * math.sqrt(max(float(var), 0.0))

    best = max(found, key=K)
    value = K(best)
    starts = ((1, best.stock),)
    note = f"{len(found)} vertices of the hull of (E G, E G²)"
    if gap == 0 and isinstance(value, (int, Fraction)):
        return Outer(value, value, value, starts, note)
    slack = 64 * U * (1 + abs(float(value))) + float(lam or 1) * gap
    upper = max(float(K(v, gap)) for v in found) + slack
    return Outer(value, float(value) - slack, upper, starts, note)
