"""Finite classes of value functions and weights, for weight-function methods."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, IntVec, float_array, frozen
from ..errors import InvalidArgument
from ..models.finite_horizon import FiniteHorizonMDP
from ..operators.coverage import horizon_occupancy
from .backward_induction import BackwardInduction

Array = NDArray[Any]
TIE = 1e-12
MOST_MIXTURES = 100_000


class Classes(Protocol):
    """A class F of functions (n, H+1, S, A), their greedy policies, and weights for any history."""

    @property
    def F(self) -> FloatVec:
        """(n, H+1, S, A) functions, layer H zero."""
        ...

    @property
    def policies(self) -> IntVec:
        """(n, H, S) greedy actions of F, the lowest within 1e-12."""
        ...

    @property
    def log_size(self) -> float:
        """ln(|F||W|)."""
        ...

    def weights(self, played: FloatVec, offline: FloatVec | None = None) -> FloatVec:
        """(nW, H, S, A) weights after `played[i]` rounds of policy i; `offline`: shares of an offline law."""
        ...


def greedy_actions(F: Array) -> IntVec:
    """(…, H, S) lowest action within 1e-12 of the best, of (…, H+1, S, A) functions."""
    Q = F[..., :-1, :, :]
    out: IntVec = (Q.max(axis=-1, keepdims=True) - TIE <= Q).argmax(axis=-1)
    return out


@dataclass(frozen=True, eq=False)
class FunctionClasses:
    """Explicit classes: F of value functions and W of weights, the same in every round.

    Parameters
    ----------
    functions
        (n, H, S, A) or (n, H+1, S, A) with a last layer of zeros; values in [0, 1].
    ratios
        (m, H, S, A) in [0, ∞].

    Raises
    ------
    InvalidArgument
        An empty class, a value outside its range, shapes that do not match (the first is named).

    Examples
    --------
    >>> FunctionClasses([[[[0.0]]], [[[0.25]]]], [[[[1.0]]]]).F.shape
    (2, 2, 1, 1)
    """

    functions: ArrayLike
    ratios: ArrayLike

    def __post_init__(self) -> None:
        try:
            F, W = float_array(self.functions), float_array(self.ratios)
        except (ValueError, TypeError):
            raise InvalidArgument(
                "FunctionClasses: functions of different shapes; give (n, H, S, A)"
            ) from None
        for name, x in (("F", F), ("W", W)):
            if x.ndim != 4 or x.shape[0] == 0:
                raise InvalidArgument(
                    f"FunctionClasses: {name} has shape {x.shape}; give at least one function, (n, H, S, A)"
                )
        H = W.shape[1]
        if F.shape[1:] not in (W.shape[1:], (H + 1, *W.shape[2:])):
            raise InvalidArgument(
                f"FunctionClasses: F has shape {F.shape}, W {W.shape}; both need the same (H, S, A)"
            )
        if not ((F >= 0) & (F <= 1)).all():
            i = tuple(int(k) for k in np.argwhere(~((F >= 0) & (F <= 1)))[0])
            raise InvalidArgument(
                f"FunctionClasses: F{list(i)}={F[i]}, must lie in [0, 1]; the thresholds hold for no others"
            )
        if F.shape[1] == H + 1 and F[:, H].any():
            raise InvalidArgument("FunctionClasses: layer H of F is not 0; nothing is paid after it")
        if not (W >= 0).all():
            i = tuple(int(k) for k in np.argwhere(~(W >= 0))[0])
            raise InvalidArgument(f"FunctionClasses: W{list(i)}={W[i]}, weights are ≥ 0; give ratios of laws")

    @cached_property
    def F(self) -> FloatVec:
        """(n, H+1, S, A)."""
        F, W = float_array(self.functions), float_array(self.ratios)
        if F.shape[1] == W.shape[1]:
            F = np.concatenate([F, np.zeros((F.shape[0], 1, *F.shape[2:]))], axis=1)
        return frozen(np.ascontiguousarray(F))

    @cached_property
    def policies(self) -> IntVec:
        """(n, H, S)."""
        return frozen(greedy_actions(self.F))

    @property
    def log_size(self) -> float:
        """ln(|F||W|)."""
        return math.log(self.F.shape[0] * len(np.asarray(self.ratios)))

    def weights(self, played: FloatVec, offline: FloatVec | None = None) -> FloatVec:
        """W, whatever was played."""
        return np.ascontiguousarray(float_array(self.ratios))

    def mixtures(self, T: int) -> FunctionClasses:
        """F with W̄ = {1/mean(w^(1), …, w^(t)) : w^(s) ∈ W, t ≤ T}, 1/∞ = 0 and 1/0 = ∞, repeats dropped.

        If W realises every d^π/d^π', then W̄ realises d^(t)/d̄^(t+1) wherever d^(t) > 0, whatever is played.

        Raises
        ------
        InvalidArgument
            T < 1, or more than 100,000 choices with repetition of at most T weights.

        Source: Amortila, Foster, Jiang, Sekhari, Xie (2024), Section 3.1 and Appendix B.2.
        """
        W = float_array(self.ratios)
        if not T >= 1:
            raise InvalidArgument(f"mixtures: T={T}, must be an integer ≥ 1")
        choices = math.comb(len(W) + T, T) - 1
        if choices > MOST_MIXTURES:
            raise InvalidArgument(
                f"mixtures: {choices} choices of at most {T} of {len(W)} weights, at most {MOST_MIXTURES} "
                "are held; take fewer rounds or weights"
            )
        rows = [
            W[list(some)].mean(axis=0)
            for t in range(1, T + 1)
            for some in itertools.combinations_with_replacement(range(len(W)), t)
        ]
        with np.errstate(divide="ignore"):
            return FunctionClasses(self.functions, np.unique(1 / np.array(rows), axis=0))


@dataclass(frozen=True, eq=False)
class ModelClasses:
    """Classes derived from a finite list of models: F = {Q*_M}, Π their greedy policies, and weights
    d_M^π/((d̃_M + d_M^π)/t), M over models and π over Π, d̃_M the occupancies under M of the policies played.

    With an offline law ν the weights are d_M^π/(½(ν_M + d̄_M)), d̄_M the mean of the rounds played.

    Parameters
    ----------
    models
        Finite-horizon models of one shape, values in [0, 1].
    sequences
        Count sequences of weight classes in `log_size` for this many rounds, as an honest union bound
        must, since the weights depend on what was played: ln|W| = ln(|𝓜||Π|) + rounds·ln|Π|.

    Raises
    ------
    InvalidArgument
        No models, models of different shapes, values outside [0, 1], sequences < 0.

    Examples
    --------
    >>> from rltheory import gallery
    >>> ModelClasses(gallery.noisy_locks(3)).F.shape
    (8, 4, 2, 2)
    """

    models: Sequence[FiniteHorizonMDP]
    sequences: int = 0

    def __post_init__(self) -> None:
        if len(self.models) == 0:
            raise InvalidArgument("ModelClasses: the list of models is empty; give at least one")
        if not self.sequences >= 0:
            raise InvalidArgument(f"ModelClasses: sequences={self.sequences}, a number of rounds ≥ 0")
        shapes = [(m.H, m.S, m.A) for m in self.models]
        if len(set(shapes)) > 1:
            i = next(i for i, s in enumerate(shapes) if s != shapes[0])
            raise InvalidArgument(
                f"ModelClasses: model {i} has (H, S, A)={shapes[i]}, model 0 {shapes[0]}; they must agree"
            )
        if not ((self.F >= 0) & (self.F <= 1 + TIE)).all():
            i = int(np.argwhere(~((self.F >= 0) & (self.F <= 1 + TIE)))[0][0])
            raise InvalidArgument(
                f"ModelClasses: Q* of model {i} leaves [0, 1]; scale rewards so that they sum to at most 1"
            )

    @cached_property
    def F(self) -> FloatVec:
        """(n, H+1, S, A) Q* of every model."""
        Q = np.array([BackwardInduction().run(m.float()).Q for m in self.models], dtype=np.float64)
        return frozen(np.concatenate([Q, np.zeros((Q.shape[0], 1, *Q.shape[2:]))], axis=1))

    @cached_property
    def policies(self) -> IntVec:
        """(n, H, S)."""
        return frozen(greedy_actions(self.F))

    @cached_property
    def occupancies(self) -> FloatVec:
        """(|𝓜|, |Π|, H, S, A) d_M^π."""
        rows = [[horizon_occupancy(m.float(), pi) for pi in self.policies] for m in self.models]
        return frozen(np.array(rows, dtype=np.float64))

    @cached_property
    def _never(self) -> NDArray[np.bool_]:
        return np.asarray(self.occupancies == 0)

    @property
    def log_size(self) -> float:
        """ln(|F||W|) with |W| = |𝓜||Π|, or that of sequences."""
        n = len(self.models)
        return math.log(n * n * n) + self.sequences * math.log(n)

    def weights(self, played: FloatVec, offline: FloatVec | None = None) -> FloatVec:
        """(|𝓜||Π|, H, S, A) weights after `played[i]` rounds of policy i."""
        d = self.occupancies
        flat = d.reshape(*d.shape[:2], -1)
        sofar = (played @ flat).reshape(-1, 1, *d.shape[2:])
        t = float(played.sum()) + 1
        with np.errstate(divide="ignore", invalid="ignore"):
            if offline is None:
                w = d / ((sofar + d) / t)
            else:
                nu = (offline @ flat).reshape(-1, 1, *d.shape[2:])
                w = d / (0.5 * (nu + sofar / max(t - 1, 1)))
        w[self._never] = 0.0
        return np.ascontiguousarray(w.reshape(-1, *d.shape[2:]))


def check_shape(model: FiniteHorizonMDP, classes: Classes) -> None:
    """Refuse classes of another shape than the model's."""
    want = (model.H + 1, model.S, model.A)
    if classes.F.shape[1:] != want:
        raise InvalidArgument(
            f"classes: F has layers of shape {classes.F.shape[1:]}, the model needs {want}; build both alike"
        )


def first_best(x: Array, allowed: Array | None = None) -> int:
    """Lowest index within 1e-12 of the maximum of the allowed entries."""
    y = x if allowed is None else np.where(allowed, x, -np.inf)
    return int(np.argmax(y >= y.max() - TIE))
