"""Categorical laws: masses on a fixed grid, and the projected Bellman backup Π_C T on them.

Definitions.  A law is a row of m masses on z_0 < … < z_{m−1}; outcome k of a pair moves atom j to
y = r_k + γ z_j.  Π_C clips y to [z_0, z_{m−1}] and splits its mass linearly between the grid points on
either side, so on a uniform grid of spacing Δ the cell of atom j is ⌊o_k + γj⌋, o_k = (r_k + γ z_0 − z_0)/Δ.
Because 0 ≤ γ ≤ 1, ⌊o_k + γj⌋ − j is a falling staircase with (1−γ)m steps: on each step source and target
are contiguous and the weights fall linearly, which is what `backup_uniform` works through, `LANES` atoms
at a time.  Outcomes of equal reward that stand next to each other are mixed before they are moved.

Rounding.  A position is within 8u(|o_k| + m) cells of the exact one and a mass within (q+8)u of itself,
q the number of atoms added into it; masses stay ≥ 0.

Clipped mass is that of atoms more than `EDGE` cells outside; it is moved to the end of the grid like
any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from ._jit import njit
from ._touch import touch

U = np.uint64
LANES = 8
"""Atoms moved at once."""
AHEAD = 2
"""Pairs between asking for a law's cache lines and using them."""
STEEP = 0.3
"""1 − γ beyond which atoms are moved one by one."""
EDGE = 1e-9
"""Cells outside the grid that rounding may account for."""
TIE = 1e-12
"""Means within TIE·(1 + |max|) of the largest are tied."""


# ---- vector instructions -------------------------------------------------------------------
# Numba vectorises long loops only; the steps of the staircase are short.
def _move(src: Any, x: Any, out: Any, y: Any, p: Any, f: Any, fall: Any) -> None:
    """out[y+i] += p(src[x+i]·(1−f_i) + src[x+i−1]·(f_i+fall)), f_i = f − i·fall, 0 ≤ i < LANES."""
    for i in range(LANES):
        g = f - i * fall
        out[y + U(i)] += p * (src[x + U(i)] * (1.0 - g) + src[x + U(i) - U(1)] * (g + fall))


def _end(src: Any, x: Any, out: Any, y: Any, p: Any, f: Any, fall: Any, n: Any) -> None:
    """The last n < LANES atoms of a step and the upper part of the one before, as `_move`."""
    for i in range(n + 1):
        g = f - i * fall
        here = src[x + U(i)] * (1.0 - g) if i < n else 0.0
        out[y + U(i)] += p * (here + src[x + U(i) - U(1)] * (g + fall))


