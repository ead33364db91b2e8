"""GFUCB against a slow twin, exact confidence sets, and the eluder dimension against all sequences."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.models import MultitaskBandit
from rltheory.operators import eluder_dimension
from rltheory.solvers import GFUCB, joint_confidence, known_representation_bound


def slow_run(bandit: MultitaskBandit, T: int, seed: int, delta: float = 0.1) -> tuple[list[float], Any]:
    """GFUCB with dense inverses and plain loops."""
    phi, sigma, M = bandit.features, bandit.sigma, bandit.M
    p, X, A, k = phi.shape
    rng = np.random.default_rng(seed)
    logs: list[list[tuple[int, int, float]]] = [[] for _ in range(M)]
    regret, taken = [], []
    for _ in range(T):
        x, eta = rng.integers(X, size=M), None
        eta = rng.standard_normal(M) * sigma
        design = np.tile(np.eye(k), (p, M, 1, 1))
        b, yy = np.zeros((p, M, k)), np.zeros(M)
        for i, log in enumerate(logs):
            for c, a, y in log:
                yy[i] += y * y
                for f in range(p):
                    design[f, i] += np.outer(phi[f, c, a], phi[f, c, a])
                    b[f, i] += y * phi[f, c, a]
        inv = np.linalg.inv(design)
        w = np.einsum("fikl,fil->fik", inv, b)
        rho = yy - (b * w).sum(axis=2)
        ld = np.linalg.slogdet(design)[1]
        B = (rho + sigma**2 * ld).sum(axis=1).min() + 2 * sigma**2 * math.log(p / delta)
        best, acts = -np.inf, (0,) * M
        for f in range(p):
            r2 = B - rho[f].sum() + M
            if r2 < 0:
                continue
            for tup in itertools.product(range(A), repeat=M):
                rows = phi[f, x, tup]
                v = (rows * w[f]).sum() + math.sqrt(r2 * np.einsum("ik,ikl,il->", rows, inv[f], rows))
                if v > best + 1e-12:
                    best, acts = v, tup
        regret.append(sum(bandit.means[i, x[i]].max() - bandit.means[i, x[i], acts[i]] for i in range(M)))
        taken.append(acts)
        for i in range(M):
            logs[i].append((int(x[i]), acts[i], float(bandit.means[i, x[i], acts[i]] + eta[i])))
    return regret, taken


@pytest.mark.parametrize(("seed", "M", "k"), [(0, 2, 2), (1, 3, 2), (2, 1, 3)])
def test_play_against_the_definition(seed: int, M: int, k: int) -> None:
    bandit = MultitaskBandit.random(seed, p=5, X=4, A=3, k=k, M=M)
    run = GFUCB(T=25).run(bandit, seed)
    regret, taken = slow_run(bandit, 25, seed)
    assert run.actions.tolist() == [list(t) for t in taken]
    np.testing.assert_allclose(run.regret, regret, atol=1e-12)


def test_independent_learners_and_the_oracle() -> None:
    bandit = MultitaskBandit.random(3, p=6, X=4, A=3, k=2, M=3)
    run = GFUCB(T=60, learners="independent").run(bandit, 7)
    contexts, noise = bandit.stream(60, 7)
    for i in range(3):
        alone = MultitaskBandit(bandit.features, np.asarray(bandit.heads)[i : i + 1])

        class Replayed(MultitaskBandit):
            def stream(self, T: int, seed: Any, i: int = i) -> Any:
                return contexts[:, i : i + 1], noise[:, i : i + 1]

        one = GFUCB(T=60, delta=0.1 / 3).run(Replayed(alone.phi, alone.heads), 0)
        assert (one.actions[:, 0] == run.actions[:, i]).all()
    single = MultitaskBandit.random(4, M=1)
    joint, apart = (GFUCB(T=80, learners=w).run(single, 1) for w in ("joint", "independent"))  # type: ignore[arg-type]
    assert (joint.regret == apart.regret).all()
    oracle = GFUCB(T=60, learners="oracle").run(bandit, 7)
    assert (oracle.chosen == 0).all()
    known = GFUCB(T=60).run(MultitaskBandit(bandit.features[:1], bandit.heads), 7)
    assert (oracle.actions == known.actions).all()


def test_a_round_costs_at_most_twice_its_width() -> None:
    for M, seed in itertools.product((1, 2), (3, 5, 8)):
        run = GFUCB(T=200).run(MultitaskBandit.random(seed, p=1, M=M), seed)
        assert run.covered
        assert (run.regret <= 2 * run.width[:, 0]).all()
        assert run.regret.max() > 0.2 * run.width[:, 0].max()


def test_sweep_finds_what_enumeration_finds_mostly() -> None:
    totals = {"enumerate": 0.0, "sweep": 0.0}
    for seed in range(6):
        bandit = MultitaskBandit.random(seed, p=16, M=3)
        for search in totals:
            run = GFUCB(T=100, search=search).run(bandit, seed)  # type: ignore[arg-type]
            totals[search] += float(run.total[-1])
            assert run.covered
    assert totals["sweep"] == pytest.approx(totals["enumerate"], rel=0.15)


def test_confidence_in_rationals_and_doubles() -> None:
    rng = np.random.default_rng(0)
    unit = [(F(1), F(0)), (F(3, 5), F(4, 5)), (F(0), F(1)), (F(-4, 5), F(3, 5))]
    phi = rl.exact_array([[[unit[rng.integers(4)] for _ in range(3)] for _ in range(2)] for _ in range(3)])
    logs = [
        [(int(rng.integers(2)), int(rng.integers(3)), F(int(rng.integers(-8, 9)), 8)) for _ in range(5)]
        for _ in "ab"
    ]
    exact = joint_confidence(phi, logs, sigma=F(1, 2), delta=F(1, 10))
    close = joint_confidence(phi.astype(float), logs, sigma=0.5, delta=0.1)
    np.testing.assert_allclose(close.rho, exact.rho.astype(float), atol=1e-13)
    np.testing.assert_allclose(close.heads, exact.heads.astype(float), atol=1e-13)
    assert float(exact.radius.lower) == pytest.approx(close.radius, abs=1e-12)
    a, b = exact.optimistic((0, 1)), close.optimistic((0, 1))
    assert (a.actions, a.representation) == (b.actions, b.representation)
    assert a.value.lower <= a.value.upper
    assert float(a.value.lower) == pytest.approx(b.value, abs=1e-12)
    w = exact.heads[0, 0]
    loss = sum((phi[0, x, c] @ w - y) ** 2 for x, c, y in logs[0])
    assert exact.rho[0, 0] == loss + w @ w


def test_the_joint_optimum_is_that_of_a_cone_program() -> None:
    cvxpy = pytest.importorskip("cvxpy")
    bandit = MultitaskBandit.random(5, p=1, X=3, A=2, k=2, M=3)
    rng = np.random.default_rng(1)
    logs = [
        [(int(rng.integers(3)), int(rng.integers(2)), float(rng.normal())) for _ in range(6)]
        for _ in range(3)
    ]
    c = joint_confidence(bandit.features, logs, sigma=0.5)
    best = c.optimistic((0, 1, 2))
    w = [cvxpy.Variable(2) for _ in range(3)]
    rows = [bandit.features[0, x, a] for x, a in zip((0, 1, 2), best.actions, strict=True)]
    spread = sum(
        cvxpy.quad_form(v - h, cvxpy.psd_wrap(A)) for v, h, A in zip(w, c.heads[0], c.design[0], strict=True)
    )
    problem = cvxpy.Problem(
        cvxpy.Maximize(sum(r @ v for r, v in zip(rows, w, strict=True))), [spread <= c.squared_radius(0)]
    )
    assert problem.solve(solver="CLARABEL") == pytest.approx(best.value, abs=1e-6)


def all_sequences(values: Any, eps: float) -> int:
    """The eluder dimension by trying every order of every subset at every ε'."""
    V = [[F(v) for v in row] for row in values]
    n = len(V[0])
    pairs = [[(a - b) ** 2 for a, b in zip(f, g, strict=True)] for f, g in itertools.combinations(V, 2)]
    levels = {F(eps) ** 2}
    for size in range(1, n + 1):
        for S in itertools.combinations(range(n), size):
            levels |= {sum(row[i] for i in S) for row in pairs}
    best = 0
    for level in sorted(v for v in levels if v >= F(eps) ** 2):
        for size in range(best + 1, n + 1):
            if any(
                all(
                    any(sum(row[i] for i in order[:j]) <= level < row[order[j]] for row in pairs)
                    for j in range(size)
                )
                for order in itertools.permutations(range(n), size)
            ):
                best = size
            else:
                break
    return best


