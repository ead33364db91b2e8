"""The library's own file: a NumPy archive of plain arrays, complete or not written, without pickle.

`save` keeps everything: layout, ragged actions, start law, terminal states, labels, rewards per
transition, γ, and, for exact models, the rationals as text.  Reading checks every member's declared
size against its bytes before memory is taken, and validates the model like any other.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...arrays import frozen, owned
from ...errors import InvalidArgument, InvalidFile, InvalidModel
from ..finite_horizon import FiniteHorizonMDP
from ..latent import LatentMDP
from ..mdp import MDP
from ..ssp import SSP
from ._text import atomic, parse_number, spell

VERSION = 1
MAX_BYTES = 1 << 34
"""Largest total size read, uncompressed."""
PIECE = 1 << 20
"""Bytes read at a time."""

Model = MDP | SSP | FiniteHorizonMDP | LatentMDP


def save_npz(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write an `MDP`, `SSP`, `FiniteHorizonMDP` or `LatentMDP` to `path` (.npz), replacing it at once.

    `load_npz` returns an equal model, in the same layout and number system.

    Raises
    ------
    InvalidArgument
        If `model` is none of these.
    """
    head: dict[str, Any]
    stages: tuple[MDP, ...]
    if isinstance(model, LatentMDP):
        stages, head = (), {"kind": "latent", **_latent_members(model)}
    elif isinstance(model, FiniteHorizonMDP):
        stages = model.stages
        g = _numbers(model.terminal_reward)
        head = {
            "kind": "finite_horizon",
            "H": model.H,
            "discount": _text([model.gamma]),
            "terminal_reward": g,
        }
    elif isinstance(model, (MDP, SSP)):
        stages = (model.mdp if isinstance(model, SSP) else model,)
        head = {"kind": "ssp" if isinstance(model, SSP) else "mdp"}
    else:
        raise InvalidArgument(
            f"save: {type(model).__name__} is not a model; pass an MDP, SSP, FiniteHorizonMDP or LatentMDP"
        )
    arrays = {"version": np.int64(VERSION), "stages": np.int64(len(stages)), **head}
    for i, mdp in enumerate(stages):
        arrays |= {f"{i}.{key}": value for key, value in _members(mdp).items()}
    with atomic(path, "wb") as out:
        np.savez(out, allow_pickle=False, **{k: _plain(v) for k, v in arrays.items()})
    return Path(path)


def _members(mdp: MDP) -> dict[str, Any]:
    rows = mdp._rows
    out: dict[str, Any] = {
        "shape": np.array([mdp.S, mdp.A, mdp.N]),
        "gamma": _text([mdp.gamma]),
        "exact": np.bool_(mdp.is_exact),
        "R": _numbers(mdp.R_pairs),
        "mu": _numbers(mdp.mu),
        "terminal": mdp.terminal,
    }
    if rows is not None:
        out["P"] = _numbers(rows)
    else:
        data, indices, indptr = mdp.csr
        out |= {"data": _numbers(data), "indices": indices, "indptr": indptr}
        out |= {"pair_state": mdp.pair_state, "pair_action": mdp.pair_action}
        if mdp.R_entries is not None:
            out["R_entries"] = _numbers(mdp.R_entries)
    if mdp.R_next is not None:
        out["R_next"] = _numbers(mdp.R_next)
    for name in ("states", "actions"):
        labels = getattr(mdp, name)
        if labels is not None:
            out[name] = _bytes(list(labels))
    return out


def _latent_members(model: LatentMDP) -> dict[str, Any]:
    names = ("weights", "nu", "P", "R")
    return {
        "shape": np.array([model.M, model.S, model.A, model.H]),
        "exact": np.bool_(model.is_exact),
        "observe_rewards": np.bool_(model.observe_rewards),
        "scale": _text([model.scale]),
        **{name: _numbers(getattr(model, name)) for name in names},
    }


def _bytes(lines: list[str]) -> NDArray[np.uint8]:
    """Strings as one UTF-8 array: lengths first, then the text."""
    parts = [line.encode() for line in lines]
    head = " ".join(str(len(p)) for p in parts).encode()
    return np.frombuffer(head + b"\n" + b"".join(parts), dtype=np.uint8)


def _text(values: Any) -> NDArray[np.uint8]:
    return _bytes([spell(v) for v in values])


