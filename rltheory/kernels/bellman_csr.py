"""Bellman backups and whole solver loops over CSR pair rows; twin of `bellman_dense`.

Every function starts with the model: data (nnz,) float64, indices (nnz,) uint32, indptr (N+1,)
uint64, R (N,), gamma, state_ptr (S+1,) uint64.  Row k is Σ_j data[j]·V[indices[j]] over
j = indptr[k]..indptr[k+1]−1; state s owns pairs state_ptr[s]..state_ptr[s+1]−1.

Loops are flat, indices unsigned, rows summed by `_row` and without fast-math: that is what runs at memory
speed.  Rows that do not stay in the cache, and scattered values, are asked for ahead (`_touch`); large
models of ragged short rows have loops of their own (`short_rows`).  A residual sum that is NaN ends a
loop: NaN never converges.

Stopping.  With B = TV − V, MacQueen–Porteus: V* lies within γ/(2(1−γ))·sp(B) of the midpoint
TV + γ/(1−γ)·(min B + max B)/2, so loops end when γ/(1−γ)·sp(B) ≤ 2·tol·max(1, ‖midpoint‖).
They also end, as STALLED, when sp(B) ≤ noise·(‖midpoint‖ + max|R|): the rounding of a backup.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit
from ._row import row
from ._touch import AHEAD, LINES, STREAMED, asking, touch, touch_block
from .action_elimination import open_states_backup
from .pace import EARLY, far, sweeps_left
from .policy_sweeps import policy_backup, policy_rows
from .short_rows import MANY, short_backup, short_greedy_backup, unpredictable

MAX_ITER, CONVERGED, STALLED, NOT_FINITE = 0, 1, 2, 3
"""How a loop ended."""
SHARE = 0.2
"""Share of a step's residual span to which a policy that still changes is evaluated."""


@njit(cache=True)
def q_values(data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, q: Any) -> Any:
    """q = R + γPV over the pairs, into `q` (N,)."""
    one = np.uint64(1)
    nnz = np.uint64(indices.size)
    j, (ask, _, _) = np.uint64(0), asking(indices, nnz, V.size, STREAMED)
    for k in range(R.size):
        stop = indptr[k + 1]
        until = min(stop + LINES, nnz)
        while ask < until:
            touch(V, indices[ask])
            ask += one
        q[k] = R[k] + gamma * row(data, indices, V, j, stop)
        j = stop


@njit(cache=True)
def backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, out: Any, arg: Any
) -> Any:
    """out = TV and the first greedy pair of each state; returns (min, max) of TV − V, NaN if either is."""
    if unpredictable(indptr, state_ptr):
        return short_backup(data, indices, indptr, R, gamma, state_ptr, V, out, arg)
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    k, j = np.uint64(0), np.uint64(0)
    nnz = np.uint64(indices.size)
    ask, large, step = asking(indices, nnz, V.size, STREAMED)
    s, S = np.uint64(0), np.uint64(V.size)
    while s < S:
        upto = min(s + step, S)
        after = state_ptr[upto]
        soon = indptr[after]
        until = min(soon + LINES, nnz)
        while ask < until:
            touch(V, indices[ask])
            ask += one
        if large:
            entry, pair = j + AHEAD, k + AHEAD
            while entry < soon + AHEAD:
                entry = touch_block(data, indices, entry)
            while pair < after + AHEAD:
                pair = touch_block(indptr, R, pair)
        while s < upto:
            best, pick = -np.inf, k
            end = state_ptr[s + one]
            while k < end:
                stop = indptr[k + one]
                q = R[k] + gamma * row(data, indices, V, j, stop)
                j = stop
                if q > best:
                    best, pick = q, k
                k += one
            d = best - V[s]
            out[s] = best
            arg[s] = pick
            check += 0.0 * d
            if d < lo:
                lo = d
            if d > hi:
                hi = d
            s += one
    return lo + check, hi + check


def greedy_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, slack: Any,
    out: Any, arg: Any,
) -> Any:  # fmt: skip
    """out = TV and arg (S,) int64 the pair of each state that no other beats by more than `slack`.

    The lowest such pair, but for chains of ties each within `slack` of the next.  Returns (min, max) of
    TV − V and the most that a pair in `arg` falls short of TV; all NaN if anything is.
    Not compiled itself, so that of two loops only the one used is.
    """
    ragged = R.size >= MANY and unpredictable(indptr, state_ptr)
    sweep = short_greedy_backup if ragged else _greedy_backup
    return sweep(data, indices, indptr, R, gamma, state_ptr, V, slack, out, arg)


