"""Linear-quadratic control in rationals or balls: Lyapunov solves, evaluation by quadrature, fixed points.

Matrices are python-flint `fmpq_mat` (exact) or `arb_mat` (balls); every function works on either unless it
says otherwise.  With A_P = A − SP and M_P = Q + PSP:

    lyapunov:   FᵀX + XF = −M               stein:   X − ΦᵀXΦ = W
    evaluation by quadrature:  P̂ − e^{FᵀT}P̂e^{FT} = Σ_i w_i e^{Fᵀt_i}Me^{Ft_i}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat
from numpy.typing import ArrayLike, NDArray

from . import ball
from .exact import to_fmpq

Matrix = Any
"""`fmpq_mat` or `arb_mat`."""


def ball_matrix(x: ArrayLike | Matrix) -> arb_mat:
    """`arb_mat` of a (m, n) array of reals, or of an `fmpq_mat`."""
    if isinstance(x, arb_mat):
        return x
    if isinstance(x, fmpq_mat):
        return arb_mat(x.nrows(), x.ncols(), [arb(q) for q in x.entries()])
    arr = np.asarray(x)
    return arb_mat(arr.shape[0], arr.shape[1], [ball.to_arb(v) for v in arr.reshape(-1).tolist()])


def to_array(X: arb_mat) -> NDArray[np.float64]:
    """Midpoints in doubles."""
    out = np.array([float(v) for v in X.entries()])
    return out.reshape(X.nrows(), X.ncols())


def identity(n: int, like: Matrix) -> Matrix:
    """(n, n) identity of the kind of `like`."""
    kind = type(like)
    one = fmpq(1) if kind is fmpq_mat else arb(1)
    return kind(n, n, [one if i == j else 0 * one for i in range(n) for j in range(n)])


def scaled(X: Matrix, a: Any) -> Matrix:
    """aX for a number of the kind of X's entries, an int or a Fraction."""
    return X * (ball.to_arb(a) if isinstance(X, arb_mat) else to_fmpq(a))


def _cells(n: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(n) for j in range(i, n)]


def _at(n: int) -> dict[tuple[int, int], int]:
    out = {}
    for k, (i, j) in enumerate(_cells(n)):
        out[i, j] = out[j, i] = k
    return out


def _symmetric(n: int, values: Any, kind: Any) -> Matrix:
    at = _at(n)
    return kind(n, n, [values[at[i, j], 0] for i in range(n) for j in range(n)])


def lyapunov(F: Matrix, M: Matrix) -> Matrix:
    """Symmetric X with FᵀX + XF = −M, by one solve with n(n+1)/2 unknowns.

    Raises
    ------
    ZeroDivisionError
        If two eigenvalues of F sum to zero (or balls cannot exclude it).
    """
    n, kind = F.nrows(), type(F)
    at, cells = _at(n), _cells(n)
    L, rhs = kind(len(cells), len(cells)), kind(len(cells), 1)
    for e, (i, j) in enumerate(cells):
        rhs[e, 0] = -M[i, j]
        for k in range(n):
            L[e, at[k, j]] = L[e, at[k, j]] + F[k, i]
            L[e, at[i, k]] = L[e, at[i, k]] + F[k, j]
    return _symmetric(n, L.solve(rhs), kind)


def stein(Phi: Matrix, W: Matrix) -> Matrix:
    """Symmetric X with X − ΦᵀXΦ = W.

    Raises
    ------
    ZeroDivisionError
        If two eigenvalues of Φ multiply to one (or balls cannot exclude it).
    """
    n, kind = Phi.nrows(), type(Phi)
    at, cells = _at(n), _cells(n)
    L, rhs = kind(len(cells), len(cells)), kind(len(cells), 1)
    for e, (i, j) in enumerate(cells):
        rhs[e, 0] = W[i, j]
        L[e, e] = L[e, e] + 1
        for k in range(n):
            for m in range(n):
                L[e, at[k, m]] = L[e, at[k, m]] - Phi[k, i] * Phi[m, j]
    return _symmetric(n, L.solve(rhs), kind)


def riccati_residual(A: Matrix, S: Matrix, Q: Matrix, P: Matrix) -> Matrix:
    """Ric(P) = AᵀP + PA + Q − PSP."""
    return A.transpose() * P + P * A + Q - P * S * P


def positive_definite(X: Matrix) -> bool:
    """True when the symmetric X ≻ 0 is certain: pivots of elimination are positive."""
    n = X.nrows()
    rows = [[X[i, j] for j in range(n)] for i in range(n)]
    for k in range(n):
        if not rows[k][k] > 0:
            return False
        for i in range(k + 1, n):
            f = rows[i][k] / rows[k][k]
            for j in range(k, n):
                rows[i][j] = rows[i][j] - f * rows[k][j]
    return True


