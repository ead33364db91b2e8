"""Random latent MDPs and tables over the rationals, decoded from bytes."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
from hypothesis.strategies import SearchStrategy

from rltheory.checks import Reader, decoded
from rltheory.models.latent import LatentMDP

from .learning import Table, read_law


def read_latent(
    read: Reader, *, most_H: int = 3, most_M: int = 2, S: int | None = None, rescale: bool = False
) -> LatentMDP:
    """A small normalised latent MDP over the rationals; `rescale` lets some trajectory collect all of 1."""
    M, A = 1 + read.below(most_M), 1 + read.below(2)
    S = read.pick([2, 3, 2, 1]) if S is None else S
    H = 1 + read.below(most_H)
    if S == 3 and A == 2:
        H = min(H, 2)
    P = [[[read_law(read, S) for _ in range(A)] for _ in range(S)] for _ in range(M)]
    unit = 2 if rescale else 2 * H
    R = [[[F(read.below(3), unit) for _ in range(A)] for _ in range(S)] for _ in range(M)]
    nu = [read_law(read, S) for _ in range(M)]
    return LatentMDP.from_arrays(
        P,
        R,
        weights=list(read.weights(M)),
        nu=nu,
        H=H,
        observe_rewards=bool(read.below(2)),
        normalisation="rescale" if rescale else "require",
    )


def read_table(read: Reader, *, known: bool = True, S: int | None = None, most_H: int = 3) -> Table:
    """A latent MDP with frequencies near its laws, sample sizes and ι; and another model in the box."""
    lmdp = read_latent(read, most_H=most_H, S=S, rescale=not known)
    iota = read.pick([F(1, 100), F(1, 20), F(1, 4), F(1)])
    N = np.zeros(lmdp.R.shape, dtype=np.int64)
    P_hat = lmdp.P.copy()
    for m, s, a in np.ndindex(*lmdp.R.shape):
        n = N[m, s, a] = read.pick([64, 4, 16, 1024, 4, 0, 1, 10_000])
        support = [u for u in range(lmdp.S) if lmdp.P[m, s, a, u] != 0]
        counts = {u: int(n * lmdp.P[m, s, a, u]) for u in support}
        for _ in range(int(n) - sum(counts.values())):
            counts[support[read.below(len(support))]] += 1
        if n and len(support) > 1 and read.below(2):  # some samples went elsewhere
            u, y = support[0], support[1]
            shift = min(counts[u], 1 + read.below(3) * max(1, int(n) // 64))
            counts[u], counts[y] = counts[u] - shift, counts[y] + shift
        for u in range(lmdp.S):
            P_hat[m, s, a, u] = F(counts.get(u, 0), int(n)) if n else F(0)
    x = Table(lmdp, P_hat, N, iota, known)
    other = lmdp.P.copy()
    for m, s, a in np.ndindex(*lmdp.R.shape):
        order = {u: F(read.below(7)) for u in range(lmdp.S)}
        law = x.law(m, s, a, order)
        if read.below(3) == 0:  # half-way to a corner
            law = {u: (q + lmdp.P[m, s, a, u]) / 2 for u, q in law.items()}
        for u in range(lmdp.S):
            other[m, s, a, u] = law.get(u, F(0))
    return Table(lmdp, P_hat, N, iota, known, other)


def tables(*, known: bool = True, S: int | None = None, most_H: int = 3) -> SearchStrategy[Table]:
    """Random tables."""
    return decoded(lambda read: read_table(read, known=known, S=S, most_H=most_H), size=200)


def at_truth(lmdp: LatentMDP, n: int, iota: F, *, known: bool = True) -> Table:
    """P̂ = P with N = n everywhere."""
    N = np.full(lmdp.R.shape, n, dtype=np.int64)
    return Table(lmdp, lmdp.P.copy(), N, iota, known, lmdp.P.copy())
