"""The benchmark of laws: peers are compared with our answer before they are timed; times are not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import distributional as bench
from benchmarks import laws_peers, table

ARGS = SimpleNamespace(quiet=True, repeats=1, python=sys.executable)


def test_every_competitor_has_a_row_and_the_same_answer() -> None:
    result = bench.measure(ARGS, bench.TINY)  # type: ignore[arg-type]
    rows = result["table"]
    names = {name for peers in laws_peers.PEERS.values() for name in peers}
    assert names <= {row["who"] for row in rows}
    for row in rows:
        assert row["status"] == "" or row["status"].startswith("not installed"), row
        if row["off by"] != "":
            assert row["off by"] <= bench.CLOSE
    assert "numpy bincount" in table.plain(rows)
    assert json.dumps(result)


def test_a_peer_with_another_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(job: Any, x: Any, args: Any) -> Any:
        return [
            ("wrong", {"cpu": 1e-3}, np.zeros_like(x["laws"])),
            ("gone", {"status": "not installed"}, None),
        ]

    monkeypatch.setattr(bench, "_peers", wrong)
    rows = bench.measure(ARGS, bench.TINY[:1])["table"]  # type: ignore[arg-type]
    assert "not the same law" in rows[2]["status"]
    assert rows[3]["status"] == "not installed"


def test_the_pages_record_is_complete() -> None:
    path = Path(bench.__file__).parent / "results" / "distributional.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert {row["what"] for row in record["table"]} == {job.name for job in bench.JOBS}
