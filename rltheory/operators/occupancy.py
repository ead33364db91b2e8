"""Discounted occupancy measures, in either number system.

Definition.  d(t) = Σ_n γ^n Pr_μ^π(s_n = t) = μᵀ(I − γP_π)⁻¹, of mass 1/(1−γ); the *normalised*
occupancy is (1−γ)d, a probability law.  d(s, a) = d(s)π(a|s).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import StateAction, StateVec, exact_array, float_array, frozen
from ..kernels import small
from ..kernels.evaluate import solve_discounted
from ..kernels.exact import solve_linear
from ..models.kinds import check_mdp
from ..models.mdp import MDP
from ..models.policy import Policy
from ..models.validate import check_law
from ._arrays import numbers, small_model
from .policy import as_policy, policy_weights, small_weights, transition_matrix

if TYPE_CHECKING:
    import scipy.sparse as sp


def occupancy(
    mdp: MDP, pi: Policy | ArrayLike, mu: ArrayLike | None = None, *, normalised: bool = True
) -> StateVec:
    """d(t) = (1−γ) Σ_n γ^n Pr_μ^π(s_n = t); without the factor 1−γ if not `normalised`.

    Parameters
    ----------
    mdp
        Model in either number system.
    pi
        Policy, deterministic or stochastic.
    mu
        (S,) start law; the model's if not given.
    normalised
        True: mass 1.  False: mass 1/(1−γ), the expected discounted number of visits.

    Returns
    -------
    (S,) array.  Exact for exact models; floats are refined until the balance residual
    ‖μ + γPᵀd − d‖₁ is at rounding level, and their ℓ₁ error is at most that residual over 1−γ.

    Raises
    ------
    InvalidArgument, InvalidModel
        If π is not a policy of the model or μ not a law.

    Complexity: one solve with I − γP_π: O(S³) dense, sparse LU or sweeps for CSR models.
    """
    check_mdp(mdp, "occupancy")
    pi = as_policy(mdp, pi)
    law = mdp.mu if mu is None else check_law(mu, mdp.S, mdp.is_exact)
    d: NDArray[Any]
    if mdp.is_exact:
        P = transition_matrix(mdp, pi.exact())
        eye = exact_array(np.eye(mdp.S, dtype=np.int64))
        d = solve_linear((eye - mdp.gamma * P).T, law)
    elif (weights := small_weights(mdp, pi)) is not None:
        P, R, gamma, state_ptr, _, _ = small_model(mdp)  # type: ignore[misc]
        d = np.empty(mdp.S)
        small.occupancy(P, R, gamma, state_ptr, weights, frozen(float_array(law)), d)
    else:
        d = solve_discounted(_matrix(mdp, pi).T, float_array(law), float(mdp.gamma), transposed=True)
    return d * (1 - mdp.gamma) if normalised else d


def state_action_occupancy(
    mdp: MDP, pi: Policy | ArrayLike, mu: ArrayLike | None = None, *, normalised: bool = True
) -> StateAction:
    """d(s, a) = d(s) π(a|s); (S, A), zero where a is not allowed.  Arguments as for `occupancy`."""
    pi = as_policy(mdp, pi)
    d: NDArray[Any] = occupancy(mdp, pi, mu, normalised=normalised)
    w = numbers(mdp, policy_weights(mdp, pi))
    out = numbers(mdp, np.zeros((mdp.S, mdp.A), dtype=np.int64))
    out[mdp.pair_state, mdp.pair_action] = d[mdp.pair_state] * w
    return out


def _matrix(mdp: MDP, pi: Policy) -> StateAction | sp.csr_array:
    return transition_matrix(mdp, pi) if mdp.layout == "dense" else transition_matrix(mdp, pi, sparse=True)
