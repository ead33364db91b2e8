"""Linear systems (I − γP)x = b of policy evaluation and occupancy, in doubles.

I − γP is diagonally dominant (by rows for values, by columns for occupancies), so elimination on
the diagonal is stable.  The method follows the structure: LAPACK for dense or small systems;
sparse LU where a band ordering shows that little fill is to be expected (chains, grids); else a
burst of sweeps x ← b + γPx for chains that mix fast, then BiCGSTAB, then sweeps, which always
converge.  Every direct solve is refined once.  Nothing here is certified: callers bound the error from the
residual of what they get.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatVec, is_sparse

if TYPE_CHECKING:
    import scipy.sparse as sp

DENSE_LIMIT = 300
"""Sparse systems up to this size are solved as dense ones."""
SMALL_SPARSE = 2000
"""Sparse LU is always tried up to this size."""
GOOD = 2.0**-46
"""Residual relative to ‖b‖ + ‖x‖ accepted from an iterative method."""


@np.errstate(all="ignore")
def solve_discounted(
    P: NDArray[Any] | sp.csr_array, b: FloatVec, gamma: float, *, transposed: bool = False
) -> FloatVec:
    """x with (I − γP)x = b.

    Parameters
    ----------
    P
        (S, S) stochastic matrix, array or SciPy sparse; with `transposed` the transpose of one.
    b
        (S,) right-hand side.
    gamma
        Discount in [0, 1).
    transposed
        True for occupancies: columns of P sum to one, so the answer's sum is Σb/(1−γ).

    Returns
    -------
    (S,) doubles, NaN where elimination broke down; the residual b − x + γPx is at rounding level
    unless sweeps had to stop early.

    Complexity: O(S³) dense; the fill of sparse LU; else O(nnz) a sweep.
    """
    if not is_sparse(P):
        return _direct(np.asarray(P), b, gamma, _dense_factor(np.asarray(P), gamma))
    import scipy.sparse as sp

    P = sp.csr_array(P)
    S = b.size
    if S <= DENSE_LIMIT:
        return _direct(P, b, gamma, _dense_factor(P.toarray(), gamma))
    if little_fill(P):
        x = _direct(P, b, gamma, _sparse_factor(P, gamma))
        if np.isfinite(x).all():
            return x
    x = b / (1.0 - gamma) if transposed else b
    for method in (_burst, _krylov, _neumann):
        x = method(P, b, gamma, x, transposed)
        if _good(P, b, gamma, x):
            break
    return x


def little_fill(P: sp.csr_array) -> bool:
    """True when sparse LU of I − γP is cheap: few states, or a band of width O(√S) after reordering."""
    S = P.shape[0]
    if S <= SMALL_SPARSE:
        return True
    import scipy.sparse as sp
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    perm = reverse_cuthill_mckee(sp.csr_matrix(P), symmetric_mode=False)
    place = np.empty(S, dtype=np.int64)
    place[perm] = np.arange(S)
    rows = np.repeat(np.arange(S), np.diff(P.indptr))
    band = int(np.abs(place[rows] - place[P.indices]).max()) if P.nnz else 0
    return bool(band * band <= 9 * S and S * band <= 10**8)


def _dense_factor(P: NDArray[Any], gamma: float) -> Callable[[FloatVec], FloatVec]:
    from scipy.linalg import lu_factor, lu_solve

    M = -gamma * P
    M[np.diag_indices_from(M)] += 1.0
    factors = lu_factor(M, overwrite_a=True, check_finite=False)
    return lambda b: np.asarray(lu_solve(factors, b, check_finite=False))


def _sparse_factor(P: sp.csr_array, gamma: float) -> Callable[[FloatVec], FloatVec]:
    import scipy.sparse as sp
    from scipy.sparse.linalg import splu

    M = sp.csc_array(sp.eye_array(P.shape[0]) - gamma * P)
    try:
        lu = splu(M, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError:  # exactly singular pivot
        return lambda b: np.full(b.shape, np.nan)
    return lambda b: np.asarray(lu.solve(b))


def _direct(P: Any, b: FloatVec, gamma: float, solve: Callable[[FloatVec], FloatVec]) -> FloatVec:
    x = solve(b)
    refined = x + solve(b - x + gamma * (P @ x))
    return refined if np.isfinite(refined).all() else x


def _good(P: Any, b: FloatVec, gamma: float, x: FloatVec) -> bool:
    scale = float(np.abs(b).max() + np.abs(x).max())
    worst = float(np.abs(b - x + gamma * (P @ x)).max())
    return worst <= GOOD * scale


def _krylov(P: Any, b: FloatVec, gamma: float, x: FloatVec, transposed: bool) -> FloatVec:
    """BiCGSTAB from x; restarts are refinement steps."""
    from scipy.sparse.linalg import LinearOperator, bicgstab

    op = LinearOperator(P.shape, matvec=lambda x: x - gamma * (P @ x), dtype=np.float64)
    for _ in range(3):
        step, _ = bicgstab(op, b - x + gamma * (P @ x), rtol=1e-10, atol=0.0, maxiter=2000)
        if not np.isfinite(step).all():
            break
        x = x + step
        if _good(P, b, gamma, x):
            break
    return x


def _burst(P: Any, b: FloatVec, gamma: float, x: FloatVec, transposed: bool) -> FloatVec:
    """100 sweeps: enough for a chain that mixes fast, whatever γ is."""
    return _sweep(P, b, gamma, x, transposed, 100)


def _neumann(P: Any, b: FloatVec, gamma: float, x: FloatVec, transposed: bool) -> FloatVec:
    """Sweeps until the step is at rounding level, at most 40/(1−γ) and 2 million."""
    return _sweep(P, b, gamma, x, transposed, int(min(100 + 40 / (1 - gamma), 2e6)))


def _sweep(P: Any, b: FloatVec, gamma: float, x: FloatVec, transposed: bool, limit: int) -> FloatVec:
    """x ← b + γPx.  The slow mode is the constant one: it is taken out at once.

    For stochastic P a nearly constant step c means that γc/(1−γ) is still to come; for transposed P
    a start of the right sum has no component along the slow mode.
    """
    for n in range(limit):
        new: FloatVec = b + gamma * (P @ x)
        low, high = float((new - x).min()), float((new - x).max())
        if not max(-low, high) > 2.0**-52 * float(np.abs(new).max()):
            return new
        x = new
        if not transposed and n % 8 == 7 and high - low < 0.2 * max(-low, high):
            x = x + gamma / (1 - gamma) * 0.5 * (low + high)
    return x
