"""Bad input is refused with the offending name, index or value, and a way out; the docs page agrees."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rltheory as rl
from rltheory.errors import InvalidFile, InvalidModel, RLTheoryError
from rltheory.models import gallery as G
from tests.bad_input import case, run
from tests.unit.bad_input_cases import CASES

ROOT = Path(__file__).resolve().parents[2]


ALL = [(area, i) for area, rows in CASES.items() for i in range(len(rows))]


@pytest.mark.parametrize(("area", "i"), ALL)
def test_bad_input(area: str, i: int, tmp_path: Path) -> None:
    row = CASES[area][i]
    message = run(row, tmp_path)
    for text in row.says:
        assert text in message, f"{row.code}\n  says {message!r}\n  without {text!r}"
    assert len(message) < 400
    message.encode("utf-8")


def test_the_table_is_long_and_can_fail(tmp_path: Path) -> None:
    assert len(ALL) >= 100
    good = case("rl.MDP(P, R, gamma=0.9)", InvalidModel)
    with pytest.raises(AssertionError, match="nothing raised"):
        run(good, tmp_path)
    other = case("rl.MDP(P, R, gamma=1)", InvalidFile)
    with pytest.raises(AssertionError, match="expected InvalidFile"):
        run(other, tmp_path)


def test_the_page_is_in_sync() -> None:
    command = [sys.executable, "docs/make_bad_input.py", "--check"]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stdout


# ---- files cut, garbled or forged anywhere -----------------------------------------------


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("good")
    model = G.random_garnet(6, 2, 2, 0.9, 0)
    out = {}
    for suffix in (".npz", ".drn", ".tra"):
        rl.save(model, folder / f"m{suffix}")
        out[suffix] = (folder / f"m{suffix}").read_bytes()
    return out


@pytest.mark.parametrize("suffix", [".npz", ".drn", ".tra"])
def test_a_truncated_file_is_refused(suffix: str, originals: dict[str, bytes], tmp_path: Path) -> None:
    whole, path = originals[suffix].rstrip(), tmp_path / f"m{suffix}"
    last = whole.rindex(b" ") if suffix != ".npz" else len(whole)  # a number may lose digits and stay one
    for cut in range(0, last, max(1, last // 150)):
        path.write_bytes(whole[:cut])
        with pytest.raises(InvalidFile, match=path.name):
            rl.load(path, gamma=0.9)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([".npz", ".drn", ".tra"]), st.data())
def test_garbled_bytes_give_a_model_or_an_error_of_ours(
    originals: dict[str, bytes], tmp_path: Path, suffix: str, data: st.DataObject
) -> None:
    raw = bytearray(originals[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"m{suffix}"
    path.write_bytes(bytes(raw))
    try:
        said = None if isinstance(rl.load(path, gamma=0.9), rl.MDP) else "no model"
    except RLTheoryError as exc:
        said = str(exc)
    if said is not None:
        assert path.name in said
        said.encode("utf-8")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["m.npz", "m.drn", "m.tra"]), st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(InvalidFile, match=name):
        rl.load(tmp_path / name, gamma=0.9)


def members() -> Iterator[tuple[str, np.ndarray]]:
    yield "0.indices", np.array([10**6, 0] * 12, dtype=np.int32)
    yield "0.indices", np.array([-1, 0] * 12, dtype=np.int32)
    yield "0.indptr", np.arange(3)
    yield "0.indptr", np.array([0] + [10**9] * 12)
    yield "0.data", np.full(24, np.nan)
    yield "0.R", np.full(12, np.inf)
    yield "0.shape", np.array([10**15, 2, 12])
    yield "0.shape", np.array([6, 2])
    yield "0.pair_state", np.zeros(12, dtype=np.int64)
    yield "0.terminal", np.zeros(10**3, dtype=bool)
    yield "0.gamma", np.frombuffer(b"3\nnan", dtype=np.uint8)
    yield "0.gamma", np.frombuffer(b"9\n1", dtype=np.uint8)
    yield "0.exact", np.array([], dtype=bool)
    yield "kind", np.frombuffer(b"4\nevil", dtype=np.uint8)
    yield "stages", np.array(10**9)
    yield "version", np.array(2)


@pytest.mark.parametrize(("name", "value"), list(members()))
def test_forged_archives_are_refused(
    name: str, value: np.ndarray, originals: dict[str, bytes], tmp_path: Path
) -> None:
    parts = dict(np.load(io.BytesIO(originals[".npz"])))
    assert name in parts
    np.savez(tmp_path / "m.npz", **{**parts, name: value})
    with pytest.raises(InvalidFile, match=r"m\.npz"):
        rl.load(tmp_path / "m.npz")


def test_a_zip_bomb_is_refused_unread(tmp_path: Path) -> None:
    """The declared size alone is enough."""
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("version.npy", bytes(1 << 20))
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02") + 24  # uncompressed size in the central directory
    raw[at : at + 4] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(bytes(raw))
    with pytest.raises(InvalidFile, match=r"m\.npz"):
        rl.load(path)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tra"
    path.write_bytes(b"2 2 2\n" + b"1" * (3 << 20))
    with pytest.raises(InvalidFile, match=r"m\.tra:2: found '1+…', expected lines of at most"):
        rl.load(path, gamma=0.9)
