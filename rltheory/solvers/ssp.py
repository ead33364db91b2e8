"""Stochastic shortest paths: policy iteration and value iteration with a rigorous super-solution.

Definitions.  V = sup of V^π over proper policies (π terminates with probability one from everywhere).
`quotient` refuses models in which that is not finite or T's fixed points would mislead, and merges
free end components; on what is left V is the only fixed point of T (Bertsekas–Tsitsiklis 1991).

Bounds in doubles (γ = 1, so no contraction to lean on).  If U ≥ TU and U ≥ 0 at the terminal states,
then U ≥ T_π^k U → V^π for every proper π: U ≥ V.  If L ≤ T_π L for a proper π, then L ≤ V^π ≤ V.
U (L) is the solution for rewards raised (lowered) by a small ε, which leaves slack ε for rounding; both
inequalities are verified with outward rounding, allowing for rows that sum to one only up to rounding.
ε·(expected number of steps) is the width.  Rows that sum to one only up to rounding are read as divided
by their sum: inside the bounds in doubles, literally on exact models lifted from doubles.

Stops when no state improves (PI), or when ‖TV − V‖ ≤ tol/100·max(1, ‖V‖) (VI, certified in the same way).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import ArrayLike, NDArray

from ..arrays import IntVec, sup_norm
from ..errors import ImproperPolicy, InvalidArgument
from ..kernels import exact as ex
from ..models.mdp import MDP
from ..models.policy import Policy
from ..models.ssp import SSP
from ..results import Solution, Status, Step
from .bounds import pair_weights, stochastic
from .policy_iteration import Rule, start_rows, switch_exact
from .proper import Quotient, all_proper, improper_state, is_proper, quotient
from .ssp_float import TIE, evaluate_float, iterate, mask, optimal_bounds, policy_bound, sweep

__all__ = ["SSPSolver", "all_proper", "evaluate_ssp", "expected_steps", "is_proper"]


@dataclass(frozen=True)
class SSPSolver:
    """V = sup over proper policies, and a proper policy attaining it.

    Parameters
    ----------
    method
        "policy-iteration" (from a proper policy) or "value-iteration" (from 0; doubles only).
    rule
        Improvement rule of policy iteration, as in `PolicyIteration`.
    pi0
        Proper (S,) action ids for policy iteration to start from.  If not given: with a trace, or another
        rule than "howard", shortest positive-probability paths to the terminal states; else a policy
        found by some sweeps of value iteration.
    tol
        Relative accuracy max(1, ‖V‖)·tol that the enclosure must reach in doubles.
    max_iter
        Most improvements or sweeps.
    keep_trace
        Keep (π_k, V^{π_k}) of policy iteration.

    Returns from `run`
    ------------------
    `Solution`, exact on exact models.  `info`: `some_improper` (an improper policy exists) and `merged`
    (end components free of reward; T then has other fixed points, and V is the best over *proper*
    policies).  `reason` says so in words.

    Raises
    ------
    ImproperPolicy
        No proper policy; unbounded totals; totals that need not converge (see `quotient`).

    Complexity: PI O(S³) an improvement (sparse LU above 300 states); VI O(nnz) a sweep.

    Source: Bertsekas–Tsitsiklis 1991; de Alfaro 1997 (end components).

    Examples
    --------
    >>> from rltheory import SSP
    >>> SSPSolver().run(SSP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[0, -1], [0, 0]], [1])).V.tolist()
    [-1.0, 0.0]
    """

    method: Literal["policy-iteration", "value-iteration"] = "policy-iteration"
    rule: Rule = "howard"
    pi0: ArrayLike | Policy | None = None
    tol: float = 1e-8
    max_iter: int = 1_000_000
    keep_trace: bool = False

    def __post_init__(self) -> None:
        if self.method not in ("policy-iteration", "value-iteration"):
            raise InvalidArgument(
                f"SSPSolver: method={self.method!r}, use 'policy-iteration' or 'value-iteration'"
            )

    def run(self, model: SSP | MDP) -> Solution:
        """Solve `model` (an `MDP` with terminal states stands for its undiscounted problem)."""
        ssp = model if isinstance(model, SSP) else SSP.from_mdp(model)
        if ssp.is_exact:
            ssp = SSP.from_mdp(stochastic(ssp.mdp))
            return self._run_exact(ssp, quotient(ssp))
        quo = quotient(ssp)
        return self._run_float(ssp, quo)

    def _run_exact(self, ssp: SSP, quo: Quotient) -> Solution:
        m, rows = quo.model.rational, self._start(ssp, quo)
        if self._free_start:
            rows = iterate(quo.model.float(), self._warm(quo), 0.0, TIE, self.max_iter).rows
            if improper_state(quo.model, mask(quo.model, rows)) is not None:
                rows = quo.proper_rows
        trace, changes, status = [], 0, Status.EXACT
        while True:
            v = _evaluate_exact(quo.model, [[(int(k), fmpq(1))] for k in rows])
            if self.keep_trace:
                trace.append(Step(quo.lift(ssp, rows), ex.from_fmpq_list(v)[quo.component]))
            q = [r + e for r, e in zip(m.R, ex.expected_next(m, v), strict=True)]
            new = switch_exact(self.rule, m.state_ptr, rows, q, v)
            if (new == rows).all():
                break
            if changes == self.max_iter:
                status = Status.MAX_ITER
                break
            rows, changes = new, changes + 1
        V = ex.from_fmpq_list(v)[quo.component]
        upper = V if status is Status.EXACT else np.full(V.shape, np.inf, dtype=object)
        return _solution(ssp, quo, V, V, upper, rows, status, self.method, changes, tuple(trace))

    @property
    def _free_start(self) -> bool:
        """True when nothing in the answer depends on where policy iteration starts."""
        return self.pi0 is None and not self.keep_trace and self.rule == "howard"

    def _warm(self, quo: Quotient) -> IntVec:
        """A proper policy from some sweeps: shortest paths can be proper and yet take for ever."""
        with np.errstate(over="ignore", invalid="ignore"):
            return sweep(quo, 1e-3, 1000).rows

    def _start(self, ssp: SSP, quo: Quotient) -> IntVec:
        if self.pi0 is None:
            return quo.proper_rows
        if quo.merged:
            raise InvalidArgument(
                f"SSPSolver: pi0 given, but states {quo.merged[0][:8]} are free to stay in: leave it out"
            )
        rows = start_rows(ssp.mdp, self.pi0)
        stuck = improper_state(ssp.mdp, mask(ssp.mdp, rows))
        if stuck is not None:
            raise ImproperPolicy(
                f"SSPSolver: pi0 never terminates from state {stuck}; start from a proper policy"
            )
        return rows

    def _run_float(self, ssp: SSP, quo: Quotient) -> Solution:
        with np.errstate(over="ignore", invalid="ignore"):
            if self.method == "value-iteration":
                run = sweep(quo, self.tol / 100, self.max_iter)
            else:
                rows = self._warm(quo) if self._free_start else self._start(ssp, quo)
                run = iterate(quo.model, rows, 0.0, TIE, self.max_iter, self.keep_trace, self.rule)
            lower, upper = optimal_bounds(quo.model, run.rows, run.V)
            V = np.clip(run.V, lower, upper) if np.isfinite(lower).all() else run.V
            gap = float(max(np.max(upper - V), np.max(V - lower)))
        if gap <= self.tol * max(1.0, float(sup_norm(V))):
            status = Status.SOLVED
        else:
            status = Status.MAX_ITER if run.hit_limit else Status.STALLED
        trace = tuple(Step(quo.lift(ssp, r), v[quo.component]) for r, v in run.trace)
        args = (V[quo.component], lower[quo.component], upper[quo.component])
        return _solution(ssp, quo, *args, run.rows, status, self.method, run.changes, trace)


def evaluate_ssp(ssp: SSP, pi: ArrayLike | Policy) -> Solution:
    """V^π(s) = E[total reward until termination] of a proper policy.

    Returns
    -------
    `Solution`; exact when the model is (float probabilities are lifted), else enclosed.

    Raises
    ------
    ImproperPolicy
        If π may never terminate, naming a state.
    """
    policy = pi if isinstance(pi, Policy) else Policy(pi)
    mdp = stochastic(ssp.mdp)
    weights = pair_weights(mdp, policy)
    stuck = improper_state(mdp, weights != 0)
    if stuck is not None:
        raise ImproperPolicy(
            f"evaluate_ssp: from state {stuck} the policy never terminates with probability one; "
            "use a proper policy, or evaluate(mdp, pi) with a discount"
        )
    if ssp.is_exact:
        entries = [
            [(k, ex.to_fmpq(weights[k])) for k in range(*mdp.state_ptr[s : s + 2]) if weights[k] != 0]
            for s in range(mdp.S)
        ]
        V = ex.from_fmpq_list(_evaluate_exact(mdp, entries))
        return Solution(V, V, V, policy, Status.EXACT, "evaluate", ssp, evaluations=1)
    with np.errstate(over="ignore", invalid="ignore"):
        v = evaluate_float(mdp, weights, 0.0)
        lower = policy_bound(mdp, weights, v, -1)
        upper = policy_bound(mdp, weights, v, +1)
    ok = bool(np.isfinite(lower).all() and np.isfinite(upper).all())
    status = Status.SOLVED if ok else Status.STALLED
    return Solution(
        np.clip(v, lower, upper) if ok else v, lower, upper, policy, status, "evaluate", ssp, evaluations=1
    )


def expected_steps(ssp: SSP, pi: ArrayLike | Policy | None = None) -> Solution:
    """Expected number of steps to termination: of π, or the largest over all policies if none is given.

    Raises
    ------
    ImproperPolicy
        If π (or, without one, some policy) may never terminate.
    """
    ones = np.where(ssp.terminal[ssp.mdp.pair_state], 0, 1)
    clock = ssp.replace(R=ones)
    return evaluate_ssp(clock, pi) if pi is not None else SSPSolver().run(clock)


def _solution(
    ssp: SSP,
    quo: Quotient,
    V: NDArray[Any],
    lower: NDArray[Any],
    upper: NDArray[Any],
    rows: IntVec,
    status: Status,
    method: str,
    changes: int,
    trace: tuple[Step, ...],
) -> Solution:
    reason = "every policy terminates"
    if quo.some_improper:
        reason = "some policies never terminate, at infinite cost"
    if quo.merged:
        reason = (
            f"T has several fixed points: in states {quo.merged[0][:8]} a policy can stay for ever and free; "
            "V is the best over policies that terminate"
        )
    return Solution(
        V=V,
        lower=lower,
        upper=upper,
        pi=quo.lift(ssp, rows),
        status=status,
        solver=f"SSPSolver({method})",
        mdp=ssp,
        reason=reason,
        iterations=changes,
        backups=changes + 1,
        evaluations=changes + 1 if method == "policy-iteration" else 0,
        trace=trace,
        info=MappingProxyType({"some_improper": quo.some_improper, "merged": quo.merged}),
    )


# ---- exact evaluation --------------------------------------------------------------------
def _evaluate_exact(mdp: MDP, entries: list[list[tuple[int, fmpq]]]) -> list[fmpq]:
    P, R = ex.policy_system(mdp.rational, entries)
    A: fmpq_mat = ex.identity(mdp.S) - P
    for s in np.flatnonzero(mdp.terminal):
        for t in range(mdp.S):
            A[int(s), t] = fmpq(int(s == t))
    return list(A.solve(R).entries())
