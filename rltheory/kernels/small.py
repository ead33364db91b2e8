"""One small dense model in one compiled call: values, policy and certificate; also V^π and occupancies.

Every function starts with the model: P (N, S) rows of the pairs, R (N,), gamma, state_ptr (S+1,) and
pair_action (N,) int64.  A call at S = 20 costs a few microseconds, so the caller must be thin.

Values.  Span-stopped sweeps; Howard's policy iteration where the span's rate foretells many of them
or the certificate of the sweeps fails.  I − γP_π is diagonally dominant, by rows for values and by
columns for occupancies: elimination on the diagonal, without pivoting, is stable; one refinement.

Bounds are those of `certificate` (same error terms, same outward rounding), written out here because a
cached kernel may only call kernels of its own file.  T and the greedy policy's T^π are enclosed by
the same pass over P.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._dot import dot
from ._jit import njit

SWEEPS = 64
"""Most sweeps of `solve`."""


@njit(cache=True, error_model="numpy")
def eliminate(M: Any) -> Any:
    """LU of M in place without pivoting; False if a pivot is not positive."""
    n = M.shape[0]
    for k in range(n):
        pivot = M[k, k]
        if not pivot > 0.0:
            return False
        for i in range(k + 1, n):
            if M[i, k] != 0.0:
                f = M[i, k] / pivot
                M[i, k] = f
                for j in range(k + 1, n):
                    M[i, j] -= f * M[k, j]
    return True


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def linear_values(C: Any, b: Any, gamma: Any, M: Any, x: Any, y: Any) -> Any:
    """X = (I − γC)⁻¹b with one refinement; M (S, S) and y (S,) are scratch; False on breakdown."""
    S = b.size
    for s in range(S):
        for t in range(S):
            M[s, t] = -gamma * C[s, t]
        M[s, s] += 1.0
        x[s] = b[s]
    if not eliminate(M):
        for s in range(S):
            x[s] = np.nan
        return False
    substitute(M, x)
    for s in range(S):
        a = 0.0
        for t in range(S):
            a += C[s, t] * x[t]
        y[s] = b[s] - x[s] + gamma * a
    substitute(M, y)
    for s in range(S):
        x[s] += y[s]
    return True


@njit(cache=True, error_model="numpy")
def sweep_values(P: Any, R: Any, gamma: Any, state_ptr: Any, tol: Any, V: Any, q: Any, spans: Any) -> Any:
    """Span-stopped value iteration from zero, into V; (met, sweeps).

    Pairs too far behind to be greedy are left out (`action_elimination`).  From the fifth sweep on it gives
    up when the rate of the span foretells more than 30 others.
    """
    S, rows, zero, n_cols = V.size, P.reshape(-1), np.uint64(0), np.uint64(P.shape[1])
    old, until = np.zeros(S), np.empty(R.size)
    factor = gamma / (1.0 - gamma)
    last, now = np.inf, 0.0
    for n in range(spans.size):
        lo, hi, low, high = np.inf, -np.inf, np.inf, -np.inf
        k = state_ptr[0]
        for s in range(S):
            best, first, end = -np.inf, k, state_ptr[s + 1]
            while k < end:
                z = R[k]
                if n > 0:
                    z = -np.inf
                    if not until[k] > now:
                        z = R[k] + gamma * dot(rows, np.uint64(k) * n_cols, old, zero, n_cols)
                q[k] = z
                best = z if z > best else best
                k += 1
            for at in range(first, end):
                if q[at] > -np.inf:
                    until[at] = now + (best - q[at])
            d = best - old[s]
            V[s] = best
            lo, hi, low, high = min(lo, d), max(hi, d), min(low, best), max(high, best)
        spans[n] = hi - lo
        now += gamma * (hi - lo)
        shift = factor * 0.5 * (lo + hi)
        width, goal = factor * (hi - lo), tol * max(1.0, abs(low + shift), abs(high + shift))
        if width <= goal:
            for s in range(S):
                V[s] += shift
            return True, n + 1
        if n >= 4 and not width * (width / last) ** 30 <= goal:
            return False, n + 1
        last = width
        for s in range(S):
            old[s] = V[s]
    return False, spans.size


@njit(cache=True, error_model="numpy")
def improve_policies(P: Any, R: Any, gamma: Any, state_ptr: Any, V: Any, q: Any) -> Any:
    """Howard's policy iteration from the greedy policy of V, keeping pairs that tie; evaluations made."""
    S = V.size
    C, M = np.empty((S, S)), np.empty((S, S))
    r, y, rows = np.empty(S), np.empty(S), np.empty(S, np.int64)
    for s in range(S):
        rows[s] = -1
    np.dot(P, V, q)
    slack, n = 0.0, 0
    while True:
        same = True
        for s in range(S):
            k = rows[s]
            best, pick = -np.inf, k
            if k >= 0:
                best = R[k] + gamma * q[k] + slack
            for j in range(state_ptr[s], state_ptr[s + 1]):
                z = R[j] + gamma * q[j]
                if pick < 0 or z > best:
                    best, pick = z, j
            if pick != k:
                rows[s] = pick
                same = False
        if same or n == 1000:
            return n
        for s in range(S):
            k = rows[s]
            r[s] = R[k]
            for t in range(S):
                C[s, t] = P[k, t]
        n += 1
        if not linear_values(C, r, gamma, M, V, y):
            return n
        np.dot(P, V, q)
        slack = 1.0
        for s in range(S):
            slack = max(slack, abs(V[s]))
        slack *= 1e-12


