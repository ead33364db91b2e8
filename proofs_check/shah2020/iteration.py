"""The iteration: what sampling costs, how errors contract, and that the threshold on γ is real."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property

import numpy as np

import rltheory as rl
from rltheory.checks import (
    CERTIFIED,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Loose,
    Mutant,
    NotShown,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.kernels import ball
from rltheory.operators import cross_estimate
from rltheory.solvers import LowRankSchedule
from rltheory.solvers.low_rank import noise_free_sweep

from .setting import HALF, PAPER, Table, table


def enclosed_exp(x: F, times: F = F(1)) -> rl.Enclosure:
    """times·e^x."""
    with ball.precision(128):
        return rl.Enclosure.ball(ball.exp(np.array([x], dtype=object))[0] * ball.to_arb(times))


# ---- lookaheads ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Coins:
    """Let N next states be worth ±V_max, +V_max with probability p, on each of `entries` entries."""

    N: int
    p: F
    entries: int
    t: F

    @cached_property
    def tail(self) -> F:
        """P(max |Q̂ − (R + γPV)| > tγV_max), exactly."""
        inside = F(0)
        for k in range(self.N + 1):
            if abs(F(2 * k, self.N) - 2 * self.p) <= self.t:
                inside += math.comb(self.N, k) * self.p**k * (1 - self.p) ** (self.N - k)
        return 1 - inside**self.entries

    def bound(self, rate: F = HALF, front: int = 2) -> rl.Enclosure:
        """front·|Ω|·exp(−rate·N t²)."""
        return enclosed_exp(-rate * self.N * self.t**2, F(front * self.entries))


def coins(read: Reader) -> Coins:
    """Up to 40 draws."""
    N = (1, 2, 3, 5, 8, 13, 20, 30, 40)[read.below(9)]
    return Coins(N, (HALF, F(1, 4), F(2, 3))[read.below(3)], 1 + read.below(4), F(1 + read.below(63), 64))


lookahead: Claim[Coins] = Claim(
    statement="P(max_Ω |Q̂ − (R + γPV)| > x) ≤ 2|Ω| exp(−N x²/(2γ²V_max²)), |V| ≤ V_max",
    source=PAPER.at("Hoeffding step of the proof"),
    let=decoded(coins, 6),
    assume=[],
    then=Leq(lhs=lambda x: x.tail, rhs=lambda x: x.bound()),
    tight=Loose(0.19, "2e^{−1/2} = 1.2131 at N = 1, x ↑ γV_max"),
    named={
        "one draw": Coins(1, HALF, 1, F(999, 1000)),
        "a hundred draws": Coins(100, HALF, 1, F(3, 10)),
    },
    mutants=[
        Mutant("exponent −2N x²/(γV_max)²", rhs=lambda x: x.bound(F(2))),
        Mutant("without the leading 2", rhs=lambda x: x.bound(HALF, 1)),
    ],
    expect=CERTIFIED,
)


# ---- contraction -----------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Run:
    """Let Q* = fgᵀ > 0 be the optimal Q of (P, R, γ), anchors (0, 0), and lookaheads err by at most x_t.

    θ = 2γc_me, c_me = 7 max Q*/min Q*, V_max = max Q*, x_t = θ^t V_max/(4c_me); V is clipped to ±V_max.
    """

    Q: Table
    P: Table
    part: F
    signs: tuple[int, ...]
    T: int = 5

    @property
    def c_me(self) -> F:
        """7 max Q/min Q."""
        return F(7 * self.Q.max() / self.Q.min())

    @property
    def gamma(self) -> F:
        """part/(2c_me)."""
        return self.part / (2 * self.c_me)

    @property
    def theta(self) -> F:
        """2γc_me."""
        return 2 * self.gamma * self.c_me

    @cached_property
    def errors(self) -> list[F]:
        """‖Q^(t) − Q*‖_∞, t = 1..T."""
        top, n = F(self.Q.max()), self.Q.shape[0]
        best = self.Q.max(axis=1)
        V, out, k = np.full(n, F(0), dtype=object), [], 0
        for t in range(1, self.T + 1):
            x = self.theta**t * top / (4 * self.c_me)
            Z = self.Q + self.gamma * (self.P @ (V - best))
            E = np.full(Z.shape, F(0), dtype=object)
            for i, j in [(i, 0) for i in range(n)] + [(0, j) for j in range(1, Z.shape[1])]:
                E[i, j] = x * self.signs[k % len(self.signs)]
                k += 1
            Z = Z + E
            Z = cross_estimate(Z[:, [0]], Z[[0]], [0], [0])
            out.append(F(np.abs(Z - self.Q).max()))
            V = np.array([min(max(v, -top), top) for v in Z.max(axis=1)], dtype=object)
        return out

    def bound(self, rate: F) -> list[F]:
        """rate^t V_max."""
        return [rate**t * F(self.Q.max()) for t in range(1, self.T + 1)]


def run(read: Reader) -> Run:
    """f, g within 5 % (or 30 %) of each other; noise of one sign, of all signs."""
    n, m = 2 + read.below(3), 2 + read.below(2)
    wide = 30 if read.below(2) else 5
    f, g = ([F(100 + read.below(2 * wide + 1) - wide, 100) for _ in range(k)] for k in (n, m))
    rows = []
    for _ in range(n * m):
        w = [1 + read.below(4) for _ in range(n)]
        rows.append([F(k, sum(w)) for k in w])
    signs = tuple(1 if read.below(2) else -1 for _ in range(1 + read.below(8)))
    Q = table([[x * y for y in g] for x in f])
    return Run(Q, table(rows).reshape(n, m, n), F(1 + read.below(19), 20), signs)


FLAT_RUN = Run(
    table([[1, 1], [1, 1]]), table([[[1, 0], [0, 1]], [[HALF, HALF], [0, 1]]]), F(9, 10), (-1, 1, 1)
)

contraction: Claim[Run] = Claim(
    statement="lookaheads within θ^tV_max/(4c_me), θ = 2γc_me < 1: ‖Q^(t) − Q*‖_∞ ≤ ¾θ^tV_max for all t",
    source=PAPER.at("Theorem on low-rank Q iteration; the probability is that of `lookahead`"),
    let=decoded(run, 96),
    assume=[Assumption("θ < 1", lambda x: x.theta < 1, NotShown("sufficient only"))],
    then=Leq(lhs=lambda x: x.errors, rhs=lambda x: [F(3, 4) * b for b in x.bound(x.theta)]),
    tight=Loose(0.9, "every term of the proof at once is not attained"),
    named={"flat": FLAT_RUN},
    mutants=[
        Mutant(
            "one step without c_me: E_t ≤ γE_{t−1} + x_t",
            then=Leq(
                lambda x: x.errors[1:],
                lambda x: [
                    x.gamma * e + b / (4 * x.c_me)
                    for e, b in zip(x.errors, x.bound(x.theta)[1:], strict=False)
                ],
            ),
        ),
        Mutant("rate γ^t", rhs=lambda x: x.bound(x.gamma)),
        Mutant("rate (θ/4)^t", rhs=lambda x: [b * F(3, 4) / 4**t for t, b in enumerate(x.bound(x.theta), 1)]),
    ],
    expect=CERTIFIED,
)


# ---- samples ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Budget:
    """Let θ = ½, c_me = 7, V_max = L = 1, r = 1, δ = 1/10 on [0, 1]^d1 × [0, 1]^d2; ε = 2^−T."""

    d1: int
    d2: int
    T: int

    @property
    def D(self) -> int:
        """max(d1, d2)."""
        return max(self.d1, self.d2)

    @property
    def C(self) -> F:
        """Constant of the cross."""
        return CONSTANTS[self.d1, self.d2][0]

    @property
    def C_full(self) -> F:
        """Constant of the whole grid."""
        return CONSTANTS[self.d1, self.d2][1]

    def used(self, k: int | None) -> int:
        """Samples of all sweeps, by the library's schedule."""
        plan = LowRankSchedule(1 / 28, 7, 1, self.T, 0.1, L=1.0)
        return plan.total(lambda t: plan.cells(t) ** self.d1, lambda t: plan.cells(t) ** self.d2, k)

    def allowed(self, C: F, power: F, *, full: bool = False) -> rl.Enclosure:
        """C·ln(2|Ω_T|T/δ)·ε^−power."""
        n, m = (4 * 2**self.T) ** self.d1, (4 * 2**self.T) ** self.d2
        entries = n * m if full else n + m - 1
        with ball.precision(192):
            log = ball.log(np.array([F(20 * entries * self.T)], dtype=object))[0]
            grow = ball.exp(ball.log(np.array([F(2)], dtype=object)) * ball.to_arb(power * self.T))[0]
            return rl.Enclosure.ball(log * grow * ball.to_arb(C))


