"""EPIC and DARD: what their canonical forms forget, and why they neither bound regret nor follow it.

EPIC: C(R)(s, a, s') = R + γμ(s') − μ(s) − γE μ(S), μ(s) = E R(s, A, S') under full-support D_A, D_S; DARD
puts the transition law in place of D_S.  Distances are ½‖standardised difference‖₂, in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Loose,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.kernels import ball
from rltheory.operators import canonicalise
from rltheory.solvers import starc_distance

from .algebra import image_rank
from .setting import FIRST, PAPER, Table, Two, World, table, two, world

EPIC_PAPER = "Gleave, Dennis, Legg, Russell and Leike 2021"


# ---- kernels ---------------------------------------------------------------------------------
epic_kernel: Claim[World] = Claim(
    statement="C_EPIC and C_DARD vanish exactly on potential shaping: rank S²A − S for S ≥ 2",
    source=PAPER.at(f"Section on EPIC; {EPIC_PAPER}"),
    let=decoded(lambda b: world(b, S=3, A=2, least=2)),
    assume=[Assumption("S ≥ 2", lambda W: W.S >= 2, NotShown("one state has no shaping but constants"))],
    then=Eq(
        lhs=lambda W: [image_rank(W, "EPIC"), image_rank(W, "DARD")],
        rhs=lambda W: [W.S * W.S * W.A - W.S] * 2,
    ),
    tight=Tight(FIRST.W, within=0),
    mutants=[
        Mutant("redistributions vanish too: rank S(A−1)", rhs=lambda W: [W.S * (W.A - 1)] * 2),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True, eq=False)
class Shaped(Two):
    """Let Φ = R2(·, 0, 0) be a potential and X the redistribution made from R2."""

    def forms(self, extra: Table) -> list[Any]:
        """EPIC and DARD forms of R1 + extra."""
        out: list[Any] = []
        for canon in ("EPIC", "DARD"):
            out += canonicalise(self.R1 + extra, self.W.mdp, canon).ravel().tolist()
        return out

    @property
    def phi(self) -> Table:
        """Shaping by Φ."""
        return self.W.shaping(self.R2[:, 0, 0])

    @property
    def X(self) -> Table:
        """Redistribution."""
        return self.W.redistribution(self.R2)


def shaped(read: Reader) -> Shaped:
    """Random."""
    x = two(read, S=3, A=2, least=2)
    return Shaped(x.W, x.R1, x.R2)


SHAPED = Shaped(FIRST.W, FIRST.R1, FIRST.R2)

epic_kernel_shaping: Claim[Shaped] = Claim(
    statement="EPIC and DARD forms do not see potential shaping",
    source=PAPER.at(f"Section on EPIC; {EPIC_PAPER}"),
    let=decoded(shaped),
    assume=[],
    then=Eq(lhs=lambda x: x.forms(x.phi), rhs=lambda x: x.forms(0 * x.phi)),
    tight=Tight(SHAPED, within=0),
    mutants=[Mutant("nor redistribution", lhs=lambda x: x.forms(x.X))],
    expect=CERTIFIED,
    draws=60,
)


def epic(x: World, A: Table, B: Table, canon: Any = "EPIC") -> rl.Enclosure:
    """½·(canon-2-2), by the library."""
    d = starc_distance(A, B, x.mdp, canon=canon)
    low, high = (d.lower, d.upper) if isinstance(d, rl.Enclosure) else (F(d), F(d))
    return rl.Enclosure(low / 2, high / 2)


epic_incomplete: Claim[Shaped] = Claim(
    statement="R2 = R1 + X, X a redistribution: Reg(R1, R2) = Reg(R2, R1) = 0",
    source=PAPER.at("EPIC and DARD are not complete"),
    let=decoded(shaped),
    assume=[],
    then=Eq(
        lhs=lambda x: [1 + Two(x.W, x.R1, x.R1 + x.X).reg, 1 + Two(x.W, x.R1 + x.X, x.R1).reg],
        rhs=lambda x: [F(1), F(1)],
    ),
    tight=Tight(SHAPED, within=0),
    mutants=[
        Mutant("and so is EPIC", then=Eq(lambda x: 1 + epic(x.W, x.R1, x.R1 + x.X).lower, lambda x: F(1))),
        Mutant(
            "and so is DARD", then=Eq(lambda x: 1 + epic(x.W, x.R1, x.R1 + x.X, "DARD").lower, lambda x: F(1))
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- the 1/N family --------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Drowned:
    """Let R be nontrivial, X ≠ 0 a redistribution: R1 = R + NX and R2 = −R + NX."""

    W: World
    R: Table
    X: Table
    N: F

    @property
    def x(self) -> Two:
        """The pair."""
        return Two(self.W, self.R + self.N * self.X, -self.R + self.N * self.X)

    @cached_property
    def nontrivial(self) -> bool:
        """ρ(R) > 0 and X ≠ 0."""
        return self.W.rho(self.R) > 0 and bool((self.X != 0).any())

    def sides(self, canon: Any, power: float = 1.0) -> tuple[rl.Enclosure, rl.Enclosure]:
        """Distance (EPIC, or twice that for DARD-2-2) and q/N^power (2q/N^power)."""
        double = 2 if canon == "DARD" else 1
        d = epic(self.W, self.x.R1, self.x.R2, canon)
        c, e = (np.asarray(canonicalise(R, self.W.mdp, canon)) for R in (self.R, self.X))
        q2 = F((c * c).sum()) / F((e * e).sum())
        scale = self.N if power == 1 else F(str(float(self.N) ** power))
        with ball.precision(192):
            q = rl.Enclosure.ball(ball.sqrt(np.array([q2], dtype=object))[0])
        return (
            rl.Enclosure(double * d.lower, double * d.upper),
            rl.Enclosure(double * q.lower / scale, double * q.upper / scale),
        )


SCALES = (F(1, 2), F(1), F(3), F(10), F(100), F(10**4), F(10**6))


def drowned(read: Reader) -> Drowned:
    """Random R, X and N; half of the time τ has full support."""
    W = world(read, S=3, A=2, least=2)
    if read.below(2):
        W = World(W.tau / 2 + table([F(1, 2 * W.S)] * W.S), W.mu, W.gamma)
    N = SCALES[read.below(7)]
    return Drowned(W, read.numbers(*W.tau.shape), W.redistribution(read.numbers(*W.tau.shape)), N)


def orthogonal(N: F) -> Drowned:
    """The first instance, with C(R) made orthogonal to C(X)."""
    X = FIRST.W.redistribution(FIRST.R2)
    c, e = (np.asarray(canonicalise(R, FIRST.W.mdp, "EPIC")) for R in (FIRST.R1, X))
    return Drowned(FIRST.W, FIRST.R1 - (c * e).sum() / (e * e).sum() * X, X, N)


epic_unsound: Claim[Drowned] = Claim(
    statement="R1, R2 = NX ± R: Reg = 1, yet EPIC ≤ q/N and DARD-2-2 ≤ 2q/N, q = ‖C(R)‖₂/‖C(X)‖₂",
    source=PAPER.at("EPIC and DARD are not sound"),
    let=decoded(drowned),
    assume=[
        Assumption(
            "R is nontrivial, X ≠ 0", lambda x: x.nontrivial, NotShown("Reg(R1, R2) = 0 for a trivial R1")
        )
    ],
    then=Leq(
        lhs=lambda x: [x.sides("EPIC")[0], x.sides("DARD")[0], F(1)],
        rhs=lambda x: [x.sides("EPIC")[1], x.sides("DARD")[1], x.x.reg],
    ),
    tight=Tight([orthogonal(F(1000))], within=1e-5),
    named={"N = 10⁶": orthogonal(F(10**6))},
    mutants=[
        Mutant("q/N^1.01", then=Leq(lambda x: x.sides("EPIC")[0], lambda x: x.sides("EPIC", 1.01)[1])),
        Mutant("q/N^1.5", then=Leq(lambda x: x.sides("EPIC")[0], lambda x: x.sides("EPIC", 1.5)[1])),
        Mutant(
            "q/(2N)", then=Leq(lambda x: x.sides("EPIC")[0].lower * 2, lambda x: x.sides("EPIC")[1].upper)
        ),
        Mutant(
            "EPIC is sound with U = 10 where τ has full support",
            then=Leq(
                lambda x: x.x.reg if (x.W.tau > 0).all() else F(0), lambda x: 10 * x.sides("EPIC")[0].upper
            ),
        ),
        Mutant(
            "EPIC is sound with U = 1000",
            then=Leq(lambda x: x.x.reg, lambda x: 1000 * x.sides("EPIC")[0].upper),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- EPIC's own bound ------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Covered(Two):
    """Let D be uniform over S×A×S, so K = S²A bounds P_π(s_t, a_t, s_{t+1})/D."""

    @cached_property
    def loss(self) -> F:
        """max J_A − J_A(π_B*) for the worst π_B* among optimal vertices."""
        J1, J2 = self.W.returns(self.R1), self.W.returns(self.R2)
        return max(J1) - min(a for a, b in zip(J1, J2, strict=True) if b == max(J2))

    def bound(self, factor: F, *, by_range: bool = False) -> rl.Enclosure:
        """factor·K‖R_A‖_{2,D}·EPIC/(1−γ); `by_range`: ρ(R_A) in place of the norm."""
        n = self.W.tau.size
        d = epic(self.W, self.R1, self.R2)
        square = F((self.R1 * self.R1).sum()) / n if not by_range else self.W.rho(self.R1) ** 2
        with ball.precision(192):
            size = rl.Enclosure.ball(ball.sqrt(np.array([square], dtype=object))[0])
        k = factor * n / (1 - self.W.gamma)
        return rl.Enclosure(k * size.lower * d.lower, k * size.upper * d.upper)


def covered(read: Reader) -> Covered:
    """Random pairs, and near-ties of one state with three actions."""
    if read.below(2):
        e, t = F(1 + read.below(30), 100), F(1, 10 ** (2 + read.below(6)))
        return hidden(e, t)
    x = two(read, S=2, A=2)
    return Covered(x.W, x.R1, x.R2)


def hidden(e: F, t: F) -> Covered:
    """One state: R_A = (1+e, 1−e, −2), R_B = (1−t, 1+t, −2)."""
    W = World(table(np.ones((1, 3, 1), dtype=int)), table([1]), F(1, 2))
    return Covered(W, *(table(r).reshape(1, 3, 1) for r in ([1 + e, 1 - e, F(-2)], [1 - t, 1 + t, F(-2)])))


def sunk() -> Covered:
    """The 1/N family at N = 1000."""
    x = orthogonal(F(1000)).x
    return Covered(x.W, x.R1, x.R2)


epic_weak_bound: Claim[Covered] = Claim(
    statement="J_A(π_A*) − J_A(π_B*) ≤ 16K‖R_A‖_{2,D}·EPIC/(1−γ)",
    source=PAPER.at(f"after {EPIC_PAPER}, Theorem 4.9"),
    let=decoded(covered),
    assume=[],
    then=Leq(lhs=lambda x: x.loss, rhs=lambda x: x.bound(F(16))),
    tight=Loose(0.9, "largest ratio found: 1/(4√6), by near-ties of one state"),
    named={
        "e = .3": hidden(F(3, 10), F(1, 10**9)),
        "e = .01": hidden(F(1, 100), F(1, 10**9)),
        "drowned": sunk(),
    },
    mutants=[
        Mutant("16 replaced by 1.5", rhs=lambda x: x.bound(F(3, 2))),
        Mutant("ρ(R_A) in place of the norm", rhs=lambda x: x.bound(F(16), by_range=True), named_only=True),
    ],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
