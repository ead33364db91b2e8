"""What an adapter is, and the registry of all of them.

An adapter turns an `Instance` into a solver's own model (`load`, measured apart) and solves it at an
accuracy setting (`solve`).  The setting is whatever the solver calls its tolerance; the worker
tightens it until the values pass the check.  Packages are imported in `prepare`, never earlier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata, util
from typing import Any

from .instance import Instance


@dataclass(frozen=True)
class Answer:
    """Values, and what the solver says about its work (iterations, backups, choice)."""

    V: Any
    facts: dict[str, Any] = field(default_factory=dict)


class Unsuitable(Exception):
    """The instance cannot be given to this solver; the text says why."""


class Adapter:
    """One way to solve a model.

    Attributes
    ----------
    name
        `library-method`, as the tables and `--solver` call it.
    module, package
        What is imported, and the distribution whose version is reported.
    fresh
        True if a model object must not be solved twice (it would start from the last answer).
    tunable
        False if no setting changes the accuracy.
    loosens
        False if it is to be measured as it comes, however accurate that is.
    compiles
        True if the first solve of a model may compile code that the tiny model did not need.
    """

    name: str = ""
    module: str = ""
    package: str = ""
    fresh: bool = False
    tunable: bool = True
    loosens: bool = True
    compiles: bool = False

    def prepare(self) -> None:
        """Import what is needed."""

    def load(self, x: Instance) -> Any:
        """The solver's own model."""
        raise NotImplementedError

    def solve(self, model: Any, eps: float) -> Answer:
        """Solve to the accuracy setting `eps`."""
        raise NotImplementedError

    @property
    def installed(self) -> bool:
        """True if the module can be imported."""
        return not self.module or util.find_spec(self.module) is not None

    @property
    def version(self) -> str:
        """Version of the distribution, empty if unknown."""
        try:
            return metadata.version(self.package) if self.package else ""
        except metadata.PackageNotFoundError:
            return ""


def at_most(entries: float, limit: float, what: str) -> None:
    """Refuse arrays that cannot fit."""
    if entries > limit:
        raise Unsuitable(f"{what} would need {entries * 8 / 1e9:.1f} GB")


def registry() -> dict[str, Adapter]:
    """All adapters by name: ours first, then the peers."""
    from . import ours, peers

    return {a.name: a for a in [*ours.adapters(), *peers.adapters()]}


def find(name: str) -> Adapter:
    """One adapter; a peer's is found without importing rltheory."""
    from . import ours, peers

    if name.startswith("rltheory"):
        return ours.adapter(name)
    return next(a for a in peers.adapters() if a.name == name)
