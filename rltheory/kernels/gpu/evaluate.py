"""x with (I − γP)x = b by dense elimination or Krylov steps over CuPy arrays; twin of `..evaluate`.

Method.  Dense P: LU, refined once.  Sparse P: 100 sweeps (a chain that mixes fast needs no more), then
BiCGSTAB restarted as iterative refinement, then GMRES (CuPy's) for what BiCGSTAB broke down on, then
sweeps.  Each stage is left as soon as the residual is at rounding level, `..evaluate.GOOD`.

The algebra only uses ``@``, ``abs``, ``max`` and dot products of an array module `xp`, so that all but
the transfer and CuPy's GMRES is tested with NumPy in its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..evaluate import GOOD
from ..pick import require_cupy

SWEEPS = 100
"""Sweeps before and between Krylov steps."""


def solve_discounted(P: Any, b: Any, gamma: float, *, transposed: bool = False) -> Any:
    """x with (I − γP)x = b.

    Parameters
    ----------
    P
        (S, S) stochastic matrix (`transposed`: the transpose of one): NumPy, SciPy or CuPy, dense or sparse.
    b
        (S,) right-hand side.
    gamma
        Discount in [0, 1).
    transposed
        As the twin.

    Returns
    -------
    (S,) array: on the card if `b` was, else NumPy.  Its residual is at rounding level unless sweeps had
    to stop early.

    Raises
    ------
    MissingBackend
        Without CuPy.

    Complexity: O(S³) dense; O(nnz) a step.
    """
    cp = require_cupy()
    from cupyx.scipy.sparse import csr_matrix, issparse
    from cupyx.scipy.sparse.linalg import LinearOperator, gmres

    host = isinstance(b, np.ndarray)
    if hasattr(P, "tocsr") and not issparse(P):
        m = P.tocsr()
        P = csr_matrix((cp.asarray(m.data), cp.asarray(m.indices), cp.asarray(m.indptr)), shape=m.shape)
    elif not issparse(P):
        P = cp.asarray(P)
    rhs = cp.asarray(b, dtype=cp.float64)
    if not issparse(P):
        x = direct(P, rhs, gamma, cp)
        return cp.asnumpy(x) if host else x

    def correct(r: Any) -> Any:
        op = LinearOperator(P.shape, matvec=lambda y: y - gamma * (P @ y), dtype=cp.float64)
        return gmres(op, r, restart=50, maxiter=500)[0]  # five digits a step; `tol` is `rtol` from 14 on

    x = iterate(P, rhs, gamma, cp, transposed=transposed, correct=correct)
    return cp.asnumpy(x) if host else x


def direct(P: Any, b: Any, gamma: float, xp: Any) -> Any:
    """Dense LU with one refinement."""
    M = xp.eye(P.shape[0]) - gamma * P
    x = xp.linalg.solve(M, b)
    return x + xp.linalg.solve(M, b - x + gamma * (P @ x))


def iterate(P: Any, b: Any, gamma: float, xp: Any, *, transposed: bool = False, correct: Any = None) -> Any:
    """Sweeps, BiCGSTAB, `correct` (an approximate solve), sweeps; until the residual is at rounding level."""
    x = b / (1.0 - gamma) if transposed else b
    x = sweep(P, b, gamma, x, xp, SWEEPS, transposed)
    solvers = [lambda r: bicgstab(lambda y: y - gamma * (P @ y), r, xp)] * 3
    for solve in solvers + ([correct] * 4 if correct else []):
        if good(P, b, gamma, x, xp):
            return x
        step = solve(b - x + gamma * (P @ x))
        trial = x + step
        if bool(xp.isfinite(trial).all()) and _worst(P, b, gamma, trial, xp) < _worst(P, b, gamma, x, xp):
            x = trial
    if good(P, b, gamma, x, xp):
        return x
    return sweep(P, b, gamma, x, xp, int(min(100 + 40 / (1 - gamma), 2e6)), transposed)


def bicgstab(apply: Any, b: Any, xp: Any, *, rtol: float = 1e-10, limit: int = 2000) -> Any:
    """BiCGSTAB from zero for apply(x) = b: the last iterate before breakdown, `rtol` or `limit`.

    Source: van der Vorst 1992.
    """
    x, r = xp.zeros_like(b), b.copy()
    shadow, p = r.copy(), r.copy()
    rho = float(shadow @ r)
    goal = rtol * float(xp.abs(b).max())
    for _ in range(limit):
        v = apply(p)
        slope = float(shadow @ v)
        if slope == 0.0 or rho == 0.0:
            break
        alpha = rho / slope
        s = r - alpha * v
        t = apply(s)
        square = float(t @ t)
        omega = float(t @ s) / square if square > 0.0 else 0.0
        x = x + alpha * p + omega * s
        r = s - omega * t
        if not float(xp.abs(r).max()) > goal or omega == 0.0:
            break
        last, rho = rho, float(shadow @ r)
        p = r + (rho / last) * (alpha / omega) * (p - omega * v)
    return x


def good(P: Any, b: Any, gamma: float, x: Any, xp: Any) -> bool:
    """‖b − x + γPx‖ ≤ GOOD·(‖b‖ + ‖x‖)."""
    scale = float(xp.abs(b).max() + xp.abs(x).max())
    return _worst(P, b, gamma, x, xp) <= GOOD * scale


def _worst(P: Any, b: Any, gamma: float, x: Any, xp: Any) -> float:
    return float(xp.abs(b - x + gamma * (P @ x)).max())


def sweep(P: Any, b: Any, gamma: float, x: Any, xp: Any, limit: int, transposed: bool) -> Any:
    """x ← b + γPx, the constant mode taken out every eighth sweep; looks at the step then, too."""
    for n in range(limit):
        new = b + gamma * (P @ x)
        if n % 8 == 7:
            low, high = float((new - x).min()), float((new - x).max())
            if not max(-low, high) > 2.0**-52 * float(xp.abs(new).max()):
                return new
            if not transposed and high - low < 0.2 * max(-low, high):
                new = new + gamma / (1 - gamma) * 0.5 * (low + high)
        x = new
    return x
