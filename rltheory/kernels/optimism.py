"""Optimistic planning over sets of alpha vectors, and episodes of a learner that plans so.

A pair k = s·A + a has children ptr[k]..ptr[k+1]−1; child c leads to state[c]; `mask[c, m]` says that context
m may go there, `prob[c, m]` is its estimated probability, `visits[k, m]` how many samples it rests on.
Backups of context m at a pair, from the entries v_c of the children chosen (x = ι/visits):

    EXT      R + max{p·v : lo ≤ p ≤ hi, Σp = 1},  lo, hi = prob ∓ (2√(prob·x) + 5x) cut to [0, 1], 0 off mask
    EXTC     min{1, EXT}
    VAL      min{1, R + prob·v + max{4√(|supp prob|·𝕍(prob, v)·x), 16Sx}},  1 if visits = 0
    HOEF     min{1, R + prob·v + √(Sx)},  1 if visits = 0
    PLAIN    R + prob·v

Candidates come by action, then by the tuples of child entries, last child fastest; a vector that another one
covers (up to TOL) goes, of equal ones the first stays; on two contexts the convex hull may be kept.  Vectors
of all steps lie in one pool, those of the last step first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._jit import njit

EXT, EXTC, VAL, HOEF, PLAIN = 0, 1, 2, 3, 4
TOL = 1e-12
DONE, POOL_FULL, TOO_MANY = 0, 1, 2
FULL = -1


class Tree(NamedTuple):
    """Children of every pair and where contexts can be; see `rltheory.operators.latent.HistoryTree`."""

    ptr: Any
    """(S·A + 1,)"""
    state: Any
    """(C,)"""
    slot: Any
    """(M, S, A, S) child position, −1 if impossible"""
    mask: Any
    """(C, M) uint8"""
    seen: Any
    """(H, M, S) uint8"""
    R: Any
    """(S·A, M)"""
    start: Any
    """(S, M) w_m ν_m(s)"""
    truth: Any
    """(C, M) true probabilities"""
    P: Any
    """(M, S, A, S) true probabilities"""
    cum_w: Any
    """(M,) partial sums of w"""
    cum_nu: Any
    """(M, S) partial sums of ν"""


class Pool(NamedTuple):
    """Alpha vectors of a plan, ascending in time to go."""

    alpha: Any
    """(cap, M)"""
    action: Any
    """(cap,)"""
    child: Any
    """(cap, width) positions in the pool; −1 beyond the children of the action"""
    first: Any
    """(H + 1, S) where Γ_t(s) begins"""
    size: Any
    """(H + 1, S)"""
    value: Any
    """(cap, M) true alpha vectors of the entries that the policy reaches"""
    used: Any
    """(cap,) uint8"""
    root: Any
    """(S,) entry played from each start state, −1 if none"""


@njit(cache=True)
def boxes(mode: Any, iota: Any, tree: Any, prob: Any, visits: Any, lo: Any, hi: Any) -> None:
    """Fill (C, M) `lo` and `hi` with the confidence bounds."""
    M = prob.shape[1]
    pairs = tree.ptr.size - 1
    for k in range(pairs):
        for c in range(tree.ptr[k], tree.ptr[k + 1]):
            for m in range(M):
                lo[c, m], hi[c, m] = 0.0, 0.0
                if tree.mask[c, m] == 0:
                    continue
                n, p = visits[k, m], prob[c, m]
                if mode <= EXTC:
                    if n == 0:
                        hi[c, m] = 1.0
                    else:
                        x = iota / n
                        half = 2.0 * np.sqrt(p * x) + 5.0 * x
                        lo[c, m], hi[c, m] = max(0.0, p - half), min(1.0, p + half)
                else:
                    lo[c, m], hi[c, m] = p, p


@njit(cache=True)
def backup(
    mode: Any, iota: Any, S: Any, k: Any, m: Any, tree: Any, visits: Any, lo: Any, hi: Any, v: Any, taken: Any
) -> Any:
    """One context's backup at pair k; v (width,) holds its entries of the children chosen."""
    c0, c1 = tree.ptr[k], tree.ptr[k + 1]
    n = visits[k, m]
    if mode <= EXTC:
        out, left = tree.R[k, m], 1.0
        for c in range(c0, c1):
            left -= lo[c, m]
            out += lo[c, m] * v[c - c0]
            taken[c - c0] = 0
        while left > 0.0:
            best = -1
            for j in range(c1 - c0):
                if taken[j] == 0 and hi[c0 + j, m] > lo[c0 + j, m] and (best < 0 or v[j] > v[best]):
                    best = j
            if best < 0:
                break
            taken[best] = 1
            room = min(left, hi[c0 + best, m] - lo[c0 + best, m])
            out += room * v[best]
            left -= room
        return min(1.0, out) if mode == EXTC else out
    mean, square, support = 0.0, 0.0, 0
    for c in range(c0, c1):
        p = hi[c, m]
        mean += p * v[c - c0]
        square += p * v[c - c0] * v[c - c0]
        support += p > 0.0
    if mode == PLAIN:
        return tree.R[k, m] + mean
    if n == 0:
        return 1.0
    x = iota / n
    if mode == HOEF:
        return min(1.0, tree.R[k, m] + mean + np.sqrt(S * x))
    variance = max(0.0, square - mean * mean)
    return min(1.0, tree.R[k, m] + mean + max(4.0 * np.sqrt(support * variance * x), 16.0 * S * x))


