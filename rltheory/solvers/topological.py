"""Topological solving: strong components one after another, successors first.

Definitions.  s → t when some action moves from s to t with positive probability.  A strong component
sees only itself and components already solved, whose values are constants for it.

Blocks.  A single state is solved in closed form, V(s) = max_a (R + γΣ_{t≠s}PV)/(1 − γP(s|s, a)).  A larger
component is solved by in-place policy iteration, its policies evaluated by elimination where they are
narrow bands and by BiCGSTAB on the residuals of sweeps otherwise.  Elimination is left out, and not
compiled, where a look at some components finds none that could be one.

Errors made in a component reach its predecessors damped by γ and count in their residuals: every block
is solved to γd/(1−γ) ≤ tol·max(1, ‖V‖), and the enclosure is computed afterwards for the whole model.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..kernels.ordering import facts, within_blocks
from ..models.mdp import MDP
from ..operators._arrays import csr_arrays
from ..results.solution import Solution
from ._blocks import BANDED, KRYLOV, SWEEPS, WIDTH, Plan, goal_first, solve_in_blocks
from .base import TOL, check_max_iter, check_tol
from .probe import Components, components

LARGE = 1000
"""Components beyond this size are visited goal first, on a copy of the model in that order."""
PROBES = 8
"""Components that are looked at for narrow bands, and states of each."""


@dataclass(frozen=True)
class Topological:
    """Strong components in reverse topological order, for layered, episodic and multi-class models.

    Parameters
    ----------
    tol
        Error allowed, relative to max(1, ‖V‖).
    max_iter
        Improvement sweeps allowed in each component; reaching it is Status.MAX_ITER.
    parts
        The components where they are known; None finds them.

    Notes
    -----
    `info["blocks"]` is the number of components; `Solution.iterations` and `evaluations` add up the
    sweeps in components of two or more states.  Exact models are solved in doubles and enclosed in
    rationals.

    Complexity: O(nnz(P)) for the components and all single states; nothing is gained where one
    component holds almost every state.

    Source: Tarjan 1972; Dai, Mausam, Weld and Goldsmith 2011.

    Examples
    --------
    >>> from rltheory import MDP
    >>> Topological().run(MDP([[[0, 1.0]], [[0, 1.0]]], [[1.0], [1.0]], gamma=0.5)).V
    array([2., 2.])
    """

    tol: float = TOL
    max_iter: int = 100_000
    parts: Components | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_tol(self.tol)
        check_max_iter(self.max_iter)

    def run(self, mdp: MDP, /) -> Solution:
        """V* of a discounted model, enclosed."""
        model = mdp.float()
        parts = self.parts or one_way(model) or components(model)
        large, order = parts.largest > LARGE, parts.order
        if large:
            order = within_blocks(order, parts.ends, goal_first(model))
        plan = Plan(order, parts.ends, _evaluation(model, order, parts.ends), False, large)
        return solve_in_blocks(mdp, plan, name="Topological", tol=self.tol, max_iter=self.max_iter)


def one_way(mdp: MDP) -> Components | None:
    """Single states in the order of the numbering, where every move between different ones goes one way."""
    _, indices, indptr, _, _, state_ptr = csr_arrays(mdp)
    seen = facts(indices, indptr, state_ptr, 0)
    if seen.up and seen.down:
        return None
    order = np.arange(mdp.S, dtype=np.uint32)
    return Components(
        mdp.S, 1, order if not seen.up else np.ascontiguousarray(order[::-1]), np.arange(mdp.S + 1)
    )


def _evaluation(mdp: MDP, order: NDArray[np.uint32], ends: NDArray[np.int64]) -> int:
    """BANDED if a policy of one of `PROBES` components may be a narrow band, for all that some states tell.

    KRYLOV otherwise, and SWEEPS where all are single states.  A wrong guess costs time, not accuracy.
    """
    several = np.flatnonzero(np.diff(ends) > 1)
    if not several.size:
        return SWEEPS
    place = np.empty(order.size, np.int64)
    place[order] = np.arange(order.size)
    looked_at = several[:: -(-several.size // PROBES)]
    narrow = any(_narrow(mdp, order, place, int(ends[b]), int(ends[b + 1])) for b in looked_at)
    return BANDED if narrow else KRYLOV


def _narrow(mdp: MDP, order: NDArray[np.uint32], place: NDArray[np.int64], first: int, last: int) -> bool:
    """Whether `PROBES` states of order[first:last] have pairs that reach `WIDTH` places within it at most."""
    _, indices, indptr, _, _, state_ptr = csr_arrays(mdp)
    for at in range(first, last, -(-(last - first) // PROBES)):
        s = int(order[at])
        rows = indptr[int(state_ptr[s]) : int(state_ptr[s + 1]) + 1].astype(np.int64)
        to = place[indices[rows[0] : rows[-1]]]
        reach = np.where((to >= first) & (to < last), abs(to - at), 0)
        if np.maximum.reduceat(reach, rows[:-1] - rows[0]).min() > WIDTH:
            return False
    return True
