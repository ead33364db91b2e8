"""Nanoseconds per (state, stock, outcome) of the stock kernels, and how near they come to memory speed.

A backup adds, for every state, stock node and outcome, one value of the next step: 8 bytes each, so
"addends" divides 8 bytes by the time and by the read bandwidth of this process in the cache that holds
the partial sums.  "Compulsory" is what must move through memory once: W in, V and actions out, 18
bytes a state and node.  The NumPy rows do the same sum with one array expression an outcome.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from . import meter, stream

SIZES = {
    "small": ((10, 3, 4, 201), (100, 4, 3, 2_001)),
    "medium": ((10, 2, 3, 100_001), (1_000, 4, 3, 2_001)),
}
"""(S, A, outcomes a pair, stock nodes)."""
LEVEL = 1 << 15
"""Bytes at which the bandwidth of the addends is taken: the first-level cache."""


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """One row a kernel and size, then whole solves."""
    rows = []
    for size in args.size or ["small", "medium"]:
        if size not in SIZES:
            raise ValueError(f"--size={size!r}; stock has {', '.join(SIZES)}")
        for shape in SIZES[size]:
            rows += kernels(shape, args.repeats)
    return {"table": rows + solves(args.repeats), "stream": stream.measure(), "load": meter.load()}


def kernels(shape: tuple[int, int, int, int], repeats: int) -> list[dict[str, Any]]:
    """Lattice and interpolated backup, push, sweep of a grid, and NumPy's backup."""
    S, A, B, n = shape
    work = S * A * B * n
    fast = stream.read(LEVEL)
    limit = stream.read(int(min(stream.DRAM, 2 ** round(np.log2(18 * S * n)))))
    rows = []
    for name, call in calls(S, A, B, n):
        clock = meter.per_call(call, repeats=repeats)
        outcomes = work / A if "push" in name else work
        seconds = clock["cpu"]
        rows.append(
            {
                "kernel": name,
                "S×A×B×n": f"{S}×{A}×{B}×{n}",
                "ms": seconds * 1e3,
                "ns": seconds / outcomes * 1e9,
                "addends GB/s": 8 * outcomes / seconds / 1e9,
                "% of cache reads": 100 * 8 * outcomes / seconds / 1e9 / fast,
                "compulsory GB/s": 18.0 * S * n / seconds / 1e9,
                "% of reads": 100 * 18.0 * S * n / seconds / 1e9 / limit,
            }
        )
    return rows


def calls(S: int, A: int, B: int, n: int) -> list[tuple[str, Callable[[], Any]]]:
    """(name, call) of one size; rewards in {−2, …, 2}."""
    from rltheory.kernels import stock

    rng = np.random.default_rng(0)
    K = S * A * B
    state_ptr, outcome_ptr = np.arange(0, S * A + 1, A), np.arange(0, K + 1, B)
    prob = rng.dirichlet(np.ones(B), S * A).reshape(-1)
    target, kind = rng.integers(0, S, K), rng.integers(0, 5, K)
    rewards = np.arange(-2.0, 3.0)
    head = state_ptr, outcome_ptr, prob, target
    offset, none, some = kind.astype(np.int64), np.zeros(K), np.full(K, 0.3)
    W, V, act = rng.random((S, n + 5)), np.empty((S, n)), np.zeros((S, n), np.uint16)
    mass, out = rng.random((S, n)), np.zeros((S, n + 5))
    gamma = 0.9
    lo, delta = -2 / (1 - gamma), 4 / (1 - gamma) / (n - 1)
    table = np.empty(5, np.int64), np.empty(5, np.int64), np.empty((5, n), np.uint32), np.empty((5, n))
    stock.stretch_table(rewards, gamma, lo, delta, n, *table)
    ends, U, new = np.zeros((2, S)), rng.random((S, n)), np.empty((S, n))

    def plain() -> None:
        for s in range(S):
            best = None
            for a in range(s * A, (s + 1) * A):
                q = sum(prob[k] * W[target[k], offset[k] : offset[k] + n] for k in range(a * B, (a + 1) * B))
                best = q if best is None else np.maximum(best, q)
            V[s] = best

    return [
        ("lattice backup", lambda: stock.shift_backup(*head, offset, none, W, V, act)),
        ("interpolated backup", lambda: stock.shift_backup(*head, offset, some, W, V, act)),
        ("NumPy lattice backup, no actions", plain),
        ("push", lambda: stock.shift_push(*head, offset, none, act, mass, out)),
        (
            "grid sweep",
            lambda: stock.stretch_sweep(*head, kind, gamma, *table, 1.0, -1.0, ends, U, new, act),
        ),
    ]


def solves(repeats: int) -> list[dict[str, Any]]:
    """Whole solves through the facade."""
    import rltheory as rl
    from rltheory import objectives as ob

    grid = rl.gallery.slippery_grid(1.0)
    river = rl.gallery.river_swim(S=50, gamma=0.95)
    jobs: list[tuple[str, Callable[[], Any]]] = [
        (
            "16 cells, H=8, target, lattice",
            lambda: rl.StockDP(ob.target()).run(rl.stock_augmented(grid, H=8)),
        ),
        (
            "16 cells, H=200, CVaR, lattice",
            lambda: rl.StockDP(rl.cvar(0.1)).run(rl.stock_augmented(grid, H=200)).value(0),
        ),
        (
            "RiverSwim 50, γ=.95, CVaR, grid of 2001",
            lambda: rl.StockDP(rl.cvar(0.1), atoms=2_001).run(rl.stock_augmented(river)),
        ),
    ]
    rows = []
    for name, call in jobs:
        clock = meter.per_call(call, repeats=min(repeats, 3))
        rows.append({"kernel": name, "S×A×B×n": "", "ms": clock["cpu"] * 1e3})
    columns = ("ns", "addends GB/s", "% of cache reads", "compulsory GB/s", "% of reads")
    return [{**row, **dict.fromkeys(columns, "")} for row in rows]
