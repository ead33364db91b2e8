"""Results as tables: one row an instance, then one row a solver; nothing is left out of either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log
from typing import Any

Row = dict[str, Any]
OURS = "rltheory"


def seconds(x: float | None) -> str:
    """Three digits and a unit."""
    if x is None:
        return ""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if x * factor >= 1 or unit == "µs":
            return f"{x * factor:.3g} {unit}"
    return ""


def ratio(x: float | None) -> str:
    """Two or three digits and a ×."""
    return "" if x is None else f"{x:.2g}×" if x < 10 else f"{x:.0f}×"


def time_of(row: Row | None) -> float | None:
    """CPU seconds of a row that reached the accuracy: the least of its runs, since other work only adds."""
    solve = row.get("solve") if row and row["status"] == "ok" else None
    return float(solve.get("least", solve["cpu"])) if solve else None


def by_instance(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """{instance: {solver: row}} in order."""
    out: dict[str, dict[str, Row]] = {}
    for row in rows:
        out.setdefault(row["instance"], {})[row["solver"]] = row
    return out


def kind(row: Row) -> str:
    """`ok`, `wrong` (finished, values too far off at every setting), `late`, `refused` or `absent`."""
    status = row["status"]
    known = {"ok": "ok", "inaccurate": "wrong", "out of time": "late", "not installed": "absent"}
    return known.get(status, "refused")


def best(found: dict[str, Row], *, ours: bool) -> tuple[str, float] | None:
    """Fastest peer, or fastest of our own named paths, that reached the accuracy."""
    times = {
        name: t
        for name, row in found.items()
        if (name.startswith("rltheory:") if ours else not name.startswith(OURS))
        and (t := time_of(row)) is not None
    }
    return min(times.items(), key=lambda kv: kv[1]) if times else None


def floor(row: Row, stream: dict[str, float] | None) -> float | None:
    """Seconds that one backup takes at the measured bandwidth of reads (main memory, or cache if it fits)."""
    if not stream:
        return None
    nbytes = row["backup_bytes"]
    rate = stream["read_256kB"] if nbytes < 5e5 else stream["read_16MB"] if nbytes < 2.4e7 else stream["read"]
    return float(nbytes / (rate * 1e9))


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Per instance: our time, best peer, best own path, how many backups at memory speed it is worth."""
    out = []
    for name, found in by_instance(rows).items():
        any_row = next(iter(found.values()))
        own, peer, path = found.get(OURS), best(found, ours=False), best(found, ours=True)
        t = time_of(own)
        one = floor(any_row, (own or {}).get("stream"))
        peers = {k: r for k, r in found.items() if not k.startswith(OURS) and kind(r) != "absent"}
        fates = [kind(r) for r in peers.values()]
        out.append(
            {
                "instance": name,
                "family": any_row["family"],
                "S": any_row["S"],
                "nnz": any_row["nnz"],
                "ours": t,
                "status": (own or {}).get("status", "not run"),
                "solver": (own or {}).get("facts", {}).get("solver", ""),
                "peer": peer[0] if peer else None,
                "peer_time": peer[1] if peer else None,
                "gain": peer[1] / t if peer and t else None,
                "path": path[0] if path else None,
                "path_time": path[1] if path else None,
                "choice": t / path[1] if path and t else None,
                "backups": t / one if t and one else None,
                "load": (own or {}).get("load", {}).get("cpu"),
                "compile": compiled(own) if own else None,
                "fates": {k: fates.count(k) for k in ("wrong", "refused", "late")},
                "peers": len(peers),
            }
        )
    return out


def alone(r: dict[str, Any]) -> bool:
    """True for a line of `summary` where peers ran and none reached the accuracy, but we did."""
    return bool(r["ours"] and r["peers"] and not r["peer"])


def _lines(head: Sequence[str], body: Iterable[Sequence[str]], right: set[int]) -> str:
    rule = ["---:" if i in right else "---" for i in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body]) + "\n"


