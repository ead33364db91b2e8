"""Textbook models with known exact answers.

Every function returns an `MDP`: over the rationals when `gamma` is an int or a `Fraction`, in
doubles (the exact model rounded) when it is a float.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ...arrays import Real, exact_array
from .._build import Row, check_size, decimal, is_rational, table
from ..finite_horizon import FiniteHorizonMDP
from ..mdp import MDP

F = Fraction


def two_state_chain(gamma: Real = 0.9) -> MDP:
    """P = ((¾, ¼), (½, ½)), R = (1, 0), one action.

    At γ = 9/10: V = (220, 180)/31; variance of the return (8407800, 9023400)/5824621.

    Source: folklore; the variance follows Sobel (1982).
    """
    return table([(0, 0, {0: F(3, 4), 1: F(1, 4)}, 1), (1, 0, {0: F(1, 2), 1: F(1, 2)}, 0)], gamma, S=2)


def puterman_two_state(gamma: Real = 0.95) -> MDP:
    """State 0: action 0 pays 5 and moves to 0 or 1 (½ each), action 1 pays 10 and moves to 1.
    State 1 is absorbing and pays −1 a step (one action).

    V*(0) = −60/7 at γ = 19/20 (action 0) and 1 at γ = 9/10 (action 1); the two actions tie at the
    Blackwell threshold γ = 10/11, where V*(0) = 0.

    Source: Puterman (1994), example 3.1.1.
    """
    rows: list[Row] = [(0, 0, {0: F(1, 2), 1: F(1, 2)}, 5), (0, 1, {1: 1}, 10), (1, 0, {1: 1}, -1)]
    return table(rows, gamma, S=2)


def howard_taxicab(gamma: Real = 0.9) -> MDP:
    """A cab in towns A, B, C that cruises (0), goes to the stand (1) or, in A and C, waits for a
    radio call (2).

    γ = 9/10: V* = (1459720, 1623540, 1473920)/11999, policy (1, 1, 1); optimal gain 1588/119 with
    bias (−169152, 26722, −152492)/14161.

    Source: Howard (1960), chapter 4.
    """
    laws = {
        (0, 0): ((F(1, 2), F(1, 4), F(1, 4)), (10, 4, 8)),
        (0, 1): ((F(1, 16), F(3, 4), F(3, 16)), (8, 2, 4)),
        (0, 2): ((F(1, 4), F(1, 8), F(5, 8)), (4, 6, 4)),
        (1, 0): ((F(1, 2), F(0), F(1, 2)), (14, 0, 18)),
        (1, 1): ((F(1, 16), F(7, 8), F(1, 16)), (8, 16, 8)),
        (2, 0): ((F(1, 4), F(1, 4), F(1, 2)), (10, 2, 8)),
        (2, 1): ((F(1, 8), F(3, 4), F(1, 8)), (6, 4, 2)),
        (2, 2): ((F(3, 4), F(1, 16), F(3, 16)), (4, 0, 8)),
    }
    rows = [
        (s, a, dict(enumerate(p)), sum((x * y for x, y in zip(p, r, strict=True)), F(0)))
        for (s, a), (p, r) in laws.items()
    ]
    return table(rows, gamma, S=3, states=("A", "B", "C"), actions=("cruise", "stand", "radio"))


def howard_toymaker(gamma: Real = 0.9) -> MDP:
    """A toymaker with a successful (0) or unsuccessful (1) toy; advertising or research is action 1.

    γ = 9/10: V* = (2020/91, 160/13), policy (1, 1); optimal gain 2.

    Source: Howard (1960), chapters 2–3.
    """
    rows = [
        (0, 0, {0: F(1, 2), 1: F(1, 2)}, 6),
        (0, 1, {0: F(4, 5), 1: F(1, 5)}, 4),
        (1, 0, {0: F(2, 5), 1: F(3, 5)}, -3),
        (1, 1, {0: F(7, 10), 1: F(3, 10)}, -5),
    ]
    return table(rows, gamma, S=2, states=("success", "failure"))


def puterman_inventory(gamma: Real = 0.9) -> MDP:
    """Stock 0..3; order u ≤ 3 − s, which arrives before a demand of 0, 1, 2 (¼, ½, ¼).

    Revenue 8 a unit sold, order cost 4 + 2u for u > 0, holding 1 a unit of stock after ordering;
    unmet demand is lost.  γ = 9/10: V* = (74405, 92185, 107985, 116845)/4244; optimal gain 97/44.

    Source: Puterman (1994), sections 3.2 and 4.6.
    """
    demand = {0: F(1, 4), 1: F(1, 2), 2: F(1, 4)}
    rows = []
    for s in range(4):
        for u in range(4 - s):
            law: dict[int, Fraction] = {}
            reward = F(-(s + u)) - (4 + 2 * u if u else 0)
            for d, p in demand.items():
                sold = min(s + u, d)
                law[s + u - sold] = law.get(s + u - sold, F(0)) + p
                reward += 8 * p * sold
            rows.append((s, u, law, reward))
    return table(rows, gamma, S=4)


def puterman_inventory_finite(H: int = 3) -> FiniteHorizonMDP:
    """`puterman_inventory` over H periods, undiscounted, with terminal value 0; exact.

    H = 3: V_0 = (67/16, 129/16, 97/8, 227/16); first orders (3, 0, 0, 0).

    Source: Puterman (1994), section 4.6.1.
    """
    return FiniteHorizonMDP.from_mdp(puterman_inventory(F(0)), H)


def machine_replacement(n: int = 10, gamma: Real = 0.95, *, wear: Real = 0.3, cost: Real = 5) -> MDP:
    """A machine of condition 0 (new) .. n−1: keep it (0), at running cost s, or replace it (1).

    Keeping wears it by one level with probability `wear`; replacing costs `cost` and gives a new
    machine.  The optimal policy is a threshold in s.

    Source: Derman (1963); Bertsekas, *Dynamic Programming and Optimal Control*, volume 1.
    """
    check_size("machine_replacement", n=n)
    w = decimal(wear)
    rows: list[Row] = []
    for s in range(n):
        worse = min(s + 1, n - 1)
        rows.append((s, 0, {s: 1} if worse == s else {s: 1 - w, worse: w}, -s))
        rows.append((s, 1, {0: 1}, -decimal(cost)))
    return table(rows, gamma, S=n, actions=("keep", "replace"))


def one_state(rewards: tuple[Real, ...] = (1, 0), gamma: Real = 0.9) -> MDP:
    """One state, one self-loop for each reward: V* = max(rewards)/(1 − γ).

    The bandit of the best-of-many claims (soft values, natural policy gradient, constrained LPs).
    """
    return table([(0, a, {0: 1}, decimal(r)) for a, r in enumerate(rewards)], gamma, S=1)


def puterman_policies(gamma: Real = Fraction(9, 10)) -> tuple[MDP, MDP]:
    """The two stationary policies of `puterman_two_state` as one-action models (a11, a12).

    Laurent series of the first: y = (−1, −1), (12, 0), (−24, 0), (48, 0), (−96, 0); the second has
    bias 11 in state 0.
    """
    first = table([(0, 0, {0: F(1, 2), 1: F(1, 2)}, 5), (1, 0, {1: 1}, -1)], gamma, S=2)
    second = table([(0, 0, {1: 1}, 10), (1, 0, {1: 1}, -1)], gamma, S=2)
    return first, second


def disconnected_bandits(n: int = 3, m: int = 4, gamma: Real = 0.9) -> MDP:
    """n states that never leave; in each, action 0 pays 1 and the others 0.

    With π, ρ and μ uniform the Łojasiewicz inequality with the factor √(m/(m−1)) is an equality.

    Source: after Mei, Xiao, Szepesvári and Schuurmans (2020).
    """
    check_size("disconnected_bandits", n=n, m=m)
    exact = is_rational(gamma)
    P = np.zeros((n, m, n), dtype=np.int64)
    P[np.arange(n), :, np.arange(n)] = 1
    R = np.zeros((n, m), dtype=np.int64)
    R[:, 0] = 1
    return MDP(exact_array(P) if exact else P, exact_array(R) if exact else R, gamma)
