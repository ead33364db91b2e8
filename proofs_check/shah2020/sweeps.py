"""Sweeps on finite models: their samples, rank two, and an optimal Q that is only nearly of low rank.

Sweep: Z = R + γPV + E_t with |E_t| ≤ x_t on the cross, Q^(t) = the cross estimate, V = max_a Q^(t).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

import numpy as np

import rltheory as rl
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
from rltheory.kernels import ball
from rltheory.operators import CrossBound, cross_estimate
from rltheory.solvers import LowRankSchedule

from .setting import HALF, PAPER, Table, table


# ---- samples ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Plan:
    """Let n states, m actions, k anchors of each; θ = eighths/8, c_me = 8, V_max = 1, δ = 1/8, T sweeps."""

    n: int
    m: int
    k: int
    eighths: int
    T: int

    @property
    def entries(self) -> int:
        """|Ω|, counted."""
        mask = np.zeros((self.n, self.m), dtype=bool)
        mask[: self.k], mask[:, : self.k] = True, True
        return int(mask.sum())

    @property
    def used(self) -> F:
        """Samples of all sweeps, by the library."""
        plan = LowRankSchedule(self.eighths / 128, 8, 1, self.T, 0.125)
        return F(plan.total(lambda t: self.n, lambda t: self.m, self.k))

    def allowed(self, *, power: int = 2, sweeps: bool = True, overlap: int = 1) -> rl.Enclosure:
        """|Ω|[8Λ θ^power/(1 − θ²) (V_max/ε)² + T], ε = θ^T V_max, Λ = ln(2|Ω|T/δ)."""
        theta = F(self.eighths, 8)
        size = self.k * (self.n + self.m) - overlap * self.k**2
        grow = 8 * theta**power / (1 - theta**2) / theta ** (2 * self.T)
        with ball.precision(128):
            log = ball.log(np.array([F(16 * self.entries * self.T)], dtype=object))[0]
            return rl.Enclosure.ball((log * ball.to_arb(grow) + (self.T if sweeps else 0)) * size)


def plan(read: Reader) -> Plan:
    """Up to 40 × 40, four anchors, nine sweeps."""
    k = 1 + read.below(4)
    return Plan(k + 1 + read.below(36), k + 1 + read.below(36), k, 1 + read.below(7), 1 + read.below(9))


samples_finite: Claim[Plan] = Claim(
    statement="finite models: samples ≤ |Ω|[8Λ θ²/(1−θ²) (V_max/ε)² + T], |Ω| = k(n+m) − k²",
    source=PAPER.at("Theorem on sample complexity, finite case; constants derived"),
    let=decoded(plan, 8),
    assume=[],
    then=Leq(lhs=lambda x: x.used, rhs=lambda x: x.allowed()),
    tight=Tight(Plan(30, 20, 2, 4, 12), within=1e-6),
    mutants=[
        Mutant("θ⁴ for θ²", rhs=lambda x: x.allowed(power=4)),
        Mutant("numbers need no rounding up: without T", rhs=lambda x: x.allowed(sweeps=False)),
        Mutant("the intersection counts for nothing: |Ω| = k(n+m) − 2k²", rhs=lambda x: x.allowed(overlap=2)),
    ],
    expect=CERTIFIED,
)


# ---- sweeps ----------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Sweeps:
    """Let Q* = Q_r + Δ be the optimal Q of (P, R, γ), ‖Δ‖_∞ = ζ, anchors I, J of Q_r, V₀ = V* + start.

    Lookaheads err by at most x; κ, σ, c_me = 2(1+κ)² − 1 are those of Q_r.
    """

    Q_r: Table
    Delta: Table
    P: Table
    gamma: F
    I: tuple[int, ...]
    J: tuple[int, ...]
    start: Table
    x: F
    signs: tuple[int, ...]
    T: int = 5

    @cached_property
    def Q(self) -> Table:
        """Q*."""
        return np.asarray(self.Q_r + self.Delta)

    @cached_property
    def bound(self) -> CrossBound:
        """The library's constants of Q_r."""
        return CrossBound(self.Q_r, self.I, self.J)

    @property
    def c_me(self) -> F:
        """Uniform amplification."""
        return self.bound.c_me

    @property
    def zeta(self) -> F:
        """ζ."""
        return F(np.abs(self.Delta).max())

    def noise(self, t: int) -> F:
        """x_t; here x in every sweep."""
        return self.x

    def clip(self, V: Table) -> Table:
        """Here V is left alone."""
        return V

    @cached_property
    def errors(self) -> list[F]:
        """‖V₀ − V*‖, then ‖Q^(t) − Q*‖ for t = 1..T."""
        I, J, best = list(self.I), list(self.J), self.Q.max(axis=1)
        mask = np.zeros(self.Q.shape, dtype=bool)
        mask[I], mask[:, J] = True, True
        V, out = best + self.start, [F(np.abs(self.start).max())]
        for t in range(1, self.T + 1):
            Z = self.Q + self.gamma * (self.P @ (V - best))
            for k, (i, j) in enumerate(np.argwhere(mask)):
                Z[i, j] = Z[i, j] + self.noise(t) * self.signs[(k + t) % len(self.signs)]
            Z = cross_estimate(Z[:, J], Z[I], I, J)
            out.append(F(np.abs(Z - self.Q).max()))
            V = self.clip(Z.max(axis=1))
        return out

    @property
    def room(self) -> bool:
        """γE_{t−1} + x_t + ζ ≤ σ/(2r) in every sweep."""
        most = self.bound.sigma / (2 * self.bound.r)
        steps = zip(self.errors, range(1, self.T + 1), strict=False)
        return all(self.gamma * e + self.noise(t) + self.zeta <= most for e, t in steps)

    def unrolled(self, c: F, step: F) -> list[F]:
        """B_t = (γc)B_{t−1} + step, B_0 = ‖V₀ − V*‖, t = 1..T."""
        out, B = [], self.errors[0]
        for _ in range(self.T):
            B = self.gamma * c * B + step
            out.append(B)
        return out

    def limsup(self, c: F, step: F) -> F:
        """step/(1 − γc) + (γc)^T ‖V₀ − V*‖."""
        return step / (1 - self.gamma * c) + (self.gamma * c) ** self.T * self.errors[0]


