"""Finished runs on disk: one SQLite file, one row a run, written in one transaction each.

A row is keyed by the content of what was run.  Whoever runs a key holds a lock on it that the operating
system drops when the process dies, however it dies: two sweeps on one file share the work, and a killed
one leaves nothing behind but finished rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import InvalidFile

APPLICATION = 0x726C7377  # "rlsw"
VERSION = 1
PATIENCE = 60
"""Seconds to wait for another process that is writing."""

_HELD: dict[str, set[str]] = {}
_FILES: dict[str, int] = {}
_GUARD = threading.Lock()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class RunStore:
    """Rows by key in the SQLite file `path`.

    Raises
    ------
    InvalidFile
        If the file is not a store of this library, is damaged, or cannot be read or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        if self.path.is_dir():
            raise InvalidFile(
                f"sweep: store={str(path)!r} is a folder; name a file in it, such as runs.sqlite"
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self.db.close()  # and with it any lock
                raise
        except (OSError, sqlite3.Error) as exc:
            raise self._bad(exc) from exc

    def _bad(self, exc: Exception | str) -> InvalidFile:
        return InvalidFile(
            f"sweep: store={str(self.path)!r} cannot be used ({exc}); nothing was changed in it: move it "
            "away to start afresh, or give another path"
        )

    def _open(self) -> None:
        self.db.execute("BEGIN")  # both numbers of one moment: another process may be making the store
        (kind,) = self.db.execute("PRAGMA application_id").fetchone()
        (tables,) = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        self.db.execute("COMMIT")
        if kind == 0 and tables == 0:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.execute(
                "CREATE TABLE IF NOT EXISTS runs (key TEXT PRIMARY KEY, run TEXT NOT NULL, code TEXT NOT "
                "NULL, row TEXT NOT NULL, sha TEXT NOT NULL) WITHOUT ROWID"
            )
            self.db.execute(f"PRAGMA application_id = {APPLICATION}")
            self.db.execute(f"PRAGMA user_version = {VERSION}")
            self.db.execute("COMMIT")
        elif kind != APPLICATION:
            raise self._bad("it is a database of something else")
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise self._bad(f"its format is version {version}, this library writes {VERSION}")
        columns = {c[1] for c in self.db.execute("PRAGMA table_info(runs)")}
        if columns != {"key", "run", "code", "row", "sha"}:
            raise self._bad(f"table runs has columns {sorted(columns)}")
        (state,) = self.db.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise self._bad(f"it is damaged: {state}")
        self.db.execute("BEGIN IMMEDIATE")  # refused at once where the file cannot be written
        self.db.execute("ROLLBACK")

    def get(self, key: str) -> dict[str, Any] | None:
        """The row of a key; None if there is none, or if what is there is not what was written."""
        try:
            found = self.db.execute("SELECT row, sha FROM runs WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as exc:
            raise self._bad(exc) from exc
        if found is None or not isinstance(found[0], str) or _digest(key + found[0]) != found[1]:
            return None
        try:
            row = json.loads(found[0])
        except ValueError:
            return None
        whole = isinstance(row, dict) and row.get("status") in ("done", "failed")
        return (
            row
            if whole and isinstance(row.get("results", {}), dict) and {"error", "seconds"} <= set(row)
            else None
        )

    def put(self, key: str, run: str, code: str, row: dict[str, Any]) -> None:
        """Write one row; when this returns, it is on disk."""
        text = json.dumps(row)
        try:
            self.db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)",
                (key, run, code, text, _digest(key + text)),
            )
        except sqlite3.Error as exc:
            raise self._bad(exc) from exc

    def stale(self, runs: set[str], code: str) -> int:
        """How many of the runs are stored under other code only."""
        try:
            query = "SELECT run FROM runs EXCEPT SELECT run FROM runs WHERE code = ?"
            rows = self.db.execute(query, (code,)).fetchall()
        except sqlite3.Error as exc:
            raise self._bad(exc) from exc
        return len(runs & {r for (r,) in rows})

    def claim(self, key: str) -> bool:
        """Lock a key for this sweep; False if another sweep, here or in another process, is running it."""
        with _GUARD:
            held = _HELD.setdefault(str(self.path), set())
            if key in held or not self._lock(key, take=True):
                return False
            held.add(key)
            return True

    def release(self, key: str) -> None:
        """Give a lock back."""
        with _GUARD:
            held = _HELD.get(str(self.path), set())
            if key in held:
                self._lock(key, take=False)
                held.discard(key)

    def _lock(self, key: str, *, take: bool) -> bool:
        """One byte of the lock file a key; the file stays open, for closing it would drop every lock."""
        try:
            import fcntl
        except ImportError:  # no such locks here: two sweeps may then run the same row, and write it twice
            return True
        name = str(self.path) + ".lock"
        if name not in _FILES:
            _FILES[name] = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
        start = int(_digest(key)[:15], 16)
        try:
            fcntl.lockf(_FILES[name], fcntl.LOCK_EX | fcntl.LOCK_NB if take else fcntl.LOCK_UN, 1, start)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the database; locks still held stay with the process."""
        with suppress(sqlite3.Error):
            self.db.close()
