"""Public reference values of flow TD: recovery factors, biases of mean readouts, affine fits.

The numbers were computed independently of this library and are given to all digits known.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from proofs_check.agrawalla2026 import errors, experiments, recovery, representation
from proofs_check.agrawalla2026.lets import Conic
from rltheory.operators.flow import affine_field, euler
from rltheory.operators.flow import recovery as beta
from rltheory.solvers import FlowTD

F = Fraction


def test_recovery_factors() -> None:
    assert beta(8, F(1, 2)) == F("0.196380615234375")
    assert float(beta(256, F(1, 4))) == pytest.approx(0.2039375612880287, abs=3e-16)
    assert float(beta(256, F(3, 4))) == pytest.approx(0.00430804127798198, abs=5e-18)
    for K, ratio, digits in ((64, 0.998, 6e-4), (1000, 0.99988, 6e-6)):
        x = recovery.Power(0.5)
        assert float(beta(K, 0.5)) / float(x.power(K)) == pytest.approx(ratio, abs=digits)


def test_a_steep_slope_multiplies_errors() -> None:
    factors = []
    for K in range(1, 7):
        z = [euler(lambda t, z: 1 - 5 * z / (1 - t), z0, K) for z0 in (F(0), F(1))]
        factors.append(z[1] - z[0])
    assert factors == [-4, 6, -4, 1, 0, 0]


def test_errors_add_up() -> None:
    assert errors.uniform(errors.NAMED) == F("0.39276123046875")
    assert errors.with_error(errors.NAMED) == F("0.39276123046875")
    assert errors.with_error(Conic(8, F(1), F(1), F(0), F(1), 0)) == F(1, 8)
    assert errors.with_error(Conic(8, F(0), F(1), F(0), F(1), 0)) == 1
    assert errors.SPEC.error == F("-0.13671875")


BIAS = {
    "A": {
        1: 0.0,
        2: -0.17335033341,
        4: -0.03928090655,
        8: -0.01301609523,
        16: -0.00555897704,
        32: -0.00258956962,
        128: -0.00061602789,
        512: -0.00015217999,
    },
    "B": {
        1: 0.0,
        2: -0.09196195634,
        4: -0.04309066625,
        8: -0.01881237910,
        16: -0.00883088759,
        32: -0.00428337431,
        128: -0.00104724636,
        512: -0.00026037391,
    },
}


@pytest.mark.parametrize("law", ["A", "B"])
def test_the_mean_readout_is_biased(law: str) -> None:
    for K, value in BIAS[law].items():
        assert experiments.bias(experiments.LAWS[law], K) == pytest.approx(value, abs=1.1e-11)
    constant = {"A": 0.35, "B": 0.19}[law]
    values = [-K * BIAS[law][K] for K in (2, 4, 8, 16, 32, 128, 512)]
    assert max(values) <= constant
    assert values[-3:] == sorted(values[-3:], reverse=True)


def test_fixed_points_of_a_one_state_chain() -> None:
    M = experiments.one_state()
    for K, value in {1: 5.0, 2: 3.26649667, 4: 4.60719093, 8: 4.86983905, 32: 4.97410430}.items():
        assert FlowTD([0], K).run(M).V[0] == pytest.approx(value, abs=6e-9)
        assert FlowTD([0], K, targets="averaged").run(M).V[0] == pytest.approx(5.0, abs=1e-12)


def test_affine_collapse() -> None:
    assert affine_field(F(1), F(0), F(1, 12)) == (F("1.1875"), F("-0.375"))
    readouts = {
        1 / 12: 1.00990955483016,
        1e-4: 1.00003744567,
        1e-2: 1.00324886959,
        1.0: 0.970012633,
        10.0: 0.94826468999,  # exactly (71/60)(1 − (67/82)⁸)
    }
    for s2, value in readouts.items():
        a, b = affine_field(1.0, 0.0, s2)
        got = euler(lambda t, z, a=a, b=b: a + b * z, 0.0, 8)
        assert got == pytest.approx(value, abs=6e-10 if s2 == 1 else 6e-12)


def test_two_steps_give_a_square_and_lines_miss_it() -> None:
    assert [representation.SQUARE.readout(F(s)) for s in (-1, 0, 1, 2)] == [1, 0, 1, 4]
    s = np.array([-1.0, 0.0, 1.0])
    line = np.linalg.lstsq(np.stack([np.ones(3), s], axis=1), s**2, rcond=None)[1]
    assert line == pytest.approx(2 / 3)
    assert representation.distance(2) == F(2, 3)


def test_the_plots_draw() -> None:
    for data in (
        experiments.recovery_curves((0.5,)),
        experiments.stale_curves(4, (0.5,)),
        experiments.bias_against_steps((2, 4)),
        experiments.readouts((1, 2)),
        experiments.fixed_points((4, 8)),
    ):
        assert data.plot().get_xlabel()
