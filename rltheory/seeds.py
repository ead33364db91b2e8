"""Generators from seeds, refused where they are none."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import InvalidArgument


def seed_sequence(seed: Any) -> np.random.SeedSequence:
    """`numpy.random.SeedSequence(seed)`; None is fresh entropy.

    Raises
    ------
    InvalidArgument
        If `seed` is no integer ≥ 0, nor a sequence of them.
    """
    if isinstance(seed, np.random.SeedSequence):
        return seed
    try:
        return np.random.SeedSequence(seed)
    except (TypeError, ValueError):
        raise InvalidArgument(f"seed={seed!r}, must be an integer ≥ 0") from None


def generator(seed: Any) -> np.random.Generator:
    """`numpy.random.default_rng(seed)`; errors as for `seed_sequence`."""
    given = isinstance(seed, (np.random.Generator, np.random.BitGenerator))
    return np.random.default_rng(seed if given else seed_sequence(seed))
