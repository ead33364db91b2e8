"""Hitting times and the diameter: how fast a state can be reached.

Definitions.  τ(s → t) = min_π E[steps until t | start s], 0 for s = t, ∞ where no policy reaches t with
probability one.  Diameter D = max_{s≠t} τ(s → t); it is finite iff the model is communicating.  Each
target is one stochastic shortest path problem with reward −1 a step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Real
from ..errors import InvalidArgument
from ..kernels import graph
from ..models.mdp import MDP
from ..models.ssp import SSP
from .bounds import stochastic
from .ssp import SSPSolver


def hitting_times(mdp: MDP, target: int | Iterable[int]) -> NDArray[Any]:
    """(S,) τ(s → target), the least expected number of steps to the target set.

    Parameters
    ----------
    mdp
        Model in either number system; rewards, discount and terminal marks play no part.
    target
        A state or several.

    Returns
    -------
    Expected steps, ∞ (a float) where the target cannot be reached with probability one.  Exact on exact
    models, else certified to 1e-8 relative.

    Raises
    ------
    InvalidArgument
        Empty or out-of-range target.
    NotConverged
        If doubles cannot certify 1e-8; use mdp.exact().

    Complexity: one SSP.
    """
    goal = np.zeros(mdp.S, dtype=np.bool_)
    wanted = np.atleast_1d(np.asarray(target if isinstance(target, (int, np.integer)) else list(target)))
    if wanted.size == 0 or wanted.min() < 0 or wanted.max() >= mdp.S:
        raise InvalidArgument(
            f"hitting_times: target={target!r}, need states in 0..{mdp.S - 1}, at least one"
        )
    goal[wanted] = True
    indices, indptr = graph.support(*mdp.csr)
    states, pairs = graph.almost_sure(indices, indptr, mdp.pair_state, mdp.S, goal)
    out = np.full(mdp.S, np.inf, dtype=object if mdp.is_exact else np.float64)
    out[states] = 0 - SSPSolver().run(_race(stochastic(mdp), goal, states, pairs)).raise_if_failed().V
    return out


def diameter(mdp: MDP) -> Real:
    """D = max_{s≠t} min_π E[steps from s to t]; ∞ unless every state can be reached from every other.

    Exact (a `Fraction`) on exact models, else certified to 1e-8 relative; 0 for one state.

    Complexity: S stochastic shortest path problems.
    """
    worst: Any = 0
    for t in range(mdp.S):
        far = max(hitting_times(mdp, t))
        if far == np.inf:
            return float("inf")
        worst = max(worst, far)
    return worst if mdp.is_exact else float(worst)


def _race(mdp: MDP, goal: NDArray[np.bool_], states: NDArray[np.bool_], pairs: NDArray[np.bool_]) -> SSP:
    """The SSP on `states` and `pairs` with reward −1 a step and the goal terminal."""
    number = np.cumsum(states) - 1
    kept = np.flatnonzero(pairs & ~goal[mdp.pair_state])
    data, indices, indptr = mdp.csr
    lengths = np.diff(indptr)[kept]
    at: Any = np.concatenate(
        [np.arange(indptr[k], indptr[k + 1]) for k in kept] or [np.empty(0, dtype=np.int64)]
    )
    cost = -np.ones(kept.size, dtype=np.int64)
    return SSP.from_pairs(
        (data[at], np.where(states, number, 0)[indices[at]], np.concatenate([[0], np.cumsum(lengths)])),
        cost.astype(object) if mdp.is_exact else cost.astype(np.float64),
        number[goal],
        pair_state=number[mdp.pair_state[kept]],
        pair_action=mdp.pair_action[kept],
        S=int(states.sum()),
    )
