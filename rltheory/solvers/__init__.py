"""One file an algorithm; each solver is a frozen value with one method `run(model)`."""

from ..lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "anchored": "AnchoredValueIteration",
        "average_reward": "AverageReward",
        "backward_induction": "BackwardInduction",
        "batched": "BatchSolution evaluate_batch solve_batch",
        "evaluation": "advantage evaluate",
        "linear_program": "LinearProgram",
        "modified_policy_iteration": "ModifiedPolicyIteration",
        "policy_iteration": "PolicyIteration",
        "portfolio": "solve",
        "ssp": "SSPSolver",
        "value_iteration": "ValueIteration",
    },
)
