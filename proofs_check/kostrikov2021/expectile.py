"""The expectile of a finite law: its equation, its axioms, its dual.

m_τ(X) = argmin_m E[|τ − 1{X<m}|(X−m)²], 0 < τ < 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, sup_norm
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck

from .lets import PAPER, Law, exact, laws, levels

NINE = Fraction(9, 10)
QUARTER = Fraction(1, 4)
REFERENCE = Law(exact([-1, 0, 2, 5]), exact([QUARTER, QUARTER, Fraction(1, 3), Fraction(1, 6)]), NINE)
SKEWED = Law(exact([0, 1]), exact([Fraction(19, 20), Fraction(1, 20)]), Fraction(1, 100))


def part(x: Law, sign: int) -> Any:
    """E[(X − m_τ)₊] for sign 1, E[(m_τ − X)₊] for sign −1."""
    return (x.p * np.maximum(sign * (x.x - x.m), 0)).sum()


expectile_foc: Claim[Law] = Claim(
    statement="τ E[(X − m_τ)₊] = (1−τ) E[(m_τ − X)₊]",
    source=PAPER.at("definition of the expectile loss; Newey and Powell 1987"),
    let=laws(),
    assume=[],
    then=Eq(lhs=lambda x: x.tau * part(x, 1), rhs=lambda x: (1 - x.tau) * part(x, -1)),
    tight=Tight(REFERENCE, within=0),
    named={"skewed": SKEWED},
    mutants=[
        Mutant(
            "the expectile is the τ-quantile: |P(X < m_τ) − τ| ≤ 1/2",
            then=Leq(lambda x: abs(x.p[x.x < x.m].sum() - x.tau), lambda x: Fraction(1, 2)),
        ),
        Mutant("τ and 1 − τ exchanged", lhs=lambda x: (1 - x.tau) * part(x, 1)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


@dataclass(frozen=True)
class Pair(Law):
    """Let also Y have atoms y on the same space, tau ≤ tau2 < 1, a ≥ 0 and b be numbers."""

    y: StateVec
    tau2: Any
    a: Any
    b: Any

    def at(self, x: Any, tau: Any = None) -> Any:
        """m_τ of the atoms x."""
        return rl.expectile(x, self.p, self.tau if tau is None else tau)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Two variables on one space; every third time they differ by a constant."""
    z = draw(laws())
    b = draw(ck.dyadics(-4, 4))
    y = z.x + b if draw(st.integers(0, 2)) == 0 else draw(ck.vectors(z.x.size))
    tau, tau2 = sorted([z.tau, draw(levels(lower=True))])
    return Pair(z.x, z.p, tau, y, tau2, draw(ck.dyadics(0, 4)), b)


def pair(tau: Any, tau2: Any = None) -> Pair:
    """The reference law and itself shifted by 3."""
    two = tau if tau2 is None else tau2
    return Pair(REFERENCE.x, REFERENCE.p, tau, REFERENCE.x + 3, two, Fraction(2), Fraction(1))


