"""Cross estimation, its amplification, low-rank Q iteration and the completion baselines."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.kernels.generative import lookahead
from rltheory.operators import CrossBound, anchors_by_volume, cross_estimate, leverage_scores
from rltheory.operators.cross import least_singular_value
from rltheory.solvers import (
    LowRankQ,
    LowRankSchedule,
    UnitCubeTask,
    alternating_least_squares,
    low_rank_continuous,
    nuclear_norm_completion,
    soft_impute,
)
from rltheory.solvers.low_rank import noise_free_sweep

THREE = rl.exact_array([[2, 1, 0], [1, 1, 1], [0, 1, 2]])


def estimate(Q: NDArray[Any], I: Any, J: Any) -> NDArray[Any]:
    return cross_estimate(Q[:, J], Q[I], I, J)


def draw_cross(draw: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Rank-r rational Q with non-singular W, and noise on the cross below σ/r."""
    g = np.random.default_rng(draw(st.integers(0, 2**32)))
    r = draw(st.integers(1, 3))
    n, m = r + draw(st.integers(1, 4)), r + draw(st.integers(1, 3))
    while True:
        Q = rl.exact_array(g.integers(-3, 4, (n, r)) @ g.integers(-3, 4, (r, m)))
        I, J = g.choice(n, r, replace=False), g.choice(m, r, replace=False)
        if np.linalg.matrix_rank(Q[np.ix_(I, J)].astype(float)) == r:
            break
    E = np.full((n, m), Fraction(0), dtype=object)
    noise = rl.exact_array(g.integers(-16, 17, (n, m))) / 16
    E[I], E[:, J] = noise[I], noise[:, J]
    return Q, I, J, E


crosses = st.composite(draw_cross)()


@settings(max_examples=80, deadline=None)
@given(crosses, st.integers(1, 20))
def test_error_identity_and_bounds_in_rationals(x: Any, part: int) -> None:
    Q, I, J, E = x
    assert (estimate(Q, I, J) == Q).all()  # no noise: exact
    b = CrossBound(Q, I, J)
    eta = b.sigma / b.r * Fraction(part, 21)
    E = E * eta
    Z = estimate(Q + E, I, J)
    F = E[np.ix_(I, J)]
    inverse = np.linalg.inv((Q + E)[np.ix_(I, J)].astype(float))
    for i, j in itertools.product(range(Q.shape[0]), range(Q.shape[1])):
        a, c, e, f = b.a[i], b.b[:, j], E[i, J], E[I, j]
        first = a @ f + e @ c - a @ F @ c
        second = (e - a @ F).astype(float) @ inverse @ (f - F @ c).astype(float)
        assert float(Z[i, j] - Q[i, j]) == pytest.approx(float(first) + second, abs=1e-8, rel=1e-6)
    assert (np.abs(Z - Q) <= b.entry_bound(eta)).all()
    if 2 * b.r * eta <= b.sigma:
        assert np.abs(Z - Q).max() <= b.uniform_bound(eta)


@settings(max_examples=60, deadline=None)
@given(crosses, st.integers(2, 6))
def test_worst_noise_attains_the_first_order_bound(x: Any, k: int) -> None:
    Q, I, J, _ = x
    b = CrossBound(Q, I, J)
    i = next(i for i in range(Q.shape[0]) if i not in I)
    j = next(j for j in range(Q.shape[1]) if j not in J)
    eta = b.sigma / 10**k / b.r
    error = abs(estimate(Q + b.worst_noise(i, j, eta), I, J)[i, j] - Q[i, j])
    both = (1 + b.alpha[i]) * (1 + b.beta[j])
    assert abs(error / eta - (both - 1)) <= eta * both * b.r / (b.sigma - b.r * eta)


def test_tight_cases() -> None:
    b = CrossBound(THREE, [0, 2], [0, 2])
    assert (b.sigma, b.kappa, b.c_me, b.c_star) == (2, 2, 17, 3)
    for eta, error in ((Fraction(1, 10), Fraction(31, 90)), (Fraction(1, 2), Fraction(7, 2))):
        Z = estimate(THREE + b.worst_noise(1, 1, eta), [0, 2], [0, 2])
        assert abs(Z - THREE)[1, 1] == error == b.entry_bound(eta)[1, 1]
    one = CrossBound(rl.exact_array(np.ones((2, 2))), [0], [0])
    assert one.c_me == 7
    Z = estimate(one.Q + one.worst_noise(1, 1, Fraction(1, 2)), [0], [0])
    assert Z[1, 1] - 1 == Fraction(7, 2) == one.uniform_bound(Fraction(1, 2))
    for r in (1, 2, 3):
        B = rl.exact_array(np.vstack([np.eye(r), np.ones(r)]))
        assert CrossBound(B @ B.T, range(r), range(r)).c_star == r * r + 2 * r


