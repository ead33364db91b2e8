"""Bellman operators T and T^π as functions of a value vector, in either number system.

Definitions.  [TV](s) = max_a R(s,a) + γ Σ_t P(t|s,a) V(t); T^π takes the mean over π(·|s) for the
maximum.  Both are monotone γ-contractions in the sup norm.  π is greedy for V when π(s) maximises
[R + γPV](s, ·).  Ties: equal rationals, or floats within 1e-12·max(1, ‖V‖).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import PairVec, StateAction, StateVec, float_array, sup_norm
from ..errors import InvalidArgument
from ..kernels import exact as rational
from ..models.kinds import check_mdp
from ..models.mdp import MDP
from ..models.policy import Policy
from ._arrays import numbers, pair_arrays, read_only
from .policy import as_policy, pair_entries, policy_rows, policy_weights, rows_policy

TIE = 1e-12
"""Floats tie within TIE·max(1, ‖V‖)."""


def state_vector(mdp: MDP, V: ArrayLike) -> StateVec:
    """`V` as a (S,) array in the model's number system.

    Raises
    ------
    InvalidArgument
        Wrong shape.
    """
    arr = np.asarray(V)
    if arr.shape != (mdp.S,):
        raise InvalidArgument(f"V: shape={arr.shape}, must be ({mdp.S},), one value a state")
    return numbers(mdp, arr)


def q_pairs(mdp: MDP, V: ArrayLike) -> PairVec:
    """(N,) values q = R + γPV of the allowed pairs, in the model's number system."""
    V = state_vector(mdp, V)
    if mdp.is_exact:
        return rational.from_fmpq_list(rational.q_pairs(mdp.rational, rational.to_fmpq_list(V)))
    pairs = pair_arrays(mdp)
    q = np.empty(mdp.N)
    pairs.kernels.q_values(*pairs.model, V, q)
    return q


def q_values(mdp: MDP, V: ArrayLike) -> StateAction:
    """Q(s, a) = R(s, a) + γ Σ_t P(t|s, a) V(t).

    Parameters
    ----------
    mdp
        Model in either number system.
    V
        (S,) values, discounted.

    Returns
    -------
    (S, A) array, −inf at pairs that are not allowed; exact for exact models, else within
    (n+4)u(γΣp|V| + |Q|) for rows of n entries, u = 2⁻⁵³.

    Complexity: O(nnz(P)).
    """
    check_mdp(mdp, "q_values")
    return mdp.unpair(q_pairs(mdp, V))


def bellman(mdp: MDP, pi: Policy | ArrayLike | None = None) -> Callable[[ArrayLike], StateVec]:
    """T, or T^π when `pi` is given, as a function of V.

    Parameters
    ----------
    mdp
        Model in either number system.
    pi
        Policy, deterministic or stochastic; None for the optimality operator.

    Returns
    -------
    Function from (S,) to a new (S,) array in the model's number system, exact for exact models.

    Raises
    ------
    InvalidArgument
        If the policy uses an action that is not allowed, or V has the wrong shape.

    Complexity: O(nnz(P)) a call.

    Examples
    --------
    >>> from rltheory import MDP
    >>> bellman(MDP([[[1.0]]], [[1.0]], gamma=0.5))([2.0])
    array([2.])
    """
    check_mdp(mdp, "bellman")
    if pi is not None:
        pi = as_policy(mdp, pi)
    if mdp.is_exact:
        m = mdp.rational
        entries = None if pi is None else pair_entries(mdp, pi)

        def exact_map(V: ArrayLike) -> StateVec:
            q = rational.q_pairs(m, rational.to_fmpq_list(state_vector(mdp, V)))
            if entries is None:
                return rational.from_fmpq_list(rational.maximise(m.state_ptr, q)[0])
            zero = rational.to_fmpq(0)
            return rational.from_fmpq_list(sum((w * q[k] for k, w in row), zero) for row in entries)

        return exact_map

    pairs = pair_arrays(mdp)
    kernels, model = pairs.kernels, pairs.model
    if pi is None:

        def float_map(V: ArrayLike) -> StateVec:
            V = state_vector(mdp, V)
            q = np.empty(mdp.N)
            kernels.q_values(*model, V, q)
            return np.asarray(np.maximum.reduceat(q, mdp.state_ptr[:-1]))

        return float_map

    choice: Any
    if pi.is_deterministic:
        choice, step = read_only(policy_rows(mdp, pi)).view(np.uint64), kernels.chosen_backup
    else:
        choice, step = read_only(float_array(policy_weights(mdp, pi))), kernels.weighted_backup

    def policy_map(V: ArrayLike) -> StateVec:
        out = np.empty(mdp.S)
        step(*model, choice, state_vector(mdp, V), out)
        return out

    return policy_map


def greedy(mdp: MDP, V: ArrayLike, keep: Policy | None = None) -> Policy:
    """π(s) ∈ argmax_a [R + γPV](s, a); lowest action id on ties.

    Parameters
    ----------
    mdp
        Model in either number system.
    V
        (S,) values, discounted, in the model's number system.
    keep
        Deterministic policy whose action is kept wherever it ties with the maximum.

    Returns
    -------
    Policy
        Deterministic.  Exact for exact models; in floats every action chosen is within
        1e-12·max(1, ‖V‖), plus rounding, of the maximum.

    Complexity: one backup, O(nnz(P)).
    """
    check_mdp(mdp, "greedy")
    V = state_vector(mdp, V)
    q = q_pairs(mdp, V)
    start = mdp.state_ptr[:-1]
    if not mdp.is_exact:
        q = np.where(np.isnan(q), -np.inf, q)
    best = np.maximum.reduceat(q, start)
    slack = 0 if mdp.is_exact else TIE * max(1.0, float(sup_norm(V)))
    ok = np.flatnonzero(q >= best[mdp.pair_state] - slack)
    rows = ok[np.searchsorted(ok, start)]
    if keep is not None:
        old = policy_rows(mdp, keep)
        stay = np.asarray(q[old] >= best - slack, dtype=np.bool_)
        rows = np.where(stay, old, rows)
    return rows_policy(mdp, rows)
