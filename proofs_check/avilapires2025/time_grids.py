"""Time-indexed stocks x_t = γ^t c_t: any Lipschitz utility, any γ ∈ (0, 1].

V̂_H = f and V̂_t(s,x) = max_a Σ p I_{t+1}[V̂_{t+1}(s',·)](x + γ^t r), I_t linear interpolation on nodes of
spacing δ_t, f itself at the last step.  An infinite horizon ends with f(x + γ^H(r_min + r_max)/(2(1−γ))).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.operators.objective import Objective
from rltheory.results.stock import StockSolution
from rltheory.solvers.stock import StockDP

from .definitions import HALF, ONE, UTILITIES, ZERO, Exact, F, Utility
from .setting import PAPER, Model, Reader, chain, decoded, family, layered, model


@dataclass(frozen=True)
class Timed(Exact):
    """Let M be a model, H a horizon, x0 a node, f a 1-Lipschitz utility, deltas spacings at t = 1..H−1."""

    M: Model
    H: int
    x0: Fraction
    f: str
    deltas: tuple[Fraction, ...]

    @cached_property
    def utility(self) -> Utility:
        """f."""
        return UTILITIES[self.f]

    def best(self, s: int, t: int, x: Fraction) -> Fraction:
        """V*_t(s, x), from the definition."""
        return self.recursion(s, t, x, ())

    def hat(self, s: int = 0) -> Fraction:
        """V̂_0(s, x0); nodes are the multiples of δ_t."""
        return self.recursion(s, 0, self.x0, self.deltas)

    def recursion(self, s: int, t: int, x: Fraction, deltas: tuple[Fraction, ...]) -> Fraction:
        """Backward induction; stocks at t = 1..H−1 interpolated where spacings are given."""
        known: dict[tuple[int, int, Fraction], Fraction] = {}

        def at(s: int, t: int, x: Fraction) -> Fraction:
            if t == self.H:
                return self.utility(x)
            if (s, t, x) not in known:
                g = self.M.gamma**t
                known[s, t, x] = max(
                    sum((p * read(u, t + 1, x + g * r) for p, u, r in o), ZERO) for o in self.M.outcomes[s]
                )
            return known[s, t, x]

        def read(s: int, t: int, x: Fraction) -> Fraction:
            if t == self.H or not deltas:
                return at(s, t, x)
            d = deltas[t - 1]
            j = math.floor(x / d)
            w = x / d - j
            if w == 0:
                return at(s, t, x)
            return (1 - w) * at(s, t, j * d) + w * at(s, t, (j + 1) * d)

        return at(s, t, x)

    @cached_property
    def error(self) -> Fraction:
        """max_s |V̂_0 − V*_0| at x0."""
        return max(abs(self.hat(s) - self.best(s, 0, self.x0)) for s in range(self.M.S))

    @cached_property
    def between(self) -> Fraction:
        """max_s |V̂_0 − V*_0| in the middle of a cell of width 1 beside x0, V̂_0 read by interpolation."""
        worst, x = ZERO, self.x0 + HALF
        for s in range(self.M.S):
            ends = [self.recursion(s, 0, x0, self.deltas) for x0 in (self.x0, self.x0 + 1)]
            worst = max(worst, abs((ends[0] + ends[1]) / 2 - self.best(s, 0, x)))
        return worst

    def bound(self, factor: Fraction = ONE, last: int | None = None) -> Fraction:
        """((1/2)√(Σ δ_t²))², over t = 1..last (H − 1 by default)."""
        return factor * sum((d * d for d in self.deltas[:last]), ZERO) / 4


LIPSCHITZ = ("−|x−1|", "clip", "|x|", "−|x|", "min(x,1)", "x₊")


def timed(read: Reader) -> Timed:
    """Horizons 2 and 3, every discount, spacings that are no multiples of the rewards."""
    M = model(read, S=2, gammas=(HALF, F(3, 4), ONE, F(4, 5)))
    H = 2 + read.below(2)
    spacings = (F(3, 10), HALF, F(7, 10), F(2), F(5, 3))
    deltas = tuple(read.pick(spacings) for _ in range(H - 1))
    return Timed(M, H, read.number(2), read.pick(LIPSCHITZ), deltas)


def middle(H: int = 2) -> Timed:
    """δ = 1, γ = 1: rewards δ/2, −δ/2, then nothing; f = −|x|."""
    return Timed(chain((HALF,), (-HALF,), *[(0,)] * (H - 2), gamma=ONE), H, ZERO, "−|x|", (ONE,) * (H - 1))


time_indexed_grid: Claim[Timed] = Claim(
    statement="|V̂_0 − V*_0| ≤ (L/2)√(Σ_{t=1}^{H−1} δ_t²) at nodes, Lδ_0/2 more between (squares compared)",
    source=PAPER.at("time-indexed stocks; derived"),
    let=decoded(timed, 80),
    assume=[
        Assumption(
            "f is 1-Lipschitz",
            lambda x: x.f in LIPSCHITZ,
            fails_without=Timed(chain((F(1, 4),), (F(-3, 8),), gamma=ONE), 2, ZERO, "1{x≥0}", (HALF,)),
        )
    ],
    then=Leq(lhs=lambda x: [x.error**2, max(x.between - HALF, ZERO) ** 2], rhs=lambda x: x.bound()),
    tight=Tight(middle(), within=0),
    mutants=[
        Mutant("H − 2 for H − 1", rhs=lambda x: x.bound(last=x.H - 2)),
        Mutant("δ/4 for δ/2", rhs=lambda x: x.bound(F(1, 4))),
        Mutant("nothing more between nodes", lhs=lambda x: x.between**2),
    ],
    expect=CERTIFIED,
)


# ---- the library's solver --------------------------------------------------------------------
def objective(name: str) -> Objective:
    """The library's objective of a 1-Lipschitz utility."""
    return objectives.expected_utility(UTILITIES[name], lipschitz=1, name=name)


