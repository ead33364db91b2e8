"""Rigorous one-step bounds in doubles at any discount up to and including 1, and pair weights."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, float_array, sup_norm
from ..kernels.certificate import backup_error, enclose_policy_backup_csr
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators._arrays import csr_arrays, numbers, pair_arrays, read_only, row_bounds
from ..operators.policy import as_policy, policy_weights


def backup_pairs(mdp: MDP, V: FloatVec) -> FloatVec:
    """(N,) expected next value PV in doubles (rounded)."""
    if mdp.layout == "dense":
        out: FloatVec = mdp.P_pairs @ V
        return out
    data, indices, indptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(indptr))
    sums: FloatVec = np.bincount(owner, weights=data * V[indices], minlength=mdp.N).astype(np.float64)
    return sums


def enclose_backup(mdp: MDP, V: FloatVec, gamma: float) -> tuple[FloatVec, FloatVec, float]:
    """(lower, upper, defect): lower ≤ max_a [R + γPV] ≤ upper; defect bounds |Σ_s' P(s'|s,a) − 1|."""
    pairs = pair_arrays(mdp)
    known, z, rows = row_bounds(mdp, pairs), np.empty(mdp.S), np.empty(mdp.S, np.int64)
    e, _ = backup_error(pairs.longest, float(gamma), known.smax, float(sup_norm(V)), known.rmax)
    model = (*pairs.model[:-2], float(gamma), pairs.model[-1])
    pairs.kernels.greedy_backup(*model, np.array(V), 0.0, z, rows)
    with np.errstate(all="ignore"):
        lo, hi = np.nextafter(z - e, -np.inf), np.nextafter(z + e, np.inf)
    finite = np.isfinite(e)
    return np.where(finite, lo, -np.inf), np.where(finite, hi, np.inf), _defect(known.smin, known.smax)


def enclose_policy_backup(
    mdp: MDP, weights: FloatVec, V: FloatVec, gamma: float
) -> tuple[FloatVec, FloatVec, float]:
    """As `enclose_backup`, for Σ_a π(a|s)[R + γPV] with pair weights π."""
    lo, hi = np.empty(mdp.S), np.empty(mdp.S)
    data, indices, indptr, R, _, ptr = csr_arrays(mdp)
    w = read_only(float_array(weights))
    sums = enclose_policy_backup_csr(
        data, indices, indptr, R, float(gamma), ptr, w, np.array(V), lo, hi, True
    )
    return lo, hi, _defect(*sums)


def pair_weights(mdp: MDP, pi: ArrayLike | Policy) -> NDArray[Any]:
    """(N,) π(a|s) of the allowed pairs in the model's number system; refused if π leaves them."""
    return numbers(mdp, policy_weights(mdp, as_policy(mdp, pi)))


def stochastic(mdp: MDP) -> MDP:
    """`mdp` with every row divided by its sum, if exact and some sum is not one; else `mdp` itself."""
    if not mdp.is_exact:
        return mdp
    data, indices, indptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(indptr))
    sums = np.array([Fraction(0)] * mdp.N, dtype=object)
    np.add.at(sums, owner, data)
    if (sums == 1).all():
        return mdp
    return MDP.from_pairs(
        (data / sums[owner], indices, indptr),
        mdp.R_pairs,
        mdp.gamma,
        pair_state=mdp.pair_state,
        pair_action=mdp.pair_action,
        S=mdp.S,
        mu=mdp.mu / mdp.mu.sum(),
        terminal=mdp.terminal,
    )


def _defect(smin: float, smax: float) -> float:
    return float(np.nextafter(max(1.0 - smin, smax - 1.0, 0.0), np.inf))
