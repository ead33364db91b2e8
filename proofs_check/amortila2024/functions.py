"""Bellman errors against occupancies: optimism decomposed, two-sided loss, Q* orthogonal to weights."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

import numpy as np

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Erratum, Leq, Mutant, Tight, run_module
from rltheory.operators import horizon_occupancy
from rltheory.solvers import evaluate_horizon

from .setting import PAPER, LawReader, Table, World, decoded, greedy, lock, table, world


@dataclass(frozen=True, eq=False)
class Valued(World):
    """Let f (H, S, A) be a function with values in [0, 1], f_{H+1} = 0, and w weights."""

    f: Table
    w: Table

    def __repr__(self) -> str:
        return super().__repr__()[:-1] + f", table({self.f.tolist()}), table({self.w.tolist()}))"

    @cached_property
    def pi_f(self) -> Table:
        """π_f."""
        return greedy(self.f)

    @cached_property
    def error(self) -> Table:
        """Δ_h f."""
        return self.bellman_error(self.f)

    @cached_property
    def J_f(self) -> F:
        """J(π_f) by backward evaluation in the library."""
        return F((self.d1 * evaluate_horizon(self.model, self.pi_f).V[0]).sum())

    @cached_property
    def optimistic(self) -> F:
        """E f_1(s_1, π_f)."""
        return F((self.d1 * self.f[0].max(axis=1)).sum())

    def total(self, pi: Table) -> F:
        """Σ_h E_{d_h^π}[Δ_h f], occupancies by the library."""
        return F((horizon_occupancy(self.model, pi) * self.error).sum())

    def star_sides(self, pi: Table, other: Table | None = None) -> tuple[list[F], list[F]]:
        """1 + E_{d^π}[w Q*] and 1 + E_{d^π}[w(r + max Q*(s'))] by layer; `other` acts for max."""
        d, Q = horizon_occupancy(self.model, pi), self.Q_star
        left, right = [], []
        for h in range(self.shape[0]):
            if h + 1 == self.shape[0]:
                after = self.R[h]
            else:
                nxt = (
                    Q[h + 1].max(axis=1)
                    if other is None
                    else Q[h + 1][np.arange(self.shape[1]), other[h + 1]]
                )
                after = self.R[h] + (self.P[h] * nxt).sum(axis=2)
            left.append(1 + F((d[h] * self.w[h] * Q[h]).sum()))
            right.append(1 + F((d[h] * self.w[h] * after).sum()))
        return left, right


def valued(read: LawReader) -> Valued:
    """Random; a third of the time f is Q* with some ties or noise."""
    W = world(read)
    H, S, A = W.shape
    f = table([[[read.share(8) for _ in range(A)] for _ in range(S)] for _ in range(H)])
    if read.below(3) == 0:
        f = W.Q_star * (1 - read.share(4)) + read.share(4) * f / 4
    w = table([[[F(read.below(9), 4) for _ in range(A)] for _ in range(S)] for _ in range(H)])
    return Valued(W.P, W.R, W.d1, f, w)


def on(W: World, f: Table) -> Valued:
    """f in W, unit weights."""
    return Valued(W.P, W.R, W.d1, f, 0 * f + 1)


LOCK = lock(1, 0, 1)
PAGE = on(LOCK, table([[[5, 2.5], [1, 2]], [[3, 6], [2, 4]], [[7, 1], [3, 2]]]) / 10)
STAR = on(LOCK, LOCK.Q_star)
TIED = on(
    World(table(np.ones((1, 1, 2, 1), dtype=int)), table([[[0, 1]]]), table([1])), table([[[1, 1]]]) / 2
)
"""One step, two actions that pay 0 and 1, both thought worth ½."""

SPREAD = on(World(table([[[[1]]]] * 2), table([[[1]], [[0]]]), table([1])), table([[[0]], [[1]]]))
"""f_1 = 0, r = 1, f_2 = 1: Δ_1 = −2."""
HIGH = on(World(table([[[[1]]]] * 2), table([[[0]], [[1]]]), table([1])), table([[[1]], [[0]]]))
"""f_1 = 1, r = 0, f_2 = 0: Δ_1 = 1."""

bellman_decomp_range: Claim[Valued] = Claim(
    statement="F ⊂ [0, 1], r ∈ [0, 1]: −2 ≤ Δ_h f ≤ 1",
    source=PAPER.at("proof of Lemma E.1, which uses |Δ_h f| ≤ 1; the range is derived"),
    let=decoded(valued, 200),
    assume=[Assumption("f ≤ 1", lambda x: bool((x.f <= 1).all()), on(LOCK, LOCK.Q_star + 2))],
    then=Leq(
        lhs=lambda x: [*(-x.error).reshape(-1), *x.error.reshape(-1)],
        rhs=lambda x: [F(2)] * x.error.size + [F(1)] * x.error.size,
    ),
    tight=Tight([SPREAD, HIGH], within=0),
    mutants=[
        Mutant("|Δ_h f| ≤ 1", rhs=lambda x: F(1)),
        Mutant("Δ_h f ≤ ½", rhs=lambda x: [F(2)] * x.error.size + [F(1, 2)] * x.error.size),
    ],
    expect=CERTIFIED,
    draws=80,
)

bellman_decomp_printed = Erratum(
    statement="|Δ_h f| ≤ 1 for F ⊂ [0, 1]",
    source=PAPER.at("proof of Lemma E.1 (harmless: Var ≤ 4E[w̌²] is what it needs)"),
    then=Leq(lambda x: [abs(v) for v in x.error.reshape(-1)], lambda x: F(1)),
    counterexample=SPREAD,
    corrected=bellman_decomp_range,
)

bellman_decomp: Claim[Valued] = Claim(
    statement="E f_1(s_1, π_f) − J(π_f) = Σ_h E_{d_h^{π_f}}[Δ_h f]",
    source=PAPER.at("Lemma D.4"),
    let=decoded(valued, 200),
    assume=[],
    then=Eq(lhs=lambda x: x.optimistic, rhs=lambda x: x.J_f + x.total(x.pi_f)),
    tight=Tight([PAGE, STAR], within=0),
    mutants=[Mutant("occupancy of π* instead", rhs=lambda x: x.J_f + x.total(x.best[1]))],
    expect=CERTIFIED,
    draws=80,
)

pd_two_sided: Claim[Valued] = Claim(
    statement="J(π*) − J(π_f) ≤ Σ_h (E_{d_h^{π*}}[−Δ_h f] + E_{d_h^{π_f}}[Δ_h f])",
    source=PAPER.at("Lemma F.2"),
    let=decoded(valued, 200),
    assume=[],
    then=Leq(lhs=lambda x: x.best[0] - x.J_f, rhs=lambda x: x.total(x.pi_f) - x.total(x.best[1])),
    tight=Tight(TIED, within=0),
    named={"the page's": PAGE, "f = Q*": STAR},
    mutants=[
        Mutant("without the second sum", rhs=lambda x: -x.total(x.best[1])),
        Mutant("without the first sum", rhs=lambda x: x.total(x.pi_f)),
    ],
    expect=CERTIFIED,
    draws=80,
)

q_star_orthogonal: Claim[Valued] = Claim(
    statement="E_{d^π}[w·Δ̂_h Q*] = 0 for every w, π and h",
    source=PAPER.at("Section 3.1; Bellman's equation"),
    let=decoded(valued, 200),
    assume=[],
    then=Eq(lhs=lambda x: x.star_sides(x.pi_f)[0], rhs=lambda x: x.star_sides(x.pi_f)[1]),
    tight=Tight(STAR, within=0),
    mutants=[
        Mutant(
            "the action of another policy for the maximum",
            rhs=lambda x: x.star_sides(x.pi_f, (x.best[1] + 1) % x.shape[2])[1],
        )
    ],
    expect=CERTIFIED,
    draws=80,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
