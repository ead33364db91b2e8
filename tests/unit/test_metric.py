"""Metrics, Wasserstein distances with their certificates, Lipschitz constants."""

from __future__ import annotations

import itertools
import sys
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import rltheory as rl
from rltheory.checks import Reader, decoded
from rltheory.errors import InvalidArgument, MissingBackend
from rltheory.kernels import simplex
from rltheory.operators import (
    Metric,
    dynamics_lipschitz,
    kernel_distance,
    lipschitz,
    lipschitz_envelope,
    local_lipschitz,
    quotient,
    value_lipschitz_bound,
    wasserstein_1,
    wasserstein_inf,
)

THREE = Metric([[0, 1, 3], [1, 0, 2], [3, 2, 0]])


def draw(read: Reader) -> tuple[Metric, Any, Any]:
    """A metric of two to five points and two laws on it."""
    n = 2 + read.below(4)
    lengths = np.zeros((n, n), dtype=int)
    for i, j in itertools.combinations(range(n), 2):
        lengths[i, j] = lengths[j, i] = 1 + read.below(9)
    p, q = ([F(read.below(6)) for _ in range(n)] for _ in range(2))
    p[0] += 1
    q[-1] += 1
    return (
        Metric.shortest_paths(rl.exact_array(lengths) / 3),
        rl.exact_array([v / sum(p) for v in p]),
        rl.exact_array([v / sum(q) for v in q]),
    )


triples = decoded(draw, 40)


