"""`rltheory check` and `rltheory verify`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Any

from ..checks import certificates, verifier
from ..checks.claim import Eq
from ..checks.discover import Found
from ..checks.report import Report
from ..checks.runner import run
from ..errors import RLTheoryError
from ..reports import html, table
from .catalogue import find
from .store import Store


def check(args: argparse.Namespace) -> int:
    """Check claims: live progress, verdicts saved as they come, a table, 1 on any surprise."""
    found = find(args)
    n = args.n
    store, show = Store(args.save), _Display(args, len(found))
    done: dict[str, dict[str, Any]] = {}
    todo = []
    for f in found:
        saved = store.same(f, n, args.seed) if args.resume and not args.certificates else None
        if saved is None:
            todo.append(f)
        else:
            done[f.id] = {**saved, "saved": True}
            show.finished(saved, "saved")
    start = time.perf_counter()
    interrupted = False
    by_id = {f.id: f for f in todo}
    with show, closing(_reports(todo, n, args, show)) as reports:
        try:
            for report in reports:
                done[report.id] = {**report.summary(), "relation": relation(by_id[report.id])}
                store.save(by_id[report.id], done[report.id])
                if args.certificates:
                    _certify(report, Path(args.certificates))
                show.finished(done[report.id])
        except KeyboardInterrupt:
            interrupted = True
    rows = [done[f.id] for f in found if f.id in done]
    elapsed = time.perf_counter() - start
    show.table(rows, elapsed)
    if args.html and rows:
        html.write_atlas(args.html, rows, elapsed=elapsed)
        show.note(f"atlas: {args.html}")
    if interrupted:
        left = len(found) - len(rows)
        sys.stderr.write(
            f"interrupted: {len(rows)} of {len(found)} verdicts are saved in {args.save}; "
            f"`rltheory check --resume …` does the other {left}\n"
        )
        return 130
    return 0 if all(r["as_expected"] for r in rows) else 1


def verify(args: argparse.Namespace) -> int:
    """Re-check certificate files; 1 if one is rejected."""
    results: list[dict[str, Any]] = []
    for name in args.files:
        if not os.path.isfile(name):
            raise FileNotFoundError(2, "no such certificate file", name)
        try:
            results.append({"file": name, "accepted": True, "says": verifier.verify(name)})
        except (verifier.Rejected, ValueError, KeyError, TypeError, IndexError, ZeroDivisionError) as exc:
            results.append({"file": name, "accepted": False, "says": f"{type(exc).__name__}: {exc}"})
    if args.json:
        sys.stdout.write(json.dumps(results, ensure_ascii=False, indent=2) + "\n")
    else:
        for r in results:
            if not (args.quiet and r["accepted"]):
                verdict = "accepted" if r["accepted"] else "REJECTED"
                sys.stdout.write(f"{r['file']}: {verdict}: {r['says']}\n")
    return 0 if all(r["accepted"] for r in results) else 1


def relation(f: Found) -> str:
    """What the claim compares with: "=" or "≤"."""
    return "=" if isinstance(f.claim.then, Eq) else "≤"


def _certify(report: Report, folder: Path) -> None:
    if report.record is not None and report.verdict.value in ("supported", "certified", "proved"):
        certificates.save_report(report, folder / f"{report.id}.json")


# ---- running -----------------------------------------------------------------------------
def _reports(
    todo: list[Found], n: int, args: argparse.Namespace, show: _Display
) -> Generator[Report, None, None]:
    options: dict[str, Any] = {"n": n, "seed": args.seed, "record": bool(args.certificates)}
    if args.jobs <= 1 or len(todo) <= 1:
        for f in todo:
            show.running(f.id)
            yield from run([f], **options)
        return
    with _pool(min(args.jobs, len(todo))) as pool:
        try:
            yield from run(todo, executor=pool, **options)
        except BrokenProcessPool as exc:
            raise RLTheoryError(
                "a worker process died, perhaps for lack of memory; use fewer --jobs, then --resume"
            ) from exc


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that leave Ctrl-C to the parent and end at once with it."""
    method = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    pool = ProcessPoolExecutor(workers, mp_context=get_context(method), initializer=_ignore_interrupts)
    try:
        yield pool
    except BaseException:
        workers_ = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in workers_:
            process.terminate()
        raise
    pool.shutdown()


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# ---- showing -----------------------------------------------------------------------------
class _Display:
    """Progress and verdicts: a live bar on a terminal, one line a claim elsewhere, nothing with -q."""

    def __init__(self, args: argparse.Namespace, total: int) -> None:
        from rich.console import Console

        self.json, self.quiet, self.total, self.count = args.json, args.quiet, total, 0
        self.out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)
        self.progress: Any = None
        self.task: Any = None
        if self.err.is_terminal and not self.quiet:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self.progress = Progress(
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False),
                console=self.err,
                transient=True,
            )
            self.task = self.progress.add_task("", total=total)

    def __enter__(self) -> _Display:
        if self.progress is not None:
            self.progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.progress is not None:
            self.progress.stop()

    def running(self, id: str) -> None:
        """Name the claim being checked."""
        if self.progress is not None:
            self.progress.update(self.task, description=id)

    def finished(self, s: dict[str, Any], how: str = "") -> None:
        """One verdict more; a surprise is told at once."""
        self.count += 1
        if self.progress is not None:
            self.progress.update(self.task, advance=1, description=s["id"])
        line = f"[{self.count}/{self.total}] {s['id']} {table.row(s)[1]} {how or table.row(s)[-1]}"
        if not s["as_expected"]:
            self.err.print("\n".join([line, f"  {s['statement']}", *_why(s)]), markup=False)
        elif self.progress is None and not self.quiet:
            self.err.print(line, markup=False)

    def table(self, rows: list[dict[str, Any]], elapsed: float) -> None:
        """The final table, or JSON."""
        if self.json:
            sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
            return
        if not self.quiet:
            if self.out.is_terminal:
                self.out.print(table.rich_table(rows))
                self.out.print()
            else:
                self.out.print(table.plain(rows, elapsed=elapsed).rpartition("\n")[0], markup=False)
        self.out.print(table.totals(rows, elapsed=elapsed), markup=False)

    def note(self, line: str) -> None:
        """An aside on stderr."""
        if not self.quiet:
            self.err.print(line, markup=False)


def _why(s: dict[str, Any]) -> list[str]:
    lines = [f"  finding: {f}" for f in s["findings"]]
    if c := s.get("counterexample"):
        lines += [
            f"  counter-example: {c['instance'][:600]}",
            f"    lhs = {c['lhs']}",
            f"    rhs = {c['rhs']}",
        ]
    return lines
