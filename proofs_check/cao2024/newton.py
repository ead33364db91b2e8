"""Policy iteration is Newton's method: identities, monotone quadratic convergence, bounded errors."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb, fmpq_mat

from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Leq,
    Loose,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.kernels import ball, lq
from rltheory.kernels.exact import to_fmpq, to_fmpq_mat
from rltheory.models import LQR
from rltheory.solvers import solve_lyapunov

from .setting import (
    PAPER,
    System,
    Table,
    enclosed,
    entries,
    evaluated,
    full_lyapunov,
    inverse_norm,
    is_stable,
    rule_of,
    scalar,
    spd,
    stable,
    system,
    table,
    third_order,
)

SLACK = F(1, 10**9)


# ---- one exact step ----------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Step:
    """Let P be symmetric with A_P stable."""

    x: System
    P: Table

    @cached_property
    def at(self) -> fmpq_mat:
        """P."""
        return to_fmpq_mat(self.P)

    @cached_property
    def evaluation(self) -> Table:
        """P⁺, the value of the greedy gain of P, by the library."""
        K = self.x.model.gain(self.P)
        return solve_lyapunov(self.x.model.closed_loop(K), self.x.model.cost(K)).X

    def newton(self, loop: fmpq_mat, damping: int = 1) -> Any:
        """P − 𝓛_loop⁻¹(Ric(P))/damping; P itself if 𝓛_loop is singular."""
        try:
            move = full_lyapunov(loop, self.x.ric(self.at))
        except ZeroDivisionError:
            return entries(self.at)
        return entries(self.at + lq.scaled(move, F(1, damping)))

    @cached_property
    def float_solution(self) -> tuple[Any, Any]:
        """(‖X̂ − X‖_F of Bartels–Stewart against the rational solution, the error it declares)."""
        K = self.x.model.gain(self.P)
        loop, cost = self.x.model.closed_loop(K).astype(float), self.x.model.cost(K).astype(float)
        out = solve_lyapunov(loop, (cost + cost.T) / 2)
        true = full_lyapunov(to_fmpq_mat(loop), to_fmpq_mat((cost + cost.T) / 2))
        gap = lq.frobenius(to_fmpq_mat(out.X) - true)
        return gap, F(out.error)


def step(read: Reader) -> Step:
    """A_P drawn stable, P any symmetric matrix, A = A_P + SP."""
    n = 1 + read.below(4)
    G = read.numbers(n, n, most=2, denominator=2)
    P, loop = (G + G.T) / 2, stable(read, n)
    B = read.numbers(n, 1 + read.below(2), most=2, denominator=2)
    S = B @ B.T
    return Step(System(LQR(loop + S @ P, B, spd(read, n), table(np.eye(B.shape[1], dtype=int)))), P)


newton_hjb: Claim[Step] = Claim(
    statement="exact policy iteration is Newton's method on the HJB equation: P⁺ = P − 𝓛_{A_P}⁻¹(Ric(P))",
    source=PAPER.at("section 3, after Kleinman"),
    let=decoded(step, 90),
    assume=[],
    then=Eq(lhs=lambda s: entries(to_fmpq_mat(s.evaluation)), rhs=lambda s: s.newton(s.x.loop(s.at))),
    tight=Tight(Step(third_order(), table(np.zeros((3, 3), dtype=int))), within=0),
    mutants=[
        Mutant("𝓛_A in place of 𝓛_{A_P}", rhs=lambda s: s.newton(s.x.A)),
        Mutant("half a step", rhs=lambda s: s.newton(s.x.loop(s.at), 2)),
    ],
    expect=CERTIFIED,
)

newton_hjb_in_doubles: Claim[Step] = Claim(
    statement="the evaluation in doubles is within its declared error of the rational one",
    source=PAPER.at("section 3; derived: ‖X − X̂‖ ≤ ‖X_F‖·‖residual‖"),
    let=decoded(step, 90),
    assume=[],
    then=Leq(lhs=enclosed(lambda s: s.float_solution[0]), rhs=lambda s: s.float_solution[1]),
    tight=Tight(Step(scalar(-1, 1, F(1, 3), 1), table([[F(1, 7)]])), within=0.99),
    mutants=[Mutant("a hundredth of it", rhs=lambda s: s.float_solution[1] / 100)],
    expect=CERTIFIED,
)


# ---- errors ------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Inexact:
    """Let E = P − P* and W be symmetric, P⁺ = Newton(P) + W."""

    x: System
    E: Table
    W: Table

    @cached_property
    def P(self) -> fmpq_mat:
        """P* + E."""
        return self.x.star + to_fmpq_mat(self.E)

    @property
    def admissible(self) -> bool:
        """A_P stable."""
        return is_stable(self.x.loop(self.P))

    @property
    def regular(self) -> bool:
        """Whether 𝓛_{A_P} is invertible."""
        try:
            return bool(full_lyapunov(self.x.loop(self.P), self.x.Q).nrows())
        except ZeroDivisionError:
            return False

    @cached_property
    def after(self) -> fmpq_mat:
        """E⁺ from the definition: solve, perturb, subtract."""
        new = full_lyapunov(self.x.loop(self.P), self.x.cost(self.P))
        return new + to_fmpq_mat(self.W) - self.x.star

    @cached_property
    def quadratic(self) -> fmpq_mat:
        """−𝓛_{A_P}⁻¹(ESE)."""
        E = to_fmpq_mat(self.E)
        return lq.lyapunov(self.x.loop(self.P), E * self.x.S * E)

    def predicted(self, share: F) -> Any:
        """share·(−𝓛⁻¹(ESE)) + W."""
        return entries(lq.scaled(self.quadratic, share) + to_fmpq_mat(self.W))


def inexact(read: Reader) -> Inexact:
    """E any symmetric matrix, often too large to keep A_P stable."""
    x = system(read)
    G, H = (read.numbers(x.n, x.n, most=2, denominator=4) for _ in range(2))
    return Inexact(x, (G + G.T) / 2, (H + H.T) / 2 if read.below(3) else 0 * H)


def simple(E: Any, W: Any = 0) -> Inexact:
    """a = 0, b = q = r = 1, P* = 1."""
    return Inexact(scalar(0, 1, 1, 1, 1), table([[E]]), table([[W]]))


STABLE_LOOP = Assumption[Any]("A_P is stable", lambda s: s.admissible, simple(F(-3, 2)))

newton_error_recursion: Claim[Inexact] = Claim(
    statement="E = P − P*, P⁺ = Newton(P) + W: E⁺ = −𝓛_{A_P}⁻¹(ESE) + W",
    source=PAPER.at("section 3; derived"),
    let=decoded(inexact, 90),
    assume=[Assumption("𝓛_{A_P} is invertible", lambda s: s.regular, NotShown("else there is no step"))],
    then=Eq(lhs=lambda s: entries(s.after), rhs=lambda s: s.predicted(F(1))),
    tight=Tight(simple(1, F(1, 3)), within=0),
    mutants=[Mutant("ESE/2", rhs=lambda s: s.predicted(F(1, 2)))],
    expect=CERTIFIED,
)

newton_error_recursion_sign: Claim[Inexact] = Claim(
    statement="A_P stable: −𝓛_{A_P}⁻¹(ESE) ⪰ 0 whatever the sign of E: after one exact step E⁺ ⪰ 0",
    source=PAPER.at("section 3; derived"),
    let=decoded(inexact, 90),
    assume=[STABLE_LOOP],
    then=Leq(
        lhs=enclosed(lambda s: -lq.extreme_eigenvalues(s.quadratic)[0]),
        rhs=enclosed(lambda s: ball.to_arb(SLACK) * (1 + ball.to_arb(lq.norm(s.quadratic)))),
    ),
    tight=Loose(1.0, "the least eigenvalue is compared with an allowance for rounding only"),
    mutants=[
        Mutant(
            "E⁺ ⪯ E always",
            lhs=enclosed(lambda s: lq.extreme_eigenvalues(s.quadratic - to_fmpq_mat(s.E))[1]),
        )
    ],
    expect=CERTIFIED,
)


# ---- monotone, quadratic -----------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Path:
    """Let K₀ = R⁻¹BᵀG stabilise, P_1 its value, P_{k+1} the value of the greedy gain of P_k."""

    x: System
    G: Table
    steps: int = 3

    def path(self, evaluate: Any) -> list[Any]:
        """P_1, P_2, …"""
        P = to_fmpq_mat(self.G)
        out = []
        for _ in range(self.steps):
            P = evaluate(P if self.x.n == 1 else lq.ball_matrix(P))
            out.append(P)
        return out

    @cached_property
    @enclosed
    def exact(self) -> list[Any]:
        """By exact evaluation; rational for scalar systems, in balls else."""
        return self.path(lambda P: lq.lyapunov(self.x.loop(P), self.x.cost(P)))

    @property
    def admissible(self) -> bool:
        """A − SG stable."""
        return is_stable(self.x.loop(to_fmpq_mat(self.G)))

    def descent(self, path: list[Any]) -> list[Any]:
        """−λ_min(P_k − P_{k+1}) for k = 1, 2, …, and −λ_min(P_last − P*)."""
        ends = [*path[1:], self.x.star if self.x.best is not None or self.x.n > 1 else path[-1]]
        pairs = [(p, q if type(p) is type(q) else lq.ball_matrix(q)) for p, q in zip(path, ends, strict=True)]
        return [-lq.extreme_eigenvalues(p - q)[0] for p, q in pairs]

    def errors(self, path: list[Any]) -> list[Any]:
        """‖E_k‖₂."""
        star = self.x.star
        return [lq.norm(p - (star if type(p) is type(star) else lq.ball_matrix(star))) for p in path]

    def kappa(self, path: list[Any]) -> list[Any]:
        """‖S‖₂‖X_{P_k}‖₂."""
        return [lq.norm(self.x.like(p)[1]) * inverse_norm(self.x.loop(p)) for p in path]


def path(read: Reader) -> Path:
    """G = P* + E with E small or positive."""
    x = system(read, 1 if read.below(3) == 0 else None)
    assert x.best is not None
    H = read.numbers(x.n, x.n, most=1, denominator=8)
    E = (H + H.T) / 2 if read.below(2) else H @ H.T
    return Path(x, x.best + E)


def _sides(s: Path, power: int = 2, share: F = F(1)) -> list[Any]:
    e, k = s.errors(s.exact), s.kappa(s.exact)
    bounds = []
    for size, kappa in zip(e[:-1], k[:-1], strict=True):
        value = kappa
        for _ in range(power):
            value = value * size
        bounds.append(value * (ball.to_arb(share) if isinstance(value, arb) else to_fmpq(share)))
    return [SLACK] * s.steps + bounds


TRAPEZOID_01 = rule_of(F(1, 5), 3, "trapezoid")
FROM_ZERO = Path(third_order(), table(np.zeros((3, 3), dtype=int)), 7)


@enclosed
def _trapezoid_descent(s: Path) -> list[Any]:
    """Descent of the path by the trapezoid from the exact evaluation of the same gain, h = .1."""
    P = lq.ball_matrix(s.exact[0])
    out = [P]
    for _ in range(11):
        if not is_stable(s.x.loop(P)):
            break
        P = evaluated(s.x, P, TRAPEZOID_01)
        out.append(P)
    return [-lq.extreme_eigenvalues(p - q)[0] for p, q in zip(out, out[1:], strict=False)] or [arb(0)]


@enclosed
def _trapezoid_quadratic(s: Path) -> tuple[list[Any], list[Any]]:
    """Differences of the trapezoidal iteration from its limit, against κ times their squares."""
    P = lq.ball_matrix(s.exact[-1])
    out = [P]
    for _ in range(14):
        P = evaluated(s.x, P, TRAPEZOID_01)
        out.append(P)
    gaps = [lq.norm(p - out[-1]) for p in out[:6]]
    k = lq.norm(lq.ball_matrix(s.x.S)) * inverse_norm(s.x.loop(out[-1]))
    return gaps[1:], [2 * k * g * g for g in gaps[:-1]]


kleinman_monotone: Claim[Path] = Claim(
    statement="P_1 ⪰ P_2 ⪰ … ⪰ P*; ‖E_{k+1}‖₂ ≤ κ_k‖E_k‖₂², κ_k = ‖S‖₂‖X‖₂, A_{P_k}ᵀX + XA_{P_k} = −I",
    source=PAPER.at("section 3, after Kleinman; constant derived"),
    let=decoded(path, 90),
    assume=[
        Assumption(
            "K₀ stabilises",
            lambda s: s.admissible,
            Path(scalar(0, 1, 1, 1, 1), table([[F(-1, 2)]]), 2),
        )
    ],
    then=Leq(lhs=enclosed(lambda s: [*s.descent(s.exact), *s.errors(s.exact)[1:]]), rhs=enclosed(_sides)),
    tight=Tight(Path(scalar(0, 1, 1, 1, 1), table([[F(5, 4)]])), within=0),
    named={"third order from K = 0": FROM_ZERO},
    mutants=[
        Mutant("κ/2", rhs=enclosed(lambda s: _sides(s, 2, F(1, 2)))),
        Mutant("cubic at the same constant", rhs=enclosed(lambda s: _sides(s, 3))),
        Mutant(
            "monotone with the trapezoid too",
            then=Leq(lhs=_trapezoid_descent, rhs=lambda s: SLACK),
            named_only=True,
        ),
        Mutant(
            "quadratic with the trapezoid too",
            then=Leq(lhs=lambda s: _trapezoid_quadratic(s)[0], rhs=lambda s: _trapezoid_quadratic(s)[1]),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
