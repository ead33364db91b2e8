"""Roots of sample averages over episodes: CLSTD(0), CLSTD(λ), GMM, and least squares of the two losses.

An episode gives a system (A_e, b_e); θ is a smooth function f of the average (Ā, b̄):

    CLSTD            A_e = −Σ ξ_iΔψ_iᵀ, b_e = Σ ξ_iD_i (D at θ = 0), ξ features, tests or traces;  Ā⁻¹b̄  (A4)
    GMM              the same with p ≥ q tests, G_e = Σ ξξᵀΔt;  (ĀᵀWĀ)⁻¹ĀᵀWb̄, W = I or Ḡ⁻¹             (A5)
    martingale loss  A_e = ΔtΣ ψψᵀ, b_e = ΔtΣ ψ_i Σ_{j≥i}D_j
    mean-square TD   A_e = ΣΔψΔψᵀ, b_e = −ΣΔψD

By the delta method √M(θ̂ − θ_n) → N(0, f' Cov f'ᵀ) around the root θ_n of the *grid*: no bias of a step size,
and the grid's own bias is measured by the exact roots of `.martingale`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from ..arrays import FloatVec, float_array, frozen
from ..errors import InvalidArgument
from .martingale_data import (
    Field,
    LinearCandidate,
    LinearEpisodes,
    batches,
    check_counts,
    check_ends,
    check_tests,
    chosen_tests,
    episodes,
    linear_episodes,
    named_seed,
)
from .martingale_estimate import LearnedValue
from .martingale_family import ValueFamily

Linear: TypeAlias = ValueFamily | LinearCandidate
SINGULAR = 1e13
"""Condition number from which a system of doubles is refused."""


def _ready(learner: Any, task: LinearCandidate) -> Any:
    """The learner with a seed that repeats it, on a family whose ends are as they must be."""
    learner = replace(learner, seed=named_seed(learner.seed))
    check_ends(task, learner.n, learner.seed, type(learner).__name__)
    return learner


def _averages(
    task: LinearCandidate, n: int, count: int, seed: Any, parts: Callable[[LinearEpisodes], list[FloatVec]]
) -> tuple[FloatVec, FloatVec]:
    """Mean of the flattened parts of an episode and the covariance of that mean."""
    shift, total, square, size = None, 0.0, 0.0, 0
    for first, m in batches(0, count, n, task.q):
        batch = linear_episodes(task, episodes(task, n, m, seed, first))
        v = np.concatenate([x.reshape(m, -1) for x in parts(batch)], axis=1)
        if shift is None:
            shift = v.mean(axis=0)
        v = v - shift
        total, square, size = total + v.sum(axis=0), square + v.T @ v, size + m
    assert shift is not None
    mean = np.asarray(total / size)
    spread = (square - size * np.outer(mean, mean)) / max(size - 1, 1) / size
    return shift + mean, np.asarray(spread)


def _root(f: Callable[[FloatVec], FloatVec], mean: FloatVec, spread: FloatVec) -> tuple[FloatVec, FloatVec]:
    """f(mean) and its covariance by the delta method (central differences)."""
    theta = f(mean)
    slope = np.empty((theta.size, mean.size))
    scale = np.maximum(np.sqrt(np.diag(spread)), 1e-9 * np.maximum(np.abs(mean), np.abs(mean).max()))
    for k in range(mean.size):
        step = np.zeros(mean.size)
        step[k] = scale[k] * 0.1
        slope[:, k] = (f(mean + step) - f(mean - step)) / (2 * step[k])
    return theta, slope @ spread @ slope.T


def _solve(A: FloatVec, b: FloatVec, what: str) -> FloatVec:
    condition = float(np.linalg.cond(A)) if np.isfinite(A).all() else math.inf
    if not condition < SINGULAR:
        raise InvalidArgument(
            f"{what}: A is degenerate, condition={condition:.3g}; drop dependent features, choose other test "
            "functions, or refine the grid"
        )
    return float_array(np.linalg.solve(A, b))


def _learned(
    f: Callable[[FloatVec], FloatVec], mean: FloatVec, spread: FloatVec, condition: float, n: int, count: int,
    seed: Any,
) -> LearnedValue:  # fmt: skip
    theta, covariance = _root(f, mean, spread)
    std = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    for x in (theta, covariance, std):
        frozen(x)
    return LearnedValue(theta, std, math.inf, theta[None], covariance, condition, n, count, seed)


def traces(psi: FloatVec, lam: float, dt: float) -> FloatVec:
    """z_i = λ^Δt z_{i−1} + ψ_iΔt for i < n, the current index included; (m, n, q)."""
    decay = float(lam) ** dt
    out = np.empty((psi.shape[0], psi.shape[1] - 1, psi.shape[2]))
    z = np.zeros_like(out[:, 0])
    for i in range(out.shape[1]):
        z = decay * z + psi[:, i] * dt
        out[:, i] = z
    return out


def _system(tests: FloatVec, batch: LinearEpisodes) -> list[FloatVec]:
    xi = tests[:, : batch.D.shape[1]].transpose(0, 2, 1)
    return [-(xi @ batch.dpsi), (xi @ batch.D[:, :, None])[:, :, 0]]


@dataclass(frozen=True, eq=False)
class CLSTDLearner:
    """θ = Ā⁻¹b̄, A = −Σ ξ_iΔψ_iᵀ, b = Σ ξ_iD_i: least-squares TD, CLSTD(0) and CLSTD(λ).

    Parameters
    ----------
    n
        Steps of an episode.
    lam
        0: ξ are the features, or `tests`.  In (0, 1]: the traces of `CTDLearner`.
    tests, weighted
        As for `CTDLearner`.
    episodes, seed
        Episodes and their stream.

    Raises
    ------
    InvalidArgument
        λ ∉ [0, 1], n < 1, features that do not vanish at T, a degenerate A (with its condition number).

    Complexity: O(episodes·n·q²).

    Examples
    --------
    >>> from rltheory.models.processes import BrownianMotion
    >>> task = LinearCandidate(BrownianMotion(), 0.0, 1.0, [lambda t, x: (1 - t) * x], lambda t, x: 1.3 * x)
    >>> CLSTDLearner(n=10, episodes=20_000).run(task).interval(0.999)[0][0] < 1.3
    np.True_
    """

    n: int
    lam: float = 0.0
    tests: Sequence[Field] | None = None
    weighted: bool = False
    episodes: int = 10_000
    seed: Any = 0

    def __post_init__(self) -> None:
        check_counts("CLSTDLearner", self.n, self.episodes, least=2)
        check_tests(self.tests, "CLSTDLearner")
        if not 0 <= self.lam <= 1:
            raise InvalidArgument(f"CLSTDLearner: lam={self.lam}, must lie in (0, 1], or be 0 for CLSTD(0)")
        if self.lam > 0 and (self.tests is not None or self.weighted):
            raise InvalidArgument(
                f"CLSTDLearner: lam={self.lam} fixes the test process; give tests or weighted with lam=0"
            )

    def run(self, family: Linear, /) -> LearnedValue:
        """The root, with the sandwich covariance A⁻¹Cov(b − Aθ)A⁻ᵀ/episodes."""
        task = LinearCandidate.of(family)
        learner = _ready(self, task)
        q, dt = task.q, float(task.T) / self.n

        def parts(batch: LinearEpisodes) -> list[FloatVec]:
            if self.lam > 0:
                return _system(traces(batch.psi, self.lam, dt), batch)
            return _system(chosen_tests(self.tests, self.weighted, batch, q, "CLSTDLearner"), batch)

        return _square(task, learner, parts, "CLSTDLearner")


def _square(
    task: LinearCandidate, learner: Any, parts: Callable[[LinearEpisodes], list[FloatVec]], what: str
) -> LearnedValue:
    q = task.q
    mean, spread = _averages(task, learner.n, learner.episodes, learner.seed, parts)

    def f(v: FloatVec) -> FloatVec:
        return _solve(v[: q * q].reshape(q, q), v[q * q :], what)

    f(mean)
    condition = float(np.linalg.cond(mean[: q * q].reshape(q, q)))
    return _learned(f, mean, spread, condition, learner.n, learner.episodes, learner.seed)


@dataclass(frozen=True, eq=False)
class GMMLearner:
    """θ = (ĀᵀWĀ)⁻¹ĀᵀWb̄ for p ≥ q test functions: the least m̄ᵀWm̄, m̄ the sample mean of Σ ξ_iD_i.

    Parameters
    ----------
    n, episodes, seed, weighted
        As for `CLSTDLearner`.
    tests
        p ≥ q test functions ξ_k(t, x).
    W
        "identity", or "gram" for the inverse of the sample mean of Σ ξξᵀΔt.

    Raises
    ------
    InvalidArgument
        Fewer tests than features, a degenerate ĀᵀWĀ or Ḡ.

    Complexity: O(episodes·n·p(p + q)).
    """

    n: int
    tests: Sequence[Field]
    W: Literal["identity", "gram"] = "identity"
    weighted: bool = False
    episodes: int = 10_000
    seed: Any = 0

    def __post_init__(self) -> None:
        check_counts("GMMLearner", self.n, self.episodes, least=2)
        check_tests(self.tests, "GMMLearner")
        if self.W not in ("identity", "gram"):
            raise InvalidArgument(f"GMMLearner: W={self.W!r}; give 'identity' or 'gram'")

    def run(self, family: Linear, /) -> LearnedValue:
        """The minimiser, its covariance with W's own sampling error included."""
        task = LinearCandidate.of(family)
        learner = _ready(self, task)
        p, q, dt = len(self.tests), task.q, float(task.T) / self.n
        if p < q:
            raise InvalidArgument(f"GMMLearner: {p} tests for {q} features; give as many or more")

        def parts(batch: LinearEpisodes) -> list[FloatVec]:
            xi = chosen_tests(self.tests, self.weighted, batch, None, "GMMLearner")
            gram = [xi.transpose(0, 2, 1) @ xi * dt] if self.W == "gram" else []
            return _system(xi, batch) + gram

        mean, spread = _averages(task, learner.n, learner.episodes, learner.seed, parts)

        def normal(v: FloatVec) -> tuple[FloatVec, FloatVec]:
            A, b = v[: p * q].reshape(p, q), v[p * q : p * q + p]
            if self.W == "gram":
                G = v[p * q + p :].reshape(p, p)
                right = _solve((G + G.T) / 2, A, "GMMLearner: E Σ ξξᵀΔt").T
            else:
                right = A.T
            return right @ A, right @ b

        def f(v: FloatVec) -> FloatVec:
            return _solve(*normal(v), "GMMLearner")

        f(mean)
        condition = float(np.linalg.cond(normal(mean)[0]))
        return _learned(f, mean, spread, condition, self.n, self.episodes, learner.seed)


