"""What the claims of this paper let x be: conic fields, errors, laws of targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.checks import Paper
from rltheory.checks import strategies as ck
from rltheory.checks.balls import precise_side
from rltheory.kernels import ball
from rltheory.operators.flow import MarginalField

PAPER = Paper(
    key="flow-td",
    authors="Agrawalla, Nauman, Kumar",
    title="What Does Flow Matching Bring To TD Learning?",
    year=2026,
    where="ICML 2026, arXiv 2603.04333",
)

BITS = 192
"""Working precision of sides that are not rational."""
F = Fraction
STEPS = (1, 2, 3, 4, 6, 8, 12)
"""Numbers of Euler steps drawn."""

X = TypeVar("X")


def precise(side: Callable[[X], Any], bits: int = BITS) -> Callable[[X], list[Any]]:
    """`precise_side` at `bits` bits."""
    return precise_side(side, bits)


def real(v: Any) -> Any:
    """A `Fraction` as a ball, doubles and balls as they are."""
    return ball.to_arb(v) if isinstance(v, Fraction) else v


def exact(*values: Any) -> Any:
    """Array of rationals."""
    return rl.exact_array(list(values))


def conic(c: Any, y: Any, m: Any) -> Callable[[Any, Any], Any]:
    """Straight field from m to y whose slope in z is −c/(1−t): on the line z_t = (1−t)m + ty it is y − m."""

    def field(t: Any, z: Any) -> Any:
        return (y - m) - c * (z - (1 - t) * m - t * y) / (1 - t)

    return field


@dataclass(frozen=True)
class Conic:
    """Let a field go straight from m to y with slope −c/(1−t), 0 ≤ c ≤ 1; K steps; e an error; j a step."""

    K: int
    c: Any
    y: Any
    m: Any
    e: Any
    j: int

    @property
    def field(self) -> Callable[[Any, Any], Any]:
        """v."""
        return conic(self.c, self.y, self.m)


def cs() -> st.SearchStrategy[float]:
    """Dyadic c in [0, 1], the ends among them."""
    return ck.dyadics(0, 1, denominator=16)


@st.composite
def conics(draw: st.DrawFn) -> Conic:
    """Random conic fields, errors of either sign but not zero."""
    K = draw(st.sampled_from(STEPS))
    e = (draw(st.integers(0, 15)) + 1) / 4 * draw(st.sampled_from((1, -1)))
    return Conic(K, draw(cs()), draw(ck.dyadics(-4, 4)), draw(ck.dyadics(-4, 4)), e, draw(st.integers(0, K)))


@dataclass(frozen=True)
class Law:
    """Let Y be a finite law, Z_0 ~ N(mu0, s²), K steps from z."""

    atoms: Any
    probs: Any
    s: Any
    mu0: Any
    K: int
    z: Any

    @cached_property
    def field(self) -> MarginalField:
        """v*."""
        return MarginalField(self.atoms, self.probs, self.s, self.mu0)

    @cached_property
    def mean(self) -> Any:
        """E Y."""
        return (self.probs * self.atoms).sum()


@st.composite
def random_laws(draw: st.DrawFn, steps: tuple[int, ...] = (2, 3, 4, 8)) -> Law:
    """Two to four values on a grid of quarters, all different; noise of width ½ to 2."""
    n = draw(st.integers(2, 4))
    at = draw(st.lists(st.integers(-16, 16), min_size=n, max_size=n, unique=True))
    return Law(
        np.array(sorted(at)) / 4,
        draw(ck.laws(n, positive=True)),
        draw(st.sampled_from((0.5, 1.0, 2.0))),
        draw(ck.dyadics(-1, 1, denominator=4)),
        draw(st.sampled_from(steps)),
        draw(ck.dyadics(-3, 3, denominator=8)),
    )
