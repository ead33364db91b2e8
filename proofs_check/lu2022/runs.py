"""Runs of GFUCB: coverage, optimism, what sharing saves, and the explicit bound with a known representation.

Error budget: intervals of level ALPHA = 1e-6/16, at most 16 are looked at, 1e-6 for the module.  Regrets are
means over seeds; differences claimed are many standard errors wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F
from functools import cached_property
from typing import Any

import numpy as np

from rltheory.checks import (
    PROVED,
    SUPPORTED,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Loose,
    Mutant,
    Sample,
    Tight,
    run_module,
)
from rltheory.models import MultitaskBandit
from rltheory.solvers import GFUCB, known_representation_bound

from .experiments import play
from .setting import PAPER

ALPHA = 1e-6 / 16


# ---- coverage and optimism -------------------------------------------------------------------
@dataclass(frozen=True)
class Covered:
    """Let |Φ| = 8, M = 2, k = 2, X = 8, A = 5, T = 40; noise of deviation ½, assumed to be `assumed`.

    Every run has its own instance and stream.
    """

    assumed: float = 0.5
    delta: float = 0.1
    runs: int = 300
    first: int = 0

    def share(self, runs: int, what: str = "covered", **options: Any) -> Sample:
        """How often all rounds are covered (or optimistic)."""
        hits = 0
        for s in range(self.first, self.first + runs):
            bandit = MultitaskBandit.random(s, p=8, M=2)
            run = GFUCB(T=40, sigma=self.assumed, delta=self.delta, **options).run(bandit, 20_000 + s)
            hits += bool(getattr(run, what))
        return Sample.binomial(hits, runs, ALPHA)

    @cached_property
    def covered(self) -> Sample:
        """Coverage."""
        return self.share(self.runs)

    @cached_property
    def optimistic(self) -> Sample:
        """Optimism in every round."""
        return self.share(self.runs, "optimistic")


COVERED = [Covered(), Covered(first=5000)]

confidence: Claim[Covered] = Claim(
    statement="Pr(f* ∈ F_t for all t) ≥ 1 − δ for B_t = min_φ Σ_i(ρ + σ²ld) + 2σ²ln(|Φ|/δ)",
    source=PAPER.at("derived; method of mixtures and Ville's inequality"),
    let=Every("two batches of 300 runs", len(COVERED), COVERED),
    assume=[Assumption("the noise is σ-sub-Gaussian", lambda x: x.assumed >= 0.5, Covered(assumed=0.1))],
    then=Leq(lhs=lambda x: 1 - x.delta, rhs=lambda x: x.covered),
    tight=Loose(0.15, "coverage is 0.99: the union over Φ and the mixture are conservative"),
    mutants=[
        Mutant("without 2σ²ln(|Φ|/δ)", rhs=lambda x: x.share(300, log_weight=0.0)),
        Mutant(
            "half of ld, 0.3 of the logarithm", rhs=lambda x: x.share(1200, log_weight=0.3, logdet_weight=0.5)
        ),
        Mutant("B_t = min_φ Σρ (scale 0)", rhs=lambda x: x.share(300, scale=0.0)),
    ],
    expect=SUPPORTED,
)

OPTIMISTIC = [Covered(delta=0.02, runs=1000)]

optimism_frequency: Claim[Covered] = Claim(
    statement="Pr(every round is optimistic) ≥ 1 − δ: Σ_i max_a f*_i is at most the optimistic value",
    source=PAPER.at("derived"),
    let=Every("1000 runs at δ = 0.02", len(OPTIMISTIC), OPTIMISTIC),
    assume=[],
    then=Leq(lhs=lambda x: 1 - x.delta, rhs=lambda x: x.optimistic),
    tight=Loose(0.05, "no run failed"),
    mutants=[Mutant("scale 0", rhs=lambda x: x.share(300, "optimistic", scale=0.0))],
    expect=SUPPORTED,
)


# ---- sharing ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Shared:
    """Let |Φ| = 64, M = 4, T = 200; ten seeds from `first` on."""

    first: int

    def mean(self, learners: str, M: int = 4) -> float:
        """Mean regret per task."""
        return float(
            np.mean([play(M, s, learners).total[-1] / M for s in range(self.first, self.first + 10)])
        )

    @cached_property
    def joint(self) -> float:
        """One confidence set."""
        return self.mean("joint")

    @cached_property
    def independent(self) -> float:
        """A learner a task at δ/M."""
        return self.mean("independent")


SHARED = [Shared(0), Shared(100)]

regret: Claim[Shared] = Claim(
    statement="|Φ| = 64, M = 4, T = 200: regret per task of the joint learner ≤ 0.65 of independent ones",
    source=PAPER.at(
        "regret bounds, Õ(√(MdT(Mk + ln N))) against Õ(M√(dT(k + ln N))) (recalled): an instance"
    ),
    let=Every("two batches of ten seeds", len(SHARED), SHARED),
    assume=[],
    then=Leq(lhs=lambda x: x.joint, rhs=lambda x: 0.65 * x.independent),
    tight=Loose(0.35, "measured ratio about one half"),
    mutants=[
        Mutant("independent is as good", then=Leq(lambda x: x.independent, lambda x: x.joint)),
        Mutant("per-task regret ∝ 1/M", rhs=lambda x: 0.3 * x.independent),
    ],
    expect=SUPPORTED,
)


@dataclass(frozen=True)
class Single:
    """Let both learners see one stream."""

    seed: int

    def regrets(self, learners: str, M: int) -> list[F]:
        """Regret of every round, as the doubles' rationals."""
        return [F(float(v)) + 1 for v in play(M, self.seed, learners, T=60).regret]


