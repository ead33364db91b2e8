"""Types that users see; checked by mypy --strict, never run.  A line that changes here is an API change."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import rltheory as rl
from rltheory.checks import Claim, Leq, Report, Verdict, check
from rltheory.results import LatentBound, LatentSolution, Step, StockSolution

mdp = rl.MDP([[[1.0]]], [[1.0]], gamma=0.5)
assert_type(mdp.S, int)
assert_type(mdp.P, NDArray[Any])
assert_type(mdp.exact(), rl.MDP)
assert_type(mdp.is_exact, bool)
assert_type(mdp.replace(gamma=Fraction(1, 2)), rl.MDP)
assert_type(mdp.content_hash, str)
assert_type(rl.gallery.river_swim(S=6), rl.MDP)

pi = rl.Policy([0], A=1)
assert_type(pi.actions, NDArray[np.int64])
assert_type(pi.exact(), rl.Policy)

sol = rl.solve(mdp)
assert_type(sol, rl.Solution)
assert_type(rl.solve(mdp, rl.ValueIteration()), rl.Solution)
assert_type(rl.solve(mdp, rl.PolicyIteration(), throw=False), rl.Solution)
assert_type(sol.V, NDArray[Any])
assert_type(sol.pi, rl.Policy)
assert_type(sol.status, rl.Status)
assert_type(sol.value(0), rl.Enclosure)
assert_type(sol.trace, tuple[Step, ...])
assert_type(rl.evaluate(mdp, pi), rl.Solution)
assert_type(rl.solve(rl.stock_augmented(mdp), rl.StockDP(objective=rl.cvar(0.1))), StockSolution)
latent = rl.LatentMDP([mdp], weights=[1.0], H=2, normalisation="rescale")
assert_type(rl.solve(latent), LatentSolution)
assert_type(rl.solve(latent, rl.QMDP()), LatentBound)

assert_type(rl.bellman(mdp)(sol.V), NDArray[Any])
assert_type(rl.greedy(mdp, sol.V), rl.Policy)
assert_type(rl.occupancy(mdp, pi), NDArray[Any])


def about(claim: Claim[rl.MDP]) -> None:
    """A claim knows the type of its instances."""
    assert_type(claim.check(), Report)
    assert_type(check(claim), Report)
    assert_type(claim.expect, Verdict)
    assert_type(claim.admits(mdp), bool)


lemma = Leq[rl.MDP](lhs=lambda x: x.gamma, rhs=lambda x: 1)
