"""A low-rank matrix from a cross of rows and columns, and exactly how much that amplifies noise.

Definitions.  Q is n×m of rank r; I, J are k anchor rows and columns, C = Q[:, J], D = Q[I, :],
W = Q[I, J].  The cross estimate is C W⁺ D, equal to Q when W has rank r.  With noise |E| ≤ η on the
cross (the same noise in C, D and W), a_i = C[i, :]W⁻¹, b_j = W⁻¹D[:, j], α_i = ‖a_i‖₁, β_j = ‖b_j‖₁ and
σ = σ_r(W), k = r and rη < σ:
    |Q̄_ij − Q_ij| ≤ η[(1+α_i)(1+β_j) − 1] + η²(1+α_i)(1+β_j) r/(σ − rη)            (entry bound)
    ‖Q̄ − Q‖_∞ ≤ (2(1+κ)² − 1) η   for η ≤ σ/(2r),  κ = r‖Q‖_∞/σ                  (uniform bound)
The first is tight to first order in η for each entry; the second is Shah et al.'s Proposition with a
smaller constant.  Anchors of largest |det W| have α, β ≤ r whatever the conditioning.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import IntVec, Real, exact_array, float_array, to_fraction
from ..arrays import is_exact as holds_fractions
from ..errors import InvalidArgument
from ..kernels.exact import from_fmpq_mat, solve_linear, to_fmpq_mat

CUTOFF = 1e-8
"""Singular values of W below CUTOFF·σ_1 are taken for zero."""


def cross_estimate(
    C: ArrayLike,
    D: ArrayLike,
    I: ArrayLike,
    J: ArrayLike,
    *,
    rank: int | None = None,
    cutoff: float = CUTOFF,
    strict: bool = True,
) -> NDArray[Any]:
    """C W⁺ D with W = C[I, :] = D[:, J], the pseudo-inverse cut at `rank` singular values.

    Parameters
    ----------
    C, D
        (n, k) observed columns and (k, m) observed rows; rationals give an exact estimate.
    I, J
        (k,) anchor rows and columns.
    rank
        Singular values kept; k if not given.  With more anchors than the rank the cut is what keeps noise
        from being amplified without limit.
    cutoff
        Singular values below cutoff·σ_1 are dropped as well (doubles only).
    strict
        False: fewer than `rank` singular values above the cutoff are enough.

    Returns
    -------
    (n, m) estimate.

    Raises
    ------
    InvalidArgument
        Anchors repeated, out of range or of different number; C and D that disagree on W; entries that
        are not finite; fewer than `rank` singular values above the cutoff (W is singular).

    Complexity: O(k³ + nmk).

    Source: Shah, Song, Xu and Yang 2020, Section 4.

    Examples
    --------
    >>> Q = np.outer([1.0, 2.0, 3.0], [1.0, 5.0])
    >>> cross_estimate(Q[:, [0]], Q[[0]], [0], [0])
    array([[ 1.,  5.],
           [ 2., 10.],
           [ 3., 15.]])
    """
    exact = holds_fractions(C) and holds_fractions(D)
    lift = exact_array if exact else float_array
    c, d = cast("NDArray[Any]", lift(C)), cast("NDArray[Any]", lift(D))
    rows, cols = _anchors(I, c.shape[0], "I"), _anchors(J, d.shape[1], "J")
    k = rows.size
    if cols.size != k or c.shape != (c.shape[0], k) or d.shape != (k, d.shape[1]):
        raise InvalidArgument(
            f"cross_estimate: C {c.shape}, D {d.shape}, {k} rows I, {cols.size} columns J; "
            "need as many anchor rows as columns, C (n, k) and D (k, m)"
        )
    if not exact and not (np.isfinite(c).all() and np.isfinite(d).all()):
        raise InvalidArgument("cross_estimate: an observed entry is not finite; check the lookaheads")
    W = c[rows]
    gap = np.abs(W - d[:, cols])
    if (gap > (0 if exact else 1e-12 * np.abs(W).max())).any():
        i, j = (int(x) for x in np.unravel_index(int(np.argmax(gap)), gap.shape))
        raise InvalidArgument(
            f"cross_estimate: C says Q[{rows[i]}, {cols[j]}]={W[i, j]}, D says {d[i, cols[j]]}; "
            "both must reuse the same samples of the intersection"
        )
    keep = k if rank is None else rank
    if not 1 <= keep <= k:
        raise InvalidArgument(f"cross_estimate: rank={rank}, must lie in 1..{k}, the number of anchors")
    if exact:
        if keep != k:
            raise InvalidArgument(
                f"cross_estimate: rank={rank} < {k} anchors needs singular values; use doubles"
            )
        return np.asarray(from_fmpq_mat(to_fmpq_mat(c) * to_fmpq_mat(_solve(W, d))))
    left, sigma, right = np.linalg.svd(W)
    above = int((sigma > cutoff * sigma[0]).sum()) if sigma[0] > 0 else 0
    if above < keep and not strict and above > 0:
        keep = above
    if above < keep:
        raise InvalidArgument(
            f"cross_estimate: only {above} of {keep} singular values of W exceed {cutoff:g} of the largest "
            f"({sigma}); choose other anchors (`anchors_by_volume`), or rank={max(above, 1)}"
        )
    scaled = (left[:, :keep] / sigma[:keep]).T @ d
    return np.asarray((c @ right[:keep].T) @ scaled)


@dataclass(frozen=True, eq=False)
class CrossBound:
    """Noise amplification of the cross estimate at anchors I, J of a matrix Q of rank r = |I| = |J|.

    Parameters
    ----------
    Q
        (n, m) matrix; its doubles are taken as the rationals they are.
    I, J
        Anchor rows and columns, r each.

    Raises
    ------
    InvalidArgument
        Anchors that repeat, differ in number or make W singular.

    Notes
    -----
    Everything is rational; `sigma` is a certified lower bound on σ_r(W), within 1e-12 of it.
    """

    Q: NDArray[Any]
    I: IntVec
    J: IntVec

    def __init__(self, Q: ArrayLike, I: ArrayLike, J: ArrayLike) -> None:
        q = exact_array(Q)
        rows, cols = _anchors(I, q.shape[0], "I"), _anchors(J, q.shape[1], "J")
        if rows.size != cols.size:
            raise InvalidArgument(
                f"CrossBound: {rows.size} rows and {cols.size} columns; need as many of each"
            )
        for name, value in (("Q", q), ("I", rows), ("J", cols)):
            object.__setattr__(self, name, value)
        _ = self.a

    @property
    def r(self) -> int:
        """Number of anchors, the rank assumed."""
        return int(self.I.size)

    @property
    def W(self) -> NDArray[Any]:
        """(r, r) intersection."""
        return np.asarray(self.Q[np.ix_(self.I, self.J)])

    @cached_property
    def a(self) -> NDArray[Any]:
        """(n, r) rows a_i = C[i, :]W⁻¹."""
        return np.asarray(_solve(self.W.T, self.Q[:, self.J].T).T)

    @cached_property
    def b(self) -> NDArray[Any]:
        """(r, m) columns b_j = W⁻¹D[:, j]."""
        return np.asarray(_solve(self.W, self.Q[self.I]))

    @cached_property
    def alpha(self) -> NDArray[Any]:
        """(n,) α_i = ‖a_i‖₁."""
        return np.asarray(np.abs(self.a).sum(axis=1))

    @cached_property
    def beta(self) -> NDArray[Any]:
        """(m,) β_j = ‖b_j‖₁."""
        return np.asarray(np.abs(self.b).sum(axis=0))

    @cached_property
    def sigma(self) -> Fraction:
        """A rational at or just below σ_r(W): WᵀW − σ²I ⪰ 0, proved by exact elimination."""
        return least_singular_value(self.W)

    @property
    def kappa(self) -> Fraction:
        """κ = r‖Q‖_∞/σ, with the certified σ."""
        return Fraction(self.r * np.abs(self.Q).max() / self.sigma)

    @property
    def c_me(self) -> Fraction:
        """2(1 + κ)² − 1, the uniform amplification for η ≤ σ/(2r)."""
        return 2 * (1 + self.kappa) ** 2 - 1

    @property
    def factor(self) -> NDArray[Any]:
        """(n, m) first-order amplification (1 + α_i)(1 + β_j) − 1 outside the cross, 1 on it."""
        out = np.outer(1 + self.alpha, 1 + self.beta) - 1
        out[self.I] = Fraction(1)
        out[:, self.J] = Fraction(1)
        return np.asarray(out)

    @property
    def c_star(self) -> Any:
        """Largest first-order amplification of an entry: what these anchors cost for small noise."""
        return self.factor.max()

    def entry_bound(self, eta: Real) -> NDArray[Any]:
        """(n, m) bound on |Q̄ − Q| under noise of at most η on the cross.

        Raises
        ------
        InvalidArgument
            If rη ≥ σ, where the estimate can be anything.
        """
        e = to_fraction(eta)
        if not 0 <= e * self.r < self.sigma:
            raise InvalidArgument(
                f"entry_bound: eta={eta}, need 0 ≤ η < σ/r = {float(self.sigma / self.r):.6g}"
            )
        both = np.outer(1 + self.alpha, 1 + self.beta)
        out = e * (both - 1) + e * e * both * (Fraction(self.r) / (self.sigma - self.r * e))
        out[self.I] = e
        out[:, self.J] = e
        return np.asarray(out)

    def uniform_bound(self, eta: Real) -> Fraction:
        """c_me·η, valid for η ≤ σ/(2r).

        Raises
        ------
        InvalidArgument
            For larger η.
        """
        e = to_fraction(eta)
        if not 0 <= 2 * self.r * e <= self.sigma:
            raise InvalidArgument(
                f"uniform_bound: eta={eta}, need 0 ≤ η ≤ σ/(2r) = {float(self.sigma / (2 * self.r)):.6g}; "
                "entry_bound reaches twice as far"
            )
        return self.c_me * e

    def worst_noise(self, i: int, j: int, eta: Real) -> NDArray[Any]:
        """(n, m) noise of size η, zero off the cross, that attains the first-order bound at (i, j).

        −η sign(a_i ⊗ b_j) on W, η sign(a_i) on the column above j, η sign(b_j) on the row left of i.

        Raises
        ------
        InvalidArgument
            If (i, j) lies on the cross.
        """
        if i in self.I or j in self.J:
            raise InvalidArgument(
                f"worst_noise: ({i}, {j}) is on the cross, where the error is the noise itself"
            )
        e = to_fraction(eta)
        signs = [_signs(x) for x in (self.a[i], self.b[:, j])]
        out = np.full(self.Q.shape, Fraction(0), dtype=object)
        out[np.ix_(self.I, self.J)] = -e * np.outer(*signs)
        out[self.I, j] = e * signs[0]
        out[i, self.J] = e * signs[1]
        return out


def _signs(x: NDArray[Any]) -> NDArray[Any]:
    return exact_array([1 if v >= 0 else -1 for v in x])


def least_singular_value(W: ArrayLike) -> Fraction:
    """A certified rational lower bound σ on the least singular value of a square rational matrix.

    WᵀW − σ²I ⪰ 0 is shown by exact elimination, for σ a simple fraction near the double-precision value
    (so simple values come out exact), then for that value lowered by 1e-12 of itself, 1e-11, ...; last
    comes |det W| / (Σ|w|)^{r−1}.

    Raises
    ------
    InvalidArgument
        If W is singular.

    Complexity: O(r³) rational operations a trial.
    """
    w = exact_array(W)
    gram = from_fmpq_mat(to_fmpq_mat(w.T) * to_fmpq_mat(w))
    sigma = float(np.linalg.svd(w.astype(np.float64), compute_uv=False)[-1])
    eye = exact_array(np.eye(len(w), dtype=np.int64))
    simple = Fraction(sigma).limit_denominator(1000)
    trials = [simple] if abs(float(simple) - sigma) <= 1e-13 * sigma else []
    trials += [Fraction(sigma) * (1 - Fraction(1, 10**k)) for k in range(12, 0, -1)]
    for low in trials:
        if low > 0 and _semidefinite(gram - low * low * eye):
            return low
    _solve(w, np.array([[Fraction(1)]] * len(w), dtype=object))
    frobenius = max(Fraction(1), Fraction(np.abs(w).sum()))
    return abs(_det(w)) / frobenius ** (len(w) - 1)


def _semidefinite(M: NDArray[Any]) -> bool:
    """Symmetric elimination meets no negative pivot, and zero pivots only with zero rows."""
    M = M.copy()
    for k in range(len(M)):
        if M[k, k] < 0 or (M[k, k] == 0 and (M[k, k:] != 0).any()):
            return False
        if M[k, k] > 0:
            M[k + 1 :, k + 1 :] -= np.outer(M[k + 1 :, k] / M[k, k], M[k, k + 1 :])
    return True


def _det(W: NDArray[Any]) -> Fraction:
    d = to_fmpq_mat(W).det()
    return Fraction(int(d.p), int(d.q))


def _solve(W: NDArray[Any], rhs: NDArray[Any]) -> NDArray[Any]:
    try:
        return np.asarray(solve_linear(W, rhs))
    except ZeroDivisionError:
        raise InvalidArgument(
            "anchors: W = Q[I, J] is singular; choose anchors with `anchors_by_volume`, or fewer of them"
        ) from None


def anchors_by_volume(Q: ArrayLike, r: int, *, exhaustive: bool = False) -> tuple[IntVec, IntVec]:
    """Rows and columns with large |det Q[I, J]|: greedy pivoting, then swaps while they gain a factor.

    Parameters
    ----------
    Q
        (n, m) matrix.
    r
        Number of anchors.
    exhaustive
        True: the largest |det| of all, in rationals, by enumeration (small matrices).

    Returns
    -------
    I, J
        Sorted anchors.  After the swaps every |a_i|, |b_j| entry is at most 1.01 (α, β ≤ 1.01r); at most
        1 when exhaustive.

    Raises
    ------
    InvalidArgument
        r < 1, larger than the matrix, or than its numerical rank.

    Complexity: O(r·nm) and O(r(n+m)) a swap; enumeration C(n,r)C(m,r)r³.

    Source: Goreinov and Tyrtyshnikov 2001 (maximal volume).
    """
    if exhaustive:
        return _largest_minor(exact_array(Q), r)
    q = float_array(Q).copy()
    n, m = q.shape
    if not 1 <= r <= min(n, m):
        raise InvalidArgument(f"anchors_by_volume: r={r}, the matrix is {n}×{m}; need 1 ≤ r ≤ {min(n, m)}")
    rest, rows, cols = q.copy(), [], []
    top = np.abs(q).max()
    for k in range(r):
        i, j = (int(x) for x in np.unravel_index(int(np.argmax(np.abs(rest))), rest.shape))
        if not np.abs(rest[i, j]) > 1e-14 * top:
            raise InvalidArgument(
                f"anchors_by_volume: r={r}, but the matrix has numerical rank {k}; ask for {k}"
            )
        rows.append(i)
        cols.append(j)
        rest = rest - np.outer(rest[:, j], rest[i]) / rest[i, j]
    I, J = np.array(rows), np.array(cols)
    for _ in range(100 * r):
        a = np.linalg.solve(q[np.ix_(I, J)].T, q[:, J].T).T
        i, k = (int(x) for x in np.unravel_index(int(np.argmax(np.abs(a))), a.shape))
        b = np.linalg.solve(q[np.ix_(I, J)], q[I])
        l, j = (int(x) for x in np.unravel_index(int(np.argmax(np.abs(b))), b.shape))
        if max(abs(a[i, k]), abs(b[l, j])) <= 1.01:
            break
        if abs(a[i, k]) >= abs(b[l, j]):
            I[k] = i
        else:
            J[l] = j
    return np.sort(I), np.sort(J)


def _largest_minor(q: NDArray[Any], r: int) -> tuple[IntVec, IntVec]:
    n, m = q.shape
    best, at = Fraction(0), None
    for I in itertools.combinations(range(n), r):
        for J in itertools.combinations(range(m), r):
            size = abs(_det(q[np.ix_(I, J)]))
            if size > best:
                best, at = size, (I, J)
    if at is None:
        raise InvalidArgument(f"anchors_by_volume: every {r}×{r} submatrix is singular; ask for a smaller r")
    return np.array(at[0]), np.array(at[1])


def leverage_scores(Q: ArrayLike, r: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) row and (m,) column leverage ‖U_i‖²/r, ‖V_j‖²/r of the best rank-r approximation; each sums to 1.

    Examples
    --------
    >>> leverage_scores([[3.0, 0.0], [0.0, 0.0]], 1)[0]
    array([1., 0.])
    """
    q = float_array(Q)
    if not np.isfinite(q).all():
        i, j = np.argwhere(~np.isfinite(q))[0]
        raise InvalidArgument(f"leverage_scores: Q[{i}, {j}]={q[i, j]}, must be finite")
    if not isinstance(r, (int, np.integer)) or not 1 <= r <= min(q.shape):
        raise InvalidArgument(f"leverage_scores: r={r}, the matrix is {q.shape}; need 1 ≤ r ≤ {min(q.shape)}")
    U, _, Vt = np.linalg.svd(q, full_matrices=False)
    return np.asarray((U[:, :r] ** 2).sum(axis=1) / r), np.asarray((Vt[:r] ** 2).sum(axis=0) / r)


def _anchors(index: ArrayLike, n: int, name: str) -> IntVec:
    out = np.asarray(index)
    if out.ndim != 1 or out.size == 0 or out.dtype.kind not in "iu":
        raise InvalidArgument(f"{name}={index!r}: anchors are a list of distinct indices, at least one")
    if out.min() < 0 or out.max() >= n:
        raise InvalidArgument(f"{name}: anchor {out[(out < 0) | (out >= n)][0]} is outside 0..{n - 1}")
    values, counts = np.unique(out, return_counts=True)
    if (counts > 1).any():
        raise InvalidArgument(f"{name}: anchor {values[counts > 1][0]} is repeated; anchors must be distinct")
    return out.astype(np.int64)
