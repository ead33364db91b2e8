"""The stock, one step of the distributional Bellman operator, contraction.

c' = (c + r)/γ keeps γ^t(c_t + G_t) equal to c₀ + G_0 along every path; T_π η is the law of R + γG';
Fη(s, c) = K(law(c + G)), G ~ η(s, c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP

from .definitions import (
    HALF,
    ONE,
    ZERO,
    Exact,
    F,
    Law,
    Pairs,
    cdf,
    cramer,
    cvar,
    library,
    mean,
    mix,
    push,
    quantile,
    w1,
    w2_squared,
    w_inf,
)
from .setting import PAPER, Model, Reader, chain, decoded, family, model

Rule = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Paths(Exact):
    """Let M be a model, c0 a stock and H a length; s_0 = 0."""

    M: Model
    c0: Fraction
    H: int

    def walks(
        self, s: int, c: Fraction, left: int, rule: Rule | None
    ) -> Iterator[tuple[tuple[Fraction, ...], tuple[Fraction, ...]]]:
        """(rewards, stocks) of every path of `left` steps; the library moves the stock, or `rule` does."""
        if left == 0:
            yield (), (c,)
            return
        for a, outcomes in enumerate(self.M.outcomes[s]):
            for (_, t, r), (_, _, moved) in zip(outcomes, self.stocks.step(s, c, a), strict=True):
                ahead = moved if rule is None else rule(c, r, self.M.gamma)
                for rewards, stocks in self.walks(t, ahead, left - 1, rule):
                    yield (r, *rewards), (c, *stocks)

    @cached_property
    def stocks(self) -> StockMDP:
        """The library's stock-augmented model."""
        return StockMDP(self.M.library, self.H)

    def collected(self) -> list[Fraction]:
        """c₀ + Σ_{i<t} γ^i r_{i+1} for every path and t, then c₀ + G_0 as often."""
        g, out, totals = self.M.gamma, [], []
        for path, _ in sorted(set(self.walks(0, self.c0, self.H, None))):
            for t in range(self.H + 1):
                out.append(self.c0 + sum((g**i * path[i] for i in range(t)), ZERO))
                totals.append(self.c0 + sum((g**i * r for i, r in enumerate(path)), ZERO))
        return out + totals

    def carried(self, rule: Rule | None = None) -> list[Fraction]:
        """γ^t c_t, then γ^t(c_t + G_t)."""
        g, out, totals = self.M.gamma, [], []
        for path, stocks in sorted(set(self.walks(0, self.c0, self.H, rule))):
            for t, c in enumerate(stocks):
                rest = sum((g**i * r for i, r in enumerate(path[t:])), ZERO)
                out.append(g**t * c)
                totals.append(g**t * (c + rest))
        return out + totals


def paths(read: Reader) -> Paths:
    """Random models, stocks and lengths up to 3."""
    M = model(read, gammas=(HALF, F(3, 4), ONE))
    return Paths(M, read.number(), 1 + read.below(3))


stock_identity: Claim[Paths] = Claim(
    statement="γ^t c_t = c₀ + Σ_{i<t} γ^i r_{i+1} and c₀ + G_0 = γ^t(c_t + G_t) along every path",
    source=PAPER.at("stock augmentation; recalled"),
    let=decoded(paths),
    assume=[],
    then=Eq(lhs=lambda x: x.carried(), rhs=lambda x: x.collected()),
    tight=Tight(Paths(family(3, 2, 2, 3, F(3, 4)), ONE, 4), within=0),
    named={
        f"all paths of length 6, γ = {g}": Paths(chain(*[(-1, 2)] * 6, gamma=g), ONE, 6)
        for g in (HALF, F(3, 4), ONE)
    },
    mutants=[
        Mutant("c' = γ(c + r)", lhs=lambda x: x.carried(lambda c, r, g: g * (c + r))),
        Mutant("c' = c/γ + r", lhs=lambda x: x.carried(lambda c, r, g: c / g + r)),
        Mutant("c' = c + r", lhs=lambda x: x.carried(lambda c, r, g: c + r)),
    ],
    expect=CERTIFIED,
)


