"""Printed optima over (state, stock), in rationals, each by backward induction and, where it can be, by
brute force over all history-dependent policies."""

from __future__ import annotations

from fractions import Fraction as F
from functools import cache
from typing import Any

import pytest

import rltheory as rl
from rltheory import objectives as O
from rltheory.models import OutcomeMDP
from rltheory.models import gallery as G
from rltheory.results import ReturnLaw
from rltheory.solvers import (
    GeneralisedPolicy,
    StockBlind,
    StockEvaluation,
    StockInduction,
    history_laws,
    history_optimum,
    open_loop,
)

HALF = F(1, 2)


@cache
def family(q: int, gamma: Any = F(1), H: int = 3) -> Any:
    return rl.stock_augmented(G.outcome_family(3, 2, 2, q, gamma=gamma), H=H)


@cache
def oracle(q: int, gamma: Any = F(1), H: int = 3) -> Any:
    return history_laws(family(q, gamma, H))


def best(o: O.Objective, model: Any, s: int, c: Any) -> Any:
    return StockInduction(o).run(model).value(s, c)


def law(**masses: Any) -> ReturnLaw:
    return ReturnLaw.from_pairs([(int(k.replace("m", "-").replace("p", "")), p) for k, p in masses.items()])


@pytest.mark.parametrize(
    ("o", "optimum", "without"),
    [
        (O.shortfall(), F(-4, 15), F(-4, 15)),
        (O.target(), F(-29, 48), F(-483, 400)),
        (O.surplus(), F(141, 100), F(63, 50)),
    ],
    ids=repr,
)
def test_the_third_family_at_stock_one(o: O.Objective, optimum: F, without: F) -> None:
    assert best(o, family(3), 0, 1) == optimum
    assert history_optimum(oracle(3)[0], o, 1)[0] == optimum
    assert StockBlind(o).run(family(3)).value(0, 1) == without


def test_the_printed_laws() -> None:
    found = StockInduction(O.target()).run(family(3)).law(0, 1)
    assert found == law(m3=F(2, 15), m1=F(181, 240), p2=F(9, 80))
    sol = StockInduction(O.target()).run(family(9))
    assert sol.value(0, 1) == F(-2, 5)
    assert sol.law(0, 1) == law(m2=F(2, 5), m1=F(3, 5))
    assert StockBlind(O.target()).run(family(9)).value(0, 1) == F(-31, 15)


def test_the_numbers_of_distinct_laws() -> None:
    assert len(oracle(3)[0]) == 128
    assert [len(laws) for laws in oracle(1)] == [112, 112, 74]
    assert len(oracle(4, HALF)[2]) == 116
    assert [len(laws) for laws in history_laws(family(3), 2)] == [8, 8, 8]


@pytest.mark.parametrize(
    ("o", "without"), [(O.target(), F(-3, 4)), (O.negative_square(), F(-9, 16))], ids=repr
)
def test_half_discount(o: O.Objective, without: F) -> None:
    assert best(o, family(4, HALF), 2, -1) == 0
    assert history_optimum(oracle(4, HALF)[2], o, -1)[0] == 0
    assert StockBlind(o).run(family(4, HALF)).value(2, -1) == without


def cvar_by_stock(model: Any, s: int, tau: F) -> tuple[Any, Any]:
    """(max over atoms b of b + F*(s, −b)/τ, the first b that attains it)."""
    sol = StockInduction(O.shortfall()).run(model)
    atoms = sorted({x for pairs in history_laws(model)[s] for x, _ in pairs})
    scores = [(b + sol.value(s, -b) / tau, b) for b in atoms]
    top = max(scores, key=lambda pair: pair[0])
    reached = ReturnLaw.from_pairs(sol.law(s, -top[1]))
    assert reached.cvar(tau) == top[0]  # the stock policy at the best b attains it
    return top


@pytest.mark.parametrize(
    ("q", "gamma", "H", "s", "tau", "value"),
    [
        (9, F(1), 3, 0, F(1, 4), F(0)),
        (9, F(1), 3, 0, HALF, F(169, 200)),
        (9, F(1), 3, 0, F(3, 4), F(449, 300)),
        (9, F(1), 3, 0, F(1), F(849, 400)),
        (5, HALF, 2, 2, F(1, 10), F(-3, 4)),
        (5, HALF, 2, 2, F(1, 4), F(0)),
        (5, HALF, 2, 2, HALF, HALF),
        (5, HALF, 2, 2, F(3, 4), F(7, 6)),
    ],
)
def test_the_largest_cvar(q: int, gamma: F, H: int, s: int, tau: F, value: F) -> None:
    top, b = cvar_by_stock(family(q, gamma, H), s, tau)
    assert top == value
    assert history_optimum(oracle(q, gamma, H)[s], rl.cvar(tau))[0] == value
    if (q, tau) in ((9, HALF), (9, F(3, 4))):
        assert b == (2 if tau == HALF else 4)


