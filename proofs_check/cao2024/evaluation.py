"""What a quadrature rule does to the value of a linear policy: consistency, and the trapezoid's error."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq_mat

from rltheory.checks import CERTIFIED, Claim, Eq, Leq, Mutant, Reader, Tight, decoded, run_module
from rltheory.kernels import ball, lq
from rltheory.kernels.exact import to_fmpq_mat
from rltheory.operators import Matern, Quadrature, Wiener

from .setting import (
    PAPER,
    TINY,
    Table,
    enclosed,
    entries,
    full_lyapunov,
    matern,
    rule_of,
    spd,
    stable,
    table,
    third_order,
)

L3 = F(3, 10)
CELLS = {n: [(i, j) for i in range(n) for j in range(i, n)] for n in (1, 2, 3)}
"""The upper triangle, row by row."""


@dataclass(frozen=True, eq=False)
class Loop:
    """Let F be stable, M symmetric, and a rule have N nodes in windows of length (N − 1)h."""

    drift: Table
    M: Table
    h: F
    N: int
    rule: Any = "trapezoid"

    @property
    def n(self) -> int:
        """States."""
        return len(self.drift)

    @cached_property
    def Fq(self) -> fmpq_mat:
        """F, the drift."""
        return to_fmpq_mat(self.drift)

    @cached_property
    def Mq(self) -> fmpq_mat:
        """M."""
        return to_fmpq_mat(self.M)

    @property
    def quadrature(self) -> Quadrature:
        """The rule on one window."""
        return rule_of((self.N - 1) * self.h, self.N, self.rule)

    def by_rule(self, N: int | None = None, h: F | None = None) -> arb_mat:
        """P̂: I2 of the library, in balls."""
        N, h = N or self.N, h or self.h
        rule = rule_of((N - 1) * h, N, self.rule)
        nodes = [F(t) for t in rule.nodes]
        B = lq.ball_matrix
        return lq.quadrature_evaluation(B(self.Fq), B(self.Mq), F(rule.T), nodes, rule.balls())

    @cached_property
    def true(self) -> fmpq_mat:
        """P, rational."""
        return full_lyapunov(self.Fq, self.Mq)

    @cached_property
    @enclosed
    def by_trapezoid(self) -> arb_mat:
        """P̂ of the trapezoid with step h."""
        rule = rule_of(self.h, 2, "trapezoid")
        return lq.quadrature_evaluation(
            lq.ball_matrix(self.Fq), lq.ball_matrix(self.Mq), self.h, [F(0), self.h], rule.balls()
        )

    def lie(self, X: Any, times: int = 1) -> Any:
        """𝓛_F applied so many times."""
        for _ in range(times):
            X = self.Fq.transpose() * X + X * self.Fq
        return X


def loop(read: Reader, rules: bool = True) -> Loop:
    """Up to three states; M positive definite or not."""
    n = 1 + read.below(3)
    Fm, G = stable(read, n), read.numbers(n, n, most=2, denominator=2)
    M = spd(read, n) if read.below(2) else (G + G.T) / 2
    if not M.any():
        M = spd(read, n)
    h = read.pick((F(1, 20), F(1, 8), F(1, 4), F(1, 2), F(1)))
    rule = (
        read.pick(("trapezoid", "simpson", Wiener(1), matern(0, L3), matern(3, L3))) if rules else "trapezoid"
    )
    return Loop(Fm, M, h, 3 + 2 * read.below(2), rule)


def benchmark(h: F, N: int, rule: Any = "trapezoid") -> Loop:
    """The third-order system under K = 0."""
    x = third_order().model
    return Loop(x.A, x.Q, h, N, rule)


# ---- data ---------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Data:
    """Let windows of trajectories of ẋ = Fx start from the columns of X."""

    x: Loop
    X: Table

    @cached_property
    @enclosed
    def rows(self) -> tuple[arb_mat, arb_mat]:
        """(Θ, Ξ̂): features x_i x_j (doubled for i < j), start minus end; the rule applied to the cost."""
        rule, n = self.x.quadrature, self.x.n
        flows = lq.flows(lq.ball_matrix(self.x.Fq), [F(t) for t in rule.nodes])
        M, weights = lq.ball_matrix(self.x.Mq), rule.balls()
        count = self.X.shape[1]
        Theta, Xi = arb_mat(count, n * (n + 1) // 2), arb_mat(count, 1)
        for r in range(count):
            start = lq.ball_matrix(to_fmpq_mat(self.X[:, r : r + 1]))
            path = [E * start for E in flows]
            first, last = path[0], path[-1]
            for c, (i, j) in enumerate(CELLS[n]):
                twice = 1 if i == j else 2
                Theta[r, c] = twice * (first[i, 0] * first[j, 0] - last[i, 0] * last[j, 0])
            Xi[r, 0] = sum(
                (w * (y.transpose() * M * y)[0, 0] for w, y in zip(weights, path, strict=True)), arb(0)
            )
        return Theta, Xi

    @cached_property
    @enclosed
    def solution(self) -> list[Any]:
        """The first n(n + 1)/2 rows solved."""
        Theta, Xi = self.rows
        d = Theta.ncols()
        square = arb_mat(d, d, [Theta[i, j] for i in range(d) for j in range(d)])
        return list(square.solve(arb_mat(d, 1, [Xi[i, 0] for i in range(d)])).entries())

    @property
    @enclosed
    def left_over(self) -> list[Any]:
        """Θω − Ξ̂ on the rows not used, with P̂ of the library for ω."""
        Theta, Xi = self.rows
        gap = Theta * arb_mat(Theta.ncols(), 1, entries(self.x.by_rule())) - Xi
        return list(gap.entries())[Theta.ncols() :]

    @property
    @enclosed
    def duplicated(self) -> list[Any]:
        """Minimum-norm solution for all n² features x ⊗ x: Φᵀ(ΦΦᵀ)⁻¹Ξ̂ on n(n + 1)/2 rows, upper and lower
        part.
        """
        Theta, Xi = self.rows
        n, d = self.x.n, Theta.ncols()
        at = {}
        for c, (i, j) in enumerate(CELLS[n]):
            at[i, j] = at[j, i] = c
        full = arb_mat(d, n * n)
        for r in range(d):
            for i in range(n):
                for j in range(n):
                    full[r, i * n + j] = Theta[r, at[i, j]] / (1 if i == j else 2)
        gram = full * full.transpose()
        omega = full.transpose() * gram.solve(arb_mat(d, 1, [Xi[i, 0] for i in range(d)]))
        upper, lower = CELLS[n], [(b, a) for a, b in CELLS[n]]
        return [omega[a * n + b, 0] for a, b in upper + lower]

    @property
    @enclosed
    def one_direction(self) -> tuple[list[Any], list[Any]]:
        """(minimum-norm solution from windows along e₁, P̂) for the upper triangle of F, whose eigenvector
        e₁ is.
        """
        n = self.x.n
        upper = np.triu(self.x.drift)
        np.fill_diagonal(upper, [-1 - i for i in range(n)])
        single = Loop(table(upper), self.x.M, self.x.h, self.x.N, self.x.rule)
        Theta, Xi = Data(single, table(np.eye(n, 1, dtype=int))).rows
        size = (Theta * Theta.transpose())[0, 0]
        return [v * Xi[0, 0] / size for v in Theta.entries()], entries(single.by_rule())


def data(read: Reader) -> Data:
    """Two rows more than unknowns, states on a grid with well spread directions."""
    x = loop(read)
    d = x.n * (x.n + 1) // 2
    X = read.numbers(x.n, d + 2, most=2, denominator=2)
    for c in range(d):  # e_i + e_j first: with these Θ is regular for small windows
        i, j = CELLS[x.n][c]
        X[:, c] = X[:, c] / 64
        X[i, c] += 1
        X[j, c] += 1 if j != i else 0
    return Data(x, X)


def _twice(s: Data) -> list[Any]:
    target = entries(s.x.by_rule())
    return target + [arb(0)] * 2 + target + target


def _nonlinear_residual(_: Any) -> Any:
    from rltheory import gallery
    from rltheory.solvers import IntegralRL

    out = IntegralRL((1.0, 1.0), N=5, windows=6, omega0=(-1, 3, 1.5), max_iter=1).run(gallery.sine_gain())
    return out.residuals[0]


quadrature_pev_lqr: Claim[Data] = Claim(
    statement=(
        "linear systems: Θω = Ξ̂ is consistent for every rule and all data; of full rank, its solution "
        "(minimum norm for x ⊗ x) is that of P̂ − e^{FᵀT}P̂e^{FT} = Σ w_i e^{Fᵀt_i}Me^{Ft_i}"
    ),
    source=PAPER.at("section 3, policy evaluation; derived"),
    let=decoded(data, 110),
    assume=[],
    then=Eq(lhs=lambda s: [*s.solution, *s.left_over, *s.duplicated], rhs=enclosed(_twice), within=TINY),
    tight=Tight(
        Data(
            benchmark(F(1, 20), 3),
            table([[1, 1, 1, 0, 0, 0, 2, 1], [0, 1, 0, 1, 1, 0, -2, 1], [0, 0, 1, 0, 1, 1, 3, 1]]),
        ),
        within=0,
    ),
    mutants=[
        Mutant(
            "data along one eigenvector do too",
            then=Eq(lhs=lambda s: s.one_direction[0], rhs=lambda s: s.one_direction[1], within=TINY),
        ),
        Mutant(
            "nonlinear systems are consistent too",
            then=Leq(lhs=_nonlinear_residual, rhs=lambda s: F(1, 10**8)),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
    draws=60,
)


# ---- the mesh decides ----------------------------------------------------------------------------
@enclosed
def _series(x: Loop, pattern: tuple[F, ...]) -> list[Any]:
    """h Σ_j a_j e^{Fᵀjh}Me^{Fjh}, weights a_0, then the pattern repeated; summed by doubling, tail
    bounded.
    """
    step = lq.scaled(lq.ball_matrix(x.Fq), x.h).exp()
    M, n = lq.ball_matrix(x.Mq), x.n
    E, block = lq.identity(n, M), arb_mat(n, n)
    for a in pattern:  # first period, its node 0 with weight pattern[0]
        block += lq.scaled(E.transpose() * M * E, a)
        E = E * step
    total, power = block, E
    while True:
        size = lq.frobenius(power)
        if size < arb(1) / 4:
            rest = size * size / (1 - size * size)
            tail = (rest * lq.frobenius(total)).upper()
            if tail < arb(10) ** -45:
                break
        total = total + power.transpose() * total * power
        power = power * power
    first = arb(1) / 2 if len(pattern) == 1 else ball.to_arb(pattern[0]) / 2
    total = total - M * first
    return [x.h.numerator * (v + arb(0, tail)) / x.h.denominator for v in entries(total)]


def _shrink(x: Loop) -> arb:
    """2ℓ tanh(h/2ℓ)/h: how much smaller than the trapezoid's the weights of Matérn-½ are."""
    ell, h = ball.to_arb(F(x.rule.lengthscale)), ball.to_arb(x.h)
    return 2 * ell * (h / (2 * ell)).tanh() / h


