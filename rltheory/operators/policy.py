"""Policies over pairs: rows, weights, P_π and R_π, in either number system.

Definitions.  P_π(s, t) = Σ_a π(a|s) P(t|s, a), R_π(s) = Σ_a π(a|s) R(s, a).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from flint import fmpq
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, IntVec, PairVec, StateVec, frozen
from ..errors import InvalidArgument
from ..kernels import weights as kernel
from ..kernels.exact import to_fmpq
from ..models.kinds import check_mdp
from ..models.mdp import MDP
from ..models.policy import Policy
from ._arrays import numbers, small_model

if TYPE_CHECKING:
    import scipy.sparse as sp


def as_policy(mdp: MDP, pi: Policy | ArrayLike) -> Policy:
    """`pi` as a `Policy` of this model: right number of states, allowed actions only.

    Raises
    ------
    InvalidArgument
        Naming the first state whose action (or positive probability) is not allowed.
    """
    pi = pi if isinstance(pi, Policy) else Policy(pi)
    if pi.S != mdp.S:
        raise InvalidArgument(f"policy: {pi.S} states, the model has S={mdp.S}; give one action or row each")
    if pi.is_deterministic:
        policy_rows(mdp, pi)
        return pi
    table = pi.matrix()
    if table.shape[1] > mdp.A:
        raise InvalidArgument(f"policy: {table.shape[1]} action columns, the model has A={mdp.A}")
    bad = (table != 0) & ~mdp.allowed[:, : table.shape[1]]
    if bad.any():
        s, a = (int(i) for i in np.argwhere(bad)[0])
        raise InvalidArgument(
            f"policy: pi[{s}, {a}]={table[s, a]}, but action {a} is not allowed in state {s}; "
            f"allowed are {_allowed(mdp, s)}"
        )
    return pi


def policy_rows(mdp: MDP, pi: Policy) -> IntVec:
    """(S,) pair index of each state's action; raises `InvalidArgument` if one is not allowed."""
    acts = pi.actions
    if mdp.is_uniform:
        rows = mdp.state_ptr[:-1] + acts
        bad = acts >= mdp.A
    else:
        key = mdp.pair_state * mdp.A + mdp.pair_action
        rows = np.searchsorted(key, np.arange(mdp.S) * mdp.A + acts)
        bad = (acts >= mdp.A) | (rows >= mdp.N)
        bad |= mdp.pair_action[np.minimum(rows, mdp.N - 1)] != acts
        bad |= mdp.pair_state[np.minimum(rows, mdp.N - 1)] != np.arange(mdp.S)
    if bad.any():
        s = int(np.argmax(bad))
        raise InvalidArgument(
            f"policy: pi[{s}]={acts[s]}, but that action is not allowed in state {s}; "
            f"allowed are {_allowed(mdp, s)}"
        )
    return rows


def policy_weights(mdp: MDP, pi: Policy) -> PairVec:
    """(N,) probability of each pair under π, in the policy's number system (1.0 if deterministic)."""
    if pi.is_deterministic:
        out = np.zeros(mdp.N)
        out[policy_rows(mdp, pi)] = 1.0
        return out
    table = pi.matrix()
    if table.shape[1] < mdp.A:
        pad = np.zeros((mdp.S, mdp.A - table.shape[1]), dtype=table.dtype)
        table = np.hstack([table, pad + Fraction(0) if table.dtype == object else pad])
    return table[mdp.pair_state, mdp.pair_action]


def small_weights(mdp: MDP, pi: Policy) -> FloatVec | None:
    """(N,) weights of a float policy for `kernels.small`; None if large, rational or not one of `mdp`."""
    model = small_model(mdp)
    if model is None or pi.S != mdp.S:
        return None
    _, _, _, state_ptr, pair_action, _ = model
    weights = np.empty(mdp.N)
    table = np.ascontiguousarray(pi._pi)
    if table.ndim == 1:
        fits = kernel.point_weights(state_ptr, pair_action, table, weights)
    else:
        fits = table.dtype != object and table.shape[1] <= mdp.A
        fits = fits and kernel.pair_weights(state_ptr, pair_action, table, weights)
    return weights if fits else None


