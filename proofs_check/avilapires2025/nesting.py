"""Grids whose cells map into cells: then projecting at every step costs no more than projecting once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Mutant, Tight, run_module

from .definitions import (
    HALF,
    ONE,
    ZERO,
    F,
    Law,
    Pairs,
    dirac,
    library,
    mix,
    project,
    push,
    w1,
)
from .fixed_points import COVERS, Evaluation
from .setting import PAPER, Reader, chain, decoded, layered


@dataclass(frozen=True)
class Nested(Evaluation):
    """Let also nu be a law, followed by an arbitrary reward r of M."""

    nu: Pairs

    @cached_property
    def integer(self) -> bool:
        """1/γ is an integer."""
        return (1 / self.M.gamma).denominator == 1

    @cached_property
    def aligned(self) -> bool:
        """r + γz_j ∈ z_1 + γΔZ for every reward r, 0 included."""
        g = self.M.gamma
        return all(
            ((r + g * self.low - self.low) / (g * self.delta)).denominator == 1
            for r in (*self.M.rewards, ZERO)
        )

    def masses(self, laws: list[Law]) -> list[Fraction]:
        """Masses at the grid points, state by state."""
        return [k.get(z, ZERO) for k in laws for z in self.grid]

    @cached_property
    def unprojected(self) -> list[Law]:
        """Law of r + γX for every reward, X ~ ν."""
        return [push(dict(self.nu), r, self.M.gamma) for r in self.M.rewards]

    def one_step(self, *, first: bool) -> list[Law]:
        """Π of r + γX for every reward r; X ~ Πν if `first`, ν if not."""
        X = library(dict(self.nu))
        if first:
            X = X.categorical(self.grid)
        return [
            dict(rl.ReturnLaw.backup([1], [r], [X], self.M.gamma).categorical(self.grid))
            for r in self.M.rewards
        ]


def nested(read: Reader) -> Nested:
    """Integer rewards with γΔ | 1, sometimes γ = 3/4 or halves; ν sometimes beyond the grid."""
    gamma, delta = read.pick(
        ((HALF, ONE), (HALF, F(2)), (F(1, 3), ONE), (F(1, 3), F(3)), (F(3, 4), F(4, 3)), (F(3, 4), F(4, 3)))
    )
    M = layered(read, gammas=(gamma,), most=2 if gamma < HALF else 1, denominator=read.pick((1, 1, 1, 2)))
    half = -int(-(max(abs(r) for r in M.rewards) / (1 - gamma)) // delta) or 1
    if gamma == F(3, 4):
        half = -(-half // 3) * 3
    if read.below(6) == 0:
        half = max(half - 1, 1)
    top, reach = half * delta, 2 if read.below(6) == 0 else 1
    X = [min(max(read.number(8, 4), -reach * top), reach * top) for _ in range(3)]
    nu = mix((w, dirac(x)) for w, x in zip(read.weights(3), X, strict=True))
    return Nested(M, -top, delta, 2 * half + 1, tuple(sorted(nu.items())))


def sure(*rewards: Fraction, gamma: Fraction, half: int, delta: Fraction, nu: Fraction) -> Nested:
    """Rewards without chance; ν = δ."""
    M = chain(*[(r,) for r in rewards], gamma=gamma)
    return Nested(M, -half * delta, delta, 2 * half + 1, ((nu, ONE),))


WHOLE, ALIGNED = "1/γ is an integer", "r + γz_j ∈ z_1 + γΔZ for every reward r"
WITHIN = "z_1 ≤ ν ≤ z_m"
TWO_STEPS = Nested(chain((-1, 2), (1, 0), gamma=HALF), F(-4), F(2), 5, ((ONE, ONE),))


def nests() -> list[Assumption[Nested]]:
    """Cells map into cells."""
    return [
        Assumption(
            WHOLE,
            lambda x: x.integer,
            fails_without=sure(ZERO, F(2), gamma=F(3, 4), half=6, delta=F(4, 3), nu=F(2)),
        ),
        Assumption(
            ALIGNED,
            lambda x: x.aligned,
            fails_without=sure(HALF, F(3), gamma=HALF, half=3, delta=F(2), nu=F(3)),
        ),
    ]


cat_nesting: Claim[Nested] = Claim(
    statement="1/γ ∈ N, r + γz_j ∈ z_1 + γΔZ: η̂ = Πη exactly; no error accumulates",
    source=PAPER.at("categorical evaluation; derived"),
    let=decoded(nested),
    assume=[
        *nests(),
        Assumption(
            COVERS,
            lambda x: x.covers,
            fails_without=sure(F(-4), F(8), gamma=HALF, half=2, delta=F(2), nu=ONE),
        ),
    ],
    then=Eq(lhs=lambda x: x.masses(x.hat), rhs=lambda x: x.masses(x.image)),
    tight=Tight(TWO_STEPS, within=0),
    mutants=[
        Mutant("any γ", drop=WHOLE),
        Mutant("any rewards", drop=ALIGNED),
        Mutant(
            "η̂ = η",
            then=Eq(lambda x: x.sup(w1, x.hat, x.eta), lambda x: ZERO),
        ),
    ],
    expect=CERTIFIED,
)

cat_nesting_step: Claim[Nested] = Claim(
    statement="1/γ ∈ N, r + γz_j ∈ z_1 + γΔZ: Π T Π ν = Π T ν for ν in the range of the grid",
    source=PAPER.at("categorical evaluation; derived"),
    let=decoded(nested),
    assume=[
        *nests(),
        Assumption(
            WITHIN,
            lambda x: all(x.grid[0] <= v <= x.grid[-1] for v, _ in x.nu),
            fails_without=sure(ZERO, gamma=HALF, half=2, delta=F(2), nu=F(7)),
        ),
    ],
    then=Eq(
        lhs=lambda x: x.masses(x.one_step(first=True)),
        rhs=lambda x: x.masses([project(k, x.grid) for k in x.unprojected]),
    ),
    tight=Tight(TWO_STEPS, within=0),
    mutants=[
        Mutant("any γ", drop=WHOLE),
        Mutant("any rewards", drop=ALIGNED),
        Mutant("any ν", drop=WITHIN),
        Mutant(
            "Π T = T on the grid",
            rhs=lambda x: x.masses(x.unprojected),
        ),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
