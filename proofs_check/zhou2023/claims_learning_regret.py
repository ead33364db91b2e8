"""Regret of the two planners, on runs: what the theorem promises in shape, with constants of ours.

The hidden constants of the theorem are not available, and with its published bonuses every bound is vacuous
below some 10⁵ episodes.  The claims below are about runs with ι scaled by 0.02, seeds as listed: each run is
reproduced bit for bit, its regret is computed, not sampled.  A mean over seeds is a statement about these
runs; the one statement about probability has its own error budget of 10⁻⁶.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import floor, log2
from typing import Any, Literal

from rltheory.checks import (
    CERTIFIED,
    SUPPORTED,
    Assumption,
    Claim,
    Eq,
    Every,
    Leq,
    Loose,
    Mutant,
    NotShown,
    Reader,
    Sample,
    Tight,
    decoded,
    run_module,
)
from rltheory.models import gallery
from rltheory.models.latent import LatentMDP
from rltheory.solvers import MVP, PSRL, UCBVI, BestMarkov, LatentOptimism, MergedAgent
from rltheory.solvers.agents.latent import start_optima
from rltheory.solvers.agents.merged import markov_values

from .learning_tables import read_latent
from .runs import Flips, Needles
from .setting import PAPER


# ---- 16: number of plans -------------------------------------------------------------------
@dataclass(frozen=True)
class Play:
    """Let a learner play K episodes of a latent MDP."""

    lmdp: LatentMDP
    planner: Literal["ext", "val", "hoef"]
    K: int
    seed: int
    scale: float

    @cached_property
    def plans(self) -> int:
        """Number of plans."""
        return LatentOptimism(self.planner, scale=self.scale).run(self.lmdp, self.K, seed=self.seed).plans

    @property
    def pairs(self) -> int:
        """M·S·A."""
        return self.lmdp.M * self.lmdp.S * self.lmdp.A

    @property
    def doublings(self) -> int:
        """⌊log₂(HK)⌋ + 1."""
        return floor(log2(self.lmdp.H * self.K)) + 1


def read_play(read: Reader) -> Play:
    """A short run."""
    planner: Any = read.pick(["ext", "hoef", "val"])
    return Play(read_latent(read), planner, 1 + read.below(40), read.below(100), read.pick([0.02, 1.0]))


ONE = LatentMDP.from_arrays([[[[1.0]]]], [[[1.0]]], weights=[1.0], nu=[[1.0]], H=1)
epochs: Claim[Play] = Claim(
    statement="number of plans ≤ 1 + M·S·A·(⌊log₂(HK)⌋ + 1)",
    source=PAPER.at("doubling framework; deterministic"),
    let=decoded(read_play, size=120),
    assume=[],
    then=Leq(lhs=lambda x: x.plans, rhs=lambda x: 1 + x.pairs * x.doublings),
    tight=Tight(Play(ONE, "ext", 4, 0, 1.0), within=0),
    mutants=[
        Mutant("≤ M·S·A", rhs=lambda x: x.pairs),
        Mutant("≤ 1 + M·S·A·⌊log₂(HK)⌋", rhs=lambda x: 1 + x.pairs * (x.doublings - 1)),
    ],
    expect=CERTIFIED,
)

# ---- 18: upper bounds, on runs ---------------------------------------------------------------
TABLE = [
    Needles(1, 500),
    Needles(1, 2000),
    Needles(2, 1000),
    Needles(2, 4000),
    Needles(4, 2000),
    Needles(6, 3000),
]
GUESS = Needles(1, 75_000, 1, "uniform")
upper: Claim[Needles] = Claim(
    statement="hard family, ε = ¼√(NM/K), K ≥ 500M, ι·0.02: mean regret of `ext` over 24 seeds ≤ 0.16√(MNK)",
    source=PAPER.at("main theorem, leading term √(Var*·MΓSAK); constant and runs ours"),
    let=Every("the six sizes measured, and one arm at random", 7, [*TABLE, GUESS]),
    assume=[
        Assumption(
            "K ≥ 500M",
            lambda x: x.K >= 500 * x.M,
            fails_without=NotShown("at shorter runs ε is so large that every learner still does better"),
        )
    ],
    then=Leq(lhs=lambda x: x.mean, rhs=lambda x: 0.16 * x.root),
    tight=Tight(GUESS, within=0.22),
    mutants=[
        Mutant("the sharper rate (MNK)^0.45", rhs=lambda x: 0.16 * 1000**0.05 * x.root**0.9),
        Mutant("no regret at all", rhs=lambda x: 0.0),
        Mutant("0.09√(MNK)", rhs=lambda x: 0.09 * x.root),
    ],
    expect=SUPPORTED,  # runs: never more
)

upper_gap: Claim[Needles] = Claim(
    statement="hard family, ε = 1/10, K = 1000M, ι·0.02: mean regret of `ext` over 8 seeds ≤ 25M",
    source=PAPER.at("main theorem, dependence √(MK) on contexts; constant and runs ours"),
    let=Every("M = 1, 2, 4", 3, [Needles(M, 1000 * M, 8, eps=0.1) for M in (1, 2, 4)]),
    assume=[],
    then=Leq(lhs=lambda x: x.mean, rhs=lambda x: 25.0 * x.M),
    tight=Loose(0.5, "25M was chosen with room for other seeds"),
    mutants=[
        Mutant("≤ 25 whatever M", rhs=lambda x: 25.0),
        Mutant("a learner that guesses", lhs=lambda x: x.K * x.gap / 2),
    ],
    expect=SUPPORTED,
)

upper_horizon: Claim[Flips] = Claim(
    statement="WG, K = 4000, ι·0.02: mean regret of `ext` ≤ 40 at H = 3, 6 (4 seeds) and 12 (2 seeds)",
    source=PAPER.at("main theorem: no polynomial dependence on H; constant and runs ours"),
    let=Every("H = 3, 6, 12", 3, [Flips(3), Flips(6), Flips(12, seeds=2)]),
    assume=[],
    then=Leq(lhs=lambda x: x.mean, rhs=lambda x: 40.0),
    tight=Loose(0.6, "V* itself moves with H; 40 leaves room for other seeds"),
    mutants=[
        Mutant("the baseline's bonus √(Sι/N), H = 3, 6", lhs=lambda x: Flips(min(x.H, 6), "hoef").mean),
        Mutant("no regret at all", rhs=lambda x: 0.0),
    ],
    expect=SUPPORTED,
)


@dataclass(frozen=True)
class Scaled:
    """Let hard(3,1,3,2) be played K episodes with rewards ρ, and with 1, on the same seed."""

    needles: tuple[int, int]
    eps: float
    rho: float
    seed: int
    K: int = 150
    planner: Literal["ext", "val", "hoef"] = "ext"

    def regret(self, planner: Literal["ext", "val", "hoef"], rho: float, scale: float = 0.02) -> float:
        """Regret of the run."""
        arms = [(0, a) for a in self.needles]
        model = gallery.latent_hard(3, 1, 3, 2, arms, self.eps, rho)
        return float(LatentOptimism(planner, scale=scale).run(model, self.K, seed=self.seed).regret.sum())


def read_scaled(read: Reader) -> Scaled:
    """Needles, gap, reward, seed."""
    rho = read.pick([0.5, 0.25, 0.75, 0.875])
    return Scaled((read.below(2), read.below(2)), (1 + read.below(8)) / 32, rho, read.below(200))


SEED_0 = Scaled((0, 1), 0.1, 0.5, 0, 500)
upper_scaling: Claim[Scaled] = Claim(
    statement="hard family: the regret of `ext` with rewards ρ is ρ times that with rewards 1, seed by seed",
    source=PAPER.at("√Var* scaling; derived: `ext` is positively homogeneous in R"),
    let=decoded(read_scaled, size=10),
    assume=[],
    then=Eq(lhs=lambda x: x.regret("ext", x.rho), rhs=lambda x: x.rho * x.regret("ext", 1.0), within=1e-6),
    tight=Tight(SEED_0, within=0),
    mutants=[
        Mutant(
            "so is that of `val`",
            then=Eq(
                lambda x: x.regret("val", x.rho, 0.002), lambda x: x.rho * x.regret("val", 1.0, 0.002), 1e-6
            ),
        ),
        Mutant(
            "so is that of the baseline",
            then=Eq(lambda x: x.regret("hoef", x.rho), lambda x: x.rho * x.regret("hoef", 1.0), 1e-6),
        ),
    ],
    expect=SUPPORTED,
    draws=60,
)

LIKELY = [Needles(1, 500, 150), Needles(2, 1000, 150)]
upper_probability: Claim[Needles] = Claim(
    statement="hard family, ε = ¼√(NM/K), ι·0.02: Pr(regret of `ext` > 0.22√(MNK)) ≤ 1/4, error budget 10⁻⁶",
    source=PAPER.at("main theorem, with probability; constant and runs ours"),
    let=Every("two sizes, 150 runs each", 2, LIKELY),
    assume=[],
    then=Leq(
        lhs=lambda x: Sample.binomial(int((x.final > 0.22 * x.root).sum()), x.seeds, 5e-7),
        rhs=lambda x: 0.25,
    ),
    tight=Loose(1.0, "Clopper–Pearson at level 5·10⁻⁷ a size"),
    mutants=[Mutant("more than 0.1√(MNK) as seldom", lhs=lambda x: exceeded(x, 0.1))],
    expect=SUPPORTED,
)


NAMES: list[Any] = ["MVP", "UCBVI", "PSRL"]


# ---- the negative control -----------------------------------------------------------------
@dataclass(frozen=True)
class Merged:
    """Let a learner of one MDP play WG(¾,¼,⅞,⅛,w=½), H = 5, contexts thrown together."""

    name: Literal["MVP", "UCBVI", "PSRL", "best"]
    seed: int
    K: int = 300

    @cached_property
    def regret(self) -> float:
        """Regret after K episodes; of the best Markov policy played throughout, if that is the name."""
        model = gallery.wait_and_guess(H=5)
        if self.name == "best":
            value = BestMarkov().run(model).witness
            return self.K * float(start_optima(model).sum() - markov_values(model, value).sum())
        agents: Any = {"MVP": MVP(scale=0.02), "UCBVI": UCBVI(scale=0.02), "PSRL": PSRL()}
        run = MergedAgent(agents[self.name]).run(model, self.K, seed=self.seed)
        return float(run.regret.sum())


MARKOV = 97 / 128 - 185 / 256
MERGED = [Merged(n, s) for n in NAMES for s in (0, 1)]
control: Claim[Merged] = Claim(
    statement="WG, w = ½, H = 5: a learner of one MDP loses 97/128 − 185/256 = 9/256 an episode for ever",
    source=PAPER.at("why contexts must be told apart; the best Markov policy is enumerated in hierarchy"),
    let=Every("three agents, two seeds, and the best Markov policy", 7, [*MERGED, Merged("best", 0)]),
    assume=[],
    then=Leq(lhs=lambda x: MARKOV * x.K, rhs=lambda x: x.regret),
    tight=Tight(Merged("best", 0), within=1e-6),
    mutants=[
        Mutant("1/5 in every episode", lhs=lambda x: x.K / 5),
        Mutant("it learns as `ext` does: at most 15", then=Leq(lambda x: x.regret, lambda x: 15.0)),
    ],
    expect=SUPPORTED,
)


def exceeded(x: Needles, c: float) -> Sample:
    """Chance of a regret above c√(MNK)."""
    return Sample.binomial(int((x.final > c * x.root).sum()), x.seeds, 5e-7)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
