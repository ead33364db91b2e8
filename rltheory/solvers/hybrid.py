"""H2O: an offline learner with clipped concentrability, run online on mixed data; HyGLOW is its MABO.CR.

Round t ≥ 2 hands n = 2(t−1) tuples a layer, half from the offline law ν and half from the rounds played, to
an offline learner and plays what it returns once; round 1 plays policy 0.  No optimism, no pessimism.

    MABO.CR   f̂ = argmin_f max_{w∈W̄} Σ_h (|Ê[w̌_h Δ̂_h f]| − (8/γ^(n))Ê[w̌_h²]), w̌ = min{w, γn}
    FQI       f̂_h = argmin over F_h of Ê[(f_h − r − max f̂_{h+1})²], backwards from the last layer
    MLE       the model whose likelihood of the data is largest, rewards included
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, IntVec, float_array, frozen, inside
from ..errors import InvalidArgument
from ..kernels.version_space import bellman_sums, minimax_losses, squared_losses
from ..models.finite_horizon import FiniteHorizonMDP
from ..operators.coverage import density_ratio, horizon_occupancy
from ..results.axes import axes
from ..seeds import generator
from .coverability import coverability_coefficient
from .episode_counts import EpisodeCounts, check_rewards
from .function_classes import Classes, ModelClasses, check_shape, first_best, greedy_actions
from .glow import check_rounds, gaps


class OfflineLearner(Protocol):
    """Anything that turns counts into a policy."""

    def fit(self, N: FloatVec, R: FloatVec, n: int, played: FloatVec, offline: FloatVec | None) -> IntVec:
        """(H, S) actions from counts N (H, S, A, S), rewards R (H, S, A) and n tuples a layer.

        `played` counts the rounds of every policy of the classes, `offline` are shares of an offline law.
        """
        ...


@dataclass(frozen=True, eq=False)
class MABO:
    """MABO.CR: minimax estimation of Q* with clipped and penalised density ratios.

    Parameters
    ----------
    classes
        `FunctionClasses` or `ModelClasses`.
    gamma
        γ in (0, 1]; the level is γn and the penalty 8/(γn).
    scale
        Multiplies the penalty.
    single
        Weights of one layer only compete too, as published; the guarantee needs the full ones.

    Raises
    ------
    InvalidArgument
        γ outside (0, 1], scale < 0.

    Complexity: O(|F||W|HSA).

    Source: Amortila, Foster, Jiang, Sekhari, Xie (2024), Algorithm of Section 4.
    """

    classes: Classes
    gamma: float
    scale: float = 1.0
    single: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.gamma <= 1:
            raise InvalidArgument(f"MABO: gamma={self.gamma}, must lie in (0, 1]")
        if not 0 <= self.scale < math.inf:
            raise InvalidArgument(f"MABO: scale={self.scale}, must be ≥ 0; 1 is the published penalty")

    def losses(self, N: FloatVec, R: FloatVec, n: int, W: FloatVec) -> FloatVec:
        """(|F|,) the inner maxima, from n ≥ 1 tuples a layer."""
        check_rounds("MABO", n=n)
        F = np.ascontiguousarray(self.classes.F)
        G, C, out = np.empty((F.shape[0], *R.shape)), np.empty(R.shape), np.empty(F.shape[0])
        bellman_sums(N, R, F, G, C)
        level = self.gamma * n
        minimax_losses(G, C, float(n), W, level, self.scale * 8 / level, self.single, out)
        return out

    def fit(self, N: FloatVec, R: FloatVec, n: int, played: FloatVec, offline: FloatVec | None) -> IntVec:
        """Greedy policy of the lowest minimiser within 1e-12."""
        loss = self.losses(N, R, n, self.classes.weights(played, offline))
        out: IntVec = self.classes.policies[first_best(-loss)]
        return out


@dataclass(frozen=True, eq=False)
class FQI:
    """Fitted Q iteration over the layers of a finite class: least squares, backwards.

    Parameters
    ----------
    classes
        Layer h of f̂ is taken from layer h of some function of the class (ties: the lowest index); data that
        miss a layer's Bellman update cannot be fitted unless the class is complete.

    Source: Ernst, Geurts, Wehenkel (2005); with hybrid data, Song and others (2023).
    """

    classes: Classes

    def fit(self, N: FloatVec, R: FloatVec, n: int, played: FloatVec, offline: FloatVec | None) -> IntVec:
        """Greedy policy of f̂."""
        F = np.ascontiguousarray(self.classes.F)
        H = R.shape[0]
        Q = np.zeros(F.shape[1:])
        loss = np.empty(F.shape[0])
        for h in reversed(range(H)):
            squared_losses(N, R, F, Q[h + 1].max(axis=1), h, loss)
            Q[h] = F[first_best(-loss / max(n, 1)), h]
        return greedy_actions(Q)


@dataclass(frozen=True, eq=False)
class MLE:
    """Maximum likelihood over a finite list of models, then the greedy policy of the one found.

    Parameters
    ----------
    classes
        `ModelClasses`.  Rewards are functions of the pair: a model that pays otherwise where data are has
        likelihood 0.
    """

    classes: ModelClasses

    def fit(self, N: FloatVec, R: FloatVec, n: int, played: FloatVec, offline: FloatVec | None) -> IntVec:
        """Greedy policy of the lowest maximiser within 1e-12 relative."""
        score = np.empty(len(self.classes.models))
        seen = N.sum(axis=3) > 0
        for i, m in enumerate(self.classes.models):
            with np.errstate(divide="ignore"):
                logs = np.log(np.array(m.P, dtype=np.float64))
            pays = np.abs(np.array(m.R, dtype=np.float64) - R)[seen]
            right = pays.size == 0 or pays.max() <= 1e-12
            inner = N[:-1] > 0  # the last transition tells nothing of value
            score[i] = float((N[:-1][inner] * logs[:-1][inner]).sum()) if right else -math.inf
        if not np.isfinite(score.max()):
            raise InvalidArgument("MLE: every model gives the data likelihood 0; add the true one")
        out: IntVec = self.classes.policies[first_best(score / max(n, 1))]
        return out


@dataclass(frozen=True, eq=False)
class HybridRun:
    """What H2O did.

    Attributes
    ----------
    policies
        (T, H, S) policies played.
    gaps
        (T,) J(π*) − J(π_t).
    """

    policies: IntVec
    gaps: FloatVec

    @property
    def regret(self) -> FloatVec:
        """(T,) Σ_{i≤t} J(π*) − J(π_i)."""
        return np.asarray(np.cumsum(self.gaps))

    @property
    def risk(self) -> float:
        """J(π*) − J of the uniform mixture of the rounds."""
        return float(self.gaps.mean())

    def __repr__(self) -> str:
        return f"HybridRun(T={self.gaps.size}, regret={self.regret[-1]:.6g}, risk={self.risk:.3g})"

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Regret against the round."""
        ax = axes(ax)
        ax.plot(np.arange(1, self.gaps.size + 1), self.regret, **style)
        ax.set(xlabel="round", ylabel="regret")
        return ax


