"""What learners of continuous time return, with its Monte-Carlo interval, and how its bias falls with Δt.

An interval is of sampling only; `time_step_bias` measures what the grid adds, against θ in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import FloatVec, float_array, frozen
from ..errors import InvalidArgument


@dataclass(frozen=True, eq=False)
class LearnedValue:
    """What a learner found, with its Monte-Carlo uncertainty.

    Attributes
    ----------
    theta
        (q,) estimate: the mean over runs of an iteration, or a root of sample averages.
    std_error
        (q,) standard error of θ: between runs, or of the averages by the delta method; NaN for one run.  Bias
        (of the grid, of a step size that is not small) is not in it.
    freedom
        Degrees of freedom of std_error: runs − 1, or infinite.
    runs
        (runs, q) estimates, one row where there was one.
    covariance
        (q, q) of θ.
    condition
        Condition number of the linear system; NaN for iterations.
    n, episodes, seed
        What was used; `episodes` counts all runs.
    """

    theta: FloatVec
    std_error: FloatVec
    freedom: float
    runs: FloatVec
    covariance: FloatVec
    condition: float
    n: int
    episodes: int
    seed: Any

    def interval(self, level: float = 0.95) -> tuple[FloatVec, FloatVec]:
        """Monte-Carlo interval of each component at confidence `level`.

        Raises
        ------
        InvalidArgument
            level ∉ (0, 1); one run only, which has no spread.
        """
        from scipy.special import ndtri, stdtrit

        if not 0 < level < 1:
            raise InvalidArgument(f"interval: level={level}, must lie in (0, 1)")
        if not self.freedom > 0:
            raise InvalidArgument("interval: one run has no spread; take runs ≥ 2")
        at = 0.5 + 0.5 * level
        width = (ndtri(at) if math.isinf(self.freedom) else stdtrit(self.freedom, at)) * self.std_error
        return self.theta - width, self.theta + width

    def z(self, truth: Any) -> FloatVec:
        """(θ − truth)/std_error, componentwise."""
        return np.asarray((self.theta - float_array(truth)) / self.std_error)

    def __repr__(self) -> str:
        parts = ", ".join(f"{a:.6g} ± {b:.1g}" for a, b in zip(self.theta, self.std_error, strict=True))
        return f"LearnedValue([{parts}], n={self.n}, episodes={self.episodes})"


def of_runs(runs: FloatVec, n: int, episodes_all: int, seed: Any) -> LearnedValue:
    """Mean and spread of independent runs."""
    R, q = runs.shape
    covariance = np.atleast_2d(np.cov(runs.T)).reshape(q, q) / R if R > 1 else np.full((q, q), np.nan)
    std = np.sqrt(np.diag(covariance))
    theta = runs.mean(axis=0)
    for x in (theta, std, runs, covariance):
        frozen(x)
    return LearnedValue(theta, std, R - 1.0, runs, covariance, math.nan, n, episodes_all, seed)


def time_step_bias(
    learner: Any, task: Any, ns: Sequence[int], truth: Any
) -> list[tuple[int, FloatVec, FloatVec]]:
    """(n, estimate − truth, standard error) for each grid: how a learner's bias falls, or does not, with Δt.

    Parameters
    ----------
    learner
        Any learner of `.martingale_learners` or `.martingale_least_squares`; its n is replaced.
    task
        As for its `run`.
    ns
        Numbers of steps.
    truth
        (q,) what the estimates should tend to: θ in closed form.

    Raises
    ------
    InvalidArgument
        No ns, or a truth of another length than θ.

    Examples
    --------
    >>> from rltheory.models.processes import BrownianMotion
    >>> from rltheory.solvers import CTDLearner, LinearCandidate
    >>> task = LinearCandidate(BrownianMotion(), 0.0, 1.0, [lambda t, x: (1 - t) * x], lambda t, x: 1.3 * x)
    >>> rows = time_step_bias(CTDLearner(n=1, episodes=500, runs=4), task, [2, 8], [1.3])
    >>> [n for n, bias, error in rows]
    [2, 8]
    """
    if not len(ns):
        raise InvalidArgument("time_step_bias: ns is empty; give numbers of steps, [4, 8, 16]")
    rows, point = [], np.atleast_1d(float_array(truth))
    for n in ns:
        found = replace(learner, n=n).run(task)
        if point.shape != found.theta.shape:
            raise InvalidArgument(
                f"time_step_bias: truth has {point.size} entries, must have {found.theta.size}"
            )
        rows.append((n, found.theta - point, found.std_error))
    return rows
