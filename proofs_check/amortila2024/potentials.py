"""Potentials of a sequence of laws: elliptic, coverability, and the one hybrid learning pays.

d_1, …, d_T are laws on finitely many points, C = Σ_z max_t d_t(z), U_t = Σ_{i≤t} d_i.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

from flint import arb, fmpq

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Erratum, Leq, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.operators import clipped_concentrability

from .setting import BITS, HALF, PAPER, Law, LawReader, cover, decoded, harmonic, log, scaled


@dataclass(frozen=True)
class Sequence:
    """Let d_1, …, d_T be laws."""

    laws: tuple[Law, ...]

    @property
    def T(self) -> int:
        """Rounds."""
        return len(self.laws)

    @cached_property
    def C(self) -> F:
        """Σ_z max_t d_t(z)."""
        return cover(self.laws)

    @property
    def H_T(self) -> F:
        """1 + ½ + … + 1/T."""
        return harmonic(self.T)

    @cached_property
    def elliptic(self) -> list[F]:
        """Σ_t d_t(z)/(Σ_{i<t} d_i(z) + max_t d_t(z)), for the points some law visits."""
        out = []
        for column in zip(*self.laws, strict=True):
            top = max(column)
            if top:
                total, before = F(0), F(0)
                for d in column:
                    total += d / (before + top)
                    before += d
                out.append(total)
        return out

    @cached_property
    def potential(self) -> F:
        """Σ_t E_{d_t}[d_t/U_t]."""
        total = F(0)
        for column in zip(*self.laws, strict=True):
            U = F(0)
            for d in column:
                U += d
                if d:
                    total += d * d / U
        return total


def sequence(read: LawReader, most: int = 12) -> Sequence:
    """Laws on 1 to 4 points: repeated, one-hot in turn, or drawn anew."""
    n, T, kind = 1 + read.below(4), 1 + read.below(most), read.below(3)
    if kind == 0:
        return Sequence((read.law(n),) * T)
    if kind == 1:
        points = [tuple(F(int(i == j)) for i in range(n)) for j in range(n)]
        return Sequence(tuple(points[read.below(n)] for _ in range(T)))
    return Sequence(tuple(read.law(n) for _ in range(T)))


SAME = Sequence((((F(1, 2)), F(1, 2)),) * 6)
POINT = Sequence(((F(1),),))
LONG = Sequence(((F(1),),) * 25)
MIXED = Sequence(
    (
        (HALF, HALF, F(0)),
        (F(1, 5), F(3, 10), HALF),
        (F(1), F(0), F(0)),
        (F(0), HALF, HALF),
    )
)
"""The page's example: C = 2, potential 2.700…"""

elliptic: Claim[Sequence] = Claim(
    statement="Σ_{t≤T} d_t(z)/(Σ_{i<t} d_i(z) + Cμ(z)) ≤ H_T, hence ≤ 2 ln(1+T)",
    source=PAPER.at("Lemma D.5; the harmonic form derived (the sum is convex in each u_t)"),
    let=decoded(sequence),
    assume=[],
    then=Leq(
        lhs=lambda x: [*x.elliptic, *x.elliptic],
        rhs=lambda x: [*[x.H_T] * len(x.elliptic), *[scaled(2, log(1 + x.T))] * len(x.elliptic)],
    ),
    tight=Tight([SAME, POINT], within=0),
    named={"the page's": MIXED},
    mutants=[
        Mutant("ln(1+T)", rhs=lambda x: [log(1 + x.T)] * (2 * len(x.elliptic))),
        Mutant("H_T − 0.01", rhs=lambda x: [x.H_T - F(1, 100)] * (2 * len(x.elliptic))),
    ],
    expect=CERTIFIED,
)

