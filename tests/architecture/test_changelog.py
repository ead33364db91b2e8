"""Whatever a user can name is in the changelog, and a change of the library moves it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import rltheory

pytestmark = pytest.mark.fast
ROOT = Path(__file__).resolve().parents[2]


def sections(text: str) -> dict[str, str]:
    """{heading: body} of the second-level sections of a changelog."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip([h.strip() for h in parts[::2]], parts[1::2], strict=True))


def unnamed(names: list[str], changelog: str) -> list[str]:
    """Those of `names` that no section spells in backquotes."""
    spelled = set(re.findall(r"`([^`]+)`", changelog))
    words = {w for s in spelled for w in re.findall(r"[A-Za-z_][A-Za-z_0-9]*", s)}
    return [n for n in names if n not in words]


def silent_change(changed: list[str], before: str, after: str) -> bool:
    """True when files of the library changed and the Unreleased section did not."""
    touched = any(p.startswith(("rltheory/", "proofs_check/")) and p.endswith(".py") for p in changed)
    return touched and sections(before).get("Unreleased") == sections(after).get("Unreleased")


def git(*args: str) -> str | None:
    out = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)
    return out.stdout if out.returncode == 0 else None


CHANGELOG = (ROOT / "docs" / "CHANGELOG.md").read_text(encoding="utf-8")


def test_there_is_an_unreleased_section() -> None:
    assert "Unreleased" in sections(CHANGELOG)


def test_every_public_name_is_in_the_changelog() -> None:
    assert unnamed(list(rltheory.__all__), CHANGELOG) == []


def test_every_paper_is_in_the_changelog() -> None:
    places = (ROOT / "proofs_check").iterdir()
    papers = [p.stem for p in places if p.suffix == ".py" or (p / "__init__.py").exists()]
    assert unnamed([p for p in papers if not p.startswith("_")], CHANGELOG) == []


def test_a_change_moves_the_unreleased_section() -> None:
    base = os.environ.get("RLTHEORY_BASE", "origin/main")
    fork = git("merge-base", base, "HEAD")
    if fork is None or fork == git("rev-parse", "HEAD"):
        pytest.skip(f"nothing to compare with {base}; set RLTHEORY_BASE to a revision")
    changed = (git("diff", "--name-only", fork.strip(), "HEAD") or "").splitlines()
    before = git("show", f"{fork.strip()}:docs/CHANGELOG.md") or ""
    assert not silent_change(changed, before, CHANGELOG)


def test_the_rules_can_fail() -> None:
    text = "# Changelog\n\n## Unreleased\n\n- `solve`\n\n## 0.1.0\n\n- `MDP`\n"
    assert unnamed(["MDP", "solve", "Policy"], text) == ["Policy"]
    assert silent_change(["rltheory/arrays.py"], text, text)
    assert not silent_change(["docs/index.md"], text, text)
    assert not silent_change(["rltheory/arrays.py"], text, text.replace("- `solve`", "- `solve`, faster"))
