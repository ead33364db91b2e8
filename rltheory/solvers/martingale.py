"""What continuous-time learners converge to, exactly: roots of martingale orthogonality and minimisers.

For a `ValueFamily` J^θ and M^θ_t = e^{−βt}J^θ(t, X_t) + ∫_0^t e^{−βs} r ds:

    CTDRoot              E∫ ξ dM^θ = 0 with ξ = φ (or any test functions), or the trace of CTD(λ)
    MartingaleLossRoot   least ½E∫ (M_T^θ − M_t^θ)²dt: the projection of J in L²(e^{−2βt}dt ⊗ P)
    GMMRoot              least mᵀWm, m = E∫ ξ dM^θ
    MeanSquareTDRoot     least E Σ (ΔM^θ)²: tends to the least quadratic variation, not to J

With `n` they are solved on the grid t_i = iT/n (population versions of what CTD, CLSTD, gradient Monte Carlo
and residual gradients find from sampled paths), without it in continuous time.  Nothing is simulated: θ comes
as `Fraction`s with error 0, or in doubles with a bound on its distance from the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from flint import arb, fmpq, fmpq_mat
from numpy.typing import ArrayLike, NDArray

from ..arrays import Entries, Real
from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels.exact import solve_linear, to_fmpq
from ..operators.diffusion import backward, enclosed, variance
from ..operators.time_polynomial import TimePolynomial, is_zero, precise
from .martingale_family import ValueFamily
from .martingale_grid import Grid


@dataclass(frozen=True, eq=False)
class MartingaleSolution:
    """θ with its error.

    Attributes
    ----------
    theta
        (q,) Fractions, or doubles; NaN where the objective does not depend on a component.
    error
        Bound on |θ − truth| of every component, rounding included; 0 when exact.
    balls
        θ as Fractions or balls (None where NaN).
    condition
        Spectral condition number of the linear system, in doubles.
    A, b
        The system Aθ = b, as Fractions or balls.
    family
        The family solved.
    """

    theta: NDArray[Any]
    error: float
    balls: list[Any]
    condition: float
    A: NDArray[np.object_]
    b: NDArray[np.object_]
    family: ValueFamily

    def __getstate__(self) -> Any:
        """Balls cannot be pickled; their ends can."""
        return ball.packed(vars(self))

    def __setstate__(self, state: Any) -> None:
        vars(self).update(ball.unpacked(state))

    @property
    def value(self) -> TimePolynomial:
        """J^θ; components the objective leaves free are 0."""
        return self.family.candidate([0 if v is None else v for v in self.balls])

    def __repr__(self) -> str:
        theta = ", ".join(map(str, self.theta))
        return f"MartingaleSolution(theta=[{theta}], error={self.error:.1e}, condition={self.condition:.3g})"


def _check_grid(solver: Any) -> None:
    """Refuse a number of steps that is none."""
    n = solver.n
    if n is not None and (isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1):
        raise InvalidArgument(
            f"{type(solver).__name__}: n={n!r}, must be an integer ≥ 1; it counts equal time steps"
        )


def _check_family(family: Any, solver: Any) -> None:
    if not isinstance(family, ValueFamily):
        raise InvalidArgument(
            f"{type(solver).__name__}: needs a ValueFamily, not a {type(family).__name__}; learn on others"
        )


def _plain(x: Any) -> Any:
    """Fractions become fmpq; balls and fmpq stay."""
    return x if isinstance(x, (arb, fmpq)) else to_fmpq(x)


def _numbers(x: Any) -> NDArray[np.object_]:
    arr = np.asarray(x, dtype=object)
    out = np.empty(arr.shape, dtype=object)
    out.reshape(-1)[:] = [_plain(v) for v in arr.reshape(-1)]
    return out


def _solution(A: Any, b: Any, family: ValueFamily, what: str, *, free: bool = False) -> MartingaleSolution:
    """Solve Aθ = b; if `free`, leave out components whose row and column are exactly zero."""
    A, b = _numbers(A), _numbers(b)
    touched = [any(not is_zero(v) for v in [*A[k], *A[:, k], b[k]]) for k in range(len(b))]
    used = [k for k in range(len(b)) if touched[k] or not free]
    if not any(touched):
        raise InvalidArgument(f"{what}: A and b are zero, condition=inf; choose features that depend on x")
    left, right = A[np.ix_(used, used)], b[used]
    middle = np.array([[float(v) for v in row] for row in left])
    condition = float(np.linalg.cond(middle)) if np.isfinite(middle).all() else float("inf")
    exact = not any(isinstance(v, arb) for v in [*left.reshape(-1), *right])
    try:
        balls = solve_linear(left, right) if exact else ball.solve_linear(left, right)
    except ZeroDivisionError:
        raise InvalidArgument(
            f"{what}: A is singular, condition={condition:.3g}; drop dependent features, choose other test "
            "functions, or refine the grid"
        ) from None
    shown = enclosed(balls)
    theta = np.full(len(b), np.nan, dtype=shown.value.dtype)
    theta[used] = shown.value
    everything: list[Any] = [None] * len(b)
    for k, v in zip(used, balls, strict=True):
        everything[k] = v
    return MartingaleSolution(theta, shown.error, everything, condition, A, b, family)


def _split(system: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """A and b of m(θ) = b − Aθ from the columns of m."""
    values = _numbers(system)
    return -values[:, 1:], values[:, 0]


def _tests(
    tests: Sequence[TimePolynomial] | None, weighted: bool, family: ValueFamily
) -> list[TimePolynomial]:
    chosen = family.features if tests is None else [TimePolynomial.constant(f) for f in tests]
    return [family.discount() * f for f in chosen] if weighted else list(chosen)


def moment_columns(
    family: ValueFamily, tests: Sequence[TimePolynomial], n: int | None = None
) -> NDArray[np.object_]:
    """E∫ ξ_p dM with columns for φ_0 and the reward, φ_1, …, φ_q; on a grid of n steps if given.

    m(θ) = columns·(1, θ); (p, q + 1) Fractions or balls at the working precision.
    """
    if n is not None:
        with precise():
            return Grid(family, n).left(tests)
    means = family.residual_columns
    out = np.empty((len(tests), len(means)), dtype=object)
    for p, test in enumerate(tests):
        for k, g in enumerate(means):
            out[p, k] = family.integral(test * g)
    return out


@dataclass(frozen=True)
class CTDRoot:
    """Root of E∫ ξ dM^θ = 0: the fixed point of CTD(0), CTD(λ), CLSTD.

    Parameters
    ----------
    lam
        0: ξ are test functions.  In (0, 1]: ξ_t = ∫_0^t λ^{t−s} e^{−βs} φ(s, X_s)ds.
    tests
        Test functions for λ = 0, q of them; the features if not given.
    weighted
        Multiply test functions by e^{−βt} (λ = 0 only; the trace carries it anyway).
    n
        Steps of the grid; continuous time if not given.
    endpoint
        "left", or "right": ξ taken at the end of each step, which converges to another point.

    Raises
    ------
    InvalidArgument
        If λ ∉ [0, 1], n < 1, the number of tests is not q, or A is singular.
    """

    lam: Real = 0
    tests: Sequence[TimePolynomial] | None = None
    weighted: bool = False
    n: int | None = None
    endpoint: Literal["left", "right"] = "left"

    def __post_init__(self) -> None:
        _check_grid(self)
        if not 0 <= self.lam <= 1:
            raise InvalidArgument(f"CTDRoot: lam={self.lam}, must lie in [0, 1]")
        if self.endpoint not in ("left", "right"):
            raise InvalidArgument(f"CTDRoot: endpoint={self.endpoint!r}, must be 'left' or 'right'")
        if self.lam and (self.tests is not None or self.weighted or self.endpoint == "right"):
            raise InvalidArgument(
                f"CTDRoot: lam={self.lam} fixes the test process; give tests, weighted or endpoint with lam=0"
            )

    def run(self, family: ValueFamily) -> MartingaleSolution:
        """θ of this family."""
        with precise():
            return _solution(*_split(self.columns(family)), family, "CTDRoot")

    def columns(self, family: ValueFamily) -> NDArray[np.object_]:
        """m(θ) = columns·(1, θ)."""
        _check_family(family, self)
        with precise():
            return self._columns(family)

    def _columns(self, family: ValueFamily) -> NDArray[np.object_]:
        grid = None if self.n is None else Grid(family, self.n)
        if self.lam:
            return self._traced(family) if grid is None else grid.traced(self.lam)
        tests = _tests(self.tests, self.weighted, family)
        if len(tests) != family.q:
            raise InvalidArgument(
                f"CTDRoot: {len(tests)} tests for {family.q} features; use GMMRoot for another number"
            )
        if grid is not None:
            return grid.left(tests) if self.endpoint == "left" else grid.right(tests)
        out = moment_columns(family, tests)
        if self.endpoint == "right":
            weight = family.discount() * variance(family.process)
            for p, test in enumerate(tests):
                for k, f in enumerate(family.columns):
                    out[p, k] = _plain(out[p, k]) + _plain(family.integral(weight * test.d_x() * f.d_x()))
        return out

    def _traced(self, family: ValueFamily) -> NDArray[np.object_]:
        out = np.empty((family.q, family.q + 1), dtype=object)
        for k, g in enumerate(family.residual_columns):
            ahead = backward(family.process, g, TimePolynomial({}), family.T, lam=self.lam)
            for p, f in enumerate(family.features):
                out[p, k] = family.integral(family.discount() * f * ahead)
        return out


@dataclass(frozen=True)
class MartingaleLossRoot:
    """Minimiser of ½E∫ (M_T^θ − M_t^θ)²dt, or of its left Riemann sum on a grid of n steps."""

    n: int | None = None

    def __post_init__(self) -> None:
        _check_grid(self)

    def run(self, family: ValueFamily) -> MartingaleSolution:
        """θ of this family; raises InvalidArgument if features are linearly dependent."""
        _check_family(family, self)
        with precise():
            if self.n is not None:
                return _solution(*_split(Grid(family, self.n).loss()), family, "MartingaleLossRoot")
            H = _numbers(family.error_form)
            return _solution(H[1:, 1:], -H[1:, 0], family, "MartingaleLossRoot")


@dataclass(frozen=True)
class GMMRoot:
    """Minimiser of m(θ)ᵀWm(θ), m = E∫ ξ dM^θ: θ = (AᵀWA)⁻¹AᵀWb.

    Parameters
    ----------
    tests
        At least q test functions.
    W
        "identity", "gram" for (E∫ ξξᵀdt)⁻¹, or a positive definite (p, p) array of rationals or doubles.
    n
        Steps of the grid; continuous time if not given.

    Raises
    ------
    InvalidArgument
        If n < 1; from `run` if there are fewer tests than features, W is not symmetric and positive definite,
        or AᵀWA is singular.
    """

    tests: Sequence[TimePolynomial]
    W: Literal["identity", "gram"] | ArrayLike | Entries = "identity"
    n: int | None = None

    def __post_init__(self) -> None:
        _check_grid(self)

    def weight(self, family: ValueFamily) -> NDArray[np.object_]:
        """W (p, p), Fractions or balls."""
        tests = _tests(self.tests, False, family)
        p = len(tests)
        if isinstance(self.W, str):
            if self.W == "identity":
                return _numbers(np.eye(p, dtype=int))
            if self.W != "gram":
                raise InvalidArgument(f"GMMRoot: W={self.W!r}, must be 'identity', 'gram' or an array")
            gram = Grid(family, self.n).gram(tests) if self.n is not None else gram_matrix(family, tests)
            return _inverse(gram)
        W = _numbers(self.W)
        if W.shape != (p, p) or any(not W[i, j] == W[j, i] for i in range(p) for j in range(i)):
            raise InvalidArgument(f"GMMRoot: W of shape {W.shape} must be symmetric ({p}, {p})")
        if not all(fmpq_mat(k, k, list(W[:k, :k].reshape(-1))).det() > 0 for k in range(1, p + 1)):
            raise InvalidArgument("GMMRoot: W is not positive definite: mᵀWm would have no minimum")
        return W

    def run(self, family: ValueFamily) -> MartingaleSolution:
        """θ of this family; raises InvalidArgument if AᵀWA is singular."""
        _check_family(family, self)
        with precise():
            tests = _tests(self.tests, False, family)
            if len(tests) < family.q:
                raise InvalidArgument(
                    f"GMMRoot: {len(tests)} tests for {family.q} features; give as many or more"
                )
            A, b = _split(moment_columns(family, tests, self.n))
            right = A.T.dot(self.weight(family))
            return _solution(right.dot(A), right.dot(b), family, "GMMRoot")


def gram_matrix(family: ValueFamily, tests: Sequence[TimePolynomial]) -> NDArray[np.object_]:
    """E∫ ξξᵀdt (p, p)."""
    return _numbers([[family.integral(u * v) for v in tests] for u in tests])


def _inverse(M: NDArray[np.object_]) -> NDArray[np.object_]:
    M = _numbers(M)
    eye = _numbers(np.eye(len(M), dtype=int))
    exact = not any(isinstance(v, arb) for v in M.reshape(-1))
    try:
        return _numbers(solve_linear(M, eye) if exact else ball.solve_linear(M, eye))
    except ZeroDivisionError:
        raise InvalidArgument("GMMRoot: E∫ ξξᵀdt is singular; drop dependent test functions") from None


@dataclass(frozen=True)
class MeanSquareTDRoot:
    """Minimiser of E Σ_i (D_i^θ)² on a grid of n steps; without n of its limit, the quadratic variation.

    The limit does not depend on features of time alone: their components are NaN there.  What residual
    gradients converge to, and not the value.
    """

    n: int | None = None

    def __post_init__(self) -> None:
        _check_grid(self)

    def run(self, family: ValueFamily) -> MartingaleSolution:
        """θ of this family; raises InvalidArgument if it is not determined."""
        _check_family(family, self)
        with precise():
            form = family.variation_form if self.n is None else Grid(family, self.n).square_form()
            H = _numbers(form)
            return _solution(H[1:, 1:], -H[1:, 0], family, "MeanSquareTDRoot", free=self.n is None)
