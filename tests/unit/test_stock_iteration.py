"""Exact stock solvers over an infinite horizon, policy iteration, tie rules, numbers, refusals."""

from __future__ import annotations

import math
from fractions import Fraction as F
from functools import cache
from typing import Any

import pytest

import rltheory as rl
from rltheory import objectives as O
from rltheory.errors import InvalidArgument, NotConverged
from rltheory.models import OutcomeMDP, StockMDP
from rltheory.models import gallery as G
from rltheory.results import ReturnLaw, VectorLaw
from rltheory.solvers import (
    GeneralisedPolicy,
    StockBlind,
    StockEvaluation,
    StockInduction,
    StockPolicyIteration,
    StockValueIteration,
    classic_reduction,
    history_laws,
    history_optimum,
    open_loop,
)
from rltheory.solvers.history_policies import as_law
from rltheory.solvers.stock_exact import start_law

HALF = F(1, 2)
SCALED = [  # f(γx) is no multiple of f(x)
    O.expected_utility(lambda x: -abs(x - 1), name="−|x−1|"),
    O.expected_utility(lambda x: min(x, 1), name="min(x,1)"),
]


@cache
def family(q: int, gamma: Any, H: int = 3) -> Any:
    return rl.stock_augmented(G.outcome_family(3, 2, 2, q, gamma=gamma), H=H)


@cache
def oracle(q: int, gamma: Any, H: int = 3) -> Any:
    return history_laws(family(q, gamma, H))


# ---- infinite horizon --------------------------------------------------------------------------
V_STAR = {  # FM(3,2,2,3), γ = ½, f = −|x|, c = −2..2, exact
    0: "−131/87, −392783/426300, −1319/2175, −191579/213150, −1499/2030",
    1: "−85/29, −56/29, −27/29, −997/2900, −4497/14210",
    2: "−371/174, −197/174, −12661/21315, −103/290, −531/1450",
}


def printed(s: int) -> list[F]:
    return [F(x.replace("−", "-")) for x in V_STAR[s].split(", ")]


@pytest.mark.parametrize("start", ["zero", "centre"])
@pytest.mark.parametrize("n", [0, 1, 4, 7])
def test_value_iteration_is_within_its_bound_of_the_printed_optimum(start: Any, n: int) -> None:
    model = rl.stock_augmented(G.outcome_family(gamma=HALF))
    sol = StockValueIteration(O.target(), n=n, start=start).run(model)
    assert sol.bound == HALF**n * 4
    for s in range(3):
        for c, exact in zip(range(-2, 3), printed(s), strict=True):
            assert abs(sol.value(s, c) - exact) <= sol.bound
    if n == 7:
        worst = max(
            abs(sol.value(s, c) - v) for s in range(3) for c, v in zip(range(-2, 3), printed(s), strict=True)
        )
        assert worst > sol.bound / 100


def test_ten_sweeps_are_the_printed_distance_away() -> None:
    sol = StockValueIteration(O.target(), n=10).run(rl.stock_augmented(G.outcome_family(gamma=HALF)))
    assert abs(float(sol.value(0, 0) - F(-1319, 2175))) == pytest.approx(0.0016591016, abs=5e-11)
    assert sol.law(0, 0).error == F(1, 256)
    assert sol.bound == F(1, 256)


def test_the_bound_of_value_iteration_is_attained() -> None:
    one = OutcomeMDP.from_lists([[[(1, 0, 3)]]], F(3, 4))
    for n in (0, 1, 5):
        sol = StockValueIteration(O.surplus(), n=n).run(rl.stock_augmented(one))
        assert 12 - sol.value(0, 0) == sol.bound == 12 * F(3, 4) ** n


