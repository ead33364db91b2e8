"""The pytest plugin collects claims and their mutants, and fails on a surprise."""

from __future__ import annotations

from pathlib import Path

import pytest

import rltheory

pytest_plugins = ["pytester"]

MODULE = """
from dataclasses import dataclass
from fractions import Fraction
from hypothesis import strategies as st
from rltheory.checks import *

PAPER = Paper("toy", "A", "T", 2000)

@dataclass(frozen=True)
class Num:
    a: Fraction

def claim(k, expect=CERTIFIED):
    return Claim(
        statement="k·a ≤ a²", source=PAPER.at("1"), let=st.integers(1, 1000).map(lambda i: Num(Fraction(i))),
        assume=[], then=Leq(lambda x: k * x.a, lambda x: x.a**2), tight=Tight(Num(Fraction(1)), within=0),
        mutants=[Mutant("a² ≤ a", then=Leq(lambda x: x.a**2, lambda x: x.a))], expect=expect)

good = claim(1)
bad = claim(2)
too_modest = claim(1, SUPPORTED)
"""


def test_claims_are_items(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(rltheory.__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # it may be installed as a plugin already
    pytester.makeini("[pytest]\nclaim_files = papers/*.py\n")
    folder = pytester.mkdir("papers")
    (folder / "toy.py").write_text(MODULE)
    (Path(pytester.path) / "other.py").write_text("raise RuntimeError('not collected')")
    plugin = ("-p", "rltheory.checks.pytest_plugin")
    result = pytester.runpytest_subprocess(*plugin, "-q", "-rA", "--claim-draws=60")
    result.assert_outcomes(passed=3, failed=3)
    out = result.stdout.str()
    assert "good[mutant: a² ≤ a]" in out
    assert "Num(a=1)" in out  # the counter-example of `bad`, without a traceback
    assert "expected SUPPORTED" in out and "Traceback" not in out