expectile_axioms: Claim[Pair] = Claim(
    statement="m_{1/2}(X) = E X; m_τ(aX + b) = a m_τ(X) + b for a ≥ 0; m_{1−τ}(−X) = −m_τ(X)",
    source=PAPER.at("derived from the first-order condition"),
    let=pairs(),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.at(x.x, Fraction(1, 2)), x.at(x.a * x.x + x.b), x.at(-x.x, 1 - x.tau)],
        rhs=lambda x: [x.mean, x.a * x.m + x.b, -x.m],
    ),
    tight=Tight(pair(NINE), within=0),
    mutants=[
        Mutant(
            "m_τ(−X) = −m_τ(X)",
            lhs=lambda x: [x.at(x.x, Fraction(1, 2)), x.at(x.a * x.x + x.b), x.at(-x.x)],
        ),
        Mutant(
            "m_τ(b − aX) = b − a m_τ(X)",
            then=Eq(lambda x: x.at(x.b - x.a * x.x), lambda x: x.b - x.a * x.m),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

expectile_axioms_monotone: Claim[Pair] = Claim(
    statement="m_τ(X) is nondecreasing in τ and in X",
    source=PAPER.at("a lemma of the paper, recalled; derived from the first-order condition"),
    let=pairs(),
    assume=[Assumption("τ ≤ τ₂", lambda x: x.tau <= x.tau2, fails_without=pair(NINE, 1 - NINE))],
    then=Leq(
        lhs=lambda x: [x.at(x.x, x.tau), x.at(x.x)],
        rhs=lambda x: [x.at(x.x, x.tau2), x.at(np.maximum(x.x, x.y))],
    ),
    tight=Tight(
        [pair(NINE, NINE), Pair(exact([1, 2]), exact([Fraction(1, 2)] * 2), NINE, exact([1, 2]), NINE, 1, 1)],
        within=0,
    ),
    mutants=[
        Mutant(
            "a law of the same mean is as good as its mean",
            then=Leq(lambda x: x.at(x.x), lambda x: x.mean),
        ),
        Mutant(
            "m_τ grows by τ₂ − τ₁ at least",
            then=Leq(lambda x: x.at(x.x, x.tau) + x.tau2 - x.tau, lambda x: x.at(x.x, x.tau2)),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

expectile_axioms_lipschitz: Claim[Pair] = Claim(
    statement="|m_τ(X) − m_τ(Y)| ≤ ‖X − Y‖∞",
    source=PAPER.at("derived from monotonicity and translation"),
    let=pairs(),
    assume=[],
    then=Leq(lhs=lambda x: abs(x.m - x.at(x.y)), rhs=lambda x: sup_norm(x.x - x.y)),
    tight=Tight(pair(NINE), within=0),
    mutants=[
        Mutant("constant max(τ, 1−τ)", rhs=lambda x: max(x.tau, 1 - x.tau) * sup_norm(x.x - x.y)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def sign(tau: Any) -> int:
    """1 for τ ≥ ½, −1 for τ < ½: turns the statement for large τ into that for small ones."""
    return 1 if tau >= Fraction(1, 2) else -1


def subadditive(tau: Any) -> Leq[Pair]:
    """m_τ(X+Y) ≤ m_τ(X) + m_τ(Y)."""
    return Leq(lambda x: x.at(x.x + x.y, tau), lambda x: x.at(x.x, tau) + x.at(x.y, tau))


expectile_axioms_additive: Claim[Pair] = Claim(
    statement="m_τ(X + Y) ≤ m_τ(X) + m_τ(Y) for τ ≥ 1/2, ≥ for τ ≤ 1/2",
    source=PAPER.at("derived from the dual"),
    let=pairs(),
    assume=[],
    then=Leq(
        lhs=lambda x: sign(x.tau) * x.at(x.x + x.y),
        rhs=lambda x: sign(x.tau) * (x.m + x.at(x.y)),
    ),
    tight=Tight(pair(NINE), within=0),
    mutants=[Mutant("subadditive for τ = 0.3", then=subadditive(Fraction(3, 10)))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def best_density(x: Law) -> Any:
    """Best mean under densities that are τ on a set of atoms and 1 − τ off it, all 2ⁿ sets."""
    means = []
    for sides in product((x.tau, 1 - x.tau), repeat=len(x.x)):
        w = x.p * np.array(sides)
        means.append((w * x.x).sum() / w.sum())
    return max(means) if sign(x.tau) > 0 else min(means)


def best_bounded_above(x: Law) -> Any:
    """Best Σqx over laws q ≤ κp, κ the odds of τ: fill the best atoms first."""
    s = sign(x.tau)
    high, low = max(x.tau, 1 - x.tau), min(x.tau, 1 - x.tau)
    left, total = 1 + 0 * x.tau, 0 * x.tau
    for i in np.argsort(-s * x.x.astype(np.float64), kind="stable"):
        take = min(left, high / low * x.p[i])
        left, total = left - take, total + take * x.x[i]
    return total


expectile_dual: Claim[Law] = Claim(
    statement="m_τ(X) = max{Σ q_i x_i : q a law, c(1−τ)p_i ≤ q_i ≤ cτp_i} for τ ≥ 1/2, min for τ ≤ 1/2",
    source=PAPER.at("known for expectiles as coherent risk measures; checked by the extreme densities"),
    let=laws(5),
    assume=[],
    then=Eq(lhs=lambda x: x.m, rhs=best_density),
    tight=Tight(REFERENCE, within=0),
    mutants=[Mutant("q_i/p_i bounded by τ/(1−τ) from above only", rhs=best_bounded_above)],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
