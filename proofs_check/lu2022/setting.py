"""Logs of several tasks over a finite class of representations, in rationals.

L_i(φ, w) = Σ(φ·w − y)², A = λI + Σφφᵀ, ŵ = A⁻¹Σyφ, ρ = min_w L + λ‖w‖², ld = ln det(A/λ).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from flint import arb
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

import rltheory as rl
from rltheory import checks
from rltheory.checks import Paper, Reader
from rltheory.checks.elimination import eliminate
from rltheory.kernels import ball
from rltheory.solvers import JointConfidence, joint_confidence
from rltheory.solvers.shared_heads import square_root

PAPER = Paper(
    key="multitask-gfucb",
    authors="Lu, Zhao, Du, Huang",
    title="Provable General Function Class Representation Learning in Multitask Bandits and MDPs",
    year=2022,
    where="NeurIPS 2022, arXiv 2205.15701",
)

Table = NDArray[Any]
Vector = tuple[F, ...]
HALF = F(1, 2)
BITS = 192

table = rl.exact_array
"""Nested lists as an object array of Fractions."""


def enclosed(f: Callable[[], arb]) -> rl.Enclosure:
    """A ball at working precision as an enclosure."""
    with ball.precision(BITS):
        return rl.Enclosure.ball(f())


def root(q: F) -> Any:
    """√q, a Fraction if it is one."""
    low, high = square_root(F(q))
    return low if low == high else rl.Enclosure(low, high)


def dot(x: Any, y: Any) -> F:
    """x·y."""
    return sum((F(a) * F(b) for a, b in zip(x, y, strict=True)), F(0))


def solve(A: Table, b: Any) -> list[F]:
    """A⁻¹b by elimination."""
    return list(eliminate(table(A), table(list(b))))


def determinant(A: Table) -> F:
    """det A, A positive definite."""
    M, out = [[F(v) for v in row] for row in A], F(1)
    for k in range(len(M)):
        out *= M[k][k]
        for i in range(k + 1, len(M)):
            M[i] = [u - M[i][k] / M[k][k] * v for u, v in zip(M[i], M[k], strict=True)]
    return out


class UnitReader(Reader):
    """Rational vectors of norm at most 1 read from random bytes."""

    def unit(self, k: int) -> Vector:
        """A rational vector of norm at most 1, on the sphere as often as not."""
        pairs = ((F(1), F(0)), (F(3, 5), F(4, 5)), (F(5, 13), F(12, 13)), (F(0), F(1)), (F(-4, 5), F(3, 5)))
        if k == 1:
            return (F(4 - self.below(9), 4),)
        a, b = pairs[self.below(5)]
        c, s = pairs[self.below(5)] if k == 3 else (F(1), F(0))
        size = (F(1), F(1), HALF, F(1, 4))[self.below(4)]
        return (a * size, b * c * size, b * s * size)[:k]


def decoded(build: Callable[[UnitReader], Any], size: int = 96) -> SearchStrategy[Any]:
    """Instances built from random bytes; shrinks towards zeros."""
    return checks.decoded(build, size, UnitReader)


# ---- several tasks ---------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Logged:
    """Let phi (p, X, A, k), heads θ (M, k), logs of M tasks and contexts be given; φ_* = φ_0."""

    phi: Table
    theta: tuple[Vector, ...]
    logs: tuple[tuple[tuple[int, int, F], ...], ...]
    contexts: tuple[int, ...]
    lam: F
    extra: F

    def __repr__(self) -> str:
        rest = f"{self.theta!r}, {self.logs!r}, {self.contexts!r}, {self.lam!r}, {self.extra!r}"
        return f"Logged(table({self.phi.tolist()}), {rest})"

    @property
    def M(self) -> int:
        """Tasks."""
        return len(self.logs)

    @cached_property
    def truth(self) -> F:
        """Σ_i L_i(φ_*, θ_i)."""
        return sum(
            ((dot(self.phi[0, x, a], w) - y) ** 2 for w, log in zip(self.theta, self.logs, strict=True)
             for x, a, y in log),
            F(0),
        )  # fmt: skip

    def at_radius(self, radius: F) -> JointConfidence:
        """The library's confidence set of this radius."""
        return joint_confidence(self.phi, self.logs, sigma=HALF, lam=self.lam, radius=radius)

    @cached_property
    def confidence(self) -> JointConfidence:
        """Radius: the truth's loss plus `extra`."""
        return self.at_radius(self.truth + self.extra)

    @cached_property
    def best(self) -> F:
        """Σ_i max_a f*_i(x_i, a)."""
        return sum(
            (
                max(dot(row, w) for row in self.phi[0, x])
                for x, w in zip(self.contexts, self.theta, strict=True)
            ),
            F(0),
        )


def logged(read: UnitReader) -> Logged:
    """Random classes, heads and noise."""
    k, p, M = 1 + read.below(2), 1 + read.below(2), 1 + read.below(2)
    phi = table([[[read.unit(k) for _ in range(2)] for _ in range(2)] for _ in range(p)])
    theta = tuple(read.unit(k) for _ in range(M))
    logs = []
    for w in theta:
        log = []
        for _ in range(read.below(5)):
            x, a = read.below(2), read.below(2)
            log.append((x, a, dot(phi[0, x, a], w) + F(3 - read.below(7), 4)))
        logs.append(tuple(log))
    lam = (F(1), F(4), F(1, 4), F(9))[read.below(4)]
    extra = F(read.below(3), 4)
    return Logged(phi, theta, tuple(logs), tuple(read.below(2) for _ in range(M)), lam, extra)
