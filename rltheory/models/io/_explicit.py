"""From explicit-state listings (choices, transitions, rewards, labels) to an `MDP`, and back.

Both text formats describe states 0..S−1, each with a list of choices; a choice has an optional name,
a reward and transitions.  Action ids come from the names; see `action_ids`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import IntVec, Real, chunks, frozen
from ...errors import InvalidArgument, InvalidFile, InvalidModel
from ..mdp import MDP


@dataclass
class Listing:
    """Choices in file order, grouped by state; transitions grouped by choice.

    Choice k is called names[name[k]], "" if it has no name.
    """

    path: str
    S: int
    exact: bool
    choice_state: IntVec
    names: list[str]
    name: IntVec
    rewards: NDArray[Any]
    indptr: IntVec
    indices: IntVec
    data: NDArray[Any]
    labels: dict[str, list[int]] = field(default_factory=dict)
    states: list[str] | None = None
    chain: bool = False


def action_ids(
    path: str, state: IntVec, names: Sequence[str], name: IntVec, actions: Sequence[str] | None
) -> tuple[IntVec, tuple[str, ...] | None]:
    """Action id of every choice, and the labels of the ids.

    Names that are all integers, or all `a` followed by an integer, are the ids, and `actions` their
    labels.  Other names get ids in order of first appearance, or their place in `actions`.  Choices
    without names, or with a name twice in a state, are numbered within their state.
    """
    local = np.arange(state.size) - np.searchsorted(state, state)
    codes, first = np.unique(name, return_index=True)
    used = [names[i] for i in codes[np.argsort(first)].tolist()]
    table = np.zeros(len(names), dtype=np.int64)
    if not any(used):
        return local, tuple(actions) if actions is not None else None
    if all(re.fullmatch(r"a?\d{1,9}", word, re.ASCII) for word in used):
        table[codes] = [int(names[i].lstrip("a")) for i in codes.tolist()]
        ids = table[name]
        if not repeated(state, ids).size:
            return ids, tuple(actions) if actions is not None else None
        return local, None
    order = list(actions) if actions is not None else [n for n in used if n]
    place = {word: i for i, word in enumerate(order)}
    unknown = next((n for n in used if n not in place), None)
    if unknown is not None:
        if actions is not None:
            raise InvalidArgument(f"{path}: action {unknown!r} is not in actions={list(actions)}; add it")
        return local, None
    table[codes] = [place[names[i]] for i in codes.tolist()]
    ids = table[name]
    if repeated(state, ids).size:
        if actions is not None:
            k = int(repeated(state, ids)[0])
            word = names[name[k]]
            raise InvalidArgument(
                f"{path}: state {state[k]} has two choices named {word!r}; drop actions= to number them"
            )
        return local, None
    return ids, tuple(order)


def repeated(state: IntVec, ids: IntVec) -> IntVec:
    """Choices whose id occurs twice in their state."""
    order = np.lexsort((ids, state))
    same = (np.diff(state[order]) == 0) & (np.diff(ids[order]) == 0)
    return np.asarray(order[1:][same])


def build(
    listing: Listing,
    gamma: Real,
    *,
    terminal: str | None,
    deadlocks: str,
    mu: Any,
    actions: Sequence[str] | None,
) -> MDP:
    """The model; states labelled `terminal` end the episode, states labelled init share the start."""
    if deadlocks not in ("refuse", "terminal"):
        raise InvalidArgument(f"deadlocks={deadlocks!r}, must be 'refuse' or 'terminal'")
    x, S = listing, listing.S
    ends = x.labels.get("terminal" if terminal is None else terminal)
    if ends is None:
        if terminal is not None:
            raise InvalidArgument(
                f"{x.path}: no label {terminal!r} for terminal=; the labels are {sorted(x.labels)}"
            )
        ends = []
    mask = np.zeros(S, dtype=np.bool_)
    mask[ends] = True
    stuck = np.setdiff1d(np.flatnonzero(~mask), x.choice_state)
    if stuck.size and deadlocks == "refuse":
        raise InvalidFile(
            f"{x.path}: state {stuck[0]} has no choice ({stuck.size} such states); "
            "add a self-loop, or read them as absorbing with deadlocks='terminal'"
        )
    mask[stuck] = True
    ids, labels = action_ids(x.path, x.choice_state, x.names, x.name, actions)
    counts = np.diff(x.indptr)
    if (counts == 0).any():
        k = int(np.argmax(counts == 0))
        raise InvalidFile(f"{x.path}: state {x.choice_state[k]}, choice {ids[k]} has no transition; add one")
    _drop_zeros(x)
    loops = np.flatnonzero(mask)
    loop_ids = _loop_ids(mask, x, ids)
    keep = np.flatnonzero(~mask[x.choice_state])
    ps = np.concatenate([x.choice_state[keep], np.repeat(loops, [len(i) for i in loop_ids])])
    pa = np.concatenate([ids[keep], *loop_ids]).astype(np.int64)
    rows = np.concatenate([keep, np.full(ps.size - keep.size, -1)])  # −1: a loop
    if not _ascends(ps, pa):
        order = np.lexsort((pa, ps))
        ps, pa, rows = ps[order], pa[order], rows[order]
    R = x.rewards[rows]
    R[rows < 0] = Fraction(0) if x.exact else 0.0
    ps, pa, R = frozen(ps), frozen(pa), frozen(R)
    del ids, keep, counts
    try:
        return MDP.from_pairs(
            _gather(x, rows, ps),
            R,
            gamma,
            pair_state=ps,
            pair_action=pa,
            S=S,
            mu=_start(x, mu),
            terminal=mask,
            states=x.states,
            actions=_pad(labels, pa),
        )
    except InvalidModel as exc:
        hint = "; or pass a float gamma to read doubles" if x.exact else ""
        raise InvalidFile(f"{x.path}: {exc}{hint}") from exc


def _ascends(ps: IntVec, pa: IntVec) -> bool:
    """True when pairs come by state, then by action, without repeats."""
    step = np.diff(ps)
    return bool(((step > 0) | ((step == 0) & (np.diff(pa) > 0))).all())


def _drop_zeros(x: Listing) -> None:
    """Leave out transitions of probability zero."""
    keep = np.asarray(x.data != 0, dtype=np.bool_)
    if not keep.all():
        x.indptr = np.concatenate([[0], np.cumsum(keep)])[x.indptr]
        x.data, x.indices = x.data[keep], x.indices[keep]


def _gather(x: Listing, rows: IntVec, ps: IntVec) -> tuple[NDArray[Any], NDArray[np.int32], IntVec]:
    """CSR arrays, read-only, of choices `rows`, −1 meaning a self-loop of the pair's state; empties x."""
    counts = np.where(rows >= 0, np.diff(x.indptr)[rows], 1)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    given: NDArray[Any] = x.data
    targets: NDArray[Any] = np.asarray(x.indices, dtype=np.int32)
    x.data, x.indices = given[:0], targets[:0]
    data, cols = given, targets
    if not np.array_equal(rows, np.arange(x.indptr.size - 1)):
        data, cols = np.empty(indptr[-1], dtype=given.dtype), np.empty(indptr[-1], dtype=np.int32)
        for lo, hi in chunks(rows.size):
            first, last, loop = indptr[lo], indptr[hi], rows[lo:hi] < 0
            shift = np.where(loop, 0, x.indptr[rows[lo:hi]]) - indptr[lo:hi]
            at = np.arange(first, last) + np.repeat(shift, counts[lo:hi])
            put = indptr[lo:hi][loop]
            at[put - first] = 0
            if given.size:
                data[first:last], cols[first:last] = given[at], targets[at]
            data[put], cols[put] = Fraction(1) if x.exact else 1.0, ps[lo:hi][loop]
    return frozen(data), frozen(cols), frozen(indptr)


