"""A certified gap for latent MDPs too large to solve: policies from below, convexity from above.

For every step and state, alpha vectors of policies bound W_t(s, ·) from below at all beliefs, and points
bound it from above by convexity, along with QMDP.  Beliefs live in M dimensions, not in the M·S of the
POMDP's hidden state, and both bounds hold whenever the search is stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ..kernels import points as kernels
from ..models.latent import LatentMDP
from ..operators.latent import HistoryTree, history_tree
from ..results.latent import LatentPolicy, LatentSolution, Level
from ..results.solution import Status
from ._latent_rounding import outward, rounding
from ._progress import Progress
from .base import check_max_iter
from .latent_bounds import context_values


@dataclass(frozen=True)
class PointBased:
    """lower ≤ V* ≤ upper with a gap of at most `tol`, or what `max_trials` trials reach.

    Parameters
    ----------
    tol
        Gap asked for.
    max_trials
        Number of trials, each a path of H steps backed up.
    max_bytes
        Memory for vectors and points.

    Notes
    -----
    Trials go where the bounds differ most (heuristic search over beliefs).  The first vectors are the best
    policies of the contexts, each evaluated in all contexts; the first upper bound is QMDP.  Models must
    be in doubles; rounding is counted.  `stats["history"]` has (trials, lower, upper).

    Complexity: a trial takes H·A·children·M·(vectors + points).

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> sol = PointBased(tol=1e-6).run(gallery.wait_and_guess(theta1=0.75, H=8))
    >>> bool(sol.lower <= 1633 / 2048 <= sol.upper)
    True
    """

    tol: float = 1e-3
    max_trials: int = 50_000
    max_bytes: int = 1 << 31

    def __post_init__(self) -> None:
        if not 0 < self.tol < math.inf:
            raise InvalidArgument(f"tol={self.tol}, must be positive: the gap asked for")
        check_max_iter(self.max_trials)

    def run(self, lmdp: LatentMDP, /) -> LatentSolution:
        """Bounds and the policy that attains the lower one.

        Raises
        ------
        InvalidArgument
            For rational models.
        """
        if lmdp.is_exact:
            raise InvalidArgument("PointBased works in doubles; pass lmdp.float(), or use BeliefDP()")
        tree = history_tree(lmdp)
        search = _Search(tree, self.max_bytes)
        lower, upper, made = search.advance(self.tol, 0)
        history = [(0, lower, upper)]
        with Progress(100, "gap") as bar:
            widest, shown, batch = max(upper - lower, 1e-300), 0, 8
            while upper - lower > self.tol and made < self.max_trials:
                lower, upper, n = search.advance(self.tol, min(batch, self.max_trials - made))
                made += n
                history.append((made, lower, upper))
                batch = min(2 * batch, 256)
                if n == 0 and not search.grow():
                    break
                share = math.log(widest / max(upper - lower, self.tol)) / math.log(widest / self.tol + 1e-9)
                bar.advance(max(0, int(100 * share) - shown), f"gap {upper - lower:.2g}")
                shown = max(shown, int(100 * share))
        error = 4 * rounding(tree)
        status = Status.SOLVED if upper - lower <= self.tol else Status.MAX_ITER
        policy = search.policy()
        stats: Any = {
            "trials": made,
            "vectors": int(search.count.sum()),
            "points": int(search.points.sum()),
            "history": tuple(history),
        }
        return LatentSolution(
            lmdp,
            outward(lower, error, False),
            outward(upper, error, True),
            policy,
            "PointBased",
            status,
            stats=MappingProxyType(stats),
            _value=lower,
        )


class _Search:
    """The arrays of a search, which grow."""

    def __init__(self, tree: HistoryTree, max_bytes: int) -> None:
        lmdp = tree.lmdp
        H, S, M = lmdp.H, lmdp.S, lmdp.M
        self.tree, self.max_bytes = tree, max_bytes
        V, Q = context_values(lmdp)
        self.Q = np.ascontiguousarray(Q.transpose(0, 2, 3, 1))
        self.corner = np.ascontiguousarray(V[:H].transpose(0, 2, 1))
        cap = 4 * (M + lmdp.A)
        width = tree.width
        self.alpha = np.zeros((H, S, cap, M))
        self.action = np.zeros((H, S, cap), dtype=np.int64)
        self.child = np.zeros((H, S, cap, width), dtype=np.int64)
        self.count = np.full((H, S), M, dtype=np.int64)
        self.live = np.zeros((H, S, cap), dtype=np.int64)
        self.alive = np.full((H, S), M, dtype=np.int64)
        self.point = np.zeros((H, S, cap, M))
        self.drop = np.zeros((H, S, cap))
        self.points = np.zeros((H, S), dtype=np.int64)
        self.live[:, :, :M] = np.arange(M)
        for t in reversed(range(H)):
            for s in range(S):
                if t == H - 1:  # exact: one vector an action
                    self.alpha[t, s, : lmdp.A] = tree.R[s]
                    self.action[t, s, : lmdp.A] = np.arange(lmdp.A)
                    self.live[t, s, : lmdp.A] = np.arange(lmdp.A)
                    self.count[t, s] = self.alive[t, s] = lmdp.A
                    continue
                for k in range(M):
                    a = int(np.argmax(self.Q[t, s, :, k]))
                    self.action[t, s, k] = a
                    vec = tree.R[s, a].copy()
                    for j, c in enumerate(tree.children(s, a)):
                        u = tree.state[c]
                        i = int(np.argmax(tree.R[u, :, k])) if t == H - 2 else k
                        self.child[t, s, k, j] = i
                        vec = vec + tree.factor[c] * self.alpha[t + 1, u, i]
                    self.alpha[t, s, k] = vec

    def advance(self, tol: float, number: int) -> tuple[float, float, int]:
        """(lower, upper, trials made)."""
        tree = self.tree
        out = kernels.trials(
            tree.ptr,
            tree.state,
            tree.factor,
            tree.R,
            self.Q,
            self.corner,
            tree.start,
            self.alpha,
            self.action,
            self.child,
            self.count,
            self.live,
            self.alive,
            self.point,
            self.drop,
            self.points,
            tol,
            number,
        )
        return float(out[0]), float(out[1]), int(out[2])

    def grow(self) -> bool:
        """Room for twice as many vectors and points; False if that is more memory than allowed."""
        names = ("alpha", "action", "child", "live", "point", "drop")
        if 2 * sum(getattr(self, name).nbytes for name in names) > self.max_bytes:
            return False
        for name in names:
            old = getattr(self, name)
            new = np.zeros((*old.shape[:2], 2 * old.shape[2], *old.shape[3:]), dtype=old.dtype)
            new[:, :, : old.shape[2]] = old
            setattr(self, name, new)
        return True

    def policy(self) -> LatentPolicy:
        """The policy of the best vectors at the start."""
        tree = self.tree
        root = np.full(tree.lmdp.S, -1, dtype=np.int64)
        nodes: dict[tuple[int, int], int] = {}
        for s in np.flatnonzero(tree.start.any(axis=1)).tolist():
            values = self.alpha[0, s, : self.count[0, s]] @ tree.start[s]
            root[s] = nodes.setdefault((s, int(np.argmax(values))), len(nodes))
        levels = []
        for t in range(tree.lmdp.H):
            below: dict[tuple[int, int], int] = {}
            state = np.array([s for s, _ in nodes], dtype=np.int64)
            action = np.array([self.action[t, s, i] for s, i in nodes], dtype=np.int64)
            last = t + 1 == tree.lmdp.H
            child: NDArray[np.int64] = np.full((len(nodes), 0 if last else tree.width), -1, dtype=np.int64)
            for row, ((s, i), a) in enumerate(zip(nodes, action.tolist(), strict=True)):
                for j, c in enumerate(() if last else tree.children(s, a)):
                    key = int(tree.state[c]), int(self.child[t, s, i, j])
                    child[row, j] = below.setdefault(key, len(below))
            levels.append(Level(state, action, child))
            nodes = below
        return LatentPolicy(tree, root, tuple(levels))
