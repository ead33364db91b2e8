"""What the stock buys: policies that do not see it, a given policy, and the best of several.

Stock-blind greedy: backward induction over (t, s) with K(c̃ + law G') at every stage for one fixed c̃:
the initial stock ("no stock"), or 0 ("nested").  Open loop: the best fixed sequence of actions.
Generalised policy evaluation: laws η_i of given policies, once; then argmax_a max_i K(c + law_a(η_i)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InvalidArgument
from ..models.policy import Policy
from ..models.stock import StockMDP
from ..operators.objective import Objective
from ..results.law import ReturnLaw
from ..results.vector_law import VectorLaw
from ._stock_tree import Tree, tied_actions
from .stock_exact import ExactStockSolution, Rule, TieRule, check_model, check_objective, tie_rule

StockPolicy = Rule | Policy | ArrayLike | int
"""A function (s, stock, t) ↦ action, a deterministic `Policy`, (S,) action ids, or one action for all."""


def as_rule(pi: StockPolicy, S: int) -> Rule:
    """`pi` as a function (s, stock, t) ↦ action.

    Raises
    ------
    InvalidArgument
        For arrays that are not (S,) action ids.
    """
    if callable(pi):
        return pi
    if isinstance(pi, (int, np.integer)) and not isinstance(pi, bool):
        same = int(pi)
        return lambda s, stock, t: same
    ids = pi.actions if isinstance(pi, Policy) else np.asarray(pi)
    if ids.shape != (S,) or ids.dtype.kind not in "iu":
        raise InvalidArgument(
            f"policy: {ids.dtype} array of shape {ids.shape}, must be ({S},) action ids, or a function "
            "(s, stock, t) -> action"
        )
    actions = ids.tolist()
    return lambda s, stock, t: actions[s]


@dataclass(frozen=True)
class StockEvaluation:
    """The law of the return of a given policy, from every (state, stock); finite horizon.

    Parameters
    ----------
    policy
        (s, stock, t) -> action, (S,) action ids, a deterministic `Policy`, or one action id.
    objective
        What `value` reports.

    Returns from `run`
    ------------------
    `ExactStockSolution`; `bound` is 0: value and law are those of the policy.
    """

    policy: StockPolicy
    objective: Objective
    max_nodes: int = 1_000_000

    def run(self, model: StockMDP, /) -> ExactStockSolution:
        """Values and laws of the policy."""
        return _followed(
            model, as_rule(self.policy, model.S), self.objective, "StockEvaluation", self.max_nodes
        )


def _followed(model: StockMDP, rule: Rule, o: Objective, name: str, max_nodes: int) -> ExactStockSolution:
    check_objective(o, name)
    check_model(model, o, name)
    if model.H is None:
        raise InvalidArgument(f"{name}: the model has an infinite horizon; use model.with_horizon(H)")

    def fixed(t: int, s: int, c: Any) -> int:
        a = rule(s, c, t)
        if a not in model.stage(t).lists[s]:
            raise InvalidArgument(
                f"{name}: the policy plays {a!r} at (s={s}, stock={c}, t={t}), allowed are "
                f"{sorted(model.stage(t).lists[s])}"
            )
        return int(a)

    def make(steps: int, unit: int) -> Tree:
        return Tree(
            model.exact(), steps, o, laws=True, unit=unit, choose=tie_rule("lowest"), fixed=fixed,
            exact=model.is_exact, max_nodes=max_nodes, name=name,
        )  # fmt: skip

    return ExactStockSolution(model, o, name, "the law of the policy given", model.H, 0, None, make)


@dataclass(frozen=True)
class GeneralisedPolicy:
    """argmax_a max_i K(c + law_a(η_i)): at least as good as each of the policies given, for any objective.

    Parameters
    ----------
    policies
        As for `StockEvaluation`; their laws do not depend on the objective.
    objective
        Indifferent to mixtures and γ for the guarantee (unchecked=True runs others).
    tie
        As for `StockInduction`.

    Returns from `run`
    ------------------
    `ExactStockSolution` of the improved policy; `bound` is infinite: it is better than the policies
    given, not optimal.

    Source: generalised policy improvement (Barreto et al. 2017), for laws.
    """

    policies: Sequence[StockPolicy]
    objective: Objective
    tie: TieRule = "lowest"
    unchecked: bool = False
    max_nodes: int = 1_000_000

    def run(self, model: StockMDP, /) -> ExactStockSolution:
        """The improved policy's values and laws."""
        name = "GeneralisedPolicy"
        check_objective(self.objective, name)
        if not self.policies:
            raise InvalidArgument(f"{name}: no policies; give at least one")
        try:
            reason = self.objective.require(model.gamma, H=model.H, what=name)
        except InvalidArgument as refusal:
            if not self.unchecked:
                raise
            reason = f"unchecked: {refusal}"
        bases = [StockEvaluation(pi, self.objective, self.max_nodes).run(model) for pi in self.policies]
        choose, exact = tie_rule(self.tie), model.is_exact
        lifted = model.exact()

        def rule(s: int, c: Any, t: int) -> int:
            keys: dict[int, Any] = {}
            for a in lifted.stage(t).lists[s]:
                for base in bases:
                    key = _one_step(lifted, base, self.objective, s, c, a, t)
                    if a not in keys or key > keys[a]:
                        keys[a] = key
            tied = tied_actions(keys, exact)
            return choose(t, s, c, tied)

        sol = _followed(model, rule, self.objective, name, self.max_nodes)
        return ExactStockSolution(
            model, sol.objective, name, f"{reason}; greedy for {len(bases)} policies", sol.H, math.inf, None,
            sol._make,
        )  # fmt: skip


