"""Immutable objects in other processes: what pickling and copying keep of them."""

from __future__ import annotations

from functools import cache, cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from .arrays import frozen


class Portable:
    """Pickles and copies stay immutable, and leave behind what is computed when asked for.

    Read-only arrays come back read-only, read-only mappings as such; values of `cached_property` are computed
    again there, and so is `_kernel_arrays`.
    """

    def __getstate__(self) -> dict[str, Any]:
        kind: Any = type(self)
        left, seen = _computed(kind), dict[int, Any]()
        return {name: _packed(value, seen) for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        seen = dict[int, Any]()
        self.__dict__.update((name, _unpacked(value, seen)) for name, value in state.items())


class _Sealed:
    """A read-only array or mapping on its way."""

    def __init__(self, content: Any) -> None:
        self.content = content


@cache
def _computed(kind: type) -> frozenset[str]:
    found = {n for c in kind.__mro__ for n, value in vars(c).items() if isinstance(value, cached_property)}
    return frozenset(found | {"_kernel_arrays"})


def _packed(value: Any, seen: dict[int, Any]) -> Any:
    """`value` with read-only arrays and mappings marked, also inside plain tuples; the same for the same."""
    if id(value) not in seen:
        out = value
        if isinstance(value, np.ndarray) and not value.flags.writeable:
            out = _Sealed(value)
        elif isinstance(value, MappingProxyType):
            out = _Sealed({key: _packed(x, seen) for key, x in value.items()})
        elif type(value) is tuple:
            out = tuple(_packed(x, seen) for x in value)
        seen[id(value)] = out
    return seen[id(value)]


def _unpacked(value: Any, seen: dict[int, Any]) -> Any:
    """The reverse of `_packed`."""
    if id(value) not in seen:
        out = value
        if isinstance(value, _Sealed):
            inner = value.content
            if isinstance(inner, np.ndarray):
                out = frozen(inner)
            else:
                out = MappingProxyType({key: _unpacked(x, seen) for key, x in inner.items()})
        elif type(value) is tuple:
            out = tuple(_unpacked(x, seen) for x in value)
        seen[id(value)] = out
    return seen[id(value)]
