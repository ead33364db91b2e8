"""Stocks on a grid, infinite horizon, f = a₋x₋ + a₊x₊: interpolation against the exact optimum.

V̂ solves V(s,c) = max_a γ Σ p I[V(s',·)]((c+r)/γ) on nodes of spacing δ, I linear interpolation; beyond
−r_max/(1−γ) and −r_min/(1−γ) values are those of the risk-neutral problem.  L = max(|a₋|, |a₊|).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, Assumption, Claim, Eq, Leq, Mutant, NotShown, Tight, run_module
from rltheory.solvers._stock_model import Problem
from rltheory.solvers._stock_rational import FarField, RationalStock
from rltheory.solvers.stock_lattice import rational_grid, stationary_lattice

from .definitions import HALF, ONE, ZERO, Exact, F, Outcomes
from .setting import PAPER, Model, Reader, chain, decoded, family, layered, model

Split = Callable[[Fraction], list[tuple[Fraction, Fraction]]]


@dataclass(frozen=True)
class Stocks(Exact):
    """Let M be a model with γ < 1, f have slopes (down, up), and the nodes split [−reach, reach] in cells."""

    M: Model
    down: Fraction
    up: Fraction
    reach: Fraction
    cells: int

    @cached_property
    def problem(self) -> Problem:
        """The library's form of M."""
        return Problem.of(self.M.library, None)

    @cached_property
    def far(self) -> FarField:
        """What holds outside the window."""
        return FarField.of(self.problem, (self.up, self.down), (-self.reach, self.reach))

    @cached_property
    def delta(self) -> Fraction:
        """δ."""
        return 2 * self.reach / self.cells

    @cached_property
    def nodes(self) -> list[Fraction]:
        """Inner nodes."""
        return [-self.reach + j * self.delta for j in range(1, self.cells)]

    @cached_property
    def L(self) -> Fraction:
        """Lipschitz constant of f."""
        return max(abs(self.down), abs(self.up))

    @cached_property
    def span(self) -> Fraction:
        """max|r|/(1−γ)."""
        return max(abs(r) for r in self.M.rewards) / (1 - self.M.gamma)

    def f(self, x: Fraction) -> Fraction:
        """a₋x₋ + a₊x₊."""
        return self.up * x if x >= 0 else self.down * x

    # ---- the optimum ---------------------------------------------------------------------
    @cached_property
    def is_layered(self) -> bool:
        """Every state but the last moves on; the last is absorbing."""
        last = self.M.S - 1
        return self.M.outcomes[last] == (((ONE, last, ZERO),),) and all(
            t > s for s in range(last) for o in self.M.outcomes[s] for _, t, _ in o
        )

    def optimum(self, s: int, c: Fraction) -> Fraction:
        """V*(s, c): by definition where returns are finite sums, else by the exact lattice (1/γ ∈ N)."""
        if not self.is_layered:
            return self.lattice.value(s, c)
        return self.finite(s, c, self.M.S)

    def finite(self, s: int, c: Fraction, steps: int) -> Fraction:
        """max E f(c + G) over `steps` steps, from the definition."""
        g = self.M.gamma

        def at(s: int, x: Fraction, power: Fraction, left: int) -> Fraction:
            if left == 0 or (self.is_layered and s == self.M.S - 1):
                return self.f(x)
            return max(
                sum((p * at(t, x + power * r, power * g, left - 1) for p, t, r in o), ZERO)
                for o in self.M.outcomes[s]
            )

        return at(s, c, ONE, steps)

    @cached_property
    def lattice(self) -> RationalStock:
        """Representation 3, by the library."""
        return stationary_lattice(self.problem, (self.up, self.down)).exact

    @cached_property
    def best(self) -> list[Fraction]:
        """V* at the inner nodes, state by state."""
        return [self.optimum(s, c) for s in range(self.M.S) for c in self.nodes]

    # ---- the grid ------------------------------------------------------------------------
    @cached_property
    def grid(self) -> RationalStock:
        """Representation 4 in rationals, by the library."""
        window = (-self.reach, self.reach)
        return rational_grid(self.problem, (self.up, self.down), cells=self.cells, window=window).exact

    def table(self, exact: RationalStock) -> list[Fraction]:
        """Values at the inner nodes, state by state."""
        return [exact.value(s, c) for s in range(self.M.S) for c in self.nodes]

    @cached_property
    def hat(self) -> list[Fraction]:
        """V̂ at the inner nodes."""
        return self.table(self.grid)

    @cached_property
    def error(self) -> Fraction:
        """max |V̂ − V*| at the nodes."""
        return max(abs(a - b) for a, b in zip(self.hat, self.best, strict=True))

    @cached_property
    def between(self) -> Fraction:
        """max |V̂ − V*| at the middles of cells, V̂ read by interpolation."""
        worst = ZERO
        for s in range(self.M.S):
            for a, b in zip(self.nodes, self.nodes[1:], strict=False):
                read = (self.grid.value(s, a) + self.grid.value(s, b)) / 2
                worst = max(worst, abs(read - self.optimum(s, (a + b) / 2)))
        return worst

    def bound(self, factor: Fraction = ONE) -> Fraction:
        """((Lδ/2)·γ/√(1−γ²))², times a factor."""
        g = self.M.gamma
        return factor * (self.L * self.delta / 2 * g) ** 2 / (1 - g * g)

    # ---- false versions ------------------------------------------------------------------
    def nearest(self) -> list[Fraction]:
        """Stocks rounded to the nearest node."""

        def split(c: Fraction) -> list[tuple[Fraction, Fraction]]:
            j = math.floor((c + self.reach) / self.delta + HALF)
            return [(-self.reach + j * self.delta, ONE)]

        return self.table(RationalStock(self.problem, self.far, split))

    def short(self) -> list[Fraction]:
        """The lattice with far-field values from |c| ≥ max|r| on, which is not absorbing."""
        r = self.span * (1 - self.M.gamma)
        far = replace(self.far, lo=-r, hi=r)
        return self.table(RationalStock(self.problem, far))

    def coarse(self) -> list[Fraction]:
        """A grid of three cells, read by interpolation."""
        exact = rational_grid(
            self.problem, (self.up, self.down), cells=3, window=(-self.reach, self.reach)
        ).exact
        wide = 2 * self.reach / 3
        out = []
        for s in range(self.M.S):
            for c in self.nodes:
                j, w = divmod(c + self.reach, wide)
                a = -self.reach + int(j) * wide
                out.append((1 - w / wide) * exact.value(s, a) + w / wide * exact.value(s, a + wide))
        return out

    @cached_property
    def clamped(self) -> list[Fraction]:
        """Stocks clamped to the window: no node has a known value, V ← γ max Σ p V tends to 0."""
        return [ZERO] * len(self.best)

    def off(self, values: list[Fraction]) -> Fraction:
        """max |V − V*| at the nodes, squared."""
        return max(abs(a - b) for a, b in zip(values, self.best, strict=True)) ** 2


