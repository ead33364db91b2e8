"""Frozen outputs."""

from .enclosure import Enclosure
from .horizon import HorizonSolution
from .solution import Solution, Status, Step

__all__ = ["Enclosure", "HorizonSolution", "Solution", "Status", "Step"]
