"""Constructions: the gadget on which AWR hurts and one-step methods fail, and the dataset that stitches.

G(p, b, m): state 0 moves to state 1 (action 0, reward 0, behaviour probability m) or ends with reward b;
state 1 ends with reward 1 (action 0, behaviour probability p) or 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels import ball
from rltheory.models import from_counts
from rltheory.solvers import greedy_in_support

from .lets import PAPER, Offline, precise

F = Fraction
GAMMA = F(99, 100)


@dataclass(frozen=True)
class Gadget:
    """Let 0 < p, m < 1, 0 < b < 1, 0 ≤ gamma < 1, 0 < tau < 1, beta ≥ 0: the gadget G(p, b, m)."""

    p: Any
    b: Any
    m: Any
    tau: Any
    beta: Any
    gamma: Any = GAMMA

    @cached_property
    def offline(self) -> Offline:
        """The model, the behaviour and τ."""
        kind = object if isinstance(self.p, Fraction) else np.float64
        P, R, mu = np.zeros((3, 2, 3), dtype=int), np.zeros((3, 2), dtype=kind), np.zeros((3, 2), dtype=kind)
        P[0, 0, 1] = P[0, 1, 2] = P[1, :, 2] = P[2, :, 2] = 1
        R[0, 1], R[1, 0] = self.b, F(1)
        mu[:2] = [[self.m, 1 - self.m], [self.p, 1 - self.p]]
        mu[2, 0] = F(1)
        M = rl.MDP(P, R + 0 * self.b, self.gamma, terminal=[2])
        return Offline(M, rl.Policy(mu + 0 * self.p), self.tau)

    @cached_property
    def awr(self) -> Any:
        """V^{AWR_β}(0) by the library: solve for Q_τ, extract, evaluate."""
        return self.offline.awr(self.tau, self.beta)[0]

    @cached_property
    def behaviour(self) -> Any:
        """V^μ(0) by the library."""
        return self.offline.V_mu[0]

    # ---- closed forms ---------------------------------------------------------------------
    def exp(self, x: Any) -> Any:
        """eˣ, a ball on rationals."""
        return ball.to_arb(x).exp() if isinstance(self.p, Fraction) else math.exp(x)

    def real(self, x: Any) -> Any:
        """x as a ball on rationals."""
        return ball.to_arb(x) if isinstance(self.p, Fraction) else x

    @cached_property
    def v1(self) -> Any:
        """V_τ(1) = τp/(τp + (1−τ)(1−p))."""
        return mix(self.tau * self.p, (1 - self.tau) * (1 - self.p), 1, 0)

    @cached_property
    def v0(self) -> Any:
        """V_τ(0): the expectile of γv₁ (probability m) and b."""
        up = self.gamma * self.v1 > self.b
        high, low = (self.tau, 1 - self.tau) if up else (1 - self.tau, self.tau)
        return mix(high * self.m, low * (1 - self.m), self.gamma * self.v1, self.b)

    def awr_formula(self, good: Any = None) -> Any:
        """π₀γπ₁ + (1−π₀)b; π₁ is `good` if given."""
        one = self.real(1)
        if good is None:
            up = self.real(self.p) * self.exp(self.beta)
            good = up / (up + self.real(1 - self.p))
        a = self.real(self.m) * self.exp(self.beta * self.gamma * self.v1)
        b = self.real(1 - self.m) * self.exp(self.beta * self.b)
        return a / (a + b) * self.real(self.gamma) * good + (one - a / (a + b)) * self.real(self.b)

    @cached_property
    def behaviour_formula(self) -> Any:
        """mγp + (1−m)b."""
        return self.m * self.gamma * self.p + (1 - self.m) * self.b


def mix(u: Any, v: Any, x: Any, y: Any) -> Any:
    """(ux + vy)/(u + v)."""
    return (u * x + v * y) / (u + v)


@st.composite
def hurting(draw: st.DrawFn) -> Gadget:
    """(1−τ) ≪ p ≪ e^{−β}, all dyadic.

    p = 2^−10 … 2^−20, b ∈ [.2, .5], m ∈ [.1, .5], 1−τ = p·2^−4 … p·2^−10, β ∈ [.1, .6]·log(1/p), γ ≈ .99.
    """
    k = draw(st.integers(10, 20))
    p, low = 2.0**-k, 2.0 ** -(k + draw(st.integers(4, 10)))
    beta = round(draw(ck.dyadics(0.125, 0.59)) * k * math.log(2) * 64) / 64
    b, m = draw(ck.dyadics(0.2, 0.5, denominator=128)), draw(ck.dyadics(0.1, 0.5, denominator=128))
    return Gadget(p, b, m, 1 - low, beta, 507 / 512)


@st.composite
def gadgets(draw: st.DrawFn) -> Gadget:
    """The gadget at large: p from 2^−20 to 1/2, τ on both sides of ½ and near 1, β up to 16."""
    p = 2.0 ** -draw(st.integers(1, 20))
    tau = draw(st.one_of(st.integers(1, 30).map(lambda k: 1 - 2.0**-k), ck.dyadics(1 / 64, 63 / 64)))
    inner = ck.dyadics(1 / 64, 63 / 64)
    gamma = draw(st.sampled_from((0.5, 115 / 128, 507 / 512)))
    return Gadget(p, draw(inner), draw(inner), tau, draw(ck.dyadics(0, 16, denominator=8)), gamma)


HURT = Gadget(F(1, 1000), F(45, 100), F(1, 2), 1 - F(1, 10**4), F(2))
HURT_MORE = Gadget(F(1, 1000), F(45, 100), F(1, 2), 1 - F(1, 10**5), F(4))
HURT_MOST = Gadget(F(1, 10**6), F(45, 100), F(1, 10), 1 - F(1, 10**9), F(10))
NEUTRAL = Gadget(F(1, 1000), F(45, 100), F(1, 2), 1 - F(1, 10**4), F(0))

awr_can_hurt: Claim[Gadget] = Claim(
    statement="on G(p, b, m) with (1−τ) ≪ p ≪ e^{−β}: V^{AWR_β}(0) from (Q_τ, V_τ) is below V^μ(0)",
    source=PAPER.at("derived; not in the paper"),
    let=hurting(),
    assume=[
        Assumption(
            "1 − τ ≤ p/8",
            lambda x: 8 * (1 - x.tau) <= x.p,
            fails_without=Gadget(F(1, 1000), F(45, 100), F(1, 2), F(1, 2), F(2)),
        ),
        Assumption(
            "β ≤ ¾ log(1/p)",
            lambda x: float(x.beta) <= 0.75 * math.log(1 / x.p),
            fails_without=Gadget(F(1, 1000), F(45, 100), F(1, 2), 1 - F(1, 10**4), F(21)),
        ),
    ],
    then=Leq(lhs=precise(lambda x: x.awr), rhs=precise(lambda x: x.behaviour)),
    tight=Tight(NEUTRAL, within=0),
    named={"p = 10⁻³, β = 2": HURT, "p = 10⁻³, β = 4": HURT_MORE, "p = 10⁻⁶, β = 10": HURT_MOST},
    mutants=[
        Mutant(
            "V^{AWR_β} ≥ V^μ for all τ, β",
            then=Leq(precise(lambda x: x.behaviour), precise(lambda x: x.awr)),
        ),
        Mutant(
            "never by a factor 2",
            then=Leq(precise(lambda x: x.behaviour / 2), precise(lambda x: x.awr)),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

awr_can_hurt_closed_form: Claim[Gadget] = Claim(
    statement="on G: V_τ(1), V_τ(0), V^μ(0) and V^{AWR_β}(0) = π₀γπ₁ + (1−π₀)b are as computed by hand",
    source=PAPER.at("derived"),
    let=gadgets(),
    assume=[],
    then=Eq(
        lhs=precise(lambda x: [x.offline.V[1], x.offline.V[0], x.behaviour, x.awr]),
        rhs=precise(lambda x: [x.v1, x.v0, x.behaviour_formula, x.awr_formula()]),
        within=F(1, 10**40),
    ),
    tight=Tight([HURT, HURT_MOST], within=0),
    mutants=[
        Mutant(
            "state 1 keeps the behaviour, π₁ = p",
            rhs=precise(lambda x: [x.v1, x.v0, x.behaviour_formula, x.awr_formula(x.real(x.p))]),
        ),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


def collapse(x: Gadget, *, trap: bool = True, leak: bool = True) -> Any:
    """γpe^β (what state 1 still earns) + b(1−m)/m·e^{−β(γv₁−b)} (what state 0 still takes)."""
    out = x.real(0 * x.p)
    if trap:
        out = out + x.real(x.gamma * x.p) * x.exp(x.beta)
    if leak:
        out = out + x.real(x.b * (1 - x.m) / x.m) * x.exp(-x.beta * (x.gamma * x.v1 - x.b))
    return out


COLLAPSED = Gadget(F(1, 10**60), F(45, 100), F(1, 2), 1 - F(1, 10**70), F(60))

awr_can_hurt_factor: Claim[Gadget] = Claim(
    statement="on G: V^{AWR_β}(0) ≤ γpe^β + b((1−m)/m)e^{−β(γv₁−b)}, → 0 for p → 0, β → ∞; V^μ(0) ≥ (1−m)b",
    source=PAPER.at("derived; not in the paper"),
    let=gadgets(),
    assume=[],
    then=Leq(
        lhs=precise(lambda x: [x.awr, (1 - x.m) * x.b]),
        rhs=precise(lambda x: [collapse(x), x.behaviour]),
    ),
    tight=Tight(COLLAPSED, within=1e-9),
    named={"p = 10⁻⁶, β = 10": HURT_MOST},
    mutants=[
        Mutant("γpe^β alone", rhs=precise(lambda x: [collapse(x, leak=False), x.behaviour])),
        Mutant("the leak alone", rhs=precise(lambda x: [collapse(x, trap=False), x.behaviour])),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- one step is not enough --------------------------------------------------------------
def threshold(x: Gadget) -> Any:
    """τ₀ = b(1−p)/(γp + b(1−2p)), where γv₁ = b."""
    return x.b * (1 - x.p) / (x.gamma * x.p + x.b * (1 - 2 * x.p))


def step(x: Gadget, tau0: Any) -> Any:
    """γ above the threshold, b below, their mean at it."""
    side = (x.tau > tau0) - (x.tau < tau0)
    return {1: x.gamma, -1: x.b, 0: (x.gamma + x.b) / 2}[int(side)]


def greedy(x: Gadget) -> Any:
    """V(0) of the greedy policy of Q_τ."""
    return x.offline.greedy_value[0]


def page(tau: Any) -> Gadget:
    """p = 1/10, b = 1/2, γ = 9/10: the threshold is 45/49."""
    return Gadget(F(1, 10), F(1, 2), F(1, 2), tau, F(0), F(9, 10))


@st.composite
def one_step(draw: st.DrawFn) -> Gadget:
    """Rational τ around 45/49 on the page's instance, or anywhere with other p and b < γ."""
    if draw(st.booleans()):
        return page(F(draw(st.integers(1760, 1960)), 2048))
    p, b = F(draw(st.integers(1, 31)), 64), F(draw(st.integers(1, 56)), 64)
    return Gadget(p, b, F(1, 2), F(draw(st.integers(1, 1023)), 1024), F(0), F(9, 10))


