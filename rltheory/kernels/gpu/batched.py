"""Many small dense models on a card, one block each, P in shared memory; see `rltheory.kernels.batched`.

Model b has P[b] (SA, S) or (S, A, S), R[b], gamma[b].  Rows are padded to an odd length in shared memory,
so that threads reading neighbouring rows meet different banks.  A model must fit: `fits` says so.

Sweeps need two barriers each; every thread computes the stopping rule for itself, from the same numbers.
Nothing here encloses anything: the caller certifies V on the CPU.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda, float64, int32

from ._device import SHARED, SIMULATED, deliver
from ._loops import place

SWEEPS = 5000
"""Sweeps a model may take in `solve_models`."""


def fits(S: int, A: int, *, chain: bool = False) -> bool:
    """True when a model's working set fits a block's shared memory (`chain`: that of `evaluate_models`)."""
    return _words(S, A, chain) * 8 + 64 <= SHARED


def _words(S: int, A: int, chain: bool) -> int:
    odd = S | 1
    return 2 * S * odd + 3 * S if chain else S * A * (odd + 1) + 2 * S


def _threads(items: int) -> int:
    return 4 if SIMULATED else int(min(256, -(-items // 32) * 32))


def solve_models(P: Any, R: Any, gamma: Any, tol: float, V: Any, pi: Any, met: Any) -> None:
    """V* and a greedy policy of B models by span-stopped value iteration.

    Parameters
    ----------
    P, R, gamma
        (B, SA, S), (B, SA), (B,): pairs in order of state, then action.
    tol
        Relative to max(1, ‖V‖).
    V, pi
        (B, S) start and output; (B, S) int64 output.
    met
        (B,) int32 output: 1 where the stopping rule was met, else 0 after `SWEEPS` sweeps or on NaN.
    """
    B, N, S = P.shape
    P, R, gamma, v, p, m = place(P, R, gamma, V, pi, met)
    words = _words(S, N // S, chain=False)
    sweep_models[B, _threads(N), 0, 8 * words](P, R, gamma, tol, SWEEPS, v, p, m)
    for result, target in ((v, V), (p, pi), (m, met)):
        deliver(result, target)


def evaluate_models(P: Any, R: Any, gamma: Any, pi: Any, V: Any) -> None:
    """V^π of B models by elimination on the diagonal and one refinement; NaN where a pivot is not positive.

    Parameters
    ----------
    P, R, gamma
        (B, S, A, S), (B, S, A), (B,).
    pi
        (B, S, A) rows on the simplex.
    V
        (B, S) output.
    """
    B, S, A = R.shape
    P, R, gamma, pi, v = place(P, R, gamma, pi, V)
    chain_models[B, _threads(S * S), 0, 8 * _words(S, A, chain=True)](P, R, gamma, pi, v)
    deliver(v, V)


def induct_models(P: Any, R: Any, gamma: Any, V: Any, pi: Any) -> None:
    """V_h = max_a [R + γPV_{h+1}], h = H−1..0, of B finite-horizon models with stationary P and R.

    Parameters
    ----------
    P, R, gamma
        (B, SA, S), (B, SA), (B,); γ may be 1.
    V
        (B, H+1, S): V[:, H] is given, the rest is output.
    pi
        (B, H, S) int64 output: lowest actions within 1e-12·max(1, ‖V_{h+1}‖) of the maximum.
    """
    B, N, S = P.shape
    P, R, gamma, v, p = place(P, R, gamma, V, pi)
    horizon_models[B, _threads(N), 0, 8 * _words(S, N // S, chain=False)](P, R, gamma, v, p)
    deliver(v, V)
    deliver(p, pi)


@cuda.jit(device=True)
def load(P: Any, b: Any, sh: Any) -> Any:
    """P[b] into shared memory, rows padded to odd length."""
    N, S = P.shape[1], P.shape[2]
    width = S | 1
    for i in range(cuda.threadIdx.x, N * S, cuda.blockDim.x):
        k = i // S
        t = i - k * S
        sh[k * width + t] = P[b, k, t]


@cuda.jit(device=True)
def all_q(R: Any, b: Any, g: Any, S: Any, sh: Any, v: Any, q: Any) -> Any:
    """sh[q + k] = R[b, k] + γ Σ_t P(k, t) sh[v + t]; then a barrier."""
    N, width = R.shape[1], S | 1
    for k in range(cuda.threadIdx.x, N, cuda.blockDim.x):
        x, y = 0.0, 0.0
        row, t = k * width, 0
        while t + 1 < S:
            x += sh[row + t] * sh[v + t]
            y += sh[row + t + 1] * sh[v + t + 1]
            t += 2
        if t < S:
            x += sh[row + t] * sh[v + t]
        sh[q + k] = R[b, k] + g * (x + y)
    cuda.syncthreads()


@cuda.jit
def sweep_models(P: Any, R: Any, gamma: Any, tol: Any, limit: Any, V: Any, pi: Any, met: Any) -> Any:
    """One block runs the whole value iteration of one model."""
    sh = cuda.shared.array(0, float64)
    b, tid, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    N, S = P.shape[1], P.shape[2]
    A = N // S
    g = gamma[b]
    factor = g / (1.0 - g)
    old = N * (S | 1)
    new, q = old + S, old + 2 * S
    load(P, b, sh)
    for s in range(tid, S, threads):
        sh[old + s] = V[b, s]
    cuda.syncthreads()
    shift, done, n = 0.0, 0, 0
    while n < limit and done == 0:
        all_q(R, b, g, S, sh, old, q)
        for s in range(tid, S, threads):
            best = sh[q + s * A]
            for a in range(1, A):
                best = max(best, sh[q + s * A + a])
            sh[new + s] = best
        cuda.syncthreads()
        lo, hi, low, high, check = math.inf, -math.inf, math.inf, -math.inf, 0.0
        for s in range(S):
            x = sh[new + s]
            d = x - sh[old + s]
            check += 0.0 * d
            lo, hi, low, high = min(lo, d), max(hi, d), min(low, x), max(high, x)
        half = factor * 0.5 * (lo + hi)
        if math.isnan(check):
            done = 2
        elif factor * (hi - lo) <= tol * max(1.0, max(abs(low + half), abs(high + half))):
            done, shift = 1, half
        old, new = new, old
        n += 1
    cuda.syncthreads()
    norm = 1.0
    for s in range(tid, S, threads):
        sh[new + s] = sh[old + s] + shift
    cuda.syncthreads()
    for s in range(S):
        norm = max(norm, abs(sh[new + s]))
    all_q(R, b, g, S, sh, new, q)
    for s in range(tid, S, threads):
        best = sh[q + s * A]
        for a in range(1, A):
            best = max(best, sh[q + s * A + a])
        pick = 0
        for a in range(A):
            if sh[q + s * A + a] >= best - 1e-12 * norm:
                pick = a
                break
        V[b, s] = sh[new + s]
        pi[b, s] = pick
    if tid == 0:
        met[b] = 1 if done == 1 else 0


@cuda.jit
def horizon_models(P: Any, R: Any, gamma: Any, V: Any, pi: Any) -> Any:
    """One block runs the whole backward induction of one model."""
    sh = cuda.shared.array(0, float64)
    b, tid, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    N, S, H = P.shape[1], P.shape[2], pi.shape[1]
    A = N // S
    now = N * (S | 1)
    q = now + 2 * S
    load(P, b, sh)
    for s in range(tid, S, threads):
        sh[now + s] = V[b, H, s]
    cuda.syncthreads()
    for back in range(H):
        h = H - 1 - back
        norm = 1.0
        for s in range(S):
            norm = max(norm, abs(sh[now + s]))
        all_q(R, b, gamma[b], S, sh, now, q)
        for s in range(tid, S, threads):
            best, pick = sh[q + s * A], 0
            for a in range(1, A):
                best = max(best, sh[q + s * A + a])
            while sh[q + s * A + pick] < best - 1e-12 * norm:
                pick += 1
            sh[now + s] = best
            V[b, h, s] = best
            pi[b, h, s] = pick
        cuda.syncthreads()


@cuda.jit(device=True)
def substitute(sh: Any, lu: Any, width: Any, S: Any, x: Any) -> Any:
    """sh[x:] ← (LU)⁻¹ sh[x:], a column at a time; ends with a barrier."""
    tid, threads = cuda.threadIdx.x, cuda.blockDim.x
    for k in range(S):
        cuda.syncthreads()
        for i in range(k + 1 + tid, S, threads):
            sh[x + i] -= sh[lu + i * width + k] * sh[x + k]
    for back in range(S):
        k = S - 1 - back
        cuda.syncthreads()
        y = sh[x + k] / sh[lu + k * width + k]
        cuda.syncthreads()
        for i in range(tid, k, threads):
            sh[x + i] -= sh[lu + i * width + k] * y
        if tid == 0:
            sh[x + k] = y
    cuda.syncthreads()


@cuda.jit
def chain_models(P: Any, R: Any, gamma: Any, pi: Any, V: Any) -> Any:
    """One block eliminates I − γP_π of one model, substitutes, and refines once."""
    sh = cuda.shared.array(0, float64)
    bad = cuda.shared.array(1, int32)
    b, tid, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    S, A = P.shape[1], P.shape[2]
    g, width = gamma[b], S | 1
    lu = S * width
    r, v, x = 2 * lu, 2 * lu + S, 2 * lu + 2 * S
    if tid == 0:
        bad[0] = 0
    for i in range(tid, S * S, threads):
        s = i // S
        t = i - s * S
        p = 0.0
        for a in range(A):
            w = pi[b, s, a]
            if w != 0.0:
                p += w * P[b, s, a, t]
        sh[s * width + t] = p
        sh[lu + s * width + t] = (1.0 if s == t else 0.0) - g * p
    for s in range(tid, S, threads):
        y = 0.0
        for a in range(A):
            if pi[b, s, a] != 0.0:
                y += pi[b, s, a] * R[b, s, a]
        sh[r + s] = y
        sh[v + s] = y
    for k in range(S):
        cuda.syncthreads()
        pivot = sh[lu + k * width + k]
        if tid == 0 and not pivot > 0.0:
            bad[0] = 1
        rest = S - k - 1
        for i in range(tid, rest * rest, threads):
            m = i // rest
            row, col = k + 1 + m, k + 1 + i - m * rest
            f = sh[lu + row * width + k] / pivot
            sh[lu + row * width + col] -= f * sh[lu + k * width + col]
        cuda.syncthreads()
        for row in range(k + 1 + tid, S, threads):
            sh[lu + row * width + k] /= pivot
    substitute(sh, lu, width, S, v)
    for s in range(tid, S, threads):
        y = 0.0
        for t in range(S):
            y += sh[s * width + t] * sh[v + t]
        sh[x + s] = sh[r + s] - sh[v + s] + g * y
    substitute(sh, lu, width, S, x)
    for s in range(tid, S, threads):
        V[b, s] = sh[v + s] + sh[x + s] if bad[0] == 0 else np.nan