cov_potential: Claim[Sequence] = Claim(
    statement="Σ_t E_{d_t}[d_t/Σ_{i≤t} d_i] ≤ C·H_T, C = Σ_z max_t d_t(z)",
    source=PAPER.at("Lemma E.3; the harmonic form derived (u²/U is jointly convex)"),
    let=decoded(lambda b: sequence(b, 25), 160),
    assume=[],
    then=Leq(lhs=lambda x: x.potential, rhs=lambda x: x.C * x.H_T),
    tight=Tight([SAME, POINT, LONG], within=0),
    named={"the page's": MIXED},
    mutants=[
        Mutant("5C ln T, T = 1 included", rhs=lambda x: scaled(5 * x.C, log(x.T))),
        Mutant("C ln(1+T)", rhs=lambda x: scaled(x.C, log(1 + x.T))),
        Mutant("0.95·C·H_T", rhs=lambda x: F(19, 20) * x.C * x.H_T),
    ],
    expect=CERTIFIED,
)

cov_potential_printed: Claim[Sequence] = Claim(
    statement="Σ_t E_{d_t}[d_t/Σ_{i≤t} d_i] ≤ 5C ln T for T ≥ 2",
    source=PAPER.at("Lemma E.3, for T ≥ 2"),
    let=decoded(lambda b: sequence(b, 25), 160),
    assume=[Assumption("T ≥ 2", lambda x: x.T >= 2, fails_without=POINT)],
    then=Leq(lhs=lambda x: x.potential, rhs=lambda x: scaled(5 * x.C, log(x.T))),
    tight=Tight(Sequence(((F(1),),) * 2), within=0.57),
    named={
        "a new point each round": Sequence(tuple(tuple(F(int(i == t)) for i in range(20)) for t in range(20)))
    },
    mutants=[
        Mutant("2C ln T", rhs=lambda x: scaled(2 * x.C, log(x.T))),
        Mutant("5 ln T without C", rhs=lambda x: scaled(5, log(x.T)), named_only=True),
    ],
    expect=CERTIFIED,
)

cov_potential_t1 = Erratum(
    statement="Σ_{t≤T} E_{d_t}[d_t/Σ_{i≤t} d_i] ≤ 5C ln T",
    source=PAPER.at("Lemma E.3, at T = 1: one point, 1 ≤ 0"),
    then=Leq(lhs=lambda x: x.potential, rhs=lambda x: scaled(5 * x.C, log(x.T))),
    counterexample=POINT,
    corrected=cov_potential,
)

harmonic_t1 = Erratum(
    statement="Σ_{t≤T} 1/t ≤ 3 ln T",
    source=PAPER.at("proof of Theorem 4.1, at T = 1"),
    then=Leq(lhs=lambda x: x.H_T, rhs=lambda x: scaled(3, log(x.T))),
    counterexample=POINT,
    corrected=cov_potential,
)


# ---- hybrid ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Hybrid(Sequence):
    """Let ν be a law, μ_t = ½(ν + mean of d_1..d_{t−1}), γ ∈ [0, 1]."""

    nu: Law
    gamma: F

    def mu(self, t: int) -> Law:
        """μ_t, t ≥ 2."""
        before = [sum(column[: t - 1], F(0)) / (t - 1) for column in zip(*self.laws, strict=True)]
        return tuple((v + b) / 2 for v, b in zip(self.nu, before, strict=True))

    @cached_property
    def left(self) -> F | rl.Enclosure:
        """Σ_{t=2}^T CC(π_t, μ_t, γt)/t, by the library."""
        return sum(
            (
                F(clipped_concentrability(list(self.laws[t - 1]), list(self.mu(t)), self.gamma * t)) / t
                for t in range(2, self.T + 1)
            ),
            F(0),
        )

    def right(self, c: F) -> F | rl.Enclosure:
        """c·C·H_T."""
        return c * self.C * self.H_T


def harmonic_ball(T: int) -> arb:
    """H_T = ψ(T + 1) + γ_E."""
    return arb(T + 1).digamma() + arb.const_euler()


