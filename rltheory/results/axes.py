"""The matplotlib axis a plot is drawn on."""

from __future__ import annotations

from typing import Any

from ..errors import MissingBackend


def axes(ax: Any = None, width: float = 6.0, height: float = 4.0) -> Any:
    """`ax`, or the only axis of a new figure of this size in inches; nothing is shown or kept by pyplot.

    Raises
    ------
    MissingBackend
        Without matplotlib.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingBackend("plot needs matplotlib: pip install rltheory[plot]") from exc
    return Figure(figsize=(width, height), layout="constrained").add_subplot()
