"""Ridge regression one observation at a time: losses, determinants, and the sum of squared widths."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.solvers import JointConfidence, joint_confidence

from .setting import (
    HALF,
    PAPER,
    Table,
    UnitReader,
    Vector,
    decoded,
    determinant,
    dot,
    enclosed,
    root,
    solve,
    table,
)


@dataclass(frozen=True)
class Ridge:
    """Let φ_1..φ_T be vectors of norm at most 1, y_t rewards, λ > 0 and w a head."""

    features: tuple[Vector, ...]
    y: tuple[F, ...]
    lam: F
    w: Vector

    @property
    def k(self) -> int:
        """Dimension."""
        return len(self.w)

    @property
    def T(self) -> int:
        """Observations."""
        return len(self.y)

    def design(self, t: int) -> Table:
        """A_t = λI + Σ_{s≤t} φφᵀ."""
        A = table(np.eye(self.k, dtype=int)) * self.lam
        for v in self.features[:t]:
            A = A + np.outer(np.array(v, dtype=object), np.array(v, dtype=object))
        return A

    @cached_property
    def fitted(self) -> JointConfidence:
        """The library's ρ, ŵ and ld: one task, one context, an action a vector."""
        logs = [[(0, t, r) for t, r in enumerate(self.y)]]
        return joint_confidence(table([[self.features]]), logs, sigma=HALF, lam=self.lam, radius=F(0))

    @property
    def heads(self) -> list[F]:
        """ŵ."""
        return list(self.fitted.heads[0, 0])

    def loss(self, w: Any) -> F:
        """L(w)."""
        return sum(((dot(v, w) - r) ** 2 for v, r in zip(self.features, self.y, strict=True)), F(0))

    @cached_property
    def squares(self) -> list[F]:
        """‖φ_t‖² in the norm of A_{t−1}⁻¹."""
        return [dot(v, solve(self.design(t), v)) for t, v in enumerate(self.features)]

    @cached_property
    def growth(self) -> F:
        """det(A_T/λ) by elimination."""
        return determinant(self.design(self.T)) / self.lam**self.k

    @property
    def capped(self) -> F:
        """Σ_t min(1, ‖φ_t‖²)."""
        return sum((min(F(1), s) for s in self.squares), F(0))

    @property
    def quadratic(self) -> F:
        """‖w − ŵ‖² in the norm of A."""
        d = np.array([a - b for a, b in zip(self.w, self.heads, strict=True)], dtype=object)
        return F(d @ self.design(self.T) @ d)

    def power(self, base: int) -> Any:
        """base^Σmin(1, ‖φ_t‖²), exact when the exponent is an integer."""
        s = self.capped
        return (
            F(base) ** int(s)
            if s.denominator == 1
            else enclosed(lambda: ball.to_arb(F(base)) ** ball.to_arb(s))
        )

    @property
    def logdet(self) -> rl.Enclosure:
        """ld, by the library."""
        found: rl.Enclosure = self.fitted.logdet[0, 0]
        return found

    def mean_bound(self, k: int) -> F:
        """(1 + T/(kλ))^k."""
        return (1 + F(self.T) / (k * self.lam)) ** k


def ridge(read: UnitReader) -> Ridge:
    """Random."""
    k, T = 1 + read.below(3), 1 + read.below(6)
    features = tuple(read.unit(k) for _ in range(T))
    y = tuple(F(4 - read.below(9), 4) for _ in range(T))
    return Ridge(
        features,
        y,
        (F(1), F(2), F(1, 4), F(5))[read.below(4)],
        tuple(F(2 - read.below(5), 2) for _ in range(k)),
    )


def log(x: F) -> rl.Enclosure:
    """ln x."""
    return enclosed(lambda: ball.to_arb(x).log())


ONE = Ridge(((F(1),),), (HALF,), F(1), (F(1, 4),))
AXES = Ridge(((F(1), F(0)), (F(0), F(1))), (F(1), HALF), F(1), (F(1), F(0)))

ridge_identities: Claim[Ridge] = Claim(
    statement="ρ = Σy² − b·A⁻¹b; L(w) = ρ + ‖w − ŵ‖²_A − λ‖w‖²; det(A_T/λ) = Π(1 + ‖φ_t‖² in A_{t−1}⁻¹)",
    source=PAPER.at("derived; standard"),
    let=decoded(ridge, 64),
    assume=[],
    then=Eq(
        lhs=lambda x: [
            F(x.fitted.rho[0, 0]),
            x.loss(x.w),
            x.growth,
        ],
        rhs=lambda x: [
            x.loss(x.heads) + x.lam * dot(x.heads, x.heads),
            F(x.fitted.rho[0, 0]) + x.quadratic - x.lam * dot(x.w, x.w),
            F(math.prod(1 + s for s in x.squares)),
        ],
    ),
    tight=Tight([ONE, AXES], within=0),
    mutants=[
        Mutant("ρ without the penalty", then=Eq(lambda x: F(x.fitted.rho[0, 0]), lambda x: x.loss(x.heads))),
        Mutant(
            "L(w) = ρ + ‖w − ŵ‖²_A",
            then=Eq(lambda x: x.loss(x.w), lambda x: F(x.fitted.rho[0, 0]) + x.quadratic),
        ),
    ],
    expect=CERTIFIED,
)

