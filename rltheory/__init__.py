"""rltheory: exact objects, certified solvers and checkable theorems for reinforcement learning.

Public names load on first use, so `import rltheory` costs nothing; `__init__.pyi` lists them for type
checkers, and a test keeps the two lists equal.
"""

from .lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "arrays": "exact_array float_array span sup_norm uniform",
        "errors": "",
        "models": (
            "MDP SSP FiniteHorizonMDP LatentMDP OutcomeMDP Policy from_counts gallery processes "
            "stock_augmented"
        ),
        "models.io": "from_arrays from_drn from_gymnasium from_prism load save",
        "operators": (
            "bellman expectile greedy objectives occupancy q_values reward_vector state_action_occupancy "
            "transition_matrix"
        ),
        "operators.objectives": "cvar expected_utility",
        "results": "Enclosure ReturnLaw Solution Status",
        "solvers": (
            "AverageReward BackwardInduction Blackwell ImplicitQ LinearProgram ModifiedPolicyIteration "
            "PolicyIteration QMDP SSPSolver SoftValueIteration StockDP UCBVI ValueIteration advantage "
            "evaluate regret solve solve_batch starc_distance"
        ),
        "checks": "",
        "reports": "",
        "reports.sweep": "sweep",
    },
)
__all__ += ["solvers"]
