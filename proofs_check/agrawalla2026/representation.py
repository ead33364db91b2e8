"""What a poor velocity class does: affine fields collapse, frozen features gain a degree a step.

ψ_K is the K-step Euler readout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import comb, factorial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels.exact import solve_linear
from rltheory.operators.flow import affine_field, euler

from .lets import PAPER, F, exact


@dataclass(frozen=True)
class Affine:
    """Let y be a target, noise have mean mu and standard deviation s > 0."""

    y: Any
    mu: Any
    s: Any

    @cached_property
    def moments(self) -> tuple[Any, Any]:
        """Normal equations of a + bZ_t against y − Z_0.

        Noise μ ± s with probability ½, t by Simpson's rule: exact, as moments are of degree 2 in both.
        """
        exactly = isinstance(self.y, Fraction)
        half = F(1, 2) if exactly else 0.5
        rule = [(F(0), F(1, 6)), (F(1, 2), F(2, 3)), (F(1), F(1, 6))]
        G: Any = np.array([[0 * self.y] * 2] * 2)
        h: Any = np.array([0 * self.y] * 2)
        for t, w in rule:
            for z0 in (self.mu - self.s, self.mu + self.s):
                time, weight = (t, w * half) if exactly else (float(t), float(w) * half)
                f = np.array([0 * self.y + 1, (1 - time) * z0 + time * self.y])
                G = G + weight * np.outer(f, f)
                h = h + weight * f * (self.y - z0)
        return G, h

    @cached_property
    def fit(self) -> Any:
        """(a, b) from the normal equations."""
        G, h = self.moments
        return solve_linear(G, h) if isinstance(self.y, Fraction) else np.linalg.solve(G, h)

    @property
    def formula(self) -> tuple[Any, Any]:
        """(a, b) in closed form."""
        return affine_field(self.y, self.mu, self.s * self.s)


@st.composite
def affine(draw: st.DrawFn) -> Affine:
    """Targets up to 4, noise of width 1/16 to 4."""
    width = draw(st.sampled_from((1 / 16, 1 / 4, 1.0, 4.0)))
    return Affine(draw(ck.dyadics(-4, 4, denominator=8)), draw(ck.dyadics(-2, 2, denominator=8)), width)


UNIT = Affine(F(1), F(0), F(1, 10))

affine_collapse: Claim[Affine] = Claim(
    statement="a + bz fitted to a Dirac target: b = −(s²/2)/(s²/3 + (y−μ)²/12), a = (y−μ) − b(μ+y)/2",
    source=PAPER.at("derived: least squares over t and noise"),
    let=affine(),
    assume=[],
    then=Eq(lhs=lambda x: list(x.fit), rhs=lambda x: list(x.formula)),
    tight=Tight(UNIT, within=0),
    mutants=[
        Mutant("b does not depend on y", rhs=lambda x: list(replace(x, y=x.mu).formula)),
        Mutant("s²/2 for s²/3", rhs=lambda x: [x.fit[0], -6 * x.s**2 / (6 * x.s**2 + (x.y - x.mu) ** 2)]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

affine_collapse_slope: Claim[Affine] = Claim(
    statement="−3/2 ≤ b ≤ 0 and |b|(y−μ)² ≤ 6s²: as s → 0 the field is constant, and nothing recovers",
    source=PAPER.at("derived; flow collapse"),
    let=affine(),
    assume=[],
    then=Leq(
        lhs=lambda x: [-x.fit[1], x.fit[1], -x.fit[1] * (x.y - x.mu) ** 2],
        rhs=lambda x: [F(3, 2), 0, 6 * x.s**2],
    ),
    tight=Tight([Affine(F(1), F(1), F(1)), Affine(F(1), F(0), F(1, 1000))], within=1e-4),
    mutants=[
        Mutant("b ≥ −1", rhs=lambda x: [1, 0, 6 * x.s**2]),
        Mutant("it does not collapse: b ≤ −1/8", rhs=lambda x: [F(3, 2), F(-1, 8), 6 * x.s**2]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- frozen features -----------------------------------------------------------------------
@dataclass(frozen=True)
class Frozen:
    """Let v = w0 + w1 s + (w2 + w3 s) z, linear in the features (1, s)⊗(1, z); K steps; noise of mean 0."""

    w: Any
    K: int

    def readout(self, s: Any, K: int | None = None) -> Any:
        """Mean readout at s: ψ_K is affine in z_0, so it is ψ_K(0)."""
        a, b, c, d = self.w
        zero = 0 * a
        return euler(lambda t, z: a + b * s + (c + d * s) * z, zero, self.K if K is None else K)

    def extrapolated(self, points: range, at: int) -> Any:
        """The polynomial through the readouts at `points`, evaluated at `at`."""
        total = 0 * self.w[0]
        for i in points:
            weight = F(1)
            for j in points:
                if j != i:
                    weight *= F(at - j, i - j)
            total = total + (weight if isinstance(total, Fraction) else float(weight)) * self.readout(i)
        return total

    def error(self, degree: int, K: int | None = None) -> Any:
        """Σ_{s=0}^{degree} (readout − s^degree)²."""
        return sum((self.readout(s, K) - s**degree) ** 2 for s in range(degree + 1))


def distance(degree: int) -> Fraction:
    """Squared distance of s^n from polynomials of degree n − 1 on 0 … n: (n!)²/C(2n, n)."""
    return Fraction(factorial(degree) ** 2, comb(2 * degree, degree))


@st.composite
def frozen(draw: st.DrawFn) -> Frozen:
    """Weights in [−2, 2], one to four steps."""
    w = draw(ck.vectors(4, min_value=-2, max_value=2))
    w[1] += 1 / 8  # not the zero field
    return Frozen(w, draw(st.integers(1, 4)))


SQUARE = Frozen(exact(0, 1, -4, 4), 2)
LINE = Frozen(exact(F(-1, 3), 2, 0, 0), 1)


@dataclass(frozen=True)
class At:
    """Let s be a state and z0 = ±e noise."""

    s: Any
    e: Any

    def mean(self, K: int) -> Any:
        """Mean readout of v = (−4 + 4s)z + s."""
        ends = [euler(lambda t, z: (-4 + 4 * self.s) * z + self.s, z0, K) for z0 in (self.e, -self.e)]
        return (ends[0] + ends[1]) / 2


frozen_features: Claim[At] = Claim(
    statement="v = (−4+4s)z + s, noise of mean 0: two steps read out s² on average",
    source=PAPER.at("derived; a stand-in for plasticity with frozen features"),
    let=st.builds(At, ck.dyadics(-3, 3, denominator=16), ck.dyadics(1 / 4, 2, denominator=4)),
    assume=[],
    then=Eq(lhs=lambda x: x.mean(2), rhs=lambda x: x.s * x.s),
    tight=Tight(At(F(3), F(1)), within=0),
    mutants=[
        Mutant("K = 1 suffices", lhs=lambda x: x.mean(1)),
        Mutant("three steps do it, too", lhs=lambda x: x.mean(3)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

frozen_features_degree: Claim[Frozen] = Claim(
    statement="the mean readout is a polynomial in s of degree at most K",
    source=PAPER.at("derived: a step multiplies by an affine function of s"),
    let=frozen(),
    assume=[],
    then=Eq(lhs=lambda x: x.readout(x.K + 1), rhs=lambda x: x.extrapolated(range(x.K + 1), x.K + 1)),
    tight=Tight(SQUARE, within=0),
    mutants=[
        Mutant(
            "of degree at most K − 1",
            rhs=lambda x: x.extrapolated(range(1, x.K + 1), x.K + 1),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

frozen_features_gap: Claim[Frozen] = Claim(
    statement="K steps miss s^{K+1} on 0 … K+1 by at least ((K+1)!)²/C(2K+2, K+1); for K = 1: 2/3",
    source=PAPER.at("derived: distance of a monomial from lower degrees on a grid"),
    let=frozen(),
    assume=[],
    then=Leq(lhs=lambda x: distance(x.K + 1), rhs=lambda x: x.error(x.K + 1)),
    tight=Tight(LINE, within=0),
    named={"s² in two steps": SQUARE},
    mutants=[
        Mutant("twice as much", lhs=lambda x: 2 * distance(x.K + 1)),
        Mutant(
            "degree K is out of reach, too",
            then=Leq(lambda x: distance(x.K), lambda x: x.error(x.K)),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