CONSTANTS = {(1, 1): (F(1829, 100), F(3414, 100)), (2, 1): (F(3608, 100), F(13213, 100)),
             (2, 2): (F(6827, 100), F(52013, 100))}  # fmt: skip
BUDGETS = [Budget(*d, T) for d in CONSTANTS for T in (*range(1, 13), 16, 20, 30, 40)]


def totals(x: Budget) -> list[F]:
    """Samples on the cross, and on the whole grid."""
    return [F(x.used(1)), F(x.used(None))]


samples: Claim[Budget] = Claim(
    statement="samples: ≤ C·Λ·ε^−(max(d1,d2)+2) on crosses, ≤ C'·Λ'·ε^−(d1+d2+2) on whole grids",
    source=PAPER.at("Theorem on sample complexity; constants derived"),
    let=Every("(d1, d2) in (1,1), (2,1), (2,2), T ≤ 40", len(BUDGETS), BUDGETS),
    assume=[],
    then=Leq(
        lhs=totals,
        rhs=lambda x: [
            x.allowed(x.C, F(x.D + 2)),
            x.allowed(x.C_full, F(x.d1 + x.d2 + 2), full=True),
        ],
    ),
    tight=Tight(Budget(1, 1, 40), within=0.01),
    mutants=[
        Mutant(
            "power D + 1.95",
            then=Leq(lambda x: x.used(1), lambda x: x.allowed(x.C, x.D + F(195, 100))),
        ),
        Mutant("power D + 1", then=Leq(lambda x: x.used(1), lambda x: x.allowed(x.C, F(x.D + 1)))),
        Mutant("power 2", then=Leq(lambda x: x.used(1), lambda x: x.allowed(x.C, F(2)))),
        Mutant(
            "the whole grid at the power of the cross",
            then=Leq(
                lambda x: x.used(None),
                lambda x: x.allowed(x.C_full, F(x.D + 2), full=True),
            ),
        ),
    ],
    expect=CERTIFIED,
)  # fmt: skip


