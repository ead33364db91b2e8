"""Projected distributional Bellman operators, Π T_π and Π T_*, on categorical and quantile laws.

Definitions.  (T_π η)(s) is the law of R + γG', A ~ π(·|s), (S', R) ~ p(·|s, A), G' ~ η(S').  Categorical
laws are rows of masses on one grid and Π_C splits mass linearly between grid points; quantile laws are
rows of m atoms of mass 1/m and Π_Q reads lower quantiles at (2i−1)/(2m).  T_* takes, state by state, the
law of the action with the largest mean of R + γG' (before projection; lowest action id on ties, which in
doubles are means within 1e-12·(1 + |mean|)).

Facts.  Π_C T_π contracts by γ in sup-w₁ and by √γ in sup-ℓ₂; Π_Q T_π by γ in sup-w_∞; T_* need not contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Entries, FloatVec, IntVec, Real, doubles, exact_array, float_array
from ..errors import InvalidArgument
from ..kernels import categorical as cat
from ..kernels import laws as flat
from ..kernels import quantile as quant
from ..models.mdp import MDP
from ..models.outcomes import OutcomeMDP
from ..models.policy import Policy
from ..results.law import Kind, ReturnLaw
from .outcome_chain import Chain, all_pairs, outcome_model, policy_chain

Laws = NDArray[Any]
"""(S, m): masses on a grid, or sorted atoms of equal mass."""

BLOCK = 128
"""Laws mixed at a time before they are projected: few enough to stay in cache."""
UNIFORM = 4 * 2.0**-52
"""Points of a grid within this many largest-point units of equal spacing count as equally spaced."""


class Backup(NamedTuple):
    """One application of Π T: the laws, mass clipped (categorical), and pairs chosen (control)."""

    laws: Laws
    clipped: NDArray[Any] | None = None
    pairs: IntVec | None = None


def categorical_bellman(
    model: OutcomeMDP | MDP, grid: Entries, pi: Policy | ArrayLike | None = None
) -> Callable[[Laws], Laws]:
    """Π_C T_π, or Π_C T_* without `pi`, on (S, m) masses over `grid`.

    Parameters
    ----------
    model
        Outcome lists with scalar rewards, or an `MDP`; rational models give rational masses.
    grid
        (m,) strictly increasing points, m ≥ 2.  Mass outside is moved to the ends: bounds and means need
        a grid that covers the returns.
    pi
        Policy to evaluate; None to choose the best mean in every state.

    Raises
    ------
    InvalidArgument
        For a grid that is not increasing, laws of another shape, a policy of another model.

    Complexity: O(m) per outcome.

    Examples
    --------
    >>> coin = OutcomeMDP.from_lists([[[(0.5, 0, 1.0), (0.5, 0, -1.0)]]], gamma=0.5)
    >>> categorical_bellman(coin, [-2.0, 0.0, 2.0])(np.array([[0.0, 1.0, 0.0]])).tolist()
    [[0.25, 0.5, 0.25]]
    """
    step = CategoricalStep(model, grid, pi)
    return lambda laws: step(laws).laws


def quantile_bellman(model: OutcomeMDP | MDP, pi: Policy | ArrayLike | None = None) -> Callable[[Laws], Laws]:
    """Π_Q T_π, or Π_Q T_* without `pi`, on (S, m) sorted atoms of mass 1/m.

    Parameters, errors as for `categorical_bellman`.  Complexity: O(bm log b) per pair of b outcomes.

    Examples
    --------
    >>> coin = OutcomeMDP.from_lists([[[(0.5, 0, 1.0), (0.5, 0, -1.0)]]], gamma=0.5)
    >>> quantile_bellman(coin)(np.array([[-1.0, 1.0]])).tolist()
    [[-1.5, 0.5]]
    """
    step = QuantileStep(model, pi)
    return lambda laws: step(laws).laws


class _Step:
    """What both projected operators share: the lists of π, or those of all pairs and the choice."""

    def __init__(self, model: OutcomeMDP | MDP, pi: Policy | ArrayLike | None = None) -> None:
        self.model = outcome_model(model)
        self.pi = pi if pi is None or isinstance(pi, Policy) else Policy(pi)
        self.chain = all_pairs(self.model) if self.pi is None else policy_chain(self.model, self.pi)
        self.rows = np.arange(self.chain.lists, dtype=np.uint64)
        self.state_ptr = self.model.state_ptr.astype(np.uint64)
        r, ptr = self.chain.reward, self.chain.ptr.astype(np.int64)
        same = np.ones(len(r), dtype=bool)
        same[1:] = r[1:] == r[:-1]
        same[ptr[:-1]] = True
        self.one_reward = bool(same.all())  # rewards known before the next state: laws mix first

    @property
    def is_exact(self) -> bool:
        return self.chain.is_exact

    def choose(self, means: NDArray[Any]) -> NDArray[np.uint64]:
        """Lists to use in each state, by the means of the laws of the next states."""
        c, arg = self.chain, np.empty(self.model.S, dtype=np.uint64)
        if not self.is_exact:
            q = np.empty(c.lists)
            cat.greedy(self.state_ptr, c.ptr, c.prob, c.next_state, c.reward, float(c.gamma), means, q, arg)
            return arg
        gain = np.add.reduceat(
            c.prob * (c.reward + c.gamma * means[c.next_state]), c.ptr[:-1].astype(np.int64)
        )
        for s in range(self.model.S):
            lo, hi = int(self.state_ptr[s]), int(self.state_ptr[s + 1])
            arg[s] = lo + int(np.argmax(gain[lo:hi]))
        return arg

    def checked(self, laws: Laws, m: int | None) -> Laws:
        laws = exact_array(laws) if self.is_exact else doubles(laws, "laws")
        if laws.ndim != 2 or laws.shape[0] != self.model.S or (m is not None and laws.shape[1] != m):
            raise InvalidArgument(
                f"laws: shape={laws.shape}, need ({self.model.S}, {m or 'm'}): a row a state"
            )
        return laws


class CategoricalStep(_Step):
    """Π_C T_π (or T_*) that also reports clipped mass and chosen pairs; see `categorical_bellman`."""

    def __init__(self, model: OutcomeMDP | MDP, grid: Entries, pi: Policy | ArrayLike | None = None) -> None:
        super().__init__(model, pi)
        self.grid = check_grid(grid, exact=self.is_exact)
        self.uniform = not self.is_exact and is_uniform(self.grid)

    def __call__(self, laws: Laws, out: Laws | None = None) -> Backup:
        """One backup of (S, m) masses, into `out` if given (doubles only)."""
        laws = self.checked(laws, len(self.grid))
        rows = self.rows if self.pi is not None else self.choose(laws @ self.grid)
        pairs = None if self.pi is not None else rows.astype(np.int64)
        if self.is_exact:
            return self._exact(laws, rows, pairs)
        out = np.empty_like(laws) if out is None else out
        clipped = np.empty(len(rows))
        c = self.chain
        lists = (c.ptr, c.prob, c.next_state, c.reward)
        if not self.one_reward:
            self._project(rows, lists, laws, out, clipped)
            return Backup(out, clipped, pairs)
        reward = c.reward[c.ptr[rows]]
        n = min(BLOCK, len(rows))
        mixed, every, one = np.empty((n, len(self.grid))), np.arange(n + 1, dtype=np.uint64), np.ones(n)
        for i in range(0, len(rows), n):
            part = slice(i, min(i + n, len(rows)))
            k = part.stop - i
            cat.mix(rows[part], *lists[:3], laws, mixed[:k])
            single = (every[: k + 1], one[:k], every[:k].astype(np.uint32), reward[part])
            self._project(every[:k], single, mixed, out[part], clipped[part])
        return Backup(out, clipped, pairs)

    def _project(self, rows: Any, lists: Any, laws: Laws, out: Laws, clipped: NDArray[Any]) -> None:
        gamma = float(self.chain.gamma)
        if self.uniform:
            lo, step = self.grid[0], (self.grid[-1] - self.grid[0]) / (len(self.grid) - 1)
            cat.backup_uniform(rows, *lists, gamma, lo, step, laws, out, clipped)
        else:
            cat.backup_grid(rows, *lists, gamma, self.grid, laws, out, clipped)

    def _exact(self, laws: Laws, rows: NDArray[np.uint64], pairs: IntVec | None) -> Backup:
        c, z = self.chain, self.grid
        out = np.full(laws.shape, Fraction(0), dtype=object)
        clipped = np.full(len(rows), Fraction(0), dtype=object)
        for i, row in enumerate(rows.tolist()):
            for k in c.entries(row):
                y, p = c.reward[k] + c.gamma * z, c.prob[k] * laws[c.next_state[k]]
                out[i] += flat.two_hot(z, y, p)
                clipped[i] += p[(y < z[0]) | (y > z[-1])].sum()
        return Backup(out, clipped, pairs)


class QuantileStep(_Step):
    """Π_Q T_π (or T_*) that also reports chosen pairs; see `quantile_bellman`."""

    def __call__(self, laws: Laws, out: Laws | None = None) -> Backup:
        """One backup of (S, m) atoms, into `out` if given (doubles only)."""
        laws = self.checked(laws, None)
        m = laws.shape[1]
        rows = self.rows if self.pi is not None else self.choose(laws.sum(axis=1) / m)
        pairs = None if self.pi is not None else rows.astype(np.int64)
        c = self.chain
        if not self.is_exact:
            out = np.empty_like(laws) if out is None else out
            quant.backup(rows, c.ptr, c.prob, c.next_state, c.reward, float(c.gamma), laws, out)
            return Backup(out, None, pairs)
        out = np.empty_like(laws)
        levels = flat.midpoint_levels(m, exact=True)
        for i, row in enumerate(rows.tolist()):
            x, p = self.target(row, laws)
            out[i] = flat.lower_quantile(x, flat.cumulative(p), levels)
        return Backup(out, None, pairs)

    def target(self, row: int, laws: Laws) -> tuple[NDArray[Any], NDArray[Any]]:
        """(T_π η) of one list before projection: sorted atoms and masses."""
        c, m = self.chain, laws.shape[1]
        x = np.concatenate([c.reward[k] + c.gamma * laws[c.next_state[k]] for k in c.entries(row)])
        p = np.concatenate([np.repeat(c.prob[k] / m, m) for k in c.entries(row)])
        return flat.merged(x, p)


# ---- grids, projections, distances ---------------------------------------------------------
def check_grid(grid: Entries, *, exact: bool) -> NDArray[Any]:
    """`grid` in the number system asked for; raises `InvalidArgument` unless strictly increasing, m ≥ 2."""
    z = exact_array(grid) if exact else float_array(grid)
    if z.ndim != 1 or len(z) < 2 or not (z[1:] > z[:-1]).all():
        raise InvalidArgument(
            f"grid: shape={z.shape}; need two or more increasing points, such as np.linspace(lo, hi, 51)"
        )
    if not exact and not np.isfinite(z).all():
        raise InvalidArgument("grid: a point is not finite; clip it to the range of the returns")
    return z


def is_uniform(grid: FloatVec) -> bool:
    """True when the points are equally spaced up to the rounding of `np.linspace`."""
    ideal = np.linspace(grid[0], grid[-1], len(grid))
    return bool(np.abs(grid - ideal).max() <= UNIFORM * np.abs(grid).max())


def categorical_projection(laws: Sequence[ReturnLaw], grid: Entries) -> Laws:
    """(S, m) masses of Π_C of each law on `grid`; exact if all laws and the grid are.

    w₁ moves by at most Δ/2 and ℓ₂² by Δ/4, Δ the widest cell, when the grid covers the atoms.
    """
    z, exact = _shared(laws, grid)
    z = check_grid(z, exact=exact)
    rows = [law if exact else law.floats() for law in laws]
    return np.array([flat.two_hot(z, law.atoms, law.probs) for law in rows])


def quantile_projection(laws: Sequence[ReturnLaw], m: int) -> Laws:
    """(S, m) atoms of Π_Q of each law: lower quantiles at (2i−1)/(2m); w₁ moves by at most range/(2m)."""
    exact = all(law.is_exact for law in laws)
    levels = flat.midpoint_levels(m, exact=exact)
    rows = [law if exact else law.floats() for law in laws]
    return np.array([flat.lower_quantile(law.atoms, law.cumulative, levels) for law in rows])


def categorical_laws(
    masses: Laws, grid: Entries, errors: Sequence[Real] | NDArray[Any] | None = None
) -> tuple[ReturnLaw, ...]:
    """Rows of masses on `grid` as laws; in doubles each row is divided by its sum."""
    exact = masses.dtype == object
    z = check_grid(grid, exact=exact)
    return _laws([z] * len(masses), masses, errors, "categorical")


def quantile_laws(atoms: Laws, errors: Sequence[Real] | NDArray[Any] | None = None) -> tuple[ReturnLaw, ...]:
    """Rows of m atoms of mass 1/m as laws."""
    m = atoms.shape[1]
    mass: Any = Fraction(1, m) if atoms.dtype == object else 1.0 / m
    return _laws(atoms, np.full(atoms.shape, mass, dtype=atoms.dtype), errors, "quantile")


def _laws(atoms: Any, masses: Laws, errors: Any, kind: Kind) -> tuple[ReturnLaw, ...]:
    out = []
    for i, (x, p) in enumerate(zip(atoms, masses, strict=True)):
        weights = p if p.dtype == object else p / p.sum()
        out.append(ReturnLaw(x, weights, error=0 if errors is None else errors[i], kind=kind))
    return tuple(out)


def sup_wasserstein(laws: Sequence[ReturnLaw], others: Sequence[ReturnLaw], p: float = 1) -> Any:
    """w̄_p = max_s w_p(η(s), η'(s)); rational between exact laws for p = 1, ∞."""
    return max(a.wasserstein(b, p) for a, b in zip(laws, others, strict=True))


def sup_cramer(laws: Sequence[ReturnLaw], others: Sequence[ReturnLaw]) -> Any:
    """ℓ̄₂² = max_s ∫ (F − F')², the squared distance; rational between exact laws."""
    return max(a.cramer(b) for a, b in zip(laws, others, strict=True))


def _shared(laws: Sequence[ReturnLaw], grid: Entries) -> tuple[Any, bool]:
    points = np.asarray(grid)
    exact = all(law.is_exact for law in laws) and points.dtype.kind in "iuO"
    return points, exact


def chain_of(step: _Step, rows: NDArray[np.uint64]) -> Chain:
    """The lists `rows` of a step as a chain of their own."""
    c = step.chain
    count = np.diff(c.ptr.astype(np.int64)).astype(np.int64)[rows]
    ends = np.cumsum(count)
    take = np.arange(ends[-1]) - np.repeat(ends - count, count)
    take = take + np.repeat(c.ptr.astype(np.int64)[rows], count)
    ptr = np.concatenate([[0], ends]).astype(np.uint64)
    return Chain(ptr, c.prob[take], c.next_state[take], c.reward[take], c.gamma)
