"""Integral policy iteration for ẋ = f(x) + g(x)u: exact (Kleinman), by quadrature, and from data.

Policy evaluation solves V(x(t)) − V(x(t + T)) = ∫_t^{t+T} cost; improvement is greedy, u = −½R⁻¹gᵀ∇V.  For
linear systems V = xᵀPx, F = A − BK, M = Q + KᵀRK:

    exact          FᵀP + PF = −M                                    (`Kleinman`: Newton's method on the ARE)
    quadrature     P − e^{FᵀT}Pe^{FT} = Σ_i w_i e^{Fᵀt_i}Me^{Ft_i}   (`QuadratureIteration`)
    data           Θω = Σ_i w_i cost(t_k + t_i), least squares       (`IntegralRL`)

The last two agree for linear systems whatever the data, as long as the rows of Θ have full rank.  Each
iteration stops when ‖ω − ω_old‖₂ ≤ tol.  F is checked before every evaluation: an unstable gain has no
value, and the linear equation would silently return a wrong one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Real, exact_array, to_fraction
from ..errors import InvalidArgument, NotConverged
from ..kernels import ball, lq
from ..kernels.exact import to_fmpq_mat
from ..models.control import LQR, ControlAffine
from ..operators.covariances import Matern, Wiener
from ..operators.quadrature import (
    Quadrature,
    bayesian_quadrature,
    even_nodes,
    gauss_legendre,
    simpson,
    trapezoid,
)
from ._integral_evaluation import ball_evaluation, bartels_stewart, float_evaluation, proved_error
from .lyapunov import CertifiedMatrix, solve_lyapunov, solve_riccati

RuleName = Literal["trapezoid", "simpson", "gauss"]
Rule = RuleName | Matern | Wiener
Ending = Literal["solved", "max_iter", "unstable", "diverged", "undetermined"]
FAR = 1e12
"""Values beyond this many times the first count as diverged."""


def window_rule(
    T: Real, N: int, rule: Rule, nugget: Real = 0, *, exact: bool = False, bits: int = 0
) -> Quadrature:
    """The rule on N nodes of [0, T]: evenly spaced and both ends included, except for "gauss".

    Parameters
    ----------
    rule
        "trapezoid", "simpson" (odd N), "gauss", or a covariance: the Bayesian rule of `Matern` or `Wiener`.
    nugget
        Diagonal term of the Bayesian rule; declared in the result.
    exact
        Rational or ball weights (T is then read as a rational); doubles by the state-space method else.
    bits
        Working precision of ball weights; see `bayesian_quadrature`.
    """
    if not isinstance(rule, Matern | Wiener) and nugget:
        raise InvalidArgument(f"nugget={nugget} means something for Bayesian rules only, not for {rule!r}")
    if rule == "gauss":
        return gauss_legendre(T, N)
    nodes = even_nodes(to_fraction(T) if exact else float(T), N)
    if isinstance(rule, Matern | Wiener):
        return bayesian_quadrature(nodes, rule, nugget=nugget, bits=bits)
    if rule == "simpson":
        return simpson(nodes)
    if rule != "trapezoid":
        raise InvalidArgument(f"rule={rule!r}, must be trapezoid, simpson, gauss, Matern(...) or Wiener(...)")
    return trapezoid(nodes)


@dataclass(frozen=True, eq=False)
class PolicyIterates:
    """The path of a policy iteration.

    Attributes
    ----------
    values
        Evaluations in order: (n, n) matrices P for linear systems, feature weights (d,) else.
    gains
        The gain evaluated at each step (linear systems); empty else.
    steps
        ‖ω_k − ω_{k−1}‖₂ after each step but the first.
    ending
        "solved", "max_iter", "diverged", "unstable": the next gain does not stabilise, so there is nothing
        to evaluate; or "undetermined": the data of a linear system do not see all of P.
    error
        Proved bound on ‖P − evaluation of the last gain by this rule‖₂, stored nodes and weights; 0 for
        rational Kleinman; None for data.
    rule
        The quadrature, with its nugget; None where integrals are exact.
    residuals
        Data only: least-squares residual ‖Θω − Ξ‖₂ of each step.
    singular_values
        Data only: of the last Θ.
    message
        What stopped an iteration that did not solve.
    """

    values: tuple[NDArray[Any], ...]
    gains: tuple[NDArray[Any], ...]
    steps: tuple[float, ...]
    ending: Ending
    error: Any
    rule: Quadrature | None
    residuals: tuple[float, ...] = ()
    singular_values: Any = None
    message: str = ""

    @property
    def P(self) -> NDArray[Any]:
        """The last evaluation."""
        return self.values[-1]

    @property
    def omega(self) -> NDArray[Any]:
        """The last feature weights (the same object as `P`)."""
        return self.values[-1]

    @property
    def nugget(self) -> Real:
        """Diagonal term of the rule's Gram matrix; 0 if there is none."""
        return self.rule.nugget if self.rule is not None else 0

    def raise_if_failed(self) -> PolicyIterates:
        """Itself, or `NotConverged` with what happened."""
        if self.ending != "solved":
            raise NotConverged(f"{self.ending}: {self.message}")
        return self

    def __repr__(self) -> str:
        last = f", last step {self.steps[-1]:.2e}" if self.steps else ""
        return f"PolicyIterates({self.ending} after {len(self.values)} evaluations{last}; {self.rule})"