@dataclass(frozen=True, eq=False)
class H2O:
    """Hybrid learning from an offline learner, without optimism.

    Parameters
    ----------
    base
        `MABO`, `FQI`, `MLE`, or any object with their `fit`.
    offline
        (|Π|,) shares of an offline mixture of the policies of `base.classes`, or (H, S, A) laws ν_h.
    T
        Rounds; one trajectory each, and T offline tuples a layer.

    Returns from `run`
    ------------------
    `HybridRun`.

    Raises
    ------
    InvalidArgument
        T < 1; an offline law that is none; from `run`, as `GLOW`.

    Source: Amortila, Foster, Jiang, Sekhari, Xie (2024), Algorithm 2.

    Examples
    --------
    >>> from rltheory import gallery
    >>> from rltheory.solvers import ModelClasses
    >>> classes = ModelClasses(gallery.noisy_locks(3))
    >>> bool(H2O(MLE(classes), [1 / 8] * 8, T=50).run(gallery.noisy_lock((1, 0, 1)), 0).risk < 0.2)
    True
    """

    base: Any
    offline: ArrayLike
    T: int

    def __post_init__(self) -> None:
        check_rounds("H2O", T=self.T)
        law = float_array(np.asarray(self.offline))
        whole = law.sum(axis=(1, 2)) if law.ndim == 3 else law.sum()
        if law.ndim not in (1, 3) or not (law >= 0).all() or np.abs(whole - 1).max() > 1e-9:
            raise InvalidArgument(
                f"H2O: offline has shape {law.shape} and sums to {np.asarray(whole).tolist()}; give "
                "(|Π|,) shares or (H, S, A) laws that sum to 1"
            )

    def run(self, model: FiniteHorizonMDP, seed: int | np.random.Generator = 0) -> HybridRun:
        """T rounds in `model`; rewards are paid at their means."""
        classes: Classes = self.base.classes
        check_shape(model, classes)
        check_rewards(model)
        policies = classes.policies
        law = float_array(np.asarray(self.offline))
        shares = law if law.ndim == 1 else None
        nu = law if law.ndim == 3 else _mixture(model, policies, law)
        if nu.shape != (model.H, model.S, model.A):
            raise InvalidArgument(f"H2O: offline has shape {nu.shape}, the model needs {model.R.shape}")
        if shares is None and isinstance(classes, ModelClasses) and isinstance(self.base, MABO):
            raise InvalidArgument("H2O: weights of models need offline as (|Π|,) shares of policies")
        rng = generator(seed)
        data = EpisodeCounts(model, rng)
        tuples = data.tuples(nu, self.T)
        played, out = np.zeros(len(policies)), []
        index = {pi.tobytes(): i for i, pi in reversed(list(enumerate(policies)))}
        for t in range(1, self.T + 1):
            pi = policies[0]
            if t > 1:
                pi = np.ascontiguousarray(self.base.fit(data.N, data.R, 2 * (t - 1), played, shares))
            out.append(pi)
            data.play(pi, 1)
            data.add(tuples[t - 1])
            if pi.tobytes() in index:
                played[index[pi.tobytes()]] += 1
            elif isinstance(self.base, MABO):
                raise InvalidArgument("H2O: the learner returned a policy outside its class")
        chosen = np.array(out)
        different, back = np.unique(chosen, axis=0, return_inverse=True)
        return HybridRun(frozen(chosen), frozen(gaps(model, different)[back.reshape(-1)]))


