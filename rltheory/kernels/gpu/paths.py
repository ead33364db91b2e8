"""Paths from rows of normals on a card, in place; twin of `rltheory.kernels.paths`.  One thread a path."""

from __future__ import annotations

import math
from typing import Any

from numba import cuda

from ._device import THREADS, blocks_for, deliver
from ._loops import place

__all__ = ["affine", "exponential", "linear", "square_root"]


def affine(a: float, c: float, s: float, out: Any) -> None:
    """X_{i+1} = a·X_i + c + s·Z_{i+1}."""
    (new,) = place(out)
    _affine[blocks_for(new.shape[0]), THREADS](a, c, s, new)
    deliver(new, out)


def exponential(c: float, s: float, out: Any) -> None:
    """X_i = X_0·exp(Σ_{j≤i} (c + s·Z_j))."""
    (new,) = place(out)
    _exponential[blocks_for(new.shape[0]), THREADS](c, s, new)
    deliver(new, out)


def linear(F: Any, g: Any, L: Any, out: Any) -> None:
    """X_{i+1} = F·X_i + g + L·Z_{i+1} with L lower triangular, d numbers a step."""
    F, g, L, new = place(F, g, L, out)
    _linear[blocks_for(new.shape[0]), THREADS](F, g, L, new)
    deliver(new, out)


def square_root(decay: float, scale: float, gammas: Any, out: Any) -> None:
    """X_{i+1} = scale·((Z_{i+1} + √(X_i·decay/scale))² + 2·gammas[p, i])."""
    gammas, new = place(gammas, out)
    _square_root[blocks_for(new.shape[0]), THREADS](decay, scale, gammas, new)
    deliver(new, out)


# ---- kernels -------------------------------------------------------------------------------
@cuda.jit
def _affine(a: Any, c: Any, s: Any, out: Any) -> None:
    for p in range(cuda.grid(1), out.shape[0], cuda.gridsize(1)):
        x = out[p, 0]
        for i in range(1, out.shape[1]):
            x = a * x + (c + s * out[p, i])
            out[p, i] = x


@cuda.jit
def _exponential(c: Any, s: Any, out: Any) -> None:
    for p in range(cuda.grid(1), out.shape[0], cuda.gridsize(1)):
        x = out[p, 0]
        y = 0.0
        for i in range(1, out.shape[1]):
            y += c + s * out[p, i]
            out[p, i] = x * math.exp(y)


@cuda.jit
def _linear(F: Any, g: Any, L: Any, out: Any) -> None:
    d = g.size
    for p in range(cuda.grid(1), out.shape[0], cuda.gridsize(1)):
        for start in range(d, out.shape[1], d):
            for k in range(d):
                r = d - 1 - k
                x = g[r]
                for j in range(d):
                    x += F[r, j] * out[p, start - d + j]
                for j in range(r + 1):
                    x += L[r, j] * out[p, start + j]
                out[p, start + r] = x


@cuda.jit
def _square_root(decay: Any, scale: Any, gammas: Any, out: Any) -> None:
    ratio = decay / scale
    for p in range(cuda.grid(1), out.shape[0], cuda.gridsize(1)):
        x = out[p, 0]
        for i in range(1, out.shape[1]):
            z = out[p, i] + math.sqrt(x * ratio)
            x = scale * (z * z + 2.0 * gammas[p, i - 1])
            out[p, i] = x
