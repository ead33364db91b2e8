"""Frozen, validated nouns: MDPs, policies, horizons."""

from ..lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "control": "LQR ControlAffine",
        "dataset": "from_counts mixture_behaviour sample_counts",
        "finite_horizon": "FiniteHorizonMDP",
        "gallery": "",
        "latent": "LatentMDP",
        "mdp": "MDP",
        "multitask": "MultitaskBandit",
        "outcomes": "OutcomeMDP",
        "policy": "Policy",
        "processes": "",
        "ssp": "SSP",
        "stock": "StockMDP stock_augmented",
    },
)
