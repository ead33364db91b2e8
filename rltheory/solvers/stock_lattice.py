"""Stock problems on lattices: no interpolation, hence exact values in rationals.

*Finite horizon.*  Where all γ^t r are multiples of δ, x_t = γ^t c_t stays on c_0 + δZ: one backward pass
serves every initial stock of a window, any utility f, continuous or not.  In rationals it runs on
integers over common denominators.  γ = 1 needs commensurable rewards; γ = p/q refines δ by q^{H−1}.

*Infinite horizon.*  1/γ an integer and f = a₊x₊ + a₋x₋: δZ is invariant under c' = (c + r)/γ, and
outside −r_max/(1−γ) < c < −r_min/(1−γ) values are linear, so finitely many points remain.

Source: distributional-dp, Representations 2 and 3, integer-lattice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Real, to_fraction
from ..errors import InvalidArgument
from ..results.law import ReturnLaw
from ._stock_model import Errors, Problem, Reading, Utility, bounded, common_step, decimal, lattice_step
from ._stock_pass import Ladder, backward
from ._stock_rational import FarField, RationalStock
from .stock_grid import GridValues, nodes_of
from .stock_time import PassValues, window

EXACT_WORK = 3_000_000
"""Nodes times outcomes up to which a rational model is solved in rationals by default."""


def lattice_values(
    problem: Problem,
    utility: Utility,
    *,
    spacing: Real | None = None,
    stocks: tuple[Real, Real] | None = None,
    exact: bool | None = None,
    progress: bool | None = None,
) -> PassValues:
    """sup_π E f(c + G) over H steps for all states and all initial stocks of a lattice window.

    Parameters
    ----------
    problem, utility
        Finite horizon; any f.
    spacing
        δ, of which all γ^t r must be multiples (to 1e−9 for doubles); their greatest common one by default.
    stocks
        (lowest, highest) initial stock, `window` by default; other stocks are solved when asked for.
    exact
        Rationals (needs a rational model and f); by default where the model is rational and small.
    progress
        Show a bar; by default on a terminal.

    Returns
    -------
    PassValues
        Error 0 in rationals; rounding (and reward snapping) in doubles.

    Raises
    ------
    InvalidArgument
        If no lattice holds the discounted rewards.

    Complexity: Σ_t n_t multiplications per outcome, n_t the nodes of step t.
    """
    if problem.H is None:
        raise InvalidArgument(
            "stock lattice: infinite horizon; pass stock_augmented(model, H=...), or use a utility "
            "a₊x₊ + a₋x₋ with 1/γ an integer, or representation='grid'"
        )
    step = lattice_step(problem, spacing)
    if step is None:
        raise InvalidArgument(
            f"stock lattice: rewards and gamma={problem.gamma} have no common spacing over H={problem.H} "
            "steps; write them as Fractions, or use representation='time'"
        )
    delta, snap = step
    lo, hi = (decimal(x) for x in window(problem, stocks))
    if stocks is None:
        lo = delta * math.floor(lo / delta)
    size = math.ceil((hi - lo) / delta) + 1
    ladder = Ladder.build(problem, problem.H, lo, size, delta, exact=True)
    if exact and not problem.is_exact:
        raise InvalidArgument("exact=True: the model is in doubles; pass model.exact() or exact=None")
    small = problem.is_exact and ladder.work <= EXACT_WORK and snap == 0
    rational = exact if exact is not None else small and _rational_utility(utility)
    done = backward(ladder, utility, rational=rational, progress=progress, label="stock lattice")
    return PassValues(problem, utility, done, problem.H, snap=snap)


def _rational_utility(utility: Utility) -> bool:
    try:
        return all(isinstance(utility.f(Fraction(x)), (int, Fraction)) for x in (0, 1, -1))
    except (TypeError, ValueError, AttributeError):
        return False


# ---- infinite horizon ----------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class StationaryValues:
    """`StockValues` in rationals for an infinite horizon, error zero.

    Attributes
    ----------
    exact
        Values found so far.
    delta
        Spacing of `nodes`.
    """

    problem: Problem
    exact: RationalStock
    delta: Fraction

    @property
    def errors(self) -> Errors:
        """Error bound at nodes, in parts."""
        return Errors()

    @cached_property
    def _nodes(self) -> NDArray[Any]:
        far = self.exact.far
        first = math.ceil(far.lo / self.delta)
        last = math.floor(far.hi / self.delta)
        out = np.empty(last - first + 1, dtype=object)
        out[:] = [self.delta * i for i in range(first, last + 1)]
        return out

    def nodes(self) -> NDArray[Any]:
        """(n,) stocks whose values were computed, ascending."""
        return self._nodes

    def table(self) -> NDArray[Any]:
        """(S, n) values at the nodes."""
        return self._table

    @cached_property
    def _table(self) -> NDArray[Any]:
        out = np.empty((self.problem.S, self._nodes.size), dtype=object)
        for s in range(self.problem.S):
            out[s] = [self.exact.value(s, c) for c in self._nodes]
        return out

    def read(self, s: int, stock: Real) -> Reading:
        """V*(s, c) and its bounds, at any stock."""
        return bounded(self.exact.value(s, decimal(stock)), 0.0)

    def action(self, s: int, stock: Real, t: int = 0) -> int:
        """Action id in state s with stock c_t at step t."""
        c = decimal(stock)
        self.exact.value(s, c)
        far, m = self.exact.far, self.problem.stages[0].model
        side = far.side(c)
        if side is not None:
            return int(far.actions[side][s])
        return int(m.pair_action[int(m.state_ptr[s]) + self.exact.act[s, c]])

    def law(self, s: int, stock: Real) -> ReturnLaw:
        """Law of the return of the policy from (s, c_0)."""
        return self.floats.law(s, stock)

    @cached_property
    def floats(self) -> GridValues:
        """The same values in doubles, for pushing laws forward."""
        return GridValues.from_table(self.problem, self.exact.far, self._nodes, self._table)


def stationary_lattice(
    problem: Problem,
    slopes: tuple[Real, Real],
    *,
    spacing: Real | None = None,
    window: tuple[Real, Real] | None = None,
) -> StationaryValues:
    """Exact V*(s, c) for f = a₊x₊ + a₋x₋, slopes (a₊, a₋), 1/γ an integer, infinite horizon.

    Parameters
    ----------
    problem
        Rational, stationary.
    slopes
        (a₊, a₋), rational.
    spacing
        Spacing of the stocks listed; the common one of the rewards by default.  Any rational stock can be
        asked for.
    window
        Wider than the smallest window, if given.

    Raises
    ------
    InvalidArgument
        If 1/γ is no integer or the model is in doubles.
    """
    gamma = problem.gamma
    if not problem.is_exact or to_fraction(gamma).numerator != 1:
        raise InvalidArgument(
            f"stock lattice: gamma={gamma} over an infinite horizon needs a rational model with 1/γ an "
            "integer; write the model in Fractions, or use representation='grid'"
        )
    delta = common_step(to_fraction(r) for r in problem.stages[0].rewards)
    if spacing is not None:
        delta = to_fraction(spacing)
        if delta <= 0:
            raise InvalidArgument(f"spacing={spacing}, must be positive")
    exact_slopes = (to_fraction(slopes[0]), to_fraction(slopes[1]))
    far = FarField.of(problem, exact_slopes, window)
    values = StationaryValues(problem, RationalStock(problem, far), delta)
    values.exact.solve((s, c) for s in range(problem.S) for c in values.nodes() if far.side(c) is None)
    return values


def rational_grid(
    problem: Problem, slopes: tuple[Real, Real], *, cells: int, window: tuple[Real, Real] | None = None
) -> StationaryValues:
    """The interpolated problem of `stock_grid` on `cells` cells, solved in rationals (small models)."""
    far = FarField.of(problem, (to_fraction(slopes[0]), to_fraction(slopes[1])), window)
    lo, hi = to_fraction(far.lo), to_fraction(far.hi)
    delta = (hi - lo) / cells

    def split(c: Fraction) -> list[tuple[Fraction, Fraction]]:
        i = math.floor((c - lo) / delta)
        w = (c - lo) / delta - i
        node = lo + i * delta
        return [(node, 1 - w), (node + delta, w)] if w else [(node, Fraction(1))]

    exact = RationalStock(problem, far, split)
    points = nodes_of(lo, delta, cells)
    exact.solve((s, c) for s in range(problem.S) for c in points if far.side(c) is None)
    return StationaryValues(problem, exact, delta)
