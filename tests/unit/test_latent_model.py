"""Latent MDPs as objects: construction from models and arrays, both number systems, files, refusals."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.models.finite_horizon import FiniteHorizonMDP

P = np.array([[[[0.5, 0.5]], [[0.0, 1.0]]], [[[0.25, 0.75]], [[0.0, 1.0]]]])
R = np.array([[[0.25], [0.0]], [[0.0], [0.5]]])
NU = [[1.0, 0.0], [0.5, 0.5]]


def small(**changes: object) -> rl.LatentMDP:
    options = {"P": P, "R": R, "weights": [0.25, 0.75], "nu": NU, "H": 2, **changes}
    return rl.LatentMDP.from_arrays(**options)  # type: ignore[arg-type]


def rational() -> rl.LatentMDP:
    return rl.LatentMDP.from_arrays(
        [[[[F(1, 3), F(2, 3)]], [[0, 1]]]],
        [[[F(1, 7)], [F(3, 7)]]],
        weights=[1],
        nu=[[F(1, 9), F(8, 9)]],
        H=2,
    )


def test_models_and_arrays_are_the_same() -> None:
    parts = [rl.MDP(P[m], R[m], 0.9, mu=NU[m]) for m in range(2)]
    stages = [FiniteHorizonMDP(P[m], R[m], 2, mu=NU[m]) for m in range(2)]
    weights = [F(1, 4), F(3, 4)]
    assert rl.LatentMDP(parts, weights=weights, H=2) == small() == rl.LatentMDP(stages, weights=weights)
    assert hash(rl.LatentMDP(parts, weights=weights, H=2)) == hash(small())
    assert small(H=1) != small() != small(observe_rewards=False)


def test_terminal_states_stay_where_they_are() -> None:
    part = rl.MDP.from_pairs(
        [[0, 1], [0, 1]], [0.5, 0.0], 0, pair_state=[0, 0], pair_action=[0, 1], S=2, terminal=[1]
    )
    lmdp = rl.LatentMDP([part], weights=[1], H=3)
    assert lmdp.P[0, 1].tolist() == [[0, 1], [0, 1]]
    assert lmdp.R[0].tolist() == [[0.5, 0], [0, 0]]


def test_exact_and_back() -> None:
    x = small(P=np.where(P == 0.5, [0.1, 0.9], P), H=1)
    assert x.exact().float() == x
    assert x.exact() != x
    assert isinstance(x.exact().P[0, 0, 0, 0], F)
    assert rational().exact() is rational().exact() or rational() == rational().exact()


def test_literals_rebuild_the_model() -> None:
    names = {"LatentMDP": rl.LatentMDP, "Fraction": F}
    for x in (small(), rational(), small(observe_rewards=False), small(R=4 * R, normalisation="waive")):
        assert eval(x.literal(), names) == x


@pytest.mark.parametrize("kind", ["float", "rational", "lifted", "rescaled", "hidden"])
def test_files_keep_everything(tmp_path: Path, kind: str) -> None:
    third = small(P=np.where(P == 0.5, [0.1, 0.9], P), H=1)
    x = {
        "float": small(),
        "rational": rational(),
        "lifted": third.exact(),
        "rescaled": small(R=4 * R, normalisation="rescale"),
        "hidden": small(observe_rewards=False),
    }[kind]
    assert rl.load(rl.save(x, tmp_path / "x.npz")) == x
    with pytest.raises(InvalidArgument, match="npz"):
        rl.save(x, tmp_path / "x.drn")


def test_normalisation_is_that_of_trajectories() -> None:
    """Context 1 can stay in state 1 and collect ½ a step; context 0 can collect ¼ + ¼ + ¼ only."""
    assert small().largest_total == 1
    assert small().richest_trajectory == (1, ((1, 0), (1, 0)))
    with pytest.raises(InvalidModel, match=r"s=1 a=0 → s=1 a=0 → s=1 a=0 of context 1 collects 1\.5 \(H=3\)"):
        small(H=3)
    scaled = small(H=3, normalisation="rescale")
    assert scaled.scale == 1.5
    assert scaled.largest_total == 1
    assert scaled.R[1, 1, 0] == 0.5 / 1.5
    assert small(H=3, normalisation="waive").largest_total == 1.5
    assert small(normalisation="rescale").scale == 1
    rich = small(nu=[[0.0, 1.0], [0.0, 1.0]], P=np.array([[[[0, 1.0]]] * 2] * 2), R=[[[9.0], [0]]] * 2)
    assert rich.largest_total == 0  # no context starts where 9 is paid, or gets there


def test_views() -> None:
    x = small()
    assert x.branching == 2
    assert x.start.tolist() == [[0.25, 0], [0.375, 0.375]]
    assert x.reachable.tolist() == [[[True, False], [True, True]], [[True, True], [True, True]]]
    one = x.context(1)
    assert (one.H, one.mu.tolist()) == (2, [0.5, 0.5])
    assert rl.solve(one).V.tolist()[0][1] == 1.0
    assert x.exact().context(0).is_exact
    assert small(P=np.where(P == 0.5, [0.1, 0.9], P), H=1).exact().context(0).P[0, 0, 0, 0] == F(0.1)


def test_immutable() -> None:
    with pytest.raises(AttributeError, match="replace"):
        small().H = 3
    with pytest.raises(ValueError, match="read-only"):
        small().P[0] = 0
    assert small().replace(H=1).H == 1
    lifted = small(P=np.where(P == 0.5, [0.1, 0.9], P), H=1).exact()
    assert lifted.replace(observe_rewards=False).P[0, 0, 0, 0] == F(0.1)
    with pytest.raises(InvalidModel, match="of context 1 collects"):
        small().exact().replace(H=3)
    assert small().replace(H=3, normalisation="rescale").scale == 1.5
    with pytest.raises(InvalidArgument, match="gamma"):
        small().replace(gamma=1)
    with pytest.raises(InvalidModel, match="observe_rewards='no'"):
        small().replace(observe_rewards="no")
    with pytest.raises(InvalidModel, match="normalisation='some'"):
        small().replace(H=1, normalisation="some")
