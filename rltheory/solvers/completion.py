"""Filling in a partly observed matrix: soft-impute, minimal nuclear norm, ridge ALS.

Baselines of low-rank Q learning (`low_rank`): they observe entries scattered over the matrix, not a cross.
P_Ω keeps observed entries; SVT_λ lowers every singular value by λ, at most to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import BoolVec, float_array
from ..errors import InvalidArgument
from ..seeds import generator

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Completion:
    """A completed matrix with its objective after every step (never increasing)."""

    Z: Matrix
    objectives: tuple[float, ...]


def soft_impute(
    X: ArrayLike, observed: ArrayLike, lam: float, *, Z0: ArrayLike | None = None, max_iter: int = 1000,
    tol: float = 1e-10,
) -> Completion:  # fmt: skip
    """min_Z ½‖P_Ω(X − Z)‖_F² + λ‖Z‖_*  by Z ← SVT_λ(P_Ω(X) + P_{Ωᶜ}(Z)).

    Parameters
    ----------
    X
        (n, m) matrix; only observed entries count.
    observed
        (n, m) mask Ω, not empty.
    lam
        λ > 0.
    Z0
        Start, zeros by default.
    max_iter, tol
        Stop after max_iter steps, or a step of relative Frobenius size ≤ tol.

    Raises
    ------
    InvalidArgument
        Empty Ω, λ ≤ 0, observed entries that are not finite.

    Complexity: one SVD a step.

    Source: Mazumder, Hastie and Tibshirani 2010.
    """
    x, mask = _data(X, observed)
    if not lam > 0:
        raise InvalidArgument(f"soft_impute: lam={lam}, need λ > 0")
    Z = np.zeros_like(x) if Z0 is None else float_array(Z0).copy()
    objectives = []
    for _ in range(max_iter):
        U, sigma, Vt = np.linalg.svd(np.where(mask, x, Z), full_matrices=False)
        sigma = np.maximum(sigma - lam, 0.0)
        new = (U * sigma) @ Vt
        objectives.append(float(0.5 * ((x - new)[mask] ** 2).sum() + lam * sigma.sum()))
        moved = float(np.linalg.norm(new - Z))
        size = max(float(np.linalg.norm(Z)), 1e-300)
        Z = new
        if moved <= tol * size:
            break
    return Completion(Z, tuple(objectives))


def alternating_least_squares(
    X: ArrayLike, observed: ArrayLike, rank: int, *, ridge: float = 1e-2, sweeps: int = 50,
    U0: ArrayLike | None = None, W0: ArrayLike | None = None, seed: int | np.random.Generator = 0,
) -> tuple[Completion, Matrix, Matrix]:  # fmt: skip
    """min ½‖P_Ω(X − UWᵀ)‖_F² + ridge/2·(‖U‖_F² + ‖W‖_F²), exact half-steps in turn.

    Returns
    -------
    completion, U, W
        Objectives are recorded after every half-step.

    Raises
    ------
    InvalidArgument
        Empty Ω, rank outside 1..min(n, m), ridge ≤ 0.

    Complexity: O(|Ω| rank² + (n + m) rank³) a sweep.
    """
    x, mask = _data(X, observed)
    n, m = x.shape
    if not 1 <= rank <= min(n, m) or not ridge > 0:
        raise InvalidArgument(
            f"alternating_least_squares: rank={rank}, ridge={ridge}; need 1 ≤ rank ≤ {min(n, m)}, ridge > 0"
        )
    rng = generator(seed)
    U = rng.standard_normal((n, rank)) if U0 is None else float_array(U0).copy()
    W = rng.standard_normal((m, rank)) if W0 is None else float_array(W0).copy()
    weight = mask.astype(np.float64)
    seen = np.where(mask, x, 0.0)
    objectives = []

    def objective() -> float:
        gap = (x - U @ W.T)[mask]
        return float(0.5 * (gap**2).sum() + 0.5 * ridge * ((U**2).sum() + (W**2).sum()))

    for _ in range(sweeps):
        U = _half_step(W, weight, seen, ridge)
        objectives.append(objective())
        W = _half_step(U, weight.T, seen.T, ridge)
        objectives.append(objective())
    return Completion(U @ W.T, tuple(objectives)), U, W


def _half_step(W: Matrix, weight: Matrix, seen: Matrix, ridge: float) -> Matrix:
    """Rows u_i of the exact minimiser: (Σ_j w_j w_jᵀ + ridge I) u_i = Σ_j x_ij w_j over observed j."""
    k = W.shape[1]
    outer = (W[:, :, None] * W[:, None, :]).reshape(len(W), k * k)
    gram = (weight @ outer).reshape(-1, k, k) + ridge * np.eye(k)
    return np.asarray(np.linalg.solve(gram, (seen @ W)[..., None])[..., 0])


def nuclear_norm_completion(X: ArrayLike, observed: ArrayLike) -> Matrix:
    """min ‖Z‖_* subject to P_Ω(Z) = P_Ω(X), by a conic solver (cvxpy, Clarabel): small matrices.

    Accurate to the solver's tolerance, about 1e-8 relative.

    Raises
    ------
    InvalidArgument
        Empty Ω, entries that are not finite, or a solver that gives up.
    """
    import cvxpy as cp

    x, mask = _data(X, observed)
    Z = cp.Variable(x.shape)
    weight = mask.astype(np.float64)
    problem: Any = cp.Problem(
        cp.Minimize(cp.normNuc(Z)), [cp.multiply(weight, Z - np.where(mask, x, 0.0)) == 0]
    )
    tight = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-13)
    problem.solve(solver=cp.CLARABEL, **tight)
    if Z.value is None:
        raise InvalidArgument(
            f"nuclear_norm_completion: the solver stopped with {problem.status!r}; rescale X"
        )
    return np.where(mask, x, np.asarray(Z.value))


def _data(X: ArrayLike, observed: ArrayLike) -> tuple[Matrix, BoolVec]:
    x, mask = float_array(X), np.asarray(observed, dtype=np.bool_)
    if x.ndim != 2 or mask.shape != x.shape:
        raise InvalidArgument(
            f"completion: X {x.shape}, observed {mask.shape}; need one mask entry an entry of X"
        )
    if not mask.any():
        raise InvalidArgument("completion: no entry is observed; nothing determines the matrix")
    if not np.isfinite(x[mask]).all():
        i, j = (int(k) for k in np.argwhere(mask & ~np.isfinite(x))[0])
        raise InvalidArgument(f"completion: X[{i}, {j}]={x[i, j]} is observed but not finite")
    return np.where(mask, x, 0.0), mask
