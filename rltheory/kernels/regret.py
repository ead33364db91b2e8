"""Episodes of tabular learners, compiled: plan, evaluate the policy exactly, play, count.

Layout.  A pair is i = s·A + a; models and counts are (G, S, S·A), next state before pair, so that one
sweep over the next states updates all pairs at once and every sum still runs over next states in
order.  Where few next states were seen (`succ`, in order) only those are visited: the same sums, to the last
bit.  G = 1 where all steps share one model, else G = H.  Steps are h = 0..H−1, V[H] = 0.

Optimistic planning (kinds CH … EULER):  Q = vmax if N = 0, else
    min{vmax, R + P̂V_{h+1} + c·(√(k·𝕍(P̂, V_{h+1})) + t + …)},  k and t depending on N only.
Ties: the lowest action within 1e-12 of the maximum.  Streams: one generator of uniforms for states
(H + 1 an episode), one for the learner, one for rewards where they are random.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._jit import njit

CH, BF, MVP, MVP_BATCH, BERNSTEIN, EULER, PSRL, UCRL2, Q_HOEFFDING, Q_BERNSTEIN, UNIFORM, COMMIT = range(12)
"""Kinds of learner."""
TIE = 1e-12
FLOOR = 1e-300
REPLAN, CHANGED, PLANS, POINT, LOST_EPISODE, SEEN = range(6)
"""Entries of `flags`; SEEN counts the triples (pair, next state) seen so far."""
SPARSE = 8
"""Seen triples are visited one by one where they are fewer than 1/SPARSE of all."""
PSEUDO, REGRET, REALISED, LEAST_GAP, LEAST_MARGIN = range(5)
"""Entries of `totals`: two regrets, V*·K less rewards, least optimism at the start and over all (h, s)."""


class Truth(NamedTuple):
    """The model played: rows of each (g, pair) as next states, probabilities and partial sums."""

    ptr: Any
    nxt: Any
    prob: Any
    cum: Any
    R: Any
    start: Any
    start_prob: Any
    start_cum: Any
    V_star: Any


class Setup(NamedTuple):
    """Sizes and constants of a run: `numbers` = c, λ, vmax, δ, α, c₁, c₂, c₃; known and noisy are 0 or 1."""

    kind: int
    H: int
    S: int
    A: int
    known: int
    noisy: int
    explore: int
    numbers: Any
    allowed: Any


class Memory(NamedTuple):
    """What a learner holds: live counts, the model it plans with, its values and policy, scratch rows."""

    n: Any
    n3: Any
    r1: Any
    r2: Any
    visits: Any
    N: Any
    P: Any
    R: Any
    R_var: Any
    mark: Any
    mark3: Any
    mark1: Any
    mark2: Any
    V: Any
    V_low: Any
    Q: Any
    pi: Any
    rows: Any
    succ: Any
    size: Any
    flags: Any


@njit(cache=True, nogil=True, error_model="numpy")
def refresh(setup: Any, m: Any) -> None:
    """The planning model becomes the live counts, where they moved."""
    S, SA = setup.S, setup.S * setup.A
    for g in range(m.n.shape[0]):
        for i in range(SA):
            n = m.n[g, i]
            if m.N[g, i] != n:
                m.N[g, i] = n
                if m.flags[SEEN] > 0:
                    for e in range(m.size[g, i]):
                        y = m.succ[g, i, e]
                        m.P[g, y, i] = m.n3[g, y, i] / n
                else:
                    for y in range(S):
                        m.P[g, y, i] = m.n3[g, y, i] / n
                if setup.known == 0:
                    mean = m.r1[g, i] / n
                    m.R[g, i] = mean
                    m.R_var[g, i] = max(0.0, m.r2[g, i] / n - mean * mean)


@njit(cache=True, nogil=True, error_model="numpy")
def greedy(setup: Any, m: Any, h: Any, q: Any) -> None:
    """V_h and π_h from q (S·A,); CHANGED is set if an action moved."""
    A = setup.A
    for s in range(setup.S):
        best = q[s * A]
        for a in range(1, A):
            best = max(best, q[s * A + a])
        act = 0
        while act < A - 1 and not q[s * A + act] >= best - TIE:
            act += 1
        m.V[h, s] = best
        if m.pi[h, s] != act:
            m.pi[h, s] = act
            m.flags[CHANGED] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def plan_optimistic(setup: Any, m: Any) -> None:
    """Backward recursion with the bonus of `setup.kind`; COMMIT and PSRL plan without bonus or clipping."""
    kind, H, S, A, SA = setup.kind, setup.H, setup.S, setup.A, setup.S * setup.A
    x = setup.numbers
    c, lam, vmax = x[0], x[1], x[2]
    G = m.N.shape[0]
    base, k, t = m.rows[0], m.rows[1], m.rows[2]
    plain = kind in (PSRL, COMMIT)
    top = np.inf if plain else vmax
    for g in range(G):
        for i in range(SA):
            N = m.N[g, i]
            base[g, i], k[g, i], t[g, i] = m.R[g, i], 0.0, 0.0
            if not setup.allowed[g, i]:
                base[g, i] = -np.inf
            elif plain:
                pass
            elif N == 0.0:
                base[g, i] = vmax
            else:
                if kind == CH:
                    t[g, i] = 7.0 * vmax * lam / np.sqrt(N)
                elif kind == BF:
                    k[g, i] = 8.0 * lam / N
                    t[g, i] = 14.0 * vmax * lam / (3.0 * N)
                elif kind == BERNSTEIN:
                    k[g, i] = 2.0 * lam / N
                    t[g, i] = vmax * lam / N
                elif kind == EULER:
                    k[g, i] = 2.0 * lam / N
                    t[g, i] = vmax * lam / (3.0 * max(N - 1.0, 1.0)) + 5.0 * vmax * lam / N
                else:
                    k[g, i] = x[5] * x[5] * lam / N
                    t[g, i] = x[6] * np.sqrt(m.R_var[g, i] * lam / N) + x[7] * vmax * lam / N
                if setup.known == 0 and kind != MVP and kind != MVP_BATCH:
                    t[g, i] += np.sqrt(lam / (2.0 * N))
    m1, m2, m3, low1, low2 = m.rows[3, 0], m.rows[4, 0], m.rows[5, 0], m.rows[6, 0], m.rows[7, 0]
    q, z = m.rows[8, 0], m.rows[9, 0]
    squares = not plain and kind != CH
    few = 0 < SPARSE * m.flags[SEEN] < m.P.size and kind != PSRL
    for h in range(H - 1, -1, -1):
        g = 0 if G == 1 else h
        for i in range(SA):
            m1[i], m2[i], m3[i], low1[i], low2[i] = 0.0, 0.0, 0.0, 0.0, 0.0
        if kind == BF and h < H - 1:
            for y in range(S):
                z[y] = min(x[8] / max(m.visits[h + 1, y], 1.0), vmax * vmax)
        if h < H - 1 and few:
            for i in range(SA):
                a1, a2, a3, b1, b2 = 0.0, 0.0, 0.0, 0.0, 0.0
                for e in range(m.size[g, i]):
                    y = m.succ[g, i, e]
                    p, v = m.P[g, y, i], m.V[h + 1, y]
                    a1 += p * v
                    a2 += p * (v * v)
                    if kind == BF:
                        a3 += p * z[y]
                    elif kind == EULER:
                        u = m.V_low[h + 1, y]
                        b1 += p * u
                        b2 += p * (u * u)
                        a3 += p * ((v - u) * (v - u))
                m1[i], m2[i], m3[i], low1[i], low2[i] = a1, a2, a3, b1, b2
        elif h < H - 1:
            for y in range(S):
                v = m.V[h + 1, y]
                w = v * v
                if v != 0.0 and squares:
                    for i in range(SA):
                        p = m.P[g, y, i]
                        m1[i] += p * v
                        m2[i] += p * w
                elif v != 0.0:
                    for i in range(SA):
                        m1[i] += m.P[g, y, i] * v
                if kind == BF:
                    for i in range(SA):
                        m3[i] += m.P[g, y, i] * z[y]
                elif kind == EULER:
                    u = m.V_low[h + 1, y]
                    uu, dd = u * u, (v - u) * (v - u)
                    for i in range(SA):
                        p = m.P[g, y, i]
                        low1[i] += p * u
                        low2[i] += p * uu
                        m3[i] += p * dd
        if kind == BF:
            for i in range(SA):
                b = np.sqrt(k[g, i] * max(0.0, m2[i] - m1[i] * m1[i])) + t[g, i]
                b += np.sqrt(8.0 / max(m.N[g, i], 1.0) * m3[i])
                q[i] = min(min(vmax, base[g, i] + m1[i] + c * b), m.Q[h, i])
                m.Q[h, i] = q[i]
        elif kind == EULER:
            for i in range(SA):
                b = np.sqrt(k[g, i] * max(0.0, m2[i] - m1[i] * m1[i])) + t[g, i] + np.sqrt(k[g, i] * m3[i])
                q[i] = min(vmax, base[g, i] + m1[i] + c * b)
        else:
            for i in range(SA):
                b = np.sqrt(k[g, i] * max(0.0, m2[i] - m1[i] * m1[i])) + t[g, i]
                q[i] = min(top, base[g, i] + m1[i] + c * b)
        for s in range(S):
            best = q[s * A]
            for a in range(1, A):
                best = max(best, q[s * A + a])
            act = 0
            while act < A - 1 and not q[s * A + act] >= best - TIE:
                act += 1
            m.V[h, s] = best
            if m.pi[h, s] != act:
                m.pi[h, s] = act
                m.flags[CHANGED] = 1
        if kind == EULER:
            for s in range(S):
                i = s * setup.A + m.pi[h, s]
                m.V_low[h, s] = 0.0
                if m.N[g, i] > 0.0:
                    b = np.sqrt(k[g, i] * max(0.0, low2[i] - low1[i] * low1[i])) + t[g, i]
                    b += np.sqrt(k[g, i] * m3[i])
                    m.V_low[h, s] = max(0.0, base[g, i] + low1[i] - c * b)


@njit(cache=True, nogil=True, error_model="numpy")
def sorted_states(v: Any, order: Any) -> None:
    """`order` becomes the states by decreasing value, equal ones by index."""
    for j in range(v.size):
        l = j
        while l > 0 and v[order[l - 1]] < v[j]:
            order[l] = order[l - 1]
            l -= 1
        order[l] = j


@njit(cache=True, nogil=True, error_model="numpy")
def best_in_ball(p: Any, d: Any, v: Any, order: Any) -> Any:
    """Max q·v over laws q with ‖q − p‖₁ ≤ d, and q written over p; p = 0 stands for the whole simplex."""
    top = order[0]
    mass = min(1.0, p[top] + 0.5 * d)
    rest, seen = mass - p[top], False
    for y in range(p.size):
        seen = seen or p[y] > 0.0
    if not seen:
        mass, rest = 1.0, 0.0
    p[top] = mass
    value = mass * v[top]
    for l in range(p.size - 1, 0, -1):
        y = order[l]
        take = min(rest, p[y])
        rest -= take
        p[y] -= take
        value += p[y] * v[y]
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def plan_ball(setup: Any, m: Any) -> None:
    """Backward recursion with the best law within the ℓ₁ ball of each pair; clipped at vmax."""
    H, S, SA = setup.H, setup.S, setup.S * setup.A
    x = setup.numbers
    G = m.N.shape[0]
    order = np.empty(S, dtype=np.int64)
    p = np.empty(S)
    q = m.rows[8, 0]
    for h in range(H - 1, -1, -1):
        g = 0 if G == 1 else h
        v = m.V[h + 1]
        sorted_states(v, order)
        for i in range(SA):
            if not setup.allowed[g, i]:
                q[i] = -np.inf
                continue
            N = m.N[g, i]
            for y in range(S):
                p[y] = m.P[g, y, i]
            d = x[0] * np.sqrt(x[9] / max(1.0, N))
            if N == 0.0:
                d = 2.0
            reward = m.R[g, i]
            if setup.known == 0:
                reward += x[0] * np.sqrt(x[10] / max(1.0, N))
            q[i] = min(x[2], reward + best_in_ball(p, d, v, order))
        greedy(setup, m, h, q)


@njit(cache=True, nogil=True, error_model="numpy")
def sample_model(setup: Any, m: Any, rng: Any) -> None:
    """P ~ Dirichlet(α/S + counts), rows in order of (g, s, a), one gamma variate an entry."""
    S, SA = setup.S, setup.S * setup.A
    prior = setup.numbers[4] / S
    for g in range(m.n.shape[0]):
        for i in range(SA):
            total = 0.0
            for y in range(S):
                z = max(rng.standard_gamma(prior + m.n3[g, y, i]), FLOOR)
                m.P[g, y, i] = z
                total += z
            for y in range(S):
                m.P[g, y, i] /= total


@njit(cache=True, nogil=True, error_model="numpy")
def plan(setup: Any, m: Any, k: Any, rng: Any) -> Any:
    """Replan before episode k if the learner's rule asks for it; True where actions are drawn uniformly."""
    kind = setup.kind
    if kind == UNIFORM or (kind == COMMIT and k < setup.explore):
        return True
    if m.flags[REPLAN] == 0 or kind in (Q_HOEFFDING, Q_BERNSTEIN):
        return False
    if kind == PSRL:
        sample_model(setup, m, rng)
        if setup.known == 0:
            for g in range(m.n.shape[0]):
                for i in range(setup.S * setup.A):
                    m.R[g, i] = m.r1[g, i] / max(m.n[g, i], 1.0)
    elif kind == UCRL2:
        x, steps = setup.numbers, max(1.0, float(k * setup.H))
        x[9] = 14.0 * setup.S * np.log(2.0 * setup.A * steps / x[3])
        x[10] = 3.5 * np.log(2.0 * setup.S * setup.A * steps / x[3])
        refresh(setup, m)
        for g in range(m.n.shape[0]):
            for i in range(setup.S * setup.A):
                m.mark[g, i] = m.n[g, i]
    elif kind != MVP and kind != MVP_BATCH:
        refresh(setup, m)
    if kind == UCRL2:
        plan_ball(setup, m)
    else:
        plan_optimistic(setup, m)
    m.flags[PLANS] += 1
    if kind in (MVP, MVP_BATCH, UCRL2, COMMIT):
        m.flags[REPLAN] = 0
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def snapshot(setup: Any, m: Any, g: Any, i: Any) -> None:
    """MVP: the model of a pair whose count is a power of two, from all samples or from the newer half."""
    n, S = m.n[g, i], setup.S
    half = setup.kind == MVP_BATCH and n > 1.0
    size = 0.5 * n if half else n
    m.N[g, i] = size
    for y in range(S):
        m.P[g, y, i] = (m.n3[g, y, i] - m.mark3[g, y, i] if half else m.n3[g, y, i]) / size
        if setup.kind == MVP_BATCH:
            m.mark3[g, y, i] = m.n3[g, y, i]
    if setup.known == 0:
        a = m.r1[g, i] - m.mark1[g, i] if half else m.r1[g, i]
        b = m.r2[g, i] - m.mark2[g, i] if half else m.r2[g, i]
        m.R[g, i] = a / size
        m.R_var[g, i] = max(0.0, b / size - (a / size) ** 2)
        m.mark1[g, i], m.mark2[g, i] = m.r1[g, i], m.r2[g, i]
    m.flags[REPLAN] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def learn_value(setup: Any, m: Any, h: Any, s: Any, a: Any, r: Any, y: Any) -> None:
    """Q-learning at the t-th visit of (h, s, a): α_t = (H + 1)/(H + t), bonus of UCB-H or UCB-B."""
    H, A, x = setup.H, setup.A, setup.numbers
    i = s * A + a
    c, iota, vmax = x[0], x[1], x[2]
    t = m.n[h, i]
    step = (H + 1.0) / (H + t)
    v = m.V[h + 1, y]
    if setup.kind == Q_HOEFFDING:
        b = c * np.sqrt(H * vmax * vmax * iota / t)
    else:
        m.mark1[h, i] += v
        m.mark2[h, i] += v * v
        mean = m.mark1[h, i] / t
        var = max(0.0, m.mark2[h, i] / t - mean * mean)
        wide = np.sqrt(float(H) ** 7 * setup.S * A) * iota / t
        beta = min(
            x[5] * (np.sqrt(H * (var + H) * iota / t) + wide), x[6] * np.sqrt(float(H) ** 3 * iota / t)
        )
        b = 0.5 * beta if t == 1.0 else (beta - (1.0 - step) * m.mark[h, i]) / (2.0 * step)
        m.mark[h, i] = beta
        b *= c
    m.Q[h, i] = (1.0 - step) * m.Q[h, i] + step * (r + v + b)
    best = m.Q[h, s * A]
    for j in range(1, A):
        best = max(best, m.Q[h, s * A + j])
    act = 0
    while act < A - 1 and not m.Q[h, s * A + act] >= best - TIE:
        act += 1
    m.V[h, s] = min(vmax, best)
    if m.pi[h, s] != act:
        m.pi[h, s] = act
        m.flags[CHANGED] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def observe(setup: Any, m: Any, states: Any, actions: Any, rewards: Any) -> None:
    """Count one episode (H + 1 states, H actions, H rewards)."""
    kind, G = setup.kind, m.n.shape[0]
    for h in range(setup.H):
        s, a, y, r = states[h], actions[h], states[h + 1], rewards[h]
        g = 0 if G == 1 else h
        i = s * setup.A + a
        m.n[g, i] += 1.0
        m.visits[h, s] += 1.0
        if kind in (Q_HOEFFDING, Q_BERNSTEIN):
            learn_value(setup, m, h, s, a, r, y)
            continue
        m.n3[g, y, i] += 1.0
        if m.n3[g, y, i] == 1.0:
            e = m.size[g, i]
            while e > 0 and m.succ[g, i, e - 1] > y:
                m.succ[g, i, e] = m.succ[g, i, e - 1]
                e -= 1
            m.succ[g, i, e] = y
            m.size[g, i] += 1
            m.flags[SEEN] += 1
        m.r1[g, i] += r
        m.r2[g, i] += r * r
        if kind in (MVP, MVP_BATCH):
            n = np.int64(m.n[g, i])
            if n & (n - 1) == 0:
                snapshot(setup, m, g, i)
        elif kind == UCRL2 and m.n[g, i] - m.mark[g, i] >= max(1.0, m.mark[g, i]):
            m.flags[REPLAN] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate(setup: Any, truth: Any, pi: Any, uniform: Any, V: Any) -> None:
    """V^π by policy evaluation on the true model: of pi (H, S), or of the uniform policy."""
    H, S, A = setup.H, setup.S, setup.A
    G = truth.R.shape[0]
    for h in range(H - 1, -1, -1):
        g = 0 if G == 1 else h
        for s in range(S):
            lo, hi = 0, A
            if not uniform:
                lo = pi[h, s]
                hi = lo + 1
            total, count = 0.0, 0
            for a in range(lo, hi):
                i = s * A + a
                if uniform and not setup.allowed[0 if setup.allowed.shape[0] == 1 else h, i]:
                    continue
                v = 0.0
                for e in range(truth.ptr[g * S * A + i], truth.ptr[g * S * A + i + 1]):
                    v += truth.prob[e] * V[h + 1, truth.nxt[e]]
                total += truth.R[g, i] + v
                count += 1
            V[h, s] = total if count == 1 else total / count


