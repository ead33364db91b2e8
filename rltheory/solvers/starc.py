"""STARC metrics between rewards, EPIC and DARD among their relatives; one reward pair or thousands.

Definition.  d(R1, R2) = m(s(R1) − s(R2)), s(R) = c(R)/n(c(R)), and s(R) = 0 where n(c(R)) = 0: a
canonicalisation c (see `operators.canonical`), a norm n, a norm m.  Norms of an array x(s, a, s'):
    "l1" "l2" "linf"      Σ|x|, √Σx², max|x|
    "w1" "w2" "winf"      (Σ P|x|^p)^{1/p}, max P|x|, with the weights P(s'|s, a)
    "range"               ρ(x) = max_π J_x − min_π J_x (see `reward_regret`)
    None                  no normalisation: s(R) = c(R)
With c = "VAL" or "minimal-l2" and n = m every value lies in [0, 2]: 0 exactly if the policy orders agree,
2 for R2 = −R1.  n = m = "range" bounds worst-case regret by ½d ≤ Reg ≤ d.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import BoolVec, Real, to_fraction
from ..errors import InvalidArgument
from ..kernels import ball
from ..models.mdp import MDP
from ..models.policy import Policy
from ..operators.canonical import Canon, canonicalise
from ..operators.occupancy import occupancy
from ..operators.shaping import Rewards, dynamics, rewards
from ..results.enclosure import Enclosure
from .batched import solve_batch
from .reward_regret import TRIVIAL, reward_range

Norm = Literal["l1", "l2", "linf", "w1", "w2", "winf", "range"]
NORMS = ("l1", "l2", "linf", "w1", "w2", "winf", "range")
CHUNK = 1 << 24
_AXES = (-3, -2, -1)


class UnreachableStates(UserWarning):
    """Some states cannot be reached: fixed-norm STARC metrics then neither bound regret nor match orders."""


def reachable_states(mdp: MDP) -> BoolVec:
    """(S,) True where some policy visits the state with positive probability from the start law.

    Complexity: O(S·nnz) at worst.
    """
    reached = np.asarray(mdp.mu > 0)
    data, indices, indptr = mdp.csr
    sources = mdp.pair_state[np.repeat(np.arange(mdp.N), np.diff(indptr))]
    positive = np.asarray(data > 0)
    while True:
        new = reached.copy()
        new[indices[positive & reached[sources]]] = True
        if (new == reached).all():
            return reached
        reached = new


def starc_distance(
    R1: ArrayLike,
    R2: ArrayLike,
    mdp: MDP,
    *,
    canon: Canon = "VAL",
    norm: Norm | None = "l2",
    metric: Norm | None = None,
    pi: Policy | ArrayLike | None = None,
    D_S: ArrayLike | None = None,
    D_A: ArrayLike | None = None,
    trivial: float = TRIVIAL,
) -> Any:
    """d(R1, R2) = m(s(R1) − s(R2)), s = c/n(c).

    Parameters
    ----------
    R1, R2
        (..., S, A, S) rewards, one each or batches that broadcast against each other.
    mdp
        Supplies P, γ and the start law; its own rewards are not used.
    canon
        Canonicalisation; see `canonicalise` (also for `pi`, `D_S`, `D_A`).
    norm
        n; None for none.
    metric
        m; the same as `norm` if not given ("l2" if that is None).
    trivial
        In doubles s(R) = 0 where n(c(R)) ≤ trivial·n(R) (for "range": ρ(R) ≤ trivial·max|R|), because
        there c(R) is rounding noise.

    Returns
    -------
    A float, or a (...) array for batches; relative error a small multiple of u·S/(1−γ), divided by
    n(c(R))/n(R) where that is small.  For exact models a `Fraction` where both norms are rational, else
    an `Enclosure` (of relative width below 1e-30); one pair at a time.

    Warns
    -----
    UnreachableStates
        If a state is unreachable: such a state can dominate the distance (`starc.reachability`); "range"
        is not affected and does not warn.

    Raises
    ------
    InvalidArgument, InvalidModel
        Unknown names, wrong shapes, entries that are not finite.

    Complexity: that of `canonicalise`; "range" adds two solves a pair.

    Source: Skalse et al. 2024, Definitions 1–4.

    Examples
    --------
    >>> from rltheory import MDP
    >>> m = MDP([[[1.0], [1.0]]], [[0.0, 0.0]], gamma=0.5)
    >>> starc_distance([[[1.0], [0.0]]], [[[0.0], [5.0]]], m, norm="linf")
    2.0
    """
    second: Norm = metric if metric is not None else ("l2" if norm is None else norm)
    for name, value in (("norm", norm), ("metric", second)):
        if value is not None and value not in NORMS:
            raise InvalidArgument(f"{name}={value!r}, must be one of {', '.join(NORMS)}")
    if norm != "range" and canon in ("VAL", "minimal-l2") and not (seen := reachable_states(mdp)).all():
        warnings.warn(
            f"state {int(np.argmin(seen))} is unreachable: this distance does not bound regret; use "
            'norm="range", or drop the state',
            UnreachableStates,
            stacklevel=2,
        )
    a, b = rewards(R1, mdp, "R1"), rewards(R2, mdp, "R2")
    c1, c2 = (canonicalise(x, mdp, canon, pi=pi, D_S=D_S, D_A=D_A) for x in (a, b))
    if mdp.is_exact:
        if a.ndim != 3 or b.ndim != 3:
            raise InvalidArgument("starc_distance: exact models take one pair a call; or use mdp.float()")
        return _exact_distance(c1, c2, mdp, norm, second)
    s1, s2 = (_standard(x, c, mdp, norm, trivial) for x, c in ((a, c1), (b, c2)))
    out = reward_norm(s1 - s2, mdp, second)
    return float(out) if out.ndim == 0 else out


def soundness_constants(mdp: MDP) -> tuple[Real, Real]:
    """(L, U) with L·d ≤ Reg(R1, R2) ≤ U·d for d = VAL-linf-linf, uniform policy, R1 not trivial.

        U = 2(A−1)/(A(1−γ)² d_min),   L = 1/(2U),   d_min = min_s Σ_t γ^t P(s_t = s) under the uniform policy.

    Both are tight as γ → 0 (`starc.explicit-val`); d_ρ (`norm="range"`) has L = ½ and U = 1 anywhere.

    Returns
    -------
    Rationals for an exact model; in doubles within rounding of the true values.  (0, inf) if some state is
    not reached.

    Raises
    ------
    InvalidModel
        Action sets that differ by state, or γ = 0.

    Source: Skalse et al. 2024, Theorems on soundness and completeness, with the constants derived.
    """
    dynamics(mdp)
    one: Any = 1 if mdp.is_exact else 1.0
    table = np.full((mdp.S, mdp.A), to_fraction(1) / mdp.A if mdp.is_exact else 1.0 / mdp.A)
    least = occupancy(mdp, table, normalised=False).min()
    if not least > 0:
        return 0 * one, math.inf
    if mdp.A == 1:
        return one / 2, one
    U = 2 * one * (mdp.A - 1) / (mdp.A * (1 - mdp.gamma) ** 2 * least)
    return 1 / (2 * U), U


def epic_distance(
    R1: ArrayLike, R2: ArrayLike, mdp: MDP, *, D_S: ArrayLike | None = None, D_A: ArrayLike | None = None
) -> Any:
    """√((1 − Pearson)/2) of the EPIC-canonical rewards under D_S ⊗ D_A ⊗ D_S; in [0, 1].

    Where one canonical reward vanishes there is no correlation: the distance is then ½, and 0 where both
    vanish, the values of ½‖s(R1) − s(R2)‖.  Arguments as for `starc_distance` (doubles; batches allowed).

    Source: Gleave et al. 2021, Definition 4.7.
    """
    return _pearson(R1, R2, mdp, "EPIC", D_S, D_A)


def dard_distance(
    R1: ArrayLike, R2: ArrayLike, mdp: MDP, *, D_S: ArrayLike | None = None, D_A: ArrayLike | None = None
) -> Any:
    """√((1 − Pearson)/2) of the DARD-canonical rewards under D_S ⊗ D_A ⊗ D_S; see `epic_distance`.

    Source: Wulfe et al. 2022.
    """
    return _pearson(R1, R2, mdp, "DARD", D_S, D_A)


def _pearson(R1: ArrayLike, R2: ArrayLike, mdp: MDP, canon: Canon, D_S: Any, D_A: Any) -> Any:
    if mdp.is_exact:
        mdp = mdp.float()
        R1, R2 = np.asarray(R1, dtype=np.float64), np.asarray(R2, dtype=np.float64)
    S, A = mdp.S, mdp.A
    a, b = rewards(R1, mdp, "R1"), rewards(R2, mdp, "R2")
    c1, c2 = (canonicalise(x, mdp, canon, D_S=D_S, D_A=D_A) for x in (a, b))
    law = np.full(S, 1 / S) if D_S is None else np.asarray(D_S, dtype=np.float64)
    act = np.full(A, 1 / A) if D_A is None else np.asarray(D_A, dtype=np.float64)
    D = law[:, None, None] * act[:, None] * law
    units = []
    for x, c in ((a, c1), (b, c2)):
        c = c - (D * c).sum(axis=_AXES, keepdims=True)
        size = np.sqrt((D * c * c).sum(axis=_AXES))
        whole = np.sqrt((D * x * x).sum(axis=_AXES))
        size = np.where(size <= TRIVIAL * whole, 0.0, size)
        units.append(_divided(c, size))
    gap = units[0] - units[1]
    out = 0.5 * np.sqrt((D * gap * gap).sum(axis=_AXES))
    return float(out) if out.ndim == 0 else out


def reward_norm(x: ArrayLike, mdp: MDP, norm: Norm) -> NDArray[np.float64]:
    """The norm of (..., S, A, S) rewards in doubles, as a (...) array; names as in the module's table."""
    arr = rewards(x, mdp, "x")
    if norm == "range":
        return _ranges(arr, mdp)
    size = np.abs(arr)
    if norm == "l1":
        return np.asarray(size.sum(axis=_AXES))
    if norm == "l2":
        return np.asarray(np.sqrt((arr * arr).sum(axis=_AXES)))
    if norm == "linf":
        return np.asarray(size.max(axis=_AXES))
    P = dynamics(mdp)
    if norm == "w1":
        return np.asarray((P * size).sum(axis=_AXES))
    if norm == "w2":
        return np.asarray(np.sqrt((P * arr * arr).sum(axis=_AXES)))
    return np.asarray((P * size).max(axis=_AXES))