def extreme_eigenvalues(X: Matrix) -> tuple[Any, Any]:
    """Balls of (λ_min, λ_max) of a symmetric matrix; exact for diagonal rational ones.

    Rayleigh quotients of approximate eigenvectors U bound from inside, the discs of Gershgorin of U⁻¹XU from
    outside; relative width about 1e-15 of ‖X‖.
    """
    n = X.nrows()
    if isinstance(X, fmpq_mat) and all(X[i, j] == 0 for i in range(n) for j in range(n) if i != j):
        d = [X[i, i] for i in range(n)]
        return min(d), max(d)
    B = ball_matrix(X)
    if n == 1:
        return B[0, 0], B[0, 0]
    middle = to_array(B)
    _, U = np.linalg.eigh((middle + middle.T) / 2)
    V = ball_matrix(U)
    D = V.inv() * B * V
    low: Any = None
    high = inner_low = inner_high = low
    for i in range(n):
        radius = sum((abs(D[i, j]) for j in range(n) if j != i), arb(0))
        u = arb_mat(n, 1, [V[k, i] for k in range(n)])
        quotient = (u.transpose() * B * u)[0, 0] / (u.transpose() * u)[0, 0]
        low = D[i, i] - radius if low is None else low.min(D[i, i] - radius)
        high = D[i, i] + radius if high is None else high.max(D[i, i] + radius)
        inner_low = quotient if inner_low is None else inner_low.min(quotient)
        inner_high = quotient if inner_high is None else inner_high.max(quotient)
    return low.union(inner_low), high.union(inner_high)


def norm(X: Matrix) -> Any:
    """‖X‖₂ of a symmetric matrix, as a ball (exact for diagonal rational matrices)."""
    low, high = extreme_eigenvalues(X)
    if isinstance(low, fmpq):
        return max(abs(low), abs(high))
    return abs(low).max(abs(high))


def frobenius(X: Matrix) -> arb:
    """‖X‖_F as a ball."""
    total = arb(0)
    for v in X.entries():
        w = arb(v)
        total += w * w
    return total.nonnegative_part().sqrt()


# ---- evaluation by quadrature ----------------------------------------------------------------
def flows(F: arb_mat, nodes: Sequence[Any]) -> list[arb_mat]:
    """e^{Ft_i} for rational t_i ≥ 0; powers of one exponential where the nodes are even and start at 0."""
    gaps = {b - a for a, b in zip(nodes, nodes[1:], strict=False)}
    if len(gaps) == 1 and nodes[0] == 0:
        one = scaled(F, gaps.pop()).exp()
        out = [identity(F.nrows(), F)]
        for _ in nodes[1:]:
            out.append(out[-1] * one)
        return out
    return [scaled(F, t).exp() for t in nodes]


def quadrature_evaluation(
    F: arb_mat, M: arb_mat, T: Any, nodes: Sequence[Any], weights: Sequence[Any]
) -> arb_mat:
    """P̂ with P̂ − e^{FᵀT}P̂e^{FT} = Σ_i w_i e^{Fᵀt_i}Me^{Ft_i}, in balls; unique if F is stable."""
    W = arb_mat(F.nrows(), F.nrows())
    points = flows(F, nodes)
    for E, w in zip(points, weights, strict=True):
        W += scaled(E.transpose() * M * E, w)
    Phi = points[-1] if nodes[-1] == T else scaled(F, T).exp()
    return stein(Phi, W)


def quadrature_step(
    A: arb_mat, S: arb_mat, Q: arb_mat, P: arb_mat, T: Any, nodes: Sequence[Any], weights: Sequence[Any]
) -> arb_mat:
    """One policy iteration from the greedy gain of P: Φ(P)."""
    return quadrature_evaluation(A - S * P, Q + P * S * P, T, nodes, weights)


def quadrature_step_derivative(
    A: arb_mat,
    S: arb_mat,
    Q: arb_mat,
    P: arb_mat,
    T: Any,
    nodes: Sequence[Any],
    weights: Sequence[Any],
    E: arb_mat,
) -> arb_mat:
    """Derivative of `quadrature_step` at P in direction E; nodes must start at 0, be even and end at T."""
    n = P.nrows()
    F, M = A - S * P, Q + P * S * P
    dF, dM = scaled(S * E, -1), E * S * P + P * S * E
    h = nodes[1] - nodes[0]
    big = arb_mat(2 * n, 2 * n)
    for i in range(n):
        for j in range(n):
            big[i, j] = big[n + i, n + j] = F[i, j]
            big[i, n + j] = dF[i, j]
    both = scaled(big, h).exp()
    one = arb_mat(n, n, [both[i, j] for i in range(n) for j in range(n)])
    d_one = arb_mat(n, n, [both[i, n + j] for i in range(n) for j in range(n)])
    X, dX = identity(n, F), arb_mat(n, n)
    W, dW = arb_mat(n, n), arb_mat(n, n)
    for k, w in enumerate(weights):
        if k:
            dX = dX * one + X * d_one
            X = X * one
        half = dX.transpose() * M * X
        W += scaled(X.transpose() * M * X, w)
        dW += scaled(half + half.transpose() + X.transpose() * dM * X, w)
    new = stein(X, W)
    cross = dX.transpose() * new * X
    return stein(X, dW + cross + cross.transpose())


