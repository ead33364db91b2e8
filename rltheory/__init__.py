"""rltheory: exact objects, certified solvers and checkable theorems for reinforcement learning."""

from .models import MDP, SSP, FiniteHorizonMDP, Policy, gallery

__all__ = ["MDP", "SSP", "FiniteHorizonMDP", "Policy", "gallery"]
