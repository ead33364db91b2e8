"""Later work, one claim each: low-rank backups have no threshold; leverage scores find rows that matter."""

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
    Leq,
    Loose,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.checks.elimination import rank
from rltheory.operators import CrossBound, anchors_by_volume, cross_estimate

from .iteration import enclosed_exp
from .setting import HALF, PAPER, Table, table

SAM = "after Sam, Chen and Yu 2022 (arXiv 2206.03569), LR-EVI"
LORA = "after Stojanovic, Jedra and Proutiere 2024 (arXiv 2410.23434), LoRa-PI"


# ---- low-rank backups ------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Backed:
    """Let P and R be given, Q* = R + γPV*, V = V* + noise; anchors of largest volume for B = R + γPV."""

    P: Table
    R: Table
    gamma: F
    noise: tuple[F, ...]
    eta_part: F
    signs: tuple[int, ...]
    rank: int
    anchors: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    @cached_property
    def best(self) -> Table:
        """V*, exactly."""
        return np.asarray(rl.solve(rl.MDP(self.P, self.R, gamma=self.gamma)).V)

    @cached_property
    def B(self) -> Table:
        """R + γPV."""
        return np.asarray(self.R + self.gamma * (self.P @ (self.best + table(list(self.noise)))))

    @property
    def E(self) -> F:
        """‖V − V*‖_∞."""
        return max(abs(v) for v in self.noise)

    @cached_property
    def cross(self) -> tuple[CrossBound, F, Table]:
        """(bound, η, Q̄) of one noisy sweep."""
        I, J = self.anchors or anchors_by_volume(self.B, rank(self.B), exhaustive=True)
        bound = CrossBound(self.B, I, J)
        eta = self.eta_part * bound.sigma / (2 * bound.r)
        E, k = np.full(self.B.shape, F(0), dtype=object), 0
        for i in range(self.B.shape[0]):
            for j in range(self.B.shape[1]):
                if i in bound.I or j in bound.J:
                    E[i, j] = eta * self.signs[k % len(self.signs)]
                    k += 1
        seen = self.B + E
        return bound, eta, cross_estimate(seen[:, bound.J], seen[bound.I], bound.I, bound.J)

    @property
    def error(self) -> F:
        """‖Q̄ − Q*‖_∞."""
        Q = self.R + self.gamma * (self.P @ self.best)
        return F(np.abs(self.cross[2] - Q).max())

    @property
    def allowed(self) -> F:
        """γ‖V − V*‖ plus the largest entry bound."""
        bound, eta, _ = self.cross
        return self.gamma * self.E + F(bound.entry_bound(eta).max())

    @property
    def low_rank(self) -> bool:
        """Backups of two value functions have the rank stated, or less."""
        extra = self.P @ table([k * k + 1 for k in range(len(self.P))])
        return rank(self.R) <= self.rank and rank(np.concatenate([self.R, extra], axis=1)) <= self.rank


def backed(read: Reader) -> Backed:
    """P = Σ φ_k(s)ψ_k(s', a), R = Σ φ_k(s)w_k(a), two factors."""
    n, m, d = 3 + read.below(2), 2 + read.below(2), 2
    phi = []
    for _ in range(n):
        w = [read.below(4) for _ in range(d)]
        w[read.below(d)] += 1
        phi.append([F(k, sum(w)) for k in w])
    psi = []
    for _ in range(d * m):
        w = [read.below(4) for _ in range(n)]
        w[0] += 1
        psi.append([F(k, sum(w)) for k in w])
    mix = table(phi)
    P = (mix @ table(psi).reshape(d, m * n)).reshape(n, m, n)
    R = mix @ read.numbers(d, m)
    gamma = (HALF, F(9, 10), F(99, 100))[read.below(3)]
    shared = read.below(3) == 0
    first = F(read.below(9) - 4, 8)
    noise = tuple(first if shared else F(read.below(9) - 4, 8) for _ in range(n))
    part = F(0) if read.below(3) == 0 else F(1 + read.below(8), 8)
    signs = tuple(1 if read.below(2) else -1 for _ in range(1 + read.below(7)))
    return Backed(P, R, gamma, noise, part, signs, d)


