"""Pickles and copies of models and results: the same, still immutable, usable in another process."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction as F
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import rltheory as rl
from rltheory.solvers import PolicyIteration

G = rl.gallery
FIRST = 6
"""Models that `solve` takes as they are."""
MODELS: dict[str, Callable[[], Any]] = {
    "dense": lambda: G.river_swim(6, 0.9),
    "csr": lambda: G.random_garnet(300, 3, 4, 0.95, 0),
    "exact": lambda: G.river_swim(5, F(9, 10)),
    "finite horizon": lambda: G.deep_sea(4),
    "ssp": lambda: G.gambler(10),
    "latent": lambda: G.wait_and_guess(F(1, 2)),
    "outcomes": lambda: G.gambler_chain(),
    "stock": lambda: rl.stock_augmented(G.gambler_chain(), H=3),
    "process": lambda: rl.processes.OU(1.0, 0.0, 1.0),
    "lqr": lambda: G.scalar_lqr(),
}
RESULTS: dict[str, Callable[[], Any]] = {
    **{
        f"solution, {name}": lambda name=name: rl.solve(MODELS[name](), throw=False)
        for name in list(MODELS)[:FIRST]
    },
    "stochastic policy": lambda: rl.Policy([[0.25, 0.75], [1.0, 0.0]]),
    "policy": lambda: rl.Policy([0, 1, 1], 2),
    "trace": lambda: PolicyIteration().run(G.river_swim(5, F(9, 10))),
    "average": lambda: rl.AverageReward().run(G.river_swim(6, 0.9)),
    "blackwell": lambda: rl.Blackwell().run(G.river_swim(4, F(9, 10))),
}
ALL = MODELS | RESULTS


def parts(x: Any, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Everything inside an object, by attribute."""
    seen = set() if seen is None else seen
    if isinstance(x, type):
        return
    yield path, x
    if id(x) in seen:
        return
    if isinstance(x, (tuple, list)):
        inner = {str(i): v for i, v in enumerate(x)}
    elif isinstance(x, (dict, MappingProxyType)):
        inner = {str(k): v for k, v in x.items()}
    elif isinstance(x, rl.Policy):
        inner = {"pi": x._pi, "A": x.A}
    elif type(x).__module__.startswith("rltheory"):
        inner = dict(getattr(x, "__dict__", {}))
    else:
        return
    seen.add(id(x))
    for name, value in inner.items():
        yield from parts(value, f"{path}.{name}", seen)


def check_same(was: Any, now: Any) -> None:
    """What the copy holds is what the original holds, as far as it was carried over, and as immutable."""
    old, new = dict(parts(was)), dict(parts(now))
    assert type(now) is type(was) and len(new) > 1
    for path, value in new.items():
        assert type(old[path]) is type(value), path
        if isinstance(value, np.ndarray):
            assert value.flags.writeable == old[path].flags.writeable, path
            assert value.dtype == old[path].dtype, path
            np.testing.assert_array_equal(value, old[path])
        elif isinstance(value, (int, float, str, F)):
            assert value == old[path] or value != value, path


@pytest.mark.parametrize("name", ALL)
def test_pickles_and_copies_are_the_same_and_immutable(name: str) -> None:
    x = ALL[name]()
    for now in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), copy.copy(x)):
        check_same(x, now)


@pytest.mark.parametrize("name", list(MODELS)[:FIRST])
def test_a_solved_model_carries_nothing_computed_and_is_solved_the_same(name: str) -> None:
    model = MODELS[name]()
    size = len(pickle.dumps(model))
    before = rl.solve(model, throw=False)
    assert len(pickle.dumps(model)) == size
    after = rl.solve(pickle.loads(pickle.dumps(model)), throw=False)
    if name != "latent":
        np.testing.assert_array_equal(after.V, before.V)
        np.testing.assert_array_equal(after.upper, before.upper)
    if isinstance(model, rl.MDP):
        assert pickle.loads(pickle.dumps(model)) == model
        assert pickle.loads(pickle.dumps(model)).row_sums == model.row_sums
        with pytest.raises(ValueError, match="read-only"):
            pickle.loads(pickle.dumps(model)).R_pairs[0] = 7


def test_another_process_reads_them() -> None:
    sent = {name: make() for name, make in ALL.items()}
    words = (
        "import pickle, sys\n"
        "got = pickle.load(sys.stdin.buffer)\n"
        "print(got['solution, dense'].error, got['solution, exact'].V[0], got['blackwell'].enclosure())\n"
        "print(len(got))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", words], input=pickle.dumps(sent), capture_output=True, check=True
    )
    first, second = sent["solution, dense"], sent["blackwell"].enclosure()
    expected = f"{first.error} {sent['solution, exact'].V[0]} {second}\n{len(ALL)}\n"
    assert done.stdout.decode() == expected
