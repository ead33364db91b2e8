"""Continuous-time control problems with known solutions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ...arrays import exact_array
from ..control import LQR, ControlAffine


def third_order_lqr() -> LQR:
    """Integrating third-order system, A = companion of (.1, .5, .7), B = e₃, Q = I, R = 1 (rational).

    Source: Cao and Pan 2024, the linear benchmark.
    """
    tenth = Fraction(1, 10)
    A = [[0, 1, 0], [0, 0, 1], [-tenth, -5 * tenth, -7 * tenth]]
    return LQR(
        exact_array(A), exact_array([[0], [0], [1]]), exact_array(np.eye(3, dtype=int)), exact_array([[1]])
    )


def scalar_lqr(a: float = 0.5, b: float = 1.0, q: float = 2.0, r: float = 0.5) -> LQR:
    """ẋ = ax + bu, cost qx² + ru²; at the defaults k* = 2.56155281281."""
    return LQR([[a]], [[b]], [[q]], [[r]])


def sine_gain() -> ControlAffine:
    """ẋ₁ = −x₁ + x₂, ẋ₂ = −½(x₁ + x₂) + ½x₂ sin²x₁ + u sin x₁: V* = ½x₁² + x₂², u* = −x₂ sin x₁.

    Source: Vrabie and Lewis 2009; Cao and Pan 2024, the nonlinear benchmark.
    """

    def f(x: NDArray[np.float64]) -> NDArray[np.float64]:
        s = np.sin(x[0])
        return np.array([-x[0] + x[1], -0.5 * (x[0] + x[1]) + 0.5 * x[1] * s * s])

    return ControlAffine(
        f=f,
        g=lambda x: np.array([[0.0], [np.sin(x[0])]]),
        q=lambda x: float(x[0] ** 2 + x[1] ** 2),
        R=np.eye(1),
        features=lambda x: np.array([x[0] ** 2, x[0] * x[1], x[1] ** 2]),
        gradient=lambda x: np.array([[2 * x[0], 0.0], [x[1], x[0]], [0.0, 2 * x[1]]]),
        n=2,
        omega=np.array([0.5, 0.0, 1.0]),
    )
