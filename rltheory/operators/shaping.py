"""Rewards that change nothing: potential shaping, S'-redistribution, and what they leave of a reward.

Definitions.  A reward is an array R(s, a, s'), S×A×S.  Shaping by a potential Φ adds γΦ(s') − Φ(s);
S'-redistribution adds X with Σ_s' P(s'|s, a) X(s, a, s') = 0.  N is the span of both.  If every state is
reachable, the return of every policy differs from that of 0 by one constant exactly for the rewards in
N (Skalse & Abate).  dim N = SA(S−1) + S: SA(S−1) redistributions and, for γ < 1, S shapings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import StateAction, StateVec, exact_array, float_array, frozen
from ..errors import InvalidArgument, InvalidModel
from ..kernels.exact import from_fmpq_mat, solve_linear, to_fmpq_mat
from ..models.mdp import MDP

Rewards = NDArray[Any]
"""(..., S, A, S) rewards per transition, one or a batch."""


def dynamics(mdp: MDP) -> NDArray[Any]:
    """P as (S, A, S); refuses models in which an action is missing somewhere, and γ = 0.

    Raises
    ------
    InvalidModel
        If action sets differ by state or γ = 0: comparing rewards needs both.
    """
    if not mdp.is_uniform:
        s = int(np.argmin(mdp.allowed.all(axis=1)))
        missing = int(np.argmin(mdp.allowed[s]))
        raise InvalidModel(
            f"rewards are compared over S×A×S: action {missing} is not allowed in state {s}; give every "
            "action a row (an absorbing state loops under each action)"
        )
    if mdp.gamma == 0:
        raise InvalidModel("gamma=0: potentials are ordinary rewards there; use gamma in (0, 1)")
    return mdp.P


def rewards(R: ArrayLike, mdp: MDP, name: str = "R") -> Rewards:
    """R as (..., S, A, S) in the model's number system.

    Raises
    ------
    InvalidArgument
        Naming the shape, or the first entry that is not finite.
    """
    out: NDArray[Any] = exact_array(R) if mdp.is_exact else float_array(R)
    shape = (mdp.S, mdp.A, mdp.S)
    if out.ndim < 3 or out.shape[-3:] != shape:
        hint = "; rewards per pair: broadcast R[:, :, None] over s'" if out.ndim == 2 else ""
        raise InvalidArgument(f"{name}: shape={out.shape}, the model needs (..., S, A, S)={shape}{hint}")
    if not mdp.is_exact and not np.isfinite(out).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(out))[0])
        raise InvalidArgument(f"{name}[{', '.join(map(str, at))}]={out[at]}, must be finite")
    return out


def mean_reward(R: ArrayLike, mdp: MDP) -> StateAction:
    """r(s, a) = Σ_s' P(s'|s, a) R(s, a, s'); (..., S, A)."""
    return np.asarray((dynamics(mdp) * rewards(R, mdp)).sum(axis=-1))


def potential_shaping(Phi: ArrayLike, mdp: MDP) -> Rewards:
    """γΦ(s') − Φ(s) as an (S, A, S) array, for a potential Φ of shape (S,).

    Examples
    --------
    >>> from rltheory import MDP
    >>> m = MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[0.0], [0.0]], gamma=0.5)
    >>> potential_shaping([2.0, 4.0], m)[0]
    array([[-1.,  0.]])
    """
    phi: NDArray[Any] = exact_array(Phi) if mdp.is_exact else float_array(Phi)
    if phi.shape != (mdp.S,):
        raise InvalidArgument(f"Phi: shape={phi.shape}, a potential has one number a state, ({mdp.S},)")
    move = mdp.gamma * phi[None, :] - phi[:, None]
    return np.broadcast_to(move[:, None, :], (mdp.S, mdp.A, mdp.S))


def project_redistribution(R: ArrayLike, mdp: MDP) -> Rewards:
    """The ℓ₂-nearest S'-redistribution: R(s, a, s') − r(s, a) P(s'|s, a) / Σ_s' P(s'|s, a)²."""
    P, arr = dynamics(mdp), rewards(R, mdp)
    scale = (P * arr).sum(axis=-1) / (P * P).sum(axis=-1)
    return np.asarray(arr - scale[..., None] * P)


def trivial_dimension(mdp: MDP) -> int:
    """dim N = SA(S−1) + S."""
    dynamics(mdp)
    return mdp.S * mdp.A * (mdp.S - 1) + mdp.S


def trivial_basis(mdp: MDP) -> Rewards:
    """(dim N, S, A, S): S shapings by indicator potentials, then S−1 redistributions of each pair.

    A redistribution of (s, a) moves weight between a fixed successor t of largest probability and another
    one s': X(s, a, s') = P(t|s, a), X(s, a, t) = −P(s'|s, a).

    Complexity: O(dim N · S²A) memory.
    """
    P = dynamics(mdp)
    S, A = mdp.S, mdp.A
    one, zero = (mdp.gamma * 0 + 1), mdp.gamma * 0
    out = np.full((trivial_dimension(mdp), S, A, S), zero, dtype=P.dtype)
    for s in range(S):
        phi = np.full(S, zero, dtype=P.dtype)
        phi[s] = one
        out[s] = potential_shaping(phi, mdp)
    k = S
    for s in range(S):
        for a in range(A):
            t = int(np.argmax(P[s, a]))
            for s2 in range(S):
                if s2 != t:
                    out[k, s, a, s2], out[k, s, a, t] = P[s, a, t], -P[s, a, s2]
                    k += 1
    return out


def fit_potential(r: NDArray[Any], mdp: MDP, q: NDArray[Any]) -> NDArray[Any]:
    """Φ minimising Σ (r + γPΦ − Φ)²/q over pairs; r is (..., S, A), Φ comes out as (..., S).

    The columns of γP − E are independent for γ < 1 (E repeats each state over its actions), so Φ is
    unique: normal equations in rationals, an orthogonal factorisation in doubles.

    Complexity: O(S³A) and O(S²A) a reward.
    """
    S, A = mdp.S, mdp.A
    M = (mdp.gamma * mdp.P - np.eye(S, dtype=np.int64)[:, None, :]).reshape(S * A, S)
    rhs, w = -r.reshape(-1, S * A), q.reshape(S * A)
    if mdp.is_exact:
        left, right = to_fmpq_mat((M / w[:, None]).T), to_fmpq_mat(M)
        phi = solve_linear(from_fmpq_mat(left * right), from_fmpq_mat(left * to_fmpq_mat(rhs.T)))
    else:
        root = 1 / np.sqrt(w)
        Q, upper = np.linalg.qr(M * root[:, None])
        phi = np.linalg.solve(upper, Q.T @ (rhs * root).T)
    return np.asarray(phi.T.reshape(*r.shape[:-2], S))


def is_trivial_reward(R: ArrayLike, mdp: MDP, *, tol: float = 1e-12) -> bool:
    """Is R in N: a shaping plus a redistribution?  Decided exactly for exact models.

    In doubles: whether what is left of R outside N has ℓ₂ norm at most tol·‖R‖₂.

    Examples
    --------
    >>> from rltheory import MDP
    >>> m = MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[0.0], [0.0]], gamma=0.5)
    >>> is_trivial_reward(potential_shaping([2.0, 4.0], m), m)
    True
    """
    arr, P = rewards(R, mdp), dynamics(mdp)
    q = (P * P).sum(axis=-1)
    r = (P * arr).sum(axis=-1)
    left = r + mdp.gamma * (P @ fit_potential(r, mdp, q)) - fit_potential(r, mdp, q)[:, None]
    size = (left * left / q).sum()
    if mdp.is_exact:
        return bool(size == 0)
    return bool(size <= (tol * tol) * float((arr * arr).sum()))


@dataclass(frozen=True)
class RewardDecomposition:
    """R1 = scale·R2 + shaping by `Phi` + redistribution `X` + residual, with the residual ℓ₂-smallest.

    Attributes
    ----------
    scale
        λ; any sign (`same_policy_order` decides whether orders agree: λ > 0 and residual 0).
    Phi
        (S,) potential.
    X
        (S, A, S) redistribution: Σ_s' P X = 0.
    residual
        (S, A, S) what neither explains; orthogonal to N and to R2's own part outside N.
    residual_norm
        ℓ₂ norm of the residual over that of R1; 0 where R1 = 0.
    """

    scale: Any
    Phi: StateVec
    X: Rewards
    residual: Rewards
    residual_norm: float

    def __repr__(self) -> str:
        return f"RewardDecomposition(scale={self.scale}, residual_norm={self.residual_norm:.3g})"


def explain_reward(R1: ArrayLike, R2: ArrayLike, mdp: MDP) -> RewardDecomposition:
    """R1 = λR2 + shaping + redistribution + residual, by least squares.

    Parameters
    ----------
    R1, R2
        (S, A, S) rewards.
    mdp
        Supplies P and γ; its own rewards are not used.

    Returns
    -------
    RewardDecomposition
        Exact for an exact model (then `residual` is 0 exactly where the explanation is complete); in
        doubles the parts add up to R1 within rounding.

    Raises
    ------
    InvalidArgument, InvalidModel
        As for `rewards` and `dynamics`.

    Complexity: O(S³A).

    Source: Skalse et al. 2024, Section 2 (the equivalence class of a reward).
    """
    a, b = rewards(R1, mdp, "R1"), rewards(R2, mdp, "R2")
    P = dynamics(mdp)
    q = (P * P).sum(axis=-1)
    outside = []
    for R in (a, b):
        r = (P * R).sum(axis=-1)
        phi = fit_potential(r, mdp, q)
        left = r + mdp.gamma * (P @ phi) - phi[:, None]
        outside.append((left / q)[..., None] * P)
    c1, c2 = outside
    square = (c2 * c2).sum()
    trivial = square == 0 if mdp.is_exact else square <= 1e-24 * float((b * b).sum())
    scale = mdp.gamma * 0 if trivial else (c1 * c2).sum() / square
    rest = a - scale * b
    r = (P * rest).sum(axis=-1)
    phi = -fit_potential(r, mdp, q)
    residual = c1 - scale * c2
    X = rest - potential_shaping(phi, mdp) - residual
    size = float((a * a).sum())
    norm = (float((residual * residual).sum()) / size) ** 0.5 if size > 0 else 0.0
    return RewardDecomposition(scale, frozen(phi), frozen(np.asarray(X)), frozen(np.asarray(residual)), norm)
