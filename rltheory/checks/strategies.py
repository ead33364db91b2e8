"""Hypothesis strategies for models, policies, vectors and laws.

Every number drawn is dyadic (k/2^j): the double *is* the rational, rows sum to one exactly in both
number systems, and float search and exact re-evaluation see the very same instance.  Models are
decoded from a byte string, so drawing is fast and shrinking turns bytes to zero: fewer states, point
masses, rewards 0.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from ..arrays import exact_array
from ..models import MDP, Policy

DISCOUNTS = (5 / 16, 45 / 64, 115 / 128, 507 / 512)
"""Dyadic neighbours of 0.3, 0.7, 0.9 and 0.99."""

GRID = 256
"""Probabilities are multiples of 1/GRID."""

ROOM_S, ROOM_A = 6, 4
"""Bytes are drawn for at least this many states and actions: then a smaller S or A reads the same table,
and shrinking a counter-example can take states and actions away."""

STATES, ACTIONS = st.integers(1, ROOM_S), st.integers(1, ROOM_A)
"""Default numbers of states and actions."""

Rows = Literal["mixed", "dense", "deterministic"]


def discounts(*, positive: bool = False, max: float = 1.0) -> SearchStrategy[float]:
    """Dyadic γ from `DISCOUNTS` (and 0 unless `positive`), below `max`."""
    values = [g for g in DISCOUNTS if g < max]
    return st.sampled_from(values if positive else [*values, 0.0])


def dyadics(min_value: float, max_value: float, *, denominator: int = 64) -> SearchStrategy[float]:
    """Multiples of 1/denominator in [min_value, max_value], as doubles (exactly representable)."""
    lo, hi = -int(-min_value * denominator // 1), int(max_value * denominator // 1)
    return st.integers(lo, hi).map(lambda k: k / denominator)


def fractions(min_value: Any, max_value: Any, *, max_denominator: int = 64) -> SearchStrategy[Fraction]:
    """Rationals in [min_value, max_value] with a small denominator."""
    return st.fractions(min_value, max_value, max_denominator=max_denominator)


def law_row(raw: NDArray[np.uint8], mode: int, at: int = 0, grid: int = GRID) -> NDArray[np.float64]:
    """A dyadic law of raw.size atoms decoded from bytes: point mass, skewed and sparse, or spread out.

    Parameters
    ----------
    raw
        (n,) bytes; all zero decodes to the point mass at `at`.
    mode
        0 point mass, 1 skewed (weights 2^k, many zero), 2 spread out.
    """
    n = raw.size
    if mode == 0 or not raw.any():
        w = np.zeros(n, dtype=np.int64)
        w[int(np.argmax(raw)) if raw.any() else at] = 1
    elif mode == 1:
        w = np.where(raw >= 128, 1 << (raw.astype(np.int64) % 8), 0)
        if not w.any():
            w[int(np.argmax(raw))] = 1
    else:
        w = 1 + raw.astype(np.int64) % 16
    k = w * grid // w.sum()
    k[int(np.argmax(w))] += grid - k.sum()
    law: NDArray[np.float64] = k / grid
    return law


def _bytes(draw: Any, n: int) -> NDArray[np.uint8]:
    return np.frombuffer(draw(st.binary(min_size=n, max_size=n)), dtype=np.uint8)


@st.composite
def laws(draw: Any, n: int | SearchStrategy[int], *, positive: bool = False) -> NDArray[np.float64]:
    """(n,) dyadic probability vectors; all entries positive if asked (n ≤ 128)."""
    size = n if isinstance(n, int) else draw(n)
    raw = _bytes(draw, max(size, ROOM_A) + 1)[: size + 1]
    if not positive:
        return law_row(raw[1:], int(raw[0]) % 3)
    k = np.ones(size, dtype=np.int64)
    extra = law_row(raw[1:], int(raw[0]) % 3, grid=GRID) * (GRID - size)
    k += extra.astype(np.int64)
    k[int(np.argmax(k))] += GRID - k.sum()
    return k / GRID


@st.composite
def vectors(
    draw: Any, n: int | SearchStrategy[int], *, min_value: float = -8.0, max_value: float = 8.0
) -> NDArray[np.float64]:
    """(n,) dyadic vectors in [min_value, max_value] on a grid of 256 steps; shrinks towards 0."""
    size = n if isinstance(n, int) else draw(n)
    raw = _bytes(draw, max(size, ROOM_S))[:size].astype(np.float64)
    if min_value < 0 < max_value:  # byte 0 ↦ 0, odd bytes negative
        half = (raw + 1) // 2
        return np.where(raw % 2 == 1, half / 128 * min_value, half / 128 * max_value)
    return min_value + raw / 256 * (max_value - min_value)


@st.composite
def policies(
    draw: Any, S: int, A: int, *, positive: bool = False, deterministic: bool | None = None
) -> Policy:
    """Policies of S states and A actions: deterministic, stochastic, or either; dyadic rows."""
    if deterministic is None:
        deterministic = False if positive else draw(st.booleans())
    if deterministic:
        raw = _bytes(draw, max(S, ROOM_S))[:S]
        return Policy(raw.astype(np.int64) % A, A)
    rows = [draw(laws(A, positive=positive)) for _ in range(S)]
    return Policy(np.array(rows))


def decode_mdp(
    raw: NDArray[np.uint8], S: int, A: int, gamma: float, rewards: tuple[float, float], rows: Rows = "mixed"
) -> MDP:
    """A dense model from a (≥S, ≥A, ≥S+2) table of bytes: mode, reward, weights of each row; see `mdps`."""
    table = raw[:S, :A, : S + 2].reshape(S * A, S + 2)
    forced = {"mixed": None, "dense": 2, "deterministic": 0}[rows]
    P = np.array(
        [law_row(r[2:], int(r[0]) % 3 if forced is None else forced, at=k // A) for k, r in enumerate(table)]
    )
    low, high = rewards
    if low < 0 < high:
        b = table[:, 1].astype(np.float64)
        R = np.where(b % 2 == 1, (b % 16 + 1) / 16 * low, (b % 16) / 16 * high)
    else:
        R = low + (table[:, 1] % 17) / 16 * (high - low)
    return MDP(P.reshape(S, A, S), R.reshape(S, A), gamma)


@st.composite
def mdps(
    draw: Any,
    S: int | SearchStrategy[int] = STATES,
    A: int | SearchStrategy[int] = ACTIONS,
    *,
    gamma: float | SearchStrategy[float] | None = None,
    rewards: tuple[float, float] = (0.0, 1.0),
    rows: Rows = "mixed",
    exact: bool = False,
) -> MDP:
    """Small dense MDPs with dyadic rows and rewards on 16 steps of `rewards`: sparse, tied and absorbing
    ones included.

    Parameters
    ----------
    S, A
        Sizes or strategies for them.
    gamma
        A discount or a strategy; `discounts(positive=True)` by default.
    rewards
        (least, largest) reward.
    rows
        "mixed", "dense" (all entries positive) or "deterministic".
    exact
        Draw the same model over the rationals.
    """
    s = S if isinstance(S, int) else draw(S)
    a = A if isinstance(A, int) else draw(A)
    g = draw(discounts(positive=True) if gamma is None else gamma) if not isinstance(gamma, float) else gamma
    shape = (max(s, ROOM_S), max(a, ROOM_A), max(s, ROOM_S) + 2)
    mdp = decode_mdp(_bytes(draw, math.prod(shape)).reshape(shape), s, a, g, rewards, rows)
    return mdp.exact() if exact else mdp


def lift(x: Any) -> Any:
    """`x` over the rationals: models and policies by `.exact()`, floats by the value they store.

    `lift_fields` does this to every field of a dataclass instance.
    """
    if hasattr(x, "exact"):
        return x.exact()
    if isinstance(x, np.ndarray):
        return exact_array(x) if x.dtype.kind == "f" else x
    if isinstance(x, (float, np.floating)):
        return Fraction(float(x))
    if isinstance(x, (list, tuple)):
        return type(x)(lift(v) for v in x)
    return x


def lift_fields(x: Any) -> Any:
    """A dataclass instance with every field lifted into the rationals; the generic `certify`.

    An instance that is already exact is returned itself, with whatever it has computed.
    """
    import dataclasses

    fields = {f.name: getattr(x, f.name) for f in dataclasses.fields(x) if f.init}
    lifted = {name: lift(value) for name, value in fields.items()}
    if all(lifted[name] is value for name, value in fields.items()):
        return x
    return dataclasses.replace(x, **lifted)
