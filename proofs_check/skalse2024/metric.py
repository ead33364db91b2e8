"""STARC distances as pseudometrics, and what they owe to reachability and to the environment.

d(R1, R2) = m(s(R1) − s(R2)), s = c/n(c); here c = VAL with the uniform policy and m = n.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Eq, Every, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.kernels import ball
from rltheory.solvers import starc_distance

from .setting import FIRST, HALF, PAPER, Table, Two, World, one_state, table, two, world


# ---- pseudometric ----------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Three(Two):
    """Let R3 be a third reward."""

    R3: Table

    def d(self, A: Table, B: Table, norm: Any = "l1") -> F:
        """VAL-l1-l1 by default, by the library."""
        return F(starc_distance(A, B, self.W.mdp, norm=norm))

    def moved(self, scale: int) -> Table:
        """scale·R1 plus a shaping and a redistribution."""
        return np.asarray(scale * self.R1 + self.W.shaping(self.R3[:, 0, 0]) + self.W.redistribution(self.R3))


def three(read: Reader) -> Three:
    """Random rewards."""
    x = two(read, S=3, A=2)
    return Three(x.W, x.R1, x.R2, read.numbers(*x.W.tau.shape))


BETWEEN = Three(FIRST.W, FIRST.R1, -FIRST.R1, FIRST.R1)

pseudometric: Claim[Three] = Claim(
    statement="VAL-n-n: d ≤ 2 and d(R1, R2) ≤ d(R1, R3) + d(R3, R2)",
    source=PAPER.at("Definition 4; STARC metrics are pseudometrics"),
    let=decoded(three),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.d(x.R1, x.R2), x.d(x.R1, x.R2)],
        rhs=lambda x: [F(2), x.d(x.R1, x.R3) + x.d(x.R3, x.R2)],
    ),
    tight=Tight(BETWEEN, within=0),
    mutants=[
        Mutant("at most 1.9", rhs=lambda x: [F(19, 10), F(4)]),
        Mutant(
            "the longest side is at most the longer of the others",
            rhs=lambda x: [F(2), max(x.d(x.R1, x.R3), x.d(x.R3, x.R2))],
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


pseudometric_invariance: Claim[Three] = Claim(
    statement="d(R1, R2) = d(R2, R1) = d(aR1 + n, R2), a > 0, n ∈ N",
    source=PAPER.at("Definition 4; STARC metrics are pseudometrics"),
    let=decoded(three),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.d(x.R2, x.R1), x.d(x.moved(3), x.R2), x.d(x.R1, x.R2, "linf")],
        rhs=lambda x: [x.d(x.R1, x.R2), x.d(x.R1, x.R2), x.d(x.moved(2), x.R2, "linf")],
    ),
    tight=Tight(Three(FIRST.W, FIRST.R1, FIRST.R2, FIRST.R2), within=0),
    named={
        "regret is not symmetric": Three(
            **{**vars(one_state([0, 2, 2, 0], [1, 1, 2, 0])), "R3": table([[[0]] * 4])}
        )
    },
    mutants=[
        Mutant(
            "a < 0 is allowed",
            lhs=lambda x: [x.d(x.R2, x.R1), x.d(x.moved(-3), x.R2), x.d(x.R1, x.R2, "linf")],
        ),
        Mutant("so is worst-case regret", then=Eq(lambda x: x.reg, lambda x: x.swapped.reg)),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- reachability and dependence -------------------------------------------------------------
@dataclass(frozen=True)
class Unreachable:
    """Let state 1 of S = 2 never be reached (τ = δ_0, μ = δ_0, γ = 9/10); R pays N there."""

    N: int

    @property
    def x(self) -> Two:
        """R1(0, 0) = 1, R2(0, 0) = −1, both N at (1, 0)."""
        W = World(table([[[1, 0], [1, 0]], [[1, 0], [1, 0]]]), table([1, 0]), F(9, 10))
        R1, R2 = table(np.zeros((2, 2, 2), dtype=int)), table(np.zeros((2, 2, 2), dtype=int))
        R1[0, 0], R2[0, 0] = F(1), F(-1)
        R1[1, 0], R2[1, 0] = F(self.N), F(self.N)
        return Two(W, R1, R2)

    @cached_property
    def distance(self) -> rl.Enclosure:
        """VAL-2-2, by the library."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            d: rl.Enclosure = starc_distance(self.x.R1, self.x.R2, self.x.W.mdp)
            return d


def root(q: F) -> rl.Enclosure:
    """√q."""
    with ball.precision(192):
        return rl.Enclosure.ball(ball.sqrt(np.array([q], dtype=object))[0])


POWERS = [Unreachable(n) for n in (1, 2, 4, 8, 10, 16, 32, 64, 100, 128, 256, 512, 1000)]

