"""Outcome lists of a policy's own chain: one list a state, in either number system."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import IntVec, exact_array, float_array
from ..errors import InvalidArgument
from ..models.mdp import MDP
from ..models.outcomes import OutcomeMDP
from ..models.policy import Policy

TABLES = 8
"""Models whose kernel arrays are kept."""


class Chain(NamedTuple):
    """Outcome lists: those of list i are ptr[i]:ptr[i+1]; probabilities of a list sum to one.

    For a policy there is one list a state, its outcomes those of every action, probabilities times π(a|s).
    """

    ptr: NDArray[np.uint64]
    prob: NDArray[Any]
    next_state: NDArray[np.uint32]
    reward: NDArray[Any]
    gamma: Any

    @property
    def is_exact(self) -> bool:
        """True over the rationals."""
        return bool(self.prob.dtype == object)

    @property
    def lists(self) -> int:
        """Number of outcome lists."""
        return len(self.ptr) - 1

    def expect(self, x: NDArray[Any]) -> NDArray[Any]:
        """Σ_k p_k x_{s'_k} per list: P_π x."""
        return np.add.reduceat(self.prob * x[self.next_state], self.ptr[:-1].astype(np.int64))

    def entries(self, i: int) -> range:
        """Outcome numbers of list i."""
        return range(int(self.ptr[i]), int(self.ptr[i + 1]))


def outcome_model(model: OutcomeMDP | MDP) -> OutcomeMDP:
    """`model` as outcome lists with scalar rewards.

    Raises
    ------
    InvalidArgument
        For vector rewards, and for other kinds of model.
    """
    if isinstance(model, MDP):
        return _from_mdp(model)
    if not isinstance(model, OutcomeMDP):
        raise InvalidArgument(
            f"model of type {type(model).__name__}: laws of returns need an OutcomeMDP or an MDP"
        )
    if model.m is not None:
        raise InvalidArgument(
            f"rewards are vectors of m={model.m}: laws on the line need numbers; take model.component(i)"
        )
    return model


@lru_cache(maxsize=TABLES)
def _from_mdp(mdp: MDP) -> OutcomeMDP:
    return OutcomeMDP.from_mdp(mdp)


def all_pairs(model: OutcomeMDP | MDP) -> Chain:
    """The lists of every pair, as kernels take them."""
    m = outcome_model(model)
    return Chain(m.outcome_ptr.astype(np.uint64), m.prob, m.next_state.astype(np.uint32), m.reward, m.gamma)


def policy_chain(model: OutcomeMDP | MDP, pi: Policy | ArrayLike) -> Chain:
    """The lists of a policy, one a state; a float policy on an exact model is lifted exactly.

    Raises
    ------
    InvalidArgument
        If π has another number of states or uses an action that is not allowed.
    """
    m = outcome_model(model)
    pi = pi if isinstance(pi, Policy) else Policy(pi)
    if pi.S != m.S:
        raise InvalidArgument(f"policy: {pi.S} states, the model has S={m.S}; give one action or row each")
    if pi.is_deterministic:
        pairs, weights = _rows(m, pi.actions), None
    else:
        table = pi.matrix()
        table = exact_array(table) if m.is_exact else float_array(table)
        s, a = np.nonzero(table)
        _check_allowed(m, s, a)
        key = m.pair_state * m.A + m.pair_action
        pairs, weights = np.searchsorted(key, s * m.A + a), table[s, a]
    first, count = m.outcome_ptr[pairs], np.diff(m.outcome_ptr)[pairs]
    ends = np.cumsum(count)
    take = np.arange(ends[-1]) - np.repeat(ends - count, count) + np.repeat(first, count)
    prob = m.prob[take] if weights is None else m.prob[take] * np.repeat(weights, count)
    per_state = np.zeros(m.S, dtype=np.int64)
    np.add.at(per_state, m.pair_state[pairs], count)
    ptr = np.concatenate([[0], np.cumsum(per_state)]).astype(np.uint64)
    return Chain(ptr, prob, m.next_state[take].astype(np.uint32), m.reward[take], m.gamma)


def _rows(m: OutcomeMDP, actions: IntVec) -> IntVec:
    _check_allowed(m, np.arange(m.S), actions)
    return np.searchsorted(m.pair_state * m.A + m.pair_action, np.arange(m.S) * m.A + actions)


def _check_allowed(m: OutcomeMDP, s: IntVec, a: IntVec) -> None:
    bad = a >= m.A
    bad[~bad] = ~m.allowed[s[~bad], a[~bad]]
    if bad.any():
        i = int(np.argmax(bad))
        allowed = np.flatnonzero(m.allowed[s[i]]).tolist()
        raise InvalidArgument(f"policy: action {a[i]} is not allowed in state {s[i]}; allowed are {allowed}")