@dataclass(frozen=True, eq=False)
class LeastSquaresLearner:
    """Minimiser over θ of a sample mean of squares: the martingale loss, or the mean-square TD error.

    Parameters
    ----------
    n, episodes, seed
        As for `CLSTDLearner`.
    loss
        "martingale" for ½Δt Σ_i(Σ_{j≥i}D_j)², what `MartingaleLossLearner` descends slowly; "square td" for
        ½Σ D_i², which tends to a quadratic variation and misses the value.

    Raises
    ------
    InvalidArgument
        n < 1, features that do not vanish at T, a degenerate system.

    Complexity: O(episodes·n·q²).
    """

    n: int
    loss: Literal["martingale", "square td"] = "martingale"
    episodes: int = 10_000
    seed: Any = 0

    def __post_init__(self) -> None:
        check_counts("LeastSquaresLearner", self.n, self.episodes, least=2)
        if self.loss not in ("martingale", "square td"):
            raise InvalidArgument(
                f"LeastSquaresLearner: loss={self.loss!r}; give 'martingale' or 'square td'"
            )

    def run(self, family: Linear, /) -> LearnedValue:
        """The minimiser."""
        task = LinearCandidate.of(family)
        learner = _ready(self, task)
        dt = float(task.T) / self.n

        def parts(batch: LinearEpisodes) -> list[FloatVec]:
            if self.loss == "square td":
                flipped = batch.dpsi.transpose(0, 2, 1)
                return [flipped @ batch.dpsi, -(flipped @ batch.D[:, :, None])[:, :, 0]]
            ahead = np.cumsum(batch.D[:, ::-1], axis=1)[:, ::-1]
            flipped = batch.psi[:, :-1].transpose(0, 2, 1) * dt
            return [flipped @ batch.psi[:, :-1], (flipped @ ahead[:, :, None])[:, :, 0]]

        return _square(task, learner, parts, "LeastSquaresLearner")
