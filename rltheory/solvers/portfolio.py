"""`solve`: run a solver, or choose one and say why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar, overload

from ..errors import InvalidArgument
from ..kernels.pick import Device
from ..models.finite_horizon import FiniteHorizonMDP
from ..models.kinds import check_mdp
from ..models.latent import LatentMDP
from ..models.mdp import MDP
from ..models.outcomes import OutcomeMDP
from ..models.ssp import SSP
from ..models.stock import StockMDP
from ..results.latent import LatentSolution
from ..results.solution import Solution
from ._device import on_device
from .base import TOL, Solver
from .choice import solve_doubles
from .policy_iteration import PolicyIteration

M = TypeVar("M")
T = TypeVar("T")


@overload
def solve(model: MDP, solver: None = None, *, device: Device = "cpu", throw: bool = True) -> Solution: ...
@overload
def solve(
    model: LatentMDP, solver: None = None, *, device: Device = "cpu", throw: bool = True
) -> LatentSolution: ...
@overload
def solve(model: M, solver: Solver[M, T], *, device: Device = "cpu", throw: bool = True) -> T: ...
@overload
def solve(model: Any, solver: None = None, *, device: Device = "cpu", throw: bool = True) -> Any: ...
def solve(model: Any, solver: Any = None, *, device: Device = "cpu", throw: bool = True) -> Any:
    """V* of a model, between rigorous bounds.

    Parameters
    ----------
    model
        `MDP` in either number system, `FiniteHorizonMDP`, `SSP` or `LatentMDP`.
    solver
        A solver such as `ValueIteration()`; if None one is chosen from the model's type and size,
        `Solution.reason` saying why.
    device
        "cuda" iterates on a card (an `MDP` in doubles; modified policy iteration if no solver is given)
        and certifies on the CPU.
    throw
        True raises when the accuracy asked for was not certified; False returns the result, whose
        `status` names the remedy.

    Returns
    -------
    Solution
        lower ≤ V* ≤ upper, a policy, and `error` ≤ tol·max(1, ‖V‖) (1e-8 by default; 0 for exact
        models).  Other solvers and models return their own frozen result.

    Raises
    ------
    NotConverged
        If `throw` and the status is not SOLVED or EXACT; the message carries the error reached and
        the remedy.
    InvalidArgument
        If the model or solver is of a type `solve` does not know, or has no path for `device`.
    MissingBackend
        If the card or its packages are missing.

    Complexity: that of the solver.

    Examples
    --------
    >>> from rltheory import MDP
    >>> solve(MDP([[[1.0]]], [[1.0]], gamma=0.5)).V
    array([2.])
    """
    if device != "cpu":
        solver = on_device(model, solver, device)
    if solver is None:
        result = _chosen(model)
    elif isinstance(solver, type):
        raise InvalidArgument(
            f"solver={solver.__name__} is a class, must be one of its objects: {solver.__name__}()"
        )
    elif not hasattr(solver, "run"):
        raise InvalidArgument(f"solver={solver!r}, must have a method run(model), such as ValueIteration()")
    else:
        result = _run(solver, model)
    if throw and hasattr(result, "raise_if_failed"):
        result.raise_if_failed()
    return result


def _run(solver: Any, model: Any) -> Any:
    """`solver.run(model)`; a solver of `MDP`s that meets something else says so."""
    try:
        return solver.run(model)
    except AttributeError as exc:
        if isinstance(model, MDP) or getattr(exc, "obj", None) is not model:
            raise
        check_mdp(model, type(solver).__name__)
        raise


def _chosen(model: Any) -> Any:
    if isinstance(model, FiniteHorizonMDP):
        from .backward_induction import BackwardInduction

        return _because(
            BackwardInduction().run(model), "finite horizon: backward induction is exact in H steps"
        )
    if isinstance(model, SSP):
        from .ssp import SSPSolver

        return _because(
            SSPSolver().run(model), "stochastic shortest path: undiscounted, needs proper policies"
        )
    if isinstance(model, LatentMDP):
        from .latent import LatentPlanner

        return LatentPlanner().run(model)
    if isinstance(model, (OutcomeMDP, StockMDP)):
        raise InvalidArgument(
            f"model of type {type(model).__name__}: say which objective of the return is meant, "
            "solve(stock_augmented(model, H=...), solvers.StockDP(objective)); for means use model.to_mdp()"
        )
    if not isinstance(model, MDP):
        raise InvalidArgument(
            f"model of type {type(model).__name__}, must be an MDP, FiniteHorizonMDP, SSP or LatentMDP; "
            "build one with MDP(P, R, gamma)"
        )
    if model.is_exact:
        return _because(
            PolicyIteration(keep_trace=False).run(model), "rational model: policy iteration ends exactly"
        )
    return solve_doubles(model, TOL)


def _because(result: Any, reason: str) -> Any:
    return replace(result, reason=reason) if hasattr(result, "reason") else result
