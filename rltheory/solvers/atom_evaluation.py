"""The exact law of a finite sum of discounted rewards, atom by atom.

Definition.  η_0 = δ_0 and η_{h+1}(s) = Σ_k p_k law(r_k + γ η_h(s'_k)) over the outcomes of the action
taken with h + 1 steps to go; nothing is projected, equal atoms merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import frozen
from ..errors import InvalidArgument
from ..kernels.categorical import TIE
from ..models.mdp import MDP
from ..models.outcomes import OutcomeMDP
from ..models.policy import Policy
from ..operators.outcome_chain import Chain, all_pairs, outcome_model, policy_chain
from ..results.distributional import DistributionalSolution
from ..results.law import ReturnLaw
from ..results.solution import Status
from ._law_setup import check, policy_of


@dataclass(frozen=True)
class AtomEvaluation:
    """The exact law of Σ_{t<H} γ^t R_{t+1}, atom by atom; rationals in, rationals out, error 0.

    Parameters
    ----------
    H
        Horizon ≥ 0; γ = 1 allowed.
    max_atoms
        Most atoms of one law before the run is refused; without a lattice their number grows like b^H.

    Examples
    --------
    >>> from fractions import Fraction
    >>> coin = OutcomeMDP.from_lists([[[(Fraction(1, 2), 0, 1), (Fraction(1, 2), 0, -1)]]], gamma=1)
    >>> AtomEvaluation(H=2).run(coin, [0]).law(0)
    ReturnLaw({-2: 1/4, 0: 1/2, 2: 1/4}, exact, error=0)
    """

    H: int
    max_atoms: int = 200_000

    def run(self, model: OutcomeMDP | MDP, pi: Policy | ArrayLike | None = None) -> DistributionalSolution:
        """The laws of every state; without `pi` the best mean at every step.

        Raises
        ------
        InvalidArgument
            When a law outgrows `max_atoms`; for vector rewards or a policy of another model.
        """
        m = outcome_model(model)
        check(m, self.H, 1.0)
        every = all_pairs(m) if pi is None else policy_chain(m, pi)
        actions = np.empty((self.H, m.S), dtype=np.int64) if pi is None else None
        laws = [ReturnLaw([0], [1])] * m.S
        tie: Any = 0 if m.is_exact else TIE
        for t in range(self.H - 1, -1, -1):
            lists = range(every.lists)
            if actions is not None:
                means = np.array([law.mean for law in laws])
                q = every.expect(means) * m.gamma + np.add.reduceat(
                    every.prob * every.reward, m.outcome_ptr[:-1]
                )
                rows = []
                for s in range(m.S):
                    own = q[m.state_ptr[s] : m.state_ptr[s + 1]]
                    best = own.max()
                    rows.append(int(m.state_ptr[s] + np.argmax(own >= best - tie * (1 + abs(best)))))
                lists, actions[t] = rows, m.pair_action[rows]  # type: ignore[assignment]
            laws = [self._backup(every, i, laws) for i in lists]
        errors = np.array([law.error for law in laws], dtype=object if m.is_exact else float)
        return DistributionalSolution(
            tuple(laws), frozen(errors), None, None if pi is None else policy_of(m, pi),
            Status.EXACT if m.is_exact else Status.SOLVED, "AtomEvaluation", m, self.H,
            "nothing is projected", self.H, actions=actions,
        )  # fmt: skip

    def _backup(self, c: Chain, i: int, laws: list[ReturnLaw]) -> ReturnLaw:
        k = slice(int(c.ptr[i]), int(c.ptr[i + 1]))
        after = [laws[int(s)] for s in c.next_state[k]]
        size = sum(len(law) for law in after)
        if size > self.max_atoms:
            raise InvalidArgument(
                f"AtomEvaluation: a law of {size} atoms, max_atoms={self.max_atoms}; use "
                "CategoricalEvaluation(H=...) or QuantileEvaluation(H=...), or raise max_atoms"
            )
        return ReturnLaw.backup(c.prob[k], c.reward[k], after, c.gamma)
