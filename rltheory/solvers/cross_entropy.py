"""Cross-entropy TD in a table: the fixed points of encode, average, read out, between rigorous bounds.

F = `encoded_bellman(model, pi, encoding)` preserves order, so F(L) ≥ L and F(U) ≤ U with L ≤ U put a fixed
point between L and U (Tarski).  The solver iterates Q ← FQ in doubles until ‖FQ − Q‖ stops falling, then
tests L = Q − δw, U = Q + δw over the rationals (two-hot, one-hot) or with balls (HL-Gauss), δ growing, w = 1
or the direction of Σ_k J^k 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from flint import arb
from numpy.typing import ArrayLike

from ..arrays import FloatVec, StateVec, exact_array, float_array, frozen, sup_norm
from ..errors import InvalidArgument, NotConverged
from ..kernels import ball
from ..models.mdp import MDP
from ..models.outcomes import OutcomeMDP
from ..models.policy import Policy
from ..operators.encoded import Encoding, encoded_bellman, policy_chain
from .base import check_max_iter

BITS = 160
"""Working precision of the certificate."""
RESTS = 8
"""Sweeps over the rationals tried before bounds."""


@dataclass(frozen=True, eq=False)
class EncodedValue:
    """A fixed point of F between two bounds.

    Attributes
    ----------
    Q
        (S,) readouts in doubles.
    lower, upper
        (S,) `Fraction`s: some fixed point Q* of F has lower ≤ Q* ≤ upper, for the numbers stored in the
        model and the encoding.  Infinite if the test fails, as around a repelling fixed point.
    residual
        ‖FQ − Q‖ in doubles.
    iterations
        Sweeps.
    """

    Q: FloatVec
    lower: StateVec
    upper: StateVec
    residual: float
    iterations: int

    @property
    def error(self) -> float:
        """max(upper − Q, Q − lower), rounded up."""
        gap = max(sup_norm(self.upper - exact_array(self.Q)), sup_norm(self.lower - exact_array(self.Q)))
        return 0.0 if gap == 0 else math.nextafter(float(gap), math.inf)


@dataclass(frozen=True, eq=False)
class CrossEntropyTD:
    """Q ← FQ, (FQ)(s) = readout E[enc(R + γQ(S'))]: where population cross-entropy TD converges.

    Parameters
    ----------
    pi
        Policy evaluated.
    encoding
        `TwoHot`, `OneHot` or `HLGauss`.
    start
        "low" and "high", the extreme readouts, lead to the least and greatest fixed points; or a number
        or an (S,) vector.  F can have several fixed points: say where you start.  From elsewhere than the
        extremes the iteration may go round in circles: two states that lead to each other, each at a fixed
        point of the other's, swap for ever.
    max_iter
        Sweeps allowed.

    Returns from `run`
    ------------------
    `EncodedValue`.

    Raises
    ------
    InvalidArgument, InvalidModel
        As `encoded_bellman`; γ = 1; a target outside the range without `clip`.
    NotConverged
        From `run`, if ‖FQ − Q‖ is not at rounding level after `max_iter` sweeps.

    Complexity: O(outcomes · m) a sweep, log(1e-15)/log γ sweeps where F has slope 1; then a few sweeps of
    balls.

    Source: Farebrother and others (2024), population form; Tarski's test derived here.

    Examples
    --------
    >>> from rltheory import MDP
    >>> from rltheory.operators import OneHot
    >>> loop = MDP([[[1.0]]], [[0.25]], gamma=0.5)
    >>> CrossEntropyTD([0], OneHot(-1.0, 1.0, 3), start="low").run(loop).Q
    array([0.])
    >>> CrossEntropyTD([0], OneHot(-1.0, 1.0, 3), start="high").run(loop).Q
    array([1.])
    """

    pi: Policy | ArrayLike
    encoding: Encoding
    start: Literal["low", "high"] | float | ArrayLike = 0.0
    max_iter: int = 100_000

    def __post_init__(self) -> None:
        check_max_iter(self.max_iter)
        if isinstance(self.start, str) and self.start not in ("low", "high"):
            raise InvalidArgument(f"CrossEntropyTD: start={self.start!r}; give 'low', 'high' or values")

    def run(self, model: MDP | OutcomeMDP, /) -> EncodedValue:
        """The fixed point reached from `start`."""
        chain = policy_chain(model, self.pi)
        if not chain.gamma < 1:
            raise InvalidArgument(f"CrossEntropyTD: gamma={chain.gamma}, must be below 1")
        stay = np.zeros(chain.S, dtype=np.int64)
        code = self.encoding.float()
        F = encoded_bellman(chain.float(), stay, code)
        Q, best, since = self._first(chain.S, code), math.inf, 0
        step = 0
        while step < self.max_iter:
            step += 1
            new = float_array(F(Q))
            change = float(sup_norm(new - Q))
            Q, since = new, since + 1
            if change < best:
                best, since = change, 0
            if change == 0 or (since >= 3 and best <= 1e-13 * max(1.0, float(sup_norm(Q)))):
                break
        else:
            raise NotConverged(
                f"CrossEntropyTD: ‖FQ − Q‖ = {best:.3g} after {self.max_iter} sweeps; raise max_iter"
            )
        with ball.precision(BITS):
            lower, upper = _bracket(
                encoded_bellman(chain.exact(), stay, self.encoding.exact()), Q, _shapes(F, Q)
            )
        return EncodedValue(frozen(Q), frozen(lower), frozen(upper), best, step)

    def _first(self, S: int, code: Encoding) -> FloatVec:
        if isinstance(self.start, str):
            return np.full(S, code.points[0 if self.start == "low" else -1])
        first = float_array(np.asarray(self.start))
        if first.shape not in ((), (S,)) or not np.isfinite(first).all():
            raise InvalidArgument(f"CrossEntropyTD: start has shape {first.shape}; give a number or ({S},)")
        return np.broadcast_to(first, (S,)).copy()


def _bracket(
    F: Callable[[ArrayLike], StateVec], Q: FloatVec, shapes: Iterable[FloatVec]
) -> tuple[StateVec, StateVec]:
    """(lower, upper) = Q ∓ δw around a fixed point; infinite if no shape w passes the test."""
    at = exact_array(Q)
    for _ in range(RESTS):  # one-hot: at rest over the rationals, too, after a sweep or two
        new = F(at)
        if any(isinstance(v, arb) for v in new):
            break
        if (new == at).all():
            return at, at
        at = new
    at = exact_array(Q)
    for shape in shapes:
        for power in range(-48, -12, 3):
            radius = exact_array(2.0**power * max(1.0, float(sup_norm(Q))) * shape)
            lower, upper = at - radius, at + radius
            try:
                if _below(lower, F(lower)) and _below(F(upper), upper):
                    return lower, upper
            except InvalidArgument:  # a target left the range
                break
    nothing = np.full(Q.size, np.inf, dtype=object)
    return -nothing, nothing


def _shapes(F: Callable[[ArrayLike], StateVec], Q: FloatVec) -> Iterator[FloatVec]:
    """1, for slopes below one; else w = Σ_k J^k 1, J the Jacobian at Q: then Jw < w if J's powers vanish."""
    w = np.ones(Q.size)
    yield w
    base = F(Q)
    for _ in range(400):
        h = 1e-7 / float(sup_norm(w))
        try:
            new = 1 + (F(Q + h * w) - base) / h
        except InvalidArgument:
            return
        if float(sup_norm(new - w)) < 1e-3 * float(sup_norm(w)):
            break
        w = new
    yield w


def _below(x: StateVec, y: StateVec) -> bool:
    """x ≤ y for certain, entrywise."""
    balls = any(isinstance(v, arb) for v in (*x, *y))
    return all(bool(ball.to_arb(a) <= ball.to_arb(b)) if balls else a <= b for a, b in zip(x, y, strict=True))
