"""Diffusions: exact transition laws, and samplers where they exist."""

from ...lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "polynomial": "PolynomialDiffusion",
    },
)
