"""Orders of the states of a sparse model: strong components, breadth-first layers, bandwidth.

The graph has an edge from s to every column stored in a row of s; since the pairs of a state are
stored together, the model's own arrays are its adjacency lists.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._jit import njit
from ._touch import touch

AHEAD, LINE = 8, np.uint64(16)
"""States ahead whose edges are asked for, and edges in a cache line."""


@njit(cache=True)
def strong_order(indices: Any, indptr: Any, state_ptr: Any) -> Any:
    """Strong components, successors first (Tarjan 1972, without recursion).

    Returns
    -------
    order, block_ptr
        (S,) uint32 states and (B+1,) int64 ends: component b is order[block_ptr[b]:block_ptr[b+1]], and
        every edge out of it leads to an earlier component.

    Complexity: O(nnz) time, less once every state was seen and the first of the path is known to be
    reached; 24 bytes a state.
    """
    S = state_ptr.size - 1
    number, low = np.empty(S, np.uint32), np.empty(S, np.uint32)
    stack, path = np.empty(S, np.uint32), np.empty(S, np.uint32)
    at = np.empty(S, np.uint64)
    order, block_ptr = np.empty(S, np.uint32), np.empty(S + 1, np.int64)
    block_ptr[0] = 0
    for i in range(S):
        number[i] = 0
    one = np.uint64(1)
    closed = np.uint32(0xFFFFFFFF)
    clock, height, n, blocks = np.uint32(0), 0, 0, 0
    everything = np.uint32(S)
    for root in range(S):
        if number[root] != 0:
            continue
        depth = 0
        path[0] = root
        clock += np.uint32(1)
        bottom = clock
        number[root], low[root] = clock, clock
        at[root] = indptr[state_ptr[root]]
        stack[height] = root
        height += 1
        while depth >= 0:
            s = np.uint64(path[depth])
            j, stop = at[s], indptr[state_ptr[s + one]]
            best = low[s]
            deeper = False
            if clock == everything and best == bottom:
                j = stop
            while j < stop:
                t = indices[j]
                j += one
                x = number[t]
                if x == 0:
                    deeper = True
                    break
                if x < best:
                    best = x
                    if clock == everything and best == bottom:
                        j = stop
            at[s], low[s] = j, best
            if deeper:
                depth += 1
                path[depth] = t
                clock += np.uint32(1)
                number[t], low[t] = clock, clock
                at[t] = indptr[state_ptr[t]]
                stack[height] = t
                height += 1
                continue
            depth -= 1
            if depth >= 0:
                up = path[depth]
                low[up] = min(low[up], best)
            if best == number[s]:
                while True:
                    height -= 1
                    t = stack[height]
                    number[t] = closed
                    order[n] = t
                    n += 1
                    if t == s:
                        break
                blocks += 1
                block_ptr[blocks] = n
    ends = np.empty(blocks + 1, np.int64)
    for b in range(blocks + 1):
        ends[b] = block_ptr[b]
    return order, ends


@njit(cache=True)
def myopic(R: Any, state_ptr: Any, V: Any, arg: Any) -> Any:
    """V(s) = max_a R(s, a) and the first such pair of each state: a greedy step from zero."""
    one = np.uint64(1)
    for s in range(V.size):
        k, end = state_ptr[s], state_ptr[s + 1]
        best, pick = R[k], k
        while k < end:
            if R[k] > best:
                best, pick = R[k], k
            k += one
        V[s], arg[s] = best, pick


@njit(cache=True)
def predecessors(indices: Any, indptr: Any, state_ptr: Any) -> Any:
    """(start, into): into[start[t]:start[t+1]] are the states with an entry in column t, one an entry."""
    S = state_ptr.size - 1
    start, fill = np.empty(S + 1, np.uint64), np.empty(S, np.uint64)
    one: Any = np.uint64(1)
    for s in range(S + 1):
        start[s] = 0
    for i in range(indices.size):
        start[np.uint64(indices[i]) + one] += one
    for s in range(S):
        start[s + 1] += start[s]
        fill[s] = start[s]
    into = np.empty(indices.size, np.uint32)
    j: Any = np.uint64(0)
    for s in range(S):
        stop = indptr[state_ptr[s + 1]]
        while j < stop:
            t = np.uint64(indices[j])
            into[fill[t]] = s
            fill[t] += one
            j += one
    return start, into


@njit(cache=True)
def breadth_first(start: Any, edges: Any, source: Any, most: Any, target: Any) -> Any:
    """(order, n): (S,) uint32 states by number of steps from the mask `source`, the n reached first.

    State s has edges to edges[start[s]:start[s+1]].  Ends early once `most` states or `target` was reached;
    S of either never does.  Complexity: O(nnz), less once every state was reached.
    """
    S = source.size
    seen = np.empty(S, np.bool_)
    order = np.empty(S, np.uint32)
    n, head = 0, 0
    one: Any = np.uint64(1)
    for i in range(S):
        seen[i] = source[i]
        if source[i]:
            order[n] = i
            n += 1
    while head < n < most:
        if head + 2 * AHEAD < n:  # rows are read in no order: ask for those that are next in turn
            touch(start, np.uint64(order[head + 2 * AHEAD]))
            later = start[np.uint64(order[head + AHEAD])]
            touch(edges, later)
            touch(edges, later + LINE)
        s = np.uint64(order[head])
        head += 1
        j: Any = start[s]
        stop: Any = start[s + one]
        while j < stop:
            t = edges[j]
            if not seen[t]:
                seen[t] = True
                order[n] = t
                n += 1
                if t == target:
                    head = most
            j += one
    reached = n
    for i in range(S):
        if not seen[i]:
            order[n] = i
            n += 1
    return order, reached


@njit(cache=True)
def row_length(indptr: Any, most: Any) -> Any:
    """Entries to which rows are best filled up: those of the longest, 0 if that is above `most` or most rows
    are as long as the one before.
    """
    longest, length, turns = np.uint64(0), np.uint64(0), 0
    for k in range(indptr.size - 1):
        turns += indptr[k + 1] - indptr[k] != length
        length = indptr[k + 1] - indptr[k]
        longest = max(longest, length)
    return longest if longest <= most and 4 * turns > indptr.size else np.uint64(0)


@njit(cache=True)
def permuted(data: Any, indices: Any, indptr: Any, R: Any, state_ptr: Any, order: Any, slot: Any) -> Any:
    """The model with state order[i] renamed i: new (data, indices, indptr, R, state_ptr).

    Rows are filled up with zeros, at the state itself, to `slot` entries.
    """
    S, N = order.size, R.size
    place = np.empty(S, np.uint32)
    for i in range(S):
        place[order[i]] = i
    room = max(data.size, np.int64(slot) * N)
    x, col = np.empty(room), np.empty(room, np.uint32)
    ptr, rew, sptr = np.empty(N + 1, np.uint64), np.empty(N), np.empty(S + 1, np.uint64)
    ptr[0], sptr[0] = 0, 0
    m, q = np.uint64(0), np.uint64(0)
    one = np.uint64(1)
    for i in range(S):
        if i + 2 * AHEAD < S:  # states are read in no order: ask for those that are next in turn
            k = state_ptr[np.uint64(order[i + 2 * AHEAD])]
            touch(indptr, k)
            touch(R, k)
            j = indptr[state_ptr[np.uint64(order[i + AHEAD])]]
            touch(indices, j)
            touch(indices, j + LINE)
            touch(data, j)
            touch(data, j + LINE // 2)
            touch(data, j + LINE)
        s = np.uint64(order[i])
        k, end = state_ptr[s], state_ptr[s + one]
        j = indptr[k]
        moved = m - j
        while k < end:
            rew[q] = R[k]
            k += one
            q += one
            if slot == 0:
                ptr[q] = indptr[k] + moved
                continue
            full = m + slot
            while j < indptr[k]:
                x[m] = data[j]
                col[m] = place[indices[j]]
                m += one
                j += one
            while m < full:
                x[m] = 0.0
                col[m] = i
                m += one
            ptr[q] = m
        while j < indptr[end]:  # all rows of the state at once, where none is filled up
            x[m] = data[j]
            col[m] = place[indices[j]]
            m += one
            j += one
        sptr[i + 1] = q
    return x[:m], col[:m], ptr, rew, sptr


@njit(cache=True)
def absorbing(indices: Any, indptr: Any, state_ptr: Any) -> Any:
    """(S,) mask of the states no pair leaves."""
    S = state_ptr.size - 1
    out = np.empty(S, np.bool_)
    for s in range(S):
        out[s] = True
        for j in range(indptr[state_ptr[s]], indptr[state_ptr[s + 1]]):
            if indices[j] != s:
                out[s] = False
                break
    return out


class Facts(NamedTuple):
    """What a look at the indices tells.

    Attributes
    ----------
    band
        Largest |s − t| over the entries; some number above `width` if that is wider.
    up, down
        Whether an entry leads to a state of higher, of lower number.
    absorbing
        States no pair leaves.
    """

    band: Any
    up: Any
    down: Any
    absorbing: Any


@njit(cache=True)
def facts(indices: Any, indptr: Any, state_ptr: Any, width: Any) -> Any:
    """`Facts` of a model.  Complexity: one pass; O(S) from where the band is too wide and goes both ways."""
    one = np.uint64(1)
    loose, looking = 0, True
    up, down = np.int32(0), np.int32(0)
    for s in range(state_ptr.size - 1):
        j, stop, me = indptr[state_ptr[s]], indptr[state_ptr[s + 1]], np.int32(s)
        if looking:
            least, most = np.int32(0), np.int32(0)
            while j < stop:
                d = np.int32(indices[j]) - me
                least, most = min(least, d), max(most, d)
                j += one
            up, down = max(up, most), max(down, -least)
            loose += least == most
            looking = up == 0 or down == 0 or max(up, down) <= width
        else:
            while j < stop and np.int32(indices[j]) == me:
                j += one
            loose += j == stop
    return Facts(np.int64(max(up, down)), up > 0, down > 0, np.int64(loose))


@njit(cache=True)
def within_blocks(order: Any, block_ptr: Any, rank: Any) -> Any:
    """`order` with the states of each block sorted by `rank`, an order of all states."""
    S = order.size
    label, fill = np.empty(S, np.uint32), block_ptr[:-1].copy()
    for b in range(block_ptr.size - 1):
        for i in range(block_ptr[b], block_ptr[b + 1]):
            label[order[i]] = b
    out = np.empty(S, np.uint32)
    for i in range(S):
        s = rank[i]
        b = label[s]
        out[fill[b]] = s
        fill[b] += 1
    return out
