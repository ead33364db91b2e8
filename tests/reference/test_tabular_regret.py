"""Numbers of a second implementation of the learners: total regrets, optimistic values, bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest

import rltheory as rl
from proofs_check.tabular_regret.experiments import MULTIPLES, gap_multiples
from rltheory.errors import InvalidArgument
from rltheory.kernels import regret as kernel
from rltheory.solvers import (
    EULER,
    MVP,
    PSRL,
    QUCB,
    UCBVI,
    UCRL2,
    BernsteinBonus,
    CompiledLearner,
    RandomAgent,
    Task,
)

CHAIN = rl.gallery.regret_chain()
RIVER = rl.gallery.river_swim_episodes(4, 10)
BF = UCBVI("bernstein", scale=0.02)


@pytest.mark.parametrize(
    ("agent", "total", "plans"),
    [
        (UCBVI(scale=0.02), 157.5, 2000),
        (BF, 13.5, 2000),
        (MVP(scale=0.02), 335.6, 72),
        (BernsteinBonus(), 109.5333333333, 2000),
        (EULER(scale=0.1), 70.1666666667, 2000),
        (QUCB(scale=0.02), 32.2833333333, 0),
        (UCRL2(), 221.8666666667, 36),
        (UCRL2(scale=0.05), 1.8, 16),
    ],
    ids=repr,
)
def test_the_chain_without_randomness(agent: rl.solvers.Agent, total: float, plans: int) -> None:
    curve = rl.regret(agent, CHAIN, K=2000, vmax=1, seeds=[0, 7], verify=True)
    assert np.abs(curve.final - total).max() < 1e-9
    assert curve.plans.tolist() == [plans] * 2


@pytest.mark.parametrize(
    ("agent", "total"),
    [
        (MVP(scale=0.02), 366.1667),
        (BernsteinBonus(), 125.8),
        (UCBVI(scale=0.02), 219.97),
        (EULER(scale=0.1), 79.55),
    ],
    ids=repr,
)
def test_the_chain_for_long(agent: rl.solvers.Agent, total: float) -> None:
    curve = rl.regret(agent, CHAIN, K=16000, vmax=1, seeds=[0], points=[8000])
    digits = 4 if total == 366.1667 else 2
    assert round(curve.final[0], digits) == total
    late = {"MVP": 0.0, "BernsteinBonus": 0.5, "UCBVI": 5.0, "EULER": 0.0}[type(agent).__name__]
    assert curve.final[0] - curve.pseudo[0, 0] == pytest.approx(late, abs=1e-9)


@pytest.mark.parametrize(
    ("agent", "total"),
    [
        (UCBVI(scale=0.02), 702.4784901631),
        (BF, 72.4323360960),
        (MVP(scale=0.02), 909.1960181281),
        (BernsteinBonus(), 627.0086383074),
        (EULER(scale=0.1), 367.2530197958),
        (QUCB(scale=0.05), 725.0263198971),
    ],
    ids=repr,
)
def test_river_swim_of_seed_zero(agent: rl.solvers.Agent, total: float) -> None:
    curve = rl.regret(agent, RIVER, K=500, seeds=[0])
    assert curve.final[0] == pytest.approx(total, abs=1e-9)
    if isinstance(agent, MVP):
        assert curve.plans[0] == 53


def test_optimal_values_of_the_instances() -> None:
    V = rl.solve(RIVER.exact()).V[0]
    assert np.abs(V.astype(float) - [1.85435204, 2.5197995, 3.80240611, 5.21882912]).max() < 1e-8
    V = rl.solve(rl.gallery.river_swim_episodes(6, 20)).V[0]
    assert np.abs(V[:3] - [3.39726396, 4.05265063, 5.3018679]).max() < 1e-8
    for H, value in zip((8, 16, 32, 64, 128), (0.5273, 0.5762, 0.6006, 0.6128, 0.6189), strict=True):
        assert round(float(rl.solve(rl.gallery.sticky(H)).V[0, 0]), 4) == value
    needle = rl.gallery.needle(4, eps=0.25, at=2)
    assert rl.solve(needle.exact()).V[0, 0] == 0.75


COUNTS = np.array(
    [
        [[60, 30, 10], [5, 90, 5]],
        [[400, 300, 300], [10, 10, 980]],
        [[250, 250, 500], [2000, 1000, 1000]],
    ],
    dtype=float,
)


def planned(kind: int, H: int, **constants: float) -> CompiledLearner:
    """A learner after one plan from the counts of the table."""
    R = np.array([[[0, 0.1], [0, 0.2], [0.3, 0]]])
    task = Task(3, 2, H, 10, 1.0, True, np.ones((1, 3, 2), dtype=bool), R)
    out = CompiledLearner(kind, task, None, log=5.0, **constants)
    out.memory.n3[0] = COUNTS.transpose(2, 0, 1).reshape(3, 6)
    out.memory.n[0] = COUNTS.sum(axis=2).reshape(6)
    if kind == kernel.MVP:  # its model is refreshed at powers of two only
        kernel.refresh(out.setup, out.memory)
    out.policy()
    return out


@pytest.mark.parametrize(
    ("kind", "constants", "V"),
    [
        (kernel.CH, {"scale": 0.01}, (0.647456913707, 0.761790941837, 0.804287406426)),
        (
            kernel.MVP,
            {"scale": 0.01, "c1": 460 / 9, "c2": 2 * math.sqrt(2), "c3": 544 / 9},
            (0.632048637881, 0.741848878350, 0.786740314834),
        ),
        (kernel.BERNSTEIN, {"scale": 0.1}, (0.596514911285, 0.726149962194, 0.766633083847)),
    ],
)
def test_optimistic_values_of_a_table(kind: int, constants: dict[str, float], V: tuple[float, ...]) -> None:
    learner = planned(kind, 3, **constants)
    assert np.abs(learner.upper[0] - V).max() < 1e-11
    assert learner.policy()[0].tolist() == [1, 1, 0]
    assert planned(kind, 5, **constants).upper[0].max() <= 1


def test_the_best_law_in_a_ball() -> None:
    for p, d, u, q in [
        ((0.5, 0.3, 0.2), 0.4, (1.0, 3.0, 2.0), (0.3, 0.5, 0.2)),
        ((0.5, 0.3, 0.2), 0.9, (3.0, 1.0, 2.0), (0.95, 0.0, 0.05)),
    ]:
        law, v, order = np.array(p), np.array(u), np.zeros(3, dtype=np.int64)
        kernel.sorted_states(v, order)
        value = kernel.best_in_ball(law, d, v, order)
        assert np.abs(law - q).max() < 1e-12
        assert value == pytest.approx(float(np.dot(q, u)))


def test_published_bounds() -> None:
    def task(S: int, A: int, H: int, K: int) -> Task:
        return Task(S, A, H, K, float(H), True, np.ones((1, S, A), dtype=bool))

    big, small = task(6, 2, 20, 10_000), task(3, 2, 5, 1000)
    assert UCBVI().bound(big) == pytest.approx(2503244060.0273643, rel=1e-13)
    assert UCBVI("bernstein").bound(big) == pytest.approx(24921182883.596867, rel=1e-13)
    assert UCBVI(delta=0.05).bound(small) == pytest.approx(25281814.467206646, rel=1e-13)
    assert UCBVI("bernstein", delta=0.05).bound(small) == pytest.approx(250413690.79234037, rel=1e-13)
    assert rl.solvers.lower_bound(big) == pytest.approx(263.523138347365, rel=1e-13)
    assert rl.solvers.lower_bound(small) == pytest.approx(7.365695637, rel=1e-9)


def test_posterior_sampling_learns_the_river() -> None:
    curve = rl.regret(PSRL(), RIVER, K=2000, seeds=range(8))
    assert 5 < curve.mean[-1] < 20


def test_regret_against_the_horizon() -> None:
    measured = {
        UCBVI(scale=0.02): (50.6, 119.2, 217.2),
        MVP(scale=0.02): (87.0, 107.0, 118.3),
        BernsteinBonus(scale=0.3): (5.9, 8.4, 9.1),
        QUCB(scale=0.02): (36.5, 129.9, 299.4),
        PSRL(): (3.3, 2.0, 1.0),
    }
    for agent, totals in measured.items():
        for H, total in zip((8, 16, 32), totals, strict=True):
            curve = rl.regret(agent, rl.gallery.sticky(H), K=3000, vmax=1, seeds=range(3), points=[1])
            assert round(float(curve.mean[-1]), 1) == total


def test_weights_of_q_learning_are_the_products() -> None:
    H = 3
    task = Task(1, 1, H, 50, 3.0, True, np.ones((1, 1, 1), dtype=bool), np.ones((1, 1, 1)))
    learner = QUCB(scale=0.0).learner(task)
    paid = np.random.default_rng(0).random(40)
    for r in paid:
        learner.observe(np.zeros(H + 1), np.zeros(H), np.array([0.0, 0.0, r]))
    steps = (H + 1) / (H + np.arange(1, 41))
    weights = [a * np.prod(1 - steps[i + 1 :]) for i, a in enumerate(steps)]
    assert learner.memory.Q[H - 1, 0] == pytest.approx(float(np.dot(weights, paid)), rel=1e-12)
    t = np.arange(1, 20001)
    top = math.sqrt(20000) * (2 * t / (20000 * 20001) / np.sqrt(t)).sum()  # H = 1: α_t^i = 2i/(t(t+1))
    assert round(top, 6) == 1.333317


def test_the_sum_form_is_not_monotone() -> None:
    p, C1, C3, x = np.array([0.999, 0.001]), 460 / 9, 544 / 9, 1e-6

    def backup(v: np.ndarray) -> float:
        return float(p @ v + C1 * math.sqrt(max(0.0, p @ v**2 - (p @ v) ** 2) * x) + C3 * x)

    assert round(backup(np.array([1, 0.9])), 10) == 1.0001219911
    assert round(backup(np.array([1.0, 1.0])), 10) == 1.0000604444


def test_bayes_regret_of_the_needle_bandit() -> None:
    from proofs_check.tabular_regret.lower import Bandit

    for (N, T), value in {
        (2, 2): 0.21875,
        (2, 10): 0.459264,
        (2, 40): 0.91195746,
        (3, 10): 0.77417857,
    }.items():
        assert float(Bandit(N, T).bayes) == pytest.approx(value, abs=1e-6)


def test_the_worst_gap_of_a_bandit() -> None:
    """The section's scan of gaps at K = 2¹⁰: at most 0.86√(NK) and 0.48√(NK), but for sampling error."""
    found = gap_multiples(seeds=200)
    hoeffding, bernstein = found.values()
    assert 0.75 < max(hoeffding.values()) < 0.86 + 0.06
    assert 0.40 < max(bernstein.values()) < 0.48 + 0.06
    uniform = gap_multiples(seeds=4, learners=[RandomAgent()])[RandomAgent()]
    assert uniform == pytest.approx({x: 0.75 * x for x in MULTIPLES})
    with pytest.raises(InvalidArgument, match="gaps > ½"):
        gap_multiples(K=2**9)
