"""Constrained discounted MDPs: the occupancy linear program, solved to an optimal basic solution.

Definitions.  x(s,a) ≥ 0 with Σ_a x(t,a) − γΣ_{s,a} x(s,a)P(t|s,a) = ρ(t) is the unnormalised occupancy of
π(a|s) = x(s,a)/Σ_a x(s,a) started from ρ; its mass is 1/(1−γ).  Maximise ⟨x, R⟩ subject to ⟨x, c_k⟩ ≤ b_k,
k = 1..K.  A basic solution has at most S + K positive entries (slacks included) and every state needs
one, so π randomises in at most K states: Σ_s (actions used in s − 1) ≤ K.

Method.  HiGHS' simplex in doubles guesses the basis; `kernels.simplex` finishes from there in rationals.
Float models are solved as the rationals they store, and the answer is rounded outward.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Real, StateAction, StateVec, exact_array, float_array, plain_array, uniform
from ..errors import InvalidArgument, InvalidModel
from ..kernels import simplex
from ..models.mdp import MDP
from ..models.policy import Policy
from ..results import Enclosure

MAX_PAIRS = 2000


@dataclass(frozen=True, repr=False, eq=False)
class ConstrainedSolution:
    """An optimal basic policy of a constrained MDP.

    Attributes
    ----------
    value
        Enclosure of the optimal ⟨x, R⟩ (discounted total from ρ); a point for exact models.
    x
        (S, A) unnormalised occupancy; 0 where not allowed.
    pi
        The stationary, in general stochastic, policy.
    multipliers
        (K,) dual prices λ_k ≥ 0 of the constraints.
    V
        (S,) dual variables: optimal values for the reward R − Σ λ_k c_k; value = ρ·V + λ·b.
    spent
        (K,) ⟨x, c_k⟩.
    pivots
        Exact pivots after the guess.
    mdp
        The model.
    """

    value: Enclosure
    x: StateAction
    pi: Policy
    multipliers: NDArray[Any]
    V: StateVec
    spent: NDArray[Any]
    pivots: int
    mdp: Any

    @property
    def randomisation(self) -> int:
        """Σ_s (number of actions used in s − 1), at most K."""
        return int((np.asarray(self.x > 0)).sum() - self.x.shape[0])

    def __repr__(self) -> str:
        return f"ConstrainedSolution(value={self.value}, randomisation={self.randomisation})"


@dataclass(frozen=True)
class ConstrainedLP:
    """max ⟨x, R⟩ over occupancies with ⟨x, c_k⟩ ≤ b_k.

    Parameters
    ----------
    costs
        (K, S, A) costs per step; K = 0 gives the unconstrained problem.
    budgets
        (K,) bounds on the discounted totals (unnormalised: mass 1/(1−γ)).
    rho
        (S,) start law with positive entries; uniform if not given.

    Returns from `run`
    ------------------
    `ConstrainedSolution`; exact on exact models, else the exact solution of the stored doubles, rounded.

    Raises
    ------
    InvalidModel
        If no policy meets the budgets.
    InvalidArgument
        Shapes, ρ with a zero, more than 2000 pairs.

    Complexity: a sparse float LP, then three (S+K)-dimensional rational solves a pivot (usually none).

    Source: Altman 1999, chapters 3–4.

    Examples
    --------
    >>> from rltheory import MDP
    >>> sol = ConstrainedLP([[[1, 0]]], [1]).run(MDP([[[1], [1]]], [[1, 0]], 0.5))
    >>> sol.pi.matrix().tolist(), sol.randomisation
    ([[0.5, 0.5]], 1)
    """

    costs: ArrayLike
    budgets: ArrayLike
    rho: ArrayLike | None = field(default=None)

    def run(self, mdp: MDP) -> ConstrainedSolution:
        """Solve for `mdp`."""
        if mdp.N > MAX_PAIRS:
            raise InvalidArgument(
                f"ConstrainedLP: N={mdp.N} pairs, at most {MAX_PAIRS} in rational arithmetic"
            )
        model = mdp.exact()
        rho = uniform(mdp.S, exact=True) if self.rho is None else exact_array(self.rho)
        budgets = exact_array(np.atleast_1d(plain_array(self.budgets, name="budgets")))
        K = budgets.size
        costs = plain_array(self.costs, name="costs")
        if costs.shape != (K, mdp.S, mdp.A) and not (K == 0 and costs.size == 0):
            raise InvalidArgument(f"costs: shape={costs.shape}, must be (K, S, A)=({K}, {mdp.S}, {mdp.A})")
        if rho.shape != (mdp.S,) or not (rho > 0).all():
            raise InvalidArgument(
                "rho: needs one positive weight a state, else states may go without a policy"
            )
        per_pair = (
            exact_array(costs[:, mdp.pair_state, mdp.pair_action]) if K else np.empty((0, mdp.N), object)
        )
        A, b, c = _program(model, rho, per_pair, budgets)
        try:
            best = simplex.maximise(A, b, c, _guess(A, b, c))
        except simplex.Infeasible:
            raise InvalidModel(
                f"ConstrainedLP: no policy meets the budgets {budgets.tolist()}; raise one of them"
            ) from None
        return _solution(mdp, best, per_pair)


def _program(
    model: MDP, rho: StateVec, costs: NDArray[np.object_], budgets: NDArray[np.object_]
) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.object_]]:
    """Equality form: flow rows, then one row and one slack column a constraint."""
    S, N, K = model.S, model.N, budgets.size
    A = exact_array(np.zeros((S + K, N + K), dtype=np.int64))
    A[:S, :N] = -model.gamma * model.P_pairs.T
    A[model.pair_state, np.arange(N)] += 1
    A[S:, :N] = costs
    A[np.arange(S, S + K), np.arange(N, N + K)] += 1
    c = exact_array(np.zeros(N + K, dtype=np.int64))
    c[:N] = model.R_pairs
    return A, np.concatenate([rho, budgets]), c


def _guess(A: NDArray[np.object_], b: NDArray[np.object_], c: NDArray[np.object_]) -> list[int] | None:
    """Basis suggested by HiGHS: positive variables, completed greedily to independent columns."""
    from scipy.optimize import linprog

    M = float_array(A)
    res = linprog(-float_array(c), A_eq=M, b_eq=float_array(b), bounds=(0, None), method="highs-ds")
    if res.x is None:
        return None
    order = sorted(range(M.shape[1]), key=lambda j: (-res.x[j], j))
    chosen: list[int] = []
    space = np.zeros((M.shape[0], 0))
    for j in order:
        rest = M[:, j] - space @ (space.T @ M[:, j])
        size = float(np.linalg.norm(rest))
        if size > 1e-9 * max(1.0, float(np.linalg.norm(M[:, j]))):
            chosen.append(j)
            space = np.column_stack([space, rest / size])
        if len(chosen) == M.shape[0]:
            return chosen
    return None


def _solution(mdp: MDP, best: simplex.Basic, costs: NDArray[np.object_]) -> ConstrainedSolution:
    N, S = mdp.N, mdp.S
    x = best.x[:N]
    mass = np.add.reduceat(x, mdp.state_ptr[:-1])
    table, probs = (exact_array(np.zeros((S, mdp.A), dtype=np.int64)) for _ in range(2))
    table[mdp.pair_state, mdp.pair_action] = x
    probs[mdp.pair_state, mdp.pair_action] = x / mass[mdp.pair_state]
    total: Real = (x * mdp.exact().R_pairs).sum()
    spent = np.array([(x * c).sum() for c in costs], dtype=object)
    if mdp.is_exact:
        value = Enclosure(total, total)
        return ConstrainedSolution(
            value, table, Policy(probs), best.y[S:], best.y[:S], spent, best.pivots, mdp
        )
    middle = float(total)
    value = Enclosure(float(np.nextafter(middle, -np.inf)), float(np.nextafter(middle, np.inf)))
    numbers = [float_array(v) for v in (table, best.y[S:], best.y[:S], spent)]
    return ConstrainedSolution(
        value, numbers[0], Policy(float_array(probs)), numbers[1], numbers[2], numbers[3], best.pivots, mdp
    )