@settings(max_examples=40, deadline=None)
@given(crosses)
def test_volume_bounds_the_coefficients(x: Any) -> None:
    Q, I, _, _ = x
    r = len(I)
    best = CrossBound(Q, *anchors_by_volume(Q, r, exhaustive=True))
    assert np.abs(best.a).max() <= 1 and np.abs(best.b).max() <= 1 and best.c_star <= r * r + 2 * r
    quick = CrossBound(Q, *anchors_by_volume(Q.astype(float), r))
    assert max(np.abs(quick.a).max(), np.abs(quick.b).max()) <= Fraction(102, 100)


@settings(max_examples=60, deadline=None)
@given(crosses)
def test_singular_values_are_bounded_from_below(x: Any) -> None:
    Q, I, J, _ = x
    W = Q[np.ix_(I, J)]
    low = least_singular_value(W)
    true = np.linalg.svd(W.astype(float), compute_uv=False)[-1]
    assert low > 0 and float(low) <= true * (1 + 1e-9) and float(low) >= true * (1 - 1e-9)


def test_hopeless_conditioning_still_has_a_bound() -> None:
    W = rl.exact_array([[Fraction(1), Fraction(1)], [Fraction(1), 1 + Fraction(1, 10**40)]])
    low = least_singular_value(W)
    assert 0 < low < Fraction(6, 10**41)


def test_rank_cut_and_strictness() -> None:
    g = np.random.default_rng(0)
    Q = g.normal(size=(9, 2)) @ g.normal(size=(2, 8))
    I, J = [0, 1, 2, 3], [0, 1, 2, 3]
    assert np.abs(cross_estimate(Q[:, J], Q[I], I, J, rank=2) - Q).max() < 1e-10
    with pytest.raises(InvalidArgument, match="only 2 of 3 singular values"):
        cross_estimate(Q[:, J], Q[I], I, J, rank=3)
    assert np.abs(cross_estimate(Q[:, J], Q[I], I, J, rank=3, strict=False) - Q).max() < 1e-10


def test_lookaheads_have_the_law_they_should() -> None:
    P = np.array([[0.5, 0.3, 0.2], [0.1, 0.0, 0.9], [0.0, 1.0, 0.0]])
    mdp = rl.MDP.from_pairs(P, [1.0, 2.0, 3.0], 0.5, pair_state=[0, 1, 2], pair_action=[0, 0, 0])
    data, indices, indptr = mdp.csr
    V = np.array([0.0, 1.0, 10.0])
    mean, sq = P @ V, P @ (V * V)
    for N in (7, 64, 65, 4000):
        rng, out = np.random.default_rng(N), np.empty(3)
        runs = np.empty((2000, 3))
        for k in range(len(runs)):
            lookahead(data, indices, indptr, mdp.R_pairs, 0.5, V, np.arange(3), N, rng, out)
            runs[k] = (out - mdp.R_pairs) / 0.5
        sd = np.sqrt((sq - mean**2) / N)
        assert (np.abs(runs.mean(axis=0) - mean) <= 6 * sd / np.sqrt(len(runs)) + 1e-12).all()
        assert np.allclose(runs.var(axis=0), sd**2, rtol=0.25)  # > 6 standard errors of a variance
        assert (runs[:, 2] == 1.0).all()
    again = [np.empty(3), np.empty(3)]
    for out in again:
        lookahead(data, indices, indptr, mdp.R_pairs, 0.5, V, np.arange(3), 9, np.random.default_rng(1), out)
    assert (again[0] == again[1]).all()


