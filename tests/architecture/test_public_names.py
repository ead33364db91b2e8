"""The lazy table of public names, the stub for type checkers, and what really exists, agree."""

from __future__ import annotations

import ast
from pathlib import Path

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
