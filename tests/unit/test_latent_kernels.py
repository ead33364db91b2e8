"""Pruning against its definition, and the tree walk against recursion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from rltheory.kernels import alpha, belief, points
from rltheory.solvers.latent_alpha import pruned


def sets(seed: int, exact: bool) -> np.ndarray:
    """Vectors with ties, repeats and dominated ones."""
    rng = np.random.default_rng(seed)
    n, M = int(rng.integers(1, 25)), int(rng.integers(1, 5))
    x = rng.integers(0, 7, (n, M))
    return x if exact else x / 7 + (seed % 2) * rng.random((n, M))


@pytest.mark.parametrize("exact", [True, False])
def test_pareto_keeps_what_nothing_covers(exact: bool) -> None:
    for seed in range(60):
        x = sets(seed, exact)
        keep = alpha.pareto(x, 0 if exact else 1e-12)
        for i, row in enumerate(x):
            above = [j for j in range(len(x)) if j != i and (x[j] >= row - 1e-12).all()]
            equal = [j for j in above if (np.abs(x[j] - row) <= 1e-12).all()]
            assert keep[i] == (len(above) == len(equal) and all(j > i for j in equal))


def covered(x: np.ndarray, i: int) -> float:
    """max over λ of min over m of (Σλ_j x_j − x_i)_m, j ≠ i, by linear programming."""
    others = np.delete(x, i, axis=0)
    k, M = others.shape
    A = np.hstack([-(others - x[i]).T, np.ones((M, 1))])
    out = linprog(
        [0] * k + [-1],
        A_ub=A,
        b_ub=np.zeros(M),
        A_eq=[[1] * k + [0]],
        b_eq=[1],
        bounds=[(0, None)] * k + [(None, None)],
    )
    return float(-out.fun)


@pytest.mark.parametrize("exact", [True, False])
def test_the_hull_is_what_no_mixture_covers(exact: bool) -> None:
    for seed in range(40):
        x = sets(seed, exact)
        keep = pruned(x, "lp")
        left = x[keep].astype(float)
        beliefs = np.random.default_rng(seed).dirichlet(np.full(x.shape[1], 0.5), 200)
        assert (beliefs @ x.T).max(axis=1) == pytest.approx((beliefs @ left.T).max(axis=1), abs=1e-9)
        if len(left) > 1:
            assert all(covered(left, i) < -1e-9 for i in range(len(left)))


def test_big_rationals_prune_alike() -> None:
    for seed in range(20):
        x = sets(seed, True)
        big = np.array([[int(v) * 10**30 for v in row] for row in x], dtype=object)
        for kind in ("pareto", "lp"):
            assert (pruned(big, kind) == pruned(x, kind)).all()  # type: ignore[arg-type]


def test_advantage_is_the_value_of_the_game() -> None:
    x = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.6]])
    alive = np.ones(3, dtype=bool)
    assert alpha.advantage(x, alive, 2) == pytest.approx(0.1)
    assert alpha.advantage(x, alive, 0) == pytest.approx(0.4)
    assert alpha.advantage(x[:1], alive[:1], 0) == np.inf


def test_upper_bounds_at_points() -> None:
    """One point (½, ½) of value ¼ below corners 1: at (¼, ¾) the bound is 1 − ½·¾."""
    Q, corner = np.array([[1.0, 1.0]]), np.ones(2)
    point, drop = np.array([[0.5, 0.5]]), np.array([-0.75])
    assert points.upper_at(Q, corner, point, drop, 1, np.array([0.5, 0.5])) == 0.25
    assert points.upper_at(Q, corner, point, drop, 1, np.array([0.25, 0.75])) == 0.625
    assert points.upper_at(Q, corner, point, drop, 0, np.array([0.25, 0.75])) == 1.0
    low = np.array([[0.0, 0.5], [0.25, 0.0]])
    assert points.lower_at(low, np.array([1, 0]), 2, np.array([0.5, 0.5])) == (0.25, 0)


def test_a_walk_of_one_step() -> None:
    R = np.array([[[1.0, 0.0], [0.0, 3.0]]])
    ptr, state = np.array([0, 1, 2]), np.array([0, 0])
    assert belief.tree_value(ptr, state, np.ones((2, 2)), R, 0, np.array([0.5, 0.25]), 1) == (0.75, 1)
    assert belief.tree_value(ptr, state, np.ones((2, 2)), R, 0, np.array([0.5, 0.25]), 3) == (2.25, 7)
