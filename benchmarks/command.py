"""Options of `python -m benchmarks` and of `rltheory bench`, and what they run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .meter import BLAS

PARTS = (
    "families",
    "small",
    "bandwidth",
    "memory",
    "cold-start",
    "counts",
    "distributional",
    "latent",
    "paths",
    "stock",
    "regret",
    "table",
    "plot",
    "list",
)
RESULTS = Path(__file__).resolve().parent / "results"


def parser() -> argparse.ArgumentParser:
    """The options."""
    from .families import FAMILIES, SIZES

    p = argparse.ArgumentParser(
        prog="rltheory bench",
        description="Measure this library against its peers at equal certified accuracy.",
        epilog="examples:\n"
        "  rltheory bench --family maze --size small --peers --budget 10 --out maze.json\n"
        "  rltheory bench --solver 'rltheory*' --solver 'quantecon-*'\n"
        "  rltheory bench bandwidth\n"
        "  rltheory bench table maze.json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("part", nargs="?", default="families", choices=PARTS, help="what to do (default families)")
    p.add_argument("files", nargs="*", metavar="FILE", help="results to read, for table and plot")
    p.add_argument("--family", action="append", default=[], metavar="NAME", help=", ".join(FAMILIES))
    p.add_argument("--size", action="append", default=[], metavar="SIZE", help=", ".join(SIZES) + " (small)")
    p.add_argument("--instance", metavar="GLOB", help="only instances whose name matches")
    p.add_argument(
        "--solver", action="append", default=[], metavar="GLOB", help="solvers (default rltheory); see list"
    )
    p.add_argument("--peers", action="store_true", help="add all peers; those not installed say so")
    p.add_argument(
        "--paths",
        action="store_true",
        help="add every path solve could have taken, to see what its choice costs",
    )
    p.add_argument("--budget", type=float, default=20.0, metavar="S", help="CPU seconds a solver has (20)")
    p.add_argument(
        "--patience", type=float, default=100.0, metavar="F", help="end what is F times the best (100)"
    )
    p.add_argument("--repeats", type=int, default=5, metavar="N", help="timed runs, median reported (5)")
    p.add_argument("--threads", type=int, default=1, metavar="N", help="threads of every process (1)")
    p.add_argument("--target", type=float, default=1e-6, metavar="E", help="certified accuracy (1e-6)")
    p.add_argument("--python", default=sys.executable, metavar="EXE", help="interpreter that has the peers")
    p.add_argument("--note", default="", metavar="TEXT", help="kept in the results")
    p.add_argument("--out", metavar="FILE", help="write JSON; rows of the file that were not measured stay")
    p.add_argument("--plot", metavar="FILE", help="draw the ratios")
    p.add_argument("--full", action="store_true", help="memory: 10⁶ states; bandwidth: also 10⁶ states")
    p.add_argument("--update", action="store_true", help="counts: record instead of compare")
    p.add_argument("-q", "--quiet", action="store_true", help="no progress")
    p.add_argument("--json", action="store_true", help="print JSON and nothing else on stdout")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 if all went well, 1 if a count got worse, 2 for a mistake in the request."""
    if "numpy" not in sys.modules:  # BLAS reads these once; one thread for what is measured in this process
        os.environ.update({name: os.environ.get(name, "1") for name in BLAS})
    args = parser().parse_args(argv)
    try:
        result = _run(args)
    except ValueError as exc:
        sys.stderr.write(f"rltheory bench: error: {exc}\n")
        return 2
    if result is None:
        return 0
    if args.out:
        _write(result, Path(args.out))
    if args.plot and result["what"] == "families":
        from .plot import draw

        draw(result, args.plot)
    sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=1) + "\n" if args.json else _text(result))
    return int(bool(result.get("worse")))


def _run(args: argparse.Namespace) -> dict[str, Any] | None:
    if args.part == "families":
        return _families(args)
    if args.part in ("table", "plot"):
        return _read(args)
    if args.part == "list":
        from .adapters import registry
        from .families import SPECS

        for name, adapter in registry().items():
            sys.stdout.write(f"solver    {name}{'' if adapter.installed else '  (not installed)'}\n")
        for spec in SPECS:
            sys.stdout.write(f"instance  {spec.family:10} {spec.size:7} {spec.name}\n")
        return None
    from importlib import import_module

    from . import meter

    module = import_module(f".{args.part.replace('-', '_')}", __package__)
    measured = module.measure(args)
    return {"what": args.part, "machine": meter.machine(), "note": args.note, **measured}


def _families(args: argparse.Namespace) -> dict[str, Any]:
    import fnmatch

    from . import runner
    from .families import select

    specs = [s for s in select(args.family, args.size) if fnmatch.fnmatch(s.name, args.instance or "*")]
    if not specs:
        raise ValueError("no instance is left; see rltheory bench list")
    settings = runner.Settings(
        target=args.target,
        budget=args.budget,
        patience=args.patience,
        repeats=args.repeats,
        threads=args.threads,
        python=args.python,
        note=args.note,
    )
    solvers = runner.choose(args.solver, peers=args.peers, paths=args.paths)
    say = None if args.quiet else lambda line: sys.stderr.write(line + "\n")
    keep = (lambda result: _write(result, Path(args.out))) if args.out else None
    return runner.run(specs, solvers, settings, say, keep)


def _read(args: argparse.Namespace) -> dict[str, Any]:
    from .runner import merge

    if not args.files:
        raise ValueError(f"{args.part}: which results? give files, such as benchmarks/results/families.json")
    result: dict[str, Any] = {"rows": []}
    for name in args.files:
        try:
            new = json.loads(Path(name).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as exc:
            raise ValueError(f"{name}: {exc}") from exc
        result = merge(result, new) if "rows" in new else new
    if args.part == "plot" and not args.plot:
        raise ValueError("plot: where to? give --plot FILE")
    return result


def _write(result: dict[str, Any], path: Path) -> None:
    from .runner import merge

    if path.exists() and result["what"] == "families":
        result = merge(json.loads(path.read_text(encoding="utf-8")), result)
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _text(result: dict[str, Any]) -> str:
    from . import table

    if result["what"] == "families":
        rows = result["rows"]
        parts = [table.summary_table(rows), table.verdict(rows), table.detail_table(rows)]
        if any(row["solver"].startswith("rltheory:") for row in rows):
            parts[2:2] = [table.paths_table(rows), table.choice_verdict(rows)]
        return "\n".join([*parts, table.conditions(result), ""])
    return "\n".join([table.plain(result["table"]), table.conditions(result), ""])
