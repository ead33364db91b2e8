"""GLOW run on locks: Q* stays, and regret stays below the theorem with its constants written out.

Error budget: every interval below has level ALPHA = 1e-6/16, at most 16 are looked at, 1e-6 for the module.
Regrets are sums of exact gaps J(π*) − J(π_t) over a random run; one run a lock and length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rltheory.checks import SUPPORTED, Claim, Every, Leq, Loose, Mutant, Rate, Sample, Tight, run_module
from rltheory.solvers import GLOWRun, coverability_coefficient, glow_regret_bound

from .experiments import VARIANTS, index, lock_run, lock_runs, locks
from .setting import PAPER, harmonic

ALPHA = 1e-6 / 16
DELTA = 0.1


# ---- Q* is kept ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Kept:
    """Let GLOW play `runs` lazy runs (grid 1.1, K = 1, T = 20000) on the three-layer lock of this code."""

    code: tuple[int, ...]
    scale: float
    runs: int = 180

    def share(self, scale: float, runs: int) -> Sample:
        """How often Q* is in every F^(t)."""
        out = lock_runs(20_000, range(1000, 1000 + runs), code=self.code, lazy=1.1, scale=scale)
        return Sample.binomial(sum(r.q_star_lost is None for r in out), runs, ALPHA)

    @cached_property
    def observed(self) -> Sample:
        """At the instance's scale."""
        return self.share(self.scale, self.runs)

    @cached_property
    def small(self) -> Sample:
        """At scale 0.002."""
        return self.share(0.002, 60)

    @cached_property
    def none(self) -> Sample:
        """At scale 0."""
        return self.share(0.0, 60)


KEPT = [Kept((1, 0, 1), 1.0), Kept((1, 0, 1), 0.02), Kept((0, 1, 1), 1.0)]

q_star_kept: Claim[Kept] = Claim(
    statement="Pr(Q* ∈ F^(t) for all t ≤ T) ≥ 1 − δ",
    source=PAPER.at("Lemma E.2(a)"),
    let=Every("three locks and scales, 180 runs each", len(KEPT), KEPT),
    assume=[],
    then=Leq(lhs=lambda x: 1 - DELTA, rhs=lambda x: x.observed),
    tight=Loose(0.1, "no run lost Q*: thresholds are conservative"),
    mutants=[
        Mutant("thresholds 500 times smaller", rhs=lambda x: x.small),
        Mutant("no thresholds", rhs=lambda x: x.none),
    ],
    expect=SUPPORTED,
)


# ---- regret ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Plain:
    """Let GLOW play T = 3000 rounds of K = 10⁸ trajectories with γ = 1 on the lock of this code, every round
    solved, ln|W| counting sequences of classes.
    """

    code: tuple[int, ...]
    T: int = 3000
    K: int = 10**8

    @cached_property
    def run(self) -> GLOWRun:
        """The run."""
        return lock_run(self.T, code=self.code, K=self.K, gamma=1.0, sequences=self.T)

    @cached_property
    def cov(self) -> float:
        """C_cov of Π."""
        models, classes = locks()
        return float(coverability_coefficient(models[index(self.code)], list(classes.policies)).value)

    @property
    def bound(self) -> float:
        """1 + H[(49/(3γ) + 1)C_cov H_T + 71γTℓ/K], the start law known."""
        first = (49 / 3 + 1) * self.cov * float(harmonic(self.T))
        return 1 + 4 * (first + 71 * self.T * self.run.log_term / self.K)

    @property
    def disagreement(self) -> float:
        """Of the library's bound and this one."""
        return abs(
            glow_regret_bound(self.T, 4, self.cov, self.run.log_term, gamma=1.0, K=self.K) - self.bound
        )


PLAIN = [Plain(c) for c in ((1, 0, 1, 1), (1, 1, 1, 1), (0, 0, 0, 0), (0, 1, 1, 0))]

glow_regret: Claim[Plain] = Claim(
    statement="GLOW: Reg ≤ 1 + H[(49/(3γ) + 1)·C_cov·H_T + 71γTℓ/K], below T from T = 3000, K = 10⁸",
    source=PAPER.at("Theorem 3.1 (Lemma E.4), constants derived; the start law is known"),
    let=Every("four codes", len(PLAIN), PLAIN),
    assume=[],
    then=Leq(
        lhs=lambda x: [x.run.regret, x.bound, x.disagreement], rhs=lambda x: [x.bound, float(x.T), 1e-6]
    ),
    tight=Loose(0.5, "measured regret is a hundredth of the bound; the bound is 0.58·T"),
    mutants=[
        Mutant("a two hundredth of the bound", rhs=lambda x: [x.bound / 200, float(x.T), 1e-6]),
        Mutant("no regret from the first round on", rhs=lambda x: [1.0, float(x.T), 1e-6]),
    ],
    expect=SUPPORTED,
)


