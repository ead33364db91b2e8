"""Optimism, the decomposition of regret, total variance, and what the planners compute.

V̄_{H+1} = 0, Q̄_h = min{top, R + P̂V̄_{h+1} + b_h}, V̄_h = max_a Q̄_h, π greedy; steps are h = 0..H−1 in code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from flint import arb, fmpq

import rltheory as rl
from rltheory.checks import (
    CERTIFIED,
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
from rltheory.kernels import regret as kernel
from rltheory.kernels.ball import maximum, precision
from rltheory.solvers import MVP, CompiledLearner, Task, evaluate_horizon

from .bonuses import ball
from .setting import PAPER, law, model

Rows = tuple[tuple[tuple[F, ...], ...], ...]


def rows_of(read: Reader, S: int, A: int) -> Rows:
    """A law for every pair."""
    return tuple(tuple(tuple(law(read, S)) for _ in range(A)) for _ in range(S))


# ---- the decomposition -----------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Plan:
    """Let P̂ be laws, b ≥ 0 a bonus for every step and pair, `top` the clip; M is played."""

    M: rl.FiniteHorizonMDP
    P_hat: Rows
    bonus: Any
    top: F

    def __repr__(self) -> str:
        b = self.bonus.tolist()
        return f"Plan({self.M.literal()}, {self.P_hat}, rl.exact_array({b}), {self.top!r})"

    @cached_property
    def planned(self) -> tuple[Any, Any, bool]:
        """V̄ (H+1, S), π (H, S), and whether some value was clipped."""
        H, S, A, R = self.M.H, self.M.S, self.M.A, self.M.R[0]
        V, pi, clipped = rl.exact_array(np.zeros((H + 1, S), dtype=int)), np.zeros((H, S), dtype=int), False
        for h in reversed(range(H)):
            for s in range(S):
                raw = [
                    R[s, a] + V[h + 1] @ np.array(self.P_hat[s][a]) + self.bonus[h, s, a] for a in range(A)
                ]
                q = [min(self.top, v) for v in raw]
                clipped = clipped or q != raw
                V[h, s], pi[h, s] = max(q), q.index(max(q))
        return V, pi, clipped

    @cached_property
    def reached(self) -> Any:
        """(H, S) Pr(s_h = s) under π and the true model."""
        pi, P = self.planned[1], self.M.P[0]
        d = [self.M.mu]
        for h in range(self.M.H - 1):
            d.append(sum(d[h][s] * P[s, pi[h, s]] for s in range(self.M.S)))
        return d

    def expected(self, sign: int = 1, bonus: int = 1) -> F:
        """E_π Σ_h [b_h + sign·(P̂ − P)V̄_{h+1}]."""
        V, pi, _ = self.planned
        total = F(0)
        for h in range(self.M.H):
            for s in range(self.M.S):
                a = pi[h, s]
                error = V[h + 1] @ (np.array(self.P_hat[s][a]) - self.M.P[0][s, a])
                total += self.reached[h][s] * (bonus * self.bonus[h, s, a] + sign * error)
        return total

    @cached_property
    def gap(self) -> F:
        """μ·(V̄_1 − V^π_1)."""
        V, pi, _ = self.planned
        return F(self.M.mu @ (V[0] - evaluate_horizon(self.M, pi).V[0]))


def plan(read: Reader, *, high: bool) -> Plan:
    """Small bonuses below a high clip, or large ones above a low one."""
    M = model(read)
    P_hat = rows_of(read, M.S, M.A)
    size = 4 if high else 64
    bonus = rl.exact_array(
        [[[F(read.below(33), 16 * size) for _ in range(M.A)] for _ in range(M.S)] for _ in range(M.H)]
    )
    return Plan(M, P_hat, bonus, F(M.H) if high else F(4 * M.H))


def unlike() -> Plan:
    """Two steps; P̂ and P opposite."""
    one, zero = F(1), F(0)
    P = rl.exact_array([[[one, zero]], [[zero, one]]])
    M = rl.FiniteHorizonMDP(P, rl.exact_array([[zero], [one]]), 2, mu=rl.exact_array([one, zero]))
    return Plan(M, (((zero, one),), ((zero, one),)), rl.exact_array(np.full((2, 2, 1), F(1, 4))), F(8))


UNCLIPPED: Assumption[Plan] = Assumption(
    "no value is clipped", lambda x: not x.planned[2], Plan(unlike().M, unlike().P_hat, unlike().bonus, F(1))
)
SPLIT = PAPER.at("Azar, Osband, Munos (2017), regret decomposition; derived by unrolling V̄ − V^π")

decomposition: Claim[Plan] = Claim(
    statement="V̄_1 − V^π_1 = E_π[Σ_h b_h + (P̂ − P)V̄_{h+1}] for π greedy, when nothing is clipped",
    source=SPLIT,
    let=decoded(lambda read: plan(read, high=read.below(2) == 1), 400),
    draws=60,
    assume=[UNCLIPPED],
    then=Eq(lhs=lambda x: x.gap, rhs=lambda x: x.expected()),
    tight=Tight(unlike(), within=0),
    mutants=[
        Mutant("P − P̂", rhs=lambda x: x.expected(-1)),
        Mutant("without the bonus", rhs=lambda x: x.expected(1, 0)),
        Mutant("also with clipping", drop="no value is clipped"),
    ],
    expect=CERTIFIED,
)

decomposition_clipped: Claim[Plan] = Claim(
    statement="V̄_1 − V^π_1 ≤ E_π[Σ_h b_h + (P̂ − P)V̄_{h+1}] with clipping at vmax",
    source=SPLIT,
    let=decoded(lambda read: plan(read, high=True), 400),
    assume=[],
    then=Leq(lhs=lambda x: x.gap, rhs=lambda x: x.expected()),
    tight=Tight(unlike(), within=0),
    mutants=[
        Mutant("P − P̂", rhs=lambda x: x.expected(-1)),
        Mutant("without the bonus", rhs=lambda x: x.expected(1, 0)),
    ],
    expect=CERTIFIED,
)


# ---- optimism --------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Estimate:
    """Let P̂ be the laws seen at N visits a pair, λ > 0 and c the scale of MVP's bonus; vmax = 1."""

    M: rl.FiniteHorizonMDP
    P_hat: Rows
    N: tuple[tuple[int, ...], ...]
    lam: F
    scale: F

    def __repr__(self) -> str:
        return f"Estimate({self.M.literal()}, {self.P_hat}, {self.N}, {self.lam!r}, {self.scale!r})"

    @cached_property
    def V_star(self) -> Any:
        """(H+1, S) exact optimal values."""
        return rl.solve(self.M).V

    @cached_property
    def event(self) -> bool:
        """|(P̂ − P)V*| ≤ √(2𝕍(P̂, V*)λ/N) + 7λ/(3N) everywhere; decided in rationals."""
        for h in range(self.M.H):
            v = self.V_star[h + 1]
            for s, a in product(range(self.M.S), range(self.M.A)):
                p, N = np.array(self.P_hat[s][a]), self.N[s][a]
                over = abs(v @ (p - self.M.P[0][s, a])) - F(7, 3) * self.lam / N
                if over > 0 and over**2 > 2 * (p @ v**2 - (p @ v) ** 2) * self.lam / N:
                    return False
        return True

    @cached_property
    def upper(self) -> list[Any]:
        """V̄_h(s) of MVP for h < H, in balls."""
        H, S, A, R = self.M.H, self.M.S, self.M.A, self.M.R[0]
        V: list[list[Any]] = [[arb(0)] * S]
        with precision(128):
            for _ in range(H):
                q = [
                    [self._backup(self.P_hat[s][a], V[-1], R[s, a], self.N[s][a]) for a in range(A)]
                    for s in range(S)
                ]
                V.append([maximum(row) for row in q])
        return [v for row in reversed(V[1:]) for v in row]

    def _backup(self, p: tuple[F, ...], v: list[Any], r: F, N: int) -> Any:
        lam, mean, square = ball(self.lam) / N, arb(0), arb(0)
        for w, x in zip(p, v, strict=True):
            mean += ball(w) * x
            square += ball(w) * x * x
        root = ((square - mean * mean) * lam).nonnegative_part().sqrt()
        bonus = ball(self.scale) * (arb(fmpq(460, 9)) * root + arb(fmpq(544, 9)) * lam)
        return (ball(F(r)) + mean + bonus).min(arb(1))

    @cached_property
    def library(self) -> Any:
        """The same values as the library plans them, in doubles."""
        S, A, H = self.M.S, self.M.A, self.M.H
        R = self.M.R[:1].astype(float)
        task = Task(S, A, H, 1, 1.0, True, np.ones((1, S, A), dtype=bool), R)
        c = MVP()
        out = CompiledLearner(
            kernel.MVP, task, None, log=float(self.lam), scale=float(self.scale), c1=c.c1, c2=c.c2, c3=c.c3
        )
        out.memory.N[0] = np.array(self.N, dtype=float).reshape(-1)
        out.memory.P[0] = np.array(self.P_hat, dtype=float).reshape(S * A, S).T
        out.policy()
        return out.upper[:H].reshape(-1)


