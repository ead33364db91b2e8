"""Extraction of policies inside a support, in doubles and in balls."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP, ImplicitQ, Policy
from rltheory.errors import InvalidArgument
from rltheory.models.random import random_mdp
from rltheory.results import Enclosure
from rltheory.solvers import awr, awr_balls, awr_value, greedy_in_support

F = Fraction


def problem(seed: int) -> tuple[MDP, Policy, Any]:
    rng = np.random.default_rng(seed)
    mdp = random_mdp(4, 3, gamma=0.9, seed=seed)
    w = rng.random((4, 3)) * (rng.random((4, 3)) < 0.6)
    w[:, 1] += 0.2
    mu = Policy(w / w.sum(axis=1)[:, None])
    return mdp, mu, ImplicitQ(mu, 0.8).run(mdp)


@pytest.mark.parametrize("beta", [0.0, 0.7, 5.0])
def test_awr_is_the_formula(beta: float) -> None:
    mdp, mu, sol = problem(0)
    w = mu.matrix() * np.exp(beta * (sol.Q - sol.V[:, None]))
    by_hand = w / w.sum(axis=1)[:, None]
    assert awr(mdp, mu, sol.Q, sol.V, beta).matrix() == pytest.approx(by_hand, rel=1e-13)
    clipped = mu.matrix() * np.minimum(np.exp(beta * (sol.Q - sol.V[:, None])), 1.01)
    clipped /= clipped.sum(axis=1)[:, None]
    assert awr(mdp, mu, sol.Q, sol.V, beta, clip=1.01).matrix() == pytest.approx(clipped, rel=1e-13)


def test_awr_neither_overflows_nor_leaves_the_support() -> None:
    mdp, mu, sol = problem(1)
    pi = awr(mdp, mu, sol.Q, sol.V, 1e6)
    assert (pi.matrix()[mu.matrix() == 0] == 0).all()
    assert pi.matrix() == pytest.approx(greedy_in_support(sol.Q, mu).matrix(), abs=1e-12)
    Q = np.where(mu.matrix() > 0, sol.Q, np.nan)  # never looked at
    assert awr(mdp, mu, Q, sol.V, 2.0) == awr(mdp, mu, sol.Q, sol.V, 2.0)
    assert greedy_in_support(Q, mu) == greedy_in_support(sol.Q, mu)


@pytest.mark.parametrize("beta", [F(0), F(1, 3), F(50)])
def test_balls_contain_the_float_answer_and_are_exact_where_they_can_be(beta: Fraction) -> None:
    mdp, mu, sol = problem(2)
    exact, law = mdp.exact(), mu.exact()
    Q = ImplicitQ(mu, 0.8).run(exact).Q
    pi = awr_balls(exact, law, Q, beta)
    assert pi.astype(float) == pytest.approx(
        awr(mdp, mu, sol.Q, sol.V, float(beta)).matrix(), rel=1e-9, abs=1e-12
    )
    value = awr_value(exact, law, Q, beta)
    floats = rl.evaluate(mdp, awr(mdp, mu, sol.Q, sol.V, float(beta))).V
    assert value.astype(float) == pytest.approx(floats, abs=1e-9)
    single = (mu.matrix() > 0).sum(axis=1) == 1
    for s in range(4):
        rational = beta == 0 or single[s]
        assert all(isinstance(p, Fraction) for p in pi[s]) == rational
    if beta == 0:
        normalised = law.matrix() / law.matrix().sum(axis=1)[:, None]
        assert (value == rl.evaluate(exact, Policy(normalised)).V).all()


def test_values_are_rational_where_only_rational_rows_are_reached() -> None:
    # 0 → 1 → 2 (absorbing, two tied actions); state 3 chooses and moves to 1
    P = np.zeros((4, 2, 4), dtype=int)
    P[0, :, 1] = P[1, :, 2] = P[2, :, 2] = P[3, :, 1] = 1
    mdp = MDP(rl.exact_array(P), rl.exact_array([[1, 1], [2, 2], [3, 3], [0, 1]]), F(1, 2))
    half = Policy(rl.exact_array([[F(1, 2), F(1, 2)]] * 4))
    value = awr_value(mdp, half, mdp.R, 1)
    assert value[:3].tolist() == [F(7, 2), F(5), F(6)]
    box = Enclosure.ball(value[3])
    logistic = math.e / (1 + math.e)
    assert float(box.lower) <= logistic + 2.5 <= float(box.upper)
    assert float(box.width) < 1e-15


def test_greedy_extraction_averages_over_ties() -> None:
    mu = np.array([[0.2, 0.3, 0.5], [0.5, 0.5, 0.0]])
    Q = [[1.0, 1.0 + 1e-12, 0.0], [0.0, -1.0, 7.0]]
    assert greedy_in_support(Q, mu).matrix().tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]
    exact = np.array([[F(1), F(1) + F(1, 10**12), F(0)], [F(0), F(-1), -np.inf]], dtype=object)
    assert greedy_in_support(exact, mu).matrix().tolist() == [[0, 1, 0], [1, 0, 0]]
    exact[0, 1] = F(1)
    assert greedy_in_support(exact, mu).matrix()[0].tolist() == [F(1, 2), F(1, 2), 0]
    assert greedy_in_support(Q, [2, 0]).matrix().tolist() == [[0, 0, 1], [1, 0, 0]]


def test_bad_arguments_are_refused() -> None:
    mdp, mu, sol = problem(3)
    for beta in (-1.0, math.inf, math.nan, "1"):
        with pytest.raises(InvalidArgument, match="beta="):
            awr(mdp, mu, sol.Q, sol.V, beta)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="clip="):
        awr(mdp, mu, sol.Q, sol.V, 1.0, clip=0.0)
    with pytest.raises(InvalidArgument, match="V: shape"):
        awr(mdp, mu, sol.Q, sol.V[:2], 1.0)
    Q = sol.Q.copy()
    Q[1, 1] = np.nan
    with pytest.raises(InvalidArgument, match=r"Q\[1, 1\]=nan"):
        awr(mdp, mu, Q, sol.V, 1.0)
    with pytest.raises(InvalidArgument, match=r"Q\[1, 1\]=nan"):
        greedy_in_support(Q, mu)
    with pytest.raises(InvalidArgument, match="Q: shape"):
        greedy_in_support(sol.Q[:2], mu)
