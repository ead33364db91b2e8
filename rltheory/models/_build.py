"""Shared construction of gallery models: exact integers inside, rationals or doubles outside.

Probabilities and rewards are rationals; they are held as integer numerators over one common
denominator, so that rows are merged without rounding and a float model is the exact one rounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import IntVec, Real, exact_array
from ..errors import InvalidArgument
from .mdp import MDP

Row = tuple[int, int, Mapping[int, Real], Real]
"""(s, a, {s': p}, R(s, a))."""


def is_rational(gamma: object) -> bool:
    """True when `gamma` asks for an exact model: an int or a `Fraction`."""
    return isinstance(gamma, (int, np.integer, Fraction)) and not isinstance(gamma, bool)


def decimal(x: Real) -> Fraction:
    """The rational meant by a parameter: a float stands for the decimal it prints as (0.1 → 1/10).

    Raises
    ------
    InvalidArgument
        If `x` is not a finite real number.
    """
    if isinstance(x, Fraction):
        return x
    if isinstance(x, (int, np.integer)) and not isinstance(x, bool):
        return Fraction(int(x))
    if isinstance(x, (float, np.floating)) and math.isfinite(x):
        return Fraction(repr(float(x)))
    raise InvalidArgument(f"parameter {x!r} is not a finite real number; pass an int, float or Fraction")


def check_size(where: str, least: int = 1, **sizes: object) -> None:
    """Sizes are integers ≥ `least`."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise InvalidArgument(f"{where}: {name}={value!r}, must be an integer ≥ {least}")


def probability(where: str, **values: Real) -> list[Fraction]:
    """The values as rationals in [0, 1]."""
    out = []
    for name, value in values.items():
        p = decimal(value)
        if not 0 <= p <= 1:
            raise InvalidArgument(f"{where}: {name}={value}, must be a probability in [0, 1]")
        out.append(p)
    return out


def discount(where: str, gamma: Real) -> Fraction:
    """γ as a rational, for instances whose rewards depend on it; needs 0 ≤ γ < 1."""
    g = decimal(gamma)
    if not 0 <= g < 1:
        raise InvalidArgument(f"{where}: gamma={gamma} is outside [0, 1)")
    return g


def table(
    rows: Iterable[Row],
    gamma: Real,
    *,
    S: int,
    terminal: Sequence[int] = (),
    mu: Mapping[int, Real] | None = None,
    states: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
) -> MDP:
    """A small model from rows (s, a, {s': p}, r); dense when every state allows every action."""
    items = sorted(rows, key=lambda row: row[:2])
    exact = is_rational(gamma)
    A = 1 + max(row[1] for row in items)
    law = None if mu is None else _numbers([decimal(mu.get(s, 0)) for s in range(S)], exact)
    R = _numbers([decimal(row[3]) for row in items], exact)
    if not terminal and len(items) == S * A and S <= 64:
        P = exact_array(np.zeros((S * A, S), dtype=np.int64))
        for k, row in enumerate(items):
            for t, p in row[2].items():
                P[k, t] = decimal(p)
        P = P if exact else P.astype(np.float64)
        return MDP(P.reshape(S, A, S), R.reshape(S, A), gamma, mu=law, states=states, actions=actions)
    data, indices, counts = [], [], []
    for row in items:
        kept = {t: decimal(p) for t, p in sorted(row[2].items()) if p != 0}
        indices += list(kept)
        data += list(kept.values())
        counts.append(len(kept))
    return MDP.from_pairs(
        (_numbers(data, exact), np.array(indices), np.concatenate([[0], np.cumsum(counts)])),
        R,
        gamma,
        pair_state=np.array([row[0] for row in items]),
        pair_action=np.array([row[1] for row in items]),
        S=S,
        mu=law,
        terminal=list(terminal),
        states=states,
        actions=actions,
    )


def _numbers(values: Sequence[Fraction], exact: bool) -> NDArray[Any]:
    out = np.empty(len(values), dtype=object)
    out[:] = list(values)
    return out if exact else out.astype(np.float64)


def branches(
    targets: NDArray[np.int64],
    probs: Sequence[Real],
    gamma: Real,
    *,
    S: int,
    pair_state: IntVec,
    pair_action: IntVec,
    rewards: Sequence[Real] = (0,),
    numerators: tuple[NDArray[Any], int] | None = None,
    prob_code: NDArray[Any] | None = None,
    reward_code: NDArray[Any] | None = None,
    terminal: ArrayLike | None = None,
    mu: ArrayLike | None = None,
    states: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
) -> MDP:
    """A large CSR model: pair k moves to `targets[k, j]` with probability `probs[prob_code[k, j]]`.

    Parameters
    ----------
    targets
        (N, k) next states; repeats in a row are merged, entries of probability 0 dropped.
    probs
        Palette of probabilities; branch j has probability j of the palette without `prob_code`.
    rewards
        Palette of rewards; `reward_code` (N,) picks the reward of a pair, (N, k) of a branch
        (its expectation is taken); without it all pairs pay `rewards[0]`.
    numerators
        Instead of `rewards`: (N,) integers and their denominator, see `combine`.
    """
    N, width = targets.shape
    exact = is_rational(gamma)
    p_num, p_den = _common(probs)
    r_num, r_den = _common(rewards)
    code = np.broadcast_to(np.arange(width), (N, width)) if prob_code is None else prob_code
    weight = p_num[np.broadcast_to(code, (N, width))]
    if numerators is not None:
        r_top, r_bottom = numerators
    elif reward_code is None:
        r_top, r_bottom = np.full(N, r_num[0]), r_den
    elif reward_code.ndim == 1:
        r_top, r_bottom = r_num[reward_code], r_den
    else:
        r_top, r_bottom = (weight * r_num[reward_code]).sum(axis=1), r_den * p_den
    merged, indices, indptr = merge_rows(targets, weight)
    return MDP.from_pairs(
        (_divide(merged, p_den, exact), indices, indptr),
        _divide(r_top, r_bottom, exact),
        gamma,
        pair_state=pair_state,
        pair_action=pair_action,
        S=S,
        mu=mu,
        terminal=terminal,
        states=states,
        actions=actions,
    )


def merge_rows(targets: NDArray[Any], weights: NDArray[Any]) -> tuple[NDArray[Any], IntVec, IntVec]:
    """CSR arrays of rows given as (N, k) targets and weights; repeats added, zeros dropped."""
    N, width = targets.shape
    order = np.argsort(targets, axis=1, kind="stable")
    cols, w = np.take_along_axis(targets, order, axis=1), np.take_along_axis(weights, order, axis=1)
    first = np.ones((N, width), dtype=np.bool_)
    first[:, 1:] = cols[:, 1:] != cols[:, :-1]
    starts = np.flatnonzero(first)
    sums = np.add.reduceat(w.reshape(-1), starts)
    keep = sums != 0
    counts = np.bincount(starts[keep] // width, minlength=N)
    return sums[keep], cols.reshape(-1)[starts][keep], np.concatenate([[0], np.cumsum(counts)])


def combine(*terms: tuple[Real, NDArray[Any]]) -> tuple[NDArray[Any], int]:
    """Σ coefficient·integers as integer numerators over one denominator."""
    nums, den = _common([coefficient for coefficient, _ in terms])
    total = sum((int(c) * np.asarray(x, dtype=nums.dtype) for c, (_, x) in zip(nums, terms, strict=True)), 0)
    return np.asarray(total), den


def _common(values: Sequence[Real]) -> tuple[NDArray[Any], int]:
    """Numerators over one denominator; int64 when nothing can overflow, Python ints otherwise."""
    exact = [decimal(v) for v in values]
    den = math.lcm(*(v.denominator for v in exact))
    nums = [int(v * den) for v in exact]
    small = den * max(1, *(abs(n) for n in nums)) < 2**31
    return np.array(nums, dtype=np.int64 if small else object), den


def _divide(nums: NDArray[Any], den: int, exact: bool) -> NDArray[Any]:
    """nums/den as Fractions, or as the nearest doubles."""
    if not exact and nums.dtype != object and den < 2**53:
        return nums / float(den)
    values, where = np.unique(nums, return_inverse=True)
    palette = np.empty(len(values), dtype=object)
    palette[:] = [Fraction(int(v), den) for v in values]
    return palette[where] if exact else palette.astype(np.float64)[where]
