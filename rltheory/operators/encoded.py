"""Encodings with their range, and the Bellman operator that a categorical critic iterates.

Definition.  A tabular critic trained by cross-entropy on encoded targets R + γQ(S') moves its law in s
to E[enc(R + γQ(S')) | s]: the minimiser of the expected loss.  Its readouts iterate

    (FQ)(s) = readout E[enc(R + γQ(S')) | S = s].

F preserves order, so from the least and the largest readout it rises and falls to its least and greatest
fixed points.  Two-hot in range: F = T^π.  HL-Gauss: F = T^π + E[bias of the targets].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from flint import arb
from numpy.typing import ArrayLike, NDArray

from ..arrays import Entries, PairVec, Real, StateVec, exact_array, float_array, frozen, to_fraction
from ..errors import InvalidArgument, InvalidModel
from ..kernels import ball
from ..models.mdp import MDP
from ..models.outcomes import OutcomeMDP
from ..models.policy import Policy
from ..portable import Portable
from .encodings import centres, equally_spaced, hl_gauss, one_hot, readout, two_hot

RHO = Fraction(3, 4)
"""The recommended σ/ς of HL-Gauss: a target's mass lies on about six bins."""


@dataclass(frozen=True)
class Encoding(Portable):
    """A range with m atoms; subclasses say how a target becomes a law on them.

    Parameters
    ----------
    v_min, v_max
        The range; exact if one is a `Fraction`.
    m
        Number of atoms (bins for HL-Gauss).
    clip
        Move targets outside the range to its nearer end instead of refusing them.
    """

    v_min: Real
    v_max: Real
    m: int
    clip: bool = False
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if isinstance(self.m, bool) or not isinstance(self.m, (int, np.integer)) or self.m < 2:
            raise InvalidArgument(f"{type(self).__name__}: m={self.m!r}, must be an integer ≥ 2")
        ends = (self.v_min, self.v_max)
        if not all(math.isfinite(v) for v in ends) or not self.v_min < self.v_max:
            raise InvalidArgument(
                f"{type(self).__name__}: v_min={self.v_min}, v_max={self.v_max}; need finite v_min < v_max"
            )

    @property
    def spacing(self) -> Any:
        """ς, the distance of neighbouring atoms."""
        return (self.v_max - self.v_min) / (self.m - 1)

    @cached_property
    def points(self) -> NDArray[Any]:
        """(m,) atoms."""
        return frozen(equally_spaced(self.v_min, self.v_max, self.m))

    def encode(self, y: Entries) -> NDArray[Any]:
        """(*y.shape, m) laws of the targets."""
        raise NotImplementedError

    def mean(self, y: Entries) -> Any:
        """Readout of the encoded targets, shape of y."""
        return readout(self.encode(y), self.points)

    def exact(self) -> Any:
        """The same range over the rationals."""
        return replace(self, v_min=to_fraction(self.v_min), v_max=to_fraction(self.v_max))

    def float(self) -> Any:
        """The same range in doubles."""
        return replace(self, v_min=float(self.v_min), v_max=float(self.v_max))


@dataclass(frozen=True)
class TwoHot(Encoding):
    """`two_hot` on m equally spaced atoms."""

    def encode(self, y: Entries) -> NDArray[Any]:
        """Two-hot laws."""
        return two_hot(y, self.points, clip=self.clip)


@dataclass(frozen=True)
class OneHot(Encoding):
    """`one_hot` on m equally spaced atoms: the nearest one."""

    def encode(self, y: Entries) -> NDArray[Any]:
        """One-hot laws."""
        return one_hot(y, self.points, clip=self.clip)


@dataclass(frozen=True)
class HLGauss(Encoding):
    """`hl_gauss` on m equal bins with σ = ρς; the atoms are the bin centres.

    Parameters
    ----------
    rho
        σ/ς > 0.
    """

    rho: Real = RHO

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.rho) and self.rho > 0):
            raise InvalidArgument(f"HLGauss: rho={self.rho}, must be a number > 0")

    @property
    def spacing(self) -> Any:
        """ς, the width of a bin."""
        return (self.v_max - self.v_min) / self.m

    @property
    def sigma(self) -> Any:
        """σ = ρς, in the number system of the range."""
        return (float(self.rho) if self.edges.dtype != object else to_fraction(self.rho)) * self.spacing

    @cached_property
    def edges(self) -> NDArray[Any]:
        """(m+1,) bin edges."""
        return frozen(equally_spaced(self.v_min, self.v_max, self.m + 1))

    @cached_property
    def points(self) -> NDArray[Any]:
        """(m,) bin centres."""
        return frozen(centres(self.edges))

    def encode(self, y: Entries) -> NDArray[Any]:
        """Gaussian histograms."""
        return hl_gauss(y, self.edges, self.sigma, clip=self.clip)

    def exact(self) -> Any:
        """The same encoding over the rationals; laws are then balls."""
        return replace(super().exact(), rho=to_fraction(self.rho))

    def float(self) -> Any:
        """The same encoding in doubles."""
        return replace(super().float(), rho=float(self.rho))


