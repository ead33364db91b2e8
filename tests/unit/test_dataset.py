"""Empirical models, sampling, mixtures, and the U-maze."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP, Policy
from rltheory.errors import InvalidModel
from rltheory.models import from_counts, mixture_behaviour, sample_counts
from rltheory.models.random import random_mdp

F = Fraction


def test_counts_become_ratios() -> None:
    C = np.zeros((3, 2, 3), dtype=int)
    C[0, 0] = [1, 2, 1]
    C[0, 1, 2] = 4
    C[1, 1, 1] = 5
    R = np.zeros((3, 2, 3))
    R[0, 0] = [8, 1, 2]
    R[1, 1, 1] = -1
    R[2] = np.nan  # no data, not looked at
    mdp, mu = from_counts(C, R, F(1, 2))
    assert mdp.is_exact
    assert mdp.P[0].tolist() == [[F(1, 4), F(1, 2), F(1, 4)], [0, 0, 1]]
    assert mdp.R[0].tolist() == [3, 0]
    assert mdp.R[1, 1] == -1
    assert mu.matrix().tolist() == [[F(1, 2), F(1, 2)], [0, 1], [1, 0]]
    assert mdp.allowed.tolist() == [[True, True], [False, True], [True, False]]
    assert mdp.terminal.tolist() == [False, False, True]
    floats, law = from_counts(C, R[:, :, 0] * 0 + 1, 0.5)
    assert pytest.approx(mdp.P.astype(float)) == floats.P
    assert law.matrix() == pytest.approx(mu.matrix().astype(float))
    assert floats.R_pairs.tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("counts", "R", "terminal", "words"),
    [
        (np.zeros((2, 1, 2)), np.zeros((2, 1)), None, "all zero"),
        (np.zeros((2, 1, 3)), np.zeros((2, 1)), None, "shape"),
        (-np.ones((2, 1, 2)), np.zeros((2, 1)), None, r"C\[0, 0, 0\]=-1"),
        (np.full((2, 1, 2), 0.5), np.zeros((2, 1)), None, "not integers"),
        (np.full((2, 1, 2), np.nan), np.zeros((2, 1)), None, "not integers"),
        (np.ones((2, 1, 2)), np.zeros((2, 2)), None, "R: shape"),
        (np.ones((2, 1, 2)), np.full((2, 1), np.nan), None, "must be finite"),
        (np.ones((2, 1, 2)), np.zeros((2, 1)), [1], "state 1 has 2"),
    ],
)
def test_bad_datasets_are_refused(counts: Any, R: Any, terminal: Any, words: str) -> None:
    with pytest.raises(InvalidModel, match=words):
        from_counts(counts, R, 0.9, terminal=terminal)


def test_samples_follow_policy_and_model() -> None:
    mdp = random_mdp(3, 2, gamma=0.9, seed=5)
    pi = Policy([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])
    n, H = 40_000, 3
    C = sample_counts(mdp, pi, n, H, 1)
    assert C.sum() == n * H
    assert (sample_counts(mdp, pi, n, H, np.random.default_rng(1)) == C).all()
    P = np.einsum("sa,sat->st", pi.matrix(), mdp.P)
    visits = sum((mdp.mu @ np.linalg.matrix_power(P, h) for h in range(H)), np.zeros(3))
    mean = n * visits[:, None, None] * pi.matrix()[:, :, None] * mdp.P
    assert (np.abs(C - mean) <= 6 * H * np.sqrt(mean) + 1e-9).all()
    assert (C[:, :, :][mean == 0] == 0).all()


def test_runs_stop_in_terminal_states() -> None:
    mdp = MDP([[[0.0, 1.0]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9, mu=[1.0, 0.0], terminal=[1])
    assert sample_counts(mdp, [0, 0], 7, 100, 0).tolist() == [[[0, 7]], [[0, 0]]]
    assert sample_counts(mdp, [0, 0], 7, 0, 0).sum() == 0


def test_a_mixture_weighs_policies_by_their_visits() -> None:
    mdp = random_mdp(3, 2, gamma=0.9, seed=2)
    pis, shares, H = [Policy([0, 1, 0], 2), Policy([[0.5, 0.5]] * 3)], [0.2, 0.8], 3
    total = np.zeros((3, 2))
    for pi, share in zip(pis, shares, strict=True):  # sum over all paths
        w = pi.matrix(2)
        for path in product(range(3), range(2), range(3), range(2), range(3), range(2)):
            s, a = path[::2], path[1::2]
            p = mdp.mu[s[0]] * np.prod([w[x, y] for x, y in zip(s, a)])
            p *= mdp.P[s[0], a[0], s[1]] * mdp.P[s[1], a[1], s[2]]
            for x, y in zip(s, a):
                total[x, y] += share * p
    by_hand = total / total.sum(axis=1)[:, None]
    assert mixture_behaviour(mdp, pis, shares, H).matrix() == pytest.approx(by_hand, abs=1e-13)
    assert mixture_behaviour(mdp, pis, shares, 0).matrix().tolist() == [[0.5, 0.5]] * 3


def test_the_u_maze_is_a_u() -> None:
    maze = rl.gallery.u_maze(9, F(19, 20))
    assert maze.S == 63
    assert maze.states is not None
    number = {label: s for s, label in enumerate(maze.states)}
    assert "(4,5)" not in number
    assert "(4,6)" in number
    assert maze.mu[number["(8,0)"]] == 1
    assert maze.terminal.tolist() == [label == "(0,0)" for label in maze.states]
    s, up, right = number["(6,2)"], number["(6,2)"], number["(6,3)"]  # the wall is above
    assert maze.P[s, 0, up] == F(3, 4) + F(1, 16)
    assert maze.P[s, 0, right] == F(1, 16)
    assert maze.R[number["(0,1)"]].tolist() == [F(5, 8), F(65, 8), F(5, 8), F(5, 8)]
    assert pytest.approx(rl.solve(maze).V.astype(float), abs=1e-8) == rl.solve(maze.float()).V
