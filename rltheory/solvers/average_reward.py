"""Long-run average reward: gain, bias and Blackwell optimality, exact or in doubles.

Definitions.  g^π = P*_π R_π, h^π = H_π R_π (see `kernels.chain`).  With the Laurent terms y_k of π and
w = γv, the advantage of pair (s, a) is, for ρ = (1−γ)/γ,
    Adv = Σ_{k≥−1} ρ^k c_k,   c_k = [k=0]·R + P y_k − y_k − y_{k−1}   (y_{−2} = 0).
Policy iteration maximises (c_{−1}, c_0, …, c_K) lexicographically in every state, keeping the current
action on ties: it is Howard's method for all γ near 1 at once, so it never returns to a policy.  It
stops at a gain-optimal policy for K = 0, a bias-optimal one for K = 1, and a Blackwell-optimal one for
K = S − 1 (the numerator of Adv has degree ≤ S and D(γ) = det(I − γP) a zero at γ = 1).

Bounds on a constant gain (Odoni 1969): min(Th − h) ≤ g ≤ max(Th − h) for every h, evaluated with
outward rounding.  Relative value iteration works on (1−τ)I + τP, τR (Schweitzer), whose chains are
aperiodic, and stops when those two bounds are tol·max(1, |g|) apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, IntVec, float_array, sup_norm
from ..errors import InvalidArgument
from ..kernels import chain
from ..kernels import exact as ex
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators.policy import reward_vector, rows_policy, transition_matrix
from ..results import Status
from ..results.average import AverageSolution
from .bounds import backup_pairs, enclose_backup, enclose_policy_backup, pair_weights, stochastic

Criterion = Literal["gain", "bias", "blackwell"]

TIE = 1e-10
PI_LIMIT = 400
EXACT_LIMIT = 64


@dataclass(frozen=True)
class AverageReward:
    """Optimal gain, and a gain-, bias- or Blackwell-optimal policy.

    Exact models start from the policy found in doubles, so usually one exact evaluation remains.

    Parameters
    ----------
    criterion
        "gain", "bias" (bias-optimal among gain-optimal policies) or "blackwell".
    method
        "policy-iteration" (any chain structure; the default up to 400 states and for exact models) or
        "relative-vi" (gain the same at every state; doubles only; "gain" only).
    tol
        Width allowed for the gain bounds, relative to max(1, |g|).
    tau
        Weight of P in the aperiodicity transform of relative-vi, in (0, 1).
    max_iter
        Most policy changes or sweeps.

    Returns from `run`
    ------------------
    `AverageSolution`.  Exact models give exact results.  In doubles the gain is bounded rigorously when
    it is the same at every state; otherwise, and for "blackwell", the model is solved exactly (its
    doubles taken as rationals) up to 64 states.

    Raises
    ------
    InvalidArgument
        Unknown method or criterion, or a combination that is not offered.

    Complexity: O(S³ + K·nnz) an improvement; relative-vi O(nnz) a sweep.

    Source: Howard 1960; Veinott 1969; Puterman 1994, chapters 8–10; Schweitzer 1971; Odoni 1969.

    Examples
    --------
    >>> from rltheory import MDP
    >>> AverageReward().run(MDP([[[0, 1]], [[1, 0]]], [[1], [0]], 0)).gain.tolist()
    [0.5, 0.5]
    """

    criterion: Criterion = "bias"
    method: Literal["policy-iteration", "relative-vi"] | None = None
    tol: float = 1e-8
    tau: float = 0.5
    max_iter: int = 1_000_000

    def __post_init__(self) -> None:
        if self.criterion not in ("gain", "bias", "blackwell"):
            raise InvalidArgument(
                f"AverageReward: criterion={self.criterion!r}, use 'gain', 'bias' or 'blackwell'"
            )
        if self.method not in (None, "policy-iteration", "relative-vi"):
            raise InvalidArgument(
                f"AverageReward: method={self.method!r}, use 'policy-iteration' or 'relative-vi'"
            )
        if self.method == "relative-vi" and self.criterion != "gain":
            raise InvalidArgument("AverageReward: relative-vi finds the gain only; set criterion='gain'")
        if not 0 < self.tau < 1:
            raise InvalidArgument(f"AverageReward: tau={self.tau}, must be inside (0, 1)")

    def run(self, mdp: MDP) -> AverageSolution:
        """Gain, bias and an optimal policy of `mdp`; its discount is ignored."""
        if mdp.is_exact:
            if self.method == "relative-vi":
                raise InvalidArgument(
                    "AverageReward: relative-vi works in doubles; use policy-iteration or mdp.float()"
                )
            return self._run_exact(mdp, self._float_rows(mdp.float())[0])
        sweeping = self.method == "relative-vi" or (
            self.method is None and self.criterion == "gain" and mdp.S > PI_LIMIT
        )
        if sweeping:
            return self._relative_vi(mdp)
        return self._run_float(mdp)

    # ---- policy iteration ----------------------------------------------------------------
    def _terms(self, S: int) -> int:
        return {"gain": 0, "bias": 1, "blackwell": max(S - 1, 0)}[self.criterion]

    def _run_exact(self, mdp: MDP, rows: IntVec) -> AverageSolution:
        model = stochastic(mdp)
        changes, status = 0, Status.EXACT
        while True:
            y = policy_laurent(model, rows_policy(model, rows), self._terms(mdp.S))
            new = lexicographic(model, rows, y, 0)
            if (new == rows).all():
                break
            if changes == self.max_iter:
                status = Status.MAX_ITER
                break
            rows, changes = new, changes + 1
        gain = y[0]
        upper = gain if status is Status.EXACT else np.full(mdp.S, np.inf, dtype=object)
        return self._result(mdp, gain, gain, upper, y[1], rows, status, changes)

    def _float_rows(self, mdp: MDP) -> tuple[IntVec, NDArray[Any], int, bool]:
        """Policy iteration in doubles: final pairs, their Laurent terms, changes, limit reached."""
        rows = mdp.state_ptr[:-1].copy()
        seen = {rows.tobytes()}
        terms = min(self._terms(mdp.S), 1)
        y = np.full((terms + 2, mdp.S), np.nan)
        for changes in range(self.max_iter + 1):
            try:
                y = policy_laurent(mdp, rows_policy(mdp, rows), terms)
            except np.linalg.LinAlgError:
                return rows, y * np.nan, changes, False
            new = lexicographic(mdp, rows, y, TIE)
            if (new == rows).all() or new.tobytes() in seen or not np.isfinite(y).all():
                return rows, y, changes, False
            seen.add(new.tobytes())
            if changes < self.max_iter:
                rows = new
        return rows, y, self.max_iter, True

    def _run_float(self, mdp: MDP) -> AverageSolution:
        rows, y, changes, hit_limit = self._float_rows(mdp)
        gain, bias = float_array(y[0]), float_array(y[1])
        lower, upper = gain_bounds(mdp, bias)
        if self.criterion != "blackwell" and _tight(lower, upper, self.tol):
            g = np.clip(gain, lower, upper)
            return self._result(mdp, g, lower, upper, bias, rows, Status.SOLVED, changes)
        if mdp.S <= EXACT_LIMIT:
            return _rounded(mdp, self._run_exact(mdp.exact(), rows))
        status = Status.MAX_ITER if hit_limit else Status.STALLED
        return self._result(mdp, gain, lower, upper, bias, rows, status, changes)

    # ---- relative value iteration --------------------------------------------------------
    def _relative_vi(self, mdp: MDP) -> AverageSolution:
        v, sweeps, tau = np.zeros(mdp.S), 0, self.tau
        while True:
            q = mdp.R_pairs + backup_pairs(mdp, v)
            step = np.maximum.reduceat(q, mdp.state_ptr[:-1]) - v
            low, high = float(step.min()), float(step.max())
            sweeps += 1
            small = high - low <= self.tol / 2 * max(1.0, abs(low), abs(high))
            if small or sweeps >= self.max_iter or not np.isfinite(high - low):
                break
            v = v + tau * step
            v -= v[0]
        lower, upper = gain_bounds(mdp, v)
        best = np.maximum.reduceat(q, mdp.state_ptr[:-1])
        near = np.where(q >= best[mdp.pair_state], np.arange(mdp.N), mdp.N)
        rows = np.minimum(np.minimum.reduceat(near, mdp.state_ptr[:-1]), mdp.N - 1)
        status = (
            Status.SOLVED if _tight(lower, upper, self.tol) else Status.STALLED if small else Status.MAX_ITER
        )
        gain = np.full(mdp.S, (low + high) / 2)
        g = np.clip(gain, lower, upper)
        return self._result(mdp, g, lower, upper, v, rows, status, sweeps, "relative-vi")

    def _result(
        self,
        mdp: MDP,
        gain: NDArray[Any],
        lower: NDArray[Any],
        upper: NDArray[Any],
        bias: NDArray[Any],
        rows: IntVec,
        status: Status,
        iterations: int,
        method: str = "policy-iteration",
    ) -> AverageSolution:
        name = f"AverageReward({self.criterion}, {method})"
        return AverageSolution(
            gain, lower, upper, bias, rows_policy(mdp, rows), status, name, mdp, iterations
        )


def lexicographic(mdp: MDP, rows: IntVec, y: NDArray[Any], tie: float) -> IntVec:
    """Rows after one lexicographic improvement of (P y_{−1}, R + P y_0, P y_1, …) over each state's pairs.

    Parameters
    ----------
    rows
        (S,) current pairs, kept where nothing beats them.
    y
        (K+2, S) Laurent terms of the current policy.
    tie
        Differences up to tie·max(1, ‖y_k‖, ‖R‖) count as none; 0 on exact models.
    """
    alive = np.ones(mdp.N, dtype=np.bool_)
    start = mdp.state_ptr[:-1]
    settled = np.zeros(mdp.S, dtype=np.bool_)  # states whose current pair has been beaten
    floor = -np.inf
    c: NDArray[Any]
    for k, term in enumerate(y):
        if mdp.is_exact:
            c = ex.from_fmpq_list(ex.expected_next(mdp.rational, ex.to_fmpq_list(term)))
        else:
            c = backup_pairs(mdp, term)
        if k == 1:
            c = mdp.R_pairs + c
        slack: Any = tie * max(1.0, float(sup_norm(term)), float(sup_norm(mdp.R_pairs)) if k == 1 else 0.0)
        slack = 0 if mdp.is_exact else slack
        best = np.maximum.reduceat(np.where(alive, c, floor), start)
        alive &= np.asarray(c >= best[mdp.pair_state] - slack, dtype=np.bool_)
        settled |= ~alive[rows]
    first = np.minimum.reduceat(np.where(alive, np.arange(mdp.N), mdp.N), start)
    return np.where(settled, first, rows)


def average_value(mdp: MDP, pi: ArrayLike | Policy) -> AverageSolution:
    """Gain P*R and bias HR of a stationary policy (deterministic or stochastic).

    Returns
    -------
    `AverageSolution`; exact when the model is.  In doubles the gain is bounded when it is the same at
    every state, or by exact solution up to 64 states.

    Complexity: O(S³).
    """
    policy = pi if isinstance(pi, Policy) else Policy(pi)
    model = stochastic(mdp)
    y = policy_laurent(model, policy, 0)
    if mdp.is_exact:
        return AverageSolution(y[0], y[0], y[0], y[1], policy, Status.EXACT, "average_value", mdp)
    gain, bias = float_array(y[0]), float_array(y[1])
    lo, hi, defect = enclose_policy_backup(mdp, pair_weights(mdp, policy), _centred(bias), 1.0)
    lower, upper = _odoni(lo, hi, _centred(bias), defect, mdp.S)
    status = Status.SOLVED if _tight(lower, upper, 1e-8) else Status.STALLED
    if status is Status.STALLED and mdp.S <= EXACT_LIMIT:
        return _rounded(mdp, average_value(mdp.exact(), policy))
    g = np.clip(gain, lower, upper)
    return AverageSolution(g, lower, upper, bias, policy, status, "average_value", mdp)


def policy_laurent(mdp: MDP, pi: ArrayLike | Policy, terms: int) -> NDArray[Any]:
    """(terms + 2, S) Laurent terms y_{−1} = gain, y_0 = bias, …, y_terms of a policy.

    On exact models the rows of P must sum to one exactly (`stochastic` makes them); those of π are
    divided by their sums.
    """
    policy = pi if isinstance(pi, Policy) else Policy(pi)
    if mdp.is_exact and not policy.is_deterministic:
        table = policy.matrix(exact=True)
        policy = Policy(table / table.sum(axis=1)[:, None])
    P, R = transition_matrix(mdp, policy), reward_vector(mdp, policy)
    return chain.laurent_terms(P, R, max(terms, 0))


def gain_bounds(mdp: MDP, h: FloatVec) -> tuple[FloatVec, FloatVec]:
    """Rigorous min(Th − h) and max(Th − h) as (S,) constants: bounds on an optimal gain that is the same
    at every state (in general: lower ≤ min_s g*(s), max_s g*(s) ≤ upper).
    """
    centred = _centred(h)
    lo, hi, defect = enclose_backup(mdp, centred, 1.0)
    return _odoni(lo, hi, centred, defect, mdp.S)


def _tight(lower: FloatVec, upper: FloatVec, tol: float) -> bool:
    return bool(np.max(upper - lower) <= tol * max(1.0, float(sup_norm(lower))))


def _centred(h: FloatVec) -> FloatVec:
    return float_array(h) - (float(np.max(h)) + float(np.min(h))) / 2


def _odoni(lo: FloatVec, hi: FloatVec, h: FloatVec, defect: float, S: int) -> tuple[FloatVec, FloatVec]:
    widen = np.nextafter(1.01 * defect * float(sup_norm(h)), np.inf)
    low = np.nextafter(np.nextafter(np.min(lo - h), -np.inf) - widen, -np.inf)
    high = np.nextafter(np.nextafter(np.max(hi - h), np.inf) + widen, np.inf)
    return np.full(S, low), np.full(S, high)


def _rounded(mdp: MDP, sol: AverageSolution) -> AverageSolution:
    """An exact result in doubles, bounds one step outward."""
    gain = float_array(sol.gain)
    return AverageSolution(
        gain=gain,
        lower=np.nextafter(gain, -np.inf),
        upper=np.nextafter(gain, np.inf),
        bias=float_array(sol.bias),
        pi=sol.pi,
        status=Status.SOLVED if sol.status is Status.EXACT else sol.status,
        solver=sol.solver,
        mdp=mdp,
        iterations=sol.iterations,
        info=MappingProxyType({"by": "exact solution"}),
    )
