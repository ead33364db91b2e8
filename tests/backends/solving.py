"""Public calls with device="cuda", run as a program under NUMBA_ENABLE_CUDASIM=1; prints JSON.

With --mutate MODULE OLD NEW the card computes something else: nothing wrong may be called solved.
"""

from __future__ import annotations

import importlib.util
import json
import sys
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
    refused = {
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
