"""Memory that a model and its solution take, against the bytes of the model's arrays.

A process imports, compiles on a small model of the family, loads the model from a file and solves it;
the peak of each phase is what the system says was resident, less what was before the model came.  So
1.0 is the model alone.  Target for a garnet: 1.3 while loading and while solving.  A maze is solved on
a copy of itself, goal first, three times as fast as without it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import meter

TARGET = 1.3
FAMILIES = {
    "garnet": "rl.gallery.random_garnet(S, 4, 10, 0.99, 0)",
    "maze": "rl.gallery.maze(round(S**0.5), 0.99)",
}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """One row a phase; S = 10⁶ with --full, 10⁵ otherwise."""
    S = 1_000_000 if args.full else 100_000
    tables = [_family(args, family, S) for family in FAMILIES]
    what = {"S": S, "A": 4, "branching": 10, **tables[0][1]}
    rows = [row for table, _ in tables for row in table]
    return {"table": rows, "model": what, "load": meter.load(), "solver": tables[0][1]["solver"]}


def _family(args: argparse.Namespace, family: str, S: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="rltheory-bench-") as folder:
        path = Path(folder) / "model.npz"
        _child(args.python, "write", family, path, S, args.threads)
        facts = _child(args.python, "solve", family, path, S, args.threads)
    model, base = facts["model"], facts["base"]
    rows = [
        {
            "model": f"{family} S={S}",
            "phase": phase,
            "resident MB": facts[key] / 1e6,
            "above start MB": (facts[key] - base) / 1e6,
            "÷ model": (facts[key] - base) / model,
            "target": TARGET if family == "garnet" or key != "solve" else "",
            "CPU s": facts.get(f"{key}_cpu", ""),
        }
        for phase, key in (("load, peak", "load"), ("loaded", "loaded"), ("solve, peak", "solve"))
    ]
    return rows, {"model MB": model / 1e6, "file MB": facts["file"] / 1e6, "solver": facts["solver"]}


def _child(python: str, what: str, family: str, path: Path, S: int, threads: int) -> dict[str, Any]:
    out = subprocess.run(
        [python, "-m", "benchmarks.memory", what, family, str(path), str(S)],
        cwd=meter.ROOT,
        env=meter.environment(threads),
        capture_output=True,
        text=True,
        check=False,
    )
    if out.returncode:
        raise ValueError(f"memory: the measured process failed: {out.stderr.strip().splitlines()[-1:]}")
    facts: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return facts


def _make(family: str, S: int) -> Any:
    import rltheory as rl

    return eval(FAMILIES[family], {"rl": rl, "S": S})


def _write(family: str, path: str, S: int) -> dict[str, Any]:
    from rltheory.models import io

    io.save(_make(family, S), path)
    return {}


def _settle() -> int:
    """Bytes resident once freed memory has gone back to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return meter.resident() or 0


def _solve(family: str, path: str, S: int) -> dict[str, Any]:
    import rltheory as rl
    from rltheory.models import io

    small = Path(path).with_name("small.npz")
    io.save(_make(family, 2500), small)
    rl.solve(io.load(small), throw=False)  # compile
    base = _settle()
    facts: dict[str, Any] = {"base": base, "file": Path(path).stat().st_size}
    meter.reset_peak()
    with meter.Clock() as clock:
        mdp = io.load(path)
    facts |= {"load": meter.peak_resident(), "load_cpu": clock.time.cpu, "model": mdp.nbytes}
    facts["loaded"] = _settle()
    meter.reset_peak()
    with meter.Clock() as clock:
        sol = rl.solve(mdp, throw=False)
    facts |= {"solve": meter.peak_resident(), "solve_cpu": clock.time.cpu}
    return {**facts, "solver": sol.solver}


if __name__ == "__main__":
    call = {"write": _write, "solve": _solve}[sys.argv[1]]
    sys.stdout.write(json.dumps(call(sys.argv[2], sys.argv[3], int(sys.argv[4]))) + "\n")
