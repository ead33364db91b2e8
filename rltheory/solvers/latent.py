"""What `solve` does with a latent MDP: exact where that is possible, a certified gap where it is not.

In order:

1. at most 20 million (step, state, belief) nodes possible (rationals: 200 thousand) → `BeliefDP`;
2. rationals, two contexts                                                          → `AlphaDP`;
3. doubles                                                                          → `PointBased`.

Larger rational models are refused with the remedy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import InvalidArgument
from ..models.latent import LatentMDP
from ..operators.latent import history_tree
from ..results.latent import LatentSolution
from .latent_alpha import AlphaDP
from .latent_belief import BeliefDP
from .latent_points import PointBased

NODES, RATIONAL_NODES = 20_000_000, 200_000
"""Possible nodes up to which beliefs are enumerated, in doubles and in rationals."""
VECTORS = 2_000
"""Candidates up to which sets of alpha vectors are kept."""


@dataclass(frozen=True)
class LatentPlanner:
    """The path that fits the size of a latent MDP; see the module.

    Parameters
    ----------
    tol
        Gap asked of `PointBased` where nothing exact fits.
    max_trials
        Its limit.

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> LatentPlanner().run(gallery.wait_and_guess(H=5)).value
    Fraction(97, 128)
    """

    tol: float = 1e-3
    max_trials: int = 10_000

    def run(self, lmdp: LatentMDP, /) -> LatentSolution:
        """V* or bounds on it, with `reason`.

        Raises
        ------
        InvalidArgument
            A rational model that is too large.
        """
        bound, exact = sum(history_tree(lmdp).beliefs), lmdp.is_exact
        limit = RATIONAL_NODES if exact else NODES
        if bound <= limit:
            why = f"at most {bound} (step, state, belief) nodes: every belief is solved once"
            return replace(BeliefDP(max_nodes=limit).run(lmdp), reason=why)
        beliefs = f"up to {bound:.3g} beliefs"
        if not exact:
            sol = PointBased(self.tol, self.max_trials).run(lmdp)
            return replace(sol, reason=f"{beliefs}: bounds from both sides")
        if lmdp.M <= 2:
            try:
                sol = AlphaDP(max_vectors=VECTORS).run(lmdp)
                return replace(sol, reason=f"{beliefs}, but few alpha vectors matter")
            except InvalidArgument:
                beliefs += f" and more than {VECTORS} alpha vectors"
        raise InvalidArgument(
            f"solve: {lmdp!r} has {beliefs}: too many for rationals; use solve(lmdp.float()) for bounds that "
            "hold, or raise the limits of solvers.BeliefDP, solvers.AlphaDP"
        )
