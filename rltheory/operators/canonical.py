"""Canonical rewards: one representative of everything that shaping and redistribution can make of R.

Definitions.  A canonicalisation c is linear, moves R only within R + N (see `shaping`), and takes one
value on R + N.  "VAL" and "minimal-l2" are canonicalisations; "VAL-potential", "minimal-potential",
"EPIC" and "DARD" undo shaping only, "none" nothing.  Sources: Skalse et al. 2024 (VAL, minimal), Gleave
et al. 2021 (EPIC), Wulfe et al. 2022 (DARD).
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import exact_array, float_array
from ..errors import InvalidArgument
from ..kernels.exact import solve_linear
from ..models.mdp import MDP
from ..models.policy import Policy
from ..models.validate import check_law
from .policy import as_policy
from .shaping import Rewards, dynamics, fit_potential, rewards

Canon = Literal["VAL", "minimal-l2", "VAL-potential", "minimal-potential", "EPIC", "DARD", "none"]


def canonicalise(
    R: ArrayLike,
    mdp: MDP,
    canon: Canon = "VAL",
    *,
    pi: Policy | ArrayLike | None = None,
    D_S: ArrayLike | None = None,
    D_A: ArrayLike | None = None,
) -> Rewards:
    """c(R), of the shape of R.

    | canon | c(R)(s, a, s') |
    |---|---|
    | "VAL" | E[R + γV(S') − V(s)], V = V^π of R: the advantage of π, the same for every s' |
    | "minimal-l2" | the element of R + N of least ℓ₂ norm: R projected off N |
    | "VAL-potential" | R + γV(s') − V(s) |
    | "minimal-potential" | the element of least ℓ₂ norm among R plus shapings |
    | "EPIC" | R + γμ(s') − μ(s) − γE μ(S), μ(s) = E R(s, A, S') with A ~ D_A, S' ~ D_S |
    | "DARD" | R + E[γR(s', A, S'') − R(s, A, S') − γR(S', A, S'')], S' ~ P(s, A), S'' ~ P(s', A) |
    | "none" | R |

    Parameters
    ----------
    R
        (..., S, A, S) rewards, one or a batch.
    mdp
        Supplies P and γ; its own rewards are not used.
    canon
        Which map.
    pi
        Policy of VAL and VAL-potential; uniform if not given.
    D_S, D_A
        (S,) and (A,) laws of full support for EPIC and DARD; uniform if not given.

    Returns
    -------
    (..., S, A, S) array (VAL: a read-only broadcast).  Exact for an exact model; in doubles the relative
    error is a small multiple of u·S/(1−γ).

    Raises
    ------
    InvalidArgument
        Wrong shape, an entry that is not finite, unknown `canon`, a law without full support.
    InvalidModel
        Action sets that differ by state, or γ = 0.

    Complexity: O(S³ + S²A) for VAL, O(S³A) for the others, plus O(S²A) a reward (DARD: O(S³A)).

    Examples
    --------
    >>> from rltheory import MDP
    >>> m = MDP([[[1.0], [1.0]]], [[0.0, 0.0]], gamma=0.5)
    >>> canonicalise([[[1.0], [0.0]]], m).ravel()
    array([ 0.5, -0.5])
    """
    arr = rewards(R, mdp)
    P = dynamics(mdp)
    if canon == "none":
        return arr
    if canon in ("VAL", "VAL-potential"):
        return _levelled(arr, mdp, P, pi, canon == "VAL")
    if canon == "minimal-l2":
        r, q = (P * arr).sum(axis=-1), (P * P).sum(axis=-1)
        phi = fit_potential(r, mdp, q)
        left = r + mdp.gamma * _ahead(P, phi) - phi[..., :, None]
        return np.asarray((left / q)[..., None] * P)
    if canon == "minimal-potential":
        return _minimal_potential(arr, mdp)
    if canon in ("EPIC", "DARD"):
        weights = [_law(D_A, mdp.A, mdp, "D_A"), _law(D_S, mdp.S, mdp, "D_S")]
        return _epic(arr, mdp, *weights) if canon == "EPIC" else _dard(arr, mdp, P, weights[0])
    raise InvalidArgument(f"canon={canon!r}, must be one of {', '.join(get_args(Canon))}")


def _levelled(arr: Rewards, mdp: MDP, P: Any, pi: Policy | ArrayLike | None, average: bool) -> Rewards:
    """VAL (`average`) or VAL-potential, from V^π of R."""
    if pi is None:
        one = exact_array([1])[0] / mdp.A if mdp.is_exact else 1 / mdp.A
        table = np.full((mdp.S, mdp.A), one, dtype=P.dtype)
    else:
        policy = as_policy(mdp, pi)
        table = (policy.exact() if mdp.is_exact else policy).matrix(mdp.A)
        table = exact_array(table) if mdp.is_exact else float_array(table)
    r = (P * arr).sum(axis=-1)
    C, b = (table[..., None] * P).sum(axis=1), (table * r).sum(axis=-1)
    system, rhs = np.eye(mdp.S, dtype=np.int64) - mdp.gamma * C, b.reshape(-1, mdp.S).T
    V = solve_linear(system, rhs) if mdp.is_exact else np.linalg.solve(system, rhs)
    V = V.T.reshape(b.shape)
    if average:
        c = r + mdp.gamma * _ahead(P, V) - V[..., :, None]
        return np.broadcast_to(c[..., None], arr.shape)
    return np.asarray(arr + (mdp.gamma * V[..., None, :] - V[..., :, None])[..., :, None, :])


def _ahead(P: Any, V: NDArray[Any]) -> NDArray[Any]:
    """Σ_s' P(s'|s, a) V(s') for a batch of V."""
    S, A, _ = P.shape
    flat = V.reshape(-1, S) @ P.reshape(S * A, S).T
    return np.asarray(flat.reshape(*V.shape[:-1], S, A))


def _minimal_potential(arr: Rewards, mdp: MDP) -> Rewards:
    """R + γΦ(s') − Φ(s) of least ℓ₂ norm: an S×S system, the same for every reward.

    Its matrix is the Gram matrix of the S shapings by indicators, (A·S)(γ² + 1)I − 2γA·11ᵀ.
    """
    S, A, gamma = mdp.S, mdp.A, mdp.gamma
    eye, ones = np.eye(S, dtype=np.int64), np.ones((S, S), dtype=np.int64)
    gram = A * S * (gamma * gamma + 1) * eye - 2 * gamma * A * ones
    rhs = arr.sum(axis=(-2, -1)) - gamma * arr.sum(axis=(-3, -2))
    flat = rhs.reshape(-1, S).T
    phi = solve_linear(gram, flat) if mdp.is_exact else np.linalg.solve(gram, flat)
    phi = phi.T.reshape(rhs.shape)
    return np.asarray(arr + (gamma * phi[..., None, :] - phi[..., :, None])[..., :, None, :])


def _epic(arr: Rewards, mdp: MDP, D_A: Any, D_S: Any) -> Rewards:
    mean = ((arr * D_S).sum(axis=-1) * D_A).sum(axis=-1)
    centre = np.asarray((mean * D_S).sum(axis=-1))
    move = mdp.gamma * mean[..., None, :] - mean[..., :, None] - mdp.gamma * centre[..., None, None]
    return np.asarray(arr + move[..., :, None, :])


def _dard(arr: Rewards, mdp: MDP, P: Any, D_A: Any) -> Rewards:
    mean = ((P * arr).sum(axis=-1) * D_A).sum(axis=-1)
    ahead = 0
    for a in range(mdp.A):
        ahead = ahead + D_A[a] * (P[:, a] @ arr[..., :, a, :] @ P[:, a].T)
    move = mdp.gamma * mean[..., None, :] - mean[..., :, None] - mdp.gamma * ahead
    return np.asarray(arr + move[..., :, None, :])


def _law(law: ArrayLike | None, n: int, mdp: MDP, name: str) -> NDArray[Any]:
    if law is None:
        one = exact_array([1])[0] / n if mdp.is_exact else 1 / n
        return np.full(n, one, dtype=object if mdp.is_exact else np.float64)
    out = check_law(law, n, mdp.is_exact)
    if (out <= 0).any():
        i = int(np.argmin(out))
        raise InvalidArgument(f"{name}[{i}]={out[i]}: every entry must be positive (full support)")
    return out


def minimal_representative(
    R: ArrayLike, mdp: MDP, norm: Literal["l1", "linf"], *, redistribute: bool = True
) -> tuple[Rewards, float]:
    """An element of R + N (or of R plus shapings) of least ℓ₁ or ℓ∞ norm, and that norm, by an LP.

    The minimiser need not be unique nor linear in R, so this is not a canonicalisation
    (`starc.minimal-nonlinear`); use it to see what a norm can remove, not to build a metric.

    Parameters
    ----------
    R
        (S, A, S) reward.
    mdp
        Supplies P and γ, in doubles.
    norm
        "l1" or "linf".
    redistribute
        False: shapings only.

    Returns
    -------
    representative, norm
        (S, A, S) array and its norm, to the LP solver's tolerance of about 1e-9.

    Raises
    ------
    InvalidArgument
        For exact models, unknown norms or bad rewards.

    Complexity: an LP of about 2·S²A variables (HiGHS); of S constraints for "l1" without redistribution.
    """
    import scipy.sparse as sp
    from scipy.optimize import linprog

    if norm not in ("l1", "linf"):
        raise InvalidArgument(f"norm={norm!r}, must be 'l1' or 'linf'")
    if mdp.is_exact:
        raise InvalidArgument("minimal_representative: exact model; the LP works in doubles, use mdp.float()")
    arr, P = rewards(R, mdp), dynamics(mdp)
    S, A, n = mdp.S, mdp.A, arr.size
    size = float(np.abs(arr).max()) or 1.0
    b = arr.ravel() / size
    s, s2 = np.repeat(np.arange(S), A * S), np.tile(np.arange(S), S * A)
    k = np.arange(n)
    shape = sp.csr_matrix((np.full(n, float(mdp.gamma)), (k, s2)), (n, S)) - sp.csr_matrix(
        (np.ones(n), (k, s)), (n, S)
    )
    if norm == "l1" and not redistribute:
        # the dual, max ⟨b, y⟩ over |y| ≤ 1 orthogonal to shapings, has S rows only; Φ is its multiplier
        dual = linprog(-b, A_eq=shape.T.tocsr(), b_eq=np.zeros(S), bounds=(-1, 1), method="highs")
        if dual.status != 0:
            raise InvalidArgument(f"minimal_representative: the LP stopped with {dual.message!r}; rescale R")
        least = (b + shape @ dual.eqlin.marginals) * size
        return least.reshape(arr.shape), float(np.abs(least).sum())
    extra = sp.eye(n, format="csr") if redistribute else sp.csr_matrix((n, 0))
    bound = sp.eye(n, format="csr") if norm == "l1" else sp.csr_matrix(np.ones((n, 1)))
    G = sp.vstack([sp.hstack([shape, extra, -bound]), sp.hstack([-shape, -extra, -bound])], format="csr")
    cost = np.concatenate([np.zeros(S + extra.shape[1]), np.ones(bound.shape[1])])
    equal = None
    if redistribute:
        rows = sp.csr_matrix((P.ravel(), (np.repeat(np.arange(S * A), S), k)), (S * A, n))
        equal = sp.hstack([sp.csr_matrix((S * A, S)), rows, sp.csr_matrix((S * A, bound.shape[1]))])
    out = linprog(
        cost, G, np.concatenate([-b, b]), equal, None if equal is None else np.zeros(S * A),
        bounds=(None, None), method="highs",
    )  # fmt: skip
    if out.status != 0:
        raise InvalidArgument(f"minimal_representative: the LP stopped with {out.message!r}; rescale R")
    best = (b + shape @ out.x[:S] + (extra @ out.x[S : S + n] if redistribute else 0)) * size
    return best.reshape(arr.shape), float(out.fun * size)
