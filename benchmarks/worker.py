"""One process, one instance, one solver: import, warm up, load, solve, check, repeat.

`python -m benchmarks.worker JOB.json` reads what to do and rewrites its own "out" file after every
phase, so that a process that runs out of time has still said how far it came.

Accuracy.  The solver is run at setting 1e-6 and the values it returns are checked: ‖V − V*‖∞ ≤ target,
V* known from the instance's reference (without one, ‖TV − V‖∞/(1 − γ) ≤ target in float64).  If they
fail, the setting is tightened tenfold until they pass or nothing changes; if they pass, it is loosened
while they pass and time is plentiful.  The loosest passing setting is the one that is timed.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import dataclass
from math import log10
from pathlib import Path
from statistics import median
from typing import Any

from . import meter
from .adapters import Adapter, Unsuitable, find
from .instance import Instance

TIGHTEST, LOOSEST = -15, -3
"""Powers of ten tried as settings."""
COMPILED = 0.5
"""CPU seconds of a first solve beyond which a solver that compiles is run again before it counts."""


@dataclass
class Job:
    """What the runner asks for: `budget` is CPU seconds of solving, `threads` only documentation."""

    instance: str
    warm: str
    solver: str
    out: str
    target: float = 1e-6
    budget: float = 20.0
    repeats: int = 5
    stream: bool = False


class Report(dict[str, Any]):
    """The row; `say` saves it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = Path(path)

    def say(self, **values: Any) -> None:
        self.update(values)
        tmp = self.path.with_suffix(".tmp")
        tmp.write_text(json.dumps(self), encoding="utf-8")
        os.replace(tmp, self.path)


def run(job: Job, adapter: Adapter | None = None) -> Report:
    """Measure; never raises for what a solver does."""
    report = Report(job.out)
    x = Instance.load(job.instance)
    report.say(status="out of time", phase="import", solver=job.solver)
    try:
        adapter = adapter or find(job.solver)
        if not adapter.installed:
            report.say(status="not installed", phase="import")
            return report
        with meter.Clock() as clock:
            adapter.prepare()
        report.say(version=adapter.version, imported=clock.time.asdict(), phase="warm-up")
        small = Instance.load(job.warm)
        with meter.Clock() as clock:
            adapter.solve(adapter.load(small), job.target)
        report.say(warm_up=clock.time.asdict(), phase="load")
        if x.reference is not None:
            report.say(reference=x.reference.radius)
        Trial(job, adapter, x, report).run()
        if job.stream:
            from . import stream

            report.say(stream=stream.measure())
    except Unsuitable as exc:
        report.say(status=f"unsuitable: {exc}")
    except MemoryError:
        report.say(status="out of memory")
    except Exception as exc:  # whatever a peer raises is its row
        report.say(status=f"failed: {type(exc).__name__}: {' '.join(str(exc).split())[:200]}")
    return report


