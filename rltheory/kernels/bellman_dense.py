"""Bellman backups and whole solver loops over dense pair rows; twin of `bellman_csr`.

Every function starts with the model: P (N, S) float64, R (N,), gamma, state_ptr (S+1,) uint64.
Names, results and stopping rules are those of `bellman_csr`, whose docstrings hold here too.

Products PV of up to 16 MB of P go to BLAS; beyond that a flat loop with four accumulators reads at
memory speed.  The certificate's error term holds for any order of summation, BLAS's included.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

BLAS_ENTRIES = 1 << 21
"""Largest number of entries of P handed to BLAS."""


@njit(cache=True)
def q_values(P: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, q: Any) -> Any:
    """q = R + γPV over the pairs, into `q` (N,)."""
    N, S = P.shape
    if P.size <= 1 << 21:
        np.dot(P, V, q)
        for k in range(N):
            q[k] = R[k] + gamma * q[k]
        return
    rows = P.reshape(-1)
    n, body, base = np.uint64(S), np.uint64(S - S % 4), np.uint64(0)
    c1, c2, c3, c4 = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    for k in range(N):
        a, b, c, d, t = 0.0, 0.0, 0.0, 0.0, np.uint64(0)
        while t < body:
            a += rows[base + t] * V[t]
            b += rows[base + t + c1] * V[t + c1]
            c += rows[base + t + c2] * V[t + c2]
            d += rows[base + t + c3] * V[t + c3]
            t += c4
        while t < n:
            a += rows[base + t] * V[t]
            t += c1
        base += n
        q[k] = R[k] + gamma * ((a + b) + (c + d))


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
    lo, hi, check = np.inf, -np.inf, 0.0
    for s in range(V.size):
        k = rows[s]
        a, b = 0.0, 0.0
        for t in range(0, V.size - 1, 2):
            a += P[k, t] * V[t]
            b += P[k, t + 1] * V[t + 1]
        if V.size % 2:
            a += P[k, V.size - 1] * V[V.size - 1]
        x = R[k] + gamma * (a + b)
        d = x - V[s]
        out[s] = x
        check += 0.0 * d
        if d < lo:
            lo = d
        if d > hi:
            hi = d
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
    rows = P.reshape(-1)
    S = V.size
    n, body = np.uint64(S), np.uint64(S - S % 4)
    one, c2, c3, c4 = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    lo, hi, check = np.inf, -np.inf, 0.0
    for i in range(order.size):
        s = np.uint64(order[i])
        best = -np.inf
        k, end = state_ptr[s], state_ptr[s + one]
        base = k * n
        while k < end:
            a, b, c, e, t = 0.0, 0.0, 0.0, 0.0, np.uint64(0)
            while t < body:
                a += rows[base + t] * V[t]
                b += rows[base + t + one] * V[t + one]
                c += rows[base + t + c2] * V[t + c2]
                e += rows[base + t + c3] * V[t + c3]
                t += c4
            while t < n:
                a += rows[base + t] * V[t]
                t += one
            base += n
            q = R[k] + gamma * ((a + b) + (c + e))
            if q > best:
                best = q
            k += one
        d = best - V[s]
        V[s] = best
        check += 0.0 * d
        if d < lo:
            lo = d
        if d > hi:
            hi = d
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
    noise: Any, rmax: Any, max_iter: Any, sweeps: Any, spans: Any,
) -> Any:  # fmt: skip
    """Greedy step, then evaluation sweeps of the greedy policy; see the CSR twin."""
    S = V.size
    old, new = np.empty(S), np.empty(S)
    for s in range(S):
        old[s] = V[s]
    arg, last = np.empty(S, np.uint64), np.empty(S, np.uint64)
    for s in range(S):
        last[s] = R.size
    q, pq = np.empty(R.size), np.empty(S)
    PP, prew = np.empty((S, S)), np.empty(S)
    each = np.empty(S + 1, np.uint64)
    for s in range(S + 1):
        each[s] = s
    how, n, done = 0, 0, 0
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
        same = True
        for s in range(S):
            k = arg[s]
            if k != last[s]:
                same = False
                last[s] = k
                PP[s] = P[k]
                prew[s] = R[k]
        goal = 0.1 * (hi - lo)
        for _ in range(sweeps if sweeps > 0 else 1000):
            a, b = backup(PP, prew, gamma, each, old, new, arg, pq)
            old, new = new, old
            done += 1
            if np.isnan(a) or np.isnan(b):
                break
            if sweeps > 0:
                continue
            if (b - a <= goal and not same) or verdict(old, a, b, gamma, 0.5 * tol, noise, rmax) != 0:
                break
    for s in range(S):
        V[s] = old[s]
    return how, n, lo, hi, done
