"""Which model each loss prefers: unconstrained, one coordinate only, rank one.

Gaussian expectations of polynomials of degree ≤ 5 are sums over five rational nodes: P(0) = ½, P(±1) = 1/6,
P(±2) = 1/12 has the moments 0, 1, 0, 3, 0 of N(0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

from rltheory.checks import (
    CERTIFIED,
    SUPPORTED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.checks.elimination import eliminate, rank
from rltheory.solvers import fit_linear_model, mse_loss, value_gradient_loss, vaml_loss

from .setting import HALF, PAPER, Quadratic, Table, curved, table

NODES = (F(0), F(1), F(-1), F(2), F(-2))
PROBS = (HALF, F(1, 6), F(1, 6), F(1, 12), F(1, 12))


# ---- linear V --------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Regression:
    """Let Z (N, q) be features of full rank, S (N, n) noisy next states, V quadratic or linear (M = 0)."""

    Z: Table
    S: Table
    V: Quadratic

    @cached_property
    def g(self) -> Table:
        """∇V at the targets."""
        return np.array([self.V.gradient(s) for s in self.S])

    @cached_property
    def weighted(self) -> Table:
        """The VaGraM fit, by the library."""
        return fit_linear_model(self.Z, self.S, self.g).W

    @cached_property
    def squares(self) -> Table:
        """Ordinary least squares, from the normal equations; with one feature if the two are dependent."""
        Z = self.Z if rank(self.Z) == 2 else self.Z[:, :1]
        W = eliminate(Z.T @ Z, Z.T @ self.S).T
        return W if W.shape[1] == 2 else np.concatenate([W, 0 * W], axis=1)

    def low_rank(self, *, value: bool) -> Table:
        """The rank-one fit in doubles."""
        Z, S, g = (x.astype(float) for x in (self.Z, self.S, self.g))
        return fit_linear_model(Z, S, g if value else None, rank=1).W


def regression(read: Reader) -> Regression:
    """Five samples, two features, two outputs; V linear with non-zero slopes."""
    b = table([(1 + read.below(4)) * (1 if read.below(2) else -1) for _ in range(2)])
    Z = read.numbers(5, 2, most=3)
    return Regression(Z, read.numbers(5, 2, most=4), Quadratic(table([[0, 0], [0, 0]]), b))


def bent(x: Regression) -> Regression:
    """The same samples with V = ½‖s‖² + b·s."""
    return Regression(x.Z, x.S, Quadratic(table([[1, 0], [0, 1]]), x.V.b))


NOISY = Regression(
    table([[1, 0], [0, 1], [1, 1], [1, -1], [2, 1]]),
    table([[1, 0], [0, 3], [2, 2], [0, -3], [2, 4]]),
    Quadratic(table([[0, 0], [0, 0]]), table([1, 4])),
)
DEPENDENT = Regression(table([[1, 1]] * 5), NOISY.S, NOISY.V)

linear_V_is_mse: Claim[Regression] = Claim(
    statement="V linear with all g_j ≠ 0, W unconstrained: VaGraM and least squares have the same minimiser",
    source=PAPER.at("derived"),
    let=decoded(regression),
    assume=[
        Assumption(
            "Z has full rank",
            lambda x: rank(x.Z) == x.Z.shape[1],
            fails_without=DEPENDENT,
        ),
    ],
    then=Eq(lhs=lambda x: x.weighted, rhs=lambda x: x.squares),
    tight=Tight(NOISY, within=0),
    mutants=[
        Mutant("V quadratic", lhs=lambda x: bent(x).weighted),
        Mutant(
            "W of rank one",
            then=Eq(lambda x: x.low_rank(value=True), lambda x: x.low_rank(value=False), F(1, 1000)),
        ),
    ],
    expect=CERTIFIED,
)


# ---- one coordinate only ---------------------------------------------------------------------
@dataclass(frozen=True)
class Phase:
    """Let s' = (αx, βd), x ~ N(0, 1), d ~ N(0, σ²), V = p s₁² + q s₂²; a model predicts one, and 0."""

    alpha: F
    beta: F
    sigma: F
    p: F
    q: F

    @cached_property
    def V(self) -> Quadratic:
        """V."""
        return curved(2 * self.p, 2 * self.q)

    @cached_property
    def states(self) -> Table:
        """(25, 2) nodes of (x, d)."""
        return table([[x, self.sigma * d] for x in NODES for d in NODES])

    @cached_property
    def S(self) -> Table:
        """Next states at the nodes."""
        return np.asarray(self.states * table([self.alpha, self.beta]))

    @property
    def weights(self) -> Table:
        """Their probabilities."""
        return table([a * b for a in PROBS for b in PROBS])

    def losses(self, S_hat: Table) -> tuple[F, F, F]:
        """L_MSE, L_VAML, L_VG of predictions, by the library's losses."""
        e, w = S_hat - self.S, self.weights
        g = np.array([self.V.gradient(s) for s in self.S])
        mse, vg = mse_loss(e, weights=w), value_gradient_loss(g, e, weights=w)
        return F(mse), F(vaml_loss(self.V, S_hat, self.S, weights=w)), F(vg)

    @cached_property
    def without_x(self) -> tuple[F, F, F]:
        """Losses of predicting (0, βd)."""
        return self.losses(self.S * table([0, 1]))

    @cached_property
    def without_d(self) -> tuple[F, F, F]:
        """Losses of predicting (αx, 0)."""
        return self.losses(self.S * table([1, 0]))

    def closed(self, front: int = 12) -> list[F]:
        """α², 3p²α⁴, 12p²α⁴ and β²σ², 3q²β⁴σ⁴, 12q²β⁴σ⁴."""
        a, b = self.alpha**2, (self.beta * self.sigma) ** 2
        return [
            a,
            3 * self.p**2 * a**2,
            front * self.p**2 * a**2,
            b,
            3 * self.q**2 * b**2,
            front * self.q**2 * b**2,
        ]

    @cached_property
    def keeps_x(self) -> list[int]:
        """For each loss: 2 if dropping x costs more, 0 if dropping d does, 1 at a tie."""
        return [1 + (a > b) - (a < b) for a, b in zip(self.without_x, self.without_d, strict=True)]

    @property
    def rules(self) -> tuple[int, int]:
        """|α| against |β|σ, and √p|α| against √q|β|σ, as squares."""
        a, b = self.alpha**2, (self.beta * self.sigma) ** 2
        return 1 + (a > b) - (a < b), 1 + (self.p * a > self.q * b) - (self.p * a < self.q * b)


