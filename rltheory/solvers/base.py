"""What all solvers share: the protocol, the certificate of a value vector, the stopping status.

Accuracy.  `tol` is relative to max(1, ‖V‖): a solution is SOLVED when its rigorous error bound is at
most tol·max(1, ‖V‖).  The bound comes from one backup of the final V with every rounding error
counted (`kernels.certificate`), not from the iteration; so SOLVED is never a matter of trust.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from flint import fmpq
from numpy.typing import ArrayLike

from ..arrays import FloatVec, IntVec, StateVec, float_array, frozen, sup_norm
from ..errors import InvalidArgument
from ..kernels import certificate
from ..kernels import exact as rational
from ..kernels.bellman_csr import CONVERGED, MAX_ITER, STALLED
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators._arrays import (
    PairArrays,
    chosen_rows,
    csr_arrays,
    float_vector,
    pair_arrays,
    read_only,
    row_bounds,
)
from ..operators.bellman import TIE, greedy, state_vector
from ..operators.policy import pair_entries, policy_rows, policy_weights
from ..results.solution import Solution, Status, Step, error_bound

M_contra = TypeVar("M_contra", contravariant=True)
T_co = TypeVar("T_co", covariant=True)

TOL = 1e-8
"""Default accuracy, relative to max(1, ‖V‖)."""
SPANS = 100_000
"""Residual spans kept of a run."""


class Solver(Protocol[M_contra, T_co]):
    """A frozen value with one method: `run(model)` returns a frozen result."""

    def run(self, model: M_contra, /) -> T_co:
        """Solve `model`."""
        ...


class Bounds(NamedTuple):
    """(S,) rigorous bounds on a fixed point; floats or rationals."""

    lower: StateVec
    upper: StateVec

    @property
    def finite(self) -> bool:
        """False when rounding, overflow or NaN left an infinite bound."""
        return bool(np.isfinite(float_array(self.lower)).all() and np.isfinite(float_array(self.upper)).all())


def check_tol(tol: object) -> float:
    """`tol` as a positive float; raises `InvalidArgument` otherwise."""
    if not isinstance(tol, (int, float, Fraction)) or not 0 < tol < math.inf:
        raise InvalidArgument(
            f"tol={tol!r}, must be a positive number: the error allowed, relative to max(1, ‖V‖)"
        )
    return float(tol)


def check_max_iter(max_iter: object) -> int:
    """`max_iter` as an int ≥ 1; raises `InvalidArgument` otherwise."""
    if isinstance(max_iter, bool) or not isinstance(max_iter, (int, np.integer)) or max_iter < 1:
        raise InvalidArgument(f"max_iter={max_iter!r}, must be an integer ≥ 1")
    return int(max_iter)


def start_vector(mdp: MDP, V0: ArrayLike | None) -> StateVec:
    """A fresh (S,) start in the model's number system: V0, or zeros."""
    if V0 is None:
        return np.array([Fraction(0)] * mdp.S, dtype=object) if mdp.is_exact else np.zeros(mdp.S)
    if np.asarray(V0).dtype.kind == "f" and not np.isfinite(V0).all():
        raise InvalidArgument("V0: not finite; start from zeros or any finite vector")
    return state_vector(mdp, V0).copy()


def optimal_bounds(mdp: MDP, V: ArrayLike, *, with_rounding: bool = True) -> Bounds:
    """lower ≤ V* ≤ upper from one backup of V (MacQueen–Porteus, rounding included).

    Parameters
    ----------
    mdp
        Model in either number system.
    V
        (S,) any finite values; the closer to V*, the tighter the bounds.
    with_rounding
        False drops the rounding terms: not a bound, only for tests of the certificate.

    Returns
    -------
    Bounds
        (S,) each; width about (γ·sp(TV − V) + 2·rounding)/(1 − γ).  Infinite where γ times the
        largest row sum is not below one, or V is not finite.

    Complexity: one backup.
    """
    if mdp.is_exact:
        return _exact_bounds(mdp, state_vector(mdp, V), None)
    return float_bounds(mdp, pair_arrays(mdp), float_vector(V, mdp.S), with_rounding)