def summary_table(rows: Sequence[Row]) -> str:
    """Markdown: ours against the best peer and against memory, per instance."""
    body = []
    for r in summary(rows):
        ours = seconds(r["ours"]) if r["ours"] else f"**{r['status']}**"
        lost = r["gain"] is not None and r["gain"] < 1
        gain = ratio(r["gain"]) if r["gain"] else "no peer finished" if alone(r) else ""
        body.append(
            [
                r["instance"],
                f"{r['S']:,}",
                f"{r['nnz']:,}",
                ours,
                r["solver"],
                seconds(r["peer_time"]),
                r["peer"] or ("none" if r["peers"] else "not run"),
                f"**{gain}**" if lost else gain,
                f"{r['backups']:.3g}" if r["backups"] else "",
                seconds(r["load"]),
                seconds(r["compile"]),
                " / ".join(str(n) for n in r["fates"].values()) + f" of {r['peers']}",
            ]
        )
    head = [
        "instance",
        "states",
        "non-zeros",
        "rltheory",
        "chosen",
        "best peer",
        "which",
        "ratio",
        "worth backups",
        "load",
        "compile",
        "peers wrong / refused / late",
    ]
    return _lines(head, body, {1, 2, 3, 5, 7, 8, 9, 10, 11})


CHOICE = 1.3
"""What `solve` may lose against the best path."""


def short(solver: str) -> str:
    """A path's own name."""
    return solver.partition(":")[2] or solver


def paths_table(rows: Sequence[Row]) -> str:
    """Markdown: what `solve` took, the best of all paths, and what became of the others."""
    body = []
    for r, found in zip(summary(rows), by_instance(rows).values(), strict=True):
        if not any(name.startswith(f"{OURS}:") for name in found):
            continue
        others = {k: row for k, row in found.items() if k.startswith(f"{OURS}:")}
        times = sorted((t, k) for k, row in others.items() if (t := time_of(row)) is not None)
        lost = {w: [short(k) for k, row in others.items() if kind(row) == w] for w in ("wrong", "late")}
        body.append(
            [
                r["instance"],
                r["solver"],
                seconds(r["ours"]) if r["ours"] else f"**{r['status']}**",
                seconds(r["path_time"]),
                short(r["path"] or ""),
                ("**{}**" if r["choice"] > CHOICE else "{}").format(f"{r['choice']:.2f}")
                if r["choice"]
                else "",
                ", ".join(f"{short(k)} {seconds(t)}" for t, k in times[1:4]),
                ", ".join(lost["wrong"]),
                ", ".join(lost["late"]),
            ]
        )
    head = ["instance", "chosen", "solve", "best", "path", "solve ÷ best", "next", "inaccurate", "late"]
    return _lines(head, body, {2, 3, 5})


def choice_verdict(rows: Sequence[Row]) -> str:
    """One sentence: where `solve` is within `CHOICE` of the best path and where not."""
    found = [r for r in summary(rows) if r["choice"]]
    worse = [
        f"{r['instance']} ({r['choice']:.2f}×, {short(r['path'])})" for r in found if r["choice"] > CHOICE
    ]
    said = (
        f"`solve` is within {CHOICE}× of the best path on {len(found) - len(worse)} of {len(found)} instances"
    )
    return said + (f"; not on {', '.join(worse)}." if worse else ".")


def silent_table(rows: Sequence[Row]) -> str:
    """Markdown: peers that, asked for the target, returned values further off."""
    body = []
    for name in dict.fromkeys(row["solver"] for row in rows):
        mine = [row for row in rows if row["solver"] == name and row.get("tried")]
        target = {row["instance"]: row.get("target", 1e-6) for row in mine}
        off = [row for row in mine if row["tried"][0]["error"] > target[row["instance"]]]
        if off and not name.startswith(OURS):
            worst = max(off, key=lambda row: row["tried"][0]["error"])
            error = worst["tried"][0]["error"]
            said = f"{error:.1e}" if error < 1e300 else "not finite"
            body.append([name, f"{len(off)} of {len(mine)}", said, worst["instance"]])
    return _lines(["solver", "instances", "largest error", "on"], body, {1, 2})


def failures(rows: Sequence[Row]) -> str:
    """Markdown: what the solvers that refused said, each message once."""
    said: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if kind(row) == "refused":
            said.setdefault((row["solver"], row["status"]), []).append(row["instance"])
    body = [[s, what.replace("|", "/"), ", ".join(where)] for (s, what), where in said.items()]
    return _lines(["solver", "said", "on"], body, set())


def detail_table(rows: Sequence[Row]) -> str:
    """Markdown: every solver of every instance, with what was not reached."""
    body = []
    for name, found in by_instance(rows).items():
        ranked = sorted(found.values(), key=lambda r: (time_of(r) is None, time_of(r) or 0.0, r["solver"]))
        for row in ranked:
            t = row.get("solve", {}).get("least", row.get("solve", {}).get("cpu"))
            body.append(
                [
                    name,
                    row["solver"],
                    row["status"],
                    seconds(t) if t is not None else "",
                    f"{row['error']:.0e}" if row.get("error", 1e300) < 1e300 else "",
                    f"{row['eps']:.0e}" if row.get("eps") else "",
                    seconds(row["load"]["cpu"]) if row.get("load") else "",
                    seconds(compiled(row)),
                    seconds(row["imported"]["cpu"]) if row.get("imported") else "",
                ]
            )
    head = ["instance", "solver", "status", "solve", "error", "setting", "load", "compile", "import"]
    return _lines(head, body, {3, 4, 5, 6, 7, 8})


