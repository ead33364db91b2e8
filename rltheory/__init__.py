"""rltheory: exact objects, certified solvers and checkable theorems for reinforcement learning.

Public names load on first use, so `import rltheory` costs nothing; `__init__.pyi` lists them for type
checkers, and a test keeps the two lists equal.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "arrays": "exact_array float_array span sup_norm uniform",
    "errors": "",
    "models": "MDP SSP FiniteHorizonMDP Policy gallery",
    "models.io": "from_arrays from_gymnasium load save",
    "operators": "bellman greedy occupancy q_values reward_vector state_action_occupancy transition_matrix",
    "results": "Enclosure Solution Status",
    "solvers": (
        "AnchoredValueIteration AverageReward BackwardInduction LinearProgram ModifiedPolicyIteration "
        "PolicyIteration SSPSolver ValueIteration advantage evaluate solve solve_batch"
    ),
    "checks": "",
    "reports": "",
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted([*_WHERE, "checks", "errors", "reports", "solvers"])


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    elif name in _HOMES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"rltheory has no public name {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
