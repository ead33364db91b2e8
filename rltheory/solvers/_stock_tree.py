"""Exact recursion over the (state, stock) that can be reached: laws or values, in integers.

x_t = γ^t c_t is an integer in units of 1/D, x_{t+1} = x_t + γ^t r; masses are integers over L_t … L_{H−1}.
A node (t, s, x) holds the greedy action and either the law of x_H from there (any functional), or its
best E f(x_H) (expected utilities; no laws are carried, they are pushed forward when asked for).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..arrays import Real, to_fraction
from ..errors import NotConverged
from ..models.stock import StockMDP
from ..operators.objective import Objective
from ..results.law import ReturnLaw
from ..results.vector_law import VectorLaw

TIE = 1e-12
"""In doubles, values within TIE·(1 + |best|) of the best are tied."""
Tie = Callable[[int, int, Any, Sequence[int]], int]
"""(t, s, stock, tied actions) ↦ action."""
Tail = Callable[[int, Any], Iterable[tuple[Any, Any]]]
"""(s, stock) ↦ law of the return after the last step, as (value, mass)."""


def tied_actions(keys: dict[int, Any], exact: bool) -> list[int]:
    """The actions whose value is the largest: == in rationals, within TIE·(1 + |best|) in doubles."""
    if not keys:
        return []
    first = next(iter(keys.values()))
    if isinstance(first, tuple):
        tied = dict(keys)
        for i in range(len(first)):
            kept = tied_actions({a: k[i] for a, k in tied.items()}, exact)
            tied = {a: tied[a] for a in kept}
        return list(tied)
    best = max(keys.values())
    if exact and not isinstance(best, float):
        return [a for a, k in keys.items() if k == best]
    slack = TIE * (1 + abs(best))
    return [a for a, k in keys.items() if k >= best - slack]


@dataclass
class Node:
    """Greedy action, its key (value), the law in law mode, and all actions as good as the greedy one."""

    action: int
    key: Any
    law: dict[Any, int] | None
    tied: tuple[int, ...] = ()


class Tree:
    """All nodes reached so far for one horizon, objective and unit; grows with each start asked for.

    Parameters
    ----------
    model
        Exact model (a float one lifted).
    H
        Number of steps.
    objective
        Functional compared; with `laws=False` an expected utility.
    laws
        True carries laws and compares K(law of γ^{−t}x_H); False carries E f(x_H).
    scaled
        True compares E f(x_H) in law mode as well (time-indexed utilities).
    unit
        Denominator the stocks asked for need.
    choose
        (t, s, stock, tied) ↦ action among the tied ones.
    fixed
        (t, s, stock) ↦ action: evaluates this policy instead of improving.
    tail
        Law of the return after step H; 0 if not given.
    exact
        False where the model was in doubles: near ties count as ties.
    max_nodes
        Refuse to grow beyond this many nodes.
    """

    def __init__(
        self,
        model: StockMDP,
        H: int,
        objective: Objective,
        *,
        laws: bool,
        scaled: bool = False,
        unit: int = 1,
        choose: Tie,
        fixed: Callable[[int, int, Any], int] | None = None,
        tail: Tail | None = None,
        exact: bool = True,
        max_nodes: int = 1_000_000,
        name: str = "StockInduction",
    ) -> None:
        self.model, self.H, self.objective = model, H, objective
        self.laws, self.scaled, self.choose, self.fixed, self.tail = laws, scaled, choose, fixed, tail
        self.exact, self.max_nodes, self.name = exact, max_nodes, name
        self.gamma: Fraction = model.gamma
        rewards = {r for stage in model.stages for r in stage.reward.reshape(-1).tolist()}
        self.D = math.lcm(unit, *(r.denominator for r in rewards)) * self.gamma.denominator**H
        self.power = [self.gamma**t for t in range(H + 1)]
        self.L = [math.lcm(*(p.denominator for p in model.stage(t).prob.tolist())) for t in range(H)]
        self.W = [1] * (H + 1)
        for t in reversed(range(H)):
            self.W[t] = self.W[t + 1] * self.L[t]
        self.moves: dict[int, list[dict[int, tuple[tuple[int, int, Any], ...]]]] = {}
        self.nodes: list[dict[tuple[int, Any], Node]] = [{} for _ in range(H + 1)]
        self.size = 0
        self.largest = 0.0
        self._f: list[dict[Any, Any]] = [{} for _ in range(H + 1)]

    # ---- units -----------------------------------------------------------------------------
    def inside(self, c: Any, t: int) -> Any:
        """γ^t c in units of 1/D, or None when that is no integer."""
        if isinstance(c, tuple):
            parts = [self.inside(v, t) for v in c]
            return None if None in parts else tuple(parts)
        x = to_fraction(c) * self.power[t] * self.D
        return int(x) if x.denominator == 1 else None

    def outside(self, x: Any, t: int) -> Any:
        """x/(γ^t D) as rationals."""
        if isinstance(x, tuple):
            return tuple(self.outside(v, t) for v in x)
        return Fraction(x) / (self.power[t] * self.D)

    def step(self, t: int) -> list[dict[int, tuple[tuple[int, int, Any], ...]]]:
        """[s][a] ↦ ((w, s', dx), …) in integers."""
        if t not in self.moves:
            g, L = self.power[t] * self.D, self.L[t]

            def scaled(r: Any) -> Any:
                return tuple(int(g * v) for v in r) if isinstance(r, tuple) else int(g * r)

            self.moves[t] = [
                {a: tuple((int(p * L), u, scaled(r)) for p, u, r in rows) for a, rows in of.items()}
                for of in self.model.stage(t).lists
            ]
        return self.moves[t]

    # ---- the recursion ---------------------------------------------------------------------
    def node(self, t: int, s: int, x: Any) -> Node:
        """The node, grown with everything below it if it is new."""
        if (s, x) not in self.nodes[t]:
            self._grow(t, s, x)
        return self.nodes[t][s, x]

    def _grow(self, t0: int, s: int, x: Any) -> None:
        vector = isinstance(x, tuple)
        new: list[dict[tuple[int, Any], None]] = [{} for _ in range(self.H + 1)]
        new[t0][s, x] = None
        for t in range(t0, self.H):
            step, known, following = self.step(t), self.nodes[t + 1], new[t + 1]
            for s, x in new[t]:
                for a in self._actions(t, s, x):
                    for _, u, dx in step[s][a]:
                        child = (u, tuple(map(int.__add__, x, dx)) if vector else x + dx)
                        if child not in known:
                            following[child] = None
            self.size += len(new[t])
            if self.size + len(following) > self.max_nodes:
                raise NotConverged(
                    f"{self.name}: more than max_nodes={self.max_nodes} (state, stock) pairs within {t + 1} "
                    f"of {self.H} steps; raise max_nodes, shorten the horizon, or use StockDP with atoms="
                )
        self.size += len(new[self.H])
        for s, x in new[self.H]:
            self.nodes[self.H][s, x] = self._end(s, x)
        for t in reversed(range(t0, self.H)):
            for s, x in new[t]:
                self.nodes[t][s, x] = self._best(t, s, x)

    def _actions(self, t: int, s: int, x: Any) -> Iterable[int]:
        if self.fixed is not None:
            return (self.fixed(t, s, self.outside(x, t)),)
        return self.step(t)[s]

    def _end(self, s: int, x: Any) -> Node:
        if self.tail is None:
            law: dict[Any, Any] = {x: 1}
        else:
            g, law = self.power[self.H] * self.D, {}
            for y, p in self.tail(s, self.outside(x, self.H)):
                at = (
                    tuple(u + g * v for u, v in zip(x, y, strict=True)) if isinstance(x, tuple) else x + g * y
                )
                law[at] = law.get(at, 0) + p
        if self.laws:
            return Node(-1, None, law)
        return Node(-1, sum(p * self.utility(0, y) for y, p in law.items()), None)

    def _best(self, t: int, s: int, x: Any) -> Node:
        keys: dict[int, Any] = {}
        laws: dict[int, dict[Any, int]] = {}
        vector = isinstance(x, tuple)
        below = self.nodes[t + 1]
        for a in self._actions(t, s, x):
            rows = self.step(t)[s][a]
            children = [
                (w, below[u, tuple(map(int.__add__, x, dx)) if vector else x + dx]) for w, u, dx in rows
            ]
            if not self.laws:
                total = sum(w * child.key for w, child in children)
                keys[a] = total / self.L[t] if isinstance(total, float) else Fraction(total) / self.L[t]
                continue
            law: dict[Any, int] = {}
            for w, child in children:
                assert child.law is not None
                for y, p in child.law.items():
                    law[y] = law.get(y, 0) + w * p
            keys[a], laws[a] = self.key(t, law), law
        tied = tied_actions(keys, self.exact)
        a = tied[0] if len(tied) == 1 else self.choose(t, s, self.outside(x, t), tied)
        if not self.exact or isinstance(keys[a], float):
            self.largest = max(self.largest, *(abs(float(v)) for v in _flat(keys[a])))
        return Node(a, keys[a], laws.get(a), tuple(tied))

    # ---- functionals -----------------------------------------------------------------------
    def utility(self, t: int, x: Any) -> Any:
        """f(x/(γ^t D)), remembered."""
        memo = self._f[t]
        if x not in memo:
            assert self.objective.f is not None
            memo[x] = self.objective.f(self.outside(x, t))
        return memo[x]

    def key(self, t: int, law: dict[Any, Any]) -> Any:
        """What is compared at time t: E f, or K of the law of γ^{−t} x_H."""
        o, W = self.objective, self.W[t]
        t = 0 if self.scaled else t
        if o.slopes is not None:
            up = sum(p * x for x, p in law.items() if x > 0)
            down = sum(p * x for x, p in law.items() if x < 0)
            return (o.slopes[0] * up + o.slopes[1] * down) / (self.power[t] * self.D * W)
        if o.f is not None:
            total = sum(p * self.utility(t, x) for x, p in law.items())
            return total / W if isinstance(total, float) else Fraction(total) / W
        return o(self.pairs(t, law, W))

    def pairs(self, t: int, law: dict[Any, Any], W: int) -> Any:
        """The law of γ^{−t}x_H as a `ReturnLaw` (or pairs, for vectors); masses over W."""
        listed = [(self.outside(x, t), Fraction(p) / W) for x, p in sorted(law.items())]
        if self.model.m is not None:
            return listed
        if self.exact:
            return ReturnLaw.from_pairs(listed)
        return ReturnLaw.from_pairs([(float(x), float(p)) for x, p in listed])

    def final(self, t0: int, s: int, x: Any) -> dict[Any, Any]:
        """{x_H: mass} from a node under the actions stored, masses over W[t0]."""
        node = self.node(t0, s, x)
        if node.law is not None:
            return node.law
        mass: dict[tuple[int, Any], Any] = {(s, x): 1}
        vector = isinstance(x, tuple)
        for t in range(t0, self.H):
            step = self.step(t)
            following: dict[tuple[int, Any], Any] = {}
            for (s, x), p in mass.items():
                for w, u, dx in step[s][self.nodes[t][s, x].action]:
                    child = (u, tuple(map(int.__add__, x, dx)) if vector else x + dx)
                    following[child] = following.get(child, 0) + w * p
            mass = following
        out: dict[Any, Any] = {}
        for (s, x), p in mass.items():
            if self.tail is None:
                out[x] = out.get(x, 0) + p
                continue
            g = self.power[self.H] * self.D
            for y, q in self.tail(s, self.outside(x, self.H)):
                at = tuple(u + g * v for u, v in zip(x, y, strict=True)) if vector else x + g * y
                out[at] = out.get(at, 0) + p * q
        return out

    def law(self, t: int, s: int, x: Any, off: Real = 0) -> ReturnLaw | VectorLaw:
        """Law of the return-to-go G, γ^t(c + G) = x_H, from a node; doubles for float models.

        `off` bounds w₁ to the law meant, where the steps after H were left out.
        """
        W = self.W[t]

        def go(y: Any) -> Any:
            if isinstance(y, tuple):
                return tuple(self.outside(v - u, t) for u, v in zip(x, y, strict=True))
            return self.outside(y - x, t)

        listed = [(go(y), Fraction(p) / W) for y, p in self.final(t, s, x).items()]
        if self.exact:
            make = VectorLaw.from_pairs if self.model.m is not None else ReturnLaw.from_pairs
            return make(listed, error=off)
        reach = max(abs(float(v)) for y, _ in listed for v in _flat(y))
        error = float(off) + 4 * 2.0**-53 * reach + 2 * reach * abs(float(sum(p for _, p in listed) - 1))
        if self.model.m is None:
            return ReturnLaw.from_pairs([(float(y), float(p)) for y, p in listed], error=error)
        return VectorLaw.from_pairs([(tuple(float(v) for v in y), float(p)) for y, p in listed], error=error)


def _flat(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)
