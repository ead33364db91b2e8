"""Block F, first part: limiting and deviation matrices, Laurent series, the optimality equation, bounds.

Definitions.  P* = lim (1/n) Σ_{k<n} P^k; H = (I−P+P*)⁻¹(I−P*); y_{−1} = P*r (gain), y_0 = Hr (bias),
y_k = −H y_{k−1}; ρ = (1−γ)/γ.  T v = max_a [R + Pv], undiscounted.  g, h: optimal gain, and the bias of a
bias-optimal policy.  All rational; periodic chains and several recurrent classes included.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import StateVec, span, sup_norm
from rltheory.checks import CERTIFIED, PROVED, Assumption, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.checks import strategies as ck
from rltheory.kernels import exact as ex

from .average_lets import HALF, Average, Chain, descend, half_time, ladder, models, puterman, two_cycle
from .lets import PAPER, exact

CHAINS = ck.mdps(S=st.integers(1, 5), A=1, rewards=(-1.0, 1.0), exact=True).map(Chain)


def mixed_chain() -> rl.MDP:
    """A 2-cycle, an absorbing state and a transient state that falls into both."""
    third = Fraction(1, 3)
    P = exact([[[0, 1, 0, 0]], [[1, 0, 0, 0]], [[0, 0, 1, 0]], [[third, 0, third, third]]])
    return rl.MDP(P, exact([1], [0], [5], [2]), HALF)


def puterman_first() -> rl.MDP:
    """Puterman's policy a11 as a chain: y = (−1, −1), (12, 0), (−24, 0), (48, 0), …"""
    return rl.gallery.puterman_policies(HALF)[0]


def identities(x: Chain, H: Any) -> Any:
    """P*P, PP*, P*P*, P*1, HP*, P*H, (I−P)H, stacked."""
    P, L = x.P, x.P_star
    one = exact([[1]] * x.M.S)
    parts = [L @ P, P @ L, L @ L, L @ one, H @ L, L @ H, (x.eye - P) @ H]
    return np.concatenate([p.ravel() for p in parts])


def targets(x: Chain) -> Any:
    """P*, P*, P*, 1, 0, 0, I−P*, stacked."""
    L = x.P_star
    parts = [L, L, L, exact([[1]] * x.M.S), 0 * L, 0 * L, x.eye - L]
    return np.concatenate([p.ravel() for p in parts])


deviation_matrix: Claim[Chain] = Claim(
    statement="P*P = PP* = P*P* = P*, P*1 = 1, HP* = P*H = 0, (I−P)H = I−P*",
    source=PAPER.at("Theorems A.5 and A.7"),
    let=CHAINS,
    assume=[],
    then=Eq(lhs=lambda x: identities(x, x.H), rhs=targets),
    tight=Tight([Chain(two_cycle()), Chain(mixed_chain())], within=0),
    mutants=[
        Mutant("the fundamental matrix (I−P+P*)⁻¹ for H", lhs=lambda x: identities(x, x.Z)),
        Mutant("H transposed", lhs=lambda x: identities(x, x.H.T)),
    ],
    expect=CERTIFIED,
)

