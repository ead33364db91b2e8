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
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from flint import fmpq, fmpq_mat
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, IntVec, sup_norm
from ..errors import ImproperPolicy, InvalidArgument
from ..kernels import exact as ex
from ..kernels import graph
from ..models.mdp import MDP
from ..models.policy import Policy
from ..models.ssp import SSP
from ..results import Solution, Status, Step
from .bounds import backup_pairs, enclose_backup, enclose_policy_backup, pair_weights, stochastic
from .proper import Quotient, all_proper, improper_state, is_proper, quotient

TIE = 1e-12
DENSE_LIMIT = 1200

__all__ = ["SSPSolver", "all_proper", "evaluate_ssp", "expected_steps", "is_proper"]


@dataclass(frozen=True)
class SSPSolver:
    """V = sup over proper policies, and a proper policy attaining it.

    Parameters
    ----------
    method
        "policy-iteration" (from a proper policy) or "value-iteration" (from 0; doubles only).
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

    Complexity: PI O(S³) an improvement (sparse LU above 1200 states); VI O(nnz) a sweep.

    Source: Bertsekas–Tsitsiklis 1991; de Alfaro 1997 (end components).

    Examples
    --------
    >>> from rltheory import SSP
    >>> SSPSolver().run(SSP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[0, -1], [0, 0]], [1])).V.tolist()
    [-1.0, 0.0]
    """

    method: Literal["policy-iteration", "value-iteration"] = "policy-iteration"
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
        m, rows = quo.model.rational, quo.proper_rows
        if not self.keep_trace:
            rows = _iterate(quo.model.float(), rows, 0.0, TIE, self.max_iter).rows
            if improper_state(quo.model, _mask(quo.model, rows)) is not None:
                rows = quo.proper_rows
        trace, changes, status = [], 0, Status.EXACT
        while True:
            v = _evaluate_exact(quo.model, [[(int(k), fmpq(1))] for k in rows])
            if self.keep_trace:
                trace.append(Step(quo.lift(ssp, rows), ex.from_fmpq_list(v)[quo.component]))
            q = [r + e for r, e in zip(m.R, ex.expected_next(m, v), strict=True)]
            best, arg = ex.maximise(m.state_ptr, q)
            new = np.array([arg[s] if best[s] > q[rows[s]] else rows[s] for s in range(quo.model.S)])
            if (new == rows).all():
                break
            if changes == self.max_iter:
                status = Status.MAX_ITER
                break
            rows, changes = new, changes + 1
        V = ex.from_fmpq_list(v)[quo.component]
        upper = V if status is Status.EXACT else np.full(V.shape, np.inf, dtype=object)
        return _solution(ssp, quo, V, V, upper, rows, status, self.method, changes, tuple(trace))

    def _run_float(self, ssp: SSP, quo: Quotient) -> Solution:
        with np.errstate(over="ignore", invalid="ignore"):
            if self.method == "value-iteration":
                run = _sweep(quo, self.tol / 100, self.max_iter)
            else:
                run = _iterate(quo.model, quo.proper_rows, 0.0, TIE, self.max_iter, self.keep_trace)
            lower, upper = _bounds(quo.model, run.rows, run.V)
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
        v = _evaluate_float(mdp, weights, 0.0)
        lower = _policy_bound(mdp, weights, v, -1)
        upper = _policy_bound(mdp, weights, v, +1)
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


# ---- doubles -----------------------------------------------------------------------------
@dataclass
class _Run:
    rows: IntVec
    V: FloatVec
    changes: int
    hit_limit: bool
    trace: list[tuple[IntVec, FloatVec]]


def _mask(mdp: MDP, rows: IntVec) -> NDArray[np.bool_]:
    out = np.zeros(mdp.N, dtype=np.bool_)
    out[rows] = True
    return out


def _evaluate_float(mdp: MDP, weights: FloatVec, shift: float) -> FloatVec:
    """Solution of V = R_π + shift + P_πV off the terminal states, 0 at them."""
    live = ~mdp.terminal
    data, indices, indptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(indptr))
    source = mdp.pair_state[owner]
    keep = live[source] & live[indices] & (weights[owner] != 0)
    number = np.cumsum(live) - 1
    n = int(live.sum())
    P = sp.coo_array(
        ((weights[owner] * data)[keep], (number[source[keep]], number[indices[keep]])), shape=(n, n)
    )
    r = np.add.reduceat(weights * mdp.R_pairs, mdp.state_ptr[:-1])[live] + shift
    V = np.zeros(mdp.S)
    try:
        if n <= DENSE_LIMIT:
            V[live] = np.linalg.solve(np.eye(n) - P.toarray(), r) if n else r
        else:
            V[live] = spla.splu(sp.csc_matrix(sp.identity(n) - P)).solve(r)
    except (np.linalg.LinAlgError, RuntimeError):
        V[live] = np.nan
    return V


