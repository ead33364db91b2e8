"""The linear programs of a discounted model, primal and dual, with their gap.

Definitions.  Primal: min ρ·V subject to V(s) ≥ R(s,a) + γ Σ_t P(t|s,a) V(t) for allowed (s, a).
Dual: max Σ x(s,a) R(s,a) over x ≥ 0 with Σ_a x(t,a) − γ Σ_{s,a} x(s,a) P(t|s,a) = ρ(t): x is an
unnormalised occupancy of mass 1/(1−γ) (when Σρ = 1).  ρ > 0 makes V* the only primal optimum.

Method.  HiGHS simplex in doubles, whose tolerance is 1e-7; then its basis is cleaned: the policy of
the dual is evaluated by a linear solve and improved while it can be (as a rule it cannot), which
gives V and the certificate.  In rationals the simplex method goes on from
that basis with exact pivots (largest reduced cost) until no reduced cost is positive: gap 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from ..arrays import IntVec, PairVec, StateVec, exact_array, float_array, frozen, uniform
from ..errors import InvalidArgument
from ..kernels import exact as rational
from ..models.mdp import MDP
from ..operators.occupancy import state_action_occupancy
from ..operators.policy import rows_policy
from ..results.solution import Solution
from .base import TOL, certified, check_tol, with_info
from .policy_iteration import PolicyIteration


@dataclass(frozen=True)
class LinearProgram:
    """min ρ·V s.t. V ≥ R + γPV, and its dual over occupancies.

    Parameters
    ----------
    rho
        (S,) positive weights; uniform law if None.
    tol
        Error allowed, relative to max(1, ‖V‖).

    Notes
    -----
    `info` holds, for the LP's own numbers: "primal" (S,) and "dual" (S, A) (x, zero where not
    allowed) as HiGHS returned them, "primal_objective", "dual_objective", "gap" (their difference),
    "occupancy" (S, A), the exact unnormalised occupancy of the reported policy from start ρ, and
    "loss".  On exact models all are rationals, primal and dual optimal, and the gap is 0.

    Complexity: a sparse LP with S variables and N rows, then a linear solve.

    Source: Puterman 1994, §6.9.

    Examples
    --------
    >>> from rltheory import MDP
    >>> LinearProgram().run(MDP([[[1.0]]], [[1.0]], gamma=0.5)).V
    array([2.])
    """

    rho: ArrayLike | None = field(default=None, compare=False)
    tol: float = TOL

    def __post_init__(self) -> None:
        check_tol(self.tol)

    @np.errstate(all="ignore")
    def run(self, mdp: MDP, /) -> Solution:
        """Solve a discounted model in either number system."""
        rho = _weights(mdp, self.rho)
        primal, dual = _highs(mdp.float(), float_array(rho))
        rows = _basis(mdp, dual)
        if mdp.is_exact:
            return self._exact(mdp, rho, rows)
        start = rows_policy(mdp, rows)
        sol = PolicyIteration(pi0=start, keep_trace=False, tol=self.tol).run(mdp)
        sol, pi = replace(sol, solver=type(self).__name__), sol.pi
        low, high = float(dual @ mdp.R_pairs), float(rho @ primal)
        table = np.zeros((mdp.S, mdp.A))
        table[mdp.pair_state, mdp.pair_action] = dual
        return with_info(
            sol,
            primal=frozen(primal),
            dual=frozen(table),
            primal_objective=high,
            dual_objective=low,
            gap=high - low,
            occupancy=frozen(_scaled_occupancy(mdp, pi, rho)),
        )

    def _exact(self, mdp: MDP, rho: StateVec, rows: IntVec) -> Solution:
        """Simplex pivots in rationals from the float basis: enter the pair of largest reduced cost."""
        m, pivots, rows = mdp.rational, 0, rows.copy()
        while True:
            v = rational.evaluate_rows(m, rows.tolist())
            q = rational.q_pairs(m, v)
            best, arg = rational.maximise(m.state_ptr, q)
            gain, s = max((best[s] - v[s], -s) for s in range(mdp.S))
            if gain <= 0:
                break
            rows[-s] = arg[-s]
            pivots += 1
        V, pi = rational.from_fmpq_list(v), rows_policy(mdp, rows)
        x = _scaled_occupancy(mdp, pi, rho)
        low = (x[mdp.pair_state, mdp.pair_action] * mdp.R_pairs).sum()
        high = (rho * V).sum()
        sol = certified(
            mdp, V, pi, solver=type(self).__name__, tol=self.tol, iterations=pivots, evaluations=pivots + 1
        )
        return with_info(
            sol,
            primal=V,
            dual=frozen(x),
            primal_objective=high,
            dual_objective=low,
            gap=high - low,
            occupancy=frozen(x),
        )


def _weights(mdp: MDP, rho: ArrayLike | None) -> StateVec:
    if rho is None:
        return uniform(mdp.S, exact=mdp.is_exact)
    out: StateVec = exact_array(rho) if mdp.is_exact else float_array(rho)
    if out.shape != (mdp.S,):
        raise InvalidArgument(f"rho: shape={out.shape}, must be ({mdp.S},)")
    if not (out > 0).all() or not np.isfinite(float_array(out)).all():
        s = int(np.argmin(out > 0))
        raise InvalidArgument(
            f"rho: rho[{s}]={out[s]}, must be positive and finite: V* is the unique optimum only if every "
            "state has weight"
        )
    return out


def _highs(mdp: MDP, rho: StateVec) -> tuple[StateVec, PairVec]:
    """HiGHS on the primal; its multipliers are the dual's occupancy.  Rewards are scaled to size one."""
    from scipy.optimize import linprog

    data, indices, indptr = mdp.csr
    P = sp.csr_array((data, indices, indptr), shape=(mdp.N, mdp.S))
    own = sp.csr_array((np.ones(mdp.N), mdp.pair_state, np.arange(mdp.N + 1)), shape=(mdp.N, mdp.S))
    scale = float(np.abs(mdp.R_pairs).max()) or 1.0
    res = linprog(
        rho, A_ub=sp.csr_array(mdp.gamma * P - own), b_ub=-mdp.R_pairs / scale, bounds=(None, None),
        method="highs-ds",
    )  # fmt: skip
    if res.x is None:
        return np.zeros(mdp.S), np.zeros(mdp.N)
    return np.asarray(res.x) * scale, np.maximum(-np.asarray(res.ineqlin.marginals), 0.0)


def _basis(mdp: MDP, dual: PairVec) -> IntVec:
    """Pair of largest dual mass in each state; the first where all are zero."""
    best = np.maximum.reduceat(dual, mdp.state_ptr[:-1])
    top = np.flatnonzero(dual >= best[mdp.pair_state])
    return top[np.searchsorted(top, mdp.state_ptr[:-1])]


def _scaled_occupancy(mdp: MDP, pi: Any, rho: StateVec) -> Any:
    """Unnormalised occupancy from start ρ of any mass."""
    mass = rho.sum()
    law = rho / mass
    return state_action_occupancy(mdp, pi, law, normalised=False) * mass
