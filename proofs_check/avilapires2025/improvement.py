"""Greedy improvement, and detectors: the library's witnesses that a functional is out of bounds.

π' greedy for η^π: in every (t, s, c) it maximises K(c + law of R + γη^π_{t+1}), old actions kept on ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import rltheory as rl
from rltheory.checks import (
    CERTIFIED,
    PROVED,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Mutant,
    NotShown,
    Tight,
    run_module,
)
from rltheory.operators import objectives
from rltheory.operators.objective import Objective
from rltheory.operators.witnesses import gamma_witness, mixture_witness

from .definitions import (
    FACTOR,
    HALF,
    ONE,
    UTILITIES,
    ZERO,
    Exact,
    F,
    Law,
    cvar,
    dirac,
    expect,
    library,
    mean,
    mix,
    push,
    quantile,
)
from .setting import PAPER, Model, Reader, decoded, family, model

NAMED: dict[str, Objective] = {
    "x₋": objectives.shortfall(),
    "x₊": objectives.surplus(),
    "−|x|": objectives.target(),
    "1{x≥0}": objectives.success(),
    "−x²": objectives.negative_square(),
}
"""The library's objectives with f(γx) − f(0) = a(f(x) − f(0)) at every γ."""


@dataclass(frozen=True)
class Improved(Exact):
    """Let M be a model, H a horizon, c0 a stock, pi a policy of (t, s, c) from a table of bits; s_0 = 0."""

    M: Model
    H: int
    c0: Fraction
    f: str
    bits: tuple[int, ...]

    def pi(self, t: int, s: int, c: Fraction) -> int:
        """An action for every (t, s, c)."""
        k = (5 * t + 3 * s + 2 * c.numerator + c.denominator) % len(self.bits)
        return self.bits[k] % len(self.M.outcomes[s])

    def values(self, K: Objective) -> tuple[Any, Any]:
        """(F η^π, F η^{π'}) at (0, c₀); the library chooses π', laws follow from the definition."""
        old: dict[tuple[int, int, Fraction], Law] = {}
        new: dict[tuple[int, int, Fraction], Law] = {}

        def follow(t: int, s: int, c: Fraction) -> Law:
            if t == self.H:
                return dirac(0)
            if (t, s, c) not in old:
                o = self.M.outcomes[s][self.pi(t, s, c)]
                old[t, s, c] = mix((p, push(follow(t + 1, u, (c + r) / g), r, g)) for p, u, r in o)
            return old[t, s, c]

        def greedy(t: int, s: int, c: Fraction) -> int:
            choice, best = self.pi(t, s, c), None
            for a in (choice, *range(len(self.M.outcomes[s]))):
                p, u, r = zip(*self.M.outcomes[s][a], strict=True)
                tails = [library(follow(t + 1, v, (c + x) / g)) for v, x in zip(u, r, strict=True)]
                value = K(rl.ReturnLaw.backup(p, r, tails, g).shift(c))
                if best is None or value > best:
                    choice, best = a, value
            return choice

        def improve(t: int, s: int, c: Fraction) -> Law:
            if t == self.H:
                return dirac(0)
            if (t, s, c) not in new:
                o = self.M.outcomes[s][greedy(t, s, c)]
                new[t, s, c] = mix((p, push(improve(t + 1, u, (c + r) / g), r, g)) for p, u, r in o)
            return new[t, s, c]

        g = self.M.gamma
        return tuple(self.K(push(law(0, 0, self.c0), self.c0), K) for law in (follow, improve))

    def K(self, law: Law, K: Objective) -> Any:
        """K from the definition."""
        if K is CVAR:
            return cvar(law, HALF)
        return quantile(law, HALF) if K is MEDIAN else expect(law, UTILITIES[self.f])

    @cached_property
    def pair(self) -> tuple[Any, Any]:
        """Both values for f."""
        return self.values(NAMED[self.f])


CVAR, MEDIAN = objectives.cvar(HALF), objectives.quantile(HALF)


def improved(read: Reader) -> Improved:
    """Small models, horizons 2 and 3."""
    M = model(read, S=2, gammas=(HALF, F(3, 4), ONE))
    f = read.pick(tuple(NAMED))
    return Improved(
        M, 2 + read.below(2) * read.below(2), read.number(2), f, tuple(read.below(2) for _ in range(11))
    )


