"""Maps on value vectors and policies: T, T^π, greedy choice, P_π, occupancies."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .bellman import bellman, greedy, q_values
from .canonical import canonicalise, minimal_representative
from .cross import CrossBound, anchors_by_volume, cross_estimate, leverage_scores
from .encoded import HLGauss, OneHot, TwoHot, encoded_bellman, policy_chain
from .encodings import c51, hl_gauss, one_hot, readout, two_hot
from .expectile import expectile, implicit_bellman, one_level_bellman
from .occupancy import occupancy, state_action_occupancy
from .policy import reward_vector, transition_matrix
from .shaping import (
    RewardDecomposition,
    explain_reward,
    mean_reward,
    potential_shaping,
    project_redistribution,
    trivial_basis,
    trivial_dimension,
)

if TYPE_CHECKING:
    from .distributional import (
        categorical_bellman,
        categorical_laws,
        categorical_projection,
        quantile_bellman,
        quantile_laws,
        quantile_projection,
        sup_cramer,
        sup_wasserstein,
    )

_ON_LAWS = {
    "categorical_bellman",
    "categorical_laws",
    "categorical_projection",
    "quantile_bellman",
    "quantile_laws",
    "quantile_projection",
    "sup_cramer",
    "sup_wasserstein",
}

__all__ = [
    "CrossBound",
    "HLGauss",
    "OneHot",
    "RewardDecomposition",
    "TwoHot",
    "anchors_by_volume",
    "bellman",
    "c51",
    "canonicalise",
    "categorical_bellman",
    "categorical_laws",
    "categorical_projection",
    "cross_estimate",
    "encoded_bellman",
    "expectile",
    "explain_reward",
    "greedy",
    "hl_gauss",
    "implicit_bellman",
    "leverage_scores",
    "mean_reward",
    "minimal_representative",
    "occupancy",
    "one_hot",
    "one_level_bellman",
    "policy_chain",
    "potential_shaping",
    "project_redistribution",
    "q_values",
    "quantile_bellman",
    "quantile_laws",
    "quantile_projection",
    "readout",
    "reward_vector",
    "state_action_occupancy",
    "sup_cramer",
    "sup_wasserstein",
    "transition_matrix",
    "trivial_basis",
    "trivial_dimension",
    "two_hot",
]


def __getattr__(name: str) -> Any:
    if name == "objectives":  # laws of returns load on first use
        return import_module(".objectives", __name__)
    if name in _ON_LAWS:
        return getattr(import_module(".distributional", __name__), name)
    raise AttributeError(f"{__name__} has no public name {name!r}")