# ---- one step --------------------------------------------------------------------------------
@dataclass(frozen=True)
class OneStep(Exact):
    """Let outcome k of a pair pay r_k with probability p_k and be followed by a return of law nu_k."""

    p: tuple[Fraction, ...]
    r: tuple[Fraction, ...]
    nu: tuple[Pairs, ...]
    c: Fraction
    gamma: Fraction

    def backup(self) -> rl.ReturnLaw:
        """Law of c + R + γG', by the library."""
        tails = [library(dict(k)) for k in self.nu]
        return rl.ReturnLaw.backup(self.p, self.r, tails, self.gamma).shift(self.c)

    def mixture(self, gamma: Fraction | None = None) -> Law:
        """γ times the mixture of the laws of C' + G'."""
        ahead = [
            (p, push(dict(k), (self.c + r) / self.gamma))
            for p, r, k in zip(self.p, self.r, self.nu, strict=True)
        ]
        return push(mix(ahead), ZERO, self.gamma if gamma is None else gamma)

    def seen(self, law: Law) -> list[Fraction]:
        """Mean, CVaR_{1/2}, median and the distribution function at the atoms of the right-hand side."""
        return [
            mean(law),
            cvar(law, HALF),
            quantile(law, HALF),
            *[cdf(law, x) for x in sorted(self.mixture())],
        ]


def one_step(read: Reader) -> OneStep:
    """Up to three outcomes."""
    n = 1 + read.below(3)
    r = tuple(read.number(2) for _ in range(n))
    return OneStep(
        read.weights(n),
        r,
        tuple(read.law() for _ in range(n)),
        read.number(),
        read.pick((HALF, F(3, 4), F(4, 5), ONE)),
    )


COIN: Pairs = ((F(-1), HALF), (ONE, HALF))
STEP = OneStep((HALF, HALF), (ONE, F(-2)), (COIN, ((ZERO, ONE),)), ONE, HALF)

one_step_identity: Claim[OneStep] = Claim(
    statement="F T_π η(s,c) = K(law γ(C' + G')): c + R + γG' has γ times the mixture of the laws of C' + G'",
    source=PAPER.at("why indifference to mixtures and to γ; recalled"),
    let=decoded(one_step),
    assume=[],
    then=Eq(lhs=lambda x: x.seen(dict(x.backup())), rhs=lambda x: x.seen(x.mixture())),
    tight=Tight(STEP, within=0),
    mutants=[Mutant("the factor γ dropped", rhs=lambda x: x.seen(x.mixture(ONE)))],
    expect=CERTIFIED,
)


# ---- contraction -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Two(Exact):
    """Let M be a model with a stock-blind policy pi (weights per state), eta and eta2 laws of its states."""

    M: Model
    pi: tuple[tuple[Fraction, ...], ...]
    eta: tuple[Pairs, ...]
    eta2: tuple[Pairs, ...]

    def T(self, eta: tuple[Pairs, ...]) -> list[Law]:
        """T_π η, by the library."""
        laws = [library(dict(k)) for k in eta]
        out = []
        for s, actions in enumerate(self.M.outcomes):
            flat = [
                (w * p, r, laws[t]) for w, o in zip(self.pi[s], actions, strict=True) for p, t, r in o if w
            ]
            w, r, tails = zip(*flat, strict=True)
            out.append(dict(rl.ReturnLaw.backup(w, r, tails, self.M.gamma)))
        return out

    @cached_property
    def images(self) -> list[tuple[Law, Law]]:
        """(T_π η, T_π η') state by state."""
        return list(zip(self.T(self.eta), self.T(self.eta2), strict=True))

    @cached_property
    def given(self) -> list[tuple[Law, Law]]:
        """(η, η') state by state."""
        return [(dict(a), dict(b)) for a, b in zip(self.eta, self.eta2, strict=True)]

    def before(self, d: Callable[[Law, Law], Fraction]) -> Fraction:
        """sup_s d(η, η')."""
        return max(d(a, b) for a, b in self.given)

    def after(self, d: Callable[[Law, Law], Fraction]) -> Fraction:
        """sup_s d(T_π η, T_π η')."""
        return max(d(a, b) for a, b in self.images)

    def greedy(self) -> Fraction:
        """sup_s w(T_* η, T_* η') for f = x, ties to the lowest action."""
        worst = ZERO
        for actions in self.M.outcomes:
            images = []
            for eta in (self.eta, self.eta2):
                laws = [mix((p, push(dict(eta[t]), r, self.M.gamma)) for p, t, r in o) for o in actions]
                images.append(max(laws, key=mean))
            worst = max(worst, w1(*images))
        return worst


