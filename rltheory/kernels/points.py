"""Point-based planning over (step, state, belief): alpha vectors from below, points from above.

From below, W_t(s, b) ≥ max_i α_i·b over vectors that policies achieve.  From above, W_t(s, ·) is convex, so
with corners c_m = W_t(s, e_m) and a point W_t(s, g) ≤ v

    W_t(s, b) ≤ c·b + (v − c·g)·min_{g_m > 0} b_m/g_m,

and W_t(s, b) ≤ max_a Σ_m b_m Q*_{m,t}(s,a).  A trial follows the action that looks best from above and the
child with the largest weighted gap, then backs both bounds up.  Beliefs sum to one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit

AIM = 0.3
"""A trial is followed while the gap is more than this share of the one at the start."""
LEAST = 1e-13
"""Improvements up to this are not kept."""


@njit(cache=True, error_model="numpy")
def lower_at(alpha: Any, live: Any, n: int, b: Any) -> Any:
    """(max_i α_i·b, i) over the `n` live vectors."""
    best, at = -np.inf, 0
    for k in range(n):
        i = live[k]
        x = 0.0
        for m in range(b.size):
            x += alpha[i, m] * b[m]
        if x > best:
            best, at = x, i
    return best, at


@njit(cache=True, error_model="numpy")
def upper_at(Q: Any, corner: Any, point: Any, drop: Any, n: int, b: Any) -> float:
    """Least of the bounds at b: (A, M) Q, (M,) corners, n points with drop = v − c·g ≤ 0."""
    A, M = Q.shape
    top = -np.inf
    for a in range(A):
        x = 0.0
        for m in range(M):
            x += b[m] * Q[a, m]
        top = max(top, x)
    base = 0.0
    for m in range(M):
        base += b[m] * corner[m]
    for k in range(n):
        ratio = np.inf
        for m in range(M):
            if point[k, m] > 0.0:
                r = b[m] / point[k, m]
                if r < ratio:
                    ratio = r
                    if base + ratio * drop[k] >= top:
                        break
        x = base + ratio * drop[k]
        if x < top:
            top = x
    return top


@njit(cache=True, error_model="numpy")
def trials(
    ptr: Any,
    state: Any,
    factor: Any,
    R: Any,
    Q: Any,
    corner: Any,
    start: Any,
    alpha: Any,
    action: Any,
    child: Any,
    count: Any,
    live: Any,
    alive: Any,
    point: Any,
    drop: Any,
    points: Any,
    tol: float,
    number: int,
) -> Any:
    """Up to `number` trials; the arrays are changed in place.

    Parameters
    ----------
    Q, corner
        (H, S, A, M) and (H, S, M) values of the contexts, each known.
    start
        (S, M) unnormalised first beliefs.
    alpha, action, child, count, live, alive
        (H, S, cap, M) vectors, (H, S, cap) their actions, (H, S, cap, width) children, (H, S) how many,
        (H, S, cap) which are not covered by a later one, (H, S) how many of those.
    point, drop, points
        (H, S, cap, M) beliefs, (H, S, cap) v − c·g, (H, S) how many.

    Returns
    -------
    tuple
        (lower, upper, trials made); fewer than asked when the gap is at most `tol` or an array is full.
    """
    H, S, cap, M = alpha.shape
    A = R.shape[1]
    path_s, path_b = np.zeros(H, np.int64), np.zeros((H, M))
    y, vec, best_vec = np.zeros(M), np.zeros(M), np.zeros(M)
    kids, best_kids = np.zeros(child.shape[3], np.int64), np.zeros(child.shape[3], np.int64)
    weight, open_gap = np.zeros(S), np.zeros(S)
    done = 0
    while True:
        lower, upper = 0.0, 0.0
        for s in range(S):
            mass = 0.0
            for m in range(M):
                mass += start[s, m]
            if mass == 0.0:
                continue
            for m in range(M):
                y[m] = start[s, m] / mass
            lo = lower_at(alpha[0, s], live[0, s], alive[0, s], y)[0]
            hi = upper_at(Q[0, s], corner[0, s], point[0, s], drop[0, s], points[0, s], y)
            hi = max(hi, lo)
            lower += mass * lo
            upper += mass * hi
            weight[s], open_gap[s] = mass, hi - lo
        full = False
        for t in range(H):
            for s in range(S):
                full = full or count[t, s] >= cap - 1 or points[t, s] >= cap - 1
        if upper - lower <= tol or done == number or full:
            return lower, upper, done
        done += 1
        aim = max(tol, AIM * (upper - lower))
        widest, first = -np.inf, 0
        for s in range(S):
            if weight[s] > 0.0 and weight[s] * (open_gap[s] - aim) > widest:
                widest, first = weight[s] * (open_gap[s] - aim), s
        # down
        depth, s = 0, first
        mass = 0.0
        for m in range(M):
            mass += start[s, m]
        for m in range(M):
            path_b[0, m] = start[s, m] / mass
        path_s[0] = s
        while depth < H - 1:
            t = depth
            b = path_b[t]
            top, chosen = -np.inf, 0
            for a in range(A):
                q = 0.0
                for m in range(M):
                    q += b[m] * R[s, a, m]
                for j in range(ptr[s * A + a], ptr[s * A + a + 1]):
                    p = 0.0
                    for m in range(M):
                        y[m] = b[m] * factor[j, m]
                        p += y[m]
                    if p > 0.0:
                        for m in range(M):
                            y[m] /= p
                        u = state[j]
                        q += p * upper_at(
                            Q[t + 1, u],
                            corner[t + 1, u],
                            point[t + 1, u],
                            drop[t + 1, u],
                            points[t + 1, u],
                            y,
                        )
                if q > top + LEAST:
                    top, chosen = q, a
            goal, into = -np.inf, -1
            for j in range(ptr[s * A + chosen], ptr[s * A + chosen + 1]):
                p = 0.0
                for m in range(M):
                    y[m] = b[m] * factor[j, m]
                    p += y[m]
                if p == 0.0:
                    continue
                for m in range(M):
                    y[m] /= p
                u = state[j]
                hi = upper_at(
                    Q[t + 1, u], corner[t + 1, u], point[t + 1, u], drop[t + 1, u], points[t + 1, u], y
                )
                lo = lower_at(alpha[t + 1, u], live[t + 1, u], alive[t + 1, u], y)[0]
                excess = p * (hi - lo - aim * (H - 1 - t) / H)
                if excess > goal:
                    goal, into = excess, j
                    for m in range(M):
                        path_b[t + 1, m] = y[m]
            if goal <= 0.0:
                break
            depth += 1
            s = state[into]
            path_s[depth] = s
        # up
        for t in range(min(depth, H - 2), -1, -1):
            s, b = path_s[t], path_b[t]
            top_lo, top_hi, chosen = -np.inf, -np.inf, 0
            for a in range(A):
                hi, lo = 0.0, 0.0
                for m in range(M):
                    vec[m] = R[s, a, m]
                    hi += b[m] * R[s, a, m]
                first_child = ptr[s * A + a]
                for j in range(first_child, ptr[s * A + a + 1]):
                    p = 0.0
                    for m in range(M):
                        y[m] = b[m] * factor[j, m]
                        p += y[m]
                    u = state[j]
                    if p > 0.0:
                        for m in range(M):
                            y[m] /= p
                        hi += p * upper_at(
                            Q[t + 1, u],
                            corner[t + 1, u],
                            point[t + 1, u],
                            drop[t + 1, u],
                            points[t + 1, u],
                            y,
                        )
                        i = lower_at(alpha[t + 1, u], live[t + 1, u], alive[t + 1, u], y)[1]
                    else:
                        i = live[t + 1, u, 0]
                    kids[j - first_child] = i
                    for m in range(M):
                        vec[m] += factor[j, m] * alpha[t + 1, u, i, m]
                for m in range(M):
                    lo += b[m] * vec[m]
                top_hi = max(top_hi, hi)
                if lo > top_lo:
                    top_lo, chosen = lo, a
                    best_vec[:] = vec
                    best_kids[:] = kids
            n = count[t, s]
            now = lower_at(alpha[t, s], live[t, s], alive[t, s], b)[0]
            if top_lo > now + LEAST and n < cap:
                alpha[t, s, n] = best_vec
                action[t, s, n] = chosen
                child[t, s, n] = best_kids
                kept = 0
                for k in range(alive[t, s]):
                    i = live[t, s, k]
                    covered = True
                    for m in range(M):
                        if alpha[t, s, i, m] > best_vec[m]:
                            covered = False
                            break
                    if not covered:
                        live[t, s, kept] = i
                        kept += 1
                live[t, s, kept] = n
                alive[t, s] = kept + 1
                count[t, s] = n + 1
            now = upper_at(Q[t, s], corner[t, s], point[t, s], drop[t, s], points[t, s], b)
            if top_hi < now - LEAST and points[t, s] < cap:
                base = 0.0
                for m in range(M):
                    base += b[m] * corner[t, s, m]
                new = top_hi - base
                kept = 0
                for k in range(points[t, s]):
                    ratio = np.inf
                    for m in range(M):
                        if b[m] > 0.0:
                            ratio = min(ratio, point[t, s, k, m] / b[m])
                    if ratio * new > drop[t, s, k]:
                        if kept != k:
                            point[t, s, kept] = point[t, s, k]
                            drop[t, s, kept] = drop[t, s, k]
                        kept += 1
                point[t, s, kept] = b
                drop[t, s, kept] = new
                points[t, s] = kept + 1