@njit(cache=True)
def _greedy_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, slack: Any,
    out: Any, arg: Any,
) -> Any:  # fmt: skip
    """The same where rows are long or their lengths can be guessed."""
    one = np.uint64(1)
    lo, hi, check, short = np.inf, -np.inf, 0.0, 0.0
    k, j = np.uint64(0), np.uint64(0)
    nnz = np.uint64(indices.size)
    ask, large, step = asking(indices, nnz, V.size, STREAMED)
    s, S = np.uint64(0), np.uint64(V.size)
    while s < S:
        upto = min(s + step, S)
        after = state_ptr[upto]
        soon = indptr[after]
        until = min(soon + LINES, nnz)
        while ask < until:
            touch(V, indices[ask])
            ask += one
        if large:
            entry, pair = j + AHEAD, k + AHEAD
            while entry < soon + AHEAD:
                entry = touch_block(data, indices, entry)
            while pair < after + AHEAD:
                pair = touch_block(indptr, R, pair)
        while s < upto:
            best, pick, chosen = -np.inf, k, -np.inf
            end = state_ptr[s + one]
            while k < end:
                stop = indptr[k + one]
                q = R[k] + gamma * row(data, indices, V, j, stop)
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
            s += one
    return lo + check, hi + check, short + check


@njit(cache=True)
def chosen_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, rows: Any, V: Any, out: Any
) -> Any:
    """out = T^πV for the policy that uses pair rows[s] in state s; returns (min, max) of T^πV − V."""
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    for s in range(V.size):
        k = np.uint64(rows[s])
        j, stop = indptr[k], indptr[k + one]
        x = R[k] + gamma * row(data, indices, V, j, stop)
        d = x - V[s]
        out[s] = x
        check += 0.0 * d
        if d < lo:
            lo = d
        if d > hi:
            hi = d
    return lo + check, hi + check


@njit(cache=True)
def weighted_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, weights: Any, V: Any, out: Any
) -> Any:
    """out = T^πV for π as (N,) weights of the pairs; returns (min, max) of T^πV − V."""
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    k, j = np.uint64(0), np.uint64(0)
    for s in range(V.size):
        x = 0.0
        end = state_ptr[s + 1]
        while k < end:
            stop = indptr[k + one]
            if weights[k] != 0.0:
                a = 0.0
                while j < stop:
                    a += data[j] * V[indices[j]]
                    j += one
                x += weights[k] * (R[k] + gamma * a)
            j = stop
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
def gauss_seidel(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, order: Any, V: Any
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
            q = R[k] + gamma * row(data, indices, V, j, stop)
            j = stop
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
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, tol: Any,
    noise: Any, rmax: Any, max_iter: Any, spans: Any,
) -> Any:  # fmt: skip
    """Jacobi value iteration in place until the module's stopping rule.

    Parameters
    ----------
    V
        (S,) start; holds T^n V at the end.
    tol, noise, rmax, max_iter
        See the module; at most max_iter sweeps.
    spans
        (m,) output: sp(B) after each of the first m sweeps.

    Returns
    -------
    (how, sweeps, lo, hi), the residual bounds being those of the point before V.
    """
    S = V.size
    old, new = V, np.empty(S)
    arg = np.empty(S, np.uint32)
    how, n = 0, 0
    lo, hi = -np.inf, np.inf
    while n < max_iter:
        lo, hi = backup(data, indices, indptr, R, gamma, state_ptr, old, new, arg)
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
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, order: Any, V: Any,
    tol: Any, noise: Any, rmax: Any, max_iter: Any, spans: Any,
) -> Any:  # fmt: skip
    """Gauss–Seidel sweeps in place; arguments and result as `value_iteration`, `order` (S,) first.

    After a sweep with changes in [lo, hi] the residual of V lies in γ·[min(lo, 0), max(hi, 0)], so
    [min(lo, 0), max(hi, 0)] takes the place of [min B, max B]; every 16th sweep B itself is tested.
    """
    S = V.size
    out = np.empty(S)
    arg = np.empty(S, np.uint64)
    how, n = 0, 0
    lo, hi = -np.inf, np.inf
    while n < max_iter:
        lo, hi = gauss_seidel(data, indices, indptr, R, gamma, state_ptr, order, V)
        lo, hi = min(lo, 0.0), max(hi, 0.0)
        if n < spans.size:
            spans[n] = hi - lo
        n += 1
        how = verdict(V, lo, hi, gamma, tol, noise, rmax)
        if how == 0 and n % 16 == 0:
            lo, hi = backup(data, indices, indptr, R, gamma, state_ptr, V, out, arg)
            how = verdict(out, lo, hi, gamma, tol, noise, rmax)
            if how != 0:
                for s in range(S):
                    V[s] = out[s]
        if how != 0:
            break
    return how, n, lo, hi


