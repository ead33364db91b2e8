"""Enclosures contain the exact value of the rational model, always; without the rounding term they do not.

The exact value is recomputed here with python-flint alone (`tests.instances`), so a wrong bound
cannot hide behind the solver that produced it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP, Policy
from rltheory.kernels import bellman_csr, bellman_dense, bellman_runs, certificate
from rltheory.operators._arrays import csr_arrays, read_only
from rltheory.solvers import choice
from rltheory.solvers.base import optimal_bounds, policy_bounds
from rltheory.solvers.probe import probe
from tests.instances import exact_optimum, exact_value, inside, rational_parts, to_q, wild_model


@dataclass(frozen=True)
class Structured:
    """`Portfolio` without its path for small models."""

    tol: float = 1e-8

    def run(self, mdp: MDP) -> rl.Solution:
        return choice.structured(mdp, self.tol)


@dataclass(frozen=True)
class HandedOver:
    """`Structured` whose first path is given one improvement."""

    tol: float = 1e-8

    def run(self, mdp: MDP) -> rl.Solution:
        known = probe(mdp)
        why, first = choice.choose(mdp, known, self.tol)
        if not isinstance(first, rl.solvers.Topological) or not known.ordered:
            first = replace(first, max_iter=1)
        return choice.first_solved(mdp, [(why, first), *choice.others(mdp, first, known, self.tol)])


N = 2000
RUNS = {
    "vi": rl.ValueIteration(max_iter=3000),
    "vi-short": rl.ValueIteration(max_iter=3),
    "gs": rl.ValueIteration(sweep="gauss-seidel", max_iter=3000),
    "mpi": rl.ModifiedPolicyIteration(max_iter=50),
    "pi": rl.PolicyIteration(),
    "small": rl.solvers.SmallDense(),
    "topological": rl.solvers.Topological(max_iter=500),
    "banded": rl.solvers.BandedPolicyIteration(max_iter=500),
    "in-place": rl.solvers.GaussSeidel(max_iter=500),
    "krylov": rl.solvers.InexactPolicyIteration(max_iter=500),
    "krylov-goal-first": rl.solvers.InexactPolicyIteration(max_iter=500, reorder=True),
    "structured": Structured(),
    "handed over": HandedOver(),
}


@cache
def instances() -> list[tuple[MDP, list, np.ndarray]]:
    """N models with their exact V* and an optimal row per state."""
    rng = np.random.default_rng(20240607)
    out = []
    for _ in range(N):
        mdp = wild_model(rng)
        guess = rl.PolicyIteration().run(mdp).pi
        key = mdp.pair_state * mdp.A + mdp.pair_action
        V, rows = exact_optimum(mdp, np.searchsorted(key, np.arange(mdp.S) * mdp.A + guess.actions))
        out.append((mdp, V, np.array(rows)))
    return out


def test_instances_are_varied() -> None:
    models = [m for m, _, _ in instances()]
    assert {m.layout for m in models} == {"dense", "csr"}
    assert sum(not m.is_uniform for m in models) > 300
    assert sum(m.terminal.any() for m in models) > 300
    assert {m.gamma for m in models} >= {0.0, 0.9999, 1 - 1e-6}
    assert sum(bool(((m.csr[0] > 0) & (m.csr[0] < 1e-10)).any()) for m in models) > 200
    assert sum(float(np.abs(m.R_pairs).max()) > 1e6 for m in models) > 300


@pytest.mark.parametrize("name", RUNS)
def test_optimal_value_is_inside(name: str) -> None:
    solved = 0
    for i, (mdp, V, _) in enumerate(instances()):
        sol = RUNS[name].run(mdp)
        assert inside(V, sol.lower, sol.upper), f"{name}, instance {i}: {mdp.literal()}"
        assert np.isfinite(sol.upper - sol.lower).all()
        for x in (sol.V, sol.lower, sol.upper):
            assert not x[mdp.terminal].any()
        worst = max(abs(to_q(x) - v) for x, v in zip(sol.V.tolist(), V))
        assert worst <= to_q(sol.error)
        loss = max(v - w for v, w in zip(V, exact_value(mdp, sol.pi.matrix(mdp.A))))
        assert loss <= to_q(sol.info["loss"])
        solved += sol.status.ok
    assert solved > {"vi-short": 0, "gs": 0.7 * N}.get(name, 0.8 * N)


def test_batch_is_inside() -> None:
    rng = np.random.default_rng(5)
    for S, A in ((1, 1), (2, 3), (5, 2), (6, 4)):
        P = rng.dirichlet(np.full(S, 0.4), (60, S, A))
        P[rng.random((60, S, A)) < 0.3] = np.eye(S)[0]
        R = rng.normal(size=(60, S, A)) * 10.0 ** rng.uniform(-8, 8, (60, 1, 1))
        gamma = rng.choice([0.0, 0.5, 0.99, 0.9999, 1 - 1e-6], 60)
        batch = rl.solve_batch(P, R, gamma)
        pi = rng.integers(A, size=(60, S))
        mixed = rng.dirichlet(np.ones(A), (60, S))
        fixed = rl.solvers.evaluate_batch(P, R, gamma, pi)
        soft = rl.solvers.evaluate_batch(P, R, gamma, mixed)
        for b in range(60):
            mdp = MDP(P[b], R[b], float(gamma[b]))
            assert inside(exact_optimum(mdp, None)[0], batch.lower[b], batch.upper[b])
            assert inside(exact_value(mdp, np.eye(A)[pi[b]]), fixed.lower[b], fixed.upper[b])
            assert inside(exact_value(mdp, mixed[b]), soft.lower[b], soft.upper[b])
        assert batch.solved.mean() > 0.9


def test_policy_values_are_inside() -> None:
    rng = np.random.default_rng(6)
    solved = 0
    for mdp, _, rows in instances()[: N // 2]:
        table = mdp.allowed * rng.dirichlet(np.full(mdp.A, 0.5), mdp.S)
        table[table.sum(axis=1) < 1e-9] = 0
        empty = table.sum(axis=1) == 0
        table[empty] = mdp.allowed[empty]
        table /= table.sum(axis=1, keepdims=True)
        fixed = Policy(mdp.pair_action[rows], A=mdp.A)
        for pi, t in ((Policy(table), table), (fixed, fixed.matrix(mdp.A))):
            sol = rl.evaluate(mdp, pi)
            assert inside(exact_value(mdp, t), sol.lower, sol.upper), (mdp.literal(), pi)
            solved += sol.status.ok
    assert solved > 0.95 * N


def test_rational_policy_on_a_float_model_is_inside() -> None:
    rng = np.random.default_rng(7)
    for mdp, _, _ in instances()[:200]:
        table = mdp.allowed * rng.integers(1, 8, (mdp.S, mdp.A))
        exact = rl.exact_array(table)
        exact = exact / exact.sum(axis=1, keepdims=True)
        sol = rl.evaluate(mdp, Policy(exact))
        assert inside(exact_value(mdp, exact), sol.lower, sol.upper)


def test_bounds_hold_at_any_point_and_without_rounding_they_break() -> None:
    """At V* rounded to doubles (and a few ulps off) only the rounding term keeps V* inside."""
    rng = np.random.default_rng(8)
    broken = broken_policy = total = 0
    for mdp, V, rows in instances()[::2]:
        near = np.array([float(v.p) / float(v.q) if max(abs(v.p), v.q) < 10**300 else _round(v) for v in V])
        pi = Policy(mdp.pair_action[rows], A=mdp.A)
        for ulps in (0, 0, 1, 3, 100):
            point = near + rng.integers(-ulps, ulps + 1, mdp.S) * np.spacing(near)
            for bounds in (optimal_bounds(mdp, point), policy_bounds(mdp, pi, point)):
                assert inside(V, bounds.lower, bounds.upper), (mdp.literal(), point.tolist())
            bare = optimal_bounds(mdp, point, with_rounding=False)
            broken += not inside(V, bare.lower, bare.upper)
            bare = policy_bounds(mdp, pi, point, with_rounding=False)
            broken_policy += not inside(V, bare.lower, bare.upper)
            total += 1
    assert broken > 0.2 * total, f"{broken} of {total}: the rounding term looks idle"
    assert broken_policy > 0.2 * total


def _round(v: object) -> float:
    from fractions import Fraction

    return float(Fraction(int(v.p), int(v.q)))  # type: ignore[attr-defined]


MAGNITUDES = (-320, -308, -160, -20, 0, 20, 150, 300, 308)


@pytest.mark.parametrize("rounding", [True, False])
def test_one_backup_is_enclosed_at_any_magnitude(rounding: bool) -> None:
    """lo ≤ TV ≤ hi from subnormal to overflowing numbers; the bare numbers are off by rounding."""
    rng = np.random.default_rng(9)
    missed = 0
    for _ in range(400):
        mdp = wild_model(rng, (0.3, 0.9, 1 - 1e-9))
        scale = 10.0 ** float(rng.choice(MAGNITUDES))
        R = mdp.R_pairs / max(1.0, float(np.abs(mdp.R_pairs).max())) * scale
        mdp = mdp.replace(R=np.where(mdp.terminal[mdp.pair_state], 0, R))
        V = rng.normal(size=mdp.S) * 10.0 ** rng.uniform(-3, 0, mdp.S) * scale
        P, r, gamma, ptr = rational_parts(mdp)
        v = [to_q(x) for x in V]
        q = [r[k] + gamma * sum(p * x for p, x in zip(P[k], v)) for k in range(mdp.N)]
        TV = [max(q[ptr[s] : ptr[s + 1]]) for s in range(mdp.S)]
        dense = (read_only(mdp.P_pairs), *csr_arrays(mdp)[-3:])
        widest = int(np.diff(mdp.csr[2]).max())
        flat, R = read_only(mdp.P_pairs.reshape(-1)), csr_arrays(mdp)[-3:]
        runs = (
            flat,
            np.zeros(mdp.N, np.uint32),
            np.arange(mdp.N + 1).astype(np.uint64) * np.uint64(mdp.S),
            *R,
        )
        for kernels, model, longest in (
            (bellman_csr, csr_arrays(mdp), widest),
            (bellman_dense, dense, mdp.S),
            (bellman_runs, runs, mdp.S),
        ):
            z, rows = np.empty(mdp.S), np.empty(mdp.S, np.int64)
            kernels.greedy_backup(*model, V, 0.0, z, rows)
            if kernels is bellman_dense:
                smax = certificate.row_sums_dense(model[0])[1]
            else:
                smax = certificate.row_sums(model[0], model[2])[1]
            norms = (float(np.abs(V).max()), float(np.abs(mdp.R_pairs).max()))
            e, _ = certificate.backup_error(longest, float(mdp.gamma), smax, *norms)
            e = e if rounding else 0.0
            lo, hi = (z - e, z + e) if np.isfinite(e) else (np.full_like(z, -np.inf), np.full_like(z, np.inf))
            missed += not inside(TV, lo, hi)
    assert missed == 0 if rounding else missed > 100


def test_extreme_rewards_and_discounts_are_still_enclosed() -> None:
    rng = np.random.default_rng(10)
    finite = 0
    for _ in range(200):
        mdp = wild_model(rng, (0.5, 0.999999, 1 - 1e-9, 1 - 1e-12))
        scale = 10.0 ** float(rng.choice(MAGNITUDES))
        R = mdp.R_pairs / max(1.0, float(np.abs(mdp.R_pairs).max())) * scale
        mdp = mdp.replace(R=np.where(mdp.terminal[mdp.pair_state], 0, R))
        V = exact_optimum(mdp)[0]
        for solver in (rl.PolicyIteration(), rl.ValueIteration(max_iter=50), rl.solvers.SmallDense()):
            sol = solver.run(mdp)
            assert inside(V, sol.lower, sol.upper), (mdp.literal(), solver)
            finite += bool(np.isfinite(sol.upper).all())
    assert finite > 200


def test_nan_and_infinity_never_certify() -> None:
    mdp = rl.gallery.puterman_two_state(gamma=0.9)
    for bad in ([np.nan, 0.0], [0.0, np.inf], [-np.inf, np.nan]):
        bounds = optimal_bounds(mdp, np.array(bad))
        assert not bounds.finite
        assert not np.isnan(bounds.lower).any()
        assert not np.isnan(bounds.upper).any()


def test_rows_that_sum_past_one_over_gamma_give_no_bound() -> None:
    gamma = 1 - 1e-13
    mdp = MDP([[[0.5 + 3e-13, 0.5], [0.0, 1.0]]] * 2, [[1.0, 0.0]] * 2, gamma)
    assert not optimal_bounds(mdp, np.zeros(2)).finite
