"""Infinite-horizon stock problems on a grid of stocks: any γ < 1, f = a₊x₊ + a₋x₋.

Definitions.  Nodes c_j = lo + jδ over −r_max/(1−γ) ≤ c ≤ −r_min/(1−γ).  V ← max_a γ Σ p V(s', (c+r)/γ)
with linear interpolation inside; outside, V*(s,c) = a·(c + v(s)) is known (a = a₋ left, a₊ right,
v = V_max where a ≥ 0, V_min where a < 0), both sides being absorbing.  Starts from f.

Stopping.  With ρ = max |V_{k+1} − V_k| over nodes, |V_{k+1} − V̂| ≤ γρ/(1−γ); sweeps end when this is
below `tol`, by default a hundredth of the discretisation bound.

Error.  Interpolation rounds the next stock at random, without bias, and γ^t damps the noise of step t,
so |V̂ − V*| ≤ L·√N(s,c) with L = max(|a₊|, |a₋|) and

    N(s,c) = max_a γ² Σ p [w(1−w)δ² + N(s',c')],   N = 0 outside the grid,

the largest squared noise of any policy; sweeps from above, N ← ¼δ²γ²/(1−γ²) first, stay bounds.  Hence
the a-priori bound L·(δ/2)·γ/√(1−γ²).  Both hold at any stock c, the value read there being one backup of
the interpolated V̂: no Lδ/2 is added between nodes.  For a₊ ≥ a₋ (convex f) V̂ ≥ V*.

Source: distributional-dp, Representation 4, stock-grid-error, certificate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatVec, Real, float_array
from ..errors import InvalidArgument, NotConverged
from ..kernels import stock as kernels
from ..results.law import ReturnLaw
from ._progress import Progress
from ._stock_model import Errors, Problem, Reading, U, bounded
from ._stock_pass import Ladder, push_law
from ._stock_rational import FarField

CHUNK = 64
"""Sweeps between two looks at the clock."""
NOISE_SWEEPS = 400
"""Most sweeps spent on tightening the noise bound."""


def nodes_of(lo: Any, delta: Any, cells: int) -> list[Any]:
    """lo + jδ, j = 0..cells."""
    return [lo + j * delta for j in range(cells + 1)]


@dataclass(frozen=True, eq=False)
class Table:
    """Where each distinct reward sends each node; see `kernels.stock.stretch_table`."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    cell: NDArray[np.uint32]
    weight: FloatVec

    @classmethod
    def of(cls, rewards: FloatVec, gamma: float, lo: float, delta: float, n: int) -> Table:
        """The table of n nodes lo + jδ."""
        D = rewards.size
        out = cls(
            np.zeros(D, dtype=np.int64),
            np.zeros(D, dtype=np.int64),
            np.zeros((D, n), dtype=np.uint32),
            np.zeros((D, n)),
        )
        kernels.stretch_table(rewards, gamma, lo, delta, n, out.first, out.last, out.cell, out.weight)
        return out

    @property
    def arrays(self) -> tuple[Any, ...]:
        """As the kernels take them."""
        return self.first, self.last, self.cell, self.weight


