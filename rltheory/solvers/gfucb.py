"""GFUCB: optimism in one confidence set over a shared representation and the heads of all tasks.

Round t takes B_t = min_φ Σ_i(ρ_{φ,i} + σ²ld_{φ,i}) + 2σ²ln(|Φ|/δ) and plays, over all (φ, w_1..w_M) whose
joint loss is at most B_t, the actions of largest total value; see `joint_confidence` in `shared_heads`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatVec, frozen
from ..errors import InvalidArgument
from ..kernels.multitask import play
from ..models.multitask import MultitaskBandit
from ..results.axes import axes
from .shared_heads import check_parameters

Search = Literal["auto", "enumerate", "sweep"]
MOST_TUPLES = 1000
"""search="auto" enumerates no more tuples than this."""
MOST_ENUMERATED = 10**6
"""search="enumerate" refuses more."""


@dataclass(frozen=True, eq=False)
class MultitaskRun:
    """T rounds of M tasks.

    Attributes
    ----------
    regret
        (T,) Σ_i max f*_i − f*_i of every round.
    actions
        (T, M) actions taken.
    chosen
        (T, G) representation of every learner (one for all tasks, or one a task).
    value, best, radius, loss, width
        (T, G) optimistic value, Σ max f*, B_t, the loss of the truth and r√Σu² at what was played.
    """

    regret: FloatVec
    actions: NDArray[np.int64]
    chosen: NDArray[np.int64]
    value: FloatVec
    best: FloatVec
    radius: FloatVec
    loss: FloatVec
    width: FloatVec

    @property
    def total(self) -> FloatVec:
        """(T,) cumulative regret of all tasks."""
        return np.asarray(np.cumsum(self.regret))

    @property
    def covered(self) -> bool:
        """The truth was in every confidence set."""
        return bool((self.loss <= self.radius).all())

    @property
    def optimistic(self) -> bool:
        """Every choice was worth at least the best actions, up to 1e-9."""
        return bool((self.value >= self.best - 1e-9).all())

    def __repr__(self) -> str:
        T, M = self.actions.shape
        return f"MultitaskRun(T={T}, M={M}, regret={self.total[-1]:.6g}, covered={self.covered})"

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Regret per task against the round."""
        ax = axes(ax)
        T, M = self.actions.shape
        ax.plot(np.arange(1, T + 1), self.total / M, **style)
        ax.set(xlabel="round", ylabel="regret per task")
        return ax


