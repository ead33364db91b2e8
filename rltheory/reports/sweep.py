"""Sweeps: a function at every point of a grid and every seed, one row a run, on any executor, resumable.

    sweep(f, over={"S": [4, 8], "agent": [a, b]}, seeds=range(20))  →  f(S=…, agent=…, seed=…), 80 rows

With `store=`, a row is on disk the moment its run ends, under a key made of the function's code, the values
of its arguments and the seed.  A sweep that was killed, however brutally, goes on where it was: finished rows
are read back, the others run.  Changed code or values have other keys, so old rows are never taken for new.
"""

from __future__ import annotations

import itertools
import json
import operator
import queue
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import InvalidArgument
from ..solvers._progress import Progress
from ._content import code, content, digest, forget, pack, unpack
from ._store import RunStore
from .sweep_table import OWN, Row, SweepTable
from .text import count, seconds

IN_FLIGHT = 256
"""Runs submitted ahead to an executor that does not say how many workers it has."""


class Submits(Protocol):
    """Anything with `.submit`: threads, processes, a Dask client or its executor, mpi4py pools."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any:
        """A future with `.result()` and `.add_done_callback(f)`."""


def sweep(
    fn: Callable[..., Any],
    over: Mapping[str, Sequence[Any] | Mapping[str, Any]],
    *,
    seeds: Iterable[int] | int | None = None,
    executor: Submits | None = None,
    store: str | Path | None = None,
    progress: bool = True,
    retry: bool = False,
) -> SweepTable:
    """Row (x, seed) ↦ f(**x, seed=seed) for every x in the product of `over` and every seed.

    Parameters
    ----------
    fn
        Returns a number, text, an array, or a mapping of names to such; called with keywords, and with `seed`
        if seeds are given.  It must be picklable for executors of other processes, and take all randomness
        from its seed: equal arguments are one run.
    over
        Parameter → its values; a mapping gives long values (models, agents) short names for the table.
    seeds
        Seeds, or how many (0, 1, …); None calls `fn` once a point, without a seed.
    executor
        Anything with `.submit`; None runs here, one after the other.
    store
        File of finished runs, made if missing.  Several sweeps may use one at a time and share the work.
    progress
        A bar on a terminal, nothing elsewhere; False is silent.
    retry
        Run again what the store holds as failed.

    Returns
    -------
    Rows in the order of the grid.  A run that raises is a row with `status` "failed" and its traceback; the
    others go on, and a warning counts them.

    Raises
    ------
    InvalidArgument
        For an empty grid, repeated values, or values without content to key them by.
    InvalidFile
        If the store is damaged or something else's.
    RuntimeError
        If the executor breaks (a worker was killed); finished rows are in the store.

    Warns
    -----
    UserWarning
        If runs failed, or if the store holds these runs for other code of `fn`, which are not used.

    Notes
    -----
    The code of a run is that of `fn`, its defaults and closure, and all it uses of its own package, at any
    depth; installed packages count by their version, other modules by their files.  A global object that
    has no content to go by counts by its type only: hand such things over as parameters.

    Examples
    --------
    >>> table = sweep(lambda n, seed: {"sum": n + seed}, over={"n": [1, 2]}, seeds=2)
    >>> table["sum"]
    [1, 2, 2, 3]
    """
    if not callable(fn):
        raise InvalidArgument(f"sweep: fn={fn!r} cannot be called; pass a function")
    if not isinstance(over, Mapping):
        raise InvalidArgument(f"sweep: over is a {type(over).__name__}; pass a mapping {{parameter: values}}")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InvalidArgument(f"sweep: executor={executor!r} has no .submit; see concurrent.futures, or None")
    forget()
    points, parameters = _points(over)
    seeded = None if seeds is None else _seeds(seeds)
    if seeded is not None and (not seeded or len(set(seeded)) < len(seeded)):
        raise InvalidArgument(f"sweep: seeds={seeded[:8]} must be distinct and at least one")
    if seeded is not None and "seed" in parameters:
        raise InvalidArgument("sweep: over has a parameter 'seed'; give seeds= instead")
    code_key = code(fn)
    name = f"{getattr(fn, '__module__', '')}.{getattr(fn, '__qualname__', type(fn).__name__)}"
    units = []
    for labels, values, key in points:
        for s in [None] if seeded is None else seeded:
            point = labels if s is None else {**labels, "seed": s}
            arguments = values if s is None else {**values, "seed": s}
            run = digest([name, key, ["none" if s is None else str(s)]])
            units.append(_Unit(point, arguments, run, digest([run, code_key])))
    if len({u.key for u in units}) < len(units):
        raise InvalidArgument("sweep: two points of the grid have equal values; drop one")
    shown = parameters if seeded is None else (*parameters, "seed")
    return _Sweep(fn, units, shown, code_key, executor, store, progress, retry).table()


def _seeds(seeds: Iterable[int] | int) -> list[int]:
    """The seeds as integers."""
    try:
        if isinstance(seeds, (bool, np.bool_)):
            raise TypeError
        given = range(seeds) if isinstance(seeds, (int, np.integer)) else seeds
        return [operator.index(s) for s in given]
    except TypeError:
        raise InvalidArgument(f"sweep: seeds={seeds!r}, must be integers, or how many") from None


def _points(over: Mapping[str, Any]) -> tuple[list[tuple[Row, Row, Any]], tuple[str, ...]]:
    """(labels, values, content) of every point."""
    axes = []
    for name, given in over.items():
        if name in OWN:
            raise InvalidArgument(f"sweep: over has a parameter {name!r}, a column of the table; rename it")
        if isinstance(given, (str, bytes)) or not isinstance(given, (Sequence, Mapping, np.ndarray)):
            raise InvalidArgument(f"sweep: over[{name!r}]={given!r} must be a list (or mapping) of values")
        pairs = list(given.items()) if isinstance(given, Mapping) else [(None, v) for v in given]
        if not pairs:
            raise InvalidArgument(f"sweep: over[{name!r}] is empty; the product has no point")
        axes.append(
            [
                (name, _label(v) if k is None else k, v, [name, content(v, f"{name}[{i}]")])
                for i, (k, v) in enumerate(pairs)
            ]
        )
    points = []
    for choice in itertools.product(*axes):
        labels = {n: label for n, label, _, _ in choice}
        points.append((labels, {n: v for n, _, v, _ in choice}, [c for _, _, _, c in choice]))
    return points, tuple(over)


def _label(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str, Fraction)):
        return value
    if isinstance(value, type) or callable(value):
        return getattr(value, "__name__", repr(value))
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


@dataclass(frozen=True)
class _Unit:
    point: Row
    arguments: Row
    run: str
    key: str


def _run(fn: Callable[..., Any], arguments: Row) -> Row:
    """Call `fn` and return what is stored: results as JSON can hold them, or the traceback."""
    start = time.perf_counter()
    try:
        out = fn(**arguments)
        named = out if isinstance(out, Mapping) else {"value": out}
        clash = [k for k in named if k in arguments or k in OWN or not isinstance(k, str)]
        if clash:
            raise InvalidArgument(f"sweep: the result's name {clash[0]!r} is taken or not text; rename it")
        packed = {k: pack(v, k) for k, v in named.items()}
    except Exception:  # whatever a run raises is its row, and the others go on
        return {"status": "failed", "error": traceback.format_exc(), "seconds": time.perf_counter() - start}
    spent = time.perf_counter() - start
    return {"results": packed, "status": "done", "error": None, "seconds": spent}


class _Broken(Exception):
    """The executor failed, not the function."""


class _Sweep:
    def __init__(
        self,
        fn: Callable[..., Any],
        units: list[_Unit],
        parameters: tuple[str, ...],
        code_key: str,
        executor: Submits | None,
        store: str | Path | None,
        progress: bool,
        retry: bool,
    ) -> None:
        self.fn, self.units, self.parameters, self.code = fn, units, parameters, code_key
        self.executor, self.progress, self.retry = executor, progress, retry
        self.store = None if store is None else RunStore(store)
        self.rows: dict[str, Row] = {}
        self.reused = 0

    def table(self) -> SweepTable:
        try:
            stale = 0 if self.store is None else self.store.stale({u.run for u in self.units}, self.code)
            with Progress(len(self.units), "sweep", None if self.progress else False) as bar:
                self.bar = bar
                waiting = [u for u in self.units if not self.recall(u)]
                while waiting:
                    left = self.serial(waiting) if self.executor is None else self.submitted(waiting)
                    if len(left) == len(waiting):
                        time.sleep(0.1)  # another sweep on this store is running them
                    waiting = [u for u in left if not self.recall(u)]
        finally:
            if self.store is not None:
                self.store.close()
        rows = tuple({**u.point, **self.unpacked(self.rows[u.key])} for u in self.units)
        table = SweepTable(rows, self.reused, stale, self.parameters)
        self.warn(table)
        return table

    @staticmethod
    def unpacked(row: Row) -> Row:
        results = {k: unpack(v) for k, v in row.get("results", {}).items()}
        return {**results, **{k: row[k] for k in OWN}}

    def recall(self, u: _Unit) -> bool:
        """True if the store has the run."""
        row = None if self.store is None else self.store.get(u.key)
        if row is None or (self.retry and row["status"] == "failed"):
            return False
        self.rows[u.key] = row
        self.reused += 1
        self.bar.advance()
        return True

    def take(self, u: _Unit) -> bool | None:
        """Lock a run: True to run it, None if it is finished meanwhile, False if another sweep has it."""
        if self.store is None:
            return True
        if not self.store.claim(u.key):
            return False
        if self.recall(u):
            self.store.release(u.key)
            return None
        return True

    def keep(self, u: _Unit, row: Row) -> None:
        if self.store is not None:
            self.store.put(u.key, u.run, self.code, row)
            self.store.release(u.key)
        self.rows[u.key] = json.loads(json.dumps(row))
        self.bar.advance()

    def serial(self, waiting: list[_Unit]) -> list[_Unit]:
        left = []
        for u in waiting:
            taken = self.take(u)
            if taken:
                try:
                    self.keep(u, _run(self.fn, u.arguments))
                finally:
                    if self.store is not None:
                        self.store.release(u.key)
            elif taken is False:
                left.append(u)
        return left

    def submitted(self, waiting: list[_Unit]) -> list[_Unit]:
        """Keep the executor busy with a window of runs; store each as it ends."""
        assert self.executor is not None
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        workers = getattr(self.executor, "_max_workers", None)
        window = 2 * workers if isinstance(workers, int) else IN_FLIGHT
        ahead, left = iter(waiting), []
        flying: dict[int, tuple[Any, _Unit]] = {}
        try:
            while True:
                while len(flying) < window and (u := next(ahead, None)) is not None:
                    taken = self.take(u)
                    if taken:
                        future = self.executor.submit(_run, self.fn, u.arguments)
                        flying[id(future)] = (future, u)
                        future.add_done_callback(ended.put)
                    elif taken is False:
                        left.append(u)
                if not flying:
                    return left
                future = ended.get()
                self.land(flying, future)
        except _Broken as broken:
            for future, _ in list(flying.values()):  # what had ended all the same
                if future.done() and not future.cancelled() and future.exception() is None:
                    self.land(flying, future)
            missing = len(self.units) - len(self.rows)
            where = "in the store; sweep again to go on" if self.store else "lost; give store= to keep them"
            exc = broken.__cause__
            raise RuntimeError(
                f"sweep: the executor did not run the function ({type(exc).__name__}: {exc}); {missing} of "
                f"{len(self.units)} runs are unfinished, finished rows are {where}"
            ) from exc
        finally:
            for future, u in flying.values():
                future.cancel()
                if self.store is not None:
                    self.store.release(u.key)

    def land(self, flying: dict[int, tuple[Any, _Unit]], future: Any) -> None:
        """Store the row of a future that ended; `_run` never raises, so what is raised is the executor's."""
        _, u = flying[id(future)]
        try:
            row = future.result()
        except Exception as exc:
            raise _Broken from exc
        self.keep(u, row)
        del flying[id(future)]

    def warn(self, table: SweepTable) -> None:
        if table.stale and self.store is not None:
            warnings.warn(
                f"sweep: {count(table.stale, 'run')} in {self.store.path.name} belong to other code of this "
                "function and were not used",
                stacklevel=4,
            )
        if table.failed:
            bad = table.failed
            first = bad[0]
            point = ", ".join(f"{k}={first[k]}" for k in self.parameters)
            reason = str(first["error"]).strip().splitlines()[-1]
            spent = seconds(sum(r["seconds"] for r in bad))
            warnings.warn(
                f"sweep: {count(len(bad), 'run')} of {len(table)} failed in {spent}, first at {point}: "
                f"{reason}; their rows have status 'failed', and retry=True runs them again",
                stacklevel=4,
            )
