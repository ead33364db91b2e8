"""Belief dynamic programming (A1): V* of a latent MDP, with every (step, state, belief) solved once.

W_{H+1} = 0;  W_t(s, b) = max_a { Σ_m b_m R_m(s,a) + Σ_children W_{t+1}(s', b∘f) };  V* = Σ_s W_1(s, w∘ν(s)).

W is positively homogeneous in b.  Over the rationals a belief is kept as a primitive integer vector: the
memo is exact and the result too.  In doubles the key of a belief is its start column and the counts of the
evidence seen: exact as well, so rounding enters values only, by the bound that is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ..kernels import belief as kernels
from ..models.latent import LatentMDP
from ..operators.latent import HistoryTree, history_tree
from ..results.latent import LatentPolicy, LatentSolution, Level
from ..results.solution import Status
from ._latent_rounding import IntegerTree, outward, rounding
from ._progress import Progress

REMEDY = "use solvers.PointBased() for bounds, solvers.AlphaDP(), a shorter horizon"


@dataclass(frozen=True)
class BeliefDP:
    """V* of a latent MDP by dynamic programming over beliefs; exact for exact models.

    Parameters
    ----------
    memo
        False walks all histories instead and keeps nothing (doubles only; no policy): for checks, and
        where no belief occurs twice.
    max_nodes
        Refuse beforehand when more (step, state, belief) nodes (histories without memo) than this are
        possible; 20 million in doubles, 500 thousand in rationals if not given.

    Notes
    -----
    The number of nodes is at most Σ_t S·C(t + c, c), c the number of classes of evidence (`HistoryTree.
    beliefs`): polynomial in H.  With full support 5–40 % of the bound is met.

    Complexity: nodes × A × children × M.

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> BeliefDP().run(gallery.wait_and_guess(H=8)).value
    Fraction(1633, 2048)
    """

    memo: bool = True
    max_nodes: int | None = None

    def run(self, lmdp: LatentMDP, /) -> LatentSolution:
        """V*, the optimal policy as a graph over beliefs, and how many nodes there are.

        Raises
        ------
        InvalidArgument
            More nodes are possible than `max_nodes`; rationals without memo.
        """
        tree = history_tree(lmdp)
        limit = self.max_nodes if self.max_nodes is not None else (500_000 if lmdp.is_exact else 20_000_000)
        bound = sum(tree.beliefs if self.memo else tree.sizes)
        if bound > limit:
            what = "beliefs" if self.memo else "histories"
            raise InvalidArgument(
                f"BeliefDP: up to {bound:.3g} {what} for {lmdp!r}, more than max_nodes={limit:.3g}; "
                f"{REMEDY}, or raise max_nodes (about {bytes_per_node(tree)} bytes a node)"
            )
        if not self.memo:
            return _walk(tree)
        graph = _rational(tree) if lmdp.is_exact else _doubles(tree)
        policy = LatentPolicy(tree, graph.root, graph.levels)
        value, error = graph.value, rounding(tree)
        stats = MappingProxyType({"nodes": graph.nodes, "bound": bound})
        if lmdp.is_exact:
            return LatentSolution(lmdp, value, value, policy, "BeliefDP", Status.EXACT, stats=stats)
        own = float(policy.value())
        return LatentSolution(
            lmdp,
            outward(own, error, False),
            outward(value, error, True),
            policy,
            "BeliefDP",
            Status.SOLVED,
            stats=stats,
            _value=value,
        )


def bytes_per_node(tree: HistoryTree) -> int:
    """Memory of a node in doubles."""
    words = int(_key_words(tree)[0].shape[1])
    return 8 * (2 + words + tree.lmdp.M) + 12 * tree.lmdp.A * tree.width


@dataclass(frozen=True, eq=False)
class _Graph:
    value: Any
    root: NDArray[np.int64]
    levels: tuple[Level, ...]
    nodes: int


# ---- doubles -----------------------------------------------------------------------------
def _key_words(tree: HistoryTree) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """(C, W) steps, (M, W) lone keys, (S, W) start keys: counts in fields of 64-bit words."""
    classes, origins = tree.evidence
    M, H = tree.lmdp.M, tree.lmdp.H
    wide, narrow = int(int(origins.max()) + M).bit_length(), max(1, int(H - 1).bit_length())
    field, word, used = [], 0, wide
    for _ in range(int(classes.max(initial=-1)) + 1):
        if used + narrow > 64:
            word, used = word + 1, 0
        field.append((word, used))
        used += narrow
    steps = np.zeros((classes.size, word + 1), dtype=np.uint64)
    for c, k in enumerate(classes):
        if k >= 0:
            steps[c, field[k][0]] = np.uint64(1) << np.uint64(field[k][1])
    lone = np.zeros((M, word + 1), dtype=np.uint64)
    lone[:, 0] = np.arange(M)
    starts = np.zeros((origins.size, word + 1), dtype=np.uint64)
    starts[:, 0] = M + origins
    return steps, lone, starts


def _doubles(tree: HistoryTree) -> _Graph:
    lmdp = tree.lmdp
    A, width = lmdp.A, tree.width
    steps, lone, keys = _key_words(tree)
    mass = tree.start.sum(axis=1)
    on = np.flatnonzero(mass > 0)
    belief = tree.start[on] / mass[on, None]
    key = keys[on].copy()
    for i in np.flatnonzero((belief > 0).sum(axis=1) == 1):
        key[i] = lone[int(np.argmax(belief[i]))]
    state = on.astype(np.int64)
    model = tree.ptr, tree.state, tree.factor
    levels: list[Any] = []
    with Progress(2 * lmdp.H, "beliefs") as bar:
        for _ in range(lmdp.H - 1):
            out = kernels.expand(*model, steps, lone, A, state, key, belief, width, 2**31 - 2)
            levels.append((state, belief, out[0], out[1]))
            state, key, belief = out[2:5]
            bar.advance()
        nothing = np.full((state.size, A * width), -1, dtype=np.int32)
        levels.append((state, belief, nothing, np.zeros((0, 0))))
        after = np.zeros(0)
        played = []
        for s, b, child, m in reversed(levels):
            after, action = kernels.contract(tree.R, s, b, child, m, after)
            played.append(action)
            bar.advance()
    played.reverse()
    root = np.full(lmdp.S, -1, dtype=np.int64)
    root[on] = np.arange(on.size)
    chosen = []
    for (s, _, child, _), action in zip(levels, played, strict=True):
        cols = action[:, None] * width + np.arange(width)
        chosen.append(Level(s, action, np.take_along_axis(child, cols, axis=1).astype(np.int64)))
    nodes = sum(level[0].size for level in levels)
    return _Graph(float((mass[on] * after).sum()), *_reached(root, chosen), nodes)


def _reached(root: NDArray[np.int64], levels: list[Level]) -> tuple[NDArray[np.int64], tuple[Level, ...]]:
    """The nodes the policy itself can enter, renumbered."""
    keep = np.unique(root[root >= 0])
    new_root = np.where(root >= 0, np.searchsorted(keep, root), -1)
    out = []
    for level in levels:
        child = level.child[keep]
        below = np.unique(child[child >= 0])
        renamed = np.where(child >= 0, np.searchsorted(below, child), -1)
        out.append(Level(level.state[keep], level.action[keep], renamed))
        keep = below
    return new_root, tuple(out)


def _walk(tree: HistoryTree) -> LatentSolution:
    lmdp = tree.lmdp
    if lmdp.is_exact:
        raise InvalidArgument("BeliefDP: memo=False is for doubles; use lmdp.float(), or the memo")
    value, nodes, error = 0.0, 0, rounding(tree)
    for s in np.flatnonzero(tree.start.any(axis=1)):
        v, n = kernels.tree_value(tree.ptr, tree.state, tree.factor, tree.R, s, tree.start[s], lmdp.H)
        value, nodes = value + v, nodes + n
    empty = LatentPolicy(tree, np.full(lmdp.S, -1, dtype=np.int64), ())
    ends = outward(value, error, False), outward(value, error, True)
    stats = MappingProxyType({"nodes": nodes})
    return LatentSolution(lmdp, *ends, empty, "BeliefDP", Status.SOLVED, stats=stats, _value=value)


# ---- rationals ---------------------------------------------------------------------------
Node = tuple[int, tuple[int, ...]]
"""(state, primitive belief)."""


def primitive(b: list[int]) -> tuple[int, tuple[int, ...]]:
    """(g, b/g) with g the greatest common divisor."""
    g = gcd(*b)
    return g, tuple(x // g for x in b)


def _rational(tree: HistoryTree) -> _Graph:
    return explore(IntegerTree.of(tree), None)


def explore(ints: IntegerTree, choose: Callable[[int, int, tuple[int, ...]], int] | None) -> _Graph:
    """Nodes level by level and values back, exactly; of the policy `choose(t, s, b)` if one is given."""
    tree = ints.tree
    lmdp = tree.lmdp
    A, M, H = lmdp.A, lmdp.M, lmdp.H
    root = np.full(lmdp.S, -1, dtype=np.int64)
    level: dict[Node, int] = {}
    weight: list[int] = []
    for s in range(lmdp.S):
        if any(ints.start[s]):
            g, b = primitive(ints.start[s])
            root[s] = level.setdefault((s, b), len(level))
            weight.append(g)
    layers: list[tuple[list[Node], list[list[list[tuple[int, int]]]]]] = []
    with Progress(2 * H, "beliefs") as bar:
        for t in range(H):
            below: dict[Node, int] = {}
            links = []
            for s, b in level:
                actions = range(A) if choose is None else (choose(t, s, b),)
                links.append(
                    [_link(ints, s, a, b, below, t == H - 1) if a in actions else [] for a in range(A)]
                )
            layers.append((list(level), links))
            level = below
            bar.advance()
        after: list[int] = []
        levels: list[Level] = []
        scale = ints.E
        for t in reversed(range(H)):
            nodes, links = layers[t]
            values, played, child = [], [], []
            for (s, b), choices in zip(nodes, links, strict=True):
                best: int | None = None
                options = range(A) if choose is None else (choose(t, s, b),)
                for a in options:
                    q = sum(b[m] * ints.R[s][a][m] for m in range(M)) * (scale // ints.E)
                    q += sum(g * after[k] for k, g in choices[a] if k >= 0)
                    if best is None or q > best:
                        best, act = q, a
                values.append(best or 0)
                played.append(act)
                child.append([k for k, _ in choices[act]])
            width = max((len(c) for c in child), default=0)
            grid = [c + [-1] * (width - len(c)) for c in child]
            shape = (len(nodes), width)
            levels.append(
                Level(
                    np.array([s for s, _ in nodes], dtype=np.int64),
                    np.array(played, dtype=np.int64),
                    np.array(grid, dtype=np.int64).reshape(shape),
                )
            )
            after = values
            scale *= ints.D
            bar.advance()
    levels.reverse()
    total = sum(g * after[i] for g, i in zip(weight, root[root >= 0].tolist(), strict=True))
    value = Fraction(total, ints.B * (scale // ints.D))
    nodes_in_all = sum(len(nodes) for nodes, _ in layers)
    return _Graph(value, *_reached(root, levels), nodes_in_all)


def _link(
    ints: IntegerTree, s: int, a: int, b: tuple[int, ...], below: dict[Node, int], last: bool
) -> list[tuple[int, int]]:
    """(node, weight) of each child, −1 for what cannot be seen; nothing after the last step."""
    if last:
        return []
    tree = ints.tree
    out = []
    for c in tree.children(s, a):
        moved = [x * f for x, f in zip(b, ints.factor[c], strict=True)]
        if not any(moved):
            out.append((-1, 0))
            continue
        g, new = primitive(moved)
        node = (int(tree.state[c]), new)
        out.append((below.setdefault(node, len(below)), g))
    return out
