"""Many small dense models in one compiled call: sweeps, then policy iteration, then the certificate.

Model b has P[b] (S, A, S), R[b] (S, A), gamma[b].  Each is solved by span-stopped value iteration for
a few sweeps and, if that did not do, by Howard's policy iteration with elimination on the diagonal
(I − γP_π is diagonally dominant) and one refinement.  Bounds are those of `certificate`, written out
here because a cached kernel may only call kernels of its own file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit


@njit(cache=True)
def first_bad_pair(P: Any, R: Any, tol: Any) -> Any:
    """First k whose row of P (K, S) is not a law within `tol` or whose R (K,) is not finite; else −1."""
    K, S = P.shape
    for k in range(K):
        a, b, least = 0.0, 0.0, 0.0
        for t in range(0, S - 1, 2):
            x, y = P[k, t], P[k, t + 1]
            a += x
            b += y
            least = min(least, x, y)
        if S % 2:
            a += P[k, S - 1]
            least = min(least, P[k, S - 1])
        if not (abs(a + b - 1.0) <= tol and least >= 0.0 and np.isfinite(R[k])):
            return k
    return -1


@njit(cache=True)
def eliminate(M: Any) -> Any:
    """LU of M in place without pivoting; False if a pivot is not positive."""
    n = M.shape[0]
    for k in range(n):
        pivot = M[k, k]
        if not pivot > 0.0:
            return False
        for i in range(k + 1, n):
            f = M[i, k] / pivot
            M[i, k] = f
            if f != 0.0:
                for j in range(k + 1, n):
                    M[i, j] -= f * M[k, j]
    return True


@njit(cache=True)
def substitute(M: Any, x: Any) -> Any:
    """X ← (LU)⁻¹x for the factors left by `eliminate`."""
    n = x.size
    for i in range(n):
        a = x[i]
        for j in range(i):
            a -= M[i, j] * x[j]
        x[i] = a
    for i in range(n - 1, -1, -1):
        a = x[i]
        for j in range(i + 1, n):
            a -= M[i, j] * x[j]
        x[i] = a / M[i, i]


@njit(cache=True)
def chain_values(C: Any, r: Any, gamma: Any, M: Any, V: Any, x: Any) -> Any:
    """V = (I − γC)⁻¹r with one refinement; M (S, S) and x (S,) are scratch; False on breakdown."""
    S = r.size
    for s in range(S):
        for t in range(S):
            M[s, t] = -gamma * C[s, t]
        M[s, s] += 1.0
        V[s] = r[s]
    if not eliminate(M):
        return False
    substitute(M, V)
    for s in range(S):
        a = 0.0
        for t in range(S):
            a += C[s, t] * V[t]
        x[s] = r[s] - V[s] + gamma * a
    substitute(M, x)
    for s in range(S):
        V[s] += x[s]
    return True


@njit(cache=True)
def q_table(P: Any, R: Any, gamma: Any, V: Any, q: Any) -> Any:
    """Q = R + γPV for one model; P (SA, S), R (SA,), q (SA,)."""
    np.dot(P, V, q)
    for k in range(q.size):
        q[k] = R[k] + gamma * q[k]


@njit(cache=True)
def sweep_values(P: Any, R: Any, gamma: Any, tol: Any, V: Any, q: Any) -> Any:
    """Span-stopped value iteration from V in place; True if it met `tol`.

    From the fifth sweep on it gives up when the rate of the span foretells more than 30 others.
    """
    S = V.size
    A = q.size // S
    factor = gamma / (1.0 - gamma)
    last = np.inf
    for n in range(60):
        q_table(P, R, gamma, V, q)
        lo, hi, low, high = np.inf, -np.inf, np.inf, -np.inf
        k = 0
        for s in range(S):
            best = q[k]
            for a in range(1, A):
                best = max(best, q[k + a])
            k += A
            d = best - V[s]
            V[s] = best
            lo, hi, low, high = min(lo, d), max(hi, d), min(low, best), max(high, best)
        shift = factor * 0.5 * (lo + hi)
        width, goal = factor * (hi - lo), tol * max(1.0, abs(low + shift), abs(high + shift))
        if width <= goal:
            for s in range(S):
                V[s] += shift
            return True
        if n >= 4 and not width * (width / last) ** 30 <= goal:
            return False
        last = width
    return False


@njit(cache=True)
def improve_policies(
    P: Any, R: Any, gamma: Any, V: Any, pi: Any, q: Any, C: Any, M: Any, r: Any, x: Any
) -> Any:
    """Howard's policy iteration from the greedy policy of V, keeping actions that tie; V, pi in place."""
    S = V.size
    A = q.size // S
    q_table(P, R, gamma, V, q)
    for s in range(S):
        pi[s] = np.argmax(q[s * A : (s + 1) * A])
    for _ in range(1000):
        for s in range(S):
            C[s] = P[s * A + pi[s]]
            r[s] = R[s * A + pi[s]]
        if not chain_values(C, r, gamma, M, V, x):
            return
        q_table(P, R, gamma, V, q)
        norm = 1.0
        for s in range(S):
            norm = max(norm, abs(V[s]))
        same = True
        for s in range(S):
            best, pick = q[s * A + pi[s]] + 1e-12 * norm, pi[s]
            for a in range(A):
                if q[s * A + a] > best:
                    best, pick = q[s * A + a], a
            if pick != pi[s]:
                pi[s] = pick
                same = False
        if same:
            return