@njit(cache=True, error_model="numpy")
def enclose(
    V: Any, lo: Any, hi: Any, gamma: Any, smin: Any, smax: Any, terminal: Any, lower: Any, upper: Any
) -> Any:
    """`certificate.enclose_fixed_point` with rounding, into lower and upper; row sums not yet rounded."""
    S = V.size
    alpha = np.nextafter(gamma * smax, np.inf)
    beta = np.nextafter(gamma * smin, -np.inf)
    low, h, ok = np.inf, -np.inf, True
    for s in range(S):
        a, b = lo[s] - V[s], hi[s] - V[s]
        ok = ok and np.isfinite(a) and np.isfinite(b)
        low, h = min(low, a), max(h, b)
    low, h = np.nextafter(low, -np.inf), np.nextafter(h, np.inf)
    tight, loose = np.nextafter(1.0 - alpha, -np.inf), np.nextafter(1.0 - beta, np.inf)
    add, sub = np.inf, -np.inf
    if ok and tight > 0.0:
        add = np.nextafter(h / tight if h >= 0.0 else h / loose, np.inf)
        add = np.nextafter(add * (alpha if add >= 0.0 else beta), np.inf)
        sub = np.nextafter(low / tight if low <= 0.0 else low / loose, -np.inf)
        sub = np.nextafter(sub * (alpha if sub <= 0.0 else beta), -np.inf)
    for s in range(S):
        a, b = np.nextafter(lo[s] + sub, -np.inf), np.nextafter(hi[s] + add, np.inf)
        lower[s] = -np.inf if np.isnan(a) else a
        upper[s] = np.inf if np.isnan(b) else b
        if terminal[s]:
            lower[s] = 0.0
            upper[s] = 0.0


@njit(cache=True, error_model="numpy")
def widest(V: Any, lower: Any, upper: Any) -> Any:
    """(error, ‖V‖): bound on the distance of V from anything in [lower, upper]; infinite for NaN."""
    worst, norm = 0.0, 0.0
    for s in range(V.size):
        gap = max(upper[s] - V[s], V[s] - lower[s])
        worst = gap if gap > worst else (worst if gap <= worst else np.inf)
        norm = max(norm, abs(V[s]))
    return (np.nextafter(worst, np.inf) if worst > 0.0 else worst), norm


