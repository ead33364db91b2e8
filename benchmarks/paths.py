"""Paths of diffusions against NumPy, Numba's own normals, PyTorch, JAX, diffrax and torchsde.

CPU seconds for all paths × (steps + 1) doubles in a new array, one thread, least of the repeats, peers in the
same run.  Before it is timed a peer must have the mean and the variance of X_T to five standard errors (plus
what Euler steps of that size may be off).

Bound.  The array must be written: `bound` is its bytes at the write bandwidth of this process.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import meter
from .paths_peers import HORIZON, PARAMETERS

PEERS = Path(__file__).with_name("paths_peers.py")


@dataclass(frozen=True)
class Job:
    """`paths` of n steps of one process."""

    kind: str
    paths: int
    n: int
    target: float | None = None

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"{self.kind} {self.paths}×{self.n}"

    @property
    def process(self) -> Any:
        """The library's process."""
        from rltheory.models import processes

        _, k, m, s = PARAMETERS[self.kind]
        if self.kind == "gbm":
            return processes.GBM(k, s)
        return (processes.OU if self.kind == "ou" else processes.CIR)(k, m, s)

    @property
    def x0(self) -> float:
        """Start."""
        return PARAMETERS[self.kind][0]


JOBS = (Job("ou", 10_000, 1_000, 0.08), Job("gbm", 10_000, 1_000), Job("cir", 10_000, 1_000))
TINY = (Job("ou", 400, 20), Job("gbm", 400, 20), Job("cir", 400, 20))


def measure(args: argparse.Namespace, jobs: tuple[Job, ...] = JOBS) -> dict[str, Any]:
    """One row a job and competitor."""
    rows: list[dict[str, Any]] = []
    for job in jobs:
        if not args.quiet:
            sys.stderr.write(f"{job.name}\n")
        process = job.process

        def call(process: Any = process, job: Job = job) -> Any:
            return process.sample(job.x0, HORIZON, job.n, job.paths, seed=1, threads=1)

        last = call()[:, -1]
        mine = _least(call, 2 * args.repeats)
        found = {"cpu": mine, "mean": float(last.mean()), "var": float(last.var())}
        bound = _least(lambda job=job: np.empty((job.paths, job.n + 1)).fill(1.0), 2 * args.repeats)  # type: ignore[misc]
        row = _row(job, "rltheory", found, mine)
        row |= {"bound ms": bound * 1e3, "target ms": job.target * 1e3 if job.target else ""}
        row["within"] = ("yes" if mine <= job.target else "no") if job.target else ""
        rows.append(row)
        rows += [_row(job, who, peer, mine) for who, peer in _peers(job, args).items()]
    columns = list(dict.fromkeys(k for row in rows for k in row))
    return {"table": [{k: row.get(k, "") for k in columns} for row in rows], "load": meter.load()}


def _least(call: Callable[[], Any], repeats: int) -> float:
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


def _row(job: Job, who: str, found: dict[str, Any], mine: float) -> dict[str, Any]:
    row: dict[str, Any] = {"what": job.name, "who": who}
    if "cpu" not in found:
        return row | {"status": found["status"]}
    process, h = job.process, HORIZON / job.n
    mean, var = process.mean_at(job.x0, HORIZON), process.variance_at(job.x0, HORIZON)
    off = max(
        (abs(found["mean"] - mean) - mean * h) / math.sqrt(var / job.paths),
        (abs(found["var"] - var) - 4 * var * h) / (var * math.sqrt(3 / job.paths)),
    )
    row |= {"ms": found["cpu"] * 1e3, "ns a step": found["cpu"] * 1e9 / (job.paths * job.n)}
    row |= {"times ours": found["cpu"] / mine}
    return row | {"status": "" if off < 5 else f"moments off by {off:.1f} standard errors: not this process"}


def _peers(job: Job, args: argparse.Namespace) -> dict[str, Any]:
    run = subprocess.run(
        [args.python, str(PEERS), job.kind, str(job.paths), str(job.n), str(args.repeats)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    if run.returncode:
        return {"peers": {"status": run.stderr.strip().splitlines()[-1][:200]}}
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found
