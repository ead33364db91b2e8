"""Exact transition laws of the polynomial diffusions that have one, and their first two moments.

Of dX = (b0 + b1 X)dt + √(s0 + s1 X + s2 X²)dW these can be drawn without error on any grid, Δ = T/n:

    s1 = s2 = 0                         X_{t+Δ} = e^{b1Δ}X_t + b0 g + √(s0 ∫_0^Δ e^{2b1 u}du) Z
    s2 > 0, (b0, s0, s1) about a point  X_{t+Δ} = c + (X_t − c)exp((b1 − s2/2)Δ + √(s2Δ) Z)
    s2 = 0, s1 ≠ 0, inward drift        |X_{t+Δ} − c| = v·χ'²(4b/|s1|, |X_t − c|e^{b1Δ}/v), v = |s1|g/4

with g = ∫_0^Δ e^{b1 u}du, c the zero of the squared volatility and b the drift there: Brownian motion and
Ornstein–Uhlenbeck, geometric Brownian motion, the square-root (CIR) process.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from ...arrays import Entries, FloatVec, Real, to_fraction
from ...errors import InvalidArgument
from ...kernels.pick import Device
from ...portable import Portable
from ._sampling import (
    Seed,
    affine_paths,
    check_grid,
    check_start,
    check_time,
    exp,
    exponential_paths,
    finite,
    grown,
    square_root_paths,
)

if TYPE_CHECKING:
    from .polynomial import PolynomialDiffusion


class Shape(NamedTuple):
    """What a polynomial diffusion is: kind, the point c it is about, ±1, drift at c, b1, its volatility."""

    kind: Literal["affine", "exponential", "square root"]
    centre: float
    sign: float
    drift: float
    rate: float
    size: float


def shape_of(process: PolynomialDiffusion) -> Shape | None:
    """The kind of exact sampler, or None."""
    b0, b1, s0, s1, s2 = (to_fraction(getattr(process, k)) for k in ("b0", "b1", "s0", "s1", "s2"))
    if s1 == 0 and s2 == 0:
        return Shape("affine", 0.0, 1.0, float(b0), float(b1), float(s0))
    if s2 > 0:
        c = -s1 / (2 * s2)
        if s0 == s2 * c * c and b0 == -b1 * c:
            return Shape("exponential", float(c), 1.0, 0.0, float(b1), float(s2))
        return None
    if s2 == 0:
        c, sign = -s0 / s1, 1 if s1 > 0 else -1
        if sign * (b0 + b1 * c) >= 0:
            return Shape(
                "square root", float(c), sign, float(sign * (b0 + b1 * c)), float(b1), float(abs(s1))
            )
    return None


class ScalarDiffusion(Portable):
    """One-dimensional processes that are polynomial diffusions: sampling and two moments, in one place."""

    @abstractmethod
    def polynomial(self) -> PolynomialDiffusion:
        """The same process as coefficients."""

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _shape(self) -> Shape:
        shape = shape_of(self.polynomial())
        if shape is None:
            raise InvalidArgument(
                f"{self._name}: no exact transition is known for {self.polynomial()}; CIR needs s1 > 0, "
                "b0 ≥ 0; approximate the process by processes.SDE(drift, diffusion)"
            )
        return shape

    def has_exact_sampler(self) -> bool:
        """True when `sample` works: Gaussian, geometric or square-root."""
        return shape_of(self.polynomial()) is not None

    def sample(
        self, x0: Entries, T: Real, n: int, paths: int, seed: Seed, *, first: int = 0,
        threads: int | None = None, device: Device = "cpu",
    ) -> FloatVec:  # fmt: skip
        """(paths, n+1) values at 0, T/n, …, T, exact in law.

        Parameters
        ----------
        x0
            Start, one for all or (paths,).
        T, n
            Horizon > 0 and steps ≥ 1.
        paths, seed
            Number of paths; what names their streams.
        first
            Number of the first path: rows k… of one call are the rows of another with first=k.
        threads
            Threads; None for Numba's number.  The numbers do not depend on it.
        device
            "cpu" or "cuda": the same streams, equal to rounding.

        Raises
        ------
        InvalidArgument
            T ≤ 0, n < 1, paths < 1, a start outside the state space, no exact transition known.

        Complexity: O(paths·n); 8·paths·(n+1) bytes.
        """
        dt = check_grid(T, n, paths, first)
        kind, c, sign, drift, rate, size = self._shape()
        crew = (n, paths, seed, first, threads, device)
        if kind == "affine":
            x = check_start(x0, paths, self._name)
            finite(exp(2.0 * rate * float(T)), f"{self._name}: e^(2 b1 T) with b1={rate}, T={T}")
            self.variance_at(0.0, T)
            self.mean_at(float(np.abs(x).max()), T)
            s = math.sqrt(size * grown(2.0 * rate, dt))
            return affine_paths(math.exp(rate * dt), drift * grown(rate, dt), s, x, *crew)
        if kind == "exponential":
            x = check_start(x0, paths, self._name) - c
            finite(exp(2.0 * rate * float(T)), f"{self._name}: e^(2 b1 T) with b1={rate}, T={T}")
            finite(size * float(T), f"{self._name}: s2·T with s2={size}, T={T}")
            out = exponential_paths((rate - 0.5 * size) * dt, math.sqrt(size * dt), x, *crew)
        else:
            x = self._inside(check_start(x0, paths, self._name))
            finite(exp(rate * float(T)), f"{self._name}: e^(b1 T) with b1={rate}, T={T}")
            out = square_root_paths(drift, rate, size, dt, x, *crew)
        if sign < 0:
            out *= -1.0
        if c != 0.0:
            out += c
        return out

    def _inside(self, x: FloatVec) -> FloatVec:
        """Distances of starts from the point where the volatility ends; refused where there is none."""
        shape = shape_of(self.polynomial())
        if shape is None or shape.kind != "square root":
            return x
        away = shape.sign * (x - shape.centre)
        if np.min(away) <= 0:
            raise InvalidArgument(
                f"{self._name}: x0={x.reshape(-1)[np.argmin(away)]}, must lie "
                f"{'above' if shape.sign > 0 else 'below'} {shape.centre:g}, where the volatility ends"
            )
        return away

    def mean_at(self, x0: Real, t: Real) -> float:
        """E X_t = e^{b1 t}x0 + b0 ∫_0^t e^{b1 u}du.

        Raises
        ------
        InvalidArgument
            t < 0, a start outside the state space, or a mean beyond doubles.
        """
        p, u = self.polynomial(), check_time(t, self._name)
        x, rate = check_start(float(x0), 1, self._name), float(p.b1)
        self._inside(x)
        grow = exp(rate * u)
        total = grow * float(x[0, 0]) + (float(p.b0) * grown(rate, u) if math.isfinite(grow) else grow)
        return finite(total, f"{self._name}: E X_t at t={t}")

    def variance_at(self, x0: Real, t: Real) -> float:
        """Var X_t, in closed form for the processes with an exact sampler.

        Raises
        ------
        InvalidArgument
            No closed form here (`operators.diffusion.moments` has one for every polynomial diffusion), t < 0,
            a start outside the state space, or a variance beyond doubles.
        """
        kind, c, sign, drift, rate, size = self._shape()
        u, start = check_time(t, self._name), check_start(float(x0), 1, self._name)
        self._inside(start)
        x = sign * (float(start[0, 0]) - c)
        if not math.isfinite(exp(2.0 * rate * u)):
            value = math.inf
        elif kind == "affine":
            value = size * grown(2.0 * rate, u)
        elif kind == "exponential":
            value = x * x * exp(2.0 * rate * u) * (math.expm1(size * u) if size * u < 700 else math.inf)
        else:
            g = grown(rate, u)
            value = size * g * (x * exp(rate * u) + 0.5 * drift * g)
        return finite(value, f"{self._name}: Var X_t at t={t}")

    def covariance_at(self, x0: Real, s: Real, t: Real) -> float:
        """Cov(X_s, X_t) = e^{b1|t−s|} Var X_min(s, t)."""
        check_time(s, self._name, "s"), check_time(t, self._name)
        rate = float(self.polynomial().b1)
        value = self.variance_at(x0, min(s, t)) * exp(rate * abs(float(t) - float(s)))
        return finite(value, f"{self._name}: Cov(X_s, X_t)")