GAMMAS = (HALF, F(1, 3), F(3, 4), F(4, 5))


def slopes(read: Reader) -> tuple[Fraction, Fraction]:
    """(down, up), often those of −|x|."""
    return read.pick(((ONE, -ONE), (ONE, ZERO), (ZERO, ONE), (-ONE, ONE), (F(2), ONE), (ONE, F(2))))


def stocks(read: Reader) -> Stocks:
    """Layered models; windows that cover, with 3 to 8 cells."""
    M = layered(read, S=3, A=2, gammas=GAMMAS, denominator=4, most=1)
    down, up = slopes(read)
    reach = max(abs(r) for r in M.rewards) / (1 - M.gamma) or ONE
    return Stocks(M, down, up, reach + read.pick((ZERO, HALF)), 3 + read.below(6))


def two_steps(gamma: Fraction) -> Stocks:
    """r = γδ/2 takes the stock to the middle of a cell, r = −δ/2 back: δ = 1, f = −|x|."""
    return Stocks(chain((gamma / 2,), (-HALF,), gamma=gamma), ONE, -ONE, F(4), 8)


def drift() -> Stocks:
    """A reward just below γδ/2 for ever, and an unreachable larger one: nearest-node rounding never moves."""
    rows: tuple[tuple[Outcomes, ...], ...] = (
        (((ONE, 0, F(249, 1000)),),),
        (((ONE, 1, F(2)),),),
    )
    return Stocks(Model(rows, HALF), ONE, -ONE, F(4), 8)


COVERS = Assumption[Stocks](
    "the window covers max|r|/(1−γ)",
    lambda x: x.span <= x.reach,
    fails_without=NotShown("outside it c + G may change sign; the library refuses such a window"),
)
WHOLE = Assumption[Stocks](
    "1/γ is an integer",
    lambda x: (1 / x.M.gamma).denominator == 1,
    fails_without=NotShown("stocks leave every lattice, and the library refuses"),
)
LATE = Stocks(family(3, 2, 2, 1, HALF), ONE, ZERO, F(4), 6)
FAR = Stocks(family(3, 2, 2, 3, HALF), ONE, -ONE, F(4), 16)

