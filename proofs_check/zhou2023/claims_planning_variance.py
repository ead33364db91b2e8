"""Variance of the total reward G in latent MDPs.

Var^π = 𝕍(w∘ν, V^π_·(·)) + E_π[Σ_t 𝕍(P_m(·|s_t,a_t), V^π_m(h_t a_t r_t ·))], Var* = max_π Var^π.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

import numpy as np

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.models.gallery import latent_hard, latent_three, wait_and_guess
from rltheory.models.latent import LatentMDP
from rltheory.solvers import largest_variance, variance_bound

from .planning import (
    HALF,
    Played,
    Rule,
    belief_averaged,
    doubled,
    far_from,
    mean,
    moments_of_all,
    one_state,
    read_model,
    read_played,
    told,
    value,
    variance,
)
from .setting import PAPER

THIRDS = F(2, 3)
QUARTER = F(1, 4)


# ---- 6: total variance -------------------------------------------------------------------------
def at_once(w: F = HALF) -> Played:
    """Wait and guess, H = 2: guess 1 at once."""
    x = wait_and_guess(w=w, H=2)
    return Played(x, told(x, {(0,): 1}))


def one_flip() -> Played:
    """Wait and guess, H = 3: flip, then guess 1 on face 0, 2 on face 1."""
    x = wait_and_guess(H=3)
    return Played(x, told(x, {(0, 0, F(0), 0): 1, (0, 0, F(0), 1): 2}))


TOSS = Played(one_state(0, 1), Rule(2, 0, True, {(0,): (HALF, HALF)}))

total_variance: Claim[Played] = Claim(
    statement="Var^π + E_π[Σ_t Var_{a~π}(Q_m(h_t, a))] = Var(G); the second term is 0 for deterministic π",
    source=PAPER.at(
        "section on the variance of alpha vectors; recalled, derived by martingale decomposition"
    ),
    let=decoded(lambda read: read_played(read, H=3), size=220),
    assume=[],
    then=Eq(
        lhs=lambda x: [x.moments.variance + x.moments.actions, x.moments.second_moment, x.moments.value],
        rhs=lambda x: [variance(x.law), variance(x.law) + mean(x.law) ** 2, mean(x.law)],
    ),
    tight=Tight([at_once(), one_flip(), TOSS], within=0),
    mutants=[
        Mutant(
            "without the initial term",
            then=Eq(
                lhs=lambda x: x.moments.transitions + x.moments.actions,
                rhs=lambda x: variance(x.law),
            ),
        ),
        Mutant(
            "without the variance of the actions",
            then=Eq(lhs=lambda x: x.moments.variance, rhs=lambda x: variance(x.law)),
        ),
        Mutant(
            "beliefs averaged inside 𝕍",
            then=Eq(lhs=lambda x: belief_averaged(x.x, x.pi), rhs=lambda x: variance(x.law)),
        ),
    ],
    expect=CERTIFIED,
)


# ---- 7: a quarter ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Spread(Played):
    """With Var*."""

    @cached_property
    def most(self) -> F:
        """Var*, by the library."""
        return F(largest_variance(self.x))


def read_spread(read: Reader, *, randomised: bool | None = False) -> Spread:
    """M ≤ 2, S ≤ 2, A ≤ 2, H ≤ 3."""
    x = read_played(read, randomised=randomised, M=2, S=2, H=3)
    return Spread(x.x, x.pi)


def spread(x: LatentMDP, pi: Rule | None = None) -> Spread:
    """With the rule that always plays 0, if none is given."""
    return Spread(x, told(x, {}) if pi is None else pi)


HARD = latent_hard(2, 2, 2, 2, [(0, 0), (1, 0)], F(1, 8))
NORMALISED = "total rewards are in [0, 1]"

var_quarter: Claim[Spread] = Claim(
    statement="Var^π ≤ V^π(1 − V^π) ≤ ¼ and Var* ≤ ¼, whatever H",
    source=PAPER.at("section 1, Var* ≤ O(1); derived (Bhatia–Davis)"),
    let=decoded(read_spread, size=160),
    assume=[
        Assumption(
            NORMALISED,
            lambda x: (x.x.R >= 0).all() and x.x.largest_total <= 1,
            fails_without=spread(doubled(HARD)),
        )
    ],
    then=Leq(
        lhs=lambda x: [x.moments.variance, x.moments.value * (1 - x.moments.value), x.most],
        rhs=lambda x: [x.moments.value * (1 - x.moments.value), QUARTER, QUARTER],
    ),
    tight=Tight([spread(HARD), Spread(at_once().x, at_once().pi)], within=0),
    mutants=[
        Mutant("at most 1/5", then=Leq(lhs=lambda x: x.most, rhs=lambda x: F(1, 5))),
        Mutant(
            "at most V(1 − V)/2",
            then=Leq(
                lhs=lambda x: x.moments.variance,
                rhs=lambda x: x.moments.value * (1 - x.moments.value) / 2,
            ),
        ),
        Mutant(
            "Var* ≥ H/8 on the hard family",
            then=Leq(lhs=lambda x: F(x.x.H, 8), rhs=lambda x: x.most),
        ),
    ],
    expect=CERTIFIED,
)


# ---- 8: deterministic policies suffice ---------------------------------------------------------
var_deterministic_suffices: Claim[Spread] = Claim(
    statement="Var^π ≤ Var* for randomised π, Var* the maximum over deterministic ones",
    source=PAPER.at("definition of Var*; derived: 𝕍(P, ·) is convex"),
    let=decoded(lambda read: read_spread(read, randomised=None), size=160),
    assume=[],
    then=Leq(lhs=lambda x: x.moments.variance, rhs=lambda x: x.most),
    tight=Tight(Spread(at_once().x, at_once().pi), within=0),
    named={"a toss": Spread(TOSS.x, TOSS.pi)},
    mutants=[Mutant("so is Var(G)", lhs=lambda x: variance(x.law))],
    expect=CERTIFIED,
)

var_star: Claim[Spread] = Claim(
    statement="Var* = max Var(G) over all deterministic history-dependent policies",
    source=PAPER.at("definition of Var*; derived"),
    let=decoded(lambda read: spread(read_model(read, M=2, S=2, H=2)), size=120),
    assume=[],
    then=Eq(lhs=lambda x: x.most, rhs=lambda x: max(y - z * z for z, y in moments_of_all(x.x))),
    tight=Tight(spread(wait_and_guess(w=THIRDS, H=2)), within=0),
    mutants=[
        Mutant(
            "of the policy with the best mean", lhs=lambda x: max(moments_of_all(x.x))[1] - value(x.x) ** 2
        ),
        Mutant("of one that may toss a coin first", lhs=lambda x: variance_bound(x.x)),
    ],
    expect=CERTIFIED,
)


# ---- 9: min max --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Bounded(Spread):
    """With the bound min_c max_π E(G − c)²."""

    @cached_property
    def bound(self) -> F:
        """By the library."""
        return F(variance_bound(self.x))

    @cached_property
    def grid(self) -> list[F]:
        """max_π E(G − c)² at c = 0, ¼, …, 1, by its own recursion."""
        return [far_from(self.x, F(k, 4)) for k in range(5)]


def bounded(x: LatentMDP) -> Bounded:
    """With the rule that plays 0."""
    return Bounded(x, told(x, {}))


var_minimax: Claim[Bounded] = Claim(
    statement="Var* ≤ min_c max_π E(G − c)² ≤ max_π E(G − k/4)², k = 0..4",
    source=PAPER.at("derived: weak duality"),
    let=decoded(lambda read: bounded(read_model(read, M=2, S=2, H=3)), size=160),
    assume=[],
    then=Leq(lhs=lambda x: [x.most, *[x.bound] * 5], rhs=lambda x: [x.bound, *x.grid]),
    tight=Tight(bounded(HARD), within=0),
    named={"a toss": bounded(one_state(0, 1)), "two thirds": bounded(wait_and_guess(w=THIRDS, H=2))},
    mutants=[
        Mutant("equal", then=Leq(lhs=lambda x: x.bound, rhs=lambda x: x.most)),
        Mutant("at most half of it", then=Leq(lhs=lambda x: x.most, rhs=lambda x: x.bound / 2)),
    ],
    expect=CERTIFIED,
)


# ---- 10: zero ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sure:
    """Let x have deterministic transitions and start; `alike` if its contexts are the same."""

    x: LatentMDP

    @cached_property
    def best(self) -> F:
        """Largest total of one context along one path, the contexts being alike."""
        x = self.x
        V = [F(0)] * x.S
        for _ in range(x.H):
            V = [
                max(x.R[0, s, a] + V[int(np.argmax(x.P[0, s, a] == 1))] for a in range(x.A))
                for s in range(x.S)
            ]
        return V[int(np.argmax(x.nu[0] == 1))]


def read_sure(read: Reader, *, alike: bool = True) -> Sure:
    """Point masses only."""
    M, S, A, H = 1 + read.below(3), 1 + read.below(3), 1 + read.below(2), 1 + read.below(3)
    target = [[read.below(S) for _ in range(A)] for _ in range(S)]
    point = np.eye(S, dtype=np.int64)
    P = np.array([[[[F(int(v)) for v in point[u]] for u in row] for row in target]] * M, dtype=object)
    R = [[[F(read.below(5), 4) for _ in range(A)] for _ in range(S)] for _ in range(M)]
    R = [R[0]] * M if alike else R
    nu = [[F(int(v)) for v in point[0]]] * M
    w = [F(k) for k in read.weights(M)]
    return Sure(LatentMDP.from_arrays(P, R, weights=w, nu=nu, H=H, normalisation="rescale"))


def two_pays() -> Sure:
    """One state, two contexts that pay 0 and 1."""
    one = [[[[F(1)]]]] * 2
    return Sure(LatentMDP.from_arrays(one, [[[F(0)]], [[F(1)]]], weights=[HALF, HALF], nu=[[F(1)]] * 2, H=1))


var_zero: Claim[Sure] = Claim(
    statement="deterministic transitions and start, contexts alike: Var* = 0 and V* is the total of one path",
    source=PAPER.at("section 1, deterministic problems; derived"),
    let=decoded(read_sure, size=80),
    assume=[],
    then=Eq(lhs=lambda x: largest_variance(x.x) + value(x.x), rhs=lambda x: x.best),
    tight=Tight(Sure(one_state(0, 1)), within=0),
    mutants=[
        Mutant(
            "deterministic transitions are enough",
            let=decoded(lambda read: read_sure(read, alike=False), size=80),
        ),
        Mutant("so is the bound over randomised policies", lhs=lambda x: variance_bound(x.x) + value(x.x)),
    ],
    expect=CERTIFIED,
)


def reach(x: Played) -> F:
    """p·(max G − min G)²/2 ≤ Var(G), p the least probability of a value of G."""
    return min(x.law.values()) * (max(x.law) - min(x.law)) ** 2 / 2


var_zero_converse: Claim[Spread] = Claim(
    statement="p(max G − min G)²/2 ≤ Var* for deterministic π: Var* = 0 makes their returns sure",
    source=PAPER.at("derived"),
    let=decoded(read_spread, size=160),
    assume=[],
    then=Leq(lhs=reach, rhs=lambda x: x.most),
    tight=Tight(Spread(at_once().x, at_once().pi), within=0),
    named={"three contexts": spread(latent_three())},
    mutants=[
        Mutant(
            "for randomised policies, too",
            let=decoded(lambda read: read_spread(read, randomised=True), size=160),
        ),
        Mutant("twice as much", lhs=lambda x: 2 * reach(x)),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
