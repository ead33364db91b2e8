"""Rows of integral reinforcement learning from one trajectory, and their least squares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ..models.control import LQR, ControlAffine
from ..operators.quadrature import Quadrature
from .lyapunov import solve_lyapunov

if TYPE_CHECKING:
    from .integral_rl import IntegralRL, PolicyIterates

Array = NDArray[np.float64]


def quadratic_features(x: Array) -> Array:
    """x_i x_j for i ≤ j, those with i < j doubled: φ(x)ᵀω = xᵀPx for ω = (P_ij)_{i ≤ j}."""
    n = len(x)
    return np.array([x[i] * x[j] * (1 if i == j else 2) for i in range(n) for j in range(i, n)])


def as_matrix(omega: Array, n: int) -> Array:
    """P from its upper triangle."""
    P = np.zeros((n, n))
    P[np.triu_indices(n)] = omega
    return P + np.triu(P, 1).T


def linear_windows(
    F: Array, M: Array, x: Array, rule: Quadrature | None, T: float, count: int
) -> tuple[Array, Array, Array]:
    """(Θ, Ξ, last state) over `count` windows of ẋ = Fx with cost xᵀMx."""
    from scipy.linalg import expm

    whole = expm(F * T)
    flows = [] if rule is None else [expm(F * float(t)) for t in rule.nodes]
    P = solve_lyapunov(F, M).X if rule is None else M
    rows, rhs = [], []
    for _ in range(count):
        end = whole @ x
        rows.append(quadratic_features(x) - quadratic_features(end))
        if rule is None:
            rhs.append(float(x @ P @ x - end @ P @ end))
        else:
            rhs.append(float(rule.integrate([y @ M @ y for y in (E @ x for E in flows)])))
        x = end
    return np.array(rows), np.array(rhs), x


def nonlinear_windows(
    model: ControlAffine, omega: Array, x: Array, rule: Quadrature | None, T: float, count: int, rtol: float
) -> tuple[Array, Array, Array]:
    """(Θ, Ξ, last state) over `count` windows of the closed loop u = −½R⁻¹gᵀ∇(ωᵀφ)."""
    from scipy.integrate import solve_ivp

    def slope(_: float, y: Array) -> Array:
        z = y[:-1]
        u = model.control(z, omega)
        return np.append(model.f(z) + model.g(z) @ u, model.cost(z, u))

    nodes = np.array([0.0, T]) if rule is None else np.asarray(rule.nodes, dtype=np.float64)
    times = sorted({round(k * T + float(t), 14) for k in range(count) for t in (*nodes, 0.0, T)})
    out = solve_ivp(
        slope,
        (0.0, times[-1]),
        np.append(x, 0.0),
        method="DOP853",
        rtol=max(rtol, 3e-14),
        atol=1e-15,
        t_eval=times,
        max_step=T / 4,
    )
    if not out.success or not np.isfinite(out.y).all():
        raise InvalidArgument(
            f"IntegralRL: the trajectory from {x.tolist()} blows up; is the policy admissible?"
        )
    at = {t: i for i, t in enumerate(times)}

    def state(t: float) -> Array:
        return np.asarray(out.y[:, at[round(t, 14)]])

    rows, rhs = [], []
    for k in range(count):
        first, last = state(k * T), state((k + 1) * T)
        rows.append(model.features(first[:-1]) - model.features(last[:-1]))
        if rule is None:
            rhs.append(last[-1] - first[-1])
        else:
            zs = [state(k * T + float(t))[:-1] for t in nodes]
            rhs.append(float(rule.integrate([model.cost(z, model.control(z, omega)) for z in zs])))
    return np.array(rows), np.array(rhs), state(count * T)[:-1]


def least_squares(Theta: Array, Xi: Array, scale: bool) -> tuple[Array, float, Array]:
    """(Θ⁺Ξ, ‖Θω − Ξ‖, singular values of Θ); rows divided by their norms first if `scale`."""
    sigma = np.linalg.svd(Theta, compute_uv=False)
    size = np.linalg.norm(Theta, axis=1, keepdims=True) if scale else np.ones((len(Theta), 1))
    size[size == 0] = 1.0
    omega = np.linalg.lstsq(Theta / size, Xi / size[:, 0], rcond=1e-15)[0]
    return omega, float(np.linalg.norm(Theta @ omega - Xi)), np.asarray(sigma, dtype=np.float64)


def rank_of(Theta: Array) -> int:
    """Rank of the rows divided by their norms, as least squares in doubles sees it."""
    size = np.linalg.norm(Theta, axis=1, keepdims=True)
    sigma = np.linalg.svd(Theta / np.where(size > 0, size, 1.0), compute_uv=False)
    return int((sigma > 1e-15 * sigma[0]).sum())


def run(solver: IntegralRL, model: LQR | ControlAffine) -> PolicyIterates:
    """See `IntegralRL.run`."""
    from .integral_rl import PolicyIterates, _initial_gain, unstable_eigenvalue, window_rule

    linear = isinstance(model, LQR)
    if isinstance(model, LQR):
        model = model.float()
        unknowns = model.n * (model.n + 1) // 2
        K = _initial_gain(model, solver.K0)
        omega = np.full(unknowns, np.nan)
    else:
        if solver.omega0 is None:
            raise InvalidArgument("IntegralRL: omega0 is not given; pass the weights of an admissible policy")
        omega = np.asarray(solver.omega0, dtype=np.float64)
        unknowns = len(model.features(np.zeros(model.n)))
        if omega.shape != (unknowns,):
            raise InvalidArgument(f"omega0: shape={omega.shape}, one weight a feature: ({unknowns},)")
    x = np.asarray(solver.x0, dtype=np.float64)
    if x.shape != (model.n,):
        raise InvalidArgument(f"x0: shape={x.shape}, must be ({model.n},)")
    if not np.isfinite(x).all() or not x.any():
        raise InvalidArgument(f"x0={x.tolist()}, must be finite and not 0: a system at rest shows nothing")
    if not (math.isfinite(solver.T) and solver.T > 0):
        raise InvalidArgument(f"T={solver.T}, a window has a finite length > 0")
    if not (solver.tol >= 0 and solver.max_iter >= 1):
        raise InvalidArgument(f"tol={solver.tol}, max_iter={solver.max_iter}; need tol ≥ 0 and max_iter ≥ 1")
    if solver.windows < unknowns:
        raise InvalidArgument(
            f"windows={solver.windows} rows for {unknowns} unknowns; use at least {unknowns}"
        )
    rule = None if solver.rule == "exact" else window_rule(solver.T, solver.N, solver.rule, solver.nugget)
    scale = linear if solver.scale_rows is None else solver.scale_rows
    values: list[Array] = []
    gains: list[Array] = []
    steps: list[float] = []
    residuals: list[float] = []
    sigma = None
    ending: Any = "max_iter"
    message = f"‖ω⁺ − ω‖ ≥ tol={solver.tol} after {solver.max_iter} iterations; raise max_iter"
    for _ in range(solver.max_iter):
        if isinstance(model, LQR):
            F, M = model.closed_loop(K), model.cost(K)
            if (worst := unstable_eigenvalue(F)) is not None:
                ending, message = "unstable", f"gain {len(values) + 1} has the eigenvalue {worst:.6g}"
                break
            Theta, Xi, x = linear_windows(F, (M + M.T) / 2, x, rule, solver.T, solver.windows)
        else:
            Theta, Xi, x = nonlinear_windows(model, omega, x, rule, solver.T, solver.windows, solver.rtol)
        new, residual, sigma = least_squares(Theta, Xi, scale)
        residuals.append(residual)
        if isinstance(model, LQR):
            P = as_matrix(new, model.n)
            values.append(P)
            gains.append(K)
            K = model.gain(P)
        else:
            values.append(new)
        step = float(np.linalg.norm(new - omega))
        omega = new
        if np.isfinite(step):
            steps.append(step)
            if step < solver.tol:
                ending, message = "solved", ""
                if linear and (rank := rank_of(Theta)) < unknowns:
                    ending = "undetermined"
                    message = (
                        f"the trajectory determines {rank} of the {unknowns} entries of P; start from an x0 "
                        "that excites every mode"
                    )
                break
    return PolicyIterates(
        tuple(values), tuple(gains), tuple(steps), ending, None, rule, tuple(residuals), sigma, message
    )