def test_the_number_of_sweeps_for_a_tolerance() -> None:
    one = rl.stock_augmented(OutcomeMDP.from_lists([[[(1, 0, 3)]]], F(3, 4)))
    sol = StockValueIteration(O.surplus(), tol=F(1, 10)).run(one)
    assert sol.bound <= F(1, 10) < sol.bound / F(3, 4)
    assert sol.H == 17
    assert "n=17" in sol.reason
    centred = StockValueIteration(O.surplus(), tol=F(1, 10), start="centre").run(one)
    assert centred.H == 0
    assert centred.value(0, 0) == 12


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_the_stationary_greedy_policy_is_within_its_bound(n: int) -> None:
    """Loss of π_n, its own value truncated after 9 steps, against 2γ^{n+1}LC̄/(1−γ)."""
    infinite = rl.stock_augmented(G.outcome_family(gamma=HALF))
    sol = StockValueIteration(O.target(), n=n).run(infinite)
    finite = infinite.with_horizon(9)
    followed = StockEvaluation(lambda s, c, t: sol.action(s, c), O.target()).run(finite)
    for s in range(3):
        value = followed.value(s, 0)
        assert printed(s)[2] - value <= sol.policy_bound + 4 * HALF**9
        assert value <= printed(s)[2] + 4 * HALF**9
    assert sol.policy_bound == 2 * HALF * sol.bound / HALF


def wait_or_go() -> StockMDP:
    """γ = 9/10: wait for nothing for ever, or go for +1 (90 %) or −1 and end."""
    lists = [[[(1, 0, 0)], [(F(9, 10), 1, 1), (F(1, 10), 1, -1)]], []]
    return rl.stock_augmented(OutcomeMDP.from_lists(lists, F(9, 10), terminal=[1]))


def test_without_lipschitz_value_iteration_waits_for_ever() -> None:
    """f = 1{x > 0}: from η_0 = δ_1 every greedy policy waits and gets 0; the optimum is 0.9."""
    wins = O.expected_utility(lambda x: int(x > 0), name="P(x>0)", factor=lambda g: 1, continuous=False)
    ramp = O.surplus()
    for n in (1, 5, 30):
        sol = StockValueIteration(wins, n=n, start=lambda s, c: [(F(1), 1)], unchecked=True).run(wait_or_go())
        assert sol.action(0, F(0)) == 0
        assert sol.value(0, F(0)) == 1
        assert sol.bound == math.inf
        good = StockValueIteration(ramp, n=n, start=lambda s, c: [(F(1), 1)], off=1).run(wait_or_go())
        assert good.action(0, F(0)) == 1
    with pytest.raises(InvalidArgument, match="not Lipschitz"):
        StockValueIteration(wins, n=1).run(wait_or_go())


# ---- policy iteration --------------------------------------------------------------------------
def test_policy_iteration_improves_one_state_at_a_time_on_the_chain() -> None:
    """F* − F^{π_k} = γ^{k+1}: the bound γ^k·(F* − F^{π_0}) is attained."""
    n = 6
    lists = [[[(1, i, 0)], [(1, i + 1, 0)]] for i in range(n)] + [[[(1, n + 1, 1)]], []]
    chain = rl.stock_augmented(OutcomeMDP.from_lists(lists, HALF, terminal=[n + 1]))
    it = StockPolicyIteration(O.mean(), pi0=0).run(chain)
    best = it.values[-1]
    loss = [max(a - b for a, b in zip(best, v, strict=True)) for v in it.values]
    assert loss == [HALF ** (k + 1) for k in range(n)] + [0]
    assert it.optimal
    assert it.value == HALF**n
    with pytest.raises(InvalidArgument, match="infinitely many atoms"):
        it.law()


@pytest.mark.parametrize("gamma", [F(1), HALF, F(3, 4)], ids=str)
def test_policy_iteration_never_gets_worse_and_ends_optimal(gamma: F) -> None:
    match = O.functional(lambda law: law.atoms[0], name="worst", mixtures=True, factor=lambda g: 1)
    for o in (O.target(), O.shortfall(), match):
        for pi0 in (0, 1):
            it = StockPolicyIteration(o, s=0, stock=1, pi0=pi0).run(family(9, gamma))
            for low, high in zip(it.values, it.values[1:], strict=False):
                assert all(x <= y for x, y in zip(low, high, strict=True))
            assert it.optimal
            assert it.value == StockInduction(o).run(family(9, gamma)).value(0, 1)
            assert o(it.law(), 1) == it.value
            assert it.values[0][0] == StockEvaluation(pi0, o).run(family(9, gamma)).value(0, 1)