def policy_bounds(mdp: MDP, pi: Policy, V: ArrayLike, *, with_rounding: bool = True) -> Bounds:
    """lower ≤ V^π ≤ upper from one backup of V by T^π; otherwise as `optimal_bounds`.

    Probabilities of a stochastic policy over rationals are honoured as such on float models, their
    rounding being part of the bound.
    """
    if mdp.is_exact:
        return _exact_bounds(mdp, state_vector(mdp, V), pi.exact())
    V = float_vector(V, mdp.S)
    if pi.is_deterministic:
        return float_bounds(mdp, chosen_rows(pair_arrays(mdp), policy_rows(mdp, pi)), V, with_rounding)
    exact_weights = policy_weights(mdp, pi)
    weights = float_array(exact_weights)
    if exact_weights.dtype == object and ((weights < 1e-300) & (exact_weights != 0)).any():
        raise InvalidArgument("policy: a probability below 1e-300 is lost in doubles; use mdp.exact()")
    lo, hi = np.empty(mdp.S), np.empty(mdp.S)
    model = csr_arrays(mdp)
    smin, smax = certificate.enclose_policy_backup_csr(*model, read_only(weights), V, lo, hi, with_rounding)
    return Bounds(
        *certificate.enclose_fixed_point(
            V, lo, hi, float(mdp.gamma), smin, smax, read_only(mdp.terminal), with_rounding
        )
    )


def float_bounds(mdp: MDP, pairs: PairArrays, V: FloatVec, with_rounding: bool = True) -> Bounds:
    """Bounds on the fixed point of the pairs given, which may be a subset of those of `mdp`."""
    return _one_backup(mdp, pairs, np.array(V), with_rounding=with_rounding).bounds


class _Backup(NamedTuple):
    """Bounds on V*, the estimate V moved into them, the greedy rows, and a bound on V* − V^π of those."""

    bounds: Bounds
    V: FloatVec
    rows: IntVec
    loss: float


def _one_backup(
    mdp: MDP,
    pairs: PairArrays,
    V: FloatVec,
    *,
    slack: float = 0.0,
    midpoint: bool = False,
    with_rounding: bool = True,
) -> _Backup:
    """All that one backup of V certifies; V, fresh, is overwritten."""
    z, rows, lower, upper = np.empty(mdp.S), np.empty(mdp.S, np.int64), np.empty(mdp.S), np.empty(mdp.S)
    known, gamma = row_bounds(mdp, pairs), float(mdp.gamma)
    e, size = certificate.backup_error(pairs.longest, gamma, known.smax, float(sup_norm(V)), known.rmax)
    lo, hi, short = pairs.kernels.greedy_backup(*pairs.model, V, slack, z, rows)
    sub, add, loss = certificate.fixed_point_offsets(
        lo, hi, short, e, size, gamma, known.smin, known.smax, with_rounding
    )
    certificate.enclose(z, sub, add, read_only(mdp.terminal), V, midpoint, lower, upper)
    return _Backup(Bounds(lower, upper), V, rows, loss)


