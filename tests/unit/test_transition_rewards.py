"""Rewards per transition: kept by both layouts, part of a model's identity, literal, files and variance."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import rltheory as rl
from rltheory import MDP
from rltheory.errors import InvalidModel
from rltheory.solvers.off_policy import off_policy_moments
from rltheory.solvers.variance import horizon_variance, return_variance

HALF = F(1, 2)
P = rl.exact_array(np.array([[HALF, HALF, 0], [F(1, 4), 0, F(3, 4)], [0, 1, 0]], dtype=object))
R = rl.exact_array(np.array([[2, 4, 9], [8, 9, 0], [9, -1, 9]], dtype=object))  # 9: never paid
PAIRS: dict[str, Any] = {"pair_state": [0, 1, 1], "pair_action": [0, 0, 1], "terminal": [2]}


def ragged(exact: bool) -> MDP:
    """State 0 has one action, state 1 two; state 2 ends."""
    m = MDP.from_pairs(P, R, HALF, **PAIRS)
    return m if exact else m.float()


@pytest.mark.parametrize("exact", [True, False])
def test_csr_models_keep_them_and_take_their_mean(exact: bool) -> None:
    m = ragged(exact)
    assert m.R_pairs.tolist() == [3, 2, -1, 0]
    assert m.R_entries is not None
    assert m.R_entries.tolist() == [2, 4, 8, 0, -1, 0]  # the last: the terminal loop
    assert m.exact().R_entries.tolist() == m.R_entries.tolist()  # type: ignore[union-attr]
    assert m.replace(gamma=m.gamma / 2).R_entries is not None
    assert m.replace(R=m.R_pairs).R_entries is None


def test_sparse_and_full_rewards_agree() -> None:
    dense = MDP.from_pairs(P.astype(float), R.astype(float), 0.5, **PAIRS)
    triple = (*(sp.csr_array(P.astype(float)).__getattribute__(k) for k in ("data", "indices", "indptr")),)
    assert MDP.from_pairs(sp.csr_array(P.astype(float)), sp.csr_array(R.astype(float)), 0.5, **PAIRS) == dense
    assert MDP.from_pairs(triple, sp.csr_array(R.astype(float)), 0.5, S=3, **PAIRS) == dense


def test_a_table_of_the_wrong_shape_or_with_nan_is_refused() -> None:
    with pytest.raises(InvalidModel, match=r"R: shape=\(3, 2\)"):
        MDP.from_pairs(P, R[:, :2], HALF, **PAIRS)
    bad = R.astype(float)
    bad[1, 0] = np.nan
    with pytest.raises(InvalidModel, match=r"R\[1, 0\]=nan"):
        MDP.from_pairs(P.astype(float), bad, 0.5, **PAIRS)


def dense(spread: int) -> MDP:
    """One fair coin paying ±spread: the mean is 0 whatever the spread."""
    return MDP([[[HALF, HALF]], [[0, 1]]], [[[spread, -spread]], [[0, 0]]], HALF)


@pytest.mark.parametrize("a", [dense(1), ragged(True), ragged(False)])
def test_they_are_part_of_identity_and_literal(a: MDP) -> None:
    mean_only = a.replace(R=a.R_pairs)
    assert a != mean_only
    assert hash(a) != hash(mean_only)
    again = eval(a.literal(), {"MDP": MDP, "Fraction": F})
    assert again == a


def test_equal_means_are_not_equal_models() -> None:
    assert dense(1) != dense(2)
    assert return_variance(dense(1), [0, 0]).variance[0] != return_variance(dense(2), [0, 0]).variance[0]


@pytest.mark.parametrize("exact", [True, False])
def test_variance_of_a_ragged_model_by_hand_and_by_paths(exact: bool) -> None:
    m = ragged(exact)
    model = rl.FiniteHorizonMDP.from_mdp(m, 3)
    pi = np.array([0, 0, 0])
    mean, var = off_policy_moments(model, pi, pi)  # every path
    assert np.allclose(horizon_variance(model, pi).variance[0].astype(float), var.astype(float), atol=1e-12)
    assert np.allclose(horizon_variance(model, pi).mean[0].astype(float), mean.astype(float), atol=1e-12)
    one = horizon_variance(rl.FiniteHorizonMDP.from_mdp(m, 1), pi).variance[0]
    assert [float(v) for v in one] == pytest.approx([1, 12, 0])  # fair 2 or 4; 8 with ¼, else 0


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("make", [ragged, lambda exact: dense(3) if exact else dense(3).float()])
def test_files_keep_them(tmp_path: Path, make: Any, exact: bool) -> None:
    m = make(exact)
    for model in (m, m.exact()):
        rl.save(model, tmp_path / "m.npz")
        back = rl.load(tmp_path / "m.npz")
        assert back == model
        assert back.R_entries.tolist() == model.R_entries.tolist()


def test_restriction_keeps_those_of_the_kept_pairs() -> None:
    kept = ragged(True).restrict([True, False, True, True])
    assert kept.R_entries is not None
    assert kept.R_entries.tolist() == [2, 4, -1, 0]
