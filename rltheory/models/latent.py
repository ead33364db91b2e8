"""Latent Markov decision processes: one of M hidden contexts is drawn, then played for H steps.

Definitions.  m ~ w is drawn and never shown; s_1 ~ ν_m; at steps t = 1..H the process in s takes a, pays
R_m(s,a) (a number, not a law) and moves with P_m(·|s,a).  Nothing is paid after step H; no discount.
Policies see the states and, if `observe_rewards`, the rewards: they depend on the history.

Normalisation.  With U_{H+1} = 0 and U_t(m,s) = max_a [R_m(s,a) + max_{s' ∈ supp P_m(·|s,a)} U_{t+1}(m,s')],
the largest total reward of a trajectory is max U_1(m,s) over ν_m(s) > 0.  It is at most 1 unless
`normalisation="waive"`; rewards are then not negative either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolVec, Entries, exact_array, float_array, fresh, frozen, to_fraction
from ..errors import InvalidArgument, InvalidModel
from ..portable import Portable
from .finite_horizon import FiniteHorizonMDP, _check_horizon
from .latent_checks import check_laws, check_weights, contexts, full_array
from .mdp import MDP
from .source_text import nested
from .validate import ROW_TOL, number_system

Normalisation = Literal["require", "rescale", "waive"]


class LatentMDP(Portable):
    """M contexts with common states and actions, drawn by `weights` and hidden; immutable.

    Parameters
    ----------
    models
        One `MDP` or stationary, undiscounted `FiniteHorizonMDP` a context, all of the same S, A and number
        system; γ of an `MDP` plays no part, its `mu` is ν_m.  From arrays: `LatentMDP.from_arrays`.
    weights
        (M,) law w of the context, all positive.
    H
        Horizon, at least 1; that of the `FiniteHorizonMDP`s if not given.
    observe_rewards
        True if the policy sees the rewards: they may then tell the contexts apart.
    normalisation
        "require" refuses rewards that are negative or can add up to more than 1; "rescale" divides them
        by the largest total when that exceeds 1 (`scale` keeps the divisor); "waive" takes any rewards.

    Raises
    ------
    InvalidModel
        Naming the first offending context, state and action: weights that are not positive or do not sum
        to one, laws that do not, unlike models, actions allowed in some states only, rewards of a pair that
        depend on the next state, rewards that break the normalisation (with the trajectory).

    Examples
    --------
    >>> coin = [MDP([[[1.0]], ], [[r]], gamma=0) for r in (0.0, 0.5)]
    >>> LatentMDP(coin, weights=[0.5, 0.5], H=2)
    LatentMDP(M=2, S=1, A=1, H=2, float)
    """

    M: int
    S: int
    A: int
    H: int
    weights: NDArray[Any]
    nu: NDArray[Any]
    P: NDArray[Any]
    R: NDArray[Any]
    observe_rewards: bool
    scale: Any

    def __init__(
        self,
        models: Sequence[MDP | FiniteHorizonMDP],
        *,
        weights: Entries,
        H: int | None = None,
        observe_rewards: bool = True,
        normalisation: Normalisation = "require",
    ) -> None:
        H, parts = contexts(models, H)
        exact = parts[0].is_exact
        law = fresh(weights, part="weights")
        number_system(law)
        self._fill(
            exact_array(law) if exact else float_array(law),
            np.array([m.mu for m in parts]),
            np.array([full_array(m, i, "P") for i, m in enumerate(parts)]),
            np.array([full_array(m, i, "R") for i, m in enumerate(parts)]),
            H,
            observe_rewards,
            normalisation,
        )

    @classmethod
    def from_arrays(
        cls,
        P: Entries,
        R: Entries,
        *,
        weights: Entries,
        nu: Entries,
        H: int,
        observe_rewards: bool = True,
        normalisation: Normalisation = "require",
    ) -> LatentMDP:
        """From P (M, S, A, S), R (M, S, A), weights (M,) and nu (M, S); exact if any entry is a `Fraction`.

        Raises
        ------
        InvalidModel
            As for `LatentMDP`; also for shapes that do not fit.
        """
        arrays = [fresh(x, part=part) for part, x in (("weights", weights), ("nu", nu), ("P", P), ("R", R))]
        exact = number_system(*arrays)
        w, law, kernel, reward = (exact_array(x) if exact else float_array(x) for x in arrays)
        self = object.__new__(cls)
        self._fill(w, law, kernel, reward, H, observe_rewards, normalisation)
        return self

    def _fill(
        self,
        weights: NDArray[Any],
        nu: NDArray[Any],
        P: NDArray[Any],
        R: NDArray[Any],
        H: int,
        observe_rewards: bool,
        normalisation: Normalisation,
    ) -> None:
        H = _check_horizon(H)
        if P.ndim != 4 or P.shape[1] != P.shape[3] or 0 in P.shape:
            raise InvalidModel(f"P: shape={P.shape}, must be (M, S, A, S) with M, S, A ≥ 1")
        M, S, A, _ = P.shape
        for name, x, shape in (("R", R, (M, S, A)), ("weights", weights, (M,)), ("nu", nu, (M, S))):
            if x.shape != shape:
                raise InvalidModel(f"{name}: shape={x.shape}, must be {shape} to fit P of shape {P.shape}")
        _check_flags(observe_rewards, normalisation)
        exact = P.dtype == object
        check_weights(weights, exact)
        check_laws("nu", nu, exact)
        check_laws("P", P, exact)
        if not exact and not np.isfinite(R).all():
            m, s, a = (int(i) for i in np.argwhere(~np.isfinite(R))[0])
            raise InvalidModel(f"R: R[{m}, {s}, {a}]={R[m, s, a]}, rewards must be finite")
        self._set(
            M=M,
            S=S,
            A=A,
            H=H,
            weights=frozen(weights),
            nu=frozen(nu),
            P=frozen(P),
            R=frozen(R),
            observe_rewards=bool(observe_rewards),
            scale=Fraction(1) if exact else 1.0,
        )
        if normalisation != "waive":
            self._normalise(normalisation == "rescale")

    def _normalise(self, rescale: bool) -> None:
        if (self.R < 0).any():
            m, s, a = (int(i) for i in np.argwhere(self.R < 0)[0])
            raise InvalidModel(
                f"R: R[{m}, {s}, {a}]={self.R[m, s, a]}, rewards must be ≥ 0; add a constant to all of "
                "them, or pass normalisation='waive'"
            )
        total = self.largest_total
        if total <= (1 if self.is_exact else 1 + ROW_TOL):
            return
        if not rescale:
            m, path = self.richest_trajectory
            text = " → ".join(f"s={s} a={a}" for s, a in path)
            raise InvalidModel(
                f"R: the trajectory {text} of context {m} collects {total} (H={self.H}), total rewards must "
                "be ≤ 1; pass normalisation='rescale' to divide all rewards by the largest total, or 'waive'"
            )
        R = np.array([[[r / total for r in row] for row in x] for x in self.R], dtype=self.R.dtype)
        for name in _CACHED:
            self.__dict__.pop(name, None)
        self._set(R=frozen(R), scale=total)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"LatentMDP is immutable: cannot set {name}; use model.replace({name}=...) or build a new one"
        )

    # ---- number system -------------------------------------------------------------------
    @property
    def is_exact(self) -> bool:
        """True for a model over the rationals."""
        return bool(self.P.dtype == object)

    def exact(self) -> LatentMDP:
        """The same model over the rationals: every entry is the rational its double stores.

        Rows then sum to 1 up to the rounding of the doubles.
        """
        return self if self.is_exact else self._convert(exact_array, to_fraction)

    def float(self) -> LatentMDP:
        """The model rounded to doubles."""
        return self._convert(float_array, float) if self.is_exact else self

    def _convert(self, array: Any, scalar: Any) -> LatentMDP:
        out = self._copy()
        out._set(scale=scalar(self.scale))
        out._set(**{k: frozen(array(getattr(self, k))) for k in ("weights", "nu", "P", "R")})
        return out

    def _copy(self) -> LatentMDP:
        out = object.__new__(LatentMDP)
        out.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _CACHED})
        return out

    # ---- views ---------------------------------------------------------------------------
    def context(self, m: int) -> FiniteHorizonMDP:
        """Context m as a `FiniteHorizonMDP` with start law ν_m: the problem once m is known."""
        if not 0 <= m < self.M:
            raise InvalidArgument(f"context: m={m}, contexts are 0..{self.M - 1}")
        out = object.__new__(FiniteHorizonMDP)
        out._fill([_stage(self.P[m], self.R[m])], self.H, 1, None)
        out._set(mu=frozen(self.nu[m].copy()))
        return out

    @cached_property
    def support(self) -> BoolVec:
        """(M, S, A, S) mask of P > 0."""
        return frozen(np.asarray(self.P != 0, dtype=np.bool_))

    @property
    def branching(self) -> int:
        """Γ = max |supp P_m(·|s,a)|."""
        return int(self.support.sum(axis=3).max())

    @cached_property
    def start(self) -> NDArray[Any]:
        """(M, S) w_m ν_m(s): column s is the unnormalised belief after seeing the first state."""
        return frozen(np.asarray(self.weights[:, None] * self.nu))

    @cached_property
    def reachable(self) -> BoolVec:
        """(H, M, S): context m can be in state s when the step t + 1 is taken, some actions granted."""
        out = np.zeros((self.H, self.M, self.S), dtype=np.bool_)
        out[0] = self.nu != 0
        edges = self.support.any(axis=2)
        for t in range(1, self.H):
            out[t] = (out[t - 1][:, :, None] & edges).any(axis=1)
        return frozen(out)

    @cached_property
    def _totals(self) -> NDArray[Any]:
        """(H + 1, M, S) U: the largest total reward from step t + 1 on."""
        zero = Fraction(0) if self.is_exact else 0.0
        U = np.full((self.H + 1, self.M, self.S), zero, dtype=self.R.dtype)
        for t in reversed(range(self.H)):
            best = _over_support(self.support, U[t + 1])
            U[t] = (self.R + best).max(axis=2)
        return frozen(U)

    @cached_property
    def largest_total(self) -> Any:
        """Largest total reward of a trajectory that some context can produce."""
        first = self._totals[0]
        return max(first[m, s] for m, s in np.argwhere(self.nu != 0))

    @cached_property
    def richest_trajectory(self) -> tuple[int, tuple[tuple[int, int], ...]]:
        """(m, ((s_1, a_1), …, (s_H, a_H))) that collects `largest_total`."""
        U = self._totals
        m, s = max(((m, s) for m, s in np.argwhere(self.nu != 0)), key=lambda x: U[0][x[0], x[1]])
        path = []
        for t in range(self.H):
            nxt = [
                (self.R[m, s, a] + U[t + 1][m, u], a, u)
                for a in range(self.A)
                for u in np.flatnonzero(self.support[m, s, a])
            ]
            _, a, u = max(nxt, key=lambda x: x[0])
            path.append((int(s), int(a)))
            s = u
        return int(m), tuple(path)

    def replace(self, **changes: Any) -> LatentMDP:
        """A copy with other `weights`, `nu`, `P`, `R`, `H`, `observe_rewards`; validated again.

        Parameters
        ----------
        changes
            Any arguments of `from_arrays`.
        """
        names = ("P", "R", "weights", "nu", "H", "observe_rewards")
        known = {k: getattr(self, k) for k in names}
        for key in changes:
            if key not in (*known, "normalisation"):
                raise InvalidArgument(
                    f"replace: {key!r} is no part of a LatentMDP; it has {', '.join(names)}"
                )
        if changes.keys() & {"P", "R", "weights", "nu"}:
            return LatentMDP.from_arrays(**(known | changes))
        out = self._copy()  # laws are kept as they are, even where they were doubles and sum to 1 ± an ulp
        normalisation = changes.pop("normalisation", "require")
        _check_flags(changes.get("observe_rewards", True), normalisation)
        if "H" in changes:
            changes["H"] = _check_horizon(changes["H"])
        out._set(**changes, scale=Fraction(1) if self.is_exact else 1.0)
        if normalisation != "waive":
            out._normalise(normalisation == "rescale")
        return out

    # ---- identity ------------------------------------------------------------------------
    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over every number and shape of the model."""
        h = hashlib.sha256()
        for arr in (self.weights, self.nu, self.P, self.R):
            h.update(repr(arr.shape).encode())
            h.update(str(arr.tolist()).encode() if arr.dtype == object else (arr + 0.0).tobytes())  # −0 is 0
        h.update(repr((self.H, self.observe_rewards, str(self.scale), self.is_exact)).encode())
        return h.hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.content_hash == other.content_hash if isinstance(other, LatentMDP) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        hidden = "" if self.observe_rewards else ", rewards hidden"
        system = "exact" if self.is_exact else "float"
        return f"LatentMDP(M={self.M}, S={self.S}, A={self.A}, H={self.H}{hidden}, {system})"

    def literal(self) -> str:
        """Python source that rebuilds a small model; what a counter-example is printed as."""
        hidden = "" if self.observe_rewards else ", observe_rewards=False"
        free = (self.R < 0).any() or self.largest_total > (1 if self.is_exact else 1 + ROW_TOL)
        waived = ", normalisation='waive'" if free else ""
        return (
            f"LatentMDP.from_arrays({nested(self.P.tolist())}, {nested(self.R.tolist())}, "
            f"weights={nested(self.weights.tolist())}, nu={nested(self.nu.tolist())}, "
            f"H={self.H}{hidden}{waived})"
        )

    def _repr_html_(self) -> str:
        rows: Mapping[str, object] = {
            "contexts": self.M,
            "states": self.S,
            "actions": self.A,
            "horizon": self.H,
            "rewards": "observed" if self.observe_rewards else "hidden",
            "largest total reward": self.largest_total,
            "numbers": "rational" if self.is_exact else "float64",
        }
        return "<table>" + "".join(f"<tr><th>{k}</th><td>{v}</td></tr>" for k, v in rows.items()) + "</table>"


