"""Instances: a polynomial diffusion, rewards polynomial in x, features τ^j·p(x), all rational.

dX = (b0 + b1 X)dt + √(s0 + s1 X + s2 X²) dW, τ = T − t.  Brownian instances with β = 0 are rational: on
grids, expectations are polynomials in Δ = T/n, whose coefficients interpolation finds exactly (`in_powers`).
Other instances are balls of 256 bits; identities among them are checked up to 1e-30.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from flint import arb, arb_mat, fmpq

import rltheory as rl
from rltheory.checks import Paper, Reader
from rltheory.kernels.exact import from_fmpq, to_fmpq
from rltheory.models.processes import PolynomialDiffusion
from rltheory.operators import TimePolynomial, coordinates, diffusion
from rltheory.operators.time_polynomial import precise
from rltheory.solvers import ValueFamily
from rltheory.solvers.martingale_grid import Grid

PAPER = Paper(
    key="martingale-td",
    authors="Jia, Zhou",
    title=(
        "Policy Evaluation and Temporal-Difference Learning in Continuous Time and Space: "
        "A Martingale Approach"
    ),
    year=2022,
    where="JMLR 23, arXiv 2108.06655",
)

TINY = F(1, 10**30)
"""Identities of balls are checked up to this."""
ZERO = TimePolynomial({})
Coefficients = tuple[F, ...]
Feature = tuple[int, Coefficients]
"""(j, p): τ^j Σ_k p_k x^k."""
X = TypeVar("X")


def numbers(side: Callable[[X], Any]) -> Callable[[X], list[Any]]:
    """A side computed at 256 bits; its balls become intervals before the precision drops."""

    def evaluate(x: X) -> list[Any]:
        with precise():
            flat = np.asarray(side(x), dtype=object).reshape(-1)
            return [plain(v) for v in flat]

    return evaluate


def plain(v: Any) -> Any:
    """A number the checks know."""
    if isinstance(v, arb):
        return rl.Enclosure.ball(v)
    return from_fmpq(v) if isinstance(v, fmpq) else v


def mixed(v: Any) -> Any:
    """A number that mixes with balls."""
    return v if isinstance(v, arb) else to_fmpq(v)


@dataclass(frozen=True)
class Setting:
    """Let X be a polynomial diffusion from x0 on [0, T], r and h polynomials, φ_k features, θ numbers."""

    process: tuple[F, F, F, F, F]
    x0: F
    T: F
    beta: F
    r: Coefficients
    h: Coefficients
    features: tuple[Feature, ...]
    theta: Coefficients

    @property
    def diffusion(self) -> PolynomialDiffusion:
        """X."""
        return PolynomialDiffusion(*self.process)

    @property
    def tau(self) -> TimePolynomial:
        """T − t."""
        return coordinates(self.T)[2]

    def function(self, feature: Feature) -> TimePolynomial:
        """τ^j p(x)."""
        return self.tau ** feature[0] * TimePolynomial.polynomial(feature[1])

    @cached_property
    def reward(self) -> TimePolynomial:
        """r."""
        return TimePolynomial.polynomial(self.r)

    @cached_property
    def family(self) -> ValueFamily:
        """J^θ = h + θᵀφ."""
        phi = [self.function(f) for f in self.features]
        return ValueFamily(self.diffusion, self.x0, self.T, phi, self.reward, self.end, self.beta)

    @cached_property
    def alone(self) -> ValueFamily:
        """J^θ as φ_0 of a family: column 0 on a grid is then D_i^θ."""
        f = self.family
        return ValueFamily(
            f.process, f.x0, f.T, [self.tau], f.reward, f.terminal, f.beta, base=self.candidate
        )

    def squares(self, n: int) -> Any:
        """E Σ_i (D_i^θ)² on n steps."""
        return Grid(self.alone, n).square(0, 0)

    @property
    def end(self) -> TimePolynomial:
        """h."""
        return TimePolynomial.polynomial(self.h)

    @cached_property
    def candidate(self) -> TimePolynomial:
        """J^θ."""
        return self.family.candidate(self.theta)

    @cached_property
    def g(self) -> TimePolynomial:
        """Drift residual of J^θ."""
        return self.family.residual(self.theta)

    def A(self, f: TimePolynomial) -> TimePolynomial:
        """𝒜f = ∂_t f + Lf."""
        return f.d_t() + diffusion.generator(self.diffusion, f)

    def gamma(self, u: TimePolynomial, v: TimePolynomial) -> TimePolynomial:
        """Γ(u, v) = σ² ∂_x u ∂_x v."""
        return diffusion.variance(self.diffusion) * u.d_x() * v.d_x()


# ---- the process by matrix exponentials, without TimePolynomial's equations ------------------
def coefficients(f: TimePolynomial, t: F, degree: int) -> list[Any]:
    """Coefficients of f(t, ·) in x, as numbers that mix with balls."""
    at = f.at_time(t)
    return [mixed(at.coefficient(k).number()) for k in range(degree + 1)]


def carried(process: PolynomialDiffusion, p: Sequence[Any], u: F) -> list[Any]:
    """Coefficients of x ↦ E[p(X_{t+u}) | X_t = x], by e^{uG}."""
    step = diffusion.semigroup_matrix(process, u, len(p) - 1)
    return [sum((step[k, m] * p[m] for m in range(k, len(p))), fmpq(0)) for k in range(len(p))]


def discounted_to_come(
    process: PolynomialDiffusion, r: Sequence[F], h: Sequence[F], beta: F, u: F, degree: int
) -> list[Any]:
    """Coefficients of x ↦ E[∫_0^u e^{−βs} r(X_s)ds + e^{−βu} h(X_u) | X_0 = x], by one matrix exponential.

    exp(u[[G − β, r], [0, 0]]) = [[e^{u(G−β)}, ∫_0^u e^{s(G−β)} r ds], [0, 1]].
    """
    n = degree + 1
    G = diffusion.generator_matrix(process.exact(), degree)
    M = np.full((n + 1, n + 1), F(0), dtype=object)
    M[:n, :n] = G
    for k in range(n):
        M[k, k] -= beta
        M[k, n] = r[k] if k < len(r) else F(0)
    E = arb_mat(n + 1, n + 1, [to_fmpq(v * u) for v in M.reshape(-1)]).exp()
    end = [to_fmpq(h[k]) if k < len(h) else fmpq(0) for k in range(n)]
    return [E[k, n] + sum((E[k, m] * end[m] for m in range(n)), arb(0)) for k in range(n)]


def in_powers(value: Callable[[int], Any], T: F, count: int, most: int = 40) -> list[F]:
    """First `count` coefficients in Δ of a rational quantity that is a polynomial in Δ = T/n.

    Newton's divided differences on n = 1, 2, 3, …, until three in a row vanish: from then on they all do for
    a polynomial, which `most` steps must reach.
    """
    nodes: list[F] = []
    table: list[F] = []
    poly: list[F] = [F(0)]
    basis: list[F] = [F(1)]
    zeros = 0
    for n in range(1, most + 1):
        node, entry = T / n, plain(value(n))
        for k, previous in enumerate(table):
            entry, table[k] = (entry - previous) / (node - nodes[-1 - k]), entry
        table.append(entry)
        # table[k] now holds the k-th difference ending at this node
        nodes.append(node)
        poly = [a + entry * b for a, b in zip(poly + [F(0)] * (len(basis) - len(poly)), basis, strict=True)]
        basis = [(basis[k - 1] if k else F(0)) - node * (basis[k] if k < len(basis) else F(0))
                 for k in range(len(basis) + 1)]  # fmt: skip
        zeros = zeros + 1 if entry == 0 else 0
        if zeros == 3:
            return (poly + [F(0)] * count)[:count]
    raise ArithmeticError(f"not a polynomial in Δ of degree below {most - 3}")


# ---- instances -------------------------------------------------------------------------------
BM_TOY = Setting(
    (F(1, 2), F(0), F(1), F(0), F(0)), F(0), F(1), F(0), (F(0), F(0), F(1)), (F(0),),
    ((1, (F(1),)), (1, (F(0), F(1)))), (F(-1), F(-1)),
)  # fmt: skip
"""dX = ½dt + dW, r = x², h = 0, J^θ = τ(θ1 + θ2 x)."""
OU = Setting(
    (F(0), F(-4, 5), F(9, 25), F(0), F(0)), F(2, 5), F(1), F(3, 10), (F(0), F(0), F(1)), (F(0), F(0), F(1)),
    ((1, (F(1),)), (1, (F(0), F(0), F(1)))), (F(-1), F(-1)),
)  # fmt: skip
"""dX = −.8X dt + .6 dW, r = h = x², J^θ = x² + τ(θ1 + θ2 x²)."""

SIZES = (F(1, 2), F(1), F(3, 2), F(2))


def law(read: Reader, kind: int) -> tuple[tuple[F, F, F, F, F], F]:
    """(b0, b1, s0, s1, s2) and x0: Brownian, OU, geometric, CIR, linear feedback, Jacobi."""
    a, s = read.number(2), read.pick(SIZES)
    k = read.pick((F(1, 2), F(1), F(3, 4)))
    x = read.number(2)
    if kind == 0:
        return (a, F(0), s, F(0), F(0)), x
    if kind == 1:
        return (a, -k, s, F(0), F(0)), x
    if kind == 2:
        return (F(0), a / 4, F(0), F(0), s / 4), 1 + abs(x)
    if kind == 3:
        return (s, -k, F(0), s / 2, F(0)), 1 + abs(x)
    if kind == 4:
        return (a, -k, s / 2, F(0), s / 4), x
    return (k / 2, -k, F(0), s, -s), F(1, 2)


def poly(read: Reader, degree: int) -> Coefficients:
    """Coefficients in halves."""
    return tuple(read.number(2) for _ in range(degree + 1))


def setting(
    read: Reader, *, brownian: bool = False, q: int = 2, degree: int = 2, feature_degree: int = 2
) -> Setting:
    """q features τ^j p(x), no two proportional as functions; rewards of the degree given."""
    kind = 0 if brownian else read.below(6)
    process, x0 = law(read, kind)
    T, beta = read.pick((F(1), F(1, 2), F(3, 2))), F(0) if brownian else read.pick((F(1, 4), F(0), F(1, 2)))
    features = []
    for k in range(q):
        c = [read.number(1) for _ in range(feature_degree + 1)]
        c[k % (feature_degree + 1)] += 2
        features.append((1 + read.below(2), tuple(c)))
    return Setting(
        process, x0, T, beta, poly(read, degree), poly(read, degree), tuple(features), poly(read, q - 1)
    )


def brownian(read: Reader) -> Setting:
    """A rational instance."""
    return setting(read, brownian=True, feature_degree=1)
