"""Variance of the return: discounted (Sobel 1982) and over a finite horizon.

Definitions.  G = Σ_t γ^t r_t under π.  With σ²(s) = Var[r + γV^π(s') | s], over the action, the next
state and (if given) the reward noise,
    Var(G | s) = σ²(s) + γ² Σ_s' P_π(s'|s) Var(G | s'),   that is (I − γ²P_π)⁻¹σ²,
and for a horizon H the same recursion from Var_H = 0, with V_{h+1} in σ_h².  Rewards per transition
(`MDP.R_entries`) count as random.  Rows of P and π that sum to one only up to rounding are read as divided
by their sums (a variance needs a law).

Bounds in doubles: the mean is enclosed by its residual, every σ² and the residual of the variance are
evaluated in ball arithmetic on the stored numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from flint import arb, fmpq
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, float_array
from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels import exact as ex
from ..kernels.evaluate import solve_discounted
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators.policy import as_policy, pair_entries, transition_matrix
from ..results.moments import Moments
from .backward_induction import step_weights
from .bounds import stochastic

Entries = list[list[tuple[int, fmpq]]]


def return_variance(mdp: MDP, pi: ArrayLike | Policy, *, reward_variance: ArrayLike | None = None) -> Moments:
    """Var of the discounted return, (I − γ²P_π)⁻¹σ².

    Parameters
    ----------
    mdp
        Model in either number system; rewards per transition are honoured.
    pi
        Stationary policy, deterministic or stochastic.
    reward_variance
        (S, A) variance of the reward given the pair, beyond that; 0 if not given.

    Returns
    -------
    `Moments`, (S,) each; exact on exact models, else with rigorous bounds.

    Raises
    ------
    InvalidArgument
        Negative or ill-shaped `reward_variance`, policy not of this model.

    Complexity: two S × S solves and one pass over P.

    Source: Sobel 1982.

    Examples
    --------
    >>> from rltheory import MDP
    >>> return_variance(MDP([[[0.5, 0.5]], [[0, 1]]], [[1], [0]], 0.0), [0, 0]).variance.tolist()
    [0.0, 0.0]
    """
    policy = as_policy(mdp, pi)
    law = _Law.of(mdp.exact(), policy, reward_variance)
    g = law.m.gamma
    if mdp.is_exact:
        v = ex.evaluate_weights(law.m, law.entries)
        sigma = law.one_step(v, v, g, fmpq)
        P, _ = ex.policy_system(law.m, law.entries)
        w = list((ex.identity(mdp.S) - P * (g * g)).solve(ex.column(sigma)).entries())
        mean, var, one = (ex.from_fmpq_list(x) for x in (v, w, sigma))
        return Moments(mean, var, mean, mean, var, var, one, mdp)
    P_pi = transition_matrix(mdp, policy)
    with ball.precision(128):
        v0 = solve_discounted(P_pi, np.array([float(r) for r in law.rewards()]), float(mdp.gamma))
        v = _enclosed(v0, law.backup(v0, g, law.rewards()), g)
        sigma = law.one_step(v, v, g, arb)
        w0 = solve_discounted(P_pi, np.array([float(x) for x in sigma]), float(mdp.gamma) ** 2)
        w = _enclosed(w0, law.backup(w0, g * g, sigma), g * g)
        ends = [_ends(x, (mdp.S,)) for x in (v, w)]
    square = float_array([float(x) for x in sigma])
    clipped = np.clip(w0, *ends[1])
    return Moments(np.clip(v0, *ends[0]), clipped, *ends[0], *ends[1], square, mdp)


def horizon_variance(
    model: FiniteHorizonMDP, pi: ArrayLike | Policy, *, reward_variance: ArrayLike | None = None
) -> Moments:
    """Var of Σ_{k≥h} γ^{k−h} r_k (plus terminal reward) for every step h.

    Parameters
    ----------
    model
        Finite-horizon model in either number system.
    pi
        (H, S) or (S,) action ids, (H, S, A) or (S, A) probabilities.
    reward_variance
        (S, A) or (H, S, A) variance of the reward given the pair; 0 if not given.

    Returns
    -------
    `Moments` with (H+1, S) arrays; exact on exact models, else with rigorous bounds.

    Complexity: O(H·nnz) ball or rational operations.
    """
    H, S = model.H, model.S
    exact = model.exact()
    weights = step_weights(exact, pi)
    noise = [None] * H if reward_variance is None else list(_by_step(reward_variance, H))
    number: Any = fmpq if model.is_exact else arb
    gamma = number(ex.to_fmpq(model.gamma))
    mean: list[Any] = [[number(ex.to_fmpq(g)) for g in exact.terminal_reward]]
    var: list[Any] = [[number(0)] * S]
    one: list[Any] = []
    with ball.precision(128):
        for h in reversed(range(H)):
            stage = exact.stage(h)
            ptr = stage.state_ptr.tolist()
            rows: Entries = [
                [(k, ex.to_fmpq(weights[h][k])) for k in range(ptr[s], ptr[s + 1]) if weights[h][k] != 0]
                for s in range(S)
            ]
            law = _Law.of(stage, rows, noise[h])
            v = law.backup(mean[0], gamma, [number(r) for r in law.rewards()])
            sigma = law.one_step(mean[0], v, gamma, number)
            var.insert(0, law.backup(var[0], gamma * gamma, sigma))
            mean.insert(0, v)
            one.insert(0, sigma)
    shape = (H + 1, S)
    if model.is_exact:
        m, w, o = (_fractions(x) for x in (mean, var, one))
        return Moments(m, w, m, m, w, w, o, model)
    ends = [_ends([x for row in rows for x in row], shape) for rows in (mean, var)]
    mids = [(lo + hi) / 2 for lo, hi in ends]
    sigma2 = float_array([[float(x) for x in row] for row in one])
    return Moments(mids[0], mids[1], *ends[0], *ends[1], sigma2, model)


class _Law:
    """One step under a policy: entries (pair, weight), transition probabilities and rewards, as fmpq."""

    def __init__(self, mdp: MDP, entries: Entries, noise: NDArray[Any] | None) -> None:
        base = stochastic(mdp)
        self.entries = [[(k, w / sum((x for _, x in row), fmpq(0))) for k, w in row] for row in entries]
        m = base.rational
        self.next: list[fmpq] | None = None
        if mdp.R_entries is not None:
            self.next = ex.to_fmpq_list(mdp.R_entries)
            R = [
                sum((m.data[j] * self.next[j] for j in range(m.indptr[k], m.indptr[k + 1])), fmpq(0))
                for k in range(m.N)
            ]
            m = replace(m, R=R)
        self.m = m
        self.noise = None if noise is None else ex.to_fmpq_list(noise[mdp.pair_state, mdp.pair_action])

    @classmethod
    def of(cls, mdp: MDP, pi: Policy | Entries, reward_variance: ArrayLike | None) -> _Law:
        noise = None if reward_variance is None else np.asarray(reward_variance)
        if noise is not None and (noise.shape != (mdp.S, mdp.A) or (noise[mdp.allowed] < 0).any()):
            raise InvalidArgument(
                f"reward_variance: shape={noise.shape}, must be ({mdp.S}, {mdp.A}) with entries ≥ 0"
            )
        return cls(mdp, pair_entries(mdp, pi) if isinstance(pi, Policy) else pi, noise)

    def rewards(self) -> list[fmpq]:
        """R_π."""
        return [sum((w * self.m.R[k] for k, w in row), fmpq(0)) for row in self.entries]

    def backup(self, v: Sequence[Any] | FloatVec, gamma: Any, r: Sequence[Any]) -> list[Any]:
        """r + γP_π v, in the numbers of v (doubles become balls)."""
        m = self.m
        values = [arb(ex.to_fmpq(x)) for x in v] if isinstance(v, np.ndarray) else v
        out = []
        for s, row in enumerate(self.entries):
            total = r[s] * 1
            for k, w in row:
                for j in range(m.indptr[k], m.indptr[k + 1]):
                    total = total + gamma * (w * m.data[j]) * values[m.indices[j]]
            out.append(total)
        return out

    def one_step(self, ahead: Sequence[Any], mean: Sequence[Any], gamma: Any, number: Any) -> list[Any]:
        """σ²(s) = Σ_a π(a|s) Σ_s' P(s'|s,a)(r + γ·ahead(s') − mean(s))² + noise."""
        m, out = self.m, []
        for s, row in enumerate(self.entries):
            total = number(0)
            for k, w in row:
                for j in range(m.indptr[k], m.indptr[k + 1]):
                    reward = m.R[k] if self.next is None else self.next[j]
                    gap = number(reward) + gamma * ahead[m.indices[j]] - mean[s]
                    total += number(w * m.data[j]) * (gap * gap)
                if self.noise is not None:
                    total += number(w * self.noise[k])
            out.append(total)
        return out


def _enclosed(x: FloatVec, Tx: list[arb], gamma: fmpq) -> list[arb]:
    """Balls of the fixed point of an affine γ-contraction from one backup of doubles x."""
    centre = [arb(ex.to_fmpq(v)) for v in x]
    radius = ball.sup_norm([a - b for a, b in zip(Tx, centre, strict=True)]) / (1 - arb(gamma))
    wide = radius.abs_upper()
    return [c + arb(0, wide) for c in centre]


def _ends(x: list[arb], shape: tuple[int, ...]) -> tuple[FloatVec, FloatVec]:
    """Ends of balls in doubles, rounded outward."""
    ends = [ball.bounds(v) for v in x]
    low = np.nextafter(np.array([float(a) for a, _ in ends]), -np.inf)
    return low.reshape(shape), np.nextafter(np.array([float(b) for _, b in ends]), np.inf).reshape(shape)


def _fractions(rows: list[list[fmpq]]) -> NDArray[np.object_]:
    return np.stack([ex.from_fmpq_list(row) for row in rows])


def _by_step(x: ArrayLike, H: int) -> NDArray[Any]:
    arr = np.asarray(x)
    if arr.ndim == 2:
        return np.broadcast_to(arr, (H, *arr.shape))
    if arr.ndim != 3 or arr.shape[0] != H:
        raise InvalidArgument(f"reward_variance: shape={arr.shape}, must be (S, A) or (H, S, A) with H={H}")
    return arr
