"""Weights and errors of kernel quadrature on [0, T]: balls, rationals, state space, dense doubles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from ..arrays import exact_array, to_fraction
from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels.covariance import folded_weights, solve_weights, state_matrices
from .covariances import Covariance, Matern, Wiener

DENSE_LIMIT = 1e12
"""Largest condition number of K that the dense method in doubles accepts."""


SPARSE = 1e4
"""Beyond this mean step times rate the derivatives of a Matérn path are too large for doubles."""


def is_sparse(step: float, cov: Covariance) -> bool:
    """True where the state space loses digits and K is nearly the identity."""
    return isinstance(cov, Matern) and cov.rate() * step > SPARSE


_CLOSE = (
    "bayesian_quadrature: two nodes, or a node and the end of the window, are too close together for the "
    'state space in doubles; merge them, or use method="balls"'
)


def ball_weights(nodes: Sequence[Any], T: Any, cov: Covariance, nugget: Any = 0) -> tuple[list[arb], arb]:
    """Balls of (w, ∫∫k − zᵀw) for nodes in [0, T], at the working precision; e² for nugget 0.

    Raises
    ------
    ZeroDivisionError
        If K cannot be shown to be non-singular at the working precision.
    """
    points = [ball.to_arb(to_fraction(v)) for v in nodes]
    exact = [to_fraction(v) for v in nodes]
    end, N = ball.to_arb(to_fraction(T)), len(points)
    z = [cov.embedding(p, end) for p in points]
    delta = ball.to_arb(to_fraction(nugget))
    cache: dict[Any, arb] = {}

    def k(i: int, j: int) -> arb:
        key = abs(exact[i] - exact[j]) if isinstance(cov, Matern) else (i, j)
        if key not in cache:
            cache[key] = cov.cov(points[i], points[j])
        return cache[key] + delta if i == j else cache[key]

    mirrored = isinstance(cov, Matern) and all(
        exact[i] + exact[N - 1 - i] == to_fraction(T) for i in range(N)
    )
    if mirrored:
        w = folded_weights([[k(i, j) for j in range(N)] for i in range((N + 1) // 2)], z)
    else:
        w = solve_weights(arb_mat(N, N, [k(i, j) for i in range(N) for j in range(N)]), z)
    e2 = cov.variance(end)
    for wi, zi in zip(w, z, strict=True):
        e2 -= wi * zi
    return w, e2


def wiener_weights(u: list[Fraction], T: Fraction, cov: Wiener, nugget: Fraction) -> tuple[Any, Any]:
    """Exact weights; a node at 0 with offset 0 sees f(0) = 0 and gets weight 0."""
    from ..kernels.exact import solve_linear

    free = [i for i, v in enumerate(u) if v + cov.offset > 0 or nugget]
    w = exact_array([0] * len(u))
    if free:
        K = exact_array([[cov.cov(u[i], u[j]) + (nugget if i == j else 0) for j in free] for i in free])
        w[free] = solve_linear(K, exact_array([cov.embedding(u[i], T) for i in free]))
    e2 = cov.variance(T) - sum((wi * cov.embedding(v, T) for wi, v in zip(w, u, strict=True)), Fraction(0))
    return w, None if nugget else e2


def dense_weights(u: NDArray[Any], T: float, cov: Covariance, nugget: float) -> tuple[NDArray[Any], float]:
    """Cholesky in doubles; refused where K is too ill-conditioned."""
    import scipy.linalg as sla

    K = np.asarray(cov.cov(u[:, None], u[None, :])) + nugget * np.eye(len(u))
    eigenvalues = np.linalg.eigvalsh(K)
    condition = math.inf if eigenvalues[0] <= 0 else eigenvalues[-1] / eigenvalues[0]
    if condition > DENSE_LIMIT:
        raise InvalidArgument(
            f"bayesian_quadrature: cond K = {condition:.1e} exceeds {DENSE_LIMIT:.0e}, so weights of "
            'the dense method would be noise; use method="state-space" or "balls", or declare a nugget'
        )
    z = np.asarray(cov.embedding(u, T))
    w = sla.cho_solve(sla.cho_factor(K), z)
    return w, float(cov.variance(T) - w @ z)


def state_space_weights(
    u: NDArray[Any], T: float, cov: Covariance, nugget: float, *, prior: float = 0.0, skip: bool = False
) -> tuple[NDArray[Any], float]:
    """Weights and e² by filtering, time in units of the mean step (`prior`, `skip`: for experiments)."""
    from ..kernels.filtering import filter_weights

    unit = T / max(len(u) - 1, 1)
    if isinstance(cov, Matern):
        if is_sparse(unit, cov):
            raise InvalidArgument(
                "bayesian_quadrature: nodes are too many lengthscales apart for the state space in doubles "
                f'(mean step {unit:g}, {cov}); use method="dense" or "balls"'
            )
        F, density, P = state_matrices(cov.p, cov.rate() * unit)
    else:
        F, density, P = np.zeros((1, 1)), unit, np.array([[float(cov.offset)]])
    m = len(F)
    full = np.zeros((m + 1, m + 1))
    full[:m, :m], full[m, 0] = F, 1.0
    gaps = np.diff(u, prepend=0.0) / unit
    if skip:
        gaps[0] = 0.0
    rest = (T - u[-1]) / unit
    rounded = np.round(np.append(gaps, rest), 12)
    if (rounded[1:-1] == 0).any():
        raise InvalidArgument(_CLOSE)
    lengths = sorted({float(g) for g in rounded if g > 0})
    at = {g: i for i, g in enumerate(lengths)}
    pairs = [_van_loan(full, m - 1, density, g) for g in lengths]
    start = np.zeros((m + 1, m + 1))
    start[:m, :m], start[m, m] = np.linalg.cholesky(P) if P.any() else P, math.sqrt(prior)
    steps = np.array([at.get(float(g), -1) for g in rounded], dtype=np.int64)
    try:
        noises = [np.linalg.cholesky(V) for _, V in pairs]
    except np.linalg.LinAlgError as exc:
        raise InvalidArgument(_CLOSE) from exc
    w, variance = filter_weights(
        np.array([A for A, _ in pairs]).reshape(-1, m + 1, m + 1),
        np.array(noises).reshape(-1, m + 1, m + 1),
        steps[:-1],
        start,
        nugget,
        int(steps[-1]),
    )
    return unit * w, float(unit * unit * variance)


def _van_loan(F: NDArray[Any], at: int, density: float, h: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """(e^{Fh}, ∫_0^h e^{Fs} L q Lᵀ e^{Fᵀs} ds) with noise on coordinate `at`, by one block exponential."""
    import scipy.linalg as sla

    halvings = max(0, math.ceil(math.log2(float(np.abs(np.linalg.eigvals(F)).max()) * h + 1e-300)))
    if halvings:  # e^{−Fh} would grow: small steps, then V(2h) = V(h) + A V(h) Aᵀ
        A, V = _van_loan(F, at, density, h / 2**halvings)
        for _ in range(halvings):
            A, V = A @ A, V + A @ V @ A.T
        return A, (V + V.T) / 2
    n = len(F)
    block = np.zeros((2 * n, 2 * n))
    block[:n, :n], block[n:, n:] = -F, F.T
    block[at, n + at] = density
    E = sla.expm(block * h)
    A = E[n:, n:].T
    return A, A @ E[:n, n:]


def ball_error(nodes: Sequence[Any], weights: Sequence[Any], T: Any, cov: Covariance) -> arb:
    """Ball of e(w)² for nodes in [0, T] at the working precision; weights are rationals or balls."""
    points, end = [ball.to_arb(v) for v in nodes], ball.to_arb(T)
    w = [ball.to_arb(v) for v in weights]
    cache: dict[Any, arb] = {}
    e2 = cov.variance(end)
    for i, wi in enumerate(w):
        e2 -= 2 * wi * cov.embedding(points[i], end)
        for j in range(i + 1):
            key = abs(nodes[i] - nodes[j]) if isinstance(cov, Matern) else (i, j)
            if key not in cache:
                cache[key] = cov.cov(points[i], points[j])
            e2 += wi * w[j] * cache[key] * (1 if i == j else 2)
    return e2