def _one_step(model: StockMDP, base: ExactStockSolution, o: Objective, s: int, c: Any, a: int, t: int) -> Any:
    """K(c + law of taking a, then following the base policy), at step t."""
    tree, s, x = base._find(s, c, t, base.H)
    law: dict[Any, Any] = {}
    for w, u, dx in tree.step(t)[s][a]:
        child = tuple(map(int.__add__, x, dx)) if isinstance(x, tuple) else x + dx
        for y, p in tree.final(t + 1, u, child).items():
            law[y] = law.get(y, 0) + w * p
    return tree.key(t, law)


@dataclass(frozen=True)
class StockBlind:
    """Greedy on K(c̃ + law) over (t, s), without a stock: what is lost by not carrying it.

    Parameters
    ----------
    objective
        Any functional: mixtures and γ are not required, nothing is promised.
    seen
        c̃: "initial" for the initial stock at every stage (the "no stock" baseline), "zero" for 0
        ("nested"; K of the return alone).
    tie
        As for `StockInduction`.

    Returns from `run`
    ------------------
    `BlindSolution`.
    """

    objective: Objective
    seen: str = "initial"
    tie: TieRule = "lowest"

    def run(self, model: StockMDP, /) -> BlindSolution:
        """Values and laws of the stock-blind greedy policy."""
        check_objective(self.objective, "StockBlind")
        check_model(model, self.objective, "StockBlind")
        if self.seen not in ("initial", "zero"):
            raise InvalidArgument(f"StockBlind: seen={self.seen!r}, must be 'initial' or 'zero'")
        if model.H is None:
            raise InvalidArgument("StockBlind: the model has an infinite horizon; use model.with_horizon(H)")
        return BlindSolution(model, self.objective, self.seen, tie_rule(self.tie))


@dataclass(frozen=True, repr=False)
class BlindSolution:
    """Stock-blind greedy laws; `value(s, stock)` is K(stock + law) of the policy followed from there."""

    model: StockMDP
    objective: Objective
    seen: str
    choose: Callable[[int, int, Any, Sequence[int]], int]

    def law(self, s: int, stock: Any = 0) -> ReturnLaw | VectorLaw:
        """Law of the return."""
        return _as_law(self._tables(stock)[0][s][1], self.model.is_exact)

    def value(self, s: int, stock: Any = 0) -> Any:
        """K(law(stock + G)) of the stock-blind policy."""
        return self.objective(self.law(s, stock), self.model.stock(stock))

    def policy(self, stock: Any = 0) -> tuple[tuple[int, ...], ...]:
        """[t][s] ↦ action."""
        return tuple(tuple(a for a, _ in row) for row in self._tables(stock)[:-1])

    def __repr__(self) -> str:
        return f"BlindSolution({self.objective.name}, seen={self.seen!r}, H={self.model.H})"

    def _tables(self, stock: Any) -> list[list[tuple[int, dict[Any, Any]]]]:
        model, o = self.model.exact(), self.objective
        assert model.H is not None
        zero: Any = Fraction(0) if model.m is None else (Fraction(0),) * model.m
        c = model.stock(stock) if self.seen == "initial" else zero
        tables: list[list[tuple[int, dict[Any, Any]]]] = [[(-1, {zero: Fraction(1)}) for _ in range(model.S)]]
        for t in reversed(range(model.H)):
            row = []
            for s in range(model.S):
                laws = {
                    a: _backup(rows, tables[0], model.gamma) for a, rows in model.stage(t).lists[s].items()
                }
                keys = {a: o(_as_law(law, self.model.is_exact), c) for a, law in laws.items()}
                tied = tied_actions(keys, self.model.is_exact)
                a = self.choose(t, s, c, tied)
                row.append((a, laws[a]))
            tables.insert(0, row)
        return tables


