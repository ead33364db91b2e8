"""Latent MDPs in an archive."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..latent import LatentMDP
from ._archive import File, numbers, strings, text


def members(model: LatentMDP) -> dict[str, Any]:
    """Arrays of the model by name."""
    names = ("weights", "nu", "P", "R")
    return {
        "kind": strings(["latent"]),
        "stages": np.int64(0),
        "shape": np.array([model.M, model.S, model.A, model.H]),
        "exact": np.bool_(model.is_exact),
        "observe_rewards": np.bool_(model.observe_rewards),
        "scale": text([model.scale]),
        **{name: numbers(getattr(model, name)) for name in names},
    }


def read(file: File) -> LatentMDP:
    """The model in the archive."""
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
