"""Block H: natural policy gradient and policy mirror descent.

Definitions: A^π = q^π − v^π, m actions.
NPG: π_{t+1} = π_t e^{ηA/(1−γ)}/Z_t from the uniform policy.  Mirror descent: π_{t+1} ∝ π_t e^{η_t q}.
Iterates are transcendental: on exact models they are balls, compared up to `NEAR` (see `soft_lets`).
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
from rltheory.checks import CERTIFIED, Assumption, Claim, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.results.path import PolicyPath
from rltheory.solvers.policy_gradient import NaturalPolicyGradient, PolicyMirrorDescent

from .lets import PAPER, exact
from .soft_lets import ahead, arms, eq, lazy_relay, leq, log, log_mean_exp, mostly_first, precise, reals, sup

GAMMA = Fraction(9, 10)


@dataclass(frozen=True)
class Path:
    """Let M be an MDP and pi_0, …, pi_T the policies of a softmax method."""

    M: rl.MDP

    @cached_property
    def path(self) -> PolicyPath:
        """The library's path."""
        raise NotImplementedError

    def along(self, name: str) -> Any:
        """(T+1, S, A) "pi", "log_pi" or (T+1, S) "V": floats, or balls."""
        p = self.path
        if not self.M.is_exact:
            return {"pi": p.pi, "log_pi": p.log_pi, "V": p.V}[name]
        out = np.array(p.balls[name], dtype=object)
        return out if name == "V" else out.reshape(-1, self.M.S, self.M.A)

    @cached_property
    def V_star(self) -> StateVec:
        """v*."""
        return reals(self.M, rl.solve(self.M).V)

    @cached_property
    def losses(self) -> Any:
        """(T+1, S) v* − v^{π_t}."""
        return self.V_star - self.along("V")

    @cached_property
    def left(self) -> Any:
        """1 − γ."""
        return reals(self.M, 1 - self.M.gamma)


@dataclass(frozen=True)
class Natural(Path):
    """Let NPG make `updates` steps of size eta > 0 from the uniform policy; rho is a law."""

    eta: Any
    updates: int
    rho: StateVec

    @cached_property
    def path(self) -> PolicyPath:
        """π_0, …, π_T."""
        return NaturalPolicyGradient(self.eta, self.updates).run(self.M)

    @cached_property
    def gap(self) -> Any:
        """v*(ρ) − v^{π_T}(ρ)."""
        return (reals(self.M, self.rho) * self.losses[-1]).sum()

    @cached_property
    def first(self) -> Any:
        """log m/(ηT)."""
        return log(reals(self.M, self.M.A)) / reals(self.M, self.eta * self.updates)

    @cached_property
    def second(self) -> Any:
        """1/((1−γ)²T)."""
        return 1 / (self.left**2 * self.updates)

    @cached_property
    def own_second(self) -> Any:
        """‖v* − v^{π_0}‖/((1−γ)T)."""
        return sup(self.losses[0]) / (self.left * self.updates)

    @cached_property
    def Adv(self) -> Any:
        """(T+1, S, A) A^{π_t} = R + γPv − v, v = v^{π_t}."""
        return np.array([ahead(self.M, v) - v[:, None] for v in self.along("V")])

    @cached_property
    def exponents(self) -> Any:
        """(T+1, S, A) ηA^{π_t}/(1−γ)."""
        return reals(self.M, self.eta) / self.left * self.Adv

    @cached_property
    def log_Z(self) -> Any:
        """(T, S) log Σ_a π_t e^{ηA/(1−γ)}, from the definition."""
        return np.array(
            [log_mean_exp(e, p) for e, p in zip(self.exponents[:-1], self.along("pi"), strict=False)]
        )


@st.composite
def naturals(draw: st.DrawFn) -> Natural:
    """Random models with steps from tiny to huge; one in four makes ten tiny steps, and one in four a huge
    step or two on a relay that misleads at first.
    """
    M = draw(ck.mdps(S=st.integers(1, 3), A=st.integers(2, 3)))
    kind, updates = draw(st.integers(0, 3)), draw(st.integers(1, 4))
    eta = 2.0 ** draw(st.sampled_from([-6, -3, 0, 3, 10]))
    if kind == 2:
        eta, updates = 2.0**-6, 10
    elif kind == 3:
        bonus = Fraction(draw(st.integers(9, 15)), 16)
        M = lazy_relay(draw(st.integers(2, 3)), Fraction(M.gamma), bonus).float()
        eta, updates = max(eta, 8.0), min(updates, 2)
    return Natural(M, eta, updates, draw(ck.laws(M.S)))


