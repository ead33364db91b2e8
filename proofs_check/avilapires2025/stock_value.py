"""Optimal values as functions of the stock: V*(s, c) = sup E f(c + G) over laws of G that do not depend on c.

N(s) lists the return laws of all history-dependent policies from the definition; the library's backward
induction over (state, stock) never sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from rltheory.checks import CERTIFIED, PROVED, Assumption, Claim, Eq, Every, Leq, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.solvers.history_policies import history_laws, history_optimum
from rltheory.solvers.stock_exact import ExactStockSolution, StockInduction

from .definitions import HALF, ONE, UTILITIES, ZERO, Exact, F, Law, Utility, expect, push
from .setting import PAPER, Model, Reader, chain, decoded, family, model

EXTRA: dict[str, Utility] = {
    "x": lambda x: x,
    "|x−1|": lambda x: abs(x - 1),
    "max(x,1)": lambda x: max(x, ONE),
    "x²": lambda x: x * x,
}
CONVEX = ("x₊", "|x|", "|x−1|", "max(x,1)", "x²")
"""Convex utilities, none of them negative."""
CONCAVE = ("x₋", "min(x,1)")
"""Concave ones."""
SLOPE_ONE = ("x", "x₋", "x₊", "|x|", "−|x|", "clip", "min(x,1)", "−|x−1|", "|x−1|", "max(x,1)")
"""1-Lipschitz utilities."""
UTILITY = {
    name: objectives.expected_utility(f, name=name)
    for name, f in {**UTILITIES, **EXTRA}.items()
    if name not in ("−e^−x", "sign(x)√|x|")
}
"""The library's objectives of the rational utilities."""


@dataclass(frozen=True)
class Line(Exact):
    """Let M be a model, H ≤ 3 a horizon, f a utility by name, s0 a state, c < c2 two stocks."""

    M: Model
    H: int
    f: str
    s0: int
    c: Fraction
    c2: Fraction

    @cached_property
    def utility(self) -> Utility:
        """f."""
        return EXTRA[self.f] if self.f in EXTRA else UTILITIES[self.f]

    @property
    def middle(self) -> Fraction:
        """(c + c2)/2."""
        return (self.c + self.c2) / 2

    @property
    def stocks(self) -> tuple[Fraction, ...]:
        """The two stocks and the middle."""
        return (self.c, self.middle, self.c2)

    @cached_property
    def solution(self) -> ExactStockSolution:
        """Backward induction with E f(γ^t ·) at step t, by the library: any f, any γ."""
        return StockInduction(UTILITY[self.f], time_indexed=True).run(StockMDP(self.M.library, self.H))

    def V(self, c: Fraction) -> Fraction:
        """V*(s, c), by the library."""
        return F(self.solution.value(self.s0, c))

    @cached_property
    def listed(self) -> list[Fraction]:
        """The best of the library's own list of laws, at each stock."""
        laws = history_laws(self.M.library, self.H)[self.s0]
        f = objectives.expected_utility(self.utility)
        return [F(history_optimum(laws, f, c)[0]) for c in self.stocks]

    def worth(self, law: Law, c: Fraction) -> Fraction:
        """E f(c + G)."""
        return F(expect(push(law, c), self.utility))

    def best(self, c: Fraction) -> Fraction:
        """sup over N(s) of E f(c + G)."""
        return max(self.worth(law, c) for law in self.M.laws(self.s0, self.H))

    def kept(self, c: Fraction) -> Fraction:
        """E f(c + G) of the law that is best at the first stock."""
        return self.worth(max(self.M.laws(self.s0, self.H), key=lambda law: self.worth(law, self.c)), c)


def line(read: Reader, names: tuple[str, ...]) -> Line:
    """Small models; stocks at most 3 apart."""
    M = model(read, gammas=(ONE, HALF, F(3, 4)))
    c = read.number(2, 4)
    gap = F(1 + read.below(12), 4)
    return Line(M, read.pick((1, 2, 2, 3)), read.pick(names), read.below(M.S), c, c + gap)


SEEN = Line(family(3, 2, 2, 9, 1), 3, "−|x|", 0, F(-2), ONE)
BENT = Line(family(3, 2, 2, 7, 1), 3, "x₋", 0, F(-11, 4), F(-9, 4))
"""Second difference of step 1/4 at c = −5/2: 5/48."""
SURE = Line(chain((1,), (-2,), gamma=1), 2, "x₊", 0, F(2), F(3))

