"""Packages whose public names load on first use (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def attach(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of `package`.

    Parameters
    ----------
    package
        `__name__` of the package.
    homes
        Submodule → its public names, separated by spaces; a submodule without names is itself public.
    """
    where = {name: home for home, names in homes.items() for name in names.split()}
    public = sorted([*where, *(home for home, names in homes.items() if not names)])

    def getter(name: str) -> Any:
        if name in where:
            value = getattr(import_module(f"{package}.{where[name]}"), name)
        elif name in homes:
            return import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"{package} has no public name {name!r}")
        vars(import_module(package))[name] = value
        return value

    return getter, lambda: public, public
