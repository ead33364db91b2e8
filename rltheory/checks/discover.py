"""Finding claims: every module-level `Claim` of a package of papers, by id or glob."""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..errors import InvalidArgument
from .claim import Claim, Erratum

CATALOGUE = "proofs_check"
"""The package of papers searched by default."""


@dataclass(frozen=True)
class Found:
    """A claim with its id `paper-key.variable-name`, and where it lives."""

    id: str
    module: str
    variable: str
    claim: Claim[Any] | Erratum[Any]


def claim_id(claim: Claim[Any] | Erratum[Any], variable: str) -> str:
    """`paper.key` + "." + the variable's name with dashes."""
    return f"{claim.source.paper.key}.{variable.replace('_', '-')}"


def claims_in(module: ModuleType) -> Iterator[Found]:
    """The module-level claims defined in (not imported into) a module, in source order."""
    for name, value in list(vars(module).items()):
        if isinstance(value, (Claim, Erratum)) and not name.startswith("_"):
            yield Found(claim_id(value, name), module.__name__, name, value)


def modules(package: str = CATALOGUE) -> Iterator[ModuleType]:
    """Import a package (or a single module) and everything under it.

    Raises
    ------
    InvalidArgument
        If the package cannot be found.
    """
    try:
        root = importlib.import_module(package)
    except ModuleNotFoundError as exc:
        if exc.name and package.startswith(exc.name):
            raise InvalidArgument(
                f"claims: package={package!r} cannot be imported; install it or run from its folder"
            ) from exc
        raise
    yield root
    for info in pkgutil.walk_packages(getattr(root, "__path__", []), prefix=f"{package}."):
        if not info.name.rpartition(".")[2].startswith("__"):
            yield importlib.import_module(info.name)


def discover(patterns: Sequence[str] = (), package: str = CATALOGUE) -> list[Found]:
    """Claims whose id matches one of the globs (all if none given), in order of module and definition.

    Raises
    ------
    InvalidArgument
        If a pattern matches nothing; the message lists near ids.  Also for two claims of one id.
    """
    found: dict[str, Found] = {}
    seen: set[int] = set()
    for module in modules(package):
        for f in claims_in(module):
            if id(f.claim) in seen:
                continue
            seen.add(id(f.claim))
            if f.id in found:
                raise InvalidArgument(
                    f"claims: id {f.id!r} is in both {found[f.id].module} and {f.module}; rename one"
                )
            found[f.id] = f
    if not patterns:
        return list(found.values())
    out: dict[str, Found] = {}
    for p in patterns:
        hits = [i for i in found if fnmatch.fnmatchcase(i, p) or i == p]
        if not hits:
            import difflib

            near = difflib.get_close_matches(p, list(found), n=3, cutoff=0.3)
            raise InvalidArgument(
                f"claims: no id matches {p!r}; nearest: {', '.join(near) or 'none'}; see `rltheory list`"
            )
        out.update({i: found[i] for i in hits})
    return list(out.values())


def load(module: str, variable: str) -> Claim[Any] | Erratum[Any]:
    """The claim at `module.variable`; how a worker process finds its work."""
    claim: Claim[Any] | Erratum[Any] = getattr(importlib.import_module(module), variable)
    return claim