def estimate(read: Reader, scale: F = F(946, 10000)) -> Estimate:
    """P̂ near P or anywhere; N = 2⁰ … 2¹⁹; an episode pays at most 1."""
    M = model(read, most_steps=3)
    M = rl.FiniteHorizonMDP(M.P[0], M.R[0] / M.H, M.H, mu=M.mu)
    near, many = F(1, 2 ** read.below(9)), read.below(2)
    rows = tuple(
        tuple(
            tuple((1 - near) * p + near * q for p, q in zip(M.P[0][s, a], law(read, M.S), strict=True))
            for a in range(M.A)
        )
        for s in range(M.S)
    )
    least = 10 * many
    N = tuple(tuple(2 ** (least + read.below(10)) for _ in range(M.A)) for _ in range(M.S))
    return Estimate(M, rows, N, F(1 + read.below(32), 4), scale)


def biased(N: int, lam: F, scale: F) -> Estimate:
    """From 0 to 1 or 2 with probability ½; 1 pays 1 in the second step; P̂ at the low end of the event."""
    half, one = F(1, 2), F(1)
    P = rl.exact_array([[[0, half, half]], [[0, 0, one]], [[0, 0, one]]])
    M = rl.FiniteHorizonMDP(P, rl.exact_array([[0], [1], [0]]), 2, mu=rl.exact_array([1, 0, 0]))
    low = half - F(7, 3) * lam / N
    spread = F(math.isqrt(int(2 * (half - F(1, 8)) * (half + F(1, 8)) * lam / N * 10**16)), 10**8) * F(9, 10)
    low = max(F(0), low - spread)
    rows = (((F(0), low, 1 - low),), ((F(0), F(0), one),), ((F(0), F(0), one),))
    return Estimate(M, rows, ((N,), (2**40,), (2**40,)), lam, scale)