def _backup(rows: Iterable[tuple[Any, int, Any]], table: Sequence[Any], gamma: Fraction) -> dict[Any, Any]:
    law: dict[Any, Any] = {}
    for p, u, r in rows:
        for x, q in table[u][1].items():
            y = (
                tuple(v + gamma * w for v, w in zip(r, x, strict=True))
                if isinstance(r, tuple)
                else r + gamma * x
            )
            law[y] = law.get(y, 0) + p * q
    return law


def _as_law(law: dict[Any, Any], exact: bool) -> ReturnLaw | VectorLaw:
    pairs = list(law.items())
    if not exact:
        pairs = [(tuple(map(float, x)) if isinstance(x, tuple) else float(x), float(p)) for x, p in pairs]
    return VectorLaw.from_pairs(pairs) if isinstance(pairs[0][0], tuple) else ReturnLaw.from_pairs(pairs)


def open_loop(
    model: StockMDP, objective: Objective, s: int, stock: Any = 0, *, max_sequences: int = 100_000
) -> tuple[Any, tuple[int, ...], ReturnLaw | VectorLaw]:
    """(value, actions, law) of the best fixed sequence of actions: neither stock nor state is looked at.

    Sequences that hit an action not allowed in a state they may reach are left out.

    Complexity: A^H laws, forwards.
    """
    check_objective(objective, "open_loop")
    check_model(model, objective, "open_loop")
    exact = model.exact()
    if exact.H is None or max_sequences < exact.A**exact.H:
        raise InvalidArgument(
            f"open_loop: A={exact.A}, H={exact.H}: more than max_sequences={max_sequences} sequences; "
            "use a shorter horizon"
        )
    zero: Any = Fraction(0) if exact.m is None else (Fraction(0),) * exact.m
    c = model.stock(stock)
    best: tuple[Any, tuple[int, ...], ReturnLaw | VectorLaw] | None = None
    level: list[tuple[tuple[int, ...], dict[tuple[int, Any], Any]]] = [
        ((), {(exact.state(s), zero): Fraction(1)})
    ]
    for t in range(exact.H):
        lists, power = exact.stage(t).lists, exact.gamma**t
        level = [
            (path + (a,), _pushed(mass, lists, a, power))
            for path, mass in level
            for a in range(exact.A)
            if all(a in lists[u] for u, _ in mass)
        ]
    for path, mass in level:
        law: dict[Any, Any] = {}
        for (_, g), p in mass.items():
            law[g] = law.get(g, 0) + p
        found = _as_law(law, model.is_exact)
        value = objective(found, c)
        if best is None or value > best[0]:
            best = (value, path, found)
    if best is None:
        raise InvalidArgument("open_loop: no sequence of actions is allowed in every state it may reach")
    return best


def _pushed(
    mass: dict[tuple[int, Any], Any], lists: Sequence[Any], a: int, power: Fraction
) -> dict[tuple[int, Any], Any]:
    out: dict[tuple[int, Any], Any] = {}
    for (s, g), p in mass.items():
        for q, u, r in lists[s][a]:
            h = (
                tuple(x + power * y for x, y in zip(g, r, strict=True))
                if isinstance(r, tuple)
                else g + power * r
            )
            out[u, h] = out.get((u, h), 0) + p * q
    return out
