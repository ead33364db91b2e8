"""Write the tables of `benchmarks.md` and their picture from `benchmarks/results/`; `--check` only compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "results"
PICTURE = ROOT / "docs" / "_static" / "benchmarks.png"
PARTS = ("families", "small", "bandwidth", "memory", "cold-start", "stock", "regret")


def blocks() -> dict[str, str]:
    """The text between `<!-- NAME -->` and `<!-- /NAME -->`, for every part that has results."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from benchmarks import table

    found = {}
    for part in PARTS:
        path = RESULTS / f"{part}.json"
        if not path.exists():
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        said = table.conditions(result)
        if part == "families":
            rows = result["rows"]
            found[part] = "\n".join([table.verdict(rows), "", table.summary_table(rows), said, ""])
            found["details"] = table.detail_table(rows)
            found["silent"] = table.silent_table(rows)
            found["refusals"] = table.failures(rows)
            if any(row["solver"].startswith("rltheory:") for row in rows):
                found["paths"] = "\n".join([table.choice_verdict(rows), "", table.paths_table(rows)])
        else:
            found[part] = "\n".join([table.plain(result["table"]), said, ""])
    return found


def page(old: str) -> str:
    """`old` with fresh blocks."""
    for name, text in blocks().items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        head, found, rest = old.partition(start)
        if not found:
            continue
        old = head + start + "\n" + text + "\n" + end + rest.partition(end)[2]
    return old


def main(argv: list[str]) -> int:
    """Rewrite the page and the picture, or with --check exit 1 when the page is stale."""
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if "--check" in argv:
        if old != new:
            sys.stderr.write("docs/benchmarks.md is stale; run python docs/make_benchmarks.py\n")
        return int(old != new)
    PAGE.write_text(new, encoding="utf-8")
    if (RESULTS / "families.json").exists():
        from benchmarks.plot import draw

        draw(json.loads((RESULTS / "families.json").read_text(encoding="utf-8")), PICTURE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
