"""What is measured: published bounds, growth with K and H, learning without randomness, optimism of runs.

Means over seeds carry betting intervals, fractions of runs exact binomial ones; together the statistical
claims of this package err with probability at most 1e-6.  Regrets are those of the policies played.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction as F
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.checks import (
    PROVED,
    SUPPORTED,
    Claim,
    Every,
    Leq,
    Loose,
    Mutant,
    Rate,
    Sample,
    Tight,
    run_module,
)
from rltheory.solvers import EULER, MVP, PSRL, QUCB, UCBVI, BernsteinBonus, RandomAgent, RegretCurve

from .setting import ALPHA, PAPER, Runs, mean_interval, played, played_needles

CH, BF = UCBVI(scale=0.02), UCBVI("bernstein", scale=0.02)


# ---- published bounds ------------------------------------------------------------------------
def worst(x: Runs) -> float:
    """Largest final regret over the seeds."""
    return float(x.curve.final.max())


def root(x: Runs, c: float) -> float:
    """c√(SAK)."""
    task = x.curve.task
    return c * math.sqrt(task.S * task.A * task.K)


RIVER3 = ("river_swim_episodes", (3, 5))
PUBLISHED = [
    Runs(agent, *instance, K, 20, None)
    for agent in (UCBVI(delta=0.05), UCBVI("bernstein", delta=0.05))
    for instance, K in ((RIVER3, 1000), (("river_swim_episodes", (4, 10)), 500))
]

published_bounds: Claim[Runs] = Claim(
    statement="UCBVI-CH: regret ≤ 20H^{3/2}L√(SAK) + 250H²S²AL², UCBVI-BF: ≤ 30HL√(SAK) + 2500H²S²AL² + "
    "4H^{3/2}√(KL), w.p. ≥ 1 − δ; both exceed K·H here",
    source=PAPER.at("Azar, Osband, Munos (2017), theorems 1 and 2"),
    let=Every("2 learners, RiverSwim S = 3 and 4, 20 seeds", len(PUBLISHED), PUBLISHED),
    assume=[],
    then=Leq(lhs=worst, rhs=lambda x: x.curve.bound()),
    tight=Loose(slack=1 - 1e-7, reason="the bounds are vacuous at this size: the worst policy loses less"),
    mutants=[
        Mutant("0.05√(SAK)", rhs=lambda x: root(x, 0.05)),
        Mutant("MVP under 0.05√(SAK)", then=Leq(
            lambda x: worst(replace(x, agent=MVP(delta=0.05))), lambda x: root(x, 0.05)
        )),
    ],
    expect=SUPPORTED,
)  # fmt: skip


# ---- optimism of runs ------------------------------------------------------------------------
def spread_model(seed: int = 5) -> rl.FiniteHorizonMDP:
    """A random model of 4 states and 3 actions, H = 5."""
    rng = np.random.default_rng(seed)
    return rl.FiniteHorizonMDP(rng.dirichlet(np.ones(4), (4, 3)), rng.random((4, 3)), 5)


@dataclass(frozen=True)
class Optimism:
    """Let `agent` (δ = 0.1) play RiverSwim (S = 4, H = 10), or a random model, K episodes, `runs` times."""

    agent: Any
    random: bool
    K: int = 2000
    runs: int = 220

    def __repr__(self) -> str:
        return f"Optimism({self.agent!r}, {self.random}, {self.K}, {self.runs})"

    @cached_property
    def lost(self) -> Sample:
        """Fraction of runs with μ·V̄_1 < μ·V*_1 in some episode."""
        return fraction_lost(self.agent, self.random, self.K, self.runs)


@lru_cache(maxsize=64)
def fraction_lost(agent: Any, random: bool, K: int, runs: int) -> Sample:
    """See `Optimism.lost`."""
    model = spread_model() if random else rl.gallery.river_swim_episodes(4, 10)
    curve = rl.regret(agent, model, K=K, seeds=range(runs), points=[K], progress=False)
    return Sample.binomial(int((curve.lost >= 0).sum()), runs, ALPHA)


def scaled(agent: Any, c: float, runs: int = 40) -> Any:
    """The fraction with another scale, on RiverSwim."""
    return lambda x: fraction_lost(replace(agent, scale=c), False, 2000, runs)


BOTH = [Optimism(a, random) for a in (UCBVI(), UCBVI("bernstein"), MVP()) for random in (False, True)]

optimism_runs: Claim[Optimism] = Claim(
    statement="at c = 1 the fraction of runs in which μ·V̄_1 < μ·V*_1 in some episode is at most δ = 0.1",
    source=PAPER.at("Azar, Osband, Munos (2017), lemma 18; Zhang, Ji, Du (2021), optimism"),
    let=Every("CH, BF, MVP on RiverSwim and on a random model, K = 2000", len(BOTH), BOTH),
    assume=[],
    then=Leq(lhs=lambda x: x.lost, rhs=lambda x: x.agent.delta),
    tight=Loose(slack=1.0, reason="published bonuses are far too wide: no run loses optimism"),
    mutants=[
        Mutant("CH with c = 1e-5", lhs=scaled(UCBVI(), 1e-5)),
        Mutant("MVP with c = 1e-5", lhs=scaled(MVP(), 1e-5)),
        Mutant("greedy, c = 0", lhs=scaled(UCBVI(), 0.0)),
        Mutant("BF with c = 1e-3", lhs=scaled(UCBVI("bernstein"), 1e-3)),
    ],
    expect=SUPPORTED,
)


# ---- growth with K ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Needle:
    """Let `agent` play the needle MDP with N = 4, ε = √(N/K), needle = seed mod 4; C is its constant."""

    agent: Any
    C: float
    seeds: int

    def __repr__(self) -> str:
        return f"Needle({self.agent!r}, {self.C}, {self.seeds})"

    def mean(self, K: int) -> Sample:
        """Mean regret over C."""
        return needle_mean(self.agent, self.seeds, K, self.C)

    def uniform(self, K: int) -> float:
        """Regret of uniformly random actions over C."""
        return float(played_needles(RandomAgent(), K, 4, 1.0)[0]) / self.C


@lru_cache(maxsize=64)
def needle_mean(agent: Any, seeds: int, K: int, C: float) -> Sample:
    """See `Needle.mean`; an episode loses at most ε, all of them √(NK)."""
    top = math.sqrt(4 * K) * (1 + 1e-9)
    return mean_interval(played_needles(agent, K, seeds, 1.0) / C, top / C)


SIZES = (2**10, 2**12, 2**14)
NEEDLES = [Needle(CH, 0.65, 400), Needle(BernsteinBonus(scale=0.3), 0.6, 160), Needle(PSRL(), 0.7, 100)]

rate_K: Claim[Needle] = Claim(
    statement="needle MDP, ε = √(N/K): mean regret ≤ C√(NK) for K = 2¹⁰, 2¹², 2¹⁴; C = 0.65 (CH, c = 0.02), "
    "0.6 (Bernstein, c = 0.3), 0.7 (PSRL)",
    source=PAPER.at("Azar, Osband, Munos (2017), √(SAK) growth; constants measured"),
    let=Every("3 learners, N = 4", 3, NEEDLES),
    assume=[],
    then=Rate(lhs=lambda x, K: x.mean(K), rhs=lambda K: 2 * math.sqrt(K), over=SIZES, resolution=0.1),
    tight=Tight(NEEDLES[0], within=0.2),
    mutants=[Mutant("the uniform player", lhs=lambda x, K: x.uniform(K))],
    expect=SUPPORTED,
)


# ---- growth with H ---------------------------------------------------------------------------
HORIZONS = (8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Sticky:
    """Let `agent` play K = 3000 episodes of the sticky MDP, rewards 1/H a step; C is its constant."""

    agent: Any
    C: float
    seeds: int = 30

    def __repr__(self) -> str:
        return f"Sticky({self.agent!r}, {self.C}, {self.seeds})"

    def curve(self, H: int, agent: Any = None) -> RegretCurve:
        """The runs."""
        return played(Runs(self.agent if agent is None else agent, "sticky", (H,), 3000, self.seeds))

    def mean(self, H: int, agent: Any = None) -> float:
        """Mean over the seeds, over C."""
        return float(self.curve(H, agent).mean[-1]) / self.C


STICKIES = [Sticky(MVP(scale=0.02), 60), Sticky(BernsteinBonus(scale=0.3), 4.5)]

rate_H: Claim[Sticky] = Claim(
    statement="sticky MDP, vmax = 1, K = 3000: regret ≤ 60·H^{1/4} (MVP, c = 0.02) and ≤ 4.5·H^{1/4} "
    "(Bernstein, c = 0.3) for H = 8, …, 128, in the mean over 30 seeds",
    source=PAPER.at("Zhang, Ji, Du (2021), horizon-free regret; constants measured"),
    let=Every("2 learners, 30 seeds", 2, STICKIES),
    assume=[],
    then=Rate(lhs=lambda x, H: x.mean(H), rhs=lambda H: float(H) ** 0.25, over=HORIZONS, resolution=0.25),
    tight=Tight(STICKIES[0], within=0.15),
    mutants=[
        Mutant("CH under the bound of MVP", lhs=lambda x, H: Sticky(CH, 60, 3).mean(H)),
        Mutant("Q-UCB under the bound of MVP", lhs=lambda x, H: Sticky(QUCB(scale=0.02), 60, 3).mean(H)),
        Mutant("constant in H", rhs=lambda H: 8.0**0.25),
    ],
    expect=SUPPORTED,
)


@dataclass(frozen=True)
class Exceed:
    """Let `agent` play the sticky MDP of horizon H with 220 seeds; C is its constant."""

    agent: Any
    C: float
    H: int

    def __repr__(self) -> str:
        return f"Exceed({self.agent!r}, {self.C}, {self.H})"

    def fraction(self, c: float = 1.0) -> Sample:
        """Fraction of runs whose regret exceeds c·C·H^{1/4}."""
        curve = Sticky(self.agent, self.C, 220).curve(self.H)
        above = int((curve.final > c * self.C * self.H**0.25).sum())
        return Sample.binomial(above, 220, ALPHA)


RUNS = [Exceed(x.agent, x.C, H) for x in STICKIES for H in (8, 32)]

rate_H_runs: Claim[Exceed] = Claim(
    statement="sticky MDP: at most one run in four exceeds 60·H^{1/4} (MVP) or 4.5·H^{1/4} (Bernstein)",
    source=PAPER.at("Zhang, Ji, Du (2021), horizon-free regret; constants measured"),
    let=Every("2 learners, H = 8 and 32, 220 seeds", len(RUNS), RUNS),
    assume=[],
    then=Leq(lhs=lambda x: x.fraction(), rhs=lambda x: 0.25),
    tight=Loose(slack=0.8, reason="regret varies little between seeds"),
    mutants=[Mutant("half the constant", lhs=lambda x: x.fraction(0.5))],
    expect=SUPPORTED,
)


# ---- no randomness ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Chain:
    """Let `agent` play K episodes of the deterministic chain (S = 4, A = 2, H = 6, vmax = 1)."""

    agent: Any
    K: int

    def __repr__(self) -> str:
        return f"Chain({self.agent!r}, {self.K})"

    def late(self, agent: Any = None) -> F:
        """Regret of the second half: values are multiples of 1/60, so rounding cannot hide it."""
        curve = played(Runs(self.agent if agent is None else agent, "regret_chain", (), self.K))
        value = float(curve.final[0] - curve.pseudo[0, 0])
        out = F(round(60 * value), 60)
        if abs(float(out) - value) > 1e-6 or not curve.error[-1] < 1e-6:
            raise ValueError(f"late: {value} ± {curve.error[-1]} is no multiple of 1/60")
        return out


LATE = [Chain(a, K) for a in (MVP(scale=0.02), BernsteinBonus(), EULER(scale=0.1)) for K in (2000, 16000)]


def allowed(K: int) -> F:
    """1 at K = 2000, ½ at K = 16000."""
    return F(1) if K == 2000 else F(1, 2)


deterministic_constant: Claim[Chain] = Claim(
    statement="on a deterministic chain MVP (c = 0.02), Bernstein (c = 1), EULER (c = 0.1) lose at most 1 in "
    "the second half of K = 2000 episodes, at most ½ in that of K = 16000",
    source=PAPER.at("Zanette, Brunskill (2019), problem-dependent regret; numbers derived"),
    let=Every("3 learners, K = 2000 and 16000", len(LATE), LATE),
    assume=[],
    then=Leq(lhs=lambda x: x.late(), rhs=lambda x: allowed(x.K)),
    tight=Tight([Chain(BernsteinBonus(), 2000), Chain(BernsteinBonus(), 16000)], within=0),
    mutants=[
        Mutant("CH (c = 0.02)", lhs=lambda x: x.late(CH)),
        Mutant("nothing at all", rhs=lambda x: F(0)),
    ],
    expect=PROVED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
