"""What to say when a function of `MDP`s is given a model of another kind."""

from __future__ import annotations

from ..errors import InvalidArgument
from .mdp import MDP

REMEDIES = {
    "FiniteHorizonMDP": "take model.stage(t), or solve(model), solvers.evaluate_horizon(model, pi)",
    "SSP": "take model.mdp, or solve(model), solvers.evaluate_ssp(model, pi)",
    "OutcomeMDP": "for means take model.to_mdp(); for laws see solvers.CategoricalEvaluation",
    "StockMDP": "for means take the stage's to_mdp(); for laws see solvers.StockDP",
    "LatentMDP": "a context once it is known is model.context(m); solve(model) plans without knowing it",
}
"""What to do instead of passing a model of another type."""


def check_mdp(model: object, what: str) -> None:
    """Refuse a model that is not an `MDP`, with what to use instead.

    Raises
    ------
    InvalidArgument
        Naming the type met.
    """
    if not isinstance(model, MDP):
        name = type(model).__name__
        remedy = REMEDIES.get(name, "build one with MDP(P, R, gamma)")
        raise InvalidArgument(f"{what}: model of type {name}, must be an MDP; {remedy}")
