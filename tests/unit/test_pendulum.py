"""The pendulum grid against its equations of motion."""

from __future__ import annotations

import math

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument


def test_rows_interpolate_the_next_point() -> None:
    angles, speeds, torques = 30, 17, 3
    m = rl.gallery.pendulum(angles, speeds, 0.9, torques=torques)
    data, indices, indptr = m.csr
    for k in range(0, m.N, 7):
        i, j = divmod(int(m.pair_state[k]), speeds)
        u = -2 + 2 * int(m.pair_action[k])
        theta = math.remainder(2 * math.pi * i / angles, 2 * math.pi)
        omega = -8 + 16 * j / (speeds - 1)
        after = min(max(omega + (15 * math.sin(theta) + 3 * u) / 20, -8), 8)
        p, to = data[indptr[k] : indptr[k + 1]], indices[indptr[k] : indptr[k + 1]]
        assert p @ (-8 + 16 * (to % speeds) / (speeds - 1)) == pytest.approx(
            after, abs=16 / (speeds - 1) / 2000
        )
        move = np.array(
            [math.remainder(x, angles) for x in to // speeds - i - after / 20 * angles / 2 / math.pi]
        )
        assert abs(p @ move) < 1 / 2000
        cost = theta**2 + omega**2 / 10 + u**2 / 1000
        assert m.R_pairs[k] == pytest.approx(-cost, abs=2**-20)


def test_upright_at_rest_is_best_and_hanging_is_the_start() -> None:
    m = rl.gallery.pendulum(16, 17, 0.9)
    assert 0 in rl.solve(m).value(8)  # angle 0, speed 0
    sol = rl.solve(m, rl.PolicyIteration())
    assert int(np.argmax(sol.V)) == 8
    assert abs(sol.V[8]) < 1e-12
    assert int(np.argmax(m.mu)) == 8 * 17 + 8


def test_one_point_is_no_grid() -> None:
    with pytest.raises(InvalidArgument, match="speeds=1"):
        rl.gallery.pendulum(5, 1)