@enclosed
def _glued(x: Loop) -> list[Any]:
    """What P̂ is if weights of neighbouring windows add up: the rule on all of [0, ∞)."""
    if x.rule == "simpson":
        return _series(x, (F(2, 3), F(4, 3)))
    series = _series(x, (F(1),))
    if isinstance(x.rule, Matern):
        return [_shrink(x) * v for v in series]
    return series


@enclosed
def _change(x: Loop) -> arb:
    """Largest change of P̂ when windows get two steps longer."""
    return ball.sup_norm(entries(x.by_rule(x.N + 2) - x.by_rule(x.N)))


def glueing(read: Reader) -> Loop:
    """Rules whose weights glue across windows."""
    x = loop(read)
    rule = x.rule if x.rule != matern(3, L3) else "trapezoid"
    return Loop(x.drift, x.M, x.h, x.N, rule)


trapezoid_depends_on_h_only: Claim[Loop] = Claim(
    statement=(
        "trapezoid: P̂ = h(½M + Σ_{j≥1} e^{Fᵀjh}Me^{Fjh}) whatever T and N; "
        "so too for Simpson, Matérn-½, Wiener"
    ),
    source=PAPER.at("section 4; derived"),
    let=decoded(glueing, 70),
    assume=[],
    then=Eq(lhs=enclosed(lambda x: entries(x.by_rule())), rhs=_glued, within=TINY),
    tight=Tight([benchmark(F(1, 20), N) for N in (2, 3, 5, 11)], within=0),
    named={
        "Simpson, N = 3": benchmark(F(1, 20), 3, "simpson"),
        "Simpson, N = 11": benchmark(F(1, 20), 11, "simpson"),
        "Matérn-½": benchmark(F(1, 20), 5, matern(0, L3)),
    },
    mutants=[
        Mutant(
            "Matérn-3/2 has it",
            then=Leq(lhs=lambda x: _change(Loop(x.drift, x.M, x.h, 3, matern(1, L3))), rhs=lambda x: TINY),
        ),
        Mutant(
            "Matérn-7/2 has it",
            then=Leq(lhs=lambda x: _change(Loop(x.drift, x.M, x.h, 3, matern(3, L3))), rhs=lambda x: TINY),
        ),
        Mutant("it depends on T at fixed h", then=Leq(lhs=lambda x: TINY, rhs=_change)),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
