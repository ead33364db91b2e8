"""Entropy-regularised control: soft Bellman maps, soft value iteration, soft policy iteration.

Definitions.  Temperature τ > 0; weights w(a|s) = 1, or a reference policy μ(a|s).
    (T_τ v)(s) = τ log Σ_a w(a|s) exp(q(s,a)/τ),   q = R + γPv,
a γ-contraction (convex and monotone) with fixed point V_τ and soft policy π_τ ∝ w·exp(q/τ).  Of a policy,
    v^π_τ = Σ_a π(a|s)[q(s,a) − τ log(π(a|s)/w(a|s))].
Sums are shifted by their largest term, so no temperature overflows.

Soft value iteration stops when γ/(1−γ)·sp(T_τ v − v) ≤ tol·max(1, ‖v‖); soft policy iteration (Newton's
method on T_τ, which it solves from below) when an improvement moves v by rounding only.

Bounds.  The final v is exact (doubles or rationals), and one backup of it is evaluated in ball
arithmetic, exp and log included; with h the largest, l the smallest entry of T_τ v − v,
    T_τ v + γ/(1−γ)·l ≤ V_τ ≤ T_τ v + γ/(1−γ)·h   (γ times the extreme row sums, as stored).
On exact models Newton goes on in ball arithmetic, so the bounds are 2^−bits apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, PairVec, Real, StateVec, exact_array, float_array, sup_norm
from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels import exact as ex
from ..kernels.evaluate import solve_discounted
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators.policy import as_policy
from ..results import Solution, Status
from .base import check_max_iter, check_tol
from .bounds import backup_pairs, pair_weights
from .soft_balls import evaluate_balls, refine, soft_backup_balls

BITS = 128


@dataclass(frozen=True)
class SoftValueIteration:
    """V_τ by sweeps v ← T_τ v from 0.

    Parameters
    ----------
    tau
        Temperature, > 0.
    reference
        Reference policy μ, or None for plain entropy (weights 1).
    tol
        Accuracy, relative to max(1, ‖V_τ‖).
    max_iter
        Most sweeps.

    Returns from `run`
    ------------------
    `Solution` with V = V_τ between rigorous bounds and the soft policy.  `Solution.Q` is q_τ.

    Complexity: O(nnz) a sweep; the certificate costs about 1 µs a non-zero.

    Source: Ziebart 2010; Nachum et al. 2017; Cen et al. 2021.

    Examples
    --------
    >>> from rltheory import MDP
    >>> SoftValueIteration(tau=1.0).run(MDP([[[1], [1]]], [[0, 0]], 0.5)).V.round(6).tolist()
    [1.386294]
    """

    tau: Real
    reference: ArrayLike | Policy | None = None
    tol: float = 1e-8
    max_iter: int = 1_000_000

    def __post_init__(self) -> None:
        _check_tau(self.tau)
        check_tol(self.tol)
        check_max_iter(self.max_iter)

    def run(self, mdp: MDP) -> Solution:
        """V_τ and π_τ of `mdp`."""
        model = mdp.float()
        log_w = _log_weights(model, self.reference)
        gamma, tau = float(model.gamma), float(self.tau)
        v, sweeps, residuals, done = np.zeros(model.S), 0, [], False
        while not done and sweeps < self.max_iter:
            Tv = _soft_max(model, model.R_pairs + gamma * backup_pairs(model, v), log_w, tau)[0]
            step = Tv - v
            sweeps, v = sweeps + 1, Tv
            residuals.append(float(step.max() - step.min()))
            slack = gamma / (1 - gamma) * residuals[-1]
            floor = 1e-15 * gamma / (1 - gamma) * float(sup_norm(v))
            done = slack <= max(self.tol / 2 * max(1.0, float(sup_norm(v))), floor)
        shift = gamma / (1 - gamma) * (step.max() + step.min()) / 2
        return _certified(
            mdp,
            v + shift,
            self.tau,
            self.reference,
            self.tol,
            "SoftValueIteration",
            not done,
            sweeps,
            residuals,
        )


@dataclass(frozen=True)
class SoftPolicyIteration:
    """V_τ by Newton's method: evaluate the soft policy of v, repeat.

    Parameters
    ----------
    tau, reference, tol
        As for `SoftValueIteration`.
    max_iter
        Most evaluations.
    bits
        On exact models, the bounds returned are about 2^−bits·max(1, ‖V_τ‖) apart.

    Complexity: O(S³) an evaluation; a handful suffices.

    Source: Newton's method on a convex map; Puterman–Brumelle 1979.

    Examples
    --------
    >>> from rltheory import MDP
    >>> SoftPolicyIteration(tau=1.0).run(MDP([[[1], [1]]], [[0, 0]], 0.5)).V.round(6).tolist()
    [1.386294]
    """

    tau: Real
    reference: ArrayLike | Policy | None = None
    tol: float = 1e-8
    max_iter: int = 1000
    bits: int = BITS

    def __post_init__(self) -> None:
        _check_tau(self.tau)
        check_tol(self.tol)
        check_max_iter(self.max_iter)

    def run(self, mdp: MDP) -> Solution:
        """V_τ and π_τ of `mdp`."""
        model = mdp.float()
        log_w = _log_weights(model, self.reference)
        gamma, tau = float(model.gamma), float(self.tau)
        v, k = np.zeros(model.S), 0
        residuals: list[float] = []
        while k < self.max_iter:
            Tv, pi = _soft_max(model, model.R_pairs + gamma * backup_pairs(model, v), log_w, tau)
            residual = float(sup_norm(Tv - v))
            scale = max(1.0, float(sup_norm(v)))
            if k > 1 and (
                residual <= 4e-16 * scale or (residual >= residuals[-1] / 2 and residual <= 1e-12 * scale)
            ):
                break
            residuals.append(residual)
            v = v + solve_discounted(mix_rows(model, pi), Tv - v, gamma)
            k += 1
        hit = k >= self.max_iter
        V: StateVec = v
        if mdp.is_exact:
            V = refine(mdp, v, self.tau, self.reference, self.bits)
        return _certified(
            mdp,
            V,
            self.tau,
            self.reference,
            self.tol,
            "SoftPolicyIteration",
            hit,
            k,
            residuals,
            bits=self.bits,
        )


def soft_bellman(mdp: MDP, V: ArrayLike, tau: Real, reference: ArrayLike | Policy | None = None) -> FloatVec:
    """(T_τ V)(s) = τ log Σ_a w(a|s) exp((R + γPV)(s,a)/τ), in doubles; (S,).

    Complexity: O(nnz).
    """
    model = mdp.float()
    v = float_array(V)
    q = model.R_pairs + model.gamma * backup_pairs(model, v)
    return _soft_max(model, q, _log_weights(model, reference), _check_tau(tau))[0]


def soft_policy(mdp: MDP, V: ArrayLike, tau: Real, reference: ArrayLike | Policy | None = None) -> Policy:
    """π(a|s) ∝ w(a|s) exp((R + γPV)(s,a)/τ), in doubles."""
    model = mdp.float()
    q = model.R_pairs + model.gamma * backup_pairs(model, float_array(V))
    return _table(model, _soft_max(model, q, _log_weights(model, reference), _check_tau(tau))[1])


def soft_evaluate(
    mdp: MDP,
    pi: ArrayLike | Policy,
    tau: Real,
    reference: ArrayLike | Policy | None = None,
    *,
    bits: int = BITS,
) -> Solution:
    """v^π_τ = Σ_a π[q_τ − τ log(π/w)], the regularised value of a policy.

    Parameters
    ----------
    mdp, pi
        Model and policy; on exact models the policy is lifted to rationals.
    tau
        Temperature ≥ 0 (0: the plain value).
    reference
        Reference policy μ; must be positive wherever π is.
    bits
        Working precision of the ball arithmetic.

    Returns
    -------
    `Solution` with rigorous bounds: 2^−bits apart on exact models, rounding of the solve in doubles.

    Raises
    ------
    InvalidArgument
        If π puts weight where the reference has none.

    Complexity: O(S³).
    """
    policy = as_policy(mdp, pi)
    w = pair_weights(mdp, policy)
    mu = None if reference is None else pair_weights(mdp, reference)
    if mu is not None and ((w != 0) & (mu == 0)).any():
        bad = int(np.argmax((w != 0) & (mu == 0)))
        raise InvalidArgument(
            f"soft_evaluate: pi({mdp.pair_action[bad]}|{mdp.pair_state[bad]})={w[bad]}, but the reference "
            "gives it 0; the relative entropy is infinite"
        )
    with ball.precision(bits + 32):
        bonus = ball.balls([0] * mdp.N)
        for k in np.flatnonzero(w != 0).tolist():
            ratio = ball.to_arb(w[k]) if mu is None else ball.to_arb(w[k]) / ball.to_arb(mu[k])
            bonus[k] = -ball.to_arb(tau) * ratio.log() if tau != 0 else arb(0)
        v = evaluate_balls(mdp, ball.balls(w), bonus)
        return _from_balls(mdp, v, policy, "soft_evaluate")


# ---- doubles -----------------------------------------------------------------------------
def _check_tau(tau: Real) -> float:
    if not tau > 0 or not np.isfinite(float(tau)):
        raise InvalidArgument(f"tau={tau}, the temperature must be positive; use solve(mdp) for tau = 0")
    return float(tau)


def _log_weights(mdp: MDP, reference: ArrayLike | Policy | None) -> PairVec:
    """(N,) log w(a|s); −inf where the reference gives no weight."""
    if reference is None:
        return np.zeros(mdp.N)
    with np.errstate(divide="ignore"):
        return np.log(float_array(pair_weights(mdp, reference)))


def _soft_max(mdp: MDP, q: PairVec, log_w: PairVec, tau: float) -> tuple[FloatVec, PairVec]:
    """(S,) τ log Σ w e^{q/τ} and the (N,) soft policy."""
    start, owner = mdp.state_ptr[:-1], mdp.pair_state
    x = q / tau + log_w
    top = np.maximum.reduceat(x, start)
    weight = np.exp(x - top[owner])
    total = np.add.reduceat(weight, start)
    return tau * (top + np.log(total)), weight / total[owner]


def mix_rows(mdp: MDP, weights: PairVec) -> Any:
    """P_π (dense or CSR) for pair weights."""
    import scipy.sparse as sp

    mixing = sp.csr_array((weights, np.arange(mdp.N), mdp.state_ptr), shape=(mdp.S, mdp.N))
    if mdp.layout == "dense":
        return mixing @ mdp.P_pairs
    return sp.csr_array(mixing @ sp.csr_array(mdp.csr, shape=(mdp.N, mdp.S)))


def _table(mdp: MDP, weights: PairVec) -> Policy:
    out = np.zeros((mdp.S, mdp.A), dtype=weights.dtype)
    if weights.dtype == object:
        out[:] = Fraction(0)
    out[mdp.pair_state, mdp.pair_action] = weights
    return Policy(out)


def _outward(mdp: MDP, low: list[Fraction], high: list[Fraction]) -> tuple[StateVec, StateVec]:
    """Rational bounds in the model's number system, doubles rounded outward."""
    if mdp.is_exact:
        lower, upper = np.empty(mdp.S, dtype=object), np.empty(mdp.S, dtype=object)
        lower[:], upper[:] = low, high
        return lower, upper
    down = np.nextafter(np.array([float(x) for x in low]), -np.inf)
    return down, np.nextafter(np.array([float(x) for x in high]), np.inf)


