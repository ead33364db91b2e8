"""The batch call against one-by-one solves; containment is in `property/test_enclosures.py`."""

from __future__ import annotations

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP
from rltheory.errors import InvalidArgument, InvalidModel, NotConverged
from rltheory.kernels import batched
from rltheory.solvers import evaluate_batch, solve_batch


def draw(rng: np.random.Generator, B: int, S: int, A: int) -> tuple[np.ndarray, np.ndarray]:
    P = rng.dirichlet(np.full(S, 0.3), (B, S, A))
    P[:, 0] = np.eye(S)[0]  # an absorbing state: spans do not help there
    return P, rng.normal(size=(B, S, A))


@pytest.mark.parametrize(("S", "A"), [(1, 1), (2, 3), (7, 2), (20, 4), (40, 1)])
def test_agrees_with_one_by_one(S: int, A: int) -> None:
    rng = np.random.default_rng(S)
    P, R = draw(rng, 20, S, A)
    gamma = rng.choice([0.0, 0.5, 0.9, 0.999], 20)
    batch = solve_batch(P, R, gamma).raise_if_failed()
    mixed = rng.dirichlet(np.ones(A), (20, S))
    soft = evaluate_batch(P, R, gamma, mixed).raise_if_failed()
    hard = evaluate_batch(P, R, gamma, batch.pi).raise_if_failed()
    for b in range(20):
        mdp = MDP(P[b], R[b], float(gamma[b]))
        one = rl.solve(mdp, rl.PolicyIteration())
        assert np.abs(one.V - batch.V[b]).max() <= one.error + batch.error[b]
        assert np.abs(one.V - hard.V[b]).max() <= one.error + hard.error[b] + batch.error[b]
        own = rl.evaluate(mdp, mixed[b])
        assert np.abs(own.V - soft.V[b]).max() <= own.error + soft.error[b]
        assert batch.value(b, 0).lower <= one.V[0] + one.error


def test_elimination_solves_linear_systems() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 30):
        M = np.eye(n) - 0.9 * rng.dirichlet(np.ones(n), n)
        x = b = rng.normal(size=n)
        x, LU = b.copy(), M.copy()
        assert batched.eliminate(LU)
        batched.substitute(LU, x)
        assert np.allclose(M @ x, b, atol=1e-12)
    assert not batched.eliminate(np.array([[0.0, 1.0], [1.0, 0.0]]))


def test_impossible_tolerance_is_reported_per_model() -> None:
    P, R = draw(np.random.default_rng(1), 3, 4, 2)
    R[1] = 0
    batch = solve_batch(P, R, 0.9, tol=1e-19)
    assert batch.solved.tolist() == [False, True, False] or not batch.solved.all()
    with pytest.raises(NotConverged, match="model 0"):
        batch.raise_if_failed()
    huge = solve_batch(P, np.full(R.shape, 1e307), 0.999999)
    assert huge.error.tolist() == [np.inf] * 3
    assert not huge.solved.any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda P, R, pi: (P * 0.5, R, 0.9, None), InvalidModel, r"model 0: row \(s=0, a=0\) sums to 0.5"),
        (lambda P, R, pi: (P, R[:, :, :1], 0.9, None), InvalidModel, "must be"),
        (lambda P, R, pi: (P, R, [0.5, 1.0], None), InvalidModel, r"gamma\[1\]=1.0"),
        (lambda P, R, pi: (P, R, float("nan"), None), InvalidModel, r"gamma\[0\]=nan"),
        (lambda P, R, pi: (P, R * np.nan, 0.9, None), InvalidModel, "reward nan"),
        (lambda P, R, pi: (P * np.nan, R, 0.9, None), InvalidModel, "sums to nan"),
        (lambda P, R, pi: (P, R, 0.9, pi + 5), InvalidArgument, r"pi\[0, 0\]=5"),
        (lambda P, R, pi: (P, R, 0.9, np.ones((2, 3, 2))), InvalidArgument, "sum to 1"),
        (lambda P, R, pi: (P, R, 0.9, [0.5]), InvalidArgument, "shape"),
    ],
)
def test_refusals(change: object, error: type, message: str) -> None:
    P, R = draw(np.random.default_rng(1), 2, 3, 2)
    P, R, gamma, pi = change(P, R, np.zeros((2, 3), dtype=int))
    with pytest.raises(error, match=message):
        solve_batch(P, R, gamma) if pi is None else evaluate_batch(P, R, gamma, pi)
