"""The trapezoid's error in the value of a linear policy: leading term, remainder, Peano kernel."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb_mat

from rltheory.checks import CERTIFIED, Claim, Leq, Loose, Mutant, Reader, Tight, decoded, run_module
from rltheory.kernels import ball, lq
from rltheory.kernels.exact import from_fmpq_mat, to_fmpq_mat

from .evaluation import Loop, benchmark, loop
from .setting import PAPER, Table, enclosed, full_lyapunov, inverse_norm, spd, stable, table


def _remainder(x: Loop, share: F = F(1, 12)) -> Any:
    """‖P̂ − P + share·h²·𝓛_F(M)‖₂."""
    W = x.by_trapezoid - lq.ball_matrix(x.true)
    return lq.norm(W + lq.scaled(lq.ball_matrix(x.lie(x.Mq)), share * x.h**2))


def _pulled_back(x: Loop) -> Any:
    """The same with 𝓛⁻¹𝓛(M) = M in place of 𝓛(M)."""
    W = x.by_trapezoid - lq.ball_matrix(x.true)
    return lq.norm(W + lq.scaled(lq.ball_matrix(x.Mq), x.h**2 / 12))


trapezoid_leading_constant: Claim[Loop] = Claim(
    statement="‖P̂ − P + (h²/12)𝓛_F(M)‖₂ ≤ (h⁴/384)‖𝓛_F⁴(M)‖₂‖X_F‖₂, 𝓛_F(X_F) = −I",
    source=PAPER.at("section 4; Euler–Maclaurin, derived"),
    let=decoded(lambda read: loop(read, False), 70),
    assume=[],
    then=Leq(
        lhs=enclosed(_remainder),
        rhs=enclosed(
            lambda x: ball.to_arb(x.h) ** 4 / 384 * ball.to_arb(lq.norm(x.lie(x.Mq, 4))) * inverse_norm(x.Fq)
        ),
    ),
    tight=Loose(0.5, "scalar systems see the mean of the kernel, 1/720, not its largest value, 1/384"),
    named={"third order, K = 0": benchmark(F(1, 20), 2)},
    mutants=[
        Mutant("1/24", lhs=enclosed(lambda x: _remainder(x, F(1, 24)))),
        Mutant("with 𝓛⁻¹, as for a perturbation of P", lhs=enclosed(_pulled_back)),
        Mutant(
            "h⁵",
            rhs=enclosed(
                lambda x: (
                    ball.to_arb(x.h) ** 5 / 384 * ball.to_arb(lq.norm(x.lie(x.Mq, 4))) * inverse_norm(x.Fq)
                )
            ),
        ),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True, eq=False)
class Peano:
    """Let N be symmetric and M = 𝓛_F⁻²(N), so that the trapezoid's error is ∫κ_h(t)e^{Fᵀt}Ne^{Ft}dt."""

    drift: Table
    N: Table
    h: F

    @cached_property
    def x(self) -> Loop:
        """The system."""
        Fq = to_fmpq_mat(self.drift)
        M = full_lyapunov(Fq, full_lyapunov(Fq, to_fmpq_mat(self.N)))
        return Loop(self.drift, from_fmpq_mat(M), self.h, 2)

    @cached_property
    @enclosed
    def W(self) -> arb_mat:
        """P̂ − P."""
        return self.x.by_trapezoid - lq.ball_matrix(self.x.true)

    @property
    def positive(self) -> bool:
        """N ⪰ 0 (N ≻ 0, or the corner e₁e₁ᵀ)."""
        N = to_fmpq_mat(self.N)
        rest = self.N.copy()
        rest[0, 0] = F(0)
        return lq.positive_definite(N) or (self.N[0, 0] > 0 and not rest.any())

    @enclosed
    def bound(self, share: F) -> Any:
        """share·h²·‖N‖₂‖X_F‖₂."""
        size = ball.to_arb(lq.norm(to_fmpq_mat(self.N))) * ball.to_arb(inverse_norm(to_fmpq_mat(self.drift)))
        return ball.to_arb(share * self.h**2) * size

    @enclosed
    def sides(self, always: bool = False) -> list[Any]:
        """‖W‖₂, and −λ_min(W) where N ⪰ 0."""
        if lq.positive_definite(self.W) or not (always or self.positive):
            return [lq.norm(self.W), -1]
        return [lq.norm(self.W), -lq.extreme_eigenvalues(self.W)[0]]


def peano(read: Reader) -> Peano:
    """N positive definite or not."""
    n = 1 + read.below(3)
    G = read.numbers(n, n, most=2, denominator=2)
    N = spd(read, n) if read.below(2) else (G + G.T) / 2
    return Peano(stable(read, n), N if N.any() else spd(read, n), read.pick((F(1, 8), F(1, 2), F(1), F(2))))


def non_normal(n: int, c: int = 100) -> Peano:
    """−I + c·(ones above the diagonal), N = e₁e₁ᵀ, h = 2n − 1: near the largest value of κ_h."""
    Fm = -np.eye(n, dtype=int) + c * np.eye(n, k=1, dtype=int)
    corner = np.zeros((n, n), dtype=int)
    corner[0, 0] = 1
    return Peano(table(Fm), table(corner), F(2 * n - 1))


trapezoid_peano: Claim[Peano] = Claim(
    statement="W = ∫κ_h(t)e^{Fᵀt}N e^{Ft}dt, N = 𝓛_F²(M): ‖W‖₂ ≤ (h²/8)‖N‖₂‖X_F‖₂, and N ⪰ 0 ⇒ W ⪰ 0",
    source=PAPER.at("section 4; Peano kernel s(h − s)/2, derived"),
    let=decoded(peano, 70),
    assume=[],
    then=Leq(lhs=lambda s: s.sides(), rhs=lambda s: [s.bound(F(1, 8)), 0]),
    tight=Tight(non_normal(5), within=0.107),
    named={f"n = {n}": non_normal(n) for n in (2, 3, 4)},
    mutants=[
        Mutant("h²/12", rhs=lambda s: [s.bound(F(1, 12)), 0]),
        Mutant("h²/24", rhs=lambda s: [s.bound(F(1, 24)), 0]),
        Mutant("W ⪰ 0 always", lhs=lambda s: s.sides(True)),
    ],
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
