"""Frozen outputs."""

from .enclosure import Enclosure
from .solution import Solution, Status, Step

__all__ = ["Enclosure", "Solution", "Status", "Step"]
