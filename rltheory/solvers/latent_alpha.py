"""Dynamic programming over sets of alpha vectors (A2): what every policy achieves in every context.

    Γ_{H+1}(s) = {0},   Γ_t(s) = ∪_a { R(s,a) + Σ_children f∘α_child : α_child ∈ Γ_{t+1}(s') },

children chosen independently of each other; coordinates of contexts that cannot be in s at step t are 0.

Order, so that two implementations play the same policy: candidates by action, then by the tuples of child
indices, last child fastest; pruning keeps the first of equal vectors and leaves the rest in order; at the
start the first vector within 1e−12 of the best is played.  A child that no context of (t, s) can produce
takes entry 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ..kernels import alpha as kernels
from ..kernels import simplex
from ..models.latent import LatentMDP
from ..operators.latent import HistoryTree, history_tree
from ..results.latent import LatentPolicy, LatentSolution, Level
from ..results.solution import Status
from ._latent_rounding import IntegerTree, outward, rounding
from ._progress import Progress

TOL = 1e-12
"""Tolerance of pruning and of ties, in doubles."""

Prune = Literal["lp", "pareto", "none"]

Backup = Callable[[int, int, int, NDArray[Any]], NDArray[Any]]
"""backup(t, s, a, children (n, k, M)) → (n, M): alpha vectors of n choices of the k children of (s, a)."""


@dataclass(frozen=True, eq=False)
class AlphaSets:
    """Γ_t(s) for all t and s, with the action and the children of every vector.

    Attributes
    ----------
    tree
        The history tree.
    alpha, action, child
        `alpha[t][s]` (n, M), `action[t][s]` (n,), `child[t][s]` (n, width) index into Γ_{t+1} of each child
        of (s, action), in the tree's order; t = 0..H−1.
    scale
        Integers stand for alpha/scale[t]; 1 in doubles.
    lost
        Bound on what pruning in doubles takes from any value; 0 in rationals.
    """

    tree: HistoryTree
    alpha: list[list[NDArray[Any]]]
    action: list[list[NDArray[np.int64]]]
    child: list[list[NDArray[np.int64]]]
    scale: list[int]
    lost: float = 0.0

    def sizes(self) -> NDArray[np.int64]:
        """(H, S) numbers of vectors."""
        return np.array([[x.shape[0] for x in row] for row in self.alpha], dtype=np.int64)

    def vectors(self, t: int, s: int) -> NDArray[Any]:
        """(n, M) alpha vectors of Γ_{t+1}(s) in the model's number system."""
        x = self.alpha[t][s]
        if not self.tree.lmdp.is_exact:
            return x
        out = np.empty(x.shape, dtype=object)
        out.reshape(-1)[:] = [Fraction(int(v), self.scale[t]) for v in x.reshape(-1).tolist()]
        return out

    def best(self, s: int, b: NDArray[Any], t: int = 0) -> tuple[Any, int]:
        """(max_α b·α, the first index within 1e−12 of it) over Γ_{t+1}(s)."""
        values = [(b * v).sum() for v in self.vectors(t, s)]
        top = max(values)
        slack = 0 if self.tree.lmdp.is_exact else TOL
        return top, next(i for i, v in enumerate(values) if v >= top - slack)

    def policy(self) -> LatentPolicy:
        """The policy that is best at the start, as a graph."""
        tree = self.tree
        S = tree.lmdp.S
        root = np.full(S, -1, dtype=np.int64)
        nodes: dict[tuple[int, int], int] = {}
        for s in range(S):
            if (tree.start[s] != 0).any():
                root[s] = nodes.setdefault((s, self.best(s, tree.start[s])[1]), len(nodes))
        levels = []
        for t in range(tree.lmdp.H):
            below: dict[tuple[int, int], int] = {}
            state = np.array([s for s, _ in nodes], dtype=np.int64)
            action = np.array([self.action[t][s][i] for s, i in nodes], dtype=np.int64)
            child = np.full((len(nodes), tree.width if t + 1 < tree.lmdp.H else 0), -1, dtype=np.int64)
            if t + 1 < tree.lmdp.H:
                for row, ((s, i), a) in enumerate(zip(nodes, action.tolist(), strict=True)):
                    live = tree.seen[t, :, s]
                    for j, c in enumerate(tree.children(s, a)):
                        if (tree.factor[c][live] != 0).any():
                            key = (int(tree.state[c]), int(self.child[t][s][i, j]))
                            child[row, j] = below.setdefault(key, len(below))
            levels.append(Level(state, action, child))
            nodes = below
        return LatentPolicy(tree, root, tuple(levels))


