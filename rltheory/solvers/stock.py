"""Optimal laws of the return: the solver that picks the representation of the stock.

    representation   where                                             error
    lattice          finite horizon, γ^t r ∈ δZ; any utility           0 in rationals, rounding in doubles
                     infinite horizon, 1/γ ∈ N, rationals, a₊x₊ + a₋x₋  0
    grid             infinite horizon, any γ < 1, a₊x₊ + a₋x₋           (Lδ/2)·γ/√(1−γ²) + residual + rounding
    time             anything else with a Lipschitz utility            (L/2)·√(Σδ_t²) + tail + rounding

CVaR, optimistic CVaR, quantiles, variance, mean − variance and mean − std are not indifferent to
mixtures; each is searched over the initial stock on top of one of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from ..arrays import Real, to_fraction
from ..errors import InvalidArgument
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.mdp import MDP
from ..models.outcomes import OutcomeMDP
from ..models.stock import StockMDP, stock_augmented
from ..operators.objective import Objective
from ..results.stock import StockSolution
from . import stock_outer
from ._stock_model import Problem, StockValues, Utility, common_step, decimal, lattice_step
from .stock_grid import grid_values
from .stock_lattice import lattice_values, stationary_lattice
from .stock_time import PassValues, time_values, window

Representation = Literal["lattice", "grid", "time"]
WORK = 5e9
"""Nodes times outcomes of a lattice pass above which interpolation is chosen: a few seconds."""
BYTES = 1e9
"""Memory of the stored actions above which a lattice is refused."""
POINTS = 20_000
"""(state, stock) points of an exact infinite-horizon lattice above which the grid is chosen."""


@dataclass(frozen=True)
class StockDP:
    """sup_π K(c + G^π) for all states and initial stocks, with policy and law of the return.

    Parameters
    ----------
    objective
        K, from `rltheory.objectives`: an expected utility, or one that is a supremum or infimum of them.
    atoms
        Nodes of the stock where it is interpolated.
    representation
        "lattice", "grid" or "time" instead of the choice made from model and objective.
    tol
        For "time": error wanted (discretisation and tail) instead of `atoms`.  For "grid": bound on the
        unfinished iteration.
    spacing
        For lattices: δ, if it is to be finer than the common spacing of the rewards; rewards in doubles
        within 1e−9 (of the largest) of a multiple are moved there, which the error bound counts.
    stocks
        (lowest, highest) initial stock of one pass; by default from −G_max to −G_min, 0 included.  Others
        are solved when asked for.
    window
        For "grid": (lo, hi) to cover, if wider than needed.
    exact
        True for rationals, False for doubles; by default rationals where the model is rational and small.
    progress
        Show a progress bar; by default on a terminal, for runs longer than a second or two.

    Returns from `run`
    ------------------
    `StockSolution`, with the representation, why it was chosen, and the error bound with its parts.

    Raises
    ------
    InvalidArgument
        Naming the condition that fails and the way out: objectives that are no expected utility and have
        no outer search, jumps on a grid, incommensurable rewards on a lattice, γ = 1 without horizon,
        vector rewards, a window that does not cover.

    Complexity: about 0.2–0.7 ns per state, stock node and outcome on lattices, 1–1.5 ns on grids; see
    `rltheory bench stock`.

    Source: Ávila Pires et al. 2025; Bäuerle and Ott 2011; distributional-dp, Representations 2, 3, 4, 7.

    Examples
    --------
    >>> from rltheory import gallery, objectives, stock_augmented
    >>> sol = StockDP(objectives.cvar(Fraction(1, 2))).run(stock_augmented(gallery.gambler_chain(), H=6))
    >>> sol.value(0), sol.start(0), sol.law(0).cvar(Fraction(1, 2))
    (Fraction(73, 128), Fraction(-2, 1), Fraction(73, 128))
    """

    objective: Objective
    atoms: int = 201
    representation: Representation | None = None
    tol: float | None = None
    spacing: Real | None = None
    stocks: tuple[Real, Real] | None = None
    window: tuple[Real, Real] | None = None
    exact: bool | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.objective, Objective):
            raise InvalidArgument(
                f"objective={self.objective!r}, must be an Objective such as objectives.cvar(0.1); wrap a "
                "utility in objectives.expected_utility(f, lipschitz=...)"
            )
        if isinstance(self.atoms, bool) or not isinstance(self.atoms, int) or self.atoms < 3:
            raise InvalidArgument(f"atoms={self.atoms!r}, must be an integer ≥ 3: the nodes of the stock")
        if self.representation not in (None, "lattice", "grid", "time"):
            raise InvalidArgument(
                f"representation={self.representation!r}, must be 'lattice', 'grid', 'time' or None to choose"
            )
        if self.tol is not None and not 0 < self.tol < math.inf:
            raise InvalidArgument(f"tol={self.tol}, must be positive")

    def run(self, model: StockMDP | OutcomeMDP | MDP | FiniteHorizonMDP) -> StockSolution:
        """Solve `model`; anything but a `StockMDP` is augmented first."""
        stock = model if isinstance(model, StockMDP) else stock_augmented(model)
        problem = Problem.of(stock.stages, stock.H, self.spacing)
        search = None if _plain(self.objective) else stock_outer.search_of(self.objective)
        if search is None:
            _check(self.objective, problem)
            inner = self.objective
        else:
            inner = search.inner
            if self.stocks is not None:
                raise InvalidArgument(
                    f"stocks={self.stocks}: {self.objective.name} chooses the initial stock itself; "
                    "leave stocks out"
                )
        utility = Utility.of(inner)
        name, reason = self._choose(problem, inner, search is not None and search.lattice)
        values = self._values(problem, utility, name, search is not None)
        if search is None:
            return StockSolution(self.objective, name, reason, values, stock)
        span = problem.span
        if isinstance(values, PassValues) and values.main.rational:
            span = to_fraction(span[0]), to_fraction(span[1])
        return StockSolution(
            self.objective,
            name,
            f"{reason}; {search.says}",
            values,
            stock,
            lambda s: search.run(values, span, s),
            search.moves,
        )

    # ---- representation ----------------------------------------------------------------------
    def _choose(self, problem: Problem, inner: Objective, lattice: bool) -> tuple[Representation, str]:
        """Representation and reason."""
        asked, jumps = self.representation, not inner.continuous or inner.lipschitz is None
        if lattice and problem.H is None:
            raise InvalidArgument(
                f"StockDP: {self.objective.name} needs exact stocks and a finite horizon; "
                "pass stock_augmented(model, H=...)"
            )
        if asked in ("grid", "time") and (lattice or jumps):
            raise InvalidArgument(
                f"representation={asked!r}: {inner.name} is not Lipschitz, no bound holds on a grid; "
                "use representation='lattice' with commensurable rewards and a finite horizon"
            )
        if asked == "grid":
            _check_grid(problem, inner)
        if asked == "lattice" and problem.H is not None:
            step = lattice_step(problem, self.spacing)
            if step is not None:
                _check_size(*_size(problem, step[0], self.stocks))
        if asked is not None:
            return asked, "asked for"
        if problem.H is None:
            return self._choose_infinite(problem, inner, inner is not self.objective)
        step = lattice_step(problem, self.spacing)
        if step is None:
            if lattice or jumps:
                raise InvalidArgument(
                    f"StockDP: {inner.name} is not Lipschitz and the rewards have no common spacing over "
                    f"H={problem.H} steps; write the rewards as Fractions"
                )
            return "time", "the discounted rewards have no common spacing"
        nodes, work, held = _size(problem, step[0], self.stocks)
        if lattice or jumps:
            _check_size(nodes, work, held)
        if (work > WORK or held > BYTES) and not (lattice or jumps):
            return "time", f"a lattice of spacing {float(step[0]):.3g} would need {nodes:.3g} nodes"
        return "lattice", f"all γᵗr are multiples of {step[0]}"

    def _choose_infinite(self, problem: Problem, inner: Objective, outer: bool) -> tuple[Representation, str]:
        if inner.lipschitz is None:
            raise InvalidArgument(
                f"StockDP: {inner.name} is not Lipschitz, and an infinite horizon needs it: returns far "
                "in the future must not matter; pass stock_augmented(model, H=...)"
            )
        if inner.slopes is None:
            return "time", f"{inner.name} has no slopes (a₊, a₋): no far field is known"
        if self.exact is not False and problem.is_exact and to_fraction(problem.gamma).numerator == 1:
            lo, hi = problem.span
            step = self._stationary_step(problem, outer)
            points = problem.S * (to_fraction(hi) - to_fraction(lo)) / step
            if points <= POINTS and _rational(inner.slopes):
                return (
                    "lattice",
                    f"1/γ = {1 / problem.gamma} is an integer: exact values on multiples of {step}",
                )
        return "grid", "infinite horizon, piecewise linear utility"

    def _stationary_step(self, problem: Problem, outer: bool) -> Fraction:
        """Spacing of an infinite-horizon lattice: as given, or for `atoms` levels of an outer search."""
        if self.spacing is not None:
            return decimal(self.spacing)
        step = common_step(to_fraction(r) for r in problem.stages[0].rewards)
        lo, hi = problem.span
        return step / max(1, math.ceil((self.atoms - 1) * step / (hi - lo))) if outer and hi > lo else step

    def _values(self, problem: Problem, utility: Utility, name: str, outer: bool) -> StockValues:
        if name == "lattice" and problem.H is not None:
            return lattice_values(
                problem,
                utility,
                spacing=self.spacing,
                stocks=self.stocks,
                exact=self.exact,
                progress=self.progress,
            )
        if name == "lattice":
            if utility.slopes is None:
                raise InvalidArgument(
                    "representation='lattice' over an infinite horizon needs a utility a₊x₊ + a₋x₋ "
                    "(objectives with slopes); pass a horizon, or use representation='time'"
                )
            step = self._stationary_step(problem, outer)
            return stationary_lattice(problem, utility.slopes, spacing=step, window=self.window)
        if name == "grid":
            slopes = utility.slopes
            if slopes is None:
                raise InvalidArgument("representation='grid' needs a utility a₊x₊ + a₋x₋")
            return grid_values(
                problem, slopes, atoms=self.atoms, window=self.window, tol=self.tol, progress=self.progress
            )
        return time_values(
            problem, utility, atoms=self.atoms, stocks=self.stocks, tol=self.tol, progress=self.progress
        )


# ---- refusals ------------------------------------------------------------------------------------
def _plain(objective: Objective) -> bool:
    """True for an expected utility, and for CVaR_1 and its like, which are the mean."""
    return objective.is_expected_utility


def _check(objective: Objective, problem: Problem) -> None:
    """Refuse what is no expected utility and has no search, with the condition it fails."""
    if objective.m is not None:
        raise InvalidArgument(
            f"StockDP: {objective.name} takes vectors, a stock line holds one number; "
            "use solvers.StockInduction, which carries vector stocks"
        )
    if objective.is_expected_utility:
        return
    if objective.monotone_of:
        raise InvalidArgument(
            f"StockDP: {objective.name} is an increasing function of an expected utility; solve "
            "objectives.expected_utility(objective.f) and transform its value"
        )
    found = objective.conditions(problem.gamma)
    if found.mixtures == "fails":
        raise InvalidArgument(
            f"StockDP: {objective.name} is not indifferent to mixtures: {found.mixture_witness}; "
            "optimise an expected utility, or one of objectives.cvar, quantile, variance and their like"
        )
    raise InvalidArgument(
        f"StockDP: {objective.name} has no utility f, so values alone do not determine it; "
        "use solvers.StockInduction, which carries laws"
    )


def _check_grid(problem: Problem, inner: Objective) -> None:
    if problem.H is not None:
        raise InvalidArgument(
            f"representation='grid' is for infinite horizons, the model has H={problem.H}; "
            "use 'lattice' or 'time', or stock_augmented(model) without H"
        )
    if inner.slopes is not None:
        return
    if inner.gamma_factor(problem.gamma) is None:
        witness = inner.conditions(problem.gamma).gamma_witness
        raise InvalidArgument(
            f"representation='grid': {inner.name} is not indifferent to γ={problem.gamma}"
            + (f": {witness}" if witness else "")
            + "; use representation='time', which needs no such thing"
        )
    raise InvalidArgument(
        f"representation='grid': {inner.name} is not piecewise linear a₊x₊ + a₋x₋, its far field is unknown; "
        "use representation='time'"
    )


def _size(problem: Problem, step: Fraction, stocks: tuple[Real, Real] | None) -> tuple[float, float, float]:
    """Most nodes of a step, nodes times outcomes of all steps, bytes of actions of a lattice pass."""
    lo, hi = window(problem, stocks)
    H = problem.H or 1
    first = _float((to_fraction(hi) - to_fraction(lo)) / step) + 1
    last = first + _float((to_fraction(problem.span[1]) - to_fraction(problem.span[0])) / step)
    mean = (first + last) / 2
    K = max(x.model.K for x in problem.stages)
    return last, H * mean * K, 2 * H * mean * problem.S


def _float(x: Fraction) -> float:
    return float(x) if x < 10**300 else math.inf


def _check_size(nodes: float, work: float, held: float) -> None:
    if held > BYTES:
        raise InvalidArgument(
            f"StockDP: a lattice of {nodes:.3g} nodes keeps {held / 1e9:.3g} GB of actions; use a shorter "
            "horizon, rewards with a coarser spacing, or a Lipschitz utility with representation='time'"
        )


def _rational(slopes: tuple[Any, Any]) -> bool:
    return all(isinstance(a, (int, Fraction)) for a in slopes)
