"""Frozen, validated nouns: MDPs, policies, horizons."""

from .mdp import MDP
from .policy import Policy

__all__ = ["MDP", "Policy"]
