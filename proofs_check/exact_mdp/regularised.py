"""Block H: entropy-regularised problems.

Definitions: temperature τ > 0, T_τ v(s) = τ log Σ_a μ(a|s) exp((R + γPv)(s,a)/τ) with weights μ = 1 or a
reference policy, v*_τ its fixed point, π*_τ ∝ μ exp(q*_τ/τ); v^π_τ counts the bonus −τ log(π/μ).
m is the number of actions, d^π_ρ the normalised occupancy.  Balls are compared up to `NEAR` (`soft_lets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec
from rltheory.checks import CERTIFIED, Claim, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels.exact import to_fmpq_list
from rltheory.results.path import PolicyPath
from rltheory.solvers.policy_gradient import NaturalPolicyGradient
from rltheory.solvers.regularised import soft_bellman, soft_evaluate
from rltheory.solvers.soft_balls import soft_backup_balls

from .lets import PAPER, exact
from .soft_lets import (
    Soft,
    ahead,
    arms,
    eq,
    lazy_relay,
    leq,
    log,
    log_mean_exp,
    mostly_first,
    precise,
    reals,
    softs,
    span_ball,
    sup,
    value,
)

GAMMA = Fraction(9, 10)
HALF = Fraction(1, 2)
EQUAL = rl.MDP([[[0, 1], [1, 0], [0, 1]]] * 2, exact([1, 1, 1], [1, 1, 1]), GAMMA)
SKEW = rl.Policy(exact([[Fraction(1, 256), Fraction(255, 256)]]))


# ---- the soft Bellman operator -----------------------------------------------------------------
@dataclass(frozen=True)
class SoftValues(Soft):
    """Let also u, v be state values."""

    u: StateVec
    v: StateVec

    def backup(self, v: StateVec) -> Any:
        """T_τ v as the library computes it."""
        if not self.M.is_exact:
            return soft_bellman(self.M, v, self.tau, self.mu)
        mu = None if self.mu is None else self.mu.matrix(self.M.A).reshape(-1)
        return np.array(soft_backup_balls(self.M, to_fmpq_list(v), self.tau, mu)[0], dtype=object)


@st.composite
def soft_values(draw: st.DrawFn) -> SoftValues:
    """Random models, plain or with a reference, and two value vectors."""
    x = draw(softs(reference=draw(st.booleans())))
    return SoftValues(x.M, x.tau, x.mu, draw(ck.vectors(x.M.S)), draw(ck.vectors(x.M.S)))


soft_gap_contraction: Claim[SoftValues] = Claim(
    statement="‖T_τ u − T_τ v‖ ≤ γ ‖u − v‖",
    source=PAPER.at("Nachum et al. 2017; log-sum-exp is 1-Lipschitz in the sup norm"),
    let=soft_values(),
    assume=[],
    then=leq(
        lhs=lambda x: sup(x.backup(x.u) - x.backup(x.v)),
        rhs=lambda x: reals(x.M, x.M.gamma) * sup(x.u - x.v),
    ),
    tight=Tight(SoftValues(EQUAL, HALF, None, exact([3, 4]), exact([1, 2])), within=1e-12),
    mutants=[
        Mutant("γ² for γ", rhs=precise(lambda x: reals(x.M, x.M.gamma**2) * sup(x.u - x.v))),
        Mutant("mean of |u − v|", rhs=precise(lambda x: reals(x.M, x.M.gamma * abs(x.u - x.v).mean()))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def unweighted(x: SoftValues) -> Any:
    """T_τ with weights 1, of v*_τ and of v."""
    y = Soft(x.M, x.tau, None)
    return np.concatenate([y.T(x.V), y.T(reals(x.M, x.v))])


soft_gap_fixed_point: Claim[SoftValues] = Claim(
    statement="v*_τ solves v = τ log Σ_a μ exp((R + γPv)/τ), and T_τ v is what the definition says",
    source=PAPER.at("Ziebart 2010; Nachum et al. 2017"),
    let=soft_values(),
    assume=[],
    then=eq(
        lhs=lambda x: np.concatenate([x.T(x.V), x.T(reals(x.M, x.v))]),
        rhs=lambda x: np.concatenate([x.V, x.backup(x.v)]),
    ),
    tight=Tight(SoftValues(EQUAL, HALF, None, exact([3, 4]), exact([1, 2])), within=0),
    mutants=[
        Mutant("v* is the fixed point", rhs=precise(lambda x: np.concatenate([x.V_star, x.backup(x.v)]))),
        Mutant("with weights 1 whatever μ", lhs=precise(unweighted)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- what the temperature costs ----------------------------------------------------------------
def entropy(x: Soft, horizon: bool = True) -> Any:
    """τ log m/(1−γ) for every state, or without the horizon."""
    bound = x.heat * log(reals(x.M, x.M.A))
    return np.array([bound * x.horizon if horizon else bound] * x.M.S)


soft_gap: Claim[Soft] = Claim(
    statement="0 ≤ v*_τ − v* ≤ τ log m/(1−γ)",
    source=PAPER.at("folklore: log-sum-exp is within log m of the maximum"),
    let=softs(),
    assume=[],
    then=leq(
        lhs=lambda x: np.concatenate([0 * x.V, x.V - x.V_star]),
        rhs=lambda x: np.concatenate([x.V - x.V_star, entropy(x)]),
    ),
    tight=Tight(Soft(EQUAL, HALF, None), within=1e-12),
    mutants=[
        Mutant(
            "τ log m without 1/(1−γ)",
            rhs=precise(lambda x: np.concatenate([x.V - x.V_star, entropy(x, horizon=False)])),
        ),
        Mutant("v*_τ ≤ v*", then=leq(lambda x: x.V, lambda x: x.V_star)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def one_arm(m: int, c: Fraction) -> Soft:
    """One state, one arm of reward c and m − 1 of reward 0, at temperature 1."""
    return Soft(arms([c] + [0] * (m - 1), HALF), Fraction(1), None)


def loss(x: Soft) -> Any:
    """v* − v^π for π = π*_τ, unregularised."""
    return x.V_star - value(x.M, x.pi)


soft_gap_loss: Claim[Soft] = Claim(
    statement="0 ≤ v* − v^π ≤ τ log m/(1−γ) for the soft-optimal policy π = π*_τ",
    source=PAPER.at("folklore: π*_τ has the soft value less its entropy bonus"),
    let=softs(),
    assume=[],
    then=leq(
        lhs=lambda x: np.concatenate([0 * x.V, loss(x)]),
        rhs=lambda x: np.concatenate([loss(x), entropy(x)]),
    ),
    # approached only logarithmically in m: 0.478, 0.640 at m = 10, 1000
    tight=Tight([one_arm(10, Fraction(21, 10)), one_arm(1000, Fraction(27, 5))], within=0.53),
    mutants=[
        Mutant(
            "τ log m without 1/(1−γ)",
            rhs=precise(lambda x: np.concatenate([loss(x), entropy(x, horizon=False)])),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def least_likely(x: Soft) -> Any:
    """min μ."""
    assert x.mu is not None
    return reals(x.M, x.mu.matrix(x.M.A).min())


def referred(x: Soft, price: Any) -> Any:
    """v*_{τ,μ} − v^μ, v* − v*_{τ,μ}, and price/(1−γ) for every state."""
    return np.concatenate([x.V - value(x.M, x.weights), x.V_star - x.V, [price * x.horizon] * x.M.S])


soft_gap_reference: Claim[Soft] = Claim(
    statement="v^μ ≤ v*_{τ,μ} ≤ v* ≤ v*_{τ,μ} + τ log(1/min μ)/(1−γ)",
    source=PAPER.at("folklore: log Σ μ e^{q/τ} lies between mean and maximum"),
    let=softs(reference=True),
    assume=[],
    then=leq(
        lhs=lambda x: np.concatenate([0 * x.V, 0 * x.V, x.V_star - x.V]),
        rhs=lambda x: referred(x, -x.heat * log(least_likely(x))),
    ),
    # the best arm is the least likely, τ → 0
    tight=Tight(Soft(arms([1, 0], GAMMA), Fraction(1, 100), SKEW), within=1e-12),
    mutants=[
        Mutant(
            "log m for log(1/min μ)",
            rhs=precise(lambda x: referred(x, x.heat * log(reals(x.M, x.M.A)))),
        ),
        Mutant(
            "without 1/(1−γ)",
            rhs=precise(lambda x: referred(x, -x.heat * log(least_likely(x)) / x.horizon)),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- suboptimality is a divergence -------------------------------------------------------------
@dataclass(frozen=True)
class SoftPolicies(Soft):
    """Let pi be a positive policy and rho a start law."""

    pi1: rl.Policy
    rho: StateVec

    @cached_property
    def rows(self) -> Any:
        """(S, A) probabilities of pi."""
        return reals(self.M, self.pi1.matrix(self.M.A))

    @cached_property
    def gap(self) -> Any:
        """v*_τ(ρ) − v^π_τ(ρ): two solves."""
        own = span_ball(soft_evaluate(self.M, self.pi1, self.tau, self.mu))
        return (reals(self.M, self.rho) * (self.V - own)).sum()

    def divergence(self, *, of: Any = None, reverse: bool = False) -> Any:
        """τ/(1−γ) Σ_s d_ρ(s) KL(π_s‖π*_τ,s), d the occupancy of pi or of another policy."""
        d = reals(self.M, rl.occupancy(self.M, self.pi1 if of is None else of, self.rho))
        first = self.pi if reverse else self.rows
        sign = -1 if reverse else 1
        kl = (first * (log(self.rows) - self.log_pi)).sum(axis=1) * sign
        return self.heat * self.horizon * (d * kl).sum()


@st.composite
def soft_policies(draw: st.DrawFn) -> SoftPolicies:
    """Random models, plain or with a reference, positive policies and start laws."""
    x = draw(softs(reference=draw(st.booleans())))
    pi = draw(ck.policies(x.M.S, x.M.A, positive=True))
    return SoftPolicies(x.M, x.tau, x.mu, pi, draw(ck.laws(x.M.S)))


soft_suboptimality: Claim[SoftPolicies] = Claim(
    statement="v*_τ(ρ) − v^π_τ(ρ) = τ/(1−γ) Σ_s d^π_ρ(s) KL(π_s‖π*_τ,s)",
    source=PAPER.at("Mei et al. 2020, soft suboptimality lemma"),
    let=soft_policies(),
    assume=[],
    then=eq(lhs=lambda x: x.gap, rhs=lambda x: x.divergence()),
    tight=Tight(
        SoftPolicies(
            rl.MDP([[[1, 0], [0, 1]]] * 2, exact([1, 0], [0, 2]), GAMMA),
            HALF,
            None,
            rl.Policy(exact([1, 3], [1, 1]) / exact([4, 4], [2, 2])),
            exact([1, 1]) / 2,
        ),
        within=0,
    ),
    mutants=[
        Mutant("occupancy of π*_τ", rhs=precise(lambda x: x.divergence(of=x.solution.pi))),
        Mutant("KL(π*_τ‖π)", rhs=precise(lambda x: x.divergence(reverse=True))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- natural policy gradient with entropy ------------------------------------------------------
@dataclass(frozen=True)
class Entropic(Soft):
    """Let η = share·(1−γ)/τ, 0 < share ≤ 1; start at the positive policy pi0 and make that many updates."""

    share: Any
    updates: int
    pi0: rl.Policy

    @cached_property
    def path(self) -> PolicyPath:
        """π_0, …, π_T."""
        eta = self.share * (1 - self.M.gamma) / self.tau
        return NaturalPolicyGradient(eta, self.updates, tau=self.tau, pi0=self.pi0).run(self.M)

    def along(self, name: str) -> list[Any]:
        """(S, A) tables of "pi", "log_pi" or "q" at t = 0..T: floats, or balls."""
        p, shape = self.path, (self.M.S, self.M.A)
        if not self.M.is_exact:
            return list({"pi": p.pi, "log_pi": p.log_pi, "q": p.Q}[name])
        return [np.array(t, dtype=object).reshape(shape) for t in p.balls[name]]

    @cached_property
    def errors(self) -> Any:
        """‖q*_τ − q_τ^{t+1}‖, t = 0..T−1."""
        return np.array([sup(self.q - q) for q in self.along("q")[1:]])

    @cached_property
    def C1(self) -> Any:
        """‖q*_τ − q_τ^0‖ + 2τ(1 − ητ/(1−γ))‖log π*_τ − log π_0‖."""
        start = log(reals(self.M, self.pi0.matrix(self.M.A)))
        rest = 2 * self.heat * reals(self.M, 1 - self.share)
        return sup(self.q - self.along("q")[0]) + rest * sup(self.log_pi - start)

    def rate(self, factor: int = 1) -> Any:
        """C₁ γ |1 − factor·ητ|^t."""
        base = reals(self.M, abs(1 - factor * self.share * (1 - self.M.gamma)))
        return np.array([self.C1 * reals(self.M, self.M.gamma) * base**t for t in range(self.updates)])


@st.composite
def entropics(draw: st.DrawFn) -> Entropic:
    """Random models, positive starts and up to five updates; one in four a relay."""
    if draw(st.integers(0, 3)) == 3:
        n, gamma = draw(st.integers(2, 4)), draw(ck.discounts(positive=True))
        relay = lazy_relay(n, Fraction(gamma), Fraction(draw(st.integers(1, 8)), 1024)).float()
        share = draw(st.sampled_from([3 / 4, 1.0]))
        start = mostly_first(n, Fraction(1, 2**30)).float()
        return Entropic(relay, 2.0**-20, None, share, draw(st.integers(2, 4)), start)
    x = draw(softs(S=3))
    share = draw(st.sampled_from([1 / 8, 1 / 2, 3 / 4, 1.0]))
    pi0 = draw(ck.policies(x.M.S, x.M.A, positive=True))
    return Entropic(x.M, x.tau, None, share, draw(st.integers(1, 5)), pi0)


npg_entropy: Claim[Entropic] = Claim(
    statement="η ≤ (1−γ)/τ ⇒ ‖q*_τ − q_τ^{t+1}‖ ≤ C₁ γ (1−ητ)^t, "
    "C₁ = ‖q*_τ − q_τ^0‖ + 2τ(1 − ητ/(1−γ))‖log π*_τ − log π_0‖",
    source=PAPER.at("Cen et al. 2021, Theorem 1"),
    let=entropics(),
    assume=[],
    then=leq(lhs=lambda x: x.errors, rhs=lambda x: x.rate()),
    tight=Tight(
        # soft policy iteration that finds the reward one state further an iteration
        Entropic(
            lazy_relay(4, GAMMA, Fraction(1, 1000)),
            Fraction(1, 10**5),
            None,
            Fraction(1),
            3,
            mostly_first(4, Fraction(1, 10**9)),
        ),
        within=0.01,
    ),
    mutants=[Mutant("(1 − 2ητ)^t", rhs=precise(lambda x: x.rate(2)))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def steps(x: Entropic, power: Any) -> Any:
    """power·log π_t + ηq_τ/(1−γ), normalised: what log π_{t+1} should be."""
    eta = reals(x.M, x.share / x.tau)
    paths = zip(x.along("log_pi")[:-1], x.along("q")[:-1], strict=True)
    new = [reals(x.M, power) * log_pi + eta * q for log_pi, q in paths]
    return np.array([f - log_mean_exp(f, reals(x.M, 1))[:, None] for f in new])


def expected(x: Entropic, power: Any) -> Any:
    """`steps`, and R + γP v_τ with v_τ = Σ_a π(q_τ − τ log π), q_τ and π_t of the path."""
    values = []
    for pi, log_pi, q in zip(x.along("pi"), x.along("log_pi"), x.along("q"), strict=True):
        values.append(ahead(x.M, (pi * (q - x.heat * log_pi)).sum(axis=1)))
    return np.concatenate([steps(x, power).ravel(), np.array(values).ravel()])


npg_entropy_update: Claim[Entropic] = Claim(
    statement="π_{t+1} ∝ π_t^{1−ητ/(1−γ)} exp(ηq_τ/(1−γ)) with q_τ = R + γP Σ_a π(q_τ − τ log π)",
    source=PAPER.at("Cen et al. 2021, the update of entropy-regularised NPG"),
    let=entropics(),
    assume=[],
    then=eq(
        lhs=lambda x: np.concatenate(
            [np.array(x.along("log_pi")[1:]).ravel(), np.array(x.along("q")).ravel()]
        ),
        rhs=lambda x: expected(x, 1 - x.share),
    ),
    tight=Tight(
        Entropic(lazy_relay(2, GAMMA, Fraction(1, 10)), HALF, None, HALF, 2, mostly_first(2, HALF)), within=0
    ),
    mutants=[
        Mutant("π_t to the power one", rhs=precise(lambda x: expected(x, 1))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
