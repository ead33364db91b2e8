"""What searches over the initial stock share: their result, the level τ, number systems."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..errors import InvalidArgument
from ._stock_model import StockValues

CUTS = 1_000
"""Most cutting planes, and most vertices, before `NotConverged`."""


@dataclass(frozen=True, eq=False)
class Outer:
    """Optimal value of an outer objective in one state, and how to attain it.

    Attributes
    ----------
    value, lower, upper
        Estimate (what the policy found attains, before its own errors) and rigorous bounds.
    starts
        (weight, stock c_0) of the policies to draw from at time 0; one of weight 1 unless randomising helps.
    note
        What was searched.
    """

    value: Any
    lower: Any
    upper: Any
    starts: tuple[tuple[Any, Any], ...]
    note: str = ""


def check_level(name: str, tau: Any) -> Any:
    """τ ∈ (0, 1]."""
    if not 0 < tau <= 1:
        raise InvalidArgument(f"{name}: tau={tau}, must be in (0, 1]; the whole law is tau=1")
    return tau


def is_rational(values: StockValues, x: Any) -> bool:
    """True where both the values and x are rational."""
    return values.table().dtype == object and isinstance(x, (int, Fraction))