@njit(cache=True)
def enclose(lo: Any, hi: Any, smin: Any, smax: Any, gamma: Any, V: Any, lower: Any, upper: Any) -> Any:
    """`certificate.enclose_fixed_point` with rounding and without terminal states."""
    S = V.size
    alpha = np.nextafter(gamma * smax, np.inf)
    beta = np.nextafter(gamma * smin, -np.inf)
    h, low = -np.inf, np.inf
    ok = True
    for s in range(S):
        a, b = np.nextafter(lo[s] - V[s], -np.inf), np.nextafter(hi[s] - V[s], np.inf)
        ok = ok and np.isfinite(a) and np.isfinite(b)
        low, h = min(low, a), max(h, b)
    tight, loose = np.nextafter(1.0 - alpha, -np.inf), np.nextafter(1.0 - beta, np.inf)
    if not ok or not tight > 0.0:
        lower[:] = -np.inf
        upper[:] = np.inf
        return
    add = np.nextafter(h / tight if h >= 0.0 else h / loose, np.inf)
    add = np.nextafter(add * (alpha if add >= 0.0 else beta), np.inf)
    sub = np.nextafter(low / tight if low <= 0.0 else low / loose, -np.inf)
    sub = np.nextafter(sub * (alpha if sub <= 0.0 else beta), -np.inf)
    for s in range(S):
        a, b = np.nextafter(lo[s] + sub, -np.inf), np.nextafter(hi[s] + add, np.inf)
        lower[s] = a if a == a else -np.inf
        upper[s] = b if b == b else np.inf


@njit(cache=True)
def solve_models(P: Any, R: Any, gamma: Any, tol: Any, V: Any, pi: Any, lower: Any, upper: Any) -> Any:
    """V*, a greedy policy and rigorous bounds of B models.

    Parameters
    ----------
    P, R, gamma
        (B, SA, S), (B, SA), (B,): pairs in order of state, then action.
    tol
        Relative to max(1, ‖V‖).
    V, pi, lower, upper
        (B, S) outputs; V holds the start.
    """
    B, N, S = P.shape
    A = N // S
    U, ETA = 2.0**-53 * (1 + 2.0**-9), 5e-324
    q, C, M = np.empty(N), np.empty((S, S)), np.empty((S, S))
    r, x, lo, hi = np.empty(S), np.empty(S), np.empty(S), np.empty(S)
    n = S + 4.0
    for b in range(B):
        g, v = gamma[b], V[b]
        if not sweep_values(P[b], R[b], g, tol, v, q):
            improve_policies(P[b], R[b], g, v, pi[b], q, C, M, r, x)
        norm = 1.0
        for s in range(S):
            norm = max(norm, abs(v[s]))
        smin, smax, k = np.inf, 0.0, 0
        for s in range(S):
            low, high, best = -np.inf, -np.inf, -np.inf
            for a in range(A):
                dot, mass, total = 0.0, 0.0, 0.0
                for t in range(S):
                    p = P[b, k + a, t]
                    y = p * v[t]
                    dot += y
                    mass += abs(y)
                    total += p
                z = R[b, k + a] + g * dot
                e = n * U * (g * mass) + 4 * U * abs(z) + n * ETA
                if np.isfinite(z) and np.isfinite(e):
                    low, high = max(low, z - e), max(high, z + e)
                else:
                    high = np.inf
                smin, smax = min(smin, total), max(smax, total)
                q[k + a] = z
                best = max(best, z)
            lo[s], hi[s] = low, high
            pi[b, s] = 0
            for a in range(A):
                if q[k + a] >= best - 1e-12 * norm:
                    pi[b, s] = a
                    break
            k += A
        smin = np.nextafter(smin * (1 - n * U), -np.inf)
        smax = np.nextafter(smax * (1 + n * U), np.inf)
        enclose(lo, hi, smin, smax, g, v, lower[b], upper[b])
        for s in range(S):
            if v[s] < lower[b, s]:
                v[s] = lower[b, s]
            elif v[s] > upper[b, s]:
                v[s] = upper[b, s]


