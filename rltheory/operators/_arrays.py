"""The bridge from a float model to the kernels: which layout, which read-only arrays."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatVec, IntVec, chunks, exact_array, float_array, frozen, sup_norm
from ..kernels import bellman_csr, bellman_dense, bellman_runs, certificate
from ..models.mdp import MDP

U = 2.0**-53
SMALL = 4096
"""Dense transition arrays up to this many entries stay dense however sparse they are."""
RUN, DENSE_SHARE, SAMPLE = 8, 0.25, 64
"""Mean entries of a row from which consecutive columns pay; share of non-zeros from which a large dense
P stays dense, and the rows it is estimated from."""
SMALL_STATES, SMALL_ENTRIES = 128, 1 << 18
"""Largest S and N·S of a model for `kernels.small`."""
_EMPTY: dict[str, Any] = {}


class PairArrays(NamedTuple):
    """Kernel module and leading arguments of one model.

    Attributes
    ----------
    dense
        True for dense rows, False for CSR.
    model
        (P, R, γ, state_ptr) or (data, indices, indptr, R, γ, state_ptr), read-only.
    longest
        Largest number of entries of a row.
    runs
        True if the columns of every row are consecutive: the first ones stand in place of `indices`.
    """

    dense: bool
    model: tuple[Any, ...]
    longest: int
    runs: bool = False

    @property
    def kernels(self) -> ModuleType:
        """`bellman_dense`, `bellman_runs` or `bellman_csr`."""
        return bellman_dense if self.dense else bellman_runs if self.runs else bellman_csr

    @property
    def R(self) -> FloatVec:
        """(N,) rewards."""
        return self.model[-3]  # type: ignore[no-any-return]

    @property
    def noise(self) -> float:
        """Residual span below which sweeps only move rounding errors, relative to ‖V‖ + max|R|."""
        return 0.5 * (self.longest + 8) * U


class RowBounds(NamedTuple):
    """What the certificate knows of a model's rows: bounds on their sums, and max |R|."""

    smin: float
    smax: float
    rmax: float


def numbers(mdp: MDP, x: ArrayLike) -> NDArray[Any]:
    """`x` as a fresh array in the model's number system."""
    return exact_array(x) if mdp.is_exact else float_array(x)


def read_only(x: NDArray[Any]) -> NDArray[Any]:
    """Contiguous and read-only, so that kernels compile once; itself or a view where possible."""
    flags = x.flags
    if flags.c_contiguous and not flags.writeable:
        return x
    return frozen(np.ascontiguousarray(x).view())


def state_pointer(mdp: MDP) -> NDArray[np.uint64]:
    """(S+1,) first pair of each state, unsigned."""
    return read_only(mdp.state_ptr).view(np.uint64)


def csr_arrays(mdp: MDP) -> tuple[Any, ...]:
    """(data, indices, indptr, R, γ, state_ptr) of a float model, whatever its layout."""
    return _remembered(mdp, "csr", _csr_arrays)  # type: ignore[no-any-return]


def pair_arrays(mdp: MDP) -> PairArrays:
    """Kernel arrays of a float model: its own layout, but CSR where a large dense P is mostly zero."""
    return _remembered(mdp, "pairs", _pair_arrays)  # type: ignore[no-any-return]


def small_model(mdp: MDP) -> tuple[Any, ...] | None:
    """(P rows, R, γ, state_ptr, pair_action, terminal) for `kernels.small`; None for a larger model.

    The first lines repeat `_remembered` without its loop: at this size its cost would show.
    """
    kept = mdp.__dict__.get("_kernel_arrays", _EMPTY).get("small")
    if kept is not None:
        R, gamma, rows, csr = kept[0]
        if R is mdp.R_pairs and gamma is mdp.gamma and rows is mdp._rows and csr is mdp._csr:
            return kept[1]  # type: ignore[no-any-return]
    return _remembered(mdp, "small", _small_model)  # type: ignore[no-any-return]


def _small_model(mdp: MDP) -> tuple[Any, ...] | None:
    if mdp.S > SMALL_STATES or mdp.N * mdp.S > SMALL_ENTRIES:
        return None
    return (
        read_only(mdp.P_pairs),
        read_only(mdp.R_pairs),
        float(mdp.gamma),
        read_only(mdp.state_ptr),
        read_only(mdp.pair_action),
        read_only(mdp.terminal),
    )


