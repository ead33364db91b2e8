"""Diffusions with exact transition laws where these are known, and approximate ones given by functions."""

from ...lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "linear": "ControlledLQ LinearSDE",
        "polynomial": "PolynomialDiffusion",
        "scalar": "CIR GBM OU BrownianMotion",
        "sde": "SDE",
    },
)
