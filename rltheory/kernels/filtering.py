"""Weights of kernel quadrature by a square-root Kalman filter and one adjoint sweep: O(N d³) for N nodes.

State (x, I): x is a Gauss–Markov process of dimension d − 1, I its running integral of x_0.  Observing x_0 at
the nodes, the posterior mean of I at the end is Σ w_i f(t_i); its posterior variance is the squared
worst-case error.  Covariances are kept as LLᵀ, so small variances keep their digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit


@njit(cache=True)
def lower_factor(M: Any, v: Any) -> None:
    """Turn M (d, k), k ≥ d, into lower triangular L with LLᵀ = MMᵀ by reflections of its rows.

    `v` is scratch of length k or more.
    """
    d, k = M.shape
    for r in range(d):
        size = 0.0
        for j in range(r, k):
            size += M[r, j] * M[r, j]
        size = np.sqrt(size)
        if size == 0.0:
            continue
        half = 0.0
        for j in range(r, k):
            v[j] = M[r, j]
        v[r] += size if M[r, r] >= 0.0 else -size
        for j in range(r, k):
            half += v[j] * v[j]
        for i in range(r, d):
            dot = 0.0
            for j in range(r, k):
                dot += M[i, j] * v[j]
            for j in range(r, k):
                M[i, j] -= 2.0 * dot / half * v[j]


@njit(cache=True)
def filter_weights(A: Any, root: Any, step: Any, L: Any, noise: float, tail: int) -> Any:
    """(weights, posterior variance of I) of N observations of x_0.

    Parameters
    ----------
    A, root
        (k, d, d) transition matrices and lower factors of the noise covariances of k distinct steps; the last
        coordinate is I.
    step
        (N,) which of them leads to node i; −1 for none (node 0 at the start of the window).
    L
        (d, d) factor of the covariance at the start; overwritten.
    noise
        Variance of the observation noise.
    tail
        Step after the last node, −1 for none.
    """
    N, d = len(step), A.shape[1]
    gains = np.zeros((N, d))
    spread = np.zeros((d, 2 * d))
    joint = np.zeros((d + 1, d + 1))
    scratch = np.zeros(2 * d + 1)
    for i in range(N + 1):
        at = step[i] if i < N else tail
        if at >= 0:
            for a in range(d):
                for b in range(d):
                    total = 0.0
                    for c in range(d):
                        total += A[at, a, c] * L[c, b]
                    spread[a, b] = total
                    spread[a, d + b] = root[at, a, b]
            lower_factor(spread, scratch)
            for a in range(d):
                for b in range(d):
                    L[a, b] = spread[a, b]
        if i == N:
            break
        joint[0, 0] = np.sqrt(noise)
        for a in range(d):
            joint[0, 1 + a] = L[0, a]
            joint[1 + a, 0] = 0.0
            for b in range(d):
                joint[1 + a, 1 + b] = L[a, b]
        lower_factor(joint, scratch)
        for a in range(d):
            if joint[0, 0] != 0.0:
                gains[i, a] = joint[1 + a, 0] / joint[0, 0]
            for b in range(d):
                L[a, b] = joint[1 + a, 1 + b]
    weights = np.zeros(N)
    lam = np.zeros(d)
    lam[d - 1] = 1.0
    for back in range(N + 1):
        i = N - back
        if i < N:
            w = 0.0
            for a in range(d):
                w += lam[a] * gains[i, a]
            weights[i] = w
            lam[0] -= w
        at = step[i] if i < N else tail
        if at >= 0:
            for a in range(d):
                total = 0.0
                for c in range(d):
                    total += A[at, c, a] * lam[c]
                scratch[a] = total
            for a in range(d):
                lam[a] = scratch[a]
    variance = 0.0
    for a in range(d):
        variance += L[d - 1, a] * L[d - 1, a]
    return weights, variance
