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
def lower_factor(M: Any) -> Any:
    """Lower triangular (d, d) L with LLᵀ = MMᵀ for M (d, k), k ≥ d: Householder reflections on rows."""
    M = M.copy()
    d, k = M.shape
    for r in range(d):
        size = 0.0
        for j in range(r, k):
            size += M[r, j] * M[r, j]
        size = np.sqrt(size)
        if size == 0.0:
            continue
        lead = size if M[r, r] >= 0.0 else -size
        v = M[r, r:].copy()
        v[0] += lead
        half = 0.0
        for j in range(k - r):
            half += v[j] * v[j]
        for i in range(r, d):
            dot = 0.0
            for j in range(k - r):
                dot += M[i, r + j] * v[j]
            for j in range(k - r):
                M[i, r + j] -= 2.0 * dot / half * v[j]
    return M[:, :d].copy()


@njit(cache=True)
def filter_weights(A: Any, root: Any, step: Any, start: Any, noise: float, tail: int) -> Any:
    """(weights, posterior variance of I) of N observations of x_0.

    Parameters
    ----------
    A, root
        (k, d, d) transition matrices and lower factors of the noise covariances of k distinct steps; the last
        coordinate is I.
    step
        (N,) which of them leads to node i; −1 for none (node 0 at the start of the window).
    start
        (d, d) factor of the covariance at the start.
    noise
        Variance of the observation noise.
    tail
        Step after the last node, −1 for none.
    """
    N, d = len(step), A.shape[1]
    gains = np.zeros((N, d))
    L = start.copy()
    spread = np.zeros((d, 2 * d))
    joint = np.zeros((d + 1, d + 1))
    for i in range(N + 1):
        at = step[i] if i < N else tail
        if at >= 0:
            spread[:, :d] = A[at] @ L
            spread[:, d:] = root[at]
            L = lower_factor(spread)
        if i == N:
            break
        joint[:] = 0.0
        joint[0, 0] = np.sqrt(noise)
        joint[0, 1:] = L[0]
        joint[1:, 1:] = L
        post = lower_factor(joint)
        if post[0, 0] != 0.0:
            for j in range(d):
                gains[i, j] = post[1 + j, 0] / post[0, 0]
        L = post[1:, 1:].copy()
    lam = np.zeros(d)
    lam[d - 1] = 1.0
    if tail >= 0:
        lam = A[tail].T @ lam
    weights = np.zeros(N)
    for back in range(N):
        i = N - 1 - back
        w = 0.0
        for j in range(d):
            w += lam[j] * gains[i, j]
        weights[i] = w
        lam[0] -= w
        if step[i] >= 0:
            lam = A[step[i]].T @ lam
    variance = 0.0
    for j in range(d):
        variance += L[d - 1, j] * L[d - 1, j]
    return weights, variance
