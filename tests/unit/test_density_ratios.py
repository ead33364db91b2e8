"""Coverability three ways, ratios and their conventions, GLOW and hybrid learners against slow twins."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument
from rltheory.operators import (
    clip_ratio,
    clipped_concentrability,
    clipped_ratio,
    density_ratio,
    horizon_occupancy,
)
from rltheory.solvers import (
    FQI,
    GLOW,
    H2O,
    MABO,
    MLE,
    FunctionClasses,
    ModelClasses,
    coverability_coefficient,
    evaluate_horizon,
    glow_regret_bound,
    hyglow,
    optimal_concentrability,
    pairwise_glow,
)

LOCKS = rl.gallery.noisy_locks(3)
CLASSES = ModelClasses(LOCKS)


def random_model(seed: int, S: int = 3, A: int = 2, H: int = 3) -> rl.FiniteHorizonMDP:
    """Sparse rational laws; rewards that sum to at most 1."""
    rng = np.random.default_rng(seed)
    k = rng.integers(0, 3, size=(H, S, A, S))
    k[..., 0] += k.sum(axis=-1) == 0
    P = rl.exact_array(k) / rl.exact_array(k.sum(axis=-1, keepdims=True))
    R = rl.exact_array(rng.integers(0, 5, size=(H, S, A))) / (4 * H)
    mu = rl.exact_array(rng.integers(0, 2, size=S) + np.eye(S, dtype=int)[0])
    return rl.FiniteHorizonMDP(P, R, H, mu=mu / mu.sum())


@pytest.mark.parametrize("seed", range(6))
def test_coverability_three_ways(seed: int) -> None:
    M = random_model(seed)
    first, *others = (
        coverability_coefficient(M, method=m).by_step.tolist()
        for m in ("closed form", "enumeration", "linear program")  # type: ignore[misc]
    )
    assert others == [first, first]
    brute = [
        horizon_occupancy(M, np.array(acts).reshape(M.H, M.S))
        for acts in itertools.islice(itertools.product(range(2), repeat=9), 512)
    ]
    top = np.array(brute).max(axis=0)
    assert top.sum(axis=(1, 2)).tolist() == first
    few = brute[::100]
    pis = [np.array(a).reshape(3, 3) for a in itertools.product(range(2), repeat=9)][::100]
    cover = coverability_coefficient(M, pis)
    assert (cover.largest == np.array(few).max(axis=0)).all()
    assert (coverability_coefficient(M, pis, method="linear program").largest == cover.largest).all()
    ratio = max(density_ratio(d[h], cover.mu[h]).max() for d in few for h in range(3))
    assert ratio == cover.value  # attained by mu
    close = coverability_coefficient(M.float(), pis)
    np.testing.assert_allclose(close.by_step, cover.by_step.astype(float), atol=1e-14)
    assert "6 policies" in repr(cover)


def test_occupancies_are_laws_and_give_values() -> None:
    M = random_model(3)
    rng = np.random.default_rng(0)
    w = rl.exact_array(rng.integers(1, 4, size=(3, 3, 2)))
    pi = w / w.sum(axis=-1, keepdims=True)
    d = horizon_occupancy(M, pi)
    assert d.sum(axis=(1, 2)).tolist() == [1, 1, 1]
    assert (d * M.R).sum() == (M.mu * evaluate_horizon(M, pi).V[0]).sum()
    with pytest.raises(InvalidArgument, match="action 2"):
        horizon_occupancy(M, [0, 1, 2])


@pytest.mark.parametrize("exact", [True, False])
def test_conventions_of_ratios(exact: bool) -> None:
    d, mu = ([F(0), F(1), F(0)], [F(0), F(0), F(1)]) if exact else ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    assert density_ratio(d, mu).tolist() == [0, math.inf, 0]
    assert clip_ratio(density_ratio(d, mu), 3).tolist() == [0, 3, 0]
    out = clipped_ratio(d, mu, 4)
    assert (out.concentrability, out.second_moment, out.clipped, out.clipped_mu) == (4, 0, 1, 0)
    assert clipped_concentrability(d, mu, math.inf) == math.inf
    assert clipped_concentrability(d, d, math.inf) == 1
    assert isinstance(out.concentrability, F) == exact


def slow_space(run: Any, solver: GLOW, model: rl.FiniteHorizonMDP, seed: int) -> None:
    """Replays a run and recomputes every version space from the definition, tuple sums written out."""
    F_, H, S, A = solver.classes.F, model.H, model.S, model.A
    policies, rng = solver.classes.policies, np.random.default_rng(seed)
    P, R = np.asarray(model.P, dtype=float), np.asarray(model.R, dtype=float)
    N, played = np.zeros((H, S, A, S)), np.zeros(len(policies))
    for j, f in enumerate(run.chosen):
        t, after = int(run.rounds[j]), int(run.rounds[j + 1])
        if t > 1:
            level = run.gamma * t
            alpha, beta = 8 / level, 36 * level / (solver.K * (t - 1)) * run.log_term
            n, kept = solver.K * (t - 1), []
            for g in F_:
                ok = True
                for w, h in itertools.product(solver.classes.weights(played), range(H)):
                    c = np.minimum(w[h], level)
                    td = g[h][:, :, None] - R[h][:, :, None] - g[h + 1].max(axis=1)
                    m = (N[h] * td * c[:, :, None]).sum() / n
                    q = (N[h].sum(axis=2) * c**2).sum() / n
                    ok = ok and m - solver.scale * alpha * q <= solver.scale * beta
                kept.append(ok)
            assert kept == run.kept[j].tolist()
        starts = rng.multinomial(solver.K * (after - t), np.asarray(model.mu, dtype=float))
        for h in range(H):
            nxt = np.zeros(S, dtype=int)
            for s in np.flatnonzero(starts):
                moved = rng.multinomial(starts[s], P[h, s, policies[f][h, s]])
                N[h, s, policies[f][h, s]] += moved
                nxt += moved
            starts = nxt
        played[f] += after - t


@pytest.mark.parametrize(("T", "K", "lazy", "scale"), [(60, 50, 1.0, 0.02), (20_000, 1, 1.2, 0.02)])
def test_glow_against_the_definition(T: int, K: int, lazy: float, scale: float) -> None:
    solver = GLOW(CLASSES, T=T, K=K, lazy=lazy, scale=scale)
    run = solver.run(LOCKS[5], 3)
    slow_space(run, solver, LOCKS[5], 3)
    assert run.q_star_lost is None
    assert run.surviving[0] == 8 > run.surviving[-1] >= 1
    assert run.T == T
    assert run.gaps[run.chosen[-1]] == 0
    t, r = run.curve
    assert t[-1] == T
    assert r[-1] == pytest.approx((np.diff(run.rounds) * run.gaps[run.chosen]).sum())


def test_weights_of_models() -> None:
    played = np.array([2.0, 0, 1, 0, 0, 0, 0, 0])
    W = CLASSES.weights(played).reshape(8, 8, 3, 2, 2)
    d = np.array([[horizon_occupancy(m.float(), pi) for pi in CLASSES.policies] for m in LOCKS], dtype=float)
    mean = (2 * d[:, 0] + d[:, 2] + d[:, 5]) / 4
    np.testing.assert_allclose(W[:, 5], np.where(d[:, 5] > 0, d[:, 5] / np.where(mean > 0, mean, 1), 0))
    assert W.max() <= 4 + 1e-12  # never above t
    shares = np.full(8, 1 / 8)
    W = CLASSES.weights(played, shares).reshape(8, 8, 3, 2, 2)
    mix = (d.mean(axis=1) + (2 * d[:, 0] + d[:, 2]) / 3) / 2
    np.testing.assert_allclose(W[:, 5], np.where(d[:, 5] > 0, d[:, 5] / np.where(mix > 0, mix, 1), 0))


def test_an_empty_version_space_ends_the_run() -> None:
    M = rl.FiniteHorizonMDP([[[1.0]]], [[1.0]], H=1)
    wrong = FunctionClasses([[[[0.0]]], [[[0.5]]]], [[[[1.0]]]])
    run = GLOW(wrong, T=10, K=1000, gamma=1.0, scale=0.0).run(M)
    assert run.q_star_lost is None  # Q* is not in the class
    assert run.optimal is None
    assert not run.failed  # 0 − 1 ≤ β: too small values are never dropped
    above = FunctionClasses([[[[1.0]]]], [[[[1.0]]]])
    run = GLOW(above, T=10, K=1000, gamma=1.0, scale=0.0).run(rl.FiniteHorizonMDP([[[1.0]]], [[0.5]], H=1))
    assert run.failed
    assert run.T == 1
    assert "failed" in repr(run)
    assert len(run.plot().figure.axes) == 2


def test_unknown_starts_use_the_starts_seen() -> None:
    """f_0 = (1, 0) is best on average over two starts, f_1 = (0, 0.9) after one start in state 1."""
    stay = rl.FiniteHorizonMDP([[[1.0, 0.0]], [[0.0, 1.0]]], [[0.0], [0.0]], H=1, mu=[0.5, 0.5])
    two = FunctionClasses([[[[1.0], [0.0]]], [[[0.0], [0.9]]]], np.ones((1, 1, 2, 1)))
    starts = set()
    for seed in range(20):
        first = int(np.random.default_rng(seed).multinomial(1, [0.5, 0.5])[1])  # the start of round 1
        starts.add(first)
        known, seen = (
            GLOW(two, T=2, gamma=1.0, known_start=k).run(stay, seed).chosen.tolist() for k in (True, False)
        )
        assert known == [0, 0]
        assert seen == [0, first]
    assert starts == {0, 1}


def test_pairwise_ratios_make_ratios_to_mixtures() -> None:
    locks = rl.gallery.noisy_locks(2)
    models = ModelClasses(locks)
    true, T = 2, 3
    d = [horizon_occupancy(locks[true].float(), pi) for pi in models.policies]
    pairs = FunctionClasses(models.F, np.array([density_ratio(a, b) for a in d for b in d]))
    solver = pairwise_glow(pairs, T, 2.9)
    classes: Any = solver.classes
    W = np.asarray(classes.ratios)
    for played in itertools.product(range(4), repeat=T):
        for t in range(1, T + 1):
            last, mean = d[played[t - 1]], np.mean([d[i] for i in played[:t]], axis=0)
            on = last > 0
            want = last[on] / mean[on]
            assert np.abs(W[:, on] - want).max(axis=1).min() < 1e-12, played
    distinct = len(np.unique(np.asarray(pairs.ratios), axis=0))
    assert distinct < len(W) <= (2 * distinct) ** T
    assert not np.isnan(W).any()
    assert math.ceil(2 * T * math.log(6 * 4 * 16 * 2 * T / 0.1)) == solver.K
    assert solver.gamma == pytest.approx(math.sqrt(2.9 / 3))
    for seed in range(5):
        assert solver.run(locks[true], seed).q_star_lost is None
    many = GLOW(classes, T=T, K=10**7, gamma=1.0, scale=0.02).run(locks[true], 0)
    assert many.q_star_lost is None
    assert many.surviving[-1] < many.surviving[0]  # enough data tell the codes apart


def test_mabo_against_the_definition() -> None:
    rng = np.random.default_rng(0)
    N = rng.integers(0, 9, size=(3, 2, 2, 2)).astype(float)
    N *= 24 / N.sum(axis=(1, 2, 3), keepdims=True)
    R = np.asarray(LOCKS[5].R, dtype=float)
    W = rng.random((7, 3, 2, 2)) * 40
    for single in (True, False):
        base = MABO(CLASSES, 0.5, 0.7, single)
        level, out = 12.0, []
        for f in CLASSES.F:
            terms = np.empty((7, 3))
            for i, h in itertools.product(range(7), range(3)):
                c = np.minimum(W[i, h], level)[:, :, None]
                td = f[h][:, :, None] - R[h][:, :, None] - f[h + 1].max(axis=1)
                terms[i, h] = abs((N[h] * td * c).sum() / 24) - 0.7 * 8 / level * (N[h] * c**2).sum() / 24
            out.append(max(terms.sum(axis=1).max(), terms.max() if single else -np.inf))
        np.testing.assert_allclose(base.losses(N, R, 24, W), out)


def test_bases_agree_with_the_truth_on_full_data() -> None:
    """Counts proportional to the true laws: likelihood and least squares find the optimal policy."""
    for i in (0, 5, 7):
        N = np.asarray(LOCKS[i].P, dtype=float) * 100
        R = np.asarray(LOCKS[i].R, dtype=float)
        for base in (MLE(CLASSES), FQI(CLASSES)):
            pi = base.fit(N, R, 400, np.zeros(8), None)
            assert (pi == CLASSES.policies[i]).all(), (i, base)


def test_hybrid_learning_learns() -> None:
    offline = np.full(8, 1 / 16)
    offline[5] += 0.5
    for solver in (
        hyglow(LOCKS[5], CLASSES, offline, 200, scale=0.02),
        H2O(MLE(CLASSES), offline, 200),
        H2O(FQI(CLASSES), offline, 200),
    ):
        run = solver.run(LOCKS[5], 0)
        assert run.regret[-1] < 6
        assert run.gaps[-1] == 0
        assert run.risk == pytest.approx(run.regret[-1] / 200)
    missing = np.eye(8)[0]
    with pytest.raises(InvalidArgument, match="misses the optimal policy"):
        hyglow(LOCKS[5], CLASSES, missing, 50)


def test_tuples_follow_their_law() -> None:
    from rltheory.solvers.episode_counts import EpisodeCounts

    M = random_model(1)
    nu = horizon_occupancy(M.float(), np.full((3, 2), 0.5))
    n = 40_000
    drawn = EpisodeCounts(M, np.random.default_rng(1)).tuples(nu, n)
    for h in range(3):
        joint = nu[h][:, :, None] * np.asarray(M.P[h], dtype=float)
        count = np.zeros(joint.shape)
        np.add.at(count, tuple(drawn[:, h].T), 1)
        assert np.abs(count / n - joint).max() < 5 * 0.5 / math.sqrt(n)  # 5 standard deviations


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: FunctionClasses(np.zeros((0, 1, 1, 1)), np.ones((1, 1, 1, 1))), "at least one function"),
        (lambda: FunctionClasses([[[[1.5]]]], [[[[1.0]]]]), r"F\[0, 0, 0, 0\]=1.5"),
        (lambda: FunctionClasses([[[[0.5]]]], [[[[-1.0]]]]), r"W\[0, 0, 0, 0\]=-1.0"),
        (lambda: ModelClasses([]), "empty"),
        (lambda: ModelClasses([LOCKS[0], rl.gallery.noisy_lock((1,))]), "model 1"),
        (lambda: GLOW(CLASSES, T=10, delta=1.0), "delta=1.0"),
        (lambda: GLOW(CLASSES, T=0), "T=0"),
        (lambda: GLOW(CLASSES, T=10, gamma=2.0), "gamma=2.0"),
        (lambda: GLOW(CLASSES, T=10, lazy=0.5), "lazy=0.5"),
        (lambda: GLOW(CLASSES, T=10, clip=-1.0), "clip=-1.0"),
        (lambda: GLOW(CLASSES, T=10).run(rl.gallery.noisy_lock((1, 0))), "layers of shape"),
        (
            lambda: GLOW(FunctionClasses([[[[0.5]]]], [[[[1.0]]]]), T=10).run(
                rl.FiniteHorizonMDP([[[1.0]]], [[2.0]], H=1)
            ),
            "pays between 2 and 2",
        ),
        (lambda: GLOW(CLASSES, T=10, lazy=math.inf), "lazy=inf"),
        (lambda: GLOW(CLASSES, T=10, scale=math.inf), "scale=inf"),
        (lambda: GLOW(CLASSES, T=10, scale=math.nan), "scale=nan"),
        (
            lambda: GLOW(
                FunctionClasses([[[[0.0]]]], [[[[math.inf]]]]), T=10, K=1000, gamma=1.0, clip=None
            ).run(rl.FiniteHorizonMDP([[[1.0]]], [[0.0]], H=1)),
            "weight is ∞",
        ),
        (lambda: FunctionClasses([[[[0.0]]], [[[0.0, 0.5]]]], [[[[1.0]]]]), "different shapes"),
        (lambda: FunctionClasses([[[[math.nan]]]], [[[[1.0]]]]), r"F\[0, 0, 0, 0\]=nan"),
        (lambda: FunctionClasses([[[[0.5]]]], [[[[math.nan]]]]), r"W\[0, 0, 0, 0\]=nan"),
        (lambda: ModelClasses(LOCKS, -1), "sequences=-1"),
        (lambda: FunctionClasses([[[[0.5]]]], np.ones((40, 1, 1, 1))).mixtures(9), "choices of at most 9"),
        (lambda: pairwise_glow(FunctionClasses([[[[0.5]]]], [[[[1.0]]]]), 3, math.nan), "cov=nan"),
        (lambda: glow_regret_bound(10, 2, 2.0, 5.0, gamma=0.0), "gamma=0.0"),
        (lambda: glow_regret_bound(10, 2, 2.0, -1.0, gamma=0.5), "log_term=-1.0"),
        (lambda: H2O(MLE(CLASSES), [0.5] * 8, T=5), "sums to 4.0"),
        (lambda: H2O(MLE(CLASSES), [0.5] * 2, T=5).run(LOCKS[5]), "2 shares for 8 policies"),
        (lambda: hyglow(LOCKS[5], CLASSES, [1 / 8] * 8, 50, delta=0.0), "delta=0.0"),
        (lambda: hyglow(LOCKS[5], CLASSES, [1 / 8] * 8, 0), "T=0"),
        (lambda: optimal_concentrability(LOCKS[5], ModelClasses(LOCKS[:1]), [1.0]), "none is optimal"),
        (lambda: optimal_concentrability(LOCKS[5], CLASSES, [1.0] * 8), "sum to 8"),
        (lambda: MABO(CLASSES, 0.0), "gamma=0.0"),
        (
            lambda: MABO(CLASSES, 0.5).losses(np.zeros((3, 2, 2, 2)), np.zeros((3, 2, 2)), 0, np.ones(())),
            "n=0",
        ),
        (lambda: horizon_occupancy(LOCKS[0], [[0, -1]] * 3), "action -1"),
        (lambda: coverability_coefficient(LOCKS[0], []), "class of policies is empty"),
        (lambda: density_ratio([0.5, -0.5], [1.0, 0.0]), "d has -0.5 at entry 1"),
        (lambda: clip_ratio([1.0], -1.0), "level=-1.0"),
        (lambda: rl.gallery.noisy_lock((1, 2)), r"code=\(1, 2\)"),
    ],
)
def test_refusals(build: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        build()
