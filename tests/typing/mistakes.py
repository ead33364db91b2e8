"""Mistakes mypy must find: each line below ends in the error code expected there."""

from __future__ import annotations

import rltheory as rl
from rltheory.checks import CERTIFIED, Claim, Leq, Loose, Paper

mdp = rl.MDP([[[1.0]]], [[1.0]])  # expect: call-arg
mdp.gama  # expect: attr-defined
sol = rl.solve(rl.MDP([[[1.0]]], [[1.0]], 0.5))
sol.v  # expect: attr-defined
rl.ValueIteration(tolerance=1e-3)  # expect: call-arg
rl.ValueIteration(sweep="jacobian")  # expect: arg-type
then = Leq[rl.MDP](lhs=lambda x: x.gama, rhs=lambda x: 1)  # expect: attr-defined
claim = Claim(  # expect: call-arg
    statement="no mutants, no tight case",
    source=Paper("k", "A", "T", 2000).at("1"),
    then=Leq[rl.MDP](lambda x: x.gamma, lambda x: 1),
    assume=[],
    expect=CERTIFIED,
)
loose = Loose(0.5)  # expect: call-arg
