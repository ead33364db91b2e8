"""Frozen, validated nouns: MDPs, policies, horizons."""

from . import gallery
from .finite_horizon import FiniteHorizonMDP
from .mdp import MDP
from .policy import Policy
from .ssp import SSP

__all__ = ["MDP", "SSP", "FiniteHorizonMDP", "Policy", "gallery"]
