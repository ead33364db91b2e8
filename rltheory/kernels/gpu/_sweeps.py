"""The sweep kernels: each reads P once, writes TV, and leaves the residual's bounds on the board.

CSR rows are streamed: a block owns THREADS consecutive states, whose entries lie next to each other;
it loads them CHUNK at a time, coalesced, puts the products data·V[index] in shared memory, and each
thread adds up the rows of its own state.  No row length is assumed and nothing is rearranged.
Shared memory is padded by one word in sixteen so that rows of equal length do not meet in one bank.

The last block to finish (an atomic ticket) reduces the blocks' reports: one launch a sweep.

`rule` is (γ, tol, noise, max|R|, goal): stop as CONVERGED or STALLED by the rule of `..bellman_csr`,
as GOAL when sp(B) ≤ goal, as NOT_FINITE on NaN.  Device functions live beside the kernels that call
them: the simulator needs that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda, float64, int32

from ._device import CHUNK, FIELDS, THREADS

GOAL = 4
"""How a burst of policy sweeps ends when its residual is small enough."""
LANES = 2 if THREADS < 32 else 32
"""Threads that share one dense row."""
PADDED = CHUNK + CHUNK // 16 + 1
REPORT = FIELDS * THREADS
ONE, TWO, THREE, FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
T1, T2, T3, WIDE = np.uint64(THREADS), np.uint64(2 * THREADS), np.uint64(3 * THREADS), np.uint64(CHUNK)


@cuda.jit(device=True)
def fold(red: Any, tid: Any) -> Any:
    """Reduce the FIELDS × THREADS table `red` to its first column."""
    half = THREADS // 2
    while half > 0:
        cuda.syncthreads()
        if tid < half:
            other = tid + half
            red[tid] = min(red[tid], red[other])
            red[THREADS + tid] = max(red[THREADS + tid], red[THREADS + other])
            red[2 * THREADS + tid] = min(red[2 * THREADS + tid], red[2 * THREADS + other])
            red[3 * THREADS + tid] = max(red[3 * THREADS + tid], red[3 * THREADS + other])
            red[4 * THREADS + tid] += red[4 * THREADS + other]
            red[5 * THREADS + tid] += red[5 * THREADS + other]
        half //= 2
    cuda.syncthreads()


@cuda.jit(device=True)
def verdict(
    lo: Any, hi: Any, low: Any, high: Any, gamma: Any, tol: Any, noise: Any, rmax: Any, goal: Any
) -> Any:
    """`..bellman_csr.verdict`, and GOAL; 0 means go on."""
    if math.isnan(lo) or math.isnan(hi):
        return 3
    factor = gamma / (1.0 - gamma)
    shift = factor * 0.5 * (lo + hi)
    norm = max(abs(low + shift), abs(high + shift))
    if factor * (hi - lo) <= 2.0 * tol * max(1.0, norm):
        return 1
    if hi - lo <= noise * (norm + rmax):
        return 2
    if hi - lo <= goal:
        return 4
    return 0


@cuda.jit(device=True)
def conclude(
    lo: Any, hi: Any, low: Any, high: Any, check: Any, changed: Any, rule: Any, state: Any, ticket: Any,
    parts: Any, spans: Any,
) -> Any:  # fmt: skip
    """Reduce over block and grid; the last block writes the board."""
    red = cuda.shared.array(REPORT, float64)
    last = cuda.shared.array(1, int32)
    tid, blocks = cuda.threadIdx.x, cuda.gridDim.x
    red[tid], red[THREADS + tid] = lo, hi
    red[2 * THREADS + tid], red[3 * THREADS + tid] = low, high
    red[4 * THREADS + tid], red[5 * THREADS + tid] = check, changed
    fold(red, tid)
    if tid == 0:
        for f in range(FIELDS):
            parts[FIELDS * cuda.blockIdx.x + f] = red[f * THREADS]
        cuda.threadfence()
        last[0] = 1 if cuda.atomic.add(ticket, 0, 1) == blocks - 1 else 0
    cuda.syncthreads()
    if last[0] == 0:
        return
    cuda.threadfence()
    lo, hi, low, high, check, changed = math.inf, -math.inf, math.inf, -math.inf, 0.0, 0.0
    for b in range(tid, blocks, THREADS):
        at = FIELDS * b
        lo, hi = min(lo, parts[at]), max(hi, parts[at + 1])
        low, high = min(low, parts[at + 2]), max(high, parts[at + 3])
        check += parts[at + 4]
        changed += parts[at + 5]
    red[tid], red[THREADS + tid] = lo, hi
    red[2 * THREADS + tid], red[3 * THREADS + tid] = low, high
    red[4 * THREADS + tid], red[5 * THREADS + tid] = check, changed
    fold(red, tid)
    if tid == 0:
        lo, hi = red[0] + red[4 * THREADS], red[THREADS] + red[4 * THREADS]
        n = int(state[1])
        if n < spans.size:
            spans[n] = hi - lo
        state[1] = n + 1.0
        state[2] = lo
        state[3] = hi
        state[4] = red[5 * THREADS]
        state[0] = verdict(
            lo, hi, red[2 * THREADS], red[3 * THREADS], rule[0], rule[1], rule[2], rule[3], rule[4]
        )
        ticket[0] = 0


@cuda.jit(device=True)
def stage(data: Any, indices: Any, V: Any, base: Any, top: Any, tid: Any, buf: Any) -> Any:
    """buf ← data[j]·V[indices[j]] for base ≤ j < top, padded; four loads in flight a thread."""
    j = base + tid
    while j + T3 < top:
        p0, p1, p2, p3 = data[j], data[j + T1], data[j + T2], data[j + T3]
        i0, i1, i2, i3 = indices[j], indices[j + T1], indices[j + T2], indices[j + T3]
        v0, v1, v2, v3 = V[i0], V[i1], V[i2], V[i3]
        at = j - base
        buf[at + (at >> FOUR)] = p0 * v0
        at += T1
        buf[at + (at >> FOUR)] = p1 * v1
        at += T1
        buf[at + (at >> FOUR)] = p2 * v2
        at += T1
        buf[at + (at >> FOUR)] = p3 * v3
        j += T2 + T2
    while j < top:
        at = j - base
        buf[at + (at >> FOUR)] = data[j] * V[indices[j]]
        j += T1


@cuda.jit
def csr_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, out: Any, arg: Any,
    rule: Any, state: Any, ticket: Any, parts: Any, spans: Any,
) -> Any:  # fmt: skip
    """out = TV, arg the first greedy pair (compared with what it held)."""
    buf = cuda.shared.array(PADDED, float64)
    if state[0] != 0.0:
        return
    tid = np.uint64(cuda.threadIdx.x)
    S = np.uint64(V.size)
    lo, hi, low, high, check, changed = math.inf, -math.inf, math.inf, -math.inf, 0.0, 0.0
    tile, stride = np.uint64(cuda.blockIdx.x) * T1, np.uint64(cuda.gridDim.x) * T1
    while tile < S:
        s, end_tile = tile + tid, min(tile + T1, S)
        base, stop = indptr[state_ptr[tile]], indptr[state_ptr[end_tile]]
        k, end, j, row_end = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
        if s < S:
            k, end = state_ptr[s], state_ptr[s + ONE]
            j, row_end = indptr[k], indptr[k + ONE]
        best, pick, acc = -math.inf, k, 0.0
        while base < stop:
            top = min(base + WIDE, stop)
            stage(data, indices, V, base, top, tid, buf)
            cuda.syncthreads()
            while k < end:
                here = min(row_end, top)
                while j < here:
                    at = j - base
                    acc += buf[at + (at >> FOUR)]
                    j += ONE
                if j < row_end:
                    break
                q = R[k] + gamma * acc
                if q > best:
                    best, pick = q, k
                acc = 0.0
                k += ONE
                if k < end:
                    row_end = indptr[k + ONE]
            cuda.syncthreads()
            base = top
        if s < S:
            d = best - V[s]
            out[s] = best
            if arg[s] != pick:
                changed += 1.0
            arg[s] = pick
            check += 0.0 * d
            lo, hi, low, high = min(lo, d), max(hi, d), min(low, best), max(high, best)
        tile += stride
    conclude(lo, hi, low, high, check, changed, rule, state, ticket, parts, spans)


@cuda.jit
def csr_q(data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, V: Any, q: Any) -> Any:
    """q = R + γPV over the pairs."""
    buf = cuda.shared.array(PADDED, float64)
    tid = np.uint64(cuda.threadIdx.x)
    N = np.uint64(R.size)
    tile, stride = np.uint64(cuda.blockIdx.x) * T1, np.uint64(cuda.gridDim.x) * T1
    while tile < N:
        k = tile + tid
        base, stop = indptr[tile], indptr[min(tile + T1, N)]
        j, row_end, acc = np.uint64(0), np.uint64(0), 0.0
        if k < N:
            j, row_end = indptr[k], indptr[k + ONE]
        while base < stop:
            top = min(base + WIDE, stop)
            stage(data, indices, V, base, top, tid, buf)
            cuda.syncthreads()
            here = min(row_end, top)
            while j < here:
                at = j - base
                acc += buf[at + (at >> FOUR)]
                j += ONE
            cuda.syncthreads()
            base = top
        if k < N:
            q[k] = R[k] + gamma * acc
        tile += stride


@cuda.jit
def csr_chosen(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, rows: Any, V: Any, out: Any,
    rule: Any, state: Any, ticket: Any, parts: Any, spans: Any,
) -> Any:  # fmt: skip
    """out = T^πV for the policy that uses pair rows[s]: one thread a state, rows lie apart."""
    if state[0] != 0.0:
        return
    S = np.uint64(V.size)
    lo, hi, low, high, check = math.inf, -math.inf, math.inf, -math.inf, 0.0
    s, stride = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
    while s < S:
        k = np.uint64(rows[s])
        j, stop = indptr[k], indptr[k + ONE]
        a, b = 0.0, 0.0
        while j + ONE < stop:
            a += data[j] * V[indices[j]]
            b += data[j + ONE] * V[indices[j + ONE]]
            j += TWO
        if j < stop:
            a += data[j] * V[indices[j]]
        x = R[k] + gamma * (a + b)
        d = x - V[s]
        out[s] = x
        check += 0.0 * d
        lo, hi, low, high = min(lo, d), max(hi, d), min(low, x), max(high, x)
        s += stride
    conclude(lo, hi, low, high, check, 0.0, rule, state, ticket, parts, spans)


@cuda.jit
def dense_q(P: Any, R: Any, gamma: Any, rows: Any, listed: Any, V: Any, q: Any, state: Any) -> Any:
    """q[i] = R[k] + γ P[k]·V with k = rows[i] if `listed`, else i; LANES threads a row."""
    red = cuda.shared.array(THREADS, float64)
    if state[0] != 0.0:
        return
    tid = cuda.threadIdx.x
    lane, group = tid % LANES, tid // LANES
    groups = THREADS // LANES
    n, S = q.size, P.shape[1]
    first = cuda.blockIdx.x * groups
    while first < n:
        i = first + group
        a, b, c, d, k = 0.0, 0.0, 0.0, 0.0, np.int64(i)
        if i < n:
            if listed:
                k = np.int64(rows[i])
            t = lane
            while t + 3 * LANES < S:
                a += P[k, t] * V[t]
                b += P[k, t + LANES] * V[t + LANES]
                c += P[k, t + 2 * LANES] * V[t + 2 * LANES]
                d += P[k, t + 3 * LANES] * V[t + 3 * LANES]
                t += 4 * LANES
            while t < S:
                a += P[k, t] * V[t]
                t += LANES
        red[tid] = (a + b) + (c + d)
        half = LANES // 2
        while half > 0:
            cuda.syncthreads()
            if lane < half:
                red[tid] += red[tid + half]
            half //= 2
        cuda.syncthreads()
        if i < n and lane == 0:
            q[i] = R[k] + gamma * red[tid]
        first += groups * cuda.gridDim.x
        cuda.syncthreads()


@cuda.jit
def maximise(
    q: Any, state_ptr: Any, V: Any, out: Any, arg: Any,
    rule: Any, state: Any, ticket: Any, parts: Any, spans: Any,
) -> Any:  # fmt: skip
    """out(s) = max of q over the pairs of s, arg the first that attains it."""
    if state[0] != 0.0:
        return
    S = np.uint64(V.size)
    lo, hi, low, high, check, changed = math.inf, -math.inf, math.inf, -math.inf, 0.0, 0.0
    s, stride = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
    while s < S:
        k, end = state_ptr[s], state_ptr[s + ONE]
        best, pick = -math.inf, k
        while k < end:
            if q[k] > best:
                best, pick = q[k], k
            k += ONE
        d = best - V[s]
        out[s] = best
        if arg[s] != pick:
            changed += 1.0
        arg[s] = pick
        check += 0.0 * d
        lo, hi, low, high = min(lo, d), max(hi, d), min(low, best), max(high, best)
        s += stride
    conclude(lo, hi, low, high, check, changed, rule, state, ticket, parts, spans)


@cuda.jit
def average(
    q: Any, state_ptr: Any, weights: Any, weighted: Any, V: Any, out: Any,
    rule: Any, state: Any, ticket: Any, parts: Any, spans: Any,
) -> Any:  # fmt: skip
    """out(s) = Σ weights·q over the pairs of s; with `weighted` false q is (S,) and out = q."""
    if state[0] != 0.0:
        return
    S = np.uint64(V.size)
    lo, hi, low, high, check = math.inf, -math.inf, math.inf, -math.inf, 0.0
    s, stride = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
    while s < S:
        x = 0.0
        if weighted:
            k, end = state_ptr[s], state_ptr[s + ONE]
            while k < end:
                if weights[k] != 0.0:
                    x += weights[k] * q[k]
                k += ONE
        else:
            x = q[s]
        d = x - V[s]
        out[s] = x
        check += 0.0 * d
        lo, hi, low, high = min(lo, d), max(hi, d), min(low, x), max(high, x)
        s += stride
    conclude(lo, hi, low, high, check, 0.0, rule, state, ticket, parts, spans)
