"""Lyapunov and Riccati equations whose answers carry a proved error bound.

    AᵀX + XA = −M   (A stable),      X − ΦᵀXΦ = W   (Φ contracting),      AᵀP + PA + Q − PSP = 0.

The bound.  Let Y solve the same equation with right-hand side I up to a residual of norm η < 1, in balls, and
Y ≻ 0: this proves stability, and the solution operator has norm at most y = ‖Y‖₂/(1 − η) (it is positive, so
its norm is attained at I).  Hence ‖X − X_true‖₂ ≤ y·‖residual‖, the residual of the stored numbers being
enclosed, not estimated.  For the Riccati equation, with closed loop F = A − SP, s = ‖S‖₂ and residual ρ,
4y²sρ < 1 puts the stabilising solution within 2yρ of P.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import float_array, plain_array, to_fraction
from ..errors import InvalidArgument, InvalidModel
from ..kernels import ball, lq
from ..kernels.exact import from_fmpq_mat, to_fmpq_mat
from ..models.control import LQR

BITS = 128
"""Working precision of the certificates."""
STABILISABLE = 1e-10
"""σ_min[(A − λI)/‖A‖, B/‖B‖] at or below this counts as not stabilisable."""


@dataclass(frozen=True, eq=False)
class CertifiedMatrix:
    """A symmetric matrix and what is proved about it.

    Attributes
    ----------
    X
        (n, n), doubles or rationals.
    error
        ‖X − X_true‖₂ ≤ error; 0 for exact rational solutions.
    residual
        Bound on the norm of the equation's residual at X.
    amplification
        Bound on the norm of the solution operator: error ≤ amplification·residual (twice that for Riccati).
    method
        How X was found.
    """

    X: NDArray[Any]
    error: Any
    residual: float
    amplification: float
    method: str


def solve_lyapunov(A: ArrayLike, M: ArrayLike) -> CertifiedMatrix:
    """X = ∫_0^∞ e^{Aᵀt}Me^{At} dt: the solution of AᵀX + XA = −M for stable A and symmetric M.

    Parameters
    ----------
    A, M
        (n, n); rationals give the rational solution, doubles Bartels–Stewart (SciPy) and a proved error.

    Raises
    ------
    InvalidModel
        An eigenvalue of A has real part ≥ 0 (it is named), or stability cannot be certified.

    Complexity: O(n³) in doubles, O(n³) ball operations for the certificate; O(n⁶) for rationals.

    Examples
    --------
    >>> solve_lyapunov([[-1.0]], [[2.0]]).X
    array([[1.]])
    """
    left, right = _square(A, "A"), _symmetric(M, "M")
    _fits(left, right)
    if left.dtype == object or right.dtype == object:
        F = to_fmpq_mat(left)
        try:
            Y = lq.lyapunov(F, lq.identity(len(left), F))
            stable = lq.positive_definite(Y)
        except ZeroDivisionError:
            stable = False
        if not stable:
            raise InvalidModel(_unstable("solve_lyapunov: A", left))
        y = float(ball.bounds(ball.to_arb(lq.norm(Y)))[1])
        return CertifiedMatrix(from_fmpq_mat(lq.lyapunov(F, to_fmpq_mat(right))), 0, 0.0, y, "rationals")
    from scipy.linalg import solve_continuous_lyapunov

    if not _real_parts(left).max() < 0:
        raise InvalidModel(_unstable("solve_lyapunov: A", left))
    X = _even(solve_continuous_lyapunov(left.T, -right))
    with ball.precision(BITS):
        F, M_ball, P = (lq.ball_matrix(v) for v in (left, right, X))
        error = lyapunov_error(F, M_ball, X)
        rho = _up(lq.frobenius(F.transpose() * P + P * F + M_ball))
    return CertifiedMatrix(X, error, rho, error / rho if rho else 1.0, "Bartels–Stewart")


def solve_discrete_lyapunov(Phi: ArrayLike, W: ArrayLike) -> CertifiedMatrix:
    """X = Σ_j (Φᵀ)^j W Φ^j: the solution of X − ΦᵀXΦ = W for eigenvalues of Φ inside the unit disc.

    Raises
    ------
    InvalidModel
        An eigenvalue of modulus ≥ 1 (it is named), or contraction cannot be certified.
    """
    left, right = _square(Phi, "Phi"), _symmetric(W, "W")
    _fits(left, right)
    if left.dtype == object or right.dtype == object:
        F = to_fmpq_mat(left)
        try:
            Y = lq.stein(F, lq.identity(len(left), F))
            stable = lq.positive_definite(Y)
        except ZeroDivisionError:
            stable = False
        if not stable:
            raise InvalidModel(_expanding(left))
        y = float(ball.bounds(ball.to_arb(lq.norm(Y)))[1])
        return CertifiedMatrix(from_fmpq_mat(lq.stein(F, to_fmpq_mat(right))), 0, 0.0, y, "rationals")
    from scipy.linalg import solve_discrete_lyapunov

    if not np.abs(np.linalg.eigvals(left)).max() < 1:
        raise InvalidModel(_expanding(left))
    X = _even(solve_discrete_lyapunov(left.T, right))
    with ball.precision(BITS):
        F, V, P = (lq.ball_matrix(v) for v in (left, right, X))
        error = stein_error(F, V, X)
        rho = _up(lq.frobenius(F.transpose() * P * F - P + V))
    return CertifiedMatrix(X, error, rho, error / rho if rho else 1.0, "SciPy")


def solve_riccati(model: LQR) -> CertifiedMatrix:
    """P*: the stabilising solution of AᵀP + PA + Q − PSP = 0, S = BR⁻¹Bᵀ.

    Returns
    -------
    Doubles with a proved error for a model in doubles; for a rational model, rationals within `error` (below
    1e-40 relative) of the irrational solution.

    Raises
    ------
    InvalidModel
        (A, B) not stabilisable, or an undamped mode of A that Q does not see; the eigenvalue is named.

    Complexity: O(n³); the refinement for rational models is a Newton step with n(n+1)/2 unknowns a time.
    """
    from scipy.linalg import solve_continuous_are, solve_continuous_lyapunov

    floats = model.float() if model.is_exact else model
    _check_pair(floats)
    try:
        B = np.linalg.solve(np.linalg.cholesky(floats.R), floats.B.T).T  # controls in units of their cost
        P = _even(solve_continuous_are(floats.A, B, floats.Q, np.eye(floats.m)))
    except np.linalg.LinAlgError as exc:
        raise InvalidModel(f"solve_riccati: no stabilising solution ({exc}); check stabilisability") from exc
    if model.is_exact:
        with ball.precision(256):
            A, S, Q = (lq.ball_matrix(to_fmpq_mat(X)) for X in (model.A, model.S, model.Q))
            try:
                box = lq.riccati_enclosure(A, S, Q, P)
            except (ArithmeticError, ZeroDivisionError) as exc:
                raise InvalidModel(f"solve_riccati: the solution cannot be certified ({exc})") from exc
            middle = ball.midpoints(np.array(box.entries(), dtype=object)).reshape(P.shape)
            spread = to_fraction(float(max(v.rad() for v in box.entries()).upper())) * 2 * len(P)
            return CertifiedMatrix(middle, spread, 0.0, float("nan"), "Newton in balls")
    F = floats.A - floats.S @ P
    if _real_parts(F).max() < 0:  # one Newton step: the residual drops to rounding
        gap = floats.A.T @ P + P @ floats.A + floats.Q - P @ floats.S @ P
        P = _even(P + solve_continuous_lyapunov(F.T, -(gap + gap.T) / 2))
        F = floats.A - floats.S @ P
    message = _unstable("solve_riccati: A − SP", F)
    if not _real_parts(F).max() < 0:
        raise InvalidModel(message)
    Y = _even(solve_continuous_lyapunov(F.T, -np.eye(len(F))))
    with ball.precision(BITS):
        A, Q, X = lq.ball_matrix(floats.A), lq.ball_matrix(floats.Q), lq.ball_matrix(P)
        B, R = lq.ball_matrix(floats.B), lq.ball_matrix(floats.R)
        S = B * R.inv() * B.transpose()
        loop = A - S * X
        Z = lq.ball_matrix(Y)
        y = _amplification(Y, loop.transpose() * Z + Z * loop + lq.identity(len(F), Z), message)
        rho = lq.frobenius(lq.riccati_residual(A, S, Q, X))
        if not 4 * y * y * lq.frobenius(S) * rho < 1:
            raise InvalidModel(
                f"solve_riccati: residual {float(rho.mid()):.2e} with amplification {float(y.mid()):.2e} is "
                "too large to certify; pass model.exact()"
            )
        return CertifiedMatrix(P, _up(2 * y * rho), _up(rho), _up(y), "SciPy, one Newton step")


def lyapunov_error(F: Any, M: Any, X: NDArray[np.float64]) -> float:
    """‖X − X_true‖₂ at most, where FᵀX_true + X_true F = −M for the true matrices in the balls F, M.

    Parameters
    ----------
    F, M
        `arb_mat`; the working precision is the caller's.

    Raises
    ------
    InvalidModel
        Stability of F cannot be certified.
    """
    from scipy.linalg import solve_continuous_lyapunov

    middle = lq.to_array(F)
    if not _real_parts(middle).max() < 0:
        raise InvalidModel(_unstable("lyapunov_error: F", middle))
    Y = _even(solve_continuous_lyapunov(middle.T, -np.eye(len(middle))))
    Z, P = lq.ball_matrix(Y), lq.ball_matrix(X)
    gap = F.transpose() * Z + Z * F + lq.identity(len(Y), Z)
    y = _amplification(Y, gap, _unstable("lyapunov_error: F", middle))
    return _up(y * lq.frobenius(F.transpose() * P + P * F + M))


def stein_error(Phi: Any, W: Any, X: NDArray[np.float64]) -> float:
    """‖X − X_true‖₂ at most, where X_true − ΦᵀX_trueΦ = W for the true matrices in the balls Φ, W.

    Raises
    ------
    InvalidModel
        Contraction of Φ cannot be certified.
    """
    from scipy.linalg import solve_discrete_lyapunov

    middle = lq.to_array(Phi)
    if not np.abs(np.linalg.eigvals(middle)).max() < 1:
        raise InvalidModel(_expanding(middle))
    Y = _even(solve_discrete_lyapunov(middle.T, np.eye(len(middle))))
    Z, P = lq.ball_matrix(Y), lq.ball_matrix(X)
    y = _amplification(Y, Phi.transpose() * Z * Phi - Z + lq.identity(len(Y), Z), _expanding(middle))
    return _up(y * lq.frobenius(Phi.transpose() * P * Phi - P + W))


def _check_pair(model: LQR) -> None:
    """Hautus tests at the eigenvalues of A with real part ≥ 0."""
    A, B, Q = model.A, model.B, model.Q
    n, size = len(A), max(float(np.linalg.norm(A)), 1e-300)
    B, Q = (X / (float(np.linalg.norm(X)) or 1.0) for X in (B, Q))  # units of control and cost do not matter
    for value in np.linalg.eigvals(A):
        if value.real < -1e-12 * size:
            continue
        reach = np.linalg.svd(
            np.hstack([(A - value * np.eye(n)) / size, B.astype(complex)]), compute_uv=False
        )[-1]
        if reach <= STABILISABLE:
            raise InvalidModel(
                f"LQR: (A, B) is not stabilisable: no control moves the eigenvalue {value:.6g} of A "
                "(real part ≥ 0); change B or remove that mode"
            )
        if abs(value.real) <= 1e-12 * size:
            seen = np.linalg.svd(
                np.vstack([(A - value * np.eye(n)) / size, Q.astype(complex)]), compute_uv=False
            )[-1]
            if seen <= STABILISABLE:
                raise InvalidModel(
                    f"LQR: Q does not see the undamped eigenvalue {value:.6g} of A: no stabilising solution; "
                    "add a cost on that mode"
                )


def _amplification(Y: NDArray[Any], gap: Any, message: str) -> Any:
    """‖Y‖₂/(1 − η), once Y ≻ 0 and η = ‖residual‖ < 1 are certain."""
    eta = lq.frobenius(gap)
    if not eta < 1 or not lq.positive_definite(lq.ball_matrix(Y)):
        raise InvalidModel(message + " (or stability is too weak to certify in doubles: pass rationals)")
    return lq.norm(lq.ball_matrix(Y)) / (1 - eta)


def _up(x: Any) -> float:
    value = float(ball.bounds(x.upper())[1])
    return float(np.nextafter(value, np.inf))


def _even(X: Any) -> NDArray[np.float64]:
    return np.asarray((X + X.T) / 2)


def _real_parts(A: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.eigvals(A.astype(np.float64)).real)


def _unstable(what: str, A: NDArray[Any]) -> str:
    values = np.linalg.eigvals(A.astype(np.float64))
    worst = values[int(np.argmax(values.real))]
    return f"{what} has the eigenvalue {worst:.6g}; must have real part < 0: start from a stabilising gain"


def _expanding(Phi: NDArray[Any]) -> str:
    values = np.linalg.eigvals(Phi.astype(np.float64))
    worst = values[int(np.argmax(np.abs(values)))]
    return f"solve_discrete_lyapunov: Phi has the eigenvalue {worst:.6g}; must have modulus < 1"


def _square(x: ArrayLike, name: str) -> NDArray[Any]:
    arr = plain_array(x, name=name)
    if arr.ndim != 2 or arr.shape[0] != arr.shape[1] or len(arr) == 0:
        raise InvalidArgument(f"{name}: shape={arr.shape}, must be (n, n) with n ≥ 1")
    if arr.dtype == object:
        return arr
    arr = float_array(arr, name)
    if not np.isfinite(arr).all():
        i, j = np.argwhere(~np.isfinite(arr))[0]
        raise InvalidArgument(f"{name}[{i}, {j}]={arr[i, j]}, must be finite")
    return arr


def _symmetric(x: ArrayLike, name: str) -> NDArray[Any]:
    arr = _square(x, name)
    for i, j in np.argwhere(arr != arr.T):
        raise InvalidArgument(
            f"{name}[{i}, {j}]={arr[i, j]} and {name}[{j}, {i}]={arr[j, i]}; must be symmetric"
        )
    return arr


def _fits(A: NDArray[Any], M: NDArray[Any]) -> None:
    if A.shape != M.shape:
        raise InvalidArgument(f"shapes {A.shape} and {M.shape} must be equal")
