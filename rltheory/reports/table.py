"""Verdict tables: plain text, Markdown and `rich`, from reports or from their saved summaries.

Columns: claim; verdict (with the expected one when they differ); instances counted; weakest evidence;
largest lhs/rhs found ("=" for an identity); mutants refuted, "search+named/all"; seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..checks.claim import Verdict
from ..checks.report import Report
from .text import columns, count, seconds

Summary = Mapping[str, Any]
"""What `Report.summary` returns, or the same read back from JSON."""

HEADER = ("claim", "verdict", "instances", "evidence", "lhs/rhs", "mutants", "time")
RIGHT = (2, 4, 5, 6)
STYLE = {
    "proved": "bold green",
    "certified": "green",
    "supported": "cyan",
    "inconclusive": "yellow",
    "vacuous": "magenta",
    "refuted": "bold red",
}
"""Rich style of each verdict."""


def summaries(reports: Iterable[Report | Summary]) -> list[dict[str, Any]]:
    """Reports as summaries, in the order given."""
    return [r.summary() if isinstance(r, Report) else dict(r) for r in reports]


def row(s: Summary) -> list[str]:
    """The cells of one verdict."""
    verdict = str(s["verdict"])
    if not s["as_expected"]:
        verdict = f"{verdict.upper()} (expected {s['expect']})"
    mutants = s.get("mutants", [])
    by = Counter(m["killed_by"] for m in mutants)
    ratio = s.get("best_ratio")
    return [
        str(s["id"]),
        verdict,
        f"{s['instances']:,}",
        str(s["evidence"]),
        "=" if s.get("relation") == "=" else "" if ratio is None else f"{ratio:.4g}",
        f"{by['search']}+{by['named']}/{len(mutants)}",
        seconds(s["seconds"]),
    ]


def totals(reports: Iterable[Report | Summary], *, elapsed: float | None = None) -> str:
    """One line: claims by verdict, surprises, instances, and evaluations of instances per second.

    Summaries marked "saved" count as claims but not as work done.  `elapsed` is the wall-clock time, or
    the sum of the claims' own seconds if not given.
    """
    rows = summaries(reports)
    found = Counter(str(s["verdict"]) for s in rows)
    kinds = ", ".join(f"{found[v.value]} {v.value}" for v in reversed(Verdict) if found[v.value])
    surprises = sum(not s["as_expected"] for s in rows)
    fresh = [s for s in rows if not s.get("saved")]
    time = sum(s["seconds"] for s in fresh) if elapsed is None else elapsed
    work = sum(s["evaluations"] for s in fresh)
    rate = f" ({work / time:,.0f}/s)" if work and time > 0 else ""
    saved = f", {len(rows) - len(fresh)} of them saved before" if len(fresh) < len(rows) else ""
    return (
        f"{count(len(rows), 'claim')}{saved}: {kinds or 'none checked'}; "
        f"{count(surprises, 'surprise') if surprises else 'no surprise'}; "
        f"{count(sum(s['instances'] for s in rows), 'instance')}; "
        f"{count(work, 'evaluation')}{rate}; {seconds(time)}"
    )


def plain(reports: Iterable[Report | Summary], *, elapsed: float | None = None) -> str:
    """The table as aligned text, totals below."""
    rows = summaries(reports)
    return columns(HEADER, [row(s) for s in rows], right=RIGHT) + "\n\n" + totals(rows, elapsed=elapsed)


def markdown(reports: Iterable[Report | Summary], *, statements: bool = True) -> str:
    """The table in Markdown; with `statements`, the theorem stands beside its verdict."""
    header: Sequence[str] = HEADER[:-1]
    right = [j in RIGHT for j in range(len(header))]
    lines = []
    if statements:
        header, right = (header[0], "statement", *header[1:]), [right[0], False, *right[1:]]
    lines.append("| " + " | ".join(header) + " |")
    lines.append("|" + "|".join(" ---: " if r else " --- " for r in right) + "|")
    for s in summaries(reports):
        cells = [f"`{s['id']}`", *row(s)[1:-1]]
        if statements:
            cells.insert(1, str(s["statement"]))
        lines.append("| " + " | ".join(_escape(c) for c in cells) + " |")
    return "\n".join(lines) + "\n"


def _escape(cell: str) -> str:
    """A cell that no Markdown renderer takes for markup."""
    out = " ".join(cell.split())
    if out.startswith("`"):
        return out.replace("|", "\\|")
    for c in "\\|*_<>[]$":
        out = out.replace(c, "\\" + c)
    return out


def rich_table(reports: Iterable[Report | Summary], *, title: str | None = None) -> Any:
    """The table for a terminal, verdicts coloured."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, header_style="bold", box=None, pad_edge=False)
    for j, name in enumerate(HEADER):
        table.add_column(name, justify="right" if j in RIGHT else "left", no_wrap=j != 1, overflow="fold")
    for s in summaries(reports):
        cells = row(s)
        style = STYLE[str(s["verdict"])]
        verdict = Text(cells[1], style=style if s["as_expected"] else f"{style} reverse")
        table.add_row(cells[0], verdict, *cells[2:])
    return table
