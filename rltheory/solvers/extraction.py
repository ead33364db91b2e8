"""Policies read off a Q-table inside the support of a behaviour μ: advantage-weighted and greedy.

Definitions.  Advantage-weighted regression at inverse temperature β ≥ 0 is

    π_β(a|s) ∝ μ(a|s) exp(β(Q(s,a) − V(s))).

V cancels; it matters only where weights are clipped, as practical code does.  Exponents are shifted by
their largest in-support value, so nothing overflows.  Greedy extraction is uniform over the in-support
maximisers of Q(s,·).

Enclosures.  The ball versions take rationals and return what is rational (rows whose in-support
exponents agree, states that reach only such rows) as `Fraction`s, everything else as `arb` balls.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import (
    BoolVec,
    Entries,
    IntVec,
    Real,
    StateAction,
    exact_array,
    float_array,
    number_array,
    to_fraction,
)
from ..errors import InvalidArgument
from ..kernels import ball
from ..kernels.exact import solve_linear
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators.expectile import behaviour_weights

TIE = 1e-9
"""Floats tie within TIE·max(1, max|Q|) in greedy extraction."""


def awr(
    mdp: MDP, mu: Policy | ArrayLike, Q: Entries, V: Entries, beta: Real, *, clip: float | None = None
) -> Policy:
    """π_β(a|s) ∝ μ(a|s) exp(β(Q(s,a) − V(s))), in doubles.

    Parameters
    ----------
    mdp
        The model.
    mu
        Behaviour policy.
    Q, V
        (S, A) and (S,) values, discounted; entries of Q outside the support of μ are not looked at.
    beta
        Inverse temperature ≥ 0; 0 gives μ back.
    clip
        Largest weight exp(β(Q − V)) allowed, as in practice (100); None does not clip.

    Returns
    -------
    Policy
        Float probabilities, relative error about (β|Q − max Q| + A)·1e-16 without clipping.

    Raises
    ------
    InvalidArgument, InvalidModel
        μ not a policy of the model, wrong shapes, NaN or infinite values in the support, β < 0.

    Complexity: O(N).

    Source: Peters and Schaal (2007); Kostrikov, Nair, Levine (2021).

    Examples
    --------
    >>> from math import log
    >>> awr(MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.5), [[0.5, 0.5]], [[1.0, 0.0]], [0.5], log(3)).matrix()
    array([[0.75, 0.25]])
    """
    w, x = _support_table(mdp, mu, Q)
    b = float(_temperature(beta))
    if clip is not None and not clip > 0:
        raise InvalidArgument(f"clip={clip!r}, must be positive, or None for no clipping")
    base = float_array(V)
    if base.shape != (mdp.S,) or not np.isfinite(base).all():
        raise InvalidArgument(f"V: shape={base.shape}, must be ({mdp.S},) and finite")
    exponent = b * (float_array(x) - (base[:, None] if clip is not None else 0.0))
    if clip is not None:
        exponent = np.minimum(exponent, math.log(clip))
    mass = float_array(w)
    exponent = np.where(mass > 0, exponent, -np.inf)
    weight = mass * np.exp(exponent - exponent.max(axis=1)[:, None])
    return Policy(weight / weight.sum(axis=1)[:, None])


def awr_balls(mdp: MDP, mu: Policy | ArrayLike, Q: Entries, beta: Real, *, bits: int = 128) -> NDArray[Any]:
    """π_β as (S, A) enclosures: `Fraction`s in rows that are rational, `arb` balls elsewhere.

    A row is rational when its in-support exponents agree (always for β = 0): there π_β(·|s) = μ(·|s).
    Arguments as `awr`; doubles are the rationals they store; `bits` is the working precision.
    """
    w, x = _support_table(mdp, mu, Q)
    b, mass, values = to_fraction(_temperature(beta)), exact_array(w), exact_array(x)
    out: NDArray[Any] = np.empty((mdp.S, mdp.A), dtype=object)
    out[:] = Fraction(0)
    with ball.precision(bits):
        for s in range(mdp.S):
            at = np.flatnonzero(mass[s] > 0)
            row = values[s, at]
            if b == 0 or (row == row[0]).all():
                out[s, at] = mass[s, at] / mass[s, at].sum()
            else:
                out[s, at] = ball.softmax(b * (row - row.max()), mass[s, at])
    return out


def awr_value(mdp: MDP, mu: Policy | ArrayLike, Q: Entries, beta: Real, *, bits: int = 128) -> NDArray[Any]:
    """V^{π_β} as (S,) enclosures: `Fraction`s where only rational rows are ever reached, else `arb` balls.

    Arguments as `awr_balls`.

    Complexity: one rational and one ball solve, O(S³) each.
    """
    pi = awr_balls(mdp, mu, Q, beta, bits=bits)
    return ball_policy_value(mdp, pi, bits=bits)


def ball_policy_value(mdp: MDP, pi: NDArray[Any], *, bits: int = 128) -> NDArray[Any]:
    """V^π of an (S, A) array of `Fraction`s and `arb` balls, as in `awr_value`."""
    P, R, gamma = exact_array(mdp.P_pairs), exact_array(mdp.R_pairs), to_fraction(mdp.gamma)
    weights = pi[mdp.pair_state, mdp.pair_action]
    fuzzy = _reaching(mdp, weights)
    value: NDArray[Any] = np.empty(mdp.S, dtype=object)
    known = np.flatnonzero(~fuzzy)
    if known.size:
        A, b = _system(mdp, P, R, gamma, weights, known, Fraction(0))
        value[known] = solve_linear(A[:, known], b)
    rest = np.flatnonzero(fuzzy)
    if rest.size:
        with ball.precision(bits):
            P, R, weights = ball.balls(P), ball.balls(R), ball.balls(weights)
            A, b = _system(mdp, P, R, ball.to_arb(gamma), weights, rest, ball.to_arb(0))
            b = np.array([x - ball.dot(row[known], value[known]) for x, row in zip(b, A)], dtype=object)
            value[rest] = ball.solve_linear(A[:, rest], b)
    return value


def _system(
    mdp: MDP, P: NDArray[Any], R: NDArray[Any], gamma: Any, weights: NDArray[Any], states: IntVec, zero: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows `states` of I − γP_π and R_π, in the numbers given (those of `zero`)."""
    A = np.full((len(states), mdp.S), zero, dtype=object)
    b = np.full(len(states), zero, dtype=object)
    for i, s in enumerate(states):
        A[i, s] = A[i, s] + 1
        for k in range(mdp.state_ptr[s], mdp.state_ptr[s + 1]):
            b[i] = b[i] + weights[k] * R[k]
            for t in np.flatnonzero(P[k] != 0):
                A[i, t] = A[i, t] - gamma * weights[k] * P[k, t]
    return A, b


