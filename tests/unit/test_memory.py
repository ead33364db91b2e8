"""Bytes taken on top of a model while it is built and read, counted by `tracemalloc`."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.arrays import chunks, owned
from rltheory.errors import InvalidFile, InvalidModel
from rltheory.models import io

S, A, B = 40_000, 4, 10


def peak(call: Callable[[], Any]) -> tuple[Any, int, int]:
    """The result, the most bytes held during the call, and those still held after it."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = call()
        now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return result, most - before, now - before


@pytest.fixture(scope="module")
def large() -> rl.MDP:
    return rl.gallery.random_garnet(S, A, B, 0.9, 0)


def parts(mdp: rl.MDP) -> tuple[tuple[Any, ...], dict[str, Any]]:
    where = {"pair_state": mdp.pair_state, "pair_action": mdp.pair_action, "S": mdp.S}
    return (mdp.csr, mdp.R_pairs, mdp.gamma), where


def test_a_model_holds_its_arrays_and_nothing_else(large: rl.MDP) -> None:
    mdp, _, held = peak(lambda: rl.gallery.random_garnet(S, A, B, 0.9, 0))
    assert mdp.nbytes == 12 * S * A * B + 8 * (2 * S * A + 1 + S + 1)
    assert held < 1.02 * mdp.nbytes
    assert large == mdp


def test_read_only_arrays_are_taken_over(large: rl.MDP) -> None:
    args, where = parts(large)
    mdp, most, _ = peak(lambda: rl.MDP.from_pairs(*args, **where))
    assert most < 0.25 * large.nbytes
    assert all(x is y for x, y in zip(mdp.csr, large.csr, strict=True))


def test_writable_arrays_are_copied_once(large: rl.MDP) -> None:
    (csr, R, gamma), where = parts(large)
    mine = tuple(np.array(x) for x in csr)
    mdp, most, _ = peak(lambda: rl.MDP.from_pairs(mine, R, gamma, **where))
    assert most < 1.25 * large.nbytes
    mine[0][:] = 0.0
    assert mdp == large


def test_a_file_is_read_into_the_arrays_of_the_model(large: rl.MDP, tmp_path: Path) -> None:
    path = io.save(large, tmp_path / "m.npz")
    mdp, most, held = peak(lambda: io.load(path))
    assert mdp == large
    assert most < 1.3 * large.nbytes
    assert held < 1.02 * large.nbytes


def test_a_file_cut_short_is_named(large: rl.MDP, tmp_path: Path) -> None:
    path = io.save(large, tmp_path / "m.npz")
    path.write_bytes(path.read_bytes()[: 4 << 20])
    with pytest.raises(InvalidFile, match="truncated"):
        io.load(path)


@pytest.mark.parametrize("change", [(70_000, -0.1), (70_000, np.nan), (70_000, np.inf), (70_000, 0.3)])
def test_the_first_bad_entry_is_found_in_any_piece(large: rl.MDP, change: tuple[int, float]) -> None:
    (csr, R, gamma), where = parts(large)
    data = csr[0].copy()
    data[change[0] * B] = change[1]
    s, a = divmod(change[0], A)
    with pytest.raises(InvalidModel, match=rf"(\[{s}, {a}, |\(s={s}, a={a}\))"):
        rl.MDP.from_pairs((data, *csr[1:]), R, gamma, **where)


def test_the_first_unsorted_pair_is_found_in_any_piece(large: rl.MDP) -> None:
    args, where = parts(large)
    for k in (3, (1 << 16) - 1, 1 << 16, S * A - 2):
        pa = where["pair_action"].copy()
        pa[k + 1] = pa[k]
        ps = where["pair_state"].copy()
        ps[k + 1] = ps[k]
        with pytest.raises(InvalidModel, match=f"pair {k + 1} "):
            rl.MDP.from_pairs(*args, **(where | {"pair_action": pa, "pair_state": ps}))


