"""device="cpu" | "cuda" → kernel module.  An explicit argument; no global, no probing by import.

The card's packages are looked up by spec (`importlib.util.find_spec`), so choosing "cpu" never loads
them and a missing one is named with its remedy.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Literal

from ..errors import InvalidArgument, MissingBackend
from .support import SUPPORT

Device = Literal["cpu", "cuda"]

INSTALL = "pip install rltheory[gpu]"


def check_device(device: object) -> None:
    """Raise `InvalidArgument` unless `device` is "cpu" or "cuda"."""
    if device not in ("cpu", "cuda"):
        raise InvalidArgument(f"device={device!r}, must be 'cpu' or 'cuda'")


def simulated() -> bool:
    """True when Numba was told to simulate a card (NUMBA_ENABLE_CUDASIM=1)."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def pick(name: str, device: Device = "cpu") -> ModuleType:
    """The kernel module `name` for `device`.

    Parameters
    ----------
    name
        "bellman_csr", "bellman_dense", "batched" or "evaluate".
    device
        "cpu", or "cuda" for a card (or Numba's simulator of one).

    Returns
    -------
    ModuleType
        Same function names on either device where `..support` says both exist.

    Raises
    ------
    InvalidArgument
        For another device, or a module without kernels for the card.
    MissingBackend
        If the packages or the card are missing.

    Examples
    --------
    >>> pick("bellman_csr").__name__
    'rltheory.kernels.bellman_csr'
    """
    check_device(device)
    package = __package__ or ""
    if device == "cpu":
        return import_module(f"{package}.{name}")
    if not any(row.module == name and row.cuda for row in SUPPORT):
        raise InvalidArgument(f"kernels.{name}: no kernels for device='cuda'; use device='cpu'")
    require_card()
    return import_module(f"{package}.gpu.{name}")


def require_card() -> None:
    """Raise `MissingBackend` unless numba-cuda is installed and sees a card, or a card is simulated."""
    if simulated():
        return
    if find_spec("numba_cuda") is None:
        raise MissingBackend(f"device='cuda': the package numba-cuda is not installed; {INSTALL}")
    from numba import cuda

    if not cuda.is_available():
        raise MissingBackend(
            f"device='cuda': no CUDA card or driver was found; use device='cpu', or {INSTALL} on a machine "
            "with a card"
        )


def require_cupy() -> ModuleType:
    """CuPy, or `MissingBackend` with the install command."""
    if find_spec("cupy") is None:
        raise MissingBackend(f"device='cuda': the package cupy is not installed; {INSTALL}")
    return import_module("cupy")