def test_nested_greedy_cvar_is_worse() -> None:
    assert StockBlind(rl.cvar(HALF), seen="zero").run(family(9)).value(0) == F(3, 5)
    assert StockBlind(rl.cvar(F(1, 4)), seen="zero").run(family(5, HALF, 2)).value(2) == F(-3, 5)


def test_mixed_risk_and_the_mean() -> None:
    assert best(O.mean(), family(9), 0, 0) == F(849, 400)
    for alpha, beta, value in ((2, 1, F(341, 400)), (3, 1, F(233, 400)), (1, 2, F(203, 80))):
        assert best(O.mixed_risk(alpha, beta), family(9), 0, -1) == value


def test_generalised_policy_evaluation() -> None:
    for o, bases, improved in (
        (O.target(), [F(-1163, 320), F(-503, 300)], F(-29, 48)),
        (O.shortfall(), [F(-141, 40), F(-4, 15)], F(-4, 15)),
    ):
        assert [StockEvaluation(a, o).run(family(3)).value(0, 1) for a in (0, 1)] == bases
        assert GeneralisedPolicy([0, 1], o).run(family(3)).value(0, 1) == improved


def test_functionals_that_are_suprema_of_expected_utilities() -> None:
    """Largest median, least variance, best mean − variance/3 and mean − std/3 of FM(3,2,2,1), s = 1."""
    laws = oracle(1)[1]
    atoms = sorted({x for pairs in laws for x, _ in pairs})
    means = {sum(x * p for x, p in pairs) for pairs in laws}
    third = F(1, 3)

    def outer(o: O.Objective, bs: Any) -> Any:
        assert o.outer is not None
        assert o.outer.inner is not None
        sol = StockInduction(o.outer.inner).run(family(1))
        return max(o.outer.score(b, sol.value(1, -b)) for b in bs)

    assert outer(O.quantile(HALF), atoms) == history_optimum(laws, O.quantile(HALF))[0] == 3
    assert outer(O.variance(), means) == history_optimum(laws, O.variance())[0] == -F(12051, 10000)
    lam = O.mean_variance(third)
    assert outer(lam, means) == history_optimum(laws, lam)[0] == F(1684, 1875)
    assert history_optimum(laws, O.mean_std(third))[0] == pytest.approx(1.1694882742, abs=5e-11)


def test_functionals_used_directly_lose() -> None:
    """A1 with a functional that is not indifferent to mixtures: the printed gaps."""
    for o, q, s, gap in (
        (O.quantile(HALF), 1, 1, 2),
        (rl.cvar(HALF), 9, 0, 0.245),
        (O.mean_std(1), 10, 0, 0.435),
    ):
        found = StockInduction(o, unchecked=True).run(family(q))
        lost = history_optimum(oracle(q)[s], o)[0] - found.value(s)
        assert float(lost) == pytest.approx(gap, abs=5e-4)
        assert found.error == float("inf")


def test_lexicographic() -> None:
    o = O.lexicographic(O.success(), O.mean())
    assert best(o, family(1), 1, -1) == (F(17, 20), F(21, 200))
    assert history_optimum(oracle(1)[1], o, -1)[0] == (F(17, 20), F(21, 200))


def test_utilities_that_are_not_homogeneous_need_their_scale() -> None:
    """γ = ½: the stationary recursion is not optimal for −|x − 1| and min(x, 1), the time-indexed one is."""
    one = O.expected_utility(lambda x: -abs(x - 1), name="−|x−1|")
    model = family(4, HALF)
    assert StockInduction(one, unchecked=True).run(model).value(2, -1) == -1
    assert StockInduction(one, time_indexed=True).run(model).value(2, -1) == F(-1, 4)
    assert history_optimum(oracle(4, HALF)[2], one, -1)[0] == F(-1, 4)
    capped = O.expected_utility(lambda x: min(x, 1), name="min(x,1)")
    two = OutcomeMDP.from_lists(
        [[[(1, 1, 0)]], [[(1, 2, 1)], [(F(3, 5), 2, 2), (F(2, 5), 2, 0)]], []], HALF, terminal=[2]
    )
    model = rl.stock_augmented(two, H=2)
    assert StockInduction(capped, unchecked=True).run(model).value(0) == HALF
    assert StockInduction(capped, time_indexed=True).run(model).value(0) == F(3, 5)


# ---- experiments -------------------------------------------------------------------------------
CHAIN = rl.stock_augmented(G.gambler_chain(), H=6)
GRID = rl.stock_augmented(G.slippery_grid(), H=8)
TAUS = (F(1, 4), HALF, F(3, 4), F(9, 10), F(1))


