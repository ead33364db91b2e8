"""Optimistic planning: the order of the values, and what one optimistic plan can lose.

For a table (P̂, N, ι): V_ext and V_val are the optimistic values of the two planners, V_extc that of `ext`
clipped at 1.  All are computed in rationals from the definitions; square roots are enclosed.
"""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np

from rltheory import Enclosure
from rltheory.checks import (
    CERTIFIED,
    SUPPORTED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.models import gallery
from rltheory.models.latent import LatentMDP
from rltheory.solvers import LatentOptimism

from .learning import DOWN, UP, Node, Table, plus, root, square_root, table, times
from .learning_tables import at_truth, read_table, tables
from .setting import PAPER

HALF = F(1, 2)
FLIPS = gallery.wait_and_guess(H=4)
PRECISE, COARSE = at_truth(FLIPS, 10_000, F(1)), at_truth(FLIPS, 1000, F(1))


def one_action(p: F, delta: F, n: int, iota: F) -> Table:
    """M = 1, H = 2: one action to `good` (pays 1) or `sink`; P̂ = (p, 1−p), the true law δ lower."""
    keep = [[F(0), F(1), F(0)]]
    truth = [[[[F(0), p - delta, 1 - p + delta]], keep, [[F(0), F(0), F(1)]]]]
    seen = [[[[F(0), p, 1 - p]], keep, [[F(0), F(0), F(1)]]]]
    R = [[[F(0)], [F(1)], [F(0)]]]
    lmdp = LatentMDP.from_arrays(truth, R, weights=[F(1)], nu=[[F(1), F(0), F(0)]], H=2)
    return Table(lmdp, table(seen), np.full((1, 3, 1), n), iota, True, table(truth))


def corner_width(n: int, iota: F) -> F:
    """δ_n = 2√(ι/2n) + 5ι/n, rounded down."""
    return root(2 * iota / n, DOWN) + 5 * iota / n


CORNER = one_action(HALF, corner_width(10_000, F(1)), 10_000, F(1))
ATTAINED = Table(
    CORNER.lmdp,
    CORNER.P_hat,
    CORNER.N,
    CORNER.iota,
    True,
    one_action(HALF, -corner_width(10_000, F(1)), 10_000, F(1)).lmdp.P,
)
OUTSIDE = one_action(F(1, 4), -HALF, 10_000, F(1))


def alone(x: Table, *, known: bool = True) -> Table:
    """The table without another model."""
    return Table(x.lmdp, x.P_hat, x.N, x.iota, known)


def detour() -> Table:
    """M = 1, H = 3: 0 → 1 or 2, 1 → good or sink, 2 → sink, all ½ and P̂ = P; expectations under P̃ differ."""
    P = np.full((1, 5, 1, 5), F(0), dtype=object)
    P[0, 0, 0, [1, 2]] = HALF
    P[0, 1, 0, [3, 4]] = HALF
    P[0, 2:, 0, 4] = F(1)
    P[0, 3, 0] = [F(0), F(0), F(0), F(1), F(0)]
    R = np.full((1, 5, 1), F(0), dtype=object)
    R[0, 3, 0] = F(1)
    lmdp = LatentMDP.from_arrays(P, R, weights=[F(1)], nu=[[F(1), F(0), F(0), F(0), F(0)]], H=3)
    return at_truth(lmdp, 10_000, F(1))


# ---- 14: the order of the values ------------------------------------------------------------
def between(x: Table, kind: str, scale: F = F(1)) -> Enclosure:
    """Optimistic value, square roots rounded both ways."""
    ends = []
    for way in (DOWN, UP):
        backup = x.val(way, scale) if kind == "val" else x.ext(way, clip=kind == "extc")
        ends.append(x.best(backup)[0])
    return Enclosure(*ends)


def inner(x: Table, *, clip: bool = False) -> F:
    """V_ext, or V_extc, of the box rounded inwards: a box whose ends are rational."""
    return x.best(x.ext(DOWN, clip=clip))[0]


def other(x: Table) -> F:
    """V* of the other model, with the policies of the same histories."""
    return x.V_star if x.other is None else x.best(x.true_backup(x.other))[0]


IN = "P lies in the box"
TOO = "P' lies in the box"
optimism_chain: Claim[Table] = Claim(
    statement="P, P' in the box, support known: V* ≤ V_ext, V_ext ≤ V_val, V*(P') ≤ V_ext ≤ 1",
    source=PAPER.at("optimism; derived from the monotone bonus and the box, by induction over the tree"),
    let=tables(),
    assume=[
        Assumption(
            IN, lambda x: x.holds(x.lmdp.P), fails_without=Table(OUTSIDE.lmdp, OUTSIDE.P_hat, OUTSIDE.N, F(1))
        ),
        Assumption(
            TOO,
            lambda x: x.other is None or x.holds(x.other),
            fails_without=Table(CORNER.lmdp, CORNER.P_hat, CORNER.N, F(1), True, OUTSIDE.lmdp.P),
        ),
    ],
    then=Leq(
        lhs=lambda x: [x.V_star, between(x, "ext"), other(x), between(x, "ext")],
        rhs=lambda x: [between(x, "ext"), between(x, "val"), between(x, "ext"), 1],
    ),
    tight=Tight(ATTAINED, within=0),
    named={"10⁴ flips": PRECISE, "10³ flips": COARSE},
    mutants=[
        Mutant(
            "V_ext ≤ V_val with ι/16 in the bonus",
            then=Leq(lambda x: between(x, "ext"), lambda x: between(x, "val", F(1, 16))),
        ),
        Mutant(
            "V_ext with the least P of the box",
            then=Leq(lambda x: x.V_star, lambda x: x.best(x.ext(UP, least=True))[0]),
        ),
        Mutant("V*(P') ≤ V*", then=Leq(other, lambda x: x.V_star)),
    ],
    expect=CERTIFIED,
)

optimism_chain_unknown: Claim[Table] = Claim(
    statement="P in the box, support unknown: V* ≤ V_extc, V_extc ≤ V_ext, V_extc ≤ V_val",
    source=PAPER.at("optimism without known supports; derived"),
    let=tables(known=False, S=2),
    assume=[
        Assumption(
            IN,
            lambda x: x.holds(x.lmdp.P),
            fails_without=alone(OUTSIDE, known=False),
        )
    ],
    then=Leq(
        lhs=lambda x: [x.V_star, inner(x, clip=True), between(x, "extc")],
        rhs=lambda x: [between(x, "extc"), inner(x), between(x, "val")],
    ),
    tight=Tight(at_truth(gallery.wait_and_guess(H=3), 4, F(1), known=False), within=0),
    mutants=[
        Mutant("V_val ≤ V_extc", then=Leq(lambda x: between(x, "val"), lambda x: between(x, "extc"))),
        Mutant("V_ext ≤ 1 without clipping", then=Leq(inner, lambda x: F(1))),
    ],
    expect=CERTIFIED,
)


def compiled(x: Table) -> list[float]:
    """The library's V_ext and V_val."""
    return [
        LatentOptimism(kind, known_support=x.known).plan(x.lmdp, x.P_hat, x.N, float(x.iota)).value
        for kind in KINDS
    ]


KINDS: list[Any] = ["ext", "val"]
optimism_compiled: Claim[Table] = Claim(
    statement="the compiled planners' V_ext and V_val are those of the definitions",
    source=PAPER.at("both solvers; the definitions in rationals"),
    let=tables(),
    assume=[],
    then=Eq(lhs=compiled, rhs=lambda x: [between(x, kind) for kind in KINDS], within=1e-8),
    tight=Tight(COARSE, within=0),
    mutants=[
        Mutant("least law of the box", rhs=lambda x: [x.best(x.ext(DOWN, least=True))[0], between(x, "val")]),
        Mutant("ι/4 in the bonus", rhs=lambda x: [between(x, "ext"), between(x, "val", F(1, 4))]),
        Mutant("support unknown", rhs=lambda x: [between(alone(x, known=False), kind) for kind in KINDS]),
    ],
    expect=SUPPORTED,  # compiled values are doubles
    draws=60,
)


# ---- 22: what an optimistic plan can lose -----------------------------------------------------
def loss(x: Table) -> F:
    """V_ext − V^π of the plan."""
    value, chosen = x.plan
    return value - x.value(chosen)


def drift(x: Table, under: str = "P") -> Any:
    """Σ_m w_m E Σ_t (P̃ − P)·α̃ over the plan's histories."""

    def cost(m: int, node: Node, v: dict[int, F]) -> F:
        tilted = x.law(m, node.state, node.action, v)
        true = x.lmdp.P[m, node.state, node.action]
        return sum(((tilted[u] - true[u]) * y for u, y in v.items()), F(0))

    return x.along(cost, under)


def widths(x: Table, scale: F = F(1)) -> Any:
    """E Σ_t min{1, 2√(Γι/N) + 5Γι/N}, 0 where Γ = 1, 1 where N = 0."""

    def cost(m: int, node: Node, v: dict[int, F]) -> Any:
        size = len(x.possible(m, node.state, node.action))
        rate = x.rate(m, node.state, node.action)
        if size == 1:
            return F(0)
        if rate is None:
            return F(1)
        if 5 * size * rate >= 1 or 4 * size * rate >= (1 - 5 * size * rate) ** 2:
            return F(1)
        return plus(square_root(4 * size * rate), 5 * size * rate)

    return times(scale, x.along(cost))


def read_gap(read: Reader) -> Table:
    """A table, or one action whose true law lies between P̂ and the bad corner of the box."""
    if read.below(2):
        return read_table(read)
    p, n, iota = (
        read.pick([HALF, F(1, 4), F(3, 4)]),
        read.pick([10_000, 1000, 64, 10**6]),
        F(1, 1 + read.below(9)),
    )
    half = root(4 * p * iota / n, DOWN) + 5 * iota / n
    return one_action(p, min(p, half) * read.pick([F(1), HALF, F(7, 8)]), n, iota)


ext_gap_identity: Claim[Table] = Claim(
    statement="V_ext − V^π = Σ_m w_m E_{π,P_m}[Σ_t (P̃_{h_t} − P_m)(·|s_t,a_t)·α̃_m(h_t a_t r_t ·)]",
    source=PAPER.at("value difference of an optimistic plan; derived"),
    let=tables(),
    assume=[],
    then=Eq(lhs=loss, rhs=drift),
    tight=Tight([CORNER, detour()], within=0),
    mutants=[
        Mutant("expectation under P̃", rhs=lambda x: drift(x, "box")),
        Mutant("half of it", rhs=lambda x: drift(x) / 2),
    ],
    expect=CERTIFIED,
)

ext_gap: Claim[Table] = Claim(
    statement="P in the box, known support: V_ext − V^π ≤ E Σ_t min{1, 2√(Γ_tι/N) + 5Γ_tι/N}, 0 where Γ = 1",
    source=PAPER.at("regret of one episode; derived: α̃ ∈ [0,1] and Cauchy–Schwarz over the support"),
    let=decoded(read_gap, size=200),
    assume=[
        Assumption(
            IN,
            lambda x: x.holds(x.lmdp.P),
            fails_without=one_action(HALF, F(2, 5), 10_000, F(1)),
        )
    ],
    then=Leq(lhs=loss, rhs=widths),
    tight=Tight(CORNER, within=1e-12),
    named={"detour": detour(), "10⁴ flips": PRECISE},
    mutants=[
        Mutant("half the right side", rhs=lambda x: widths(x, HALF)),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
