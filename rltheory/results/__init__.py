"""Frozen outputs."""

from ..lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "distributional": "DistributionalSolution",
        "enclosure": "Enclosure",
        "horizon": "HorizonSolution",
        "latent": "LatentBound LatentMoments LatentPolicy LatentSolution",
        "law": "ReturnLaw",
        "solution": "Solution Status Step",
        "stock": "StockSolution",
        "vector_law": "VectorLaw",
    },
)