@njit(cache=True, nogil=True, error_model="numpy")
def optimum(setup: Any, truth: Any, sign: Any, V: Any) -> None:
    """V* (sign 1) or the least values (sign −1), in the arithmetic of `evaluate`."""
    S, A = setup.S, setup.A
    G = truth.R.shape[0]
    for h in range(setup.H - 1, -1, -1):
        g = 0 if G == 1 else h
        for s in range(S):
            best = -np.inf
            for i in range(s * A, s * A + A):
                if setup.allowed[0 if setup.allowed.shape[0] == 1 else h, i]:
                    v = 0.0
                    for e in range(truth.ptr[g * S * A + i], truth.ptr[g * S * A + i + 1]):
                        v += truth.prob[e] * V[h + 1, truth.nxt[e]]
                    best = max(best, sign * (truth.R[g, i] + v))
            V[h, s] = sign * best


@njit(cache=True, nogil=True, error_model="numpy")
def play(
    setup: Any, truth: Any, pi: Any, uniform: Any, rngs: Any, states: Any, actions: Any, rewards: Any
) -> None:
    """One episode: first index whose partial sum exceeds the uniform, the last possible one otherwise."""
    H, S, A = setup.H, setup.S, setup.A
    G = truth.R.shape[0]
    u = rngs[0].random()
    e, last = 0, truth.start.size - 1
    while e < last and u >= truth.start_cum[e]:
        e += 1
    s = np.int64(truth.start[e])
    states[0] = s
    for h in range(H):
        g = 0 if G == 1 else h
        a = pi[h, s]
        if uniform:
            ga = 0 if setup.allowed.shape[0] == 1 else h
            count = 0
            for b in range(A):
                count += setup.allowed[ga, s * A + b]
            pick = min(int(rngs[1].random() * count), count - 1)
            a = 0
            while True:
                if setup.allowed[ga, s * A + a]:
                    if pick == 0:
                        break
                    pick -= 1
                a += 1
        row = g * S * A + s * A + a
        u = rngs[0].random()
        e, last = truth.ptr[row], truth.ptr[row + 1] - 1
        while e < last and u >= truth.cum[e]:
            e += 1
        mean = truth.R[g, s * A + a]
        if setup.noisy == 1:
            mean = 1.0 if rngs[2].random() < mean else 0.0
        actions[h], rewards[h] = a, mean
        s = np.int64(truth.nxt[e])
        states[h + 1] = s


