"""Reading text models line by line with errors that name file:line, and writing files atomically."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...arrays import Real
from ...errors import InvalidFile
from ...kernels import text as kernel

MAX_LINE = 1 << 20
"""Longest accepted line, in characters."""
CHUNK = 1 << 18
"""Characters read at a time."""
BULK = 1 << 20
"""Bytes from which a file of doubles is read by the kernels: below, compiling them would take longer."""


class Reader:
    """The lines of a UTF-8 text file, stripped; blank lines and comments skipped.

    Iterating yields lines; `number` is the line number of the last one, and `notes` collects the
    comments that start with `keep`.  `plain` is True while all text read is ASCII without underscores.
    """

    def __init__(self, path: str | os.PathLike[str], *, comments: str, keep: str | None = None) -> None:
        self.path, self.number, self.comments = Path(path), 0, comments
        self.keep, self.plain = keep, True
        self.notes: list[str] = []
        try:
            self.size = self.path.stat().st_size
            self._file = self.path.open(encoding="utf-8", errors="surrogateescape", newline=None)
        except OSError as exc:
            raise InvalidFile(f"{self.path}: cannot be read ({exc.strerror}); check the path") from exc
        self._block, self._at = [""], 1
        self._blocks: Iterator[str] = self._split()
        self._lines: Iterator[str] = self._each()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        self._lines = self._blocks = iter(())  # they refer to self
        self._block = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            if kept := self.kept(line):
                yield kept

    def kept(self, line: str) -> str:
        """The line, stripped; "" for a comment, which may be noted."""
        line = line.strip()
        if line.startswith(self.comments):
            if self.keep is not None and line.startswith(self.keep):
                self.notes.append(line)
            return ""
        return line

    def _split(self) -> Iterator[str]:
        """Blocks of whole lines without the last line end, checked for bytes that are no text."""
        rest, more = "", True
        while more:
            chunk = self._file.read(CHUNK)
            more = chunk != ""
            block, cut, rest = (rest + chunk).rpartition("\n") if more else (rest, "\n", "")
            if len(rest) > MAX_LINE:
                self.number += block.count("\n") + len(cut) + 1
                self.fail(rest, f"lines of at most {MAX_LINE} characters")
            self.plain = self.plain and chunk.isascii() and "_" not in chunk
            if "\0" in chunk or not (chunk.isascii() or _is_text(chunk)):
                lines = [*block.split("\n"), rest] if cut else [rest]
                bad = next((i for i, x in enumerate(lines) if "\0" in x or not _is_text(x)), 0)
                self.number += bad + 1
                self.fail(lines[bad], "UTF-8 text; is this a binary or compressed file?")
            if cut:
                yield block

    def _each(self) -> Iterator[str]:
        """Lines as they are."""
        for block in self._blocks:
            self._block, self._at = block.split("\n"), 0
            for line in self._block:
                self._at += 1
                yield line

    def rest(self) -> Iterator[str]:
        """What follows the last line read, as blocks of whole lines; `number` is left to the caller."""
        if self._at < len(self._block):
            yield "\n".join(self._block[self._at :]) + "\n"
        for block in self._blocks:
            yield block + "\n"

    def rows(self, block: str) -> tuple[list[int], list[list[str]]]:
        """Line numbers and tokens of the lines of a block of `rest`."""
        numbers: list[int] = []
        rows: list[list[str]] = []
        for line in block[:-1].split("\n"):
            self.number += 1
            if kept := self.kept(line):
                numbers.append(self.number)
                rows.append(kept.split())
        return numbers, rows

    def line(self, expected: str) -> str:
        """The next line, or an error that the file ends here."""
        for line in self:
            return line
        raise InvalidFile(
            f"{self.path}:{self.number}: the file ends here, expected {expected}; is it truncated?"
        )

    def raw(self) -> str:
        """The next line as it is, stripped, blank or not; "" at the end."""
        self.number += 1
        return next(self._lines, "").strip()

    def fail(self, found: str, expected: str) -> NoReturn:
        """Raise `InvalidFile` for the current line."""
        raise InvalidFile(f"{self.path}:{self.number}: found {clip(found)!r}, expected {expected}")

    def index(self, token: str, bound: int, what: str) -> int:
        """A non-negative integer below `bound`."""
        if not (token.isdigit() and token.isascii() and len(token) < 20 and int(token) < bound):
            self.fail(token, f"{what} in 0..{bound - 1}" if bound > 0 else f"no {what}: none was declared")
        return int(token)

    def count(self, token: str, what: str, *, held: bool = True) -> int:
        """A declared size ≥ 0; if `held`, one that a file of this many bytes can hold."""
        if not (token.isdigit() and token.isascii() and len(token) < 20):
            self.fail(token, f"{what}, an integer ≥ 0")
        if held and int(token) > self.size:
            self.fail(token, f"{what} that a file of {self.size} bytes can hold")
        return int(token)

    def number_of(self, token: str, exact: bool, what: str) -> Any:
        """A finite decimal or p/q: a `Fraction` if `exact`, else the nearest double."""
        value = parse_number(token, exact)
        if value is None:
            self.fail(token, f"{what}: a finite decimal, or p/q")
        return value


@dataclass
class Rows:
    """Columns of a file of rows "integer … integer number [word]"."""

    integers: list[NDArray[np.int64]]
    values: NDArray[Any]
    words: list[str]
    word: NDArray[np.int64]
    lines: NDArray[np.int64]


def read_rows(
    f: Reader, fields: Sequence[tuple[int, str]], form: str, exact: bool, what: str, *, word: bool = False
) -> Rows:
    """The rest of the file as rows of integers (bound, name), one number and, if `word`, maybe a word.

    `words[word[k]]` is the word of row k, "" if it has none.
    """
    parts: list[list[NDArray[Any]]] = []
    place, numbers = {"": 0}, []
    for block in f.rest():
        quick = None if exact or f.size < BULK else _quick_columns(f, block, [b for b, _ in fields], word)
        if quick is not None:
            lines, cols = quick
        else:
            at, rows = f.rows(block)
            if not rows:
                continue
            lines, cols = np.array(at, dtype=np.int64), _columns(rows, fields, exact, f.plain)
            if cols is None or len(cols) > len(fields) + 1 + word:
                cols = _one_by_one(f, at, rows, fields, form, exact, what, word)
        names = cols[len(fields) + 1] if len(cols) > len(fields) + 1 else [""] * len(lines)
        for name in dict.fromkeys(names):
            place.setdefault(name, len(place))
        code = np.fromiter(map(place.__getitem__, names), np.int64, len(names))
        parts.append([*cols[: len(fields) + 1], code])
        numbers.append(lines)
    empty = [np.empty(0, dtype=np.int64) for _ in fields]
    joined = (
        [np.concatenate(c) for c in zip(*parts, strict=True)]
        if parts
        else [*empty, as_array([], exact), empty[0]]
    )
    return Rows(joined[:-2], joined[-2], list(place), joined[-1], np.concatenate([empty[0], *numbers]))


class Column:
    """A vector that grows, by single values or by arrays, in memory it does not share."""

    def __init__(self, dtype: Any) -> None:
        self._all = np.empty(1 << 10, dtype=dtype)
        self._n = 0
        self._tail: list[Any] = []
        self.append = self._tail.append

    def __len__(self) -> int:
        return self._n + len(self._tail)

    def extend(self, values: NDArray[Any] | list[Any]) -> None:
        """Add values, converted to the type of the column."""
        if self._tail and values is not self._tail:
            self.extend(self._tail)
            self._tail.clear()
        n = self._n + len(values)
        if n > self._all.size:
            self._all.resize(n + n // 8, refcheck=False)
        self._all[self._n : n] = values
        self._n = n

    def array(self) -> NDArray[Any]:
        """The values; the column is done with."""
        self.extend([])
        self._all.resize(self._n, refcheck=False)
        return self._all


class Tokens:
    """Tokens of one block of ASCII lines, see `kernels.text`; the arrays are used again for the next."""

    def __init__(self, *, marks: bool) -> None:
        self.marks, self.count, self.text = marks, 0, ""
        self.raw = np.empty(0, dtype=np.uint8)
        self.powers = np.array([10.0**i for i in range(23)])
        self.arrays: tuple[NDArray[Any], ...] = ()

    def read(self, text: str) -> bool:
        """Split `text`, which ends with a line end; False if it is not ASCII."""
        if not text.isascii():
            return False
        self.text, self.raw = text, np.frombuffer(text.encode("ascii"), dtype=np.uint8)
        if not self.arrays or self.arrays[0].size < self.raw.size:
            types = (np.uint8, np.int32, np.int32, np.int32, np.int64, np.float64)
            self.arrays = tuple(np.empty(self.raw.size, dtype=t) for t in types)
        self.count = kernel.tokenise(self.raw, self.marks, self.powers, *self.arrays)
        kind, start, end, _, _, value = self.arrays
        pending = np.flatnonzero(kind[: self.count] == kernel.PENDING)
        ends = zip(start[pending].tolist(), end[pending].tolist(), strict=True)
        if pending.size:
            value[pending] = [float(text[a:b]) for a, b in ends]
        return True


def _quick_columns(
    f: Reader, block: str, bounds: Sequence[int], word: bool
) -> tuple[NDArray[np.int64], list[Any]] | None:
    """Line numbers and columns of a block of plain rows of one length; None for any other."""
    k, tokens = len(bounds), Tokens(marks=False)
    if not tokens.read(block) or tokens.count == 0:
        return None
    kind, start, end, line, integer, value = (x[: tokens.count] for x in tokens.arrays)
    width = int(np.searchsorted(line, line[0], side="right"))
    if width not in (k + 1, k + 1 + word) or tokens.count % width:
        return None
    kind, at, integer = kind.reshape(-1, width), line.reshape(-1, width), integer.reshape(-1, width)
    good = (at == at[:, :1]).all() and (np.diff(at[:, 0]) > 0).all()
    good = good and (kind[:, :k] == kernel.INTEGER).all() and (kind[:, k] != kernel.WORD).all()
    if not good or any((integer[:, i] >= bound).any() for i, bound in enumerate(bounds)):
        return None
    cols: list[Any] = [integer[:, i].copy() for i in range(k)]
    cols.append(value.reshape(-1, width)[:, k].copy())
    if width > k + 1:
        ends = zip(start[k + 1 :: width].tolist(), end[k + 1 :: width].tolist(), strict=True)
        cols.append([block[a:b] for a, b in ends])
    lines = f.number + 1 + at[:, 0].astype(np.int64)
    f.number += block.count("\n")
    return lines, cols


def _columns(rows: list[list[str]], fields: Sequence[tuple[int, str]], exact: bool, plain: bool) -> Any:
    """The columns of well-formed rows of one length; None if anything is amiss."""
    k = len(fields)
    if not plain and not all("_" not in t and t.isascii() for row in rows for t in row[: k + 1]):
        return None
    try:
        cols = list(zip(*rows, strict=True))
        out: list[Any] = [np.fromiter(map(int, col), np.int64, len(rows)) for col in cols[:k]]
        values: Any = [parse_number(t, True) for t in cols[k]] if exact else list(map(float, cols[k]))
    except (ValueError, IndexError, OverflowError):
        return None
    if exact and None in values:
        return None
    out.append(as_array(values, exact))
    good = exact or bool(np.isfinite(out[-1]).all())
    good = good and all(
        c.min() >= 0 and c.max() < bound for c, (bound, _) in zip(out[:k], fields, strict=True)
    )
    return [*out, *cols[k + 1 :]] if good else None


def _one_by_one(
    f: Reader,
    lines: list[int],
    rows: list[list[str]],
    fields: Sequence[tuple[int, str]],
    form: str,
    exact: bool,
    what: str,
    word: bool,
) -> list[Any]:
    """As `_columns`, row by row: mixed lengths, p/q among doubles, and the error of the first bad row."""
    k = len(fields)
    out: list[list[Any]] = [[] for _ in range(k + 2)]
    for number, row in zip(lines, rows, strict=True):
        f.number = number
        if len(row) not in (k + 1, k + 1 + word):
            f.fail(" ".join(row), form)
        for store, token, (bound, name) in zip(out, row, fields, strict=False):
            store.append(f.index(token, bound, name))
        out[k].append(f.number_of(row[k], exact, what))
        out[k + 1].append(row[k + 1] if len(row) > k + 1 else "")
    return [*(np.array(c, dtype=np.int64) for c in out[:k]), as_array(out[k], exact), out[k + 1]]


def as_array(values: Any, exact: bool) -> NDArray[Any]:
    """1-D array of doubles, or of Fractions."""
    if not exact:
        return np.array(values, dtype=np.float64)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def zeros(n: int, exact: bool) -> NDArray[Any]:
    """(n,) zeros of either number system."""
    return as_array([Fraction(0)] * n if exact else np.zeros(n), exact)


def _is_text(text: str) -> bool:
    """False if undecodable bytes were read (as lone surrogates)."""
    return not any("\udc80" <= c <= "\udcff" for c in text)


def parse_number(token: str, exact: bool) -> Fraction | float | None:
    """A finite decimal or p/q as Fraction or double; None if it is neither."""
    if "_" in token or not token.isascii():
        return None
    try:
        if exact or "/" in token:
            exponent = token.lower().partition("e")[2]
            if len(token) > 4000 or (exponent and abs(int(exponent)) > 400):
                return None
            value = Fraction(token)
            return value if exact else value.numerator / value.denominator
        x = float(token)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return x if math.isfinite(x) else None


def clip(text: str, width: int = 60) -> str:
    """`text`, shortened for a message; undecodable bytes become backslash escapes."""
    if not _is_text(text):
        text = text[:width].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text if len(text) <= width else text[: width - 1] + "…"


def spell(x: Real) -> str:
    """p/q for rationals, the shortest decimal that reads back to the same double for floats."""
    return str(x) if isinstance(x, (Fraction, int)) else repr(float(x))


@contextmanager
def atomic(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """A file that appears at `path` complete or not at all."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    kind = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        file = partial.open(mode.replace("w", "x"), **kind)  # type: ignore[call-overload]
    except OSError as exc:
        raise InvalidFile(f"{target}: cannot be written ({exc.strerror}); check the folder") from exc
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
