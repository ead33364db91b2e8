"""Every registered solver against exact rational values computed without it."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np
import pytest

import rltheory as rl
from rltheory import MDP, Status
from rltheory.kernels.exact import solve_linear
from rltheory.models.random import garnet
from tests.instances import exact_optimum, exact_value, inside, to_q, wild_model
from tests.registry import SOLVERS, Entry

ids = [e.name for e in SOLVERS]
every_solver = pytest.mark.parametrize("entry", SOLVERS, ids=ids)


@cache
def models() -> list[tuple[str, MDP, list]]:
    g = rl.gallery
    named = {
        "puterman": g.puterman_two_state(gamma=0.95),
        "taxicab": g.howard_taxicab(gamma=0.9),
        "toymaker": g.howard_toymaker(gamma=0.9),
        "river_swim": g.river_swim(S=6, gamma=0.99),
        "frozen_lake": g.frozen_lake(gamma=0.95),
        "relay": g.relay(n=5, gamma=0.9),
        "ring": g.ring(n=4, gamma=0.9),
        "singh_yee": g.singh_yee(gamma=0.9),
        "one_state": g.one_state(gamma=0.5),
        "garnet": garnet(1, 5, 3, 3, 0.9),
        "gamma zero": garnet(2, 4, 3, 2, 0.0),
    }
    rng = np.random.default_rng(3)
    for i in range(12):
        named[f"wild {i}"] = wild_model(rng, (0.0, 0.5, 0.9, 0.99))
    return [(name, m, exact_optimum(m)[0]) for name, m in named.items()]


@every_solver
def test_float_models(entry: Entry) -> None:
    for name, mdp, V in models():
        sol = rl.solve(mdp, entry.factory())
        assert inside(V, sol.lower, sol.upper), name
        assert sol.status is Status.SOLVED
        assert sol.error <= entry.tolerance * max(1, np.abs(sol.V).max())
        assert max(abs(to_q(x) - v) for x, v in zip(sol.V.tolist(), V)) <= to_q(sol.error)
        own = exact_value(mdp, sol.pi.matrix(mdp.A))
        assert max(v - w for v, w in zip(V, own)) <= to_q(sol.info["loss"])
        assert sol.mdp is mdp
        assert sol.iterations >= 0


@every_solver
def test_exact_models(entry: Entry) -> None:
    for gamma in (Fraction(9, 10), Fraction(1, 2)):
        for mdp in (garnet(1, 5, 3, 3, gamma), rl.gallery.howard_toymaker(gamma=gamma)):
            V = [Fraction(int(v.p), int(v.q)) for v in _exact_rational(mdp)]
            sol = rl.solve(mdp, entry.factory())
            assert all(isinstance(x, Fraction) for x in (*sol.V, *sol.lower, *sol.upper))
            assert (sol.lower <= V).all()
            assert (sol.upper >= V).all()
            if entry.exact:
                assert sol.status is Status.EXACT
                assert sol.error == 0
                assert sol.V.tolist() == V
            else:
                assert sol.error <= Fraction(entry.tolerance) * max(1, max(abs(v) for v in V))


def _exact_rational(mdp: MDP) -> list:
    """V* by trying every deterministic policy: the componentwise maximum is attained by one."""
    best = None
    for pi in product(range(mdp.A), repeat=mdp.S):
        P, R = mdp.P[np.arange(mdp.S), pi], mdp.R[np.arange(mdp.S), pi]
        V = solve_linear(rl.exact_array(np.eye(mdp.S, dtype=int)) - mdp.gamma * P, R)
        best = V if best is None else np.maximum(best, V)
    return [to_q(x) for x in best]


@every_solver
def test_published_values(entry: Entry) -> None:
    g = rl.gallery
    cases = [
        (g.puterman_two_state(gamma=0.95), 0, -60 / 7),  # Puterman 1994, example 3.1.1
        (g.howard_taxicab(gamma=0.9), 0, 1459720 / 11999),  # Howard 1960
        (g.howard_toymaker(gamma=0.9), 0, 2020 / 91),  # Howard 1960
        (g.river_swim(S=6, gamma=0.99), 0, 37.854701140082376),
        (g.frozen_lake(gamma=0.95), 0, 298507551082420 / 1654041892543499),
        (g.gridworld_5x5(gamma=0.9), 1, 1000000 / 40951),  # Sutton and Barto, example 3.5
    ]
    for mdp, s, value in cases:
        sol = rl.solve(mdp, entry.factory())
        assert abs(sol.V[s] - value) <= sol.error + 1e-13 * abs(value) + 1e-13, mdp


limited = [e for e in SOLVERS if any(f.name == "max_iter" for f in fields(e.factory()))]


@pytest.mark.parametrize("entry", limited, ids=[e.name for e in limited])
def test_iteration_limits_are_loud(entry: Entry) -> None:
    mdp = rl.gallery.river_swim(S=8, gamma=0.999)
    solver = entry.factory()
    short = rl.solve(mdp, replace(solver, max_iter=1), throw=False)
    V = exact_optimum(mdp)[0]
    assert inside(V, short.lower, short.upper)
    if short.status is not Status.SOLVED:
        assert short.status is Status.MAX_ITER
        with pytest.raises(rl.errors.NotConverged, match="max_iter"):
            rl.solve(mdp, replace(solver, max_iter=1))


@every_solver
def test_unreachable_tolerance_is_stalled_not_claimed(entry: Entry) -> None:
    mdp = garnet(5, 6, 2, 3, 0.99)
    sol = rl.solve(mdp, replace(entry.factory(), tol=1e-18), throw=False)
    assert sol.status in (Status.STALLED, Status.SOLVED)
    if sol.status is Status.SOLVED:
        assert sol.error <= 1e-18 * max(1, np.abs(sol.V).max())
    assert inside(exact_optimum(mdp)[0], sol.lower, sol.upper)
