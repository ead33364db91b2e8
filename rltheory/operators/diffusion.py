"""Generators, semigroups and moments of polynomial diffusions; backward equations in closed form.

For dX = (b0 + b1 X)dt + √(s0 + s1 X + s2 X²) dW the generator is

    L x^m = m b1 x^m + m b0 x^{m−1} + ½m(m−1)(s2 x^m + s1 x^{m−1} + s0 x^{m−2}),

G is its matrix on 1, x, …, x^D (column m = coefficients of L x^m), E[p(X_{t+u}) | X_t = x] has the
coefficients e^{uG}p, and E X_t^k is entry k of (1, x0, …, x0^D)e^{tG}.  Rational data give rationals when
G is nilpotent (b1 = s2 = 0), balls otherwise; `error` of a result in doubles is the largest radius.
Where coefficients are functions of time too, see `TimePolynomial`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat
from numpy.typing import NDArray

from ..arrays import Entries, Real, exact_array
from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels.exact import from_fmpq_mat, to_fmpq, to_fmpq_mat
from ..models.processes.polynomial import PolynomialDiffusion
from .exponents import exponent
from .time_polynomial import MAX_DEGREE, TimePolynomial, precise, trace_decay

_HUGE = Fraction(2) ** 1023


@dataclass(frozen=True, eq=False)
class Enclosed:
    """An array with its error.

    Attributes
    ----------
    value
        Fractions (error 0) or doubles.
    error
        Bound on |value − truth| of every entry, rounding included.
    balls
        The entries as Fractions or balls.
    """

    value: NDArray[Any]
    error: float
    balls: NDArray[Any]

    def __getstate__(self) -> Any:
        """Balls cannot be pickled; their ends can."""
        return ball.packed(vars(self))

    def __setstate__(self, state: Any) -> None:
        vars(self).update(ball.unpacked(state))


def enclosed(values: Any) -> Enclosed:
    """`Enclosed` array of rationals or balls; refuses what a double cannot hold."""
    arr = np.asarray(values, dtype=object)
    flat = arr.reshape(-1)
    if not any(isinstance(v, arb) for v in flat):
        exact = exact_array(arr)
        return Enclosed(exact, 0.0, exact)
    error, out = 0.0, np.empty(arr.shape)
    for i, v in enumerate(flat):
        low, high = ball.bounds(ball.to_arb(v)) if ball.to_arb(v).is_finite() else (Fraction(0), 2 * _HUGE)
        if max(abs(low), abs(high)) > _HUGE:
            raise InvalidArgument(
                f"diffusion: entry {i} is not representable in a double; shorten T, lower the degree, or use "
                "`balls`"
            )
        mid = float((low + high) / 2)
        out.reshape(-1)[i] = mid
        error = max(error, float(max(high - Fraction(mid), Fraction(mid) - low)))
    return Enclosed(out, float(np.nextafter(error, np.inf)), arr)


def generator_matrix(process: PolynomialDiffusion, degree: int) -> NDArray[Any]:
    """G (D+1, D+1): column m holds the coefficients of L x^m; Fractions for an exact process, else doubles.

    Raises
    ------
    InvalidArgument
        If degree is not in 0..64.
    """
    _check_degree(degree)
    exact = process.exact()
    G = exact_array(np.zeros((degree + 1, degree + 1), dtype=int))
    for m in range(degree + 1):
        half = Fraction(m * (m - 1), 2)
        for k, value in (
            (m, m * exact.b1 + half * exact.s2),
            (m - 1, m * exact.b0 + half * exact.s1),
            (m - 2, half * exact.s0),
        ):
            if k >= 0:
                G[k, m] += value
    return G if process.is_exact else G.astype(float)


def _check_degree(degree: int) -> None:
    if not (isinstance(degree, int | np.integer) and 0 <= degree <= MAX_DEGREE):
        raise InvalidArgument(
            f"diffusion: degree={degree!r}, must be an integer in 0..{MAX_DEGREE}; lower the degrees"
        )


def multiply(p: Entries, q: Entries, degree: int) -> NDArray[Any]:
    """Coefficients (D+1,) of the product of two polynomials in x.

    Raises
    ------
    InvalidArgument
        If the product has a power of x above D.
    """
    a, b = np.trim_zeros(np.asarray(p), "b"), np.trim_zeros(np.asarray(q), "b")
    if len(a) and len(b) and len(a) + len(b) - 2 > degree:
        raise InvalidArgument(
            f"diffusion: a product of degrees {len(a) - 1} and {len(b) - 1} does not fit degree={degree}; "
            "raise the degree"
        )
    out = np.zeros(degree + 1, dtype=np.result_type(a, b)) if a.dtype != object else None
    if out is None:
        out = exact_array(np.zeros(degree + 1, dtype=int))
    for i, u in enumerate(a):
        for j, v in enumerate(b):
            out[i + j] = out[i + j] + u * v
    return out


def semigroup_matrix(process: PolynomialDiffusion, u: Real, degree: int) -> fmpq_mat | arb_mat:
    """e^{uG} as fmpq_mat when G is nilpotent, else as a matrix of balls at the working precision."""
    _check_degree(degree)  # FLINT ends the program on a negative size
    G = to_fmpq_mat(generator_matrix(process.exact(), degree)) * to_fmpq(u)
    if not process.is_nilpotent:
        return arb_mat(G).exp()
    out = term = fmpq_mat(
        degree + 1, degree + 1, [fmpq(i % (degree + 2) == 0) for i in range((degree + 1) ** 2)]
    )
    for k in range(1, degree + 1):
        term = term * G / k
        out = out + term
    return out


def _array(mat: fmpq_mat | arb_mat) -> NDArray[np.object_]:
    if isinstance(mat, fmpq_mat):
        return from_fmpq_mat(mat)
    flat = np.empty(mat.nrows() * mat.ncols(), dtype=object)
    flat[:] = list(mat.entries())
    return flat.reshape(mat.nrows(), mat.ncols())


def semigroup(process: PolynomialDiffusion, u: Real, degree: int) -> Enclosed:
    """e^{uG} (D+1, D+1) on 1, x, …, x^D, with its error (0 and Fractions when G is nilpotent).

    Raises
    ------
    InvalidArgument
        If u < 0, or an entry is not representable in a double.
    """
    if not 0 <= u < math.inf:
        raise InvalidArgument(f"semigroup: u={u}, must be finite and ≥ 0; it is a length of time")
    with precise():
        return enclosed(_array(semigroup_matrix(process, u, degree)))


def moments(process: PolynomialDiffusion, x0: Real, t: Real, degree: int) -> Enclosed:
    """(E X_t^k)_{k = 0..D} from X_0 = x0, with their error.

    Examples
    --------
    >>> brownian = PolynomialDiffusion(Fraction(1, 2), 0, 1)
    >>> moments(brownian, 0, 1, 2).value
    array([Fraction(1, 1), Fraction(1, 2), Fraction(5, 4)], dtype=object)
    """
    if not 0 <= t < math.inf:
        raise InvalidArgument(f"moments: t={t}, must be finite and ≥ 0; it is a time")
    _check_degree(degree)
    process.interval(x0)
    with precise():
        x = to_fmpq(x0)
        row = fmpq_mat(1, degree + 1, [x**k for k in range(degree + 1)])
        step = semigroup_matrix(process, t, degree)
        return enclosed(_array((row if isinstance(step, fmpq_mat) else arb_mat(row)) * step)[0])


# ---- functions of time and state -------------------------------------------------------------
def generator(process: PolynomialDiffusion, f: TimePolynomial) -> TimePolynomial:
    """L f = b f' + ½σ² f''."""
    first = f.d_x()
    return drift(process) * first + variance(process) * first.d_x() / 2


