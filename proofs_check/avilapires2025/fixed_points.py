"""Evaluating a policy with projected laws: η̂ = Π T_π η̂ against the true return laws η = T_π η.

Models move on through layers to an absorbing state without reward, so both are finite laws, computed
backwards in rationals.  Grids contain 0 and have spacing Δ; sup over states throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module

from .definitions import (
    HALF,
    ONE,
    ZERO,
    Exact,
    F,
    Law,
    cramer,
    cvar,
    dirac,
    expect,
    library,
    mean,
    mix,
    project,
    push,
    w1,
    w2_squared,
)
from .setting import PAPER, Model, Reader, chain, decoded, layered, model


def backward(M: Model, projected: Callable[[rl.ReturnLaw], rl.ReturnLaw] | None = None) -> list[Law]:
    """Laws of a layered model with one action a state; with a projection, the library backs up."""
    found: list[Law] = [dirac(0)] * M.S
    for s in reversed(range(M.S - 1)):
        (outcomes,) = M.outcomes[s]
        if projected is None:
            found[s] = mix((p, push(found[t], r, M.gamma)) for p, t, r in outcomes)
        else:
            p, t, r = zip(*outcomes, strict=True)
            tails = [library(found[u]) for u in t]
            found[s] = dict(projected(rl.ReturnLaw.backup(p, r, tails, M.gamma)))
    return found


@dataclass(frozen=True)
class Evaluation(Exact):
    """Let M be layered with one action a state, and z = low, low + delta, … a grid of m points."""

    M: Model
    low: Fraction
    delta: Fraction
    m: int

    @cached_property
    def grid(self) -> tuple[Fraction, ...]:
        """z."""
        return tuple(self.low + i * self.delta for i in range(self.m))

    @cached_property
    def eta(self) -> list[Law]:
        """η."""
        return backward(self.M)

    @cached_property
    def hat(self) -> list[Law]:
        """η̂, by the library."""
        return backward(self.M, lambda law: law.categorical(self.grid))

    @cached_property
    def image(self) -> list[Law]:
        """Πη."""
        return [project(k, self.grid) for k in self.eta]

    def sup(self, d: Callable[[Law, Law], Fraction], a: list[Law], b: list[Law]) -> Fraction:
        """sup_s d(a(s), b(s))."""
        return max(d(x, y) for x, y in zip(a, b, strict=True))

    @cached_property
    def covers(self) -> bool:
        """z_1 ≤ r/(1−γ) ≤ z_m for every reward, 0 included."""
        ends = [r / (1 - self.M.gamma) for r in (*self.M.rewards, ZERO)]
        return self.grid[0] <= min(ends) and max(ends) <= self.grid[-1]

    @cached_property
    def kinks(self) -> list[Fraction]:
        """Every atom of η and η̂ at any state."""
        return sorted({x for k in (*self.eta, *self.hat) for x in k})

    def stop_loss(self, laws: list[Law]) -> list[Fraction]:
        """E (x − k)₊ at every kink and state."""
        return [sum((p * max(x - k, ZERO) for x, p in law.items()), ZERO) for law in laws for k in self.kinks]

    def tails(self, laws: list[Law]) -> list[Fraction]:
        """CVaR_{1/4} and CVaR_{1/2}."""
        return [cvar(law, tau) for law in laws for tau in (F(1, 4), HALF)]


GAMMAS = (F(1, 4), HALF, F(3, 4), F(4, 5))


def evaluation(read: Reader) -> Evaluation:
    """Rewards in [−2, 2], halves; grids around them, once in a while too short."""
    M = layered(read, gammas=GAMMAS)
    delta = read.pick((ONE, F(2), F(2, 3), F(3)))
    reach = max(abs(r) for r in M.rewards) / (1 - M.gamma)
    half = max(1, -int(-reach // delta)) if read.below(8) else 1
    half = min(half, 24)
    return Evaluation(M, -half * delta, delta, 2 * half + 1)


def one_reward(gamma: Fraction, reward: Fraction = HALF, reach: int = 2) -> Evaluation:
    """A reward Δ/2 (Δ = 1), then nothing."""
    return Evaluation(chain((reward,), gamma=gamma), F(-reach), ONE, 2 * reach + 1)


COVERS = "z_1 ≤ r/(1−γ) ≤ z_m for every reward r"
CLIPS = one_reward(F(1, 4), F(9))


def covers() -> list[Assumption[Evaluation]]:
    """The grid holds every return, and 0."""
    return [
        Assumption(COVERS, lambda x: x.covers, fails_without=CLIPS),
        Assumption(
            "0 is a point of the grid",
            lambda x: (x.low / x.delta).denominator == 1,
            fails_without=NotShown("the end's own law is then spread over a cell; the bounds still hold"),
        ),
    ]


cat_fixed_point: Claim[Evaluation] = Claim(
    statement="ℓ̄₂²(η̂,η) ≤ ℓ̄₂²(Πη,η)/(1−γ) ≤ Δ/(4(1−γ)) and w̄₁(η̂,η) ≤ Δ/(2(1−γ))",
    source=PAPER.at("categorical evaluation; recalled, Rowland et al. 2018, constants derived"),
    let=decoded(evaluation),
    assume=covers(),
    then=Leq(
        lhs=lambda x: [
            x.sup(cramer, x.hat, x.eta),
            x.sup(cramer, x.image, x.eta) / (1 - x.M.gamma),
            x.sup(w1, x.hat, x.eta),
        ],
        rhs=lambda x: [
            x.sup(cramer, x.image, x.eta) / (1 - x.M.gamma),
            x.delta / (4 * (1 - x.M.gamma)),
            x.delta / (2 * (1 - x.M.gamma)),
        ],
    ),
    tight=Tight(one_reward(F(1, 1000)), within=0.002),
    named={
        "one reward Δ/2": one_reward(F(1, 4)),
        "rewards Δ/2": Evaluation(chain(*[(HALF,)] * 3, gamma=HALF), F(-2), ONE, 5),
    },
    mutants=[
        Mutant(
            "w̄₁ ≤ Δ/(4(1−γ))",
            then=Leq(lambda x: x.sup(w1, x.hat, x.eta), lambda x: x.delta / (4 * (1 - x.M.gamma))),
        ),
        Mutant(
            "ℓ̄₂² does not accumulate: no 1/(1−γ)",
            then=Leq(lambda x: x.sup(cramer, x.hat, x.eta), lambda x: x.sup(cramer, x.image, x.eta)),
        ),
        Mutant("a grid that clips", drop=COVERS),
    ],
    expect=CERTIFIED,
)

cat_fixed_point_mean: Claim[Evaluation] = Claim(
    statement="E η̂ = E η: the grid costs nothing in the mean",
    source=PAPER.at("categorical evaluation; recalled"),
    let=decoded(evaluation),
    assume=covers(),
    then=Eq(lhs=lambda x: [mean(k) for k in x.hat], rhs=lambda x: [mean(k) for k in x.eta]),
    tight=Tight(one_reward(HALF), within=0),
    mutants=[
        Mutant("a grid that clips", drop=COVERS),
        Mutant(
            "the variance too",
            then=Eq(
                lambda x: [expect(k, lambda y: y * y) for k in x.hat],
                lambda x: [expect(k, lambda y: y * y) for k in x.eta],
            ),
        ),
    ],
    expect=CERTIFIED,
)

cat_fixed_point_order: Claim[Evaluation] = Claim(
    statement="η̂ ≥ η in convex order: E_η̂ (x−k)₊ ≥ E_η (x−k)₊ for all k, so CVaR_τ(η̂) ≤ CVaR_τ(η)",
    source=PAPER.at("categorical evaluation; derived"),
    let=decoded(evaluation),
    assume=covers(),
    then=Leq(
        lhs=lambda x: [*x.stop_loss(x.eta), *x.tails(x.hat)],
        rhs=lambda x: [*x.stop_loss(x.hat), *x.tails(x.eta)],
    ),
    tight=Tight(one_reward(HALF, ONE), within=0),
    named={"one reward Δ/2": one_reward(HALF)},
    mutants=[
        Mutant("reversed", then=Leq(lambda x: x.stop_loss(x.hat), lambda x: x.stop_loss(x.eta))),
        Mutant("CVaR over-estimated", then=Leq(lambda x: x.tails(x.eta), lambda x: x.tails(x.hat))),
    ],
    expect=CERTIFIED,
)

cat_fixed_point_quadrature: Claim[Evaluation] = Claim(
    statement="w̄₂(η̂,η) ≤ Δ/(2√(1−γ²)): rounding errors add in quadrature (squares compared)",
    source=PAPER.at("categorical evaluation; derived"),
    let=decoded(evaluation),
    assume=covers(),
    then=Leq(
        lhs=lambda x: [x.sup(w2_squared, x.hat, x.eta), x.sup(w1, x.hat, x.eta) ** 2],
        rhs=lambda x: x.delta**2 / (4 * (1 - x.M.gamma**2)),
    ),
    tight=Tight(one_reward(F(1, 100)), within=0.001),
    named={"one reward Δ/2": one_reward(HALF)},
    mutants=[
        Mutant("Δ/4 for Δ/2", rhs=lambda x: x.delta**2 / (16 * (1 - x.M.gamma**2))),
        Mutant("Δ/(2(1+γ))", rhs=lambda x: x.delta**2 / (4 * (1 + x.M.gamma) ** 2)),
    ],
    expect=CERTIFIED,
)


# ---- finite horizon --------------------------------------------------------------------------
@dataclass(frozen=True)
class Horizon(Evaluation):
    """Let M be any model with one action a state, evaluated for H steps."""

    H: int

    @cached_property
    def steps(self) -> list[tuple[list[Law], list[Law], bool]]:
        """(η_h, η̂_h, nothing was clipped so far) for h = 1..H."""
        eta, hat, inside, out = [dirac(0)] * self.M.S, [dirac(0)] * self.M.S, True, []
        still = (0,) * self.M.S
        for _ in range(self.H):
            eta = self.M.evaluate(eta, still)
            ahead = self.M.evaluate(hat, still)
            inside = inside and all(self.grid[0] <= x <= self.grid[-1] for k in ahead for x in k)
            hat = [dict(library(k).categorical(self.grid)) for k in ahead]
            out.append((eta, hat, inside))
        return out

    def sums(self, extra: int = 0) -> list[Fraction]:
        """Σ_{t<h+extra} γ^{2t} for h = 1..H."""
        g = self.M.gamma**2
        return list(accumulate([ZERO, *[g**t for t in range(self.H + 1)]]))[1 + extra : 1 + extra + self.H]


def horizon(read: Reader) -> Horizon:
    """Discounts up to 1, horizons up to 4."""
    M = model(read, S=2, A=1, gammas=(HALF, F(3, 4), ONE))
    delta = read.pick((F(2), F(3), F(4), F(3, 2)))
    half = 8
    return Horizon(M, -half * delta, delta, 2 * half + 1, 1 + read.below(3))


def drip(H: int) -> Horizon:
    """A reward Δ/2 a step for ever, γ = 1, Δ = 2."""
    return Horizon(Model(((((ONE, 0, ONE),),),), ONE), ZERO, F(2), H + 1, H)


INSIDE = "no atom leaves the grid"

cat_fixed_point_horizon: Claim[Horizon] = Claim(
    statement="H steps, γ ≤ 1: w̄₂(η̂_H,η_H)² ≤ (Δ²/4) Σ_{t<H} γ^{2t}",
    source=PAPER.at("categorical evaluation; derived"),
    let=decoded(horizon),
    assume=[
        Assumption(
            INSIDE,
            lambda x: x.steps[-1][2],
            fails_without=Horizon(Model(((((ONE, 0, F(9)),),),), ONE), ZERO, F(2), 3, 1),
        )
    ],
    then=Leq(
        lhs=lambda x: [x.sup(w2_squared, hat, eta) for eta, hat, _ in x.steps],
        rhs=lambda x: [x.delta**2 / 4 * v for v in x.sums()],
    ),
    tight=Tight([drip(H) for H in (1, 2, 4, 16, 36)], within=0),
    mutants=[
        Mutant(
            "errors of the last step only",
            rhs=lambda x: [x.delta**2 / 4] * x.H,
        ),
        Mutant("H − 1 for H", rhs=lambda x: [x.delta**2 / 4 * v for v in x.sums(-1)]),
        Mutant("Δ/3 for Δ/2", rhs=lambda x: [x.delta**2 / 9 * v for v in x.sums()]),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
