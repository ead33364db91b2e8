"""Learners that follow sampled episodes: gradient Monte Carlo, CTD(λ), residual gradient, gradient TD.

With D_i the discounted TD increment and ψ_i = e^{−βt_i}∂_θJ(t_i, X_i), per episode of n steps:

    martingale loss    θ += α Σ_i ψ_iΔt Σ_{j≥i} D_j             → projection of J         (A1)
    CTD(0)             θ += α ξ_i D_i                            → E Σ ξ_i D_i = 0         (A2)
    CTD(λ)             θ += α z_i D_i, z_i = λ^Δt z_{i−1} + ψ_iΔt                           (A3)
    gradient TD        u += ζ(ξ_iD_i − ξ_iξ_iᵀuΔt), θ −= α Δψ_i (ξ_iᵀu)                     (A5)
    residual gradient  θ −= α Σ_i D_i Δψ_i                       → least quadratic variation (A6)

The last is the mean-square TD error.  It is here because it is used, and wrong: refining the grid moves it to
the θ of least quadratic variation, not to the value.  Every learner makes independent runs and returns their
mean with its standard error, which knows nothing of bias: of the grid (`time_step_bias` measures that) or of
steps not yet small.  For roots of sample averages see `.martingale_least_squares`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from ..arrays import FloatVec, IntVec, float_array
from ..errors import InvalidArgument, NotConverged
from ..kernels import martingale_learners as kernels
from .martingale_data import (
    Field,
    LinearCandidate,
    LinearEpisodes,
    Schedule,
    SmoothCandidate,
    batches,
    check_counts,
    check_ends,
    check_tests,
    chosen_tests,
    episodes,
    linear_episodes,
    named_seed,
)
from .martingale_estimate import LearnedValue, of_runs
from .martingale_family import ValueFamily
from .martingale_smooth import Rule, run_smooth

Task: TypeAlias = ValueFamily | LinearCandidate | SmoothCandidate
"""What learners run on."""


def _check(learner: Any) -> None:
    what = type(learner).__name__
    check_counts(what, learner.n, learner.episodes, learner.runs)
    check_tests(getattr(learner, "tests", None), what)
    for name in ("alpha", "zeta"):
        if not callable(getattr(learner, name, check_counts)):
            raise InvalidArgument(
                f"{what}: {name}={getattr(learner, name)!r} is not a function of the episode; give a Schedule"
            )
    if not 0 <= learner.average < 1:
        raise InvalidArgument(
            f"{what}: average={learner.average}, must lie in [0, 1): the share of episodes averaged"
        )


Update: TypeAlias = Callable[[FloatVec, LinearEpisodes, FloatVec, IntVec, int, FloatVec], None]
"""update(θ, batch, α, numbers of the episodes, first to average, total)."""


def _run(learner: Any, task: LinearCandidate, update: Callable[[], Update]) -> LearnedValue:
    """All runs of a linear family: run r sees episodes r·episodes … (r + 1)·episodes − 1."""
    what, E = type(learner).__name__, learner.episodes
    learner = replace(learner, seed=named_seed(learner.seed))
    check_ends(task, learner.n, learner.seed, what)
    start = np.zeros(task.q) if learner.theta0 is None else float_array(learner.theta0).reshape(-1)
    if start.shape != (task.q,):
        raise InvalidArgument(f"{what}: theta0 has {start.size} entries, must have {task.q}")
    if not np.isfinite(start).all():
        raise InvalidArgument(f"{what}: theta0={start}, must be finite")
    kept = min(E - 1, math.ceil(E * (1 - learner.average))) if learner.average else E - 1
    found = np.empty((learner.runs, task.q))
    for r in range(learner.runs):
        theta, total, step = start.copy(), np.zeros(task.q), update()
        for lo, count in batches(0, E, learner.n, task.q):
            batch = linear_episodes(task, episodes(task, learner.n, count, learner.seed, r * E + lo))
            numbers = np.arange(lo, lo + count)
            with np.errstate(over="ignore", invalid="ignore"):
                step(theta, batch, learner.alpha(numbers), numbers, kept - lo, total)
            if not np.isfinite(theta).all():
                raise NotConverged(
                    f"{what}: θ is not finite after {lo + count} episodes of run {r}; take a smaller "
                    f"alpha than {learner.alpha}"
                )
        found[r] = total / (E - kept)
    return of_runs(found, learner.n, E * learner.runs, learner.seed)


def _linear(task: Task) -> LinearCandidate | None:
    return None if isinstance(task, SmoothCandidate) else LinearCandidate.of(task)


@dataclass(frozen=True, eq=False)
class CTDLearner:
    """θ += α z_i D_i: CTD(0) for λ = 0, CTD(λ) for λ ∈ (0, 1].

    Parameters
    ----------
    n
        Steps of an episode.
    lam
        0, or the decay of the trace per unit of time; λ = 1 is the online form of the martingale loss.
    online
        Change θ at every step, or with the sum of the increments at the episode's end.  Online, the mean
        step differs by order α: the bias of a step size that is not small.
    tests
        Test functions ξ_k(t, x) for λ = 0, as many as parameters; ∂J/∂θ if not given.
    weighted
        Test functions times e^{−βt} (λ = 0; the trace carries the factor anyway).  On a grid or with
        a family that misses the value the two have different limits.
    alpha
        Step sizes, see `Schedule`.
    episodes, runs, seed
        Episodes a run, independent runs, their stream.
    average
        Share of episodes at the end whose θ are averaged; 0 for the last θ.
    theta0
        First θ of a linear family; 0 if not given.

    Raises
    ------
    InvalidArgument
        λ ∉ [0, 1], n < 1, features that do not vanish at T.
    NotConverged
        From `run`, when θ leaves the finite numbers.

    Complexity: O(runs·episodes·n·q) and the functions' own time.

    Examples
    --------
    >>> from rltheory.models.processes import BrownianMotion
    >>> task = LinearCandidate(BrownianMotion(), 0.0, 1.0, [lambda t, x: (1 - t) * x], lambda t, x: 1.3 * x)
    >>> found = CTDLearner(n=10, online=False, episodes=8000, runs=4, average=0.5).run(task)
    >>> bool(abs(found.theta[0] - 1.3) < 0.05)
    True
    """

    n: int
    lam: float = 0.0
    online: bool = True
    tests: Sequence[Field] | None = None
    weighted: bool = False
    alpha: Schedule = field(default_factory=Schedule)
    episodes: int = 10_000
    runs: int = 24
    seed: Any = 0
    average: float = 0.0
    theta0: Any = None

    def __post_init__(self) -> None:
        _check(self)
        if not 0 <= self.lam <= 1:
            raise InvalidArgument(f"CTDLearner: lam={self.lam}, must lie in (0, 1], or be 0 for CTD(0)")
        if self.lam > 0 and (self.tests is not None or self.weighted):
            raise InvalidArgument(
                f"CTDLearner: lam={self.lam} fixes the test process; give tests or weighted with lam=0"
            )

    def run(self, task: Task, /) -> LearnedValue:
        """The mean of the runs."""
        linear = _linear(task)
        if linear is None:
            if self.tests is not None:
                raise InvalidArgument("CTDLearner: tests are for linear families; leave them out")
            rule = Rule("ctd", self.lam, self.online, self.weighted)
            return run_smooth(self, task, rule)
        dt = float(linear.T) / self.n
        decay = 0.0 if self.lam == 0 else float(self.lam) ** dt

        def update(
            theta: FloatVec, batch: LinearEpisodes, alpha: FloatVec, _: IntVec, keep: int, total: FloatVec
        ) -> None:
            if self.lam > 0:
                tests, gain = batch.psi, dt
            else:
                tests, gain = chosen_tests(self.tests, self.weighted, batch, linear.q, "CTDLearner"), 1.0
            kernels.temporal_difference(
                theta, tests, batch.dpsi, batch.D, decay, gain, self.online, alpha, keep, total
            )

        return _run(self, linear, lambda: update)


@dataclass(frozen=True, eq=False)
class MartingaleLossLearner:
    """θ += α Σ_i ψ_iΔt Σ_{j≥i} D_j: stochastic gradients of ½E∫(M_T − M_t)²dt, whole episodes at a time.

    Parameters
    ----------
    n, alpha, episodes, runs, seed, average, theta0
        As for `CTDLearner`; `CTDLearner(lam=1)` is its online form.

    Raises
    ------
    InvalidArgument, NotConverged
        As for `CTDLearner`.

    Complexity: O(runs·episodes·n·q).
    """

    n: int
    alpha: Schedule = field(default_factory=Schedule)
    episodes: int = 10_000
    runs: int = 24
    seed: Any = 0
    average: float = 0.0
    theta0: Any = None

    def __post_init__(self) -> None:
        _check(self)

    def run(self, task: Task, /) -> LearnedValue:
        """The mean of the runs."""
        linear = _linear(task)
        if linear is None:
            return run_smooth(self, task, Rule("monte carlo"))
        dt = float(linear.T) / self.n

        def update(
            theta: FloatVec, batch: LinearEpisodes, alpha: FloatVec, _: IntVec, keep: int, total: FloatVec
        ) -> None:
            kernels.gradient_monte_carlo(theta, batch.psi, batch.dpsi, batch.D, dt, alpha, keep, total)

        return _run(self, linear, lambda: update)


@dataclass(frozen=True, eq=False)
class ResidualGradientLearner:
    """θ −= α Σ_i D_iΔψ_i: stochastic gradients of the mean-square TD error ½E Σ D_i².

    Biased by construction: E Σ D_i² tends to the quadratic variation of the martingale, so finer grids lead
    away from the value.  For comparison, not for use.

    Parameters
    ----------
    n, alpha, episodes, runs, seed, average, theta0
        As for `CTDLearner`.

    Raises
    ------
    InvalidArgument, NotConverged
        As for `CTDLearner`.

    Complexity: O(runs·episodes·n·q).
    """

    n: int
    alpha: Schedule = field(default_factory=Schedule)
    episodes: int = 10_000
    runs: int = 24
    seed: Any = 0
    average: float = 0.0
    theta0: Any = None

    def __post_init__(self) -> None:
        _check(self)

    def run(self, task: Task, /) -> LearnedValue:
        """The mean of the runs."""
        linear = _linear(task)
        if linear is None:
            return run_smooth(self, task, Rule("residual"))

        def update(
            theta: FloatVec, batch: LinearEpisodes, alpha: FloatVec, _: IntVec, keep: int, total: FloatVec
        ) -> None:
            kernels.residual_gradient(theta, batch.dpsi, batch.D, alpha, keep, total)

        return _run(self, linear, lambda: update)


@dataclass(frozen=True, eq=False)
class GradientTDLearner:
    """Two time scales for the least m(θ)ᵀWm(θ), m = E Σ ξ_iD_i: CGTD (W = I) and CGTD2 (W = (E Σ ξξᵀΔt)⁻¹).

    The single-sample square |ξ_iD_i|² would be minimised by a quadratic variation again; u tracks Wm instead.
    θ forgets its start at the rate α times the least eigenvalue of AᵀWA: CGTD needs well-conditioned features
    or very many episodes, and steps of order one make it blow up first.  CGTD2 does not.

    Parameters
    ----------
    n, episodes, runs, seed, average, theta0, weighted
        As for `CTDLearner`.
    tests
        p ≥ q test functions of a linear family; the features if not given.
    weight
        "gram" for CGTD2, "identity" for CGTD.
    online
        Change u and θ at every step; the mean step then differs from that of the page by order ζ, because
        u has seen the episode.  Otherwise with the sums over the episode.
    alpha, zeta
        Step sizes of θ and u; α/ζ → 0, so α must decay faster.

    Raises
    ------
    InvalidArgument
        As for `CTDLearner`; power of alpha not above that of zeta; fewer tests than features.
    NotConverged
        As for `CTDLearner`.

    Complexity: O(runs·episodes·n·(p + q)).
    """

    n: int
    tests: Sequence[Field] | None = None
    weight: Literal["gram", "identity"] = "gram"
    weighted: bool = False
    online: bool = False
    alpha: Schedule = field(default_factory=lambda: Schedule(1.0, 1000.0, 0.9))
    zeta: Schedule = field(default_factory=lambda: Schedule(0.3, 1000.0, 0.6))
    episodes: int = 10_000
    runs: int = 24
    seed: Any = 0
    average: float = 0.5
    theta0: Any = None

    def __post_init__(self) -> None:
        _check(self)
        if self.weight not in ("gram", "identity"):
            raise InvalidArgument(f"GradientTDLearner: weight={self.weight!r}; give 'gram' or 'identity'")
        if not self.alpha.power > self.zeta.power:
            raise InvalidArgument(
                f"GradientTDLearner: powers alpha {self.alpha.power}, zeta {self.zeta.power}: α/ζ must tend "
                "to 0; give alpha the larger power"
            )

    def run(self, task: ValueFamily | LinearCandidate, /) -> LearnedValue:
        """The mean of the runs."""
        linear = _linear(task)
        if linear is None:
            raise InvalidArgument("GradientTDLearner: needs a linear family; use CTDLearner for others")
        dt, p = float(linear.T) / self.n, linear.q if self.tests is None else len(self.tests)
        if p < linear.q:
            raise InvalidArgument(
                f"GradientTDLearner: {p} tests for {linear.q} features; give as many or more"
            )

        def begin() -> Update:
            u = np.zeros(p)

            def update(
                theta: FloatVec, batch: LinearEpisodes, alpha: FloatVec, e: IntVec, keep: int, total: FloatVec
            ) -> None:
                tests = chosen_tests(self.tests, self.weighted, batch, None, "GradientTDLearner")
                gram = self.weight == "gram"
                kernels.gradient_td(
                    theta,
                    u,
                    tests,
                    batch.dpsi,
                    batch.D,
                    dt,
                    gram,
                    self.online,
                    alpha,
                    self.zeta(e),
                    keep,
                    total,
                )

            return update

        return _run(self, linear, begin)
