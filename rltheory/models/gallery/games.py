"""Games of chance and stopping, all undiscounted: blackjack, the gambler's problem, the secretary."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Literal

from ...arrays import Real
from ...errors import InvalidArgument
from .._build import check_size, is_rational, probability, table
from ..ssp import SSP

BlackjackRule = Literal["textbook", "dealer-natural", "plain"]

_CARD = {c: Fraction(1, 13) for c in range(1, 10)} | {10: Fraction(4, 13)}
_NATURAL = 22
"""Dealer's or player's total that stands for a two-card 21."""


def _add(total: int, soft: bool, card: int) -> tuple[int, bool]:
    """Total and usable ace after one more card (1 = ace)."""
    if card == 1 and total + 11 <= 21:
        return total + 11, True
    total += card
    return (total - 10, False) if total > 21 and soft else (total, soft)


@cache
def dealer_law(up: int) -> dict[int, Fraction]:
    """Law of the dealer's final total given the card shown: 17..21, 22 for a natural, 0 for a bust."""
    out: dict[int, Fraction] = {}
    for hole, p in _CARD.items():
        if {up, hole} == {1, 10}:
            out[_NATURAL] = out.get(_NATURAL, Fraction(0)) + p
            continue
        total, soft = _add(*_add(0, False, up), hole)
        for end, q in _play_on(total, soft).items():
            out[end] = out.get(end, Fraction(0)) + p * q
    return out


@cache
def _play_on(total: int, soft: bool) -> dict[int, Fraction]:
    if total > 21:
        return {0: Fraction(1)}
    if total >= 17:
        return {total: Fraction(1)}
    out: dict[int, Fraction] = {}
    for card, p in _CARD.items():
        for end, q in _play_on(*_add(total, soft, card)).items():
            out[end] = out.get(end, Fraction(0)) + p * q
    return out


def blackjack(rule: BlackjackRule = "textbook", *, natural_pays: Real = 1, exact: bool = True) -> SSP:
    """One hand of blackjack, infinite deck: stick (0) or hit (1); dealer stands on every 17 and more.

    Win 1, draw 0, lose −1; no doubling or splitting.  States are the player's total, the card the
    dealer shows and whether an ace counts 11, labelled "hard 16 v 10", "soft 18 v A", and
    "natural v 10" for a two-card 21; the last state is the end of the hand.  The start law is that
    of the deal.  Stopping with a two-card 21 is scored by `rule`:

    * "textbook": it wins unless the dealer also has one; a dealer's natural is a plain 21 otherwise.
      Start value −3954908734551683826282634489/91733330193268616658399616009 = −0.0431131….
    * "dealer-natural": a dealer's natural also beats every other 21.  −0.0467563520577057.
    * "plain": a natural is an ordinary 21.  −0.0465559770666976.

    The optimal policy is the same under all three: hit hard ≤ 12 v 2, 3; ≤ 11 v 4–6; ≤ 16 v 7–A; hit
    soft ≤ 17 v 2–8 and ≤ 18 v 9, 10, A.

    Parameters
    ----------
    rule
        As above.
    natural_pays
        Payment of a natural that wins.
    exact
        Rationals (default) or doubles.

    Source
    ------
    Sutton and Barto (2018), example 5.1, where the textbook rule is used.
    """
    if rule not in ("textbook", "dealer-natural", "plain"):
        raise InvalidArgument(f"blackjack: rule={rule!r}, must be 'textbook', 'dealer-natural' or 'plain'")
    hands = [(t, False) for t in range(4, 22)] + [(t, True) for t in range(12, 22)] + [(_NATURAL, True)]
    number = {(t, soft, up): len(hands) * (up - 1) + i for up in _CARD for i, (t, soft) in enumerate(hands)}
    end = len(number)
    rows = []
    for (total, soft, up), s in number.items():
        stick = sum(
            (p * _score(total, d, rule, natural_pays) for d, p in dealer_law(up).items()), Fraction(0)
        )
        rows.append((s, 0, {end: Fraction(1)}, stick))
        law: dict[int, Fraction] = {}
        bust = Fraction(0)
        for card, p in _CARD.items():
            t, still = _add(min(total, 21), soft, card)
            if t > 21:
                bust += p
            else:
                law[number[t, still, up]] = law.get(number[t, still, up], Fraction(0)) + p
        rows.append((s, 1, law | {end: bust} if bust else law, -bust))
    mu: dict[int, Fraction] = {}
    for up, p in _CARD.items():
        for c1, q1 in _CARD.items():
            for c2, q2 in _CARD.items():
                total, soft = (_NATURAL, True) if {c1, c2} == {1, 10} else _add(*_add(0, False, c1), c2)
                s = number[total, soft, up]
                mu[s] = mu.get(s, Fraction(0)) + p * q1 * q2
    shown = {1: "A"}
    labels = [
        f"{'natural' if t == _NATURAL else f'soft {t}' if soft else f'hard {t}'} v {shown.get(up, up)}"
        for t, soft, up in number
    ]
    zero: Real = Fraction(0) if exact else 0.0
    mdp = table(
        rows, zero, S=end + 1, terminal=[end], mu=mu, states=[*labels, "end"], actions=("stick", "hit")
    )
    return SSP.from_mdp(mdp)


