"""Block J: off-policy evaluation, by enumerating every trajectory of a short horizon.

Definitions: ρ = π(a|s)/b(a|s); IS, PDIS and DR as in `rltheory.solvers.off_policy`; V^π_0 by backward
induction is the second witness.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.solvers.backward_induction import evaluate_horizon
from rltheory.solvers.off_policy import dr_variance as jiang_li
from rltheory.solvers.off_policy import (
    marginal_ratio,
    off_policy_moments,
    policy_table,
    ratio_second_moment,
    trajectories,
    weighted_is_mean,
)

from .lets import PAPER, exact


@dataclass(frozen=True)
class OffPolicy:
    """Let data come from b; pi is evaluated over H steps, with q_hat (H, S, A) as control variate."""

    M: rl.FiniteHorizonMDP
    pi: rl.Policy
    b: rl.Policy
    q_hat: Any

    @cached_property
    def V(self) -> Any:
        """V^π_0 by backward induction."""
        return evaluate_horizon(self.M, self.pi).V[0]

    def moments(self, kind: Any, q_hat: Any = None) -> tuple[Any, Any]:
        """Mean and variance of one estimator, per start state, over all trajectories."""
        return off_policy_moments(self.M, self.pi, self.b, kind, q_hat=q_hat)

    @cached_property
    def q(self) -> Any:
        """(H, S, A) true q^π_h."""
        V = evaluate_horizon(self.M, self.pi).V
        return np.array([self.M.R[h] + self.M.gamma * (self.M.P[h] @ V[h + 1]) for h in range(self.M.H)])

    @cached_property
    def weighted(self) -> Any:
        """Mean of weighted IS from two trajectories, per start state."""
        return np.array([weighted_is_mean(self.M, self.pi, self.b, 2, start=s) for s in range(self.M.S)])


@st.composite
def off_policy(draw: st.DrawFn, S: int = 2, A: int = 2, H: int = 3, signed: bool = True) -> OffPolicy:
    """Small random horizons with a covering behaviour policy and a random control variate."""
    M = draw(ck.mdps(S=st.integers(1, S), A=st.integers(1, A), rewards=(-1.0, 1.0) if signed else (0.0, 1.0)))
    steps = draw(st.integers(1, H))
    model = rl.FiniteHorizonMDP.from_mdp(M, steps, gamma=draw(ck.discounts(positive=True)))
    q = draw(ck.vectors(H * S * A))[: steps * M.S * M.A].reshape(steps, M.S, M.A)
    return OffPolicy(model, draw(ck.policies(M.S, M.A)), draw(ck.policies(M.S, M.A, positive=True)), q)


def one_state(H: int = 1) -> OffPolicy:
    """One state, rewards (1, 0), b = (½, ½), π = (⅘, ⅕)."""
    M = rl.FiniteHorizonMDP([[[1], [1]]], exact([1, 0])[None, :], H)
    pi = rl.Policy(exact([Fraction(4, 5), Fraction(1, 5)])[None, :])
    b = rl.Policy(exact([Fraction(1, 2), Fraction(1, 2)])[None, :])
    return OffPolicy(M, pi, b, exact([0, 0])[None, None, :].repeat(H, axis=0))


is_unbiased: Claim[OffPolicy] = Claim(
    statement="IS, per-decision IS and doubly robust with any q̂_h have mean V^π",
    source=PAPER.at("Precup, Sutton, Singh 2000; Jiang, Li 2016"),
    let=off_policy(),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([x.moments(k, x.q_hat)[0] for k in ("is", "pdis", "dr")]),
        rhs=lambda x: np.tile(x.V, 3),
    ),
    tight=Tight(one_state(2), within=0),
    mutants=[
        Mutant("weighted IS is unbiased", then=Eq(lhs=lambda x: x.weighted, rhs=lambda x: x.V)),
        Mutant("one ratio too few", lhs=lambda x: np.tile(x.V * 0 + skipped(x), 3)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)


def skipped(x: OffPolicy) -> Any:
    """PDIS with the ratio of the current step left out, mean per start state."""
    out = []
    for s in range(x.M.S):
        total = x.V[0] * 0
        for path in trajectories(x.M, x.b, x.pi, start=s):
            weight, value = total * 0 + 1, total * 0
            for h, (ratio, reward) in enumerate(zip(path.ratios, path.rewards, strict=True)):
                value = value + x.M.gamma**h * weight * reward
                weight = weight * ratio
            total = total + path.prob * value
        out.append(total)
    return np.array(out)


dr_variance: Claim[OffPolicy] = Claim(
    statement="Var_h(s) = E_b[ρ²γ²(Var_P V_{h+1} + P Var_{h+1})] + Var_{a~b}[ρ(q_h − q̂_h)] for doubly robust",
    source=PAPER.at("Jiang, Li 2016, Theorem 1"),
    let=off_policy(),
    assume=[],
    then=Eq(lhs=lambda x: x.moments("dr", x.q_hat)[1], rhs=lambda x: jiang_li(x.M, x.pi, x.b, x.q_hat)[0]),
    tight=Tight(one_state(2), within=0),
    mutants=[
        Mutant("whatever q̂, the variance of q̂ = 0", rhs=lambda x: jiang_li(x.M, x.pi, x.b)[0]),
        Mutant("without the action term", rhs=lambda x: jiang_li(x.M, x.pi, x.b, x.q)[0]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

dr_variance_least: Claim[OffPolicy] = Claim(
    statement="q̂ = q^π minimises the variance of the doubly robust estimator for every (s, h)",
    source=PAPER.at("Jiang, Li 2016, Section 4"),
    let=off_policy(),
    assume=[],
    then=Leq(
        lhs=lambda x: jiang_li(x.M, x.pi, x.b, x.q)[:-1].ravel(),
        rhs=lambda x: jiang_li(x.M, x.pi, x.b, x.q_hat)[:-1].ravel(),
    ),
    # the only randomness left is the transition: q̂ no longer matters
    tight=Tight(
        OffPolicy(
            rl.FiniteHorizonMDP([[[Fraction(1, 2), Fraction(1, 2)]], [[0, 1]]], exact([0], [1]), 2),
            rl.Policy([0, 0], 1),
            rl.Policy([0, 0], 1),
            exact([1, 2, 3, 4]).reshape(2, 2, 1),
        ),
        within=0,
    ),
    mutants=[
        Mutant(
            "q̂ = 0 is never worse than q̂ = q",
            then=Leq(
                lambda x: jiang_li(x.M, x.pi, x.b)[0],
                lambda x: jiang_li(x.M, x.pi, x.b, x.q)[0],
            ),
        ),
        Mutant(
            "Var(PDIS) ≤ Var(IS)",
            then=Leq(lambda x: x.moments("pdis")[1], lambda x: x.moments("is")[1]),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def worst_ratio(x: OffPolicy) -> Any:
    """max_s Σ_a π(a|s)²/b(a|s)."""
    pi, b = policy_table(x.M, x.pi)[0], policy_table(x.M, x.b)[0]
    return (pi**2 / b).sum(axis=1).max()


def second_moment(x: OffPolicy) -> Any:
    """E_b[(Πρ)²] per start state, over all trajectories."""
    out = []
    for s in range(x.M.S):
        total = x.V[0] * 0
        for path in trajectories(x.M, x.b, x.pi, start=s):
            square = total * 0 + 1
            for ratio in path.ratios:
                square = square * ratio**2
            total = total + path.prob * square
        out.append(total)
    return np.array(out)


ratio_blowup: Claim[OffPolicy] = Claim(
    statement="E_b[(Πρ)²] ≤ (max_s Σ_a π²/b)^H",
    source=PAPER.at("folklore: importance ratios blow up exponentially in the horizon"),
    let=off_policy(),
    assume=[],
    then=Leq(lhs=second_moment, rhs=lambda x: worst_ratio(x) ** x.M.H),
    tight=Tight([one_state(1), one_state(3)], within=0),
    mutants=[Mutant("exponent H − 1", rhs=lambda x: worst_ratio(x) ** (x.M.H - 1))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=80,
)

ratio_blowup_recursion: Claim[OffPolicy] = Claim(
    statement="E_b[(Πρ)²] obeys m_h = Σ_a (π²/b) P m_{h+1}",
    source=PAPER.at("first-step analysis"),
    let=off_policy(),
    assume=[],
    then=Eq(lhs=second_moment, rhs=lambda x: ratio_second_moment(x.M, x.pi, x.b)),
    tight=Tight(one_state(2), within=0),
    mutants=[Mutant("π/b for π²/b", rhs=lambda x: x.V * 0 + 1)],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)


@dataclass(frozen=True)
class Marginal:
    """Let w(s, a) = d^π(s, a)/d^b(s, a), normalised discounted occupancies from the model's start law."""

    M: rl.MDP
    pi: rl.Policy
    b: rl.Policy

    @cached_property
    def w(self) -> Any:
        """(S, A) ratio of occupancies."""
        return marginal_ratio(self.M, self.pi, self.b)

    @cached_property
    def d_b(self) -> Any:
        """(S, A) occupancy of b."""
        return rl.state_action_occupancy(self.M, self.b)

    @cached_property
    def J(self) -> Any:
        """Σ_s μ(s) v^π(s)."""
        return (self.M.mu * rl.evaluate(self.M, self.pi).V).sum()

    @cached_property
    def flow(self) -> Any:
        """π(a|t)[(1−γ)μ(t) + γ Σ d^b w P(t|·)], from the definition."""
        M, x = self.M, self.d_b * self.w
        into = np.array([(x * M.P[:, :, t]).sum() for t in range(M.S)])
        rows = self.pi.matrix(M.A, exact=M.is_exact)
        return rows * ((1 - M.gamma) * M.mu + M.gamma * into)[:, None]


