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
    """CPU seconds of a row that reached the accuracy."""
    return row["solve"]["cpu"] if row and row["status"] == "ok" and row.get("solve") else None


def by_instance(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """{instance: {solver: row}} in order."""
    out: dict[str, dict[str, Row]] = {}
    for row in rows:
        out.setdefault(row["instance"], {})[row["solver"]] = row
    return out


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
        peers = {k: r for k, r in found.items() if not k.startswith(OURS) and r["status"] != "not installed"}
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
                "failed": sorted(k for k, r in peers.items() if r["status"] != "ok"),
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
                f"{len(r['failed'])} of {r['peers']}",
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
        "peers failing",
    ]
    return _lines(head, body, {1, 2, 3, 5, 7, 8, 9})


def detail_table(rows: Sequence[Row]) -> str:
    """Markdown: every solver of every instance, with what was not reached."""
    body = []
    for name, found in by_instance(rows).items():
        ranked = sorted(found.values(), key=lambda r: (time_of(r) is None, time_of(r) or 0.0, r["solver"]))
        for row in ranked:
            t = row.get("solve", {}).get("cpu")
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
    loads = [r["load_average"] for r in rows if r.get("load_average") is not None]
    stream = next((r["stream"] for r in rows if r.get("stream")), None)
    text = (
        f"{m['cpu']}, {m['cores']} cores ({caches}), {m['memory_gb']} GB, {m['system']}, "
        f"Python {m['python']}, " + ", ".join(f"{k} {v}" for k, v in {**m["versions"], **versions}.items())
    )
    text += f"; commit {m['commit']}; {m['time']}."
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
