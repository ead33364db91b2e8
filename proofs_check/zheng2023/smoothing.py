"""Gaussian smoothing of a value function on a line or a circle: what noise in the samples does to slopes.

V is piecewise linear and constant beyond its first and last knot, or repeats itself (a circle); two knots at
one place are a jump.
V_σ(x) = E V(x + σZ), so V_σ'(x) = Σ m_k [Φ((b_k − x)/σ) − Φ((a_k − x)/σ)] + Σ J_k φ((x_k − x)/σ)/σ over the
pieces (a_k, b_k) of slope m_k and the jumps J_k.  Both bounds are compared after multiplication by σ√(2π).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from flint import arb

from rltheory.checks import CERTIFIED, Claim, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.kernels import ball

from .setting import HALF, PAPER

BITS = 256


@dataclass(frozen=True)
class Curve:
    """Let V pass through the points (knots, values), once or again and again; let N(0, σ²) smooth it."""

    knots: tuple[F, ...]
    values: tuple[F, ...]
    sigma: F
    circle: bool = False

    @cached_property
    def pieces(self) -> list[tuple[F, F, F]]:
        """(a, b, rise) of each piece; a = b for a jump."""
        rises = [w - v for v, w in zip(self.values, self.values[1:], strict=False)]
        return [(a, b, r) for a, b, r in zip(self.knots, self.knots[1:], rises, strict=False)]

    @property
    def osc(self) -> F:
        """sup V − inf V."""
        return max(self.values) - min(self.values)

    @cached_property
    def jumps(self) -> bool:
        """True where L(V) = ∞."""
        return any(a == b and r for a, b, r in self.pieces)

    @property
    def is_ramp(self) -> bool:
        """One piece, no jump: V_σ is then steepest at its middle."""
        return len(self.pieces) == 1 and not self.jumps

    @property
    def L(self) -> F:
        """L(V) of a curve without jumps."""
        return max((abs(r) / (b - a) for a, b, r in self.pieces if a < b), default=F(0))

    @cached_property
    def places(self) -> list[F]:
        """Where slopes are looked at: knots, midpoints, and points beside."""
        mids = [(a + b) / 2 for a, b, _ in self.pieces]
        if self.circle:
            return sorted({*self.knots, *mids})
        return sorted({*self.knots, *mids, self.knots[0] - self.sigma, self.knots[-1] + self.sigma})

    def slope(self, x: F) -> Any:
        """σ√(2π)·|V_σ'(x)|."""
        with ball.precision(BITS):
            root = (arb.pi() / 2).sqrt()
            total, period = arb(0), self.knots[-1] - self.knots[0]
            turns = math.ceil(25 * self.sigma / period) + 2 if self.circle else 0
            if self.circle:  # what lies further away: at most Σ|rise|·exp(−(distance/σ)²/2) a turn
                far = ball.to_arb((turns * period) / self.sigma)
                rises = sum(abs(r) for _, _, r in self.pieces)
                total += arb(0, (4 * ball.to_arb(rises) * (-far * far / 2).exp()).upper())
            copies = [k * period for k in range(-turns, turns + 1)]
            for a, b, rise in [(a + c, b + c, r) for c in copies for a, b, r in self.pieces]:
                lo, hi = ((ball.to_arb((t - x) / self.sigma)) for t in (a, b))
                if a == b:
                    total += ball.to_arb(rise) * (-lo * lo / 2).exp()
                else:
                    steep = ball.to_arb(rise / (b - a) * self.sigma) * root
                    total += steep * ((hi / arb(2).sqrt()).erf() - (lo / arb(2).sqrt()).erf())
            return abs(total)

    @cached_property
    def slopes(self) -> list[Any]:
        """σ√(2π)|V_σ'| at all places."""
        return [self.slope(x) for x in self.places]

    def quotient(self, h: F) -> Any:
        """σ√(2π)·(2Φ(h/2σ) − 1)/h: the unit step's slope seen over a distance h."""
        with ball.precision(BITS):
            u = ball.to_arb(h / (2 * self.sigma))
            return ball.to_arb(self.sigma / h) * (2 * arb.pi()).sqrt() * (u / arb(2).sqrt()).erf()

    @property
    def scaled_L(self) -> Any:
        """σ√(2π)·L(V)."""
        with ball.precision(BITS):
            return ball.to_arb(self.L * self.sigma) * (2 * arb.pi()).sqrt()

    @property
    def bounds(self) -> list[Any]:
        """osc(V) for each place, and σ√(2π)L(V) for each if V has no jumps."""
        return [self.osc] * len(self.places) + ([] if self.jumps else [self.scaled_L] * len(self.places))

    @property
    def sides(self) -> list[Any]:
        """What is bounded."""
        return self.slopes + ([] if self.jumps else self.slopes)


