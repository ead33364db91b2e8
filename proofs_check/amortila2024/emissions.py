"""Rich observations: states that emit observations with disjoint supports cost no coverability."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.solvers import coverability_coefficient

from .setting import HALF, PAPER, LawReader, Table, World, decoded, lock, table, world


@dataclass(frozen=True, eq=False)
class Block:
    """Let state s emit observations 2s, 2s+1 with probabilities q_s, 1 − q_s: supports are disjoint."""

    W: World
    q: tuple[F, ...]
    step: int

    def emit(self, row: Any) -> list[F]:
        """The law of the observation of a state drawn from `row`."""
        return [p * e for p, q in zip(row, self.q, strict=True) for e in (q, 1 - q)]

    @cached_property
    def observed(self) -> World:
        """The model over observations."""
        P = table([[[self.emit(r) for r in s] for s in layer for _ in (0, 1)] for layer in self.W.P])
        return World(P, np.repeat(self.W.R, 2, axis=1), table(self.emit(self.W.d1)))

    @cached_property
    def some(self) -> list[Table]:
        """Random observation policies: every `step`-th binary word."""
        H, S, A = self.observed.shape
        rng = np.random.default_rng(self.step)
        return [rng.integers(0, A, size=(H, S)) for _ in range(3 + self.step % 4)]

    @cached_property
    def latent(self) -> list[F]:
        """C_h of the latent model over all policies, by enumeration."""
        return [F(v) for v in np.array(self.W.occupancies).max(axis=0).sum(axis=(1, 2))]

    @cached_property
    def rich(self) -> list[F]:
        """C_h over all policies on observations, by the library."""
        return [F(c) for c in coverability_coefficient(self.observed.model).by_step]

    @cached_property
    def few(self) -> list[F]:
        """C_h over the observation policies drawn, by the library."""
        return [F(c) for c in coverability_coefficient(self.observed.model, self.some).by_step]


def block(read: LawReader) -> Block:
    """Random emissions."""
    W = world(read)
    return Block(W, tuple(F(1 + read.below(7), 8) for _ in range(W.shape[1])), read.below(64))


LOCKED = Block(lock(1, 0), (HALF, F(1, 4)), 3)

block_mdp: Claim[Block] = Claim(
    statement="disjoint emissions: C_h(observations) = C_h(latent states) over all policies",
    source=PAPER.at("Section 2 (block MDPs); equality derived"),
    let=decoded(block, 160),
    assume=[],
    then=Eq(lhs=lambda x: x.rich, rhs=lambda x: x.latent),
    tight=Tight(LOCKED, within=0),
    mutants=[
        Mutant("grows with the number of observations", lhs=lambda x: [2 * c for c in x.rich]),
        Mutant(
            "A times the number of observations",
            then=Eq(lambda x: x.rich[0], lambda x: F(x.observed.shape[1] * x.observed.shape[2])),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

block_mdp_class: Claim[Block] = Claim(
    statement="disjoint emissions: C_h over any class of observation policies is at most C_h(latent states)",
    source=PAPER.at("Section 2 (block MDPs); derived"),
    let=decoded(block, 160),
    assume=[],
    then=Leq(lhs=lambda x: x.few, rhs=lambda x: x.latent),
    tight=Tight(Block(lock(1), (HALF, HALF), 3), within=0),
    mutants=[Mutant("at most half of it", rhs=lambda x: [c / 2 for c in x.latent])],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
