"""Inexact policy iteration: policies evaluated by BiCGSTAB on the residuals of in-place sweeps.

Definitions.  One sweep of a policy is v ← Gv + g; I − G is I − γP_π preconditioned by the triangle a
sweep has already visited, and BiCGSTAB solves (I − G)e = sweep(v) − v at one sweep a product.

Accuracy.  A policy that is still changing is evaluated to 1.5 % of the last improvement's largest change,
from a start that was given to a quarter while it changes in a quarter of the states, and one that has
settled to the tolerance.  A result that one more sweep moves too far is thrown away and
sweeps take its place, so a breakdown costs time, never correctness.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InvalidArgument
from ..models.mdp import MDP
from ..results.solution import Solution
from ._blocks import KRYLOV, Plan, goal_first, solve_in_blocks
from .base import TOL, check_max_iter, check_tol


@dataclass(frozen=True)
class InexactPolicyIteration:
    """In-place improvement and Krylov evaluation, for slowly mixing models without a narrow band.

    Parameters
    ----------
    tol
        Error allowed, relative to max(1, ‖V‖).
    max_iter
        Improvement sweeps allowed; reaching it is Status.MAX_ITER.
    reorder
        Solve a copy of the model whose states are stored by their number of steps to the absorbing or
        best paid ones.
    V0
        (S,) start; if None, what the worst of the best rewards is worth for ever.
    order
        (S,) states in that order where it is known; None finds it.

    Raises from `run`
    -----------------
    InvalidArgument
        If `order` does not hold every state once.

    Notes
    -----
    `Solution.evaluations` counts sweeps of one policy, products included, and `info["rows"]` the rows of
    policies copied out of the model: those that changed.  Exact models are solved in doubles and enclosed
    in rationals.

    Complexity: O(nnz(P)) an improvement, O(nnz(P_π)) a product.  Memory: 8 bytes a pair, one policy's
    rows and eight vectors.

    Source: van der Vorst 1992; Gargiani et al. 2024 (inexact policy iteration).

    Examples
    --------
    >>> from rltheory import MDP
    >>> InexactPolicyIteration().run(MDP([[[1.0]]], [[1.0]], gamma=0.5)).V
    array([2.])
    """

    tol: float = TOL
    max_iter: int = 100_000
    reorder: bool = False
    V0: ArrayLike | None = field(default=None, compare=False)
    order: NDArray[np.uint32] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_tol(self.tol)
        check_max_iter(self.max_iter)

    def run(self, mdp: MDP, /) -> Solution:
        """V* of a discounted model, enclosed."""
        order = None
        if self.reorder:
            order = goal_first(mdp.float()) if self.order is None else _checked(self.order, mdp.S)
        plan = Plan(order, None, KRYLOV, False, self.reorder)
        return solve_in_blocks(
            mdp, plan, name="InexactPolicyIteration", tol=self.tol, max_iter=self.max_iter, V0=self.V0
        )


def _checked(order: NDArray[np.uint32], S: int) -> NDArray[np.uint32]:
    """`order` if it names each of S states once."""
    seen = np.zeros(S, dtype=np.bool_)
    x = np.asarray(order)
    if x.shape == (S,) and x.dtype.kind in "iu" and x.min() >= 0 and x.max() < S:
        seen[x] = True
    if not seen.all():
        raise InvalidArgument(
            f"order: does not hold state {int(np.argmin(seen))}, must be {S} integers, each of 0..{S - 1} "
            "once; leave it out to have it found"
        )
    return np.ascontiguousarray(x, dtype=np.uint32)