EVENT: Assumption[Estimate] = Assumption(
    "|(P̂ − P)V*| ≤ √(2𝕍(P̂, V*)λ/N) + 7λ/(3N)",
    lambda x: x.event,
    Estimate(
        biased(2**30, F(1), F(1)).M, (((F(0), F(0), F(1)),), ((F(0), F(0), F(1)),), ((F(0), F(0), F(1)),)),
        ((2**30,), (2**30,), (2**30,)), F(1), F(946, 10000),
    ),
)  # fmt: skip
OPTIMISM = PAPER.at("optimism of MVP; derived from the monotone bonus by induction")

optimism: Claim[Estimate] = Claim(
    statement="on the event |(P̂ − P)V*_{h+1}| ≤ √(2𝕍(P̂, V*)λ/N) + 7vmax·λ/(3N) MVP has V̄_h ≥ V*_h for all "
    "h and s; for every scale c ≥ 0.0946",
    source=OPTIMISM,
    let=decoded(estimate, 300),
    assume=[EVENT],
    then=Leq(lhs=lambda x: x.V_star[:-1].reshape(-1), rhs=lambda x: x.upper),
    tight=Tight(biased(2**32, F(1), F(946, 10000)), within=1e-3),
    mutants=[
        Mutant(
            "c = 0.01",
            let=decoded(lambda r: biased(2 ** (8 + r.below(24)), F(1 + r.below(8), 4), F(1, 100)), 4),
        ),
        Mutant("without the event", drop="|(P̂ − P)V*| ≤ √(2𝕍(P̂, V*)λ/N) + 7λ/(3N)"),
        Mutant("strictly by 1/100", lhs=lambda x: x.V_star[:-1].reshape(-1) + F(1, 100)),
    ],
    named={"the published scale": biased(2**20, F(4), F(1))},
    expect=CERTIFIED,
    draws=60,
)

optimism_planner: Claim[Estimate] = Claim(
    statement="the library's planner computes MVP's V̄ (within 1e-9)",
    source=OPTIMISM,
    let=decoded(estimate, 300),
    assume=[],
    then=Eq(lhs=lambda x: [F(float(v)) for v in x.library], rhs=lambda x: x.upper, within=F(1, 10**9)),
    tight=Tight(biased(2**20, F(4), F(1)), within=0),
    mutants=[
        Mutant("it is exactly V*", rhs=lambda x: x.V_star[:-1].reshape(-1)),
    ],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
