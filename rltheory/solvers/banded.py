"""Policy iteration for chains: in-place improvement both ways, evaluation by banded elimination.

Definitions.  The half-band of a policy is the largest |s − t| over its transitions, in the order used:
the model's own, or one that puts neighbours together (reverse Cuthill–McKee).

Elimination runs without pivoting, which is stable since I − γP_π is an M-matrix.  Its result is
believed only if one more sweep moves it less than the improvement did; otherwise sweeps evaluate the
policy, and policies with wider bands are left to BiCGSTAB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..kernels.ordering import facts
from ..models.mdp import MDP
from ..operators._arrays import csr_arrays
from ..results.solution import Solution
from ._blocks import BANDED, WIDTH, Plan, goals, solve_in_blocks
from .base import TOL, check_max_iter, check_tol


@dataclass(frozen=True)
class BandedPolicyIteration:
    """Policy iteration for chain-like models: RiverSwim, birth–death queues, random walks.

    Parameters
    ----------
    tol
        Error allowed, relative to max(1, ‖V‖).
    max_iter
        Improvement sweeps allowed; reaching it is Status.MAX_ITER.

    Notes
    -----
    `info["eliminations"]` counts the policies evaluated by elimination.  Exact models are solved in
    doubles and enclosed in rationals.

    Complexity: O(nnz(P) + S·w²) an iteration for half-bands w ≤ 16; as `InexactPolicyIteration` on
    policies with wider ones.

    Source: Puterman 1994, §6.4; Golub and Van Loan 2013, §4.3.

    Examples
    --------
    >>> from rltheory import MDP
    >>> BandedPolicyIteration().run(MDP([[[1.0]]], [[1.0]], gamma=0.5)).V
    array([2.])
    """

    tol: float = TOL
    max_iter: int = 100_000

    def __post_init__(self) -> None:
        check_tol(self.tol)
        check_max_iter(self.max_iter)

    def run(self, mdp: MDP, /) -> Solution:
        """V* of a discounted model, enclosed."""
        order, copy = chain_order(mdp.float())
        plan = Plan(order, None, BANDED, True, copy)
        return solve_in_blocks(mdp, plan, name="BandedPolicyIteration", tol=self.tol, max_iter=self.max_iter)


def chain_order(mdp: MDP) -> tuple[Any, bool]:
    """An order of narrow band that starts at the better end, and whether the model needs copying for it."""
    _data, indices, indptr, _R, _, state_ptr = csr_arrays(mdp)
    if int(facts(indices, indptr, state_ptr, WIDTH).band) <= WIDTH:
        order, copy = np.arange(mdp.S, dtype=np.uint32), False
    else:
        order, copy = cuthill_mckee(mdp), True
    start = np.argmax(goals(mdp))
    where = int(np.flatnonzero(order == start)[0])
    return (np.ascontiguousarray(order[::-1]) if 2 * where > mdp.S else order), copy


def cuthill_mckee(mdp: MDP) -> Any:
    """(S,) uint32 reverse Cuthill–McKee order of the graph of all actions."""
    import scipy.sparse as sp
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    data, indices, indptr = mdp.csr
    ptr = np.asarray(indptr)[mdp.state_ptr]
    ones = np.ones(len(data), dtype=np.int32)
    graph = sp.csr_matrix((ones, np.array(indices, dtype=np.int32), ptr.astype(np.int32)), shape=(mdp.S,) * 2)
    return reverse_cuthill_mckee(sp.csr_matrix(graph + graph.T), symmetric_mode=True).astype(np.uint32)