laurent: Claim[Chain] = Claim(
    statement="ρ = 1/(10·rad H): |v_γ − (1+ρ) Σ_{k=−1}^{29} ρ^k y_k| ≤ 1e-25",
    source=PAPER.at("Theorem 8.2.3 (Miller and Veinott 1969)"),
    let=CHAINS,
    assume=[],
    then=Eq(lhs=lambda x: x.V, rhs=lambda x: x.partial_sum, within=Fraction(1, 10**25)),
    tight=Tight([Chain(puterman_first()), Chain(mixed_chain()), Chain(two_cycle())], within=0),
    mutants=[
        Mutant("the fundamental matrix (I−P+P*)⁻¹ for H", rhs=lambda x: x.series(x.Z, 29)),
        Mutant("the series with 1 for 1+ρ", rhs=lambda x: x.partial_sum / (1 + x.rho)),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class AnyRate(Chain):
    """Let also 0 < γ < 1 be arbitrary: the closed form needs no radius of convergence."""

    rate: Fraction

    @property
    def rho(self) -> Fraction:
        """(1−γ)/γ."""
        return (1 - self.rate) / self.rate

    def closed(self, H: Any) -> StateVec:
        """(1+ρ)[P*r/ρ + (I+ρH)⁻¹Hr]."""
        tail = ex.solve_linear(self.eye + self.rho * H, H @ self.r)
        return (1 + self.rho) * (self.P_star @ self.r / self.rho + tail)


laurent_resolvent: Claim[AnyRate] = Claim(
    statement="every γ in (0,1): v_γ = (1+ρ)[P*r/ρ + (I+ρH)⁻¹Hr]",
    source=PAPER.at("Corollary 8.2.4; resolvent form of the Laurent series"),
    let=st.builds(lambda x, k: AnyRate(x.M, Fraction(k, 64)), CHAINS, st.integers(1, 63)),
    assume=[],
    then=Eq(lhs=lambda x: x.V, rhs=lambda x: x.closed(x.H)),
    tight=Tight(AnyRate(mixed_chain(), Fraction(1, 10)), within=0),
    mutants=[Mutant("the fundamental matrix for H", rhs=lambda x: x.closed(x.Z))],
    expect=CERTIFIED,
)


ONE_GAIN = "the optimal gain is the same in every state"


def one_gain(x: Average) -> bool:
    """The assumption of the optimality equation with a single constant g."""
    return x.constant_gain


acoe: Claim[Average] = Claim(
    statement="g + h = max_a [R + P h] and P*_π h = 0, where policy iteration's g and h are the largest gain "
    "and, among gain-optimal policies, the largest bias",
    source=PAPER.at("Theorems 8.4.1 and 10.2.5"),
    let=models(S=3, A=2).map(Average),
    assume=[Assumption(ONE_GAIN, one_gain, fails_without=Average(ladder()))],
    then=Eq(
        lhs=lambda x: np.concatenate([x.g + x.h, x.g, x.h, x.long_run(x.h)]),
        rhs=lambda x: np.concatenate([x.T(x.h), x.best_gain, x.best_bias, 0 * x.h]),
    ),
    tight=Tight(Average(puterman()), within=0),
    mutants=[
        Mutant(
            "the bias of any gain-optimal policy",
            then=Eq(lhs=lambda x: x.best_gain + x.worst_bias, rhs=lambda x: x.T(x.worst_bias)),
        ),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Vanishing(Average):
    """Let also N be a number of undiscounted sweeps from 0; M's discount is the γ meant."""

    N: int

    @property
    def gamma(self) -> Any:
        """γ."""
        return self.M.gamma

    @cached_property
    def V_star(self) -> StateVec:
        """v*_γ."""
        return rl.solve(self.M).V

    @cached_property
    def excess(self) -> StateVec:
        """v*_γ − g/(1−γ) − h + max h."""
        return self.V_star - self.g / (1 - self.gamma) - self.h + self.h.max()

    @property
    def swapped(self) -> StateVec:
        """The same with min h."""
        return self.excess - span(self.h)

    @cached_property
    def v_N(self) -> StateVec:
        """T^N 0, undiscounted."""
        v = 0 * self.h
        for _ in range(self.N):
            v = self.T(v)
        return v


RATES = st.sampled_from([Fraction(0), HALF, Fraction(7, 8), Fraction(63, 64)])
VANISHING = st.builds(Vanishing, RATES.flatmap(lambda g: models(4, 3, gamma=st.just(g))), st.integers(1, 8))
GAIN_ONLY = [Assumption(ONE_GAIN, one_gain, fails_without=Vanishing(ladder(), 3))]
DESCEND = Vanishing(descend(), 1)


def swing() -> rl.MDP:
    """The 2-cycle with rewards 1, −1 at γ = 0: v* = r and h = r/2, so sp(v*) = 2·sp(h)."""
    return two_cycle(1, -1)


discount_vs_average: Claim[Vanishing] = Claim(
    statement="g/(1−γ) + h − max h ≤ v*_γ ≤ g/(1−γ) + h − min h, i.e. 0 ≤ v*_γ − g/(1−γ) − h + max h ≤ sp(h)",
    source=PAPER.at("derived: g/(1−γ) + h − max h lies below its image under T_γ, dually above; cf. §8.2.2"),
    let=VANISHING,
    assume=GAIN_ONLY,
    then=Leq(
        lhs=lambda x: np.concatenate([x.excess, span(x.h) - x.excess]),
        rhs=lambda x: [span(x.h)] * (2 * x.M.S),
    ),
    tight=Tight(DESCEND, within=0),
    mutants=[
        Mutant("half the span", rhs=lambda x: [span(x.h) / 2] * (2 * x.M.S)),
        Mutant("max h and min h exchanged", lhs=lambda x: np.concatenate([x.swapped, span(x.h) - x.swapped])),
    ],
    expect=CERTIFIED,
)

discount_vs_average_gain: Claim[Vanishing] = Claim(
    statement="‖(1−γ)v*_γ − g‖ ≤ (1−γ) sp(h)",
    source=PAPER.at("derived: consequence of discount-vs-average; cf. Theorem 8.2.3"),
    let=VANISHING,
    assume=GAIN_ONLY,
    then=Leq(lhs=lambda x: sup_norm((1 - x.gamma) * x.V_star - x.g), rhs=lambda x: (1 - x.gamma) * span(x.h)),
    tight=Tight(DESCEND, within=0),
    mutants=[Mutant("sp(h)/2", rhs=lambda x: (1 - x.gamma) * span(x.h) / 2)],
    expect=CERTIFIED,
)

discount_vs_average_span: Claim[Vanishing] = Claim(
    statement="sp(v*_γ) ≤ 2 sp(h) for every γ",
    source=PAPER.at("derived: consequence of discount-vs-average"),
    let=VANISHING,
    assume=GAIN_ONLY,
    then=Leq(lhs=lambda x: span(x.V_star), rhs=lambda x: 2 * span(x.h)),
    tight=Tight(Vanishing(swing(), 1), within=0),
    mutants=[Mutant("sp(v*) ≤ sp(h)", rhs=lambda x: span(x.h))],
    expect=CERTIFIED,
)

discount_vs_average_vi: Claim[Vanishing] = Claim(
    statement="undiscounted value iteration from 0: ‖v_N − N g‖ ≤ sp(h)",
    source=PAPER.at("derived: N g + h − max h ≤ v_N ≤ N g + h − min h; cf. Theorem 9.4.1"),
    let=VANISHING,
    assume=GAIN_ONLY,
    then=Leq(lhs=lambda x: sup_norm(x.v_N - x.N * x.g), rhs=lambda x: span(x.h)),
    tight=Tight(DESCEND, within=0),
    mutants=[
        Mutant("sp(h)/2", rhs=lambda x: span(x.h) / 2),
        Mutant("v_N − (N+1) g", lhs=lambda x: sup_norm(x.v_N - (x.N + 1) * x.g)),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Guess(Average):
    """Let also v be any state values."""

    v: StateVec

    @cached_property
    def step(self) -> StateVec:
        """Tv − v."""
        return self.T(self.v) - self.v

    @cached_property
    def shifted(self) -> tuple[Any, Any, Any]:
        """min(Tv − v), g, max(Tv − v), moved up by max|R| + sp(v) so that none is negative."""
        up = sup_norm(self.M.R) + span(self.v)
        return self.step.min() + up, self.g + up, self.step.max() + up


@st.composite
def guesses(draw: st.DrawFn) -> Guess:
    """Models of any structure with a value vector."""
    M = draw(models(4, 3))
    return Guess(M, rl.exact_array(draw(ck.vectors(M.S, min_value=-2.0, max_value=2.0))))


def taxicab() -> Guess:
    """Howard's taxicab at its optimal bias, padded to three actions in town B."""
    rows, R = rl.gallery.howard_taxicab(HALF), exact([[0, 0, 0]] * 3)
    P = exact([[[0, 0, 0]] * 3] * 3)
    for k in range(rows.N):
        s, a = int(rows.pair_state[k]), int(rows.pair_action[k])
        P[s, a], R[s, a] = rows.P_pairs[k], rows.R_pairs[k]
    P[1, 2], R[1, 2] = P[1, 1], R[1, 1]
    return Guess(rl.MDP(P, R, HALF), exact([Fraction(k, 14161) for k in (-169152, 26722, -152492)]))


odoni: Claim[Guess] = Claim(
    statement="min(Tv − v) ≤ g*(s) ≤ max(Tv − v) for every v, T undiscounted (several gains allowed)",
    source=PAPER.at("Theorem 8.5.5 (Odoni 1969)"),
    let=guesses(),
    assume=[],
    then=Leq(
        lhs=lambda x: np.concatenate([0 * x.g + x.shifted[0], x.shifted[1]]),
        rhs=lambda x: np.concatenate([x.shifted[1], 0 * x.g + x.shifted[2]]),
    ),
    tight=Tight(taxicab(), within=0),
    mutants=[
        Mutant(
            "the midpoint as upper bound",
            then=Leq(lambda x: x.shifted[1], lambda x: (x.shifted[0] + x.shifted[2]) / 2),
        ),
        Mutant(
            "the midpoint as lower bound",
            then=Leq(lambda x: (x.shifted[0] + x.shifted[2]) / 2, lambda x: x.shifted[1]),
        ),
    ],
    expect=CERTIFIED,
)


# ---- periodicity ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Sweep:
    """Let k be a number of undiscounted sweeps from 0 on the 2-cycle with rewards (1, 0)."""

    k: int

    @staticmethod
    def difference(M: rl.MDP, k: int) -> StateVec:
        """v_{k+1} − v_k."""
        x, v = Average(M), exact([0, 0])
        for _ in range(k):
            v = x.T(v)
        return x.T(v) - v

    @cached_property
    def both(self) -> Any:
        """v_{k+1} − v_k on the 2-cycle, then after the transform with τ = ½."""
        return np.concatenate(
            [self.difference(two_cycle(), self.k), self.difference(half_time(two_cycle()), self.k)]
        )

    @property
    def predicted(self) -> list[Any]:
        """(1, 0) and (0, 1) in turn; (τg, τg) = (¼, ¼) from the second difference on."""
        first = [1, 0] if self.k % 2 == 0 else [0, 1]
        return [*first, *([Fraction(1, 4)] * 2 if self.k else [HALF, 0])]


rvi_aperiodic: Claim[Sweep] = Claim(
    statement="2-cycle, R = (1, 0): v_{k+1} − v_k alternates (1, 0), (0, 1) for ever; with P ← (I+P)/2, "
    "R ← R/2 it is (¼, ¼) for all k ≥ 1",
    source=PAPER.at("§8.5.4 (Schweitzer 1971); example derived"),
    let=Every("k = 0..40", 41, [Sweep(k) for k in range(41)]),
    assume=[],
    then=Eq(lhs=lambda x: x.both, rhs=lambda x: x.predicted),
    tight=Tight([Sweep(0), Sweep(1), Sweep(2)], within=0),
    mutants=[
        Mutant(
            "the plain differences settle at g = ½ after ten sweeps",
            rhs=lambda x: [HALF] * 2 + x.predicted[2:] if x.k > 10 else x.predicted,
        ),
        Mutant(
            "(¼, ¼) from the first difference on",
            rhs=lambda x: [*x.predicted[:2], Fraction(1, 4), Fraction(1, 4)],
        ),
    ],
    expect=PROVED,
)

rvi_aperiodic_transform: Claim[Average] = Claim(
    statement="P ← (I+P)/2, R ← R/2 halves the optimal gain and leaves the bias as it is",
    source=PAPER.at("Proposition 8.5.8 (Schweitzer 1971)"),
    let=models(4, 3).map(Average),
    assume=[],
    then=Eq(
        lhs=lambda x: np.concatenate([Average(x.aperiodic).g, Average(x.aperiodic).h]),
        rhs=lambda x: np.concatenate([x.g / 2, x.h]),
    ),
    tight=Tight([Average(two_cycle()), Average(ladder())], within=0),
    mutants=[
        Mutant("the gain stays", rhs=lambda x: np.concatenate([x.g, x.h])),
        Mutant("the bias halves too", rhs=lambda x: np.concatenate([x.g, x.h]) / 2),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
