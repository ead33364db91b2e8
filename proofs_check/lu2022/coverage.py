"""Coverage of the joint confidence set, exactly: every outcome of a few rounds of two-valued noise.

Noise is ±σ with probability ½ each (σ-sub-Gaussian), play is optimistic, all 2^(MT) outcomes are followed.
M_t = mean over φ of exp((L(f*) − Σ_iρ_i)/2σ²)·Π_i det(A_i/λ)^(−½) is the mixture of likelihood ratios behind
B_t; it is a supermartingale from M_0 = 1, and f* ∉ F_t needs M_t > 1/δ.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from flint import arb

import rltheory as rl
from rltheory.checks import CERTIFIED, Assumption, Claim, Leq, Loose, Mutant, Tight, run_module
from rltheory.kernels import ball
from rltheory.solvers import joint_confidence

from .setting import HALF, PAPER, Table, UnitReader, Vector, decoded, determinant, dot, enclosed, solve, table

Log = tuple[tuple[int, int, F], ...]


class Node(NamedTuple):
    """One history: its parent, probability, L(f*), ρ and det(A/λ) of every φ, and the library's B."""

    parent: int
    t: int
    truth: F
    rho: tuple[F, ...]
    growth: tuple[F, ...]
    radius: Any


@dataclass(frozen=True, eq=False)
class Game:
    """Let phi (p, X, A, k), heads θ (M, k), contexts (T, M), λ, `noise`, σ and δ be given; φ_* = φ_0."""

    phi: Table
    theta: tuple[Vector, ...]
    contexts: tuple[tuple[int, ...], ...]
    lam: F
    noise: F
    sigma: F
    delta: F

    def __repr__(self) -> str:
        rest = (
            f"{self.theta!r}, {self.contexts!r}, {self.lam!r}, {self.noise!r}, {self.sigma!r}, {self.delta!r}"
        )
        return f"Game(table({self.phi.tolist()}), {rest})"

    @property
    def T(self) -> int:
        """Rounds."""
        return len(self.contexts)

    @property
    def M(self) -> int:
        """Tasks."""
        return len(self.theta)

    def fit(self, f: int, log: Log) -> tuple[F, F]:
        """ρ and det(A/λ) of one task, by elimination."""
        k = self.phi.shape[3]
        A, b = table(np.eye(k, dtype=int)) * self.lam, [F(0)] * k
        for x, a, y in log:
            v = self.phi[f, x, a]
            A = A + np.outer(v, v)
            b = [c + y * e for c, e in zip(b, v, strict=True)]
        rho = sum((y * y for _, _, y in log), F(0)) - dot(b, solve(A, b))
        return rho, determinant(A) / self.lam**k

    @cached_property
    def nodes(self) -> list[Node]:
        """All histories of 0..T rounds, parents first."""
        out: list[Node] = []
        level: list[tuple[int, tuple[Log, ...]]] = [(-1, ((),) * self.M)]
        for t in range(self.T + 1):
            after: list[tuple[int, tuple[Log, ...]]] = []
            for parent, logs in level:
                c = joint_confidence(self.phi, logs, sigma=self.sigma, delta=self.delta, lam=self.lam)
                fits = [[self.fit(f, log) for log in logs] for f in range(len(self.phi))]
                rho = tuple(sum((r for r, _ in row), F(0)) for row in fits)
                growth = tuple(F(math.prod(g for _, g in row)) for row in fits)
                out.append(Node(parent, t, self.noise**2 * self.M * t, rho, growth, c.radius))
                if t == self.T:
                    continue
                acts = c.optimistic(self.contexts[t]).actions
                seen = list(zip(self.contexts[t], acts, self.theta, strict=True))
                for signs in itertools.product((-1, 1), repeat=self.M):
                    new = [
                        (x, a, dot(self.phi[0, x, a], w) + s * self.noise)
                        for s, (x, a, w) in zip(signs, seen, strict=True)
                    ]
                    after.append((len(out) - 1, tuple((*log, y) for log, y in zip(logs, new, strict=True))))
            level = after
        return out

    # ---- the mixture -------------------------------------------------------------------------
    def mixture(self, node: Node, *, logdet: bool = True, share: bool = True) -> arb:
        """M_t."""
        total = arb(0)
        for rho, growth in zip(node.rho, node.growth, strict=True):
            term = ball.to_arb((node.truth - rho) / (2 * self.sigma**2)).exp()
            total += term / ball.to_arb(growth).sqrt() if logdet else term
        return total / len(node.rho) if share else total

    def mean(self, t: int, **parts: bool) -> arb:
        """E[M_t]."""
        total = sum((self.mixture(n, **parts) for n in self.nodes if n.t == t), arb(0))
        return total / 2 ** (self.M * t)

    def means(self, **parts: bool) -> list[rl.Enclosure]:
        """E[M_t], t = 1..T."""
        return [enclosed(partial(self.mean, t, **parts)) for t in range(1, self.T + 1)]

    # ---- coverage ----------------------------------------------------------------------------
    def outside(self, node: Node, *, log: bool = True, scale: int = 1) -> bool:
        """L(f*) > B_t; without the logarithm, or at B = min Σρ, on request."""
        if node.t == 0:
            return False  # no data: 0 ≤ B_0
        if scale == 0:
            return node.truth > min(node.rho)
        if not log:  # lost if L(f*) > ρ + σ²·ld for some φ
            return any(
                above(node.truth - rho, enclosed(partial(_log, self.sigma**2, growth)))
                for rho, growth in zip(node.rho, node.growth, strict=True)
            )
        return above(node.truth, node.radius)

    def lost(self, **parts: Any) -> F:
        """Pr(f* ∉ F_t for some t ≤ T)."""
        ever: list[bool] = []
        for n in self.nodes:
            ever.append((n.parent >= 0 and ever[n.parent]) or self.outside(n, **parts))
        leaves = [e for n, e in zip(self.nodes, ever, strict=True) if n.t == self.T]
        return F(sum(leaves), len(leaves))

    def needed(self) -> tuple[list[F], list[rl.Enclosure]]:
        """1/δ where f* ∉ F_t, else 0; and M_t."""
        out = [F(int(self.outside(n))) / self.delta for n in self.nodes]
        return out, [enclosed(partial(self.mixture, n)) for n in self.nodes]