@dataclass(frozen=True)
class GFUCB:
    """Optimism over a finite class of representations shared by M tasks.

    Parameters
    ----------
    T
        Rounds.
    learners
        "joint": one confidence set; "independent": one learner a task at confidence δ/M; "oracle": φ_* known.
    delta, lam
        δ in (0, 1), ridge λ > 0.
    sigma
        Noise the learner assumes; the bandit's if not given.
    scale, log_weight, logdet_weight
        Multiply B − min Σρ, the logarithm and the log determinants in B: 1 has the guarantee, less has not.
    search
        "enumerate" all A^M tuples, "sweep" for local optima, "auto": enumerate up to 1000.

    Returns from `run`
    ------------------
    `MultitaskRun`.

    Raises
    ------
    InvalidArgument
        A parameter out of range; from `run`, more than 10⁶ tuples to enumerate.

    Complexity: O(|Φ|(M(k³ + Ak²) + A^M)) a round when enumerating.

    Source: Lu, Zhao, Du, Huang (2022); the set for finite classes and its constants derived here.

    Examples
    --------
    >>> GFUCB(T=20).run(MultitaskBandit.random(0, p=4, M=2), 0).covered
    True
    """

    T: int
    learners: Literal["joint", "independent", "oracle"] = "joint"
    delta: float = 0.1
    lam: float = 1.0
    sigma: float | None = None
    scale: float = 1.0
    log_weight: float = 1.0
    logdet_weight: float = 1.0
    search: Search = "auto"

    def __post_init__(self) -> None:
        if isinstance(self.T, bool) or not isinstance(self.T, (int, np.integer)) or self.T < 1:
            raise InvalidArgument(f"GFUCB: T={self.T!r}, must be an integer ≥ 1")
        if self.learners not in ("joint", "independent", "oracle"):
            raise InvalidArgument(
                f"GFUCB: learners={self.learners!r}; choose 'joint', 'independent' or 'oracle'"
            )
        if self.search not in ("auto", "enumerate", "sweep"):
            raise InvalidArgument(f"GFUCB: search={self.search!r}; choose 'auto', 'enumerate' or 'sweep'")
        sigma = 1.0 if self.sigma is None else self.sigma
        factors = ("scale", "log_weight", "logdet_weight")
        check_parameters(
            "GFUCB",
            delta=self.delta,
            positive={"lam": self.lam, "sigma": sigma},
            factors={name: getattr(self, name) for name in factors},
        )

    def run(self, model: MultitaskBandit, seed: int | np.random.Generator = 0) -> MultitaskRun:
        """Play T rounds of `model`."""
        phi, means, true = model.features, model.means, model.true
        tuples = phi.shape[2] ** (1 if self.learners == "independent" else model.M)
        if self.search == "enumerate" and tuples > MOST_ENUMERATED:
            raise InvalidArgument(
                f"GFUCB: {phi.shape[2]}^{model.M} = {tuples} action tuples to enumerate, at most "
                f"{MOST_ENUMERATED}; use search='sweep'"
            )
        if self.learners == "oracle":
            phi, true = phi[true : true + 1], 0
        contexts, noise = model.stream(self.T, seed)
        M = model.M
        groups = [[i] for i in range(M)] if self.learners == "independent" else [list(range(M))]
        sigma = model.sigma if self.sigma is None else self.sigma
        log_term = self.log_weight * 2 * sigma**2 * math.log(phi.shape[0] * len(groups) / self.delta)
        actions, chosen = (
            np.empty((self.T, M), dtype=np.int64),
            np.empty((self.T, len(groups)), dtype=np.int64),
        )
        trace = np.empty((len(groups), self.T, 6))
        for g, tasks in enumerate(groups):
            sweep = self.search == "sweep" or (
                self.search == "auto" and phi.shape[2] ** len(tasks) > MOST_TUPLES
            )
            acts = np.empty((self.T, len(tasks)), dtype=np.int64)
            picks = np.empty(self.T, dtype=np.int64)
            play(
                np.ascontiguousarray(phi), np.ascontiguousarray(means[tasks]), true,
                np.ascontiguousarray(contexts[:, tasks]), np.ascontiguousarray(noise[:, tasks]),
                float(self.lam), float(sigma) ** 2, float(model.B_theta) ** 2, log_term,
                float(self.logdet_weight),
                float(self.scale), sweep, acts, picks, trace[g],
            )  # fmt: skip
            actions[:, tasks], chosen[:, g] = acts, picks
        parts = [frozen(np.ascontiguousarray(trace[:, :, c].T)) for c in range(6)]
        return MultitaskRun(frozen(parts[0].sum(axis=1)), frozen(actions), frozen(chosen), *parts[1:])


def known_representation_bound(
    T: int, M: int, k: int, *, sigma: float, delta: float, lam: float = 1.0, logdet: float | None = None
) -> float:
    """2√(σ²LD + 2σ²ln(1/δ) + λM)·√(T·LD/ln 2): regret of GFUCB with |Φ| = 1, with probability 1 − δ.

    Parameters
    ----------
    T, M, k
        Rounds, tasks, dimension.
    sigma, delta, lam
        As in the run; λ ≥ 1, ‖φ‖ ≤ 1, B_θ = 1.
    logdet
        LD = Σ_i ld_{T,i}, at most Mk ln(1 + T/(kλ)), which is used if it is not given.

    Raises
    ------
    InvalidArgument
        λ < 1, δ outside (0, 1), σ or a size that is not positive, LD < 0.
    """
    check_parameters(
        "known_representation_bound",
        delta=delta,
        positive={"T": T, "M": M, "k": k, "sigma": sigma, "lam": lam},
        factors={"logdet": 0 if logdet is None else logdet},
    )
    if not lam >= 1:
        raise InvalidArgument(f"known_representation_bound: lam={lam}, the bound needs λ ≥ 1")
    LD = M * k * math.log1p(T / (k * lam)) if logdet is None else logdet
    r = math.sqrt(sigma**2 * LD + 2 * sigma**2 * math.log(1 / delta) + lam * M)
    return 2 * r * math.sqrt(T * LD / math.log(2))
