"""Indifference to mixtures, and what it forces: only expected utilities, up to an increasing map.

K is indifferent to mixtures when K(ν_i) ≥ K(ν'_i) for all i gives K(Σ p_i ν_i) ≥ K(Σ p_i ν'_i).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Every, Leq, Mutant, NotShown, Tight, run_module
from rltheory.kernels import ball
from rltheory.operators import objectives
from rltheory.operators.objective import Objective

from .definitions import (
    HALF,
    ONE,
    UTILITIES,
    ZERO,
    Exact,
    F,
    Law,
    Pairs,
    cvar,
    dirac,
    expect,
    library,
    mean,
    mix,
    quantile,
    w1,
)
from .monotonicity import entropic, mean_minus_std
from .setting import PAPER, Reader, decoded, precise

Functional = Callable[[Law], Any]


@dataclass(frozen=True)
class Mixtures(Exact):
    """Let a ≷ b and c ≷ d be laws, each pair ordered by K, and 0 < p < 1 a mixing weight."""

    a: Pairs
    b: Pairs
    c: Pairs
    d: Pairs
    p: Fraction

    def sides(self, K: Functional, same: Objective | None = None) -> tuple[Any, Any]:
        """K of the mixture of the lesser laws, K of the mixture of the greater (by the library if `same`)."""
        low, high = [], []
        for w, u, v in ((self.p, self.a, self.b), (1 - self.p, self.c, self.d)):
            x, y = dict(u), dict(v)
            if bool(K(x) > K(y)):
                x, y = y, x
            low.append((w, x))
            high.append((w, y))
        worse, better = mix(low), mix(high)
        if worse == better:
            return ONE, ONE
        return K(worse), K(better) if same is None else same(library(better))

    def lexicographic(self) -> Any:
        """First difference, greater minus lesser, of (E X, E X₋) after mixing by that order."""

        def K(law: Law) -> tuple[Any, Any]:
            return mean(law), expect(law, UTILITIES["x₋"])

        worse, better = self.sides(K, LEXICOGRAPHIC)
        if worse == better:
            return ONE
        return next(y - x for x, y in zip(worse, better, strict=True) if x != y)


def mixtures(read: Reader) -> Mixtures:
    """Four laws on halves in [−2, 2]; small numbers make ties of K common."""
    a, b, c, d = (read.law(2) for _ in range(4))
    return Mixtures(a, b, c, d, read.pick((HALF, F(1, 4), F(3, 4))))


def cubic(law: Law) -> Any:
    """g(E −|X|) with g(m) = m³ + m."""
    m = expect(law, UTILITIES["−|x|"])
    return m**3 + m


def mean_minus_variance(law: Law) -> Any:
    """E X − var X."""
    m = mean(law)
    return m - expect(law, lambda x: (x - m) ** 2)


def to_target(law: Law) -> Any:
    """−w₁(X, ½δ_0 + ½δ_1)."""
    return -w1(law, {ZERO: HALF, ONE: HALF})


LEXICOGRAPHIC = objectives.lexicographic(objectives.mean(), objectives.shortfall())
PASSING: tuple[tuple[Functional, Objective | None], ...] = (
    (lambda law: expect(law, UTILITIES["x₊"]), objectives.surplus()),
    (cubic, None),
    (entropic, None),
)
COIN: Pairs = ((F(-1), HALF), (ONE, HALF))


def _at(x: Any) -> Pairs:
    return ((F(x), ONE),)


def _fair(*xs: Any) -> Pairs:
    return tuple((F(x), F(1, len(xs))) for x in xs)


def _fails(says: str, K: Functional) -> Mutant[Mixtures]:
    return Mutant(says, then=Leq(precise(lambda x: x.sides(K)[0]), precise(lambda x: x.sides(K)[1])))


mixture_gallery: Claim[Mixtures] = Claim(
    statement="E X₊, g(E −|X|) with g increasing, −log E e^{−X}, (E X, E X₋) in order do not mind mixing",
    source=PAPER.at("indifference to mixtures; gallery derived"),
    let=decoded(mixtures),
    assume=[],
    then=Leq(
        precise(lambda x: [*[x.sides(*K)[0] for K in PASSING], ZERO]),
        precise(lambda x: [*[x.sides(*K)[1] for K in PASSING], x.lexicographic()]),
    ),
    tight=Tight(Mixtures(_at(1), _at(1), _at(2), _fair(1, 3), HALF), within=0),
    named={
        "CVaR": Mixtures(_at(-1), COIN, _at(5), _at(5), HALF),
        "median": Mixtures(_at(0), _fair(0, 10), _at(10), _at(10), HALF),
        "a law to match": Mixtures(_at(1), _at(0), _at(1), _at(1), HALF),
        "mean and spread": Mixtures(_at(0), _fair(0, 2), _at(1), _at(1), HALF),
    },
    mutants=[
        _fails("CVaR_{1/2}", lambda law: cvar(law, HALF)),
        _fails("the lower median", lambda law: quantile(law, HALF)),
        _fails("−w₁ to ½δ_0 + ½δ_1", to_target),
        _fails("mean − std", mean_minus_std),
        _fails("mean − variance", mean_minus_variance),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Witness(Exact):
    """Let nu and nu2 tie under the functional named, and third be mixed half-half into both."""

    name: str
    nu: Pairs
    nu2: Pairs
    third: Pairs
    tie: Fraction
    mixed: Any
    mixed2: Any

    def values(self, p: Fraction = HALF) -> list[Any]:
        """K of both laws and of both mixtures; the library's K where it has one and it is rational."""
        K = FAILING[self.name]
        x, y, z = dict(self.nu), dict(self.nu2), dict(self.third)
        return [K(x), K(y), *[K(mix([(p, k), (1 - p, z)])) for k in (x, y)]]