def test_policy_iteration_keeps_ties_and_adverse_ties_lose() -> None:
    wins = O.expected_utility(lambda x: int(x > 0), name="P(x>0)", factor=lambda g: 1, continuous=False)
    kept = StockPolicyIteration(wins, pi0=1, unchecked=True).run(wait_or_go())
    assert kept.value == F(9, 10)
    adverse = StockPolicyIteration(
        wins, pi0=1, tie=lambda t, s, c, tied: min(tied), max_iter=2, unchecked=True
    )
    with pytest.raises(InvalidArgument, match="a=1"):  # to wait for ever: V = V has no unique solution
        adverse.run(wait_or_go())


# ---- rules, numbers, refusals ------------------------------------------------------------------
def test_tie_rules() -> None:
    same = rl.stock_augmented(OutcomeMDP.from_lists([[[(1, 0, 1)]] * 3], HALF), H=2)

    def at(**rule: Any) -> int:
        return StockInduction(O.mean(), **rule).run(same).action(0, 0)

    assert at() == at(tie="lowest") == 0
    assert at(tie="highest") == 2
    assert at(tie="keep-old", old=lambda s, c, t: 1) == 1
    assert at(tie="keep-old", old=lambda s, c, t: 9) == 0
    assert at(tie=lambda t, s, c, tied: tied[1]) == 1
    sol = StockInduction(O.mean()).run(same)
    assert sol.actions(0, 0) == (0, 1, 2)
    some = StockInduction(O.target()).run(rl.stock_augmented(G.gambler_chain(), H=1))
    assert some.actions(0, -1) == (0,)
    assert some.actions(0, F(-3, 2)) == (0, 1)  # −3/2 against −(½ + 5/2)/2


def test_doubles_tie_within_rounding_and_know_their_error() -> None:
    lists = [[[(1.0, 0, 0.3)], [(0.1, 0, 3.0), (0.9, 0, 0.0)]]]  # 0.1·3 > 0.3 by rounding
    model = rl.stock_augmented(OutcomeMDP.from_lists(lists, 1.0), H=1)
    sol = StockInduction(O.mean(), tie="lowest").run(model)
    assert sol.action(0, 0.0) == 0
    for gamma in (0.9, 0.5, 1.0):
        exact = rl.stock_augmented(G.outcome_family(3, 2, 2, 9, gamma=F(repr(gamma))), H=4)
        doubles = rl.stock_augmented(G.outcome_family(3, 2, 2, 9, gamma=gamma), H=4)
        for o in (O.target(), O.shortfall()):
            a, b = StockInduction(o).run(exact), StockInduction(o).run(doubles)
            for s in range(3):
                assert isinstance(b.value(s, 0.5), float)
                assert abs(float(a.value(s, HALF)) - b.value(s, 0.5)) <= 1e-12
                assert float(a.law(s, HALF).mean) == pytest.approx(b.law(s, 0.5).mean, abs=1e-12)
            assert 0 < b.error < 1e-9
            assert a.error == 0


def test_later_steps_and_new_stocks_can_be_asked_for() -> None:
    sol = StockInduction(O.target()).run(family(3, HALF))
    first = sol.value(0, F(1, 7))
    assert sol.value(0, F(1, 7)) == first
    for (_, u, c), (_, _, r) in zip(
        family(3, HALF).step(0, F(1, 7), sol.action(0, F(1, 7))),
        family(3, HALF).base.outcomes(0, sol.action(0, F(1, 7))),
        strict=True,
    ):
        assert c == (F(1, 7) + r) / HALF
        assert sol.value(u, c, t=1) == StockInduction(O.target()).run(family(3, HALF, 2)).value(u, c)
    assert sol.policy(0, F(1, 7)) == sol.action(0, F(1, 7))
    assert sol.value(0, 3, t=3) == -3
    assert "target" in repr(StockInduction(O.target())) or "|x|" in repr(StockInduction(O.target()))


def test_gpi_is_at_least_as_good_as_every_base_and_not_for_any_functional() -> None:
    better = 0
    for q in (1, 3, 6):
        for gamma in (F(1), HALF):
            for o in (O.target(), O.shortfall()):
                bases = [StockEvaluation(a, o).run(family(q, gamma)) for a in (0, 1)]
                sol = GeneralisedPolicy([0, 1], o).run(family(q, gamma))
                top = StockInduction(o).run(family(q, gamma))
                for s in range(3):
                    low = max(base.value(s, 1) for base in bases)
                    assert low <= sol.value(s, 1) <= top.value(s, 1)
                    better += low < sol.value(s, 1)
    assert better > 10
    # CVaR and the median break the guarantee, FM(3,2,2,1), γ = 1, H = 3
    for o, s, got, base in ((rl.cvar(HALF), 0, F(-9, 10), F(-57, 80)), (O.quantile(HALF), 1, F(0), F(3))):
        sol = GeneralisedPolicy([0, 1], o, unchecked=True).run(family(1, F(1)))
        bases = [StockEvaluation(a, o).run(family(1, F(1))).value(s) for a in (0, 1)]
        assert (sol.value(s), max(bases)) == (got, base)


