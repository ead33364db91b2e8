"""Jack's car rental under other readings of its rules: least and greatest V*, to the printed digits.

Each reading is a law of (cars rented, next evening's count) at one site, enumerated here from its words;
it shares nothing with the gallery's model.  Morning counts above 20 are clipped.  Probability that a reading
drops ends the episode: it goes to a terminal state.  A day's income counts with the probability its own site
keeps, or, as in the authors' program, with the probability both sites keep (`jointly`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rltheory as rl

REQUESTS, RETURNS = (3.0, 4.0), (3.0, 2.0)
Next = Callable[[int, int, int], tuple[int, int] | None]
Terms = Callable[[float], dict[int, float]]


def poisson(mean: float, last: int = 60) -> dict[int, float]:
    """P(X = k) for k = 0..last."""
    return {k: math.exp(-mean) * mean**k / math.factorial(k) for k in range(last + 1)}


def above(least: float) -> Terms:
    """Poisson terms below `least` dropped, nothing renormalised."""
    return lambda mean: {k: p for k, p in poisson(mean).items() if p >= least}


def lumped(cars: int, asked: int, back: int) -> tuple[int, int]:
    """The rule of the gallery: returns come after the day's rentals, the rest above 20 leaves."""
    rented = min(cars, asked)
    return rented, min(20, cars - rented + back)


def overflow_first(cars: int, asked: int, back: int) -> tuple[int, int]:
    """Cars above 20 are removed before the day's rentals leave."""
    rented = min(cars, asked)
    return rented, min(20, cars + back) - rented


def overflow_dropped(cars: int, asked: int, back: int) -> tuple[int, int] | None:
    """A count above 20 has no probability."""
    rented = min(cars, asked)
    end = cars - rented + back
    return (rented, end) if end <= 20 else None


def same_day(cars: int, asked: int, back: int) -> tuple[int, int]:
    """Returned cars, up to 20 in all, can be rented on the same day."""
    there = min(20, cars + back)
    rented = min(there, asked)
    return rented, there - rented


def constant_returns(mean: float) -> dict[int, float]:
    """The mean, for certain."""
    return {int(mean): 1.0}


def site(i: int, ask: Terms, give: Terms, rule: Next) -> tuple[Any, Any]:
    """(21,) expected cars rented and (21, 21) law of the next count, from each morning's count."""
    rented, law = np.zeros(21), np.zeros((21, 21))
    for cars in range(21):
        for asked, p in ask(REQUESTS[i]).items():
            for back, q in give(RETURNS[i]).items():
                step = rule(cars, asked, back)
                if step is not None:
                    law[cars, step[1]] += p * q
                rented[cars] += p * q * (step or lumped(cars, asked, back))[0]
    return rented, law


def rental(ask: Terms, give: Terms, rule: Next, *, jointly: bool = False) -> rl.MDP:
    """The MDP of one reading; state 441 is terminal and takes the dropped probability."""
    (r1, law1), (r2, law2) = (site(i, ask, give, rule) for i in (0, 1))
    rows, R, ps, pa = [], [], [], []
    for s in range(441):
        a, b = divmod(s, 21)
        for move in range(-min(5, b), min(5, a) + 1):
            m1, m2 = min(20, a - move), min(20, b + move)
            row = np.outer(law1[m1], law2[m2]).ravel()
            income = r1[m1] + r2[m2]
            if jointly:  # what each site keeps of its returns is in r already
                kept = [sum(give(mean).values()) for mean in RETURNS]
                income = (r1[m1] / kept[0] + r2[m2] / kept[1]) * row.sum()
            rows.append(np.append(row, max(0.0, 1 - row.sum())))
            R.append(10 * income - 2 * abs(move))
            ps.append(s)
            pa.append(move + 5)
    rows.append(np.eye(442)[441])
    table = np.array(rows) / np.sum(rows, axis=1, keepdims=True)  # rounding only
    return rl.MDP.from_pairs(
        table, [*R, 0.0], 0.9, pair_state=[*ps, 441], pair_action=[*pa, 0], terminal=[441]
    )


def cut(mean: float) -> dict[int, float]:
    """Terms 0..10, not renormalised."""
    return poisson(mean, 10)


READINGS = {
    "terms below 1e-6 dropped": (above(1e-6), above(1e-6), lumped, (421.4002, 636.9725)),
    "overflow leaves before the rentals": (poisson, poisson, overflow_first, (421.4087, 626.2053)),
    "overflow dropped": (poisson, poisson, overflow_dropped, (421.3750, 597.9261)),
    "both cut to 0..10": (cut, cut, lumped, (406.0097, 617.8193)),
    "returns rentable the same day": (poisson, poisson, same_day, (465.8896, 637.0971)),
    "constant returns": (poisson, constant_returns, lumped, (430.5197, 644.4335)),
    "terms below 1e-3 dropped": (above(1e-3), above(1e-3), lumped, (400.6116, 611.7941)),
    "the gallery's own": (poisson, poisson, lumped, (421.4141, 636.9896)),
}


@pytest.mark.parametrize("name", READINGS)
def test_least_and_greatest_value(name: str) -> None:
    ask, give, rule, printed = READINGS[name]
    sol = rl.solve(rental(ask, give, rule, jointly="terms below" in name))
    assert float(sol.error) < 1e-5
    assert (round(float(sol.V[:441].min()), 4), round(float(sol.V[:441].max()), 4)) == printed
