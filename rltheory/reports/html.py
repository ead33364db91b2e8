"""The atlas: every claim on one self-contained page, statement first, no script and nothing fetched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from ..checks.report import Report
from .table import Summary, summaries, totals
from .text import count, seconds

STYLE = """
:root { --ink: #1b1b1b; --soft: #5b6770; --line: #d9dee2; --paper: #fff; --card: #f7f8f9;
        --bar: #0072b2 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaec; --soft: #9aa5ad; --line: #3a4147; --paper: #16191c; --card: #1f2428;
          --bar: #56b4e9 } }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif }
h1 { margin: 0 } h2 { margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line) }
.totals, .source, dt { color: var(--soft) }
nav { columns: 16rem; font-size: .85rem } nav a { display: block; color: inherit; text-decoration: none }
nav a:hover { text-decoration: underline }
article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem;
          margin: .8rem 0 }
article.surprise { border: 2px solid #c1121f }
h3 { margin: 0; font-size: 1rem; display: flex; justify-content: space-between; gap: 1rem; flex-wrap: wrap }
h3 code { overflow-wrap: anywhere }
.statement { font-size: 1.1rem; margin: .4rem 0; overflow-wrap: anywhere }
.v { font-size: .8rem; padding: .05rem .6rem; border-radius: 1rem; color: #fff; white-space: nowrap }
.proved { background: #14532d } .certified { background: #2a7f4f } .supported { background: #0e6d8c }
.inconclusive { background: #8a6100 } .vacuous { background: #7a3b8f } .refuted { background: #c1121f }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0 0;
     font-size: .9rem }
dd { margin: 0; overflow-wrap: anywhere }
pre { overflow: auto; max-height: 16rem; background: var(--paper); border: 1px solid var(--line);
      padding: .5rem; font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere }
details { font-size: .9rem } summary { cursor: pointer }
.bar { display: inline-block; width: 8rem; height: .55rem; border: 1px solid var(--line);
       vertical-align: middle;       margin-right: .5rem }
.bar i { display: block; height: 100%; background: var(--bar) }
.dot { display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; margin-right: .4rem }
"""


def atlas(
    reports: Iterable[Report | Summary],
    *,
    title: str = "Atlas of claims",
    elapsed: float | None = None,
    pictures: Mapping[str, str] | None = None,
) -> str:
    """The page as one string; claims are grouped by the part of their id before the dot.

    Parameters
    ----------
    reports
        Reports, or their summaries read back from JSON.
    title, elapsed
        Heading, and wall-clock seconds for the totals.
    pictures
        {claim id: inline SVG} shown below the claim; the markup is trusted.
    """
    rows = sorted(summaries(reports), key=lambda s: str(s["id"]))
    groups = [(k, list(g)) for k, g in groupby(rows, key=lambda s: str(s["id"]).partition(".")[0])]
    nav = "".join(
        f'<a href="#{_anchor(s["id"])}"><span class="dot {escape(str(s["verdict"]))}"></span>'
        f"{escape(str(s['id']))}</a>"
        for s in rows
    )
    body = "".join(
        f"<section><h2>{escape(key)}</h2>"
        + "".join(_card(s, (pictures or {}).get(str(s["id"]), "")) for s in group)
        + "</section>"
        for key, group in groups
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="totals">{escape(totals(rows, elapsed=elapsed))}</p>'
        f"<nav>{nav}</nav>{body}</body></html>\n"
    )


def write_atlas(path: str | Path, reports: Iterable[Report | Summary], **options: Any) -> Path:
    """Write `atlas(reports, **options)` to `path`."""
    out = Path(path)
    out.write_text(atlas(reports, **options), encoding="utf-8")
    return out


def _anchor(claim: object) -> str:
    return escape("".join(c if c.isalnum() or c in "-_." else "-" for c in str(claim)), quote=True)


def _card(s: Mapping[str, Any], picture: str) -> str:
    verdict = str(s["verdict"])
    surprise = "" if s["as_expected"] else f" (expected {s['expect']})"
    work = f"{count(s['evaluations'], 'evaluation')} in {seconds(s['seconds'])}"
    facts = [
        ("scope", escape(f"{s['scope']}; weakest evidence {s['evidence']}")),
        ("tightness", _tightness(s)),
        ("mutants", _mutants(s)),
        ("run", escape(f"seed {s['seed']}, n = {s['n']}, {work}")),
        *(("finding", escape(str(f))) for f in s["findings"]),
    ]
    listed = "".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in facts)
    worst = s.get("worst_instance")
    shown = (
        f"<details><summary>instance nearest to equality</summary><pre>{escape(worst)}</pre></details>"
        if worst
        else ""
    )
    c = s.get("counterexample")
    if c:
        text = f"{c['instance']}\n\nlhs = {c['lhs']}\nrhs = {c['rhs']}   ({c['evidence']})"
        shown = f"<details open><summary>counter-example</summary><pre>{escape(text)}</pre></details>" + shown
    mark = "" if s["as_expected"] else ' class="surprise"'
    badge = f'<span class="v {escape(verdict)}">{escape(verdict + surprise)}</span>'
    return (
        f'<article id="{_anchor(s["id"])}"{mark}>'
        f"<h3><code>{escape(str(s['id']))}</code>{badge}</h3>"
        f'<p class="statement">{escape(str(s["statement"]))}</p>'
        f'<div class="source">{escape(str(s["source"]))}</div>'
        f"<dl>{listed}</dl>{shown}{picture}</article>"
    )


def _tightness(s: Mapping[str, Any]) -> str:
    best, tight = s.get("best_ratio"), s.get("tight_ratio")
    if s.get("relation") == "=":
        return "an identity" + ("" if best is None else f"; largest side {best:.6g}")
    if best is None:
        return "no ratio (a right side is never positive)"
    text = f"largest lhs/rhs found {best:.6g}"
    if tight is not None and not math.isclose(tight, best, rel_tol=1e-6):
        text += f"; at the tight case {tight:.6g}"
    filled = 100 * min(max(best, 0.0), 1.0)
    return f'<span class="bar"><i style="width:{filled:.1f}%"></i></span>{text}'


def _mutants(s: Mapping[str, Any]) -> str:
    fates = []
    for m in s["mutants"]:
        fate = (
            f"refuted by {m['killed_by']} after {count(m['draws'], 'draw')}"
            if m["killed_by"]
            else "<b>survived</b>"
        )
        fates.append(f"“{escape(str(m['says']))}” {fate}")
    return "<br>".join(fates) or "none run"
