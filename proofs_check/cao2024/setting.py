"""Linear-quadratic systems whose optimal P* is rational, and definitions computed the slow way.

ẋ = Ax + Bu, cost xᵀQx + uᵀRu, S = BR⁻¹Bᵀ, A_P = A − SP, M_P = Q + PSP, Ric(P) = AᵀP + PA + Q − PSP,
𝓛_F(X) = FᵀX + XF.  Every system with Q ≻ 0 is A = (W + S/2 − D)P*, Q = 2P*DP* with W skew and D ≻ 0, so
rational W, D, P*, B, R give a rational problem with a rational solution.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property, lru_cache
from typing import Any, TypeVar

import numpy as np
from flint import arb, arb_mat, fmpq_mat
from numpy.typing import NDArray

import rltheory as rl
from rltheory.checks import Paper, Reader
from rltheory.checks.balls import at_precision
from rltheory.kernels import lq
from rltheory.kernels.exact import to_fmpq, to_fmpq_mat
from rltheory.models import LQR
from rltheory.operators import Matern, Quadrature
from rltheory.solvers import solve_riccati, window_rule

PAPER = Paper(
    key="intrl",
    authors="Cao, Pan",
    title="Impact of Computation in Integral Reinforcement Learning for Continuous-Time Control",
    year=2024,
    where="ICLR 2024, arXiv 2402.17375",
)
BITS = 256
Table = NDArray[Any]
Matrix = Any
Q = TypeVar("Q")
table = rl.exact_array
"""Nested lists as an object array of Fractions."""
TINY = F(1, 10**30)
"""Within this, balls of 256 bits that should be equal are."""


enclosed = at_precision(BITS)
"""Decorator: balls of 256 bits."""


def full_lyapunov(Fm: fmpq_mat, M: fmpq_mat) -> fmpq_mat:
    """X with FᵀX + XF = −M by one solve over all n² entries: the independent computation."""
    n = Fm.nrows()
    kind = type(Fm)
    L = kind(n * n, n * n)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                L[i * n + j, k * n + j] = L[i * n + j, k * n + j] + Fm[k, i]
                L[i * n + j, i * n + k] = L[i * n + j, i * n + k] + Fm[k, j]
    X = L.solve(kind(n * n, 1, [-v for v in M.entries()]))
    return kind(n, n, X.entries())


@dataclass(frozen=True, eq=False)
class System:
    """Let (A, B, Q, R) be rational with Q, R ≻ 0; `best` is P* where it is rational."""

    model: LQR
    best: Table | None = None

    @property
    def n(self) -> int:
        """States."""
        return self.model.n

    @cached_property
    def A(self) -> fmpq_mat:
        """A."""
        return to_fmpq_mat(self.model.A)

    @cached_property
    def S(self) -> fmpq_mat:
        """BR⁻¹Bᵀ."""
        return to_fmpq_mat(self.model.S)

    @cached_property
    def Q(self) -> fmpq_mat:
        """Q."""
        return to_fmpq_mat(self.model.Q)

    @cached_property
    @enclosed
    def star(self) -> Matrix:
        """P*: rational if given, else a ball matrix."""
        if self.best is not None:
            return to_fmpq_mat(self.best)
        near = solve_riccati(self.model.float()).X
        return lq.riccati_enclosure(self.A, self.S, self.Q, near)

    def like(self, P: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """(A, S, Q) in the number system of P."""
        if isinstance(P, fmpq_mat):
            return self.A, self.S, self.Q
        return lq.ball_matrix(self.A), lq.ball_matrix(self.S), lq.ball_matrix(self.Q)

    def loop(self, P: Matrix) -> Matrix:
        """A_P."""
        A, S, _ = self.like(P)
        return A - S * P

    def cost(self, P: Matrix) -> Matrix:
        """M_P."""
        _, S, Q = self.like(P)
        return Q + P * S * P

    def ric(self, P: Matrix) -> Matrix:
        """Ric(P)."""
        A, S, Q = self.like(P)
        return A.transpose() * P + P * A + Q - P * S * P


def spd(read: Reader, n: int, *, least: F = F(1, 4)) -> Table:
    """GGᵀ + a positive multiple of I."""
    G = read.numbers(n, n, most=2, denominator=2)
    return np.asarray(G @ G.T + table(np.eye(n, dtype=int)) * (least * (1 + read.below(4))))


def skew(read: Reader, n: int) -> Table:
    """W = −Wᵀ."""
    G = read.numbers(n, n, most=2, denominator=2)
    return np.asarray(G - G.T)


def system(read: Reader, n: int | None = None) -> System:
    """One to three states, one or two controls."""
    n = n or 1 + read.below(3)
    m = 1 + read.below(2)
    P, D, W = spd(read, n), spd(read, n), skew(read, n)
    B = read.numbers(n, m, most=2, denominator=2)
    B[0, 0] += 0 if B.any() else 1
    R = table(np.diag([read.pick((F(1, 2), F(1), F(2))) for _ in range(m)]))
    S = B @ np.array([[1 / R[i, i] if i == j else F(0) for j in range(m)] for i in range(m)]) @ B.T
    A = (W + S / 2 - D) @ P
    return System(LQR(A, B, 2 * P @ D @ P, R), P)


def stable(read: Reader, n: int) -> Table:
    """(W − D)X: every stable matrix has this form."""
    return np.asarray((skew(read, n) - spd(read, n)) @ spd(read, n))


@lru_cache(maxsize=1)
def third_order() -> System:
    """The linear benchmark; P* is irrational."""
    return System(rl.gallery.third_order_lqr())


def scalar(a: Any, b: Any, q: Any, r: Any, best: Any = None) -> System:
    """ẋ = ax + bu, cost qx² + ru²."""
    return System(
        LQR(table([[a]]), table([[b]]), table([[q]]), table([[r]])), None if best is None else table([[best]])
    )


def symmetric(P: Any) -> fmpq_mat:
    """Rational matrix of a table."""
    return to_fmpq_mat(table(P))


def entries(X: Matrix) -> list[Any]:
    """The upper triangle, as a side of a claim."""
    n = X.nrows()
    return [X[i, j] for i in range(n) for j in range(i, n)]


def evaluated(x: System, P: Matrix, rule: Quadrature) -> arb_mat:
    """P̂ of the greedy gain of P by quadrature, in balls."""
    B = lq.ball_matrix(P)
    nodes = [F(t) for t in rule.nodes]
    return lq.quadrature_evaluation(x.loop(B), x.cost(B), F(rule.T), nodes, rule.balls())


@lru_cache(maxsize=256)
def rule_of(T: F, N: int, name: Any, nugget: F = F(0)) -> Quadrature:
    """The rule on N even nodes of [0, T], rational or in balls."""
    return window_rule(T, N, name, nugget, exact=True, bits=448)


def matern(p: int, lengthscale: Any) -> Matern:
    """Matérn-(p + ½)."""
    return Matern(F(2 * p + 1, 2), lengthscale)


def is_stable(Fm: Matrix) -> bool:
    """True when stability is certain: FᵀY + YF = −I has a solution Y ≻ 0."""
    try:
        return lq.positive_definite(lq.lyapunov(Fm, lq.identity(Fm.nrows(), Fm)))
    except ZeroDivisionError:
        return False


def inverse_norm(Fm: Matrix) -> Any:
    """‖X_F‖₂ with 𝓛_F(X_F) = −I: the norm of 𝓛_F⁻¹."""
    return lq.norm(lq.lyapunov(Fm, lq.identity(Fm.nrows(), Fm)))


def fixed_point(x: System, rule: Quadrature, near: Matrix | None = None) -> arb_mat:
    """Ball matrix of the fixed point of quadrature policy iteration near P*."""
    from rltheory.solvers.integral_rl import fixed_point_balls

    return fixed_point_balls(x.model, rule, lq.ball_matrix(x.star if near is None else near))


def number(q: Any) -> Any:
    """A rational as `fmpq`, a ball as it is."""
    return q if isinstance(q, arb) else to_fmpq(q)
