"""The members of an archive of plain arrays: written whole, read without pickle, sizes checked first."""

from __future__ import annotations

import math
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...arrays import frozen, owned
from ...errors import InvalidFile
from ._text import atomic, parse_number, spell

VERSION = 1
MAX_BYTES = 1 << 34
"""Largest total size read, uncompressed."""
PIECE = 1 << 20
"""Bytes read at a time."""


def write(path: Path, members: dict[str, Any]) -> None:
    """Write all members, or nothing."""
    with atomic(path, "wb") as out:
        np.savez(out, allow_pickle=False, **{k: _plain(v) for k, v in members.items()})


def open_archive(where: Path) -> File:
    """The members of a file of this version.

    Raises
    ------
    InvalidFile
        If the file is no such archive, is truncated, holds pickles, or declares sizes that are not there or
        exceed 16 GiB.
    """
    try:
        with zipfile.ZipFile(where) as archive:
            file = File(where, _read_all(where, archive))
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as exc:
        raise InvalidFile(f"{where}: is not a readable .npz archive ({exc}); is it truncated?") from exc
    if file.integer("version") != VERSION:
        raise InvalidFile(
            f"{where}: version {file.integer('version')}, this rltheory reads {VERSION}; upgrade rltheory"
        )
    return file


def strings(lines: list[str]) -> NDArray[np.uint8]:
    """Strings as one UTF-8 array: lengths first, then the text."""
    parts = [line.encode() for line in lines]
    head = " ".join(str(len(p)) for p in parts).encode()
    return np.frombuffer(head + b"\n" + b"".join(parts), dtype=np.uint8)


def text(values: Any) -> NDArray[np.uint8]:
    """Numbers as text, rationals as p/q, one string each."""
    return strings([spell(v) for v in values])


def numbers(x: NDArray[Any]) -> NDArray[Any]:
    """Doubles as they are, rationals as text."""
    return x if x.dtype != object else text(x.reshape(-1).tolist())


def _plain(value: Any) -> NDArray[Any]:
    return strings([value]) if isinstance(value, str) else np.ascontiguousarray(value)


def _read_all(where: Path, archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    infos = archive.infolist()
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES:
        raise InvalidFile(
            f"{where}: {total} bytes uncompressed, more than {MAX_BYTES}; read it with numpy.load"
        )
    return {info.filename.removesuffix(".npy"): _read(where, archive, info) for info in infos}


def _read(where: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    name = info.filename
    with archive.open(info) as member:
        try:
            version = npy.read_magic(member)
            header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
            shape, fortran, dtype = header(member)
        except (ValueError, KeyError) as exc:
            raise InvalidFile(
                f"{where}: member {name} is not an .npy array ({exc}); write it with save()"
            ) from exc
        if dtype.hasobject or dtype.kind not in "biuf":
            raise InvalidFile(
                f"{where}: member {name} has dtype {dtype}, expected plain numbers; pickles are not read"
            )
        size = math.prod(shape) * dtype.itemsize
        if fortran or size > info.file_size:
            raise InvalidFile(
                f"{where}: member {name} declares shape {shape} ({size} bytes) in {info.file_size} bytes; "
                "it is truncated or forged"
            )
        out = np.empty(shape, dtype=dtype)
        _fill(where, name, member, out)
        return frozen(out)


def _fill(where: Path, name: str, member: IO[bytes], out: NDArray[Any]) -> None:
    """Stream the bytes of a member into their array: nothing is held twice."""
    raw, at = out.reshape(-1).view(np.uint8), 0
    while at < raw.size:
        piece = member.read(min(PIECE, raw.size - at))
        if not piece:
            raise InvalidFile(f"{where}: member {name} ends after {at} of {raw.size} bytes; it is truncated")
        raw[at : at + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        at += len(piece)


class File:
    """Members by name, with errors that say what is missing."""

    def __init__(self, where: Path, members: dict[str, NDArray[Any]]) -> None:
        self.where, self.members = where, members

    def get(self, name: str) -> NDArray[Any]:
        """A member as stored; `InvalidFile` names what is missing."""
        if name not in self.members:
            raise InvalidFile(f"{self.where}: has no member {name!r}; is it a model written by save()?")
        return self.members[name]

    def integer(self, name: str) -> int:
        """A member that is one integer."""
        x = self.get(name)
        if x.size != 1 or x.dtype.kind not in "iu":
            raise InvalidFile(f"{self.where}: member {name!r} is not one integer; write it again with save()")
        return int(x.reshape(-1)[0])

    def integers(self, name: str) -> NDArray[np.int64]:
        """A member of integers, as int64."""
        x = self.get(name)
        if x.dtype.kind not in "iu":
            raise InvalidFile(f"{self.where}: member {name!r} has dtype {x.dtype}, expected integers")
        return owned(x, np.int64)

    def columns(self, name: str) -> NDArray[Any]:
        """Integers in the type they were written in, 32 bits if by `save`."""
        x = self.get(name)
        return x if x.dtype == np.int32 else self.integers(name)

    def strings(self, name: str) -> list[str]:
        """A member that holds text."""
        raw = self.get(name)
        head, _, body = raw.astype(np.uint8).tobytes().partition(b"\n")
        try:
            ends = np.cumsum([0, *(int(n) for n in head.split())])
            parts = [body[a:b].decode() for a, b in pairwise(ends.tolist())]
        except ValueError as exc:
            raise InvalidFile(f"{self.where}: member {name!r} is not a list of strings ({exc})") from exc
        if int(ends[-1]) != len(body) or (np.diff(ends) < 0).any():
            raise InvalidFile(
                f"{self.where}: member {name!r} has {len(body)} bytes of text, expected {ends[-1]}"
            )
        return parts

    def scalar(self, name: str) -> Any:
        """A member that is one number, a double or a rational."""
        text = self.strings(name)[0]
        value = parse_number(text, exact=not any(c in text for c in ".en"))
        if value is None:
            raise InvalidFile(f"{self.where}: member {name!r} is {text!r}, expected a number")
        return value

    def numbers(self, name: str, exact: bool) -> NDArray[Any]:
        """A member of doubles, or of rationals."""
        x = self.get(name)
        if not exact:
            return owned(x, np.float64)
        out = []
        for text in self.strings(name):
            value = parse_number(text, exact=True)
            if value is None:
                raise InvalidFile(
                    f"{self.where}: member {name!r} holds {text[:60]!r}, expected a rational p/q"
                )
            out.append(value)
        values = np.empty(len(out), dtype=object)
        values[:] = out
        return values