def pair_entries(mdp: MDP, pi: Policy) -> list[list[tuple[int, fmpq]]]:
    """Per state the (pair, probability) entries of π as rationals: what `kernels.exact` takes."""
    if pi.is_deterministic:
        return [[(int(k), fmpq(1))] for k in policy_rows(mdp, pi)]
    w = policy_weights(mdp, pi).tolist()
    ptr = mdp.state_ptr.tolist()
    return [[(k, to_fmpq(w[k])) for k in range(ptr[s], ptr[s + 1]) if w[k] != 0] for s in range(mdp.S)]


def rows_policy(mdp: MDP, rows: ArrayLike) -> Policy:
    """Deterministic policy that uses pair `rows[s]` in state s."""
    return Policy(mdp.chosen_actions(np.asarray(rows, dtype=np.int64)), A=mdp.A)


@overload
def transition_matrix(
    mdp: MDP, pi: Policy | ArrayLike, *, sparse: Literal[False] = False
) -> NDArray[Any]: ...
@overload
def transition_matrix(mdp: MDP, pi: Policy | ArrayLike, *, sparse: Literal[True]) -> sp.csr_array: ...
def transition_matrix(
    mdp: MDP, pi: Policy | ArrayLike, *, sparse: bool = False
) -> NDArray[Any] | sp.csr_array:
    """P_π(s, t) = Σ_a π(a|s) P(t|s, a).

    Parameters
    ----------
    mdp, pi
        Model and policy; an exact model lifts a float policy by `Policy.exact`.
    sparse
        True returns a SciPy `csr_array` (float models only).

    Returns
    -------
    (S, S) array in the model's number system; float entries carry the rounding of the sum over
    actions (none for deterministic policies).

    Complexity: O(nnz(P) + S²), without the S² if sparse.
    """
    check_mdp(mdp, "transition_matrix")
    pi = as_policy(mdp, pi)
    if mdp.is_exact:
        if sparse:
            raise InvalidArgument("transition_matrix: sparse=True with an exact model; use sparse=False")
        w = numbers(mdp, policy_weights(mdp, pi))
        return _sum_by_state(mdp, w[:, None] * mdp.P_pairs)
    if not sparse and mdp.layout == "dense":
        if pi.is_deterministic:
            return mdp.P_pairs[policy_rows(mdp, pi)]
        w = numbers(mdp, policy_weights(mdp, pi))
        return _sum_by_state(mdp, w[:, None] * mdp.P_pairs)
    import scipy.sparse as sp

    data, indices, indptr = mdp.csr
    P = sp.csr_array((data, indices, indptr), shape=(mdp.N, mdp.S))
    if pi.is_deterministic:
        out = P[policy_rows(mdp, pi)]
    else:
        w = numbers(mdp, policy_weights(mdp, pi))
        out = sp.csr_array((w, np.arange(mdp.N), mdp.state_ptr), shape=(mdp.S, mdp.N)) @ P
    return sp.csr_array(out) if sparse else out.toarray()


def reward_vector(mdp: MDP, pi: Policy | ArrayLike) -> StateVec:
    """R_π(s) = Σ_a π(a|s) R(s, a), per step; (S,), in the model's number system."""
    check_mdp(mdp, "reward_vector")
    pi = as_policy(mdp, pi)
    if pi.is_deterministic:
        return frozen(mdp.R_pairs[policy_rows(mdp, pi)])
    w = numbers(mdp, policy_weights(mdp, pi))
    return frozen(_sum_by_state(mdp, w * mdp.R_pairs))


def _sum_by_state(mdp: MDP, x: NDArray[Any]) -> NDArray[Any]:
    return np.add.reduceat(x, mdp.state_ptr[:-1], axis=0)


def _allowed(mdp: MDP, s: int) -> list[int]:
    return mdp.pair_action[mdp.state_ptr[s] : mdp.state_ptr[s + 1]].tolist()  # type: ignore[no-any-return]
