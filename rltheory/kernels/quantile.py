"""Quantile laws: m atoms of mass 1/m, and the projected Bellman backup Π_Q T on them.

Definitions.  A law is a sorted row of m atoms, each of mass 1/m.  Outcome k of a pair moves atom θ to
r_k + γθ with mass p_k/m; Π_Q reads the mixture's lower quantiles at the levels (2i−1)/(2m), i = 1..m:
the first atom whose cumulative mass reaches the level, up to max(1e-13, 4bmu) for rounding, b outcomes.

Method.  The b moved rows are sorted already, so they are merged two by two, then scanned for the levels.
What list comes next is a coin toss no processor can guess, so merges have no branches, and four run at
once: two pairs with the same number of outcomes, each from both ends.  An atom travels as one word: the
bits of its double, turned so that they compare as integers, the lowest replaced by outcome and index.
Where two atoms agree in all that is left of them, the order is looked at again in full precision.

Complexity: O(bm log b) a pair; O((bm)^{3/2}) where most atoms agree that closely without being equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit

U = np.uint64
LOW, HIGH, SIGN = U(0), U(2**64 - 1), U(2**63)
"""Words before and behind every atom; the sign of a double."""


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
    um, one, two = U(m), U(1), U(2)
    src, dst = laws.reshape(-1), out.reshape(-1)
    widest = np.int64(1)
    for i in range(count):
        widest = max(widest, np.int64(ptr[rows[i] + one] - ptr[rows[i]]))
    of_list, of_atom = U(0), U(0)  # bits that tell outcomes and indices apart
    while (one << of_list) < U(widest):
        of_list += one
    while (one << of_atom) < um:
        of_atom += one
    which, tag = (one << of_list) - one, (one << (of_list + of_atom)) - one
    size = U(widest * (m + 2) + 2)
    far = size + size  # the second pair's words lie so much behind the first's
    words = np.empty(np.int64(far + far), dtype=np.uint64)  # a pair has two boards that take turns
    atoms, signed = words.view(np.float64), words.view(np.int64)
    start = np.zeros(widest + 1, dtype=np.uint64)  # of the lists on a board; ends are two before the next
    moved, base = np.empty(2 * widest), np.empty(2 * widest, dtype=np.uint64)
    weight = np.empty(2 * widest, dtype=np.int64)  # m·mass of an atom, in units 2^−point of a level
    point = np.int64(U(62) - of_atom)
    unit = 2.0**point
    half = np.int64((0.5 + m * max(1e-13, 4 * 2.0**-53 * widest * m)) * unit)
    chosen = np.empty(m + 1, dtype=np.uint64)
    values = np.empty(widest * m)
    alone = np.full(widest + 1, -1)  # pair that waits for another one with as many outcomes
    for turn in range(count + widest):
        if turn < count:
            i = turn
            lists = np.int64(U(ptr[rows[i] + one]) - U(ptr[rows[i]]))
            other = alone[lists]
            if other < 0:
                alone[lists] = i
                continue
            alone[lists] = -1
        else:
            lists = np.int64(turn - count + 1)
            i = other = alone[lists]
            if i < 0:
                continue
        for z in range(2):
            k0, pos, g = U(ptr[rows[other if z else i]]), far * U(z), U(widest * z)
            for h in range(lists):
                k = k0 + U(h)
                r, row = reward[k], U(next_state[k]) * um
                moved[g + U(h)], base[g + U(h)] = r, row
                weight[g + U(h)] = np.int64(prob[k] * unit + 0.5)
                words[pos] = LOW
                pos += one
                start[h] = pos - far * U(z)
                for j in range(m):
                    atoms[pos + U(j)] = r + gamma * src[row + U(j)]
                for j in range(m):
                    v = signed[pos + U(j)]
                    words[pos + U(j)] = (U(v) ^ (U(v >> 63) | SIGN)) & ~tag | (U(j) << of_list) | U(h)
                pos += um
                words[pos] = HIGH
                pos += one
            start[lists] = pos - far * U(z) + one
        here, there = U(0), size
        from_end = True
        while lists > 1:  # an odd list waits at the end, then at the front: it meets a short one
            pos, h, q = there, 0, 0
            while q < lists:
                x = here + start[q]
                words[pos] = LOW
                words[pos + far] = LOW
                pos += one
                start[h] = pos - there
                h += 1
                if lists & 1 and q == (lists - 1 if from_end else 0):
                    n = here + start[q + 1] - two - x
                    for s in range(n):
                        words[pos + U(s)] = words[x + U(s)]
                    for s in range(n):
                        words[pos + far + U(s)] = words[x + far + U(s)]
                    q += 1
                else:
                    y, end = here + start[q + 1], here + start[q + 2]
                    n = end - x - U(4)
                    q += 2
                    xx, yy = x + far, y + far
                    x_end, y_end = y - U(3), end - U(3)
                    xx_end, yy_end = x_end + far, y_end + far
                    lo, hi = pos, pos + n - one
                    for _ in range(n >> one):
                        a, b = words[x], words[y]
                        words[lo] = min(a, b)
                        step = U(b < a)
                        y += step
                        x += one - step
                        a, b = words[xx], words[yy]
                        words[lo + far] = min(a, b)
                        step = U(b < a)
                        yy += step
                        xx += one - step
                        a, b = words[x_end], words[y_end]
                        words[hi] = max(a, b)
                        step = U(b < a)
                        x_end -= step
                        y_end -= one - step
                        a, b = words[xx_end], words[yy_end]
                        words[hi + far] = max(a, b)
                        step = U(b < a)
                        xx_end -= step
                        yy_end -= one - step
                        lo += one
                        hi -= one
                    if n & one:
                        words[lo] = min(words[x], words[y])
                        words[lo + far] = min(words[xx], words[yy])
                pos += n
                words[pos] = HIGH
                words[pos + far] = HIGH
                pos += one
            start[h] = pos + one - there
            lists = np.int64(h)
            here, there = there, here
            from_end = not from_end
        n = np.int64(start[1] - start[0] - two)
        for z in range(2):
            x, g, to = here + start[0] + far * U(z), U(widest * z), U(other if z else i) * um
            close = False
            for s in range(1, n):
                close |= (words[x + U(s)] ^ words[x + U(s) - one]) <= tag
            if close:
                ordered = True
                for s in range(n):
                    c = words[x + U(s)] & tag
                    h = g + (c & which)
                    values[s] = moved[h] + gamma * src[base[h] + (c >> of_list)]
                    ordered &= s == 0 or values[s - 1] <= values[s]
                if not ordered:
                    shell_sort(values, words[x : x + U(n)], n)
            below, met, c = half, U(0), LOW
            # an atom is written where the next level will be read, and stays if it reaches it
            for s in range(n):
                c = words[x + U(s)]
                chosen[met] = c
                below += weight[g + (c & which)]
                met = min(U(below >> point), um)
            for j in range(met, um):  # levels that rounding left open
                chosen[j] = c
            for j in range(m):
                c = chosen[j] & tag
                h = g + (c & which)
                dst[to + U(j)] = moved[h] + gamma * src[base[h] + (c >> of_list)]


@njit(cache=True)
def shell_sort(x: Any, w: Any, n: Any) -> None:
    """Sort x[:n] in place by Shell's method, w[:n] along with it."""
    step = 1
    while step < n // 3:
        step = 3 * step + 1
    while step > 0:
        for t in range(step, n):
            a, u, h = x[t], w[t], t
            while h >= step and x[h - step] > a:
                x[h] = x[h - step]
                w[h] = w[h - step]
                h -= step
            x[h] = a
            w[h] = u
        step //= 3


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
        shell_sort(x, w, n)
        gap, total = 0.0, 0.0
        for t in range(n - 1):
            gap += w[t]
            total += abs(gap) * (x[t + 1] - x[t])
        out[i] = total
