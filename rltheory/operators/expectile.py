"""Expectiles, and the Bellman operators built on them, in either number system.

Definitions.  For a finite law X and 0 < τ < 1, m_τ(X) = argmin_m E[|τ − 1{X<m}|(X−m)²] is the root of

    τ E[(X−m)₊] = (1−τ) E[(m−X)₊],

between the mean (τ = ½) and the largest atom (τ → 1).  It is not a quantile: P(X < m_τ) can be anything.

With behaviour μ and Q_V = R + γPV, the *implicit* operator is (T_τV)(s) = m_τ{Q_V(s,a) w.p. μ(a|s)};
the *one-level* operator takes the expectile of {R(s,a) + γV(s') w.p. μ(a|s)P(s'|s,a)}: over the luck of
the transition as well.  Both are monotone γ-contractions in the sup norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq
from numpy.typing import ArrayLike, NDArray

from ..arrays import (
    Entries,
    FloatVec,
    IntVec,
    PairVec,
    Real,
    StateVec,
    exact_array,
    float_array,
    plain_array,
    to_fraction,
)
from ..errors import InvalidArgument
from ..kernels import exact as rational
from ..kernels.certificate import ETA, U
from ..kernels.expectile import expectile_exact, expectile_rows
from ..models.mdp import MDP
from ..models.policy import Policy
from ._arrays import numbers, pair_arrays, read_only
from .bellman import q_pairs, state_vector
from .policy import as_policy, policy_weights

ROW_TOL = 1e-12
"""Largest |Σp − 1| accepted for a law in doubles."""


def check_tau(tau: object, *, exact: bool) -> Any:
    """τ as a float, or a `Fraction` for exact work; refused outside (0, 1)."""
    ok = isinstance(tau, (int, float, Fraction, np.integer, np.floating)) and not isinstance(tau, bool)
    if not ok or not 0 < tau < 1:  # type: ignore[operator]
        raise InvalidArgument(
            f"tau={tau!r}, must be a number in (0, 1); τ = 1/2 is the mean, τ → 1 the maximum"
        )
    level = to_fraction(tau) if exact else float(tau)  # type: ignore[arg-type]
    if not 0 < level < 1:
        raise InvalidArgument(f"tau={tau!r} rounds to {level} in doubles; use an exact model or Fractions")
    return level


def expectile(atoms: Entries, probs: Entries, tau: Real) -> Any:
    """m_τ(X) = argmin_m E[|τ − 1{X<m}|(X−m)²].

    Parameters
    ----------
    atoms
        (n,) values, any order, repeats allowed.
    probs
        (n,) probabilities; atoms of probability zero are dropped.
    tau
        Level in (0, 1); ½ gives the mean.

    Returns
    -------
    `Fraction`, exact, if atoms or probabilities are `Fraction`s (a float τ is the rational it stores);
    else a float within (3n + 16)u·(range of the atoms) + 2u|m|, u = 2⁻⁵³.

    Raises
    ------
    InvalidArgument
        τ outside (0, 1), NaN or infinite entries, negative probabilities, sum not one (exactly, for
        rationals; by more than 1e-12 in doubles), shapes that differ.

    Complexity: O(n log n).

    Source: Newey and Powell (1987), asymmetric least squares.

    Examples
    --------
    >>> from fractions import Fraction as F
    >>> expectile([-1, 0, 2, 5], [F(1, 4), F(1, 4), F(1, 3), F(1, 6)], F(9, 10))
    Fraction(95, 28)
    """
    x, p = plain_array(atoms, name="atoms"), plain_array(probs, name="probs")
    if x.ndim != 1 or x.shape != p.shape or x.size == 0:
        raise InvalidArgument(
            f"expectile: atoms have shape {x.shape}, probs {p.shape}; both must be (n,) with n ≥ 1"
        )
    exact = x.dtype == object or p.dtype == object
    level = check_tau(tau, exact=exact)
    for name, arr in (("atoms", x), ("probs", p)):
        bad = [i for i, v in enumerate(arr.tolist()) if not _is_finite(v)]
        if bad:
            raise InvalidArgument(
                f"expectile: {name}[{bad[0]}]={arr[bad[0]]!r}, must be a finite real number"
            )
    if (p < 0).any():
        i = int(np.argmax(p < 0))
        raise InvalidArgument(f"expectile: probs[{i}]={p[i]}, must be ≥ 0")
    total = exact_array(p).sum() if exact else float_array(p).sum()
    if abs(total - 1) > (0 if exact else ROW_TOL):
        raise InvalidArgument(f"expectile: probs sum to {total}, must be 1; divide them by their sum")
    if exact:
        w = rational.to_fmpq_list(p)
        return rational.from_fmpq(expectile_exact(rational.to_fmpq_list(x), w, rational.to_fmpq(level)))
    ends = np.array([0, x.size], dtype=np.uint64)
    return float(expectile_segments(float_array(x), float_array(p), ends, level).value[0])


class Segments(NamedTuple):
    """Expectiles of n laws: |value − m_τ| ≤ error; atoms ≥ cut carry weight τ, the rest 1 − τ."""

    value: FloatVec
    cut: FloatVec
    error: FloatVec


def expectile_segments(x: FloatVec, weights: FloatVec, ptr: NDArray[np.uint64], tau: float) -> Segments:
    """m_τ of each segment `ptr[i]:ptr[i+1]` of `x`; weights ≥ 0 need not be normalised."""
    out = Segments(*(np.empty(ptr.size - 1) for _ in range(3)))
    expectile_rows(read_only(x), read_only(weights), read_only(ptr), float(tau), *out)
    return out


def behaviour_weights(mdp: MDP, mu: Policy | ArrayLike) -> PairVec:
    """(N,) μ(a|s) of the allowed pairs, in the model's number system.

    Raises
    ------
    InvalidArgument, InvalidModel
        If μ is not a policy of the model: NaN or negative entries, rows not summing to one (so no row
        is empty), weight on an action that is not allowed.
    """
    given = policy_weights(mdp, as_policy(mdp, mu))
    w = numbers(mdp, given)
    if not mdp.is_exact and ((w < 1e-300) & (given != 0)).any():
        k = int(np.argmax((w < 1e-300) & (given != 0)))
        raise InvalidArgument(
            f"mu: mu[{mdp.pair_state[k]}, {mdp.pair_action[k]}]={float(given[k]):.3g} is lost in doubles; "
            "use mdp.exact()"
        )
    return w


def implicit_bellman(mdp: MDP, mu: Policy | ArrayLike, tau: Real) -> Callable[[ArrayLike], StateVec]:
    """T_τ: (T_τV)(s) = m_τ of the law {Q_V(s,a) with probability μ(a|s)}, Q_V = R + γPV.

    Parameters
    ----------
    mdp
        Model in either number system.
    mu
        Behaviour policy; only its support is ever looked at.
    tau
        Level in (0, 1).

    Returns
    -------
    Function from (S,) to a new (S,) array in the model's number system; exact for exact models, else
    within the rounding of `q_values` plus that of `expectile`.

    Raises
    ------
    InvalidArgument, InvalidModel
        τ outside (0, 1), μ not a policy of the model, V of the wrong shape.

    Complexity: O(nnz(P) + N log A) a call.

    Source: Kostrikov, Nair, Levine (2021).

    Examples
    --------
    >>> from rltheory import MDP
    >>> implicit_bellman(MDP([[[1.0], [1.0]]], [[1.0, 0.0]], gamma=0.5), [[0.5, 0.5]], 0.75)([0.0])
    array([0.75])
    """
    w, level = behaviour_weights(mdp, mu), check_tau(tau, exact=mdp.is_exact)
    return _segmented(mdp, w, mdp.state_ptr, level, lambda V: q_pairs(mdp, V))


def _segmented(
    mdp: MDP, weights: PairVec, ptr: IntVec, level: Any, atoms: Callable[[ArrayLike], PairVec]
) -> Callable[[ArrayLike], StateVec]:
    """V ↦ m_τ of each segment of atoms(V), in the model's number system."""
    if mdp.is_exact:
        w, tau, bounds = rational.to_fmpq_list(weights), rational.to_fmpq(level), ptr.tolist()

        def exact_map(V: ArrayLike) -> StateVec:
            q = rational.to_fmpq_list(atoms(V))
            return rational.from_fmpq_list(exact_expectiles(q, w, bounds, tau))

        return exact_map

    ends = read_only(ptr.astype(np.uint64))
    return lambda V: expectile_segments(atoms(V), weights, ends, level).value


