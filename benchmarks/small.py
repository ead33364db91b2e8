"""Small models: one at a time, and thousands in one call.

Targets: S = 20 dense in 10 µs of kernel and 30 µs through the public API; 10⁵ models a second for
S = 8, A = 3, γ = 0.9 at a certified 1e-9; 4096 finite-horizon models (S = 20, A = 4, H = 100) in 0.15 s.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from . import meter

HORIZON = ("solve_horizon_batch", "solve_finite_horizon_batch")
OCCUPANCY = ("occupancy_batch", "batch_occupancy")
"""Names looked for in `rltheory.solvers`; where there is none, models are done one by one."""


def random_batch(B: int, S: int, A: int, seed: int = 0) -> tuple[Any, Any]:
    """(B, S, A, S) Dirichlet rows and (B, S, A) uniform rewards."""
    rng = np.random.default_rng(seed)
    P = rng.standard_exponential((B, S, A, S))
    P /= P.sum(axis=-1, keepdims=True)
    return P, rng.random((B, S, A))


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All rows."""
    repeats = args.repeats
    rows = [*one_by_one(repeats), *batches(repeats), *horizon(repeats)]
    return {"table": rows, "load": meter.load()}


def row(what: str, clock: dict[str, float], *, items: int = 1, target: float | None = None) -> dict[str, Any]:
    """CPU microseconds a model, models a second, and the target in the same unit."""
    each = clock["cpu"] / items
    return {
        "what": what,
        "µs each": each * 1e6,
        "least µs": clock["least"] / items * 1e6,
        "per second": round(1 / each),
        "target µs": target * 1e6 if target else "",
        "within": ("yes" if each <= target else "no") if target else "",
    }


def one_by_one(repeats: int) -> list[dict[str, Any]]:
    """S = 20, A = 4, γ = 0.95, dense."""
    import rltheory as rl
    from rltheory.kernels import batched
    from rltheory.solvers import solve_batch

    P, R = random_batch(1, 20, 4)
    mdp = rl.MDP(P[0], R[0], 0.95)
    flat, gamma = P.reshape(1, 80, 20), np.array([0.95])
    rewards = R.reshape(1, 80)
    pi, lower, upper = np.zeros((1, 20), np.int64), np.empty((1, 20)), np.empty((1, 20))

    def kernel() -> None:
        batched.solve_models(flat, rewards, gamma, 1e-8, np.zeros((1, 20)), pi, lower, upper)

    def again() -> Any:
        return rl.solve(mdp)

    def whole() -> Any:
        return rl.solve(rl.MDP(P[0], R[0], 0.95))

    policy = rl.solve(mdp).pi
    return [
        row(
            "S=20 A=4 γ=.95: kernel, certificate included",
            meter.per_call(kernel, repeats=repeats),
            target=1e-5,
        ),
        row("S=20 A=4 γ=.95: rl.solve(mdp)", meter.per_call(again, repeats=repeats), target=3e-5),
        row("S=20 A=4 γ=.95: rl.MDP(P, R, γ) and rl.solve", meter.per_call(whole, repeats=repeats)),
        row(
            "S=20 A=4 γ=.95: solve_batch of one",
            meter.per_call(lambda: solve_batch(P, R, 0.95), repeats=repeats),
        ),
        row(
            "S=20 A=4 γ=.95: rl.evaluate(mdp, π)",
            meter.per_call(lambda: rl.evaluate(mdp, policy), repeats=repeats),
        ),
        row(
            "S=20 A=4 γ=.95: rl.occupancy(mdp, π)",
            meter.per_call(lambda: rl.occupancy(mdp, policy), repeats=repeats),
        ),
    ]


def batches(repeats: int, B: int = 4096) -> list[dict[str, Any]]:
    """S = 8, A = 3, γ = 0.9 to a certified 1e-9, absolute."""
    from rltheory import solvers

    P, R = random_batch(B, 8, 3)
    flat = solvers.solve_batch(P, R, 0.9, tol=1e-10)
    worst = float(flat.error.max())
    pi = np.asarray(flat.pi)
    rows = [
        row(
            f"{B} models S=8 A=3 γ=.9: solve_batch, error ≤ {worst:.0e}",
            meter.per_call(lambda: solvers.solve_batch(P, R, 0.9, tol=1e-10), repeats=repeats),
            items=B,
            target=1e-5,
        ),
        row(
            f"{B} models S=8 A=3 γ=.9: evaluate_batch",
            meter.per_call(lambda: solvers.evaluate_batch(P, R, 0.9, pi), repeats=repeats),
            items=B,
            target=1e-5,
        ),
    ]
    call = _named(OCCUPANCY)
    if call is not None:
        rows.append(
            row(
                f"{B} models S=8 A=3 γ=.9: {call.__name__}",
                meter.per_call(lambda: call(P, 0.9, pi), repeats=repeats),
                items=B,
                target=1e-5,
            )
        )
    else:
        rows.append(_occupancies(P, R, pi, repeats))
    return rows


def _occupancies(P: Any, R: Any, pi: Any, repeats: int, B: int = 64) -> dict[str, Any]:
    import rltheory as rl

    models = [rl.MDP(P[b], R[b], 0.9) for b in range(B)]

    def call() -> None:
        for b, mdp in enumerate(models):
            rl.occupancy(mdp, pi[b])

    return row(
        f"{B} models S=8 A=3 γ=.9: occupancy one by one (no batched call)",
        meter.per_call(call, repeats=repeats),
        items=B,
        target=1e-5,
    )


def horizon(repeats: int, B: int = 4096, H: int = 100) -> list[dict[str, Any]]:
    """S = 20, A = 4, H = 100, stationary, undiscounted."""
    import rltheory as rl

    target = 0.15 / 4096
    call = _named(HORIZON)
    if call is not None:
        P, R = random_batch(B, 20, 4)
        clock = meter.per_call(lambda: call(P, R, H), repeats=min(repeats, 3))
        return [row(f"{B} models S=20 A=4 H={H}: {call.__name__}", clock, items=B, target=target)]
    P, R = random_batch(16, 20, 4)
    models = [rl.FiniteHorizonMDP(P[b], R[b], H) for b in range(16)]

    def each() -> None:
        for model in models:
            rl.solve(model)

    clock = meter.per_call(each, repeats=min(repeats, 3))
    return [
        row(
            f"16 models S=20 A=4 H={H}: rl.solve one by one (no batched call)", clock, items=16, target=target
        )
    ]


def _named(names: tuple[str, ...]) -> Any:
    from rltheory import solvers

    return next((getattr(solvers, n) for n in names if n in solvers.__all__), None)