def step(sigma: F) -> Curve:
    """The unit step."""
    return Curve((F(0), F(0)), (F(0), F(1)), sigma)


def ramp(width: F, sigma: F) -> Curve:
    """From 0 to 1 over a width."""
    return Curve((F(0), width), (F(0), F(1)), sigma)


def curve(read: Reader) -> Curve:
    """Up to five knots, jumps among them; σ from ¼ to 1¼ (256 bits tell apart what Φ leaves out)."""
    kind, n = read.below(5), 2 + read.below(4)
    sigma = F(4 + read.below(17), 16)
    if kind == 0:
        return step(sigma)
    if kind == 1:
        return ramp(F(1 + read.below(16), 8), sigma)
    knots = [F(0)]
    for _ in range(n - 1):
        knots.append(knots[-1] + (F(1 + read.below(8), 4) if kind != 3 or read.below(3) else 0))
    values = [F(read.below(9) - 4, 2) for _ in knots]
    if kind == 4:
        return Curve((*knots, knots[-1] + 1), (*values, values[0]), sigma, circle=True)
    return Curve(tuple(knots), tuple(values), sigma)


ROUND = Curve((F(0), F(0), F(1), F(1), F(2)), (F(0), F(1), F(1), F(0), F(0)), F(1, 4), circle=True)
STEPS = [step(F(1, 100)), step(F(3, 100)), step(F(1, 20))]

smoothing: Claim[Curve] = Claim(
    statement="V_σ = V * N(0, σ²): L(V_σ) ≤ min(L(V), osc(V)/(σ√(2π)))",
    source=PAPER.at("derived: why noise in the samples may regularise a value function"),
    let=decoded(curve, 24),
    assume=[],
    then=Leq(lhs=lambda x: x.sides, rhs=lambda x: x.bounds),
    tight=Tight(STEPS, within=0),
    named={
        "a step round a circle": ROUND,
        "two bumps": Curve((F(0), F(1), F(1), F(2)), (F(0), F(1), F(-1), F(0)), HALF),
    },
    mutants=[
        Mutant("osc/(2σ√(2π))", then=Leq(lambda x: x.slopes, lambda x: x.osc / 2)),
        Mutant(
            "smoothing keeps L: a ramp is as steep at its middle as before",
            then=Leq(lambda x: x.scaled_L if x.is_ramp else F(0), lambda x: x.slopes[len(x.places) // 2]),
        ),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Difference:
    """Let the unit step be smoothed by σ and its slope be read off over a distance h."""

    sigma: F
    h: F

    @property
    def seen(self) -> Any:
        """σ√(2π)(2Φ(h/2σ) − 1)/h."""
        return step(self.sigma).quotient(self.h)


smoothing_difference: Claim[Difference] = Claim(
    statement="the smoothed unit step has difference quotients (2Φ(h/2σ) − 1)/h < 1/(σ√(2π)) for every h > 0",
    source=PAPER.at("derived"),
    let=decoded(lambda read: Difference(F(1 + read.below(32), 64), F(1 + read.below(64), 64)), 4),
    assume=[],
    then=Leq(lhs=lambda x: x.seen, rhs=lambda x: F(1)),
    tight=Tight(Difference(F(1), F(1, 100)), within=1e-5),
    mutants=[
        Mutant("below 9/10 of it", rhs=lambda x: F(9, 10)),
        Mutant("at least as steep", then=Leq(lambda x: F(1), lambda x: x.seen)),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
