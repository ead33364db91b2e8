"""What the evaluations of laws share: arguments, ranges of returns, grids, where sweeps start."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InvalidArgument
from ..kernels.laws import two_hot
from ..models._build import check_size
from ..models.outcomes import OutcomeMDP
from ..models.policy import Policy
from ..operators.outcome_chain import Chain

SLACK = 1e-9
"""Cells that rounding may add to a position."""


def check(m: OutcomeMDP, H: int | None, tol: float) -> None:
    """Refuse what no evaluation can use."""
    if H is None and m.gamma >= 1:
        raise InvalidArgument(f"gamma={m.gamma} without a horizon: the return need not exist; pass H=")
    if H is not None and not (isinstance(H, (int, np.integer)) and H >= 0):
        raise InvalidArgument(f"H={H!r}, a horizon is an integer ≥ 0")
    if not tol > 0:
        raise InvalidArgument(f"tol={tol}, must be > 0; 1e-8 is the default")


def policy_of(m: OutcomeMDP, pi: Policy | ArrayLike | None) -> Policy:
    """`pi`, or the policy of the largest mean."""
    if pi is not None:
        return pi if isinstance(pi, Policy) else Policy(pi)
    from .portfolio import solve

    return solve(m.to_mdp()).pi


def reach(chain: Chain, H: int | None) -> tuple[Any, Any]:
    """An interval of all returns: [r_min, r_max]/(1−γ), or that of every sum of at most H rewards."""
    low, high = chain.reward.min(), chain.reward.max()
    g = chain.gamma
    if H is None:
        return low / (1 - g), high / (1 - g)
    total = H if g == 1 else (1 - g**H) / (1 - g)
    zero = 0 * low
    return min(zero, low * total), max(zero, high * total)


def default_grid(chain: Chain, H: int | None, atoms: int) -> Any:
    """`atoms` equally spaced points over the returns, or around them when they are one number.

    Over a horizon the grid holds 0 and is widened by the cells that projections can creep outwards, if
    `atoms` allows; otherwise mass may be clipped, which the error counts.
    """
    check_size("CategoricalEvaluation", 2, atoms=atoms)
    low, high = reach(chain, H)
    if low == high:
        low, high = low - 1, high + 1
    if H is not None:
        r, g = (chain.reward.min(), chain.reward.max()), chain.gamma
        for spare in range(atoms - 1):
            step = (high - low) / (atoms - 1 - spare)
            down, up = _creep(-r[0] / step, g, H), _creep(r[1] / step, g, H)
            if down + up <= atoms - 1:
                return _even(-down * step, (atoms - 1 - down) * step, atoms)
    return _even(low, high, atoms)


def _creep(r: Any, gamma: Any, H: int) -> int:
    """Cells that H rewards of r cells reach outwards when every partial sum is rounded up."""
    slack = 0 if isinstance(r, Fraction) else SLACK
    x = 0
    for _ in range(H):
        new = max(0, math.ceil(r + gamma * x - slack))
        if new == x:
            break
        x = new
    return x


def _even(low: Any, high: Any, atoms: int) -> Any:
    if isinstance(low, Fraction):
        return [low + (high - low) * Fraction(i, atoms - 1) for i in range(atoms)]
    return np.linspace(low, high, atoms)


def cat_start(values: NDArray[Any], grid: NDArray[Any]) -> NDArray[Any]:
    """(S, m) masses of Π_C δ_{values[s]}."""
    one = np.array([Fraction(1) if grid.dtype == object else 1.0], dtype=grid.dtype)
    return np.array([two_hot(grid, np.array([v], dtype=grid.dtype), one) for v in values])