@dataclass(frozen=True)
class AlphaDP:
    """V* of a latent MDP by dynamic programming over alpha vectors; exact for exact models.

    Parameters
    ----------
    prune
        "lp" keeps the vectors that are best at some belief; "pareto" those that no other one covers in every
        context; "none" keeps all.
    max_vectors
        Refuse when a set, or the candidates for one, would hold more vectors than this.

    Notes
    -----
    Works backward, for all beliefs at once: its cost depends on how many continuations are worth having,
    not on how many histories there are.  In doubles pruning may cost 1e−12 a vector; what it
    costs at most in all is counted in `upper`.

    Complexity: unpruned, A^((S^H − 1)/(S − 1)) vectors.

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> AlphaDP().run(gallery.latent_three()).value
    Fraction(31, 36)
    """

    prune: Prune = "lp"
    max_vectors: int = 200_000

    def __post_init__(self) -> None:
        if self.prune not in ("lp", "pareto", "none"):
            raise InvalidArgument(f"prune={self.prune!r}, must be 'lp', 'pareto' or 'none'")
        if self.max_vectors < 1:
            raise InvalidArgument(f"max_vectors={self.max_vectors}, must be ≥ 1")

    def run(self, lmdp: LatentMDP, /) -> LatentSolution:
        """V*, the optimal policy as a graph, and the sizes of the sets.

        Raises
        ------
        InvalidArgument
            More vectors than `max_vectors`.
        """
        tree = history_tree(lmdp)
        sets = alpha_sets(tree, prune=self.prune, max_vectors=self.max_vectors)
        policy = sets.policy()
        value = policy.value()
        sizes = sets.sizes()
        stats = MappingProxyType(
            {"vectors": int(sizes.sum()), "largest": int(sizes.max()), "nodes": policy.nodes}
        )
        if lmdp.is_exact:
            return LatentSolution(lmdp, value, value, policy, "AlphaDP", Status.EXACT, stats=stats)
        error = rounding(tree)
        ends = outward(float(value), error, False), outward(float(value), error + sets.lost + TOL, True)
        return LatentSolution(lmdp, *ends, policy, "AlphaDP", Status.SOLVED, stats=stats, _value=float(value))


