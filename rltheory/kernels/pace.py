"""How far the span of a residual is from the tolerance, and how many sweeps that takes at a pace."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import njit

EARLY = 8
"""Sweeps of a policy that show its pace, after as many before."""


@njit(cache=True)
def far(V: Any, lo: Any, hi: Any, gamma: Any, tol: Any, noise: Any, rmax: Any) -> Any:
    """Residual span above which a kernel's `verdict` need not be asked while ‖midpoint‖ does not double."""
    shift = gamma / (1.0 - gamma) * 0.5 * (lo + hi)
    norm = 0.0
    for s in range(V.size):
        norm = max(norm, abs(V[s] + shift))
    return 2.0 * max(2.0 * tol * max(1.0, norm) * (1.0 - gamma) / max(gamma, 1e-9), noise * (norm + rmax))


@njit(cache=True)
def sweeps_left(before: Any, after: Any, goal: Any) -> Any:
    """Sweeps until a span is `goal` at the pace of the last `EARLY`, from `before` to `after`."""
    if not after > goal:
        return 0.0
    if not after < before:
        return np.inf
    return EARLY * np.log(after / goal) / np.log(before / after)