reachability: Claim[Unreachable] = Claim(
    statement="with an unreachable state VAL-2-2 is not sound: Reg(R1, R2) = 1 while d = 2/√(1+N²) ≤ 2/N",
    source=PAPER.at("reachability is assumed throughout; instance derived"),
    let=Every("N = 1, 2, 4, …, 1000", len(POWERS), POWERS),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.distance, root(F(4, 1 + x.N**2)), F(1)],
        rhs=lambda x: [F(2, x.N), F(2, x.N), x.x.reg],
    ),
    tight=Tight(POWERS[-1], within=0.001),
    mutants=[
        Mutant("d ≤ 2/N^1.01 (N = 1000)", rhs=lambda x: [F(2) / F(str(x.N**1.01)), F(9), F(9)]),
        Mutant("d ≤ 2/N^1.5", rhs=lambda x: [F(2) / F(str(x.N**1.5)), F(9), F(9)]),
        Mutant("sound: Reg ≤ 100·d", then=Leq(lambda x: x.x.reg, lambda x: 100 * x.distance.upper)),
    ],
    expect=CERTIFIED,
)


def blind(read: Reader) -> Two:
    """State 1 is never reached; R1 and R2 agree at state 0."""
    W = World(table([[[1, 0], [1, 0]], [[1, 0], [1, 0]]]), table([1, 0]), F(9, 10))
    R1 = table(np.zeros((2, 2, 2), dtype=int))
    R1[0, 0] = F(1 + read.below(4))
    R2 = R1.copy()
    R1[1], R2[1] = read.numbers(2, 2), read.numbers(2, 2)
    return Two(W, R1, R2)


def unseen(x: Two) -> rl.Enclosure:
    """VAL-2-2 without its warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        d = starc_distance(x.R1, x.R2, x.W.mdp)
    return d if isinstance(d, rl.Enclosure) else rl.Enclosure.exact(d)


BLIND = Two(
    World(table([[[1, 0], [1, 0]], [[1, 0], [1, 0]]]), table([1, 0]), F(9, 10)),
    table([[[1, 1], [0, 0]], [[5, 5], [0, 0]]]),
    table([[[1, 1], [0, 0]], [[0, 0], [5, 5]]]),
)

reachability_incomplete: Claim[Two] = Claim(
    statement=(
        "with an unreachable state VAL-2-2 is not complete: Reg(R1, R2) = Reg(R2, R1) = 0 "
        "where d = 1.9611613514"
    ),
    source=PAPER.at("reachability is assumed throughout; instance derived"),
    let=decoded(blind, 24),
    assume=[],
    then=Eq(lhs=lambda x: [1 + x.reg, 1 + x.swapped.reg], rhs=lambda x: [F(1), F(1)]),
    tight=Tight(BLIND, within=0),
    mutants=[
        Mutant("complete: d = 0 where Reg = 0", then=Eq(lambda x: 1 + unseen(x).lower, lambda x: F(1))),
        Mutant(
            "d < 1.9611613513 there",
            then=Leq(lambda x: unseen(x).lower, lambda x: F("1.9611613513")),
            named_only=True,
        ),
        Mutant(
            "d > 1.9611613514 there",
            then=Leq(lambda x: F("1.9611613514"), lambda x: unseen(x).upper),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True, eq=False)
class Transferred(Two):
    """Let R2 = R1 + X with X a redistribution for τ, and V another world with the same γ and μ."""

    V: World

    def one_plus(self, W: World) -> F:
        """1 + d_ρ(R1, R2) in a world."""
        return 1 + F(starc_distance(self.R1, self.R2, W.mdp, norm="range", canon="none"))


def transferred(read: Reader) -> Transferred:
    """Two independent τ."""
    W, other = world(read, S=2, A=2, least=2), world(read, S=2, A=2, least=2)
    R1 = read.numbers(*W.tau.shape)
    return Transferred(
        W, R1, R1 + W.redistribution(read.numbers(*W.tau.shape)), World(other.tau, W.mu, W.gamma)
    )


OTHER = World(table([[[1, 0], [0, 1]], [[HALF, HALF], [HALF, HALF]]]), FIRST.W.mu, FIRST.W.gamma)

dependence: Claim[Transferred] = Claim(
    statement="rewards that differ by a redistribution for τ are at distance 0 under τ",
    source=PAPER.at("the metric depends on τ and γ"),
    let=decoded(transferred),
    assume=[],
    then=Eq(lhs=lambda x: x.one_plus(x.W), rhs=lambda x: F(1)),
    tight=Tight(Transferred(FIRST.W, FIRST.R1, FIRST.R1 + FIRST.W.redistribution(FIRST.R2), OTHER), within=0),
    mutants=[Mutant("and under every other τ", lhs=lambda x: x.one_plus(x.V))],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