def test_schedule_of_the_theorem() -> None:
    s = LowRankSchedule(0.9 / 34, 17, 1, 8, 0.1, L=1.0)
    assert [s.samples(t, 28) for t in range(1, 9)] == [68, 84, 103, 127, 157, 193, 239, 295]
    assert (s.radius(1), s.radius(2)) == (pytest.approx(0.1125), pytest.approx(0.10125))
    totals = {4: (677380, 28205888), 8: (3863355935, 2762808887936), 12: (19826686400603, 238235283849255040)}
    for T, (cross, full) in totals.items():
        plan = LowRankSchedule(1 / 28, 7, 1, T, 0.1, L=1.0)
        assert (plan.total(plan.cells, plan.cells, 1), plan.total(plan.cells, plan.cells, None)) == (
            cross,
            full,
        )
    assert LowRankSchedule.sweeps_for(0.1, 1.0, 0.5) == 4
    with pytest.raises(InvalidArgument, match=r"needs gamma < 0\.0714286"):
        LowRankSchedule(0.1, 7, 1, 3)
    with pytest.raises(InvalidArgument, match="delta=1"):
        LowRankSchedule(0.01, 7, 1, 3, delta=1)
    with pytest.raises(InvalidArgument, match="L=None"):
        LowRankSchedule(0.01, 7, 1, 3).radius(1)


def with_optimal_q(Q: NDArray[Any], P: NDArray[Any], gamma: Any) -> rl.MDP:
    """The model whose optimal Q is the matrix given: R = Q − γP max Q."""
    return rl.MDP(P, Q - gamma * (P @ Q.max(axis=1)), gamma=gamma)


def test_the_guarantee_holds_with_the_probability_stated() -> None:
    g = np.random.default_rng(5)
    failures, runs = 0, 40
    for seed in range(runs):
        f, h = g.uniform(0.95, 1.05, 8), g.uniform(0.95, 1.05, 6)
        Q = np.outer(f, h)
        c_me = 7 * Q.max() / Q.min()
        gamma = 0.9 / (2 * c_me)
        mdp = with_optimal_q(Q, g.dirichlet(np.ones(8), (8, 6)), gamma)
        plan = LowRankSchedule(gamma, c_me, Q.max(), 8, 0.1)
        run = LowRankQ(1, [0], [0], schedule=plan).run(mdp, seed, reference=Q)
        failures += any(r.error > plan.bound(t) for t, r in enumerate(run.history, 1))
        assert run.samples == sum(plan.samples(t, 13) * 13 for t in range(1, 9)) and run.bound == plan.bound(
            8
        )
    assert binomtest(failures, runs, 0.1, alternative="greater").pvalue > 1e-3


def test_full_sampling_and_anchors_approach_the_solution() -> None:
    mdp = rl.gallery.double_integrator((9, 9), 11)
    Q = rl.q_values(mdp, rl.solve(mdp).V)
    size = Q.max() - Q.min()
    for solver in (LowRankQ(3, 9, 9, samples=100_000, T=80), LowRankQ(1, samples=100_000, T=80, full=True)):
        calls: list[tuple[int, int]] = []
        run = solver.run(mdp, 3, reference=Q, progress=lambda t, T, calls=calls: calls.append((t, T)))
        assert run.history[-1].error < 0.02 * size and calls[-1] == (80, 80)
        assert (run.Q == solver.run(mdp, 3).Q).all()


def test_redrawn_anchor_states() -> None:
    mdp = rl.gallery.inverted_pendulum((9, 9), 11)
    kept, new = (LowRankQ(3, 8, 8, samples=45, T=4, redraw=r).run(mdp, 0) for r in (False, True))
    first = np.random.default_rng(0).choice(81, 8, replace=False)
    assert kept.samples == new.samples and (kept.columns == new.columns).all()
    assert (kept.rows == first).all() and (new.rows != first).any()
    Q = rl.q_values(mdp, rl.solve(mdp).V)
    again = LowRankQ(3, 8, 8, samples=100_000, T=80, redraw=True).run(mdp, 0, reference=Q)
    assert again.history[-1].error < 0.1 * np.ptp(Q)
    with pytest.raises(InvalidArgument, match="redraw=True with given rows"):
        LowRankQ(3, [0, 1, 2], 3, samples=1, redraw=True)


