"""Linear processes: dX = (A X + b)dt + Σ dW in any dimension, and controlled linear–quadratic ones.

The transition of the first is Gaussian: with h = T/n,

    X_{t+h} = F X_t + g + N(0, Q),  F = e^{Ah},  g = ∫_0^h e^{Au}b du,  Q = ∫_0^h e^{Au}ΣΣᵀe^{Aᵀu}du.

F, g, Q come from one matrix exponential (Van Loan) of a step short enough that ‖A‖h ≤ ½, and doubling:
Q(2h) = Q + FQFᵀ, g(2h) = g + Fg, which loses nothing where e^{−Aᵀh} overflows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Entries, FloatVec, Real, float_array, frozen
from ...errors import InvalidArgument, InvalidModel
from ...kernels.pick import Device
from ...portable import Portable
from ._sampling import Seed, check_grid, check_time, draw, finite, key_of
from .polynomial import PolynomialDiffusion
from .sde import SDE


def _matrix(x: Entries, shape: tuple[int | None, int | None], what: str) -> FloatVec:
    m = np.atleast_2d(float_array(x))
    if m.ndim != 2 or any(want is not None and want != got for want, got in zip(shape, m.shape, strict=True)):
        wanted = ", ".join("any" if k is None else str(k) for k in shape)
        raise InvalidModel(f"{what}: shape={m.shape}, must be ({wanted})")
    if not np.isfinite(m).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(m))[0])
        raise InvalidModel(f"{what}[{at[0]}, {at[1]}]={m[at]}, must be finite")
    return frozen(np.ascontiguousarray(m))


@dataclass(frozen=True, eq=False)
class LinearSDE(Portable):
    """dX = (A X + b)dt + Σ dW in R^d.

    Parameters
    ----------
    A
        (d, d) drift matrix per unit of time, any eigenvalues.
    b
        (d,) constant drift; 0 if not given.
    sigma
        (d, k) volatility of k independent noises; the identity if not given.  ΣΣᵀ may be singular.

    Raises
    ------
    InvalidModel
        Wrong shapes, entries that are not finite.

    Examples
    --------
    >>> LinearSDE([[0.0, 1.0], [-1.0, 0.0]], sigma=[[0.0], [0.5]]).sample([1.0, 0.0], 1.0, 4, 3, seed=0).shape
    (3, 5, 2)
    """

    A: Any
    b: Any = None
    sigma: Any = None

    def __post_init__(self) -> None:
        A = _matrix(self.A, (None, None), "LinearSDE: A")
        d = A.shape[0]
        object.__setattr__(self, "A", _matrix(A, (d, d), "LinearSDE: A"))
        b = np.zeros(d) if self.b is None else float_array(self.b).reshape(-1)
        object.__setattr__(self, "b", frozen(_matrix(b.reshape(1, -1), (1, d), "LinearSDE: b").reshape(d)))
        sigma = np.eye(d) if self.sigma is None else self.sigma
        object.__setattr__(self, "sigma", _matrix(sigma, (d, None), "LinearSDE: sigma"))

    @property
    def d(self) -> int:
        """Dimension."""
        return int(self.A.shape[0])

    def transition(self, h: Real) -> tuple[FloatVec, FloatVec, FloatVec]:
        """F, g, Q of the law N(F x + g, Q) of X_{t+h} given X_t = x.

        Raises
        ------
        InvalidArgument
            h < 0, or where they are beyond doubles.
        """
        import scipy.linalg

        d, time = self.d, check_time(h, "LinearSDE", "h")
        size = float(np.abs(self.A).sum(axis=1).max()) * time
        halvings = max(0, math.ceil(math.log2(2.0 * size))) if size > 0 else 0
        step = time / 2.0**halvings
        block = np.zeros((2 * d + 1, 2 * d + 1))
        block[:d, :d], block[:d, d : 2 * d], block[:d, -1] = self.A, self.sigma @ self.sigma.T, self.b
        block[d : 2 * d, d : 2 * d] = -self.A.T
        E = scipy.linalg.expm(block * step)
        F, g = E[:d, :d], E[:d, -1]
        Q = E[:d, d : 2 * d] @ F.T
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(halvings):
                Q, g, F = Q + F @ Q @ F.T, g + F @ g, F @ F
        finite(float(np.abs(F).sum() + np.abs(g).sum() + np.abs(Q).sum()), f"LinearSDE: the law after {time}")
        return F, g, 0.5 * (Q + Q.T)

    def mean_at(self, x0: Entries, t: Real) -> FloatVec:
        """(d,) E X_t."""
        F, g, _ = self.transition(t)
        x = float_array(x0)
        if x.shape != (self.d,):
            raise InvalidArgument(f"LinearSDE: x0 has shape {x.shape}, must be ({self.d},)")
        return np.asarray(F @ x + g)

    def variance_at(self, x0: Entries, t: Real) -> FloatVec:
        """(d, d) Var X_t; the start does not matter."""
        return self.transition(t)[2]

    def covariance_at(self, x0: Entries, s: Real, t: Real) -> FloatVec:
        """(d, d) E[(X_s − E X_s)(X_t − E X_t)ᵀ]."""
        check_time(s, "LinearSDE", "s"), check_time(t, "LinearSDE")
        if s > t:
            return self.covariance_at(x0, t, s).T
        Q = self.variance_at(x0, s) if s > 0 else np.zeros((self.d, self.d))
        return np.asarray(Q @ self.transition(t - s)[0].T) if t > s else Q

    def sample(
        self, x0: Entries, T: Real, n: int, paths: int, seed: Seed, *, first: int = 0,
        threads: int | None = None, device: Device = "cpu",
    ) -> FloatVec:  # fmt: skip
        """(paths, n+1, d) values at 0, T/n, …, T, exact in law.

        Arguments as for `ScalarDiffusion.sample`; x0 is (d,) or (paths, d).

        Complexity: O(paths·n·d²).
        """
        d = self.d
        dt = check_grid(T, n, paths, first, d)
        start = float_array(x0)
        if start.shape not in ((d,), (paths, d)):
            raise InvalidArgument(f"LinearSDE: x0 has shape {start.shape}, must be ({d},) or ({paths}, {d})")
        if not np.isfinite(start).all():
            raise InvalidArgument("LinearSDE: x0 has entries that are not finite; start at a point")
        self.transition(T)
        F, g, Q = self.transition(dt)
        L = lower_root(Q)
        key = key_of(seed)

        def fill(normals: Any, recursions: Any, rows: Any, at: np.uint64) -> None:
            normals.normals(key, at, d, rows)
            recursions.linear(F, g, L, rows)

        out = draw(fill, start.reshape(-1, d), (n + 1) * d, paths, first, threads, device)
        return out.reshape(paths, n + 1, d)


def lower_root(Q: FloatVec) -> FloatVec:
    """Lower triangular L with LLᵀ = Q for a positive semidefinite Q, singular or not."""
    w, V = np.linalg.eigh(Q)
    root = V * np.sqrt(np.maximum(w, 0.0))
    _, R = np.linalg.qr(root.T)
    return np.ascontiguousarray(R.T)


@dataclass(frozen=True, eq=False)
class ControlledLQ(Portable):
    """dX = (A X + B u)dt + (C X + D u)dW + Σ dW̃, cost rate XᵀQX + uᵀRu, discounted at rate β.

    Parameters
    ----------
    A, B
        (d, d), (d, m) drift.
    Q, R
        (d, d), (m, m) symmetric costs per unit of time.
    C, D
        (d, d), (d, m) multiplicative noise, one Brownian motion; 0 if not given.
    sigma
        (d, k) additive noise, independent of the other; 0 if not given.
    beta
        Discount rate ≥ 0.

    Raises
    ------
    InvalidModel
        Wrong shapes, entries that are not finite, Q or R not symmetric, β < 0.

    Examples
    --------
    >>> lq = ControlledLQ(A=0.5, B=1.0, Q=1.0, R=0.25, C=0.1, D=0.2, beta=1.0)
    >>> lq.closed_loop(-2.0)
    GBM(mu=-1.5, sigma=0.30000000000000004)
    >>> P, constant = lq.value(-2.0)      # (q + ρk²)/(β − 2a' − c'²) = 2/3.91
    >>> round(float(P[0, 0]), 6), constant
    (0.511509, 0.0)
    """

    A: Any
    B: Any
    Q: Any
    R: Any
    C: Any = None
    D: Any = None
    sigma: Any = None
    beta: float = 0.0

    def __post_init__(self) -> None:
        A = _matrix(self.A, (None, None), "ControlledLQ: A")
        d = A.shape[0]
        B = _matrix(self.B, (d, None), "ControlledLQ: B")
        m = B.shape[1]
        shapes = {"A": (d, d), "B": (d, m), "Q": (d, d), "R": (m, m), "C": (d, d), "D": (d, m)}
        for name, shape in shapes.items():
            given = getattr(self, name)
            value = np.zeros(shape) if given is None else given
            object.__setattr__(self, name, _matrix(value, shape, f"ControlledLQ: {name}"))
        noise = np.zeros((d, 1)) if self.sigma is None else self.sigma
        object.__setattr__(self, "sigma", _matrix(noise, (d, None), "ControlledLQ: sigma"))
        for name in ("Q", "R"):
            if not np.array_equal(getattr(self, name), getattr(self, name).T):
                raise InvalidModel(f"ControlledLQ: {name} is not symmetric; give ({name} + {name}ᵀ)/2")
        try:
            good = math.isfinite(self.beta) and self.beta >= 0
        except TypeError:
            good = False
        if not good:
            raise InvalidModel(f"ControlledLQ: beta={self.beta!r}, must be a finite rate ≥ 0")

    @property
    def d(self) -> int:
        """Dimension of the state."""
        return int(self.A.shape[0])

    @property
    def m(self) -> int:
        """Dimension of the control."""
        return int(self.B.shape[1])

    def _gain(self, K: Entries) -> FloatVec:
        return _matrix(K, (self.m, self.d), "ControlledLQ: K")

    def closed_loop(self, K: Entries) -> Any:
        """The process under u = K X.

        Returns
        -------
        GBM, PolynomialDiffusion, LinearSDE or SDE
            In one dimension a `GBM` without additive noise, else a `PolynomialDiffusion`; a `LinearSDE`
            where C + DK = 0; otherwise an Euler `SDE`, which is not exact.
        """
        from .scalar import GBM

        gain = self._gain(K)
        A, C = self.A + self.B @ gain, self.C + self.D @ gain
        additive = float(np.sum(self.sigma**2))
        if self.d == 1 and C.any():
            a, c = float(A[0, 0]), float(C[0, 0])
            return GBM(a, abs(c)) if additive == 0.0 else PolynomialDiffusion(0.0, a, additive, 0.0, c * c)
        if not C.any():
            return LinearSDE(A, sigma=self.sigma)
        sigma, k = self.sigma, self.sigma.shape[1]

        def noise(t: float, x: FloatVec) -> FloatVec:
            fixed = np.broadcast_to(sigma, (x.shape[0], *sigma.shape))
            return np.concatenate([(x @ C.T)[:, :, None], fixed], axis=2)

        return SDE(lambda t, x: x @ A.T, noise, noises=k + 1)

    def cost(self, K: Entries) -> FloatVec:
        """(d, d) Q + KᵀRK: the cost rate under u = K X is xᵀ(·)x."""
        gain = self._gain(K)
        return np.asarray(self.Q + gain.T @ self.R @ gain)

    def value(self, K: Entries) -> tuple[FloatVec, float]:
        """P and v with E∫_0^∞ e^{−βt}(XᵀQX + uᵀRu)dt = x0ᵀP x0 + v under u = K X.

        P solves A'ᵀP + PA' + C'ᵀPC' − βP + Q + KᵀRK = 0 for A' = A + BK, C' = C + DK; v = tr(ΣᵀPΣ)/β.

        Raises
        ------
        InvalidArgument
            If E|X_t|²e^{−βt} does not decay (a scalar loop needs β > 2a' + c'²); additive noise at β = 0.

        Complexity: O(d⁶).
        """
        gain = self._gain(K)
        A, C, d = self.A + self.B @ gain, self.C + self.D @ gain, self.d
        I = np.eye(d)
        moment = np.kron(A, I) + np.kron(I, A) + np.kron(C, C) - self.beta * np.eye(d * d)
        growth = float(np.linalg.eigvals(moment).real.max())
        if not growth < 0:
            raise InvalidArgument(
                f"ControlledLQ.value: discounted second moments grow at rate {growth:.6g}, must be < 0; "
                "raise beta or take a stabilising K"
            )
        P = np.linalg.solve(moment.T, -self.cost(K).reshape(-1)).reshape(d, d)
        P = 0.5 * (P + P.T)
        noise = float(np.trace(self.sigma.T @ P @ self.sigma))
        if noise != 0.0 and self.beta == 0.0:
            raise InvalidArgument("ControlledLQ.value: additive noise costs for ever; beta must be > 0")
        return P, noise / self.beta if noise != 0.0 else 0.0
