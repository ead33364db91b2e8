"""Frozen, validated nouns: MDPs, policies, horizons."""

from . import gallery
from .dataset import from_counts, mixture_behaviour, sample_counts
from .finite_horizon import FiniteHorizonMDP
from .mdp import MDP
from .outcomes import OutcomeMDP
from .policy import Policy
from .ssp import SSP
from .stock import StockMDP, stock_augmented

__all__ = [
    "MDP",
    "SSP",
    "FiniteHorizonMDP",
    "OutcomeMDP",
    "Policy",
    "StockMDP",
    "from_counts",
    "gallery",
    "mixture_behaviour",
    "sample_counts",
    "stock_augmented",
]
