"""Gauss–Seidel policy iteration: in-place improvement, then in-place sweeps of the policy found.

Definitions.  Visiting s replaces V(s) by max_a [R + γΣ_{t≠s} P(t)V(t)](s, a)/(1 − γP(s|s, a)), the pair's
own solution given the other values; an evaluation sweep does so for the chosen pair only.

Stopping.  γd/(1−γ) ≤ tol·max(1, ‖V‖) for the largest change d of an improvement sweep, since then
|TV − V| ≤ γd; the enclosure is computed afterwards from a backup of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..errors import InvalidArgument
from ..models.mdp import MDP
from ..results.solution import Solution
from ._blocks import SWEEPS, Plan, goal_first, solve_in_blocks
from .base import TOL, check_max_iter, check_tol

Direction = Literal["goal-first", "forward", "backward", "alternating"]


@dataclass(frozen=True)
class GaussSeidel:
    """In-place policy iteration with sweeps, for models where news travels far: mazes, grids, shortest paths.

    Parameters
    ----------
    tol
        Error allowed, relative to max(1, ‖V‖).
    max_iter
        Improvement sweeps allowed; reaching it is Status.MAX_ITER.
    direction
        "goal-first" visits states by their number of steps to an absorbing state (to the best paid ones
        if there is none), on a copy of the model stored in that order; "forward" and "backward" follow
        the numbering; "alternating" does both in turn.

    Notes
    -----
    `Solution.iterations` counts improvement sweeps, `evaluations` sweeps of one policy, `residuals` the
    largest change of each improvement sweep.  Exact models are solved in doubles and enclosed in
    rationals.

    Complexity: O(nnz(P)) an improvement sweep, O(nnz(P_π)) an evaluation sweep; never more sweeps than
    value iteration from the same start.  Memory: 8 bytes a pair, one policy's rows, and the copy.

    Source: Puterman 1994, §6.3.3; Bertsekas 2012, vol. II, §2.2.

    Examples
    --------
    >>> from rltheory import MDP
    >>> GaussSeidel().run(MDP([[[1.0]]], [[1.0]], gamma=0.5)).V
    array([2.])
    """

    tol: float = TOL
    max_iter: int = 1_000_000
    direction: Direction = "goal-first"

    def __post_init__(self) -> None:
        check_tol(self.tol)
        check_max_iter(self.max_iter)
        if self.direction not in get_args(Direction):
            raise InvalidArgument(
                f"GaussSeidel: direction={self.direction!r}, must be one of {get_args(Direction)}"
            )

    def run(self, mdp: MDP, /) -> Solution:
        """V* of a discounted model, enclosed."""
        order = None
        if self.direction == "goal-first":
            order = goal_first(mdp)
        elif self.direction == "backward":
            order = np.arange(mdp.S - 1, -1, -1, dtype=np.uint32)
        copy = self.direction == "goal-first"
        plan = Plan(order, None, SWEEPS, self.direction == "alternating", copy)
        return solve_in_blocks(mdp, plan, name="GaussSeidel", tol=self.tol, max_iter=self.max_iter)
