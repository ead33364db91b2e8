"""Low-rank Q learning from a generative model: sample a cross of Q, fill the rest, iterate.

Definitions.  A sweep samples the lookahead Q̂(s, a) = R(s, a) + γ/N Σ V(s') on the cross of anchor states
I and anchor actions J only, fills the other entries by the cross estimate (`operators.cross`), and sets
V(s) = max_a Q(s, a), clipped to [−V_max, V_max].

Schedule (Shah et al. 2020).  With θ = 2γ·c_me < 1, N_t = ⌈8θ^{−2(t−1)} ln(2|Ω|T/δ)⌉ samples an entry and
nets of radius β_t = V_max θ^t/(8L) in the continuous case, P(‖Q^(t) − Q*‖_∞ ≤ θ^t V_max for all t) ≥ 1 − δ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, IntVec, StateAction, frozen, inside
from ..errors import InvalidArgument, InvalidModel
from ..kernels.generative import lookahead
from ..models.mdp import MDP
from ..operators.cross import anchors_by_volume, cross_estimate, leverage_scores
from ..seeds import generator

Rng = np.random.Generator


@dataclass(frozen=True)
class LowRankSchedule:
    """θ, samples an entry, net radii and the guarantee of every sweep.

    Parameters
    ----------
    gamma
        Discount in (0, 1).
    c_me
        Amplification of the matrix estimate, ≥ 1: `CrossBound.c_me`.
    V_max
        Bound on |V*|, > 0.
    T
        Sweeps; `sweeps_for(eps)` gives the number for an accuracy.
    delta
        Failure probability, in (0, 1).
    L
        Lipschitz constant of Q* for nets; None for a finite model.

    Raises
    ------
    InvalidArgument
        For θ ≥ 1, with the largest admissible γ = 1/(2c_me); other values out of range.

    Source: Shah, Song, Xu and Yang 2020, Theorem 1 and its proof.
    """

    gamma: float
    c_me: float
    V_max: float
    T: int
    delta: float = 0.1
    L: float | None = None

    def __post_init__(self) -> None:
        rules = (
            ("gamma", self.gamma, 0 < self.gamma < 1, "0 < γ < 1"),
            ("c_me", self.c_me, self.c_me >= 1, "c_me ≥ 1"),
            ("V_max", self.V_max, 0 < self.V_max < math.inf, "0 < V_max < ∞"),
            ("T", self.T, self.T >= 1, "T ≥ 1"),
            ("delta", self.delta, inside(self.delta, 0, 1), "0 < δ < 1"),
            ("L", self.L, self.L is None or self.L > 0, "L > 0, or None for a finite model"),
        )
        for name, value, ok, rule in rules:
            if not ok:
                raise InvalidArgument(f"LowRankSchedule: {name}={value}, need {rule}")
        if self.theta >= 1:
            raise InvalidArgument(
                f"LowRankSchedule: θ = 2γ·c_me = {self.theta:.6g} ≥ 1, the theorem is silent; with "
                f"c_me={float(self.c_me):.6g} it needs gamma < {1 / (2 * float(self.c_me)):.6g}. "
                "LowRankQ(samples=N) runs without its guarantee"
            )

    @property
    def theta(self) -> float:
        """θ = 2γ·c_me."""
        return 2 * float(self.gamma) * float(self.c_me)

    @staticmethod
    def sweeps_for(eps: float, V_max: float, theta: float) -> int:
        """⌈ln(V_max/ε)/ln(1/θ)⌉."""
        return max(1, math.ceil(math.log(V_max / eps) / -math.log(theta)))

    def samples(self, t: int, entries: int) -> int:
        """N_t for a sweep that observes `entries` entries, t = 1..T."""
        return math.ceil(8 * self.theta ** (-2 * (t - 1)) * math.log(2 * entries * self.T / self.delta))

    def radius(self, t: int) -> float:
        """Net radius β_t of sweep t (continuous case)."""
        if self.L is None:
            raise InvalidArgument("LowRankSchedule.radius: L=None; a finite model needs no nets, else give L")
        return self.V_max / (8 * self.L) * self.theta**t

    def cells(self, t: int) -> int:
        """Cells an axis of the net of [0, 1], ⌈1/(2β_t)⌉."""
        return math.ceil(1 / (2 * self.radius(t)) - 1e-9)

    def bound(self, t: int) -> float:
        """θ^t V_max: the error after sweep t, with probability ≥ 1 − δ for all t together."""
        return self.theta**t * self.V_max

    def total(self, states: Callable[[int], int], actions: Callable[[int], int], k: int | None) -> int:
        """Samples of all sweeps: of a cross of k anchors, or of every entry (k None); an exact integer."""
        out = 0
        for t in range(1, self.T + 1):
            n, m = states(t), actions(t)
            entries = n * m if k is None else k * (n + m) - k * k
            out += entries * self.samples(t, entries)
        return out


class SweepRecord(NamedTuple):
    """What one sweep did: samples drawn in all, error (∞-norm) to a reference if one was given."""

    samples: int
    error: float | None


@dataclass(frozen=True)
class LowRankResult:
    """Estimate of Q* from samples; a Monte-Carlo quantity: its only bound is the schedule's.

    Attributes
    ----------
    Q
        (S, A) last estimate.
    V
        (S,) its maxima, clipped.
    bound
        θ^T V_max, valid with probability ≥ 1 − δ; None without a schedule.
    samples
        Next states drawn.
    history
        One record a sweep.
    rows, columns
        Anchor states and actions of the last sweep.
    """

    Q: StateAction
    V: FloatVec
    bound: float | None
    samples: int
    history: tuple[SweepRecord, ...]
    rows: IntVec
    columns: IntVec

    def __repr__(self) -> str:
        bound = "none" if self.bound is None else f"{self.bound:.3g}"
        return (
            f"LowRankResult(S={self.Q.shape[0]}, A={self.Q.shape[1]}, samples={self.samples}, bound={bound})"
        )


@dataclass(frozen=True)
class LowRankQ:
    """Low-rank Q iteration on a finite model used as a generator of next states.

    Parameters
    ----------
    rank
        Singular values kept of the intersection W.
    rows, columns
        Anchor states and actions: indices, or a number of them (states drawn once at random, actions
        equally spaced).  Default: `rank` of each.
    schedule
        Sample sizes and sweeps of the theorem; or
    samples, T
        a fixed number of next states an entry and of sweeps, without its guarantee.
    V_max
        Clip of V; max|R|/(1−γ) if not given (that of the schedule if there is one).
    full
        True: sample every entry and estimate nothing (the baseline without structure).
    redraw
        True: anchor states are drawn anew every sweep (`rows` a number).
    choose
        How every sweep after the first finds its anchors in the estimate so far: "random" keeps to `rows`,
        `columns` and `redraw`; "volume" takes `rank` rows and columns of large |det W|
        (`operators.anchors_by_volume`), or keeps the old ones while the estimate has a smaller rank;
        "leverage" draws the numbers `rows` and `columns` with the odds of `operators.leverage_scores`.
        A schedule's guarantee needs its c_me to hold for the anchors found.

    Raises
    ------
    InvalidArgument
        Sizes out of range; `redraw` or `choose` with given rows or columns; "volume" with more anchors than
        `rank`; neither or both of `schedule` and `samples`.

    Notes
    -----
    `run(mdp, seed)`; the same seed gives the same run.  Complexity: k(S + A)·N draws (at most 64 of them
    walked one by one, then split binomially) and O(kSA) a sweep.

    Source: Shah, Song, Xu and Yang 2020, Algorithm 1.
    """

    rank: int
    rows: int | ArrayLike | None = None
    columns: int | ArrayLike | None = None
    schedule: LowRankSchedule | None = None
    samples: int | None = None
    T: int = 40
    V_max: float | None = None
    full: bool = False
    redraw: bool = False
    choose: Literal["random", "volume", "leverage"] = "random"

    def __post_init__(self) -> None:
        if self.choose not in ("random", "volume", "leverage"):
            raise InvalidArgument(
                f"LowRankQ: choose={self.choose!r}, must be 'random', 'volume' or 'leverage'"
            )
        given = [
            n for n in ("rows", "columns") if not isinstance(getattr(self, n), (int, np.integer, type(None)))
        ]
        if self.redraw and "rows" in given:
            raise InvalidArgument("LowRankQ: redraw=True with given rows; give their number instead")
        if self.choose != "random" and given:
            raise InvalidArgument(
                f"LowRankQ: choose={self.choose!r} with given {given[0]}; give their number instead"
            )
        if self.choose == "volume" and not {self.rows, self.columns} <= {None, self.rank}:
            raise InvalidArgument(
                f"LowRankQ: rows={self.rows}, columns={self.columns} with choose='volume', which takes "
                f"exactly rank={self.rank} of each; leave them out, or choose='leverage'"
            )
        if (self.schedule is None) == (self.samples is None):
            raise InvalidArgument(
                "LowRankQ: give either schedule= (with its guarantee) or samples= (a number)"
            )
        if self.rank < 1 or self.T < 1 or (self.samples is not None and self.samples < 1):
            raise InvalidArgument(
                f"LowRankQ: rank={self.rank}, T={self.T}, samples={self.samples}; each must be at least 1"
            )

    def run(
        self,
        mdp: MDP,
        seed: int | Rng = 0,
        *,
        V0: ArrayLike | None = None,
        reference: ArrayLike | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> LowRankResult:
        """Iterate; `reference` (Q*) fills the errors in `history`, `progress(t, T)` is called each sweep.

        Raises
        ------
        InvalidModel
            Action sets that differ by state, or an exact model (sampling is in doubles).
        InvalidArgument
            Anchors whose intersection is singular (the sweep is named).
        """
        if mdp.is_exact or not mdp.is_uniform:
            raise InvalidModel("LowRankQ: needs a model in doubles with every action in every state")
        rng = generator(seed)
        S, A = mdp.S, mdp.A
        rows, columns = self._anchors(mdp, rng)
        entries = np.ones((S, A), dtype=np.bool_) if self.full else _cross(S, A, rows, columns)
        pairs = frozen(np.flatnonzero(entries))
        plan = self.schedule
        T = self.T if plan is None else plan.T
        top = self.V_max or (
            plan.V_max if plan else float(np.abs(mdp.R_pairs).max()) / (1 - float(mdp.gamma))
        )
        V = np.zeros(S) if V0 is None else np.array(V0, dtype=np.float64)
        truth = None if reference is None else np.asarray(reference, dtype=np.float64)
        data, indices, indptr = mdp.csr
        observed, Q = np.empty(pairs.size), np.zeros((S, A))
        history, drawn = [], 0
        for t in range(1, T + 1):
            if (self.redraw or self.choose != "random") and t > 1 and not self.full:
                rows, columns = self._again(mdp, rng, Q, rows, columns)
                entries = _cross(S, A, rows, columns)
                pairs = frozen(np.flatnonzero(entries))
            N = plan.samples(t, pairs.size) if plan else int(self.samples or 1)
            lookahead(data, indices, indptr, mdp.R_pairs, float(mdp.gamma), V, pairs, N, rng, observed)
            Q[entries] = observed
            if not self.full:
                try:
                    Q = cross_estimate(
                        Q[:, columns], Q[rows], rows, columns, rank=self.rank, strict=plan is not None
                    )
                except InvalidArgument as exc:
                    raise InvalidArgument(f"LowRankQ, sweep {t}: {exc}") from None
            V = np.clip(Q.max(axis=1), -top, top)
            drawn += N * pairs.size
            history.append(SweepRecord(drawn, None if truth is None else float(np.abs(Q - truth).max())))
            if progress is not None:
                progress(t, T)
        bound = None if plan is None else plan.bound(T)
        return LowRankResult(frozen(Q), frozen(V), bound, drawn, tuple(history), rows, columns)

    def _anchors(self, mdp: MDP, rng: Rng) -> tuple[IntVec, IntVec]:
        rows = self.rank if self.rows is None else self.rows
        columns = self.rank if self.columns is None else self.columns
        if isinstance(rows, (int, np.integer)):
            rows = rng.choice(mdp.S, int(rows), replace=False)
        if isinstance(columns, (int, np.integer)):
            columns = np.round(np.linspace(0, mdp.A - 1, int(columns))).astype(np.int64)
        return np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)

    def _again(
        self, mdp: MDP, rng: Rng, Q: StateAction, rows: IntVec, columns: IntVec
    ) -> tuple[IntVec, IntVec]:
        """The next sweep's anchors, from the estimate Q of the sweep before."""
        if self.choose == "random":
            return self._anchors(mdp, rng)[0], columns
        if self.choose == "volume":
            try:
                return anchors_by_volume(Q, self.rank)
            except InvalidArgument:  # the estimate has a smaller rank as yet: anchors stay
                return rows, columns
        numbers = [self.rank if k is None else int(k) for k in (self.rows, self.columns)]  # type: ignore[arg-type]
        odds = [(p + 1e-9) / (p + 1e-9).sum() for p in leverage_scores(Q, self.rank)]
        drawn = [
            np.sort(rng.choice(p.size, k, replace=False, p=p)) for p, k in zip(odds, numbers, strict=True)
        ]
        return drawn[0], drawn[1]


def _cross(S: int, A: int, rows: IntVec, columns: IntVec) -> NDArray[np.bool_]:
    """(S, A) mask of the anchor rows and columns."""
    out = np.zeros((S, A), dtype=np.bool_)
    out[rows], out[:, columns] = True, True
    return out


def noise_free_sweep(mdp: MDP, V: ArrayLike, rows: ArrayLike, columns: ArrayLike) -> NDArray[Any]:
    """(S, A) cross estimate from exact lookaheads R + γPV on the cross, in either number system."""
    from ..operators.bellman import q_values

    Q = q_values(mdp, V)
    I, J = np.asarray(rows), np.asarray(columns)
    return cross_estimate(Q[:, J], Q[I], I, J)
