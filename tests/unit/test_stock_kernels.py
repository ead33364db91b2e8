"""Stock kernels against loops written from their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rltheory.kernels import stock

S, A, B, N = 3, 2, 3, 1_300  # N is more than a block


@pytest.fixture
def model() -> dict[str, Any]:
    rng = np.random.default_rng(4)
    K = S * A * B
    return {
        "state_ptr": np.arange(0, S * A + 1, A),
        "outcome_ptr": np.arange(0, K + 1, B),
        "prob": rng.dirichlet(np.ones(B), S * A).reshape(-1),
        "next_state": rng.integers(0, S, K),
        "offset": rng.integers(0, 5, K),
        "weight": np.where(rng.random(K) < 0.5, 0.0, rng.random(K)),
        "kind": rng.integers(0, 4, K),
        "rng": rng,
    }


def pairs(m: dict[str, Any]) -> tuple[Any, ...]:
    return m["state_ptr"], m["outcome_ptr"], m["prob"]


def test_a_shifted_backup_is_its_sum(model: dict[str, Any]) -> None:
    W = model["rng"].normal(size=(S, N + 6))
    V, act = np.empty((S, N)), np.empty((S, N), np.uint16)
    moves = model["next_state"], model["offset"], model["weight"]
    stock.shift_backup(*pairs(model), *moves, W, V, act)
    for s in range(S):
        q = np.zeros((A, N))
        for a in range(A):
            for k in range((s * A + a) * B, (s * A + a + 1) * B):
                o, w, t = model["offset"][k], model["weight"][k], model["next_state"][k]
                q[a] += model["prob"][k] * ((1 - w) * W[t, o : o + N] + w * W[t, o + 1 : o + 1 + N])
        np.testing.assert_allclose(V[s], q.max(0), rtol=1e-14, atol=1e-14)
        np.testing.assert_array_equal(act[s], q.argmax(0))


def test_ties_go_to_the_lowest_action_and_the_value_is_the_largest() -> None:
    ptr, one = np.array([0, 2]), np.ones(2)
    W = np.array([[0.0, 5e-13, 1e-11]])
    V, act = np.empty((1, 2)), np.empty((1, 2), np.uint16)
    outcomes = ptr, np.arange(3), one, np.zeros(2, np.int64)
    stock.shift_backup(*outcomes, np.array([0, 1]), np.zeros(2), W, V, act)
    assert V[0].tolist() == [5e-13, 1e-11]
    assert act[0].tolist() == [0, 1]


def test_the_push_is_the_adjoint_of_the_backup(model: dict[str, Any]) -> None:
    """⟨mass, V⟩ = ⟨push(mass), W⟩, and mass is kept."""
    W = model["rng"].normal(size=(S, N + 6))
    V, act = np.empty((S, N)), np.empty((S, N), np.uint16)
    moves = model["next_state"], model["offset"], model["weight"]
    stock.shift_backup(*pairs(model), *moves, W, V, act)
    mass = model["rng"].random((S, N)) * (model["rng"].random((S, N)) < 0.3)
    mass /= mass.sum()
    out = np.zeros_like(W)
    stock.shift_push(*pairs(model), *moves, act, mass, out)
    assert (mass * V).sum() == pytest.approx((out * W).sum(), rel=1e-13)
    assert out.sum() == pytest.approx(1, rel=1e-14)


def test_the_last_step(model: dict[str, Any]) -> None:
    F = model["rng"].normal(size=(4, N))
    V, act = np.empty((S, N)), np.empty((S, N), np.uint16)
    stock.last_backup(*pairs(model), model["kind"], F, V, act)
    q = (model["prob"][:, None] * F[model["kind"]]).reshape(S, A, B, N).sum(2)
    np.testing.assert_allclose(V, q.max(1), rtol=1e-14, atol=1e-14)
    mass = model["rng"].random((S, N))
    out = np.zeros((4, N))
    stock.last_push(*pairs(model), model["kind"], act, mass, out)
    assert (mass * V).sum() == pytest.approx((out * F).sum(), rel=1e-13)


@pytest.mark.parametrize("gamma", [0.3, 0.5, 0.9])
def test_a_stretched_sweep_interpolates_and_knows_the_far_field(model: dict[str, Any], gamma: float) -> None:
    rng, rewards = model["rng"], np.array([-2.0, -0.3, 0.0, 1.7])
    lo, n = -1.5, 41
    delta = 0.1
    nodes = lo + delta * np.arange(n)
    first, last = np.empty(4, np.int64), np.empty(4, np.int64)
    cell, weight = np.empty((4, n), np.uint32), np.empty((4, n))
    stock.stretch_table(rewards, gamma, lo, delta, n, first, last, cell, weight)
    V, ends = rng.normal(size=(S, n)), rng.normal(size=(2, S))
    out, act = np.empty((S, n)), np.empty((S, n), np.uint16)
    left, right = -0.7, 1.3
    table = first, last, cell, weight
    res, norm = stock.stretch_sweep(
        *pairs(model), model["next_state"], model["kind"], gamma, *table, left, right, ends, V, out, act
    )

    def value(t: int, c: Any) -> Any:
        inside = np.interp(c, nodes, V[t])
        far = np.where(c <= lo, left * (c + ends[0, t]), right * (c + ends[1, t]))
        return np.where((c > lo) & (c < nodes[-1]), inside, far)

    q = np.zeros((S, A, n))
    for k in range(S * A * B):
        s, a = divmod(k // B, A)
        c = (nodes + rewards[model["kind"][k]]) / gamma
        q[s, a] += gamma * model["prob"][k] * value(model["next_state"][k], c)
    np.testing.assert_allclose(out[:, 1:-1], q.max(1)[:, 1:-1], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(out[:, [0, -1]], V[:, [0, -1]])
    np.testing.assert_array_equal(act, q.argmax(1))
    assert res == pytest.approx(abs(out - V)[:, 1:-1].max())
    assert norm == pytest.approx(abs(out)[:, 1:-1].max())
    points = np.array([-9.0, lo, -0.77, 0.123, 2.4, 2.5, 30.0])
    found, best, noise = np.empty(7, np.uint16), np.empty(7), np.empty(7)
    N = rng.random((S, n))
    grown = np.empty((S, n))
    stock.stretch_noise(
        *pairs(model),
        model["next_state"],
        model["kind"],
        gamma**2,
        first,
        last,
        cell,
        weight,
        delta**2,
        N,
        grown,
    )

    def spread(t: int, c: Any) -> Any:
        inside = (c > lo) & (c < nodes[-1])
        w = (c - lo) / delta % 1
        return np.where(inside, w * (1 - w) * delta**2 + np.interp(c, nodes, N[t]), 0.0)

    for s in range(S):
        stock.stretch_actions(
            *pairs(model), model["next_state"], rewards[model["kind"]], gamma,
            lo, delta, left, right, ends, V, N, s, points, found, best, noise,
        )  # fmt: skip
        at, loud, all_loud = np.zeros((A, 7)), np.zeros((A, 7)), np.zeros((A, n))
        for k in range(s * A * B, (s + 1) * A * B):
            c = (points + rewards[model["kind"][k]]) / gamma
            at[(k // B) % A] += gamma * model["prob"][k] * value(model["next_state"][k], c)
            loud[(k // B) % A] += gamma**2 * model["prob"][k] * spread(model["next_state"][k], c)
            c = (nodes + rewards[model["kind"][k]]) / gamma
            all_loud[(k // B) % A] += gamma**2 * model["prob"][k] * spread(model["next_state"][k], c)
        np.testing.assert_allclose(best, at.max(0), rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(found, at.argmax(0))
        np.testing.assert_allclose(noise, loud.max(0), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(grown[s], all_loud.max(0), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sweeps", [1, 2, 7, 8])
def test_iterating_is_sweeping(model: dict[str, Any], sweeps: int) -> None:
    rewards, n = np.array([-2.0, -0.3, 0.0, 1.7]), 31
    first, last = np.empty(4, np.int64), np.empty(4, np.int64)
    cell, weight = np.empty((4, n), np.uint32), np.empty((4, n))
    stock.stretch_table(rewards, 0.6, -5.0, 0.4, n, first, last, cell, weight)
    head = *pairs(model), model["next_state"], model["kind"], 0.6, first, last, cell, weight, -1.0, 1.0
    ends, V = np.zeros((2, S)), model["rng"].normal(size=(S, n))
    act, x = np.empty((S, n), np.uint16), V.copy()
    done, rho, _ = stock.stretch_iterate(*head, ends, V, act, 0.0, sweeps)
    for _ in range(sweeps):
        y = np.empty_like(x)
        res, _ = stock.stretch_sweep(*head, ends, x, y, act)
        x = y
    assert (done, rho) == (sweeps, res)
    np.testing.assert_array_equal(V, x)


def test_nan_never_converges(model: dict[str, Any]) -> None:
    rewards, n = np.array([0.0]), 5
    table = np.empty(1, np.int64), np.empty(1, np.int64), np.empty((1, n), np.uint32), np.empty((1, n))
    stock.stretch_table(rewards, 0.5, -1.0, 0.5, n, *table)
    V = np.full((S, n), np.nan)
    kind = np.zeros(S * A * B, np.int64)
    head = *pairs(model), model["next_state"], kind, 0.5, *table, 1.0, 1.0, np.zeros((2, S)), V
    done, rho, _ = stock.stretch_iterate(*head, np.empty((S, n), np.uint16), 1e-9, 3)
    assert done <= 3
    assert not rho <= 1e-9
