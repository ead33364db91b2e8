"""Finished verdicts on disk: one JSON file a claim, written whole or not at all.

A verdict is keyed by a hash of the library's and the paper's source, n and seed: it is reused only while
nothing that could change it has changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ..checks.certificates import write_json
from ..checks.discover import Found

LIBRARY = Path(__file__).resolve().parents[1]


@cache
def _digest(folder: Path) -> str:
    h = hashlib.sha256()
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*.py")):
        h.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return h.hexdigest()


def key(found: Found, n: int, seed: int) -> str:
    """What a verdict depends on, as 32 hex digits."""
    spec = importlib.util.find_spec(found.module.partition(".")[0])
    places = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
    if spec and not places and spec.origin:
        places = [Path(spec.origin)]
    parts = [_digest(LIBRARY), *(_digest(p) for p in places), found.module, found.variable, str(n), str(seed)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


class Store:
    """Verdicts under `root`/verdicts."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root) / "verdicts"

    def _path(self, id: str) -> Path:
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in id)
        return self.root / f"{safe[:180]}.json"

    def save(self, found: Found, summary: dict[str, Any]) -> Path:
        """Write one verdict."""
        saved = {"key": key(found, summary["n"], summary["seed"]), "summary": summary}
        return write_json(saved, self._path(found.id))

    def last(self, id: str) -> dict[str, Any] | None:
        """The last verdict saved for a claim, whatever its key; None if there is none or it is unreadable."""
        saved = self._read(self._path(id))
        return saved["summary"] if saved else None

    def same(self, found: Found, n: int, seed: int) -> dict[str, Any] | None:
        """The saved verdict of this claim under this code, n and seed."""
        saved = self._read(self._path(found.id))
        return saved["summary"] if saved and saved.get("key") == key(found, n, seed) else None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self.root.glob("*.json")):
            if saved := self._read(path):
                yield saved["summary"]

    @staticmethod
    def _read(path: Path) -> dict[str, Any] | None:
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return saved if isinstance(saved, dict) and isinstance(saved.get("summary"), dict) else None
