"""Counter-based draws: the i-th normal of path p is a function of (key, p, i) and of nothing else.

Words.  Philox-4×32 with ten rounds maps a key (64 bits) and a counter (p, i, t) to 128 bits.  Main words
have t = 0 and serve two draws each: draw i uses word i mod 2 of counter (p, ⌊i/2⌋, 0).  What a draw needs
beyond its word comes from counters (p, i, t) with t ≥ 1; gammas and counts have ranges of t of their own.
So any split into blocks, threads or calls gives the same numbers, and longer paths prolong shorter ones.

Normals.  Ziggurat of 256 layers of area V under exp(−x²/2): layer k is [0, x_k), its candidate is
(u + ½)·x_k/2⁵² for a 53-bit signed u, taken at once when |u| is below x_{k+1}/x_k·2⁵² (98.8 %), else by the
exact test in the wedge; layer 0 keeps the tail beyond x_1 = 3.654, drawn from two exponentials.  The law is
symmetric; its only error is that of 53 bits.

Gammas.  Rejection of d·v, v = (1 + x/√(9d))³, d = shape − 1/3, by a normal and a uniform; shapes
below one by the power U^{1/shape}.  Poisson counts: inversion below mean 10, else Hörmann's transformed
rejection.  All are exact laws.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import njit

BLOCK = 256
"""Words produced at a time; even."""
LAYERS = 256
TAIL = 3.6541528853610087963519472518
"""Where layer 0 ends."""
AREA = 0.00492867323397465524494
"""Area V of a layer, √(2π) times a probability."""
GAMMA, POWER, COUNT = np.uint64(1 << 30), np.uint64(1 << 31), np.uint64(3 << 30)
"""First t of the counters that draw gammas, their powers below shape one, and counts."""

ZERO, ONE, LOW, HALF, SHIFT = (np.uint64(x) for x in (0, 1, 0xFFFFFFFF, 32, 11))
LAYER = np.uint64(LAYERS - 1)
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL0, WEYL1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
CENTRE = 1 << 52
UNIT = 2.0**-53


def ziggurat() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Width x_k/2⁵², threshold ⌊x_{k+1}/x_k·2⁵²⌋ and density exp(−x_k²/2) of the layers."""
    x = np.zeros(LAYERS + 1)
    x[0], x[1] = AREA / math.exp(-0.5 * TAIL * TAIL), TAIL
    for k in range(2, LAYERS):
        x[k] = math.sqrt(-2.0 * math.log(AREA / x[k - 1] + math.exp(-0.5 * x[k - 1] ** 2)))
    ratio = x[1:] / x[:-1] * CENTRE
    return x[:-1] / CENTRE, ratio.astype(np.int64), np.exp(-0.5 * x * x)


WIDTH, INSIDE, DENSITY = ziggurat()


@njit(cache=True, inline="always")
def philox(k0: Any, k1: Any, c0: Any, c1: Any, c2: Any, c3: Any) -> Any:
    """Two 64-bit words of the counter (c0, c1, c2, c3) under the key (k0, k1); all given 32 bits in 64."""
    for _ in range(10):
        p0 = M0 * c0
        p1 = M1 * c2
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & LOW, (p0 >> HALF) ^ c3 ^ k1, p0 & LOW
        k0 = (k0 + WEYL0) & LOW
        k1 = (k1 + WEYL1) & LOW
    return c0 | (c1 << HALF), c2 | (c3 << HALF)


@njit(cache=True)
def unit(word: Any) -> Any:
    """A uniform in (0, 1) from the upper 53 bits."""
    return (np.float64(np.int64(word >> SHIFT)) + 0.5) * UNIT


@njit(cache=True)
def settle(word: Any, k0: Any, k1: Any, c0: Any, c1: Any, i: Any, t: Any) -> Any:
    """The normal whose first candidate is in `word`, and the next unused t; more words from (i, t…)."""
    while True:
        layer = np.int64(word & LAYER)
        u = np.int64(word >> SHIFT) - CENTRE
        x = (np.float64(u) + 0.5) * WIDTH[layer]
        if (u if u >= 0 else -1 - u) < INSIDE[layer]:
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
        low, high = DENSITY[layer], DENSITY[layer + 1]
        if low + unit(a) * (high - low) < math.exp(-0.5 * x * x):
            return x, t
        word = b


@njit(cache=True)
def accept(a: Any, b: Any, d: Any, c: Any, k0: Any, k1: Any, c0: Any, c1: Any, i: Any, t: Any) -> Any:
    """A Gamma(d + 1/3, 1) variable from the words a, b, and more from (i, t…); d ≥ 2/3, c = 1/√(9d)."""
    while True:
        x, t = settle(a, k0, k1, c0, c1, i, t)
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            u, square = unit(b), x * x
            if u < 1.0 - 0.0331 * square * square:
                return d * v
            if math.log(u) < 0.5 * square + d - d * v + d * math.log(v):
                return d * v
        a, b = philox(k0, k1, c0, c1, i, t)
        t += ONE


@njit(cache=True)
def gamma_draw(shape: Any, k0: Any, k1: Any, c0: Any, c1: Any, i: Any) -> Any:
    """A Gamma(shape, 1) variable from the counters (i, GAMMA…); 0 for shape 0."""
    if shape <= 0.0:
        return 0.0
    a, b = philox(k0, k1, c0, c1, i, GAMMA)
    full = shape + 1.0 if shape < 1.0 else shape
    d = full - 1.0 / 3.0
    y = accept(a, b, d, 1.0 / math.sqrt(9.0 * d), k0, k1, c0, c1, i, GAMMA + ONE)
    if shape < 1.0:
        a, b = philox(k0, k1, c0, c1, i, POWER)
        y *= math.exp(math.log(unit(a)) / shape)
    return y


