"""Stock problems step by step on nodes of x_t = γ^t c_t: any utility f, any γ ∈ (0, 1].

Definitions.  V_H(s,x) = f(x) and V_t(s,x) = max_a Σ p V_{t+1}(s', x + γ^t r); f is evaluated at exact
points in the last step, interpolation acts in the others.  An infinite horizon is cut at H with
V_H(s,x) = f(x + γ^H (r_min + r_max)/(2(1−γ))).

Error at nodes, f L-Lipschitz: L·√N ≤ (L/2)·√(Σ_{t=1}^{H−1} δ²), N the largest squared rounding noise of any
policy (`_stock_pass`), plus L·γ^H (r_max − r_min)/(2(1−γ)) for an infinite horizon.  For convex f
interpolation only overestimates.

Source: distributional-dp, time-indexed-grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ..arrays import Real
from ..errors import InvalidArgument
from ..results.law import ReturnLaw
from ._stock_model import Errors, Problem, Reading, U, Utility, bounded, decimal
from ._stock_pass import Ladder, Pass, backward


@dataclass(frozen=True, eq=False)
class PassValues:
    """`StockValues` of a backward pass; a stock between its nodes gets a narrow pass of its own.

    Attributes
    ----------
    problem, utility
        What is solved.
    main
        The pass over the window of initial stocks.
    H
        Steps, after truncation.
    snap, tail
        Largest change made to a reward; bound on what the return may still differ by.
    others
        Narrow passes by (step, stock).
    """

    problem: Problem
    utility: Utility
    main: Pass
    H: int
    snap: float = 0.0
    tail: float = 0.0
    others: dict[tuple[int, Any], Pass] = field(default_factory=dict)

    @property
    def errors(self) -> Errors:
        """Error bound at nodes, in parts."""
        return self.main.errors(self.snap, self.tail)

    @property
    def exact(self) -> bool:
        """True on a lattice."""
        return self.main.ladder.exact

    def nodes(self) -> NDArray[Any]:
        """(n,) stocks whose values were computed, ascending."""
        return self.main.ladder.positions(0)

    def table(self) -> NDArray[Any]:
        """(S, n) values at the nodes."""
        return self.main.values

    def locate(self, stock: Real, t: int = 0) -> tuple[Pass, int]:
        """A pass whose step t has a node at x = γ^t·stock, and the node: (pass, index)."""
        x = self._position(stock, t)
        for done in (self.main, *self.others.values()):
            j = _node(done, x, t)
            if j is not None:
                return done, j
        return self._narrow(x, t), 0

    def _position(self, stock: Real, t: int) -> Any:
        if self.exact:
            return decimal(stock) * self.main.ladder.power(t)
        return float(stock) * self.problem.g**t

    def _narrow(self, x: Any, t: int) -> Pass:
        key = t, x
        if key not in self.others:
            lad = self.main.ladder
            small = Ladder.build(
                self.problem, self.H, x, 1, lad.delta, exact=lad.exact, tail=lad.tail, first=t
            )
            self.others[key] = backward(small, self.utility, rational=self.main.rational)
        return self.others[key]

    def read(self, s: int, stock: Real) -> Reading:
        """V*(s, c) and its bounds, at any stock."""
        done, j = self.locate(stock)
        e = done.errors(self.snap, self.tail, s)
        return bounded(done.values[s, j], e.total, convex=e.discretisation if self.utility.convex else 0.0)

    def action(self, s: int, stock: Real, t: int = 0) -> int:
        """Action id in state s with stock c_t at step t."""
        if not 0 <= t < self.H:
            raise InvalidArgument(f"policy: t={t}, steps are 0..{self.H - 1}")
        done, j = self._nearest(stock, t)
        m = self.problem.stage(t).model
        return int(m.pair_action[int(m.state_ptr[s]) + int(done.acts[t - done.ladder.first][s, j])])

    def _nearest(self, stock: Real, t: int) -> tuple[Pass, int]:
        if self.exact:
            return self.locate(stock, t)
        x = self._position(stock, t)
        for done in (self.main, *self.others.values()):
            i = t - done.ladder.first
            if i >= 0:
                rung = done.ladder.rungs[i]
                j = round((x - float(rung.low)) / float(done.ladder.delta))
                if 0 <= j < rung.size:
                    return done, j
        return self.locate(stock, t)

    def law(self, s: int, stock: Real) -> ReturnLaw:
        """Law of the return of the policy from (s, c_0)."""
        done, j = self.locate(stock)
        law = done.push(s, j, self.tail)
        if self.snap:
            error = float(law.error) + self.snap * self.H
            law = ReturnLaw(law.atoms, law.probs, error=error, kind=law.kind)
        return law


def _node(done: Pass, x: Any, t: int) -> int | None:
    lad = done.ladder
    i = t - lad.first
    if i < 0:
        return None
    rung = lad.rungs[i]
    y = (x - rung.low) / lad.delta
    j = round(y)
    if not 0 <= j < rung.size:
        return None
    on = y == j if lad.exact else abs(y - j) <= 16 * U * max(1.0, abs(float(x)) / float(lad.delta))
    return j if on else None


def window(problem: Problem, stocks: tuple[Real, Real] | None) -> tuple[Any, Any]:
    """Initial stocks served: those given, or from −G_max to −G_min, 0 included."""
    if stocks is not None:
        if not stocks[0] <= stocks[1]:
            raise InvalidArgument(f"stocks={stocks}, must be (lowest, highest) initial stock")
        return stocks
    lo, hi = problem.span
    return min(-hi, 0 * hi), max(-lo, 0 * lo)


def time_values(
    problem: Problem,
    utility: Utility,
    *,
    atoms: int,
    stocks: tuple[Real, Real] | None = None,
    tol: float | None = None,
    progress: bool | None = None,
) -> PassValues:
    """sup_π E f(c + G) for all states and initial stocks, by interpolation on time-indexed nodes.

    Parameters
    ----------
    problem, utility
        f must be Lipschitz.
    atoms
        Number of nodes over the final range: initial stocks plus returns.
    stocks
        (lowest, highest) initial stock; `window` by default.
    tol
        Error wanted instead of `atoms`: discretisation plus tail at most `tol`.
    progress
        Show a bar; by default on a terminal.

    Raises
    ------
    InvalidArgument
        If f has no Lipschitz constant: no grid bound holds.
    """
    if not math.isfinite(utility.L):
        raise InvalidArgument(
            "stock grid: f has no Lipschitz constant (a jump, or x²): no bound holds on a grid; "
            "use representation='lattice', or give expected_utility(f, lipschitz=...) on the range needed"
        )
    lo, hi = (float(x) for x in window(problem, stocks))
    g_lo, g_hi = (float(x) for x in problem.span)
    reach = (hi - lo) + (g_hi - g_lo)
    if reach == 0:
        reach = 1.0
    cells = max(1, atoms - 1)
    if tol is not None:
        cells = _cells(problem, utility.L * reach, tol)
    delta = reach / cells
    H, tail, middle = _horizon(problem, delta if tol is None else min(delta, tol / max(utility.L, 1e-300)))
    start = delta * math.floor(lo / delta + 1e-9) if lo < 0 < hi else lo
    size = max(1, math.ceil((hi - start) / delta - 1e-9) + 1)
    ladder = Ladder.build(problem, H, start, size, delta, exact=False, tail=middle)
    done = backward(ladder, utility, rational=False, progress=progress, label="stock, step by step")
    return PassValues(problem, utility, done, H, tail=tail)


def _cells(problem: Problem, scale: float, tol: float) -> int:
    """Cells for which (L/2)·√(H−1)·δ ≤ 0.9·tol."""
    H, cells = problem.H, 1
    for _ in range(8):
        steps = H if H is not None else _horizon(problem, tol)[0]
        cells = math.ceil(scale * math.sqrt(max(1, steps - 1)) / (2 * 0.9 * tol))
    return cells


def _horizon(problem: Problem, delta: float) -> tuple[int, float, float]:
    """Steps, the tail's bound and its midpoint: a tail of at most δ/50 for infinite horizons."""
    if problem.H is not None:
        return problem.H, 0.0, 0.0
    lo, hi = (float(x) for x in problem.span)
    half = (hi - lo) / 2
    H = 1
    if half > 0:
        H = max(1, math.ceil(math.log(max(half / (0.02 * delta), 1.0)) / -math.log(problem.g)))
    power = problem.g**H
    return H, power * half * (1 + 16 * U), power * (lo + hi) / 2
