"""The eluder dimension of finite classes, exactly, and the count of rounds with wide confidence sets."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

from flint import arb

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Loose, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.operators import eluder_dimension

from .setting import HALF, PAPER, UnitReader, Vector, decoded, enclosed

RUSSO = "Russo and Van Roy 2013"


@dataclass(frozen=True)
class Class:
    """Let F be a finite class on a few points and ε ≤ ε' two levels."""

    functions: tuple[Vector, ...]
    eps: F
    more: F

    @property
    def X(self) -> int:
        """Points."""
        return len(self.functions[0])

    @property
    def size(self) -> int:
        """|F|, equal functions once."""
        return len(set(self.functions))

    @cached_property
    def dim(self) -> int:
        """dim_E(F, ε), by the library."""
        return eluder_dimension(self.functions, self.eps)

    @cached_property
    def later(self) -> int:
        """dim_E(F, ε')."""
        return eluder_dimension(self.functions, self.more)

    @cached_property
    def smaller(self) -> int:
        """dim_E of F without its last function."""
        return eluder_dimension(self.functions[:-1], self.eps) if len(self.functions) > 1 else 0

    @cached_property
    def widest(self) -> F:
        """max |f − f'|."""
        return max(
            (
                abs(a - b)
                for f, g in itertools.combinations(self.functions, 2)
                for a, b in zip(f, g, strict=True)
            ),
            default=F(0),
        )

    @cached_property
    def by_sequences(self) -> int:
        """The dimension from its definition: every order of every set of points at every ε'."""
        pairs = [
            [(a - b) ** 2 for a, b in zip(f, g, strict=True)]
            for f, g in itertools.combinations(self.functions, 2)
        ]
        sets = [S for n in range(1, self.X + 1) for S in itertools.combinations(range(self.X), n)]
        levels = {sum((row[i] for i in S), F(0)) for S in sets for row in pairs} | {self.eps**2}
        best = 0
        for level in sorted(v for v in levels if v >= self.eps**2):
            for n in range(best + 1, self.X + 1):
                if not any(
                    self._chain(order, pairs, level) for order in itertools.permutations(range(self.X), n)
                ):
                    break
                best = n
        return best

    @staticmethod
    def _chain(order: tuple[int, ...], pairs: list[list[F]], level: F) -> bool:
        return all(
            any(sum((row[i] for i in order[:j]), F(0)) <= level < row[x] for row in pairs)
            for j, x in enumerate(order)
        )


PAGE = Class(((F(0),) * 3, (F(3, 2), F(3, 5), F(0)), (F(3, 4), F(6, 5), F(11, 10))), HALF, F(13, 10))
"""Three functions, dimension 3."""


def a_class(read: UnitReader) -> Class:
    """Up to five functions on up to four points; or three functions near the page's."""
    if read.below(6) == 1:
        rows = tuple(tuple(v + F(2 - read.below(5), 40) for v in f) for f in PAGE.functions)
        return Class(rows, F(read.below(4), 8), F(1))
    n, X = 1 + read.below(5), 1 + read.below(4)
    eps = F(read.below(5), 4)
    rows = tuple(tuple(F(read.below(6), 4) for _ in range(X)) for _ in range(n))
    return Class(rows, eps, eps + F(read.below(4), 4))


def indicators(n: int, eps: F = HALF) -> Class:
    """{0, e_1, …, e_n}."""
    rows = [(F(0),) * n, *(tuple(F(int(i == j)) for i in range(n)) for j in range(n))]
    return Class(tuple(rows), eps, F(1))


