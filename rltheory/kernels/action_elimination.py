"""Backups that leave out the actions which cannot be greedy yet (temporary action elimination).

Rows sum to one, so from V to W the q of one pair gains on another's at most γ·sp(W − V).  A loop that
adds up γ times the spans of its steps knows how far V has drifted; a pair that was further behind than
that is not looked at.  Nothing is certified here: a wrong choice, by rounding at most, costs a step.

Dense rows and rows of consecutive columns are long, so their pairs are left out one by one; scattered
rows are short, so whole states are, whose greedy row is at hand among the policy's.

Source: Hastings and van Nunen 1977; Puterman 1994, §6.7.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._dot import dot
from ._jit import njit
from ._row import row
from ._touch import AHEAD, LINES, STREAMED, asking, touch, touch_block

DOWN, TINY = 1.0 - 2.0**-22, 1e-37
"""What makes a lead safe to round to single precision, and the least that has a sign there."""


@njit(cache=True)
def drift(V: Any, W: Any) -> Any:
    """sp(V − W) = max(V − W) − min(V − W)."""
    low, high = np.inf, -np.inf
    for s in range(V.size):
        d = V[s] - W[s]
        low = d if d < low else low
        high = d if d > high else high
    return high - low


@njit(cache=True)
def open_pairs_backup(
    data: Any, first: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, now: Any, until: Any,
    V: Any, out: Any, arg: Any, q: Any,
) -> Any:  # fmt: skip
    """`backup` over consecutive columns that leaves out the pairs k with until[k] > now.

    With `now` the drift since the start, a pair that is x behind the greedy one cannot be greedy until
    now + x, which is noted in `until` (N,); `q` (N,) is scratch.
    """
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    k = np.uint64(0)
    for s in range(V.size):
        best, pick, at = -np.inf, k, k
        end = state_ptr[s + 1]
        while k < end:
            q[k] = -np.inf
            if not until[k] > now:
                j = indptr[k]
                q[k] = R[k] + gamma * dot(data, j, V, np.uint64(first[k]), indptr[k + one] - j)
                if q[k] > best:
                    best, pick = q[k], k
            k += one
        while at < end:
            if q[at] > -np.inf:
                until[at] = now + (best - q[at])
            at += one
        d = best - V[s]
        out[s] = best
        arg[s] = pick
        check += 0.0 * d
        lo, hi = min(lo, d), max(hi, d)
    return lo + check, hi + check


@njit(cache=True)
def open_states_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, limit: Any, now: Any, V: Any,
    out: Any, arg: Any, lead: Any,
) -> Any:  # fmt: skip
    """out = TV, where out = T^πV for π = `arg` on entry in the states with lead[s] > limit, which stay.

    In the others lead (S,) float32 becomes what `now` may grow to before another pair than arg[s] can be
    greedy; it is negative where the row of that pair is not stored, see `policy_rows`.  A limit of
    infinity opens all states.  Returns (min, max) of TV − V.
    """
    one = np.uint64(1)
    lo, hi, check = np.inf, -np.inf, 0.0
    nnz = np.uint64(indices.size)
    ask, large, step = asking(indices, nnz if limit == np.inf else np.uint64(0), V.size, STREAMED)
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
            entry, pair = indptr[state_ptr[s]] + AHEAD, state_ptr[s] + AHEAD
            while entry < soon + AHEAD:
                entry = touch_block(data, indices, entry)
            while pair < after + AHEAD:
                pair = touch_block(indptr, R, pair)
        while s < upto:
            k, end = state_ptr[s], state_ptr[s + one]
            if not lead[s] > limit:
                best, second, pick = -np.inf, -np.inf, k
                j = indptr[k]
                while k < end:
                    stop = indptr[k + one]
                    q = R[k] + gamma * row(data, indices, V, j, stop)
                    j = stop
                    low = q if q < best else best
                    second = low if low > second else second
                    if q > best:
                        best, pick = q, k
                    k += one
                out[s] = best
                ahead = max((now + (best - second)) * DOWN, TINY)
                lead[s] = ahead if lead[s] > 0.0 and pick == arg[s] else -ahead
                arg[s] = pick
            d = out[s] - V[s]
            check += 0.0 * d
            if d < lo:
                lo = d
            if d > hi:
                hi = d
            s += one
    return lo + check, hi + check
