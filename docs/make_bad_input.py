"""Write `bad_input.md` from the table of `tests/unit/bad_input_cases.py`; `--check` only compares."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "bad_input.md"
HEAD = """# What is said about bad input

Every error names what is wrong, the first offending index and value, the rule, and what to do instead.
This page is written from the table the tests run; each snippet starts from

```python
import numpy as np
import rltheory as rl
from fractions import Fraction as F
{setup}
```

`InvalidModel`, `InvalidArgument`, `InvalidFile` and `ImproperPolicy` are `ValueError`s, `NotConverged` is a
`RuntimeError`, `MissingBackend` an `ImportError`; all are `rl.errors.RLTheoryError`.
"""


def page() -> str:
    """The page: a snippet and its message, area by area."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tests.bad_input import SETUP, run
    from tests.unit.bad_input_cases import CASES

    parts = [HEAD.format(setup=SETUP.strip())]
    for area, rows in CASES.items():
        parts.append(f"\n## {area}\n")
        for row in rows:
            if not row.quoted:
                continue
            with tempfile.TemporaryDirectory() as folder:
                message = run(row, Path(folder))
            note = f"# {row.note}\n" if row.note else ""
            parts.append(
                f"\n```{{code-block}} python\n{note}{row.code}\n```\n\n> **{row.error.__name__}**: {_plain(message)}\n"
            )
    return "".join(parts)


def _plain(message: str) -> str:
    """`message` with the characters Markdown would take."""
    for mark in "\\`*_[]<>$":
        message = message.replace(mark, "\\" + mark)
    return message.replace("\n", " ")


def main(argv: list[str]) -> int:
    """Write the page, or with --check exit 1 when it is stale."""
    old, new = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "", page()
    if "--check" in argv:
        print(
            "bad_input.md is up to date"
            if old == new
            else "bad_input.md is stale: run docs/make_bad_input.py"
        )
        return int(old != new)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
