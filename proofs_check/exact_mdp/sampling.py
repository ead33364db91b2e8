"""Block I, second part: how many samples an estimate of q* or of one value needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from hypothesis import strategies as st

import rltheory as rl
from rltheory.arrays import span
from rltheory.checks import SUPPORTED, Claim, Every, Leq, Loose, Mutant, Rate, Sample, Tight, run_module
from rltheory.checks import strategies as ck

from .lets import PAPER

REPETITIONS = 400
DELTA = 0.1
ALPHA = 1e-6 / 2000
"""Error budget of one interval: 1e-6 for the run, shared by every interval a check may look at."""


@dataclass(frozen=True)
class Generative:
    """Let N samples of every pair be drawn from M with a seed, REPETITIONS times over."""

    M: rl.MDP
    N: int
    seed: int

    @cached_property
    def errors(self) -> Any:
        """‖q* − q̂*‖ of each repetition, q̂* solved on the plug-in model."""
        M = self.M
        rng = np.random.default_rng(self.seed)
        P_hat = rng.multinomial(self.N, M.P, size=(REPETITIONS, M.S, M.A)) / self.N
        R = np.broadcast_to(M.R, (REPETITIONS, M.S, M.A))
        V = rl.solve_batch(P_hat, np.ascontiguousarray(R), M.gamma, tol=1e-10).V
        q_hat = M.R + M.gamma * np.einsum("bsat,bt->bsa", P_hat, V)
        return np.abs(q_hat - self.q_star).reshape(REPETITIONS, -1).max(axis=1)

    @cached_property
    def q_star(self) -> Any:
        """q*."""
        return rl.q_values(self.M, rl.solve(self.M).V)

    def bound(self, N: float) -> float:
        """(γ/(1−γ)) sp(v*) √(log(2nm/δ)/(2N))."""
        M = self.M
        root = math.sqrt(math.log(2 * M.S * M.A / DELTA) / (2 * N))
        return float(M.gamma / (1 - M.gamma) * span(rl.solve(M).V) * root)

    def violations(self, bound: float) -> Sample:
        """Rate at which the error exceeds a bound, with its exact binomial interval."""
        return Sample.binomial(int((self.errors > bound + 1e-8).sum()), REPETITIONS, ALPHA)


@st.composite
def generative(draw: st.DrawFn) -> Generative:
    """Random models, 200 to 800 samples a pair."""
    gamma = st.sampled_from([45 / 64, 115 / 128])
    M = draw(ck.mdps(S=st.integers(2, 4), A=st.integers(1, 3), rows="dense", gamma=gamma))
    return Generative(M, 200 * 2 ** draw(st.integers(0, 2)), draw(st.integers(0, 2**20)))


generative_hoeffding: Claim[Generative] = Claim(
    statement="N samples a pair: Pr[‖q* − q̂*‖ > (γ/(1−γ)) sp(v*) √(log(2nm/δ)/(2N))] ≤ δ",
    source=PAPER.at("Azar, Munos, Kappen 2013, Hoeffding part; sandwich proof"),
    let=generative(),
    assume=[],
    then=Leq(lhs=lambda x: x.violations(x.bound(x.N)), rhs=lambda x: DELTA),
    tight=Loose(1.0, "a union bound over Hoeffding: violations are rarer than δ"),
    mutants=[Mutant("√(log(·)/(2N²))", lhs=lambda x: x.violations(x.bound(x.N**2)))],
    expect=SUPPORTED,
    draws=60,
)


@dataclass(frozen=True)
class SelfLoop:
    """Let state x pay 1, stay with probability p and exit to 0; p̂ ~ Bin(N, p)/N."""

    N: int

    def rmse(self, gamma: float, p: float) -> float:
        """√E[(1/(1−γp̂) − 1/(1−γp))²] by summing the binomial law (mass below 1e-40 left out)."""
        centre, sd = self.N * p, math.sqrt(self.N * p * (1 - p))
        k = np.arange(max(0, int(centre - 14 * sd)), min(self.N, int(centre + 14 * sd)) + 1)
        from scipy.special import gammaln

        log_w = gammaln(self.N + 1) - gammaln(k + 1) - gammaln(self.N - k + 1)
        log_w = log_w + k * math.log(p) + (self.N - k) * math.log1p(-p)
        error = 1 / (1 - gamma * k / self.N) - 1 / (1 - gamma * p)
        return float(math.sqrt((np.exp(log_w) * error**2).sum()))

    def scaled(self, horizon: float) -> float:
        """RMSE·√N at γ = 1 − 1/horizon and the hard p = (4γ−1)/(3γ)."""
        gamma = 1 - 1 / horizon
        return self.rmse(gamma, (4 * gamma - 1) / (3 * gamma)) * math.sqrt(self.N)

    def easy(self, horizon: float) -> float:
        """RMSE·√N at γ = 1 − 1/horizon and p = ½."""
        return self.rmse(1 - 1 / horizon, 0.5) * math.sqrt(self.N)


LIMIT = 9 / (16 * math.sqrt(3))
HORIZONS = [10.0, 20.0, 50.0, 100.0, 200.0, 500.0]
SIZES = [SelfLoop(N) for N in (200_000, 400_000, 800_000)]

azar_rate: Claim[SelfLoop] = Claim(
    statement="self-loop with p = (4γ−1)/(3γ): RMSE·√N ≤ 1.002·(9/(16√3))·(1−γ)^(−3/2), and no smaller power",
    source=PAPER.at("Azar, Munos, Kappen 2013, Theorem 3 (the hard instance)"),
    let=Every("N ∈ {2, 4, 8}·10⁵", len(SIZES), SIZES),
    assume=[],
    then=Rate(
        lhs=lambda x, horizon: x.scaled(horizon),
        rhs=lambda horizon: 1.002 * LIMIT * horizon**1.5,
        over=HORIZONS,
        resolution=0.05,
    ),
    tight=Tight(SIZES[2], within=0.01),
    mutants=[
        Mutant("power 1", rhs=lambda horizon: 1.002 * LIMIT * 10**0.5 * horizon),
        Mutant(
            "at least power 2", then=Leq(lambda x: 0.9 * LIMIT * 500**2 / 10**0.5, lambda x: x.scaled(500.0))
        ),
        Mutant(
            "hardness is in γ alone: p = ½ grows as fast",
            then=Leq(lambda x: x.easy(10.0) * 50**1.4, lambda x: x.easy(500.0)),
        ),
    ],
    expect=SUPPORTED,
)


def slope(x: SelfLoop, *, easy: bool = False) -> float:
    """Least-squares slope of log RMSE against log 1/(1−γ)."""
    y = [math.log(x.easy(h) if easy else x.scaled(h)) for h in HORIZONS]
    return float(np.polyfit(np.log(HORIZONS), y, 1)[0])


VALUES = [(10.0, 0.30234), (100.0, 0.32260), (500.0, 0.32440)]


azar_constants: Claim[SelfLoop] = Claim(
    statement="RMSE·√N·(1−γ)^(3/2) = 0.30234, 0.32260, 0.32440 at γ = 0.9, 0.99, 0.998; slope ≈ 1.5",
    source=PAPER.at("Azar, Munos, Kappen 2013; values by exact summation"),
    let=Every("N = 2·10⁵", 1, SIZES[:1]),
    assume=[],
    then=Leq(
        lhs=lambda x: [abs(x.scaled(h) / h**1.5 - c) for h, c in VALUES] + [1.45, slope(x)],
        rhs=lambda x: [5.1e-6] * 3 + [slope(x), 1.58],
    ),
    tight=Loose(0.1, "digits"),
    mutants=[
        Mutant("slope at most 1.1", then=Leq(lambda x: slope(x), lambda x: 1.1)),
        Mutant("slope at least 1.9", then=Leq(lambda x: 1.9, lambda x: slope(x))),
        Mutant("p = ½ has a slope too", then=Leq(lambda x: 0.5, lambda x: slope(x, easy=True))),
    ],
    expect=SUPPORTED,
)

if __name__ == "__main__":
    raise SystemExit(run_module(__name__))