@njit(cache=True, nogil=True, error_model="numpy")
def margin(V: Any, V_star: Any) -> Any:
    """Least V − V* over steps and states."""
    least = np.inf
    for h in range(V.shape[0] - 1):
        for s in range(V.shape[1]):
            least = min(least, V[h, s] - V_star[h, s])
    return least


@njit(cache=True, nogil=True, error_model="numpy")
def episodes(
    setup: Any,
    truth: Any,
    m: Any,
    first: Any,
    last: Any,
    rngs: Any,
    at: Any,
    V_pi: Any,
    totals: Any,
    record: Any,
    verify: Any,
) -> None:
    """Episodes first..last−1 of one run; `record[:, j]` gets `totals` after episode at[j] (1-based)."""
    H = setup.H
    states, actions = np.empty(H + 1, dtype=np.int64), np.empty(H, dtype=np.int64)
    rewards, optimum, value = np.empty(H), 0.0, 0.0
    for e in range(truth.start.size):
        optimum += truth.start_prob[e] * truth.V_star[0, truth.start[e]]
    fresh = True
    for k in range(first, last):
        before = m.flags[PLANS]
        uniform = plan(setup, m, k, rngs[1])
        if k == setup.explore or k == 0:
            m.flags[CHANGED] = 1
        if m.flags[CHANGED] == 1 or fresh:
            evaluate(setup, truth, m.pi, uniform, V_pi)
            m.flags[CHANGED], fresh = 0, False
            value = 0.0
            for e in range(truth.start.size):
                value += truth.start_prob[e] * V_pi[0, truth.start[e]]
        gap = 0.0
        for e in range(truth.start.size):
            gap += truth.start_prob[e] * (m.V[0, truth.start[e]] - truth.V_star[0, truth.start[e]])
        totals[LEAST_GAP] = min(totals[LEAST_GAP], gap)
        if verify and (m.flags[PLANS] != before or setup.kind >= Q_HOEFFDING):
            totals[LEAST_MARGIN] = min(totals[LEAST_MARGIN], margin(m.V, truth.V_star))
        if m.flags[LOST_EPISODE] < 0 and min(totals[LEAST_GAP], totals[LEAST_MARGIN]) < -1e-9 * max(
            1.0, setup.numbers[2]
        ):
            m.flags[LOST_EPISODE] = k
        play(setup, truth, m.pi, uniform, rngs, states, actions, rewards)
        paid = 0.0
        for h in range(H):
            paid += rewards[h]
        totals[PSEUDO] += optimum - value
        totals[REGRET] += truth.V_star[0, states[0]] - V_pi[0, states[0]]
        totals[REALISED] += optimum - paid
        observe(setup, m, states, actions, rewards)
        j = m.flags[POINT]
        if j < at.size and at[j] == k + 1:
            for e in range(3):
                record[e, j] = totals[e]
            record[3, j] = gap
            m.flags[POINT] = j + 1
