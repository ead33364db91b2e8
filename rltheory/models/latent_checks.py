"""Checks and parts of latent MDPs: contexts as arrays, first offending entry, its value, the rule."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidModel
from .finite_horizon import FiniteHorizonMDP
from .mdp import MDP
from .validate import ROW_TOL


def contexts(models: Sequence[MDP | FiniteHorizonMDP], H: int | None) -> tuple[int, list[MDP]]:
    """(H, one step of each context), alike and undiscounted."""
    if isinstance(models, (MDP, FiniteHorizonMDP, np.ndarray)):
        raise InvalidModel(
            f"LatentMDP: models is one {type(models).__name__}; pass a list with a model a context, or "
            "LatentMDP.from_arrays(P, R, weights=..., nu=..., H=...)"
        )
    parts: list[MDP] = []
    for i, m in enumerate(models):
        if isinstance(m, FiniteHorizonMDP):
            if not m.stationary or m.gamma != 1 or (m.terminal_reward != 0).any():
                raise InvalidModel(
                    f"LatentMDP: models[{i}] is {m!r}; contexts are stationary, undiscounted and end with "
                    "nothing: put the step into the state, the final reward into a last step"
                )
            if H is not None and m.H != H:
                raise InvalidModel(f"LatentMDP: models[{i}] has H={m.H}, expected {H}; give them one horizon")
            H = m.H
            parts.append(m.stages[0])
        elif isinstance(m, MDP):
            parts.append(m)
        else:
            raise InvalidModel(
                f"LatentMDP: models[{i}] is a {type(m).__name__}; pass MDPs, or from_arrays(...)"
            )
        first = parts[0]
        if (parts[i].S, parts[i].A, parts[i].is_exact) != (first.S, first.A, first.is_exact):
            raise InvalidModel(
                f"LatentMDP: models[{i}] is {parts[i]!r}, models[0] is {first!r}; all contexts need the same "
                "states, actions and number system"
            )
    if not parts:
        raise InvalidModel("LatentMDP: no models; give one a context")
    if H is None:
        raise InvalidModel("LatentMDP: H is missing; pass H=..., the number of steps")
    return H, parts


def full_array(mdp: MDP, i: int, what: str) -> NDArray[Any]:
    """(S, A, S) or (S, A) array of a context whose states allow all actions; terminal states stay put."""
    P, R = np.array(mdp.P), np.array(mdp.R)
    missing = ~mdp.allowed
    one, zero = (Fraction(1), Fraction(0)) if mdp.is_exact else (1.0, 0.0)
    for s, a in np.argwhere(missing):
        if not mdp.terminal[s]:
            raise InvalidModel(
                f"LatentMDP: models[{i}] does not allow action {a} in state {s}; every state needs every "
                "action (repeat an allowed one)"
            )
        P[s, a], R[s, a] = zero, zero
        P[s, a, s] = one
    if what == "P":
        return P
    if mdp.R_entries is not None:
        data, _, ptr = mdp.csr
        for k in range(mdp.N):
            paid = mdp.R_entries[ptr[k] : ptr[k + 1]][data[ptr[k] : ptr[k + 1]] != 0]
            if paid.min() != paid.max():
                raise InvalidModel(
                    f"LatentMDP: models[{i}] pays {paid.min()} to {paid.max()} at (s={mdp.pair_state[k]}, "
                    f"a={mdp.pair_action[k]}); the reward of a pair must not depend on the next state: put "
                    "what pays into the state"
                )
    return R


def check_weights(w: NDArray[Any], exact: bool) -> None:
    """Weights are positive and sum to one."""
    if not exact and not np.isfinite(w).all():
        m = int(np.argmax(~np.isfinite(w)))
        raise InvalidModel(f"weights: weights[{m}]={w[m]}, must be finite")
    if (w <= 0).any():
        m = int(np.argmax(w <= 0))
        raise InvalidModel(f"weights: weights[{m}]={w[m]}, must be > 0; leave the context out")
    if abs(w.sum() - 1) > (0 if exact else ROW_TOL):
        raise InvalidModel(f"weights: sum to {w.sum()}, must be 1; divide them by their sum")


def check_laws(name: str, x: NDArray[Any], exact: bool) -> None:
    """Laws along the last axis: finite, ≥ 0, summing to one."""
    bad = ~np.isfinite(x) if not exact else np.zeros(x.shape, dtype=np.bool_)
    for mask, rule in ((bad, "finite"), (np.asarray(x < 0, dtype=np.bool_), "≥ 0")):
        if mask.any():
            idx = tuple(int(i) for i in np.argwhere(mask)[0])
            raise InvalidModel(f"{name}: {name}{list(idx)}={x[idx]}, probabilities must be {rule}")
    sums = x.sum(axis=-1)
    off = np.asarray(np.abs(sums - 1) > (0 if exact else ROW_TOL), dtype=np.bool_)
    if off.any():
        idx = tuple(int(i) for i in np.argwhere(off)[0])
        where = ", ".join(f"{k}={i}" for k, i in zip("msa", idx, strict=False))
        raise InvalidModel(
            f"{name}: row ({where}) sums to {sums[idx]} (off by {sums[idx] - 1}), must be 1: divide it by "
            "its sum"
        )
