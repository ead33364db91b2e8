"""Values beyond the reach of plain doubles: solve for the correction of a solution instead.

Given any doubles V, put ρ(s,a) = R(s,a) + γΣ_t P(t|s,a)V(t) − V(s).  W* = V* − V is the optimal value of the
model with rewards ρ: W* = max_a [ρ + γPW*].  Computed in doubled precision, ρ is known to a relative
rounding; and since W* is tiny, so is the rounding of whatever solves for it.  If r is ρ up to e, the
optimal values differ by at most e/(1−α), α = γ times the largest row sum; what is left at the end is
that V* itself has to be written down in doubles.
"""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ..arrays import FloatVec, frozen, sup_norm
from ..kernels.compensated import residual_error, residual_rewards
from ..models.mdp import MDP
from ..operators._arrays import pair_arrays, read_only, row_bounds
from ..results.solution import Solution, Status, error_bound


def refined(mdp: MDP, sol: Solution, solver: Any, tol: float) -> Solution:
    """`sol` with its error brought towards one rounding of V, by `solver` on the correction.

    Parameters
    ----------
    mdp
        Float model.
    sol
        A solution of it, with finite bounds.
    solver
        Solver with a field `tol`; run on the model with rewards ρ.
    tol
        Error wanted, relative to max(1, ‖V‖).

    Returns
    -------
    Solution
        Rigorous as ever: lower ≤ V* ≤ upper for the stored doubles.  `sol` itself where nothing was gained.

    Complexity: some six backups for ρ, then those of `solver`.

    Source: iterative refinement (Wilkinson 1963), for a fixed point.
    """
    V = np.array(sol.V, dtype=np.float64)
    if not math.isfinite(float(sol.error)):
        return sol
    r, e = _residual(mdp, V)
    alpha = float(np.nextafter(float(mdp.gamma) * row_bounds(mdp, pair_arrays(mdp)).smax, math.inf))
    if not (math.isfinite(e) and alpha < 1.0):
        return sol
    spread = math.nextafter(e / math.nextafter(1.0 - alpha, -math.inf), math.inf)
    goal = 0.5 * tol * max(1.0, float(sup_norm(V))) / max(1.0, float(sol.error))
    options: dict[str, Any] = {"tol": goal} | ({"V0": None} if hasattr(solver, "V0") else {})
    small = replace(solver, **options).run(mdp.replace(R=r))
    lower = _added(V, np.nextafter(small.lower - spread, -np.inf), -np.inf)
    upper = _added(V, np.nextafter(small.upper + spread, np.inf), np.inf)
    lower[mdp.terminal] = upper[mdp.terminal] = 0.0
    V = np.minimum(np.maximum(V + small.V, lower), upper)
    error = error_bound(V, lower, upper)
    if not error < sol.error:
        return sol
    loss = math.nextafter(float(small.info["loss"]) + 2 * math.nextafter(spread, math.inf), math.inf)
    return replace(
        sol,
        V=frozen(V),
        lower=frozen(lower),
        upper=frozen(upper),
        pi=small.pi,
        status=Status.SOLVED if error <= tol * max(1.0, float(sup_norm(V))) else Status.STALLED,
        iterations=sol.iterations + small.iterations,
        backups=sol.backups + small.backups,
        evaluations=sol.evaluations + small.evaluations,
        info=MappingProxyType({**sol.info, "loss": loss, "refined": True}),
    )


def _residual(mdp: MDP, V: FloatVec) -> tuple[FloatVec, float]:
    """(r, e): ρ over the pairs, to within e."""
    pairs, r = pair_arrays(mdp), np.empty(mdp.N)
    known = row_bounds(mdp, pairs)
    if pairs.dense:
        P, *rest = pairs.model
        columns = np.zeros(mdp.N, np.uint32)
        indptr = np.arange(mdp.N + 1).astype(np.uint64) * np.uint64(mdp.S)
        model: tuple[Any, ...] = (P.reshape(-1), frozen(columns), frozen(indptr), *rest)
    else:
        model = pairs.model
    worst = residual_rewards(*model, pairs.dense or pairs.runs, read_only(V), r)
    norm = float(sup_norm(V))
    return r, float(residual_error(worst, pairs.longest, float(mdp.gamma), known.smax, norm, known.rmax))


def _added(V: FloatVec, x: FloatVec, outward: float) -> FloatVec:
    return np.asarray(np.nextafter(V + x, outward))