@njit(cache=True)
def hull(pool: Any, begin: Any, top: Any, x: Any, y: Any, order: Any, keep: Any) -> Any:
    """Keep of the Pareto-optimal entries begin..top−1 those best at some belief on contexts x and y.

    The upper hull by a monotone chain; entries stay in order.  Returns the new top.
    """
    n = top - begin
    if n < 3:
        return top
    for i in range(n):
        j = i
        while j > 0 and pool.alpha[order[j - 1], x] > pool.alpha[begin + i, x]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = begin + i
    size = 0
    for i in range(n):
        c = order[i]
        while size > 1:
            a, b = keep[size - 2], keep[size - 1]
            turn = (pool.alpha[b, x] - pool.alpha[a, x]) * (pool.alpha[c, y] - pool.alpha[a, y])
            turn -= (pool.alpha[b, y] - pool.alpha[a, y]) * (pool.alpha[c, x] - pool.alpha[a, x])
            if turn < 0.0:
                break
            size -= 1
        keep[size] = c
        size += 1
    for i in range(n):
        order[i] = 0
    for i in range(size):
        order[keep[i] - begin] = 1
    end = begin
    for i in range(n):
        if order[i]:
            for m in range(pool.alpha.shape[1]):
                pool.alpha[end, m] = pool.alpha[begin + i, m]
            for j in range(pool.child.shape[1]):
                pool.child[end, j] = pool.child[begin + i, j]
            pool.action[end] = pool.action[begin + i]
            end += 1
    return end


@njit(cache=True)
def plan(
    mode: Any,
    iota: Any,
    tree: Any,
    prob: Any,
    visits: Any,
    lo: Any,
    hi: Any,
    pool: Any,
    limit: Any,
    convex: Any,
    failed: Any,
) -> Any:
    """Γ_t(s) into `pool`: DONE, POOL_FULL, or TOO_MANY with `failed` = (t, s, a, candidates).

    `convex`: where two contexts are possible, keep the convex hull only (for convex backups).
    """
    H, M, S = tree.seen.shape
    A = (tree.ptr.size - 1) // S
    width = pool.child.shape[1]
    cap = pool.alpha.shape[0]
    options, digit = np.empty(width, np.int64), np.empty(width, np.int64)
    base = np.empty(width, np.int64)
    order, kept = np.empty(cap, np.int64), np.empty(cap, np.int64)
    v, taken, cand = np.empty(width), np.empty(width, np.uint8), np.empty(M)
    top = 0
    boxes(mode, iota, tree, prob, visits, lo, hi)
    for t in range(H - 1, -1, -1):
        for s in range(S):
            begin, many, last = top, 64, top
            x, y, live = -1, -1, 0
            for m in range(M):
                if tree.seen[t, m, s]:
                    x, y = y, m
                    live += 1
            flat = convex and live == 2
            for a in range(A):
                k = s * A + a
                c0 = tree.ptr[k]
                kids = tree.ptr[k + 1] - c0
                total = 1.0
                for j in range(kids):
                    options[j], digit[j], base[j] = 1, 0, 0
                    if t < H - 1:
                        u = tree.state[c0 + j]
                        base[j] = pool.first[t + 1, u]
                        for m in range(M):
                            if tree.seen[t, m, s] and hi[c0 + j, m] > 0.0:
                                options[j] = pool.size[t + 1, u]
                                break
                        total *= options[j]
                if total > limit:
                    failed[0], failed[1], failed[2], failed[3] = t, s, a, total
                    return TOO_MANY
                for _ in range(int(total)):
                    for m in range(M):
                        if tree.seen[t, m, s] == 0:
                            cand[m] = 0.0
                            continue
                        for j in range(kids):
                            v[j] = 0.0 if t == H - 1 else pool.alpha[base[j] + digit[j], m]
                        cand[m] = backup(mode, iota, S, k, m, tree, visits, lo, hi, v, taken)
                    covered = False
                    for probe in range(begin - 1, top):  # first the entry that covered the last one
                        i = last if probe < begin else probe
                        if i >= top:
                            continue
                        covered = True
                        for m in range(M):
                            if pool.alpha[i, m] < cand[m] - TOL:
                                covered = False
                                break
                        if covered:
                            last = i
                            break
                    if not covered:
                        keep = begin
                        for i in range(begin, top):
                            gone = True
                            for m in range(M):
                                if cand[m] < pool.alpha[i, m] - TOL:
                                    gone = False
                                    break
                            if not gone:
                                if keep < i:
                                    for m in range(M):
                                        pool.alpha[keep, m] = pool.alpha[i, m]
                                    for j in range(width):
                                        pool.child[keep, j] = pool.child[i, j]
                                    pool.action[keep] = pool.action[i]
                                keep += 1
                        top = keep
                        if top == cap:
                            return POOL_FULL
                        for m in range(M):
                            pool.alpha[top, m] = cand[m]
                        for j in range(width):
                            inside = j < kids and t < H - 1
                            pool.child[top, j] = base[j] + digit[j] if inside else -1
                        pool.action[top] = a
                        top += 1
                        if flat and top - begin > many:  # the hull in between keeps the scans short
                            top = hull(pool, begin, top, x, y, order, kept)
                            many = 2 * (top - begin) + 64
                    j = kids - 1
                    while j >= 0:
                        digit[j] += 1
                        if digit[j] < options[j]:
                            break
                        digit[j] = 0
                        j -= 1
            if flat:
                top = hull(pool, begin, top, x, y, order, kept)
            pool.first[t, s], pool.size[t, s] = begin, top - begin
    return DONE