def _numbers(x: NDArray[Any]) -> NDArray[Any]:
    """Doubles as they are, rationals as text."""
    return x if x.dtype != object else _text(x.reshape(-1).tolist())


def _plain(value: Any) -> NDArray[Any]:
    return _bytes([value]) if isinstance(value, str) else np.ascontiguousarray(value)


def load_npz(path: str | os.PathLike[str]) -> Model:
    """The model written by `save_npz`.

    Raises
    ------
    InvalidFile
        If the file is no such archive, is truncated, holds pickles, declares sizes that are not
        there or exceed 16 GiB, or describes no valid model.
    """
    where = Path(path)
    try:
        with zipfile.ZipFile(where) as archive:
            members = _read_all(where, archive)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as exc:
        raise InvalidFile(f"{where}: is not a readable .npz archive ({exc}); is it truncated?") from exc
    file = _File(where, members)
    if file.integer("version") != VERSION:
        raise InvalidFile(
            f"{where}: version {file.integer('version')}, this rltheory reads {VERSION}; upgrade rltheory"
        )
    count = file.integer("stages")
    if count == 0:
        try:
            return _latent(file)
        except (InvalidModel, ValueError, IndexError) as exc:
            if isinstance(exc, InvalidFile):
                raise
            raise InvalidFile(f"{where}: describes no valid model: {exc}") from exc
    if not 1 <= count <= len(members):
        raise InvalidFile(f"{where}: stages={count}, expected 1..{len(members)}; write it again with save()")
    try:
        stages = [_stage(file, f"{i}.") for i in range(count)]
        kind = file.strings("kind")[0]
        if kind == "finite_horizon":
            exact = stages[0].is_exact
            return FiniteHorizonMDP.from_stages(
                stages,
                file.integer("H"),
                gamma=file.scalar("discount"),
                terminal_reward=file.numbers("terminal_reward", exact),
            )
        if count != 1 or kind not in ("mdp", "ssp"):
            raise InvalidFile(f"{where}: kind={kind!r} with {count} stages; write it again with save()")
        return SSP.from_mdp(stages[0]) if kind == "ssp" else stages[0]
    except (InvalidModel, ValueError, IndexError) as exc:
        if isinstance(exc, InvalidFile):
            raise
        raise InvalidFile(f"{where}: describes no valid model: {exc}") from exc


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


class _File:
    """Members by name, with errors that say what is missing."""

    def __init__(self, where: Path, members: dict[str, NDArray[Any]]) -> None:
        self.where, self.members = where, members

    def get(self, name: str) -> NDArray[Any]:
        if name not in self.members:
            raise InvalidFile(f"{self.where}: has no member {name!r}; is it a model written by save()?")
        return self.members[name]

    def integer(self, name: str) -> int:
        x = self.get(name)
        if x.size != 1 or x.dtype.kind not in "iu":
            raise InvalidFile(f"{self.where}: member {name!r} is not one integer; write it again with save()")
        return int(x.reshape(-1)[0])

    def integers(self, name: str) -> NDArray[np.int64]:
        x = self.get(name)
        if x.dtype.kind not in "iu":
            raise InvalidFile(f"{self.where}: member {name!r} has dtype {x.dtype}, expected integers")
        return owned(x, np.int64)

    def columns(self, name: str) -> NDArray[Any]:
        """Integers in the type they were written in, 32 bits if by `save`."""
        x = self.get(name)
        return x if x.dtype == np.int32 else self.integers(name)

    def strings(self, name: str) -> list[str]:
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
        text = self.strings(name)[0]
        value = parse_number(text, exact=not any(c in text for c in ".en"))
        if value is None:
            raise InvalidFile(f"{self.where}: member {name!r} is {text!r}, expected a number")
        return value

    def numbers(self, name: str, exact: bool) -> NDArray[Any]:
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