# ---- the threshold ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Repelling:
    """Let Q* = (1, F)ᵀ(1, 1/G); only (0, 1) leads to state 1; anchors s♯ = 0, a♯ = 1; V₀ = V* + (0, e)."""

    F_: int
    G: int
    gamma: F
    e: F
    T: int = 6

    @cached_property
    def mdp(self) -> rl.MDP:
        """The model with this optimal Q."""
        Q = table([[1, F(1, self.G)], [self.F_, F(self.F_, self.G)]])
        P = table([[[1, 0], [0, 1]], [[1, 0], [1, 0]]])
        return rl.MDP(P, Q - self.gamma * (P @ Q.max(axis=1)), gamma=self.gamma)

    @cached_property
    def observed(self) -> list[F]:
        """V^(t)(1) − F by noise-free sweeps of the library."""
        V, out = table([1, self.F_ + self.e]), []
        for _ in range(self.T):
            V = noise_free_sweep(self.mdp, V, [0], [1]).max(axis=1)
            out.append(F(V[1] - self.F_))
        return out

    @cached_property
    def predicted(self) -> list[F]:
        """e ← −γFGe/(1 + γGe)."""
        e, out = self.e, []
        for _ in range(self.T):
            e = -self.gamma * self.F_ * self.G * e / (1 + self.gamma * self.G * e)
            out.append(e)
        return out

    @property
    def inside(self) -> bool:
        """Action 0 stays greedy everywhere: F + e_t > F/G, and row 0 keeps its maximum."""
        es = [self.e, *self.predicted]
        low = all(self.F_ + e > F(self.F_, self.G) for e in es)
        return low and all(F(1, self.G) + self.gamma * e < 1 for e in es)


def repelling(read: Reader) -> Repelling:
    """e small."""
    gamma = F(1 + read.below(19), 20)
    return Repelling(
        2 + read.below(3), 2 + read.below(2), gamma, F(1 if read.below(2) else -1, 10 ** (5 + read.below(3)))
    )


PRINTED = Repelling(4, 2, F(1, 5), F(1, 10**6), 12)

threshold_real: Claim[Repelling] = Claim(
    statement="e_{t+1} = −γFG e_t/(1 + γG e_t): a rank-one fixed point repels exactly when γFG > 1",
    source=PAPER.at("threshold on γ; instance derived"),
    let=decoded(repelling, 6),
    assume=[Assumption("action 0 stays greedy", lambda x: x.inside, Repelling(4, 2, F(1, 2), F(1, 10), 6))],
    then=Eq(lhs=lambda x: x.observed, rhs=lambda x: x.predicted),
    tight=Tight(PRINTED, within=0),
    mutants=[
        Mutant("growth γF", rhs=lambda x: [x.e * (-x.gamma * x.F_) ** t for t in range(1, x.T + 1)]),
        Mutant("growth γG", rhs=lambda x: [x.e * (-x.gamma * x.G) ** t for t in range(1, x.T + 1)]),
        Mutant(
            "it contracts for every γ < 1",
            then=Leq(lambda x: abs(x.observed[-1]), lambda x: abs(x.e)),
        ),
    ],
    expect=CERTIFIED,
)


