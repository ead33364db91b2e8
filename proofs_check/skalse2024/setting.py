"""Environments and rewards of this paper, and definitions computed the slow way, in rationals.

τ(s'|s, a), μ, γ; d^π(s, a) = Σ γ^t P(s_t = s, a_t = a), of mass 1/(1−γ); J_R(π) = ⟨d^π, r⟩ with
r(s, a) = Σ τ R; Ω is the set of all d^π, spanned by those of deterministic policies (`vertices`).
ρ(R) = max J_R − min J_R.  Reg(R1, R2) = max{J_1(π1) − J_1(π2) : J_2(π2) ≥ J_2(π1)}/ρ(R1).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rltheory as rl
from rltheory.checks import Paper, Reader
from rltheory.checks.elimination import eliminate

PAPER = Paper(
    key="starc",
    authors="Skalse, Farnik, Motwani, Jenner, Gleave, Abate",
    title="STARC: A General Framework For Quantifying Differences Between Reward Functions",
    year=2024,
    where="ICLR 2024, arXiv 2309.15257",
)

Table = NDArray[Any]
HALF = F(1, 2)


table = rl.exact_array
"""Nested lists as an object array of Fractions."""


@dataclass(frozen=True, eq=False)
class World:
    """Let τ, μ and γ be given, with every state reachable unless said otherwise."""

    tau: Table
    mu: Table
    gamma: F

    def __repr__(self) -> str:
        return f"World(table({self.tau.tolist()}), table({self.mu.tolist()}), {self.gamma!r})"

    @property
    def S(self) -> int:
        """Number of states."""
        return int(self.tau.shape[0])

    @property
    def A(self) -> int:
        """Number of actions."""
        return int(self.tau.shape[1])

    @cached_property
    def mdp(self) -> rl.MDP:
        """The environment as the library's model (its own reward is 0 and unused)."""
        zero = np.full((self.S, self.A), F(0), dtype=object)
        return rl.MDP(self.tau, zero, gamma=self.gamma, mu=self.mu)

    def occupancy(self, pi: Table) -> Table:
        """d^π from d(s') = μ(s') + γ Σ d τ, by elimination; π is (S, A)."""
        C = (pi[:, :, None] * self.tau).sum(axis=1)
        eye = table(np.eye(self.S, dtype=int))
        d = eliminate(eye - self.gamma * C.T, self.mu)
        return np.asarray(d[:, None] * pi)

    @cached_property
    def deterministic(self) -> list[Table]:
        """All deterministic policies as (S, A) tables."""
        eye = table(np.eye(self.A, dtype=int))
        return [eye[list(acts)] for acts in itertools.product(range(self.A), repeat=self.S)]

    @cached_property
    def vertices(self) -> list[Table]:
        """d^π of all deterministic policies."""
        return [self.occupancy(pi) for pi in self.deterministic]

    @cached_property
    def uniform(self) -> Table:
        """The uniform policy."""
        return np.full((self.S, self.A), F(1, self.A), dtype=object)

    def mean(self, R: Table) -> Table:
        """r(s, a) = Σ τ R."""
        return np.asarray((self.tau * R).sum(axis=-1))

    def J(self, R: Table, d: Table) -> F:
        """⟨d, r⟩."""
        return F((d * self.mean(R)).sum())

    def returns(self, R: Table) -> list[F]:
        """J of every deterministic policy."""
        return [self.J(R, d) for d in self.vertices]

    def rho(self, R: Table) -> F:
        """ρ by enumeration."""
        J = self.returns(R)
        return max(J) - min(J)

    def shaping(self, phi: Table) -> Table:
        """γΦ(s') − Φ(s)."""
        move = self.gamma * phi[None, :] - phi[:, None]
        return np.asarray(np.broadcast_to(move[:, None, :], self.tau.shape))

    def redistribution(self, X: Table) -> Table:
        """X minus its mean under τ, pair by pair."""
        return np.asarray(X - self.mean(X)[..., None])

    def dual(self, R1: Table, R2: Table, *, negative: bool = False) -> F:
        """min over λ ≥ 0 (or all λ) of ρ(R1 − λR2), walking along the upper envelope of all pairs' lines."""
        J1, J2 = self.returns(R1), self.returns(R2)
        pairs = list(itertools.product(range(len(J1)), repeat=2))
        lines = {(J1[i] - J1[j], J2[i] - J2[j]) for i, j in pairs}
        lam = F(0)
        if negative:
            spread = max(J2) - min(J2)
            lam = -2 * (max(J1) - min(J1)) / spread if spread else F(0)
        while True:
            top = max(a - lam * b for a, b in lines)
            b = min(b for a, b in lines if a - lam * b == top)  # the line that leads to the right
            if b <= 0:
                return top
            a = top + lam * b
            ahead = [(a - a2) / (b - b2) for a2, b2 in lines if b2 < b]
            lam = min(x for x in ahead if x >= lam)

    def regret(self, R1: Table, R2: Table) -> F:
        """Reg by enumeration of vertices; 0 for a trivial R1."""
        size = self.rho(R1)
        return self.dual(R1, R2) / size if size else F(0)


