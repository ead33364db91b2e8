"""What planning in a latent MDP returns: bounds on V*, and a policy that is a graph over histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidArgument, NotConverged
from ..portable import Portable
from .enclosure import Enclosure
from .solution import Status


@dataclass(frozen=True)
class Level(Portable):
    """The nodes of one step of a policy.

    Attributes
    ----------
    state, action
        (n,) state in which a node is entered and the action played there.
    child
        (n, k) node of the next level after the j-th child of (state, action), in the order of the history
        tree; −1 for what cannot be seen.
    """

    state: NDArray[np.int64]
    action: NDArray[np.int64]
    child: NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class LatentPolicy(Portable):
    """A deterministic history-dependent policy: a node for what it remembers, an action a node.

    Attributes
    ----------
    tree
        The `HistoryTree` whose children the nodes refer to.
    root
        (S,) node of the first level by start state; −1 for states no context starts in.
    levels
        One `Level` a step, t = 1..H.
    """

    tree: Any
    root: NDArray[np.int64]
    levels: tuple[Level, ...]

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return sum(level.state.size for level in self.levels)

    def alphas(self, tree: Any = None) -> tuple[NDArray[Any], ...]:
        """(n, M) true alpha vectors of the nodes of every level: V^π_m(h), in `tree`'s number system.

        Parameters
        ----------
        tree
            A tree with the same children and other factors (`HistoryTree.with_model`): the policy's value
            in another model.  Coordinates of contexts that cannot produce a node mean nothing.

        Complexity: nodes × children × M.
        """
        tree = self.tree if tree is None else tree
        A, M = tree.lmdp.A, tree.lmdp.M
        out: list[NDArray[Any]] = []
        after: NDArray[Any] | None = None
        for level in reversed(self.levels):
            alpha = tree.R[level.state, level.action]
            if after is not None:
                first = tree.ptr[level.state * A + level.action]
                alpha = alpha.copy()
                for j in range(level.child.shape[1]):
                    on = np.flatnonzero(level.child[:, j] >= 0)
                    if on.size:
                        alpha[on] = alpha[on] + tree.factor[first[on] + j] * after[level.child[on, j]]
            out.append(alpha.reshape(-1, M))
            after = alpha
        return tuple(reversed(out))

    def value(self, tree: Any = None) -> Any:
        """V^π = Σ_s Σ_m w_m ν_m(s) V^π_m(s), exact in rationals."""
        tree = self.tree if tree is None else tree
        first = self.alphas(tree)[0]
        on = np.flatnonzero(self.root >= 0)
        return (tree.start[on] * first[self.root[on]]).sum()

    def start(self, s: int) -> tuple[int, int]:
        """The node (t, i) = (0, i) a run that starts in s enters.

        Raises
        ------
        InvalidArgument
            If no context starts there.
        """
        if not 0 <= s < self.root.size or self.root[s] < 0:
            raise InvalidArgument(f"start: s={s}, no context starts there; starts: {self.starts}")
        return 0, int(self.root[s])

    @property
    def starts(self) -> tuple[int, ...]:
        """States in which a run can start."""
        return tuple(int(s) for s in np.flatnonzero(self.root >= 0))

    def action(self, node: tuple[int, int]) -> int:
        """Action played at a node."""
        t, i = node
        return int(self.levels[t].action[i])

    def step(self, node: tuple[int, int], s: int, reward: Any = None) -> tuple[int, int]:
        """The node entered when s (and, if observed, `reward`) is seen after a node's action.

        Raises
        ------
        InvalidArgument
            If no context can produce that, or the horizon is over.
        """
        t, i = node
        if t + 1 >= len(self.levels):
            raise InvalidArgument(f"step: step {t + 1} was the last one (H={len(self.levels)})")
        level, tree = self.levels[t], self.tree
        span = tree.children(int(level.state[i]), int(level.action[i]))
        for j, c in enumerate(span):
            fits = tree.reward[c] is None or tree.reward[c] == reward
            if tree.state[c] == s and fits and level.child[i, j] >= 0:
                return t + 1, int(level.child[i, j])
        seen = [(int(tree.state[c]), tree.reward[c]) for c in span]
        raise InvalidArgument(f"step: (s={s}, reward={reward}) cannot follow; possible: {seen}")

    def act(self, history: Sequence[Any]) -> int:
        """Action after a history s_1, or (s_1, r_1, s_2, r_2, …, s_t); rewards only where observed.

        The actions of the past are the policy's own.
        """
        seen = list(history)
        node, stride = self.start(int(seen[0])), 2 if self.tree.lmdp.observe_rewards else 1
        for k in range(1, len(seen), stride):
            reward, s = (seen[k], seen[k + 1]) if stride == 2 else (None, seen[k])
            node = self.step(node, int(s), reward)
        return self.action(node)

    def __repr__(self) -> str:
        return f"LatentPolicy(H={len(self.levels)}, nodes={self.nodes})"


@dataclass(frozen=True, eq=False, repr=False)
class LatentSolution(Portable):
    """lower ≤ V* ≤ upper of a latent MDP, and a policy worth at least `lower`.

    Attributes
    ----------
    model
        The `LatentMDP`.
    lower, upper
        Bounds on V*, rounding included; equal for exact models.
    policy
        A `LatentPolicy`; its own value is `policy.value()`.
    solver, reason
        The algorithm, and why it was chosen when `solve` chose.
    status
        EXACT, SOLVED, or MAX_ITER where a gap is left that was asked to close.
    stats
        Sizes: nodes, alpha vectors, …
    """

    model: Any
    lower: Any
    upper: Any
    policy: LatentPolicy
    solver: str
    status: Status
    reason: str = ""
    stats: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    _value: Any = None

    @property
    def value(self) -> Any:
        """V*, within `error`: the value of the policy found."""
        return self.lower if self._value is None else self._value

    @property
    def error(self) -> Any:
        """Bound on |value − V*|; 0 for exact models."""
        return max(self.upper - self.value, self.value - self.lower)

    @property
    def gap(self) -> Any:
        """upper − lower."""
        return self.upper - self.lower

    @property
    def enclosure(self) -> Enclosure:
        """[lower, upper]."""
        return Enclosure(self.lower, self.upper)

    @cached_property
    def alpha(self) -> NDArray[Any]:
        """(S, M) alpha vectors V^π_m(s) of the policy at the start; zero where no context starts."""
        first = self.policy.alphas()[0]
        out = np.full((self.model.S, self.model.M), Fraction(0) if self.model.is_exact else 0.0, first.dtype)
        on = self.policy.root >= 0
        out[on] = first[self.policy.root[on]]
        return out

    def raise_if_failed(self) -> LatentSolution:
        """`self`, or `NotConverged` when the gap asked for was not reached."""
        if not self.status.ok:
            raise NotConverged(
                f"{self.solver}: {float(self.lower):.6g} ≤ V* ≤ {float(self.upper):.6g}, gap "
                f"{float(self.gap):.2g}; raise its limits, or pass throw=False to get this result"
            )
        return self

    def __repr__(self) -> str:
        sizes = "".join(f", {k}={v}" for k, v in self.stats.items() if isinstance(v, int))
        reason = f"; {self.reason}" if self.reason else ""
        exact = isinstance(self.value, Fraction) and self.error == 0
        value = f"value={self.value}" if exact else f"value={float(self.value):.9g}"
        return (
            f"LatentSolution({value}, error={float(self.error):.2g}, {self.status.name}, "
            f"{self.solver}{sizes}{reason})"
        )

    def _repr_html_(self) -> str:
        rows: Mapping[str, object] = {
            "model": repr(self.model),
            "V*": f"{float(self.lower):.9g} … {float(self.upper):.9g}",
            "policy": repr(self.policy),
            "by": self.solver,
            "why": self.reason or "asked for",
            **{str(k): v for k, v in self.stats.items()},
        }
        return "<table>" + "".join(f"<tr><th>{k}</th><td>{v}</td></tr>" for k, v in rows.items()) + "</table>"


@dataclass(frozen=True)
class LatentBound(Portable):
    """A bound on V*.

    Attributes
    ----------
    value
        The number; in doubles within `error` of the bound meant.
    kind
        "upper" or "lower".
    name
        What it is the value of.
    error
        Bound on rounding; 0 for exact models.
    witness
        What attains a lower bound: a (H, S) table of actions or a sequence of H actions; for QMDP the
        (S,) first actions.
    """

    value: Any
    kind: str
    name: str
    error: Any
    witness: Any = None


@dataclass(frozen=True)
class LatentMoments(Portable):
    """Mean and variance of the total reward of a policy, split as the total-variance identity has it.

    Attributes
    ----------
    value
        V^π = E G.
    second_moment
        E G².
    initial
        𝕍(w∘ν, V^π_·(·)): variance of the alpha vector over context and first state.
    transitions
        E Σ_t 𝕍(P_m(·|s_t,a_t), V^π_m(h_t a_t r_t ·)).
    actions
        E Σ_t Var_{a ~ π}(Q_m(h_t, a)); 0 for deterministic policies.
    """

    value: Any
    second_moment: Any
    initial: Any
    transitions: Any
    actions: Any

    @property
    def variance(self) -> Any:
        """Var^π = initial + transitions: what the regret bound is about."""
        return self.initial + self.transitions

    @property
    def total_variance(self) -> Any:
        """Var G = E G² − (E G)²."""
        return self.second_moment - self.value * self.value
