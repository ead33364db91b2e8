"""The library's own file: a NumPy archive of plain arrays, complete or not written, without pickle.

`save` keeps everything: layout, ragged actions, start law, terminal states, labels, rewards per
transition, γ, and, for exact models, the rationals as text.  Reading checks every member's declared
size against its bytes before memory is taken, and validates the model like any other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidArgument, InvalidFile, InvalidModel
from ..finite_horizon import FiniteHorizonMDP
from ..latent import LatentMDP
from ..mdp import MDP
from ..outcomes import OutcomeMDP
from ..ssp import SSP
from ..stock import StockMDP
from . import _latent, _outcomes
from ._archive import VERSION, File, numbers, open_archive, strings, text, write

Model = MDP | SSP | FiniteHorizonMDP | OutcomeMDP | StockMDP | LatentMDP


def save_npz(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write a model of any kind to `path` (.npz), replacing it at once.

    `load_npz` returns an equal model, in the same layout and number system.

    Raises
    ------
    InvalidArgument
        If `model` is none of these.
    """
    for kind, members in _WRITERS:
        if isinstance(model, kind):
            write(Path(path), {"version": np.int64(VERSION), **members(model)})
            return Path(path)
    raise InvalidArgument(
        f"save: {type(model).__name__} is not a model; pass an MDP, SSP, FiniteHorizonMDP, OutcomeMDP, "
        "StockMDP or LatentMDP"
    )


def _mdp_members(model: MDP | SSP | FiniteHorizonMDP) -> dict[str, Any]:
    out: dict[str, Any]
    if isinstance(model, FiniteHorizonMDP):
        stages = model.stages
        out = {"kind": strings(["finite_horizon"]), "H": np.int64(model.H), "discount": text([model.gamma])}
        out["terminal_reward"] = numbers(model.terminal_reward)
    else:
        stages = (model.mdp if isinstance(model, SSP) else model,)
        out = {"kind": strings(["ssp" if isinstance(model, SSP) else "mdp"])}
    out["stages"] = np.int64(len(stages))
    for i, mdp in enumerate(stages):
        out |= {f"{i}.{key}": value for key, value in _members(mdp).items()}
    return out


def _members(mdp: MDP) -> dict[str, Any]:
    rows = mdp._rows
    out: dict[str, Any] = {
        "shape": np.array([mdp.S, mdp.A, mdp.N]),
        "gamma": text([mdp.gamma]),
        "exact": np.bool_(mdp.is_exact),
        "R": numbers(mdp.R_pairs),
        "mu": numbers(mdp.mu),
        "terminal": mdp.terminal,
    }
    if rows is not None:
        out["P"] = numbers(rows)
    else:
        data, indices, indptr = mdp.csr
        out |= {"data": numbers(data), "indices": indices, "indptr": indptr}
        out |= {"pair_state": mdp.pair_state, "pair_action": mdp.pair_action}
        if mdp.R_entries is not None:
            out["R_entries"] = numbers(mdp.R_entries)
    if mdp.R_next is not None:
        out["R_next"] = numbers(mdp.R_next)
    for name in ("states", "actions"):
        labels = getattr(mdp, name)
        if labels is not None:
            out[name] = strings(list(labels))
    return out


def load_npz(path: str | os.PathLike[str]) -> Model:
    """The model written by `save_npz`.

    Raises
    ------
    InvalidFile
        If the file is no such archive, is truncated, holds pickles, declares sizes that are not
        there or exceed 16 GiB, or describes no valid model.
    """
    where = Path(path)
    file = open_archive(where)
    kind = file.strings("kind")[0]
    if kind not in _READERS:
        raise InvalidFile(f"{where}: kind={kind!r}, expected {', '.join(_READERS)}; write it with save()")
    try:
        return _READERS[kind](file)
    except (InvalidModel, ValueError, IndexError) as exc:
        if isinstance(exc, InvalidFile):
            raise
        raise InvalidFile(f"{where}: describes no valid model: {exc}") from exc


def _single(file: File) -> MDP:
    if file.integer("stages") != 1:
        raise InvalidFile(f"{file.where}: stages={file.integer('stages')}, expected 1; write it with save()")
    return _stage(file, "0.")


def _count(file: File) -> int:
    count = file.integer("stages")
    if not 1 <= count <= len(file.members):
        raise InvalidFile(
            f"{file.where}: stages={count}, expected 1..{len(file.members)}; write it again with save()"
        )
    return count


def _finite_horizon(file: File) -> FiniteHorizonMDP:
    stages = [_stage(file, f"{i}.") for i in range(_count(file))]
    return FiniteHorizonMDP.from_stages(
        stages,
        file.integer("H"),
        gamma=file.scalar("discount"),
        terminal_reward=file.numbers("terminal_reward", stages[0].is_exact),
    )


def _stage(file: File, at: str) -> MDP:
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


def _mdp(file: File, at: str, rows: Any, R: Any, mu: Any, gamma: Any, R_next: Any) -> MDP:
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


def _table(file: File, entries: Any, indices: Any, indptr: Any, S: int) -> Any:
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


_WRITERS: tuple[tuple[Any, Callable[[Any], dict[str, Any]]], ...] = (
    (LatentMDP, _latent.members),
    ((OutcomeMDP, StockMDP), _outcomes.members),
    ((MDP, SSP, FiniteHorizonMDP), _mdp_members),
)
_READERS: dict[str, Callable[[File], Model]] = {
    "mdp": _single,
    "ssp": lambda file: SSP.from_mdp(_single(file)),
    "finite_horizon": _finite_horizon,
    "outcomes": _outcomes.read_outcomes,
    "stock": _outcomes.read_stock,
    "latent": _latent.read,
}
