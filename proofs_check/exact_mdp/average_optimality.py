"""Block F, second part: Blackwell optimality, the diameter, performance differences per step.

Definitions.  π is Blackwell optimal when it is optimal for all γ in some (γ₀, 1); γ_B is the least such
γ₀.  D = max_{s≠t} min_π E[steps from s to t]; a model with D < ∞ is communicating.  For a policy π: gain
g^π, bias h^π, stationary law ν^π (one recurrent class), deviation matrix H.  All rational.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, span
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels import chain
from rltheory.kernels.graph import recurrent_classes
from rltheory.kernels.roots import isolate_all
from rltheory.results.average import AverageSolution
from rltheory.solvers.blackwell import BlackwellSolution, rational_value

from .average_lets import HALF, Average, models, puterman
from .lets import PAPER, Policies, exact

BITS = 2**60


@dataclass(frozen=True)
class Blackwell(Average):
    """Let also 0 < t < 1: γ = γ_B + (1 − γ_B)t lies above the threshold."""

    t: Fraction

    @cached_property
    def found(self) -> BlackwellSolution:
        """γ_B from the advantages of one Blackwell-optimal policy."""
        return rl.Blackwell().run(self.M)

    @cached_property
    def paired(self) -> BlackwellSolution:
        """γ_B from all pairs of policies."""
        return rl.Blackwell(method="pairs").run(self.M)

    @cached_property
    def above(self) -> Fraction:
        """A rational γ in (γ_B, 1)."""
        top = self.found.threshold.refine(Fraction(1, 2**40)).upper
        return top + (1 - top) * self.t

    @cached_property
    def below(self) -> Fraction:
        """γ_B − 2^−20, or 1/2 if that is not in [0, 1) or γ_B = 0."""
        low = self.found.threshold.refine(Fraction(1, 2**40)).lower - Fraction(1, 2**20)
        return low if low > 0 else HALF

    def discounted(self, gamma: Fraction) -> list[StateVec]:
        """v^π_γ of every policy."""
        at = self.M.replace(gamma=gamma)
        return [rl.evaluate(at, d).V for d in self.policies]

    def best(self, gamma: Fraction) -> StateVec:
        """max_π v^π_γ, state by state."""
        return np.array(self.discounted(gamma)).max(axis=0)

    def of_pi(self, gamma: Fraction) -> StateVec:
        """v^π_γ of the Blackwell-optimal policy found."""
        return rl.evaluate(self.M.replace(gamma=gamma), self.found.pi).V

    @cached_property
    def average(self) -> AverageSolution:
        """Its gain and bias."""
        return rl.solvers.average_value(self.M, self.found.pi)

    def of_worst(self, gamma: Fraction) -> StateVec:
        """v_γ of the gain-optimal policy of least bias."""
        return rl.evaluate(self.M.replace(gamma=gamma), self.policies[self.worst]).V

    def members(self, x: BlackwellSolution) -> list[int]:
        """1 for each policy that is Blackwell optimal according to x, else 0."""
        inside = {tuple(p.actions.tolist()) for p in x.policies()}
        return [int(tuple(d.tolist()) in inside) for d in self.policies]

    @cached_property
    def last_crossing(self) -> int:
        """⌊2^60 γ⌋ of the largest γ < 1 at which the values of two policies cross anywhere."""
        values = [rational_value(self.M, self.M.state_ptr[:-1] + d) for d in self.policies]
        gaps = [n * E - m * D for N, D in values for K, E in values for n, m in zip(N, K, strict=True)]
        cuts = isolate_all((p for p in gaps if p.degree() >= 0), 0, 1)
        return bits(cuts[-1]) if cuts else 0


def bits(x: Any) -> int:
    """⌊2^60·x⌋ of an algebraic number in [0, 1), exactly."""
    width = Fraction(1, BITS)
    while True:
        y = x.refine(width)
        low, high = y.lower * BITS // 1, y.upper * BITS // 1
        if low == high or y.is_rational:
            return int(high)
        if x == Fraction(int(high), BITS):
            return int(high)
        width /= 2


@st.composite
def blackwells(draw: st.DrawFn) -> Blackwell:
    """Models of at most 8 policies and a place above the threshold."""
    return Blackwell(draw(models(3, 2)), Fraction(draw(st.integers(1, 15)), 16))


PUTERMAN = Blackwell(puterman(), HALF)

blackwell: Claim[Blackwell] = Claim(
    statement="a policy exists that is optimal for every γ in (γ_B, 1); its gain is largest, and its bias "
    "among gain-optimal policies",
    source=PAPER.at("Theorems 10.1.4 and 10.1.5 (Blackwell 1962)"),
    let=blackwells(),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([x.of_pi(x.above), x.average.gain, x.average.bias]),
        rhs=lambda x: np.concatenate([x.best(x.above), x.best_gain, x.best_bias]),
    ),
    tight=Tight(PUTERMAN, within=0),
    mutants=[
        Mutant(
            "gain-optimal ⇒ Blackwell optimal",
            then=Eq(lhs=lambda x: x.of_worst(x.above), rhs=lambda x: x.best(x.above)),
        ),
        Mutant(
            "bias-optimal ⇒ discount-optimal at γ ≤ γ_B",
            then=Eq(lhs=lambda x: x.of_pi(x.below), rhs=lambda x: x.best(x.below)),
        ),
    ],
    expect=CERTIFIED,
)

blackwell_threshold: Claim[Blackwell] = Claim(
    statement="γ_B = the largest root in (0,1) where one of the N−n advantage numerators changes sign = the "
    "threshold from all pairs of policies (to 60 bits); optimal actions are those of numerator zero",
    source=PAPER.at("derived; finitely many switches: Hordijk, Dekker and Kallenberg 1985"),
    let=blackwells(),
    assume=[],
    then=Eq(
        lhs=lambda x: [bits(x.found.threshold), *x.members(x.found)],
        rhs=lambda x: [bits(x.paired.threshold), *x.members(x.paired)],
    ),
    tight=Tight(
        [PUTERMAN, Blackwell(rl.gallery.garnet(5, 3, 2, 2, HALF), HALF)],
        within=0,
    ),
    mutants=[
        Mutant(
            "the largest γ at which any two policies cross",
            rhs=lambda x: [x.last_crossing, *x.members(x.paired)],
        ),
        Mutant(
            "exactly one policy is Blackwell optimal",
            then=Eq(lhs=lambda x: x.found.count, rhs=lambda x: 1),
        ),
    ],
    expect=CERTIFIED,
)


# ---- diameter ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Communicating(Average):
    """Let every state be reachable from every other; M's discount is the γ meant."""

    @cached_property
    def D(self) -> Any:
        """Diameter, one shortest path problem for each target."""
        return rl.solvers.diameter(self.M)

    @cached_property
    def excess(self) -> Any:
        """g − min r."""
        return self.g[0] - self.M.R.min()

    @cached_property
    def V_star(self) -> StateVec:
        """v*_γ."""
        return rl.solve(self.M).V

    @cached_property
    def discounted_excess(self) -> Any:
        """(1−γ) max v*_γ − min r."""
        return (1 - self.M.gamma) * self.V_star.max() - self.M.R.min()


