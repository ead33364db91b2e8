"""Snippets that must be refused: how one is written, and how it is run.

`code` is run with `rl`, `np`, `F` (Fraction), `io` (rltheory.models.io) and the variables of `SETUP`, in a
folder that holds `files`.  It must raise `error` with every string of `says` in the message: the
offending name, index or value, and the way out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import rltheory as rl
from rltheory.errors import InvalidFile, RLTheoryError
from rltheory.models import io

SETUP = """
P = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.25, 0.75]]])  # (S, A, S)
R = np.array([[1.0, 2.0], [0.0, -1.0]])  # (S, A)
mdp = rl.MDP(P, R, gamma=0.9)
"""


TRA = "3 4 6\n0 0 0 0.5\n0 0 1 0.5\n0 1 2 1\n1 0 1 0.25\n1 0 2 0.75\n2 0 2 1\n"
DRN = (
    "@type: MDP\n@value_type: double\n@parameters\n\n@reward_models\nr\n@nr_states\n2\n@nr_choices\n2\n"
    "@model\nstate 0 [0] init\n\taction 0 [1]\n\t\t0 : 0.5\n\t\t1 : 0.5\n"
    "state 1 [0]\n\taction 0 [0]\n\t\t1 : 1\n"
)


@dataclass(frozen=True)
class Case:
    """A snippet, the error it must raise, and what the message must contain.

    `note` says what is wrong with the files; `quoted` is False for messages that quote another package or
    change from run to run.
    """

    code: str
    error: type[RLTheoryError]
    says: tuple[str, ...]
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    note: str = ""
    quoted: bool = True


def case(code: str, error: type[RLTheoryError], *says: str, quoted: bool = True) -> Case:
    """A snippet that needs no file."""
    return Case(code.strip(), error, says, quoted=quoted)


def in_file(
    name: str,
    *says: str,
    swap: tuple[str, str] | None = None,
    text: str | bytes | None = None,
    beside: tuple[str, str] | None = None,
    note: str = "",
    options: str = "gamma=0.9",
    error: type[RLTheoryError] = InvalidFile,
) -> Case:
    """A good file with one piece of text swapped, or other text, or a companion file beside it."""
    good = {".tra": TRA, ".drn": DRN}.get(name[-4:], "")
    files: dict[str, str | bytes] = {name: good if text is None else text}
    if swap is not None:
        assert swap[0] in good
        files[name] = good.replace(*swap)
        old, new = (repr(x)[1:-1] for x in swap)
        note = f"{name}: {old!r} became {new!r}" if new else f"{name} ends before {old!r}"
    if text is not None and not note:
        note = f"{name} is {text!r}" if text else f"{name} is empty"
    if beside is not None:
        files[beside[0]] = beside[1]
        note = f"{beside[0]} is {beside[1]!r}"
    return Case(
        f"rl.load({name!r}, {options})" if options else f"rl.load({name!r})", error, says, files, note
    )


@contextmanager
def folder(path: Path) -> Iterator[None]:
    old = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(old)


def run(c: Case, where: Path) -> str:
    """Run the snippet in `where`; the message, or AssertionError if it does not raise as it should."""
    for name, text in c.files.items():
        (where / name).write_bytes(text.encode() if isinstance(text, str) else text)
    names: dict[str, Any] = {"rl": rl, "np": np, "F": Fraction, "io": io}
    exec(SETUP, names)
    with folder(where):
        try:
            exec(c.code, names)
        except RLTheoryError as exc:
            if type(exc) is not c.error:
                raise AssertionError(f"{type(exc).__name__}, expected {c.error.__name__}: {exc}") from exc
            return str(exc)
    raise AssertionError(f"nothing raised by: {c.code}")
