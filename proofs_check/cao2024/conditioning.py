"""The bound on policy evaluation from data by ‖Θ⁺‖, and the size of one row's error."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

from flint import arb, fmpq_mat

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Leq,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.kernels import ball, lq
from rltheory.kernels.exact import to_fmpq, to_fmpq_mat

from .evaluation import Loop, loop
from .setting import PAPER, Table, enclosed, rule_of, table


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """Let Θ have full column rank, ω̂ = Θ⁺(Ξ + δ), ω = Θ⁺Ξ."""

    Theta: Table
    delta: Table

    @cached_property
    def gram(self) -> fmpq_mat:
        """ΘᵀΘ."""
        T = to_fmpq_mat(self.Theta)
        return T.transpose() * T

    @property
    def full_rank(self) -> bool:
        """Whether ΘᵀΘ ≻ 0."""
        return lq.positive_definite(self.gram)

    @property
    def error(self) -> Any:
        """‖ω̂ − ω‖²."""
        T, d = to_fmpq_mat(self.Theta), to_fmpq_mat(self.delta)
        move = self.gram.solve(T.transpose() * d)
        return (move.transpose() * move)[0, 0]

    @enclosed
    def bounds(self, kind: str) -> list[Any]:
        """‖Θ⁺‖²‖δ‖² and ‖Θ⁺‖²·m·max δ²; ‖Θ⁺‖ replaced by 1 or ‖Θ‖ for the mutants."""
        low, high = lq.extreme_eigenvalues(self.gram)
        factor = {"pinv": 1 / low, "none": to_fmpq(1), "norm": high}[kind]
        squares = [v * v for v in self.delta.reshape(-1)]
        sizes = [sum(squares, F(0)), len(squares) * max(squares)]
        if isinstance(factor, arb):
            return [factor * ball.to_arb(v) for v in sizes]
        return [factor * to_fmpq(v) for v in sizes]


def least_squares(read: Reader) -> LeastSquares:
    """Up to three unknowns, up to two rows more; near-dependent columns now and then."""
    p = 1 + read.below(3)
    Theta = read.numbers(p + read.below(3), p, most=2, denominator=2)
    if p > 1 and read.below(3) == 0:
        Theta[:, 1] = Theta[:, 0] + Theta[:, 1] / 16
    return LeastSquares(Theta, read.numbers(len(Theta), 1, most=2, denominator=4))


ADVERSARIAL = LeastSquares(table([[2, 0], [0, F(1, 4)], [0, 0]]), table([[0], [F(1, 8)], [0]]))

pev_bound: Claim[LeastSquares] = Claim(
    statement="‖ω̂ − ω‖₂ ≤ ‖Θ⁺‖₂‖δΞ‖₂ ≤ √m_r‖Θ⁺‖₂ max_k|δ_k|  (squares compared)",
    source=PAPER.at("section 3, error of policy evaluation"),
    let=decoded(least_squares, 60),
    assume=[
        Assumption(
            "Θ has full column rank",
            lambda s: s.full_rank,
            NotShown("without it ω̂ is not determined"),
        )
    ],
    then=Leq(lhs=lambda s: s.error, rhs=lambda s: s.bounds("pinv")),
    tight=Tight(ADVERSARIAL, within=0),
    mutants=[
        Mutant("without ‖Θ⁺‖", rhs=lambda s: s.bounds("none")),
        Mutant("with ‖Θ‖", rhs=lambda s: s.bounds("norm")),
    ],
    expect=CERTIFIED,
)


# ---- one row -----------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Row:
    """Let l(t) = x(t)ᵀMx(t), ẋ = Fx, x(0) = x0, on one window of N nodes."""

    x: Loop
    x0: Table

    @cached_property
    @enclosed
    def error(self) -> arb:
        """|Σ w_i l(t_i) − ∫l|, the integral from the rational P: x(0)ᵀPx(0) − x(T)ᵀPx(T)."""
        rule = rule_of((self.x.N - 1) * self.x.h, self.x.N, "trapezoid")
        start = lq.ball_matrix(to_fmpq_mat(self.x0))
        path = [E * start for E in lq.flows(lq.ball_matrix(self.x.Fq), [F(t) for t in rule.nodes])]
        M, P = lq.ball_matrix(self.x.Mq), lq.ball_matrix(self.x.true)
        values = [(y.transpose() * M * y)[0, 0] for y in path]
        total = sum((w * v for w, v in zip(rule.balls(), values, strict=True)), arb(0))
        first, last = path[0], path[-1]
        return abs(total - (first.transpose() * P * first)[0, 0] + (last.transpose() * P * last)[0, 0])

    @enclosed
    def bound(self, share: F = F(1, 12)) -> arb:
        """share·T·h²·max|l̈|, l̈ = xᵀ𝓛²(M)x bounded on 32 pieces of the window."""
        T, pieces = (self.x.N - 1) * self.x.h, 32
        start = lq.ball_matrix(to_fmpq_mat(self.x0))
        second = lq.ball_matrix(self.x.lie(self.x.Mq, 2))
        half = ball.to_arb(T / (2 * pieces))
        sizes = []
        for k in range(pieces):
            middle = ball.to_arb(T * (2 * k + 1) / (2 * pieces))
            y = (lq.ball_matrix(self.x.Fq) * (middle + arb(0, half))).exp() * start
            sizes.append(abs((y.transpose() * second * y)[0, 0]).upper())
        return ball.to_arb(share * T * self.x.h**2) * ball.maximum(sizes)


def row(read: Reader) -> Row:
    """Random stable systems and states."""
    x = loop(read, False)
    x0 = read.numbers(x.n, 1, most=2, denominator=2)
    x0[0, 0] += 0 if x0.any() else 1
    return Row(x, x0)


SLOW = Row(Loop(table([[F(-1, 16)]]), table([[1]]), F(1, 8), 2), table([[1]]))

pev_bound_row: Claim[Row] = Claim(
    statement="trapezoid: |δ_k| ≤ T h² max|l̈|/12 on every window",
    source=PAPER.at("section 3, error of the trapezoidal rule"),
    let=decoded(row, 80),
    assume=[],
    then=Leq(lhs=lambda s: s.error, rhs=lambda s: s.bound()),
    tight=Tight(SLOW, within=0.03),
    mutants=[
        Mutant("1/24", rhs=lambda s: s.bound(F(1, 24))),
        Mutant("h³", rhs=lambda s: s.bound(s.x.h / 12)),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