_CACHED = {"support", "start", "reachable", "_totals", "largest_total", "richest_trajectory", "content_hash"}


def _check_flags(observe_rewards: object, normalisation: object) -> None:
    if not isinstance(observe_rewards, (bool, np.bool_)):
        raise InvalidModel(f"observe_rewards={observe_rewards!r}, must be True or False")
    if normalisation not in ("require", "rescale", "waive"):
        raise InvalidModel(f"normalisation={normalisation!r}, must be 'require', 'rescale' or 'waive'")


def _over_support(support: BoolVec, values: NDArray[Any]) -> NDArray[Any]:
    """(M, S, A) max of (M, S) `values` over the next states of each triple."""
    if values.dtype != object:
        return np.asarray(np.where(support, values[:, None, None, :], -np.inf).max(axis=3))
    out = np.empty(support.shape[:3], dtype=object)
    for idx in np.ndindex(*support.shape[:3]):
        out[idx] = max(values[idx[0], u] for u in np.flatnonzero(support[idx]))
    return out


def _stage(P: NDArray[Any], R: NDArray[Any]) -> MDP:
    """One step of a context; rows of rationals that were doubles need not sum to one exactly."""
    if P.dtype != object or (P.sum(axis=2) == 1).all():
        return MDP(P.copy(), R.copy(), 0)
    return MDP(float_array(P), np.zeros(R.shape), 0.0).exact().replace(R=R)