@njit(cache=True)
def poisson_draw(mean: Any, k0: Any, k1: Any, c0: Any, c1: Any, i: Any) -> Any:
    """A Poisson(mean) count, as a double, from the counters (i, COUNT…)."""
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
        n = math.floor((2.0 * shape / us + scale) * u + mean + 0.43)
        if us >= 0.07 and v <= always:
            return n
        if n >= 0.0 and (us >= 0.013 or v <= us):
            bound = n * log_mean - mean - math.lgamma(n + 1.0)
            if math.log(v) + math.log(inverse) - math.log(shape / (us * us) + scale) <= bound:
                return n
        a, b = philox(k0, k1, c0, c1, i, t)
        t += ONE


@njit(cache=True, nogil=True)
def normals(key: Any, first: Any, skip: Any, out: Any) -> Any:
    """out[p, skip + i] = normal i of path first + p; columns before `skip` are left alone."""
    k0, k1 = key & LOW, key >> HALF
    n = out.shape[1] - skip
    words = np.empty(BLOCK, dtype=np.uint64)
    for p in range(out.shape[0]):
        path = first + np.uint64(p)
        c0, c1 = path & LOW, path >> HALF
        for start in range(0, n, BLOCK):
            size = min(BLOCK, n - start)
            pair = np.uint64(start >> 1)
            for j in range((size + 1) >> 1):
                a, b = philox(k0, k1, c0, c1, pair + np.uint64(j), ZERO)
                words[2 * j] = a
                words[2 * j + 1] = b
            for j in range(size):
                word = words[j]
                layer = np.int64(word & LAYER)
                u = np.int64(word >> SHIFT) - CENTRE
                x = (np.float64(u) + 0.5) * WIDTH[layer]
                if (u ^ (u >> 63)) >= INSIDE[layer]:
                    x, _ = settle(word, k0, k1, c0, c1, np.uint64(start + j), ONE)
                out[p, skip + start + j] = x


@njit(cache=True, nogil=True)
def uniforms(key: Any, first: Any, skip: Any, out: Any) -> Any:
    """out[p, skip + i] = uniform in (0, 1) from the word of draw i of path first + p."""
    k0, k1 = key & LOW, key >> HALF
    for p in range(out.shape[0]):
        path = first + np.uint64(p)
        c0, c1 = path & LOW, path >> HALF
        for i in range(out.shape[1] - skip):
            a, b = philox(k0, k1, c0, c1, np.uint64(i >> 1), ZERO)
            out[p, skip + i] = unit(b if i & 1 else a)


@njit(cache=True, nogil=True)
def gammas(key: Any, first: Any, shape: Any, out: Any) -> Any:
    """out[p, i] = Gamma(shape, 1) variable i of path first + p."""
    k0, k1 = key & LOW, key >> HALF
    n = out.shape[1]
    full = shape + 1.0 if shape < 1.0 else shape
    d = full - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    words, powers = np.empty(2 * BLOCK, dtype=np.uint64), np.empty(BLOCK, dtype=np.uint64)
    for p in range(out.shape[0]):
        path = first + np.uint64(p)
        c0, c1 = path & LOW, path >> HALF
        for start in range(0, n, BLOCK):
            size = min(BLOCK, n - start)
            at = np.uint64(start)
            for j in range(size):
                a, b = philox(k0, k1, c0, c1, at + np.uint64(j), GAMMA)
                words[2 * j] = a
                words[2 * j + 1] = b
            for j in range(size):
                a, b = words[2 * j], words[2 * j + 1]
                layer = np.int64(a & LAYER)
                whole = np.int64(a >> SHIFT) - CENTRE
                x = (np.float64(whole) + 0.5) * WIDTH[layer]
                v, square = 1.0 + c * x, x * x
                inside = (whole ^ (whole >> 63)) < INSIDE[layer]
                if inside & (v > 0.0) & (unit(b) < 1.0 - 0.0331 * square * square):
                    out[p, start + j] = d * (v * v * v)
                else:
                    i = at + np.uint64(j)
                    out[p, start + j] = accept(a, b, d, c, k0, k1, c0, c1, i, GAMMA + ONE)
            if shape < 1.0:
                for j in range(size):
                    a, b = philox(k0, k1, c0, c1, at + np.uint64(j), POWER)
                    powers[j] = a
                for j in range(size):
                    out[p, start + j] *= math.exp(math.log(unit(powers[j])) / shape)


@njit(cache=True, nogil=True)
def square_root(key: Any, first: Any, decay: Any, scale: Any, degrees: Any, out: Any) -> Any:
    """out[p, i+1] = scale·χ²(degrees + 2N), N Poisson(½·out[p, i]·decay/scale), from out[p, 0].

    The square-root diffusion for any degrees ≥ 0; at 0 it is absorbed in 0.  `..paths.square_root` is
    faster where degrees > 1.
    """
    k0, k1 = key & LOW, key >> HALF
    for p in range(out.shape[0]):
        path = first + np.uint64(p)
        c0, c1 = path & LOW, path >> HALF
        x = out[p, 0]
        for step in range(out.shape[1] - 1):
            i = np.uint64(step)
            n = poisson_draw(0.5 * x * decay / scale, k0, k1, c0, c1, i)
            x = 2.0 * scale * gamma_draw(0.5 * degrees + n, k0, k1, c0, c1, i)
            out[p, step + 1] = x
