"""Bounds on V* of a latent MDP (A3): from above by revealing the context, from below by simpler policies.

    best sequence of actions ≤ best Markov policy ≤ V*(rewards hidden) ≤ V*(rewards observed)
                                                 ≤ QMDP ≤ Oracle.

Oracle: Σ_m w_m Σ_s ν_m(s) V*_{m,1}(s), the context revealed before the first action.
QMDP: Σ_s max_a Σ_m w_m ν_m(s) [R_m(s,a) + P_m(·|s,a)·V*_{m,2}], revealed after it; the fast informed bound
is the same number in a latent MDP.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ..models.latent import LatentMDP
from ..operators.latent import history_tree
from ..results.latent import LatentBound, LatentPolicy
from ._latent_rounding import IntegerTree, rounding
from .latent_belief import explore


def context_values(lmdp: LatentMDP) -> tuple[NDArray[Any], NDArray[Any]]:
    """(H + 1, M, S) V*_{m,t} and (H, M, S, A) Q*_{m,t} of the contexts, each known; exact in rationals.

    Complexity: H·M·S²·A.
    """
    zero = Fraction(0) if lmdp.is_exact else 0.0
    V = np.full((lmdp.H + 1, lmdp.M, lmdp.S), zero, dtype=lmdp.P.dtype)
    Q = np.full((lmdp.H, lmdp.M, lmdp.S, lmdp.A), zero, dtype=lmdp.P.dtype)
    for t in reversed(range(lmdp.H)):
        for m in range(lmdp.M):
            Q[t, m] = lmdp.R[m] + lmdp.P[m].dot(V[t + 1, m])
        V[t] = Q[t].max(axis=2)
    return V, Q


def _bound(lmdp: LatentMDP, value: Any, kind: str, name: str, witness: Any = None) -> LatentBound:
    number = value if lmdp.is_exact else float(value)
    return LatentBound(number, kind, name, rounding(history_tree(lmdp)), witness)


@dataclass(frozen=True)
class Oracle:
    """The value of knowing the context: an upper bound on V*.

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> Oracle().run(gallery.latent_three()).value
    Fraction(541, 576)
    """

    def run(self, lmdp: LatentMDP, /) -> LatentBound:
        """Σ_m w_m ν_m·V*_m."""
        V, _ = context_values(lmdp)
        value = (lmdp.start * V[0]).sum()
        return _bound(lmdp, value, "upper", "context revealed at the start")


@dataclass(frozen=True)
class QMDP:
    """The value of being told the context after the first action: an upper bound on V*.

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> QMDP().run(gallery.latent_three()).value
    Fraction(31, 36)
    """

    def run(self, lmdp: LatentMDP, /) -> LatentBound:
        """Σ_s max_a Σ_m w_m ν_m(s) Q*_{m,1}(s,a); `witness` are the first actions.

        Complexity: H·M·S²·A.
        """
        _, Q = context_values(lmdp)
        first = (lmdp.start[:, :, None] * Q[0]).sum(axis=0)
        value = first.max(axis=1).sum()
        act = np.array([[int(np.argmax(row == row.max()))] for row in first]).reshape(-1)
        return _bound(lmdp, value, "upper", "context revealed after the first action", act)


def qmdp_policy(lmdp: LatentMDP) -> LatentPolicy:
    """The policy that plays argmax_a Σ_m b_m Q*_{m,t}(s,a), lowest action on ties; a lower bound on V*.

    `qmdp_policy(lmdp).value()` is its value.  Works in rationals; models in doubles are lifted.

    Complexity: distinct (step, state, belief) it can meet × children × M.
    """
    exact = lmdp.exact()
    ints = IntegerTree.of(history_tree(exact))
    _, Q = context_values(exact)

    def choose(t: int, s: int, b: tuple[int, ...]) -> int:
        score = [sum(b[m] * Q[t, m, s, a] for m in range(lmdp.M)) for a in range(lmdp.A)]
        return score.index(max(score))

    graph = explore(ints, choose)
    tree = ints.tree if lmdp.is_exact else history_tree(lmdp)
    return LatentPolicy(tree, graph.root, graph.levels)


@dataclass(frozen=True)
class BestMarkov:
    """The best policy that sees the step and the state only: a lower bound on V*.

    Forward over the mass array (M, S) of contexts and states, branching on the actions of the states that
    carry mass and cutting off what the oracle cannot save; masses met before are not tried again.

    Parameters
    ----------
    max_nodes
        Refuse when more masses than this are met.

    Notes
    -----
    NP-hard in general: exponential in H in the worst case.
    """

    max_nodes: int = 300_000

    def run(self, lmdp: LatentMDP, /) -> LatentBound:
        """Its value and its (H, S) table of actions."""
        search = _Markov(lmdp, context_values(lmdp)[0], self.max_nodes)
        value = search.best(0, lmdp.start)
        table = np.zeros((lmdp.H, lmdp.S), dtype=np.int64)
        mass = lmdp.start
        for t in range(lmdp.H):
            table[t] = search.played[t, search.key(mass)]
            mass = search.moved(mass, table[t])
        return _bound(lmdp, value, "lower", "best Markov policy", table)


class _Markov:
    """Depth-first search over masses, with what was found for each."""

    def __init__(self, lmdp: LatentMDP, V: NDArray[Any], limit: int) -> None:
        self.lmdp, self.V, self.limit = lmdp, V, limit
        self.value: dict[Any, Any] = {}
        self.played: dict[Any, tuple[int, ...]] = {}

    @staticmethod
    def key(mass: NDArray[Any]) -> Any:
        return tuple(mass.reshape(-1).tolist())

    def moved(self, mass: NDArray[Any], actions: Any) -> NDArray[Any]:
        out = mass * 0
        for s in np.flatnonzero((mass != 0).any(axis=0)):
            out = out + mass[:, s, None] * self.lmdp.P[:, s, actions[s]]
        return np.asarray(out)

    def best(self, t: int, mass: NDArray[Any]) -> Any:
        if t == self.lmdp.H:
            return 0
        key = t, self.key(mass)
        if key in self.value:
            return self.value[key]
        if len(self.value) >= self.limit:
            raise InvalidArgument(
                f"BestMarkov: more than max_nodes={self.limit} masses of {self.lmdp!r}; shorten H, or take a "
                "history-dependent policy: BeliefDP(), PointBased()"
            )
        on = np.flatnonzero((mass != 0).any(axis=0))
        options = []
        for choice in itertools.product(range(self.lmdp.A), repeat=on.size):
            actions = np.zeros(self.lmdp.S, dtype=np.int64)
            actions[on] = choice
            now = sum(((mass[:, s] * self.lmdp.R[:, s, actions[s]]).sum() for s in on), 0)
            new = self.moved(mass, actions)
            options.append((now + (new * self.V[t + 1]).sum(), now, tuple(actions.tolist()), new))
        options.sort(key=lambda o: (-o[0], o[2]))
        found: Any = None
        for hope, now, actions_taken, new in options:
            if found is not None and hope <= found:
                break
            q = now + self.best(t + 1, new)
            if found is None or q > found:
                found, self.played[key] = q, actions_taken
        self.value[key] = found
        return found


@dataclass(frozen=True)
class BestOpenLoop:
    """The best sequence of actions, played whatever is seen: a lower bound on V*.

    Parameters
    ----------
    max_sequences
        Refuse when A^H exceeds this.
    """

    max_sequences: int = 1_000_000

    def run(self, lmdp: LatentMDP, /) -> LatentBound:
        """Its value and the sequence, by enumeration with the oracle as the bound that cuts."""
        if self.max_sequences < lmdp.A**lmdp.H:
            raise InvalidArgument(
                f"BestOpenLoop: {lmdp.A}^{lmdp.H} sequences, more than max_sequences={self.max_sequences}; "
                "shorten H, or take BestMarkov(), PointBased()"
            )
        V, _ = context_values(lmdp)
        found: list[Any] = [None, ()]

        def search(t: int, mass: NDArray[Any], so_far: Any, path: tuple[int, ...]) -> None:
            if t == lmdp.H:
                if found[0] is None or so_far > found[0]:
                    found[:] = so_far, path
                return
            if found[0] is not None and so_far + (mass * V[t]).sum() <= found[0]:
                return
            for a in range(lmdp.A):
                now = (mass * lmdp.R[:, :, a]).sum()
                new = np.array([mass[m].dot(lmdp.P[m, :, a]) for m in range(lmdp.M)])
                search(t + 1, new, so_far + now, (*path, a))

        search(0, lmdp.start, 0, ())
        return _bound(lmdp, found[0], "lower", "best sequence of actions", found[1])
