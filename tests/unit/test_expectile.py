"""Expectiles and their operators against linear programmes, enumeration, closed forms and rationals."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from rltheory import MDP, Policy
from rltheory.errors import InvalidArgument, InvalidModel
from rltheory.models.random import random_mdp
from rltheory.operators import expectile, implicit_bellman, one_level_bellman
from rltheory.operators.expectile import enclose_implicit_backup, expectile_segments
from rltheory.solvers.implicit_q import revealed

F = Fraction


def random_law(rng: np.random.Generator, n: int) -> tuple[list[Fraction], list[Fraction]]:
    k = rng.integers(0, 9, n)
    k[rng.integers(n)] += 1
    return [F(int(v), 4) for v in rng.integers(-12, 13, n)], [F(int(v), int(k.sum())) for v in k]


def by_enumeration(x: list[Fraction], p: list[Fraction], tau: Fraction) -> Fraction:
    """Best mean over all 2ⁿ densities that are τ on a set and 1 − τ off it."""
    means = []
    for sides in product((tau, 1 - tau), repeat=len(x)):
        w = [s * q for s, q in zip(sides, p)]
        means.append(sum(a * b for a, b in zip(w, x)) / sum(w))
    return max(means) if tau >= F(1, 2) else min(means)


def by_linear_programme(x: np.ndarray, p: np.ndarray, tau: float) -> float:
    """max (τ ≥ ½) or min of Σqx over q a law and c ≥ 0 with c·low·p ≤ q ≤ c·high·p."""
    low, high, sign = (1 - tau, tau, -1.0) if tau >= 0.5 else (tau, 1 - tau, 1.0)
    n = x.size
    A = np.block([[-np.eye(n), low * p[:, None]], [np.eye(n), -high * p[:, None]]])
    lp = linprog(
        np.append(sign * x, 0.0), A_ub=A, b_ub=np.zeros(2 * n), A_eq=[[1.0] * n + [0.0]], b_eq=[1.0],
        bounds=[(0, None)] * (n + 1), method="highs",
    )  # fmt: skip
    return sign * float(lp.fun)


TAUS = [F(1, 1000), F(1, 10), F(1, 2), F(7, 10), F(9, 10), F(999, 1000)]


@pytest.mark.parametrize("seed", range(6))
def test_exact_expectile_is_the_best_threshold_density_and_solves_its_equation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for n, tau in product((1, 2, 4, 6), TAUS):
        x, p = random_law(rng, n)
        m = expectile(x, p, tau)
        assert isinstance(m, Fraction)
        assert m == by_enumeration(x, p, tau)
        up = tau * sum(q * max(a - m, 0) for a, q in zip(x, p))
        assert up == (1 - tau) * sum(q * max(m - a, 0) for a, q in zip(x, p))


def test_float_expectile_is_the_value_of_the_dual_programme() -> None:
    rng = np.random.default_rng(0)
    for n, tau in product((2, 5, 9), (0.05, 0.3, 0.5, 0.8, 0.99)):
        x, p = rng.normal(size=n), rng.dirichlet(np.ones(n))
        assert expectile(x, p, tau) == pytest.approx(by_linear_programme(x, p, tau), abs=1e-8)


@pytest.mark.parametrize("tau", [0.5, 0.9, 1 - 1e-12, 0.1, 1e-9])
@pytest.mark.parametrize("p", [0.5, 1e-3, 1e-11])
def test_two_atoms_have_a_closed_form(p: float, tau: float) -> None:
    m = expectile([3.0, 1.0], [p, 1 - p], tau)
    assert m - 1 == pytest.approx(2 * tau * p / (tau * p + (1 - tau) * (1 - p)), rel=2e-15, abs=1e-15)


def test_float_errors_stay_within_their_bound() -> None:
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(200):
        n = int(rng.choice([1, 2, 5, 11, 40]))
        x = rng.normal(size=n) * 10.0 ** rng.integers(-3, 6) + rng.choice([0.0, 1e8])
        w = rng.dirichlet(np.full(n, 0.2))
        tau = float(
            rng.choice([rng.random(), 1 - 10.0 ** -rng.integers(1, 16), 10.0 ** -rng.integers(1, 300)])
        )
        out, cut, err = expectile_segments(x, w, np.array([0, n], dtype=np.uint64), tau)
        total = sum(F(v) for v in w)
        exact = expectile([F(v) for v in x], [F(v) / total for v in w], F(tau))
        assert abs(F(float(out[0])) - exact) <= F(float(err[0]))
        density = np.where(x >= cut[0], tau, 1 - tau) * w
        assert density @ (x - x.max()) / density.sum() + x.max() == pytest.approx(out[0], abs=err[0] + 1e-300)
        worst = max(worst, float(abs(F(float(out[0])) - exact) / F(float(err[0]))))
    assert worst > 0.01  # the bound is a bound, not a cushion


def test_atoms_of_probability_zero_are_dropped() -> None:
    assert expectile([1.0, 99.0, -99.0], [1.0, 0.0, 0.0], 0.9) == 1.0
    assert expectile([1, 99, 3], [F(1, 2), F(0), F(1, 2)], F(3, 4)) == F(5, 2)


@pytest.mark.parametrize(
    ("atoms", "probs", "tau", "words"),
    [
        ([1.0], [1.0], 0.0, "tau=0.0"),
        ([1.0], [1.0], 1, "tau=1"),
        ([1.0], [1.0], float("nan"), "tau=nan"),
        ([1.0], [1.0], True, "tau=True"),
        ([1.0, 2.0], [0.5, 0.4], 0.5, "sum to 0.9"),
        ([1, 2], [F(1, 2), F(1, 3)], 0.5, "sum to 5/6"),
        ([1.0, 2.0], [1.5, -0.5], 0.5, r"probs\[1\]=-0.5"),
        ([1.0, float("nan")], [0.5, 0.5], 0.5, r"atoms\[1\]"),
        ([F(1), float("inf")], [F(1, 2), F(1, 2)], 0.5, r"atoms\[1\]"),
        ([1.0, 2.0], [float("nan"), 0.5], 0.5, r"probs\[0\]"),
        ([], [], 0.5, "n ≥ 1"),
        ([1.0, 2.0], [1.0], 0.5, "shape"),
    ],
)
def test_bad_laws_are_refused(atoms: list[float], probs: list[float], tau: float, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        expectile(atoms, probs, tau)


def model(seed: int, *, layout: str = "dense") -> tuple[MDP, Policy]:
    rng = np.random.default_rng(seed)
    mdp = random_mdp(4, 3, gamma=0.9, seed=seed)
    if layout == "csr":
        keep = rng.random((4, 3)) < 0.7
        keep[:, 0] = True
        mdp = mdp.restrict(keep)
    w = np.where(mdp.allowed, rng.random((4, 3)) * (rng.random((4, 3)) < 0.7), 0.0)
    w[np.arange(4), 0] += 0.1
    return mdp, Policy(w / w.sum(axis=1)[:, None])


@pytest.mark.parametrize("layout", ["dense", "csr"])
@pytest.mark.parametrize("tau", [0.2, 0.5, 0.97])
def test_the_implicit_operator_takes_expectiles_of_q_over_actions(layout: str, tau: float) -> None:
    mdp, mu = model(3, layout=layout)
    V = np.random.default_rng(0).normal(size=4)
    by_hand = [
        expectile([mdp.R[s, a] + 0.9 * mdp.P[s, a] @ V for a in A], mu.matrix()[s, A], tau)
        for s, A in ((s, np.flatnonzero(mdp.allowed[s])) for s in range(4))
    ]
    assert implicit_bellman(mdp, mu, tau)(V) == pytest.approx(by_hand, abs=1e-13)
    joint = [
        expectile(
            [mdp.R[s, a] + 0.9 * V[t] for a in A for t in range(4)],
            [mu.matrix()[s, a] * mdp.P[s, a, t] for a in A for t in range(4)],
            tau,
        )
        for s, A in ((s, np.flatnonzero(mdp.allowed[s])) for s in range(4))
    ]
    assert one_level_bellman(mdp, mu, tau)(V) == pytest.approx(joint, abs=1e-13)


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_the_enclosure_of_a_backup_contains_the_rational_one(layout: str) -> None:
    rng = np.random.default_rng(2)
    for seed, tau in product(range(5), (0.1, 0.5, 0.9, 1 - 1e-9)):
        mdp, mu = model(seed, layout=layout)
        V = rng.normal(size=4) * 1e3
        lower, upper, smin, smax = enclose_implicit_backup(
            mdp, mu.matrix()[mdp.pair_state, mdp.pair_action], tau, V
        )
        exact = implicit_bellman(mdp.exact(), mu.exact(), F(tau))([F(v) for v in V])
        assert (lower <= exact).all()
        assert (exact <= upper).all()
        assert (upper - lower).max() < 1e-10
        sums = [sum(F(v) for v in row) for row in mdp.P_pairs]
        assert smin <= min(sums)
        assert max(sums) <= smax


def test_operators_agree_in_both_number_systems_and_on_the_revealed_model() -> None:
    mdp, mu = model(7, layout="csr")
    exact, law = mdp.exact(), mu.exact()
    V = [F(k, 3) for k in (-2, 0, 1, 5)]
    for tau in (F(1, 4), F(9, 10)):
        assert implicit_bellman(mdp, mu, tau)(np.array(V, dtype=float)) == pytest.approx(
            implicit_bellman(exact, law, tau)(V).astype(float), abs=1e-12
        )
        N = one_level_bellman(exact, law, tau)(V)
        assert (implicit_bellman(*revealed(exact, law), tau)(V) == N).all()


def test_the_operator_refuses_what_is_no_behaviour() -> None:
    mdp, mu = model(0)
    bad = mu.matrix().copy()
    bad[1] = 0.0
    with pytest.raises(InvalidModel, match="row 1 sums to 0"):
        implicit_bellman(mdp, bad, 0.9)
    with pytest.raises(InvalidArgument, match="not allowed"):
        implicit_bellman(mdp.restrict(mu.matrix() > 0), np.full((4, 3), 1 / 3), 0.9)
    tiny = Policy(np.array([[F(1, 10**310), 1 - F(1, 10**310)]]))
    with pytest.raises(InvalidArgument, match="lost in doubles"):
        implicit_bellman(MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.5), tiny, 0.9)
    with pytest.raises(InvalidArgument, match="rounds to"):
        implicit_bellman(mdp, mu, 1 - F(1, 10**30))