@pytest.mark.parametrize("seed", range(8))
def test_eluder_dimension_against_all_sequences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 6, size=(int(rng.integers(2, 6)), 4)) / 2
    for eps in (0.0, 0.5, 1.25, 3.0):
        assert eluder_dimension(values, eps) == all_sequences(values, eps)


def test_eluder_dimension_of_large_denominators() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((4, 3))  # 52 bits each: squares do not fit
    assert eluder_dimension(values, 0.1) == all_sequences(values, 0.1)
    assert eluder_dimension([[1.0, 2.0]]) == 0


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (
            lambda: MultitaskBandit(np.zeros((0, 2, 2, 1)), [[0.5]]),
            InvalidModel,
            "at least one representation",
        ),
        (lambda: MultitaskBandit([[[[1.5]]]], [[0.5]]), InvalidModel, r"phi\[0, 0, 0\]"),
        (lambda: MultitaskBandit([[[[1.0]]]], [[2.0]]), InvalidModel, "above B_theta"),
        (lambda: MultitaskBandit([[[[1.0]]], [[[1.0, 0.0]]]], [[0.5]]), InvalidModel, "different shapes"),
        (lambda: MultitaskBandit([[[[1.0]]]], [[0.5, 0.5]]), InvalidModel, r"shape=\(1, 2\)"),
        (lambda: GFUCB(T=5, lam=0.0), InvalidArgument, "lam=0.0"),
        (lambda: GFUCB(T=0), InvalidArgument, "T=0"),
        (lambda: GFUCB(T=5, delta=1.0), InvalidArgument, "delta=1.0"),
        (lambda: GFUCB(T=5, learners="both"), InvalidArgument, "learners='both'"),  # type: ignore[arg-type]
        (lambda: GFUCB(T=5, lam=math.inf), InvalidArgument, "lam=inf"),
        (lambda: GFUCB(T=5, log_weight=-1.0), InvalidArgument, "log_weight=-1.0"),
        (lambda: GFUCB(T=5, logdet_weight=math.nan), InvalidArgument, "logdet_weight=nan"),
        (
            lambda: GFUCB(T=5, search="enumerate").run(MultitaskBandit.random(0, p=2, M=9)),
            InvalidArgument,
            "1953125 action tuples",
        ),
        (lambda: MultitaskBandit([[[[1.0]]]], [[0.5]], sigma=math.inf), InvalidModel, "sigma=inf"),
        (lambda: MultitaskBandit([[[[math.nan]]]], [[0.5]]), InvalidModel, "nan"),
        (lambda: joint_confidence([[[[1.0]]]], [[(1, 0, 1.0)]], sigma=1.0), InvalidArgument, r"\(1, 0\)"),
        (lambda: joint_confidence([[[[1.0]]]], [], sigma=1.0), InvalidArgument, "no task"),
        (
            lambda: joint_confidence([[[[1.0]]]], [[(0, 0, math.nan)]], sigma=1.0),
            InvalidArgument,
            "reward nan",
        ),
        (
            lambda: joint_confidence([[[[1.0]]]], [[]], sigma=1.0, radius=math.nan),
            InvalidArgument,
            "radius=nan",
        ),
        (
            lambda: joint_confidence([[[[1.0]]]], [[]], sigma=1.0).optimistic((-1,)),
            InvalidArgument,
            r"contexts=\(-1,\)",
        ),
        (
            lambda: joint_confidence([[[[1.0]]]], [[]], sigma=1.0).optimistic((0, 0)),
            InvalidArgument,
            "each of 1 tasks",
        ),
        (
            lambda: known_representation_bound(10, 1, 2, sigma=0.5, delta=2.0),
            InvalidArgument,
            "delta=2.0",
        ),
        (
            lambda: known_representation_bound(10, 1, 2, sigma=0.5, delta=0.1, lam=0.5),
            InvalidArgument,
            "lam=0.5",
        ),
        (lambda: eluder_dimension(np.zeros((2, 13))), InvalidArgument, "13 points"),
        (lambda: eluder_dimension([[0.0]], -1), InvalidArgument, "eps=-1"),
        (lambda: eluder_dimension([[math.nan]]), InvalidArgument, "finite"),
    ],
)
def test_refusals(build: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        build()