FAILING: dict[str, Functional] = {
    "CVaR": lambda law: objectives.cvar(HALF)(library(law)),
    "median": lambda law: objectives.quantile(HALF)(library(law)),
    "target": to_target,
    "mean − std": mean_minus_std,
    "mean − variance": lambda law: objectives.mean_variance(1)(library(law)),
}
WITNESSES = (
    Witness("CVaR", COIN, _at(-1), _at(5), F(-1), ZERO, F(-1)),
    Witness("median", _fair(0, 10), _at(0), _at(10), ZERO, F(10), ZERO),
    Witness("target", _at(0), _at(1), _at(1), -HALF, ZERO, -HALF),
    Witness("mean − std", _fair(0, 2), _at(0), _at(1), ZERO, "1 − √½", ZERO),
    Witness("mean − variance", _fair(0, 2), _at(0), _at(1), ZERO, HALF, F(1, 4)),
)


def _stated(x: Witness) -> list[Any]:
    root = 1 - ball.to_arb(HALF).sqrt()
    return [x.tie, x.tie, root if isinstance(x.mixed, str) else x.mixed, x.mixed2]


mixture_gallery_witnesses: Claim[Witness] = Claim(
    statement="the printed ties and what half a third law makes of them",
    source=PAPER.at("indifference to mixtures; witnesses derived"),
    let=Every("the five functionals that fail", 5, WITNESSES),
    assume=[],
    then=Eq(precise(lambda x: x.values()), precise(_stated), within=F(1, 2**200)),
    tight=Tight(list(WITNESSES), within=0),
    mutants=[
        Mutant("the third law with weight 1/4", lhs=precise(lambda x: x.values(F(3, 4)))),
        Mutant(
            "the mixtures tie too",
            then=Eq(precise(lambda x: x.values()[2]), precise(lambda x: x.values()[3]), within=F(1, 2**200)),
        ),
    ],
    expect=CERTIFIED,
)