def _from_balls(mdp: MDP, v: NDArray[np.object_], pi: Policy, solver: str) -> Solution:
    ends = [ball.bounds(x) for x in v]
    lower, upper = _outward(mdp, [a for a, _ in ends], [b for _, b in ends])
    V = lower + (upper - lower) / 2
    return Solution(V, lower, upper, pi, Status.SOLVED, solver, mdp, evaluations=1)


def _certified(
    mdp: MDP,
    V: StateVec,
    tau: Real,
    reference: ArrayLike | Policy | None,
    tol: float,
    solver: str,
    hit_limit: bool,
    iterations: int,
    residuals: list[float],
    bits: int = BITS,
) -> Solution:
    """`Solution` of an estimate of V_τ: one backup in balls, then the contraction."""
    mu = None if reference is None else pair_weights(mdp, reference)
    m = mdp.rational
    sums = [sum(m.data[m.indptr[k] : m.indptr[k + 1]], fmpq(0)) for k in range(mdp.N)]
    alpha, beta = m.gamma * max(sums), m.gamma * min(sums)
    finite = bool(np.isfinite(float_array(V)).all()) and alpha < 1
    weights: PairVec
    if not finite:
        nothing = np.full(mdp.S, np.inf, dtype=V.dtype)
        pi = _table(mdp, np.diff(mdp.state_ptr)[mdp.pair_state] ** -1.0)
        return Solution(V, -nothing, nothing, pi, Status.FAILED, solver, mdp, iterations=iterations)
    with ball.precision(bits + 64):
        v = ex.to_fmpq_list(V)
        Tv, policy = soft_backup_balls(mdp, v, tau, mu)
        steps = [ball.bounds(a - arb(b)) for a, b in zip(Tv, v, strict=True)]
        high, low = max(b for _, b in steps), min(a for a, _ in steps)
        a, b = ex.from_fmpq(alpha), ex.from_fmpq(beta)
        add = high * (a / (1 - a) if high >= 0 else b / (1 - b))
        sub = low * (a / (1 - a) if low <= 0 else b / (1 - b))
        ends = [ball.bounds(x) for x in Tv]
        lower, upper = _outward(mdp, [x + sub for x, _ in ends], [y + add for _, y in ends])
        weights = ball.rounded([p for row in policy for p in row], bits + 64)
    if not mdp.is_exact:
        weights = float_array(weights)
    weights = weights / np.add.reduceat(weights, mdp.state_ptr[:-1])[mdp.pair_state]
    V = np.minimum(np.maximum(exact_array(V) if mdp.is_exact else V, lower), upper)
    gap = max((upper - V).max(), (V - lower).max())
    status = Status.MAX_ITER if hit_limit else Status.STALLED
    if gap <= tol * max(1.0, float(sup_norm(V))):
        status = Status.SOLVED
    return Solution(
        V=V,
        lower=lower,
        upper=upper,
        pi=_table(mdp, weights),
        status=status,
        solver=solver,
        mdp=mdp,
        iterations=iterations,
        backups=iterations + 1,
        residuals=tuple(residuals),
    )