def exact_expectiles(q: list[fmpq], w: list[fmpq], ptr: list[int], tau: fmpq) -> list[fmpq]:
    """m_τ of each segment `ptr[s]:ptr[s+1]` of q, over the rationals."""
    return [expectile_exact(q[i:j], w[i:j], tau) for i, j in pairwise(ptr)]


def one_level_bellman(mdp: MDP, mu: Policy | ArrayLike, tau: Real) -> Callable[[ArrayLike], StateVec]:
    """N_τ: (N_τV)(s) = m_τ of the law {R(s,a) + γV(s') with probability μ(a|s)P(s'|s,a)}.

    The expectile of the joint law of action and next state: for τ > ½ it rewards luck, and its fixed
    point can exceed V*.  A foil, not implicit Q-learning.  Arguments and result as `implicit_bellman`.

    Complexity: O(nnz(P) log(nnz of a state)) a call.
    """
    w, level = behaviour_weights(mdp, mu), check_tau(tau, exact=mdp.is_exact)
    data, indices, indptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(indptr))
    joint, base = w[owner] * data, mdp.R_pairs[owner]
    first = np.asarray(indptr)[mdp.state_ptr].astype(np.int64)

    def atoms(V: ArrayLike) -> PairVec:
        return np.asarray(base + mdp.gamma * state_vector(mdp, V)[indices])

    return _segmented(mdp, joint, first, level, atoms)


