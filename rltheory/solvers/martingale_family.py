"""Linear families of candidate values on a polynomial diffusion, and their exact functionals.

dX = b(X)dt + σ(X)dW, X_0 = x0, horizon T, discount β, running reward r, terminal reward h.  The value is

    J(t, x) = E[∫_t^T e^{−β(s−t)} r(s, X_s)ds + e^{−β(T−t)} h(X_T) | X_t = x],

candidates are J^θ = φ_0 + Σ_k θ_k φ_k with φ_0(T, ·) = h and φ_k(T, ·) = 0.  With the drift residual
g^θ = ∂_tJ^θ + LJ^θ − βJ^θ + r and M^θ_t = e^{−βt}J^θ(t, X_t) + ∫_0^t e^{−βs} r ds (a martingale for J):

    quadratic variation  QV(θ)   = E∫ e^{−2βt} σ² (∂_xJ^θ)² dt
    value error          MSVE(θ) = E∫ e^{−2βt} (J − J^θ)² dt
    martingale loss      ML(θ)   = ½E∫ (M_T^θ − M_t^θ)² dt

All of them are quadratic in θ; `*_form` is the symmetric matrix H with value (1, θ)ᵀH(1, θ).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from ..arrays import Real
from ..errors import InvalidArgument
from ..kernels.exact import from_fmpq, to_fmpq
from ..models.processes.polynomial import PolynomialDiffusion
from ..operators.diffusion import backward, expectation, generator, moment_functions, variance
from ..operators.time_polynomial import TimePolynomial, exponential, precise

Number = Any
"""`Fraction` or ball."""


@dataclass(frozen=True, eq=False)
class ValueFamily:
    """J^θ = φ_0 + θᵀφ on a polynomial diffusion.

    Parameters
    ----------
    process
        Anything with `.polynomial()`; the policy is already in it.
    x0
        Start.
    T
        Horizon, > 0.
    features
        φ_1..φ_q as functions of t and x (see `operators.time_polynomial.coordinates`), zero at T.
    reward
        r per unit of time.
    terminal
        h, a polynomial in x.
    beta
        Discount per unit of time, ≥ 0 unless `allow_growth`.
    base
        φ_0, equal to h at T; h itself if not given.
    allow_growth
        Accept β < 0.

    Raises
    ------
    InvalidArgument
        If T ≤ 0, β < 0 without `allow_growth`, the process is not a polynomial diffusion, x0 lies outside the
        state space, a feature does not vanish at T, or φ_0(T, ·) ≠ h.
    """

    process: PolynomialDiffusion
    x0: Real
    T: Real
    features: Sequence[TimePolynomial]
    reward: TimePolynomial | Real = 0
    terminal: TimePolynomial | Real = 0
    beta: Real = 0
    base: TimePolynomial | None = None
    allow_growth: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.T < math.inf:
            raise InvalidArgument(f"ValueFamily: T={self.T}, must be finite and > 0; it is the horizon")
        if not math.isfinite(self.beta):
            raise InvalidArgument(f"ValueFamily: beta={self.beta}, must be finite; it is a rate")
        if self.beta < 0 and not self.allow_growth:
            raise InvalidArgument(
                f"ValueFamily: beta={self.beta}, must be ≥ 0; pass allow_growth=True if rewards are to grow"
            )
        if not len(self.features):
            raise InvalidArgument("ValueFamily: features is empty; give at least one")
        if not hasattr(self.process, "polynomial"):
            raise InvalidArgument(
                f"ValueFamily: process of type {type(self.process).__name__} is no polynomial diffusion on "
                "the line; learn on others by LinearCandidate"
            )
        for name in ("reward", "terminal"):
            object.__setattr__(self, name, TimePolynomial.constant(getattr(self, name)))
        features = tuple(TimePolynomial.constant(f) for f in self.features)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "process", self.process.polynomial())
        self.process.interval(self.x0)
        if self.h.has_time:
            raise InvalidArgument("ValueFamily: terminal depends on t; h is a function of x only")
        for k, f in enumerate(features):
            if (end := f.at_time(self.T)) != 0:
                raise InvalidArgument(
                    f"ValueFamily: features[{k}] is {end.text()[:60]} at T={self.T}, must be 0; "
                    "multiply it by T − t"
                )
        if self.phi0.at_time(self.T) != self.h:
            raise InvalidArgument(
                f"ValueFamily: base is {self.phi0.at_time(self.T).text()[:60]} at T={self.T}, must be the "
                f"terminal reward {self.h.text()[:60]}"
            )

    # ---- the parts -----------------------------------------------------------------------
    @property
    def q(self) -> int:
        """Number of features."""
        return len(self.features)

    @property
    def r(self) -> TimePolynomial:
        """Running reward."""
        return TimePolynomial.constant(self.reward)

    @property
    def h(self) -> TimePolynomial:
        """Terminal reward."""
        return TimePolynomial.constant(self.terminal)

    @property
    def phi0(self) -> TimePolynomial:
        """φ_0."""
        return self.h if self.base is None else self.base

    @property
    def columns(self) -> list[TimePolynomial]:
        """φ_0, φ_1, …, φ_q."""
        return [self.phi0, *self.features]

    def discount(self, times: int = 1) -> TimePolynomial:
        """e^{−times·βt}."""
        return exponential(-times * to_fmpq(self.beta)) if self.beta else TimePolynomial.constant(1)

    def candidate(self, theta: Sequence[Any]) -> TimePolynomial:
        """J^θ for rational θ (balls are allowed)."""
        self._check_theta(theta)
        out: TimePolynomial = self.phi0
        for v, f in zip(theta, self.features, strict=True):
            out = out + f * v
        return out

    def _check_theta(self, theta: Sequence[Any]) -> None:
        if len(theta) != self.q:
            raise InvalidArgument(f"ValueFamily: theta has {len(theta)} entries, must have {self.q}")

    @cached_property
    def J(self) -> TimePolynomial:
        """The value: the polynomial solution of ∂_tJ + LJ − βJ + r = 0, J(T, ·) = h."""
        return backward(self.process, self.r, self.h, self.T, self.beta)

    def drift_residual(self, f: TimePolynomial) -> TimePolynomial:
        """∂_tf + Lf − βf, without the reward."""
        out: TimePolynomial = f.d_t() + generator(self.process, f) - f * to_fmpq(self.beta)
        return out

    def residual(self, theta: Sequence[Any]) -> TimePolynomial:
        """g^θ."""
        return self.drift_residual(self.candidate(theta)) + self.r

    @cached_property
    def residual_columns(self) -> list[TimePolynomial]:
        """e^{−βt}(∂_t + L − β)φ_k, with e^{−βt}r added for k = 0."""
        out = [self.discount() * self.drift_residual(f) for f in self.columns]
        out[0] = out[0] + self.discount() * self.r
        return out

    # ---- expectations --------------------------------------------------------------------
    @cached_property
    def _moments(self) -> list[TimePolynomial]:
        return []

    def mean(self, f: TimePolynomial) -> TimePolynomial:
        """t ↦ E f(t, X_t)."""
        if f.degree >= len(self._moments):
            self._moments[:] = moment_functions(self.process, self.x0, f.degree + 2)
        return expectation(f, self._moments)

    def integral(self, f: TimePolynomial) -> Number:
        """E∫_0^T f(t, X_t)dt."""
        with precise():
            return self.mean(f).integral(0, self.T).number()

    def _form(self, left: Sequence[TimePolynomial], weight: TimePolynomial) -> NDArray[np.object_]:
        q = len(left)
        H = np.empty((q, q), dtype=object)
        for k in range(q):
            for m in range(k + 1):
                H[k, m] = H[m, k] = self.integral(left[k] * left[m] * weight)
        return H

    @cached_property
    def variation_form(self) -> NDArray[np.object_]:
        """H of QV(θ)."""
        weight = self.discount(2) * variance(self.process)
        return self._form([f.d_x() for f in self.columns], weight)

    @cached_property
    def error_form(self) -> NDArray[np.object_]:
        """H of MSVE(θ)."""
        return self._form([self.phi0 - self.J, *self.features], self.discount(2))

    @property
    def loss_constant(self) -> Number:
        """½E∫ t d⟨M⟩_t, the martingale loss of the truth: ML(θ) = ½MSVE(θ) + this."""
        slope = self.J.d_x()
        t = TimePolynomial.constant(1).antiderivative()
        return self.integral(t * self.discount(2) * variance(self.process) * slope * slope) / 2

    def quadratic_variation(self, theta: Sequence[Any]) -> Number:
        """QV(θ)."""
        self._check_theta(theta)
        return quadratic(self.variation_form, theta)

    def value_error(self, theta: Sequence[Any]) -> Number:
        """MSVE(θ)."""
        self._check_theta(theta)
        return quadratic(self.error_form, theta)

    def martingale_loss(self, theta: Sequence[Any]) -> Number:
        """ML(θ) from first and second moments of the reward to come: no use of J or of ⟨M⟩."""
        one, two = self._reward_to_come
        with precise():
            u = self.discount() * self.candidate(theta)
            return self.integral(two - 2 * u * one + u * u) / 2

    @cached_property
    def _reward_to_come(self) -> tuple[TimePolynomial, TimePolynomial]:
        discounted = self.discount() * self.r
        end = (self.discount() * self.h).at_time(self.T)
        one = backward(self.process, discounted, end, self.T)
        return one, backward(self.process, 2 * discounted * one, end * end, self.T)

    def moment(self, test: TimePolynomial, theta: Sequence[Any]) -> Number:
        """E∫ ξ dM^θ for a test function ξ(t, X_t), left-point."""
        with precise():
            return self.integral(test * self.discount() * self.residual(theta))


def quadratic(H: NDArray[np.object_], theta: Sequence[Any]) -> Number:
    """(1, θ)ᵀH(1, θ)."""
    v = [1, *theta]
    pairs = [(k, m) for k in range(len(v)) for m in range(len(v))]
    with precise():
        total = sum((lift(H[k, m]) * lift(v[k]) * lift(v[m]) for k, m in pairs), lift(0))
    return from_fmpq(total) if isinstance(total, flint.fmpq) else total


def lift(x: Any) -> Any:
    """A number that mixes with balls and rationals: `Fraction`s and ints become fmpq, balls stay."""
    return x if type(x).__name__ == "arb" else to_fmpq(x)
