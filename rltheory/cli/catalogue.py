"""`rltheory list` and `rltheory show`: what is claimed, where it is printed, how it reads in code."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from ..checks.claim import Claim, Every, NotShown, Tight
from ..checks.discover import CATALOGUE, Found, discover
from ..errors import InvalidArgument, RLTheoryError
from ..reports import text
from .store import LIBRARY, Store


def find(args: argparse.Namespace) -> list[Found]:
    """The claims named on the command line; the working directory may hold the package."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    package = args.package or CATALOGUE
    try:
        return discover(args.ids, package)
    except RLTheoryError:
        raise
    except Exception as exc:  # a paper that fails to import: say where, without our own frames
        frames = traceback.extract_tb(exc.__traceback__)
        place = next((f for f in reversed(frames) if LIBRARY not in Path(f.filename).parents), frames[-1])
        raise InvalidArgument(
            f"claims: {package} fails to import: {place.filename}:{place.lineno}: "
            f"{type(exc).__name__}: {exc}; mend it, or choose another module with --package"
        ) from exc


def list_claims(args: argparse.Namespace) -> int:
    """One line a claim: id, expected verdict, statement."""
    found = find(args)
    if args.json:
        _json([_facts(f) for f in found])
        return 0
    if args.quiet:
        sys.stdout.write("".join(f.id + "\n" for f in found))
        return 0
    width = _width()
    left = max((len(f.id) for f in found), default=0)
    for f in found:
        room = max(20, width - left - 14)
        says = " ".join(f.claim.statement.split())
        says = says if len(says) <= room else says[: room - 1] + "…"
        sys.stdout.write(f"{f.id:<{left}}  {_expected(f):<10}  {says}\n")
    papers = len({f.claim.source.paper.key for f in found})
    sys.stdout.write(f"\n{text.count(len(found), 'claim')} of {text.count(papers, 'paper')}\n")
    return 0


def show(args: argparse.Namespace) -> int:
    """Everything about claims that does not need a run, and the last saved verdict."""
    found = find(args)
    if args.bibtex:
        sys.stdout.write("\n".join(dict.fromkeys(f.claim.source.paper.bibtex() for f in found)) + "\n")
        return 0
    store = Store(args.save)
    if args.json:
        _json([{**_facts(f), "last": store.last(f.id)} for f in found])
        return 0
    for i, f in enumerate(found):
        if i:
            sys.stdout.write("\n" + "─" * 40 + "\n\n")
        sys.stdout.write("\n".join(_story(f)) + "\n")
        if not args.quiet:
            _code(f)
            last = store.last(f.id)
            if last is None:
                sys.stdout.write("\nno saved verdict: rltheory check " + f.id + "\n")
            else:
                ratio = (
                    f", largest lhs/rhs {last['best_ratio']:.6g}" if last["best_ratio"] is not None else ""
                )
                sys.stdout.write(
                    f"\nlast verdict: {last['verdict']} "
                    f"(n = {last['n']}, seed {last['seed']}, {last['scope']}{ratio})\n"
                )
    return 0


def _story(f: Found) -> list[str]:
    c = f.claim
    lines = [f.id, f"  {c.statement}", f"  {c.source}: {c.source.paper.title}"]
    if not isinstance(c, Claim):
        return [*lines, f"  erratum; corrected: {c.corrected.statement}"]
    lines.append(f"  let: {_domain(c)}")
    for a in c.assume:
        needed = f" (needed? {a.fails_without.reason})" if isinstance(a.fails_without, NotShown) else ""
        lines.append(f"  assume: {a.says}{needed}")
    if isinstance(c.tight, Tight):
        lines.append(
            f"  tight: {text.count(len(c.tight.instances), 'instance')}, lhs/rhs ≥ 1 − {c.tight.within}"
        )
    else:
        lines.append(f"  loose: lhs/rhs ≥ 1 − {c.tight.slack} is reached; {c.tight.reason}")
    lines += [f"  mutant: {m.says}" for m in c.mutants]
    return [*lines, f"  expect: {c.expect.value}"]


def _domain(c: Claim[Any]) -> str:
    if isinstance(c.let, Every):
        return f"every one of {c.let.size:,}: {c.let.domain}"
    says = " ".join(repr(c.let).split())
    return says if len(says) <= 100 else says[:99] + "…"


def _expected(f: Found) -> str:
    return f.claim.expect.value if isinstance(f.claim, Claim) else "erratum"


def _facts(f: Found) -> dict[str, Any]:
    c = f.claim
    facts: dict[str, Any] = {
        "id": f.id,
        "statement": c.statement,
        "source": str(c.source),
        "expect": _expected(f),
        "module": f.module,
    }
    if isinstance(c, Claim):
        facts |= {"assume": [a.says for a in c.assume], "mutants": [m.says for m in c.mutants]}
    return facts


def _code(f: Found) -> None:
    """The claim's own lines of Python."""
    source = source_of(f)
    if source is None:
        return
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.syntax import Syntax

        Console().print("", Syntax(source, "python", background_color="default", word_wrap=True))
    else:
        sys.stdout.write("\n" + source + "\n")


def source_of(f: Found) -> str | None:
    """The assignment that defines the claim, as written; None if it is not a plain assignment."""
    try:
        module = inspect.getsource(importlib.import_module(f.module))
    except (OSError, TypeError):
        return None
    for node in ast.parse(module).body:
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign)
            else []
        )
        if any(isinstance(t, ast.Name) and t.id == f.variable for t in targets):
            return ast.get_source_segment(module, node)
    return None


def _json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 160
