"""The benchmark of paths: peers are compared with the exact moments before they are timed; times are not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import paths as bench
from benchmarks import paths_peers

ARGS = SimpleNamespace(quiet=True, repeats=1, python=sys.executable)


def test_every_competitor_has_a_row_and_the_right_moments() -> None:
    rows = bench.measure(ARGS, bench.TINY)["table"]  # type: ignore[arg-type]
    assert {"rltheory", *paths_peers.PEERS} == {row["who"] for row in rows}
    for row in rows:
        if row["ms"] == "":
            assert "not installed" in row["status"] or "no noncentral" in row["status"], row
        else:
            assert row["status"] == "", row


def test_another_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: Any = {"wrong": {"cpu": 1.0, "mean": 0.3, "var": 0.2}, "gone": {"status": "not installed"}}
    monkeypatch.setattr(bench, "_peers", lambda job, args: wrong)
    rows = bench.measure(ARGS, bench.TINY[:1])["table"]  # type: ignore[arg-type]
    assert "not this process" in rows[1]["status"]
    assert rows[2]["status"] == "not installed"


def test_the_record_is_complete() -> None:
    path = Path(bench.__file__).parent / "results" / "paths.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert {row["what"] for row in record["table"]} == {job.name for job in bench.JOBS}
    ours = next(row for row in record["table"] if row["who"] == "rltheory" and row["target ms"] != "")
    assert ours["within"] == "yes"
