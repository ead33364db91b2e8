"""Stochastic shortest paths: undiscounted total reward until a terminal state.

Definitions.  V^π(s) = E[Σ_t R(s_t,a_t)] up to the arrival in the terminal set, where nothing more is
paid.  A stationary policy is *proper* when it reaches the terminal set with probability one from
every state; otherwise it is *improper* and its total reward may be infinite, or undefined.  V is the
largest V^π over proper policies where they exist; see `SSPSolver` for what is solved and refused.

Rewards are maximised, so path costs are negative rewards.  The step law is stored as an `MDP`
(`mdp`), whose γ plays no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import BoolVec, Entries, IntVec, PairVec, Real, StateAction, StateVec, to_fraction
from ..errors import InvalidModel
from ..portable import Portable
from .mdp import MDP


class SSP(Portable):
    """A stochastic shortest path problem, in doubles or in rationals; immutable.

    Parameters
    ----------
    P
        (S, A, S) transition probabilities; rows of terminal states absorbing or zero.
    R
        (S, A), (S,) or (S, A, S) rewards, zero at terminal states.
    terminal
        Terminal states, as indices or a (S,) mask; at least one.
    mu
        (S,) start law; uniform if not given.
    states, actions
        Optional labels.

    Raises
    ------
    InvalidModel
        As for `MDP`; also without a terminal state.

    Examples
    --------
    >>> SSP([[[0.5, 0.5]], [[0.0, 1.0]]], [[-1.0], [0.0]], terminal=[1])
    SSP(S=2, A=1, terminal=1, float)
    """

    mdp: MDP

    def __init__(
        self,
        P: Entries,
        R: Entries,
        terminal: Iterable[int] | Entries,
        *,
        mu: Entries | None = None,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
    ) -> None:
        self._fill(MDP(P, R, gamma=0, mu=mu, terminal=terminal, states=states, actions=actions))

    @classmethod
    def from_mdp(cls, mdp: MDP) -> SSP:
        """The undiscounted problem of an `MDP` with terminal states; its discount is dropped."""
        self = object.__new__(cls)
        self._fill(mdp.replace(gamma=0))
        return self

    @classmethod
    def from_pairs(cls, P: Any, R: Entries, terminal: Iterable[int] | Entries, **kwargs: Any) -> SSP:
        """As `MDP.from_pairs`, for action sets that differ by state and sparse rows."""
        return cls.from_mdp(MDP.from_pairs(P, R, gamma=0, terminal=terminal, **kwargs))

    @classmethod
    def killing(cls, mdp: MDP) -> SSP:
        """The discounted `mdp` as a total-reward problem: the process dies with probability 1 − γ
        before each transition, into a new last state.  V is that of `mdp`, with a 0 appended.
        """
        data, indices, indptr = mdp.csr
        exact, dead = mdp.is_exact, mdp.S
        rows = np.repeat(np.arange(mdp.N), np.diff(indptr))
        one: Any = to_fraction(1) if exact else 1.0
        keep = np.where(mdp.terminal[mdp.pair_state], one, mdp.gamma)
        alive = keep[rows] * data
        sums = np.array([to_fraction(0)] * mdp.N, dtype=object) if exact else np.zeros(mdp.N)
        np.add.at(sums, rows, alive)
        dies = np.flatnonzero(~mdp.terminal[mdp.pair_state])
        values = np.concatenate([alive, (1 - sums)[dies]])
        owner = np.concatenate([rows, dies])
        columns = np.concatenate([indices.astype(np.int64), np.full(dies.size, dead)])
        order = np.argsort(owner, kind="stable")
        return cls.from_pairs(
            (values[order], columns[order], np.searchsorted(owner[order], np.arange(mdp.N + 1))),
            mdp.R_pairs,
            [*np.flatnonzero(mdp.terminal).tolist(), dead],
            pair_state=mdp.pair_state,
            pair_action=mdp.pair_action,
            S=mdp.S + 1,
            mu=np.append(mdp.mu, 0 * one),
        )

    def _fill(self, mdp: MDP) -> None:
        if not mdp.terminal.any():
            raise InvalidModel(
                "SSP: no terminal state; list at least one in terminal=, or use AverageReward() for "
                "tasks that never end"
            )
        object.__setattr__(self, "mdp", mdp)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"SSP is immutable: cannot set {name}; build a new one")

    # ---- views ---------------------------------------------------------------------------
    @property
    def S(self) -> int:
        """Number of states, terminal ones included."""
        return self.mdp.S

    @property
    def A(self) -> int:
        """Number of action ids."""
        return self.mdp.A

    @property
    def N(self) -> int:
        """Number of allowed pairs."""
        return self.mdp.N

    @property
    def gamma(self) -> Real:
        """1: totals are not discounted."""
        return to_fraction(1) if self.is_exact else 1.0

    @property
    def csr(self) -> tuple[PairVec, IntVec, IntVec]:
        """`(data, indices, indptr)` of the (N, S) pair matrix."""
        return self.mdp.csr

    @property
    def R_pairs(self) -> PairVec:
        """(N,) expected rewards."""
        return self.mdp.R_pairs

    @property
    def states(self) -> tuple[str, ...] | None:
        """Labels of the states."""
        return self.mdp.states

    def unpair(self, x: PairVec) -> StateAction:
        """(S, A) table of a (N,) vector over pairs; −inf at pairs that are not allowed."""
        return self.mdp.unpair(x)

    @property
    def terminal(self) -> BoolVec:
        """(S,) mask of terminal states."""
        return self.mdp.terminal

    @property
    def mu(self) -> StateVec:
        """(S,) start law."""
        return self.mdp.mu

    @property
    def P(self) -> Any:
        """(S, A, S) transition probabilities."""
        return self.mdp.P

    @property
    def R(self) -> Any:
        """(S, A) expected rewards; −inf where not allowed."""
        return self.mdp.R

    def replace(self, *, R: Entries | None = None, mu: Entries | None = None) -> SSP:
        """A copy with other rewards or another start law."""
        return SSP.from_mdp(self.mdp.replace(R=R, mu=mu))

    def discounted(self, gamma: Real) -> MDP:
        """The discounted model with the same steps."""
        return self.mdp.replace(gamma=gamma)

    # ---- number system -------------------------------------------------------------------
    @property
    def is_exact(self) -> bool:
        """True for a model over the rationals."""
        return self.mdp.is_exact

    def exact(self) -> SSP:
        """The same model over the rationals: every entry is the rational its double stores."""
        return self if self.is_exact else SSP.from_mdp(self.mdp.exact())

    def float(self) -> SSP:
        """The model rounded to doubles."""
        return SSP.from_mdp(self.mdp.float()) if self.is_exact else self

    # ---- identity ------------------------------------------------------------------------
    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over every number, shape and label of the model."""
        return self.mdp.content_hash

    def __eq__(self, other: object) -> bool:
        return self.mdp == other.mdp if isinstance(other, SSP) else NotImplemented

    def __hash__(self) -> int:
        return hash((SSP, self.mdp))

    def __repr__(self) -> str:
        pairs = "" if self.mdp.is_uniform else f", N={self.N}"
        system = "exact" if self.is_exact else "float"
        return f"SSP(S={self.S}, A={self.A}{pairs}, terminal={int(self.terminal.sum())}, {system})"

    def literal(self) -> str:
        """Python source that rebuilds a small model."""
        return f"SSP.from_mdp({self.mdp.literal()})"
