"""Models from arrays in the conventions of other libraries.

| convention        | P, Q                              | R                        |
|-------------------|-----------------------------------|--------------------------|
| "rltheory"        | (S, A, S)                         | (S, A), (S,), (S, A, S)  |
| "pymdptoolbox"    | (A, S, S), or A sparse (S, S)     | (S, A), (S,), (A, S, S)  |
| "quantecon"       | Q (S, A, S)                       | (S, A), −inf = forbidden |
| "quantecon-pairs" | Q (L, S) with s_indices, a_indices| (L,)                     |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ...arrays import Entries, Real, is_sparse
from ...errors import InvalidArgument, InvalidModel
from ..mdp import MDP

Convention = Literal["rltheory", "pymdptoolbox", "quantecon", "quantecon-pairs"]


def from_arrays(
    P: Any,
    R: Any,
    gamma: Real,
    *,
    convention: Convention = "rltheory",
    s_indices: Entries | None = None,
    a_indices: Entries | None = None,
    mu: Entries | None = None,
    terminal: Iterable[int] | Entries | None = None,
    states: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
) -> MDP:
    """The `MDP` of arrays laid out as the table of this module says.

    Parameters
    ----------
    P, R
        Transition probabilities and rewards.  "pymdptoolbox" takes one array or A matrices (arrays
        or SciPy sparse), whose rewards may be A matrices too.  In "quantecon" a reward of −inf
        forbids the pair, and its row of Q is ignored.
    gamma
        Discount in [0, 1).
    convention
        One of the four.
    s_indices, a_indices
        (L,) state and action of each pair, in any order; "quantecon-pairs" only.
    mu, terminal, states, actions
        As for `MDP`.

    Returns
    -------
    MDP
        Dense for full arrays without forbidden pairs, CSR otherwise.

    Raises
    ------
    InvalidArgument
        Unknown convention, or index arrays missing or not wanted.
    InvalidModel
        As for `MDP`; also when a state has no allowed action.
    """
    if convention not in get_args(Convention):
        raise InvalidArgument(
            f"from_arrays: convention={convention!r}, must be one of {get_args(Convention)}"
        )
    pairs = convention == "quantecon-pairs"
    if pairs != (s_indices is not None) or pairs != (a_indices is not None):
        need = "needs" if pairs else "takes no"
        raise InvalidArgument(f"from_arrays: convention {convention!r} {need} s_indices= and a_indices=")
    keep: dict[str, Any] = {"mu": mu, "terminal": terminal, "states": states, "actions": actions}
    if convention == "rltheory":
        return MDP(P, R, gamma, **keep)
    if convention == "pymdptoolbox":
        return _pymdptoolbox(P, R, gamma, keep)
    if convention == "quantecon":
        return _quantecon(P, R, gamma, keep)
    return _quantecon_pairs(P, R, gamma, np.asarray(s_indices), np.asarray(a_indices), keep)


def _matrices(x: Any) -> list[Any] | None:
    """The A matrices of a list, tuple or object array of them; None for one plain array."""
    if isinstance(x, np.ndarray) and x.dtype != object:
        return None
    if isinstance(x, np.ndarray) and x.ndim > 1:
        return None
    items = list(x)
    return items if items and any(is_sparse(m) for m in items) else None


def _pymdptoolbox(P: Any, R: Any, gamma: Real, keep: dict[str, Any]) -> MDP:
    sparse = _matrices(P)
    if sparse is None:
        kernel = np.array(P)
        if kernel.ndim != 3 or kernel.shape[1] != kernel.shape[2]:
            raise InvalidModel(
                f"P: shape={kernel.shape}, convention 'pymdptoolbox' needs (A, S, S); "
                "for (S, A, S) arrays use convention='rltheory'"
            )
        A, S = kernel.shape[:2]
        reward = np.array(R if _matrices(R) is None else [m.toarray() if is_sparse(m) else m for m in R])
        if reward.ndim == 3:
            if reward.shape != (A, S, S):
                raise InvalidModel(f"R: shape={reward.shape}, must be ({S}, {A}), ({S},) or ({A}, {S}, {S})")
            reward = reward.transpose(1, 0, 2)
        return MDP(np.ascontiguousarray(kernel.transpose(1, 0, 2)), reward, gamma, **keep)
    import scipy.sparse as sp

    blocks = [sp.csr_array(m) for m in sparse]
    A, S = len(blocks), blocks[0].shape[0]
    for a, block in enumerate(blocks):
        if block.shape != (S, S):
            raise InvalidModel(f"P: P[{a}] has shape={block.shape}, all must be ({S}, {S})")
    order = (np.arange(S)[:, None] + np.arange(A) * S).reshape(-1)  # from action-major to state-major
    rows = sp.csr_array(sp.vstack(blocks, format="csr"))[order]
    return MDP.from_pairs(
        rows,
        _sparse_rewards(blocks, R, S, A),
        gamma,
        pair_state=np.repeat(np.arange(S), A),
        pair_action=np.tile(np.arange(A), S),
        **keep,
    )


def _sparse_rewards(blocks: list[Any], R: Any, S: int, A: int) -> NDArray[Any]:
    """(N,) expected rewards next to sparse transitions."""
    items = _matrices(R)
    if items is None and np.ndim(R) == 3:
        items = list(R)
    if items is not None:
        if len(items) != A:
            raise InvalidModel(f"R: {len(items)} matrices for {A} actions; give one each")
        means = [np.asarray(block.multiply(m).sum(axis=1)) for block, m in zip(blocks, items, strict=True)]
        return np.stack(means, axis=1).reshape(-1)
    reward = np.array(R, dtype=np.float64)
    if reward.shape == (S,):
        reward = np.repeat(reward[:, None], A, axis=1)
    if reward.shape != (S, A):
        raise InvalidModel(f"R: shape={reward.shape}, must be ({S}, {A}), ({S},) or {A} matrices ({S}, {S})")
    return reward.reshape(-1)


def _quantecon(Q: Any, R: Any, gamma: Real, keep: dict[str, Any]) -> MDP:
    kernel, reward = np.array(Q), np.array(R)
    if kernel.ndim != 3 or kernel.shape[0] != kernel.shape[2] or reward.shape != kernel.shape[:2]:
        raise InvalidModel(
            f"Q: shape={kernel.shape}, R: shape={reward.shape}; convention 'quantecon' needs "
            "(S, A, S) and (S, A)"
        )
    forbidden = reward == -np.inf
    if not forbidden.any():
        return MDP(kernel, reward, gamma, **keep)
    ps, pa = np.nonzero(~forbidden)
    empty = np.flatnonzero(forbidden.all(axis=1))
    if empty.size:
        raise InvalidModel(
            f"R: all rewards of state {empty[0]} are -inf; every state needs an allowed action"
        )
    return MDP.from_pairs(kernel[ps, pa], reward[ps, pa], gamma, pair_state=ps, pair_action=pa, **keep)


def _quantecon_pairs(
    Q: Any, R: Any, gamma: Real, s: NDArray[Any], a: NDArray[Any], keep: dict[str, Any]
) -> MDP:
    rows = Q.tocsr() if is_sparse(Q) else np.array(Q)
    reward = np.array(R)
    L = rows.shape[0]
    for name, x in (("R", reward), ("s_indices", s), ("a_indices", a)):
        if x.shape != (L,):
            raise InvalidModel(f"{name}: shape={x.shape}, must be ({L},), one entry for each row of Q")
    for name, x in (("s_indices", s), ("a_indices", a)):
        if x.dtype.kind not in "iu":
            raise InvalidModel(f"{name}: dtype={x.dtype}, must be integers")
    order = np.lexsort((a, s))
    return MDP.from_pairs(
        rows[order], reward[order], gamma, pair_state=s[order], pair_action=a[order], **keep
    )
