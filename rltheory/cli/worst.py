"""`rltheory worst`: the instance nearest to equality."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..checks.claim import Claim, Eq
from ..checks.discover import Found
from ..checks.worst_case import worst_case
from ..errors import InvalidArgument
from ..reports import plot
from .catalogue import find


def worst(args: argparse.Namespace) -> int:
    """Maximise lhs/rhs for each inequality named; 1 if one is violated."""
    found = find(args)
    usable = [f for f in found if isinstance(f.claim, Claim) and not isinstance(f.claim.then, Eq)]
    if not usable:
        raise InvalidArgument(
            f"worst: {found[0].id} is no inequality, lhs/rhs means nothing; use `rltheory check`"
        )
    results = []
    for f in usable:
        with _spinner(args, f.id):
            result = worst_case(f.claim, args.n, seed=args.seed, id=f.id)  # type: ignore[arg-type]
        results.append(result)
        if not args.json:
            sys.stdout.write(f"{f.id}  {result.ratio:.6g}\n" if args.quiet else f"{_report(f, result)}\n")
        if args.plot:
            n, best = zip(*result.history, strict=True)
            fig = plot.worst_case_progress(n, best, title=f.id)
            plot.save(fig, _target(args.plot, f, many=len(usable) > 1))
    skipped = len(found) - len(usable)
    if skipped and not args.quiet:
        sys.stderr.write(f"{skipped} left out: equalities and errata have no lhs/rhs to maximise\n")
    if args.json:
        sys.stdout.write(
            json.dumps([_facts(f, r) for f, r in zip(usable, results)], ensure_ascii=False, indent=2) + "\n"
        )
    return 1 if any(r.violates for r in results) else 0


def _report(f: Found, r: Any) -> str:
    end = "VIOLATED: the claim fails there" if r.violates else "the claim holds there"
    shown = r.literal if len(r.literal) <= 1500 else r.literal[:1500] + " …  (--json has it whole)"
    return (
        f"{f.id}\n  {f.claim.statement}\n"
        f"  lhs/rhs = {r.ratio:.9g} after {r.history[-1][0]:,} evaluations, seed {r.seed}; {end}\n"
        f"  at {shown}"
    )


def _facts(f: Found, r: Any) -> dict[str, Any]:
    return {
        "id": f.id,
        "ratio": r.ratio,
        "violates": r.violates,
        "instance": r.literal,
        "seed": r.seed,
        "history": [list(h) for h in r.history],
    }


def _target(name: str, f: Found, *, many: bool) -> Path:
    """The file for one claim's picture: with several claims the id goes before the suffix."""
    path = Path(name)
    return path.with_name(f"{path.stem}-{f.id}{path.suffix}") if many else path


def _spinner(args: argparse.Namespace, what: str) -> Any:
    if args.quiet or not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console
    from rich.markup import escape

    return Console(stderr=True).status(escape(what))