# ---- expected utility only -------------------------------------------------------------------
@dataclass(frozen=True)
class Outcomes(Exact):
    """Let K order lotteries over outcomes worth h_0, h_1, …; a and b are two of them."""

    h: tuple[Fraction, ...]
    a: tuple[Fraction, ...]
    b: tuple[Fraction, ...]

    def law(self, p: tuple[Fraction, ...]) -> Law:
        """The law of h under a lottery."""
        return mix((q, dirac(v)) for q, v in zip(p, self.h, strict=True) if q)

    def utility(self, K: Functional) -> list[Fraction]:
        """f_i: the least p, to 2^−34, with K(p best + (1−p) worst) ≥ K(outcome i); K is a black box."""
        sure = [K(dirac(v)) for v in self.h]
        best, worst = max(range(len(sure)), key=sure.__getitem__), min(range(len(sure)), key=sure.__getitem__)
        out = []
        for k in sure:
            low, high = ZERO, ONE
            if k == sure[worst]:
                high = ZERO
            for _ in range(34 if high else 0):
                p = (low + high) / 2
                if K(mix([(p, dirac(self.h[best])), (1 - p, dirac(self.h[worst]))])) >= k:
                    high = p
                else:
                    low = p
            out.append(high)
        return out

    def sides(self, K: Functional) -> tuple[Fraction, Fraction]:
        """E f of the lottery K likes less, and of the other."""
        f = self.utility(K)
        low, high = self.a, self.b
        if K(self.law(low)) > K(self.law(high)):
            low, high = high, low
        return tuple(sum(p * v for p, v in zip(q, f, strict=True)) for q in (low, high))  # type: ignore[return-value]


def identity_cubic(law: Law) -> Any:
    """g(E h) with g(m) = m³ + m."""
    return mean(law) ** 3 + mean(law)


def lotteries(read: Reader) -> Outcomes:
    """Three or four outcomes, not all worth the same."""
    n = 3 + read.below(2)
    h = (ZERO, read.number(3) or ONE, *[read.number(3) for _ in range(n - 2)])
    weights = [tuple(read.weights(n)) for _ in range(2)]
    return Outcomes(h, *weights)


UNEQUAL = Assumption[Outcomes](
    "outcomes are not all worth the same",
    lambda x: min(x.h) < max(x.h),
    fails_without=NotShown("then all lotteries tie and f is 0/0"),
)
SLACK = F(1, 2**30)
THREE = Outcomes((ZERO, ONE, F(2)), (HALF, ZERO, HALF), (ZERO, ONE, ZERO))

eu_only: Claim[Outcomes] = Claim(
    statement="K = g∘U_h: the f read off K on mixtures of best and worst orders all lotteries as K does",
    source=PAPER.at("indifference to mixtures; after von Neumann and Morgenstern, Herstein and Milnor"),
    let=decoded(lotteries),
    assume=[UNEQUAL],
    then=Leq(lambda x: x.sides(identity_cubic)[0], lambda x: x.sides(identity_cubic)[1] + SLACK),
    tight=Tight(THREE, within=1e-8),
    mutants=[
        Mutant(
            "K = CVaR_{1/2}",
            then=Leq(
                lambda x: x.sides(lambda k: cvar(k, HALF))[0],
                lambda x: x.sides(lambda k: cvar(k, HALF))[1] + SLACK,
            ),
        ),
        Mutant(
            "K = mean − variance",
            then=Leq(
                lambda x: x.sides(mean_minus_variance)[0], lambda x: x.sides(mean_minus_variance)[1] + SLACK
            ),
        ),
        Mutant(
            "K is affine in the law",
            then=Eq(
                lambda x: identity_cubic(mix([(HALF, x.law(x.a)), (HALF, x.law(x.b))])),
                lambda x: (identity_cubic(x.law(x.a)) + identity_cubic(x.law(x.b))) / 2,
            ),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

eu_only_values: Claim[Outcomes] = Claim(
    statement="K = g∘U_h: the f read off K is (h − h_worst)/(h_best − h_worst)",
    source=PAPER.at("indifference to mixtures; uniqueness of the utility up to affine maps"),
    let=decoded(lotteries),
    assume=[UNEQUAL],
    then=Eq(
        lambda x: x.utility(identity_cubic),
        lambda x: [(v - min(x.h)) / (max(x.h) - min(x.h)) for v in x.h],
        within=SLACK,
    ),
    tight=Tight(THREE, within=0),
    mutants=[
        Mutant(
            "f = g(h), rescaled",
            rhs=lambda x: [
                (v**3 + v - min(x.h) ** 3 - min(x.h)) / (max(x.h) ** 3 + max(x.h) - min(x.h) ** 3 - min(x.h))
                for v in x.h
            ],
        )
    ],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
