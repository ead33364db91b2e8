"""Maps on value vectors and policies: T, T^π, greedy choice, P_π, occupancies."""

from .bellman import bellman, greedy, q_values
from .expectile import expectile, implicit_bellman, one_level_bellman
from .occupancy import occupancy, state_action_occupancy
from .policy import reward_vector, transition_matrix

__all__ = [
    "bellman",
    "expectile",
    "greedy",
    "implicit_bellman",
    "occupancy",
    "one_level_bellman",
    "q_values",
    "reward_vector",
    "state_action_occupancy",
    "transition_matrix",
]