@njit(cache=True)
def modified_policy_iteration(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, tol: Any,
    noise: Any, rmax: Any, max_iter: Any, sweeps: Any, pace: Any, spans: Any,
) -> Any:  # fmt: skip
    """Greedy step, then evaluation sweeps of the greedy policy, until the module's stopping rule.

    Parameters
    ----------
    sweeps
        Evaluation sweeps per step; 0 adapts: sweep until the policy's residual span is `SHARE` of
        the step's (within the tolerance if the policy did not change), at most 20·2ⁿ at step n and
        1000, since the first policies do not last.  −m adapts, too, and ends after m sweeps in all.
    pace
        With −m: end as soon as 2·`EARLY` sweeps of one policy say that at their pace more than pace·m
        would be needed in all; infinity never does.

    Returns
    -------
    (how, steps, lo, hi, evaluation sweeps done).
    """
    S = V.size
    old, new = V, np.empty(S)
    arg, plen, lead = np.empty(S, np.uint32), np.zeros(S, np.uint32), np.full(S, -1.0, np.float32)
    width = np.uint64(0)
    one = np.uint64(1)
    for s in range(S):
        k, longest = state_ptr[s], np.uint64(0)
        arg[s] = k
        while k < state_ptr[s + 1]:
            longest = max(longest, indptr[k + one] - indptr[k])
            k += one
        width += longest
    pdata, pidx = np.empty(width), np.empty(width, np.uint32)
    most = -sweeps if sweeps < 0 else 1 << 62
    how, n, done, flips, cap, i = 0, 0, 0, 0, 20, one
    lo, hi, now, early, hopeless = -np.inf, np.inf, 0.0, 0.0, False
    few = S // 2 if S <= STREAMED else S // 8
    while n < max_iter:
        open_states = 0
        for s in range(S):
            open_states += not lead[s] > now
        limit = now
        if open_states > few:
            limit, now = np.inf, 0.0
        else:
            policy_backup(pdata, pidx, plen, R, arg, gamma, i, old, new)
        lo, hi = open_states_backup(
            data, indices, indptr, R, gamma, state_ptr, limit, now, old, new, arg, lead
        )
        now += gamma * (hi - lo)
        if n < spans.size:
            spans[n] = hi - lo
        n += 1
        old, new = new, old
        flips += 1
        how = verdict(old, lo, hi, gamma, tol, noise, rmax)
        if how != 0:
            break
        same, i = policy_rows(data, indices, indptr, arg, lead, pdata, pidx, plen)
        goal, ask = SHARE * (hi - lo), far(old, lo, hi, gamma, 0.5 * tol, noise, rmax)
        limit = sweeps if sweeps > 0 else min(cap, most - done)
        cap = min(2 * cap, 1000)
        m = 0
        while m < limit:
            a, b = policy_backup(pdata, pidx, plen, R, arg, gamma, i, old, new)
            old, new = new, old
            flips += 1
            m += 1
            if np.isnan(a) or np.isnan(b):
                break
            now += gamma * (b - a)
            if sweeps > 0:
                continue
            if m == EARLY:
                early = b - a
            if m == 2 * EARLY and done + m + sweeps_left(early, b - a, ask) > pace * most:
                hopeless = True
                break
            if b - a <= goal and not same:
                break
            if not b - a > ask and verdict(old, a, b, gamma, 0.5 * tol, noise, rmax) != 0:
                break
        done += m
        if hopeless or done >= most:
            break
    if flips % 2 == 1:
        for s in range(S):
            V[s] = old[s]
    return how, n, lo, hi, done
