"""Vector stocks: models, their laws, and homeostasis, f = −‖x‖.

c' = (c + r)/γ by component.  The library's backward induction on one side; on the other the laws of the
vector return under all history-dependent policies.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from typing import Any, Literal, TypeAlias

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.models.outcomes import OutcomeMDP
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.operators.objective import Objective
from rltheory.solvers.stock_baselines import StockBlind
from rltheory.solvers.stock_exact import StockInduction

from .definitions import HALF, ONE, ZERO, Exact, F
from .setting import PAPER, Reader, decoded, family, precise

Pair: TypeAlias = tuple[Fraction, Fraction]
Plane: TypeAlias = dict[Pair, Fraction]
"""Law of a vector return: value ↦ mass."""
VectorOutcomes: TypeAlias = tuple[tuple[Fraction, int, Pair], ...]
Norm: TypeAlias = Literal[1, 2, "max"]


@dataclass(frozen=True)
class VectorModel(Exact):
    """Let M be given by outcomes[s][a] = ((p, s', (r₁, r₂)), …) and a discount 0 < gamma ≤ 1."""

    outcomes: tuple[tuple[VectorOutcomes, ...], ...]
    gamma: Fraction

    @cached_property
    def library(self) -> OutcomeMDP:
        """The same model as the library's object."""
        return OutcomeMDP.from_lists(self.outcomes, gamma=self.gamma)

    def laws(self, s: int, H: int) -> list[Plane]:
        """N_H(s): laws of the return under all deterministic history-dependent policies."""
        if (s, H) not in self._listed:
            self._listed[s, H] = [dict(law) for law in self._all(s, H)]
        return self._listed[s, H]

    @cached_property
    def _listed(self) -> dict[tuple[int, int], list[Plane]]:
        return {}

    def _all(self, s: int, h: int) -> set[tuple[tuple[Pair, Fraction], ...]]:
        if h == 0:
            return {(((ZERO, ZERO), ONE),)}
        found: set[tuple[tuple[Pair, Fraction], ...]] = set()
        for outcomes in self.outcomes[s]:
            sums: list[Plane] = [{}]
            for p, t, r in outcomes:
                sums = [_plus(part, p, r, self.gamma, law) for part in sums for law in self.laws(t, h - 1)]
            found |= {tuple(sorted(law.items())) for law in sums}
        return found


def _plus(part: Plane, p: Fraction, r: Pair, gamma: Fraction, law: Plane) -> Plane:
    out = dict(part)
    for (x, y), q in law.items():
        key = (r[0] + gamma * x, r[1] + gamma * y)
        out[key] = out.get(key, ZERO) + p * q
    return out


@cache
def vector_family(q: int, gamma: Any = 1) -> VectorModel:
    """FMV(3, 2, 2, q): p, s' and first reward of FM(3, 2, 2, q), second reward that of q + 1."""
    one, two = (family(3, 2, 2, k, gamma).outcomes for k in (q, q + 1))
    rows = tuple(
        tuple(
            tuple((p, t, (r, v)) for (p, t, r), (_, _, v) in zip(a, b, strict=True))
            for a, b in zip(x, y, strict=True)
        )
        for x, y in zip(one, two, strict=True)
    )
    return VectorModel(rows, F(gamma))


def vector_model(read: Reader, gammas: tuple[Fraction, ...] = (ONE, HALF)) -> VectorModel:
    """At most 3 states, 2 actions, 2 outcomes, integer rewards in [−2, 2]."""
    gamma, n = read.pick(gammas), 1 + read.below(3)

    def outcomes() -> VectorOutcomes:
        return tuple((p, t, (r, read.number(2, 1))) for p, t, r in read.outcomes(n, 2, 2))

    return VectorModel(tuple(tuple(outcomes() for _ in range(1 + read.below(2))) for _ in range(n)), gamma)


# ---- homeostasis -----------------------------------------------------------------------------------
def size(x: Pair, norm: Norm) -> Any:
    """‖x‖: ℓ₁, ℓ₂ (a ball) or the largest coordinate."""
    a, b = abs(x[0]), abs(x[1])
    if norm == 2:
        return ball.to_arb(a * a + b * b).nonnegative_part().sqrt()
    return a + b if norm == 1 else max(a, b)


@dataclass(frozen=True)
class Kept(Exact):
    """Let M be a vector model, H a horizon, s0 a state, c a stock, f = −‖·‖."""

    M: VectorModel
    H: int
    s0: int
    c: tuple[Fraction, Fraction]
    norm: Norm

    def at(self, x: Pair) -> Pair:
        """c + x."""
        return (self.c[0] + x[0], self.c[1] + x[1])

    def K(self, law: Plane) -> Any:
        """−E‖c + G‖."""
        exact = self.norm != 2
        sizes = [size(self.at(x), self.norm) * (p if exact else ball.to_arb(p)) for x, p in law.items()]
        return -sum(sizes[1:], sizes[0])

    @property
    def best(self) -> Any:
        """The optimum over history-dependent policies."""
        values = [self.K(law) for law in self.M.laws(self.s0, self.H)]
        return ball.maximum(values) if self.norm == 2 else max(values)

    @property
    def apart(self) -> Fraction:
        """Each coordinate kept by a policy of its own, ℓ₁."""
        laws = self.M.laws(self.s0, self.H)
        one = min(sum((abs(self.at(x)[0]) * p for x, p in law.items()), ZERO) for law in laws)
        two = min(sum((abs(self.at(x)[1]) * p for x, p in law.items()), ZERO) for law in laws)
        return -one - two

    def found(self, K: Objective | None = None) -> list[Any]:
        """The library's value in rationals (ℓ₁, largest coordinate), and K of the law it finds."""
        solver = StockInduction(K or objectives.homeostasis(self.norm))
        sol = solver.run(StockMDP(self.M.library, self.H))
        law = self.K(dict(sol.law(self.s0, self.c)))
        return [law] if self.norm == 2 else [F(sol.value(self.s0, self.c)), law]

    @property
    def blind(self) -> Any:
        """K of the policy greedy for −‖c₀ + ·‖ at every stage, without a stock."""
        solver = StockBlind(objectives.homeostasis(self.norm), seen="initial")
        return self.K(dict(solver.run(StockMDP(self.M.library, self.H)).law(self.s0, self.c)))


def kept(read: Reader, norms: tuple[Norm, ...]) -> Kept:
    """Small models, horizons 1 and 2."""
    M = vector_model(read)
    c = (read.number(2), read.number(2))
    return Kept(M, 1 + read.below(2), read.below(len(M.outcomes)), c, read.pick(norms))


FMV = Kept(vector_family(3), 3, 0, (ONE, -ONE), 1)
LARGEST = Kept(vector_family(3), 3, 0, (ONE, -ONE), "max")
ROUND = Kept(vector_family(3), 2, 0, (ONE, -ONE), 2)

target_homeostasis: Claim[Kept] = Claim(
    statement="f = −‖x‖, vector stock: backward induction attains the best over histories (ℓ₁, max-norm)",
    source=PAPER.at("homeostatic regulation; recalled"),
    let=decoded(lambda read: kept(read, (1, "max")), 96),
    assume=[],
    then=Eq(lambda x: x.found(), lambda x: x.best),
    tight=Tight([FMV, LARGEST], within=0),
    mutants=[
        Mutant("the coordinates apart", rhs=lambda x: x.apart),
        Mutant("without a stock", lhs=lambda x: x.blind),
    ],
    expect=CERTIFIED,
    draws=60,
)

target_homeostasis_euclid: Claim[Kept] = Claim(
    statement="the same for ℓ₂, up to the rounding of the values compared",
    source=PAPER.at("homeostatic regulation; recalled"),
    let=decoded(lambda read: kept(read, (2,)), 96),
    assume=[],
    then=Eq(precise(lambda x: x.found()), precise(lambda x: x.best), within=F(1, 10**10)),
    tight=Tight(ROUND, within=0),
    mutants=[
        Mutant("greedy for ℓ₁", lhs=precise(lambda x: x.found(objectives.homeostasis(1)))),
        Mutant("without a stock", lhs=precise(lambda x: x.blind)),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True)
class Two(Exact):
    """Let x, y be vectors, gamma a discount."""

    x: tuple[Fraction, Fraction]
    y: tuple[Fraction, Fraction]
    gamma: Fraction

    def f(self, x: Pair, norm: Norm) -> Fraction:
        """The library's utility."""
        f = objectives.homeostasis(norm).f
        assert f is not None
        return F(f(x))

    def square(self, x: Pair) -> Fraction:
        """−‖x‖₂²."""
        return -x[0] * x[0] - x[1] * x[1]

    @property
    def less(self) -> Pair:
        """x − y."""
        return (self.x[0] - self.y[0], self.x[1] - self.y[1])

    @property
    def scaled(self) -> Pair:
        """γx."""
        return (self.gamma * self.x[0], self.gamma * self.x[1])


def two(read: Reader) -> Two:
    """Multiples of 1/4."""
    x, y = ((read.number(4, 4), read.number(4, 4)) for _ in range(2))
    return Two(x, y, read.pick((HALF, F(3, 4), F(9, 10))))


NORMS: tuple[Norm, ...] = (1, "max")

target_lipschitz: Claim[Two] = Claim(
    statement="f = −‖x‖ is 1-Lipschitz under its norm",
    source=PAPER.at("homeostatic regulation: conditions; derived"),
    let=decoded(two),
    assume=[],
    then=Leq(
        lambda x: [abs(x.f(x.x, k) - x.f(x.y, k)) for k in NORMS], lambda x: [size(x.less, k) for k in NORMS]
    ),
    tight=Tight(Two((F(2), F(2)), (ONE, ONE), HALF), within=0),
    mutants=[
        Mutant("−‖x‖² is, too", lhs=lambda x: [abs(x.square(x.x) - x.square(x.y))] * 2),
        Mutant("1/2-Lipschitz", rhs=lambda x: [size(x.less, k) / 2 for k in NORMS]),
    ],
    expect=CERTIFIED,
)

target_homogeneous: Claim[Two] = Claim(
    statement="f = −‖x‖: f(γx) = γf(x)",
    source=PAPER.at("homeostatic regulation: conditions; derived"),
    let=decoded(two),
    assume=[],
    then=Eq(lambda x: [x.f(x.scaled, k) for k in NORMS], lambda x: [-x.gamma * size(x.x, k) for k in NORMS]),
    tight=Tight(Two((F(2), F(2)), (ONE, ONE), HALF), within=0),
    mutants=[
        Mutant("−‖x‖² is, too", then=Eq(lambda x: x.square(x.scaled), lambda x: x.gamma * x.square(x.x)))
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
