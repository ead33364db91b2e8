"""Joint confidence sets over a shared representation and M linear heads, and play that is optimistic in them.

For φ and task i: A = λI + Σφφᵀ, b = Σyφ, ŵ = A⁻¹b, ρ = Σy² − b·ŵ (least penalised loss), ld = ln det(A/λ).
The set of radius B lies in Σ_i ‖w_i − ŵ_i‖²_{A_i} ≤ r² = B − Σ_iρ_i + λMB_θ², so the largest value at
actions a is Σ_iφ_i·ŵ_i + r√(Σ_iu_i²), u_i² = φ_iᵀA_i⁻¹φ_i: one radius shared by all tasks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit

BETTER = 1e-12
"""A later choice replaces an earlier one only if it is better by more."""


@njit(cache=True)
def fit_heads(Gram: Any, b: Any, yy: Any, lam: Any, L: Any, w: Any) -> Any:
    """Fill the Cholesky factor L (k, k) of A and ŵ (k,); returns (ρ, ld)."""
    k = b.size
    ld = 0.0
    for i in range(k):
        for j in range(i + 1):
            s = Gram[i, j]
            if i == j:
                s += lam
            for m in range(j):
                s -= L[i, m] * L[j, m]
            if i == j:
                L[i, i] = np.sqrt(s)
                ld += np.log(s / lam)
            else:
                L[i, j] = s / L[j, j]
    rho = yy
    for i in range(k):  # L z = b, ρ = yy − |z|²
        s = b[i]
        for j in range(i):
            s -= L[i, j] * w[j]
        w[i] = s / L[i, i]
        rho -= w[i] * w[i]
    for i in range(k - 1, -1, -1):
        s = w[i]
        for j in range(i + 1, k):
            s -= L[j, i] * w[j]
        w[i] = s / L[i, i]
    return max(rho, 0.0), ld


@njit(cache=True)
def scores(phi: Any, x: Any, L: Any, w: Any, mu: Any, u2: Any) -> None:
    """mu[i, a] = φ(x_i, a)·ŵ_i and u2[i, a] = φᵀA_i⁻¹φ for one representation (X, A, k)."""
    M, k = w.shape
    z = np.empty(k)
    for i in range(M):
        for a in range(phi.shape[1]):
            m, q = 0.0, 0.0
            for r in range(k):
                s = phi[x[i], a, r]
                m += s * w[i, r]
                for j in range(r):
                    s -= L[i, r, j] * z[j]
                z[r] = s / L[i, r, r]
                q += z[r] * z[r]
            mu[i, a], u2[i, a] = m, q


@njit(cache=True)
def enumerate_actions(mu: Any, u2: Any, r: Any, best: Any, acts: Any) -> Any:
    """Largest Σmu + r√Σu2 over all tuples in lexicographic order, if it beats `best`; fills `acts`."""
    M, A = mu.shape
    now = np.zeros(M, dtype=np.int64)
    m, q = np.zeros(M + 1), np.zeros(M + 1)  # prefix sums
    level = 0
    while level >= 0:
        if level == M:
            v = m[M] + r * np.sqrt(q[M])
            if v > best + BETTER:
                best = v
                for i in range(M):
                    acts[i] = now[i]
            level -= 1
            if level >= 0:
                now[level] += 1
        elif now[level] == A:
            now[level] = 0
            level -= 1
            if level >= 0:
                now[level] += 1
        else:
            m[level + 1] = m[level] + mu[level, now[level]]
            q[level + 1] = q[level] + u2[level, now[level]]
            level += 1
    return best


@njit(cache=True)
def sweep_actions(mu: Any, u2: Any, r: Any, best: Any, acts: Any) -> Any:
    """The same by the fixed points of ℓ = r/√Σu2(ℓ), a_i(ℓ) = argmax mu_i + ℓu2_i/2: local optima only."""
    M, A = mu.shape
    now = np.empty(M, dtype=np.int64)
    for start in range(12):
        ell = r * 2.0 ** (start - 4)
        for _ in range(60):
            m, q = 0.0, 0.0
            for i in range(M):
                top, at = -np.inf, 0
                for a in range(A):
                    v = mu[i, a] + 0.5 * ell * u2[i, a]
                    if v > top + BETTER:
                        top, at = v, a
                now[i] = at
                m += mu[i, at]
                q += u2[i, at]
            v = m + r * np.sqrt(q)
            if v > best + BETTER:
                best = v
                for i in range(M):
                    acts[i] = now[i]
            if q == 0.0:
                break
            after = r / np.sqrt(q)
            if abs(after - ell) <= 1e-12 * ell:
                break
            ell = after
    return best


@njit(cache=True)
def play(
    phi: Any, means: Any, true: Any, contexts: Any, noise: Any, lam: Any, sigma2: Any, B2: Any,
    log_term: Any, ld_weight: Any, scale: Any, sweep: Any, actions: Any, chosen: Any, trace: Any,
) -> None:  # fmt: skip
    """T rounds of optimistic play of M tasks.

    Fills actions (T, M), chosen (T,) and trace (T, 6): regret of the round, optimistic value, Σ_i max f*_i,
    B_t, the loss of the truth, r√Σu² at what was played.
    """
    p, _, A, k = phi.shape
    T, M = contexts.shape
    G, b, yy = np.zeros((p, M, k, k)), np.zeros((p, M, k)), np.zeros(M)
    L, w = np.zeros((p, M, k, k)), np.zeros((p, M, k))
    rho, loss = np.zeros(p), 0.0
    mu, u2 = np.empty((M, A)), np.empty((M, A))
    acts, trial = np.zeros(M, dtype=np.int64), np.zeros(M, dtype=np.int64)
    for t in range(T):
        least, bound = np.inf, np.inf
        for f in range(p):
            total, logs = 0.0, 0.0
            for i in range(M):
                one, ld = fit_heads(G[f, i], b[f, i], yy[i], lam, L[f, i], w[f, i])
                total += one
                logs += ld
            rho[f] = total
            least = min(least, total)
            bound = min(bound, total + ld_weight * sigma2 * logs)
        B = least + scale * (bound + log_term - least)
        best, pick, width = -np.inf, 0, 0.0
        for f in range(p):
            r2 = B - rho[f] + lam * M * B2
            if r2 < 0.0:
                continue
            r = np.sqrt(r2)
            scores(phi[f], contexts[t], L[f], w[f], mu, u2)
            v = sweep_actions(mu, u2, r, best, trial) if sweep else enumerate_actions(mu, u2, r, best, trial)
            if v > best:
                best, pick, q = v, f, 0.0
                for i in range(M):
                    acts[i] = trial[i]
                    q += u2[i, trial[i]]
                width = r * np.sqrt(q)
        chosen[t] = pick
        regret, top_sum = 0.0, 0.0
        for i in range(M):
            x, a = contexts[t, i], acts[i]
            actions[t, i] = a
            top = means[i, x, 0]
            for c in range(1, A):
                top = max(top, means[i, x, c])
            top_sum += top
            regret += top - means[i, x, a]
        trace[t, 0], trace[t, 1], trace[t, 2] = regret, best, top_sum
        trace[t, 3], trace[t, 4], trace[t, 5] = B, loss, width
        for i in range(M):
            x, a = contexts[t, i], acts[i]
            y = means[i, x, a] + noise[t, i]
            yy[i] += y * y
            loss += noise[t, i] * noise[t, i]
            for f in range(p):
                for r_ in range(k):
                    b[f, i, r_] += y * phi[f, x, a, r_]
                    for c in range(k):
                        G[f, i, r_, c] += phi[f, x, a, r_] * phi[f, x, a, c]
