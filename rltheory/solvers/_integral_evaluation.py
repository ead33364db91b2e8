"""One evaluation of a linear policy, exactly or by a rule, in doubles or balls, and a proof of its error."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import exact_array, to_fraction
from ..errors import InvalidModel
from ..kernels import ball, lq
from ..kernels.exact import to_fmpq_mat
from ..models.control import LQR
from ..operators.quadrature import Quadrature
from .lyapunov import CertifiedMatrix, lyapunov_error, stein_error


def bartels_stewart(F: NDArray[Any], M: NDArray[Any]) -> CertifiedMatrix:
    """In doubles, without a certificate."""
    from scipy.linalg import solve_continuous_lyapunov

    X = solve_continuous_lyapunov(F.T, -M)
    return CertifiedMatrix((X + X.T) / 2, None, math.nan, math.nan, "Bartels–Stewart")


def float_evaluation(F: NDArray[Any], M: NDArray[Any], rule: Quadrature) -> CertifiedMatrix:
    """In doubles, without a certificate."""
    from scipy.linalg import expm, solve_discrete_lyapunov

    T = float(rule.T)
    if rule.step is not None:
        one = expm(F * float(rule.step))
        flows = [np.eye(len(F))]
        for _ in range(rule.N - 1):
            flows.append(flows[-1] @ one)
        Phi = flows[-1]
    else:
        flows, Phi = [expm(F * float(t)) for t in rule.nodes], expm(F * T)
    W = sum((w * (E.T @ M @ E) for w, E in zip(rule.weights, flows, strict=True)), np.zeros_like(M))
    X = solve_discrete_lyapunov(Phi.T, (W + W.T) / 2)
    return CertifiedMatrix((X + X.T) / 2, None, math.nan, math.nan, "doubles")


def proved_error(model: LQR, K: NDArray[Any], X: NDArray[Any], rule: Quadrature | None) -> float:
    """‖X − evaluation of K‖₂ at most, for the stored model, gain, nodes and weights; inf if not provable."""
    exact, gain = model.exact(), exact_array(K)
    with ball.precision(160):
        F = lq.ball_matrix(to_fmpq_mat(exact.closed_loop(gain)))
        M = lq.ball_matrix(to_fmpq_mat(exact.cost(gain)))
        try:
            if rule is None:
                return lyapunov_error(F, M, X)
            flows = lq.flows(F, [to_fraction(t) for t in rule.nodes])
            W = M * 0
            for E, w in zip(flows, rule.balls(), strict=True):
                W += lq.scaled(E.transpose() * M * E, w)
            at_end = to_fraction(rule.nodes[-1]) == to_fraction(rule.T) and rule.nodes[0] == 0
            Phi = flows[-1] if at_end else lq.scaled(F, to_fraction(rule.T)).exp()
            return stein_error(Phi, W, X)
        except InvalidModel:
            return math.inf


def ball_evaluation(F: NDArray[Any], M: NDArray[Any], rule: Quadrature) -> CertifiedMatrix:
    """Rationals within a proved distance of the evaluation by the rule with its true weights."""
    nodes = [to_fraction(t) for t in rule.nodes]
    loop = lq.ball_matrix(to_fmpq_mat(F))
    if not lq.positive_definite(lq.lyapunov(loop, lq.identity(len(F), loop))):
        raise InvalidModel(
            "integral policy iteration: stability of the closed loop cannot be certified; raise bits"
        )
    out = lq.quadrature_evaluation(
        loop, lq.ball_matrix(to_fmpq_mat(M)), to_fraction(rule.T), nodes, rule.balls()
    )
    X = ball.midpoints(np.array(out.entries(), dtype=object)).reshape(F.shape)
    X = (X + X.T) / 2
    spread = max(v.rad() for v in out.entries()).upper()
    error = 2 * len(F) * to_fraction(float(spread)) * (1 + to_fraction(2.0**-40))
    return CertifiedMatrix(_short(X), error + to_fraction(2.0**-200), 0.0, math.nan, "balls")


def _short(X: NDArray[Any], bits: int = 210) -> NDArray[Any]:
    """Rationals rounded to multiples of 2^−bits, so that iterates do not grow."""
    from fractions import Fraction

    scale = 1 << bits
    return exact_array([[Fraction(round(v * scale), scale) for v in row] for row in X])
