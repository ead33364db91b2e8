"""Instances for the law of the return: outcome lists with known optima of non-linear objectives.

Every function returns an `OutcomeMDP`: over the rationals when `gamma` is an int or a `Fraction`, in
doubles (the exact model rounded) when it is a float.  γ = 1 is the default; solve those with a horizon.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ...arrays import Real
from .._build import check_size, is_rational
from ..outcomes import OutcomeMDP

F = Fraction


def outcome_family(S: int = 3, A: int = 2, B: int = 2, q: int = 3, gamma: Real = 1) -> OutcomeMDP:
    """FM(S, A, B, q): a family of small rational instances without random numbers, rewards in {−2..2}.

    Outcome k < B of (s, a) has weight w_k = 1 + ((s + 2a + 5k + q) mod 3), next state
    (s(a+2) + k(1+s) + a + q) mod S and reward ((2s + 3a + 5k² + 7k + q(1 + a + sk)) mod 5) − 2.

    FM(3, 2, 2, 3) at γ = 1, H = 3, s = 0, stock 1: the optimum of E x₋ is −4/15, of −E|x| −29/48, of
    E x₊ 141/100; 128 distinct laws of the return.
    """
    return _family(S, A, B, q, gamma, lambda s, a, k: _reward(s, a, k, q))


def outcome_family_vector(S: int = 3, A: int = 2, B: int = 2, q: int = 2, gamma: Real = 1) -> OutcomeMDP:
    """FMV(S, A, B, q): `outcome_family` with a second reward, that of q + 1; vector rewards, m = 2.

    FMV(3, 2, 2, 3) at γ = 1, H = 3, s = 0, stock (1, −1): the optimum of −E‖x‖₁ is −91/60, of the
    largest coordinate's −139/120.
    """
    return _family(S, A, B, q, gamma, lambda s, a, k: (_reward(s, a, k, q), _reward(s, a, k, q + 1)))


def _reward(s: int, a: int, k: int, q: int) -> int:
    return (2 * s + 3 * a + 5 * k * k + 7 * k + q * (1 + a + s * k)) % 5 - 2


def _family(
    S: int, A: int, B: int, q: int, gamma: Real, reward: Callable[[int, int, int], Any]
) -> OutcomeMDP:
    check_size("outcome_family", S=S, A=A, B=B)
    check_size("outcome_family", least=0, q=q)
    rows = []
    for s in range(S):
        row = []
        for a in range(A):
            w = [1 + (s + 2 * a + 5 * k + q) % 3 for k in range(B)]
            target = [(s * (a + 2) + k * (1 + s) + a + q) % S for k in range(B)]
            row.append([(F(w[k], sum(w)), target[k], reward(s, a, k)) for k in range(B)])
        rows.append(row)
    return _built(rows, gamma)


def _built(rows: Any, gamma: Real, **options: Any) -> OutcomeMDP:
    """The exact model, rounded to doubles when γ is a float."""
    if is_rational(gamma):
        return OutcomeMDP.from_lists(rows, gamma, **options)
    return OutcomeMDP.from_lists(rows, F(1), **options).float().replace(gamma=gamma)


def gambler_chain(gamma: Real = 1) -> OutcomeMDP:
    """One state; stop at nothing, a fair bet of +2/−1, or a long shot of +6 w.p. ¼, else −1.

    γ = 1, H = 6: the largest mean is 9/2; CVaR_½ 73/128 with stock, 3/16 open loop, 0 nested;
    −E|G − 1| is −121/128 with stock, −1 open loop.
    """
    bets = [[(F(1), 0, 0)], [(F(1, 2), 0, 2), (F(1, 2), 0, -1)], [(F(1, 4), 0, 6), (F(3, 4), 0, -1)]]
    return _built([bets], gamma, actions=("nothing", "fair bet", "long shot"))


def slippery_grid(gamma: Real = 1) -> OutcomeMDP:
    """A 4×4 grid, start (0, 0), moves U, R, D, L that slip to each side w.p. 1/10; walls: stay.

    A step costs 1, entering (1, 1) or (2, 2) 3 more; entering (3, 3) gains 8 and ends.  Rewards belong
    to the successor.  State 4·row + column.

    γ = 1, H = 8: the largest mean is −1.47691835; CVaR_½ −4.6173887 with stock, −6.92767786 nested.
    """
    moves = ((-1, 0), (0, 1), (1, 0), (0, -1))
    rows: list[Any] = []
    for s in range(15):
        x, y = divmod(s, 4)
        row = []
        for a in range(4):
            law: dict[int, Fraction] = {}
            for turn, p in ((0, F(4, 5)), (1, F(1, 10)), (3, F(1, 10))):
                dx, dy = moves[(a + turn) % 4]
                inside = 0 <= x + dx < 4 and 0 <= y + dy < 4
                t = 4 * (x + dx) + y + dy if inside else s
                law[t] = law.get(t, F(0)) + p
            # A wall is no entry: bumping into it in (1, 1) cannot happen, these cells are inner ones.
            extra = {5: -3, 10: -3, 15: 8}
            row.append([(p, t, -1 + extra.get(t, 0)) for t, p in sorted(law.items())])
        rows.append(row)
    rows.append([])
    mu = [1] + [0] * 15
    return _built(rows, gamma, terminal=[15], mu=mu, actions=("up", "right", "down", "left"))


def homeostasis(gamma: Real = 1) -> OutcomeMDP:
    """Two stocks that drain by (1, 0), (0, 1), (1, 1) w.p. ¼, ¼, ½; an action adds 2 to one, or nothing.

    Vector rewards, m = 2; one state.  γ = 1, H = 3, stock (0, 0): the optimum of −E‖x‖₁ is −9/8, open
    loop −19/16.
    """
    drains = [(F(1, 4), -1, 0), (F(1, 4), 0, -1), (F(1, 2), -1, -1)]
    gains = [(2, 0), (0, 2), (0, 0)]
    rows = [[[(p, 0, (x + dx, y + dy)) for p, dx, dy in drains] for x, y in gains]]
    return _built(rows, gamma, actions=("first", "second", "nothing"))