def phase(read: Reader) -> Phase:
    """q = 0 one time in five; the two scales equal now and then."""
    alpha, beta, sigma = (F(1 + read.below(8), 4) for _ in range(3))
    q = F(0) if read.below(5) == 0 else F(1 + read.below(16), 8)
    return Phase(alpha * (1 if read.below(2) else -1), beta, sigma, F(1 + read.below(16), 8), q)


DISTRACTED = Phase(F(1), F(1), F(2), F(1), F(1, 10))

capacity_phase: Claim[Phase] = Claim(
    statement="dropping x / d costs MSE α² / β²σ², VAML 3p²α⁴ / 3q²β⁴σ⁴, VaGraM 12p²α⁴ / 12q²β⁴σ⁴",
    source=PAPER.at("derived: low capacity and distracting dimensions"),
    let=decoded(phase),
    assume=[],
    then=Eq(lhs=lambda x: [*x.without_x, *x.without_d], rhs=lambda x: x.closed()),
    tight=Tight(DISTRACTED, within=0),
    mutants=[Mutant("4 for 12", rhs=lambda x: x.closed(4))],
    expect=CERTIFIED,
)

capacity_phase_rule: Claim[Phase] = Claim(
    statement="MSE keeps x iff |α| > |β|σ; VAML and VaGraM keep x iff √p|α| > √q|β|σ",
    source=PAPER.at("derived"),
    let=decoded(phase),
    assume=[],
    then=Eq(lhs=lambda x: x.keeps_x, rhs=lambda x: [x.rules[0], x.rules[1], x.rules[1]]),
    tight=Tight(DISTRACTED, within=0),
    named={"V ignores d": Phase(F(1, 8), F(1), F(8), F(1), F(0))},
    mutants=[
        Mutant("rules swapped", rhs=lambda x: [x.rules[1], x.rules[0], x.rules[0]]),
        Mutant("VaGraM like MSE", rhs=lambda x: [x.rules[0], x.rules[1], x.rules[0]]),
    ],
    expect=CERTIFIED,
)


# ---- rank one --------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class RankOne:
    """Let V = s₁² on the population of `Phase`, and W = u v' be any rank-one model ŝ = W(x, d)."""

    alpha: F
    beta: F
    sigma: F
    u: Table
    v: Table

    @cached_property
    def phase(self) -> Phase:
        """p = 1, q = 0."""
        return Phase(self.alpha, self.beta, self.sigma, F(1), F(0))

    def losses(self, W: Table) -> tuple[F, F, F]:
        """L_MSE, L_VAML, L_VG of ŝ = W(x, d)."""
        return self.phase.losses(np.asarray(self.phase.states @ W.T))

    @cached_property
    def any(self) -> tuple[F, F, F]:
        """Losses of u v'."""
        return self.losses(np.asarray(self.u[:, None] * self.v[None, :]))

    @property
    def scales(self) -> tuple[F, F]:
        """α², β²σ²."""
        return self.alpha**2, (self.beta * self.sigma) ** 2

    @cached_property
    def squares(self) -> tuple[F, F, F]:
        """Losses of the least-squares fit: diag(α, 0) or diag(0, β), whichever scale is larger."""
        a, b = self.scales
        return self.losses(table([[self.alpha if a > b else 0, 0], [0, 0 if a > b else self.beta]]))

    @cached_property
    def value(self) -> tuple[F, F, F]:
        """Losses of W = diag(α, 0), which is exact where V looks."""
        return self.losses(table([[self.alpha, 0], [0, 0]]))

    @property
    def full(self) -> tuple[F, F, F]:
        """Losses of the unconstrained fits, which are one: W = diag(α, β)."""
        return self.losses(table([[self.alpha, 0], [0, self.beta]]))

    @cached_property
    def fitted(self) -> tuple[Any, Any]:
        """Losses of the library's rank-one fits: least squares, value gradients."""
        Z, S, w = (x.astype(float) for x in (self.phase.states, self.phase.S, self.phase.weights))
        g = np.array([self.phase.V.gradient(s) for s in self.phase.S]).astype(float)
        fits = [fit_linear_model(Z, S, at, rank=1, weights=w, max_iter=60) for at in (None, g)]
        out = []
        for fit in fits:
            S_hat = fit(Z)
            out.append(
                (
                    mse_loss(S_hat - S, weights=w),
                    vaml_loss(lambda s: s[0] ** 2, S_hat, S, weights=w),
                    fit.loss,
                )
            )
        return out[0], out[1]