def test_without_stock_exponential_utilities_are_exact() -> None:
    """γ = 1, f = ±2^{±x}: greedy on E f(G) without a stock is optimal; for −|x| it is not."""
    for sign, base in ((1, F(2)), (-1, F(2)), (1, HALF), (-1, HALF)):
        o = O.expected_utility(lambda x, sign=sign, base=base: sign * base ** int(x), name="±2^±x")
        for q in (1, 9):
            for s in range(3):
                blind = StockBlind(o, seen="zero").run(family(q, F(1))).value(s)
                assert blind == history_optimum(oracle(q, F(1))[s], o)[0]
    hand = OutcomeMDP.from_lists([[[(HALF, 1, 1), (HALF, 1, -1)]], [[(1, 1, r)] for r in (-1, 0, 1)]], 1)
    model = rl.stock_augmented(hand, H=2)
    assert StockInduction(O.target()).run(model).value(0) == 0
    assert StockBlind(O.target()).run(model).value(0) == -1
    assert StockBlind(O.target()).run(model).policy(0)[1][1] == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: StockInduction(rl.cvar(HALF)).run(family(3, F(1))), ["CVaR_1/2", "mixtures", "a sure -1"]),
        (lambda: StockInduction(O.quantile(HALF)).run(family(3, F(1))), ["q_1/2", "mixtures", "StockDP"]),
        (lambda: StockInduction(O.mean_std(1)).run(family(3, F(1))), ["σ", "mixtures"]),
        (
            lambda: StockInduction(O.functional(lambda w: -w.var, name="K")).run(family(3, F(1))),
            ["objective K", "not indifferent to mixtures"],
        ),
        (lambda: StockInduction(SCALED[0]).run(family(3, HALF)), ["−|x−1|", "γ=1/2", "time_indexed=True"]),
        (lambda: StockInduction(O.entropic(1)).run(family(3, HALF)), ["entropic", "γ=1/2"]),
        (
            lambda: StockValueIteration(SCALED[1], n=2).run(family(3, HALF).with_horizon(None)),
            ["min(x,1)", "γ=1/2", "finite horizon"],
        ),
        (
            lambda: StockValueIteration(O.negative_square(), n=2).run(family(3, HALF).with_horizon(None)),
            ["not Lipschitz"],
        ),
        (lambda: StockInduction(O.target()).run(family(3, HALF).with_horizon(None)), ["infinite horizon"]),
        (lambda: StockValueIteration(O.target(), n=2).run(family(3, HALF)), ["H=3", "StockInduction"]),
        (lambda: StockValueIteration(O.target()), ["tol= or n="]),
        (lambda: StockValueIteration(O.target(), tol=-1), ["tol=-1"]),
        (lambda: StockValueIteration(O.target(), n=-1), ["n=-1"]),
        (lambda: StockValueIteration(O.target(), n=1, start="one"), ["start='one'"]),  # type: ignore[arg-type]
        (
            lambda: StockValueIteration(O.target(), tol=0.1, start=lambda s, c: [(0, 1)]).run(
                family(3, HALF).with_horizon(None)
            ),
            ["cannot be promised", "n="],
        ),
        (lambda: StockInduction(O.target(), tie="first"), ["tie='first'"]),  # type: ignore[arg-type]
        (lambda: StockInduction(O.target(), tie="keep-old"), ["needs old="]),
        (lambda: StockInduction("mean"), ["'mean'", "rl.objectives"]),  # type: ignore[arg-type]
        (lambda: StockInduction(O.mean()).run(G.gambler_chain()), ["OutcomeMDP", "stock_augmented"]),  # type: ignore[arg-type]
        (lambda: StockInduction(O.homeostasis()).run(family(3, F(1))), ["vectors", "are numbers"]),
        (
            lambda: StockInduction(O.mean()).run(rl.stock_augmented(G.homeostasis(), H=2)),
            ["takes numbers", "vectors of 2"],
        ),
        (lambda: StockInduction(O.mean()).run(family(3, F(1))).value(3, 0), ["s=3", "0..2"]),
        (lambda: StockInduction(O.mean()).run(family(3, F(1))).value(0, math.nan), ["nan", "finite"]),
        (lambda: StockInduction(O.mean()).run(family(3, F(1))).value(0, "1"), ["'1'"]),
        (lambda: StockInduction(O.mean()).run(family(3, F(1))).value(0, 0, t=4), ["t=4", "0..3"]),
        (
            lambda: (
                StockValueIteration(O.mean(), n=2).run(family(3, HALF).with_horizon(None)).value(0, 0, t=1)
            ),
            ["t=1", "no steps"],
        ),
        (lambda: StockEvaluation(7, O.mean()).run(family(3, F(1))).value(0), ["plays 7", "(s=0"]),
        (lambda: StockEvaluation([0.5], O.mean()).run(family(3, F(1))), ["action ids"]),
        (lambda: GeneralisedPolicy([], O.mean()).run(family(3, F(1))), ["no policies"]),
        (lambda: GeneralisedPolicy([0], rl.cvar(HALF)).run(family(3, F(1))), ["mixtures"]),
        (lambda: StockBlind(O.mean(), seen="all").run(family(3, F(1))), ["seen='all'"]),
        (lambda: open_loop(family(3, HALF).with_horizon(40), O.mean(), 0), ["max_sequences"]),
        (lambda: history_laws(family(3, F(1)), 4, max_laws=1000), ["max_laws", "brute force"]),
        (lambda: history_laws(family(3, HALF).with_horizon(None)), ["H=None"]),
        (lambda: classic_reduction(family(3, HALF), SCALED[0], 0), ["f(γx)", "a sure"]),
        (lambda: classic_reduction(family(3, HALF), rl.cvar(HALF), 0), ["CVaR", "mixed"]),
        (
            lambda: StockPolicyIteration(O.mean(), pi0=5).run(family(3, F(1))),
            ["pi0 plays 5", "allowed: [0, 1]"],
        ),
    ],
)
def test_bad_input_is_refused(make: Any, says: list[str]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        make()
    for text in says:
        assert text in str(caught.value)


def test_growth_is_stopped() -> None:
    model = family(3, F(3, 4)).with_horizon(30)
    with pytest.raises(NotConverged, match="max_nodes=1000"):
        StockInduction(O.mean(), max_nodes=1000).run(model).value(0)
    with pytest.raises(NotConverged, match="max_nodes=100 "):
        StockPolicyIteration(O.mean(), max_nodes=100).run(family(3, F(3, 4)).with_horizon(None))


def test_a_start_of_the_wrong_kind() -> None:
    model = rl.stock_augmented(G.homeostasis(HALF))
    with pytest.raises(InvalidArgument, match="scalar rewards"):
        StockValueIteration(O.homeostasis(), n=1, start="centre").run(model)
    assert start_law(model, "zero")[1] == 6  # max ‖r‖₁ = ‖(2, −1)‖₁ = 3
    sol = StockValueIteration(O.homeostasis(), n=2).run(model)
    assert sol.bound == F(3, 2)


def test_vector_laws() -> None:
    law = VectorLaw.from_pairs([((F(1), F(2)), HALF), ((F(0), F(2)), F(1, 4)), ((F(1), F(2)), F(1, 4))])
    assert len(law) == 2
    assert law.mean == (F(3, 4), F(2))
    assert law.marginal(1) == ReturnLaw.dirac(2)
    assert law.shift((1, 0)).atoms == ((1, 2), (2, 2))
    assert law.expect(lambda x: x[0] * x[1]) == F(3, 2)
    assert as_law(tuple(law)) == law
    for bad, says in (([((1,), HALF)], "sum to 1/2"), ([((1,), -1), ((2,), 2)], "must be ≥ 0")):
        with pytest.raises(InvalidArgument, match=says):
            VectorLaw.from_pairs(bad)
    with pytest.raises(InvalidArgument, match="i=2"):
        law.marginal(2)
