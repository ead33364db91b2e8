"""Block solves of discounted models: in-place improvement, then evaluation of the policy found.

States are visited in a given order cut into blocks; values outside the block at hand are constants.
The whole model as one block gives sweeps, banded or Krylov policy iteration; strong components in
reverse topological order give topological solving.

Self-loops are eliminated.  With x = R + γPV for a pair of state s, the pair's own solution given the
other values is V(s) + (x − V(s))·c, c = 1/(1 − γp_ss): one number a pair, no copy of the model.

One in-place sweep of a policy is v ← G v + g with an operator G = (I − U)⁻¹L; its change is the residual
preconditioned by the triangle already visited.  BiCGSTAB runs on I − G at one sweep a product.  Where
the policy's matrix is a narrow band, elimination without pivoting solves it: I − γP is an M-matrix.

States whose pair cannot change yet are left out of an improvement (`action_elimination`): there the last
sweep of the policy tells the residual.  Rows of a policy are copied where it changed.

Stopping.  After an improvement sweep with largest change d the residual of V is at most γd, so a block
ends at d ≤ goal·max(1, ‖V‖), or at d ≤ noise·(‖V‖ + max|R|), what rounding alone moves,
or when 100 sweeps in a row make no progress within 10⁴ times that.
Nothing here is certified; a NaN ends a block at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit
from ._row import row
from .action_elimination import DOWN, TINY

WORTH = 1000
"""States of a block from which what did not change is left out."""
SLOT, RAGGED, SPARE = 5, 8, 1.05
"""Rows of a policy are filled up to one length if that takes `SPARE` times its entries at most, so that none
moves when another changes; or, since the processor predicts it, if no row of the model has more than `SLOT`
entries and one in `RAGGED` has another length than the one before."""
ROUGH, CLOSE, FEW = 0.25, 0.015, 4
"""Share of the last improvement's largest change to which a policy is evaluated: the first, from a start
that is near already, while more than one state in `FEW` changes its pair, for such a policy does not last."""
TRIED, PATIENT = 5, 30.0
"""Sweeps of a policy that show how many it takes, and how many more are made rather than BiCGSTAB."""


@njit(cache=True)
def self_loop_scales(data: Any, indices: Any, indptr: Any, gamma: Any, state_ptr: Any) -> Any:
    """(N,) factors 1/(1 − γp_ss)."""
    one = np.uint64(1)
    c = np.empty(indptr.size - 1)
    k, j = np.uint64(0), np.uint64(0)
    for s in range(state_ptr.size - 1):
        t = np.uint32(s)
        end = state_ptr[s + 1]
        while k < end:
            stop = indptr[k + one]
            p = 0.0
            while j < stop:
                if indices[j] == t:
                    p += data[j]
                j += one
            c[k] = 1.0 / (1.0 - gamma * p)
            k += one
    return c


@njit(cache=True)
def improve(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, scale: Any,
    order: Any, first: Any, last: Any, back: Any, track: Any, limit: Any, now: Any, V: Any, arg: Any,
    lead: Any,
) -> Any:  # fmt: skip
    """In-place improvement of those of order[first:last], backwards if `back`, with lead[s] ≤ limit.

    `arg` (S,) holds the pairs chosen; a state keeps its pair unless another is better.  If `track`, lead
    (S,) float32 becomes the drift up to which it keeps it, `now` being that so far: see
    `action_elimination`.  It is negative where the row of the pair is not stored, see `extract`.

    Returns
    -------
    (least change, largest change, largest sign-less value in V, pairs changed); NaN changes stay NaN.
    """
    one = np.uint64(1)
    low, high, norm, moved, check = 0.0, 0.0, 0.0, 0, 0.0
    for i in range(first, last):
        s = np.uint64(order[last - 1 - (i - first)] if back else order[i])
        was = lead[s]
        if was > limit:
            continue
        best, top, second, old, own = -np.inf, -np.inf, -np.inf, -np.inf, -np.inf
        k, end = state_ptr[s], state_ptr[s + one]
        kept, pick = arg[s], k
        j = indptr[k]
        v = V[s]
        while k < end:  # one select on d > best: two become a branch, which cannot be guessed
            stop = indptr[k + one]
            q = R[k] + gamma * row(data, indices, V, j, stop)
            j = stop
            less = q if q < top else top
            second = less if less > second else second
            top = q if q > top else top
            d = (q - v) * scale[k]
            pick = k if d > best else pick
            best = d if d > best else best
            old = d if k == kept else old
            own = q if k == kept else own
            k += one
        new = best > old
        if new:
            arg[s] = pick
            own = v + best / scale[pick]
            moved += 1
        if track:
            ahead = (now + (own - second)) * DOWN
            ahead = ahead if ahead > TINY else TINY
            lead[s] = ahead if was > 0.0 and not new else -ahead
        v += best
        V[s] = v
        check += 0.0 * best
        low, high = min(low, best), max(high, best)
        norm = max(norm, abs(v))
    return low + check, high + check, norm, moved


@njit(cache=True)
def extract(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, scale: Any, order: Any, first: Any,
    last: Any, place: Any, V: Any, arg: Any, lead: Any, fresh: Any, slot: Any, pdata: Any, pidx: Any,
    pptr: Any, prew: Any,
) -> Any:  # fmt: skip
    """Rows of the policy `arg` on a block: v(i) = prew(i) + Σ pdata·v(pidx), no diagonal.

    Rows are filled up with zeros to `slot` entries.  Unless `fresh`, rows with lead[s] > 0 that stay in
    their place are there already and not part of the result, and a shorter row is filled up to the
    length of the last one, so that others can stay.  On return all leads are positive.

    Returns
    -------
    (half-band below, half-band above, longest row, rows of another length than the one before, entries
    filled up, rows copied).
    """
    one = np.uint64(1)
    lo, hi = np.uint64(first), np.uint64(last)
    below: Any = 0
    above: Any = 0
    m, was = np.uint64(0), np.uint64(0)
    longest, length, filled, turns, copied = m, m, m, 0, 0
    for i in range(first, last):
        s = np.uint64(order[i])
        until, at_home = m, False
        if not fresh:
            until = pptr[i - first + 1]
            at_home = m == was
            was = until
            if lead[s] > 0.0 and at_home:
                m = until
                continue
        lead[s] = abs(lead[s])
        k = arg[s]
        c, fixed, me, start = scale[k], 0.0, np.uint64(i), m
        j, stop = indptr[k], indptr[k + one]
        while j < stop:
            t = indices[j]
            at = np.uint64(place[t])
            p = data[j]
            if at >= lo and at < hi:
                if at != me and p != 0.0:
                    pdata[m] = gamma * p * c
                    pidx[m] = at - lo
                    off = np.int64(at) - np.int64(me)
                    below, above = max(below, -off), max(above, off)
                    m += one
            else:
                fixed += p * V[t]
            j += one
        turns += m - start != length
        length = m - start
        longest = max(longest, length)
        while m < start + slot or (at_home and m < until):
            pdata[m] = 0.0
            pidx[m] = me - lo
            m += one
        filled += m - start - length
        copied += 1
        prew[i - first] = (R[k] + gamma * fixed) * c
        pptr[i - first + 1] = m
    return below, above, longest, turns, filled, copied


@njit(cache=True)
def policy_sweep(pdata: Any, pidx: Any, pptr: Any, prew: Any, n: Any, back: Any, v: Any) -> Any:
    """One in-place sweep v(i) ← prew(i) + Σ pdata·v(pidx) over n states; its largest change."""
    one, two = np.uint64(1), np.uint64(2)
    worst, check = 0.0, 0.0
    for q in range(n):
        i = np.uint64(n - 1 - q if back else q)
        j, stop = pptr[i], pptr[i + one]
        a, b = prew[i], 0.0
        while j + one < stop:
            a += pdata[j] * v[pidx[j]]
            b += pdata[j + one] * v[pidx[j + one]]
            j += two
        if j < stop:
            a += pdata[j] * v[pidx[j]]
        d = a + b - v[i]
        v[i] = a + b
        check += 0.0 * d
        worst = max(worst, abs(d))
    return worst + check


@njit(cache=True)
def apply_sweep(pdata: Any, pidx: Any, pptr: Any, n: Any, hat: Any, z: Any, w: Any) -> Any:
    """w = Gz for the forward sweep operator G; on entry w = z.

    Returns the inner products of y = (I − G)z with `hat`, itself and z: in this loop they cost nothing.
    """
    one, two = np.uint64(1), np.uint64(2)
    j = np.uint64(0)
    hy, yy, zy = 0.0, 0.0, 0.0
    for i in range(n):
        stop = pptr[i + 1]
        a, b = 0.0, 0.0
        while j + one < stop:
            a += pdata[j] * w[pidx[j]]
            b += pdata[j + one] * w[pidx[j + one]]
            j += two
        if j < stop:
            a += pdata[j] * w[pidx[j]]
            j += one
        w[i] = a + b
        y = z[i] - (a + b)
        hy += hat[i] * y
        yy += y * y
        zy += z[i] * y
    return hy, yy, zy


@njit(cache=True)
def residual_of(hat: Any, r: Any, n: Any) -> Any:
    """(Σ hat·r, max |r|), in four lanes: one would wait for every addition."""
    m = n - n % 4
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    e, f, g, h = 0.0, 0.0, 0.0, 0.0
    for i in range(0, m, 4):
        a += hat[i] * r[i]
        b += hat[i + 1] * r[i + 1]
        c += hat[i + 2] * r[i + 2]
        d += hat[i + 3] * r[i + 3]
        e, f = max(e, abs(r[i])), max(f, abs(r[i + 1]))
        g, h = max(g, abs(r[i + 2])), max(h, abs(r[i + 3]))
    for i in range(m, n):
        a += hat[i] * r[i]
        e = max(e, abs(r[i]))
    return (a + b) + (c + d), max(max(e, f), max(g, h))


@njit(cache=True)
def krylov(
    pdata: Any,
    pidx: Any,
    pptr: Any,
    prew: Any,
    n: Any,
    v: Any,
    goal: Any,
    limit: Any,
    forward: Any,
    work: Any,
) -> Any:
    """v ← the policy's values, to a last change ≤ goal: by sweeps where few do, else by BiCGSTAB.

    BiCGSTAB solves (I − G)e = sweep(v) − v for the error e of v until its largest residual is ≤ goal, in
    `limit` products at most; one sweep ends it.  With y = (I − G)z a product leaves Gz, so y is z minus that
    wherever it is used.

    Returns
    -------
    (sweeps and products, largest change of the last sweep); v may be useless after a breakdown: check it.
    """
    done, left, first, rest = 0, TRIED, 0.0, np.inf
    while left > 0 and rest > goal:
        rest = policy_sweep(pdata, pidx, pptr, prew, n, forward, v)
        done += 1
        left -= 1
        if done == 1:
            first = rest
        if done == TRIED and 0.0 < rest < first:
            more = np.log(goal / rest) / np.log(rest / first) * (TRIED - 1)
            left = int(more) + 2 if more < PATIENT else 0
    if not rest > goal:
        return done, rest
    r, hat, p, gp, gr = work[0], work[1], work[2], work[3], work[4]
    for i in range(n):
        gp[i] = v[i]
    policy_sweep(pdata, pidx, pptr, prew, n, forward, gp)
    for i in range(n):
        x = gp[i] - v[i]
        r[i], hat[i], p[i], gp[i] = x, x, x, x
    rho, size = residual_of(hat, r, n)
    limit += done
    restarts = 0
    done += 2  # with the last sweep
    while done <= limit and size > goal and rho != 0.0 and np.isfinite(rho):
        down, _, _ = apply_sweep(pdata, pidx, pptr, n, hat, p, gp)
        if down == 0.0 or not np.isfinite(down):
            break
        alpha = rho / down
        for i in range(n):
            x = r[i] - alpha * (p[i] - gp[i])
            r[i], gr[i] = x, x
        _, tt, ts = apply_sweep(pdata, pidx, pptr, n, hat, r, gr)
        done += 2
        omega = ts / tt if tt > 0.0 else 0.0
        for i in range(n):
            v[i] += alpha * p[i] + omega * r[i]
            r[i] -= omega * (r[i] - gr[i])
        new, size = residual_of(hat, r, n)
        if omega == 0.0:
            break
        if abs(new) < 1e-14 * abs(rho) and restarts < 20 and size > goal:
            restarts += 1
            for i in range(n):
                x = r[i]
                hat[i], p[i], gp[i] = x, x, x
            rho, _ = residual_of(hat, r, n)
            continue
        beta = new / rho * alpha / omega
        rho = new
        for i in range(n):
            x = r[i] + beta * (p[i] - omega * (p[i] - gp[i]))
            p[i], gp[i] = x, x
    return done, policy_sweep(pdata, pidx, pptr, prew, n, forward, v)


@njit(cache=True)
def tridiagonal(pdata: Any, pidx: Any, pptr: Any, prew: Any, n: Any, up: Any, v: Any) -> Any:
    """v ← solution of v = prew + Pv where rows reach one state up or down; `up` (n,) is scratch."""
    one = np.uint64(1)
    j = np.uint64(0)
    before, x = 0.0, 0.0
    for i in range(n):
        low, high = 0.0, 0.0
        me, stop = np.uint64(i), pptr[i + 1]
        while j < stop:
            low += pdata[j] if pidx[j] < me else 0.0
            high += pdata[j] if pidx[j] > me else 0.0
            j += one
        pivot = 1.0 / (1.0 - low * before)
        x = (prew[i] + low * x) * pivot
        before = high * pivot
        v[i], up[i] = x, before
    for q in range(1, n):
        i = n - 1 - q
        x = v[i] + up[i] * x
        v[i] = x


@njit(cache=True)
def banded(
    pdata: Any, pidx: Any, pptr: Any, prew: Any, n: Any, below: Any, above: Any, band: Any, v: Any
) -> Any:
    """v ← solution of v = prew + Pv for a band matrix, by elimination without pivoting.

    `band` is scratch of n·(below + above + 1) numbers.
    """
    if below <= 1 and above <= 1:
        tridiagonal(pdata, pidx, pptr, prew, n, band, v)
        return
    one, w = np.uint64(1), below + above + 1
    for i in range(n):
        row = i * w + below
        for d in range(-below, above + 1):
            band[row + d] = 0.0
        band[row] = 1.0
        j = pptr[i]
        while j < pptr[i + 1]:
            band[row + np.int64(pidx[j]) - i] -= pdata[j]
            j += one
        v[i] = prew[i]
    for i in range(n):
        row = i * w + below
        pivot = band[row]
        for r in range(i + 1, min(n, i + below + 1)):
            at = r * w + below - r
            f = band[at + i]
            if f != 0.0:
                f /= pivot
                for c in range(i + 1, min(n, i + above + 1)):
                    band[at + c] -= f * band[row + c - i]
                v[r] -= f * v[i]
    for q in range(n):
        i = n - 1 - q
        row = i * w + below - i
        x = v[i]
        for c in range(i + 1, min(n, i + above + 1)):
            x -= band[row + c] * v[c]
        v[i] = x / band[row + i]


@njit(cache=True)
def solve_blocks(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: Any, state_ptr: Any, scale: Any, order: Any,
    block_ptr: Any, V: Any, arg: Any, goal: Any, noise: Any, rmax: Any, max_iter: Any, turn: Any,
    rough: Any, changes: Any, work: Any, width: Any,
) -> Any:  # fmt: skip
    """Solve the blocks in turn, in place.

    Parameters
    ----------
    scale
        (N,) from `self_loop_scales`.
    order, block_ptr
        (S,) uint32 states; block b is order[block_ptr[b]:block_ptr[b+1]].
    V, arg
        (S,) start values and (S,) uint64 start pairs; both end as the result.
    goal, noise, rmax
        See the module.
    max_iter
        Improvement sweeps allowed a block.
    turn
        True alternates the direction of improvement sweeps.
    rough
        `ROUGH` if V is a start that is near, `CLOSE` if it may be far off.
    changes
        (m,) output: largest change of each of the first m improvement sweeps of blocks of two or more.
    work
        (5, n) scratch of `krylov` for blocks of up to n states; None if policies are evaluated by sweeps.
    width
        Widest half-band of a policy solved by elimination; None if none is.  What is None is not compiled.

    Returns
    -------
    (how, improvement sweeps, evaluation sweeps, eliminations, rows of policies copied): how is 1 at the
    goal, 2 at rounding level, 0 at the limit, 3 for NaN; the worst over the blocks (3, 0, 2, 1).
    """
    one = np.uint64(1)
    S = V.size
    largest: Any = 1
    room: Any = 0
    all_rows: Any = 0
    wide, slots = np.uint64(0), np.uint64(0)
    place = np.empty(S, np.uint32)
    for b in range(block_ptr.size - 1):
        first, last = block_ptr[b], block_ptr[b + 1]
        largest = max(largest, last - first)
        total: Any = 0
        for i in range(first, last):
            s = np.uint64(order[i])
            place[s] = i
            longest = np.uint64(0)
            for k in range(state_ptr[s], state_ptr[s + one]):
                longest = max(longest, indptr[k + 1] - indptr[k])
            total += np.int64(longest)
            wide = max(wide, longest)
        all_rows += total
        if last - first > 1:
            room = max(room, total)
    multi = largest if largest > 1 else 0
    if wide <= SLOT or np.int64(wide) * S <= SPARE * all_rows:
        slots = wide  # whatever rows come later, they fit
        room = max(room, np.int64(wide) * multi)
    pdata, pidx = np.empty(room), np.empty(room, np.uint32)
    pptr, prew = np.empty(multi + 1, np.uint64), np.empty(multi)
    pptr[0] = 0
    v, before = np.empty(multi), np.empty(multi)
    band = np.empty(1)
    lead = np.full(S, -1.0, np.float32)
    forward = turn != turn  # False, but no literal: callees compile once
    how, steps, swept, direct, rows, seen = 1, 0, 0, 0, 0, 0
    norm = 0.0
    for b in range(block_ptr.size - 1):
        first, last = block_ptr[b], block_ptr[b + 1]
        n = last - first
        if n == 1:
            s = np.uint64(order[first])
            best = -np.inf
            x = V[s]
            for k in range(state_ptr[s], state_ptr[s + one]):
                a = 0.0
                for j in range(indptr[k], indptr[k + 1]):
                    a += data[j] * V[indices[j]]
                d = (R[k] + gamma * a - x) * scale[k]
                if d > best:
                    best = d
                    arg[s] = k
            V[s] = x + best
            norm = max(norm, abs(x + best))
            continue
        state, n_block = 0, 0
        stale, record = 0, np.inf
        flips = forward
        now, rest, slot = 0.0, 0.0, slots
        below: Any = 0
        above: Any = 0
        while n_block < max_iter:
            ready, limit, track = n, now, n >= WORTH
            if width is None:  # noqa: SIM102 (after elimination, a full sweep takes rounding out)
                if track:
                    ready = 0
                    for i in range(first, last):
                        ready += not lead[order[i]] > now
            if 2 * ready > n:
                now, limit, rest = 0.0, np.inf, 0.0
            low, high, top, moved = improve(
                data, indices, indptr, R, gamma, state_ptr, scale, order, first, last, flips, track, limit,
                now, V, arg, lead,
            )  # fmt: skip
            worst = max(rest, -low, high) + 0.0 * (low + high)
            now += gamma * (high - low)
            flips = turn and not flips
            n_block += 1
            norm = max(norm, top)
            if seen < changes.size:
                changes[seen] = worst
                seen += 1
            if not np.isfinite(worst):
                state = 3
                break
            if worst <= goal * max(1.0, norm):
                state = 1
                break
            if worst <= noise * (norm + rmax):
                state = 2
                break
            if worst < 0.5 * record:
                record, stale = worst, 0
            else:
                stale += 1
            if stale > 100 and record <= 1e4 * noise * (norm + rmax):
                state = 2
                break
            fresh = n_block == 1 or not track
            if width is not None:
                fresh = fresh or max(below, above) > width  # all rows show a narrower policy
            while True:
                down, up, most, turns, filled, copied = extract(
                    data, indices, indptr, R, gamma, scale, order, first, last, place, V, arg, lead, fresh,
                    slot, pdata, pidx, pptr, prew,
                )  # fmt: skip
                rows += copied
                even = slots > 0 and np.int64(most) * n <= SPARE * np.int64(pptr[n] - filled)
                right = most if even or (wide <= SLOT and RAGGED * turns > n) else np.uint64(0)
                if n_block > 1 or slot == right:
                    break
                slot = right
            below, above = (down, up) if fresh else (max(below, down), max(above, up))
            top = 0.0
            for i in range(n):
                x = V[order[first + i]]
                v[i] = x
                before[i] = x
            floor = 0.3 * max(goal * max(1.0, norm), noise * (norm + rmax))
            plain = stale > 40
            if work is None:
                plain = True
            elif not plain:
                narrow = False
                if width is not None:
                    narrow = below <= width and above <= width
                    if narrow:
                        if band.size < n * (below + above + 1):
                            band = np.empty(n * (below + above + 1))
                        banded(pdata, pidx, pptr, prew, n, below, above, band, v)
                        direct += 1
                        rest = policy_sweep(pdata, pidx, pptr, prew, n, forward, v)
                        swept += 1
                if not narrow:
                    share = rough if FEW * moved > n else CLOSE if moved > 0 else 0.0
                    aim = max(floor, share * worst)
                    done, rest = krylov(pdata, pidx, pptr, prew, n, v, aim, 400, forward, work)
                    swept += done
                if not rest <= 0.9 * worst:
                    for i in range(n):
                        v[i] = before[i]
                    plain = True
            if plain:
                aim = max(floor, 0.1 * worst if moved > 0 else 0.01 * worst)
                for m in range(6 if moved > 0 else 50):
                    rest = policy_sweep(pdata, pidx, pptr, prew, n, turn and m % 2 == 0, v)
                    swept += 1
                    if not rest > aim:
                        break
            low, high = (np.inf, -np.inf) if n == S else (0.0, 0.0)
            for i in range(n):
                s = np.uint64(order[first + i])
                d = v[i] - V[s]
                low = d if d < low else low
                high = d if d > high else high
                V[s] = v[i]
            now += gamma * (high - low)
        steps += n_block
        if state == 3 or how == 3:
            how = 3
        elif state == 0 or how == 0:
            how = 0
        else:
            how = max(how, state)
    return how, steps, swept, direct, rows
