"""GLOW: optimism over value functions that no clipped density ratio can tell from Q*.

Round t keeps F^(t) = {f : Ê_h[Δ̂_h f·w̌ − α w̌²] ≤ β for every layer h and weight w}, w̌ = min{w, γ^(t)},
Δ̂_h f = f_h(s, a) − r − max f_{h+1}(s'), γ^(t) = γt, α = 8/γ^(t), β = 36γ^(t)/(K(t−1))·ln(6|F||W|TH/δ), plays
the greedy policy of the f in F^(t) with the largest f_1(s_1, π_f), and adds K trajectories to the data.

With a lazy grid g > 1 it is solved at t_1 = 1, t_{j+1} = max(t_j + 1, ⌊g t_j⌋) only, the same policy between:
thousands of times cheaper, but then the regret theorem is not implied.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatVec, IntVec, frozen, inside
from ..errors import InvalidArgument
from ..kernels.version_space import bellman_sums, version_space
from ..models.finite_horizon import FiniteHorizonMDP
from ..results.axes import axes
from ..seeds import generator
from .backward_induction import BackwardInduction, evaluate_horizon
from .coverability import coverability_coefficient
from .episode_counts import EpisodeCounts, check_rewards
from .function_classes import Classes, FunctionClasses, check_shape, first_best

Array = NDArray[Any]
NEAR = 1e-9


@dataclass(frozen=True, eq=False)
class GLOWRun:
    """What a run did, in blocks of rounds [rounds[j], rounds[j+1]) of one policy.

    Attributes
    ----------
    rounds
        (J+1,) first round of every block; the last entry is T + 1 (or where the run stopped).
    chosen
        (J,) index of f^(t).
    surviving
        (J,) |F^(t)|; one entry more, 0, if the run failed.
    kept
        (J, n) membership in F^(t); one row more if the run failed.
    gaps
        (n,) J(π*) − J(π_f) in the true model.
    optimal
        Index of Q* in F, or None.
    gamma, delta, log_term
        γ, δ and ln(6|F||W|TH/δ) used.
    lazy
        Factor of the grid; 1 for the plain algorithm.
    failed
        True if F^(t) became empty, which ends the run.
    """

    rounds: IntVec
    chosen: IntVec
    surviving: IntVec
    kept: NDArray[np.bool_]
    gaps: FloatVec
    optimal: int | None
    gamma: float
    delta: float
    log_term: float
    lazy: float
    failed: bool

    @property
    def T(self) -> int:
        """Rounds played."""
        return int(self.rounds[-1]) - 1

    @property
    def q_star_lost(self) -> int | None:
        """First round at which Q* is not in F^(t); None if it always is (or is not in F)."""
        if self.optimal is None:
            return None
        out = np.flatnonzero(~self.kept[:, self.optimal])
        return int(self.rounds[out[0]]) if out.size else None

    @property
    def curve(self) -> tuple[IntVec, FloatVec]:
        """Rounds t and Σ_{i≤t} J(π*) − J(π_i) at the end of every block, from (0, 0)."""
        lengths = np.diff(self.rounds)[: len(self.chosen)]
        steps = np.concatenate([[0.0], np.cumsum(self.gaps[self.chosen] * lengths)])
        return np.concatenate([[0], np.cumsum(lengths)]), steps

    @property
    def regret(self) -> float:
        """Σ_t J(π*) − J(π_t), a round counted once whatever K."""
        return float(self.curve[1][-1])

    @property
    def risk(self) -> float:
        """J(π*) − J of the uniform mixture of the policies played."""
        return self.regret / self.T

    @property
    def flat_from(self) -> int:
        """Last round with regret, plus one."""
        t, r = self.curve
        return int(t[np.argmax(r >= r[-1] - 1e-9 * max(1.0, r[-1]))]) + 1

    def __repr__(self) -> str:
        state = "failed: F^(t) is empty" if self.failed else f"|F^(t)| = {self.surviving[-1]}"
        return f"GLOWRun(T={self.T}, regret={self.regret:.6g}, {state}, Q* lost at {self.q_star_lost})"

    def plot(self, ax: Any = None) -> Any:
        """Regret against the round (left axis), |F^(t)| (right axis, dotted); a lazy grid says so."""
        ax = axes(ax)
        t, r = self.curve
        ax.plot(np.maximum(t, 1), r, color="C0")
        note = "" if self.lazy == 1 else f" (lazy grid {self.lazy:g})"
        ax.set(xscale="log", xlabel=f"round{note}", ylabel="regret")
        right = ax.twinx()
        starts = self.rounds[: len(self.surviving)]
        right.step(starts, self.surviving, where="post", color="C1", linestyle=":")
        right.set(ylabel="|F^(t)|", ylim=(0, self.surviving.max() + 1))
        return ax


@dataclass(frozen=True, eq=False)
class GLOW:
    """Optimistic exploration with clipped density ratios.

    Parameters
    ----------
    classes
        `FunctionClasses(F, W)` or `ModelClasses(models)`.
    T, K
        Rounds, and trajectories a round.
    gamma
        γ in (0, 1]; min(1, √(C_cov K/(Tℓ))) if not given, ℓ the logarithm of β and C_cov over all policies.
    delta
        δ in (0, 1).
    scale
        Multiplies α and β; below 1 the guarantee is given up.
    lazy
        Factor of the grid of rounds at which F^(t) is recomputed; 1 for every round.
    clip
        "growing": γ^(t) = γt, as published; a number: that level throughout; None: no clipping.
    penalty
        False: α = 0.
    known_start
        Average f_1(s_1, π_f) over the start law; False: over the starts seen.

    Returns from `run`
    ------------------
    `GLOWRun`.

    Raises
    ------
    InvalidArgument
        Parameters out of range; from `run`, classes of another shape than the model, rewards whose total can
        leave [0, 1], infinite weights without clipping.

    Complexity: O(|F||W|HSA) a solved round.

    Source: Amortila, Foster, Jiang, Sekhari, Xie (2024), Algorithm 1.

    Examples
    --------
    >>> from rltheory import gallery
    >>> from rltheory.solvers import ModelClasses
    >>> locks = gallery.noisy_locks(3)
    >>> GLOW(ModelClasses(locks), T=2000, scale=0.02, lazy=1.1).run(locks[5], 0).q_star_lost is None
    True
    """

    classes: Classes
    T: int
    K: int = 1
    gamma: float | None = None
    delta: float = 0.1
    scale: float = 1.0
    lazy: float = 1.0
    clip: Literal["growing"] | float | None = "growing"
    penalty: bool = True
    known_start: bool = True

    def __post_init__(self) -> None:
        check_rounds("GLOW", T=self.T, K=self.K)
        if not inside(self.delta, 0, 1):
            raise InvalidArgument(f"GLOW: delta={self.delta!r}, must lie in (0, 1)")
        if self.gamma is not None and not 0 < self.gamma <= 1:
            raise InvalidArgument(f"GLOW: gamma={self.gamma}, must lie in (0, 1]; leave it out to tune it")
        if not 0 <= self.scale < math.inf:
            raise InvalidArgument(f"GLOW: scale={self.scale}, must be ≥ 0; 1 is the published algorithm")
        if not 1 <= self.lazy < math.inf:
            raise InvalidArgument(f"GLOW: lazy={self.lazy}, must be ≥ 1 and finite; 1 solves every round")
        if not (self.clip is None or self.clip == "growing" or _positive(self.clip)):
            raise InvalidArgument(f"GLOW: clip={self.clip!r}; give 'growing', a level > 0, or None")

    def log_term(self, H: int) -> float:
        """ℓ = ln(6|F||W|TH/δ)."""
        return math.log(6 * self.T * H / self.delta) + self.classes.log_size

    def tuned_gamma(self, model: FiniteHorizonMDP) -> float:
        """γ, given or min(1, √(C_cov K/(Tℓ)))."""
        if self.gamma is not None:
            return self.gamma
        C = float(coverability_coefficient(model.float()).value)
        return min(1.0, math.sqrt(C * self.K / (self.T * self.log_term(model.H))))

    def run(self, model: FiniteHorizonMDP, seed: int | np.random.Generator = 0) -> GLOWRun:
        """Play T rounds in `model`; rewards are paid at their means."""
        return self.runs(model, [seed])[0]

    def runs(self, model: FiniteHorizonMDP, seeds: Iterable[int | np.random.Generator]) -> list[GLOWRun]:
        """One run a seed; what depends on the model alone is computed once."""
        check_shape(model, self.classes)
        check_rewards(model)
        F = np.ascontiguousarray(self.classes.F)
        known = (gaps(model, self.classes.policies), optimal_index(model, F), self.tuned_gamma(model))
        return [self._play(EpisodeCounts(model, generator(seed)), F, *known) for seed in seeds]

    def _play(
        self, data: EpisodeCounts, F: FloatVec, loss: FloatVec, optimal: int | None, gamma: float
    ) -> GLOWRun:
        policies, n, ell = self.classes.policies, F.shape[0], self.log_term(data.R.shape[0])
        first = np.take_along_axis(F[:, 0], policies[:, 0, :, None], axis=2)[:, :, 0]  # f_1(s, π_f)
        played, keep = np.zeros(n), np.ones(n, dtype=np.bool_)
        G, C = np.empty((n, *data.R.shape)), np.empty(data.R.shape)
        rounds, chosen, masks, failed = [1], [], [], False
        t = 1
        while t <= self.T:
            if t > 1:
                alpha, beta, level = self._levels(t, gamma, ell)
                bellman_sums(data.N, data.R, F, G, C)
                W = self.classes.weights(played)
                if math.isinf(level) and np.isinf(W).any():
                    raise InvalidArgument("GLOW: some weight is ∞, which clip=None cannot use; clip it")
                version_space(G, C, float(self.K * (t - 1)), W, level, alpha, beta, keep)
            masks.append(keep.copy())
            if not keep.any():
                failed = True
                break
            seen = data.mu if self.known_start or t == 1 else data.starts / data.starts.sum()
            f = first_best(first @ seen, keep)
            chosen.append(f)
            after = min(max(t + 1, math.floor(self.lazy * t)), self.T + 1)
            data.play(policies[f], self.K * (after - t))
            played[f] += after - t
            rounds.append(after)
            t = after
        return GLOWRun(
            frozen(np.array(rounds, dtype=np.int64)),
            frozen(np.array(chosen, dtype=np.int64)),
            frozen(np.array([m.sum() for m in masks], dtype=np.int64)),
            frozen(np.array(masks)),
            loss,
            optimal,
            gamma,
            self.delta,
            ell,
            self.lazy,
            failed,
        )

    def _levels(self, t: int, gamma: float, ell: float) -> tuple[float, float, float]:
        """(α, β, clipping level) of round t ≥ 2."""
        grown = gamma * t
        level = grown if self.clip == "growing" else math.inf if self.clip is None else float(self.clip)
        alpha = self.scale * 8 / grown if self.penalty else 0.0
        return alpha, self.scale * 36 * grown / (self.K * (t - 1)) * ell, level


def glow_regret_bound(
    T: int, H: int, cov: float, log_term: float, *, gamma: float, K: int = 1, known_start: bool = True
) -> float:
    """1 + H[(49/(3γ) + 1)·C_cov·(1 + ½ + … + 1/T) + 71γTℓ/K], plus 2√(8ℓT/K) if starts are estimated.

    An upper bound on the regret of plain GLOW (lazy = 1, scale = 1) with probability 1 − δ.

    Parameters
    ----------
    T, H, K
        Rounds, layers, trajectories a round.
    cov
        C_cov of the greedy policies of F.
    log_term
        ℓ = ln(6|F||W|TH/δ), W large enough to hold the ratios against the mixture of the rounds played.
    gamma
        γ in (0, 1].
    known_start
        As in `GLOW`.

    Raises
    ------
    InvalidArgument
        T, H or K that is no integer ≥ 1, γ outside (0, 1], C_cov or ℓ that is not positive.

    Source: Amortila, Foster, Jiang, Sekhari, Xie (2024), Theorem 3.1; the constants are derived here.

    Examples
    --------
    >>> round(glow_regret_bound(3000, 4, 2.8, 8340.4, gamma=1.0, K=10**8))
    1738
    """
    check_rounds("glow_regret_bound", T=T, H=H, K=K)
    if not 0 < gamma <= 1:
        raise InvalidArgument(f"glow_regret_bound: gamma={gamma}, must lie in (0, 1]")
    for name, value in (("cov", cov), ("log_term", log_term)):
        if not 0 < value < math.inf:
            raise InvalidArgument(f"glow_regret_bound: {name}={value}, must be positive and finite")
    harmonic = float(np.sum(1 / np.arange(1, T + 1))) if T < 10**6 else math.log(T) + np.euler_gamma + 0.5 / T
    starts = 0.0 if known_start else 2 * math.sqrt(8 * log_term * T / K)
    return 1 + starts + H * ((49 / (3 * gamma) + 1) * cov * harmonic + 71 * gamma * T * log_term / K)


def pairwise_glow(classes: FunctionClasses, T: int, cov: float, *, delta: float = 0.1) -> GLOW:
    """GLOW as published for pairwise realizability: W has d^π/d^π' only, ratios to mixtures are made of them.

    W̄ of `FunctionClasses.mixtures` in place of W, K = ⌈2T ln(6|F||W|HT/δ)⌉, γ = min(1, √(C_cov/T)).  W̄ is
    listed, which is possible for a few rounds and weights.

    Parameters
    ----------
    classes
        F and W, the ratios of all pairs of greedy policies among its members.
    T
        Rounds.
    cov
        C_cov.
    delta
        δ in (0, 1).

    Raises
    ------
    InvalidArgument
        T < 1, C_cov that is not positive, δ outside (0, 1), W̄ too large to list.

    Source: Amortila, Foster, Jiang, Sekhari, Xie (2024), Theorem 3.2.
    """
    check_rounds("pairwise_glow", T=T)
    if not 0 < cov < math.inf:
        raise InvalidArgument(f"pairwise_glow: cov={cov}, must be positive and finite")
    if not inside(delta, 0, 1):
        raise InvalidArgument(f"pairwise_glow: delta={delta!r}, must lie in (0, 1)")
    H = classes.F.shape[1] - 1
    K = math.ceil(2 * T * (math.log(6 * H * T / delta) + classes.log_size))
    return GLOW(classes.mixtures(T), T=T, K=K, gamma=min(1.0, math.sqrt(cov / T)), delta=delta)


def gaps(model: FiniteHorizonMDP, policies: IntVec) -> FloatVec:
    """(n,) J(π*) − J(π), computed in rationals and rounded once for exact models."""
    best = (model.mu * BackwardInduction().run(model).V[0]).sum()
    values = [(model.mu * evaluate_horizon(model, pi).V[0]).sum() for pi in policies]
    return frozen(np.array([float(best - v) for v in values]))


def optimal_index(model: FiniteHorizonMDP, F: FloatVec) -> int | None:
    """Index of Q* in F (within 1e-9), or None."""
    Q = np.asarray(BackwardInduction().run(model.float()).Q, dtype=np.float64)
    near = np.abs(F[:, :-1] - Q).reshape(F.shape[0], -1).max(axis=1) <= NEAR
    return int(np.argmax(near)) if near.any() else None


def check_rounds(who: str, **counts: object) -> None:
    """Refuse anything but integers ≥ 1."""
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InvalidArgument(f"{who}: {name}={value!r}, must be an integer ≥ 1")


def _positive(x: object) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and x > 0
