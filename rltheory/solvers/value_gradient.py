"""Fitting a dynamics model where values are sensitive: value-aware losses and their minimisers.

Samples z_i (q,), next states s'_i (n,), values V, g_i = ∇V(s'_i), errors e_i = ŝ_i − s'_i, weights w_i (1/N).
    L_VAML = Σ w_i (V(ŝ_i) − V(s'_i))²        L_lin = Σ w_i (g_i·e_i)²
    L_VG   = Σ w_i Σ_j g_ij² e_ij²            L_MSE = Σ w_i ‖e_i‖²
A linear model ŝ = Wz under L_VG is one weighted least-squares problem a row; under rank W ≤ k the rows share
their features and the problem is not convex: alternating least squares from many starts, best one kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Entries, Real, exact_array, float_array, is_exact, plain_array
from ..errors import InvalidArgument
from ..seeds import generator

Array = NDArray[Any]
STALL = 1e-14
"""Alternating least squares stops when the loss falls by less than this, relative."""


@dataclass(frozen=True)
class LinearModelFit:
    """ŝ = Wz and how good it is.

    Attributes
    ----------
    W
        (n, q) matrix; rows are those of least norm where weights leave freedom.
    loss
        L_VG of W (L_MSE without gradients), evaluated from its residuals.
    lower
        Bound on the loss of every W of the class: `loss` itself in rationals; in doubles the loss of the
        unconstrained fit, up to its rounding (and for rank k without gradients Eckart–Young's optimum).
    starts
        Losses of all starts of a low-rank fit, in order; one entry otherwise.
    """

    W: Array
    loss: Real
    lower: Real
    starts: tuple[Real, ...]

    def __call__(self, Z: Entries) -> Array:
        """ŝ for (N, q) features."""
        return np.asarray(np.asarray(Z) @ self.W.T)


# ---- losses ----------------------------------------------------------------------------------
def _mean(x: Array, weights: Entries | None) -> Any:
    if weights is None:
        return x.sum() / len(x)
    w = np.asarray(weights)
    if w.shape != x.shape or not all(v >= 0 for v in w.tolist()):
        raise InvalidArgument(f"weights: shape {w.shape}; must be ({len(x)},), one a sample, and ≥ 0")
    return (w * x).sum()


def _pairs(**arrays: Entries) -> list[Array]:
    """The arrays as (N, n), all of one shape, in one number system."""
    out = [np.atleast_1d(plain_array(x, name=name)) for name, x in arrays.items()]
    out = [x[None, :] if x.ndim == 1 else x for x in out]
    for name, x in zip(arrays, out, strict=True):
        if x.shape != out[0].shape or x.ndim != 2:
            raise InvalidArgument(f"{name}: shape {x.shape}, must be (N, n) = {out[0].shape} like the others")
        if x.size == 0:
            raise InvalidArgument(f"{name}: shape {x.shape}, must hold a sample at least")
        if not np.isfinite(float_array(x)).all():
            raise InvalidArgument(
                f"{name}: holds {x.reshape(-1)[np.argmin(np.isfinite(float_array(x)))]}, must be finite"
            )
    exact = all(x.dtype == object or x.dtype.kind in "iu" for x in out)
    return [exact_array(x) if exact else float_array(x) for x in out]


def vaml_loss(
    V: Callable[[Any], Any], s_hat: Entries, s_next: Entries, *, weights: Entries | None = None
) -> Any:
    """L_VAML = Σ w_i (V(ŝ_i) − V(s'_i))².

    Parameters
    ----------
    V
        Maps one state (n,) to a number.
    s_hat, s_next
        (N, n) predicted and true next states.
    weights
        (N,) weights; 1/N each if not given.

    Returns
    -------
    Exact for rational states and a rational V; else a float.

    Source: Farahmand, Barreto and Nikovski 2017; Voelcker et al. 2022.
    """
    a, b = _pairs(s_hat=s_hat, s_next=s_next)
    gap = np.array([V(x) - V(y) for x, y in zip(a, b, strict=True)], dtype=a.dtype)
    return _mean(gap * gap, weights)


def linear_loss(g: Entries, e: Entries, *, weights: Entries | None = None) -> Any:
    """L_lin = Σ w_i (g_i·e_i)²: L_VAML to first order, blind across g.

    g, e are (N, n) gradients at the true next states and errors.
    """
    a, b = _pairs(g=g, e=e)
    return _mean((a * b).sum(axis=1) ** 2, weights)


def value_gradient_loss(g: Entries, e: Entries, *, weights: Entries | None = None) -> Any:
    """L_VG = Σ w_i Σ_j g_ij² e_ij²; n·L_VG ≥ L_lin.

    Source: Voelcker et al. 2022 (VaGraM).

    Examples
    --------
    >>> value_gradient_loss([[2, 12]], [[Fraction(1, 10), Fraction(-1, 5)]])
    Fraction(29, 5)
    """
    a, b = _pairs(g=g, e=e)
    return _mean((a * a * b * b).sum(axis=1), weights)


def mse_loss(e: Entries, *, weights: Entries | None = None) -> Any:
    """L_MSE = Σ w_i ‖e_i‖²."""
    (b,) = _pairs(e=e)
    return _mean((b * b).sum(axis=1), weights)


def clipped_gradients(g: Entries, quantile: float = 0.95) -> Array:
    """(N, n) gradients with rows longer than the given quantile of ‖g_i‖ scaled back to it.

    What the authors' code does before squaring; it changes the loss, so no bound of the losses above is
    meant for clipped gradients.

    Raises
    ------
    InvalidArgument
        g is no (N, n) array of finite numbers, N ≥ 1, or quantile is outside [0, 1].
    """
    arr = float_array(_pairs(g=g)[0])
    if not 0 <= quantile <= 1:
        raise InvalidArgument(
            f"clipped_gradients: quantile={quantile} is outside [0, 1]; the authors use 0.95"
        )
    size = np.linalg.norm(arr, axis=1)
    top = np.quantile(size, quantile)
    return arr * np.where(size > top, top / np.where(size > 0, size, 1.0), 1.0)[:, None]


# ---- fits ------------------------------------------------------------------------------------
def fit_linear_model(
    Z: Entries,
    s_next: Entries,
    g: Entries | None = None,
    *,
    rank: int | None = None,
    weights: Entries | None = None,
    restarts: int = 20,
    max_iter: int = 500,
    seed: int = 0,
) -> LinearModelFit:
    """The W (n, q) that minimises Σ w_i Σ_j g_ij² (W_j·z_i − s'_ij)², over all W or over rank W ≤ rank.

    Parameters
    ----------
    Z
        (N, q) features.
    s_next
        (N, n) next states.
    g
        (N, n) gradients of V at the next states; ones (least squares) if not given.
    rank
        Largest rank of W; None for no limit.  Below min(n, q) the fit is in doubles and, with gradients
        that vary, a local minimum: the best of `restarts` random starts and two informed ones.
    weights
        (N,) sample weights; 1/N each if not given.
    max_iter, seed
        Alternations a start; seed of the random starts.

    Returns
    -------
    `LinearModelFit`; exact without a rank limit for rational arguments.

    Raises
    ------
    InvalidArgument
        Shapes that do not fit, numbers that are not finite, weights < 0, rank, max_iter < 1, restarts < 0,
        or a rank limit on rationals.

    Complexity: O(nNq²), and O(nk²q² + (qk)³) an alternation, which does not touch the samples.

    Source: Voelcker et al. 2022; alternating least squares is standard.

    Examples
    --------
    >>> fit_linear_model([[1], [1]], [[0], [3]], [[1], [2]]).W.tolist()
    [[Fraction(12, 5)]]
    """
    S, G = _pairs(s_next=s_next, g=np.ones_like(np.asarray(s_next)) if g is None else g)
    A = plain_array(Z, name="Z")
    A = A[:, None] if A.ndim == 1 else A
    if A.ndim != 2 or len(A) != len(S):
        raise InvalidArgument(f"fit_linear_model: Z has shape {A.shape}, must be ({len(S)}, q)")
    if A.shape[1] == 0 or not np.isfinite(float_array(A)).all():
        raise InvalidArgument(f"fit_linear_model: Z, shape {A.shape}, must hold finite numbers, q ≥ 1")
    n, q = S.shape[1], A.shape[1]
    exact = is_exact(S) and A.dtype.kind in "Oiu" and (weights is None or np.asarray(weights).dtype == object)
    limited = rank is not None and rank < min(n, q)
    if rank is not None and not (rank >= 1 and rank == int(rank)):
        raise InvalidArgument(f"fit_linear_model: rank={rank}, must be ≥ 1 and whole (or None)")
    if restarts < 0 or max_iter < 1:
        raise InvalidArgument(
            f"fit_linear_model: restarts={restarts}, max_iter={max_iter}; need restarts ≥ 0 and max_iter ≥ 1"
        )
    if exact and limited:
        raise InvalidArgument(
            f"fit_linear_model: rank={rank} of rationals; minimisers are irrational, pass doubles"
        )
    cast = exact_array if exact else float_array
    A, S, G = cast(A), cast(S), cast(G)
    even: Any = Fraction(1, len(S)) if exact else 1.0 / len(S)
    w = np.full(len(S), even) if weights is None else cast(weights)
    if w.shape != (len(S),) or not (w >= 0).all() or not np.isfinite(float_array(w)).all():
        raise InvalidArgument(f"fit_linear_model: weights must be ({len(S)},) and ≥ 0")
    if exact:
        W = np.array([_exact_row(A, S[:, j], w * G[:, j] ** 2) for j in range(n)])
        loss = _weighted(W, A, S, G, w)
        return LinearModelFit(W, loss, loss, (loss,))
    full = np.array([_row(A, S[:, j], w * G[:, j] ** 2) for j in range(n)])
    lower = _weighted(full, A, S, G, w)
    if not limited:
        return LinearModelFit(full, lower, lower, (lower,))
    assert rank is not None
    return _low_rank(A, S, G, w, full, lower, int(rank), restarts, max_iter, seed)


def _weighted(W: Array, A: Array, S: Array, G: Array, w: Array) -> Any:
    return value_gradient_loss(G, A @ W.T - S, weights=w)


def _row(A: Array, s: Array, w: Array) -> Array:
    """Weighted least squares of least norm."""
    root = np.sqrt(w)
    return np.asarray(np.linalg.lstsq(root[:, None] * A, root * s, rcond=None)[0])


def _exact_row(A: Array, s: Array, w: Array) -> Array:
    """The same in rationals: x = My with M = Σ w z zᵀ and M²y = Σ w s z lies in the range of M."""
    M, b = A.T @ (w[:, None] * A), A.T @ (w * s)
    return np.asarray(M @ _some_solution(M @ M, b))


def _some_solution(M: Array, b: Array) -> Array:
    """One solution of a consistent system over the rationals."""
    from ..kernels.exact import from_fmpq_mat, to_fmpq_mat

    n = len(b)
    reduced, r = to_fmpq_mat(np.concatenate([M, b[:, None]], axis=1)).rref()
    rows = from_fmpq_mat(reduced)
    x = np.full(n, Fraction(0), dtype=object)
    for row in rows[:r]:
        x[int(np.argmax(row != 0))] = row[n]
    return x


def _low_rank(
    A: Array,
    S: Array,
    G: Array,
    w: Array,
    full: Array,
    lower: Any,
    rank: int,
    restarts: int,
    max_iter: int,
    seed: int,
) -> LinearModelFit:
    """Alternating least squares on W = XYᵀ, from two informed and `restarts` random starts."""
    W2 = w[:, None] * G**2
    moments = np.einsum("ij,ia,ib->jab", W2, A, A)
    cross = np.einsum("ij,ij,ia->ja", W2, S, A)
    cov = np.linalg.cholesky(_regular(np.einsum("i,ia,ib->ab", w, A, A)))
    row_scale = np.sqrt(W2.sum(axis=0))
    rng = generator(seed)
    first = [_truncated(full @ cov, rank, cov), _truncated(row_scale[:, None] * (full @ cov), rank, cov)]
    starts = [*first, *rng.standard_normal((restarts, A.shape[1], rank))]
    ends = _alternate(np.array(starts), moments, cross, max_iter)
    losses = [_weighted(W, A, S, G, w) for W in ends]
    best = int(np.argmin(losses))
    W, loss = ends[best], losses[best]
    if bool((G[0, 0] == G).all()):  # the optimum is known, whatever the scale of the features
        known = _eckart_young(A, S, w, rank)
        if (least := _weighted(known, A, S, G, w)) < loss * (1 - 1e-9):
            W, loss = known, least
        lower = loss
    return LinearModelFit(W, loss, lower, tuple(losses))


def _eckart_young(A: Array, S: Array, w: Array, rank: int) -> Array:
    """The W of rank ≤ k and least Σ w_i ‖Wz_i − s_i‖²: the fit on orthonormal features, truncated."""
    root = np.sqrt(w)[:, None]
    U, d, Vt = np.linalg.svd(root * A, full_matrices=False)
    keep = d > 2.0**-52 * max(A.shape) * d[0]
    if not keep.any():
        return np.zeros((S.shape[1], A.shape[1]))
    left, size, right = np.linalg.svd(U[:, keep].T @ (root * S), full_matrices=False)
    truncated = (left[:, :rank] * size[:rank]) @ right[:rank]
    return np.asarray(((Vt[keep].T / d[keep]) @ truncated).T)


def _regular(M: Array) -> Array:
    """M plus a touch of the identity where it is singular."""
    return np.asarray(M + 1e-12 * max(float(np.trace(M)), 1e-300) * np.eye(len(M)))


def _truncated(W: Array, rank: int, cov: Array) -> Array:
    """Right factor of the best rank-k approximation of W = W₀·cov, undone by cov."""
    _, _, Vt = np.linalg.svd(W)
    return np.asarray(np.linalg.solve(cov.T, Vt[:rank].T))


def _alternate(Y: Array, moments: Array, cross: Array, max_iter: int) -> Array:
    """W = XYᵀ of each start (R, q, k) after alternating exact minimisation, all starts side by side.

    The loss of a row x of X is x·Y'M_jY·x − 2x·Y'c_j up to a constant.
    """
    R, q, k = Y.shape
    n = len(moments)
    before = np.full(R, np.inf)
    W = np.zeros((R, n, q))
    for _ in range(max_iter):
        Y = np.linalg.qr(Y)[0]
        inner = np.einsum("rak,jab,rbl->rjkl", Y, moments, Y, optimize=True)
        X = np.einsum("rjkl,rjl->rjk", _pinv(inner), np.einsum("ja,rak->rjk", cross, Y))
        big = np.einsum("jab,rjk,rjl->rakbl", moments, X, X, optimize=True).reshape(R, q * k, q * k)
        rhs = np.einsum("ja,rjk->rak", cross, X).reshape(R, q * k)
        Y = np.einsum("ruv,rv->ru", _pinv(big), rhs).reshape(R, q, k)
        W = np.einsum("rjk,rak->rja", X, Y)
        now = np.einsum("rja,jab,rjb->r", W, moments, W, optimize=True) - 2 * (W * cross).sum(axis=(1, 2))
        if (before - now <= STALL * np.maximum(1e-300, np.abs(now))).all():
            break
        before = now
    return W


def _pinv(M: Array) -> Array:
    return np.asarray(np.linalg.pinv(M, rcond=1e-13, hermitian=True))