def kernel(read: Reader, n: int, m: int) -> Table:
    """(n, m, n) laws of full support."""
    rows = []
    for _ in range(n * m):
        w = [1 + read.below(4) for _ in range(n)]
        rows.append([F(k, sum(w)) for k in w])
    return table(rows).reshape(n, m, n)


def signs(read: Reader) -> tuple[int, ...]:
    """Signs that repeat."""
    return tuple(1 if read.below(2) else -1 for _ in range(1 + read.below(6)))


def nearly(read: Reader) -> Sweeps:
    """Rank one or two, dented; γc_me = 1/2 or 9/10; start, noise and dents share what room there is."""
    r, n, m = 1 + read.below(2), 3 + read.below(2), 3
    if r == 1:
        f, g = ([F(8 + read.below(5)) for _ in range(k)] for k in (n, m))
        Q_r = table([[x * y for y in g] for x in f])
    else:
        u, v = ([1, -1] + [1 if read.below(2) else -1 for _ in range(k - 2)] for k in (n, m))
        Q_r = table([[F(1 + x * y, 2) for y in v] for x in u])
    I = J = tuple(range(r))
    bound = CrossBound(Q_r, I, J)
    c = bound.c_me
    gamma = (HALF, F(9, 10))[read.below(2)] / c
    most = bound.sigma / (2 * bound.r) * (1 - gamma * c) / (c + 2)
    parts = [1 + read.below(8) for _ in range(3)]
    x, zeta, e = (most * F(p, sum(parts)) for p in parts)
    Delta = table([[F(read.below(17) - 8, 8) for _ in range(m)] for _ in range(n)]) * zeta
    start = table([F(read.below(17) - 8, 8) for _ in range(n)]) * e
    return Sweeps(Q_r, Delta, kernel(read, n, m), gamma, I, J, start, x, signs(read))


STAY = table([[[1, 0], [1, 0]], [[1, 0], [1, 0]]])
ONES = table([[1, 1], [1, 1]])
DENTED = Sweeps(
    ONES, table([[-HALF, HALF], [HALF, -HALF]]), STAY, F(1, 14), (0,), (0,), table([0, 0]), F(0), (1,), 1
)
GROWS = Sweeps(
    table([[1, HALF], [4, 2]]), table([[0, 0], [0, 0]]), table([[[1, 0], [0, 1]], [[1, 0], [1, 0]]]),
    F(1, 162), (0,), (1,), table([0, F(1, 1000)]), F(0), (1,), 1,
)  # fmt: skip


def steps(x: Sweeps, *, on_zeta: F | None = None, noisy: bool = True) -> F:
    """(c_me + 1)ζ + c_me x."""
    return (x.c_me + 1 if on_zeta is None else on_zeta) * x.zeta + (x.c_me * x.x if noisy else 0)


