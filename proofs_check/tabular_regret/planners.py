"""Variance of the return, the best law of an ℓ₁ ball, and how often doubling learners plan."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

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
from rltheory.kernels import simplex
from rltheory.solvers import MVP, evaluate_horizon

from .setting import PAPER, law, model


# ---- total variance --------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Played:
    """Let π (H, S) be deterministic actions, or `weights` (H, S, A) probabilities."""

    M: rl.FiniteHorizonMDP
    pi: Any

    def __repr__(self) -> str:
        return f"Played({self.M.literal()}, {self.pi.tolist()})"

    @cached_property
    def weights(self) -> Any:
        """(H, S, A) probabilities."""
        if self.pi.ndim == 3:
            return self.pi
        out = rl.exact_array(np.zeros((self.M.H, self.M.S, self.M.A), dtype=int))
        for h, s in product(range(self.M.H), range(self.M.S)):
            out[h, s, self.pi[h, s]] = F(1)
        return out

    @cached_property
    def V(self) -> Any:
        """V^π (H+1, S)."""
        return evaluate_horizon(self.M, self.pi).V

    @cached_property
    def steps(self) -> F:
        """E_π Σ_h 𝕍(P, V_{h+1})."""
        d, total, P = self.M.mu, F(0), self.M.P[0]
        for h in range(self.M.H):
            new = rl.exact_array(np.zeros(self.M.S, dtype=int))
            for s, a in product(range(self.M.S), range(self.M.A)):
                w, v = d[s] * self.weights[h, s, a], self.V[h + 1]
                total += w * (P[s, a] @ v**2 - (P[s, a] @ v) ** 2)
                new = new + w * P[s, a]
            d = new
        return F(total)

    @property
    def start(self) -> F:
        """Var_μ(V_1)."""
        return F(self.M.mu @ self.V[0] ** 2 - (self.M.mu @ self.V[0]) ** 2)

    @cached_property
    def returns(self) -> dict[F, F]:
        """The law of the return, over all paths."""
        now: dict[tuple[int, F], F] = {(s, F(0)): p for s, p in enumerate(self.M.mu) if p}
        for h in range(self.M.H):
            new: dict[tuple[int, F], F] = {}
            for (s, g), p in now.items():
                for a, y in product(range(self.M.A), range(self.M.S)):
                    w = p * self.weights[h, s, a] * self.M.P[0][s, a, y]
                    if w:
                        at = (y, g + self.M.R[0][s, a])
                        new[at] = new.get(at, F(0)) + w
            now = new
        out: dict[F, F] = {}
        for (_, g), p in now.items():
            out[g] = out.get(g, F(0)) + p
        return out

    @cached_property
    def variance(self) -> F:
        """Var of the return."""
        mean = sum((g * p for g, p in self.returns.items()), F(0))
        return sum((g * g * p for g, p in self.returns.items()), F(0)) - mean**2

    @property
    def most(self) -> F:
        """A bound on the return: the largest there is (the least being at least 0)."""
        return max(self.returns)


def policy(read: Reader) -> Played:
    """A model and a deterministic policy."""
    M = model(read)
    return Played(M, np.array([[read.below(M.A) for _ in range(M.S)] for _ in range(M.H)]))


def two_starts(H: int = 1) -> Played:
    """States 0 and 1 pay 0 and 1 for ever; either start with probability ½."""
    P = rl.exact_array([[[1, 0]], [[0, 1]]])
    half = F(1, 2)
    M = rl.FiniteHorizonMDP(P, rl.exact_array([[0], [1]]), H, mu=rl.exact_array([half, half]))
    return Played(M, np.zeros((H, 2), dtype=int))


def coin_policy() -> Played:
    """One state, actions that pay 0 and 1, chosen with ½."""
    M = rl.FiniteHorizonMDP(rl.exact_array([[[1], [1]]]), rl.exact_array([[0, 1]]), 1)
    return Played(M, rl.exact_array([[[F(1, 2), F(1, 2)]]]))


TOTAL = PAPER.at("law of total variance for the return; the case M = 1 of the latent one")
DETERMINISTIC: Assumption[Played] = Assumption("π is deterministic", lambda x: x.pi.ndim == 2, coin_policy())

total_variance: Claim[Played] = Claim(
    statement="E_π Σ_h 𝕍(P, V^π_{h+1}) + Var_μ(V^π_1) = Var(return) for deterministic π",
    source=TOTAL,
    let=decoded(policy, 300),
    assume=[DETERMINISTIC],
    then=Eq(lhs=lambda x: x.steps + x.start, rhs=lambda x: x.variance),
    tight=Tight(two_starts(), within=0),
    mutants=[Mutant("without the start", lhs=lambda x: x.steps)],
    expect=CERTIFIED,
)

total_variance_bound: Claim[Played] = Claim(
    statement="E_π Σ_h 𝕍(P, V^π_{h+1}) + Var_μ(V^π_1) ≤ vmax²/4 for returns in [0, vmax]",
    source=TOTAL,
    let=decoded(policy, 300),
    assume=[],
    then=Leq(lhs=lambda x: x.steps + x.start, rhs=lambda x: x.most**2 / 4),
    tight=Tight([two_starts(), two_starts(3)], within=0),
    mutants=[
        Mutant("vmax²/5", rhs=lambda x: x.most**2 / 5),
        Mutant("the mean", rhs=lambda x: x.M.mu @ x.V[0] / 4),
    ],
    expect=CERTIFIED,
)


# ---- the ball of UCRL2 -----------------------------------------------------------------------
@dataclass(frozen=True)
class Ball:
    """Let p be a law, d ≥ 0 a radius and u values; all dyadic, so that doubles are exact."""

    p: tuple[F, ...]
    d: F
    u: tuple[F, ...]

    def greedy(self, half: bool = True) -> tuple[list[F], F]:
        """The library's law and value; with d in place of d/2 if not `half`."""
        law, v = np.array(self.p, dtype=float), np.array(self.u, dtype=float)
        order = np.zeros(len(v), dtype=np.int64)
        kernel.sorted_states(v, order)
        value = kernel.best_in_ball(law, float(self.d if half else 2 * self.d), v, order)
        return [F(float(q)) for q in law], F(float(value))

    @cached_property
    def optimum(self) -> F:
        """max{q·u : q = p + a − b, a, b ≥ 0, b ≤ p, Σ(a + b) ≤ d, Σ(a − b) = 0}, an exact program."""
        n = len(self.p)
        A: list[Any] = []
        b: list[F] = []
        A.append([1] * n + [-1] * n + [0] * n + [0])
        b.append(F(0))
        A.append([1] * n + [1] * n + [0] * n + [1])
        b.append(self.d)
        for i in range(n):
            A.append([0] * n + [int(j == i) for j in range(n)] * 2 + [0])
            b.append(self.p[i])
        c = [*self.u, *(-v for v in self.u), *([F(0)] * (n + 1))]
        best = simplex.maximise(rl.exact_array(A), rl.exact_array(b), rl.exact_array(c))
        return sum((F(a) * b for a, b in zip(c, best.x, strict=True)), F(0)) + sum(
            (p * v for p, v in zip(self.p, self.u, strict=True)), F(0)
        )

    def length(self, q: list[F]) -> F:
        """‖q − p‖₁."""
        return sum((abs(a - b) for a, b in zip(q, self.p, strict=True)), F(0))


