"""Planning in latent MDPs: what V* is, what bounds it, how hard it is.

W_{H+1} = 0;  W_t(s,b) = max_a {Σ_m b_m R_m(s,a) + Σ_{r,s'} W_{t+1}(s', b')},
b'_m = b_m 1{R_m(s,a) = r} P_m(s'|s,a).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import (
    CERTIFIED,
    PROVED,
    Claim,
    Eq,
    Every,
    Leq,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.models.gallery import latent_three, maxsat_latent, wait_and_guess
from rltheory.models.latent import LatentMDP
from rltheory.operators import history_tree
from rltheory.solvers import (
    AlphaDP,
    BeliefDP,
    BestMarkov,
    BestOpenLoop,
    Oracle,
    alpha_sets,
    qmdp_policy,
)

from .planning import (
    HALF,
    histories,
    mean,
    plan,
    pomdp_value,
    read_model,
    redrawn,
    told,
    total,
    trees,
    value,
    worth,
)
from .setting import PAPER

THIRDS = F(2, 3)
WAIT = wait_and_guess(H=5)
ALONE = LatentMDP.from_arrays(WAIT.P[:1], WAIT.R[:1], weights=[F(1)], nu=WAIT.nu[:1], H=4)


# ---- 1: three ways to plan ---------------------------------------------------------------------
@dataclass(frozen=True)
class Model:
    """Let x be a latent MDP."""

    x: LatentMDP

    def planned(self, observe: bool) -> list[F]:
        """V* by beliefs, by Pareto-pruned and by hull-pruned alpha vectors."""
        y = self.x.replace(observe_rewards=observe)
        return [F(s.run(y).value) for s in (BeliefDP(), AlphaDP("pareto"), AlphaDP("lp"))]

    @cached_property
    def all(self) -> list[F]:
        """All three, rewards observed, then hidden."""
        return self.planned(True) + self.planned(False)

    @cached_property
    def shown(self) -> F:
        """V* with rewards observed, from the definition."""
        return plan(self.x, True)

    @cached_property
    def hidden(self) -> F:
        """V* with rewards hidden, from the definition."""
        return plan(self.x, False)


def read_small(read: Reader) -> Model:
    """M ≤ 3, S ≤ 3, A ≤ 2, H ≤ 3."""
    return Model(read_model(read))


bellman_alpha: Claim[Model] = Claim(
    statement="belief DP = alpha-vector DP (Pareto) = alpha-vector DP (hull), rewards observed or hidden",
    source=PAPER.at("section 3 (setting); identity derived"),
    let=decoded(read_small, size=220),
    assume=[],
    then=Eq(lhs=lambda x: x.all, rhs=lambda x: [x.shown] * 3 + [x.hidden] * 3),
    tight=Tight([Model(WAIT), Model(latent_three())], within=0),
    mutants=[
        Mutant("one sequence of actions", lhs=lambda x: [BestOpenLoop().run(x.x).value] * 6),
        Mutant("rewards tell nothing", rhs=lambda x: [x.hidden] * 6),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- 2: the POMDP ------------------------------------------------------------------------------
pomdp: Claim[Model] = Claim(
    statement="V* is the value of the POMDP with hidden state (m, s) and observation (s, r)",
    source=PAPER.at("section 3; identity derived"),
    let=decoded(read_small, size=220),
    assume=[],
    then=Eq(lhs=lambda x: value(x.x), rhs=lambda x: pomdp_value(x.x)),
    tight=Tight([Model(wait_and_guess(H=3)), Model(latent_three())], within=0),
    mutants=[Mutant("the context is drawn anew at every step", lhs=lambda x: redrawn(x.x))],
    expect=CERTIFIED,
    draws=60,
)


def best_of_all(x: LatentMDP) -> F:
    """V* by trying every deterministic history-dependent policy on every trajectory."""
    out = F(0)
    for s in range(x.S):
        if x.start[:, s].any():
            out += max(_from(x, s, actions) for actions in trees(x, s, x.H))
    return out


def _from(x: LatentMDP, s: int, actions: Any) -> F:
    """Σ_m w_m ν_m(s) V^π_m(s)."""
    pi = told(x, actions)
    return F(
        sum(
            x.start[m, s] * p * g
            for m in range(x.M)
            if x.start[m, s] != 0
            for p, g, _ in histories(x, pi, m, s, x.H)
        )
    )


pomdp_policies: Claim[Model] = Claim(
    statement="V* = max over deterministic history-dependent policies of the mean total reward",
    source=PAPER.at("section 3, optimal policy; derived"),
    let=decoded(lambda read: Model(read_model(read, M=2, S=2, H=2)), size=120),
    assume=[],
    then=Eq(lhs=lambda x: value(x.x), rhs=lambda x: best_of_all(x.x)),
    tight=Tight(Model(wait_and_guess(H=2)), within=0),
    mutants=[
        Mutant("of the first policy", rhs=lambda x: mean(total(x.x, told(x.x, {})))),
        Mutant("the context is drawn anew at every step", lhs=lambda x: redrawn(x.x)),
    ],
    expect=CERTIFIED,
)


# ---- 3: the hierarchy --------------------------------------------------------------------------
def links(x: LatentMDP) -> list[F]:
    """Best Markov ≤ V* (rewards hidden) ≤ V* (observed) ≤ QMDP ≤ Oracle, by the library."""
    hidden, shown = (value(x.replace(observe_rewards=o)) for o in (False, True))
    bounds = [F(s.run(x).value) for s in (BestMarkov(), rl.QMDP(), Oracle())]
    return [bounds[0], hidden, shown, *bounds[1:]]


@dataclass(frozen=True)
class Chain(Model):
    """With its five values."""

    @cached_property
    def links(self) -> list[F]:
        """Lowest first."""
        return links(self.x)


hierarchy: Claim[Chain] = Claim(
    statement="best Markov ≤ V*(rewards hidden) ≤ V*(rewards observed) ≤ QMDP ≤ Oracle",
    source=PAPER.at("derived; upper bounds by revealing the context"),
    let=decoded(lambda read: Chain(read_model(read)), size=220),
    assume=[],
    then=Leq(lhs=lambda x: x.links[:-1], rhs=lambda x: x.links[1:]),
    tight=Tight(Chain(ALONE), within=0),
    named={"wait and guess": Chain(WAIT), "three contexts": Chain(latent_three())},
    mutants=[
        Mutant("V* = QMDP", then=Leq(lhs=lambda x: x.links[3], rhs=lambda x: x.links[2])),
        Mutant("Markov policies are optimal", then=Leq(lhs=lambda x: x.links[1], rhs=lambda x: x.links[0])),
        Mutant(
            "waiting never helps beyond H = 4",
            then=Leq(lhs=lambda x: value(x.x), rhs=lambda x: value(x.x.replace(H=min(x.x.H, 4)))),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

KNOWN: list[tuple[LatentMDP, dict[int, F]]] = [
    (WAIT, {0: F(185, 256), 1: F(97, 128), 3: F(7, 8)}),
    (latent_three(), {0: F(53, 72), 1: F(439, 576), 2: F(31, 36), 3: F(31, 36), 4: F(541, 576)}),
    (wait_and_guess(w=THIRDS, H=2), {3: F(5, 8), 4: F(7, 8)}),
]


@dataclass(frozen=True)
class Known:
    """Let x be an instance with known links."""

    x: LatentMDP
    at: tuple[int, ...]
    values: tuple[F, ...]

    @cached_property
    def found(self) -> list[F]:
        """The same links by the library."""
        return [links(self.x)[k] for k in self.at]


hierarchy_strict: Claim[Known] = Claim(
    statement="every link is strict somewhere: 185/256 < 97/128 < 7/8; 439/576 < 31/36 < 541/576; 5/8 < 7/8",
    source=PAPER.at("derived; values computed by a second implementation"),
    let=Every("three instances", 3, [Known(x, tuple(v), tuple(v.values())) for x, v in KNOWN]),
    assume=[],
    then=Eq(lhs=lambda x: x.found, rhs=lambda x: list(x.values)),
    tight=Tight(Known(WAIT, (0, 1), (F(185, 256), F(97, 128))), within=0),
    mutants=[Mutant("all links are equal", rhs=lambda x: [x.values[0]] * len(x.values))],
    expect=PROVED,
)


# ---- 4: convexity ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Mixed(Model):
    """Let w, w' be two weightings of x's contexts and 0 ≤ λ ≤ 1."""

    w: tuple[F, ...]
    lam: F

    def at(self, w: Any) -> F:
        """V* with weights w."""
        return value(self.x.replace(weights=list(w)))

    @cached_property
    def between(self) -> tuple[F, ...]:
        """λw + (1 − λ)w'."""
        return tuple(self.lam * a + (1 - self.lam) * b for a, b in zip(self.x.weights, self.w, strict=True))

    @cached_property
    def sums(self) -> list[tuple[F, F, F]]:
        """(W(s, b + b'), W(s, b) + W(s, b'), W(s, 3b)/3 − W(s, b)) for every s, from the definition."""
        x = self.x
        out = []
        for s in range(x.S):
            b, c = tuple(x.weights), self.w
            one, two = worth(x, s, b, x.H), worth(x, s, c, x.H)
            both = worth(x, s, tuple(p + q for p, q in zip(b, c, strict=True)), x.H)
            out.append((both, one + two, worth(x, s, tuple(3 * p for p in b), x.H) / 3 - one))
        return out