if not config.DISABLE_JIT:
    _DOUBLE, _I32, _I64 = ir.DoubleType(), ir.IntType(32), ir.IntType(64)
    _VEC, _LANE = ir.VectorType(_DOUBLE, LANES), ir.VectorType(_I64, LANES)
    _MASK = ir.VectorType(ir.IntType(1), LANES)

    def _splat(builder: Any, scalar: Any) -> Any:
        blank = ir.Constant(_VEC, ir.Undefined)
        first = builder.insert_element(blank, scalar, ir.Constant(_I32, 0))
        return builder.shuffle_vector(first, blank, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))

    @intrinsic
    def _move(typingctx: Any, src: Any, x: Any, out: Any, y: Any, p: Any, f: Any, fall: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            a = make_array(signature.args[0])(context, builder, args[0]).data
            b = make_array(signature.args[2])(context, builder, args[2]).data

            def at(base: Any, index: Any) -> Any:
                return builder.bitcast(builder.gep(base, [index]), _VEC.as_pointer())

            here = builder.load(at(a, args[1]), align=8)
            before = builder.load(at(a, builder.sub(args[1], ir.Constant(_I64, 1))), align=8)
            target = at(b, args[3])
            old = builder.load(target, align=8)
            fall = _splat(builder, args[6])
            ramp = ir.Constant(_VEC, [float(i) for i in range(LANES)])
            f = builder.fsub(_splat(builder, args[5]), builder.fmul(ramp, fall))
            low = builder.fmul(here, builder.fsub(ir.Constant(_VEC, [1.0] * LANES), f))
            high = builder.fmul(before, builder.fadd(f, fall))
            moved = builder.fmul(_splat(builder, args[4]), builder.fadd(low, high))
            builder.store(builder.fadd(old, moved), target, align=8)
            return context.get_dummy_value()

        return types.void(src, x, out, y, p, f, fall), codegen

    @intrinsic
    def _end(typingctx: Any, src: Any, x: Any, out: Any, y: Any, p: Any, f: Any, fall: Any, n: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            a = make_array(signature.args[0])(context, builder, args[0]).data
            b = make_array(signature.args[2])(context, builder, args[2]).data
            where = _VEC.as_pointer()

            def declared(name: str, result: Any, arguments: list[Any]) -> Any:
                known = builder.module.globals.get(name)
                return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)

            load = declared("llvm.masked.load.v8f64.p0", _VEC, [where, _I32, _MASK, _VEC])
            store = declared("llvm.masked.store.v8f64.p0", ir.VoidType(), [_VEC, where, _I32, _MASK])
            eight, none = ir.Constant(_I32, 8), ir.Constant(_VEC, [0.0] * LANES)

            def at(base: Any, index: Any) -> Any:
                return builder.bitcast(builder.gep(base, [index]), where)

            blank = ir.Constant(_LANE, ir.Undefined)
            count = builder.insert_element(blank, args[7], ir.Constant(_I32, 0))
            count = builder.shuffle_vector(count, blank, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))
            lane = ir.Constant(_LANE, list(range(LANES)))
            inside = builder.icmp_signed("<", lane, count)
            with_last = builder.icmp_signed("<=", lane, count)
            here = builder.call(load, [at(a, args[1]), eight, inside, none])
            back = builder.sub(args[1], ir.Constant(_I64, 1))
            before = builder.call(load, [at(a, back), eight, with_last, none])
            target = at(b, args[3])
            old = builder.call(load, [target, eight, with_last, none])
            fall = _splat(builder, args[6])
            ramp = ir.Constant(_VEC, [float(i) for i in range(LANES)])
            f = builder.fsub(_splat(builder, args[5]), builder.fmul(ramp, fall))
            low = builder.fmul(here, builder.fsub(ir.Constant(_VEC, [1.0] * LANES), f))
            high = builder.fmul(before, builder.fadd(f, fall))
            moved = builder.fmul(_splat(builder, args[4]), builder.fadd(low, high))
            builder.call(store, [builder.fadd(old, moved), target, eight, with_last])
            return context.get_dummy_value()

        return types.void(src, x, out, y, p, f, fall, n), codegen


