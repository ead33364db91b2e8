"""Blocks of paths: keys from seeds, checks of grids and starts, threads.

Every path has a stream of its own, a function of (seed, number of the path) only (`...kernels.normals`), so
neither threads nor the size of blocks nor splitting a call into several (`first`) changes a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from numbers import Rational
from typing import Any, TypeAlias

import numpy as np

from ...arrays import Entries, FloatVec, Real, float_array
from ...errors import InvalidArgument
from ...kernels.pick import Device, check_device, pick

Seed: TypeAlias = int | np.random.SeedSequence | np.random.Generator
"""What a stream of paths is named by; a `Generator` is advanced by one word."""

ROW_BYTES = 1 << 18
"""Bytes of a block of rows: normals are read again while they are in the cache."""
SMALL = 1 << 17
"""Draws below which one thread does all."""
MOST_STEPS = 1 << 30

Fill: TypeAlias = Callable[[Any, Any, Any, np.uint64], None]
"""fill(kernels of draws, kernels of paths, rows, number of the first row): rows become paths."""


def key_of(seed: Seed) -> np.uint64:
    """The 64-bit key of a seed."""
    if isinstance(seed, np.random.Generator):
        return np.uint64(seed.integers(0, 2**64, dtype=np.uint64))
    if isinstance(seed, np.random.SeedSequence):
        return np.uint64(seed.generate_state(1, np.uint64)[0])
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InvalidArgument(f"seed={seed!r}, must be an integer ≥ 0, a SeedSequence or a Generator")
    return np.uint64(np.random.SeedSequence(int(seed)).generate_state(1, np.uint64)[0])


def check_grid(T: Real, n: int, paths: int, first: int = 0, dim: int = 1) -> float:
    """Δt = T/n, or `InvalidArgument`."""
    if isinstance(T, bool) or not isinstance(T, Rational | float | np.floating) or not 0 < T < math.inf:
        raise InvalidArgument(f"T={T!r}, must be a finite number > 0; it is the horizon")
    for name, value, least, why in (
        ("n", n, 1, "; grids have equal steps T/n"), ("paths", paths, 1, ""), ("first", first, 0, "")
    ):  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise InvalidArgument(f"{name}={value!r}, must be an integer ≥ {least}{why}")
    if int(first) + int(paths) > 1 << 64:
        raise InvalidArgument(f"first={first}, paths={paths}: numbers of paths must stay below 2⁶⁴")
    if n * dim > MOST_STEPS:
        raise InvalidArgument(f"n={n} steps of {dim} draws a path, must be at most 2³⁰ draws; take fewer")
    return float(T) / n


def check_time(value: Real, what: str, name: str = "t") -> float:
    """A time ≥ 0, or `InvalidArgument`."""
    if isinstance(value, bool) or not isinstance(value, Rational | float | np.floating) or not value >= 0:
        raise InvalidArgument(f"{what}: {name}={value!r}, must be a time ≥ 0")
    return float(value)


def check_start(x0: Entries, paths: int, what: str) -> FloatVec:
    """Starts as an array (1, 1) or (paths, 1) of finite numbers."""
    try:
        x = float_array(x0)
    except (TypeError, ValueError):
        raise InvalidArgument(f"{what}: x0={x0!r} is not a number or an array of numbers") from None
    if x.shape not in ((), (paths,)):
        raise InvalidArgument(f"{what}: x0 has shape {x.shape}, must be a number or ({paths},), one a path")
    if not np.isfinite(x).all():
        value = x.reshape(-1)[int(np.argmin(np.isfinite(x).reshape(-1)))]
        raise InvalidArgument(f"{what}: x0={value}, must be finite")
    return x.reshape(-1, 1)


def draw(
    fill: Fill, start: FloatVec, columns: int, paths: int, first: int, threads: int | None, device: Device
) -> FloatVec:
    """(paths, columns) rows with `start` (1 or paths, d) in front, made paths by `fill` a block at a time."""
    check_device(device)
    out = np.empty((paths, columns))
    out[:, : start.shape[1]] = start
    normals, recursions = pick("normals", device), pick("paths", device)
    if device == "cuda":
        from ...kernels.gpu._device import deliver, device_array

        rows = device_array(out)
        fill(normals, recursions, rows, np.uint64(first))
        deliver(rows, out)
        return out
    step = max(4, ROW_BYTES // (8 * columns) // 4 * 4)

    def work(lo: int, hi: int) -> None:
        for at in range(lo, hi, step):
            fill(normals, recursions, out[at : min(at + step, hi)], np.uint64(first + at))

    crew = workers(threads, out.size)
    if crew == 1:
        work(0, paths)
        return out
    size = max(step, -(-paths // (4 * crew)) // step * step)
    with ThreadPoolExecutor(crew) as pool:
        for done in [pool.submit(work, lo, min(lo + size, paths)) for lo in range(0, paths, size)]:
            done.result()
    return out


def workers(threads: int | None, draws: int) -> int:
    """Threads to use: as asked, else Numba's number, and one for few draws."""
    if threads is None:
        from numba import config

        return int(config.NUMBA_NUM_THREADS) if draws >= SMALL else 1
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or threads < 1:
        raise InvalidArgument(f"threads={threads!r}, must be an integer ≥ 1, or None for Numba's number")
    return int(threads)


