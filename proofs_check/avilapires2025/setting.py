"""What the claims of this paper let x be, and the definitions they are checked against.

A model is the list of its outcomes (p, s', r), in rationals; `definitions` has laws and utilities.

Stock: c' = (c + r)/γ.  Return: G = Σ_t γ^t r_{t+1}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar

from hypothesis.strategies import SearchStrategy

from rltheory import checks
from rltheory.checks import Paper
from rltheory.checks.balls import precise_side
from rltheory.models.outcomes import OutcomeMDP

from .definitions import BITS, HALF, ONE, ZERO, Exact, F, Law, Outcomes, Pairs, dirac, mix, push

PAPER = Paper(
    key="distributional-dp",
    authors="Ávila Pires, Rowland, Borsa, Guo, Khetarpal, Barreto, Abel, Munos, Dabney",
    title="Optimizing Return Distributions with Distributional Dynamic Programming",
    year=2025,
    where="JMLR 26(185), arXiv 2501.13028",
)

T = TypeVar("T")


# ---- instances from bytes --------------------------------------------------------------------
class Reader(checks.Reader):
    """Also reads laws and outcomes."""

    def law(self, most: int = 4, denominator: int = 2, atoms: int = 3) -> Pairs:
        """A law of at most `atoms` atoms in [−most, most]."""
        n = 1 + self.below(atoms)
        x = [self.number(most, denominator) for _ in range(n)]
        return tuple(sorted(mix((w, dirac(v)) for w, v in zip(self.weights(n), x, strict=True)).items()))

    def outcomes(self, S: int, B: int = 2, most: int = 2, denominator: int = 1, least: int = 0) -> Outcomes:
        """At most B outcomes with next states least..S−1."""
        n = 1 + self.below(B)
        return tuple(
            (p, least + self.below(S - least), self.number(most, denominator)) for p in self.weights(n)
        )


def decoded(build: Callable[[Reader], T], size: int = 64) -> SearchStrategy[T]:
    """Instances built from `size` random bytes; shrinks towards zeros."""
    return checks.decoded(build, size, Reader)


# ---- models ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Model(Exact):
    """Let M be given by outcomes[s][a] = ((p, s', r), …) and a discount 0 < gamma ≤ 1."""

    outcomes: tuple[tuple[Outcomes, ...], ...]
    gamma: Fraction

    @cached_property
    def S(self) -> int:
        """Number of states."""
        return len(self.outcomes)

    @cached_property
    def rewards(self) -> tuple[Fraction, ...]:
        """Every reward that occurs."""
        return tuple(r for actions in self.outcomes for o in actions for _, _, r in o)

    @cached_property
    def library(self) -> OutcomeMDP:
        """The same model as the library's object."""
        return OutcomeMDP.from_lists(self.outcomes, gamma=self.gamma)

    def evaluate(self, eta: list[Law], pi: tuple[int, ...]) -> list[Law]:
        """T_π η for a deterministic stock-blind policy."""
        return [
            mix((p, push(eta[t], r, self.gamma)) for p, t, r in self.outcomes[s][pi[s]])
            for s in range(self.S)
        ]

    def laws(self, s: int, H: int) -> list[Law]:
        """N_H(s): the return laws of all deterministic history-dependent policies."""
        if (s, H) not in self._listed:
            self._listed[s, H] = [dict(k) for k in _all_laws(self, s, H)]
        return self._listed[s, H]

    @cached_property
    def _listed(self) -> dict[tuple[int, int], list[Law]]:
        return {}


def _all_laws(M: Model, s: int, H: int) -> set[Pairs]:
    known: dict[tuple[int, int], set[Pairs]] = {}

    def at(s: int, h: int) -> set[Pairs]:
        if h == 0:
            return {((ZERO, ONE),)}
        if (s, h) not in known:
            found: set[Pairs] = set()
            for outcomes in M.outcomes[s]:
                sums: set[Pairs] = {()}
                for p, t, r in outcomes:
                    tails = [push(dict(k), r, M.gamma) for k in at(t, h - 1)]
                    sums = {_add(part, p, tail) for part in sums for tail in tails}
                found |= sums
            known[s, h] = found
        return known[s, h]

    return at(s, H)


def _add(part: Pairs, p: Fraction, tail: Law) -> Pairs:
    out = dict(part)
    for x, q in tail.items():
        out[x] = out.get(x, ZERO) + p * q
    return tuple(sorted(out.items()))


def family(S: int, A: int, B: int, q: int, gamma: Any) -> Model:
    """FM(S, A, B, q): weights 1 + ((s+2a+5k+q) mod 3), and so on; no random numbers."""

    def outcomes(s: int, a: int) -> Outcomes:
        w = [1 + (s + 2 * a + 5 * k + q) % 3 for k in range(B)]
        return tuple(
            (
                F(w[k], sum(w)),
                (s * (a + 2) + k * (1 + s) + a + q) % S,
                F((2 * s + 3 * a + 5 * k * k + 7 * k + q * (1 + a + s * k)) % 5 - 2),
            )
            for k in range(B)
        )

    return Model(tuple(tuple(outcomes(s, a) for a in range(A)) for s in range(S)), F(gamma))


def absorbing() -> tuple[Outcomes, ...]:
    """A state that pays nothing for ever."""
    return (((ONE, 0, ZERO),),)


def chain(*steps: Iterable[Any], gamma: Any) -> Model:
    """States 0, 1, … in a row, state i paying one of steps[i] fairly and moving on; then the end."""
    n = len(steps)
    rows = [(tuple((F(1, len(list(r))), i + 1, F(x)) for x in r),) for i, r in enumerate(steps)]
    return Model((*rows, (((ONE, n, ZERO),),)), F(gamma))


DISCOUNTS = (HALF, F(3, 4), F(4, 5), F(1, 3), F(9, 10))


def model(
    read: Reader,
    *,
    S: int = 3,
    A: int = 2,
    B: int = 2,
    gammas: tuple[Fraction, ...] = DISCOUNTS,
    most: int = 2,
) -> Model:
    """A model of at most S states, A actions, B outcomes, with integer rewards in [−most, most]."""
    gamma, n = read.pick(gammas), 1 + read.below(S)
    rows = tuple(tuple(read.outcomes(n, B, most) for _ in range(1 + read.below(A))) for _ in range(n))
    return Model(rows, gamma)


def layered(
    read: Reader,
    *,
    S: int = 3,
    A: int = 1,
    B: int = 2,
    gammas: tuple[Fraction, ...] = DISCOUNTS,
    most: int = 2,
    denominator: int = 2,
) -> Model:
    """At most S states that only move on, then the absorbing one: every return law is finite."""
    gamma, n = read.pick(gammas), 1 + read.below(S)
    rows = [
        tuple(read.outcomes(n + 1, B, most, denominator, least=s + 1) for _ in range(1 + read.below(A)))
        for s in range(n)
    ]
    return Model((*rows, (((ONE, n, ZERO),),)), gamma)


def precise(side: Callable[[T], Any]) -> Callable[[T], list[Any]]:
    """`precise_side` at `BITS` bits."""
    return precise_side(side, BITS)
