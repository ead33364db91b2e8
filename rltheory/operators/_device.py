"""A float model's kernel arrays on the device asked for."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ..arrays import FloatVec
from ..errors import InvalidArgument
from ..kernels.pick import Device, pick
from ..models.mdp import MDP
from ._arrays import PairArrays, csr_arrays, pair_arrays


class CardArrays(PairArrays):
    """`PairArrays` whose arrays lie on a card; solver loops copy V there and back."""

    __slots__ = ()

    @property
    def kernels(self) -> ModuleType:
        """`kernels.gpu.bellman_dense` or `kernels.gpu.bellman_csr`."""
        return pick("bellman_dense" if self.dense else "bellman_csr", "cuda")

    @property
    def R(self) -> FloatVec:
        """(N,) rewards, copied to the host."""
        return self.model[-3].copy_to_host()  # type: ignore[no-any-return]


def pairs_on(mdp: MDP, device: Device) -> PairArrays:
    """Kernel module and arrays of a float model on `device`.

    Raises
    ------
    InvalidArgument
        For a card and an exact model.
    MissingBackend
        For a card that is not there.
    """
    if device == "cpu":
        return pair_arrays(mdp)
    if mdp.is_exact:
        raise InvalidArgument(
            f"device={device!r}: the model is rational, a card computes in doubles; use mdp.float() or "
            "device='cpu'"
        )
    pick("bellman_csr", device)
    from ..kernels.gpu._device import device_array

    pairs = pair_arrays(mdp)
    host = csr_arrays(mdp) if pairs.runs else pairs.model
    model: tuple[Any, ...] = tuple(x if isinstance(x, float) else device_array(x) for x in host)
    return CardArrays(pairs.dense, model, pairs.longest)
