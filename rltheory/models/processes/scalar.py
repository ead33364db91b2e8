"""Named processes on the line: Brownian motion, Ornstein–Uhlenbeck, geometric, square root (CIR).

Each is a polynomial diffusion (`.polynomial()`, for exact moments and generators) with an exact transition
law (`.sample`, see `.exact`): whatever bias an estimator shows on its paths is the estimator's own.
Parameters are doubles or rationals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...arrays import Real
from ...errors import InvalidModel
from .exact import ScalarDiffusion
from .polynomial import PolynomialDiffusion


def _check(what: str, sigma: Real, **numbers: Real) -> None:
    for name, value in (*numbers.items(), ("sigma", sigma)):
        try:
            good = not isinstance(value, bool) and math.isfinite(value)
        except (TypeError, ValueError):
            good = False
        if not good:
            raise InvalidModel(f"{what}: {name}={value!r}, must be a finite real number")
    if sigma < 0:
        raise InvalidModel(f"{what}: sigma={sigma}, must be ≥ 0; σ and −σ give the same law")


@dataclass(frozen=True)
class BrownianMotion(ScalarDiffusion):
    """dX = μ dt + σ dW.

    Parameters
    ----------
    mu
        Drift per unit of time.
    sigma
        Volatility ≥ 0 per square root of time.

    Raises
    ------
    InvalidModel
        σ < 0, or a parameter is not finite.

    Examples
    --------
    >>> BrownianMotion(0.5, 1.0).sample(0.0, T=1.0, n=4, paths=2, seed=0).shape
    (2, 5)
    """

    mu: Real = 0
    sigma: Real = 1

    def __post_init__(self) -> None:
        _check("BrownianMotion", self.sigma, mu=self.mu)

    def polynomial(self) -> PolynomialDiffusion:
        """b0 = μ, s0 = σ²."""
        return PolynomialDiffusion(self.mu, 0, self.sigma * self.sigma, 0, 0)


@dataclass(frozen=True)
class OU(ScalarDiffusion):
    """dX = κ(m − X)dt + σ dW.

    Parameters
    ----------
    kappa
        Rate of return per unit of time; zero and negative rates are allowed.
    mean
        Level m.
    sigma
        Volatility ≥ 0 per square root of time.

    Raises
    ------
    InvalidModel
        σ < 0, or a parameter is not finite.

    Examples
    --------
    >>> OU(kappa=1.0, mean=0.0, sigma=2.0).variance_at(0.0, 50.0)
    2.0
    """

    kappa: Real
    mean: Real = 0
    sigma: Real = 1

    def __post_init__(self) -> None:
        _check("OU", self.sigma, kappa=self.kappa, mean=self.mean)

    def polynomial(self) -> PolynomialDiffusion:
        """b0 = κm, b1 = −κ, s0 = σ²."""
        return PolynomialDiffusion(self.kappa * self.mean, -self.kappa, self.sigma * self.sigma, 0, 0)


@dataclass(frozen=True)
class GBM(ScalarDiffusion):
    """dX = μX dt + σX dW.

    Parameters
    ----------
    mu
        Growth per unit of time.
    sigma
        Volatility ≥ 0 per square root of time, relative to X.

    Raises
    ------
    InvalidModel
        σ < 0, or a parameter is not finite.

    Examples
    --------
    >>> round(GBM(mu=0.05, sigma=0.2).mean_at(1.0, 1.0), 6)
    1.051271
    """

    mu: Real
    sigma: Real

    def __post_init__(self) -> None:
        _check("GBM", self.sigma, mu=self.mu)

    def polynomial(self) -> PolynomialDiffusion:
        """b1 = μ, s2 = σ²."""
        return PolynomialDiffusion(0, self.mu, 0, 0, self.sigma * self.sigma)


@dataclass(frozen=True)
class CIR(ScalarDiffusion):
    """dX = κ(m − X)dt + σ√X dW on X ≥ 0.

    Parameters
    ----------
    kappa, mean
        Rate and level, κm ≥ 0: at 0 the drift must not lead out.  For κ = 0 with a drift use
        `PolynomialDiffusion(b0, 0, 0, s1, 0)`.
    sigma
        Volatility > 0.

    Raises
    ------
    InvalidModel
        σ ≤ 0, κm < 0, or a parameter is not finite.  `sample` refuses x0 ≤ 0.

    Examples
    --------
    >>> bool(CIR(2.0, 0.5, 0.6).sample(0.4, T=1.0, n=8, paths=100, seed=0).min() > 0)
    True
    """

    kappa: Real
    mean: Real
    sigma: Real

    def __post_init__(self) -> None:
        _check("CIR", self.sigma, kappa=self.kappa, mean=self.mean)
        if not self.sigma > 0:
            raise InvalidModel(f"CIR: sigma={self.sigma}, must be > 0; without noise X is not a diffusion")
        if self.kappa * self.mean < 0:
            raise InvalidModel(
                f"CIR: kappa={self.kappa}, mean={self.mean}: the drift at 0 is {self.kappa * self.mean}, "
                "must be ≥ 0, or X leaves its state space"
            )

    def polynomial(self) -> PolynomialDiffusion:
        """b0 = κm, b1 = −κ, s1 = σ²."""
        return PolynomialDiffusion(self.kappa * self.mean, -self.kappa, 0, self.sigma * self.sigma, 0)

    @property
    def degrees(self) -> float:
        """4κm/σ²: degrees of freedom; below 2 the process reaches 0."""
        return 4.0 * float(self.kappa) * float(self.mean) / float(self.sigma) ** 2
