"""Lower bound on the hard family: Bayes regret of needles, exactly.

In context m one of N arms is better by ε; it is found from the data of context m alone.  R*_{N,ε}(T) is the
least Bayes regret of one needle bandit over T pulls.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cache, cached_property
from typing import Any

from rltheory.checks import (
    CERTIFIED,
    PROVED,
    SUPPORTED,
    Claim,
    Every,
    Leq,
    Loose,
    Mutant,
    Reader,
    Tight,
    decoded,
    run_module,
)
from rltheory.kernels import ball

from .learning import as_ball, square_root
from .needles import bayes_regret, product_regret, symmetrised_regret
from .runs import Needles
from .setting import PAPER


# ---- one bandit ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Bandit:
    """Let one of N arms be better by ε, T pulls."""

    N: int
    T: int
    eps: F

    @cached_property
    def regret(self) -> F:
        """R*_{N,ε}(T)."""
        return F(bayes_regret(self.N, self.eps, self.T))

    def bound(self, half: F = F(1, 2), power: int = 2) -> Any:
        """ε(T − T/N − half·T√((T/N) ln(1/(1 − (2ε)^power))))."""
        with ball.precision(200):
            eps, T, N = (ball.to_arb(v) for v in (self.eps, self.T, self.N))
            known = (T / N * -(1 - (2 * eps) ** power).log()).sqrt()
            return eps * (T - T / N - ball.to_arb(half) * T * known)


def read_bandit(read: Reader) -> Bandit:
    """Few arms, as many pulls as exact arithmetic likes."""
    N = read.pick([2, 3, 4])
    return Bandit(N, 1 + read.below({2: 12, 3: 8, 4: 6}[N]), F(1 + read.below(15), read.pick([32, 256, 64])))


lower_bandit: Claim[Bandit] = Claim(
    statement="R*_{N,ε}(T) ≥ ε(T − T/N − (T/2)√((T/N) ln(1/(1 − 4ε²))))",
    source=PAPER.at("lower bound, one context; Auer, Cesa-Bianchi, Freund, Schapire 2002, theorem 5.1"),
    let=decoded(read_bandit, size=6),
    assume=[],
    then=Leq(lhs=lambda x: x.bound(), rhs=lambda x: x.regret),
    tight=Tight(Bandit(2, 1, F(1, 1000)), within=0.002),
    named={"a clear needle": Bandit(2, 12, F(5, 16)), "a faint one": Bandit(2, 12, F(1, 8))},
    mutants=[
        Mutant("T/8 for T/2", lhs=lambda x: x.bound(F(1, 8))),
        Mutant("16ε⁴ for 4ε²", lhs=lambda x: x.bound(power=4)),
        Mutant("ε(T − T/N): nothing is learned", lhs=lambda x: x.eps * (x.T - F(x.T, x.N))),
    ],
    expect=CERTIFIED,
)


def tuned(N: int, T: int) -> Bandit:
    """ε = ¼ min(1, √(N/T)), rational."""
    eps = square_root(min(F(1), F(N, T))) / 4
    return Bandit(N, T, eps)


def root(n: int) -> F:
    """√n of a square."""
    return F(square_root(F(n)))


SQUARES = [(2, 1), (2, 2), (2, 8), (2, 18), (2, 32), (3, 2), (3, 3), (3, 12), (4, 2), (4, 4), (4, 9)]
lower_bandit_rate: Claim[Bandit] = Claim(
    statement="ε = ¼min(1, √(N/T)): R*_{N,ε}(T) ≥ min(√(NT), T)/20, for N ≤ 4 and square N/T",
    source=PAPER.at("lower bound, one context; derived from the bound of Auer et al."),
    let=Every("the sizes in reach of exact arithmetic", len(SQUARES), [tuned(N, T) for N, T in SQUARES]),
    assume=[],
    then=Leq(lhs=lambda x: cut(x) / 20, rhs=lambda x: x.regret),
    tight=Loose(0.6, "exact Bayes values are about twice the bound"),
    mutants=[
        Mutant("1/9 for 1/20", lhs=lambda x: cut(x) / 9),
        Mutant("T/20", lhs=lambda x: F(x.T, 20)),
    ],
    expect=PROVED,
)


def cut(x: Bandit) -> F:
    """min(√(NT), T)."""
    return F(x.T) if x.T <= x.N else root(x.N * x.T)


# ---- contexts --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Contexts:
    """Let each of K episodes draw one of M needle bandits with N arms, told which."""

    M: int
    N: int
    K: int
    eps: F

    @cached_property
    def joint(self) -> F:
        """Least Bayes regret."""
        return F(product_regret(self.M, self.N, self.eps, self.K))

    @cached_property
    def apart(self) -> F:
        """Σ_m E R*_{N,ε}(K_m)."""
        return F(symmetrised_regret(self.M, self.N, self.eps, self.K))


def read_contexts(read: Reader) -> Contexts:
    """Two or three contexts, few episodes."""
    M, N = read.pick([(2, 2), (2, 3), (3, 2)])
    return Contexts(M, N, 1 + read.below(5), F(1 + read.below(15), read.pick([32, 64, 48])))


lower_symmetrised: Claim[Contexts] = Claim(
    statement="Bayes regret with M contexts ≥ Σ_m E R*_{N,ε}(K_m), K_m ~ Bin(K, 1/M)",
    source=PAPER.at("lower bound, symmetrisation; derived: other contexts' data say nothing of needle m"),
    let=decoded(read_contexts, size=5),
    assume=[],
    then=Leq(lhs=lambda x: x.apart, rhs=lambda x: x.joint),
    tight=Tight([Contexts(2, 2, 4, F(1, 5)), Contexts(3, 2, 6, F(1, 4))], within=0),
    mutants=[
        Mutant(
            "data shared across contexts: no more than one bandit with all K episodes",
            then=Leq(lambda x: x.joint, lambda x: bayes_regret(x.N, x.eps, x.K)),
        ),
        Mutant("every context plays K episodes", lhs=lambda x: x.M * bayes_regret(x.N, x.eps, x.K)),
    ],
    expect=CERTIFIED,
)


@dataclass(frozen=True)
class Size:
    """Let M contexts, N arms, K ≥ MN episodes and ε = ¼√(NM/K); `joint` from the exact recursion if small."""

    M: int
    N: int
    K: int
    small: bool = True

    @property
    def product(self) -> F:
        """MNK."""
        return F(self.M * self.N * self.K)

    @cached_property
    def regret(self) -> Any:
        """Least Bayes regret; beyond reach its trivial maximum εK = ¼√(MNK)."""
        return best_joint(self.M, self.N, self.K) if self.small else times(F(1, 4), square_root(self.product))


@cache
def best_joint(M: int, N: int, K: int) -> Any:
    """Bayes regret at ε = ¼√(NM/K), in rationals or balls."""
    eps = square_root(F(N * M, K))
    if isinstance(eps, F):
        return product_regret(M, N, eps / 4, K)
    with ball.precision(200):
        return product_regret(M, N, eps / 4, K)


def times(a: F, b: Any) -> Any:
    """a·b for a rational or a ball."""
    if isinstance(b, F):
        return a * b
    with ball.precision(200):
        return ball.to_arb(a) * b


def grown(x: Size) -> Any:
    """(MNK)^{3/5}/24."""
    with ball.precision(200):
        return (ball.to_arb(F(3, 5)) * as_ball(x.product).log()).exp() / 24


SMALL = [(1, 2, 2), (1, 2, 8), (1, 3, 3), (1, 4, 4), (2, 2, 4), (2, 2, 8), (2, 3, 6), (3, 2, 6)]
lower: Claim[Size] = Claim(
    statement="hard family, K ≥ MN, ε = ¼√(NM/K): Bayes regret ≥ √(MNK)/24 = √(Var*·MNK)/12, context told",
    source=PAPER.at("lower bound Ω(√(Var*·MSAK)), Γ = 2; explicit constant derived"),
    let=Every("small sizes, and one beyond", 9, [*(Size(*x) for x in SMALL), Size(1, 4, 25_000_000, False)]),
    assume=[],
    then=Leq(lhs=lambda x: times(F(1, 24), square_root(x.product)), rhs=lambda x: x.regret),
    tight=Loose(0.7, "exact joint Bayes values are 0.102–0.106√(MNK), 2.45 times the bound"),
    mutants=[
        Mutant("1/9 for 1/24", lhs=lambda x: times(F(1, 9), square_root(x.product))),
        Mutant("growth (MNK)^0.6", lhs=grown),
    ],
    expect=CERTIFIED,
)

SIZES = [(1, 1000), (2, 2000), (4, 2000)]
LEARNERS = [Needles(M, K, 24, "ext") for M, K in SIZES] + [
    Needles(M, K, 24, "val", scale=0.002) for M, K in SIZES
]
OTHERS = [Needles(2, 2000, 24, "hoef"), Needles(2, 500, 12, "merged"), Needles(2, 2000, 2, "uniform")]
lower_learners: Claim[Needles] = Claim(
    statement="ε = ¼√(NM/K): mean regret of every learner here ≥ √(MNK)/24 − 3 standard errors",
    source=PAPER.at("lower bound; on runs"),
    let=Every("six runs of two planners, the baseline, merged contexts, a guess", 9, [*LEARNERS, *OTHERS]),
    assume=[],
    then=Leq(lhs=lambda x: x.root / 24, rhs=lambda x: x.mean + 3 * x.error),
    tight=Loose(0.7, "no learner gets nearer: the Bayes-optimal one has 0.102√(MNK)"),
    mutants=[
        Mutant("√(MNK)/7", lhs=lambda x: x.root / 7),
        Mutant(
            "sharing data beats √M: regret as with one context",
            then=Leq(lambda x: x.mean, lambda x: x.root / x.M / 8),
        ),
    ],
    expect=SUPPORTED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