def read_mixed(read: Reader) -> Mixed:
    """Two weightings; every context can start in every state."""
    x = read_model(read)
    x = x.replace(nu=np.asarray((x.nu + F(1, x.S)) / 2), normalisation="rescale")
    return Mixed(x, tuple(F(k) for k in read.weights(x.M)), F(1 + read.below(3), 4))


convex_in_w: Claim[Mixed] = Claim(
    statement="V*(λw + (1−λ)w') ≤ λV*(w) + (1−λ)V*(w'); W(s, b + b') ≤ W(s, b) + W(s, b')",
    source=PAPER.at("derived: a maximum of linear functions"),
    let=decoded(read_mixed, size=220),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.at(x.between), *(a for a, _, _ in x.sums)],
        rhs=lambda x: [x.lam * x.at(x.x.weights) + (1 - x.lam) * x.at(x.w), *(b for _, b, _ in x.sums)],
    ),
    tight=Tight(Mixed(WAIT.replace(H=3), (HALF, HALF), HALF), within=0),
    named={"apart": Mixed(wait_and_guess(w=F(9, 10), H=3), (F(1, 10), F(9, 10)), HALF)},
    mutants=[
        Mutant(
            "concave",
            then=Leq(
                lhs=lambda x: x.lam * x.at(x.x.weights) + (1 - x.lam) * x.at(x.w),
                rhs=lambda x: x.at(x.between),
            ),
        )
    ],
    expect=CERTIFIED,
    draws=60,
)

