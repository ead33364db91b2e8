"""Datasets of transitions as counts: drawing them, and the empirical model and behaviour they give.

Definitions.  C[s, a, t] is the number of transitions s → t under action a.  The empirical model has
P̂(t|s,a) = C[s,a,t]/C[s,a], r̂(s,a) the mean reward, and μ̂(a|s) = C[s,a]/C[s]; pairs never seen are not
allowed.  Whatever holds for a model and a behaviour holds verbatim for the empirical ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Entries, FloatVec, IntVec, Real, exact_array, float_array
from ..errors import InvalidModel
from ..seeds import generator
from ._build import is_rational
from .mdp import MDP
from .policy import Policy
from .validate import check_terminal


def from_counts(
    counts: ArrayLike,
    R: Entries,
    gamma: Real,
    *,
    terminal: Iterable[int] | Entries | None = None,
    mu: Entries | None = None,
    states: Sequence[str] | None = None,
) -> tuple[MDP, Policy]:
    """P̂(t|s,a) = C[s,a,t]/C[s,a] and μ̂(a|s) = C[s,a]/C[s].

    Parameters
    ----------
    counts
        (S, A, S) transitions seen, integers ≥ 0.
    R
        (S, A) mean rewards, or (S, A, S) mean rewards per transition; not looked at where nothing
        was seen.
    gamma
        Discount in [0, 1); an int or `Fraction` gives an exact model.
    terminal
        Terminal states; they must have no data.
    mu, states
        Start law and labels, as for `MDP`.

    Returns
    -------
    model, behaviour
        The empirical model, which allows the pairs seen only, and μ̂.  A state without data is
        absorbing with reward 0: nothing is known of it, and it is worth nothing.

    Raises
    ------
    InvalidModel
        Wrong shapes, negative or non-integer counts, data in a terminal state, no data at all.

    Complexity: O(S²A).
    """
    C = np.asarray(counts)
    if C.ndim != 3 or C.shape[0] != C.shape[2] or C.size == 0:
        raise InvalidModel(f"counts: shape={C.shape}, must be (S, A, S)")
    if C.dtype.kind not in "iu" and not (np.isfinite(C).all() and (np.floor(C) == C).all()):
        raise InvalidModel(f"counts: dtype={C.dtype} with values that are not integers; count transitions")
    if (C < 0).any():
        s, a, t = (int(i) for i in np.argwhere(C < 0)[0])
        raise InvalidModel(f"counts: C[{s}, {a}, {t}]={C[s, a, t]}, must be ≥ 0")
    C = C.astype(np.int64)
    S, A = C.shape[:2]
    n = C.sum(axis=2)
    term = check_terminal(terminal, S)
    if n[term].any():
        first = int(np.flatnonzero(term)[np.argmax(n[term].any(axis=1))])
        raise InvalidModel(
            f"terminal: state {first} has {n[first].sum()} transitions in the data; drop one of the two"
        )
    if not n.any():
        raise InvalidModel("counts: all zero; a model needs at least one transition")
    exact = is_rational(gamma)
    src, act, dst = np.nonzero(C)
    pairs = np.argwhere(n > 0)
    data = _ratios(C[src, act, dst], n[src, act], exact)
    full = np.asarray(R)
    if full.shape not in ((S, A), (S, A, S)):
        raise InvalidModel(f"R: shape={full.shape}, must be ({S}, {A}) or ({S}, {A}, {S})")
    seen = C > 0 if full.ndim == 3 else n > 0
    kept: NDArray[Any] = (exact_array if exact else float_array)(np.where(seen, full, 0))
    if kept.ndim == 3:
        kept = (kept * C).sum(axis=2) / np.maximum(n, 1)
    ends = np.concatenate([[0], np.cumsum((C > 0).sum(axis=2)[tuple(pairs.T)])])
    model = MDP.from_pairs(
        (data, dst, ends),
        kept[tuple(pairs.T)],
        gamma,
        pair_state=pairs[:, 0],
        pair_action=pairs[:, 1],
        S=S,
        mu=mu,
        terminal=~n.any(axis=1),
        states=states,
    )
    table = np.zeros((S, model.A), dtype=object if exact else np.float64)
    if exact:
        table[:] = Fraction(0)
    table[tuple(pairs.T)] = _ratios(n[tuple(pairs.T)], n.sum(axis=1)[pairs[:, 0]], exact)
    table[~n.any(axis=1), 0] = Fraction(1) if exact else 1.0
    return model, Policy(table)


def _ratios(top: IntVec, bottom: IntVec, exact: bool) -> NDArray[Any]:
    if not exact:
        return np.asarray(top / bottom)
    out = np.empty(top.size, dtype=object)
    out[:] = [Fraction(int(x), int(y)) for x, y in zip(top, bottom, strict=True)]
    return out


def sample_counts(
    mdp: MDP, pi: Policy | ArrayLike, episodes: int, steps: int, rng: np.random.Generator | int
) -> IntVec:
    """(S, A, S) transitions of `episodes` independent runs of π from the start law.

    A run ends after `steps` transitions, or on entering a terminal state.

    Parameters
    ----------
    mdp
        Float or exact model; drawn from in doubles.
    pi
        Policy.
    episodes, steps
        Numbers ≥ 0.
    rng
        Generator or seed.

    Complexity: O(episodes·steps·log(A·S)).
    """
    gen = generator(rng)
    actions, next_law = _cumulative(mdp, pi)
    s = np.searchsorted(np.cumsum(float_array(mdp.mu)), gen.random(episodes), side="right")
    s = np.minimum(s, mdp.S - 1)
    C = np.zeros((mdp.S, mdp.A, mdp.S), dtype=np.int64)
    for _ in range(steps):
        s = s[~mdp.terminal[s]]
        if s.size == 0:
            break
        k = _draw(actions, mdp.state_ptr, s, gen)
        _, indices, indptr = mdp.csr
        t = np.asarray(indices)[_draw(next_law, np.asarray(indptr), k, gen)].astype(np.int64)
        np.add.at(C, (s, mdp.pair_action[k], t), 1)
        s = t
    return C


def _cumulative(mdp: MDP, pi: Policy | ArrayLike) -> tuple[FloatVec, FloatVec]:
    """Running sums of π over all pairs and of P over all entries; differences inside a segment are laws."""
    w = _pair_weights(mdp, pi)
    return np.concatenate([[0.0], np.cumsum(w)]), np.concatenate([[0.0], np.cumsum(float_array(mdp.csr[0]))])


def _pair_weights(mdp: MDP, pi: Policy | ArrayLike) -> FloatVec:
    table = (pi if isinstance(pi, Policy) else Policy(pi)).matrix(mdp.A, exact=False)
    return np.asarray(table[mdp.pair_state, mdp.pair_action], dtype=np.float64)


def _draw(running: FloatVec, ptr: IntVec, row: IntVec, gen: np.random.Generator) -> IntVec:
    """For each row an index of its segment `ptr[row]:ptr[row+1]`, by inversion of the running sums."""
    low, high = running[ptr[row]], running[ptr[row + 1]]
    at = np.searchsorted(running, low + gen.random(row.size) * (high - low), side="right") - 1
    return np.clip(at, ptr[row], ptr[row + 1] - 1)


def mixture_behaviour(
    mdp: MDP, policies: Sequence[Policy | ArrayLike], shares: Sequence[float], steps: int
) -> Policy:
    """μ(a|s) ∝ Σ_i share_i d_i(s) π_i(a|s), d_i(s) the expected visits to s in `steps` steps of π_i.

    The behaviour that a large dataset shows when each run follows π_i with probability share_i: no
    Markov policy in general makes those runs.  States never visited get the uniform policy.

    Parameters
    ----------
    mdp
        Model; runs start from its start law and stop in terminal states.
    policies, shares
        The policies and how often each is used (≥ 0).
    steps
        States visited a run, the first included.

    Returns
    -------
    Policy
        Doubles.

    Complexity: O(steps·nnz) a policy.
    """
    data, indices, indptr = mdp.csr
    owner = np.repeat(np.arange(mdp.N), np.diff(indptr))
    P, cols = float_array(data), np.asarray(indices)
    total = np.zeros(mdp.N)
    for pi, share in zip(policies, shares, strict=True):
        w = _pair_weights(mdp, pi)
        x = np.where(mdp.terminal, 0.0, float_array(mdp.mu))
        visits = np.zeros(mdp.S)
        for _ in range(steps):
            visits += x
            flow = (x[mdp.pair_state] * w)[owner] * P
            x = np.where(mdp.terminal, 0.0, np.bincount(cols, weights=flow, minlength=mdp.S))
        total += share * visits[mdp.pair_state] * w
    mass = np.add.reduceat(total, mdp.state_ptr[:-1])
    count = np.diff(mdp.state_ptr)
    never = mass[mdp.pair_state] == 0
    flat = np.where(never, 1.0 / count[mdp.pair_state], total / np.where(never, 1.0, mass[mdp.pair_state]))
    table = np.zeros((mdp.S, mdp.A))
    table[mdp.pair_state, mdp.pair_action] = flat
    return Policy(table)
