"""Policy iteration: Howard's, Dantzig's (the simplex method), and single-state rules.

Definitions.  With q = R + γPV^π and advantage Adv(s,a) = q(s,a) − V^π(s), an iteration evaluates π
exactly (LU, or rational LU) and then switches

- howard: every state to a maximiser of q(s,·);
- dantzig: the single pair of largest advantage (lowest state, then action, on ties);
- simple-highest, simple-lowest: the improvable state of highest (lowest) index to a maximiser of q(s,·).

The current action is kept when it ties with the maximum; otherwise the lowest maximising action id is
taken.  Ties are equalities in rationals, differences ≤ 1e-12·max(1, ‖V‖) in doubles.  Stops when no
state changes.  *Evaluations* counts every π_k, the final one included; *policy changes* is one less.

Termination.  V^{π_k} increases strictly in exact arithmetic, so no policy recurs.  In doubles a
policy seen before ends the run: PI cannot cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from flint import fmpq
from numpy.typing import ArrayLike

from ..arrays import FloatVec, IntVec, sup_norm
from ..errors import InvalidArgument
from ..kernels import exact as ex
from ..kernels.evaluate import solve_discounted
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators.policy import as_policy, policy_rows, rows_policy
from ..results import Solution, Status, Step
from .base import certified, check_max_iter, check_tol, optimal_bounds

Rule = Literal["howard", "dantzig", "simple-highest", "simple-lowest"]

TIE = 1e-12


@dataclass(frozen=True)
class PolicyIteration:
    """Exact evaluation, then improvement, until π is greedy for V^π.

    Parameters
    ----------
    rule
        "howard", "dantzig", "simple-highest" or "simple-lowest".
    pi0
        (S,) action ids to start from; the lowest allowed action of each state if not given.
    keep_trace
        Keep every (π_k, V^{π_k}) in `Solution.trace`.  On an exact model without `pi0` and without a
        trace, Howard's rule starts from the policy that is optimal in doubles.
    max_iter
        Most policy changes.
    tol
        Relative accuracy max(1, ‖V‖)·tol that the certificate of a float result must reach.

    Returns from `run`
    ------------------
    `Solution` with `evaluations`, `iterations` (policy changes) and `trace`; `info["recurred"]` is true
    when rounding brought back an earlier policy, which ends the run.  Error: zero on exact
    models; in doubles the certificate of the final V (`Solution.lower`, `upper`).

    Raises
    ------
    InvalidArgument
        Unknown rule, stochastic or ill-shaped `pi0`, action not allowed.

    Complexity: O(S³ + nnz) an iteration (sparse LU or Krylov where the model is sparse); exact: rational LU.
    At most (N − S)·max(1, ⌈log(1/(1−γ))/(1−γ)⌉) changes for Howard's rule.

    Source: Howard 1960; Puterman 1994, §6.4; Ye 2011.

    Examples
    --------
    >>> from rltheory import MDP
    >>> PolicyIteration().run(MDP([[[1, 0], [0, 1]], [[0, 1], [0, 1]]], [[0, 0], [1, 0]], 0.5)).pi
    Policy([1, 0])
    """

    rule: Rule = "howard"
    pi0: ArrayLike | Policy | None = None
    keep_trace: bool = True
    max_iter: int = 1_000_000
    tol: float = 1e-8

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise InvalidArgument(f"PolicyIteration: rule={self.rule!r}, must be one of {get_args(Rule)}")
        check_max_iter(self.max_iter)
        check_tol(self.tol)

    def run(self, mdp: MDP) -> Solution:
        """V* and an optimal policy of `mdp`."""
        rows = start_rows(mdp, self.pi0)
        if not mdp.is_exact:
            return self._run_float(mdp, rows)
        if self.pi0 is None and not self.keep_trace and self.rule == "howard":
            warm = PolicyIteration(keep_trace=False, max_iter=self.max_iter)._float_rows(mdp.float(), rows)
            rows = warm.rows
        return self._run_exact(mdp, rows)

    # ---- rationals -----------------------------------------------------------------------
    def _run_exact(self, mdp: MDP, rows: IntVec) -> Solution:
        m = mdp.rational
        trace: list[Step] = []
        changes, status = 0, Status.EXACT
        while True:
            v = ex.evaluate_rows(m, rows)
            if self.keep_trace:
                trace.append(Step(rows_policy(mdp, rows), ex.from_fmpq_list(v)))
            new = switch_exact(self.rule, m.state_ptr, rows, ex.q_pairs(m, v), v)
            if (new == rows).all():
                break
            if changes == self.max_iter:
                status = Status.MAX_ITER
                break
            rows, changes = new, changes + 1
        V = ex.from_fmpq_list(v)
        lower = upper = V
        if status is Status.MAX_ITER:
            upper = optimal_bounds(mdp, V).upper
        return Solution(
            V=V,
            lower=lower,
            upper=upper,
            pi=rows_policy(mdp, rows),
            status=status,
            solver=f"PolicyIteration({self.rule})",
            mdp=mdp,
            iterations=changes,
            backups=changes + 1,
            evaluations=changes + 1,
            trace=tuple(trace),
            info=MappingProxyType({"policy_changes": changes}),
        )

    # ---- doubles -------------------------------------------------------------------------
    @np.errstate(all="ignore")
    def _run_float(self, mdp: MDP, rows: IntVec) -> Solution:
        out = self._float_rows(mdp, rows)
        return certified(
            mdp,
            out.V,
            pi=rows_policy(mdp, out.rows),
            tol=self.tol,
            max_iter_reached=out.hit_limit,
            solver=f"PolicyIteration({self.rule})",
            iterations=out.changes,
            backups=out.changes + 1,
            evaluations=out.changes + 1,
            residuals=tuple(out.residuals),
            trace=tuple(out.trace),
            info={"policy_changes": out.changes, "recurred": out.recurred},
        )

    def _float_rows(self, mdp: MDP, rows: IntVec) -> _Run:
        P = pair_matrix(mdp)
        seen = {_digest(rows)}
        trace: list[Step] = []
        residuals: list[float] = []
        changes = 0
        hit_limit = recurred = False
        while True:
            V = solve_discounted(P[rows], mdp.R_pairs[rows], float(mdp.gamma))
            if self.keep_trace:
                trace.append(Step(rows_policy(mdp, rows), V))
            q = mdp.R_pairs + mdp.gamma * (P @ V)
            residuals.append(float(sup_norm(np.maximum.reduceat(q, mdp.state_ptr[:-1]) - V)))
            new = switch_float(self.rule, mdp, rows, q, V)
            if (new == rows).all():
                break
            mark = _digest(new)
            recurred, hit_limit = mark in seen, changes == self.max_iter
            if recurred or hit_limit:
                break
            seen.add(mark)
            rows, changes = new, changes + 1
        return _Run(rows, V, changes, trace, residuals, hit_limit, recurred)


@dataclass
class _Run:
    rows: IntVec
    V: FloatVec
    changes: int
    trace: list[Step]
    residuals: list[float]
    hit_limit: bool
    recurred: bool


def start_rows(mdp: MDP, pi0: ArrayLike | Policy | None) -> IntVec:
    """Pair index of each state's starting action; refused if stochastic or not allowed."""
    if pi0 is None:
        return mdp.state_ptr[:-1].copy()
    policy = as_policy(mdp, pi0)
    if not policy.is_deterministic:
        raise InvalidArgument(f"pi0: {policy!r} is stochastic, start from one action id per state")
    return policy_rows(mdp, policy)


