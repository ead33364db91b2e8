"""Objectives of the law of stock + return: expected utilities, tail means, quantiles, variances, rules.

A positive stock is a head start, a stock of −b measures the return from b: `shortfall()` with stock −b is
−E(b − G)₊, `target()` with stock −b is −E|G − b|.  Higher is better throughout.

`table()` lists the conditions each one meets; `mixture_witness` and `gamma_witness` look for the
counter-example when one fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

from ..arrays import Real
from ..errors import InvalidArgument
from ..results.law import ReturnLaw
from .objective import Conditions, Factor, Objective, Outer, expectation, linear, never
from .witnesses import (
    GammaWitness,
    MixtureWitness,
    gamma_defect,
    gamma_witness,
    mixture_witness,
    scaling_witness,
)

__all__ = [
    "Conditions",
    "GammaWitness",
    "MixtureWitness",
    "Objective",
    "Outer",
    "constraint",
    "cvar",
    "entropic",
    "expected_utility",
    "functional",
    "gamma_defect",
    "gamma_witness",
    "homeostasis",
    "lexicographic",
    "mean",
    "mean_std",
    "mean_variance",
    "mixed_risk",
    "mixture_witness",
    "negative_square",
    "optimistic_cvar",
    "quantile",
    "scaling_witness",
    "shortfall",
    "success",
    "surplus",
    "table",
    "target",
    "variance",
]

F = Fraction
HALF = F(1, 2)
Law = ReturnLaw


# ---- expected utilities ------------------------------------------------------------------------
def expected_utility(
    f: Callable[[Any], Any],
    *,
    name: str | None = None,
    lipschitz: Real | None = None,
    factor: Factor | None = None,
    slopes: tuple[Real, Real] | None = None,
    shape: Literal["convex", "concave", "linear"] | None = None,
    continuous: bool = True,
    m: int | None = None,
) -> Objective:
    """K(ν) = E_ν f.

    Parameters
    ----------
    f
        Utility of a number (of a tuple, for vector returns); rational on Fractions keeps exact models exact.
    name
        As printed; the function's name if not given.
    lipschitz
        L with |f(x) − f(y)| ≤ L|x − y| (infinite horizons and error bounds need it), or None.
    factor
        γ ↦ a with f(γx) − f(0) = a·(f(x) − f(0)) for all x, or None where no a will do.  Without it a
        counter-example is looked for when γ < 1 matters.
    slopes
        (a₊, a₋) with f(x) = a₊x for x ≥ 0 and a₋x for x < 0; implies the three above.
    shape
        "convex", "concave" or "linear", where error bounds use it.
    continuous
        False if f jumps.
    m
        Length of the vectors it takes; None for numbers, 0 for any.

    Raises
    ------
    InvalidArgument
        If f is not callable, not finite at 0, or contradicts `slopes`.

    Examples
    --------
    >>> expected_utility(lambda x: min(x, 1))(ReturnLaw([0, 3], [Fraction(1, 2), Fraction(1, 2)]))
    Fraction(1, 2)
    """
    label = name if name is not None else f"E {getattr(f, '__name__', 'f')}"
    if not callable(f):
        raise InvalidArgument(f"expected_utility: f={f!r} is not callable; pass a function of the return")
    if m is None:
        _finite(label, f(F(0)))
    if slopes is not None:
        up, down = slopes
        for x, want in ((F(1), up), (F(-1), -down)):
            if m is not None or f(x) != want:
                raise InvalidArgument(f"{label}: slopes={slopes} need f({x})={want}, a utility of numbers")
        lipschitz = _larger(_size(up), _size(down)) if lipschitz is None else lipschitz
        factor = linear if factor is None else factor
        shape = "linear" if up == down else "convex" if up > down else "concave"
    return Objective(
        label,
        expectation(f),
        f,
        lipschitz=lipschitz,
        factor=factor,
        slopes=slopes,
        mixtures=True,
        m=m,
        shape=shape,
        continuous=continuous,
    )


def _finite(where: str, *values: Any) -> None:
    for v in values:
        if isinstance(v, bool) or not isinstance(v, (int, float, Fraction)) or not math.isfinite(v):
            raise InvalidArgument(
                f"{where}: {v!r} is not a finite real number; pass an int, float or Fraction"
            )


def _larger(x: Real, y: Real) -> Real:
    return x if x >= y else y


def _size(x: Real) -> Real:
    return x if x >= 0 else -x


def mixed_risk(alpha: Real, beta: Real) -> Objective:
    """E[αX₋ + βX₊], α, β ≥ 0: averse to risk iff α ≥ β."""
    _finite("mixed_risk", alpha, beta)
    if alpha < 0 or beta < 0:
        raise InvalidArgument(f"mixed_risk: alpha={alpha}, beta={beta}, must be ≥ 0: more is never worse")
    return _piecewise(f"E[{alpha}·x₋ + {beta}·x₊]", beta, alpha)


def _piecewise(name: str, up: Any, down: Any) -> Objective:
    def f(x: Any) -> Any:
        return up * x if x >= 0 else down * x

    return expected_utility(f, name=name, slopes=(up, down))


def mean() -> Objective:
    """E X: ordinary reinforcement learning."""
    return _piecewise("E x", 1, 1)


def shortfall() -> Objective:
    """E X₋ = E min(X, 0); with stock −b, minus the expected shortfall below b."""
    return _piecewise("E x₋", 0, 1)


def surplus() -> Objective:
    """E X₊ = E max(X, 0); with stock −b, the expected surplus over b."""
    return _piecewise("E x₊", 1, 0)


def target() -> Objective:
    """−E|X|; with stock −b, minus the w₁ distance of the return to a sure b."""
    return _piecewise("−E|x|", -1, 1)


def success() -> Objective:
    """P(X ≥ 0); with stock −b, the probability to reach b.  A jump at 0: a = 1, not Lipschitz."""

    def f(x: Any) -> int:
        return int(x >= 0)

    return expected_utility(f, name="P(x ≥ 0)", factor=lambda gamma: 1, continuous=False)


def negative_square() -> Objective:
    """−E X²: a = γ², not Lipschitz; with stock −b, minus the mean squared distance of the return to b."""

    def f(x: Any) -> Any:
        return -x * x

    return expected_utility(f, name="−E x²", factor=lambda gamma: gamma * gamma, shape="concave")


def entropic(beta: Real) -> Objective:
    """(1/β)·log E e^{βX}, β ≠ 0: an increasing function of ±E e^{βX}; γ = 1 or time-indexed utilities."""
    _finite("entropic", beta)
    if beta == 0:
        raise InvalidArgument("entropic: beta=0, must not be 0; its limit is mean()")
    b = float(beta)

    def f(x: Any) -> float:
        return math.copysign(math.exp(b * float(x)), b)

    def K(law: Any) -> float:
        pairs = [(b * float(x), float(p)) for x, p in law]
        top = max(x for x, _ in pairs)
        return (top + math.log(sum(p * math.exp(x - top) for x, p in pairs))) / b

    shape: Literal["convex", "concave"] = "convex" if b > 0 else "concave"
    name = f"entropic({beta})"
    return Objective(name, K, f, factor=never, mixtures=True, shape=shape, monotone_of=True)


# ---- vector returns ----------------------------------------------------------------------------
def homeostasis(norm: Literal[1, 2, "max"] = 1) -> Objective:
    """−E‖X‖, the ℓ₁, ℓ₂ or max norm of a vector return: keep every stock near 0.

    Positively homogeneous and 1-Lipschitz under that norm; rational for 1 and "max".
    """
    if norm not in (1, 2, "max"):
        raise InvalidArgument(f"homeostasis: norm={norm!r}, must be 1, 2 or 'max'")

    def f(x: Any) -> Any:
        parts = [abs(v) for v in x]
        if norm == 2:
            return -math.hypot(*(float(v) for v in parts))
        return -max(parts) if norm == "max" else -sum(parts)

    return expected_utility(f, name=f"−E‖x‖ ({norm})", lipschitz=1, factor=linear, shape="concave", m=0)


def constraint(lam: Real) -> Objective:
    """E[X₁ + λ(X₂)₋], λ ≥ 0: the first return, and a price on the second below 0 (stock (0, −b): below b).

    For λ large enough, on a lattice of second rewards, the optimum keeps X₂ ≥ 0 surely where some policy
    can.  Lipschitz with max(1, λ) under the ℓ₁ norm.
    """
    _finite("constraint", lam)
    if lam < 0:
        raise InvalidArgument(f"constraint: lam={lam}, must be ≥ 0, a price on what falls short")

    def f(x: Any) -> Any:
        return x[0] + lam * min(x[1], 0)

    name = f"E[x₁ + {lam}·(x₂)₋]"
    return expected_utility(f, name=name, lipschitz=_larger(1, lam), factor=linear, shape="concave", m=2)


def lexicographic(*parts: Objective) -> Objective:
    """The first expected utility, ties broken by the second, and so on; K is a tuple.

    Finite horizons only: it is not continuous, and value iteration need not converge to it.
    """
    if len(parts) < 2 or not all(part.is_expected_utility for part in parts):
        raise InvalidArgument("lexicographic: needs two or more expected utilities")
    if len({part.m for part in parts}) > 1:
        raise InvalidArgument(
            "lexicographic: parts take different kinds of return; all numbers or all vectors"
        )

    def K(law: Any) -> tuple[Any, ...]:
        pairs = list(law)
        return tuple(part.K(pairs) for part in parts)

    def factor(gamma: Real) -> Real | None:
        return 1 if all(part.gamma_factor(gamma) is not None for part in parts) else None

    known = all(part.factor is not None for part in parts)
    name = f"({', '.join(part.name for part in parts)})"
    return Objective(name, K, factor=factor if known else None, mixtures=True, m=parts[0].m, continuous=False)


# ---- suprema and infima of expected utilities --------------------------------------------------
def _tau(where: str, tau: Any) -> Any:
    _finite(where, tau)
    if not 0 < tau <= 1:
        raise InvalidArgument(f"{where}: tau={tau}, must be in (0, 1], the share of the mass looked at")
    return tau


def cvar(tau: Real) -> Objective:
    """CVaR_τ: mean of the lowest τ of the mass, = max_b [b + E(X − b)₋/τ]; τ = 1 is the mean.

    Not indifferent to mixtures for τ < 1, so the maximum over b is taken outside (`Outer`).
    """
    t = _tau("cvar", tau)
    q = F(t)
    inverse = 1 / q if not isinstance(t, float) else 1 / t

    def K(law: Law) -> Any:
        return law.cvar(t)

    def score(b: Any, value: Any) -> Any:
        return b + value * inverse

    triple = (Law.dirac(-1), ReturnLaw([-1, 1], [q, 1 - q]), Law.dirac(5), F(1, 2))
    return Objective(
        f"CVaR_{tau}",
        K,
        lipschitz=inverse,
        factor=linear,
        mixtures=t == 1,
        outer=Outer("sup", shortfall(), score, gain=inverse),
        triple=triple if t < 1 else None,
    )


def optimistic_cvar(tau: Real) -> Objective:
    """Mean of the highest τ of the mass, = min_b [b + E(X − b)₊/τ]; a coin at time 0 may help."""
    t = _tau("optimistic_cvar", tau)
    q = F(t)
    inverse = 1 / q if not isinstance(t, float) else 1 / t

    def K(law: Law) -> Any:
        return law.upper_cvar(t)

    def score(b: Any, value: Any) -> Any:
        return b + value * inverse

    triple = (ReturnLaw([-1, 1], [1 - q, q]), Law.dirac(1), Law.dirac(-5), F(1, 2))
    return Objective(
        f"OCVaR_{tau}",
        K,
        lipschitz=inverse,
        factor=linear,
        mixtures=t == 1,
        outer=Outer("inf", surplus(), score, gain=inverse),
        triple=triple if t < 1 else None,
    )


def quantile(tau: Real) -> Objective:
    """q_τ = min{x : P(X ≤ x) ≥ τ} = max{b : P(X < b) < τ}; not continuous: exact or lattice stocks only."""
    t = _tau("quantile", tau)
    q = F(t)

    def K(law: Law) -> Any:
        return law.quantile(t)

    def score(b: Any, value: Any) -> Any:
        return b if value > 1 - t else -math.inf

    triple = (Law.dirac(0), ReturnLaw([0, 10], [q, 1 - q]), Law.dirac(10), min(1 - q, F(1, 2)))
    return Objective(
        f"q_{tau}",
        K,
        factor=linear,
        mixtures=t == 1,
        outer=Outer("sup", success(), score, gain=None),
        continuous=False,
        triple=triple if t < 1 else None,
    )


def variance() -> Objective:
    """−Var X = max_b −E(X − b)²: the least variance is sought; b ranges over means."""

    def K(law: Law) -> Any:
        return -law.var

    triple = (Law.dirac(1), Law.dirac(0), Law.dirac(0), F(1, 2))
    outer = Outer("sup", negative_square(), lambda b, value: value)
    return Objective(
        "−Var x", K, factor=lambda gamma: gamma * gamma, mixtures=False, outer=outer, triple=triple
    )


def mean_variance(lam: Real) -> Objective:
    """E X − λ Var X = max_b [b + E(Y − λY²)], Y = X − b; λ > 0."""
    lam = _price("mean_variance", lam)

    def K(law: Law) -> Any:
        return law.mean - lam * law.var

    outer = Outer("sup", _parabola(lam), lambda b, value: b + value)
    triple = (ReturnLaw.dirac(1 - F(lam)), ReturnLaw([0, 2], [F(1, 2)] * 2), Law.dirac(1), F(1, 2))
    return Objective(f"E x − {lam}·Var x", K, factor=never, mixtures=False, outer=outer, triple=triple)


def mean_std(lam: Real) -> Objective:
    """E X − λ·√Var X = sup over b and d > 0 of b − λd/2 + E(Y − λY²/(2d)), Y = X − b; λ > 0."""
    lam = _price("mean_std", lam)

    def K(law: Law) -> float:
        return float(law.mean) - float(lam) * law.std

    def family(d: Any) -> Outer:
        if not d > 0:
            raise InvalidArgument(f"mean_std: d={d}, must be > 0, a standard deviation")
        half = lam * d / 2
        return Outer("sup", _parabola(lam / (2 * d)), lambda b, value: b - half + value)

    outer = Outer("sup", None, lambda b, value: value, family=family)
    triple = (ReturnLaw.dirac(1 - F(lam)), ReturnLaw([0, 2], [F(1, 2)] * 2), Law.dirac(1), F(1, 2))
    return Objective(f"E x − {lam}·σ(x)", K, factor=linear, mixtures=False, outer=outer, triple=triple)


def _price(where: str, lam: Any) -> Any:
    _finite(where, lam)
    if not lam > 0:
        raise InvalidArgument(f"{where}: lam={lam}, must be > 0; for lam = 0 use mean()")
    return lam if isinstance(lam, float) else F(lam)


def _parabola(curve: Any) -> Objective:
    def f(x: Any) -> Any:
        return x - curve * x * x

    return expected_utility(f, name=f"E[x − {curve}·x²]", factor=never, shape="concave")


# ---- anything else -----------------------------------------------------------------------------
def functional(
    K: Callable[[ReturnLaw], Any],
    *,
    name: str | None = None,
    mixtures: bool | None = None,
    lipschitz: Real | None = None,
    factor: Factor | None = None,
) -> Objective:
    """Any functional of a law; solvers look for the counter-example that says why they may not use it.

    Parameters
    ----------
    K
        `ReturnLaw` ↦ number (or tuple, compared lexicographically); higher is better.
    name
        As printed; the function's name if not given.
    mixtures
        Whether it is indifferent to mixtures; None has a witness looked for.
    lipschitz
        L with respect to w₁, or None.
    factor
        γ ↦ any number where K is indifferent to γ, None where it is not; without it, looked for.
    """
    if not callable(K):
        raise InvalidArgument(f"functional: K={K!r} is not callable; pass a function of a ReturnLaw")
    label = name if name is not None else str(getattr(K, "__name__", "K"))
    return Objective(label, K, mixtures=mixtures, lipschitz=lipschitz, factor=factor)


def table(gamma: Real = HALF) -> list[dict[str, str]]:
    """The conditions each objective meets at γ, one row an objective; what the documentation prints."""
    rows = []
    half = HALF
    for o in (
        mean(), shortfall(), surplus(), target(), mixed_risk(2, 1), success(), negative_square(),
        entropic(1), homeostasis(), constraint(2), lexicographic(success(), mean()), cvar(half),
        optimistic_cvar(half), quantile(half), variance(), mean_variance(half), mean_std(half),
    ):  # fmt: skip
        found = o.conditions(gamma, searching=False)
        a = o.gamma_factor(gamma)
        way = "(state, stock) recursion"
        if o.outer is not None and found.mixtures == "fails":
            way = f"{o.outer.kind} over initial stocks"
        elif found.gamma == "fails":
            way = "γ = 1, or time-indexed utilities"
        rows.append(
            {
                "objective": o.name,
                "mixtures": found.mixtures,
                "γ": "fails" if a is None else f"a = {a}" if o.is_expected_utility else "holds",
                "Lipschitz": "no" if o.lipschitz is None else str(o.lipschitz),
                "solved by": way,
            }
        )
    return rows
