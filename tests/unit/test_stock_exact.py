"""Exact stock solvers against brute force, linear programs, ordinary dynamic programming, and themselves."""

from __future__ import annotations

import math
from fractions import Fraction as F
from functools import cache
from typing import Any

import numpy as np
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
HOMOGENEOUS = [
    O.shortfall(),
    O.surplus(),
    O.target(),
    O.mixed_risk(3, HALF),
    O.success(),
    O.negative_square(),
]
SCALED = [
    O.expected_utility(lambda x: -abs(x - 1), name="−|x−1|"),
    O.expected_utility(lambda x: min(x, 1), name="min(x,1)"),
    O.expected_utility(lambda x: int(x >= 1), name="x≥1"),
    O.expected_utility(lambda x: max(-1, min(1, x)), name="clip"),
    O.expected_utility(lambda x: x * x * x, name="x³"),
]


@cache
def family(q: int, gamma: Any, H: int = 3) -> Any:
    return rl.stock_augmented(G.outcome_family(3, 2, 2, q, gamma=gamma), H=H)


@cache
def oracle(q: int, gamma: Any, H: int = 3) -> Any:
    return history_laws(family(q, gamma, H))


# ---- against brute force -----------------------------------------------------------------------
@pytest.mark.parametrize("gamma", [F(1), HALF, F(3, 4)], ids=str)
@pytest.mark.parametrize("q", [0, 5, 8])
def test_backward_induction_is_the_best_of_all_history_dependent_policies(q: int, gamma: F) -> None:
    model, laws = family(q, gamma), oracle(q, gamma)
    for o in HOMOGENEOUS if gamma < 1 else HOMOGENEOUS + SCALED:
        sol = StockInduction(o, unchecked=True).run(model)
        for s in range(3):
            for c in (F(-1), F(1, 3), F(2)):
                assert sol.value(s, c) == history_optimum(laws[s], o, c)[0]
                assert o(sol.law(s, c), c) == sol.value(s, c)
                assert tuple(sol.law(s, c)) in set(laws[s])


@pytest.mark.parametrize("q", [2, 4])
def test_time_indexed_utilities_need_no_homogeneity(q: int) -> None:
    for o in SCALED:
        sol = StockInduction(o, time_indexed=True).run(family(q, HALF))
        for s in range(3):
            for c in (F(-1), F(1, 2)):
                assert sol.value(s, c) == history_optimum(oracle(q, HALF)[s], o, c)[0]
        assert sol.error == 0


@pytest.mark.parametrize("gamma", [F(1), HALF], ids=str)
def test_laws_and_values_are_two_routes_to_one_answer(gamma: F) -> None:
    for o in HOMOGENEOUS:
        one, two = (StockInduction(o, laws=laws).run(family(7, gamma)) for laws in (False, True))
        for s in range(3):
            for c in (0, F(-3, 2)):
                assert one.at(s, c) == two.at(s, c)
                for t in (0, 1):
                    assert one.value(s, c, t) == two.value(s, c, t)
                    assert one.action(s, c, t) == two.action(s, c, t)


def test_ragged_actions_terminal_states_and_changing_steps() -> None:
    first = OutcomeMDP.from_lists(
        [{1: [(HALF, 1, 2), (HALF, 2, -1)], 3: [(1, 1, 0)]}, {0: [(F(1, 3), 0, 1), (F(2, 3), 2, 3)]}, []],
        F(2, 3),
        terminal=[2],
    )
    second = OutcomeMDP.from_lists(
        [
            {1: [(F(1, 5), 1, 4), (F(4, 5), 0, -1)]},
            {0: [(1, 0, 1)], 1: [(F(5, 7), 1, 0), (F(2, 7), 2, 3)]},
            [],
        ],
        F(2, 3),
        terminal=[2],
    )
    model = StockMDP([first, second, first])
    laws = history_laws(model)
    for o in HOMOGENEOUS:
        sol = StockInduction(o).run(model)
        for s in range(3):
            assert sol.value(s, -1) == history_optimum(laws[s], o, -1)[0]
    assert StockInduction(O.mean()).run(model).action(0, 0) in (1, 3)


def test_any_functional_with_both_indifferences() -> None:
    """The worst case (min of the support) and the entropic functional, neither an expected utility."""
    worst = O.functional(lambda law: law.atoms[0], name="worst case", mixtures=True, factor=lambda g: 1)
    for gamma in (F(1), HALF):
        sol = StockInduction(worst).run(family(3, gamma))
        for s in range(3):
            assert sol.value(s, 1) == history_optimum(oracle(3, gamma)[s], worst, 1)[0]
    soft = O.entropic(-1)
    sol = StockInduction(soft).run(family(3, F(1)))
    for s in range(3):
        assert sol.value(s, 1) == pytest.approx(history_optimum(oracle(3, F(1))[s], soft, 1)[0], abs=1e-12)
    timed = StockInduction(soft, time_indexed=True).run(family(3, HALF))
    assert timed.value(0, 1) == pytest.approx(history_optimum(oracle(3, HALF)[0], soft, 1)[0], abs=1e-12)


