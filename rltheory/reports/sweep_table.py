"""The tidy table of a sweep: one row a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from ..errors import InvalidArgument, MissingBackend
from .text import columns, count

Row: TypeAlias = dict[str, Any]
"""One run: its point, seed, results, `status` ("done", "failed"), `error`, `seconds`."""

OWN = ("status", "error", "seconds")
"""The columns every run has."""


@dataclass(frozen=True)
class SweepTable:
    """Rows of a sweep in the order of the grid, seeds fastest.

    Attributes
    ----------
    rows
        One `Row` a run.
    reused
        Rows that were read from the store.
    stale
        Runs that the store holds for other code of the same function; none of them was used.
    """

    rows: tuple[Row, ...]
    reused: int = 0
    stale: int = 0
    parameters: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> list[Any]:
        return self.column(name)

    @property
    def names(self) -> list[str]:
        """Column names: parameters, seed, results in the order they first occur, then the library's own."""
        seen = dict.fromkeys(self.parameters)
        for row in self.rows:
            seen.update(dict.fromkeys(k for k in row if k not in OWN))
        return [*seen, *OWN]

    def column(self, name: str) -> list[Any]:
        """One column; None where a run has no such result.

        Raises
        ------
        InvalidArgument
            If no run has it.
        """
        if name not in self.names:
            raise InvalidArgument(f"column: name={name!r} is not among {self.names}")
        return [row.get(name) for row in self.rows]

    @property
    def failed(self) -> tuple[Row, ...]:
        """The runs that raised."""
        return tuple(row for row in self.rows if row["status"] == "failed")

    def where(self, **values: Any) -> SweepTable:
        """The rows whose columns have these values."""
        for name in values:
            self.column(name)
        keep = tuple(r for r in self.rows if all(_same(r.get(k), v) for k, v in values.items()))
        return SweepTable(keep, self.reused, self.stale, self.parameters)

    def to_dataframe(self) -> Any:
        """A pandas DataFrame, one row a run."""
        try:
            import pandas as pd
        except ImportError as exc:
            raise MissingBackend("to_dataframe needs pandas: pip install rltheory[io]") from exc
        return pd.DataFrame(list(self.rows), columns=self.names)

    def __str__(self) -> str:
        names = [n for n in self.names if n != "error" or self.failed]
        shown = self.rows if len(self.rows) <= 40 else (*self.rows[:20], *self.rows[-20:])
        body = columns(tuple(names), [[_cell(r.get(n)) for n in names] for r in shown])
        tail = f"{count(len(self.rows), 'run')}, {len(self.failed)} failed, {self.reused} from the store"
        return f"{body}\n\n{tail}"

    def _repr_html_(self) -> str:
        from html import escape

        names = [n for n in self.names if n != "error" or self.failed]
        head = "".join(f"<th>{escape(n)}</th>" for n in names)
        shown = self.rows if len(self.rows) <= 60 else (*self.rows[:30], *self.rows[-30:])
        lines = [
            "<tr>" + "".join(f"<td>{escape(_cell(r.get(n)))}</td>" for n in names) + "</tr>" for r in shown
        ]
        tail = f"{count(len(self.rows), 'run')}, {len(self.failed)} failed, {self.reused} from the store"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table><p>{tail}</p>"


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.shape(a) == np.shape(b) and bool(np.all(np.equal(a, b)))
    return bool(a == b)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, np.ndarray)):
        return f"[{len(value)} numbers]"
    text = str(value).strip().splitlines()
    return (text[-1] if text else "")[:60]