@pytest.mark.parametrize("choose", ["volume", "leverage"])
def test_anchors_found_in_the_estimate(choose: Literal["volume", "leverage"]) -> None:
    mdp = rl.gallery.inverted_pendulum((9, 9), 11)
    Q = rl.q_values(mdp, rl.solve(mdp).V)
    k = 3 if choose == "volume" else 8
    solver = LowRankQ(3, k, k, samples=100_000, T=80, choose=choose)
    run = solver.run(mdp, 0, reference=Q)
    assert run.history[-1].error is not None and run.history[-1].error < 0.1 * np.ptp(Q)
    assert (run.Q == solver.run(mdp, 0).Q).all() and run.rows.size == run.columns.size == k
    before = LowRankQ(3, k, k, samples=100_000, T=79, choose=choose).run(mdp, 0)
    if choose == "volume":
        I, J = anchors_by_volume(before.Q, 3)
        assert (run.rows == I).all() and (run.columns == J).all()
    else:
        assert (np.diff(run.rows) > 0).all() and (run.rows != before.rows).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"choose": "best"}, "choose='best'"),
        ({"choose": "volume", "rows": [0, 1]}, "given rows"),
        ({"choose": "leverage", "columns": [0, 1]}, "given columns"),
        ({"choose": "volume", "rows": 4}, "exactly rank=2"),
    ],
)
def test_choices_of_anchors_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        LowRankQ(2, samples=1, **settings)


def test_the_repelling_fixed_point_in_rationals() -> None:
    F, G, gamma, e = 4, 2, Fraction(1, 5), Fraction(1, 10**6)
    Q = rl.exact_array(np.outer([1, F], [1, 1])) / rl.exact_array([[1, G]])
    P = rl.exact_array([[[1, 0], [0, 1]], [[1, 0], [1, 0]]])
    mdp = with_optimal_q(Q, P, gamma)
    V = Q.max(axis=1) + np.array([Fraction(0), e])
    printed = {1: 1.599999360000e-6, 2: 2.560000614400e-6, 3: 4.095996788739e-6, 6: 1.677725672283e-5}
    for t in range(1, 7):
        Z = noise_free_sweep(mdp, V, [0], [1])
        e = -gamma * F * G * e / (1 + gamma * G * e)
        V = Z.max(axis=1)
        assert V[0] == 1 and V[1] - F == e
        if t in printed:
            assert abs(float(e)) == pytest.approx(printed[t], rel=1e-11)
    assert (noise_free_sweep(mdp, Q.max(axis=1), [1], [0]) == Q).all()


def test_continuous_iteration_stays_below_its_bound() -> None:
    gamma = 0.05

    def reward(s: NDArray[Any], a: NDArray[Any]) -> NDArray[Any]:
        x, y = s[:, 0], a[:, 0]
        return (1 + x / 20) * (1 + y / 20) - gamma * 1.05 * (1 + (x + y + 0.5) / 60)

    def draw(s: NDArray[Any], a: NDArray[Any], N: int, rng: np.random.Generator) -> NDArray[Any]:
        return (s[:, None, :] + a[:, None, :] + rng.random((len(s), N, 1))) / 3

    task = UnitCubeTask(1, 1, gamma, reward, draw)
    plan = LowRankSchedule(gamma, 7 * 1.05**2, 1.1025, 6, 0.1, L=0.0525)
    line = np.linspace(0, 1, 51)[:, None]
    truth = np.outer(1 + line[:, 0] / 20, 1 + line[:, 0] / 20)
    for t, net in enumerate(low_rank_continuous(task, 1, plan, 1), 1):
        error = np.abs(net.at(line[:, None], line[None]) - truth).max()
        assert error <= plan.bound(t)
    assert error < 0.5 * plan.bound(6)


def test_soft_impute_meets_its_optimality_conditions() -> None:
    X, mask, lam = [[4, 2, 0], [2, np.nan, 0], [0, 0, 3]], np.ones((3, 3), bool), 0.5
    mask[1, 1] = False
    out = soft_impute(X, mask, lam, max_iter=5000, tol=1e-15)
    assert np.allclose(
        out.Z, [[3.61794227, 1.75716027, 0], [1.75716027, 0.85341666, 0], [0, 0, 2.5]], atol=1e-8
    )
    assert out.objectives[-1] == pytest.approx(3.7426346549, abs=1e-9)
    assert (np.diff(out.objectives) <= 1e-12).all()
    G = np.where(mask, np.nan_to_num(X) - out.Z, 0) / lam
    nuclear = np.linalg.svd(out.Z, compute_uv=False).sum()
    assert np.linalg.norm(G, 2) <= 1 + 1e-9 and (G * out.Z).sum() == pytest.approx(nuclear, abs=1e-7)


