"""Checks of outcome lists: first offending state, action and outcome, its value, the rule, the remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolVec, IntVec, Real, exact_array, float_array, to_fraction
from ..errors import InvalidModel
from .validate import ROW_TOL


@dataclass(frozen=True)
class Rows:
    """Flat outcome arrays; those of pair k are `ptr[k]:ptr[k+1]`."""

    prob: NDArray[Any]
    next_state: NDArray[Any]
    reward: NDArray[Any]
    ptr: IntVec
    pair_state: IntVec
    pair_action: IntVec

    def name(self, j: int) -> str:
        """`outcome 1 of (s=0, a=2)` for the flat index j."""
        k = int(np.searchsorted(self.ptr, j, side="right") - 1)
        return f"outcome {j - int(self.ptr[k])} of (s={self.pair_state[k]}, a={self.pair_action[k]})"

    def loops(self, term: BoolVec) -> Rows:
        """With a self-loop of reward 0 for each terminal state that has no pair."""
        missing = np.setdiff1d(np.flatnonzero(term), self.pair_state)
        if missing.size == 0 or self.ptr.shape != (self.pair_state.size + 1,):
            return self
        at = np.searchsorted(self.pair_state, missing)
        where = self.ptr[at]
        counts = np.insert(np.diff(self.ptr), at, 1)
        return Rows(
            np.insert(self.prob, where, 1),
            np.insert(self.next_state, where, missing),
            np.insert(self.reward, where, 0, axis=0),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.insert(self.pair_state, at, missing),
            np.insert(self.pair_action, at, 0),
        )


def flatten(outcomes: Sequence[Any]) -> Rows:
    """The flat arrays of `outcomes[s][a] = [(p, s', r), …]`; see `OutcomeMDP.from_lists`."""
    prob: list[Any] = []
    target: list[Any] = []
    reward: list[Any] = []
    ends, pair_state, pair_action = [0], [], []
    for s, row in enumerate(outcomes):
        for a, listed in row.items() if isinstance(row, Mapping) else enumerate(row or ()):
            if listed is None:
                continue
            if isinstance(a, bool) or not isinstance(a, (int, np.integer)):
                raise InvalidModel(f"outcomes[{s}]: action {a!r}, must be an integer ≥ 0")
            pair_state.append(s)
            pair_action.append(a)
            for j, outcome in enumerate(listed):
                if not isinstance(outcome, (tuple, list)) or len(outcome) != 3:
                    raise InvalidModel(
                        f"outcome {j} of (s={s}, a={a}): {outcome!r}, must be a triple (p, s', r); "
                        "write outcomes[s][a] = [(p, s', r), …]"
                    )
                p, t, r = outcome
                prob.append(p)
                target.append(t)
                reward.append(tuple(r) if isinstance(r, (tuple, list, np.ndarray)) else r)
            ends.append(len(prob))
    rows = Rows(
        _column(prob),
        _column(target),
        np.empty(0),
        np.array(ends, dtype=np.int64),
        np.array(pair_state, dtype=np.int64),
        np.array(pair_action, dtype=np.int64),
    )
    order = np.lexsort((rows.pair_action, rows.pair_state))
    if (order != np.arange(order.size)).any():
        return flatten([dict(sorted(row.items())) if isinstance(row, Mapping) else row for row in outcomes])
    return replace(rows, reward=_rewards(rows, reward))


def _column(values: list[Any]) -> NDArray[Any]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _rewards(rows: Rows, reward: list[Any]) -> NDArray[Any]:
    """(K,) or (K, m) object array; scalars and vectors may not mix."""
    size = len(reward[0]) if reward and isinstance(reward[0], tuple) else None
    for j, r in enumerate(reward):
        own = len(r) if isinstance(r, tuple) else None
        if own != size or own == 0:
            kinds = ["a number" if n is None else f"a vector of {n}" for n in (own, size)]
            raise InvalidModel(
                f"{rows.name(j)}: reward={r!r} is {kinds[0]}, that of {rows.name(0)} is {kinds[1]}; "
                "rewards are all numbers, or all vectors of one length m ≥ 1"
            )
    if size is None:
        return _column(reward)
    out = np.empty((len(reward), size), dtype=object)
    for j, r in enumerate(reward):
        out[j, :] = r
    return out


def exact_numbers(rows: Rows, gamma: object) -> bool:
    """True (rationals) if a probability or reward is a `Fraction`, or all are integers and γ no float.

    Raises
    ------
    InvalidModel
        For an entry that is not a real number, or not finite.
    """
    kinds = set()
    for what, arr in (("probability", rows.prob), ("reward", rows.reward)):
        if arr.dtype != object and arr.dtype.kind not in "iuf":
            raise InvalidModel(f"{what}: array of dtype {arr.dtype} is not real; pass floats or Fractions")
        if arr.dtype.kind in "iu":
            kinds.add("int")
            continue
        for i, v in enumerate(arr.reshape(-1).tolist()):
            j = i if arr.ndim == 1 else i // arr.shape[1]
            if isinstance(v, bool) or not isinstance(v, (int, float, Fraction, np.integer, np.floating)):
                raise InvalidModel(
                    f"{rows.name(j)}: {what}={v!r} of type {type(v).__name__} is not a real number; "
                    "pass an int, float or Fraction"
                )
            if not math.isfinite(v):
                hint = "" if what == "probability" else "; leave an action out instead of a reward of -inf"
                raise InvalidModel(f"{rows.name(j)}: {what}={v}, must be finite{hint}")
            kinds.add(
                "Fraction"
                if isinstance(v, Fraction)
                else "int"
                if isinstance(v, (int, np.integer))
                else "float"
            )
    return "Fraction" in kinds or ("float" not in kinds and not isinstance(gamma, (float, np.floating)))


def check_discount(gamma: Real, exact: bool) -> Real:
    """γ as float or Fraction; refused outside (0, 1]."""
    if isinstance(gamma, bool) or not isinstance(gamma, (int, float, Fraction, np.integer, np.floating)):
        raise InvalidModel(f"gamma={gamma!r} is not a real number; pass a float or Fraction in (0, 1]")
    if not (math.isfinite(gamma) and 0 < gamma <= 1):
        raise InvalidModel(
            f"gamma={gamma} is outside (0, 1]; the stock divides by γ, and γ > 1 has no return: "
            "for γ = 0 take one step (H=1) at γ = 1"
        )
    return to_fraction(gamma) if exact else float(gamma)


def check_outcomes(rows: Rows, S: int, term: BoolVec, exact: bool) -> Rows:
    """The rows in the model's number system, without outcomes of probability 0."""
    N = rows.pair_state.size
    _check_pairs(rows, S, N)
    empty = np.diff(rows.ptr) == 0
    if empty.any():
        k = int(np.argmax(empty))
        raise InvalidModel(
            f"(s={rows.pair_state[k]}, a={rows.pair_action[k]}) has no outcomes; give it at least one "
            "(p, s', r), or leave the action out"
        )
    for j, t in enumerate(rows.next_state.tolist()):
        if isinstance(t, bool) or not isinstance(t, (int, np.integer)) or not 0 <= t < S:
            raise InvalidModel(
                f"{rows.name(j)}: next state {t!r}, must be a state index in 0..{S - 1}; "
                "an outcome is (p, s', r) in this order"
            )
    prob = exact_array(rows.prob) if exact else float_array(rows.prob)
    reward = exact_array(rows.reward) if exact else float_array(rows.reward)
    if (prob < 0).any():
        j = int(np.argmax(prob < 0))
        raise InvalidModel(f"{rows.name(j)}: probability={prob[j]}, must be ≥ 0; drop it or correct its sign")
    sums = np.add.reduceat(prob, rows.ptr[:-1])
    bad = np.abs(sums - 1) > (0 if exact else ROW_TOL)
    if bad.any():
        k = int(np.argmax(bad))
        raise InvalidModel(
            f"probabilities of the {rows.ptr[k + 1] - rows.ptr[k]} outcomes of (s={rows.pair_state[k]}, "
            f"a={rows.pair_action[k]}) sum to {sums[k]} (off by {sums[k] - 1}), must be 1"
            f"{' exactly' if exact else ''}: divide them by their sum, or send the missing mass to a "
            "terminal state"
        )
    next_state = rows.next_state.astype(np.int64)
    owner = np.repeat(np.arange(N), np.diff(rows.ptr))
    _check_terminal(replace(rows, prob=prob, next_state=next_state, reward=reward), term, owner)
    keep = np.asarray(prob != 0, dtype=np.bool_)
    counts = np.bincount(owner[keep], minlength=N)
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Rows(prob[keep], next_state[keep], reward[keep], ptr, rows.pair_state, rows.pair_action)