def test_an_index_beyond_32_bits_does_not_come_back_into_range() -> None:
    P = ([1.0, 1.0], np.array([0, 2**32 + 1]), [0, 1, 2])
    with pytest.raises(InvalidModel, match="moves to state 4294967297"):
        rl.MDP.from_pairs(P, [0, 0], 0.9, pair_state=[0, 1], pair_action=[0, 0], S=2)


def test_an_empty_row_is_refused() -> None:
    with pytest.raises(InvalidModel, match=r"\(s=0, a=0\) sums to 0"):
        rl.MDP.from_pairs(([1.0], [0], [0, 0, 1]), [0, 0], 0.9, pair_state=[0, 1], pair_action=[0, 0], S=2)


def test_actions_that_differ_by_state_survive_copies() -> None:
    P = ([1.0] * 3, [0, 1, 0], [0, 1, 2, 3])
    mdp = rl.MDP.from_pairs(P, [1, 2, 3], 0.5, pair_state=[0, 0, 1], pair_action=[0, 2, 1], S=2)
    for m in (mdp, mdp.replace(gamma=0.25), mdp.exact(), mdp.restrict([True, True, True])):
        assert m.pair_state.tolist() == [0, 0, 1]
        assert m.pair_action.tolist() == [0, 2, 1]
        assert m.chosen_actions(np.array([1, 2])).tolist() == [2, 1]
    kept = mdp.restrict([False, True, True])
    assert (kept.pair_state.tolist(), kept.pair_action.tolist()) == ([0, 1], [2, 1])
    even = rl.MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.5).restrict([[False, True]])
    assert (even.pair_action.tolist(), even.A) == ([1], 2)


def test_owned_and_chunks() -> None:
    x = np.arange(3.0)
    assert owned(x) is not x
    x.flags.writeable = False
    assert owned(x) is x
    assert owned(x, np.float64) is x
    assert owned(x[:2]) is not x[:2]
    assert owned(x, np.int64).dtype == np.int64
    assert list(chunks(5, 2)) == [(0, 2), (2, 4), (4, 5)]
    assert list(chunks(0)) == []


def test_sup_norm_of_doubles() -> None:
    assert rl.sup_norm(np.array([-3.0, 2.0])) == 3.0
    assert np.isnan(rl.sup_norm(np.array([1.0, np.nan])))
    assert str(rl.sup_norm(np.array([-0.0]))) == "0.0"


def test_solving_takes_the_rows_of_one_policy_and_a_few_vectors(large: rl.MDP) -> None:
    rl.solve(rl.gallery.random_garnet(500, A, B, 0.9, 0))
    mdp = rl.MDP.from_pairs(*parts(large)[0], **parts(large)[1])
    sol, most, held = peak(lambda: rl.solve(mdp))
    assert sol.solver == "ModifiedPolicyIteration"
    residuals = 8 * 100_000
    assert most < 12 * S * B + 6 * 8 * S + residuals + 200_000
    assert held < 6 * 8 * S
    assert {"pair_state", "pair_action"}.isdisjoint(vars(mdp))


def test_huge_values_leave_the_probe_in_doubles() -> None:
    mdp = rl.gallery.random_garnet(300, 3, 4, 0.9, 0)
    sol = rl.solve(mdp.replace(R=mdp.R_pairs * 1e300))
    assert sol.status.ok
    assert np.allclose(sol.V / 1e300, rl.solve(mdp).V, rtol=1e-6)


def test_a_text_model_is_read_in_pieces(tmp_path: Path) -> None:
    path = io.save(rl.gallery.random_garnet(10_000, 2, 20, 0.9, 0), tmp_path / "m.drn")
    io.load(path)
    mdp, most, held = peak(lambda: io.load(path))
    assert path.stat().st_size > 10 << 20
    assert most < 2.2 * mdp.nbytes + (12 << 20)
    assert held < 1.1 * mdp.nbytes
