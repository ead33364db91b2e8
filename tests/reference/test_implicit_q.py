"""Public reference values of implicit Q-learning: laws, the three-state model, gadgets, the U-maze.

The numbers were computed independently of this library (value iteration and scripts in doubles and
rationals) and are given to all digits known.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import rltheory as rl
from proofs_check.kostrikov2021 import experiments, gadgets
from proofs_check.kostrikov2021.lets import Offline, three_states, two_loops
from rltheory.operators import one_level_bellman
from rltheory.solvers import ImplicitQIteration, awr, awr_value

F = Fraction


@pytest.mark.parametrize(
    ("tau", "value"),
    [
        (F(1, 10), F(-1, 4)),
        (F(1, 2), F(5, 4)),
        (F(7, 10), F(39, 20)),
        (F(9, 10), F(95, 28)),
        (F(99, 100), F(995, 208)),
    ],
)
def test_expectiles_of_a_law(tau: Fraction, value: Fraction) -> None:
    p = [F(1, 4), F(1, 4), F(1, 3), F(1, 6)]
    assert rl.expectile([-1, 0, 2, 5], p, tau) == value
    assert rl.expectile([-1, 0, 2, 5], [float(x) for x in p], float(tau)) == pytest.approx(
        float(value), rel=1e-14
    )


VALUES = {
    F(1, 10): (-1.240603110626, -1.073119873130, -1.677660579502),
    F(1, 2): (3.641465204935, 3.610446806999, 3.269954774702),
    F(7, 10): (5.974521838679, 5.956982421353, 5.501242880630),
    F(9, 10): (8.705485739948, 8.754454595585, 7.959032231949),
    F(9999, 10000): (10.372419713948, 10.455552558744, 9.395556392766),
}


@pytest.mark.parametrize("tau", list(VALUES))
def test_values_of_the_three_state_model(tau: Fraction) -> None:
    x = three_states(tau)
    assert np.abs(x.V.astype(float) - VALUES[tau]).max() <= 5.1e-13
    M, mu = x.M.float(), x.mu.float()
    for sol in (rl.ImplicitQ(mu, float(tau)).run(M), ImplicitQIteration(mu, float(tau), tol=1e-13).run(M)):
        assert np.abs(sol.V - VALUES[tau]).max() <= 1e-11


def test_exact_values_and_policies_of_the_three_state_model() -> None:
    x = three_states(F(9, 10))
    assert x.V.tolist() == [F(n, 654661) for n in (5699142, 5731200, 5210468)]
    assert x.solution.pi.matrix().tolist() == [
        [F(9, 10), F(1, 10)],
        [F(4, 13), F(9, 13)],
        [F(1, 28), F(27, 28)],
    ]
    assert (
        np.abs(x.best.V.astype(float) - (10.374220374220, 10.457380457380, 9.397089397089)).max() <= 5.1e-13
    )


@pytest.mark.parametrize(
    ("beta", "value"),
    [
        (1, (7.279630041184, 7.244496716375, 6.643082211139)),
        (3, (10.091840719333, 10.150854536817, 9.144811004259)),
    ],
)
def test_awr_on_the_three_state_model(beta: int, value: tuple[float, ...]) -> None:
    x = three_states(F(9, 10))
    balls = awr_value(x.M, x.mu, x.Q, beta)
    assert np.abs(balls.astype(float) - value).max() <= 5.1e-13
    M, mu = x.M.float(), x.mu.float()
    sol = rl.ImplicitQ(mu, 0.9).run(M)
    assert np.abs(rl.evaluate(M, awr(M, mu, sol.Q, sol.V, beta)).V - value).max() <= 1e-11


def test_no_single_temperature_gives_the_implicit_value() -> None:
    x = three_states(F(9, 10))
    M, mu = x.M.float(), x.mu.float()
    sol = rl.ImplicitQ(mu, 0.9).run(M)

    def residual(beta: float) -> float:
        return float(rl.sup_norm(rl.evaluate(M, awr(M, mu, sol.Q, sol.V, beta)).V - sol.V))

    best = minimize_scalar(residual, bounds=(0.5, 4), method="bounded", options={"xatol": 1e-9})
    assert best.x == pytest.approx(1.59372, abs=6e-6)
    assert best.fun == pytest.approx(0.02573, abs=6e-6)
    assert min(residual(b) for b in np.linspace(0, 12, 200)) >= best.fun


@pytest.mark.parametrize(
    ("tau", "value"),
    [
        (F(9, 10), (9.165790861937, 9.291357926055, 8.616148880955)),
        (F(9999, 10000), (11.823035646869, 12.025970411972, 11.140582847465)),
    ],
)
def test_one_level_values_overshoot(tau: Fraction, value: tuple[float, ...]) -> None:
    x = three_states(tau)
    assert np.abs(x.N.astype(float) - value).max() <= 5.1e-13
    assert (one_level_bellman(x.M, x.mu, tau)(x.N) == x.N).all()
    assert (x.N > x.V).all()
    assert bool((x.V_star < x.N).all()) == (tau > F(99, 100))


def test_awr_hurts_on_the_gadget() -> None:
    half, more, most = gadgets.HURT, gadgets.HURT_MORE, gadgets.HURT_MOST
    assert half.behaviour == F(225495, 10**6)
    assert float(half.awr) == pytest.approx(0.1352270193, abs=5e-11)
    assert float(half.offline.V[0]) == pytest.approx(0.9000286424, abs=5e-11)
    assert float(more.awr) == pytest.approx(0.0939984264, abs=5e-11)
    assert float(most.behaviour) == pytest.approx(0.405000099, abs=5e-13)
    assert float(most.awr) == pytest.approx(0.0382403318, abs=1e-10)  # given with its last digit cut


@pytest.mark.parametrize(
    ("p", "ratio"), [(F(1, 10), 0.478), (F(1, 100), 0.571), (F(1, 10**6), 0.758), (F(1, 10**11), 0.840)]
)
def test_the_price_of_extraction_for_one_law(p: Fraction, ratio: float) -> None:
    def price(beta: float) -> float:
        """−(gap max Q − E_{π_β}Q)/(ℓ/β) on two atoms one apart."""
        q = float(p)
        return -(1 - q * math.exp(beta) / (q * math.exp(beta) + 1 - q)) * beta / math.log(1 / q)

    best = minimize_scalar(price, bounds=(0.1, 40), method="bounded", options={"xatol": 1e-10})
    assert -best.fun == pytest.approx(ratio, abs=6e-4)
    x = two_loops(p, F(9, 10), F(0))
    gap = 1 - awr_value(x.M, x.mu, x.Q, F(best.x))[0]
    assert float(gap) * best.x / math.log(1 / float(p)) == pytest.approx(-best.fun, rel=1e-9)


def test_the_threshold_is_45_49() -> None:
    assert gadgets.threshold(gadgets.page(F(1, 2))) == F(45, 49)
    assert float(F(45, 49)) == pytest.approx(0.9183673469387756, abs=2e-16)


def test_the_gap_closes_with_slope_one() -> None:
    slope = experiments.limit_slope(decades=range(2, 7))
    assert slope.slopes[0] == pytest.approx(0.9972, abs=5e-5)
    assert slope.slopes[-1] == pytest.approx(1.0, abs=5e-5)
    assert all(a < b for a, b in pairwise(slope.slopes))
    assert (slope.gap <= slope.bound).all()


TABLE = {
    0.5: (0.005071343756, 2.7727559401, 0.1984310840),
    0.9: (1.709378687382, 2.7830316789, 2.3076505183),
    0.95: (2.231602365480, 2.7833583804, 2.3486295304),
}


def test_the_u_maze_table() -> None:
    table = experiments.u_maze_table(tuple(TABLE))
    assert table.optimum == pytest.approx(2.78335838040, abs=5.1e-12)
    assert table.error < 1e-11
    for i, (V, greedy, weighted) in enumerate(TABLE.values()):
        assert table.V[i] == pytest.approx(V, abs=1.5e-12)
        assert table.greedy[i] == pytest.approx(greedy, abs=6e-11)
        assert table.awr[i] == pytest.approx(weighted, abs=6e-11)
    assert 500 < table.optimum / table.V[0] < 600
    assert "V* = 2.7833583804" in str(table)


def test_the_u_maze_from_sampled_runs() -> None:
    sampled = experiments.u_maze_sampled()
    one_step, low, high, highest = sampled.mean
    assert one_step < low < high < highest * 1.02
    assert high >= 5 * one_step
    published: Any = (0.165, 1.18, 2.04, 2.07)  # other seeds
    assert np.abs(sampled.mean - published).max() < 0.25


def test_the_plots_draw() -> None:
    for data in (
        experiments.limit_slope(decades=range(1, 4)),
        experiments.awr_hurts(),
        experiments.u_maze_sampled((0.5, 0.9), seeds=2),
    ):
        assert data.plot().get_xlabel()


def test_a_float_gadget_agrees_with_its_closed_form() -> None:
    x = gadgets.Gadget(1e-3, 0.45, 0.5, 0.9999, 2.0, 0.99)
    assert x.awr == pytest.approx(x.awr_formula(), rel=1e-9)
    assert x.offline.V[:2] == pytest.approx([x.v0, x.v1], rel=1e-12)
    assert isinstance(x.offline, Offline)
