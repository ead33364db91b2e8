"""Pages that are generated, never typed: API, gallery, claims, bibliography.  Docstrings made safe for RST."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

PACKAGES = {
    "rltheory.models": "Models",
    "rltheory.models.gallery": "Gallery",
    "rltheory.models.io": "Files and other libraries",
    "rltheory.results": "Results",
    "rltheory.operators": "Operators",
    "rltheory.solvers": "Solvers",
    "rltheory.checks": "Claims",
    "rltheory.reports": "Reports",
    "rltheory.kernels": "Kernels",
    "rltheory.cli": "Command line",
}
BASICS = ("rltheory.arrays", "rltheory.errors")
KINDS = ("proved", "certified", "supported")


def setup(app: Any) -> dict[str, Any]:
    """Sphinx entry point."""
    app.connect("builder-inited", lambda app: write_all(Path(app.srcdir) / "generated"))
    app.connect("autodoc-process-docstring", plain_docstring, priority=100)
    app.connect("autodoc-skip-member", skip_member)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_all(out: Path) -> None:
    """Write every generated page."""
    pages = {**api_pages(), "gallery.md": gallery_page(), **claim_pages()}
    out.mkdir(exist_ok=True)
    for old in out.rglob("*.md"):
        if old.relative_to(out).as_posix() not in pages:
            old.unlink()
    for name, text in pages.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# ---- API ---------------------------------------------------------------------------------
def modules(package: str) -> list[str]:
    """Public modules right below a package, those of subpackages listed apart left out."""
    root = importlib.import_module(package)
    found = []
    for info in pkgutil.iter_modules(root.__path__, prefix=f"{package}."):
        name = info.name
        if info.name.rpartition(".")[2].startswith("_") or name in PACKAGES or name == "rltheory.kernels.gpu":
            continue
        found.append(name)
    return found


def automodule(name: str, *, members: bool = True) -> str:
    """A directive; names imported into a module are documented where they live."""
    options = "\n:members:" if members else ""
    return f"```{{eval-rst}}\n.. automodule:: {name}" + options.replace("\n", "\n   ") + "\n```\n"


def api_pages() -> dict[str, str]:
    """One page a package, and the index of top-level names."""
    import rltheory

    pages, toc = {}, []
    for package, title in PACKAGES.items():
        slug = package.partition(".")[2]
        body = [f"# {title}\n", f"`{package}`\n", automodule(package, members=False)]
        for m in modules(package):
            body.append(f"## {m.rpartition('.')[2].replace('_', ' ')}\n\n`{m}`\n\n{automodule(m)}")
        pages[f"api/{slug}.md"] = "\n".join(body)
        toc.append(slug)
    basics = "\n".join(f"## {m.rpartition('.')[2]}\n\n{automodule(m)}" for m in BASICS)
    pages["api/basics.md"] = f"# Numbers and errors\n\n{basics}"
    rows = []
    for name in sorted(rltheory.__all__, key=str.lower):
        obj = getattr(rltheory, name)
        rows.append(f"| `{name}` | {_home(obj)} | {_first_line(obj)} |")
    listing = "\n".join([*toc, "basics"])
    pages["api/index.md"] = (
        "# API\n\nNames importable from `rltheory` itself; everything else lives in the packages listed below.\n\n"
        "| name | defined in | |\n| --- | --- | --- |\n"
        + "\n".join(rows)
        + f"\n\n```{{toctree}}\n:maxdepth: 1\n\n{listing}\n```\n"
    )
    return pages


def _home(obj: Any) -> str:
    return f"`{getattr(obj, '__module__', None) or obj.__name__}`"


def _first_line(obj: Any) -> str:
    lines = (obj.__doc__ or "").strip().split("\n\n")[0].split()
    return _cell(" ".join(lines))


def _cell(text: str) -> str:
    """Text for a Markdown table cell: nothing in it is markup but `code`."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    out = [
        p.replace("|", "\\|") if p.startswith("`") else re.sub(r"([\\|*_<>\[\]$])", r"\\\1", p) for p in parts
    ]
    return "".join(out)


# ---- gallery -----------------------------------------------------------------------------
def gallery_page() -> str:
    """Every gallery model with the first line of its docstring, grouped by module."""
    from rltheory.models import gallery

    groups = defaultdict(list)
    for name in gallery.__all__:
        obj = getattr(gallery, name)
        if callable(obj) and name not in ("names", "describe"):
            groups[obj.__module__.rpartition(".")[2]].append((name, _first_line(obj)))
    text = [
        "# Gallery\n",
        "Models with known answers, scalable families, and the instances that make theorems tight. "
        "`rl.gallery.NAME(...)` in Python, `gallery:NAME` on the command line.  A rational or integer `gamma` "
        "gives a model over the rationals.\n",
    ]
    for module, rows in groups.items():
        text.append(f"## {module.replace('_', ' ')}\n\n| name | |\n| --- | --- |")
        text += [f"| `{name}` | {line} |" for name, line in rows]
        text.append("")
    return "\n".join(text)