def slow_climb(delta: Any, gamma: Any) -> rl.MDP:
    """State 0 pays 0 and climbs with probability δ; state 1 stays for 1 or returns for 0: D = 1/δ."""
    P = exact([[[1 - delta, delta]] * 2, [[0, 1], [1, 0]]])
    return rl.MDP(P, exact([0, 0], [1, 0]), gamma)


@st.composite
def communicating(draw: st.DrawFn) -> Communicating:
    """Random communicating models: any, or the slow climb with another reward and a third state."""
    gamma = draw(st.sampled_from([HALF, Fraction(7, 8), Fraction(511, 512)]))
    if draw(st.booleans()):
        M = draw(ck.mdps(S=st.integers(2, 4), A=st.integers(1, 3), rewards=(-1.0, 1.0), exact=True))
        return Communicating(M.replace(gamma=gamma))
    M = slow_climb(Fraction(1, draw(st.integers(1, 12))), gamma)
    noise = exact([[Fraction(draw(st.integers(0, 4)), 16) for _ in range(2)] for _ in range(2)])
    return Communicating(M.replace(R=M.R + noise))


REACHABLE: Assumption[Communicating] = Assumption(
    "the model is communicating",
    lambda x: np.isfinite(float(x.D)),
    fails_without=NotShown("D is infinite then, and the bound says nothing"),
)

diameter_span: Claim[Communicating] = Claim(
    statement="communicating: sp(h*) ≤ D·(g − min r)",
    source=PAPER.at("Bartlett and Tewari 2009, Theorem 4; derived: travel from the worst state to the best"),
    let=communicating(),
    assume=[REACHABLE],
    then=Leq(lhs=lambda x: span(x.h), rhs=lambda x: x.D * x.excess),
    tight=Tight([Communicating(slow_climb(d, HALF)) for d in (HALF, Fraction(1, 10))], within=0),
    mutants=[
        Mutant("D − 1 for D", rhs=lambda x: (x.D - 1) * x.excess),
        Mutant("D/2 for D", rhs=lambda x: x.D / 2 * x.excess),
        Mutant("√D for D (squared)", then=Leq(lambda x: span(x.h) ** 2, lambda x: x.D * x.excess**2)),
    ],
    expect=CERTIFIED,
)

NEAR_ONE = Fraction(9999, 10000)

