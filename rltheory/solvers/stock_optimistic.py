"""Optimistic CVaR: an infimum of expected utilities over a level b, by cutting planes over laws.

Definitions.  OCVaR_τ(ν) = min_b [b + E_ν(G − b)₊/τ] is concave in ν, so over randomised policies

    sup OCVaR_τ = min_b [b + V(s,−b)/τ],   V(s,c) = sup_π E(c + G)₊,

and a deterministic policy may fall short.  The master minimises over b the largest of the convex,
piecewise linear functions of the laws found so far; the stock problem at its b either is worth no more
(then b is optimal) or yields another law.  Two laws active at b, one falling and one rising, mixed so
that the slope is 0, attain the optimum: one coin at time 0.

Source: distributional-dp, A6, optimistic-cvar.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ..errors import NotConverged
from ..results.law import ReturnLaw
from ._stock_model import StockValues, U
from ._stock_search import CUTS, Outer, check_level, is_rational
from .stock_time import PassValues


def optimistic_cvar(values: StockValues, span: tuple[Any, Any], s: int, tau: Any, tol: float = 1e-9) -> Outer:
    """sup over randomised policies of the mean of the highest τ of the mass; f = x₊.

    Stops when the stock problem at the master's b is worth no more than the master (exactly in rationals,
    else by `tol` or the solution's own error).

    Returns
    -------
    Outer
        `starts` holds one or two (weight, c_0).
    """
    check_level("optimistic_cvar", tau)
    exact = is_rational(values, tau) and isinstance(values, PassValues)
    t: Any = Fraction(tau) if exact else float(tau)
    laws: list[ReturnLaw] = []
    found: list[Any] = []
    b: Any = span[0] if exact else float(span[0])
    best: Any = None
    while True:
        reading = values.read(s, -b)
        top = b + reading.upper / t
        best = top if best is None or top < best else best
        law = values.law(s, -b)
        if laws and law in laws:
            break
        laws.append(law)
        found.append(b)
        b, master = _master(laws, t)
        at = values.read(s, -b)
        top = b + at.upper / t
        best = min(best, top)
        slack: Any = 0 if exact else max(tol, float(at.upper) - float(at.lower)) / float(t)
        if top <= master + slack:
            break
        if len(laws) > CUTS:
            raise NotConverged(
                f"optimistic_cvar: more than {CUTS} cuts, gap {float(top - master):.3g}; raise tol"
            )
    b, master = _master(laws, t)
    starts = tuple((w, -found[i]) for w, i in _balance(laws, b, master, t, exact))
    note = f"{len(laws)} cuts, b={b}"
    if exact:
        return Outer(master, master, best, starts, note)
    off = max(float(x.error) for x in laws) / float(t) + 64 * U * (1 + abs(float(master)))
    return Outer(float(master), float(master) - off, max(float(best), float(master)), starts, note)


def _above(law: ReturnLaw, b: Any, tau: Any) -> Any:
    """b + E(G − b)₊/τ."""
    over = law.atoms > b
    return b + ((law.atoms[over] - b) * law.probs[over]).sum() / tau


def _master(laws: list[ReturnLaw], tau: Any) -> tuple[Any, Any]:
    """argmin and min over b of max_j [b + E_j(G − b)₊/τ]: the minimum sits on an atom or a crossing."""

    def top(b: Any) -> Any:
        return max(_above(law, b, tau) for law in laws)

    atoms = sorted({x for law in laws for x in law.atoms.tolist()})
    lo, hi = 0, len(atoms) - 1
    while hi - lo > 1:  # convex in b: halve the range of atoms
        mid = (lo + hi) // 2
        if top(atoms[mid]) <= top(atoms[mid + 1]):
            hi = mid
        else:
            lo = mid
    near = atoms[max(lo - 1, 0) : hi + 2]
    spots = list(near)
    for left, right in zip(near, near[1:], strict=False):
        ends = [(_above(law, left, tau), _above(law, right, tau)) for law in laws]
        for i, (a0, a1) in enumerate(ends):
            for c0, c1 in ends[i + 1 :]:
                rise = (a0 - c0) - (a1 - c1)
                if rise != 0:
                    x = left + (right - left) * (a0 - c0) / rise
                    if left < x < right:
                        spots.append(x)
    best = min(spots, key=top)
    return best, top(best)


def _balance(laws: list[ReturnLaw], b: Any, master: Any, tau: Any, exact: bool) -> list[tuple[Any, int]]:
    """Weights of one or two active laws whose mixture has b as a minimiser."""
    close: Any = 0 if exact else 1e-9 * (1 + abs(float(master)))
    active = [i for i, law in enumerate(laws) if _above(law, b, tau) >= master - close]

    def slopes(i: int) -> tuple[Any, Any]:
        law = laws[i]
        edge: Any = 0 if exact else 1e-9 * (1 + abs(float(b)))
        more, least = law.probs[law.atoms > b + edge].sum(), law.probs[law.atoms >= b - edge].sum()
        return 1 - least / tau, 1 - more / tau

    both = {i: slopes(i) for i in active}
    for i, (left, right) in both.items():
        if left <= 0 <= right:
            return [(1, i)]
    falling = min(both, key=lambda i: both[i][1])
    rising = max(both, key=lambda i: both[i][0])
    down, up = both[falling][1], both[rising][0]
    if not down < 0 < up:
        return [(1, falling if abs(down) < abs(up) else rising)]
    w = up / (up - down)
    return [(w, falling), (1 - w, rising)]