def _stage(file: _File, at: str) -> MDP:
    S, A, N = (int(v) for v in file.integers(at + "shape").reshape(3))
    exact = bool(file.get(at + "exact").reshape(-1)[0])
    dense = at + "P" in file.members
    rows = file.numbers(at + ("P" if dense else "data"), exact)
    R, mu, gamma = file.numbers(at + "R", exact), file.numbers(at + "mu", exact), file.scalar(at + "gamma")
    given = "R_next" if dense else "R_entries"
    R_next = file.numbers(at + given, exact) if at + given in file.members else None
    lifted = False
    if exact:
        counts = np.full(N, S) if dense else np.diff(file.integers(at + "indptr"))
        lifted = not (_sums_to_one(rows, counts) and sum(mu) == 1)
    if lifted:  # a float model made exact: its laws sum to one up to rounding only
        rows, mean, law = rows.astype(np.float64), R.astype(np.float64), mu.astype(np.float64)
        mdp = _mdp(file, at, rows, mean, law, 0.0, None if R_next is None else R_next.astype(np.float64))
        mdp = mdp.exact().replace(gamma=gamma)
        mdp = mdp if (mdp.R_pairs == R).all() else mdp.replace(R=R)
        mdp = mdp if (mdp.mu == mu).all() else mdp.replace(mu=mu)
    else:
        mdp = _mdp(file, at, rows, R, mu, gamma, R_next)
    if (mdp.S, mdp.A, mdp.N) != (S, A, N):
        raise InvalidFile(
            f"{file.where}: {mdp!r}, expected S, A, N = {S}, {A}, {N}; write it again with save()"
        )
    return mdp


def _latent(file: _File) -> LatentMDP:
    if file.strings("kind")[0] != "latent":
        raise InvalidFile(
            f"{file.where}: kind={file.strings('kind')[0]!r} with 0 stages; write it with save()"
        )
    M, S, A, H = (int(v) for v in file.integers("shape").reshape(4))
    exact, seen = bool(file.get("exact").reshape(-1)[0]), bool(file.get("observe_rewards").reshape(-1)[0])
    shapes = {"weights": (M,), "nu": (M, S), "P": (M, S, A, S), "R": (M, S, A)}
    parts = {name: file.numbers(name, exact).reshape(shape) for name, shape in shapes.items()}
    laws = [parts[name].reshape(-1, parts[name].shape[-1]) for name in ("weights", "nu", "P")]
    lifted = exact and not all((law.sum(axis=1) == 1).all() for law in laws)
    if lifted:  # doubles made exact: their laws sum to one up to rounding only
        parts = {name: x.astype(np.float64) for name, x in parts.items()}
    model = LatentMDP.from_arrays(**parts, H=H, observe_rewards=seen, normalisation="waive")
    model._set(scale=file.scalar("scale"))
    return model.exact() if lifted else model


def _mdp(file: _File, at: str, rows: Any, R: Any, mu: Any, gamma: Any, R_next: Any) -> MDP:
    S, A, _ = (int(v) for v in file.integers(at + "shape"))
    labels = {k: file.strings(at + k) if at + k in file.members else None for k in ("states", "actions")}
    terminal = file.get(at + "terminal").astype(np.bool_)
    if at + "P" in file.members:
        reward = R.reshape(S, A) if R_next is None else R_next.reshape(S, A, S)
        return MDP(rows.reshape(S, A, S), reward, gamma, mu=mu, terminal=terminal, **labels)
    indices, indptr = file.columns(at + "indices"), file.integers(at + "indptr")
    return MDP.from_pairs(
        (rows, indices, indptr),
        R if R_next is None else _table(file, R_next, indices, indptr, S),
        gamma,
        pair_state=file.integers(at + "pair_state"),
        pair_action=file.integers(at + "pair_action"),
        S=S,
        mu=mu,
        terminal=terminal,
        **labels,
    )


def _table(file: _File, entries: Any, indices: Any, indptr: Any, S: int) -> Any:
    """(N, S) rewards per transition of a CSR model: sparse doubles, or a full table of rationals."""
    if entries.shape != indices.shape:
        raise InvalidFile(
            f"{file.where}: R_entries holds {entries.size} rewards for {indices.size} transitions"
        )
    if entries.dtype != object:
        import scipy.sparse as sp

        return sp.csr_array((entries, indices, indptr), shape=(indptr.size - 1, S))
    out = np.full((indptr.size - 1, S), Fraction(0), dtype=object)
    out[np.repeat(np.arange(indptr.size - 1), np.diff(indptr)), indices] = entries
    return out


def _sums_to_one(rows: NDArray[Any], counts: NDArray[np.int64]) -> bool:
    """True when every row of rationals, given by its length, sums to exactly one."""
    sums = np.array([Fraction(0)] * counts.size, dtype=object)
    np.add.at(sums, np.repeat(np.arange(counts.size), counts), rows)
    return bool((sums == 1).all())
