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
from rltheory.models import OutcomeMDP, StockMDP
from rltheory.models import gallery as G
from rltheory.results import VectorLaw
from rltheory.solvers import (
    StockInduction,
    classic_reduction,
    history_laws,
    history_optimum,
)

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
