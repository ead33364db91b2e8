"""Bellman backups and whole solver loops over dense pair rows; twin of `bellman_csr`.

Every function starts with the model: P (N, S) float64, R (N,), gamma, state_ptr (S+1,) uint64.
Names, results and stopping rules are those of `bellman_csr`, whose docstrings hold here too.

Rows are summed by `dot`, at memory speed with one thread, and in an order that is always the same.
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
def q_values(P: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, q: Any) -> Any:
    """q = R + γPV over the pairs, into `q` (N,)."""
    rows, n, base, zero = P.reshape(-1), np.uint64(P.shape[1]), np.uint64(0), np.uint64(0)
    for k in range(R.size):
        q[k] = R[k] + gamma * dot(rows, base, V, zero, n)
        base += n


@njit(cache=True)
def backup(P: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, out: Any, arg: Any, q: Any) -> Any:
    """out = TV, arg the first greedy pair; `q` (N,) is scratch; returns (min, max) of TV − V."""
    q_values(P, R, gamma, state_ptr, V, q)
    one, k = np.uint64(1), np.uint64(0)
    lo, hi, check = np.inf, -np.inf, 0.0
    for s in range(V.size):
        best, pick = -np.inf, k
        end = state_ptr[s + 1]
        while k < end:
            if q[k] > best:
                best, pick = q[k], k
            k += one
        d = best - V[s]
        out[s] = best
        arg[s] = pick
        check += 0.0 * d
        if d < lo:
            lo = d
        if d > hi:
            hi = d
    return lo + check, hi + check


@njit(cache=True)
def greedy_backup(
    P: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, slack: Any, out: Any, arg: Any
) -> Any:  # fmt: skip
    """out = TV and arg (S,) int64 the pair of each state that no other beats by more than `slack`."""
    q = np.empty(R.size)
    q_values(P, R, gamma, state_ptr, V, q)
    lo, hi, check, short = np.inf, -np.inf, 0.0, 0.0
    k, one = np.uint64(0), np.uint64(1)
    for s in range(V.size):
        best, pick, chosen = -np.inf, k, -np.inf
        end = state_ptr[s + 1]
        while k < end:
            check += 0.0 * q[k]
            best = max(best, q[k])
            if q[k] > chosen + slack:
                chosen, pick = q[k], k
            k += one
        d = best - V[s]
        out[s] = best
        arg[s] = pick
        short = max(short, best - chosen)
        lo, hi = min(lo, d), max(hi, d)
    return lo + check, hi + check, short + check


@njit(cache=True)
def chosen_backup(P: Any, R: Any, gamma: Any, state_ptr: Any, rows: Any, V: Any, out: Any) -> Any:
    """out = T^πV for the policy that uses pair rows[s] in state s; returns (min, max) of T^πV − V."""
    flat, n, zero = P.reshape(-1), np.uint64(P.shape[1]), np.uint64(0)
    lo, hi, check = np.inf, -np.inf, 0.0
    for s in range(V.size):
        k = np.uint64(rows[s])
        x = R[k] + gamma * dot(flat, k * n, V, zero, n)
        d = x - V[s]
        out[s] = x
        check += 0.0 * d
        lo, hi = min(lo, d), max(hi, d)
    return lo + check, hi + check


@njit(cache=True)
def weighted_backup(P: Any, R: Any, gamma: Any, state_ptr: Any, weights: Any, V: Any, out: Any) -> Any:
    """out = T^πV for π as (N,) weights of the pairs; returns (min, max) of T^πV − V."""
    q = np.empty(R.size)
    q_values(P, R, gamma, state_ptr, V, q)
    one, k = np.uint64(1), np.uint64(0)
    lo, hi, check = np.inf, -np.inf, 0.0
    for s in range(V.size):
        x = 0.0
        end = state_ptr[s + 1]
        while k < end:
            if weights[k] != 0.0:
                x += weights[k] * q[k]
            k += one
        d = x - V[s]
        out[s] = x
        check += 0.0 * d
        if d < lo:
            lo = d
        if d > hi:
            hi = d
    return lo + check, hi + check


@njit(cache=True)
def gauss_seidel(P: Any, R: Any, gamma: Any, state_ptr: Any, order: Any, V: Any) -> Any:
    """One in-place sweep V(s) ← max_a [R + γPV](s, a) over `order`; returns (min, max) of the changes."""
    rows, n, one, zero = P.reshape(-1), np.uint64(P.shape[1]), np.uint64(1), np.uint64(0)
    lo, hi, check = np.inf, -np.inf, 0.0
    for i in range(order.size):
        s = np.uint64(order[i])
        best = -np.inf
        k, end = state_ptr[s], state_ptr[s + one]
        while k < end:
            best = max(best, R[k] + gamma * dot(rows, k * n, V, zero, n))
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
    P: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, tol: Any,
    noise: Any, rmax: Any, max_iter: Any, spans: Any,
) -> Any:  # fmt: skip
    """Jacobi value iteration in place; see the CSR twin."""
    S = V.size
    old, new = np.empty(S), np.empty(S)
    for s in range(S):
        old[s] = V[s]
    arg, q = np.empty(S, np.uint64), np.empty(R.size)
    how, n = 0, 0
    lo, hi = -np.inf, np.inf
    while n < max_iter:
        lo, hi = backup(P, R, gamma, state_ptr, old, new, arg, q)
        if n < spans.size:
            spans[n] = hi - lo
        n += 1
        old, new = new, old
        how = verdict(old, lo, hi, gamma, tol, noise, rmax)
        if how != 0:
            break
    for s in range(S):
        V[s] = old[s]
    return how, n, lo, hi


@njit(cache=True)
def gauss_seidel_iteration(
    P: Any, R: Any, gamma: Any, state_ptr: Any, order: Any, V: Any,
    tol: Any, noise: Any, rmax: Any, max_iter: Any, spans: Any,
) -> Any:  # fmt: skip
    """Gauss–Seidel sweeps in place; see the CSR twin."""
    S = V.size
    out = np.empty(S)
    arg, q = np.empty(S, np.uint64), np.empty(R.size)
    how, n = 0, 0
    lo, hi = -np.inf, np.inf
    while n < max_iter:
        lo, hi = gauss_seidel(P, R, gamma, state_ptr, order, V)
        lo, hi = min(lo, 0.0), max(hi, 0.0)
        if n < spans.size:
            spans[n] = hi - lo
        n += 1
        how = verdict(V, lo, hi, gamma, tol, noise, rmax)
        if how == 0 and n % 16 == 0:
            lo, hi = backup(P, R, gamma, state_ptr, V, out, arg, q)
            how = verdict(out, lo, hi, gamma, tol, noise, rmax)
            if how != 0:
                for s in range(S):
                    V[s] = out[s]
        if how != 0:
            break
    return how, n, lo, hi


@njit(cache=True)
def modified_policy_iteration(
    P: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, tol: Any,
    noise: Any, rmax: Any, max_iter: Any, sweeps: Any, pace: Any, spans: Any,
) -> Any:  # fmt: skip
    """Greedy step, then evaluation sweeps of the greedy policy; see the CSR twin.

    Here pairs are left out one by one.
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
    rows, first, ptr = P.reshape(-1), np.zeros(R.size, np.uint32), np.arange(R.size + 1).astype(np.uint64)
    ptr *= np.uint64(S)
    how, n, done, cap = 0, 0, 0, 20
    most = -sweeps if sweeps < 0 else 1 << 62
    lo, hi, early, hopeless = -np.inf, np.inf, 0.0, False
    while n < max_iter:
        for s in range(S):
            seen[s] = old[s]
        lo, hi = open_pairs_backup(rows, first, ptr, R, gamma, state_ptr, now, until, old, new, arg, q)
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
        for m in range(1, limit + 1):
            a, b = chosen_backup(P, R, gamma, state_ptr, arg, old, new)
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
            if hopeless or (b - a <= goal and not same):
                break
            if verdict(old, a, b, gamma, 0.5 * tol, noise, rmax) != 0:
                break
        if hopeless or done >= most:
            break
        now += gamma * drift(old, seen)
    for s in range(S):
        V[s] = old[s]
    return how, n, lo, hi, done