def _iterate(
    mdp: MDP, rows: IntVec, shift: float, tie: float, max_iter: int, keep_trace: bool = False
) -> _Run:
    """Howard's rule from proper rows for rewards R + shift; an improper or repeated policy ends it."""
    seen = {rows.tobytes()}
    trace: list[tuple[IntVec, FloatVec]] = []
    changes, hit_limit = 0, False
    R = np.where(mdp.terminal[mdp.pair_state], 0.0, mdp.R_pairs + shift)
    while True:
        V = _evaluate_float(mdp, _mask(mdp, rows).astype(np.float64), shift)
        if keep_trace:
            trace.append((rows, V))
        q = R + backup_pairs(mdp, V)
        best = np.maximum.reduceat(q, mdp.state_ptr[:-1])
        slack = tie * max(1.0, float(sup_norm(V)))
        near = np.where(q >= best[mdp.pair_state] - slack, np.arange(mdp.N), mdp.N)
        new = np.where(best > q[rows] + slack, np.minimum.reduceat(near, mdp.state_ptr[:-1]), rows)
        if not np.isfinite(best).all() or (new == rows).all() or new.tobytes() in seen:
            break
        if improper_state(mdp, _mask(mdp, new)) is not None:
            break
        if changes == max_iter:
            hit_limit = True
            break
        seen.add(new.tobytes())
        rows, changes = new, changes + 1
    return _Run(rows, V, changes, hit_limit, trace)


def _sweep(quo: Quotient, tol: float, max_iter: int) -> _Run:
    """Value iteration from 0, then a proper policy among the near-greedy pairs."""
    mdp = quo.model
    V, sweeps = np.zeros(mdp.S), 0
    while True:
        q = mdp.R_pairs + backup_pairs(mdp, V)
        TV = np.where(mdp.terminal, 0.0, np.maximum.reduceat(q, mdp.state_ptr[:-1]))
        sweeps += 1
        residual, V = float(sup_norm(TV - V)), TV
        done = residual <= tol * max(1.0, float(sup_norm(V)))
        if done or sweeps >= max_iter or not np.isfinite(residual):
            break
    q = mdp.R_pairs + backup_pairs(mdp, V)
    slack = 2 * residual + TIE * max(1.0, float(sup_norm(V)))
    indices, indptr = graph.support(*mdp.csr)
    _, rows = graph.attractor(
        indices, indptr, mdp.pair_state, mdp.S, mdp.terminal, q >= V[mdp.pair_state] - slack
    )
    rows = np.where(rows >= 0, rows, quo.proper_rows)
    if improper_state(mdp, _mask(mdp, rows)) is not None:
        rows = quo.proper_rows
    return _Run(rows, V, sweeps, not done, [])


def _bounds(mdp: MDP, rows: IntVec, V: FloatVec) -> tuple[FloatVec, FloatVec]:
    """Verified (lower, upper) on the optimal V; infinite where no ε up to 1e-6 relative does it."""
    lower = _policy_bound(mdp, _mask(mdp, rows).astype(np.float64), V, -1)
    upper = np.full(mdp.S, np.inf)
    scale = max(1.0, float(sup_norm(V)))
    for k in range(-15, -5):
        run = _iterate(mdp, rows, 10.0**k * scale, 0.0, 1000)
        U = np.where(mdp.terminal, 0.0, run.V)
        _, hi, defect = enclose_backup(mdp, U, 1.0)
        hi = np.where(mdp.terminal, 0.0, hi + np.nextafter(1.01 * defect * float(sup_norm(U)), np.inf))
        if np.isfinite(hi).all() and (np.nextafter(hi, np.inf) <= U)[~mdp.terminal].all():
            upper = np.minimum(U, np.where(mdp.terminal, 0.0, np.nextafter(hi, np.inf)))
            break
    return lower, upper


def _policy_bound(mdp: MDP, weights: FloatVec, V: FloatVec, side: Literal[-1, 1]) -> FloatVec:
    """Verified lower (side −1) or upper (+1) bound on V^π of a proper policy."""
    scale = max(1.0, float(sup_norm(V)))
    for k in range(-15, -5):
        L = np.where(mdp.terminal, 0.0, _evaluate_float(mdp, weights, side * 10.0**k * scale))
        lo, hi, defect = enclose_policy_backup(mdp, weights, L, 1.0)
        widen = np.nextafter(1.01 * defect * float(sup_norm(L)), np.inf)
        edge = np.nextafter(lo - widen if side < 0 else hi + widen, side * np.inf)
        good = edge >= L if side < 0 else edge <= L
        if np.isfinite(L).all() and good[~mdp.terminal].all():
            return L
    return np.full(mdp.S, side * np.inf)
