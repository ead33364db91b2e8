"""Optimism by bonuses: UCBVI, MVP, a plain Bernstein bonus, EULER.

All plan by  Q_h = vmax if N = 0, else min{vmax, R + P̂V̄_{h+1} + c·b_h},  V̄_h = max_a Q_h,  and play the
greedy policy; N, P̂ are visits and frequencies, 𝕍(p, v) = Σpv² − (Σpv)², T = KH.  c = 1 (`scale`) is the
published algorithm; at laptop scale its bonuses seldom leave vmax, and experiments use c ≪ 1.

Unknown rewards: R is the mean of those seen, and b_h grows by √(L/(2N)), L (or λ) the learner's log factor;
MVP has Var(r) in its bonus instead, which is 0 where rewards are known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import InvalidArgument
from ...kernels import regret as kernel
from .base import CompiledLearner, Task, check_delta, check_scale


def lower_bound(task: Task) -> float:
    """√(H³SAK)/(48√6): what every learner loses on some model that changes with the step, for K ≥ HSA.

    S = 3 + (A^d − 1)/(A − 1), H ≥ 3d, rewards in [0, 1].

    Source: Domingues, Ménard, Kaufmann and Valko (2021).
    """
    return math.sqrt(task.H**3 * task.S * task.A * task.K) / (48 * math.sqrt(6))


@dataclass(frozen=True)
class UCBVI:
    """b = 7·vmax·L/√N ("hoeffding"), or with variances and a correction term ("bernstein"); L = ln(5SAT/δ).

    "bernstein": b = √(8L·𝕍(P̂, V̄)/N) + 14·vmax·L/(3N) + √((8/N)·Σ_y P̂(y)·min{10⁴·vmax²HS²AL²/N'_{h+1}(y),
    vmax²}), N'_h(y) = visits of y at step h (the third term is 0 in the last step), and Q never rises
    from one episode to the next.  Replans every episode.

    Parameters
    ----------
    bonus
        "hoeffding" (UCBVI-CH) or "bernstein" (UCBVI-BF).
    delta
        Probability with which the bound may fail, in (0, 1).
    scale
        c ≥ 0, multiplies the whole bonus.

    Raises
    ------
    InvalidArgument
        δ outside (0, 1), a negative scale, an unknown bonus.

    Notes
    -----
    Source: Azar, Osband and Munos (2017), algorithms 1–4.
    """

    bonus: Literal["hoeffding", "bernstein"] = "hoeffding"
    delta: float = 0.1
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.bonus not in ("hoeffding", "bernstein"):
            raise InvalidArgument(f"UCBVI: bonus={self.bonus!r}, must be 'hoeffding' or 'bernstein'")
        check_delta("UCBVI", self.delta)
        check_scale("UCBVI", scale=self.scale)

    def log_factor(self, task: Task) -> float:
        """L = ln(5SAT/δ)."""
        return math.log(5 * task.S * task.A * task.T / self.delta)

    def learner(self, task: Task, rng: np.random.Generator | None = None) -> CompiledLearner:
        """A fresh learner."""
        L = self.log_factor(task)
        return CompiledLearner(
            kernel.CH if self.bonus == "hoeffding" else kernel.BF,
            task,
            rng,
            scale=self.scale,
            log=L,
            third=1e4 * task.vmax**2 * task.H * task.S**2 * task.A * L**2,
        )

    def bound(self, task: Task) -> float:
        """Published regret after K episodes: w.p. ≥ 1 − δ, for vmax = H and c = 1.

        20H^{3/2}L√(SAK) + 250H²S²AL², or 30HL√(SAK) + 2500H²S²AL² + 4H^{3/2}√(KL).
        """
        if task.vmax != task.H:
            raise InvalidArgument(
                f"UCBVI.bound: vmax={task.vmax}, the theorem is stated for rewards in [0, 1]: vmax=H={task.H}"
            )
        S, A, H, K, L = task.S, task.A, task.H, task.K, self.log_factor(task)
        if self.bonus == "hoeffding":
            return float(20 * H**1.5 * L * math.sqrt(S * A * K) + 250 * H**2 * S**2 * A * L**2)
        lead = 30 * H * L * math.sqrt(S * A * K) + 4 * H**1.5 * math.sqrt(K * L)
        return float(lead + 2500 * H**2 * S**2 * A * L**2)


@dataclass(frozen=True)
class MVP:
    """b = c₁√(𝕍(P̂, V̄)λ/N) + c₂√(Var(r)λ/N) + c₃·vmax·λ/N, the model refreshed when a count hits a power of 2.

    λ = ln(200SAH²K²/δ); c₁ = 460/9, c₂ = 2√2, c₃ = 544/9.  N and P̂ are frozen between refreshes:
    `samples="all"` uses all 2^i samples, "batch" the newest 2^{i−1}.  The planner runs at most
    1 + SA(⌊log₂ KH⌋ + 1) times.

    Raises
    ------
    InvalidArgument
        δ outside (0, 1), a negative scale, an unknown choice of samples.

    Notes
    -----
    Source: Zhang, Ji and Du (2021), with the constants of Zhang, Chen, Lee and Du (2023).
    """

    delta: float = 0.1
    scale: float = 1.0
    samples: Literal["all", "batch"] = "all"
    c1: float = 460 / 9
    c2: float = 2 * math.sqrt(2)
    c3: float = 544 / 9

    def __post_init__(self) -> None:
        if self.samples not in ("all", "batch"):
            raise InvalidArgument(f"MVP: samples={self.samples!r}, must be 'all' or 'batch'")
        check_delta("MVP", self.delta)
        check_scale("MVP", scale=self.scale, c1=self.c1, c2=self.c2, c3=self.c3)

    def log_factor(self, task: Task) -> float:
        """λ = ln(200SAH²K²/δ)."""
        return math.log(200 * task.S * task.A * task.H**2 * task.K**2 / self.delta)

    def learner(self, task: Task, rng: np.random.Generator | None = None) -> CompiledLearner:
        """A fresh learner."""
        return CompiledLearner(
            kernel.MVP if self.samples == "all" else kernel.MVP_BATCH,
            task,
            rng,
            scale=self.scale,
            log=self.log_factor(task),
            c1=self.c1,
            c2=self.c2,
            c3=self.c3,
        )

    def most_plans(self, task: Task) -> int:
        """1 + G·SA(⌊log₂ n⌋ + 1), n the most visits of a pair: KH, or K where the model carries the step."""
        most = task.T if task.stationary else task.K
        return 1 + task.G * task.S * task.A * (int(math.log2(most)) + 1)


@dataclass(frozen=True)
class BernsteinBonus:
    """b = √(2λ𝕍(P̂, V̄)/N) + vmax·λ/N, λ = ln(2SAHK/δ); replans every episode.

    No theorem is claimed for it; with c between 0.1 and 1 it is a good default.

    Raises
    ------
    InvalidArgument
        δ outside (0, 1), a negative scale.
    """

    delta: float = 0.1
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_delta("BernsteinBonus", self.delta)
        check_scale("BernsteinBonus", scale=self.scale)

    def log_factor(self, task: Task) -> float:
        """λ = ln(2SAHK/δ)."""
        return math.log(2 * task.S * task.A * task.T / self.delta)

    def learner(self, task: Task, rng: np.random.Generator | None = None) -> CompiledLearner:
        """A fresh learner."""
        return CompiledLearner(kernel.BERNSTEIN, task, rng, scale=self.scale, log=self.log_factor(task))


@dataclass(frozen=True)
class EULER:
    """Upper and lower values; b = φ(P̂, V̄) + 5vmax·λ/N + √(2λ)·‖V̄ − V̲‖_{2,P̂}/√N, λ = ln(4SAT/δ).

    φ(p, v) = √(2𝕍(p, v)λ/N) + vmax·λ/(3max(N − 1, 1)); V̲ subtracts the same with φ(P̂, V̲), at the
    greedy action.  The paper's constants B_p and J are of order vmax·λ, which is what is used.

    Raises
    ------
    InvalidArgument
        δ outside (0, 1), a negative scale.

    Notes
    -----
    Source: Zanette and Brunskill (2019).
    """

    delta: float = 0.1
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_delta("EULER", self.delta)
        check_scale("EULER", scale=self.scale)

    def log_factor(self, task: Task) -> float:
        """λ = ln(4SAT/δ)."""
        return math.log(4 * task.S * task.A * task.T / self.delta)

    def learner(self, task: Task, rng: np.random.Generator | None = None) -> CompiledLearner:
        """A fresh learner."""
        return CompiledLearner(kernel.EULER, task, rng, scale=self.scale, log=self.log_factor(task))
