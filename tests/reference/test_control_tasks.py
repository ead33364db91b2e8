"""The five control tasks: values printed for them, and their rows against a slow interpolation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory import gallery
from rltheory.errors import InvalidArgument
from rltheory.models.gallery import control
from rltheory.solvers import Portfolio

# Q*[37, 2], Q*[100, 0], an extreme entry, σ2/σ1: made by a separate program (γ = .9)
PRINTED = {
    "inverted_pendulum": ((11, 11), 9, -6.347770574623, -4.919205639290, -7.513604213153, 0.030174197968),
    "mountain_car": ((11, 11), 9, -9.128172884481, -9.924755082669, 100.0, 0.010274058286),
    "double_integrator": ((11, 11), 9, -11.199796776052, -33.065236407130, -74.111282309253, 0.022691858002),
    "cart_pole": ((5, 4, 3, 4), 5, 1.883398259528, 4.647005819775, 6.453761774454, 0.110171709755),
    "acrobot": ((4, 4, 4, 4), 5, -4.140748382710, -5.349590169684, -5.698234960748, 0.000876442838),
}


@pytest.mark.parametrize("name", PRINTED)
def test_printed_values(name: str) -> None:
    states, actions, one, two, extreme, ratio = PRINTED[name]
    mdp = getattr(gallery, name)(states, actions, 0.9)
    Q = rl.q_values(mdp, rl.solve(mdp, Portfolio(tol=1e-12)).V)
    assert Q[37, 2] == pytest.approx(one, abs=2e-12)
    assert Q[100, 0] == pytest.approx(two, abs=2e-12)
    assert min(abs(Q.min() - extreme), abs(Q.max() - extreme)) < 2e-12
    spectrum = np.linalg.svd(Q, compute_uv=False)
    assert spectrum[1] / spectrum[0] == pytest.approx(ratio, abs=2e-12)


@pytest.mark.parametrize(("name", "task"), [("cart_pole", control._CART), ("acrobot", control._ACROBOT)])
def test_rows_interpolate_the_next_point(name: str, task: Any) -> None:
    states, actions = (4, 3, 5, 4), 3
    mdp = getattr(gallery, name)(states, actions)
    lines = [np.linspace(a, b, n) for a, b, n in zip(task.low, task.high, states, strict=True)]
    points = list(itertools.product(*lines))
    P = mdp.P
    for s in (0, 17, 101, len(points) - 1):
        for a, force in enumerate(np.linspace(-task.action, task.action, actions)):
            x = tuple(np.array([c]) for c in points[s])
            there = np.array([c[0] for c in task.step(x, np.array([force]))])
            there = np.clip(there, task.low, task.high)
            # multilinear interpolation reproduces affine functions: the mean next point is `there`
            assert np.allclose(P[s, a] @ np.array(points), there, atol=1e-12)
            near = np.array([points[t] for t in np.flatnonzero(P[s, a])])
            for c, line in enumerate(lines):
                assert (np.abs(near[:, c] - there[c]) <= line[1] - line[0] + 1e-12).all()
            assert mdp.R[s, a] == pytest.approx(float(task.reward(x, np.array([force]))[0]))


def test_sizes_are_checked() -> None:
    with pytest.raises(InvalidArgument, match="need 2 axes"):
        gallery.mountain_car((5, 5, 5))
    with pytest.raises(InvalidArgument, match="at least 2 points"):
        gallery.acrobot((2, 2, 1, 2))


def test_models_built_in_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gallery.cart_pole((3, 5, 4, 3), 7)
    monkeypatch.setattr(control, "BLOCK", 50)
    parts = gallery.cart_pole((3, 5, 4, 3), 7)
    assert parts.N == whole.N == 180 * 7
    for a, b in zip((*parts.csr, parts.R_pairs), (*whole.csr, whole.R_pairs), strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-15)
