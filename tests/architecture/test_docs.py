"""What the pages show is run: Python blocks, sessions, the README's commands and its table."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/papers").glob("*.md")),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, kind: str) -> list[tuple[int, str]]:
    """(line, code) of the fenced blocks of one language."""
    return [(text[: m.start()].count("\n") + 2, m[2]) for m in FENCE.finditer(text) if m[1] == kind]


def failures(text: str, name: str = "page") -> list[str]:
    """Messages for every session or block of a page that does not do what it shows."""
    bad: list[str] = []
    session = "\n".join(code for _, code in blocks(text, "pycon"))
    test = doctest.DocTestParser().get_doctest(session, {}, name, name, 0)
    doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(test, out=bad.append)
    module = type(sys)(name)
    sys.modules[name] = module  # dataclasses look their module up
    names = module.__dict__
    for line, code in blocks(text, "python"):
        try:
            exec(compile("\n" * (line - 1) + code, name, "exec"), names)
        except Exception as exc:
            bad.append(f"{name}:{line}: {type(exc).__name__}: {exc}")
    del sys.modules[name]
    return bad


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_pages_do_what_they_show(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failures(page.read_text(encoding="utf-8"), f"page_{page.stem.replace('-', '_')}") == []


def test_a_wrong_page_is_found() -> None:
    text = "```pycon\n>>> 1 + 1\n3\n\n```\n\n```python\nassert False\n```\n\n```python\n1 + 1\n```\n"
    found = failures(text)
    assert len(found) == 2
    assert "page:8: AssertionError" in found[1]


@pytest.mark.parametrize("marker", ["test-command", "main-command"])
def test_the_readme_commands_are_single_lines(marker: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"<!-- {marker} -->\n```sh\n(.*?)```", text, flags=re.DOTALL)
    assert block.count("\n") == 1
    assert block.startswith("python3 -m venv .venv && .venv/bin/pip install -q -e ")


def test_the_ten_lines_are_ten() -> None:
    ((_, code),) = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "python")
    assert len([ln for ln in code.splitlines() if ln.strip()]) <= 10


def test_the_verdict_table_is_fresh() -> None:
    command = [sys.executable, "docs/make_readme_table.py", "--check"]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists() and not target.startswith("generated/"):
                broken.append(f"{page.name}: {target}")
    assert broken == []
