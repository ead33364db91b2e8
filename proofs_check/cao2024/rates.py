"""Worst-case rates of Bayesian quadrature with their constants, and the method that keeps them in doubles.

Every number here is a ball: weights K⁻¹z at 320 bits and more, T = 1, ℓ = ½, abscissa x = N − 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction as F
from functools import lru_cache
from typing import Any

import numpy as np
from flint import arb

from rltheory.checks import CERTIFIED, Claim, Every, Leq, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.operators import Matern
from rltheory.operators._weights import ball_error, ball_weights, state_space_weights

from .setting import BITS, PAPER, Table, enclosed, matern, rule_of

HALF = F(1, 2)
SIZES = (2, 3, 4, 6, 8, 12, 16, 32, 64, 128)
LOW = (F(5505, 10000), F(4805, 10000), F(5616, 10000), F(7839, 10000))
HIGH = (F(57736, 100000), F(5754, 10000), F(9321, 10000), F(2628, 1000))
FROM = (2, 3, 4, 8)
SHARPER = (F(1, 10), F(1, 10), F(1, 5), F(1, 2))


@dataclass(frozen=True, order=True)
class Size:
    """Let x + 1 even nodes cover [0, 1], k = Matérn-(p + ½), ℓ = ½."""

    p: int
    x: int

    @property
    def b(self) -> int:
        """ν + ½."""
        return self.p + 1

    @property
    @enclosed
    def e(self) -> arb:
        """Worst-case error of the Bayesian rule."""
        return worst(self.p, self.x)

    def scaled(self, power: int | None = None) -> arb:
        """e·x^b."""
        with ball.precision(BITS):
            return self.e * arb(self.x) ** (self.b if power is None else power)

    def constant(self, zeta: bool = True, two_pi: int = 2) -> arb:
        """√(T·2ζ(2b)·D_ν c^{2ν}(h/2π)^{2b}) with T = 1."""
        with ball.precision(BITS):
            nu = arb(2 * self.p + 1) / 2
            D = 2 * arb.pi().sqrt() * (nu + arb(1) / 2).gamma() / nu.gamma()
            c = arb(2 * self.p + 1).sqrt() * 2
            scale = D * c ** (2 * self.p + 1) / (arb(self.x) * two_pi * arb.pi()) ** (2 * self.b)
            return (2 * (arb(2 * self.b).zeta() if zeta else arb(1)) * scale).sqrt()

    def ratio(self, **change: Any) -> arb:
        """E over the constant."""
        with ball.precision(BITS):
            return self.e / self.constant(**change)

    @property
    @enclosed
    def trap(self) -> arb:
        """Worst-case error of the trapezoid in the same space."""
        rule = rule_of(F(1), self.x + 1, "trapezoid")
        return ball_error(list(rule.nodes), list(rule.weights), F(1), matern(self.p, HALF)).sqrt()


@lru_cache(maxsize=128)
def worst(p: int, x: int) -> arb:
    """E of the Bayesian rule by K⁻¹z in balls of enough bits."""
    with ball.precision(320 if x <= 64 else 448):
        return ball_weights([F(i, x) for i in range(x + 1)], F(1), matern(p, HALF))[1].sqrt()


def sizes(least: tuple[int, ...], among: tuple[int, ...] = SIZES) -> Every[Size]:
    """Every p with every size from its least."""
    out = [Size(p, x) for p in range(4) for x in among if x >= least[p]]
    return Every(f"Matérn-½ … 7/2 with x = N − 1 in {among}, from {least}", len(out), out)


def _sharper(p: int) -> Callable[[Size], list[Any]]:
    """For Matérn-(p + ½) and x > 8 the value at x = 8 times (x/8)^−gain; else what holds."""

    def rhs(s: Size) -> list[Any]:
        if s.p != p or s.x <= 8:
            return [s.scaled(), HIGH[s.p]]
        with ball.precision(BITS):
            start = worst(s.p, 8) * arb(8) ** s.b
            return [s.scaled(), start * (arb(s.x) / 8) ** -ball.to_arb(SHARPER[s.p])]

    return rhs


worst_case_order: Claim[Size] = Claim(
    statement="Matérn-ν: e_N = Θ(N^{−b}), b = ν + ½: c₋ ≤ e_N x^b ≤ c₊, x = N − 1, T = 1, ℓ = ½",
    source=PAPER.at("theorem on Bayesian quadrature, O(N^{−b}); constants derived"),
    let=sizes(FROM),
    assume=[],
    then=Leq(lhs=lambda s: [LOW[s.p], s.scaled()], rhs=lambda s: [s.scaled(), HIGH[s.p]]),
    tight=Tight([Size(0, 128), Size(1, 3), Size(2, 6), Size(3, 12)], within=0.02),
    mutants=[
        *(Mutant(f"ν = {2 * p + 1}/2: order b + {float(SHARPER[p])}", rhs=_sharper(p)) for p in range(4)),
        Mutant("order 2b", lhs=lambda s: [0, s.scaled(2 * s.b)]),
    ],
    expect=CERTIFIED,
)


def trapezoid_limit(p: int) -> arb:
    """(1/12)√(2(k''(T) − k''(0))): the norm of the functional (f'(T) − f'(0))/12, p ≥ 1, T = 1, ℓ = ½."""
    with ball.precision(BITS):
        c = arb(2 * p + 1).sqrt() * 2
        # k'' = c²·(polynomial)e^{−x}, from the covariance polynomials of p = 1, 2, 3

        def curve(x: arb) -> arb:
            return [x - 1, (x * x - x - 1) / 3, (x**3 - 3 * x - 3) / 15][p - 1]

        at = c * c * curve(c) * (-c).exp()
        zero = c * c * curve(arb(0))
        return (2 * (at - zero)).sqrt() / 12


def _trapezoid_share(s: Size, power: int = 2) -> arb:
    """E·x^power over the root of both parts of the error."""
    with ball.precision(BITS):
        interior = s.constant() * arb(s.x) ** 2
        limit = trapezoid_limit(s.p)
        return s.trap * arb(s.x) ** power / (limit * limit + interior * interior).sqrt()


worst_case_order_trapezoid: Claim[Size] = Claim(
    statement=(
        "the trapezoid in the same spaces, ν ≥ 3/2, has order 2 only: e² = (k''(T) − k''(0))h⁴/72 (ends) + "
        "that of `worst-case-constant` (interior), within 1.2 %"
    ),
    source=PAPER.at("derived"),
    let=sizes((1000, 8, 8, 8), (8, 16, 32, 64)),
    assume=[],
    then=Leq(
        lhs=lambda s: [F(988, 1000), _trapezoid_share(s)], rhs=lambda s: [_trapezoid_share(s), F(1012, 1000)]
    ),
    tight=Tight([Size(2, 8), Size(1, 8)], within=0.012),
    mutants=[
        Mutant("order 3", lhs=lambda s: [F(988, 1000), _trapezoid_share(s, 3)]),
        Mutant(
            "the ends alone",
            lhs=enclosed(lambda s: [0, s.trap * s.x**2 / trapezoid_limit(s.p)]),
        ),
    ],
    expect=CERTIFIED,
)


def _ratio_sides(s: Size, **change: Any) -> tuple[list[Any], list[Any]]:
    with ball.precision(BITS):
        r = s.ratio(**change)
        if s.p == 0:
            return [1 - arb(1) / 5 / s.x**2, r], [r, 1]
        if s.p == 1:
            return [1, r], [r, 1 + arb(29) / 20 / s.x]
        before = Size(s.p, s.x // 2).ratio(**change)
        return [1, r], [r, before if s.x >= 16 else arb(10) ** 9]


RATIOS = Every(
    "Matérn-½ … 7/2 with x = N − 1 in (8, 16, 32, 64, 128); 3/2 from 16",
    19,
    [Size(p, x) for p in range(4) for x in (8, 16, 32, 64, 128) if (p, x) != (1, 8)],
)

worst_case_constant: Claim[Size] = Claim(
    statement=(
        "e_N²/(T·2ζ(2b)D_ν c^{2ν}(h/2π)^{2b}) → 1: √ratio in [1 − .2/x², 1] (½), [1, 1 + 1.45/x] (3/2), "
        "above 1 and decreasing (5/2, 7/2)"
    ),
    source=PAPER.at("derived: Σ_{k≠0} S(2πk/h), S the spectral density"),
    let=RATIOS,
    assume=[],
    then=Leq(lhs=lambda s: _ratio_sides(s)[0], rhs=lambda s: _ratio_sides(s)[1]),
    tight=Tight([Size(0, 128), Size(1, 128)], within=1e-3),
    mutants=[
        Mutant(
            "without ζ(2b)",
            then=Leq(
                lhs=lambda s: _ratio_sides(s, zeta=False)[0], rhs=lambda s: _ratio_sides(s, zeta=False)[1]
            ),
        ),
        Mutant(
            "π for 2π",
            then=Leq(lhs=lambda s: _ratio_sides(s, two_pi=1)[0], rhs=lambda s: _ratio_sides(s, two_pi=1)[1]),
        ),
    ],
    expect=CERTIFIED,
)


# ---- the stable method -------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Twice:
    """Let N even nodes cover [0, 1], ℓ = 1/share; the same weights by state space in doubles and by balls."""

    p: int
    N: int
    share: F

    def state_space(self, **change: Any) -> tuple[Table, float]:
        """Weights and e² in doubles."""
        nodes = np.linspace(0.0, 1.0, self.N)
        return state_space_weights(nodes, 1.0, Matern(self.p + 0.5, float(1 / self.share)), 0.0, **change)

    def gaps(self, **change: Any) -> list[Any]:
        """max|Δw|/max|w| and |Δe²|/e²; doubles are taken for the rationals they store."""
        w, variance = self.state_space(**change)
        true, e2 = balls_of(self.p, self.N, self.share)
        with ball.precision(BITS):
            gap = ball.maximum([abs(ball.to_arb(a) - v) for a, v in zip(w.tolist(), true, strict=True)])
            return [gap / ball.maximum([abs(v) for v in true]), abs(ball.to_arb(variance) - e2) / e2]


@lru_cache(maxsize=64)
def balls_of(p: int, N: int, share: F) -> tuple[list[arb], arb]:
    """w = K⁻¹z and e²."""
    cov = Matern(F(2 * p + 1, 2), 1 / share)
    with ball.precision(320 if N < 100 else 448):
        return ball_weights([F(i, N - 1) for i in range(N)], F(1), cov)


def late_start(s: Twice) -> list[Any]:
    """Gap of weights for a window that starts before the first node, with and without that stretch."""
    nodes = np.linspace(0.0, 1.0, s.N) * (1 - 0.5 / s.N) + 0.5 / s.N
    cov = Matern(s.p + 0.5, float(1 / s.share))
    w, _ = state_space_weights(nodes, 1.0, cov, 0.0)
    v, _ = state_space_weights(nodes, 1.0, cov, 0.0, skip=True)
    return [F(float(abs(w - v).max() / abs(w).max())), 0]


PAIRS = Every(
    "Matérn-½ … 7/2, N in (2, 5, 15, 33, 65, 129), T/ℓ in (2, 1/3)",
    48,
    [Twice(p, N, q) for p in range(4) for N in (2, 5, 15, 33, 65, 129) for q in (F(2), F(1, 3))],
)

state_space_equals_dense: Claim[Twice] = Claim(
    statement="the square-root filter in doubles gives w = K⁻¹z within 1e-13 and e² within 1e-12, N ≤ 129",
    source=PAPER.at("derived; Matérn processes as stochastic differential equations"),
    let=PAIRS,
    assume=[],
    then=Leq(lhs=lambda s: s.gaps(), rhs=lambda s: [F(1, 10**13), F(1, 10**12)]),
    tight=Tight(Twice(3, 65, F(1, 3)), within=0.999),
    mutants=[
        Mutant("the integral is uncertain at the first node", lhs=lambda s: s.gaps(prior=1e-4)),
        Mutant(
            "the first node is not at the start of the window",
            lhs=late_start,
        ),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
