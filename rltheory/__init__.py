"""rltheory: exact objects, certified solvers and checkable theorems for reinforcement learning."""

from .models import MDP, Policy

__all__ = ["MDP", "Policy"]