def by_simplex(m: Metric, p: Any, q: Any) -> F:
    """W₁ by the rational simplex method on the primal, one redundant row dropped."""
    n = m.n
    rows = [[F(int(k // n == i)) for k in range(n * n)] for i in range(n)]
    rows += [[F(int(k % n == j)) for k in range(n * n)] for j in range(n - 1)]
    cost = rl.exact_array([-d for d in m.D.reshape(-1)])
    x = simplex.maximise(rl.exact_array(rows), rl.exact_array([*p, *q[:-1]]), cost).x
    return F((m.D.reshape(-1) * x).sum())


# ---- metrics ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("D", "says"),
    [
        ([[0, 1, 3], [1, 0, 1], [3, 1, 0]], r"D\[0, 2\]=3 > D\[0, 1\] \+ D\[1, 2\] = 1 \+ 1"),
        ([[0, 0], [0, 0]], r"D\[0, 1\]=0, the same point twice; merge such points with quotient"),
        ([[0, 1], [2, 0]], r"D\[0, 1\]=1 ≠ D\[1, 0\]=2"),
        ([[0, -1], [-1, 0]], r"D\[0, 1\]=-1, must be positive"),
        ([[2]], r"D\[0, 0\]=2, must be 0"),
        ([[0.0, np.inf], [np.inf, 0.0]], r"D\[0, 1\]=inf, must be finite"),
        ([[0, 1]], r"shape \(1, 2\)"),
    ],
)
def test_a_metric_names_what_is_wrong(D: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        Metric(D)


def test_triangles_of_doubles_may_miss_by_rounding() -> None:
    m = Metric.line([0.1, 0.3, 0.7, 1.3])
    assert 0 <= m.defect < 1e-15
    assert m.exact().is_exact
    assert m.exact().defect == 0


def test_points_at_distance_zero_are_merged() -> None:
    m, label = quotient([[0, 0, 2], [0, 0, 2], [2, 2, 0]])
    assert m.D.tolist() == [[0, 2], [2, 0]]
    assert label.tolist() == [0, 0, 1]
    with pytest.raises(InvalidArgument, match="points 0 and 1 are at distance 0, but 2 and 3 away from 2"):
        quotient([[0, 0, 2], [0, 0, 3], [2, 3, 0]])


def test_shortest_paths_is_the_largest_metric_below() -> None:
    m = Metric.shortest_paths([[0, 1, 9], [1, 0, 1], [9, 1, 0]])
    assert m.D[0, 2] == 2


def test_a_metric_is_rebuilt_from_its_repr() -> None:
    space = {"Metric": Metric, "Fraction": F}
    for m in (THREE, Metric.line([F(1, 3), 0, 2]), Metric.line([0.5, 0.25])):
        again = eval(repr(m), space)
        assert (again.D == m.D).all()
        assert again.is_exact == m.is_exact


# ---- W₁ --------------------------------------------------------------------------------------
@settings(max_examples=60, deadline=None)
@given(triples)
def test_w1_is_that_of_the_simplex_method(x: tuple[Metric, Any, Any]) -> None:
    m, p, q = x
    t = wasserstein_1(p, q, m)
    assert t.value == by_simplex(m, p, q)
    assert t.error == 0
    assert (t.coupling.sum(axis=1) == p).all()
    assert (t.coupling.sum(axis=0) == q).all()
    assert t.potential is not None
    assert ((p - q) * t.potential).sum() == t.value
    assert lipschitz(t.potential, m) <= 1


@settings(max_examples=60, deadline=None)
@given(triples)
def test_bounds_in_doubles_contain_the_rational_distance(x: tuple[Metric, Any, Any]) -> None:
    m, p, q = x
    f = wasserstein_1(p.astype(float), q.astype(float), m.float())
    exact = wasserstein_1(p, q, m).value
    assert isinstance(f.value, float)
    assert abs(f.value - float(exact)) < 1e-13
    a, b = rl.exact_array(p.astype(float)), rl.exact_array(q.astype(float))
    meant = wasserstein_1(a / a.sum(), b / b.sum(), m.float().exact()).value
    assert F(f.lower) <= meant <= F(f.upper)
    assert f.upper - f.lower < 1e-12


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_the_closed_form_on_a_line_is_the_linear_program(x: list[int], random: Any) -> None:
    m = Metric.line([F(k, 7) for k in x])
    p, q = (rl.exact_array([random.randint(0, 5) + int(i == 0) for i in range(m.n)]) for _ in range(2))
    p, q = p / p.sum(), q / q.sum()
    assert wasserstein_1(p, q, m).value == wasserstein_1(p, q, Metric(m.D)).value
    order = np.argsort(m.points)
    F_gap = np.cumsum((p - q)[order])[:-1]
    assert wasserstein_1(p, q, m).value == (np.abs(F_gap) * np.diff(m.points[order])).sum()


def test_large_laws_agree_with_a_general_solver() -> None:
    rng = np.random.default_rng(0)
    n = 30
    x = rng.random((n, 2))
    m = Metric(np.abs(x[:, None] - x[None]).sum(axis=-1))
    p, q = rng.dirichlet(np.ones(n), 2)
    rows = np.vstack([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])
    reference = linprog(m.D.reshape(-1), A_eq=rows, b_eq=np.concatenate([p, q])).fun
    t = wasserstein_1(p, q, m)
    assert t.value == pytest.approx(reference, abs=1e-9)
    assert t.lower <= t.value <= t.upper
    assert t.error < 1e-11


def test_pot_is_certified_like_the_kernel() -> None:
    pytest.importorskip("ot", reason="POT is not installed: pip install rltheory[transport]")
    rng = np.random.default_rng(1)
    for n in (2, 5, 60):
        x = rng.random((n, 2))
        m = Metric(np.abs(x[:, None] - x[None]).sum(axis=-1))
        p, q = rng.dirichlet(np.ones(n), 2)
        ours, theirs = wasserstein_1(p, q, m), wasserstein_1(p, q, m, backend="pot")
        assert theirs.lower <= ours.upper
        assert ours.lower <= theirs.upper
        assert theirs.error < 1e-11


def test_a_missing_or_unfit_backend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = rl.exact_array([1, 0, 0]), rl.exact_array([0, 0, 1])
    with pytest.raises(InvalidArgument, match="backend='pot' with rationals"):
        wasserstein_1(p, q, THREE, backend="pot")
    a, b = p.astype(float), q.astype(float)
    with pytest.raises(InvalidArgument, match="backend='pot' with within=2"):
        wasserstein_1(a, b, THREE.float(), within=2, backend="pot")
    with pytest.raises(InvalidArgument, match="backend='gpu', must be"):
        wasserstein_1(a, b, THREE.float(), backend="gpu")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(MissingBackend, match=r"pip install rltheory\[transport\]"):
        wasserstein_1(a, b, THREE.float(), backend="pot")


@pytest.mark.parametrize(
    ("p", "says"),
    [
        ([1, 0], r"p: shape \(2,\), the metric has n=3"),
        ([F(1, 2), F(1, 4), 0], "p: sums to 3/4"),
        ([F(3, 2), F(-1, 2), 0], r"p\[1\]=-1/2, must be ≥ 0"),
        ([0.5, 0.5, np.nan], r"p\[2\]=nan, must be finite"),
    ],
)
def test_a_law_names_what_is_wrong(p: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        wasserstein_1(p, np.array([1.0, 0, 0]) if np.nan in p else np.array([1, 0, 0]), THREE)


# ---- W_∞ and restricted couplings ------------------------------------------------------------
def strassen(m: Metric, p: Any, q: Any) -> F:
    """W_∞ from Strassen's theorem: the least ε with p(A) ≤ q(A^ε) for every set A."""
    for eps in [F(0), *m.distances]:
        near = eps >= m.D
        subsets = itertools.product((False, True), repeat=m.n)
        if all(p[list(A)].sum() <= q[near[list(A)].any(axis=0)].sum() for A in subsets if any(A)):
            return F(eps)
    raise AssertionError


@settings(max_examples=60, deadline=None)
@given(triples)
def test_w_inf_is_that_of_strassen(x: tuple[Metric, Any, Any]) -> None:
    m, p, q = x
    t = wasserstein_inf(p, q, m)
    assert t.value == strassen(m, p, q)
    assert (t.coupling[t.value < m.D] == 0).all()
    assert (t.coupling.sum(axis=1) == p).all()
    assert wasserstein_inf(p.astype(float), q.astype(float), m.float()).value == float(t.value)
    within = wasserstein_1(p, q, m, within=t.value)
    assert wasserstein_1(p, q, m).value <= within.value <= t.value
    float_within = wasserstein_1(p.astype(float), q.astype(float), m.float(), within=float(t.value))
    assert float_within.lower <= float(within.value) + 1e-15
    assert float(within.value) - 1e-15 <= float_within.upper


def test_a_coupling_too_short_is_refused() -> None:
    p, q = rl.exact_array([1, 0, 0]), rl.exact_array([0, 0, 1])
    assert wasserstein_inf(p, q, THREE).value == 3
    with pytest.raises(InvalidArgument, match="no coupling of p and q is supported on D ≤ 2"):
        wasserstein_1(p, q, THREE, within=2)


# ---- kernels and constants -------------------------------------------------------------------
def test_distances_of_kernels_row_by_row() -> None:
    mdp = rl.gallery.river_swim(S=3, gamma=F(9, 10))
    other = mdp.P[:, ::-1]
    W = kernel_distance(mdp.P, other, Metric.line([0, 1, 2]))
    assert W.shape == (3, 2)
    assert W[1, 0] == wasserstein_1(mdp.P[1, 0], mdp.P[1, 1], Metric.line([0, 1, 2])).value
    floats = kernel_distance(mdp.P.astype(float), other.astype(float), Metric.line([0.0, 1.0, 2.0]))
    assert floats == pytest.approx(W.astype(float))
    with pytest.raises(InvalidArgument, match=r"P_hat \(3,\)"):
        kernel_distance(mdp.P, [0, 0, 1], THREE)


def test_the_lipschitz_constant_of_a_shift_and_of_ragged_actions() -> None:
    P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 1]]]
    mdp = rl.MDP(rl.exact_array(P), rl.exact_array([[0], [0], [0]]), F(1, 2))
    assert dynamics_lipschitz(mdp, Metric.line([0, 1, 3])) == 2
    ragged = rl.MDP.from_pairs(
        rl.exact_array([[1, 0], [0, 1], [1, 0]]),
        rl.exact_array([0, 0, 0]),
        F(1, 2),
        pair_state=[0, 0, 1],
        pair_action=[0, 1, 0],
    )
    with pytest.raises(InvalidArgument, match="action sets differ"):
        dynamics_lipschitz(ragged, Metric.line([0, 1]))


@settings(max_examples=60, deadline=None)
@given(triples, st.integers(0, 12))
def test_constants_and_envelopes_from_their_definitions(x: tuple[Metric, Any, Any], k: int) -> None:
    m, p, _ = x
    V, c, pairs = p * 5, F(k, 4), list(itertools.permutations(range(m.n), 2))
    assert lipschitz(V, m) == max(abs(V[i] - V[j]) / m.D[i, j] for i, j in pairs)
    near = [abs(V[i] - V[j]) / m.D[i, j] for i, j in pairs if m.D[i, j] <= c]
    assert local_lipschitz(V, m, c) == max(near, default=0)
    W = lipschitz_envelope(V, m, c)
    assert (W <= V).all()
    assert lipschitz(W, m) <= c
    for i in range(m.n):  # any c-Lipschitz function below V is below W: the cone at i through W_i touches V
        assert min(V[j] - W[i] + c * m.D[i, j] for j in range(m.n)) == 0
    if c >= lipschitz(V, m):
        assert (W == V).all()


def test_arguments_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"V: shape \(2,\), the metric has n=3"):
        lipschitz([0, 1], THREE)
    with pytest.raises(InvalidArgument, match="c=-1, must be ≥ 0"):
        lipschitz_envelope([0, 1, 2], THREE, -1)


def test_the_bound_on_values_is_infinite_beyond_contraction() -> None:
    assert value_lipschitz_bound(F(1), F(1, 2), F(9, 10)) == F(20, 11)
    assert value_lipschitz_bound(1.0, 2.0, 0.5) == np.inf
