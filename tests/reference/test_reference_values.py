"""Public reference values, reproduced to every printed digit; rationals exactly.

Origins are named in the docstrings of the gallery models; `tests.digits` says how decimals compare.
"""

from __future__ import annotations

from fractions import Fraction as F
from itertools import product
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.kernels.exact import matmul, solve_linear
from rltheory.solvers import SoftPolicyIteration, average_value, policy_laurent
from rltheory.solvers.blackwell import Blackwell
from tests.digits import close, digits, double

G = rl.gallery


def start(solution: rl.Solution) -> Any:
    return (solution.mdp.mu * solution.V).sum()


def test_the_comparison_can_fail() -> None:
    assert digits(F(2, 3), "0.6667")
    assert not digits(F(2, 3), "0.6666")
    assert double(F(1, 3), "0.3333333333333333")
    assert not double(F(1, 3), "0.3333333333333334")


# ---- garnets -----------------------------------------------------------------------------


def test_lcg() -> None:
    from rltheory.models.random import LCG

    rng = LCG(1)
    assert [rng.next() for _ in range(5)] == [908834774, 1093944153, 1392341196, 822192870, 1708211034]
    rng = LCG(2024)
    assert [rng.next() for _ in range(3)] == [771490002, 652990326, 1525425734]


def test_small_garnet() -> None:
    m = G.garnet(1, 2, 2, 2, F(9, 10))
    h = F(1, 2)
    assert m.P.tolist() == [[[h, h], [F(1, 3), F(2, 3)]], [[h, h], [F(9, 17), F(8, 17)]]]
    assert m.R.tolist() == [[F(27, 50), F(18, 25)], [F(11, 20), F(83, 100)]]
    sol = rl.solve(m)
    assert sol.V.tolist() == [F(7761, 1000), F(15709, 2000)]
    assert sol.pi.actions.tolist() == [1, 1]


GARNET_5 = G.garnet(1, 5, 3, 3, F(9, 10))


def test_garnet_5() -> None:
    sol = rl.solve(GARNET_5)
    assert sol.V.tolist() == [
        F(170998635, 23530678),
        F(3452538009, 470613560),
        F(859263509, 117653390),
        F(863373003, 117653390),
        F(2687599811, 352960170),
    ]
    printed = "7.267050911155216 7.336248468913645 7.303346796892125 7.3382756161977145 7.614456359197696"
    assert all(double(v, p) for v, p in zip(sol.V, printed.split(), strict=True))
    assert sol.pi.actions.tolist() == [2, 1, 1, 0, 0]
    zeros = np.zeros(5, dtype=int)
    howard = rl.PolicyIteration(rule="howard", pi0=zeros).run(GARNET_5)
    dantzig = rl.PolicyIteration(rule="dantzig", pi0=zeros).run(GARNET_5)
    assert (howard.evaluations, dantzig.evaluations) == (3, 4)
    assert (howard.V == sol.V).all()
    assert (dantzig.V == sol.V).all()


def test_garnet_5_soft() -> None:
    sol = SoftPolicyIteration(tau=F(1, 10)).run(GARNET_5)
    assert close(
        sol.V,
        "7.469762316614542",
        "7.53579979302814",
        "7.494914039868057",
        "7.550884356688378",
        "7.837911155889335",
    )
    assert float(sol.error) < 1e-15


def test_garnet_5_natural_policy_gradient() -> None:
    path = rl.solvers.NaturalPolicyGradient(F(1, 2), 10).run(GARNET_5)
    mean = [F(sum(path.V[t])) / 5 for t in (0, 1, 5, 10)]
    assert close(mean, "4.58904171340633", "6.786636111450747", "7.3311841238107975", "7.367052245372333")
    assert float(path.error) < 1e-15


