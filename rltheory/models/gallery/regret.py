"""Finite-horizon instances on which learners are compared; rational, so that their values are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ...arrays import Real, exact_array
from ...errors import InvalidArgument
from .._build import check_size, decimal
from ..finite_horizon import FiniteHorizonMDP
from .chains import river_swim

F = Fraction
SIXTH, SIXTIETH, TENTH = F(1, 6), F(1, 60), F(1, 10)
Rows = dict[tuple[int, int], dict[int, Real]]


def _model(S: int, A: int, H: int, rows: Rows, pay: dict[tuple[int, int], Real]) -> FiniteHorizonMDP:
    P, R = exact_array(np.zeros((S, A, S), dtype=int)), exact_array(np.zeros((S, A), dtype=int))
    for (s, a), law in rows.items():
        for t, p in law.items():
            P[s, a, t] = decimal(p)
    for at, r in pay.items():
        R[at] = decimal(r)
    start = exact_array(np.eye(S, dtype=int)[0])
    return FiniteHorizonMDP(P, R, H, mu=start)


def regret_chain(S: int = 4, H: int = 6, *, big: Real = SIXTH, small: Real = SIXTIETH) -> FiniteHorizonMDP:
    """States 0..S−1: left (0) pays `small` in state 0, right (1) pays `big` in state S−1; deterministic.

    Start in state 0; with the defaults an episode pays at most 1.  No randomness: what learners lose is
    one number each.
    """
    check_size("regret_chain", S=S, H=H)
    rows: Rows = {}
    for s in range(S):
        rows[s, 0], rows[s, 1] = {max(s - 1, 0): 1}, {min(s + 1, S - 1): 1}
    return _model(S, 2, H, rows, {(0, 0): small, (S - 1, 1): big})


def sticky(H: int = 8) -> FiniteHorizonMDP:
    """Two states, 1 pays 1/H; action 0 stays with probability 7/10, action 1 moves to either with ½.

    Start in state 0.  An episode pays at most 1, V*_1(0) → 5/8: leaving 0 by action 1 and staying in 1
    by action 0 is optimal.  H = 8, 32, 128: 0.5273, 0.6006, 0.6189.
    """
    check_size("sticky", H=H)
    half = F(1, 2)
    rows: Rows = {
        (0, 0): {0: F(7, 10), 1: F(3, 10)},
        (0, 1): {0: half, 1: half},
        (1, 0): {0: F(3, 10), 1: F(7, 10)},
        (1, 1): {0: half, 1: half},
    }
    return _model(2, 2, H, rows, {(1, 0): F(1, H), (1, 1): F(1, H)})


def needle(A: int = 4, *, eps: Real = TENTH, at: int = 0) -> FiniteHorizonMDP:
    """A bandit as a model: from 0, action a goes to 1 with probability ½ + ε·1{a = at}, else to 2; H = 2.

    State 1 pays 1 in the second step.  One episode of a wrong action loses ε.
    """
    check_size("needle", A=A)
    check_size("needle", least=0, at=at)
    e = decimal(eps)
    if at >= A or not 0 <= e <= F(1, 2):
        raise InvalidArgument(f"needle: at={at}, eps={eps}; need at < A={A} and 0 ≤ eps ≤ 1/2")
    half = F(1, 2)
    rows: Rows = {}
    for a in range(A):
        up = half + (e if a == at else 0)
        rows[0, a] = {1: up, 2: 1 - up}
        rows[1, a] = rows[2, a] = {2: 1}
    return _model(3, A, 2, rows, {(1, a): 1 for a in range(A)})


def river_swim_episodes(S: int = 6, H: int = 20) -> FiniteHorizonMDP:
    """`river_swim` in episodes of H steps from state 0, undiscounted.

    V*_1(0) = 1.85435204 for S = 4, H = 10; 3.39726396 for S = 6, H = 20.
    """
    check_size("river_swim_episodes", least=2, S=S)
    check_size("river_swim_episodes", H=H)
    return FiniteHorizonMDP.from_mdp(river_swim(S, F(1, 2)), H)
