"""Thousands of small models in one call: what a search over instances spends its time on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import BoolVec, FloatVec, IntVec, doubles, float_array, frozen, plain_array
from ..errors import InvalidArgument, InvalidModel, NotConverged
from ..kernels import batched
from ..kernels.pick import Device, check_device
from ..models.validate import ROW_TOL
from ..results.enclosure import Enclosure
from ._device import batch_start, on_card, on_host
from .base import TOL, check_tol


@dataclass(frozen=True, repr=False, eq=False)
class BatchSolution:
    """V* (or V^π) of B models with lower ≤ V ≤ upper, rigorous for the stored doubles.

    Attributes
    ----------
    V, lower, upper
        (B, S) values and bounds, discounted.
    pi
        (B, S) greedy actions, or the policies evaluated.
    tol
        Accuracy asked for, relative to max(1, ‖V‖) of each model.
    """

    V: FloatVec
    lower: FloatVec
    upper: FloatVec
    pi: IntVec | FloatVec
    tol: float

    @property
    def error(self) -> FloatVec:
        """(B,) bounds on ‖V − V*‖ of each model, rounded up; infinite where V is not finite."""
        with np.errstate(invalid="ignore"):
            gap = np.maximum(self.upper - self.V, self.V - self.lower).max(axis=1)
        gap = np.where(np.isnan(gap), np.inf, gap)
        return np.asarray(np.where(gap > 0, np.nextafter(gap, np.inf), gap))

    @property
    def solved(self) -> BoolVec:
        """(B,) True where the accuracy asked for was certified (never for NaN)."""
        error = self.error
        near = error <= self.tol * np.maximum(1.0, np.abs(self.V).max(axis=1))
        return np.asarray(near & np.isfinite(error))

    def value(self, b: int, s: int) -> Enclosure:
        """Enclosure of the value of state s in model b."""
        return Enclosure(float(self.lower[b, s]), float(self.upper[b, s]))

    def raise_if_failed(self) -> BatchSolution:
        """`self`, or `NotConverged` naming the first model that was not certified."""
        if not self.solved.all():
            b = int(np.argmin(self.solved))
            raise NotConverged(
                f"solve_batch: model {b} has error ≤ {self.error[b]:.3g} "
                f"({int((~self.solved).sum())} of {len(self.V)} not certified to tol={self.tol}); "
                "solve it alone with mdp.exact(), or raise tol"
            )
        return self

    def __repr__(self) -> str:
        B, S = self.V.shape
        return f"BatchSolution(B={B}, S={S}, solved={int(self.solved.sum())}, error={self.error.max():.2g})"


def solve_batch(
    P: ArrayLike,
    R: ArrayLike,
    gamma: float | Sequence[float] | FloatVec,
    tol: float = TOL,
    *,
    device: Device = "cpu",
) -> BatchSolution:
    """V* of B models of one shape, in one compiled call.

    Parameters
    ----------
    P
        (B, S, A, S) transition probabilities.
    R
        (B, S, A) rewards per step.
    gamma
        Discount in [0, 1), one or (B,).
    tol
        Error asked for, relative to max(1, ‖V‖).
    device
        "cuda", or P on a card (CuPy and the like): sweeps run there; the CPU checks each result by a sweep
        of its own, goes on where the card fell short, and computes the bounds.

    Returns
    -------
    BatchSolution
        With rigorous bounds per model; `solved` says which met `tol`, `raise_if_failed()` insists.

    Raises
    ------
    InvalidModel
        Naming the first offending model, state and action.
    MissingBackend
        If the card or its packages are missing.

    Complexity: per model a few sweeps of S²A, or policy iteration with S³/3 an iteration.

    Examples
    --------
    >>> solve_batch([[[[1.0]]]], [[[1.0]]], gamma=0.5).V
    array([[2.]])
    """
    check_tol(tol)
    check_device(device)
    card, there = (P, R), device != "cpu" or on_card(P)
    P, R, g = checked_batch(on_host(P), on_host(R), gamma)
    B, S, _ = R.shape
    V = batch_start(P, R, g, tol, card) if there else np.zeros((B, S))
    pi = np.zeros((B, S), dtype=np.int64)
    lower, upper = np.empty((B, S)), np.empty((B, S))
    batched.solve_models(P.reshape(B, -1, S), R.reshape(B, -1), g, tol, V, pi, lower, upper)
    return BatchSolution(frozen(V), frozen(lower), frozen(upper), frozen(pi), tol)


def evaluate_batch(
    P: ArrayLike,
    R: ArrayLike,
    gamma: float | Sequence[float] | FloatVec,
    pi: ArrayLike,
    tol: float = TOL,
) -> BatchSolution:
    """V^π of B models of one shape; pi is (B, S) action ids or (B, S, A) rows.  Otherwise `solve_batch`.

    Raises
    ------
    InvalidModel, InvalidArgument
        For a bad model; for a policy of the wrong shape, off the simplex or with unknown actions.
    """
    check_tol(tol)
    P, R, g = checked_batch(P, R, gamma)
    B, S, A = R.shape
    arr = np.asarray(pi)
    table = _policy_table(arr, B, S, A)
    V, lower, upper = np.zeros((B, S)), np.empty((B, S)), np.empty((B, S))
    batched.evaluate_models(P, R, g, table, V, lower, upper)
    return BatchSolution(frozen(V), frozen(lower), frozen(upper), frozen(arr.copy()), tol)


def occupancy_batch(
    P: ArrayLike,
    gamma: float | Sequence[float] | FloatVec,
    pi: ArrayLike,
    mu: ArrayLike | None = None,
    *,
    normalised: bool = True,
) -> FloatVec:
    """d(t) = (1−γ) Σ_n γ^n Pr_μ^π(s_n = t) of B models; without the factor 1−γ if not `normalised`.

    Parameters
    ----------
    P, gamma, pi
        As for `evaluate_batch`.
    mu
        (S,) or (B, S) start laws; uniform if None.
    normalised
        True: mass 1.  False: mass 1/(1−γ).

    Returns
    -------
    (B, S) array, refined once: the balance residual is at rounding level, the ℓ₁ error at most that
    over 1−γ.  NaN where elimination broke down.

    Raises
    ------
    InvalidModel, InvalidArgument
        As for `evaluate_batch`; for start laws off the simplex.

    Complexity: S³/3 + S²A a model.

    Examples
    --------
    >>> occupancy_batch([[[[0.0, 1.0]], [[0.0, 1.0]]]], 0.5, [[0, 0]], mu=[1.0, 0.0])
    array([[0.5, 0.5]])
    """
    P = doubles(P, "P")
    P, _, g = checked_batch(P, np.zeros(P.shape[:3]), gamma)
    B, S, A = P.shape[:3]
    law = np.full(S, 1 / S) if mu is None else float_array(mu, "mu")
    if law.shape not in ((S,), (B, S)):
        raise InvalidArgument(f"mu: shape={law.shape}, must be ({S},) or ({B}, {S})")
    if not ((np.abs(law.sum(axis=-1) - 1) <= ROW_TOL) & (law >= 0).all(axis=-1)).all():
        raise InvalidArgument("mu: start laws must be ≥ 0 and sum to 1")
    d = np.empty((B, S))
    batched.occupy_models(P, g, _policy_table(pi, B, S, A), np.array(np.broadcast_to(law, (B, S))), d)
    return d * (1 - g)[:, None] if normalised else d


def _policy_table(pi: ArrayLike, B: int, S: int, A: int) -> FloatVec:
    """(B, S, A) rows of a batch of policies."""
    arr = plain_array(pi, name="pi")
    if arr.shape == (B, S) and arr.dtype.kind in "iu":
        if arr.size and (arr.min() < 0 or arr.max() >= A):
            b, s = (int(i) for i in np.argwhere((arr < 0) | (arr >= A))[0])
            raise InvalidArgument(f"pi: pi[{b}, {s}]={arr[b, s]}, action ids are 0..{A - 1}")
        table = np.zeros((B, S, A))
        np.put_along_axis(table, arr[..., None].astype(np.int64), 1.0, axis=2)
        return table
    if arr.shape != (B, S, A):
        raise InvalidArgument(f"pi: shape={arr.shape}, must be ({B}, {S}) integers or ({B}, {S}, {A}) rows")
    table = np.ascontiguousarray(float_array(arr))
    bad = ~((np.abs(table.sum(axis=2) - 1) <= ROW_TOL) & (table >= 0).all(axis=2))
    if bad.any():
        b, s = (int(i) for i in np.argwhere(bad)[0])
        raise InvalidArgument(f"pi: pi[{b}, {s}]={table[b, s]}, rows must be ≥ 0 and sum to 1")
    return table


def checked_batch(
    P: ArrayLike, R: ArrayLike, gamma: Any, *, largest: float = math.nextafter(1.0, 0.0)
) -> tuple[FloatVec, FloatVec, FloatVec]:
    """Contiguous P (B, S, A, S), R (B, S, A) and γ (B,) ≤ `largest`, validated."""
    P, R = doubles(P, "P"), doubles(R, "R")
    if P.ndim != 4 or P.shape[1] != P.shape[3] or 0 in P.shape or R.shape != P.shape[:3]:
        raise InvalidModel(f"solve_batch: P {P.shape}, R {R.shape}; must be (B, S, A, S) and (B, S, A)")
    g = float_array(gamma, "gamma")
    if g.shape not in ((), (1,), P.shape[:1]):
        raise InvalidModel(f"gamma: shape={g.shape}, must be one discount or {len(P)} of them")
    g = np.array(np.broadcast_to(g, P.shape[:1]))
    fits = (g >= 0) & (g <= largest)
    if not fits.all():
        b = int(np.argmin(fits))
        raise InvalidModel(f"gamma[{b}]={g[b]} is outside [0, 1{']' if largest == 1 else ')'}")
    k = batched.first_bad_pair(P.reshape(-1, P.shape[3]), R.reshape(-1), ROW_TOL)
    if k >= 0:
        b, s, a = (int(i) for i in np.unravel_index(k, R.shape))
        raise InvalidModel(
            f"model {b}: row (s={s}, a={a}) sums to {P[b, s, a].sum()}, smallest entry {P[b, s, a].min()}, "
            f"reward {R[b, s, a]}; need a probability row and a finite reward"
        )
    return P, R, g
