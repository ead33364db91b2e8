"""τ → 1: V_τ rises to the in-support optimum at an explicit rate; the one-level expectile overshoots it.

δ_τ = max_s (1−τ)(1−p_s)D_s/(τp_s + (1−τ)(1−p_s)): p_s is the μ-mass of the in-support maximisers of
Q*_μ(s,·), D_s the range of Q*_μ(s,·) over the support.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import sup_norm
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.operators import implicit_bellman, one_level_bellman

from .lets import PAPER, Offline, exact, offline, rare, three_states, two_loops

NINE = Fraction(9, 10)


def gap(x: Offline) -> Any:
    """‖V*_μ − V_τ‖."""
    return sup_norm(x.best.V - x.V)


def horizon(x: Offline) -> Any:
    """1/(1−γ)."""
    return 1 / (1 - x.M.gamma)


def odds(x: Offline) -> Any:
    """(1−τ)/τ."""
    return (1 - x.tau) / x.tau


RARE = two_loops(Fraction(1, 10**11), 1 - Fraction(1, 10**13))

limit: Claim[Offline] = Claim(
    statement="‖V*_μ − V_τ‖ ≤ δ_τ/(1−γ): V_τ → V*_μ as τ → 1, like 1 − τ",
    source=PAPER.at("the limit is the theorem of the paper, recalled; the rate is derived"),
    let=st.one_of(offline(lower=True), rare()),
    assume=[],
    then=Leq(lhs=gap, rhs=lambda x: x.delta * horizon(x)),
    tight=Tight([two_loops(), RARE], within=0),
    named={"three states": three_states(), "near τ = 1": three_states(1 - Fraction(1, 10**6))},
    mutants=[
        Mutant("slope 2: δ_τ (1−τ)/τ", rhs=lambda x: x.delta * odds(x) * horizon(x)),
        Mutant("a constant without 1/p_s", rhs=lambda x: odds(x) * x.widest * horizon(x)),
        Mutant("the limit is the unconstrained V*", lhs=lambda x: sup_norm(x.V_star - x.V)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

DETERMINISTIC = Offline(
    rl.MDP(exact([[0, 1], [1, 0]], [[0, 1], [0, 1]]), exact([1, 0], [2, 1]), NINE),
    rl.Policy(exact([[Fraction(1, 3), Fraction(2, 3)], [Fraction(1, 2), Fraction(1, 2)]])),
    NINE,
)

naive_optimism: Claim[Offline] = Claim(
    statement="τ ≥ 1/2: the one-level expectile of R + γV(s') over action and next state has N_τ ≥ V_τ",
    source=PAPER.at("derived: conditional Jensen; the paper's reason for a separate Q"),
    let=offline(),
    assume=[Assumption("τ ≥ 1/2", lambda x: 2 * x.tau >= 1, fails_without=three_states(Fraction(1, 10)))],
    then=Leq(lhs=lambda x: x.V, rhs=lambda x: x.N),
    tight=Tight(DETERMINISTIC, within=0),
    named={"three states": three_states(), "three states, τ = .9999": three_states(1 - Fraction(1, 10**4))},
    mutants=[
        Mutant("N_τ ≤ V*_μ", then=Leq(lambda x: x.N, lambda x: x.best.V)),
        Mutant("N_τ ≤ V* even", then=Leq(lambda x: x.N, lambda x: x.V_star)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


naive_optimism_deterministic: Claim[Offline] = Claim(
    statement="deterministic transitions: N_τ = T_τ, so N_τ's fixed point is V_τ",
    source=PAPER.at("derived"),
    let=offline(lower=True, rows="deterministic"),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([x.N, one_level_bellman(x.M, x.mu, x.tau)(x.V)]),
        rhs=lambda x: np.concatenate([x.V, implicit_bellman(x.M, x.mu, x.tau)(x.V)]),
    ),
    tight=Tight(DETERMINISTIC, within=0),
    mutants=[Mutant("whatever the transitions", let=offline(lower=True))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def lucky(x: Offline) -> Offline:
    """The model whose next state is chosen: its in-support optimum is the luckiest trajectory's value."""
    model, behaviour = x.one_level
    return Offline(model, behaviour, x.tau)


def luckiest_step(x: Offline) -> Any:
    """max over in-support (a, s') of R(s,a) + γL(s'), from the definition, at the lucky value L."""
    M, L = x.M, lucky(x).best.V
    seen = x.support[:, :, None] & (M.P > 0)
    steps = [max(M.R[s, a] + M.gamma * L[t] for a, t in np.argwhere(seen[s])) for s in range(M.S)]
    return sup_norm(np.array(steps) - L)


naive_optimism_limit: Claim[Offline] = Claim(
    statement="N_τ → the lucky value L = max over in-support (a, s') of R + γL(s'): ‖L − N_τ‖ ≤ δ_τ/(1−γ)",
    source=PAPER.at("derived: N_τ is T_τ of the model whose next state is chosen; δ_τ is that model's"),
    let=offline(),
    assume=[],
    then=Leq(
        lhs=lambda x: [gap(lucky(x)), luckiest_step(x)],
        rhs=lambda x: [lucky(x).delta * horizon(x), 0 * x.tau],
    ),
    tight=Tight(two_loops(), within=0),
    mutants=[
        Mutant("N_τ → V*", lhs=lambda x: [sup_norm(x.V_star - x.N), 0 * x.tau]),
        Mutant("slope 2", rhs=lambda x: [lucky(x).delta * odds(x) * horizon(x), 0 * x.tau]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
