"""On random rational models, stock recursions and brute force agree, and bounds hold."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import rltheory as rl
from rltheory import objectives as O
from rltheory.models import OutcomeMDP
from rltheory.solvers import (
    StockInduction,
    StockValueIteration,
    classic_reduction,
    history_laws,
    history_optimum,
)

OBJECTIVES = [
    O.mean(), O.shortfall(), O.surplus(), O.target(), O.mixed_risk(F(1, 3), 2), O.success(),
    O.negative_square(),
]  # fmt: skip
OTHERS = [
    O.expected_utility(lambda x: min(x, 1), name="min(x,1)"),
    O.expected_utility(lambda x: abs(x - F(1, 2)), name="|x−½|"),
    O.expected_utility(lambda x: int(x * 2 >= 1), name="x≥½"),
]
REWARDS = st.sampled_from([F(n, d) for d in (1, 2, 3) for n in range(-3, 4)])


@st.composite
def models(draw: Any, gammas: tuple[F, ...] = (F(1), F(1, 2), F(2, 3))) -> OutcomeMDP:
    """Two or three states, ragged actions, one to two outcomes each, now and then a terminal state."""
    S = draw(st.integers(2, 3))
    terminal = [S - 1] if draw(st.booleans()) else []
    lists: list[Any] = []
    for s in range(S):
        row: dict[int, Any] = {}
        for a in draw(st.sets(st.integers(0, 2), min_size=1, max_size=2)) if s not in terminal else ():
            w = draw(st.lists(st.integers(1, 5), min_size=1, max_size=2))
            row[a] = [(F(x, sum(w)), draw(st.integers(0, S - 1)), draw(REWARDS)) for x in w]
        lists.append(row)
    return OutcomeMDP.from_lists(lists, draw(st.sampled_from(gammas)), terminal=terminal)


@settings(max_examples=60, deadline=None)
@given(models(), st.integers(1, 3), REWARDS, st.sampled_from(OBJECTIVES))
def test_the_stock_optimum_is_the_best_over_histories(m: OutcomeMDP, H: int, c: F, o: O.Objective) -> None:
    model = rl.stock_augmented(m, H=H)
    laws = history_laws(model)
    sol = StockInduction(o).run(model)
    for s in range(m.S):
        assert sol.value(s, c) == history_optimum(laws[s], o, c)[0]
        assert tuple(sol.law(s, c)) in laws[s]
    assert classic_reduction(model, o, 0, c).value() == sol.value(0, c)


@settings(max_examples=30, deadline=None)
@given(models(), st.integers(1, 3), REWARDS, st.sampled_from(OTHERS))
def test_time_indexed_utilities_are_optimal_at_any_discount(
    m: OutcomeMDP, H: int, c: F, o: O.Objective
) -> None:
    model = rl.stock_augmented(m, H=H)
    sol = StockInduction(o, time_indexed=True).run(model)
    for s, laws in enumerate(history_laws(model)):
        assert sol.value(s, c) == history_optimum(laws, o, c)[0]


@settings(max_examples=30, deadline=None)
@given(
    models(gammas=(F(1, 2),)), REWARDS, st.sampled_from(OBJECTIVES[:5]), st.sampled_from(["zero", "centre"])
)
def test_value_iteration_keeps_its_bound(m: OutcomeMDP, c: F, o: O.Objective, start: Any) -> None:
    """1 and 4 sweeps are within the sum of their bounds."""
    model = rl.stock_augmented(m)
    few, many = (StockValueIteration(o, n=n, start=start).run(model) for n in (1, 4))
    for s in range(m.S):
        assert abs(few.value(s, c) - many.value(s, c)) <= few.bound + many.bound
        assert few.law(s, c).error >= many.law(s, c).error


@settings(max_examples=20, deadline=None)
@given(models(gammas=(F(1),)), REWARDS, st.sampled_from([F(1, 4), F(1, 2), F(3, 4)]))
def test_cvar_is_a_maximum_over_initial_stocks(m: OutcomeMDP, c: F, tau: F) -> None:
    model = rl.stock_augmented(m, H=2)
    laws = history_laws(model)[0]
    sol = StockInduction(O.shortfall()).run(model)
    atoms = {x for law in laws for x, _ in law}
    best = history_optimum(laws, rl.cvar(tau))[0]
    assert max(b + sol.value(0, -b) / tau for b in atoms) == best
    assert c + best == history_optimum(laws, rl.cvar(tau), c)[0]
