"""Newton's method with bounded errors: what an iteration with quadrature can at worst converge to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from flint import arb

from rltheory.checks import CERTIFIED, Assumption, Claim, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.kernels import ball, lq
from rltheory.kernels.exact import to_fmpq_mat

from .setting import (
    PAPER,
    System,
    Table,
    enclosed,
    inverse_norm,
    is_stable,
    scalar,
    system,
    table,
    third_order,
)

SHY = 1 - F(1, 1 << 40)
"""W is taken this much smaller than ε: rounding an iterate to its ball's midpoint is then a part of W."""


@dataclass(frozen=True, eq=False)
class Bounded:
    """Let ‖W_i‖₂ ≤ ε, P_{i+1} = Newton(P_i) + W_i, k = ‖S‖₂‖X*‖₂."""

    x: System
    E: Table
    eps: F
    shapes: tuple[Table, ...]
    steps: int = 12

    @cached_property
    @enclosed
    def k(self) -> Any:
        """‖S‖₂‖X*‖₂."""
        return ball.to_arb(lq.norm(self.x.S)) * ball.to_arb(inverse_norm(self.x.loop(self.x.star)))

    @property
    @enclosed
    def small(self) -> bool:
        """Whether kε ≤ 1 − √3/2, the smaller root of (1 + 2z)² = 12z; beyond the larger is too much."""
        return bool(self.k * ball.to_arb(self.eps) < 1 - arb(3).sqrt() / 2)

    @cached_property
    @enclosed
    def roots(self) -> tuple[Any, Any]:
        """(r₋, 6k·r₊); r₋ = 2ε/[(1 + 2kε) + √((1 + 2kε)² − 12kε)]."""
        ke = self.k * ball.to_arb(self.eps)
        both = 1 + 2 * ke + ((1 + 2 * ke) ** 2 - 12 * ke).sqrt()
        return 2 * ball.to_arb(self.eps) / both, both

    @property
    @enclosed
    def near(self) -> bool:
        """‖E_0‖ < .9 r₊; True where r₊ does not exist, so that one assumption breaks at a time."""
        return not self.small or bool(
            60 * self.k * ball.to_arb(lq.norm(to_fmpq_mat(self.E))) < 9 * self.roots[1]
        )

    @cached_property
    @enclosed
    def run(self) -> tuple[list[Any], int]:
        """(‖E_i‖ for i = 1.., number of iterates with A_P not stable)."""
        star = lq.ball_matrix(self.x.star)
        P = (star + lq.ball_matrix(to_fmpq_mat(self.E))).mid()
        out: list[Any] = []
        for i in range(self.steps):
            if not is_stable(self.x.loop(P)):
                return [*out, *[arb(0)] * (self.steps - len(out))], 1
            W = self.shapes[i % len(self.shapes)]
            size = lq.norm(to_fmpq_mat(W))
            unit = ball.to_arb(size) if size != 0 else arb(1)
            W_i = lq.ball_matrix(to_fmpq_mat(W)) * (ball.to_arb(self.eps * SHY) / unit)
            P = (lq.lyapunov(self.x.loop(P), self.x.cost(P)) + W_i).mid()
            out.append(lq.norm(P - star))
        return out, int(not is_stable(self.x.loop(P)))

    @property
    @enclosed
    def eps_ball(self) -> Any:
        """ε as a ball."""
        return ball.to_arb(self.eps)

    def sequence(self, growth: int) -> list[Any]:
        """ρ⁺ = kρ²/(1 − growth·kρ) + ε from ρ = ‖E_0‖; 10⁶ where it makes no sense."""
        rho, out = ball.to_arb(lq.norm(to_fmpq_mat(self.E))), []
        for _ in range(self.steps):
            room = 1 - growth * self.k * rho
            rho = self.k * rho * rho / room + self.eps_ball if room > 0 else arb(10) ** 6
            out.append(rho)
        return out

    @cached_property
    @enclosed
    def majorant(self) -> list[Any]:
        """ρ_1, ρ_2, … with growth 2: they tend to r₋."""
        return self.sequence(2)

    @cached_property
    @enclosed
    def optimistic(self) -> list[Any]:
        """The same with growth 0."""
        return self.sequence(0)