def _loop_ids(mask: NDArray[np.bool_], x: Listing, ids: IntVec) -> list[IntVec]:
    """Action ids a terminal state keeps: those of its choices, or 0."""
    out = []
    for s in np.flatnonzero(mask):
        lo, hi = np.searchsorted(x.choice_state, [s, s + 1])
        out.append(np.sort(ids[lo:hi]) if hi > lo else np.zeros(1, dtype=np.int64))
    return out


def _pad(labels: tuple[str, ...] | None, pa: IntVec) -> tuple[str, ...] | None:
    """Labels cut or extended to the action ids in use."""
    A = int(pa.max()) + 1
    return None if labels is None else tuple([*labels, *(f"a{i}" for i in range(len(labels), A))][:A])


def _start(x: Listing, mu: Any) -> Any:
    if mu is not None or not x.labels.get("init"):
        return mu
    init = sorted(set(x.labels["init"]))
    law = np.zeros(x.S, dtype=object if x.exact else np.float64)
    law[:] = Fraction(0) if x.exact else 0.0
    law[init] = Fraction(1, len(init)) if x.exact else 1.0 / len(init)
    return law


def labels_of(mdp: MDP, where: str) -> dict[str, list[int]]:
    """init (the support of a uniform start law) and terminal, for writing.

    Raises
    ------
    InvalidArgument
        If the start law is not uniform on its support: the formats only have initial states.
    """
    init = np.flatnonzero(mdp.mu != 0)
    share = Fraction(1, init.size) if mdp.is_exact else 1.0 / init.size
    if not bool((mdp.mu[init] == share).all()):
        raise InvalidArgument(
            f"{where}: the start law is not uniform on its support (mu[{init[0]}]={mdp.mu[init[0]]}); this "
            "format has initial states only: write .npz, or mdp.replace(mu=...) first"
        )
    out = {"init": init.tolist()}
    if mdp.terminal.any():
        out["terminal"] = np.flatnonzero(mdp.terminal).tolist()
    return out
