"""Printed values of stock problems: exact lattices, grids, CVaR, quantiles, variances, experiments."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import pytest

import rltheory as rl
from rltheory import StockDP, gallery, stock_augmented
from rltheory import objectives as ob
from rltheory.models.gallery import outcome_family as fm
from rltheory.solvers import StockInduction
from rltheory.solvers._stock_model import Problem
from rltheory.solvers.stock_grid import grid_values
from rltheory.solvers.stock_lattice import rational_grid
from tests.brute_stock import all_laws, cvar

HALF = F(1, 2)


def over(H: int, *q: int, gamma: Any = F(1)) -> Any:
    return stock_augmented(fm(*q, gamma=gamma), H=H)


# ---- expected utilities, finite horizon ------------------------------------------------------------
@pytest.mark.parametrize(
    ("objective", "value"),
    [(ob.shortfall(), F(-4, 15)), (ob.target(), F(-29, 48)), (ob.surplus(), F(141, 100))],
)
def test_three_steps_of_fm_3(objective: Any, value: F) -> None:
    sol = StockDP(objective).run(over(3, 3, 2, 2, 3))
    assert sol.value(0, 1) == value
    assert sol.error == 0
    assert objective(sol.law(0, 1), 1) == value


def test_laws_of_the_optimum() -> None:
    law = StockDP(ob.target()).run(over(3, 3, 2, 2, 3)).law(0, 1)
    assert dict(law) == {-3: F(2, 15), -1: F(181, 240), 2: F(9, 80)}
    law = StockDP(ob.target()).run(over(3, 3, 2, 2, 9)).law(0, 1)
    assert dict(law) == {-2: F(2, 5), -1: F(3, 5)}


def test_a_halving_discount_in_three_steps() -> None:
    m = over(3, 3, 2, 2, 4, gamma=HALF)
    assert StockDP(ob.target()).run(m).value(2, -1) == 0
    assert StockDP(ob.negative_square()).run(m).value(2, -1) == 0


@pytest.mark.parametrize(
    ("objective", "stock", "value"),
    [
        (ob.mean(), 0, F(849, 400)),
        (ob.target(), 1, F(-2, 5)),
        (ob.mixed_risk(2, 1), -1, F(341, 400)),
        (ob.mixed_risk(3, 1), -1, F(233, 400)),
        (ob.mixed_risk(1, 2), -1, F(203, 80)),
    ],
)
def test_applications_on_fm_9(objective: Any, stock: int, value: F) -> None:
    assert StockDP(objective).run(over(3, 3, 2, 2, 9)).value(0, stock) == value


@pytest.mark.parametrize("q", range(12))
def test_the_lattice_is_backward_induction_over_reachable_stocks(q: int) -> None:
    """Same values, same laws (ties to the lowest action in both), up to H = 4 and in a discount."""
    for gamma, H in ((F(1), 4), (HALF, 3)):
        m = stock_augmented(fm(3, 2, 2, q, gamma=gamma), H=H)
        for o in (ob.shortfall(), ob.target(), ob.success(), ob.negative_square()):
            lattice, tree = StockDP(o).run(m), StockInduction(o).run(m)
            for s in range(3):
                for c in (-1, 0, F(1, 3), 2):
                    assert lattice.value(s, c) == tree.value(s, c)
                    assert lattice.law(s, c) == tree.law(s, c)
        tree_values = StockInduction(ob.shortfall()).run(m)
        best = StockDP(rl.cvar(F(2, 5))).run(m)
        for s in range(3):
            b = -best.start(s)
            assert best.value(s) == b + tree_values.value(s, -b) * F(5, 2)


# ---- infinite horizon ------------------------------------------------------------------------------
TABLES = {
    "shortfall": [
        ["-131/87", "-719/870", "-371/870", "-17/174", "0"],
        ["-85/29", "-56/29", "-27/29", "-641/2320", "0"],
        ["-371/174", "-197/174", "-85/174", "-9/58", "0"],
    ],
    "target": [
        ["-131/87", "-392783/426300", "-1319/2175", "-191579/213150", "-1499/2030"],
        ["-85/29", "-56/29", "-27/29", "-997/2900", "-4497/14210"],
        ["-371/174", "-197/174", "-12661/21315", "-103/290", "-531/1450"],
    ],
    "surplus": [
        ["0", "93/290", "267/290", "277/174", "217/87"],
        ["0", "0", "0", "801/2320", "31/29"],
        ["0", "0", "31/87", "89/87", "325/174"],
    ],
}


@pytest.mark.parametrize("name", list(TABLES))
def test_exact_values_of_an_infinite_horizon(name: str) -> None:
    sol = StockDP(getattr(ob, name)()).run(stock_augmented(fm(3, 2, 2, 3, gamma=HALF)))
    assert sol.representation == "lattice"
    assert [[str(sol.value(s, c)) for c in range(-2, 3)] for s in range(3)] == TABLES[name]
    grid = StockDP(getattr(ob, name)(), representation="grid", atoms=9, tol=1e-15).run(
        stock_augmented(fm(3, 2, 2, 3, gamma=HALF))
    )
    for s in range(3):
        for c in range(-2, 3):
            assert abs(grid.value(s, c) - sol.value(s, c)) <= 1e-14
            assert sol.value(s, c) in grid.enclosure(s, c)
    assert grid.inner.errors.discretisation == 0  # the grid holds the lattice


def test_the_interpolated_problem_in_rationals() -> None:
    problem = Problem.of(fm(3, 2, 2, 3, gamma=HALF), None)
    exact = rational_grid(problem, (F(-1), F(1)), cells=6, window=(F(-4), F(4)))
    values = [F(-58931609, 97056330), F(-15791271, 16176055), F(-936540329, 1572312546)]
    assert [exact.read(s, 0).value for s in range(3)] == values
    grid = grid_values(problem, (-1, 1), atoms=7, window=(-4, 4), tol=1e-15)
    for s in range(3):
        assert abs(grid.read(s, 0).value - values[s]) <= 1e-14
    assert grid.a_priori == pytest.approx(0.3849, abs=5e-5)
    assert grid.errors.discretisation <= grid.a_priori


def test_the_policy_reacts_to_rounding_noise() -> None:
    """For concave f the interpolated value may exceed V*: FM(3,2,2,1), δ = 4/3, x₋, s = 1, c = −4/3."""
    problem = Problem.of(fm(3, 2, 2, 1, gamma=HALF), None)
    grid = rational_grid(problem, (F(0), F(1)), cells=6, window=(F(-4), F(4)))
    exact = StockDP(ob.shortfall()).run(stock_augmented(fm(3, 2, 2, 1, gamma=HALF)))
    v = grid.read(1, F(-4, 3)).value
    assert v == F(-751, 1500)
    assert v - exact.value(1, F(-4, 3)) == F(61, 6000)


# ---- tight cases -----------------------------------------------------------------------------------
def test_the_grid_bound_is_attained() -> None:
    rows = [[[(1, 1, F(1, 4))]], [[(1, 2, F(-1, 2))]], [[(1, 2, 0)]]]
    m = stock_augmented(rl.OutcomeMDP.from_lists(rows, HALF))
    sol = StockDP(ob.target(), representation="grid", window=(-4, 4), atoms=9, tol=1e-15).run(m)
    assert sol.value(0, 0) == pytest.approx(-0.25, abs=1e-14)
    assert StockDP(ob.target()).run(m).value(0, 0) == 0
    assert sol.inner.a_priori == pytest.approx(0.288675, abs=1e-6)
    assert 0 in sol.enclosure(0, 0)
    assert sol.enclosure(0, 0).upper == pytest.approx(0, abs=1e-8)


def test_the_time_bound_is_attained_in_two_steps() -> None:
    """γ = 1, H = 2, first reward δ/2, f = −|x| with its kink in the middle of a cell."""
    rows = [[[(1, 1, F(1, 2))]], [[(1, 1, 0)]]]
    m = stock_augmented(rl.OutcomeMDP.from_lists(rows, F(1)), H=2)
    sol = StockDP(ob.target(), representation="time", atoms=2 + 2, stocks=(-0.5, 1.5)).run(m)
    delta = 1.0
    assert sol.value(0, -0.5) == pytest.approx(-delta / 2, abs=1e-12)
    assert sol.inner.errors.discretisation == pytest.approx(delta / 2, rel=1e-9)
    assert StockDP(ob.target()).run(m).value(0, -0.5) == 0


def test_the_tail_bound_is_attained() -> None:
    rows = [[[(1, 0, 1)]], [[(1, 1, -2)]]]
    m = stock_augmented(rl.OutcomeMDP.from_lists(rows, F(9, 10)))
    line = ob.expected_utility(lambda x: x, lipschitz=1)
    sol = StockDP(line, atoms=51).run(m)
    assert sol.representation == "time"
    tail = sol.inner.errors.tail
    assert sol.value(0, 0) == pytest.approx(10 - tail, abs=1e-9)
    assert sol.value(1, 0) == pytest.approx(-20 + tail, abs=1e-9)


# ---- CVaR and its like -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("tau", "value", "b"), [(F(1, 4), F(0), 0), (HALF, F(169, 200), 2), (F(3, 4), F(449, 300), 4)]
)
def test_cvar_on_fm_9(tau: F, value: F, b: int) -> None:
    sol = StockDP(rl.cvar(tau)).run(over(3, 3, 2, 2, 9))
    assert sol.value(0) == value == sol.law(0).cvar(tau)
    assert sol.start(0) == -b
    assert max(cvar(law, tau) for law in all_laws(fm(3, 2, 2, 9), 0, 3)) == value


@pytest.mark.parametrize(
    ("tau", "value"), [(F(1, 10), F(-3, 4)), (F(1, 4), F(0)), (HALF, HALF), (F(3, 4), F(7, 6))]
)
def test_cvar_with_a_discount(tau: F, value: F) -> None:
    assert StockDP(rl.cvar(tau)).run(over(2, 3, 2, 2, 5, gamma=HALF)).value(2) == value


@pytest.mark.parametrize(
    ("tau", "k", "lower", "b", "upper"),
    [
        (HALF, 8, F(403, 2900), HALF, 0.1936207),
        (HALF, 64, F(10336359, 74240000), F(33, 64), 0.1469097),
        (F(1, 4), 64, F(49537, 3712000), F(1, 16), 0.0246921),
    ],
)
def test_cvar_of_an_infinite_horizon(tau: F, k: int, lower: F, b: F, upper: float) -> None:
    m = stock_augmented(fm(3, 2, 2, 9, gamma=HALF))
    sol = StockDP(rl.cvar(tau), spacing=F(1, k)).run(m)
    found = sol.enclosure(0)
    assert (found.lower, sol.start(0)) == (lower, -b)
    assert float(found.upper) == pytest.approx(upper, abs=5e-8)
    grid = StockDP(rl.cvar(float(tau)), representation="grid", atoms=801).run(m).enclosure(0)
    assert grid.lower <= found.upper
    assert grid.upper >= found.lower


def test_the_cvar_enclosure_is_tight_for_a_sure_return() -> None:
    """A return at fraction 1 − τ of its cell: the best b loses (1−τ)ε, the upper side is exact."""
    tau, eps = F(1, 4), F(1)
    g = 2 + (1 - tau) * eps
    m = stock_augmented(rl.OutcomeMDP.from_lists([[[(1, 1, g)], [(1, 1, 0)]], [[(1, 1, 4)]]], HALF))
    sol = StockDP(rl.cvar(tau), spacing=eps).run(m)
    sure = g + HALF * 8
    found = sol.enclosure(0)
    assert found.upper == sure
    assert found.lower == sure - (1 - tau) * eps


def test_optimistic_cvar_needs_a_coin() -> None:
    rows = [[[(1, 1, 1)], [(F(3, 10), 1, 3), (F(7, 10), 1, 0)]], []]
    m = stock_augmented(rl.OutcomeMDP.from_lists(rows, F(1), terminal=[1]), H=1)
    sol = StockDP(ob.optimistic_cvar(HALF)).run(m)
    assert sol.value(0) == F(13, 7) == sol.law(0).upper_cvar(HALF)
    assert sorted(w for w, _ in sol.starts(0)) == [F(2, 7), F(5, 7)]
    sol = StockDP(ob.optimistic_cvar(HALF)).run(over(2, 3, 2, 2, 3))
    assert sol.value(0) == F(17, 15) == sol.law(0).upper_cvar(HALF)
    assert sorted(w for w, _ in sol.starts(0)) == [F(2, 9), F(7, 9)]


def test_optimistic_cvar_never_below_what_sure_policies_reach() -> None:
    """The randomised optimum dominates every deterministic law, on 216 problems; a coin helps in 22."""
    helped = 0
    for q in range(12):
        for gamma in (HALF, F(1)):
            model = fm(3, 2, 2, q, gamma=gamma)
            for tau in (F(1, 4), HALF, F(3, 4)):
                sol = StockDP(ob.optimistic_cvar(tau)).run(stock_augmented(model, H=2))
                for s in range(3):
                    sure = max(
                        -cvar(frozenset((-y, p) for y, p in law), tau) for law in all_laws(model, s, 2)
                    )
                    value = sol.value(s)
                    assert value == sol.law(s).upper_cvar(tau)
                    assert value >= sure
                    helped += value > sure
    assert helped == 22


def test_quantile_variance_and_their_like() -> None:
    m = over(3, 3, 2, 2, 1)
    third = F(1, 3)
    assert StockDP(ob.quantile(HALF)).run(m).value(1) == 3
    assert StockDP(ob.variance()).run(m).value(1) == F(-12051, 10000)
    assert StockDP(ob.mean_variance(third)).run(m).value(1) == F(1684, 1875)
    sol = StockDP(ob.mean_std(third)).run(m)
    assert sol.value(1) == pytest.approx(1.1694882742, abs=5e-11)
    assert sol.law(1).mean - sol.law(1).std / 3 in sol.enclosure(1)


@pytest.mark.parametrize("q", [0, 2, 5, 7])
@pytest.mark.parametrize("gamma", [F(1), HALF])
def test_outer_searches_against_all_policies(q: int, gamma: F) -> None:
    model = fm(3, 2, 2, q, gamma=gamma)
    m = stock_augmented(model, H=3)
    lam = F(2, 3)
    objectives = [
        ob.quantile(F(1, 3)),
        ob.variance(),
        ob.mean_variance(lam),
        ob.mean_std(lam),
        rl.cvar(F(2, 5)),
    ]
    solutions = [StockDP(o).run(m) for o in objectives]
    for s in range(3):
        laws = [rl.ReturnLaw.from_pairs(law) for law in all_laws(model, s, 3)]
        for o, sol in zip(objectives, solutions, strict=True):
            want = max(o(law) for law in laws)
            if isinstance(want, F):
                assert sol.value(s) == want == o(sol.law(s))
            else:
                assert sol.value(s) == pytest.approx(want, rel=1e-12)
                assert sol.enclosure(s).lower <= want <= sol.enclosure(s).upper


# ---- experiments -----------------------------------------------------------------------------------
def test_the_gamblers_chain() -> None:
    m = stock_augmented(gallery.gambler_chain(), H=6)
    best = {F(1, 4): F(0), HALF: F(73, 128), F(3, 4): F(963, 512), F(9, 10): F(58049, 18432), F(1): F(9, 2)}
    laws = {}
    for tau, value in best.items():
        sol = StockDP(rl.cvar(tau)).run(m)
        laws[tau] = sol.law(0)
        assert sol.value(0) == value
    for tau, value in best.items():  # the diagonal dominates
        assert all(law.cvar(tau) <= value for law in laws.values())
    sol = StockDP(ob.target()).run(m)
    goals = {0: F(0), 1: F(-121, 128), 2: F(-211, 256), 3: F(-785, 512), 5: F(-1321, 512), 8: F(-9519, 2048)}
    for g, value in goals.items():
        assert sol.value(0, -g) == value == -rl.ReturnLaw.wasserstein(sol.law(0, -g), rl.ReturnLaw.dirac(g))
    assert sol.value(0, 3) == -3


@pytest.mark.parametrize("gamma", [F(1), 1.0])
def test_the_slippery_grid(gamma: Any) -> None:
    m = stock_augmented(gallery.slippery_grid(gamma), H=8)
    assert float(StockDP(ob.mean()).run(m).value(0)) == pytest.approx(-1.47691835, abs=1e-12)
    for tau, value in (("1/10", -8), ("1/2", -4.6173887), ("3/4", -2.6358911333)):
        sol = StockDP(rl.cvar(F(tau))).run(m)
        assert float(sol.value(0)) == pytest.approx(value, abs=1e-10)
        assert float(sol.law(0).cvar(F(tau))) == pytest.approx(value, abs=1e-10)
    sol = StockDP(ob.target()).run(m)
    goals = {-12: -1.02052705, -8: 0, -4: -2.71821487, 0: -3.12179003, 2: -3.47691835}
    for g, value in goals.items():
        assert float(sol.value(0, -g)) == pytest.approx(value, abs=1e-12)