ridge_identities_potential: Claim[Ridge] = Claim(
    statement="2^Σmin(1, ‖φ_t‖²) ≤ det(A_T/λ) ≤ (1 + T/(kλ))^k: Σmin ≤ ld/ln 2 ≤ 2ld, ld ≤ k ln(1 + T/(kλ))",
    source=PAPER.at("derived; standard (elliptic potential)"),
    let=decoded(ridge, 64),
    assume=[],
    then=Leq(
        lhs=lambda x: [
            x.power(2),
            x.growth,
            enclosed(lambda: ball.to_arb(x.growth).log() / ball.to_arb(2).log()),
        ],
        rhs=lambda x: [
            x.growth,
            x.mean_bound(x.k),
            rl.Enclosure(2 * F(x.logdet.lower), 2 * F(x.logdet.upper)) if x.growth > 1 else F(0),
        ],
    ),
    tight=Tight([ONE, AXES], within=0),
    mutants=[
        Mutant(
            "factor 1: e^Σmin ≤ det",
            then=Leq(lambda x: enclosed(lambda: ball.to_arb(x.capped).exp()), lambda x: x.growth),
        ),
        Mutant(
            "k − 1 in place of k",
            then=Leq(lambda x: x.growth if x.k > 1 else F(1), lambda x: x.mean_bound(max(1, x.k - 1))),
        ),
    ],
    expect=CERTIFIED,
)

ridge_identities_logdet: Claim[Ridge] = Claim(
    statement="ld = ln det(A_T/λ) = Σ_t ln(1 + ‖φ_t‖² in A_{t−1}⁻¹)",
    source=PAPER.at("derived; standard"),
    let=decoded(ridge, 64),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.logdet, x.logdet],
        rhs=lambda x: [log(x.growth), log(F(math.prod(1 + s for s in x.squares)))],
        within=F(1, 10**30),
    ),
    tight=Tight([ONE, AXES], within=0),
    mutants=[
        Mutant("ln det A_T", then=Eq(lambda x: x.logdet, lambda x: log(x.growth * x.lam**x.k))),
        Mutant("k ln(1 + T/(kλ))", then=Eq(lambda x: x.logdet, lambda x: log(x.mean_bound(x.k)))),
    ],
    expect=CERTIFIED,
)


# ---- all rounds of several tasks --------------------------------------------------------------
@dataclass(frozen=True)
class Tasks:
    """Let tasks of one length T and one λ be given."""

    each: tuple[Ridge, ...]

    @property
    def lam(self) -> F:
        """λ."""
        return self.each[0].lam

    @property
    def T(self) -> int:
        """Rounds."""
        return self.each[0].T

    def power(self, T: int, base: arb | None = None) -> Any:
        """base^((Σ_t √(Σ_i u_{t,i}²))²/T), base 2 unless given; exact when the exponent is an integer."""
        s = [sum(u, F(0)) for u in zip(*(x.squares for x in self.each), strict=True)]
        parts = [sum(s, F(0)), *(root(4 * a * b) for a, b in itertools.combinations(s, 2))]
        if base is None and all(isinstance(v, F) for v in parts):
            exponent = sum(parts, F(0)) / T
            if exponent.denominator == 1:
                return F(2) ** int(exponent)
        return enclosed(lambda: (base or arb(2)) ** (sum((inside(v) for v in parts), arb(0)) / T))

    @property
    def growth(self) -> F:
        """e^LD, LD = Σ_i ld_i, by elimination."""
        return F(math.prod(x.growth for x in self.each))


def inside(v: Any) -> arb:
    """A rational or an enclosure as a ball."""
    ends = (v, v) if isinstance(v, F) else (F(v.lower), F(v.upper))
    return ball.to_arb(ends[0]).union(ball.to_arb(ends[1]))


def tasks(read: UnitReader) -> Tasks:
    """One to three tasks."""
    k, T, M, lam = 1 + read.below(2), 1 + read.below(5), 1 + read.below(3), F(1 + read.below(4))
    zero = (F(0),)
    return Tasks(
        tuple(Ridge(tuple(read.unit(k) for _ in range(T)), zero * T, lam, zero * k) for _ in range(M))
    )


known_phi_widths: Claim[Tasks] = Claim(
    statement="λ ≥ 1: Σ_t √(Σ_i u_{t,i}²) ≤ √(T·LD/ln 2), here 2^((Σ_t √(Σu²))²/T) ≤ e^LD",
    source=PAPER.at("derived; gives Reg(T) ≤ Σ_t 2r_t√(Σu²) ≤ 2r_T√(T·LD/ln 2) on the event"),
    let=decoded(tasks, 64),
    assume=[
        Assumption("λ ≥ 1", lambda x: x.lam >= 1, Tasks((Ridge(((F(1),),), (F(0),), F(1, 4), (F(0),)),)))
    ],
    then=Leq(lhs=lambda x: x.power(x.T), rhs=lambda x: x.growth),
    tight=Tight([Tasks((ONE,)), Tasks((AXES,)), Tasks((ONE, ONE))], within=0),
    mutants=[
        Mutant("LD for LD/ln 2", lhs=lambda x: x.power(x.T, arb(1).exp())),
        Mutant("without T", lhs=lambda x: x.power(1)),
    ],
    expect=CERTIFIED,
    draws=80,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
