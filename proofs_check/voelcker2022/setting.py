"""Samples of next states, value functions with known gradients and curvature, in rationals.

V is ½s'Ms + b·s, or log Σ exp(s) in balls.  s'_i are true next states, e_i = ŝ_i − s'_i errors,
g_i = ∇V(s'_i), and H ≥ ‖∇²V‖₂.  Losses are the library's; square roots are rational where they can be, balls
elsewhere.
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
from rltheory.checks.balls import at_precision, root
from rltheory.kernels.exact import to_fmpq
from rltheory.solvers import linear_loss, mse_loss, value_gradient_loss, vaml_loss

PAPER = Paper(
    key="vagram",
    authors="Voelcker, Liao, Garg, Farahmand",
    title="Value Gradient weighted Model-Based Reinforcement Learning",
    year=2022,
    where="ICLR 2022, arXiv 2204.01464",
)

Table = NDArray[Any]
BITS = 192
HALF = F(1, 2)

table = rl.exact_array
"""Nested lists as an object array of Fractions."""

precise = at_precision()
"""Decorator: balls of 192 bits."""


@precise
def spectral(M: Table) -> Any:
    """‖M‖₂ of a symmetric matrix that is 2×2 or diagonal: its largest |eigenvalue|."""
    n = len(M)
    if (M - np.diag(np.diagonal(M)) == 0).all():
        return to_fmpq(np.abs(np.diagonal(M)).max())
    assert n == 2
    t, d = to_fmpq(M[0, 0] + M[1, 1]), to_fmpq(M[0, 0] * M[1, 1] - M[0, 1] ** 2)
    gap = root(t * t - 4 * d)
    return (abs(t) + gap) / 2


@dataclass(frozen=True, eq=False)
class Quadratic:
    """V(s) = ½s'Ms + b·s."""

    M: Table
    b: Table

    def __call__(self, s: Table) -> F:
        """V(s)."""
        return F((s @ self.M @ s) / 2 + (self.b * s).sum())

    def gradient(self, s: Table) -> Table:
        """Ms + b."""
        return np.asarray(self.M @ s + self.b)

    @cached_property
    def H(self) -> Any:
        """‖M‖₂."""
        return spectral(self.M)


def curved(*diagonal: Any) -> Quadratic:
    """½Σ d_j s_j²."""
    return Quadratic(table(np.diag(np.array(diagonal, dtype=object))), table([0] * len(diagonal)))


@dataclass(frozen=True, eq=False)
class Batch:
    """Let V be quadratic, and let next states S (N, n) be predicted with errors E (N, n)."""

    V: Quadratic
    S: Table
    E: Table

    @property
    def n(self) -> int:
        """Dimension."""
        return int(self.S.shape[1])

    @cached_property
    def g(self) -> Table:
        """∇V at the true next states."""
        return np.array([self.V.gradient(s) for s in self.S])

    @cached_property
    def vaml(self) -> F:
        """L_VAML."""
        return F(vaml_loss(self.V, self.S + self.E, self.S))

    @cached_property
    def linear(self) -> F:
        """L_lin."""
        return F(linear_loss(self.g, self.E))

    @cached_property
    def vg(self) -> F:
        """L_VG."""
        return F(value_gradient_loss(self.g, self.E))

    @cached_property
    def mse(self) -> F:
        """L_MSE."""
        return F(mse_loss(self.E))

    @property
    def fourth(self) -> F:
        """mean ‖e‖⁴."""
        return F(((self.E * self.E).sum(axis=1) ** 2).sum() / len(self.E))


def quadratic(read: Reader, n: int) -> Quadratic:
    """Random symmetric M (diagonal if n > 2) and b."""
    M = read.numbers(n, n, most=3)
    M = np.diag(np.diagonal(M)) if n > 2 or read.below(2) else M + M.T
    return Quadratic(M + table(np.zeros((n, n), dtype=int)), read.numbers(n))


def batch(read: Reader) -> Batch:
    """Up to three samples in up to three dimensions; sparse or aligned errors one time in four each."""
    n, N, kind = 1 + read.below(3), 1 + read.below(3), read.below(4)
    V = quadratic(read, n)
    S, E = read.numbers(N, n, most=3, denominator=2), read.numbers(N, n, most=2, denominator=8)
    if kind == 1:
        E = E * read.numbers(N, n, most=1)
    if kind == 2:
        V, S = curved(*[1 + read.below(3)] * n), table([[1 + read.below(3)] * n] * N)
        E = table([[F(1 + read.below(8), 8)] * n] * N)
    return Batch(V, S, E)


def corner(n: int, a: F = F(1), b: F = F(1, 4), H: F = F(2)) -> Batch:
    """V = ½H‖s‖², s' = a(1, …, 1), e = b(1, …, 1)."""
    return Batch(curved(*[H] * n), table([[a] * n]), table([[b] * n]))