@dataclass(frozen=True)
class OnePoint(Hybrid):
    """d_t one point, ν elsewhere: CC = min{2, γt}, so the left is Σ_{t=2}^T min{2, γt}/t in closed form."""

    rounds: int = 2

    @property
    def T(self) -> int:
        """Rounds, far more than could be listed."""
        return self.rounds

    @cached_property
    def left(self) -> F | rl.Enclosure:
        """γ·#{2 ≤ t ≤ 2/γ} + 2(H_T − H_{⌊2/γ⌋})."""
        m = min(self.T, int(2 / self.gamma))
        with ball.precision(BITS):
            tail = 2 * (harmonic_ball(self.T) - harmonic_ball(m)) if m < self.T else arb(0)
            return rl.Enclosure.ball(arb(fmpq((m - 1) * self.gamma.numerator, self.gamma.denominator)) + tail)

    def right(self, c: F) -> F | rl.Enclosure:
        """c·H_T."""
        with ball.precision(BITS):
            return rl.Enclosure.ball(ball.to_arb(c) * harmonic_ball(self.T))


def one_point(gamma: F, T: int) -> OnePoint:
    """The tight family."""
    return OnePoint(((F(1), F(0)),), (F(0), F(1)), gamma, T)


def listed(T: int, gamma: F) -> Hybrid:
    """The same, round by round."""
    return Hybrid(((F(1), F(0)),) * T, (F(0), F(1)), gamma)


def hybrid(read: LawReader) -> Hybrid:
    """Random sequences with a random ν, half of the time away from all of them."""
    x, gamma = sequence(read, 10), (F(1), HALF, F(1, 4), F(1, 10), F(0))[read.below(5)]
    n = len(x.laws[0])
    if read.below(2):
        return Hybrid(tuple((*d, F(0)) for d in x.laws), (F(0),) * n + (F(1),), gamma)
    return Hybrid(x.laws, read.law(n), gamma)


h2o_potential: Claim[Hybrid] = Claim(
    statement="Σ_{t=2}^T CC(π_t, ½(ν + d̄_t), γt)/t ≤ (2+γ)·C_cov·H_T",
    source=PAPER.at("proof of Theorem 4.1 (Lemma F.6); constants derived"),
    let=decoded(hybrid),
    assume=[],
    then=Leq(lhs=lambda x: x.left, rhs=lambda x: x.right(2 + x.gamma)),
    tight=Tight([one_point(F(1, 20), 10**40)], within=0.06),
    named={
        "γ = 1/5, T = 10⁴": one_point(F(1, 5), 10**4),
        "γ = 1/20, T = 10⁴": one_point(F(1, 20), 10**4),
        "γ = 1/2, T = 10": one_point(HALF, 10),
        "γ = 1": one_point(F(1), 12367),
        "listed": listed(10, HALF),
    },
    mutants=[
        Mutant("0.25·C·H_T", rhs=lambda x: x.right(F(1, 4))),
        Mutant("1.8·C·H_T", rhs=lambda x: x.right(F(9, 5)), named_only=True),
    ],
    expect=CERTIFIED,
    draws=80,
)

h2o_potential_closed: Claim[Hybrid] = Claim(
    statement="one point, ν elsewhere: Σ_{t=2}^T CC/t = γ·#{2 ≤ t ≤ 2/γ} + 2(H_T − H_⌊2/γ⌋)",
    source=PAPER.at("tight family of the potential; derived"),
    let=decoded(lambda b: listed(2 + b.below(40), F(1 + b.below(16), 16)), 4),
    assume=[],
    then=Eq(lhs=lambda x: x.left, rhs=lambda x: one_point(x.gamma, x.T).left, within=F(1, 10**30)),
    tight=Tight(listed(10, HALF), within=0),
    mutants=[Mutant("2(H_T − 1): no clipping", rhs=lambda x: 2 * (x.H_T - 1))],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
