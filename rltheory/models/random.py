"""Seeded random models.

`LCG` and `garnet` are pure integer arithmetic, so any language rebuilds the same rational model:
x ← (6364136223846793005·x + 1442695040888963407) mod 2⁶⁴, and a draw is x >> 33.
`random_garnet` and `random_mdp` use NumPy generators and scale to millions of states.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatVec, Real, chunks, exact_array, frozen
from ..errors import InvalidArgument
from ..seeds import generator
from ._build import check_size, is_rational
from .mdp import MDP

_MULTIPLIER = 6364136223846793005
_INCREMENT = 1442695040888963407
_MASK = (1 << 64) - 1


class LCG:
    """x ← (6364136223846793005·x + 1442695040888963407) mod 2⁶⁴; draws are x >> 33 (31 bits).

    Parameters
    ----------
    seed
        Initial x, an integer; taken modulo 2⁶⁴.

    Examples
    --------
    >>> rng = LCG(1)
    >>> rng.next(), rng.next()
    (908834774, 1093944153)
    """

    __slots__ = ("x",)

    def __init__(self, seed: int) -> None:
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise InvalidArgument(f"LCG: seed={seed!r}, must be an integer; pass e.g. LCG(1)")
        self.x = int(seed) & _MASK

    def next(self) -> int:
        """The next draw, in 0..2³¹−1."""
        self.x = (_MULTIPLIER * self.x + _INCREMENT) & _MASK
        return self.x >> 33

    def __iter__(self) -> Iterator[int]:
        while True:
            yield self.next()


def garnet(seed: int, n: int, m: int, b: int, gamma: Real) -> MDP:
    """garnet(seed, n, m, b): n states, m actions, b distinct successors with weights 1..9.

    For s, then a: b successors by a partial Fisher–Yates shuffle of 0..n−1, then b weights
    1 + draw mod 9 in successor order, then the reward (draw mod 101)/100.

    Parameters
    ----------
    seed
        Seed of the `LCG`.
    n, m, b
        Numbers of states, actions and successors, 1 ≤ b ≤ n.
    gamma
        Discount in [0, 1).  A `Fraction` (or 0) gives the exact model, a float its rounding.

    Returns
    -------
    MDP
        Uniform start law, rewards in [0, 1].

    Raises
    ------
    InvalidArgument
        If n or m < 1 or b is outside 1..n.

    Source
    ------
    Generalised average reward non-stationary environment test-bench: Archibald, McKinnon and
    Thomas (1995); this integer-only form is the library's own.
    """
    check_size("garnet", n=n, m=m, b=b)
    if b > n:
        raise InvalidArgument(f"garnet: b={b} successors of n={n} states, need b ≤ n; lower b or raise n")
    rng = LCG(seed)
    cols, probs, rewards = [], [], []
    for _ in range(n * m):
        moved: dict[int, int] = {}  # the shuffled pool, where it differs from the identity
        successors = []
        for i in range(b):
            j = i + rng.next() % (n - i)
            at_i, at_j = moved.get(i, i), moved.get(j, j)
            moved[i], moved[j] = at_j, at_i
            successors.append(at_j)
        weights = [1 + rng.next() % 9 for _ in range(b)]
        total = sum(weights)
        rewards.append(Fraction(rng.next() % 101, 100))
        order = sorted(range(b), key=successors.__getitem__)
        cols += [successors[i] for i in order]
        probs += [Fraction(weights[i], total) for i in order]
    exact = is_rational(gamma)
    data, R = exact_array(np.array(probs, dtype=object)), exact_array(np.array(rewards, dtype=object))
    if n <= 32:
        P = exact_array(np.zeros((n * m, n), dtype=np.int64))
        P[np.repeat(np.arange(n * m), b), cols] = data
        P, R = P.reshape(n, m, n), R.reshape(n, m)
        return MDP(P, R, gamma) if exact else MDP(P.astype(np.float64), R.astype(np.float64), gamma)
    if not exact:
        data, R = data.astype(np.float64), R.astype(np.float64)
    return MDP.from_pairs(
        (data, np.array(cols), np.arange(n * m + 1) * b),
        R,
        gamma,
        pair_state=np.repeat(np.arange(n), m),
        pair_action=np.tile(np.arange(m), n),
        S=n,
    )


def random_garnet(
    S: int,
    A: int,
    branching: int,
    gamma: float,
    seed: int | np.random.Generator,
    *,
    window: int | None = None,
) -> MDP:
    """P(·|s,a) Dirichlet(1,…,1) on `branching` distinct successors; R(s,a) uniform on [0, 1]; CSR.

    Parameters
    ----------
    S, A, branching
        Numbers of states, actions and successors of each pair, branching ≤ S (≤ 2·window + 1).
    gamma
        Discount in [0, 1), a float.
    seed
        Seed or `numpy.random.Generator`.
    window
        Successors are drawn from s − window .. s + window modulo S (slow mixing); all states if
        not given.

    Returns
    -------
    MDP
        Float CSR model with S·A·branching transitions, uniform start law.

    Raises
    ------
    InvalidArgument
        Sizes below one, or more successors than states to draw from.

    Complexity
    ----------
    O(S·A·branching·log branching) time; 12 bytes a transition are kept.
    """
    check_size("random_garnet", S=S, A=A, branching=branching)
    pool = S if window is None else 2 * window + 1
    if window is not None and (window < 0 or pool > S):
        raise InvalidArgument(f"random_garnet: window={window}, need 0 ≤ 2·window + 1 ≤ S={S}; shrink it")
    if branching > pool:
        raise InvalidArgument(
            f"random_garnet: branching={branching} distinct successors out of {pool}; lower branching"
        )
    rng = generator(seed)
    N = S * A
    cols: NDArray[Any] = distinct_rows(rng, N, branching, pool)
    if window is not None:
        cols = (cols + np.repeat(np.arange(S), A)[:, None] - window) % S
        cols.sort(axis=1)
    cols = frozen(cols.reshape(-1).astype(np.int32))
    data, ends = np.empty(N * branching), np.arange(N + 1)
    dirichlet_rows(rng, N, branching, data.reshape(N, branching))
    ends *= branching
    return MDP.from_pairs(
        (frozen(data), cols, frozen(ends)),
        frozen(rng.random(N)),
        gamma,
        pair_state=frozen(np.repeat(np.arange(S), A)),
        pair_action=frozen(np.tile(np.arange(A), S)),
        S=S,
    )


def random_mdp(
    S: int,
    A: int,
    gamma: Real,
    seed: int | np.random.Generator,
    *,
    concentration: float = 1.0,
    support: int | None = None,
    absorbing: float = 0.0,
    ties: float = 0.0,
) -> MDP:
    """P(·|s,a) ~ Dirichlet(concentration) on a random support, R(s,a) uniform on [0, 1]; dense.

    Parameters
    ----------
    S, A
        Numbers of states and actions.
    gamma
        Discount in [0, 1).  A `Fraction` gives a rational model: rows are then integer weights
        1..9 (concentration is ignored) and rewards multiples of 1/100.
    seed
        Seed or `numpy.random.Generator`.
    concentration
        Dirichlet parameter > 0; below 1 rows are spiky.
    support
        Successors of each pair; drawn uniformly from 1..S for each pair if not given.
    absorbing
        Probability that a pair is a self-loop.
    ties
        Probability that a pair is a copy of its state's first action.

    Raises
    ------
    InvalidArgument
        Sizes below one, support > S, concentration ≤ 0, probabilities outside [0, 1].
    """
    check_size("random_mdp", S=S, A=A, support=1 if support is None else support)
    if support is not None and support > S:
        raise InvalidArgument(f"random_mdp: support={support} > S={S}; lower support")
    if not concentration > 0:
        raise InvalidArgument(f"random_mdp: concentration={concentration}, must be > 0")
    for name, p in (("absorbing", absorbing), ("ties", ties)):
        if not 0 <= p <= 1:
            raise InvalidArgument(f"random_mdp: {name}={p}, must be a probability in [0, 1]")
    rng = generator(seed)
    exact = is_rational(gamma)
    sizes = rng.integers(1, S + 1, size=S * A) if support is None else np.full(S * A, support)
    keys = rng.random((S * A, S))
    inside = keys.argsort(axis=1).argsort(axis=1) < sizes[:, None]
    weights = (
        rng.integers(1, 10, size=(S * A, S)) if exact else rng.gamma(concentration, size=(S * A, S)) + 1e-300
    )
    weights = weights * inside
    R = rng.integers(0, 101, size=S * A) if exact else rng.random(S * A)
    loops = rng.random(S * A) < absorbing
    weights[loops] = 0
    weights[loops, np.repeat(np.arange(S), A)[loops]] = 1
    weights, R = weights.reshape(S, A, S), R.reshape(S, A)
    copies = rng.random((S, A)) < ties
    weights = np.where(copies[:, :, None], weights[:, :1], weights)
    R = np.where(copies, R[:, :1], R)
    total = weights.sum(axis=2, keepdims=True)
    if not exact:
        return MDP(weights / total, R, gamma)
    return MDP(exact_array(weights) / exact_array(total), exact_array(R) / 100, gamma)


def distinct_rows(rng: np.random.Generator, N: int, b: int, pool: int) -> NDArray[np.int64]:
    """(N, b) rows of b distinct integers of 0..pool−1, each row a uniform subset, ascending."""
    if b * b > pool:
        return _subset_by_keys(rng, N, b, pool)
    rows = rng.integers(0, pool, size=(N, b))
    rows.sort(axis=1)
    bad = np.flatnonzero(np.concatenate([_repeats(rows[lo:hi]) for lo, hi in chunks(N)]))
    while bad.size:
        rows[bad] = np.sort(rng.integers(0, pool, size=(bad.size, b)), axis=1)
        bad = bad[_repeats(rows[bad])]
    return rows


def _repeats(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows, ascending, that hold an integer twice."""
    return np.asarray((rows[:, 1:] == rows[:, :-1]).any(axis=1))


def _subset_by_keys(rng: np.random.Generator, N: int, b: int, pool: int) -> NDArray[np.int64]:
    rows = np.empty((N, b), dtype=np.int64)
    step = max(1, 4_000_000 // pool)
    for lo in range(0, N, step):
        keys = rng.random((min(step, N - lo), pool))
        rows[lo : lo + step] = np.sort(np.argpartition(keys, b - 1, axis=1)[:, :b], axis=1)
    return rows


def dirichlet_rows(rng: np.random.Generator, N: int, b: int, out: FloatVec | None = None) -> FloatVec:
    """(N, b) rows uniform on the simplex, into `out` if given; each sums to one up to a few ulp."""
    weights = rng.standard_exponential(size=(N, b), out=out)
    weights += 1e-300
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
