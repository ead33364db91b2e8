"""The classic problem inside: an ordinary reward on augmented states.

f̃ = f − f(0), f̃(γx) = a f̃(x).  Reward r̃ = a f̃(c') − f̃(c), discount a: its value V̂ gives F = V̂ + f̃(c) + f(0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.solvers import stock_iteration
from rltheory.solvers.stock_exact import StockInduction, StockValueIteration

from .definitions import FACTOR, HALF, ONE, UTILITIES, ZERO, Exact, F, Outcomes, Pairs, expect, push
from .optimality import OBJECTIVES, Finite, finite
from .setting import PAPER, Model, Reader, decoded, family, model
from .structure import Paths

Factors = Callable[[Fraction], Any]


def shaped(x: Finite, a: Any, d: Any, start: Callable[[int, Fraction], Any] | None = None) -> Any:
    """V̂_H(s₀, c₀) + f(c₀) for r̃ = a f̃(c') − f̃(c) and discount d, from V̂_0 = start, from the definition."""
    f, g, known = UTILITIES[x.f], x.M.gamma, {}
    zero = f(ZERO)

    def at(h: int, s: int, c: Fraction) -> Any:
        if h == 0:
            return ZERO if start is None else start(s, c)
        if (h, s, c) not in known:
            here = f(c) - zero
            known[h, s, c] = max(
                sum(p * (a * (f((c + r) / g) - zero) - here + d * at(h - 1, u, (c + r) / g)) for p, u, r in o)
                for o in x.M.outcomes[s]
            )
        return known[h, s, c]

    return at(x.H, x.s0, x.c0) + f(x.c0)


def reduced(x: Finite) -> Any:
    """F* by the library's ordinary dynamic programming on the reduced model."""
    M = StockMDP(x.M.library, x.H)
    return stock_iteration.classic_reduction(M, OBJECTIVES[x.f], x.s0, x.c0).value()


def scaling(read: Reader) -> Finite:
    """f̃(γx) = a f̃(x) most of the time."""
    x = finite(read, (HALF, F(3, 4), F(4, 5)))
    return Finite(x.M, x.H, x.c0, read.pick(("x₋", "−|x|", "x₊", "−x²", "x³")), x.s0)


def factor(x: Finite) -> Any:
    """a."""
    return FACTOR[x.f](x.M.gamma)


SQUARE = Finite(family(3, 2, 2, 4, HALF), 3, F(-1), "−x²", 2)

classic_reduction: Claim[Finite] = Claim(
    statement="V̂ + f̃(c) + f(0) = F* for the ordinary problem with r̃ = a f̃(c') − f̃(c), discount a",
    source=PAPER.at("reduction to classic dynamic programming; recalled idea, derived"),
    let=decoded(scaling, 96),
    assume=[],
    then=Eq(lhs=lambda x: [reduced(x), shaped(x, factor(x), factor(x))], rhs=lambda x: x.optimum()),
    tight=Tight(Finite(family(3, 2, 2, 9, 1), 3, ONE, "−|x|"), within=0),
    named={"−x²": SQUARE},
    mutants=[
        Mutant("r̃ without the γ", lhs=lambda x: shaped(x, ONE, factor(x))),
        Mutant("a = γ for every f, so for −x²", lhs=lambda x: shaped(x, x.M.gamma, x.M.gamma)),
        Mutant("a = γ in the reward only", lhs=lambda x: shaped(x, x.M.gamma, factor(x))),
        Mutant("discount γ, reward right", lhs=lambda x: shaped(x, factor(x), x.M.gamma)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Sweeps(Finite):
    """Let value iteration start from laws eta, one a state; H counts sweeps, the horizon is infinite."""

    eta: tuple[Pairs, ...] = ()

    def by_law(self) -> Any:
        """F η_n by the library."""
        solver = StockValueIteration(
            OBJECTIVES[self.f], n=self.H, start=lambda s, c: self.eta[s], unchecked=True
        )
        return solver.run(StockMDP(self.M.library)).value(self.s0, self.c0)

    def consistent(self, s: int, c: Fraction) -> Any:
        """V̂_0 = F η_0 − f̃(c) − f(0)."""
        f = UTILITIES[self.f]
        return expect(push(dict(self.eta[s]), c), f) - f(c)


def sweeps(read: Reader) -> Sweeps:
    """Any start."""
    x = scaling(read)
    return Sweeps(x.M, x.H, x.c0, x.f, x.s0, tuple(read.law(3, 2, 2) for _ in range(x.M.S)))


STARTED: tuple[Pairs, ...] = (((ONE, ONE),), ((F(-2), ONE),), ((ZERO, ONE),))

classic_reduction_iterates: Claim[Sweeps] = Claim(
    statement="V̂_n + f̃(c) + f(0) = F η_n for every n, from V̂_0 = F η_0 − f̃ − f(0)",
    source=PAPER.at("reduction to classic dynamic programming; derived"),
    let=decoded(sweeps, 112),
    assume=[],
    then=Eq(lhs=lambda x: x.by_law(), rhs=lambda x: shaped(x, factor(x), factor(x), x.consistent)),
    tight=Tight(
        Sweeps(
            family(3, 2, 2, 3, HALF), 3, ONE, "−|x|", 0, (((F(1), ONE),), ((F(-2), ONE),), ((ZERO, ONE),))
        ),
        within=0,
    ),
    mutants=[
        Mutant("started at V̂_0 = 0", rhs=lambda x: shaped(x, factor(x), factor(x))),
        Mutant("r̃ without the γ", rhs=lambda x: shaped(x, ONE, factor(x), x.consistent)),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- along a path ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Shaped(Paths):
    """Let also f be a utility by name."""

    f: str

    def sums(self, factor: Factors, weight: Factors) -> list[Any]:
        """Σ_{t<n} weight^t (factor·f̃(c_{t+1}) − f̃(c_t)) on every path, stocks moved by the library."""
        f, a, d = UTILITIES[self.f], factor(self.M.gamma), weight(self.M.gamma)
        out = []
        for _, c in sorted(set(self.walks(0, self.c0, self.H, None))):
            out.append(sum(d**t * (a * (f(c[t + 1]) - f(ZERO)) - (f(c[t]) - f(ZERO))) for t in range(self.H)))
        return out

    def ends(self) -> list[Any]:
        """a^n f̃(c_n) − f̃(c₀), c_n = (c₀ + Σ γ^i r_{i+1})/γ^n from the rewards."""
        f, g = UTILITIES[self.f], self.M.gamma
        a, out = FACTOR[self.f](g), []
        for r, _ in sorted(set(self.walks(0, self.c0, self.H, None))):
            last = (self.c0 + sum((g**i * x for i, x in enumerate(r)), ZERO)) / g**self.H
            out.append(a**self.H * (f(last) - f(ZERO)) - (f(self.c0) - f(ZERO)))
        return out


def shaped_paths(read: Reader) -> Shaped:
    """Lengths up to 3."""
    M = model(read, gammas=(HALF, F(3, 4), F(4, 5)))
    return Shaped(M, read.number(), 1 + read.below(3), read.pick(("x₋", "−|x|", "x₊", "−x²", "x³")))


def _path(says: str, factor: Factors | None, weight: Factors | None) -> Mutant[Shaped]:
    return Mutant(says, lhs=lambda x: x.sums(factor or FACTOR[x.f], weight or FACTOR[x.f]))


classic_reduction_paths: Claim[Shaped] = Claim(
    statement="Σ_{t<n} a^t r̃_t = a^n f̃(c_n) − f̃(c₀) along every path",
    source=PAPER.at("reduction to classic dynamic programming; recalled idea, derived"),
    let=decoded(shaped_paths),
    assume=[],
    then=Eq(lhs=lambda x: x.sums(FACTOR[x.f], FACTOR[x.f]), rhs=lambda x: x.ends()),
    tight=Tight(Shaped(family(3, 2, 2, 3, F(3, 4)), ONE, 3, "−|x|"), within=0),
    mutants=[
        _path("r̃ without the γ", lambda g: ONE, None),
        _path("a = γ for every f, so for −x²", lambda g: g, lambda g: g),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- rewards replaced by their means ---------------------------------------------------------
def averaged(M: Model) -> Model:
    """Every reward replaced by the mean of its state and action."""

    def means(o: Outcomes) -> Outcomes:
        m = sum((p * r for p, _, r in o), ZERO)
        return tuple((p, t, m) for p, t, _ in o)

    return Model(tuple(tuple(means(o) for o in actions) for actions in M.outcomes), M.gamma)


def optimal(x: Finite, M: Model) -> Any:
    """F* at (s₀, c₀) of another model, by the library."""
    f = OBJECTIVES.get(x.f) or objectives.expected_utility(AFFINE[x.f], factor=lambda g: g, name=x.f)
    return StockInduction(f).run(StockMDP(M.library, x.H)).value(x.s0, x.c0)


AFFINE: dict[str, Callable[[Any], Any]] = {"2x−3": lambda x: 2 * x - 3, "−x": lambda x: -x}


def by_successor(M: Model) -> Model:
    """The same with states (s, reward on entering s): the reward depends on s' only."""
    first = [(s, ZERO) for s in range(M.S)]
    entered = {(t, r) for actions in M.outcomes for o in actions for _, t, r in o}
    states = first + sorted(entered - set(first))
    index = {state: i for i, state in enumerate(states)}
    rows = (tuple(tuple((p, index[t, r], r) for p, t, r in o) for o in M.outcomes[s]) for s, _ in states)
    return Model(tuple(rows), M.gamma)


def linear(read: Reader) -> Finite:
    """Affine utilities, sometimes others."""
    x = finite(read)
    return Finite(x.M, x.H, x.c0, read.pick(("x", "2x−3", "−x", "x", "−|x|", "x₋")), x.s0)


COIN = Finite(Model(((((HALF, 0, ONE), (HALF, 0, F(-1))),),), ONE), 1, ZERO, "−|x|")
"""±1, fair, once."""
SPLIT = Model(((((HALF, 0, ONE), (HALF, 1, F(-1))),), (((ONE, 1, ZERO),),)), ONE)
"""The same, with a successor each."""
LINEAR = "f is affine"


def _harmless(f: str, change: Callable[[Model], Model] = lambda M: M) -> Eq[Finite]:
    def value(x: Finite, then: Callable[[Model], Model]) -> Any:
        return optimal(Finite(x.M, x.H, x.c0, f, x.s0), then(change(x.M)))

    return Eq(lambda x: value(x, averaged), lambda x: value(x, lambda M: M))


mean_reward: Claim[Finite] = Claim(
    statement="f affine: replacing a random reward by its mean leaves F* unchanged",
    source=PAPER.at("random rewards matter; derived"),
    let=decoded(linear, 96),
    assume=[Assumption(LINEAR, lambda x: x.f in ("x", *AFFINE), fails_without=COIN)],
    then=Eq(lhs=lambda x: optimal(x, averaged(x.M)), rhs=lambda x: optimal(x, x.M)),
    tight=Tight(Finite(family(3, 2, 2, 9, 1), 3, ONE, "x"), within=0),
    named={
        "a coin": Finite(COIN.M, 1, ONE, "x"),
        "a coin, two successors": Finite(SPLIT, 1, ONE, "x"),
    },
    mutants=[
        Mutant("any utility", drop=LINEAR),
        Mutant("harmless for f = x₋", then=_harmless("x₋")),
        Mutant("harmless when the reward depends on s' only", then=_harmless("−|x|", by_successor)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Lottery(Exact):
    """Let f take these values at −1, y, 1, where y = 1 − 2p; the reward is −1 with probability p, else 1."""

    f: tuple[Fraction, Fraction, Fraction]
    p: Fraction

    def utility(self, x: Fraction) -> Fraction:
        """f; 0 elsewhere."""
        return dict(zip((F(-1), 1 - 2 * self.p, ONE), self.f, strict=True)).get(x, ZERO)

    def gap(self) -> Fraction:
        """F* with the mean reward minus F*, by the library."""
        M = Model(((((self.p, 0, F(-1)), (1 - self.p, 0, ONE)),),), ONE)
        f = objectives.expected_utility(self.utility)
        means, chance = (StockInduction(f).run(StockMDP(m.library, 1)).value(0, 0) for m in (averaged(M), M))
        return F(means - chance)

    def bend(self, p: Fraction | None = None) -> Fraction:
        """f(y) − (p f(−1) + (1−p) f(1)): 0 for affine f."""
        p = self.p if p is None else p
        return self.f[1] - p * self.f[0] - (1 - p) * self.f[2]


def lotteries(read: Reader) -> Lottery:
    """Any three values."""
    return Lottery(tuple(read.number() for _ in range(3)), F(1 + read.below(7), 8))  # type: ignore[arg-type]


mean_reward_converse: Claim[Lottery] = Claim(
    statement="f not affine at three points: in one step the mean reward changes F* by what f is bent",
    source=PAPER.at("random rewards matter; derived"),
    let=decoded(lotteries, 8),
    assume=[],
    then=Eq(lhs=lambda x: x.gap(), rhs=lambda x: x.bend()),
    tight=Tight(Lottery((F(-1), ZERO, F(-1)), HALF), within=0),
    mutants=[
        Mutant("no change", rhs=lambda x: ZERO),
        Mutant("weights ½, ½", rhs=lambda x: x.bend(HALF)),
    ],
    expect=CERTIFIED,
    draws=100,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
