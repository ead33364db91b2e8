"""Maps on value vectors and policies: T, T^π, greedy choice, P_π, occupancies."""

from ..lazy import attach
from .bellman import bellman, greedy, q_values
from .expectile import expectile, implicit_bellman, one_level_bellman
from .occupancy import occupancy, state_action_occupancy
from .policy import reward_vector, transition_matrix

# what solving needs is loaded at once, and so is what bears the name of its module; the rest on first use
__getattr__, _, _later = attach(
    __name__,
    {
        "canonical": "canonicalise minimal_representative",
        "confidence": "confidence_sequence mixture_radius stitched_radius",
        "coverage": (
            "ClippedRatio clip_ratio clipped_concentrability clipped_ratio density_ratio horizon_occupancy"
        ),
        "covariances": "Matern Wiener",
        "cross": "CrossBound anchors_by_volume cross_estimate leverage_scores",
        "diffusion": "",
        "distributional": (
            "categorical_bellman categorical_laws categorical_projection quantile_bellman quantile_laws "
            "quantile_projection sup_cramer sup_wasserstein"
        ),
        "eluder": "eluder_dimension",
        "encoded": "HLGauss OneHot TwoHot encoded_bellman policy_chain",
        "encodings": "c51 hl_gauss one_hot readout two_hot",
        "latent": "HistoryTree history_tree",
        "metric": (
            "Metric lipschitz lipschitz_envelope local_lipschitz quotient value_lipschitz_bound"
        ),
        "objectives": "",
        "quadrature": (
            "Quadrature bayesian_quadrature even_nodes gauss_legendre simpson trapezoid worst_case_error"
        ),
        "shaping": (
            "RewardDecomposition explain_reward is_trivial_reward mean_reward potential_shaping "
            "project_redistribution trivial_basis trivial_dimension"
        ),
        "time_polynomial": "TimePolynomial coordinates exponential",
        "transport": "Transport dynamics_lipschitz kernel_distance wasserstein_1 wasserstein_inf",
    },
)
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
__all__ += _later


def __dir__() -> list[str]:
    return __all__
