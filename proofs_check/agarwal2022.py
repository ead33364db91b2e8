"""Agarwal, Jiang, Kakade, Sun: Reinforcement Learning, Theory and Algorithms (monograph)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

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
def _two_models(draw: st.DrawFn, same_rewards: bool) -> TwoModels:
    M = draw(ck.mdps())
    other = draw(ck.mdps(S=M.S, A=M.A, gamma=M.gamma))
    M_hat = other.replace(R=M.R) if same_rewards else other
    return TwoModels(M, M_hat, draw(ck.policies(M.S, M.A)))


def two_models(same_rewards: bool = True) -> SearchStrategy[TwoModels]:
    """Random pairs of models with a policy."""
    return _two_models(same_rewards)


def slow_leak(leak: Any = Fraction(1, 1000), R: int = 1, gamma: Any = Fraction(99, 100)) -> TwoModels:
    """Stay for ever without reward, against leaking into a rewarding sink."""
    stay = [[[1, 0]], [[0, 1]]]
    leaky = [[[1 - Fraction(leak), Fraction(leak)]], [[0, 1]]]
    rewards = [[Fraction(0)], [Fraction(R)]]
    return TwoModels(rl.MDP(stay, rewards, gamma), rl.MDP(leaky, rewards, gamma), rl.Policy([0, 0], 1))


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
            lambda x: 0 <= x.M.R.min() and x.M.R.max() <= 1,
            fails_without=slow_leak(leak=Fraction(1, 10**4), R=10),
        )
    ],
    then=Leq(lhs=lambda x: x.gap, rhs=lambda x: x.M.gamma * horizon(x) ** 2 * x.tv),
    certify=TwoModels.exact,
    tight=Tight(slow_leak(leak=Fraction(1, 10**4)), within=0.01),
    mutants=[
        Mutant("one horizon, not two", rhs=lambda x: x.M.gamma * horizon(x) * x.tv),
        Mutant("γ² for γ", rhs=lambda x: (x.M.gamma * horizon(x)) ** 2 * x.tv, named_only=True),
        Mutant("rewards may differ too", let=two_models(same_rewards=False)),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
