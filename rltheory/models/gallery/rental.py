"""Jack's car rental: two sites, Poisson requests and returns, cars moved overnight."""

from __future__ import annotations

import math

import numpy as np

from ...arrays import FloatVec
from .._build import check_size
from ..mdp import MDP


def poisson(mean: float, n: int) -> FloatVec:
    """(n + 1,) P(X = 0..n−1) and, last, P(X ≥ n) for X Poisson of the given mean."""
    head = [math.exp(-mean) * mean**k / math.factorial(k) for k in range(n)]
    # the tail from its own series, not as a difference, so that it keeps full relative accuracy
    term, tail, k = math.exp(-mean) * mean**n / math.factorial(n), 0.0, n
    while term > 1e-330 and term > tail * 1e-18:
        tail += term
        k += 1
        term *= mean / k
    return np.array([*head, tail])


def _site(cars: int, capacity: int, requests: float, returns: float) -> tuple[float, FloatVec]:
    """E[cars rented] and the law of the next evening's count from `cars` in the morning."""
    law = np.zeros(capacity + 1)
    rented = 0.0
    for met, p in enumerate(poisson(requests, cars)):
        rented += float(p) * met
        left = cars - met
        room = capacity - left
        if room <= 0:  # only for more than `capacity` cars in the morning
            law[capacity] += p
        else:
            law[left:] += p * poisson(returns, room)
    return rented, law


def jacks_car_rental(
    gamma: float = 0.9,
    *,
    capacity: int = 20,
    max_move: int = 5,
    rent: float = 10.0,
    move_cost: float = 2.0,
    requests: tuple[float, float] = (3.0, 4.0),
    returns: tuple[float, float] = (3.0, 2.0),
) -> MDP:
    """Cars (n₁, n₂) at closing time; action a + max_move moves a cars from site 1 to site 2.

    −max_move ≤ a ≤ max_move, a ≤ n₁, −a ≤ n₂, each moved car costs 2.  By day each of Poisson(3, 4)
    requests met pays 10; Poisson(3, 2) cars come back and can be rented from the next day; the count
    is capped at 20.  The Poisson tails are lumped, not cut, so rows sum to one.  Doubles: the laws
    are not rational.  State n₁·21 + n₂, labelled "(n1,n2)"; rewards are the day's expectation.

    γ = 9/10: V*(0,0) = 421.4140633965 (least), V*(10,10) = 574.9483239852, V*(20,20) =
    636.9896068044 (greatest), V*(20,0) = 554.9477060361 (move 5), V*(0,20) = 567.7685087963
    (move −4); smallest action gap 6.777770487e-4 at (19, 15).

    Source: Sutton and Barto (2018), example 4.2.
    """
    check_size("jacks_car_rental", capacity=capacity)
    check_size("jacks_car_rental", least=0, max_move=max_move)
    sites = [
        [_site(cars, capacity, requests[i], returns[i]) for cars in range(capacity + max_move + 1)]
        for i in (0, 1)
    ]
    width = capacity + 1
    n1, n2 = np.divmod(np.arange(width**2), width)
    state, action = [], []
    for s in range(width**2):
        for a in range(-min(max_move, int(n2[s])), min(max_move, int(n1[s])) + 1):
            state.append(s)
            action.append(a)
    ps, move = np.array(state), np.array(action)
    m1, m2 = n1[ps] - move, n2[ps] + move
    law1, law2 = (np.array([law for _, law in site]) for site in sites)
    sold1, sold2 = (np.array([rented for rented, _ in site]) for site in sites)
    rows = (law1[m1][:, :, None] * law2[m2][:, None, :]).reshape(ps.size, width**2)
    rows /= rows.sum(axis=1, keepdims=True)  # rounding only
    nz = rows != 0
    indptr = np.concatenate([[0], np.cumsum(nz.sum(axis=1))])
    return MDP.from_pairs(
        (rows[nz], np.nonzero(nz)[1], indptr),
        rent * (sold1[m1] + sold2[m2]) - move_cost * np.abs(move),
        gamma,
        pair_state=ps,
        pair_action=move + max_move,
        S=width**2,
        states=[f"({a},{b})" for a, b in zip(n1, n2, strict=True)],
        actions=[f"move {a}" for a in range(-max_move, max_move + 1)],
    )