# ---- claims ------------------------------------------------------------------------------
def claim_pages() -> dict[str, str]:
    """One page a paper, an index with counts, and the bibliography."""
    from rltheory.checks.discover import discover

    papers: dict[str, list[Any]] = defaultdict(list)
    for f in discover():
        papers[f.claim.source.paper.key].append(f)
    pages, rows, entries = {}, [], []
    for key in sorted(papers):
        found = papers[key]
        paper = found[0].claim.source.paper
        where = f" {paper.where}." if paper.where else ""
        who = f"{paper.authors} ({paper.year})"
        entries.append(
            (paper.authors, paper.year, f"{_cell(who)}. *{_cell(paper.title)}*.{_cell(where)} `{key}`")
        )
        pages[f"claims/{key}.md"] = paper_page(paper, found)
        counts = [len(found), *(_count(found, kind) or "" for kind in KINDS)]
        cells = [f"[{_cell(paper.title)}](claims/{key}.md)", _cell(who), *map(str, counts)]
        rows.append("| " + " | ".join(cells) + " |")
    listing = "\n".join(f"claims/{key}" for key in sorted(papers))
    pages["claims.md"] = (
        "# The catalogue of claims\n\n"
        "Every theorem below is code: its statement, its hypotheses, the instances that make it tight, and false "
        "versions of it that the check must refute.  The verdicts are those that `rltheory check` computes; any "
        "other verdict fails the build.\n\n"
        "| paper | | claims | proved | certified | supported |\n| --- | --- | ---: | ---: | ---: | ---: |\n"
        + "\n".join(rows)
        + f"\n\n```{{toctree}}\n:hidden:\n\n{listing}\n```\n"
    )
    lines = "\n".join(f"- {text}" for _, _, text in sorted(entries))
    pages["bibliography.md"] = f"# Bibliography\n\n{lines}\n"
    return pages


def _count(found: list[Any], verdict: str) -> int:
    return sum(getattr(getattr(f.claim, "expect", None), "value", "") == verdict for f in found)


def paper_page(paper: Any, found: list[Any]) -> str:
    """The claims of one paper, statement first."""
    where = f" {paper.where}." if paper.where else ""
    text = [
        f"# {_cell(paper.title)}\n",
        f"{_cell(paper.authors)} ({paper.year}).{_cell(where)}  "
        f"`rltheory check '{paper.key}.*'` checks this page.\n",
    ]
    for f in found:
        c = f.claim
        text.append(
            f"(claim-{f.id})=\n## {f.id}\n\n{_cell(c.statement)}\n\n*{_cell(str(c.source.locator))}*\n"
        )
        if hasattr(c, "expect"):
            text.append(f"- **{c.expect.value}**")
            text += [f"- assumes {_cell(a.says)}" for a in c.assume]
            text += [f"- refutes the mutant “{_cell(m.says)}”" for m in c.mutants]
        else:
            text.append(
                f"- **erratum**: {c.known_as} as above and false; corrected: {_cell(c.corrected.statement)}"
            )
        text.append("")
    return "\n".join(text)


# ---- docstrings --------------------------------------------------------------------------
def plain_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Mathematics in docstrings is text: |x|, V*, P_ are no markup.

    Before the first numpydoc heading an indented block is a displayed formula and keeps its layout,
    unless it continues a list item.  Doctests stay as they are.
    """
    out: list[str] = []
    display = listing = False
    prose = True
    for i, line in enumerate(lines):
        indented, blank = line.startswith("    "), not line.strip()
        if _is_heading(lines, i):
            prose = False
        if blank or line.lstrip().startswith((">>>", "...")):
            out.append(line)
            listing = listing and blank
            continue
        item = re.match(r"\s*([-*]|\d+\.) ", line)
        if item and not listing and out and out[-1].strip():
            out.append("")
        listing = bool(item) or (listing and line.startswith("  "))
        if prose and indented and not listing:
            if not display:
                out += ["", ".. code-block:: text", ""]
            display = True
            out.append(line)
            continue
        if display:
            out.append("")
        display = False
        start = item.end() if item else 0
        parts = re.split(r"(``[^`]*``|`[^`]*`)", line[start:])
        text = "".join(p if p.startswith("`") else _escape(p) for p in parts)
        out.append(line[:start] + re.sub(r"(?<=[^\s`]`)(?=\w)", r"\\ ", text))
    lines[:] = out


def _is_heading(lines: list[str], i: int) -> bool:
    return i + 1 < len(lines) and bool(re.fullmatch(r"-{3,}", lines[i + 1].strip()))


def _escape(text: str) -> str:
    if re.fullmatch(r"\s*-{3,}\s*", text):
        return text
    text = re.sub(r"([*|\\])", r"\\\1", text)
    return re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)


def skip_member(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out names without text of their own (dataclass fields are listed in the class's text)."""
    return True if name.startswith("_") else None
