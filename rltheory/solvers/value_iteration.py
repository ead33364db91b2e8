"""Value iteration: Jacobi or Gauss–Seidel sweeps, stopped by span, optionally eliminating actions.

Definitions.  B = TV − V, sp(B) = max B − min B.  Jacobi: V ← TV.  Gauss–Seidel: states in a given
order, each V(s) ← max_a [R + γPV](s, a) at once.

Stopping.  γ/(1−γ)·sp(B) ≤ 2·tol·max(1, ‖V‖).  Then V* is within tol·max(1, ‖V‖) of the midpoint of
the MacQueen–Porteus bounds, and the greedy policy loses at most twice that.  After a Gauss–Seidel
sweep with changes d, [min(d, 0), max(d, 0)] takes the place of [min B, max B].

Elimination.  With valid bounds L ≤ V* ≤ U, an action with R + γPU < L(s) is in no optimal policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from flint import fmpq
from numpy.typing import ArrayLike

from ..arrays import BoolVec, FloatVec, frozen, sup_norm
from ..errors import InvalidArgument
from ..kernels import certificate
from ..kernels import exact as rational
from ..kernels.pick import Device, check_device
from ..models.mdp import MDP
from ..operators._arrays import PairArrays, pair_arrays, some_pairs
from ..operators._device import pairs_on
from ..operators.bellman import q_pairs
from ..results.solution import Solution
from .base import (
    TOL,
    Bounds,
    Loop,
    certified,
    check_max_iter,
    check_tol,
    exact_stop,
    float_bounds,
    start_vector,
    sweep_to_tolerance,
    with_info,
)


@dataclass(frozen=True)
class ValueIteration:
    """V ← TV until the span of the residual certifies the tolerance.

    Parameters
    ----------
    tol
        Error allowed, relative to max(1, ‖V‖).
    max_iter
        Sweeps allowed; reaching it is Status.MAX_ITER, never silent.
    sweep
        "jacobi" (all states from the old values) or "gauss-seidel" (in place).
    order
        (S,) permutation of the states for Gauss–Seidel; 0..S−1 if None.
    V0
        (S,) start; zeros if None.
    eliminate
        Drop actions proven suboptimal as bounds tighten.  `info["eliminated"]` is the (S, A) mask
        of what was proven, `info["eliminated_at"]` the sweep at which each check found something.
    device
        "cuda" sweeps on a card (Jacobi, without elimination, models in doubles); the certificate is
        computed on the CPU as ever.

    Notes
    -----
    `Solution.residuals` holds sp(B) (for Gauss–Seidel the span of the changes) after each of the
    first 100 000 sweeps; `info["loss"]` bounds ‖V* − V^π‖.  Exact models are iterated in rationals,
    whose digits grow with every sweep; the bounds are then rationals too.

    Complexity: O(nnz(P)) a sweep; the span contracts at least like γ, like γ times the second
    eigenvalue for one recurrent class.

    Source: Puterman 1994, §6.6; MacQueen 1966; Porteus 1971.

    Examples
    --------
    >>> from rltheory import MDP
    >>> ValueIteration().run(MDP([[[1.0]]], [[1.0]], gamma=0.5)).V
    array([2.])
    """

    tol: float = TOL
    max_iter: int = 1_000_000
    sweep: Literal["jacobi", "gauss-seidel"] = "jacobi"
    order: Sequence[int] | None = None
    V0: ArrayLike | None = field(default=None, compare=False)
    eliminate: bool = False
    device: Device = "cpu"

    def __post_init__(self) -> None:
        check_tol(self.tol)
        check_max_iter(self.max_iter)
        if self.sweep not in ("jacobi", "gauss-seidel"):
            raise InvalidArgument(f"sweep={self.sweep!r}, must be 'jacobi' or 'gauss-seidel'")
        if self.order is not None and self.sweep == "jacobi":
            raise InvalidArgument("order: only used by sweep='gauss-seidel'; drop it or change sweep")
        check_device(self.device)
        if self.device != "cpu" and (self.eliminate or self.sweep != "jacobi"):
            raise InvalidArgument(f"device={self.device!r}, needs sweep='jacobi' and eliminate=False")

    def run(self, mdp: MDP, /) -> Solution:
        """Solve a discounted model in either number system."""
        order = self._order(mdp.S)
        if mdp.is_exact and self.device == "cpu":
            return self._exact(mdp, order)
        if self.eliminate:
            return self._eliminating(mdp, order)
        return sweep_to_tolerance(
            mdp, pairs_on(mdp, self.device), self._loop(order), start_vector(mdp, self.V0),
            type(self).__name__, self.tol, self.max_iter,
        )  # fmt: skip

    def _order(self, S: int) -> Any:
        if self.order is None:
            return frozen(np.arange(S).astype(np.uint32))
        order = np.asarray(self.order)
        if order.shape != (S,) or not np.array_equal(np.sort(order), np.arange(S)):
            raise InvalidArgument(f"order: must be a permutation of the states 0..{S - 1}")
        return frozen(order.astype(np.uint32))

    def _loop(self, order: Any) -> Loop:
        """The kernel loop as a function (pairs, V, tol, max_iter, spans) → (how, sweeps, lo, hi)."""

        def loop(pairs: PairArrays, V: FloatVec, tol: float, max_iter: int, spans: FloatVec) -> Any:
            rest = (tol, pairs.noise, float(sup_norm(pairs.R)), max_iter, spans)
            if self.sweep == "jacobi":
                return (*pairs.kernels.value_iteration(*pairs.model, V, *rest), 0)
            return (*pairs.kernels.gauss_seidel_iteration(*pairs.model, order, V, *rest), 0)

        return loop

    @np.errstate(all="ignore")
    def _eliminating(self, mdp: MDP, order: Any) -> Solution:
        """Chunks of sweeps on the surviving pairs; every elimination is rigorous."""
        pairs, V = pair_arrays(mdp), start_vector(mdp, self.V0)
        alive, found = np.arange(mdp.N), []
        done, chunk, spans = 0, 8, np.empty(0)
        while done < self.max_iter:
            how, n, _, _, _ = self._loop(order)(pairs, V, self.tol, min(chunk, self.max_iter - done), spans)
            done += n
            if how != 0:
                break
            chunk *= 2
            drop = suboptimal(pairs, mdp, V)
            if drop.any():
                found.append(done)
                alive = alive[~drop]
                pairs = some_pairs(
                    pairs, np.flatnonzero(~drop), np.searchsorted(mdp.pair_state[alive], np.arange(mdp.S + 1))
                )
        left = max(1, self.max_iter - done)
        sol = sweep_to_tolerance(
            mdp, pairs, self._loop(order), V, type(self).__name__, self.tol, left, done=done
        )
        drop = suboptimal(pairs, mdp, sol.V)
        alive = alive[~drop]
        mask = mdp.allowed.copy()
        mask[mdp.pair_state[alive], mdp.pair_action[alive]] = False
        return with_info(sol, eliminated=frozen(mask), eliminated_at=tuple(found))

    def _exact(self, mdp: MDP, order: Any) -> Solution:
        """The same sweeps in rationals."""
        m, V = mdp.rational, rational.to_fmpq_list(start_vector(mdp, self.V0))
        spans: list[float] = []
        stopped = False
        while len(spans) < self.max_iter and not stopped:
            if self.sweep == "jacobi":
                new = rational.backup(m, V)[0]
                change = [x - v for x, v in zip(new, V)]
                lo, hi = min(change), max(change)
            else:
                new = _exact_gauss_seidel(m, V, order.tolist())
                change = [x - v for x, v in zip(new, V)]
                lo, hi = min(*change, fmpq(0)), max(*change, fmpq(0))
            V = new
            spans.append(float(rational.from_fmpq(hi - lo)))
            stopped = exact_stop(m.gamma, V, lo, hi, self.tol)
        n = len(spans)
        sol = certified(
            mdp, rational.from_fmpq_list(V), solver=type(self).__name__, tol=self.tol, midpoint=True,
            max_iter_reached=not stopped, iterations=n, backups=n, residuals=spans,
        )  # fmt: skip
        if not self.eliminate:
            return sol
        best = q_pairs(mdp, sol.upper) < sol.lower[mdp.pair_state]
        mask = np.zeros_like(mdp.allowed)
        mask[mdp.pair_state, mdp.pair_action] = best
        return with_info(sol, eliminated=frozen(mask), eliminated_at=())


def suboptimal(pairs: PairArrays, mdp: MDP, V: FloatVec) -> BoolVec:
    """(n,) mask of the pairs of `pairs` proven to be in no optimal policy, from one backup of V.

    Rigorous: U and L are enclosures of V*, and the rounding of R + γPU is added to it.
    """
    bounds: Bounds = float_bounds(mdp, pairs, V)
    n = pairs.R.size
    if not bounds.finite:
        return np.zeros(n, dtype=np.bool_)
    q, mass = np.empty(n), np.empty(n)
    pairs.kernels.q_values(*pairs.model, bounds.upper.copy(), q)
    silent = (*pairs.model[:-3], frozen(np.zeros(n)), *pairs.model[-2:])
    pairs.kernels.q_values(*silent, np.abs(bounds.upper), mass)
    u = certificate.U
    slack = (pairs.longest + 4) * (u * mass + certificate.ETA) + 4 * u * np.abs(q)
    owner = np.repeat(np.arange(mdp.S), np.diff(pairs.model[-1].astype(np.int64)))
    return np.asarray(np.nextafter(q + slack, np.inf) < bounds.lower[owner])


def _exact_gauss_seidel(m: rational.RationalPairs, V: list[fmpq], order: list[int]) -> list[fmpq]:
    V = list(V)
    for s in order:
        V[s] = max(
            m.R[k]
            + m.gamma
            * sum((m.data[j] * V[m.indices[j]] for j in range(m.indptr[k], m.indptr[k + 1])), fmpq(0))
            for k in range(m.state_ptr[s], m.state_ptr[s + 1])
        )
    return V
