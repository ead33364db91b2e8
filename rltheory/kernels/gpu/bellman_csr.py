"""Bellman backups and solver loops over CSR pair rows on a card; twin of `rltheory.kernels.bellman_csr`.

Arguments, results and stopping rules are those of the twin; arrays may be on the card or the host.
Gauss–Seidel has no twin here: its sweeps are sequential.
"""

from __future__ import annotations

from typing import Any

from ..bellman_csr import CONVERGED, MAX_ITER, NOT_FINITE, STALLED
from . import _loops, _sweeps
from ._device import THREADS, Board, blocks_for, deliver
from ._loops import place

__all__ = [
    "CONVERGED", "MAX_ITER", "NOT_FINITE", "STALLED", "backup", "chosen_backup",
    "modified_policy_iteration", "q_values", "value_iteration", "weighted_backup",
]  # fmt: skip


def q_values(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: float, state_ptr: Any, V: Any, q: Any
) -> None:
    """q = R + γPV over the pairs, into `q` (N,)."""
    data, indices, indptr, R, V, result = place(data, indices, indptr, R, V, q)
    _sweeps.csr_q[blocks_for(R.shape[0]), THREADS](data, indices, indptr, R, gamma, V, result)
    deliver(result, q)


def backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: float, state_ptr: Any, V: Any, out: Any, arg: Any
) -> tuple[float, float]:
    """out = TV and the first greedy pair of each state; returns (min, max) of TV − V, NaN if either is."""
    greedy = _greedy(data, indices, indptr, R, gamma, state_ptr)
    V, new, pick = place(V, out, arg)
    bounds = _loops.once(V.shape[0], lambda rule, board: greedy(V, new, pick, rule, board))
    deliver(new, out)
    deliver(pick, arg)
    return bounds


def chosen_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: float, state_ptr: Any, rows: Any, V: Any, out: Any
) -> tuple[float, float]:
    """out = T^πV for the policy that uses pair rows[s] in state s; returns (min, max) of T^πV − V."""
    policy = _policy(data, indices, indptr, R, gamma)
    rows, V, new = place(rows, V, out)
    bounds = _loops.once(V.shape[0], lambda rule, board: policy(rows, V, new, rule, board))
    deliver(new, out)
    return bounds


def weighted_backup(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: float, state_ptr: Any, weights: Any, V: Any, out: Any
) -> tuple[float, float]:
    """out = T^πV for π as (N,) weights of the pairs; returns (min, max) of T^πV − V."""
    data, indices, indptr, R, ptr, weights, V, new = place(
        data, indices, indptr, R, state_ptr, weights, V, out
    )
    q = _loops.scratch(R.shape[0])
    _sweeps.csr_q[blocks_for(R.shape[0]), THREADS](data, indices, indptr, R, gamma, V, q)

    def launch(rule: Any, board: Board) -> None:
        _sweeps.average[board.blocks, THREADS](q, ptr, weights, True, V, new, rule, *board.outputs)

    bounds = _loops.once(V.shape[0], launch)
    deliver(new, out)
    return bounds


def value_iteration(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: float, state_ptr: Any, V: Any, tol: float,
    noise: float, rmax: float, max_iter: int, spans: Any,
) -> tuple[int, int, float, float]:  # fmt: skip
    """Jacobi value iteration in place; (how, sweeps, lo, hi) as the twin."""
    greedy = _greedy(data, indices, indptr, R, gamma, state_ptr)
    return _loops.value_iteration(greedy, gamma, V, tol, noise, rmax, max_iter, spans)


def modified_policy_iteration(
    data: Any, indices: Any, indptr: Any, R: Any, gamma: float, state_ptr: Any, V: Any, tol: float,
    noise: float, rmax: float, max_iter: int, sweeps: int, pace: float, spans: Any,
) -> tuple[int, int, float, float, int]:  # fmt: skip
    """Greedy steps and Jacobi sweeps of the greedy policy; (how, steps, lo, hi, sweeps) as the twin.

    `pace` is not looked at: all sweeps allowed are made.
    """
    data, indices, indptr, R = place(data, indices, indptr, R)
    greedy = _greedy(data, indices, indptr, R, gamma, state_ptr)
    policy = _policy(data, indices, indptr, R, gamma)
    return _loops.modified_policy_iteration(
        greedy, policy, R.shape[0], gamma, V, tol, noise, rmax, max_iter, sweeps, spans
    )


def _greedy(data: Any, indices: Any, indptr: Any, R: Any, gamma: float, state_ptr: Any) -> _loops.Greedy:
    data, indices, indptr, R, ptr = place(data, indices, indptr, R, state_ptr)

    def launch(V: Any, out: Any, arg: Any, rule: Any, board: Board) -> None:
        _sweeps.csr_backup[board.blocks, THREADS](
            data, indices, indptr, R, gamma, ptr, V, out, arg, rule, *board.outputs
        )

    return launch


def _policy(data: Any, indices: Any, indptr: Any, R: Any, gamma: float) -> _loops.Policy:
    data, indices, indptr, R = place(data, indices, indptr, R)

    def launch(rows: Any, V: Any, out: Any, rule: Any, board: Board) -> None:
        _sweeps.csr_chosen[board.blocks, THREADS](
            data, indices, indptr, R, gamma, rows, V, out, rule, *board.outputs
        )

    return launch