def fixed_point(
    step: Callable[[arb_mat], arb_mat],
    derivative: Callable[[arb_mat, arb_mat], arb_mat],
    start: arb_mat,
    *,
    radius: float = 1e-30,
    rounds: int = 12,
) -> arb_mat:
    """Ball matrix that contains the only fixed point of `step` near `start`: Newton, then Krawczyk's test.

    With J the derivative over a ball of `radius`, G ≈ (I − J)⁻¹, q = ‖I − G(I − J)‖_∞ < 1 and
    δ = ‖G(step(P̃) − P̃)‖_∞ ≤ (1 − q)·radius, the map has exactly one fixed point in the ball, within
    δ/(1 − q) of P̃ (entries on and above the diagonal); whether it attracts is another question.

    Raises
    ------
    ArithmeticError
        If Newton's method does not get close enough.
    """
    n = start.nrows()
    cells = _cells(n)

    def jacobian(P: arb_mat) -> arb_mat:
        J = arb_mat(len(cells), len(cells))
        for c, (i, j) in enumerate(cells):
            E = arb_mat(n, n)
            E[i, j] = E[j, i] = arb(1)
            D = derivative(P, E)
            for r, (k, m) in enumerate(cells):
                J[r, c] = D[k, m]
        return J

    P = start.mid()
    for _ in range(rounds):
        gap = step(P) - P
        rhs = arb_mat(len(cells), 1, [gap[i, j] for i, j in cells])
        if all(abs(v).mid() < radius * 1e-10 for v in rhs.entries()):
            break
        move = (identity(len(cells), rhs) - jacobian(P)).solve(rhs)
        P = (P + _symmetric(n, move, arb_mat)).mid()
    fat = arb_mat(n, n, [arb(v.mid(), radius) for v in P.entries()])
    eye = identity(len(cells), fat)
    G = (eye - jacobian(P)).inv().mid()
    rest = eye - G * (eye - jacobian(fat))
    q = ball.maximum([sum((abs(rest[r, c]) for c in range(len(cells))), arb(0)) for r in range(len(cells))])
    gap = step(P) - P
    delta = ball.sup_norm((G * arb_mat(len(cells), 1, [gap[i, j] for i, j in cells])).entries())
    if not (q < 1 and delta < (1 - q) * radius):
        raise ArithmeticError(
            f"no fixed point near: q = {float(q.mid()):.3g}, residual {float(delta.mid()):.3g}"
        )
    spread = (delta / (1 - q)).upper()
    return arb_mat(n, n, [arb(v.mid(), spread) for v in P.entries()])


def riccati_enclosure(A: Matrix, S: Matrix, Q: Matrix, near: NDArray[np.float64]) -> arb_mat:
    """Ball matrix that contains the stabilising solution of Ric(P) = 0, from an approximation in doubles.

    Newton's method at the working precision, then Kantorovich: with FᵀY + YF = −I for F = A − SP̃, Y ≻ 0,
    y = ‖Y‖₂, s = ‖S‖₂ and ρ = ‖Ric(P̃)‖, 4y²sρ < 1 puts P* within (1 − √(1 − 4y²sρ))/(2ys) of P̃.

    Raises
    ------
    ArithmeticError
        If `near` is not close to a stabilising solution.
    """
    A, S, Q = ball_matrix(A), ball_matrix(S), ball_matrix(Q)
    P = ball_matrix((near + near.T) / 2)
    n = P.nrows()
    for _ in range(8):
        move = lyapunov(A - S * P, riccati_residual(A, S, Q, P))
        P = (P + move).mid()
        if ball.maximum([abs(v) for v in move.entries()]).mid() < arb(2) ** (-ball_bits() + 60):
            break
    Y = lyapunov(A - S * P, identity(n, P))
    rho = frobenius(riccati_residual(A, S, Q, P))
    if not positive_definite(Y):
        raise ArithmeticError("riccati_enclosure: the closed loop of the approximation is not stable")
    y, s = norm(Y), norm(S)
    room = 1 - 4 * y * y * s * rho
    if not room > 0:
        raise ArithmeticError(f"riccati_enclosure: residual {rho} too large")
    # (1 − √(1 − x))/(2ys) ≤ x/(2ys) = 2yρ for 0 ≤ x ≤ 1
    spread = (2 * y * rho).upper()
    return arb_mat(n, n, [arb(v.mid(), spread) for v in P.entries()])


def ball_bits() -> int:
    """The working precision of balls, in bits."""
    import flint

    return int(flint.ctx.prec)