EPS = F(1, 10**12)

one_step_fails: Claim[Gadget] = Claim(
    statement="the greedy policy of Q_τ earns γ if τ > τ₀, b if τ < τ₀; τ₀ = 45/49 at p=.1, b=.5, γ=.9",
    source=PAPER.at("derived; the paper's case against one-step methods"),
    let=one_step(),
    assume=[],
    then=Eq(lhs=greedy, rhs=lambda x: step(x, threshold(x))),
    tight=Tight(page(F(45, 49)), within=0),
    named={
        "τ = 1/2": page(F(1, 2)),
        "just below 45/49": page(F(45, 49) - EPS),
        "just above 45/49": page(F(45, 49) + EPS),
    },
    mutants=[Mutant("the threshold is the quantile level 1 − p", rhs=lambda x: step(x, 1 - x.p))],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)


# ---- stitching ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Stitch:
    """Let the data be A→B→C (rewards 0, 0) and D→B→E (rewards 0, 1), n times each; 0 < tau, gamma < 1."""

    n: int
    tau: Any
    gamma: Any

    @cached_property
    def offline(self) -> Offline:
        """The empirical model and behaviour; states A, B, C, D, E."""
        C, R = np.zeros((5, 2, 5), dtype=int), np.zeros((5, 2), dtype=int)
        C[0, 0, 1] = C[1, 0, 2] = C[3, 0, 1] = C[1, 1, 4] = self.n
        R[1, 1] = 1
        return Offline(*from_counts(C, R, self.gamma, terminal=[2, 4]), self.tau)

    @cached_property
    def greedy(self) -> Any:
        """V of the greedy policy of Q_τ in A."""
        x = self.offline
        return rl.evaluate(x.M, greedy_in_support(x.Q, x.mu)).V[0]


stitching: Claim[Stitch] = Claim(
    statement="no run through A earns anything, yet V_τ(A) = γτ and the greedy policy of Q_τ earns γ from A",
    source=PAPER.at("derived; the paper's motivation, recalled"),
    let=st.builds(
        Stitch, st.integers(1, 5), ck.dyadics(1 / 64, 63 / 64), st.sampled_from((0.5, 115 / 128, 31 / 32))
    ),
    assume=[],
    then=Eq(lhs=lambda x: [x.offline.V[0], x.greedy], rhs=lambda x: [x.gamma * x.tau, x.gamma]),
    tight=Tight(Stitch(1, F(9, 10), F(9, 10)), within=0),
    mutants=[
        Mutant(
            "V_τ(A) is at most the best return of a run through A",
            then=Leq(lambda x: x.offline.V[0], lambda x: F(0)),
        ),
        Mutant("V_τ(A) = V^μ(A)", lhs=lambda x: [x.offline.V_mu[0], x.greedy]),
    ],
    expect=CERTIFIED,
    certify=ck.lift_fields,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
