"""The variance a bounded process can gather before its upward drift passes 1: the truncation lemma.

𝕍(p, v) = Σpv² − (Σpv)²; f is adapted to a tree or a Markov chain with kernel P, τ a stopping time.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Loose,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)

from .learning import Law, mean, read_law, variance
from .setting import PAPER


@dataclass(frozen=True)
class Tree:
    """A node with value f; the process stops here (τ) if it has no children, else moves by its law."""

    f: F
    kids: tuple[tuple[F, Tree], ...] = ()

    @cached_property
    def sums(self) -> tuple[F, F, F]:
        """(E Σ_{t<τ} 𝕍(P_t, f_{t+1}), E f_τ², E Σ_{t<τ} (f_t − P_t f_{t+1})₊) from here."""
        if not self.kids:
            return F(0), self.f**2, F(0)
        p, v = tuple(q for q, _ in self.kids), tuple(k.f for _, k in self.kids)
        below = [k.sums for _, k in self.kids]
        var, end, drift = (sum((q * b[i] for q, b in zip(p, below)), F(0)) for i in range(3))
        return variance(p, v) + var, end, drift + max(F(0), self.f - mean(p, v))

    @cached_property
    def range(self) -> tuple[F, F]:
        """Least and largest value in the tree."""
        ends = [k.range for _, k in self.kids]
        return min([self.f, *(e[0] for e in ends)]), max([self.f, *(e[1] for e in ends)])

    def right(self, factor: int = 2) -> F:
        """E f_τ² − f_1² + factor·E Σ(f_t − P_t f_{t+1})₊."""
        return self.sums[1] - self.f**2 + factor * self.sums[2]


def read_tree(read: Reader, depth: int = 4) -> Tree:
    """Branching, stopping and values at random; every third node a martingale step."""
    if depth == 0 or read.below(5) == 1:
        return Tree(F(read.below(9), 8))
    n = 1 + read.below(2) if depth > 1 else 1 + read.below(3)
    kids = tuple(zip(read_law(read, n), (read_tree(read, depth - 1) for _ in range(n))))
    level = sum((q * k.f for q, k in kids), F(0))
    return Tree(level if read.below(3) == 0 else F(read.below(9), 8), kids)


def step(f: F, *outcomes: F) -> Tree:
    """One fair step from f."""
    return Tree(f, tuple((F(1, len(outcomes)), Tree(y)) for y in outcomes))


DROP = step(F(1), F(1), F(0))
UNIT = "0 ≤ f ≤ 1"
variance_recursion: Claim[Tree] = Claim(
    statement=(
        "f_t ∈ [0,1], τ a stopping time: "
        "E Σ_{t<τ} 𝕍(P_t, f_{t+1}) ≤ E f_τ² − f_1² + 2E Σ_{t<τ} (f_t − P_t f_{t+1})₊"
    ),
    source=PAPER.at("truncation lemma; derived: 𝕍 = Pf'² − f² + (f − Pf')(f + Pf') and f + Pf' ≤ 2"),
    let=decoded(read_tree, size=120),
    assume=[
        Assumption(
            UNIT, lambda y: min(y.range) >= 0 and max(y.range) <= 1, fails_without=step(F(4), F(4), F(0))
        )
    ],
    then=Leq(lhs=lambda y: y.sums[0], rhs=lambda y: y.right()),
    tight=Tight([step(F(1, 2), F(1), F(0))], within=0),
    named={"one drop": DROP},
    mutants=[
        Mutant("factor 1 for 2", rhs=lambda y: y.right(1)),
        Mutant("no drift", rhs=lambda y: y.right(0)),
    ],
    expect=CERTIFIED,
)

variance_martingale: Claim[Tree] = Claim(
    statement="without drift, f_t = P_t f_{t+1}: E Σ_{t<τ} 𝕍(P_t, f_{t+1}) = E f_τ² − f_1²",
    source=PAPER.at("truncation lemma, the case of equality; derived"),
    let=decoded(lambda read: _martingale(read_tree(read)), size=120),
    assume=[],
    then=Eq(lhs=lambda y: y.sums[0], rhs=lambda y: y.right(0)),
    tight=Tight(step(F(1, 2), F(1), F(0)), within=0),
    mutants=[
        Mutant("E f_τ² alone", rhs=lambda y: y.sums[1]),
        Mutant("half of it", rhs=lambda y: y.right(0) / 2),
    ],
    expect=CERTIFIED,
)


def _martingale(tree: Tree) -> Tree:
    kids = tuple((q, _martingale(k)) for q, k in tree.kids)
    return Tree(sum((q * k.f for q, k in kids), F(0)) if kids else tree.f, kids)


@dataclass(frozen=True)
class Chain:
    """A Markov chain from state 0 for H steps, values f(s); τ = first time the upward drift passes 1."""

    P: tuple[Law, ...]
    f: Law
    H: int

    def total(self, truncated: bool = True) -> F:
        """E Σ_{t<τ} 𝕍(P, f)(s_t), by the law of (state, drift so far)."""
        var = [variance(p, self.f) for p in self.P]
        drift = [max(F(0), a - mean(p, self.f)) for a, p in zip(self.f, self.P)]
        law: dict[tuple[int, F], F] = {(0, F(0)): F(1)}
        out = F(0)
        for _ in range(self.H):
            new: dict[tuple[int, F], F] = {}
            for (s, d), mass in law.items():
                if truncated and d > 1:
                    continue
                out += mass * var[s]
                for u, p in enumerate(self.P[s]):
                    if p:
                        key = (u, d + drift[s] if truncated else F(0))
                        new[key] = new.get(key, F(0)) + mass * p
            law = new
        return out


def read_chain(read: Reader) -> Chain:
    """Two or three states, values in halves, laws in quarters, up to 24 steps."""
    n = 2 + read.below(2)
    P = tuple(tuple(F(k, 4) for k in _quarters(read, n)) for _ in range(n))
    return Chain(P, tuple(F(read.below(3), 2) for _ in range(n)), read.pick([4, 8, 24, 16]))


def _quarters(read: Reader, n: int) -> list[int]:
    out = [0] * n
    for _ in range(4):
        out[read.below(n)] += 1
    return out


COIN = Chain(((F(0), F(1, 2), F(1, 2)), (F(1), F(0), F(0)), (F(1), F(0), F(0))), (F(1, 2), F(1), F(0)), 48)
variance_truncated: Claim[Chain] = Claim(
    statement="τ = first time Σ(f_t − P_t f_{t+1})₊ exceeds 1: E Σ_{t<τ} 𝕍(P_t, f_{t+1}) ≤ 5, whatever H",
    source=PAPER.at("truncation lemma; derived: the drift up to τ is at most 2"),
    let=decoded(read_chain, size=30),
    assume=[],
    then=Leq(lhs=lambda y: y.total(), rhs=lambda y: F(5)),
    tight=Loose(0.9, "5 adds worst cases of three terms that exclude each other"),
    named={"a coin tossed and forgotten": COIN},
    mutants=[
        Mutant("without stopping", lhs=lambda y: y.total(False)),
        Mutant("≤ ½", rhs=lambda y: F(1, 2)),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
