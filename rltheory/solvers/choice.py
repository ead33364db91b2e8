"""The portfolio for float models: a probe chooses the path, and a failed path hands over.

Up to 128 states, `SmallDense`.  Beyond, or if that fails, the first match of:

1. no cycles but self-loops                    → `Topological`, one pass;
2. half-band ≤ 16                              → `BandedPolicyIteration`;
3. no absorbing states, and spans shrink fast under the myopic policy, in its last
   sweeps too, or slowly but in sweeps that cost next to nothing beside a backup
   → `ModifiedPolicyIteration`, from the trial's values;
4. no strong component with half of the states → `Topological`;
5. absorbing states, more than 300 000 in all  → `GaussSeidel`, goal first;
6. anything else                               → `InexactPolicyIteration`, goal first where rows are
   short, from the trial's values.

Path 3 may take 300 steps and the sweeps that are worth 50 backups, and ends once twice as many seem to be
needed.  Order of failing over: 4 to 6 if it was path 3; inexact policy iteration; plain policy iteration up
to 2000 states, modified policy iteration, plain up to 20 000 states.  Where the error left is rounding, the
correction is solved for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import sup_norm
from ..models.mdp import MDP
from ..operators._arrays import SMALL_STATES, pair_arrays
from ..results.solution import Solution
from ._blocks import WIDTH
from .banded import BandedPolicyIteration
from .base import TOL, check_tol
from .gauss_seidel import GaussSeidel
from .krylov import InexactPolicyIteration
from .modified_policy_iteration import ModifiedPolicyIteration
from .policy_iteration import PolicyIteration
from .probe import Probe, components, one_large_component, probe
from .refinement import refined
from .small import small_solution
from .topological import Topological

FAST, DOUBT, RISE = 0.87, 0.65, 0.03
"""Contraction of the span a sweep up to which modified policy iteration is chosen; beyond `DOUBT` only if
the last sweeps were not slower than those before by more than `RISE`, the sign of slow modes."""
FAR = 300_000
"""States beyond which vectors for Krylov evaluation cost more than they save on the way from a goal: up to
there it is as fast as sweeps or faster, 2.5 times in a maze of 9·10⁴ cells with slip .4; at 10⁶, 1.5 times
slower."""
SPARSE = 64
"""Non-zeros a state up to which a copy in goal-first order pays for itself."""
SURE, DIRECT = 2_000, 20_000
"""States up to which policy iteration with direct solves comes before sweeps, and is tried at all."""
PATIENCE, STEPS, SWEEPS, WORTH = 3_000, 300, 200, 50
"""Improvement sweeps, and steps of modified policy iteration, before another path is tried; its sweeps, or
as many as are worth so many backups if those are more: a later policy may mix far slower than the first."""
TINY = f"S ≤ {SMALL_STATES}: one compiled call, since dispatch outweighs the work"
"""Reason given for `SmallDense`."""


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

    Complexity: the probe, one pass over the model, and a few sweeps of one policy where no structure shows
    in it, from whose values the path goes on; then that of the path.

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
        return solve_doubles(mdp, self.tol)


def solve_doubles(mdp: MDP, tol: float) -> Solution:
    """What `Portfolio(tol).run` returns for a float model."""
    first = small_solution(mdp, tol, TINY)
    if first is not None and first.status.ok:
        return first
    second = structured(mdp, tol)
    if first is None:
        return second
    if second.status.ok or second.error < first.error:
        return replace(second, reason=f"SmallDense ended {first.status.name}; {second.reason}")
    return replace(first, reason=f"{first.reason}; the other paths did no better")


def structured(mdp: MDP, tol: float) -> Solution:
    """The same without the path for small models."""
    known = probe(mdp)
    why, first = choose(mdp, known, tol)
    sol = first_solved(mdp, itertools.chain([(why, first)], others(mdp, first, known, tol)))
    if sol.status.ok or not sol.error <= 100 * _rounding(mdp, sol):
        return sol
    ran = itertools.chain([first], (x for _, x in others(mdp, first, known, tol)))
    solver = next(x for x in ran if type(x).__name__ == sol.solver)
    better = refined(mdp, sol, solver, tol)
    return (
        sol if better is sol else replace(better, reason=f"{sol.reason}; refined, rounding being the limit")
    )


def choose(mdp: MDP, known: Probe, tol: float) -> tuple[str, Any]:
    """(reason, solver) for a float model by the module's rule."""
    if known.ordered:
        return "no cycles but self-loops: states are solved one after another", Topological(tol=tol)
    if known.band <= WIDTH:
        return f"half-band {known.band} ≤ {WIDTH}: banded elimination", BandedPolicyIteration(tol, PATIENCE)
    rate = f"spans shrink by {known.contraction:.2f} a sweep"
    fast = known.contraction <= DOUBT or (
        known.contraction <= FAST and known.late <= known.contraction + RISE
    )
    cheap = (1.0 - known.late) * known.N >= known.S
    if fast or cheap:
        rows = " over rows of consecutive columns" if pair_arrays(mdp).runs else ""
        why = rate if fast else f"{rate}, which costs 1/{known.N / known.S:.0f} of a backup"
        most = max(SWEEPS, WORTH * known.N // known.S)
        mpi = ModifiedPolicyIteration(tol, STEPS, V0=known.V, max_sweeps=most, give_up=True)
        return f"{why}: modified policy iteration{rows}", mpi
    near = not known.dense and known.nnz <= SPARSE * known.S
    order = one_large_component(mdp) if near and not known.absorbing else None
    if not known.dense and order is None:
        parts = components(mdp)
        if 2 * parts.largest <= known.S:
            why = f"{parts.count} strong components, the largest of {parts.largest} states"
            return f"{why}: solved one after another", Topological(tol, PATIENCE, parts)
    if known.absorbing:
        goal = f"absorbing states: {known.absorbing}, approached by"
        if known.S > FAR:
            return f"{goal} sweeps", GaussSeidel(tol, PATIENCE)
        return f"{goal} Krylov evaluation", InexactPolicyIteration(tol, PATIENCE, reorder=near)
    why = f"{rate}, no special structure: Krylov evaluation"
    return why, InexactPolicyIteration(tol, PATIENCE, reorder=near, V0=known.V, order=order)


def others(mdp: MDP, first: Any, known: Probe, tol: float) -> Iterator[tuple[str, Any]]:
    """Paths to try after `first`, most promising first: the rule again, if spans did not shrink after all."""
    slow = replace(known, contraction=1.0, late=1.0)
    second = [choose(mdp, slow, tol)[1]] if isinstance(first, ModifiedPolicyIteration) else []
    swept = ModifiedPolicyIteration(tol, V0=known.V if np.isfinite(known.V).all() else None)
    direct = [PolicyIteration(keep_trace=False, tol=tol)] if known.S <= DIRECT else []
    paths = [*direct, swept] if known.S <= SURE else [swept, *direct]
    tried = {type(first)}
    for solver in (*second, InexactPolicyIteration(tol, PATIENCE), *paths):
        if type(solver) not in tried:
            tried.add(type(solver))
            yield f"{type(solver).__name__} took over", solver


def first_solved(mdp: MDP, paths: Iterable[tuple[str, Any]]) -> Solution:
    """The first of the (reason, solver) pairs that reaches its accuracy, or the one with the least error.

    Krylov evaluation starts from the lower bounds of the path before it: from below it needs fewer policies.
    """
    best: Solution | None = None
    told: list[str] = []
    for why, path in paths:
        solver = path
        if best is not None and isinstance(path, InexactPolicyIteration) and np.isfinite(best.lower).all():
            solver = replace(path, V0=best.lower)
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
