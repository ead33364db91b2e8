"""Memory that solving takes on top of nothing, against the model's own bytes.

A process imports, compiles on a small model, loads the model from a file and solves it; the peak of
each phase is what the system says was resident.  Target: 1.3 times the model's own bytes while
solving, and no more than that while loading.
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


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """One row a phase; S = 10⁶ with --full, 10⁵ otherwise."""
    S = 1_000_000 if args.full else 100_000
    with tempfile.TemporaryDirectory(prefix="rltheory-bench-") as folder:
        path = Path(folder) / "model.npz"
        _child(args.python, "write", path, S, args.threads)
        facts = _child(args.python, "solve", path, S, args.threads)
    model, base = facts["model"], facts["base"]
    rows = [
        {
            "phase": phase,
            "resident MB": facts[key] / 1e6,
            "above start MB": (facts[key] - base) / 1e6,
            "÷ model": (facts[key] - base) / model,
            "target": TARGET,
            "CPU s": facts.get(f"{key}_cpu", ""),
        }
        for phase, key in (("load, peak", "load"), ("loaded", "loaded"), ("solve, peak", "solve"))
    ]
    what = {"S": S, "A": 4, "branching": 10, "model MB": model / 1e6, "file MB": facts["file"] / 1e6}
    return {"table": rows, "model": what, "load": meter.load(), "solver": facts["solver"]}


def _child(python: str, what: str, path: Path, S: int, threads: int) -> dict[str, Any]:
    out = subprocess.run(
        [python, "-m", "benchmarks.memory", what, str(path), str(S)],
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


def _write(path: str, S: int) -> dict[str, Any]:
    import rltheory as rl
    from rltheory.models import io

    io.save(rl.gallery.random_garnet(S, 4, 10, 0.99, 0), path)
    return {}


def _settle() -> int:
    """Bytes resident once freed memory has gone back to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return meter.resident() or 0


def _solve(path: str, S: int) -> dict[str, Any]:
    import rltheory as rl
    from rltheory.models import io

    small = Path(path).with_name("small.npz")
    io.save(rl.gallery.random_garnet(2000, 4, 10, 0.99, 0), small)
    rl.solve(io.load(small))  # compile
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
    sys.stdout.write(json.dumps(call(sys.argv[2], int(sys.argv[3]))) + "\n")
