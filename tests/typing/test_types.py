"""mypy agrees with the pins, and finds the mistakes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def errors(name: str) -> dict[int, set[str]]:
    """{line: error codes} that mypy --strict reports in one file of this folder."""
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(HERE / name)]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    found: dict[int, set[str]] = {}
    for line, code in re.findall(rf"{re.escape(name)}:(\d+): error: .*\[([\w-]+)\]", out.stdout):
        found.setdefault(int(line), set()).add(code)
    assert found or "Success" in out.stdout or "Found" in out.stdout, out.stdout + out.stderr
    return found


def test_the_pins_hold() -> None:
    assert errors("pins.py") == {}


def test_the_mistakes_are_found() -> None:
    lines = (HERE / "mistakes.py").read_text(encoding="utf-8").splitlines()
    expected = {i: {m[1]} for i, ln in enumerate(lines, 1) if (m := re.search(r"# expect: ([\w-]+)$", ln))}
    assert errors("mistakes.py") == expected