stock_grid_error: Claim[Stocks] = Claim(
    statement="|V̂ − V*| ≤ (Lδ/2)·γ/√(1−γ²) at nodes, Lδ/2 more between them (squares compared)",
    source=PAPER.at("interpolated stocks; derived"),
    let=decoded(stocks, 80),
    assume=[COVERS],
    then=Leq(
        lhs=lambda x: [x.error**2, max(x.between - x.L * x.delta / 2, ZERO) ** 2],
        rhs=lambda x: x.bound(),
    ),
    tight=Tight(two_steps(F(1, 10)), within=0.011),
    named={"two steps, γ = 1/2": two_steps(HALF), "drift": drift(), "FM(3,2,2,1)": LATE, "FM(3,2,2,3)": FAR},
    mutants=[
        Mutant(
            "stocks rounded to the nearest node",
            then=Leq(lambda x: x.off(x.nearest()), lambda x: x.bound()),
        ),
        Mutant("δ/4 for δ/2", rhs=lambda x: x.bound(F(1, 4))),
        Mutant(
            "no far field: stocks clamped",
            then=Leq(lambda x: x.off(x.clamped), lambda x: x.bound()),
        ),
        Mutant(
            "V̂ ≤ V* for concave f",
            then=Leq(lambda x: x.hat if x.up <= x.down else x.best, lambda x: x.best),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


def convex(read: Reader) -> Stocks:
    """a₋ ≤ a₊."""
    x = stocks(read)
    return replace(x, down=min(x.down, x.up), up=max(x.down, x.up))


stock_grid_error_convex: Claim[Stocks] = Claim(
    statement="convex f: V̂ ≥ V*",
    source=PAPER.at("interpolated stocks; derived"),
    let=decoded(convex, 80),
    assume=[COVERS, Assumption("a₋ ≤ a₊", lambda x: x.down <= x.up, fails_without=two_steps(HALF))],
    then=Leq(lhs=lambda x: x.best, rhs=lambda x: x.hat),
    tight=Tight(replace(two_steps(HALF), down=ZERO, up=ONE), within=0),
    mutants=[Mutant("V̂ = V*", then=Leq(lambda x: x.hat, lambda x: x.best))],
    expect=CERTIFIED,
    draws=60,
)


# ---- the lattice -----------------------------------------------------------------------------
def whole(read: Reader) -> Stocks:
    """Layered models with integer rewards and 1/γ an integer."""
    M = layered(read, S=3, A=2, gammas=(HALF, F(1, 3), F(1, 4)), denominator=1)
    down, up = slopes(read)
    reach = F(math.ceil(max(abs(r) for r in M.rewards) / (1 - M.gamma))) or ONE
    return Stocks(M, down, up, reach, int(2 * reach) * (1 + read.below(2)))


def cyclic(read: Reader) -> Stocks:
    """Any model with integer rewards and γ = 1/2, 1/3."""
    M = model(read, S=3, A=2, gammas=(HALF, F(1, 3)))
    down, up = slopes(read)
    reach = F(math.ceil(max(abs(r) for r in M.rewards) / (1 - M.gamma))) or ONE
    return Stocks(M, down, up, reach, int(2 * reach))


SMALL = Stocks(chain((1, -1), (2, -1), gamma=HALF), ONE, -ONE, F(4), 8)

integer_lattice: Claim[Stocks] = Claim(
    statement="1/γ ∈ N, r ∈ Z: the lattice, and the grid of spacing 1 or 1/2, have the exact V*",
    source=PAPER.at("Representation 3; derived"),
    let=decoded(whole, 80),
    assume=[
        COVERS,
        WHOLE,
        Assumption(
            "rewards are integers",
            lambda x: all(r.denominator == 1 for r in x.M.rewards),
            fails_without=two_steps(HALF),
        ),
    ],
    then=Eq(lhs=lambda x: x.table(x.lattice) + x.hat, rhs=lambda x: x.best + x.best),
    tight=Tight(SMALL, within=0),
    mutants=[
        Mutant("the window is max|r|", lhs=lambda x: x.short() + x.hat),
        Mutant("any spacing", lhs=lambda x: x.table(x.lattice) + x.coarse()),
    ],
    expect=CERTIFIED,
    draws=60,
)

integer_lattice_depth: Claim[Stocks] = Claim(
    statement="|V_n − V*| ≤ Lγ^n max|G| for the depth-n recursion from V_0 = f(c)",
    source=PAPER.at("Representation 3, independent check; derived"),
    let=decoded(cyclic, 80),
    assume=[WHOLE],
    then=Leq(
        lhs=lambda x: [abs(x.finite(0, ZERO, n) - x.lattice.value(0, ZERO)) for n in (1, 3, 4)],
        rhs=lambda x: [x.L * x.M.gamma**n * x.span for n in (1, 3, 4)],
    ),
    tight=Tight(Stocks(Model(((((ONE, 0, ONE),),),), HALF), ONE, ONE, F(2), 4), within=0),
    mutants=[
        Mutant("γ^(n+1) for γ^n", rhs=lambda x: [x.L * x.M.gamma ** (n + 1) * x.span for n in (1, 3, 4)]),
        Mutant(
            "max|r| for max|G|",
            rhs=lambda x: [x.L * x.M.gamma**n * x.span * (1 - x.M.gamma) for n in (1, 3, 4)],
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