@dataclass(frozen=True, eq=False)
class GridValues:
    """`StockValues` on a grid: node values, the known far field, error bounds.

    Attributes
    ----------
    problem, far
        What is solved, and its values outside the grid.
    lo, delta, V, noise
        First node, spacing, (S, n) values and bounds N on the squared rounding noise.
    errors
        At nodes; `read` has the bound at the stock asked for.
    a_priori
        L·(δ/2)·γ/√(1−γ²).
    sweeps
        Iterations made.
    law_atoms
        Nodes of the grid that laws are pushed on.
    """

    problem: Problem
    far: FarField
    lo: float
    delta: float
    V: FloatVec
    noise: FloatVec
    errors: Errors
    a_priori: float = 0.0
    sweeps: int = 0
    law_atoms: int = 4_000

    @classmethod
    def from_table(
        cls, problem: Problem, far: FarField, nodes: NDArray[Any], table: NDArray[Any]
    ) -> GridValues:
        """Known values at evenly spaced nodes, read by interpolation; the ends become far field."""
        points = float_array(nodes)
        delta = float(points[1] - points[0]) if points.size > 1 else 1.0
        V = float_array(table)
        return cls(problem, far, float(points[0]), delta, V, np.zeros(V.shape), Errors())

    def nodes(self) -> NDArray[Any]:
        """(n,) stocks whose values were computed, ascending."""
        return self.lo + self.delta * np.arange(self.V.shape[1])

    def table(self) -> NDArray[Any]:
        """(S, n) values at the nodes."""
        return self.V

    @property
    def _reading(self) -> tuple[Any, ...]:
        stage = self.problem.stages[0]
        left, right = (float(a) for a in self.far.slopes)
        return (
            *stage.arrays,
            float_array(stage.model.reward),
            self.problem.g,
            self.lo,
            self.delta,
            left,
            right,
            np.stack([float_array(v) for v in self.far.values]),
            self.V,
            self.noise,
        )

    @property
    def _lipschitz(self) -> float:
        return max(abs(float(a)) for a in self.far.slopes)

    def look(self, s: int, stocks: FloatVec) -> tuple[NDArray[np.uint16], FloatVec, FloatVec]:
        """Greedy action positions, one-step values, discretisation bounds at arbitrary stocks of state s."""
        act, value, noise = (
            np.empty(stocks.size, dtype=np.uint16),
            np.empty(stocks.size),
            np.empty(stocks.size),
        )
        kernels.stretch_actions(*self._reading, s, stocks, act, value, noise)
        return act, value, self._lipschitz * np.sqrt(noise) * (1 + 64 * U)

    def read(self, s: int, stock: Real) -> Reading:
        """V*(s, c) and its bounds, at any stock."""
        left, right = (float(a) for a in self.far.slopes)
        _, value, noise = self.look(s, np.array([float(stock)]))
        here = float(noise[0])
        total = replace(self.errors, discretisation=here).total
        return bounded(float(value[0]), total, convex=here if right >= left else 0.0)

    def action(self, s: int, stock: Real, t: int = 0) -> int:
        """Action id in state s with stock c_t at step t."""
        m = self.problem.stages[0].model
        position = int(self.look(s, np.array([float(stock)]))[0][0])
        return int(m.pair_action[int(m.state_ptr[s]) + position])

    def law(self, s: int, stock: Real) -> ReturnLaw:
        """Law of G from (s, c) under the policy greedy for the interpolated V̂.

        The mass is pushed over x_t = γ^t c_t on a grid of its own, for enough steps that the tail is a
        twentieth of its spacing; the policy is that which keeps x rounded at random to this grid.
        """
        g, span = self.problem.g, [float(x) for x in self.problem.span]
        delta = max((span[1] - span[0]) / self.law_atoms, 1e-300) if span[1] > span[0] else 1.0
        half = (span[1] - span[0]) / 2
        H = max(1, math.ceil(math.log(max(20 * half / delta, 1.0)) / -math.log(g)))
        middle, tail = g**H * (span[0] + span[1]) / 2, g**H * half * (1 + 16 * U)
        ladder = Ladder.build(self.problem, H, float(stock), 1, delta, exact=False, tail=middle)

        def actions(t: int, mass: FloatVec) -> NDArray[np.uint16]:
            act = np.zeros(mass.shape, dtype=np.uint16)
            stocks = ladder.positions(t) / g**t
            for x in np.flatnonzero(mass.any(axis=1)):
                held = np.flatnonzero(mass[x])
                act[x, held] = self.look(int(x), stocks[held])[0]
            return act

        return push_law(ladder, s, 0, actions, tail)


