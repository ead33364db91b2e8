"""The lazy table of public names, the stub for type checkers, and what really exists, agree."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

import rltheory


def stub_names() -> set[str]:
    tree = ast.parse(Path(rltheory.__file__).with_suffix(".pyi").read_text())
    return {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_every_public_name_loads() -> None:
    for name in rltheory.__all__:
        assert getattr(rltheory, name) is not None


def test_the_stub_lists_the_same_names() -> None:
    assert stub_names() == set(rltheory.__all__)


def test_at_most_sixty_names() -> None:
    assert len(rltheory.__all__) <= 60


@pytest.mark.parametrize("name", ["models", "operators", "results", "solvers"])
def test_packages_and_their_stubs_agree(name: str) -> None:
    package = import_module(f"rltheory.{name}")
    stub = ast.parse(Path(package.__file__ or "").with_suffix(".pyi").read_text())
    listed = {a.asname or a.name for n in stub.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert listed == set(package.__all__) == set(dir(package))
    assert all(getattr(package, x) is not None for x in listed)
