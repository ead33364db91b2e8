"""Checking many claims, in this process or several, reporting each as it finishes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from typing import Any

from .check import check, check_erratum
from .claim import Claim
from .discover import Found, load
from .report import Report


def run_one(module: str, variable: str, id: str, n: int, seed: int, record: bool) -> Report:
    """Check one claim found by name; top-level, so that any executor can run it."""
    claim: Any = load(module, variable)
    if isinstance(claim, Claim):
        return check(claim, n=n, seed=seed, record=record, id=id)
    return check_erratum(claim, seed=seed, id=id)


def run(
    found: Sequence[Found],
    *,
    n: int = 100,
    seed: int = 0,
    jobs: int = 1,
    record: bool = False,
    executor: Executor | None = None,
) -> Iterator[Report]:
    """Check claims and yield their reports as they finish.

    Parameters
    ----------
    found
        From `discover`.
    n, seed, record
        As for `check`.
    jobs
        Worker processes; 1 checks in this process.
    executor
        Anything with `.submit` (processes, a Dask client's executor); overrides `jobs`.
    """
    if executor is None and jobs <= 1:
        for f in found:
            yield run_one(f.module, f.variable, f.id, n, seed, record)
        return
    own = ProcessPoolExecutor(max_workers=jobs) if executor is None else nullcontext(executor)
    with own as pool:
        futures = [pool.submit(run_one, f.module, f.variable, f.id, n, seed, record) for f in found]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
