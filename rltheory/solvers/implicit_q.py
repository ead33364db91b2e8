"""Implicit Q-learning in tables: the fixed point of an expectile operator, and its implicit policy.

Definitions.  T_τ (see `operators.expectile`) is a monotone γ-contraction with fixed point V_τ, and
Q_τ = R + γPV_τ.  Let Π_τ be the policies with c(1−τ)μ ≤ π(·|s) ≤ cτμ for some c = c(s) (τ ≥ ½; the
factors change places for τ < ½).  Then

    V_τ = max over Π_τ of V^π (min for τ < ½) = V^{π_τ},
    π_τ(a|s) ∝ μ(a|s)·(τ if Q_τ(s,a) > V_τ(s) else 1−τ).

V*_μ is the optimum over policies that stay in the support of μ; V_τ ↑ V*_μ as τ → 1.

Stopping.  ‖V − V_τ‖ ≤ ‖T_τV − V‖/(1−γ); in doubles the certificate counts every rounding error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from flint import fmpq
from numpy.typing import ArrayLike

from ..arrays import FloatVec, PairVec, Real, StateVec, float_array, frozen, sup_norm
from ..kernels import exact as rational
from ..kernels.certificate import enclose_fixed_point
from ..kernels.evaluate import solve_discounted
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators._arrays import read_only
from ..operators.bellman import q_pairs
from ..operators.expectile import (
    behaviour_weights,
    check_tau,
    enclose_implicit_backup,
    exact_expectiles,
    expectile_segments,
)
from ..operators.policy import reward_vector, transition_matrix
from ..results.solution import Solution, Status, error_bound
from .base import TOL, Bounds, check_max_iter, check_tol
from .policy_iteration import PolicyIteration

SPARSE_FROM = 300
"""States from which the policy systems of CSR models are solved as sparse ones."""


@dataclass(frozen=True, eq=False)
class ImplicitQ:
    """V_τ by policy iteration: π ← threshold policy of V, V ← V^π; finitely many steps.

    Parameters
    ----------
    mu
        Behaviour policy, (S, A) probabilities or (S,) action ids.
    tau
        Expectile level in (0, 1).
    tol
        Relative accuracy that the certificate of a float result must reach.
    max_iter
        Most policy evaluations.

    Returns from `run`
    ------------------
    `Solution` of V_τ between rigorous bounds (for the doubles stored in the model, μ and τ; τ's double,
    so for 1−τ below 1e-12 use an exact model).  `pi` is the implicit policy π_τ, `Q` is Q_τ,
    `info["tau"]` and `info["mu"]` what was asked.  Error zero on exact models.

    Raises
    ------
    InvalidArgument, InvalidModel
        τ outside (0, 1); μ not a policy of the model.

    Complexity: O(S³ + nnz + N log A) an iteration; at most one for each threshold policy, in practice
    a handful.

    Source: Kostrikov, Nair, Levine (2021); policy iteration on Π_τ derived here.

    Examples
    --------
    >>> from rltheory import MDP
    >>> ImplicitQ([[0.5, 0.5]], tau=0.75).run(MDP([[[1.0], [1.0]]], [[1.0, 0.0]], gamma=0.5)).V
    array([1.5])
    """

    mu: Policy | ArrayLike
    tau: Real
    tol: float = TOL
    max_iter: int = 10_000

    def __post_init__(self) -> None:
        check_tau(self.tau, exact=True)
        check_tol(self.tol)
        check_max_iter(self.max_iter)

    def run(self, mdp: MDP, /) -> Solution:
        """V_τ, Q_τ and π_τ of a discounted model in either number system."""
        w = behaviour_weights(mdp, self.mu)
        tau = check_tau(self.tau, exact=mdp.is_exact)
        if mdp.is_exact:
            return self._exact(mdp, w, tau)
        V, steps, done = _float_policy_iteration(mdp, w, tau, self.max_iter)
        return _certified(mdp, V, w, tau, self, iterations=steps, evaluations=steps, out_of_time=not done)

    def _exact(self, mdp: MDP, w: PairVec, tau: Fraction) -> Solution:
        weights, level, ptr = rational.to_fmpq_list(w), rational.to_fmpq(tau), mdp.state_ptr.tolist()
        v = rational.to_fmpq_list(self._warm_start(mdp, w))
        for step in range(self.max_iter + 1):
            q = rational.q_pairs(mdp.rational, v)
            m = exact_expectiles(q, weights, ptr, level)
            if m == v:
                break
            if step == self.max_iter:
                V = rational.from_fmpq_list(v)
                return _certified(mdp, V, w, tau, self, iterations=step, evaluations=step, out_of_time=True)
            v = rational.evaluate_weights(mdp.rational, _threshold_entries(q, m, weights, ptr, level))
        V = rational.from_fmpq_list(v)
        return _solution(mdp, V, Bounds(V, V), w, tau, self, Status.EXACT, iterations=step, evaluations=step)

    def _warm_start(self, mdp: MDP, w: PairVec) -> StateVec:
        """A float V_τ where doubles can tell τ and μ from 0 and 1; zeros otherwise."""
        tau, small = float(self.tau), mdp.float()
        wf = float_array(w)
        if not 0 < tau < 1 or ((wf == 0) & (w != 0)).any():
            return np.zeros(mdp.S)
        V, _, _ = _float_policy_iteration(small, wf, tau, self.max_iter)
        return V if np.isfinite(V).all() else np.zeros(mdp.S)


@dataclass(frozen=True, eq=False)
class ImplicitQIteration:
    """V_τ by value iteration: V ← T_τV from V = 0.

    Stops when ‖T_τV − V‖ ≤ (1−γ)·tol·max(1, ‖V‖): then V is within tol·max(1, ‖V‖) of V_τ, and the
    certificate is computed from one more application of T_τ.

    Parameters
    ----------
    mu, tau
        As for `ImplicitQ`.
    tol
        Error allowed, relative to max(1, ‖V‖).
    max_iter
        Sweeps allowed.

    Returns from `run`
    ------------------
    `Solution` as from `ImplicitQ`, with ‖T_τV − V‖ of every sweep in `residuals`.  On exact models the
    sweeps run in doubles and only the certificate in rationals: V, lower, upper are `Fraction`s with
    upper − lower = 2‖T_τV − V‖/(1−γ).

    Complexity: O(nnz + N log A) a sweep; contracts like γ, so prefer `ImplicitQ` for γ ≥ 0.99.

    Source: Kostrikov, Nair, Levine (2021).
    """

    mu: Policy | ArrayLike
    tau: Real
    tol: float = TOL
    max_iter: int = 1_000_000

    def __post_init__(self) -> None:
        check_tau(self.tau, exact=True)
        check_tol(self.tol)
        check_max_iter(self.max_iter)

    def run(self, mdp: MDP, /) -> Solution:
        """V_τ, Q_τ and π_τ of a discounted model in either number system."""
        w = behaviour_weights(mdp, self.mu)
        tau = check_tau(self.tau, exact=mdp.is_exact)
        small, wf, level = mdp.float(), float_array(w), check_tau(self.tau, exact=False)
        ends = read_only(mdp.state_ptr.astype(np.uint64))
        V, stalled = np.zeros(mdp.S), False
        residuals: list[float] = []
        goal = (1 - float(mdp.gamma)) * float(self.tol)
        while len(residuals) < self.max_iter:
            new = expectile_segments(q_pairs(small, V), wf, ends, level).value
            residuals.append(float(sup_norm(new - V)))
            stalled = residuals[-1] <= 4 * 2.0**-53 * float(sup_norm(new))
            V = new
            if residuals[-1] <= goal * max(1.0, float(sup_norm(V))) or stalled or math.isnan(residuals[-1]):
                break
        done = residuals[-1] <= goal * max(1.0, float(sup_norm(V))) or stalled
        return _certified(
            mdp, V, w, tau, self, iterations=len(residuals), residuals=residuals, out_of_time=not done
        )


def _float_policy_iteration(mdp: MDP, w: FloatVec, tau: float, max_iter: int) -> tuple[FloatVec, int, bool]:
    """(V, evaluations, finished): stops when a threshold set comes back."""
    ends, owner = read_only(mdp.state_ptr.astype(np.uint64)), mdp.pair_state
    V, seen = np.zeros(mdp.S), set()
    for step in range(max_iter):
        q = q_pairs(mdp, V)
        law = expectile_segments(q, w, ends, tau)
        above = q >= law.cut[owner]
        mark = np.packbits(above).tobytes()
        if mark in seen or not np.isfinite(law.value).all():
            return V, step, True
        seen.add(mark)
        pi = _threshold_policy(mdp, w, above, tau)
        sparse = mdp.layout == "csr" and mdp.S >= SPARSE_FROM
        P = transition_matrix(mdp, pi, sparse=True) if sparse else transition_matrix(mdp, pi)
        V = solve_discounted(P, float_array(reward_vector(mdp, pi)), float(mdp.gamma))
        V = np.where(mdp.terminal, 0.0, V)
    return V, max_iter, False


def _threshold_policy(mdp: MDP, w: PairVec, above: Any, tau: Any) -> Policy:
    """π ∝ μ·(τ where above, else 1−τ)."""
    weight = w * np.where(above, tau, 1 - tau)
    total = np.add.reduceat(weight, mdp.state_ptr[:-1])
    table = np.zeros((mdp.S, mdp.A), dtype=weight.dtype)
    if mdp.is_exact:
        table[:] = Fraction(0)
    table[mdp.pair_state, mdp.pair_action] = weight / total[mdp.pair_state]
    return Policy(table)


def _threshold_entries(
    q: list[fmpq], m: list[fmpq], w: list[fmpq], ptr: list[int], tau: fmpq
) -> list[list[tuple[int, fmpq]]]:
    out = []
    for s, (i, j) in enumerate(pairwise(ptr)):
        row = [(k, w[k] * (tau if q[k] > m[s] else 1 - tau)) for k in range(i, j) if w[k] != 0]
        total = sum((x for _, x in row), fmpq(0))
        out.append([(k, x / total) for k, x in row])
    return out


def _certified(
    mdp: MDP, V: StateVec, w: PairVec, tau: Any, solver: Any, *, out_of_time: bool, **counts: Any
) -> Solution:
    """Bounds on V_τ from one application of T_τ to V, and the status they justify."""
    if mdp.is_exact:
        bounds, V = _exact_bounds(mdp, V, w, tau)
    else:
        lo, hi, smin, smax = enclose_implicit_backup(mdp, w, tau, V)
        terminal = read_only(mdp.terminal)
        bounds = Bounds(*enclose_fixed_point(V, lo, hi, float(mdp.gamma), smin, smax, terminal, True))
        if bounds.finite:
            V = np.minimum(np.maximum(V, bounds.lower), bounds.upper)
    error = error_bound(V, bounds.lower, bounds.upper)
    if not bounds.finite or not error < math.inf:
        status = Status.MAX_ITER if out_of_time else Status.FAILED
    elif error <= solver.tol * max(1, sup_norm(V)):
        status = Status.EXACT if mdp.is_exact and error == 0 else Status.SOLVED
    else:
        status = Status.MAX_ITER if out_of_time else Status.STALLED
    return _solution(mdp, V, bounds, w, tau, solver, status, **counts)


def _exact_bounds(mdp: MDP, V: StateVec, w: PairVec, tau: Fraction) -> tuple[Bounds, StateVec]:
    """V ± ‖T_τV − V‖/(1−γσ) in rationals, σ the largest row sum (1 unless lifted from doubles)."""
    v, m = rational.to_fmpq_list(V), mdp.rational
    Tv = exact_expectiles(
        rational.q_pairs(m, v), rational.to_fmpq_list(w), mdp.state_ptr.tolist(), rational.to_fmpq(tau)
    )
    sums = [sum(m.data[i:j], fmpq(0)) for i, j in pairwise(m.indptr)]
    alpha = m.gamma * max(sums)
    V = rational.from_fmpq_list(v)
    if alpha >= 1:
        nothing = np.full(mdp.S, np.inf, dtype=object)
        return Bounds(-nothing, nothing), V
    radius = rational.from_fmpq(max(abs(t - x) for t, x in zip(Tv, v)) / (1 - alpha))
    return Bounds(V - radius, V + radius), V


def _solution(
    mdp: MDP, V: StateVec, bounds: Bounds, w: PairVec, tau: Any, solver: Any, status: Status, **counts: Any
) -> Solution:
    q = q_pairs(mdp, V)
    if mdp.is_exact:
        above = q > V[mdp.pair_state]
    else:
        cut = expectile_segments(q, w, mdp.state_ptr.astype(np.uint64), tau).cut
        above = q >= cut[mdp.pair_state]
    residuals = tuple(counts.pop("residuals", ()))
    pi = _threshold_policy(mdp, w, above, tau)
    return Solution(
        V=frozen(V),
        lower=frozen(bounds.lower),
        upper=frozen(bounds.upper),
        pi=pi,
        status=status,
        solver=f"{type(solver).__name__}(tau={solver.tau})",
        mdp=mdp,
        residuals=residuals,
        info=MappingProxyType({"tau": tau, "mu": solver.mu}),
        **counts,
    )


def support_model(mdp: MDP, mu: Policy | ArrayLike) -> MDP:
    """`mdp` with only the pairs that μ uses; action ids unchanged."""
    return mdp.restrict(behaviour_weights(mdp, mu) > 0)


def in_support_optimum(mdp: MDP, mu: Policy | ArrayLike) -> Solution:
    """V*_μ = max of V^π over policies with π(a|s) = 0 wherever μ(a|s) = 0.

    Parameters
    ----------
    mdp
        Model in either number system.
    mu
        Behaviour policy; only its support matters.

    Returns
    -------
    Solution
        Of `support_model(mdp, mu)`: rigorous bounds, exact for exact models; `Q` is −inf outside the
        support.

    Raises
    ------
    InvalidArgument, InvalidModel
        If μ is not a policy of the model.

    Complexity: policy iteration on the pairs of the support.
    """
    return PolicyIteration(keep_trace=False).run(support_model(mdp, mu))


def revealed(mdp: MDP, mu: Policy | ArrayLike) -> tuple[MDP, Policy]:
    """The model in which the next state is chosen, and the behaviour that chooses it as luck would.

    Its actions a·S + t (earn R(s,a), move to t) exist where μ(a|s)P(t|s,a) > 0, its behaviour has these
    probabilities.  T_τ of the new pair is the one-level operator N_τ of the old one, so `ImplicitQ` on
    it gives N_τ's fixed point and `in_support_optimum` the value of the luckiest trajectory.

    Complexity: O(nnz(P)) pairs, A·S action ids.
    """
    w = behaviour_weights(mdp, mu)
    data, indices, indptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(indptr))
    joint = w[owner] * data
    keep = np.flatnonzero(joint != 0)
    order = keep[np.lexsort((indices[keep], mdp.pair_action[owner[keep]], mdp.pair_state[owner[keep]]))]
    owner, target, joint = owner[order], np.asarray(indices)[order].astype(np.int64), joint[order]
    state, action = mdp.pair_state[owner], mdp.pair_action[owner] * mdp.S + target
    one = Fraction(1) if mdp.is_exact else 1.0
    model = MDP.from_pairs(
        (np.array([one] * order.size, dtype=joint.dtype), target, np.arange(order.size + 1)),
        mdp.R_pairs[owner],
        mdp.gamma,
        pair_state=state,
        pair_action=action,
        S=mdp.S,
        mu=mdp.mu / mdp.mu.sum(),  # a law lifted from doubles may be off one by an ulp
        terminal=mdp.terminal,
    )
    table = np.zeros((mdp.S, model.A), dtype=joint.dtype)
    if mdp.is_exact:
        table[:] = Fraction(0)
    table[state, action] = joint
    return model, Policy(table / table.sum(axis=1)[:, None])
