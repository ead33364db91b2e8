"""The history tree of a latent MDP: what a policy can see next, and how it moves beliefs and alpha vectors.

Definitions.  A child of (s, a) is what may be seen after it: a next state s' and, with rewards observed,
a reward r.  Its factor in context m is f_m = 1{R_m(s,a) = r}·P_m(s'|s,a).  An unnormalised belief b moves
to b∘f, an alpha vector comes back as α_m = R_m(s,a) + Σ_children f_m·α_m(child).  Children are ordered by
(s', r); those impossible in every context are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolVec, IntVec, frozen
from ..errors import InvalidArgument
from ..models.latent import LatentMDP
from ..portable import Portable


@dataclass(frozen=True, eq=False)
class HistoryTree(Portable):
    """Children of every pair, as flat arrays; those of (s, a) are `ptr[s·A + a] : ptr[s·A + a + 1]`.

    Attributes
    ----------
    lmdp
        The model.
    ptr, state
        (S·A + 1,) pointers, (C,) next states.
    reward
        Observed reward of each child; None throughout if rewards are hidden.
    factor
        (C, M) f_m in the number system of the model.
    slot
        (M, S, A, S) position of the child seen in context m among those of (s, a); −1 if impossible.
    seen
        (H, M, S): context m can be in s at step t + 1.
    """

    lmdp: LatentMDP
    ptr: IntVec
    state: IntVec
    reward: tuple[Any, ...]
    factor: NDArray[Any]
    slot: NDArray[np.int32]
    seen: BoolVec

    @property
    def width(self) -> int:
        """Most children of a pair."""
        return int(np.diff(self.ptr).max())

    @cached_property
    def R(self) -> NDArray[Any]:
        """(S, A, M) rewards, contexts last."""
        return frozen(np.ascontiguousarray(self.lmdp.R.transpose(1, 2, 0)))

    @cached_property
    def start(self) -> NDArray[Any]:
        """(S, M) unnormalised beliefs w_m ν_m(s) after the first state."""
        return frozen(np.ascontiguousarray(self.lmdp.start.T))

    def children(self, s: int, a: int) -> range:
        """Indices of the children of (s, a)."""
        k = s * self.lmdp.A + a
        return range(int(self.ptr[k]), int(self.ptr[k + 1]))

    def with_model(self, lmdp: LatentMDP) -> HistoryTree:
        """The same children with the factors of another model.

        Raises
        ------
        InvalidArgument
            Unless that model has the same sizes and rewards, and no transition that is not a child here.
        """
        mine = self.lmdp
        fits = (lmdp.M, lmdp.S, lmdp.A) == (mine.M, mine.S, mine.A)
        if not fits or (lmdp.R != mine.R).any() or (lmdp.support & (self.slot < 0)).any():
            raise InvalidArgument(
                f"with_model: {lmdp!r} has other sizes, rewards or successors than {mine!r}"
            )
        factor = np.zeros((self.state.size, lmdp.M), dtype=lmdp.P.dtype)
        factor[...] = Fraction(0) if lmdp.is_exact else 0.0
        m, s, a, u = np.nonzero(self.slot >= 0)
        factor[self.ptr[s * lmdp.A + a] + self.slot[m, s, a, u], m] = lmdp.P[m, s, a, u]
        return HistoryTree(lmdp, self.ptr, self.state, self.reward, frozen(factor), self.slot, self.seen)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of histories (s_1, …, s_t) for t = 1..H, rewards included where observed."""
        lmdp = self.lmdp
        now = [int(x) for x in (self.start != 0).any(axis=1)]
        out = []
        pairs = [(k // lmdp.A, int(self.state[j])) for k in range(lmdp.S * lmdp.A) for j in self._span(k)]
        for _ in range(lmdp.H):
            out.append(sum(now))
            new = [0] * lmdp.S
            for s, u in pairs:
                new[u] += now[s]
            now = new
        return tuple(out)

    def _span(self, k: int) -> range:
        return range(int(self.ptr[k]), int(self.ptr[k + 1]))

    @cached_property
    def evidence(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(C,) and (S,) classes of factors and of start columns: equal where one is a multiple of the other.

        Class −1 is evidence of nothing: the same positive factor in every context.
        """
        return _classes(self.factor, blank=True), _classes(self.start, blank=False)

    @cached_property
    def beliefs(self) -> tuple[int, ...]:
        """Bound on the number of pairs (state, belief) at each step.

        A belief is determined by the start column and by how often each class of evidence was seen; where
        every transition is a class of its own these determine the state, too.
        """
        classes, starts = self.evidence
        c, S = int(classes.max(initial=-1)) + 1, self.lmdp.S
        blank = bool((classes < 0).any())
        pair = np.repeat(np.arange(self.ptr.size - 1), np.diff(self.ptr)) // self.lmdp.A * S + self.state
        lone = blank or any(len(set(pair[classes == k])) > 1 for k in range(c))
        origins = (int(starts.max()) + 1) * (S if lone or np.unique(starts).size < S else 1)
        # counts that add up to t, or to at most t if there is evidence of nothing
        counts = [
            origins * (math.comb(t + c, c) if blank or not c else math.comb(t + c - 1, c - 1))
            for t in range(self.lmdp.H)
        ]
        alone = self.lmdp.M * S
        return tuple(min(a, b + alone) for a, b in zip(self.sizes, counts, strict=True))


def history_tree(lmdp: LatentMDP, *, support: BoolVec | None = None) -> HistoryTree:
    """The children of every pair of a latent MDP.

    Parameters
    ----------
    lmdp
        Model in either number system; rewards observed are told apart by equality.
    support
        (M, S, A, S) mask of transitions to count as possible, containing the model's own; for planning
        with several models whose supports are not known.

    Raises
    ------
    InvalidArgument
        If `support` misses a transition of the model.

    Complexity: M·S²·A.

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> history_tree(gallery.wait_and_guess(H=3)).sizes
    (1, 6, 24)
    """
    own = lmdp.support
    mask = own if support is None else np.asarray(support, dtype=np.bool_)
    if mask.shape != own.shape or (own & ~mask).any():
        raise InvalidArgument(
            f"support: shape={mask.shape}, must be {own.shape} and contain every transition of the model"
        )
    M, S, A = lmdp.M, lmdp.S, lmdp.A
    zero: Any = Fraction(0) if lmdp.is_exact else 0.0
    ptr, state, reward, factor = [0], [], [], []
    slot = np.full((M, S, A, S), -1, dtype=np.int32)
    for s in range(S):
        for a in range(A):
            found: dict[tuple[int, Any], list[int]] = {}
            for m in range(M):
                r = lmdp.R[m, s, a] if lmdp.observe_rewards else None
                for u in np.flatnonzero(mask[m, s, a]).tolist():
                    found.setdefault((u, r), []).append(m)
            for j, (u, r) in enumerate(sorted(found, key=lambda x: (x[0], 0 if x[1] is None else x[1]))):
                row = np.full(M, zero, dtype=lmdp.P.dtype)
                for m in found[u, r]:
                    row[m] = lmdp.P[m, s, a, u]
                    slot[m, s, a, u] = j
                state.append(u)
                reward.append(r)
                factor.append(row)
            ptr.append(len(state))
    seen = lmdp.reachable if support is None else _seen(lmdp, mask)
    return HistoryTree(
        lmdp,
        frozen(np.array(ptr, dtype=np.int64)),
        frozen(np.array(state, dtype=np.int64)),
        tuple(reward),
        frozen(np.array(factor, dtype=lmdp.P.dtype)),
        frozen(slot),
        seen,
    )


def _seen(lmdp: LatentMDP, mask: BoolVec) -> BoolVec:
    out = np.zeros((lmdp.H, lmdp.M, lmdp.S), dtype=np.bool_)
    out[0] = lmdp.nu != 0
    edges = mask.any(axis=2)
    for t in range(1, lmdp.H):
        out[t] = (out[t - 1][:, :, None] & edges).any(axis=1)
    return frozen(out)


def _classes(rows: NDArray[Any], blank: bool) -> NDArray[np.int64]:
    """Rows that are positive multiples of each other share a number; compared in rationals."""
    ids: dict[tuple[Fraction, ...], int] = {}
    out = np.empty(rows.shape[0], dtype=np.int64)
    for i, row in enumerate(rows):
        exact = [Fraction(x) for x in row.tolist()]
        top = max(exact)
        key = tuple(x / top for x in exact) if top else tuple(exact)
        if blank and all(x == 1 for x in key):
            out[i] = -1
        else:
            out[i] = ids.setdefault(key, len(ids))
    return frozen(out)
