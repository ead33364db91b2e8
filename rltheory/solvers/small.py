"""Small dense models: a compiled call or two for values, policy and certificate, and a thin result.

Definitions.  Sweeps V ← TV stopped by the span of TV − V; Howard's policy iteration where the rate of
the span foretells more than 30 further sweeps, or rounding spoils the certificate of the sweeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..errors import InvalidArgument
from ..kernels import small
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators._arrays import SMALL_ENTRIES, SMALL_STATES, small_model
from ..results.solution import Solution, Status
from .base import TOL, check_tol
from .policy_iteration import PolicyIteration


@dataclass(frozen=True)
class SmallDense:
    """Span-stopped sweeps, or Howard's policy iteration where they stall, compiled whole.

    Parameters
    ----------
    tol
        Error allowed, relative to max(1, ‖V‖).

    Notes
    -----
    For models of at most 128 states and 2¹⁸ entries of P, of either layout.  `Solution.iterations` counts
    sweeps and evaluations, `residuals` holds sp(TV − V) after each sweep, `info["loss"]` bounds
    ‖V* − V^π‖.  An exact model is solved by `PolicyIteration`, without error.

    Raises from `run`
    -----------------
    InvalidArgument
        If the model is larger.

    Complexity: O(SN) a sweep, O(S³ + SN) an evaluation.

    Source: Puterman 1994, §6.4 and §6.6.

    Examples
    --------
    >>> from rltheory import MDP
    >>> SmallDense().run(MDP([[[1.0]]], [[1.0]], gamma=0.5)).V
    array([2.])
    """

    tol: float = TOL

    def __post_init__(self) -> None:
        check_tol(self.tol)

    def run(self, mdp: MDP, /) -> Solution:
        """Solve a small discounted model."""
        if mdp.is_exact:
            return PolicyIteration(keep_trace=False).run(mdp)
        sol = small_solution(mdp, self.tol)
        if sol is None:
            raise InvalidArgument(
                f"SmallDense: S={mdp.S}, N={mdp.N}; at most S = {SMALL_STATES} and N·S = {SMALL_ENTRIES}; "
                "use solve(mdp)"
            )
        return sol


def small_solution(mdp: MDP, tol: float, reason: str = "") -> Solution | None:
    """What `SmallDense(tol).run` returns for a float model; None where the model is too large."""
    model = small_model(mdp)
    if model is None:
        return None
    S = mdp.S
    out, actions, spans = np.empty((3, S)), np.empty(S, np.int64), np.empty(small.SWEEPS)
    sweeps, error, norm, loss = small.solve(*model, tol, out, actions, spans)
    evaluations = 0
    if not (error < np.inf and error <= tol * max(1.0, norm)):
        evaluations, error, norm, loss = small.improve(*model, out, actions)
    out.flags.writeable = False
    V, lower, upper = out
    if not error < np.inf:
        status = Status.FAILED
    else:
        status = Status.SOLVED if error <= tol * max(1.0, norm) else Status.STALLED
    return Solution(
        V, lower, upper, Policy.trusted(actions, mdp.A), status, "SmallDense", mdp, reason,
        sweeps + evaluations, sweeps + evaluations + 1, evaluations, tuple(spans[:sweeps].tolist()), (),
        MappingProxyType({"loss": loss}),
    )  # fmt: skip
