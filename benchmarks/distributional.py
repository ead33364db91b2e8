"""Projected distributional backups against NumPy, SciPy, PyTorch, JAX and RLax on the same arrays.

Every answer is compared with ours before it is timed: 10⁻¹² on masses, 10⁻¹² of the largest atom on
quantiles, or the row says how far off it is.  Times are the least CPU seconds of one thread.

Bound.  A backup must read one law an outcome and write one a state: 8m(K + 2n) bytes (a written line is
read first).  `bound` is their time at the read bandwidth of the same process and working set, `reached`
its share of our time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import meter, stream

PEERS = Path(__file__).with_name("laws_peers.py")
CLOSE = 1e-12


@dataclass(frozen=True)
class Job:
    """n = S backups of b outcomes each on laws of m numbers."""

    kind: str
    S: int
    b: int
    m: int
    gamma: float
    one_reward: bool = False
    target: float | None = None

    @property
    def name(self) -> str:
        """As it is printed."""
        rewards = ", reward of the pair" if self.one_reward else ""
        return f"{self.kind} S={self.S} b={self.b} m={self.m} γ={self.gamma:g}{rewards}"

    def arrays(self) -> dict[str, Any]:
        """prob, next_state, reward (S, b), laws (S, m) and the grid, which covers the returns."""
        rng = np.random.default_rng(0)
        reward = rng.uniform(-1, 1, (self.S, self.b))
        if self.one_reward:
            reward[:] = reward[:, :1]
        if self.kind == "categorical":
            laws = rng.dirichlet(np.ones(self.m), self.S)
        else:
            laws = np.sort(rng.normal(size=(self.S, self.m)), axis=1)
        lo = -1 / (1 - self.gamma)
        return {
            "prob": rng.dirichlet(np.ones(self.b), self.S),
            "next_state": rng.integers(0, self.S, (self.S, self.b)),
            "reward": reward,
            "laws": laws,
            "gamma": self.gamma,
            "lo": lo,
            "step": -2 * lo / (self.m - 1),
            "kind": self.kind,
        }


JOBS = (
    Job("categorical", 10_000, 5, 201, 0.99, target=6e-3),
    Job("categorical", 10_000, 5, 201, 0.95, target=6e-3),
    Job("categorical", 10_000, 5, 201, 0.9, target=6e-3),
    Job("categorical", 10_000, 5, 201, 0.99, one_reward=True, target=6e-3),
    Job("categorical", 1_000, 5, 201, 0.99),
    Job("categorical", 10_000, 5, 51, 0.99),
    Job("quantile", 1_000, 5, 51, 0.9, target=1e-3),
    Job("quantile", 1_000, 2, 51, 0.9),
    Job("quantile", 1_000, 5, 201, 0.9),
)
TINY = (Job("categorical", 30, 3, 11, 0.9), Job("quantile", 20, 3, 7, 0.9))


def model_of(job: Job, x: dict[str, Any], actions: int = 1) -> Any:
    """The lists as an `OutcomeMDP`, every pair repeated with other rewards for more actions."""
    import rltheory as rl

    rng = np.random.default_rng(1)
    S, b = job.S, job.b
    tile = [x["reward"]] + [x["reward"] + rng.normal(size=(S, 1)) * 1e-3 for _ in range(actions - 1)]
    N = S * actions
    return rl.OutcomeMDP(
        np.repeat(x["prob"][:, None], actions, axis=1).ravel(),
        np.repeat(x["next_state"][:, None], actions, axis=1).ravel(),
        np.stack(tile, axis=1).ravel(),
        job.gamma,
        pair_state=np.repeat(np.arange(S), actions),
        pair_action=np.tile(np.arange(actions), S),
        outcome_ptr=np.arange(0, N * b + 1, b),
        S=S,
    )


def ours(job: Job, x: dict[str, Any], actions: int = 1) -> Callable[[], Any]:
    """One backup through the library's operator, output preallocated; control for more than one action."""
    from rltheory.operators.distributional import CategoricalStep, QuantileStep

    model = model_of(job, x, actions)
    pi = np.zeros(job.S, dtype=np.int64) if actions == 1 else None
    grid = x["lo"] + x["step"] * np.arange(job.m)
    step = CategoricalStep(model, grid, pi) if job.kind == "categorical" else QuantileStep(model, pi)
    out = np.empty_like(x["laws"])
    return lambda: step(x["laws"], out).laws


def measure(args: argparse.Namespace, jobs: tuple[Job, ...] = JOBS) -> dict[str, Any]:
    """One row a job and competitor."""
    rows: list[dict[str, Any]] = []
    for job in jobs:
        if not args.quiet:
            sys.stderr.write(f"{job.name}\n")
        x = job.arrays()
        call = ours(job, x)
        answer, peak = _memory(call)
        mine = _least(call, args.repeats)
        moved = 8.0 * job.m * (job.S * job.b + 2 * job.S)
        limit = stream.read(int(2 * x["laws"].nbytes))
        bound = moved / (limit * 1e9)
        rows.append(
            {
                "what": job.name,
                "who": "rltheory",
                "ms": mine * 1e3,
                "times ours": 1.0,
                "bound ms": bound * 1e3,
                "reached %": round(100 * bound / mine),
                "memory / laws": round((x["laws"].nbytes + peak) / x["laws"].nbytes, 2),
                "off by": 0.0,
                "target ms": job.target * 1e3 if job.target else "",
                "within": ("yes" if mine <= job.target else "no") if job.target else "",
            }
        )
        control = _least(ours(job, x, 4), args.repeats)
        rows.append(_row(job, "rltheory, best of 4 actions", control, mine))
        for who, found, theirs in _peers(job, x, args):
            if theirs is None:
                rows.append({"what": job.name, "who": who, "status": found["status"]})
                continue
            off = float(np.abs(theirs - answer).max() / max(1.0, np.abs(answer).max()))
            row = _row(job, who, found["cpu"], mine) | {"off by": off}
            if off > CLOSE:
                row["status"] = f"differs by {off:.1e}: not the same law"
            rows.append(row)
    columns = list(dict.fromkeys(k for row in rows for k in row))
    table = [{k: row.get(k, "") for k in columns} for row in rows]
    return {"table": table, "load": meter.load()}


def _row(job: Job, who: str, cpu: float, mine: float) -> dict[str, Any]:
    return {"what": job.name, "who": who, "ms": cpu * 1e3, "times ours": cpu / mine}


def _least(call: Callable[[], Any], repeats: int) -> float:
    return meter.per_call(call, repeats=4 * repeats)["least"]


def _memory(call: Callable[[], Any]) -> tuple[Any, int]:
    """(the answer, peak bytes the call and its output take beside the laws)."""
    answer = call().copy()
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return answer, peak + answer.nbytes


def _peers(job: Job, x: dict[str, Any], args: argparse.Namespace) -> list[tuple[str, dict[str, Any], Any]]:
    with tempfile.TemporaryDirectory() as folder:
        given, back = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, **x)
        run = subprocess.run(
            [args.python, str(PEERS), str(given), str(back), str(args.repeats)],
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        if run.returncode:
            return [("peers", {"status": run.stderr.strip().splitlines()[-1][:200]}, None)]
        with np.load(back) as answer:
            found = json.loads(str(answer["found"]))
            return [(k, v, answer[k] if k in answer.files else None) for k, v in found.items()]
