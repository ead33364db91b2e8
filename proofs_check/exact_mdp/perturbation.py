"""Block E, first part: how values move with the policy and with the model.

Definitions.  J(π) = ρ·v^π; d^π = (1−γ)ρᵀ(I−γP_π)^{-1} is normalised; TV(π', π)(s) = ½Σ_a|π'(a|s)−π(a|s)|;
adv(s) = Σ_a π'(a|s)A^π(s,a).  For two models ε_r = max|R − R̂| and ε_P = max‖P(s,a) − P̂(s,a)‖₁.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory import gallery
from rltheory.arrays import StateVec, span, sup_norm
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck

from .lets import PAPER, Policies, exact

GAMMA = Fraction(9, 10)


# ---- two policies of one model -----------------------------------------------------------
@dataclass(frozen=True)
class Change(Policies):
    """Let pi become pi2, with start law rho."""

    rho: StateVec

    @cached_property
    def gain(self) -> StateVec:
        """adv = T^π2 v^π − v^π."""
        return rl.bellman(self.M, self.pi2)(self.V) - self.V

    def visits(self, pi: rl.Policy) -> Any:
        """(S, S) expected discounted visits to t from s."""
        return np.array([rl.occupancy(self.M, pi, e, normalised=False) for e in np.eye(self.M.S)])

    @cached_property
    def d(self) -> StateVec:
        """d^π."""
        return rl.occupancy(self.M, self.pi, self.rho)

    @cached_property
    def d2(self) -> StateVec:
        """d^π2."""
        return rl.occupancy(self.M, self.pi2, self.rho)

    @cached_property
    def shift(self) -> Any:
        """½‖d^π2 − d^π‖₁."""
        return abs(self.d2 - self.d).sum() / 2

    @cached_property
    def tv(self) -> StateVec:
        """(S,) TV(π2(·|s), π(·|s))."""
        new, old = (p.matrix(self.M.A, exact=self.M.is_exact) for p in (self.pi2, self.pi))
        out: StateVec = abs(new - old).sum(axis=1) / 2
        return out

    @cached_property
    def mean_tv(self) -> Any:
        """E_{d^π} TV."""
        return (self.d * self.tv).sum()

    @cached_property
    def miss(self) -> Any:
        """|J(π2) − J(π) − E_{d^π} adv/(1−γ)|."""
        linear = (self.d * self.gain).sum() / (1 - self.M.gamma)
        return abs((self.rho * (self.V2 - self.V)).sum() - linear)

    def bound(self, size: Any) -> Any:
        """γ·size/(1−γ)²·E_{d^π} TV."""
        return self.M.gamma * size / (1 - self.M.gamma) ** 2 * self.mean_tv

    @cached_property
    def trpo(self) -> Any:
        """4γ‖A^π‖α²/(1−γ)², α = max TV."""
        A, g = rl.advantage(self.M, self.pi), self.M.gamma
        return 4 * g * sup_norm(A) * self.tv.max() ** 2 / (1 - g) ** 2


@st.composite
def changes(draw: st.DrawFn, /, *, near: bool = False, **model: Any) -> Change:
    """Random models and policies; pi2 = (1−t)pi + t·other with small dyadic t if near."""
    M = draw(ck.mdps(**{"A": st.integers(2, 3), "S": st.integers(2, 5), **model}))
    pi, other = (draw(ck.policies(M.S, M.A)) for _ in range(2))
    if near or draw(st.booleans()):
        t = draw(st.sampled_from([1 / 32, 1 / 8, 1 / 2]))
        other = rl.Policy((1 - t) * pi.matrix(M.A) + t * other.matrix(M.A))
    return Change(M, pi, other, draw(ck.laws(M.S)))


def leaving(delta: Fraction = Fraction(1, 1000), gamma: Fraction = GAMMA) -> Change:
    """Stay in 0 for ever, against leaving to the absorbing, paying state 1 with probability δ."""
    M = gallery.leaving_chain(1, gamma)
    return Change(M, rl.Policy([0, 0], 2), rl.Policy(exact([1 - delta, delta], [1, 0])), exact([1, 0]))


def opposite(delta: Fraction = Fraction(1, 1000), gamma: Fraction = GAMMA) -> Change:
    """`leaving`, where π2 also gives away in state 1 as much as it gains in state 0: sp(adv) = 2‖adv‖."""
    rows = [[[1, 0], [0, 1]], [[0, 1], [0, 1]]]
    M = rl.MDP(rows, exact([0, 0], [1, 0]), gamma)
    waste = delta * gamma / (1 - gamma)
    pi2 = rl.Policy(exact([1 - delta, delta], [1 - waste, waste]))
    return Change(M, rl.Policy([0, 0], 2), pi2, exact([1, 0]))


performance_difference: Claim[Change] = Claim(
    statement="v^π' − v^π = (I − γP_π')^{-1}(T_π' v^π − v^π)",
    source=PAPER.at("Kakade, Langford 2002, Lemma 6.1"),
    let=changes(),
    assume=[],
    then=Eq(lhs=lambda x: x.V2 - x.V, rhs=lambda x: x.visits(x.pi2).dot(x.gain)),
    tight=Tight(leaving(), within=0),
    mutants=[Mutant("visits of π for those of π'", rhs=lambda x: x.visits(x.pi).dot(x.gain))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

occupancy_shift: Claim[Change] = Claim(
    statement="½‖d^π' − d^π‖₁ ≤ γ/(1−γ) · E_{d^π} TV(π', π)",
    source=PAPER.at("Achiam, Held, Tamar, Abbeel 2017, Lemma 3"),
    let=changes(),
    assume=[],
    then=Leq(lhs=lambda x: x.shift, rhs=lambda x: x.M.gamma / (1 - x.M.gamma) * x.mean_tv),
    tight=Tight(leaving(), within=0.01),  # ratio (1−γ)/(1−γ+γδ)
    mutants=[
        Mutant("half the constant", rhs=lambda x: x.M.gamma / (1 - x.M.gamma) * x.mean_tv / 2),
        Mutant("no horizon: γ·E TV", rhs=lambda x: x.M.gamma * x.mean_tv),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

surrogate: Claim[Change] = Claim(
    statement="|J(π') − J(π) − E_{d^π}adv/(1−γ)| ≤ γ·sp(adv)/(1−γ)²·E_{d^π}TV, hence "
    "≤ 2γ‖adv‖/(1−γ)²·E_{d^π}TV and ≤ 4γ‖A^π‖α²/(1−γ)²",
    source=PAPER.at("after Achiam et al. 2017, Corollary 1; Schulman et al. 2015, Theorem 1"),
    let=changes(),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.miss, x.miss, x.miss],
        rhs=lambda x: [x.bound(span(x.gain)), x.bound(2 * sup_norm(x.gain)), x.trpo],
    ),
    tight=Tight([leaving(), opposite()], within=0.01),
    mutants=[
        Mutant(
            "γ‖adv‖ for 2γ‖adv‖",
            then=Leq(lambda x: x.miss, lambda x: x.bound(sup_norm(x.gain))),
            named_only=True,
        ),
        Mutant(
            "half the constant",
            then=Leq(lambda x: x.miss, lambda x: x.bound(span(x.gain) / 2)),
            named_only=True,
        ),
        Mutant(
            "one horizon for two",
            then=Leq(lambda x: x.miss, lambda x: x.bound(span(x.gain) * (1 - x.M.gamma))),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- two models --------------------------------------------------------------------------
@dataclass(frozen=True)
class Twins:
    """Let M and M_hat share S, A and gamma; let pi be a policy."""

    M: rl.MDP
    M_hat: rl.MDP
    pi: rl.Policy

    @cached_property
    def eps_P(self) -> Any:
        """max ‖P(s,a) − P̂(s,a)‖₁."""
        return abs(self.M.P_pairs - self.M_hat.P_pairs).sum(axis=1).max()

    @cached_property
    def eps_r(self) -> Any:
        """max |R − R̂|."""
        return sup_norm(self.M.R_pairs - self.M_hat.R_pairs)

    @cached_property
    def V(self) -> StateVec:
        """v^π in M."""
        return rl.evaluate(self.M, self.pi).V

    @cached_property
    def V_hat(self) -> StateVec:
        """v^π in M̂."""
        return rl.evaluate(self.M_hat, self.pi).V

    @cached_property
    def star(self) -> rl.Solution:
        """v* of M."""
        return rl.solve(self.M)

    @cached_property
    def star_hat(self) -> rl.Solution:
        """v* and an optimal policy of M̂."""
        return rl.solve(self.M_hat)

    @cached_property
    def gap(self) -> Any:
        """‖v^π − v̂^π‖."""
        return sup_norm(self.V - self.V_hat)

    @cached_property
    def loss(self) -> Any:
        """‖v* − v^{π̂*}‖ in M, π̂* the first greedy policy of v̂*."""
        pi = rl.greedy(self.M_hat, self.star_hat.V)
        return sup_norm(self.star.V - rl.evaluate(self.M, pi).V)

    def sp_form(self, V: StateVec, half: Any = 2) -> Any:
        """(ε_r + γε_P·sp(V)/2)/(1−γ)."""
        g = self.M.gamma
        return (self.eps_r + g * self.eps_P * span(V) / half) / (1 - g)

    def unit_form(self, horizons: int = 2, half: Any = 2) -> Any:
        """ε_r/(1−γ) + γε_P/(2(1−γ)²)."""
        g = self.M.gamma
        return self.eps_r / (1 - g) + g * self.eps_P / (half * (1 - g) ** horizons)


def moved(M: rl.MDP, other: rl.MDP, t: float) -> rl.MDP:
    """(1−t)M + t·other, row by row and reward by reward."""
    return rl.MDP((1 - t) * M.P + t * other.P, (1 - t) * M.R + t * other.R, M.gamma)


@st.composite
def twins(draw: st.DrawFn, /, **model: Any) -> Twins:
    """Random models and neighbours of theirs at a dyadic distance; transitions or rewards may agree."""
    M = draw(ck.mdps(**{"S": st.integers(1, 4), "A": st.integers(1, 3), **model}))
    other = draw(ck.mdps(S=M.S, A=M.A, gamma=M.gamma))
    M_hat = moved(M, other, draw(st.sampled_from([1 / 64, 1 / 8, 1.0])))
    same = draw(st.sampled_from(["P", "R", "none"]))
    if same == "P":
        M_hat = M.replace(R=M_hat.R)
    elif same == "R":
        M_hat = M_hat.replace(R=M.R)
    return Twins(M, M_hat, draw(ck.policies(M.S, M.A)))


def leak(delta: Fraction = Fraction(1, 1000), gamma: Fraction = GAMMA) -> Twins:
    """A paying state that is kept for ever, or leaks with probability δ in M̂."""
    M, M_hat = gallery.simulation_tight(delta, gamma)
    return Twins(M, M_hat, rl.Policy([0, 0], 1))


def misjudged(eps: Fraction = Fraction(1, 10)) -> Twins:
    """One state: action 0 pays 2ε less than action 1, and M̂ sees a tie."""
    M = rl.MDP([[[1], [1]]], exact([[0, 2 * eps]]), GAMMA)
    return Twins(M, M.replace(R=exact([[eps, eps]])), rl.Policy([0], 2))


def unit(x: Twins) -> bool:
    """Rewards in [0, 1]."""
    R = np.concatenate([x.M.R_pairs, x.M_hat.R_pairs])
    return bool(R.min() >= 0 and R.max() <= 1)


def large_leak() -> Twins:
    """The leak with reward 10."""
    x = leak()
    return Twins(x.M.replace(R=10 * x.M.R), x.M_hat.replace(R=10 * x.M_hat.R), x.pi)


UNIT = "0 ≤ R, R̂ ≤ 1"

simulation: Claim[Twins] = Claim(
    statement="‖v^π − v̂^π‖ ≤ (ε_r + γε_P·sp(v̂^π)/2)/(1−γ) ≤ ε_r/(1−γ) + γε_P/(2(1−γ)²), R ∈ [0,1]",
    source=PAPER.at("simulation lemma, after Kearns, Singh 2002"),
    let=twins(),
    assume=[Assumption(UNIT, unit, fails_without=large_leak())],
    then=Leq(
        lhs=lambda x: [x.gap, x.gap, x.sp_form(x.V_hat)],
        rhs=lambda x: [x.sp_form(x.V_hat), x.unit_form(), x.unit_form()],
    ),
    tight=Tight([leak(), leak(Fraction(1, 2), Fraction(1, 2))], within=0),
    mutants=[
        Mutant("sp/4 for sp/2", then=Leq(lambda x: x.gap, lambda x: x.sp_form(x.V_hat, half=4))),
        Mutant(
            "ε_r for ε_r/(1−γ)",
            then=Leq(lambda x: x.gap, lambda x: x.unit_form() - x.eps_r * (1 / (1 - x.M.gamma) - 1)),
        ),
        Mutant("one horizon: γε_P/(2(1−γ))", then=Leq(lambda x: x.gap, lambda x: x.unit_form(horizons=1))),
        Mutant("γε_P/(4(1−γ)²)", then=Leq(lambda x: x.gap, lambda x: x.unit_form(half=4)), named_only=True),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

simulation_control: Claim[Twins] = Claim(
    statement="‖v* − v̂*‖ ≤ (ε_r + γε_P·sp/2)/(1−γ) with the span of either v* or v̂*",
    source=PAPER.at("simulation lemma for the optimal values"),
    let=twins(),
    assume=[],
    then=Leq(
        lhs=lambda x: [sup_norm(x.star.V - x.star_hat.V)] * 2,
        rhs=lambda x: [x.sp_form(x.star_hat.V), x.sp_form(x.star.V)],
    ),
    tight=Tight(leak(), within=0),
    mutants=[
        Mutant("sp/4 for sp/2", rhs=lambda x: [x.sp_form(x.star_hat.V, half=4), x.sp_form(x.star.V)]),
        Mutant("no horizon", rhs=lambda x: [x.sp_form(x.star_hat.V) * (1 - x.M.gamma), x.sp_form(x.star.V)]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

simulation_policy_loss: Claim[Twins] = Claim(
    statement="the policy optimal for M̂ loses in M ≤ 2(ε_r + γε_P·sp(v̂*)/2)/(1−γ): sp of the wrong model",
    source=PAPER.at("simulation lemma, policy loss"),
    let=twins(A=st.integers(2, 3)),
    assume=[],
    then=Leq(lhs=lambda x: x.loss, rhs=lambda x: 2 * x.sp_form(x.star_hat.V)),
    tight=Tight(misjudged(), within=0),
    mutants=[
        Mutant("no horizon", rhs=lambda x: 2 * x.sp_form(x.star_hat.V) * (1 - x.M.gamma)),
        Mutant("half of it", rhs=lambda x: x.sp_form(x.star_hat.V), named_only=True),
        Mutant("sp(v*) for sp(v̂*)", rhs=lambda x: 2 * x.sp_form(x.star.V), named_only=True),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    named={
        "sp(v*) = 0": Twins(*gallery.policy_loss_tight(Fraction(1, 10), GAMMA), rl.Policy([0, 0], 2)),
    },
)


@dataclass(frozen=True)
class Horizons(Twins):
    """Let also H be a number of steps, undiscounted."""

    H: int

    def total(self, M: rl.MDP) -> StateVec:
        """(S,) expected sum of H rewards under π."""
        P, r = rl.transition_matrix(M, self.pi), rl.reward_vector(M, self.pi)
        V = 0 * r
        for _ in range(self.H):
            V = r + (P * V).sum(axis=1)
        return V

    @cached_property
    def gap_H(self) -> Any:
        """‖V_0 − V̂_0‖."""
        return sup_norm(self.total(self.M) - self.total(self.M_hat))


@st.composite
def horizons(draw: st.DrawFn) -> Horizons:
    """Random neighbours and horizons from 1 to 8."""
    x = draw(twins())
    return Horizons(x.M, x.M_hat, x.pi, draw(st.integers(1, 8)))


def for_steps(x: Twins, H: int) -> Horizons:
    """The same models for H steps."""
    return Horizons(x.M, x.M_hat, x.pi, H)


simulation_finite_horizon: Claim[Horizons] = Claim(
    statement="H steps, rewards in [0,1], γ = 1: ‖V_0^π − V̂_0^π‖ ≤ Hε_r + ε_P·H(H−1)/4",
    source=PAPER.at("simulation lemma, finite horizon"),
    let=horizons(),
    assume=[Assumption(UNIT, unit, fails_without=for_steps(large_leak(), 8))],
    then=Leq(lhs=lambda x: x.gap_H, rhs=lambda x: x.H * x.eps_r + x.eps_P * x.H * (x.H - 1) / 4),
    tight=Tight([for_steps(leak(), 8), for_steps(misjudged(), 8)], within=0.01),
    mutants=[
        Mutant("ε_r for Hε_r", rhs=lambda x: x.eps_r + x.eps_P * x.H * (x.H - 1) / 4),
        Mutant("one H less: ε_P(H−1)/4", rhs=lambda x: x.H * x.eps_r + x.eps_P * (x.H - 1) / 4),
        Mutant("H(H−1)/8", rhs=lambda x: x.H * x.eps_r + x.eps_P * x.H * (x.H - 1) / 8, named_only=True),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
