"""Frozen outputs."""

from .distributional import DistributionalSolution
from .enclosure import Enclosure
from .horizon import HorizonSolution
from .law import ReturnLaw
from .solution import Solution, Status, Step
from .stock import StockSolution
from .vector_law import VectorLaw

__all__ = [
    "DistributionalSolution",
    "Enclosure",
    "HorizonSolution",
    "ReturnLaw",
    "Solution",
    "Status",
    "Step",
    "StockSolution",
    "VectorLaw",
]
