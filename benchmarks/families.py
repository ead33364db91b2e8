"""The instance families: what is solved, in which sizes.

Sizes: `tiny` instances are for tests (every family has one), `small` is up to about 10⁴ states,
`medium` about 10⁵, `large` about 10⁶.  All are built from `rltheory.gallery` with fixed seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .instance import Instance

SIZES = ("tiny", "small", "medium", "large")


@dataclass(frozen=True)
class Spec:
    """One instance: its family, size class, and how to build it."""

    family: str
    size: str
    name: str
    make: Callable[[], Any]

    def build(self) -> Instance:
        """The arrays; deterministic."""
        return Instance.of(self.make(), self.name)


def _gallery(function: str, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        from rltheory.models import gallery

        return getattr(gallery, function)(**options)

    return make


def _dense(S: int, A: int, gamma: float) -> Callable[[], Any]:
    return _gallery("random_mdp", S=S, A=A, gamma=gamma, seed=0, support=S)


def _garnet(S: int, gamma: float, *, A: int = 4, b: int = 5, window: int | None = None) -> Callable[[], Any]:
    return _gallery("random_garnet", S=S, A=A, branching=b, gamma=gamma, seed=0, window=window)


def _inventory(n: int, gamma: float) -> Callable[[], Any]:
    demand = [1 / 64] * 64 if n >= 200 else None
    return _gallery("inventory", n=n - 1, gamma=gamma, max_order=min(n - 1, 100), demand=demand)


_TABLE: list[tuple[str, str, str, Callable[[], Any]]] = [
    ("dense", "tiny", "dense S=6", _dense(6, 3, 0.9)),
    ("dense", "small", "tiny dense S=20 γ=.95", _dense(20, 4, 0.95)),
    ("dense", "small", "dense S=100 γ=.99", _dense(100, 4, 0.99)),
    ("dense", "small", "dense S=1000 γ=.99", _dense(1000, 10, 0.99)),
    ("garnet", "tiny", "garnet 30", _garnet(30, 0.9)),
    ("garnet", "small", "garnet 1e3 γ=.99", _garnet(1_000, 0.99)),
    ("garnet", "small", "garnet 1e4 γ=.99", _garnet(10_000, 0.99)),
    ("garnet", "medium", "garnet 1e5 γ=.99", _garnet(100_000, 0.99)),
    ("garnet", "large", "garnet 1e6 γ=.99", _garnet(1_000_000, 0.99)),
    ("branching", "tiny", "garnet 50, branching 20", _garnet(50, 0.9, b=20)),
    ("branching", "small", "garnet 1e4, branching 20 γ=.999", _garnet(10_000, 0.999, b=20)),
    ("local", "tiny", "local garnet 60", _garnet(60, 0.95, window=5)),
    ("local", "small", "local garnet 1e4 γ=.999", _garnet(10_000, 0.999, window=10)),
    ("local", "medium", "local garnet 1e5 γ=.999", _garnet(100_000, 0.999, window=10)),
    ("inventory", "tiny", "inventory 25", _inventory(25, 0.9)),
    ("inventory", "small", "inventory 1000 γ=.99", _inventory(1_000, 0.99)),
    ("inventory", "small", "inventory 2000 γ=.995", _inventory(2_000, 0.995)),
    ("inventory", "small", "inventory 3000 γ=.999", _inventory(3_000, 0.999)),
    ("maze", "tiny", "maze 36", _gallery("maze", size=6, gamma=0.95)),
    ("maze", "small", "maze 1e4 γ=.99", _gallery("maze", size=100, gamma=0.99)),
    ("maze", "small", "maze 1e4 γ=.9999", _gallery("maze", size=100, gamma=0.9999)),
    ("maze", "medium", "maze 1e5 γ=.999", _gallery("maze", size=316, gamma=0.999)),
    ("maze", "large", "maze 1e6 γ=.999", _gallery("maze", size=1000, gamma=0.999)),
    ("pendulum", "tiny", "pendulum 7×7", _gallery("pendulum", angles=7, speeds=7, gamma=0.9)),
    ("pendulum", "small", "pendulum 1e4 γ=.99", _gallery("pendulum", angles=100, speeds=100, gamma=0.99)),
    ("pendulum", "medium", "pendulum 1e5 γ=.99", _gallery("pendulum", angles=316, speeds=316, gamma=0.99)),
    ("queue", "tiny", "queue 40", _gallery("queue", n=39, gamma=0.95)),
    ("queue", "small", "queue 1e4 γ=.99", _gallery("queue", n=9_999, gamma=0.99)),
    ("queue", "medium", "queue 1e5 γ=.999", _gallery("queue", n=99_999, gamma=0.999)),
    ("tandem", "tiny", "tandem queue 36", _gallery("tandem_queue", n=5, gamma=0.95)),
    ("tandem", "small", "tandem queue 1e4 γ=.999", _gallery("tandem_queue", n=99, gamma=0.999)),
    ("tandem", "medium", "tandem queue 2e5 γ=.999", _gallery("tandem_queue", n=447, gamma=0.999)),
    ("riverswim", "tiny", "RiverSwim 30", _gallery("river_swim", S=30, gamma=0.95)),
    ("riverswim", "small", "RiverSwim 1e4 γ=.999", _gallery("river_swim", S=10_000, gamma=0.999)),
    ("riverswim", "small", "RiverSwim 1e4 γ=.9999", _gallery("river_swim", S=10_000, gamma=0.9999)),
    ("riverswim", "medium", "RiverSwim 1e5 γ=.9999", _gallery("river_swim", S=100_000, gamma=0.9999)),
    ("dag", "tiny", "layered DAG 41", _gallery("layered_dag", layers=8, width=5, gamma=0.95)),
    (
        "dag",
        "small",
        "layered DAG 1e4 γ=.999",
        _gallery("layered_dag", layers=100, width=100, A=4, gamma=0.999, branching=5),
    ),
    (
        "dag",
        "medium",
        "layered DAG 1e5 γ=.999",
        _gallery("layered_dag", layers=100, width=1_000, A=4, gamma=0.999, branching=5),
    ),
    (
        "dag",
        "large",
        "layered DAG 1e6 γ=.999",
        _gallery("layered_dag", layers=1_000, width=1_000, A=4, gamma=0.999, branching=5),
    ),
    ("scc", "tiny", "multi-SCC 40", _gallery("multi_scc", components=5, size=8, gamma=0.95)),
    (
        "scc",
        "small",
        "multi-SCC 1e4 γ=.999",
        _gallery("multi_scc", components=100, size=100, A=4, gamma=0.999),
    ),
    (
        "scc",
        "medium",
        "multi-SCC 1e5 γ=.999",
        _gallery("multi_scc", components=1_000, size=100, A=4, gamma=0.999),
    ),
    (
        "scc",
        "large",
        "multi-SCC 1e6 γ=.999",
        _gallery("multi_scc", components=10_000, size=100, A=4, gamma=0.999),
    ),
]

SPECS = tuple(Spec(*row) for row in _TABLE)
FAMILIES = tuple(dict.fromkeys(spec.family for spec in SPECS))


def select(families: Iterable[str] = (), sizes: Iterable[str] = ()) -> list[Spec]:
    """The specs of these families (all if none) and sizes (small if none); raises `ValueError` for others."""
    families, sizes = list(families) or list(FAMILIES), list(sizes) or ["small"]
    for kind, given, known in (("family", families, FAMILIES), ("size", sizes, SIZES)):
        for name in given:
            if name not in known:
                raise ValueError(f"{kind}={name!r}, must be one of {', '.join(known)}")
    return [spec for spec in SPECS if spec.family in families and spec.size in sizes]