approx_rank_iterated: Claim[Sweeps] = Claim(
    statement="Q* = Q_r + Δ, γc_me < 1: E_t ≤ γc_me E_{t−1} + (c_me+1)ζ + c_me x, so limsup E_t ≤ its sum",
    source=PAPER.at("additive error for approximate rank; constants derived"),
    let=decoded(nearly, 128),
    assume=[
        Assumption("γc_me < 1", lambda x: x.gamma * x.c_me < 1, NotShown("the sum has no limit")),
        Assumption("γE_{t−1} + x + ζ ≤ σ/(2r)", lambda x: x.room, NotShown("sufficient; see approx-rank")),
    ],
    then=Leq(
        lhs=lambda x: [*x.errors[1:], x.errors[-1]],
        rhs=lambda x: [*x.unrolled(x.c_me, steps(x)), x.limsup(x.c_me, steps(x))],
    ),
    tight=Tight(DENTED, within=0),
    named={"grows": GROWS},
    mutants=[
        Mutant(
            "ζ is not amplified: 2ζ + c_me x",
            then=Leq(lambda x: x.errors[1:], lambda x: x.unrolled(x.c_me, steps(x, on_zeta=F(2)))),
            named_only=True,
        ),
        Mutant(
            "c_me ζ for (c_me + 1)ζ",
            then=Leq(lambda x: x.errors[1:], lambda x: x.unrolled(x.c_me, steps(x, on_zeta=x.c_me))),
            named_only=True,
        ),
        Mutant(
            "noise does not matter in the end",
            then=Leq(
                lambda x: x.errors[-1], lambda x: x.limsup(x.c_me, steps(x, on_zeta=F(2), noisy=False))
            ),
        ),
        Mutant(
            "γ for γc_me",
            then=Leq(lambda x: x.errors[1:], lambda x: x.unrolled(F(1), steps(x))),
            named_only=True,
        ),
    ],
    expect=CERTIFIED,
)  # fmt: skip


# ---- rank two --------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class RankTwo(Sweeps):
    """Let Q* = (11ᵀ + uvᵀ)/2, γ = part/(2c_me), V₀ = 0, V clipped to ±1, x_t = θ^t/(4c_me)."""

    def noise(self, t: int) -> F:
        """θ^t V_max/(4c_me)."""
        return self.theta**t / (4 * self.c_me)

    def clip(self, V: Table) -> Table:
        """Clipped to ±V_max = ±1."""
        return table([min(max(v, F(-1)), F(1)) for v in V])

    @property
    def theta(self) -> F:
        """2γc_me."""
        return 2 * self.gamma * self.c_me

    def falling(self, rate: F, front: F = F(1)) -> list[F]:
        """front·rate^t."""
        return [front * rate**t for t in range(1, self.T + 1)]


def rank_two(u: list[int], v: list[int], P: Table, part: F, pattern: tuple[int, ...]) -> RankTwo:
    """Anchors: the first rows with u = 1 and u = −1, the first columns with v = 1 and v = −1."""
    Q = table([[F(1 + x * y, 2) for y in v] for x in u])
    I, J = ((w.index(1), w.index(-1)) for w in (u, v))
    return RankTwo(Q, 0 * Q, P, part / 34, I, J, -Q.max(axis=1), F(0), pattern)


def drawn(read: Reader) -> RankTwo:
    """θ up to 19/20."""
    n, m = 2 + read.below(3), 2 + read.below(2)
    u, v = ([1, -1] + [1 if read.below(2) else -1 for _ in range(k - 2)] for k in (n, m))
    return rank_two(u, v, kernel(read, n, m), F(1 + read.below(19), 20), signs(read))


SQUARE = rank_two([1, -1], [1, -1], STAY, F(9, 10), (1, -1, 1))

contraction_rank2: Claim[RankTwo] = Claim(
    statement="Q* = (11ᵀ + uvᵀ)/2 has κ = 2, c_me = 17: ‖Q^(t) − Q*‖_∞ ≤ ¾θ^t for all t, θ = 34γ < 1",
    source=PAPER.at("Theorem on low-rank Q iteration, rank two"),
    let=decoded(drawn, 96),
    assume=[Assumption("θ < 1", lambda x: x.theta < 1, NotShown("sufficient only"))],
    then=Leq(
        lhs=lambda x: [x.bound.kappa, x.c_me, *x.errors[1:]],
        rhs=lambda x: [F(2), F(17), *x.falling(x.theta, F(3, 4))],
    ),
    tight=Tight(SQUARE, within=0),
    mutants=[
        Mutant("rate γ^t", then=Leq(lambda x: x.errors[1:], lambda x: x.falling(x.gamma))),
        Mutant("rate (θ/4)^t", then=Leq(lambda x: x.errors[1:], lambda x: x.falling(x.theta / 4, F(3, 4)))),
        Mutant("c_me = 7, as for rank one", then=Leq(lambda x: x.c_me, lambda x: F(7))),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
