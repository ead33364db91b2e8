"""Work counted, not timed: sweeps, backups, evaluations, rows of policies copied out, and the error reached;
the same on every machine.

`python -m benchmarks counts --update` records them in `counts.json`; without `--update` they are
compared with what was recorded.  More backups or evaluations of the same solver by more than
a tenth, or an answer that is not certified any more, is worse; a new choice of solver is a change.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .families import Spec, select
from .ours import Ours

RECORD = Path(__file__).resolve().parent / "counts.json"
SLACK = 1.1
TARGET = 1e-6


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Count the sizes asked for (tiny and small); compare or record."""
    sizes = args.size or ["tiny", "small"]
    names = ["rltheory"] if not args.paths else [a.name for a in _ours()]
    found = [count(spec, name) for spec in select(args.family, sizes) for name in names]
    old = recorded()
    if args.update:
        old |= {key(row): row for row in found}
        RECORD.write_text(
            json.dumps(list(old.values()), ensure_ascii=False, indent=0) + "\n", encoding="utf-8"
        )
    table = [{**row, "against the record": judge(row, old.get(key(row)))} for row in found]
    return {
        "table": table,
        "worse": [r["instance"] for r in table if r["against the record"].startswith("worse")],
    }


def _ours() -> list[Any]:
    from .ours import adapters

    return adapters()


def key(row: dict[str, Any]) -> tuple[str, str]:
    """Instance and path."""
    return row["instance"], row["path"]


def recorded() -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of `counts.json`."""
    rows = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else []
    return {key(row): row for row in rows}


def count(spec: Spec, name: str = "rltheory") -> dict[str, Any]:
    """One solve at its own setting (paths: 1e-8), counted."""
    from .ours import adapter

    ours = adapter(name)
    assert isinstance(ours, Ours)
    ours.prepare()
    x = spec.build()
    answer = ours.solve(ours.load(x), TARGET if name == "rltheory" else 1e-8)
    facts = answer.facts
    return {
        "instance": spec.name,
        "path": name,
        "solver": facts["solver"],
        "status": facts["status"],
        "iterations": facts["iterations"],
        "backups": facts["backups"],
        "evaluations": facts["evaluations"],
        "rows": facts["rows"],
        "error": float(f"{facts['error']:.1e}"),
        "residual": float(f"{x.certificate(answer.V):.1e}"),
    }


def judge(row: dict[str, Any], old: dict[str, Any] | None) -> str:
    """`same`, `better`, `new`, `changed: …` or `worse: …`."""
    if row["status"] != "SOLVED":
        return f"worse: {row['status']}" if old and old["status"] == "SOLVED" else row["status"]
    if old is None:
        return "new"
    if row["solver"] != old["solver"]:
        return f"changed: {old['solver']} before"
    for what in ("backups", "evaluations", "rows"):
        now = row.get(what, 0)
        before = old.get(what, now)
        if now > SLACK * before + 1:
            return f"worse: {before} {what} before"
    if (row["backups"], row["evaluations"]) < (old["backups"], old["evaluations"]):
        return "better"
    return "same"
