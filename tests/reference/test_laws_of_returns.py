"""Categorical and quantile laws of returns: printed values, exact enumeration, tight cases, Monte Carlo."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument, NotConverged
from rltheory.results import Status
from rltheory.solvers import AtomEvaluation, CategoricalEvaluation, QuantileEvaluation
from tests.unit.test_distributional import random_model

HALF = F(1, 2)
PARITY = [0, 1, 0]  # π(s) = s mod 2
GRID = [-4, -2, 0, 2, 4]


def example(gamma: Any = HALF, q: int = 3) -> rl.OutcomeMDP:
    return rl.gallery.outcome_family(3, 2, 2, q, gamma)


def one_state(*outcomes: tuple[Any, Any], gamma: Any) -> rl.OutcomeMDP:
    """One state, one action, (probability, reward) outcomes."""
    return rl.OutcomeMDP.from_lists([[[(p, 0, r) for p, r in outcomes]]], gamma=gamma)


# ---- printed values ------------------------------------------------------------------------
def test_the_categorical_fixed_point_of_the_example() -> None:
    sol = CategoricalEvaluation(grid=GRID).run(example(), PARITY)
    assert sol.status is Status.EXACT
    assert sol.rows[0].tolist() == [
        F(403125, 10**6),
        F(397265625, 10**9),
        F(17109375, 10**8),
        F(28515625, 10**9),
        0,
    ]
    assert sol.rows[1].tolist() == [F(387, 2240), F(817, 1120), F(219, 2240), 0, 0]
    assert sol.rows[2].tolist() == [F(215, 1000), F(5075, 10**4), F(2775, 10**4), 0, 0]
    assert sol.V.tolist() == [F(-235, 100), F(-215, 100), F(-1875, 1000)]
    assert sol.bounds["quadrature"] == pytest.approx(1.1547005, abs=1e-7)
    assert sol.bounds["nesting"] == 1
    assert (sol.errors < 1).all()  # variances of the splits do better than either
    floats = CategoricalEvaluation(grid=GRID, tol=1e-10).run(example().float(), PARITY)
    assert np.abs(floats.rows - sol.rows.astype(float)).max() <= 1e-10
    assert np.abs(floats.errors - sol.errors).max() <= 1e-3


def test_the_quantile_fixed_point_of_the_example() -> None:
    sol = QuantileEvaluation(atoms=3).run(example(), PARITY)
    third = F(1, 3)
    assert sol.status is Status.EXACT
    assert (sol.rows * 3).tolist() == [[-10, -10, -2], [-8, -8, -4], [-10, -4, -2]]
    assert sol.law(1).probs.tolist() == [2 * third, third]
    assert sol.bounds["range"] == F(4, 3)  # R̂ = 4
    assert (sol.errors <= F(4, 3)).all()
    floats = QuantileEvaluation(atoms=3).run(example().float(), PARITY)
    assert np.abs(floats.rows - sol.rows.astype(float)).max() <= 1e-7
    assert np.abs(floats.errors - sol.errors.astype(float)).max() <= 2e-3


def test_distances_of_both_to_the_true_law() -> None:
    H = 11
    true = AtomEvaluation(H=H).run(example(), PARITY).laws
    tail = float(2 * HALF**H / (1 - HALF))
    categorical = CategoricalEvaluation(grid=GRID).run(example(), PARITY).laws
    quantile = QuantileEvaluation(atoms=3).run(example(), PARITY).laws
    for laws, printed in (
        (categorical, (0.76283, 0.63417, 0.77468)),
        (quantile, (0.39367, 0.23893, 0.24064)),
    ):
        for law, close, want in zip(laws, true, printed, strict=True):
            w = float(law.wasserstein(close))
            assert abs(w - want) <= tail + 5e-5
            assert w <= float(law.error) + tail


def test_quantile_means_are_biased_and_categorical_means_are_not() -> None:
    model = example(0.9, 10)
    V = rl.evaluate(model.to_mdp(), PARITY).V
    bias = QuantileEvaluation(atoms=41).run(model, PARITY).V - V
    assert bias == pytest.approx([-0.612026, -0.612946, -0.725330], abs=1e-6)
    sol = CategoricalEvaluation(atoms=41, tol=1e-12).run(model, PARITY)
    assert np.abs(sol.V - V).max() <= 1e-10
    assert (abs(bias) <= QuantileEvaluation(atoms=41).run(model, PARITY).errors).all()


def test_nested_cells_give_the_projection_of_the_true_law() -> None:
    H = 11
    true = AtomEvaluation(H=H).run(example(), PARITY).laws
    sol = CategoricalEvaluation(grid=GRID).run(example(), PARITY)
    for law, row in zip(true, sol.rows, strict=True):
        there = np.array([law.categorical(GRID).prob(lambda x, z=z: x == z) for z in GRID])
        assert float(abs(there - row).max()) <= float(4 * HALF**H / 2)
    other = CategoricalEvaluation(grid=np.linspace(-10, 10, 6)).run(example(0.8), PARITY)
    assert other.bounds["nesting"] is None
    true = AtomEvaluation(H=9).run(example(0.8), PARITY).laws
    there = np.array([true[0].categorical(other.grid).prob(lambda x, z=z: x == z) for z in other.grid])
    assert abs(there - other.rows[0]).max() > 0.1


# ---- tight cases ---------------------------------------------------------------------------
@pytest.mark.parametrize("H", [1, 2, 4, 16, 36])
def test_splits_add_in_quadrature_and_no_less(H: int) -> None:
    """γ = 1, every reward half a cell: w₂ is (Δ/2)√H, the reported bound."""
    grid = [F(i) - 40 for i in range(81)]
    sol = CategoricalEvaluation(grid=grid, H=H).run(one_state((1, HALF), gamma=1), [0])
    truth = rl.ReturnLaw.dirac(HALF * H)
    assert sol.law(0).wasserstein(truth, 2) == pytest.approx(math.sqrt(H) / 2, rel=1e-12)
    assert sol.bounds["variance"][0] == pytest.approx(math.sqrt(H) / 2, rel=1e-12)
    assert sol.errors[0] >= math.sqrt(H) / 2
    assert sol.clipped == 0


@pytest.mark.parametrize("gamma", [HALF, F(1, 4)])
def test_one_reward_of_half_a_cell(gamma: F) -> None:
    """Then absorbed at 0: error Δ/2 in w₁, so neither Δ/4 nor Δ/(2(1+γ)) bounds it."""
    model = rl.OutcomeMDP.from_lists([[[(1, 1, HALF)]], []], gamma=gamma, terminal=[1])
    sol = CategoricalEvaluation(grid=[-2, -1, 0, 1, 2]).run(model, [0, 0])
    assert sol.law(0).wasserstein(rl.ReturnLaw.dirac(HALF)) == HALF
    assert HALF <= sol.errors[0] <= HALF * F(101, 100)


@pytest.mark.parametrize("gamma", [HALF, F(3, 4), F(9, 10)])
def test_the_quantile_bound_is_attained(gamma: F) -> None:
    """Reward ±1 fair, one atom, the lower median: w₁ error 1/(1−γ)."""
    sol = QuantileEvaluation(atoms=1).run(one_state((HALF, 1), (HALF, -1), gamma=gamma), [0])
    assert sol.rows[0, 0] == -1 / (1 - gamma)
    assert sol.errors[0] == sol.bounds["range"] == 1 / (1 - gamma)
    H = 10
    near = AtomEvaluation(H=H).run(one_state((HALF, 1), (HALF, -1), gamma=gamma), [0]).law(0)
    tail = gamma**H / (1 - gamma)
    assert sol.law(0).wasserstein(near) >= 1 / (1 - gamma) - 2 * tail


def enumerate_laws(model: rl.OutcomeMDP, actions: list[list[int]]) -> list[rl.ReturnLaw]:
    """Laws of the return when `actions[t][s]` is taken at time t: every path, by recursion."""
    laws = [{F(0): F(1)} for _ in range(model.S)]
    for acts in reversed(actions):
        new: list[dict[F, F]] = [{} for _ in range(model.S)]
        for s, a in enumerate(acts):
            for p, t, r in model.outcomes(s, a):
                for x, q in laws[t].items():
                    y = r + model.gamma * x
                    new[s][y] = new[s].get(y, F(0)) + p * q
        laws = new
    return [rl.ReturnLaw.from_pairs(law.items()) for law in laws]


def test_exact_atoms_are_those_of_all_paths_and_of_the_best_means() -> None:
    for seed in range(6):
        model = random_model(seed, [HALF, F(1)][seed % 2], S=3)
        sol = AtomEvaluation(H=4).run(model)
        assert sol.error == 0 and sol.status is Status.EXACT
        assert sol.actions is not None
        assert list(sol.laws) == enumerate_laws(model, sol.actions.tolist())
        best = [F(0)] * 3
        for _ in range(4):
            best = [
                max(
                    sum(p * (r + model.gamma * best[t]) for p, t, r in model.outcomes(s, int(a)))
                    for a in np.flatnonzero(model.allowed[s])
                )
                for s in range(3)
            ]
        assert sol.V.tolist() == best


# ---- errors hold ---------------------------------------------------------------------------
@pytest.mark.parametrize("gamma", [HALF, F(3, 4), F(1)], ids=str)
@pytest.mark.parametrize("seed", range(8))
def test_horizon_laws_are_as_close_as_they_say(gamma: F, seed: int) -> None:
    """Evaluation and control, rational and in doubles, against exact enumeration."""
    rng = np.random.default_rng(seed)
    model = random_model(seed, gamma, S=3)
    H = int(rng.integers(1, 5))
    pi = [int(rng.choice(np.flatnonzero(model.allowed[s]))) for s in range(3)]
    for who in (pi, None):
        for m in (model, model.float()):
            for solver in (
                CategoricalEvaluation(atoms=int(rng.integers(2, 30)), H=H),
                QuantileEvaluation(atoms=int(rng.integers(1, 9)), H=H),
                AtomEvaluation(H=H),
            ):
                sol = solver.run(m, who)
                taken = [pi] * H if sol.actions is None else sol.actions.tolist()
                for law, other in zip(sol.laws, enumerate_laws(model, taken), strict=True):
                    assert law.wasserstein(other) <= law.error


@pytest.mark.parametrize("seed", range(6))
def test_infinite_horizon_laws_are_as_close_as_they_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gamma = [F(1, 3), HALF, F(3, 5)][seed % 3]
    model = random_model(seed, gamma, S=3)
    pi = [int(rng.choice(np.flatnonzero(model.allowed[s]))) for s in range(3)]
    H = 6
    true = AtomEvaluation(H=H).run(model, pi).laws
    tail = float(gamma**H * abs(model.reward).max() / (1 - gamma))
    for m in (model, model.float()):
        for solver in (CategoricalEvaluation(atoms=20), QuantileEvaluation(atoms=7)):
            sol = solver.run(m, pi)
            assert sol.status.ok
            for law, near in zip(sol.laws, true, strict=True):
                assert float(law.wasserstein(near)) <= float(law.error) + tail + 1e-12
            assert (
                sol.errors.astype(float)
                <= float(sol.bounds.get("quadrature", sol.bounds.get("range"))) + 1e-6
            ).all()


def test_projected_laws_dominate_in_convex_order() -> None:
    true = AtomEvaluation(H=5).run(example(F(3, 4)), PARITY).laws
    sol = CategoricalEvaluation(atoms=24, H=5).run(example(F(3, 4)), PARITY)
    assert sol.clipped == 0
    strict = 0
    for law, other in zip(sol.laws, true, strict=True):
        assert law.mean == other.mean
        for k in np.linspace(-6, 6, 25):
            a = law.expect(lambda x, k=k: max(x - F(k), 0))
            b = other.expect(lambda x, k=k: max(x - F(k), 0))
            assert a >= b
            strict += a > b
        assert law.cvar(F(1, 4)) <= other.cvar(F(1, 4))
    assert strict > 10


def test_monte_carlo_agrees() -> None:
    """60,000 returns a state: means of ramps within error + Hoeffding at 1e-6 for the whole test."""
    model, gamma, n, steps = example(0.9), 0.9, 60_000, 200
    chain = rl.OutcomeMDP.from_lists([[model.outcomes(s, PARITY[s])] for s in range(3)], gamma=gamma)
    rng = np.random.default_rng(2024)
    returns = np.zeros((3, n))
    for s0 in range(3):
        s = np.full(n, s0)
        for t in range(steps):
            u, b = rng.random(n), chain.outcome_ptr
            first = chain.prob[b[s]]
            k = b[s] + (u >= first)  # two outcomes a state
            returns[s0] += gamma**t * chain.reward[k]
            s = chain.next_state[k]
    span = 4 / (1 - gamma)
    points = [-12.0, -9.0, -6.0, -3.0]
    budget = 1e-6 / (2 * 2 * 3 * len(points))
    width = span * math.sqrt(math.log(1 / budget) / (2 * n)) + gamma**steps * span
    for sol in (
        CategoricalEvaluation(atoms=401).run(model, PARITY),
        QuantileEvaluation(atoms=200).run(model, PARITY),
    ):
        assert sol.error < 0.5
        for s in range(3):
            for k in points:
                ours = sol.law(s).expect(lambda x, k=k: max(x - k, 0.0))
                assert abs(ours - np.maximum(returns[s] - k, 0).mean()) <= sol.law(s).error + width


def test_models_with_rewards_of_pairs_and_the_optimal_policy() -> None:
    mdp = rl.gallery.river_swim(S=5, gamma=0.9)
    best = rl.solve(mdp)
    sol = CategoricalEvaluation(atoms=101, tol=1e-9).run(mdp)
    assert sol.pi is not None and (sol.pi.actions == best.pi.actions).all()
    assert np.abs(sol.V - best.V).max() <= 1e-7
    assert sol.to_dataframe().shape == (5, 4)
    assert "CategoricalEvaluation" in repr(sol) and "<table>" in sol._repr_html_()


# ---- refusals and limits -------------------------------------------------------------------
def test_what_has_no_bound_is_refused() -> None:
    model = example()
    with pytest.raises(InvalidArgument, match=r"covers \[-4, 3\], returns may fill \[-4, 4\]"):
        CategoricalEvaluation(grid=[-4, 0, 3]).run(
            rl.OutcomeMDP.from_lists([[[(HALF, 0, 2), (HALF, 0, -2)]]], HALF), [0]
        )
    with pytest.raises(InvalidArgument, match="without a horizon"):
        CategoricalEvaluation().run(example(1), PARITY)
    with pytest.raises(InvalidArgument, match="without a horizon"):
        QuantileEvaluation().run(example(1), PARITY)
    with pytest.raises(InvalidArgument, match="atoms=1"):
        CategoricalEvaluation(atoms=1).run(model, PARITY)
    with pytest.raises(InvalidArgument, match="atoms=0"):
        QuantileEvaluation(atoms=0)
    with pytest.raises(InvalidArgument, match="H=-1"):
        QuantileEvaluation(H=-1).run(model, PARITY)
    with pytest.raises(InvalidArgument, match="tol=0"):
        QuantileEvaluation(tol=0).run(model, PARITY)
    with pytest.raises(InvalidArgument, match="max_atoms=10"):
        AtomEvaluation(H=9, max_atoms=10).run(model, PARITY)
    with pytest.raises(InvalidArgument, match="unknowns"):
        CategoricalEvaluation(atoms=500).run(model, PARITY)
    short = QuantileEvaluation(max_iter=2).run(example(0.9), PARITY)
    assert short.status is Status.MAX_ITER
    with pytest.raises(NotConverged, match="after 2 backups"):
        short.raise_if_failed()


def test_an_unfinished_law_still_bounds_its_error() -> None:
    """Stopped after one backup, the certificate widens instead of lying."""
    done = AtomEvaluation(H=8).run(example(), PARITY).laws
    for solver in (QuantileEvaluation(atoms=9, max_iter=1), CategoricalEvaluation(atoms=33, max_iter=1)):
        sol = solver.run(example().float(), PARITY)
        assert sol.status is Status.MAX_ITER
        for law, near in zip(sol.laws, done, strict=True):
            assert float(law.wasserstein(near)) <= float(law.error) + float(2 * HALF**8 / HALF)


def test_tight_horizon_grids_count_what_they_clip() -> None:
    """Mass that projections push past the end of a grid over just the returns enters the error.

    By hand: after two steps 9/20 of the mass is at 9/4 and the third step would carry it 3/4 further.
    """
    sol = CategoricalEvaluation(grid=[0, 1, F(9, 4)], H=3).run(one_state((1, F(3, 4)), gamma=1), [0])
    assert sol.clipped == F(9, 20)
    assert sol.bounds["clip"][0] == F(27, 80)
    truth = rl.ReturnLaw.dirac(F(9, 4))
    assert sol.law(0).wasserstein(truth) == truth.mean - sol.law(0).mean == F(27, 80)
    assert sol.errors[0] >= math.sqrt(sol.bounds["variance"][0] ** 2) + float(F(27, 80))