class Trial:
    """Solves of one instance by one adapter, and what they cost."""

    def __init__(self, job: Job, adapter: Adapter, x: Instance, report: Report) -> None:
        self.job, self.adapter, self.x, self.report = job, adapter, x, report
        self.loads: list[meter.Time] = []
        self.tried: list[dict[str, Any]] = []
        self.held: Any = None
        self.spent = self.compiling = 0.0

    def model(self) -> Any:
        """A model to solve: a new one if the solver would profit from having seen it."""
        if self.held is None or self.adapter.fresh:
            self.held = None
            with meter.Clock() as clock:
                self.held = self.adapter.load(self.x)
            self.loads.append(clock.time)
        return self.held

    def attempt(self, power: int) -> float:
        """Solve at setting 10^power; returns the certified error."""
        model = self.model()
        before = meter.resident() or 0
        meter.reset_peak()
        with meter.Clock() as clock:
            answer = self.adapter.solve(model, 10.0**power)
        peak = meter.peak_resident() - before
        if self.tried:  # the first may have compiled
            self.spent += clock.time.cpu
        elif self.adapter.compiles and clock.time.cpu > COMPILED:
            first, model = clock.time.cpu, self.model()
            with meter.Clock() as clock:
                answer = self.adapter.solve(model, 10.0**power)
            self.compiling = max(0.0, first - clock.time.cpu)
        error = finite(self.x.error(answer.V))
        self.tried.append(
            {"power": power, "error": error, "residual": self.residual(answer.V), **clock.time.asdict()}
        )
        facts = {k: finite(v) if isinstance(v, float) else v for k, v in answer.facts.items()}
        self.report.say(
            phase="solve", tried=self.tried, load=middle(self.loads), solve_bytes=peak, facts=facts
        )
        return error

    def residual(self, V: Any) -> float:
        """‖TV − V‖∞/(1 − γ) in float64."""
        return finite(self.x.certificate(V))

    def slow(self, share: float = 1.0) -> bool:
        """True when more solves would take too long."""
        return max(self.spent, self.tried[0]["cpu"] / 2) >= share * self.job.budget

    def settle(self) -> tuple[str, int]:
        """The loosest passing setting, and the status it deserves."""
        asked = power = round(log10(self.job.target))
        error = self.attempt(power)
        while error > self.job.target:
            stuck = len(self.tried) > 2 and len({t["error"] for t in self.tried[-3:]}) == 1
            if not self.adapter.tunable or power <= TIGHTEST or stuck:
                return "inaccurate", power
            if self.slow():
                return "out of time", power
            power -= 1
            error = self.attempt(power)
        while (
            self.adapter.tunable and self.adapter.loosens and asked <= power < LOOSEST and not self.slow(0.25)
        ):
            if self.attempt(power + 1) > self.job.target:
                break
            power += 1
        return "ok", power

    def repeat(self, power: int) -> dict[str, Any]:
        """Median over repeats, short solves in bundles of some 10 ms."""
        eps, bundle, runs = 10.0**power, 1, []
        if not self.slow(0.05):
            with meter.Clock() as clock:
                self.adapter.solve(self.model(), eps)
            bundle = max(1, min(1000, int(1e-2 / max(clock.time.cpu, 1e-6))))
        spent = 0.0
        while len(runs) < self.job.repeats and (not runs or spent < self.job.budget / 2):
            models = [self.model() for _ in range(bundle)]
            with meter.Clock() as clock:
                for model in models:
                    self.adapter.solve(model, eps)
            runs.append(clock.time)
            spent += clock.time.cpu
            del models
        return {
            "cpu": median(t.cpu for t in runs) / bundle,
            "least": min(t.cpu for t in runs) / bundle,
            "wall": median(t.wall for t in runs) / bundle,
            "repeats": len(runs),
            "bundle": bundle,
        }

    def run(self) -> None:
        """All of it, into the report."""
        status, power = self.settle()
        last = next(t for t in reversed(self.tried) if t["power"] == power)
        once = {"cpu": last["cpu"], "least": last["cpu"], "wall": last["wall"], "repeats": 1, "bundle": 1}
        self.report.say(
            status=status, eps=10.0**power, error=last["error"], residual=last["residual"], solve=once,
            phase="repeat",
        )  # fmt: skip
        if status != "out of time" and self.tried[0]["cpu"] < 2 * self.job.budget:
            self.report.say(solve=self.repeat(power), load=middle(self.loads))
        first = self.tried[0]
        extra = first["cpu"] - self.report["solve"]["cpu"] if first["power"] == power else 0.0
        self.report.say(first_extra=max(0.0, extra, self.compiling), phase="done")


def finite(x: float) -> float:
    """`x`, or 1e300 for what JSON cannot say."""
    return x if abs(x) < 1e300 else 1e300


def middle(times: list[meter.Time]) -> dict[str, float]:
    """Medians."""
    return {"cpu": median(t.cpu for t in times), "wall": median(t.wall for t in times)}


def limit(nbytes: int) -> None:
    """Let the system refuse memory beyond this.  CPU time is watched from outside: a CPU limit of the
    process's own would make its CPU clock advance in steps of 4 ms."""
    resource.setrlimit(resource.RLIMIT_DATA, (nbytes, nbytes))


def main(argv: list[str]) -> int:
    """Run the job of a JSON file."""
    facts = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    limit(facts.pop("memory_limit"))
    run(Job(**facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