# ---- backups -------------------------------------------------------------------------------
@njit(cache=True)
def backup_uniform(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: float, lo: float, step: float,
    laws: Any, out: Any, clipped: Any,
) -> None:  # fmt: skip
    """out[i] = Π_C Σ_k p_k law(r_k + γ Z_{s'_k}) over the outcomes of pair rows[i], on a uniform grid.

    Parameters
    ----------
    rows
        (n,) pairs, unsigned.
    ptr, prob, next_state, reward
        Outcome lists: (N+1,) unsigned, (K,), (K,) unsigned, (K,).
    lo, step
        The grid z_j = lo + j·step, 0 ≤ j < m, m ≥ 2.
    laws
        (S, m) masses, contiguous.
    out, clipped
        (n, m) masses, contiguous, not `laws`; (n,) mass that lay outside the grid.
    """
    count, m = out.shape
    um, one = U(m), U(1)
    src, dst = laws.reshape(-1), out.reshape(-1)
    top = m - 1.0
    fall = 1.0 - gamma
    per = 1.0 / fall if fall > 0.0 else 0.0
    inverse = 1.0 / gamma if gamma > 0.0 else 0.0
    guard = 4e-16 * m
    for i in range(count):
        to = U(i) * um
        for j in range(m):
            dst[to + U(j)] = 0.0
        lost = 0.0
        follow = rows[min(i + AHEAD, count - 1)]
        soon, last_soon = ptr[follow], ptr[follow + one]
        for k in range(ptr[rows[i]], ptr[rows[i] + one]):
            p, row = prob[U(k)], U(next_state[U(k)]) * um
            if soon < last_soon:  # the laws of a later pair will have come by the time it needs them
                line = U(next_state[U(soon)]) * um
                for j in range(0, m, 8):
                    touch(src, line + U(j))
                soon += one
            # atoms first ≤ j < last stay inside
            o = (reward[U(k)] + gamma * lo - lo) / step
            first, last = 0, m
            if gamma > 0.0:
                if o < 0.0:
                    first = int(min(np.ceil(-o * inverse), float(m)))
                last = max(first, int(min(np.floor((top - o) * inverse) + 1.0, float(m))))
            elif o < 0.0:
                first = m
            elif o > top:
                last = 0
            if first > 0:
                a = 0.0
                for j in range(first):
                    a += src[row + U(j)]
                a *= p
                dst[to] += a
                lost += a
                if o + gamma * (first - 1) > -EDGE:
                    lost -= p * src[row + U(first - 1)]
            if last < m:
                a = 0.0
                for j in range(last, m):
                    a += src[row + U(j)]
                a *= p
                dst[to + um - one] += a
                lost += a
                if o + gamma * last < top + EDGE:
                    lost -= p * src[row + U(last)]
            if fall > STEEP and first < last:  # steps of few atoms: one by one, two cells in registers
                c = max(min(int(np.floor(o + gamma * first)), m - 2), 0)
                near, far = 0.0, 0.0
                for j in range(first, last):
                    g = o + gamma * j - c
                    if g >= 1.0 and c < m - 2:
                        dst[to + U(c)] += near
                        near, far = far, 0.0
                        c += 1
                        g -= 1.0
                    a = p * src[row + U(j)]
                    b = a * min(max(g, 0.0), 1.0)
                    near += a - b
                    far += b
                dst[to + U(c)] += near
                dst[to + U(c) + one] += far
                continue
            j = first
            d = int(np.floor(o - fall * j)) if j < last else 0
            while j < last:  # one step of the staircase: cells are j + d
                d = max(min(d, m - 2 - j), -j)
                f = o - d
                stop = last
                if f < fall * last:
                    stop = max(min(last, int((f - guard) * per) + 1), j + 1)
                f -= fall * j
                x, y, n = row + U(j), to + U(j + d), stop - j
                g = min(max(f, 0.0), 1.0)
                a = p * src[x]
                dst[y] += a * (1.0 - g)
                if n == 1:
                    dst[y + one] += a * g
                else:
                    n -= 1
                    x += one
                    y += one
                    f -= fall
                    while n >= LANES:
                        _move(src, x, dst, y, p, f, fall)
                        x += U(LANES)
                        y += U(LANES)
                        f -= LANES * fall
                        n -= LANES
                    _end(src, x, dst, y, p, f, fall, n)
                j = stop
                d -= 1
        clipped[i] = lost


@njit(cache=True)
def backup_grid(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: float, grid: Any,
    laws: Any, out: Any, clipped: Any,
) -> None:  # fmt: skip
    """`backup_uniform` on any strictly increasing grid (m,), m ≥ 2: one walk along the cells an outcome."""
    count, m = out.shape
    um, one = U(m), U(1)
    src, dst = laws.reshape(-1), out.reshape(-1)
    low, high = grid[0], grid[m - 1]
    for i in range(count):
        to = U(i) * um
        for j in range(m):
            dst[to + U(j)] = 0.0
        lost = 0.0
        for k in range(ptr[rows[i]], ptr[rows[i] + one]):
            p, row, r = prob[U(k)], U(next_state[U(k)]) * um, reward[U(k)]
            c = U(0)
            left, right = grid[U(0)], grid[U(1)]
            near, far = 0.0, 0.0
            for j in range(m):
                y = r + gamma * grid[U(j)]
                a = p * src[row + U(j)]
                if y < low - EDGE * (grid[U(1)] - low) or y > high + EDGE * (high - grid[um - U(2)]):
                    lost += a
                while y >= right and c < um - U(2):
                    dst[to + c] += near
                    near, far = far, 0.0
                    c += one
                    left, right = right, grid[c + one]
                b = a * min(max((y - left) / (right - left), 0.0), 1.0)
                near += a - b
                far += b
            dst[to + c] += near
            dst[to + c + one] += far
        clipped[i] = lost


