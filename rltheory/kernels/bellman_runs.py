"""Bellman backups and whole solver loops over rows whose columns are consecutive; twin of `bellman_csr`.

Every function starts with the model: data (nnz,) float64, first (N,) uint32, indptr (N+1,) uint64,
R (N,), gamma, state_ptr (S+1,) uint64.  Row k is Σ_i data[indptr[k]+i]·V[first[k]+i]: the arrays of CSR
with one column a row, so nothing is copied and 8 bytes a non-zero are read instead of 12.
Names, results and stopping rules are those of `bellman_csr`, whose docstrings hold here too.  CPU only:
cards get the same models as CSR.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._dot import dot
from ._jit import njit
from .action_elimination import drift, open_pairs_backup
from .bellman_csr import SHARE
from .pace import EARLY, far, sweeps_left


@njit(cache=True)
def first_columns(indices: Any, indptr: Any) -> Any:
    """(consecutive, first): whether every row's columns are consecutive, and the first of each row.

    Ends at the first row that is not.  Complexity: one pass over the indices.
    """
    first = np.zeros(indptr.size - 1, np.uint32)
    j = np.uint64(0)
    for k in range(first.size):
        stop = indptr[k + 1]
        if j == stop:
            continue
        t = indices[j]
        first[k] = t
        off = np.uint32(0)
        for i in range(np.int64(stop - j)):  # no early end: that is what makes it vector instructions
            off |= indices[j + np.uint64(i)] ^ np.uint32(t + np.uint32(i))
        if off != 0:
            return False, first
        j = stop
    return True, first


@njit(cache=True)
def q_values(data: Any, first: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, q: Any) -> Any:
    """q = R + γPV over the pairs, into `q` (N,)."""
    j = np.uint64(0)
    for k in range(R.size):
        stop = indptr[k + 1]
        q[k] = R[k] + gamma * dot(data, j, V, np.uint64(first[k]), stop - j)
        j = stop


@njit(cache=True)
def backup(
    data: Any, first: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, out: Any, arg: Any
) -> Any:
    """out = TV and the first greedy pair of each state; returns (min, max) of TV − V, NaN if either is."""
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    k, j = np.uint64(0), np.uint64(0)
    for s in range(V.size):
        best, pick = -np.inf, k
        end = state_ptr[s + 1]
        while k < end:
            stop = indptr[k + one]
            q = R[k] + gamma * dot(data, j, V, np.uint64(first[k]), stop - j)
            j = stop
            if q > best:
                best, pick = q, k
            k += one
        d = best - V[s]
        out[s] = best
        arg[s] = pick
        check += 0.0 * d
        lo, hi = min(lo, d), max(hi, d)
    return lo + check, hi + check


@njit(cache=True)
def greedy_backup(
    data: Any,
    first: Any,
    indptr: Any,
    R: Any,
    gamma: Any,
    state_ptr: Any,
    V: Any,
    slack: Any,
    out: Any,
    arg: Any,
) -> Any:
    """out = TV and arg (S,) int64 the pair of each state that no other beats by more than `slack`."""
    one = np.uint64(1)
    lo, hi, check, short = np.inf, -np.inf, 0.0, 0.0
    k, j = np.uint64(0), np.uint64(0)
    for s in range(V.size):
        best, pick, chosen = -np.inf, k, -np.inf
        end = state_ptr[s + 1]
        while k < end:
            stop = indptr[k + one]
            q = R[k] + gamma * dot(data, j, V, np.uint64(first[k]), stop - j)
            j = stop
            check += 0.0 * q
            best = max(best, q)
            if q > chosen + slack:
                chosen, pick = q, k
            k += one
        d = best - V[s]
        out[s] = best
        arg[s] = pick
        short = max(short, best - chosen)
        lo, hi = min(lo, d), max(hi, d)
    return lo + check, hi + check, short + check


@njit(cache=True)
def chosen_backup(
    data: Any, first: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, rows: Any, V: Any, out: Any
) -> Any:
    """out = T^πV for the policy that uses pair rows[s] in state s; returns (min, max) of T^πV − V."""
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    for s in range(V.size):
        k = np.uint64(rows[s])
        j = indptr[k]
        x = R[k] + gamma * dot(data, j, V, np.uint64(first[k]), indptr[k + one] - j)
        d = x - V[s]
        out[s] = x
        check += 0.0 * d
        lo, hi = min(lo, d), max(hi, d)
    return lo + check, hi + check


@njit(cache=True)
def weighted_backup(
    data: Any, first: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, weights: Any, V: Any, out: Any
) -> Any:
    """out = T^πV for π as (N,) weights of the pairs; returns (min, max) of T^πV − V."""
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    k = np.uint64(0)
    for s in range(V.size):
        x = 0.0
        end = state_ptr[s + 1]
        while k < end:
            if weights[k] != 0.0:
                j = indptr[k]
                a = dot(data, j, V, np.uint64(first[k]), indptr[k + one] - j)
                x += weights[k] * (R[k] + gamma * a)
            k += one
        d = x - V[s]
        out[s] = x
        check += 0.0 * d
        lo, hi = min(lo, d), max(hi, d)
    return lo + check, hi + check


@njit(cache=True)
def gauss_seidel(
    data: Any, first: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, order: Any, V: Any
) -> Any:
    """One in-place sweep V(s) ← max_a [R + γPV](s, a) over `order`; returns (min, max) of the changes."""
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    for i in range(order.size):
        s = np.uint64(order[i])
        best = -np.inf
        k, end = state_ptr[s], state_ptr[s + one]
        j = indptr[k]
        while k < end:
            stop = indptr[k + one]
            q = R[k] + gamma * dot(data, j, V, np.uint64(first[k]), stop - j)
            j = stop
            best = max(best, q)
            k += one
        d = best - V[s]
        V[s] = best
        check += 0.0 * d
        lo, hi = min(lo, d), max(hi, d)
    return lo + check, hi + check


@njit(cache=True)
def verdict(V: Any, lo: Any, hi: Any, gamma: Any, tol: Any, noise: Any, rmax: Any) -> Any:
    """Stopping rule of the module for V = T(previous) and residual bounds lo, hi; 0 means go on."""
    if np.isnan(lo) or np.isnan(hi):
        return 3
    shift = gamma / (1.0 - gamma) * 0.5 * (lo + hi)
    low, high = np.inf, -np.inf
    for s in range(V.size):
        v = V[s]
        low = v if v < low else low
        high = v if v > high else high
    norm = max(abs(low + shift), abs(high + shift))
    if gamma / (1.0 - gamma) * (hi - lo) <= 2.0 * tol * max(1.0, norm):
        return 1
    if hi - lo <= noise * (norm + rmax):
        return 2
    return 0


@njit(cache=True)
def value_iteration(
    data: Any, first: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, tol: Any,
    noise: Any, rmax: Any, max_iter: Any, spans: Any,
) -> Any:  # fmt: skip
    """Jacobi value iteration in place; see the CSR twin."""
    S = V.size
    old, new = V, np.empty(S)
    arg = np.empty(S, np.uint32)
    how, n = 0, 0
    lo, hi = -np.inf, np.inf
    while n < max_iter:
        lo, hi = backup(data, first, indptr, R, gamma, state_ptr, old, new, arg)
        if n < spans.size:
            spans[n] = hi - lo
        n += 1
        old, new = new, old
        how = verdict(old, lo, hi, gamma, tol, noise, rmax)
        if how != 0:
            break
    if n % 2 == 1:
        for s in range(S):
            V[s] = old[s]
    return how, n, lo, hi


@njit(cache=True)
def gauss_seidel_iteration(
    data: Any, first: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, order: Any, V: Any,
    tol: Any, noise: Any, rmax: Any, max_iter: Any, spans: Any,
) -> Any:  # fmt: skip
    """Gauss–Seidel sweeps in place; see the CSR twin."""
    S = V.size
    out = np.empty(S)
    arg = np.empty(S, np.uint64)
    how, n = 0, 0
    lo, hi = -np.inf, np.inf
    while n < max_iter:
        lo, hi = gauss_seidel(data, first, indptr, R, gamma, state_ptr, order, V)
        lo, hi = min(lo, 0.0), max(hi, 0.0)
        if n < spans.size:
            spans[n] = hi - lo
        n += 1
        how = verdict(V, lo, hi, gamma, tol, noise, rmax)
        if how == 0 and n % 16 == 0:
            lo, hi = backup(data, first, indptr, R, gamma, state_ptr, V, out, arg)
            how = verdict(out, lo, hi, gamma, tol, noise, rmax)
            if how != 0:
                for s in range(S):
                    V[s] = out[s]
        if how != 0:
            break
    return how, n, lo, hi


@njit(cache=True)
def closed_head(first: Any, indptr: Any, rows: Any) -> Any:
    """Least c such that π(s) = rows[s] stays below c from s < c and never goes up from s ≥ c.

    Stocks that are used up and refilled, machines that wear out: the states from c on are transient, each
    leading down, and c is S where the policy shows nothing of the kind.
    """
    one = np.uint64(1)
    S = rows.size
    c: Any = 0
    for s in range(S):
        k = np.uint64(rows[s])
        if np.uint64(first[k]) + (indptr[k + one] - indptr[k]) > np.uint64(s) + one:
            c = s + 1
    s = 0
    while s < c:
        k = np.uint64(rows[s])
        c = max(c, np.int64(np.uint64(first[k]) + (indptr[k + one] - indptr[k])))
        s += 1
    return c


@njit(cache=True)
def descend(
    data: Any, first: Any, indptr: Any, R: Any, gamma: Any, rows: Any, start: Any, V: Any
) -> Any:  # fmt: skip
    """V^π of the states from `start` on, in place, where π(s) = rows[s] never goes up from them."""
    one = np.uint64(1)
    for s in range(start, V.size):
        k = np.uint64(rows[s])
        j, n = indptr[k], indptr[k + one] - indptr[k]
        stay = data[j + n - one] if np.uint64(first[k]) + n == np.uint64(s) + one else 0.0
        V[s] += (R[k] + gamma * dot(data, j, V, np.uint64(first[k]), n) - V[s]) / (1.0 - gamma * stay)


@njit(cache=True)
def modified_policy_iteration(
    data: Any, first: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, tol: Any,
    noise: Any, rmax: Any, max_iter: Any, sweeps: Any, pace: Any, spans: Any,
) -> Any:  # fmt: skip
    """Greedy step, then evaluation sweeps of the greedy policy; see the CSR twin.

    Here pairs are left out one by one, as many sweeps as cost one backup are made before a step, and a
    policy that drains into a closed set of up to half of the states is solved on that first.
    """
    S = V.size
    old, new = np.empty(S), np.empty(S)
    for s in range(S):
        old[s] = V[s]
    arg, last = np.empty(S, np.uint32), np.empty(S, np.uint32)
    for s in range(S):
        last[s] = 0xFFFFFFFF
    q, until = np.empty(R.size), np.zeros(R.size)
    seen, now = np.empty(S), 0.0
    free = R.size // S
    how, n, done, cap = 0, 0, 0, max(20, free)
    most = -sweeps if sweeps < 0 else 1 << 62
    lo, hi, early, hopeless = -np.inf, np.inf, 0.0, False
    while n < max_iter:
        for s in range(S):
            seen[s] = old[s]
        lo, hi = open_pairs_backup(data, first, indptr, R, gamma, state_ptr, now, until, old, new, arg, q)
        if n < spans.size:
            spans[n] = hi - lo
        n += 1
        old, new = new, old
        how = verdict(old, lo, hi, gamma, tol, noise, rmax)
        if how != 0:
            break
        same = True
        for s in range(S):
            if arg[s] != last[s]:
                same = False
                last[s] = arg[s]
        goal, limit = SHARE * (hi - lo), sweeps if sweeps > 0 else min(cap, most - done)
        cap = min(2 * cap, 1000)
        head = closed_head(first, indptr, last)
        if sweeps <= 0 and 2 * head <= S:
            x, y, pairs = old[:head], new[:head], 0
            a, b = 0.0, 0.0
            while head > 0 and 2 * pairs * head < limit * S:
                chosen_backup(data, first, indptr, R, gamma, state_ptr, last, x, y)
                a, b = chosen_backup(data, first, indptr, R, gamma, state_ptr, last, y, x)
                pairs += 1
                if verdict(x, a, b, gamma, 0.1 * tol, noise, rmax) != 0:
                    break
            for s in range(head):
                old[s] += gamma / (1.0 - gamma) * 0.5 * (a + b)
            descend(data, first, indptr, R, gamma, last, head, old)
            done += 1 + 2 * pairs * head // S
        for m in range(1, limit + 1):
            a, b = chosen_backup(data, first, indptr, R, gamma, state_ptr, arg, old, new)
            old, new = new, old
            done += 1
            if np.isnan(a) or np.isnan(b):
                break
            if sweeps > 0:
                continue
            if m == EARLY:
                early = b - a
            if m == 2 * EARLY:
                ask = far(old, a, b, gamma, 0.5 * tol, noise, rmax)
                hopeless = done + sweeps_left(early, b - a, ask) > pace * most
            if hopeless or (b - a <= goal and not same and m >= free):
                break
            if verdict(old, a, b, gamma, 0.5 * tol, noise, rmax) != 0:
                break
        if hopeless or done >= most:
            break
        now += gamma * drift(old, seen)
    for s in range(S):
        V[s] = old[s]
    return how, n, lo, hi, done