def test_garnet_3_gains_and_blackwell() -> None:
    m = G.garnet(5, 3, 2, 2, F(9, 10))
    gains = {pi: average_value(m, np.array(pi)).gain for pi in product(range(2), repeat=3)}
    assert gains[0, 1, 0].tolist() == [F(1561, 2850)] * 3
    assert max(g[0] for g in gains.values()) == F(1561, 2850)
    sol = Blackwell().run(m)
    assert [tuple(p.actions) for p in sol.policies()] == [(0, 1, 0)]
    box = sol.enclosure(F(1, 10**20))
    assert F("0.85196530237844048") < box.lower < box.upper < F("0.85196530237844049")


# ---- textbook models ---------------------------------------------------------------------


def test_two_state_chain() -> None:
    m = G.two_state_chain(F(9, 10))
    v = rl.solve(m).V
    assert v.tolist() == [F(220, 31), F(180, 31)]
    P, g = m.P[:, 0], m.gamma
    mean = matmul(P, v)
    sigma2 = g**2 * (matmul(P, v**2) - mean**2)
    eye = rl.exact_array(np.eye(2, dtype=int))
    variance = solve_linear(eye - g**2 * P, sigma2)
    assert variance.tolist() == [F(8407800, 5824621), F(9023400, 5824621)]


def test_puterman_two_state() -> None:
    sol = rl.solve(G.puterman_two_state(F(19, 20)))
    assert (sol.V[0], sol.pi[0]) == (F(-60, 7), 0)
    sol = rl.solve(G.puterman_two_state(F(9, 10)))
    assert (sol.V[0], sol.pi[0]) == (1, 1)
    sol = rl.solve(G.puterman_two_state(F(10, 11)))
    assert sol.V[0] == 0
    assert sol.Q[0].tolist() == [0, 0]
    blackwell = Blackwell().run(G.puterman_two_state(F(0)))
    assert blackwell.threshold == F(10, 11)
    first, second = G.puterman_policies()
    y = policy_laurent(first, np.zeros(2, dtype=int), 3)  # y_{-1}, y_0, …, y_3
    assert [tuple(row) for row in y] == [(-1, -1), (12, 0), (-24, 0), (48, 0), (-96, 0)]
    assert average_value(second, np.zeros(2, dtype=int)).bias[0] == 11


def test_howard_taxicab() -> None:
    m = G.howard_taxicab(F(9, 10))
    sol = rl.PolicyIteration(rule="howard", pi0=[0, 0, 0]).run(m)
    assert (sol.V * 11999).tolist() == [1459720, 1623540, 1473920]
    assert digits(sol.V[0], "121.65347112")
    assert digits(sol.V[1], "135.30627552")
    assert digits(sol.V[2], "122.83690308")
    assert [tuple(step.pi.actions) for step in sol.trace] == [(0, 0, 0), (0, 1, 1), (1, 1, 1)]
    average = rl.AverageReward().run(m)
    assert average.gain.tolist() == [F(1588, 119)] * 3
    assert digits(average.gain[0], "13.3445378151")
    assert (average.bias * 14161).tolist() == [-169152, 26722, -152492]


def test_howard_toymaker() -> None:
    m = G.howard_toymaker(F(9, 10))
    sol = rl.solve(m)
    assert sol.V.tolist() == [F(2020, 91), F(160, 13)]
    assert sol.pi.actions.tolist() == [1, 1]
    assert rl.AverageReward().run(m).gain.tolist() == [2, 2]


def test_puterman_inventory() -> None:
    finite = rl.BackwardInduction().run(G.puterman_inventory_finite(3))
    assert finite.V[0].tolist() == [F(67, 16), F(129, 16), F(97, 8), F(227, 16)]
    assert finite.pi[0].tolist() == [3, 0, 0, 0]
    m = G.puterman_inventory(F(9, 10))
    assert (rl.solve(m).V * 4244).tolist() == [74405, 92185, 107985, 116845]
    assert rl.AverageReward().run(m).gain.tolist() == [F(97, 44)] * 4
    # the general inventory with these parameters is the same model
    quarter = F(1, 4)
    assert G.inventory(3, F(9, 10), demand=[quarter, 2 * quarter, quarter]) == m