def bounded(read: Reader) -> Bounded:
    """ε a share of the largest allowed, or far too large; W random, or ±εI."""
    x = system(read)
    with ball.precision(64):
        k = float((ball.to_arb(lq.norm(x.S)) * ball.to_arb(inverse_norm(x.loop(x.star)))).mid())
    scale = F(1 << 20, max(1, int(k * (1 << 20)))) if k > 0 else F(1)
    eps = scale * F(1 + read.below(64), 512) * read.pick((1, 1, 1, 16))
    eye = table([[int(i == j) for j in range(x.n)] for i in range(x.n)])
    shapes = [eye, -eye][: 1 + read.below(2)] if read.below(2) else []
    for _ in range(0 if shapes else 3):
        G = read.numbers(x.n, x.n, most=2, denominator=2)
        shapes.append(G + G.T)
    H = read.numbers(x.n, x.n, most=1, denominator=8)
    return Bounded(x, (H + H.T) * scale / (8 * x.n), eps, tuple(shapes), 8)


def from_optimum(s: Bounded) -> Bounded:
    """The same from P_0 = P*."""
    return Bounded(s.x, 0 * s.E, s.eps, s.shapes, s.steps)


def constant_error(eps: F, sign: int = 1, x: System | None = None, steps: int = 30) -> Bounded:
    """W ≡ ±εI from P*."""
    x = x or scalar(0, 1, 1, 1, 1)
    eye = table([[int(i == j) for j in range(x.n)] for i in range(x.n)])
    return Bounded(x, 0 * eye, eps, (sign * eye,), steps)


FROM_BELOW = Bounded(scalar(0, 1, 1, 1, 1), table([[F(-1, 8)]]), F(1, 100), (table([[1]]),), 6)
"""E_0 < 0 and W = +εI: the first step attains the majorant."""
SMALL = Assumption[Bounded]("kε ≤ 1 − √3/2", lambda s: s.small, constant_error(F(11, 10), -1, steps=4))

inexact_newton_bound: Claim[Bounded] = Claim(
    statement=(
        "‖W_i‖ ≤ ε, kε ≤ 1 − √3/2, ‖E_0‖ < r₊: every A_{P_i} is stable and ‖E_i‖ ≤ ρ_i → r₋, "
        "ρ⁺ = kρ²/(1 − 2kρ) + ε, r_∓ = [(1 + 2kε) ∓ √((1 + 2kε)² − 12kε)]/(6k)"
    ),
    source=PAPER.at("section 3, inexact Newton; constants derived"),
    let=decoded(bounded, 110),
    assume=[
        SMALL,
        Assumption(
            "‖E_0‖ < .9 r₊",
            lambda s: s.near,
            Bounded(scalar(0, 1, 1, 1, 1), table([[F(-11, 10)]]), F(1, 100), (table([[1]]),), 4),
        ),
    ],
    then=Leq(lhs=lambda s: [s.run[1], *s.run[0]], rhs=lambda s: [0, *s.majorant]),
    tight=Tight(FROM_BELOW, within=1e-9),
    mutants=[
        Mutant("every ε keeps stability", drop=SMALL.says),
        Mutant("ρ⁺ = kρ² + ε", rhs=lambda s: [0, *s.optimistic]),
    ],
    expect=CERTIFIED,
    draws=60,
)

inexact_newton_bound_limit: Claim[Bounded] = Claim(
    statement="from P_0 = P*, with ‖W_i‖ ≤ ε and kε ≤ 1 − √3/2: sup_i ‖E_i‖ ≤ r₋ = ε(1 + kε + O(ε²))",
    source=PAPER.at("section 3, inexact Newton; constants derived"),
    let=decoded(lambda read: from_optimum(bounded(read)), 110),
    assume=[SMALL],
    then=Leq(lhs=lambda s: [s.run[1], *s.run[0]], rhs=lambda s: [0, *[s.roots[0]] * s.steps]),
    tight=Tight(constant_error(F(1, 100)), within=1e-3),
    named={
        "third order, W = .02 I": constant_error(F(1, 50), x=third_order(), steps=20),
        "third order, W = .001 I": constant_error(F(1, 1000), x=third_order(), steps=12),
        "third order, W = .0001 I": constant_error(F(1, 10000), x=third_order(), steps=12),
    },
    mutants=[
        Mutant("sup ≤ ε", rhs=lambda s: [0, *[s.eps] * s.steps]),
        Mutant(
            "sup ≤ ε(1 + kε/2)",
            rhs=enclosed(lambda s: [0, *[s.eps_ball * (1 + s.k * s.eps_ball / 2)] * s.steps]),
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
