"""The bandit lower bound behind every √(SAK): a needle among N arms, found by nobody soon enough.

Arms are Bernoulli(½), one of them, uniformly drawn, Bernoulli(½ + ε); T pulls.  With weights
w_i = (1 + 2ε)^{successes of i}(1 − 2ε)^{failures of i} the joint law of data and needle is 2^{−t}w_i/N, so
the expected number of right pulls of the Bayes-optimal player is G(0)/N with
    G = max_i { w_i + ½G(success of i) + ½G(failure of i) },  G = 0 after T pulls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from flint import arb, fmpq

from rltheory.checks import CERTIFIED, SUPPORTED, Claim, Every, Leq, Loose, Mutant, Sample, run_module
from rltheory.solvers import MVP, PSRL, QUCB, UCBVI, BernsteinBonus

from .setting import ALPHA, PAPER, mean_interval, played_needles

SOURCE = PAPER.at(
    "Auer, Cesa-Bianchi, Freund, Schapire (2002), lower bound; the case M = 1 of the latent one"
)


def printed(N: int, T: int, eps: Any) -> Any:
    """ε(T − T/N − (T/2)√((T/N) ln(1/(1 − 4ε²))))."""
    half = arb(T) / 2 * (arb(fmpq(T, N)) * (1 / (1 - 4 * eps * eps)).log()).sqrt()
    return eps * (arb(fmpq(T * (N - 1), N)) - half)


@dataclass(frozen=True)
class Bandit:
    """Let a bandit have N arms and T pulls, ε = ¼·min{1, √(N/T)}."""

    N: int
    T: int

    @cached_property
    def eps(self) -> arb:
        """ε."""
        return arb(fmpq(1, 4)) if self.N >= self.T else arb(fmpq(self.N, self.T)).sqrt() / 4

    @cached_property
    def bayes(self) -> arb:
        """Least expected regret of any player, by dynamic programming over sorted states."""
        up, down = 1 + 2 * self.eps, 1 - 2 * self.eps
        T = self.T
        ups, downs = [arb(1)], [arb(1)]
        for _ in range(T):
            ups.append(ups[-1] * up)
            downs.append(downs[-1] * down)
        after: dict[Any, arb] = {}
        for t in reversed(range(T)):
            now: dict[Any, arb] = {}
            for state in states(self.N, t):
                best = None
                for i, (s, f) in enumerate(state):
                    if i and state[i] == state[i - 1]:
                        continue
                    g = ups[s] * downs[f]
                    if t < T - 1:
                        won = tuple(sorted((*state[:i], (s + 1, f), *state[i + 1 :])))
                        lost = tuple(sorted((*state[:i], (s, f + 1), *state[i + 1 :])))
                        g += (after[won] + after[lost]) / 2
                    best = g if best is None else best.max(g)
                now[state] = best
            after = now
        (total,) = after.values()
        return self.eps * (T - total / self.N)

    @property
    def bound(self) -> arb:
        """The printed bound."""
        return printed(self.N, self.T, self.eps)

    @property
    def root(self) -> arb:
        """√(NT), at most T."""
        return arb(min(self.N * self.T, self.T * self.T)).sqrt()


@lru_cache(maxsize=256)
def states(N: int, t: int) -> list[Any]:
    """Sorted (successes, failures) of N arms after t pulls."""
    if t == 0:
        return [((0, 0),) * N]
    out = set()
    for state in states(N, t - 1):
        for i, (s, f) in enumerate(state):
            for arm in ((s + 1, f), (s, f + 1)):
                out.add(tuple(sorted((*state[:i], arm, *state[i + 1 :]))))
    return sorted(out)


GRID = [Bandit(2, T) for T in (*range(1, 17), 24, 40)] + [Bandit(3, T) for T in range(1, 11)]
GRID += [Bandit(4, T) for T in range(1, 9)]

lower_bandit_bayes: Claim[Bandit] = Claim(
    statement="every player's expected regret is ≥ ε(T − T/N − (T/2)√((T/N) ln(1/(1−4ε²)))) and "
    "≥ min{√(NT), T}/20, at ε = ¼min{1, √(N/T)}: the Bayes-optimal player, exactly",
    source=SOURCE,
    let=Every("N = 2, T ≤ 16, 24, 40; N = 3, T ≤ 10; N = 4, T ≤ 8", len(GRID), GRID),
    assume=[],
    then=Leq(lhs=lambda x: [x.bound, x.root / 20], rhs=lambda x: x.bayes),
    tight=Loose(slack=0.6, reason="the Bayes-optimal player loses about twice the bound"),
    mutants=[
        Mutant("min{√(NT), T}/9", lhs=lambda x: x.root / 9),
        Mutant("without the penalty", lhs=lambda x: x.eps * (x.T - arb(fmpq(x.T, x.N)))),
    ],
    expect=CERTIFIED,
)


# ---- learners --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Player:
    """Let `agent` play the needle MDP, N = 4, ε = ¼√(N/K), over seeds whose needle is seed mod 4."""

    agent: Any
    K: int
    seeds: int

    def __repr__(self) -> str:
        return f"Player({self.agent!r}, {self.K}, {self.seeds})"

    @property
    def eps(self) -> float:
        """ε."""
        return 0.25 * math.sqrt(4 / self.K)

    @cached_property
    def mean(self) -> Sample:
        """Mean regret; an episode loses at most ε."""
        return mean_interval(
            played_needles(self.agent, self.K, self.seeds, 0.25), self.eps * self.K * (1 + 1e-9), ALPHA
        )

    @property
    def bound(self) -> arb:
        """The printed bound at T = K."""
        return printed(4, self.K, arb(fmpq(4, self.K)).sqrt() / 4)


LEARNERS = (UCBVI(scale=0.02), MVP(scale=0.01), BernsteinBonus(scale=0.3), QUCB(scale=0.05), PSRL())
PLAYERS = [Player(a, K, 500) for a in LEARNERS for K in (2**8, 2**10)]

lower_bandit: Claim[Player] = Claim(
    statement="mean regret on the needle MDP ≥ ε(K − K/N − (K/2)√((K/N) ln(1/(1−4ε²)))), about √(NK)/8, for "
    "five learners",
    source=SOURCE,
    let=Every("5 learners, K = 2⁸ and 2¹⁰, N = 4", len(PLAYERS), PLAYERS),
    assume=[],
    then=Leq(lhs=lambda x: x.bound, rhs=lambda x: x.mean),
    tight=Loose(slack=0.3, reason="learners lose between 0.147 and 0.187 of √(NK)"),
    mutants=[Mutant("0.19√(NK)", lhs=lambda x: 0.19 * math.sqrt(4 * x.K))],
    expect=SUPPORTED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