@njit(cache=True, error_model="numpy")
def certify(
    P: Any, R: Any, gamma: Any, state_ptr: Any, terminal: Any, V: Any, lower: Any, upper: Any, rows: Any
) -> Any:
    """Bounds on V*, V moved into them, the greedy pairs of V; (error, ‖V‖, loss)."""
    S = V.size
    unit, eta, n = 2.0**-53 * (1 + 2.0**-9), 5e-324, S + 4.0
    lo, hi, lo_pi, hi_pi, own = np.empty(S), np.empty(S), np.empty(S), np.empty(S), np.empty(S)
    z, e, sums = np.empty(R.size), np.empty(R.size), np.empty(R.size)
    smin, smax, least, most, norm = np.inf, 0.0, np.inf, 0.0, 1.0
    for s in range(S):
        norm = max(norm, abs(V[s]))
    for k in range(R.size):
        dot, mass, total, dot1, mass1, total1 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(0, S - 1, 2):
            p, p1 = P[k, t], P[k, t + 1]
            x, x1 = p * V[t], p1 * V[t + 1]
            dot += x
            dot1 += x1
            mass += abs(x)
            mass1 += abs(x1)
            total += p
            total1 += p1
        if S % 2:
            x = P[k, S - 1] * V[S - 1]
            dot += x
            mass += abs(x)
            total += P[k, S - 1]
        z[k] = R[k] + gamma * (dot + dot1)
        e[k] = n * unit * (gamma * (mass + mass1)) + 4 * unit * abs(z[k]) + n * eta
        sums[k] = total + total1
    for s in range(S):
        low, high, best = -np.inf, -np.inf, -np.inf
        for k in range(state_ptr[s], state_ptr[s + 1]):
            if np.isfinite(z[k]) and np.isfinite(e[k]):
                low, high, best = max(low, z[k] - e[k]), max(high, z[k] + e[k]), max(best, z[k])
            else:
                high = np.inf
            smin, smax = min(smin, sums[k]), max(smax, sums[k])
        lo[s], hi[s] = low, high
        k = state_ptr[s]
        while not z[k] >= best - 1e-12 * norm and k + 1 < state_ptr[s + 1]:
            k += 1
        rows[s] = k
        good = np.isfinite(z[k]) and np.isfinite(e[k])
        lo_pi[s] = z[k] - e[k] if good else -np.inf
        hi_pi[s] = z[k] + e[k] if good else np.inf
        least, most = min(least, sums[k]), max(most, sums[k])
    down, up = 1 - n * unit, 1 + n * unit
    smin, smax = np.nextafter(smin * down, -np.inf), np.nextafter(smax * up, np.inf)
    least, most = np.nextafter(least * down, -np.inf), np.nextafter(most * up, np.inf)
    enclose(V, lo_pi, hi_pi, gamma, least, most, terminal, own, upper)
    enclose(V, lo, hi, gamma, smin, smax, terminal, lower, upper)
    loss = 0.0
    for s in range(S):
        gap = upper[s] - own[s]
        loss = gap if gap > loss else (loss if gap <= loss else np.inf)
        lower[s] = max(lower[s], own[s])
        V[s] = min(max(V[s], lower[s]), upper[s]) if np.isfinite(V[s]) else V[s]
    error, norm = widest(V, lower, upper)
    return error, norm, np.nextafter(loss, np.inf)


@njit(cache=True, error_model="numpy")
def solve(
    P: Any, R: Any, gamma: Any, state_ptr: Any, pair_action: Any, terminal: Any, tol: Any,
    out: Any, actions: Any, spans: Any,
) -> Any:  # fmt: skip
    """V*, its bounds and a greedy policy, if sweeps get there: else go on with `improve`.

    Parameters
    ----------
    P, R, gamma, state_ptr, pair_action, terminal
        The model; terminal is a (S,) mask.
    tol
        Relative to max(1, ‖V‖).
    out
        (3, S) output: V, lower, upper.
    actions
        (S,) int64 output: lowest action within 1e-12·max(1, ‖V‖) of the maximum.
    spans
        (n,) output: residual span of each sweep; n limits their number.

    Returns
    -------
    (sweeps, error, ‖V‖, loss); error and loss are infinite where nothing was certified.
    """
    V, lower, upper = out[0], out[1], out[2]
    q = np.empty(R.size)
    met, sweeps = sweep_values(P, R, gamma, state_ptr, tol, V, q, spans)
    error, norm, loss = np.inf, 0.0, np.inf
    if met:
        error, norm, loss = certify(P, R, gamma, state_ptr, terminal, V, lower, upper, actions)
        for s in range(V.size):
            actions[s] = pair_action[actions[s]]
    return sweeps, error, norm, loss