@njit(cache=True)
def settle(tree: Any, pool: Any, best: Any) -> None:
    """Choose the entry played from each start state, and evaluate what is reached in the true model.

    `best` (S,): optimistic w∘ν(s)·α of the entry chosen.
    """
    H, M, S = tree.seen.shape
    A = (tree.ptr.size - 1) // S
    last = 0
    for s in range(S):
        pool.root[s], best[s] = -1, 0.0
        mass = 0.0
        for m in range(M):
            mass += tree.start[s, m]
        begin, end = pool.first[0, s], pool.first[0, s] + pool.size[0, s]
        last = max(last, end)
        if mass == 0.0:
            continue
        top = -np.inf
        for i in range(begin, end):
            x = 0.0
            for m in range(M):
                x += tree.start[s, m] * pool.alpha[i, m]
            top = max(top, x)
        for i in range(begin, end):
            x = 0.0
            for m in range(M):
                x += tree.start[s, m] * pool.alpha[i, m]
            if x >= top - TOL:
                pool.root[s], best[s] = i, x
                break
    for i in range(last):
        pool.used[i] = 0
    for s in range(S):
        if pool.root[s] >= 0:
            pool.used[pool.root[s]] = 1
    for t in range(H):
        for s in range(S):
            for i in range(pool.first[t, s], pool.first[t, s] + pool.size[t, s]):
                if pool.used[i]:
                    for j in range(pool.child.shape[1]):
                        if pool.child[i, j] >= 0:
                            pool.used[pool.child[i, j]] = 1
    for t in range(H - 1, -1, -1):
        for s in range(S):
            for i in range(pool.first[t, s], pool.first[t, s] + pool.size[t, s]):
                if pool.used[i] == 0:
                    continue
                k = s * A + pool.action[i]
                for m in range(M):
                    x = tree.R[k, m]
                    for j in range(tree.ptr[k + 1] - tree.ptr[k]):
                        if pool.child[i, j] >= 0:
                            x += tree.truth[tree.ptr[k] + j, m] * pool.value[pool.child[i, j], m]
                    pool.value[i, m] = x


@njit(cache=True)
def first_above(cum: Any, u: Any) -> Any:
    """First index with u < partial sum, the last one otherwise."""
    for i in range(cum.size):
        if u < cum[i]:
            return i
    return cum.size - 1


@njit(cache=True)
def play(
    tree: Any,
    pool: Any,
    U: Any,
    k0: Any,
    counts: Any,
    moves: Any,
    visits: Any,
    prob: Any,
    contexts: Any,
    starts: Any,
    paid: Any,
) -> Any:
    """Episodes k0, k0 + 1, … until some pair's sample doubles: the number of episodes then finished, or −K.

    U (K, H + 2) uniforms; counts (S·A, M) and moves (C, M) of all samples; visits, prob of the snapshots,
    taken the moment a count is a power of two.
    """
    K, H = U.shape[0], U.shape[1] - 2
    S = tree.start.shape[0]
    A = (tree.ptr.size - 1) // S
    for e in range(k0, K):
        m = first_above(tree.cum_w, U[e, 0])
        s = first_above(tree.cum_nu[m], U[e, 1])
        contexts[e], starts[e] = m, s
        node, fresh, total = pool.root[s], False, 0.0
        for t in range(H):
            a = pool.action[node]
            k = s * A + a
            total += tree.R[k, m]
            u, nxt, x = U[e, 2 + t], -1, 0.0
            for y in range(S):
                x += tree.P[m, s, a, y]
                if u < x:
                    nxt = y
                    break
            if nxt < 0 or tree.slot[m, s, a, nxt] < 0:  # the last index, or the last that can be
                nxt = S - 1
                while tree.slot[m, s, a, nxt] < 0 or tree.P[m, s, a, nxt] == 0.0:
                    nxt -= 1
            j = tree.slot[m, s, a, nxt]
            counts[k, m] += 1
            moves[tree.ptr[k] + j, m] += 1
            n = counts[k, m]
            if n & (n - 1) == 0:
                visits[k, m] = n
                for c in range(tree.ptr[k], tree.ptr[k + 1]):
                    prob[c, m] = moves[c, m] / n
                fresh = True
            if t < H - 1:
                node = pool.child[node, j]
            s = nxt
        paid[e] = total
        if fresh:
            return e + 1
    return -K
