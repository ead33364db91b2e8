"""Laws of the return of all deterministic history-dependent policies, by enumeration; and small models."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

from hypothesis import strategies as st

from rltheory.models import OutcomeMDP

Law = frozenset[tuple[Any, Any]]
"""{(value, mass)}, values distinct."""


def all_laws(model: OutcomeMDP, s: int, h: int) -> set[Law]:
    """N_h(s): every outcome picks its own continuation."""
    memo: dict[tuple[int, int], set[Law]] = {}

    def laws(x: int, n: int) -> set[Law]:
        if n == 0:
            return {frozenset({(Fraction(0), Fraction(1))})}
        if (x, n) not in memo:
            found = set()
            for rows in model.lists[x].values():
                for tails in product(*(laws(t, n - 1) for _, t, _ in rows)):
                    law: dict[Any, Any] = {}
                    for (p, _, r), tail in zip(rows, tails, strict=True):
                        for y, q in tail:
                            key = r + model.gamma * y
                            law[key] = law.get(key, 0) + p * q
                    found.add(frozenset(law.items()))
            memo[x, n] = found
        return memo[x, n]

    return laws(s, h)


def best(model: OutcomeMDP, s: int, h: int, f: Callable[[Any], Any], c: Any = 0) -> Any:
    """max over all policies of E f(c + G)."""
    return max(sum(p * f(c + y) for y, p in law) for law in all_laws(model, s, h))


def cvar(law: Law, tau: Any) -> Any:
    """Mean of the lowest τ of the mass."""
    left, total = tau, tau * 0
    for y, p in sorted(law):
        part = min(p, left)
        total, left = total + part * y, left - part
    return total / tau


def played(model: OutcomeMDP, act: Callable[[int, Any, int], int], s: int, c: Any, h: int) -> dict[Any, Any]:
    """Law of G when action act(s, c_t, t) is played for h steps from (s, c)."""
    mass = {(s, Fraction(c)): Fraction(1)}
    for t in range(h):
        new: dict[tuple[int, Any], Any] = {}
        for (x, y), p in mass.items():
            for q, u, r in model.lists[x][act(x, y, t)]:
                key = u, (y + r) / model.gamma
                new[key] = new.get(key, 0) + p * q
        mass = new
    law: dict[Any, Any] = {}
    for (_, y), p in mass.items():
        g = model.gamma**h * y - c
        law[g] = law.get(g, 0) + p
    return law


@st.composite
def outcome_models(
    draw: Any, gammas: tuple[Fraction, ...], rewards: tuple[Any, ...] = (-2, -1, 0, 1, 2), S: int = 3
) -> OutcomeMDP:
    """Rational models with at most S states, two actions a state and two outcomes an action."""
    n = draw(st.integers(1, S))
    weights = ((1,), (1, 1), (1, 2), (3, 1), (1, 9))
    rows = []
    for _ in range(n):
        row = []
        for _ in range(draw(st.integers(1, 2))):
            w = draw(st.sampled_from(weights))
            row.append(
                [
                    (Fraction(x, sum(w)), draw(st.integers(0, n - 1)), draw(st.sampled_from(rewards)))
                    for x in w
                ]
            )
        rows.append(row)
    return OutcomeMDP.from_lists(rows, draw(st.sampled_from(gammas)))
