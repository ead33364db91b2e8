"""Joint confidence sets of a shared representation and the heads of all tasks, in doubles or rationals.

For a representation φ and task i: A = λI + Σφφᵀ, ŵ = A⁻¹Σyφ, ρ = Σy² − b·ŵ, ld = ln det(A/λ).  The set
{(φ, w) : Σ_i L_i(φ, w_i) ≤ B}, B = min_φ Σ_i(ρ + σ²ld) + 2σ²ln(|Φ|/δ), holds the truth at every round with
probability 1 − δ, whatever was played; ln|Φ| is paid once for all tasks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ..arrays import Entries, Real, inside, to_fraction
from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels import exact as ex
from ..kernels.multitask import fit_heads
from ..models.multitask import check_class
from ..results.enclosure import Enclosure

Array = NDArray[Any]
BITS = 160


class Optimistic(NamedTuple):
    """The largest total value in a confidence set: value, one action a task, and the representation."""

    value: Any
    actions: tuple[int, ...]
    representation: int


@dataclass(frozen=True, eq=False)
class JointConfidence:
    """A joint confidence set {(φ, w) : Σ_i L_i(φ, w_i) ≤ B} and its parts.

    Attributes
    ----------
    phi
        (p, X, A, k) the class.
    design
        (p, M, k, k) A = λI + Σφφᵀ.
    heads
        (p, M, k) ŵ = A⁻¹Σyφ.
    rho
        (p, M) Σy² − b·ŵ, the least penalised losses.
    logdet
        (p, M) ln det(A/λ); `Enclosure`s for exact data.
    radius
        B; an `Enclosure` for exact data unless it was given.
    lam, B_theta
        λ and the bound on ‖w_i‖.
    """

    phi: Array
    design: Array
    heads: Array
    rho: Array
    logdet: Array
    radius: Any
    lam: Real
    B_theta: Real

    @property
    def is_exact(self) -> bool:
        """True for rational data."""
        return self.phi.dtype == object

    def squared_radius(self, f: int) -> Any:
        """r² = B − Σ_iρ + λMB_θ²; φ_f is out of the set when it is negative."""
        M = self.rho.shape[1]
        rest = self.lam * M * self.B_theta**2 - self.rho[f].sum()
        if isinstance(self.radius, Enclosure):
            return Enclosure(to_fraction(self.radius.lower) + rest, to_fraction(self.radius.upper) + rest)
        return self.radius + rest

    def widths(self, f: int, contexts: Sequence[int]) -> tuple[Array, Array]:
        """(M, A) φ·ŵ_i and φᵀA_i⁻¹φ at the contexts, under representation f."""
        rows = np.array([self.phi[f, x] for x in contexts])
        mu = np.array([(r * w).sum(axis=1) for r, w in zip(rows, self.heads[f], strict=True)])
        if self.is_exact:
            u2 = [
                (r * ex.solve_linear(A, r.T).T).sum(axis=1) for r, A in zip(rows, self.design[f], strict=True)
            ]
        else:
            u2 = [
                (r * np.linalg.solve(A, r.T).T).sum(axis=1) for r, A in zip(rows, self.design[f], strict=True)
            ]
        return mu, np.array(u2)

    def optimistic(self, contexts: Sequence[int]) -> Optimistic:
        """max over the set and over actions of Σ_i φ(x_i, a_i)·w_i, by enumeration.

        Ties (within 1e-12) go to the first representation, then the first tuple.  For exact data the value is
        a `Fraction` or an `Enclosure` of the maximum.

        Raises
        ------
        InvalidArgument
            Not one context in range a task; an empty set.
        """
        p, X, A, _ = self.phi.shape
        M = self.rho.shape[1]
        if len(contexts) != M or not all(0 <= x < X for x in contexts):
            raise InvalidArgument(
                f"optimistic: contexts={tuple(contexts)}, give one of 0..{X - 1} for each of {M} tasks"
            )
        best, low, high = -math.inf, None, None
        at: tuple[tuple[int, ...], int] = ((), 0)
        for f in range(p):
            r2 = self.squared_radius(f)
            if (r2.upper if isinstance(r2, Enclosure) else r2) < 0:
                continue
            mu, u2 = self.widths(f, contexts)
            for acts in itertools.product(range(A), repeat=len(contexts)):
                m = sum(mu[i, a] for i, a in enumerate(acts))
                q = sum(u2[i, a] for i, a in enumerate(acts))
                ends = _bonus(m, r2, q)
                middle = float(sum(ends)) / 2
                if middle > best + 1e-12:
                    best, at = middle, (acts, f)
                low = ends[0] if low is None else max(low, ends[0])
                high = ends[1] if high is None else max(high, ends[1])
        if low is None or high is None:
            raise InvalidArgument("optimistic: the set is empty; no representation has loss below the radius")
        value: Any = low if low == high else Enclosure(low, high)
        return Optimistic(value if self.is_exact else best, at[0], at[1])


def joint_confidence(
    phi: Entries, logs: Sequence[Sequence[tuple[int, int, Real]]], *, sigma: Real, delta: Real = 0.1,
    lam: Real = 1, B_theta: Real = 1, scale: Real = 1, radius: Real | None = None,
) -> JointConfidence:  # fmt: skip
    """The confidence set after the logs [(x, a, y), …] of every task.

    Parameters
    ----------
    phi
        (p, X, A, k) class; an exact array makes everything rational, with enclosures for logarithms.
    logs
        One list of (context, action, reward) a task.
    sigma, delta, lam, B_theta
        Noise, confidence, ridge and bound on the heads.
    scale
        Multiplies B − min_φ Σρ.
    radius
        B itself, if it should not be computed.

    Raises
    ------
    InvalidModel
        A class that is empty, ragged, or has norms above 1.
    InvalidArgument
        λ ≤ 0, σ ≤ 0, δ outside (0, 1), no task, an index out of range, a reward or radius that is not finite.

    Examples
    --------
    >>> joint_confidence([[[[1.0]]]], [[(0, 0, 1.0)]], sigma=1.0, delta=0.5).heads
    array([[[0.5]]])
    """
    rows = np.asarray(phi)
    exact = rows.dtype == object
    shape = check_class(rows).shape
    if not exact:
        rows = rows.astype(np.float64)
    check_parameters(
        "joint_confidence",
        delta=delta,
        positive={"lam": lam, "sigma": sigma, "B_theta": B_theta},
        factors={"scale": scale},
    )
    if radius is not None and not -math.inf < radius < math.inf:
        raise InvalidArgument(f"joint_confidence: radius={radius}, must be finite; leave it out to compute B")
    if len(logs) == 0:
        raise InvalidArgument("joint_confidence: logs of no task; give one list a task")
    p, X, A, k = shape
    M = len(logs)
    number: Any = to_fraction if exact else float
    dtype = object if exact else np.float64
    design: Array = np.zeros((p, M, k, k), dtype=dtype)
    heads, rho, logdet = design[:, :, 0].copy(), design[:, :, 0, 0].copy(), design[:, :, 0, 0].copy()
    for i, log in enumerate(logs):
        for x, a, reward in log:
            if not -math.inf < reward < math.inf:
                raise InvalidArgument(f"joint_confidence: task {i} has a reward {reward}, must be finite")
            if not (0 <= x < X and 0 <= a < A):
                raise InvalidArgument(
                    f"joint_confidence: task {i} has (x, a)=({x}, {a}), contexts are 0..{X - 1}, "
                    f"actions 0..{A - 1}"
                )
        y = np.array([number(r) for _, _, r in log], dtype=dtype)
        for f in range(p):
            V = np.array([rows[f, x, a] for x, a, _ in log], dtype=dtype).reshape(len(log), k)
            gram, b = (
                V.T @ V if len(log) else np.zeros((k, k), dtype=dtype),
                y @ V if len(log) else 0 * V.sum(0),
            )
            Q: Array
            w: Array
            if exact:
                Q = gram + to_fraction(lam) * ex.from_fmpq_mat(ex.identity(k))
                w = ex.solve_linear(Q, b)
                rho[f, i] = to_fraction((y * y).sum()) - to_fraction((b * w).sum())
                det = ex.from_fmpq(ex.to_fmpq_mat(Q / to_fraction(lam)).det())
                with ball.precision(BITS):
                    logdet[f, i] = Enclosure.ball(ball.to_arb(det).log())
            else:
                Q, w = np.asarray(gram + float(lam) * np.eye(k)), np.zeros(k)
                rho[f, i], logdet[f, i] = fit_heads(
                    gram, b, float((y * y).sum()), float(lam), np.zeros((k, k)), w
                )
            design[f, i], heads[f, i] = Q, w
    found = JointConfidence(rows, design, heads, rho, logdet, radius, lam, B_theta)
    if radius is None:
        found = replace(found, radius=_radius(found, sigma, delta, scale))
    return found


def _radius(c: JointConfidence, sigma: Real, delta: Real, scale: Real) -> Any:
    p = c.rho.shape[0]
    least = min(c.rho.sum(axis=1))
    if not c.is_exact:
        noise = float(sigma) ** 2
        bound = float((c.rho.sum(axis=1) + noise * c.logdet.sum(axis=1)).min())
        return least + float(scale) * (bound + 2 * noise * math.log(p / float(delta)) - least)
    with ball.precision(BITS):
        s2 = to_fraction(sigma) ** 2
        terms = [
            ball.to_arb(c.rho[f].sum()) + ball.to_arb(s2) * sum((_ball(x) for x in c.logdet[f]), arb(0))
            for f in range(p)
        ]
        best = terms[0]
        for x in terms[1:]:
            best = best.min(x)
        log_term = ball.to_arb(2 * s2) * ball.to_arb(Fraction(p) / to_fraction(delta)).log()
        base = ball.to_arb(least)
        return Enclosure.ball(base + ball.to_arb(to_fraction(scale)) * (best + log_term - base))


def _ball(x: Enclosure) -> arb:
    lo, hi = ball.to_arb(to_fraction(x.lower)), ball.to_arb(to_fraction(x.upper))
    return lo.union(hi)


def square_root(q: Fraction) -> tuple[Fraction, Fraction]:
    """Rational ends of √q, equal when q is the square of a rational."""
    n, d = math.isqrt(q.numerator), math.isqrt(q.denominator)
    if n * n == q.numerator and d * d == q.denominator:
        return Fraction(n, d), Fraction(n, d)
    with ball.precision(BITS):
        return ball.bounds(ball.to_arb(q).sqrt())


def _bonus(m: Any, r2: Any, q: Any) -> tuple[Any, Any]:
    """Ends of m + √(r²q)."""
    if isinstance(r2, Enclosure) or isinstance(q, Fraction):
        ends = (r2.lower, r2.upper) if isinstance(r2, Enclosure) else (r2, r2)
        low, high = (max(Fraction(0), to_fraction(e)) * q for e in ends)
        return m + square_root(low)[0], m + square_root(high)[1]
    v = m + math.sqrt(max(0.0, r2) * q)
    return v, v


def check_parameters(who: str, *, delta: Real, positive: dict[str, Real], factors: dict[str, Real]) -> None:
    """Refuse δ outside (0, 1), parameters that are not positive and finite, negative factors."""
    for name, value in positive.items():
        if not 0 < value < math.inf:
            raise InvalidArgument(f"{who}: {name}={value}, must be positive and finite")
    if not inside(delta, 0, 1):
        raise InvalidArgument(f"{who}: delta={delta!r}, must lie in (0, 1)")
    for name, value in factors.items():
        if not 0 <= value < math.inf:
            raise InvalidArgument(f"{who}: {name}={value}, must be ≥ 0 and finite; 1 has the guarantee")
