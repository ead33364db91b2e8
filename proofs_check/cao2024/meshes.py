"""What the mesh does to the whole iteration: fixed points, realised cost, and meshes too coarse for any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq_mat

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Mutant,
    NotShown,
    Rate,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.kernels import ball, lq
from rltheory.kernels.exact import to_fmpq_mat

from .setting import (
    PAPER,
    System,
    Table,
    enclosed,
    entries,
    fixed_point,
    full_lyapunov,
    is_stable,
    rule_of,
    scalar,
    spd,
    stable,
    system,
    table,
    third_order,
)

MESHES = (20, 40, 80, 160)
"""1/h."""


def eye(n: int) -> Table:
    """The identity."""
    return table([[int(i == j) for j in range(n)] for i in range(n)])


BENCHMARK: Every[System] = Every("the third-order benchmark", 1, [third_order()])


@lru_cache(maxsize=16)
@enclosed
def limit(n: int) -> arb_mat:
    """P̂_∞ − P* of the trapezoid with h = 1/n on the third-order benchmark."""
    x = third_order()
    return fixed_point(x, rule_of(F(1, n), 2, "trapezoid")) - x.star


@enclosed
def leading(scale: F = F(-1, 12)) -> arb_mat:
    """scale·(A*ᵀM* + M*A*)."""
    x = third_order()
    As, M = x.loop(x.star), x.cost(x.star)
    return lq.scaled(As.transpose() * M + M * As, scale)


def power(c: F, order: float, first: int = MESHES[0], sharp: float | None = None) -> Callable[[int], Any]:
    """C·h^order, or the sharper order anchored at the first mesh."""
    exact = int(order)
    if sharp is None:
        return lambda n: c / F(n) ** exact
    return lambda n: c / F(first) ** exact * F((n / first) ** -sharp)


trapezoid_leading_constant_limit: Claim[System] = Claim(
    statement="IntRL by trapezoid, third order: ‖P̂_∞ − P*‖_F ≤ 1.8894 h² for h = 1/20, …, 1/160",
    source=PAPER.at("theorem on the trapezoidal rule, O(N⁻²); constant derived"),
    let=BENCHMARK,
    assume=[],
    then=Rate(
        lhs=enclosed(lambda x, n: lq.frobenius(limit(n))),
        rhs=power(F(18894, 10000), 2),
        over=MESHES,
        resolution=0.05,
    ),
    tight=Tight(third_order(), within=1e-4),
    mutants=[
        Mutant("half the constant", rhs=power(F(9447, 10000), 2)),
        Mutant("order 2.05", rhs=power(F(18894, 10000), 2, sharp=2.05)),
        Mutant("order 3", rhs=power(F(18894, 10000), 2, sharp=3.0)),
    ],
    expect=CERTIFIED,
)

trapezoid_leading_constant_remainder: Claim[System] = Claim(
    statement="… and P̂_∞ − P* = −(h²/12)(A*ᵀM* + M*A*) + at most 2.87 h⁴ for h = 1/10, …, 1/160",
    source=PAPER.at("derived: Newton's method kills the first-order dependence on P"),
    let=BENCHMARK,
    assume=[],
    then=Rate(
        lhs=enclosed(lambda x, n: lq.frobenius(limit(n) - lq.scaled(leading(), F(1, n * n)))),
        rhs=power(F(287, 100), 4),
        over=(10, *MESHES),
        resolution=0.05,
    ),
    tight=Tight(third_order(), within=5e-3),
    mutants=[
        Mutant(
            "constant 1/24",
            lhs=enclosed(lambda x, n: lq.frobenius(limit(n) - lq.scaled(leading(F(-1, 24)), F(1, n * n)))),
        ),
        Mutant(
            "𝓛⁻¹ in the constant, as for a perturbation of P",
            lhs=enclosed(lambda x, n: lq.frobenius(limit(n) + lq.scaled(x.cost(x.star), F(1, 12 * n * n)))),
        ),
    ],
    expect=CERTIFIED,
)


# ---- realised cost -------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Gain:
    """Let K̂ stabilise; J(K̂) is its cost matrix, K* = R⁻¹BᵀP*."""

    x: System
    move: Table

    @property
    def K(self) -> Table:
        """K̂ = K* + move."""
        return self.x.model.gain(np.asarray(self.x.best)) + self.move

    @property
    def loop(self) -> fmpq_mat:
        """A − BK̂."""
        return to_fmpq_mat(self.x.model.closed_loop(self.K))

    @cached_property
    def gap(self) -> list[Any]:
        """J(K̂) − P*, from the cost of K̂."""
        return entries(full_lyapunov(self.loop, to_fmpq_mat(self.x.model.cost(self.K))) - self.x.star)

    def predicted(self, weight: Table | None = None) -> list[Any]:
        """Z with 𝓛_{A−BK̂}(Z) = −(K̂ − K*)ᵀR(K̂ − K*)."""
        R = self.x.model.R if weight is None else weight
        return entries(lq.lyapunov(self.loop, to_fmpq_mat(self.move.T @ R @ self.move)))


def gain(read: Reader) -> Gain:
    """Moves small and large."""
    x = system(read)
    return Gain(x, read.numbers(x.model.m, x.n, most=2, denominator=read.pick((1, 8))))


realised_cost_second_order: Claim[Gain] = Claim(
    statement="K̂ stabilising: J(K̂) − P* = Z, 𝓛_{A−BK̂}(Z) = −(K̂ − K*)ᵀR(K̂ − K*): of second order",
    source=PAPER.at("derived; the published curves show tr((P̂ − P*)Σ)"),
    let=decoded(gain, 90),
    assume=[
        Assumption(
            "A − BK̂ is stable",
            lambda s: is_stable(s.loop),
            NotShown("the identity is algebraic; stability makes J the cost"),
        )
    ],
    then=Eq(lhs=lambda s: s.gap, rhs=lambda s: s.predicted()),
    tight=Tight(Gain(scalar(0, 1, 1, 1, 1), table([[F(1, 2)]])), within=0),
    mutants=[
        Mutant("twice that", rhs=lambda s: [2 * v for v in s.predicted()]),
        Mutant("(K̂ − K*)ᵀ(K̂ − K*)", rhs=lambda s: s.predicted(eye(s.x.model.m))),
    ],
    expect=CERTIFIED,
)


@enclosed
def realised(n: int) -> arb:
    """Tr Z for the greedy gain of P̂_∞, h = 1/n."""
    x = third_order()
    D = limit(n)
    dK = lq.ball_matrix(to_fmpq_mat(x.model.B)).transpose() * D
    Z = lq.lyapunov(x.loop(x.star + D), dK.transpose() * dK)
    return Z[0, 0] + Z[1, 1] + Z[2, 2]


realised_cost_second_order_rate: Claim[System] = Claim(
    statement="IntRL by trapezoid, third order: the realised gap is tr Z ≤ .42361 h⁴ for h = 1/20, …, 1/160",
    source=PAPER.at("derived"),
    let=BENCHMARK,
    assume=[],
    then=Rate(lhs=lambda x, n: realised(n), rhs=power(F(42361, 100000), 4), over=MESHES, resolution=0.05),
    tight=Tight(third_order(), within=1e-4),
    mutants=[
        Mutant(
            "the gap decays like h², as the plots of learned values suggest",
            then=Leq(
                lhs=lambda x: [F(1, 1000 * n * n) for n in MESHES],
                rhs=lambda x: [realised(n) for n in MESHES],
            ),
        ),
        Mutant("order 4.05", rhs=power(F(42361, 100000), 4, sharp=4.05)),
    ],
    expect=CERTIFIED,
)


# ---- coarse meshes -------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Let P ≻ 0 be a stabilising fixed point of trapezoidal IntRL, R = ρI: Q follows from the rest."""

    A: Table
    B: Table
    R: Table
    h: F
    P: Table

    @cached_property
    def S(self) -> Table:
        """BR⁻¹Bᵀ."""
        return self.B @ self.B.T / self.R[0, 0]

    @property
    def stabilising(self) -> bool:
        """A − SP stable."""
        return is_stable(to_fmpq_mat(self.A - self.S @ self.P))

    @cached_property
    @enclosed
    def Q(self) -> arb_mat:
        """M − PSP, where M + ΦᵀMΦ = (2/h)(P − ΦᵀPΦ), Φ = e^{A_P h}."""
        P, S = (lq.ball_matrix(to_fmpq_mat(X)) for X in (self.P, self.S))
        Phi = lq.scaled(lq.ball_matrix(to_fmpq_mat(self.A)) - S * P, self.h).exp()
        rhs = lq.scaled(P - Phi.transpose() * P * Phi, 2 / self.h)
        # X + ΦᵀXΦ = W: with Ψ = Φ², X − ΨᵀXΨ = W − ΦᵀWΦ
        return lq.stein(Phi * Phi, rhs - Phi.transpose() * rhs * Phi) - P * S * P

    @property
    @enclosed
    def positive(self) -> bool:
        """Q ≻ 0."""
        return lq.positive_definite(self.Q)

    @property
    @enclosed
    def index(self) -> arb:
        """h²λ_min(R^{−½}BᵀQBR^{−½}); R is a multiple of the identity."""
        B = lq.ball_matrix(to_fmpq_mat(self.B))
        low = lq.extreme_eigenvalues(B.transpose() * self.Q * B)[0]
        return low * ball.to_arb(self.h**2 / self.R[0, 0])

    def survives(self, times: F) -> int:
        """1 if the iteration from this P converges at h' = times·h/√index; 0 if stability is lost."""
        with ball.precision(BITS_RUN):
            index = self.index
            if not index > 0:
                return 1
            wanted = ball.to_arb(self.h * times) / index.sqrt()
            h = F(float(wanted.mid()))
            A, S = (lq.ball_matrix(to_fmpq_mat(X)) for X in (self.A, self.S))
            P, Q = lq.ball_matrix(to_fmpq_mat(self.P)), self.Q.mid()
            for _ in range(400):
                loop = A - S * P
                if not is_stable(loop):
                    return 0
                try:
                    new = lq.quadrature_step(A, S, Q, P, h, [F(0), h], [h / 2, h / 2]).mid()
                except ZeroDivisionError:
                    return 0
                if lq.frobenius(new - P) < arb(10) ** -20:
                    return 1
                P = new
            return 0