def drift(process: PolynomialDiffusion) -> TimePolynomial:
    """b(x) as a function."""
    return TimePolynomial.polynomial([process.b0, process.b1])


def variance(process: PolynomialDiffusion) -> TimePolynomial:
    """σ²(x) as a function."""
    return TimePolynomial.polynomial([process.s0, process.s1, process.s2])


def _growth(process: PolynomialDiffusion, m: int) -> fmpq:
    return to_fmpq(process.exact().growth(m))


def _time_exponential(rate: fmpq, log_power: fmpq, log: Any) -> TimePolynomial:
    return TimePolynomial({(0, 0, exponent(rate, log_power), 0): fmpq(1)}, log)


def _rows(process: PolynomialDiffusion, m: int) -> list[tuple[int, fmpq]]:
    """The lower coefficients of L x^m."""
    half = fmpq(m * (m - 1), 2)
    b0, s0, s1 = (to_fmpq(v) for v in (process.b0, process.s0, process.s1))
    rows = [(m - 1, m * b0 + half * s1), (m - 2, half * s0)]
    return [(k, c) for k, c in rows if k >= 0 and c != 0]


def moment_functions(process: PolynomialDiffusion, x0: Real, degree: int) -> list[TimePolynomial]:
    """t ↦ E X_t^k, k = 0..D: the solutions of m_k' = Σ_j G_{jk} m_j, m_k(0) = x0^k."""
    _check_degree(degree)
    out: list[TimePolynomial] = []
    for m in range(degree + 1):
        rate = _growth(process, m)
        source = sum((c * out[k] for k, c in _rows(process, m)), TimePolynomial({}))
        inner = (source * _time_exponential(-rate, fmpq(0), None)).antiderivative()
        shifted = inner - inner.at_time(0) + to_fmpq(x0) ** m
        out.append(shifted * _time_exponential(rate, fmpq(0), None))
    return out


