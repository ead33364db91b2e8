"""Gittins indices of Markov reward chains, and the bandit whose optimal policy they are.

Definitions.  Arm i is a chain (P_i, r_i).  Each step one arm is played: it pays its reward and moves, the
others stay frozen.  The index of a state is
    ν(s) = max_{σ≥1} E[Σ_{t<σ} γ^t r_t]/E[Σ_{t<σ} γ^t]   (σ a stopping time, chain started at s),
and (1−γ) times the optimal value at s of the chain with the extra action "restart in s", which pays and
moves as s does.  Playing the arm of largest index is optimal from every joint state (Gittins 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Real, StateVec, exact_array, float_array, plain_array
from ..errors import InvalidArgument, InvalidModel
from ..models.mdp import MDP
from ..models.policy import Policy
from ..models.validate import number_system
from .policy_iteration import PolicyIteration

Arm = tuple[ArrayLike, ArrayLike]


@dataclass(frozen=True, repr=False, eq=False)
class GittinsIndex:
    """ν(s) per state, lower ≤ ν ≤ upper (rewards per step); equal on exact chains."""

    index: StateVec
    lower: StateVec
    upper: StateVec

    def __repr__(self) -> str:
        return f"GittinsIndex([{', '.join(f'{float(v):.6g}' for v in self.index)}])"


def gittins_index(P: ArrayLike, R: ArrayLike, gamma: Real) -> GittinsIndex:
    """ν(s) = (1−γ)·V*(s) of the restart problem, for every state of a chain.

    Parameters
    ----------
    P
        (n, n) transition matrix.
    R
        (n,) reward of playing in each state.
    gamma
        Discount in [0, 1).

    Returns
    -------
    `GittinsIndex`; exact for rational arguments, else with rigorous bounds.

    Raises
    ------
    InvalidModel
        As for `MDP`.

    Complexity: n policy iterations on n states.

    Source: Gittins 1979; Katehakis–Veinott 1987 (restart).

    Examples
    --------
    >>> gittins_index([[0, 1], [0, 1]], [1, 3], 0.5).index.tolist()
    [2.0, 3.0]
    """
    chain, pay, exact = _arm(P, R)
    n = chain.shape[0]
    values, low, high = [], [], []
    for s in range(n):
        restart = np.broadcast_to(chain[s], (n, n))
        model = MDP(np.stack([chain, restart], axis=1), np.stack([pay, np.full(n, pay[s])], axis=1), gamma)
        sol = PolicyIteration(keep_trace=False).run(model)
        rest = 1 - model.gamma
        values.append(rest * sol.V[s])
        low.append(rest * sol.lower[s])
        high.append(rest * sol.upper[s])
    if exact:
        index = _vector(values, True)
        return GittinsIndex(index, index, index)
    # 1 − γ and the product round once each; four steps outward cover both
    lower, upper = _vector(low, False), _vector(high, False)
    for _ in range(4):
        lower, upper = np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
    return GittinsIndex(_vector(values, False), lower, upper)


def bandit_mdp(arms: Sequence[Arm], gamma: Real) -> MDP:
    """The joint MDP of several arms: action i plays arm i.

    Parameters
    ----------
    arms
        (P_i, r_i) pairs; rational if any is.
    gamma
        Discount in [0, 1).

    Returns
    -------
    MDP with Π n_i states, numbered in row-major order of (s_1, s_2, …).

    Complexity: O(Π n_i · Σ n_i) entries.
    """
    parsed = [_arm(P, R) for P, R in _several(arms)]
    exact = any(e for _, _, e in parsed)
    sizes = [P.shape[0] for P, _, _ in parsed]
    n = int(np.prod(sizes))
    states = np.stack(np.unravel_index(np.arange(n), sizes), axis=1)
    stride = np.array([int(np.prod(sizes[i + 1 :])) for i in range(len(sizes))])
    data: list[Any] = []
    indices: list[int] = []
    indptr, R = [0], []
    for s in range(n):
        for i, (P, r, _) in enumerate(parsed):
            here = int(states[s, i])
            for t in np.flatnonzero(np.asarray(P[here] != 0, dtype=np.bool_)):
                data.append(P[here, t])
                indices.append(s + int((t - here) * stride[i]))
            indptr.append(len(data))
            R.append(r[here])
    return MDP.from_pairs(
        (_vector(data, exact), indices, indptr),
        _vector(R, exact),
        gamma,
        pair_state=np.repeat(np.arange(n), len(sizes)),
        pair_action=np.tile(np.arange(len(sizes)), n),
        S=n,
    )


def index_policy(arms: Sequence[Arm], indices: Sequence[ArrayLike]) -> Policy:
    """Policy of `bandit_mdp` that plays the arm of largest index, the lowest arm on ties.

    Parameters
    ----------
    arms
        As for `bandit_mdp`.
    indices
        One (n_i,) vector an arm, e.g. `gittins_index(P, R, gamma).index`.
    """
    sizes = [_arm(P, R)[0].shape[0] for P, R in _several(arms)]
    tables = [np.asarray(v) for v in indices]
    if [t.shape for t in tables] != [(n,) for n in sizes]:
        raise InvalidArgument(
            f"index_policy: shapes {[t.shape for t in tables]}, need {[(n,) for n in sizes]}"
        )
    states = np.unravel_index(np.arange(int(np.prod(sizes))), sizes)
    scores = np.stack([t[s] for t, s in zip(tables, states, strict=True)], axis=1)
    return Policy(
        np.array([int(max(range(len(row)), key=lambda i: (row[i], -i))) for row in scores]), len(sizes)
    )


def _several(arms: Sequence[Arm]) -> Sequence[Arm]:
    if not arms:
        raise InvalidArgument("arms: empty, give at least one (P, r) pair")
    return arms


def _arm(P: ArrayLike, R: ArrayLike) -> tuple[NDArray[Any], NDArray[Any], bool]:
    chain, pay = plain_array(P, name="P"), plain_array(R, name="r")
    if chain.ndim != 2 or chain.shape[0] != chain.shape[1] or pay.shape != chain.shape[:1]:
        raise InvalidModel(f"arm: P {chain.shape}, r {pay.shape}; need (n, n) and (n,)")
    exact = number_system(chain, pay)
    convert = exact_array if exact else float_array
    return convert(chain), convert(pay), exact


def _vector(x: Sequence[Any], exact: bool) -> NDArray[Any]:
    if not exact:
        return np.array([float(v) for v in x])
    out = np.empty(len(x), dtype=object)
    out[:] = [v if isinstance(v, Fraction) else Fraction(v) for v in x]
    return out
