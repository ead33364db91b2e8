"""Counter-based draws on a card; twin of `rltheory.kernels.normals`.

A draw is a function of (key, path, index), so threads need no state and the numbers are those of the CPU:
the words bit for bit, what is made of them to rounding.  One thread a draw; one a path where the law of a
step depends on where the path is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda

from .. import normals as twin
from ._device import THREADS, blocks_for, deliver
from ._loops import place

CENTRE, UNIT, TAIL = twin.CENTRE, twin.UNIT, twin.TAIL
ZERO, ONE, LOW, HALF, SHIFT, LAYER = twin.ZERO, twin.ONE, twin.LOW, twin.HALF, twin.SHIFT, twin.LAYER
M0, M1, WEYL0, WEYL1 = twin.M0, twin.M1, twin.WEYL0, twin.WEYL1
GAMMA, POWER, COUNT = twin.GAMMA, twin.POWER, twin.COUNT
TABLES = twin.WIDTH, twin.INSIDE, twin.DENSITY

__all__ = ["gammas", "normals", "square_root", "uniforms"]


def normals(key: Any, first: Any, skip: int, out: Any) -> None:
    """out[p, skip + i] = normal i of path first + p."""
    new, *tables = place(out, *TABLES)
    _normals[blocks_for(new.size), THREADS](key, first, skip, *tables, new)
    deliver(new, out)


def uniforms(key: Any, first: Any, skip: int, out: Any) -> None:
    """out[p, skip + i] = uniform of the word of draw i of path first + p."""
    (new,) = place(out)
    _uniforms[blocks_for(new.size), THREADS](key, first, skip, new)
    deliver(new, out)


def gammas(key: Any, first: Any, shape: float, out: Any) -> None:
    """out[p, i] = Gamma(shape, 1) variable i of path first + p."""
    new, *tables = place(out, *TABLES)
    _gammas[blocks_for(new.size), THREADS](key, first, shape, *tables, new)
    deliver(new, out)


def square_root(key: Any, first: Any, decay: float, scale: float, degrees: float, out: Any) -> None:
    """out[p, i+1] = scale·χ²(degrees + 2N), N Poisson(½·out[p, i]·decay/scale), from out[p, 0]."""
    new, *tables = place(out, *TABLES)
    _square_root[blocks_for(new.shape[0]), THREADS](key, first, decay, scale, degrees, *tables, new)
    deliver(new, out)


# ---- device functions ----------------------------------------------------------------------
@cuda.jit(device=True)
def philox(k0: Any, k1: Any, c0: Any, c1: Any, c2: Any, c3: Any) -> Any:
    """Two 64-bit words of a counter; as on the CPU."""
    for _ in range(10):
        p0 = M0 * c0
        p1 = M1 * c2
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & LOW, (p0 >> HALF) ^ c3 ^ k1, p0 & LOW
        k0 = (k0 + WEYL0) & LOW
        k1 = (k1 + WEYL1) & LOW
    return c0 | (c1 << HALF), c2 | (c3 << HALF)


@cuda.jit(device=True)
def unit(word: Any) -> Any:
    """A uniform in (0, 1)."""
    return (np.float64(np.int64(word >> SHIFT)) + 0.5) * UNIT


@cuda.jit(device=True)
def settle(
    word: Any, k0: Any, k1: Any, c0: Any, c1: Any, i: Any, t: Any, width: Any, inside: Any, density: Any
) -> Any:
    """The normal whose first candidate is in `word`, and the next unused t."""
    while True:
        layer = np.int64(word & LAYER)
        u = np.int64(word >> SHIFT) - CENTRE
        x = (np.float64(u) + 0.5) * width[layer]
        if (u if u >= 0 else -1 - u) < inside[layer]:
            return x, t
        a, b = philox(k0, k1, c0, c1, i, t)
        t += ONE
        if layer == 0:
            while True:
                e = -math.log(unit(a)) / TAIL
                if -2.0 * math.log(unit(b)) > e * e:
                    return (TAIL + e if u >= 0 else -TAIL - e), t
                a, b = philox(k0, k1, c0, c1, i, t)
                t += ONE
        low, high = density[layer], density[layer + 1]
        if low + unit(a) * (high - low) < math.exp(-0.5 * x * x):
            return x, t
        word = b


@cuda.jit(device=True)
def gamma_draw(
    shape: Any, k0: Any, k1: Any, c0: Any, c1: Any, i: Any, width: Any, inside: Any, density: Any
) -> Any:
    """A Gamma(shape, 1) variable from the counters (i, GAMMA…)."""
    if shape <= 0.0:
        return 0.0
    full = shape + 1.0 if shape < 1.0 else shape
    d = full - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    a, b = philox(k0, k1, c0, c1, i, GAMMA)
    t = GAMMA + ONE
    y = -1.0
    while y < 0.0:
        x, t = settle(a, k0, k1, c0, c1, i, t, width, inside, density)
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            u, square = unit(b), x * x
            if math.log(u) < 0.5 * square + d - d * v + d * math.log(v):
                y = d * v
        if y < 0.0:
            a, b = philox(k0, k1, c0, c1, i, t)
            t += ONE
    if shape < 1.0:
        a, b = philox(k0, k1, c0, c1, i, POWER)
        y *= math.exp(math.log(unit(a)) / shape)
    return y


@cuda.jit(device=True)
def poisson_draw(mean: Any, k0: Any, k1: Any, c0: Any, c1: Any, i: Any) -> Any:
    """A Poisson(mean) count from the counters (i, COUNT…)."""
    a, b = philox(k0, k1, c0, c1, i, COUNT)
    t = COUNT + ONE
    if mean < 10.0:
        left = unit(a)
        p = math.exp(-mean)
        n = 0.0
        while left > p and n < 400.0:
            left -= p
            n += 1.0
            p *= mean / n
        return n
    root, log_mean = math.sqrt(mean), math.log(mean)
    scale = 0.931 + 2.53 * root
    shape = -0.059 + 0.02483 * scale
    inverse = 1.1239 + 1.1328 / (scale - 3.4)
    always = 0.9277 - 3.6224 / (scale - 2.0)
    while True:
        u = unit(a) - 0.5
        v = unit(b)
        us = 0.5 - abs(u)
        n = math.floor((2.0 * shape / us + scale) * u + mean + 0.43) * 1.0
        if us >= 0.07 and v <= always:
            return n
        if n >= 0.0 and (us >= 0.013 or v <= us):
            bound = n * log_mean - mean - math.lgamma(n + 1.0)
            if math.log(v) + math.log(inverse) - math.log(shape / (us * us) + scale) <= bound:
                return n
        a, b = philox(k0, k1, c0, c1, i, t)
        t += ONE


# ---- kernels -------------------------------------------------------------------------------
@cuda.jit
def _normals(key: Any, first: Any, skip: Any, width: Any, inside: Any, density: Any, out: Any) -> None:
    n = out.shape[1] - skip
    k0, k1 = key & LOW, key >> HALF
    for cell in range(cuda.grid(1), out.shape[0] * n, cuda.gridsize(1)):
        p = cell // n
        j = cell - p * n
        path, i = first + np.uint64(p), np.uint64(j)
        c0, c1 = path & LOW, path >> HALF
        a, b = philox(k0, k1, c0, c1, i >> ONE, ZERO)
        word = b if j & 1 else a
        x, _ = settle(word, k0, k1, c0, c1, i, ONE, width, inside, density)
        out[p, skip + j] = x


@cuda.jit
def _uniforms(key: Any, first: Any, skip: Any, out: Any) -> None:
    n = out.shape[1] - skip
    k0, k1 = key & LOW, key >> HALF
    for cell in range(cuda.grid(1), out.shape[0] * n, cuda.gridsize(1)):
        p = cell // n
        j = cell - p * n
        path = first + np.uint64(p)
        a, b = philox(k0, k1, path & LOW, path >> HALF, np.uint64(j) >> ONE, ZERO)
        out[p, skip + j] = unit(b if j & 1 else a)


@cuda.jit
def _gammas(key: Any, first: Any, shape: Any, width: Any, inside: Any, density: Any, out: Any) -> None:
    n = out.shape[1]
    k0, k1 = key & LOW, key >> HALF
    for cell in range(cuda.grid(1), out.shape[0] * n, cuda.gridsize(1)):
        p = cell // n
        j = cell - p * n
        path = first + np.uint64(p)
        c0, c1 = path & LOW, path >> HALF
        out[p, j] = gamma_draw(shape, k0, k1, c0, c1, np.uint64(j), width, inside, density)


@cuda.jit
def _square_root(
    key: Any, first: Any, decay: Any, scale: Any, degrees: Any, width: Any, inside: Any, density: Any,
    out: Any,
) -> None:  # fmt: skip
    k0, k1 = key & LOW, key >> HALF
    for p in range(cuda.grid(1), out.shape[0], cuda.gridsize(1)):
        path = first + np.uint64(p)
        c0, c1 = path & LOW, path >> HALF
        x = out[p, 0]
        for step in range(out.shape[1] - 1):
            i = np.uint64(step)
            n = poisson_draw(0.5 * x * decay / scale, k0, k1, c0, c1, i)
            shape = 0.5 * degrees + n
            x = 2.0 * scale * gamma_draw(shape, k0, k1, c0, c1, i, width, inside, density)
            out[p, step + 1] = x
