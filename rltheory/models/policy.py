"""Policies: deterministic (S,) action ids, or stochastic (S, A) rows on the simplex."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Entries, StateAction, exact_array, float_array, fresh, frozen
from ..errors import InvalidModel
from .source_text import nested

ROW_TOL = 1e-12


class Policy:
    """π: a stationary policy, validated once and read-only.

    Parameters
    ----------
    pi
        (S,) integers (action ids), or (S, A) probabilities, float or `Fraction`.
    A
        Number of action ids; needed only to turn a deterministic policy into a matrix.

    Raises
    ------
    InvalidModel
        Negative or NaN entries, rows off one by more than 1e-12 (exactly one for rationals).
    """

    __slots__ = ("A", "_pi")

    def __init__(self, pi: Entries | Policy, A: int | None = None) -> None:
        if isinstance(pi, Policy):
            self._pi: NDArray[Any] = pi._pi
            self.A: int | None = A if A is not None else pi.A
            return
        arr = fresh(pi, part="pi")
        if arr.ndim not in (1, 2) or arr.shape[0] == 0:
            raise InvalidModel(
                f"policy: shape={arr.shape}, must be (S,) action ids or (S, A) probabilities, S ≥ 1"
            )
        if arr.ndim == 1:
            if arr.dtype.kind not in "iu":
                raise InvalidModel(
                    f"policy: dtype={arr.dtype} for a (S,) array; a deterministic policy holds "
                    "integer action ids"
                )
            if (arr < 0).any():
                s = int(np.argmax(arr < 0))
                raise InvalidModel(f"policy: pi[{s}]={arr[s]}, action ids are ≥ 0")
            if A is not None and (arr >= A).any():
                s = int(np.argmax(arr >= A))
                raise InvalidModel(f"policy: pi[{s}]={arr[s]}, but there are only A={A} actions")
            self._pi = frozen(arr.astype(np.int64))
            self.A = A
            return
        arr = exact_array(arr) if arr.dtype == object else float_array(arr)
        _check_rows(arr)
        self._pi = frozen(arr)
        self.A = arr.shape[1]

    @classmethod
    def trusted(cls, actions: NDArray[np.int64], A: int) -> Policy:
        """The deterministic policy of ids in 0..A−1, made read-only in place; nothing is checked."""
        out = object.__new__(cls)
        actions.flags.writeable = False
        out._pi, out.A = actions, A
        return out

    def __getstate__(self) -> tuple[NDArray[Any], int | None]:
        return self._pi, self.A

    def __setstate__(self, state: tuple[NDArray[Any], int | None]) -> None:
        self._pi, self.A = frozen(state[0]), state[1]

    @property
    def S(self) -> int:
        """Number of states."""
        return int(self._pi.shape[0])

    @property
    def is_deterministic(self) -> bool:
        """True for a (S,) policy of action ids."""
        return self._pi.ndim == 1

    @property
    def is_exact(self) -> bool:
        """True when the probabilities are rationals (deterministic policies always are)."""
        return self._pi.ndim == 1 or self._pi.dtype == object

    @property
    def actions(self) -> NDArray[np.int64]:
        """(S,) action ids of a deterministic policy."""
        if not self.is_deterministic:
            raise InvalidModel("policy: stochastic, it has no single action per state; use matrix()")
        return self._pi

    def matrix(self, A: int | None = None, *, exact: bool | None = None) -> StateAction:
        """(S, A) probabilities; one-hot rows for a deterministic policy."""
        exact = (self._pi.dtype == object) if exact is None else exact
        if not self.is_deterministic:
            if exact:
                return self._pi if self._pi.dtype == object else exact_array(self._pi)
            return float_array(self._pi)
        A = A if A is not None else self.A
        if A is None:
            A = int(self._pi.max()) + 1
        out = np.zeros((self.S, A), dtype=object if exact else np.float64)
        if exact:
            out[:] = Fraction(0)
        out[np.arange(self.S), self._pi] = Fraction(1) if exact else 1.0
        return out

    def exact(self) -> Policy:
        """The same policy over the rationals: each probability is the rational its double stores.

        Rows then sum to 1 up to the rounding of the input, exactly as for `MDP.exact`.
        """
        if self.is_exact:
            return self
        lifted = object.__new__(Policy)
        lifted._pi, lifted.A = frozen(exact_array(self._pi)), self.A
        return lifted

    def float(self) -> Policy:
        """The same policy in doubles."""
        return self if self.is_deterministic or not self.is_exact else Policy(float_array(self._pi))

    def __getitem__(self, key: Any) -> Any:
        return self._pi[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        arr = self._pi if dtype is None else self._pi.astype(dtype)
        return arr.copy() if copy else arr

    def __len__(self) -> int:
        return self.S

    def __iter__(self) -> Iterator[Any]:
        return iter(self._pi)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Policy):
            return self._pi.shape == other._pi.shape and bool((self._pi == other._pi).all())
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._pi.shape, tuple(self._pi.reshape(-1).tolist())))

    def __repr__(self) -> str:
        body = self._pi.tolist()
        if self._pi.dtype == object:
            return f"Policy({nested(body)})"
        return f"Policy({body})" if self.S <= 12 else f"Policy(S={self.S})"


def _check_rows(arr: NDArray[Any]) -> None:
    if arr.shape[1] == 0:
        raise InvalidModel("policy: A=0 columns; every state needs at least one action")
    if arr.dtype != object and not np.isfinite(arr).all():
        s, a = (int(i) for i in np.argwhere(~np.isfinite(arr))[0])
        raise InvalidModel(f"policy: pi[{s}, {a}]={arr[s, a]}, probabilities must be finite")
    neg = arr < 0
    if neg.any():
        s, a = (int(i) for i in np.argwhere(neg)[0])
        raise InvalidModel(f"policy: pi[{s}, {a}]={arr[s, a]}, probabilities must be ≥ 0")
    off = np.abs(arr.sum(axis=1) - 1)
    bad = off > (0 if arr.dtype == object else ROW_TOL)
    if bad.any():
        s = int(np.argmax(bad))
        raise InvalidModel(
            f"policy: row {s} sums to {arr[s].sum()} (off by {off[s]}); "
            "rows must sum to 1, divide the row by its sum"
        )
