"""Policy evaluation, V^π = (I − γP_π)⁻¹R_π, and the advantage Q^π − V^π.

Method.  Rationals: fraction-free elimination.  Doubles: a direct or Krylov solve of the structure at
hand (`kernels.evaluate`), refined once; for sparse models a burst of sweeps first, because a chain
that mixes fast needs no factorisation.  Whatever V comes out is enclosed by one backup; if the
enclosure misses the tolerance, sweeps V ← T^πV go on from the better of the two until it is met or
rounding stops them.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatVec, StateAction, frozen, sup_norm
from ..errors import InvalidArgument
from ..kernels import exact as rational
from ..kernels import small
from ..kernels.evaluate import DENSE_LIMIT
from ..kernels.pick import Device, pick
from ..models.kinds import check_mdp
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators._arrays import PairArrays, chosen_rows, csr_arrays, pair_arrays, read_only, small_model
from ..operators.bellman import q_values
from ..operators.policy import (
    as_policy,
    pair_entries,
    policy_rows,
    reward_vector,
    small_weights,
    transition_matrix,
)
from ..results.solution import Solution, Status
from .base import SPANS, TOL, certified, check_tol

BURST = 80
"""Sweeps tried on a sparse model before any factorisation."""
PATIENCE = 200_000
"""Sweeps allowed after a solve whose residual was rejected."""


def evaluate(mdp: MDP, pi: Policy | ArrayLike, *, tol: float = TOL, device: Device = "cpu") -> Solution:
    """V^π = (I − γP_π)⁻¹R_π, enclosed.

    Parameters
    ----------
    mdp
        Model in either number system.
    pi
        Policy, deterministic or stochastic; a float policy on an exact model is lifted exactly.
    tol
        Error asked for, relative to max(1, ‖V‖).
    device
        "cuda" solves the linear system of a model in doubles on a card (needs CuPy); the enclosure is
        computed on the CPU.

    Returns
    -------
    Solution
        V^π, discounted, with lower ≤ V^π ≤ upper; EXACT with error 0 for exact models.  STALLED if
        rounding keeps the enclosure wider than `tol`.

    Raises
    ------
    InvalidArgument
        If π has the wrong shape or uses an action that is not allowed; for a card and an exact model.
    MissingBackend
        If the card or its packages are missing.

    Complexity: O(S³) dense; sparse LU, Krylov or sweeps for CSR models.

    Examples
    --------
    >>> from rltheory import MDP
    >>> evaluate(MDP([[[1.0]]], [[1.0]], gamma=0.5), [0]).V
    array([2.])
    """
    check_mdp(mdp, "evaluate")
    check_tol(tol)
    linear = pick("evaluate", device)
    if mdp.is_exact and device != "cpu":
        raise InvalidArgument(f"device={device!r}: the model is rational; use mdp.float() or device='cpu'")
    pi = pi if isinstance(pi, Policy) else Policy(pi)
    if not mdp.is_exact and device == "cpu":
        sol = _small(mdp, pi, tol)
        if sol is not None:
            return sol
    pi = as_policy(mdp, pi)
    if mdp.is_exact:
        V = rational.from_fmpq_list(rational.evaluate_weights(mdp.rational, pair_entries(mdp, pi)))
        return _enclosed(mdp, V, pi.exact(), tol, 0, ())
    with np.errstate(all="ignore"):
        return _evaluate_float(mdp, pi, tol, linear, BURST if device == "cpu" else 0)


def advantage(mdp: MDP, pi: Policy | ArrayLike) -> StateAction:
    """Adv^π(s, a) = R(s, a) + γ Σ_t P(t|s, a) V^π(t) − V^π(s).

    Returns
    -------
    (S, A) array, −inf where an action is not allowed; exact for exact models, otherwise within
    (1 + γ) times `evaluate(mdp, pi).error` plus rounding.  Arguments, errors and cost as `evaluate`.
    """
    V = evaluate(mdp, pi).V
    return q_values(mdp, V) - V[:, None]


def _small(mdp: MDP, pi: Policy, tol: float) -> Solution | None:
    """`evaluate` in one compiled call; None where the model is large, π odd or the tolerance missed."""
    model, weights = small_model(mdp), small_weights(mdp, pi)
    if model is None or weights is None:
        return None
    out = np.empty((3, mdp.S))
    error, norm = small.evaluate(*model, weights, pi.is_deterministic, out)
    if not (error < np.inf and error <= tol * max(1.0, norm)):
        return None
    out.flags.writeable = False
    V, lower, upper = out
    return Solution(V, lower, upper, pi, Status.SOLVED, "evaluate", mdp, evaluations=1)


def _evaluate_float(mdp: MDP, pi: Policy, tol: float, linear: ModuleType, burst: int) -> Solution:
    V, sweeps, spans = np.zeros(mdp.S), 0, np.empty(SPANS)
    pairs = _one_action(mdp, pi)
    if burst and not pairs.dense and mdp.S > DENSE_LIMIT:
        how, sweeps, V = _sweep(pairs, V, tol / 4, burst, spans)
        if how == 1:
            sol = _enclosed(mdp, V, pi, tol, sweeps, spans)
            if sol.status.ok:
                return sol
    P: Any = transition_matrix(mdp, pi) if pairs.dense else transition_matrix(mdp, pi, sparse=True)
    direct = linear.solve_discounted(P, pairs.R, float(mdp.gamma))
    sol = _enclosed(mdp, direct, pi, tol, sweeps, spans)
    if sol.status.ok:
        return sol
    V = direct if np.isfinite(direct).all() else V
    _, more, V = _sweep(pairs, V, tol / 4, PATIENCE, spans[min(sweeps, SPANS) :])
    swept = _enclosed(mdp, V, pi, tol, sweeps + more, spans)
    return swept if not np.isfinite(float(sol.error)) or swept.error < sol.error else sol


def _enclosed(mdp: MDP, V: Any, pi: Policy, tol: float, sweeps: int, spans: Any) -> Solution:
    return certified(
        mdp,
        V,
        pi,
        solver="evaluate",
        tol=tol,
        evaluated=True,
        iterations=sweeps,
        backups=sweeps,
        evaluations=1,
        residuals=[float(x) for x in spans[:sweeps]],
    )


def _one_action(mdp: MDP, pi: Policy) -> PairArrays:
    """The policy's own Markov chain as a one-action model (rounded for stochastic policies)."""
    if pi.is_deterministic:
        return chosen_rows(pair_arrays(mdp), policy_rows(mdp, pi))
    pairs = pair_arrays(mdp)
    ptr = frozen(np.arange(mdp.S + 1).astype(np.uint64))
    R = read_only(reward_vector(mdp, pi))
    if pairs.dense:
        P = read_only(transition_matrix(mdp, pi))
        return PairArrays(pairs.dense, (P, R, float(mdp.gamma), ptr), mdp.S)
    m = transition_matrix(mdp, pi, sparse=True)
    cut = (
        read_only(m.data),
        frozen(m.indices.astype(np.uint32)),
        frozen(m.indptr.astype(np.uint64)),
    )
    longest = int(np.diff(m.indptr).max())
    return PairArrays(pairs.dense, (*cut, R, csr_arrays(mdp)[4], ptr), longest)


def _sweep(
    pairs: PairArrays, V: FloatVec, tol: float, limit: int, spans: FloatVec
) -> tuple[int, int, FloatVec]:
    """Span-stopped sweeps of a one-action model from V; (how, sweeps, midpoint)."""
    V = V.copy()
    gamma, rmax = pairs.model[-2], float(sup_norm(pairs.R))
    how, n, lo, hi = pairs.kernels.value_iteration(*pairs.model, V, tol, pairs.noise, rmax, limit, spans)
    return how, n, V + gamma / (1 - gamma) * 0.5 * (lo + hi) if how in (1, 2) else V
