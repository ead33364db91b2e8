"""The two linear programs: feasibility and complementarity recomputed from the data alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import rltheory as rl
from rltheory.errors import InvalidArgument
from rltheory.models.random import garnet
from tests.instances import wild_model


@pytest.mark.parametrize("seed", range(25))
def test_primal_dual_and_gap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mdp = wild_model(rng, (0.0, 0.5, 0.9, 0.99))
    rho = rng.dirichlet(np.ones(mdp.S)) + 0.01
    sol = rl.solve(mdp, rl.LinearProgram(rho=rho))
    size = max(1.0, float(np.abs(sol.V).max()))
    info = sol.info
    q = rl.q_values(mdp, info["primal"])
    assert (np.where(mdp.allowed, q, -np.inf).max(axis=1) <= info["primal"] + 1e-6 * size).all()
    x = info["occupancy"]
    flow = x.sum(axis=1) - mdp.gamma * np.einsum("sa,sat->t", x, mdp.P)
    assert np.allclose(flow, rho, atol=1e-11)
    assert (x >= 0).all()
    assert not x[~mdp.allowed].any()
    assert abs(x.sum() - rho.sum() / (1 - mdp.gamma)) <= 1e-9 * x.sum()
    paid = (x * np.where(mdp.allowed, mdp.R, 0)).sum()
    assert abs(paid - rho @ sol.V) <= 1e-10 * size * rho.sum()
    assert abs(info["gap"]) <= 1e-6 * size * rho.sum()
    assert abs(info["primal_objective"] - rho @ sol.V) <= 1e-6 * size * rho.sum()


def test_rational_program_has_no_gap() -> None:
    mdp = garnet(1, 5, 3, 3, Fraction(9, 10))
    sol = rl.solve(mdp, rl.LinearProgram())
    assert sol.V.tolist() == [
        Fraction(170998635, 23530678), Fraction(3452538009, 470613560), Fraction(859263509, 117653390),
        Fraction(863373003, 117653390), Fraction(2687599811, 352960170),
    ]  # fmt: skip
    assert sol.pi.actions.tolist() == [2, 1, 1, 0, 0]
    x = sol.info["dual"]
    assert sol.info["gap"] == 0
    assert x.sum() == 10
    q = rl.q_values(mdp, sol.V)
    assert all(q[s, a] == sol.V[s] for s, a in np.argwhere(x > 0))
    flow = [
        x[t].sum() - mdp.gamma * sum(x[s, a] * mdp.P[s, a, t] for s in range(5) for a in range(3))
        for t in range(5)
    ]
    assert flow == [Fraction(1, 5)] * 5


def test_exact_pivots_repair_a_wrong_basis() -> None:
    """Rewards that differ by 2^-60 are one number to HiGHS; the rational simplex tells them apart."""
    tiny = Fraction(1, 2**60)
    one = Fraction(1)
    P = [[[one, 0], [0, one]], [[0, one], [0, one]]]
    mdp = rl.MDP(
        rl.exact_array(np.array(P, dtype=object)),
        [[Fraction(1), 1 + tiny], [Fraction(1), Fraction(0)]],
        Fraction(1, 2),
    )
    sol = rl.solve(mdp, rl.LinearProgram())
    assert sol.V.tolist() == [2 + tiny, Fraction(2)]
    assert sol.pi.actions.tolist() == [1, 0]


@pytest.mark.parametrize("rho", [[1.0, 0.0], [1.0, -1.0], [1.0, np.nan], [1.0]])
def test_bad_weights_are_refused(rho: list[float]) -> None:
    mdp = rl.gallery.puterman_two_state(gamma=0.9)
    with pytest.raises(InvalidArgument, match="rho"):
        rl.solve(mdp, rl.LinearProgram(rho=rho))