def test_river_swim() -> None:
    m = G.river_swim(6, F(99, 100))
    sol = rl.solve(m)
    assert double(sol.V[0], "37.854701140082376")
    assert double(sol.V[5], "43.802080896942755")
    assert rl.AverageReward().run(m).gain[0] == F(7203, 16805)
    assert rl.solve(G.river_swim(6, F(9, 10))).V[0] == F(425329947, 326053817)


# ---- grids -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gamma", "exact", "printed"),
    [
        (F(9, 10), F(4348890, 63127201), "0.0688909048890034"),
        (F(19, 20), F(298507551082420, 1654041892543499), "0.1804715783972017"),
        (F(99, 100), F(868292016472811700, 1601938145778704383), "0.5420259320004729"),
    ],
)
def test_frozen_lake_4(gamma: F, exact: F, printed: str) -> None:
    value = start(rl.solve(G.frozen_lake("4x4", gamma)))
    assert value == exact
    assert double(value, printed, ulps=3)
    other = rl.from_gymnasium("FrozenLake-v1", gamma)
    assert start(rl.solve(other)) == exact


def test_frozen_lake_4_undiscounted() -> None:
    lake = G.frozen_lake("4x4", F(0))
    assert rl.SSPSolver().run(rl.SSP.from_mdp(lake)).V[0] == F(14, 17)
    horizon = rl.BackwardInduction().run(rl.FiniteHorizonMDP.from_mdp(lake, 100))
    assert double(horizon.V[0, 0], "0.7441902878292659", ulps=14)
    assert digits(horizon.V[0, 0], "0.74419028782926737")


def test_frozen_lake_8() -> None:
    printed = {
        F(9, 10): "0.006411114261567697",
        F(19, 20): "0.04825020408127775",
        F(99, 100): "0.4146403617999879",
    }
    for gamma, text in printed.items():
        assert double(start(rl.solve(G.frozen_lake("8x8", gamma))), text, ulps=2)
    lake = G.frozen_lake("8x8", F(0))
    assert rl.SSPSolver().run(rl.SSP.from_mdp(lake)).V[0] == 1
    horizon = rl.BackwardInduction().run(rl.FiniteHorizonMDP.from_mdp(lake, 200))
    assert double(horizon.V[0, 0], "0.9132201502016195", ulps=33)
    assert digits(horizon.V[0, 0], "0.91322015020162312")


def test_cliff_walking() -> None:
    cliff = G.cliff_walking(F(9, 10))
    assert start(rl.solve(cliff)) == F(-7458134171671, 10**12)
    assert rl.SSPSolver().run(rl.SSP.from_mdp(cliff)).V[36] == -13
    assert start(rl.solve(rl.from_gymnasium("CliffWalking-v1", F(9, 10)))) == F(-7458134171671, 10**12)


def test_taxi() -> None:
    taxi = G.taxi(0.5)
    assert np.count_nonzero(taxi.mu) == 300
    sol = rl.SSPSolver().run(rl.SSP.from_mdp(taxi))
    starts = taxi.mu > 0
    whole = np.round(sol.V[starts])  # totals of deterministic integer rewards
    assert (sol.lower[starts] > whole - 0.5).all()
    assert (sol.upper[starts] < whole + 0.5).all()
    assert F(int(whole.sum()), 300) == F(793, 100)
    assert (whole.min(), whole.max()) == (3, 15)
    # Gymnasium's own table, in which states after a delivery go on
    other = rl.SSPSolver().run(rl.SSP.from_mdp(rl.from_gymnasium("Taxi-v4", 0.5)))
    assert (np.round(other.V[:500][starts]) == whole).all()


def test_gridworld_5x5() -> None:
    m = G.gridworld_5x5(F(9, 10))
    value = rl.solve(m).V[1]
    assert value == F(1000000, 40951)
    assert double(value, "24.41942809699397", ulps=1)
    uniform = rl.Policy([[F(1, 4)] * 4] * 25)
    assert double(rl.evaluate(m, uniform).V[1], "8.789291862596121", ulps=1)


