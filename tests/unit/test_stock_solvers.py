"""StockDP: which representation and why, what is refused and how, policies, laws, pictures, progress."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory import ReturnLaw, StockDP, gallery, stock_augmented
from rltheory import objectives as ob
from rltheory.errors import InvalidArgument, NotConverged
from rltheory.models import FiniteHorizonMDP, OutcomeMDP
from rltheory.models.gallery import outcome_family as fm
from rltheory.models.stock import StockMDP
from rltheory.results.solution import Status
from rltheory.solvers import _stock_rational
from rltheory.solvers._progress import Progress
from rltheory.solvers._stock_model import Problem, common_step, lattice_step, snapped
from rltheory.solvers.stock_grid import grid_values
from tests.brute_stock import all_laws, best, played

HALF = F(1, 2)
KINK = ob.expected_utility(lambda x: min(x, 1), name="min(x, 1)", lipschitz=1)


def infinite(gamma: Any = HALF, q: int = 3) -> Any:
    return stock_augmented(fm(3, 2, 2, q, gamma=gamma))


def horizon(H: int = 3, gamma: Any = F(1), q: int = 3) -> Any:
    return stock_augmented(fm(3, 2, 2, q, gamma=gamma), H=H)


# ---- the choice ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "objective", "name", "why"),
    [
        (horizon(), ob.target(), "lattice", "multiples of 1"),
        (horizon(gamma=HALF), KINK, "lattice", "multiples of 1/4"),
        (horizon(gamma=1.0), ob.target(), "lattice", "multiples of 1"),
        (horizon(40, gamma=F(7, 10)), ob.target(), "time", "would need"),
        (horizon(4, gamma=math.pi / 4), ob.target(), "time", "no common spacing"),
        (infinite(), ob.target(), "lattice", "1/γ = 2 is an integer"),
        (infinite(0.5), ob.target(), "grid", "piecewise linear"),
        (infinite(F(9, 10)), ob.target(), "grid", "piecewise linear"),
        (infinite(), KINK, "time", "no slopes"),
        (infinite(F(9, 10)), rl.cvar(0.1), "grid", "best level b"),
        (horizon(), ob.optimistic_cvar(HALF), "lattice", "cutting planes"),
        (horizon(), ob.mean_std(1), "lattice", "hull of mean and second moment"),
    ],
)
def test_the_representation_and_the_reason(model: Any, objective: Any, name: str, why: str) -> None:
    sol = rl.solve(model, StockDP(objective, atoms=51))
    assert sol.representation == name
    assert why in sol.reason
    assert sol.reason in repr(sol)
    assert f"error {sol.bound}" in repr(sol)
    assert sol.status is (Status.EXACT if sol.inner.errors.total == 0 else Status.SOLVED)
    assert sol.raise_if_failed() is sol


def test_a_fine_outer_search_leaves_the_exact_lattice() -> None:
    sol = StockDP(rl.cvar(HALF), atoms=20_001).run(infinite())
    assert sol.representation == "grid"
    assert StockDP(rl.cvar(HALF), atoms=2_001).run(infinite()).representation == "lattice"


def test_the_snippet_of_the_style_guide() -> None:
    mdp = gallery.river_swim(S=4, gamma=0.9)
    law = rl.solve(rl.stock_augmented(mdp), rl.StockDP(objective=rl.cvar(0.1), atoms=201)).law(s=0, stock=0.0)
    assert isinstance(law, ReturnLaw)
    assert law.error < 0.1
    sol = rl.StockDP(rl.cvar(0.1)).run(mdp)  # augmented on the way
    assert sol.law(0) == law
    found = sol.enclosure(0)
    assert found.lower <= law.cvar(0.1) + law.error / 0.1
    assert law.cvar(0.1) - law.error / 0.1 <= found.upper


def test_atoms_and_tol_rule_the_error() -> None:
    m = infinite(F(4, 5))
    errors = [StockDP(ob.target(), atoms=n).run(m).error for n in (51, 101, 201)]
    assert errors[0] > 1.9 * errors[1] > 3.6 * errors[2]
    sol = StockDP(KINK, tol=0.05).run(m)
    assert 0.01 < sol.inner.errors.discretisation + sol.inner.errors.tail <= 0.05


def test_one_cell_less_noise_where_rewards_meet_the_grid() -> None:
    """γ = ½ and δ = 1: every node lands on a node, nothing is interpolated; δ = 0.9 is not so lucky."""
    problem = Problem.of(fm(3, 2, 2, 3, gamma=0.5), None)
    assert grid_values(problem, (-1, 1), atoms=9, window=(-4, 4)).errors.discretisation == 0
    assert grid_values(problem, (-1, 1), atoms=10, window=(-4, 4)).errors.discretisation > 0.1


@pytest.mark.parametrize("tol", [1.0, 0.3, 0.03])
def test_an_unfinished_iteration_is_counted(tol: float) -> None:
    """On an aligned grid only the residual is left of the bound; it holds, and nothing less would."""
    exact = StockDP(ob.target()).run(infinite())
    grid = StockDP(ob.target(), representation="grid", window=(-4, 4), atoms=9, tol=tol).run(infinite())
    assert 0 < grid.inner.errors.residual <= tol
    used = 0.0
    for s in range(3):
        for c in range(-3, 4):
            assert exact.value(s, c) in grid.enclosure(s, c)
            used = max(used, abs(float(exact.value(s, c)) - grid.value(s, c)))
    assert used > 100 * grid.inner.errors.rounding


def test_a_stock_between_two_nodes_is_served() -> None:
    exact = StockDP(ob.target()).run(infinite())
    grid = StockDP(ob.target(), representation="grid", atoms=41).run(infinite())
    time = StockDP(ob.target(), representation="time", atoms=41).run(infinite())
    for c in (0.123, F(1, 7), -3.3, 100, -100):
        assert exact.error == 0
        for sol in (grid, time):
            assert exact.value(1, c) in sol.enclosure(1, c)
    lattice = StockDP(ob.target(), stocks=(0, 1)).run(horizon())
    assert lattice.stocks.tolist() == [0, 1]
    for c in (F(1, 3), -7, 0.1, 55):
        want = best(fm(3, 2, 2, 3), 0, 3, lambda x: -abs(x), F(str(c)))
        assert lattice.value(0, c) == want
    assert lattice.value(0, 0.1) == lattice.value(0, F(1, 10))  # a double is the decimal it prints as


# ---- policies and laws -----------------------------------------------------------------------------
@pytest.mark.parametrize("q", [1, 4])
def test_the_policy_of_an_infinite_lattice_earns_its_value(q: int) -> None:
    model = fm(3, 2, 2, q, gamma=HALF)
    sol = StockDP(ob.target()).run(stock_augmented(model))
    H = 8
    law = played(model, lambda s, c, t: sol.policy(s, c, t), 0, F(1, 3), H)
    got = sum(p * -abs(F(1, 3) + g) for g, p in law.items())
    assert abs(got - sol.value(0, F(1, 3))) <= F(4) * HALF**H
    assert sol.law(0, F(1, 3)).enclose(lambda x: ob.target()(x, F(1, 3))).lower <= sol.value(0, F(1, 3))


def test_laws_on_grids_are_within_their_error() -> None:
    """One action: the law is that of the chain, known by enumeration up to a tail."""
    model = fm(3, 1, 2, 3, gamma=HALF)
    (law,) = all_laws(model, 0, 7)
    true = ReturnLaw.from_pairs(law)
    tail = F(4) * HALF**7
    for name, atoms in (("lattice", 201), ("grid", 21), ("time", 21), ("time", 201)):
        found = (
            StockDP(ob.target(), representation=name, atoms=atoms).run(stock_augmented(model)).law(0, F(1, 9))
        )
        assert found.wasserstein(true) <= found.error + float(tail)
        assert found.error <= (2 if atoms == 21 else 0.2)
    finite = StockDP(ob.target(), representation="time", atoms=9).run(stock_augmented(model, H=7)).law(0, 0.3)
    assert finite.wasserstein(true) <= finite.error


def test_a_grid_policy_in_use() -> None:
    model = fm(3, 2, 2, 5, gamma=F(4, 5))
    for name in ("grid", "time"):
        sol = StockDP(ob.target(), representation=name, atoms=401).run(stock_augmented(model))
        law = played(model, lambda s, c, t, sol=sol: sol.policy(s, c, t), 2, 1, 7)
        got = float(sum(p * -abs(1 + g) for g, p in law.items()))
        assert got <= sol.enclosure(2, 1).upper + 20 * 0.8**7
        assert got >= sol.value(2, 1) - 0.05 - 20 * 0.8**7
        far = sol.policy(0, 1000.0, 0)  # far right: whatever has the smallest mean
        assert far == int(rl.solve(model.to_mdp().replace(R=-model.to_mdp().R_pairs)).pi.actions[0])


def test_actions_are_ids_not_positions() -> None:
    rows = [{3: [(1, 0, 1)], 7: [(1, 0, -1)]}]
    for m in (
        stock_augmented(OutcomeMDP.from_lists(rows, F(1)), H=2),
        stock_augmented(OutcomeMDP.from_lists(rows, HALF)),
        stock_augmented(OutcomeMDP.from_lists(rows, 0.7)),
    ):
        sol = StockDP(ob.target()).run(m)
        assert [sol.policy(0, c) for c in (-2, 2, -50, 50)] == [3, 7, 3, 7]


def test_outer_starts_and_shifts() -> None:
    sol = StockDP(rl.cvar(HALF)).run(horizon(q=9))
    assert sol.value(0, 5) == 5 + sol.value(0)
    assert sol.start(0, 5) == sol.start(0) == -2
    assert sol.enclosure(0, 5).lower == 5 + sol.value(0)
    var = StockDP(ob.variance()).run(horizon(q=1))
    assert var.value(1, 5) == var.value(1)
    plain = StockDP(ob.target()).run(horizon())
    assert plain.starts(0, 2) == ((1, 2),)


def test_a_quantile_that_rounding_cannot_decide_is_enclosed() -> None:
    """A fair ±1: the median is −1, but P(G ≥ 1) = ½ up to rounding leaves 1 open."""
    coin = [[[(0.5, 0, 1.0), (0.5, 0, -1.0)]]]
    sol = StockDP(ob.quantile(0.5)).run(stock_augmented(OutcomeMDP.from_lists(coin, 1.0), H=1))
    assert (sol.value(0), sol.enclosure(0).lower, sol.enclosure(0).upper) == (-1, -1, 1)
    exact = [[[(HALF, 0, 1), (HALF, 0, -1)]]]
    sol = StockDP(ob.quantile(HALF)).run(stock_augmented(OutcomeMDP.from_lists(exact, F(1)), H=1))
    assert (sol.value(0), sol.error) == (-1, 0)


def test_steps_may_differ_and_a_terminal_reward_is_paid() -> None:
    first = OutcomeMDP.from_lists([[[(HALF, 0, 1), (HALF, 0, -1)]]], F(1))
    second = OutcomeMDP.from_lists([[[(1, 0, 1)], [(1, 0, -1)], [(1, 0, 0)]]], F(1))
    m = StockMDP([first, second])
    sol = StockDP(ob.target()).run(m)
    assert sol.value(0, 0) == 0
    assert [sol.policy(0, c, 1) for c in (-1, 0, 1)] == [0, 2, 1]
    P, R = [[[F(1)]]], [[F(1)]]
    paid = FiniteHorizonMDP(P, R, H=2, terminal_reward=[F(5)])
    assert StockDP(ob.mean()).run(paid).value(0) == 7
    assert dict(StockDP(ob.mean()).run(paid).law(0)) == {7: 1}


def test_nothing_to_gain() -> None:
    """All rewards equal: windows are points."""
    for gamma in (HALF, 0.9):
        m = stock_augmented(OutcomeMDP.from_lists([[[(1, 0, 0)]]], gamma))
        sol = StockDP(ob.target()).run(m)
        assert float(sol.value(0, -2)) == pytest.approx(-2, abs=1e-12)
        assert float(StockDP(rl.cvar(HALF)).run(m).value(0)) == pytest.approx(0, abs=1e-12)
        ones = stock_augmented(OutcomeMDP.from_lists([[[(1, 0, 1)]]], gamma))
        total = 1 / (1 - float(gamma))
        assert float(StockDP(ob.target()).run(ones).value(0, -1)) == pytest.approx(1 - total, abs=1e-9)
        law = StockDP(ob.target()).run(ones).law(0)
        assert float(law.mean) == pytest.approx(total, abs=1e-6)


# ---- inside -----------------------------------------------------------------------------------------
def test_the_noise_bound_is_the_largest_squared_noise_from_above() -> None:
    """N solves N = max_a γ²Σp[w(1−w)δ² + N(s', c')]: iterated from 0 here, from above there."""
    model, g = fm(3, 2, 2, 5, gamma=0.8), 0.8
    grid = grid_values(Problem.of(model, None), (-1, 1), atoms=30)
    nodes, N = grid.nodes(), np.zeros((3, 30))
    for _ in range(300):
        new = np.zeros((3, 2, 30))
        for s in range(3):
            for a in range(2):
                for p, t, r in model.outcomes(s, a):
                    c = (nodes + r) / g
                    w = (c - nodes[0]) / grid.delta % 1
                    inside = (c > nodes[0]) & (c < nodes[-1])
                    cell = w * (1 - w) * grid.delta**2
                    new[s, a] += g * g * p * np.where(inside, cell + np.interp(c, nodes, N[t]), 0)
        N = new.max(1)
    assert (grid.noise >= N - 1e-12).all()  # weights within rounding of a node count as that node
    assert grid.noise.max() <= 1.02 * N.max()
    assert math.sqrt(grid.noise.max()) <= grid.a_priori


def test_policy_iteration_repairs_a_bad_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    want = StockDP(ob.target()).run(infinite(q=7))
    monkeypatch.setattr(_stock_rational.Rows, "float_policy", lambda self: list(self.ptr[:-1]))
    again = StockDP(ob.target()).run(infinite(q=7))
    assert (again.V == want.V).all()
    assert [again.policy(0, c) for c in range(-3, 4)] == [want.policy(0, c) for c in range(-3, 4)]


# ---- refusals --------------------------------------------------------------------------------------
COIN = OutcomeMDP.from_lists([[[(HALF, 0, 1), (HALF, 0, -1)]]], HALF)
ODD = OutcomeMDP.from_lists([[[(0.5, 0, math.sqrt(2)), (0.5, 0, math.pi)]]], 1.0)
REFUSALS: dict[str, tuple[Any, str]] = {
    "no objective": (lambda: StockDP(lambda x: x), "objectives.expected_utility"),  # type: ignore[arg-type]
    "few atoms": (lambda: StockDP(ob.target(), atoms=2), "atoms=2, must be an integer ≥ 3"),
    "unknown": (lambda: StockDP(ob.target(), representation="list"), "representation='list'"),  # type: ignore[arg-type]
    "tol": (lambda: StockDP(ob.target(), tol=0.0), "tol=0.0, must be positive"),
    "tau": (lambda: rl.cvar(1.5), "must be in (0, 1]"),
    "grid does not cover": (
        lambda: StockDP(ob.target(), representation="grid", window=(-1, 4)).run(infinite()),
        "does not cover",
    ),
    "incommensurable": (
        lambda: StockDP(ob.target(), representation="lattice").run(stock_augmented(ODD, H=3)),
        "no common spacing",
    ),
    "jump among incommensurable": (
        lambda: StockDP(ob.success()).run(stock_augmented(ODD, H=3)),
        "not Lipschitz and the rewards have no common spacing",
    ),
    "too many nodes": (
        lambda: StockDP(ob.success()).run(stock_augmented(fm(3, 2, 2, 3, gamma=F(7, 10)), H=40)),
        "use a shorter horizon",
    ),
    "spacing": (
        lambda: StockDP(ob.target(), spacing=F(2, 3)).run(horizon()),
        "is no multiple of it",
    ),
    "jump on a grid": (
        lambda: StockDP(ob.success(), representation="time").run(horizon()),
        "no bound holds on a grid",
    ),
    "jump for ever": (
        lambda: StockDP(ob.success()).run(infinite()),
        "not Lipschitz, and an infinite horizon",
    ),
    "quantile for ever": (lambda: StockDP(ob.quantile(HALF)).run(infinite()), "finite horizon"),
    "variance on a grid": (
        lambda: StockDP(ob.variance(), representation="time").run(horizon()),
        "representation='lattice'",
    ),
    "lattice for ever": (
        lambda: StockDP(ob.target(), representation="lattice").run(infinite(F(2, 3))),
        "1/γ an integer",
    ),
    "curved lattice for ever": (
        lambda: StockDP(KINK, representation="lattice").run(infinite()),
        "utility a₊x₊ + a₋x₋",
    ),
    "grid with a horizon": (
        lambda: StockDP(ob.target(), representation="grid").run(horizon()),
        "is for infinite horizons",
    ),
    "grid, γ": (
        lambda: StockDP(KINK, representation="grid").run(infinite()),
        "not indifferent to γ=1/2",
    ),
    "mixtures": (
        lambda: StockDP(ob.functional(lambda law: law.quantile(HALF), name="median")).run(horizon()),
        "median is not indifferent to mixtures",
    ),
    "laws": (
        lambda: StockDP(ob.lexicographic(ob.mean(), ob.shortfall())).run(horizon()),
        "solvers.StockInduction",
    ),
    "entropic": (
        lambda: StockDP(ob.entropic(1)).run(horizon()),
        "increasing function of an expected utility",
    ),
    "vectors": (lambda: StockDP(ob.homeostasis()).run(horizon()), "solvers.StockInduction"),
    "vector rewards": (
        lambda: StockDP(ob.target()).run(stock_augmented(gallery.homeostasis(), H=2)),
        "vectors of m=2",
    ),
    "stocks of an outer search": (
        lambda: StockDP(rl.cvar(HALF), stocks=(0, 1)).run(horizon()),
        "chooses the initial stock itself",
    ),
    "stocks": (lambda: StockDP(ob.target(), stocks=(1, 0)).run(horizon()), "(lowest, highest)"),
    "exact doubles": (
        lambda: StockDP(ob.target(), exact=True).run(horizon(gamma=1.0)),
        "pass model.exact()",
    ),
    "exact transcendental": (
        lambda: StockDP(ob.expected_utility(lambda x: math.atan(x), lipschitz=1), exact=True).run(horizon()),
        "leaves the rationals",
    ),
    "state": (lambda: StockDP(ob.target()).run(horizon()).value(3), "states are 0..2"),
    "step": (lambda: StockDP(ob.target()).run(horizon()).policy(0, 0, 3), "steps are 0..2"),
}


@pytest.mark.parametrize("name", list(REFUSALS))
def test_refusals_name_the_remedy(name: str) -> None:
    call, text = REFUSALS[name]
    with pytest.raises(InvalidArgument) as caught:
        call()
    assert text in str(caught.value)
    assert len(str(caught.value)) < 600


def test_undiscounted_for_ever_is_refused() -> None:
    with pytest.raises(ValueError, match="gamma=1"):
        StockDP(ob.target()).run(fm(3, 2, 2, 3))
    with pytest.raises(InvalidArgument, match="gamma=1"):
        Problem.of(fm(3, 2, 2, 3), None)


def test_too_few_sweeps_is_no_solution() -> None:
    problem = Problem.of(fm(3, 2, 2, 3, gamma=0.9), None)
    with pytest.raises(NotConverged, match="raise max_iter or tol"):
        grid_values(problem, (-1, 1), atoms=21, max_iter=3)


# ---- parts -----------------------------------------------------------------------------------------
def test_spacing_of_rewards() -> None:
    assert common_step([F(1, 2), F(-1, 3), F(0)]) == F(1, 6)
    assert common_step([F(0)]) == 1
    assert common_step([F(4), F(-6)]) == 2
    assert snapped(0.1 + 0.2, 1.0) == F(3, 10)
    assert snapped(1 / 3, 1.0) == F(1, 3)
    assert snapped(1e-12, 1e-12) != 0
    assert snapped(math.pi, 1.0) == F(math.pi)
    assert snapped(0.00123, 1.0) == F(123, 100_000)
    step, moved = lattice_step(Problem.of(fm(3, 2, 2, 3, gamma=HALF), 3)) or (0, 0)
    assert (step, moved) == (F(1, 4), 0)
    model = OutcomeMDP.from_lists([[[(1.0, 0, 0.1 + 0.2)]]], 1.0)
    step, moved = lattice_step(Problem.of(model, 3)) or (0, 1)
    assert step == F(3, 10)
    assert 0 < moved < 1e-15


def test_moved_rewards_are_counted() -> None:
    """Rewards 1 + 1e−10 are moved to 1 when told δ = 1; the enclosure still holds the true total."""
    model = OutcomeMDP.from_lists([[[(1.0, 0, 1 + 1e-10)]]], 1.0)
    assert StockDP(ob.mean()).run(stock_augmented(model, H=5)).representation == "time"
    sol = StockDP(ob.mean(), spacing=1).run(stock_augmented(model, H=5))
    assert sol.representation == "lattice"
    square = StockDP(ob.negative_square(), spacing=1).run(stock_augmented(model, H=5))
    assert -((5 * F(1 + 1e-10)) ** 2) in square.enclosure(0)
    assert 5 * F(1 + 1e-10) in sol.enclosure(0)
    assert sol.error >= 4.9e-10
    assert abs(float(sol.law(0).mean) - 5) <= sol.law(0).error


def test_plot_and_tables() -> None:
    sol = StockDP(ob.target(), representation="time", atoms=21).run(horizon())
    ax = sol.plot()
    assert len(ax.get_lines()) == 3
    assert len(ax.collections) == 3  # bands
    assert len(sol.plot(0).get_lines()) == 1
    frame = sol.to_dataframe()
    assert len(frame) == 3 * sol.stocks.size
    assert (frame.upper - frame.lower > 0).all()
    assert "<table>" in sol._repr_html_()
    exact = StockDP(ob.target()).run(horizon()).to_dataframe()
    assert (exact.lower == exact.V).all()


def test_progress_is_shown_when_asked_for(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(Progress, "PATIENCE", 0.0)
    StockDP(ob.target(), progress=False).run(horizon(gamma=1.0))
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress(10, "stock lattice", True) as bar:
        bar.advance(4)
        assert bar.bar.tasks[0].completed == 4
    seen = []
    monkeypatch.setattr(Progress, "advance", lambda self, n=1, text=None: seen.append(n))
    StockDP(ob.target(), exact=False).run(horizon())
    assert len(seen) == 3
    StockDP(ob.target(), atoms=11).run(infinite(0.9))
    assert len(seen) > 3


def test_results_are_read_only_values() -> None:
    sol = StockDP(ob.target()).run(horizon())
    with pytest.raises(AttributeError):
        sol.reason = ""  # type: ignore[misc]
    assert np.asarray(sol.V).shape == (3, sol.stocks.size)
