"""Confidence boxes and optimistic planning from the definitions, in rationals: what the learning claims need.

A table is a latent MDP with sample sizes N_m(s,a), frequencies P̂_m(·|s,a) and ι.  With x = ι/N the box of
(m,s,a) holds the laws p with |p − P̂| ≤ 2√(P̂x) + 5x, cut to [0,1] (N = 0: all laws), and with p = 0 off the
support where the support is known.  Square roots are rounded to multiples of 2⁻⁶⁰ in the direction asked for,
so what is computed in rationals encloses the real number.

Plans are sets of alpha vectors by complete enumeration of history policies, Pareto-optimal ones kept; nothing
here is shared with the library's planners.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction as F
from functools import cached_property
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rltheory as rl
from rltheory.checks import Reader
from rltheory.kernels import ball
from rltheory.models.latent import LatentMDP

GRAIN = 60
"""Square roots are rounded to multiples of 2^−GRAIN."""

DOWN, UP = -1, 1
Array = NDArray[Any]
Backup = Callable[[int, int, int, dict[int, F]], F]
"""backup(m, s, a, values by next state) → value of context m."""


def root(q: F, way: int) -> F:
    """√q rounded down or up to the grain; exact for squares of rationals."""
    top, low = isqrt(q.numerator), isqrt(q.denominator)
    if top * top == q.numerator and low * low == q.denominator:
        return F(top, low)
    n = isqrt((q.numerator << 2 * GRAIN) // q.denominator)
    return F(n if way == DOWN else n + 1, 1 << GRAIN)


def square_root(q: F) -> Any:
    """√q: a Fraction if it is one, else a ball of 200 bits."""
    top, low = isqrt(q.numerator), isqrt(q.denominator)
    if top * top == q.numerator and low * low == q.denominator:
        return F(top, low)
    with ball.precision(200):
        return ball.to_arb(q).sqrt()


Law = tuple[F, ...]


def variance(p: Law, v: Law) -> F:
    """𝕍(p, v)."""
    return sum((a * b * b for a, b in zip(p, v)), F(0)) - sum((a * b for a, b in zip(p, v)), F(0)) ** 2


def mean(p: Law, v: Law) -> F:
    """Σ pv."""
    return sum((a * b for a, b in zip(p, v)), F(0))


def less(a: Any, b: Any) -> Any:
    """a − b, exact for rationals, else a ball of 200 bits."""
    if isinstance(a, F) and isinstance(b, F):
        return a - b
    with ball.precision(200):
        return ball.to_arb(a) - ball.to_arb(b)


def times(a: F, b: Any) -> Any:
    """a·b, exact for rationals, else a ball of 200 bits."""
    if isinstance(b, F):
        return a * b
    with ball.precision(200):
        return ball.to_arb(a) * b


def plus(a: Any, b: Any) -> Any:
    """a + b, exact for rationals, else a ball of 200 bits."""
    if isinstance(a, F) and isinstance(b, F):
        return a + b
    with ball.precision(200):
        return ball.to_arb(a) + ball.to_arb(b)


def as_ball(x: Any) -> Any:
    """A number as a ball of 200 bits."""
    with ball.precision(200):
        return ball.to_arb(x)


def grained(q: F, way: int) -> F:
    """q rounded down or up to the grain, where it has a longer denominator."""
    if q.denominator.bit_length() <= GRAIN:
        return q
    n = (q.numerator << GRAIN) // q.denominator
    return F(n if way == DOWN else n + 1, 1 << GRAIN)


@dataclass(frozen=True, eq=False)
class Node:
    """A step of a history policy: what it does, what each context expects, and how it goes on."""

    state: int
    action: int
    alpha: tuple[F, ...]
    kids: dict[tuple[int, Any], Node]

    def into(self, x: Table, m: int, u: int) -> Node | None:
        """The node entered when context m moves to u; None after the last step."""
        return self.kids.get((u, x.seen_reward(m, self.state, self.action)))


@dataclass(frozen=True, eq=False)
class Table:
    """Let a latent MDP, frequencies P_hat (M,S,A,S), sample sizes N (M,S,A) and ι be given, in rationals."""

    lmdp: LatentMDP
    P_hat: Array
    N: Array
    iota: F
    known: bool = True
    other: Array | None = field(default=None)

    def __repr__(self) -> str:
        return f"Table({self.lmdp.literal()}, {self.P_hat.tolist()}, {self.N.tolist()}, {self.iota!r})"

    def literal(self) -> str:
        """Source of the instance."""
        extra = "" if self.other is None else f", other={_text(self.other)}"
        return (
            f"Table({self.lmdp.literal()}, {_text(self.P_hat)}, np.array({self.N.tolist()}), "
            f"Fraction({self.iota.numerator}, {self.iota.denominator}), known={self.known}{extra})"
        )

    # ---- the box -------------------------------------------------------------------------
    def possible(self, m: int, s: int, a: int) -> list[int]:
        """Next states that count as possible in context m."""
        if not self.known:
            return list(range(self.lmdp.S))
        return [u for u in range(self.lmdp.S) if self.lmdp.P[m, s, a, u] != 0]

    def rate(self, m: int, s: int, a: int) -> F | None:
        """ι/N, None for N = 0."""
        n = int(self.N[m, s, a])
        return None if n == 0 else self.iota / n

    def box(self, m: int, s: int, a: int, way: int = DOWN) -> dict[int, tuple[F, F]]:
        """Bounds of every possible next state, rounded inwards (DOWN) or outwards (UP)."""
        x, out = self.rate(m, s, a), {}
        for u in self.possible(m, s, a):
            p = self.P_hat[m, s, a, u]
            half = F(1) if x is None else root(4 * p * x, way) + 5 * x
            out[u] = (F(0), F(1)) if x is None else (max(F(0), p - half), min(F(1), p + half))
        return out

    def holds(self, P: Array) -> bool:
        """P lies in the box, decided exactly: |d| ≤ 2√(P̂x) + 5x iff (|d| − 5x)₊² ≤ 4P̂x."""
        for m, s, a, u in np.ndindex(*P.shape):
            p: Any = self.P_hat[m, s, a, u]
            q: Any = P[m, s, a, u]
            x = self.rate(m, s, a)
            if self.known and self.lmdp.P[m, s, a, u] == 0:
                if q != 0:
                    return False
            elif x is not None and max(F(0), abs(q - p) - 5 * x) ** 2 > 4 * p * x:
                return False
        return True

    def law(
        self, m: int, s: int, a: int, v: dict[int, F], way: int = DOWN, *, least: bool = False
    ) -> dict[int, F]:
        """A law in the box with the largest (least) mean of v: lower bounds, then the rest in order of v."""
        box = self.box(m, s, a, way)
        p = {u: lo for u, (lo, _) in box.items()}
        left = 1 - sum(p.values(), F(0))
        for u in sorted(box, key=lambda u: v.get(u, F(0)), reverse=not least):
            step = min(left, box[u][1] - box[u][0])
            p[u], left = p[u] + step, left - step
        return p

    # ---- backups -------------------------------------------------------------------------
    def true_backup(self, P: Array | None = None) -> Backup:
        """R + P·v, of the true model if no other is given."""
        P = self.lmdp.P if P is None else P

        def backup(m: int, s: int, a: int, v: dict[int, F]) -> F:
            return F(self.lmdp.R[m, s, a] + sum((P[m, s, a, u] * y for u, y in v.items()), F(0)))

        return backup

    def ext(self, way: int = DOWN, *, clip: bool = False, least: bool = False) -> Backup:
        """R + max{p·v : p in the box}, clipped at 1 if asked; `least` minimises instead."""

        def backup(m: int, s: int, a: int, v: dict[int, F]) -> F:
            p = self.law(m, s, a, v, way, least=least)
            out = self.lmdp.R[m, s, a] + sum((p[u] * y for u, y in v.items()), F(0))
            return min(F(1), out) if clip else out

        return backup

    def val(self, way: int = DOWN, scale: F = F(1)) -> Backup:
        """min{1, R + P̂·v + max{4√(|supp P̂|·𝕍(P̂, v)·x), 16Sx}}; 1 if N = 0."""

        def backup(m: int, s: int, a: int, v: dict[int, F]) -> F:
            x = self.rate(m, s, a)
            if x is None:
                return F(1)
            p = {u: self.P_hat[m, s, a, u] for u in v}
            mean = sum((p[u] * y for u, y in v.items()), F(0))
            var = sum((p[u] * y * y for u, y in v.items()), F(0)) - mean**2
            size = sum(1 for q in self.P_hat[m, s, a] if q != 0)
            bonus = max(root(16 * size * max(F(0), var) * x * scale, way), 16 * self.lmdp.S * x * scale)
            return grained(min(F(1), self.lmdp.R[m, s, a] + mean + bonus), way)

        return backup

    # ---- plans ---------------------------------------------------------------------------
    def seen_reward(self, m: int, s: int, a: int) -> Any:
        """The reward seen in context m, None where rewards are hidden."""
        return self.lmdp.R[m, s, a] if self.lmdp.observe_rewards else None

    @cached_property
    def live(self) -> list[set[tuple[int, int]]]:
        """Pairs (m, s) that can occur at each step, some actions granted."""
        lmdp = self.lmdp
        now = {(m, s) for m in range(lmdp.M) for s in range(lmdp.S) if lmdp.nu[m, s] != 0}
        out = []
        for _ in range(lmdp.H):
            out.append(now)
            now = {(m, u) for m, s in now for a in range(lmdp.A) for u in self.possible(m, s, a)}
        return out

    def sets(self, backup: Backup) -> list[list[Node]]:
        """Pareto-optimal nodes of the first step, by start state."""
        lmdp = self.lmdp
        after: list[list[Node]] | None = None
        for t in reversed(range(lmdp.H)):
            now: list[list[Node]] = []
            for s in range(lmdp.S):
                kept: list[Node] = []
                contexts = [m for m in range(lmdp.M) if (m, s) in self.live[t]]
                for a in range(lmdp.A):
                    keys = sorted(
                        {(u, self.seen_reward(m, s, a)) for m in contexts for u in self.possible(m, s, a)},
                        key=lambda k: (k[0], k[1] or 0),
                    )
                    choices = [] if after is None else [after[u] for u, _ in keys]
                    for pick in itertools.product(*choices):
                        kids = dict(zip(keys, pick)) if after is not None else {}
                        alpha = [F(0)] * lmdp.M
                        for m in contexts:
                            r = self.seen_reward(m, s, a)
                            v = {
                                u: kids[u, r].alpha[m] if after is not None else F(0)
                                for u in self.possible(m, s, a)
                            }
                            alpha[m] = backup(m, s, a, v)
                        _insert(kept, Node(s, a, tuple(alpha), kids))
                now.append(kept)
            after = now
        assert after is not None
        return after

    def best(self, backup: Backup) -> tuple[F, dict[int, Node]]:
        """(Σ_s max w∘ν(s)·α, the first node that attains it from each start state)."""
        total, chosen = F(0), {}
        for s, nodes in enumerate(self.sets(backup)):
            start = self.lmdp.start[:, s]
            if not any(start):
                continue
            values = [sum((b * y for b, y in zip(start, n.alpha)), F(0)) for n in nodes]
            total += max(values)
            chosen[s] = nodes[values.index(max(values))]
        return total, chosen

    @cached_property
    def V_star(self) -> F:
        """V* of the true model."""
        return self.best(self.true_backup())[0]

    def value(self, chosen: dict[int, Node], backup: Backup | None = None) -> F:
        """Value of a policy under another backup, of the true model if none is given."""
        back = backup or self.true_backup()
        memo: dict[tuple[int, int], F] = {}

        def alpha(node: Node, m: int) -> F:
            key = (id(node), m)
            if key not in memo:
                v = {}
                for u in self.possible(m, node.state, node.action):
                    below = node.into(self, m, u)
                    v[u] = F(0) if below is None else alpha(below, m)
                memo[key] = back(m, node.state, node.action, v)
            return memo[key]

        lmdp = self.lmdp
        return sum(
            (
                lmdp.start[m, s] * alpha(n, m)
                for s, n in chosen.items()
                for m in range(lmdp.M)
                if lmdp.start[m, s]
            ),
            F(0),
        )

    @cached_property
    def plan(self) -> tuple[F, dict[int, Node]]:
        """The plan of `ext` with boxes rounded inwards."""
        return self.best(self.ext(DOWN))

    def along(self, cost: Callable[[int, Node, dict[int, F]], Any], under: str = "P") -> Any:
        """Σ_m w_m E[Σ_t cost(m, node, ṽ)] over the plan's histories, ṽ its optimistic values of next states.

        `under`: "P" for the true model, "box" for the plan's own maximisers.
        """
        lmdp = self.lmdp
        total: Any = F(0)

        def walk(node: Node, m: int, weight: F) -> None:
            nonlocal total
            v = {}
            for u in self.possible(m, node.state, node.action):
                below = node.into(self, m, u)
                v[u] = F(0) if below is None else below.alpha[m]
            total = plus(total, times(weight, cost(m, node, v)))
            law = (
                dict(enumerate(lmdp.P[m, node.state, node.action]))
                if under == "P"
                else self.law(m, node.state, node.action, v)
            )
            for u, p in law.items():
                below = node.into(self, m, u)
                if p != 0 and below is not None:
                    walk(below, m, weight * p)

        for s, n in self.plan[1].items():
            for m in range(lmdp.M):
                if lmdp.start[m, s] != 0:
                    walk(n, m, lmdp.start[m, s])
        return total


def _insert(kept: list[Node], new: Node) -> None:
    if any(all(a >= b for a, b in zip(n.alpha, new.alpha)) for n in kept):
        return
    kept[:] = [n for n in kept if not all(b >= a for a, b in zip(n.alpha, new.alpha))]
    kept.append(new)


def _text(x: Array) -> str:
    def nested(v: Any) -> str:
        if isinstance(v, list):
            return "[" + ", ".join(nested(y) for y in v) + "]"
        return f"Fraction({v.numerator}, {v.denominator})"

    return f"np.array({nested(x.tolist())}, dtype=object)"


def read_law(read: Reader, n: int) -> list[F]:
    """A law on n points, sparse or spread out, in small rationals."""
    w = [read.below(4) for _ in range(n)]
    if not any(w):
        w[read.below(n)] = 1
    return [F(k, sum(w)) for k in w]


def table(values: Any) -> Array:
    """Nested lists as an array of Fractions."""
    return np.asarray(rl.exact_array(values))
