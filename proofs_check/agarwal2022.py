"""Agarwal, Jiang, Kakade, Sun: Reinforcement Learning, Theory and Algorithms (monograph)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from hypothesis import strategies as st

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Leq, Mutant, Paper, Tight, run_module
from rltheory.checks import strategies as ck

PAPER = Paper(
    key="agarwal2022",
    authors="Agarwal, Jiang, Kakade, Sun",
    title="Reinforcement Learning: Theory and Algorithms",
    year=2022,
    where="monograph draft",
)


@dataclass(frozen=True)
class TwoModels:
    """Let M and M_hat share S, A and gamma; let pi be a policy."""

    M: rl.MDP
    M_hat: rl.MDP
    pi: rl.Policy

    @cached_property
    def true(self) -> rl.Solution:
        """V_M^π."""
        return rl.evaluate(self.M, self.pi)

    @cached_property
    def believed(self) -> rl.Solution:
        """V_M̂^π."""
        return rl.evaluate(self.M_hat, self.pi)

    @cached_property
    def gap(self) -> Any:
        """‖V_M^π − V_M̂^π‖∞."""
        return rl.sup_norm(self.true.V - self.believed.V)

    @cached_property
    def tv(self) -> Any:
        """max over (s, a) of TV(P, P̂)."""
        return abs(self.M.P - self.M_hat.P).sum(-1).max() / 2

    def exact(self) -> TwoModels:
        """The same instance over the rationals."""
        return TwoModels(self.M.exact(), self.M_hat.exact(), self.pi.exact())


@st.composite
def two_models(draw: st.DrawFn) -> TwoModels:
    """Random pairs of models with a policy; their rewards differ one time in eight."""
    M = draw(ck.mdps())
    M_hat = draw(ck.mdps(S=M.S, A=M.A, gamma=M.gamma))
    if draw(st.integers(0, 7)) < 7:
        M_hat = M_hat.replace(R=M.R)
    return TwoModels(M, M_hat, draw(ck.policies(M.S, M.A)))


def slow_leak(leak: Any = Fraction(1, 1000), R: int = 1, gamma: Any = Fraction(99, 100)) -> TwoModels:
    """Stay for ever without reward, against leaking into a rewarding sink."""
    stay = [[[1, 0]], [[0, 1]]]
    leaky = [[[1 - Fraction(leak), Fraction(leak)]], [[0, 1]]]
    rewards = [[Fraction(0)], [Fraction(R)]]
    return TwoModels(rl.MDP(stay, rewards, gamma), rl.MDP(leaky, rewards, gamma), rl.Policy([0, 0], 1))


def self_loop(reward: int) -> rl.MDP:
    """One state, one action."""
    return rl.MDP([[[1]]], [[Fraction(reward)]], Fraction(1, 2))


def horizon(x: TwoModels) -> Any:
    """1/(1−γ)."""
    return 1 / (1 - x.M.gamma)


simulation_lemma: Claim[TwoModels] = Claim(
    statement="‖V_M^π − V_M̂^π‖ ≤ γ/(1−γ)² · max TV(P(s,a), P̂(s,a)) for rewards in [0,1]",
    source=PAPER.at("ch. 2, simulation lemma, sup-norm form"),
    let=two_models(),
    assume=[
        Assumption(
            "0 ≤ R ≤ 1",
            lambda x: x.M.R.min() >= 0 and x.M.R.max() <= 1,
            fails_without=slow_leak(leak=Fraction(1, 10**4), R=10),
        ),
        Assumption(
            "M and M̂ share R",
            lambda x: (x.M.R == x.M_hat.R).all(),
            fails_without=TwoModels(self_loop(0), self_loop(1), rl.Policy([0], 1)),
        ),
    ],
    then=Leq(lhs=lambda x: x.gap, rhs=lambda x: x.M.gamma * horizon(x) ** 2 * x.tv),
    certify=TwoModels.exact,
    tight=Tight(slow_leak(leak=Fraction(1, 10**4)), within=0.01),
    mutants=[
        Mutant("one horizon, not two", rhs=lambda x: x.M.gamma * horizon(x) * x.tv),
        Mutant("γ² for γ", rhs=lambda x: (x.M.gamma * horizon(x)) ** 2 * x.tv, named_only=True),
        Mutant("rewards may differ too", drop="M and M̂ share R"),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