diameter_span_discounted: Claim[Communicating] = Claim(
    statement="communicating: sp(v*_γ) ≤ D·((1−γ) max v*_γ − min r) for every γ",
    source=PAPER.at("derived as for diameter-span"),
    let=communicating(),
    assume=[REACHABLE],
    then=Leq(lhs=lambda x: span(x.V_star), rhs=lambda x: x.D * x.discounted_excess),
    tight=Tight(Communicating(slow_climb(HALF, NEAR_ONE)), within=0.001),
    mutants=[
        Mutant("D − 1 for D", rhs=lambda x: (x.D - 1) * x.discounted_excess),
        Mutant("D/2 for D", rhs=lambda x: x.D / 2 * x.discounted_excess),
        Mutant(
            "√D for D (squared)",
            then=Leq(lambda x: span(x.V_star) ** 2, lambda x: x.D * x.discounted_excess**2),
        ),
    ],
    expect=CERTIFIED,
)


# ---- performance differences ---------------------------------------------------------------
@dataclass(frozen=True)
class PerStep(Policies):
    """Let also P, P2 be the chains of pi, pi2, and nu, nu2 stationary laws reached from state 0."""

    @cached_property
    def P(self) -> Any:
        """P_π."""
        return rl.transition_matrix(self.M, self.pi)

    @cached_property
    def P2(self) -> Any:
        """P_π'."""
        return rl.transition_matrix(self.M, self.pi2)

    @cached_property
    def nu(self) -> StateVec:
        """ν^π."""
        out: StateVec = chain.limiting_matrix(self.P)[0]
        return out

    @cached_property
    def nu2(self) -> StateVec:
        """ν^π'."""
        out: StateVec = chain.limiting_matrix(self.P2)[0]
        return out

    @cached_property
    def first(self) -> AverageSolution:
        """g^π and h^π."""
        return rl.solvers.average_value(self.M, self.pi)

    @cached_property
    def gain_change(self) -> Any:
        """g^π' − g^π, from state 0."""
        return rl.solvers.average_value(self.M, self.pi2).gain[0] - self.first.gain[0]

    @cached_property
    def surplus(self) -> StateVec:
        """r_π' + P_π' h^π − h^π − g^π."""
        out: StateVec = rl.reward_vector(self.M, self.pi2) + self.P2 @ self.first.bias - self.first.bias
        return out - self.first.gain

    @cached_property
    def drift(self) -> Any:
        """(P' − P)H."""
        return (self.P2 - self.P) @ chain.deviation_matrix(self.P)

    @property
    def unichain(self) -> bool:
        """True when π has one recurrent class."""
        return len(recurrent_classes(self.P)) == 1


@st.composite
def per_steps(draw: st.DrawFn) -> PerStep:
    """Models with two policies, deterministic or not; mostly one recurrent class."""
    rows: ck.Rows = draw(st.sampled_from(["dense", "mixed", "mixed"]))
    M = draw(ck.mdps(S=st.integers(2, 4), A=st.integers(1, 3), rewards=(-1.0, 1.0), rows=rows, exact=True))
    pi, pi2 = (draw(ck.policies(M.S, M.A)).exact() for _ in range(2))
    return PerStep(M, pi, pi2)


def stay_or_swap() -> rl.MDP:
    """Two states: action 0 stays, action 1 goes to the other; state 1 pays 1."""
    return rl.MDP(exact([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]), exact([0, 0], [1, 1]), HALF)


average_performance_difference: Claim[PerStep] = Claim(
    statement="π with one recurrent class: g^π' − g^π = ν^π'·(r_π' + P_π' h^π − h^π − g^π) and "
    "ν^π' − ν^π = ν^π'(P_π' − P_π)H_π",
    source=PAPER.at("Cao 1997; Schweitzer 1968"),
    let=per_steps(),
    assume=[
        Assumption(
            "π has one recurrent class",
            lambda x: x.unichain,
            fails_without=PerStep(stay_or_swap(), rl.Policy([0, 0], 2), rl.Policy([1, 0], 2)),
        )
    ],
    then=Eq(
        lhs=lambda x: [x.gain_change, *(x.nu2 - x.nu)],
        rhs=lambda x: [x.nu2 @ x.surplus, *(x.nu2 @ x.drift)],
    ),
    tight=Tight(PerStep(stay_or_swap(), rl.Policy([1, 1], 2), rl.Policy([1, 0], 2)), within=0),
    mutants=[
        Mutant("ν^π for ν^π' in the gain", rhs=lambda x: [x.nu @ x.surplus, *(x.nu2 @ x.drift)]),
        Mutant("ν^π for ν^π' in Schweitzer's formula", rhs=lambda x: [x.nu2 @ x.surplus, *(x.nu @ x.drift)]),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