def _exact_bounds(mdp: MDP, V: StateVec, pi: Policy | None) -> Bounds:
    """The same bounds in rationals: exact, but rows may still sum to 1 ± ulp (`MDP.exact`)."""
    m, zero = mdp.rational, fmpq(0)
    v = rational.to_fmpq_list(V)
    q = rational.q_pairs(m, v)
    sums = [sum(m.data[m.indptr[k] : m.indptr[k + 1]], zero) for k in range(m.N)]
    if pi is None:
        tv = rational.maximise(m.state_ptr, q)[0]
    else:
        entries = pair_entries(mdp, pi)
        tv = [sum((w * q[k] for k, w in row), zero) for row in entries]
        sums = [sum((w * sums[k] for k, w in row), zero) for row in entries]
    alpha, beta = m.gamma * max(sums), m.gamma * min(sums)
    if alpha >= 1:
        nothing = np.full(mdp.S, np.inf, dtype=object)
        return Bounds(-nothing, nothing)
    high, low = max(t - x for t, x in zip(tv, v)), min(t - x for t, x in zip(tv, v))
    add = high * alpha / (1 - alpha) if high >= 0 else high * beta / (1 - beta)
    sub = low * alpha / (1 - alpha) if low <= 0 else low * beta / (1 - beta)
    ends = [[zero if done else t + c for t, done in zip(tv, mdp.terminal.tolist())] for c in (sub, add)]
    return Bounds(*(rational.from_fmpq_list(e) for e in ends))


def _greedy_certificate(mdp: MDP, V: ArrayLike, midpoint: bool) -> tuple[FloatVec, Bounds, Policy, float]:
    """(V, bounds, greedy policy, loss) of a float model from one backup."""
    point = float_vector(V, mdp.S)
    norm = float(sup_norm(point))
    if not math.isfinite(norm):
        pi = greedy(mdp, np.zeros(mdp.S))
        return point, float_bounds(mdp, pair_arrays(mdp), point.copy()), pi, math.inf
    got = _one_backup(mdp, pair_arrays(mdp), point, slack=TIE * max(1.0, norm), midpoint=midpoint)
    return got.V, got.bounds, Policy.trusted(mdp.chosen_actions(got.rows), mdp.A), float(got.loss)


def _certificate_in_parts(
    mdp: MDP, V: ArrayLike, pi: Policy | None, evaluated: bool, midpoint: bool
) -> tuple[StateVec, Bounds, Policy, Any]:
    """The same where the policy is given or the model rational; no loss if `evaluated`."""
    bounds = policy_bounds(mdp, pi, V) if evaluated and pi is not None else optimal_bounds(mdp, V)
    V = state_vector(mdp, V)
    if pi is None and not np.isfinite(float_array(V)).all():
        pi = greedy(mdp, np.zeros(mdp.S))
    if bounds.finite:
        if midpoint:
            V = bounds.lower + (bounds.upper - bounds.lower) / 2
        V = np.minimum(np.maximum(V, bounds.lower), bounds.upper)
    pi = greedy(mdp, V) if pi is None else pi
    if evaluated:
        return V, bounds, pi, None
    own = policy_bounds(mdp, pi, V)
    bounds = Bounds(np.maximum(bounds.lower, own.lower), bounds.upper)
    loss = (bounds.upper - own.lower).max()
    if bounds.finite:
        V = np.maximum(V, bounds.lower)
    return V, bounds, pi, loss if mdp.is_exact else float(np.nextafter(loss, np.inf))


