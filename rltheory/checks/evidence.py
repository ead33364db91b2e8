"""Numbers with a radius, and what a comparison of two of them is worth.

A side of a claim is a number (or an array of them) with an error known:

    int, Fraction, fmpq    radius 0
    Enclosure, arb         its own interval
    float                  1e-9 · max(1, |x|)
    Sample                 its confidence interval

A comparison `lhs ≤ rhs` *holds* when upper(lhs) ≤ lower(rhs), *fails* when lower(lhs) > upper(rhs)
and *ties* otherwise.  Between exact numbers it is always decided, equality included: a tie is lack
of knowledge, and it is never counted as holding.  A component 0 ≤ 0 says nothing and is *trivial*.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import to_fraction
from ..results.enclosure import Enclosure

FLOAT_RADIUS = 1e-9
"""Radius of a float, relative to max(1, |x|)."""

Side: TypeAlias = Any
"""A number with a radius, or an array (or sequence) of such numbers."""


class Evidence(IntEnum):
    """How a number is known, strongest first."""

    EXACT = 0
    ENCLOSED = 1
    FLOAT = 2
    SAMPLE = 3


class Outcome(Enum):
    """What one comparison shows."""

    HOLDS = "holds"
    TIES = "ties"
    FAILS = "fails"
    TRIVIAL = "trivial"
    UNDEFINED = "undefined"


@dataclass(frozen=True)
class Sample:
    """A Monte-Carlo number: estimate and a confidence interval at level 1 − alpha."""

    estimate: float
    lower: float
    upper: float
    n: int
    alpha: float

    @classmethod
    def binomial(cls, successes: int, n: int, alpha: float = 1e-6) -> Sample:
        """Success probability with its exact two-sided Clopper–Pearson interval.

        Raises
        ------
        ValueError
            Unless 0 ≤ successes ≤ n and n ≥ 1.
        """
        from scipy.special import betaincinv

        if not (n >= 1 and 0 <= successes <= n):
            raise ValueError(f"Sample.binomial: successes={successes}, n={n}; need 0 ≤ successes ≤ n, n ≥ 1")
        k = successes
        lower = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, alpha / 2))
        upper = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - alpha / 2))
        return cls(k / n, lower, upper, n, alpha)


@dataclass(frozen=True)
class Interval:
    """One normalised number: ends, and how it is known."""

    lower: Fraction
    upper: Fraction
    evidence: Evidence

    @property
    def is_zero(self) -> bool:
        """True for an exact zero, and for a float that came out as 0.0."""
        return (
            self.evidence <= Evidence.FLOAT
            and self.lower == -self.upper
            and (self.lower == 0 or self.evidence is Evidence.FLOAT)
        )

    @property
    def mid(self) -> float:
        """Midpoint as a float, for ratios and printing."""
        return float(self.lower + self.upper) / 2 if self.lower != self.upper else float(self.lower)


def interval(x: Side) -> Interval | None:
    """Normalise one scalar; None when it is NaN or an unbounded ball (undefined)."""
    if isinstance(x, Fraction):
        return Interval(x, x, Evidence.EXACT)
    if isinstance(x, (bool, np.bool_)):
        raise TypeError(
            f"a side of a claim is {x!r}; write sides as numbers, e.g. the violation, not a truth value"
        )
    if isinstance(x, (int, np.integer)):
        q = Fraction(int(x))
        return Interval(q, q, Evidence.EXACT)
    if isinstance(x, (float, np.floating)):
        if not math.isfinite(x):
            return None
        q, r = Fraction(float(x)), Fraction(FLOAT_RADIUS * max(1.0, abs(float(x))))
        return Interval(q - r, q + r, Evidence.FLOAT)
    if isinstance(x, Enclosure):
        if not (math.isfinite(x.lower) and math.isfinite(x.upper)):
            return None
        lo, hi = to_fraction(x.lower), to_fraction(x.upper)
        return Interval(lo, hi, Evidence.EXACT if lo == hi else Evidence.ENCLOSED)
    if isinstance(x, Sample):
        if not (math.isfinite(x.lower) and math.isfinite(x.upper)):
            return None
        return Interval(Fraction(x.lower), Fraction(x.upper), Evidence.SAMPLE)
    if type(x).__name__ == "fmpq":
        q = to_fraction(x)
        return Interval(q, q, Evidence.EXACT)
    if type(x).__name__ == "arb":
        return interval(Enclosure.ball(x)) if x.is_finite() else None
    raise TypeError(
        f"a side of a claim is {x!r} of type {type(x).__name__}; use int, float, Fraction, Enclosure, "
        "arb, Sample or an array of them"
    )


def _flat(x: Side) -> NDArray[Any]:
    if isinstance(x, (list, tuple)):
        out = np.empty(len(x), dtype=object)
        out[:] = list(x)
        return out
    return np.asarray(x, dtype=object)


def components(lhs: Side, rhs: Side) -> Iterator[tuple[Interval | None, Interval | None]]:
    """Broadcast two sides and normalise them entry by entry."""
    left, right = np.broadcast_arrays(_flat(lhs), _flat(rhs))
    for a, b in zip(left.reshape(-1), right.reshape(-1), strict=True):
        yield interval(a), interval(b)


@dataclass(frozen=True)
class Comparison:
    """The verdict of one instance.

    Attributes
    ----------
    outcome
        FAILS if any component fails, then UNDEFINED, then TIES, TRIVIAL only if every one is.
    evidence
        Weakest over the components.
    ratio
        Largest lhs/rhs over components with rhs > 0 (equalities: largest |lhs| or |rhs|); NaN if none.
    slack
        Least rhs − lhs (for equalities: within − |lhs − rhs|), as a float.
    sides
        The normalised components.
    """

    outcome: Outcome
    evidence: Evidence
    ratio: float
    slack: float
    sides: tuple[tuple[Interval | None, Interval | None], ...]


_ORDER = [Outcome.FAILS, Outcome.UNDEFINED, Outcome.TIES, Outcome.HOLDS, Outcome.TRIVIAL]


def compare_leq(lhs: Side, rhs: Side) -> Comparison:
    """Compare lhs ≤ rhs componentwise."""
    outcomes, ratio, slack, weakest, sides = [], math.nan, math.inf, Evidence.EXACT, []
    for a, b in components(lhs, rhs):
        sides.append((a, b))
        if a is None or b is None:
            outcomes.append(Outcome.UNDEFINED)
            continue
        weakest = max(weakest, a.evidence, b.evidence)
        if a.is_zero and b.is_zero:
            outcomes.append(Outcome.TRIVIAL)
        elif a.upper <= b.lower:
            outcomes.append(Outcome.HOLDS)
        else:
            outcomes.append(Outcome.FAILS if a.lower > b.upper else Outcome.TIES)
        if outcomes[-1] is not Outcome.TRIVIAL:
            slack = min(slack, b.mid - a.mid)
            if b.mid > 0:
                ratio = _larger(ratio, a.mid / b.mid)
    return _summary(outcomes, weakest, ratio, slack, sides)


def compare_eq(lhs: Side, rhs: Side, within: Any = 0) -> Comparison:
    """Compare |lhs − rhs| ≤ within componentwise; exact sides are decided exactly.

    With `within=0`, enclosed or float sides that overlap tie: equality of balls proves nothing.
    """
    tol = to_fraction(within)
    outcomes, size, slack, weakest, sides = [], math.nan, math.inf, Evidence.EXACT, []
    for a, b in components(lhs, rhs):
        sides.append((a, b))
        if a is None or b is None:
            outcomes.append(Outcome.UNDEFINED)
            continue
        weakest = max(weakest, a.evidence, b.evidence)
        widest = max(a.upper - b.lower, b.upper - a.lower)
        apart = max(a.lower - b.upper, b.lower - a.upper)
        if a.is_zero and b.is_zero:
            outcomes.append(Outcome.TRIVIAL)
        elif widest <= tol:
            outcomes.append(Outcome.HOLDS)
        else:
            outcomes.append(Outcome.FAILS if apart > tol else Outcome.TIES)
        slack = min(slack, float(tol) - abs(a.mid - b.mid))
        size = _larger(size, max(abs(a.mid), abs(b.mid)))
    return _summary(outcomes, weakest, size, slack, sides)


def _larger(x: float, y: float) -> float:
    return y if math.isnan(x) else max(x, y)


def _summary(
    outcomes: list[Outcome], weakest: Evidence, ratio: float, slack: float, sides: list[Any]
) -> Comparison:
    if not outcomes:
        return Comparison(Outcome.UNDEFINED, weakest, ratio, slack, ())
    outcome = next(o for o in _ORDER if o in outcomes)
    return Comparison(outcome, weakest, ratio, slack, tuple(sides))