def _initial_gain(model: LQR, K0: ArrayLike | None) -> NDArray[Any]:
    zero = np.zeros((model.m, model.n))
    K = np.asarray(zero if K0 is None else K0)
    if K.shape != zero.shape:
        raise InvalidArgument(f"K0: shape={K.shape}, must be {zero.shape}")
    if not np.isfinite(K.astype(np.float64)).all():
        raise InvalidArgument(f"K0={K.tolist()}, must be finite")
    K = exact_array(K) if model.is_exact else K.astype(np.float64)
    if (worst := unstable_eigenvalue(model.closed_loop(K))) is not None:
        raise InvalidArgument(
            f"K0: A − BK0 has the eigenvalue {worst:.6g} (real part ≥ 0), so its cost is infinite; "
            "start from a stabilising gain"
        )
    return K


def unstable_eigenvalue(F: ArrayLike) -> complex | None:
    """The rightmost eigenvalue if its real part is ≥ 0 (in doubles), else None."""
    values = np.linalg.eigvals(np.asarray(F).astype(np.float64))
    worst = values[int(np.argmax(values.real))]
    return None if worst.real < 0 else complex(worst)


def _size(X: NDArray[Any]) -> float:
    return float(np.sqrt((X.astype(np.float64) ** 2).sum()))


@dataclass(frozen=True)
class Kleinman:
    """P⁺ solves A_PᵀP⁺ + P⁺A_P = −(Q + PSP): policy iteration is Newton's method on the Riccati equation.

    Parameters
    ----------
    K0
        A stabilising gain; 0 if not given (A must then be stable).
    tol
        Stop at ‖P⁺ − P‖_F ≤ tol.
    max_iter
        Evaluations at most; for rational models digits double with each.
    """

    K0: Any = None
    tol: float = 1e-10
    max_iter: int = 50

    def run(self, model: LQR) -> PolicyIterates:
        """Iterate; the error of the last evaluation is proved (see `solve_lyapunov`), 0 for rational models.

        Raises
        ------
        InvalidArgument
            K0 does not stabilise; the eigenvalue is named.
        """
        K = _initial_gain(model, self.K0)
        if model.is_exact:
            return _iterate(model, K, solve_lyapunov, self.tol, self.max_iter, None)
        return _iterate(model, K, bartels_stewart, self.tol, self.max_iter, None)


