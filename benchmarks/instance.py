"""A model as plain arrays, on its way to a solver of any library, and the check of what came back.

Pairs (s, a) are numbered by state, then action; row k of the transition law is
data[indptr[k]:indptr[k+1]] at columns indices[...].  A terminal state is a self-loop that pays nothing.
NumPy is all this file needs: a worker for another library never imports rltheory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .reference import Reference

ARRAYS = ("data", "indices", "indptr", "R", "state_ptr", "pair_action", "terminal")
CHUNK = 1 << 22
"""Non-zeros checked at a time, so that the check needs little memory."""


@dataclass(frozen=True, eq=False)
class Instance:
    """One model.

    Attributes
    ----------
    data, indices, indptr
        CSR rows of the pairs: float64, int32, int64.
    R, state_ptr, pair_action, terminal
        (N,) rewards, (S+1,) first pairs, (N,) action ids, (S,) flags.
    gamma, S, A
        Discount, states, largest number of actions.
    dense
        True if the model is meant as a dense array.
    name
        What the tables call it.
    reference
        V* to far more digits than are asked for, where it was computed (`reference.py`).
    """

    data: Any
    indices: Any
    indptr: Any
    R: Any
    state_ptr: Any
    pair_action: Any
    terminal: Any
    gamma: float
    S: int
    A: int
    dense: bool
    name: str
    reference: Reference | None = None

    @property
    def N(self) -> int:
        return int(self.R.size)

    @property
    def nnz(self) -> int:
        return int(self.data.size)

    @property
    def uniform(self) -> bool:
        """Every state has all A actions, in order."""
        return self.N == self.S * self.A

    @property
    def pair_state(self) -> Any:
        return np.repeat(np.arange(self.S), np.diff(self.state_ptr))

    @property
    def backup_bytes(self) -> int:
        """Bytes a Bellman backup must move: P and R once, V in and out; 12 bytes a non-zero, dense 8."""
        index = 0 if self.dense else 4
        rows = 0 if self.dense else 4 * (self.N + 1)
        return self.nnz * (8 + index) + rows + 8 * self.N + 16 * self.S

    def dense_arrays(self) -> tuple[Any, Any]:
        """(S, A, S) transitions and (S, A) rewards; pairs that are not allowed have R = −inf."""
        Q = np.zeros((self.S * self.A, self.S))
        R = np.full((self.S, self.A), -np.inf)
        row = self.pair_state * self.A + self.pair_action
        Q[np.repeat(row, np.diff(self.indptr)), self.indices] = self.data
        R.reshape(-1)[row] = self.R
        return Q.reshape(self.S, self.A, self.S), R

    def padded(self) -> Any:
        """(S, A) pair of each action; an action that is not allowed stands for the state's first pair."""
        rows = np.repeat(np.asarray(self.state_ptr[:-1])[:, None], self.A, axis=1)
        rows[self.pair_state, self.pair_action] = np.arange(self.N)
        return rows

    def matrix(self) -> Any:
        """(N, S) SciPy CSR array."""
        import scipy.sparse as sp

        return sp.csr_array((self.data, self.indices, self.indptr), shape=(self.N, self.S))

    # ---- files -----------------------------------------------------------------------------
    def save(self, folder: str | Path) -> Path:
        """One .npy an array and `instance.json` into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        facts = {"gamma": self.gamma, "S": self.S, "A": self.A, "dense": self.dense, "name": self.name}
        (folder / "instance.json").write_text(json.dumps(facts), encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Instance:
        """What `save` wrote."""
        folder = Path(folder)
        facts = json.loads((folder / "instance.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy") for name in ARRAYS}
        return cls(**arrays, **facts, reference=Reference.load(folder))

    @classmethod
    def of(cls, mdp: Any, name: str) -> Instance:
        """The arrays of a float `rltheory.MDP`."""
        data, indices, indptr = mdp.csr
        return cls(
            data=data,
            indices=np.asarray(indices, dtype=np.int32),
            indptr=np.asarray(indptr, dtype=np.int64),
            R=mdp.R_pairs,
            state_ptr=mdp.state_ptr,
            pair_action=mdp.pair_action,
            terminal=mdp.terminal,
            gamma=float(mdp.gamma),
            S=mdp.S,
            A=mdp.A,
            dense=mdp.layout == "dense",
            name=name,
        )

    # ---- the check -------------------------------------------------------------------------
    def error(self, V: Any) -> float:
        """A bound on ‖V − V*‖∞: from the reference if there is one, else from the residual."""
        return self.certificate(V) if self.reference is None else self.reference.distance(V)

    def certificate(self, V: Any) -> float:
        """‖TV − V‖∞/(1 − γ) ≥ ‖V − V*‖∞, in float64; infinite for a wrong shape, NaN or infinity."""
        V = np.asarray(V, dtype=np.float64)
        if V.shape != (self.S,) or not np.isfinite(V).all():
            return float("inf")
        return float(np.abs(self.backup(V) - V).max()) / (1.0 - self.gamma)

    def backup(self, V: Any) -> Any:
        """TV, in NumPy."""
        q = np.empty(self.N)
        k = 0
        while k < self.N:
            end = int(np.searchsorted(self.indptr, self.indptr[k] + CHUNK, side="right")) - 1
            end = min(max(end, k + 1), self.N)
            lo, hi = int(self.indptr[k]), int(self.indptr[end])
            q[k:end] = np.add.reduceat(self.data[lo:hi] * V[self.indices[lo:hi]], self.indptr[k:end] - lo)
            k = end
        return np.maximum.reduceat(self.R + self.gamma * q, self.state_ptr[:-1])