# ---- the exact samplers --------------------------------------------------------------------
def affine_paths(
    a: float, c: float, s: float, start: FloatVec, n: int, paths: int, seed: Seed, first: int,
    threads: int | None, device: Device,
) -> FloatVec:  # fmt: skip
    """X_{i+1} = aX_i + c + sZ."""
    key = key_of(seed)

    def fill(normals: Any, recursions: Any, rows: Any, at: np.uint64) -> None:
        normals.normals(key, at, 1, rows)
        recursions.affine(a, c, s, rows)

    return draw(fill, start, n + 1, paths, first, threads, device)


def exponential_paths(
    c: float, s: float, start: FloatVec, n: int, paths: int, seed: Seed, first: int, threads: int | None,
    device: Device,
) -> FloatVec:  # fmt: skip
    """X_{i+1} = X_i exp(c + sZ)."""
    key = key_of(seed)

    def fill(normals: Any, recursions: Any, rows: Any, at: np.uint64) -> None:
        normals.normals(key, at, 1, rows)
        recursions.exponential(c, s, rows)

    return draw(fill, start, n + 1, paths, first, threads, device)


def square_root_paths(
    b0: float, b1: float, s1: float, dt: float, start: FloatVec, n: int, paths: int, seed: Seed, first: int,
    threads: int | None, device: Device,
) -> FloatVec:  # fmt: skip
    """X_{i+1} = v·χ'²(4b0/s1, X_i e^{b1Δ}/v), v = s1(e^{b1Δ} − 1)/(4b1)."""
    key = key_of(seed)
    decay, scale, degrees = math.exp(b1 * dt), 0.25 * s1 * grown(b1, dt), 4.0 * b0 / s1

    def fill(normals: Any, recursions: Any, rows: Any, at: np.uint64) -> None:
        if degrees > 1.0:
            gammas = np.empty((rows.shape[0], n))
            if device == "cuda":
                from ...kernels.gpu._device import device_array

                gammas = device_array(gammas)
            normals.normals(key, at, 1, rows)
            normals.gammas(key, at, 0.5 * (degrees - 1.0), gammas)
            recursions.square_root(decay, scale, gammas, rows)
        else:
            normals.square_root(key, at, decay, scale, degrees, rows)

    return draw(fill, start, n + 1, paths, first, threads, device)


def grown(rate: float, t: float) -> float:
    """∫_0^t e^{rate·s}ds = (e^{rate·t} − 1)/rate, t at rate 0."""
    return math.expm1(rate * t) / rate if rate != 0.0 else t


def finite(value: float, what: str) -> float:
    """`value`, or `InvalidArgument` where a moment is beyond doubles."""
    if not math.isfinite(value):
        raise InvalidArgument(f"{what} is not representable in doubles; take a shorter time or smaller rates")
    return value


def exp(x: float) -> float:
    """e^x, infinite where it overflows."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf
