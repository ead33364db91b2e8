"""Projected Bellman kernels and operators against definitions in rationals, one outcome at a time."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument
from rltheory.kernels import categorical, quantile
from rltheory.operators import (
    categorical_bellman,
    categorical_laws,
    categorical_projection,
    quantile_bellman,
    quantile_laws,
    quantile_projection,
    sup_cramer,
    sup_wasserstein,
)
from rltheory.operators.distributional import CategoricalStep, QuantileStep, is_uniform
from rltheory.operators.outcome_chain import policy_chain

GAMMAS = [F(1, 10), F(1, 2), F(2, 3), F(3, 4), F(9, 10), F(19, 20), F(99, 100), F(1)]


def random_model(seed: int, gamma: F, *, S: int = 4, ragged: bool = True) -> rl.OutcomeMDP:
    """Rational outcome lists with ties, repeated outcomes and pairs of one to four outcomes."""
    rng = np.random.default_rng(seed)
    lists: list[Any] = []
    for _ in range(S):
        actions = []
        for _ in range(int(rng.integers(1, 4))):
            b = int(rng.integers(1, 5)) if ragged else 3
            w = rng.integers(1, 6, b)
            actions.append(
                [(F(int(v), int(w.sum())), int(rng.integers(S)), F(int(rng.integers(-6, 7)), 3)) for v in w]
            )
        lists.append(actions)
    return rl.OutcomeMDP.from_lists(lists, gamma=gamma)


def random_masses(rng: np.random.Generator, S: int, m: int) -> np.ndarray:
    out = np.empty((S, m), dtype=object)
    for s in range(S):
        w = rng.integers(0, 4, m)
        w[0] += 1
        out[s] = [F(int(v), int(w.sum())) for v in w]
    return out


def slow_categorical(model: rl.OutcomeMDP, pairs: list[int], grid: list[F], laws: Any) -> tuple[Any, Any]:
    """Masses and clipped mass, by hats: Π_C gives z_i the mean of max(0, 1 − distance in cells)."""
    out = [[F(0)] * len(grid) for _ in pairs]
    lost = [F(0)] * len(pairs)
    for i, n in enumerate(pairs):
        for k in range(model.outcome_ptr[n], model.outcome_ptr[n + 1]):
            for j, z in enumerate(grid):
                p = model.prob[k] * laws[model.next_state[k], j]
                y = model.reward[k] + model.gamma * z
                if not grid[0] <= y <= grid[-1]:
                    lost[i] += p
                y = min(max(y, grid[0]), grid[-1])
                for h, x in enumerate(grid):
                    if y == x:
                        out[i][h] += p
                    elif h > 0 and grid[h - 1] < y < x:
                        out[i][h] += p * (y - grid[h - 1]) / (x - grid[h - 1])
                    elif h + 1 < len(grid) and x < y < grid[h + 1]:
                        out[i][h] += p * (grid[h + 1] - y) / (grid[h + 1] - x)
    return out, lost


def slow_quantile(model: rl.OutcomeMDP, n: int, laws: Any) -> list[F]:
    m = laws.shape[1]
    atoms: dict[F, F] = {}
    for k in range(model.outcome_ptr[n], model.outcome_ptr[n + 1]):
        for theta in laws[model.next_state[k]]:
            x = model.reward[k] + model.gamma * theta
            atoms[x] = atoms.get(x, F(0)) + model.prob[k] / m
    return [
        min(x for x in atoms if sum(p for y, p in atoms.items() if y <= x) >= F(2 * i - 1, 2 * m))
        for i in range(1, m + 1)
    ]


@pytest.mark.parametrize("gamma", GAMMAS, ids=str)
@pytest.mark.parametrize("m", [2, 3, 7, 40])
def test_categorical_backups_by_definition(gamma: F, m: int) -> None:
    """Grids that cover the returns and grids that clip them; equal and unequal cells; all pairs at once."""
    for seed in range(3):
        rng = np.random.default_rng([seed, m])
        model = random_model(seed, gamma)
        laws = random_masses(rng, model.S, m)
        lo = -F(int(rng.integers(1, 12)), 2)
        step = F(int(rng.integers(2, 30)), 4 * m)
        even = [lo + i * step for i in range(m)]
        bent = sorted({lo + step * i + (step * F(i % 3, 7)) for i in range(m)})
        for grid in (even, bent):
            want, lost = slow_categorical(model, list(range(model.N)), grid, laws)
            masses, clipped = np.empty((model.N, m)), np.empty(model.N)
            f = model.float()
            args = (
                np.arange(model.N, dtype=np.uint64), f.outcome_ptr.astype(np.uint64), f.prob,
                f.next_state.astype(np.uint32), f.reward, float(gamma),
            )  # fmt: skip
            z = np.array(grid, dtype=float)
            if grid is even:
                categorical.backup_uniform(*args, z[0], float(step), laws.astype(float), masses, clipped)
            else:
                categorical.backup_grid(*args, z, laws.astype(float), masses, clipped)
            assert np.abs(masses - np.array(want, dtype=float)).max() <= 1e-13
            assert np.abs(clipped - np.array(lost, dtype=float)).max() <= 1e-13
            assert masses.min() >= 0
            assert np.abs(masses.sum(axis=1) - 1).max() <= 1e-13


@pytest.mark.parametrize("gamma", [0.97, 0.85, 0.5])
def test_long_laws_agree_with_the_walk_on_any_grid(gamma: float) -> None:
    """The vector path on 500 atoms against the one-cell-at-a-time walk; with the grid's ends hit exactly."""
    rng = np.random.default_rng(3)
    S, m, b = 30, 500, 4
    r = rng.choice([-1.0, 1.0, 0.3, 0.77], S * b)
    args = (
        np.arange(S, dtype=np.uint64), np.arange(0, S * b + 1, b).astype(np.uint64),
        rng.dirichlet(np.ones(b), S).ravel(), rng.integers(0, S, S * b).astype(np.uint32), r, gamma,
    )  # fmt: skip
    z = np.linspace(-1 / (1 - gamma), 1 / (1 - gamma), m)
    laws = rng.dirichlet(np.ones(m), S)
    fast, slow, lost = np.empty((S, m)), np.empty((S, m)), np.empty((2, S))
    categorical.backup_uniform(*args, z[0], (z[-1] - z[0]) / (m - 1), laws, fast, lost[0])
    categorical.backup_grid(*args, z, laws, slow, lost[1])
    assert np.abs(fast - slow).max() <= 1e-14
    assert np.abs(lost).max() <= 1e-15  # ends of the range are inside, rounding or not
    assert (
        np.abs(fast @ z - (args[2] * (r + gamma * (laws @ z)[args[3]])).reshape(S, b).sum(1)).max() <= 1e-11
    )


@pytest.mark.parametrize("gamma", [F(1, 2), F(9, 10), F(1)], ids=str)
@pytest.mark.parametrize("m", [1, 2, 5, 8])
def test_quantile_backups_by_definition(gamma: F, m: int) -> None:
    for seed in range(4):
        rng = np.random.default_rng([seed, m])
        model = random_model(seed, gamma, S=3)
        laws = np.empty((model.S, m), dtype=object)
        for s in range(model.S):
            laws[s] = sorted(F(int(v), 2) for v in rng.integers(-6, 6, m))
        f = model.float()
        out = np.empty((model.N, m))
        quantile.backup(
            np.arange(model.N, dtype=np.uint64), f.outcome_ptr.astype(np.uint64), f.prob,
            f.next_state.astype(np.uint32), f.reward, float(gamma), laws.astype(float), out,
        )  # fmt: skip
        for n in range(model.N):
            want = [float(x) for x in slow_quantile(model, n, laws)]
            assert np.abs(out[n] - want).max() <= 1e-13, (n, out[n], want)


@pytest.mark.parametrize("b", [1, 2, 3, 4, 5, 6, 7, 9, 16])
@pytest.mark.parametrize("kind", ["uniform", "masses", "zero mass", "ulps", "ragged"])
def test_quantile_merges_of_any_width(b: int, kind: str) -> None:
    """Against a sort, to the last bit: masses tied with levels, atoms an ulp apart, any number of lists."""
    rng = np.random.default_rng([b, len(kind)])
    S, m = 41, 23
    count = rng.integers(1, b + 1, S) if kind == "ragged" else np.full(S, b)
    ptr = np.append(0, np.cumsum(count))
    prob = np.concatenate(
        [np.full(n, 1.0 / n) if kind == "uniform" else rng.dirichlet(np.ones(n)) for n in count]
    )
    if kind == "zero mass" and b > 1:
        prob = prob.reshape(S, b)
        prob[:, rng.integers(b)] = 0.0
        prob = (prob / prob.sum(axis=1, keepdims=True)).ravel()
    nxt, r = rng.integers(0, S, prob.size), rng.normal(size=prob.size).round(1)
    laws = np.sort(rng.normal(size=(S, m)).round(1), axis=1)
    if kind == "ulps":
        r, laws = (
            r * 0.0,
            np.sort(rng.choice([-1.0, 1.0], (S, m)) + rng.integers(0, 9, (S, m)) * 2.0**-52, axis=1),
        )
    out = np.empty((S, m))
    args = (np.arange(S, dtype=np.uint64), ptr.astype(np.uint64), prob, nxt.astype(np.uint32), r)
    quantile.backup(*args, 0.9, laws, out)
    for s in range(S):
        own = slice(ptr[s], ptr[s + 1])
        x = (r[own, None] + 0.9 * laws[nxt[own]]).ravel()
        w = np.repeat(prob[own] / m, m)
        order = np.argsort(x, kind="stable")
        F_ = np.cumsum(w[order])
        at = np.searchsorted(F_, (2 * np.arange(m) + 1) / (2 * m) - 1e-12)
        assert (out[s] == x[order][at]).all()


def test_the_operators_agree_with_the_rational_ones() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        model = random_model(seed, F(3, 4))
        pi = [int(rng.choice(np.flatnonzero(model.allowed[s]))) for s in range(model.S)]
        grid = [F(i, 2) - 8 for i in range(33)]
        laws = random_masses(rng, model.S, 33)
        atoms = np.sort(np.array([[F(int(v), 3) for v in rng.integers(-9, 9, 6)] for _ in range(model.S)]))
        for who in (pi, None):
            exact = categorical_bellman(model, grid, who)(laws)
            floats = categorical_bellman(model.float(), grid, who)(laws.astype(float))
            assert np.abs(exact.astype(float) - floats).max() <= 1e-14
            exact = quantile_bellman(model, who)(atoms)
            floats = quantile_bellman(model.float(), who)(atoms.astype(float))
            assert np.abs(exact.astype(float) - floats).max() <= 1e-13


def test_rewards_known_before_the_next_state_take_another_path_to_the_same_laws() -> None:
    mdp = rl.gallery.river_swim(S=6, gamma=0.9)
    step = CategoricalStep(mdp, np.linspace(0, 10, 31), [1] * 6)
    assert step.one_reward
    laws = np.random.default_rng(0).dirichlet(np.ones(31), 6)
    mixed = step(laws).laws.copy()
    step.one_reward = False
    assert np.abs(step(laws).laws - mixed).max() <= 1e-15
    assert not CategoricalStep(random_model(0, F(1, 2)), [-9, 9], None).one_reward


def test_control_takes_the_best_mean_and_the_lowest_action_on_ties() -> None:
    half = F(1, 2)
    risky, safe, poor = [(half, 1, 3), (half, 1, -1)], [(1, 1, 1)], [(1, 1, F(9, 10))]
    rest = [[(F(1), 1, 0)]]
    laws = np.array([[0, 0, 1, 0, 0, 0]] * 2) + F(0)
    atoms = np.full((2, 4), F(0), dtype=object)
    for actions, best in (([poor, risky, safe], 1), ([safe, risky, poor], 0), ([poor, poor, safe], 2)):
        model = rl.OutcomeMDP.from_lists([actions, rest], gamma=half)
        for m in (model, model.float()):
            step = CategoricalStep(m, [-2, -1, 0, 1, 2, 3])
            back = step(laws if m is model else laws.astype(float))
            assert back.pairs is not None and back.pairs.tolist() == [best, 3]
            back = QuantileStep(m)(atoms if m is model else atoms.astype(float))
            assert back.pairs is not None and back.pairs.tolist() == [best, 3]
    tied = rl.OutcomeMDP.from_lists(
        [
            [[(0.1, 1, 0.1), (0.2, 1, 0.2), (0.7, 1, 0.3)], [(0.7, 1, 0.3), (0.2, 1, 0.2), (0.1, 1, 0.1)]],
            [[(1.0, 1, 0.0)]],
        ],
        gamma=0.5,
    )  # equal means, added in another order
    assert CategoricalStep(tied, [-1.0, 1.0])(np.full((2, 2), 0.5)).pairs[0] == 0  # type: ignore[index]


def test_stochastic_policies_mix_their_actions() -> None:
    model = random_model(5, F(1, 2))
    table = np.zeros((model.S, model.A), dtype=object) + F(0)
    for s in range(model.S):
        own = np.flatnonzero(model.allowed[s])
        table[s, own] = F(1, len(own))
    chain = policy_chain(model, table)
    assert [sum(chain.prob[k] for k in chain.entries(s)) for s in range(model.S)] == [1] * model.S
    laws = random_masses(np.random.default_rng(0), model.S, 9)
    grid = [F(i) - 4 for i in range(9)]
    got = categorical_bellman(model, grid, table)(laws)
    every, _ = slow_categorical(model, list(range(model.N)), grid, laws)
    for s in range(model.S):
        rows = range(model.state_ptr[s], model.state_ptr[s + 1])
        want = sum(np.array(every[n]) for n in rows) / len(rows)
        assert (got[s] == want).all()


def test_projections_and_distances_of_families() -> None:
    rng = np.random.default_rng(1)
    laws = [rl.ReturnLaw([F(int(v), 3) for v in rng.integers(-9, 9, 4)], [F(1, 4)] * 4) for _ in range(3)]
    grid = [F(i) - 3 for i in range(7)]
    rows = categorical_projection(laws, grid)
    back = categorical_laws(rows, grid)
    assert [b == law.categorical(grid) for b, law in zip(back, laws, strict=True)] == [True] * 3
    assert sup_wasserstein(laws, back) == max(a.wasserstein(b) for a, b in zip(laws, back, strict=True))
    assert sup_cramer(laws, back) == max(a.cramer(b) for a, b in zip(laws, back, strict=True))
    atoms = quantile_projection(laws, 3)
    assert list(quantile_laws(atoms)) == [law.quantized(3) for law in laws]
    assert quantile_projection([law.floats() for law in laws], 3) == pytest.approx(atoms.astype(float))
    table = rows.astype(float)
    out = np.empty(3)
    categorical.distances(table, table[::-1].copy(), np.array(grid, dtype=float), False, out)
    assert out == pytest.approx([float(a.wasserstein(b)) for a, b in zip(back, back[::-1], strict=True)])
    categorical.distances(table, table[::-1].copy(), np.array(grid, dtype=float), True, out)
    assert out == pytest.approx([float(a.cramer(b)) for a, b in zip(back, back[::-1], strict=True)])


@pytest.mark.parametrize("gamma", [F(1, 2), F(3, 4)], ids=str)
def test_moduli(gamma: F) -> None:
    """γ in sup-w₁ and γ in sup-ℓ₂² for the projected operator."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        model = random_model(seed, gamma)
        pi = [int(np.flatnonzero(model.allowed[s])[0]) for s in range(model.S)]
        grid = [F(i, 2) - 8 for i in range(33)]
        T = categorical_bellman(model, grid, pi)
        a, b = random_masses(rng, model.S, 33), random_masses(rng, model.S, 33)
        pair, moved = (
            (categorical_laws(a, grid), categorical_laws(b, grid)),
            (categorical_laws(T(a), grid), categorical_laws(T(b), grid)),
        )
        assert sup_wasserstein(*moved) <= gamma * sup_wasserstein(*pair)
        assert sup_cramer(*moved) <= gamma * sup_cramer(*pair)


def test_refusals() -> None:
    model = random_model(0, F(1, 2)).float()
    for grid in ([0.0], [1.0, 1.0], [2.0, 1.0], [[0.0, 1.0]]):
        with pytest.raises(InvalidArgument, match="increasing"):
            categorical_bellman(model, grid)
    with pytest.raises(InvalidArgument, match="finite"):
        categorical_bellman(model, [0.0, np.inf])
    with pytest.raises(InvalidArgument, match="a row a state"):
        categorical_bellman(model, [0.0, 1.0])(np.ones((4, 3)))
    with pytest.raises(InvalidArgument, match="action 7 is not allowed in state 1"):
        categorical_bellman(model, [0.0, 1.0], [0, 7, 0, 0])
    with pytest.raises(InvalidArgument, match="5 states"):
        quantile_bellman(model, [0] * 5)
    vector = rl.OutcomeMDP.from_lists([[[(1, 0, (1, 2))]]], gamma=F(1, 2))
    with pytest.raises(InvalidArgument, match="vectors of m=2"):
        quantile_bellman(vector, [0])
    with pytest.raises(InvalidArgument, match="of type int"):
        quantile_bellman(3, [0])  # type: ignore[arg-type]
    assert is_uniform(np.linspace(-1 / 3, 7.7, 1001))
    assert not is_uniform(np.array([0.0, 1.0, 2.0 + 1e-12]))


def test_laws_are_read_where_they_lie() -> None:
    """A table of laws may be much of the memory; copying it costs as much as the backup."""
    step = CategoricalStep(rl.gallery.random_garnet(30, 1, 3, 0.9, 0), np.linspace(0.0, 10.0, 11))
    laws = np.full((30, 11), 1 / 11)
    assert step.checked(laws, 11) is laws
    assert step.checked(np.asfortranarray(laws), 11).flags.c_contiguous
