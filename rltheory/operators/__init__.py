"""Maps on value vectors and policies: T, T^π, greedy choice, P_π, occupancies."""

from .bellman import bellman, greedy, q_values
from .encoded import HLGauss, OneHot, TwoHot, encoded_bellman, policy_chain
from .encodings import c51, hl_gauss, one_hot, readout, two_hot
from .expectile import expectile, implicit_bellman, one_level_bellman
from .occupancy import occupancy, state_action_occupancy
from .policy import reward_vector, transition_matrix

__all__ = [
    "HLGauss",
    "OneHot",
    "TwoHot",
    "bellman",
    "c51",
    "encoded_bellman",
    "expectile",
    "greedy",
    "hl_gauss",
    "implicit_bellman",
    "occupancy",
    "one_hot",
    "one_level_bellman",
    "policy_chain",
    "q_values",
    "readout",
    "reward_vector",
    "state_action_occupancy",
    "transition_matrix",
    "two_hot",
]
