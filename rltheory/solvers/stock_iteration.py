"""Augmented states as a finite model: policy iteration over (state, stock), and the classic reduction.

The (t, s, c) reached from one start are numbered; for an infinite horizon the (s, c), where they are
finitely many.  Expected utilities with f̃(γx) = a·f̃(x), f̃ = f − f(0), obey a linear recursion:
V(s, c) = a·Σ p V(s', c'), V = f̃(c) at the end, and F = V + f(0).

Policy iteration evaluates π_k at every node, then takes the greedy action, keeping the old one on ties:
K(c + η^{π_k}) never decreases, and stops at an optimum.

Classic reduction: with the reward r̃ = a·f̃(c') − f̃(c) and the discount a the augmented model is an
ordinary one, F* = V̂* + f̃(c) + f(0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..arrays import exact_array
from ..errors import InvalidArgument, NotConverged
from ..kernels.exact import solve_linear
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.mdp import MDP
from ..models.stock import StockMDP
from ..operators.objective import Objective
from ..results.law import ReturnLaw
from ..results.vector_law import VectorLaw
from ._stock_tree import tied_actions
from .stock_baselines import StockPolicy, _as_law, as_rule
from .stock_exact import TieRule, check_model, check_objective, tie_rule

Key = tuple[int, int, Any]
"""(t, s, stock); t is 0 throughout for an infinite horizon."""


@dataclass(frozen=True, repr=False)
class Augmented:
    """The augmented states reached from one start, numbered.

    Attributes
    ----------
    model
        Exact `StockMDP`.
    nodes
        (t, s, stock) of each node; the start is node 0.
    moves
        For each node {a: ((p, child, r), …)}; empty at the end (t = H, or a terminal state).
    """

    model: StockMDP
    nodes: tuple[Key, ...]
    moves: tuple[dict[int, tuple[tuple[Any, int, Any], ...]], ...]

    @classmethod
    def of(cls, model: StockMDP, s: int, stock: Any = 0, *, max_nodes: int = 200_000) -> Augmented:
        """All that can be reached from (s, stock).

        Raises
        ------
        NotConverged
            More than `max_nodes`: for γ < 1 and an infinite horizon stocks are usually infinitely many.
        """
        exact = model.exact()
        index: dict[Key, int] = {(0, exact.state(s), exact.stock(stock)): 0}
        queue = list(index)
        moves: list[dict[int, tuple[tuple[Any, int, Any], ...]]] = []
        for t, u, c in queue:
            row: dict[int, tuple[tuple[Any, int, Any], ...]] = {}
            if not (t == exact.H if exact.H is not None else bool(exact.base.terminal[u])):
                stage = exact.stage(t)
                for a, outcomes in stage.lists[u].items():
                    kids = []
                    for (p, v, r), (_, _, d) in zip(outcomes, exact.step(u, c, a, t), strict=True):
                        key = (t + 1 if exact.H is not None else 0, v, d)
                        if key not in index:
                            index[key] = len(queue)
                            queue.append(key)
                        kids.append((p, index[key], r))
                    row[a] = tuple(kids)
            moves.append(row)
            if len(queue) > max_nodes:
                raise NotConverged(
                    f"augmented states: more than max_nodes={max_nodes} from (s={s}, stock={stock}); give a "
                    "shorter horizon, or use StockDP with atoms="
                )
        return cls(exact, tuple(queue), tuple(moves))

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"Augmented({len(self)} nodes of {self.model!r})"


# ---- policy iteration ----------------------------------------------------------------------------
@dataclass(frozen=True, repr=False)
class StockIterates:
    """What policy iteration went through.

    Attributes
    ----------
    augmented
        The nodes the tables below are about.
    values
        values[k][i]: K(c + η^{π_k}) at node i.
    policies
        policies[k][i]: action of π_k at node i; −1 at the end.
    optimal
        True when the last policy could not be improved at any node.
    objective
        What was improved.
    """

    augmented: Augmented
    values: tuple[tuple[Any, ...], ...]
    policies: tuple[tuple[int, ...], ...]
    optimal: bool
    objective: Objective

    @property
    def value(self) -> Any:
        """Value of the last policy at the start."""
        return self.values[-1][0]

    def law(self) -> ReturnLaw | VectorLaw:
        """Law of the return of the last policy from the start; finite horizon."""
        if self.augmented.model.H is None:
            raise InvalidArgument(
                "StockIterates.law: infinite horizon; the law may have infinitely many atoms"
            )
        return _as_law(_policy_laws(self.augmented, self.policies[-1])[0], True)

    def __repr__(self) -> str:
        state = "optimal" if self.optimal else "improvable"
        return (
            f"StockIterates({self.objective.name}, value={self.value}, {len(self.values)} policies, {state}, "
            f"{len(self.augmented)} nodes)"
        )


@dataclass(frozen=True)
class StockPolicyIteration:
    """Policy iteration over the augmented states reached from one start; exact.

    Parameters
    ----------
    objective
        Finite horizon: indifferent to mixtures and γ.  Infinite: an expected utility with
        f̃(γx) = a·f̃(x), Lipschitz, and finitely many reachable stocks.
    s, stock
        The start.
    pi0
        First policy: (s, stock, t) -> action, (S,) action ids, or one action id.
    tie
        Which of several improving actions is taken; the old action is kept whenever it is among the best.
        A function (t, s, stock, tied) -> action overrides that, too.
    max_iter
        Improvements at most.
    unchecked, max_nodes
        As for `StockInduction`.

    Returns from `run`
    ------------------
    `StockIterates`: values and policies of every iteration.

    Complexity: an iteration is one linear solve over the nodes (infinite horizon), or one backward pass.
    """

    objective: Objective
    s: int = 0
    stock: Any = 0
    pi0: StockPolicy | None = None
    tie: TieRule = "lowest"
    max_iter: int = 1_000
    unchecked: bool = False
    max_nodes: int = 200_000

    def run(self, model: StockMDP, /) -> StockIterates:
        """Iterate from pi0 (lowest actions if not given) until nothing improves."""
        o, name = self.objective, "StockPolicyIteration"
        check_objective(o, name)
        check_model(model, o, name)
        if not self.unchecked:
            o.require(model.gamma, H=model.H, what=name)
        factor = o.gamma_factor(model.exact().gamma) if o.is_expected_utility else None
        if model.H is None and factor is None:
            raise InvalidArgument(
                f"{name}: an infinite horizon needs an expected utility with f(γx) − f(0) = a·(f(x) − f(0)), "
                f"known as factor=; {o.name} has none: use StockValueIteration, or a horizon"
            )
        aug = Augmented.of(model, self.s, self.stock, max_nodes=self.max_nodes)
        rule = None if self.pi0 is None else as_rule(self.pi0, model.S)
        pi = tuple(
            -1 if not row else min(row) if rule is None else rule(s, c, t)
            for (t, s, c), row in zip(aug.nodes, aug.moves, strict=True)
        )
        for (t, s, c), a, row in zip(aug.nodes, pi, aug.moves, strict=True):
            if row and a not in row:
                raise InvalidArgument(
                    f"{name}: pi0 plays {a} at (s={s}, stock={c}, t={t}), allowed: {sorted(row)}"
                )
        free, choose = callable(self.tie), tie_rule(self.tie)
        values, policies, optimal = [], [pi], False
        for _ in range(self.max_iter):
            table, keys = _assess(aug, pi, o, factor)
            values.append(table)
            better = []
            for (t, s, c), a, row, key in zip(aug.nodes, pi, aug.moves, keys, strict=True):
                tied = tied_actions(key, model.is_exact) if row else []
                keep = not row or (a in tied and not free)
                better.append(a if keep else tied[0] if len(tied) == 1 else choose(t, s, c, tied))
            if tuple(better) == pi:
                optimal = True
                break
            pi = tuple(better)
            policies.append(pi)
        if not optimal:
            policies = policies[: len(values)]
        return StockIterates(aug, tuple(values), tuple(policies), optimal, o)


def _assess(
    aug: Augmented, pi: Sequence[int], o: Objective, factor: Any
) -> tuple[tuple[Any, ...], list[dict[int, Any]]]:
    """(value of π at each node, {a: value of taking a, then π} at each node)."""
    if factor is None:
        laws = _policy_laws(aug, pi)
        table = tuple(o(_as_law(law, True), c) for law, (_, _, c) in zip(laws, aug.nodes, strict=True))
        keys = [
            {a: o(_as_law(_mixed(aug, rows, laws), True), c) for a, rows in row.items()}
            for row, (_, _, c) in zip(aug.moves, aug.nodes, strict=True)
        ]
        return table, keys
    assert o.f is not None
    zero = o.f(_zero(aug))
    V = _values(aug, pi, o, factor)
    keys = [
        {a: factor * sum((p * V[j] for p, j, _ in rows), Fraction(0)) + zero for a, rows in row.items()}
        for row in aug.moves
    ]
    return tuple(v + zero for v in V), keys


def _zero(aug: Augmented) -> Any:
    m = aug.model.m
    return Fraction(0) if m is None else (Fraction(0),) * m


def _values(aug: Augmented, pi: Sequence[int], o: Objective, factor: Any) -> list[Any]:
    """V = E f̃ at each node under π: backwards for a finite horizon, one linear solve otherwise."""
    assert o.f is not None
    zero = o.f(_zero(aug))
    V = [
        o.f(c) - zero if not row else Fraction(0) for (_, _, c), row in zip(aug.nodes, aug.moves, strict=True)
    ]
    if aug.model.H is not None:
        for i in sorted((i for i, row in enumerate(aug.moves) if row), key=lambda i: -aug.nodes[i][0]):
            V[i] = factor * sum((p * V[j] for p, j, _ in aug.moves[i][pi[i]]), Fraction(0))
        return V
    inner = [i for i, row in enumerate(aug.moves) if row]
    at = {i: k for k, i in enumerate(inner)}
    A = np.full((len(inner), len(inner)), Fraction(0), dtype=object)
    b = np.full(len(inner), Fraction(0), dtype=object)
    for k, i in enumerate(inner):
        A[k, k] += 1
        for p, j, _ in aug.moves[i][pi[i]]:
            if j in at:
                A[k, at[j]] -= factor * p
            else:
                b[k] += factor * p * V[j]
    try:
        solved = solve_linear(A, b).tolist() if inner else []
    except ZeroDivisionError:
        raise InvalidArgument(
            f"StockPolicyIteration: a policy may never end, and with the factor a={factor} of {o.name} its "
            "value is not determined by the recursion; use an objective with a < 1, or a finite horizon"
        ) from None
    for i, v in zip(inner, solved, strict=True):
        V[i] = v
    return V


def _policy_laws(aug: Augmented, pi: Sequence[int]) -> list[dict[Any, Any]]:
    """Law of the return-to-go at each node of a finite horizon."""
    laws: list[dict[Any, Any]] = [{_zero(aug): Fraction(1)} for _ in aug.nodes]
    for i in sorted((i for i, row in enumerate(aug.moves) if row), key=lambda i: -aug.nodes[i][0]):
        laws[i] = _mixed(aug, aug.moves[i][pi[i]], laws)
    return laws


def _mixed(
    aug: Augmented, rows: Sequence[tuple[Any, int, Any]], laws: Sequence[dict[Any, Any]]
) -> dict[Any, Any]:
    g = aug.model.gamma
    out: dict[Any, Any] = {}
    for p, j, r in rows:
        for x, q in laws[j].items():
            y = tuple(u + g * v for u, v in zip(r, x, strict=True)) if isinstance(r, tuple) else r + g * x
            out[y] = out.get(y, 0) + p * q
    return out


# ---- classic reduction -----------------------------------------------------------------------------
@dataclass(frozen=True, repr=False)
class ClassicReduction:
    """An ordinary model with the same optimum: reward r̃ = a·f̃(c') − f̃(c), discount a, on augmented states.

    Attributes
    ----------
    mdp
        `MDP` with discount a for a < 1, `FiniteHorizonMDP` for a = 1; state i is node i, ended nodes are
        terminal.
    augmented
        The nodes.
    offset
        F*(node) = V*(node) + offset[node], offset = f̃(c) + f(0) = f(c).
    """

    mdp: MDP | FiniteHorizonMDP
    augmented: Augmented
    offset: tuple[Any, ...]

    def value(self) -> Any:
        """F* at the start, by `solve`: ordinary dynamic programming."""
        from .portfolio import solve

        sol: Any = solve(self.mdp)
        V = sol.V if isinstance(self.mdp, MDP) else sol.V[0]
        return V[0] + self.offset[0]

    def __repr__(self) -> str:
        return f"ClassicReduction({self.mdp!r})"


def classic_reduction(
    model: StockMDP, objective: Objective, s: int, stock: Any = 0, *, max_nodes: int = 20_000
) -> ClassicReduction:
    """The ordinary MDP on the augmented states reached from (s, stock).

    Parameters
    ----------
    model
        Finite horizon, or finitely many reachable stocks.
    objective
        Expected utility with a known factor: f̃(γx) = a·f̃(x); rational on Fractions.
    s, stock
        The start.
    max_nodes
        Refuse beyond this many augmented states.

    Raises
    ------
    InvalidArgument
        Without a factor; the witness says why there is none.

    Source: potential-based shaping (Ng, Harada, Russell 1999) read backwards.
    """
    check_objective(objective, "classic_reduction")
    check_model(model, objective, "classic_reduction")
    exact = model.exact()
    a = objective.gamma_factor(exact.gamma) if objective.is_expected_utility else None
    if a is None or objective.f is None:
        found = objective.conditions(exact.gamma)
        why = found.mixture_witness or found.gamma_witness or "no factor is known; pass factor="
        raise InvalidArgument(
            f"classic_reduction: {objective.name} needs f(γx) − f(0) = a·(f(x) − f(0)) "
            f"at γ={model.gamma}: {why}"
        )
    aug = Augmented.of(model, s, stock, max_nodes=max_nodes)
    zero = objective.f(_zero(aug))
    potential = [objective.f(c) - zero for _, _, c in aug.nodes]
    data: list[Any] = []
    indices: list[int] = []
    indptr, rewards, pair_state, pair_action, ended = [0], [], [], [], []
    for i, row in enumerate(aug.moves):
        if not row:
            ended.append(i)
            continue
        for action, outcomes in row.items():
            law: dict[int, Any] = {}
            for p, j, _ in outcomes:
                law[j] = law.get(j, 0) + p
            data += law.values()
            indices += law.keys()
            indptr.append(len(data))
            rewards.append(sum(p * (a * potential[j] - potential[i]) for j, p in law.items()))
            pair_state.append(i)
            pair_action.append(action)
    mdp = MDP.from_pairs(
        (exact_array(np.array(data, dtype=object)), np.array(indices), np.array(indptr)),
        exact_array(np.array(rewards, dtype=object)),
        a if a < 1 else Fraction(0),
        pair_state=pair_state,
        pair_action=pair_action,
        S=len(aug),
        terminal=ended,
    )
    offset = tuple(v + zero for v in potential)
    if a < 1:
        return ClassicReduction(mdp, aug, offset)
    assert aug.model.H is not None
    return ClassicReduction(FiniteHorizonMDP.from_mdp(mdp, aug.model.H), aug, offset)
