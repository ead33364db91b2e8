"""What a few cheap passes over a model tell about how to solve it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolVec, FloatVec, sup_norm
from ..kernels import bellman_csr, ordering
from ..kernels.policy_sweeps import policy_backup, policy_rows
from ..models.mdp import MDP
from ..operators._arrays import PairArrays, csr_arrays, pair_arrays, read_only
from ._blocks import WIDTH, goals

BURST = 8
"""Sweeps of the myopic policy, one that is greedy for V = 0, that show how fast spans contract; none where
other structure decides."""
LATE = 4
"""The last of them, whose contraction counts: the first ones flatter models with slow modes."""
CLEAR = 1e-3
"""Shrinkage of the span after which no more sweeps are needed to see that it is fast."""
SLOW = 0.97
"""Contraction of the first sweeps beyond which no more are made."""
MANY = 32
"""Non-zeros a state from which the values are kept in double precision."""


@dataclass(frozen=True)
class Probe:
    """Structure of a float model.

    Attributes
    ----------
    S, N, nnz, gamma
        Sizes and discount.
    dense
        Rows are stored in full.
    band
        Largest |s − t| over the transitions if at most `WIDTH`, else more; S where not looked at.
    ordered
        Every move between different states goes up, or every one down: no cycles but self-loops.
    absorbing
        States that cannot be left.
    contraction, late
        Mean factors a sweep by which the span of the residual shrank in the last `LATE` of `BURST` sweeps of
        one policy, and in the last half of those; 1 if it did not, or where no sweep was made.
    V
        (S,) values after those sweeps, a start that is already paid for; zeros if there were none.  In single
        precision where the model has fewer than `MANY` non-zeros a state: a vector is much of it then.
    """

    S: int
    N: int
    nnz: int
    gamma: float
    dense: bool
    band: int
    ordered: bool
    absorbing: int
    contraction: float
    late: float
    V: NDArray[np.floating[Any]] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Components:
    """Strong components of a model: how many, the states in the largest, and all of them in order.

    Attributes
    ----------
    count, largest
        How many, and the number of states in the largest.
    order, ends
        (S,) states, successors first; component b is order[ends[b]:ends[b+1]].
    """

    count: int
    largest: int
    order: NDArray[np.uint32] = field(repr=False, compare=False)
    ends: NDArray[np.int64] = field(repr=False, compare=False)


@np.errstate(all="ignore")
def probe(mdp: MDP) -> Probe:
    """`Probe` of a discounted model in doubles (an exact one is rounded).

    Complexity: one pass over the indices (none for dense rows), and `BURST` sweeps of one
    policy where no structure shows.
    """
    mdp = mdp.float()
    pairs, S = pair_arrays(mdp), mdp.S
    band, ordered, absorbing, nnz = S, False, int(mdp.terminal.sum()), mdp.N * S
    if not pairs.dense:
        _, indices, indptr, _, _, state_ptr = csr_arrays(mdp)
        seen = ordering.facts(indices, indptr, state_ptr, WIDTH)
        band, absorbing, nnz = int(seen.band), int(seen.absorbing), int(indices.size)
        ordered = not (seen.up and seen.down)
    V, rate, late = np.zeros(S), 1.0, 1.0
    if not (ordered or absorbing or band <= WIDTH):
        rate, late = _trial(mdp, pairs, V)
    return Probe(
        S=S, N=mdp.N, nnz=nnz, gamma=float(mdp.gamma), dense=pairs.dense, band=band,
        ordered=ordered, absorbing=absorbing, contraction=rate, late=late,
        V=V.astype(np.float32) if nnz < MANY * S and sup_norm(V) < 1e38 else V,
    )  # fmt: skip


def components(mdp: MDP) -> Components:
    """Strong components of the graph of all actions.  Complexity: O(nnz)."""
    _, indices, indptr, _, _, state_ptr = csr_arrays(mdp.float())
    order, ends = ordering.strong_order(indices, indptr, state_ptr)
    return Components(ends.size - 1, int(np.diff(ends).max()), order, ends)


def one_large_component(mdp: MDP) -> NDArray[np.uint32] | None:
    """The goal-first order of the states, if the strong component of a goal holds half of them.

    None if it does not, which another component may, or if a state far from the goal reaches neither it nor
    half of the states; `components` knows more.  The model has no absorbing states.  Complexity: O(nnz), but
    far less than for all components where this one holds everything.
    """
    _, indices, indptr, R, _, state_ptr = csr_arrays(mdp.float())
    S = mdp.S
    goal = int(np.searchsorted(mdp.state_ptr, np.argmax(R), side="right")) - 1
    first = read_only(indptr[state_ptr])
    half = (S + 1) // 2
    after, n = ordering.breadth_first(first, indices, _only(S, goal), half, S)
    if n < half:
        return None
    back, m = ordering.breadth_first(first, indices, _only(S, int(after[n - 1])), half, goal)
    if m < half and not (back[:m] == goal).any():
        return None
    start, into = (read_only(x) for x in ordering.predecessors(indices, indptr, state_ptr))
    source = goals(mdp)
    order, reached = ordering.breadth_first(start, into, source, S, S)
    before = order
    if source.sum() > 1:
        before, reached = ordering.breadth_first(start, into, _only(S, goal), S, S)
    if n < S and reached < S:  # then all that can be reached counts
        after, n = ordering.breadth_first(first, indices, _only(S, goal), S, S)
    both = np.zeros(S, dtype=np.bool_)
    both[after[:n]] = True
    return order if int(both[before[:reached]].sum()) >= half else None


def _only(S: int, s: int) -> BoolVec:
    mask = np.zeros(S, dtype=np.bool_)
    mask[s] = True
    return read_only(mask)


def _trial(mdp: MDP, pairs: PairArrays, V: FloatVec) -> tuple[float, float]:
    """Sweeps of the myopic policy, in place, then a shift by what the residual left is worth for ever."""
    gamma, old, new, arg = float(mdp.gamma), V, np.empty(mdp.S), np.empty(mdp.S, np.uint32)
    ordering.myopic(pairs.R, pairs.model[-1], old, arg)
    spans, low, high = np.empty(BURST), 0.0, 0.0
    sweep = _sweep(pairs, arg)
    for i in range(BURST):
        low, high = sweep(old, new)
        old, new = new, old
        spans[i] = high - low
        if 0.0 < spans[i] <= CLEAR * spans[0]:
            spans[i + 1 :] = 0.0
            break
        if i + 1 == LATE and _rate(spans[:LATE], LATE // 2) > SLOW:  # and later sweeps shrink them less
            spans = spans[:LATE]
            break
    V[:] = old + gamma / (1.0 - gamma) * 0.5 * (low + high)
    return _rate(spans, min(LATE, spans.size - 1)), _rate(spans, LATE // 2)


def _sweep(pairs: PairArrays, arg: NDArray[np.uint32]) -> Callable[[FloatVec, FloatVec], tuple[float, float]]:
    """V, out ↦ (min, max) of T^πV − V for the policy that uses pairs `arg`, T^πV in `out`."""
    if pairs.kernels is not bellman_csr:
        return lambda V, out: pairs.kernels.chosen_backup(*pairs.model, arg, V, out)
    data, indices, indptr, R, gamma, _ = pairs.model
    room = min(pairs.longest * arg.size, data.size)
    rows, columns = np.empty(room), np.empty(room, np.uint32)
    width, unstored = np.zeros(arg.size, np.uint32), np.full(arg.size, -1.0, np.float32)
    _, n = policy_rows(data, indices, indptr, arg, unstored, rows, columns, width)
    size = np.uint64(n)  # as inside the kernels, or it would compile twice
    return lambda V, out: policy_backup(rows, columns, width, R, arg, gamma, size, V, out)


def _rate(spans: Any, n: int) -> float:
    a, b = float(spans[-1 - n]), float(spans[-1])
    if b == 0.0:
        return 0.0
    rate = (b / a) ** (1.0 / n) if a > 0.0 else 1.0
    return min(rate, 1.0) if rate == rate else 1.0
