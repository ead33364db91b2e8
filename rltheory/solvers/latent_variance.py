"""Variance of the total reward in latent MDPs (A4, A5): of a policy, the largest, and a bound on it.

Var^π = 𝕍(w∘ν, V^π_·(·)) + E_π[Σ_t 𝕍(P_m(·|s_t,a_t), V^π_m(h_t a_t r_t ·))] and Var* = max_π Var^π.  For
deterministic policies Var^π = Var(G), G the total reward (the variances of independent steps add up), so

    Var* = max { y − x² : (x, y) = (E G, E G²) of a deterministic policy }.

(x, y) is a sum over histories.  If the rest of the tree adds X to x, a part (x, y) is worth
y − x² − 2xX: for every X the best parts are on an upper hull of the points (x, y − x²), and only those are
kept.  The bound min_c max_π E(G − c)² is the maximum of y − x² over the convex hull of the points (x, y),
that is, over policies randomised at the start.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import InvalidArgument
from ..kernels.belief import tree_spread
from ..models.latent import LatentMDP
from ..operators.latent import HistoryTree, history_tree
from ..results.latent import LatentMoments, LatentPolicy
from ._latent_rounding import outward, rounding

Rule = Callable[[tuple[Any, ...]], Any]
"""history (s_1, a_1, r_1, s_2, …, s_t), r None if hidden → an action, or (A,) probabilities."""
Point = tuple[Any, Any]


def latent_moments(lmdp: LatentMDP, pi: LatentPolicy | Rule) -> LatentMoments:
    """Value, Var^π with its parts, and E G² of a history-dependent policy, by one recursion.

    Parameters
    ----------
    lmdp
        Model in either number system; exact models need rational probabilities.
    pi
        A `LatentPolicy`, or a function of the history (s_1, a_1, r_1, s_2, …, s_t), r None if hidden, that
        returns an action or (A,) probabilities.

    Returns
    -------
    LatentMoments
        Exact in rationals.  For deterministic policies `variance == total_variance`.

    Complexity: histories of the policy × M.

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> wait = gallery.wait_and_guess(H=3)
    >>> latent_moments(wait, lambda h: 0 if len(h) == 1 else 1 + h[-1] % 2).variance
    Fraction(55, 256)
    """
    tree = history_tree(lmdp)
    walk = _Walk(tree, _rule(pi))
    zero: Any = Fraction(0) if lmdp.is_exact else 0.0
    value = second = initial = transitions = actions = zero
    for s in range(lmdp.S):
        if (tree.start[s] != 0).any():
            V, D, A, G = walk.at((s,), s, tree.start[s] != 0, lmdp.H)
            b = tree.start[s]
            value, second = value + (b * V).sum(), second + (b * G).sum()
            initial += (b * V * V).sum()
            transitions, actions = transitions + (b * D).sum(), actions + (b * A).sum()
    return LatentMoments(value, second, initial - value * value, transitions, actions)


def _rule(pi: LatentPolicy | Rule) -> Rule:
    if not isinstance(pi, LatentPolicy):
        return pi

    def act(history: tuple[Any, ...]) -> int:
        node = pi.start(history[0])
        for k in range(1, len(history), 3):
            node = pi.step(node, history[k + 2], history[k + 1])
        return pi.action(node)

    return act


@dataclass(frozen=True, eq=False)
class _Walk:
    """(V_m, D_m, A_m, E[G² | m]) of the rest of an episode, per context."""

    tree: HistoryTree
    pi: Rule

    def at(self, history: tuple[Any, ...], s: int, live: Any, left: int) -> tuple[Any, Any, Any, Any]:
        lmdp = self.tree.lmdp
        zero = self.tree.factor[0] * 0
        if left == 0:
            return zero, zero, zero, zero
        choice = self.pi(history)
        law = (
            [(1, int(choice))]
            if isinstance(choice, (int, np.integer))
            else [(p, a) for a, p in enumerate(checked_law(choice, history, lmdp)) if p != 0]
        )
        V = D = Act = G = zero
        square = zero
        for p, a in law:
            if not 0 <= a < lmdp.A:
                raise InvalidArgument(
                    f"latent_moments: action {a} after {history}, actions are 0..{lmdp.A - 1}"
                )
            Q, d, act, g = self.after(history, s, a, live, left)
            V, D, Act, G = V + p * Q, D + p * d, Act + p * act, G + p * g
            square = square + p * Q * Q
        return V, D, Act + square - V * V, G

    def after(
        self, history: tuple[Any, ...], s: int, a: int, live: Any, left: int
    ) -> tuple[Any, Any, Any, Any]:
        """The same after action a, first reward included; D counts the variance of this transition."""
        tree = self.tree
        zero = tree.factor[0] * 0
        mean = square = D = Act = G = zero
        for c in tree.children(s, a):
            f = np.where(live, tree.factor[c], zero)
            if left > 1 and (f != 0).any():
                seen = (*history, a, tree.reward[c], int(tree.state[c]))
                v, d, act, g = self.at(seen, int(tree.state[c]), f != 0, left - 1)
                mean, square = mean + f * v, square + f * v * v
                D, Act, G = D + f * d, Act + f * act, G + f * g
        r = tree.R[s, a]
        return r + mean, D + square - mean * mean, Act, r * r + 2 * r * mean + G


def checked_law(choice: Any, history: tuple[Any, ...], lmdp: LatentMDP) -> list[Any]:
    """The probabilities of the actions after a history, refused if they are none."""
    try:
        law = list(choice)
        right = all(p >= 0 for p in law) and abs(sum(law) - 1) <= (0 if lmdp.is_exact else 1e-9)
    except TypeError:
        right = False
    if not right:
        raise InvalidArgument(
            f"latent_moments: {choice!r} after {history} is neither an action 0..{lmdp.A - 1} nor a law over "
            "actions" + (" that sums to 1 exactly, as exact models need" if lmdp.is_exact else "")
        )
    return law


# ---- the largest variance ----------------------------------------------------------------
def largest_variance(lmdp: LatentMDP, *, max_nodes: int = 2_000_000) -> Any:
    """Var* = max_π Var^π over history-dependent policies; exact in rationals.

    Parameters
    ----------
    lmdp
        Model in either number system; in doubles up to rounding.
    max_nodes
        Refuse when the history tree has more nodes.

    Raises
    ------
    InvalidArgument
        Too many histories.

    Notes
    -----
    At most ¼ when total rewards are in [0, 1]; 0 where every deterministic policy has a sure return.

    Complexity: histories × sizes of the hulls, which stay small.

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> largest_variance(gallery.latent_three())
    Fraction(1067, 5184)
    """
    points = _Frontier(lmdp, max_nodes, deterministic=True).points()
    return max(y - x * x for x, y in points)


def variance_bound(lmdp: LatentMDP, *, max_nodes: int | None = None) -> Any:
    """min_c max_π E(G − c)² ≥ Var*: the largest variance of G over policies randomised at the start.

    Equal to Var* where the maximum is attained by a deterministic policy.

    Parameters
    ----------
    lmdp
        Model in either number system.
    max_nodes
        Refuse when the history tree has more nodes; 2 million in rationals, 500 million in doubles if not
        given.

    Returns
    -------
    Fraction or float
        Exact in rationals, from the convex hull of the points (E G, E G²).  In doubles a bound that holds,
        rounding included, within 1e−9 of the minimum: golden section over c, each c being a bound.

    Complexity: in doubles about 50 walks over the histories, 15 ns a node.

    Examples
    --------
    >>> from rltheory.models import LatentMDP
    >>> two = LatentMDP.from_arrays([[[[1], [1]]]], [[[0, Fraction(1)]]], weights=[1], nu=[[1]], H=1)
    >>> largest_variance(two), variance_bound(two)
    (Fraction(0, 1), Fraction(1, 4))
    """
    if not lmdp.is_exact:
        return _least_spread(lmdp, 500_000_000 if max_nodes is None else max_nodes)
    points = _Frontier(lmdp, 2_000_000 if max_nodes is None else max_nodes, deterministic=False).points()
    best = max(y - x * x for x, y in points)
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        x = (y1 - y0) / (x1 - x0) / 2
        if x0 < x < x1:
            best = max(best, y0 + 2 * x * (x - x0) - x * x)
    return best


def _least_spread(lmdp: LatentMDP, max_nodes: int) -> float:
    """Golden section over c on the convex function max_π E(G − c)²."""
    tree = history_tree(lmdp)
    check_histories(tree, max_nodes)
    top = float(np.abs(lmdp.R).max()) * lmdp.H
    starts = np.flatnonzero(tree.start.any(axis=1))

    def spread(c: float) -> float:
        model = tree.ptr, tree.state, tree.factor, tree.R
        return float(sum(tree_spread(*model, s, tree.start[s], lmdp.H, c) for s in starts))

    lo, hi, ratio = (0.0 if (lmdp.R >= 0).all() else -top), top, (5**0.5 - 1) / 2
    left, right = hi - ratio * (hi - lo), lo + ratio * (hi - lo)
    at_left, at_right = spread(left), spread(right)
    best = min(at_left, at_right)
    while hi - lo > 1e-10 * max(1.0, top):
        if at_left <= at_right:
            hi, right, at_right = right, left, at_left
            left = hi - ratio * (hi - lo)
            at_left = spread(left)
        else:
            lo, left, at_left = left, right, at_right
            right = lo + ratio * (hi - lo)
            at_right = spread(right)
        best = min(best, at_left, at_right)
    # squares of numbers up to 2·top: twice the roundings, 4·top² for top
    return outward(best, 8 * max(1.0, top) * rounding(tree), True)


def check_histories(tree: HistoryTree, max_nodes: int) -> None:
    """Refuse trees with more nodes than that."""
    if sum(tree.sizes) > max_nodes:
        raise InvalidArgument(
            f"variance: {sum(tree.sizes):.3g} histories of {tree.lmdp!r}, more than "
            f"max_nodes={max_nodes:.3g}; shorten H, or raise max_nodes"
        )


@dataclass(frozen=True, eq=False)
class _Frontier:
    """Upper hulls of (E G, E G²), unnormalised, over the policies from a history on."""

    lmdp: LatentMDP
    max_nodes: int
    deterministic: bool

    def points(self) -> list[Point]:
        tree = history_tree(self.lmdp)
        check_histories(tree, self.max_nodes)
        zero: Any = Fraction(0) if self.lmdp.is_exact else 0.0
        out: list[Point] = [(zero, zero)]
        for s in range(self.lmdp.S):
            b = tree.start[s].tolist()
            if any(b):
                out = self.kept(sums(out, self.at(tree, s, b, [zero] * len(b), self.lmdp.H)))
        return out

    def at(self, tree: HistoryTree, s: int, b: list[Any], got: list[Any], left: int) -> list[Point]:
        """Points of the histories below one with belief b and rewards so far `got`, per context."""
        found: list[Point] = []
        for a in range(self.lmdp.A):
            r = tree.R[s, a].tolist()
            total = [g + x for g, x in zip(got, r, strict=True)]
            if left == 1:
                x = sum(p * g for p, g in zip(b, total, strict=True))
                found.append((x, sum(p * g * g for p, g in zip(b, total, strict=True))))
                continue
            out: list[Point] | None = None
            for c in tree.children(s, a):
                f = [p * q for p, q in zip(b, tree.factor[c].tolist(), strict=True)]
                if any(f):
                    part = self.at(tree, int(tree.state[c]), f, total, left - 1)
                    out = part if out is None else self.kept(sums(out, part))
            found += out or []
        return self.kept(found)

    def kept(self, points: Sequence[Point]) -> list[Point]:
        """Those that can be part of an optimum, by x ascending."""
        if self.deterministic:
            lifted = hull([(x, y - x * x) for x, y in points])
            return [(x, z + x * x) for x, z in lifted]
        return hull(points)


def sums(A: Sequence[Point], B: Sequence[Point]) -> list[Point]:
    """All pairwise sums."""
    return [(x + u, y + v) for x, y in A for u, v in B]


def hull(points: Sequence[Point]) -> list[Point]:
    """Upper hull of points in the plane, by x ascending."""
    out: list[Point] = []
    for x, y in sorted(points, key=lambda p: (p[0], p[1])):
        while out and out[-1][0] == x:
            out.pop()
        while len(out) > 1:
            (ax, ay), (bx, by) = out[-2], out[-1]
            if (bx - ax) * (y - ay) >= (by - ay) * (x - ax):
                out.pop()
            else:
                break
        out.append((x, y))
    return out