@njit(cache=True, error_model="numpy")
def improve(
    P: Any, R: Any, gamma: Any, state_ptr: Any, pair_action: Any, terminal: Any, out: Any, actions: Any
) -> Any:
    """Policy iteration from the values `solve` left in `out`; a kernel of its own, compiled only if needed.

    Returns
    -------
    (evaluations, error, ‖V‖, loss)
    """
    V, lower, upper = out[0], out[1], out[2]
    evaluations = improve_policies(P, R, gamma, state_ptr, V, np.empty(R.size))
    error, norm, loss = certify(P, R, gamma, state_ptr, terminal, V, lower, upper, actions)
    for s in range(V.size):
        actions[s] = pair_action[actions[s]]
    return evaluations, error, norm, loss


@njit(cache=True, error_model="numpy")
def chain(P: Any, R: Any, state_ptr: Any, weights: Any, C: Any, r: Any) -> Any:
    """C = P_π (S, S) and r = R_π (S,) for (N,) weights."""
    S = r.size
    for s in range(S):
        r[s] = 0.0
        for t in range(S):
            C[s, t] = 0.0
        for k in range(state_ptr[s], state_ptr[s + 1]):
            w = weights[k]
            if w != 0.0:
                r[s] += w * R[k]
                for t in range(S):
                    C[s, t] += w * P[k, t]


@njit(cache=True, error_model="numpy")
def evaluate(
    P: Any, R: Any, gamma: Any, state_ptr: Any, pair_action: Any, terminal: Any, weights: Any,
    pure: Any, out: Any,
) -> Any:  # fmt: skip
    """V^π and its bounds; see `solve`.

    Parameters
    ----------
    weights
        (N,) probabilities of the pairs, each within a relative u of the real number meant.
    pure
        True when the weights are exactly 0 and 1, one 1 a state.
    out
        (3, S) output: V, lower, upper.

    Returns
    -------
    (error, ‖V‖); the error is infinite where nothing was certified.
    """
    S = terminal.size
    unit, eta = 2.0**-53 * (1 + 2.0**-9), 5e-324
    V, lower, upper = out[0], out[1], out[2]
    C, M, r, y = np.empty((S, S)), np.empty((S, S)), np.empty(S), np.empty(S)
    lo, hi = np.empty(S), np.empty(S)
    chain(P, R, state_ptr, weights, C, r)
    linear_values(C, r, gamma, M, V, y)
    smin, smax, longest = np.inf, 0.0, 0.0
    for s in range(S):
        q, mass, total, n = 0.0, 0.0, 0.0, 0.0
        for k in range(state_ptr[s], state_ptr[s + 1]):
            w = weights[k]
            if w == 0.0:
                continue
            d, m, x = 0.0, 0.0, 0.0
            for t in range(S):
                v = P[k, t] * V[t]
                d += v
                m += abs(v)
                x += P[k, t]
            q += w * (R[k] + gamma * d)
            mass += gamma * m if pure else w * (abs(R[k]) + gamma * m)
            total += w * x
            n += S + 4.0 if pure else S + 8.0
        e = n * unit * mass + 4 * unit * abs(q) + n * eta
        good = np.isfinite(q) and np.isfinite(e)
        lo[s] = q - e if good else -np.inf
        hi[s] = q + e if good else np.inf
        smin, smax, longest = min(smin, total), max(smax, total), max(longest, n)
    smin = np.nextafter(smin * (1 - longest * unit), -np.inf)
    smax = np.nextafter(smax * (1 + longest * unit), np.inf)
    enclose(V, lo, hi, gamma, smin, smax, terminal, lower, upper)
    for s in range(S):
        V[s] = min(max(V[s], lower[s]), upper[s]) if np.isfinite(V[s]) else V[s]
    return widest(V, lower, upper)


@njit(cache=True, error_model="numpy")
def occupancy(P: Any, R: Any, gamma: Any, state_ptr: Any, weights: Any, mu: Any, d: Any) -> Any:
    """D = μᵀ(I − γP_π)⁻¹ into d (S,), of mass 1/(1−γ); False on breakdown."""
    S = d.size
    C, D, M = np.empty((S, S)), np.empty((S, S)), np.empty((S, S))
    chain(P, R, state_ptr, weights, C, d)
    for s in range(S):
        for t in range(S):
            D[t, s] = C[s, t]
    return linear_values(D, mu, gamma, M, d, np.empty(S))