def _score(player: int, dealer: int, rule: str, natural_pays: Real) -> Fraction:
    """Payment of stopping at `player` against the dealer's final total."""
    if player == _NATURAL:
        if rule == "plain":
            beaten, tie = dealer not in (21, _NATURAL), dealer in (21, _NATURAL)
        else:
            beaten, tie = dealer != _NATURAL, dealer == _NATURAL
        return Fraction(0) if tie else Fraction(natural_pays) if beaten else Fraction(-1)
    if dealer == _NATURAL:
        return Fraction(0) if player == 21 and rule != "dealer-natural" else Fraction(-1)
    return Fraction((player > dealer) - (player < dealer))


def gambler(N: int = 100, p: Real = Fraction(2, 5)) -> SSP:
    """Bet a whole stake ≤ min(s, N − s) on a coin of success probability p; reaching N pays 1.

    V*(s) is the largest probability of reaching N before ruin; for p < ½ bold play (the largest
    stake) is optimal.  N = 100, p = 2/5: V*(25) = 4/25, V*(50) = 2/5; optimal stakes at 51 are 1
    and 49.  Action ids are stakes.  Exact when p is an int or `Fraction`.

    Source: Dubins and Savage (1965); Sutton and Barto (2018), example 4.3.
    """
    check_size("gambler", least=2, N=N)
    (win,) = probability("gambler", p=p)
    rows = [
        (s, a, {s + a: win, s - a: 1 - win}, win if s + a == N else Fraction(0))
        for s in range(1, N)
        for a in range(1, min(s, N - s) + 1)
    ]
    gamma: Real = Fraction(0) if is_rational(p) else 0.0
    return SSP.from_mdp(table(rows, gamma, S=N + 1, terminal=[0, N]))


def secretary(n: int = 10, *, exact: bool = True) -> SSP:
    """n candidates in random order, only relative ranks seen; choose the best of all.

    State i − 1 (i = 1..n): candidate i is the best so far; accept (0) wins with probability i/n,
    pass (1) waits for the next record, which is candidate j > i with probability i/(j(j − 1)); state
    n is the end.  V*(0) is the largest probability of success; an optimal policy accepts a record
    from some index on.  n = 10: 3349/8400, index 4; n = 100: 0.371042778712643, index 38.

    Source: Lindley (1961); Gilbert and Mosteller (1966).
    """
    check_size("secretary", n=n)
    rows = []
    for i in range(1, n + 1):
        rows.append((i - 1, 0, {n: Fraction(1)}, Fraction(i, n)))
        later = {j - 1: Fraction(i, j * (j - 1)) for j in range(i + 1, n + 1)}
        rows.append((i - 1, 1, later | {n: Fraction(i, n)}, Fraction(0)))
    gamma: Real = Fraction(0) if exact else 0.0
    labels = [f"record at {i}" for i in range(1, n + 1)] + ["end"]
    return SSP.from_mdp(
        table(rows, gamma, S=n + 1, terminal=[n], mu={0: 1}, states=labels, actions=("accept", "pass"))
    )