@dataclass(frozen=True)
class QuadratureIteration:
    """Policy iteration of a linear system with every integral replaced by a quadrature rule; no data needed.

    Parameters
    ----------
    T, N
        Window, and its number of nodes, both ends included; h = T/(N − 1).
    rule, nugget
        See `window_rule`.
    K0
        A stabilising gain; 0 if not given.
    tol
        Stop at ‖P⁺ − P‖_F ≤ tol.
    max_iter
        Evaluations at most.
    bits
        Working precision for rational models.
    """

    T: Any = 0.1
    N: int = 11
    rule: Rule = "trapezoid"
    nugget: Any = 0
    K0: Any = None
    tol: float = 1e-10
    max_iter: int = 100
    bits: int = 256

    def run(self, model: LQR) -> PolicyIterates:
        """Iterate in doubles, or for a rational model in balls (values are then rationals within `error`).

        Raises
        ------
        InvalidArgument
            K0 does not stabilise, or the rule does not fit the nodes.
        """
        K = _initial_gain(model, self.K0)
        if model.is_exact:
            quadrature = window_rule(self.T, self.N, self.rule, self.nugget, exact=True, bits=2 * self.bits)
            with ball.precision(self.bits):
                return _iterate(
                    model,
                    K,
                    lambda F, M: ball_evaluation(F, M, quadrature),
                    self.tol,
                    self.max_iter,
                    quadrature,
                )
        quadrature = window_rule(self.T, self.N, self.rule, self.nugget)
        return _iterate(
            model, K, lambda F, M: float_evaluation(F, M, quadrature), self.tol, self.max_iter, quadrature
        )


def _iterate(
    model: LQR, K: NDArray[Any], evaluate: Any, tol: float, max_iter: int, rule: Quadrature | None
) -> PolicyIterates:
    if max_iter < 1 or not tol >= 0:
        raise InvalidArgument(f"tol={tol}, max_iter={max_iter}; need tol ≥ 0 and max_iter ≥ 1")
    values: list[NDArray[Any]] = []
    gains: list[NDArray[Any]] = []
    steps: list[float] = []
    ending: Ending = "max_iter"
    message = f"‖P⁺ − P‖ > tol={tol} after {max_iter} evaluations; raise max_iter or tol"
    error: Any = None
    for _ in range(max_iter):
        F = model.closed_loop(K)
        if (worst := unstable_eigenvalue(F)) is not None:
            ending = "unstable"
            message = (
                f"gain {len(values) + 1} has the closed-loop eigenvalue {worst:.6g}; refine the mesh "
                "(h = T/(N − 1)) or start closer to the solution"
            )
            break
        cost = model.cost(K)
        out: CertifiedMatrix = evaluate(F, (cost + cost.T) / 2)
        values.append(out.X)
        gains.append(K)
        error = out.error
        if not _size(out.X) <= FAR * (1 + _size(values[0])):
            ending = "diverged"
            message = f"‖P‖ > {FAR:.0e} times the first after {len(values)} evaluations; refine the mesh"
            break
        if len(values) > 1:
            steps.append(_size(values[-1] - values[-2]))
            if steps[-1] <= tol:
                ending, message = "solved", ""
                break
        K = model.gain(out.X)
    if values and not model.is_exact:
        error = proved_error(model, gains[-1], values[-1], rule)
    return PolicyIterates(tuple(values), tuple(gains), tuple(steps), ending, error, rule, message=message)


