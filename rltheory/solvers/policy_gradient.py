"""Softmax policy gradient with a natural metric: NPG, entropy-regularised NPG, policy mirror descent.

Definitions.  All three are multiplicative updates with q^{π_t} (or its regularised version), rows
renormalised:
    NPG              π_{t+1} ∝ π_t exp(ηq/(1−γ))
    regularised NPG  π_{t+1} ∝ π_t^{1−ητ/(1−γ)} exp(ηq_τ/(1−γ)),   0 < η ≤ (1−γ)/τ
    mirror descent   π_{t+1} ∝ π_t exp(η_t q)
where q_τ = R + γP v_τ and v_τ = Σ_a π(q_τ − τ log π).  Log-weights are kept, so probabilities below the
smallest double are not lost.  The γ-rate schedule of mirror descent is
    η_t = max_s(−log π_t(argmax q|s)) / c_t,   c_t = γ^{2t+1}c_0.

Exact models are iterated in ball arithmetic (π_t is transcendental): every iterate is the exact one up
to a ball, and the working precision is doubled until the values are known to 2⁻⁶⁴.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, PairVec, Real, exact_array, float_array, sup_norm
from ..errors import InvalidArgument, NotConverged
from ..kernels import ball
from ..kernels.evaluate import solve_discounted
from ..models.mdp import MDP
from ..models.policy import Policy
from ..results.path import PolicyPath
from .bounds import backup_pairs, pair_weights
from .regularised import mix_rows
from .soft_balls import evaluate_balls, expected_next_balls, policy_residual_bounds

TIE = 1e-12
MAX_BITS = 1 << 14

Step = Callable[[int, Any, Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class NaturalPolicyGradient:
    """Natural policy gradient under the softmax parametrisation, with optional entropy.

    Parameters
    ----------
    eta
        Step size, > 0; with entropy at most (1 − γ)/τ.
    iterations
        Number of updates T.
    tau
        Temperature; 0 for none.
    pi0
        Start; uniform over the allowed actions if not given.
    bits
        First working precision on exact models.

    Returns from `run`
    ------------------
    `PolicyPath` of π_0..π_T.

    Complexity: T times O(S³ + nnz).

    Source: Kakade 2001; Agarwal–Kakade–Lee–Mahajan 2021; Cen et al. 2021.

    Examples
    --------
    >>> from rltheory import MDP
    >>> NaturalPolicyGradient(1.0, 3).run(MDP([[[1], [1]]], [[1, 0]], 0.5)).V[:, 0].round(3).tolist()
    [1.0, 1.762, 1.964, 1.995]
    """

    eta: Real
    iterations: int
    tau: Real = 0
    pi0: ArrayLike | Policy | None = None
    bits: int = 128

    def __post_init__(self) -> None:
        _check(self.iterations, self.bits)
        if not self.eta > 0 or self.tau < 0:
            raise InvalidArgument(
                f"NaturalPolicyGradient: eta={self.eta}, tau={self.tau}; need eta > 0, tau ≥ 0"
            )

    def run(self, mdp: MDP) -> PolicyPath:
        """Iterate on `mdp`."""
        if self.eta * self.tau > 1 - mdp.gamma:
            raise InvalidArgument(
                f"NaturalPolicyGradient: eta={self.eta} exceeds (1−γ)/tau={(1 - mdp.gamma) / self.tau}; "
                "the exponent of π would be negative"
            )

        def step(t: int, log_pi: Any, q: Any, number: Callable[[Any], Any]) -> tuple[Any, Any]:
            horizon = 1 - number(mdp.gamma)
            return number(self.eta) / horizon, 1 - number(self.eta) * number(self.tau) / horizon

        name = "NaturalPolicyGradient" if self.tau == 0 else f"NaturalPolicyGradient(tau={self.tau})"
        return _run(mdp, self.iterations, self.tau, self.pi0, self.bits, step, name)


@dataclass(frozen=True)
class PolicyMirrorDescent:
    """Policy mirror descent with the Kullback–Leibler divergence.

    Parameters
    ----------
    iterations
        Number of updates T.
    eta
        Step size, or one for each update; the γ-rate schedule if not given (needs γ > 0).
    c0
        Constant of that schedule, > 0: ‖V* − V^{π_t}‖ ≤ γ^t(‖V* − V^{π_0}‖ + c_0/(1−γ)).
    pi0, bits
        As for `NaturalPolicyGradient`.

    Returns from `run`
    ------------------
    `PolicyPath`.  Actions within 1e-12·max(1, ‖q‖) of the best (whose balls meet the best, on exact
    models) count as greedy in the schedule.

    Complexity: T times O(S³ + nnz).

    Source: Xiao 2022; Johnson–Pike-Burke–Rebeschini 2023.

    Examples
    --------
    >>> from rltheory import MDP
    >>> PolicyMirrorDescent(2).run(MDP([[[1], [1]]], [[1, 0]], 0.5)).V[:, 0].round(3).tolist()
    [1.0, 1.6, 1.919]
    """

    iterations: int
    eta: Real | Sequence[Real] | None = None
    c0: Real = 1
    pi0: ArrayLike | Policy | None = None
    bits: int = 128

    def __post_init__(self) -> None:
        _check(self.iterations, self.bits)
        if not self.c0 > 0:
            raise InvalidArgument(f"PolicyMirrorDescent: c0={self.c0}, must be positive")
        if isinstance(self.eta, Sequence) and len(self.eta) < self.iterations:
            raise InvalidArgument(
                f"PolicyMirrorDescent: {len(self.eta)} step sizes for {self.iterations} updates"
            )

    def run(self, mdp: MDP) -> PolicyPath:
        """Iterate on `mdp`."""
        if self.eta is None and mdp.gamma == 0:
            raise InvalidArgument("PolicyMirrorDescent: the γ-rate schedule divides by γ; give eta for γ = 0")
        ptr = mdp.state_ptr.tolist()

        def step(t: int, log_pi: Any, q: Any, number: Callable[[Any], Any]) -> tuple[Any, Any]:
            if isinstance(self.eta, Sequence):
                return number(self.eta[t]), number(1)
            if self.eta is not None:
                return number(self.eta), number(1)
            c = number(mdp.gamma) ** (2 * t + 1) * number(self.c0)
            need = [_doubt(log_pi[i:j], q[i:j]) for i, j in itertools.pairwise(ptr)]
            return (ball.maximum(need) if isinstance(c, arb) else max(need)) / c, number(1)

        return _run(mdp, self.iterations, 0, self.pi0, self.bits, step, "PolicyMirrorDescent")


def _check(iterations: int, bits: int) -> None:
    if isinstance(iterations, bool) or not isinstance(iterations, (int, np.integer)) or iterations < 0:
        raise InvalidArgument(f"iterations={iterations!r}, must be an integer ≥ 0")
    if bits < 32:
        raise InvalidArgument(f"bits={bits}, must be at least 32")


def _doubt(log_pi: Any, q: Any) -> Any:
    """−log π(argmax q) = log(1 + π(others)/π(argmax)) of one state."""
    if isinstance(q, np.ndarray):
        greedy = q >= q.max() - TIE * max(1.0, float(sup_norm(q)))
        inside, outside = log_pi[greedy], log_pi[~greedy & np.isfinite(log_pi)]
        if outside.size == 0:
            return 0.0
        return float(np.logaddexp(0.0, np.logaddexp.reduce(outside) - np.logaddexp.reduce(inside)))
    top = ball.maximum(q)
    greedy_set = [x for x, y in zip(log_pi, q, strict=True) if y.overlaps(top) and x is not None]
    others = [x for x, y in zip(log_pi, q, strict=True) if not y.overlaps(top) and x is not None]
    if not others:
        return arb(0)
    return (ball.logsumexp(others) - ball.logsumexp(greedy_set)).exp().log1p()


def _run(
    mdp: MDP, T: int, tau: Real, pi0: ArrayLike | Policy | None, bits: int, step: Step, name: str
) -> PolicyPath:
    if pi0 is None:
        counts = np.diff(mdp.state_ptr)[mdp.pair_state]
        weights: PairVec = 1 / (exact_array(counts) if mdp.is_exact else counts.astype(np.float64))
    else:
        weights = pair_weights(mdp, pi0)
    if not mdp.is_exact:
        return _float_path(mdp, T, float(tau), weights, step, name)
    while True:
        with ball.precision(bits):
            path = _ball_path(mdp, T, tau, weights, step, name)
        if path is not None and path.error < 2.0**-64:
            return path
        bits *= 2
        if bits > MAX_BITS:
            raise NotConverged(
                f"{name}: {MAX_BITS} bits do not separate the iterates; use fewer iterations or mdp.float()"
            )


# ---- doubles -----------------------------------------------------------------------------
def _float_path(mdp: MDP, T: int, tau: float, weights: FloatVec, step: Step, name: str) -> PolicyPath:
    start, owner, gamma = mdp.state_ptr[:-1], mdp.pair_state, float(mdp.gamma)
    with np.errstate(divide="ignore"):
        log_pi = np.log(weights)
    kept: dict[str, list[Any]] = {k: [] for k in ("V", "lower", "upper", "q", "log_pi", "log_Z", "eta")}
    for t in range(T + 1):
        pi = np.exp(log_pi)
        bonus = np.where(pi > 0, -tau * np.where(pi > 0, log_pi, 0.0), 0.0) if tau else np.zeros(mdp.N)
        V = solve_discounted(mix_rows(mdp, pi), np.add.reduceat(pi * (mdp.R_pairs + bonus), start), gamma)
        q = mdp.R_pairs + gamma * backup_pairs(mdp, V)
        lower, upper = policy_residual_bounds(mdp, pi, tau, V)
        for key, x in (("V", V), ("lower", lower), ("upper", upper), ("q", q), ("log_pi", log_pi)):
            kept[key].append(x)
        if t == T:
            break
        eta, power = step(t, log_pi, q, float)
        raised = np.where(np.isfinite(log_pi), power * np.where(np.isfinite(log_pi), log_pi, 0.0), -np.inf)
        new = raised + eta * (q - V[owner])
        log_Z = np.logaddexp.reduceat(new, start)
        log_pi = new - log_Z[owner]
        kept["log_Z"].append(log_Z)
        kept["eta"].append(eta)
    table = np.stack([_spread(mdp, x, -np.inf) for x in kept["log_pi"]])
    V_all = np.stack(kept["V"])
    lower_all, upper_all = np.stack(kept["lower"]), np.stack(kept["upper"])
    return PolicyPath(
        V=np.clip(V_all, lower_all, upper_all),
        lower=lower_all,
        upper=upper_all,
        Q=np.stack([_spread(mdp, x, -np.inf) for x in kept["q"]]),
        pi=np.exp(table),
        log_pi=table,
        log_Z=np.array(kept["log_Z"]).reshape(T, mdp.S),
        eta=np.array(kept["eta"], dtype=np.float64),
        solver=name,
        mdp=mdp,
    )


def _spread(mdp: MDP, x: Sequence[Any] | PairVec, fill: Any) -> NDArray[Any]:
    out = np.full((mdp.S, mdp.A), fill, dtype=np.asarray(x).dtype)
    out[mdp.pair_state, mdp.pair_action] = x
    return out


# ---- balls -------------------------------------------------------------------------------
def _ball_path(mdp: MDP, T: int, tau: Real, weights: PairVec, step: Step, name: str) -> PolicyPath | None:
    """The exact iterates at the working precision; None if a ball stopped being finite."""
    ptr = mdp.state_ptr.tolist()
    rewards, gamma, heat = ball.balls(mdp.R_pairs), ball.to_arb(mdp.gamma), ball.to_arb(tau)
    log_pi: list[Any] = [ball.to_arb(w).log() if w != 0 else None for w in weights]
    kept: dict[str, list[Any]] = {k: [] for k in ("V", "q", "pi", "log_pi", "log_Z", "eta")}
    for t in range(T + 1):
        pi = ball.balls([0] * mdp.N)
        bonus = ball.balls([0] * mdp.N)
        for k, x in enumerate(log_pi):
            if x is not None:
                pi[k], bonus[k] = x.exp(), -heat * x
        try:
            V = evaluate_balls(mdp, pi, bonus)
        except ZeroDivisionError:
            return None
        q = list(rewards + gamma * expected_next_balls(mdp, V))
        for key, item in (("V", V.tolist()), ("q", q), ("pi", pi.tolist()), ("log_pi", log_pi)):
            kept[key].append(item)
        if t == T:
            break
        eta, power = step(t, log_pi, q, ball.to_arb)
        new = [
            None if x is None else power * x + eta * (q[k] - V[mdp.pair_state[k]])
            for k, x in enumerate(log_pi)
        ]
        log_Z = [ball.logsumexp([x for x in new[i:j] if x is not None]) for i, j in itertools.pairwise(ptr)]
        log_pi = [None if x is None else x - log_Z[mdp.pair_state[k]] for k, x in enumerate(new)]
        kept["log_Z"].append(log_Z)
        kept["eta"].append(eta)
        if not all(z.is_finite() for z in log_Z):
            return None
    if not all(v.is_finite() for row in kept["V"] for v in row):
        return None
    ends = [[ball.bounds(v) for v in row] for row in kept["V"]]
    lower = np.array([[a for a, _ in row] for row in ends], dtype=object)
    upper = np.array([[b for _, b in row] for row in ends], dtype=object)
    V_mid = lower + (upper - lower) / 2
    q_mid = [ball.midpoints(row) for row in kept["q"]]
    logs = np.stack(
        [_spread(mdp, [-np.inf if x is None else float(x) for x in row], -np.inf) for row in kept["log_pi"]]
    )
    return PolicyPath(
        V=V_mid,
        lower=lower,
        upper=upper,
        Q=np.stack([_spread(mdp, row, -np.inf) for row in q_mid]),
        pi=np.exp(logs),
        log_pi=logs,
        log_Z=float_array([[float(z) for z in row] for row in kept["log_Z"]]).reshape(T, mdp.S),
        eta=np.array([float(e) for e in kept["eta"]]),
        solver=name,
        mdp=mdp,
        balls=MappingProxyType(kept),
    )
