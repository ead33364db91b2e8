"""Reference values of the multitask page: a confidence set, a run, eluder dimensions, explicit bounds."""

from __future__ import annotations

import itertools
from fractions import Fraction as F

import numpy as np
import pytest

from rltheory.models import MultitaskBandit
from rltheory.operators import eluder_dimension
from rltheory.solvers import GFUCB, joint_confidence, known_representation_bound

PHI = [
    [[(1, 0), (0, 1), (0.6, 0.8)], [(0.8, 0.6), (0, 1), (1, 0)]],
    [[(0, 1), (1, 0), (0.8, 0.6)], [(1, 0), (0.6, 0.8), (0, 1)]],
]
LOGS = [
    [(0, 0, 0.9), (1, 1, 0.3), (0, 2, 1), (1, 0, 0.8)],
    [(0, 1, 0.7), (1, 2, -0.1), (1, 0, 0.5), (0, 0, 0.1)],
]


def test_two_representations() -> None:
    c = joint_confidence(PHI, LOGS, sigma=0.5, delta=0.1)
    np.testing.assert_allclose(c.rho, [[0.7158645276, 0.3253588517], [0.9751633987, 0.28]], atol=1e-10)
    np.testing.assert_allclose(
        c.logdet, [[2.0891938331, 2.1234584271], [2.0891938331, 2.1972245773]], atol=1e-10
    )
    np.testing.assert_allclose(
        c.heads,
        [
            [(0.6069518717, 0.3324420677), (0.0555023924, 0.4124401914)],
            [(0.4542483660, 0.4346405229), (0.4, 0)],
        ],
        atol=1.5e-10,
    )
    assert c.radius == pytest.approx(3.592252581136, abs=1e-12)
    best = c.optimistic((0, 1))
    assert best.value == pytest.approx(2.935539717284, abs=1e-12)
    assert (best.actions, best.representation) == ((0, 1), 0)


def test_a_run() -> None:
    bandit = MultitaskBandit.random(1000, p=8, X=4, A=3, k=2, M=2)
    np.testing.assert_allclose(bandit.features[0, 0, 0], (-0.55179116, -0.83398232), atol=1e-8)
    np.testing.assert_allclose(np.asarray(bandit.heads)[0], (0.84051722, -0.54178484), atol=1e-8)
    run = GFUCB(T=40).run(bandit, 0)
    assert run.total[-1] == pytest.approx(4.939646885786, abs=1e-11)
    np.testing.assert_allclose(run.regret[:5], [1.65215428, 2.37270762, 0.31344399, 0.08904968, 0], atol=1e-8)


def test_eluder_dimensions() -> None:
    three = [[0, 0, 0], [1.5, F(3, 5), 0], [F(3, 4), F(6, 5), F(11, 10)]]
    assert [eluder_dimension(three, e) for e in (0, 0.5, 1, 1.3)] == [3, 3, 3, 1]
    indicators = [[0] * 4, *np.eye(4).tolist()]
    assert [eluder_dimension(indicators, e) for e in (0, 0.5, 1)] == [4, 4, 0]
    points = [(F(-1, 5), F(-3, 5)), (F(-1, 2), F(3, 5)), (F(7, 10), F(1, 10)), (F(-4, 5), F(-1, 2))]
    linear = [[a * x + b * y for x, y in points] for a, b in itertools.product((-1, 0, 1), repeat=2)]
    assert [eluder_dimension(linear, e) for e in (F(1, 1000), F(1, 10), F(3, 10))] == [4, 4, 4]


@pytest.mark.parametrize(
    ("T", "M", "bound"), [(1000, 1, 614.3), (1000, 2, 1159.4), (4000, 1, 1445), (4000, 2, 2747)]
)
def test_bounds_with_a_known_representation(T: int, M: int, bound: float) -> None:
    found = known_representation_bound(T, M, 2, sigma=0.5, delta=0.1)
    assert found == pytest.approx(bound, abs=0.5)
    run = GFUCB(T=T).run(MultitaskBandit.random(5, p=1, M=M), 1)
    assert run.total[-1] < found / 30


def test_sharing_pays() -> None:
    """Per-task regret at T = 200, |Φ| = 64, over 6 seeds: about 11, 7.5, 5.5 for M = 1, 2, 4, alone 11.

    Most of it is paid before T = 50.
    """
    joint = {
        M: np.mean([GFUCB(T=200).run(MultitaskBandit.random(s, M=M), s).total[-1] / M for s in range(6)])
        for M in (1, 2, 4)
    }
    alone = np.mean(
        [
            GFUCB(T=200, learners="independent").run(MultitaskBandit.random(s, M=4), s).total[-1] / 4
            for s in range(6)
        ]
    )
    late = [GFUCB(T=400).run(MultitaskBandit.random(s, M=1), s).total for s in range(6)]
    after = np.mean(late, axis=0)
    assert after[399] - after[49] < 0.2 * after[49]  # saturates: 9.5 at T = 50, 11.2 at T = 400
    assert joint[1] > joint[2] > joint[4]
    assert joint[4] < 0.65 * alone
