"""Graphs of Markov decision processes: reachability, strong components, end components.

A pair k belongs to state `owner[k]` and has successors `indices[indptr[k]:indptr[k+1]]`, the support
of its transition law (entries of probability zero must have been dropped, see `support`).

An *end component* is a set of states with some of their pairs that is closed (every successor stays
inside) and strongly connected: what a policy can keep for ever.  Every recurrent class of every policy
is one; all policies terminate with probability one iff no end component avoids the terminal states.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolVec, IntVec


def support(data: NDArray[Any], indices: IntVec, indptr: IntVec) -> tuple[IntVec, IntVec]:
    """(indices, indptr) of the entries with positive probability."""
    positive = np.asarray(data > 0, dtype=np.bool_)
    count = np.concatenate([[0], np.cumsum(positive)])
    return np.asarray(indices)[positive].astype(np.int64), count[np.asarray(indptr)].astype(np.int64)


def strong_components(sources: IntVec, targets: IntVec, S: int) -> tuple[int, IntVec]:
    """Number of strongly connected components of a graph on 0..S−1, and the label of each state."""
    import scipy.sparse as sp
    from scipy.sparse.csgraph import connected_components

    graph = sp.coo_array((np.ones(sources.size, dtype=np.int8), (sources, targets)), shape=(S, S))
    count, labels = connected_components(graph.tocsr(), directed=True, connection="strong")
    return int(count), labels.astype(np.int64)


def recurrent_classes(P: NDArray[Any]) -> list[IntVec]:
    """Closed strongly connected components of a chain with (S, S) transition matrix P, each sorted.

    Complexity: O(S²) for the matrix, O(nnz) for the components.
    """
    S = P.shape[0]
    sources, targets = np.nonzero(np.asarray(P > 0, dtype=np.bool_))
    count, labels = strong_components(sources, targets, S)
    leaves = np.zeros(count, dtype=np.bool_)
    leaves[labels[sources][labels[sources] != labels[targets]]] = True
    return sorted((np.flatnonzero(labels == c) for c in np.flatnonzero(~leaves)), key=lambda x: int(x[0]))


def attractor(
    indices: IntVec, indptr: IntVec, owner: IntVec, S: int, target: BoolVec, use: BoolVec | None = None
) -> tuple[IntVec, IntVec]:
    """Distance to `target` in steps of positive probability, and a pair that makes progress.

    Returns
    -------
    level
        (S,) least number of steps in which some policy reaches the target with positive probability;
        −1 where none does.
    pair
        (S,) lowest pair with a successor of smaller level; −1 at the target and where level is −1.

    A policy made of these pairs reaches the target with probability one from every state, if all
    levels are ≥ 0.  `use` restricts the pairs.  Complexity: O(nnz).
    """
    entry_pair = np.repeat(np.arange(owner.size), np.diff(indptr))
    if use is not None:
        keep = use[entry_pair]
        entry_pair, indices = entry_pair[keep], indices[keep]
    order = np.argsort(indices, kind="stable")
    into, start = entry_pair[order], np.searchsorted(indices[order], np.arange(S + 1))
    level = np.where(target, 0, -1).astype(np.int64)
    pair = np.full(S, -1, dtype=np.int64)
    frontier, depth = np.flatnonzero(target), 0
    while frontier.size:
        depth += 1
        pieces = [into[start[t] : start[t + 1]] for t in frontier]
        hits = np.unique(np.concatenate(pieces)) if pieces else np.empty(0, dtype=np.int64)
        fresh = hits[level[owner[hits]] < 0]
        frontier, first = np.unique(owner[fresh], return_index=True)
        level[frontier], pair[frontier] = depth, fresh[first]
    return level, pair


def end_components(
    indices: IntVec, indptr: IntVec, owner: IntVec, S: int, use: BoolVec
) -> tuple[IntVec, BoolVec]:
    """Maximal end components using only the pairs in `use`.

    Returns
    -------
    label
        (S,) component of each state, numbered from 0; −1 for states in none.
    inside
        (N,) pairs that belong to their state's component.

    Complexity: O(S·nnz) at worst, usually a few passes.
    """
    entry_pair = np.repeat(np.arange(owner.size), np.diff(indptr))
    alive = use.copy()
    while True:
        keep = alive[entry_pair]
        labels = strong_components(owner[entry_pair[keep]], indices[keep], S)[1]
        bad = labels[owner[entry_pair]] != labels[indices]
        leaves = np.zeros(owner.size, dtype=np.bool_)
        leaves[entry_pair[bad]] = True
        survivors = alive & ~leaves
        if (survivors == alive).all():
            break
        alive = survivors
    label = np.full(S, -1, dtype=np.int64)
    members = np.unique(owner[alive])
    label[members] = np.unique(labels[members], return_inverse=True)[1]
    return label, alive


def almost_sure(
    indices: IntVec, indptr: IntVec, owner: IntVec, S: int, target: BoolVec
) -> tuple[BoolVec, BoolVec]:
    """States from which some policy reaches `target` with probability one, and the pairs it may use.

    Returns
    -------
    states
        (S,) mask, the target included.
    pairs
        (N,) pairs of those states all of whose successors are among those states.

    Complexity: O(S·nnz) at worst.
    """
    entry_pair = np.repeat(np.arange(owner.size), np.diff(indptr))
    use = np.ones(owner.size, dtype=np.bool_)
    while True:
        level, _ = attractor(indices, indptr, owner, S, target, use)
        states = level >= 0
        leaves = np.zeros(owner.size, dtype=np.bool_)
        leaves[entry_pair[~states[indices]]] = True
        smaller = use & ~leaves & states[owner]
        if (smaller == use).all():
            return states, use
        use = smaller
