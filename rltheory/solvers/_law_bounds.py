"""How far a projected law is from the true one: w₁ bounds computed from the laws themselves.

Categorical.  Ĝ is the return of the projected recursion and G the true one on the same path.  Then
Ĝ − G = ξ + ζ + γ(Ĝ' − G'), where ξ is the split of an atom between its neighbours, of mean zero given the
past, and ζ the clip to the grid.  Splits at different times are uncorrelated, so

    w₁ ≤ √D + C,   D(s) = Var ξ + γ² Σ_k p_k D(s'_k),   C(s) = E|ζ| + γ Σ_k p_k C(s'_k),

and Var ξ ≤ Δ²/4 gives D ≤ Δ²/(4(1−γ²)) whatever the law.  D needs the variances under the projected law
itself; with iterates within e of it in w₁ they are off by at most Δγe.

Nesting.  On a uniform grid with 1/γ integer and every r + γz_j in z_1 + γΔZ the fixed point is Π_C η^π:
w₁ ≤ Δ/2.

Quantile.  For any rows η, fixed point or not, w₁(η(s), η^π(s)) ≤ E(s) with
E(s) = w₁(η(s), (T_π η)(s)) + γ Σ_k p_k E(s'_k).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatVec, to_fraction
from ..kernels import categorical as cat
from ..kernels import exact as rational
from ..kernels import laws as flat
from ..operators.outcome_chain import Chain

UNIT = 2.0**-53
SWEEPS = 20_000
"""Most sweeps spent on making D and E sharp; fewer leave a larger bound."""
SHARP = 1e-3
"""Relative gain of a sweep, per 1/(1−γ), below which they stop."""
REWARDS = 2000
"""Most distinct rewards for which nesting is looked for."""
SMALL = 200
"""States up to which rational bounds come from a linear solve."""


def up(x: Any) -> Any:
    """A float slightly above √, sums and products that lead to x were rounded in; rationals unchanged."""
    return x if isinstance(x, (int, Fraction)) else x * (1 + 1e-12)


def root(D: Any) -> float:
    """√D rounded up."""
    return math.nextafter(math.sqrt(D), math.inf) * (1 + 1e-14) if D > 0 else 0.0


def discounted_sum(chain: Chain, cost: NDArray[Any], gamma: Any) -> NDArray[Any]:
    """x ≥ (I − γP)⁻¹ cost, cost ≥ 0: equal for small rational chains, otherwise from above to about 1 %.

    x ← cost + γPx starts at max(cost)/(1−γ), falls, and stays above the limit at every step.
    """
    if chain.is_exact:
        S = len(cost)
        if S <= SMALL:
            system = np.full((S, S), Fraction(0), dtype=object)
            system[np.arange(S), np.arange(S)] = Fraction(1)
            for s in range(S):
                for k in chain.entries(s):
                    system[s, int(chain.next_state[k])] -= gamma * chain.prob[k]
            return rational.solve_linear(system, cost)
        return np.full(S, max(cost) / (1 - gamma), dtype=object)
    x = np.full(len(cost), up(float(cost.max()) / (1 - gamma)))
    if x[0] == 0.0:
        return x
    slack = 1 + 1e-14 * (2 + np.diff(chain.ptr.astype(np.int64)).max())
    for _ in range(SWEEPS):
        new = np.minimum(x, (cost + gamma * chain.expect(x)) * slack)
        gain = float((x - new).max())
        x = new
        if gain <= SHARP * (1 - gamma) * float(x.max()):
            break
    return x


def split_and_clip(chain: Chain, grid: NDArray[Any], laws: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """(Var ξ, E|ζ|) per list."""
    n = chain.lists
    if not chain.is_exact:
        variance, overshoot = np.empty(n), np.empty(n)
        rows = np.arange(n, dtype=np.uint64)
        lists = (chain.ptr, chain.prob, chain.next_state, chain.reward)
        cat.projection_error(rows, *lists, float(chain.gamma), grid, laws, variance, overshoot)
        return variance, overshoot
    variance, overshoot = (np.full(n, Fraction(0), dtype=object) for _ in range(2))
    for i in range(n):
        for k in chain.entries(i):
            y = chain.reward[k] + chain.gamma * grid
            p = chain.prob[k] * laws[int(chain.next_state[k])]
            j = np.clip(np.searchsorted(grid, y, side="right") - 1, 0, len(grid) - 2)
            inside = (y >= grid[0]) & (y <= grid[-1])
            variance[i] += (p * (y - grid[j]) * (grid[j + 1] - y))[inside].sum()
            overshoot[i] += (p * np.maximum(np.maximum(grid[0] - y, y - grid[-1]), 0 * y)).sum()
    return variance, overshoot


def nests(chain: Chain, grid: NDArray[Any]) -> bool:
    """True when every cell is mapped into one cell, decided in rationals."""
    gamma = to_fraction(chain.gamma)
    if gamma == 0 or (1 / gamma).denominator != 1:
        return False
    z = [to_fraction(x) for x in grid.tolist()]
    step = z[1] - z[0]
    if any(b - a != step for a, b in zip(z, z[1:], strict=False)):
        return False
    rewards = set(chain.reward.tolist())
    if len(rewards) > REWARDS:
        return False
    return all(((to_fraction(r) + gamma * z[0] - z[0]) / (gamma * step)).denominator == 1 for r in rewards)


def rounding(chain: Chain, grid: FloatVec) -> float:
    """w₁ by which a computed categorical backup may miss the exact one (probabilities rescaled to sum 1)."""
    m, reach = len(grid), float(grid[-1] - grid[0])
    widest = int(np.diff(chain.ptr.astype(np.int64)).max())
    cells = float(np.diff(grid).max())
    far = float(np.abs(chain.reward).max() + np.abs(grid).max()) / float(np.diff(grid).min()) + m
    terms = widest * (2 + math.ceil(1 / max(float(chain.gamma), 1 / m))) + 16
    off = float(np.abs(chain.expect(np.ones(chain.next_state.max(initial=0) + 1)) - 1).max())
    return UNIT * (2 * terms * reach + 16 * far * cells) + (off + 4 * m * UNIT) * reach


def target_gap(chain: Chain, atoms: NDArray[Any], own: NDArray[Any]) -> NDArray[Any]:
    """w₁ between `own` rows of equal-mass atoms and the unprojected backup of `atoms`, all rational."""
    m = atoms.shape[1]
    out = np.empty(chain.lists, dtype=object)
    mass = np.full(m, Fraction(1, m), dtype=object)
    for i in range(chain.lists):
        x = np.concatenate(
            [chain.reward[k] + chain.gamma * atoms[int(chain.next_state[k])] for k in chain.entries(i)]
        )
        p = np.concatenate([np.repeat(chain.prob[k] / m, m) for k in chain.entries(i)])
        out[i] = flat.wasserstein_1(x, p, own[i], mass)
    return out
