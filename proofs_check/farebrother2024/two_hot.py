"""Two-hot and C51: the mean is kept, the variance is that of the split.

Atoms z_1 < … < z_m, spacing ς; two_hot(y) splits y between the atoms around it; C51 splits each
atom of a law.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.operators import c51, readout, two_hot

from .lets import PAPER, grids


@dataclass(frozen=True)
class Split:
    """Let z be equally spaced atoms and y a target."""

    z: Any
    y: Any

    @property
    def inside(self) -> bool:
        """y ∈ [z_1, z_m]."""
        return bool(self.z[0] <= self.y <= self.z[-1])

    @cached_property
    def law(self) -> Any:
        """two_hot(y), clipped outside the range."""
        return two_hot(self.y, self.z, clip=True)

    @cached_property
    def mean(self) -> Any:
        """Σp_i z_i."""
        return readout(self.law, self.z)

    @cached_property
    def variance(self) -> Any:
        """Σp_i (z_i − y)²."""
        return (self.law * (self.z - self.y) ** 2).sum()

    @property
    def width(self) -> Any:
        """ς."""
        return self.z[1] - self.z[0]

    @property
    def gaps(self) -> tuple[Any, Any]:
        """(y − z_i, z_{i+1} − y), z_i ≤ y ≤ z_{i+1} by counting widths."""
        below = (self.y - self.z[0]) % self.width
        return below, self.width - below


@st.composite
def splits(draw: st.DrawFn) -> Split:
    """Targets in range, one in four up to two spacings outside it."""
    z = draw(grids())
    width, reach = z[1] - z[0], 2 if draw(st.integers(0, 3)) == 3 else 0
    steps = draw(st.integers(-16 * reach, 16 * (z.size - 1 + reach)))
    return Split(z, z[0] + steps / 16 * width)


def exact(*values: Any) -> Any:
    """Array of rationals."""
    return rl.exact_array(list(values))


HALF = Fraction(1, 2)
MIDDLE = Split(exact(-1, 0, 1), HALF)
ABOVE = Split(exact(-1, 0, 1), Fraction(2))

UNEVEN = Split(exact(-1, 0, 3), Fraction(1))
IN_RANGE = Assumption[Split]("y is in range", lambda x: x.inside, fails_without=ABOVE)
EVENLY = Assumption[Split](
    "the atoms are equally spaced",
    lambda x: bool((x.z[1:] - x.z[:-1] == x.width).all()) and x.width > 0,
    fails_without=UNEVEN,
)

two_hot_mean: Claim[Split] = Claim(
    statement="y ∈ [z_1, z_m]: the mean of two_hot(y) is y, its variance (y − z_i)(z_{i+1} − y)",
    source=PAPER.at("two-hot encoding; recalled"),
    let=splits(),
    assume=[EVENLY, IN_RANGE],
    then=Eq(lhs=lambda x: [x.mean, x.variance], rhs=lambda x: [x.y, x.gaps[0] * x.gaps[1]]),
    tight=Tight([MIDDLE, Split(exact(-1, 0, 1), Fraction(1))], within=0),
    mutants=[
        Mutant("also for y out of range, clipped", drop="y is in range"),
        Mutant("variance ς²/4 for every y", rhs=lambda x: [x.y, x.width**2 / 4]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

two_hot_mean_variance: Claim[Split] = Claim(
    statement="y ∈ [z_1, z_m]: the variance of two_hot(y) is at most ς²/4",
    source=PAPER.at("two-hot encoding; derived"),
    let=splits(),
    assume=[EVENLY, IN_RANGE],
    then=Leq(lhs=lambda x: x.variance, rhs=lambda x: x.width**2 / 4),
    tight=Tight(MIDDLE, within=0),
    mutants=[Mutant("at most ς²/8", rhs=lambda x: x.width**2 / 8)],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Projected:
    """Let z be equally spaced atoms, y values with probabilities p."""

    z: Any
    y: Any
    p: Any

    @property
    def inside(self) -> bool:
        """Every value that has a probability is in range."""
        seen = self.y[self.p > 0]
        return bool((self.z[0] <= seen).all() and (seen <= self.z[-1]).all())

    @cached_property
    def mean(self) -> Any:
        """Mean of the projected law."""
        return readout(c51(self.y, self.p, self.z, clip=True), self.z)


@st.composite
def projections(draw: st.DrawFn) -> Projected:
    """Laws of up to five values r + γz', one in four reaching out of range."""
    z = draw(grids())
    n = draw(st.integers(1, 5))
    scale = 1.0 if draw(st.integers(0, 3)) < 3 else 1.5
    middle, half = (z[0] + z[-1]) / 2, (z[-1] - z[0]) / 2
    return Projected(
        z, middle + scale * half * draw(ck.vectors(n, min_value=-1, max_value=1)), draw(ck.laws(n))
    )


ATOMS = exact(-1, 0, 1)
EVEN = exact(HALF, HALF)
CLIPPED = Projected(ATOMS, exact(0, 2), EVEN)

two_hot_mean_c51: Claim[Projected] = Claim(
    statement="the projection of C51 keeps the mean of every law supported in [z_1, z_m]",
    source=PAPER.at("C51 as an encoding; Bellemare, Dabney and Munos 2017"),
    let=projections(),
    assume=[
        Assumption(
            "the law is in range", lambda x: x.inside, fails_without=Projected(ATOMS, exact(0, 2), EVEN)
        )
    ],
    then=Eq(lhs=lambda x: x.mean, rhs=lambda x: (x.p * x.y).sum()),
    tight=Tight(Projected(ATOMS, exact(Fraction(1, 3), 1), EVEN), within=0),
    mutants=[
        Mutant("also for laws that are clipped", drop="the law is in range"),
        Mutant("nearest atoms keep it, too", lhs=lambda x: (x.p * nearest(x)).sum()),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def nearest(x: Projected) -> Any:
    """The atom nearest to each value."""
    return np.array([min(x.z.tolist(), key=lambda a: (abs(a - v), a)) for v in x.y.tolist()])


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
