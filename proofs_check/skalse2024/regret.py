"""The geometry of worst-case regret: range, duality, and the constants of soundness and completeness.

ρ is the support function of Ω − Ω, a seminorm with kernel N.  Reg(R1, R2)ρ(R1) = min_{λ≥0} ρ(R1 − λR2).
A metric d is sound with U if Reg ≤ U·d, complete with L if Reg ≥ L·d for a nontrivial R1.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.solvers import optimal_regret as worst_optimal
from rltheory.solvers import reward_range

from .setting import FIRST, OPPOSITE, PAPER, SECOND, Two, one_state, two

# ---- the range -------------------------------------------------------------------------------
range_norm: Claim[Two] = Claim(
    statement="ρ(R1 + R2) ≤ ρ(R1) + ρ(R2)",
    source=PAPER.at("geometry of regret; derived"),
    let=decoded(lambda b: two(b, S=3)),
    assume=[],
    then=Leq(
        lhs=lambda x: F(reward_range(x.R1 + x.R2, x.W.mdp)),  # type: ignore[arg-type]
        rhs=lambda x: x.sizes[0] + x.sizes[1],
    ),
    tight=Tight(Two(FIRST.W, FIRST.R1, 2 * FIRST.R1), within=0),
    mutants=[
        Mutant("at most the larger of the two", rhs=lambda x: max(x.sizes)),
        Mutant("and at least their difference squared", then=Leq(
            lambda x: (x.sizes[0] - x.sizes[1]) ** 2, lambda x: x.W.rho(x.R1 + x.R2)
        )),
    ],
    expect=CERTIFIED,
    draws=60,
)  # fmt: skip


range_norm_value: Claim[Two] = Claim(
    statement="ρ is even, homogeneous, unchanged by N, and the range over deterministic policies",
    source=PAPER.at("geometry of regret; derived"),
    let=decoded(lambda b: two(b, S=3)),
    assume=[],
    then=Eq(
        lhs=lambda x: [
            reward_range(R, x.W.mdp)
            for R in (
                x.R1,
                -3 * x.R1,
                x.R1 + x.W.shaping(x.R2[:, 0, 0]) + x.W.redistribution(x.R2),
            )
        ],
        rhs=lambda x: [x.sizes[0], 3 * x.sizes[0], x.sizes[0]],
    ),
    tight=Tight(FIRST, within=0),
    mutants=[
        Mutant("it is the largest |J|", rhs=lambda x: [max(map(abs, x.W.returns(x.R1)))] * 3),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- duality ---------------------------------------------------------------------------------
def primal(x: Two) -> F:
    """max ⟨r1, d1 − d2⟩ with ⟨r2, d2 − d1⟩ ≥ 0: the best pair of vertices, or mixture of two pairs."""
    J1, J2 = x.W.returns(x.R1), x.W.returns(x.R2)
    pairs = itertools.product(range(len(J1)), repeat=2)
    lines = {(J1[i] - J1[j], J2[i] - J2[j]) for i, j in pairs}
    fine = [(a, b) for a, b in lines if b <= 0]
    best = max(a for a, b in fine)
    for a, b in lines:
        if b > 0 and a > best:
            for a2, b2 in fine:
                if b2 < 0:
                    best = max(best, (a * -b2 + a2 * b) / (b - b2))
    return best


duality: Claim[Two] = Claim(
    statement="Reg(R1, R2)·ρ(R1) = min_{λ≥0} ρ(R1 − λR2)",
    source=PAPER.at("geometry of regret; derived by linear programming duality"),
    let=decoded(two),
    assume=[],
    then=Eq(
        lhs=lambda x: [primal(x), x.reg * x.sizes[0]],
        rhs=lambda x: [x.W.dual(x.R1, x.R2)] * 2,
    ),
    tight=Tight([FIRST, SECOND], within=0),
    named={"opposite rewards": OPPOSITE},
    mutants=[
        Mutant("λ of either sign", rhs=lambda x: [x.W.dual(x.R1, x.R2, negative=True)] * 2),
        Mutant("λ = 1", rhs=lambda x: [x.W.rho(x.R1 - x.R2)] * 2),
    ],
    expect=CERTIFIED,
    draws=60,
)


def bilevel(x: Two) -> F:
    """[max J_1 − J_1(π)]/ρ(R1), the worst vertex π that is optimal for R2, by enumeration."""
    J1, J2 = x.W.returns(x.R1), x.W.returns(x.R2)
    worst = min(a for a, b in zip(J1, J2, strict=True) if b == max(J2))
    return (max(J1) - worst) / x.sizes[0] if x.sizes[0] else F(0)


optimal_regret: Claim[Two] = Claim(
    statement="[max J_1 − J_1(π)]/ρ(R1) ≤ Reg(R1, R2) for every π optimal for R2",
    source=PAPER.at("bi-level regret; derived"),
    let=decoded(two),
    assume=[],
    then=Leq(lhs=bilevel, rhs=lambda x: x.reg),
    tight=Tight(OPPOSITE, within=0),
    named={"three actions": one_state([0, 1, 3], [0, 2, 3])},
    mutants=[Mutant("with equality", then=Eq(bilevel, lambda x: x.reg))],
    expect=CERTIFIED,
    draws=60,
)


optimal_regret_value: Claim[Two] = Claim(
    statement="the worst policy optimal for R2 is found by one solve over the actions of advantage 0",
    source=PAPER.at("bi-level regret; derived"),
    let=decoded(lambda b: two(b, S=3)),
    assume=[],
    then=Eq(lhs=lambda x: 1 + F(worst_optimal(x.R1, x.R2, x.W.mdp)), rhs=lambda x: 1 + bilevel(x)),  # type: ignore[arg-type]
    tight=Tight(OPPOSITE, within=0),
    mutants=[Mutant("it is Reg", rhs=lambda x: 1 + x.reg)],
    expect=CERTIFIED,
    draws=60,
)


# ---- half of a distance ----------------------------------------------------------------------
@dataclass(frozen=True)
class Units:
    """Let x and y have norm 1 (L1 and L∞ versions of the same integer vectors) and λ be a number."""

    u: tuple[int, ...]
    v: tuple[int, ...]
    lam: F

    def sides(self, norm: Any) -> tuple[F, F]:
        """‖x − y‖ and ‖x − λy‖ for x = u/‖u‖, y = v/‖v‖."""
        a, b = norm(self.u), norm(self.v)
        x, y = [F(k, a) for k in self.u], [F(k, b) for k in self.v]
        pairs = list(zip(x, y, strict=True))
        return norm([p - q for p, q in pairs]), norm([p - self.lam * q for p, q in pairs])


def l1(x: Any) -> Any:
    """Σ|x|."""
    return sum(abs(v) for v in x)


def linf(x: Any) -> Any:
    """max|x|."""
    return max(abs(v) for v in x)


def units(read: Reader) -> Units:
    """Three entries; y often near ±x; λ in [−½, 2], mostly ≥ 0."""
    u = [read.below(7) - 3 for _ in range(3)]
    u[0] = u[0] or 1
    sign = (1, -1, 0)[read.below(3)]
    v = [sign * k + (read.below(3) - 1 if read.below(2) else 0) for k in u]
    v[1] = v[1] if any(v) else 1
    return Units(tuple(u), tuple(v), F(read.below(21) - 4, 8))


FACING = Units((1, 2, 0), (-1, -2, 0), F(0))

half_lemma: Claim[Units] = Claim(
    statement="‖x‖ = ‖y‖ = 1, λ ≥ 0: ‖x − λy‖ ≥ ½‖x − y‖, any norm",
    source=PAPER.at("half-lemma; derived"),
    let=decoded(units, 24),
    assume=[Assumption("λ ≥ 0", lambda x: x.lam >= 0, Units((1, 2, 0), (-1, -2, 0), F(-1)))],
    then=Leq(
        lhs=lambda x: [x.sides(n)[0] / 2 for n in (l1, linf)],
        rhs=lambda x: [x.sides(n)[1] for n in (l1, linf)],
    ),
    tight=Tight(FACING, within=0),
    mutants=[
        Mutant("factor .51", lhs=lambda x: [F(51, 100) * x.sides(n)[0] for n in (l1, linf)]),
        Mutant("λ of either sign", drop="λ ≥ 0"),
    ],
    expect=CERTIFIED,
)

TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (0, 1, 1), (1, 0, 1), (20, 21, 29))


@dataclass(frozen=True)
class Circle:
    """Let x and y be rational points of the unit circle at most 90° apart, λ ≥ 0."""

    i: int
    j: int
    turn: bool
    lam: F

    @cached_property
    def xy(self) -> tuple[tuple[F, F], tuple[F, F]]:
        """x and y."""
        a, b, c = TRIPLES[self.i]
        d, e, f = TRIPLES[self.j]
        x, y = (F(a, c), F(b, c)), (F(d, f), F(e, f))
        return x, ((-y[1], y[0]) if self.turn else y)

    def gap(self, lam: F) -> F:
        """‖x − λy‖²."""
        (a, b), (c, d) = self.xy
        return (a - lam * c) ** 2 + (b - lam * d) ** 2

    @property
    def cosine(self) -> F:
        """⟨x, y⟩."""
        (a, b), (c, d) = self.xy
        return a * c + b * d


half_lemma_euclid: Claim[Circle] = Claim(
    statement="Euclidean, angle θ ≤ 90°: ‖x − λy‖ ≥ cos(θ/2)‖x − y‖ ≥ √½‖x − y‖ (squares compared)",
    source=PAPER.at("half-lemma; derived"),
    let=decoded(lambda b: Circle(b.below(6), b.below(6), b.below(3) == 0, F(b.below(17), 8)), 8),
    assume=[
        Assumption("θ ≤ 90°", lambda x: x.cosine >= 0, Circle(4, 3, True, F(0))),
    ],
    then=Leq(
        lhs=lambda x: [(1 + x.cosine) / 2 * x.gap(F(1)), x.gap(F(1)) / 2],
        rhs=lambda x: [x.gap(x.lam), x.gap(x.lam)],
    ),
    tight=Tight(Circle(3, 4, False, F(0)), within=0),
    mutants=[Mutant("factor 1", lhs=lambda x: [x.gap(F(1)), x.gap(F(1))])],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
