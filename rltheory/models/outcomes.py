"""Markov decision processes given by outcome lists: the joint law of next state and reward.

Definitions.  States s ∈ {0..S−1} allow action ids a; outcome j of a pair (s, a) has probability p_j,
next state s'_j and reward r_j, with Σ_j p_j = 1 and 0 < γ ≤ 1.  Outcomes of a pair may repeat (s', r).
The return is Σ_t γ^t r_{t+1}; rewards are numbers, or vectors of m numbers (vector returns).

Layout.  Pairs are numbered 0..N−1 by state, then action id, as in `MDP`; those of state s are
`state_ptr[s]:state_ptr[s+1]`.  Outcomes of pair k are `outcome_ptr[k]:outcome_ptr[k+1]` in the flat
arrays `prob`, `next_state`, `reward`.

Terminal states are absorbing with reward 0: one self-loop each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import (
    BoolVec,
    Entries,
    IntVec,
    PairVec,
    Real,
    StateVec,
    exact_array,
    float_array,
    fresh,
    frozen,
    to_fraction,
)
from ..errors import InvalidModel
from ..portable import Portable
from .outcome_checks import Rows, check_discount, check_outcomes, exact_numbers, flatten
from .source_text import nested, number
from .validate import check_law, check_terminal

if TYPE_CHECKING:
    from .mdp import MDP

Outcome = tuple[Any, int, Any]
"""(p, s', r); r is a number, or a tuple of m numbers."""


class OutcomeMDP(Portable):
    """Outcome lists over state-action pairs, in doubles or in rationals; immutable.

    Parameters
    ----------
    prob
        (K,) probability of each outcome, pair by pair; outcomes of probability 0 are dropped.
    next_state
        (K,) next states.
    reward
        (K,) rewards, or (K, m) vector rewards.
    gamma
        Discount in (0, 1]; γ = 1 needs a horizon in the solver.
    pair_state, pair_action
        (N,) state and action id of each pair, sorted by state, then action, without repeats.
    outcome_ptr
        (N+1,) outcomes of pair k are outcome_ptr[k]:outcome_ptr[k+1].
    S
        Number of states; 1 + the largest of `pair_state` if not given.
    mu
        (S,) start law; uniform if not given.
    terminal
        Terminal states, as indices or a (S,) mask: absorbing with reward 0.  One without pairs gets
        its self-loop.
    states, actions
        Optional labels.

    Raises
    ------
    InvalidModel
        Naming state, action, outcome, value and remedy: a probability that is negative or not finite,
        probabilities of a pair that do not sum to 1 (exactly for rationals, within 1e-12 for doubles),
        a next state out of range, a reward that is not finite, γ outside (0, 1], a pair without
        outcomes, scalar rewards among vectors, a terminal state that leaves or pays.

    Notes
    -----
    The model is exact when a probability or reward is a `Fraction`, or when all of them are integers
    and γ is an integer or a `Fraction`; `from_lists` is the way to write one down.

    Examples
    --------
    >>> m = OutcomeMDP.from_lists([[[(0.5, 0, 1), (0.5, 0, -1)]]], gamma=0.9)
    >>> m, m.to_mdp().R.tolist()
    (OutcomeMDP(S=1, A=1, outcomes=2, gamma=0.9, float), [[0.0]])
    """

    S: int
    A: int
    N: int
    gamma: Any
    state_ptr: IntVec
    pair_state: IntVec
    pair_action: IntVec
    outcome_ptr: IntVec
    prob: PairVec
    next_state: IntVec
    reward: NDArray[Any]
    mu: StateVec
    terminal: BoolVec
    states: tuple[str, ...] | None
    actions: tuple[str, ...] | None

    def __init__(
        self,
        prob: Entries,
        next_state: Entries,
        reward: Entries,
        gamma: Real,
        *,
        pair_state: Entries,
        pair_action: Entries,
        outcome_ptr: Entries,
        S: int | None = None,
        mu: Entries | None = None,
        terminal: Iterable[int] | Entries | None = None,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
    ) -> None:
        rows = Rows(
            fresh(prob, part="prob"),
            fresh(next_state, part="next_state"),
            fresh(reward, part="reward"),
            fresh(outcome_ptr, np.int64, "outcome_ptr"),
            fresh(pair_state, np.int64, "pair_state"),
            fresh(pair_action, np.int64, "pair_action"),
        )
        if S is None:
            S = 1 + int(rows.pair_state.max(initial=-1))
        if S < 1:
            raise InvalidModel("OutcomeMDP: no states; give outcomes of at least one")
        exact = exact_numbers(rows, gamma)
        term = check_terminal(terminal, S)
        rows = check_outcomes(rows.loops(term), S, term, exact)
        for name, labels, n in (("states", states, S), ("actions", actions, 1 + int(rows.pair_action.max()))):
            if labels is not None and len(labels) != n:
                raise InvalidModel(f"{name}: {len(labels)} labels for {n} {name}; give one each")
        self._set(
            S=S,
            A=1 + int(rows.pair_action.max()),
            N=int(rows.pair_state.size),
            gamma=check_discount(gamma, exact),
            state_ptr=frozen(np.searchsorted(rows.pair_state, np.arange(S + 1)).astype(np.int64)),
            pair_state=frozen(rows.pair_state),
            pair_action=frozen(rows.pair_action),
            outcome_ptr=frozen(rows.ptr),
            prob=frozen(rows.prob),
            next_state=frozen(rows.next_state),
            reward=frozen(rows.reward),
            mu=check_law(mu, S, exact),
            terminal=frozen(term),
            states=tuple(states) if states is not None else None,
            actions=tuple(actions) if actions is not None else None,
        )

    @classmethod
    def from_lists(
        cls,
        outcomes: Sequence[Any],
        gamma: Real,
        *,
        mu: Entries | None = None,
        terminal: Iterable[int] | Entries | None = None,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
    ) -> OutcomeMDP:
        """`outcomes[s][a] = [(p, s', r), …]`: a list a state, of lists (or a dict) over actions.

        Parameters
        ----------
        outcomes
            One entry a state: a sequence over action ids (None where not allowed), or a mapping
            {a: outcomes}; empty for a terminal state.  r is a number or a sequence of m numbers.
        gamma, mu, terminal, states, actions
            As for `OutcomeMDP`.

        Raises
        ------
        InvalidModel
            As for `OutcomeMDP`; also for entries that are not triples.
        """
        rows = flatten(outcomes)
        return cls(
            rows.prob,
            rows.next_state,
            rows.reward,
            gamma,
            pair_state=rows.pair_state,
            pair_action=rows.pair_action,
            outcome_ptr=rows.ptr,
            S=len(outcomes),
            mu=mu,
            terminal=terminal,
            states=states,
            actions=actions,
        )

    @classmethod
    def from_mdp(cls, mdp: MDP, *, gamma: Real | None = None) -> OutcomeMDP:
        """The outcomes (P(s'|s,a), s', r) of an `MDP`.

        r is the reward of the transition where the model has them (`R_next`, `R_entries`), else R(s, a)
        for every s': a reward that was random when its mean was taken is random no more.

        Parameters
        ----------
        mdp
            Model in either number system.
        gamma
            Discount in (0, 1] instead of the model's.
        """
        data, indices, indptr = mdp.csr
        r = mdp.R_entries if mdp.R_entries is not None else np.repeat(mdp.R_pairs, np.diff(indptr))
        out = object.__new__(cls)
        exact = mdp.is_exact
        out._set(
            **{k: getattr(mdp, k) for k in ("S", "A", "N", "mu", "terminal", "states", "actions")},
            **{k: getattr(mdp, k) for k in ("state_ptr", "pair_state", "pair_action")},
            gamma=check_discount(mdp.gamma if gamma is None else gamma, exact),
        )
        keep = data != 0
        counts = np.add.reduceat(keep.astype(np.int64), indptr[:-1])
        out._set(
            outcome_ptr=frozen(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)),
            prob=frozen(data[keep]),
            next_state=frozen(indices[keep].astype(np.int64)),
            reward=frozen(r[keep]),
        )
        return out

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"OutcomeMDP is immutable: cannot set {name}; use model.replace({name}=...) or build a new one"
        )

    # ---- number system -------------------------------------------------------------------
    @property
    def is_exact(self) -> bool:
        """True for a model over the rationals."""
        return bool(self.prob.dtype == object)

    def exact(self) -> OutcomeMDP:
        """The same model over the rationals: every entry is the rational its double stores.

        Sums of probabilities then differ from 1 by the rounding already present in the input.
        """
        return self if self.is_exact else self._convert(exact_array, to_fraction)

    def float(self) -> OutcomeMDP:
        """The model rounded to doubles."""
        return self._convert(float_array, float) if self.is_exact else self

    def _convert(self, array: Any, scalar: Any) -> OutcomeMDP:
        out = self._copy()
        out._set(gamma=scalar(self.gamma))
        out._set(**{k: frozen(array(getattr(self, k))) for k in ("prob", "reward", "mu")})
        return out

    def _copy(self) -> OutcomeMDP:
        out = object.__new__(OutcomeMDP)
        out.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _CACHED})
        return out

    # ---- views ---------------------------------------------------------------------------
    @property
    def K(self) -> int:
        """Number of outcomes, over all pairs."""
        return int(self.prob.size)

    @property
    def m(self) -> int | None:
        """Length of the reward vectors; None for scalar rewards."""
        return int(self.reward.shape[1]) if self.reward.ndim == 2 else None

    @cached_property
    def allowed(self) -> BoolVec:
        """(S, A) mask of allowed pairs."""
        out = np.zeros((self.S, self.A), dtype=np.bool_)
        out[self.pair_state, self.pair_action] = True
        return frozen(out)

    @cached_property
    def lists(self) -> tuple[dict[int, tuple[Outcome, ...]], ...]:
        """`lists[s][a]` is the tuple of outcomes (p, s', r), r a number or a tuple; read-only by custom."""
        p, t = self.prob.tolist(), self.next_state.tolist()
        r = self.reward.tolist() if self.m is None else [tuple(x) for x in self.reward.tolist()]
        out: list[dict[int, tuple[Outcome, ...]]] = [{} for _ in range(self.S)]
        for k, (s, a) in enumerate(zip(self.pair_state.tolist(), self.pair_action.tolist(), strict=True)):
            span = range(self.outcome_ptr[k], self.outcome_ptr[k + 1])
            out[s][a] = tuple((p[j], t[j], r[j]) for j in span)
        return tuple(out)

    def outcomes(self, s: int, a: int) -> tuple[Outcome, ...]:
        """The outcomes (p, s', r) of a pair.

        Raises
        ------
        InvalidModel
            If state s does not allow action a.
        """
        if not 0 <= s < self.S or a not in self.lists[s]:
            raise InvalidModel(
                f"outcomes: (s={s}, a={a}) is not a pair of the model; "
                f"actions of a state s in 0..{self.S - 1} are the keys of lists[s]"
            )
        return self.lists[s][a]

    @property
    def r_min(self) -> Any:
        """Smallest reward of an outcome (the 0 of terminal states included); (m,) for vectors."""
        return self.reward.min(axis=0)

    @property
    def r_max(self) -> Any:
        """Largest reward of an outcome (the 0 of terminal states included); (m,) for vectors."""
        return self.reward.max(axis=0)

    # ---- other models --------------------------------------------------------------------
    def to_mdp(self, *, gamma: Real | None = None) -> MDP:
        """The `MDP` with the mean rewards; enough for means, not for anything else about the return.

        Parameters
        ----------
        gamma
            Discount in [0, 1) instead of the model's.

        Raises
        ------
        InvalidModel
            For vector rewards (take a `component`), or γ = 1 (pass gamma=, then
            `FiniteHorizonMDP.from_mdp(mdp, H)`).
        """
        from .mdp import MDP

        if self.m is not None:
            raise InvalidModel(
                f"to_mdp: rewards have m={self.m} components; take model.component(i).to_mdp()"
            )
        if gamma is None and self.gamma == 1:
            raise InvalidModel(
                "to_mdp: gamma=1; FiniteHorizonMDP.from_mdp(model.to_mdp(gamma=0), H) keeps it undiscounted"
            )
        key = np.repeat(np.arange(self.N), np.diff(self.outcome_ptr)) * self.S + self.next_state
        cells, where = np.unique(key, return_inverse=True)
        zero = Fraction(0) if self.is_exact else 0.0
        data = np.full(cells.size, zero, dtype=self.prob.dtype)
        mean = np.full(self.N, zero, dtype=self.prob.dtype)
        np.add.at(data, where, self.prob)
        np.add.at(mean, np.repeat(np.arange(self.N), np.diff(self.outcome_ptr)), self.prob * self.reward)
        ptr = np.searchsorted(cells // self.S, np.arange(self.N + 1))
        return MDP.from_pairs(
            (data, (cells % self.S).astype(np.int32), ptr),
            mean,
            self.gamma if gamma is None else gamma,
            pair_state=self.pair_state,
            pair_action=self.pair_action,
            S=self.S,
            mu=self.mu,
            terminal=self.terminal,
            states=self.states,
            actions=self.actions,
        )

    def component(self, i: int) -> OutcomeMDP:
        """The model whose scalar reward is component i of the vector reward."""
        if self.m is None or not 0 <= i < self.m:
            raise InvalidModel(f"component: i={i} of rewards with m={self.m}; needs vectors and 0 ≤ i < m")
        return self.replace(reward=self.reward[:, i])

    def replace(
        self, *, gamma: Real | None = None, reward: Entries | None = None, mu: Entries | None = None
    ) -> OutcomeMDP:
        """A copy with another discount, (K,) or (K, m) rewards, or start law; validated again."""
        return OutcomeMDP(
            self.prob,
            self.next_state,
            self.reward if reward is None else reward,
            self.gamma if gamma is None else gamma,
            pair_state=self.pair_state,
            pair_action=self.pair_action,
            outcome_ptr=self.outcome_ptr,
            S=self.S,
            mu=self.mu if mu is None else mu,
            terminal=self.terminal,
            states=self.states,
            actions=self.actions,
        )

    # ---- identity ------------------------------------------------------------------------
    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over every number, shape and label of the model."""
        h = hashlib.sha256()
        for arr in (self.prob, self.reward, self.mu):
            h.update(repr(arr.shape).encode())
            h.update(str(arr.tolist()).encode() if arr.dtype == object else (arr + 0.0).tobytes())  # −0 is 0
        for ids in (self.next_state, self.outcome_ptr, self.state_ptr, self.pair_action, self.terminal):
            h.update(np.ascontiguousarray(ids, dtype=np.int64).tobytes())
        h.update(repr((self.S, self.A, str(self.gamma), self.is_exact, self.states, self.actions)).encode())
        return h.hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.content_hash == other.content_hash if isinstance(other, OutcomeMDP) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        pairs = "" if self.N == self.S * self.A else f", N={self.N}"
        vector = "" if self.m is None else f", m={self.m}"
        extra = f", terminal={int(self.terminal.sum())}" if self.terminal.any() else ""
        system = "exact" if self.is_exact else "float"
        return (
            f"OutcomeMDP(S={self.S}, A={self.A}{pairs}, outcomes={self.K}{vector}, "
            f"gamma={self.gamma}, {system}{extra})"
        )

    def literal(self) -> str:
        """Python source that rebuilds a small model; what a counter-example is printed as."""
        return (
            f"OutcomeMDP.from_lists([{', '.join(self._row_text(s) for s in range(self.S))}], {self._tail()}"
        )

    def _row_text(self, s: int) -> str:
        def one(p: Any, t: int, r: Any) -> str:
            return f"({number(p)}, {t}, {nested(list(r)) if isinstance(r, tuple) else number(r)})"

        rows = {a: f"[{', '.join(one(*o) for o in row)}]" for a, row in self.lists[s].items()}
        if list(rows) == list(range(len(rows))):
            return f"[{', '.join(rows.values())}]"
        return "{" + ", ".join(f"{a}: {text}" for a, text in rows.items()) + "}"

    def _tail(self) -> str:
        mu = "" if all(x == self.mu[0] for x in self.mu) else f", mu={nested(self.mu.tolist())}"
        term = f", terminal={np.flatnonzero(self.terminal).tolist()}" if self.terminal.any() else ""
        return f"gamma={number(self.gamma)}{mu}{term})"

    def _repr_html_(self) -> str:
        rows: Mapping[str, object] = {
            "states": self.S,
            "actions": self.A,
            "pairs": self.N,
            "outcomes": self.K,
            "rewards": "scalar" if self.m is None else f"vectors of {self.m}",
            "γ": self.gamma,
            "numbers": "rational" if self.is_exact else "float64",
        }
        return "<table>" + "".join(f"<tr><th>{k}</th><td>{v}</td></tr>" for k, v in rows.items()) + "</table>"


_CACHED = {"allowed", "lists", "content_hash"}
