"""Public reference values of distributional dynamic programming: projected laws, stock grids, detectors.

The numbers were computed independently of this library, by scripts in rationals and doubles, and are
given to all digits known.  Optima over (state, stock) are in `test_stock_values`, fixed points of projected
laws in `test_laws_of_returns`.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from proofs_check import avilapires2025
from proofs_check.avilapires2025 import experiments, setting
from proofs_check.avilapires2025.control import cascade, zigzag
from proofs_check.avilapires2025.definitions import HALF, ONE, UTILITIES, ZERO
from proofs_check.avilapires2025.scaling import Wave
from proofs_check.avilapires2025.setting import family
from proofs_check.avilapires2025.stock_grids import FAR, LATE, Stocks, two_steps
from proofs_check.avilapires2025.stockless import DISCOUNTED
from rltheory.checks import Claim, Tight
from rltheory.checks.literal import literal
from rltheory.models.gallery import outcome_family
from rltheory.solvers.distributional import CategoricalEvaluation

F = Fraction
THIRD = family(3, 2, 2, 3, HALF)


# ---- projected laws --------------------------------------------------------------------------
def test_grids_that_do_not_nest() -> None:
    M, grid = outcome_family(3, 2, 2, 3, 0.8), [-10.0, -6.0, -2.0, 2.0, 6.0, 10.0]
    coarse = CategoricalEvaluation(grid=grid, tol=1e-12).run(M, [0, 1, 0])
    fine = CategoricalEvaluation(atoms=4001, tol=1e-10).run(M, [0, 1, 0])
    laws = [dict(law.categorical(grid)) for law in fine.laws]
    off = [abs(coarse.rows[s, i] - laws[s].get(z, 0.0)) for s in range(3) for i, z in enumerate(grid)]
    assert max(off) == pytest.approx(0.153, abs=0.001)  # at γ = 1/2 on {−4, …, 4} it is 0


def test_control_with_projected_laws() -> None:
    assert cascade(2, 10).projected(False)[0] == F(-39, 40)
    assert float(cascade(16, 10**4).projected(False)[0]) == pytest.approx(-7.9970006999, abs=1e-10)
    assert [float(v) for v in zigzag(6, 100).values] == pytest.approx([-1.4925125] * 2, abs=1e-12)


# ---- stocks on grids -------------------------------------------------------------------------
def test_the_grid_of_six_cells() -> None:
    x = Stocks(THIRD, ONE, -ONE, F(4), 6)
    printed = (F(-58931609, 97056330), F(-15791271, 16176055), F(-936540329, 1572312546))
    assert tuple(x.grid.value(s, ZERO) for s in range(3)) == printed
    assert float(x.bound()) ** 0.5 == pytest.approx(0.3849, abs=1e-4)


def test_two_steps_on_a_grid() -> None:
    x = two_steps(HALF)
    assert x.grid.value(0, ZERO) == F(-1, 4)
    assert x.optimum(0, ZERO) == 0
    assert float(x.bound()) ** 0.5 == pytest.approx(0.288675, abs=1e-6)


def test_concave_utilities_may_be_over_estimated() -> None:
    at = (1, F(-4, 3))
    assert LATE.grid.value(*at) == F(-751, 1500)
    assert LATE.grid.value(*at) - LATE.optimum(*at) == F(61, 6000)


def test_clamping_is_no_far_field() -> None:
    ends = [FAR.optimum(s, c) for s in range(3) for c in (-FAR.reach, FAR.reach)]
    assert max(abs(v) for v in ends) == F(143, 29)  # 4.93; clamped stocks give 0


def test_a_window_that_is_not_absorbing() -> None:
    worst = ZERO
    for q in range(12):
        M = family(3, 2, 2, q, HALF)
        if max(abs(r) for r in M.rewards) == 2:
            x = Stocks(M, ONE, -ONE, F(4), 8)
            worst = max(worst, *(abs(a - b) for a, b in zip(x.short(), x.best, strict=True)))
    assert float(worst) == pytest.approx(2.08, abs=0.01)


STOCKS = (-2, -1, 0, 1, 2)
EXACT = {
    (1, 0): (
        "-131/87 -719/870 -371/870 -17/174 0",
        "-85/29 -56/29 -27/29 -641/2320 0",
        "-371/174 -197/174 -85/174 -9/58 0",
    ),
    (1, -1): (
        "-131/87 -392783/426300 -1319/2175 -191579/213150 -1499/2030",
        "-85/29 -56/29 -27/29 -997/2900 -4497/14210",
        "-371/174 -197/174 -12661/21315 -103/290 -531/1450",
    ),
    (0, 1): ("0 93/290 267/290 277/174 217/87", "0 0 0 801/2320 31/29", "0 0 31/87 89/87 325/174"),
}
"""(a₋, a₊): V*(s, c), γ = 1/2, a row a state."""


@pytest.mark.parametrize("slopes", EXACT, ids=str)
def test_exact_values_over_an_infinite_horizon(slopes: tuple[int, int]) -> None:
    x = Stocks(THIRD, F(slopes[0]), F(slopes[1]), F(4), 8)
    for s, row in enumerate(EXACT[slopes]):
        assert [x.lattice.value(s, F(c)) for c in STOCKS] == [F(v) for v in row.split()]


def test_the_recursion_comes_near_the_exact_value() -> None:
    x = Stocks(THIRD, ONE, -ONE, F(4), 8)

    def value(s: int, c: Fraction, n: int, known: dict[tuple[int, Fraction, int], Fraction]) -> Fraction:
        if n == 0:
            return x.f(c)
        if (s, c, n) not in known:
            known[s, c, n] = max(
                HALF * sum(p * value(t, (c + r) / HALF, n - 1, known) for p, t, r in o)
                for o in x.M.outcomes[s]
            )
        return known[s, c, n]

    gap = abs(value(0, ZERO, 10, {}) - x.lattice.value(0, ZERO))
    assert float(gap) == pytest.approx(0.0016591016, abs=1e-10)
    assert gap <= F(4, 1024)


# ---- structure -------------------------------------------------------------------------------
def test_the_exponential_utility_needs_a_stock_below_gamma_one() -> None:
    assert float(DISCOUNTED.best()) == pytest.approx(-0.9680958134, abs=1e-10)
    assert float(DISCOUNTED.blind()) == -1


def test_the_slope_of_the_log_periodic_utility() -> None:
    L = float(Wave(F(4, 5), ONE, F(2)).bound(lambda k: (1 + k * k).sqrt()))
    assert pytest.approx(5.2263017, abs=1e-7) == L


@pytest.mark.parametrize(("name", "value"), [("−e^−x", 0.33183266), ("sign(x)√|x|", 0.0)])
def test_the_detector_at_four_fifths(name: str, value: float) -> None:
    grid = [k / 4 for k in range(-8, 9)]

    def f(x: float) -> float:
        return -math.exp(-x) if name == "−e^−x" else math.copysign(math.sqrt(abs(x)), x)

    assert float(UTILITIES[name](F(-3, 2))) == pytest.approx(f(-1.5))
    worst = 0.0
    for x, y, z in product(grid, repeat=3):
        if x < y < z:
            p = (f(y) - f(z)) / (f(x) - f(z))
            worst = max(worst, abs(p * f(0.8 * x) + (1 - p) * f(0.8 * z) - f(0.8 * y)))
    assert worst == pytest.approx(value, abs=1e-8)


# ---- experiments -----------------------------------------------------------------------------
def test_the_convergence_plot() -> None:
    found = experiments.convergence((0.5, 0.8), sweeps=12, cells=800)
    assert (found.error <= found.bound * (1 + 1e-9)).all()
    assert found.tight == pytest.approx(found.bound, rel=1e-9)
    slopes = found.error[:, 6:] / found.error[:, 5:-1]
    assert slopes == pytest.approx(np.array([[0.5] * 7, [0.8] * 7]), rel=0.05)


def test_the_plot_of_atoms() -> None:
    found = experiments.atoms((0.5,), most=5, reference=2049)
    assert (found.categorical <= found.categorical_bound + 2e-3).all()
    assert (found.quantile <= found.quantile_bound + 2e-3).all()
    assert (found.quantile_bias > 1e-2).all() and (found.categorical_bias < 1e-8).all()
    assert found.categorical[0, 0] / found.categorical[0, -1] == pytest.approx(
        8, rel=0.4
    )  # 8 times the atoms


def test_the_plot_of_the_lower_side() -> None:
    found = experiments.lower_side(most=4, family_most=2)
    assert found.cascade == pytest.approx(found.H / 2, rel=1e-3)
    assert (found.family <= np.sqrt(found.family_H) / 2).all()


# ---- the claims as text ----------------------------------------------------------------------
MODULES = [m.name for m in pkgutil.iter_modules(avilapires2025.__path__) if m.name != "experiments"]


@pytest.mark.parametrize("name", MODULES)
def test_instances_can_be_pasted(name: str) -> None:
    module = importlib.import_module(f"proofs_check.avilapires2025.{name}")
    names = {"Fraction": Fraction, **vars(setting), **vars(module)}
    for claim in [c for c in vars(module).values() if isinstance(c, Claim)]:
        if isinstance(claim.tight, Tight):
            x = claim.tight.instances[0]
            again = eval(literal(x), names)
            assert claim.then(again).sides == claim.then(x).sides, claim.statement
