"""Latent MDPs: nanoseconds a history or belief node, the largest exact solves, and certified gaps beyond.

Models are random with full support, hidden rewards (nothing is told apart but by transitions) and Dirichlet
laws: the hard case for beliefs.  "exact" solves grow in H until the budget (`--budget`, CPU seconds) or the
limit of nodes is passed; the last row of a shape is the largest that fits.  "gap" is what `PointBased`
certifies after as many trials as say so, where exact planning is far out of reach.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import meter

SHAPES = {"small": ((2, 2, 2), (3, 2, 2)), "medium": ((2, 2, 2), (6, 2, 2), (3, 3, 2), (3, 3, 3), (3, 4, 2))}
"""(M, S, A) of the exact solves."""
GAPS = {
    "small": ((3, 5, 3, 5), (3, 5, 3, 10)),
    "medium": ((3, 5, 3, 5), (3, 5, 3, 10), (3, 5, 3, 20), (5, 10, 4, 10)),
}
"""(M, S, A, H)."""
TRIALS = (100, 1_000, 4_000)
MOST = 20_000_000
"""Nodes possible up to which an exact solve is tried."""


def model(M: int, S: int, A: int, H: int, seed: int = 0) -> Any:
    """A random latent MDP with full support and hidden rewards."""
    import rltheory as rl

    rng = np.random.default_rng(seed)
    P, R = rng.dirichlet(np.ones(S), (M, S, A)), rng.random((M, S, A)) / H
    nu = rng.dirichlet(np.ones(S), M)
    return rl.LatentMDP.from_arrays(P, R, weights=np.ones(M) / M, nu=nu, H=H, observe_rewards=False)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Nodes, then the exact solves, then gaps."""
    size = (args.size or ["small"])[-1]
    if size not in SHAPES:
        raise ValueError(f"--size={size!r}; latent has {', '.join(SHAPES)}")
    rows = nodes()
    for shape in SHAPES[size]:
        rows += exact(shape, args.budget)
    for gap_shape in GAPS[size]:
        rows += gaps(gap_shape, args.budget)
    return {"table": rows, "load": meter.load()}


def nodes() -> list[dict[str, Any]]:
    """History and belief nodes, best of three."""
    from rltheory.solvers import BeliefDP

    rows = []
    for shape in ((2, 2, 2, 11), (3, 3, 2, 8), (4, 3, 2, 8), (3, 4, 2, 7)):
        for name, solver in (("history", BeliefDP(False, 10**9)), ("belief", BeliefDP())):
            x = model(*shape)
            solver.run(x.replace(H=2))
            seconds, sol = best(partial(solver.run, x))
            count = sol.stats["nodes"]
            rows.append(row(f"{name} nodes", shape, seconds, nodes=count, ns=seconds / count * 1e9))
    return rows


def best(call: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """(least CPU seconds, result)."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        out = call()
        times.append(time.process_time() - start)
    return min(times), out


def exact(shape: tuple[int, int, int], budget: float) -> list[dict[str, Any]]:
    """Exact solves of growing horizon."""
    from rltheory.operators import history_tree
    from rltheory.solvers import BeliefDP

    rows, H = [], 4
    while sum(history_tree(model(*shape, H)).beliefs) <= MOST:
        seconds, sol = best(partial(BeliefDP(max_nodes=MOST).run, model(*shape, H)), 1)
        count = sol.stats["nodes"]
        rows.append(row("exact", (*shape, H), seconds, nodes=count, ns=seconds / count * 1e9, gap=sol.gap))
        if seconds > budget:
            break
        H += 1 if H < 10 else 2
    return rows


def gaps(shape: tuple[int, int, int, int], budget: float) -> list[dict[str, Any]]:
    """Certified gaps after growing numbers of trials."""
    from rltheory.solvers import PointBased

    rows = []
    for trials in TRIALS:
        solver = PointBased(tol=1e-6, max_trials=trials)
        seconds, sol = best(partial(solver.run, model(*shape)), 1)
        rows.append(row(f"gap, {trials} trials", shape, seconds, gap=sol.gap))
        if seconds > budget:
            break
    return rows


def row(what: str, shape: tuple[int, ...], seconds: float, **more: Any) -> dict[str, Any]:
    """One line of the table."""
    out = {"what": what, "M×S×A×H": "×".join(map(str, shape)), "CPU s": seconds}
    return {**out, "nodes": "", "ns": "", "gap": "", **more}
