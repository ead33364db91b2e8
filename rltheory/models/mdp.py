"""Discounted Markov decision processes.

Definitions.  States s ∈ {0..S−1}; state s allows a non-empty set of action ids a ∈ {0..A−1};
P(s'|s,a) ≥ 0 with Σ_s' P(s'|s,a) = 1; R(s,a) is the expected reward of a step, 0 ≤ γ < 1.
V^π(s) = E[Σ_t γ^t R(s_t,a_t)]: the first reward is not discounted.

Layout.  The allowed pairs (s, a) are numbered 0..N−1 by state, then action id.  Pairs of state s
are `state_ptr[s]:state_ptr[s+1]`; row k of the transition law is `P_pairs[k]` (dense layout) or
`data[indptr[k]:indptr[k+1]]` at columns `indices[...]` (CSR layout).  Every solver works on pairs.

Terminal states.  A terminal state is absorbing with reward 0, so V = 0 there and a transition into
it contributes its reward and nothing more.  γ is not changed by termination.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import (
    BoolVec,
    Entries,
    IntVec,
    PairVec,
    Real,
    StateAction,
    StateVec,
    Transition,
    exact_array,
    float_array,
    fresh,
    frozen,
    is_sparse,
    owned,
    to_fraction,
)
from ..errors import InvalidModel
from ..kernels.exact import RationalPairs, rational_pairs
from ..portable import Portable
from .layout import as_csr, close_terminal, expectation, insert_terminal_loops, transition_rewards
from .source_text import nested, number
from .validate import (
    check_gamma,
    check_law,
    check_pairs,
    check_rewards,
    check_rows,
    check_terminal,
    number_system,
)

if TYPE_CHECKING:
    import scipy.sparse as sp

Layout = Literal["dense", "csr"]


class MDP(Portable):
    """A finite discounted MDP, dense or CSR, in doubles or in rationals; immutable.

    Parameters
    ----------
    P
        (S, A, S) transition probabilities: floats, or `Fraction`s for an exact model.
        For sparse models and action sets that differ by state see `MDP.from_pairs`.
    R
        (S, A) expected reward per step; (S,) if it depends on the state only; or (S, A, S)
        rewards per transition, whose expectation is taken and which stay available as `R_next`.
    gamma
        Discount in [0, 1).
    mu
        (S,) start law; uniform if not given.
    terminal
        Terminal states, as indices or a (S,) mask.  Their rows must be absorbing with reward 0 or
        be all zero (then the self-loop is put in).
    states, actions
        Optional labels.

    Raises
    ------
    InvalidModel
        Naming the first offending state, action and value: wrong shape, NaN or infinite entry,
        negative probability, row off one by more than 1e-12 (at all, for rationals), γ outside
        [0, 1), terminal row that leaves or pays.

    Examples
    --------
    >>> MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], gamma=0.9)
    MDP(S=2, A=1, gamma=0.9, dense, float)
    """

    S: int
    A: int
    N: int
    gamma: Any
    layout: Layout
    state_ptr: IntVec
    R_pairs: PairVec
    mu: StateVec
    terminal: BoolVec
    states: tuple[str, ...] | None
    actions: tuple[str, ...] | None
    R_next: NDArray[Any] | None

    def __init__(
        self,
        P: Entries,
        R: Entries,
        gamma: Real,
        *,
        mu: Entries | None = None,
        terminal: Iterable[int] | Entries | None = None,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
    ) -> None:
        if is_sparse(P):
            raise InvalidModel(
                "P: a sparse matrix, must be an (S, A, S) array; for sparse (N, S) rows use "
                "MDP.from_pairs(P, R, gamma, pair_state=..., pair_action=...)"
            )
        P = owned(P, part="P") if terminal is None else fresh(P, part="P")
        R = owned(R, part="R")
        if P.ndim != 3 or P.shape[0] != P.shape[2] or 0 in P.shape:
            raise InvalidModel(
                f"P: shape={P.shape}, must be (S, A, S) with S, A ≥ 1; "
                "for (A, S, S) arrays use from_arrays(..., convention='pymdptoolbox')"
            )
        S, A = P.shape[:2]
        exact = number_system(P, R)
        P = exact_array(P) if exact else np.asarray(P, dtype=np.float64)
        R = exact_array(R) if exact else np.asarray(R, dtype=np.float64)
        term = check_terminal(terminal, S)
        rows = P.reshape(S * A, S)
        pair_state = np.repeat(np.arange(S), A)
        close_terminal(rows, pair_state, term, exact)
        sums = check_rows(rows, pair_state, np.tile(np.arange(A), S), exact)
        check_rewards(R, S, A, exact)
        if R.ndim == 1:
            R = np.repeat(R[:, None], A, axis=1)
        R_next = frozen(R) if R.ndim == 3 else None
        mean = (P * R).sum(axis=2) if R.ndim == 3 else R
        self._fill(
            S,
            A,
            np.arange(S + 1) * A,
            None,
            frozen(np.ascontiguousarray(mean).reshape(-1)),
            check_gamma(gamma, exact),
            check_law(mu, S, exact),
            term,
            states,
            actions,
        )
        rows = frozen(rows)
        self._set(layout="dense", _rows=rows, _csr=None, R_next=R_next, _entries=None, _sums=(rows, sums))

    @classmethod
    def from_pairs(
        cls,
        P: sp.sparray | sp.spmatrix | tuple[Entries, Entries, Entries] | Entries,
        R: sp.sparray | sp.spmatrix | Entries,
        gamma: Real,
        *,
        pair_state: Entries,
        pair_action: Entries,
        S: int | None = None,
        mu: Entries | None = None,
        terminal: Iterable[int] | Entries | None = None,
        states: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
    ) -> MDP:
        """A CSR model whose action sets may differ by state.

        Parameters
        ----------
        P
            (N, S) SciPy sparse matrix, `(data, indices, indptr)` arrays (data may be `Fraction`s),
            or a (N, S) array; row k is P(·|s,a) of the k-th pair.
        R
            (N,) expected rewards, or a (N, S) array or sparse matrix of rewards per transition, whose
            expectation is taken and which stay available as `R_entries`.
        gamma
            Discount in [0, 1).
        pair_state, pair_action
            (N,) state and action id of each pair, sorted by state, then action, without repeats.
            Every non-terminal state needs at least one pair; a terminal state without one gets its
            self-loop.
        S
            Number of states; needed only with `(data, indices, indptr)`.
        mu, terminal, states, actions
            As for `MDP`.

        Raises
        ------
        InvalidModel
            As for `MDP`; also for unsorted or repeated pairs and for states without actions.
        """
        data, indices, indptr, S = as_csr(P, S)
        entries = transition_rewards(R, indices, indptr, S)
        rewards = owned(R, part="R") if entries is None else entries
        exact = number_system(data, rewards)
        data = exact_array(data) if exact else np.asarray(data, dtype=np.float64)
        rewards = exact_array(rewards) if exact else np.asarray(rewards, dtype=np.float64)
        if entries is not None:
            entries, rewards = rewards, expectation(data, rewards, indptr)
        term = check_terminal(terminal, S)
        ps = owned(pair_state, np.int64, "pair_state")
        pa = owned(pair_action, np.int64, "pair_action")
        data, indices, indptr, rewards, entries, ps, pa = insert_terminal_loops(
            data, indices, indptr, rewards, entries, ps, pa, term, exact
        )
        check_pairs(ps, pa, rewards, indptr, indices, S, exact)
        sums = check_rows((data, indices, indptr), ps, pa, exact)
        ptr = np.searchsorted(ps, np.arange(S + 1)).astype(np.int64)
        check_terminal(term, S, rows=(data, indices, indptr), ps=ps, pa=pa)
        A = int(pa.max()) + 1
        self = object.__new__(cls)
        self._fill(
            S,
            A,
            ptr,
            None if pa.size == S * A else pa,
            frozen(rewards),
            check_gamma(gamma, exact),
            check_law(mu, S, exact),
            term,
            states,
            actions,
        )
        csr = (frozen(data), frozen(indices), frozen(indptr))
        self._set(layout="csr", _rows=None, _csr=csr, R_next=None, _entries=entries, _sums=(csr, sums))
        return self

    def _fill(
        self,
        S: int,
        A: int,
        state_ptr: IntVec,
        pair_action: IntVec | None,
        R_pairs: PairVec,
        gamma: Real,
        mu: StateVec,
        terminal: BoolVec,
        states: Sequence[str] | None,
        actions: Sequence[str] | None,
    ) -> None:
        for name, labels, n in (("states", states, S), ("actions", actions, A)):
            if labels is not None and len(labels) != n:
                raise InvalidModel(f"{name}: {len(labels)} labels for {n} {name}; give one each")
        ptr = frozen(np.asarray(state_ptr, dtype=np.int64))
        if terminal.any():
            ends = np.flatnonzero(terminal)
            width = np.diff(ptr)[ends]
            own = np.arange(width.sum()) + np.repeat(ptr[ends] - np.cumsum(width) + width, width)
            pay = R_pairs[own] != 0
            if pay.any():
                k = int(own[np.argmax(pay)])
                s = int(np.searchsorted(ptr, k, side="right") - 1)
                a = k - ptr[s] if pair_action is None else pair_action[k]
                raise InvalidModel(
                    f"R: terminal state {s} pays R[{s}, {a}]={R_pairs[k]}, must be 0; "
                    "put the reward on the transition into it"
                )
        self._set(
            S=S,
            A=A,
            N=int(ptr[-1]),
            gamma=gamma,
            state_ptr=ptr,
            _actions=None if pair_action is None else frozen(np.asarray(pair_action, dtype=np.int64)),
            R_pairs=R_pairs,
            mu=mu,
            terminal=frozen(terminal),
            states=tuple(states) if states is not None else None,
            actions=tuple(actions) if actions is not None else None,
        )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"MDP is immutable: cannot set {name}; use mdp.replace({name}=...)")

    # ---- number system -------------------------------------------------------------------
    @property
    def row_sums(self) -> tuple[float, float] | None:
        """Least and largest row sum of a float P as its validation added them up; None where not known.

        Each is off by at most n·2⁻⁵³ of itself, n being the entries of the longest row.
        """
        P = self._csr if self._rows is None else self._rows
        return self._sums[1] if self._sums is not None and self._sums[0] is P else None

    @property
    def is_exact(self) -> bool:
        """True for a model over the rationals."""
        return bool(self.R_pairs.dtype == object)

    def exact(self) -> MDP:
        """The same model over the rationals: every entry is the rational its double stores.

        Row sums then differ from 1 by the rounding already present in the input; nothing is
        renormalised, so results for `self` and `self.exact()` speak of the same model.
        """
        return self if self.is_exact else self._convert(exact_array, to_fraction)

    def float(self) -> MDP:
        """The model rounded to doubles."""
        return self._convert(float_array, float) if self.is_exact else self

    def _convert(self, array: Any, scalar: Any) -> MDP:
        out = object.__new__(MDP)
        out.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _CACHED})
        out._set(R_pairs=frozen(array(self.R_pairs)), gamma=scalar(self.gamma), mu=frozen(array(self.mu)))
        if self._rows is not None:
            out._set(_rows=frozen(array(self._rows)))
        else:
            data, indices, indptr = self._csr
            out._set(_csr=(frozen(array(data)), indices, indptr))
        for name in ("R_next", "_entries"):
            if getattr(self, name) is not None:
                out._set(**{name: frozen(array(getattr(self, name)))})
        return out

    # ---- views ---------------------------------------------------------------------------
    _rows: Any
    _csr: Any
    _sums: Any = None
    _entries: Any
    _actions: IntVec | None

    @cached_property
    def pair_state(self) -> IntVec:
        """(N,) state of each pair."""
        return frozen(np.repeat(np.arange(self.S), np.diff(self.state_ptr)))

    @cached_property
    def pair_action(self) -> IntVec:
        """(N,) action id of each pair."""
        return frozen(np.tile(np.arange(self.A), self.S)) if self._actions is None else self._actions

    def chosen_actions(self, rows: IntVec) -> IntVec:
        """Action ids of the pairs `rows`: those of `pair_action`, without making it."""
        return rows % self.A if self._actions is None else self._actions[rows]

    @cached_property
    def R_entries(self) -> PairVec | None:
        """(nnz,) reward of each transition of `csr`, in its order; None if only R(s, a) is known."""
        if self._entries is not None or self.R_next is None:
            return self._entries  # type: ignore[no-any-return]
        return frozen(self.R_next.reshape(self.N, self.S)[self._rows != 0])

    @cached_property
    def csr(self) -> tuple[PairVec, IntVec, IntVec]:
        """`(data, indices, indptr)` of the (N, S) pair matrix, whatever the layout; zeros dropped."""
        if self._csr is not None:
            return self._csr  # type: ignore[no-any-return]
        mask = self._rows != 0
        indptr = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)
        return frozen(self._rows[mask]), frozen(np.nonzero(mask)[1].astype(np.int32)), frozen(indptr)

    @cached_property
    def P_pairs(self) -> NDArray[Any]:
        """(N, S) rows P(·|s,a) of the allowed pairs as a full array, whatever the layout."""
        if self._rows is not None:
            return self._rows  # type: ignore[no-any-return]
        return frozen(self._spread(self._csr[0]))

    def _spread(self, x: PairVec) -> NDArray[Any]:
        """(N, S) table of a (nnz,) vector over the transitions of `csr`; zero elsewhere."""
        _, indices, indptr = self.csr
        out = np.zeros((self.N, self.S), dtype=x.dtype)
        if self.is_exact:
            out[:] = Fraction(0)
        np.add.at(out, (np.repeat(np.arange(self.N), np.diff(indptr)), indices), x)
        return out

    @cached_property
    def rational(self) -> RationalPairs:
        """P, R, γ over pairs as python-flint rationals, converted once (a double is what it stores)."""
        return rational_pairs(*self.csr, self.R_pairs, self.gamma, self.state_ptr)

    @property
    def is_uniform(self) -> bool:
        """True when every state allows all A actions."""
        return self.N == self.S * self.A

    @cached_property
    def allowed(self) -> BoolVec:
        """(S, A) mask of allowed pairs."""
        out = np.zeros((self.S, self.A), dtype=np.bool_)
        out[self.pair_state, self.pair_action] = True
        return frozen(out)

    @cached_property
    def P(self) -> Transition:
        """(S, A, S) transition probabilities; rows of pairs that are not allowed are zero."""
        if self.is_uniform:
            return self.P_pairs.reshape(self.S, self.A, self.S)
        out = np.zeros((self.S, self.A, self.S), dtype=self.R_pairs.dtype)
        if self.is_exact:
            out[:] = Fraction(0)
        out[self.pair_state, self.pair_action] = self.P_pairs
        return frozen(out)

    @cached_property
    def R(self) -> StateAction:
        """(S, A) expected rewards; −inf at pairs that are not allowed."""
        return self.unpair(self.R_pairs)

    def unpair(self, x: PairVec) -> StateAction:
        """(S, A) table of a (N,) vector over pairs; −inf at pairs that are not allowed."""
        if self.is_uniform:
            return x.reshape(self.S, self.A)
        out = np.full((self.S, self.A), -np.inf, dtype=x.dtype)
        out[self.pair_state, self.pair_action] = x
        return frozen(out)

    @property
    def nnz(self) -> int:
        """Number of stored transition probabilities."""
        return int(self._rows.size if self._rows is not None else self._csr[0].size)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that define the model (8 an entry for rationals' references).

        States and action ids of the pairs are made when asked for and do not count, except action ids
        of action sets that differ by state.
        """
        parts = [self._rows] if self._rows is not None else list(self._csr)
        parts += [] if self._actions is None else [self._actions]
        return int(sum(x.nbytes for x in parts) + self.R_pairs.nbytes + self.state_ptr.nbytes)

    # ---- copies --------------------------------------------------------------------------
    def replace(
        self,
        *,
        gamma: Real | None = None,
        R: Entries | None = None,
        mu: Entries | None = None,
    ) -> MDP:
        """A copy with another discount, reward ((S, A) or (N,)) or start law; validated again."""
        out = object.__new__(MDP)
        out.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _CACHED})
        out._set(_sums=self._sums)
        if gamma is not None:
            out._set(gamma=check_gamma(gamma, self.is_exact))
        if mu is not None:
            out._set(mu=check_law(mu, self.S, self.is_exact))
        if R is not None:
            arr = exact_array(R) if self.is_exact else float_array(R)
            if arr.shape != (self.N,):
                check_rewards(
                    np.where(self.allowed, arr, 0 * arr)
                    if arr.ndim == 2 and arr.shape == self.allowed.shape
                    else arr,
                    self.S,
                    self.A,
                    self.is_exact,
                )
                if arr.ndim != 2:
                    raise InvalidModel(f"R: shape={arr.shape}, replace takes (S, A) or (N,)")
                arr = arr[self.pair_state, self.pair_action]
            elif not self.is_exact and not np.isfinite(arr).all():
                raise InvalidModel(f"R: pair {int(np.argmax(~np.isfinite(arr)))} is not finite")
            pay = self.terminal[self.pair_state] & (arr != 0)
            if pay.any():
                k = int(np.argmax(pay))
                raise InvalidModel(
                    f"R: terminal state {self.pair_state[k]} pays {arr[k]}, must be 0; "
                    "put the reward on the transition into it"
                )
            out._set(R_pairs=frozen(arr), R_next=None, _entries=None)
        return out

    def restrict(self, keep: Entries) -> MDP:
        """The model with only the pairs of a (S, A) or (N,) mask; action ids and numbers unchanged.

        Raises
        ------
        InvalidModel
            If the mask has the wrong shape or leaves a state without actions.
        """
        mask = np.asarray(keep, dtype=np.bool_)
        if mask.shape == (self.S, self.A):
            mask = mask[self.pair_state, self.pair_action]
        if mask.shape != (self.N,):
            raise InvalidModel(
                f"restrict: mask of shape {mask.shape}, must be ({self.S}, {self.A}) or ({self.N},)"
            )
        rows = np.flatnonzero(mask)
        ptr = np.searchsorted(self.pair_state[rows], np.arange(self.S + 1)).astype(np.int64)
        if (np.diff(ptr) == 0).any():
            s = int(np.argmax(np.diff(ptr) == 0))
            raise InvalidModel(f"restrict: state {s} keeps no action; keep at least one")
        data, indices, indptr = self.csr
        at = np.repeat(mask, np.diff(indptr))
        ends = np.concatenate([[0], np.cumsum(np.diff(indptr)[rows])]).astype(np.int64)
        out = object.__new__(MDP)
        out.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _CACHED})
        out._set(
            N=int(rows.size),
            layout="csr",
            state_ptr=frozen(ptr),
            _actions=frozen(self.pair_action[rows]),
            R_pairs=frozen(self.R_pairs[rows]),
            R_next=None,
            _entries=None if self.R_entries is None else frozen(self.R_entries[at]),
            _rows=None,
            _csr=(frozen(data[at]), frozen(indices[at]), frozen(ends)),
        )
        return out

    # ---- identity ------------------------------------------------------------------------
    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over every number, shape and label of the model."""
        h = hashlib.sha256()
        data, indices, indptr = self.csr
        given = () if self.R_entries is None else (self.R_entries,)
        for arr in (data, self.R_pairs, self.mu, *given):
            h.update(str(arr.tolist()).encode() if arr.dtype == object else (arr + 0.0).tobytes())  # −0 is 0
        for arr in (indices, indptr, self.state_ptr, self.pair_action, self.terminal):
            h.update(np.ascontiguousarray(arr, dtype=np.int64).tobytes())
        h.update(repr((self.S, self.A, str(self.gamma), self.is_exact, self.states, self.actions)).encode())
        return h.hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.content_hash == other.content_hash if isinstance(other, MDP) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        system = "exact" if self.is_exact else "float"
        extra = f", terminal={int(self.terminal.sum())}" if self.terminal.any() else ""
        pairs = "" if self.is_uniform else f", N={self.N}"
        return f"MDP(S={self.S}, A={self.A}{pairs}, gamma={self.gamma}, {self.layout}, {system}{extra})"

    def literal(self) -> str:
        """Python source that rebuilds a small model; what a counter-example is printed as."""
        mu = "" if all(m == self.mu[0] for m in self.mu) else f", mu={nested(self.mu.tolist())}"
        term = f", terminal={np.flatnonzero(self.terminal).tolist()}" if self.terminal.any() else ""
        tail = f"gamma={number(self.gamma)}{mu}{term})"
        if self.is_uniform and self.layout == "dense":
            R = self.R if self.R_next is None else self.R_next
            return f"MDP({nested(self.P.tolist())}, {nested(R.tolist())}, {tail}"
        R = self.R_pairs if self.R_entries is None else self._spread(self.R_entries)
        return (
            f"MDP.from_pairs({nested(self.P_pairs.tolist())}, {nested(R.tolist())}, "
            f"pair_state={self.pair_state.tolist()}, pair_action={self.pair_action.tolist()}, {tail}"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("states", self.S),
            ("actions", self.A),
            ("pairs", self.N),
            ("non-zeros", self.nnz),
            ("γ", self.gamma),
            ("layout", self.layout),
            ("numbers", "rational" if self.is_exact else "float64"),
        ]
        return "<table>" + "".join(f"<tr><th>{k}</th><td>{v}</td></tr>" for k, v in rows) + "</table>"


_CACHED = {
    "pair_state",
    "pair_action",
    "R_entries",
    "csr",
    "P_pairs",
    "allowed",
    "P",
    "R",
    "content_hash",
    "rational",
    "_sums",
}