# ---- the operator ------------------------------------------------------------------------
def policy_chain(model: MDP | OutcomeMDP, pi: Policy | ArrayLike) -> OutcomeMDP:
    """The one-action model of a policy: outcome (s', r) has probability π(a|s)·p(s', r|s, a).

    Parameters
    ----------
    model
        Scalar rewards, either number system; an `MDP` without rewards per transition pays R(s, a).
    pi
        (S,) action ids, (S, A) probabilities, or a `Policy`.

    Returns
    -------
    `OutcomeMDP` with one action in every state, exact if the model is.

    Raises
    ------
    InvalidArgument, InvalidModel
        π is not a policy of the model; vector rewards.

    Complexity: O(outcomes).
    """
    base = OutcomeMDP.from_mdp(model) if isinstance(model, MDP) else model
    if base.m is not None:
        raise InvalidModel(f"policy_chain: rewards have m={base.m} components; take model.component(i)")
    weights = _weights(base, pi if isinstance(pi, Policy) else Policy(pi, A=base.A))
    pair = np.repeat(np.arange(base.N), np.diff(base.outcome_ptr))
    joint = weights[pair] * base.prob
    keep = joint != 0
    ptr = np.searchsorted(base.pair_state[pair][keep], np.arange(base.S + 1)).astype(np.int64)
    out = object.__new__(OutcomeMDP)  # a model lifted from doubles sums to 1 ± rounding, and may
    out._set(
        S=base.S,
        A=1,
        N=base.S,
        gamma=base.gamma,
        state_ptr=frozen(np.arange(base.S + 1)),
        pair_state=frozen(np.arange(base.S)),
        pair_action=frozen(np.zeros(base.S, dtype=np.int64)),
        outcome_ptr=frozen(ptr),
        prob=frozen(joint[keep]),
        next_state=frozen(base.next_state[keep]),
        reward=frozen(base.reward[keep]),
        mu=base.mu,
        terminal=base.terminal,
        states=base.states,
        actions=None,
    )
    return out


def _weights(model: OutcomeMDP, pi: Policy) -> PairVec:
    """(N,) π(a|s) of the pairs; refused if π has other states or takes an action that is not allowed."""
    if pi.S != model.S or (pi.A or 0) > model.A:
        raise InvalidArgument(f"policy: {pi.S} states, {pi.A} actions; the model has {model.S}, {model.A}")
    table = pi.matrix(model.A)
    forbidden = (table != 0) & ~model.allowed
    if forbidden.any():
        s, a = np.argwhere(forbidden)[0].tolist()
        raise InvalidArgument(f"policy: pi[{s}, {a}]={table[s, a]}, but that action is not allowed there")
    w = table[model.pair_state, model.pair_action]
    return exact_array(w) if model.is_exact else float_array(w)


def encoded_bellman(
    model: MDP | OutcomeMDP, pi: Policy | ArrayLike, encoding: Encoding
) -> Callable[[ArrayLike], StateVec]:
    """F: (FQ)(s) = readout E[enc(R + γQ(S')) | s]: where cross-entropy on encoded targets moves Q.

    Parameters
    ----------
    model, pi
        As for `policy_chain`; γ < 1.
    encoding
        `TwoHot`, `OneHot` or `HLGauss`.

    Returns
    -------
    Function from (S,) to a new (S,) array.  Doubles in a float model.  Over an exact model the encoding
    is lifted, too: `Fraction`s for two-hot and one-hot, balls containing FQ for HL-Gauss (at the working
    precision; Q may be balls).

    Raises
    ------
    InvalidArgument, InvalidModel
        As `policy_chain`; and, when called, a target outside the range unless the encoding clips.

    Complexity: O(outcomes · m) a call.

    Source: Farebrother and others (2024), population form.

    Examples
    --------
    >>> from rltheory import MDP
    >>> F = encoded_bellman(MDP([[[1.0]]], [[0.4]], gamma=0.5), [0], OneHot(-1.0, 1.0, 3))
    >>> F([0.0]), F([1.0])
    (array([0.]), array([1.]))
    """
    chain = policy_chain(model, pi)
    code: Encoding = encoding.exact() if chain.is_exact else encoding.float()
    ptr = chain.outcome_ptr[:-1]

    def backup(Q: ArrayLike) -> StateVec:
        v = np.asarray(Q) if chain.is_exact else float_array(Q)
        if v.shape != (chain.S,):
            raise InvalidArgument(f"encoded_bellman: Q has shape {v.shape}, must be ({chain.S},)")
        v = v[chain.next_state]
        if any(isinstance(x, arb) for x in v):
            y = ball.balls(chain.reward) + ball.to_arb(chain.gamma) * ball.balls(v)
        else:
            y = chain.reward + chain.gamma * (exact_array(v) if chain.is_exact else v)
        means = code.mean(y)
        weights = ball.balls(chain.prob) if any(isinstance(x, arb) for x in means) else chain.prob
        return np.asarray(np.add.reduceat(weights * means, ptr))

    return backup
