"""Low-rank matrices seen on a cross of rows I and columns J, with bounded noise, in rationals.

C = Q[:, J], D = Q[I, :], W = Q[I, J]; the estimate is C W⁻¹ D.  a_i = C[i, :]W⁻¹, b_j = W⁻¹D[:, j],
α_i = ‖a_i‖₁, β_j = ‖b_j‖₁, σ = σ_r(W), κ = r‖Q‖_∞/σ.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rltheory as rl
from rltheory.checks import Paper, Reader
from rltheory.checks.elimination import inverse, rank
from rltheory.operators import CrossBound, cross_estimate

PAPER = Paper(
    key="low-rank-q",
    authors="Shah, Song, Xu, Yang",
    title="Sample Efficient Reinforcement Learning via Low-Rank Matrix Estimation",
    year=2020,
    where="NeurIPS 2020, arXiv 2006.06135",
)

Table = NDArray[Any]
HALF = F(1, 2)


table = rl.exact_array
"""Nested lists as an object array of Fractions."""


@dataclass(frozen=True, eq=False)
class Cross:
    """Let Q have rank r = |I| = |J| and W = Q[I, J] be invertible; E is noise on the cross, |E| ≤ η."""

    Q: Table
    I: tuple[int, ...]
    J: tuple[int, ...]
    E: Table

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(table({self.Q.tolist()}), {self.I}, {self.J}, table({self.E.tolist()}))"
        )

    @property
    def r(self) -> int:
        """Number of anchors."""
        return len(self.I)

    @cached_property
    def bound(self) -> CrossBound:
        """The library's bounds."""
        return CrossBound(self.Q, self.I, self.J)

    @cached_property
    def inverse(self) -> Table:
        """W⁻¹, by elimination here."""
        return inverse(self.Q[np.ix_(self.I, self.J)])

    @cached_property
    def a(self) -> Table:
        """(n, r) rows a_i."""
        return np.asarray(self.Q[:, list(self.J)] @ self.inverse)

    @cached_property
    def b(self) -> Table:
        """(r, m) columns b_j."""
        return np.asarray(self.inverse @ self.Q[list(self.I)])

    @property
    def alpha(self) -> Table:
        """α."""
        return np.asarray(np.abs(self.a).sum(axis=1))

    @property
    def beta(self) -> Table:
        """β."""
        return np.asarray(np.abs(self.b).sum(axis=0))

    @cached_property
    def eta(self) -> F:
        """Largest noise."""
        return F(np.abs(self.E).max())

    @cached_property
    def full_rank(self) -> bool:
        """rank W = rank Q = r."""
        return rank(self.Q) == self.r == rank(self.Q[np.ix_(self.I, self.J)])

    @cached_property
    def estimate(self) -> Table:
        """The library's estimate from the noisy cross."""
        seen = self.Q + self.E
        return cross_estimate(seen[:, list(self.J)], seen[list(self.I)], self.I, self.J)

    @property
    def error(self) -> Table:
        """Q̄ − Q."""
        return np.asarray(self.estimate - self.Q)

    @cached_property
    def outside(self) -> list[tuple[int, int]]:
        """Entries off the cross."""
        n, m = self.Q.shape
        return [(i, j) for i in range(n) if i not in self.I for j in range(m) if j not in self.J]

    def both(self, i: int, j: int) -> F:
        """(1 + α_i)(1 + β_j)."""
        return F((1 + self.alpha[i]) * (1 + self.beta[j]))

    def with_noise(self, E: Table) -> Any:
        """The same cross with other noise."""
        return type(self)(self.Q, self.I, self.J, E)


def on_cross(E: Table, I: tuple[int, ...], J: tuple[int, ...]) -> Table:
    """E with zeros off the cross."""
    out = np.full(E.shape, F(0), dtype=object)
    out[list(I)], out[:, list(J)] = E[list(I)], E[:, list(J)]
    return out


def worst(x: Cross, i: int, j: int, eta: F) -> Table:
    """F = −η sign(a_i ⊗ b_j), f = η sign(a_i), e = η sign(b_j): worst to first order at (i, j)."""
    out = np.full(x.Q.shape, F(0), dtype=object)
    s, t = ([F(1) if v >= 0 else F(-1) for v in vec] for vec in (x.a[i], x.b[:, j]))
    for k, row in enumerate(x.I):
        for l, col in enumerate(x.J):
            out[row, col] = -eta * s[k] * t[l]
        out[row, j] = eta * s[k]
    for l, col in enumerate(x.J):
        out[i, col] = eta * t[l]
    return out


def cross(read: Reader, *, most: int = 3, kind: Any = Cross) -> Any:
    """Rank ≤ 3, anchors first; both factors are diagonally dominant on the anchors; noise below σ/(2r)."""
    r = 1 + read.below(3)
    n, m = r + 1 + read.below(3), r + 1 + read.below(2)
    left, right = read.numbers(n, r, most=most), read.numbers(r, m, most=most)
    for k in range(r):
        left[k, k] += 10
        right[k, k] += 10
    I, J = tuple(range(r)), tuple(range(r))
    x = kind(left @ right, I, J, np.full((n, m), F(0), dtype=object))
    part = F(1 + read.below(20), 41)
    eta = x.bound.sigma / r * part
    style = read.below(3)
    if style == 0:
        i, j = x.outside[read.below(len(x.outside))]
        return x.with_noise(worst(x, i, j, eta))
    noise = table([[F(read.below(33) - 16, 16) for _ in range(m)] for _ in range(n)])
    if style == 1:
        noise = table([[F(1) if v >= 0 else F(-1) for v in row] for row in noise])
    return x.with_noise(on_cross(noise * eta, I, J))


ZERO3 = table(np.zeros((3, 3), dtype=int))
THREE = table([[2, 1, 0], [1, 1, 1], [0, 1, 2]])
ONES = table([[1, 1], [1, 1]])


def hard(eta: F, kind: Any = Cross) -> Any:
    """The 3×3 instance with adversarial noise at its centre."""
    x = kind(THREE, (0, 2), (0, 2), ZERO3)
    return x.with_noise(worst(x, 1, 1, eta))


def flat(eta: F, kind: Any = Cross) -> Any:
    """Q ≡ 1, noise +η on the arms and −η on the anchor."""
    return kind(ONES, (0,), (0,), table([[-eta, eta], [eta, 0]]))


def pivots(r: int, kind: Any = Cross) -> Any:
    """Q = BBᵀ, B = [I; 1ᵀ], the first r rows and columns: all minors are 0 or ±1."""
    B = table(np.vstack([np.eye(r, dtype=int), np.ones((1, r), dtype=int)]))
    x = kind(B @ B.T, tuple(range(r)), tuple(range(r)), np.full((r + 1, r + 1), F(0), dtype=object))
    return x.with_noise(worst(x, r, r, F(1, 1000 * r)))