@njit(cache=True)
def evaluate_models(P: Any, R: Any, gamma: Any, pi: Any, V: Any, lower: Any, upper: Any) -> Any:
    """V^π and rigorous bounds of B models; pi (B, S, A) rows on the simplex, the rest as `solve_models`."""
    B, S, A = R.shape
    U, ETA = 2.0**-53 * (1 + 2.0**-9), 5e-324
    C, M = np.empty((S, S)), np.empty((S, S))
    r, x, lo, hi = np.empty(S), np.empty(S), np.empty(S), np.empty(S)
    for b in range(B):
        g, v = gamma[b], V[b]
        for s in range(S):
            C[s] = 0.0
            r[s] = 0.0
            for a in range(A):
                w = pi[b, s, a]
                if w != 0.0:
                    r[s] += w * R[b, s, a]
                    for t in range(S):
                        C[s, t] += w * P[b, s, a, t]
        if not chain_values(C, r, g, M, v, x):
            v[:] = np.nan
        smin, smax, longest = np.inf, 0.0, 0.0
        for s in range(S):
            q, mass, total, n = 0.0, 0.0, 0.0, 0.0
            for a in range(A):
                w = pi[b, s, a]
                if w == 0.0:
                    continue
                n += S + 8.0
                d, m, k = 0.0, 0.0, 0.0
                for t in range(S):
                    p = P[b, s, a, t]
                    y = p * v[t]
                    d += y
                    m += abs(y)
                    k += p
                q += w * (R[b, s, a] + g * d)
                mass += w * (abs(R[b, s, a]) + g * m)
                total += w * k
            e = n * U * mass + 4 * U * abs(q) + n * ETA
            if np.isfinite(q) and np.isfinite(e):
                lo[s], hi[s] = q - e, q + e
            else:
                lo[s], hi[s] = -np.inf, np.inf
            smin, smax, longest = min(smin, total), max(smax, total), max(longest, n)
        smin = np.nextafter(smin * (1 - longest * U), -np.inf)
        smax = np.nextafter(smax * (1 + longest * U), np.inf)
        enclose(lo, hi, smin, smax, g, v, lower[b], upper[b])
        for s in range(S):
            if v[s] < lower[b, s]:
                v[s] = lower[b, s]
            elif v[s] > upper[b, s]:
                v[s] = upper[b, s]


@njit(cache=True, error_model="numpy")
def occupy_models(P: Any, gamma: Any, pi: Any, mu: Any, d: Any) -> Any:
    """D = μᵀ(I − γP_π)⁻¹ of B models; P (B, S, A, S), pi (B, S, A) rows, mu and d (B, S).

    Elimination and one refinement as for values, on the transpose, which is dominant by columns.
    """
    B, S, A = pi.shape
    C, M, x = np.empty((S, S)), np.empty((S, S)), np.empty(S)
    for b in range(B):
        for s in range(S):
            for t in range(S):
                C[t, s] = 0.0
            for a in range(A):
                w = pi[b, s, a]
                if w != 0.0:
                    for t in range(S):
                        C[t, s] += w * P[b, s, a, t]
        if not chain_values(C, mu[b], gamma[b], M, d[b], x):
            for s in range(S):
                d[b, s] = np.nan


@njit(cache=True, error_model="numpy")
def induct_models(P: Any, R: Any, gamma: Any, V: Any, pi: Any) -> Any:
    """V_h = max_a [R + γPV_{h+1}], h = H−1..0, of B finite-horizon models with stationary P and R.

    Parameters
    ----------
    P, R, gamma
        (B, SA, S), (B, SA), (B,); γ may be 1.
    V
        (B, H+1, S): V[:, H] is given, the rest is output.
    pi
        (B, H, S) integer output: lowest actions within 1e-12·max(1, ‖V_{h+1}‖) of the maximum.

    P is stored once more with the pairs last, action by action, so that every inner loop runs over
    states or pairs and vectorises without reordering a sum.
    """
    B, N, S = P.shape
    A, H = N // S, V.shape[1] - 1
    T, r, q, best, pick = np.empty((S, N)), np.empty(N), np.empty(N), np.empty(S), np.empty(S, np.int64)
    for b in range(B):
        g = gamma[b]
        for s in range(S):
            for a in range(A):
                r[a * S + s] = R[b, s * A + a]
                for t in range(S):
                    T[t, a * S + s] = P[b, s * A + a, t]
        for h in range(H - 1, -1, -1):
            norm = 1.0
            for s in range(S):
                norm = max(norm, abs(V[b, h + 1, s]))
            for k in range(N):
                q[k] = 0.0
            for t in range(0, S - 3, 4):
                v, v1, v2, v3 = V[b, h + 1, t], V[b, h + 1, t + 1], V[b, h + 1, t + 2], V[b, h + 1, t + 3]
                for k in range(N):
                    q[k] += (T[t, k] * v + T[t + 1, k] * v1) + (T[t + 2, k] * v2 + T[t + 3, k] * v3)
            for t in range(S - S % 4, S):
                v = V[b, h + 1, t]
                for k in range(N):
                    q[k] += T[t, k] * v
            for k in range(N):
                q[k] = r[k] + g * q[k]
            for s in range(S):
                best[s] = q[s]
                pick[s] = 0
            for k in range(S, N, S):
                for s in range(S):
                    best[s] = q[k + s] if q[k + s] > best[s] else best[s]
            slack = 1e-12 * norm
            for a in range(A - 1, -1, -1):
                for s in range(S):
                    pick[s] = a if q[a * S + s] >= best[s] - slack else pick[s]
            for s in range(S):
                V[b, h, s] = best[s]
                pi[b, h, s] = pick[s]
