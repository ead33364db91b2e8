"""Outcome models and models with stock in an archive: one block of arrays a stage."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ...errors import InvalidFile
from ..outcomes import OutcomeMDP
from ..stock import StockMDP
from ._archive import File, numbers, strings, text


def members(model: OutcomeMDP | StockMDP) -> dict[str, Any]:
    """Arrays of the model by name; H = 0 stands for an infinite horizon."""
    stages: tuple[OutcomeMDP, ...] = (model,) if isinstance(model, OutcomeMDP) else model.stages
    out: dict[str, Any] = {
        "kind": strings(["stock" if isinstance(model, StockMDP) else "outcomes"]),
        "stages": np.int64(len(stages)),
    }
    if isinstance(model, StockMDP):
        out["H"] = np.int64(model.H or 0)
    for i, stage in enumerate(stages):
        out |= {f"{i}.{key}": value for key, value in _stage_members(stage).items()}
    return out


def _stage_members(model: OutcomeMDP) -> dict[str, Any]:
    ids = ("pair_state", "pair_action", "outcome_ptr", "next_state", "terminal")
    out: dict[str, Any] = {
        "shape": np.array([model.S, model.K, model.m or 0]),
        "gamma": text([model.gamma]),
        "exact": np.bool_(model.is_exact),
        **{name: numbers(getattr(model, name)) for name in ("prob", "reward", "mu")},
        **{name: getattr(model, name) for name in ids},
    }
    for name in ("states", "actions"):
        labels = getattr(model, name)
        if labels is not None:
            out[name] = strings(list(labels))
    return out


def read_outcomes(file: File) -> OutcomeMDP:
    """The one stage of the archive."""
    if file.integer("stages") != 1:
        raise InvalidFile(f"{file.where}: stages={file.integer('stages')}, expected 1; write it with save()")
    return _stage(file, "0.")


def read_stock(file: File) -> StockMDP:
    """The model with stock in the archive."""
    count = file.integer("stages")
    if not 1 <= count <= len(file.members):
        raise InvalidFile(f"{file.where}: stages={count}, expected 1..{len(file.members)}")
    return StockMDP([_stage(file, f"{i}.") for i in range(count)], file.integer("H") or None)


def _stage(file: File, at: str) -> OutcomeMDP:
    S, K, m = (int(v) for v in file.integers(at + "shape").reshape(3))
    exact, gamma = bool(file.get(at + "exact").reshape(-1)[0]), file.scalar(at + "gamma")
    prob, reward, mu = (file.numbers(at + name, exact) for name in ("prob", "reward", "mu"))
    reward = reward.reshape(K, m) if m else reward.reshape(K)
    ptr = file.integers(at + "outcome_ptr")
    lifted = exact and not _laws(prob, ptr, mu)
    if lifted:  # doubles made exact: their laws sum to one up to rounding only
        prob, reward, mu = (x.astype(np.float64) for x in (prob, reward, mu))
    model = OutcomeMDP(
        prob,
        file.integers(at + "next_state"),
        reward,
        float(gamma) if lifted else gamma,
        pair_state=file.integers(at + "pair_state"),
        pair_action=file.integers(at + "pair_action"),
        outcome_ptr=ptr,
        S=S,
        mu=mu,
        terminal=file.get(at + "terminal").astype(np.bool_),
        **{k: file.strings(at + k) if at + k in file.members else None for k in ("states", "actions")},
    )
    if model.K != K:
        raise InvalidFile(f"{file.where}: {model!r}, expected K={K} outcomes; write it again with save()")
    return model.exact() if lifted else model


def _laws(prob: Any, ptr: Any, mu: Any) -> bool:
    """True when every law of rationals sums to exactly one."""
    sums = [sum(prob[a:b], Fraction(0)) for a, b in zip(ptr[:-1], ptr[1:], strict=True)]
    return all(x == 1 for x in (*sums, sum(mu, Fraction(0))))