def above(x: F, bound: rl.Enclosure) -> bool:
    """x > bound, decided."""
    if not (x > bound.upper or x <= bound.lower):
        raise ArithmeticError("coverage undecided; raise the precision")
    return bool(x > bound.upper)


def _log(c: F, x: F) -> arb:
    """c·ln x, 0 exactly at x = 1."""
    return ball.to_arb(c) * ball.to_arb(x).log()


def game(read: UnitReader) -> Game:
    """Up to three outcomes of noise in all; heads and features as elsewhere, σ of the order of f*."""
    k, p, M = 1 + read.below(2), 1 + read.below(2), 1 + read.below(2)
    T = 1 + read.below(3 if M == 1 else 1)
    phi = table([[[read.unit(k) for _ in range(2)] for _ in range(2)] for _ in range(p)])
    theta = tuple(read.unit(k) for _ in range(M))
    contexts = tuple(tuple(read.below(2) for _ in range(M)) for _ in range(T))
    sigma = (F(1), HALF, F(1, 4))[read.below(3)]
    delta = (F(13, 20), HALF, F(1, 4), F(1, 10))[read.below(4)]
    return Game(phi, theta, contexts, (F(1), F(4), F(9))[read.below(3)], sigma, sigma, delta)


def one(noise: F, lam: F, size: F = F(1), delta: F = F(13, 20), T: int = 1) -> Game:
    """One task, one context, actions ±size, θ = 1, σ = 1."""
    return Game(table([[[[size], [-size]]]]), ((F(1),),), ((0,),) * T, lam, noise, F(1), delta)


LOUD = Assumption("the noise is σ-sub-Gaussian", lambda x: x.noise <= x.sigma, one(F(4), F(9), delta=F(1, 4)))

confidence_martingale: Claim[Game] = Claim(
    statement="E[M_t] ≤ 1, M_t = mean_φ exp((L(f*) − Σρ)/2σ²)·Π det(A/λ)^(−½), whatever is played",
    source=PAPER.at("derived; method of mixtures: M_t is a supermartingale"),
    let=decoded(game, 48),
    assume=[LOUD],
    then=Leq(lhs=lambda x: x.means(), rhs=lambda x: F(1)),
    tight=Tight(one(F(1), F(1), F(1, 4)), within=0.01),
    named={"f* = σ": one(F(1), F(9))},
    mutants=[
        Mutant("without det^(−½)", lhs=lambda x: x.means(logdet=False)),
        Mutant("the sum over φ, not the mean", lhs=lambda x: x.means(share=False)),
    ],
    expect=CERTIFIED,
    draws=60,
)

confidence_exact: Claim[Game] = Claim(
    statement="Pr(f* ∉ F_t for some t ≤ T) ≤ δ over all outcomes; f* ∉ F_t only where M_t ≥ 1/δ",
    source=PAPER.at("derived; Ville's inequality, followed through every outcome"),
    let=decoded(game, 48),
    assume=[LOUD],
    then=Leq(lhs=lambda x: [x.lost(), *x.needed()[0]], rhs=lambda x: [x.delta, *x.needed()[1]]),
    tight=Loose(0.05, "few rounds: what is lost is a multiple of a power of ½"),
    named={"f* = σ": one(F(1), F(9))},
    mutants=[
        Mutant("without 2σ²ln(|Φ|/δ)", then=Leq(lambda x: x.lost(log=False), lambda x: x.delta)),
        Mutant("B = min Σρ (scale 0)", then=Leq(lambda x: x.lost(scale=0), lambda x: x.delta)),
    ],
    expect=CERTIFIED,
    draws=60,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
