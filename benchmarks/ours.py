"""Adapters of this library: `solve`'s own choice, and every path it could have chosen."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from .adapters import Adapter, Answer
from .instance import Instance

PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "value-iteration": ("ValueIteration", {}),
    "gauss-seidel-in-order": ("ValueIteration", {"sweep": "gauss-seidel"}),
    "gauss-seidel": ("GaussSeidel", {}),
    "modified-policy-iteration": ("ModifiedPolicyIteration", {}),
    "policy-iteration": ("PolicyIteration", {"keep_trace": False}),
    "linear-program": ("LinearProgram", {}),
    "topological": ("Topological", {}),
    "banded": ("BandedPolicyIteration", {}),
    "inexact-policy-iteration": ("InexactPolicyIteration", {}),
}
"""Solver classes measured one by one; those that do not exist are left out."""
FIXED = 1e-6
"""The setting at which `solve(mdp)` without a tolerance is run as it is."""


class Ours(Adapter):
    """`rltheory.solve(mdp)`, or with a named solver."""

    module, package, fresh = "rltheory", "rltheory", True

    def __init__(self, name: str, path: tuple[str, dict[str, Any]] | None = None) -> None:
        self.name, self.path = name, path

    def prepare(self) -> None:
        import rltheory
        from rltheory import solvers

        self.rl, self.solvers = rltheory, solvers
        self.takes_tol = "tol" in inspect.signature(rltheory.solve).parameters
        self.loosens = self.loosens and (self.takes_tol or self.path is not None)
        if self.path is not None:
            name, options = self.path
            cls = getattr(solvers, name)
            takes = inspect.signature(cls).parameters
            self.tunable = "tol" in takes
            self.solver = partial(cls, **{k: v for k, v in options.items() if k in takes})

    def load(self, x: Instance) -> Any:
        if x.dense:
            Q, R = x.dense_arrays()
            return self.rl.MDP(Q, R, x.gamma)
        return self.rl.MDP.from_pairs(
            (x.data, x.indices, x.indptr),
            x.R,
            x.gamma,
            pair_state=x.pair_state,
            pair_action=x.pair_action,
            S=x.S,
            terminal=x.terminal,
        )

    def solve(self, model: Any, eps: float) -> Answer:
        tol = {"tol": eps} if self.tunable else {}
        if self.path is not None:
            sol = self.rl.solve(model, self.solver(**tol), throw=False)
        elif self.takes_tol:
            sol = self.rl.solve(model, throw=False, **tol)
        else:
            sol = self._default(model, eps)
        return Answer(
            sol.V,
            {
                "error": float(sol.error),
                "status": sol.status.name,
                "solver": sol.solver,
                "reason": sol.reason,
                "iterations": sol.iterations,
                "backups": sol.backups,
                "evaluations": sol.evaluations,
            },
        )

    def _default(self, model: Any, eps: float) -> Any:
        """`solve(model)`; its tolerance is fixed, so for other settings the solver it chose is called."""
        if eps == FIXED:
            sol = self.rl.solve(model, throw=False)
            self.chose = sol.solver
            return sol
        cls = getattr(self.solvers, self.chose)
        return self.rl.solve(model, cls(tol=eps * 1e-2), throw=False)

    @property
    def version(self) -> str:
        return super().version or "source"


def adapters() -> list[Adapter]:
    """`rltheory`, and `rltheory:PATH` for the paths that exist."""
    found: list[Adapter] = [Ours("rltheory")]
    try:
        from rltheory import solvers

        names = set(solvers.__all__)
    except ImportError:
        names = set()
    return found + [Ours(f"rltheory:{k}", v) for k, v in PATHS.items() if v[0] in names]


def adapter(name: str) -> Adapter:
    """`rltheory` or `rltheory:PATH`, without importing anything."""
    path = name.partition(":")[2]
    return Ours(name, PATHS[path] if path else None)
