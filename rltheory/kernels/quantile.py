"""Quantile laws: m atoms of mass 1/m, and the projected Bellman backup Π_Q T on them.

Definitions.  A law is a sorted row of m atoms, each of mass 1/m.  Outcome k of a pair moves atom θ to
r_k + γθ with mass p_k/m; Π_Q reads the mixture's lower quantiles at the levels (2i−1)/(2m), i = 1..m:
the first atom whose cumulative mass reaches the level, up to max(1e-13, 4bmu) for rounding, b outcomes.

Method.  The b moved rows are sorted already, so they are merged two by two; the last merge keeps no
list but counts levels.  Every merge runs from both ends at once and without branches: which list comes
next is a coin toss no processor can guess.  Atoms are compared as integers, v ↦ v ^ (v>>63 & 2⁶³−1) of
the bits of a double, whose order is that of the doubles and whose comparison is a third of the wait.

Complexity: O(bm log b) a pair.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit

U = np.uint64
LOW, HIGH = np.int64(-(2**63)), np.int64(2**63 - 1)
"""Keys before and behind every atom."""


@njit(cache=True)
def backup(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: float, laws: Any, out: Any
) -> None:
    """out[i] = Π_Q Σ_k p_k law(r_k + γ θ_{s'_k}) over the outcomes of pair rows[i].

    Parameters
    ----------
    rows
        (n,) pairs, unsigned.
    ptr, prob, next_state, reward
        Outcome lists: (N+1,) unsigned, (K,), (K,) unsigned, (K,); every pair has an outcome.
    laws
        (S, m) atoms, sorted along rows, finite, contiguous.
    out
        (n, m) atoms, contiguous, not `laws`.
    """
    count, m = out.shape
    um, one = U(m), U(1)
    src, dst = laws.reshape(-1), out.reshape(-1)
    widest = np.int64(1)
    for i in range(count):
        widest = max(widest, np.int64(ptr[rows[i] + one] - ptr[rows[i]]))
    size = widest * (m + 2) + 2
    keys, mass = np.empty(2 * size, dtype=np.int64), np.empty(2 * size)  # two boards that take turns
    atoms = keys.view(np.float64)
    start = np.zeros(widest + 1, dtype=np.uint64)  # of the lists on a board; ends are two before the next
    front, back = np.empty(m + 2, dtype=np.int64), np.empty(m + 2, dtype=np.int64)
    slack = 0.5 + m * max(1e-13, 4 * 2.0**-53 * widest * m)
    for i in range(count):
        k0 = U(ptr[rows[i]])
        lists = np.int64(U(ptr[rows[i] + one]) - k0)
        pos = U(0)
        for h in range(lists):
            k = k0 + U(h)
            r, p, row = reward[k], prob[k], U(next_state[k]) * um
            keys[pos] = LOW
            pos += one
            start[h] = pos
            for j in range(m):
                atoms[pos + U(j)] = r + gamma * src[row + U(j)]
            for j in range(m):
                v = keys[pos + U(j)]
                keys[pos + U(j)] = v ^ ((v >> 63) & HIGH)
                mass[pos + U(j)] = p
            pos += um
            keys[pos] = HIGH
            pos += one
        start[lists] = pos + one
        here, there = U(0), U(size)
        from_end = True
        while lists > 2:  # an odd list waits at the end, then at the front: it meets a short one
            pos, h, q = there, 0, 0
            while q < lists:
                alone = lists & 1 and q == (lists - 1 if from_end else 0)
                x = here + start[q]
                keys[pos] = LOW
                pos += one
                start[h] = pos - there
                h += 1
                if alone:
                    n = here + start[q + 1] - U(2) - x
                    for s in range(n):
                        keys[pos + U(s)] = keys[x + U(s)]
                        mass[pos + U(s)] = mass[x + U(s)]
                    pos += n
                    keys[pos] = HIGH
                    pos += one
                    q += 1
                    continue
                y = here + start[q + 1]
                x_end, y_end = y - U(3), here + start[q + 2] - U(3)
                q += 2
                n = x_end - x + y_end - y + U(2)
                half, last = n >> one, n - one
                both, both_end = x + y, x_end + y_end
                for s in range(half):
                    a, b, u, v = keys[x], keys[y], mass[x], mass[y]
                    keys[pos + U(s)] = min(a, b)
                    mass[pos + U(s)] = v if b < a else u
                    y += U(b < a)
                    both += one
                    x = both - y
                    a, b, u, v = keys[x_end], keys[y_end], mass[x_end], mass[y_end]
                    keys[pos + last - U(s)] = max(a, b)
                    mass[pos + last - U(s)] = u if b < a else v
                    x_end -= U(b < a)
                    both_end -= one
                    y_end = both_end - x_end
                if n & one:
                    a, b = keys[x], keys[y]
                    keys[pos + half] = min(a, b)
                    mass[pos + half] = mass[y] if b < a else mass[x]
                pos += n
                keys[pos] = HIGH
                pos += one
            start[h] = pos + one - there
            lists = np.int64(h)
            here, there = there, here
            from_end = not from_end
        to = U(i) * um
        x = here + start[0]
        if lists == 1:
            for j in range(m):
                v = keys[x + U(j)]
                keys[x + U(j)] = v ^ ((v >> 63) & HIGH)
            for j in range(m):
                dst[to + U(j)] = atoms[x + U(j)]
            continue
        # the last two lists: an atom is written where the next level will be read, and stays if it reaches it
        y = here + start[1]
        x_end, y_end = y - U(3), here + start[2] - U(3)
        n = x_end - x + y_end - y + U(2)
        both, both_end = x + y, x_end + y_end
        below, above = 0.0, np.float64(m)  # m·F behind the front, m·F before the back
        met, left = U(0), um  # levels reached there
        for _ in range(n >> one):
            a, b, u, v = keys[x], keys[y], mass[x], mass[y]
            front[met] = min(a, b)
            below += v if b < a else u
            met = U(np.int64(min(below + slack, m + 0.5)))
            y += U(b < a)
            both += one
            x = both - y
            a, b, u, v = keys[x_end], keys[y_end], mass[x_end], mass[y_end]
            back[left] = max(a, b)
            above -= u if b < a else v
            left = U(np.int64(max(above + slack, 0.0)))
            x_end -= U(b < a)
            both_end -= one
            y_end = both_end - x_end
        if n & one:
            a, b = keys[x], keys[y]
            front[met] = min(a, b)
            below += mass[y] if b < a else mass[x]
            met = U(np.int64(min(below + slack, m + 0.5)))
        for j in range(met, left):  # levels between the two counts, which rounding set apart
            back[U(j) + one] = back[left + one]
        for j in range(m):
            v = front[U(j)] if U(j) < met else back[U(j) + one]
            keys[U(j)] = v ^ ((v >> 63) & HIGH)
        for j in range(m):
            dst[to + U(j)] = atoms[U(j)]


@njit(cache=True)
def projection_error(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: float, laws: Any, own: Any, out: Any
) -> None:
    """out[i] = w₁(own[i], Σ_k p_k law(r_k + γ θ_{s'_k})): how far atoms are from T η.

    Arguments as for `backup`; `own` (n, m) sorted atoms.  Complexity: Shell's sort of the (b+1)m atoms.
    """
    m = laws.shape[1]
    one = U(1)
    widest = np.int64(1)
    for i in range(rows.size):
        widest = max(widest, np.int64(ptr[rows[i] + one] - ptr[rows[i]]))
    x, w = np.empty((widest + 1) * m), np.empty((widest + 1) * m)
    for i in range(rows.size):
        n = 0
        for k in range(ptr[rows[i]], ptr[rows[i] + one]):
            for j in range(m):
                x[n] = reward[U(k)] + gamma * laws[next_state[U(k)], j]
                w[n] = prob[U(k)] / m
                n += 1
        for j in range(m):
            x[n] = own[i, j]
            w[n] = -1.0 / m
            n += 1
        step = 1
        while step < n // 3:
            step = 3 * step + 1
        while step > 0:  # Shell's sort of atoms with their masses
            for t in range(step, n):
                a, u, h = x[t], w[t], t
                while h >= step and x[h - step] > a:
                    x[h] = x[h - step]
                    w[h] = w[h - step]
                    h -= step
                x[h] = a
                w[h] = u
            step //= 3
        gap, total = 0.0, 0.0
        for t in range(n - 1):
            gap += w[t]
            total += abs(gap) * (x[t + 1] - x[t])
        out[i] = total