@np.errstate(all="ignore")
def certified(
    mdp: MDP,
    V: ArrayLike,
    pi: Policy | None = None,
    *,
    solver: str,
    tol: float = TOL,
    evaluated: bool = False,
    midpoint: bool = False,
    max_iter_reached: bool = False,
    iterations: int = 0,
    backups: int = 0,
    evaluations: int = 0,
    residuals: Sequence[float] = (),
    trace: Sequence[Step] = (),
    info: Mapping[str, Any] | None = None,
) -> Solution:
    """The `Solution` of a value estimate: rigorous bounds, policy, and the status they justify.

    Parameters
    ----------
    mdp
        Model in either number system.
    V
        (S,) estimate of V* (of V^π if `evaluated`).
    pi
        The policy to report; greedy for V if None.
    solver
        Name of the algorithm.
    tol
        Accuracy asked for, relative to max(1, ‖V‖).
    evaluated
        True encloses V^π instead of V*.
    midpoint
        True reports the middle of the bounds as V; False reports V, moved into the bounds.
    max_iter_reached
        True if an iteration limit ended the run: decides between MAX_ITER and STALLED.
    iterations, backups, evaluations, residuals, trace, info
        Passed through.

    Returns
    -------
    Solution
        `info["loss"]` bounds ‖V* − V^π‖ for control problems.

    Complexity: one backup; two or three with `pi` or in rationals.
    """
    extra = dict(info or {})
    if pi is None and not evaluated and not mdp.is_exact:
        V, bounds, pi, extra["loss"] = _greedy_certificate(mdp, V, midpoint)
    else:
        V, bounds, pi, loss = _certificate_in_parts(mdp, V, pi, evaluated, midpoint)
        if loss is not None:
            extra["loss"] = loss
    error = error_bound(V, bounds.lower, bounds.upper)
    if not bounds.finite or not error < math.inf:
        usable = max_iter_reached and bool(np.isfinite(float_array(V)).all())
        status = Status.MAX_ITER if usable else Status.FAILED
    elif mdp.is_exact and error == 0:
        status = Status.EXACT
    elif error <= tol * max(1, sup_norm(V)):
        status = Status.SOLVED
    else:
        status = Status.MAX_ITER if max_iter_reached else Status.STALLED
    return Solution(
        V=frozen(V),
        lower=frozen(bounds.lower),
        upper=frozen(bounds.upper),
        pi=pi,
        status=status,
        solver=solver,
        mdp=mdp,
        iterations=iterations,
        backups=backups,
        evaluations=evaluations,
        residuals=tuple(residuals),
        trace=tuple(trace),
        info=MappingProxyType(extra),
    )


def with_info(sol: Solution, **extra: Any) -> Solution:
    """`sol` with more entries in `info`."""
    return replace(sol, info=MappingProxyType({**sol.info, **extra}))


Loop = Callable[[PairArrays, FloatVec, float, int, FloatVec], tuple[int, int, float, float, int]]
"""(pairs, V in place, tol, max_iter, spans out) → (how, steps, lo, hi, extra sweeps)."""


@np.errstate(all="ignore")
def sweep_to_tolerance(
    mdp: MDP, pairs: PairArrays, loop: Loop, V: FloatVec, name: str, tol: float, max_iter: int, done: int = 0
) -> Solution:
    """Run a kernel loop until the certificate meets `tol`, tightening its own rule where rounding ate it.

    `done` sweeps were made before; `max_iter` counts those of this call.
    """
    spans = np.empty(min(max_iter, SPANS))
    total, extra, goal = 0, 0, tol
    while True:
        how, n, lo, hi, more = loop(pairs, V, goal, max_iter - total, spans[total:])
        total, extra = total + n, extra + more
        point = V
        if how in (CONVERGED, STALLED):
            shift = float(mdp.gamma) / (1.0 - float(mdp.gamma)) * 0.5 * (lo + hi)
            point = V + shift
        sol = certified(
            mdp,
            point,
            solver=name,
            tol=tol,
            midpoint=True,
            max_iter_reached=how == MAX_ITER,
            iterations=done + total,
            backups=done + total + extra,
            evaluations=extra,
            residuals=spans[:total].tolist(),
        )
        if sol.status.ok or how != CONVERGED or total >= max_iter or goal < tol / 64:
            return sol
        goal /= 4


def exact_stop(gamma: fmpq, V: Sequence[fmpq], lo: fmpq, hi: fmpq, tol: float) -> bool:
    """γ/(1−γ)·(hi − lo) ≤ 2·tol·max(1, ‖midpoint‖), in rationals."""
    factor = gamma / (1 - gamma)
    shift = factor * (lo + hi) / 2
    norm = max(abs(max(V) + shift), abs(min(V) + shift), fmpq(1))
    return bool(factor * (hi - lo) <= 2 * rational.to_fmpq(tol) * norm)
