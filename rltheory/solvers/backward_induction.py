"""Backward induction for finite horizons, and evaluation of time-dependent policies.

Definitions.  V_H = g, V_h(s) = max_a [R_h(s,a) + γ Σ_s' P_h(s'|s,a)V_{h+1}(s')] for h = H−1..0; there
is nothing to stop for: H backups give the optimum over all policies, history-dependent ones included.

Bounds in doubles.  A backup is monotone, so lower_h = T_h(lower_{h+1}) rounded down and
upper_h = T_h(upper_{h+1}) rounded up enclose V_h; the rounding bound is that of the one-step backup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, IntVec, sup_norm
from ..errors import InvalidArgument
from ..kernels import exact as ex
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.policy import Policy
from ..results import Status
from ..results.horizon import HorizonSolution
from .bounds import backup_pairs, enclose_backup, enclose_policy_backup, pair_weights

TIE = 1e-12


@dataclass(frozen=True)
class BackwardInduction:
    """Optimal values and a time-dependent optimal policy of a `FiniteHorizonMDP`.

    Ties go to the lowest action id (in doubles: within 1e-12·max(1, ‖V_{h+1}‖)).

    Returns from `run`
    ------------------
    `HorizonSolution`; error zero for exact models, else rounding only (rigorous, about
    H·nnz-per-row·1e-16 relative).

    Complexity: O(H·nnz).

    Source: Bellman 1957; Puterman 1994, §4.5.

    Examples
    --------
    >>> from rltheory import FiniteHorizonMDP
    >>> BackwardInduction().run(FiniteHorizonMDP([[[1.0]]], [[2.0]], H=3)).V[:, 0].tolist()
    [6.0, 4.0, 2.0, 0.0]
    """

    def run(self, model: FiniteHorizonMDP) -> HorizonSolution:
        """V_h and π_h of `model` for every step."""
        H, S = model.H, model.S
        pi = np.zeros((H, S), dtype=np.int64)
        V, lower, upper = (np.empty((H + 1, S), dtype=model.mu.dtype) for _ in range(3))
        V[H] = lower[H] = upper[H] = model.terminal_reward
        if model.is_exact:
            gamma, v = ex.to_fmpq(model.gamma), ex.to_fmpq_list(model.terminal_reward)
            for h in reversed(range(H)):
                m = model.stage(h)
                q = [
                    r + gamma * e for r, e in zip(m.rational.R, ex.expected_next(m.rational, v), strict=True)
                ]
                v, best = ex.maximise(m.rational.state_ptr, q)
                pi[h] = m.pair_action[best]
                V[h] = ex.from_fmpq_list(v)
            return HorizonSolution(V, V, V, pi, Status.EXACT, "BackwardInduction", model, H)
        with np.errstate(over="ignore", invalid="ignore"):
            self._run_float(model, V, lower, upper, pi)
        return _float_result(model, V, lower, upper, pi, "BackwardInduction")

    def _run_float(
        self, model: FiniteHorizonMDP, V: FloatVec, lower: FloatVec, upper: FloatVec, pi: IntVec
    ) -> None:
        for h in reversed(range(model.H)):
            m = model.stage(h)
            q = m.R_pairs + model.gamma * backup_pairs(m, V[h + 1])
            best = np.maximum.reduceat(q, m.state_ptr[:-1])
            slack = TIE * max(1.0, float(sup_norm(V[h + 1])))
            near = np.where(q >= best[m.pair_state] - slack, np.arange(m.N), m.N)
            pi[h] = m.pair_action[np.minimum(np.minimum.reduceat(near, m.state_ptr[:-1]), m.N - 1)]
            V[h] = best
            lower[h], _, _ = enclose_backup(m, lower[h + 1], model.gamma)
            _, upper[h], _ = enclose_backup(m, upper[h + 1], model.gamma)


def evaluate_horizon(model: FiniteHorizonMDP, pi: ArrayLike | Policy) -> HorizonSolution:
    """V^π_h = Σ_a π_h(a|s)[R_h(s,a) + γP_h V^π_{h+1}], V^π_H = g, for a time-dependent policy.

    Parameters
    ----------
    model
        The finite-horizon model.
    pi
        (H, S) action ids, (H, S, A) probabilities, or a stationary `Policy`, (S,) or (S, A) array.

    Returns
    -------
    `HorizonSolution` with bounds; error zero when the model is exact (float probabilities are lifted).

    Raises
    ------
    InvalidArgument, InvalidModel
        Wrong shape, rows off one, weight on an action that is not allowed.
    """
    weights = step_weights(model, pi)
    H = model.H
    V, lower, upper = (np.empty((H + 1, model.S), dtype=model.mu.dtype) for _ in range(3))
    V[H] = lower[H] = upper[H] = model.terminal_reward
    shown = _shown(model, pi)
    for h in reversed(range(H)):
        m, w = model.stage(h), weights[h]
        if model.is_exact:
            m_r = m.rational
            e = ex.from_fmpq_list(ex.expected_next(m_r, ex.to_fmpq_list(V[h + 1])))
            V[h] = np.add.reduceat(w * (m.R_pairs + model.gamma * e), m.state_ptr[:-1])
            continue
        V[h] = np.add.reduceat(w * (m.R_pairs + model.gamma * backup_pairs(m, V[h + 1])), m.state_ptr[:-1])
        lower[h], _, _ = enclose_policy_backup(m, w, lower[h + 1], model.gamma)
        _, upper[h], _ = enclose_policy_backup(m, w, upper[h + 1], model.gamma)
    if model.is_exact:
        return HorizonSolution(V, V, V, shown, Status.EXACT, "evaluate", model, H)
    return _float_result(model, V, lower, upper, shown, "evaluate")


def step_weights(model: FiniteHorizonMDP, pi: ArrayLike | Policy) -> list[NDArray[Any]]:
    """π as (N_h,) weights over the pairs of each step, validated; see `evaluate_horizon`."""
    arr = np.asarray(pi._pi if isinstance(pi, Policy) else pi)
    H, S = model.H, model.S
    integers = arr.dtype.kind in "iu"
    if arr.ndim == (1 if integers else 2):
        arr = np.broadcast_to(arr, (H, *arr.shape))
    if arr.ndim != (2 if integers else 3) or arr.shape[:2] != (H, S):
        raise InvalidArgument(
            f"policy: shape={arr.shape}, must be (S,) or (H, S) action ids, or (S, A) or (H, S, A) "
            f"probabilities, with H={H}, S={S}"
        )
    return [pair_weights(model.stage(h), Policy(arr[h])) for h in range(H)]


def _float_result(
    model: FiniteHorizonMDP, V: FloatVec, lower: FloatVec, upper: FloatVec, pi: NDArray[Any], name: str
) -> HorizonSolution:
    ok = bool(np.isfinite(lower).all() and np.isfinite(upper).all())
    return HorizonSolution(V, lower, upper, pi, Status.SOLVED if ok else Status.FAILED, name, model, model.H)


def _shown(model: FiniteHorizonMDP, pi: ArrayLike | Policy) -> NDArray[Any]:
    arr = np.asarray(pi._pi if isinstance(pi, Policy) else pi)
    stationary = arr.ndim == (1 if arr.dtype.kind in "iu" else 2)
    return np.broadcast_to(arr, (model.H, *arr.shape)) if stationary else arr
