"""Linear-quadratic models and their solvers at the edge of what they accept."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidModel, NotConverged
from rltheory.models import LQR, ControlAffine
from rltheory.solvers import (
    IntegralRL,
    Kleinman,
    QuadratureIteration,
    quadrature_fixed_point,
    solve_discrete_lyapunov,
    solve_lyapunov,
    solve_riccati,
)


def test_a_cost_of_control_that_only_rounding_makes_definite_is_refused() -> None:
    tiny = Fraction(1, 10**30)
    for sign, good in ((1, True), (-1, False)):
        R = [[1, 1], [1, 1 + sign * tiny]]
        arguments = [[Fraction(-1)]], [[Fraction(1), Fraction(1)]], [[Fraction(1)]], R
        if good:
            assert LQR(*arguments).R_inverse[1, 1] == 10**30
        else:
            with pytest.raises(InvalidModel, match="positive definite"):
                LQR(*arguments)


def test_a_singular_cost_of_control_in_doubles_is_refused() -> None:
    with pytest.raises(InvalidModel, match="positive definite"):
        LQR([[-1.0]], [[1.0, 1.0]], [[1.0]], [[0.25, 0.5], [0.5, 1.0]])


def test_models_have_states_and_controls() -> None:
    with pytest.raises(InvalidModel, match="n ≥ 1"):
        LQR(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((0, 0)), [[1.0]])
    with pytest.raises(InvalidModel, match="m ≥ 1"):
        LQR([[-1.0]], np.zeros((1, 0)), [[1.0]], np.zeros((0, 0)))
    for solve in (solve_lyapunov, solve_discrete_lyapunov):
        with pytest.raises(InvalidArgument, match="n ≥ 1"):
            solve(np.zeros((0, 0)), np.zeros((0, 0)))


@pytest.mark.parametrize(
    ("R", "message"),
    [
        ([[-1.0]], "positive definite"),
        ([[0.0]], "positive definite"),
        (1.0, r"R \(\)"),
        (np.eye(2), r"R \(2, 2\)"),
        ([[math.nan]], "finite"),
    ],
)
def test_costs_of_nonlinear_models_are_checked(R: Any, message: str) -> None:
    with pytest.raises(InvalidModel, match=message):
        ControlAffine(
            f=lambda x: -x,
            g=lambda x: np.eye(1),
            q=lambda x: float(x @ x),
            R=R,
            features=lambda x: np.array([x[0] ** 2]),
            gradient=lambda x: np.array([[2 * x[0]]]),
            n=1,
        )


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("solver", [Kleinman, QuadratureIteration])
def test_gains_are_finite(solver: Any, exact: bool) -> None:
    model = rl.gallery.third_order_lqr()
    with pytest.raises(InvalidArgument, match=r"K0=.*finite"):
        solver(K0=[[math.nan, 0.0, 0.0]]).run(model.exact() if exact else model.float())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x0": (0.0, 0.0, 0.0)}, "x0=.*not 0"),
        ({"x0": (math.nan, 0.0, 0.0)}, "x0=.*finite"),
        ({"T": 0.0, "rule": "exact"}, "T=0.0"),
        ({"T": -1.0, "rule": "exact"}, "T=-1.0"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"tol": math.nan}, "tol=nan"),
    ],
)
def test_runs_that_would_learn_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        IntegralRL(**{"x0": (1.0, 2.0, 3.0), **options}).run(rl.gallery.third_order_lqr())


def test_converging_on_data_that_miss_a_mode_is_no_solution() -> None:
    model = LQR(np.diag([-1.0, -2.0]), np.eye(2), np.eye(2), np.eye(2))
    out = IntegralRL((1.0, 0.0)).run(model)
    assert out.ending == "undetermined"
    with pytest.raises(NotConverged, match="1 of the 3 entries of P"):
        out.raise_if_failed()
    assert IntegralRL((1.0, 1.0)).run(model).ending == "solved"
    assert IntegralRL((1.0, 1.0), T=Fraction(1, 10), tol=0.0, max_iter=2).run(model).ending == "max_iter"


def test_a_fixed_point_is_sought_near_a_matrix_of_its_size() -> None:
    with pytest.raises(InvalidArgument, match="near: shape"):
        quadrature_fixed_point(rl.gallery.third_order_lqr(), near=[[1.0]])


@pytest.mark.parametrize("unit", [1.0, 1e-11, 1e11])
def test_units_of_the_control_do_not_decide_stabilisability(unit: float) -> None:
    A, cost = [[0.0, 1.0], [0.0, 0.0]], np.eye(2)
    plain = solve_riccati(LQR(A, [[0.0], [1.0]], cost, [[1.0]]))
    same = solve_riccati(LQR(A, [[0.0], [unit]], cost, [[unit**2]]))
    np.testing.assert_allclose(same.X, plain.X, rtol=1e-9)
    with pytest.raises(InvalidModel, match="not stabilisable"):
        solve_riccati(LQR([[1.0, 0.0], [0.0, -1.0]], [[0.0], [unit]], cost, [[1.0]]))
