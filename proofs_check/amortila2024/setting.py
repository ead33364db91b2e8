"""Layered models, sequences of laws, and definitions computed the slow way, in rationals.

d_h^π(s, a) = Pr^π(s_h = s, a_h = a); C_h = Σ_{s,a} max_π d_h^π(s, a); CC(d, μ, γ) = E_d[min{d/μ, γ}];
Δ_h f = f_h − r − P max f_{h+1}; H_T = 1 + ½ + … + 1/T.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cache, cached_property
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

import rltheory as rl
from rltheory import checks
from rltheory.checks import Paper, Reader
from rltheory.kernels import ball

PAPER = Paper(
    key="density-ratios",
    authors="Amortila, Foster, Jiang, Sekhari, Xie",
    title="Harnessing Density Ratios for Online Reinforcement Learning",
    year=2024,
    where="ICLR 2024, arXiv 2401.09681",
)

Table = NDArray[Any]
Law = tuple[F, ...]
HALF = F(1, 2)
BITS = 192

table = rl.exact_array
"""Nested lists as an object array of Fractions."""


@cache
def harmonic(T: int) -> F:
    """H_T."""
    return sum((F(1, t) for t in range(1, T + 1)), F(0))


def log(x: F | int) -> rl.Enclosure:
    """ln x."""
    with ball.precision(BITS):
        return rl.Enclosure.ball(ball.to_arb(F(x)).log())


def scaled(c: F | int, x: rl.Enclosure) -> rl.Enclosure:
    """c·x for c ≥ 0."""
    return rl.Enclosure(F(c) * F(x.lower), F(c) * F(x.upper))


# ---- random bytes ----------------------------------------------------------------------------
class LawReader(Reader):
    """Shares and laws read from random bytes."""

    def share(self, n: int = 16) -> F:
        """0, 1/n, …, 1."""
        return F(self.below(n + 1), n)

    def law(self, n: int) -> Law:
        """n rationals ≥ 0 that sum to one: a point mass, sparse, or spread out."""
        kind, at = self.below(3), self.below(n)
        if kind == 0:
            return tuple(F(int(i == at)) for i in range(n))
        w = [self.below(5) if kind == 2 else max(0, self.below(8) - 4) for _ in range(n)]
        w[at] += 1
        return tuple(F(k, sum(w)) for k in w)


def decoded(build: Callable[[LawReader], Any], size: int = 120) -> SearchStrategy[Any]:
    """Instances built from random bytes; shrinks towards zeros."""
    return checks.decoded(build, size, LawReader)


# ---- layered models --------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class World:
    """Let P (H, S, A, S), rewards R (H, S, A) and the start law d1 be given."""

    P: Table
    R: Table
    d1: Table

    def __repr__(self) -> str:
        parts = ", ".join(f"table({x.tolist()})" for x in (self.P, self.R, self.d1))
        return f"{type(self).__name__}({parts})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, S, A)."""
        return self.P.shape[0], self.P.shape[1], self.P.shape[2]

    @cached_property
    def model(self) -> rl.FiniteHorizonMDP:
        """The library's model."""
        return rl.FiniteHorizonMDP(self.P, self.R, self.P.shape[0], mu=self.d1)

    @cached_property
    def policies(self) -> list[Table]:
        """All deterministic policies, (H, S) action tables."""
        H, S, A = self.shape
        return [np.array(a).reshape(H, S) for a in itertools.product(range(A), repeat=H * S)]

    def occupancy(self, pi: Table) -> Table:
        """d^π by pushing the start law forward, one transition at a time."""
        H, S, A = self.shape
        d = np.full((H, S, A), F(0), dtype=object)
        here = list(self.d1)
        for h in range(H):
            after = [F(0)] * S
            for s in range(S):
                if here[s]:
                    d[h, s, pi[h, s]] = here[s]
                    row = self.P[h, s, pi[h, s]]
                    for t in range(S):
                        if row[t]:
                            after[t] += here[s] * row[t]
            here = after
        return d

    @cached_property
    def occupancies(self) -> list[Table]:
        """d^π of all deterministic policies."""
        return [self.occupancy(pi) for pi in self.policies]

    def returns(self, pi: Table) -> F:
        """J(π) = ⟨d^π, R⟩."""
        return F((self.occupancy(pi) * self.R).sum())

    @cached_property
    def best(self) -> tuple[F, Table]:
        """J(π*) and the first optimal policy, by enumeration."""
        J = [F((d * self.R).sum()) for d in self.occupancies]
        return max(J), self.policies[J.index(max(J))]

    @cached_property
    def Q_star(self) -> Table:
        """(H, S, A) Q*, by the library."""
        return np.asarray(rl.solvers.BackwardInduction().run(self.model).Q)

    def bellman_error(self, f: Table) -> Table:
        """Δ_h f for f (H, S, A)."""
        H = self.shape[0]
        out = f - self.R
        for h in range(H - 1):
            out[h] = out[h] - (self.P[h] * f[h + 1].max(axis=1)).sum(axis=2)
        return out


SIZES = ((2, 2, 2), (3, 2, 2), (2, 3, 2), (2, 2, 3), (1, 3, 3), (3, 1, 3), (2, 3, 1))


def world(read: LawReader, sizes: Sequence[tuple[int, int, int]] = SIZES) -> World:
    """A random layered model whose rewards sum to at most one."""
    H, S, A = sizes[read.below(len(sizes))]
    P = table([[[read.law(S) for _ in range(A)] for _ in range(S)] for _ in range(H)])
    R = table([[[read.share(4) / H for _ in range(A)] for _ in range(S)] for _ in range(H)])
    return World(P, R, table(read.law(S)))


def greedy(f: Table) -> Table:
    """π_f, lowest action among ties."""
    return np.array([[row.index(max(row)) for row in layer] for layer in f.tolist()])


def lock(*code: int) -> World:
    """`gallery.noisy_lock`."""
    M = rl.gallery.noisy_lock(code)
    return World(np.asarray(M.P), np.asarray(M.R), np.asarray(M.mu))


def chain_of_three() -> World:
    """Three states, two actions, three layers; C = (2, 25/8, 59/16)."""
    h, q = HALF, F(1, 4)
    P = table([[[[h, h, 0], [0, h, h]], [[1, 0, 0], [q, q, h]], [[0, 0, 1], [h, 0, h]]]] * 3)
    return World(P, table(np.zeros((3, 3, 2), dtype=int)), table([h, q, q]))


# ---- laws ------------------------------------------------------------------------------------
def concentrability(d: Law, mu: Law, level: F) -> F:
    """CC by its definition, with 0/0 = 0 and x/0 = ∞."""
    return sum((x * (level if y == 0 else min(x / y, level)) for x, y in zip(d, mu, strict=True) if x), F(0))


def cover(laws: Sequence[Law]) -> F:
    """Σ_z max_t d_t(z)."""
    return sum((max(column) for column in zip(*laws, strict=True)), F(0))


def mean_law(laws: Sequence[Law]) -> Law:
    """Their mean."""
    return tuple(sum(column, F(0)) / len(laws) for column in zip(*laws, strict=True))


def infinite(x: object) -> bool:
    """True for ∞."""
    return isinstance(x, float) and math.isinf(x)
