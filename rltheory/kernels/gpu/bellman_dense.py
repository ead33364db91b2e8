"""Bellman backups and solver loops over dense pair rows on a card; twin of `rltheory.kernels.bellman_dense`.

Two launches a sweep: PV with a warp a row, then the maximum, the argument and the residual's bounds.
Arguments and results are the twin's; arrays may be on the card or the host.
"""

from __future__ import annotations

from typing import Any

from ..bellman_csr import CONVERGED, MAX_ITER, NOT_FINITE, STALLED
from . import _loops, _sweeps
from ._device import THREADS, Board, blocks_for, deliver
from ._loops import place, scratch

__all__ = [
    "CONVERGED", "MAX_ITER", "NOT_FINITE", "STALLED", "backup", "chosen_backup",
    "modified_policy_iteration", "q_values", "value_iteration", "weighted_backup",
]  # fmt: skip


def q_values(P: Any, R: Any, gamma: float, state_ptr: Any, V: Any, q: Any) -> None:
    """q = R + γPV over the pairs, into `q` (N,)."""
    P, R, V, result = place(P, R, V, q)
    _dots(P, R, gamma, V, result, Board(1))
    deliver(result, q)


def backup(
    P: Any, R: Any, gamma: float, state_ptr: Any, V: Any, out: Any, arg: Any, q: Any
) -> tuple[float, float]:
    """out = TV, arg the first greedy pair; `q` (N,) is scratch; returns (min, max) of TV − V."""
    greedy = _greedy(P, R, gamma, state_ptr)
    V, new, pick = place(V, out, arg)
    bounds = _loops.once(V.shape[0], lambda rule, board: greedy(V, new, pick, rule, board))
    deliver(new, out)
    deliver(pick, arg)
    return bounds


def chosen_backup(
    P: Any, R: Any, gamma: float, state_ptr: Any, rows: Any, V: Any, out: Any
) -> tuple[float, float]:
    """out = T^πV for the policy that uses pair rows[s] in state s; returns (min, max) of T^πV − V."""
    policy = _policy(P, R, gamma, state_ptr)
    rows, V, new = place(rows, V, out)
    bounds = _loops.once(V.shape[0], lambda rule, board: policy(rows, V, new, rule, board))
    deliver(new, out)
    return bounds


def weighted_backup(
    P: Any, R: Any, gamma: float, state_ptr: Any, weights: Any, V: Any, out: Any
) -> tuple[float, float]:
    """out = T^πV for π as (N,) weights of the pairs; returns (min, max) of T^πV − V."""
    P, R, ptr, weights, V, new = place(P, R, state_ptr, weights, V, out)
    q = scratch(R.shape[0])

    def launch(rule: Any, board: Board) -> None:
        _dots(P, R, gamma, V, q, board)
        _sweeps.average[board.blocks, THREADS](q, ptr, weights, True, V, new, rule, *board.outputs)

    bounds = _loops.once(V.shape[0], launch)
    deliver(new, out)
    return bounds


def value_iteration(
    P: Any, R: Any, gamma: float, state_ptr: Any, V: Any, tol: float, noise: float, rmax: float,
    max_iter: int, spans: Any,
) -> tuple[int, int, float, float]:  # fmt: skip
    """Jacobi value iteration in place; (how, sweeps, lo, hi) as the twin."""
    greedy = _greedy(P, R, gamma, state_ptr)
    return _loops.value_iteration(greedy, gamma, V, tol, noise, rmax, max_iter, spans)


def modified_policy_iteration(
    P: Any, R: Any, gamma: float, state_ptr: Any, V: Any, tol: float, noise: float, rmax: float,
    max_iter: int, sweeps: int, pace: float, spans: Any,
) -> tuple[int, int, float, float, int]:  # fmt: skip
    """Greedy steps and Jacobi sweeps of the greedy policy; (how, steps, lo, hi, sweeps) as the twin.

    `pace` is not looked at: all sweeps allowed are made.
    """
    P, R, ptr = place(P, R, state_ptr)
    greedy, policy = _greedy(P, R, gamma, ptr), _policy(P, R, gamma, ptr)
    return _loops.modified_policy_iteration(
        greedy, policy, R.shape[0], gamma, V, tol, noise, rmax, max_iter, sweeps, spans
    )


def _dots(P: Any, R: Any, gamma: float, V: Any, q: Any, board: Board, rows: Any = None) -> None:
    """q = R + γPV for all pairs, or for `rows`; nothing if the board says stop."""
    blocks = blocks_for(q.shape[0] * _sweeps.LANES)
    listed = rows is not None
    _sweeps.dense_q[blocks, THREADS](P, R, gamma, rows if listed else R, listed, V, q, board.state)


def _greedy(P: Any, R: Any, gamma: float, state_ptr: Any) -> _loops.Greedy:
    P, R, ptr = place(P, R, state_ptr)
    q = scratch(R.shape[0])

    def launch(V: Any, out: Any, arg: Any, rule: Any, board: Board) -> None:
        _dots(P, R, gamma, V, q, board)
        _sweeps.maximise[board.blocks, THREADS](q, ptr, V, out, arg, rule, *board.outputs)

    return launch


def _policy(P: Any, R: Any, gamma: float, state_ptr: Any) -> _loops.Policy:
    P, R, ptr = place(P, R, state_ptr)
    q = scratch(ptr.shape[0] - 1)

    def launch(rows: Any, V: Any, out: Any, rule: Any, board: Board) -> None:
        _dots(P, R, gamma, V, q, board, rows)
        _sweeps.average[board.blocks, THREADS](q, ptr, R, False, V, out, rule, *board.outputs)

    return launch