def l1_ball(read: Reader) -> Ball:
    """2 to 4 states."""
    n = 2 + read.below(3)
    p = law(read, n, unit=64)
    return Ball(tuple(p), F(read.below(80), 32), tuple(F(read.below(33), 16) for _ in range(n)))


PRINTED = Ball((F(1, 2), F(5, 16), F(3, 16)), F(3, 8), (F(1), F(3), F(2)))
L1 = PAPER.at("Jaksch, Ortner, Auer (2010), figure 2: inner maximum")

l1_max: Claim[Ball] = Claim(
    statement="put min{1, p(best) + d/2} on the best state and remove the excess from the worst: this "
    "attains max{q·u : ‖q − p‖₁ ≤ d, q a law}",
    source=L1,
    let=decoded(l1_ball, 24),
    assume=[],
    then=Eq(lhs=lambda x: x.greedy()[1], rhs=lambda x: x.optimum),
    tight=Tight(PRINTED, within=0),
    mutants=[Mutant("add d in place of d/2", lhs=lambda x: x.greedy(half=False)[1])],
    expect=CERTIFIED,
)

l1_max_feasible: Claim[Ball] = Claim(
    statement="and that law is in the ball: ‖q − p‖₁ ≤ d, q ≥ 0, Σq = 1",
    source=L1,
    let=decoded(l1_ball, 24),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.length(x.greedy()[0]), -min(x.greedy()[0]), abs(sum(x.greedy()[0]) - 1)],
        rhs=lambda x: [x.d, 0, 0],
    ),
    tight=Tight(PRINTED, within=0),
    mutants=[
        Mutant(
            "add d in place of d/2",
            lhs=lambda x: [x.length(x.greedy(half=False)[0]), 0, 0],
        ),
    ],
    expect=CERTIFIED,
)


# ---- plans -----------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Doubling:
    """Let MVP, with either choice of samples, play K episodes of M."""

    M: rl.FiniteHorizonMDP
    K: int
    batch: bool

    def __repr__(self) -> str:
        return f"Doubling({self.M.literal()}, {self.K}, {self.batch})"

    @cached_property
    def plans(self) -> int:
        """Number of plans."""
        agent = MVP(scale=0.01, samples="batch" if self.batch else "all")
        return int(rl.regret(agent, self.M, K=self.K, seeds=[0], points=[self.K], progress=False).plans[0])

    @property
    def pairs(self) -> int:
        """SA."""
        return self.M.S * self.M.A

    @property
    def levels(self) -> int:
        """⌊log₂(KH)⌋."""
        return (self.K * self.M.H).bit_length() - 1


def doubling(read: Reader) -> Doubling:
    """K up to 600."""
    return Doubling(model(read), 1 + read.below(250) + read.below(250), bool(read.below(2)))


def lone(K: int) -> Doubling:
    """One state, one action, one step."""
    return Doubling(rl.FiniteHorizonMDP(rl.exact_array([[[1]]]), rl.exact_array([[1]]), 1), K, False)


plans: Claim[Doubling] = Claim(
    statement="a learner that replans when a count doubles plans at most 1 + SA(⌊log₂(KH)⌋ + 1) times",
    source=PAPER.at("Zhang, Ji, Du (2021), number of updates; derived"),
    let=decoded(doubling, 300),
    assume=[],
    then=Leq(lhs=lambda x: x.plans, rhs=lambda x: 1 + x.pairs * (x.levels + 1)),
    tight=Tight([lone(1), lone(64)], within=0),
    mutants=[
        Mutant("at most SA", rhs=lambda x: x.pairs),
        Mutant("SA·⌊log₂(KH)⌋ + 1", rhs=lambda x: 1 + x.pairs * x.levels, named_only=True),
    ],
    named={"the chain": Doubling(rl.gallery.regret_chain(), 2000, False)},
    expect=CERTIFIED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