@dataclass(frozen=True)
class Solved(Timed):
    """Let the library solve M from every stock in [−2, 2] with so many atoms."""

    atoms: int

    @cached_property
    def solution(self) -> StockSolution:
        """Representation 7, in doubles."""
        solver = StockDP(
            objective(self.f), atoms=self.atoms, representation="time", stocks=(-2, 2), progress=False
        )
        return solver.run(StockMDP(self.M.library, self.H))

    @cached_property
    def ends(self) -> tuple[list[Fraction], list[Fraction]]:
        """Lower and upper bounds at x0, state by state, as the rationals the doubles are."""
        boxes = [self.solution.enclosure(s, self.x0) for s in range(self.M.S)]
        return [F(b.lower) for b in boxes], [F(b.upper) for b in boxes]

    @cached_property
    def true(self) -> list[Fraction]:
        """V*_0(s, x0)."""
        return [self.best(s, 0, self.x0) for s in range(self.M.S)]

    @cached_property
    def value(self) -> list[Fraction]:
        """V̂_0(s, x0), the double as a rational."""
        return [F(float(self.solution.value(s, self.x0))) for s in range(self.M.S)]


def solved(read: Reader) -> Solved:
    """Stocks in [−2, 2]; 5 to 40 atoms."""
    x = timed(read)
    return Solved(x.M, x.H, x.x0, x.f, x.deltas, 5 + read.below(36))