@dataclass(frozen=True, eq=False)
class Two:
    """Let R1 and R2 be rewards in the world W."""

    W: World
    R1: Table
    R2: Table

    def __repr__(self) -> str:
        return f"Two({self.W!r}, table({self.R1.tolist()}), table({self.R2.tolist()}))"

    @cached_property
    def sizes(self) -> tuple[F, F]:
        """ρ(R1), ρ(R2) by enumeration."""
        return self.W.rho(self.R1), self.W.rho(self.R2)

    @cached_property
    def reg(self) -> F:
        """Reg(R1, R2) by the library."""
        from rltheory.solvers import worst_case_regret

        return F(worst_case_regret(self.R1, self.R2, self.W.mdp).regret)  # type: ignore[arg-type]

    @cached_property
    def d_rho(self) -> F:
        """ρ(R1/ρ(R1) − R2/ρ(R2)), 0/0 = 0, by enumeration."""
        a, b = (R / s if s else 0 * R for R, s in zip((self.R1, self.R2), self.sizes, strict=True))
        return self.W.rho(a - b)

    @property
    def swapped(self) -> Two:
        """(R2, R1)."""
        return Two(self.W, self.R2, self.R1)


# ---- instances -------------------------------------------------------------------------------
def law(read: Reader, n: int) -> list[F]:
    """n rationals ≥ 0 that sum to one, the first positive."""
    w = [1 + read.below(4), *[read.below(5) for _ in range(n - 1)]]
    return [F(k, sum(w)) for k in w]


GAMMAS = (HALF, F(3, 4), F(9, 10), F(1, 4))


def world(read: Reader, *, S: int = 3, A: int = 3, least: int = 1) -> World:
    """A reachable world of at most S states and between 2 and A actions: μ is positive everywhere."""
    gamma, n, m = GAMMAS[read.below(4)], least + read.below(S - least + 1), 2 + read.below(A - 1)
    rows = []
    for _ in range(n * m):
        row = law(read, n)
        shift = read.below(n)
        rows.append(row[-shift:] + row[:-shift] if shift else row)
    tau = table(rows).reshape(n, m, n)
    start = [1 + read.below(3) for _ in range(n)]
    return World(tau, table([F(k, sum(start)) for k in start]), gamma)


def two(read: Reader, *, S: int = 2, A: int = 3, least: int = 1) -> Two:
    """Two rewards: independent, or related (negated, shaped, redistributed, nearly parallel)."""
    W = world(read, S=S, A=A, least=least)
    shape = W.tau.shape
    R1, fresh = read.numbers(*shape), read.numbers(*shape)
    kind = read.below(6)
    if kind == 0:
        return Two(W, R1, -R1 + F(read.below(3), 2) * fresh)
    if kind == 1:
        return Two(W, R1, (1 + read.below(3)) * R1 + W.shaping(fresh[:, 0, 0]))
    if kind == 2:
        return Two(W, R1, R1 + W.redistribution(fresh))
    if kind == 3:
        return Two(W, R1, R1 + F(1, 4) * fresh)
    return Two(W, R1, fresh)


def one_state(*rows: list[int], gamma: F = HALF) -> Two:
    """One state whose actions pay the numbers given."""
    W = World(table(np.ones((1, len(rows[0]), 1), dtype=int)), table([1]), gamma)
    R1, R2 = (table(r).reshape(1, len(r), 1) for r in rows)
    return Two(W, R1, R2)


FIRST = Two(
    World(table([[[HALF, HALF], [1, 0]], [[F(1, 4), F(3, 4)], [0, 1]]]), table([HALF, HALF]), HALF),
    table([[[1, 3], [0, 2]], [[2, -2], [1, -1]]]),
    table([[[2, 0], [1, 1]], [[4, 4], [0, 1]]]),
)
SECOND = one_state([0, 2, 2, 0], [1, 1, 2, 0])
OPPOSITE = Two(FIRST.W, FIRST.R1, -FIRST.R1)


def rare(eps: F, c: F, gamma: F, *, flip: str = "common") -> Two:
    """τ(·|s, a) = μ = (1 − ε, ε); R1 is ±c at the common state, ±1 at the rare one; R2 flips one."""
    law = [1 - eps, eps]
    W = World(table([[law, law], [law, law]]), table(law), gamma)
    R1 = table([[[c, c], [-c, -c]], [[1, 1], [-1, -1]]])
    R2 = R1.copy()
    R2[0 if flip == "common" else 1] *= -1
    return Two(W, R1, R2)
