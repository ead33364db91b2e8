"""Belief dynamic programming over histories: compiled loops on bare arrays.

A pair k = s·A + a has children ptr[k]..ptr[k+1]−1; child c leads to state[c] and multiplies an
unnormalised belief by factor[c] (M,).  W_{H+1} = 0 and

    W_t(s, b) = max_a { Σ_m b_m R[s,a,m] + Σ_c W_{t+1}(state[c], b∘factor[c]) }.

`tree_value` and `tree_spread` walk all histories.  `expand` and `contract` keep each (state, belief) once:
the key of a belief is its start column and how often each class of evidence was seen, packed into 64-bit
words, so equal keys mean equal beliefs whatever the rounding.  A belief on one context alone has a key of
its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit

TIE = 1e-12
"""Actions within this of the best are as good: the lowest is taken."""


@njit(cache=True, error_model="numpy")
def tree_value(ptr: Any, state: Any, factor: Any, R: Any, s0: int, b0: Any, H: int) -> Any:
    """(W_1(s0, b0), number of history nodes) by depth-first search; nothing is kept."""
    A, M = R.shape[1], R.shape[2]
    b = np.zeros((H + 1, M))
    s, a, c = np.zeros(H + 1, np.int64), np.zeros(H + 1, np.int64), np.zeros(H + 1, np.int64)
    q, best = np.zeros(H + 1), np.full(H + 1, -np.inf)
    b[0] = b0
    s[0] = s0
    nodes = 1
    if H == 1:
        for k in range(A):
            x = 0.0
            for m in range(M):
                x += b0[m] * R[s0, k, m]
            best[0] = max(best[0], x)
        return best[0], nodes
    d = 0
    c[0] = ptr[s0 * A]
    for m in range(M):
        q[0] += b0[m] * R[s0, 0, m]
    while True:
        pair = s[d] * A + a[d]
        stop = ptr[pair + 1]
        if d == H - 2:
            x = q[d]
            for j in range(c[d], stop):
                total = 0.0
                for m in range(M):
                    y = b[d, m] * factor[j, m]
                    b[d + 1, m] = y
                    total += y
                if total == 0.0:
                    continue
                nodes += 1
                u = state[j]
                top = -np.inf
                for k in range(A):
                    z = 0.0
                    for m in range(M):
                        z += b[d + 1, m] * R[u, k, m]
                    if z > top:
                        top = z
                x += top
            q[d] = x
            c[d] = stop
        if c[d] < stop:
            j = c[d]
            c[d] = j + 1
            total = 0.0
            for m in range(M):
                y = b[d, m] * factor[j, m]
                b[d + 1, m] = y
                total += y
            if total == 0.0:
                continue
            nodes += 1
            d += 1
            s[d] = state[j]
            a[d] = 0
            best[d] = -np.inf
        else:
            best[d] = max(best[d], q[d])
            a[d] += 1
            if a[d] == A:
                if d == 0:
                    return best[0], nodes
                d -= 1
                q[d] += best[d + 1]
                continue
        c[d] = ptr[s[d] * A + a[d]]
        q[d] = 0.0
        for m in range(M):
            q[d] += b[d, m] * R[s[d], a[d], m]


@njit(cache=True, error_model="numpy")
def tree_spread(ptr: Any, state: Any, factor: Any, R: Any, s0: int, b0: Any, H: int, c0: float) -> Any:
    """max_π E[(G − c0)²] from (s0, b0), unnormalised, G the total reward: depth-first, G kept per context."""
    A, M = R.shape[1], R.shape[2]
    b, got = np.zeros((H + 1, M)), np.zeros((H + 1, M))
    s, a, c = np.zeros(H + 1, np.int64), np.zeros(H + 1, np.int64), np.zeros(H + 1, np.int64)
    q, best = np.zeros(H + 1), np.full(H + 1, -np.inf)
    b[0] = b0
    s[0] = s0
    if H == 1:
        for k in range(A):
            x = 0.0
            for m in range(M):
                x += b0[m] * (R[s0, k, m] - c0) ** 2
            best[0] = max(best[0], x)
        return best[0]
    d = 0
    c[0] = ptr[s0 * A]
    while True:
        pair = s[d] * A + a[d]
        stop = ptr[pair + 1]
        for m in range(M):
            got[d + 1, m] = got[d, m] + R[s[d], a[d], m]
        if d == H - 2:
            x = q[d]
            for j in range(c[d], stop):
                total = 0.0
                for m in range(M):
                    y = b[d, m] * factor[j, m]
                    b[d + 1, m] = y
                    total += y
                if total == 0.0:
                    continue
                u = state[j]
                top = -np.inf
                for k in range(A):
                    z = 0.0
                    for m in range(M):
                        z += b[d + 1, m] * (got[d + 1, m] + R[u, k, m] - c0) ** 2
                    if z > top:
                        top = z
                x += top
            q[d] = x
            c[d] = stop
        if c[d] < stop:
            j = c[d]
            c[d] = j + 1
            total = 0.0
            for m in range(M):
                y = b[d, m] * factor[j, m]
                b[d + 1, m] = y
                total += y
            if total == 0.0:
                continue
            d += 1
            s[d] = state[j]
            a[d] = 0
            best[d] = -np.inf
        else:
            best[d] = max(best[d], q[d])
            a[d] += 1
            if a[d] == A:
                if d == 0:
                    return best[0]
                d -= 1
                q[d] += best[d + 1]
                continue
        c[d] = ptr[s[d] * A + a[d]]
        q[d] = 0.0


@njit(cache=True, error_model="numpy")
def expand(
    ptr: Any,
    state: Any,
    factor: Any,
    step: Any,
    lone: Any,
    A: int,
    node_state: Any,
    node_key: Any,
    node_belief: Any,
    width: int,
    limit: int,
) -> Any:
    """The distinct (state, belief) that follow a level of nodes, and where each child leads.

    Parameters
    ----------
    step
        (C, W) words added to the key when a child is seen.
    lone
        (M, W) keys of beliefs on one context.
    node_state, node_key, node_belief
        (n,), (n, W), (n, M) of the level; beliefs sum to one.
    limit
        Most nodes of the next level.

    Returns
    -------
    tuple
        child (n, A·width), −1 where nothing is seen; mass (n, A·width) probabilities of what is seen;
        state, key, belief of the next level; and False if `limit` was passed.
    """
    n, W = node_key.shape
    M = node_belief.shape[1]
    child = np.full((n, A * width), -1, np.int32)
    mass = np.zeros((n, A * width))
    room, size = 1024, 4096
    table = np.full(size, -1, np.int32)
    new_state, new_key, new_belief = (
        np.empty(room, np.int64),
        np.empty((room, W), np.uint64),
        np.empty((room, M)),
    )
    count = 0
    key, y = np.empty(W, np.uint64), np.empty(M)
    for i in range(n):
        s = node_state[i]
        for a in range(A):
            first = ptr[s * A + a]
            for j in range(first, ptr[s * A + a + 1]):
                total, alive, last = 0.0, 0, 0
                for m in range(M):
                    y[m] = node_belief[i, m] * factor[j, m]
                    total += y[m]
                    if y[m] > 0.0:
                        alive += 1
                        last = m
                if total == 0.0:
                    continue
                for w in range(W):
                    key[w] = lone[last, w] if alive == 1 else node_key[i, w] + step[j, w]
                u = state[j]
                h = np.uint64(u + 1) * np.uint64(0x9E3779B97F4A7C15)
                for w in range(W):
                    h = (h ^ key[w]) * np.uint64(0xD6E8FEB86659FD93)
                    h = h ^ (h >> np.uint64(32))
                at = np.int64(h & np.uint64(size - 1))
                while True:
                    found = table[at]
                    if found < 0:
                        break
                    same = new_state[found] == u
                    for w in range(W):
                        same = same and new_key[found, w] == key[w]
                    if same:
                        break
                    at = (at + 1) & (size - 1)
                if found < 0:
                    if count == limit:
                        return child, mass, new_state[:count], new_key[:count], new_belief[:count], False
                    if count == room:
                        room *= 2
                        grown = np.empty(room, np.int64)
                        grown[:count] = new_state
                        new_state = grown
                        keys = np.empty((room, W), np.uint64)
                        keys[:count] = new_key
                        new_key = keys
                        more = np.empty((room, M))
                        more[:count] = new_belief
                        new_belief = more
                    found = np.int32(count)
                    table[at] = found
                    new_state[count] = u
                    for w in range(W):
                        new_key[count, w] = key[w]
                    for m in range(M):
                        new_belief[count, m] = y[m] / total
                    count += 1
                    if 2 * count > size:
                        size *= 4
                        table = np.full(size, -1, np.int32)
                        for k in range(count):
                            h = np.uint64(new_state[k] + 1) * np.uint64(0x9E3779B97F4A7C15)
                            for w in range(W):
                                h = (h ^ new_key[k, w]) * np.uint64(0xD6E8FEB86659FD93)
                                h = h ^ (h >> np.uint64(32))
                            at = np.int64(h & np.uint64(size - 1))
                            while table[at] >= 0:
                                at = (at + 1) & (size - 1)
                            table[at] = k
                child[i, a * width + j - first] = found
                mass[i, a * width + j - first] = total
    return child, mass, new_state[:count], new_key[:count], new_belief[:count], True


@njit(cache=True, error_model="numpy")
def contract(R: Any, node_state: Any, node_belief: Any, child: Any, mass: Any, after: Any) -> Any:
    """(n,) values and actions of a level from the values `after` it (empty after the last step)."""
    n, M = node_belief.shape
    A = R.shape[1]
    width = child.shape[1] // A
    value, action = np.empty(n), np.zeros(n, np.int64)
    last = after.size == 0
    for i in range(n):
        s = node_state[i]
        best = -np.inf
        for a in range(A):
            q = 0.0
            for m in range(M):
                q += node_belief[i, m] * R[s, a, m]
            if not last:
                for j in range(a * width, (a + 1) * width):
                    if child[i, j] >= 0:
                        q += mass[i, j] * after[child[i, j]]
            if q > best + TIE:
                action[i] = a
            best = max(best, q)
        value[i] = best
    return value, action
