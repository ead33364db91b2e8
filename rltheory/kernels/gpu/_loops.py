"""Whole solver loops on the card, the same for CSR and dense rows; stopping rules of `..bellman_csr`.

A loop is given launchers: `greedy(V, out, arg, rule, board)` starts one control backup,
`policy(rows, V, out, rule, board)` one backup of the policy that uses pair rows[s].  Both only enqueue;
the host reads the board after a burst of sweeps.  V comes back to where it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda

from ..bellman_csr import MAX_ITER, SHARE
from ._device import BURST, Board, deliver, device_array, host_array

Greedy = Callable[[Any, Any, Any, Any, Board], None]
Policy = Callable[[Any, Any, Any, Any, Board], None]

NEVER = -1.0
"""A tolerance no span meets."""


def rule_of(gamma: float, tol: float, noise: float, rmax: float, goal: float) -> Any:
    """The rule kernels read: (γ, tol, noise, max|R|, goal) on the card."""
    return cuda.to_device(np.array([gamma, tol, noise, rmax, goal], dtype=np.float64))


def once(S: int, launch: Callable[[Any, Board], None]) -> tuple[float, float]:
    """Bounds (min, max) of the residual of one sweep."""
    board = Board(S)
    launch(rule_of(0.0, NEVER, NEVER, 0.0, NEVER), board)
    _, _, lo, hi, _ = board.read()
    return lo, hi


class Pair:
    """Two value vectors on the card that take turns; `now` holds the current one."""

    def __init__(self, V: Any) -> None:
        self.now = cuda.to_device(np.array(host_array(V), dtype=np.float64))
        self.next = cuda.device_array(self.now.shape, dtype=np.float64)

    def burst(
        self, launch: Callable[[Any, Any, Any, Board], None], rule: Any, board: Board, most: int
    ) -> tuple[int, int, float, float, int]:
        """Up to `most` sweeps; the board's account of those that were needed."""
        board.clear()
        x, y = self.now, self.next
        for _ in range(most):
            launch(x, y, rule, board)
            x, y = y, x
        account = board.read()
        if account[1] % 2:
            self.now, self.next = self.next, self.now
        return account


def value_iteration(
    greedy: Greedy, gamma: float, V: Any, tol: float, noise: float, rmax: float, max_iter: int, spans: Any
) -> tuple[int, int, float, float]:
    """`..bellman_csr.value_iteration` with the sweeps of `greedy`."""
    S = V.shape[0]
    pair, board, arg = Pair(V), Board(S), cuda.to_device(np.zeros(S, dtype=np.uint64))
    rule = rule_of(gamma, tol, noise, rmax, NEVER)
    how, n, lo, hi = MAX_ITER, 0, -np.inf, np.inf

    def sweep(x: Any, y: Any, rule: Any, board: Board) -> None:
        greedy(x, y, arg, rule, board)

    while n < max_iter and how == MAX_ITER:
        how, done, lo, hi, _ = pair.burst(sweep, rule, board, min(BURST, max_iter - n))
        keep = min(done, len(spans) - n)
        if keep > 0:
            spans[n : n + keep] = board.spans.copy_to_host()[:keep]
        n += done
    deliver(pair.now, V)
    return how, n, lo, hi


def modified_policy_iteration(
    greedy: Greedy, policy: Policy, N: int, gamma: float, V: Any, tol: float, noise: float, rmax: float,
    max_iter: int, sweeps: int, spans: Any,
) -> tuple[int, int, float, float, int]:  # fmt: skip
    """`..bellman_csr.modified_policy_iteration`; looks at all pairs."""
    S = V.shape[0]
    pair, board, arg = Pair(V), Board(S), cuda.to_device(np.full(S, N, dtype=np.uint64))
    outer = rule_of(gamma, tol, noise, rmax, NEVER)
    how, n, extra, lo, hi = MAX_ITER, 0, 0, -np.inf, np.inf
    most = -sweeps if sweeps < 0 else 1 << 62

    def improve(x: Any, y: Any, rule: Any, board: Board) -> None:
        greedy(x, y, arg, rule, board)

    def evaluate(x: Any, y: Any, rule: Any, board: Board) -> None:
        policy(arg, x, y, rule, board)

    while n < max_iter:
        how, _, lo, hi, changed = pair.burst(improve, outer, board, 1)
        if n < len(spans):
            spans[n] = hi - lo
        n += 1
        if how != MAX_ITER:
            break
        goal = NEVER if changed == 0 else SHARE * (hi - lo)
        inner = rule_of(gamma, 0.5 * tol, noise, rmax, goal)
        if sweeps > 0:
            inner = rule_of(gamma, NEVER, NEVER, 0.0, NEVER)
        limit, m, stop = sweeps if sweeps > 0 else min(1000, most - extra), 0, 0
        while m < limit and stop == 0:
            stop, done, _, _, _ = pair.burst(evaluate, inner, board, min(BURST, limit - m))
            m += done
        extra += m
        if extra >= most:
            break
    deliver(pair.now, V)
    return how, n, lo, hi, extra


def place(*arrays: Any) -> tuple[Any, ...]:
    """Each array on the card."""
    return tuple(device_array(x) for x in arrays)


def scratch(n: int) -> Any:
    """(n,) doubles on the card, not initialised."""
    return cuda.device_array(n, dtype=np.float64)