def _reaching(mdp: MDP, weights: NDArray[Any]) -> BoolVec:
    """(S,) mask of the states from which π can reach a state with an inexact row."""
    inexact = np.array([type(x).__name__ == "arb" for x in weights])
    mask = np.zeros(mdp.S, dtype=np.bool_)
    mask[mdp.pair_state[inexact]] = True
    used = np.array([type(x).__name__ == "arb" or x != 0 for x in weights])
    data, indices, indptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(indptr))
    live = used[owner] & (data != 0)
    source, target = mdp.pair_state[owner][live], np.asarray(indices)[live]
    while True:
        grown = mask.copy()
        grown[source[mask[target]]] = True
        if (grown == mask).all():
            return mask
        mask = grown


def greedy_in_support(Q: Entries, mu: Policy | ArrayLike) -> Policy:
    """π(·|s) uniform over the maximisers of Q(s,·) with μ(a|s) > 0.

    Parameters
    ----------
    Q
        (S, A) values; entries outside the support are not looked at (−inf is fine there).
    mu
        Behaviour policy, (S, A) probabilities or (S,) action ids.

    Returns
    -------
    Policy
        Rational with exact ties if Q is exact; in doubles values within 1e-9·max(1, max|Q|) tie, so
        that the policy does not depend on the platform.

    Raises
    ------
    InvalidArgument
        Shapes that differ, or NaN or infinite values in the support.

    Complexity: O(S·A).
    """
    q = np.asarray(Q)
    policy = mu if isinstance(mu, Policy) else Policy(mu)
    if q.ndim != 2 or q.shape[0] != policy.S:
        raise InvalidArgument(f"Q: shape={q.shape}, must be ({policy.S}, A), one row a state of mu")
    used = np.zeros(q.shape, dtype=np.bool_)
    table = policy.matrix(q.shape[1])
    if table.shape[1] > q.shape[1] and (table[:, q.shape[1] :] != 0).any():
        raise InvalidArgument(f"mu: {table.shape[1]} action columns, Q has {q.shape[1]}")
    columns = min(table.shape[1], q.shape[1])
    used[:, :columns] = table[:, :columns] > 0
    _check_finite(q, used)
    exact = q.dtype == object
    slack = 0 if exact else TIE * max(1.0, float(np.abs(q[used]).max()))
    out: StateAction = np.zeros(q.shape, dtype=object if exact else np.float64)
    if exact:
        out[:] = Fraction(0)
    for s in range(q.shape[0]):
        at = np.flatnonzero(used[s])
        best = at[np.asarray(q[s, at] >= q[s, at].max() - slack, dtype=np.bool_)]
        out[s, best] = Fraction(1, best.size) if exact else 1.0 / best.size
    return Policy(out)


def _support_table(mdp: MDP, mu: Policy | ArrayLike, Q: Entries) -> tuple[StateAction, StateAction]:
    """(S, A) μ and Q with Q = 0 outside the support; validated."""
    q = number_array(Q, "Q")
    if q.shape != (mdp.S, mdp.A):
        raise InvalidArgument(f"Q: shape={q.shape}, must be ({mdp.S}, {mdp.A})")
    pairs = behaviour_weights(mdp, mu)
    w = np.zeros((mdp.S, mdp.A), dtype=pairs.dtype)
    if mdp.is_exact:
        w[:] = Fraction(0)
    w[mdp.pair_state, mdp.pair_action] = pairs
    used = np.asarray(w > 0, dtype=np.bool_)
    _check_finite(q, used)
    q[~used] = 0
    return w, q


def _check_finite(q: NDArray[Any], used: BoolVec) -> None:
    bad = used & ~np.isfinite(float_array(q))
    if bad.any():
        s, a = (int(i) for i in np.argwhere(bad)[0])
        raise InvalidArgument(f"Q: Q[{s}, {a}]={q[s, a]} is in the support of mu and must be finite")


def _temperature(beta: object) -> Any:
    ok = isinstance(beta, (int, float, Fraction, np.integer, np.floating)) and not isinstance(beta, bool)
    if not ok or not 0 <= beta < math.inf:  # type: ignore[operator]
        raise InvalidArgument(f"beta={beta!r}, must be a finite number ≥ 0 (an inverse temperature)")
    return beta
