"""Soft Bellman backups and policy evaluation in ball arithmetic: exp and log with rigorous error."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb, fmpq
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, Real, StateVec
from ..kernels import ball
from ..kernels import exact as ex
from ..models.mdp import MDP
from ..models.policy import Policy
from .bounds import pair_weights


def soft_backup_balls(
    mdp: MDP, v: list[fmpq], tau: Real, mu: NDArray[Any] | None
) -> tuple[list[arb], list[list[arb]]]:
    """T_τ v and the soft policy of v (per state, over its pairs) as balls at the working precision."""
    m = mdp.rational
    q = ex.q_pairs(m, v)
    t = ball.to_arb(tau)
    values, policies = [], []
    for s in range(mdp.S):
        block = range(m.state_ptr[s], m.state_ptr[s + 1])
        x = [arb(q[k]) / t for k in block]
        w = None if mu is None else [mu[k] for k in block]
        values.append(t * ball.logsumexp(x, w))
        policies.append(list(ball.softmax(x, w)))
    return values, policies


def refine(mdp: MDP, v0: FloatVec, tau: Real, reference: ArrayLike | Policy | None, bits: int) -> StateVec:
    """Newton steps in ball arithmetic, keeping midpoints, until T_τ v − v is below 2^−bits."""
    mu = None if reference is None else pair_weights(mdp, reference)
    with ball.precision(2 * bits + 64):
        v = ex.to_fmpq_list(v0)
        for _ in range(2 + int(np.ceil(np.log2(bits / 16 + 1)))):
            Tv, pi = soft_backup_balls(mdp, v, tau, mu)
            gap = [(a - arb(b)).mid() for a, b in zip(Tv, v, strict=True)]
            if all(abs(g) < arb(2) ** (-bits - 16) for g in gap):
                break
            flat = ball.rounded([p for row in pi for p in row], 2 * bits + 64)
            step = ball.solve_linear(system(mdp, ball.balls(flat)), np.array(gap, dtype=object))
            moved = ball.rounded([arb(b) + g for b, g in zip(v, step, strict=True)], bits + 32)
            v = ex.to_fmpq_list(moved)
        return ex.from_fmpq_list(v)


def system(mdp: MDP, weights: NDArray[np.object_]) -> NDArray[np.object_]:
    """(S, S) balls of I − γP_π for pair weights."""
    m = mdp.rational
    A = ball.balls(np.eye(mdp.S))
    for s in range(mdp.S):
        for k in range(m.state_ptr[s], m.state_ptr[s + 1]):
            for j in range(m.indptr[k], m.indptr[k + 1]):
                A[s, m.indices[j]] -= weights[k] * arb(m.gamma * m.data[j])
    return A


def evaluate_balls(mdp: MDP, weights: NDArray[np.object_], bonus: NDArray[np.object_]) -> NDArray[np.object_]:
    """(S,) balls of (I − γP_π)⁻¹ Σ_a π(R + bonus)."""
    m = mdp.rational
    b = ball.balls([0] * mdp.S)
    for k in range(mdp.N):
        b[mdp.pair_state[k]] += weights[k] * (arb(m.R[k]) + bonus[k])
    return ball.solve_linear(system(mdp, weights), b)


def expected_next_balls(mdp: MDP, V: NDArray[np.object_]) -> NDArray[np.object_]:
    """(N,) balls of (PV)(s, a)."""
    m = mdp.rational
    out = ball.balls([0] * mdp.N)
    for k in range(mdp.N):
        for j in range(m.indptr[k], m.indptr[k + 1]):
            out[k] += arb(m.data[j]) * V[m.indices[j]]
    return out


def policy_residual_bounds(mdp: MDP, weights: FloatVec, tau: float, V: FloatVec) -> tuple[FloatVec, FloatVec]:
    """Rigorous (lower, upper) on v^π_τ of float pair weights, from the residual of V in balls.

    With weights read as given (rows off one by rounding), v^π_τ solves v = Σ_a π(R − τ log π + γPv).
    """
    m = mdp.rational
    with ball.precision(96):
        heat = arb(ex.to_fmpq(tau))
        ahead = expected_next_balls(mdp, ball.balls(V))
        low, high, top = arb(0), arb(0), arb(0)
        for s in range(mdp.S):
            total, mass = arb(0), arb(0)
            for k in range(m.state_ptr[s], m.state_ptr[s + 1]):
                if weights[k] == 0:
                    continue
                w = arb(ex.to_fmpq(weights[k]))
                total += w * (arb(m.R[k]) - (heat * w.log() if tau else arb(0)) + arb(m.gamma) * ahead[k])
                mass += w * arb(m.gamma) * arb(sum(m.data[m.indptr[k] : m.indptr[k + 1]], fmpq(0)))
            step = total - arb(ex.to_fmpq(V[s]))
            low, high, top = low.min(step), high.max(step), top.max(mass)
        if not top < 1:
            return np.full(mdp.S, -np.inf), np.full(mdp.S, np.inf)
        below, above = ball.bounds(low / (1 - top))[0], ball.bounds(high / (1 - top))[1]
    ends = [(ex.from_fmpq(ex.to_fmpq(v)) + below, ex.from_fmpq(ex.to_fmpq(v)) + above) for v in V]
    lower = np.nextafter(np.array([float(a) for a, _ in ends]), -np.inf)
    return lower, np.nextafter(np.array([float(b) for _, b in ends]), np.inf)