def quadrature_fixed_point(
    model: LQR,
    T: Real = 0.1,
    N: int = 11,
    rule: Rule = "trapezoid",
    *,
    nugget: Real = 0,
    near: ArrayLike | None = None,
    bits: int = 256,
) -> CertifiedMatrix:
    """P̂ with Φ(P̂) = P̂, Φ one step of `QuadratureIteration`: what the iteration converges to, proved.

    Parameters
    ----------
    near
        Start of Newton's method; P* if not given.

    Returns
    -------
    Rationals; `error` bounds the distance to the only fixed point within 1e-30 of it.

    Raises
    ------
    NotConverged
        No stabilising fixed point is found from `near` (coarse meshes have none).

    Source: Cao and Pan 2024, section 4; `intrl.trapezoid-leading-constant`.
    """
    exact = model.exact()
    quadrature = window_rule(T, N, rule, nugget, exact=True, bits=2 * bits)
    start = solve_riccati(exact).X if near is None else np.asarray(near)
    if start.shape != (model.n, model.n):
        raise InvalidArgument(f"near: shape={start.shape}, must be {(model.n, model.n)}")
    with ball.precision(bits):
        box = fixed_point_balls(exact, quadrature, lq.ball_matrix(start))
        X = ball.midpoints(np.array(box.entries(), dtype=object)).reshape(start.shape)
        error = 2 * len(start) * to_fraction(float(max(v.rad() for v in box.entries()).upper()))
    return CertifiedMatrix(X, error, 0.0, math.nan, "Newton and Krawczyk in balls")


def fixed_point_balls(model: LQR, rule: Quadrature, start: Any) -> Any:
    """The same as a ball matrix (`arb_mat`) at the working precision, from a ball matrix."""
    if rule.step is None:
        raise InvalidArgument("quadrature_fixed_point: needs evenly spaced nodes with both ends; not gauss")
    A, S, Q = (lq.ball_matrix(to_fmpq_mat(X)) for X in (model.A, model.S, model.Q))
    nodes, weights = [to_fraction(t) for t in rule.nodes], rule.balls()
    T = to_fraction(rule.T)
    try:
        box = lq.fixed_point(
            lambda P: lq.quadrature_step(A, S, Q, P, T, nodes, weights),
            lambda P, E: lq.quadrature_step_derivative(A, S, Q, P, T, nodes, weights, E),
            start,
        )
        loop = A - S * box
        stable = lq.positive_definite(lq.lyapunov(loop, lq.identity(model.n, loop)))
    except (ArithmeticError, ZeroDivisionError) as exc:
        raise NotConverged(f"quadrature_fixed_point: {exc}; refine the mesh or start nearer") from exc
    if not stable:
        raise NotConverged(
            "quadrature_fixed_point: the fixed point found is not stabilising; refine the mesh"
        )
    return box


# ---- from data -------------------------------------------------------------------------------
@dataclass(frozen=True)
class IntegralRL:
    """Θω = Ξ from consecutive windows of one trajectory, which goes on across iterations, then greedy.

    Row k is φ(x(t_k)) − φ(x(t_k + T)) and Σ_i w_i cost(t_k + t_i).

    Parameters
    ----------
    T, N, rule, nugget
        As in `QuadratureIteration`; rule="exact" integrates the cost along with the system.
    windows
        Rows m_r per iteration.
    x0
        Start of the trajectory.
    K0, omega0
        Initial gain (linear systems) or feature weights.
    tol, max_iter
        Stop at ‖ω⁺ − ω‖₂ < tol.
    rtol
        Of the differential equation (nonlinear systems; linear ones are propagated by exponentials).
    scale_rows
        Divide each row by its norm before least squares: the rows of a decaying trajectory differ by orders
        of magnitude.  Harmless where the system is consistent, so the default is True for linear systems
        only.
    """

    x0: Any
    T: float = 0.1
    N: int = 11
    rule: Rule | Literal["exact"] = "trapezoid"
    nugget: float = 0.0
    windows: int = 10
    K0: Any = None
    omega0: Any = None
    tol: float = 1e-3
    max_iter: int = 20
    rtol: float = 1e-12
    scale_rows: bool | None = None

    def run(self, model: LQR | ControlAffine) -> PolicyIterates:
        """Iterate; residuals say how consistent the data are, singular values how well they determine ω.

        Raises
        ------
        InvalidArgument
            An initial gain that does not stabilise, x0 of the wrong shape or 0, fewer windows than unknowns,
            T ≤ 0, tol < 0 or max_iter < 1.
        """
        from ._integral_data import run

        return run(self, model)
