"""What the claims of this paper let x be: an encoded target, laws on atoms, a chain with an encoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from flint import arb
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from rltheory.checks import Paper
from rltheory.checks import strategies as ck
from rltheory.checks.balls import precise_side
from rltheory.kernels import ball
from rltheory.operators import HLGauss, readout
from rltheory.operators.encoding_bias import hl_gauss_bias_bound, rounding_bias_bound

PAPER = Paper(
    key="stop-regressing",
    authors="Farebrother, Orbay, Vuong, Taïga, Chebotar, Xiao, Irpan, Levine, Castro, Faust, Kumar, Agarwal",
    title="Stop Regressing: Training Value Functions via Classification for Scalable Deep RL",
    year=2024,
    where="ICML 2024, arXiv 2403.03950",
)

BITS = 256
"""Working precision of sides that are not rational."""
TINY = Fraction(1, 10**30)
"""Identities of balls are checked up to this."""
RHOS = (1 / 8, 3 / 16, 1 / 4, 5 / 16, 1 / 2, 3 / 4, 1.0)
"""Dyadic widths σ/ς; the recommended one is 3/4."""

X = TypeVar("X")


def precise(side: Callable[[X], Any]) -> Callable[[X], list[Any]]:
    """`precise_side` at `BITS` bits."""
    return precise_side(side, BITS)


def real(v: Any) -> Any:
    """A `Fraction` (or an array of them) as balls, doubles as they are: numbers that mix with balls."""
    if isinstance(v, np.ndarray):
        return ball.balls(v) if v.dtype == object else v
    return ball.to_arb(v) if isinstance(v, Fraction) else v


def square(v: Any) -> Any:
    """v·v: unlike v**2, defined for balls around zero."""
    return v * v


def log(v: Any) -> Any:
    """Natural logarithm of a double or a ball."""
    return v.log() if isinstance(v, arb) else float(np.log(v))


def biggest(values: Any) -> Any:
    """Largest of doubles, rationals or balls."""
    flat = list(np.asarray(values, dtype=object).reshape(-1))
    return ball.maximum(flat) if any(isinstance(v, arb) for v in flat) else max(flat)


@dataclass(frozen=True)
class Target:
    """Let code be an HL-Gauss encoding and y a target in its range."""

    code: HLGauss
    y: Any

    @cached_property
    def law(self) -> Any:
        """p, the encoding of y."""
        return self.code.encode(self.y)

    @cached_property
    def mean(self) -> Any:
        """Σp_i c_i."""
        return readout(self.law, self.code.points)

    @cached_property
    def bias(self) -> Any:
        """Σp_i c_i − y."""
        return self.mean - real(self.y)

    @cached_property
    def variance(self) -> Any:
        """Σp_i c_i² − (Σp_i c_i)²."""
        return readout(self.law, self.code.points * self.code.points) - self.mean * self.mean

    @property
    def width(self) -> Any:
        """ς."""
        return self.code.spacing

    @property
    def sigma(self) -> Any:
        """σ."""
        return self.code.sigma

    @property
    def u(self) -> Any:
        """y minus the nearest bin centre (the lower of two)."""
        c = self.code.points
        return self.y - min(c.tolist(), key=lambda v: (abs(v - self.y), v))

    @property
    def B(self) -> Any:
        """Bound of the interior bias."""
        return rounding_bias_bound(self.width, self.sigma)

    @property
    def bound(self) -> Any:
        """The two-part bound at y."""
        return hl_gauss_bias_bound(self.y, self.code.edges, self.sigma)

    @property
    def padding(self) -> Any:
        """Distance of y to the nearer end, in σ."""
        return min(self.y - self.code.v_min, self.code.v_max - self.y) / self.sigma


def wide(rho: Any, y: Any, width: Any = Fraction(1), m: int = 81) -> Target:
    """m bins of one width around 0: the ends are far away."""
    return Target(HLGauss(-m * width / 2, m * width / 2, m, rho=rho), y)


@st.composite
def interior(draw: st.DrawFn, rhos: tuple[float, ...] = RHOS) -> Target:
    """Targets in the middle of 81 bins, of widths ¼, 1 and 2."""
    width = draw(st.sampled_from((0.25, 1.0, 2.0)))
    return wide(draw(st.sampled_from(rhos)), draw(ck.dyadics(-1, 1, denominator=128)) * width, width)


@st.composite
def anywhere(draw: st.DrawFn, rhos: tuple[float, ...] = (*RHOS, 2.0), most: int = 12) -> Target:
    """Targets anywhere in the range of 2 to `most` bins, the ends often."""
    m = draw(st.integers(2, most))
    width = draw(st.sampled_from((0.25, 1.0, 2.0)))
    code = HLGauss(-m * width / 2, m * width / 2, m, rho=draw(st.sampled_from(rhos)))
    return Target(code, code.v_min + draw(st.integers(0, 32 * m)) / 32 * width)


def grids(least: int = 2, most: int = 6) -> SearchStrategy[Any]:
    """(m,) equally spaced dyadic atoms."""

    @st.composite
    def grid(draw: st.DrawFn) -> Any:
        m = draw(st.integers(least, most))
        width = draw(st.sampled_from((0.25, 1.0, 2.0)))
        return draw(ck.dyadics(-4, 4, denominator=4)) + width * np.arange(m)

    return grid()