def compiled(row: Row) -> float | None:
    """CPU seconds of the warm-up instance, and what the first real solve took above the others."""
    if not row.get("warm_up"):
        return None
    return float(row["warm_up"]["cpu"]) + float(row.get("first_extra", 0.0))


def mean_gain(rows: Sequence[Row]) -> float | None:
    """Geometric mean of best peer's time ÷ ours over the instances where both finished."""
    gains = [r["gain"] for r in summary(rows) if r["gain"]]
    return exp(sum(map(log, gains)) / len(gains)) if gains else None


def verdict(rows: Sequence[Row]) -> str:
    """One paragraph: where we are ahead, where behind, where nobody finished."""
    found = summary(rows)
    ahead = [r for r in found if r["gain"] and r["gain"] >= 1]
    behind = [r for r in found if r["gain"] and r["gain"] < 1]
    only = [r for r in found if alone(r)]
    failed = [r for r in found if not r["ours"]]
    compared = [r for r in found if r["peers"]]
    parts = [f"Ahead of every peer on {len(ahead) + len(only)} of {len(compared)} instances."]
    if only:
        parts.append("No peer reached the accuracy on " + ", ".join(r["instance"] for r in only) + ".")
    if behind:
        worst = sorted(behind, key=lambda r: r["gain"])
        parts.append(
            "Behind on "
            + ", ".join(f"{r['instance']} ({ratio(1 / r['gain'])} slower than {r['peer']})" for r in worst)
            + "."
        )
    if failed:
        parts.append(
            "Accuracy not certified on " + ", ".join(f"{r['instance']} ({r['status']})" for r in failed) + "."
        )
    mean = mean_gain(rows)
    if mean:
        parts.append(f"Geometric mean of the ratios: {ratio(mean)}.")
    return " ".join(parts)


def conditions(result: dict[str, Any]) -> str:
    """One paragraph: machine, versions, load, note."""
    m = result["machine"]
    caches = ", ".join(f"{k} {v}" for k, v in m["caches"].items())
    rows = result.get("rows", [])
    versions = {r["solver"].split("-")[0].split(":")[0]: r.get("version") for r in rows if r.get("version")}
    threads = sorted({r["threads"] for r in rows if r.get("threads")})
    dates = sorted({r["time"][:10] for r in rows if r.get("time")})
    loads = [r["load_average"] for r in rows if r.get("load_average") is not None]
    stream = next((r["stream"] for r in rows if r.get("stream")), None)
    text = (
        f"{m['cpu']}, {m['cores']} cores ({caches}), {m['memory_gb']} GB, {m['system']}, "
        f"Python {m['python']}, " + ", ".join(f"{k} {v}" for k, v in {**m["versions"], **versions}.items())
    )
    commits = list(dict.fromkeys(r["commit"] for r in rows if r.get("commit"))) or [m["commit"]]
    text += f"; commit{'s' if len(commits) > 1 else ''} {', '.join(commits)}; "
    text += (" to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else m["time"]) + "."
    if threads:
        text += f" Threads: {', '.join(map(str, threads))}."
    for what, unit in (("budget", "s of CPU"), ("patience", "× the best time so far")):
        values = sorted({r[what] for r in rows if r.get(what)})
        if values:
            text += f" {what.capitalize()}: {' or '.join(f'{v:g}' for v in values)} {unit}."
    if loads:
        text += f" Load average while measuring: {min(loads):.1f} to {max(loads):.1f}."
    if stream:
        text += f" One thread: triad {stream['triad']:.0f}, reads {stream['read']:.0f} GB/s."
    return text + (f" {result['note']}" if result.get("note") else "")


def plain(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown of a list of flat rows; columns in order of appearance, numbers to four digits."""
    head = list(dict.fromkeys(k for row in rows for k in row))
    numeric = {i for i, k in enumerate(head) if any(isinstance(r.get(k), (int, float)) for r in rows)}

    def cell(x: Any) -> str:
        return f"{x:.4g}" if isinstance(x, float) else f"{x:,}" if isinstance(x, int) else str(x)

    return _lines(head, [[cell(row.get(k, "")) for k in head] for row in rows], numeric)
