"""Write the verdict table of the README between its markers; `--check` only compares.

The verdicts printed are the expected ones: `rltheory check` computes them, and CI fails when one differs.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- verdicts -->\n", "<!-- /verdicts -->"
KINDS = ("proved", "certified", "supported")


def table() -> str:
    """One row a paper, and the totals."""
    sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]
    from pages import _cell  # the same escaping as on the pages

    from rltheory.checks.discover import discover

    papers: dict[str, list[Any]] = defaultdict(list)
    for f in discover():
        papers[f.claim.source.paper.key].append(f.claim)
    lines = [
        "| paper | claims | proved | certified | supported | errata |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    total = [0] * 5
    for key in sorted(papers):
        claims = papers[key]
        paper = claims[0].source.paper
        expects = [getattr(getattr(c, "expect", None), "value", "erratum") for c in claims]
        numbers = [len(claims), *(expects.count(k) for k in KINDS), expects.count("erratum")]
        total = [a + b for a, b in zip(total, numbers)]
        lines.append(
            f"| {_cell(paper.title)} ({_cell(paper.authors)} {paper.year}) `{key}` | " + _numbers(numbers)
        )
    lines.append("| **all** | " + _numbers(total))
    return "\n".join(lines) + "\n"


def _numbers(values: list[int]) -> str:
    return " | ".join(str(v) if v else "" for v in values) + " |"


def updated(readme: str) -> str:
    """The README with a fresh table."""
    head, _, rest = readme.partition(START)
    _, _, tail = rest.partition(END)
    return head + START + table() + END + tail


def main(argv: list[str]) -> int:
    """Rewrite, or with --check exit 1 when the table is stale."""
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = updated(old)
    if "--check" in argv:
        if old != new:
            sys.stderr.write("README.md: the verdict table is stale; run python docs/make_readme_table.py\n")
        return int(old != new)
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