def grid_values(
    problem: Problem,
    slopes: tuple[Real, Real],
    *,
    atoms: int,
    window: tuple[Real, Real] | None = None,
    tol: float | None = None,
    max_iter: int = 1_000_000,
    progress: bool | None = None,
) -> GridValues:
    """V*(s, c) for f = a₊x₊ + a₋x₋, slopes (a₊, a₋), by sweeps on `atoms` nodes.

    Parameters
    ----------
    problem
        Stationary, infinite horizon, γ < 1.
    slopes
        (a₊, a₋).
    atoms
        Nodes, at least 3.
    window
        (lo, hi) to cover, if not the smallest one.
    tol
        Bound on the unfinished iteration; a hundredth of the discretisation bound by default.
    max_iter
        Sweeps before `NotConverged`.
    progress
        Show a bar; by default on a terminal.

    Returns
    -------
    GridValues
        With |V̂ − V*| ≤ `errors.total` at nodes, and a bound for each stock read.

    Raises
    ------
    InvalidArgument
        If the window does not cover the return range, or atoms < 3.
    NotConverged
        After `max_iter` sweeps.

    Complexity: O(n·Σ outcomes) a sweep, about log(1/tol)/log(1/γ) sweeps.
    """
    if atoms < 3:
        raise InvalidArgument(f"atoms={atoms}, a stock grid needs at least 3 nodes")
    far = FarField.of(problem, slopes, window)
    stage, g = problem.stages[0], problem.g
    lo, hi = float(far.lo), float(far.hi)
    n = atoms if hi > lo else 3
    hi = hi if hi > lo else lo + 1.0
    delta = (hi - lo) / (n - 1)
    table = Table.of(np.array([float(r) for r in stage.rewards]), g, lo, delta, n)
    left, right = (float(a) for a in far.slopes)
    L = max(abs(left), abs(right))
    ends = np.stack([float_array(v) for v in far.values])
    points = lo + delta * np.arange(n)
    V = np.tile(np.where(points >= 0, right * points, left * points), (problem.S, 1))
    V[:, 0], V[:, -1] = left * (points[0] + ends[0]), right * (points[-1] + ends[1])
    N = _noise(problem, table, delta, n)
    noise = L * math.sqrt(float(N.max())) * (1 + 64 * U)
    a_priori = L * delta / 2 * g / math.sqrt((1 - g) * (1 + g))
    scale = max(1.0, L * max(abs(lo), abs(hi)))
    modulus = g * (1 + stage.defect)
    floor = 8 * (stage.longest + 8) * U * scale
    goal = max(tol if tol is not None else (0.01 * noise or 1e-12 * scale), floor / (1 - g))
    act = np.empty(V.shape, dtype=np.uint16)
    sweeps, rho, norm = 0, math.inf, 0.0
    need = math.ceil(math.log(max(scale / goal, 2.0)) / -math.log(g)) + 2
    with Progress(min(need, max_iter), f"stock grid, {problem.S}×{n}", progress) as bar:
        while sweeps < max_iter:
            made, rho, norm = kernels.stretch_iterate(
                *stage.arrays, stage.kind, g, *table.arrays, left, right, ends,
                V, act, goal * (1 - g) / g, min(CHUNK, max_iter - sweeps),
            )  # fmt: skip
            sweeps += made
            bar.advance(made)
            if not rho > goal * (1 - g) / g:
                break
    if not rho <= goal * (1 - g) / g:
        raise NotConverged(
            f"stock grid: change {rho:.3g} after {sweeps} sweeps, need {goal * (1 - g) / g:.3g}; "
            "raise max_iter or tol"
        )
    step = (
        16 * U * scale / g
        + ((stage.longest + 8) * U + stage.defect) * max(norm, 2 * scale / g)
        + 128 * U * n * delta / g
    )
    rounding = step / (1 - modulus) + L * far.error
    residual = modulus * rho / (1 - modulus)
    return GridValues(
        problem,
        far,
        lo,
        delta,
        V,
        N,
        Errors(noise, residual, 0.0, rounding + step),
        a_priori,
        sweeps,
    )


def _noise(problem: Problem, table: Table, delta: float, n: int) -> FloatVec:
    """(S, n) upper bounds on the squared noise of rounding to nodes; sweeps from above until they settle."""
    stage, square = problem.stages[0], problem.g**2
    snap = 64 * U * n  # a weight within rounding of a node is that node
    w = np.where(abs(table.weight - np.rint(table.weight)) <= snap, np.rint(table.weight), table.weight)
    j = np.arange(n)
    inside = (j >= table.first[:, None]) & (j < table.last[:, None])
    if not ((w * (1 - w))[inside] > 0).any():
        return np.zeros((problem.S, n))
    start = 0.25 * delta**2 * square / (1 - square)
    N, out = np.full((problem.S, n), start), np.empty((problem.S, n))
    head = *stage.arrays, stage.kind, square, table.first, table.last, table.cell, w, delta**2
    for _ in range(NOISE_SWEEPS):
        change = kernels.stretch_noise(*head, N, out)
        N, out = out, N
        if change <= 1e-3 * float(N.max()):
            break
    inflated: FloatVec = N * (1 + 1e-9) + 4 * snap * delta**2 * (N > 0)
    return inflated
