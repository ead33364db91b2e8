"""Sweeps of Π T_π on a card: the lists lie there, laws go there once and come back to be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidArgument
from ..kernels.pick import Device, check_device, pick
from ..operators.distributional import CategoricalStep, QuantileStep

Step = CategoricalStep | QuantileStep


def check_card(device: Device, exact: bool, H: int | None) -> None:
    """Refuse what a card has no path for.

    Raises
    ------
    InvalidArgument
        For an unknown device; on a card, a rational model or a horizon.
    """
    check_device(device)
    if device == "cpu":
        return
    if exact:
        raise InvalidArgument(
            f"device={device!r}: the model is rational, a card computes in doubles; use model.float() or "
            "device='cpu'"
        )
    if H is not None:
        raise InvalidArgument(f"device={device!r}: H={H}, sweeps over a horizon run on the CPU; drop device")


class CardStep:
    """One backup η ↦ Π T_π η between two arrays on the card."""

    def __init__(self, step: Step) -> None:
        self.kernels = pick("categorical" if isinstance(step, CategoricalStep) else "quantile", "cuda")
        from ..kernels.gpu._device import device_array, host_array

        self._there, self.host = device_array, host_array
        c = step.chain
        self.lists = [device_array(x) for x in (step.rows, c.ptr, c.prob, c.next_state, c.reward)]
        self.gamma = float(c.gamma)
        self.grid = step.grid if isinstance(step, CategoricalStep) else None
        self.uniform = isinstance(step, CategoricalStep) and step.uniform
        self.points = None if self.grid is None else device_array(self.grid)
        self.clipped = device_array(np.zeros(c.lists))

    def buffers(self, start: NDArray[np.float64]) -> tuple[Any, Any]:
        """`start` on the card, and room for the next laws."""
        return self._there(start.copy()), self._there(np.zeros_like(start))

    def __call__(self, laws: Any, out: Any) -> None:
        """One backup from `laws` into `out`."""
        if self.grid is None:
            self.kernels.backup(*self.lists, self.gamma, laws, out)
        elif self.uniform:
            lo, step = float(self.grid[0]), float(self.grid[-1] - self.grid[0]) / (len(self.grid) - 1)
            self.kernels.backup_uniform(*self.lists, self.gamma, lo, step, laws, out, self.clipped)
        else:
            self.kernels.backup_grid(*self.lists, self.gamma, self.points, laws, out, self.clipped)
