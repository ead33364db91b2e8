"""Stochastic approximation over episodes of linear families, in place on θ.

An episode is given by ψ_i = e^{−βt_i}φ_i (ψ_n = 0), Δψ_i = ψ_{i+1} − ψ_i, and the TD increments D_i at θ = 0;
at θ they are D_i + θᵀΔψ_i.  Arrays of m episodes: psi (m, n+1, q), dpsi (m, n, q), D (m, n), alpha (m,).

`total` gains θ after every episode from number `keep` of the batch on: averages are taken by the caller.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit


@njit(cache=True, nogil=True)
def increments(phi: Any, level: Any, reward: Any, discount: Any, dt: Any, psi: Any, dpsi: Any, D: Any) -> Any:
    """Fill ψ = e^{−βt}φ with ψ_n = 0, Δψ, and D at θ = 0 from φ (m, n, q), φ_0 (m, n+1) and r (m, n)."""
    m, n, q = phi.shape
    for e in range(m):
        for k in range(q):
            psi[e, n, k] = 0.0
        for i in range(n):
            D[e, i] = (
                discount[i + 1] * level[e, i + 1]
                - discount[i] * level[e, i]
                + discount[i] * reward[e, i] * dt
            )
            for k in range(q):
                psi[e, i, k] = discount[i] * phi[e, i, k]
        for i in range(n):
            for k in range(q):
                dpsi[e, i, k] = psi[e, i + 1, k] - psi[e, i, k]


@njit(cache=True, nogil=True)
def gradient_monte_carlo(
    theta: Any, psi: Any, dpsi: Any, D: Any, dt: Any, alpha: Any, keep: Any, total: Any
) -> Any:
    """Per episode θ += α Σ_i ψ_i Δt R_i, R_i = Σ_{j≥i} D_j at the θ the episode began with."""
    m, n, q = dpsi.shape
    step = np.empty(q)
    for e in range(m):
        step[:] = 0.0
        ahead = 0.0
        for i in range(n - 1, -1, -1):
            d = D[e, i]
            for k in range(q):
                d += theta[k] * dpsi[e, i, k]
            ahead += d
            for k in range(q):
                step[k] += psi[e, i, k] * ahead
        for k in range(q):
            theta[k] += alpha[e] * dt * step[k]
            if e >= keep:
                total[k] += theta[k]


@njit(cache=True, nogil=True)
def temporal_difference(
    theta: Any, tests: Any, dpsi: Any, D: Any, decay: Any, gain: Any, online: Any, alpha: Any, keep: Any,
    total: Any,
) -> Any:  # fmt: skip
    """θ += α z_i D_i with z_i = decay·z_{i−1} + gain·tests_i; at once if `online`, else at the episode's end.

    decay = 0, gain = 1 is CTD(0) with test functions `tests` (m, ≥ n, q); decay = λ^Δt, gain = Δt and
    tests = ψ is CTD(λ).
    """
    m, n, q = dpsi.shape
    z, step = np.empty(q), np.empty(q)
    for e in range(m):
        z[:] = 0.0
        step[:] = 0.0
        for i in range(n):
            d = D[e, i]
            for k in range(q):
                d += theta[k] * dpsi[e, i, k]
            for k in range(q):
                z[k] = decay * z[k] + gain * tests[e, i, k]
                if online:
                    theta[k] += alpha[e] * z[k] * d
                else:
                    step[k] += z[k] * d
        for k in range(q):
            if not online:
                theta[k] += alpha[e] * step[k]
            if e >= keep:
                total[k] += theta[k]


@njit(cache=True, nogil=True)
def residual_gradient(theta: Any, dpsi: Any, D: Any, alpha: Any, keep: Any, total: Any) -> Any:
    """Per episode θ −= α Σ_i D_i Δψ_i at the θ the episode began with."""
    m, n, q = dpsi.shape
    step = np.empty(q)
    for e in range(m):
        step[:] = 0.0
        for i in range(n):
            d = D[e, i]
            for k in range(q):
                d += theta[k] * dpsi[e, i, k]
            for k in range(q):
                step[k] += d * dpsi[e, i, k]
        for k in range(q):
            theta[k] -= alpha[e] * step[k]
            if e >= keep:
                total[k] += theta[k]


@njit(cache=True, nogil=True)
def gradient_td(
    theta: Any, u: Any, tests: Any, dpsi: Any, D: Any, dt: Any, gram: Any, online: Any, alpha: Any, zeta: Any,
    keep: Any, total: Any,
) -> Any:  # fmt: skip
    """u += ζ(ξ_i D_i − Δt·ξ_iξ_iᵀu) (Δt·u where not `gram`), θ −= α Δψ_i(ξ_iᵀu).

    At once if `online`; else with the sums over the episode at the θ and u it began with.
    """
    m, n, q = dpsi.shape
    p = u.size
    step, pulled = np.empty(q), np.empty(p)
    for e in range(m):
        step[:] = 0.0
        pulled[:] = 0.0
        for i in range(n):
            d, inner = D[e, i], 0.0
            for k in range(q):
                d += theta[k] * dpsi[e, i, k]
            for k in range(p):
                inner += tests[e, i, k] * u[k]
            for k in range(p):
                pull = tests[e, i, k] * inner if gram else u[k]
                pulled[k] += zeta[e] * (tests[e, i, k] * d - dt * pull)
            for k in range(q):
                step[k] -= alpha[e] * dpsi[e, i, k] * inner
            if online or i == n - 1:
                for k in range(p):
                    u[k] += pulled[k]
                    pulled[k] = 0.0
                for k in range(q):
                    theta[k] += step[k]
                    step[k] = 0.0
        if e >= keep:
            for k in range(q):
                total[k] += theta[k]
