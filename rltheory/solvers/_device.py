"""Solving on a card: which solver, and a warm start for batches.  Certificates stay on the CPU."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np

from ..arrays import FloatVec
from ..errors import InvalidArgument
from ..kernels.pick import Device, check_device, pick
from ..models.mdp import MDP
from .modified_policy_iteration import ModifiedPolicyIteration


def on_device(model: Any, solver: Any, device: Device) -> Any:
    """`solver` (modified policy iteration if None) set to run on `device`.

    Raises
    ------
    InvalidArgument
        For a model or solver that has no path there.
    """
    check_device(device)
    if not isinstance(model, MDP):
        raise InvalidArgument(
            f"device={device!r}: model of type {type(model).__name__}, only an MDP runs on a card; "
            "use device='cpu'"
        )
    solver = ModifiedPolicyIteration() if solver is None else solver
    if not is_dataclass(solver) or isinstance(solver, type) or not hasattr(solver, "device"):
        raise InvalidArgument(
            f"device={device!r}: {type(solver).__name__} has no path for a card; use "
            "ModifiedPolicyIteration(), ValueIteration() or device='cpu'"
        )
    return replace(solver, device=device)


def on_card(x: Any) -> bool:
    """True for CuPy and other arrays that live on a card."""
    return hasattr(x, "__cuda_array_interface__")


def on_host(x: Any) -> Any:
    """`x`, copied from the card if it lives there."""
    if not on_card(x):
        return x
    pick("batched", "cuda")
    from ..kernels.gpu._device import host_array

    return host_array(x)


def batch_start(P: FloatVec, R: FloatVec, gamma: FloatVec, tol: float, card: tuple[Any, Any]) -> FloatVec:
    """(B, S) values of B models found on the card; zeros where it gave up.

    `card` holds P and R where they are already there, else the host arrays.  A model too large for a
    block is left to the CPU.
    """
    kernels = pick("batched", "cuda")
    B, S, A = R.shape
    V, pi, met = np.zeros((B, S)), np.zeros((B, S), dtype=np.int64), np.zeros(B, dtype=np.int32)
    if not kernels.fits(S, A):
        return V
    from ..kernels.gpu._device import device_array

    def placed(x: Any, host: FloatVec, shape: tuple[int, ...]) -> Any:
        there = on_card(x) and np.dtype(x.dtype) == np.float64
        return device_array(x if there else host).reshape(shape)

    P, R = placed(card[0], P, (B, S * A, S)), placed(card[1], R, (B, S * A))
    kernels.solve_models(P, R, gamma, tol, V, pi, met)
    V[~np.isfinite(V).all(axis=1)] = 0.0
    return V