convex_in_w_pieces: Claim[Mixed] = Claim(
    statement="W_1(s, b) = max_α α·b over the alpha vectors of (s, 1): convex, piecewise linear, homogeneous",
    source=PAPER.at("derived; alpha vectors"),
    let=decoded(read_mixed, size=220),
    assume=[],
    then=Eq(
        lhs=lambda x: [_envelope(x.x, s, b) for s in _live(x.x) for b in (tuple(x.x.weights), x.w)],
        rhs=lambda x: [worth(x.x, s, b, x.x.H) for s in _live(x.x) for b in (tuple(x.x.weights), x.w)],
    ),
    tight=Tight(Mixed(WAIT.replace(H=3), (F(1, 3), F(2, 3)), HALF), within=0),
    mutants=[
        Mutant(
            "the first vector will do",
            lhs=lambda x: [_envelope(x.x, s, b, 1) for s in _live(x.x) for b in (tuple(x.x.weights), x.w)],
        )
    ],
    expect=CERTIFIED,
    draws=60,
)


def _live(x: LatentMDP) -> list[int]:
    """States in which every context can start: there alpha vectors have all coordinates."""
    return [s for s in range(x.S) if all(x.nu[:, s] != 0)]


def _envelope(x: LatentMDP, s: int, b: Any, most: int | None = None) -> F:
    vectors = alpha_sets(history_tree(x)).vectors(0, s)[:most]
    return F(max((v * np.array(b, dtype=object)).sum() for v in vectors))


# ---- 5: MAX-SAT --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Formula:
    """Let a CNF with n variables be given: literals ±i."""

    clauses: tuple[tuple[int, ...], ...]
    n: int

    @cached_property
    def x(self) -> LatentMDP:
        """Its latent MDP."""
        return maxsat_latent(self.clauses, self.n)

    @cached_property
    def most(self) -> F:
        """Largest share of clauses satisfied, by trying every assignment."""
        best = 0
        for true in itertools.product((False, True), repeat=self.n):
            best = max(best, sum(any(true[abs(v) - 1] == (v > 0) for v in c) for c in self.clauses))
        return F(best, len(self.clauses))


def read_formula(read: Reader) -> Formula:
    """2- and 3-clauses, n ≤ 6, at most 12 of them."""
    n, c = 2 + read.below(5), 1 + read.below(12)
    clauses = []
    for _ in range(c):
        width = min(n, 2 + read.below(2))
        names = [1 + (read.below(n) + k) % n for k in range(n)]
        chosen = list(dict.fromkeys(names))[:width]
        clauses.append(tuple(v if read.below(2) else -v for v in chosen))
    return Formula(tuple(clauses), n)


PATTERNS = Formula(tuple((a, 2 * b, 3 * c) for a, b, c in itertools.product((1, -1), repeat=3)), 3)
BOTH = Formula(((1, 2), (1, -2)), 2)
EIGHT = Formula(
    tuple(
        (1 + k % 8, -(1 + (3 * k + 1) % 8), 1 + (5 * k + 3) % 8 if k % 2 else -(1 + (5 * k + 3) % 8))
        for k in range(20)
        if len({k % 8, (3 * k + 1) % 8, (5 * k + 3) % 8}) == 3
    ),
    8,
)

maxsat: Claim[Formula] = Claim(
    statement="V* = MAXSAT/c, while the revealed context is worth 1, Γ = 1 and total rewards are at most 1",
    source=PAPER.at("derived construction; planning is NP-hard"),
    let=decoded(read_formula, size=160),
    assume=[],
    then=Eq(
        lhs=lambda x: [value(x.x), Oracle().run(x.x).value, F(x.x.branching), F(x.x.largest_total)],
        rhs=lambda x: [x.most, F(1), F(1), F(1)],
    ),
    tight=Tight([PATTERNS, BOTH, EIGHT], within=0),
    mutants=[
        Mutant("the QMDP policy is optimal", lhs=lambda x: [qmdp_policy(x.x).value(), F(1), F(1), F(1)]),
        Mutant("QMDP is attained", lhs=lambda x: [rl.QMDP().run(x.x).value, F(1), F(1), F(1)]),
        Mutant("V* ≥ 15/16", then=Leq(lhs=lambda x: F(15, 16), rhs=lambda x: value(x.x))),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