BITS_RUN = 128


def coarse(read: Reader) -> FixedPoint:
    """A closed loop and P ≻ 0 first; often P is a multiple of what makes Q ≻ 0."""
    n = 1 + read.below(2)
    B = read.numbers(n, 1 if n == 1 else 1 + read.below(2), most=2, denominator=2)
    R = eye(B.shape[1]) * read.pick((F(1), F(1, 2), F(2)))
    loop, P = stable(read, n), spd(read, n)
    S = B @ B.T / R[0, 0]
    h = read.pick((F(1, 8), F(1, 4), F(1, 2), F(1), F(2)))
    return FixedPoint(loop + S @ P, B, R, h, P * read.pick((F(1), F(1, 4), F(1, 16))))


def one_state(a: F, v: F) -> FixedPoint:
    """B = R = h = 1, k = v."""
    return FixedPoint(table([[a]]), table([[1]]), table([[1]]), F(1), table([[v]]))


coarse_grid_divergence: Claim[FixedPoint] = Claim(
    statement="a stabilising fixed point of trapezoidal IntRL with Q ≻ 0 needs h²λ_min(R^{−½}BᵀQBR^{−½}) ≤ 1",
    source=PAPER.at("derived: P̂ ⪰ (h/2)(Q + P̂SP̂)"),
    let=decoded(coarse, 80),
    assume=[
        Assumption("A_P is stable", lambda s: s.stabilising, NotShown("scalars obey the bound without it")),
        Assumption(
            "Q ≻ 0", lambda s: not s.stabilising or s.positive, NotShown("the index is positive then")
        ),
    ],
    then=Leq(lhs=lambda s: s.index, rhs=lambda s: 1),
    tight=Tight(one_state(F(-10), F(1)), within=1e-4),
    mutants=[
        Mutant("converges for every h", then=Leq(lhs=lambda s: 1, rhs=lambda s: s.survives(F(5, 4)))),
        Mutant("twice the threshold will do", then=Leq(lhs=lambda s: 1, rhs=lambda s: s.survives(F(7, 4)))),
    ],
    expect=CERTIFIED,
    draws=60,
)


@dataclass(frozen=True, eq=False)
class Integrator:
    """ẋ = bu: v = bkh for a fixed-point gain k, so that h²b²q/r = 2v tanh v − v²."""

    v: F

    @enclosed
    def index(self, twice: int = 1) -> arb:
        """2v tanh(twice·v) − v²."""
        v = ball.to_arb(self.v)
        return 2 * v * (twice * v).tanh() - v * v


coarse_grid_divergence_integrator: Claim[Integrator] = Claim(
    statement="ẋ = bu: trapezoidal IntRL has a fixed point only for h√(q/r)|b| ≤ .748846553114",
    source=PAPER.at("derived: k = (b/r)(q + rk²)(h/2)coth(bkh)"),
    let=decoded(lambda read: Integrator(F(256 * read.below(4) + read.byte() + 1, 256)), 2),
    assume=[],
    then=Leq(lhs=lambda s: s.index(), rhs=lambda s: F(748846553114, 10**12) ** 2),
    tight=Tight(Integrator(F(119967863, 10**8)), within=1e-11),
    mutants=[
        Mutant("a smaller one", rhs=lambda s: F(74, 100) ** 2),
        Mutant("tanh 2v", lhs=lambda s: s.index(2)),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