def _csr_arrays(mdp: MDP) -> tuple[Any, ...]:
    data, indices, indptr = mdp.csr
    return (
        read_only(data),
        read_only(indices).view(np.uint32),
        read_only(indptr).view(np.uint64),
        read_only(mdp.R_pairs),
        float(mdp.gamma),
        state_pointer(mdp),
    )


def _pair_arrays(mdp: MDP) -> PairArrays:
    if mdp.layout == "dense":
        rows = mdp.P_pairs
        seen = rows[:: max(1, len(rows) // SAMPLE)]
        if rows.size < SMALL or np.count_nonzero(seen) > DENSE_SHARE * seen.size:
            model = (read_only(rows), read_only(mdp.R_pairs), float(mdp.gamma), state_pointer(mdp))
            return PairArrays(True, model, mdp.S)
    model = csr_arrays(mdp)
    longest = _longest(mdp.csr[2])
    if model[0].size >= RUN * mdp.N:
        runs, first = bellman_runs.first_columns(*model[1:3])
        if runs:
            return PairArrays(False, (model[0], frozen(first), *model[2:]), longest, True)
    return PairArrays(False, model, longest)


def _longest(indptr: IntVec) -> int:
    """Largest number of entries of a row, looked at piece by piece."""
    return max(int(np.diff(indptr[lo : hi + 1]).max()) for lo, hi in chunks(indptr.size - 1))


def _remembered(mdp: MDP, name: str, make: Callable[[MDP], Any]) -> Any:
    """`make(mdp)`, kept on the model; not believed by a copy that changed R, γ or P."""
    parts = R, gamma, rows, csr = (mdp.R_pairs, mdp.gamma, mdp._rows, mdp._csr)
    kept = mdp.__dict__.get("_kernel_arrays", _EMPTY).get(name)
    if kept is not None:
        a, b, c, d = kept[0]
        if a is R and b is gamma and c is rows and d is csr:
            return kept[1]
    value = make(mdp)
    mdp._set(_kernel_arrays={**mdp.__dict__.get("_kernel_arrays", {}), name: (parts, value)})
    return value


def row_bounds(mdp: MDP, pairs: PairArrays) -> RowBounds:
    """`RowBounds` of pairs of `mdp`, remembered if they are all of them.

    Complexity: none where validation added the rows up, else one pass over P.
    """
    if pairs is pair_arrays(mdp):
        return _remembered(mdp, "bounds", lambda m: _row_bounds(pairs, m.row_sums))  # type: ignore[no-any-return]
    return _row_bounds(pairs)


def _row_bounds(pairs: PairArrays, sums: tuple[float, float] | None = None) -> RowBounds:
    if sums is not None:
        smin, smax = certificate.outward(*sums, float(pairs.longest))
    elif pairs.dense:
        smin, smax = certificate.row_sums_dense(pairs.model[0])
    else:
        smin, smax = certificate.row_sums(pairs.model[0], pairs.model[2])
    return RowBounds(smin, smax, float(sup_norm(pairs.R)))


def chosen_rows(pairs: PairArrays, rows: IntVec) -> PairArrays:
    """The one-action model of the policy that uses pair `rows[s]` in state s (exact copies of rows)."""
    return some_pairs(pairs, rows, np.arange(rows.size + 1))


def some_pairs(pairs: PairArrays, rows: IntVec, state_ptr: IntVec) -> PairArrays:
    """The model with pairs `rows` only, those of state s at `rows[state_ptr[s]:state_ptr[s+1]]`."""
    ptr = frozen(state_ptr.astype(np.uint64))
    if pairs.dense:
        P, R, gamma, _ = pairs.model
        return PairArrays(pairs.dense, (frozen(P[rows]), frozen(R[rows]), gamma, ptr), pairs.longest)
    data, indices, indptr, R, gamma, _ = pairs.model
    start, length = indptr[rows].astype(np.int64), np.diff(indptr.astype(np.int64))[rows]
    new = np.concatenate([[0], np.cumsum(length)])
    at = np.arange(new[-1]) + np.repeat(start - new[:-1], length)
    cut = (frozen(data[at]), frozen(indices[rows if pairs.runs else at]), frozen(new.astype(np.uint64)))
    return pairs._replace(model=(*cut, frozen(R[rows]), gamma, ptr), longest=int(length.max()))


def float_vector(V: Any, S: int) -> FloatVec:
    """A fresh writable (S,) copy of V in doubles."""
    return np.array(V, dtype=np.float64).reshape(S)
