"""Maps on value vectors and policies: T, T^π, greedy choice, P_π, occupancies."""

from .bellman import bellman, greedy, q_values
from .occupancy import occupancy, state_action_occupancy
from .policy import reward_vector, transition_matrix

__all__ = [
    "bellman",
    "greedy",
    "occupancy",
    "q_values",
    "reward_vector",
    "state_action_occupancy",
    "transition_matrix",
]