def shifted() -> Backed:
    """V = V* + constant, no noise: equality."""
    x = backed(Reader(bytes(range(3, 120))))
    return Backed(x.P, x.R, x.gamma, (HALF,) * len(x.noise), F(0), (1,), 2)


def only_q() -> Backed:
    """Q* = (1, 4)ᵀ(1, ½) of rank one, backups of rank two, anchors (0, 1): one sweep errs by γFG‖V − V*‖."""
    Q, gamma = table([[1, HALF], [4, 2]]), HALF
    P = table([[[1, 0], [0, 1]], [[1, 0], [1, 0]]])
    return Backed(P, Q - gamma * (P @ Q.max(axis=1)), gamma, (F(0), F(1, 100)), F(0), (1,), 1, ((0,), (1,)))


lr_evi: Claim[Backed] = Claim(
    statement="backups of rank ≤ d: ‖Q^(t) − Q*‖ ≤ γ‖V^(t−1) − V*‖ + entry bound at η, for every γ < 1",
    source=PAPER.at(SAM),
    let=decoded(backed, 120),
    assume=[Assumption("R + γPV has rank ≤ d for every V", lambda x: x.low_rank, only_q())],
    then=Leq(lhs=lambda x: x.error, rhs=lambda x: x.allowed),
    tight=Tight(shifted(), within=0),
    mutants=[
        Mutant("noise is not amplified", rhs=lambda x: x.gamma * x.E + x.cross[1]),
        Mutant("γ²", rhs=lambda x: x.gamma**2 * x.E + x.allowed - x.gamma * x.E),
    ],
    expect=CERTIFIED,
    draws=70,
)


# ---- leverage --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Groups:
    """Let U have r groups of identical rows (leverage 1/r a group) and K rows be drawn by leverage."""

    r: int
    K: int

    @cached_property
    def failure(self) -> F:
        """P(λ_min(S) ≤ ½) = P(some group is drawn at most K/(2r) times), exactly."""
        most = self.K // (2 * self.r)
        ways = [0] * (self.K + 1)
        ways[0] = 1
        for _ in range(self.r):  # counts of the groups one by one, each above `most`
            new = [0] * (self.K + 1)
            for used, w in enumerate(ways):
                if w:
                    for k in range(most + 1, self.K - used + 1):
                        new[used + k] += w * math.comb(self.K - used, k)
            ways = new
        return 1 - F(ways[self.K], self.r**self.K)

    def bound(self, rate: F = F(15343, 100000)) -> rl.Enclosure:
        """r·exp(−rate·K/r)."""
        return enclosed_exp(-rate * self.K / self.r, F(self.r))

    @property
    def missed(self) -> F:
        """Uniform draws from 400 rows of which r carry all leverage: P(the first of them is never drawn)."""
        return F(399, 400) ** self.K


PRINTED = {
    "r = 2, K = 1": Groups(2, 1),
    "r = 3, K = 23": Groups(3, 23),
    "r = 10, K = 92": Groups(10, 92),
    "r = 10, K = 301": Groups(10, 301),
}

lora_leverage: Claim[Groups] = Claim(
    statement="K rows by leverage: P(λ_min(Σ UᵀU/(Kp)) ≤ ½) ≤ r exp(−0.15343 K/r), so K ≥ 6.52 r ln(r/δ) do",
    source=PAPER.at(f"{LORA}; matrix Chernoff"),
    let=decoded(lambda b: Groups(1 + b.below(6), 1 + b.below(80)), 2),
    assume=[],
    then=Leq(lhs=lambda x: x.failure, rhs=lambda x: x.bound()),
    tight=Loose(0.47, "1.853 at r = 2, K = 1, where the failure is certain"),
    named=PRINTED,
    mutants=[
        Mutant("K = 2 r ln(r/δ)", rhs=lambda x: x.bound(HALF)),
        Mutant("uniform draws do as well", lhs=lambda x: x.missed),
    ],
    expect=CERTIFIED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
