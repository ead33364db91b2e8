"""Learners without a bonus on the model: UCRL2, posterior sampling, Q-learning, and two plain baselines.

Unknown rewards: UCRL2 adds c√(7 ln(2SAt/δ)/(2 max(1, N))) to the mean of those seen; Q-learning takes them as
they come; PSRL and explore-then-commit plan with the mean, 0 where none was seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import InvalidArgument
from ...kernels import regret as kernel
from .base import CompiledLearner, Task, check_delta, check_scale


@dataclass(frozen=True)
class UCRL2:
    """Plans with the best law in ‖p − P̂‖₁ ≤ c√(14S ln(2At/δ)/N), t the steps so far; clipped at vmax.

    An epoch ends after the episode in which some pair's visits within it reached max(1, the count at its
    start); model, N and t are those at the start of the epoch.  N = 0: any law.

    Raises
    ------
    InvalidArgument
        δ outside (0, 1), a negative scale.

    Notes
    -----
    Source: Jaksch, Ortner and Auer (2010), here for episodes.
    """

    delta: float = 0.1
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_delta("UCRL2", self.delta)
        check_scale("UCRL2", scale=self.scale)

    def learner(self, task: Task, rng: np.random.Generator | None = None) -> CompiledLearner:
        """A fresh learner."""
        return CompiledLearner(kernel.UCRL2, task, rng, scale=self.scale, delta=self.delta)


@dataclass(frozen=True)
class PSRL:
    """Each episode plays the optimal policy of a model drawn from Dirichlet(α/S + counts).

    Only transitions are drawn.  With unknown rewards it plans with their means, 0 for pairs never tried, and
    may then never try them: its regret can be linear.

    Raises
    ------
    InvalidArgument
        α ≤ 0.

    Notes
    -----
    Source: Osband, Russo and Van Roy (2013).
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise InvalidArgument(f"PSRL: alpha={self.alpha}, the prior's total weight must be positive")

    def learner(self, task: Task, rng: np.random.Generator | None = None) -> CompiledLearner:
        """A fresh learner; `rng` draws the models."""
        return CompiledLearner(kernel.PSRL, task, rng, alpha=self.alpha)


@dataclass(frozen=True)
class QUCB:
    """Q-learning with α_t = (H+1)/(H+t) and an upper confidence bonus; no model.

    "hoeffding": b_t = c√(H·vmax²·ι/t), ι = ln(SAT/δ).  "bernstein" (vmax = H only): from
    β_t = min{c₁(√(H(W_t + H)ι/t) + √(H⁷SA)·ι/t), c₂√(H³ι/t)}, W_t the variance of the next values seen,
    b_1 = β_1/2, b_t = (β_t − (1 − α_t)β_{t−1})/(2α_t).  Always one table a step.

    Raises
    ------
    InvalidArgument
        δ outside (0, 1), a negative constant, an unknown bonus; "bernstein" with vmax ≠ H.

    Notes
    -----
    Source: Jin, Allen-Zhu, Bubeck and Jordan (2018).
    """

    bonus: Literal["hoeffding", "bernstein"] = "hoeffding"
    delta: float = 0.1
    scale: float = 1.0
    c1: float = 1.0
    c2: float = 1.0

    def __post_init__(self) -> None:
        if self.bonus not in ("hoeffding", "bernstein"):
            raise InvalidArgument(f"QUCB: bonus={self.bonus!r}, must be 'hoeffding' or 'bernstein'")
        check_delta("QUCB", self.delta)
        check_scale("QUCB", scale=self.scale, c1=self.c1, c2=self.c2)

    def log_factor(self, task: Task) -> float:
        """ι = ln(SAT/δ)."""
        return math.log(task.S * task.A * task.T / self.delta)

    def learner(self, task: Task, rng: np.random.Generator | None = None) -> CompiledLearner:
        """A fresh learner."""
        if self.bonus == "bernstein" and task.vmax != task.H:
            raise InvalidArgument(
                f"QUCB: vmax={task.vmax}, the Bernstein bonus is stated for vmax=H={task.H}; "
                "use bonus='hoeffding'"
            )
        return CompiledLearner(
            kernel.Q_HOEFFDING if self.bonus == "hoeffding" else kernel.Q_BERNSTEIN,
            task,
            rng,
            scale=self.scale,
            log=self.log_factor(task),
            c1=self.c1,
            c2=self.c2,
        )


@dataclass(frozen=True)
class ExploreThenCommit:
    """Uniformly random actions for `explore` episodes, then the optimal policy of the model seen.

    Pairs never tried keep their reward and lead nowhere.

    Raises
    ------
    InvalidArgument
        A negative number of episodes.
    """

    explore: int = 100

    def __post_init__(self) -> None:
        if isinstance(self.explore, bool) or not isinstance(self.explore, int) or self.explore < 0:
            raise InvalidArgument(
                f"ExploreThenCommit: explore={self.explore!r}, must be a number of episodes ≥ 0"
            )

    def learner(self, task: Task, rng: np.random.Generator | None = None) -> CompiledLearner:
        """A fresh learner."""
        return CompiledLearner(kernel.COMMIT, task, rng, explore=self.explore)


@dataclass(frozen=True)
class RandomAgent:
    """Uniformly random actions for ever."""

    def learner(self, task: Task, rng: np.random.Generator | None = None) -> CompiledLearner:
        """A fresh learner."""
        return CompiledLearner(kernel.UNIFORM, task, rng)