def rank_one(read: Reader) -> RankOne:
    """Scales apart; u v' random, or near one of the fits."""
    alpha, beta = F(1 + read.below(8), 4), F(1 + read.below(8), 4)
    sigma = F(1 + read.below(8), 4)
    if alpha == beta * sigma:
        sigma *= 2
    u, v = read.numbers(2, most=2, denominator=2), read.numbers(2, most=2, denominator=2)
    if read.below(2):
        first = alpha > beta * sigma
        u, v = table([1, 0] if first else [0, 1]) + u / 16, table([alpha, 0] if first else [0, beta]) + v / 16
    return RankOne(alpha, beta, sigma, u, v)


E1, E2 = table([1, 0]), table([0, 1])
SPREAD = RankOne(F(4, 5), F(1), F(2), E2, E2)
QUIET = RankOne(F(4, 5), F(1), HALF, E1, F(4, 5) * E1)

rank1_lq_optimum: Claim[RankOne] = Claim(
    statement="every rank-one W has L_MSE ≥ min(α², β²σ²), the loss of the fit diag(α, 0) or diag(0, β)",
    source=PAPER.at("derived (Eckart and Young's theorem on this population)"),
    let=decoded(rank_one),
    assume=[],
    then=Leq(lhs=lambda x: [min(x.scales), x.squares[0]], rhs=lambda x: [x.any[0], min(x.scales)]),
    tight=Tight([SPREAD, QUIET], within=0),
    mutants=[
        Mutant("≥ max(α², β²σ²)", lhs=lambda x: [max(x.scales), x.squares[0]]),
        Mutant("rank one reaches 0", rhs=lambda x: [x.any[0], F(0)]),
    ],
    expect=CERTIFIED,
)


def expected(x: RankOne) -> list[F]:
    """1 + L_VAML of least squares, 1 + L_VG and 1 + L_VAML of the value-gradient fit."""
    a, b = x.scales
    return [1 + (3 * a**2 if b > a else F(0)), F(1), F(1)]


rank1_lq: Claim[RankOne] = Claim(
    statement="V = s₁², rank one: least squares has L_VAML = 3α⁴ if |β|σ > |α|, else 0; VaGraM reaches 0",
    source=PAPER.at("derived"),
    let=decoded(rank_one),
    assume=[],
    then=Eq(lhs=lambda x: [1 + x.squares[1], 1 + x.value[2], 1 + x.value[1]], rhs=expected),
    tight=Tight([SPREAD, QUIET], within=0),
    mutants=[
        Mutant(
            "full rank: the two differ in L_VAML",
            then=Leq(lambda x: F(1), lambda x: 1000 * abs(x.full[1] - x.full[2])),
        ),
        Mutant(
            "least squares has L_VAML > 0 also for |β|σ < |α|",
            then=Leq(lambda x: F(1, 1000), lambda x: x.squares[1]),
        ),
    ],
    expect=CERTIFIED,
)

rank1_lq_fits: Claim[RankOne] = Claim(
    statement="alternating fits find this: L_VAML 3α⁴ or 0 for least squares, L_VG ≤ 1e−20 for VaGraM",
    source=PAPER.at("derived; low-rank fits are not convex and are restarted"),
    let=decoded(rank_one),
    assume=[],
    then=Eq(
        lhs=lambda x: [1 + x.fitted[0][1], 1 + x.fitted[1][2] * 1e12, 1 + x.fitted[1][1]],
        rhs=expected,
        within=F(1, 10**8),
    ),
    tight=Tight([SPREAD, QUIET], within=0),
    mutants=[
        Mutant(
            "VaGraM keeps the larger scale as well",
            then=Leq(lambda x: x.fitted[1][0], lambda x: float(min(x.scales)) + 1e-6),
        ),
    ],
    expect=SUPPORTED,
    draws=50,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