eluder_basic: Claim[Class] = Claim(
    statement="dim_E falls with ε, grows with F, is at most |X| and |F|(|F|−1)/2, and 0 iff ε ≥ max|f − f'|",
    source=PAPER.at("derived; the common ε' matters"),
    let=decoded(a_class, 32),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.later, x.smaller, x.dim, x.dim, x.dim, int(x.widest > x.eps)],
        rhs=lambda x: [x.dim, x.dim, x.X, x.size * (x.size - 1) // 2, x.X * int(x.widest > x.eps), x.dim],
    ),
    tight=Tight([indicators(4), PAGE], within=0),
    named={"at ε = 1": indicators(4, F(1))},
    mutants=[
        Mutant("≤ |F| − 1", then=Leq(lambda x: x.dim, lambda x: x.size - 1)),
        Mutant("≤ |X| − 1", then=Leq(lambda x: x.dim, lambda x: x.X - 1)),
        Mutant("one ε for all: grows with ε", then=Leq(lambda x: x.dim, lambda x: x.later)),
    ],
    expect=CERTIFIED,
)

eluder_basic_exact: Claim[Class] = Claim(
    statement="dim_E by a search over sets of predecessors = by every order of every set at every ε'",
    source=PAPER.at(f"definition of {RUSSO}"),
    let=decoded(a_class, 32),
    assume=[],
    then=Eq(lhs=lambda x: x.dim, rhs=lambda x: x.by_sequences),
    tight=Tight([indicators(4), PAGE], within=0),
    mutants=[
        Mutant("|X| always", rhs=lambda x: x.X),
        Mutant("ε' = ε only", rhs=lambda x: only_eps(x)),
    ],
    expect=CERTIFIED,
    draws=60,
)


def only_eps(x: Class) -> int:
    """Longest sequence at ε' = ε itself."""
    pairs = [
        [(a - b) ** 2 for a, b in zip(f, g, strict=True)] for f, g in itertools.combinations(x.functions, 2)
    ]
    return max(
        n
        for n in range(x.X + 1)
        if any(x._chain(order, pairs, x.eps**2) for order in itertools.permutations(range(x.X), n))
    )


# ---- linear classes --------------------------------------------------------------------------
@dataclass(frozen=True)
class Linear:
    """Let F be w·x, w ∈ {−1, 0, 1}^d, on points of norm at most 1, two of them along the axes."""

    points: tuple[Vector, ...]
    eps: F
    axes: bool

    @property
    def d(self) -> int:
        """Dimension."""
        return len(self.points[0])

    @cached_property
    def dim(self) -> int:
        """dim_E, by the library."""
        rows = [
            tuple(sum((a * b for a, b in zip(w, p, strict=True)), F(0)) for p in self.points)
            for w in itertools.product((-1, 0, 1), repeat=self.d)
        ]
        return eluder_dimension(rows, self.eps)

    @cached_property
    def bound(self) -> rl.Enclosure:
        """3d(e/(e−1))ln(3 + 3(2S/ε)²) + 1 with S² = d."""

        def value() -> arb:
            e = arb(1).exp()
            return 3 * self.d * e / (e - 1) * ball.to_arb(3 + 12 * self.d / self.eps**2).log() + 1

        return enclosed(value)


def linear(read: UnitReader) -> Linear:
    """Points in the plane: multiples of the axes first, then anywhere in the disc."""
    axes = bool(read.below(2))
    points: list[Vector] = []
    if axes:
        points = [(F(1 + read.below(8), 8), F(0)), (F(0), F(1 + read.below(8), 8))]
    while len(points) < 4 + read.below(2):
        p = (F(5 - read.below(11), 10), F(8 - read.below(17), 10))
        points.append(p if p[0] ** 2 + p[1] ** 2 <= 1 else (p[0] / 2, p[1] / 2))
    return Linear(tuple(points), F(1, (10, 16, 100, 1000)[read.below(4)]), axes)


FOUR = Linear(
    ((F(-1, 5), F(-3, 5)), (-HALF, F(3, 5)), (F(7, 10), F(1, 10)), (F(-4, 5), -HALF)), F(1, 10), False
)
"""Four points in the plane, dimension 4."""