def test_als_never_goes_up_and_nuclear_norm_has_its_closed_form() -> None:
    g = np.random.default_rng(2)
    X = g.normal(size=(12, 3)) @ g.normal(size=(3, 9))
    mask = g.random(X.shape) < 0.6
    out, U, W = alternating_least_squares(X, mask, 3, sweeps=30, seed=1)
    assert (np.diff(out.objectives) <= 1e-10).all() and (U @ W.T == out.Z).all()
    slope = np.where(mask, out.Z - X, 0).T @ U + 1e-2 * W  # of the objective, in the last half-step
    assert np.abs(slope).max() < 1e-9
    whole, *_ = alternating_least_squares(X, np.ones_like(mask), 3, ridge=1e-9, sweeps=30)
    assert np.abs(whole.Z - X).max() < 1e-6
    f, h = np.array([1.0, 2.0, 1.5]), np.array([1.0, 1.0, 0.5])
    mask = np.zeros((3, 3), bool)
    mask[0], mask[:, 1] = True, True
    c = abs(f[0] * h[1]) / (np.linalg.norm(f[1:]) * np.linalg.norm(h[[0, 2]]))
    Z = nuclear_norm_completion(np.outer(f, h), mask)
    block = np.ix_([1, 2], [0, 2])
    assert c < 1 and np.allclose(Z[block], c * np.outer(f, h)[block], atol=1e-4)
    assert (cross_estimate(np.outer(f, h)[:, [1]], np.outer(f, h)[[0]], [0], [1]) == np.outer(f, h)).all()


def test_leverage_scores_sum_to_one() -> None:
    rows, cols = leverage_scores(THREE.astype(float), 2)
    assert rows.sum() == pytest.approx(1) and cols.sum() == pytest.approx(1)


def test_bad_input_is_refused() -> None:
    Q = np.ones((3, 3))
    for I, J, text in (
        ([0, 0], [0, 1], "anchor 0 is repeated"), ([3], [0], r"outside 0\.\.2"), ([], [0], "at least one"),
        ([0], [0, 1], "as many anchor rows"),
    ):  # fmt: skip
        with pytest.raises(InvalidArgument, match=text):
            cross_estimate(Q[:, : len(J)], Q[: len(I)], I, J)
    with pytest.raises(InvalidArgument, match="singular"):
        CrossBound(np.diag([1.0, 0.0]), [1], [1])
    with pytest.raises(InvalidArgument, match="both must reuse"):
        cross_estimate([[1.0], [2.0]], [[3.0, 4.0]], [0], [0])
    with pytest.raises(InvalidArgument, match="not finite"):
        cross_estimate([[np.inf], [2.0]], [[np.inf, 4.0]], [0], [0])
    with pytest.raises(InvalidArgument, match="eta=2"):
        CrossBound(THREE, [0, 2], [0, 2]).entry_bound(2)
    with pytest.raises(InvalidArgument, match="eta=3/5"):
        CrossBound(THREE, [0, 2], [0, 2]).uniform_bound(Fraction(3, 5))
    with pytest.raises(InvalidArgument, match="on the cross"):
        CrossBound(THREE, [0, 2], [0, 2]).worst_noise(0, 1, 1)
    with pytest.raises(InvalidArgument, match="numerical rank 1"):
        anchors_by_volume(Q, 2)
    with pytest.raises(InvalidArgument, match="every 2×2 submatrix"):
        anchors_by_volume(Q, 2, exhaustive=True)
    with pytest.raises(InvalidArgument, match="either schedule"):
        LowRankQ(2)
    with pytest.raises(InvalidArgument, match="at least 1"):
        LowRankQ(0, samples=3)
    with pytest.raises(InvalidModel, match="in doubles"):
        LowRankQ(1, samples=3).run(
            rl.MDP(rl.exact_array(np.ones((1, 2, 1))), rl.exact_array([[0, 1]]), Fraction(1, 2))
        )
    with pytest.raises(InvalidArgument, match="no entry is observed"):
        soft_impute(Q, np.zeros((3, 3)), 1.0)
    with pytest.raises(InvalidArgument, match="λ > 0"):
        soft_impute(Q, np.ones((3, 3)), 0.0)
    with pytest.raises(InvalidArgument, match=r"X\[0, 0\]=nan"):
        alternating_least_squares([[np.nan, 1.0]], [[True, True]], 1)
    with pytest.raises(InvalidArgument, match="rank=3"):
        alternating_least_squares([[0.0, 1.0]], [[True, True]], 3)
