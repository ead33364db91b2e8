"""Distributional dynamic programming in rationals: the best K(law(c + G)) over (state, stock).

Definitions.  c' = (c + r)/γ; F*(s, c) = sup over all policies of K(law(c + G)).

Finite horizon (`StockInduction`).  At step t each action's law is Σ_k p_k law(r_k + γG'), G' that of
(s'_k, c'); the action with the largest K(c + law) is stored.  For K indifferent to mixtures and γ this
equals F* over *all history-dependent policies*, from every (s, c).  With time-indexed utilities
K_t(ν) = E f(γ^t ·) no indifference to γ is needed.

Infinite horizon (`StockValueIteration`).  η_n is the same with n steps and a law η_0 at the end;
|K(c + η_n) − F*| ≤ L γ^n w̄(η_0, η*) for K with both indifferences and Lipschitz constant L.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

from ..arrays import Real, to_fraction
from ..errors import InvalidArgument
from ..models.stock import StockMDP
from ..operators.objective import Objective, shifted
from ..results.law import ReturnLaw
from ..results.vector_law import VectorLaw
from ._stock_tree import TIE, Tail, Tie, Tree

TieRule = Literal["lowest", "highest", "keep-old"] | Tie
Rule = Callable[[int, Any, int], int]
"""(s, stock, t) ↦ action."""


@dataclass(frozen=True)
class StockOptimum:
    """The answer for one state and stock.

    Attributes
    ----------
    s, stock
        Where it starts.
    value
        K(law(stock + G)) of the policy found; Fraction on exact models where K is rational.
    law
        Law of the return G (without the stock).
    action
        First action.
    error
        Bound on |value − F*|; infinite where the objective is not known to meet the conditions.
    reason
        Which conditions hold, and what was computed.
    """

    s: int
    stock: Any
    value: Any
    law: ReturnLaw | VectorLaw
    action: int
    error: Real
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class ExactStockSolution:
    """Values, laws and actions at every (state, stock), computed when asked for.

    Attributes
    ----------
    model, objective, solver
        What was solved, for what, by what.
    reason
        Which conditions hold, and what was computed.
    H
        Number of steps looked ahead.
    bound
        Bound on |value − F*| in rationals: 0 for finite horizons, L γ^n w̄ for value iteration; infinite
        where the objective breaks a condition, or meets one only as far as the search could tell (say
        mixtures=True or factor= to vouch for it).
    policy_bound
        Bound on F* − (value of the stationary policy `action`), infinite horizon; None otherwise.
    """

    model: StockMDP
    objective: Objective
    solver: str
    reason: str
    H: int
    bound: Real
    policy_bound: Real | None
    _make: Callable[[int, int], Tree]
    _off: Real = 0
    _trees: list[tuple[int, Tree]] = field(default_factory=list)

    def _find(self, s: int, stock: Any, t: int, H: int) -> tuple[Tree, int, Any]:
        exact = self.model.exact()
        s, c = exact.state(s), exact.stock(stock)
        if isinstance(t, bool) or not isinstance(t, int) or not 0 <= t <= H:
            raise InvalidArgument(f"{self.solver}: t={t!r}, must be a step in 0..{H}")
        for steps, tree in self._trees:
            x = tree.inside(c, t) if steps == H else None
            if x is not None:
                return tree, s, x
        parts = c if isinstance(c, tuple) else (c,)
        scale = self.model.exact().gamma ** t
        tree = self._make(H, math.lcm(*((to_fraction(v) * scale).denominator for v in parts)))
        self._trees.append((H, tree))
        return tree, s, tree.inside(c, t)

    def _node(self, s: int, stock: Any, t: int) -> tuple[Tree, int, Any]:
        if self.model.H is None and t != 0:
            raise InvalidArgument(f"{self.solver}: t={t}, an infinite horizon has no steps; leave t out")
        return self._find(s, stock, t, self.H)

    # ---- answers ---------------------------------------------------------------------------
    def law(self, s: int, stock: Any = 0, t: int = 0) -> ReturnLaw | VectorLaw:
        """Law of the return-to-go from (s, stock) at step t, the stock not included.

        Infinite horizon: of `H` greedy steps and the start law; `error` bounds w₁ to the law of those
        steps followed by an optimal policy.
        """
        tree, s, x = self._node(s, stock, t)
        return tree.law(t, s, x, self._off)

    def value(self, s: int, stock: Any = 0, t: int = 0) -> Any:
        """K(law(stock + G)) from (s, stock) at step t: the optimum up to `error`."""
        tree, s, x = self._node(s, stock, t)
        if t == 0 and not tree.laws:
            key = tree.node(t, s, x).key
            return key if self.model.is_exact else float(key)
        return self.objective(tree.law(t, s, x), self.model.stock(stock))

    def action(self, s: int, stock: Any = 0, t: int = 0) -> int:
        """The action at (s, stock): at step t of a finite horizon; of the stationary policy otherwise."""
        if self.model.H is None:  # greedy for the law of H steps: one more level on top
            tree, s, x = self._find(s, stock, 0, self.H + 1)
            return tree.node(0, s, x).action
        tree, s, x = self._find(s, stock, t, self.H)
        return tree.node(t, s, x).action

    def actions(self, s: int, stock: Any = 0, t: int = 0) -> tuple[int, ...]:
        """All actions as good as `action` there, ascending."""
        steps = self.H + 1 if self.model.H is None else self.H
        tree, s, x = self._find(s, stock, t, steps)
        return tree.node(t, s, x).tied

    def policy(self, s: int, stock: Any, t: int = 0) -> int:
        """As `action`: the policy as a function of (s, stock, t)."""
        return self.action(s, stock, t)

    def at(self, s: int, stock: Any = 0) -> StockOptimum:
        """Value, law, first action and error from (s, stock) in one record."""
        law = self.law(s, stock)
        value = self.value(s, stock)
        first = self.action(s, stock)
        return StockOptimum(s, self.model.stock(stock), value, law, first, self.error, self.reason)

    @property
    def error(self) -> Real:
        """Bound on |value − F*|: `bound`, and for float models ties and rounding of the values asked for."""
        if self.model.is_exact and not any(tree.largest for _, tree in self._trees):
            return self.bound
        largest = max((tree.largest for _, tree in self._trees), default=0.0)
        return float(self.bound) + 4 * (self.H + 1) * TIE * (1 + largest)

    def __repr__(self) -> str:
        return (
            f"ExactStockSolution({self.objective.name}, H={self.H}, {self.solver}, bound={_show(self.bound)})"
        )


def _show(x: Real) -> str:
    return str(x) if isinstance(x, Fraction | int) else f"{x:.3g}"


def tie_rule(tie: TieRule, old: Rule | None = None) -> Tie:
    """(t, s, stock, tied) ↦ action.

    Raises
    ------
    InvalidArgument
        For an unknown rule, or "keep-old" without the old policy.
    """
    if callable(tie):
        return tie
    if tie == "lowest":
        return lambda t, s, c, tied: min(tied)
    if tie == "highest":
        return lambda t, s, c, tied: max(tied)
    if tie != "keep-old":
        raise InvalidArgument(
            f"tie={tie!r}, must be 'lowest', 'highest', 'keep-old' or a function "
            "(t, s, stock, tied) -> action"
        )
    if old is None:
        raise InvalidArgument("tie='keep-old' needs old=, the policy (s, stock, t) -> action to keep to")

    def keep(t: int, s: int, c: Any, tied: Any) -> int:
        a = old(s, c, t)
        return a if a in tied else min(tied)

    return keep


@dataclass(frozen=True)
class StockInduction:
    """Backward induction over the (state, stock) that can be reached; finite horizon, any functional.

    Parameters
    ----------
    objective
        What to maximise; see `rltheory.objectives`.
    tie
        Among actions of equal value: "lowest", "highest", "keep-old" (that of `old`) or a function
        (t, s, stock, tied) -> action.  Equal means == for exact models, within 1e-12·(1 + |K|) for doubles.
    time_indexed
        Compare E f(γ^t ·) at step t: exact for every utility f and γ, with a policy that depends on t.
    unchecked
        True runs objectives that break a condition, to see what comes out: `error` is then infinite.
    old
        Policy (s, stock, t) -> action for tie="keep-old".
    laws
        True carries laws even where values would do (the same result; slower).
    max_nodes
        Refuse beyond this many (state, stock) pairs.

    Returns from `run`
    ------------------
    `ExactStockSolution`; error 0 for exact models.  Nothing is computed until a state and stock are asked
    for.

    Complexity: (reachable stocks)·(outcomes) values, times the atoms of a law where laws are carried.

    Source: Ávila Pires et al. (2025); for CVaR Bäuerle and Ott (2011).

    Examples
    --------
    >>> import rltheory as rl
    >>> chain = rl.stock_augmented(rl.gallery.gambler_chain(), H=6)
    >>> StockInduction(rl.objectives.target()).run(chain).value(0, stock=-1)
    Fraction(-121, 128)
    """

    objective: Objective
    tie: TieRule = "lowest"
    time_indexed: bool = False
    unchecked: bool = False
    old: Rule | None = None
    laws: bool = False
    max_nodes: int = 1_000_000

    def __post_init__(self) -> None:
        check_objective(self.objective, "StockInduction")
        tie_rule(self.tie, self.old)

    def run(self, model: StockMDP, /) -> ExactStockSolution:
        """F*, laws and actions of a finite-horizon model."""
        check_model(model, self.objective, "StockInduction")
        if model.H is None:
            raise InvalidArgument(
                "StockInduction: the model has an infinite horizon; use StockValueIteration, or "
                "model.with_horizon(H)"
            )
        reason, bound = _checked(self, model, self.time_indexed, model.H, "StockInduction")
        o, H = self.objective, model.H
        by_value = (
            not self.laws
            and o.is_expected_utility
            and (self.time_indexed or o.gamma_factor(model.gamma) is not None)
        )
        choose = tie_rule(self.tie, self.old)

        def make(steps: int, unit: int) -> Tree:
            return Tree(
                model.exact(),
                steps,
                o,
                laws=not by_value,
                scaled=self.time_indexed,
                unit=unit,
                choose=choose,
                exact=model.is_exact,
                max_nodes=self.max_nodes,
            )

        return ExactStockSolution(model, o, "StockInduction", reason, H, bound, None, make)


@dataclass(frozen=True)
class StockValueIteration:
    """Distributional value iteration, infinite horizon: n sweeps from η_0, in rationals.

    Parameters
    ----------
    objective
        Indifferent to mixtures and γ, and Lipschitz with constant L.
    tol
        |K(c + η_n) − F*| ≤ tol decides n.
    n
        Number of sweeps instead.
    start
        "zero": η_0 = δ_0, off by C̄ = max|r|/(1−γ) at most; "centre": δ_m, m = (r_min + r_max)/(2(1−γ)), off
        by (r_max − r_min)/(2(1−γ)); or a function (s, stock) -> law of (value, mass) pairs, with `off`.
    off
        Bound on w̄(η_0, η*) for a start of one's own.
    tie, unchecked, old, max_nodes
        As in `StockInduction`.

    Returns from `run`
    ------------------
    `ExactStockSolution` with `bound` = L γ^n·off and, for γ-homogeneous expected utilities,
    `policy_bound` = 2γ^{n+1}·L·off/(1−γ) for the stationary greedy policy `action`.

    Complexity: stocks multiply with each sweep when γ < 1: small n.  `StockDP(atoms=…)` goes further.

    Source: Ávila Pires et al. (2025); constants of the policy bound as for discounted value iteration.
    """

    objective: Objective
    tol: Real | None = None
    n: int | None = None
    start: Literal["zero", "centre"] | Tail = "zero"
    off: Real | None = None
    tie: TieRule = "lowest"
    unchecked: bool = False
    old: Rule | None = None
    max_nodes: int = 1_000_000

    def __post_init__(self) -> None:
        check_objective(self.objective, "StockValueIteration")
        if (self.tol is None) == (self.n is None):
            raise InvalidArgument("StockValueIteration: give tol= or n=, one of them")
        if self.tol is not None and not 0 < self.tol < math.inf:
            raise InvalidArgument(f"StockValueIteration: tol={self.tol}, must be a positive number")
        if self.n is not None and (isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 0):
            raise InvalidArgument(f"StockValueIteration: n={self.n!r}, must be an integer ≥ 0")
        if not callable(self.start) and self.start not in ("zero", "centre"):
            raise InvalidArgument(
                f"StockValueIteration: start={self.start!r}, must be 'zero', 'centre' or a function "
                "(s, stock) -> pairs"
            )
        tie_rule(self.tie, self.old)

    def run(self, model: StockMDP, /) -> ExactStockSolution:
        """η_n and its greedy policy for an infinite-horizon model."""
        o, name = self.objective, "StockValueIteration"
        check_model(model, o, name)
        if model.H is not None:
            raise InvalidArgument(
                f"{name}: the model has H={model.H}; use StockInduction, exact in H steps, "
                "or model.with_horizon(None)"
            )
        reason, _ = _checked(self, model, False, None, name)
        gamma = model.exact().gamma
        tail, off = start_law(model, self.start, self.off)
        n = self.n if self.n is not None else _sweeps(o, gamma, off, self.tol)
        ok = o.lipschitz is not None and _proven(o, model.gamma)
        bound: Real = o.lipschitz * gamma**n * off if ok and o.lipschitz is not None else math.inf
        linear = ok and o.is_expected_utility and o.gamma_factor(gamma) == gamma
        loss = 2 * gamma / (1 - gamma) * bound if linear else math.inf
        by_value = o.is_expected_utility and o.gamma_factor(gamma) is not None
        choose = tie_rule(self.tie, self.old)

        def make(steps: int, unit: int) -> Tree:
            return Tree(
                model.exact(),
                steps,
                o,
                laws=not by_value,
                unit=unit,
                choose=choose,
                tail=tail,
                exact=model.is_exact,
                max_nodes=self.max_nodes,
                name=name,
            )

        said = f"{reason}; n={n} sweeps, |value − optimum| ≤ {_show(bound)}"
        return ExactStockSolution(model, o, name, said, n, bound, loss, make, gamma**n * off)


# ---- shared checks -------------------------------------------------------------------------------
def start_law(
    model: StockMDP, start: Literal["zero", "centre"] | Tail, off: Real | None = None
) -> tuple[Tail | None, Real]:
    """(tail, bound on w̄(tail, η*)) of a start of value iteration."""
    exact = model.exact()
    gamma = exact.gamma
    ends = [exact.r_min, exact.r_max] if model.m is None else [*exact.r_min.tolist(), *exact.r_max.tolist()]
    if callable(start):
        return start, math.inf if off is None else off
    if start == "zero":
        size: Real = max(abs(r) for r in ends) if model.m is None else _vector_size(exact)
        return None, size / (1 - gamma)
    if model.m is not None:
        raise InvalidArgument("StockValueIteration: start='centre' is for scalar rewards; use 'zero'")
    middle = (ends[0] + ends[1]) / (2 * (1 - gamma))
    return (lambda s, c: [(middle, 1)]), (ends[1] - ends[0]) / (2 * (1 - gamma))


def _vector_size(model: StockMDP) -> Real:
    """max ‖r‖₁, an upper bound for the ℓ₂ and max norms as well."""
    sizes: list[Real] = [abs(stage.reward).sum(axis=1).max() for stage in model.stages]
    return max(sizes)


def _sweeps(o: Objective, gamma: Fraction, off: Real, tol: Real | None) -> int:
    """n = ⌈ln(L·off/tol)/ln(1/γ)⌉, decided in rationals where they are."""
    if o.lipschitz is None or not off < math.inf or tol is None:
        raise InvalidArgument(
            f"StockValueIteration: tol={tol} cannot be promised for {o.name} (no Lipschitz constant, or a "
            "start without off=); give n= instead"
        )
    n, size, goal = 0, o.lipschitz * off, tol
    while size > goal and n < 100_000:
        size, n = size * gamma, n + 1
    return n


def check_objective(objective: object, name: str) -> None:
    """Refuse what is not an `Objective`."""
    if not isinstance(objective, Objective):
        raise InvalidArgument(
            f"{name}: objective={objective!r}, must be an Objective: rl.objectives.target(), "
            "rl.expected_utility(f), …; for any function of a law rl.objectives.functional(K)"
        )


def check_model(model: object, objective: Objective, name: str) -> None:
    """Refuse what is not a `StockMDP`, and objectives of another kind of return."""
    if not isinstance(model, StockMDP):
        raise InvalidArgument(
            f"{name}: model of type {type(model).__name__}, must be a StockMDP; "
            "use rl.stock_augmented(model, H=)"
        )
    if (objective.m is None) != (model.m is None) or (objective.m not in (None, 0, model.m)):
        kind = "numbers" if objective.m is None else f"vectors of {objective.m or 'any length'}"
        rewards = "numbers" if model.m is None else f"vectors of {model.m}"
        raise InvalidArgument(
            f"{name}: objective {objective.name} takes {kind}, but rewards are {rewards}; "
            "take model.component(i), or an objective of vectors such as homeostasis()"
        )


def _proven(o: Objective, gamma: Any, time_indexed: bool = False) -> bool:
    """True when both indifferences hold, not merely escape the search for a witness."""
    found = o.conditions(gamma)
    return found.mixtures == "holds" and (time_indexed or found.gamma == "holds")


def _checked(solver: Any, model: StockMDP, time_indexed: bool, H: int | None, name: str) -> tuple[str, Real]:
    """(reason, bound of a finite horizon) after the conditions; or the refusal."""
    try:
        said = solver.objective.require(model.gamma, H=H, what=name, time_indexed=time_indexed)
    except InvalidArgument as refusal:
        if not solver.unchecked:
            raise
        return f"unchecked: {refusal}", math.inf
    bound: Real = 0 if _proven(solver.objective, model.gamma, time_indexed) else math.inf
    return f"{said}: backward induction over reachable stocks", bound


def stocked(law: Any, stock: Any) -> list[tuple[Any, Any]]:
    """The law of stock + G as (value, mass) pairs."""
    return [(shifted(x, stock), p) for x, p in law]
