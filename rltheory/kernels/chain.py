"""Markov chains in the long run: limiting matrix, deviation matrix, Laurent terms; float or exact.

Definitions, for a stochastic P.  P* = lim (1/n) Σ_{k<n} P^k (the Cesàro limit, so periodic chains are
fine); H = (I − P + P*)⁻¹(I − P*), the deviation matrix, with HP* = P*H = 0 and (I − P)H = I − P*.
For rewards R: gain P*R, bias HR, and with ρ = (1−γ)/γ small,
(I − γP)⁻¹R = (1 + ρ) Σ_{k≥−1} ρ^k y_k, where y_{−1} = P*R, y_0 = HR, y_k = −H y_{k−1}.

P* is built from the closed classes (graph search), their stationary laws (one solve each), and the
absorption probabilities of the transient states (one solve): I − P itself is never inverted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import exact_array, float_array, is_exact
from . import exact as ex
from .graph import recurrent_classes


def _solve(A: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    return ex.solve_linear(A, b) if A.dtype == object else np.linalg.solve(A, b)


def _times(A: NDArray[Any], B: NDArray[Any]) -> NDArray[Any]:
    return ex.matmul(A, B) if A.dtype == object else A @ B


def _eye(n: int, exact: bool) -> NDArray[Any]:
    return exact_array(np.eye(n, dtype=np.int64)) if exact else np.eye(n)


def _as_matrix(P: ArrayLike) -> NDArray[Any]:
    return exact_array(P) if is_exact(P) else float_array(P)


def stationary_law(P: ArrayLike) -> NDArray[Any]:
    """(n,) ν with νP = ν, Σν = 1, for an irreducible (n, n) P.

    Complexity: one n × n solve.
    """
    M = _as_matrix(P)
    n = M.shape[0]
    A = (_eye(n, M.dtype == object) - M).T.copy()
    A[-1] = A[-1] * 0 + 1
    b = A[:, 0] * 0
    b[-1] += 1
    return _solve(A, b)


def limiting_matrix(P: ArrayLike) -> NDArray[Any]:
    """(S, S) P* = Cesàro limit of P^k; exact for rationals, else of the accuracy of the solves.

    Complexity: O(S³).
    """
    M = _as_matrix(P)
    S = M.shape[0]
    out = M * 0
    classes = recurrent_classes(M)
    transient = np.ones(S, dtype=np.bool_)
    laws = []
    for members in classes:
        transient[members] = False
        law = stationary_law(M[np.ix_(members, members)])
        laws.append(law)
        out[np.ix_(members, members)] = law
    rest = np.flatnonzero(transient)
    if rest.size:
        enter = np.stack([M[np.ix_(rest, members)].sum(axis=1) for members in classes], axis=1)
        inner = _eye(rest.size, M.dtype == object) - M[np.ix_(rest, rest)]
        absorbed = _solve(inner, enter)
        for c, members in enumerate(classes):
            out[np.ix_(rest, members)] = absorbed[:, c : c + 1] * laws[c][None, :]
    return out


def deviation_matrix(P: ArrayLike, P_star: ArrayLike | None = None) -> NDArray[Any]:
    """(S, S) H = (I − P + P*)⁻¹(I − P*).

    Complexity: O(S³).
    """
    M = _as_matrix(P)
    limit = limiting_matrix(M) if P_star is None else _as_matrix(P_star)
    I = _eye(M.shape[0], M.dtype == object)
    return _solve(I - M + limit, I - limit)


def fundamental_matrix(P: ArrayLike) -> NDArray[Any]:
    """(S, S) Z = (I − P + P*)⁻¹ = H + P*.

    Complexity: O(S³).
    """
    M = _as_matrix(P)
    I = _eye(M.shape[0], M.dtype == object)
    return _solve(I - M + limiting_matrix(M), I)


def laurent_terms(P: ArrayLike, R: ArrayLike, terms: int) -> NDArray[Any]:
    """(terms + 2, S) y_{−1}, y_0, …, y_terms.

    Parameters
    ----------
    P
        (S, S) stochastic.
    R
        (S,) reward per step.
    terms
        Index of the last term, ≥ −1.

    Complexity: O(S³ + terms·S²).
    """
    M = _as_matrix(P)
    r = exact_array(R) if M.dtype == object else float_array(R)
    limit = limiting_matrix(M)
    out = [_times(limit, r)]
    if terms >= 0:
        H = deviation_matrix(M, limit)
        out.append(_times(H, r))
        for _ in range(terms):
            out.append(-_times(H, out[-1]))
    return np.stack(out)
