"""Construction-time checks shared by all models: first offending index, value, rule, remedy."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import (
    BoolVec,
    IntVec,
    Real,
    StateVec,
    chunks,
    exact_array,
    frozen,
    owned,
    to_fraction,
    uniform,
)
from ..errors import InvalidModel

ROW_TOL = 1e-12
"""Largest |Σ_s' P(s'|s,a) − 1| accepted for a float row (a few ulp of an honest normalisation)."""


def number_system(*arrays: NDArray[Any]) -> bool:
    """True (exact) if any array holds `Fraction`s; refuses strings, complex numbers and objects."""
    exact = False
    for x in arrays:
        if x.dtype == object:
            for v in x.reshape(-1):
                if isinstance(v, Fraction):
                    exact = True
                elif not isinstance(v, (int, float, np.integer, np.floating)):
                    raise InvalidModel(f"model entry {v!r} of type {type(v).__name__} is not a real number")
        elif x.dtype.kind not in "iufb":
            raise InvalidModel(f"model array of dtype {x.dtype} is not real; pass floats or Fractions")
    if exact:
        for x in arrays:
            if x.dtype.kind == "f" and not np.isfinite(x).all():
                raise InvalidModel("model holds NaN or infinity; every probability and reward must be finite")
            if x.dtype == object:
                for v in x.reshape(-1):
                    if isinstance(v, (float, np.floating)) and not math.isfinite(v):
                        raise InvalidModel(f"model entry {v} is not finite; exact models need rationals")
    return exact


def check_gamma(gamma: Real, exact: bool) -> Real:
    """γ as float or Fraction; refused outside [0, 1)."""
    if isinstance(gamma, bool) or not isinstance(gamma, (int, float, Fraction, np.integer, np.floating)):
        raise InvalidModel(f"gamma={gamma!r} is not a real number; pass a float or Fraction in [0, 1)")
    if not (math.isfinite(gamma) and 0 <= gamma < 1):
        raise InvalidModel(
            f"gamma={gamma} is outside [0, 1); for γ = 1 use FiniteHorizonMDP(P, R, H=...), "
            "SSP(P, R, terminal=...) or AverageReward()"
        )
    return to_fraction(gamma) if exact else float(gamma)


def check_law(mu: Any, S: int, exact: bool) -> StateVec:
    """(S,) start law, uniform when None."""
    if mu is None:
        return frozen(uniform(S, exact=exact)) if exact else _constant(1.0 / S, S)
    arr = exact_array(mu) if exact else owned(mu, np.float64, "mu")
    if arr.shape != (S,):
        raise InvalidModel(f"mu: shape={arr.shape}, must be ({S},)")
    if not exact and not np.isfinite(arr).all():
        s = int(np.argmax(~np.isfinite(arr)))
        raise InvalidModel(f"mu: mu[{s}]={arr[s]}, must be finite")
    if (arr < 0).any():
        s = int(np.argmax(arr < 0))
        raise InvalidModel(f"mu: mu[{s}]={arr[s]}, must be ≥ 0")
    if abs(arr.sum() - 1) > (0 if exact else ROW_TOL):
        raise InvalidModel(f"mu: sums to {arr.sum()}, must be 1; divide it by its sum")
    return frozen(arr) if exact or arr.min() != arr.max() else _constant(float(arr[0]), S)


def _constant(x: float, S: int) -> StateVec:
    """(S,) read-only vector of one number, which it stores once."""
    return np.broadcast_to(np.float64(x), (S,))


def check_rewards(R: NDArray[Any], S: int, A: int, exact: bool) -> None:
    """Rewards are (S,), (S, A) or (S, A, S) and finite."""
    if R.shape not in ((S,), (S, A), (S, A, S)):
        raise InvalidModel(f"R: shape={R.shape}, must be ({S},), ({S}, {A}) or ({S}, {A}, {S})")
    if not exact and not np.isfinite(R).all():
        idx = tuple(int(i) for i in np.argwhere(~np.isfinite(R))[0])
        raise InvalidModel(
            f"R: R{list(idx)}={R[idx]}, rewards must be finite; forbid an action with "
            "MDP.from_pairs instead of a reward of -inf"
        )


def check_terminal(
    terminal: Any, S: int, rows: Any = None, ps: Any = None, pa: Any = None, R: Any = None
) -> BoolVec:
    """(S,) mask from indices or mask; with `rows`, refuse CSR terminal rows that leave."""
    if terminal is None:
        return np.zeros(S, dtype=np.bool_)
    arr = np.array(list(terminal) if not isinstance(terminal, np.ndarray) else terminal)
    if arr.dtype == np.bool_:
        if arr.shape != (S,):
            raise InvalidModel(f"terminal: mask of shape {arr.shape}, must be ({S},)")
        mask = arr.copy()
    else:
        if arr.size and (arr.dtype.kind not in "iu" or arr.min() < 0 or arr.max() >= S):
            raise InvalidModel(f"terminal: {arr.tolist()}, must be state indices in 0..{S - 1} or a mask")
        mask = np.zeros(S, dtype=np.bool_)
        mask[arr.astype(np.int64)] = True
    if rows is not None:
        data, indices, indptr = rows
        for k in np.flatnonzero(mask[ps]):
            lo, hi = indptr[k], indptr[k + 1]
            for j in range(lo, hi):
                if indices[j] != ps[k] and data[j] != 0:
                    raise InvalidModel(
                        f"terminal: state {ps[k]} is terminal but action {pa[k]} moves to {indices[j]} "
                        f"with probability {data[j]}; make it absorbing or drop it from terminal="
                    )
    return mask


def check_rows(rows: Any, ps: IntVec, pa: IntVec, exact: bool) -> tuple[float, float] | None:
    """Transition rows (dense (N, S), or CSR triple) are finite, ≥ 0 and sum to one.

    Returns the least and largest sum of float rows as added up, each off by at most n·2⁻⁵³ of itself for
    rows of up to n entries; None for rationals, which sum to one.
    """
    sums = None if exact else _plausible(rows)
    if sums is not None:
        return sums
    _find_fault(rows, ps, pa, exact)
    return None


def _find_fault(rows: Any, ps: IntVec, pa: IntVec, exact: bool) -> None:
    """`check_rows` entry by entry."""
    if isinstance(rows, tuple):
        flat, indices, indptr = rows
        owner = np.repeat(np.arange(ps.size), np.diff(indptr))
        if exact:
            sums: NDArray[Any] = np.array([Fraction(0)] * ps.size, dtype=object)
            np.add.at(sums, owner, flat)
        else:
            sums = np.bincount(owner, weights=flat, minlength=ps.size)
    else:
        flat, sums, indices, owner = rows.reshape(-1), rows.sum(axis=1), None, None

    def entry(j: int) -> str:
        k, t = divmod(j, rows.shape[1]) if owner is None or indices is None else (owner[j], indices[j])
        return f"P: P[{ps[k]}, {pa[k]}, {t}]={flat[j]}"

    if not exact and not np.isfinite(flat).all():
        raise InvalidModel(f"{entry(int(np.argmax(~np.isfinite(flat))))}, probabilities must be finite")
    if (flat < 0).any():
        raise InvalidModel(f"{entry(int(np.argmax(flat < 0)))}, probabilities must be ≥ 0")
    bad = np.abs(sums - 1) > (0 if exact else ROW_TOL)
    if bad.any():
        k = int(np.argmax(bad))
        raise InvalidModel(
            f"P: row (s={ps[k]}, a={pa[k]}) sums to {sums[k]} (off by {sums[k] - 1}); rows must sum to 1: "
            "divide the row by its sum, or send the missing mass to a terminal state"
        )


def _plausible(rows: Any) -> tuple[float, float] | None:
    """(least, largest) sum of float rows if both are within the tolerance and no entry below 0, else None.

    Looks piece by piece.  A NaN or infinite entry leaves no sum within it.
    """
    low, high = math.inf, -math.inf
    if isinstance(rows, tuple):
        data, _, indptr = rows
        pieces = chunks(indptr.size - 1)
    else:
        data, indptr = rows, None
        pieces = chunks(rows.shape[0], max(1, (1 << 18) // rows.shape[1]))
    for lo, hi in pieces:
        if indptr is None:
            part = data[lo:hi]
            sums = part.sum(axis=1)
        else:
            first, last = indptr[lo], indptr[hi]
            part = data[first:last]
            if last == first or (np.diff(indptr[lo : hi + 1]) == 0).any():
                return None
            sums = np.add.reduceat(part, indptr[lo:hi] - first)
        least, largest = sums.min(), sums.max()
        if not (part.min() >= 0 and 1 - least <= ROW_TOL and largest - 1 <= ROW_TOL):
            return None
        low, high = min(low, float(least)), max(high, float(largest))
    return low, high


def check_pairs(
    ps: IntVec, pa: IntVec, R: NDArray[Any], indptr: IntVec, indices: Any, S: int, exact: bool
) -> None:
    """Pairs sorted and unique, every state covered, CSR arrays consistent, rewards finite."""
    N = ps.size
    if N == 0 or pa.shape != ps.shape or R.shape != (N,) or indptr.shape != (N + 1,):
        raise InvalidModel(
            f"from_pairs: pair_state {ps.shape}, pair_action {pa.shape}, R {R.shape}, indptr {indptr.shape}; "
            "need N ≥ 1 states, actions and rewards and N + 1 row pointers"
        )
    if indptr[0] != 0 or indptr[-1] != indices.size or not _ascends(indptr):
        raise InvalidModel(
            "from_pairs: indptr must start at 0, never decrease and end at the number of entries"
        )
    if indices.size and (indices.min() < 0 or indices.max() >= S):
        j = int(np.argmax((indices < 0) | (indices >= S)))
        k = int(np.searchsorted(indptr, j, side="right") - 1)
        raise InvalidModel(
            f"P: pair (s={ps[k]}, a={pa[k]}) moves to state {indices[j]}, states are 0..{S - 1}"
        )
    if ps.min() < 0 or ps.max() >= S or pa.min() < 0:
        k = int(np.argmax((ps < 0) | (ps >= S) | (pa < 0)))
        raise InvalidModel(f"from_pairs: pair {k} is (s={ps[k]}, a={pa[k]}), need 0 ≤ s < {S} and a ≥ 0")
    for lo, hi in chunks(N - 1):
        s, a = np.diff(ps[lo : hi + 1]), np.diff(pa[lo : hi + 1])
        order = (s < 0) | ((s == 0) & (a <= 0))
        if not order.any():
            continue
        k = lo + int(np.argmax(order))
        raise InvalidModel(
            f"from_pairs: pair {k + 1} (s={ps[k + 1]}, a={pa[k + 1]}) follows (s={ps[k]}, a={pa[k]}); "
            "pairs must be sorted by state, then action, without repeats"
        )
    missing = np.flatnonzero(~present(ps, S))
    if missing.size:
        raise InvalidModel(
            f"from_pairs: state {missing[0]} has no action; give it one, or list it in terminal="
        )
    if not exact and not np.isfinite(R).all():
        k = int(np.argmax(~np.isfinite(R)))
        raise InvalidModel(f"R: R[{ps[k]}, {pa[k]}]={R[k]}, rewards must be finite")


def present(ps: IntVec, S: int) -> BoolVec:
    """(S,) mask of the states that occur in `ps`."""
    seen = np.zeros(S, dtype=np.bool_)
    for lo, hi in chunks(ps.size):
        seen[ps[lo:hi]] = True
    return seen


def _ascends(x: IntVec) -> bool:
    """True when no entry is below the one before it."""
    return all(bool((x[lo + 1 : hi + 1] >= x[lo:hi]).all()) for lo, hi in chunks(x.size - 1))