SINGLE = [Single(s) for s in range(6)]

regret_single: Claim[Single] = Claim(
    statement="M = 1: joint and independent learners are the same, bit for bit",
    source=PAPER.at("definition of the baseline"),
    let=Every("six seeds", len(SINGLE), SINGLE),
    assume=[],
    then=Eq(lhs=lambda x: x.regrets("joint", 1), rhs=lambda x: x.regrets("independent", 1)),
    tight=Tight(SINGLE[0], within=0),
    mutants=[
        Mutant(
            "so are they at M = 2",
            then=Eq(lambda x: x.regrets("joint", 2), lambda x: x.regrets("independent", 2)),
        )
    ],
    expect=PROVED,
)


# ---- a known representation ------------------------------------------------------------------
@dataclass(frozen=True)
class Known:
    """Let |Φ| = 1, M tasks, X = 8, A = 5, k = 2, σ = ½, δ = 0.1, λ = 1 and T = 1000 or 4000 rounds."""

    M: int
    seed: int

    @cached_property
    def bandit(self) -> MultitaskBandit:
        """The instance."""
        return MultitaskBandit.random(self.seed, p=1, M=self.M)

    def regret(self, T: int) -> float:
        """GFUCB's."""
        return float(GFUCB(T=T).run(self.bandit, self.seed).total[-1])

    def uniform(self, T: int) -> float:
        """Expected regret of uniform play in this instance."""
        means = self.bandit.means
        return float(T * (means.max(axis=2) - means.mean(axis=2)).mean(axis=1).sum())

    def bound(self, T: int) -> float:
        """2√(σ²LD + 2σ²ln(1/δ) + λM)·√(T·LD/ln 2) at the largest LD."""
        return known_representation_bound(T, self.M, 2, sigma=0.5, delta=0.1)


LENGTHS = (1000, 4000)
KNOWN = [Known(M, s) for M in (1, 2) for s in (3, 5, 8)]

known_phi: Claim[Known] = Claim(
    statement="|Φ| = 1, λ ≥ 1: Reg(T) ≤ 2√(σ²LD + 2σ²ln(1/δ) + λM)·√(T·LD/ln 2), LD ≤ Mk ln(1 + T/(kλ))",
    source=PAPER.at("derived; for T ≥ 1000, where uniform play exceeds it"),
    let=Every("M = 1, 2, three seeds each", len(KNOWN), KNOWN),
    assume=[],
    then=Leq(lhs=lambda x: [x.regret(T) for T in LENGTHS], rhs=lambda x: [x.bound(T) for T in LENGTHS]),
    tight=Loose(0.999, "the regret of one fixed instance saturates; the bound covers the worst"),
    mutants=[
        Mutant("uniform play", lhs=lambda x: [x.uniform(T) for T in LENGTHS]),
        Mutant("a three hundredth of the bound", rhs=lambda x: [x.bound(T) / 300 for T in LENGTHS]),
    ],
    expect=SUPPORTED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