def _standard(R: Rewards, c: Rewards, mdp: MDP, norm: Norm | None, trivial: float) -> Rewards:
    """s(R) in doubles."""
    if norm is None:
        return c
    size = reward_norm(c, mdp, norm)
    whole = np.abs(R).max(axis=_AXES) if norm == "range" else reward_norm(R, mdp, norm)
    return _divided(c, np.where(size <= trivial * whole, 0.0, size))


def _divided(c: Rewards, size: NDArray[np.float64]) -> Rewards:
    """c/size, and 0 where size is 0."""
    safe = np.where(size > 0, size, 1.0)
    return np.where((size > 0)[..., None, None, None], c / safe[..., None, None, None], 0.0)


def _ranges(x: Rewards, mdp: MDP) -> NDArray[np.float64]:
    """ρ of a batch: both signs of every reward in calls of `solve_batch`, at rounding accuracy."""
    S, A = mdp.S, mdp.A
    P = dynamics(mdp)
    r = (P * x).sum(axis=-1).reshape(-1, S, A)
    size = np.abs(r).max(axis=(1, 2), initial=0.0)
    unit = r / np.where(size > 0, size, 1.0)[:, None, None]
    out = np.empty(len(r))
    step = max(1, CHUNK // (2 * S * A * S))
    for k in range(0, len(r), step):
        part = unit[k : k + step]
        both = np.concatenate([part, -part])
        V = solve_batch(np.broadcast_to(P, (len(both), S, A, S)), both, float(mdp.gamma), 1e-12).V
        J = V @ mdp.mu
        out[k : k + step] = J[: len(part)] + J[len(part) :]
    return np.asarray((out * size).reshape(x.shape[:-3]))


def _exact_distance(c1: Rewards, c2: Rewards, mdp: MDP, norm: Norm | None, second: Norm) -> Any:
    """In rationals where both norms are, else in balls of 192 bits."""
    if norm in ("l2", "w2") or second in ("l2", "w2"):
        with ball.precision(192):
            b1, b2 = (_ball_standard(c, mdp, norm) for c in (c1, c2))
            return Enclosure.ball(_ball_norm(b1 - b2, mdp, second))
    unit = []
    for c in (c1, c2):
        size = 1 if norm is None else _rational_norm(c, mdp, norm)
        unit.append(c / size if size != 0 else 0 * c)
    return _rational_norm(unit[0] - unit[1], mdp, second)


def _rational_norm(x: Rewards, mdp: MDP, norm: Norm) -> Any:
    if norm == "range":
        return reward_range(x, mdp)
    size = np.abs(x)
    if norm == "l1":
        return size.sum()
    if norm == "linf":
        return size.max()
    weighted = dynamics(mdp) * size
    return weighted.sum() if norm == "w1" else weighted.max()


def _ball_standard(c: Rewards, mdp: MDP, norm: Norm | None) -> NDArray[np.object_]:
    """c/n(c) in balls; n(c) = 0 is decided on the rationals."""
    if not (c != 0).any() or (norm == "range" and reward_range(c, mdp) == 0):
        return ball.balls(0 * c)
    if norm in ("w1", "w2", "winf") and not (dynamics(mdp) * c != 0).any():
        return ball.balls(0 * c)
    if norm is None:
        return ball.balls(c)
    irrational = norm in ("l2", "w2")
    size = _ball_norm(ball.balls(c), mdp, norm) if irrational else ball.to_arb(_rational_norm(c, mdp, norm))
    return np.asarray(ball.balls(c) / size)


def _ball_norm(x: NDArray[np.object_], mdp: MDP, norm: Norm) -> Any:
    """Norms of arrays of balls ("range" is refused: its maximiser cannot be decided in balls)."""
    if norm == "range":
        raise InvalidArgument('metric="range" after norm="l2" or "w2" is irrational: use mdp.float()')
    weight = ball.balls(dynamics(mdp)) if norm[0] == "w" else None
    if norm in ("l2", "w2"):
        square = x * x if weight is None else weight * x * x
        return ball.sqrt(np.array([square.sum()], dtype=object))[0]
    size = np.array([abs(v) for v in x.ravel()], dtype=object)
    if weight is not None:
        size = size * weight.ravel()
    return size.sum() if norm in ("l1", "w1") else ball.maximum(list(size))