threshold_real_growth: Claim[Repelling] = Claim(
    statement="||e_{t+1}|/|e_t| − γFG| ≤ γFG·γG|e_t|/(1 − γG|e_t|)",
    source=PAPER.at("threshold on γ; instance derived"),
    let=decoded(repelling, 6),
    assume=[Assumption("action 0 stays greedy", lambda x: x.inside, NotShown("see threshold-real"))],
    then=Leq(
        lhs=lambda x: abs(abs(x.observed[0] / x.e) - x.gamma * x.F_ * x.G),
        rhs=lambda x: x.gamma * x.F_ * x.G * x.gamma * x.G * abs(x.e) / (1 - x.gamma * x.G * abs(x.e)),
    ),
    tight=Tight(Repelling(4, 2, F(1, 5), F(-1, 10**6)), within=0),
    mutants=[
        Mutant("around γF", lhs=lambda x: abs(abs(x.observed[0] / x.e) - x.gamma * x.F_)),
        Mutant("around γG", lhs=lambda x: abs(abs(x.observed[0] / x.e) - x.gamma * x.G)),
    ],
    expect=CERTIFIED,
)


# ---- greedy anchors --------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Greedy:
    """Let Q* = fgᵀ > 0, a♯ its greedy action (or another), s♯ a row, V = V* + noise."""

    f: tuple[F, ...]
    g: tuple[F, ...]
    P: Table
    gamma: F
    noise: tuple[F, ...]
    row: int
    column: int

    @cached_property
    def Q(self) -> Table:
        """fgᵀ."""
        return table([[x * y for y in self.g] for x in self.f])

    @property
    def E(self) -> F:
        """‖V − V*‖_∞."""
        return max(abs(v) for v in self.noise)

    @property
    def greedy(self) -> int:
        """argmax g."""
        return int(np.argmax(np.array(self.g, dtype=object)))

    @property
    def gap(self) -> F:
        """Action gap of row s♯."""
        first, second = sorted(self.g, reverse=True)[:2]
        return self.f[self.row] * (first - second)

    @cached_property
    def after(self) -> F:
        """‖V' − V*‖_∞ after a noise-free sweep, by the library."""
        best = self.Q.max(axis=1)
        mdp = rl.MDP(self.P, self.Q - self.gamma * (self.P @ best), gamma=self.gamma)
        V = best + table(list(self.noise))
        Z = noise_free_sweep(mdp, V, [self.row], [self.column])
        return F(np.abs(Z.max(axis=1) - best).max())


def greedy(read: Reader, *, best: bool = True) -> Greedy:
    """Noise small against the gap; sometimes the same everywhere."""
    n, m = 2 + read.below(3), 2 + read.below(2)
    f, g = (tuple(F(1 + read.below(6)) for _ in range(k)) for k in (n, m))
    g = (max(g) + 1, *g[1:])
    gamma = F(1 + read.below(19), 20)
    rows = []
    for _ in range(n * m):
        w = [read.below(4) for _ in range(n)]
        w[0] += 1
        rows.append([F(k, sum(w)) for k in w])
    size = F(1, 8)
    shared = read.below(3) == 0
    first = F(read.below(9) - 4, 4) * size
    noise = tuple(first if shared else F(read.below(9) - 4, 4) * size for _ in range(n))
    column = int(np.argmax(np.array(g, dtype=object)))
    if not best:
        column = int(np.argmin(np.array(g, dtype=object)))
    return Greedy(f, g, table(rows).reshape(n, m, n), gamma, noise, read.below(n), column)


TWO_STATES = Greedy(
    (F(1), F(4)),
    (F(1), HALF),
    table([[[1, 0], [0, 1]], [[1, 0], [1, 0]]]),
    F(1, 5),
    (F(1, 100), F(1, 100)),
    1,
    0,
)

greedy_anchor: Claim[Greedy] = Claim(
    statement="rank one, Q* > 0, anchored at the greedy action: ‖V' − V*‖ ≤ γ‖V − V*‖ near V*",
    source=PAPER.at("choice of anchors; derived"),
    let=decoded(lambda b: greedy(b, best=b.below(4) > 0), 80),
    assume=[
        Assumption("the anchor action is greedy", lambda x: x.column == x.greedy, Greedy(
            TWO_STATES.f, TWO_STATES.g, TWO_STATES.P, F(1, 5), (F(0), F(1, 100)), 0, 1)),
        Assumption(
            "2γE below the action gap of row s♯", lambda x: 2 * x.gamma * x.E < x.gap, NotShown("sufficient")
        ),
        Assumption(
            "γE below min Q*(s, a♯)",
            lambda x: x.gamma * x.E < min(v * x.g[x.column] for v in x.f),
            NotShown("sufficient"),
        ),
    ],
    then=Leq(lhs=lambda x: x.after, rhs=lambda x: x.gamma * x.E),
    tight=Tight(TWO_STATES, within=0),
    mutants=[
        Mutant("γ²", rhs=lambda x: x.gamma**2 * x.E),
        Mutant("whatever the anchor", drop="the anchor action is greedy"),
    ],
    expect=CERTIFIED,
)  # fmt: skip

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
