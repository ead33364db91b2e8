"""Brute force: the laws of all deterministic history-dependent policies, from the definition.

N_0 = {δ_0};  N_h(s) = ∪_a { Σ_k p_k·law(r_k + γX_k) : X_k ∈ N_{h−1}(s'_k) }: after each outcome the policy
is free to go on in its own way, whatever it did after the others.  Equal laws are kept once.

The optimum of any functional over deterministic history-dependent policies is the maximum over N_H(s).
Doubly exponential in H (with 2 actions and 2 outcomes at most 2, 8, 128, 32 768 laws): an oracle for small
instances that shares nothing with the recursions it judges.
"""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ..errors import InvalidArgument
from ..models.outcomes import OutcomeMDP
from ..models.stock import StockMDP
from ..operators.objective import Objective
from ..results.law import ReturnLaw
from ..results.vector_law import VectorLaw

Pairs = tuple[tuple[Any, Fraction], ...]
"""A law as sorted (value, mass) pairs; values are tuples for vector returns."""


def history_laws(
    model: OutcomeMDP | StockMDP, H: int | None = None, *, max_laws: int = 200_000
) -> tuple[tuple[Pairs, ...], ...]:
    """N_H(s) for every state s: the laws of the return under all deterministic history-dependent policies.

    Parameters
    ----------
    model
        Exact, or in doubles (lifted).
    H
        Number of steps; that of a `StockMDP` if not given.
    max_laws
        Refuse when a set of one state would hold more candidates than this.

    Returns
    -------
    tuple of tuples of pairs
        One set a state; each law as sorted (value, mass) pairs in rationals.

    Raises
    ------
    InvalidArgument
        No horizon, or too many laws.

    Examples
    --------
    >>> from rltheory.models import gallery
    >>> [len(laws) for laws in history_laws(gallery.outcome_family(), 3)]
    [128, 128, 128]
    """
    stocks = model if isinstance(model, StockMDP) else None
    H = stocks.H if H is None and stocks is not None else H
    if not isinstance(H, numbers.Integral) or H < 0:
        raise InvalidArgument(f"history_laws: H={H!r}, must be a number of steps ≥ 0")
    base = model.base if isinstance(model, StockMDP) else model
    zero: Any = Fraction(0) if base.m is None else (Fraction(0),) * base.m
    gamma = base.exact().gamma
    sets: tuple[tuple[Pairs, ...], ...] = tuple((((zero, Fraction(1)),),) for _ in range(base.S))
    for t in reversed(range(H)):
        stage = (base if stocks is None or stocks.stationary else stocks.stage(t)).exact()
        sets = tuple(_laws(stage, s, gamma, sets, max_laws) for s in range(stage.S))
    return sets


def _laws(
    stage: OutcomeMDP, s: int, gamma: Fraction, sets: Sequence[Sequence[Pairs]], max_laws: int
) -> tuple[Pairs, ...]:
    found: dict[Pairs, None] = {}
    for a, rows in stage.lists[s].items():
        count = 1
        for _, u, _ in rows:
            count *= len(sets[u])
        if count > max_laws:
            raise InvalidArgument(
                f"history_laws: {count} laws for (s={s}, a={a}), more than max_laws={max_laws}; use a "
                "shorter horizon or a smaller model, this is brute force"
            )
        moved = [[_moved(p, r, gamma, law) for law in sets[u]] for p, u, r in rows]
        for choice in itertools.product(*moved):
            law: dict[Any, Fraction] = {}
            for pairs in choice:
                for x, p in pairs:
                    law[x] = law[x] + p if x in law else p
            found[tuple(sorted(law.items()))] = None
    return tuple(found)


def _moved(p: Fraction, r: Any, gamma: Fraction, law: Pairs) -> Pairs:
    if isinstance(r, tuple):
        return tuple((tuple(u + gamma * v for u, v in zip(r, x, strict=True)), p * q) for x, q in law)
    return tuple((r + gamma * x, p * q) for x, q in law)


def history_optimum(laws: Sequence[Pairs], objective: Objective, stock: Any = 0) -> tuple[Any, Pairs]:
    """(max K(law(stock + G)), a law that attains it) over a set of laws of `history_laws`."""
    best: Any = None
    for law in laws:
        value = objective(law, stock)
        if best is None or value > best[0]:
            best = (value, law)
    if best is None:
        raise InvalidArgument("history_optimum: no laws; pass history_laws(model, H)[s]")
    return best  # type: ignore[no-any-return]


def as_law(pairs: Pairs) -> ReturnLaw | VectorLaw:
    """The `ReturnLaw`, or `VectorLaw`, of sorted pairs."""
    return VectorLaw.from_pairs(pairs) if isinstance(pairs[0][0], tuple) else ReturnLaw.from_pairs(pairs)