time_indexed_grid_bounds: Claim[Solved] = Claim(
    statement="the bounds the solver reports at any stock contain V*",
    source=PAPER.at("time-indexed stocks; derived, rounding included"),
    let=decoded(solved, 80),
    assume=[],
    then=Leq(lhs=lambda x: x.ends[0] + x.true, rhs=lambda x: x.true + x.ends[1]),
    tight=Tight(Solved(family(3, 2, 2, 3, HALF), 3, ONE, "|x|", (), 4001), within=0.01),
    mutants=[
        Mutant("V̂ is a lower bound", then=Leq(lambda x: x.value, lambda x: x.true)),
        Mutant("V̂ is an upper bound", then=Leq(lambda x: x.true, lambda x: x.value)),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- tail ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Tail(Timed):
    """Let the horizon be infinite, γ < 1, and H the depth of the recursion, without a grid."""

    @cached_property
    def true(self) -> Fraction:
        """V*_0(0, x0): finite sums if M is layered, x0 + r/(1−γ) if it pays r for ever and f = x."""
        ((first, *_), *_) = self.M.outcomes
        if len(first) == 1 and first[0][1] == 0:
            return self.x0 + first[0][2] / (1 - self.M.gamma)
        return Timed(self.M, self.M.S, self.x0, self.f, ()).best(0, 0, self.x0)

    @cached_property
    def cut(self) -> Fraction:
        """The recursion ended by the middle of what is left."""
        r = self.M.rewards
        middle = self.M.gamma**self.H * (min(r) + max(r)) / (2 * (1 - self.M.gamma))
        f = self.utility

        def at(s: int, t: int, x: Fraction) -> Fraction:
            if t == self.H:
                return f(x + middle)
            g = self.M.gamma**t
            return max(sum((p * at(u, t + 1, x + g * y) for p, u, y in o), ZERO) for o in self.M.outcomes[s])

        return at(0, 0, self.x0)

    def bound(self, factor: Fraction = ONE, last: int | None = None) -> Fraction:
        """γ^H (r_max − r_min)/(2(1−γ))."""
        r = self.M.rewards
        return factor * self.M.gamma**self.H * (max(r) - min(r)) / (2 * (1 - self.M.gamma))


def tail(read: Reader) -> Tail:
    """Layered models, depth 1 to 3; every fourth time a sure reward for ever beside another."""
    gamma = read.pick((HALF, F(3, 4), F(4, 5)))
    H, x0 = 1 + read.below(3), read.number(2)
    if read.below(4) == 0:
        r = (read.number(2), read.number(2))
        return Tail(Model(tuple((((ONE, s, x),),) for s, x in enumerate(r)), gamma), H, x0, "x", ())
    return Tail(layered(read, S=4, A=2, gammas=(gamma,)), H, x0, read.pick(LIPSCHITZ), ())


EXTREMES = Model(((((ONE, 0, ONE),),), (((ONE, 1, F(-1)),),)), HALF)

time_indexed_grid_tail: Claim[Tail] = Claim(
    statement="stopping at H costs ≤ Lγ^H (r_max − r_min)/(2(1−γ))",
    source=PAPER.at("time-indexed stocks; derived"),
    let=decoded(tail, 80),
    assume=[
        Assumption(
            "f is 1-Lipschitz",
            lambda x: x.f in (*LIPSCHITZ, "x"),
            fails_without=Tail(chain((1,), (-1,), gamma=HALF), 1, F(5), "−x²", ()),
        )
    ],
    then=Leq(lhs=lambda x: abs(x.cut - x.true), rhs=lambda x: x.bound()),
    tight=Tight(Tail(EXTREMES, 3, ZERO, "x", ()), within=0),
    mutants=[
        Mutant("γ^(H+1) for γ^H", rhs=lambda x: x.bound(x.M.gamma)),
        Mutant("halved again", rhs=lambda x: x.bound(HALF)),
    ],
    expect=CERTIFIED,
)


# ---- the finite lattice ----------------------------------------------------------------------
@dataclass(frozen=True)
class Lattice(Timed):
    """Let rewards be integers, γ ∈ {1, 1/2}, and f any utility, jumps included."""

    @cached_property
    def solution(self) -> StockSolution:
        """Representation 2, in rationals."""
        f = objectives.expected_utility(self.utility, lipschitz=None, name=self.f)
        solver = StockDP(f, representation="lattice", exact=True, progress=False)
        return solver.run(StockMDP(self.M.library, self.H))

    @cached_property
    def read(self) -> list[Fraction]:
        """V at x0, state by state, and E f(x0 + G) under the law returned."""
        values = [self.solution.value(s, self.x0) for s in range(self.M.S)]
        laws = [self.solution.law(s, self.x0) for s in range(self.M.S)]
        return values + [sum((p * self.utility(self.x0 + x) for x, p in law), ZERO) for law in laws]

    def true(self, steps: int | None = None) -> list[Fraction]:
        """The optimum from the definition, twice."""
        H = self.H if steps is None else steps
        return 2 * [Timed(self.M, H, self.x0, self.f, ()).best(s, 0, self.x0) for s in range(self.M.S)]


def lattice(read: Reader) -> Lattice:
    """Horizons up to 4."""
    M = model(read, S=2, gammas=(ONE, ONE, HALF))
    f = read.pick(("x₋", "−|x|", "1{x≥0}", "−x²", "1{x≥1}", "x₊", "clip"))
    return Lattice(M, 1 + read.below(4), F(read.below(7) - 3), f, ())


integer_lattice_finite: Claim[Lattice] = Claim(
    statement="H ≤ 4, rational rewards: the lattice has the optimum and a law that attains it, for any f",
    source=PAPER.at("Representation 2; derived"),
    let=decoded(lattice, 80),
    assume=[],
    then=Eq(lhs=lambda x: x.read, rhs=lambda x: x.true()),
    tight=Tight(Lattice(family(3, 2, 2, 3, 1), 3, ONE, "−|x|", ()), within=0),
    mutants=[
        Mutant("one step less", rhs=lambda x: x.true(x.H - 1)),
    ],
    expect=CERTIFIED,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