def _check_pairs(rows: Rows, S: int, N: int) -> None:
    ps, pa, K = rows.pair_state, rows.pair_action, rows.prob.size
    shapes_ok = rows.prob.shape == rows.next_state.shape == (K,) and rows.reward.shape[:1] == (K,)
    if N == 0 or pa.shape != (N,) or not shapes_ok or rows.reward.ndim > 2 or rows.ptr.shape != (N + 1,):
        raise InvalidModel(
            f"OutcomeMDP: pair_state {ps.shape}, pair_action {pa.shape}, outcome_ptr {rows.ptr.shape}, prob "
            f"{rows.prob.shape}, next_state {rows.next_state.shape}, reward {rows.reward.shape}; need N ≥ 1 "
            "pairs, N + 1 pointers, and one probability, state and reward (or (K, m) rewards) an outcome"
        )
    if rows.ptr[0] != 0 or rows.ptr[-1] != K or (np.diff(rows.ptr) < 0).any():
        raise InvalidModel(
            f"outcome_ptr: must start at 0, never decrease and end at the number of outcomes, {K}"
        )
    if ps.min() < 0 or ps.max() >= S or pa.min() < 0:
        k = int(np.argmax((ps < 0) | (ps >= S) | (pa < 0)))
        raise InvalidModel(f"pair {k} is (s={ps[k]}, a={pa[k]}), need 0 ≤ s < {S} and a ≥ 0")
    order = (np.diff(ps) < 0) | ((np.diff(ps) == 0) & (np.diff(pa) <= 0))
    if order.any():
        k = int(np.argmax(order))
        raise InvalidModel(
            f"pair {k + 1} (s={ps[k + 1]}, a={pa[k + 1]}) follows (s={ps[k]}, a={pa[k]}); "
            "pairs must be sorted by state, then action, without repeats"
        )
    missing = np.setdiff1d(np.arange(S), ps)
    if missing.size:
        raise InvalidModel(f"state {missing[0]} has no action; give it outcomes, or list it in terminal=")


def _check_terminal(rows: Rows, term: BoolVec, owner: IntVec) -> None:
    inside = term[rows.pair_state[owner]]
    leaves = inside & (rows.next_state != rows.pair_state[owner]) & (rows.prob != 0)
    if leaves.any():
        j = int(np.argmax(leaves))
        raise InvalidModel(
            f"terminal: {rows.name(j)} moves to {rows.next_state[j]} with probability {rows.prob[j]}; "
            "make the state absorbing, leave its outcomes out, or drop it from terminal="
        )
    paid = rows.reward != 0
    pays = inside & (paid.any(axis=1) if paid.ndim == 2 else paid)
    if pays.any():
        j = int(np.argmax(pays))
        raise InvalidModel(
            f"terminal: {rows.name(j)} pays {rows.reward[j]}, must be 0; put the reward on the "
            "outcome that moves into the state"
        )