# ---- games -------------------------------------------------------------------------------

BLACKJACK = {rule: rl.SSPSolver().run(G.blackjack(rule)) for rule in ("textbook", "dealer-natural", "plain")}


def label(sol: rl.Solution, name: str) -> int:
    return sol.mdp.mdp.states.index(name)


@pytest.mark.parametrize(
    ("rule", "printed"),
    [
        ("textbook", "-0.0431131054134770"),
        ("dealer-natural", "-0.0467563520577057"),
        ("plain", "-0.0465559770666976"),
    ],
)
def test_blackjack_values(rule: str, printed: str) -> None:
    sol = BLACKJACK[rule]
    value = start(sol)
    assert double(value, printed, ulps=8)
    if rule == "textbook":
        assert value == F(-3954908734551683826282634489, 91733330193268616658399616009)


@pytest.mark.parametrize("rule", BLACKJACK)
def test_blackjack_policy(rule: str) -> None:
    sol = BLACKJACK[rule]
    up = {1: "A"} | {c: str(c) for c in range(2, 11)}
    for card, shown in up.items():
        hard = 12 if card in (2, 3) else 11 if card in (4, 5, 6) else 16
        soft = 17 if 2 <= card <= 8 else 18
        for total in range(4, 22):
            assert sol.pi[label(sol, f"hard {total} v {shown}")] == int(total <= hard)
        for total in range(12, 22):
            assert sol.pi[label(sol, f"soft {total} v {shown}")] == int(total <= soft)


def test_blackjack_sixteen_against_ten() -> None:
    for rule, hit in (("textbook", "-0.5693071598807666"), ("dealer-natural", "-0.5752243196440802")):
        sol = BLACKJACK[rule]
        m, s = sol.mdp.mdp, label(sol, "hard 16 v 10")
        data, indices, indptr = m.csr
        first = m.state_ptr[s]
        stick, draw = (
            m.R_pairs[k] + sum((data[j] * sol.V[indices[j]] for j in range(indptr[k], indptr[k + 1])), F(0))
            for k in (first, first + 1)
        )
        assert double(stick, "-0.5757818467646016", ulps=1)
        assert double(draw, hit, ulps=1)


def test_blackjack_from_gymnasium() -> None:
    """Gymnasium's registered default is the textbook rule; without `sab` naturals are ordinary 21s."""
    for kwargs, rule in (({}, "textbook"), ({"sab": False}, "plain")):
        m = rl.from_gymnasium("Blackjack-v1", F(1, 2), **kwargs)
        assert m == G.blackjack(rule).discounted(F(1, 2))


def test_gambler() -> None:
    ssp = G.gambler()
    sol = rl.SSPSolver().run(ssp)
    V = sol.V
    assert (V[25], V[50], V[75]) == (F(4, 25), F(2, 5), F(2, 5) + F(3, 5) * F(2, 5))
    assert digits(V[1], "0.0020656247765443")

    def best(s: int) -> set[int]:
        win = {
            a: F(2, 5) * (1 if s + a == 100 else V[s + a]) + F(3, 5) * V[s - a]
            for a in range(1, min(s, 100 - s) + 1)
        }
        return {a for a, q in win.items() if q == max(win.values())}

    assert best(51) == {1, 49}
    assert best(50) == {50}
    assert all(min(s, 100 - s) in best(s) for s in range(1, 100))  # bold play


def test_secretary() -> None:
    for n, index, printed in ((10, 4, None), (100, 38, "0.371042778712643")):
        sol = rl.SSPSolver().run(G.secretary(n))
        first = 1 + int(np.argmin(sol.pi.actions[:n]))
        assert first == index
        assert (sol.pi.actions[index - 1 : n] == 0).all()
        if printed is None:
            assert sol.V[0] == F(3349, 8400)
        else:
            assert digits(sol.V[0], printed)