def _mixture(model: FiniteHorizonMDP, policies: NDArray[Any], shares: FloatVec) -> FloatVec:
    if shares.size != len(policies):
        raise InvalidArgument(f"H2O: offline has {shares.size} shares for {len(policies)} policies")
    rows = np.array([horizon_occupancy(model.float(), pi) for pi in policies], dtype=np.float64)
    return np.asarray(np.tensordot(shares, rows, axes=(0, 0)))


def hyglow(
    model: FiniteHorizonMDP, classes: ModelClasses, offline: Sequence[float] | FloatVec, T: int, *,
    gamma: float | None = None, delta: float = 0.1, scale: float = 1.0,
) -> H2O:  # fmt: skip
    """HyGLOW tuned for `model`: H2O with MABO.CR at γ = min(1, √((C_⋆ + C_cov)/(T ln(24|F||W|H²/δ)))).

    Parameters
    ----------
    model
        The true model, read only for C_⋆ = max_h ‖d_h^{π*}/ν_h‖_∞ and C_cov over all policies.
    classes, offline, T
        As `H2O`.
    gamma
        Overrides the tuning; needed when C_⋆ = ∞.
    delta, scale
        δ, and the factor of the penalty.

    Raises
    ------
    InvalidArgument
        C_⋆ = ∞ (the offline law misses what π* visits) and no `gamma`; δ outside (0, 1); as `H2O`.

    Source: Amortila, Foster, Jiang, Sekhari, Xie (2024), Corollary 4.1.
    """
    check_rounds("hyglow", T=T)
    if not inside(delta, 0, 1):
        raise InvalidArgument(f"hyglow: delta={delta!r}, must lie in (0, 1)")
    if gamma is None:
        size = math.log(24 * model.H**2 / delta) + classes.log_size
        cover = optimal_concentrability(model, classes, offline) + float(
            coverability_coefficient(model.float()).value
        )
        if not math.isfinite(cover):
            raise InvalidArgument("hyglow: C_⋆ = ∞, the offline law misses the optimal policy; give gamma")
        gamma = min(1.0, math.sqrt(cover / (T * size)))
    return H2O(MABO(classes, gamma, scale), np.asarray(offline, dtype=np.float64), T)


def optimal_concentrability(
    model: FiniteHorizonMDP, classes: Classes, offline: Sequence[float] | FloatVec
) -> float:
    """C_⋆ = max_h ‖d_h^{π*}/ν_h‖_∞ for ν = Σ_i offline_i d^{π_i}; π* the lowest optimal one.

    Raises
    ------
    InvalidArgument
        No policy of the classes is optimal; shares of another number, negative, or not of sum 1.
    """
    shares = float_array(np.asarray(offline))
    if not (shares >= 0).all() or abs(float(shares.sum()) - 1) > 1e-9:
        raise InvalidArgument(f"offline: shares sum to {float(shares.sum()):.6g}; give shares ≥ 0 of sum 1")
    nu = _mixture(model, classes.policies, shares)
    loss = gaps(model, classes.policies)
    if loss.min() > 1e-12:
        raise InvalidArgument(
            f"C_⋆: the best policy of the classes loses {loss.min():.3g}, none is optimal; add π*"
        )
    best = classes.policies[int(np.argmax(loss <= 1e-12))]
    return float(density_ratio(horizon_occupancy(model.float(), best), nu).max())