@st.composite
def marginals(draw: st.DrawFn) -> Marginal:
    """Random models; b is positive, and every state is reached from a start law of powers of two."""
    M = draw(ck.mdps(S=st.integers(1, 4), A=st.integers(1, 3)))
    mu = draw(ck.laws(M.S, positive=True))
    return Marginal(M.replace(mu=mu), draw(ck.policies(M.S, M.A)), draw(ck.policies(M.S, M.A, positive=True)))


_two = rl.MDP([[[1, 0], [0, 1]]] * 2, exact([1, 0], [0, 1]), Fraction(1, 2))

mis: Claim[Marginal] = Claim(
    statement="J(π) = E_{d^b}[w r]/(1−γ), and d^b w = π[(1−γ)μ + γ Σ d^b w P]",
    source=PAPER.at("Liu et al. 2018; Uehara, Huang, Jiang 2020"),
    let=marginals(),
    assume=[],
    then=Eq(
        lhs=lambda x: np.append((x.d_b * x.w).ravel(), (x.d_b * x.w * x.M.R).sum() / (1 - x.M.gamma)),
        rhs=lambda x: np.append(x.flow.ravel(), x.J),
    ),
    tight=Tight(Marginal(_two, rl.Policy([0, 1], 2), rl.Policy(exact([1, 1], [1, 1]) / 2)), within=0),
    mutants=[
        Mutant(
            "state occupancy d^b(t) on the left",
            lhs=lambda x: np.append((x.d_b.sum(axis=1)[:, None] * x.w).ravel(), x.J),
        )
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