@njit(cache=True)
def mix(rows: Any, ptr: Any, prob: Any, next_state: Any, laws: Any, out: Any) -> None:
    """out[i] = Σ_k p_k laws[s'_k] over the outcomes of pair rows[i]; arguments as for `backup_uniform`."""
    count, m = out.shape
    um, one = U(m), U(1)
    src, dst = laws.reshape(-1), out.reshape(-1)
    for i in range(count):
        to = U(i) * um
        for j in range(m):
            dst[to + U(j)] = 0.0
        follow = rows[min(i + AHEAD, count - 1)]
        soon, last_soon = ptr[follow], ptr[follow + one]
        for k in range(ptr[rows[i]], ptr[rows[i] + one]):
            p, row = prob[U(k)], U(next_state[U(k)]) * um
            if soon < last_soon:  # the laws of a later pair will have come by the time it needs them
                line = U(next_state[U(soon)]) * um
                for j in range(0, m, 8):
                    touch(src, line + U(j))
                soon += one
            for j in range(m):
                dst[to + U(j)] += p * src[row + U(j)]


@njit(cache=True)
def greedy(
    state_ptr: Any,
    ptr: Any,
    prob: Any,
    next_state: Any,
    reward: Any,
    gamma: float,
    means: Any,
    q: Any,
    arg: Any,
) -> None:
    """q = Σ_k p_k (r_k + γ mean_{s'_k}) per pair, into (N,); arg gets the first of a state's best pairs.

    Pairs within `TIE` of the largest are tied.
    """
    one = U(1)
    for s in range(arg.size):
        start, end = U(state_ptr[U(s)]), U(state_ptr[U(s) + one])
        best = -np.inf
        for n in range(start, end):
            a = 0.0
            for k in range(ptr[U(n)], ptr[U(n) + one]):
                a += prob[U(k)] * (reward[U(k)] + gamma * means[U(next_state[U(k)])])
            q[U(n)] = a
            best = max(best, a)
        floor = best - TIE * (1.0 + abs(best))
        first = start
        while first + one < end and not q[first] >= floor:
            first += one
        arg[U(s)] = first


@njit(cache=True)
def distances(a: Any, b: Any, grid: Any, squared: bool, out: Any) -> None:
    """Per row, ∫|F − G| (w₁), or ∫(F − G)² (ℓ₂²) if `squared`, of laws on the same grid."""
    n, m = a.shape
    for i in range(n):
        gap, total = 0.0, 0.0
        for j in range(m - 1):
            gap += a[i, j] - b[i, j]
            total += (gap * gap if squared else abs(gap)) * (grid[j + 1] - grid[j])
        out[i] = total


@njit(cache=True)
def projection_error(
    rows: Any, ptr: Any, prob: Any, next_state: Any, reward: Any, gamma: float, grid: Any, laws: Any,
    variance: Any, overshoot: Any,
) -> None:  # fmt: skip
    """What Π_C does to Σ_k p_k law(y_k), y_k = r_k + γ Z_{s'_k}, per pair rows[i].

    variance (n,) gets E (y − z)(z⁺ − y), the variance of the split between the neighbours z ≤ y ≤ z⁺ of
    atoms inside the grid; overshoot (n,) the mean distance of y to the grid.
    """
    m = grid.size
    for i in range(rows.size):
        total, outside = 0.0, 0.0
        for k in range(ptr[rows[i]], ptr[rows[i] + U(1)]):
            s, c, split, far = next_state[U(k)], 0, 0.0, 0.0
            for j in range(m):
                y = reward[U(k)] + gamma * grid[j]
                while c < m - 2 and y >= grid[c + 1]:
                    c += 1
                split += laws[s, j] * max((y - grid[c]) * (grid[c + 1] - y), 0.0)
                far += laws[s, j] * max(grid[0] - y, y - grid[m - 1], 0.0)
            total += prob[U(k)] * split
            outside += prob[U(k)] * far
        variance[i] = total
        overshoot[i] = outside