def _fails(says: str, K: Objective) -> Mutant[Improved]:
    return Mutant(says, then=Leq(lambda x: x.values(K)[0], lambda x: x.values(K)[1]))


WORSE = Improved(
    Model(
        (
            (((HALF, 0, ZERO), (HALF, 1, F(-2))),),
            (((HALF, 0, F(-1)), (HALF, 1, F(2))), ((ONE, 0, ZERO),)),
        ),
        HALF,
    ),
    2,
    F(-1),
    "−|x|",
    (0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0),
)
"""CVaR_{1/2} falls from −11/4 to −3 by its own greedy improvement."""

monotone_improvement: Claim[Improved] = Claim(
    statement="π' greedy for η^π: F η^{π'} ≥ F η^π",
    source=PAPER.at("greedy improvement, from monotonicity; recalled"),
    let=decoded(improved, 96),
    assume=[
        Assumption(
            "f̃(γx) = a f̃(x) for some a > 0",
            lambda x: x.f in NAMED,
            fails_without=NotShown("shown one step at a time, at `monotone`"),
        )
    ],
    then=Leq(lhs=lambda x: x.pair[0], rhs=lambda x: x.pair[1]),
    tight=Tight(Improved(Model(((((ONE, 0, ONE),),),), HALF), 2, ONE, "x₊", (0,)), within=0),
    named={"FM": Improved(family(3, 2, 2, 3, 1), 3, ONE, "−|x|", (0, 1)), "CVaR": WORSE},
    mutants=[
        _fails("K = CVaR_{1/2}", CVAR),
        _fails("K = median", MEDIAN),
        Mutant("improvement changes nothing", then=Eq(lambda x: x.pair[0], lambda x: x.pair[1])),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- detectors -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Suspect(Exact):
    """Let f be a utility by name and gamma a discount."""

    f: str
    gamma: Fraction

    @cached_property
    def found(self) -> Any:
        """The library's witness against indifference to γ, or None."""
        return gamma_witness(UTILITIES[self.f], self.gamma)

    def verdict(self) -> list[Fraction]:
        """1 if a witness was found and is one: not worse before, worse after scaling; 0 if none was."""
        if self.found is None:
            return [ZERO]
        f = UTILITIES[self.f]
        laws = [{F(x): F(p) for x, p in k} for k in (self.found.better, self.found.worse)]
        a, b = (expect(k, f) for k in laws)
        c, d = (expect(push(k, ZERO, self.gamma), f) for k in laws)
        return [ONE if a >= b and c < d else F(-1)]

    def largest(self) -> Fraction:
        """max |D| over −2, −7/4, …, 2, from the definition."""
        f, grid = UTILITIES[self.f], [F(k, 4) for k in range(-8, 9)]
        v, w = [F(f(x)) for x in grid], [F(f(self.gamma * x)) for x in grid]
        worst = ZERO
        for i in range(17):
            for k in range(i + 1, 17):
                for j in range(17):
                    if v[i] != v[k]:
                        p = (v[j] - v[k]) / (v[i] - v[k])
                        if 0 <= p <= 1:
                            worst = max(worst, abs(p * w[i] + (1 - p) * w[k] - w[j]))
                    elif v[j] == v[i]:
                        worst = max(worst, abs(w[i] - w[j]), abs(w[k] - w[j]))
        return worst


RATIONAL = tuple(name for name in UTILITIES if name not in ("−e^−x", "sign(x)√|x|"))
SUSPECTS = tuple(Suspect(f, g) for f in RATIONAL for g in (HALF, F(4, 5)))

gamma_iff_detector: Claim[Suspect] = Claim(
    statement="a witness is found exactly where no a with f̃(γ·) = a f̃ exists, and every witness is one",
    source=PAPER.at("indifference to γ, detector; derived"),
    let=Every("rational utilities of the gallery at γ = 1/2, 4/5", len(SUSPECTS), SUSPECTS),
    assume=[],
    then=Eq(lhs=lambda x: x.verdict(), rhs=lambda x: [ZERO if x.f in FACTOR or x.f == "|x|" else ONE]),
    tight=Tight(Suspect("min(x,1)", F(4, 5)), within=0),
    mutants=[
        Mutant("only linear utilities pass", rhs=lambda x: [ZERO if x.f == "x" else ONE]),
        Mutant("only Lipschitz utilities pass", rhs=lambda x: [ZERO if x.f[-1] in "x|₋₊" else ONE]),
    ],
    expect=PROVED,
)

PRINTED = {
    **dict.fromkeys(("x₋", "|x|", "−x²", "1{x>0}", "1{x≥0}"), ZERO),
    "clip": F(1, 5),
    "min(x,1)": F(1, 5),
    "−|x−1|": F(2, 5),
    "1{x≥1}": ONE,
    "x−x²/8": F(2, 25),
}
"""max |D| at γ = 4/5."""

gamma_iff_table: Claim[Suspect] = Claim(
    statement="max |D| over −2, −7/4, …, 2 at γ = 4/5: clip .2, min(x,1) .2, −|x−1| .4, 1{x≥1} 1, x−x²/8 .08",
    source=PAPER.at("indifference to γ, detector; values derived"),
    let=Every("the rational rows of the table", len(PRINTED), [Suspect(f, F(4, 5)) for f in PRINTED]),
    assume=[],
    then=Eq(lhs=lambda x: x.largest(), rhs=lambda x: PRINTED[x.f]),
    tight=Tight(Suspect("clip", F(4, 5)), within=0),
    mutants=[Mutant("γ = 1/2", lhs=lambda x: Suspect(x.f, HALF).largest())],
    expect=PROVED,
)


@dataclass(frozen=True)
class Mixer(Exact):
    """Let K be an objective of the library, by name and price."""

    name: str
    price: Fraction

    @cached_property
    def K(self) -> Objective:
        """K."""
        made: Objective = getattr(objectives, self.name)(self.price)
        return made

    def direct(self, law: Law) -> Any:
        """K from the definition, as something ordered alike: mean − λ std by exact comparison of squares."""
        m = mean(law)
        var = expect(law, lambda x: (x - m) ** 2)
        if self.name == "cvar":
            return cvar(law, self.price)
        if self.name == "optimistic_cvar":
            return -cvar({-x: p for x, p in law.items()}, self.price)
        if self.name == "quantile":
            return quantile(law, self.price)
        return m - self.price * var if self.name == "mean_variance" else Spread(m, self.price**2 * var)

    def verdict(self) -> list[Fraction]:
        """1 if the library's witness is one."""
        found = mixture_witness(self.K)
        if found is None:
            return [ZERO]
        a, b, c = (dict(k) for k in (found.better, found.worse, found.other))
        w = found.weight
        x, y = (mix([(1 - w, k), (w, c)]) for k in (a, b))
        good = self.direct(a) >= self.direct(b) and self.direct(x) < self.direct(y)
        return [ONE if good else F(-1)]


@dataclass(frozen=True)
class Spread(Exact):
    """m − √v, compared exactly."""

    m: Fraction
    v: Fraction

    def __lt__(self, other: Spread) -> bool:
        # m − √v < m' − √v'  ⇔  m − m' < √v − √v'
        return _below(self.m - other.m, self.v, other.v)

    def __ge__(self, other: Spread) -> bool:
        return not self < other


def _below(d: Fraction, v: Fraction, w: Fraction) -> bool:
    """d < √v − √w."""
    if d < 0:
        # √w < √v − d: always if w ≤ v, else compare squares of (√w)² < v − 2d√v + d²
        rest = w - v - d * d
        return rest < 0 or rest * rest < 4 * d * d * v
    # d + √w < √v
    rest = v - w - d * d
    return rest > 0 and rest * rest > 4 * d * d * w


MIXERS = (
    *[Mixer("cvar", F(k, 8)) for k in (1, 2, 4, 6)],
    *[Mixer("optimistic_cvar", F(k, 8)) for k in (1, 4, 6)],
    *[Mixer("quantile", F(k, 8)) for k in (1, 4, 7)],
    *[Mixer(name, F(k, 4)) for name in ("mean_std", "mean_variance") for k in (1, 2, 4, 8)],
)

mixture_gallery_detector: Claim[Mixer] = Claim(
    statement="CVaR, OCVaR, quantiles, mean − λ std, mean − λ var: a witness is found and is one",
    source=PAPER.at("indifference to mixtures, detector; derived"),
    let=Every("the functionals that fail, at several levels", len(MIXERS), MIXERS),
    assume=[],
    then=Eq(lhs=lambda x: x.verdict(), rhs=lambda x: [ONE]),
    tight=Tight(MIXERS[0], within=0),
    mutants=[Mutant("no witness exists", rhs=lambda x: [ZERO])],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
