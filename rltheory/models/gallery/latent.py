"""Latent MDPs with known optima: learn-then-commit, the hard family of the lower bound, MAX-SAT.

Every function returns a `LatentMDP`: over the rationals when no parameter is a float, else in doubles
(the exact model rounded; a float parameter stands for the decimal it prints as).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ...arrays import Real
from ...errors import InvalidArgument
from .._build import check_size, probability
from ..latent import LatentMDP

F = Fraction
_QUARTER, _HALF, _MOST, _SOME = F(1, 4), F(1, 2), F(7, 8), F(1, 8)
_ONE, _GAP = F(1), F(1, 10)


def wait_and_guess(
    theta1: Real = 1 - _QUARTER,
    theta2: Real = _QUARTER,
    hi: Real = _MOST,
    lo: Real = _SOME,
    w: Real = _HALF,
    H: int = 5,
) -> LatentMDP:
    """Flip a coin of unknown bias until sure enough, then guess which of two coins it is.

    States 0, 1 are faces (start: 0), 2 pays 1 and goes to 3, 3 is the end.  At a face, action 0 flips again
    (state 0 w.p. θ_m), action g ∈ {1, 2} guesses context g: to state 2 w.p. `hi` if right, `lo` if
    wrong, else to 3.  V* = lo + (hi − lo)·E[largest posterior after H − 2 flips].

    With the defaults V* is 1/2, 11/16, 11/16, 97/128 at H = 2, …, 5 and the best Markov policy at H = 5
    has 185/256; V* of the revealed context is 7/8.
    """
    p1, p2, right, wrong, first = probability(
        "wait_and_guess", theta1=theta1, theta2=theta2, hi=hi, lo=lo, w=w
    )
    if not 0 < first < 1:
        raise InvalidArgument(f"wait_and_guess: w={w}, must be in (0, 1): both contexts are drawn")
    rows = []
    for m, p in enumerate((p1, p2)):
        face = [[p, 1 - p, 0, 0]] + [[0, 0, q, 1 - q] for q in (right if m == g else wrong for g in (0, 1))]
        rows.append([face, face, [[0, 0, 0, 1]] * 3, [[0, 0, 0, 1]] * 3])
    R = [[[0] * 3, [0] * 3, [1] * 3, [0] * 3]] * 2
    start = [[1, 0, 0, 0]] * 2
    return _built(rows, R, [first, 1 - first], start, H, (theta1, theta2, hi, lo, w))


def latent_hard(
    d: int = 3,
    L: int = 1,
    A: int = 3,
    M: int = 2,
    needles: Sequence[tuple[int, int]] | None = None,
    eps: Real = _GAP,
    rho: Real = _ONE,
) -> LatentMDP:
    """The hard family: the context is spelled out first, then one of N = L(A − 1) arms is better by ε.

    States 0..d−1 spell: context m visits them in the order of its permutation σ_m, the m-th in
    lexicographic order, whatever the action.  States d..d+L−1 are a line: action a < A − 1 in the i-th goes
    to `good` w.p. ½, +ε iff (i, a) is the needle of the context, else to `sink`; action A − 1 moves
    on.  `good` pays ρ.  H = d + L + 1, S = d + L + 2, uniform weights.  V* = ρ(½ + ε), Var* = ρ²/4.

    Parameters
    ----------
    d, L, A, M
        Letters, length of the line, actions (at least 2), contexts (at most d!).
    needles
        One (i, a) a context, i < L, a < A − 1; context m gets the m-th pair in order if not given.
    eps
        Gap, in [0, ½].
    rho
        Reward, in (0, 1].
    """
    check_size("latent_hard", d=d, L=L, M=M)
    check_size("latent_hard", least=2, A=A)
    if math.factorial(d) < M:
        raise InvalidArgument(
            f"latent_hard: M={M} contexts, d={d} letters spell only {math.factorial(d)}; raise d"
        )
    gap, pay = probability("latent_hard", eps=eps, rho=rho)
    if gap > _HALF:
        raise InvalidArgument(f"latent_hard: eps={eps}, must be in [0, 1/2]: ½ + ε is a probability")
    arms = [(i, a) for i in range(L) for a in range(A - 1)]
    found = [arms[m % len(arms)] for m in range(M)] if needles is None else [tuple(x) for x in needles]
    if len(found) != M or any(x not in arms for x in found):
        raise InvalidArgument(
            f"latent_hard: needles={found}, need M={M} pairs (i, a) with i < L={L} and a < A − 1 = {A - 1}"
        )
    S, good, sink = d + L + 2, d + L, d + L + 1
    P = _zeros(M, S, A, S)
    R, nu = _zeros(M, S, A), _zeros(M, S)
    for m, sigma in enumerate(itertools.islice(itertools.permutations(range(d)), M)):
        nu[m, sigma[0]] = F(1)
        for i, s in enumerate(sigma):
            P[m, s, :, sigma[i + 1] if i + 1 < d else d] = F(1)
        for i in range(L):
            for a in range(A - 1):
                p = _HALF + (gap if (i, a) == found[m] else 0)
                P[m, d + i, a, good], P[m, d + i, a, sink] = p, 1 - p
            P[m, d + i, A - 1, d + i + 1 if i + 1 < L else sink] = F(1)
        P[m, good:, :, sink] = F(1)
        R[m, good] = pay
    return _built(P, R, [F(1, M)] * M, nu, d + L + 1, (eps, rho))


def maxsat_latent(clauses: Sequence[Sequence[int]], n: int | None = None) -> LatentMDP:
    """One context a clause: V* is the largest share of clauses that one assignment satisfies.

    States x_1..x_n, then `sat` and `unsat`; action 1 sets the variable true, 0 false.  Where that
    satisfies the clause, reward 1 and `sat`; else on to the next variable, after x_n to `unsat`.  H = n.
    Transitions are deterministic, and while nothing is satisfied the history is what the policy chose: a
    policy is an assignment.  The revealed context is worth 1 (each clause alone can be satisfied).

    Parameters
    ----------
    clauses
        Non-empty lists of literals: i for x_i, −i for its negation, 1 ≤ i ≤ n.
    n
        Number of variables; the largest one named if not given.
    """
    rows = [[int(x) for x in c] for c in clauses]
    most = max((abs(x) for c in rows for x in c), default=0)
    n = most if n is None else n
    check_size("maxsat_latent", n=n)
    if not rows or not all(rows) or any(x == 0 for c in rows for x in c) or most > n:
        raise InvalidArgument(
            f"maxsat_latent: clauses={rows}, need non-empty lists of ±1..±{n}; 1 is x_1, -1 its negation"
        )
    M, S = len(rows), n + 2
    P, R, nu = _zeros(M, S, 2, S), _zeros(M, S, 2), _zeros(M, S)
    nu[:, 0] = F(1)
    for m, clause in enumerate(rows):
        for i in range(n):
            for a in range(2):
                done = (i + 1 if a else -i - 1) in clause
                P[m, i, a, n if done else i + 1 if i + 1 < n else n + 1] = F(1)
                R[m, i, a] = F(int(done))
        for s in (n, n + 1):
            P[m, s, :, s] = F(1)
    return _built(P, R, [F(1, M)] * M, nu, n, ())


def latent_three(observe_rewards: bool = True) -> LatentMDP:
    """Three contexts, two states, H = 3, in which rewards tell the contexts apart.

    V* is 31/36 with rewards observed, 439/576 without; the best Markov policy has 53/72, the best
    sequence of actions 83/144; QMDP 31/36, the revealed context 541/576; Var* = 1067/5184 in both modes.
    """
    h, q, t = _HALF, F(1, 4), F(1, 3)
    P = [
        [[[h, h], [q, 1 - q]], [[1 - q, q], [t, 1 - t]]],
        [[[q, 1 - q], [h, h]], [[t, 1 - t], [1 - q, q]]],
        [[[1, 0], [0, 1]], [[0, 1], [1, 0]]],
    ]
    R = [[[0, t], [t, 0]], [[t, 0], [0, F(1, 6)]], [[0, F(1, 6)], [t, 0]]]
    nu = [[h, h], [1, 0], [t, 1 - t]]
    return LatentMDP.from_arrays(P, R, weights=[h, q, q], nu=nu, H=3, observe_rewards=observe_rewards)


def _zeros(*shape: int) -> Any:
    out = np.empty(shape, dtype=object)
    out[...] = F(0)
    return out


def _built(P: Any, R: Any, weights: Any, nu: Any, H: int, given: Sequence[Real]) -> LatentMDP:
    """The exact model, rounded to doubles when a parameter is a float."""
    exact = LatentMDP.from_arrays(P, R, weights=weights, nu=nu, H=H)
    return exact.float() if any(isinstance(x, (float, np.floating)) for x in given) else exact
