"""One process per (instance, solver), and the results as JSON."""

from __future__ import annotations

import fnmatch
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import meter, reference
from .adapters import registry
from .families import SPECS, Spec
from .instance import Instance

FORMAT = 2
COMPILING = 60.0
"""CPU seconds granted to our own processes for compilation."""
WARMING = 30.0
"""CPU seconds granted to every process for importing and solving the tiny model."""


@dataclass(frozen=True)
class Settings:
    """What is asked of every solver.

    Attributes
    ----------
    target
        ‖V − V*‖∞ that the values must meet.
    budget
        CPU seconds a solver may spend on one instance's solves before it counts as too slow.
    patience
        A solver is ended when its process has plainly passed this many times the best time so far.
    repeats
        Timed runs, of which the median is reported.
    threads
        Threads of every process.
    memory_gb
        Memory a process may ask for.
    python
        Interpreter of the measured processes; peers may live in another environment.
    note
        Anything to be remembered about the run.
    """

    target: float = 1e-6
    budget: float = 20.0
    patience: float = 100.0
    repeats: int = 5
    threads: int = 1
    memory_gb: float = 12.0
    python: str = sys.executable
    note: str = ""


def choose(patterns: Iterable[str], *, peers: bool, paths: bool) -> list[str]:
    """Solver names: `rltheory`, those matching the patterns, all peers, all of our own paths."""
    known = list(registry())
    names = [] if list(patterns) else ["rltheory"]
    for pattern in patterns:
        found = fnmatch.filter(known, pattern)
        if not found:
            raise ValueError(f"solver={pattern!r}, must match one of {', '.join(known)}")
        names += found
    names += [n for n in known if paths and n.startswith("rltheory:")]
    names += [n for n in known if peers and not n.startswith("rltheory")]
    return list(dict.fromkeys(names))


def run(
    specs: Sequence[Spec], solvers: Sequence[str], settings: Settings, say: Any = None, keep: Any = None
) -> dict[str, Any]:
    """Measure every pair; `say(line)` hears of each row, `keep(result)` of all rows after each instance."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="rltheory-bench-") as folder:
        place = Path(folder)
        for spec in specs:
            here = _saved(spec, place)
            warm = _saved(next(s for s in SPECS if s.family == spec.family and s.size == "tiny"), place)
            about, best = _describe(spec, here), float("inf")
            for solver in solvers:
                limit = _limit(settings, about["nnz"], best) + (
                    COMPILING if solver.startswith("rlth") else 0.0
                )
                row = {**about, **measure(here, warm, solver, settings, place, limit), **_when(settings)}
                if row["status"] == "ok":
                    best = min(best, row["solve"]["cpu"])
                rows.append(row)
                if say is not None:
                    say(_line(row))
            if keep is not None:
                keep(_result(settings, rows))
    return _result(settings, rows)


def _limit(settings: Settings, nnz: int, best: float) -> float:
    """CPU seconds of a process after warming up: loading, and some ten solves of the slowest kind."""
    return 1 + 3e-5 * nnz + min(2 * settings.budget, 10 * settings.patience * best)


def _when(settings: Settings) -> dict[str, Any]:
    """What a row must say for itself, since a file may hold rows of several runs."""
    return {
        "budget": settings.budget,
        "patience": settings.patience,
        "threads": settings.threads,
        "target": settings.target,
        "time": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
        "commit": meter.commit(),
    }


def _result(settings: Settings, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "what": "families",
        "machine": meter.machine(),
        "settings": {k: v for k, v in vars(settings).items() if k not in ("python", "note")},
        "note": settings.note,
        "rows": rows,
    }


def _saved(spec: Spec, place: Path) -> Path:
    here = place / f"{spec.family}-{spec.size}-{SPECS.index(spec)}"
    if not here.exists():
        mdp = spec.make()
        x = Instance.of(mdp, spec.name)
        x.save(here)
        reference.build(x, mdp).save(here)
    return here


def _describe(spec: Spec, here: Path) -> dict[str, Any]:
    x = Instance.load(here)
    return {
        "family": spec.family,
        "size": spec.size,
        "instance": spec.name,
        "S": x.S,
        "pairs": x.N,
        "nnz": x.nnz,
        "gamma": x.gamma,
        "backup_bytes": x.backup_bytes,
    }


def measure(
    here: Path, warm: Path, solver: str, settings: Settings, place: Path, limit: float
) -> dict[str, Any]:
    """The row of one process, whatever becomes of it."""
    out = place / "out.json"
    out.unlink(missing_ok=True)
    job = {
        "instance": str(here),
        "warm": str(warm),
        "solver": solver,
        "out": str(out),
        "target": settings.target,
        "budget": settings.budget,
        "repeats": settings.repeats,
        "stream": solver == "rltheory",
        "memory_limit": int(settings.memory_gb * 2**30),
    }
    (place / "job.json").write_text(json.dumps(job), encoding="utf-8")
    load = meter.load()
    with open(place / "log.txt", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [settings.python, "-m", "benchmarks.worker", str(place / "job.json")],
            cwd=meter.ROOT,
            env=meter.environment(settings.threads),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        late = not _finished(process, limit, out)
    row: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    row.setdefault("solver", solver)
    if process.returncode != 0 or late:
        row["status"] = _fate(process.returncode, late, place / "log.txt", row)
    return {**row, "load_average": load}


def _finished(process: subprocess.Popen[bytes], seconds: float, out: Path | None = None) -> bool:
    """Wait; end it after so many CPU seconds, or ten times as many on the wall.

    The seconds count from the moment its report in `out` says that it is warm, at most `WARMING` late.
    """
    granted = WARMING if out is not None else 0.0
    end = time.monotonic() + 10 * (seconds + granted)
    try:
        while time.monotonic() < end and _cpu(process.pid) < seconds + granted:
            try:
                process.wait(timeout=0.25)
                return True
            except subprocess.TimeoutExpired:
                pass
            if granted == WARMING and out is not None and _warm(out):
                granted = min(_cpu(process.pid), WARMING - 1.0)
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _warm(out: Path) -> bool:
    """True once the worker has imported its solver and solved the tiny model."""
    try:
        return json.loads(out.read_text(encoding="utf-8")).get("phase") not in (None, "import", "warm-up")
    except (OSError, json.JSONDecodeError):
        return False


def _cpu(pid: int) -> float:
    """CPU seconds of a process so far, 0 where /proc does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _fate(code: int, late: bool, log: Path, row: dict[str, Any]) -> str:
    if row.get("status") == "ok" or late or -code == signal.SIGKILL:
        return row["status"] if row.get("status") == "ok" else "out of time"
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or [""]
    return f"failed: exit {code}: {last[0][:160]}"


def _line(row: dict[str, Any]) -> str:
    took = f"{row['solve']['cpu'] * 1e3:.4g} ms" if row.get("solve") else ""
    return f"{row['instance']:34} {row['solver']:28} {took:>12}  {row['status']}"


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`new`, and the rows of `old` that it did not measure again."""
    fresh = {(r["instance"], r["solver"]) for r in new["rows"]}
    kept = [r for r in old.get("rows", []) if (r["instance"], r["solver"]) not in fresh]
    order = {spec.name: i for i, spec in enumerate(SPECS)}
    rows = sorted([*kept, *new["rows"]], key=lambda r: (order.get(r["instance"], len(order)),))
    return {**new, "rows": rows}
