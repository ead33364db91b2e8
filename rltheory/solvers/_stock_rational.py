"""Exact values of infinite-horizon stock problems: finitely many (state, stock) points, one rational solve.

f = a₊x₊ + a₋x₋.  Left of lo = −r_max/(1−γ) the total c + G never turns positive, right of
hi = −r_min/(1−γ) never negative, and both sides are absorbing; there V*(s,c) = a·(c + v(s)), a = a₋ or
a₊, v = V_max where a ≥ 0 and V_min where a < 0.  Inside, the points reachable from those asked for
form a finite model as soon as 1/γ is an integer (stocks keep their denominator), or as stocks are
split between the nodes of a grid.  It is solved by sweeps in doubles, then policy iteration in
rationals: one solve per strong component of the policy's graph, one exact comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from ..arrays import to_fraction
from ..errors import InvalidArgument
from ..kernels import exact as rational
from ..kernels.ordering import strong_order
from ..operators._arrays import SMALL_STATES
from ._stock_model import Problem

Point = tuple[int, Fraction]
Split = Callable[[Fraction], list[tuple[Fraction, Fraction]]]
"""c ↦ [(node, weight)]: how a stock is put on nodes."""
FAR_TOL = 1e-13
"""Accuracy asked of the risk-neutral values in doubles; what is reached is counted."""
LIMIT = 200_000
"""Points beyond which a rational solve is refused."""


@dataclass(frozen=True, eq=False)
class FarField:
    """a₋, a₊ and the risk-neutral values that hold left and right of the window, with their policies.

    Attributes
    ----------
    lo, hi
        The window.
    slopes
        (left, right) = (a₋, a₊).
    values
        Two (S,) vectors v: V* = slope·(c + v(s)).
    actions
        Two (S,) arrays of action ids.
    error
        Bound on the error of `values`.
    """

    lo: Any
    hi: Any
    slopes: tuple[Any, Any]
    values: tuple[Any, Any]
    actions: tuple[Any, Any]
    error: float

    @classmethod
    def of(cls, problem: Problem, slopes: tuple[Any, Any], window: tuple[Any, Any] | None = None) -> FarField:
        """Far field of f = a₊x₊ + a₋x₋, slopes = (a₊, a₋); `window` may widen the smallest window."""
        from .choice import Portfolio
        from .portfolio import solve
        from .small import SmallDense

        model = problem.stages[0].model
        lo, hi = (-x for x in reversed(problem.span))
        if window is not None:
            if not (window[0] <= lo and hi <= window[1]):
                raise InvalidArgument(
                    f"window={window} does not cover [{float(lo):.6g}, {float(hi):.6g}], outside of which "
                    "c + G keeps its sign; leave window=None"
                )
            lo, hi = window
        mean = model.to_mdp()
        solver: Any = None
        if not model.is_exact:
            solver = SmallDense(FAR_TOL) if model.S <= SMALL_STATES else Portfolio(FAR_TOL)
        best = solve(mean, solver, throw=False)
        worst = solve(mean.replace(R=-mean.R_pairs), solver, throw=False)
        pair = (slopes[1], slopes[0])
        values = tuple(best.V if a >= 0 else -worst.V for a in pair)
        actions = tuple((best if a >= 0 else worst).pi.actions for a in pair)
        error = 0.0 if model.is_exact else max(float(best.error), float(worst.error))
        return cls(lo, hi, pair, values, actions, error)

    def side(self, c: Any) -> int | None:
        """0 left of the window or on its edge, 1 right, None inside."""
        return 0 if c <= self.lo else 1 if c >= self.hi else None

    def value(self, side: int, s: int, c: Any) -> Any:
        """V*(s, c) outside the window."""
        return self.slopes[side] * (c + self.values[side][s])


@dataclass(frozen=True, eq=False)
class RationalStock:
    """V* and the lowest optimal action at (state, stock) points, found on demand and kept.

    Attributes
    ----------
    problem, far
        The problem over the rationals, and what holds outside the window.
    split
        None where stocks are kept as they are (1/γ an integer); otherwise nodes and weights.
    V, act
        Values (fmpq) and action positions found so far.
    """

    problem: Problem
    far: FarField
    split: Split | None = None
    V: dict[Point, fmpq] = field(default_factory=dict)
    act: dict[Point, int] = field(default_factory=dict)

    def value(self, s: int, c: Fraction) -> Fraction:
        """V*(s, c), exact."""
        side = self.far.side(c)
        if side is not None:
            return to_fraction(self.far.value(side, s, c))
        self.solve([(s, c)])
        return rational.from_fmpq(self.V[s, c])

    def solve(self, points: Iterable[Point]) -> None:
        """Find the values of `points` inside the window and of all they lead to."""
        rows = self._explore([p for p in points if p not in self.V])
        if not rows.points:
            return
        policy = rows.float_policy()
        while True:
            V = rows.evaluate(policy)
            better = rows.improve(V, policy)
            if better is None:
                break
            policy = better
        for i, point in enumerate(rows.points):
            self.V[point] = V[i]
            self.act[point] = policy[i] - rows.ptr[i]

    def _explore(self, todo: list[Point]) -> Rows:
        m, gamma = self.problem.stages[0].model, to_fraction(self.problem.gamma)
        rows = Rows([], [0], [], [])
        index: dict[Point, int] = {}
        for point in todo:
            if point not in index:
                index[point] = len(rows.points)
                rows.points.append(point)
        i = 0
        prob, reward = m.prob.tolist(), m.reward.tolist()
        while i < len(rows.points):
            s, c = rows.points[i]
            for a in range(m.state_ptr[s], m.state_ptr[s + 1]):
                constant = fmpq(0)
                entries: dict[int, fmpq] = {}
                for k in range(m.outcome_ptr[a], m.outcome_ptr[a + 1]):
                    t, p = int(m.next_state[k]), gamma * prob[k]
                    for x, w in self._landing((c + reward[k]) / gamma):
                        side = self.far.side(x)
                        if side is not None:
                            constant += rational.to_fmpq(p * w * self.far.value(side, t, x))
                        elif (t, x) in self.V:
                            constant += rational.to_fmpq(p * w) * self.V[t, x]
                        else:
                            if (t, x) not in index:
                                index[t, x] = len(rows.points)
                                rows.points.append((t, x))
                            j = index[t, x]
                            entries[j] = entries.get(j, fmpq(0)) + rational.to_fmpq(p * w)
                rows.constant.append(constant)
                rows.entries.append(entries)
            rows.ptr.append(len(rows.constant))
            i += 1
            if len(rows.points) > LIMIT:
                raise InvalidArgument(
                    f"stock lattice: more than {LIMIT} (state, stock) points; "
                    "use a coarser spacing or StockDP(representation='grid')"
                )
        return rows

    def _landing(self, c: Fraction) -> list[tuple[Fraction, Fraction]]:
        if self.split is None or self.far.side(c) is not None:
            return [(c, Fraction(1))]
        return self.split(c)


@dataclass(frozen=True, eq=False)
class Rows:
    """V(i) = max over rows ptr[i]..ptr[i+1]−1 of constant + Σ entries·V, over the points found."""

    points: list[Point]
    ptr: list[int]
    constant: list[fmpq]
    entries: list[dict[int, fmpq]]

    def float_policy(self, tol: float = 1e-13, limit: int = 3_000) -> list[int]:
        """Rows greedy after sweeps in doubles; a good guess, no more."""
        n = len(self.points)
        R = np.array([float(c) for c in self.constant])
        row = np.repeat(np.arange(len(self.entries)), [len(e) for e in self.entries])
        col = np.array([j for e in self.entries for j in e], dtype=np.int64)
        val = np.array([float(w) for e in self.entries for w in e.values()])
        start = np.array(self.ptr[:-1])
        V = np.zeros(n)
        for _ in range(limit):
            q = R + np.bincount(row, val * V[col], minlength=len(R))
            new = np.maximum.reduceat(q, start)
            change = abs(new - V).max()
            V = new
            if not change > tol * max(1.0, abs(V).max()):
                break
        q = R + np.bincount(row, val * V[col], minlength=len(R))
        close = q >= np.repeat(np.maximum.reduceat(q, start), np.diff(self.ptr)) - 1e-12 * (1 + abs(q))
        first = np.where(close, np.arange(len(q)), len(q))
        return [int(k) for k in np.minimum.reduceat(first, start)]

    def evaluate(self, policy: list[int]) -> list[fmpq]:
        """Exact values of the chosen rows, one strong component at a time, successors first."""
        n = len(self.points)
        targets = [list(self.entries[k]) for k in policy]
        indptr = np.concatenate([[0], np.cumsum([len(x) for x in targets])]).astype(np.uint64)
        indices = np.array([j for x in targets for j in x], dtype=np.uint32)
        order, ends = strong_order(indices, indptr, np.arange(n + 1, dtype=np.uint64))
        V: list[Any] = [None] * n
        for b in range(len(ends) - 1):
            block = [int(i) for i in order[ends[b] : ends[b + 1]]]
            at = {i: x for x, i in enumerate(block)}
            A, rhs = rational.identity(len(block)), fmpq_mat(len(block), 1)
            for x, i in enumerate(block):
                total = self.constant[policy[i]]
                for j, w in self.entries[policy[i]].items():
                    if j in at:
                        A[x, at[j]] -= w
                    else:
                        total += w * V[j]
                rhs[x, 0] = total
            for i, v in zip(block, A.solve(rhs).entries(), strict=True):
                V[i] = v
        return V

    def improve(self, V: list[fmpq], policy: list[int]) -> list[int] | None:
        """Greedy rows if some beats the policy's own; else None, `policy` then being lowest greedy."""
        better, changed = list(policy), False
        for i in range(len(self.points)):
            best, pick = V[i], policy[i]
            for k in range(self.ptr[i], self.ptr[i + 1]):
                q = self.constant[k]
                for j, w in self.entries[k].items():
                    q += w * V[j]
                if q > best:
                    best, pick, changed = q, k, True
                elif q == best and k < pick and best == V[i]:
                    pick = k
            better[i] = pick
        if changed:
            return better
        policy[:] = better
        return None
