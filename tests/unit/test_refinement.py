"""Corrections of solutions: the doubled precision holds its bound, enclosures hold V*, errors shrink."""

from __future__ import annotations

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP
from rltheory.solvers.refinement import _residual, refined
from tests.instances import exact_optimum, inside, rational_parts, to_q, wild_model


def rational_residual(mdp: MDP, V: np.ndarray) -> list:
    P, R, gamma, ptr = rational_parts(mdp)
    v = [to_q(x) for x in V]
    owner = np.repeat(np.arange(mdp.S), np.diff(ptr))
    return [R[k] + gamma * sum(p * x for p, x in zip(P[k], v)) - v[owner[k]] for k in range(mdp.N)]


def test_residuals_are_as_good_as_one_rounding() -> None:
    rng = np.random.default_rng(1)
    plain_misses = 0
    for _ in range(100):
        mdp = wild_model(rng)
        V = rl.solve(mdp, rl.PolicyIteration(), throw=False).V
        r, e = _residual(mdp, V)
        truth = rational_residual(mdp, V)
        assert all(abs(to_q(x) - t) <= to_q(e) for x, t in zip(r, truth))
        q = mdp.R_pairs + mdp.gamma * (mdp.P_pairs @ V) - V[mdp.pair_state]
        plain_misses += any(abs(to_q(x) - t) > to_q(e) for x, t in zip(q, truth))
    assert plain_misses > 30  # doubles alone are far outside the bound


def test_layouts_agree() -> None:
    rng = np.random.default_rng(2)
    P = rng.dirichlet(np.ones(40), (40, 2))
    R = rng.normal(size=(40, 2)) * 1e6
    dense = MDP(P, R, 0.99)
    csr = MDP.from_pairs(
        (P.reshape(-1), np.tile(np.arange(40), 80), np.arange(81) * 40), R.reshape(-1), 0.99,
        pair_state=np.repeat(np.arange(40), 2), pair_action=np.tile([0, 1], 40), S=40,
    )  # fmt: skip
    V = rl.solve(dense, rl.PolicyIteration()).V
    (r, e), (s, f) = _residual(dense, V), _residual(csr, V)
    assert np.abs(r - s).max() <= e + f


@pytest.mark.parametrize("gamma", [(0.5, 0.99), (0.9999, 1 - 1e-6)])
def test_refined_bounds_hold_the_optimum_and_shrink(gamma: tuple[float, ...]) -> None:
    rng = np.random.default_rng(3)
    gains = []
    for _ in range(60):
        mdp = wild_model(rng, gamma)
        V = exact_optimum(mdp)[0]
        sol = rl.PolicyIteration().run(mdp)
        better = refined(mdp, sol, rl.PolicyIteration(), 1e-15)
        assert inside(V, better.lower, better.upper), mdp.literal()
        assert max(abs(to_q(x) - v) for x, v in zip(better.V.tolist(), V)) <= to_q(better.error)
        assert better.error <= sol.error
        assert not better.V[mdp.terminal].any()
        if sol.error > 0:
            gains.append(float(better.error) / float(sol.error))
    assert np.median(gains) < (0.5 if gamma[0] < 0.99 else 0.2)


def test_residuals_in_plain_doubles_lose_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    import rltheory.solvers.refinement as module

    rng, lost = np.random.default_rng(4), 0
    for _ in range(60):
        mdp = wild_model(rng, (0.9999,))
        sol = rl.PolicyIteration().run(mdp)
        q = mdp.R_pairs + mdp.gamma * (mdp.P_pairs @ sol.V) - sol.V[mdp.pair_state]
        e = _residual(mdp, sol.V)[1]
        monkeypatch.setattr(
            module, "_residual", lambda m, V, q=q, e=e: (np.where(m.terminal[m.pair_state], 0, q), e)
        )
        got = refined(mdp, sol, rl.PolicyIteration(), 1e-15)
        monkeypatch.undo()
        lost += not inside(exact_optimum(mdp)[0], got.lower, got.upper)
    assert lost > 10