def pair_matrix(mdp: MDP) -> Any:
    """(N, S) matrix of a float model: the array of a dense model, else CSR."""
    if mdp.layout == "dense":
        return mdp.P_pairs
    import scipy.sparse as sp

    return sp.csr_array(mdp.csr, shape=(mdp.N, mdp.S))


def switch_exact(
    rule: Rule, state_ptr: Sequence[int], rows: IntVec, q: Sequence[fmpq], v: Sequence[fmpq]
) -> IntVec:
    """Rows after one improvement by `rule` of the policy `rows` with values v and pair values q."""
    best, arg = ex.maximise(state_ptr, q)
    better = [s for s in range(len(rows)) if best[s] > q[rows[s]]]
    new = rows.copy()
    if not better:
        return new
    if rule == "howard":
        new[better] = [arg[s] for s in better]
        return new
    if rule == "dantzig":
        s = max(better, key=lambda s: (best[s] - v[s], -s))
    else:
        s = better[-1] if rule == "simple-highest" else better[0]
    new[s] = arg[s]
    return new


def switch_float(rule: Rule, mdp: MDP, rows: IntVec, q: FloatVec, V: FloatVec, tie: float = TIE) -> IntVec:
    """As `switch_exact` in doubles: differences up to tie·max(1, ‖V‖) count as none."""
    slack = tie * max(1.0, float(sup_norm(V)))
    first, best = first_maximiser(mdp, q, slack)
    better = np.flatnonzero(best > q[rows] + slack)
    new = rows.copy()
    if better.size == 0:
        return new
    if rule == "howard":
        new[better] = first[better]
        return new
    if rule == "dantzig":
        adv = best[better] - V[better]
        s = better[np.argmax(adv >= adv.max() - slack)]
    else:
        s = better[-1] if rule == "simple-highest" else better[0]
    new[s] = first[s]
    return new


def first_maximiser(mdp: MDP, q: FloatVec, slack: float) -> tuple[IntVec, FloatVec]:
    """Lowest pair within `slack` of the maximum, and the maximum, per state."""
    best = np.maximum.reduceat(q, mdp.state_ptr[:-1])
    near = np.where(q >= best[mdp.pair_state] - slack, np.arange(mdp.N), mdp.N)
    return np.minimum.reduceat(near, mdp.state_ptr[:-1]), best


def _digest(rows: IntVec) -> bytes:
    return blake2b(np.ascontiguousarray(rows, dtype=np.int64).tobytes(), digest_size=16).digest()