def test_an_error_of_zero_needs_conditions_that_are_known() -> None:
    """What was only searched for a witness is optimised, without a promise."""
    unknown = O.expected_utility(lambda x: 3 * min(x, 0), name="3x₋")
    vouched = O.expected_utility(lambda x: 3 * min(x, 0), name="3x₋", factor=lambda g: g)
    one, two = (StockInduction(o).run(family(3, HALF)).at(0, 1) for o in (unknown, vouched))
    assert (one.value, one.error, two.error) == (two.value, math.inf, 0)
    assert "none found" in one.reason
    assert StockInduction(unknown).run(family(3, F(1))).error == 0
    assert StockInduction(unknown, time_indexed=True).run(family(3, HALF)).error == 0
    assert StockInduction(O.functional(lambda law: law.mean, name="K")).run(family(3, F(1))).error == math.inf


def test_vector_returns() -> None:
    model = rl.stock_augmented(G.outcome_family_vector(3, 2, 2, 5, gamma=HALF), H=2)
    laws = history_laws(model)
    for o in (O.homeostasis(1), O.homeostasis("max"), O.constraint(3)):
        sol = StockInduction(o).run(model)
        for s in range(3):
            assert sol.value(s, (1, -1)) == history_optimum(laws[s], o, (1, -1))[0]
            assert isinstance(sol.law(s, (1, -1)), VectorLaw)
    euclid = O.homeostasis(2)
    value = StockInduction(euclid).run(model).value(0, (1, -1))
    assert value == pytest.approx(history_optimum(laws[0], euclid, (1, -1))[0], abs=1e-12)


# ---- against linear programs -------------------------------------------------------------------
class HistoryFlows:
    """Occupancy flows of randomised history-dependent policies: y(h, a) ≥ 0, Σ_a y(h'·) = p·y(h, a)."""

    def __init__(self, model: Any, s: int) -> None:
        rows: list[dict[int, float]] = []
        self.ends: list[tuple[int, float, float]] = []  # (variable, p of the last outcome, return)
        self.n = 0
        queue: list[tuple[int, int, F, int | None, F]] = [(0, s, F(0), None, F(1))]
        while queue:
            t, s, g, parent, p = queue.pop()
            row: dict[int, float] = {} if parent is None else {parent: -float(p)}
            for outcomes in model.stage(t).lists[s].values():
                var = self.n
                self.n += 1
                row[var] = 1.0
                for q, u, r in outcomes:
                    to = g + model.gamma**t * r
                    if t + 1 == model.H:
                        self.ends.append((var, float(q), float(to)))
                    else:
                        queue.append((t + 1, u, to, var, q))
            rows.append(row)
        self.rows = rows

    def best(self, weight: Any, extra: int = 0) -> Any:
        """max Σ flow(end)·weight(return) over all flows."""
        from scipy.optimize import linprog

        A = np.zeros((len(self.rows), self.n))
        for i, row in enumerate(self.rows):
            for j, v in row.items():
                A[i, j] = v
        b = np.zeros(len(self.rows))
        b[0] = 1.0
        c = np.zeros(self.n)
        for j, q, g in self.ends:
            c[j] -= q * weight(g)
        found = linprog(c, A_eq=A, b_eq=b, method="highs")
        assert found.status == 0
        return -found.fun

    def upper_tail(self, tau: float) -> float:
        """max over flows of the mean of the highest τ: one linear program in flows and tail masses."""
        from scipy.optimize import linprog

        m = len(self.ends)
        A = np.zeros((len(self.rows) + 1, self.n + m))
        for i, row in enumerate(self.rows):
            for j, v in row.items():
                A[i, j] = v
        A[-1, self.n :] = 1.0
        b = np.zeros(len(self.rows) + 1)
        b[0], b[-1] = 1.0, tau
        upper = np.zeros((m, self.n + m))
        for k, (j, q, _) in enumerate(self.ends):
            upper[k, self.n + k], upper[k, j] = 1.0, -q
        c = np.concatenate([np.zeros(self.n), [-g / tau for _, _, g in self.ends]])
        found = linprog(c, A_ub=upper, b_ub=np.zeros(m), A_eq=A, b_eq=b, method="highs")
        assert found.status == 0
        return float(-found.fun)


