"""Adapters of this library: `solve`'s own choice, and every path it could have chosen."""

from __future__ import annotations

from typing import Any

from .adapters import Adapter, Answer, Unsuitable
from .instance import Instance

PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "small": ("SmallDense", {}),
    "modified-policy-iteration": ("ModifiedPolicyIteration", {}),
    "krylov": ("InexactPolicyIteration", {}),
    "krylov-goal-first": ("InexactPolicyIteration", {"reorder": True}),
    "topological": ("Topological", {}),
    "banded": ("BandedPolicyIteration", {}),
    "gauss-seidel": ("GaussSeidel", {}),
    "gauss-seidel-alternating": ("GaussSeidel", {"direction": "alternating"}),
    "policy-iteration": ("PolicyIteration", {"keep_trace": False}),
    "value-iteration": ("ValueIteration", {}),
    "value-iteration-in-place": ("ValueIteration", {"sweep": "gauss-seidel"}),
    "linear-program": ("LinearProgram", {}),
}
"""Solver classes measured one by one."""
DIRECT, LINEAR = 20_000, 1_000_000
"""States beyond which sparse factorisation, non-zeros beyond which linear programming is not tried."""
FIXED = 1e-6
"""The setting that stands for `solve(mdp)` as it is; another setting ε is `Portfolio(tol=ε/100)`."""


class Ours(Adapter):
    """`rltheory.solve(mdp)`, or with a named solver; setting ε is the relative tolerance ε/100."""

    module, package, fresh, compiles = "rltheory", "rltheory", True, True

    def __init__(self, name: str, path: tuple[str, dict[str, Any]] | None = None) -> None:
        self.name, self.path = name, path

    def prepare(self) -> None:
        import rltheory
        from rltheory import solvers

        self.rl, self.solvers = rltheory, solvers

    def load(self, x: Instance) -> Any:
        self._refuse(x)
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

    def _refuse(self, x: Instance) -> None:
        name = self.path[0] if self.path else ""
        if name == "PolicyIteration" and x.S > DIRECT:
            raise Unsuitable(f"direct solves beyond {DIRECT} states")
        if name == "LinearProgram" and x.nnz > LINEAR:
            raise Unsuitable(f"a linear program beyond {LINEAR} non-zeros")
        if name == "SmallDense" and (x.S > 128 or x.N * x.S > 1 << 18):
            raise Unsuitable("more than 128 states")

    def solve(self, model: Any, eps: float) -> Answer:
        sol = self.rl.solve(model, self.solver(eps), throw=False)
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
                "rows": sol.info.get("rows", 0),
            },
        )

    def solver(self, eps: float) -> Any:
        """What `solve` is given: nothing at the default accuracy."""
        tol = eps * 1e-2
        if self.path is None:
            return None if eps == FIXED else self.solvers.Portfolio(tol=tol)
        name, options = self.path
        return getattr(self.solvers, name)(tol=tol, **options)

    @property
    def version(self) -> str:
        return super().version or "source"


def adapters() -> list[Adapter]:
    """`rltheory`, and `rltheory:PATH` for every path."""
    return [Ours("rltheory"), *(Ours(f"rltheory:{k}", v) for k, v in PATHS.items())]


def adapter(name: str) -> Adapter:
    """`rltheory` or `rltheory:PATH`, without importing anything."""
    path = name.partition(":")[2]
    return Ours(name, PATHS[path] if path else None)
