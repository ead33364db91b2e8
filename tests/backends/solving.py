"""Public calls with device="cuda", run as a program under NUMBA_ENABLE_CUDASIM=1; prints JSON.

With --mutate MODULE OLD NEW the card computes something else: nothing wrong may be called solved.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


class OnCard:
    """A host array that looks like one on a card, as CuPy's do."""

    def __init__(self, x: Any) -> None:
        self._x = x
        self.dtype, self.shape = x.dtype, x.shape
        self.__cuda_array_interface__ = x.__array_interface__

    def copy_to_host(self) -> Any:
        return self._x.copy()

    def reshape(self, *shape: Any) -> Any:
        return self._x.reshape(*shape)


def main(argv: list[str]) -> None:
    spec = importlib.util.spec_from_file_location("cases", Path(__file__).with_name("cases.py"))
    assert spec is not None and spec.loader is not None
    cases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cases)
    if argv[:1] == ["--mutate"]:
        cases.mutate(*argv[1:4])
    import rltheory as rl

    rng = np.random.default_rng(1)
    dense = rl.MDP(rng.dirichlet(np.ones(4), (4, 2)), rng.normal(size=(4, 2)), gamma=0.7)
    sparse = rl.gallery.river_swim(S=65, gamma=0.5)
    found: dict[str, Any] = {}
    for name, mdp, solver in (
        ("dense chosen", dense, None),
        ("sparse swept", sparse, rl.ModifiedPolicyIteration(tol=1e-2, sweeps=2)),
        ("dense iterated", dense, rl.ValueIteration(tol=1e-2)),
    ):
        sol = rl.solve(mdp, solver, device="cuda", throw=False)
        best = rl.solve(mdp, rl.PolicyIteration()).V
        found[name] = {
            "ok": sol.status.ok,
            "enclosed": bool((sol.lower <= best + 1e-12).all() and (best - 1e-12 <= sol.upper).all()),
            "off": float(np.abs(sol.V - best).max()),
            "error": float(sol.error),
            "solver": sol.solver,
        }
    P, R = rng.dirichlet(np.ones(3), (2, 3, 2)), rng.normal(size=(2, 3, 2))
    cpu = rl.solve_batch(P, R, 0.6, 1e-4)
    for name, batch in (
        ("batch", rl.solve_batch(P, R, 0.6, 1e-4, device="cuda")),
        ("batch on card", rl.solve_batch(OnCard(P), OnCard(R), 0.6, 1e-4)),  # type: ignore[arg-type]
    ):
        apart = (batch.lower > cpu.upper).any() or (cpu.lower > batch.upper).any()
        found[name] = {
            "ok": bool(batch.solved.all()),
            "enclosed": not bool(apart),
            "off": float(np.abs(batch.V - cpu.V).max()),
            "error": float(batch.error.max() + cpu.error.max()),
        }
    coin = rl.OutcomeMDP.from_lists(
        [[[(0.5, 0, 1.0), (0.25, 1, -1.0), (0.25, 1, 0.5)]], [[(0.5, 0, 0.0), (0.5, 1, 2.0)]]], gamma=0.5
    )
    bent = np.array([-3.0, -1.0, 0.0, 0.5, 4.0])
    for name, law in (
        ("laws uniform", rl.solvers.CategoricalEvaluation(atoms=6, tol=1e-2)),
        ("laws on a grid", rl.solvers.CategoricalEvaluation(grid=bent, tol=1e-2)),
        ("laws by quantiles", rl.solvers.QuantileEvaluation(atoms=4, tol=1e-2)),
    ):
        card, host = (replace(law, device=d).run(coin, [0, 0]) for d in ("cuda", "cpu"))
        found[name] = {
            "ok": card.status.ok,
            "enclosed": True,
            "off": max(float(card.law(s).wasserstein(host.law(s))) for s in range(2)),
            "error": 2e-2,
        }
    refused = {
        "exact laws": lambda: rl.solvers.CategoricalEvaluation(device="cuda").run(coin.exact(), [0, 0]),
        "laws over a horizon": lambda: rl.solvers.QuantileEvaluation(H=3, device="cuda").run(coin, [0, 0]),
        "exact": lambda: rl.solve(dense.exact(), device="cuda"),
        "solver": lambda: rl.solve(dense, rl.PolicyIteration(), device="cuda"),  # type: ignore[arg-type]
        "elimination": lambda: rl.ValueIteration(eliminate=True, device="cuda"),
        "evaluate exact": lambda: rl.evaluate(dense.exact(), [0, 0, 0, 0], device="cuda"),
        "evaluate": lambda: rl.evaluate(dense, [0, 0, 0, 0], device="cuda"),
        "device": lambda: rl.solve(dense, device="tpu"),  # type: ignore[call-overload]
    }
    for name, call in refused.items():
        try:
            call()
            found[name] = ""
        except Exception as exc:
            found[name] = f"{type(exc).__name__}: {exc}"
    print(json.dumps(found))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(sys.argv[1:])
