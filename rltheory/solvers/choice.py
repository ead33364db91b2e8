"""The portfolio for large float models: a probe chooses the path, and a failed path hands over.

Rule, first match:

1. no cycles but self-loops                    → `Topological`, one pass;
2. half-band ≤ 16                              → `BandedPolicyIteration`;
3. spans shrink by a quarter a sweep or more,
   no absorbing states                         → `ModifiedPolicyIteration`, from the probe's values;
4. no strong component with half of the states → `Topological`;
5. absorbing states                            → `GaussSeidel`, goal first;
6. anything else                               → `InexactPolicyIteration`.

Order of failing over: inexact, modified, then plain policy iteration up to 20 000 states; none where
the error left is rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import sup_norm
from ..models.mdp import MDP
from ..operators._arrays import pair_arrays
from ..results.solution import Solution
from ._blocks import WIDTH
from .banded import BandedPolicyIteration
from .base import TOL, check_tol
from .gauss_seidel import GaussSeidel
from .krylov import InexactPolicyIteration
from .modified_policy_iteration import ModifiedPolicyIteration
from .policy_iteration import PolicyIteration
from .probe import Probe, components, probe
from .topological import Topological

FAST = 0.75
"""Contraction of the span a sweep up to which modified policy iteration is chosen."""
DIRECT = 20_000
"""Policy iteration with direct solves is the last resort up to this many states."""
PATIENCE = 3_000
"""Improvement sweeps a path may take before another is tried."""


@dataclass(frozen=True)
class Portfolio:
    """The path that fits the structure of a model; another one if its accuracy is not certified.

    Parameters
    ----------
    tol
        Error allowed, relative to max(1, ‖V‖).

    Notes
    -----
    `Solution.reason` says what was chosen and why, and which paths failed before; `Solution.solver`
    names the one whose result this is.  If none reaches `tol`, the one with the smallest error is
    returned with its status.  The rule is the module's; exact models go to `PolicyIteration`.

    Complexity: the probe, one pass over the model, and 12 backups where no structure shows in it, which
    modified policy iteration goes on from; then that of the path.

    Examples
    --------
    >>> from rltheory import MDP
    >>> Portfolio().run(MDP([[[1.0]], ], [[1.0]], gamma=0.5)).V
    array([2.])
    """

    tol: float = TOL

    def __post_init__(self) -> None:
        check_tol(self.tol)

    def run(self, mdp: MDP, /) -> Solution:
        """V* of a discounted model, enclosed."""
        if mdp.is_exact:
            sol = PolicyIteration(keep_trace=False).run(mdp)
            return replace(sol, reason="rational model: policy iteration ends exactly")
        known = probe(mdp)
        why, first = choose(mdp, known, self.tol)
        return _run(mdp, [(why, first), *_others(first, known, self.tol)])


def choose(mdp: MDP, known: Probe, tol: float) -> tuple[str, Any]:
    """(reason, solver) for a float model by the module's rule."""
    if known.ordered:
        return "no cycles but self-loops: states are solved one after another", Topological(tol=tol)
    if known.band <= WIDTH:
        return f"half-band {known.band} ≤ {WIDTH}: banded elimination", BandedPolicyIteration(tol, PATIENCE)
    rate = f"spans shrink by {known.contraction:.2f} a sweep"
    if known.contraction <= FAST and not known.absorbing:
        return f"{rate}: modified policy iteration", ModifiedPolicyIteration(tol, V0=known.V)
    if not known.dense:
        parts = components(mdp)
        if 2 * parts.largest <= known.S:
            why = f"{parts.count} strong components, the largest of {parts.largest} states"
            return f"{why}: solved one after another", Topological(tol, PATIENCE)
        if known.absorbing:
            return f"{known.absorbing} absorbing states: sweeps from the goal", GaussSeidel(tol, PATIENCE)
    return f"{rate}, no special structure: Krylov evaluation", InexactPolicyIteration(tol, PATIENCE)


def _others(first: Any, known: Probe, tol: float) -> Iterator[tuple[str, Any]]:
    """Paths to try after `first`, most promising first."""
    paths: list[Callable[[], Any]] = [
        lambda: InexactPolicyIteration(tol=tol, max_iter=PATIENCE),
        lambda: ModifiedPolicyIteration(tol=tol, V0=known.V if np.isfinite(known.V).all() else None),
    ]
    if known.S <= DIRECT:
        paths.append(lambda: PolicyIteration(keep_trace=False, tol=tol))
    for make in paths:
        solver = make()
        if type(solver) is not type(first):
            yield f"{type(solver).__name__} took over", solver


def _run(mdp: MDP, paths: Any) -> Solution:
    best: Solution | None = None
    told: list[str] = []
    for why, solver in paths:
        sol = solver.run(mdp)
        told.append(why if sol.status.ok else f"{why}, which ended {sol.status.name}")
        if best is None or sol.status.ok or sol.error < best.error:
            best = sol
        if sol.status.ok or sol.error <= 100 * _rounding(mdp, sol):
            break
    assert best is not None
    ending = "" if best.status.ok else f"; the smallest error is that of {best.solver}"
    return replace(best, reason="; ".join(told) + ending)


def _rounding(mdp: MDP, sol: Solution) -> float:
    """About the error that rounding alone leaves in doubles: no other path would do better."""
    size = float(sup_norm(sol.V)) + float(sup_norm(mdp.R_pairs))
    return pair_arrays(mdp).noise * size / (1.0 - float(mdp.gamma))
