"""Dynamic programming over (state, stock) on lattices and grids of stocks: compiled loops on bare arrays.

A model is a list of outcomes: state s owns pairs state_ptr[s]..state_ptr[s+1]−1, pair a owns outcomes
outcome_ptr[a]..outcome_ptr[a+1]−1, outcome k has prob[k], next_state[k] and a reward.  Values are
arrays (S, n) over states and stock nodes; actions are positions within the state, uint16.

Two motions of the stock.  *Shift*: all nodes of one time step move by the same distance, (offset[k] +
weight[k]) nodes, so a backup is a sum of contiguous, vectorised passes.  *Stretch*: c' = (c + r)/γ;
cells and weights are tabulated once per distinct reward.

Ties within 1e−12·(1+|q|) go to the lowest action; the value kept is the largest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit

TIE = 1e-12
LOST = 1e-25
"""Masses up to this are not pushed on; what is lost shows in the sum."""
BLOCK = 1024
"""Stock nodes handled at a time: the partial sums stay in the first-level cache."""


@njit(cache=True, error_model="numpy")
def shift_backup(
    state_ptr: Any,
    outcome_ptr: Any,
    prob: Any,
    next_state: Any,
    offset: Any,
    weight: Any,
    W: Any,
    V: Any,
    act: Any,
) -> Any:
    """V[s,j] = max_a Σ_k p_k·[(1−w_k)·W[s'_k, j+o_k] + w_k·W[s'_k, j+o_k+1]] and the greedy actions.

    W (S, n') holds the values one step later; j + o_k (+1 where w_k > 0) must lie inside it.
    """
    S, n = V.shape
    q, best = np.empty(BLOCK), np.empty(BLOCK)
    for s in range(S):
        for j0 in range(0, n, BLOCK):
            m = min(BLOCK, n - j0)
            value, chosen = V[s, j0 : j0 + m], act[s, j0 : j0 + m]
            for a in range(state_ptr[s], state_ptr[s + 1]):
                for j in range(m):
                    q[j] = 0.0
                k, stop = outcome_ptr[a], outcome_ptr[a + 1]
                while k < stop:
                    p, w, o = prob[k], weight[k], j0 + offset[k]
                    if w != 0.0:
                        x = W[next_state[k], o : o + m + 1]
                        p0, p1 = p * (1.0 - w), p * w
                        for j in range(m):
                            q[j] += p0 * x[j] + p1 * x[j + 1]
                        k += 1
                        continue
                    x = W[next_state[k], o : o + m]
                    if k + 2 < stop and weight[k + 1] == 0.0 and weight[k + 2] == 0.0:
                        p1, p2, o1, o2 = prob[k + 1], prob[k + 2], j0 + offset[k + 1], j0 + offset[k + 2]
                        x1, x2 = W[next_state[k + 1], o1 : o1 + m], W[next_state[k + 2], o2 : o2 + m]
                        for j in range(m):
                            q[j] += p * x[j] + p1 * x1[j] + p2 * x2[j]
                        k += 3
                    elif k + 1 < stop and weight[k + 1] == 0.0:
                        p1, o1 = prob[k + 1], j0 + offset[k + 1]
                        x1 = W[next_state[k + 1], o1 : o1 + m]
                        for j in range(m):
                            q[j] += p * x[j] + p1 * x1[j]
                        k += 2
                    else:
                        for j in range(m):
                            q[j] += p * x[j]
                        k += 1
                if a == state_ptr[s]:
                    for j in range(m):
                        best[j] = q[j]
                        chosen[j] = 0
                else:
                    number = np.uint16(a - state_ptr[s])
                    for j in range(m):
                        b, y = best[j], q[j]
                        best[j] = y if y > b else b
                        q[j] = y - b - TIE * (1.0 + abs(b))
                    for j in range(m):
                        chosen[j] = number if q[j] > 0.0 else chosen[j]
            for j in range(m):
                value[j] = best[j]


@njit(cache=True, error_model="numpy")
def last_backup(state_ptr: Any, outcome_ptr: Any, prob: Any, kind: Any, F: Any, V: Any, act: Any) -> Any:
    """V[s,j] = max_a Σ_k p_k·F[kind_k, j]: the last step, F the end values per distinct reward."""
    S, n = V.shape
    for s in range(S):
        for j in range(n):
            best, pick = -np.inf, 0
            for a in range(state_ptr[s], state_ptr[s + 1]):
                q = 0.0
                for k in range(outcome_ptr[a], outcome_ptr[a + 1]):
                    q += prob[k] * F[kind[k], j]
                if a == state_ptr[s]:
                    best = q
                else:
                    if q - best > TIE * (1.0 + abs(best)):
                        pick = a - state_ptr[s]
                    if q > best:
                        best = q
            V[s, j] = best
            act[s, j] = np.uint16(pick)


@njit(cache=True, error_model="numpy")
def shift_push(
    state_ptr: Any,
    outcome_ptr: Any,
    prob: Any,
    next_state: Any,
    offset: Any,
    weight: Any,
    act: Any,
    mass: Any,
    out: Any,
) -> Any:
    """out[s',j'] += the probability that (s,j) moves there under the actions `act`; `out` starts at zero."""
    S, n = mass.shape
    for s in range(S):
        for j in range(n):
            m = mass[s, j]
            if m <= LOST:
                continue
            a = state_ptr[s] + np.int64(act[s, j])
            for k in range(outcome_ptr[a], outcome_ptr[a + 1]):
                p, w, o = m * prob[k], weight[k], j + offset[k]
                out[next_state[k], o] += p * (1.0 - w)
                if w > 0.0:
                    out[next_state[k], o + 1] += p * w


@njit(cache=True, error_model="numpy")
def last_push(state_ptr: Any, outcome_ptr: Any, prob: Any, kind: Any, act: Any, mass: Any, out: Any) -> Any:
    """out[d,j] += the probability of standing on node j and then receiving the d-th distinct reward."""
    S, n = mass.shape
    for s in range(S):
        for j in range(n):
            m = mass[s, j]
            if m <= LOST:
                continue
            a = state_ptr[s] + np.int64(act[s, j])
            for k in range(outcome_ptr[a], outcome_ptr[a + 1]):
                out[kind[k], j] += m * prob[k]


@njit(cache=True, error_model="numpy")
def stretch_table(
    rewards: Any, gamma: Any, lo: Any, delta: Any, n: Any, first: Any, last: Any, cell: Any, weight: Any
) -> Any:
    """Where c' = (lo + j·δ + r)/γ falls, for D rewards and n nodes.

    Nodes first[d] ≤ j < last[d] land in cell[d,j] with weight[d,j] on its right end; those before land
    left of the grid, those from last[d] on right of it, and weight[d,j] is then c' itself.
    """
    top = lo + (n - 1) * delta
    for d in range(rewards.size):
        first[d], last[d] = 0, n
        for j in range(n):
            c = (lo + j * delta + rewards[d]) / gamma
            if c <= lo:
                first[d] = j + 1
                weight[d, j] = c
                cell[d, j] = 0
            elif c >= top:
                last[d] = min(last[d], j)
                weight[d, j] = c
                cell[d, j] = 0
            else:
                x = (c - lo) / delta
                i = min(int(x), n - 2)
                cell[d, j] = np.uint32(i)
                weight[d, j] = min(x - i, 1.0)


@njit(cache=True, error_model="numpy")
def stretch_sweep(
    state_ptr: Any,
    outcome_ptr: Any,
    prob: Any,
    next_state: Any,
    kind: Any,
    gamma: Any,
    first: Any,
    last: Any,
    cell: Any,
    weight: Any,
    left: Any,
    right: Any,
    ends: Any,
    V: Any,
    out: Any,
    act: Any,
) -> Any:
    """out = γ·max_a Σ_k p_k·V(s'_k, c'), c' interpolated; returns (max |out − V|, max |out|).

    Left of the grid V(s,c) = left·(c + ends[0,s]), right of it right·(c + ends[1,s]).  The end nodes are
    kept as they are in V.
    """
    S, n = V.shape
    q, best = np.empty(n), np.empty(n)
    residual, norm, check = 0.0, 0.0, 0.0
    for s in range(S):
        chosen = act[s]
        for a in range(state_ptr[s], state_ptr[s + 1]):
            for j in range(n):
                q[j] = 0.0
            for k in range(outcome_ptr[a], outcome_ptr[a + 1]):
                p, t, d = prob[k], next_state[k], kind[k]
                x, at, f = V[t], cell[d], weight[d]
                b, e = first[d], last[d]
                u, g = p * left, ends[0, t]
                for j in range(b):
                    q[j] += u * (f[j] + g)
                for j in range(b, e):
                    i = at[j]
                    y = x[i]
                    q[j] += p * (y + f[j] * (x[i + np.uint32(1)] - y))
                u, g = p * right, ends[1, t]
                for j in range(e, n):
                    q[j] += u * (f[j] + g)
            if a == state_ptr[s]:
                for j in range(n):
                    best[j] = q[j]
                    chosen[j] = 0
            else:
                number = np.uint16(a - state_ptr[s])
                for j in range(n):
                    b1, y = best[j], q[j]
                    best[j] = y if y > b1 else b1
                    q[j] = y - b1 - TIE * (1.0 + abs(b1))
                for j in range(n):
                    chosen[j] = number if q[j] > 0.0 else chosen[j]
        old, new = V[s], out[s]
        new[0], new[n - 1] = old[0], old[n - 1]
        for j in range(1, n - 1):
            y = gamma * best[j]
            r = abs(y - old[j])
            check += 0.0 * y
            residual = r if r > residual else residual
            norm = abs(y) if abs(y) > norm else norm
            new[j] = y
    return residual + check, norm


@njit(cache=True, error_model="numpy")
def stretch_iterate(
    state_ptr: Any,
    outcome_ptr: Any,
    prob: Any,
    next_state: Any,
    kind: Any,
    gamma: Any,
    first: Any,
    last: Any,
    cell: Any,
    weight: Any,
    left: Any,
    right: Any,
    ends: Any,
    V: Any,
    act: Any,
    tol: Any,
    sweeps: Any,
) -> Any:
    """Sweeps until max |change| ≤ tol, at most `sweeps`; returns (sweeps made, last change, max |V|).

    The last iterate, one sweep ahead of the one its `act` is greedy for, is left in V.
    """
    S, n = V.shape
    A, B = V, np.empty((S, n))
    done, residual, norm = 0, np.inf, 0.0
    while done < sweeps:
        residual, norm = stretch_sweep(
            state_ptr, outcome_ptr, prob, next_state, kind, gamma,
            first, last, cell, weight, left, right, ends, A, B, act,
        )  # fmt: skip
        A, B = B, A
        done += 1
        if not residual > tol:
            break
    if done % 2 == 1:
        for s in range(S):
            for j in range(n):
                V[s, j] = A[s, j]
    return done, residual, norm


@njit(cache=True, error_model="numpy")
def stretch_noise(
    state_ptr: Any,
    outcome_ptr: Any,
    prob: Any,
    next_state: Any,
    kind: Any,
    square: Any,
    first: Any,
    last: Any,
    cell: Any,
    weight: Any,
    bend: Any,
    N: Any,
    out: Any,
) -> Any:
    """out = γ²·max_a Σ_k p_k·[w(1−w)·bend + N(s'_k, c')], 0 outside the grid; returns max (N − out).

    With bend = δ² the largest squared noise that rounding to nodes adds up to, one step further; `square`
    is γ².
    """
    S, n = N.shape
    q = np.empty(n)
    change = 0.0
    for s in range(S):
        for j in range(n):
            out[s, j] = 0.0
        for a in range(state_ptr[s], state_ptr[s + 1]):
            for j in range(n):
                q[j] = 0.0
            for k in range(outcome_ptr[a], outcome_ptr[a + 1]):
                p, d = square * prob[k], kind[k]
                x, at, f = N[next_state[k]], cell[d], weight[d]
                for j in range(first[d], last[d]):
                    i, w = at[j], f[j]
                    y = x[i]
                    q[j] += p * (w * (1.0 - w) * bend + y + w * (x[i + np.uint32(1)] - y))
            for j in range(n):
                out[s, j] = q[j] if q[j] > out[s, j] else out[s, j]
        for j in range(n):
            r = N[s, j] - out[s, j]
            change = r if r > change else change
    return change


@njit(cache=True, error_model="numpy")
def stretch_actions(
    state_ptr: Any,
    outcome_ptr: Any,
    prob: Any,
    next_state: Any,
    reward: Any,
    gamma: Any,
    lo: Any,
    delta: Any,
    left: Any,
    right: Any,
    ends: Any,
    V: Any,
    N: Any,
    s: Any,
    stocks: Any,
    act: Any,
    value: Any,
    noise: Any,
) -> Any:
    """Greedy action and γ·max_a Σ_k p_k·V(s'_k, (c + r_k)/γ) at arbitrary stocks c of one state.

    `noise` is γ²·max_a Σ_k p_k·[w(1−w)·δ² + N(s'_k, c')] there; see `stretch_noise`.
    """
    n = V.shape[1]
    top = lo + (n - 1) * delta
    nothing = n * 2.0**-47  # a weight within rounding of a node adds no noise
    for j in range(stocks.size):
        best, pick, worst = -np.inf, 0, 0.0
        for a in range(state_ptr[s], state_ptr[s + 1]):
            q, v = 0.0, 0.0
            for k in range(outcome_ptr[a], outcome_ptr[a + 1]):
                t = next_state[k]
                c = (stocks[j] + reward[k]) / gamma
                if c <= lo:
                    y = left * (c + ends[0, t])
                elif c >= top:
                    y = right * (c + ends[1, t])
                else:
                    x = (c - lo) / delta
                    i = min(int(x), n - 2)
                    w = min(x - i, 1.0)
                    y = V[t, i] + w * (V[t, i + 1] - V[t, i])
                    u = w * (1.0 - w) if w > nothing and 1.0 - w > nothing else 0.0
                    v += prob[k] * (u * delta * delta + N[t, i] + w * (N[t, i + 1] - N[t, i]))
                q += prob[k] * y
            worst = v if v > worst else worst
            if a == state_ptr[s]:
                best = q
            else:
                if q - best > TIE * (1.0 + abs(best)):
                    pick = a - state_ptr[s]
                if q > best:
                    best = q
        act[j] = np.uint16(pick)
        value[j] = gamma * best
        noise[j] = gamma * gamma * worst