eluder_linear: Claim[Linear] = Claim(
    statement="w·x, ‖w‖ ≤ S, ‖x‖ ≤ 1: dim_E ≤ 3d(e/(e−1))ln(3 + 3(2S/ε)²) + 1; ≥ d for small ε",
    source=PAPER.at(f"{RUSSO}, Proposition 6, for finite grids (lower bounds of the left side)"),
    let=decoded(linear, 32),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.dim, x.d if x.axes else 0],
        rhs=lambda x: [x.bound, x.dim],
    ),
    tight=Loose(0.4, "grids of nine heads on five points against a bound above 60"),
    named={"four": FOUR, "ε = 0.001": Linear(FOUR.points, F(1, 1000), False)},
    mutants=[Mutant("≤ d", then=Leq(lambda x: x.dim, lambda x: x.d))],
    expect=CERTIFIED,
)


# ---- wide rounds -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Rounds:
    """Let F be a finite class, x_1..x_T points, f̂_1..f̂_T centres; F_t = {f : Σ_{s<t}(f − f̂_t)²(x_s) ≤ β}."""

    functions: tuple[Vector, ...]
    points: tuple[int, ...]
    centres: tuple[Vector, ...]
    beta: F
    eps: F

    @cached_property
    def wide(self) -> int:
        """#{t : max_{f, f' ∈ F_t} |f − f'|(x_t) > ε}."""
        count = 0
        for t, x in enumerate(self.points):
            c = self.centres[t % len(self.centres)]
            kept = [
                f[x]
                for f in self.functions
                if sum(((f[s] - c[s]) ** 2 for s in self.points[:t]), F(0)) <= self.beta
            ]
            count += int(bool(kept) and max(kept) - min(kept) > self.eps)
        return count

    @cached_property
    def dim(self) -> int:
        """dim_E(F, ε), by the library."""
        return eluder_dimension(self.functions, self.eps)

    def bound(self, c: F, one: int = 1) -> F:
        """(cβ/ε² + one)·dim."""
        return (c * self.beta / self.eps**2 + one) * self.dim


def rounds(read: UnitReader) -> Rounds:
    """Random classes, points and centres (in F or not); or two functions at one point, the centre between."""
    if read.below(8) == 1:
        beta = F(1 + read.below(6))
        return Rounds(((F(0),), (F(1),)), (0,) * (4 * int(beta) + 4), ((HALF,),), beta, F(999, 1000))
    n, X, T = 2 + read.below(4), 1 + read.below(3), 2 + read.below(20)
    rows = tuple(tuple(F(read.below(6), 4) for _ in range(X)) for _ in range(n))
    centres = tuple(
        rows[read.below(n)] if read.below(2) else tuple(F(read.below(6), 4) for _ in range(X))
        for _ in range(1 + read.below(3))
    )
    if read.below(3) == 0:
        centres = (tuple((a + b) / 2 for a, b in zip(rows[0], rows[-1], strict=True)),)
    points = tuple(read.below(X) for _ in range(T))
    return Rounds(rows, points, centres, F(read.below(9), 4), F(1 + read.below(6), 8))


MIDDLE = Rounds(((F(0),), (F(1),)), (0,) * 30, ((HALF,),), F(5), F(999, 1000))
"""F = {0, 1} on one point, centre ½: 21 wide rounds, the bound is 21.04."""
NOTHING = Rounds(((F(0),), (F(1),)), (0,) * 3, ((F(0),),), F(0), HALF)

width_count: Claim[Rounds] = Claim(
    statement="#{t : width_t(x_t) > ε} ≤ (4β/ε² + 1)·dim_E(F, ε), any centres, any points",
    source=PAPER.at(f"after {RUSSO}, Proposition 3; recalled, checked here"),
    let=decoded(rounds, 96),
    assume=[],
    then=Leq(lhs=lambda x: x.wide, rhs=lambda x: x.bound(F(4))),
    tight=Tight([MIDDLE, NOTHING], within=0.01),
    mutants=[
        Mutant("3.9 for 4", rhs=lambda x: x.bound(F(39, 10))),
        Mutant("without + 1", rhs=lambda x: x.bound(F(4), 0)),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
