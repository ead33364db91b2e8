"""Tabular flow TD: the values whose flows read themselves out.

Per state the exact field of the target law is read out: V(s) ← E ψ_K(Z_0), with the targets

    sampled    Y = R + γV(S'):  the readout is biased for K ≥ 2 (order 1/K), so the fixed point is not V^π
    averaged   Y = E[R + γV(S')], a Dirac: the readout is exact for every K, and the fixed point is V^π.

The bias of a law does not change when the law is shifted.  So with b(V)(s) the bias at the targets of V the
fixed points are V = V^π + (I − γP)^{-1} b(V); that is what is iterated, once if no next state is random.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatVec, float_array, frozen, sup_norm
from ..errors import InvalidArgument, NotConverged
from ..models.mdp import MDP
from ..models.outcomes import OutcomeMDP
from ..models.policy import Policy
from ..operators.encoded import policy_chain
from ..operators.flow import MarginalField, _check_steps, euler, mean_readout
from .base import check_max_iter, check_tol


@dataclass(frozen=True, eq=False)
class FlowValue:
    """Fixed point of tabular flow TD, in doubles.

    Attributes
    ----------
    V
        (S,) mean readouts.
    V_pi
        (S,) true values V^π, by a linear solve.
    bias
        (S,) bias of the readout at the targets of V: mean readout minus mean target.
    residual
        ‖readout of the targets of V − V‖.
    iterations
        Sweeps.
    """

    V: FloatVec
    V_pi: FloatVec
    bias: FloatVec
    residual: float
    iterations: int


@dataclass(frozen=True, eq=False)
class FlowTD:
    """V(s) = mean readout of the exact K-step field for the law of R + γV(S').

    Parameters
    ----------
    pi
        Policy evaluated.
    K
        Euler steps.
    s, mu0
        Noise N(μ₀, s²).
    targets
        "sampled" or "averaged".
    tol
        Stop when ‖readout − V‖ ≤ tol·max(1, ‖V‖).
    max_iter
        Sweeps allowed.

    Returns from `run`
    ------------------
    `FlowValue`; in doubles, quadrature errors near 1e-12 a state.

    Raises
    ------
    InvalidArgument, InvalidModel
        K < 1, s ≤ 0, γ = 1; π not a policy of the model.
    NotConverged
        From `run`, after `max_iter` sweeps.

    Complexity: O(S · nodes · K · outcomes) a sweep, some 10³ nodes.

    Source: Agrawalla, Nauman and Kumar (2026), population form, derived.

    Examples
    --------
    >>> from rltheory.models.outcomes import OutcomeMDP
    >>> coin = OutcomeMDP.from_lists([[[(0.5, 0, 0.0), (0.5, 0, 1.0)]]], gamma=0.5)
    >>> FlowTD([0], K=1).run(coin).V
    array([1.])
    """

    pi: Policy | ArrayLike
    K: int
    s: float = 1.0
    mu0: float = 0.0
    targets: Literal["sampled", "averaged"] = "sampled"
    tol: float = 1e-11
    max_iter: int = 1000

    def __post_init__(self) -> None:
        _check_steps(self.K)
        check_tol(self.tol)
        check_max_iter(self.max_iter)
        if self.targets not in ("sampled", "averaged"):
            raise InvalidArgument(f"FlowTD: targets={self.targets!r}; give 'sampled' or 'averaged'")
        if not self.s > 0:
            raise InvalidArgument(f"FlowTD: s={self.s}, must be > 0")

    def run(self, model: MDP | OutcomeMDP, /) -> FlowValue:
        """The fixed point reached from V^π."""
        chain = policy_chain(model, self.pi).float()
        if not chain.gamma < 1:
            raise InvalidArgument(f"FlowTD: gamma={chain.gamma}, must be below 1")
        state = np.repeat(np.arange(chain.S), np.diff(chain.outcome_ptr))
        A, r = np.eye(chain.S), np.zeros(chain.S)
        np.subtract.at(A, (state, chain.next_state), chain.gamma * chain.prob)
        np.add.at(r, state, chain.prob * chain.reward)
        V_pi = np.linalg.solve(A, r)
        V, residual = V_pi, np.inf
        for step in range(1, self.max_iter + 1):
            bias = self.bias(chain, V)
            new = V_pi + np.linalg.solve(A, bias)
            residual = float(sup_norm(A @ (new - V)))  # readout − V = bias + T^πV − V = A(new − V)
            if residual <= self.tol * max(1.0, float(sup_norm(V))):
                return FlowValue(frozen(V), frozen(V_pi), frozen(bias), residual, step)
            V = new
        raise NotConverged(f"FlowTD: ‖readout − V‖ = {residual:.3g} after {self.max_iter} sweeps")

    def bias(self, chain: OutcomeMDP, V: ArrayLike) -> FloatVec:
        """(S,) mean readout minus mean target in every state of a one-action model."""
        v, out = float_array(V), np.zeros(chain.S)
        if self.targets == "averaged" or self.K == 1:
            return out
        y = chain.reward + chain.gamma * v[chain.next_state]
        for s in range(chain.S):
            at = slice(chain.outcome_ptr[s], chain.outcome_ptr[s + 1])
            atoms, where = np.unique(y[at], return_inverse=True)
            probs = np.bincount(where, weights=chain.prob[at])
            middle = float(probs @ atoms)
            if atoms.size > 1:
                field = MarginalField(atoms - middle, probs / probs.sum(), self.s, self.mu0)
                out[s] = mean_readout(partial(_readout, field, self.K), self.s, self.mu0)
        return out


def _readout(field: MarginalField, K: int, z: FloatVec) -> FloatVec:
    out: FloatVec = euler(field, z, K)
    return out
