"""The experiments in numbers: the gambler's chain, targets on it, homeostasis with two stocks.

Too long for a list of all histories: beside the library a recursion over (state, stock) written out from the
definition, and the numbers printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations_with_replacement, product
from typing import Any

import rltheory as rl
from rltheory.checks import PROVED, Claim, Eq, Every, Mutant, Tight, run_module
from rltheory.models.stock import StockMDP
from rltheory.operators import objectives
from rltheory.solvers.stock import StockDP
from rltheory.solvers.stock_baselines import StockBlind
from rltheory.solvers.stock_exact import StockInduction

from .definitions import HALF, ONE, ZERO, Exact, F, Law, dirac, expect, mix, push
from .risk import tail
from .setting import PAPER, Model
from .vector import NORMS, Norm, Pair, VectorModel, size, vector_family

CHAIN = Model(
    (
        (
            ((ONE, 0, ZERO),),
            ((HALF, 0, F(2)), (HALF, 0, -ONE)),
            ((F(1, 4), 0, F(6)), (F(3, 4), 0, -ONE)),
        ),
    ),
    ONE,
)
"""One state: nothing; +2 or −1 fairly; +6 with probability 1/4, else −1."""
ROUNDS = 6
AUGMENTED = StockMDP(CHAIN.library, ROUNDS)


def recursion(f: Callable[[Fraction], Fraction], c: Fraction) -> Fraction:
    """V_t(c) = max_a Σ p V_{t+1}(c + r), V_6 = f: the stock is all there is to know."""
    known: dict[tuple[int, Fraction], Fraction] = {}

    def V(t: int, c: Fraction) -> Fraction:
        if t == ROUNDS:
            return F(f(c))
        if (t, c) not in known:
            known[t, c] = max(sum((p * V(t + 1, c + r) for p, _, r in o), ZERO) for o in CHAIN.outcomes[0])
        return known[t, c]

    return V(0, c)


def _blind_laws() -> list[Law]:
    """Laws of all fixed sequences of actions; their order does not matter."""
    found = []
    for actions in combinations_with_replacement(CHAIN.outcomes[0], ROUNDS):
        law = dirac(0)
        for outcomes in actions:
            law = mix((p, push(law, r)) for p, _, r in outcomes)
        found.append(law)
    return found


BLIND = _blind_laws()
"""Laws of the open-loop policies of the chain."""


# ---- CVaR on the chain -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Gamble(Exact):
    """Let the best CVaR_τ with the stock, and of nested greedy, be as printed; the chain, H = 6."""

    tau: Fraction
    static: Fraction
    nested: Fraction

    def found(self) -> list[Fraction]:
        """The library: optimum, what its law attains, nested greedy."""
        K = objectives.cvar(self.tau)
        sol = StockDP(K, progress=False).run(AUGMENTED)
        law = StockBlind(K, seen="zero").run(AUGMENTED).law(0)
        assert isinstance(law, rl.ReturnLaw)
        return [F(sol.value(0)), tail(dict(sol.law(0)), self.tau), tail(dict(law), self.tau)]

    @cached_property
    def searched(self) -> Fraction:
        """max over b = −6, …, 36 of b + V(−b)/τ, by the recursion."""
        levels = [F(b) for b in range(-ROUNDS, 6 * ROUNDS + 1)]
        return max(b + recursion(lambda x: min(x, ZERO), -b) / self.tau for b in levels)

    @cached_property
    def open_loop(self) -> Fraction:
        """The best fixed sequence of actions."""
        return max(tail(law, self.tau) for law in BLIND)


GAMBLES = (
    Gamble(F(1, 4), ZERO, ZERO),
    Gamble(HALF, F(73, 128), ZERO),
    Gamble(F(3, 4), F(963, 512), ZERO),
    Gamble(F(9, 10), F(58049, 18432), F(445, 192)),
    Gamble(ONE, F(9, 2), F(9, 2)),
)

cvar_gambler: Claim[Gamble] = Claim(
    statement="the gambler's chain, H = 6: best CVaR_τ with the stock, and of nested greedy, five levels τ",
    source=PAPER.at("experiment 1; derived"),
    let=Every("five levels", len(GAMBLES), GAMBLES),
    assume=[],
    then=Eq(lambda x: [*x.found(), x.searched], lambda x: [x.static, x.static, x.nested, x.static]),
    tight=Tight(list(GAMBLES[1:]), within=0),
    mutants=[
        Mutant("nested greedy is optimal", then=Eq(lambda x: x.found()[2], lambda x: x.static)),
        Mutant("a fixed sequence does as well", then=Eq(lambda x: x.open_loop, lambda x: x.static)),
    ],
    expect=PROVED,
)


@dataclass(frozen=True)
class Reach(Exact):
    """Let the best −E|G − g| with the stock, and of fixed sequences, be as printed; the chain, H = 6."""

    g: Fraction
    value: Fraction
    open_loop: Fraction

    def found(self) -> list[Fraction]:
        """The library, the recursion, the best fixed sequence."""
        sol = StockDP(objectives.target(), progress=False).run(AUGMENTED)
        blind = max(-F(expect(law, lambda x: abs(x - self.g))) for law in BLIND)
        return [F(sol.value(0, -self.g)), recursion(lambda x: -abs(x), -self.g), blind]


REACH = (
    Reach(F(-3), F(-3), F(-3)),
    Reach(ZERO, ZERO, ZERO),
    Reach(ONE, F(-121, 128), F(-1)),
    Reach(F(2), F(-211, 256), F(-3, 2)),
    Reach(F(3), F(-785, 512), F(-9, 4)),
    Reach(F(5), F(-1321, 512), F(-27, 8)),
    Reach(F(8), F(-9519, 2048), F(-85, 16)),
)

target_gambler: Claim[Reach] = Claim(
    statement="the gambler's chain, H = 6: best −E|G − g| with the stock and by fixed sequences, seven g",
    source=PAPER.at("experiment 2; derived"),
    let=Every("seven targets", len(REACH), REACH),
    assume=[],
    then=Eq(lambda x: x.found(), lambda x: [x.value, x.value, x.open_loop]),
    tight=Tight(list(REACH[2:]), within=0),
    mutants=[
        Mutant("a fixed sequence does as well", rhs=lambda x: [x.value] * 3),
        Mutant("below 0 as above", rhs=lambda x: [-abs(x.g), -abs(x.g), x.open_loop]),
    ],
    expect=PROVED,
)


# ---- homeostasis -------------------------------------------------------------------------------------
def _drained(gamma: Fraction) -> VectorModel:
    drains = ((F(1, 4), -ONE, ZERO), (F(1, 4), ZERO, -ONE), (HALF, -ONE, -ONE))
    gains = ((F(2), ZERO), (ZERO, F(2)), (ZERO, ZERO))
    return VectorModel((tuple(tuple((p, 0, (x + u, y + v)) for p, u, v in drains) for x, y in gains),), gamma)


@dataclass(frozen=True)
class Balance(Exact):
    """Let the best −E‖c + G‖ be as printed; open loop where H steps are few."""

    M: VectorModel
    H: int
    c: tuple[Fraction, Fraction]
    norm: Norm
    value: Fraction
    s0: int = 0

    @cached_property
    def library(self) -> Fraction:
        """Backward induction by the library."""
        sol = StockInduction(objectives.homeostasis(self.norm)).run(StockMDP(self.M.library, self.H))
        return F(sol.value(self.s0, self.c))

    @cached_property
    def recursion(self) -> Fraction:
        """V_t(s, x) = max_a Σ p V_{t+1}(s', x + γ^t r), V_H = −‖·‖."""
        known: dict[Any, Fraction] = {}
        g = self.M.gamma

        def V(t: int, s: int, x: Pair) -> Fraction:
            if t == self.H:
                return -F(size(x, self.norm))
            if (t, s, x) not in known:
                w = g**t
                known[t, s, x] = max(
                    sum((p * V(t + 1, u, (x[0] + w * r[0], x[1] + w * r[1])) for p, u, r in o), ZERO)
                    for o in self.M.outcomes[s]
                )
            return known[t, s, x]

        return V(0, self.s0, self.c)

    @cached_property
    def open_loop(self) -> Fraction:
        """The best fixed sequence of actions, one state, γ = 1: their order does not matter."""
        best = []
        for actions in combinations_with_replacement(self.M.outcomes[0], self.H):
            law = {self.c: ONE}
            for outcomes in actions:
                ahead: dict[Pair, Fraction] = {}
                for ((x, y), q), (p, _, (u, v)) in product(law.items(), outcomes):
                    ahead[x + u, y + v] = ahead.get((x + u, y + v), ZERO) + p * q
                law = ahead
            best.append(-sum((F(size(x, self.norm)) * p for x, p in law.items()), ZERO))
        return max(best)


DRAINED, HALVED = _drained(ONE), _drained(HALF)
C0, C1, C2 = (ZERO, ZERO), (F(3), F(-2)), (F(-4), ONE)
BALANCE = (
    Balance(vector_family(3), 3, (ONE, -ONE), 1, F(-91, 60)),
    Balance(vector_family(3), 3, (ONE, -ONE), "max", F(-139, 120)),
    Balance(DRAINED, 3, C0, 1, F(-9, 8)),
    *[Balance(DRAINED, 5, c, 1, F(*v)) for c, v in ((C0, (-135, 128)), (C1, (-541, 512)), (C2, (-165, 128)))],
    *[
        Balance(DRAINED, 5, c, "max", F(*v))
        for c, v in ((C0, (-101, 128)), (C1, (-51, 64)), (C2, (-125, 128)))
    ],
    *[Balance(HALVED, 5, c, 1, F(*v)) for c, v in ((C0, (-19, 32)), (C1, (-51, 32)), (C2, (-279, 128)))],
)

target_homeostasis_values: Claim[Balance] = Claim(
    statement="best −E‖c + G‖: FMV(3,2,2,3), H = 3, and two draining stocks, H = 3, 5, γ = 1, 1/2, two norms",
    source=PAPER.at("experiment 4; derived"),
    let=Every("the printed optima", len(BALANCE), BALANCE),
    assume=[],
    then=Eq(lambda x: [x.library, x.recursion], lambda x: x.value),
    tight=Tight(list(BALANCE), within=0),
    mutants=[
        Mutant("the other norm", lhs=lambda x: replace_norm(x).recursion),
        Mutant("half the stock", rhs=lambda x: x.value / 2),
    ],
    expect=PROVED,
)


def replace_norm(x: Balance) -> Balance:
    """The same start under the other of ℓ₁ and the max-norm."""
    return Balance(x.M, x.H, x.c, NORMS[1 - NORMS.index(x.norm)], x.value, x.s0)


OPEN = (
    Balance(DRAINED, 3, C0, 1, F(-19, 16)),
    Balance(DRAINED, 5, C0, 1, F(-371, 256)),
    Balance(DRAINED, 5, C1, 1, F(-439, 256)),
    Balance(DRAINED, 5, C2, 1, F(-439, 256)),
)

target_homeostasis_open_loop: Claim[Balance] = Claim(
    statement="two draining stocks, fixed sequences of actions: −19/16 (H = 3), −371/256, −439/256 (H = 5)",
    source=PAPER.at("experiment 4; derived"),
    let=Every("the printed values", len(OPEN), OPEN),
    assume=[],
    then=Eq(lambda x: x.open_loop, lambda x: x.value),
    tight=Tight(list(OPEN), within=0),
    mutants=[Mutant("as good as with the stock", lhs=lambda x: x.library)],
    expect=PROVED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
