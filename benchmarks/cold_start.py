"""What the first minute costs: import, the first solves with nothing compiled, and once cached.

Targets: import in 0.5 s; 10 s of compilation after a fresh install for the three usual kinds of model
(tiny dense, sparse, finite horizon); 1 s to the first solution once cached.  Each line is a fresh
process, but for the usual kinds with nothing compiled, which share one and an empty Numba cache as a
theorist's first hour would; each other kind starts from nothing by itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from statistics import median
from typing import Any

from . import meter

MODELS = {
    "dense S=20": "rl.gallery.random_mdp(20, 4, 0.95, 0, support=20)",
    "garnet S=2000": "rl.gallery.random_garnet(2000, 4, 5, 0.99, 0)",
    "finite horizon S=20": (
        "(lambda m: rl.FiniteHorizonMDP(m.P, m.R, 10))(rl.gallery.random_mdp(20, 4, 0.95, 0, support=20))"
    ),
    "maze S=2500": "rl.gallery.maze(50, 0.99)",
    "pendulum S=2500": "rl.gallery.pendulum(angles=50, speeds=50, gamma=0.99)",
    "multi-SCC S=2500": "rl.gallery.multi_scc(25, 100, 4, 0.999)",
}
USUAL = 3
"""The first of them are the usual kinds."""
SCRIPT = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
import rltheory as rl
rl.MDP, rl.solve
out = {"import": [time.process_time() - cpu, time.perf_counter() - wall]}
for name, source in json.loads(sys.argv[1]).items():
    mdp = eval(source)
    wall, cpu = time.perf_counter(), time.process_time()
    rl.solve(mdp, throw=False)
    out[name] = [time.process_time() - cpu, time.perf_counter() - wall]
print(json.dumps(out))
"""


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Import and first solves, CPU and wall seconds."""
    with tempfile.TemporaryDirectory(prefix="rltheory-bench-") as cache:
        imports = [_process(args, {}, cache) for _ in range(max(3, args.repeats))]
        usual, others = list(MODELS)[:USUAL], list(MODELS)[USUAL:]
        fresh = _process(args, {name: MODELS[name] for name in usual}, cache)
        for name in others:
            with tempfile.TemporaryDirectory(prefix="rltheory-bench-") as empty:
                fresh |= _process(args, {name: MODELS[name]}, empty)
        _process(args, {name: MODELS[name] for name in others}, cache)
        cached = {name: _process(args, {name: MODELS[name]}, cache)[name] for name in MODELS}
        import_time = [median(run["import"][i] for run in imports) for i in (0, 1)]
    rows = [_row("import rltheory", import_time, 0.5)]
    rows += [
        _row(f"first solve of {name}, nothing compiled", fresh[name], None if name in usual else 10.0)
        for name in MODELS
    ]
    total = [sum(fresh[name][i] for name in usual) for i in (0, 1)]
    rows.append(_row("the three usual kinds together", total, 10.0))
    rows += [_row(f"first solve of {name}, compiled before", cached[name], None) for name in MODELS]
    worst = [import_time[i] + max(cached[name][i] for name in MODELS) for i in (0, 1)]
    rows.append(_row("import and the slowest of these", worst, 1.0))
    return {"table": rows, "load": meter.load()}


def _row(what: str, time: list[float], target: float | None) -> dict[str, Any]:
    within = "" if target is None else "yes" if time[0] <= target else "no"
    return {"what": what, "CPU s": time[0], "wall s": time[1], "target s": target or "", "within": within}


def _process(args: argparse.Namespace, models: dict[str, str], cache: str) -> dict[str, list[float]]:
    out = subprocess.run(
        [args.python or sys.executable, "-c", SCRIPT, json.dumps(models)],
        cwd=meter.ROOT,
        env=meter.environment(args.threads, cache),
        capture_output=True,
        text=True,
        check=False,
    )
    if out.returncode:
        raise ValueError(f"cold-start: {out.stderr.strip().splitlines()[-1:]}")
    found: dict[str, list[float]] = json.loads(out.stdout.splitlines()[-1])
    return found
