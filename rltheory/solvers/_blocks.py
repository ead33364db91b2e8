"""What the structured solvers share: order the states, run the block kernel, certify.

The start is pessimistic, V = c·1 with c = min_s max_a R(s, a)/(1−γ), so TV ≥ V: information then travels
from good states along the order instead of being imagined everywhere.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import BoolVec, FloatVec, sup_norm
from ..kernels import blocks, ordering
from ..models.mdp import MDP
from ..operators._arrays import csr_arrays, pair_arrays, read_only
from ..results.solution import Solution
from .base import certified, start_vector

NOISE = 2.0**-52
"""Change of a sweep below which rounding alone moves values, relative to ‖V‖ + max|R|, but at least
that of `PairArrays.noise`."""
CHANGES = 10_000
"""Changes of improvement sweeps kept of a run."""
WIDTH = 16
"""Widest half-band solved by elimination."""
COPY_LIMIT = 1 << 31
"""Bytes up to which a model is copied into a better order; beyond, the order is followed in place."""
SWEEPS, KRYLOV, BANDED = range(3)
"""How a policy is evaluated; BANDED is KRYLOV for a policy whose band is wider than `WIDTH`."""


class Plan(NamedTuple):
    """How the block kernel is to be run.

    Attributes
    ----------
    order, block_ptr
        States in the order of solving and the ends of its blocks; one block if `block_ptr` is None.
    method
        How policies are evaluated: `SWEEPS`, `KRYLOV` or `BANDED`.
    turn
        Alternate the direction of improvement sweeps.
    copy
        Solve a copy of the model whose states are stored in that order.
    """

    order: NDArray[np.uint32] | None
    block_ptr: NDArray[np.int64] | None
    method: int
    turn: bool
    copy: bool


def goals(mdp: MDP) -> BoolVec:
    """(S,) mask of the absorbing states, or, if there are none, of those that pay most."""
    _data, indices, indptr, R, _, state_ptr = csr_arrays(mdp.float())
    source = ordering.absorbing(indices, indptr, state_ptr)
    if not source.any():
        best = np.empty(mdp.S)
        ordering.myopic(R, state_ptr, best, np.empty(mdp.S, np.uint32))
        source = best == best.max()
    return read_only(source)


def goal_first(mdp: MDP) -> NDArray[np.uint32]:
    """States by number of steps to the `goals`."""
    _data, indices, indptr, _R, _, state_ptr = csr_arrays(mdp)
    start, into = (read_only(x) for x in ordering.predecessors(indices, indptr, state_ptr))
    return np.asarray(ordering.breadth_first(start, into, goals(mdp), mdp.S, mdp.S)[0])


def pessimistic(mdp: MDP) -> FloatVec:
    """V with TV ≥ V: zero at terminal states, else the worst of the best rewards for ever."""
    best = np.maximum.reduceat(mdp.R_pairs, mdp.state_ptr[:-1])
    live = best[~mdp.terminal]
    low = float(live.min()) / (1.0 - float(mdp.gamma)) if live.size else 0.0
    return np.where(mdp.terminal, 0.0, low)


@np.errstate(all="ignore")
def solve_in_blocks(
    mdp: MDP, plan: Plan, *, name: str, tol: float, max_iter: int, V0: ArrayLike | None = None
) -> Solution:
    """Run the block kernel on a float model and certify; twice, sharper, if the first misses the tolerance.

    Exact models are solved in doubles and certified in rationals.
    """
    model = mdp.float()
    start = pessimistic(model) if V0 is None else start_vector(model, V0)
    out = _Run(model, plan, max_iter, start, blocks.CLOSE if V0 is None else blocks.ROUGH)
    goal = 0.9 * tol
    while True:
        how = out.go(goal)
        V: Any = out.values()
        sol = certified(
            mdp,
            V,
            solver=name,
            tol=tol,
            midpoint=True,
            max_iter_reached=how == 0,
            iterations=out.steps,
            backups=out.steps + out.swept,
            evaluations=out.swept + out.direct,
            residuals=out.residuals,
            info={"blocks": out.count, "eliminations": out.direct, "rows": out.rows},
        )
        if sol.status.ok or how != 1 or goal < tol / 20:
            return sol
        goal /= 8


class _Run:
    """One run of the kernel, which can go on to a sharper goal."""

    def __init__(self, mdp: MDP, plan: Plan, max_iter: int, V: FloatVec, rough: float) -> None:
        data, indices, indptr, R, gamma, state_ptr = csr_arrays(mdp)
        S = mdp.S
        self.order = plan.order
        self.copied = plan.order is not None and plan.copy and 12 * data.size <= COPY_LIMIT
        if self.copied:
            slot = ordering.row_length(indptr, np.uint64(blocks.SLOT))
            arrays = ordering.permuted(data, indices, indptr, R, state_ptr, plan.order, slot)
            data, indices, indptr, R, state_ptr = (read_only(x) for x in arrays)
            V = V[plan.order]
        self.model = (data, indices, indptr, R, gamma, state_ptr)
        self.visit = read_only(
            np.arange(S, dtype=np.uint32) if plan.order is None or self.copied else plan.order
        )
        ends = np.array([0, S], dtype=np.int64) if plan.block_ptr is None else plan.block_ptr
        self.ends = read_only(ends)
        self.scale = read_only(blocks.self_loop_scales(data, indices, indptr, gamma, state_ptr))
        self.V, self.arg = V, state_ptr[:-1].copy()
        self.rmax = float(sup_norm(R))
        self.noise = max(NOISE, pair_arrays(mdp).noise)
        self.turn, self.max_iter, self.rough, self.count = plan.turn, max_iter, rough, ends.size - 1
        largest = int(np.diff(ends).max())
        self.work = None if plan.method == SWEEPS else np.empty((5, largest if largest > 1 else 0))
        self.width = WIDTH if plan.method == BANDED else None
        self.steps = self.swept = self.direct = self.rows = 0
        self.residuals: list[float] = []

    def go(self, tol: float) -> int:
        """Solve until the residual certifies `tol`, rounding apart; how it ended."""
        changes = np.empty(CHANGES)
        how, steps, swept, direct, rows = blocks.solve_blocks(
            *self.model, self.scale, self.visit, self.ends, self.V, self.arg, tol * (1.0 - self.model[4]),
            self.noise, self.rmax, self.max_iter, self.turn, self.rough, changes, self.work, self.width,
        )  # fmt: skip
        self.steps, self.swept = self.steps + steps, self.swept + swept
        self.direct, self.rows = self.direct + direct, self.rows + rows
        self.residuals += changes[: min(steps, CHANGES - len(self.residuals))].tolist()
        return int(how)

    def values(self) -> FloatVec:
        """(S,) values in the model's own numbering."""
        if not self.copied:
            return self.V
        V = np.empty_like(self.V)
        V[self.order] = self.V
        return V
