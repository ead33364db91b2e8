"""Policies read off (Q_τ, V_τ): greedy in the support, and advantage-weighted at temperature 1/β."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rltheory.checks import CERTIFIED, Claim, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels import ball

from .gadgets import HURT_MOST
from .lets import (
    PAPER,
    Offline,
    Temperatures,
    minus,
    offline,
    one_action,
    precise,
    rare,
    spread,
    temperatures,
    three_states,
    tied,
    two_loops,
)

HALF = Fraction(1, 2)
NINE = Fraction(9, 10)

LADDER = (0.5, 11 / 16, 115 / 128, 31 / 32)


def greedy_along(x: Offline, levels: tuple[float, ...]) -> Any:
    """Values of the greedy policies at the levels, stacked."""
    return np.concatenate([x.greedy_at(tau) for tau in levels])


greedy_improves: Claim[Offline] = Claim(
    statement="the in-support greedy policy of Q_τ has V ≥ V_τ, and V ≥ V^μ for τ ≥ 1/2",
    source=PAPER.at("derived: policy improvement on V_τ = V^{π_τ}"),
    let=st.one_of(offline(), spread()),
    assume=[],
    then=Leq(lhs=lambda x: np.concatenate([x.V, x.V_mu]), rhs=lambda x: np.tile(x.greedy_value, 2)),
    tight=Tight([one_action(), tied()], within=0),
    mutants=[
        Mutant(
            "the value of the greedy policy is nondecreasing in τ",
            then=Leq(lambda x: greedy_along(x, LADDER[:-1]), lambda x: greedy_along(x, LADDER[1:])),
        ),
        Mutant("V^{greedy(Q_τ)} = V*_μ", then=Leq(lambda x: x.best.V, lambda x: x.greedy_value)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

SEVEN = Fraction(7, 10)
REFERENCE = three_states()
GADGET = HURT_MOST.offline

one_step_awr_improves: Claim[Temperatures] = Claim(
    statement="AWR on (Q^μ, V^μ), τ = 1/2: V^{AWR_β} ≥ V^μ for every β ≥ 0",
    source=PAPER.at("derived: every row improves on μ"),
    let=temperatures(offline()),
    assume=[],
    then=Leq(lhs=precise(lambda x: x.V_mu), rhs=precise(lambda x: x.awr(HALF, x.beta))),
    tight=Tight(Temperatures(REFERENCE.M, REFERENCE.mu, NINE, Fraction(0), Fraction(1)), within=0),
    named={"the gadget": Temperatures(GADGET.M, GADGET.mu, GADGET.tau, HURT_MOST.beta, HURT_MOST.beta)},
    mutants=[
        Mutant(
            "V^{AWR_β} is nondecreasing in β",
            then=Leq(precise(lambda x: x.awr(HALF, x.beta)), precise(lambda x: x.awr(HALF, x.beta2))),
        ),
        Mutant(
            "V^{AWR_β} ≥ V_τ at τ = .7",
            then=Leq(precise(lambda x: x.V_at(SEVEN)), precise(lambda x: x.awr(SEVEN, x.beta))),
        ),
        Mutant(
            "V^{AWR_β} ≥ V^μ for τ > 1/2 as well",
            then=Leq(precise(lambda x: x.V_mu), precise(lambda x: x.awr(x.tau, x.beta))),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def least_mass(x: Temperatures) -> Any:
    """min_s μ(argmax_a Q_τ(s,·)|s), over the support."""
    return min(x.top_mass(s, x.Q) for s in range(x.M.S))


def ell(x: Temperatures) -> Any:
    """ℓ = max_s log(1/μ(argmax_a Q_τ(s,·)|s)); the whole set of maximisers counts."""
    mass = least_mass(x)
    if not x.M.is_exact:
        return math.log(1 / mass)
    return Fraction(0) if mass >= 1 else -ball.to_arb(mass).log()


def losses(x: Temperatures) -> Any:
    """V_τ − V^{AWR} and V*_μ − V^{AWR}."""
    awr = x.awr(x.tau, x.beta)
    return np.concatenate([minus(x.V, awr), minus(x.best.V, awr)])


def bounds(x: Temperatures, price: Any) -> Any:
    """price/(1−γ) and (δ_τ + price)/(1−γ), a copy for each state."""
    left = 1 / (1 - x.M.gamma)
    if type(price).__name__ == "arb":
        sides = [price * ball.to_arb(left), (price + ball.to_arb(x.delta)) * ball.to_arb(left)]
    else:
        sides = [price * left, (price + x.delta) * left]
    return np.repeat(np.array(sides, dtype=object), x.M.S)


def scaled(value: Any, factor: Any) -> Any:
    """value·factor where value may be a ball."""
    return value * ball.to_arb(factor) if type(value).__name__ == "arb" else value * factor


def loops(p: Any, tau: Any, beta: Any, gamma: Any = Fraction(0)) -> Temperatures:
    """Two self-loops paying 1 (probability p) and 0."""
    x = two_loops(p, tau, gamma)
    return Temperatures(x.M, x.mu, x.tau, beta, beta)


end_to_end: Claim[Temperatures] = Claim(
    statement="V_τ − V^{AWR} ≤ ℓ/(β(1−γ)), so V*_μ − V^{AWR} ≤ (δ_τ + ℓ/β)/(1−γ), ℓ = max log 1/μ(argmax)",
    source=PAPER.at("derived: E_{π_β}Q ≥ (1/β) log E_μ e^{βQ} ≥ max Q − (1/β) log(1/p)"),
    let=temperatures(st.one_of(offline(), rare()), least=0.25),
    assume=[],
    then=Leq(lhs=precise(losses), rhs=precise(lambda x: bounds(x, scaled(ell(x), 1 / x.beta)))),
    tight=Tight(loops(Fraction(1, 10**400), 1 - Fraction(1, 10**900), Fraction(914)), within=0.01),
    named={
        "p = 10⁻¹¹": loops(Fraction(1, 10**11), 1 - Fraction(1, 10**20), Fraction(22), NINE),
        "three states": Temperatures(REFERENCE.M, REFERENCE.mu, NINE, Fraction(3), Fraction(3)),
    },
    mutants=[
        Mutant("1/β without ℓ", rhs=precise(lambda x: bounds(x, 1 / x.beta))),
        Mutant("ℓ/β² for ℓ/β", rhs=precise(lambda x: bounds(x, scaled(ell(x), 1 / x.beta**2)))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
