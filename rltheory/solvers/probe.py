"""What a few cheap passes over a model tell about how to solve it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import sup_norm
from ..kernels import ordering
from ..models.mdp import MDP
from ..operators._arrays import csr_arrays, pair_arrays
from ._blocks import WIDTH

BURST = 12
"""Sweeps of value iteration made to see how fast spans contract, unless other structure decides."""
LATE = 4
"""The last of them, whose contraction counts: the first ones flatter models with slow modes."""


@dataclass(frozen=True)
class Probe:
    """Structure of a float model.

    Attributes
    ----------
    S, N, nnz, gamma
        Sizes and discount.
    dense
        Rows are stored in full.
    band
        Largest |s − t| over the transitions; S where not looked at.
    sure, loops
        Shares of rows with one successor, and with a self-loop.
    ordered
        Every move between different states goes up, or every one down: no cycles but self-loops.
    absorbing
        States that cannot be left.
    contraction
        Mean factor by which sp(TV − V) shrank in the last `LATE` of `BURST` sweeps; 1 if it did not, or
        where other structure decides and no sweep was made.
    V
        (S,) values after those sweeps, in single precision: a start that is already paid for.
    """

    S: int
    N: int
    nnz: int
    gamma: float
    dense: bool
    band: int
    sure: float
    loops: float
    ordered: bool
    absorbing: int
    contraction: float
    V: NDArray[np.floating[Any]] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Components:
    """Strong components of a model: how many, and the states in the largest."""

    count: int
    largest: int


@np.errstate(all="ignore")
def probe(mdp: MDP) -> Probe:
    """`Probe` of a discounted model in doubles (an exact one is rounded).

    Complexity: one pass over the indices (none for dense rows) and `BURST` backups.
    """
    mdp = mdp.float()
    pairs, S = pair_arrays(mdp), mdp.S
    band, sure, loops, ordered, absorbing, nnz = S, 0, 0, False, int(mdp.terminal.sum()), mdp.N * S
    if not pairs.dense:
        _, indices, indptr, _, _, state_ptr = csr_arrays(mdp)
        seen = ordering.facts(indices, indptr, state_ptr)
        band, sure, loops, absorbing = int(seen.band), seen.sure, seen.loops, int(seen.absorbing)
        ordered, nnz = bool(seen.up == 0 or seen.down == 0), int(indices.size)
    V, rate = np.zeros(S), 1.0
    if not (ordered or absorbing or band <= WIDTH):
        spans = np.full(BURST, np.nan)
        rmax = float(sup_norm(pairs.R))
        pairs.kernels.value_iteration(*pairs.model, V, 1e-300, 0.0, rmax, BURST, spans)
        rate = _rate(spans)
    return Probe(
        S=S, N=mdp.N, nnz=nnz, gamma=float(mdp.gamma), dense=pairs.dense, band=band, sure=sure / mdp.N,
        loops=loops / mdp.N, ordered=ordered, absorbing=absorbing, contraction=rate,
        V=V.astype(np.float32) if sup_norm(V) < 1e38 else V,
    )  # fmt: skip


def components(mdp: MDP) -> Components:
    """Strong components of the graph of all actions.  Complexity: O(nnz)."""
    _, indices, indptr, _, _, state_ptr = csr_arrays(mdp.float())
    _, ends = ordering.strong_order(indices, indptr, state_ptr)
    return Components(ends.size - 1, int(np.diff(ends).max()))


def _rate(spans: Any) -> float:
    a, b = float(spans[-1 - LATE]), float(spans[-1])
    if b == 0.0:
        return 0.0
    rate = (b / a) ** (1.0 / LATE) if a > 0.0 else 1.0
    return min(rate, 1.0) if rate == rate else 1.0
