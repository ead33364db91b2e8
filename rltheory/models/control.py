"""Continuous time, quadratic control cost: ẋ = f(x) + g(x)u, cost ∫_0^∞ q(x) + uᵀRu dt, no discount.

`LQR` is the linear case f = Ax, g = B, q = xᵀQx; `ControlAffine` has callables and features φ with φ(0) = 0,
V ≈ ωᵀφ(x).  Greedy controls are u = −½R⁻¹gᵀ∇V.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import exact_array
from ..errors import InvalidModel
from ..portable import Portable


def _matrix(x: ArrayLike, name: str, shape: tuple[int | None, int | None]) -> NDArray[Any]:
    arr = np.asarray(x)
    if arr.ndim != 2 or any(want is not None and want != got for want, got in zip(shape, arr.shape)):
        raise InvalidModel(f"LQR: {name} has shape {arr.shape}, must be {shape}")
    if arr.dtype != object:
        arr = arr.astype(np.float64)
        if not np.isfinite(arr).all():
            i, j = np.argwhere(~np.isfinite(arr))[0]
            raise InvalidModel(f"LQR: {name}[{i}, {j}]={arr[i, j]}, must be finite")
        return arr
    return exact_array(arr)


def _check_positive(R: NDArray[Any], name: str) -> None:
    """R ≻ 0, decided in rationals where doubles cannot tell."""
    from ..kernels import lq
    from ..kernels.exact import to_fmpq_mat

    values = np.linalg.eigvalsh(R.astype(np.float64))
    doubt = 1e-10 * abs(values[-1])
    if values[0] < -doubt or (values[0] <= doubt and not lq.positive_definite(to_fmpq_mat(exact_array(R)))):
        raise InvalidModel(f"{name} has the eigenvalue {values[0]:.3g}, must be positive definite")


@dataclass(frozen=True, eq=False)
class LQR(Portable):
    """ẋ = Ax + Bu, cost ∫ xᵀQx + uᵀRu; V = xᵀPx, gain K = R⁻¹BᵀP, u = −Kx.

    Parameters
    ----------
    A, B, Q, R
        (n, n), (n, m), (n, n), (m, m); doubles or rationals; Q and R symmetric, R positive definite.

    Raises
    ------
    InvalidModel
        Shapes that do not fit, entries that are not finite, Q or R not symmetric, R not positive definite.
    """

    A: Any
    B: Any
    Q: Any
    R: Any

    def __post_init__(self) -> None:
        A = _matrix(self.A, "A", (None, None))
        n = len(A)
        if n == 0:
            raise InvalidModel("LQR: A has shape (0, 0), must be (n, n) with n ≥ 1")
        A = _matrix(A, "A", (n, n))
        B = _matrix(self.B, "B", (n, None))
        Q, R = _matrix(self.Q, "Q", (n, n)), _matrix(self.R, "R", (B.shape[1], B.shape[1]))
        arrays = [A, B, Q, R]
        if any(a.dtype == object for a in arrays) and any(a.dtype != object for a in arrays):
            arrays = [a if a.dtype == object else exact_array(a) for a in arrays]
        for name, X in (("Q", arrays[2]), ("R", arrays[3])):
            for i, j in np.argwhere(X != X.T):
                raise InvalidModel(
                    f"LQR: {name}[{i}, {j}]={X[i, j]} and {name}[{j}, {i}]={X[j, i]}; must be symmetric: use "
                    f"({name} + {name}ᵀ)/2"
                )
        if B.shape[1] == 0:
            raise InvalidModel(f"LQR: B has shape {B.shape}, must be (n, m) with m ≥ 1 controls")
        _check_positive(arrays[3], "LQR: R")
        for name, X in zip("ABQR", arrays, strict=True):
            X.flags.writeable = False
            object.__setattr__(self, name, X)

    @property
    def n(self) -> int:
        """States."""
        return len(self.A)

    @property
    def m(self) -> int:
        """Controls."""
        return int(self.B.shape[1])

    @property
    def is_exact(self) -> bool:
        """True for rational matrices."""
        return bool(self.A.dtype == object)

    @cached_property
    def R_inverse(self) -> NDArray[Any]:
        """R⁻¹."""
        from ..kernels.exact import inverse

        return inverse(self.R) if self.is_exact else np.linalg.inv(self.R)

    @cached_property
    def S(self) -> NDArray[Any]:
        """BR⁻¹Bᵀ."""
        return np.asarray(self.B @ self.R_inverse @ self.B.T)

    def gain(self, P: ArrayLike) -> NDArray[Any]:
        """K = R⁻¹BᵀP, the greedy gain of V = xᵀPx."""
        return np.asarray(self.R_inverse @ self.B.T @ np.asarray(P))

    def closed_loop(self, K: ArrayLike) -> NDArray[Any]:
        """A − BK."""
        return np.asarray(self.A - self.B @ np.asarray(K))

    def cost(self, K: ArrayLike) -> NDArray[Any]:
        """Q + KᵀRK: the cost rate under u = −Kx is xᵀ(Q + KᵀRK)x."""
        gain = np.asarray(K)
        return np.asarray(self.Q + gain.T @ self.R @ gain)

    def exact(self) -> LQR:
        """The stored numbers as rationals."""
        return self if self.is_exact else LQR(*(exact_array(x) for x in (self.A, self.B, self.Q, self.R)))

    def float(self) -> LQR:
        """The same model in doubles (rounded entry by entry)."""
        return LQR(*(np.asarray(x).astype(np.float64) for x in (self.A, self.B, self.Q, self.R)))

    def __repr__(self) -> str:
        return f"LQR({self.A.tolist()}, {self.B.tolist()}, {self.Q.tolist()}, {self.R.tolist()})"


@dataclass(frozen=True, eq=False)
class ControlAffine(Portable):
    """ẋ = f(x) + g(x)u with cost q(x) + uᵀRu, and features φ for V ≈ ωᵀφ.

    Parameters
    ----------
    f, g, q
        x (n,) ↦ (n,), (n, m), float.
    R
        (m, m), positive definite.
    features, gradient
        φ: x ↦ (d,), its Jacobian x ↦ (d, n); φ(0) = 0 is checked.
    omega
        Optimal weights, where they are known.

    Raises
    ------
    InvalidModel
        φ(0) ≠ 0, R not symmetric and positive definite, or shapes that do not fit.
    """

    f: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    g: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    q: Callable[[NDArray[np.float64]], float]
    R: Any
    features: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    gradient: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    n: int
    omega: Any = None

    def __post_init__(self) -> None:
        zero = np.zeros(self.n)
        phi, J = np.asarray(self.features(zero)), np.asarray(self.gradient(zero))
        if np.any(phi != 0):
            i = int(np.argmax(phi != 0))
            raise InvalidModel(f"ControlAffine: features(0)[{i}]={phi[i]}, must be 0: V(0) = 0")
        if J.shape != (len(phi), self.n):
            raise InvalidModel(f"ControlAffine: gradient has shape {J.shape}, must be {(len(phi), self.n)}")
        g, R = np.asarray(self.g(zero)), np.asarray(self.R, dtype=np.float64)
        if g.ndim != 2 or len(g) != self.n or R.shape != (g.shape[1], g.shape[1]):
            raise InvalidModel(
                f"ControlAffine: g(0) has shape {g.shape} and R {R.shape}, must be ({self.n}, m) and (m, m)"
            )
        if not np.isfinite(R).all() or (R != R.T).any():
            raise InvalidModel(f"ControlAffine: R={R.tolist()}, must be finite and symmetric")
        _check_positive(R, "ControlAffine: R")

    def control(self, x: NDArray[np.float64], omega: NDArray[np.float64]) -> NDArray[np.float64]:
        """u = −½R⁻¹g(x)ᵀ∇V(x) for V = ωᵀφ."""
        slope = np.asarray(self.gradient(x)).T @ omega
        return np.asarray(-0.5 * np.linalg.solve(np.asarray(self.R, dtype=np.float64), self.g(x).T @ slope))

    def cost(self, x: NDArray[np.float64], u: NDArray[np.float64]) -> float:
        """q(x) + uᵀRu."""
        return float(self.q(x) + u @ np.asarray(self.R, dtype=np.float64) @ u)
