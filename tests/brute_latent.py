"""Latent MDPs by enumeration: every history-dependent policy, and the POMDP on (context, state)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

from hypothesis import strategies as st

from rltheory import LatentMDP

Tree = tuple[int, dict[tuple[Any, int], Any]]
"""(action, {(reward seen, next state): subtree})."""


def seen(x: LatentMDP, s: int, a: int) -> list[tuple[Any, int]]:
    """What can be observed after (s, a) in some context."""
    out = {
        (x.R[m, s, a] if x.observe_rewards else None, u)
        for m in range(x.M)
        for u in range(x.S)
        if x.P[m, s, a, u] != 0
    }
    return sorted(out, key=lambda o: (o[1], o[0] or 0))


def policies(x: LatentMDP, s: int, h: int) -> Iterator[Tree]:
    """All deterministic policies for h steps from s, as trees."""
    for a in range(x.A):
        if h == 1:
            yield a, {}
            continue
        what = seen(x, s, a)
        for tails in product(*(list(policies(x, u, h - 1)) for _, u in what)):
            yield a, dict(zip(what, tails, strict=True))


def returns(x: LatentMDP, m: int, s: int, tree: Tree) -> dict[Any, Any]:
    """Law of the total reward in context m, trajectory by trajectory."""
    a, tails = tree
    r = x.R[m, s, a]
    if not tails:
        return {r: Fraction(1)}
    law: dict[Any, Any] = {}
    for u in range(x.S):
        if x.P[m, s, a, u] != 0:
            for g, p in returns(x, m, u, tails[(r if x.observe_rewards else None), u]).items():
                law[r + g] = law.get(r + g, 0) + x.P[m, s, a, u] * p
    return law


def optimum(x: LatentMDP) -> Any:
    """V* by evaluating every policy on every trajectory."""
    total: Any = 0
    for s in range(x.S):
        if any(x.nu[m, s] != 0 for m in range(x.M)):
            total += max(
                sum(x.start[m, s] * g * p for m in range(x.M) for g, p in returns(x, m, s, tree).items())
                for tree in policies(x, s, x.H)
            )
    return total


def largest_variance(x: LatentMDP) -> Any:
    """max Var(total reward) over deterministic history-dependent policies, by enumerating all of them."""
    starts = [s for s in range(x.S) if any(x.nu[m, s] != 0 for m in range(x.M))]
    parts = []
    for s in starts:
        found = set()
        for tree in policies(x, s, x.H):
            laws = [(x.start[m, s], returns(x, m, s, tree)) for m in range(x.M) if x.start[m, s] != 0]
            found.add(tuple(sum(w * g**k * p for w, law in laws for g, p in law.items()) for k in (1, 2)))
        parts.append(found)
    return max(sum(y for _, y in c) - sum(z for z, _ in c) ** 2 for c in product(*parts))


def pomdp_optimum(x: LatentMDP) -> Any:
    """V* of the POMDP whose hidden state is (m, s): a belief over M·S states, any observation function."""
    hidden = [(m, s) for m in range(x.M) for s in range(x.S)]

    def value(b: dict[Any, Any], h: int) -> Any:
        if h == 0:
            return 0
        options = []
        for a in range(x.A):
            q = sum(p * x.R[m, s, a] for (m, s), p in b.items())
            after: dict[Any, dict[Any, Any]] = {}
            for (m, s), p in b.items():
                for u in range(x.S):
                    if x.P[m, s, a, u] != 0:
                        o = (u, x.R[m, s, a] if x.observe_rewards else None)
                        part = after.setdefault(o, {})
                        part[m, u] = part.get((m, u), 0) + p * x.P[m, s, a, u]
            options.append(q + sum(value(part, h - 1) for part in after.values()))
        return max(options)

    first: dict[int, dict[Any, Any]] = {}
    for m, s in hidden:
        if x.start[m, s] != 0:
            first.setdefault(s, {})[m, s] = x.start[m, s]
    return sum(value(b, x.H) for b in first.values())


@st.composite
def latent_models(draw: Any, M: int = 3, S: int = 2, A: int = 2, H: int = 3) -> LatentMDP:
    """Rational latent MDPs with few numbers: sparse rows, rewards that tell contexts apart or do not."""
    m, s, a, h = (draw(st.integers(1, n)) for n in (M, S, A, H))
    weights = st.lists(st.integers(1, 3), min_size=m, max_size=m)

    def law(n: int) -> list[Fraction]:
        w = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
        w[draw(st.integers(0, n - 1))] += 1
        return [Fraction(v, sum(w)) for v in w]

    w = draw(weights)
    return LatentMDP.from_arrays(
        [[[law(s) for _ in range(a)] for _ in range(s)] for _ in range(m)],
        [
            [[Fraction(draw(st.sampled_from((0, 0, 1, 2))), 2 * h) for _ in range(a)] for _ in range(s)]
            for _ in range(m)
        ],
        weights=[Fraction(v, sum(w)) for v in w],
        nu=[law(s) for _ in range(m)],
        H=h,
        observe_rewards=draw(st.booleans()),
    )
