"""Arrays on the card, launch sizes, and the board on which kernels write how a sweep went.

Board.  Every sweep ends with one block reducing what all blocks found; it writes `state` =
(how, sweeps, min B, max B, changed actions) with B = TV − V and the stopping rule of
`..bellman_csr`.  A sweep that finds how ≠ 0 does nothing, so the host may launch a burst of sweeps
and read the board once: the loop ends at the same sweep as one that looks every time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config, cuda

SIMULATED = bool(config.ENABLE_CUDASIM)
"""True under NUMBA_ENABLE_CUDASIM=1."""
THREADS = 4 if SIMULATED else 128
"""Threads of a block; the simulator runs each as an operating-system thread."""
CHUNK = 4 * THREADS if SIMULATED else 2048
"""Entries of P staged in shared memory at a time."""
BURST = 4 if SIMULATED else 32
"""Sweeps launched between two looks at the board."""
SHARED = 48 * 1024
"""Bytes of shared memory a block may have without asking."""
FIELDS = 6
"""Numbers each block reports: min B, max B, min TV, max TV, a NaN detector, changed actions."""


def device_array(x: Any) -> Any:
    """`x` on the card: itself if it is there, else a copy."""
    if hasattr(x, "copy_to_host"):
        return x
    if hasattr(x, "__cuda_array_interface__"):
        return cuda.as_cuda_array(x)
    return cuda.to_device(np.ascontiguousarray(x))


def host_array(x: Any) -> Any:
    """`x` as a NumPy array."""
    if hasattr(x, "copy_to_host"):
        return x.copy_to_host()
    return cuda.as_cuda_array(x).copy_to_host() if hasattr(x, "__cuda_array_interface__") else np.asarray(x)


def deliver(result: Any, x: Any) -> None:
    """Copy the device array `result` into the output `x` unless `x` is the memory it was made from."""
    if isinstance(x, np.ndarray):
        x[...] = result.copy_to_host()
    elif result is not x and hasattr(x, "__cuda_array_interface__"):
        target = device_array(x)
        if pointer(target) != pointer(result):
            target.copy_to_device(result)


def pointer(x: Any) -> Any:
    """Address of a device array, or the array itself in the simulator."""
    return id(x) if SIMULATED else x.__cuda_array_interface__["data"][0]


def blocks_for(items: int) -> int:
    """Blocks for a grid-stride loop over `items` threads: enough to fill the card, no more."""
    needed = max(1, -(-items // THREADS))
    if SIMULATED:
        return min(needed, 3)
    return int(min(needed, 16 * cuda.get_current_device().MULTIPROCESSOR_COUNT))


class Board:
    """What the last sweeps found; see the module.

    Parameters
    ----------
    items
        States of the model: sets the number of blocks.
    """

    def __init__(self, items: int) -> None:
        self.blocks = blocks_for(items)
        self._zero = np.zeros(5)
        self.state = cuda.to_device(self._zero)
        self.ticket = cuda.to_device(np.zeros(1, dtype=np.int32))
        self.parts = cuda.device_array(FIELDS * self.blocks, dtype=np.float64)
        self.spans = cuda.device_array(BURST, dtype=np.float64)

    @property
    def outputs(self) -> tuple[Any, Any, Any, Any]:
        """The last arguments of every sweep kernel."""
        return self.state, self.ticket, self.parts, self.spans

    def clear(self) -> None:
        """Ready for the next burst."""
        self.state.copy_to_device(self._zero)

    def read(self) -> tuple[int, int, float, float, int]:
        """(how, sweeps, min B, max B, changed actions) since `clear`; waits for the card."""
        how, n, lo, hi, changed = self.state.copy_to_host().tolist()
        return int(how), int(n), lo, hi, int(changed) if changed == changed else 1