def expectation(f: TimePolynomial, moment: Sequence[TimePolynomial]) -> TimePolynomial:
    """t ↦ E f(t, X_t) given `moment_functions` up to the degree of f.

    Raises
    ------
    InvalidArgument
        If f has a power of x without a moment.
    """
    if f.degree >= len(moment):
        raise InvalidArgument(
            f"expectation: f has degree {f.degree} in x, moments end at {len(moment) - 1}; raise the degree"
        )
    return sum((c * moment[k] for k, c in f.coefficients()), TimePolynomial({}))


def backward(
    process: PolynomialDiffusion,
    source: TimePolynomial,
    terminal: TimePolynomial,
    T: Real,
    rate: Real = 0,
    *,
    lam: Real = 1,
) -> TimePolynomial:
    """V with ∂_tV + LV − ρV + f = 0 on [0, T], V(T, ·) = h, where ρ = rate + log(1/λ).

    That is V(t, x) = E[∫_t^T e^{−ρ(s−t)} f(s, X_s)ds + e^{−ρ(T−t)} h(X_T) | X_t = x].

    Parameters
    ----------
    process
        A polynomial diffusion.
    source, terminal
        f, and h (a polynomial in x).
    T
        Horizon, > 0.
    rate
        Discount per unit of time.
    lam
        λ in (0, 1].

    Raises
    ------
    InvalidArgument
        T ≤ 0, λ ∉ (0, 1], or a terminal that depends on t.

    Complexity: the degrees times the square of the number of terms.
    """
    if not 0 < T < math.inf:
        raise InvalidArgument(f"backward: T={T}, must be finite and > 0; it is the horizon")
    if terminal.has_time:
        raise InvalidArgument("backward: terminal depends on t; h is a function of x only")
    with precise():
        return _backward(process, source, terminal, T, rate, lam)


def _backward(
    process: PolynomialDiffusion,
    source: TimePolynomial,
    terminal: TimePolynomial,
    T: Real,
    rate: Real,
    lam: Real,
) -> TimePolynomial:
    decay = trace_decay(lam)
    log, power = decay.log, fmpq(0 if lam == 1 else 1)
    rho = to_fmpq(rate)
    out = TimePolynomial({}, log)
    solved: dict[int, TimePolynomial] = {}
    for k in range(max(source.degree, terminal.degree), -1, -1):
        a = _growth(process, k) - rho
        inflow = source.coefficient(k)
        for m in (k + 1, k + 2):
            c = dict(_rows(process, m)).get(k)
            if c is not None and m in solved:
                inflow = inflow + c * solved[m]
        # v(t) = e^{-at}(e^{aT}h + ∫_t^T e^{as} inflow ds), with a − log(1/λ) for a
        F = (inflow * _time_exponential(a, -power, log)).antiderivative()
        edge = (terminal.coefficient(k).at_time(T) * _time_exponential(a, -power, log)).at_time(T)
        v = (edge + F.at_time(T) - F) * _time_exponential(-a, power, log)
        solved[k] = v
        out = out + v * TimePolynomial({(k, 0, 0, 0): fmpq(1)})
    return out