stock_independence: Claim[Line] = Claim(
    statement="V*(s,c) = sup over N(s) of E f(c + G), with the same laws N(s) for all c",
    source=PAPER.at("dynamics do not depend on the stock; derived"),
    let=decoded(lambda read: line(read, (*SLOPE_ONE, "−x²", "1{x≥0}", "x³")), 96),
    assume=[],
    then=Eq(
        lhs=lambda x: [*map(x.V, x.stocks), *x.listed],
        rhs=lambda x: [x.best(c) for c in x.stocks] * 2,
    ),
    tight=Tight(SEEN, within=0),
    mutants=[
        Mutant("one law is best at every stock", rhs=lambda x: [x.kept(c) for c in x.stocks] * 2),
        Mutant("V*(s,c) = c + V*(s,0)", rhs=lambda x: [c + x.best(ZERO) for c in x.stocks] * 2),
    ],
    expect=CERTIFIED,
    draws=60,
)

stock_independence_lipschitz: Claim[Line] = Claim(
    statement="f 1-Lipschitz: |V*(s,c) − V*(s,c')| ≤ |c − c'|",
    source=PAPER.at("dynamics do not depend on the stock; derived"),
    let=decoded(lambda read: line(read, (*SLOPE_ONE, *SLOPE_ONE, "x³", "−x²")), 96),
    assume=[
        Assumption("f 1-Lipschitz", lambda x: x.f in SLOPE_ONE, fails_without=replace(SURE, f="x³")),
    ],
    then=Leq(lhs=lambda x: abs(x.V(x.c2) - x.V(x.c)), rhs=lambda x: x.c2 - x.c),
    tight=Tight(SURE, within=0),
    mutants=[
        Mutant("half of |c − c'|", rhs=lambda x: (x.c2 - x.c) / 2),
        Mutant("any utility", drop="f 1-Lipschitz"),
        Mutant("γ^H|c − c'|", rhs=lambda x: (x.c2 - x.c) * x.M.gamma**x.H),
    ],
    expect=CERTIFIED,
    draws=60,
)


def bends(x: Line, *names: str) -> list[tuple[Fraction, Fraction]]:
    """(2V*(s, middle), V*(s, c) + V*(s, c2)) for each utility."""
    out = []
    for name in names:
        y = replace(x, f=name)
        out.append((2 * y.V(y.middle), y.V(y.c) + y.V(y.c2)))
    return out


CONCAVE_TOO: Leq[Line] = Leq(
    lambda x: [b for _, b in bends(x, *CONCAVE)], lambda x: [a for a, _ in bends(x, *CONCAVE)]
)
IS_CONVEX = "f convex"

stock_independence_convex: Claim[Line] = Claim(
    statement="f convex: V*(s, ·) is convex",
    source=PAPER.at("a supremum of convex functions; derived"),
    let=decoded(lambda read: line(read, (*CONVEX, *CONVEX, *CONVEX, "−|x|", "clip")), 96),
    assume=[
        Assumption(
            IS_CONVEX,
            lambda x: x.f in CONVEX,
            fails_without=Line(chain((1,), gamma=1), 1, "−|x|", 0, F(-3), ONE),
        ),
    ],
    then=Leq(lhs=lambda x: bends(x, x.f)[0][0], rhs=lambda x: bends(x, x.f)[0][1]),
    tight=Tight(SURE, within=0),
    named={"x₊ where the other is bent": replace(BENT, f="x₊")},
    mutants=[
        Mutant("concave in c if f is concave", then=CONCAVE_TOO),
        Mutant("any utility", drop=IS_CONVEX),
        Mutant(
            "linear in c if f is convex",
            then=Eq(lambda x: bends(x, x.f)[0][0], lambda x: bends(x, x.f)[0][1]),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

stock_independence_bend: Claim[Line] = Claim(
    statement="f = x₋, FM(3,2,2,7), H = 3: V* has second difference +5/48 of step 1/4 at c = −5/2",
    source=PAPER.at("no concavity; instance derived"),
    let=Every("the printed instance", 1, [BENT]),
    assume=[],
    then=Eq(
        lambda x: [
            x.V(x.c) + x.V(x.c2) - 2 * x.V(x.middle),
            x.best(x.c) + x.best(x.c2) - 2 * x.best(x.middle),
        ],
        lambda x: F(5, 48),
    ),
    tight=Tight(BENT, within=0),
    mutants=[Mutant("concave there", then=CONCAVE_TOO)],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