def alpha_sets(
    tree: HistoryTree,
    *,
    prune: Prune = "lp",
    max_vectors: int = 200_000,
    backup: Backup | None = None,
) -> AlphaSets:
    """Γ_t(s) of a history tree, for the linear backup or one of your own.

    Parameters
    ----------
    tree
        Children and factors; rationals are worked on as integers over common denominators.
    prune
        As in `AlphaDP`.  "lp" is valid for backups that are monotone and convex in the children, "pareto" for
        all monotone ones.
    max_vectors
        Most candidates of one pair.
    backup
        (t, s, a, (n, k, M) alpha vectors of the children of (s, a)) → (n, M); doubles only.  Children that no
        context of (t, s) can produce come with the vector of entry 0; at t = H − 1, k = 0.

    Raises
    ------
    InvalidArgument
        Too many vectors.
    """
    lmdp = tree.lmdp
    H, S, A = lmdp.H, lmdp.S, lmdp.A
    numbers = _Numbers.of(tree)
    ledger: list[float] = []
    alpha: list[Any] = [None] * H
    action: list[Any] = [None] * H
    child: list[Any] = [None] * H
    with Progress(H * S, "alpha vectors") as bar:
        for t in reversed(range(H)):
            after = alpha[t + 1] if t + 1 < H else None
            alpha[t], action[t], child[t] = [], [], []
            for s in range(S):
                live = tree.seen[t, :, s]
                parts = []
                for a in range(A):
                    build = numbers.linear if backup is None else numbers.general
                    parts.append(build(t, s, a, live, after, prune, max_vectors, backup, ledger))
                vec = np.concatenate([p[0] for p in parts])
                act = np.repeat(np.arange(A), [p[0].shape[0] for p in parts])
                idx = np.zeros((vec.shape[0], tree.width), dtype=np.int64)
                row = 0
                for p in parts:
                    idx[row : row + p[1].shape[0], : p[1].shape[1]] = p[1]
                    row += p[1].shape[0]
                keep = pruned(vec, prune, ledger)
                alpha[t].append(vec[keep])
                action[t].append(act[keep])
                child[t].append(idx[keep])
                bar.advance()
    return AlphaSets(tree, alpha, action, child, numbers.scales, math.fsum(ledger))


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Factors and rewards as doubles, as 64-bit integers, or as Python integers if those are too small."""

    tree: HistoryTree
    factor: NDArray[Any]
    R: NDArray[Any]
    scales: list[int]
    lift: list[int]

    @classmethod
    def of(cls, tree: HistoryTree) -> _Numbers:
        H = tree.lmdp.H
        if not tree.lmdp.is_exact:
            return cls(tree, tree.factor, tree.R, [1] * H, [1] * H)
        ints = IntegerTree.of(tree)
        lift = [ints.D ** (H - 1 - t) for t in range(H)]
        top = max(1, max(abs(x) for row in ints.R for r in row for x in r))
        fits = top * H * lift[0] * 4 * tree.lmdp.M < 2**62
        dtype: Any = np.int64 if fits else object
        return cls(
            tree,
            np.array(ints.factor, dtype=dtype).reshape(tree.factor.shape),
            np.array(ints.R, dtype=dtype).reshape(tree.R.shape),
            [ints.E * x for x in lift],
            lift,
        )

    def linear(
        self,
        t: int,
        s: int,
        a: int,
        live: Any,
        after: Any,
        prune: Prune,
        cap: int,
        _: Any,
        ledger: list[float],
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Candidates of one pair, pruned after every child: sums of pruned sets lose nothing."""
        vec = np.where(live, self.R[s, a] * self.lift[t], 0 * self.R[s, a])[None, :]
        idx = np.zeros((1, 0), dtype=np.int64)
        if after is None:
            return vec, idx
        for c in self.tree.children(s, a):
            f = np.where(live, self.factor[c], 0 * self.factor[c])
            if not (f != 0).any():
                idx = np.concatenate([idx, np.zeros((idx.shape[0], 1), dtype=np.int64)], axis=1)
                continue
            part = f * after[self.tree.state[c]]
            keep = np.flatnonzero(pruned(part, prune, ledger))
            n, k = vec.shape[0], keep.size
            if n * k > cap:
                raise InvalidArgument(
                    f"AlphaDP: {n * k} alpha vectors at step {t + 1} for (s={s}, a={a}), more than "
                    f"max_vectors={cap}; use BeliefDP(), PointBased() for bounds, or raise max_vectors"
                )
            vec = (vec[:, None, :] + part[keep][None]).reshape(n * k, -1)
            idx = np.concatenate([np.repeat(idx, k, axis=0), np.tile(keep, n)[:, None]], axis=1)
            good = pruned(vec, prune, ledger)
            vec, idx = vec[good], idx[good]
        return vec, idx

    def general(
        self, t: int, s: int, a: int, live: Any, after: Any, prune: Prune, cap: int, backup: Any, _: Any
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Candidates of one pair from the full product of the children."""
        M = live.size
        span = self.tree.children(s, a)
        if after is None:
            vec = backup(t, s, a, np.zeros((1, 0, M)))
            return np.where(live, vec, 0.0), np.zeros((1, 0), dtype=np.int64)
        options = [
            np.arange(after[self.tree.state[c]].shape[0] if (self.factor[c][live] != 0).any() else 1)
            for c in span
        ]
        count = math.prod(x.size for x in options)
        if count > cap:
            raise InvalidArgument(
                f"alpha_sets: {count} candidates at step {t + 1} for (s={s}, a={a}), more than "
                f"max_vectors={cap}; prune with 'lp' where the backup is convex, shorten H, or raise it"
            )
        idx = np.stack(np.meshgrid(*options, indexing="ij"), axis=-1).reshape(count, len(options))
        children = np.stack([after[self.tree.state[c]][idx[:, j]] for j, c in enumerate(span)], axis=1)
        return np.where(live, backup(t, s, a, children), 0.0), idx.astype(np.int64)


# ---- pruning -----------------------------------------------------------------------------
def pruned(x: NDArray[Any], prune: Prune, ledger: list[float] | None = None) -> NDArray[np.bool_]:
    """(n,) mask of the vectors that stay; integers exactly, doubles within 1e−12.

    What is lost at most at any belief is appended to `ledger`, for doubles.
    """
    n, M = x.shape
    keep = np.ones(n, dtype=np.bool_)
    if prune == "none" or n == 1:
        return keep
    keep = _pareto_exact(x) if x.dtype == object else kernels.pareto(x, 0 if x.dtype == np.int64 else TOL)
    left = np.flatnonzero(keep)
    ledger = [] if ledger is None else ledger
    if x.dtype == np.float64 and left.size < n:
        ledger.append(2 * TOL)
    if prune == "pareto" or left.size <= M or M == 1:
        return keep
    y = x[left]
    varies = [m for m in range(M) if (y[:, m] != y[0, m]).any()]
    if len(varies) < M:
        y = y[:, varies]
    if y.shape[1] == 2 and left.size > 2:
        stays, lost = _chain(y)
        ledger.append(lost)
    elif y.dtype == np.float64:
        stays, lost = kernels.hull(np.ascontiguousarray(y), TOL)
        ledger.append(lost)
    else:
        stays = _hull_exact(y)
    keep[left[~stays]] = False
    return keep


def _pareto_exact(x: NDArray[Any]) -> NDArray[np.bool_]:
    rows = [tuple(v) for v in x.tolist()]
    order = sorted(range(len(rows)), key=lambda i: (-sum(rows[i]), i))
    kept: list[int] = []
    for i in order:
        if not any(all(u >= v for u, v in zip(rows[j], rows[i], strict=True)) for j in kept):
            kept.append(i)
    mask = np.zeros(len(rows), dtype=np.bool_)
    mask[kept] = True
    return mask


def _chain(x: NDArray[Any]) -> tuple[NDArray[np.bool_], float]:
    """Upper hull of Pareto-optimal points of the plane, by a monotone chain; and what is lost at most."""
    exact = x.dtype != np.float64
    rows = [tuple(int(v) for v in p) if exact else tuple(p) for p in x.tolist()]
    order = sorted(range(len(rows)), key=lambda i: (rows[i][0], -rows[i][1], i))
    tol, lost = (0.0 if exact else TOL), 0.0
    hull: list[int] = []
    for i in order:
        while len(hull) > 1:
            (ax, ay), (bx, by), (cx, cy) = rows[hull[-2]], rows[hull[-1]], rows[i]
            turn = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            if turn >= 0 or (tol and -turn <= tol * max(cx - ax, ay - cy)):
                hull.pop()
                lost += 0.0 if exact else 1e-15 if turn >= 0 else TOL
            else:
                break
        hull.append(i)
    mask = np.zeros(len(rows), dtype=np.bool_)
    mask[hull] = True
    return mask, lost


def _hull_exact(x: NDArray[Any]) -> NDArray[np.bool_]:
    """The same as `kernels.hull` in rationals."""
    rows = [[int(v) for v in p] for p in x.tolist()]
    n, M = len(rows), len(rows[0])
    alive = [True] * n
    sure = set()
    for m in range(M + 1):
        score = [p[m] if m < M else sum(p) for p in rows]
        top = max(score)
        if score.count(top) == 1:
            sure.add(score.index(top))
    for i in reversed(range(n)):
        others = [rows[j] for j in range(n) if alive[j] and j != i]
        if i in sure or not others:
            continue
        low = min(rows[i][m] - y[m] for y in others for m in range(M))
        G = [[rows[i][m] - y[m] - low + 1 for y in others] for m in range(M)]
        A = [row + [int(k == m) for k in range(M)] for m, row in enumerate(G)]
        k = len(others)
        found = simplex.maximise(A, [1] * M, [1] * k + [0] * M, basis=list(range(k, k + M)))
        value = 1 / fmpq(int(found.x[:k].sum().numerator), int(found.x[:k].sum().denominator)) + low - 1
        alive[i] = bool(value > 0)
    return np.array(alive)
