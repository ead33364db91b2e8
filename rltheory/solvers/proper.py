"""Which policies terminate: properness by graph search, and the quotient that makes VI and PI sound.

Facts (Bertsekas–Tsitsiklis 1991; de Alfaro 1997).  A policy is proper iff the terminal set is
reachable from every state along its transitions.  All policies are proper iff no end component avoids
the terminal states.  A policy can stay for ever exactly in end components, so

- one that can earn a positive average makes totals unbounded: refused;
- one whose best average is zero by zero rewards only may be merged into a single state, which removes
  the spurious fixed points of T and leaves the values of the proper policies unchanged;
- one whose best average is zero through rewards that cancel is refused;
- one whose best average is negative costs an infinite amount to stay in, and needs no care.

Values are then suprema over *proper* policies.  Where all rewards are ≥ 0 that is the supremum over all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import BoolVec, IntVec
from ..errors import ImproperPolicy
from ..kernels import graph
from ..models.mdp import MDP
from ..models.policy import Policy
from ..models.ssp import SSP
from .bounds import pair_weights


def is_proper(ssp: SSP, pi: ArrayLike | Policy) -> bool:
    """True iff π reaches the terminal set with probability one from every state.

    Complexity: O(nnz).
    """
    return improper_state(ssp.mdp, pair_weights(ssp.mdp, pi) != 0) is None


def all_proper(ssp: SSP) -> bool:
    """True iff every stationary policy is proper: no end component avoids the terminal states."""
    indices, indptr = graph.support(*ssp.csr)
    use = ~ssp.terminal[ssp.mdp.pair_state]
    label, _ = graph.end_components(indices, indptr, ssp.mdp.pair_state, ssp.S, use)
    return bool((label < 0).all())


def improper_state(mdp: MDP, used: BoolVec) -> int | None:
    """A state from which the chain on the pairs in `used` may never terminate, or None."""
    indices, indptr = graph.support(*mdp.csr)
    level, _ = graph.attractor(indices, indptr, mdp.pair_state, mdp.S, mdp.terminal, used)
    stuck = level < 0
    return int(np.argmax(stuck)) if stuck.any() else None


@dataclass(frozen=True, eq=False)
class Quotient:
    """An SSP with its zero-reward end components merged.

    Attributes
    ----------
    model
        The merged one-step model; states are `component[s]`, pair k is the pair `pair[k]` of the SSP.
    component
        (S,) merged state of each state.
    pair
        (N',) pair of the SSP behind each merged pair.
    attract
        (N,) pairs of the SSP inside merged components.
    proper_rows
        (S',) pairs of a proper policy of `model`.
    merged
        The merged components, as tuples of states.
    some_improper
        True when an improper policy exists.
    """

    model: MDP
    component: IntVec
    pair: IntVec
    attract: BoolVec
    proper_rows: IntVec
    merged: tuple[tuple[int, ...], ...]
    some_improper: bool

    def lift(self, ssp: SSP, rows: IntVec) -> Policy:
        """Policy of the SSP that plays merged rows: inside a component, walk to the exit, then leave."""
        exits = self.pair[rows]
        actions = np.empty(ssp.S, dtype=np.int64)
        actions[:] = ssp.mdp.pair_action[exits[self.component]]
        if self.merged:
            owner = ssp.mdp.pair_state
            indices, indptr = graph.support(*ssp.csr)
            target = np.ones(ssp.S, dtype=np.bool_)
            target[[s for members in self.merged for s in members]] = False
            target[owner[exits]] = True
            _, pair = graph.attractor(indices, indptr, owner, ssp.S, target, self.attract)
            walk = pair >= 0
            actions[walk] = ssp.mdp.pair_action[pair[walk]]
        return Policy(actions, ssp.A)


def quotient(ssp: SSP) -> Quotient:
    """Structure of an SSP, refused where suprema over proper policies are not finite or not attained.

    Raises
    ------
    ImproperPolicy
        Naming a state that cannot terminate; end components that earn (value +∞); end components whose
        best average is zero through rewards that cancel.
    """
    mdp = ssp.mdp
    indices, indptr = graph.support(*mdp.csr)
    owner = mdp.pair_state
    level, _ = graph.attractor(indices, indptr, owner, mdp.S, mdp.terminal)
    if (level < 0).any():
        s = int(np.argmax(level < 0))
        raise ImproperPolicy(
            f"SSP: state {s} cannot reach a terminal state under any policy, so no proper policy exists; "
            "list absorbing states in terminal=, or use AverageReward() or a discount"
        )
    moving = ~mdp.terminal[owner]
    free = moving & np.asarray(mdp.R_pairs == 0, dtype=np.bool_)
    label, inside = graph.end_components(indices, indptr, owner, mdp.S, free)
    merged = _merge(mdp, label, inside)
    model, component, pair = merged if (label >= 0).any() else (mdp, np.arange(mdp.S), np.arange(mdp.N))
    some_improper = _check_averages(model, pair, owner) or bool((label >= 0).any())
    indices, indptr = graph.support(*model.csr)
    _, rows = graph.attractor(indices, indptr, model.pair_state, model.S, model.terminal)
    rows[model.terminal] = model.state_ptr[:-1][model.terminal]
    sets = tuple(tuple(int(s) for s in np.flatnonzero(label == c)) for c in range(int(label.max()) + 1))
    return Quotient(model, component, pair, inside, rows, sets, some_improper)


def _merge(mdp: MDP, label: IntVec, inside: BoolVec) -> tuple[MDP, IntVec, IntVec]:
    """Merged model, state map and pair map; pairs inside a component disappear."""
    key = np.where(label >= 0, mdp.S + label, np.arange(mdp.S))
    first = {int(k): i for i, k in reversed(list(enumerate(key)))}
    names = sorted(first, key=lambda k: first[k])
    number = {k: i for i, k in enumerate(names)}
    component = np.array([number[int(k)] for k in key], dtype=np.int64)
    kept = np.flatnonzero(~inside)
    kept = kept[np.argsort(component[mdp.pair_state[kept]], kind="stable")]
    states = component[mdp.pair_state[kept]]
    start = np.searchsorted(states, np.arange(len(names) + 1))
    data, indices, indptr = mdp.csr
    lengths = np.diff(indptr)[kept]
    entries: Any = np.concatenate([np.arange(indptr[k], indptr[k + 1]) for k in kept])
    terminal = np.zeros(len(names), dtype=np.bool_)
    terminal[component[mdp.terminal]] = True
    model = MDP.from_pairs(
        (data[entries], component[indices[entries]], np.concatenate([[0], np.cumsum(lengths)])),
        mdp.R_pairs[kept],
        0,
        pair_state=states,
        pair_action=np.arange(kept.size) - start[states],
        S=len(names),
        terminal=terminal,
    )
    return model, component, kept


def _check_averages(model: MDP, pair: IntVec, owner: IntVec) -> bool:
    """True if end components remain (all with negative averages); refuse the others."""
    indices, indptr = graph.support(*model.csr)
    label, inside = graph.end_components(
        indices, indptr, model.pair_state, model.S, ~model.terminal[model.pair_state]
    )
    for c in range(int(label.max()) + 1):
        states = np.flatnonzero(label == c)
        pairs = np.flatnonzero(inside & (label[model.pair_state] == c))
        if (model.R_pairs[pairs] <= 0).all():
            continue  # a recurrent class inside contains a pair with reward < 0: free ones are merged
        gain = _best_average(model, states, pairs)
        if gain >= 0:
            where = sorted({int(owner[pair[k]]) for k in pairs})
            what = (
                f"the total reward is unbounded: the best average is {float(gain):.6g} > 0 a step"
                if gain > 0
                else "the best average is zero through rewards that cancel, so totals need not converge"
            )
            raise ImproperPolicy(
                f"SSP: a policy can stay for ever among states {where[:8]} and {what}; "
                "lower the rewards there, make a state terminal, or use a discount or AverageReward()"
            )
    return bool((label >= 0).any())


def _best_average(model: MDP, states: IntVec, pairs: IntVec) -> Any:
    """Exact optimal gain of the communicating sub-model on these states and pairs."""
    from .average_reward import AverageReward

    number = np.full(model.S, -1, dtype=np.int64)
    number[states] = np.arange(states.size)
    data, indices, indptr = model.csr
    entries: Any = np.concatenate([np.arange(indptr[k], indptr[k + 1]) for k in pairs])
    entries = entries[np.asarray(data[entries] > 0, dtype=np.bool_)]
    counts = [int((np.asarray(data[indptr[k] : indptr[k + 1]]) > 0).sum()) for k in pairs]
    sub = MDP.from_pairs(
        (data[entries], number[indices[entries]], np.concatenate([[0], np.cumsum(counts)])),
        model.R_pairs[pairs],
        0,
        pair_state=number[model.pair_state[pairs]],
        pair_action=model.pair_action[pairs],
        S=states.size,
    )
    return AverageReward(criterion="gain").run(sub.exact()).gain[0]
