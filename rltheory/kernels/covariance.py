"""Matérn and Wiener covariances on an interval [0, T], their integrals, and kernel quadrature in balls.

Matérn-(p+½) with rate c = √(2p+1)/ℓ, p = 0..3, is k(r) = κ(cr)e^{−cr}; its integrals are elementary:

    F(u) = ∫_0^u k = [κ₀ − φ(cu)e^{−cu}]/c,    ∫∫_{[0,T]²} k = (2/c)[κ₀T − (γ₀ − γ(cT)e^{−cT})/c],

with the polynomials below, κ₀ = φ(0).  The Wiener covariance is c + min(t, t').  All functions work on floats
(NumPy arrays) or on balls (`arb`): the number system is that of the arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction as Q
from typing import Any

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

COVARIANCE = ((Q(1),), (Q(1), Q(1)), (Q(1), Q(1), Q(1, 3)), (Q(1), Q(1), Q(2, 5), Q(1, 15)))
"""κ: coefficients of x^0, x^1, … for p = 0..3."""
PRIMITIVE = (
    (Q(1),),
    (Q(2), Q(1)),
    (Q(8, 3), Q(5, 3), Q(1, 3)),
    (Q(16, 5), Q(11, 5), Q(3, 5), Q(1, 15)),
)
"""φ."""
DOUBLE = (
    (Q(1),),
    (Q(3), Q(1)),
    (Q(5), Q(7, 3), Q(1, 3)),
    (Q(7), Q(19, 5), Q(4, 5), Q(1, 15)),
)
"""γ; γ₀ = γ(0)."""


def _exact(q: Q, like: Any) -> Any:
    return arb(q.numerator) / q.denominator if isinstance(like, arb) else float(q)


def _polynomial(coefficients: Sequence[Q], x: Any) -> Any:
    out = _exact(coefficients[-1], x)
    for q in reversed(coefficients[:-1]):
        out = out * x + _exact(q, x)
    return out


def _decay(x: Any) -> Any:
    return (-x).exp() if isinstance(x, arb) else np.exp(-x)


def matern(p: int, c: Any, r: Any) -> Any:
    """k(r) for r ≥ 0."""
    x = c * r
    return _polynomial(COVARIANCE[p], x) * _decay(x)


def matern_primitive(p: int, c: Any, u: Any) -> Any:
    """F(u) = ∫_0^u k(s) ds for u ≥ 0."""
    x = c * u
    return (_exact(PRIMITIVE[p][0], x) - _polynomial(PRIMITIVE[p], x) * _decay(x)) / c


def matern_double(p: int, c: Any, T: Any) -> Any:
    """∫∫ k(s − t) over [0, T]²."""
    x = c * T
    inner = (_exact(DOUBLE[p][0], x) - _polynomial(DOUBLE[p], x) * _decay(x)) / c
    return 2 / c * (_exact(PRIMITIVE[p][0], x) * T - inner)


def solve_weights(gram: Any, z: Sequence[arb]) -> list[arb]:
    """w = K⁻¹z in balls, by LU.

    Raises
    ------
    ZeroDivisionError
        If K cannot be shown to be non-singular at the working precision.
    """
    return list(gram.solve(arb_mat(len(z), 1, list(z))).entries())


def folded_weights(first_rows: Sequence[Sequence[arb]], z: Sequence[arb]) -> list[arb]:
    """w = K⁻¹z for K and z that do not change when the nodes are reversed: half the unknowns.

    Parameters
    ----------
    first_rows
        Rows 0..⌈N/2⌉−1 of K.
    z
        N numbers with z_i = z_{N−1−i}.
    """
    N, half = len(z), (len(z) + 1) // 2
    entries = []
    for i in range(half):
        row = first_rows[i]
        entries += [row[j] + row[N - 1 - j] if j != N - 1 - j else row[j] for j in range(half)]
    w = solve_weights(arb_mat(half, half, entries), z[:half])
    return [w[min(i, N - 1 - i)] for i in range(N)]


def state_matrices(p: int, c: float) -> tuple[NDArray[Any], float, NDArray[Any]]:
    """Matérn-(p+½) as dx = Fx dt + e_p dβ on derivatives: (F, spectral density of β, stationary variance).

    F is the companion matrix of (λ + c)^{p+1}; the density makes the variance of x_0 one; the variance of
    (x_i, x_j) is (−1)^{(i−j)/2} m_{(i+j)/2} for even i + j, with m_k = E[(x_0^{(k)})²] = (−1)^k k^{(2k)}(0).
    """
    from math import comb, gamma, pi, sqrt

    F = np.diag(np.ones(p), 1)
    F[p] = [-comb(p + 1, k) * c ** (p + 1 - k) for k in range(p + 1)]
    nu = p + 0.5
    density = 2 * sqrt(pi) * gamma(nu + 0.5) / gamma(nu) * c ** (2 * p + 1)
    moments = even_derivatives(p)
    P = np.zeros((p + 1, p + 1))
    for i in range(p + 1):
        for j in range(i % 2, p + 1, 2):
            P[i, j] = (-1.0) ** ((i - j) // 2) * float(moments[(i + j) // 2]) * c ** (i + j)
    return F, density, P


def even_derivatives(p: int) -> list[Q]:
    """m_k = (−1)^k (d/dx)^{2k} κ(x)e^{−x} at 0, for k = 0..p."""
    from math import factorial

    out = []
    for k in range(p + 1):
        n = 2 * k
        at_zero = sum(
            (COVARIANCE[p][i] * factorial(n) / factorial(n - i) * (-1) ** (n - i))
            for i in range(min(n, p) + 1)
        )
        out.append((-1) ** k * at_zero)
    return out