def bandit(m: int, updates: int, beta: Fraction) -> Natural:
    """One state, γ = 0, one arm of reward 1 and m − 1 of reward 0; ηT = beta."""
    return Natural(arms([1] + [0] * (m - 1), Fraction(0)), beta / updates, updates, exact([1]))


# the bound is approached only logarithmically in m: 0.478, 0.640, 0.758 at m = 10, 10³, 10⁶ as η → 0
TEN, THOUSAND = bandit(10, 100, Fraction(21, 10)), bandit(1000, 10, Fraction(27, 5))


def misled(scale: int) -> Natural:
    """One huge step on a relay whose bonus 11/20 beats half the reward; rewards times `scale`."""
    M = lazy_relay(2, GAMMA, Fraction(11, 20))
    return Natural(M.replace(R=scale * M.R), Fraction(10), 1, exact([0, 1]))


npg: Claim[Natural] = Claim(
    statement="R ∈ [0,1] ⇒ v*(ρ) − v^{π_T}(ρ) ≤ log m/(ηT) + 1/((1−γ)²T)",
    source=PAPER.at("Agarwal et al. 2021, Theorem 16"),
    let=naturals(),
    assume=[
        Assumption("0 ≤ R ≤ 1", lambda x: x.M.R.min() >= 0 and x.M.R.max() <= 1, fails_without=misled(100))
    ],
    then=leq(lhs=lambda x: x.gap, rhs=lambda x: x.first + x.second),
    tight=Tight([TEN, THOUSAND], within=0.53),
    mutants=[
        Mutant("without 1/((1−γ)²T)", rhs=precise(lambda x: x.first)),
        Mutant("without log m/(ηT)", rhs=precise(lambda x: x.second)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

npg_instance: Claim[Natural] = Claim(
    statement="v*(ρ) − v^{π_T}(ρ) ≤ log m/(ηT) + ‖v* − v^{π_0}‖/((1−γ)T)",
    source=PAPER.at("Agarwal et al. 2021, proof of Theorem 16, with v* − v^{π_0} kept"),
    let=naturals(),
    assume=[],
    then=leq(lhs=lambda x: x.gap, rhs=lambda x: x.first + x.own_second),
    tight=Tight([TEN, THOUSAND], within=0.53),
    mutants=[
        Mutant("without the second term", rhs=precise(lambda x: x.first)),
        Mutant("without log m/(ηT)", rhs=precise(lambda x: x.own_second)),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

npg_monotone: Claim[Natural] = Claim(
    statement="v^{π_{t+1}} − v^{π_t} ≥ ((1−γ)/η) log Z_t ≥ 0",
    source=PAPER.at("Agarwal et al. 2021, Lemma 17"),
    let=naturals(),
    assume=[],
    then=leq(
        lhs=lambda x: np.concatenate([0 * x.log_Z, x.left / reals(x.M, x.eta) * x.log_Z]).ravel(),
        rhs=lambda x: np.concatenate([x.log_Z, np.diff(x.along("V"), axis=0)]).ravel(),
    ),
    # a greedy step: log Z → η max A
    tight=Tight(Natural(arms([1, 0, 0], Fraction(0)), Fraction(10**6), 1, exact([1])), within=1e-5),
    mutants=[
        Mutant(
            "(1/η) log Z_t",
            then=leq(
                lhs=lambda x: (1 / reals(x.M, x.eta) * x.log_Z).ravel(),
                rhs=lambda x: np.diff(x.along("V"), axis=0).ravel(),
            ),
        ),
        Mutant(
            "v^{π_{t+1}} − v^{π_t} ≥ max_a A(s, a)/m",
            then=leq(
                lhs=lambda x: (x.Adv.max(axis=2)[:-1] / x.M.A).ravel(),
                rhs=lambda x: np.diff(x.along("V"), axis=0).ravel(),
            ),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def moved(x: Natural) -> Any:
    """log π_{t+1} − log π_t and v^{π_t}."""
    return np.concatenate([np.diff(x.along("log_pi"), axis=0).ravel(), x.along("V").ravel()])


def predicted(x: Natural, factor: Any) -> Any:
    """factor·ηA/(1−γ) − log Z_t, and Σ_a π_t (R + γPv)."""
    e = [reals(x.M, factor) * e for e in x.exponents[:-1]]
    steps = [f - log_mean_exp(f, p)[:, None] for f, p in zip(e, x.along("pi"), strict=False)]
    values = [(p * ahead(x.M, v)).sum(axis=1) for p, v in zip(x.along("pi"), x.along("V"), strict=True)]
    return np.concatenate([np.array(steps).ravel(), np.array(values).ravel()])


npg_update: Claim[Natural] = Claim(
    statement="π_{t+1} = π_t e^{ηA/(1−γ)}/Z_t, A the advantage of π_t",
    source=PAPER.at("Kakade 2001; Agarwal et al. 2021, Lemma 15"),
    let=naturals(),
    assume=[],
    then=eq(lhs=moved, rhs=lambda x: predicted(x, 1)),
    tight=Tight(Natural(lazy_relay(3, GAMMA, Fraction(1, 10)), Fraction(1), 2, exact([1, 0, 0])), within=0),
    mutants=[Mutant("exponent ηA", rhs=precise(lambda x: predicted(x, 1 - x.M.gamma)))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
    draws=60,
)


@dataclass(frozen=True)
class Mirror(Path):
    """Let mirror descent make `updates` steps with c_k = γ^{2k+1}c_0 and the least allowed η_k, from pi0."""

    c0: Any
    updates: int
    pi0: rl.Policy

    @cached_property
    def path(self) -> PolicyPath:
        """π_0, …, π_T."""
        return PolicyMirrorDescent(self.updates, c0=self.c0, pi0=self.pi0).run(self.M)

    @cached_property
    def errors(self) -> Any:
        """‖v* − v^k‖, k = 0..T."""
        return np.array([sup(loss) for loss in self.losses])

    def rate(self, power: int = 1, c0: Any = None) -> Any:
        """γ^{power·k}(‖v* − v^0‖ + c_0/(1−γ)), k = 1..T."""
        start = self.errors[0] + reals(self.M, self.c0 if c0 is None else c0) / self.left
        gammas = [self.M.gamma ** (power * k) for k in range(1, self.updates + 1)]
        return start * reals(self.M, np.array(gammas))

    def step(self, with_c: bool = True) -> Any:
        """γ‖v* − v^k‖ + c_k, k = 0..T−1."""
        c = [self.M.gamma ** (2 * k + 1) * self.c0 * int(with_c) for k in range(self.updates)]
        return reals(self.M, self.M.gamma) * self.errors[:-1] + reals(self.M, np.array(c))


@st.composite
def mirrors(draw: st.DrawFn) -> Mirror:
    """Random models and starts, c_0 from small to large, up to four updates; one in four a relay."""
    if draw(st.integers(0, 3)) == 3:
        n, gamma = draw(st.integers(2, 4)), draw(ck.discounts(positive=True))
        relay = lazy_relay(n, Fraction(gamma), Fraction(draw(st.integers(1, 8)), 1024)).float()
        start = mostly_first(n, Fraction(1, 2**30)).float()
        return Mirror(relay, 2.0 ** -draw(st.integers(4, 10)), draw(st.integers(1, 4)), start)
    M = draw(ck.mdps(S=st.integers(1, 3), A=st.integers(2, 3)))
    pi0 = draw(ck.policies(M.S, M.A, positive=True))
    return Mirror(M, 2.0 ** draw(st.integers(-4, 6)), draw(st.integers(1, 4)), pi0)


# policy iteration that finds the reward one state further an iteration
SLOW = Mirror(
    lazy_relay(4, GAMMA, Fraction(1, 1000)), Fraction(1, 10**5), 3, mostly_first(4, Fraction(1, 10**9))
)

pmd_gamma_rate: Claim[Mirror] = Claim(
    statement="η_k ≥ max_s(−log π_k(greedy set|s))/c_k, c_k = γ^{2k+1}c_0 ⇒ "
    "‖v* − v^k‖ ≤ γ^k(‖v* − v^0‖ + c_0/(1−γ))",
    source=PAPER.at("Johnson, Pike-Burke, Rebeschini 2023, the γ-rate of policy mirror descent"),
    let=mirrors(),
    assume=[],
    then=leq(lhs=lambda x: x.errors[1:], rhs=lambda x: x.rate()),
    tight=Tight(SLOW, within=0.01),
    mutants=[
        Mutant("c_0 dropped", rhs=precise(lambda x: x.rate(c0=0))),
        Mutant("rate γ^{2k}", rhs=precise(lambda x: x.rate(2))),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

pmd_gamma_rate_step: Claim[Mirror] = Claim(
    statement="the same steps: ‖v* − v^{k+1}‖ ≤ γ‖v* − v^k‖ + c_k",
    source=PAPER.at("Johnson, Pike-Burke, Rebeschini 2023, one step of the γ-rate"),
    let=mirrors(),
    assume=[],
    then=leq(lhs=lambda x: x.errors[1:], rhs=lambda x: x.step()),
    tight=Tight(SLOW, within=0.01),
    mutants=[
        Mutant("c_k dropped", rhs=precise(lambda x: x.step(with_c=False))),
        Mutant("γ² for γ", rhs=precise(lambda x: reals(x.M, x.M.gamma) * x.step())),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