def two(read: Reader) -> Two:
    """Random models and policies; every fourth time η' is η shifted."""
    M = model(read, gammas=(HALF, F(3, 4), F(9, 10), ONE))
    pi = tuple(read.weights(len(actions)) for actions in M.outcomes)
    eta = tuple(read.law() for _ in range(M.S))
    shift = read.number(2)
    if read.below(4) == 0:
        return Two(M, pi, eta, tuple(tuple((x + shift, p) for x, p in k) for k in eta))
    return Two(M, pi, eta, tuple(read.law() for _ in range(M.S)))


def _sure(*states: Any, gamma: Any = HALF) -> Model:
    """Outcome lists without chance: states[s][a] = (next, reward)."""
    return Model(tuple(tuple(((ONE, t, F(r)),) for t, r in actions) for actions in states), F(gamma))


NOTHING: Pairs = ((ZERO, ONE),)
LOOP = _sure([(1, 1)], [(0, -1)])
SHIFTED = Two(LOOP, ((ONE,), (ONE,)), (COIN, NOTHING), (((ZERO, HALF), (F(2), HALF)), ((ONE, ONE),)))
EPS = F(1, 100)
FORK = Two(
    _sure([(1, 0), (2, 0)], [(1, 0)], [(2, 0)]),
    ((HALF, HALF), (ONE,), (ONE,)),
    (NOTHING, NOTHING, COIN),
    (NOTHING, NOTHING, ((F(-1) + EPS, HALF), (ONE + EPS, HALF))),
)
"""A tie of means that a shift by ε breaks: the greedy law jumps."""

contraction: Claim[Two] = Claim(
    statement="w̄_p(T_π η, T_π η') ≤ γ w̄_p(η, η') for p = 1, 2, ∞, sup over states",
    source=PAPER.at("contraction of T_π; recalled, Bellemare, Dabney, Munos 2017"),
    let=decoded(two, 96),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.after(w1), x.after(w2_squared), x.after(w_inf)],
        rhs=lambda x: [
            x.M.gamma * x.before(w1),
            x.M.gamma**2 * x.before(w2_squared),
            x.M.gamma * x.before(w_inf),
        ],
    ),
    tight=Tight(SHIFTED, within=0),
    named={"a tie of means broken by a shift": FORK},
    mutants=[
        Mutant("w₁ with γ² for γ", then=Leq(lambda x: x.after(w1), lambda x: x.M.gamma**2 * x.before(w1))),
        Mutant(
            "mean over states for sup",
            then=Leq(
                lambda x: sum(w1(*k) for k in x.images), lambda x: x.M.gamma * sum(w1(*k) for k in x.given)
            ),
        ),
        Mutant(
            "T_* for T_π",
            then=Leq(lambda x: x.greedy(), lambda x: x.M.gamma * x.before(w1)),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
)

contraction_cramer: Claim[Two] = Claim(
    statement="ℓ̄₂²(T_π η, T_π η') ≤ γ ℓ̄₂²(η, η')",
    source=PAPER.at("Cramér contraction with modulus √γ; recalled, Rowland et al. 2018"),
    let=decoded(two, 96),
    assume=[],
    then=Leq(lhs=lambda x: x.after(cramer), rhs=lambda x: x.M.gamma * x.before(cramer)),
    tight=Tight(Two(LOOP, ((ONE,), (ONE,)), (COIN, NOTHING), (NOTHING, NOTHING)), within=0),
    named={"a tie of means broken by a shift": FORK},
    mutants=[
        Mutant("γ² for γ: modulus γ", rhs=lambda x: x.M.gamma**2 * x.before(cramer)),
        Mutant(
            "mean over states for sup",
            then=Leq(
                lambda x: sum(cramer(*k) for k in x.images),
                lambda x: x.M.gamma * sum(cramer(*k) for k in x.given),
            ),
        ),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
