"""Laws of the return of a policy: categorical and quantile fixed points, and atoms over a horizon.

Definitions.  η^π(s) is the law of Σ_t γ^t R_{t+1} from s under π.  The categorical law is the fixed point
of Π_C T_π on a grid, the quantile law that of Π_Q T_π on m equal atoms; over a horizon H both operators
are applied H times to δ_0.

Stopping rule.  Sweeps η ← Π T_π η start at δ_{V^π(s)} and end when γ/(1−γ) times the sup distance of the
last two (w₁ for categorical laws, w_∞ for quantile laws) is at most `tol`; it bounds what is left to the
fixed point.  Rationals: the categorical fixed point by one linear solve, the quantile one by following
each atom to the atom it comes from, confirmed by one exact backup.

Error.  Every law carries a bound on w₁ to η^π(s), `_law_bounds`: the smallest that applies, plus
iteration and rounding.

Without a policy, actions maximise the mean: over a horizon at every step (lowest action id on ties,
`actions` in the result); otherwise the optimal policy of `solve` is evaluated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Entries, exact_array, frozen
from ..errors import InvalidArgument
from ..kernels import categorical as cat
from ..kernels import quantile as quant
from ..kernels.pick import Device
from ..models._build import check_size
from ..models.mdp import MDP
from ..models.outcomes import OutcomeMDP
from ..models.policy import Policy
from ..operators.distributional import CategoricalStep, QuantileStep, chain_of
from ..operators.outcome_chain import Chain, all_pairs, outcome_model, policy_chain
from ..results.distributional import DistributionalSolution
from ..results.solution import Status
from . import _law_bounds as bound
from ._law_card import check_card
from ._law_fixed_points import categorical_exact, mean_values, quantile_exact, sweep
from ._law_setup import cat_start, check, default_grid, policy_of, reach

Model = OutcomeMDP | MDP

OUTSIDE = 1e-9
"""Cells by which rounding may leave a return outside the grid."""


@dataclass(frozen=True)
class CategoricalEvaluation:
    """η = Π_C T_π η: the law of the return on a grid, means exact, spread over-stated, never under-stated.

    Parameters
    ----------
    grid
        (m,) increasing points that cover all returns, [r_min, r_max]/(1−γ) or the sums of H rewards; by
        default `atoms` equally spaced points over just that range.
    atoms
        Points of the default grid, m ≥ 2.
    H
        Horizon; None for the infinite one (γ < 1).
    tol
        Bound asked for on the distance to the fixed point, in units of the return; > 0.
    max_iter
        Most backups.
    device
        "cuda": sweeps on a card (doubles, no horizon); the last backup and every bound are the CPU's.

    Notes
    -----
    w₁ error at most Δ/(2√(1−γ²)) for cells of width Δ (Δ/2 √Σ_{t<H} γ^{2t} over a horizon), less where
    the variances of the splits are smaller, Δ/2 where cells nest.  Laws dominate the true ones in convex
    order: E f is over-stated for convex f, CVaR under-stated.

    Complexity: O(outcomes · m) a backup, log(1/tol)/log(1/γ) backups.  Source: Rowland et al. 2018;
    Ávila Pires et al. 2025.

    Examples
    --------
    >>> coin = OutcomeMDP.from_lists([[[(0.5, 0, 1.0), (0.5, 0, -1.0)]]], gamma=0.5)
    >>> law = CategoricalEvaluation(atoms=5).run(coin, [0]).law(0)
    >>> law.probs.round(6).tolist(), round(float(law.error), 6)
    ([0.125, 0.25, 0.25, 0.25, 0.125], 0.408248)
    """

    grid: Entries | None = None
    atoms: int = 51
    H: int | None = None
    tol: float = 1e-8
    max_iter: int = 1_000_000
    device: Device = "cpu"

    def run(self, model: Model, pi: Policy | ArrayLike | None = None) -> DistributionalSolution:
        """The laws of every state.

        Raises
        ------
        InvalidArgument
            For a grid that does not cover the returns, γ = 1 without a horizon, vector rewards, a policy
            of another model.
        """
        m = outcome_model(model)
        check(m, self.H, self.tol)
        check_card(self.device, m.is_exact, self.H)
        if self.H is None:
            policy = policy_of(m, pi)
            chain = policy_chain(m, policy)
            step = CategoricalStep(m, self._grid(chain), policy)
            if step.is_exact:
                rows = categorical_exact(chain, step.grid)
                return self._finish(m, policy, step, chain, rows, Status.EXACT, 0, 0)
            start = cat_start(mean_values(m, policy), step.grid)
            rows, n, left, ok = sweep(step, start, self.tol, self.max_iter, _grid_gap(step.grid), self.device)
            return self._finish(m, policy, step, chain, rows, ok, n, left)
        policy_or_none = None if pi is None else policy_of(m, pi)
        step = CategoricalStep(
            m, self._grid(policy_chain(m, pi) if pi is not None else all_pairs(m)), policy_or_none
        )
        return self._horizon(m, policy_or_none, step, self.H)

    def _grid(self, chain: Chain) -> Any:
        if self.grid is None:
            return default_grid(chain, self.H, self.atoms)
        low, high = reach(chain, self.H)
        z = exact_array(self.grid) if chain.is_exact else np.asarray(self.grid, dtype=float)
        if z.ndim == 1 and len(z) > 1:
            loose: Any = 0 if chain.is_exact else OUTSIDE * float(max(z[1] - z[0], z[-1] - z[-2]))
            if not (z[0] <= low + loose and z[-1] >= high - loose):
                raise InvalidArgument(
                    f"grid: covers [{z[0]}, {z[-1]}], returns may fill [{low}, {high}]; mass outside would "
                    f"be moved and no bound hold: pass grid=np.linspace({low}, {high}, m) or atoms=m"
                )
        return self.grid

    def _finish(
        self, m: OutcomeMDP, pi: Policy, step: CategoricalStep, chain: Chain, rows: Any, status: Status,
        n: int, left: Any,
    ) -> DistributionalSolution:  # fmt: skip
        g, z = chain.gamma, step.grid
        cell = (z[1:] - z[:-1]).max()
        noise: Any = 0 if step.is_exact else bound.rounding(chain, z)
        iteration = (g * left + noise) / (1 - g)
        split, clip = bound.split_and_clip(chain, z, rows)
        D = bound.discounted_sum(chain, split + cell * g * iteration, g * g)
        C = bound.discounted_sum(chain, clip, g)
        plain = bound.up(float(cell) / (2 * math.sqrt(1 - float(g) ** 2)))
        sharp = np.array([bound.root(d) for d in D.tolist()])
        nested = bound.nests(chain, z)
        reason = "splits add in quadrature"
        projection: Any = np.minimum(sharp, plain)
        if nested and not clip.any() and projection.max() > cell / 2:
            reason, projection = "cells nest", np.minimum(projection, float(cell) / 2)
        if step.is_exact and (projection == 0).all():
            errors = exact_array(C)
        else:
            errors = bound.up(projection + C.astype(float) + float(iteration))
        parts = {
            "iteration": iteration,
            "quadrature": plain,
            "variance": sharp,
            "clip": C,
            "nesting": cell / 2 if nested else None,
        }
        return DistributionalSolution(
            frozen(rows), frozen(errors), frozen(z), pi, status, "CategoricalEvaluation", m,
            reason=reason, iterations=n, residual=left, bounds=MappingProxyType(parts),
            clipped=step(rows).clipped.max(),  # type: ignore[union-attr]
        )  # fmt: skip

    def _horizon(
        self, m: OutcomeMDP, pi: Policy | None, step: CategoricalStep, H: int
    ) -> DistributionalSolution:
        z, g = step.grid, m.gamma
        exact = step.is_exact
        zero: Any = Fraction(0) if exact else 0.0
        rows = cat_start(np.full(m.S, zero, dtype=z.dtype), z)
        at = int(np.clip(np.searchsorted(z, zero, side="right") - 1, 0, len(z) - 2))
        D = np.full(m.S, max((zero - z[at]) * (z[at + 1] - zero), zero), dtype=z.dtype)
        C, rounded, worst = np.full(m.S, zero, dtype=z.dtype), zero, zero
        actions = None if pi is not None else np.empty((H, m.S), dtype=np.int64)
        for t in range(H - 1, -1, -1):
            back = step(rows)
            chain = step.chain
            if actions is not None:
                assert back.pairs is not None
                chain = chain_of(step, back.pairs.astype(np.uint64))
                actions[t] = m.pair_action[back.pairs]
            split, clip = bound.split_and_clip(chain, z, rows)
            noise: Any = 0 if exact else bound.rounding(chain, z)
            rounded = g * rounded + noise
            D = split + g * g * chain.expect(D)
            C = clip + g * chain.expect(C)
            rows = back.laws
            worst = max(worst, back.clipped.max())  # type: ignore[union-attr]
        projection: Any = np.array([bound.root(d) for d in D.tolist()])
        if exact and (projection == 0).all():
            errors = exact_array(C)
        else:  # variances were taken under rounded laws: each is off by at most a cell times what was rounded
            cell = float((z[1:] - z[:-1]).max())
            extra = math.sqrt(cell * float(rounded) * H)
            errors = bound.up(projection + extra + C.astype(float) + float(rounded))
        return DistributionalSolution(
            frozen(rows), frozen(errors), frozen(z), pi, Status.EXACT if exact else Status.SOLVED,
            "CategoricalEvaluation", m, H, "splits add in quadrature", H,
            bounds=MappingProxyType({"variance": projection, "clip": C, "iteration": rounded}),
            actions=actions, clipped=worst,
        )  # fmt: skip


@dataclass(frozen=True)
class QuantileEvaluation:
    """θ = Π_Q T_π θ: the return as m equal atoms at lower quantiles; needs no range, but biases the mean.

    Parameters
    ----------
    atoms
        m ≥ 1; m = 1 keeps lower medians.
    H
        Horizon; None for the infinite one (γ < 1).
    tol
        Bound asked for on the distance to the fixed point, in units of the return; > 0.
    max_iter
        Most backups.
    device
        "cuda": sweeps on a card (doubles, no horizon); the last backup and every bound are the CPU's.

    Notes
    -----
    w₁ error at most R̂/(2m(1−γ)), R̂ the largest range of an unprojected backup; what is reported sums the
    distances that projections moved, discounted along the policy, and holds for any iterate.

    Complexity: O(bm log b) a state and backup.  Source: Dabney et al. 2018; Ávila Pires et al. 2025.

    Examples
    --------
    >>> coin = OutcomeMDP.from_lists([[[(0.5, 0, 1.0), (0.5, 0, -1.0)]]], gamma=0.5)
    >>> law = QuantileEvaluation(atoms=1).run(coin, [0]).law(0)
    >>> round(float(law.atoms[0]), 6), round(float(law.error), 6)
    (-2.0, 2.0)
    """

    atoms: int = 51
    H: int | None = None
    tol: float = 1e-8
    max_iter: int = 1_000_000
    device: Device = "cpu"

    def __post_init__(self) -> None:
        check_size("QuantileEvaluation", atoms=self.atoms)

    def run(self, model: Model, pi: Policy | ArrayLike | None = None) -> DistributionalSolution:
        """The laws of every state.

        Raises
        ------
        InvalidArgument
            For γ = 1 without a horizon, vector rewards, a policy of another model.
        """
        m = outcome_model(model)
        check(m, self.H, self.tol)
        check_card(self.device, m.is_exact, self.H)
        if self.H is not None:
            return self._horizon(m, None if pi is None else policy_of(m, pi), self.H)
        policy = policy_of(m, pi)
        chain, step = policy_chain(m, policy), QuantileStep(m, policy)
        floats = QuantileStep(m.float(), policy.float() if step.is_exact else policy)
        start = np.repeat(mean_values(m.float(), floats.pi)[:, None], self.atoms, axis=1)
        rows, n, left, status = sweep(floats, start, self.tol, self.max_iter, _atom_gap, self.device)
        if step.is_exact:
            rows, fixed = quantile_exact(step, rows)
            gap: Any = bound.target_gap(chain, rows, rows)
            errors = bound.discounted_sum(chain, gap, chain.gamma)
            status, left = (Status.EXACT, 0) if fixed else (Status.STALLED, left)
        else:
            gap = self._gap(chain, rows, rows)
            errors = bound.up(bound.discounted_sum(chain, gap, chain.gamma))
        width = _widest(chain, rows)
        plain = width / (2 * self.atoms * (1 - chain.gamma))
        return DistributionalSolution(
            frozen(rows), frozen(errors), None, policy, status, "QuantileEvaluation", m,
            reason="distances moved by projections, discounted", iterations=n, residual=left,
            bounds=MappingProxyType({"range": plain, "moved": gap}),
        )  # fmt: skip

    def _gap(self, chain: Chain, rows: Any, own: Any) -> NDArray[np.float64]:
        """w₁ between `own` and T η, η = `rows`, with rounding."""
        out = np.empty(chain.lists)
        lists = (chain.ptr, chain.prob, chain.next_state, chain.reward)
        every = np.arange(chain.lists, dtype=np.uint64)
        quant.projection_error(every, *lists, float(chain.gamma), rows, own, out)
        widest = int(np.diff(chain.ptr.astype(np.int64)).max()) + 1
        size = float(np.abs(rows).max() + np.abs(chain.reward).max())
        off = float(np.abs(chain.expect(np.ones(len(rows))) - 1).max())
        return out + (8 * widest * self.atoms * bound.UNIT + off) * 2 * size

    def _horizon(self, m: OutcomeMDP, pi: Policy | None, H: int) -> DistributionalSolution:
        step = QuantileStep(m, pi)
        zero: Any = Fraction(0) if step.is_exact else 0.0
        rows = np.full((m.S, self.atoms), zero, dtype=m.prob.dtype)
        errors = np.full(m.S, zero, dtype=m.prob.dtype)
        actions = None if pi is not None else np.empty((H, m.S), dtype=np.int64)
        for t in range(H - 1, -1, -1):
            back = step(rows)
            chain = step.chain
            if actions is not None:
                assert back.pairs is not None
                chain = chain_of(step, back.pairs.astype(np.uint64))
                actions[t] = m.pair_action[back.pairs]
            if step.is_exact:
                errors = bound.target_gap(chain, rows, back.laws) + m.gamma * chain.expect(errors)
            else:
                errors = bound.up(self._gap(chain, rows, back.laws) + m.gamma * chain.expect(errors))
            rows = back.laws
        return DistributionalSolution(
            frozen(rows), frozen(errors), None, pi, Status.EXACT if step.is_exact else Status.SOLVED,
            "QuantileEvaluation", m, H, "distances moved by projections, discounted", H, actions=actions,
        )  # fmt: skip


# ---- distances of iterates ------------------------------------------------------------------
def _grid_gap(grid: NDArray[Any]) -> Any:
    def gap(a: NDArray[Any], b: NDArray[Any]) -> float:
        out = np.empty(len(a))
        cat.distances(a, b, grid, False, out)
        return float(out.max())

    return gap


def _atom_gap(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.abs(a - b).max())


def _widest(chain: Chain, rows: NDArray[Any]) -> Any:
    """R̂: the largest range of r + γθ over the outcomes of a list."""
    at = chain.ptr[:-1].astype(np.int64)
    low = np.minimum.reduceat(chain.reward + chain.gamma * rows[chain.next_state, 0], at)
    high = np.maximum.reduceat(chain.reward + chain.gamma * rows[chain.next_state, -1], at)
    return (high - low).max()