@pytest.mark.parametrize("q", [5, 9])
@pytest.mark.parametrize("gamma", [F(1), HALF], ids=str)
def test_linear_programs_over_randomised_histories_agree(q: int, gamma: F) -> None:
    """Randomising helps neither E f nor max_b [b + E(G − b)₋/τ]: a basic solution is deterministic."""
    model = family(q, gamma, 2)
    flows = HistoryFlows(model, 0)
    for o, c in ((O.target(), F(1)), (O.surplus(), F(-1)), (O.shortfall(), F(0))):
        assert o.f is not None
        lp = flows.best(lambda g, f=o.f, c=c: float(f(F(g) + c)))
        assert lp == pytest.approx(float(StockInduction(o).run(model).value(0, c)), abs=1e-9)
    sol = StockInduction(O.shortfall()).run(model)
    atoms = sorted({x for law in oracle(q, gamma, 2)[0] for x, _ in law})
    for tau in (F(1, 4), HALF):
        lp = max(float(b) + flows.best(lambda g, b=b: min(g - float(b), 0.0)) / float(tau) for b in atoms)
        assert lp == pytest.approx(float(max(b + sol.value(0, -b) / tau for b in atoms)), abs=1e-9)
        assert lp == pytest.approx(float(history_optimum(oracle(q, gamma, 2)[0], rl.cvar(tau))[0]), abs=1e-9)


def test_the_optimistic_tail_gains_from_a_coin() -> None:
    """FM(3,2,2,3), H = 2, τ = ½: 1 without a coin, 17/15 with one."""
    model = family(3, F(1), 2)
    assert history_optimum(oracle(3, F(1), 2)[0], O.optimistic_cvar(HALF))[0] == 1
    assert HistoryFlows(model, 0).upper_tail(0.5) == pytest.approx(17 / 15, abs=1e-9)


# ---- against ordinary dynamic programming ------------------------------------------------------
@pytest.mark.parametrize("gamma", [F(1), HALF, F(3, 4)], ids=str)
def test_the_classic_reduction_has_the_same_optimum(gamma: F) -> None:
    for o in HOMOGENEOUS:
        sol = StockInduction(o).run(family(4, gamma))
        for s, c in ((0, F(1)), (2, F(-1, 2))):
            reduced = classic_reduction(family(4, gamma), o, s, c)
            assert reduced.value() == sol.value(s, c)
    if gamma < 1:
        reduced = classic_reduction(family(4, gamma), O.target(), 0, 1)
        assert isinstance(reduced.mdp, rl.MDP)
        V = rl.PolicyIteration().run(reduced.mdp).V
        assert V[0] + reduced.offset[0] == StockInduction(O.target()).run(family(4, gamma)).value(0, 1)


def test_the_reduction_telescopes_along_paths() -> None:
    """Σ_t a^t r̃_t = a^H f̃(c_H) − f̃(c_0)."""
    reduced = classic_reduction(family(4, HALF), O.target(), 0, 1)
    aug, mdp = reduced.augmented, reduced.mdp
    i, total, weight = 0, F(0), F(1)
    while aug.moves[i]:
        a = max(aug.moves[i])
        row = aug.moves[i][a]
        (k,) = np.flatnonzero((mdp.pair_state == i) & (mdp.pair_action == a))  # type: ignore[union-attr]
        mean = sum(p * (HALF * -abs(aug.nodes[j][2]) + abs(aug.nodes[i][2])) for p, j, _ in row)
        assert mdp.R_pairs[k] == mean  # type: ignore[union-attr]
        j = row[0][1]
        total += weight * (HALF * -abs(aug.nodes[j][2]) + abs(aug.nodes[i][2]))
        weight *= HALF
        i = j
    assert total == -weight * abs(aug.nodes[i][2]) + 1


def test_the_mean_is_the_ordinary_optimum() -> None:
    for gamma in (HALF, F(3, 4)):
        base = G.outcome_family(3, 2, 2, 6, gamma=gamma)
        finite = rl.FiniteHorizonMDP.from_mdp(base.to_mdp(), 4, gamma=gamma)
        V = rl.BackwardInduction().run(finite).V[0]
        sol = StockInduction(O.mean()).run(rl.stock_augmented(base, H=4))
        assert [sol.value(s, 2) - 2 for s in range(3)] == V.tolist()


def test_mean_rewards_are_enough_for_affine_utilities_only() -> None:
    coin = OutcomeMDP.from_lists([[[(HALF, 0, 1), (HALF, 0, -1)]]], HALF)
    real = rl.stock_augmented(coin, H=1)
    averaged = rl.stock_augmented(coin.to_mdp(), H=1)
    assert StockInduction(O.target()).run(real).value(0) == -1
    assert StockInduction(O.target()).run(averaged).value(0) == 0
    assert StockInduction(O.mean()).run(real).value(0) == StockInduction(O.mean()).run(averaged).value(0)


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