@dataclass(frozen=True)
class Lazy:
    """Let GLOW play the published constants with K = 1 on a lazy grid of 1.05 on the lock (1, 0, 1, 1)."""

    seed: int

    def regret(self, T: float) -> float:
        """Regret of T rounds."""
        return lock_run(int(T), lazy=1.05, seed=self.seed).regret


def rate(T: float) -> float:
    """3H√(C_cov Tℓ), C_cov = 3.8 over all policies, ℓ = ln(6|F||W|TH/δ)."""
    ell = math.log(6 * 16**3 * T * 4 / DELTA)
    return 12 * math.sqrt(3.8 * T * ell)


LENGTHS = [2e6, 8e6, 32e6]
LAZY_RUNS = [Lazy(s) for s in (0, 1, 2)]

glow_regret_rate: Claim[Lazy] = Claim(
    statement="lazy GLOW on the lock, T ≥ 2·10⁶: Reg ≤ 3H√(C_cov Tℓ)",
    source=PAPER.at("Theorem 3.1: the rate, with a constant and a start; the lazy grid is ours"),
    let=Every("seeds 0, 1, 2", len(LAZY_RUNS), LAZY_RUNS),
    assume=[],
    then=Rate(lhs=lambda x, T: x.regret(T), rhs=rate, over=LENGTHS, resolution=0.3),
    tight=Tight(LAZY_RUNS[0], within=0.11),
    mutants=[
        Mutant("T^0.2 for T^0.5, anchored at 2·10⁶", rhs=lambda T: rate(T) * (T / LENGTHS[0]) ** -0.3),
        Mutant("flat from t = 1", rhs=lambda T: rate(LENGTHS[0]) / 2),
    ],
    expect=SUPPORTED,
)


# ---- what protects Q* ------------------------------------------------------------------------
@dataclass(frozen=True)
class Ablated:
    """Let GLOW play 40 runs at scale 0.05 (T = 20000, lazy) without one of its parts."""

    runs: int = 40

    def of(self, name: str) -> list[GLOWRun]:
        """Runs of a variant of the experiment."""
        return lock_runs(20_000, range(100, 100 + self.runs), scale=0.05, lazy=1.05, **VARIANTS[name])

    def lost(self, name: str) -> Sample:
        """Share of runs that lose Q*."""
        return Sample.binomial(sum(r.q_star_lost is not None for r in self.of(name)), self.runs, ALPHA)

    @cached_property
    def shares(self) -> dict[str, Sample]:
        """Published, without clipping, without either."""
        return {v: self.lost(v) for v in ("as published", "no clipping", "α = 0, no clipping")}

    @cached_property
    def means(self) -> dict[str, float]:
        """Mean regret of four runs, published and at level 1."""
        return {v: sum(r.regret for r in Ablated(4).of(v)) / 4 for v in ("as published", "level 1")}

    @cached_property
    def sides(self) -> tuple[list[Any], list[Any]]:
        """Losses with the penalty below ½, without penalty and clipping above; a fixed level costs regret."""
        s, mean = self.shares, self.means
        return (
            [s["as published"], s["no clipping"], 0.5, 3 * mean["as published"]],
            [0.5, 0.5, s["α = 0, no clipping"], mean["level 1"]],
        )


ABLATED = [Ablated()]

glow_regret_ablation: Claim[Ablated] = Claim(
    statement="the penalty keeps Q*, clipped or not; without both Q* is lost; level 1 costs thrice as much",
    source=PAPER.at("Algorithm 1; experiment of the page"),
    let=Every("one experiment of 40 runs a variant", 1, ABLATED),
    assume=[],
    then=Leq(lhs=lambda x: x.sides[0], rhs=lambda x: x.sides[1]),
    tight=Loose(0.6, "shares are far from ½"),
    mutants=[
        Mutant(
            "without penalty and clipping Q* is kept as well",
            then=Leq(lambda x: x.shares["α = 0, no clipping"], lambda x: 0.5),
        ),
        Mutant(
            "a level that does not grow costs nothing",
            then=Leq(lambda x: x.means["level 1"], lambda x: x.means["as published"]),
        ),
    ],
    expect=SUPPORTED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