def test_gamblers_chain_cvar() -> None:
    sol = StockInduction(O.shortfall()).run(CHAIN)
    static = [max(b + sol.value(0, -b) / tau for b in range(-6, 37)) for tau in TAUS]
    assert static == [0, F(73, 128), F(963, 512), F(58049, 18432), F(9, 2)]
    nested = [StockBlind(rl.cvar(tau), seen="zero").run(CHAIN).value(0) for tau in TAUS]
    assert nested == [0, 0, 0, F(445, 192), F(9, 2)]
    assert float(nested[3]) == pytest.approx(2.3177083333, abs=5e-11)
    assert open_loop(CHAIN, rl.cvar(HALF), 0)[0] == F(3, 16)
    assert open_loop(CHAIN, rl.cvar(F(3, 4)), 0)[0] == F(3, 2)


def test_gamblers_chain_targets() -> None:
    sol = StockInduction(O.target()).run(CHAIN)
    targets = {
        0: 0, 1: F(-121, 128), 2: F(-211, 256), 3: F(-785, 512), 5: F(-1321, 512), 8: F(-9519, 2048),
        -1: -1, -4: -4,
    }  # fmt: skip
    assert {g: sol.value(0, -g) for g in targets} == targets
    loops = {1: F(-1), 3: F(-9, 4), 5: F(-27, 8), 8: F(-85, 16)}
    assert {g: open_loop(CHAIN, O.target(), 0, -g)[0] for g in loops} == loops


def test_slippery_grid() -> None:
    assert float(best(O.mean(), GRID, 0, 0)) == pytest.approx(-1.47691835, abs=5e-9)
    sol = StockInduction(O.shortfall()).run(GRID)
    for tau, static, nested in (
        (F(1, 10), -8, -8),
        (HALF, -4.6173887, -6.92767786),
        (F(3, 4), -2.6358911333, -2.6358911333),
    ):
        assert float(max(b + sol.value(0, -b) / tau for b in range(-32, 8))) == pytest.approx(
            static, abs=5e-8
        )
        blind = StockBlind(rl.cvar(tau), seen="zero").run(GRID).value(0)
        assert float(blind) == pytest.approx(nested, abs=5e-8)
    sol = StockInduction(O.target()).run(GRID)
    for g, value in ((-12, -1.02052705), (-8, 0), (-4, -2.71821487), (0, -3.12179003), (2, -3.47691835)):
        assert float(sol.value(0, -g)) == pytest.approx(value, abs=5e-9)


def test_homeostasis() -> None:
    starts = [(0, 0), (3, -2), (-4, 1)]

    def at(H: int, norm: Any, gamma: Any = 1) -> list[Any]:
        sol = StockInduction(O.homeostasis(norm)).run(rl.stock_augmented(G.homeostasis(gamma), H=H))
        return [sol.value(0, c) for c in starts]

    assert at(3, 1)[0] == F(-9, 8)
    assert at(5, 1) == [F(-135, 128), F(-541, 512), F(-165, 128)]
    assert at(5, "max") == [F(-101, 128), F(-51, 64), F(-125, 128)]
    assert at(5, 1, HALF) == [F(-19, 32), F(-51, 32), F(-279, 128)]
    model = rl.stock_augmented(G.homeostasis(), H=5)
    loops = [open_loop(model, O.homeostasis(1), 0, c)[0] for c in starts]
    assert loops == [F(-371, 256), F(-439, 256), F(-439, 256)]
    assert open_loop(rl.stock_augmented(G.homeostasis(), H=3), O.homeostasis(1), 0, (0, 0))[0] == F(-19, 16)


def test_vector_family() -> None:
    model = rl.stock_augmented(G.outcome_family_vector(3, 2, 2, 3), H=3)
    laws = history_laws(model)[0]
    for norm, value in ((1, F(-91, 60)), ("max", F(-139, 120))):
        o = O.homeostasis(norm)  # type: ignore[arg-type]
        assert best(o, model, 0, (1, -1)) == history_optimum(laws, o, (1, -1))[0] == value


def test_constraints() -> None:
    """FMV(3,2,2,2), s = 1, second return at least −3: λ large enough is exact, λ = ¼ breaks it."""
    model = rl.stock_augmented(G.outcome_family_vector(3, 2, 2, 2), H=3)
    laws = history_laws(model)[1]
    kept = [law for law in laws if all(x[1] >= -3 for x, _ in law)]
    constrained = max(sum(p * x[0] for x, p in law) for law in kept)
    assert constrained == F(141, 50)
    high = StockInduction(O.constraint(385)).run(model)
    assert high.value(1, (0, 3)) == constrained
    assert high.law(1, (0, 3)).marginal(1).atoms[0] >= -3
    low = StockInduction(O.constraint(F(1, 4))).run(model).law(1, (0, 3))
    assert low.mean[0] == F(249, 80)
    assert low.marginal(1).cdf(F(-7, 2)) == F(31, 80)
