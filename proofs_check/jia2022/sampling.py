"""CLSTD from sampled episodes, against the root on the same grid and against the projection of the value.

From M independent episodes with exact transitions √M(θ̂ − θ_n) is asymptotically normal with covariance
A⁻¹Cov(b − Aθ)A⁻ᵀ, θ_n the root on n steps: the grid's bias is in θ_n, none is added.  Statistical:
|z| > 4.5 has probability 7e-6 a component.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rltheory.checks import SUPPORTED, Claim, Every, Leq, Loose, Mutant, run_module
from rltheory.solvers import CLSTDLearner, CTDRoot, LearnedValue, MartingaleLossRoot

from .setting import OU, PAPER

STEPS, EPISODES = 16, 20_000
ROOT = CTDRoot(n=STEPS).run(OU.family).theta.astype(float)
PROJECTION = MartingaleLossRoot().run(OU.family).theta.astype(float)


@dataclass(frozen=True)
class Run:
    """Let 20 000 episodes of 16 steps of the OU instance be drawn with this seed."""

    seed: int

    @cached_property
    def found(self) -> LearnedValue:
        """θ̂ with its standard error."""
        return CLSTDLearner(n=STEPS, episodes=EPISODES, seed=self.seed).run(OU.family)

    @property
    def z(self) -> list[float]:
        """(θ̂ − θ_16)/standard error, by component, absolute."""
        return [float(v) for v in np.abs(self.found.z(ROOT))]

    @property
    def z_projection(self) -> float:
        """The first component about θ_ML."""
        return float(abs(self.found.z(PROJECTION)[0]))


RUNS = [Run(seed) for seed in range(12)]

clstd_sampling: Claim[Run] = Claim(
    statement="CLSTD(0) of 20 000 exact episodes, n = 16, lies within 4.5 standard errors of θ_16",
    source=PAPER.at("least-squares CTD from data; limit law derived"),
    let=Every("seeds 0, …, 11", len(RUNS), RUNS),
    assume=[],
    then=Leq(lhs=lambda x: x.z, rhs=lambda x: [4.5, 4.5]),
    tight=Loose(slack=0.7, reason="twenty-four normal variables reach 1.35 standard errors"),
    mutants=[
        Mutant("within 6 standard errors of θ_ML", then=Leq(lambda x: x.z_projection, lambda x: 6.0)),
        Mutant("within half a standard error of θ_16", rhs=lambda x: [0.5, 0.5]),
    ],
    expect=SUPPORTED,
)


if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
