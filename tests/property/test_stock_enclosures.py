"""On random rational models the enclosures of StockDP hold the exact optimum over all history policies.

The optimum is found by enumerating policies (`tests.brute_stock`), or, over an infinite horizon, by the
exact lattice, itself checked against enumeration with the tail's bound.
"""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rltheory import ReturnLaw, StockDP, stock_augmented
from rltheory import objectives as ob
from rltheory.models import OutcomeMDP
from tests.brute_stock import all_laws, best, outcome_models, played

HALF = F(1, 2)
UTILITIES = [
    ob.shortfall(),
    ob.surplus(),
    ob.target(),
    ob.mixed_risk(3, 1),
    ob.expected_utility(lambda x: min(x, 1), name="min(x, 1)", lipschitz=1),
    ob.expected_utility(lambda x: -abs(x - 1), name="−|x − 1|", lipschitz=1),
    ob.expected_utility(lambda x: max(min(2 * x, 1), -1), name="clip 2x", lipschitz=2),
]
JUMPS = [ob.success(), ob.negative_square(), ob.expected_utility(lambda x: x**3, name="x³")]
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STOCKS = st.fractions(-3, 3, max_denominator=4)
MIXED = (F(-3, 2), -1, F(-1, 3), 0, F(1, 2), 2)


@QUICK
@given(
    outcome_models((F(1), HALF, F(3, 4)), MIXED),
    st.integers(1, 3),
    st.sampled_from(UTILITIES + JUMPS),
    STOCKS,
)
def test_lattices_are_exact(model: OutcomeMDP, H: int, objective: Any, c: F) -> None:
    sol = StockDP(objective).run(stock_augmented(model, H=H))
    assert (sol.representation, sol.error) == ("lattice", 0)
    for s in range(model.S):
        want = best(model, s, H, objective.f, c)
        assert sol.value(s, c) == want
        law = sol.law(s, c)
        assert objective(law, c) == want
        assert dict(law) == {
            g: p for g, p in played(model, lambda x, y, t: sol.policy(x, y, t), s, c, H).items() if p
        }


@QUICK
@given(
    outcome_models((F(1), HALF, F(3, 4)), MIXED),
    st.integers(1, 3),
    st.sampled_from(UTILITIES),
    STOCKS,
    st.integers(3, 60),
    st.booleans(),
)
def test_time_nodes_enclose(
    model: OutcomeMDP, H: int, objective: Any, c: F, atoms: int, lattice: bool
) -> None:
    name = "lattice" if lattice else "time"
    m = stock_augmented(model.float(), H=H)
    sol = StockDP(objective, representation=name, atoms=atoms).run(m)
    for s in range(model.S):
        want = best(model, s, H, objective.f, c)
        assert want in sol.enclosure(s, c)
        assert sol.enclosure(s, c).width <= 2.001 * sol.error + 1e-9
        law = sol.law(s, c)
        worst = objective.lipschitz * law.error + 1e-9
        assert float(objective(law, float(c))) <= want + worst  # no policy does better than the optimum


@QUICK
@given(
    outcome_models((F(1), HALF)),
    st.integers(1, 3),
    st.sampled_from([F(1, 10), F(1, 4), HALF, F(2, 3), F(1)]),
)
def test_cvar_is_exact_on_lattices_and_enclosed_elsewhere(model: OutcomeMDP, H: int, tau: F) -> None:
    m = stock_augmented(model, H=H)
    sol = StockDP(ob.cvar(tau)).run(m)
    rough = StockDP(ob.cvar(float(tau)), representation="time", atoms=40).run(m)
    for s in range(model.S):
        want = max(ReturnLaw.from_pairs(law).cvar(tau) for law in all_laws(model, s, H))
        assert sol.value(s) == want == sol.law(s).cvar(tau)
        assert want in rough.enclosure(s)


@settings(QUICK, max_examples=40)
@given(
    outcome_models((HALF, F(1, 3))),
    st.sampled_from([ob.shortfall(), ob.surplus(), ob.target(), ob.mixed_risk(1, 3)]),
    STOCKS,
    st.integers(3, 40),
    st.sampled_from(["grid", "time"]),
)
def test_infinite_horizons_are_enclosed(
    model: OutcomeMDP, objective: Any, c: F, atoms: int, name: Any
) -> None:
    m = stock_augmented(model)
    exact = StockDP(objective).run(m)
    rough = StockDP(objective, representation=name, atoms=atoms).run(m)
    assert exact.representation == "lattice"
    far = 3 * max(abs(model.r_min), abs(model.r_max)) / (1 - model.gamma) * objective.lipschitz
    for s in range(model.S):
        value = exact.value(s, c)
        assert value in rough.enclosure(s, c)
        if max(len(x) for x in model.lists) == 1 or model.S == 1:
            assert abs(value - best(model, s, 3, objective.f, c)) <= far * model.gamma**3


@settings(QUICK, max_examples=25)
@given(outcome_models((HALF,)), st.sampled_from([F(1, 4), HALF, F(9, 10)]), st.integers(11, 60))
def test_cvar_enclosures_of_an_infinite_horizon_meet(model: OutcomeMDP, tau: F, atoms: int) -> None:
    m = stock_augmented(model)
    exact = StockDP(ob.cvar(tau), atoms=101).run(m)
    rough = StockDP(ob.cvar(float(tau)), representation="grid", atoms=atoms).run(m)
    for s in range(model.S):
        a, b = exact.enclosure(s), rough.enclosure(s)
        assert a.lower <= b.upper
        assert b.lower <= a.upper


@pytest.mark.parametrize("q", range(6))
def test_both_infinite_representations_meet_at_gamma_four_fifths(q: int) -> None:
    """γ = 0.8, FM(3, 2, 2, q): no lattice; grid and time enclose the same value."""
    from rltheory.models.gallery import outcome_family

    m = stock_augmented(outcome_family(3, 2, 2, q, gamma=F(4, 5)))
    for objective in (ob.target(), ob.shortfall()):
        grid = StockDP(objective, atoms=401).run(m)
        time = StockDP(objective, representation="time", atoms=4001).run(m)
        assert (grid.representation, time.representation) == ("grid", "time")
        for s in range(3):
            for c in (-1, 0, F(1, 3)):
                a, b = grid.enclosure(s, c), time.enclosure(s, c)
                assert max(a.lower, b.lower) <= min(a.upper, b.upper)
                assert abs(grid.value(s, c) - time.value(s, c)) <= 0.02