def enclose_implicit_backup(
    mdp: MDP, weights: PairVec, tau: float, V: FloatVec
) -> tuple[FloatVec, FloatVec, float, float]:
    """(lower, upper, smin, smax): lower ≤ T_τV ≤ upper for a float model, rounding included.

    smin, smax bound the row sums Σ_t P(t|s,a).  T_τ is monotone, so the expectiles of lower and upper
    bounds on Q_V bound T_τV.
    """
    pairs = pair_arrays(mdp)
    q, mass, total = np.empty(mdp.N), np.empty(mdp.N), np.empty(mdp.N)
    *rows, _, gamma, ptr = pairs.model
    silent = read_only(np.zeros(mdp.N))
    pairs.kernels.q_values(*pairs.model, np.array(V), q)
    pairs.kernels.q_values(*rows, silent, gamma, ptr, np.abs(V), mass)
    pairs.kernels.q_values(*rows, silent, 1.0, ptr, np.ones(mdp.S), total)
    n = pairs.longest + 4
    e = np.nextafter(n * U * mass + 4 * U * np.abs(q) + n * ETA, np.inf)
    low = expectile_segments(np.nextafter(q - e, -np.inf), weights, ptr, tau)
    high = expectile_segments(np.nextafter(q + e, np.inf), weights, ptr, tau)
    lower = np.nextafter(low.value - low.error, -np.inf)
    upper = np.nextafter(high.value + high.error, np.inf)
    lower = np.where(np.isnan(lower), -np.inf, lower)
    upper = np.where(np.isnan(upper), np.inf, upper)
    smin = float(np.nextafter(total.min() * (1 - n * U), -np.inf))
    smax = float(np.nextafter(total.max() * (1 + n * U), np.inf))
    return lower, upper, smin, smax


def _is_finite(v: object) -> bool:
    try:
        return math.isfinite(to_fraction(v))
    except (TypeError, ValueError, OverflowError):
        return False
